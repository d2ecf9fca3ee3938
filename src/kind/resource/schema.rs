//! What CloudFormation's resource types take: the names of properties and the sorts of their values, from a table of AWS's own schemas
//! that `schemas.py` writes. CloudFormation finds such mistakes when a stack is under way; here they are found with their place.

use std::io::Read;
use std::sync::LazyLock;

use flate2::read::ZlibDecoder;
use indexmap::IndexMap;
use regex_lite::Regex;

use crate::check::Check;
use crate::diagnostic::{Diagnostic, did_you_mean, listed, nearest};
use crate::kind::resource::policy;
use crate::kind::resource::rules::{self, Together};
use crate::source::{Node, Span, Spanned, Value};
use crate::text::printable;

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
    Text(Limits),
    Whole(Limits),
    Number(Limits),
    Truth,
    /// So many of them.
    List(Limits, Box<Shape>),
    /// A map from any names.
    Names(Box<Shape>),
    /// These keys; whether each must be there, and what they mean for each other.
    Keys(Vec<(&'static str, bool, Shape)>, Vec<Rule>),
    Definition(&'static str),
}

/// What keys mean for each other.
enum Rule {
    /// Exactly one of them is there.
    One(Vec<&'static str>),
    /// At least one is.
    Some(Vec<&'static str>),
    /// Beside the first there is none of the others.
    Without(Vec<&'static str>),
    /// Beside the first there are all others.
    With(Vec<&'static str>),
}

/// What a text, a number or a list is held to.
#[derive(Default)]
struct Limits {
    /// Which it may be; none, when it is not one of some.
    words: Vec<&'static str>,
    /// The shortest text, the smallest number, the fewest items.
    least: Option<f64>,
    /// The longest text, the largest number, the most items.
    most: Option<f64>,
    /// What a text looks like: a pattern's number in the table.
    pattern: Option<usize>,
}

/// The types by name, so that thousands of resources do not each search the whole table.
static TYPES: LazyLock<IndexMap<&str, Type>> = LazyLock::new(|| {
    let mut types = IndexMap::new();
    let mut rest = TABLE.as_str();
    while let Some((line, definitions)) = rest.split_once('\n') {
        rest = definitions;
        let mut words = line.split(' ').filter(|_| !line.starts_with(['#', '/']));
        if let (Some(name), Some(shape), Some(attributes)) = (words.next(), words.next(), words.next()) {
            types.insert(name, Type { name, shape, attributes, definitions });
        }
    }
    types
});

/// The names of all types.
pub(crate) fn types() -> impl Iterator<Item = &'static str> {
    TYPES.keys().copied()
}

/// The type of that name.
pub(crate) fn find(name: &str) -> Option<Type> {
    TYPES.get(name).copied()
}

/// The entry of that name.
fn at<'a>(entries: &'a [(Spanned<String>, Node)], name: &str) -> Option<&'a (Spanned<String>, Node)> {
    entries.iter().find(|(key, _)| key.value == name)
}

/// Whether a map is a function of CloudFormation's, whose value nobody knows yet.
pub(super) fn is_function(entries: &[(Spanned<String>, Node)]) -> bool {
    entries.iter().any(|(key, _)| key.value == "Ref" || key.value.starts_with("Fn::"))
}

impl Type {
    /// The names of its properties.
    pub(crate) fn properties(self) -> Vec<&'static str> {
        match read(&mut { self.shape }) {
            Shape::Keys(keys, _) => keys.into_iter().map(|(name, ..)| name).collect(),
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
        Some('s') => Shape::Text(limits(text)),
        Some('i') => Shape::Whole(limits(text)),
        Some('n') => Shape::Number(limits(text)),
        Some('b') => Shape::Truth,
        Some('[') => {
            let mut limits = Limits::default();
            if let Some(rest) = text.strip_prefix('#') {
                *text = rest;
                limits.least = until(text, &['#']).parse().ok();
                *text = text.get(1..).unwrap_or_default();
                limits.most = until(text, &SHAPES).parse().ok();
            }
            Shape::List(limits, Box::new(read(text)))
        }
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
            Shape::Keys(keys, rules(text))
        }
        _ => Shape::Anything,
    }
}

/// How shapes begin.
const SHAPES: [char; 9] = ['*', 's', 'i', 'n', 'b', '[', '<', '@', '{'];
/// How rules begin.
const RULES: [char; 4] = ['^', '+', '-', '>'];

fn rules(text: &mut &'static str) -> Vec<Rule> {
    let mut rules = Vec::new();
    while let Some(sign) = text.chars().next().filter(|sign| RULES.contains(sign)) {
        *text = text.get(1..).unwrap_or_default();
        let names = until(text, &['^', '+', '-', '>', ',', '}']).split('|').collect();
        rules.push(match sign {
            '^' => Rule::One(names),
            '+' => Rule::Some(names),
            '-' => Rule::Without(names),
            _ => Rule::With(names),
        });
    }
    rules
}

fn limits(text: &mut &'static str) -> Limits {
    let mut limits = Limits::default();
    if let Some((words, rest)) = text.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        limits.words = words.split('|').collect();
        *text = rest;
    }
    if let Some(rest) = text.strip_prefix('#') {
        *text = rest;
        limits.least = until(text, &['#']).parse().ok();
        *text = text.get(1..).unwrap_or_default();
        limits.most = until(text, &['~', ',', '}']).parse().ok();
    }
    if let Some(rest) = text.strip_prefix('~') {
        *text = rest;
        limits.pattern = until(text, &[',', '}']).parse().ok();
    }
    limits
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
            (Shape::List(limits, item), Value::List(items)) => {
                self.items(limits, items, node.span, cx);
                // What is in a list is not merged.
                let inside = Visit { whole: true, place: node.span, path: self.path.clone(), ty: self.ty };
                for one in items {
                    Visit { place: one.span, path: inside.path.clone(), ..inside }.value(item, one, cx);
                }
            }
            (Shape::Names(each), Value::Map(entries)) => {
                entries.iter().for_each(|(name, node)| self.under(name).value(each, node, cx));
            }
            (Shape::Keys(keys, rules), Value::Map(entries)) => {
                self.keys(keys, entries, cx);
                for rule in rules {
                    self.rule(rule, entries, cx);
                }
            }
            (Shape::Text(_) | Shape::Whole(_) | Shape::Number(_) | Shape::Truth, Value::String(text))
                if filled_in(text) => {}
            (Shape::Text(limits), Value::String(text)) => self.text(limits, text, node.span, cx),
            (Shape::Text(_), Value::Int(_) | Value::Float(_) | Value::Bool(_)) | (Shape::Truth, Value::Bool(_)) => {}
            (Shape::Whole(limits) | Shape::Number(limits), Value::Int(number)) => {
                self.number(limits, &number.to_string(), node.span, cx);
            }
            (Shape::Number(limits), Value::Float(number)) => self.number(limits, &number.to_string(), node.span, cx),
            // CloudFormation reads numbers and truth values from texts, too.
            (Shape::Whole(limits), Value::String(text)) if text.parse::<i64>().is_ok() => {
                self.number(limits, text, node.span, cx);
            }
            (Shape::Number(limits), Value::String(text)) if text.parse::<f64>().is_ok() => {
                self.number(limits, text, node.span, cx);
            }
            (Shape::Truth, Value::String(text)) if matches!(text.as_str(), "true" | "false") => {}
            (Shape::Text(_), _) => self.expected("text", node, cx),
            (Shape::Whole(_), _) => self.expected("a whole number", node, cx),
            (Shape::Number(_), _) => self.expected("a number", node, cx),
            (Shape::Truth, _) => self.expected("true or false", node, cx),
            (Shape::List(..), _) => self.expected("a list", node, cx),
            (Shape::Names(_) | Shape::Keys(..), _) => self.expected("a map", node, cx),
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

    fn text(&self, limits: &Limits, text: &str, span: Span, cx: &mut Check<'_>) {
        let Limits { words, least, most, pattern } = limits;
        if let Some((message, help)) = rules::text(self.ty.name, &self.path, text) {
            cx.error(span, message).help(help);
            return;
        }
        if !words.is_empty() {
            self.word(words, text, span, cx);
        }
        #[allow(clippy::cast_precision_loss, reason = "no text is so long")]
        let length = text.chars().count() as f64;
        if least.is_some_and(|least| length < least) || most.is_some_and(|most| length > most) {
            let range = between(*least, *most);
            cx.error(span, format!("`{}` of `{}` has {range} characters, not {length}", self.path, self.ty.name));
        } else if let Some(pattern) = pattern.and_then(pattern_of)
            && Regex::new(pattern).is_ok_and(|regex| !regex.is_match(text))
        {
            let message = format!("`{}` of `{}` cannot be `{}`", self.path, self.ty.name, printable(text, &[]));
            cx.error(span, message).help(format!("AWS holds it to `{pattern}`"));
        }
    }

    fn number(&self, limits: &Limits, written: &str, span: Span, cx: &mut Check<'_>) {
        let Limits { words, least, most, pattern: _ } = limits;
        let (lower, upper) = rules::range(self.ty.name, &self.path);
        let (least, most) = (lower.or(*least), upper.or(*most));
        let number: f64 = written.parse().unwrap_or_default();
        if !words.is_empty() && !words.contains(&written) {
            let message = format!("`{}` of `{}` is not {written}", self.path, self.ty.name);
            cx.error(span, message).help(format!("it is one of {}", listed(words)));
        } else if least.is_some_and(|least| number < least) || most.is_some_and(|most| number > most) {
            let range = between(least, most);
            cx.error(span, format!("`{}` of `{}` is {range}, not {written}", self.path, self.ty.name));
        }
    }

    fn items(&self, limits: &Limits, items: &[Node], span: Span, cx: &mut Check<'_>) {
        let Limits { least, most, .. } = limits;
        #[allow(clippy::cast_precision_loss, reason = "no list is so long")]
        let count = items.len() as f64;
        // A function may stand for many items, or for none.
        let known = items.iter().all(|item| !matches!(&item.value, Value::Map(entries) if is_function(entries)));
        if least.is_some_and(|least| known && count < least) || most.is_some_and(|most| known && count > most) {
            let range = between(*least, *most);
            cx.error(span, format!("`{}` of `{}` has {range} items, not {count}", self.path, self.ty.name));
        }
    }

    /// Whether keys are together that must be, and none that must not.
    fn rule(&self, rule: &Rule, entries: &[(Spanned<String>, Node)], cx: &mut Check<'_>) {
        let find = |name: &&str| entries.iter().find(|(key, node)| key.value == **name && node.value != Value::Null);
        let (Rule::One(names) | Rule::Some(names) | Rule::Without(names) | Rule::With(names)) = rule;
        let written: Vec<_> = names.iter().filter_map(find).collect();
        let sure: Vec<_> = written.iter().filter(|(_, node)| !may_go(node)).collect();
        let owner = self.owner();
        match rule {
            Rule::One(names) | Rule::Some(names) if written.is_empty() && self.whole => {
                let choice = if matches!(rule, Rule::One(_)) { "one" } else { "at least one" };
                cx.error(self.place, format!("{owner} needs {choice} of {}", listed(names)));
            }
            Rule::One(names) => {
                if let [first, second, ..] = sure.as_slice() {
                    cx.error(second.0.span, format!("{owner} takes one of {}, and here are more", listed(names)))
                        .related(first.0.span, "the first");
                }
            }
            Rule::Without(names) => {
                if let [first, second, ..] = sure.as_slice()
                    && names.first().is_some_and(|name| first.0.value == *name)
                {
                    let message = format!("{owner} takes `{}` or `{}`, not both", first.0.value, second.0.value);
                    cx.error(second.0.span, message).related(first.0.span, "the other");
                }
            }
            Rule::With(names) => {
                let Some((first, _)) = sure.first().filter(|(key, _)| names.first() == Some(&key.as_str())) else {
                    return;
                };
                let missing = names.iter().filter(|name| find(name).is_none());
                for name in missing.filter(|_| self.whole) {
                    cx.error(first.span, format!("beside `{}` {owner} needs `{name}`", first.value));
                }
            }
            Rule::Some(_) => {}
        }
    }

    fn owner(&self) -> String {
        match self.path.is_empty() {
            true => format!("`{}`", self.ty.name),
            false => format!("`{}` of `{}`", self.path, self.ty.name),
        }
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
        let owner = self.owner();
        let mut meant = Vec::new();
        for (name, node) in entries {
            policy::check(self.ty.name, name, node, self.whole, cx);
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
        let Self { ty, path, whole, place } = self;
        Together { ty: ty.name, path, entries, whole: *whole, owner: *place }.check(cx);
        let taken = |name: &str| at(entries, name).filter(|(_, node)| node.value == Value::Null && !self.whole);
        for (key, _) in keys.iter().filter_map(|(name, required, _)| taken(name).filter(|_| *required)) {
            cx.error(key.span, format!("{owner} needs `{}`, which cannot be taken away", key.value));
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

/// Whether a condition of CloudFormation's may take a property away.
fn may_go(node: &Node) -> bool {
    let Value::Map(entries) = &node.value else { return false };
    let nothing = |node: &Node| matches!(&node.value, Value::String(text) if text == "AWS::NoValue");
    entries.iter().any(|(key, node)| key.value == "Fn::If" || (key.value == "Ref" && nothing(node)))
}

/// `1 to 64`, `at least 1`, `at most 64`.
fn between(least: Option<f64>, most: Option<f64>) -> String {
    match (least, most) {
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (Some(least), None) => format!("at least {least}"),
        (None, Some(most)) => format!("at most {most}"),
        (None, None) => "any".into(),
    }
}

/// The pattern of that number.
fn pattern_of(number: usize) -> Option<&'static str> {
    static PATTERNS: LazyLock<Vec<&str>> =
        LazyLock::new(|| TABLE.lines().filter_map(|line| line.strip_prefix('/')).collect());
    PATTERNS.get(number).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read_to_its_end() {
        let mut seen = 0;
        for line in TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('/')) {
            let mut shape = line.split(' ').nth(1).unwrap();
            assert!(!matches!(read(&mut shape), Shape::Anything) || line.contains(" *"), "{line}");
            assert_eq!(shape, "", "{line}");
            seen += 1;
        }
        assert!(seen > 15_000, "{seen} lines");
    }

    #[test]
    fn most_patterns_are_understood() {
        let patterns: Vec<_> = (0..).map_while(pattern_of).collect();
        let read = patterns.iter().filter(|pattern| Regex::new(pattern).is_ok()).count();
        // The others have classes of Unicode, which this engine does not know.
        assert!(patterns.len() > 2_000 && read * 10 > patterns.len() * 8, "{read} of {}", patterns.len());
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
