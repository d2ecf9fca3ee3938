//! Why a deploy ended early: what AWS said, and what to do about it.

use std::error::Error as StdError;
use std::fmt;

use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};

use super::cause::Cause;
use super::decide::Refusal;
use crate::text::thousands;

/// What sort of no AWS said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// There are no credentials.
    NoCredentials,
    /// The credentials were good and are no more.
    Expired,
    /// AWS does not know the credentials.
    BadCredentials,
    /// The clock of this machine is wrong.
    Clock,
    /// The credentials do not allow it.
    Denied,
    /// Too many calls, for longer than was waited.
    Throttled,
    /// There is no way to AWS, or no answer from there.
    Unreachable,
    /// AWS failed, or answered nonsense.
    Broken,
    /// Anything else: the code and the message say it.
    Other,
}

/// What AWS said to one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsError {
    /// The call as IAM names it, such as `cloudformation:CreateStack`.
    pub operation: &'static str,
    /// What sort it is.
    pub sort: Sort,
    /// The error code.
    pub code: String,
    /// The message.
    pub message: String,
}

impl fmt::Display for AwsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, sort: _, code, message } = self;
        match (code.is_empty(), message.is_empty()) {
            (true, _) => write!(formatter, "{operation}: {message}"),
            (false, true) => write!(formatter, "{operation}: {code}"),
            (false, false) => write!(formatter, "{operation}: {message} ({code})"),
        }
    }
}

impl StdError for AwsError {}

impl AwsError {
    /// An answer that lacks what AWS always sends.
    #[must_use]
    pub fn malformed(operation: &'static str) -> Self {
        Self {
            operation,
            sort: Sort::Broken,
            code: String::new(),
            message: "the answer lacks what AWS always sends".into(),
        }
    }

    /// An answer that broke off in its middle.
    #[must_use]
    pub fn interrupted(operation: &'static str, error: &dyn StdError) -> Self {
        Self {
            operation,
            sort: Sort::Unreachable,
            code: String::new(),
            message: format!("the answer broke off: {error}"),
        }
    }

    /// Whether AWS says that a stack or a change set does not exist.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.code == "ChangeSetNotFound"
            || self.code == "ChangeSetNotFoundException"
            || (self.code == "ValidationError" && self.message.contains("does not exist"))
    }

    /// Whether AWS says that somebody else was faster: the thing is there already, or is being changed.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(
            self.code.as_str(),
            "AlreadyExistsException"
                | "AlreadyExists"
                | "InvalidChangeSetStatus"
                | "InvalidChangeSetStatusException"
                | "OperationInProgressException"
                | "TokenAlreadyExistsException"
                | "TokenAlreadyExists"
                | "StackInstanceNotFoundException"
        ) || (self.code == "ValidationError"
            && (self.message.contains("_IN_PROGRESS") || self.message.contains("state and can not be")))
    }

    /// One line: what to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let again = "run the same command again: it goes on where this one ended";
        Some(match self.sort {
            Sort::NoCredentials => {
                "sign in (`aws sso login`), choose a profile with AWS_PROFILE, or set AWS_ACCESS_KEY_ID \
                                    and AWS_SECRET_ACCESS_KEY"
                    .into()
            }
            Sort::Expired => format!("sign in again (`aws sso login`, or new keys) and {again}"),
            Sort::BadCredentials => "check AWS_PROFILE and the keys: AWS does not know them".into(),
            Sort::Clock => "set this machine's clock: AWS refuses requests that are more than five minutes off".into(),
            Sort::Denied => return Some(self.permission_help()),
            Sort::Unreachable => format!("check the network, and AWS_ENDPOINT_URL if it is set; then {again}"),
            Sort::Throttled | Sort::Broken => again.into(),
            Sort::Other => return None,
        })
    }

    fn permission_help(&self) -> String {
        super::cause::missing_permission(&self.message).unwrap_or_else(|| {
            format!("allow it: {{\"Effect\": \"Allow\", \"Action\": \"{}\", \"Resource\": \"*\"}}", self.operation)
        })
    }
}

