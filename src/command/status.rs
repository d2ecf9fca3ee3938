//! `lakegen status`

use std::fmt::Write as _;

use super::Context;
use super::deployed::{self, Place};
use super::local::runtime;
use crate::cli::Status as Args;
use crate::failure::{Exit, Failure};
use crate::local::status as local;
use crate::operate::ledger::{Release, ReleaseState, Run, StepRun};
use crate::operate::status::{self, StackState, Status};
use crate::operate::{Deployed, Error};
use crate::rows::Rows;
use crate::text::{self, counted, printable};

pub fn run(args: &Args, context: &Context<'_>) -> Result<(), Failure> {
    let lake = context.lake()?;
    match Place::of(&args.env, &lake)? {
        Place::Local => {
            let status = runtime()?.block_on(local::of(&lake)).map_err(|error| Failure::edge(error, None))?;
            if context.console.json {
                return Ok(context.console.json(&status)?);
            }
            Ok(context.console.result(&describe_local(&status))?)
        }
        Place::Cloud(lake, environment) => {
            let status = runtime()?.block_on(async {
                let session = deployed::sign_in(environment).await?;
                match Deployed::find(&session, &lake.name, &environment.name).await {
                    Ok(deployed) => {
                        status::status(&session, &deployed, lake, args.drift).await.map_err(deployed::failure)
                    }
                    // What is looked at every day is not amiss because the first deploy is still to come.
                    Err(Error::NotDeployed { .. }) if args.drift => {
                        Ok(Status::nothing(&session, &lake.name, &environment.name))
                    }
                    Err(error) => Err(deployed::failure(error)),
                }
            })?;
            if context.console.json {
                context.console.json(&status)?;
            } else {
                context.console.result(&describe(&status, args.drift))?;
            }
            if args.detailed_exitcode && status.drifted() {
                return Err(Failure::shown(Exit::Changes));
            }
            Ok(())
        }
    }
}

fn describe(status: &Status, sought: bool) -> String {
    let Status { lake, environment, account, region, api, stacks, steps, runs, models, endpoints } = status;
    let mut text = format!("{lake} in {environment} (account {account}, {region})\n");
    if stacks.is_empty() {
        let _ = writeln!(text, "nothing is deployed, so nothing can have been changed by hand");
    }
    section(
        &mut text,
        &["stack", "status", "changed"],
        stacks
            .iter()
            .map(|stack| vec![stack.name.clone(), stack.status.name().to_owned(), text::moment(stack.changed)]),
    );
    for stack in stacks {
        drift(&mut text, stack, sought);
    }
    section(
        &mut text,
        &["run", "of", "state", "began", "ended"],
        runs.iter().map(|run| {
            let Run { run, pipeline, cause, state, started, ended, .. } = run;
            let of = pipeline.clone().or_else(|| cause.clone()).unwrap_or_default();
            vec![run.clone(), of, word(state), short(started.as_deref()), short(ended.as_deref())]
        }),
    );
    section(
        &mut text,
        &["step", "last", "began", "ended", "why"],
        steps.iter().map(|step| {
            let StepRun { step, kind, state, started, ended, message, .. } = step;
            let label = format!("{kind} {step}");
            vec![label, word(state), short(started.as_deref()), short(ended.as_deref()), one_line(message.as_deref())]
        }),
    );
    section(
        &mut text,
        &["model", "live", "since", "last release", "at", "metrics"],
        models.iter().map(|release| {
            let Release { model, state, ended, metrics, refusals, message, live, .. } = release;
            let metrics =
                metrics.iter().map(|(name, value)| format!("{name} {value:.4}")).collect::<Vec<_>>().join(", ");
            let why = match state {
                ReleaseState::Refused => refusals.join("; "),
                ReleaseState::Failed => message.clone().unwrap_or_default(),
                ReleaseState::Updating | ReleaseState::Released => metrics,
            };
            let training = live.as_ref().map_or("none", |live| live.training.as_str()).to_owned();
            let since = short(live.as_ref().and_then(|live| live.since.as_deref()));
            vec![model.clone(), training, since, word(state), short(ended.as_deref()), one_line(Some(&why))]
        }),
    );
    for endpoint in endpoints {
        let _ = write!(text, "\nendpoint {endpoint}");
    }
    if let Some(api) = api {
        let _ = write!(text, "\napi {api}");
    }
    text
}

fn drift(text: &mut String, stack: &StackState, sought: bool) {
    let Some(drifts) = &stack.drift else {
        if sought {
            let _ = writeln!(text, "{}: AWS looks for no drift in {}", stack.name, stack.status.name());
        }
        return;
    };
    if drifts.is_empty() {
        let _ = writeln!(text, "{}: nothing was changed by hand", stack.name);
        return;
    }
    let _ = writeln!(text, "{}: {} changed by hand", stack.name, counted(drifts.len(), "resource"));
    for drift in drifts {
        let gone = if drift.deleted { ": deleted" } else { "" };
        let _ = writeln!(text, "  {} {} {}{gone}", drift.resource, drift.kind, drift.physical);
        for difference in &drift.differences {
            let _ = writeln!(text, "    {}: {} → {}", difference.path, difference.expected, difference.actual);
        }
    }
}

fn describe_local(status: &local::Status) -> String {
    let mut text = format!("{} on this machine\n", status.lake);
    section(
        &mut text,
        &["step", "last", "rows", "seconds"],
        status.steps.iter().map(|step| {
            let rows = if step.rows.is_empty() { String::new() } else { text::thousands(step.rows.values().sum()) };
            let seconds = step.seconds.map(|seconds| format!("{seconds:.1}")).unwrap_or_default();
            vec![format!("{} {}", step.kind, step.name), step.state.word().to_owned(), rows, seconds]
        }),
    );
    section(
        &mut text,
        &["model", "metrics"],
        status.models.iter().map(|model| {
            let metrics = model.metrics.iter().map(|(name, value)| format!("{name} {value:.4}"));
            vec![model.name.clone(), metrics.collect::<Vec<_>>().join(", ")]
        }),
    );
    if let Some(api) = &status.api {
        let _ = write!(text, "\napi {api}");
    }
    text
}

/// A table, unless it has no rows.
fn section(text: &mut String, names: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let rows = Rows::of(names, rows);
    if !rows.rows.is_empty() {
        let _ = writeln!(text, "\n{}", rows.render(crate::cli::RowFormat::Table));
    }
}

/// `SUCCEEDED` is `succeeded`.
fn word(state: &impl serde::Serialize) -> String {
    let text = serde_json::to_value(state).ok().and_then(|value| value.as_str().map(str::to_lowercase));
    text.unwrap_or_default()
}

/// A time of the ledger to the second: `2026-11-25 03:00:00`.
fn short(time: Option<&str>) -> String {
    time.map(|time| time.chars().take(19).collect::<String>().replace('T', " ")).unwrap_or_default()
}

fn one_line(text: Option<&str>) -> String {
    let line: String = text.unwrap_or_default().lines().next().unwrap_or_default().chars().take(100).collect();
    printable(&line, &[])
}
