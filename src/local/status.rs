//! How the local environment is, without changing it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::files::FileError;
use super::layout::Layout;
use super::ledger::Ledger;
use super::serve::Running;
use crate::lake::Lake;

/// How the local environment is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// The lake.
    pub lake: String,
    /// Its steps, in an order in which they can run.
    pub steps: Vec<StepStatus>,
    /// The models that are released.
    pub models: Vec<ModelStatus>,
    /// Where `lakegen serve` answers, if it runs.
    pub api: Option<String>,
}

/// How a step is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepStatus {
    /// `job`, `query`, ….
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Whether it has ever succeeded.
    pub state: StepState,
    /// Rows of each table that it wrote, or looked at.
    pub rows: BTreeMap<String, u64>,
    /// How long it took.
    pub seconds: Option<f64>,
}

/// Whether a step has ever succeeded. Whether it is up to date, only a run finds out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// It has.
    Succeeded,
    /// It has not.
    Never,
}

impl StepState {
    /// As a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Never => "never ran",
        }
    }
}

/// A model that is released.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelStatus {
    /// Its name.
    pub name: String,
    /// What its training reported.
    pub metrics: BTreeMap<String, f64>,
}

/// Looks at the ledger.
///
/// # Errors
/// It cannot be read.
pub async fn of(lake: &Lake) -> Result<Status, FileError> {
    let layout = Layout::new(&lake.root);
    // A run sets a damaged ledger aside and says so; until then nothing is known to have run.
    let ledger = Ledger::read(&layout.ledger())?.unwrap_or_default();
    let steps = lake.steps.iter().map(|step| {
        let (kind, name) = (step.id.kind(), lake.step_name(step.id));
        let record = ledger.steps.get(&format!("{kind}/{name}"));
        StepStatus {
            kind,
            name: name.to_owned(),
            state: if record.is_some() { StepState::Succeeded } else { StepState::Never },
            rows: record.map(|record| record.rows.clone()).unwrap_or_default(),
            seconds: record.map(|record| record.seconds),
        }
    });
    let released = |name: &str| ledger.releases.get(name).map(|release| release.training.metrics.clone());
    let models = lake
        .models
        .values()
        .filter_map(|model| Some(ModelStatus { name: model.name.clone(), metrics: released(&model.name)? }));
    Ok(Status {
        lake: lake.name.clone(),
        steps: steps.collect(),
        models: models.collect(),
        api: Running::find(layout.base()).await.map(|running| format!("http://{}", running.address())),
    })
}
