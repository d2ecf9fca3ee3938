//! `lakegen call`

use axum::body::Bytes;
use axum::http::{HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use super::Context;
use super::deployed::{self, Place};
use super::local::{prepare, runtime};
use super::serve::explain;
use crate::cli::Call;
use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::lake::{Access, Environment, Lake};
use crate::local::layout::Layout;
use crate::local::process::Groups;
use crate::local::serve::{Options, Problem, Reply, Running, Server, Site, Target, TargetError};
use crate::operate::call::{self as gateway, Caller};
use crate::report::Report;

pub fn run(args: &Call, context: &Context<'_>) -> Result<(), Failure> {
    let target: Target = args.request.parse().map_err(|error: TargetError| {
        let help = error.help().to_owned();
        Failure::usage(error.to_string(), help)
    })?;
    let lake = context.lake()?;
    let body = args.data.clone().unwrap_or_default().into();
    let (reply, problem, help) = match Place::of(&args.env, &lake)? {
        Place::Local => {
            let (reply, problem) = runtime()?.block_on(call(&lake, target, body, context.console))?;
            (reply, problem, None)
        }
        Place::Cloud(lake, environment) => {
            let reply = runtime()?.block_on(call_gateway(args, lake, environment, target, body))?;
            let help = explain_refusal(&reply, lake, args);
            (reply, None, help)
        }
    };
    show(&reply, context.console)?;
    match problem {
        Some(problem) => {
            Err(Failure::edge(problem, "`.lakegen/local/serve/` has the logs of functions and models".to_owned()))
        }
        None if reply.status.is_client_error() || reply.status.is_server_error() => {
            Err(Failure { exit: Exit::Edge, error: Some(format!("the API answers {}", reply.status).into()), help })
        }
        None => Ok(()),
    }
}

/// Asks the API in AWS, as one who may.
async fn call_gateway(
    args: &Call,
    lake: &Lake,
    environment: &Environment,
    target: Target,
    body: Bytes,
) -> Result<Reply, Failure> {
    let (session, deployed) = deployed::find(lake, environment).await?;
    let access = lake.api.as_ref().map_or(&Access::Public, |api| &api.access);
    let caller = Caller { access, token: args.token.as_deref() };
    gateway::call(&session, &deployed, caller, target, body).await.map_err(deployed::failure)
}

/// What a gateway means that lets nobody in.
fn explain_refusal(reply: &Reply, lake: &Lake, args: &Call) -> Option<String> {
    let access = lake.api.as_ref().map(|api| &api.access)?;
    match (reply.status, access) {
        (StatusCode::UNAUTHORIZED, Access::Cognito { .. }) if args.token.is_none() => {
            Some("sign a user in and give their token with `--token`, or in LAKEGEN_TOKEN".into())
        }
        (StatusCode::UNAUTHORIZED, Access::Cognito { .. }) => {
            Some("the token has expired, or is of another pool".into())
        }
        (StatusCode::FORBIDDEN, Access::Iam) => Some(
            "the credentials need `execute-api:Invoke` on the API; `lakegen check` lists the routes there are".into(),
        ),
        (StatusCode::FORBIDDEN, _) => Some("API Gateway answers this, too, when there is no such route".into()),
        _ => None,
    }
}

/// Asks the server that is running, or one that is started for this call alone.
async fn call(lake: &Lake, target: Target, body: Bytes, console: Console) -> Result<(Reply, Option<Problem>), Failure> {
    let layout = Layout::new(&lake.root);
    if let Some(running) = Running::find(layout.base()).await {
        let access = lake.api.as_ref().map_or(&Access::Public, |api| &api.access);
        return Ok((running.call(target, body, access).await.map_err(explain)?, None));
    }
    let groups = Groups::default();
    let environment = prepare(&Report::new(console), &groups).await?;
    let site = Site::of(lake, &layout);
    let server = Server::start(site, &environment, &groups, Options::default()).await.map_err(explain)?;
    let answer = server.call(target, body).await;
    server.stop().await;
    Ok(answer)
}

fn show(reply: &Reply, console: Console) -> Result<(), Failure> {
    let text = String::from_utf8_lossy(&reply.body);
    let body: Option<Value> = serde_json::from_str(&text).ok();
    if console.json {
        let header = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers: Map<String, Value> =
            reply.headers.iter().map(|(name, value)| (name.to_string(), header(value).into())).collect();
        let body = body.unwrap_or_else(|| text.into());
        console.json(&json!({ "status": reply.status.as_u16(), "headers": headers, "body": body }))?;
        return Ok(());
    }
    match body {
        Some(body) => console.json(&body)?,
        None if text.is_empty() => {}
        None => console.result(&text)?,
    }
    Ok(())
}
