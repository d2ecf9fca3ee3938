//! `lakegen serve`

use std::sync::Arc;

use serde_json::json;

use super::Context;
use super::local::{failed, prepare, runtime};
use crate::cli::Serve;
use crate::console::Console;
use crate::failure::Failure;
use crate::lake::{Access, Api, Lake};
use crate::local::interrupt::Interrupt;
use crate::local::layout::Layout;
use crate::local::process::Groups;
use crate::local::serve::{Event, Options, ServeError, Server, Site};
use crate::report::Report;

pub fn run(args: &Serve, context: &Context<'_>) -> Result<(), Failure> {
    let lake = context.lake()?;
    runtime()?.block_on(serve(&lake, args, context.console))
}

async fn serve(lake: &Lake, args: &Serve, console: Console) -> Result<(), Failure> {
    let groups = Groups::default();
    let environment = prepare(&Report::new(console), &groups).await?;
    let mut interrupt = Interrupt::listen()?;
    let verbose = args.verbose;
    let observer = Arc::new(move |event: Event| {
        if verbose || !matches!(event, Event::Log { .. }) {
            console.note(&event.to_string());
        }
    });
    let options = Options { port: args.port, announce: true, observer, ..Options::default() };
    let site = Site::of(lake, &Layout::new(&lake.root));
    let server = Server::start(site, &environment, &groups, options).await.map_err(explain)?;
    if let Some(api) = &lake.api {
        welcome(&server, api, console)?;
    }
    interrupt.received().await;
    server.stop().await;
    Ok(())
}

fn welcome(server: &Server, api: &Api, console: Console) -> Result<(), Failure> {
    let address = format!("http://{}", server.address());
    let routes = api.routes.iter().map(|route| (route.method.as_str(), &route.path));
    if console.json {
        let routes: Vec<String> = routes.map(|(method, path)| format!("{method} {path}")).collect();
        console.json(&json!({ "address": address, "api_key": server.api_key(), "routes": routes }))?;
        return Ok(());
    }
    console.result(&address)?;
    for (method, path) in routes {
        console.note(&format!("  {method} {address}{path}"));
    }
    match (&api.access, server.api_key()) {
        (Access::ApiKey, Some(key)) => console.note(&format!("send the header `x-api-key: {key}`; Ctrl-C ends")),
        (Access::Iam, _) => console.note("sign requests, signatures are not verified here; Ctrl-C ends"),
        (Access::Cognito { .. }, _) => {
            console.note("send `authorization: Bearer <token>`, tokens are not verified here; Ctrl-C ends");
        }
        (Access::ApiKey | Access::Public, _) => console.note("Ctrl-C ends"),
    }
    Ok(())
}

pub fn explain(error: ServeError) -> Failure {
    let help = error.help();
    failed(error, help)
}
