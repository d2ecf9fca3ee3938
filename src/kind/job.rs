//! A job: a PySpark script on Glue.

use std::path::PathBuf;

use crate::check::{Check, unique};
use crate::decode::{Decode, Decoder, Named, Scalar, alternatives, quantity, section};
use crate::diagnostic::{did_you_mean, listed};
use crate::kind::overrides::OverridesSpec;
use crate::kind::visual::NodeSpec;
use crate::lake::{Id, Table};
use crate::schema::{Language, Shape};
use crate::source::{Node, Span, Spanned};
use crate::visual::{self, Graph};

section! {
    /// A Glue job.
    "a job"
    pub struct JobSpec by NAME {
        /// The PySpark script.
        /// Default: none; then there are `nodes`.
        /// Example: `glue-jobs/features.py`.
        script: Option<Spanned<String>>,
        /// Instead of `script`, `reads` and `writes`: the boxes of a visual job, from which lakegen writes the script.
        /// Example: `{ orders: { source: orders }, result: { target: { from: orders, table: orders_copy } } }`.
        nodes: Named<NodeSpec>,
        /// Modules and packages that the script imports; they are shipped with it.
        /// Example: `[glue-jobs/shared.py]`.
        modules: Vec<Spanned<String>>,
        /// The tables that it reads; each comes as `--<table> <location>`.
        /// Example: `[orders, products]`.
        reads: Vec<Spanned<String>>,
        /// The tables that it writes; each comes as `--<table> <location>`.
        /// Example: `[features]`.
        writes: Vec<Spanned<String>>,
        /// More arguments, each as `--<name> <value>`; a run may give others.
        /// Example: `{ half_life: "5" }`.
        arguments: Named<Scalar>,
        /// Python packages from the package index, each with its version.
        /// Example: `["holidays==0.57"]`.
        packages: Vec<Spanned<String>>,
        /// Settings of Spark.
        /// Example: `{ spark.sql.shuffle.partitions: 64 }`.
        spark: Named<Scalar>,
        /// Glue's own job parameters that have no key here, without their hyphens.
        /// Example: `{ enable-lakeformation-fine-grained-access: true }`.
        parameters: Named<Scalar>,
        /// The machines.
        /// Default: `{ type: G.1X, max: 10 }`.
        /// Example: `{ type: G.1X, max: 10 }`.
        workers: Option<WorkersSpec>,
        /// After how long it is stopped.
        /// Default: `120 minutes`.
        /// Example: `45 minutes`.
        timeout: Option<Spanned<Minutes>>,
        /// How often Glue tries again by itself after a failure.
        /// Default: `0`.
        /// Example: `1`.
        retries: Option<Spanned<u32>>,
        /// Whether Glue may wait for spare machines, which cost less.
        /// Default: `false`.
        /// Example: `true`.
        flexible: Option<Spanned<bool>>,
        /// Whether Glue remembers what it has read: `enabled`, `paused` or `disabled`.
        /// Default: `disabled`.
        /// Example: `enabled`.
        bookmarks: Option<BookmarksSpec>,
        /// How many runs there may be at once.
        /// Default: `1`.
        /// Example: `3`.
        concurrency: Option<Spanned<u32>>,
        /// After how long a run that goes on is reported.
        /// Default: never.
        /// Example: `30 minutes`.
        notify_after: Option<Spanned<Minutes>>,
        /// The version of Glue.
        /// Default: `"5.1"`.
        /// Example: `"5.0"`.
        glue: Option<Spanned<Scalar>>,
        /// The name that it had before it was renamed, the first one if it was renamed often: the job keeps that name in Glue, with its
        /// runs and what its bookmarks remember.
        /// Default: none.
        /// Example: `features`.
        was: Option<Spanned<String>>,
        /// Changes to the resources that are made of it; which there are, "The escape hatch" says.
        /// Example: `{ Job: { Properties: { MaintenanceWindow: "Sun:3" } } }`.
        overrides as "override": OverridesSpec,
    }
}

alternatives! {
    /// Whether Glue remembers what a job has read.
    "a sort of bookmark"
    pub enum BookmarksSpec {
        /// A run reads what is new.
        Enabled = "enabled",
        /// A run reads what is new, and it stays new.
        Paused = "paused",
        /// A run reads everything.
        Disabled = "disabled",
    }
}

