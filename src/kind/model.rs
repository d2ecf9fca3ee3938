//! A model: SageMaker training in script mode, a gate, and an endpoint.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::check::Check;
use crate::decode::{Named, Scalar, section};
use crate::diagnostic::Diagnostic;
use crate::kind::endpoint::{Endpoint, EndpointSpec};
use crate::kind::evaluation::EvaluationSpec;
use crate::kind::instance::{self, Work};
use crate::kind::job::Minutes;
use crate::kind::learning::{CutSpec, Learning, LearningSpec};
use crate::kind::overrides::OverridesSpec;
use crate::lake::{Id, Table};
use crate::source::Spanned;

section! {
    /// A model, trained by SageMaker's XGBoost container.
    "a model"
    pub struct ModelSpec by NAME {
        /// The folder with `train.py` and `inference.py`.
        /// Example: `sagemaker/rank`.
        source: Spanned<String>,
        /// What it learns from: a table for each channel.
        /// Example: `{ train: training_set, validation: validation_set }`.
        reads: Named<Spanned<String>>,
        /// The column with what it foretells: 1 where it came true. Every table that has it is about the past.
        /// Default: none.
        /// Example: `bought`.
        label: Option<Spanned<String>>,
        /// The columns that say whom and what a row is about. They are no features: those are the other columns of the channel
        /// `train`.
        /// Example: `[user_id, product_id]`.
        entities: Vec<Spanned<String>>,
        /// Where what is known ends and what is foretold begins.
        /// Default: none.
        /// Example: `{ after: [next_orders], column: order_number }`.
        cut: Option<Spanned<CutSpec>>,
        /// How it is scored on what it has never seen, by `lakegen evaluate`.
        /// Default: not at all.
        /// Example: `{ test: test_set, group: [user_id], item: product_id, targets: { table: bought }, metrics: ["ndcg@10"] }`.
        evaluate: Option<Spanned<EvaluationSpec>>,
        /// The machine that trains.
        /// Default: `ml.m5.xlarge`.
        /// Example: `ml.m5.2xlarge`.
        instance: Option<Spanned<String>>,
        /// Each comes to `train.py` as `--<name> <value>`.
        /// Example: `{ max_depth: 8, objective: "rank:ndcg" }`.
        hyperparameters: Named<Scalar>,
        /// What the metrics must be before a model is released.
        /// Example: `{ "validation:ndcg@10": { at_least: 0.4 } }`.
        accept: Named<GateSpec>,
        /// Where it answers.
        /// Default: none; nothing can ask it.
        /// Example: `{ serverless: { memory: 2 GB } }`.
        endpoint: Option<Spanned<EndpointSpec>>,
        /// After how long training is stopped.
        /// Default: `60 minutes`.
        /// Example: `3 hours`.
        timeout: Option<Spanned<Minutes>>,
        /// The name that it had before it was renamed, the first one if it was renamed often: its endpoint keeps that name and answers
        /// with the model that is live, and what was trained stays in the folder of that name.
        /// Default: none.
        /// Example: `buy_again`.
        was: Option<Spanned<String>>,
        /// Changes to the resources that are made of it; which there are, "The escape hatch" says.
        /// Example: `{ Role: { Properties: { MaxSessionDuration: 7200 } } }`.
        overrides as "override": OverridesSpec,
    }
}

section! {
    /// What one metric must be.
    "a gate"
    pub struct GateSpec {
        /// At least this number.
        /// Default: however little.
        /// Example: `0.4`.
        at_least: Option<f64>,
        /// At most this number.
        /// Default: however much.
        /// Example: `0.25`.
        at_most: Option<f64>,
        /// More than these other metrics.
        /// Example: `["baseline:ndcg@10"]`.
        above: Vec<Spanned<String>>,
        /// Less than these other metrics.
        /// Example: `["baseline:rmse"]`.
        below: Vec<Spanned<String>>,
    }
}

/// A model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The name.
    pub name: String,
    /// The folder with `train.py` and `inference.py`, relative to the project.
    pub source: PathBuf,
    /// Channel and table, in order.
    pub reads: Vec<(String, Id<Table>)>,
    /// What it learns, where the blueprint says so.
    pub learning: Option<Learning>,
    /// The machine that trains.
    pub instance: String,
    /// Names and values, in order.
    pub hyperparameters: Vec<(String, String)>,
    /// What must hold before a model is released.
    pub accept: Vec<Gate>,
    /// Where it answers; none when nothing asks it.
    pub endpoint: Option<Endpoint>,
    /// After how many minutes training is stopped.
    pub timeout_minutes: u32,
    /// The name from which those of its endpoint, its roles and its folder follow: the one that it had first.
    pub in_aws: String,
}

/// What one metric must be.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// The metric, as `train.py` reports it.
    pub metric: String,
    /// At least this.
    pub at_least: Option<f64>,
    /// At most this.
    pub at_most: Option<f64>,
    /// More than each of these metrics.
    pub above: Vec<String>,
    /// Less than each of these metrics.
    pub below: Vec<String>,
}

/// How many channels a training can have.
const MAX_CHANNELS: usize = 20;

/// How many hyperparameters a training can have: a hundred, of which two say where the script is.
const MAX_HYPERPARAMETERS: usize = 98;

/// How many metrics SageMaker looks for in what a script says.
const MAX_METRICS: usize = 40;

impl ModelSpec {
    /// Whether its endpoint is a serverless one.
    pub(crate) fn serverless(&self) -> bool {
        self.endpoint.as_ref().is_some_and(|endpoint| matches!(endpoint.value, EndpointSpec::Serverless(_)))
    }

