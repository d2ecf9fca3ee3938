//! Makes it so. What to do is decided elsewhere; this obeys, watches, and looks again.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use aws_sdk_cloudformation::types::Capability;
use futures_util::StreamExt;
use futures_util::future::{LocalBoxFuture, try_join_all};
use futures_util::stream::FuturesUnordered;
use indexmap::IndexMap;
use serde::Serialize;

use super::adopt;
use super::assets::{self, Upload};
use super::bucket::{self, Objects};
use super::changeset::{self, ChangeSet, parameter, tag};
use super::danger::{DATA, Danger, dangers};
use super::decide::{Action, Goal, decide};
use super::desired::{Desired, Parameters, desired, tags};
use super::error::{AwsError, Error, Sort, told};
use super::observe::{self, Observed};
use super::operation::{self, Begun};
use super::plan::{Plan, Prepared, Templates, World, prepare};
use super::progress::{Event, Observer, Work};
use super::session::Session;
use super::stack::{Stack, Status};
use crate::assembly::{Access, Assembly, OutputRef};
use crate::cfn::FINGERPRINT;

/// How often a stack is looked at anew before lakegen gives up: each time somebody else was faster, or a step led further.
const ROUNDS: usize = 12;

/// What a deploy came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// What was done, by stack, in the order of the lake's stacks.
    pub stacks: Vec<Done>,
    /// How many objects were uploaded.
    pub uploaded: usize,
}

/// What was done to a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Done {
    /// Its name.
    pub name: String,
    /// What was done: nothing if it was as it should be.
    pub work: Option<Work>,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
}

/// Passes on what happens, and remembers which stacks AWS is at.
struct UnderWay<'a> {
    observer: &'a dyn Observer,
    stacks: Mutex<BTreeSet<String>>,
}

impl UnderWay<'_> {
    fn stacks(&self) -> Vec<String> {
        self.stacks.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl Observer for UnderWay<'_> {
    fn event(&self, event: Event<'_>) {
        let mut stacks = self.stacks.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started { stack, .. } => {
                stacks.insert(stack.to_owned());
            }
            Event::Finished { stack, .. } | Event::Failed { stack, .. } => {
                stacks.remove(stack);
            }
            _ => {}
        }
        drop(stacks);
        self.observer.event(event);
    }
}

/// Asked before anything dangerous is done; an error ends the deploy.
pub type Approve<'a> = dyn Fn(Vec<Danger>) -> LocalBoxFuture<'a, Result<(), Error>> + 'a;

/// What would be done. Change sets that were needed to find out are taken away again.
///
/// # Errors
/// A stack cannot be led on, or AWS does not answer.
pub async fn plan(session: &Session, assembly: &Assembly, observer: &dyn Observer) -> Result<Plan, Error> {
    let desired = desired(assembly)?;
    let bucket = bucket::name(assembly, session);
    let (observed, objects) = look(session, assembly, &bucket, observer).await?;
    let there = objects.is_some();
    let held = objects.unwrap_or_default();
    let uploads = assets::missing(uploads(assembly), &held);
    let mut world = World {
        session,
        assembly,
        desired: &desired,
        observed: &observed,
        bucket: &bucket,
        objects: &held,
        templates: Templates::Plan,
    };
    let large = if there { world.large() } else { Vec::new() };
    let large = assets::missing(large.iter().map(|(key, content)| Upload { key, content }), &held);
    let mut held = held.clone();
    match assets::upload(session, &bucket, &large, observer).await {
        Ok(()) => held.extend(sizes(&large)),
        // Whoever may only read is told what follows from the templates.
        Err(Error::Aws(error)) if error.sort == Sort::Denied => {}
        Err(error) => return Err(error),
    }
    world.objects = &held;
    let Prepared { plan, sets } = prepare(&world, uploads.len(), observer).await?;
    try_join_all(sets.values().map(|set| changeset::delete(session, &set.id))).await?;
    Ok(plan)
}

