//! Source text and positions in it. This is the only module that knows the YAML crate.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;
use serde_yaml::{Budget, DuplicateKeyPolicy, Options, Spanned as YamlSpanned};

/// Largest blueprint that is read, in bytes.
pub const MAX_BYTES: usize = 32 << 20;
/// Deepest nesting of lists and maps that is read.
const MAX_DEPTH: usize = 48;

/// One text that diagnostics can point into: the blueprint, or an SQL file that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The name shown to the author, a path as they would type it.
    pub name: String,
    /// The whole text, shared by whoever points into it.
    pub text: Arc<str>,
}

/// A byte range in one of the [`Source`]s of a check run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Span {
    /// Index of the source: 0 is the blueprint.
    pub source: u32,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A range of the blueprint.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        let clamp = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { source: 0, start: clamp(start), end: clamp(end) }
    }

    /// The range as `usize`, clamped to `text` and to character boundaries.
    #[must_use]
    pub fn range(self, text: &str) -> std::ops::Range<usize> {
        let floor = |at: u32| {
            let mut at = (at as usize).min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let start = floor(self.start);
        start..floor(self.end).max(start)
    }
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Puts a place to a value.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

/// A YAML node with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What was written.
    pub value: Value,
    /// Where.
    pub span: Span,
}

impl Node {
    /// The same in JSON; of keys that are written twice the last one counts.
    #[must_use]
    pub fn json(&self) -> Json {
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(value) => (*value).into(),
            Value::Int(value) => (*value).into(),
            Value::Float(value) => (*value).into(),
            Value::String(text) => text.clone().into(),
            Value::List(items) => items.iter().map(Self::json).collect(),
            Value::Map(entries) => {
                Json::Object(entries.iter().map(|(name, node)| (name.value.clone(), node.json())).collect())
            }
        }
    }
}

/// What a YAML node holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    String(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in order, repeated keys included.
    Map(Vec<(Spanned<String>, Node)>),
}

impl Value {
    /// What the author would call it.
    #[must_use]
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::String(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

/// The key and the value of an entry of a map.
#[must_use]
pub fn entry<'a>(node: &'a Node, key: &str) -> Option<(&'a Spanned<String>, &'a Node)> {
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find(|(known, _)| known.value == key).map(|(key, value)| (key, value))
}

/// Why a text is not YAML that can be read, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// A lower-case fragment.
    pub message: String,
    /// The place of the mistake.
    pub span: Span,
    /// What to do about it.
    pub help: Option<String>,
}

/// Reads a YAML text into nodes.
///
/// Hostile input (alias bombs, deep nesting, huge files) ends in an error within bounded time and memory.
///
/// # Errors
/// The first mistake of syntax: after it nothing can be trusted.
pub fn parse(text: &str) -> Result<Node, SyntaxError> {
    if text.len() > MAX_BYTES {
        return Err(SyntaxError {
            message: format!("the blueprint has {} bytes, more than the {MAX_BYTES} that are read", text.len()),
            span: Span::default(),
            help: None,
        });
    }
    if let Some(at) = forbidden_character(text) {
        return Err(at);
    }
    if let Some(root) = middle(text).and_then(|at| halves(text, at)) {
        return Ok(root);
    }
    part(text, 0, text.len()).map_err(|error| syntax_error(text, &error))
}

/// From this size on, in bytes, a text is read in two halves side by side.
const LARGE: usize = 64 << 10;

/// Where a large text can be cut in two: before the section that begins nearest to its middle.
fn middle(text: &str) -> Option<usize> {
    let starts = || text.match_indices('\n').map(|(at, _)| at + 1);
    // Directives and documents concern what comes after them.
    let document = |at: usize| ["%", "---", "..."].iter().any(|mark| text[at..].starts_with(mark));
    if text.len() < LARGE || starts().chain([0]).any(document) {
        return None;
    }
    starts()
        .filter(|at| text[*at..].starts_with(|c: char| c.is_ascii_lowercase()))
        .min_by_key(|at| at.abs_diff(text.len() / 2))
}

/// Both halves, if each is a map by itself. A cut through quotes or brackets leaves halves that are none, and so does an alias for
/// something in the other half: then the text has to be read as a whole.
fn halves(text: &str, at: usize) -> Option<Node> {
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| part(text, 0, at));
        let second = part(text, at, text.len());
        (first.join(), second)
    });
    match (first.ok()?.ok()?, second.ok()?) {
        (Node { value: Value::Map(mut entries), span }, Node { value: Value::Map(more), span: rest }) => {
            entries.extend(more);
            Some(Node { value: Value::Map(entries), span: Span { end: rest.end, ..span } })
        }
        _ => None,
    }
}