    pub(crate) fn check(&self, name: &Spanned<String>, cx: &mut Check<'_>) -> Option<Model> {
        let source = cx.directory(&self.source);
        if source.is_some() {
            for file in ["train.py", "inference.py"] {
                cx.file_in(&self.source, file);
            }
        }
        if self.reads.0.is_empty() {
            cx.error(name.span, format!("the model `{}` learns from nothing", name.value))
                .help("name its channels: `reads: { train: training_table }`");
        }
        // Source: `InputDataConfig` of `CreateTrainingJob`.
        if let Some((channel, _)) = self.reads.0.get(MAX_CHANNELS) {
            cx.error(channel.span, format!("SageMaker takes {MAX_CHANNELS} channels, and this is one more"))
                .help("put what is learned from into fewer tables");
        }
        let reads: Vec<Option<(String, Id<Table>)>> = self
            .reads
            .0
            .iter()
            .map(|(channel, table)| {
                let named = cx.name(channel, "a channel");
                let table = table.as_ref()?;
                let id = cx.table(table)?;
                cx.refuse_without_files(table, id, "a model");
                named.map(|()| (channel.value.clone(), id))
            })
            .collect();
        let learning = LearningSpec { name, spec: self }.check(&reads, cx);
        let instance = match &self.instance {
            Some(written) => instance::check(written, Work::Training, cx),
            None => Some("ml.m5.xlarge".to_owned()),
        };
        if let Some(timeout) = &self.timeout
            && !(1..=40_320).contains(&timeout.value.0)
        {
            cx.error(timeout.span, "training runs 1 minute to 28 days");
        }
        let hyperparameters = self.hyperparameters(cx);
        let accept = self.gates(cx);
        let endpoint = self.endpoint.as_ref().map(|endpoint| endpoint.check(cx));
        Some(Model {
            name: name.value.clone(),
            source: source?,
            reads: reads.into_iter().collect::<Option<_>>()?,
            learning: learning?,
            instance: instance?,
            hyperparameters,
            accept,
            endpoint,
            timeout_minutes: self.timeout.as_ref().map_or(60, |timeout| timeout.value.0),
            in_aws: self.was.as_ref().unwrap_or(name).value.clone(),
        })
    }

    fn hyperparameters(&self, cx: &mut Check<'_>) -> Vec<(String, String)> {
        // Source: `HyperParameters` of `CreateTrainingJob`.
        if let Some((key, _)) = self.hyperparameters.0.get(MAX_HYPERPARAMETERS) {
            cx.error(key.span, format!("there are more than {MAX_HYPERPARAMETERS} hyperparameters, from here on"))
                .help("SageMaker takes 100, and two of them say where the script is: put the others into a file beside it");
        }
        let mut out = Vec::new();
        for (key, value) in &self.hyperparameters.0 {
            if key.starts_with("sagemaker_") {
                cx.error(key.span, "hyperparameters that begin with `sagemaker_` belong to SageMaker")
                    .help("rename it");
            }
            if cx.name(key, "a hyperparameter").is_some()
                && let Some(Scalar(value)) = value
            {
                // Source: `HyperParameterValue` of the SageMaker API reference.
                if value.chars().count() > 2_500 {
                    cx.error(key.span, "SageMaker takes values of at most 2,500 characters")
                        .help("put what is longer into a file beside the training script");
                }
                out.push((key.value.clone(), value.clone()));
            }
        }
        out
    }

    fn gates(&self, cx: &mut Check<'_>) -> Vec<Gate> {
        let mut gates = Vec::new();
        let mut metrics = BTreeSet::new();
        for (metric, gate) in &self.accept.0 {
            metric_name(metric, cx);
            let Some(gate) = gate else { continue };
            for other in gate.above.iter().chain(&gate.below) {
                metric_name(other, cx);
                if other.value == metric.value {
                    cx.error(other.span, format!("`{}` is compared with itself", other.value));
                }
            }
            // Source: `MetricDefinitions` of `CreateTrainingJob`.
            let before = metrics.len();
            metrics.extend([metric].into_iter().chain(&gate.above).chain(&gate.below).map(|name| name.as_str()));
            if before <= MAX_METRICS && metrics.len() > MAX_METRICS {
                cx.error(metric.span, format!("SageMaker keeps {MAX_METRICS} metrics, and here they become more"))
                    .help("ask for fewer");
            }
            if let (Some(least), Some(most)) = (gate.at_least, gate.at_most)
                && least > most
            {
                cx.error(metric.span, format!("no number is at least {least} and at most {most}"));
            }
            if gate.at_least.is_none() && gate.at_most.is_none() && gate.above.is_empty() && gate.below.is_empty() {
                cx.error(metric.span, format!("nothing is asked of `{}`", metric.value))
                    .help("add `at_least`, `at_most`, `above` or `below`");
            }
            let names = |written: &[Spanned<String>]| written.iter().map(|name| name.value.clone()).collect();
            gates.push(Gate {
                metric: metric.value.clone(),
                at_least: gate.at_least,
                at_most: gate.at_most,
                above: names(&gate.above),
                below: names(&gate.below),
            });
        }
        gates
    }
}

/// A metric's name goes into a regular expression and into CloudWatch.
fn metric_name(name: &Spanned<String>, cx: &mut Check<'_>) {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '@' | '_' | '-' | '.');
    if name.is_empty() || name.len() > 255 || !name.chars().all(plain) {
        cx.push(
            Diagnostic::error(name.span, format!("`{}` is not the name of a metric", name.value))
                .help("letters, digits and `:@_-.`, like `validation:ndcg@10`"),
        );
    }
}