/// Makes AWS as the assembly says.
///
/// # Errors
/// A stack cannot be led on, something dangerous was not allowed, CloudFormation failed, or AWS does not answer. What was begun is
/// taken up by the next run.
pub async fn deploy(
    session: &Session,
    assembly: &Assembly,
    observer: &dyn Observer,
    approve: &Approve<'_>,
    interrupted: impl Future<Output = ()>,
) -> Result<Outcome, Error> {
    let under_way = UnderWay { observer, stacks: Mutex::default() };
    tokio::select! {
        outcome = run(session, assembly, &under_way, approve) => outcome,
        () = interrupted => Err(Error::Interrupted(under_way.stacks())),
    }
}

async fn run(
    session: &Session,
    assembly: &Assembly,
    observer: &dyn Observer,
    approve: &Approve<'_>,
) -> Result<Outcome, Error> {
    let desired = desired(assembly)?;
    let bucket = bucket::name(assembly, session);
    let (mut observed, objects) = look(session, assembly, &bucket, observer).await?;
    if observed.is_empty() {
        within(session, assembly).await?;
    }
    settle(session, &mut observed, observer).await?;
    adopt::adopt(session, &desired, &mut observed, &bucket, observer).await?;

    let no_objects = Objects::new();
    let mut world = World {
        session,
        assembly,
        desired: &desired,
        observed: &observed,
        bucket: &bucket,
        objects: objects.as_ref().unwrap_or(&no_objects),
        templates: Templates::Deploy,
    };
    let large = world.large();
    let templates = large.iter().map(|(key, content)| Upload { key, content });
    let unsent = assets::missing(uploads(assembly).chain(templates), world.objects);
    if !unsent.is_empty() {
        let tags = tags(assembly);
        match &objects {
            None => bucket::create(session, &bucket, &tags).await?,
            Some(objects) if objects.is_empty() => bucket::settle(session, &bucket, &tags).await?,
            Some(_) => {}
        }
        assets::upload(session, &bucket, &unsent, observer).await?;
    }
    let mut held = world.objects.clone();
    held.extend(sizes(&unsent));
    world.objects = &held;

    let Prepared { plan, sets } = prepare(&world, unsent.len(), observer).await?;
    if let Err(refused) = approve(plan.dangers.clone()).await {
        // What the plan rested on is not left lying about; that it was refused matters more than whether this works.
        let _ = try_join_all(sets.values().map(|set| changeset::delete(session, &set.id))).await;
        return Err(refused);
    }
    let executor = Executor {
        world: &world,
        sets,
        approved: plan.dangers,
        approve,
        observer,
        outputs: RefCell::new(observed.iter().map(|(name, stack)| (name.clone(), stack.outputs.clone())).collect()),
    };
    let stacks = executor.all().await?;
    executor.forget().await?;
    Ok(Outcome { stacks, uploaded: unsent.len() })
}

/// The stacks and the objects that are there.
async fn look(
    session: &Session,
    assembly: &Assembly,
    bucket: &str,
    observer: &dyn Observer,
) -> Result<(Observed, Option<Objects>), Error> {
    let names: Vec<_> = assembly.stacks.iter().map(|stack| stack.name.as_str()).collect();
    let tags = tags(assembly);
    let stacks = async { Ok::<_, Error>(observe::stacks(session, &names, &tags).await?) };
    let ((observed, others), objects) = tokio::try_join!(stacks, bucket::list(session, bucket))?;
    if observed.is_empty() {
        others.iter().for_each(|other| observer.event(Event::Another { lake: &assembly.lake, other }));
    }
    Ok((observed, objects))
}

/// Finds out before the first stack is made whether the boundary of the lake's roles is there.
async fn within(session: &Session, assembly: &Assembly) -> Result<(), Error> {
    let Access::Within(stack) = &assembly.access else { return Ok(()) };
    match observe::stack(session, stack).await {
        Ok(None) => Err(Error::NoAccess { stack: stack.clone(), environment: assembly.environment.clone() }),
        // Whoever may not look at it is told by AWS when a role cannot be made.
        Err(error) if error.sort != Sort::Denied => Err(error.into()),
        _ => Ok(()),
    }
}

