//! From what a lake means to what AWS makes of it: pure, total, and the same bytes for the same lake.
//!
//! Four parts, by what they may lose: `storage` holds data and keys, `processing` the steps, `serving` what answers, `pipelines`
//! what starts the steps. Each is one stack, or several in a large lake ([`Placement`]); the first of a part holds what all of the
//! part share. Every endpoint has a stack of its own, because a released model changes it when nobody deploys.
//! Names are deterministic ([`names::Names`]), so a stack speaks of another's resources by name; what has no name of ours (a
//! key's ARN) is an output of one stack and a parameter of the next. Nothing is exported.

mod access;
mod api;
mod checks;
mod classifier;
mod crawler;
mod endpoint;
mod escape;
mod events;
mod function;
mod grant;
mod job;
mod lake_formation;
mod logs;
mod model;
mod names;
mod optimizer;
mod pipeline;
mod profile;
mod query;
mod recipe;
mod release;
mod storage;
mod table;
mod visual;

use std::borrow::Cow;

use rayon::prelude::*;

use crate::assembly::{Access, Assembly, Assets, Exported, Origin, RenderedStack, Source, StackTemplate};
use crate::cfn::cognito::UserPool;
use crate::cfn::glue::SecurityConfiguration;
use crate::cfn::s3::Bucket;
use crate::cfn::sns::Topic;
use crate::cfn::{Arn, Format, LogicalId, Name, Retention, S3Uri, Tags, Text, Value, sub};
use crate::lake::{Api, Environment, Export, Home, Id, Lake, StepId, Table};
use crate::placement::{Part, Placement, Thing};
pub use access::access;
pub(crate) use access::access_role_arn;
use classifier::Classifiers;
use model::Trained;
use names::{Kind, function_arn};
pub(crate) use names::{Names, origin, reserved};
use storage::Kept;
use table::Catalog;

/// As [`lower_each`] does, with all texts in the assembly.
pub fn lower(
    lake: &Lake,
    environment: &Environment,
    assets: &Assets,
    placement: &Placement,
    format: Format,
) -> Assembly {
    lower_each(lake, environment, assets, placement, format, |_, text| text)
}

/// The files that AWS needs for `lake` in `environment`, templates in `format`; `assets` are those collected for the same lake, and
/// `placement` says which stack its things are in. What is kept of the file and the text of each template, `keep` says as soon as
/// there is one: the trees of a large lake take several times the room of its texts, and those much more than all else.
pub fn lower_each<T: Send>(
    lake: &Lake,
    environment: &Environment,
    assets: &Assets,
    placement: &Placement,
    format: Format,
    keep: impl Fn(&str, String) -> T + Sync,
) -> Assembly<T> {
    let cx = Context { lake, environment, assets, placement, names: Names::new(&lake.name, &environment.name) };
    let Lake {
        name,
        description: _,
        root: _,
        environments: _,
        github: _,
        sample: _,
        // Each in the stack that `placement` says.
        zones: _,
        tables: _,
        classifiers: _,
        crawlers: _,
        workgroups: _,
        queries: _,
        statements: _,
        recipes: _,
        profiles: _,
        jobs: _,
        models: _,
        functions: _,
        checks: _,
        lake_formation: _,
        api,
        // In one stack.
        pipelines: _,
        steps: _,
        // Where the blueprint says.
        resources: _,
        overrides: _,
        elsewhere: _,
    } = lake;
    let render = |stack: StackTemplate| (!stack.template.is_empty()).then(|| stack.render(format, &keep));
    let (mut storage, kept) = lower_storage(&cx);
    let (processing, trained) = lower_processing(&cx, &kept, render);
    let pool = api.as_ref().zip(storage.first_mut()).and_then(|(api, first)| api::lower_pool(&cx, first, api));
    let endpoints = trained.iter().filter_map(|model| endpoint::lower(&cx, &kept, model)).collect::<Vec<_>>();
    let mut serving = lower_serving(&cx, &kept, pool.as_ref(), api.as_ref());
    storage.iter_mut().chain(&mut serving).for_each(|stack| escape::lower(&cx, stack, &kept));
    let mut assets = assets.clone();
    let pipelines = storage.first_mut().zip(assets.advance().cloned()).map(|(first, code)| {
        pipeline::lower_ledger(&cx, first, &kept);
        pipeline::lower(&cx, &kept, &code, &mut assets, &trained, &processing)
    });
    let before: Vec<_> = endpoints.iter().chain(&pipelines).collect();
    let code = assets.release().cloned().filter(|_| !endpoints.is_empty());
    let release = code.map(|code| release::lower(&cx, &kept, &code, &mut assets, &trained, &before));
    let rest = endpoints.into_iter().chain(serving).chain(pipelines).chain(release);
    let stacks = storage.into_iter().filter_map(render).chain(processing).chain(rest.filter_map(render));
    Assembly {
        lake: name.clone(),
        environment: environment.name.clone(),
        access: lake.github.as_ref().map_or(Access::None, |_| Access::Within(cx.names.stack(&["access"]))),
        service_role: None,
        region: environment.region.clone(),
        account: environment.account.clone(),
        protected: environment.protected,
        bucket_prefix: cx.names.asset_bucket_prefix(),
        stacks: stacks.collect(),
        assets,
        openapi: api.as_ref().map(|api| api::document(&cx, api)),
        training: trained.into_iter().map(|model| (model.name, model.training)).collect(),
    }
}

