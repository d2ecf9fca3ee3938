//! A GitHub on loopback that remembers: one repository with comments, environments, rules, files and pull requests. It answers what
//! lakegen asks and nothing else, notes every request, and says no when a test wants it to.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: Method,
    pub path: String,
    pub token: String,
}

/// An answer instead of the usual one.
#[derive(Debug, Clone)]
pub struct Fault {
    pub method: Method,
    /// How the path ends.
    pub path: &'static str,
    /// How often; it is spent after that.
    pub times: usize,
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Value,
}

/// What one environment holds.
#[derive(Debug, Clone, Default)]
pub struct Place {
    pub variables: BTreeMap<String, String>,
    pub secrets: BTreeMap<String, String>,
    pub rules: Vec<Value>,
    pub policy: Value,
    pub branches: Vec<(u64, String)>,
    pub tags: Vec<(u64, String)>,
}

#[derive(Debug, Default)]
pub struct Remembered {
    pub repository: Value,
    /// Whether the repository has another name now: who asks for the old one is sent to its number.
    pub moved: bool,
    /// What every path begins with, as on a GitHub Enterprise Server.
    pub base: &'static str,
    /// Who asks; nobody for the token of an app.
    pub login: Option<&'static str>,
    /// Headers of every answer.
    pub headers: Vec<(&'static str, String)>,
    /// Things on a page, when it is less than what is asked for.
    pub page: usize,
    pub comments: Vec<Value>,
    /// By name; the repository's own has none.
    pub places: BTreeMap<String, Place>,
    pub users: HashMap<String, u64>,
    pub teams: HashMap<String, u64>,
    pub rulesets: Vec<Value>,
    pub trees: HashMap<String, BTreeMap<String, String>>,
    /// Tree and parents by name.
    pub commits: HashMap<String, (String, Vec<String>)>,
    pub branches: BTreeMap<String, String>,
    pub pulls: Vec<Value>,
    pub faults: Vec<Fault>,
    pub asked: Vec<Asked>,
    /// The request for a change, counted from 0, that gets no proper answer, and whether it is heard nevertheless.
    pub dies_at: Option<(usize, bool)>,
    /// GitHub's own description of its API, held against every request.
    pub contract: Option<Contract>,
    /// What the description says about requests that it does not know.
    pub broken: Vec<String>,
    /// Opens secrets.
    pub key: Option<crypto_box::SecretKey>,
    pub next: u64,
}

pub struct GitHub {
    remembered: Arc<Mutex<Remembered>>,
    runtime: Option<tokio::runtime::Runtime>,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
}

pub const TOKEN: &str = "ghp_of_a_test";
const ROOT: &str = "/repos/acme/lake";
/// Where the repository is whatever it is called.
const NUMBER: &str = "/repositories/1296269";

impl GitHub {
    /// A GitHub with the repository `acme/lake`, whose branch `main` holds one file, seen by its administrator.
    pub fn start() -> Self {
        let remembered = Arc::new(Mutex::new(Remembered::new()));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state((remembered.clone(), url.clone()));
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { remembered, runtime: Some(runtime), url }
    }

    pub fn state(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap()
    }

