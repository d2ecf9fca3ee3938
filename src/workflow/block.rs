//! A file of which a marked block is lakegen's, and everything around it its owner's.

use sha2::{Digest, Sha256};
use similar::TextDiff;

const BEGIN: &str = "# lakegen:begin ";
const END: &str = "# lakegen:end";
/// The line of a block that says whose it is.
const LAKE: &str = "# lake: ";

/// Why a file is left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It has no block, or one that does not end: somebody else has written it.
    Foreign,
    /// Its block is another lake's.
    OtherLake,
    /// Somebody has changed the block.
    Edited,
}

/// The file with its block as it should be, whatever is around it. `forced`, the block becomes so even if that loses somebody's work.
///
/// # Errors
/// The file is not lakegen's, its block is another lake's, or was changed by hand.
pub fn merge(existing: Option<&str>, block: &str, forced: bool) -> Result<String, Refusal> {
    let marked = format!("{BEGIN}{}\n{block}{END}\n", digest(block));
    let Some(existing) = existing else { return Ok(marked) };
    // Git on Windows may have changed the ends of lines.
    let existing = existing.replace("\r\n", "\n");
    let Some((before, recorded, inside, after)) = parts(&existing) else {
        return if forced { Ok(marked) } else { Err(Refusal::Foreign) };
    };
    if !forced && lake(inside).zip(lake(block)).is_some_and(|(there, new)| there != new) {
        return Err(Refusal::OtherLake);
    }
    if recorded != digest(inside) && inside != block && !forced {
        return Err(Refusal::Edited);
    }
    Ok(format!("{before}{marked}{after}"))
}

/// What is before the block, the digest in its first line, the block, and what is after it.
fn parts(text: &str) -> Option<(&str, &str, &str, &str)> {
    let begin = if text.starts_with(BEGIN) { 0 } else { text.find(&format!("\n{BEGIN}"))? + 1 };
    let (before, rest) = text.split_at(begin);
    let (line, rest) = rest.split_once('\n')?;
    let end = if rest.starts_with(END) { 0 } else { rest.find(&format!("\n{END}"))? + 1 };
    let (inside, rest) = rest.split_at(end);
    let after = rest.split_once('\n').map_or("", |(_, after)| after);
    Some((before, line.strip_prefix(BEGIN)?.trim_end(), inside, after))
}

/// The line by which a block says which lake it is of.
#[must_use]
pub fn of_lake(name: &str) -> String {
    format!("{LAKE}{name}\n")
}

/// Which lake the block of a file, or a block, is of.
#[must_use]
pub fn lake(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix(LAKE)).map(str::trim_end)
}

fn digest(block: &str) -> String {
    use std::fmt::Write;
    Sha256::digest(block).iter().take(8).fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// What changes from one text to another, as `diff -u` says it; nothing if they are the same.
#[must_use]
pub fn diff(path: &str, before: &str, after: &str) -> String {
    let before = before.replace("\r\n", "\n");
    if before == after {
        return String::new();
    }
    let diff = TextDiff::from_lines(before.as_str(), after);
    diff.unified_diff().context_radius(3).header(&format!("a/{path}"), &format!("b/{path}")).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_around_the_block_stays() {
        let first = merge(None, "jobs:\n  a: 1\n", false).unwrap();
        assert!(first.starts_with("# lakegen:begin ") && first.ends_with("  a: 1\n# lakegen:end\n"), "{first}");
        let mine = format!("# our own\n{first}  b: 2\n");
        let second = merge(Some(&mine), "jobs:\n  a: 3\n", false).unwrap();
        assert!(
            second.starts_with("# our own\n# lakegen:begin ") && second.ends_with("  a: 3\n# lakegen:end\n  b: 2\n"),
            "{second}"
        );
        assert_eq!(
            merge(Some(&second), "jobs:\n  a: 3\n", false).as_deref(),
            Ok(second.as_str()),
            "a second time changes nothing"
        );
        let windows = second.replace('\n', "\r\n");
        assert_eq!(merge(Some(&windows), "jobs:\n  a: 3\n", false), Ok(second));
    }

    #[test]
    fn what_somebody_has_changed_is_not_overwritten_unless_that_is_asked_for() {
        let written = merge(None, "a: 1\n", false).unwrap();
        let edited = written.replace("a: 1", "a: 2");
        assert_eq!(merge(Some(&edited), "a: 3\n", false), Err(Refusal::Edited));
        assert_eq!(merge(Some("name: ci\n"), "a: 3\n", false), Err(Refusal::Foreign));
        assert_eq!(
            merge(Some("# lakegen:begin 00\na: 1\n"), "a: 3\n", false),
            Err(Refusal::Foreign),
            "it does not end"
        );
        let new = merge(None, "a: 3\n", false).unwrap();
        assert_eq!(merge(Some(&edited), "a: 3\n", true), Ok(new.clone()));
        assert_eq!(merge(Some("name: ci\n"), "a: 3\n", true), Ok(new));
        // Whoever has made by hand just what lakegen would make has lost nothing.
        let by_hand = written.replace("a: 1", "a: 3");
        assert!(merge(Some(&by_hand), "a: 3\n", false).is_ok());
    }

    #[test]
    fn the_block_of_another_lake_is_not_overwritten_unless_that_is_asked_for() {
        let block = |lake: &str, text: &str| format!("{}{text}", of_lake(lake));
        let written = merge(None, &block("shop", "a: 1\n"), false).unwrap();
        assert_eq!(lake(&written), Some("shop"));
        assert_eq!(merge(Some(&written), &block("bikes", "a: 1\n"), false), Err(Refusal::OtherLake));
        let windows = written.replace('\n', "\r\n");
        assert_eq!(merge(Some(&windows), &block("bikes", "a: 1\n"), false), Err(Refusal::OtherLake));
        assert!(merge(Some(&windows), &block("shop", "a: 2\n"), false).is_ok());
        assert!(merge(Some(&written), &block("bikes", "a: 1\n"), true).is_ok());
        let nameless = merge(None, "a: 1\n", false).unwrap();
        assert!(merge(Some(&nameless), &block("bikes", "a: 1\n"), false).is_ok(), "an older lakegen named none");
    }

    #[test]
    fn a_difference_is_shown_as_diff_does() {
        assert_eq!(diff("x", "a\nb\n", "a\nb\n"), "");
        assert_eq!(diff("x", "a\nb\n", "a\nc\n"), "--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n");
    }
}