/// A part of the text, with places in the whole.
fn part(text: &str, from: usize, to: usize) -> Result<Node, serde_yaml::Error> {
    let root: Raw = serde_yaml::from_str_with_options(&text[from..to], options())?;
    Ok(Converter { text, from }.node(root))
}

/// They make a text look other than it is read.
const BIDIRECTIONAL: [char; 9] =
    ['\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}'];

fn forbidden_character(text: &str) -> Option<SyntaxError> {
    let (at, found) = text
        .char_indices()
        .find(|(_, c)| (c.is_control() && !matches!(c, '\n' | '\r' | '\t')) || BIDIRECTIONAL.contains(c))?;
    Some(SyntaxError {
        message: format!("control character U+{:04X}", u32::from(found)),
        span: Span::new(at, at + found.len_utf8()),
        help: Some("remove it; inside double quotes it can be written as an escape".into()),
    })
}

fn options() -> Options {
    let mut budget = Budget::default();
    budget.max_depth = MAX_DEPTH;
    budget.max_nodes = 4_000_000;
    budget.max_events = 10_000_000;
    budget.max_aliases = 1_000;
    budget.max_anchors = 1_000;
    budget.max_recorded_anchor_events = 100_000;
    budget.max_documents = 1;
    budget.max_total_scalar_bytes = MAX_BYTES;
    let mut options = Options::default();
    options.budget = Some(budget);
    options.duplicate_keys = DuplicateKeyPolicy::PassThrough;
    options.strict_booleans = true;
    options
}

fn syntax_error(text: &str, error: &serde_yaml::Error) -> SyntaxError {
    let error = error.without_snippet();
    let start = error
        .location()
        .and_then(|location| location.span().byte_offset())
        .map_or(text.len(), |at| usize::try_from(at).unwrap_or(text.len()))
        .min(text.len());
    let line = text.get(..start).unwrap_or_default().rsplit('\n').next().unwrap_or_default();
    let rest = text.get(start..).unwrap_or_default();
    let tab = line.contains('\t') || rest.starts_with('\t');
    let message = error.render();
    if message.contains(TABS)
        && let Some(at) = indenting_tab(text)
    {
        return SyntaxError {
            message: "this is not YAML that can be read: a tab in the indentation".into(),
            span: Span::new(at, at + 1),
            help: Some("indent with spaces".into()),
        };
    }
    let message = message.lines().next().unwrap_or("this is not YAML").to_owned();
    let message = match strip_position(&message) {
        message if message.starts_with("budget breached: Documents") => {
            "there is more than one document (`---`)".into()
        }
        message if message.starts_with("budget breached: Depth") || message.starts_with("recursion limit") => {
            format!("it is nested more than {MAX_DEPTH} levels deep")
        }
        message if message.starts_with("budget breached") => "its anchors and aliases expand to too much".into(),
        message => message,
    };
    SyntaxError {
        message: format!("this is not YAML that can be read: {message}"),
        span: Span::new(start, (start + rest.chars().next().map_or(0, char::len_utf8)).min(text.len())),
        help: tab.then(|| "YAML is indented with spaces; replace the tab".into()),
    }
}

/// How many bytes are read at most to find a tab: some third of a second.
const MAX_PROBED: usize = 8 << 20;

/// What the YAML crate says in each of its sentences about tabs.
const TABS: &str = "tab";

/// The tab that the YAML crate stumbles over, which it reports where it notices, often at the end. Tabs in texts of several lines
/// are none of its business: the one that is meant is on the first line up to which the text cannot be read because of tabs. Where
/// finding that line would mean to read too much, it is taken to be the first with a tab.
fn indenting_tab(text: &str) -> Option<usize> {
    let mut lines = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let indentation = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line[..indentation].find('\t') {
            lines.push((start + tab, start + line.len()));
        }
        start += line.len();
    }
    let read = |&(_, end): &(usize, usize)| {
        part(text, 0, end).err().is_none_or(|error| !error.without_snippet().render().contains(TABS))
    };
    let probes = lines.len().checked_ilog2().unwrap_or(0) as usize + 1;
    let at = if text.len() * probes > MAX_PROBED { 0 } else { lines.partition_point(read) };
    lines.get(at).map(|(tab, _)| *tab)
}

/// The YAML crate begins or ends its sentence with a position that the diagnostic shows better.
fn strip_position(message: &str) -> String {
    let mut message = message.trim();
    if let Some(rest) = message.strip_prefix("error: ") {
        message = rest;
    }
    if let Some(rest) = message.strip_prefix("line ")
        && let Some((_, rest)) = rest.split_once(": ")
    {
        message = rest;
    }
    match message.find(" at line ") {
        Some(at) => message[..at].to_owned(),
        None => message.to_owned(),
    }
}

