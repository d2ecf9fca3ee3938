//! API Gateway's REST API in front of the functions: routes, keys, throttle, validation, and the answers that the gateway gives
//! itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use super::event::{Context, Parameters, Reply, Request, event, reply};
use super::http::{Ids, percent_decode, query_pairs};
use super::runtime::{Fault, Lambda};
use super::{Event, Observer};

/// The largest body of a request, in bytes.
pub(super) const MAX_BODY: usize = 10 * 1024 * 1024;
/// How long API Gateway waits for a function.
pub const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(29);

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiAccess {
    /// Who has the key in `x-api-key`.
    ApiKey,
    /// Who signs requests; locally the signature has to be there and is not verified.
    Iam,
    /// Everyone.
    Public,
}

/// What the gateway is told about an API.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// Who may call.
    pub access: ApiAccess,
    /// Requests per second in the long run.
    pub rate: u32,
    /// Requests at once.
    pub burst: u32,
    /// The routes.
    pub routes: Vec<RouteSettings>,
}

/// One method of one path.
#[derive(Clone, Debug)]
pub struct RouteSettings {
    /// `GET`, `POST`, …
    pub method: Method,
    /// `/users/{user_id}/buy-again`
    pub path: String,
    /// The name of the function that answers.
    pub function: String,
    /// What is asked of the parameters of the path.
    pub path_parameters: Vec<ParameterSettings>,
    /// What is asked of the query string.
    pub query_parameters: Vec<ParameterSettings>,
    /// Whether the request needs a JSON body.
    pub body: bool,
}

/// What is asked of a parameter.
#[derive(Clone, Debug)]
pub struct ParameterSettings {
    /// Its name.
    pub name: String,
    /// How its text has to read.
    pub kind: ParameterKind,
    /// Whether it has to be there.
    pub required: bool,
    /// The least number.
    pub minimum: Option<f64>,
    /// The greatest number.
    pub maximum: Option<f64>,
    /// The most characters.
    pub maximum_length: Option<usize>,
}

/// The types of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// Any text.
    String,
    /// A whole number.
    Int,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
}

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
    settings: ApiSettings,
    tree: Node,
    functions: HashMap<String, Arc<Lambda>>,
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
    routes: HashMap<Method, usize>,
    literals: HashMap<String, Node>,
    parameter: Option<Box<Node>>,
}

impl Node {
    fn add(&mut self, path: &str, method: Method, route: usize) {
        let mut node = self;
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            node = if segment.starts_with('{') {
                node.parameter.get_or_insert_default()
            } else {
                node.literals.entry(segment.to_owned()).or_default()
            };
        }
        node.routes.insert(method, route);
    }

    /// The route for the segments of a path; a literal goes before a parameter.
    fn find(&self, segments: &[&str], method: &Method) -> Option<usize> {
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
}