/// What must not be lost: shared things, zones and key-value tables.
fn lower_storage(cx: &Context) -> (Vec<StackTemplate>, Kept) {
    let mut first = cx.stack(Part::Storage, 1);
    let mut kept = storage::lower(cx, &mut first);
    let location_role = lake_formation::lower_shared(cx, &mut first, &kept.key_here);
    let more = (2..=cx.placement.stacks(Part::Storage)).map(|number| cx.stack(Part::Storage, number));
    let mut stacks: Vec<_> = std::iter::once(first).chain(more).collect();
    for (number, stack) in (1..).zip(&mut stacks) {
        let (key, logs, role) = match number {
            1 => (kept.key_here.clone(), kept.logs_here.clone(), location_role.clone()),
            _ => {
                let role = location_role.as_ref().map(|_| names::role_arn(&cx.names.location_role()));
                (stack.import(&kept.key, KEY), cx.names.log_bucket(), role)
            }
        };
        for thing in cx.placement.things(Part::Storage, number) {
            stack.comes_from(Some(cx.origin(*thing)));
            match *thing {
                Thing::Zone(id) => {
                    let bucket = storage::lower_zone(cx, stack, &key, &logs, role.clone(), &cx.lake.zones[id]);
                    kept.zones.insert(id, bucket);
                }
                Thing::Items(id) => table::lower_items(cx, stack, &key, &cx.lake.tables[id]),
                Thing::Table(_)
                | Thing::Checks(_)
                | Thing::Profile(_)
                | Thing::Statement(_)
                | Thing::Step(_)
                | Thing::Grant(_)
                | Thing::Function(_) => {}
            }
        }
    }
    (stacks, kept)
}

/// The catalog and the steps. What all stacks of the part share is in the first, and the others come after it.
fn lower_processing<'a, T: Send>(
    cx: &Context<'a>,
    kept: &Kept,
    render: impl Fn(StackTemplate) -> Option<RenderedStack<T>> + Sync,
) -> (Vec<RenderedStack<T>>, Vec<Trained<'a>>) {
    let numbers = (1..=cx.placement.stacks(Part::Processing)).into_par_iter();
    let lowered = numbers.map(|number| {
        let (mut stack, trained) = lower_steps(cx, kept, number);
        escape::lower(cx, &mut stack, kept);
        (render(stack), trained)
    });
    let (stacks, trained): (Vec<_>, Vec<Vec<_>>) = lowered.unzip();
    (stacks.into_iter().flatten().collect(), trained.into_iter().flatten().collect())
}

fn lower_steps<'a>(cx: &Context<'a>, kept: &Kept, number: usize) -> (StackTemplate, Vec<Trained<'a>>) {
    let Lake { queries, recipes, jobs, .. } = cx.lake;
    let mut stack = cx.stack(Part::Processing, number);
    let first = number == 1;
    let shared = Shared::new(cx, &mut stack, kept, first);
    let mut catalog = Catalog::new(cx, &mut stack, first);
    if first {
        lake_formation::lower_grantees(cx, &mut stack, &catalog);
    }
    let classifiers = Classifiers::new(cx, &mut stack, first);
    let work_groups = query::work_groups(cx, &mut stack, &shared, first);
    let publisher = recipe::publisher(cx, &mut stack, &shared, first);
    if first && !jobs.is_empty() {
        job::lower_logs(cx, &mut stack, &shared);
    }
    let registrar = visual::registrar(cx, &mut stack, &shared, jobs, first);
    let mut trained = Vec::new();
    for thing in cx.placement.things(Part::Processing, number) {
        stack.comes_from(Some(cx.origin(*thing)));
        for other in cx.placement.table_stacks(cx.lake, *thing).into_iter().filter(|other| *other < number) {
            stack.comes_after(cx.stack_name(Part::Processing, other));
        }
        match *thing {
            Thing::Table(id) => {
                catalog.lower(cx, &mut stack, id);
                optimizer::lower(cx, &mut stack, &shared, &catalog, id);
            }
            Thing::Step(StepId::Crawler(id)) => {
                crawler::lower(cx, &mut stack, &shared, &catalog, &classifiers, &cx.lake.crawlers[id]);
            }
            Thing::Step(StepId::Query(id)) => {
                query::lower(cx, &mut stack, &shared, &catalog, &work_groups, &queries[id]);
            }
            Thing::Statement(id) => query::lower_statement(&mut stack, &work_groups, &cx.lake.statements[id]),
            Thing::Step(StepId::Recipe(id)) => {
                recipe::lower(cx, &mut stack, &shared, &catalog, &publisher, &recipes[id])
            }
            Thing::Step(StepId::Job(id)) => {
                job::lower(cx, &mut stack, &shared, &catalog, registrar.as_ref(), id, &jobs[id])
            }
            Thing::Step(StepId::Model(id)) => {
                trained.push(model::lower_training(cx, &mut stack, &shared, kept, id, &cx.lake.models[id]));
            }
            Thing::Checks(id) => checks::lower(cx, &mut stack, &shared, &catalog, &cx.lake.checks[id]),
            Thing::Grant(id) => lake_formation::lower_grant(cx, &mut stack, &catalog, id),
            Thing::Profile(id) => profile::lower(cx, &mut stack, &shared, &catalog, &cx.lake.profiles[id]),
            Thing::Zone(_) | Thing::Items(_) | Thing::Function(_) => {}
        }
    }
    (stack, trained)
}

