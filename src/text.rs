//! Words for people.

/// `1 step`, `2 steps`.
#[must_use]
pub fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// The text without control characters but for those in `keep`: names and messages come from elsewhere, and nothing in them may
/// steer a terminal.
#[must_use]
pub fn printable(text: &str, keep: &[char]) -> String {
    text.chars().map(|c| if c.is_control() && !keep.contains(&c) { '\u{fffd}' } else { c }).collect()
}
