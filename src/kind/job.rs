//! A job: a PySpark script on Glue.

use std::path::PathBuf;

use crate::check::{Check, unique};
use crate::decode::{Decode, Decoder, Scalar, quantity, section};
use crate::diagnostic::{did_you_mean, listed};
use crate::lake::{Id, Table};
use crate::source::{Node, Spanned};

section! {
    /// A Glue job.
    "a job"
    pub struct JobSpec {
        /// The PySpark script.
        script: Spanned<String>,
        /// Modules and packages that the script imports; they are shipped with it.
        modules: Vec<Spanned<String>>,
        /// The tables that it reads; each comes as `--<table> <location>`.
        reads: Vec<Spanned<String>>,
        /// The tables that it writes; each comes as `--<table> <location>`.
        writes: Vec<Spanned<String>>,
        /// More arguments, each as `--<name> <value>`.
        arguments: crate::decode::Named<Scalar>,
        /// The machines.
        workers: Option<WorkersSpec>,
        /// After how long it is stopped.
        timeout: Option<Spanned<Minutes>>,
        /// The version of Glue.
        glue: Option<Spanned<Scalar>>,
    }
}

section! {
    /// The machines of a job.
    "workers"
    pub struct WorkersSpec {
        /// The size of each, like `G.1X`.
        ty as "type": Option<Spanned<String>>,
        /// At most so many; Glue takes as many as the job can use.
        max: Option<Spanned<u32>>,
    }
}

/// A length of time in whole minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Minutes(pub u32);

impl Decode for Minutes {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let units = [("minutes", 1), ("minute", 1), ("hours", 60), ("hour", 60), ("days", 1_440), ("day", 1_440)];
        quantity(node, &units, "60 minutes", decoder).map(|minutes| Self(u32::try_from(minutes).unwrap_or(u32::MAX)))
    }
}

/// A Glue job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The name.
    pub name: String,
    /// The script, relative to the project.
    pub script: PathBuf,
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
    /// At most so many workers, at least 2.
    pub max_workers: u32,
    /// After how many minutes it is stopped.
    pub timeout_minutes: u32,
    /// The version of Glue, like `5.1`.
    pub glue_version: String,
}

/// Worker types for Spark jobs. Source: the schema of `AWS::Glue::Job`; `Standard`, `Z.2X` (Ray) and `G.025X` (streaming)
/// are left out.
const WORKER_TYPES: [&str; 10] = ["G.1X", "G.2X", "G.4X", "G.8X", "G.12X", "G.16X", "R.1X", "R.2X", "R.4X", "R.8X"];

/// Versions with Python 3.11 or newer. Source: Glue's release notes.
const GLUE_VERSIONS: [&str; 3] = ["5.0", "5.1", "6.0"];

/// Arguments that Glue itself understands or refuses. Source: "Using job parameters in AWS Glue jobs".
const RESERVED_ARGUMENTS: [&str; 8] =
    ["JOB_NAME", "debug", "mode", "endpoint", "TempDir", "scriptLocation", "conf", "class"];

impl JobSpec {
    pub(crate) fn check(&self, name: &Spanned<String>, cx: &mut Check<'_>) -> Option<Job> {
        let script = cx.file(&self.script);
        if !self.script.ends_with(".py") {
            cx.error(self.script.span, "a job's script is a Python file").help("its name ends with `.py`");
        }
        let modules: Vec<Option<PathBuf>> = self.modules.iter().map(|module| cx.module(module)).collect();
        if self.writes.is_empty() {
            cx.error(name.span, format!("the job `{}` writes nothing", name.value))
                .help("name its tables: `writes: [features]`; order and permissions follow from it");
        }
        let (reads, writes) = (cx.tables(&self.reads), cx.tables(&self.writes));
        unique(&self.reads, cx);
        unique(&self.writes, cx);
        for table in self.reads.iter().chain(&self.writes) {
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
        if let Some(max) = max
            && !(2..=299).contains(&max.value)
        {
            cx.error(max.span, "a job has 2 to 299 workers: one drives, the others work");
        }
        if let Some(timeout) = &self.timeout
            && !(1..10_080).contains(&timeout.value.0)
        {
            cx.error(timeout.span, "a job runs at least 1 minute and less than 7 days");
        }
        if let Some(version) = &self.glue
            && !GLUE_VERSIONS.contains(&version.value.0.as_str())
        {
            cx.error(version.span, format!("Glue {} is not supported", version.value.0))
                .help(format!("choose one of {}", listed(&GLUE_VERSIONS)));
        }
        let arguments = self.arguments(cx);
        Some(Job {
            name: name.value.clone(),
            script: script?,
            modules: modules.into_iter().collect::<Option<_>>()?,
            reads: reads?,
            writes: writes?,
            arguments,
            worker_type: worker_type.map_or("G.1X", |ty| ty).to_owned(),
            max_workers: max.map_or(10, |max| max.value),
            timeout_minutes: self.timeout.as_ref().map_or(120, |timeout| timeout.value.0),
            glue_version: self.glue.as_ref().map_or("5.1", |version| &version.value.0).to_owned(),
        })
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
            if self.reads.iter().chain(&self.writes).any(|table| table.value == key.value) {
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
