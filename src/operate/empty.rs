//! A bucket emptied: every version of every object, and every delete marker.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{BucketLoggingStatus, Delete, ObjectIdentifier};
use futures_util::{TryStreamExt, stream};

use crate::deploy::Session;
use crate::deploy::error::{AwsError, Error, Sort, told};
use crate::deploy::progress::{Event, Observer};

/// How many batches of 1000 are on their way at a time.
const AT_ONCE: usize = 8;

/// Ends the delivery of access logs about a bucket: emptying it would fill the bucket that they go to.
///
/// # Errors
/// AWS does not answer. A bucket that is not there logs nothing.
pub async fn stop_logging(session: &Session, bucket: &str) -> Result<(), AwsError> {
    let call = session.s3.put_bucket_logging().bucket(bucket).expected_bucket_owner(&session.account);
    let call = call.bucket_logging_status(BucketLoggingStatus::builder().build());
    match call.send().await.map_err(|error| told("s3:PutBucketLogging", error)) {
        Err(error) if error.code != "NoSuchBucket" => Err(error),
        _ => Ok(()),
    }
}

/// Deletes everything in the bucket; gives how many versions there were.
///
/// What somebody writes meanwhile goes too, as long as it comes before the last page. A bucket that is not there is empty.
///
/// # Errors
/// A version cannot be deleted, such as one that is locked; or AWS does not answer.
pub async fn empty(session: &Session, bucket: &str, observer: &dyn Observer) -> Result<u64, Error> {
    let mut total = 0;
    loop {
        let round = sweep(session, bucket, observer).await?;
        total += round;
        if round == 0 {
            if total > 0 {
                observer.event(Event::Emptied { bucket, versions: total });
            }
            return Ok(total);
        }
    }
}

/// Deletes what one pass over the bucket finds.
async fn sweep(session: &Session, bucket: &str, observer: &dyn Observer) -> Result<u64, Error> {
    let call = session.s3.list_object_versions().bucket(bucket).expected_bucket_owner(&session.account);
    let first = match call.send().await.map_err(|error| told("s3:ListBucketVersions", error)) {
        Err(error) if error.code == "NoSuchBucket" => return Ok(0),
        other => other?,
    };
    // Pages are asked for while batches are on their way.
    let pages = stream::try_unfold(Some(first), |page| async move {
        let Some(page) = page else { return Ok::<_, Error>(None) };
        let next = match (&page.next_key_marker, page.is_truncated) {
            (Some(key), Some(true)) => {
                let call = session.s3.list_object_versions().bucket(bucket).expected_bucket_owner(&session.account);
                let call = call.key_marker(key).set_version_id_marker(page.next_version_id_marker.clone());
                Some(call.send().await.map_err(|error| told("s3:ListBucketVersions", error))?)
            }
            _ => None,
        };
        let versions = page.versions.unwrap_or_default().into_iter().map(|version| (version.key, version.version_id));
        let markers = page.delete_markers.unwrap_or_default().into_iter().map(|marker| (marker.key, marker.version_id));
        let batch: Vec<_> = versions.chain(markers).collect();
        Ok(Some((batch, next)))
    });
    let counts = pages.map_ok(|batch| async move {
        let count = delete(session, bucket, batch).await?;
        observer.event(Event::Emptying { bucket, versions: count });
        Ok(count)
    });
    counts.try_buffer_unordered(AT_ONCE).try_fold(0, |sum, count| async move { Ok(sum + count) }).await
}

/// Deletes versions, at most 1000.
///
/// # Errors
/// One of them cannot be deleted, or AWS does not answer.
pub async fn delete(
    session: &Session,
    bucket: &str,
    batch: Vec<(Option<String>, Option<String>)>,
) -> Result<u64, Error> {
    const OPERATION: &str = "s3:DeleteObjectVersion";
    let identifiers = batch
        .into_iter()
        .filter_map(|(key, version)| ObjectIdentifier::builder().key(key?).set_version_id(version).build().ok());
    let identifiers: Vec<_> = identifiers.collect();
    if identifiers.is_empty() {
        return Ok(0);
    }
    let count = identifiers.len() as u64;
    let delete = Delete::builder().set_objects(Some(identifiers)).quiet(true).build();
    let delete = delete.map_err(|_| AwsError::malformed(OPERATION))?;
    let call = session.s3.delete_objects().bucket(bucket).expected_bucket_owner(&session.account).delete(delete);
    let answer = call.send().await.map_err(|error| told(OPERATION, error))?;
    let mut refused: BTreeMap<(String, String), u64> = BTreeMap::new();
    for error in answer.errors.unwrap_or_default() {
        let reason = (error.code.unwrap_or_default(), error.message.unwrap_or_default());
        *refused.entry(reason).or_default() += 1;
    }
    match refused.into_iter().next() {
        None => Ok(count),
        Some(((code, message), number)) => {
            let objects = crate::text::counted(usize::try_from(number).unwrap_or(usize::MAX), "version");
            let message = format!("{objects} in `{bucket}` cannot be deleted: {message}");
            Err(AwsError { operation: OPERATION, sort: Sort::Other, code, message }.into())
        }
    }
}
