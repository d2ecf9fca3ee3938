//! From what a lake means to what AWS makes of it: pure, total, and the same bytes for the same lake.
//!
//! Three stacks, by what they may lose: `storage` holds data and keys, `processing` the steps, `serving` what answers.
//! Names are deterministic ([`names::Names`]), so a stack speaks of another's resources by name; what has no name of ours (a
//! key's ARN) is an output of one stack and a parameter of the next. Nothing is exported.

mod api;
mod checks;
mod classifier;
mod crawler;
mod function;
mod grant;
mod job;
mod logs;
mod model;
mod names;
mod profile;
mod query;
mod recipe;
mod storage;
mod table;
mod visual;

use crate::assembly::{Assembly, Assets, Source, StackTemplate};
use crate::cfn::s3::Bucket;
use crate::cfn::{LogicalId, Name, Retention, S3Uri, Tags, Text, Value, sub};
use crate::lake::{Environment, Home, Id, Lake, Table};
use names::{Kind, Names};

/// The files that AWS needs for `lake` in `environment`; `assets` are those collected for the same lake.
pub fn lower(lake: &Lake, environment: &Environment, assets: &Assets) -> Assembly {
    let cx = Context { lake, environment, assets, names: Names::new(&lake.name, &environment.name) };
    let Lake {
        name,
        description: _,
        root: _,
        environments: _,
        sample: _,
        zones,
        tables,
        classifiers,
        crawlers,
        queries,
        recipes,
        profiles,
        jobs,
        models,
        functions,
        api,
        checks,
        pipelines: _,
        steps: _,
    } = lake;

    let mut storage = cx.stack("storage", "what it must not lose");
    let kept = storage::lower(&cx, &mut storage, zones);
    for table in tables.values() {
        table::lower_items(&cx, &mut storage, &kept, table);
    }

    let mut processing = cx.stack("processing", "its catalog and its steps");
    let shared = Shared::new(&cx, &mut processing, &kept);
    let catalog = table::lower_catalog(&cx, &mut processing);
    let classifiers = classifier::lower_all(&cx, &mut processing, classifiers);
    for (_, crawler) in crawlers.iter() {
        crawler::lower(&cx, &mut processing, &shared, &catalog, &classifiers, crawler);
    }
    let athena = (!queries.is_empty()).then(|| query::lower_work_group(&cx, &mut processing, &shared));
    for (_, query) in queries.iter() {
        query::lower(&cx, &mut processing, &shared, &catalog, athena.as_ref(), query);
    }
    recipe::lower_all(&cx, &mut processing, &shared, recipes);
    for profile in profiles.values() {
        profile::lower(&cx, &mut processing, &shared, profile);
    }
    if !jobs.is_empty() {
        job::lower_logs(&cx, &mut processing, &shared);
    }
    let registrar = visual::lower_registrar(&cx, &mut processing, &shared, jobs);
    for (id, job) in jobs.iter() {
        job::lower(&cx, &mut processing, &shared, registrar.as_ref(), id, job);
    }
    for ruleset in checks.values() {
        checks::lower(&cx, &mut processing, &shared, &catalog, ruleset);
    }
    let trained: Vec<_> = models
        .iter()
        .map(|(id, model)| model::lower_training(&cx, &mut processing, &shared, &kept, id, model))
        .collect();

    let mut serving = cx.stack("serving", "what answers");
    for model in &trained {
        model::lower_endpoint(&cx, &mut serving, &kept, model);
    }
    let functions = function::lower_all(&cx, &mut serving, &kept, functions);
    if let Some(api) = api {
        let pool = api::lower_pool(&cx, &mut storage, api);
        api::lower(&cx, &mut serving, &kept, &functions, pool.as_ref(), api);
    }

    let stacks = [storage, processing, serving].into_iter().filter(|stack| !stack.template.is_empty());
    Assembly {
        lake: name.clone(),
        environment: environment.name.clone(),
        region: environment.region.clone(),
        account: environment.account.clone(),
        protected: environment.protected,
        stacks: stacks.collect(),
        assets: assets.clone(),
        openapi: api.as_ref().map(|api| api::document(&cx, api)),
        training: trained.into_iter().map(|model| (model.name, model.training)).collect(),
    }
}

const KEY: &str = "ARN of the key that encrypts the lake";

/// What every kind is lowered with.
struct Context<'a> {
    lake: &'a Lake,
    environment: &'a Environment,
    assets: &'a Assets,
    names: Names<'a>,
}

impl Context<'_> {
    fn stack(&self, part: &str, holds: &str) -> StackTemplate {
        let Self { lake, environment, .. } = self;
        let description = format!("{} in {}: {holds} (written by lakegen)", lake.name, environment.name);
        StackTemplate::new(self.names.plain(&[part], 128), description)
    }

    fn tags(&self) -> Vec<(&'static str, Value<Text>)> {
        vec![
            ("lakegen:lake", Value::literal(&*self.lake.name)),
            ("lakegen:environment", Value::literal(&*self.environment.name)),
        ]
    }

    fn tag_list(&self) -> Tags {
        Tags(self.tags())
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
                let zone = &self.lake.zones[zone].name;
                let bucket = self.names.zone_bucket(zone);
                Some(Place { zone: zone.clone(), bucket, prefix: format!("{}/", self.lake.tables[table].name) })
            }
            Home::DynamoDb { key: _ } => None,
        }
    }

    /// Where code finds a table: `s3://bucket/prefix/`, or `dynamodb://table`.
    fn location(&self, table: Id<Table>) -> Value<Text> {
        match self.place(table) {
            Some(place) => place.uri().text(),
            None => sub!["dynamodb://", self.names.items(&self.lake.tables[table].name)],
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

/// What the steps of the processing stack share.
struct Shared {
    key: Value<crate::cfn::Arn<crate::cfn::kms::Key>>,
    asset_bucket: Value<Name<Bucket>>,
    work_bucket: Value<Name<Bucket>>,
    security: crate::cfn::Ref<crate::cfn::glue::SecurityConfiguration>,
    security_name: String,
    /// The prefix of the log groups that all jobs share.
    job_logs: String,
}

impl Shared {
    fn new(cx: &Context, stack: &mut StackTemplate, kept: &storage::Kept) -> Self {
        use crate::cfn::glue::{EncryptionConfiguration, SecurityConfiguration};
        let key = stack.import(&kept.key, KEY);
        let asset_bucket = asset_bucket(stack);
        let security_name = cx.names.plain(&[], 255);
        let security = stack.template.add(
            Kind::SecurityConfiguration.fixed(),
            SecurityConfiguration {
                name: Value::literal(&*security_name),
                encryption: EncryptionConfiguration::all(&key),
            },
        );
        let job_logs = format!("/aws-glue/jobs/{security_name}");
        Self { key, asset_bucket, work_bucket: cx.names.work_bucket(), security, security_name, job_logs }
    }
}

/// The parameter that names the bucket with the assets.
fn asset_bucket(stack: &mut StackTemplate) -> Value<Name<Bucket>> {
    let description = "Bucket to which the assembly's assets were uploaded, encrypted with S3's own keys";
    stack.parameter(LogicalId::fixed("AssetBucket"), description, Source::AssetBucket)
}

#[cfg(test)]
mod tests;
