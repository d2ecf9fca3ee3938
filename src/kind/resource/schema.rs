//! What CloudFormation's resource types take: the names of properties and the sorts of their values, from a table of AWS's own schemas
//! that `schemas.py` writes. CloudFormation finds such mistakes when a stack is under way; here they are found with their place.

use std::io::Read;
use std::sync::LazyLock;

use flate2::read::ZlibDecoder;

use crate::check::Check;
use crate::diagnostic::{Diagnostic, did_you_mean, listed, nearest};
use crate::source::{Node, Span, Spanned, Value};

/// The table; `schemas.py` says how it is written.
static TABLE: LazyLock<String> = LazyLock::new(|| {
    let mut text = String::from("\n");
    let packed: &[u8] = include_bytes!("schemas.deflate");
    // A table that cannot be read would be found by the tests; then nothing is known, and nothing refused.
    let _ = ZlibDecoder::new(packed).read_to_string(&mut text);
    text
});

/// A type of CloudFormation's.
#[derive(Clone, Copy)]
pub(crate) struct Type {
    name: &'static str,
    shape: &'static str,
    attributes: &'static str,
    /// The lines of its definitions, and of all that comes after them.
    definitions: &'static str,
}

/// What a value may be.
enum Shape {
    Anything,
    /// Text, and of which words when it is not any.
    Text(Vec<&'static str>),
    Whole,
    Number,
    Truth,
    List(Box<Shape>),
    /// A map from any names.
    Names(Box<Shape>),
    /// These keys; whether each must be there.
    Keys(Vec<(&'static str, bool, Shape)>),
    Definition(&'static str),
}

/// The names of all types.
pub(crate) fn types() -> impl Iterator<Item = &'static str> {
    TABLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(' ').next())
        .filter(|n| !n.is_empty())
}

/// The type of that name.
pub(crate) fn find(name: &str) -> Option<Type> {
    let at = TABLE.find(&format!("\n{name} "))?;
    let (line, definitions) = TABLE[at + 1..].split_once('\n')?;
    let mut words = line.split(' ');
    Some(Type { name: words.next()?, shape: words.next()?, attributes: words.next()?, definitions })
}

/// Whether a map is a function of CloudFormation's, whose value nobody knows yet.
fn is_function(entries: &[(Spanned<String>, Node)]) -> bool {
    entries.iter().any(|(key, _)| key.value == "Ref" || key.value.starts_with("Fn::"))
}

impl Type {
    /// The names of its properties.
    pub(crate) fn properties(self) -> Vec<&'static str> {
        match read(&mut { self.shape }) {
            Shape::Keys(keys) => keys.into_iter().map(|(name, ..)| name).collect(),
            _ => Vec::new(),
        }
    }

    /// What `Fn::GetAtt` may ask it for.
    pub(crate) fn attributes(self) -> impl Iterator<Item = &'static str> {
        self.attributes.split(',').filter(|name| *name != "-")
    }

    /// Whether `Fn::GetAtt` may ask for it. Outputs of stacks and what custom resources answer are not in the table.
    pub(crate) fn has_attribute(self, name: &str) -> bool {
        let open = ["AWS::CloudFormation::Stack", "AWS::CloudFormation::CustomResource"].contains(&self.name);
        open || self.attributes().chain(self.properties()).any(|known| known == name)
    }

    /// Checks properties against what the type takes. Those of a `whole` resource must hold what it needs; others are merged into
    /// what is there.
    pub(crate) fn check(self, properties: &Node, owner: Span, whole: bool, cx: &mut Check<'_>) {
        let visit = Visit { ty: self, whole, place: owner, path: String::new() };
        visit.value(&read(&mut { self.shape }), properties, cx);
    }

    fn definition(self, name: &str) -> Shape {
        let lines = self.definitions.lines().take_while(|line| line.starts_with('#'));
        let found = lines.filter_map(|line| line[1..].split_once(' ')).find(|(known, _)| *known == name);
        found.map_or(Shape::Anything, |(_, shape)| read(&mut { shape }))
    }
}

