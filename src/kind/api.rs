//! The API: routes that functions answer.

use crate::check::Check;
use crate::decode::{Named, Scalar, alternatives, section};
use crate::diagnostic::{Diagnostic, did_you_mean, listed};
use crate::lake::{Function, Id};
use crate::source::Spanned;

section! {
    /// A REST API on API Gateway.
    "the api"
    pub struct ApiSpec {
        /// Who may call it.
        access: Option<Spanned<AccessSpec>>,
        /// How often it may be called.
        throttle: Option<ThrottleSpec>,
        /// What answers what: `GET /users/{user_id}: { function: … }`.
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
        /// Everybody.
        Public = "public",
    }
}

section! {
    /// How often an API may be called.
    "a throttle"
    pub struct ThrottleSpec {
        /// Requests a second, on average.
        rate: Spanned<u32>,
        /// Requests at once.
        burst: Spanned<u32>,
    }
}

section! {
    /// One route.
    "a route"
    pub struct RouteSpec {
        /// The function that answers.
        function: Spanned<String>,
        /// The parameters in braces; text by default.
        path: Named<ParameterSpec>,
        /// The parameters behind `?`.
        query: Named<ParameterSpec>,
    }
}

/// A parameter: its bare type, or a map.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterSpec(ParameterMap);

section! {
    /// A parameter in full.
    "a parameter"
    struct ParameterMap {
        /// `string`, `int`, `number` or `boolean`.
        ty as "type": Spanned<ParameterType>,
        /// Whether a request without it is refused.
        required: Option<Spanned<bool>>,
        /// Its value when it is missing.
        default: Option<Spanned<Scalar>>,
        /// The smallest number.
        minimum: Option<Spanned<f64>>,
        /// The largest number.
        maximum: Option<Spanned<f64>>,
        /// The longest text, in characters.
        maximum_length: Option<Spanned<u32>>,
    }
}

alternatives! {
    /// The type of a parameter.
    #[derive(Copy, Eq)]
    "a parameter's type"
    pub enum ParameterType {
        /// Text.
        String = "string",
        /// A whole number of 64 bits.
        Int = "int",
        /// A number.
        Number = "number",
        /// `true` or `false`.
        Boolean = "boolean",
    }
}

impl crate::decode::Decode for ParameterSpec {
    fn decode(node: &crate::source::Node, decoder: &mut crate::decode::Decoder) -> Option<Self> {
        if matches!(node.value, crate::source::Value::String(_)) {
            let ty = Spanned::<ParameterType>::decode(node, decoder)?;
            let (required, default, minimum, maximum, maximum_length) = (None, None, None, None, None);
            return Some(Self(ParameterMap { ty, required, default, minimum, maximum, maximum_length }));
        }
        ParameterMap::decode(node, decoder).map(Self)
    }
}

/// A REST API.
#[derive(Debug, Clone, PartialEq)]
pub struct Api {
    /// Who may call it.
    pub access: Access,
    /// How often.
    pub throttle: Throttle,
    /// The routes, in order.
    pub routes: Vec<Route>,
}

/// Who may call an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Whoever sends a key in `x-api-key`.
    ApiKey,
    /// Whoever AWS knows and allows.
    Iam,
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

/// A parameter of a route.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// The name.
    pub name: String,
    /// The type.
    pub ty: ParameterType,
    /// Whether a request without it is refused.
    pub required: bool,
    /// Its value when it is missing.
    pub default: Option<String>,
    /// The smallest number.
    pub minimum: Option<f64>,
    /// The largest number.
    pub maximum: Option<f64>,
    /// The longest text, in characters.
    pub maximum_length: Option<u32>,
}

/// API Gateway's own account limits. Source: its quotas page, "Throttle quota per account, per Region".
const MAX_RATE: u32 = 10_000;
const MAX_BURST: u32 = 5_000;

