//! The API: routes that functions answer.

use std::collections::HashSet;

use crate::check::Check;
use crate::decode::{Decode, Decoder, Named, alternatives, section};
use crate::diagnostic::{Diagnostic, did_you_mean, listed};
use crate::kind::function::{FunctionSpec, Seconds};
use crate::kind::parameter::{Parameter, ParameterSpec, Place, fields};
use crate::lake::{Function, Id};
use crate::schema::{Language, Shape};
use crate::source::{Node, Span, Spanned, Value};

section! {
    /// A REST API on API Gateway.
    "the api"
    pub struct ApiSpec {
        /// Who may call it.
        /// Default: `api_key`.
        /// Example: `iam`.
        access: Option<Spanned<AccessSpec>>,
        /// Whether everybody may call it, without key or signature. Nothing else opens an API.
        /// Default: `false`.
        /// Example: `true`.
        public: Option<Spanned<bool>>,
        /// How often it may be called.
        /// Default: `{ rate: 50, burst: 100 }`.
        /// Example: `{ rate: 200, burst: 400 }`.
        throttle: Option<ThrottleSpec>,
        /// Which web pages may call it.
        /// Default: none; pages of other origins may not call it.
        /// Example: `{ origin: "https://shop.example.com" }`.
        cors: Option<CorsSpec>,
        /// A firewall before it: `true` for one with AWS's managed rules, or the ARN of a web ACL of yours.
        /// Default: `false`.
        /// Example: `true`.
        waf: Option<Spanned<WafSpec>>,
        /// A domain of yours under which it answers.
        /// Default: none.
        /// Example: `{ name: api.example.com, certificate: "arn:aws:acm:eu-west-1:111122223333:certificate/0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f" }`.
        domain: Option<DomainSpec>,
        /// What answers what: `GET /users/{user_id}: { function: … }`.
        /// Example: `{ "GET /users/{user_id}": { function: recommend } }`.
        routes: Named<RouteSpec>,
    }
}

alternatives! {
    /// Who may call an API.
    "a way of access"
    pub enum AccessSpec {
        /// Whoever has a key.
        ApiKey = "api_key",
        /// Whoever AWS knows and allows.
        Iam = "iam",
        /// Whoever signed in to a pool of users; a pool is made unless one is named.
        /// Example: `{ scopes: ["orders/read"] }`.
        Cognito(Option<CognitoSpec>) = "cognito",
    }
}

section! {
    /// The users that may call an API.
    "a pool of users"
    pub struct CognitoSpec {
        /// The ARN of a pool that is there already.
        /// Default: one of the lake's own.
        /// Example: `"arn:aws:cognito-idp:eu-west-1:111122223333:userpool/eu-west-1_aBcDeFgHi"`.
        pool: Option<Spanned<String>>,
        /// Callers send an access token that has one of these scopes. Without scopes they send an identity token.
        /// Example: `["orders/read"]`.
        scopes: Vec<Spanned<String>>,
    }
}

section! {
    /// How often an API may be called.
    "a throttle"
    pub struct ThrottleSpec {
        /// Requests a second, on average.
        /// Example: `50`.
        rate: Spanned<u32>,
        /// Requests at once.
        /// Example: `100`.
        burst: Spanned<u32>,
        /// Requests a day with one key.
        /// Default: as many as there are.
        /// Example: `100000`.
        daily: Option<Spanned<u32>>,
    }
}

section! {
    /// Which web pages may call an API. What a function answers goes to the page only if the function adds the header
    /// `Access-Control-Allow-Origin`; its value comes to each function as the variable `CORS_ORIGIN`.
    "cross-origin access"
    pub struct CorsSpec {
        /// Where the pages come from: scheme and host, or `*` for all pages.
        /// Example: `"https://shop.example.com"`.
        origin: Spanned<String>,
        /// Headers that pages may send beside those that access and bodies need.
        /// Example: `[x-trace]`.
        headers: Vec<Spanned<String>>,
        /// For how long a browser remembers the answer.
        /// Default: `10 minutes`.
        /// Example: `60 minutes`.
        remember: Option<Spanned<Seconds>>,
    }
}

