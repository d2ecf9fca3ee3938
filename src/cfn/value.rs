//! Values of properties: literals and CloudFormation's intrinsic functions, each knowing what it stands for.

use std::borrow::Cow;
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
    expression: Expression<'static>,
    of: PhantomData<fn() -> T>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Expression<'a> {
    Literal(Cow<'a, str>),
    Reference(Reference),
    /// Text in the notation of `Fn::Sub`
    Sub(Cow<'a, str>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Reference {
    Ref(LogicalId),
    GetAtt(LogicalId, &'static str),
}

/// One piece of a text put together by CloudFormation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece<'a>(Expression<'a>);

impl<T> Value<T> {
    /// A value that is known now.
    pub fn literal(text: impl Into<Cow<'static, str>>) -> Self {
        Self::from_expression(Expression::Literal(text.into()))
    }

    /// Pieces of text and references put together (`Fn::Sub`); [`sub!`] is the convenient way to write it.
    pub fn concat<'a>(pieces: impl IntoIterator<Item = Piece<'a>>) -> Self {
        let nothing = Expression::Literal(Cow::Borrowed(""));
        Self::from_expression(pieces.into_iter().fold(nothing, |whole, Piece(next)| whole.and(next)))
    }

    pub(super) fn reference(id: LogicalId) -> Self {
        Self::from_expression(Expression::Reference(Reference::Ref(id)))
    }

    pub(super) fn attribute(id: LogicalId, attribute: &'static str) -> Self {
        Self::from_expression(Expression::Reference(Reference::GetAtt(id, attribute)))
    }

    fn from_expression(expression: Expression<'static>) -> Self {
        Self { expression, of: PhantomData }
    }

    /// The value in the notation of `Fn::Sub`, for a text that is filled in elsewhere than in a template.
    pub fn notation(&self) -> String {
        self.expression.clone().into_notation()
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
            Expression::Sub(text) => Node::map([("Fn::Sub", Node::text(text))]),
        })
    }
}

impl Expression<'static> {
    /// This and then `next`.
    fn and(self, next: Expression<'_>) -> Self {
        match (self, next) {
            (whole, Expression::Literal(text)) if text.is_empty() => whole,
            (Expression::Literal(text), next) if text.is_empty() => next.into_owned(),
            (Expression::Literal(before), Expression::Literal(after)) => {
                Expression::Literal(Cow::Owned(before.into_owned() + &after))
            }
            (whole, next) => {
                let mut notation = whole.into_notation();
                next.write(&mut notation);
                Expression::Sub(Cow::Owned(notation))
            }
        }
    }

    fn into_notation(self) -> String {
        match self {
            Expression::Sub(Cow::Owned(notation)) => notation,
            other => {
                // As much as most ARNs take.
                let mut notation = String::with_capacity(96);
                other.write(&mut notation);
                notation
            }
        }
    }
}

impl Expression<'_> {
    fn into_owned(self) -> Expression<'static> {
        match self {
            Expression::Literal(text) => Expression::Literal(Cow::Owned(text.into_owned())),
            Expression::Reference(reference) => Expression::Reference(reference),
            Expression::Sub(text) => Expression::Sub(Cow::Owned(text.into_owned())),
        }
    }

    /// Appends it in the notation of `Fn::Sub`, where a literal `${x}` is spelt `${!x}`.
    fn write(&self, out: &mut String) {
        let mut text = |text: &str| match text.strip_prefix('{') {
            // The dollar that ended what came before.
            Some(rest) if out.ends_with('$') => {
                out.push_str("{!");
                out.push_str(rest);
            }
            _ => out.push_str(text),
        };
        match self {
            Expression::Literal(literal) if literal.contains('$') => text(&literal.replace("${", "${!")),
            Expression::Literal(literal) => text(literal),
            Expression::Sub(notation) => text(notation),
            Expression::Reference(Reference::Ref(id)) => {
                out.push_str("${");
                out.push_str(id.as_str());
                out.push('}');
            }
            Expression::Reference(Reference::GetAtt(id, attribute)) => {
                out.push_str("${");
                out.push_str(id.as_str());
                out.push('.');
                out.push_str(attribute);
                out.push('}');
            }
        }
    }
}

impl<'a> From<&'a str> for Piece<'a> {
    fn from(text: &'a str) -> Self {
        Piece(Expression::Literal(Cow::Borrowed(text)))
    }
}

impl<'a> From<&'a String> for Piece<'a> {
    fn from(text: &'a String) -> Self {
        text.as_str().into()
    }
}

impl From<String> for Piece<'_> {
    fn from(text: String) -> Self {
        Piece(Expression::Literal(Cow::Owned(text)))
    }
}

impl<T> From<Value<T>> for Piece<'_> {
    fn from(value: Value<T>) -> Self {
        Piece(value.expression)
    }
}

impl<'a, T> From<&'a Value<T>> for Piece<'a> {
    fn from(value: &'a Value<T>) -> Self {
        Piece(match &value.expression {
            Expression::Literal(text) => Expression::Literal(Cow::Borrowed(text)),
            Expression::Reference(reference) => Expression::Reference(reference.clone()),
            Expression::Sub(text) => Expression::Sub(Cow::Borrowed(text)),
        })
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

impl From<&'static str> for Value<Text> {
    fn from(text: &'static str) -> Self {
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
    fn a_dollar_and_the_brace_of_the_next_piece_are_escaped_wherever_they_meet() {
        let brace: Value<Text> = sub!["{x}", pseudo::region()];
        let dollar: Value<Text> = sub![pseudo::region(), "$"];
        let expected = |text: &'static str| Node::map([("Fn::Sub", Node::text(text))]);
        assert_eq!(node(sub!["$", &brace]), expected("${!x}${AWS::Region}"));
        assert_eq!(node(sub![&dollar, &brace]), expected("${AWS::Region}${!x}${AWS::Region}"));
        assert_eq!(node(sub![&dollar, "{x}"]), expected("${AWS::Region}${!x}"));
        assert_eq!(node(sub!["$", "{x}"]), Node::text("${x}"));
    }

    #[test]
    fn a_dollar_before_a_reference_stays_a_dollar() {
        assert_eq!(node(sub!["$", pseudo::region()]), Node::map([("Fn::Sub", Node::text("$${AWS::Region}"))]));
    }
}
