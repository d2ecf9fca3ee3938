//! What a deploy would do.

use futures_util::future::try_join_all;
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::Value;

use super::bucket::Objects;
use super::change::{Change, Kind, differences};
use super::changeset::{self, ChangeSet, Template};
use super::danger::{Danger, dangers};
use super::decide::{Action, Goal, decide};
use super::desired::{Desired, MAX_INLINE};
use super::error::Error;
use super::observe::Observed;
use super::progress::{Event, Observer};
use super::session::Session;
use super::stack::Stack;
use crate::assembly::{Assembly, OutputRef};
use crate::cfn::resources;
use crate::lower;

/// What a deploy would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The lake.
    pub lake: String,
    /// The environment.
    pub environment: String,
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// How many assets are not in the bucket yet.
    pub uploads: usize,
    /// Its stacks, in order of deployment.
    pub stacks: Vec<StackPlan>,
    /// What to think about before.
    pub dangers: Vec<Danger>,
}

/// What a deploy would do to a stack.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StackPlan {
    /// Its name.
    pub name: String,
    /// What is done.
    pub does: Does,
    /// Its resources that change.
    pub changes: Vec<Change>,
    /// Whether AWS has said so; otherwise it follows from the templates, because other stacks must change first.
    pub exact: bool,
}

/// What is done to a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Does {
    /// Nothing.
    Nothing,
    /// It is created.
    Create,
    /// What a failed creation has left is deleted; then it is created.
    Recreate,
    /// It is changed.
    Update,
    /// The rollback that failed is continued; then it is changed.
    Recover,
    /// It is deleted: nothing of the blueprint is in it any more.
    Delete,
}

impl Plan {
    /// Whether a deploy would do anything to the stacks.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.stacks.iter().any(|stack| stack.does != Does::Nothing)
    }

    /// How many resources change in that way.
    #[must_use]
    pub fn count(&self, kinds: &[Kind]) -> usize {
        self.stacks.iter().flat_map(|stack| &stack.changes).filter(|change| kinds.contains(&change.kind)).count()
    }
}

/// A plan, and the change sets that it rests on, by stack.
#[derive(Debug)]
pub struct Prepared {
    /// The plan.
    pub plan: Plan,
    /// Ready to be executed.
    pub sets: IndexMap<String, ChangeSet>,
}

/// What planning starts from.
#[derive(Debug)]
pub struct World<'a> {
    /// The session.
    pub session: &'a Session,
    /// What should be there.
    pub assembly: &'a Assembly,
    /// Its stacks as CloudFormation takes them.
    pub desired: &'a [Desired<'a>],
    /// What is there.
    pub observed: &'a Observed,
    /// The asset bucket's name.
    pub bucket: &'a str,
    /// What it holds.
    pub objects: &'a Objects,
    /// The folder of the bucket that CloudFormation reads large templates from.
    pub templates: Templates,
}

/// What a comparison is made for. Plans have a folder of templates and names of change sets of their own, so that whoever may
/// plan can put nothing in the place of what is deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Templates {
    /// Of plans. What is in it goes after a day.
    Plan,
    /// Of deploys.
    Deploy,
}

impl Templates {
    /// How keys in it begin.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Plan => "plan/",
            Self::Deploy => "templates/",
        }
    }

    /// The name of a change set, by what tells the change from others.
    #[must_use]
    pub fn change_set(self, token: &str) -> String {
        match self {
            Self::Plan => format!("lakegen-plan-{token}"),
            Self::Deploy => format!("lakegen-{token}"),
        }
    }
}

impl<'a> World<'a> {
    /// The value of an output of a stack that is there.
    #[must_use]
    pub fn output(&self, reference: &OutputRef) -> Option<&str> {
        self.observed.get(&reference.stack)?.outputs.get(&reference.output).map(String::as_str)
    }

    /// The goal that a stack is led to.
    #[must_use]
    pub fn goal(&self, desired: &Desired<'_>) -> Goal {
        let Some(there) = self.observed.get(desired.name()) else { return Goal::Change };
        let parameters = desired.parameters(self.bucket, |output| self.output(output), Some(there));
        match parameters {
            Ok(parameters) if desired.is(there, &parameters) => Goal::Keep,
            _ => Goal::Change,
        }
    }

