//! Why GitHub did not do what was asked of it.

use crate::text::moment;

/// Why GitHub said no, or nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not an address.
    #[error("`{0}` is not the address of an API")]
    Address(String),
    /// There is no answer.
    #[error("GitHub at {url} cannot be reached: {reason}")]
    Network {
        /// The address.
        url: String,
        /// Why.
        reason: String,
    },
    /// The key of the app is not a key.
    #[error("the private key of the GitHub App cannot be used: {0}")]
    Key(String),
    /// GitHub does not know the token.
    #[error("GitHub does not accept the token from {from}: {reason}")]
    Token {
        /// Where it is from.
        from: &'static str,
        /// GitHub's words.
        reason: String,
    },
    /// The organization wants the token to be authorized.
    #[error(
        "the organization protects this with SAML single sign-on, and the token from {from} is not authorized for it"
    )]
    SingleSignOn {
        /// Where the token is from.
        from: &'static str,
        /// The page on which it can be authorized.
        url: Option<String>,
    },
    /// No requests are left.
    #[error("GitHub's rate limit is used up{}", until(*.reset))]
    RateLimit {
        /// When it begins anew, in seconds since 1970.
        reset: Option<i64>,
    },
    /// Too much at once.
    #[error("GitHub asks to slow down (its secondary rate limit){}", wait(*.seconds))]
    SecondaryLimit {
        /// How long to wait.
        seconds: Option<u64>,
    },
    /// The token may not do this.
    #[error("the token from {from} may not {what}: {reason}")]
    Forbidden {
        /// Where the token is from.
        from: &'static str,
        /// `create the environment ...`.
        what: String,
        /// GitHub's words.
        reason: String,
        /// What would allow it.
        grant: Box<Grant>,
    },
    /// There is no such thing, or the token may not see it: GitHub says the same in both cases.
    #[error("cannot {what}: GitHub says that there is no such thing, which it also says of what a token may not see")]
    NotFound {
        /// `read the repository ...`.
        what: String,
        /// What would allow it.
        grant: Box<Grant>,
    },
    /// The request is understood and refused.
    #[error("GitHub refuses to {what}: {reason}")]
    Refused {
        /// `create the environment ...`.
        what: String,
        /// GitHub's words.
        reason: String,
    },
    /// GitHub has a problem.
    #[error("GitHub could not {what}: it answered {status}{}", because(.reason))]
    Failed {
        /// `create the environment ...`.
        what: String,
        /// The status of the answer.
        status: u16,
        /// GitHub's words.
        reason: String,
    },
    /// The answer is not what GitHub documents.
    #[error("the answer to `{what}` is not what GitHub documents; is this the address of its API?")]
    Malformed {
        /// `read the repository ...`.
        what: String,
    },
}

fn until(reset: Option<i64>) -> String {
    reset.map(|at| format!(" until {} UTC", moment(at))).unwrap_or_default()
}

fn wait(seconds: Option<u64>) -> String {
    seconds.map(|seconds| format!(" for {seconds} s")).unwrap_or_default()
}

fn because(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(": {words}") }
}

/// Whether GitHub's words are about what the plan of the account does not have.
fn of_the_plan(reason: &str) -> bool {
    reason.contains("Upgrade to GitHub") || reason.contains("billing plan")
}

/// What a token may do, and what a call asks for, as GitHub's headers say it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    /// The scopes of the token (`x-oauth-scopes`); none for tokens that have permissions instead.
    pub scopes: Option<Vec<String>>,
    /// The scopes of which the call takes any (`x-accepted-oauth-scopes`).
    pub accepted: Vec<String>,
    /// The permissions that the call takes (`x-accepted-github-permissions`).
    pub permissions: Option<String>,
    /// The scopes without which a call like this cannot work.
    pub needed: Vec<&'static str>,
    /// Whether the token is that of a job in GitHub Actions.
    pub in_actions: bool,
}

impl Grant {
    /// The scopes that are missing; none if the token has no scopes, or enough.
    #[must_use]
    pub fn missing(&self) -> Vec<&str> {
        let Some(scopes) = &self.scopes else { return Vec::new() };
        let has = |scope: &str| scopes.iter().any(|own| own == scope);
        let mut missing: Vec<&str> = self.needed.iter().copied().filter(|scope| !has(scope)).collect();
        if missing.is_empty()
            && !self.accepted.is_empty()
            && !self.accepted.iter().any(|scope| has(scope))
            && let Some(first) = self.accepted.first()
        {
            missing.push(first);
        }
        missing
    }

