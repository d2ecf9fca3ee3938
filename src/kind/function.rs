//! A function: Python on Lambda that answers requests.

use std::path::PathBuf;

use crate::check::{Check, unique};
use crate::decode::{Decode, Decoder, Named, Scalar, quantity, section};
use crate::kind::endpoint::Megabytes;
use crate::kind::overrides::OverridesSpec;
use crate::lake::{Id, Model, Table};
use crate::schema::{Language, Shape};
use crate::source::{Node, Span, Spanned, Value, entry};

section! {
    /// A Lambda function.
    "a function"
    pub struct FunctionSpec by NAME {
        /// The folder with its code.
        /// Example: `lambdas/recommend`.
        source: Spanned<String>,
        /// Where it begins: `module.function`.
        /// Default: `handler.handler`.
        /// Example: `app.answer`.
        handler: Option<Spanned<String>>,
        /// The tables that it reads; each comes as the variable `TABLE_<NAME>`.
        /// Example: `[products]`.
        reads: Vec<Spanned<String>>,
        /// The models that it asks; each comes as the variable `ENDPOINT_<NAME>`.
        /// Example: `[taste]`.
        calls: Vec<Spanned<String>>,
        /// Its memory: 128 MB to 10,240 MB.
        /// Default: `256 MB`.
        /// Example: `1 GB`.
        memory: Option<Spanned<Megabytes>>,
        /// After how long it is stopped: at most 29 seconds behind an API.
        /// Default: `10 seconds`.
        /// Example: `29 seconds`.
        timeout: Option<Spanned<Seconds>>,
        /// More environment variables.
        /// Example: `{ LIMIT: 10 }`.
        environment: Named<Scalar>,
        /// Changes to the resources that are made of it; which there are, "The escape hatch" says.
        /// Example: `{ Function: { Properties: { ReservedConcurrentExecutions: 5 } } }`.
        overrides as "override": OverridesSpec,
    }
}

/// A length of time in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds(pub u32);

impl Decode for Seconds {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        quantity(node, &SECONDS, "10 seconds", decoder).map(|seconds| Self(u32::try_from(seconds).unwrap_or(u32::MAX)))
    }

    fn shape(_: &mut Language) -> Shape {
        Shape::quantity(&SECONDS)
    }
}

const SECONDS: [(&str, u64); 4] = [("seconds", 1), ("second", 1), ("minutes", 60), ("minute", 60)];

/// A Lambda function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// The name.
    pub name: String,
    /// The folder with its code, relative to the project.
    pub source: PathBuf,
    /// `module.function`.
    pub handler: String,
    /// What it reads.
    pub reads: Vec<Id<Table>>,
    /// What it asks; each has an endpoint.
    pub calls: Vec<Id<Model>>,
    /// In MB.
    pub memory_mb: u32,
    /// In seconds.
    pub timeout_seconds: u32,
    /// More environment variables, in order.
    pub environment: Vec<(String, String)>,
}

/// Variables that Lambda sets itself. Source: "Defined runtime environment variables".
const RESERVED: [&str; 8] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];

impl FunctionSpec {
    /// How many seconds it may run, where that is written: in its override, or else in its own words.
    pub(crate) fn most(&self) -> Option<(i64, Span)> {
        let overridden = self.overrides.0.iter().find(|(role, _)| role.value == "Function");
        let overridden = overridden.and_then(|(_, spec)| entry(&spec.as_ref()?.properties.0, "Timeout"));
        match overridden {
            Some((_, Node { value: Value::Int(seconds), span })) => Some((*seconds, *span)),
            _ => self.timeout.as_ref().map(|timeout| (timeout.value.0.into(), timeout.span)),
        }
    }

