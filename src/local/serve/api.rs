//! API Gateway's REST API in front of the functions: routes, keys, throttle, validation, and the answers that the gateway gives
//! itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use super::event::{Context, Parameters, Reply, Request, event, reply};
use super::http::{Ids, now_ms, percent_decode, query_pairs};
use super::runtime::{Fault, Lambda};
use super::token::{self, Claims, Refused};
use super::{Event, Observer};
use crate::lake::{self, Access, Cors, Route, Segment, object_faults};

/// The largest body of a request, in bytes.
pub(super) const MAX_BODY: usize = 10 * 1024 * 1024;
/// How long API Gateway waits for a function.
pub const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(29);

/// Why a request did not get a function's own answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// The function failed.
    #[error("function `{function}`: {fault}")]
    Function {
        /// The function's name.
        function: String,
        /// How.
        fault: Fault,
    },
    /// The function answered something that is no response.
    #[error("function `{function}` returned a malformed proxy response: {reason}")]
    Malformed {
        /// The function's name.
        function: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The function goes on, but the gateway does not wait any longer.
    #[error("function `{function}` did not answer within {:.0} seconds", .limit.as_secs_f64())]
    Late {
        /// The function's name.
        function: String,
        /// How long the gateway waits.
        limit: Duration,
    },
}

/// The gateway.
pub(super) struct Api {
    settings: lake::Api,
    tree: Node,
    functions: Vec<Arc<Lambda>>,
    key: String,
    ids: Ids,
    tokens: Mutex<Tokens>,
    timeout: Duration,
    observer: Observer,
    port: u16,
}

/// A place in the tree of paths: routes by method, and what may follow.
#[derive(Default)]
struct Node {
    routes: HashMap<&'static str, usize>,
    literals: HashMap<String, Node>,
    parameter: Option<Box<Node>>,
}

impl Node {
    fn add(&mut self, path: &[Segment], method: &'static str, route: usize) {
        let mut node = self;
        for segment in path {
            node = match segment {
                Segment::Literal(word) => node.literals.entry(word.clone()).or_default(),
                Segment::Parameter(_) => node.parameter.get_or_insert_default(),
            };
        }
        node.routes.insert(method, route);
    }

    /// The route for the segments of a path; a literal goes before a parameter.
    fn find(&self, segments: &[&str], method: &str) -> Option<usize> {
        let Some((first, rest)) = segments.split_first() else { return self.routes.get(method).copied() };
        let literal = self.literals.get(*first).and_then(|node| node.find(rest, method));
        literal.or_else(|| self.parameter.as_ref().filter(|_| !first.is_empty())?.find(rest, method))
    }
}

/// A bucket of tokens that fills at a steady rate.
struct Tokens {
    left: f64,
    at: Instant,
}

/// An answer of the gateway itself.
struct Refusal {
    status: StatusCode,
    /// The header `x-amzn-ErrorType`.
    kind: &'static str,
    message: String,
    /// What the validator finds wrong with a body.
    detail: Option<String>,
}

