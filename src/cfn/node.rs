//! The small tree that every template becomes before it is written as YAML or JSON.

use std::borrow::Cow;

use super::json;
use super::value::{Text, Value};

/// A JSON-like tree whose maps keep the order in which they were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// `true` or `false`
    Bool(bool),
    /// A whole number
    Integer(i64),
    /// Another number, as it is written in JSON
    Decimal(String),
    /// A string
    Text(Cow<'static, str>),
    /// A sequence
    List(Vec<Node>),
    /// A map in order of insertion
    Map(Vec<(Cow<'static, str>, Node)>),
}

impl Node {
    /// A string node.
    pub fn text(text: impl Into<Cow<'static, str>>) -> Node {
        Node::Text(text.into())
    }

    /// A string node that stays as it is. Outside of `Fn::Sub` `${AWS::Region}` is text to CloudFormation, but linters take it for a
    /// forgotten `Fn::Sub`: so there is one, which fills in a dollar.
    pub fn literal(text: impl Into<Cow<'static, str>>) -> Node {
        let text = text.into();
        // Looking for one character is much quicker, and hardly any text has it.
        if !text.contains('$') || !text.contains("${AWS::") {
            return Node::Text(text);
        }
        let mut pieces = text.split("${");
        let mut filled = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            filled.push_str(if piece.starts_with("AWS::") { "${Dollar}{" } else { "${!" });
            filled.push_str(piece);
        }
        let dollar = Node::map([("Dollar", Node::text("$"))]);
        Node::map([("Fn::Sub", Node::List(vec![Node::text(filled), dollar]))])
    }

    /// The tree as JSON text.
    pub fn json(&self) -> String {
        json::text(self)
    }

    /// About how many characters it has as JSON without spaces, once texts are put together: values of references are not
    /// known, but those that policies put into texts are shorter than their names.
    pub fn weight(&self) -> usize {
        let separated = |weights: usize, count: usize| 2 + weights + count.saturating_sub(1);
        match self {
            Node::Bool(value) => {
                if *value {
                    4
                } else {
                    5
                }
            }
            Node::Integer(value) => value.to_string().len(),
            Node::Decimal(digits) => digits.len(),
            Node::Text(text) => text.len() + 2,
            Node::List(items) => separated(items.iter().map(Node::weight).sum(), items.len()),
            Node::Map(entries) => match entries.as_slice() {
                [(key, text)] if key == "Fn::Sub" => text.weight(),
                _ => separated(entries.iter().map(|(key, node)| key.len() + 3 + node.weight()).sum(), entries.len()),
            },
        }
    }

    /// Whether a text in it names `id`, as references and `Fn::Sub` do.
    pub fn mentions(&self, id: &str) -> bool {
        match self {
            Node::Bool(_) | Node::Integer(_) | Node::Decimal(_) => false,
            Node::Text(text) => text.contains(id),
            Node::List(items) => items.iter().any(|node| node.mentions(id)),
            Node::Map(entries) => entries.iter().any(|(_, node)| node.mentions(id)),
        }
    }

    /// Puts another tree over this one: maps are merged key by key, anything else takes the place of what was there.
    pub fn merge(&mut self, over: Node) {
        match (self, over) {
            (Node::Map(entries), Node::Map(over)) if !is_function(entries) && !is_function(&over) => {
                for (key, node) in over {
                    match entries.iter_mut().find(|(known, _)| *known == key) {
                        Some((_, there)) => there.merge(node),
                        None => entries.push((key, node)),
                    }
                }
            }
            (there, over) => *there = over,
        }
    }

    /// A map node from static keys.
    pub fn map<const N: usize>(entries: [(&'static str, Node); N]) -> Node {
        Node::Map(entries.into_iter().map(|(key, node)| (Cow::Borrowed(key), node)).collect())
    }
}

/// Whether a map is one of CloudFormation's functions.
fn is_function(entries: &[(Cow<'static, str>, Node)]) -> bool {
    matches!(entries, [(key, _)] if key == "Ref" || key.starts_with("Fn::"))
}

/// What can stand as the value of a property; `None` leaves the property out.
pub trait IntoNode {
    /// The tree of this value.
    fn into_node(self) -> Option<Node>;

    /// What CloudFormation is told, as JSON text, of which digests are made; empty for what is left out.
    fn told(&self) -> String
    where
        Self: Clone,
    {
        self.clone().into_node().map_or_else(String::new, |node| node.json())
    }
}

impl IntoNode for Node {
    fn into_node(self) -> Option<Node> {
        Some(self)
    }
}

impl IntoNode for bool {
    fn into_node(self) -> Option<Node> {
        Some(Node::Bool(self))
    }
}

impl IntoNode for u32 {
    fn into_node(self) -> Option<Node> {
        Some(Node::Integer(i64::from(self)))
    }
}

impl IntoNode for u64 {
    fn into_node(self) -> Option<Node> {
        Some(Node::Integer(i64::try_from(self).unwrap_or(i64::MAX)))
    }
}

impl IntoNode for f64 {
    fn into_node(self) -> Option<Node> {
        self.is_finite().then(|| Node::Decimal(self.to_string()))
    }
}

impl IntoNode for &'static str {
    fn into_node(self) -> Option<Node> {
        Some(Node::text(self))
    }
}

impl IntoNode for String {
    fn into_node(self) -> Option<Node> {
        Some(Node::literal(self))
    }
}

/// `null` leaves the property out.
impl IntoNode for serde_json::Value {
    fn into_node(self) -> Option<Node> {
        Some(match self {
            serde_json::Value::Null => return None,
            serde_json::Value::Bool(value) => Node::Bool(value),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(integer) => Node::Integer(integer),
                None => Node::Decimal(number.to_string()),
            },
            serde_json::Value::String(text) => Node::literal(text),
            serde_json::Value::Array(items) => Node::List(items.into_iter().filter_map(IntoNode::into_node).collect()),
            serde_json::Value::Object(entries) => {
                let entries = entries.into_iter();
                Node::Map(entries.filter_map(|(key, value)| Some((Cow::Owned(key), value.into_node()?))).collect())
            }
        })
    }
}

impl<T: IntoNode> IntoNode for Option<T> {
    fn into_node(self) -> Option<Node> {
        self.and_then(IntoNode::into_node)
    }
}

impl<T: IntoNode> IntoNode for Vec<T> {
    fn into_node(self) -> Option<Node> {
        Some(Node::List(self.into_iter().filter_map(IntoNode::into_node).collect()))
    }
}

/// A property that is a map from names chosen by the blueprint.
impl<T: IntoNode> IntoNode for Vec<(Cow<'static, str>, T)> {
    fn into_node(self) -> Option<Node> {
        Some(Node::Map(self.into_iter().filter_map(|(key, value)| Some((key, value.into_node()?))).collect()))
    }
}

/// Tags in the form most services take: a list of `Key` and `Value`.
#[derive(Clone, Debug)]
pub struct Tags(pub Vec<(Cow<'static, str>, Value<Text>)>);

impl IntoNode for Tags {
    fn into_node(self) -> Option<Node> {
        let tag = |(key, value): (Cow<'static, str>, Value<Text>)| {
            Some(Node::map([("Key", Node::text(key)), ("Value", value.into_node()?)]))
        };
        Some(Node::List(self.0.into_iter().filter_map(tag).collect()))
    }
}

/// Tags in the form Glue takes: a map.
#[derive(Clone, Debug)]
pub struct TagMap(pub Tags);

impl IntoNode for TagMap {
    fn into_node(self) -> Option<Node> {
        let Self(Tags(tags)) = self;
        tags.into_node()
    }
}
