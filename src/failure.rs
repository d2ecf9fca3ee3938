//! Why a command ends early, and with which exit code.

use std::error::Error;

/// The exit codes, as `lakegen --help` documents them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// The blueprint has errors.
    Blueprint,
    /// The command line is wrong.
    Usage,
    /// The world said no: a file, Python, the network, AWS.
    Edge,
    /// A step of the pipeline failed, or a model was refused.
    Step,
    /// Something dangerous was not allowed.
    NotAllowed,
    /// There is something to change, for those who asked to be told.
    Changes,
    /// Interrupted.
    Interrupted,
}

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Blueprint => 1,
            // As `terraform plan -detailed-exitcode` has it.
            Self::Usage | Self::Changes => 2,
            Self::Edge => 3,
            Self::Step => 4,
            Self::NotAllowed => 5,
            Self::Interrupted => 130,
        }
    }
}

/// Why a command ends early.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What happened; none when it has been shown already.
    pub error: Option<Box<dyn Error + Send + Sync>>,
    /// One line: what to do about it.
    pub help: Option<String>,
}

impl Failure {
    /// A failure that has been shown already.
    #[must_use]
    pub fn shown(exit: Exit) -> Self {
        Self { exit, error: None, help: None }
    }

    /// The world said no.
    pub fn edge(error: impl Into<Box<dyn Error + Send + Sync>>, help: impl Into<Option<String>>) -> Self {
        Self { exit: Exit::Edge, error: Some(error.into()), help: help.into() }
    }

    /// The command line is wrong.
    pub fn usage(message: impl Into<String>, help: impl Into<Option<String>>) -> Self {
        Self { exit: Exit::Usage, error: Some(message.into().into()), help: help.into() }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::edge(error, None)
    }
}

impl From<crate::project::Error> for Failure {
    fn from(error: crate::project::Error) -> Self {
        let help = error.help().to_owned();
        Self::edge(error, help)
    }
}