fn refusal(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Refusal {
    Refusal { status, kind, message: message.into(), detail: None }
}

fn bad_request(message: impl Into<String>) -> Refusal {
    refusal(StatusCode::BAD_REQUEST, "BadRequestException", message)
}

/// What the gateway needs beside the settings.
pub(super) struct Parts {
    /// In the order of the blueprint.
    pub(super) functions: Vec<Arc<Lambda>>,
    pub(super) key: String,
    pub(super) ids: Ids,
    pub(super) timeout: Duration,
    pub(super) observer: Observer,
    pub(super) port: u16,
}

impl Api {
    pub(super) fn new(settings: lake::Api, parts: Parts) -> Self {
        let Parts { functions, key, ids, timeout, observer, port } = parts;
        let mut tree = Node::default();
        for (position, route) in settings.routes.iter().enumerate() {
            tree.add(&route.segments, route.method.as_str(), position);
        }
        let tokens = Mutex::new(Tokens { left: f64::from(settings.throttle.burst), at: Instant::now() });
        Self { settings, tree, functions, key, ids, tokens, timeout, observer, port }
    }

    pub(super) fn functions(&self) -> impl Iterator<Item = &Arc<Lambda>> {
        self.functions.iter()
    }

    pub(super) fn key(&self) -> Option<&str> {
        (self.settings.access == Access::ApiKey).then_some(self.key.as_str())
    }

    /// The header `authorization` of a client of this machine, if the API asks for one.
    pub(super) fn authorization(&self) -> Option<String> {
        authorization(&self.settings.access)
    }

    /// Answers one request, and says what went wrong when it did.
    pub(super) async fn handle(&self, request: &Request) -> (Reply, Option<Problem>) {
        let began = Instant::now();
        let id = self.ids.uuid();
        let (mut reply, problem) = match self.preflight(request) {
            Some(reply) => (reply, None),
            None => match self.admit(request) {
                Ok(admitted) => self.integrate(request, admitted, &id).await,
                Err(refusal) => (self.refuse(&refusal), None),
            },
        };
        for name in ["x-amzn-requestid", "x-amz-apigw-id"] {
            if let Ok(id) = HeaderValue::from_str(&id) {
                reply.headers.insert(name, id);
            }
        }
        (self.observer)(Event::Request {
            method: request.method.to_string(),
            path: request.path.clone(),
            status: reply.status.as_u16(),
            took: began.elapsed(),
            problem: problem.clone(),
        });
        (reply, problem)
    }

    /// The answer to a browser that asks whether a page of another origin may send a request.
    fn preflight(&self, request: &Request) -> Option<Reply> {
        let cors = self.settings.cors.as_ref().filter(|_| request.method == Method::OPTIONS)?;
        let segments = segments(&request.path);
        let methods = lake::Method::ALL.into_iter().map(lake::Method::as_str);
        let route = methods.filter_map(|method| self.tree.find(&segments, method)).next()?;
        let path = &self.settings.routes.get(route)?.path;
        let mut headers = HeaderMap::new();
        allow_origin(cors, &mut headers);
        let lists = [
            (header::ACCESS_CONTROL_ALLOW_METHODS, self.settings.cors_methods(path).join(",")),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, self.settings.cors_headers(cors).join(",")),
            (header::ACCESS_CONTROL_MAX_AGE, cors.seconds.to_string()),
        ];
        for (name, value) in lists {
            headers.extend(HeaderValue::from_str(&value).ok().map(|value| (name, value)));
        }
        if cors.origin != "*" {
            headers.insert(header::VARY, HeaderValue::from_static("Origin"));
        }
        Some(Reply { status: StatusCode::NO_CONTENT, headers, body: Bytes::new() })
    }

    /// Everything that comes before the function.
    fn admit(&self, request: &Request) -> Result<Admitted<'_>, Refusal> {
        let segments = segments(&request.path);
        let route =
            self.tree.find(&segments, request.method.as_str()).and_then(|route| self.settings.routes.get(route));
        let route = route.ok_or_else(missing_token)?;
        let claims = self.authenticate(route, request)?;
        if !self.take_token() {
            let kind = "TooManyRequestsException";
            return Err(refusal(StatusCode::TOO_MANY_REQUESTS, kind, "Too Many Requests"));
        }
        if request.body.len() > MAX_BODY {
            let kind = "RequestTooLargeException";
            return Err(refusal(StatusCode::PAYLOAD_TOO_LARGE, kind, "Request Too Long"));
        }
        let parameters = path_parameters(&route.segments, &segments).ok_or_else(|| bad_request("Bad Request"))?;
        validate(route, &query_pairs(&request.query), request)?;
        Ok(Admitted { route, parameters, claims })
    }

    /// Whether whoever sends a request may use a route, and what a token says of them.
    fn authenticate(&self, route: &Route, request: &Request) -> Result<Option<Claims>, Refusal> {
        let authorization = request.headers.get(header::AUTHORIZATION);
        match self.settings.access_to(route) {
            Access::Public => Ok(None),
            Access::ApiKey => {
                let given = request.headers.get("x-api-key").map(HeaderValue::as_bytes).unwrap_or_default();
                if same(given, self.key.as_bytes()) {
                    return Ok(None);
                }
                Err(refusal(StatusCode::FORBIDDEN, "ForbiddenException", "Forbidden"))
            }
            Access::Iam => {
                let signed = |value: &HeaderValue| value.as_bytes().starts_with(SIGNATURE.as_bytes());
                if authorization.is_some_and(signed) { Ok(None) } else { Err(missing_token()) }
            }
            Access::Cognito { pool: _, scopes } => {
                let header = authorization.and_then(|value| value.to_str().ok()).unwrap_or_default();
                let claims = token::claims(header, scopes, now_ms() / 1_000);
                claims.map(Some).map_err(|refused| {
                    let message = match refused {
                        Refused::Unauthorized => "Unauthorized",
                        Refused::Expired => "The incoming token has expired",
                    };
                    refusal(StatusCode::UNAUTHORIZED, "UnauthorizedException", message)
                })
            }
        }
    }

    fn take_token(&self) -> bool {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let gained = now.duration_since(tokens.at).as_secs_f64() * f64::from(self.settings.throttle.rate);
        tokens.left = (tokens.left + gained).min(f64::from(self.settings.throttle.burst));
        tokens.at = now;
        let allowed = tokens.left >= 1.0;
        if allowed {
            tokens.left -= 1.0;
        }
        allowed
    }

    async fn integrate(&self, request: &Request, admitted: Admitted<'_>, id: &str) -> (Reply, Option<Problem>) {
        let Admitted { route, parameters, claims } = admitted;
        let failed = |status, message, problem| {
            (self.refuse(&refusal(status, "InternalServerErrorException", message)), Some(problem))
        };
        let Some(lambda) = self.functions.get(route.function.index()).cloned() else {
            let (function, fault) = (route.path.clone(), Fault::Start("there is no such function".into()));
            let problem = Problem::Function { function, fault };
            return failed(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error", problem);
        };
        let function = lambda.name().to_owned();
        let trace = self.ids.trace();
        let context = Context {
            resource: &route.path,
            parameters: &parameters,
            request_id: id,
            trace: &trace,
            api_key: self.key().filter(|_| !route.public),
            claims: claims.as_ref(),
            port: self.port,
        };
        let payload = event(request, &context).to_string();
        let invocation_id = self.ids.uuid();
        // A task of its own: when the client goes, the function still finishes and its process stays warm.
        let work = tokio::spawn(async move { lambda.invoke(&invocation_id, payload.into()).await.answer });
        let answer = match tokio::time::timeout(self.timeout, work).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Err(Fault::Start(error.to_string())),
            Err(_) => {
                let problem = Problem::Late { function, limit: self.timeout };
                return failed(StatusCode::GATEWAY_TIMEOUT, "Endpoint request timed out", problem);
            }
        };
        let problem = match answer {
            Ok(payload) => match reply(&payload) {
                Ok(mut reply) => {
                    if let Ok(trace) = trace.parse() {
                        reply.headers.insert("x-amzn-trace-id", trace);
                    }
                    return (reply, None);
                }
                Err(reason) => Problem::Malformed { function, reason },
            },
            Err(fault) => Problem::Function { function, fault },
        };
        failed(StatusCode::BAD_GATEWAY, "Internal server error", problem)
    }

    /// The gateway's own answer, which pages of other origins may read too.
    fn refuse(&self, refusal: &Refusal) -> Reply {
        let mut reply = refuse(refusal);
        if let Some(cors) = &self.settings.cors {
            allow_origin(cors, &mut reply.headers);
        }
        reply
    }

    /// The answer to a body that is larger than the server reads at all.
    pub(super) fn too_large(&self) -> Reply {
        self.refuse(&refusal(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", "Request Too Long"))
    }
}

/// How a signed request begins its header `authorization`.
const SIGNATURE: &str = "AWS4-HMAC-SHA256 ";

/// What a client of this machine sends to be let in.
pub(super) fn authorization(access: &Access) -> Option<String> {
    match access {
        Access::Iam => Some(format!("{SIGNATURE}Credential=local")),
        Access::Cognito { pool: _, scopes } => Some(token::of_this_machine(scopes, now_ms() / 1_000)),
        Access::ApiKey | Access::Public => None,
    }
}

/// A request that goes on to a function.
struct Admitted<'a> {
    route: &'a Route,
    /// Those of the path, decoded.
    parameters: Parameters,
    /// What the caller's token says.
    claims: Option<Claims>,
}

