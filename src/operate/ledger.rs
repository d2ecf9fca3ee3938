//! Reading the ledger of runs. `docs/ledger.md` says what is in it.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Deployed, Error};
use crate::deploy::Session;
use crate::deploy::error::{AwsError, told};

/// One pass over some steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its id; ids sort by time.
    pub run: String,
    /// The pipeline that it is a run of.
    #[serde(default)]
    pub pipeline: Option<String>,
    /// Why it was started: `schedule`, `upload`, `call`.
    #[serde(default)]
    pub cause: Option<String>,
    /// How it stands.
    pub state: RunState,
    /// When it was asked for.
    #[serde(default)]
    pub asked: Option<String>,
    /// When it began.
    #[serde(default)]
    pub started: Option<String>,
    /// When it ended.
    #[serde(default)]
    pub ended: Option<String>,
    /// The first failure.
    #[serde(default)]
    pub message: Option<String>,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunState {
    /// Another run must end first.
    Waiting,
    /// Under way.
    Running,
    /// What runs is being stopped.
    Cancelling,
    /// Every step has succeeded.
    Succeeded,
    /// A step has failed.
    Failed,
    /// It was stopped.
    Cancelled,
}

impl RunState {
    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_over(self) -> bool {
        match self {
            Self::Waiting | Self::Running | Self::Cancelling => false,
            Self::Succeeded | Self::Failed | Self::Cancelled => true,
        }
    }
}

/// A step in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRun {
    /// Its name.
    pub step: String,
    /// `crawler`, `recipe`, `query`, `job` or `model`.
    pub kind: String,
    /// How it stands.
    pub state: StepState,
    /// The run.
    pub run: String,
    /// From 1.
    #[serde(default)]
    pub attempt: Option<u32>,
    /// What its service calls this attempt.
    #[serde(default)]
    pub execution: Option<String>,
    /// When this attempt began.
    #[serde(default)]
    pub started: Option<String>,
    /// When it ended.
    #[serde(default)]
    pub ended: Option<String>,
    /// What the service says about a failure, or which rules do not hold where that only warns.
    #[serde(default)]
    pub message: Option<String>,
    /// Whether it has failed for good: rules of what it wrote do not hold.
    #[serde(default)]
    pub broken: bool,
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StepState {
    /// The service is being asked.
    Starting,
    /// Under way.
    Running,
    /// Done.
    Succeeded,
    /// Failed.
    Failed,
    /// Stopped by a person.
    Stopped,
    /// Something before it failed.
    Skipped,
}

/// The last release of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// The model, by the name that it had first.
    pub model: String,
    /// How it stands.
    pub state: ReleaseState,
    /// The training job.
    #[serde(default)]
    pub training: Option<String>,
    /// The run in which it was trained.
    #[serde(default)]
    pub run: Option<String>,
    /// Where the model is.
    #[serde(default)]
    pub data: Option<String>,
    /// What the training reported.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
    /// The gates that did not hold.
    #[serde(default)]
    pub refusals: Vec<String>,
    /// When it began.
    #[serde(default)]
    pub started: Option<String>,
    /// When it ended.
    #[serde(default)]
    pub ended: Option<String>,
    /// Why it failed.
    #[serde(default)]
    pub message: Option<String>,
    /// The model that answers, whatever became of the last release; absent in the item of a single training.
    #[serde(default)]
    pub live: Option<Live>,
}

/// The model that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// The training job that made it.
    pub training: String,
    /// Where it is.
    #[serde(default)]
    pub data: Option<String>,
    /// Since when it has been live.
    #[serde(default)]
    pub since: Option<String>,
}

/// How a release stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReleaseState {
    /// The endpoint is being changed.
    Updating,
    /// The model is live.
    Released,
    /// It did not pass its gate.
    Refused,
    /// CloudFormation said no, and rolled back.
    Failed,
}

/// The ledger of a deployed lake.
#[derive(Debug, Clone)]
pub struct Ledger {
    client: Client,
    table: String,
}

impl Ledger {
    /// Finds the table.
    ///
    /// # Errors
    /// What is deployed has none.
    pub fn of(session: &Session, deployed: &Deployed) -> Result<Self, Error> {
        let table = deployed.require("RunLedger", "ledger of runs")?.to_owned();
        Ok(Self { client: Client::new(&session.config), table })
    }

    /// The last attempt of every step.
    ///
    /// # Errors
    /// AWS does not answer, or the ledger holds something else than it should.
    pub async fn last_steps(&self) -> Result<Vec<StepRun>, AwsError> {
        self.query("LAST", None, true).await
    }

