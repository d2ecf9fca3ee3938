//! `${…}` in texts: what people know from CloudFormation is filled in in its own words (`resources`, `override`) and nowhere else.
//!
//! Everything else of a blueprint is also run on this machine, where there is no account and no stack. There a text that looks like
//! such a name would reach jobs and people as it stands, so it is refused; `${!AWS::AccountId}` is how CloudFormation itself writes
//! one that is meant literally.

use crate::diagnostic::Diagnostic;
use crate::kind::raw::looks_like_a_name;
use crate::source::{Node, Span, Spanned, Value};

/// The tree with its literal texts as they are meant; what would be filled in elsewhere is noted.
pub(crate) fn read(root: &Node, text: &str, noted: &mut Vec<Diagnostic>) -> Node {
    let mut root = root.clone();
    if let Value::Map(sections) = &mut root.value {
        for (section, node) in sections {
            match section.as_str() {
                "resources" => {}
                "environments" => things(node, "set", text, noted),
                _ => walk(node, text, noted),
            }
        }
    }
    root
}

/// Things whose texts are looked at, but for what stands under one key: it comes to its place before it is read.
fn things(node: &mut Node, except: &str, text: &str, noted: &mut Vec<Diagnostic>) {
    let Value::Map(things) = &mut node.value else { return };
    for (_, thing) in things {
        let Value::Map(entries) = &mut thing.value else { continue };
        entries.iter_mut().filter(|(key, _)| key.value != except).for_each(|(_, node)| walk(node, text, noted));
    }
}

fn walk(node: &mut Node, text: &str, noted: &mut Vec<Diagnostic>) {
    let span = node.span;
    match &mut node.value {
        Value::String(value) if value.contains("${") => *value = literal(value, span, text, noted),
        Value::List(items) => items.iter_mut().for_each(|item| walk(item, text, noted)),
        Value::Map(entries) => {
            let own = |key: &Spanned<String>| key.value != "override";
            entries.iter_mut().filter(|(key, _)| own(key)).for_each(|(_, node)| walk(node, text, noted));
        }
        _ => {}
    }
}

fn literal(value: &str, span: Span, text: &str, noted: &mut Vec<Diagnostic>) -> String {
    let mut plain = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find("${") {
        let inside = rest[at + 2..].split('}').next().unwrap_or_default();
        let name = inside.strip_prefix('!').unwrap_or(inside);
        let taken = looks_like_a_name(name) && rest[at + 2 + inside.len()..].starts_with('}');
        plain.push_str(&rest[..at + 2]);
        rest = &rest[at + 2..];
        if taken && name.len() < inside.len() {
            rest = &rest[1..];
        } else if taken {
            let whole = format!("${{{name}}}");
            let written = &text[span.range(text)];
            // A text may hold the same name twice, or escapes; then the first place, or the whole, is near enough.
            let place = written.find(&whole).map_or(span, |at| {
                let start = span.start + u32::try_from(at).unwrap_or(0);
                Span { start, end: start + u32::try_from(whole.len()).unwrap_or(0), ..span }
            });
            let help = format!(
                "only `resources` and `override` speak of what AWS calls things; if these characters are meant, write `${{!{name}}}`"
            );
            noted.push(Diagnostic::error(place, format!("`{whole}` would stay as it is written")).help(help));
        }
    }
    plain.push_str(rest);
    plain
}