/// The parts of a path; a slash at the end means nothing.
fn segments(path: &str) -> Vec<&str> {
    let mut segments: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    if segments.last() == Some(&"") {
        segments.pop();
    }
    segments
}

fn missing_token() -> Refusal {
    refusal(StatusCode::FORBIDDEN, "MissingAuthenticationTokenException", "Missing Authentication Token")
}

fn allow_origin(cors: &Cors, headers: &mut HeaderMap) {
    let origin = HeaderValue::from_str(&cors.origin).ok();
    headers.extend(origin.map(|origin| (header::ACCESS_CONTROL_ALLOW_ORIGIN, origin)));
}

fn refuse(refusal: &Refusal) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("x-amzn-errortype", HeaderValue::from_static(refusal.kind));
    let mut body = json!({ "message": refusal.message });
    if let Some(detail) = &refusal.detail {
        body["detail"] = detail.as_str().into();
    }
    Reply { status: refusal.status, headers, body: body.to_string().into() }
}

/// Compares without telling by its duration how much is right.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
}

fn path_parameters(path: &[Segment], segments: &[&str]) -> Option<Parameters> {
    let pairs = path.iter().zip(segments).filter_map(|(place, value)| match place {
        Segment::Literal(_) => None,
        Segment::Parameter(name) => Some(percent_decode(value).map(|value| (name.clone(), value))),
    });
    pairs.collect()
}

