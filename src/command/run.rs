//! `lakegen run`

use super::Context;
use crate::cli::Run;
use crate::diagnostic::did_you_mean;
use crate::failure::{Exit, Failure};
use crate::lake::{Lake, StepId};
use crate::local::{self, Error, RunOptions};
use crate::report::Report;

pub fn run(args: &Run, context: &Context<'_>) -> Result<(), Failure> {
    if args.env != "local" {
        return Err(Failure::usage(
            format!("`{}` is not an environment that pipelines can be run in from here", args.env),
            Some("`--env local` runs them on this machine".to_owned()),
        ));
    }
    let lake = context.lake()?;
    let options =
        RunOptions { data: args.data.clone(), users: args.users, steps: steps(&lake, &args.steps)?, force: args.force };
    let report = Report::new(context.console);
    let runtime = tokio::runtime::Runtime::new()?;
    let result = runtime.block_on(local::run(&lake, &options, &report));
    // Threads that still copy or generate files have nothing more to contribute.
    runtime.shutdown_background();
    match result {
        Ok(outcome) => {
            report.outcome(&outcome)?;
            if outcome.succeeded() { Ok(()) } else { Err(Failure::shown(Exit::Step)) }
        }
        Err(error) => {
            report.clear();
            let exit = if matches!(error, Error::Interrupted) { Exit::Interrupted } else { Exit::Edge };
            let help = error.help();
            Err(Failure { exit, error: Some(error.into()), help })
        }
    }
}

/// The steps of these names; a name that several kinds share means all of them.
fn steps(lake: &Lake, names: &[String]) -> Result<Vec<StepId>, Failure> {
    let all: Vec<StepId> = lake.steps.iter().map(|step| step.id).collect();
    let mut found = Vec::new();
    for name in names {
        let before = found.len();
        found.extend(all.iter().filter(|step| lake.step_name(**step) == name));
        if found.len() == before {
            let help = did_you_mean(name, all.iter().map(|step| lake.step_name(*step)));
            return Err(Failure::usage(format!("no step named `{name}`"), help));
        }
    }
    Ok(found)
}
