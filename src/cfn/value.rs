//! Values of properties: literals and CloudFormation's intrinsic functions, each knowing what it stands for.

use std::fmt;
use std::marker::PhantomData;

use super::node::{IntoNode, Node};
use super::template::LogicalId;

/// The ARN of an `R`.
pub struct Arn<R>(PhantomData<fn() -> R>);
/// The physical name of an `R`.
pub struct Name<R>(PhantomData<fn() -> R>);
/// Another attribute of an `R`, such as the id of a REST API.
pub struct Attribute<R>(PhantomData<fn() -> R>);
/// An ARN, perhaps with `*` in its resource part, as IAM policies take it.
pub struct ArnPattern;
/// A place in S3: `s3://bucket/prefix/`.
pub struct S3Uri;
/// Text that names nothing.
pub struct Text;

/// What CloudFormation will put in a property, standing for a `T`.
pub struct Value<T> {
    expression: Expression,
    of: PhantomData<fn() -> T>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Expression {
    Literal(String),
    Reference(Reference),
    Sub(Vec<Piece>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Reference {
    Ref(LogicalId),
    GetAtt(LogicalId, &'static str),
}

/// One piece of a text put together by CloudFormation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece(Part);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Reference(Reference),
    Nested(Vec<Piece>),
}

impl<T> Value<T> {
    /// A value that is known now.
    pub fn literal(text: impl Into<String>) -> Self {
        Self::from_expression(Expression::Literal(text.into()))
    }

    /// Pieces of text and references put together (`Fn::Sub`); [`sub!`] is the convenient way to write it.
    pub fn concat(pieces: impl IntoIterator<Item = Piece>) -> Self {
        let mut parts = Vec::new();
        flatten(pieces, &mut parts);
        match parts.as_mut_slice() {
            [] => Self::literal(""),
            [Piece(Part::Text(text))] => Self::literal(std::mem::take(text)),
            [Piece(Part::Reference(reference))] => Self::from_expression(Expression::Reference(reference.clone())),
            _ => Self::from_expression(Expression::Sub(parts)),
        }
    }

    pub(super) fn reference(id: LogicalId) -> Self {
        Self::from_expression(Expression::Reference(Reference::Ref(id)))
    }

    pub(super) fn attribute(id: LogicalId, attribute: &'static str) -> Self {
        Self::from_expression(Expression::Reference(Reference::GetAtt(id, attribute)))
    }

    fn from_expression(expression: Expression) -> Self {
        Self { expression, of: PhantomData }
    }

    /// The value in the notation of `Fn::Sub`, for a text that is filled in elsewhere than in a template.
    pub fn notation(&self) -> String {
        let mut text = String::new();
        match self.expression.clone() {
            Expression::Literal(literal) => Part::Text(literal).write(&mut text),
            Expression::Reference(reference) => Part::Reference(reference).write(&mut text),
            Expression::Sub(pieces) => Part::Nested(pieces).write(&mut text),
        }
        text
    }

    /// The same value where any text will do.
    pub fn text(&self) -> Value<Text> {
        Value::from_expression(self.expression.clone())
    }
}

impl<R> Value<Arn<R>> {
    /// The same ARN as the resource of a policy statement.
    pub fn pattern(&self) -> Value<ArnPattern> {
        Value::from_expression(self.expression.clone())
    }
}

impl<T> IntoNode for Value<T> {
    fn into_node(self) -> Option<Node> {
        Some(match self.expression {
            Expression::Literal(text) => Node::literal(text),
            Expression::Reference(Reference::Ref(id)) => Node::map([("Ref", id.into_text())]),
            Expression::Reference(Reference::GetAtt(id, attribute)) => {
                Node::map([("Fn::GetAtt", Node::List(vec![id.into_text(), Node::text(attribute)]))])
            }
            Expression::Sub(pieces) => {
                let mut text = String::new();
                for Piece(part) in pieces {
                    part.write(&mut text);
                }
                Node::map([("Fn::Sub", Node::text(text))])
            }
        })
    }
}

impl Part {
    fn write(self, out: &mut String) {
        match self {
            // In `Fn::Sub` a literal `${x}` is spelt `${!x}`.
            Part::Text(text) => out.push_str(&text.replace("${", "${!")),
            Part::Reference(Reference::Ref(id)) => {
                out.push_str("${");
                out.push_str(id.as_str());
                out.push('}');
            }
            Part::Reference(Reference::GetAtt(id, attribute)) => {
                out.push_str("${");
                out.push_str(id.as_str());
                out.push('.');
                out.push_str(attribute);
                out.push('}');
            }
            Part::Nested(pieces) => pieces.into_iter().for_each(|Piece(part)| part.write(out)),
        }
    }
}

/// Lays nested pieces side by side and joins neighbouring texts.
fn flatten(pieces: impl IntoIterator<Item = Piece>, parts: &mut Vec<Piece>) {
    for Piece(part) in pieces {
        match part {
            Part::Nested(pieces) => flatten(pieces, parts),
            Part::Text(text) => match parts.last_mut() {
                Some(Piece(Part::Text(before))) => before.push_str(&text),
                _ if text.is_empty() => {}
                _ => parts.push(Piece(Part::Text(text))),
            },
            Part::Reference(_) => parts.push(Piece(part)),
        }
    }
}

impl From<&str> for Piece {
    fn from(text: &str) -> Self {
        Piece(Part::Text(text.to_owned()))
    }
}

impl From<&String> for Piece {
    fn from(text: &String) -> Self {
        Piece(Part::Text(text.clone()))
    }
}

impl From<String> for Piece {
    fn from(text: String) -> Self {
        Piece(Part::Text(text))
    }
}

impl<T> From<Value<T>> for Piece {
    fn from(value: Value<T>) -> Self {
        Piece(match value.expression {
            Expression::Literal(text) => Part::Text(text),
            Expression::Reference(reference) => Part::Reference(reference),
            Expression::Sub(pieces) => Part::Nested(pieces),
        })
    }
}

impl<T> From<&Value<T>> for Piece {
    fn from(value: &Value<T>) -> Self {
        value.clone().into()
    }
}

impl<T> Clone for Value<T> {
    fn clone(&self) -> Self {
        Self::from_expression(self.expression.clone())
    }
}

impl<T> PartialEq for Value<T> {
    fn eq(&self, other: &Self) -> bool {
        self.expression == other.expression
    }
}

impl<T> fmt::Debug for Value<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expression.fmt(formatter)
    }
}

impl From<&str> for Value<Text> {
    fn from(text: &str) -> Self {
        Value::literal(text)
    }
}

impl From<String> for Value<Text> {
    fn from(text: String) -> Self {
        Value::literal(text)
    }
}

/// Puts text and values together into one value: `sub!["arn:", pseudo::partition(), ":s3:::", &bucket]`.
macro_rules! sub {
    [$($piece:expr),+ $(,)?] => {
        $crate::cfn::Value::concat([$($crate::cfn::Piece::from($piece)),+])
    };
}
pub(crate) use sub;

/// Values that CloudFormation knows by itself.
pub mod pseudo {
    use super::{LogicalId, Text, Value};

