//! `lakegen serve`

use std::sync::Arc;

use serde_json::json;

use super::Context;
use crate::cli::Serve;
use crate::console::Console;
use crate::failure::Failure;
use crate::lake::{Access, Api, Lake};
use crate::local::interrupt::Interrupt;
use crate::local::layout::Layout;
use crate::local::outcome::{Event as RunEvent, Reporter};
use crate::local::process::Groups;
use crate::local::python::{self, Environment, PythonError};
use crate::local::serve::{Event, Options, ServeError, Server, Site};
use crate::report::Report;

pub fn run(args: &Serve, context: &Context<'_>) -> Result<(), Failure> {
    let lake = context.lake()?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(serve(&lake, args, context.console))
}

async fn serve(lake: &Lake, args: &Serve, console: Console) -> Result<(), Failure> {
    let mut interrupt = Interrupt::listen()?;
    let groups = Groups::default();
    let environment = environment(&groups, console).await?;
    let verbose = args.verbose;
    let observer = Arc::new(move |event: Event| {
        if verbose || !matches!(event, Event::Log { .. }) {
            console.note(&event.to_string());
        }
    });
    let options = Options { port: args.port, announce: true, observer, ..Options::default() };
    let site = Site::of(lake, &Layout::new(&lake.root));
    let server = Server::start(site, &environment, &groups, options).await.map_err(failure)?;
    if let Some(api) = &lake.api {
        welcome(&server, api, console)?;
    }
    interrupt.received().await;
    server.stop().await;
    Ok(())
}

fn welcome(server: &Server, api: &Api, console: Console) -> Result<(), Failure> {
    let address = format!("http://{}", server.address());
    let routes: Vec<String> =
        api.routes.iter().map(|route| format!("{} {}", route.method.as_str(), route.path)).collect();
    if console.json {
        console.json(&json!({ "address": address, "api_key": server.api_key(), "routes": routes }))?;
        return Ok(());
    }
    let access = match (api.access, server.api_key()) {
        (Access::ApiKey, Some(key)) => format!("  with the header `x-api-key: {key}`\n"),
        (Access::Iam, _) => "  to signed requests; signatures are not verified here\n".to_owned(),
        (Access::ApiKey | Access::Public, _) => String::new(),
    };
    let routes: String = routes.iter().map(|route| format!("  {route}\n")).collect();
    console.result(&format!("{address} answers\n{access}{routes}Ctrl-C ends it"))?;
    Ok(())
}

/// The Python environment, made first if need be.
pub async fn environment(groups: &Groups, console: Console) -> Result<Environment, Failure> {
    let failure = |error: PythonError| {
        let help = error.help();
        Failure::edge(error, help)
    };
    let report = Report::new(console);
    let cache = python::cache_dir().map_err(failure)?;
    let prepared = python::prepare(&cache, groups, &|setup| report.event(RunEvent::Setup(setup))).await;
    report.clear();
    prepared.map_err(failure)
}

pub fn failure(error: ServeError) -> Failure {
    let help = error.help();
    Failure::edge(error, help)
}
