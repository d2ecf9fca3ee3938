//! Raw CloudFormation: values as its own documentation writes them, in whose texts `${jobs.features.arn}` speaks of things of the
//! lake.

use std::collections::HashMap;

use crate::check::Check;
use crate::decode::{Decode, Decoder, Scalar, repeated};
use crate::diagnostic::{Diagnostic, did_you_mean, listed};
use crate::kind::checks::within;
use crate::kind::resource::schema;
use crate::lake::{Function, Id, StepId, Table, Zone};
use crate::schema::{Language, Shape};
use crate::source::{Node, Span, Spanned, Value};

/// A map of properties as written.
#[derive(Debug, Clone, PartialEq)]
pub struct RawSpec(pub(crate) Node);

impl Decode for RawSpec {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        fn walk(node: &Node, decoder: &mut Decoder) {
            match &node.value {
                Value::Map(entries) => {
                    repeated(entries, decoder);
                    entries.iter().for_each(|(_, node)| walk(node, decoder));
                }
                Value::List(items) => items.iter().for_each(|item| walk(item, decoder)),
                _ => {}
            }
        }
        if !matches!(node.value, Value::Map(_)) {
            return decoder.expected("a map of properties", node);
        }
        walk(node, decoder);
        Some(Self(node.clone()))
    }

    fn shape(_: &mut Language) -> Shape {
        Shape::Map { names: None, values: Box::new(Shape::Any) }
    }
}

/// A value of a template.
#[derive(Debug, Clone, PartialEq)]
pub enum Raw {
    /// Nothing: to CloudFormation a property that is not there.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number, as it is written.
    Decimal(String),
    /// Text.
    Text(Vec<Piece>),
    /// Text in the notation of `Fn::Sub`.
    Notation(Vec<Piece>),
    /// A list.
    List(Vec<Raw>),
    /// A map, or a function of CloudFormation's.
    Map(Vec<(String, Raw)>),
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// Itself.
    Text(String),
    /// What AWS knows a thing of the lake by.
    Reference(Reference),
    /// A pseudo parameter of CloudFormation's that has a text.
    Pseudo(&'static str),
}

/// What AWS knows a thing of the lake by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// Which thing.
    pub to: Referent,
    /// Whether its ARN is meant, or its name.
    pub arn: bool,
}

/// A thing with a name or an ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Referent {
    /// The lake itself, which has a name only.
    Lake,
    /// The environment, which has a name only.
    Environment,
    /// The key that encrypts the lake; it has no name.
    Key,
    /// The catalog's database.
    Database,
    /// The bucket of a zone.
    Zone(Id<Zone>),
    /// A table of the catalog or of DynamoDB.
    Table(Id<Table>),
    /// A crawler, a recipe's job, a job, the endpoint of a model.
    Step(StepId),
    /// The role of a step.
    StepRole(StepId),
    /// A function.
    Function(Id<Function>),
    /// The role of a function.
    FunctionRole(Id<Function>),
}

/// Sections whose things have names in AWS, and `lake` for what is the lake's own.
const SECTIONS: [&str; 9] =
    ["lake", "zones", "tables", "crawlers", "queries", "recipes", "jobs", "models", "functions"];

/// Source: "Pseudo parameters reference" of the CloudFormation template reference.
const PSEUDO: [&str; 8] = [
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

/// What `Ref` and `Fn::GetAtt` can speak of.
pub(crate) struct Scope<'a> {
    /// Resources of the blueprint in the same stack, and what is known of their types.
    pub(crate) here: HashMap<&'a str, Option<schema::Type>>,
    /// Those in other stacks.
    pub(crate) elsewhere: HashMap<&'a str, Span>,
}

impl Raw {
    /// How many bytes it takes in a template, at most.
    #[must_use]
    pub fn weight(&self) -> usize {
        // In JSON a quote takes a byte more and a control character five; in `Fn::Sub` a `$` may take one more.
        let more = |byte: u8| match byte {
            b'"' | b'\\' | b'$' => 1,
            ..b' ' => 5,
            _ => 0,
        };
        let pieces = |pieces: &[Piece]| -> usize {
            let length = |text: &String| text.bytes().map(|byte| 1 + more(byte)).sum();
            pieces.iter().map(|piece| if let Piece::Text(text) = piece { length(text) } else { 120 }).sum()
        };
        match self {
            Self::Null => 30,
            Self::Bool(_) | Self::Integer(_) | Self::Decimal(_) => 24,
            Self::Text(text) | Self::Notation(text) => 20 + pieces(text),
            Self::List(items) => 10 + items.iter().map(|item| 20 + item.weight()).sum::<usize>(),
            Self::Map(entries) => 10 + entries.iter().map(|(key, raw)| 20 + key.len() + raw.weight()).sum::<usize>(),
        }
    }

