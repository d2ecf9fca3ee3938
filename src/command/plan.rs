//! `lakegen plan`

use std::io::IsTerminal;

use super::Context;
use super::cloud::Cloud;
use super::local::runtime;
use crate::cli::{Plan, PlanFormat};
use crate::deploy::execute;
use crate::failure::{Exit, Failure};
use crate::report::Paint;
use crate::report::deploy::DeployReport;
use crate::report::plan;

pub fn run(args: &Plan, context: &Context<'_>) -> Result<(), Failure> {
    let cloud = Cloud::open_stack(&args.env, args.stack, context)?;
    let report = DeployReport::new(context.console);
    let found = runtime()?.block_on(async {
        let session = cloud.session(&report).await?;
        execute::plan(&session, &cloud.assembly, &report).await.map_err(|error| cloud.failure(error))
    });
    report.clear();
    let found = found?;
    match args.format {
        _ if context.console.json => context.console.json(&found)?,
        PlanFormat::Text => {
            let paint = Paint(context.console.color && std::io::stdout().is_terminal());
            context.console.result(&plan::text(&found, paint))?;
        }
        PlanFormat::Markdown => {
            let text = plan::markdown(&found).map_err(|error| Failure::edge(error, None))?;
            context.console.result(&text)?;
        }
    }
    if args.detailed_exitcode && (found.changes() || found.uploads > 0) {
        return Err(Failure::shown(Exit::Changes));
    }
    Ok(())
}