    fn help(&self) -> Option<String> {
        let missing = self.missing();
        if !missing.is_empty() {
            let names = crate::diagnostic::listed(&missing);
            let list = missing.join(",");
            return Some(format!(
                "add the {} {names} to the token: `gh auth refresh --scopes {list}`, or on its page under \
                 https://github.com/settings/tokens",
                if missing.len() == 1 { "scope" } else { "scopes" }
            ));
        }
        // Alternatives, of which each names what must be there together: `issues=write; pull_requests=write`.
        let mut alternatives = self.permissions.as_deref()?.split(';').map(str::trim);
        let first = alternatives.clone().next()?;
        let chosen = alternatives.find(|one| one.contains("pull_requests")).unwrap_or(first).replace('=', ": ");
        Some(if self.in_actions {
            let chosen = chosen.replace('_', "-");
            format!("give the job `permissions: {{ {chosen} }}`; in pull requests from forks its token only reads")
        } else {
            format!("give the token the permission `{chosen}` for this repository")
        })
    }
}

impl Error {
    /// One line: what to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Address(_) => "write it like `https://HOST/api/v3`".to_owned(),
            Self::Network { .. } => "check the network and `--api-url`; https://www.githubstatus.com shows how GitHub is".to_owned(),
            Self::Key(_) => "it is the RSA key in the `.pem` file that GitHub gives out for the app".to_owned(),
            Self::Token { from: "gh auth token", .. } => "`gh auth login` signs in anew".to_owned(),
            Self::Token { .. } => "has it expired, or was it revoked? set another one".to_owned(),
            Self::SingleSignOn { url: Some(url), .. } => format!("authorize it on {url}"),
            Self::SingleSignOn { url: None, .. } => {
                "authorize it with `Configure SSO` beside the token on https://github.com/settings/tokens".to_owned()
            }
            Self::RateLimit { .. } => "run it again then: what is done already is not done twice".to_owned(),
            Self::SecondaryLimit { .. } => "run it again after that: what is done already is not done twice".to_owned(),
            Self::Forbidden { reason, .. } | Self::Refused { reason, .. } if of_the_plan(reason) => {
                "GitHub has this for public repositories, and for private ones of plans that are paid".to_owned()
            }
            Self::Forbidden { grant, .. } => grant.help()?,
            Self::NotFound { grant, .. } => grant.help().unwrap_or_else(|| {
                "check the name, and that the token may see the repository: a fine-grained token or an app must be given it by name"
                    .to_owned()
            }),
            Self::Refused { .. } => return None,
            Self::Failed { .. } => "try again later; https://www.githubstatus.com shows how GitHub is".to_owned(),
            Self::Malformed { .. } => "`--api-url` is like `https://HOST/api/v3` for GitHub Enterprise Server".to_owned(),
        };
        Some(help)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(scopes: &[&str], accepted: &[&str], needed: &[&'static str]) -> Grant {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        Grant { scopes: Some(owned(scopes)), accepted: owned(accepted), needed: needed.to_vec(), ..Grant::default() }
    }

    #[test]
    fn missing_scopes_are_named() {
        assert_eq!(grant(&["gist"], &["public_repo", "repo"], &[]).missing(), ["public_repo"]);
        assert_eq!(grant(&["repo"], &["public_repo", "repo"], &["workflow"]).missing(), ["workflow"]);
        assert_eq!(grant(&["repo", "workflow"], &["repo"], &["repo", "workflow"]).missing(), [""; 0]);
        assert_eq!(Grant { needed: vec!["repo"], ..Grant::default() }.missing(), [""; 0], "no scopes at all");
    }

    #[test]
    fn permissions_of_a_job_are_written_as_in_a_workflow() {
        let permissions = Some("issues=write; pull_requests=write".to_owned());
        let grant = Grant { permissions, in_actions: true, ..Grant::default() };
        assert_eq!(
            grant.help().unwrap(),
            "give the job `permissions: { pull-requests: write }`; in pull requests from forks its token only reads"
        );
    }
}