fn sizes<'a>(uploads: &'a [Upload<'_>]) -> impl Iterator<Item = (String, u64)> + 'a {
    uploads.iter().map(|upload| (upload.key.to_owned(), upload.content.len() as u64))
}

fn uploads(assembly: &Assembly) -> impl Iterator<Item = Upload<'_>> {
    assembly.assets.iter().map(|asset| Upload { key: asset.path.as_str(), content: &asset.content })
}

/// Waits until nobody is at the stacks.
async fn settle(session: &Session, observed: &mut Observed, observer: &dyn Observer) -> Result<(), Error> {
    let busy = observed.values().filter(|stack| stack.status.in_progress());
    let ended = try_join_all(busy.map(|stack| operation::wait(session, stack, observer))).await?;
    for stack in ended {
        match stack.status {
            Status::DeleteComplete => observed.remove(&stack.name),
            _ => observed.insert(stack.name.clone(), stack),
        };
    }
    Ok(())
}

struct Executor<'a, 'p> {
    world: &'a World<'a>,
    sets: IndexMap<String, ChangeSet>,
    approved: Vec<Danger>,
    approve: &'a Approve<'p>,
    observer: &'a dyn Observer,
    outputs: RefCell<BTreeMap<String, BTreeMap<String, String>>>,
}

impl Executor<'_, '_> {
    /// Every stack, as soon as those before it are there. After a failure nothing new is begun, and what is under way is waited for.
    async fn all(&self) -> Result<Vec<Done>, Error> {
        let mut waiting: Vec<&Desired<'_>> = self.world.desired.iter().collect();
        let mut done: BTreeMap<&str, Done> = BTreeMap::new();
        let mut failed = None;
        let mut under_way = FuturesUnordered::new();
        loop {
            if failed.is_none() {
                let ready =
                    |stack: &Desired<'_>| stack.stack.depends_on.iter().all(|name| done.contains_key(name.as_str()));
                let (now, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|stack| ready(stack));
                waiting = later;
                under_way.extend(now.into_iter().map(|stack| async move { (stack.name(), self.bring(stack).await) }));
            }
            match under_way.next().await {
                Some((name, Ok(stack))) => {
                    done.insert(name, stack);
                }
                Some((_, Err(error))) => failed = failed.or(Some(error)),
                None => break,
            }
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(self.world.desired.iter().filter_map(|stack| done.remove(stack.name())).collect()),
        }
    }

    /// Leads one stack to where it should be.
    async fn bring(&self, desired: &Desired<'_>) -> Result<Done, Error> {
        let name = desired.name();
        let mut there = self.world.observed.get(name).cloned();
        let mut work = None;
        let mut set = self.sets.get(name).cloned();
        for _ in 0..ROUNDS {
            let parameters = self.parameters(desired, there.as_ref())?;
            let same = there.as_ref().is_some_and(|stack| desired.is(stack, &parameters));
            let unchanged = work.is_some() && there.as_ref().is_some_and(|stack| stack.status.succeeded());
            let goal = if same || unchanged { Goal::Keep } else { Goal::Change };
            let action = decide(there.as_ref().map(|stack| stack.status), goal);
            let session = self.world.session;
            there = match (action, there) {
                (Action::Nothing | Action::Delete, Some(stack)) => {
                    self.guard(desired, &stack).await?;
                    return Ok(self.done(stack, work));
                }
                (Action::Refuse(refusal), Some(stack)) => {
                    return Err(Error::Refused { stack: stack.name, status: stack.status.name(), refusal });
                }
                (Action::Wait, Some(stack)) => Some(operation::wait(session, &stack, self.observer).await?),
                (Action::Recreate, Some(stack)) => {
                    self.delete(&stack, Work::Clear).await?;
                    None
                }
                (Action::ContinueRollback | Action::RollBack, Some(stack)) => {
                    Some(operation::roll_back(session, &stack, self.observer).await?)
                }
                (Action::Update, Some(stack)) => {
                    let prepared = set.take().filter(|set| set.parameters == parameters);
                    match self.update(desired, &parameters, prepared, &stack).await? {
                        Step::Done(stack) => {
                            work = Some(Work::Update);
                            Some(stack)
                        }
                        Step::Same => {
                            self.guard(desired, &stack).await?;
                            return Ok(self.done(stack, work));
                        }
                        Step::Contended => self.look_again(name).await?,
                    }
                }
                (Action::Create, _) | (_, None) => match self.create(desired, &parameters).await? {
                    Step::Done(stack) => {
                        work = Some(Work::Create);
                        Some(stack)
                    }
                    Step::Same | Step::Contended => self.look_again(name).await?,
                },
            };
        }
        Err(Error::Contended(name.to_owned()))
    }

