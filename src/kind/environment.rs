//! An environment: one copy of the lake in one account and region.

use crate::check::Check;
use crate::decode::{Decode, Decoder, Named, section};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::kind::tags::TagSpec;
use crate::region::{self, Service};
use crate::schema::{Language, Shape};
use crate::set;
use crate::source::{Node, Span, Spanned, Value};

section! {
    /// Where a copy of the lake lives.
    "an environment"
    pub struct EnvironmentSpec by NAME {
        /// The AWS region; it says the partition, too.
        /// Example: `eu-west-1`.
        region: Spanned<String>,
        /// The twelve digits of the account; deploying to another one is refused.
        /// Default: the account of whoever deploys.
        /// Example: `"111122223333"`.
        account: Option<Spanned<String>>,
        /// Whether data is retained and stacks cannot be deleted by accident.
        /// Default: `false`.
        /// Example: `true`.
        protected: Option<bool>,
        /// Who is mailed when a step fails.
        /// Default: nobody.
        /// Example: `data-team@example.com`.
        alert: Option<Spanned<String>>,
        /// Tags of everything in this environment, beside the lake's and instead of those of the same name.
        /// Example: `{ cost_centre: "4711" }`.
        tags: Named<TagSpec>,
        /// What is otherwise here: paths into the blueprint and their values here, whole values, checked like any other. Names are put
        /// together with dots; one that holds a dot itself stands in double quotes. Values may be added, but no thing's name guessed.
        /// Default: nothing.
        /// Example: `{ jobs.features.workers.max: 40, 'jobs.features.spark."spark.sql.shuffle.partitions"': 400 }`.
        set: Option<SettingsSpec>,
    }
}

/// Paths into the blueprint, and what stands there in one environment.
#[derive(Debug, Clone, PartialEq)]
pub struct SettingsSpec(pub Vec<(Spanned<String>, Node)>);

impl Decode for SettingsSpec {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match &node.value {
            Value::Map(entries) => {
                crate::decode::repeated(entries, decoder);
                Some(Self(entries.clone()))
            }
            Value::Null => Some(Self(Vec::new())),
            _ => decoder.expected("a map from paths to values", node),
        }
    }

    fn shape(_: &mut Language) -> Shape {
        Shape::Map { names: Some(set::PATHS.into()), values: Box::new(Shape::Any) }.or_nothing()
    }
}

/// A copy of the lake in AWS.
#[derive(Debug, Clone, PartialEq)]
pub struct Environment {
    /// The name, second part of every physical name.
    pub name: String,
    /// The AWS region.
    pub region: String,
    /// The account, when it is fixed.
    pub account: Option<String>,
    /// Whether data is retained and stacks are protected from deletion.
    pub protected: bool,
    /// The e-mail address for alarms.
    pub alert: Option<String>,
    /// The tags of everything in it: the lake's and its own.
    pub tags: Vec<(String, String)>,
}

impl EnvironmentSpec {
    pub(crate) fn check(&self, name: &Spanned<String>, cx: &mut Check<'_>) -> Option<Environment> {
        if name.value == "local" {
            cx.error(name.span, "`local` cannot be declared: it is always there")
                .help("leave it out; `--env local` runs the lake on this machine");
        }
        if name.chars().count() > 12 {
            cx.error(name.span, "an environment's name has at most 12 characters")
                .help("it is part of every bucket's name, which AWS limits to 63");
        }
        if !region::is_known(&self.region) {
            let help =
                did_you_mean(&self.region, region::names()).unwrap_or_else(|| "write it like `eu-west-1`".into());
            cx.error(self.region.span, format!("no AWS region named `{}`", self.region.value)).help(help);
        }
        if let Some(account) = &self.account
            && !(account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()))
        {
            cx.error(account.span, format!("`{}` is not an account: it has twelve digits", account.value))
                .help("write it in quotes: \"111122223333\"");
        }
        if let Some(alert) = &self.alert {
            let mut parts = alert.split('@');
            let whole = matches!((parts.next(), parts.next(), parts.next()), (Some(user), Some(host), None)
                if !user.is_empty() && host.contains('.') && !host.starts_with('.') && !host.ends_with('.'));
            if !whole || alert.chars().any(|c| c.is_whitespace() || c.is_control()) {
                cx.error(alert.span, format!("`{}` is not an e-mail address", alert.value));
            }
        }
        Some(Environment {
            name: name.value.clone(),
            region: self.region.value.clone(),
            account: self.account.as_ref().map(|account| account.value.clone()),
            protected: self.protected.unwrap_or(false),
            alert: self.alert.as_ref().map(|alert| alert.value.clone()),
            tags: super::tags::check(&self.tags, cx)?,
        })
    }

    /// Notes what is of another region than the environment, where AWS takes only what is of its own.
    pub(crate) fn check_placed(&self, name: &Spanned<String>, placed: &[(&str, Span, &str)], cx: &mut Check<'_>) {
        for (region, at, noun) in placed.iter().filter(|(region, ..)| *region != self.region.value) {
            let message =
                format!("{noun} is of `{region}`, and the environment `{}` is in `{}`", name.value, self.region.value);
            cx.push(Diagnostic::error(*at, message).related(self.region.span, "the environment's region"))
                .help("name one of that region, in the environment's `set` if the others have another");
        }
    }

    /// Notes what the lake needs and the region does not have; `needed` says where the lake speaks of it.
    pub(crate) fn check_services(&self, name: &Spanned<String>, needed: &[(Service, Span)], cx: &mut Check<'_>) {
        for (service, at) in needed {
            if region::is_known(&self.region) && !region::has(&self.region, *service) {
                let message = format!("`{}` has no {}", self.region.value, service.name());
                let note = format!("the environment `{}` would need it for this", name.value);
                let new = if service.spreads() { Diagnostic::warning } else { Diagnostic::error };
                cx.push(new(self.region.span, message).related(*at, note).help(service.without()));
            }
        }
    }
}