section! {
    /// The machines of a job.
    "workers"
    pub struct WorkersSpec {
        /// The size of each.
        /// Default: `G.1X`.
        /// Example: `G.2X`.
        ty as "type": Option<Spanned<String>>,
        /// At most so many; Glue takes as many as the job can use.
        /// Default: `10`, without `count`.
        /// Example: `20`.
        max: Option<Spanned<u32>>,
        /// Instead of `max`: so many, always.
        /// Default: none; then there are at most `max`.
        /// Example: `4`.
        count: Option<Spanned<u32>>,
    }
}

/// A length of time in whole minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Minutes(pub u32);

impl Decode for Minutes {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        quantity(node, &MINUTES, "60 minutes", decoder).map(|minutes| Self(u32::try_from(minutes).unwrap_or(u32::MAX)))
    }

    fn shape(_: &mut Language) -> Shape {
        Shape::quantity(&MINUTES)
    }
}

const MINUTES: [(&str, u64); 6] =
    [("minutes", 1), ("minute", 1), ("hours", 60), ("hour", 60), ("days", 1_440), ("day", 1_440)];

/// A Glue job.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The name.
    pub name: String,
    /// What runs.
    pub script: Script,
    /// Modules and packages, relative to the project.
    pub modules: Vec<PathBuf>,
    /// What it reads.
    pub reads: Vec<Id<Table>>,
    /// What it writes; at least one.
    pub writes: Vec<Id<Table>>,
    /// More arguments, in order.
    pub arguments: Vec<(String, String)>,
    /// The size of a worker.
    pub worker_type: String,
    /// How many workers, at least 2.
    pub workers: u32,
    /// Whether that is the most, and Glue takes as many as the job can use.
    pub auto_scaling: bool,
    /// After how many minutes it is stopped.
    pub timeout_minutes: u32,
    /// The version of Glue, like `5.1`.
    pub glue_version: String,
    /// Packages with their versions, as pip writes them.
    pub packages: Vec<String>,
    /// Settings of Spark, in order.
    pub spark: Vec<(String, String)>,
    /// Glue's own parameters, in order.
    pub parameters: Vec<(String, String)>,
    /// How often Glue tries again by itself.
    pub retries: u32,
    /// Whether it may wait for spare machines.
    pub flexible: bool,
    /// Whether Glue remembers what it has read.
    pub bookmarks: BookmarksSpec,
    /// How many runs there may be at once.
    pub concurrency: u32,
    /// After how many minutes a run is reported.
    pub notify_after_minutes: Option<u32>,
    /// The name from which those of the job and its role follow: the one that it had first.
    pub in_aws: String,
}

/// What a job runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Script {
    /// A script of the project.
    File(PathBuf),
    /// A script that is written from nodes.
    Visual(Graph),
}

impl Job {
    /// What a run gets as `--<name> <value>` wherever it runs, tables apart.
    #[must_use]
    pub fn settings(&self) -> Vec<(String, String)> {
        let bookmarks = match self.bookmarks {
            BookmarksSpec::Enabled => "job-bookmark-enable",
            BookmarksSpec::Paused => "job-bookmark-pause",
            BookmarksSpec::Disabled => "job-bookmark-disable",
        };
        let mut settings = vec![("job-bookmark-option".to_owned(), bookmarks.to_owned())];
        if !self.packages.is_empty() {
            settings.push(("additional-python-modules".to_owned(), self.packages.join(",")));
        }
        if !self.spark.is_empty() {
            // Source: "Using job parameters in AWS Glue jobs": further settings stand in the value of the first.
            let pairs: Vec<String> = self.spark.iter().map(|(key, value)| format!("{key}={value}")).collect();
            settings.push(("conf".to_owned(), pairs.join(" --conf ")));
        }
        settings.extend(self.parameters.iter().chain(&self.arguments).cloned());
        settings
    }
}

/// Worker types for Spark jobs. Source: the schema of `AWS::Glue::Job`; `Standard`, `Z.2X` (Ray) and `G.025X` (streaming)
/// are left out.
const WORKER_TYPES: [&str; 10] = ["G.1X", "G.2X", "G.4X", "G.8X", "G.12X", "G.16X", "R.1X", "R.2X", "R.4X", "R.8X"];

/// Versions with Python 3.11 or newer. Source: Glue's release notes.
const GLUE_VERSIONS: [&str; 3] = ["5.0", "5.1", "6.0"];

/// Arguments that Glue itself understands or refuses. Source: "Using job parameters in AWS Glue jobs".
const RESERVED_ARGUMENTS: [&str; 8] =
    ["JOB_NAME", "debug", "mode", "endpoint", "TempDir", "scriptLocation", "conf", "class"];