/// What answers. The API is in the first stack, which comes after those with the functions that it calls.
fn lower_serving(
    cx: &Context,
    kept: &Kept,
    pool: Option<&Exported<Arn<UserPool>>>,
    api: Option<&Api>,
) -> Vec<StackTemplate> {
    let mut stacks: Vec<_> =
        (1..=cx.placement.stacks(Part::Serving)).map(|number| cx.stack(Part::Serving, number)).collect();
    let mut functions = vec![None; cx.lake.functions.len()];
    for (number, stack) in (1..).zip(&mut stacks) {
        for thing in cx.placement.things(Part::Serving, number) {
            stack.comes_from(Some(cx.origin(*thing)));
            match *thing {
                Thing::Function(id) => {
                    let function = function::lower(cx, stack, kept, id, &cx.lake.functions[id]);
                    functions[id.index()] = (number == 1).then_some(function);
                }
                Thing::Zone(_)
                | Thing::Items(_)
                | Thing::Table(_)
                | Thing::Checks(_)
                | Thing::Profile(_)
                | Thing::Statement(_)
                | Thing::Step(_)
                | Thing::Grant(_) => {}
            }
        }
    }
    let others: Vec<_> = stacks.iter().skip(1).map(|stack| stack.name.clone()).collect();
    if let (Some(api), Some(first)) = (api, stacks.first_mut()) {
        others.into_iter().for_each(|other| first.comes_after(other));
        let named = cx.lake.functions.values().zip(functions);
        let functions: Vec<_> = named
            .map(|(function, here)| match here {
                Some(here) => here.arn(),
                None => function_arn(&cx.names.function(&function.name)),
            })
            .collect();
        first.comes_from(Some(Origin { section: "api", name: None }));
        api::lower(cx, first, kept, &functions, pool, api);
    }
    stacks.reverse();
    stacks
}

const KEY: &str = "ARN of the key that encrypts the lake";

/// What every kind is lowered with.
struct Context<'a> {
    lake: &'a Lake,
    environment: &'a Environment,
    assets: &'a Assets,
    placement: &'a Placement,
    names: Names<'a>,
}