    /// The templates that are too large for a request, of stacks that are to change: keys in the bucket, and content.
    #[must_use]
    pub fn large(&self) -> Vec<(String, &'a [u8])> {
        let large = self.desired.iter().filter(|stack| stack.body.len() > MAX_INLINE);
        let large = large.filter(|stack| self.goal(stack) == Goal::Change);
        large.map(|stack| (self.template_key(stack), stack.body.as_bytes())).collect()
    }

    /// The key of a stack's template in the asset bucket.
    fn template_key(&self, desired: &Desired<'_>) -> String {
        format!("{}{}.json", self.templates.prefix(), desired.fingerprint)
    }

    /// From where CloudFormation takes the template of a stack.
    #[must_use]
    pub fn template<'d>(&self, desired: &'d Desired<'_>) -> Template<'d> {
        match desired.body.len() {
            ..=MAX_INLINE => Template::Body(&desired.body),
            _ => Template::Url(self.session.object_url(self.bucket, &self.template_key(desired))),
        }
    }

    /// Stacks that are there and that the lake no longer has.
    #[must_use]
    pub fn forgotten(&self) -> Vec<&Stack> {
        let known = |name: &str| self.desired.iter().any(|desired| desired.name() == name);
        self.observed.values().filter(|stack| !known(&stack.name)).collect()
    }
}

/// Asks CloudFormation, for each stack that is there and other than it should be, what would change; all at once. What does not
/// exist yet is planned from its template, and so is what waits for outputs of other stacks.
///
/// # Errors
/// A stack cannot be led on, CloudFormation refuses a template, or AWS does not answer.
pub async fn prepare(world: &World<'_>, uploads: usize, observer: &dyn Observer) -> Result<Prepared, Error> {
    let each = world.desired.iter().map(|desired| prepare_one(world, desired, observer));
    let forgotten = world.forgotten();
    let gone = forgotten.iter().map(|stack| prepare_deletion(world.session, stack));
    let (each, gone) = tokio::try_join!(try_join_all(each), try_join_all(gone))?;
    let mut sets = IndexMap::new();
    let mut stacks = Vec::new();
    for (stack, set) in each {
        sets.extend(set.map(|set| (stack.name.clone(), set)));
        stacks.push(stack);
    }
    stacks.extend(gone);
    let dangers = stacks.iter().flat_map(|stack| dangers(&stack.name, &stack.changes)).collect();
    let Assembly { lake, environment, .. } = world.assembly;
    let plan = Plan {
        lake: lake.clone(),
        environment: environment.clone(),
        account: world.session.account.clone(),
        region: world.session.region.clone(),
        uploads,
        stacks,
        dangers,
    };
    Ok(Prepared { plan, sets })
}

