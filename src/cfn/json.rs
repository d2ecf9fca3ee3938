//! The tree as JSON text, two spaces deep.

use std::fmt::Write;

use super::node::Node;
use super::template::Section;

/// Appends texts and sections as one JSON object.
pub(super) fn document<'a>(
    head: [(&str, &str); 2],
    sections: impl Iterator<Item = (&'a str, &'a Section)>,
    out: &mut String,
) {
    out.push('{');
    for (index, (key, text)) in head.into_iter().enumerate() {
        out.push_str(if index == 0 { "\n  " } else { ",\n  " });
        quote(key, out);
        out.push_str(": ");
        quote(text, out);
    }
    for (key, section) in sections {
        out.push_str(",\n  ");
        quote(key, out);
        out.push_str(": ");
        map(section, 1, out);
    }
    out.push_str("\n}\n");
}

/// `node` as JSON, without a final line break.
pub(super) fn text(node: &Node) -> String {
    let mut text = String::new();
    write(node, 0, &mut text);
    text
}

/// Appends `node` as JSON, without a final line break.
fn write(node: &Node, depth: usize, out: &mut String) {
    match node {
        Node::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Node::Integer(value) => {
            let _ = write!(out, "{value}");
        }
        Node::Decimal(digits) => out.push_str(digits),
        Node::Text(text) => quote(text, out),
        Node::List(items) => sequence(items, ['[', ']'], depth, out, |item, out| write(item, depth + 1, out)),
        Node::Map(entries) => map(entries, depth, out),
    }
}

fn map(entries: &Section, depth: usize, out: &mut String) {
    sequence(entries, ['{', '}'], depth, out, |(key, value), out| {
        quote(key, out);
        out.push_str(": ");
        write(value, depth + 1, out);
    });
}

fn sequence<T>(items: &[T], [open, close]: [char; 2], depth: usize, out: &mut String, each: impl Fn(&T, &mut String)) {
    out.push(open);
    for (index, item) in items.iter().enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        indent(depth + 1, out);
        each(item, out);
    }
    if !items.is_empty() {
        out.push('\n');
        indent(depth, out);
    }
    out.push(close);
}

fn indent(depth: usize, out: &mut String) {
    for _ in 0..depth {
        out.push_str("  ");
    }
}

/// Appends a double-quoted string that is right in JSON and in YAML 1.1: control characters, the byte order mark and
/// YAML's extra line breaks (NEL, LS, PS) are written as escapes.
pub(super) fn quote(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| needs_escape(c)) {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        let mut characters = special.chars();
        match characters.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(character) => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            None => {}
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

fn needs_escape(character: char) -> bool {
    matches!(
        character,
        '"' | '\\'
            | '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_quoted_string_reads_back(text: String) {
            let mut out = String::new();
            quote(&text, &mut out);
            let read: String = serde_json::from_str(&out).unwrap();
            prop_assert_eq!(read, text);
        }
    }

    #[test]
    fn a_tree_reads_back_in_order() {
        let node = Node::map([
            ("B", Node::List(vec![Node::Integer(-1), Node::Bool(true), Node::List(vec![])])),
            ("A", Node::Map(vec![])),
        ]);
        let mut out = String::new();
        write(&node, 0, &mut out);
        assert_eq!(out, "{\n  \"B\": [\n    -1,\n    true,\n    []\n  ],\n  \"A\": {}\n}");
    }
}