/// `true`, `false` or an ARN.
#[derive(Debug, Clone, PartialEq)]
pub enum WafSpec {
    /// One of ours, or none.
    Own(bool),
    /// One that is there already.
    Existing(String),
}

impl ApiSpec {
    /// What it names that must be of the environment's own region: that region, the place, and what it is.
    pub(crate) fn placed(&self) -> Vec<(&str, Span, &'static str)> {
        let certificate = self.domain.as_ref().map(|domain| &domain.certificate);
        let certificate = certificate.map(|arn| (arn.as_str(), arn.span, "the certificate"));
        let firewall = self.waf.as_ref().and_then(|waf| match &waf.value {
            WafSpec::Existing(arn) => Some((arn.as_str(), waf.span, "the web ACL")),
            WafSpec::Own(_) => None,
        });
        let region = |arn| str::split(arn, ':').nth(3).filter(|region| crate::region::is_known(region));
        let placed = certificate.into_iter().chain(firewall);
        placed.filter_map(|(arn, span, noun)| Some((region(arn)?, span, noun))).collect()
    }

    /// Where it lets in those who do not sign their requests, or is given a domain.
    pub(crate) fn unsigned(&self) -> Option<Span> {
        let signed = self.access.as_ref().is_some_and(|access| access.value == AccessSpec::Iam);
        let open = |(key, route): &(Spanned<String>, Option<RouteSpec>)| {
            (!signed || route.as_ref()?.public == Some(true)).then_some(key.span)
        };
        let access = self.access.as_ref().filter(|_| !signed).map(|access| access.span);
        let domain = self.domain.as_ref().map(|domain| domain.name.span);
        access.or(domain).or_else(|| self.routes.0.iter().find_map(open))
    }

    /// Where it speaks of users that sign in to Cognito, if it does.
    pub(crate) fn users(&self) -> Option<Span> {
        let access = self.access.as_ref()?;
        matches!(access.value, AccessSpec::Cognito(_)).then_some(access.span)
    }
}

impl Decode for WafSpec {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match &node.value {
            Value::Bool(own) => Some(Self::Own(*own)),
            Value::String(arn) => Some(Self::Existing(arn.clone())),
            _ => decoder.expected("true, false or the ARN of a web ACL", node),
        }
    }

    fn shape(_: &mut Language) -> Shape {
        Shape::Either(vec![Shape::Truth, Shape::Text])
    }
}

section! {
    /// A domain under which an API answers. Its DNS record is yours to make: the stack puts out what it must point to.
    "a domain"
    pub struct DomainSpec {
        /// The name.
        /// Example: `api.example.com`.
        name: Spanned<String>,
        /// The ARN of its certificate, of the environment's region.
        /// Example: `"arn:aws:acm:eu-west-1:111122223333:certificate/0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f"`.
        certificate: Spanned<String>,
        /// The first part of every path there, when other APIs share the domain.
        /// Default: none.
        /// Example: `orders`.
        base_path: Option<Spanned<String>>,
    }
}

section! {
    /// One route.
    "a route"
    pub struct RouteSpec {
        /// The function that answers.
        /// Example: `recommend`.
        function: Spanned<String>,
        /// What it is for, for those who read the API's document.
        /// Default: none.
        /// Example: `What the customer will probably buy again.`.
        description: Option<String>,
        /// Whether everybody may call it, whatever the others ask for.
        /// Default: `false`.
        /// Example: `true`.
        public: Option<bool>,
        /// The parameters in braces; text by default. API Gateway sees to it that required parameters are there; their types
        /// and limits stand in the API's document, and it is the function that refuses what does not keep to them.
        /// Example: `{ user_id: int }`.
        path: Named<ParameterSpec>,
        /// The parameters behind `?`.
        /// Example: `{ limit: { type: int, default: 10, minimum: 1, maximum: 100 } }`.
        query: Named<ParameterSpec>,
        /// The fields of the JSON object that a request carries; a request with another body is refused, and its answer says why in
        /// `detail`.
        /// Default: none; any body is taken.
        /// Example: `{ text: { type: string, required: true } }`.
        body: Option<Spanned<Named<ParameterSpec>>>,
        /// The fields of the JSON object that is answered, for those who read the API's document.
        /// Default: none.
        /// Example: `{ products: { type: int, list: true } }`.
        answer: Option<Named<ParameterSpec>>,
    }
}

