//! The tree as YAML text for a YAML 1.1 reader, which is what CloudFormation has: `no`, `on`, `1:30`, `012`,
//! `2010-09-09` and `1e3` are not strings there unless they are quoted.

use std::borrow::Cow;
use std::fmt::Write;

use super::json::quote;
use super::node::Node;
use super::template::Section;

/// Appends texts and sections as one YAML document.
pub(super) fn document<'a>(
    head: [(&str, &str); 2],
    sections: impl Iterator<Item = (&'a str, &'a Section)>,
    out: &mut String,
) {
    for (key, text) in head {
        scalar(key, out);
        out.push_str(": ");
        scalar(text, out);
        out.push('\n');
    }
    for (key, section) in sections {
        scalar(key, out);
        out.push_str(":\n");
        map(section, 1, false, out);
    }
}

/// Writes a value after `key:` or `-`; the cursor stands right behind the colon or the dash.
fn value(node: &Node, depth: usize, after_dash: bool, out: &mut String) {
    match node {
        Node::Map(entries) if !entries.is_empty() => {
            out.push(if after_dash { ' ' } else { '\n' });
            map(entries, depth, after_dash, out);
        }
        Node::List(items) if !items.is_empty() => {
            out.push(if after_dash { ' ' } else { '\n' });
            list(items, depth, after_dash, out);
        }
        _ => {
            out.push(' ');
            inline(node, depth, out);
            out.push('\n');
        }
    }
}

