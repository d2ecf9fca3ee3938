//! An evaluation as a page that needs nothing else.

use handlebars::Handlebars;
use serde_json::{Value, json};

use super::table::{interval, unique};
use super::{Evaluated, Found, Score, plot};
use crate::text::thousands;

/// The page.
///
/// # Errors
/// Never for evaluations: only a template with a mistake could fail.
pub fn report(lake: &str, environment: &str, evaluated: &[Evaluated]) -> Result<String, handlebars::RenderError> {
    let data = json!({
        "lake": lake,
        "environment": environment,
        "models": evaluated.iter().map(model).collect::<Vec<_>>(),
    });
    Handlebars::new().render_template(include_str!("report.html.hbs"), &data)
}

fn model(evaluated: &Evaluated) -> Value {
    let Evaluated { model, released, test, found } = evaluated;
    let Found {
        groups,
        users,
        candidates,
        targets,
        outside: _,
        scores,
        against,
        history,
        calibration,
        importance,
        sets,
        leaks: _,
    } = found;
    let deciding = against.first().map(|one| one.metric.as_str()).or(scores.first().map(|one| one.metric.as_str()));
    let plotted: Vec<&Score> =
        scores.iter().filter(|score| score.part == "all" && Some(score.metric.as_str()) == deciding).collect();
    let parts = unique(scores.iter().map(|score| score.part.as_str()));
    json!({
        "name": model,
        "released": released,
        "test": test,
        "counts": { "groups": thousands(*groups), "users": thousands(*users), "candidates": thousands(*candidates), "targets": thousands(*targets) },
        "objections": evaluated.objections(),
        "against": against.iter().map(|one| json!({
            "baseline": one.baseline, "metric": one.metric, "by": interval(one.value, one.low, one.high),
        })).collect::<Vec<_>>(),
        "deciding": deciding,
        "rankings": deciding.map(|metric| plot::rankings(&plotted, metric)),
        "parts": parts.into_iter().map(|part| table(part, scores)).collect::<Vec<_>>(),
        "history": (!history.is_empty()).then(|| plot::history(history)),
        "calibration": calibration.as_ref().map(|calibration| json!({
            "plot": plot::calibration(calibration), "error": format!("{:.4}", calibration.error),
        })),
        "importance": (!importance.is_empty()).then(|| plot::importance(importance)),
        "sets": sets.as_ref().map(|sets| json!({
            "size": format!("{:.1}", sets.mean_size),
            "none": format!("{:.1} %", sets.none * 100.0),
            "none_true": format!("{:.1} %", sets.none_true * 100.0),
            "expected": format!("{:.4}", sets.expected),
        })),
    })
}

fn table(part: &str, scores: &[Score]) -> Value {
    let scores: Vec<&Score> = scores.iter().filter(|score| score.part == part).collect();
    let metrics = unique(scores.iter().map(|score| score.metric.as_str()));
    let rankings = unique(scores.iter().map(|score| score.ranking.as_str()));
    let row = |ranking: &&str| {
        let cells = metrics.iter().map(|metric| {
            let score = scores.iter().find(|score| score.ranking == *ranking && score.metric == *metric);
            let number = |value: Option<f64>| value.map(|value| format!("{value:.4}"));
            json!({
                "value": score.map(|score| number(score.value).unwrap_or_else(|| "–".to_owned())),
                "between": score.and_then(|score| Some(format!("{}–{}", number(score.low)?, number(score.high)?))),
            })
        });
        json!({ "ranking": ranking, "cells": cells.collect::<Vec<_>>() })
    };
    json!({ "part": part, "metrics": metrics, "rows": rankings.iter().map(row).collect::<Vec<_>>() })
}