/// What the SDK's error means; `operation` is the call as IAM names it.
pub fn told<E, R>(operation: &'static str, error: SdkError<E, R>) -> AwsError
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    R: fmt::Debug + Send + Sync + 'static,
{
    let code = error.code().unwrap_or_default().to_owned();
    let said = error.message().map(str::to_owned);
    let sort = match &error {
        SdkError::ServiceError(_) => sort_of(&code, said.as_deref().unwrap_or_default()),
        SdkError::ResponseError(_) => Sort::Broken,
        SdkError::TimeoutError(_) => Sort::Unreachable,
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => {
            let text = chain(&error);
            if text.contains("credentials") || text.contains("no providers") {
                Sort::NoCredentials
            } else {
                Sort::Unreachable
            }
        }
        _ => Sort::Broken,
    };
    let message = match sort {
        Sort::NoCredentials => "there are no AWS credentials that work: ".to_owned() + &innermost(&error),
        Sort::Unreachable => "there is no way to AWS: ".to_owned() + &innermost(&error),
        _ => said.unwrap_or_else(|| chain(&error)),
    };
    AwsError { operation, sort, code, message }
}

fn sort_of(code: &str, message: &str) -> Sort {
    match code {
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" | "RequestExpired" => Sort::Expired,
        "RequestTimeTooSkewed" => Sort::Clock,
        "SignatureDoesNotMatch" | "InvalidSignatureException"
            if message.contains("Signature expired") || message.contains("not yet current") =>
        {
            Sort::Clock
        }
        "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "AuthFailure"
        | "InvalidToken"
        | "IncompleteSignature" => Sort::BadCredentials,
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "AllAccessDisabled" => Sort::Denied,
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "SlowDown"
        | "PriorRequestNotComplete"
        | "BandwidthLimitExceeded" => Sort::Throttled,
        "InternalFailure"
        | "InternalError"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "InternalServerError"
        | "InternalServerException" => Sort::Broken,
        "" => Sort::Broken,
        _ => Sort::Other,
    }
}

fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

fn innermost(error: &dyn StdError) -> String {
    let mut inner = error;
    while let Some(deeper) = inner.source() {
        inner = deeper;
    }
    inner.to_string()
}

/// Why a deploy ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// AWS said no to a call.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The credentials belong to another account than the environment's.
    #[error("this is account {account} ({caller}), and environment `{environment}` wants {expected}")]
    WrongAccount {
        /// The environment's name.
        environment: String,
        /// Its account.
        expected: String,
        /// The account of the credentials.
        account: String,
        /// Whose they are.
        caller: String,
    },
    /// `LAKEGEN_TIMEOUT` is no number of seconds.
    #[error("LAKEGEN_TIMEOUT is `{0}`, and that is no number of seconds")]
    Timeout(String),
    /// The name of the asset bucket belongs to another account.
    #[error("the bucket `{0}` belongs to another account")]
    ForeignBucket(String),
    /// A bucket cannot become a zone's.
    #[error("the bucket `{bucket}` cannot be adopted: {why}")]
    NotAdoptable {
        /// Its name.
        bucket: String,
        /// Why.
        why: String,
    },
    /// What the lake's roles must carry is not there.
    #[error("the stack `{stack}` is not there, and the roles of a lake with `github` carry the boundary that it holds")]
    NoAccess {
        /// The stack's name.
        stack: String,
        /// The environment's name.
        environment: String,
    },
    /// A stack is in a state that lakegen does not lead out of.
    #[error("the stack `{stack}` is in {status}: {refusal}")]
    Refused {
        /// The stack's name.
        stack: String,
        /// Its status.
        status: &'static str,
        /// Why that is the end.
        refusal: Refusal,
    },
    /// CloudFormation could not do what was asked.
    #[error("{0}")]
    Failed(Box<Cause>),
    /// CloudFormation could not say what would change.
    #[error("CloudFormation cannot plan the stack `{stack}`: {reason}")]
    ChangeSet {
        /// The stack's name.
        stack: String,
        /// What it says.
        reason: String,
    },
    /// A template is larger than CloudFormation takes.
    #[error("the template of `{stack}` has {} bytes, and CloudFormation takes {}", thousands(*bytes as u64), thousands(*limit as u64))]
    TooLarge {
        /// The stack's name.
        stack: String,
        /// The template's size.
        bytes: usize,
        /// The limit.
        limit: usize,
        /// What takes most of it: as it is called in the blueprint, or its logical id.
        largest: String,
    },
    /// A stack lacks an output that another one needs.
    #[error("the stack `{stack}` has no output `{output}`, which `{wanted_by}` needs")]
    MissingOutput {
        /// The stack's name.
        stack: String,
        /// The output's name.
        output: String,
        /// Who needs it.
        wanted_by: String,
    },
    /// Somebody changed the same stack at the same time, again and again.
    #[error("the stack `{0}` was changed by somebody else at the same time")]
    Contended(String),
    /// What would happen is dangerous and was not allowed.
    #[error("{0}")]
    NotAllowed(String),
    /// Interrupted by Ctrl-C.
    #[error("interrupted{}", if .0.is_empty() { String::new() } else { format!(": AWS goes on with {}", .0.join(", ")) })]
    Interrupted(Vec<String>),
}

impl Error {
    /// One line: what to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Aws(error) => error.help(),
            Self::WrongAccount { .. } => {
                Some("use credentials of that account (AWS_PROFILE, `aws sso login`), or another `--env`".into())
            }
            Self::Timeout(_) => {
                Some("take it away, or set how long AWS may take to answer, like `LAKEGEN_TIMEOUT=60`".into())
            }
            Self::ForeignBucket(_) => {
                Some("names of buckets are global: choose another `name` for the lake or the environment".into())
            }
            Self::NotAdoptable { bucket, .. } => Some(format!(
                "nothing was changed: correct `adopt` in the blueprint, or take away what stands in the way (`aws s3api \
                 get-bucket-policy --bucket {bucket}` shows a policy, `delete-bucket-policy` removes it)"
            )),
            Self::NoAccess { environment, .. } => Some(format!(
                "once, by a person: `lakegen deploy --env {environment} --stack access`; or leave `github` out of the blueprint until \
                 GitHub deploys"
            )),
            Self::Refused { refusal, stack, .. } => Some(refusal.help(stack)),
            Self::Failed(cause) => cause.hint(),
            Self::ChangeSet { reason, .. } => super::cause::hint("", reason),
            Self::TooLarge { largest, .. } => {
                Some(format!("nothing was touched; `{largest}` takes most of it: make it smaller, or several of it"))
            }
            Self::MissingOutput { stack, .. } => {
                Some(format!("was `{stack}` changed by hand? delete it or deploy it again"))
            }
            Self::Contended(_) => Some("wait until the others are done, then run the same command again".into()),
            Self::NotAllowed(_) => None,
            Self::Interrupted(_) => Some("run the same command again: it goes on where this one ended".into()),
        }
    }
}
