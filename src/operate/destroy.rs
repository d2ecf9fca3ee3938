//! The end of a deployed lake: its stacks, the last first, and what they would not be deleted with.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt;
use futures_util::future::try_join_all;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;

use super::{Deployed, Error, empty};
use crate::deploy::decide::{Action, Goal, decide};
use crate::deploy::error::{AwsError, told};
use crate::deploy::progress::{Observer, Work};
use crate::deploy::stack::{Stack, Status};
use crate::deploy::{self, Session, changeset, observe, operation};

/// How often a stack is looked at anew before lakegen gives up: each time somebody else was at it, or a bucket had filled again.
const ROUNDS: usize = 8;
/// How often a deletion may fail because a bucket has filled again before that is the end.
const FAILURES: usize = 3;

/// What a destruction comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The lake.
    pub lake: String,
    /// The environment.
    pub environment: String,
    /// The stacks in the order in which they go; those of one list go at the same time.
    pub stacks: Vec<Vec<String>>,
    /// The buckets that are emptied, with the stack that has them.
    pub buckets: Vec<Resource>,
    /// Further resources that hold data and go.
    pub tables: Vec<Resource>,
    /// What stays, because its template says so.
    pub retained: Vec<Resource>,
    /// Stacks that AWS keeps from being deleted.
    pub protected: Vec<String>,
}

/// A resource in AWS.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Resource {
    /// The stack that has it.
    pub stack: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name in AWS.
    pub name: String,
}

/// Says what a destruction would do. `before` names the stacks that must be there before a stack: they go after it.
///
/// # Errors
/// AWS does not answer.
pub async fn plan(
    session: &Session,
    deployed: &Deployed,
    before: &BTreeMap<String, Vec<String>>,
) -> Result<Plan, Error> {
    let found = try_join_all(deployed.stacks.iter().map(|stack| resources(session, stack))).await?;
    let (kept, gone): (Vec<_>, Vec<_>) = found.into_iter().flatten().partition(|(_, retained)| *retained);
    let only = |kind: &str| -> Vec<Resource> {
        gone.iter().map(|(resource, _)| resource).filter(|resource| resource.kind == kind).cloned().collect()
    };
    let names: Vec<&str> = deployed.stacks.iter().map(|stack| stack.name.as_str()).collect();
    Ok(Plan {
        lake: deployed.lake.clone(),
        environment: deployed.environment.clone(),
        stacks: waves(&names, before),
        buckets: only("AWS::S3::Bucket"),
        tables: only("AWS::DynamoDB::Table").into_iter().chain(only("AWS::Cognito::UserPool")).collect(),
        retained: kept.into_iter().map(|(resource, _)| resource).collect(),
        protected: deployed.stacks.iter().filter(|stack| stack.protected).map(|stack| stack.name.clone()).collect(),
    })
}

/// The stacks in waves: each goes when nothing that needs it is there any more. Of a stack that the blueprint no longer has, only its
/// name says what it needs: its role may be in the processing part, and everything needs the storage.
fn waves(names: &[&str], before: &BTreeMap<String, Vec<String>>) -> Vec<Vec<String>> {
    let part = |name: &str| match name {
        _ if name.contains("-storage") => 0,
        _ if name.contains("-processing") => 1,
        _ => 2,
    };
    let needs = |name: &str, other: &str| match before.get(name) {
        Some(needed) => needed.iter().any(|needed| needed == other),
        None => part(other) < part(name),
    };
    let mut left: Vec<&str> = names.to_vec();
    let mut waves = Vec::new();
    while !left.is_empty() {
        let free = |name: &&str| !left.iter().any(|other| other != name && needs(other, name));
        let (mut now, mut later): (Vec<&str>, Vec<&str>) = left.iter().partition(|name| free(name));
        if now.is_empty() {
            // Stacks of different versions of a blueprint could need each other; CloudFormation knows better then.
            now = std::mem::take(&mut later);
        }
        waves.push(now.into_iter().map(str::to_owned).collect());
        left = later;
    }
    waves
}

/// The resources of a stack, and whether each stays when the stack goes.
async fn resources(session: &Session, stack: &Stack) -> Result<Vec<(Resource, bool)>, AwsError> {
    let retained = retained(session, stack).await?;
    let mut found = Vec::new();
    let mut pages = session.cloudformation.list_stack_resources().stack_name(&stack.id).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| told("cloudformation:ListStackResources", error))?;
        for summary in page.stack_resource_summaries.unwrap_or_default() {
            let gone = summary.resource_status.as_ref().is_some_and(|status| status.as_str() == "DELETE_COMPLETE");
            let (Some(id), Some(kind), Some(name)) =
                (summary.logical_resource_id, summary.resource_type, summary.physical_resource_id)
            else {
                continue;
            };
            if !gone && !name.is_empty() {
                let stays = retained.contains(&id);
                found.push((Resource { stack: stack.name.clone(), kind, name }, stays));
            }
        }
    }
    Ok(found)
}

