//! Assets that no stack speaks of any more.

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::{Error, empty};
use crate::deploy::error::{AwsError, told};
use crate::deploy::progress::Observer;
use crate::deploy::stack::Stack;
use crate::deploy::{Session, changeset, observe};

/// The parameter by which a stack knows the bucket of its assets.
const PARAMETER: &str = "AssetBucket";
/// How many templates are asked for at a time.
const AT_ONCE: usize = 8;

/// An object that nothing speaks of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unused {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was uploaded: seconds since 1970.
    pub uploaded: i64,
}

/// Finds the objects of the bucket that were uploaded before `before` (seconds since 1970) and that no stack of the account speaks of:
/// stacks of other lakes and environments may use the same bucket.
///
/// An object counts as spoken of if its key stands anywhere in a template, or anywhere in an object that is kept: an asset may name
/// others.
///
/// # Errors
/// A stack that uses the bucket is being changed, so that nobody can say what it will need; or AWS does not answer.
pub async fn unused(session: &Session, bucket: &str, before: i64) -> Result<Vec<Unused>, Error> {
    let stacks = observe::all(session).await?;
    let users = stacks.iter().filter(|stack| stack.parameters.get(PARAMETER).is_some_and(|value| value == bucket));
    let users: Vec<&Stack> = users.collect();
    if let Some(busy) = users.iter().find(|stack| stack.status.in_progress()) {
        let reason = format!(
            "the stack `{}` is being changed ({}): what it needs is not settled",
            busy.name,
            busy.status.name()
        );
        return Err(Error::Refused { reason });
    }
    let objects = list(session, bucket).await?;
    let templates = stream::iter(users).map(|stack| changeset::body(session, &stack.id)).buffer_unordered(AT_ONCE);
    let mut texts: Vec<String> = templates.try_collect().await?;
    let mut kept = BTreeSet::new();
    while let Some(text) = texts.pop() {
        for key in objects.iter().map(|object| object.key.as_str()) {
            // A plan of runs is a text among the assets that names others.
            if text.contains(key) && kept.insert(key) && key.ends_with(".json") {
                texts.extend(read(session, bucket, key).await?);
            }
        }
    }
    let unused = objects.iter().filter(|object| !kept.contains(object.key.as_str()) && object.uploaded < before);
    Ok(unused.cloned().collect())
}

/// Deletes objects of the bucket, with their earlier versions.
///
/// # Errors
/// One cannot be deleted, or AWS does not answer.
pub async fn remove(session: &Session, bucket: &str, objects: &[Unused]) -> Result<(), Error> {
    for chunk in objects.chunks(1_000) {
        let batch = chunk.iter().map(|object| (Some(object.key.clone()), None)).collect();
        empty::delete(session, bucket, batch).await?;
    }
    Ok(())
}

/// Deletes the bucket with everything in it, unless a stack still needs it. False if it was not there.
///
/// # Errors
/// A stack uses it, or AWS does not answer.
pub async fn remove_bucket(session: &Session, bucket: &str, observer: &dyn Observer) -> Result<bool, Error> {
    let stacks = observe::all(session).await?;
    let mut users = stacks.iter().filter(|stack| stack.parameters.get(PARAMETER).is_some_and(|value| value == bucket));
    if let Some(user) = users.next() {
        let reason = format!(
            "the stack `{}` of lake `{}` still uses the assets",
            user.name,
            user.tags.get(observe::LAKE).map_or("?", String::as_str)
        );
        return Err(Error::Refused { reason });
    }
    empty::empty(session, bucket, observer).await?;
    let call = session.s3.delete_bucket().bucket(bucket).expected_bucket_owner(&session.account);
    match call.send().await.map_err(|error| told("s3:DeleteBucket", error)) {
        Ok(_) => Ok(true),
        Err(error) if error.code == "NoSuchBucket" => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn list(session: &Session, bucket: &str) -> Result<Vec<Unused>, Error> {
    let mut objects = Vec::new();
    let call = session.s3.list_objects_v2().bucket(bucket).expected_bucket_owner(&session.account);
    let mut pages = call.into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = match page.map_err(|error| told("s3:ListBucket", error)) {
            Err(error) if error.code == "NoSuchBucket" => return Ok(Vec::new()),
            other => other?,
        };
        let found = page.contents.unwrap_or_default().into_iter();
        objects.extend(found.filter_map(|object| {
            Some(Unused {
                key: object.key?,
                bytes: object.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
                uploaded: object.last_modified.map_or(0, |time| time.secs()),
            })
        }));
    }
    Ok(objects)
}

/// The text of an object; nothing if it is gone or no text.
async fn read(session: &Session, bucket: &str, key: &str) -> Result<Option<String>, Error> {
    const OPERATION: &str = "s3:GetObject";
    let call = session.s3.get_object().bucket(bucket).key(key).expected_bucket_owner(&session.account);
    let object = match call.send().await.map_err(|error| told(OPERATION, error)) {
        Err(error) if error.code == "NoSuchKey" => return Ok(None),
        other => other?,
    };
    let body = object.body.collect().await.map_err(|_| AwsError::malformed(OPERATION))?;
    Ok(String::from_utf8(body.into_bytes().to_vec()).ok())
}
