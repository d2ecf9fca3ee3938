//! A resource of CloudFormation's that lakegen has no kind for: written as its documentation says, put into one of the lake's
//! stacks.

mod names;
mod policy;
mod rules;
pub(crate) mod schema;

use std::collections::HashMap;

use crate::check::Check;
use crate::decode::{Named, alternatives, section};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::kind::raw::{Raw, RawSpec, Scope};
use crate::lower;
use crate::placement::Part;
use crate::source::{Node, Spanned, Value};

section! {
    /// A resource in CloudFormation's own words, by its logical id. `Ref` and `Fn::GetAtt` speak of other such resources in the same
    /// stack, and `${jobs.features.arn}` in any text of things of the lake; docs say more under "The escape hatch".
    "a resource"
    pub struct ResourceSpec {
        /// The stack that it goes into.
        /// Default: `processing`.
        /// Example: `storage`.
        stack: Option<StackSpec>,
        /// Its type.
        /// Example: `AWS::SNS::Topic`.
        ty as "Type": Spanned<String>,
        /// Its properties. Where nothing stands behind one, CloudFormation takes it as left out.
        /// Default: none.
        /// Example: `{ KmsMasterKeyId: "${lake.key.arn}" }`.
        properties as "Properties": Option<RawSpec>,
        /// Resources of the blueprint in the same stack that are there before it.
        /// Example: `[AuditTopic]`.
        depends_on as "DependsOn": Vec<Spanned<String>>,
        /// What becomes of it when it leaves the stack.
        /// Default: what its type does.
        /// Example: `Retain`.
        deletion as "DeletionPolicy": Option<RetentionSpec>,
        /// What becomes of it when another takes its place.
        /// Default: what its type does.
        /// Example: `Retain`.
        replacement as "UpdateReplacePolicy": Option<RetentionSpec>,
    }
}

alternatives! {
    /// One of the lake's stacks: the first of its part, in a large lake.
    #[derive(Copy, Eq)]
    "a stack"
    pub enum StackSpec {
        /// What must not be lost.
        Storage = "storage",
        /// The catalog and the steps.
        Processing = "processing",
        /// What answers.
        Serving = "serving",
    }
}

alternatives! {
    /// What becomes of a resource that is no longer wanted. Source: "DeletionPolicy attribute" of the CloudFormation template reference.
    #[derive(Copy, Eq)]
    "a policy"
    pub enum RetentionSpec {
        /// It goes.
        Delete = "Delete",
        /// It stays.
        Retain = "Retain",
        /// It stays, unless its stack fails while it is first made.
        RetainExceptOnCreate = "RetainExceptOnCreate",
        /// It goes, and a snapshot of it stays.
        Snapshot = "Snapshot",
    }
}

/// A resource in CloudFormation's own words.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Its logical id.
    pub id: String,
    /// The stack.
    pub stack: StackSpec,
    /// Its type.
    pub ty: String,
    /// Its properties; none, or a map.
    pub properties: Option<Raw>,
    /// Resources of the blueprint that are there before it.
    pub depends_on: Vec<String>,
    /// What becomes of it when it leaves the stack.
    pub deletion: Option<RetentionSpec>,
    /// What becomes of it when another takes its place.
    pub replacement: Option<RetentionSpec>,
}

impl RetentionSpec {
    /// CloudFormation's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "Delete",
            Self::Retain => "Retain",
            Self::RetainExceptOnCreate => "RetainExceptOnCreate",
            Self::Snapshot => "Snapshot",
        }
    }
}