/// Parameters of Glue that a job may set. Source: "Using job parameters in AWS Glue jobs".
const PARAMETERS: [&str; 15] = [
    "auto-scale-within-microbatch",
    "continuous-log-conversionPattern",
    "continuous-log-logStreamPrefix",
    "customer-driver-env-vars",
    "customer-executor-env-vars",
    "datalake-formats",
    "disable-proxy-v2",
    "enable-continuous-log-filter",
    "enable-glue-datacatalog",
    "enable-job-insights",
    "enable-lakeformation-fine-grained-access",
    "executor-cores",
    "python-modules-installer-option",
    "use-postgres-driver",
    "user-jars-first",
];

/// Parameters of Glue that lakegen sets from what the blueprint says elsewhere, and where that is.
const DERIVED_PARAMETERS: [(&str, &str); 12] = [
    ("additional-python-modules", "list packages under `packages`"),
    ("conf", "write settings of Spark under `spark`"),
    ("custom-logGroup-prefix", "lakegen names the log groups"),
    ("enable-auto-scaling", "write `workers: { max: 10 }`, or `count` for a fixed number"),
    ("enable-metrics", "lakegen turns them on"),
    ("enable-observability-metrics", "lakegen turns them on"),
    ("enable-spark-ui", "lakegen turns it on"),
    ("extra-py-files", "list files and packages of the project under `modules`"),
    ("job-bookmark-option", "write `bookmarks: enabled`"),
    ("job-language", "a job is written in Python"),
    ("spark-event-logs-path", "lakegen turns them on"),
    ("TempDir", "lakegen gives every job a folder of its own"),
];

/// What has spare machines. Source: "Flexible execution" in "Configuring job properties for Spark jobs".
const FLEXIBLE_WORKER_TYPES: [&str; 2] = ["G.1X", "G.2X"];

/// What `datalake-formats` may name. Source: "Using data lake frameworks with AWS Glue ETL jobs".
const DATA_LAKE_FORMATS: [&str; 3] = ["delta", "hudi", "iceberg"];

impl JobSpec {
    /// Where it asks for a version of Glue that not every region has; without a version it has one.
    pub(crate) fn later_glue(&self, name: &Spanned<String>) -> Option<Span> {
        match &self.glue {
            Some(version) => (version.value.0 != GLUE_VERSIONS[0]).then_some(version.span),
            None => Some(name.span),
        }
    }

    /// Where it asks for workers that not every region has.
    pub(crate) fn large_workers(&self) -> Option<Span> {
        let ty = self.workers.as_ref()?.ty.as_ref()?;
        (WORKER_TYPES.contains(&ty.as_str()) && !FLEXIBLE_WORKER_TYPES.contains(&ty.as_str())).then_some(ty.span)
    }

