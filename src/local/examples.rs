//! What the lake answers now: a few requests to its API, for people to look at.
use axum::body::Bytes;
use serde_json::{Value, json};

use super::files::{self, FileError, Fingerprint};
use super::layout::Layout;
use super::ledger::Ledger;
use super::outcome::ExampleAnswer;
use super::process::Groups;
use super::python::Environment;
use super::serve::dynamodb::KeyValueTable;
use super::serve::store::{DynamoStore, KeyKind};
use super::serve::{Options, ServeError, Server, Target};
use super::serve::{Site, key_value_table};
use crate::lake::{Function, Id, Lake, Method, Route, Segment};

const HOW_MANY: usize = 3;

/// `GET` requests whose parameters are found in the tables behind them: the parameter named like the key of a key-value table takes
/// keys of that table.
pub fn requests(lake: &Lake, layout: &Layout) -> Result<Vec<String>, FileError> {
    let mut requests = Vec::new();
    let routes = lake.api.iter().flat_map(|api| &api.routes);
    for route in routes.filter(|route| route.method == Method::Get) {
        requests.extend(paths(lake, layout, route)?.into_iter().map(|path| format!("GET {path}")));
    }
    requests.truncate(HOW_MANY);
    Ok(requests)
}

fn paths(lake: &Lake, layout: &Layout, route: &Route) -> Result<Vec<String>, FileError> {
    let mut paths = vec![String::new(); if route.path_parameters.is_empty() { 1 } else { HOW_MANY }];
    for segment in &route.segments {
        let values = match segment {
            Segment::Literal(text) => vec![text.clone(); paths.len()],
            Segment::Parameter(name) => keys(lake, layout, route.function, name)?,
        };
        paths.truncate(values.len());
        paths.iter_mut().zip(values).for_each(|(path, value)| {
            path.push('/');
            path.push_str(&value);
        });
    }
    Ok(paths)
}

/// Keys from different places of the table; none when no table has such a key.
fn keys(lake: &Lake, layout: &Layout, function: Id<Function>, name: &str) -> Result<Vec<String>, FileError> {
    let mut tables =
        lake.functions[function].reads.iter().filter_map(|id| key_value_table(lake, layout, &lake.tables[*id]));
    let holds = |table: &KeyValueTable| table.key.name == name && table.key.kind != KeyKind::Binary;
    let Some(table) = tables.find(|table| holds(table) && table.dir.is_dir()) else { return Ok(Vec::new()) };
    let store = DynamoStore::open(&table.dir, table.key).map_err(|error| FileError::new("read", &table.dir, error))?;
    let mut keys = store.keys();
    // Numbers in their order.
    keys.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    let spread = (1..=HOW_MANY).filter_map(|i| keys.get(keys.len() * i / (HOW_MANY + 1)));
    let plain = |key: &[u8]| key.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte));
    let mut found: Vec<String> =
        spread.filter(|key| plain(key)).map(|key| String::from_utf8_lossy(key).into_owned()).collect();
    found.dedup();
    Ok(found)
}

/// Everything that the answers depend on.
pub fn fingerprint(
    lake: &Lake,
    layout: &Layout,
    ledger: &Ledger,
    engine: &Fingerprint,
    requests: &[String],
) -> Result<Fingerprint, FileError> {
    let mut functions = Vec::new();
    for function in lake.functions.values() {
        let Function { name, source, handler, reads, calls, memory_mb: _, timeout_seconds: _, environment } = function;
        let held = |id: &Id<crate::lake::Table>| ledger.tables.get(&lake.tables[*id].name).map(|table| &table.contents);
        let released =
            |id: &Id<crate::lake::Model>| ledger.releases.get(&lake.models[*id].name).map(|r| &r.fingerprint);
        functions.push(json!({
            "name": name,
            "source": files::code_contents(&lake.root.join(source))?,
            "handler": handler,
            "reads": reads.iter().map(held).collect::<Vec<_>>(),
            "calls": calls.iter().map(released).collect::<Vec<_>>(),
            "environment": environment,
        }));
    }
    let all = json!({ "engine": engine, "base": layout.base(), "functions": functions, "requests": requests });
    Ok(Fingerprint::of(all.to_string().as_bytes()))
}

/// Serves the API for as long as the requests take.
pub async fn ask(
    lake: &Lake,
    layout: &Layout,
    environment: &Environment,
    groups: &Groups,
    requests: Vec<String>,
) -> Result<Vec<ExampleAnswer>, ServeError> {
    let server = Server::start(Site::of(lake, layout), environment, groups, Options::default()).await?;
    let mut answers = Vec::new();
    for request in requests {
        if let Ok(target) = request.parse::<Target>() {
            let (reply, problem) = server.call(target, Bytes::new()).await;
            let problem = problem.map(|problem| problem.to_string());
            let text = || Value::String(String::from_utf8_lossy(&reply.body).into_owned());
            let body = serde_json::from_slice(&reply.body).unwrap_or_else(|_| text());
            answers.push(ExampleAnswer { request, status: reply.status.as_u16(), body, problem });
        }
    }
    server.stop().await;
    Ok(answers)
}
