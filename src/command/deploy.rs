//! `lakegen deploy`

use std::io::IsTerminal;

use super::Context;
use super::cloud::Cloud;
use super::local::runtime;
use crate::cli::Deploy;
use crate::deploy::Error;
use crate::deploy::danger::{Danger, Sort};
use crate::deploy::execute;
use crate::failure::Failure;
use crate::report::Paint;
use crate::report::deploy::DeployReport;
use crate::report::plan;

pub fn run(args: &Deploy, context: &Context<'_>) -> Result<(), Failure> {
    let cloud = Cloud::open(&args.env, context)?;
    let report = DeployReport::new(context.console);
    let approve = |dangers: &[Danger]| report.suspend(|| approve(args, context, cloud.assembly.protected, dangers));
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        let session = cloud.session(&report).await?;
        execute::deploy(&session, &cloud.assembly, &report, &approve).await.map_err(|error| cloud.failure(error))
    });
    report.clear();
    runtime.shutdown_background();
    Ok(report.outcome(&outcome?)?)
}

/// Data may be lost only where `--allow-data-loss` names it, or somebody at a terminal types its name; whatever else is dangerous
/// needs `--yes` or a yes.
fn approve(args: &Deploy, context: &Context<'_>, protected: bool, dangers: &[Danger]) -> Result<(), Error> {
    let (losses, others): (Vec<_>, Vec<_>) = dangers.iter().partition(|danger| danger.sort == Sort::DataLoss);
    if protected && let Some(loss) = losses.first() {
        return Err(Error::NotAllowed(format!(
            "{} holds data and the environment is protected ({}); deploy once without `protected: true` if that is meant",
            loss.thing(),
            loss.what,
        )));
    }
    let unnamed = losses.into_iter().filter(|loss| !args.allow_data_loss.iter().any(|thing| loss.is_called(thing)));
    let unnamed: Vec<_> = unnamed.collect();
    if unnamed.is_empty() && (others.is_empty() || args.yes) {
        return Ok(());
    }
    context.console.note(&plan::dangers(dangers, Paint(context.console.color)));
    let asks = !args.yes && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    for loss in &unnamed {
        let thing = loss.thing();
        let typed =
            asks && context.console.ask(&format!("type `{thing}` to lose what it holds:")).is_some_and(|t| t == thing);
        if !typed {
            let message = format!("{thing} would be lost; `--allow-data-loss {thing}` allows it");
            return Err(Error::NotAllowed(message));
        }
    }
    if !others.is_empty() && !args.yes {
        let yes =
            asks && context.console.ask("go on? [y/N]").is_some_and(|answer| matches!(answer.as_str(), "y" | "yes"));
        if !yes {
            let message = "this was not allowed; `--yes` allows everything but the loss of data";
            return Err(Error::NotAllowed(message.to_owned()));
        }
    }
    Ok(())
}