    pub(crate) fn check(&self, name: &Spanned<String>, cx: &mut Check<'_>) -> Option<Job> {
        let script = self.script(name, cx);
        let modules: Vec<Option<PathBuf>> = self.modules.iter().map(|module| cx.module(module)).collect();
        if self.writes.is_empty() && self.nodes.0.is_empty() {
            cx.error(name.span, format!("the job `{}` writes nothing", name.value))
                .help("name its tables: `writes: [features]`; order and permissions follow from it");
        }
        let (reads, writes) = match &script {
            Some(Script::Visual(graph)) => (Some(graph.reads()), Some(graph.writes())),
            _ => (cx.tables(&self.reads), cx.tables(&self.writes)),
        };
        unique(&self.reads, cx);
        unique(&self.writes, cx);
        let sources = self.nodes.0.iter().filter_map(|(_, node)| match node {
            Some(NodeSpec::Source(table)) => Some(table),
            _ => None,
        });
        for table in self.reads.iter().chain(sources).chain(self.written()) {
            if RESERVED_ARGUMENTS.iter().any(|reserved| reserved.eq_ignore_ascii_case(table)) {
                cx.error(
                    table.span,
                    format!("a job gets this table as `--{0}`, and Glue keeps `--{0}` for itself", table.value),
                )
                .help("rename the table");
            }
        }
        let worker_type = self.workers.as_ref().and_then(|workers| workers.ty.as_ref());
        if let Some(ty) = worker_type
            && !WORKER_TYPES.contains(&ty.as_str())
        {
            let help =
                did_you_mean(ty, WORKER_TYPES).unwrap_or_else(|| format!("choose one of {}", listed(&WORKER_TYPES)));
            cx.error(ty.span, format!("no worker type named `{}`", ty.value)).help(help);
        }
        let max = self.workers.as_ref().and_then(|workers| workers.max.as_ref());
        let count = self.workers.as_ref().and_then(|workers| workers.count.as_ref());
        for number in max.into_iter().chain(count).filter(|number| !(2..=299).contains(&number.value)) {
            cx.error(number.span, "a job has 2 to 299 workers: one drives, the others work");
        }
        if let (Some(max), Some(count)) = (max, count) {
            cx.error(count.span, "a job has `max` workers or a `count` of them, not both")
                .help("`max` lets Glue take as many as the job can use")
                .related(max.span, "at most so many");
        }
        if let Some(timeout) = &self.timeout
            && !(1..10_080).contains(&timeout.value.0)
        {
            cx.error(timeout.span, "a job runs at least 1 minute and less than 7 days");
        }
        self.check_execution(worker_type, cx);
        if let Some(version) = &self.glue
            && !GLUE_VERSIONS.contains(&version.value.0.as_str())
        {
            cx.error(version.span, format!("Glue {} is not supported", version.value.0))
                .help(format!("choose one of {}", listed(&GLUE_VERSIONS)));
        }
        let arguments = self.arguments(cx);
        let packages = self.packages(cx);
        let spark = self.spark(cx);
        let parameters = self.parameters(cx);
        Some(Job {
            name: name.value.clone(),
            script: script?,
            modules: modules.into_iter().collect::<Option<_>>()?,
            reads: reads?,
            writes: writes?,
            arguments,
            worker_type: worker_type.map_or("G.1X", |ty| ty).to_owned(),
            workers: count.or(max).map_or(10, |number| number.value),
            auto_scaling: count.is_none(),
            timeout_minutes: self.timeout.as_ref().map_or(120, |timeout| timeout.value.0),
            glue_version: self.glue.as_ref().map_or("5.1", |version| &version.value.0).to_owned(),
            packages,
            spark,
            parameters,
            retries: self.retries.as_ref().map_or(0, |retries| retries.value),
            flexible: self.flexible.as_ref().is_some_and(|flexible| flexible.value),
            bookmarks: self.bookmarks.clone().unwrap_or(BookmarksSpec::Disabled),
            concurrency: self.concurrency.as_ref().map_or(1, |runs| runs.value),
            notify_after_minutes: self.notify_after.as_ref().map(|after| after.value.0),
            in_aws: self.was.as_ref().unwrap_or(name).value.clone(),
        })
    }

    /// The tables that it writes, as they are named.
    pub(crate) fn written(&self) -> impl Iterator<Item = &Spanned<String>> {
        let targets = self.nodes.0.iter().filter_map(|(_, node)| match node {
            Some(NodeSpec::Target(target)) => Some(&target.table),
            _ => None,
        });
        self.writes.iter().chain(targets)
    }

    fn script(&self, name: &Spanned<String>, cx: &mut Check<'_>) -> Option<Script> {
        let Self { script, nodes, modules, reads, writes, .. } = self;
        match (script, nodes.0.as_slice()) {
            (None, []) => {
                cx.error(name.span, format!("the job `{}` has no script", name.value))
                    .help("add `script: glue-jobs/name.py`, or `nodes:` for a visual job");
                None
            }
            (Some(script), []) => {
                let file = cx.file(script);
                if !script.ends_with(".py") {
                    cx.error(script.span, "a job's script is a Python file").help("its name ends with `.py`");
                }
                file.map(Script::File)
            }
            (script, [_, ..]) => {
                let more = script.iter().chain(modules).chain(reads).chain(writes);
                for written in more {
                    cx.error(written.span, "a visual job is its nodes: it has no script, and reads and writes by them")
                        .help("remove this, or the nodes");
                }
                visual::check(nodes, name, cx).map(Script::Visual)
            }
        }
    }