    /// The one of that name.
    pub fn named(name: &'static str) -> Value<Text> {
        Value::reference(LogicalId::fixed(name))
    }

    /// `aws`, `aws-cn`, …
    pub fn partition() -> Value<Text> {
        Value::reference(LogicalId::fixed("AWS::Partition"))
    }

    /// The region of the stack.
    pub fn region() -> Value<Text> {
        Value::reference(LogicalId::fixed("AWS::Region"))
    }

    /// The account of the stack, twelve digits.
    pub fn account() -> Value<Text> {
        Value::reference(LogicalId::fixed("AWS::AccountId"))
    }

    /// `amazonaws.com` or `amazonaws.com.cn`.
    pub fn url_suffix() -> Value<Text> {
        Value::reference(LogicalId::fixed("AWS::URLSuffix"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(value: Value<Text>) -> Node {
        value.into_node().unwrap()
    }

    #[test]
    fn pieces_are_joined_and_literal_dollars_escaped() {
        let inner: Value<Text> = sub!["a-", pseudo::region()];
        assert_eq!(
            node(sub!["s3://", &inner, "/", String::from("${x}"), "$", "{"]),
            Node::map([("Fn::Sub", Node::text("s3://a-${AWS::Region}/${!x}${!"))])
        );
    }

    #[test]
    fn a_sub_that_needs_no_sub_is_none() {
        assert_eq!(node(sub!["a", "b"]), Node::text("ab"));
        assert_eq!(node(sub!["", pseudo::region(), ""]), Node::map([("Ref", Node::text("AWS::Region"))]));
        assert_eq!(node(sub!["${x}"]), Node::text("${x}"));
    }

    #[test]
    fn a_dollar_before_a_reference_stays_a_dollar() {
        assert_eq!(node(sub!["$", pseudo::region()]), Node::map([("Fn::Sub", Node::text("$${AWS::Region}"))]));
    }
}
