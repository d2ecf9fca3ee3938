//! The Lake: what a blueprint means. Only [`check`](crate::check) builds one; after it nothing can be wrong.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::Index;
use std::path::PathBuf;

pub use crate::kind::api::{Access, Api, Cors, Domain, Method, Route, Segment, Throttle, Waf};
pub use crate::kind::buckets::Buckets;
pub use crate::kind::checks::Ruleset;
pub use crate::kind::classifier::{Classifier, CsvClassifier, Recognises};
pub use crate::kind::crawler::{ChangesSpec as Changes, Crawler, RecrawlSpec as Recrawl, RemovalsSpec as Removals};
pub use crate::kind::endpoint::{Capture, Endpoint, Host, Rollback, Scale, Shift};
pub use crate::kind::environment::Environment;
pub use crate::kind::evaluation::{Baseline, Evaluation, Metric, PartSpec as Part};
pub use crate::kind::export::Export;
pub use crate::kind::format::{Compression, Csv, Format};
pub use crate::kind::function::Function;
pub use crate::kind::github::{DriftSpec as Drift, Gate as GithubGate, Github, Provider, Reviewer, Tool};
pub use crate::kind::iceberg::{By, Iceberg, Transform};
pub use crate::kind::job::{Job, Script};
pub use crate::kind::lake_formation::{
    Grant, GrantedColumns, Grantee, LakeFormation, PermissionSpec as Permission, TableGrant,
};
pub use crate::kind::learning::{Cut, Learning};
pub use crate::kind::model::{Gate, Model};
pub use crate::kind::overrides::{Generated, Override};
pub use crate::kind::parameter::{Parameter, ParameterType, object_faults, object_schema};
pub use crate::kind::partition::{Interval, Projection};
pub use crate::kind::pipeline::{Pipeline, Start};
pub use crate::kind::profile::{Profile, Rule};
pub use crate::kind::query::{Mode, Output, Query};
pub use crate::kind::raw::{Piece, Raw, Reference, Referent};
pub use crate::kind::recipe::{ActionParameter, Condition, Recipe, RecipeAction};
pub use crate::kind::resource::{Resource, RetentionSpec};
pub use crate::kind::sample::Sample;
pub use crate::kind::statement::Statement;
pub use crate::kind::table::{Column, ColumnType, Home, Table};
pub use crate::kind::workgroup::{Bytes, Engine, Workgroup};
pub use crate::kind::zone::{Days, Keep, LockSpec, StorageClass, Zone};

/// A thing of kind `K` in one Lake. Handed out by the Lake's own tables, so it always leads somewhere.
pub struct Id<K> {
    index: u32,
    kind: PhantomData<fn() -> K>,
}

impl<K> Id<K> {
    pub(crate) fn new(index: usize) -> Self {
        Self { index: u32::try_from(index).unwrap_or(u32::MAX), kind: PhantomData }
    }

    /// Its position in the order of the blueprint.
    #[must_use]
    pub fn index(self) -> usize {
        self.index as usize
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.index.cmp(&other.index)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.index.hash(state);
    }
}
impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.index)
    }
}

/// All things of one kind, in the order of the blueprint.
#[derive(Debug, Clone, PartialEq)]
pub struct Arena<K>(Vec<K>);

impl<K> Arena<K> {
    pub(crate) fn new(items: Vec<K>) -> Self {
        Self(items)
    }

    /// Each thing with its id.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Id<K>, &K)> + DoubleEndedIterator {
        self.0.iter().enumerate().map(|(index, item)| (Id::new(index), item))
    }

    /// Each thing.
    pub fn values(&self) -> std::slice::Iter<'_, K> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K> Index<Id<K>> for Arena<K> {
    type Output = K;
    fn index(&self, id: Id<K>) -> &K {
        &self.0[id.index()]
    }
}

/// A step of the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StepId {
    /// A Glue crawler.
    Crawler(Id<Crawler>),
    /// An Athena query that writes a table.
    Query(Id<Query>),
    /// A DataBrew recipe.
    Recipe(Id<Recipe>),
    /// A Glue job.
    Job(Id<Job>),
    /// A SageMaker training.
    Model(Id<Model>),
}

/// A step and the steps that must have succeeded before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub id: StepId,
    /// Its direct predecessors, sorted.
    pub after: Vec<StepId>,
}

/// A checked lake.
#[derive(Debug, Clone, PartialEq)]
pub struct Lake {
    /// The name, first part of every physical name.
    pub name: String,
    /// One sentence, or none.
    pub description: Option<String>,
    /// The folder that the blueprint's paths start from.
    pub root: PathBuf,
    /// The declared environments; `local` is not among them.
    pub environments: Vec<Environment>,
    /// The repository from which it is deployed.
    pub github: Option<Github>,
    /// Where a local run takes its raw data from.
    pub sample: Option<Sample>,
    /// S3 buckets.
    pub zones: Arena<Zone>,
    /// The relational model.
    pub tables: Arena<Table>,
    /// How crawlers recognise files that Glue does not know.
    pub classifiers: Arena<Classifier>,
    /// Glue crawlers.
    pub crawlers: Arena<Crawler>,
    /// Athena's workgroups, the lake's own among them.
    pub workgroups: Arena<Workgroup>,
    /// Athena queries.
    pub queries: Arena<Query>,
    /// Athena's prepared statements.
    pub statements: Arena<Statement>,
    /// DataBrew recipes.
    pub recipes: Arena<Recipe>,
    /// DataBrew profiles.
    pub profiles: Arena<Profile>,
    /// Glue jobs.
    pub jobs: Arena<Job>,
    /// SageMaker models.
    pub models: Arena<Model>,
    /// Lambda functions.
    pub functions: Arena<Function>,
    /// Who may do what with the tables, when Lake Formation says so.
    pub lake_formation: Option<LakeFormation>,
    /// The API, if there is one.
    pub api: Option<Api>,
    /// Rules that the rows of tables must meet.
    pub checks: Arena<Ruleset>,
    /// What starts what.
    pub pipelines: Arena<Pipeline>,
    /// Resources in CloudFormation's own words.
    pub resources: Vec<Resource>,
    /// What is changed about generated resources.
    pub overrides: Vec<Override>,
    /// Every step in an order in which they can run one after another.
    pub steps: Vec<Step>,
    /// The lake as it is in environments that set something.
    pub(crate) elsewhere: Vec<(String, Lake)>,
}