fn map(entries: &[(Cow<'static, str>, Node)], depth: usize, mut started: bool, out: &mut String) {
    for (key, node) in entries {
        if !started {
            indent(depth, out);
        }
        started = false;
        scalar(key, out);
        out.push(':');
        value(node, depth + 1, false, out);
    }
}

fn list(items: &[Node], depth: usize, mut started: bool, out: &mut String) {
    for item in items {
        if !started {
            indent(depth, out);
        }
        started = false;
        out.push('-');
        value(item, depth + 1, true, out);
    }
}

fn inline(node: &Node, depth: usize, out: &mut String) {
    match node {
        Node::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Node::Integer(value) => {
            let _ = write!(out, "{value}");
        }
        Node::Decimal(digits) => out.push_str(digits),
        Node::Text(text) => match literal_header(text) {
            Some(header) => literal(text, header, depth, out),
            None => scalar(text, out),
        },
        Node::List(_) => out.push_str("[]"),
        Node::Map(_) => out.push_str("{}"),
    }
}

fn indent(depth: usize, out: &mut String) {
    const SPACES: &str = "                                                                ";
    match SPACES.get(..2 * depth) {
        Some(spaces) => out.push_str(spaces),
        None => out.extend(std::iter::repeat_n("  ", depth)),
    }
}

fn scalar(text: &str, out: &mut String) {
    if is_plain(text) { out.push_str(text) } else { quote(text, out) }
}

/// Whether YAML 1.1 reads the bare `text` as exactly this string, wherever lakegen writes scalars.
fn is_plain(text: &str) -> bool {
    const RESOLVED: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let bytes = text.as_bytes();
    let Some(&first) = bytes.first() else { return false };
    // Numbers, dates, `~`, `<<`, `.inf` and YAML's own punctuation all start with something else.
    if !(first.is_ascii_alphabetic() || first == b'/' || first == b'$') {
        return false;
    }
    // One pass without a way out early, which the processor does many bytes at a time; hardly any text holds a space.
    let printable = bytes.iter().fold(true, |all, byte| all & (b' '..=b'~').contains(byte));
    let punctuated = || text.contains(' ') && (text.contains(": ") || text.contains(" #"));
    printable
        && !text.ends_with([':', ' '])
        && !punctuated()
        && (bytes.len() > 5 || !RESOLVED.iter().any(|word| text.eq_ignore_ascii_case(word)))
}

/// The header of the literal block that holds exactly `text`, if it is of several lines and such a block can.
fn literal_header(text: &str) -> Option<&'static str> {
    if !text.contains('\n') {
        return None;
    }
    let body = text.strip_suffix('\n');
    let header = if body.is_some() { "|" } else { "|-" };
    let body = body.unwrap_or(text);
    let exact = |line: &str| {
        line.chars().all(|c| c.is_ascii_graphic() || c == ' ')
            && (line.is_empty() || !line.trim_matches(' ').is_empty())
    };
    let first_is_text = !body.is_empty() && !body.starts_with([' ', '\n']);
    (first_is_text && !body.ends_with('\n') && body.split('\n').all(exact)).then_some(header)
}

fn literal(text: &str, header: &str, depth: usize, out: &mut String) {
    out.push_str(header);
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            indent(depth, out);
            out.push_str(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> String {
        let mut out = String::new();
        inline(&Node::text(text.to_owned()), 1, &mut out);
        out
    }

    #[test]
    fn what_yaml_1_1_would_read_as_something_else_is_quoted() {
        let traps = [
            "",
            " ",
            "no",
            "No",
            "NO",
            "yes",
            "on",
            "OFF",
            "y",
            "N",
            "true",
            "False",
            "null",
            "Null",
            "~",
            "1:30",
            "012",
            "0o14",
            "0x1f",
            "0b1",
            "1_000",
            "1e3",
            "1.5",
            ".5",
            ".inf",
            "-.INF",
            ".nan",
            "+1",
            "-1",
            "2010-09-09",
            "2010-09-09T01:02:03Z",
            "<<",
            "=",
            "- a",
            "-",
            "?",
            "? a",
            "a: b",
            "a:",
            "a #b",
            "#a",
            "&a",
            "*a",
            "!a",
            "|",
            ">",
            "@a",
            "`a",
            "%a",
            "{a}",
            "[a]",
            "\"a\"",
            "'a'",
            " a",
            "a ",
            "a\tb",
            "\u{85}",
            "\u{feff}a",
            "---",
            "...",
            "é",
        ];
        for text in traps {
            let written = written(text);
            assert!(written.starts_with('"') && written.ends_with('"'), "{text:?} was written as {written}");
        }
    }

    #[test]
    fn what_is_safe_stays_bare() {
        for text in
            ["AWS::Glue::Job", "arn:${AWS::Partition}:s3:::b/*", "$context.requestId", "/aws/lambda/f", "s3://b/t/"]
        {
            assert_eq!(written(text), text);
        }
    }

    #[test]
    fn several_lines_become_a_literal_block_only_when_it_is_exact() {
        assert_eq!(written("a\n  b\n\nc"), "|-\n  a\n    b\n\n  c");
        assert_eq!(written("a\nb\n"), "|\n  a\n  b");
        for text in ["\na", " a\nb", "a\n\n", "a\tb\nc", "a\r\nb", "a\n \nb", "a\u{2028}\nb", "é\nb", "\n"] {
            assert!(written(text).starts_with('"'), "{text:?} was written as {}", written(text));
        }
    }

    #[test]
    fn nested_lists_and_maps_keep_their_shape() {
        let node = Node::map([(
            "A",
            Node::List(vec![
                Node::map([("x", Node::Integer(1)), ("z", Node::text("l1\nl2"))]),
                Node::List(vec![Node::text("no"), Node::Map(vec![])]),
            ]),
        )]);
        let mut out = String::new();
        value(&node, 0, false, &mut out);
        assert_eq!(out, "\nA:\n  - x: 1\n    z: |-\n      l1\n      l2\n  - - \"no\"\n    - {}\n");
    }

    fn tree() -> impl Strategy<Value = Node> {
        let text = prop_oneof![any::<String>(), "[ -~\n]{0,20}", "[yYnNoOeEsS0-9:.+~-]{1,6}"];
        let leaf = prop_oneof![
            text.clone().prop_map(Node::text),
            any::<i32>().prop_map(|number| Node::Integer(number.into())),
            any::<bool>().prop_map(Node::Bool),
        ];
        leaf.prop_recursive(4, 40, 5, move |inner| {
            let entries = prop::collection::btree_map(text.clone(), inner.clone(), 0..5);
            prop_oneof![
                prop::collection::vec(inner, 0..5).prop_map(Node::List),
                entries.prop_map(|map| Node::Map(map.into_iter().map(|(k, v)| (Cow::Owned(k), v)).collect())),
            ]
        })
    }

    fn both(node: Node) -> (String, String) {
        let section = vec![(Cow::Borrowed("tree"), node)];
        let head = [("a", "no"), ("b", "two\nlines")];
        let (mut yaml, mut json) = (String::new(), String::new());
        document(head, [("section", &section)].into_iter(), &mut yaml);
        super::super::json::document(head, [("section", &section)].into_iter(), &mut json);
        (yaml, json)
    }

    proptest! {
        // The reader here knows YAML 1.2; the words and numbers that only YAML 1.1 resolves are in the table above.
        #[test]
        fn a_tree_reads_back_as_its_json(node in tree()) {
            let (yaml, json) = both(node);
            let read: serde_json::Value = serde_yaml::from_str(&yaml).unwrap();
            let expected: serde_json::Value = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(read, expected, "{}", yaml);
        }
    }
}
