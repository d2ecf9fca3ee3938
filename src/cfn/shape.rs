//! `shape!` and `resource!`: a struct, the AWS names of its properties, and how it becomes a tree, written once.

/// Declares a struct whose fields are AWS properties.
macro_rules! shape {
    (
        $(#[$meta:meta])*
        $name:ident { $( $field:ident: $type:ty = $property:literal ),* $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        pub struct $name {
            $(
                #[doc = concat!("`", $property, "`")]
                pub $field: $type,
            )*
        }

        impl $crate::cfn::IntoNode for $name {
            fn into_node(self) -> Option<$crate::cfn::Node> {
                let mut present = Vec::with_capacity([$($property),*].len());
                $(
                    let node = $crate::cfn::IntoNode::into_node(self.$field);
                    present.extend(node.map(|node| (std::borrow::Cow::Borrowed($property), node)));
                )*
                Some($crate::cfn::Node::Map(present))
            }
        }
    };
}

/// Declares a `shape!` that is a resource of its own.
macro_rules! resource {
    (
        $(#[$meta:meta])*
        $cfn_type:literal $name:ident { $( $body:tt )* }
    ) => {
        $crate::cfn::shape::shape! { $(#[$meta])* $name { $( $body )* } }

        impl $crate::cfn::Resource for $name {
            const TYPE: &'static str = $cfn_type;
        }
    };
}

/// Declares an enumeration of AWS's: variants and how AWS spells them.
macro_rules! choice {
    (
        $(#[$meta:meta])*
        $name:ident { $( $variant:ident = $text:literal ),* $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $(
                #[doc = concat!("`", $text, "`")]
                $variant,
            )*
        }

        impl $crate::cfn::IntoNode for $name {
            fn into_node(self) -> Option<$crate::cfn::Node> {
                Some($crate::cfn::Node::text(match self { $( Self::$variant => $text, )* }))
            }
        }
    };
}

pub(super) use {choice, resource, shape};
