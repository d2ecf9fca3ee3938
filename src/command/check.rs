//! `lakegen check`

use serde::Serialize;

use super::Context;
use crate::diagnostic::Record;
use crate::failure::{Exit, Failure};
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
    let Some(lake) = lake else { return Err(Failure::shown(Exit::Blueprint)) };
    let (tables, steps) = (counted(lake.tables.len(), "table"), counted(lake.steps.len(), "step"));
    context.console.note(&format!("{}: {tables}, {steps}, no errors", project.source.name));
    Ok(())
}