impl ApiSpec {
    pub(crate) fn check(&self, cx: &mut Check<'_>) -> Option<Api> {
        let throttle = match &self.throttle {
            None => Throttle { rate: 50, burst: 100 },
            Some(ThrottleSpec { rate, burst }) => {
                for (written, limit) in [(rate, MAX_RATE), (burst, MAX_BURST)] {
                    if !(1..=limit).contains(&written.value) {
                        cx.error(written.span, format!("API Gateway takes 1 to {limit} here"));
                    }
                }
                Throttle { rate: rate.value, burst: burst.value }
            }
        };
        let access = match self.access.as_ref().map(|access| &access.value) {
            None | Some(AccessSpec::ApiKey) => Access::ApiKey,
            Some(AccessSpec::Iam) => Access::Iam,
            Some(AccessSpec::Public) => Access::Public,
        };
        let mut routes: Vec<(Route, &Spanned<String>)> = Vec::new();
        for (key, spec) in &self.routes.0 {
            let route = route(key, spec.as_ref(), cx);
            let Some(route) = route else { continue };
            for (other, first) in &routes {
                ambiguous(&route, key, other, first, cx);
            }
            routes.push((route, key));
        }
        Some(Api { access, throttle, routes: routes.into_iter().map(|(route, _)| route).collect() })
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
            Some((key, Some(ParameterSpec(map)))) => map.check(key, true, cx),
            _ => Some(Parameter {
                name: name.clone(),
                ty: ParameterType::String,
                required: true,
                default: None,
                minimum: None,
                maximum: None,
                maximum_length: None,
            }),
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
        .filter_map(|(name, spec)| spec.as_ref().map(|ParameterSpec(map)| map.check(name, false, cx)))
        .collect();
    Some(Route {
        method,
        path: path.to_owned(),
        segments,
        function: function?,
        path_parameters: path_parameters.into_iter().collect::<Option<_>>()?,
        query_parameters: query_parameters.into_iter().collect::<Option<_>>()?,
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

impl ParameterMap {
    fn check(&self, name: &Spanned<String>, in_path: bool, cx: &mut Check<'_>) -> Option<Parameter> {
        cx.name(name, "a parameter")?;
        let ty = self.ty.value;
        let numeric = matches!(ty, ParameterType::Int | ParameterType::Number);
        for limit in [&self.minimum, &self.maximum].into_iter().flatten() {
            if !numeric {
                cx.error(limit.span, "only numbers have a minimum or maximum");
            }
        }
        if let (Some(minimum), Some(maximum)) = (&self.minimum, &self.maximum)
            && minimum.value > maximum.value
        {
            cx.error(maximum.span, "the maximum is below the minimum");
        }
        if let Some(length) = &self.maximum_length
            && ty != ParameterType::String
        {
            cx.error(length.span, "only text has a `maximum_length`");
        }
        if in_path {
            for span in
                [self.required.as_ref().map(|r| r.span), self.default.as_ref().map(|d| d.span)].into_iter().flatten()
            {
                cx.error(span, "a parameter of the path is always there").help("remove this key");
            }
        }
        let parameter = Parameter {
            name: name.value.clone(),
            ty,
            required: in_path || self.required.as_ref().is_some_and(|required| required.value),
            default: self.default.as_ref().map(|default| default.value.0.clone()),
            minimum: self.minimum.as_ref().map(|limit| limit.value),
            maximum: self.maximum.as_ref().map(|limit| limit.value),
            maximum_length: self.maximum_length.as_ref().map(|length| length.value),
        };
        if let Some(default) = &self.default
            && let Err(reason) = parameter.accepts(&default.value.0)
        {
            cx.error(default.span, format!("the default itself would be refused: {reason}"));
        }
        Some(parameter)
    }
}

impl Parameter {
    /// Whether a request may carry this text for the parameter.
    ///
    /// # Errors
    /// The reason why not, as the caller of the API reads it.
    pub fn accepts(&self, text: &str) -> Result<(), String> {
        let name = &self.name;
        let number = match self.ty {
            ParameterType::String => {
                let length = text.chars().count();
                return match self.maximum_length {
                    Some(maximum) if length > maximum as usize => {
                        Err(format!("{name} has more than {maximum} characters"))
                    }
                    _ if text.is_empty() && self.required => Err(format!("{name} is empty")),
                    _ => Ok(()),
                };
            }
            ParameterType::Boolean => {
                return match text {
                    "true" | "false" => Ok(()),
                    _ => Err(format!("{name} must be true or false")),
                };
            }
            #[allow(clippy::cast_precision_loss, reason = "limits beyond 2^53 are not meant")]
            ParameterType::Int => text.parse::<i64>().ok().map(|number| number as f64),
            ParameterType::Number => text.parse::<f64>().ok().filter(|number| number.is_finite()),
        };
        let Some(number) = number else {
            let noun = if self.ty == ParameterType::Int { "a whole number" } else { "a number" };
            return Err(format!("{name} must be {noun}"));
        };
        match (self.minimum, self.maximum) {
            (Some(minimum), _) if number < minimum => Err(format!("{name} must be at least {minimum}")),
            (_, Some(maximum)) if number > maximum => Err(format!("{name} must be at most {maximum}")),
            _ => Ok(()),
        }
    }
}
