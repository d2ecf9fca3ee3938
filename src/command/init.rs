//! `lakegen init`

use std::path::Path;

use serde::Serialize;

use super::Context;
use crate::cli::Init;
use crate::failure::Failure;
use crate::starter::{Error, files, lake_name, write};

const NAME_RULE: &str = "at most 20 lower-case letters, digits, `-` and `_`, beginning with a letter";

#[derive(Serialize)]
struct Report<'a> {
    name: &'a str,
    directory: String,
    files: Vec<String>,
}

pub fn run(args: &Init, context: &Context<'_>) -> Result<(), Failure> {
    let directory = &args.directory;
    let name = match &args.name {
        Some(name) => given(name)?,
        None => of_folder(directory)?,
    };
    let files = files(args.from, &name).map_err(failure)?;
    write(&files, directory).map_err(failure)?;
    let report = Report {
        name: &name,
        directory: directory.display().to_string(),
        files: files.iter().map(|file| directory.join(&file.path).display().to_string()).collect(),
    };
    if context.console.json {
        return Ok(context.console.json(&report)?);
    }
    context.console.result(&report.files.join("\n"))?;
    let enter =
        if directory == Path::new(".") { String::new() } else { format!("  cd {}\n", quoted(&report.directory)) };
    context
        .console
        .note(&format!("\nwrote the lake `{name}`; next:\n{enter}  lakegen check\n  lakegen run --env local"));
    Ok(())
}

fn given(name: &str) -> Result<String, Failure> {
    match lake_name(name) {
        Some(valid) if valid == name => Ok(valid),
        other => {
            let suggestion = other.map(|valid| format!(": `{valid}`?")).unwrap_or_default();
            let message = format!("`{name}` cannot be the name of a lake");
            Err(Failure::usage(message, Some(format!("{NAME_RULE}{suggestion}"))))
        }
    }
}

fn of_folder(directory: &Path) -> Result<String, Failure> {
    let whole = std::fs::canonicalize(directory).or_else(|_| std::path::absolute(directory))?;
    let folder = whole.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    lake_name(&folder).ok_or_else(|| {
        let message = format!("the folder's name `{folder}` does not make a name for a lake");
        Failure::usage(message, Some(format!("choose one with `--name`: {NAME_RULE}")))
    })
}

/// As a word of a shell's command line.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '~');
    if path.chars().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

fn failure(error: Error) -> Failure {
    let help = error.help().to_owned();
    Failure::edge(error, help)
}
