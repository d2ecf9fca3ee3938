//! What is there: the stacks of an environment, in as few calls as AWS allows.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types;
use futures_util::future::try_join_all;

use super::error::{AwsError, Sort, told};
use super::session::Session;
use super::stack::{Stack, Status};
use crate::cfn::FINGERPRINT;

/// Stacks by name; one that is deleted is not there.
pub type Observed = BTreeMap<String, Stack>;

/// The stacks of these names and those with these tags that lakegen has made, and how they are.
///
/// One call tells everything unless the account has more stacks than fit into one answer. Whoever may not look at all stacks is
/// told about those of the names, asked for one by one.
///
/// # Errors
/// AWS does not answer.
pub async fn stacks(session: &Session, names: &[&str], tags: &[(&str, String)]) -> Result<Observed, AwsError> {
    let mut observed = Observed::new();
    let mut pages = session.cloudformation.describe_stacks().into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = match page.map_err(|error| told("cloudformation:DescribeStacks", error)) {
            Ok(page) => page,
            Err(error) if error.sort == Sort::Denied => {
                let found = try_join_all(names.iter().map(|name| stack(session, name))).await?;
                return Ok(found.into_iter().flatten().map(|stack| (stack.name.clone(), stack)).collect());
            }
            Err(error) => return Err(error),
        };
        for stack in page.stacks.unwrap_or_default().into_iter().filter_map(Stack::read) {
            let tagged = |(key, value): &(&str, String)| stack.tags.get(*key) == Some(value);
            let ours = stack.outputs.contains_key(FINGERPRINT) && tags.iter().all(tagged);
            if stack.status != Status::DeleteComplete && (ours || names.contains(&stack.name.as_str())) {
                observed.insert(stack.name.clone(), stack);
            }
        }
    }
    Ok(observed)
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
