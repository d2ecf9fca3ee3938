//! A stack as AWS describes it.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::StackStatus;
use serde::Serialize;

macro_rules! statuses {
    ($($status:ident $text:literal),* $(,)?) => {
        /// Every status that a stack can have. Source: CloudFormation's API, `StackStatus`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        #[allow(missing_docs, reason = "AWS's own names")]
        pub enum Status { $($status),* }

        impl Status {
            /// All of them.
            pub const ALL: &[Status] = &[$(Status::$status),*];

            /// As AWS writes it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$status => $text),* }
            }

            /// The status that AWS writes like that.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$status),)* _ => None }
            }
        }
    };
}

statuses! {
    CreateInProgress "CREATE_IN_PROGRESS",
    CreateFailed "CREATE_FAILED",
    CreateComplete "CREATE_COMPLETE",
    RollbackInProgress "ROLLBACK_IN_PROGRESS",
    RollbackFailed "ROLLBACK_FAILED",
    RollbackComplete "ROLLBACK_COMPLETE",
    DeleteInProgress "DELETE_IN_PROGRESS",
    DeleteFailed "DELETE_FAILED",
    DeleteComplete "DELETE_COMPLETE",
    UpdateInProgress "UPDATE_IN_PROGRESS",
    UpdateCompleteCleanupInProgress "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    UpdateComplete "UPDATE_COMPLETE",
    UpdateFailed "UPDATE_FAILED",
    UpdateRollbackInProgress "UPDATE_ROLLBACK_IN_PROGRESS",
    UpdateRollbackFailed "UPDATE_ROLLBACK_FAILED",
    UpdateRollbackCompleteCleanupInProgress "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    UpdateRollbackComplete "UPDATE_ROLLBACK_COMPLETE",
    ReviewInProgress "REVIEW_IN_PROGRESS",
    ImportInProgress "IMPORT_IN_PROGRESS",
    ImportComplete "IMPORT_COMPLETE",
    ImportRollbackInProgress "IMPORT_ROLLBACK_IN_PROGRESS",
    ImportRollbackFailed "IMPORT_ROLLBACK_FAILED",
    ImportRollbackComplete "IMPORT_ROLLBACK_COMPLETE",
}

impl Status {
    /// Whether CloudFormation is at work. A stack in review is not: it waits for somebody to execute its change set.
    #[must_use]
    pub fn in_progress(self) -> bool {
        match self {
            Self::CreateInProgress
            | Self::RollbackInProgress
            | Self::DeleteInProgress
            | Self::UpdateInProgress
            | Self::UpdateCompleteCleanupInProgress
            | Self::UpdateRollbackInProgress
            | Self::UpdateRollbackCompleteCleanupInProgress
            | Self::ImportInProgress
            | Self::ImportRollbackInProgress => true,
            Self::CreateFailed
            | Self::CreateComplete
            | Self::RollbackFailed
            | Self::RollbackComplete
            | Self::DeleteFailed
            | Self::DeleteComplete
            | Self::UpdateComplete
            | Self::UpdateFailed
            | Self::UpdateRollbackFailed
            | Self::UpdateRollbackComplete
            | Self::ReviewInProgress
            | Self::ImportComplete
            | Self::ImportRollbackFailed
            | Self::ImportRollbackComplete => false,
        }
    }

    /// Whether an operation that ends like this did what it was asked to.
    #[must_use]
    pub fn succeeded(self) -> bool {
        matches!(self, Self::CreateComplete | Self::UpdateComplete | Self::ImportComplete | Self::DeleteComplete)
    }
}

/// A stack that is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// Its ARN, which no other stack ever has.
    pub id: String,
    /// Its status.
    pub status: Status,
    /// Why it is in that status.
    pub reason: Option<String>,
    /// Values of its parameters.
    pub parameters: BTreeMap<String, String>,
    /// Values of its outputs.
    pub outputs: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Whether it cannot be deleted.
    pub protected: bool,
    /// When it was last changed, or else created: seconds since 1970.
    pub changed: i64,
}

impl Stack {
    /// What the SDK's stack means; nothing for a stack without name, id or a known status.
    #[must_use]
    pub fn read(stack: aws_sdk_cloudformation::types::Stack) -> Option<Self> {
        let parameters = stack.parameters.unwrap_or_default().into_iter();
        let outputs = stack.outputs.unwrap_or_default().into_iter();
        let tags = stack.tags.unwrap_or_default().into_iter();
        let changed = stack.last_updated_time.or(stack.creation_time).map_or(0, |time| time.secs());
        Some(Self {
            name: stack.stack_name?,
            id: stack.stack_id?,
            status: stack.stack_status.as_ref().map(StackStatus::as_str).and_then(Status::parse)?,
            reason: stack.stack_status_reason,
            parameters: parameters.filter_map(|p| Some((p.parameter_key?, p.parameter_value?))).collect(),
            outputs: outputs.filter_map(|o| Some((o.output_key?, o.output_value?))).collect(),
            tags: tags.filter_map(|t| Some((t.key?, t.value?))).collect(),
            protected: stack.enable_termination_protection.unwrap_or(false),
            changed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_of_the_sdk_is_known_and_no_other() {
        let known = StackStatus::values();
        assert_eq!(known.len(), Status::ALL.len());
        for text in known {
            assert_eq!(Status::parse(text).map(Status::name), Some(*text));
        }
        assert_eq!(Status::parse("UPDATED"), None);
    }

    #[test]
    fn what_is_in_progress_is_called_so() {
        for status in Status::ALL {
            let called = status.name().ends_with("_IN_PROGRESS") && *status != Status::ReviewInProgress;
            assert_eq!(status.in_progress(), called, "{}", status.name());
        }
    }
}
