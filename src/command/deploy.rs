//! `lakegen deploy`

use std::io::IsTerminal;

use futures_util::future::LocalBoxFuture;

use super::Context;
use super::cloud::Cloud;
use super::local::runtime;
use crate::cli::Deploy;
use crate::deploy::Error;
use crate::deploy::danger::{Danger, Sort};
use crate::deploy::execute;
use crate::failure::Failure;
use crate::local::interrupt::Interrupt;
use crate::report::Paint;
use crate::report::deploy::DeployReport;
use crate::report::plan;

pub fn run(args: &Deploy, context: &Context<'_>) -> Result<(), Failure> {
    let mut cloud = Cloud::open_stack(&args.env, args.stack, context)?;
    cloud.assembly.service_role = args.service_role.clone();
    let report = DeployReport::new(context.console);
    // One question at a time, and nothing drawn over it.
    let asking = tokio::sync::Mutex::new(());
    let approve = |dangers: Vec<Danger>| -> LocalBoxFuture<'_, Result<(), Error>> {
        Box::pin(async {
            let dangers = dangers;
            let _asking = asking.lock().await;
            report.hide();
            let answer = approve(args, context, cloud.assembly.protected, &dangers).await;
            report.show();
            answer
        })
    };
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        let mut interrupt = Interrupt::listen()?;
        let session = cloud.session(&report).await?;
        let deployed = execute::deploy(&session, &cloud.assembly, &report, &approve, interrupt.received()).await;
        deployed.map_err(|error| cloud.failure(error))
    });
    report.clear();
    runtime.shutdown_background();
    Ok(report.outcome(&outcome?)?)
}

/// Data may be lost only where `--allow-data-loss` names it, or somebody at a terminal types its name; whatever else is dangerous
/// needs `--yes` or a yes.
async fn approve(args: &Deploy, context: &Context<'_>, protected: bool, dangers: &[Danger]) -> Result<(), Error> {
    let (losses, others): (Vec<_>, Vec<_>) = dangers.iter().partition(|danger| danger.sort == Sort::DataLoss);
    // What is left behind goes as well, for the stack policy of a protected stack.
    let goes = |danger: &&Danger| matches!(danger.sort, Sort::DataLoss | Sort::LeftBehind);
    if protected && let Some(goes) = dangers.iter().find(goes) {
        return Err(Error::NotAllowed(format!(
            "{} holds data and the environment is protected ({}); deploy once without `protected: true` if that is meant, or say \
             with `was` what it was called before",
            goes.thing(),
            goes.what,
        )));
    }
    let unnamed = losses.into_iter().filter(|loss| !args.allow_data_loss.iter().any(|thing| thing == loss.thing()));
    let unnamed: Vec<_> = unnamed.collect();
    if unnamed.is_empty() && (others.is_empty() || args.yes) {
        return Ok(());
    }
    context.console.note(&plan::dangers(dangers, Paint(context.console.color)));
    let asks = !args.yes && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    for loss in &unnamed {
        let thing = loss.thing();
        let question = format!("type `{thing}` to lose what it holds:");
        let typed = if asks { context.console.ask(&question).await } else { None };
        if typed.is_none_or(|typed| typed != thing) {
            let message = format!("{thing} would be lost; `--allow-data-loss {thing}` allows it");
            return Err(Error::NotAllowed(message));
        }
    }
    if !others.is_empty() && !args.yes {
        let answer = if asks { context.console.ask("go on? [y/N]").await } else { None };
        if answer.is_none_or(|answer| !matches!(answer.as_str(), "y" | "yes")) {
            let message = "this was not allowed; `--yes` allows everything but the loss of data";
            return Err(Error::NotAllowed(message.to_owned()));
        }
    }
    Ok(())
}
