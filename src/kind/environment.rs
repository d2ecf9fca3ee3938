//! An environment: one copy of the lake in one account and region.

use crate::check::Check;
use crate::decode::section;
use crate::region;
use crate::source::Spanned;

section! {
    /// Where a copy of the lake lives.
    "an environment"
    pub struct EnvironmentSpec {
        /// The AWS region, like `eu-west-1`.
        region: Spanned<String>,
        /// The twelve digits of the account; deploying to another one is refused.
        account: Option<Spanned<String>>,
        /// Data is retained and stacks cannot be deleted by accident.
        protected: Option<bool>,
        /// Who is mailed when a step fails.
        alert: Option<Spanned<String>>,
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
            let help = crate::diagnostic::did_you_mean(&self.region, region::names())
                .unwrap_or_else(|| "write it like `eu-west-1`".into());
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
        })
    }
}