/// A REST API.
#[derive(Debug, Clone, PartialEq)]
pub struct Api {
    /// Who may call it.
    pub access: Access,
    /// How often.
    pub throttle: Throttle,
    /// Which web pages may.
    pub cors: Option<Cors>,
    /// What stands before it.
    pub waf: Option<Waf>,
    /// Under which domain it answers beside AWS's own.
    pub domain: Option<Domain>,
    /// The routes, in order.
    pub routes: Vec<Route>,
}

impl Api {
    /// Who may call one of its routes.
    #[must_use]
    pub fn access_to(&self, route: &Route) -> &Access {
        if route.public { &Access::Public } else { &self.access }
    }

    /// How many resources its routes are in CloudFormation: parts of paths, methods with leave to call their functions, models of
    /// bodies, the answer to those that do not fit, and what web pages of other origins need.
    #[must_use]
    pub fn resources(&self) -> usize {
        let parts: HashSet<&[Segment]> =
            self.routes.iter().flat_map(|route| (1..=route.segments.len()).map(|end| &route.segments[..end])).collect();
        let bodies = self.routes.iter().filter(|route| route.method.has_body() && route.body.is_some()).count();
        let any = self.routes.iter().any(|route| route.method.has_body() && route.body.is_none());
        let paths: HashSet<&str> = self.routes.iter().map(|route| route.path.as_str()).collect();
        let cors = if self.cors.is_some() { paths.len() + 2 } else { 0 };
        let refused = self.routes.iter().any(|route| route.method.has_body());
        parts.len() + 2 * self.routes.len() + bodies + usize::from(any) + usize::from(refused) + cors
    }

    /// The methods that a web page may use on a path.
    #[must_use]
    pub fn cors_methods(&self, path: &str) -> Vec<&'static str> {
        let routes = self.routes.iter().filter(|route| route.path == path);
        routes.map(|route| route.method.as_str()).chain(["OPTIONS"]).collect()
    }

    /// The headers that a web page may send: those that access and bodies need, and those of the blueprint.
    #[must_use]
    pub fn cors_headers(&self, cors: &Cors) -> Vec<String> {
        let own: &[&str] = match self.access {
            Access::ApiKey => &["content-type", "x-api-key"],
            Access::Iam => &["content-type", "authorization", "x-amz-date", "x-amz-security-token"],
            Access::Cognito { .. } => &["content-type", "authorization"],
            Access::Public => &["content-type"],
        };
        own.iter().map(|name| (*name).to_owned()).chain(cors.headers.iter().cloned()).collect()
    }
}

/// Who may call an API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Whoever sends a key in `x-api-key`.
    ApiKey,
    /// Whoever AWS knows and allows.
    Iam,
    /// Whoever sends a token of a pool of users in `authorization`.
    Cognito {
        /// The ARN of the pool; `None` for one of the lake's own.
        pool: Option<String>,
        /// One of which an access token must have; identity tokens are asked for when there are none.
        scopes: Vec<String>,
    },
    /// Everybody.
    Public,
}

/// How often an API may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    /// Requests a second, on average.
    pub rate: u32,
    /// Requests at once.
    pub burst: u32,
    /// Requests a day with one key.
    pub daily: Option<u32>,
}