fn validate(route: &Route, query: &[(String, String)], request: &Request) -> Result<(), Refusal> {
    // Neither here nor in the cloud does the gateway look at types and limits: that is up to the function.
    let filled = |name: &str| query.iter().any(|(found, value)| found == name && !value.trim().is_empty());
    let mut missing: Vec<&str> = route
        .query_parameters
        .iter()
        .filter(|parameter| parameter.required && !filled(&parameter.name))
        .map(|parameter| parameter.name.as_str())
        .collect();
    if !missing.is_empty() {
        missing.sort_unstable();
        return Err(bad_request(format!("Missing required request parameters: [{}]", missing.join(", "))));
    }
    let content =
        request.headers.get(header::CONTENT_TYPE).map_or(b"application/json".as_slice(), HeaderValue::as_bytes);
    let json = content.split(|byte| *byte == b';').next().is_some_and(|kind| kind.trim_ascii() == b"application/json");
    // A body of another type is not looked at, in the cloud neither.
    if !route.method.has_body() || !json || (request.body.is_empty() && route.body.is_none()) {
        return Ok(());
    }
    let faults = match serde_json::from_slice::<Value>(&request.body) {
        Ok(body) => object_faults(route.body.as_deref(), &body),
        Err(_) => vec!["Unknown error parsing request body".to_owned()],
    };
    if faults.is_empty() {
        return Ok(());
    }
    let detail = Some(format!("[{}]", faults.join(", ")));
    Err(Refusal { detail, ..bad_request("Invalid request body") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(path: &str) -> Vec<Segment> {
        let segment = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => Segment::Parameter(name.to_owned()),
            None => Segment::Literal(part.to_owned()),
        };
        path.split('/').map(segment).collect()
    }

    #[test]
    fn a_literal_goes_before_a_parameter() {
        let mut tree = Node::default();
        tree.add(&[], "GET", 0);
        for (route, path) in ["users/{id}", "users/me", "users/{id}/orders", "users/me/cart"].iter().enumerate() {
            tree.add(&segments(path), "GET", route + 1);
        }
        tree.add(&segments("users/{id}"), "DELETE", 9);
        let find = |method: &str, path: &str| tree.find(&path.split('/').collect::<Vec<_>>(), method);
        assert_eq!(tree.find(&[], "GET"), Some(0));
        assert_eq!(find("GET", "users/42"), Some(1));
        assert_eq!(find("GET", "users/me"), Some(2));
        assert_eq!(find("GET", "users/42/orders"), Some(3));
        assert_eq!(find("GET", "users/me/orders"), Some(3));
        assert_eq!(find("GET", "users/me/cart"), Some(4));
        assert_eq!(find("DELETE", "users/me"), Some(9));
        for path in ["users", "users//orders", "users/42/carts", "nobody"] {
            assert_eq!(find("GET", path), None, "{path}");
        }
        assert_eq!(find("POST", "users/42"), None);
    }
}