    /// Reads a value, and checks what it speaks of.
    pub(crate) fn read(node: &Node, scope: &Scope<'_>, cx: &mut Check<'_>) -> Option<Self> {
        if let Some((tag, place)) = tag(node, cx) {
            let function = if tag == "Ref" || tag == "Condition" { tag.clone() } else { format!("Fn::{tag}") };
            cx.error(place, format!("`!{tag}` is a YAML tag, and would be lost"))
                .help(format!("write it in full: `{function}: …`"));
            return None;
        }
        Some(match &node.value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(value) => Self::Integer(*value),
            Value::Float(_) => Self::Decimal(cx.decode::<Scalar>(node)?.0),
            Value::String(text) => Self::Text(pieces(&Spanned::new(text.clone(), node.span), None, scope, cx)?),
            Value::List(items) => Self::List(all(items.iter().map(|item| Self::read(item, scope, cx)))?),
            Value::Map(entries) => match entries.as_slice() {
                [(function, argument)] if function.value == "Ref" => {
                    scope.target(&cx.decode::<Spanned<String>>(argument)?, cx)?;
                    Self::Map(vec![("Ref".into(), Self::read(argument, scope, cx)?)])
                }
                [(function, argument)] if function.value == "Fn::GetAtt" => {
                    scope.attribute(argument, cx)?;
                    Self::Map(vec![("Fn::GetAtt".into(), Self::read(argument, scope, cx)?)])
                }
                [(function, argument)] if function.value == "Fn::Sub" => {
                    Self::Map(vec![("Fn::Sub".into(), substituted(argument, scope, cx)?)])
                }
                [(function, _)] if matches!(function.value.as_str(), "Fn::If" | "Condition") => {
                    cx.error(function.span, "there are no conditions to ask for here")
                        .help("let each environment `set` its own value");
                    return None;
                }
                _ => {
                    let entry =
                        |(key, node): &(Spanned<String>, Node)| Some((key.value.clone(), Self::read(node, scope, cx)?));
                    Self::Map(all(entries.iter().map(entry))?)
                }
            },
        })
    }
}

/// The tag before a value, such as `!Ref`, without its mark.
fn tag(node: &Node, cx: &Check<'_>) -> Option<(String, Span)> {
    let text = &cx.sources.get(node.span.source as usize)?.text;
    let start = node.span.range(text).start;
    let tagged = |word: &str| {
        word.strip_prefix('!').filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic())).map(str::to_owned)
    };
    let place = |from: usize, name: &str| Span { source: node.span.source, ..Span::new(from, from + name.len() + 1) };
    let own = text[start..].split([' ', '\n', '[', '{', ',', ']', '}']).next().and_then(tagged);
    if let Some(name) = own {
        let place = place(start, &name);
        return Some((name, place));
    }
    // Between a tag and its value stand spaces, and before a text of several lines how it is folded.
    let before = text[..start].trim_end();
    let before = before.trim_end_matches(['|', '>', '-', '+']).trim_end();
    let from = before.rfind([' ', '\n', '[', '{', ',']).map_or(0, |at| at + 1);
    let name = tagged(&before[from..])?;
    let place = place(from, &name);
    Some((name, place))
}

/// All of them, when none had a mistake; each is looked at.
fn all<T>(items: impl Iterator<Item = Option<T>>) -> Option<Vec<T>> {
    items.collect::<Vec<_>>().into_iter().collect()
}

/// The argument of `Fn::Sub`: a text, or a text with values for some of its names.
fn substituted(node: &Node, scope: &Scope<'_>, cx: &mut Check<'_>) -> Option<Raw> {
    match &node.value {
        Value::String(text) => {
            let text = Spanned::new(text.clone(), node.span);
            Some(Raw::Notation(pieces(&text, Some(&[]), scope, cx)?))
        }
        Value::List(items) => {
            let [Node { value: Value::String(text), span }, Node { value: Value::Map(entries), .. }] = items.as_slice()
            else {
                cx.error(node.span, "`Fn::Sub` takes a text, or a list of a text and a map")
                    .help("write it like `Fn::Sub: \"${AWS::StackName}-topic\"`");
                return None;
            };
            let names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
            let text = Raw::Notation(pieces(&Spanned::new(text.clone(), *span), Some(&names), scope, cx)?);
            Some(Raw::List(vec![text, Raw::read(&items[1], scope, cx)?]))
        }
        _ => cx.decode::<String>(node).map(|_| Raw::Null),
    }
}

