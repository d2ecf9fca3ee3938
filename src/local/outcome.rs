//! What a run tells while it goes on, and what came of it.
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::gate::Verdict;
use super::python::Setup;

/// Something worth telling.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The Python environment is being created.
    Setup(Setup),
    /// Sample data is being generated, this part of it is done.
    Sampling {
        /// Customers.
        users: u32,
        /// From 0 to 1.
        part: f64,
    },
    /// Where the raw tables come from.
    Data(String),
    /// The files of a raw table are in its bucket.
    Landed {
        /// The table.
        table: String,
        /// Rows, where they were counted.
        rows: Option<u64>,
        /// Size of its files.
        bytes: u64,
        /// They were there before.
        unchanged: bool,
    },
    /// Something that is allowed and seldom meant.
    Note(String),
    /// A step has been started.
    Started {
        /// `job features`.
        step: String,
    },
    /// A step tells how far it is.
    Progress {
        /// `job features`.
        step: String,
        /// In its own words.
        message: String,
    },
    /// A step is over, or will not be started.
    Finished(StepReport),
}

/// Takes what a run tells.
pub trait Reporter: Sync {
    /// One thing, as it happens.
    fn event(&self, event: Event);
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepReport {
    /// `job`, `query`, ….
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What became of it.
    pub state: StepState,
    /// Rows of each table that it wrote, or, for a crawler, looked at.
    pub rows: BTreeMap<String, u64>,
    /// How long it took; when it is unchanged, how long it took last time.
    pub seconds: f64,
    /// The most memory that the processes it ran in took meanwhile, in bytes, what earlier steps left there included; where that is
    /// known, which is on Linux.
    pub peak_memory: Option<u64>,
    /// What it has to remark.
    pub notes: Vec<String>,
}

impl StepReport {
    /// `job features`.
    pub fn label(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// It ran, and what it writes is in place.
    Done,
    /// Nothing that it depends on has changed since it ran.
    Unchanged,
    /// It ran, or is unchanged, and its model did not pass the gate.
    Refused,
    /// It failed; what it wrote before is still in place.
    Failed(Box<StepFailure>),
    /// It was not started, because this step failed.
    NotRun(String),
}

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepFailure {
    /// The first cause.
    pub message: String,
    /// The user's file, relative to the project where it lies in it.
    pub file: Option<String>,
    /// The line in it, from 1.
    pub line: Option<u32>,
    /// What that line says.
    pub code: Option<String>,
    /// What the user can do about it.
    pub help: Option<String>,
    /// What the step printed.
    pub log: Option<PathBuf>,
}

/// A model after its training.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelReport {
    /// Its name.
    pub name: String,
    /// As its training reported them.
    pub metrics: BTreeMap<String, f64>,
    /// The `evaluation.json` of its training.
    pub evaluation: Option<Value>,
    /// What its gate said.
    #[serde(serialize_with = "verdict")]
    pub verdict: Verdict,
    /// A refused model left an earlier one in place.
    pub earlier_release: bool,
}

fn verdict<S: Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
    let findings: Vec<Value> = verdict
        .findings
        .iter()
        .map(|finding| serde_json::json!({ "finding": finding.to_string(), "met": finding.met }))
        .collect();
    serde_json::json!({ "passed": verdict.passed(), "findings": findings }).serialize(serializer)
}

/// An answer of the lake's API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExampleAnswer {
    /// `GET /users/42/buy-again`.
    pub request: String,
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Value,
    /// What went wrong behind the gateway, which keeps it to itself.
    #[serde(default)]
    pub problem: Option<String>,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// Every step that the run was about.
    pub steps: Vec<StepReport>,
    /// Every model among them.
    pub models: Vec<ModelReport>,
    /// What the lake answers now.
    pub examples: Vec<ExampleAnswer>,
    /// How long all of it took.
    pub seconds: f64,
    /// The most memory that all processes took at a time, in bytes, where that is known.
    pub peak_memory: Option<u64>,
}

impl Outcome {
    /// Whether every step is up to date, every model released, and the API answers.
    pub fn succeeded(&self) -> bool {
        self.steps_succeeded() && self.answers()
    }

    /// Whether every step is up to date and every model released.
    pub fn steps_succeeded(&self) -> bool {
        self.steps.iter().all(|step| matches!(step.state, StepState::Done | StepState::Unchanged))
    }

    /// Whether the API has an answer to every example.
    pub fn answers(&self) -> bool {
        self.examples.iter().all(|example| example.status < 500)
    }
}