/// The ids of the resources that stay when the stack goes.
async fn retained(session: &Session, stack: &Stack) -> Result<BTreeSet<String>, AwsError> {
    if stack.status == Status::ReviewInProgress {
        return Ok(BTreeSet::new());
    }
    let body = changeset::body(session, &stack.id).await?;
    // Deploys send JSON. Of a template of another making, everything that could go is said to go.
    let template: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
    let resources = template.get("Resources").and_then(serde_json::Value::as_object);
    let stays = |resource: &serde_json::Value| {
        let policy = resource.get("DeletionPolicy").and_then(serde_json::Value::as_str);
        matches!(policy, Some("Retain" | "RetainExceptOnCreate"))
    };
    let resources = resources.into_iter().flatten().filter(|(_, resource)| stays(resource));
    Ok(resources.map(|(id, _)| id.clone()).collect())
}

/// Takes the stacks down, wave by wave. A run that dies is taken up by the next.
///
/// # Errors
/// A stack cannot be deleted, or AWS does not answer. Stacks of the same wave are waited for.
pub async fn destroy(
    session: &Session,
    deployed: &Deployed,
    plan: &Plan,
    observer: &dyn Observer,
) -> Result<(), Error> {
    for wave in &plan.stacks {
        let stacks = deployed.stacks.iter().filter(|stack| wave.contains(&stack.name));
        let mut under_way: FuturesUnordered<_> =
            stacks.map(|stack| delete(session, stack, &plan.buckets, observer)).collect();
        let mut failed = None;
        while let Some(result) = under_way.next().await {
            failed = failed.or(result.err());
        }
        if let Some(error) = failed {
            return Err(error);
        }
    }
    Ok(())
}

/// Deletes a stack, after emptying its buckets: as often as they fill again, within reason.
async fn delete(session: &Session, stack: &Stack, buckets: &[Resource], observer: &dyn Observer) -> Result<(), Error> {
    let buckets: Vec<&str> =
        buckets.iter().filter(|bucket| bucket.stack == stack.name).map(|bucket| bucket.name.as_str()).collect();
    let mut failures = 0;
    for _ in 0..ROUNDS {
        let Some(there) = observe::stack(session, &stack.id).await? else { return Ok(()) };
        match decide(Some(there.status), Goal::Remove) {
            Action::Wait => {
                operation::wait(session, &there, observer).await?;
            }
            Action::Delete => {
                try_join_all(buckets.iter().map(|bucket| empty::stop_logging(session, bucket))).await?;
                try_join_all(buckets.iter().map(|bucket| empty::empty(session, bucket, observer))).await?;
                match operation::delete(session, &there, Work::Delete, observer).await {
                    // Somebody has written into it meanwhile.
                    Err(deploy::Error::Failed(cause)) if cause.is_full_bucket() && failures + 1 < FAILURES => {
                        failures += 1;
                    }
                    ended => return Ok(ended?),
                }
            }
            // Nothing else leads to a stack that is not there.
            _ => return Ok(()),
        }
    }
    Err(deploy::Error::Contended(stack.name.clone()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_goes_after_what_needs_it() {
        let needs = |pairs: &[(&str, &[&str])]| -> BTreeMap<String, Vec<String>> {
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            pairs.iter().map(|(name, needed)| ((*name).to_owned(), owned(needed))).collect()
        };
        let known = needs(&[
            ("s-dev-storage", &[]),
            ("s-dev-processing", &["s-dev-storage"]),
            ("s-dev-serving", &["s-dev-storage", "s-dev-processing"]),
        ]);
        let names = ["s-dev-endpoint-old", "s-dev-processing", "s-dev-serving", "s-dev-storage"];
        assert_eq!(
            waves(&names, &known),
            [vec!["s-dev-endpoint-old", "s-dev-serving"], vec!["s-dev-processing"], vec!["s-dev-storage"]]
        );
        assert_eq!(waves(&[], &known), Vec::<Vec<String>>::new());
        let unknown = ["s-dev-endpoint-old", "s-dev-processing-2", "s-dev-storage-2"];
        assert_eq!(waves(&unknown, &known).len(), 3);
        // Nothing is forgotten even if stacks need each other.
        let circle = needs(&[("a", &["b"]), ("b", &["a"])]);
        assert_eq!(waves(&["a", "b"], &circle), [vec!["a", "b"]]);
    }
}