/// The pieces of a text. In the notation of `Fn::Sub`, where some names have values of their own, all else in `${…}` is
/// CloudFormation's; in other texts pseudo parameters are filled in as well, and what else looks like a reference is refused.
fn pieces(
    text: &Spanned<String>,
    notation: Option<&[&str]>,
    scope: &Scope<'_>,
    cx: &mut Check<'_>,
) -> Option<Vec<Piece>> {
    let mut found = Vec::new();
    let mut whole = true;
    let mut begin = 0;
    let mut plain = 0;
    while let Some(at) = text[begin..].find("${").map(|at| begin + at) {
        let Some(end) = text[at..].find('}').map(|end| at + end) else { break };
        let inside = &text[at + 2..end];
        let place = Spanned::new(inside.to_owned(), within(text, at + 2, inside.len(), cx));
        begin = end + 1;
        if inside.split('.').next().is_some_and(|section| SECTIONS.contains(&section)) {
            if plain < at {
                found.push(Piece::Text(text[plain..at].to_owned()));
            }
            plain = begin;
            match reference(&place, cx) {
                Some(reference) => found.push(Piece::Reference(reference)),
                None => whole = false,
            }
        } else if notation.is_none() && inside.strip_prefix('!').is_some_and(|name| scope.fills_in(name)) {
            // As `Fn::Sub` has it: the mark goes, and what it stands before is not filled in.
            found.push(Piece::Text(format!("{}${{", &text[plain..at])));
            plain = at + 3;
        } else if let (None, Some(pseudo)) = (notation, PSEUDO.into_iter().find(|name| *name == inside)) {
            if plain < at {
                found.push(Piece::Text(text[plain..at].to_owned()));
            }
            plain = begin;
            found.push(Piece::Pseudo(pseudo));
            if matches!(inside, "AWS::NoValue" | "AWS::NotificationARNs") {
                cx.error(place.span, format!("`{inside}` is no text, so it cannot stand in one"))
                    .help(format!("write `Ref: {inside}` instead of the whole text"));
                whole = false;
            }
        } else if notation.is_none() && scope.fills_in(inside) {
            cx.error(place.span, format!("`${{{inside}}}` would stay as it is written"))
                .help(format!("`Fn::Sub` fills it in; if these characters are meant, write `${{!{inside}}}`"));
            whole = false;
        } else if let Some(names) = notation
            && !inside.starts_with('!')
            && !names.contains(&inside)
        {
            let (id, attribute) = inside.split_once('.').unwrap_or((inside, ""));
            let id = Spanned::new(id.to_owned(), place.span);
            let found = scope.target(&id, cx).is_some();
            whole &= found && (attribute.is_empty() || scope.has(&id, attribute, cx).is_some());
        }
    }
    if plain < text.len() || found.is_empty() {
        found.push(Piece::Text(text[plain..].to_owned()));
    }
    whole.then_some(found)
}

/// `jobs.features.arn`, `jobs.features.role.name`, `lake.key.arn`.
fn reference(written: &Spanned<String>, cx: &mut Check<'_>) -> Option<Reference> {
    let words: Vec<&str> = written.split('.').collect();
    let (section, name, role, attribute) = match words.as_slice() {
        ["lake", "name"] => return Some(Reference { to: Referent::Lake, arn: false }),
        ["lake", "environment"] => return Some(Reference { to: Referent::Environment, arn: false }),
        [section, name, attribute] => (*section, *name, false, *attribute),
        [section, name, "role", attribute] => (*section, *name, true, *attribute),
        ["lake", name] => {
            lake_has_no(name, written, cx);
            return None;
        }
        [_, _] => {
            let thing = &written.value;
            cx.error(written.span, format!("`${{{thing}}}` does not say whether the name or the ARN is meant"))
                .help(format!("write `${{{thing}.name}}` or `${{{thing}.arn}}`"));
            return None;
        }
        _ => {
            cx.error(written.span, format!("`${{{}}}` does not name a thing of the lake", written.value))
                .help("write it like `${jobs.features.arn}` or `${jobs.features.role.name}`");
            return None;
        }
    };
    let named = Spanned::new(name.to_owned(), written.span);
    let plain = match section {
        "lake" => match name {
            "key" => Referent::Key,
            "database" => Referent::Database,
            _ => {
                lake_has_no(name, written, cx);
                return None;
            }
        },
        "zones" => Referent::Zone(cx.zone(&named)?),
        "tables" => Referent::Table(cx.table(&named)?),
        "functions" => Referent::Function(cx.function(&named)?),
        _ => Referent::Step(cx.step_of(section, &named)?),
    };
    if !role {
        cx.mentioned.insert(plain);
    }
    let to = match (plain, role) {
        (Referent::Step(step), true) => Referent::StepRole(step),
        (Referent::Function(function), true) => Referent::FunctionRole(function),
        (_, true) => {
            cx.error(written.span, format!("`{section}.{name}` has no role")).help("steps and functions have roles");
            return None;
        }
        (Referent::Step(StepId::Query(_)), false) => {
            cx.error(written.span, "a query has no name in AWS that others could use")
                .help(format!("its role has: `${{queries.{name}.role.arn}}`"));
            return None;
        }
        (Referent::Step(StepId::Model(_)), false) if !cx.has_endpoint(name) => {
            cx.error(written.span, format!("the model `{name}` has no endpoint, and nothing else with a name"))
                .help(format!("its role has one: `${{models.{name}.role.arn}}`"));
            return None;
        }
        (plain, false) => plain,
    };
    let known: &[&str] = if to == Referent::Key { &["arn"] } else { &["name", "arn"] };
    if !known.contains(&attribute) {
        let help =
            did_you_mean(attribute, known.iter().copied()).unwrap_or_else(|| format!("it has {}", listed(known)));
        cx.error(written.span, format!("`{section}.{name}` has no `{attribute}`")).help(help);
        return None;
    }
    Some(Reference { to, arn: attribute == "arn" })
}

