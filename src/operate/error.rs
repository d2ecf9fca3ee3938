//! Why AWS did not do what was asked of a lake that is there.

use crate::deploy;
use crate::deploy::error::AwsError;

/// Why a command on a deployed lake ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What every use of AWS can run into.
    #[error(transparent)]
    Aws(#[from] deploy::Error),
    /// There is nothing.
    #[error("nothing of the lake `{lake}` is deployed to `{environment}` (account {account}, {region})")]
    NotDeployed {
        /// The lake's name.
        lake: String,
        /// The environment's name.
        environment: String,
        /// The account that was looked into.
        account: String,
        /// The region that was looked into.
        region: String,
    },
    /// The stacks that are there have no such thing.
    #[error("what is deployed to `{environment}` has no {what}")]
    Lacks {
        /// The environment's name.
        environment: String,
        /// `API`, `ledger`.
        what: &'static str,
    },
    /// The query failed.
    #[error("the query failed: {reason}")]
    Query {
        /// Athena's words.
        reason: String,
        /// What to do about it.
        help: Option<String>,
    },
    /// What was asked for cannot be.
    #[error("{reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// A function of the lake failed.
    #[error("the function `{function}` failed: {reason}")]
    Function {
        /// Its name.
        function: String,
        /// Why.
        reason: String,
    },
    /// Interrupted by Ctrl-C.
    #[error("interrupted: {what}")]
    Interrupted {
        /// What becomes of it.
        what: String,
        /// How to go on.
        help: Option<String>,
    },
    /// What was downloaded could not be kept.
    #[error("`{}` cannot be written: {source}", path.display())]
    Download {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The API could not be asked.
    #[error("`{url}` cannot be asked: {reason}")]
    Call {
        /// The address.
        url: String,
        /// Why.
        reason: String,
    },
}

impl From<AwsError> for Error {
    fn from(error: AwsError) -> Self {
        Self::Aws(error.into())
    }
}

impl Error {
    /// One line: what to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Aws(error) => error.help(),
            Self::NotDeployed { environment, .. } => Some(format!("`lakegen deploy --env {environment}` makes it")),
            Self::Lacks { environment, what } => Some(format!(
                "is the blueprint newer than what is deployed? then `lakegen deploy --env {environment}`; a blueprint without \
                 one has no {what} in AWS either"
            )),
            Self::Query { help, .. } | Self::Interrupted { help, .. } => help.clone(),
            Self::Refused { .. } => Some("`lakegen status` lists what runs and what there is".into()),
            Self::Function { function, .. } => {
                Some(format!("`aws logs tail /aws/lambda/{function}` shows what it said"))
            }
            Self::Download { .. } => {
                Some("check the permissions and the free space of the folder for temporary files".into())
            }
            Self::Call { .. } => Some("check the network; `lakegen status` shows the address of the API".into()),
        }
    }
}
