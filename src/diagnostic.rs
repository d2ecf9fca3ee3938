//! What the author can mend in the blueprint: diagnostics as data, and how they look.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;

use crate::source::{Source, Span};
use crate::text::printable;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The blueprint has no meaning until it is mended.
    Error,
    /// The blueprint means something, but perhaps not what was meant.
    Warning,
}

/// One mistake, with its place and a way out.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A lower-case fragment with names in backticks.
    pub message: String,
    /// Where it is.
    pub span: Span,
    /// A word or two beside the caret.
    pub label: Option<String>,
    /// Other places that belong to it, each with a word.
    pub related: Vec<(Span, String)>,
    /// One line: what to write instead.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, message: message.into(), span, label: None, related: Vec::new(), help: None }
    }

    /// A warning at a place.
    pub fn warning(span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(span, message) }
    }

    /// Says what stands at the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Shows another place.
    #[must_use]
    pub fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related.push((span, label.into()));
        self
    }

    /// Says what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says what to write instead, when there is something to say.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }
}

/// A diagnostic that was just noted, for a word more about it.
pub struct Noted<'a>(&'a mut Diagnostic);

impl<'a> Noted<'a> {
    /// Notes a diagnostic in a list.
    pub fn new(list: &'a mut Vec<Diagnostic>, diagnostic: Diagnostic) -> Self {
        list.push(diagnostic);
        let last = list.len() - 1;
        Self(&mut list[last])
    }

    /// Says what to write instead.
    pub fn help(self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Shows another place.
    pub fn related(self, span: Span, label: impl Into<String>) -> Self {
        self.places([(span, label.into())])
    }

    /// Shows other places.
    pub fn places(self, places: impl IntoIterator<Item = (Span, String)>) -> Self {
        self.0.related.extend(places);
        self
    }
}

/// The diagnostics of one run and the texts that they point into.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    /// The texts; a [`Span`]'s `source` is an index into them.
    pub sources: Vec<Source>,
    /// In the order of their places.
    pub list: Vec<Diagnostic>,
}

/// More than anybody reads in one go.
const MAX_SHOWN: usize = 100;

/// A diagnostic as machines read it: `--output json`.
#[derive(Debug, Serialize)]
pub struct Record<'a> {
    severity: Severity,
    message: &'a str,
    file: &'a str,
    /// From 1.
    line: usize,
    /// From 1, in characters.
    column: usize,
    end_line: usize,
    end_column: usize,
    help: Option<&'a str>,
}

impl Diagnostics {
    /// How many errors there are.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.list.iter().filter(|d| d.severity == Severity::Error).count()
    }

    /// How many warnings there are.
    #[must_use]
    pub fn warnings(&self) -> usize {
        self.list.len() - self.errors()
    }

    /// The whole list as text, as a terminal shows it.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let shown = self.list.iter().take(MAX_SHOWN).map(|diagnostic| self.render_one(diagnostic, &renderer));
        let mut text = shown.collect::<Vec<_>>().join("\n\n");
        if let Some(more @ 1..) = self.list.len().checked_sub(MAX_SHOWN) {
            text.push_str(&format!("\n\n… and {more} more; `--output json` lists them all"));
        }
        text
    }

    fn render_one(&self, diagnostic: &Diagnostic, renderer: &Renderer) -> String {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = level
            .primary_title(shown(&diagnostic.message))
            .elements(Vec::<Snippet<'_, annotate_snippets::Annotation<'_>>>::new());
        for (index, source) in self.sources.iter().enumerate() {
            let here = |span: Span| span.source as usize == index;
            let related = diagnostic.related.iter().filter(|(span, _)| here(*span));
            let mut snippet = Snippet::source(&*source.text).path(source.name.as_str()).fold(true);
            let mut any = false;
            if here(diagnostic.span) {
                any = true;
                let annotation = AnnotationKind::Primary.span(diagnostic.span.range(&source.text));
                snippet = snippet.annotation(annotation.label(diagnostic.label.as_deref().map(shown)));
            }
            for (span, label) in related {
                any = true;
                snippet =
                    snippet.annotation(AnnotationKind::Context.span(span.range(&source.text)).label(shown(label)));
            }
            if any {
                group = group.element(snippet);
            }
        }
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(shown(help)));
        }
        renderer.render(&[group])
    }

    /// The whole list as machines read it.
    #[must_use]
    pub fn records(&self) -> Vec<Record<'_>> {
        self.list
            .iter()
            .map(|diagnostic| {
                let (file, text) = self
                    .sources
                    .get(diagnostic.span.source as usize)
                    .map_or(("", ""), |source| (source.name.as_str(), &*source.text));
                let range = diagnostic.span.range(text);
                let (line, column) = line_column(text, range.start);
                let (end_line, end_column) = line_column(text, range.end);
                Record {
                    severity: diagnostic.severity,
                    message: &diagnostic.message,
                    file,
                    line,
                    column,
                    end_line,
                    end_column,
                    help: diagnostic.help.as_deref(),
                }
            })
            .collect()
    }
}

impl Serialize for Diagnostics {
    /// As its [`records`](Diagnostics::records).
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.records().serialize(serializer)
    }
}

/// Line and column of a byte offset, both from 1, the column in characters.
#[must_use]
pub fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

fn shown(text: &str) -> String {
    printable(text, &['\n'])
}

/// The candidate that was probably meant, for "did you mean".
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .filter(|candidate| !candidate.is_empty() && candidate.len().abs_diff(word.len()) <= 4 * limit)
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// "did you mean `x`?", when there is an `x`.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, candidates).map(|found| format!("did you mean `{found}`?"))
}

/// `a`, `b` and `c`.
#[must_use]
pub fn listed<S: AsRef<str>>(names: &[S]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    match quoted.as_slice() {
        [] => "none".into(),
        [only] => only.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_like_the_design() {
        let text = "jobs:\n  x:\n    reads: [ ordrs, products ]\n";
        let diagnostics = Diagnostics {
            sources: vec![Source { name: "blueprints/instacart.yaml".into(), text: text.into() }],
            list: vec![
                Diagnostic::error(Span::new(24, 29), "no table named `ordrs`")
                    .label("not a table")
                    .maybe_help(did_you_mean("ordrs", ["orders", "products"])),
            ],
        };
        insta::assert_snapshot!(diagnostics.render(false), @r"
        error: no table named `ordrs`
         --> blueprints/instacart.yaml:3:14
          |
        3 |     reads: [ ordrs, products ]
          |              ^^^^^ not a table
          |
          = help: did you mean `orders`?
        ");
    }

    #[test]
    fn suggestions_are_near() {
        assert_eq!(nearest("ordrs", ["products", "orders"]), Some("orders"));
        assert_eq!(nearest("zebra", ["products", "orders"]), None);
    }
}