impl Lake {
    /// The environment of that name.
    #[must_use]
    pub fn environment(&self, name: &str) -> Option<&Environment> {
        self.environments.iter().find(|environment| environment.name == name)
    }

    /// The environment of that name, and the lake as it is there.
    #[must_use]
    pub fn copy(&self, name: &str) -> Option<(&Self, &Environment)> {
        self.copies().find(|(_, environment)| environment.name == name)
    }

    /// Every environment, and the lake as it is there.
    pub fn copies(&self) -> impl Iterator<Item = (&Self, &Environment)> {
        self.environments.iter().map(move |environment| {
            let other = self.elsewhere.iter().find(|(name, _)| *name == environment.name);
            (other.map_or(self, |(_, lake)| lake), environment)
        })
    }

    /// The rules of the tables that a step writes, or that a crawler looks at when nobody writes them.
    pub fn step_checks(&self, step: StepId) -> impl Iterator<Item = &Ruleset> {
        self.checks.values().filter(move |ruleset| {
            let table = &self.tables[ruleset.table];
            table.writer.or(table.crawler.map(StepId::Crawler)) == Some(step)
        })
    }

    /// The rules that AWS evaluates after a step: Glue takes partitions from the catalog, which learns of them by a crawler where
    /// Athena does not put them there.
    pub fn step_checks_in_aws(&self, step: StepId) -> impl Iterator<Item = &Ruleset> {
        self.checks.values().filter(move |ruleset| {
            let table = &self.tables[ruleset.table];
            let crawler = table.crawler.map(StepId::Crawler);
            let inserted = matches!(table.writer, Some(StepId::Query(_))) && table.projections.is_empty();
            let unlisted = !table.partitions.is_empty() && !inserted;
            let after = if unlisted { crawler.or(table.writer) } else { table.writer.or(crawler) };
            after == Some(step)
        })
    }

    /// What Lake Formation grants others than steps, by its id.
    #[must_use]
    pub fn grant(&self, id: Id<Grant>) -> Option<&Grant> {
        self.lake_formation.as_ref().map(|permissions| &permissions.grants[id])
    }

    /// The name of a step.
    #[must_use]
    pub fn step_name(&self, step: StepId) -> &str {
        match step {
            StepId::Crawler(id) => &self.crawlers[id].name,
            StepId::Query(id) => &self.queries[id].name,
            StepId::Recipe(id) => &self.recipes[id].name,
            StepId::Job(id) => &self.jobs[id].name,
            StepId::Model(id) => &self.models[id].name,
        }
    }

    /// The name from which those of a step in AWS follow: the one that it had first, where it can say so.
    #[must_use]
    pub fn step_in_aws(&self, step: StepId) -> &str {
        match step {
            StepId::Job(id) => &self.jobs[id].in_aws,
            StepId::Model(id) => &self.models[id].in_aws,
            StepId::Crawler(_) | StepId::Query(_) | StepId::Recipe(_) => self.step_name(step),
        }
    }

    /// The tables that a step reads, in the order of the blueprint.
    #[must_use]
    pub fn step_reads(&self, step: StepId) -> Vec<Id<Table>> {
        match step {
            StepId::Crawler(id) => self.crawlers[id].reads.clone(),
            StepId::Query(id) => self.queries[id].reads.clone(),
            StepId::Recipe(id) => self.recipes[id].inputs(),
            StepId::Job(id) => self.jobs[id].reads.clone(),
            StepId::Model(id) => self.models[id].reads.iter().map(|(_, table)| *table).collect(),
        }
    }

    /// The files that a step puts somewhere, beside tables.
    #[must_use]
    pub fn step_export(&self, step: StepId) -> Option<&Export> {
        match step {
            StepId::Query(id) => self.queries[id].export(),
            StepId::Crawler(_) | StepId::Recipe(_) | StepId::Job(_) | StepId::Model(_) => None,
        }
    }

    /// The tables that a step writes.
    #[must_use]
    pub fn step_writes(&self, step: StepId) -> Vec<Id<Table>> {
        match step {
            StepId::Crawler(_) | StepId::Model(_) => Vec::new(),
            StepId::Query(id) => self.queries[id].table().into_iter().collect(),
            StepId::Recipe(id) => vec![self.recipes[id].writes],
            StepId::Job(id) => self.jobs[id].writes.clone(),
        }
    }
}

impl StepId {
    /// The kind, as in messages and logs.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Crawler(_) => "crawler",
            Self::Query(_) => "query",
            Self::Recipe(_) => "recipe",
            Self::Job(_) => "job",
            Self::Model(_) => "model",
        }
    }
}
