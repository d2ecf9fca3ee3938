//! CloudFormation's change sets: made under a name that follows from their content, read, executed or taken away.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_cloudformation::types::{
    self, Capability, ChangeAction, ChangeSetStatus, ChangeSource, ExecutionStatus, Parameter, PolicyAction,
    Replacement, RequiresRecreation, Tag,
};
use indexmap::IndexMap;
use serde_json::Value;

use super::change::{Change, Kind, Property, differences};
use super::desired::{Desired, Given, Parameters};
use super::error::{AwsError, Error, told};
use super::follow::{points_to_validations, validations};
use super::plan::World;
use super::session::Session;
use super::stack::Stack;
use crate::cfn::resources;

/// How long to wait before looking for the first time, and at most between two looks.
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

/// What CloudFormation would do to a stack that is there.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeSet {
    /// Its ARN.
    pub id: String,
    /// With which values it was made.
    pub parameters: Parameters,
    /// What would change.
    pub changes: Vec<Change>,
}

/// From where CloudFormation takes a template.
#[derive(Debug, Clone)]
pub enum Template<'a> {
    /// From the request.
    Body(&'a str),
    /// From S3.
    Url(String),
}

impl Template<'_> {
    /// The two forms as the SDK takes them: body, and URL.
    #[must_use]
    pub fn parts(&self) -> (Option<String>, Option<String>) {
        match self {
            Self::Body(body) => (Some((*body).to_owned()), None),
            Self::Url(url) => (None, Some(url.clone())),
        }
    }
}

/// Lets CloudFormation compare a stack with what it should be. Nothing if they are the same.
///
/// # Errors
/// CloudFormation refuses the template, or AWS does not answer.
pub async fn create(
    world: &World<'_>,
    desired: &Desired<'_>,
    template: &Template<'_>,
    parameters: &Parameters,
    role: Option<String>,
    before: &Stack,
) -> Result<Option<ChangeSet>, Error> {
    const OPERATION: &str = "cloudformation:CreateChangeSet";
    let session = world.session;
    let name = world.templates.change_set(&desired.token(parameters, before));
    let mut old = 0;
    loop {
        let (body, url) = template.parts();
        let call = session
            .cloudformation
            .create_change_set()
            .stack_name(&before.id)
            .change_set_name(&name)
            .client_token(&name)
            .set_template_body(body)
            .set_template_url(url)
            .set_parameters(Some(parameters.iter().map(parameter).collect()))
            .set_tags(Some(desired.tags.iter().map(tag).collect()))
            .capabilities(Capability::CapabilityNamedIam)
            .set_role_arn(role.clone())
            .send()
            .await;
        let id = match call.map_err(|error| told(OPERATION, error)) {
            Ok(made) => made.id.ok_or_else(|| AwsError::malformed(OPERATION))?,
            // A run that died has left it. Whoever may only plan can make none of the name that a deploy asks for.
            Err(error) if error.code.starts_with("AlreadyExists") => name.clone(),
            Err(error) => return Err(error.into()),
        };
        match read(session, &before.id, &id).await? {
            Read::Ready { id, changes } => {
                let changes = complete(session, desired, before, changes).await?;
                return Ok(Some(ChangeSet { id, parameters: parameters.clone(), changes }));
            }
            Read::Same { id } => {
                delete(session, &id).await?;
                return Ok(None);
            }
            Read::Unusable { id, mut reason } => {
                if points_to_validations(&reason) {
                    let found = validations(session, None, Some(&id)).await?;
                    let first =
                        found.into_iter().find_map(|incident| Some(format!("{}: {}", incident.id, incident.reason?)));
                    reason = first.unwrap_or(reason);
                }
                delete(session, &id).await?;
                old += 1;
                if old > 1 {
                    return Err(Error::ChangeSet { stack: before.name.clone(), reason });
                }
            }
        }
    }
}

