//! Text in pictures: how wide it is, and what may stand in which format.

use std::fmt::Write;

/// The width of a text in a proportional sans-serif font, in pixels, rather too wide than too narrow.
pub(super) fn width(text: &str, size: f64) -> f64 {
    let em: f64 = text.chars().map(character).sum();
    em * size
}

/// Widths in em of a wide system font: no common one needs more for a name.
fn character(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '\'' | '|' | 'I' => 0.29,
        ' ' | '.' | ',' | ':' | ';' | '!' | '(' | ')' | '[' | ']' | '/' | 'f' | 't' | 'r' | '·' => 0.37,
        'm' | 'M' | 'w' | 'W' | '@' | '%' => 0.92,
        'A'..='Z' | '&' => 0.70,
        c if c.is_ascii() => 0.59,
        c if (c as u32) < 0x1100 => 0.70,
        _ => 1.05,
    }
}

/// The text, cut with an ellipsis where it would be wider than `limit` pixels.
pub(super) fn cut(text: &str, size: f64, limit: f64) -> String {
    if width(text, size) <= limit {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = width("…", size);
    for c in text.chars() {
        used += character(c) * size;
        if used > limit {
            break;
        }
        kept.push(c);
    }
    kept.push('…');
    kept
}

/// One line without anything that steers a terminal, a parser or the direction of writing.
pub(super) fn plain(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}')
    };
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            c if steers(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// For XML text and attributes.
pub(super) fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// For a quoted label in Mermaid: everything that Mermaid or its HTML could read becomes an entity.
pub(super) fn mermaid(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in plain(text).chars() {
        if c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.' | ',' | ':' | '/') || !c.is_ascii() {
            out.push(c);
        } else {
            let _ = write!(out, "#{};", c as u32);
        }
    }
    out
}

/// For a quoted string in Graphviz.
pub(super) fn dot(text: &str) -> String {
    plain(text).replace('\\', "\\\\").replace('"', "\\\"")
}