fn lake_has_no(name: &str, written: &Spanned<String>, cx: &mut Check<'_>) {
    cx.error(written.span, format!("the lake has no `{name}` that could be filled in")).help(
        "there are `${lake.name}`, `${lake.environment}`, `${lake.key.arn}`, `${lake.database.name}` and \
         `${lake.database.arn}`",
    );
}

/// Whether a name in `${…}` is one that is filled in somewhere: of CloudFormation's, or of a thing of the lake.
pub(crate) fn looks_like_a_name(name: &str) -> bool {
    let words: Vec<&str> = name.split('.').collect();
    let thing = SECTIONS.contains(&words[0]) && matches!(words.last(), Some(&"arn" | &"name"));
    PSEUDO.contains(&name)
        || matches!(name, "lake.name" | "lake.environment")
        || ((3..=4).contains(&words.len()) && thing)
}

impl Scope<'_> {
    /// Whether `Fn::Sub` would fill in this name.
    fn fills_in(&self, name: &str) -> bool {
        let id = name.split('.').next().unwrap_or_default();
        self.here.contains_key(id) || looks_like_a_name(name)
    }

    /// Notes a logical id that is not in the same stack.
    pub(crate) fn target(&self, id: &Spanned<String>, cx: &mut Check<'_>) -> Option<()> {
        let mut known: Vec<&str> = self.here.keys().copied().collect();
        if PSEUDO.contains(&id.as_str()) || known.contains(&id.as_str()) {
            return Some(());
        }
        known.sort_unstable();
        if let Some(there) = self.elsewhere.get(id.as_str()) {
            cx.push(
                Diagnostic::error(id.span, format!("`{}` is in another stack", id.value))
                    .related(*there, "here")
                    .help("put both into the same `stack`"),
            );
            return None;
        }
        let help = did_you_mean(id, known.into_iter().chain(PSEUDO))
            .unwrap_or_else(|| "name things of the lake like `${jobs.features.arn}`".into());
        cx.error(id.span, format!("no resource named `{}` in this stack", id.value)).help(help);
        None
    }

    /// The argument of `Fn::GetAtt`: a list of an id and an attribute, or both with a dot between them.
    fn attribute(&self, node: &Node, cx: &mut Check<'_>) -> Option<()> {
        let (id, attribute) = match &node.value {
            Value::String(text) => {
                let (id, attribute) = text.split_once('.').unwrap_or((text, ""));
                (Spanned::new(id.to_owned(), node.span), attribute.to_owned())
            }
            Value::List(items) => match items.as_slice() {
                [Node { value: Value::String(id), span }, Node { value: Value::String(attribute), .. }] => {
                    (Spanned::new(id.clone(), *span), attribute.clone())
                }
                _ => (Spanned::new(String::new(), node.span), String::new()),
            },
            _ => (Spanned::new(String::new(), node.span), String::new()),
        };
        if id.is_empty() || attribute.is_empty() {
            cx.error(node.span, "`Fn::GetAtt` takes a resource and its attribute")
                .help("write it like `Fn::GetAtt: [MyTopic, TopicArn]`");
            return None;
        }
        self.target(&id, cx)?;
        self.has(&Spanned::new(id.value, node.span), &attribute, cx)
    }

    /// Notes an attribute that the type of a resource has not.
    fn has(&self, id: &Spanned<String>, attribute: &str, cx: &mut Check<'_>) -> Option<()> {
        let Some(ty) = self.here.get(id.as_str()).copied().flatten().filter(|ty| !ty.has_attribute(attribute)) else {
            return Some(());
        };
        let known: Vec<&str> = ty.attributes().collect();
        let help = did_you_mean(attribute, known.iter().copied())
            .unwrap_or_else(|| format!("the attributes that lakegen knows: {}", listed(&known)));
        cx.error(id.span, format!("`{}` has no attribute `{attribute}`", id.value)).help(help);
        None
    }
}