    /// Says no once, where a path ends like this.
    pub fn fails(
        &self,
        method: Method,
        path: &'static str,
        status: u16,
        headers: &[(&'static str, &str)],
        message: &str,
    ) {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let body = json!({ "message": message, "documentation_url": "https://docs.github.com/rest" });
        self.state().faults.push(Fault { method, path, times: 1, status, headers, body });
    }

    /// What has been asked since it was last asked, requests that change something only.
    pub fn writes(&self) -> Vec<String> {
        let asked = std::mem::take(&mut self.state().asked);
        let changes = asked.into_iter().filter(|asked| asked.method != Method::GET);
        changes.map(|asked| format!("{} {}", asked.method, asked.path)).collect()
    }
}

impl Drop for GitHub {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// GitHub's description of its API, served by Prism at this address.
#[derive(Debug, Clone)]
pub struct Contract(pub String);

impl Contract {
    /// What is wrong with a request, if anything is.
    async fn broken_by(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Option<String> {
        let url = format!("{}{}", self.0, uri.path_and_query().map(ToString::to_string).unwrap_or_default());
        let mut request = reqwest::Client::new().request(method.clone(), url).body(body.clone());
        for name in ["accept", "content-type", "authorization", "x-github-api-version"] {
            if let Some(value) = headers.get(name) {
                request = request.header(name, value);
            }
        }
        let answer = request.send().await.unwrap();
        let violations = answer.headers().get("sl-violations").map(|value| value.to_str().unwrap().to_owned());
        let status = answer.status();
        let text = answer.text().await.unwrap();
        let judged = violations.is_some() || text.contains("stoplight.io/prism/errors");
        let said = || {
            format!(
                "{method} {uri} {}\n{status} {}\n{text}",
                String::from_utf8_lossy(body),
                violations.unwrap_or_default()
            )
        };
        judged.then(said)
    }
}

type Answer = (u16, Value);

async fn answer(
    State((remembered, url)): State<(Arc<Mutex<Remembered>>, String)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let contract = remembered.lock().unwrap().contract.clone();
    if let Some(contract) = contract {
        let broken = contract.broken_by(&method, &uri, &headers, &body).await;
        remembered.lock().unwrap().broken.extend(broken);
    }
    let mut state = remembered.lock().unwrap();
    let body: Value = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
    let token = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let path_and_query = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    state.asked.push(Asked { method: method.clone(), path: path_and_query, token });
    let Some(path) = uri.path().strip_prefix(state.base) else { return StatusCode::NOT_FOUND.into_response() };
    if let Some(rest) = path.strip_prefix(ROOT).filter(|_| state.moved) {
        let status = if method == Method::GET { StatusCode::MOVED_PERMANENTLY } else { StatusCode::TEMPORARY_REDIRECT };
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let location = format!("{url}{}{NUMBER}{rest}{query}", state.base);
        return (status, [("location", location)], json!({ "message": "Moved" }).to_string()).into_response();
    }
    let path = &path.replacen(NUMBER, ROOT, 1);
    let change = method != Method::GET;
    let number = state.asked.iter().filter(|asked| asked.method != Method::GET).count().saturating_sub(1);
    let dies_at = state.dies_at;
    let fault = state
        .faults
        .iter_mut()
        .find(|fault| fault.times > 0 && fault.method == method && uri.path().ends_with(fault.path));
    let (status, value, own) = match fault {
        Some(fault) => {
            fault.times -= 1;
            (fault.status, fault.body.clone(), fault.headers.clone())
        }
        None if change && dies_at.is_some_and(|(at, _)| at == number) => {
            if dies_at.is_some_and(|(_, heard)| heard) {
                state.answer(&method, path, uri.query().unwrap_or_default(), &body);
            }
            (502, json!({ "message": "Server Error" }), Vec::new())
        }
        None => {
            let (status, value) = state.answer(&method, path, uri.query().unwrap_or_default(), &body);
            (status, value, Vec::new())
        }
    };
    let mut response = (StatusCode::from_u16(status).unwrap(), String::new()).into_response();
    let mut value = value;
    if status == 200 && method == Method::GET {
        let list = match &mut value {
            Value::Array(list) => Some(list),
            Value::Object(map) if map.contains_key("total_count") => map.values_mut().find_map(Value::as_array_mut),
            _ => None,
        };
        if let Some(list) = list {
            let parameter = |name: &str| {
                let pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
                pairs.filter(|(key, _)| *key == name).find_map(|(_, value)| value.parse::<usize>().ok())
            };
            let size = parameter("per_page").unwrap_or(30).min(state.page);
            let page = parameter("page").unwrap_or(1);
            if page * size < list.len() {
                let next = format!("<{url}{}?per_page={size}&page={}>; rel=\"next\"", uri.path(), page + 1);
                response.headers_mut().insert("link", next.parse().unwrap());
            }
            *list = list.drain(..).skip((page - 1) * size).take(size).collect();
        }
    }
    for (name, value) in state.headers.iter().chain(&own) {
        response.headers_mut().insert(*name, value.parse().unwrap());
    }
    response.headers_mut().insert("content-type", "application/json; charset=utf-8".parse().unwrap());
    if status != 204 {
        *response.body_mut() = value.to_string().into();
    }
    response
}

const NOT_FOUND: u16 = 404;

fn not_found() -> Answer {
    (NOT_FOUND, json!({ "message": "Not Found", "documentation_url": "https://docs.github.com/rest" }))
}

impl Remembered {
    pub fn new() -> Self {
        let mut remembered = Remembered {
            repository: json!({
                "id": 1_296_269, "name": "lake", "full_name": "acme/lake", "private": false, "archived": false,
                "default_branch": "main", "owner": { "login": "acme", "id": 583_231, "type": "Organization" },
                "permissions": { "admin": true, "push": true, "pull": true },
            }),
            login: Some("ann"),
            headers: vec![("x-oauth-scopes", "repo, workflow".to_owned())],
            page: 100,
            users: HashMap::from([("ann".to_owned(), 11), ("bob".to_owned(), 12)]),
            teams: HashMap::from([("data".to_owned(), 21)]),
            places: BTreeMap::from([(String::new(), Place::default())]),
            key: Some(crypto_box::SecretKey::from([7; 32])),
            ..Remembered::default()
        };
        let tree = remembered.keep_tree(BTreeMap::from([("README.md".to_owned(), "# lake\n".to_owned())]));
        let commit = remembered.keep_commit(tree, Vec::new());
        remembered.branches.insert("main".to_owned(), commit);
        remembered
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        1_000 + self.next
    }

    fn hash(&mut self) -> String {
        format!("{:040x}", self.number())
    }

    pub fn keep_tree(&mut self, files: BTreeMap<String, String>) -> String {
        let hash = self.hash();
        self.trees.insert(hash.clone(), files);
        hash
    }

    pub fn keep_commit(&mut self, tree: String, parents: Vec<String>) -> String {
        let hash = self.hash();
        self.commits.insert(hash.clone(), (tree, parents));
        hash
    }

    /// The files of a branch.
    pub fn files(&self, branch: &str) -> Option<&BTreeMap<String, String>> {
        self.trees.get(&self.commits[self.branches.get(branch)?].0)
    }

    fn answer(&mut self, method: &Method, path: &str, query: &str, body: &Value) -> Answer {
        let parts: Vec<String> = path.split('/').skip(1).map(unescaped).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let rest = path.starts_with(ROOT).then(|| parts.get(3..).unwrap_or_default());
        match (method.as_str(), parts.as_slice(), rest) {
            ("GET", ["user"], _) => match self.login {
                Some(login) => (200, json!({ "login": login, "id": self.users[login] })),
                None => (403, json!({ "message": "Resource not accessible by integration" })),
            },
            ("GET", ["users", login], _) => match self.users.get(*login) {
                Some(id) => (200, json!({ "login": login, "id": id, "type": "User" })),
                None => not_found(),
            },
            ("GET", ["orgs", "acme", "teams", slug], _) => match self.teams.get(*slug) {
                Some(id) => (200, json!({ "slug": slug, "id": id })),
                None => not_found(),
            },
            ("POST", ["app", "installations", _, "access_tokens"], _) => {
                (201, json!({ "token": TOKEN, "expires_at": "2099-01-01T00:00:00Z", "permissions": {} }))
            }
            ("GET", _, Some([])) => (200, self.repository.clone()),
            ("GET", _, Some(["installation"])) => (200, json!({ "id": 4_711 })),
            (method, _, Some(["issues", rest @ ..])) => self.issues(method, rest, body),
            (method, _, Some(["environments", rest @ ..])) => self.environments(method, rest, body),
            (method, _, Some(["actions", rest @ ..])) => self.settings("", method, rest, body),
            (method, _, Some(["rulesets", rest @ ..])) => self.rules(method, rest, body),
            (method, _, Some(["git", rest @ ..])) => self.git(method, rest, body),
            ("GET", _, Some(["contents", file])) => {
                let reference = query.split('&').find_map(|pair| pair.strip_prefix("ref=")).unwrap_or("main");
                let tree = match self.commits.get(reference) {
                    Some((tree, _)) => self.trees.get(tree),
                    None => self.files(reference),
                };
                match tree.and_then(|files| files.get(*file)) {
                    Some(text) => {
                        let lines = STANDARD.encode(text);
                        let lines: Vec<_> = lines.as_bytes().chunks(60).map(String::from_utf8_lossy).collect();
                        (
                            200,
                            json!({ "type": "file", "encoding": "base64", "path": file, "content": lines.join("\n") }),
                        )
                    }
                    None => not_found(),
                }
            }
            (method, _, Some(["pulls", rest @ ..])) => self.pulls(method, rest, query, body),
            _ => not_found(),
        }
    }

    fn issues(&mut self, method: &str, rest: &[&str], body: &Value) -> Answer {
        match (method, rest) {
            ("GET", ["7", "comments"]) => (200, json!(self.comments)),
            ("POST", ["7", "comments"]) => {
                let id = self.number();
                let comment = json!({
                    "id": id, "body": body["body"], "html_url": format!("https://github.com/acme/lake/pull/7#issuecomment-{id}"),
                    "user": { "login": self.login.unwrap_or("github-actions[bot]"), "type": if self.login.is_some() { "User" } else { "Bot" } },
                });
                self.comments.push(comment.clone());
                (201, comment)
            }
            ("PATCH", ["comments", id]) => match self.comments.iter_mut().find(|comment| is(&comment["id"], id)) {
                Some(comment) => {
                    comment["body"] = body["body"].clone();
                    (200, comment.clone())
                }
                None => not_found(),
            },
            _ => not_found(),
        }
    }

    fn environments(&mut self, method: &str, rest: &[&str], body: &Value) -> Answer {
        match (method, rest) {
            ("GET", []) => {
                let named = self.places.iter().filter(|(name, _)| !name.is_empty());
                let list: Vec<_> = named.map(|(name, place)| environment(name, place)).collect();
                (200, json!({ "total_count": list.len(), "environments": list }))
            }
            ("PUT", [name]) => {
                let mut rules = Vec::new();
                if body["wait_timer"].as_u64().is_some_and(|wait| wait > 0) {
                    let id = self.number();
                    rules.push(json!({ "id": id, "type": "wait_timer", "wait_timer": body["wait_timer"] }));
                }
                if let Some(reviewers) = body["reviewers"].as_array().filter(|reviewers| !reviewers.is_empty()) {
                    let reviewers: Vec<_> = reviewers
                        .iter()
                        .map(|one| json!({ "type": one["type"], "reviewer": { "id": one["id"] } }))
                        .collect();
                    let id = self.number();
                    rules.push(json!({ "id": id, "type": "required_reviewers", "reviewers": reviewers, "prevent_self_review": body["prevent_self_review"] }));
                }
                if !body["deployment_branch_policy"].is_null() {
                    rules.push(json!({ "id": 1, "type": "branch_policy" }));
                }
                let place = self.places.entry((*name).to_owned()).or_default();
                place.rules = rules;
                place.policy = body["deployment_branch_policy"].clone();
                if place.policy["custom_branch_policies"] != true {
                    place.branches.clear();
                }
                (200, environment(name, place))
            }
            (method, [name, "deployment-branch-policies", rest @ ..]) => {
                let id = self.number();
                let Some(place) = self.places.get_mut(*name) else { return not_found() };
                match (method, rest) {
                    ("GET", []) => {
                        let branches = place.branches.iter().zip(std::iter::repeat("branch"));
                        let all = branches.chain(place.tags.iter().zip(std::iter::repeat("tag")));
                        let all = all.map(|((id, name), sort)| json!({ "id": id, "name": name, "type": sort }));
                        let list: Vec<_> = all.collect();
                        (200, json!({ "total_count": list.len(), "branch_policies": list }))
                    }
                    ("POST", []) if place.policy["custom_branch_policies"] == true => {
                        place.branches.push((id, body["name"].as_str().unwrap().to_owned()));
                        (200, json!({ "id": id, "name": body["name"] }))
                    }
                    ("DELETE", [id]) => {
                        place.branches.retain(|(own, _)| !is(&json!(own), id));
                        place.tags.retain(|(own, _)| !is(&json!(own), id));
                        (204, Value::Null)
                    }
                    _ => not_found(),
                }
            }
            (method, [name, rest @ ..]) if self.places.contains_key(*name) => self.settings(name, method, rest, body),
            _ => not_found(),
        }
    }

    fn settings(&mut self, place: &str, method: &str, rest: &[&str], body: &Value) -> Answer {
        let key = self.key.as_ref().unwrap().public_key();
        let place = self.places.get_mut(place).unwrap();
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        match (method, rest) {
            ("GET", ["variables"]) => {
                let list: Vec<_> =
                    place.variables.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
                (200, json!({ "total_count": list.len(), "variables": list }))
            }
            ("POST", ["variables"]) => match place.variables.insert(text("name"), text("value")) {
                None => (201, json!({})),
                Some(_) => (409, json!({ "message": "Already exists - Variable already exists" })),
            },
            ("PATCH", ["variables", name]) => match place.variables.get_mut(*name) {
                Some(value) => {
                    *value = text("value");
                    (204, Value::Null)
                }
                None => not_found(),
            },
            ("GET", ["secrets"]) => {
                let list: Vec<_> = place.secrets.keys().map(|name| json!({ "name": name })).collect();
                (200, json!({ "total_count": list.len(), "secrets": list }))
            }
            ("GET", ["secrets", "public-key"]) => {
                (200, json!({ "key_id": "568250167242549743", "key": STANDARD.encode(key.as_bytes()) }))
            }
            ("PUT", ["secrets", name]) => {
                assert_eq!(body["key_id"], "568250167242549743");
                let new = place.secrets.insert((*name).to_owned(), text("encrypted_value")).is_none();
                if new { (201, json!({})) } else { (204, Value::Null) }
            }
            _ => not_found(),
        }
    }

    fn rules(&mut self, method: &str, rest: &[&str], body: &Value) -> Answer {
        let whole = |id: u64, body: &Value| {
            let mut ruleset = body.clone();
            ruleset["id"] = json!(id);
            ruleset["source_type"] = json!("Repository");
            // GitHub fills in what is left out.
            for rule in ruleset["rules"].as_array_mut().unwrap() {
                if rule["type"] == "pull_request" {
                    rule["parameters"]["allowed_merge_methods"] = json!(["merge", "squash", "rebase"]);
                }
            }
            ruleset
        };
        match (method, rest) {
            ("GET", []) => {
                let brief = |ruleset: &Value| json!({ "id": ruleset["id"], "name": ruleset["name"], "source_type": ruleset["source_type"] });
                (200, Value::Array(self.rulesets.iter().map(brief).collect()))
            }
            ("POST", []) => {
                let ruleset = whole(self.number(), body);
                self.rulesets.push(ruleset.clone());
                (201, ruleset)
            }
            (method, [id]) => {
                let Some(ruleset) = self.rulesets.iter_mut().find(|ruleset| is(&ruleset["id"], id)) else {
                    return not_found();
                };
                if method == "PUT" {
                    *ruleset = whole(id.parse().unwrap(), body);
                }
                (200, ruleset.clone())
            }
            _ => not_found(),
        }
    }

    fn git(&mut self, method: &str, rest: &[&str], body: &Value) -> Answer {
        let reference = |name: &str, hash: &str| json!({ "ref": format!("refs/heads/{name}"), "object": { "type": "commit", "sha": hash } });
        match (method, rest) {
            ("GET", ["ref", name]) => {
                let name = name.strip_prefix("heads/").unwrap_or_default();
                match self.branches.get(name) {
                    Some(hash) => (200, reference(name, hash)),
                    None if self.branches.is_empty() => (409, json!({ "message": "Git Repository is empty." })),
                    None => not_found(),
                }
            }
            ("GET", ["commits", hash]) => match self.commits.get(*hash) {
                Some((tree, _)) => (200, json!({ "sha": hash, "tree": { "sha": tree } })),
                None => not_found(),
            },
            ("POST", ["trees"]) => {
                let mut files = self.trees[body["base_tree"].as_str().unwrap()].clone();
                for file in body["tree"].as_array().unwrap() {
                    assert_eq!((file["mode"].as_str(), file["type"].as_str()), (Some("100644"), Some("blob")));
                    files.insert(
                        file["path"].as_str().unwrap().to_owned(),
                        file["content"].as_str().unwrap().to_owned(),
                    );
                }
                (201, json!({ "sha": self.keep_tree(files) }))
            }
            ("POST", ["commits"]) => {
                let parents = body["parents"].as_array().unwrap().iter().map(|hash| hash.as_str().unwrap().to_owned());
                let parents = parents.collect();
                (201, json!({ "sha": self.keep_commit(body["tree"].as_str().unwrap().to_owned(), parents) }))
            }
            ("POST", ["refs"]) => {
                let name = body["ref"].as_str().unwrap().strip_prefix("refs/heads/").unwrap().to_owned();
                if self.branches.contains_key(&name) {
                    return (422, json!({ "message": "Reference already exists" }));
                }
                let hash = body["sha"].as_str().unwrap().to_owned();
                self.branches.insert(name.clone(), hash.clone());
                (201, reference(&name, &hash))
            }
            ("PATCH", ["refs", name]) => {
                let name = name.strip_prefix("heads/").unwrap();
                let Some(old) = self.branches.get(name) else { return not_found() };
                let hash = body["sha"].as_str().unwrap();
                if body["force"] != true && !self.commits[hash].1.contains(old) {
                    return (422, json!({ "message": "Update is not a fast forward" }));
                }
                self.branches.insert(name.to_owned(), hash.to_owned());
                (200, reference(name, hash))
            }
            _ => not_found(),
        }
    }

    fn pulls(&mut self, method: &str, rest: &[&str], query: &str, body: &Value) -> Answer {
        let query = unescaped(query);
        let wanted = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)).map(str::to_owned);
        match (method, rest) {
            ("GET", []) => {
                let (state, head) = (wanted("state=").unwrap(), wanted("head=acme:").unwrap());
                let fits = |pull: &&Value| pull["state"] == state.as_str() && pull["head"]["ref"] == head.as_str();
                (200, Value::Array(self.pulls.iter().filter(fits).cloned().collect()))
            }
            ("POST", []) => {
                let (head, base) = (body["head"].as_str().unwrap(), body["base"].as_str().unwrap());
                if self.files(head) == self.files(base) {
                    let errors = json!([{ "resource": "PullRequest", "code": "custom", "message": format!("No commits between {base} and {head}") }]);
                    return (422, json!({ "message": "Validation Failed", "errors": errors }));
                }
                let number = self.number();
                let pull = json!({
                    "number": number, "state": "open", "title": body["title"], "body": body["body"],
                    "html_url": format!("https://github.com/acme/lake/pull/{number}"), "head": { "ref": head }, "base": { "ref": base },
                });
                self.pulls.push(pull.clone());
                (201, pull)
            }
            ("PATCH", [number]) => match self.pulls.iter_mut().find(|pull| is(&pull["number"], number)) {
                Some(pull) => {
                    for (key, value) in body.as_object().unwrap() {
                        pull[key] = value.clone();
                    }
                    (200, pull.clone())
                }
                None => not_found(),
            },
            _ => not_found(),
        }
    }
}

fn environment(name: &str, place: &Place) -> Value {
    json!({ "id": 1, "name": name, "protection_rules": place.rules, "deployment_branch_policy": place.policy })
}

fn is(number: &Value, text: &str) -> bool {
    number.as_u64() == text.parse().ok()
}

/// `%2F` and the like as what they mean.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits: String = rest.by_ref().take(2).map(char::from).collect();
            bytes.push(u8::from_str_radix(&digits, 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// Holds a text against the golden file of its name in `snapshots/github`.
pub fn assert_golden(name: &str, text: &str) {
    insta::with_settings!({snapshot_path => "../../snapshots/github", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(name, text);
    });
}