    pub(crate) fn check(&self, name: &Spanned<String>, cx: &mut Check<'_>) -> Option<Function> {
        let source = cx.directory(&self.source);
        let handler = self.handler.as_ref().map_or("handler.handler", |handler| handler.as_str());
        let handler_span = self.handler.as_ref().map_or(self.source.span, |handler| handler.span);
        match handler.rsplit_once('.') {
            Some((module, function)) if python_path(module) && python_path(function) && !function.contains('.') => {
                if source.is_some() {
                    let file = format!("{}.py", module.replace('.', "/"));
                    cx.file_in(&Spanned::new(self.source.value.clone(), handler_span), &file);
                }
            }
            _ => {
                cx.error(handler_span, format!("`{handler}` does not name a function in a module"))
                    .help("write it like `handler.handler`");
            }
        }
        let reads = cx.tables(&self.reads);
        unique(&self.reads, cx);
        unique(&self.calls, cx);
        let calls: Vec<Option<Id<Model>>> = self
            .calls
            .iter()
            .map(|written| {
                let id = cx.model(written)?;
                let spec = cx.blueprint.models.0.get(id.index()).and_then(|(_, spec)| spec.as_ref());
                if spec.is_some_and(|spec| spec.endpoint.is_none()) {
                    cx.error(written.span, format!("the model `{}` has no endpoint to call", written.value))
                        .help("give it one: `endpoint: { serverless: { memory: 2 GB } }`");
                }
                Some(id)
            })
            .collect();
        if let Some(memory) = &self.memory
            && !(128..=10_240).contains(&memory.value.0)
        {
            cx.error(memory.span, "a function has 128 MB to 10,240 MB");
        }
        if let Some(timeout) = &self.timeout
            && !(1..=900).contains(&timeout.value.0)
        {
            cx.error(timeout.span, "a function runs 1 second to 15 minutes");
        }
        let environment = self.environment(cx);
        Some(Function {
            name: name.value.clone(),
            source: source?,
            handler: handler.to_owned(),
            reads: reads?,
            calls: calls.into_iter().collect::<Option<_>>()?,
            memory_mb: self.memory.as_ref().map_or(256, |memory| memory.value.0),
            timeout_seconds: self.timeout.as_ref().map_or(10, |timeout| timeout.value.0),
            environment,
        })
    }

    fn environment(&self, cx: &mut Check<'_>) -> Vec<(String, String)> {
        let mut out = Vec::new();
        for (key, value) in &self.environment.0 {
            let shape = key.len() > 1
                && key.chars().next().is_some_and(|c| c.is_ascii_alphabetic())
                && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            let derived = ["TABLE_", "ENDPOINT_", "LAKE"].iter().any(|prefix| key.starts_with(prefix))
                || key.value == "CORS_ORIGIN";
            if RESERVED.contains(&key.as_str()) || key.starts_with("AWS_LAMBDA_") {
                cx.error(key.span, format!("Lambda sets `{}` itself", key.value)).help("rename it");
            } else if derived {
                cx.error(key.span, format!("lakegen sets variables like `{}` itself", key.value)).help("rename it");
            } else if !shape {
                cx.error(key.span, format!("`{}` is not the name of an environment variable", key.value))
                    .help("two or more letters, digits and `_`, beginning with a letter");
            } else if let Some(Scalar(value)) = value {
                out.push((key.value.clone(), value.clone()));
            }
        }
        // Source: "Lambda quotas". A table or an endpoint comes with a name and a place of some hundred characters.
        const MOST: usize = 4_096;
        let written: usize = out.iter().map(|(key, value)| key.len() + value.len()).sum();
        let derived = 200 + 120 * (self.reads.len() + self.calls.len());
        if let Some((key, _)) = self.environment.0.last()
            && written + derived > MOST
        {
            cx.error(key.span, format!("Lambda takes {MOST} bytes of variables, and these take {written}"))
                .help(format!("about {derived} more are lakegen's own; put what is long into a file beside the code"));
        }
        out
    }
}

fn python_path(text: &str) -> bool {
    !text.is_empty()
        && text.split('.').all(|part| {
            part.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        })
}