async fn prepare_one(
    world: &World<'_>,
    desired: &Desired<'_>,
    observer: &dyn Observer,
) -> Result<(StackPlan, Option<ChangeSet>), Error> {
    let there = world.observed.get(desired.name());
    let plan = |does, changes, exact| StackPlan { name: desired.name().to_owned(), does, changes, exact };
    let offline = |does, before: &IndexMap<String, Value>| {
        plan(does, from_templates(before, &resources(&desired.body), desired), does != Does::Update)
    };
    let action = decide(there.map(|stack| stack.status), world.goal(desired));
    match (action, there) {
        (Action::Nothing, _) => Ok((plan(Does::Nothing, Vec::new(), true), None)),
        (Action::Refuse(refusal), Some(there)) => {
            Err(Error::Refused { stack: there.name.clone(), status: there.status.name(), refusal })
        }
        (Action::Create, _) | (Action::Delete | Action::Refuse(_), _) | (_, None) => {
            Ok((offline(Does::Create, &IndexMap::new()), None))
        }
        (Action::Recreate, _) => Ok((offline(Does::Recreate, &IndexMap::new()), None)),
        (Action::Wait | Action::ContinueRollback | Action::RollBack, Some(there)) => {
            let before = changeset::template(world.session, &there.id).await?;
            Ok((StackPlan { exact: false, ..offline(Does::Recover, &before) }, None))
        }
        (Action::Update, Some(there)) => {
            if !desired.stack.adopted.is_empty() {
                let before = changeset::template(world.session, &there.id).await?;
                if desired.stack.adopted.iter().any(|adopted| !before.contains_key(&adopted.id)) {
                    // What is taken in first is in no change set yet.
                    return Ok((offline(Does::Update, &before), None));
                }
            }
            observer.event(Event::Comparing { stack: desired.name() });
            let parameters = desired.parameters(world.bucket, |output| world.output(output), Some(there));
            let template = world.template(desired);
            let unsent =
                matches!(template, Template::Url(_)) && !world.objects.contains_key(&world.template_key(desired));
            let role = match &desired.stack.role {
                Some(role) => world.output(role).map(|role| Some(role.to_owned())),
                None => Some(world.assembly.service_role.clone()),
            };
            let (Ok(parameters), Some(role), false) = (parameters, role, unsent) else {
                let before = changeset::template(world.session, &there.id).await?;
                return Ok((offline(Does::Update, &before), None));
            };
            match changeset::create(world, desired, &template, &parameters, role, there).await {
                Ok(Some(set)) => Ok((plan(Does::Update, set.changes.clone(), true), Some(set))),
                Ok(None) => Ok((plan(Does::Nothing, Vec::new(), true), None)),
                // Somebody has just begun something; whoever executes the plan waits for it.
                Err(Error::Aws(error)) if error.is_conflict() => {
                    let before = changeset::template(world.session, &there.id).await?;
                    Ok((offline(Does::Update, &before), None))
                }
                Err(error) => Err(error),
            }
        }
    }
}

async fn prepare_deletion(session: &Session, stack: &Stack) -> Result<StackPlan, Error> {
    let before = changeset::template(session, &stack.id).await?;
    let origin = |id: &str| lower::origin(id).map(|origin| origin.to_string());
    let gone = before.iter().map(|(id, resource)| change(Kind::Remove, id, Some(resource), None, origin(id)));
    Ok(StackPlan { name: stack.name.clone(), does: Does::Delete, changes: gone.collect(), exact: true })
}

/// The changes from one template's resources to another's.
fn from_templates(
    before: &IndexMap<String, Value>,
    after: &IndexMap<String, Value>,
    desired: &Desired<'_>,
) -> Vec<Change> {
    let origin = |id: &str| desired.origin(id);
    let kept = after.iter().filter_map(|(id, will)| match before.get(id) {
        None if desired.stack.adopts(id) => Some(change(Kind::Import, id, None, Some(will), origin(id))),
        None => Some(change(Kind::Add, id, None, Some(will), origin(id))),
        Some(was) if was == will => None,
        Some(was) => Some(change(Kind::Change, id, Some(was), Some(will), origin(id))),
    });
    let gone = before.iter().filter(|(id, _)| !after.contains_key(*id));
    kept.chain(gone.map(|(id, was)| change(Kind::Remove, id, Some(was), None, origin(id)))).collect()
}

fn change(kind: Kind, id: &str, before: Option<&Value>, after: Option<&Value>, origin: Option<String>) -> Change {
    let text = |value: Option<&Value>, key: &str| Some(value?.get(key)?.as_str()?.to_owned());
    let properties = match kind {
        Kind::Change => differences(before.and_then(|b| b.get("Properties")), after.and_then(|a| a.get("Properties"))),
        _ => Vec::new(),
    };
    Change {
        kind,
        id: id.to_owned(),
        resource_type: text(after.or(before), "Type").unwrap_or_default(),
        physical: None,
        kept: text(before, "DeletionPolicy").is_some_and(|policy| policy.starts_with("Retain")),
        properties,
        origin,
        before: before.cloned(),
        after: after.cloned(),
    }
}