/// Which web pages may call an API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// `https://shop.example.com`, or `*`.
    pub origin: String,
    /// More headers that they may send, in lower case.
    pub headers: Vec<String>,
    /// How long a browser remembers it, in seconds.
    pub seconds: u32,
}

/// A web application firewall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waf {
    /// One with AWS's managed rules and a limit for each address.
    Managed,
    /// The ARN of one that is there already.
    Existing(String),
}

/// A domain of the API's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// `api.example.com`.
    pub name: String,
    /// The ARN of its certificate.
    pub certificate: String,
    /// The first part of every path.
    pub base_path: Option<String>,
}

/// One route.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// As written: `/users/{user_id}`.
    pub path: String,
    /// The path's parts.
    pub segments: Vec<Segment>,
    /// Who answers.
    pub function: Id<Function>,
    /// One for each part in braces, in that order.
    pub path_parameters: Vec<Parameter>,
    /// What may stand behind `?`.
    pub query_parameters: Vec<Parameter>,
    /// The fields of the body, when they are declared.
    pub body: Option<Vec<Parameter>>,
    /// The fields of the answer, when they are declared.
    pub answer: Option<Vec<Parameter>>,
    /// Whether everybody may call it.
    pub public: bool,
    /// What it is for.
    pub description: Option<String>,
}

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Get, Self::Post, Self::Put, Self::Patch, Self::Delete];

    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Whether requests carry a body.
    #[must_use]
    pub fn has_body(self) -> bool {
        matches!(self, Self::Post | Self::Put | Self::Patch)
    }
}

/// One part of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    /// Itself.
    Literal(String),
    /// Anything, under this name.
    Parameter(String),
}

/// API Gateway's own account limits. Source: its quotas page, "Throttle quota per account, per Region".
const MAX_RATE: u32 = 10_000;
const MAX_BURST: u32 = 5_000;
/// An API is whole in one stack of CloudFormation, of whose 500 resources it leaves some to what all routes share.
const MAX_RESOURCES: usize = 440;

impl ApiSpec {
    pub(crate) fn check(&self, cx: &mut Check<'_>) -> Option<Api> {
        let access = self.access(cx);
        let throttle = self.throttle(&access, cx);
        let mut routes: Vec<(Route, &Spanned<String>)> = Vec::new();
        for (key, spec) in &self.routes.0 {
            let route = route(key, spec.as_ref(), cx);
            let Some(route) = route else { continue };
            for (other, first) in &routes {
                ambiguous(&route, key, other, first, cx);
            }
            routes.push((route, key));
        }
        patience(&routes, cx);
        let last = routes.last().map(|(_, key)| *key);
        let api = Api {
            access,
            throttle,
            cors: self.cors.as_ref().map(|cors| cors.check(cx)),
            waf: self.waf.as_ref().and_then(|waf| firewall(waf, cx)),
            domain: self.domain.as_ref().map(|domain| domain.check(cx)),
            routes: routes.into_iter().map(|(route, _)| route).collect(),
        };
        let resources = api.resources();
        if let Some(last) = last.filter(|_| resources > MAX_RESOURCES) {
            cx.error(last.span, format!("the routes take {resources} resources, and one stack has room for {MAX_RESOURCES} of them"))
                .help("let fewer paths with parameters, like `/things/{thing_id}`, take the place of many, or make a second lake of some");
        }
        Some(api)
    }

