//! `lakegen check`

use std::path::PathBuf;

use serde::Serialize;

use super::Context;
use crate::diagnostic::Record;
use crate::failure::{Exit, Failure};
use crate::github::annotation;
use crate::text::counted;

#[derive(Serialize)]
struct Report<'a> {
    errors: usize,
    warnings: usize,
    diagnostics: Vec<Record<'a>>,
}

pub fn run(context: &Context<'_>) -> Result<(), Failure> {
    let project = context.project()?;
    let (lake, diagnostics) = project.check();
    if context.console.json {
        let (errors, warnings) = (diagnostics.errors(), diagnostics.warnings());
        context.console.json(&Report { errors, warnings, diagnostics: diagnostics.records() })?;
    } else {
        context.console.diagnostics(&diagnostics);
    }
    if std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
        context.console.commands(&annotation::commands(&diagnostics, &from_repository()));
    }
    let Some(lake) = lake else { return Err(Failure::shown(Exit::Blueprint)) };
    let (tables, steps) = (counted(lake.tables.len(), "table"), counted(lake.steps.len(), "step"));
    context.console.note(&format!("{}: {tables}, {steps}, no errors", project.source.name));
    Ok(())
}

/// The way from the root of the repository, which GitHub Actions names, to where lakegen runs.
fn from_repository() -> PathBuf {
    let canonical = |path: PathBuf| std::fs::canonicalize(path).ok();
    let root = std::env::var_os("GITHUB_WORKSPACE").and_then(|root| canonical(root.into()));
    let here = canonical(PathBuf::from("."));
    root.zip(here).and_then(|(root, here)| Some(here.strip_prefix(root).ok()?.to_owned())).unwrap_or_default()
}
