//! `lakegen destroy`

use std::collections::BTreeMap;
use std::io::IsTerminal;

use serde::Serialize;

use super::Context;
use super::cloud::Cloud;
use super::deployed::failure;
use super::local::runtime;
use crate::assembly::Assembly;
use crate::cli::Destroy;
use crate::deploy::Session;
use crate::deploy::bucket;
use crate::deploy::progress::Observer;
use crate::failure::{Exit, Failure};
use crate::local::interrupt::Interrupt;
use crate::operate::destroy::{self, Plan, Resource};
use crate::operate::{Deployed, Error, gc};
use crate::report::deploy::DeployReport;
use crate::text::{counted, printable};

/// What a destruction came to.
#[derive(Debug, Default, Serialize)]
struct Destroyed {
    /// The stacks that are gone.
    stacks: Vec<String>,
    /// The buckets that are gone, with what was in them.
    buckets: Vec<String>,
    /// What stays in the account.
    retained: Vec<Resource>,
    /// The bucket of the assets, if it is gone too.
    assets: Option<String>,
}

pub fn run(args: &Destroy, context: &Context<'_>) -> Result<(), Failure> {
    let cloud = Cloud::open(&args.env, context)?;
    if cloud.assembly.protected {
        let message = format!("`{}` is protected, and what is protected is not destroyed", args.env);
        let help = "take `protected: true` out of the blueprint and deploy; then destroy".to_owned();
        return Err(Failure { exit: Exit::NotAllowed, ..Failure::edge(message, help) });
    }
    let report = DeployReport::new(context.console);
    let runtime = runtime()?;
    let destroyed = runtime.block_on(async {
        let session = cloud.session(&report).await?;
        take_down(args, &session, &cloud.assembly, context, &report).await
    });
    report.clear();
    runtime.shutdown_background();
    let destroyed = destroyed?;
    if context.console.json {
        return Ok(context.console.json(&destroyed)?);
    }
    Ok(context.console.result(&describe(&destroyed))?)
}

async fn take_down(
    args: &Destroy,
    session: &Session,
    assembly: &Assembly,
    context: &Context<'_>,
    observer: &dyn Observer,
) -> Result<Destroyed, Failure> {
    let mut destroyed = Destroyed::default();
    match Deployed::find(session, &assembly.lake, &assembly.environment).await {
        Ok(deployed) => {
            let needs = assembly.stacks.iter().map(|stack| (stack.name.clone(), stack.depends_on.clone()));
            let needs: BTreeMap<_, _> = needs.collect();
            let plan = destroy::plan(session, &deployed, &needs).await.map_err(failure)?;
            if let Some(stack) = plan.protected.first() {
                let message = format!("the stack `{stack}` has termination protection");
                let help = format!("`lakegen deploy --env {}` takes it away, now that nothing is protected", args.env);
                return Err(Failure { exit: Exit::NotAllowed, ..Failure::edge(message, help) });
            }
            context.console.note(&announce(&plan));
            confirm(args, assembly, context).await?;
            // From here on; until then Ctrl-C ends the process, and nothing has happened.
            let mut interrupt = Interrupt::listen()?;
            tokio::select! {
                done = destroy::destroy(session, &deployed, &plan, observer) => done.map_err(failure)?,
                () = interrupt.received() => {
                    let what = "what has begun goes on in AWS".to_owned();
                    let help = Some("run the same command again: it goes on where this one ended".to_owned());
                    return Err(failure(Error::Interrupted { what, help }));
                }
            }
            destroyed.stacks = plan.stacks.into_iter().flatten().collect();
            destroyed.buckets = plan.buckets.into_iter().map(|bucket| bucket.name).collect();
            destroyed.retained = plan.retained;
        }
        Err(Error::NotDeployed { .. }) => {
            if args.assets {
                confirm(args, assembly, context).await?;
            }
        }
        Err(error) => return Err(failure(error)),
    }
    if args.assets {
        let bucket = bucket::name(assembly, session);
        let gone = gc::remove_bucket(session, &bucket, observer).await.map_err(failure)?;
        destroyed.assets = gone.then_some(bucket);
    }
    Ok(destroyed)
}

/// What will happen, before it does.
fn announce(plan: &Plan) -> String {
    let mut lines = vec![format!("this takes down {} of {}:", stacks(plan), name(&plan.lake, &plan.environment))];
    lines.extend(plan.stacks.iter().flatten().map(|stack| format!("  {stack}")));
    if !plan.buckets.is_empty() || !plan.tables.is_empty() {
        lines.push("and with it, for ever, every version of everything in:".to_owned());
        lines.extend(plan.buckets.iter().chain(&plan.tables).map(line));
    }
    if !plan.retained.is_empty() {
        lines.push("what stays:".to_owned());
        lines.extend(plan.retained.iter().map(line));
    }
    lines.join("\n")
}

fn stacks(plan: &Plan) -> String {
    counted(plan.stacks.iter().flatten().count(), "stack")
}

fn line(resource: &Resource) -> String {
    format!("  {} {}", resource.kind, printable(&resource.name, &[]))
}

fn name(lake: &str, environment: &str) -> String {
    format!("{lake}-{environment}")
}

/// Somebody at a terminal types the name of what goes; anywhere else `--yes` says it.
async fn confirm(args: &Destroy, assembly: &Assembly, context: &Context<'_>) -> Result<(), Failure> {
    let name = name(&assembly.lake, &assembly.environment);
    let given = match &args.yes {
        Some(given) => Some(given.clone()),
        None if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() => {
            context.console.ask(&format!("type `{name}` to destroy it:")).await
        }
        None => None,
    };
    match given {
        Some(given) if given == name => Ok(()),
        Some(given) => {
            let message = format!("`{}` is not `{name}`: nothing was destroyed", printable(&given, &[]));
            Err(Failure { exit: Exit::NotAllowed, ..Failure::edge(message, None) })
        }
        None => {
            let help = format!("`--yes {name}` says that it is meant");
            Err(Failure {
                exit: Exit::NotAllowed,
                ..Failure::edge("nobody has confirmed: nothing was destroyed", help)
            })
        }
    }
}

fn describe(destroyed: &Destroyed) -> String {
    let Destroyed { stacks, buckets, retained, assets } = destroyed;
    let mut lines = Vec::new();
    lines.extend(stacks.iter().map(|stack| format!("deleted {stack}")));
    lines.extend(buckets.iter().map(|bucket| format!("deleted {bucket} and everything in it")));
    lines.extend(assets.iter().map(|bucket| format!("deleted {bucket} and the assets in it")));
    if lines.is_empty() {
        lines.push("there was nothing to destroy".to_owned());
    }
    if !retained.is_empty() {
        lines.push("what stays in the account:".to_owned());
        lines.extend(retained.iter().map(line));
    }
    lines.join("\n")
}
