//! The tree of a workflow as YAML text, with comments; GitHub reads YAML 1.2.

use std::fmt::Write;

/// A value of a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// Text, quoted where it must be.
    Text(String),
    /// Text of several lines, kept as they are.
    Lines(String),
    /// A whole number.
    Number(u32),
    /// True or false.
    Bool(bool),
    /// Keys with their values, in this order.
    Map(Vec<Entry>),
    /// A list.
    List(Vec<Node>),
}

/// A key with its value, and a comment behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Node,
    /// Why; behind the value, on its line.
    pub comment: Option<String>,
}

impl Entry {
    /// A key with its value.
    pub fn new(key: impl Into<String>, value: impl Into<Node>) -> Self {
        Self { key: key.into(), value: value.into(), comment: None }
    }

    /// Adds a comment. Only single values are followed by one.
    #[must_use]
    pub fn comment(self, comment: impl Into<String>) -> Self {
        Self { comment: Some(comment.into()), ..self }
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Node {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Node {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u32> for Node {
    fn from(value: u32) -> Self {
        Self::Number(value)
    }
}

impl From<Vec<Entry>> for Node {
    fn from(entries: Vec<Entry>) -> Self {
        Self::Map(entries)
    }
}

impl<T: Into<Node>> FromIterator<T> for Node {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

/// The entries as a document. Those at the top are set apart by empty lines where they hold more than one line.
#[must_use]
pub fn document(entries: &[Entry]) -> String {
    let mut out = String::new();
    for (at, entry) in entries.iter().enumerate() {
        if at > 0 {
            out.push('\n');
        }
        write_entry(entry, 0, &mut out);
    }
    out
}

fn write_entry(entry: &Entry, depth: usize, out: &mut String) {
    out.push_str(&scalar(&entry.key));
    out.push(':');
    match &entry.value {
        Node::Map(entries) if !entries.is_empty() => {
            out.push('\n');
            for entry in entries {
                indent(depth + 1, out);
                write_entry(entry, depth + 1, out);
            }
        }
        Node::List(items) if !items.is_empty() => {
            out.push('\n');
            items.iter().for_each(|item| write_item(item, depth + 1, out));
        }
        Node::Lines(text) => {
            out.push_str(" |\n");
            write_lines(text, depth + 1, out);
        }
        single => {
            let _ = write!(out, " {}", inline(single));
            if let Some(comment) = &entry.comment {
                let _ = write!(out, " # {comment}");
            }
            out.push('\n');
        }
    }
}

fn write_item(item: &Node, depth: usize, out: &mut String) {
    indent(depth, out);
    out.push_str("- ");
    match item {
        Node::Map(entries) if !entries.is_empty() => {
            for (at, entry) in entries.iter().enumerate() {
                if at > 0 {
                    indent(depth + 1, out);
                }
                write_entry(entry, depth + 1, out);
            }
        }
        single => {
            out.push_str(&inline(single));
            out.push('\n');
        }
    }
}

fn write_lines(text: &str, depth: usize, out: &mut String) {
    for line in text.lines() {
        if !line.is_empty() {
            indent(depth, out);
            out.push_str(line);
        }
        out.push('\n');
    }
}

/// What stands on one line.
fn inline(node: &Node) -> String {
    match node {
        Node::Text(text) | Node::Lines(text) => scalar(text),
        Node::Number(number) => number.to_string(),
        Node::Bool(value) => value.to_string(),
        Node::Map(entries) => {
            let pairs = entries.iter().map(|entry| format!("{}: {}", quoted(&entry.key), flow(&entry.value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        Node::List(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
    }
}

/// What stands between brackets, where more letters have a meaning.
fn flow(node: &Node) -> String {
    match node {
        Node::Text(text) | Node::Lines(text) => quoted(text),
        other => inline(other),
    }
}

/// Text, in quotes unless every reader takes it for that text without.
fn scalar(text: &str) -> String {
    let first = text.chars().next();
    let begins = first.is_some_and(|c| c.is_ascii_alphabetic() || c == '$' || c == '/' || c == '.');
    let word = !["true", "false", "null", "yes", "no"].contains(&text.to_lowercase().as_str());
    let plain = text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) && !text.ends_with([' ', ':']);
    if begins && word && plain && !text.contains(": ") && !text.contains(" #") && !text.starts_with("..") {
        return text.to_owned();
    }
    quoted(text)
}

/// Text in double quotes, with JSON's escapes, which YAML 1.2 shares.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let odd = [
            "",
            "no",
            "Yes",
            "null",
            "1.0",
            "0x1F",
            "1e3",
            "- a",
            "a: b",
            "a #b",
            "#a",
            "a:",
            " a",
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "`a",
            "'a'",
            "\"a\"",
            "{a}",
            "[a]",
            "${{ a && 'b: c' }}",
            "${{ a }}",
            "a\tb",
            "a\nb",
            "é",
            "|",
            ">",
            "?",
            "~",
            "..",
            "...",
            "---",
            "=",
            "<<",
            "2026-11-28",
            "12:30",
            "a,b",
            "true",
        ];
        let entries: Vec<_> = odd.iter().enumerate().map(|(at, text)| Entry::new(format!("k{at}"), *text)).collect();
        let text = document(&entries);
        let read = crate::source::parse(&text).unwrap_or_else(|error| panic!("{}\n{text}", error.message));
        let crate::source::Value::Map(read) = read.value else { panic!("{text}") };
        for (odd, (_, node)) in odd.iter().zip(read) {
            assert_eq!(node.value, crate::source::Value::String((*odd).to_owned()), "{text}");
        }
    }

    #[test]
    fn lists_maps_lines_and_comments_have_their_place() {
        let step = Node::from(vec![
            Entry::new("uses", "a/b@c").comment("v1"),
            Entry::new("run", Node::Lines("a\n\n  b\n".into())),
        ]);
        let entries = [
            Entry::new("permissions", Node::Map(Vec::new())),
            Entry::new("jobs", vec![Entry::new("steps", Node::List(vec![step, "x".into()]))]),
        ];
        let expected = "permissions: {}\n\njobs:\n  steps:\n    - uses: a/b@c # v1\n      run: |\n        a\n\n          b\n    - x\n";
        assert_eq!(document(&entries), expected);
    }
}
