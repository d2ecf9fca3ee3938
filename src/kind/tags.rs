//! Tags: what people know AWS resources by, on everything that takes tags.

use std::collections::HashMap;

use crate::check::Check;
use crate::decode::{Named, Scalar};
use crate::source::Spanned;

/// The value of a tag.
pub type TagSpec = Spanned<Scalar>;

/// AWS takes 50 tags on a resource; lakegen's own are the lake, the environment, and of a model its training.
const MOST: usize = 47;

/// Checks tags against the limits that all services share: keys of 1 to 128 characters, values of up to 256, of letters, digits,
/// spaces and `_.:/=+-@`, and nothing that begins with `aws:` in any case. Keys that differ only in case are one key to IAM.
///
/// Source: "Tag naming limits and requirements" of the Tagging AWS Resources guide; "Rules for tagging in IAM and AWS STS".
pub(crate) fn check(tags: &Named<TagSpec>, cx: &mut Check<'_>) -> Option<Vec<(String, String)>> {
    let before = cx.errors();
    let mut seen: HashMap<String, &Spanned<String>> = HashMap::new();
    for (at, (key, value)) in tags.0.iter().enumerate() {
        word(key, 1, 128, "a tag's name", cx);
        for (reserved, owner) in [("aws:", "AWS"), ("lakegen:", "lakegen")] {
            if key.to_lowercase().starts_with(reserved) {
                cx.error(key.span, format!("tags that begin with `{reserved}` are {owner}'s own"))
                    .help("choose another beginning");
            }
        }
        if let Some(value) = value {
            let text = Spanned::new(value.value.0.clone(), value.span);
            word(&text, 0, 256, "a tag's value", cx);
            if text.to_lowercase().starts_with("aws:") {
                cx.error(text.span, "values that begin with `aws:` are AWS's own").help("choose another beginning");
            }
        }
        if let Some(first) = seen.insert(key.to_lowercase(), key)
            && first.value != key.value
        {
            cx.error(key.span, format!("`{}` and `{}` are the same tag to IAM", first.value, key.value))
                .related(first.span, "first here")
                .help("keep one of them");
        }
        if at == MOST {
            cx.error(key.span, format!("there are {} tags, more than the {MOST} that there is room for", tags.0.len()))
                .help("AWS takes 50 on a resource, and three are lakegen's");
        }
    }
    let pairs = tags.0.iter().map(|(key, value)| Some((key.value.clone(), value.as_ref()?.value.0.clone())));
    let pairs = pairs.collect::<Option<_>>();
    if cx.errors() == before { pairs } else { None }
}

fn word(text: &Spanned<String>, least: usize, most: usize, noun: &str, cx: &mut Check<'_>) {
    let length = text.chars().count();
    if !(least..=most).contains(&length) {
        cx.error(text.span, format!("{noun} has {least} to {most} characters, not {length}"));
    }
    let fits = |c: char| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c);
    if let Some(strange) = text.chars().find(|c| !fits(*c)) {
        let shown = crate::text::printable(&strange.to_string(), &[]);
        cx.error(text.span, format!("{noun} cannot hold `{shown}`"))
            .help("letters, digits, spaces and `_ . : / = + - @`");
    }
}

/// The lake's tags with an environment's, which win.
pub(crate) fn merge(lake: &[(String, String)], own: &mut Vec<(String, String)>) {
    let mut merged = lake.to_vec();
    for (key, value) in own.drain(..) {
        match merged.iter_mut().find(|(known, _)| known.to_lowercase() == key.to_lowercase()) {
            Some(known) => *known = (key, value),
            None => merged.push((key, value)),
        }
    }
    *own = merged;
}