    /// How a stack is that somebody else has just begun to change: AWS takes a moment to show it.
    async fn look_again(&self, name: &str) -> Result<Option<Stack>, Error> {
        tokio::time::sleep(operation::MOMENT).await;
        Ok(observe::stack(self.world.session, name).await?)
    }

    fn done(&self, stack: Stack, work: Option<Work>) -> Done {
        let Stack { name, mut outputs, .. } = stack;
        self.outputs.borrow_mut().insert(name.clone(), outputs.clone());
        outputs.remove(FINGERPRINT);
        Done { name, work, outputs }
    }

    fn parameters(&self, desired: &Desired<'_>, there: Option<&Stack>) -> Result<Parameters, Error> {
        let outputs = self.outputs.borrow();
        let output = |wanted: &OutputRef| outputs.get(&wanted.stack)?.get(&wanted.output).map(String::as_str);
        desired.parameters(self.world.bucket, output, there).map_err(|OutputRef { stack, output }| {
            Error::MissingOutput { stack, output, wanted_by: desired.name().to_owned() }
        })
    }

    /// The role with which CloudFormation works on the stack, if it has one.
    fn role(&self, desired: &Desired<'_>) -> Result<Option<String>, Error> {
        let Some(OutputRef { stack, output }) = &desired.stack.role else {
            return Ok(self.world.assembly.service_role.clone());
        };
        let outputs = self.outputs.borrow();
        let role = outputs.get(stack).and_then(|outputs| outputs.get(output)).cloned();
        let (stack, output, wanted_by) = (stack.clone(), output.clone(), desired.name().to_owned());
        role.ok_or(Error::MissingOutput { stack, output, wanted_by }).map(Some)
    }

    async fn create(&self, desired: &Desired<'_>, parameters: &Parameters) -> Result<Step, Error> {
        let session = self.world.session;
        let name = desired.name();
        let (body, url) = self.world.template(desired).parts();
        let call = session
            .cloudformation
            .create_stack()
            .stack_name(name)
            .client_request_token(session.token("create"))
            .set_template_body(body)
            .set_template_url(url)
            .set_parameters(Some(parameters.iter().map(parameter).collect()))
            .set_tags(Some(desired.tags.iter().map(tag).collect()))
            .capabilities(Capability::CapabilityNamedIam)
            .set_role_arn(self.role(desired)?)
            .enable_termination_protection(desired.protected)
            .set_stack_policy_body(desired.protected.then(|| stack_policy(true)))
            .send()
            .await;
        let id = match call.map_err(|error| told("cloudformation:CreateStack", error)) {
            Ok(made) => made.stack_id.ok_or_else(|| AwsError::malformed("cloudformation:CreateStack"))?,
            Err(error) if error.is_conflict() => return Ok(Step::Contended),
            Err(error) => return Err(error.into()),
        };
        let begun =
            Begun { name, id: &id, token: None, work: Work::Create, resources: Some(desired.stack.template.len()) };
        Ok(Step::Done(operation::watch(session, begun, self.observer).await?))
    }

