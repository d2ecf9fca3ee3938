//! A pipeline: what starts which steps.

use crate::check::Check;
use crate::cron;
use crate::decode::{Decode, Decoder, alternatives, section};
use crate::lake::{Id, StepId, Table};
use crate::schema::{Language, Shape};
use crate::source::{Node, Spanned, Value};

section! {
    /// What starts which steps.
    "a pipeline"
    pub struct PipelineSpec by NAME {
        /// What starts it.
        /// Example: `{ upload: orders }`.
        start: Spanned<StartSpec>,
        /// `all`, or some steps; what depends on them follows.
        /// Default: `all`.
        /// Example: `[clean_orders]`.
        steps: Option<StepsSpec>,
        /// In AWS: how often a step that fails is tried again, 0 to 10. A step whose rules are broken is not.
        /// Default: `1`.
        /// Example: `3`.
        retries: Option<Spanned<u32>>,
        /// In AWS: how many of its steps run at a time.
        /// Default: all that can.
        /// Example: `2`.
        max_concurrent: Option<Spanned<u32>>,
    }
}

alternatives! {
    /// What starts a pipeline.
    "a start"
    pub enum StartSpec {
        /// A clock: `cron(…)` or `rate(…)`, in UTC.
        /// Example: `"cron(0 3 * * ? *)"`.
        Schedule(Spanned<String>) = "schedule",
        /// A file that arrives in this table.
        /// Example: `orders`.
        Upload(Spanned<String>) = "upload",
        /// Only a person.
        Manual = "manual",
    }
}

/// `all`, or a list of names.
#[derive(Debug, Clone, PartialEq)]
pub enum StepsSpec {
    /// Every step.
    All,
    /// These, and what depends on them.
    Some(Vec<Spanned<String>>),
}

impl Decode for StepsSpec {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        if node.value == Value::String("all".into()) {
            return Some(Self::All);
        }
        Vec::decode(node, decoder).map(Self::Some)
    }

    fn shape(language: &mut Language) -> Shape {
        Vec::<String>::shape(language)
    }
}

/// A pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    /// The name.
    pub name: String,
    /// What starts it.
    pub start: Start,
    /// The steps that it starts with, in the order of the lake.
    pub steps: Vec<StepId>,
    /// How often a step that fails is tried again, when the pipeline says so.
    pub retries: Option<u32>,
    /// How many of its steps run at a time, when not all that can.
    pub max_concurrent: Option<u32>,
}

/// How often a pipeline may try a step again: as often as Glue tries a job.
const MOST_RETRIES: u32 = 10;

/// What starts a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// EventBridge's `cron(…)` or `rate(…)`.
    Schedule(String),
    /// A file that arrives in this table.
    Upload(Id<Table>),
    /// Only a person.
    Manual,
}

impl PipelineSpec {
    /// `order` holds every step, in an order in which they can run.
    pub(crate) fn check(&self, name: &Spanned<String>, order: &[StepId], cx: &mut Check<'_>) -> Option<Pipeline> {
        let start = match &self.start.value {
            StartSpec::Manual => Some(Start::Manual),
            StartSpec::Schedule(written) => {
                if let Err(mistake) = cron::check(written) {
                    cx.error(written.span, mistake.message).help(mistake.help);
                }
                Some(Start::Schedule(written.value.clone()))
            }
            StartSpec::Upload(written) => {
                let id = cx.table(written);
                if let Some(id) = id {
                    cx.refuse_without_files(written, id, "an upload");
                    if let Some(writer) = cx.writers.get(&id) {
                        let (writer, span) = (cx.step_name(writer.0), writer.1);
                        let message = format!(
                            "`{}` is written by `{writer}`: a pipeline that it starts would start itself",
                            written.value
                        );
                        cx.error(written.span, message)
                            .help("name a table whose files arrive from outside")
                            .related(span, "written here");
                    }
                }
                id.map(Start::Upload)
            }
        };
        let steps = match &self.steps {
            None | Some(StepsSpec::All) => Some(order.to_vec()),
            Some(StepsSpec::Some(names)) => {
                let steps: Vec<Option<StepId>> = names.iter().map(|name| cx.step(name)).collect();
                steps.into_iter().collect::<Option<Vec<_>>>()
            }
        };
        if let Some(retries) = self.retries.as_ref().filter(|retries| retries.value > MOST_RETRIES) {
            cx.error(retries.span, format!("a step is tried again {MOST_RETRIES} times at most"));
        }
        if let Some(at_once) = self.max_concurrent.as_ref().filter(|at_once| at_once.value == 0) {
            cx.error(at_once.span, "a pipeline of which no step may run would never end").help("write 1 or more");
        }
        let number = |written: &Option<Spanned<u32>>| written.as_ref().map(|written| written.value);
        let (retries, max_concurrent) = (number(&self.retries), number(&self.max_concurrent));
        Some(Pipeline { name: name.value.clone(), start: start?, steps: steps?, retries, max_concurrent })
    }
}
