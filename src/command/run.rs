//! `lakegen run`

use super::Context;
use super::deployed::{self, Place};
use super::local::{failed, runtime};
use crate::cli::Run;
use crate::diagnostic::did_you_mean;
use crate::failure::{Exit, Failure};
use crate::lake::{Environment, Lake, Pipeline, StepId};
use crate::local::interrupt::Interrupt;
use crate::local::outcome::Outcome;
use crate::local::{self, RunOptions};
use crate::operate::Error;
use crate::operate::ledger::Ledger;
use crate::operate::run::{self as aws, Start};
use crate::report::Report;

pub fn run(args: &Run, context: &Context<'_>) -> Result<(), Failure> {
    let lake = context.lake()?;
    let place = Place::of(&args.env, &lake)?;
    let there = match place {
        Place::Local => &lake,
        Place::Cloud(copy, _) => copy,
    };
    let steps = args.steps.iter().map(|name| step(there, name)).collect::<Result<Vec<_>, _>>()?;
    let pipeline = args.pipeline.as_ref().map(|name| pipeline(there, name)).transpose()?;
    let report = Report::new(context.console);
    let runtime = runtime()?;
    let outcome = match place {
        Place::Local => {
            refuse(
                &[("--detach", args.detach), ("--follow", args.follow.is_some()), ("--cancel", args.cancel.is_some())],
                args,
            )?;
            let steps = pipeline.map_or(steps, |pipeline| pipeline.steps.clone());
            let options = RunOptions { data: args.data.clone(), users: args.users, steps, force: args.force };
            runtime.block_on(local::run(&lake, &options, &report)).map(Some).map_err(interrupted)
        }
        Place::Cloud(lake, environment) => {
            refuse(
                &[("--data", args.data.is_some()), ("--users", args.users.is_some()), ("--force", args.force)],
                args,
            )?;
            runtime.block_on(run_in_aws(args, lake, environment, &report, context))
        }
    };
    report.clear();
    // Threads that still copy or generate files have nothing more to contribute.
    runtime.shutdown_background();
    let Some(outcome) = outcome? else { return Ok(()) };
    report.outcome(&outcome)?;
    if outcome.succeeded() { Ok(()) } else { Err(Failure::shown(Exit::Step)) }
}

/// Starts, stops or finds a run, and follows it. Nothing comes of one that is left to itself.
async fn run_in_aws(
    args: &Run,
    lake: &Lake,
    environment: &Environment,
    report: &Report,
    context: &Context<'_>,
) -> Result<Option<Outcome>, Failure> {
    let mut interrupt = Interrupt::listen()?;
    let (session, deployed) = deployed::find(lake, environment).await?;
    let ledger = Ledger::of(&session, &deployed).map_err(deployed::failure)?;
    let again =
        |run: &str| format!("`lakegen run --env {} --follow {run}` follows it, `--cancel {run}` stops it", args.env);
    let run = match (&args.follow, &args.cancel) {
        (Some(run), _) => run.clone(),
        (None, Some(run)) => {
            aws::cancel(&session, &deployed, run).await.map_err(deployed::failure)?;
            run.clone()
        }
        (None, None) => {
            let start = match &args.pipeline {
                Some(name) => Start::Pipeline(name),
                None => Start::Steps(&args.steps),
            };
            let answer = aws::start(&session, &deployed, start).await.map_err(deployed::failure)?;
            if args.detach {
                if context.console.json {
                    context.console.json(&answer)?;
                } else {
                    context.console.result(&answer.run)?;
                }
                context.console.note(&again(&answer.run));
                return Ok(None);
            }
            context.console.note(&format!("run {} (Ctrl-C leaves it running)", answer.run));
            answer.run
        }
    };
    tokio::select! {
        outcome = aws::follow(&ledger, lake, &deployed, &run, report) => outcome.map(Some).map_err(deployed::failure),
        () = interrupt.received() => {
            Err(deployed::failure(Error::Interrupted { what: format!("run {run} goes on"), help: Some(again(&run)) }))
        }
    }
}

/// Refuses options that have no meaning where the lake runs.
fn refuse(options: &[(&str, bool)], args: &Run) -> Result<(), Failure> {
    match options.iter().find(|(_, given)| *given) {
        Some((option, _)) => {
            let message = format!("`{option}` has no meaning with `--env {}`", args.env);
            Err(Failure::usage(
                message,
                Some("`lakegen run --help` says which options go with which environment".to_owned()),
            ))
        }
        None => Ok(()),
    }
}

fn pipeline<'a>(lake: &'a Lake, name: &str) -> Result<&'a Pipeline, Failure> {
    let names = || lake.pipelines.values().map(|pipeline| pipeline.name.as_str());
    lake.pipelines.values().find(|pipeline| pipeline.name == name).ok_or_else(|| {
        let help = did_you_mean(name, names())
            .unwrap_or_else(|| format!("the pipelines are {}", names().collect::<Vec<_>>().join(", ")));
        Failure::usage(format!("no pipeline named `{name}`"), Some(help))
    })
}

fn interrupted(error: local::Error) -> Failure {
    let help = error.help();
    match error {
        local::Error::Interrupted => Failure { exit: Exit::Interrupted, error: Some(error.into()), help },
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
