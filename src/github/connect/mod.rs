//! What GitHub must have so that it reviews and deploys a lake: looked at, decided, made so.
//!
//! `observe` reads, `decide` is pure, `execute` does what was decided and no more: what is as it should be is not touched.

mod decide;
mod execute;
mod observe;
mod seal;

use serde::Serialize;

use super::error::Error;
use super::repository::Repository;

pub use self::decide::{Pull, Step, decide};
pub use self::execute::execute;
pub use self::observe::{Seen, observe};
pub use crate::lake::Reviewer;

/// The branch from which lakegen asks for its files to be merged.
pub const BRANCH: &str = "lakegen/github";
/// The name of lakegen's rules for the branch that is deployed.
pub const RULESET: &str = "lakegen";

/// What there should be.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The repository.
    pub repository: Repository,
    /// The branch whose commits are deployed.
    pub branch: String,
    /// GitHub's environments.
    pub environments: Vec<Environment>,
    /// Variables of the whole repository. The last one says that everything before it is done.
    pub variables: Vec<(String, String)>,
    /// Secrets of the repository or of an environment.
    pub secrets: Vec<Secret>,
    /// Whether to write secrets again that are there already: GitHub does not say what they hold.
    pub renew_secrets: bool,
    /// Jobs that must have succeeded before a pull request is merged.
    pub checks: Vec<String>,
    /// How many people must have agreed to a pull request; by default one in an organization, and nobody where only the owner is.
    pub approvals: Option<u8>,
    /// Files of the repository.
    pub files: Vec<File>,
    /// What a file should be, from what it is and from what lakegen writes into it.
    pub merge: Merge,
}

/// What a file should be, from what it is and from what lakegen writes into it; or why nobody may change it.
pub type Merge = fn(Option<&str>, &str) -> Result<String, &'static str>;

/// A file of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path, with `/`.
    pub path: String,
    /// What lakegen writes into it.
    pub block: String,
}

/// What stands before one of GitHub's environments, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// Who must agree, one of them.
    pub reviewers: Vec<Reviewer>,
    /// Whether whoever started a deploy may agree.
    pub self_review: bool,
    /// How many minutes to wait.
    pub wait: u32,
    /// Which branches may be deployed, as patterns.
    pub branches: Vec<String>,
    /// Its variables.
    pub variables: Vec<(String, String)>,
}

/// A secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// The environment; none for the whole repository.
    pub environment: Option<String>,
    /// Its name.
    pub name: String,
    /// What it holds.
    pub value: String,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret")
            .field("environment", &self.environment)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The numbers by which repositories made since 15 July 2026 prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Ids {
    /// The owner's.
    pub owner: u64,
    /// The repository's.
    pub repository: u64,
}

/// Why a repository cannot be connected.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// GitHub says no.
    #[error(transparent)]
    GitHub(#[from] Error),
    /// It has another name now.
    #[error("the repository {asked} is called {found} now")]
    Renamed {
        /// Its old name.
        asked: Repository,
        /// Its new name.
        found: String,
    },
    /// It is archived.
    #[error("the repository {0} is archived: nothing in it can be changed")]
    Archived(Repository),
    /// Somebody else administers it.
    #[error("only an administrator of {repository} can connect it, and the token is that of somebody who {can}")]
    NotAdmin {
        /// The repository.
        repository: Repository,
        /// What the token's owner can do.
        can: &'static str,
    },
    /// The token lacks scopes.
    #[error("the token lacks {}", crate::diagnostic::listed(.0))]
    Scopes(Vec<String>),
    /// There is nothing in it.
    #[error("the repository {0} is empty")]
    Empty(Repository),
    /// There is no such branch.
    #[error("{repository} has no branch `{branch}`")]
    NoBranch {
        /// The repository.
        repository: Repository,
        /// The branch that is deployed.
        branch: String,
        /// The default branch.
        default: String,
    },
    /// There is no such person or team.
    #[error("GitHub knows no {what} `{name}`")]
    NoReviewer {
        /// `user` or `team`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Somebody has written a file that is lakegen's.
    #[error("`{path}` on `{branch}` cannot be brought up to date: {reason}")]
    File {
        /// The path.
        path: String,
        /// The branch.
        branch: String,
        /// Why.
        reason: &'static str,
    },
    /// The key of secrets is none.
    #[error("GitHub's key for secrets is not a key")]
    SecretKey,
}

impl ConnectError {
    /// One line: what to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::GitHub(error) => return error.help(),
            Self::Renamed { found, .. } => format!(
                "write `repository: {found}` into the blueprint, and `git remote set-url origin` to its new address: AWS trusts a name"
            ),
            Self::Archived(_) => "an owner can unarchive it in its settings".to_owned(),
            Self::NotAdmin { .. } => "ask one of them to run this, or to make you one".to_owned(),
            Self::Scopes(scopes) => format!(
                "`gh auth refresh --scopes {}` adds them, or the page of the token under https://github.com/settings/tokens",
                scopes.join(",")
            ),
            Self::Empty(_) => "push a first commit: `git push --set-upstream origin main`".to_owned(),
            Self::NoBranch { default, .. } => {
                format!("push it, or name another one in the blueprint: `branch: {default}` is the repository's default")
            }
            Self::NoReviewer { what: "team", .. } => {
                "a team of the owner, by the name in its address; the token must be able to read it (scope `read:org`)".to_owned()
            }
            Self::NoReviewer { .. } => "write the login, as in the address of the profile".to_owned(),
            Self::File { .. } => {
                "`lakegen github generate` shows what is different; `--force` there overwrites it, and a commit makes it so".to_owned()
            }
            Self::SecretKey => "is `--api-url` the address of GitHub's API?".to_owned(),
        };
        Some(help)
    }
}
