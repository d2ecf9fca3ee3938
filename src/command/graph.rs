//! `lakegen graph`

use super::Context;
use crate::cli::{Graph, GraphFormat, GraphView};
use crate::failure::Failure;
use crate::graph::{lineage, relations};

pub fn run(args: &Graph, context: &Context<'_>) -> Result<(), Failure> {
    let lake = context.lake()?;
    let picture = match (args.view, args.format) {
        (GraphView::Lineage, GraphFormat::Svg) => lineage(&lake).svg(),
        (GraphView::Lineage, GraphFormat::Mermaid) => lineage(&lake).mermaid(),
        (GraphView::Lineage, GraphFormat::Dot) => lineage(&lake).dot(),
        (GraphView::Model, GraphFormat::Svg) => relations(&lake).svg(),
        (GraphView::Model, GraphFormat::Mermaid) => relations(&lake).mermaid(),
        (GraphView::Model, GraphFormat::Dot) => relations(&lake).dot(),
    };
    let Some(path) = &args.out else { return Ok(context.console.result(&picture)?) };
    std::fs::write(path, picture).map_err(|source| {
        let help = "check the folder, its permissions and the free space".to_owned();
        Failure::edge(WriteError { path: path.clone(), source }, help)
    })?;
    context.console.note(&format!("wrote {}", path.display()));
    Ok(())
}

/// A picture cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("`{}` cannot be written", path.display())]
struct WriteError {
    path: std::path::PathBuf,
    source: std::io::Error,
}