fn refusal(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Refusal {
    Refusal { status, kind, message: message.into() }
}

fn bad_request(message: impl Into<String>) -> Refusal {
    refusal(StatusCode::BAD_REQUEST, "BadRequestException", message)
}

/// What the gateway needs beside the settings.
pub(super) struct Parts {
    pub(super) functions: HashMap<String, Arc<Lambda>>,
    pub(super) key: String,
    pub(super) ids: Ids,
    pub(super) timeout: Duration,
    pub(super) observer: Observer,
    pub(super) port: u16,
}

impl Api {
    pub(super) fn new(settings: ApiSettings, parts: Parts) -> Self {
        let Parts { functions, key, ids, timeout, observer, port } = parts;
        let mut tree = Node::default();
        for (position, route) in settings.routes.iter().enumerate() {
            tree.add(&route.path, route.method.clone(), position);
        }
        let tokens = Mutex::new(Tokens { left: f64::from(settings.burst), at: Instant::now() });
        Self { settings, tree, functions, key, ids, tokens, timeout, observer, port }
    }

    pub(super) fn functions(&self) -> impl Iterator<Item = &Arc<Lambda>> {
        self.functions.values()
    }

    pub(super) fn key(&self) -> Option<&str> {
        (self.settings.access == ApiAccess::ApiKey).then_some(self.key.as_str())
    }

    pub(super) fn signed(&self) -> bool {
        self.settings.access == ApiAccess::Iam
    }

    /// Answers one request, and says what went wrong when it did.
    pub(super) async fn handle(&self, request: &Request) -> (Reply, Option<Problem>) {
        let began = Instant::now();
        let id = self.ids.uuid();
        let (mut reply, problem) = match self.admit(request) {
            Ok((route, parameters)) => self.integrate(request, route, &parameters, &id).await,
            Err(refusal) => (refuse(&refusal), None),
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

    /// Everything that comes before the function: the route and the decoded parameters of the path, or a refusal.
    fn admit(&self, request: &Request) -> Result<(&RouteSettings, Parameters), Refusal> {
        let segments: Vec<&str> = request.path.strip_prefix('/').unwrap_or(&request.path).split('/').collect();
        // A slash at the end means nothing.
        let segments = segments.strip_suffix(&[""]).unwrap_or(&segments);
        let missing = || {
            let kind = "MissingAuthenticationTokenException";
            refusal(StatusCode::FORBIDDEN, kind, "Missing Authentication Token")
        };
        let route = self.tree.find(segments, &request.method).and_then(|route| self.settings.routes.get(route));
        let route = route.ok_or_else(missing)?;
        match self.settings.access {
            ApiAccess::Public => {}
            ApiAccess::ApiKey => {
                let given = request.headers.get("x-api-key").map(HeaderValue::as_bytes).unwrap_or_default();
                if !same(given, self.key.as_bytes()) {
                    return Err(refusal(StatusCode::FORBIDDEN, "ForbiddenException", "Forbidden"));
                }
            }
            ApiAccess::Iam => {
                let signed = |value: &HeaderValue| value.as_bytes().starts_with(b"AWS4-HMAC-SHA256 ");
                if !request.headers.get(header::AUTHORIZATION).is_some_and(signed) {
                    return Err(missing());
                }
            }
        }
        if !self.take_token() {
            let kind = "TooManyRequestsException";
            return Err(refusal(StatusCode::TOO_MANY_REQUESTS, kind, "Too Many Requests"));
        }
        if request.body.len() > MAX_BODY {
            let kind = "RequestTooLargeException";
            return Err(refusal(StatusCode::PAYLOAD_TOO_LARGE, kind, "Request Too Long"));
        }
        let parameters = path_parameters(&route.path, segments).ok_or_else(|| bad_request("Bad Request"))?;
        validate(route, &parameters, &query_pairs(&request.query), request)?;
        Ok((route, parameters))
    }

    fn take_token(&self) -> bool {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let gained = now.duration_since(tokens.at).as_secs_f64() * f64::from(self.settings.rate);
        tokens.left = (tokens.left + gained).min(f64::from(self.settings.burst));
        tokens.at = now;
        let allowed = tokens.left >= 1.0;
        if allowed {
            tokens.left -= 1.0;
        }
        allowed
    }

    async fn integrate(
        &self,
        request: &Request,
        route: &RouteSettings,
        parameters: &[(String, String)],
        id: &str,
    ) -> (Reply, Option<Problem>) {
        let function = route.function.clone();
        let failed = |status, message, problem| {
            (refuse(&refusal(status, "InternalServerErrorException", message)), Some(problem))
        };
        let Some(lambda) = self.functions.get(&function).cloned() else {
            let fault = Fault::Start("there is no such function".into());
            return failed(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Internal server error",
                Problem::Function { function, fault },
            );
        };
        let trace = self.ids.trace();
        let context = Context {
            resource: &route.path,
            parameters,
            request_id: id,
            trace: &trace,
            api_key: self.key(),
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
}

fn refuse(refusal: &Refusal) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("x-amzn-errortype", HeaderValue::from_static(refusal.kind));
    Reply { status: refusal.status, headers, body: json!({ "message": refusal.message }).to_string().into() }
}

/// The answer to a body that is larger than the server reads at all.
pub(super) fn too_large() -> Reply {
    refuse(&refusal(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", "Request Too Long"))
}

/// Compares without telling by its duration how much is right.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
}

fn path_parameters(path: &str, segments: &[&str]) -> Option<Parameters> {
    let names = path.split('/').filter(|segment| !segment.is_empty());
    let pairs = names.zip(segments).filter_map(|(name, value)| {
        let name = name.strip_prefix('{')?.strip_suffix('}')?;
        Some(percent_decode(value).map(|value| (name.to_owned(), value)))
    });
    pairs.collect()
}

fn validate(
    route: &RouteSettings,
    path: &[(String, String)],
    query: &[(String, String)],
    request: &Request,
) -> Result<(), Refusal> {
    let has = |pairs: &[(String, String)], name: &str| pairs.iter().any(|(found, _)| found == name);
    let mut missing: Vec<&str> = route
        .query_parameters
        .iter()
        .filter(|parameter| parameter.required && !has(query, &parameter.name))
        .map(|parameter| parameter.name.as_str())
        .collect();
    if !missing.is_empty() {
        missing.sort_unstable();
        return Err(bad_request(format!("Missing required request parameters: [{}]", missing.join(", "))));
    }
    for (parameters, pairs) in [(&route.path_parameters, path), (&route.query_parameters, query)] {
        for parameter in parameters {
            for (_, value) in pairs.iter().filter(|(name, _)| *name == parameter.name) {
                parameter.check(value).map_err(bad_request)?;
            }
        }
    }
    if route.body && serde_json::from_slice::<Value>(&request.body).is_err() {
        return Err(bad_request("Invalid request body"));
    }
    Ok(())
}

impl ParameterSettings {
    /// Checks a value; the error names the parameter and says what is asked.
    ///
    /// # Errors
    /// The message for the client.
    pub fn check(&self, value: &str) -> Result<(), String> {
        let in_range = |number: f64| {
            number.is_finite()
                && self.minimum.is_none_or(|minimum| number >= minimum)
                && self.maximum.is_none_or(|maximum| number <= maximum)
        };
        let plain = |text: &str| !text.starts_with('+');
        let right = match self.kind {
            ParameterKind::String => self.maximum_length.is_none_or(|most| value.chars().count() <= most),
            #[expect(clippy::cast_precision_loss, reason = "limits are given as f64")]
            ParameterKind::Int => plain(value) && value.parse::<i64>().is_ok_and(|number| in_range(number as f64)),
            ParameterKind::Number => plain(value) && value.parse::<f64>().is_ok_and(in_range),
            ParameterKind::Boolean => matches!(value, "true" | "false"),
        };
        if right { Ok(()) } else { Err(format!("Invalid request parameter `{}`: must be {}", self.name, self.asked())) }
    }

    /// `an integer from 1 to 100`
    fn asked(&self) -> String {
        let range = match (self.minimum, self.maximum) {
            (None, None) => String::new(),
            (Some(least), None) => format!(" of at least {least}"),
            (None, Some(most)) => format!(" of at most {most}"),
            (Some(least), Some(most)) => format!(" from {least} to {most}"),
        };
        match self.kind {
            ParameterKind::String => match self.maximum_length {
                Some(most) => format!("a string of at most {most} characters"),
                None => "a string".into(),
            },
            ParameterKind::Int => format!("an integer{range}"),
            ParameterKind::Number => format!("a number{range}"),
            ParameterKind::Boolean => "true or false".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_goes_before_a_parameter() {
        let mut tree = Node::default();
        let paths = ["/", "/users/{id}", "/users/me", "/users/{id}/orders", "/users/me/cart"];
        for (route, path) in paths.iter().enumerate() {
            tree.add(path, Method::GET, route);
        }
        tree.add("/users/{id}", Method::DELETE, 9);
        let find = |method: Method, path: &str| tree.find(&path.split('/').collect::<Vec<_>>(), &method);
        assert_eq!(tree.find(&[], &Method::GET), Some(0));
        assert_eq!(find(Method::GET, "users/42"), Some(1));
        assert_eq!(find(Method::GET, "users/me"), Some(2));
        assert_eq!(find(Method::GET, "users/42/orders"), Some(3));
        assert_eq!(find(Method::GET, "users/me/orders"), Some(3));
        assert_eq!(find(Method::GET, "users/me/cart"), Some(4));
        assert_eq!(find(Method::DELETE, "users/me"), Some(9));
        for path in ["users", "users//orders", "users/42/carts", "nobody"] {
            assert_eq!(find(Method::GET, path), None, "{path}");
        }
        assert_eq!(find(Method::POST, "users/42"), None);
    }

    #[test]
    fn parameters_are_checked_by_type_and_range() {
        let parameter = |kind, minimum, maximum, maximum_length| ParameterSettings {
            name: "limit".into(),
            kind,
            required: false,
            minimum,
            maximum,
            maximum_length,
        };
        let int = parameter(ParameterKind::Int, Some(1.0), Some(100.0), None);
        for value in ["1", "100", "042"] {
            assert_eq!(int.check(value), Ok(()), "{value}");
        }
        for value in ["0", "101", "-1", "+5", "1.5", "1e1", "", " 5", "five", "99999999999999999999"] {
            let message = "Invalid request parameter `limit`: must be an integer from 1 to 100";
            assert_eq!(int.check(value), Err(message.into()), "{value}");
        }
        let number = parameter(ParameterKind::Number, Some(0.0), None, None);
        assert_eq!(number.check("0.5"), Ok(()));
        for value in ["NaN", "inf", "-0.1", "1e999"] {
            let message = "Invalid request parameter `limit`: must be a number of at least 0";
            assert_eq!(number.check(value), Err(message.into()), "{value}");
        }
        let text = parameter(ParameterKind::String, None, None, Some(3));
        assert_eq!((text.check("äöü"), text.check("four").is_err()), (Ok(()), true));
        let flag = parameter(ParameterKind::Boolean, None, None, None);
        assert_eq!((flag.check("true"), flag.check("True").is_err()), (Ok(()), true));
    }
}