    fn check_execution(&self, worker_type: Option<&Spanned<String>>, cx: &mut Check<'_>) {
        if let Some(flexible) = self.flexible.as_ref().filter(|flexible| flexible.value)
            && let Some(ty) = worker_type
            && WORKER_TYPES.contains(&ty.as_str())
            && !FLEXIBLE_WORKER_TYPES.contains(&ty.as_str())
        {
            cx.error(ty.span, format!("Glue has no spare machines of the type `{}`", ty.value))
                .help(format!("choose one of {}", listed(&FLEXIBLE_WORKER_TYPES)))
                .related(flexible.span, "it shall wait for spare machines");
        }
        if let Some(retries) = &self.retries
            && retries.value > 10
        {
            cx.error(retries.span, "Glue tries again 10 times at most");
        }
        if let Some(runs) = &self.concurrency
            && !(1..=1_000).contains(&runs.value)
        {
            cx.error(runs.span, "a job has 1 to 1000 runs at once");
        }
        if let Some(after) = &self.notify_after {
            let timeout = self.timeout.as_ref().map_or(120, |timeout| timeout.value.0);
            if after.value.0 == 0 {
                cx.error(after.span, "a run is reported after 1 minute at the earliest");
            } else if after.value.0 >= timeout {
                cx.error(after.span, "a run is stopped before it would be reported")
                    .help(format!("`timeout` is {timeout} minutes: report it earlier"));
            }
        }
    }

    /// Packages whose version is open would be others tomorrow, and others here than in AWS.
    fn packages(&self, cx: &mut Check<'_>) -> Vec<String> {
        for package in &self.packages {
            let pinned = package.split_once("==").is_some_and(|(name, version)| {
                let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '!');
                let name = name.split_once('[').map_or(name, |(name, _)| name);
                !name.is_empty() && name.chars().all(plain) && !version.is_empty() && version.chars().all(plain)
            });
            if !pinned {
                cx.error(package.span, format!("`{}` is not a package with its version", package.value))
                    .help("write it like `holidays==0.57`");
            }
        }
        self.packages.iter().map(|package| package.value.clone()).collect()
    }

    fn spark(&self, cx: &mut Check<'_>) -> Vec<(String, String)> {
        let mut settings = Vec::new();
        for (key, value) in &self.spark.0 {
            if !key.starts_with("spark.") || key.contains(|c: char| c.is_whitespace() || c == '=') {
                cx.error(key.span, format!("`{}` is not a setting of Spark", key.value))
                    .help("they begin with `spark.`: `spark.sql.shuffle.partitions`");
            }
            if let Some(Scalar(value)) = value {
                if value.contains("--conf") {
                    cx.error(key.span, "a setting has one value").help("write each setting under a key of its own");
                }
                settings.push((key.value.clone(), value.clone()));
            }
        }
        settings
    }

    fn parameters(&self, cx: &mut Check<'_>) -> Vec<(String, String)> {
        let mut parameters = Vec::new();
        for (key, value) in &self.parameters.0 {
            let derived = DERIVED_PARAMETERS.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
            if let Some((name, instead)) = derived {
                cx.error(key.span, format!("lakegen sets `--{name}` itself")).help(*instead);
            } else if !PARAMETERS.contains(&key.as_str()) {
                let help = did_you_mean(key, PARAMETERS)
                    .unwrap_or_else(|| "arguments of your own belong under `arguments`".into());
                cx.error(key.span, format!("Glue has no job parameter `{}`", key.value)).help(help);
            }
            if let Some(Scalar(value)) = value {
                if key.value == "datalake-formats" {
                    data_lake_formats(value, key.span, cx);
                }
                parameters.push((key.value.clone(), value.clone()));
            }
        }
        parameters
    }

    fn arguments(&self, cx: &mut Check<'_>) -> Vec<(String, String)> {
        let mut arguments = Vec::new();
        for (key, value) in &self.arguments.0 {
            if cx.name(key, "an argument").is_none() {
                continue;
            }
            if RESERVED_ARGUMENTS.iter().any(|reserved| reserved.eq_ignore_ascii_case(key)) {
                cx.error(key.span, format!("Glue keeps the argument `{}` for itself", key.value)).help("rename it");
            }
            if self.reads.iter().chain(self.written()).any(|table| table.value == key.value) {
                cx.error(key.span, format!("the argument `{}` is taken by the table of that name", key.value))
                    .help("rename the argument");
            }
            if let Some(Scalar(value)) = value {
                arguments.push((key.value.clone(), value.clone()));
            }
        }
        arguments
    }
}

/// Notes formats that Glue does not bring along: a job with one of them ends before its script begins.
fn data_lake_formats(value: &str, place: Span, cx: &mut Check<'_>) {
    for format in value.split(',').map(str::trim).filter(|format| !DATA_LAKE_FORMATS.contains(format)) {
        let help = did_you_mean(format, DATA_LAKE_FORMATS)
            .unwrap_or_else(|| format!("name some of {}, with commas between them", listed(&DATA_LAKE_FORMATS)));
        cx.error(place, format!("Glue has no data lake format `{format}`")).help(help);
    }
}
