//! What a deploy tells while it is at it.

use serde::Serialize;

use super::stack::Status;

/// Somebody who is told what happens.
pub trait Observer: Sync {
    /// Something happened.
    fn event(&self, event: Event<'_>);
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// It is known whose account it is.
    Signed {
        /// The account.
        account: &'a str,
        /// The region.
        region: &'a str,
        /// Whose credentials.
        caller: &'a str,
    },
    /// Nothing of the lake is there yet, but another one is: perhaps the same under its old name.
    Another {
        /// The lake.
        lake: &'a str,
        /// The other one.
        other: &'a str,
    },
    /// Objects are about to be uploaded.
    Uploading {
        /// How many.
        objects: usize,
        /// How much.
        bytes: u64,
    },
    /// So much more has arrived.
    Sent {
        /// Bytes.
        bytes: u64,
    },
    /// Everything has arrived.
    Uploaded,
    /// CloudFormation is asked what would change.
    Comparing {
        /// The stack.
        stack: &'a str,
    },
    /// An operation on a stack begins.
    Started {
        /// The stack.
        stack: &'a str,
        /// What is done.
        work: Work,
        /// How many resources it touches, as far as that is known.
        resources: Option<usize>,
    },
    /// Somebody else is at a stack.
    Waiting {
        /// The stack.
        stack: &'a str,
        /// What it is going through.
        status: Status,
        /// Who, if the operation says so.
        whose: Option<&'a str>,
    },
    /// Something happened to a resource.
    Resource {
        /// The stack.
        stack: &'a str,
        /// Its logical id.
        id: &'a str,
        /// Its type.
        kind: &'a str,
        /// Its status.
        status: &'a str,
        /// Why, if it went wrong.
        reason: Option<&'a str>,
    },
    /// So many more versions of objects are gone.
    Emptying {
        /// The bucket.
        bucket: &'a str,
        /// How many.
        versions: u64,
    },
    /// A bucket is empty.
    Emptied {
        /// The bucket.
        bucket: &'a str,
        /// How many versions of objects there were.
        versions: u64,
    },
    /// An operation on a stack has ended well.
    Finished {
        /// The stack.
        stack: &'a str,
        /// What was done.
        work: Work,
    },
    /// An operation on a stack has failed.
    Failed {
        /// The stack.
        stack: &'a str,
        /// How it ended.
        status: Status,
    },
}

/// What is done to a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// It is created.
    Create,
    /// It is changed.
    Update,
    /// It is deleted.
    Delete,
    /// What a failed creation has left is deleted.
    Clear,
    /// It is led back to where it was before an update that failed.
    RollBack,
    /// Something that is there already is taken into it.
    Import,
    /// Somebody else's operation is waited for.
    Wait,
}

impl Work {
    /// Whether an operation that has ended in that status has done it.
    #[must_use]
    pub fn is_done(self, status: Status) -> bool {
        match self {
            Self::RollBack => matches!(status, Status::UpdateRollbackComplete | Status::UpdateComplete),
            Self::Clear | Self::Delete => status == Status::DeleteComplete,
            Self::Import => status == Status::ImportComplete,
            Self::Create | Self::Update => status.succeeded() && status != Status::DeleteComplete,
            Self::Wait => !status.in_progress(),
        }
    }

    /// While it is at it.
    #[must_use]
    pub fn doing(self) -> &'static str {
        match self {
            Self::Create => "creating",
            Self::Update => "updating",
            Self::Delete => "deleting",
            Self::Clear => "clearing away",
            Self::RollBack => "rolling back",
            Self::Import => "importing into",
            Self::Wait => "waiting for",
        }
    }

    /// When it is done.
    #[must_use]
    pub fn done(self) -> &'static str {
        match self {
            Self::Create => "created",
            Self::Update => "updated",
            Self::Delete => "deleted",
            Self::Clear => "cleared away",
            Self::RollBack => "rolled back",
            Self::Import => "imported into",
            Self::Wait => "waited for",
        }
    }
}