/// A node with its first byte and its length in the part that was read: the YAML crate's own places are ten times as large.
struct Raw {
    value: RawNode,
    start: u32,
    length: u32,
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let YamlSpanned { value, defined, .. } = YamlSpanned::<RawNode>::deserialize(deserializer)?;
        let span = defined.span();
        let small = |bytes: Option<u64>| bytes.and_then(|bytes| u32::try_from(bytes).ok()).unwrap_or(0);
        Ok(Self { value, start: small(span.byte_offset()), length: small(span.byte_len()) })
    }
}

/// As the YAML crate hands it over, before its locations become [`Span`]s.
enum RawNode {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    String(String),
    List(Vec<Raw>),
    Map(Vec<(Raw, Raw)>),
}

impl<'de> Deserialize<'de> for RawNode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NodeVisitor;

        impl<'de> Visitor<'de> for NodeVisitor {
            type Value = RawNode;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any YAML node")
            }
            fn visit_unit<E: de::Error>(self) -> Result<RawNode, E> {
                Ok(RawNode::Null)
            }
            fn visit_none<E: de::Error>(self) -> Result<RawNode, E> {
                Ok(RawNode::Null)
            }
            fn visit_bool<E: de::Error>(self, value: bool) -> Result<RawNode, E> {
                Ok(RawNode::Bool(value))
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<RawNode, E> {
                Ok(RawNode::Int(value))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<RawNode, E> {
                Ok(i64::try_from(value).map_or(RawNode::String(value.to_string()), RawNode::Int))
            }
            fn visit_i128<E: de::Error>(self, value: i128) -> Result<RawNode, E> {
                Ok(RawNode::String(value.to_string()))
            }
            fn visit_u128<E: de::Error>(self, value: u128) -> Result<RawNode, E> {
                Ok(RawNode::String(value.to_string()))
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<RawNode, E> {
                Ok(RawNode::Float(value))
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<RawNode, E> {
                Ok(RawNode::String(value.to_owned()))
            }
            fn visit_string<E: de::Error>(self, value: String) -> Result<RawNode, E> {
                Ok(RawNode::String(value))
            }
            fn visit_bytes<E: de::Error>(self, value: &[u8]) -> Result<RawNode, E> {
                Ok(RawNode::String(String::from_utf8_lossy(value).into_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawNode, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(RawNode::List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawNode, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(RawNode::Map(entries))
            }
        }
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct Converter<'a> {
    text: &'a str,
    /// Where the part begins that was read.
    from: usize,
}

impl Converter<'_> {
    fn node(&self, raw: Raw) -> Node {
        let start = self.from + raw.start as usize;
        let mut end = (start + raw.length as usize).min(self.text.len());
        let value = match raw.value {
            RawNode::Null => Value::Null,
            RawNode::Bool(value) => Value::Bool(value),
            RawNode::Int(value) => Value::Int(value),
            RawNode::Float(value) => Value::Float(value),
            RawNode::String(value) => Value::String(value),
            RawNode::List(items) => Value::List(items.into_iter().map(|item| self.node(item)).collect()),
            RawNode::Map(entries) => Value::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| {
                        let Node { value: key, span } = self.node(key);
                        (Spanned::new(self.key_text(key, span), span), self.node(value))
                    })
                    .collect(),
            ),
        };
        if end <= start {
            end = (start + 1).min(self.text.len());
        }
        Node { value, span: Span::new(start, end) }
    }

    fn key_text(&self, key: Value, span: Span) -> String {
        match key {
            Value::String(text) => text,
            _ => self.text[span.range(self.text)].to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<(String, &str)> {
        fn walk<'a>(node: &Node, text: &'a str, out: &mut Vec<(String, &'a str)>) {
            match &node.value {
                Value::Map(entries) => {
                    for (key, value) in entries {
                        out.push((format!("key {}", key.value), &text[key.span.range(text)]));
                        walk(value, text, out);
                    }
                }
                Value::List(items) => items.iter().for_each(|item| walk(item, text, out)),
                other => out.push((format!("{other:?}"), &text[node.span.range(text)])),
            }
        }
        let mut out = Vec::new();
        walk(&parse(text).unwrap(), text, &mut out);
        out
    }

    #[test]
    fn a_tab_is_shown_where_it_is_and_in_a_very_large_text_the_first_one() {
        let tab = |text: &str| {
            let error = parse(text).unwrap_err();
            assert_eq!(error.help.as_deref(), Some("indent with spaces"));
            error.span.start as usize
        };
        let text = "a: |\n  in a text\n  \tof several lines\nb:\n\tc: 1\n";
        assert_eq!(tab(text), text.find("\tc").unwrap());
        let large = "a: |\n  \tin a text\n".to_owned() + &"  \tof many lines\n".repeat(60_000) + "b:\n\tc: 1\n";
        assert_eq!(tab(&large), large.find('\t').unwrap(), "reading up to each of its lines takes too long");
    }

    #[test]
    fn spans_are_exactly_the_words() {
        let text = "zürich: { a: 1, \"b\": 'x y' }\nlist: [ one, 2.5, true, ~ ]\nno: on\n";
        let found = words(text);
        let expected = [
            ("key zürich", "zürich"),
            ("key a", "a"),
            ("Int(1)", "1"),
            ("key b", "\"b\""),
            ("String(\"x y\")", "'x y'"),
            ("key list", "list"),
            ("String(\"one\")", "one"),
            ("Float(2.5)", "2.5"),
            ("Bool(true)", "true"),
            ("Null", "~"),
            ("key no", "no"),
            ("String(\"on\")", "on"),
        ];
        let found: Vec<_> = found.iter().map(|(a, b)| (a.as_str(), *b)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn repeated_keys_reach_the_reader() {
        let Value::Map(entries) = parse("a: 1\na: 2\n").unwrap().value else { panic!("a map") };
        assert_eq!(entries.len(), 2);
    }

    #[test]
    fn block_text_keeps_its_lines() {
        let text = "sql: |\n  select 1\n  from t\n";
        let Value::Map(entries) = parse(text).unwrap().value else { panic!("a map") };
        assert_eq!(entries[0].1.value, Value::String("select 1\nfrom t\n".into()));
        assert_eq!(&text[entries[0].1.span.range(text)][..8], "select 1", "the span begins with the text itself");
    }

    /// Sections of some size, so that the text is cut between `second` and what is before it.
    fn large(first: &str, second: &str) -> String {
        let section = |name: &str| -> String {
            let lines: String = (0..2_000).map(|n| format!("  {name}_{n}: {{ é: [{n}, \"x\"] }}\n")).collect();
            format!("{name}:\n{lines}")
        };
        format!("{first}{}{second}{}", section("a"), section("b"))
    }

    #[test]
    fn a_large_text_is_read_in_halves_as_it_is_as_a_whole() {
        let text = large("", "\n# between\nonly: |\n  text: x\nonly: 2\n");
        let at = middle(&text).unwrap();
        assert!(text[at..].starts_with("only: "), "{}", &text[at..at + 20]);
        let whole = part(&text, 0, text.len()).unwrap();
        let in_halves = halves(&text, at).unwrap();
        assert_eq!(in_halves.value, whole.value, "values and their places");
        assert_eq!(parse(&text).unwrap().value, whole.value);
    }

    #[test]
    fn what_reaches_over_the_middle_is_read_as_a_whole() {
        for (first, second) in [
            ("x: &x 1\n", "y: *x\n"),
            ("", "quoted: \"begins\n\nkey: and ends\"\n"),
            ("", "quoted: 'begins\n\nkey: and ends'\n"),
            ("", "flow: [1,\nkey: 2]\n"),
            ("%YAML 1.2\n---\n", ""),
        ] {
            let text = large(first, second);
            let whole = part(&text, 0, text.len());
            match parse(&text) {
                Ok(node) => assert_eq!(node.value, whole.unwrap().value, "{first}{second}"),
                Err(_) => assert!(whole.is_err(), "{first}{second}"),
            }
        }
        let broken = large("", "a: [1\n");
        assert_eq!(parse(&broken).unwrap_err(), syntax_error(&broken, &part(&broken, 0, broken.len()).unwrap_err()));
    }

    #[test]
    fn hostile_texts_end_in_errors() {
        let bomb = {
            let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
            for level in 1..12 {
                let refs = vec![format!("*a{}", level - 1); 10].join(",");
                text.push_str(&format!("a{level}: &a{level} [{refs}]\n"));
            }
            text
        };
        for (name, text) in [
            ("alias bomb", bomb),
            ("deep flow", "[".repeat(100_000)),
            ("deep block", (0..5_000).map(|n| format!("{}a:\n", " ".repeat(n))).collect()),
            ("tab", "a:\n\t- b\n".into()),
            ("control", "a: \u{1}\n".into()),
            ("bidirectional", "a: x\u{202e}y\n".into()),
            ("truncated", "a: { b: [1, 2".into()),
            ("unknown alias", "a: *b\n".into()),
            ("two documents", "a: 1\n---\nb: 2\n".into()),
        ] {
            let error = parse(&text).expect_err(name);
            assert!(error.span.range(&text).end <= text.len(), "{name}");
        }
    }
}