    fn access(&self, cx: &mut Check<'_>) -> Access {
        if let (Some(access), Some(public)) = (&self.access, &self.public)
            && public.value
        {
            cx.push(
                Diagnostic::error(public.span, "an API that is public asks nobody who they are")
                    .related(access.span, "but here it does")
                    .help("remove one of the two"),
            );
        }
        match self.access.as_ref().map(|access| &access.value) {
            None if self.public.as_ref().is_some_and(|public| public.value) => Access::Public,
            None | Some(AccessSpec::ApiKey) => Access::ApiKey,
            Some(AccessSpec::Iam) => Access::Iam,
            Some(AccessSpec::Cognito(None)) => Access::Cognito { pool: None, scopes: Vec::new() },
            Some(AccessSpec::Cognito(Some(CognitoSpec { pool, scopes }))) => {
                if let Some(pool) = pool {
                    arn(pool, "cognito-idp", "userpool/", "a pool of users", cx);
                }
                for scope in scopes {
                    if scope.is_empty() || scope.chars().any(|c| c.is_whitespace() || c.is_control()) {
                        cx.error(scope.span, format!("`{}` is not a scope", scope.value))
                            .help("write it like `orders/read`: the resource server, `/`, the scope");
                    }
                }
                Access::Cognito {
                    pool: pool.as_ref().map(|pool| pool.value.clone()),
                    scopes: scopes.iter().map(|scope| scope.value.clone()).collect(),
                }
            }
        }
    }

    fn throttle(&self, access: &Access, cx: &mut Check<'_>) -> Throttle {
        let Some(ThrottleSpec { rate, burst, daily }) = &self.throttle else {
            return Throttle { rate: 50, burst: 100, daily: None };
        };
        for (written, limit) in [(rate, MAX_RATE), (burst, MAX_BURST)] {
            if !(1..=limit).contains(&written.value) {
                cx.error(written.span, format!("API Gateway takes 1 to {limit} here"));
            }
        }
        if let Some(daily) = daily {
            if *access != Access::ApiKey {
                cx.error(daily.span, "requests a day are counted by key, and this API asks for none")
                    .help("remove it, or write `access: api_key`");
            } else if daily.value == 0 {
                cx.error(daily.span, "no request a day would be allowed");
            }
        }
        Throttle { rate: rate.value, burst: burst.value, daily: daily.as_ref().map(|daily| daily.value) }
    }
}

impl CorsSpec {
    fn check(&self, cx: &mut Check<'_>) -> Cors {
        let host = self.origin.strip_prefix("https://").or_else(|| self.origin.strip_prefix("http://"));
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':');
        if self.origin.value != "*" && !host.is_some_and(|host| !host.is_empty() && host.chars().all(plain)) {
            cx.error(self.origin.span, format!("`{}` is not where a web page comes from", self.origin.value))
                .help("scheme and host without a path, like `https://shop.example.com`, or `*`");
        }
        for name in &self.headers {
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
                cx.error(name.span, format!("`{}` is not the name of a header", name.value));
            }
        }
        if let Some(remember) = &self.remember
            && remember.value.0 > 86_400
        {
            cx.error(remember.span, "browsers remember it for a day at most");
        }
        Cors {
            origin: self.origin.value.clone(),
            headers: self.headers.iter().map(|name| name.to_ascii_lowercase()).collect(),
            seconds: self.remember.as_ref().map_or(600, |remember| remember.value.0),
        }
    }
}

impl DomainSpec {
    fn check(&self, cx: &mut Check<'_>) -> Domain {
        let label = |part: &str| {
            (1..=63).contains(&part.len())
                && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
                && !part.starts_with('-')
                && !part.ends_with('-')
        };
        if !(self.name.contains('.') && self.name.len() <= 253 && self.name.split('.').all(label)) {
            cx.error(self.name.span, format!("`{}` is not the name of a domain", self.name.value))
                .help("write it like `api.example.com`, in lower case");
        }
        arn(&self.certificate, "acm", "certificate/", "a certificate", cx);
        if let Some(path) = &self.base_path
            && (path.is_empty() || path.chars().any(|c| !c.is_ascii_alphanumeric() && !"-_.".contains(c)))
        {
            cx.error(path.span, format!("`{}` cannot be the first part of a path", path.value))
                .help("letters, digits, `-`, `_` and `.`, without `/`");
        }
        Domain {
            name: self.name.value.clone(),
            certificate: self.certificate.value.clone(),
            base_path: self.base_path.as_ref().map(|path| path.value.clone()),
        }
    }
}

