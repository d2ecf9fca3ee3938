//! Assets on their way to the bucket: each content once, several at a time, large ones in parts that need not be sent twice.

use std::collections::BTreeMap;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::bucket::Objects;
use super::error::{AwsError, Error, told};
use super::progress::{Event, Observer};
use super::session::Session;

/// From which size on an object is sent in parts.
pub const MULTIPART_FROM: usize = 16 << 20;
/// The size of a part: the smallest that S3 takes, because progress is told by parts. Fixed, so that the parts of a run that was
/// interrupted fit those of the next.
pub const PART: usize = 5 << 20;
/// How many objects are on their way at a time.
const AT_ONCE: usize = 8;
/// How many parts of one.
const PARTS_AT_ONCE: usize = 4;

/// Something to upload: the key names its content by its hash, so the same key is the same bytes.
#[derive(Debug, Clone, Copy)]
pub struct Upload<'a> {
    /// The key in the bucket.
    pub key: &'a str,
    /// The bytes.
    pub content: &'a [u8],
}

/// Those of `uploads` that the bucket does not hold.
#[must_use]
pub fn missing<'a>(uploads: impl IntoIterator<Item = Upload<'a>>, there: &Objects) -> Vec<Upload<'a>> {
    let is_there = |upload: &Upload| there.get(upload.key) == Some(&(upload.content.len() as u64));
    uploads.into_iter().filter(|upload| !is_there(upload)).collect()
}

/// Uploads them all.
///
/// # Errors
/// The first that AWS does not take.
pub async fn upload(
    session: &Session,
    bucket: &str,
    uploads: &[Upload<'_>],
    observer: &dyn Observer,
) -> Result<(), Error> {
    if uploads.is_empty() {
        return Ok(());
    }
    let bytes = uploads.iter().map(|upload| upload.content.len() as u64).sum();
    observer.event(Event::Uploading { objects: uploads.len(), bytes });
    stream::iter(uploads.iter().map(Ok::<_, Error>))
        .try_for_each_concurrent(AT_ONCE, |upload| async move {
            if upload.content.len() >= MULTIPART_FROM {
                in_parts(session, bucket, *upload, observer).await
            } else {
                whole(session, bucket, *upload, observer).await
            }
        })
        .await?;
    observer.event(Event::Uploaded);
    Ok(())
}

async fn whole(session: &Session, bucket: &str, upload: Upload<'_>, observer: &dyn Observer) -> Result<(), Error> {
    let call = session.s3.put_object().bucket(bucket).key(upload.key).expected_bucket_owner(&session.account);
    let call = call.body(ByteStream::from(upload.content.to_vec()));
    let patient = patient(session, upload.content.len() as u64);
    call.customize().config_override(patient).send().await.map_err(|error| told("s3:PutObject", error))?;
    observer.event(Event::Sent { bytes: upload.content.len() as u64 });
    Ok(())
}

async fn in_parts(session: &Session, bucket: &str, upload: Upload<'_>, observer: &dyn Observer) -> Result<(), Error> {
    let (id, sent) = match begun(session, bucket, upload.key).await? {
        Some(id) => {
            let sent = parts(session, bucket, upload.key, &id).await?;
            (id, sent)
        }
        None => {
            let call = session.s3.create_multipart_upload().bucket(bucket).key(upload.key);
            let call = call.expected_bucket_owner(&session.account);
            let begun = call.send().await.map_err(|error| told("s3:PutObject", error))?;
            (begun.upload_id.ok_or_else(|| AwsError::malformed("s3:PutObject"))?, BTreeMap::new())
        }
    };
    let (id, sent) = (&id, &sent);
    let send = |(number, content): (i32, &[u8])| {
        let content = content.to_vec();
        async move {
            let size = content.len() as u64;
            let tag = match sent.get(&number) {
                Some((there, tag)) if *there == size => tag.clone(),
                _ => {
                    let call =
                        session.s3.upload_part().bucket(bucket).key(upload.key).upload_id(id).part_number(number);
                    let call = call.expected_bucket_owner(&session.account).body(ByteStream::from(content));
                    let part = call
                        .customize()
                        .config_override(patient(session, size))
                        .send()
                        .await
                        .map_err(|error| told("s3:PutObject", error))?;
                    part.e_tag.ok_or_else(|| AwsError::malformed("s3:PutObject"))?
                }
            };
            observer.event(Event::Sent { bytes: size });
            Ok::<_, Error>(CompletedPart::builder().part_number(number).e_tag(tag).build())
        }
    };
    let mut done: Vec<_> = stream::iter((1..).zip(upload.content.chunks(PART)).map(send))
        .buffer_unordered(PARTS_AT_ONCE)
        .try_collect()
        .await?;
    done.sort_by_key(CompletedPart::part_number);
    let done = CompletedMultipartUpload::builder().set_parts(Some(done)).build();
    let call = session.s3.complete_multipart_upload().bucket(bucket).key(upload.key).upload_id(id);
    let call = call.expected_bucket_owner(&session.account).multipart_upload(done);
    match call.send().await.map_err(|error| told("s3:PutObject", error)) {
        // The answer to the first try was lost, and it had done it; or another run has.
        Err(error) if error.code == "NoSuchUpload" && is_there(session, bucket, upload).await? => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// Whether the bucket holds the object, whole.
async fn is_there(session: &Session, bucket: &str, upload: Upload<'_>) -> Result<bool, Error> {
    let call = session.s3.list_objects_v2().bucket(bucket).prefix(upload.key).expected_bucket_owner(&session.account);
    let page = call.send().await.map_err(|error| told("s3:ListBucket", error))?;
    let mut found = page.contents.unwrap_or_default().into_iter();
    Ok(found.any(|object| {
        let size = object.size.and_then(|size| usize::try_from(size).ok());
        object.key.as_deref() == Some(upload.key) && size == Some(upload.content.len())
    }))
}

/// Sending a body takes its time. A connection that stalls meanwhile is given up by the SDK.
fn patient(session: &Session, bytes: u64) -> aws_sdk_s3::config::Builder {
    let timeouts = TimeoutConfig::builder().read_timeout(session.patience(bytes)).build();
    aws_sdk_s3::Config::builder().timeout_config(timeouts)
}

/// The upload of that key that somebody has begun and not finished.
async fn begun(session: &Session, bucket: &str, key: &str) -> Result<Option<String>, Error> {
    let call = session.s3.list_multipart_uploads().bucket(bucket).prefix(key).expected_bucket_owner(&session.account);
    let page = call.send().await.map_err(|error| told("s3:ListBucketMultipartUploads", error))?;
    let mut uploads = page.uploads.unwrap_or_default().into_iter().filter(|upload| upload.key.as_deref() == Some(key));
    Ok(uploads.next().and_then(|upload| upload.upload_id))
}

/// The parts that have arrived: size and tag by number.
async fn parts(
    session: &Session,
    bucket: &str,
    key: &str,
    upload: &str,
) -> Result<BTreeMap<i32, (u64, String)>, Error> {
    let mut pages = session
        .s3
        .list_parts()
        .bucket(bucket)
        .key(key)
        .upload_id(upload)
        .expected_bucket_owner(&session.account)
        .into_paginator()
        .send();
    let mut found = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| told("s3:ListMultipartUploadParts", error))?;
        found.extend(page.parts.unwrap_or_default().into_iter().filter_map(|part| {
            let size = u64::try_from(part.size?).ok()?;
            Some((part.part_number?, (size, part.e_tag?)))
        }));
    }
    Ok(found)
}
