//! What is changed on GitHub, as people read it.

use std::fmt::Write as _;

use crate::github::connect::{Pull, Step};
use crate::text::{counted, printable};

/// Longer values are cut.
const MAX_VALUE: usize = 100;

/// The steps as text, each with what becomes different.
#[must_use]
pub fn text(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        let _ = writeln!(text, "{}", line(step));
        let differences: &[String] = match step {
            Step::Environment { differences, .. } | Step::Rules { differences, .. } => differences,
            Step::Pull(pull) => {
                for (path, _) in &pull.files {
                    let _ = writeln!(text, "    {path}");
                }
                &[]
            }
            _ => &[],
        };
        for difference in differences {
            let _ = writeln!(text, "    {}", printable(difference, &[]));
        }
    }
    text
}

/// A step in one line.
#[must_use]
pub fn line(step: &Step) -> String {
    match step {
        Step::Environment { name, new, .. } => format!("{} environment `{name}`", mark(*new)),
        Step::AllowBranch { environment, pattern } => {
            format!("+ `{}` may be deployed to `{environment}`", shown(pattern))
        }
        Step::RefuseBranch { environment, pattern, .. } => {
            format!("- `{}` may be deployed to `{environment}`", shown(pattern))
        }
        Step::Variable { environment, name, value, before } => {
            let before = before.as_ref().map(|before| format!("{} → ", shown(before))).unwrap_or_default();
            let new = before.is_empty();
            format!("{} variable {name}{}: {before}{}", mark(new), place(environment.as_deref()), shown(value))
        }
        Step::Secret { environment, name, new, .. } => {
            format!("{} secret {name}{}", mark(*new), place(environment.as_deref()))
        }
        Step::Rules { branch, id, .. } => format!("{} rules for `{branch}`", mark(id.is_none())),
        Step::Pull(Pull { open, base, files, .. }) => match open {
            Some((number, _)) => format!("~ pull request #{number} into `{base}`: {}", counted(files.len(), "file")),
            None => format!("+ pull request into `{base}`: {}", counted(files.len(), "file")),
        },
    }
}

fn mark(new: bool) -> &'static str {
    if new { "+" } else { "~" }
}

fn place(environment: Option<&str>) -> String {
    environment.map(|environment| format!(" of `{environment}`")).unwrap_or_default()
}

fn shown(value: &str) -> String {
    let text = printable(value, &[]);
    match text.char_indices().nth(MAX_VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
