//! `lakegen run`

use super::Context;
use super::local::{cloud_is_not_here, failed, runtime};
use crate::cli::Run;
use crate::diagnostic::did_you_mean;
use crate::failure::{Exit, Failure};
use crate::lake::{Lake, StepId};
use crate::local::{self, Error, RunOptions};
use crate::report::Report;

pub fn run(args: &Run, context: &Context<'_>) -> Result<(), Failure> {
    let lake = context.lake()?;
    cloud_is_not_here(&args.env, &lake)?;
    let steps = args.steps.iter().map(|name| step(&lake, name)).collect::<Result<Vec<_>, _>>()?;
    let options = RunOptions { data: args.data.clone(), users: args.users, steps, force: args.force };
    let report = Report::new(context.console);
    let runtime = runtime()?;
    let outcome = runtime.block_on(local::run(&lake, &options, &report));
    report.clear();
    // Threads that still copy or generate files have nothing more to contribute.
    runtime.shutdown_background();
    let outcome = outcome.map_err(interrupted)?;
    report.outcome(&outcome)?;
    if outcome.succeeded() { Ok(()) } else { Err(Failure::shown(Exit::Step)) }
}

fn interrupted(error: Error) -> Failure {
    let help = error.help();
    match error {
        Error::Interrupted => Failure { exit: Exit::Interrupted, error: Some(error.into()), help },
        other => failed(other, help),
    }
}

fn step(lake: &Lake, name: &str) -> Result<StepId, Failure> {
    let names = || lake.steps.iter().map(|step| lake.step_name(step.id));
    let found = lake.steps.iter().find(|step| lake.step_name(step.id) == name);
    found.map(|step| step.id).ok_or_else(|| {
        let help = did_you_mean(name, names())
            .unwrap_or_else(|| format!("the steps are {}", names().collect::<Vec<_>>().join(", ")));
        Failure::usage(format!("no step named `{name}`"), Some(help))
    })
}
