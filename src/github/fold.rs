//! Long markdown made to fit: what is folded away anyhow is shortened first.

use crate::text::counted;

/// How long a text is, in what a limit counts.
pub type Measure = fn(&str) -> usize;

/// The text in at most `limit`. The contents of its `<details>` are shortened, all to the same number of lines, as many as fit; if
/// that is not enough, the rest is cut off. `note`, a paragraph, ends what was shortened.
#[must_use]
pub fn fold(text: &str, limit: usize, measure: Measure, note: &str) -> String {
    if measure(text) <= limit {
        return text.to_owned();
    }
    let lines = lines(text);
    let fits = |most: usize| Some(shortened(&lines, most, note)).filter(|text| measure(text) <= limit);
    let (mut low, mut high) = (0, lines.iter().filter_map(|line| line.inside).max().map_or(0, |last| last + 1));
    let Some(mut best) = fits(0) else { return cut(text, limit, measure, note) };
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        match fits(middle) {
            Some(text) => (low, best) = (middle, text),
            None => high = middle - 1,
        }
    }
    best
}

/// A line, and the how many-th it is inside of `<details>`.
struct Line<'a> {
    text: &'a str,
    inside: Option<usize>,
}

fn lines(text: &str) -> Vec<Line<'_>> {
    let (mut depth, mut number) = (0_usize, 0);
    let line = |text| {
        let before = depth;
        depth = (depth + count(text, "<details")).saturating_sub(count(text, "</details>"));
        let inside = (before > 0 && depth > 0).then_some(number);
        number = if inside.is_some() { number + 1 } else { 0 };
        Line { text, inside }
    };
    text.lines().map(line).collect()
}

fn count(text: &str, tag: &str) -> usize {
    text.matches(tag).count()
}

fn shortened(lines: &[Line<'_>], most: usize, note: &str) -> String {
    let mut out = Writer::default();
    let mut left_out = 0;
    for line in lines {
        match line.inside {
            Some(number) if number >= most => left_out += 1,
            _ => {
                out.left_out(left_out);
                left_out = 0;
                out.line(line.text);
            }
        }
    }
    out.left_out(left_out);
    out.end(note)
}

/// The first lines that fit, without regard for what they are.
fn cut(text: &str, limit: usize, measure: Measure, note: &str) -> String {
    let prefix = |count: usize| {
        let mut out = Writer::default();
        text.lines().take(count).for_each(|line| out.line(line));
        Some(out.end(note)).filter(|text| measure(text) <= limit)
    };
    let count = text.lines().count();
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if prefix(middle).is_some() { low = middle } else { high = middle - 1 }
    }
    prefix(low).unwrap_or_default()
}

/// Markdown in which everything that was opened is closed.
#[derive(Default)]
struct Writer {
    text: String,
    fence: Option<String>,
    details: usize,
}

impl Writer {
    fn line(&mut self, line: &str) {
        let bare = line.trim_start();
        let mark = bare.chars().next().filter(|c| matches!(c, '`' | '~'));
        let length = mark.map_or(0, |mark| bare.chars().take_while(|c| *c == mark).count());
        match &self.fence {
            Some(fence) if bare.starts_with(fence) && bare[length..].trim().is_empty() => self.fence = None,
            None if length >= 3 => self.fence = Some(bare[..length].to_owned()),
            _ => {}
        }
        self.details = (self.details + count(line, "<details")).saturating_sub(count(line, "</details>"));
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn left_out(&mut self, lines: usize) {
        if lines > 0 {
            self.close_fence();
            self.text.push_str(&format!("\n… and {}\n\n", counted(lines, "more line")));
        }
    }

    fn close_fence(&mut self) {
        if let Some(fence) = self.fence.take() {
            self.text.push_str(&fence);
            self.text.push('\n');
        }
    }

    fn end(mut self, note: &str) -> String {
        self.close_fence();
        for _ in 0..self.details {
            self.text.push_str("\n</details>\n");
        }
        self.text.push('\n');
        self.text.push_str(note);
        self.text.push('\n');
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHARACTERS: Measure = |text| text.chars().count();

    fn plan(stacks: &[usize]) -> String {
        let mut text = "### shop in dev\n\n3 to add\n".to_owned();
        for (number, rows) in stacks.iter().enumerate() {
            text.push_str(&format!("\n<details open><summary>stack {number}</summary>\n\n| | what |\n|---|---|\n"));
            (0..*rows).for_each(|row| text.push_str(&format!("| + | thing {row} |\n")));
            text.push_str("\n</details>\n");
        }
        text
    }

    #[test]
    fn what_fits_is_left_as_it_is() {
        let text = plan(&[3]);
        assert_eq!(fold(&text, text.chars().count(), CHARACTERS, "note"), text);
    }

    #[test]
    fn long_details_are_shortened_and_short_ones_kept() {
        let folded = fold(&plan(&[2, 500]), 400, CHARACTERS, "*more elsewhere*");
        insta::assert_snapshot!(folded, @r"
        ### shop in dev

        3 to add

        <details open><summary>stack 0</summary>

        | | what |
        |---|---|
        | + | thing 0 |
        | + | thing 1 |

        </details>

        <details open><summary>stack 1</summary>

        | | what |
        |---|---|
        | + | thing 0 |
        | + | thing 1 |
        | + | thing 2 |
        | + | thing 3 |
        | + | thing 4 |
        | + | thing 5 |
        | + | thing 6 |
        | + | thing 7 |
        | + | thing 8 |

        … and 492 more lines

        </details>

        *more elsewhere*
        ");
    }

    #[test]
    fn what_stands_outside_is_cut_last() {
        let text = format!("{}```\n{}```\n", plan(&[9]), "x\n".repeat(400));
        let folded = fold(&text, 350, CHARACTERS, "*more elsewhere*");
        assert!(folded.chars().count() <= 350, "{folded}");
        assert!(folded.ends_with("x\n```\n\n*more elsewhere*\n"), "{folded}");
        assert_eq!(fold(&"ä".repeat(100), 40, CHARACTERS, "*more*").trim(), "*more*");
    }

    proptest::proptest! {
        #[test]
        fn it_fits_and_everything_is_closed(
            lines in proptest::collection::vec("(<details><summary>s</summary>|</details>|```|~~~~|[a-zä|<>` -]{0,30})", 0..60),
            limit in 60_usize..400,
        ) {
            let text = lines.join("\n");
            for measure in [CHARACTERS, str::len as Measure] {
                let folded = fold(&text, limit, measure, "*more elsewhere*");
                proptest::prop_assert!(measure(&folded) <= limit || folded == text, "{}", folded);
                if folded != text {
                    proptest::prop_assert!(folded.trim_end().ends_with("*more elsewhere*"));
                }
            }
        }
    }
}
