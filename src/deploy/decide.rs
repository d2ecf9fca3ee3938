//! What a stack's status allows: one pure function.

use std::fmt;

use super::stack::Status;

/// What is wanted of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// It should be there, and what is there is not what should be.
    Change,
    /// It should be there as it is.
    Keep,
    /// It should not be there.
    Remove,
}

/// What to do next. After anything but [`Action::Nothing`] and [`Action::Refuse`] the stack is looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing: it is as wanted.
    Nothing,
    /// Create it.
    Create,
    /// Change it.
    Update,
    /// Delete it.
    Delete,
    /// Delete what a failed creation or a forgotten review has left; then create it. It never held anything.
    Recreate,
    /// Wait until CloudFormation has finished what somebody has begun.
    Wait,
    /// Lead it back to where it was before the update that failed.
    ContinueRollback,
    /// Roll back an update that failed and was left so.
    RollBack,
    /// This cannot be led on by lakegen.
    Refuse(Refusal),
}

/// Why a stack cannot be led on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A deletion was begun and has failed: only another deletion leads on.
    HalfDeleted,
    /// Taking resources in has failed, and undoing that as well.
    ImportStuck,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::HalfDeleted => "a deletion of it has failed, and CloudFormation only lets it be deleted again",
            Self::ImportStuck => "an import into it has failed and could not be undone",
        })
    }
}

impl Refusal {
    /// One line: what to do about it.
    #[must_use]
    pub fn help(self, stack: &str) -> String {
        match self {
            Self::HalfDeleted => {
                format!("finish it with `lakegen destroy`, or delete `{stack}` in the console; then deploy")
            }
            Self::ImportStuck => {
                format!("`aws cloudformation continue-update-rollback --stack-name {stack}` undoes it; then deploy")
            }
        }
    }
}

/// What to do next with a stack of that status, if it is there at all.
#[must_use]
pub fn decide(status: Option<Status>, goal: Goal) -> Action {
    let Some(status) = status else {
        return if goal == Goal::Remove { Action::Nothing } else { Action::Create };
    };
    match (status, goal) {
        (Status::DeleteComplete, Goal::Remove) => Action::Nothing,
        (Status::DeleteComplete, Goal::Change | Goal::Keep) => Action::Create,

        (
            Status::CreateInProgress
            | Status::RollbackInProgress
            | Status::DeleteInProgress
            | Status::UpdateInProgress
            | Status::UpdateCompleteCleanupInProgress
            | Status::UpdateRollbackInProgress
            | Status::UpdateRollbackCompleteCleanupInProgress
            | Status::ImportInProgress
            | Status::ImportRollbackInProgress,
            _,
        ) => Action::Wait,

        (
            Status::CreateComplete
            | Status::UpdateComplete
            | Status::UpdateRollbackComplete
            | Status::ImportComplete
            | Status::ImportRollbackComplete,
            goal,
        ) => match goal {
            Goal::Change => Action::Update,
            Goal::Keep => Action::Nothing,
            Goal::Remove => Action::Delete,
        },

        (
            Status::CreateFailed | Status::RollbackComplete | Status::RollbackFailed | Status::ReviewInProgress,
            Goal::Change | Goal::Keep,
        ) => Action::Recreate,

        (Status::UpdateFailed, Goal::Change | Goal::Keep) => Action::RollBack,
        (Status::UpdateRollbackFailed, Goal::Change | Goal::Keep) => Action::ContinueRollback,
        (Status::DeleteFailed, Goal::Change | Goal::Keep) => Action::Refuse(Refusal::HalfDeleted),
        (Status::ImportRollbackFailed, Goal::Change | Goal::Keep) => Action::Refuse(Refusal::ImportStuck),

        (
            Status::CreateFailed
            | Status::RollbackComplete
            | Status::RollbackFailed
            | Status::ReviewInProgress
            | Status::UpdateFailed
            | Status::UpdateRollbackFailed
            | Status::DeleteFailed
            | Status::ImportRollbackFailed,
            Goal::Remove,
        ) => Action::Delete,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status, and what to do to change, keep and remove it.
    const TABLE: &str = "
        (none)                                       create       create       nothing
        CREATE_IN_PROGRESS                           wait         wait         wait
        CREATE_FAILED                                recreate     recreate     delete
        CREATE_COMPLETE                              update       nothing      delete
        ROLLBACK_IN_PROGRESS                         wait         wait         wait
        ROLLBACK_FAILED                              recreate     recreate     delete
        ROLLBACK_COMPLETE                            recreate     recreate     delete
        DELETE_IN_PROGRESS                           wait         wait         wait
        DELETE_FAILED                                half-deleted half-deleted delete
        DELETE_COMPLETE                              create       create       nothing
        UPDATE_IN_PROGRESS                           wait         wait         wait
        UPDATE_COMPLETE_CLEANUP_IN_PROGRESS          wait         wait         wait
        UPDATE_COMPLETE                              update       nothing      delete
        UPDATE_FAILED                                roll-back    roll-back    delete
        UPDATE_ROLLBACK_IN_PROGRESS                  wait         wait         wait
        UPDATE_ROLLBACK_FAILED                       continue     continue     delete
        UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS wait         wait         wait
        UPDATE_ROLLBACK_COMPLETE                     update       nothing      delete
        REVIEW_IN_PROGRESS                           recreate     recreate     delete
        IMPORT_IN_PROGRESS                           wait         wait         wait
        IMPORT_COMPLETE                              update       nothing      delete
        IMPORT_ROLLBACK_IN_PROGRESS                  wait         wait         wait
        IMPORT_ROLLBACK_FAILED                       import-stuck import-stuck delete
        IMPORT_ROLLBACK_COMPLETE                     update       nothing      delete";

    fn word(action: Action) -> &'static str {
        match action {
            Action::Nothing => "nothing",
            Action::Create => "create",
            Action::Update => "update",
            Action::Delete => "delete",
            Action::Recreate => "recreate",
            Action::Wait => "wait",
            Action::ContinueRollback => "continue",
            Action::RollBack => "roll-back",
            Action::Refuse(Refusal::HalfDeleted) => "half-deleted",
            Action::Refuse(Refusal::ImportStuck) => "import-stuck",
        }
    }

    #[test]
    fn every_status_and_every_goal_has_its_action() {
        let mut seen = Vec::new();
        for line in TABLE.trim().lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            let status = Status::parse(words[0]);
            assert_eq!(status.is_none(), words[0] == "(none)", "{line}");
            let actions = [Goal::Change, Goal::Keep, Goal::Remove].map(|goal| word(decide(status, goal)));
            assert_eq!(actions.as_slice(), &words[1..], "{line}");
            seen.extend(status);
        }
        assert_eq!(seen, Status::ALL);
    }
}