impl Context<'_> {
    /// An empty stack: the `number`th of a part.
    fn stack(&self, part: Part, number: usize) -> StackTemplate {
        let Self { lake, environment, .. } = self;
        let holds = match part {
            Part::Storage => "what it must not lose",
            Part::Processing => "its catalog and its steps",
            Part::Serving => "what answers",
            Part::Pipelines => "what starts its steps",
        };
        let description = format!("{} in {}: {holds} (written by lakegen)", lake.name, environment.name);
        let mut stack = StackTemplate::new(self.stack_name(part, number), description);
        if part == Part::Processing && number > 1 {
            stack.comes_after(self.stack_name(part, 1));
        }
        stack
    }

    fn stack_name(&self, part: Part, number: usize) -> String {
        let part = part.word();
        let number = number.to_string();
        if number == "1" { self.names.stack(&[part]) } else { self.names.stack(&[part, &number]) }
    }

    /// What of the blueprint a thing of `placement` is.
    fn origin(&self, thing: Thing) -> Origin {
        let (section, name) = thing.section(self.lake);
        Origin { section, name: Some(name.to_owned()) }
    }

    /// The topic by which people are told; the stack of the pipelines has it.
    fn alert(&self) -> Option<Value<Arn<Topic>>> {
        self.environment.alert.as_ref().map(|_| names::arn("sns", self.names.rule("alert").into()))
    }

    /// lakegen's own tags, then the blueprint's.
    fn tag_list(&self) -> Tags {
        let own = [("lakegen:lake", &self.lake.name), ("lakegen:environment", &self.environment.name)];
        let own = own.into_iter().map(|(key, value)| (Cow::Borrowed(key), Value::literal(value.clone())));
        let tags = self.environment.tags.iter();
        Tags(own.chain(tags.map(|(key, value)| (Cow::Owned(key.clone()), Value::literal(value.clone())))).collect())
    }

    /// What becomes of data when its stack goes: it stays where the environment is protected. Elsewhere it goes with the
    /// stack, because names are fixed and a bucket that stayed would stop the next deploy.
    fn retention(&self) -> Retention {
        if self.environment.protected { Retention::Retain } else { Retention::Delete }
    }

    /// The bucket and the prefix of a table's files, if it is made of files.
    fn place(&self, table: Id<Table>) -> Option<Place> {
        match self.lake.tables[table].home {
            Home::Zone { zone, format: _ } => {
                let zone = &self.lake.zones[zone];
                let bucket = self.names.zone_bucket(zone);
                Some(Place { zone: zone.name.clone(), bucket, prefix: format!("{}/", self.lake.tables[table].in_aws) })
            }
            Home::DynamoDb { key: _ } | Home::View { sql: _, reads: _ } => None,
        }
    }

    /// The bucket and the prefix of an export's files.
    fn export_place(&self, export: &Export) -> Place {
        let zone = &self.lake.zones[export.zone];
        let bucket = self.names.zone_bucket(zone);
        Place { zone: zone.name.clone(), bucket, prefix: format!("{}/", export.folder) }
    }

    /// Where code finds a table: `s3://bucket/prefix/`, or `dynamodb://table`.
    fn location(&self, table: Id<Table>) -> Value<Text> {
        match self.place(table) {
            Some(place) => place.uri().text(),
            None => sub!["dynamodb://", self.names.items(&self.lake.tables[table])],
        }
    }
}

/// A prefix in the bucket of a zone.
#[derive(Clone, Debug)]
struct Place {
    zone: String,
    bucket: Value<Name<Bucket>>,
    prefix: String,
}

impl Place {
    fn uri(&self) -> Value<S3Uri> {
        sub!["s3://", &self.bucket, "/", &self.prefix]
    }
}

/// What steps share, as one stack of the processing part knows it.
struct Shared {
    key: Value<crate::cfn::Arn<crate::cfn::kms::Key>>,
    work_bucket: Value<Name<Bucket>>,
    /// How crawlers encrypt their logs.
    security: Value<Name<SecurityConfiguration>>,
    security_name: String,
    /// How jobs encrypt their bookmarks and files.
    job_security: Value<Name<SecurityConfiguration>>,
    /// The prefix of the log groups that all jobs share.
    job_logs: String,
}

impl Shared {
    /// Adds what is shared to the `first` stack; the others know it by name.
    fn new(cx: &Context, stack: &mut StackTemplate, kept: &Kept, first: bool) -> Self {
        use crate::cfn::glue::EncryptionConfiguration;
        let key = stack.import(&kept.key, KEY);
        let mut add = |kind: Kind, name: &str, logs: bool| {
            let name = Value::literal(name.to_owned());
            if !first || (kind == Kind::JobSecurity && cx.lake.jobs.is_empty()) {
                return name;
            }
            let encryption = EncryptionConfiguration::all(&key, logs);
            stack.template.add(kind.fixed(), SecurityConfiguration { name, encryption }).name()
        };
        let security_name = cx.names.plain(&[], 255);
        // Source: "Amazon Glue" of "Getting Started with Amazon Web Services in China".
        let logs = cx.environment.region != "cn-northwest-1";
        let security = add(Kind::SecurityConfiguration, &security_name, logs);
        // Where Glue encrypts the logs of jobs itself, it makes two groups for each role, which nothing ever empties. The groups that
        // it writes into otherwise are the lake's: encrypted, and kept for so long.
        let job_security = add(Kind::JobSecurity, &cx.names.plain(&["jobs"], 255), false);
        let job_logs = format!("/aws-glue/jobs/{security_name}");
        Self { key, work_bucket: cx.names.work_bucket(), security, security_name, job_security, job_logs }
    }
}

/// The parameter that names the bucket with the assets.
fn asset_bucket(stack: &mut StackTemplate) -> Value<Name<Bucket>> {
    let description = "Bucket to which the assembly's assets were uploaded, encrypted with S3's own keys";
    stack.parameter(LogicalId::fixed("AssetBucket"), description, Source::AssetBucket)
}

#[cfg(test)]
mod tests;
