//! What is there: the stacks of an environment, in as few calls as AWS allows.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types;
use futures_util::future::try_join_all;

use super::error::{AwsError, Sort, told};
use super::session::Session;
use super::stack::{Stack, Status};
use crate::cfn::FINGERPRINT;

/// The tag with the lake's name, which every stack of a lake has.
pub const LAKE: &str = "lakegen:lake";
/// The tag with the environment's name.
pub const ENVIRONMENT: &str = "lakegen:environment";

/// Stacks by name; one that is deleted is not there.
pub type Observed = BTreeMap<String, Stack>;

/// The stacks of these names and those with these tags that lakegen has made, and how they are; and the names of other lakes that are
/// deployed to an environment of that name.
///
/// One call tells everything unless the account has more stacks than fit into one answer. Whoever may not look at all stacks is
/// told about those of the names, asked for one by one.
///
/// # Errors
/// AWS does not answer.
pub async fn stacks(
    session: &Session,
    names: &[&str],
    tags: &[(&str, String)],
) -> Result<(Observed, Vec<String>), AwsError> {
    let found = match all(session).await {
        Err(error) if error.sort == Sort::Denied => {
            try_join_all(names.iter().map(|name| stack(session, name))).await?.into_iter().flatten().collect()
        }
        found => found?,
    };
    let made_here = |stack: &Stack| stack.outputs.contains_key(FINGERPRINT);
    let tagged = |stack: &Stack, (key, value): &(&str, String)| stack.tags.get(*key) == Some(value);
    let (ours, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|stack| {
        made_here(stack) && tags.iter().all(|tag| tagged(stack, tag)) || names.contains(&stack.name.as_str())
    });
    let lakes = others.into_iter().filter(|stack| made_here(stack)).filter(|stack| {
        let environment = tags.iter().find(|(key, _)| *key == ENVIRONMENT);
        environment.is_some_and(|tag| tagged(stack, tag))
    });
    let mut lakes: Vec<_> = lakes.filter_map(|mut stack| stack.tags.remove(LAKE)).collect();
    lakes.sort_unstable();
    lakes.dedup();
    Ok((ours.into_iter().map(|stack| (stack.name.clone(), stack)).collect(), lakes))
}

/// Every stack of the account in the region that is not deleted.
///
/// # Errors
/// AWS does not answer.
pub async fn all(session: &Session) -> Result<Vec<Stack>, AwsError> {
    let mut stacks = Vec::new();
    let mut pages = session.cloudformation.describe_stacks().into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| told("cloudformation:DescribeStacks", error))?;
        stacks.extend(page.stacks.unwrap_or_default().into_iter().filter_map(Stack::read));
    }
    stacks.retain(|stack| stack.status != Status::DeleteComplete);
    Ok(stacks)
}

/// How a stack is, by its name or its ARN; only by its ARN a deleted one is found.
///
/// # Errors
/// AWS does not answer.
pub async fn stack(session: &Session, name: &str) -> Result<Option<Stack>, AwsError> {
    const OPERATION: &str = "cloudformation:DescribeStacks";
    let answer = session.cloudformation.describe_stacks().stack_name(name).send().await;
    match answer.map_err(|error| told(OPERATION, error)) {
        Ok(page) => {
            let stack: Option<types::Stack> = page.stacks.unwrap_or_default().into_iter().next();
            stack.map(|stack| Stack::read(stack).ok_or_else(|| AwsError::malformed(OPERATION))).transpose()
        }
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}
