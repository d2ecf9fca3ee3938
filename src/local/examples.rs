//! What the lake answers now: a few requests to its API, for people to look at.
use axum::body::Bytes;
use serde_json::{Map, Value, json};

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

/// Examples, when the routes are fewer.
const HOW_MANY: usize = 3;
/// Routes of which there is an example.
const MOST_ROUTES: usize = 6;

/// One request for each route, and more where there are few routes: `GET` requests, and `POST` requests that can be made of empty lists alone,
/// the body behind the path. Their parameters are found in the tables behind them: the parameter named like the key of a key-value table takes keys of that table.
pub fn requests(lake: &Lake, layout: &Layout) -> Result<Vec<String>, FileError> {
    let mut routes = Vec::new();
    for route in lake.api.iter().flat_map(|api| &api.routes) {
        let Some(body) = body(route) else { continue };
        let method = route.method.as_str();
        let requests = paths(lake, layout, route)?.into_iter().map(|path| format!("{method} {path}{body}"));
        routes.push(requests.collect::<Vec<_>>());
    }
    routes.retain(|requests| !requests.is_empty());
    let rounds = (0..HOW_MANY).flat_map(|round| routes.iter().filter_map(move |requests| requests.get(round)));
    Ok(rounds.take(routes.len().clamp(HOW_MANY, MOST_ROUTES)).cloned().collect())
}

/// What follows the path of a request to a route; nothing when an example would have to make something up, or might change something.
fn body(route: &Route) -> Option<String> {
    match (route.method, &route.body) {
        (Method::Get, _) => Some(String::new()),
        (Method::Post, Some(fields)) if fields.iter().all(|field| field.list) => {
            let lists: Map<String, Value> = fields.iter().map(|field| (field.name.clone(), json!([]))).collect();
            Some(format!(" {}", Value::Object(lists)))
        }
        (Method::Post | Method::Put | Method::Patch | Method::Delete, _) => None,
    }
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
        let (target, body) = match request.split_once(" {") {
            Some((target, fields)) => (target, format!("{{{fields}")),
            None => (request.as_str(), String::new()),
        };
        if let Ok(target) = target.parse::<Target>() {
            let body = Bytes::from(body);
            let mut answer = server.call(target.clone(), body.clone()).await;
            // On a busy machine a model may take longer to start than a function waits for it; by now it has, or never will.
            if answer.0.status.is_server_error() {
                answer = server.call(target, body).await;
            }
            let (reply, problem) = answer;
            let problem = problem.map(|problem| problem.to_string());
            let text = || Value::String(String::from_utf8_lossy(&reply.body).into_owned());
            let body = serde_json::from_slice(&reply.body).unwrap_or_else(|_| text());
            answers.push(ExampleAnswer { request, status: reply.status.as_u16(), body, problem });
        }
    }
    server.stop().await;
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Project;

    #[test]
    fn every_route_that_can_be_asked_without_inventing_anything_has_an_example() {
        let root = tempfile::tempdir().unwrap();
        let routes = r#"
name: shop
functions: { main: { source: main } }
api:
  public: true
  routes:
    GET /now: { function: main }
    GET /users/{id}: { function: main }
    POST /cart: { function: main, body: { cart: { type: int, list: true, required: true } } }
    POST /review: { function: main, body: { text: { type: string, required: true } } }
    POST /anything: { function: main }
    DELETE /cart: { function: main }
"#;
        std::fs::create_dir(root.path().join("main")).unwrap();
        std::fs::write(root.path().join("main/handler.py"), "").unwrap();
        std::fs::write(root.path().join("lake.yaml"), routes).unwrap();
        let (lake, diagnostics) = Project::open(Some(&root.path().join("lake.yaml")), root.path()).unwrap().check();
        let lake = lake.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
        let requests = requests(&lake, &Layout::new(root.path())).unwrap();
        // No table says whose `id` could be asked for.
        assert_eq!(requests, ["GET /now", "POST /cart {\"cart\":[]}"]);
    }
}
