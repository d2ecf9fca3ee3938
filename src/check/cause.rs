//! Which mistakes follow from others: a thing lacks what is there but could not be read.

use std::collections::HashMap;

use crate::diagnostic::Diagnostic;
use crate::source::{Node, Span, Spanned, Value};

/// The keys of things whose values could not be read, by the place of the thing's name.
pub(super) fn unread<'a>(root: &'a Node, noted: &[Diagnostic]) -> HashMap<Span, Vec<&'a str>> {
    let mut places: Vec<u32> = noted.iter().map(|noted| noted.span.start).collect();
    places.sort_unstable();
    let within = |node: &Node| {
        let next = places.get(places.partition_point(|place| *place < node.span.start));
        next.is_some_and(|place| *place < end(node))
    };
    let mut unread: HashMap<Span, Vec<&str>> = HashMap::new();
    for (_, section) in entries(root).filter(|(_, section)| within(section)) {
        for (name, thing) in entries(section).filter(|(_, thing)| within(thing)) {
            let keys = entries(thing).filter(|(_, value)| within(value)).map(|(key, _)| key.as_str());
            unread.insert(name.span, keys.collect());
        }
    }
    unread
}

/// Where the last of what a node holds ends: the place of a list or a map is that of its first byte.
fn end(node: &Node) -> u32 {
    let last = match &node.value {
        Value::Map(entries) => entries.last().map(|(_, value)| value),
        Value::List(items) => items.last(),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) => None,
    };
    last.map_or(node.span.end, |last| end(last).max(node.span.end))
}

fn entries(node: &Node) -> impl Iterator<Item = &(Spanned<String>, Node)> {
    match &node.value {
        Value::Map(entries) => entries.as_slice(),
        _ => &[],
    }
    .iter()
}

/// Whether a thing is said to lack what is there but could not be read: that has been said.
pub(super) fn follows(noted: &Diagnostic, unread: &HashMap<Span, Vec<&str>>) -> bool {
    let asked = |key: &&str| {
        noted.help.as_ref().is_some_and(|help| help.contains(&format!("`{key}`")) || help.contains(&format!("`{key}:")))
    };
    let mut places = noted.related.iter().map(|(place, _)| place).chain([&noted.span]);
    places.any(|place| unread.get(place).is_some_and(|keys| keys.iter().any(asked)))
}
