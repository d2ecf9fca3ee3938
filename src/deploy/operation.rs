//! An operation on a stack, whoever began it: begun, watched, told of, and judged when it has ended.

use std::time::Duration;

use super::cause::Cause;
use super::decide::{Action, Goal, decide};
use super::error::{AwsError, Error, told};
use super::follow::{Ended, follow, last_operation};
use super::progress::{Event, Observer, Work};
use super::session::Session;
use super::stack::Stack;

/// How long to wait before a stack is looked at anew because somebody else was faster: AWS takes a moment to show what was begun.
pub(super) const MOMENT: Duration = Duration::from_millis(500);

/// An operation that lakegen has begun.
#[derive(Debug, Clone, Copy)]
pub struct Begun<'a> {
    /// The stack's name.
    pub name: &'a str,
    /// The stack's ARN.
    pub id: &'a str,
    /// The token with which it was begun. Without one, the last operation on the stack is taken for it.
    pub token: Option<&'a str>,
    /// What is done.
    pub work: Work,
    /// How many resources it touches, as far as that is known.
    pub resources: Option<usize>,
}

/// Watches an operation that lakegen has begun; the stack afterwards.
///
/// # Errors
/// It has failed, with the first cause; or AWS does not answer.
pub async fn watch(session: &Session, begun: Begun<'_>, observer: &dyn Observer) -> Result<Stack, Error> {
    let Begun { name, id, token, work, resources } = begun;
    observer.event(Event::Started { stack: name, work, resources });
    let Ended { stack, incidents } = follow(session, name, id, token, observer).await?;
    if work.is_done(stack.status) {
        observer.event(Event::Finished { stack: name, work });
        return Ok(stack);
    }
    observer.event(Event::Failed { stack: name, status: stack.status });
    Err(Error::Failed(Box::new(Cause::of(name, work, stack.status, stack.reason.as_deref(), &incidents))))
}

/// Waits until whoever is at the stack is done, however that ends.
///
/// # Errors
/// AWS does not answer.
pub async fn wait(session: &Session, stack: &Stack, observer: &dyn Observer) -> Result<Stack, Error> {
    let incidents = last_operation(session, &stack.id).await?;
    let whose = incidents.first().and_then(|first| first.token.as_deref());
    observer.event(Event::Waiting { stack: &stack.name, status: stack.status, whose });
    let ended = follow(session, &stack.name, &stack.id, None, observer).await?;
    observer.event(Event::Finished { stack: &stack.name, work: Work::Wait });
    Ok(ended.stack)
}

/// Deletes a stack: one that is no longer wanted, or what a failed creation or a forgotten review has left.
///
/// # Errors
/// It cannot be deleted, with the first cause; or AWS does not answer.
pub async fn delete(session: &Session, stack: &Stack, work: Work, observer: &dyn Observer) -> Result<(), Error> {
    let token = session.token("delete");
    let call = session.cloudformation.delete_stack().stack_name(&stack.id).client_request_token(&token);
    let begun = call.send().await.map_err(|error| told("cloudformation:DeleteStack", error));
    let token = ours(begun, &token)?;
    let begun = Begun { name: &stack.name, id: &stack.id, token, work, resources: None };
    watch(session, begun, observer).await.map(|_| ())
}

/// Leads a stack back to where it was before an update that failed; the stack afterwards.
///
/// # Errors
/// That has failed as well, with the first cause; or AWS does not answer.
pub async fn roll_back(session: &Session, stack: &Stack, observer: &dyn Observer) -> Result<Stack, Error> {
    let token = session.token("roll-back");
    let begun = if decide(Some(stack.status), Goal::Change) == Action::ContinueRollback {
        let call = session.cloudformation.continue_update_rollback();
        let call = call.stack_name(&stack.id).client_request_token(&token).send().await;
        call.map(|_| ()).map_err(|error| told("cloudformation:ContinueUpdateRollback", error))
    } else {
        let call = session.cloudformation.rollback_stack().stack_name(&stack.id).client_request_token(&token);
        call.send().await.map(|_| ()).map_err(|error| told("cloudformation:RollbackStack", error))
    };
    let token = ours(begun, &token)?;
    let begun = Begun { name: &stack.name, id: &stack.id, token, work: Work::RollBack, resources: None };
    watch(session, begun, observer).await
}

/// The token by which to know the operation: none when somebody else was faster, so that theirs is watched.
fn ours<T>(begun: Result<T, AwsError>, token: &str) -> Result<Option<&str>, AwsError> {
    match begun {
        Ok(_) => Ok(Some(token)),
        Err(error) if error.is_conflict() => Ok(None),
        Err(error) => Err(error),
    }
}