/// The resources of a blueprint.
pub(crate) fn check(written: &Named<ResourceSpec>, cx: &mut Check<'_>) -> Option<Vec<Resource>> {
    let mut stacks: Vec<(&Spanned<String>, Option<&ResourceSpec>, StackSpec)> = Vec::new();
    for (id, spec) in &written.0 {
        let stack = spec.as_ref().and_then(|spec| spec.stack).unwrap_or(StackSpec::Processing);
        stacks.push((id, spec.as_ref(), stack));
    }
    let scope = |stack: StackSpec| {
        let mut scope = Scope { here: HashMap::new(), elsewhere: HashMap::new() };
        for (id, spec, other) in &stacks {
            if *other == stack {
                scope.here.insert(id.as_str(), spec.and_then(|spec| schema::find(&spec.ty)));
            } else {
                scope.elsewhere.insert(id.as_str(), id.span);
            }
        }
        scope
    };
    let scopes: HashMap<&str, Scope<'_>> = [StackSpec::Storage, StackSpec::Processing, StackSpec::Serving]
        .map(|stack| (stack.as_str(), scope(stack)))
        .into();
    let checked = stacks.iter().map(|(id, spec, stack)| (*spec)?.check(id, *stack, scopes.get(stack.as_str())?, cx));
    let checked: Vec<_> = checked.collect();
    names::check(written, &checked, cx);
    checked.into_iter().collect()
}

impl StackSpec {
    fn as_str(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::Processing => "processing",
            Self::Serving => "serving",
        }
    }

    /// The part of the lake whose first stack it is.
    #[must_use]
    pub fn part(self) -> Part {
        match self {
            Self::Storage => Part::Storage,
            Self::Processing => Part::Processing,
            Self::Serving => Part::Serving,
        }
    }
}

impl ResourceSpec {
    fn check(&self, id: &Spanned<String>, stack: StackSpec, scope: &Scope<'_>, cx: &mut Check<'_>) -> Option<Resource> {
        let Self { stack: _, ty, properties, depends_on, deletion, replacement } = self;
        let before = cx.mistakes();
        if id.is_empty() || id.len() > 255 || !id.chars().all(|c| c.is_ascii_alphanumeric()) {
            cx.error(id.span, format!("`{}` cannot be a logical id", id.value)).help("letters and digits, at most 255");
        } else if let Some(own) = lower::reserved(id) {
            cx.error(id.span, format!("logical ids that begin with `{own}` are lakegen's own"))
                .help(format!("call it `My{}`, or by what it is for", id.value));
        }
        check_type(ty, cx);
        if let Some(known) = schema::find(ty) {
            let empty = Node { value: Value::Map(Vec::new()), span: ty.span };
            known.check(properties.as_ref().map_or(&empty, |RawSpec(node)| node), ty.span, true, cx);
        }
        for other in depends_on {
            if scope.target(other, cx).is_some() && other.value == id.value {
                cx.error(other.span, format!("`{}` would wait for itself", id.value)).help("leave it out");
            }
        }
        let properties = properties.as_ref().map(|RawSpec(node)| Raw::read(node, scope, cx));
        let properties = match properties {
            Some(read) => Some(read?),
            None => None,
        };
        (cx.mistakes() == before).then(|| Resource {
            id: id.value.clone(),
            stack,
            ty: ty.value.clone(),
            properties,
            depends_on: depends_on.iter().map(|other| other.value.clone()).collect(),
            deletion: *deletion,
            replacement: *replacement,
        })
    }
}

fn check_type(ty: &Spanned<String>, cx: &mut Check<'_>) {
    let word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "_@-".contains(c));
    let words: Vec<&str> = ty.split("::").collect();
    if words.len() < 2 || !words.iter().all(|part| word(part)) {
        cx.error(ty.span, format!("`{}` is not a type of CloudFormation's", ty.value))
            .help("write it like `AWS::SNS::Topic`");
    } else if words[0] == "AWS" && schema::find(ty).is_none() {
        // New types come every week, so this may be one of them.
        let help = did_you_mean(ty, schema::types()).unwrap_or_else(|| "look it up in the template reference".into());
        let message = format!("`{}` is not among the types that lakegen knows", ty.value);
        cx.push(Diagnostic::warning(ty.span, message).help(help));
    }
}
