//! Diagnostics as workflow commands of GitHub Actions, which put them beside the lines of a pull request.

use std::path::Path;

use crate::diagnostic::{Diagnostic, Diagnostics, Severity, line_column};
use crate::source::Source;

/// A command for each diagnostic: `::error file=…,line=…,endLine=…::…`.
///
/// GitHub shows at most ten errors and ten warnings of a step. It knows files by their paths from the root of the repository:
/// `folder` is the path from there to where the names of the sources start.
#[must_use]
pub fn commands(diagnostics: &Diagnostics, folder: &Path) -> Vec<String> {
    let source = |diagnostic: &Diagnostic| diagnostics.sources.get(diagnostic.span.source as usize);
    diagnostics.list.iter().filter_map(|diagnostic| Some(command(diagnostic, source(diagnostic)?, folder))).collect()
}

fn command(diagnostic: &Diagnostic, source: &Source, folder: &Path) -> String {
    let level = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let range = diagnostic.span.range(&source.text);
    let (line, column) = line_column(&source.text, range.start);
    let (end_line, end_column) = line_column(&source.text, last_character(&source.text[range.clone()]) + range.start);
    let path = folder.join(&source.name);
    let path: Vec<_> = path.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    // GitHub takes columns only of what is on one line.
    let columns = if line == end_line { format!(",col={column},endColumn={end_column}") } else { String::new() };
    let help = diagnostic.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    let message = data(&format!("{}{help}", diagnostic.message));
    format!("::{level} file={},line={line},endLine={end_line}{columns}::{message}", property(&path.join("/")))
}

/// Where the last character of a text is that is not a line break; 0 if there is none.
fn last_character(text: &str) -> usize {
    text.trim_end_matches(['\r', '\n']).char_indices().next_back().map_or(0, |(at, _)| at)
}

/// As `@actions/core` escapes the message of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// As `@actions/core` escapes a property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Span;

    fn commands_for(name: &str, text: &str, list: Vec<Diagnostic>, folder: &str) -> Vec<String> {
        let sources = vec![Source { name: name.into(), text: text.into() }];
        commands(&Diagnostics { sources, list }, Path::new(folder))
    }

    #[test]
    fn a_diagnostic_is_on_its_line() {
        let text = "jobs:\n  ä: { reads: [ ordrs ] }\n";
        let at = text.find("ordrs").unwrap();
        let span = Span::new(at, at + 5);
        let error = Diagnostic::error(span, "no table named `ordrs`").help("did you mean `orders`?");
        let warning = Diagnostic::warning(Span::new(0, text.len()), "unused");
        let said = commands_for("blueprints/shop.yaml", text, vec![error, warning], "");
        assert_eq!(
            said,
            [
                "::error file=blueprints/shop.yaml,line=2,endLine=2,col=17,endColumn=21::no table named `ordrs`%0Ahelp: did you mean `orders`?",
                "::warning file=blueprints/shop.yaml,line=1,endLine=2::unused",
            ]
        );
    }

    #[test]
    fn nothing_in_a_name_or_a_message_ends_a_command() {
        let diagnostic = Diagnostic::error(Span::new(0, 1), "100 % of\r\n::error::forged, or not: x");
        let said = commands_for("a,b:c%\n.yaml", "x", vec![diagnostic], "lakes/shop");
        assert_eq!(
            said,
            [
                "::error file=lakes/shop/a%2Cb%3Ac%25%0A.yaml,line=1,endLine=1,col=1,endColumn=1::100 %25 of%0D%0A::error::forged, or not: x"
            ]
        );
    }

    #[test]
    fn places_are_always_places() {
        for (start, end) in [(0, 0), (3, 3), (0, 3), (2, 3)] {
            let said = commands_for("x", "ab\n", vec![Diagnostic::error(Span::new(start, end), "m")], "");
            assert!(said[0].starts_with("::error file=x,line="), "{said:?}");
        }
    }
}