    async fn update(
        &self,
        desired: &Desired<'_>,
        parameters: &Parameters,
        prepared: Option<ChangeSet>,
        stack: &Stack,
    ) -> Result<Step, Error> {
        let session = self.world.session;
        if !desired.protected {
            self.guard(desired, stack).await?;
        }
        let set = match prepared {
            Some(set) => set,
            None => {
                let template = self.world.template(desired);
                match changeset::create(self.world, desired, &template, parameters, self.role(desired)?, stack).await {
                    Ok(Some(set)) => set,
                    Ok(None) => return Ok(Step::Same),
                    Err(Error::Aws(error)) if error.is_conflict() => return Ok(Step::Contended),
                    Err(error) => return Err(error),
                }
            }
        };
        let new: Vec<_> =
            dangers(&stack.name, &set.changes).into_iter().filter(|d| !self.approved.contains(d)).collect();
        if !new.is_empty() {
            (self.approve)(new).await?;
        }
        let token = session.token("update");
        match changeset::execute(session, &set.id, &token).await {
            Ok(()) => {}
            Err(error) if error.is_conflict() || error.is_missing() => return Ok(Step::Contended),
            Err(error) => return Err(error.into()),
        }
        let (token, resources) = (Some(token.as_str()), Some(set.changes.len()));
        let begun = Begun { name: &stack.name, id: &stack.id, token, work: Work::Update, resources };
        Ok(Step::Done(operation::watch(session, begun, self.observer).await?))
    }

    /// Deletes stacks that the lake no longer has, the last first.
    async fn forget(&self) -> Result<(), Error> {
        let mut forgotten = self.world.forgotten();
        forgotten.reverse();
        for stack in forgotten {
            self.delete(stack, Work::Delete).await?;
        }
        Ok(())
    }

    async fn delete(&self, stack: &Stack, work: Work) -> Result<(), Error> {
        let session = self.world.session;
        if stack.protected {
            protect(session, stack, false).await?;
        }
        operation::delete(session, stack, work, self.observer).await
    }

    /// Protects the stack, or no longer, as the environment says.
    async fn guard(&self, desired: &Desired<'_>, stack: &Stack) -> Result<(), Error> {
        if desired.protected == stack.protected {
            return Ok(());
        }
        Ok(protect(self.world.session, stack, desired.protected).await?)
    }
}

enum Step {
    /// It has been done; the stack afterwards.
    Done(Stack),
    /// There was nothing to do.
    Same,
    /// Somebody else was faster.
    Contended,
}

/// Sets termination protection and stack policy, the policy first: the protection is the mark that both are set.
async fn protect(session: &Session, stack: &Stack, on: bool) -> Result<(), AwsError> {
    let policy = session.cloudformation.set_stack_policy().stack_name(&stack.id).stack_policy_body(stack_policy(on));
    policy.send().await.map_err(|error| told("cloudformation:SetStackPolicy", error))?;
    let call = session.cloudformation.update_termination_protection().stack_name(&stack.id);
    let call = call.enable_termination_protection(on);
    call.send().await.map_err(|error| told("cloudformation:UpdateTerminationProtection", error))?;
    Ok(())
}

/// A stack policy: everything may be updated, but where it is `strict` nothing that holds data may be replaced or go.
#[must_use]
pub fn stack_policy(strict: bool) -> String {
    let mut statements = vec![serde_json::json!({
        "Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*",
    })];
    if strict {
        statements.push(serde_json::json!({
            "Effect": "Deny", "Action": ["Update:Replace", "Update:Delete"], "Principal": "*", "Resource": "*",
            "Condition": { "StringEquals": { "ResourceType": DATA } },
        }));
    }
    serde_json::json!({ "Statement": statements }).to_string()
}