/// Lets CloudFormation do it, by a token of the caller's ([`Session::token`]).
///
/// # Errors
/// The stack was changed since, or AWS does not answer.
pub async fn execute(session: &Session, id: &str, token: &str) -> Result<(), AwsError> {
    let call = session.cloudformation.execute_change_set().change_set_name(id).client_request_token(token);
    call.send().await.map_err(|error| told("cloudformation:ExecuteChangeSet", error))?;
    Ok(())
}

/// Takes a change set away, if it is still there.
///
/// # Errors
/// AWS does not answer.
pub async fn delete(session: &Session, id: &str) -> Result<(), AwsError> {
    let answer = session.cloudformation.delete_change_set().change_set_name(id).send().await;
    match answer.map_err(|error| told("cloudformation:DeleteChangeSet", error)) {
        Err(error) if !error.is_missing() => Err(error),
        _ => Ok(()),
    }
}

/// A parameter as the SDK takes it.
pub fn parameter((name, given): &(String, Given)) -> Parameter {
    let parameter = Parameter::builder().parameter_key(name);
    match given {
        Given::Value(value) => parameter.parameter_value(value),
        Given::Previous => parameter.use_previous_value(true),
    }
    .build()
}

/// A tag as the SDK takes it.
pub fn tag((key, value): &(&'static str, String)) -> Tag {
    Tag::builder().key(*key).value(value).build()
}

/// What has become of a change set that was asked for.
pub(super) enum Read {
    /// It can be executed.
    Ready { id: String, changes: Vec<types::ResourceChange> },
    /// There is nothing to change.
    Same { id: String },
    /// It cannot be executed.
    Unusable { id: String, reason: String },
}

/// Waits until a change set is made, and reads it.
///
/// # Errors
/// AWS does not answer.
pub(super) async fn read(session: &Session, stack: &str, name: &str) -> Result<Read, AwsError> {
    const OPERATION: &str = "cloudformation:DescribeChangeSet";
    let mut pause = FIRST;
    let mut changes = Vec::new();
    let mut from = None;
    loop {
        let call = session.cloudformation.describe_change_set().stack_name(stack).change_set_name(name);
        let call = call.include_property_values(true).set_next_token(from.take());
        let page = call.send().await.map_err(|error| told(OPERATION, error))?;
        let id = page.change_set_id.ok_or_else(|| AwsError::malformed(OPERATION))?;
        let reason = page.status_reason.unwrap_or_default();
        match page.status {
            Some(ChangeSetStatus::CreatePending | ChangeSetStatus::CreateInProgress) => {
                tokio::time::sleep(pause).await;
                pause = (pause * 3 / 2).min(LONGEST);
            }
            Some(ChangeSetStatus::CreateComplete) if page.execution_status == Some(ExecutionStatus::Available) => {
                changes
                    .extend(page.changes.unwrap_or_default().into_iter().filter_map(|change| change.resource_change));
                from = page.next_token;
                if from.is_none() {
                    return Ok(Read::Ready { id, changes });
                }
            }
            Some(ChangeSetStatus::Failed)
                if reason.contains("didn't contain changes") || reason.contains("No updates are to be performed") =>
            {
                return Ok(Read::Same { id });
            }
            _ => return Ok(Read::Unusable { id, reason }),
        }
    }
}

/// The changes with the resources before and after: as the change set says, or else as the templates do.
async fn complete(
    session: &Session,
    desired: &Desired<'_>,
    before: &Stack,
    changes: Vec<types::ResourceChange>,
) -> Result<Vec<Change>, AwsError> {
    let silent = changes.iter().any(|change| change.before_context.is_none() && change.after_context.is_none());
    let (was, will) = match silent {
        true => (template(session, &before.id).await?, resources(&desired.body)),
        false => Default::default(),
    };
    let made_anew = |change: &types::ResourceChange| match (&change.action, &change.replacement) {
        (Some(ChangeAction::Modify), replacement) => {
            matches!(replacement, Some(Replacement::True | Replacement::Conditional))
        }
        _ => true,
    };
    let made_anew: BTreeSet<String> =
        changes.iter().filter(|change| made_anew(change)).filter_map(|c| c.logical_resource_id.clone()).collect();
    Ok(changes.into_iter().filter_map(|change| meaning(change, &was, &will, &made_anew, desired)).collect())
}

/// The resources of the template that a stack was last given.
///
/// # Errors
/// AWS does not answer.
pub async fn template(session: &Session, stack: &str) -> Result<IndexMap<String, Value>, AwsError> {
    Ok(resources(&body(session, stack).await?))
}

/// The template that a stack was last given, as text.
///
/// # Errors
/// AWS does not answer.
pub async fn body(session: &Session, stack: &str) -> Result<String, AwsError> {
    let answer = session.cloudformation.get_template().stack_name(stack).send().await;
    let answer = answer.map_err(|error| told("cloudformation:GetTemplate", error))?;
    Ok(answer.template_body.unwrap_or_default())
}

/// What a change comes to. Nothing if it only follows a name or an ARN of a resource that stays: CloudFormation calls that possible,
/// because it does not look at what the reference means.
fn meaning(
    change: types::ResourceChange,
    was: &IndexMap<String, Value>,
    will: &IndexMap<String, Value>,
    made_anew: &BTreeSet<String>,
    desired: &Desired<'_>,
) -> Option<Change> {
    let id = change.logical_resource_id?;
    let kind = match (change.action?, &change.replacement) {
        (ChangeAction::Add, _) => Kind::Add,
        (ChangeAction::Remove, _) => Kind::Remove,
        (ChangeAction::Import, _) => Kind::Import,
        (_, Some(Replacement::True)) => Kind::Replace,
        (_, Some(Replacement::Conditional)) => Kind::MayReplace,
        _ => Kind::Change,
    };
    let context = |text: Option<String>| text.and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let before = context(change.before_context).or_else(|| was.get(&id).cloned());
    let after = context(change.after_context).or_else(|| will.get(&id).cloned());
    let kept = match &change.policy_action {
        Some(PolicyAction::Retain | PolicyAction::ReplaceAndRetain) => true,
        Some(_) => false,
        None => {
            let policy = if kind == Kind::Remove { "DeletionPolicy" } else { "UpdateReplacePolicy" };
            let stated = before.as_ref().and_then(|before| before.get(policy)).and_then(Value::as_str);
            stated.is_some_and(|policy| policy.starts_with("Retain"))
        }
    };
    let mut properties = match kind {
        Kind::Change | Kind::Replace | Kind::MayReplace => {
            let inside = |resource: &Option<Value>| resource.as_ref().and_then(|all| all.get("Properties")).cloned();
            differences(inside(&before).as_ref(), inside(&after).as_ref())
        }
        Kind::Add | Kind::Remove | Kind::Import => Vec::new(),
    };
    let mut imaginary = false;
    for detail in change.details.unwrap_or_default() {
        let Some(target) = detail.target else { continue };
        let Some(name) = target.name else { continue };
        let recreates = |recreation: &RequiresRecreation| *recreation != RequiresRecreation::Never;
        let replaces = target.requires_recreation.as_ref().is_some_and(recreates);
        let of = |property: &Property| property.path.split(['.', '[']).next() == Some(name.as_str());
        let mut known = false;
        for property in properties.iter_mut().filter(|property| of(property)) {
            property.replaces |= replaces;
            known = true;
        }
        if !known && let Some(cause) = detail.causing_entity {
            let (id, attribute) = cause.split_once('.').unwrap_or((&cause, ""));
            let stays = match detail.change_source {
                Some(ChangeSource::ResourceReference) => !made_anew.contains(id),
                Some(ChangeSource::ResourceAttribute) => attribute == "Arn" && !made_anew.contains(id),
                _ => false,
            };
            if stays {
                imaginary = true;
            } else {
                properties.push(Property { path: name, before: None, after: None, replaces, follows: Some(cause) });
            }
        }
    }
    if imaginary && properties.is_empty() {
        return None;
    }
    Some(Change {
        kind,
        resource_type: change.resource_type.unwrap_or_default(),
        physical: change.physical_resource_id,
        kept,
        properties,
        origin: desired.origin(&id),
        before,
        after,
        id,
    })
}