/// Reads one shape from the beginning of a text, and leaves what comes after it.
fn read(text: &mut &'static str) -> Shape {
    let mut letters = text.chars();
    let first = letters.next();
    *text = letters.as_str();
    match first {
        Some('s') => match text.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
            Some((words, rest)) => {
                *text = rest;
                Shape::Text(words.split('|').collect())
            }
            None => Shape::Text(Vec::new()),
        },
        Some('i') => Shape::Whole,
        Some('n') => Shape::Number,
        Some('b') => Shape::Truth,
        Some('[') => Shape::List(Box::new(read(text))),
        Some('<') => Shape::Names(Box::new(read(text))),
        Some('@') => Shape::Definition(until(text, &[',', '}'])),
        Some('{') => {
            let mut keys = Vec::new();
            while !text.starts_with('}') && !text.is_empty() {
                let name = until(text, &[':']);
                *text = text.get(1..).unwrap_or_default();
                let shape = read(text);
                keys.push((name.trim_end_matches('!'), name.ends_with('!'), shape));
                *text = text.strip_prefix(',').unwrap_or(text);
            }
            *text = text.get(1..).unwrap_or_default();
            Shape::Keys(keys)
        }
        _ => Shape::Anything,
    }
}

fn until(text: &mut &'static str, ends: &[char]) -> &'static str {
    let (word, rest) = text.split_at(text.find(ends).unwrap_or(text.len()));
    *text = rest;
    word
}

/// Where in the properties of a resource one is.
struct Visit {
    ty: Type,
    whole: bool,
    /// What is pointed at when something is missing.
    place: Span,
    /// The names on the way here, with dots between them.
    path: String,
}

impl Visit {
    fn value(&self, shape: &Shape, node: &Node, cx: &mut Check<'_>) {
        let filled_in = |text: &str| text.contains("${");
        match (shape, &node.value) {
            // To CloudFormation a property without a value is not there.
            (Shape::Anything, _) | (_, Value::Null) => {}
            (_, Value::Map(entries)) if is_function(entries) => {}
            (Shape::Definition(name), _) => self.value(&self.ty.definition(name), node, cx),
            (Shape::List(item), Value::List(items)) => {
                // What is in a list is not merged.
                let inside = Visit { whole: true, place: node.span, path: self.path.clone(), ty: self.ty };
                for one in items {
                    Visit { place: one.span, path: inside.path.clone(), ..inside }.value(item, one, cx);
                }
            }
            (Shape::Names(each), Value::Map(entries)) => {
                entries.iter().for_each(|(name, node)| self.under(name).value(each, node, cx));
            }
            (Shape::Keys(keys), Value::Map(entries)) => self.keys(keys, entries, cx),
            (Shape::Text(words), Value::String(text)) if !words.is_empty() && !filled_in(text) => {
                self.word(words, text, node.span, cx);
            }
            (Shape::Text(_), Value::String(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_)) => {}
            (Shape::Whole, Value::Int(_)) | (Shape::Number, Value::Int(_) | Value::Float(_)) => {}
            (Shape::Truth, Value::Bool(_)) => {}
            // CloudFormation reads numbers and truth values from texts, too.
            (Shape::Whole, Value::String(text)) if filled_in(text) || text.parse::<i64>().is_ok() => {}
            (Shape::Number, Value::String(text)) if filled_in(text) || text.parse::<f64>().is_ok() => {}
            (Shape::Truth, Value::String(text)) if filled_in(text) || matches!(text.as_str(), "true" | "false") => {}
            (Shape::Text(_), _) => self.expected("text", node, cx),
            (Shape::Whole, _) => self.expected("a whole number", node, cx),
            (Shape::Number, _) => self.expected("a number", node, cx),
            (Shape::Truth, _) => self.expected("true or false", node, cx),
            (Shape::List(_), _) => self.expected("a list", node, cx),
            (Shape::Names(_) | Shape::Keys(_), _) => self.expected("a map", node, cx),
        }
    }

    fn under(&self, name: &Spanned<String>) -> Self {
        let path = if self.path.is_empty() { name.value.clone() } else { format!("{}.{}", self.path, name.value) };
        Self { ty: self.ty, whole: self.whole, place: name.span, path }
    }

    fn expected(&self, what: &str, node: &Node, cx: &mut Check<'_>) {
        let noun = node.value.noun();
        let message = format!("`{}` of `{}` is {what}, and here is {noun}", self.path, self.ty.name);
        cx.error(node.span, message).help("its page in the CloudFormation template reference says what it takes");
    }

    fn word(&self, words: &[&'static str], text: &str, span: Span, cx: &mut Check<'_>) {
        if words.contains(&text) {
            return;
        }
        let message = format!("`{}` of `{}` is not `{text}`", self.path, self.ty.name);
        match did_you_mean(text, words.iter().copied()) {
            Some(help) => cx.error(span, message).help(help),
            // AWS adds words now and then.
            None => cx.push(Diagnostic::warning(span, message)).help(format!("lakegen knows {}", listed(words))),
        };
    }

    fn keys(&self, keys: &[(&'static str, bool, Shape)], entries: &[(Spanned<String>, Node)], cx: &mut Check<'_>) {
        let owner = match self.path.is_empty() {
            true => format!("`{}`", self.ty.name),
            false => format!("`{}` of `{}`", self.path, self.ty.name),
        };
        let mut meant = Vec::new();
        for (name, node) in entries {
            if let Some((_, _, shape)) = keys.iter().find(|(known, ..)| *known == name.value) {
                self.under(name).value(shape, node, cx);
                continue;
            }
            let unused = keys.iter().map(|(known, ..)| *known);
            let unused = unused.filter(|known| entries.iter().all(|(name, _)| name.value != *known));
            let near = nearest(name, unused);
            meant.extend(near);
            let message = format!("{owner} has no property `{}`", name.value);
            match near {
                Some(near) => cx.error(name.span, message).help(format!("did you mean `{near}`?")),
                // What lakegen makes itself it knows exactly; to other types AWS adds properties every week.
                None if !self.whole => cx.error(name.span, message).help(self.known(keys)),
                None => cx.push(Diagnostic::warning(name.span, message)).help(self.known(keys)),
            };
        }
        for (name, _, _) in keys.iter().filter(|(name, required, _)| *required && self.whole && !meant.contains(name)) {
            if entries.iter().all(|(key, _)| key.value != *name) {
                cx.error(self.place, format!("{owner} needs the property `{name}`"));
            }
        }
    }

    fn known(&self, keys: &[(&'static str, bool, Shape)]) -> String {
        match keys.len() {
            0..=12 => format!("lakegen knows {}", listed(&keys.iter().map(|(name, ..)| *name).collect::<Vec<_>>())),
            _ => format!("the documentation of {} lists its properties", self.ty.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read_to_its_end() {
        let mut seen = 0;
        for line in TABLE.lines().filter(|line| !line.is_empty()) {
            let mut shape = line.split(' ').nth(1).unwrap();
            assert!(!matches!(read(&mut shape), Shape::Anything) || line.contains(" *"), "{line}");
            assert_eq!(shape, "", "{line}");
            seen += 1;
        }
        assert!(seen > 15_000, "{seen} lines");
    }

    #[test]
    fn types_have_their_properties_and_attributes() {
        let topic = find("AWS::SNS::Topic").unwrap();
        assert!(topic.properties().contains(&"KmsMasterKeyId"));
        assert_eq!(topic.attributes().collect::<Vec<_>>(), ["TopicArn"]);
        assert!(find("AWS::SNS::Topi").is_none());
        assert!(types().any(|name| name == "AWS::Glue::Job"));
    }
}
