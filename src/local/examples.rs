//! What the lake answers after a run: a few routes asked for things that it has looked up.

use std::fs::File;
use std::io::{BufRead, BufReader};

use axum::body::Bytes;
use axum::http::Method;
use serde_json::Value;

use super::layout::Layout;
use super::outcome::ExampleAnswer;
use super::plan;
use super::process::Groups;
use super::python::Environment;
use super::serve::{Options, ServeError, Server, Site, Target};
use crate::lake::{self, Home, Lake, Route, Segment, Table};

/// How many answers are shown.
const ANSWERS: usize = 3;
/// Only the beginning of a table is looked through for keys.
const LINES: usize = 400;

/// Asks the API for a few things that its key-value tables hold: routes whose only parameter is such a table's key.
///
/// # Errors
/// When the servers cannot be started.
pub async fn ask(lake: &Lake, environment: &Environment, groups: &Groups) -> Result<Vec<ExampleAnswer>, ServeError> {
    let layout = Layout::new(&lake.root);
    let requests = requests(lake, &layout);
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let server = Server::start(Site::of(lake, &layout), environment, groups, Options::default()).await?;
    let mut answers = Vec::with_capacity(requests.len());
    for path in requests {
        let target = Target { method: Method::GET, path: path.clone(), query: String::new() };
        let (reply, _) = server.call(target, Bytes::new()).await;
        let body = serde_json::from_slice(&reply.body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&reply.body).into_owned()));
        answers.push(ExampleAnswer { request: format!("GET {path}"), status: reply.status.as_u16(), body });
    }
    server.stop().await;
    Ok(answers)
}

fn requests(lake: &Lake, layout: &Layout) -> Vec<String> {
    let routes = lake.api.iter().flat_map(|api| &api.routes).filter(|route| route.method == lake::Method::Get);
    let mut asked: Vec<Vec<String>> = routes.map(|route| paths(lake, layout, route)).collect();
    asked.retain(|paths| !paths.is_empty());
    let each = ANSWERS.div_ceil(asked.len().max(1));
    asked.into_iter().flat_map(|paths| paths.into_iter().take(each)).take(ANSWERS).collect()
}

/// The paths of a route for some keys of the first key-value table that its function reads.
fn paths(lake: &Lake, layout: &Layout, route: &Route) -> Vec<String> {
    let parameters: Vec<&String> = route
        .segments
        .iter()
        .filter_map(|segment| match segment {
            Segment::Parameter(name) => Some(name),
            Segment::Literal(_) => None,
        })
        .collect();
    let [parameter] = parameters.as_slice() else { return Vec::new() };
    let holds = |table: &Table| match table.home {
        Home::DynamoDb { key } => table.columns.get(key).is_some_and(|column| column.name == **parameter),
        Home::Zone { .. } => false,
    };
    let Some(table) = lake.functions[route.function].reads.iter().find(|id| holds(&lake.tables[**id])) else {
        return Vec::new();
    };
    let keys = keys(&plan::place(lake, layout, *table).join("items.jsonl"), parameter);
    keys.into_iter()
        .map(|key| {
            route.segments.iter().fold(String::new(), |path, segment| match segment {
                Segment::Literal(word) => format!("{path}/{word}"),
                Segment::Parameter(_) => format!("{path}/{key}"),
            })
        })
        .collect()
}

/// Some keys that are plain words, spread over the beginning of a table; small ones, which a person can remember, first.
fn keys(items: &std::path::Path, name: &str) -> Vec<String> {
    let Ok(file) = File::open(items) else { return Vec::new() };
    let key = |line: std::io::Result<String>| -> Option<String> {
        let item: Value = serde_json::from_str(&line.ok()?).ok()?;
        let attribute = item.get("Item")?.get(name)?.as_object()?.values().next()?;
        let text = attribute.as_str()?;
        (text != "0" && text.bytes().all(|b| b.is_ascii_alphanumeric())).then(|| text.to_owned())
    };
    let mut keys: Vec<String> = BufReader::new(file).lines().take(LINES).filter_map(key).collect();
    keys.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    keys.dedup();
    let step = (keys.len() / ANSWERS).max(1);
    keys.into_iter().step_by(step).take(ANSWERS).collect()
}
