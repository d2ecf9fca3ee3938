//! The bucket to which assets are uploaded: made by the first deploy that needs it.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketLocationConstraint, CreateBucketConfiguration,
    ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter, Tag,
};

use super::error::{AwsError, Error, Sort, told};
use super::plan::Templates;
use super::session::Session;
use crate::assembly::Assembly;

/// After how many days the rest of an upload that was never finished goes.
const ABORT_DAYS: i32 = 7;
/// After how many days the templates of plans go.
const PLAN_DAYS: i32 = 1;

/// The asset bucket's name: `<lake>-<environment>-<account>-<region>-assets`.
#[must_use]
pub fn name(assembly: &Assembly, session: &Session) -> String {
    format!("{}-{}-{}-assets", assembly.bucket_prefix, session.account, session.region)
}

/// What the bucket holds: sizes by key.
pub type Objects = BTreeMap<String, u64>;

/// What the bucket holds; nothing if there is no bucket.
///
/// # Errors
/// The bucket belongs to somebody else, or AWS does not answer.
pub async fn list(session: &Session, bucket: &str) -> Result<Option<Objects>, Error> {
    let mut objects = Objects::new();
    let mut from = None;
    loop {
        let call = session.s3.list_objects_v2().bucket(bucket).expected_bucket_owner(&session.account);
        let page = match call.set_continuation_token(from).send().await {
            Ok(page) => page,
            Err(error) => {
                let error = told("s3:ListBucket", error);
                return match error.code.as_str() {
                    "NoSuchBucket" => Ok(None),
                    _ => Err(foreign(bucket, error)),
                };
            }
        };
        let found = page.contents.unwrap_or_default().into_iter();
        objects.extend(found.filter_map(|object| Some((object.key?, u64::try_from(object.size?).ok()?))));
        from = page.next_continuation_token;
        if from.is_none() {
            return Ok(Some(objects));
        }
    }
}

/// Makes the bucket: private and encrypted, as S3 makes every bucket, and open to nobody without TLS.
///
/// # Errors
/// The name is somebody else's, or AWS does not answer.
pub async fn create(session: &Session, bucket: &str, tags: &[(&str, String)]) -> Result<(), Error> {
    let place = (session.region != "us-east-1").then(|| {
        let region = BucketLocationConstraint::from(session.region.as_str());
        CreateBucketConfiguration::builder().location_constraint(region).build()
    });
    let created = session.s3.create_bucket().bucket(bucket).set_create_bucket_configuration(place).send().await;
    match created.map_err(|error| told("s3:CreateBucket", error)) {
        Ok(_) => {}
        Err(error) if error.code == "BucketAlreadyOwnedByYou" => {}
        Err(error) if error.code == "BucketAlreadyExists" => return Err(Error::ForeignBucket(bucket.to_owned())),
        Err(error) => return Err(error.into()),
    }
    settle(session, bucket, tags).await
}

/// Gives a bucket its settings. A bucket that holds something has them: nothing is uploaded before.
///
/// # Errors
/// AWS does not answer.
pub async fn settle(session: &Session, bucket: &str, tags: &[(&str, String)]) -> Result<(), Error> {
    let policy = session.s3.put_bucket_policy().bucket(bucket).expected_bucket_owner(&session.account);
    let policy = policy.policy(tls_only(session, bucket)).send();
    let rule = |id, prefix| {
        let filter = LifecycleRuleFilter::builder().prefix(prefix).build();
        LifecycleRule::builder().id(id).status(ExpirationStatus::Enabled).filter(filter)
    };
    let abort = AbortIncompleteMultipartUpload::builder().days_after_initiation(ABORT_DAYS).build();
    let abort = rule("abort-uploads", "").abort_incomplete_multipart_upload(abort).build();
    let expire = LifecycleExpiration::builder().days(PLAN_DAYS).build();
    let expire = rule("forget-plans", Templates::Plan.prefix()).expiration(expire).build();
    let rules = [abort, expire].into_iter().collect::<Result<Vec<_>, _>>();
    let rules = rules.map_err(|_| AwsError::malformed("s3:PutLifecycleConfiguration"))?;
    let rules = BucketLifecycleConfiguration::builder()
        .set_rules(Some(rules))
        .build()
        .map_err(|_| AwsError::malformed("s3:PutLifecycleConfiguration"))?;
    let lifecycle = session.s3.put_bucket_lifecycle_configuration().bucket(bucket);
    let lifecycle = lifecycle.expected_bucket_owner(&session.account).lifecycle_configuration(rules).send();
    let tags = tags.iter().filter_map(|(key, value)| Tag::builder().key(*key).value(value).build().ok());
    let tags = aws_sdk_s3::types::Tagging::builder().set_tag_set(Some(tags.collect())).build();
    let tags = tags.map_err(|_| AwsError::malformed("s3:PutBucketTagging"))?;
    let tagging = session.s3.put_bucket_tagging().bucket(bucket);
    let tagging = tagging.expected_bucket_owner(&session.account).tagging(tags).send();
    let (policy, lifecycle, tagging) = tokio::join!(policy, lifecycle, tagging);
    policy.map_err(|error| foreign(bucket, told("s3:PutBucketPolicy", error)))?;
    lifecycle.map_err(|error| foreign(bucket, told("s3:PutLifecycleConfiguration", error)))?;
    tagging.map_err(|error| foreign(bucket, told("s3:PutBucketTagging", error)))?;
    Ok(())
}

/// A bucket of another account says that it is forbidden; so does one of this account without permission, but then by name of the
/// action.
fn foreign(bucket: &str, error: AwsError) -> Error {
    match error.sort {
        Sort::Denied if !error.message.contains("is not authorized to perform") => {
            Error::ForeignBucket(bucket.to_owned())
        }
        _ => error.into(),
    }
}

fn tls_only(session: &Session, bucket: &str) -> String {
    let partition = session.caller.split(':').nth(1).unwrap_or("aws");
    let resource = format!("arn:{partition}:s3:::{bucket}");
    serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "OnlyTls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [&resource, format!("{resource}/*")],
            "Condition": { "Bool": { "aws:SecureTransport": "false" } },
        }],
    })
    .to_string()
}