fn firewall(written: &Spanned<WafSpec>, cx: &mut Check<'_>) -> Option<Waf> {
    match &written.value {
        WafSpec::Own(false) => None,
        WafSpec::Own(true) => Some(Waf::Managed),
        WafSpec::Existing(text) => {
            let text = Spanned::new(text.clone(), written.span);
            arn(&text, "wafv2", "regional/webacl/", "a regional web ACL", cx);
            Some(Waf::Existing(text.value))
        }
    }
}

/// Checks that a text is the ARN of something of a service: `arn:<partition>:<service>:<region>:<account>:<prefix>…`.
fn arn(written: &Spanned<String>, service: &str, prefix: &str, noun: &str, cx: &mut Check<'_>) {
    let parts: Vec<&str> = written.splitn(6, ':').collect();
    let fits = match parts.as_slice() {
        ["arn", partition, found, region, account, resource] => {
            partition.starts_with("aws")
                && *found == service
                && crate::region::is_known(region)
                && account.len() == 12
                && account.bytes().all(|b| b.is_ascii_digit())
                && resource.strip_prefix(prefix).is_some_and(|name| !name.is_empty())
                && resource.chars().all(|c| c.is_ascii_alphanumeric() || "-_/.".contains(c))
        }
        _ => false,
    };
    if !fits {
        cx.error(written.span, format!("`{}` is not the ARN of {noun}", written.value))
            .help(format!("write it like `arn:aws:{service}:eu-west-1:111122223333:{prefix}…`"));
    }
}

/// How long API Gateway waits for an answer, in seconds. Source: its quotas page, "Integration timeout"; a longer one is given to
/// accounts that ask for it, at the price of their throttle.
const PATIENCE: u32 = 29;

/// Notes functions that may work on after API Gateway has answered in their place.
fn patience(routes: &[(Route, &Spanned<String>)], cx: &mut Check<'_>) {
    let mut seen = HashSet::new();
    for (route, key) in routes.iter().filter(|(route, _)| seen.insert(route.function)) {
        let spec = cx.blueprint.functions.0.get(route.function.index()).and_then(|(_, spec)| spec.as_ref());
        let timeout = spec.and_then(FunctionSpec::most).filter(|(seconds, _)| *seconds > PATIENCE.into());
        if let Some((_, place)) = timeout {
            let message = format!("API Gateway waits {PATIENCE} seconds for a function, and this one has more");
            let diagnostic = Diagnostic::error(place, message).related(key.span, "the route that it answers");
            cx.push(diagnostic.help(format!("write at most `{PATIENCE} seconds`; a job has hours")));
        }
    }
}

/// API Gateway has one resource per position in the tree: two names for one position cannot both exist.
fn ambiguous(route: &Route, key: &Spanned<String>, other: &Route, first: &Spanned<String>, cx: &mut Check<'_>) {
    let shape = |route: &Route| -> Vec<Option<String>> {
        let word = |segment: &Segment| match segment {
            Segment::Literal(word) => Some(word.clone()),
            Segment::Parameter(_) => None,
        };
        route.segments.iter().map(word).collect()
    };
    if route.method == other.method && shape(route) == shape(other) {
        cx.push(
            Diagnostic::error(key.span, "two routes match the same requests")
                .related(first.span, "the first")
                .help("remove one"),
        );
        return;
    }
    for (mine, theirs) in route.segments.iter().zip(&other.segments) {
        match (mine, theirs) {
            (Segment::Parameter(mine), Segment::Parameter(theirs)) if mine != theirs => {
                cx.push(
                    Diagnostic::error(
                        key.span,
                        format!("`{{{mine}}}` and `{{{theirs}}}` stand at the same place of a path"),
                    )
                    .related(first.span, "the other route")
                    .help("API Gateway wants one name there"),
                );
                return;
            }
            (mine, theirs) if mine != theirs => return,
            _ => {}
        }
    }
}