    /// The last release of every model.
    ///
    /// # Errors
    /// As above.
    pub async fn releases(&self) -> Result<Vec<Release>, AwsError> {
        self.query("RELEASES", None, true).await
    }

    /// The last runs, the newest first.
    ///
    /// # Errors
    /// As above.
    pub async fn runs(&self, limit: i32) -> Result<Vec<Run>, AwsError> {
        self.query("RUNS", Some(limit), false).await
    }

    /// The steps of a run that have begun.
    ///
    /// # Errors
    /// As above.
    pub async fn steps(&self, run: &str) -> Result<Vec<StepRun>, AwsError> {
        self.query(&format!("RUN#{run}"), None, true).await
    }

    /// A run, if there is one of that id.
    ///
    /// # Errors
    /// As above.
    pub async fn run(&self, run: &str) -> Result<Option<Run>, AwsError> {
        let key = |text: &str| AttributeValue::S(text.to_owned());
        let call = self.client.get_item().table_name(&self.table).key("pk", key("RUNS")).key("sk", key(run));
        let answer = call.consistent_read(true).send().await;
        let answer = answer.map_err(|error| told("dynamodb:GetItem", error))?;
        answer.item.map(|item| read(item, "dynamodb:GetItem")).transpose()
    }

    /// The items of a partition: all of them, or the first `limit`.
    async fn query<T: DeserializeOwned>(
        &self,
        partition: &str,
        limit: Option<i32>,
        ascending: bool,
    ) -> Result<Vec<T>, AwsError> {
        const OPERATION: &str = "dynamodb:Query";
        let call = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(partition.to_owned()))
            .scan_index_forward(ascending)
            .consistent_read(true)
            .set_limit(limit);
        let mut items = Vec::new();
        let mut pages = call.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| told(OPERATION, error))?;
            for item in page.items.unwrap_or_default() {
                items.push(read(item, OPERATION)?);
            }
            if limit.is_some() {
                break;
            }
        }
        Ok(items)
    }
}

fn read<T: DeserializeOwned>(
    item: std::collections::HashMap<String, AttributeValue>,
    operation: &'static str,
) -> Result<T, AwsError> {
    let object: Map<String, Value> = item.into_iter().map(|(name, value)| (name, json(value))).collect();
    serde_json::from_value(Value::Object(object)).map_err(|_| AwsError::malformed(operation))
}

/// What DynamoDB keeps, as JSON; a set is a list.
fn json(value: AttributeValue) -> Value {
    match value {
        AttributeValue::Bool(value) => value.into(),
        AttributeValue::S(text) => text.into(),
        AttributeValue::N(number) => number.parse().map_or(Value::Null, Value::Number),
        AttributeValue::Ss(texts) => texts.into(),
        AttributeValue::L(items) => items.into_iter().map(json).collect(),
        AttributeValue::M(map) => map.into_iter().map(|(name, value)| (name, json(value))).collect(),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_read_with_what_it_has() {
        let s = |text: &str| AttributeValue::S(text.to_owned());
        let n = |text: &str| AttributeValue::N(text.to_owned());
        let item = [("pk", s("LAST")), ("sk", s("raw")), ("step", s("raw")), ("kind", s("crawler")), ("run", s("r"))];
        let rest =
            [("state", s("FAILED")), ("attempt", n("2")), ("message", s("no files")), ("expires", n("1800000000"))];
        let item = item.into_iter().chain(rest).map(|(name, value)| (name.to_owned(), value)).collect();
        let step: StepRun = read(item, "dynamodb:Query").unwrap();
        assert_eq!((step.state, step.attempt, step.message.as_deref()), (StepState::Failed, Some(2), Some("no files")));

        let metrics = AttributeValue::M([("auc".to_owned(), n("0.875"))].into());
        let item = [("model", s("rank")), ("state", s("RELEASED")), ("metrics", metrics)];
        let named = |(name, value): (&str, AttributeValue)| (name.to_owned(), value);
        let release: Release = read(item.map(named).into(), "dynamodb:Query").unwrap();
        assert_eq!((release.metrics["auc"], release.live), (0.875, None));

        let live =
            AttributeValue::M([("training", s("t-1")), ("since", s("2026-11-25T03:00:00.000Z"))].map(named).into());
        let item = [("model", s("rank")), ("state", s("REFUSED")), ("training", s("t-2")), ("live", live)];
        let release: Release = read(item.map(named).into(), "dynamodb:Query").unwrap();
        assert_eq!(release.live.map(|live| live.training).as_deref(), Some("t-1"));

        let strange = [("run".to_owned(), s("r")), ("state".to_owned(), s("SLEEPING"))].into();
        assert!(read::<Run>(strange, "dynamodb:GetItem").is_err());
    }
}
