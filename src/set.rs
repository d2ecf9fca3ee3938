//! What an environment sets otherwise, put into the blueprint's tree before it is read: what is wrong with a value is then found where
//! everything else is, and shown at the line that sets it.

use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::kind::environment::SettingsSpec;
use crate::source::{Node, Span, Spanned, Value};

/// Sections that are the same in every environment.
const FIXED: [&str; 4] = ["name", "environments", "github", "sample"];
/// Sections that are no things by name.
const UNNAMED: [&str; 3] = ["api", "description", "lake_formation"];

/// What every path is: names with dots between them, those with dots in double quotes, and none of the sections that are fixed.
pub(crate) const PATHS: &str =
    r#"^(?!"?(?:name|environments|github|sample)"?(?:\.|$))(?:"[^"]+"|[^".][^.]*)(?:\.(?:"[^"]+"|[^".][^.]*))*$"#;

/// The tree as it is with the settings; those that lead nowhere are noted and left out.
pub(crate) fn apply(root: &Node, settings: &SettingsSpec, text: &str, noted: &mut Vec<Diagnostic>) -> Node {
    let mut root = root.clone();
    for (path, value) in &settings.0 {
        let put = segments(path, text).and_then(|path| put(&mut root, &path, value));
        noted.extend(put.err());
    }
    root
}

/// The names that a path is put together from, each with its place if the path is written plainly.
fn segments(path: &Spanned<String>, text: &str) -> Result<Vec<Spanned<String>>, Diagnostic> {
    let plain = text.get(path.span.range(text)) == Some(path.as_str());
    let place = |from: usize, to: usize| {
        let at = |offset: usize| path.span.start + u32::try_from(offset).unwrap_or(0);
        if plain { Span { start: at(from), end: at(to), ..path.span } } else { path.span }
    };
    let broken = |message: String| {
        Diagnostic::error(path.span, message).help(
            "put names together with dots, like `jobs.features.workers.max`; a name with a dot stands in double quotes",
        )
    };
    let mut names = Vec::new();
    let mut rest = path.as_str();
    loop {
        let from = path.len() - rest.len();
        let (name, length) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let end = quoted.find('"').ok_or_else(|| broken(format!("`{}` lacks a closing quote", path.value)))?;
                (&quoted[..end], end + 2)
            }
            None => {
                let end = rest.find('.').unwrap_or(rest.len());
                (&rest[..end], end)
            }
        };
        rest = &rest[length..];
        if name.is_empty() {
            return Err(broken(format!("`{}` has a name of no letters", path.value)));
        }
        names.push(Spanned::new(name.to_owned(), place(from, from + length)));
        if rest.is_empty() {
            return Ok(names);
        }
        rest = rest
            .strip_prefix('.')
            .ok_or_else(|| broken(format!("`{}` goes on behind a quote without a dot", path.value)))?;
    }
}

fn put(root: &mut Node, path: &[Spanned<String>], value: &Node) -> Result<(), Diagnostic> {
    let section = path.first().map(|name| name.as_str()).unwrap_or_default();
    if FIXED.contains(&section) {
        return Err(Diagnostic::error(path[0].span, format!("`{section}` is not for one environment to set")));
    }
    let mut node = root;
    for (depth, name) in path.iter().enumerate() {
        let last = depth + 1 == path.len();
        let whole = path[..depth].iter().map(|name| name.as_str()).collect::<Vec<_>>().join(".");
        if node.value == Value::Null {
            node.value = Value::Map(Vec::new());
        }
        let there = node.span;
        let noun = node.value.noun();
        let Value::Map(entries) = &mut node.value else {
            let message = format!("`{whole}` is {noun} and has no `{}`", name.value);
            return Err(Diagnostic::error(name.span, message)
                .related(there, "written here")
                .help(format!("set `{whole}` as a whole")));
        };
        let found = entries.iter().rposition(|(key, _)| key.value == name.value);
        let guessed = depth == 1 && !last && !UNNAMED.contains(&section);
        let at = match found {
            Some(at) => at,
            None => {
                let help = did_you_mean(name, entries.iter().map(|(key, _)| key.as_str()));
                if guessed || (depth == 0 && !last && help.is_some()) {
                    let owner = if depth == 0 { "the blueprint".into() } else { format!("`{whole}`") };
                    let message = format!("{owner} has no `{}`", name.value);
                    return Err(Diagnostic::error(name.span, message).maybe_help(help));
                }
                entries.push((name.clone(), Node { value: Value::Map(Vec::new()), span: name.span }));
                entries.len() - 1
            }
        };
        node = &mut entries[at].1;
    }
    *node = value.clone();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_knows_which_sections_no_environment_sets() {
        assert!(PATHS.starts_with(&format!(r#"^(?!"?(?:{})"?(?:\.|$))"#, FIXED.join("|"))));
    }
}
