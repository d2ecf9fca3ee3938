//! What a worker is asked to do to score a model: its artifact, and the tables that its evaluation names.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::lake::{Baseline, Cut, Evaluation, Id, Lake, Learning, Model, Table};

/// How often users are drawn again for the intervals.
const RESAMPLES: u32 = 1000;
/// The same draws in each evaluation of the same data.
const SEED: u32 = 2017;
/// The channel that must share no group with the test table.
const TRAIN: &str = "train";

/// The tables that an evaluation reads, each once.
#[must_use]
pub fn tables(model: &Model, evaluation: &Evaluation) -> Vec<Id<Table>> {
    let baselines = evaluation.baselines.iter().filter_map(|baseline| baseline.table);
    let train = model.reads.iter().find(|(channel, _)| channel == TRAIN).map(|(_, table)| *table);
    let mut tables: Vec<_> = [evaluation.test, evaluation.targets].into_iter().chain(train).chain(baselines).collect();
    tables.sort_unstable();
    tables.dedup();
    tables
}

/// The request. `source` gives a table as the engines are told about it.
#[must_use]
pub fn request(
    lake: &Lake,
    model: &Model,
    learning: &Learning,
    evaluation: &Evaluation,
    artifact: &Path,
    source: &dyn Fn(&Table, Id<Table>) -> Option<Value>,
) -> Map<String, Value> {
    let Learning { label, entities: _, features, cut, evaluation: _ } = learning;
    let Evaluation { test, group, item, targets, repeat, only, filter, metrics, baselines, history } = evaluation;
    let table = |id: Id<Table>| source(&lake.tables[id], id);
    let train = model.reads.iter().find(|(channel, _)| channel == TRAIN).and_then(|(_, id)| table(*id));
    let cut = cut.as_ref().and_then(|Cut { after: _, column, before, through: _, known: _ }| {
        Some(json!({ "column": column.as_ref()?, "before": before.as_ref()? }))
    });
    let baseline = |Baseline { name, score, table: other, by }: &Baseline| json!({ "name": name, "score": score, "table": other.and_then(table), "by": by });
    let filter: Map<String, Value> = filter.iter().map(|(column, value)| (column.clone(), json!(value))).collect();
    let request = json!({
        "artifact": artifact,
        "features": features,
        "label": label,
        "test": table(*test),
        "targets": table(*targets),
        "train": train,
        "group": group,
        "item": item,
        "repeat": repeat,
        "only": only.map(|part| part.word()),
        "where": filter,
        "cut": cut,
        "metrics": metrics.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "baselines": baselines.iter().map(baseline).collect::<Vec<_>>(),
        "history": history,
        "resamples": RESAMPLES,
        "seed": SEED,
    });
    match request {
        Value::Object(request) => request,
        _ => Map::new(),
    }
}
