//! `lakegen serve` and `lakegen call`

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::Method;

use super::Context;
use super::local::{cloud_is_not_here, failed, prepare, runtime};
use crate::cli::{Call, Serve};
use crate::diagnostic::listed;
use crate::failure::{Exit, Failure};
use crate::lake;
use crate::local::interrupt::Interrupt;
use crate::local::layout::Layout;
use crate::local::process::Groups;
use crate::local::serve::{Event, Options, Reply, Running, ServeError, Server, Site};
use crate::report::Report;

fn explain(error: ServeError) -> Failure {
    let help = error.help();
    failed(error, help)
}

pub fn serve(args: &Serve, context: &Context<'_>) -> Result<(), Failure> {
    let lake = context.lake()?;
    let layout = Layout::new(&lake.root);
    let console = context.console;
    let verbose = args.verbose;
    let observer = Arc::new(move |event: Event| match event {
        Event::Request { method, path, status, took, problem } => {
            let milliseconds = took.as_secs_f64() * 1000.0;
            console.note(&format!("{method} {path} {status} {milliseconds:.1} ms"));
            if let Some(problem) = problem {
                console.note(&format!("  {problem}"));
            }
        }
        Event::Log { function, line } if verbose => console.note(&format!("  {function}: {line}")),
        Event::Log { .. } => {}
        Event::ModelLoaded { endpoint } => console.note(&format!("  model `{endpoint}` loaded")),
    });
    runtime()?.block_on(async {
        let groups = Groups::default();
        let report = Report::new(console);
        let environment = prepare(&report, &groups).await?;
        let mut interrupt = Interrupt::listen()?;
        let options = Options { port: args.port, announce: true, observer, ..Options::default() };
        let server = Server::start(Site::of(&lake, &layout), &environment, &groups, options).await.map_err(explain)?;
        let address = server.address();
        console.result(&format!("http://{address}"))?;
        for route in lake.api.iter().flat_map(|api| &api.routes) {
            console.note(&format!("  {} http://{address}{}", route.method.as_str(), route.path));
        }
        if let Some(key) = server.api_key() {
            console.note(&format!("send the header `x-api-key: {key}`; Ctrl-C ends"));
        }
        interrupt.received().await;
        server.stop().await;
        Ok(())
    })
}

pub fn call(args: &Call, context: &Context<'_>) -> Result<(), Failure> {
    let lake = context.lake()?;
    cloud_is_not_here(&args.env, &lake)?;
    let (method, path, query) = parse(&args.request)?;
    let body = Bytes::from(args.data.clone().unwrap_or_default());
    let layout = Layout::new(&lake.root);
    let (reply, problem) = runtime()?.block_on(async {
        if let Some(running) = Running::find(layout.base()).await {
            let reply = running.call(method, path, query, body).await.map_err(explain)?;
            return Ok::<_, Failure>((reply, None));
        }
        let groups = Groups::default();
        let environment = prepare(&Report::new(context.console), &groups).await?;
        let site = Site::of(&lake, &layout);
        let server = Server::start(site, &environment, &groups, Options::default()).await.map_err(explain)?;
        let (reply, problem) = server.call(method, path, query, body).await;
        server.stop().await;
        Ok((reply, problem))
    })?;
    let Reply { status, headers: _, body } = reply;
    context.console.note(&format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default()));
    let text = match serde_json::from_slice::<serde_json::Value>(&body) {
        Ok(json) => serde_json::to_string_pretty(&json).unwrap_or_default(),
        Err(_) => String::from_utf8_lossy(&body).into_owned(),
    };
    context.console.result(&text)?;
    if let Some(problem) = problem {
        context.console.note(&problem.to_string());
    }
    if status.is_success() { Ok(()) } else { Err(Failure::shown(Exit::Edge)) }
}

fn parse(request: &str) -> Result<(Method, &str, &str), Failure> {
    let wrong = |message: String| Failure::usage(message, Some("write it like `GET /users/42`".to_owned()));
    let (method, target) = request.trim().split_once(' ').unwrap_or(("GET", request.trim()));
    let names = lake::Method::ALL.map(lake::Method::as_str);
    if !names.contains(&method) {
        return Err(wrong(format!("no HTTP method named `{method}`; there are {}", listed(&names))));
    }
    let target = target.trim();
    if !target.starts_with('/') {
        return Err(wrong(format!("the path `{target}` does not begin with `/`")));
    }
    let method = Method::from_bytes(method.as_bytes()).map_err(|error| wrong(error.to_string()))?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Ok((method, path, query))
}