fn route(key: &Spanned<String>, spec: Option<&RouteSpec>, cx: &mut Check<'_>) -> Option<Route> {
    let Some((method, path)) = key.split_once(' ') else {
        cx.error(key.span, format!("`{}` is not a route", key.value)).help("write it like `GET /users/{user_id}`");
        return None;
    };
    let Some(method) = Method::ALL.into_iter().find(|known| known.as_str() == method) else {
        let names = Method::ALL.map(Method::as_str);
        let help =
            did_you_mean(&method.to_uppercase(), names).unwrap_or_else(|| format!("choose one of {}", listed(&names)));
        cx.error(key.span, format!("no HTTP method named `{method}`")).help(help);
        return None;
    };
    let segments = segments(path, key, cx)?;
    let spec = spec?;
    let function = cx.function(&spec.function);
    let mut path_parameters = Vec::new();
    for segment in &segments {
        let Segment::Parameter(name) = segment else { continue };
        let written = spec.path.0.iter().find(|(key, _)| key.value == *name);
        path_parameters.push(match written {
            Some((key, Some(parameter))) => parameter.check(key, Place::Path, cx),
            _ => Some(Parameter::of_path(name)),
        });
    }
    for (name, _) in &spec.path.0 {
        let names = segments.iter().filter_map(|segment| match segment {
            Segment::Parameter(name) => Some(name.as_str()),
            Segment::Literal(_) => None,
        });
        if !names.clone().any(|known| known == name.value) {
            let help = did_you_mean(name, names).unwrap_or_else(|| format!("the path is `{path}`"));
            cx.error(name.span, format!("the path has no `{{{}}}`", name.value)).help(help);
        }
    }
    let query_parameters: Vec<Option<Parameter>> = spec
        .query
        .0
        .iter()
        .filter_map(|(name, spec)| spec.as_ref().map(|parameter| parameter.check(name, Place::Query, cx)))
        .collect();
    if let Some(body) = &spec.body
        && !method.has_body()
    {
        cx.error(body.span, format!("a {} request carries no body", method.as_str()))
            .help("take its values from the path or from behind `?`, or choose another method");
    }
    let body = spec.body.as_ref().map(|body| fields(body, cx));
    let answer = spec.answer.as_ref().map(|answer| fields(answer, cx));
    Some(Route {
        method,
        path: path.to_owned(),
        segments,
        function: function?,
        path_parameters: path_parameters.into_iter().collect::<Option<_>>()?,
        query_parameters: query_parameters.into_iter().collect::<Option<_>>()?,
        body: body.map_or(Some(None), |fields| fields.map(Some))?,
        answer: answer.map_or(Some(None), |fields| fields.map(Some))?,
        public: spec.public.unwrap_or(false),
        description: spec.description.clone(),
    })
}

fn segments(path: &str, key: &Spanned<String>, cx: &mut Check<'_>) -> Option<Vec<Segment>> {
    let Some(rest) = path.strip_prefix('/') else {
        cx.error(key.span, format!("the path `{path}` does not begin with `/`"));
        return None;
    };
    if rest.is_empty() {
        return Some(Vec::new());
    }
    let mut segments = Vec::new();
    for part in rest.split('/') {
        let parameter = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        let word = |text: &str, extra: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
        };
        let segment = match parameter {
            Some(name) if word(name, "_") => Segment::Parameter(name.to_owned()),
            None if word(part, "-_.~:") => Segment::Literal(part.to_owned()),
            _ => {
                cx.error(key.span, format!("`{part}` cannot be a part of a path"))
                    .help("a word of letters, digits and `-_.~:`, or a `{parameter}`");
                return None;
            }
        };
        if matches!(segment, Segment::Parameter(_)) && segments.contains(&segment) {
            cx.error(key.span, format!("`{part}` stands twice in the path"));
            return None;
        }
        segments.push(segment);
    }
    Some(segments)
}
