//! An operation of CloudFormation, watched until it ends.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_cloudformation::types::{EventFilter, ResourceStatus, StackEvent};

use super::cause::Incident;
use super::error::{AwsError, Error, told};
use super::observe;
use super::progress::{Event, Observer};
use super::session::Session;
use super::stack::{Stack, Status};

/// How long to wait before looking for the first time, and at most between two looks.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(3);

/// How an operation ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The stack afterwards.
    pub stack: Stack,
    /// What happened, the earliest first.
    pub incidents: Vec<Incident>,
}

/// Watches the operation that is under way on the stack, or the one that was begun with `token`, until it ends.
///
/// # Errors
/// AWS does not answer.
pub async fn follow(
    session: &Session,
    name: &str,
    id: &str,
    token: Option<&str>,
    observer: &dyn Observer,
) -> Result<Ended, Error> {
    let mut pause = FIRST;
    let mut told_of = BTreeSet::new();
    let mut begun = token.is_none();
    loop {
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(LONGEST);
        let incidents = last_operation(session, id).await?;
        let last = incidents.iter().rev().find(|incident| incident.is_stack);
        let last = last.and_then(|last| Status::parse(&last.status));
        let under_way = last.is_some_and(Status::in_progress);
        // Until AWS has begun, the newest events are those of an earlier operation, which is over. One that is under way without the
        // token is somebody else's, who was faster with the same.
        let ours = || incidents.iter().any(|incident| incident.token.as_deref() == token);
        begun = begun || under_way || last == Some(Status::DeleteComplete) || ours();
        if !begun {
            continue;
        }
        for incident in incidents.iter().filter(|incident| !incident.is_stack) {
            if told_of.insert(incident.event.clone()) {
                observer.event(Event::Resource {
                    stack: name,
                    id: &incident.id,
                    kind: &incident.kind,
                    status: &incident.status,
                    reason: incident.reason.as_deref(),
                });
            }
        }
        if under_way {
            continue;
        }
        let Some(stack) = observe::stack(session, id).await? else {
            return Err(AwsError::malformed("cloudformation:DescribeStacks").into());
        };
        if !stack.status.in_progress() {
            let mut incidents = incidents;
            if incidents.iter().any(|incident| incident.reason.as_deref().is_some_and(points_to_validations)) {
                incidents.splice(0..0, validations(session, Some(id), None).await?);
            }
            return Ok(Ended { stack, incidents });
        }
    }
}

/// What has happened since the last operation on the stack began, the earliest first.
///
/// # Errors
/// AWS does not answer.
pub async fn last_operation(session: &Session, id: &str) -> Result<Vec<Incident>, AwsError> {
    let mut found: Vec<Incident> = Vec::new();
    let mut pages = session.cloudformation.describe_stack_events().stack_name(id).into_paginator().send();
    'pages: while let Some(page) = pages.next().await {
        let page = page.map_err(|error| told("cloudformation:DescribeStackEvents", error))?;
        for event in page.stack_events.unwrap_or_default() {
            let Some(incident) = read(event, id) else { continue };
            let first = incident.begins_operation();
            // An event that was told at the end of one page may come again on the next.
            if incident.event.is_empty() || found.last().is_none_or(|last| last.event != incident.event) {
                found.push(incident);
            }
            if first {
                break 'pages;
            }
        }
    }
    found.reverse();
    Ok(found)
}

/// Whether a reason says that the template was refused before anything was begun, and that the reasons are elsewhere.
#[must_use]
pub fn points_to_validations(reason: &str) -> bool {
    reason.contains("DescribeEvents")
}

/// Why CloudFormation has refused a template before it began: what it found in a stack's operation, or in a change set.
///
/// # Errors
/// AWS does not answer.
pub async fn validations(
    session: &Session,
    stack: Option<&str>,
    change_set: Option<&str>,
) -> Result<Vec<Incident>, AwsError> {
    let call = session.cloudformation.describe_events().set_stack_name(stack.map(str::to_owned));
    let call = call.set_change_set_name(change_set.map(str::to_owned));
    let call = call.filters(EventFilter::builder().failed_events(true).build());
    let answer = call.send().await.map_err(|error| told("cloudformation:DescribeEvents", error))?;
    let found = answer.operation_events.unwrap_or_default().into_iter().filter_map(|event| {
        Some(Incident {
            reason: Some(event.validation_status_reason?),
            id: event.logical_resource_id?,
            kind: event.resource_type.unwrap_or_default(),
            physical: event.physical_resource_id.unwrap_or_default(),
            status: "VALIDATION_FAILED".to_owned(),
            is_stack: false,
            token: None,
            event: event.event_id.unwrap_or_default(),
        })
    });
    Ok(found.collect())
}

fn read(event: StackEvent, stack: &str) -> Option<Incident> {
    let physical = event.physical_resource_id.unwrap_or_default();
    Some(Incident {
        id: event.logical_resource_id?,
        kind: event.resource_type.unwrap_or_default(),
        status: event.resource_status.as_ref().map(ResourceStatus::as_str)?.to_owned(),
        reason: event.resource_status_reason.filter(|reason| !reason.is_empty()),
        is_stack: physical == stack,
        physical,
        token: event.client_request_token,
        event: event.event_id.unwrap_or_default(),
    })
}
