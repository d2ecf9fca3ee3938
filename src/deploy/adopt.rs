//! Buckets that were there before the lake, taken into their stack before it is changed.
//!
//! An import may change nothing else in a stack, so it comes first and takes the template that the stack has; the deploy then
//! gives the bucket the settings of the lake. Until then nothing in the bucket is touched, and it stays if the stack goes.
//! Source: "Import AWS resources into a CloudFormation stack" of the CloudFormation user guide.

use aws_sdk_cloudformation::types::{Capability, ChangeSetType, Parameter, ResourceToImport};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::assets::{self, Upload};
use super::bucket;
use super::changeset::{self, Read};
use super::decide::{Action, Goal, decide};
use super::desired::{Desired, MAX_INLINE, hex};
use super::error::{AwsError, Error, Sort, told};
use super::observe::{self, Observed};
use super::operation::{self, Begun};
use super::plan::Templates;
use super::progress::{Observer, Work};
use super::session::Session;
use super::stack::Stack;
use crate::assembly::Adopted;

/// Imports the buckets that stacks adopt and do not have yet. What was imported is seen in `observed`.
///
/// # Errors
/// There is no such bucket, it is somebody else's, it has a policy of its own, or CloudFormation says no.
pub async fn adopt(
    session: &Session,
    desired: &[Desired<'_>],
    observed: &mut Observed,
    assets: &str,
    observer: &dyn Observer,
) -> Result<(), Error> {
    for desired in desired.iter().filter(|desired| !desired.stack.adopted.is_empty()) {
        let mut there = observed.get(desired.name()).cloned();
        if let Some(stack) = &there
            && decide(Some(stack.status), Goal::Change) == Action::Recreate
        {
            operation::delete(session, stack, Work::Clear, observer).await?;
            there = None;
        }
        let template = match &there {
            // What lakegen deploys is JSON; a stack of another making is not led on by an import.
            Some(stack) => serde_json::from_str(&changeset::body(session, &stack.id).await?).unwrap_or_default(),
            None => json!({ "Description": "What the lake adopts", "Resources": {} }),
        };
        let missing = |adopted: &&Adopted| template["Resources"].get(adopted.id.as_str()).is_none();
        let pending: Vec<&Adopted> = desired.stack.adopted.iter().filter(missing).collect();
        let stack = match pending.is_empty() {
            true => there,
            false => Some(import(session, desired, there, template, &pending, assets, observer).await?),
        };
        match stack {
            Some(stack) => observed.insert(stack.name.clone(), stack),
            None => observed.remove(desired.name()),
        };
    }
    Ok(())
}

async fn import(
    session: &Session,
    desired: &Desired<'_>,
    there: Option<Stack>,
    mut template: Value,
    pending: &[&Adopted],
    assets: &str,
    observer: &dyn Observer,
) -> Result<Stack, Error> {
    const OPERATION: &str = "cloudformation:CreateChangeSet";
    let name = desired.name();
    let mut imports = Vec::new();
    for adopted in pending {
        inspect(session, &adopted.bucket).await?;
        template["Resources"][adopted.id.as_str()] = json!({
            "Type": "AWS::S3::Bucket",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": { "BucketName": adopted.bucket },
        });
        let resource = ResourceToImport::builder()
            .resource_type("AWS::S3::Bucket")
            .logical_resource_id(adopted.id.as_str())
            .resource_identifier("BucketName", &adopted.bucket);
        imports.push(resource.build());
    }
    let template = template.to_string();
    let token = token(&template, there.as_ref());
    let (body, url) = match template.len() {
        ..=MAX_INLINE => (Some(template), None),
        _ => {
            let key = format!("{}{token}.json", Templates::Deploy.prefix());
            if bucket::list(session, assets).await?.is_none() {
                bucket::create(session, assets, &desired.tags).await?;
            }
            assets::upload(session, assets, &[Upload { key: &key, content: template.as_bytes() }], observer).await?;
            (None, Some(session.object_url(assets, &key)))
        }
    };
    let kept = there.iter().flat_map(|stack| stack.parameters.keys());
    let kept = kept.map(|name| Parameter::builder().parameter_key(name).use_previous_value(true).build());
    let call = session
        .cloudformation
        .create_change_set()
        .stack_name(there.as_ref().map_or(name, |stack| &stack.id))
        .change_set_name(&token)
        .client_token(&token)
        .change_set_type(ChangeSetType::Import)
        .set_resources_to_import(Some(imports))
        .set_template_body(body)
        .set_template_url(url)
        .set_parameters(Some(kept.collect()))
        .capabilities(Capability::CapabilityNamedIam)
        .send()
        .await;
    match call.map_err(|error| told(OPERATION, error)) {
        Ok(_) => {}
        // A run that died has left it.
        Err(error) if error.code.starts_with("AlreadyExists") => {}
        Err(error) => return Err(error.into()),
    }
    let set = match changeset::read(session, name, &token).await? {
        Read::Ready { id, .. } => id,
        Read::Same { id } => return unusable(session, name, &id, "there is nothing to import".into()).await,
        Read::Unusable { id, reason } => return unusable(session, name, &id, reason).await,
    };
    let Some(stack) = observe::stack(session, name).await? else {
        return Err(AwsError::malformed("cloudformation:DescribeStacks").into());
    };
    let token = session.token("import");
    let token = match changeset::execute(session, &set, &token).await {
        Ok(()) => Some(token.as_str()),
        // The answer to the first try was lost, or another run has executed it: it is under way, or over.
        Err(error) if error.is_conflict() || error.is_missing() => {
            tokio::time::sleep(operation::MOMENT).await;
            None
        }
        Err(error) => return Err(error.into()),
    };
    let resources = Some(pending.len());
    operation::watch(session, Begun { name, id: &stack.id, token, work: Work::Import, resources }, observer).await
}

async fn unusable(session: &Session, stack: &str, set: &str, reason: String) -> Result<Stack, Error> {
    changeset::delete(session, set).await?;
    Err(Error::ChangeSet { stack: stack.to_owned(), reason })
}

/// Whether the bucket can be adopted.
async fn inspect(session: &Session, bucket: &str) -> Result<(), Error> {
    let refused = |why: &str| Error::NotAdoptable { bucket: bucket.to_owned(), why: why.to_owned() };
    let call = session.s3.get_bucket_policy().bucket(bucket).expected_bucket_owner(&session.account);
    match call.send().await.map_err(|error| told("s3:GetBucketPolicy", error)) {
        Ok(_) => Err(refused("it has a policy of its own, and the lake's would take its place")),
        Err(error) => match error.code.as_str() {
            "NoSuchBucketPolicy" => Ok(()),
            "NoSuchBucket" => Err(refused("there is no such bucket")),
            "PermanentRedirect" | "AuthorizationHeaderMalformed" => Err(refused("it is in another region")),
            _ if error.sort == Sort::Denied && !error.message.contains("is not authorized to perform") => {
                Err(Error::ForeignBucket(bucket.to_owned()))
            }
            _ => Err(error.into()),
        },
    }
}

/// The same for a run that is repeated, another one once the stack has changed.
fn token(template: &str, there: Option<&Stack>) -> String {
    let mut hash = Sha256::new();
    hash.update(template);
    if let Some(stack) = there {
        hash.update(format!("{} {} {}", stack.id, stack.changed, stack.status.name()));
    }
    format!("lakegen-import-{}", hex(&hash.finalize()[..16]))
}
