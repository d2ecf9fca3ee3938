//! An evaluation as text.

use std::fmt::Write as _;

use super::{Against, Bucket, Evaluated, Found, MODEL, Score};
use crate::text::thousands;

/// The evaluation for a terminal.
#[must_use]
pub fn text(evaluated: &Evaluated) -> String {
    let Evaluated { model, released, test, found } = evaluated;
    let Found {
        groups,
        users,
        candidates,
        targets,
        outside,
        scores,
        against,
        history,
        calibration,
        importance,
        sets,
        leaks,
    } = found;
    let mut out = String::new();
    let state = if *released { "" } else { " (not released)" };
    let _ = writeln!(
        out,
        "{model}{state} on `{test}`: {} of {}, {}, {}",
        count(*groups, "group"),
        count(*users, "user"),
        count(*candidates, "candidate"),
        count(*targets, "target"),
    );
    if *outside > 0 {
        let _ = writeln!(out, "{} of groups without targets did not count", count(*outside, "row"));
    }
    for part in parts(scores) {
        let of_part: Vec<&Score> = scores.iter().filter(|score| score.part == part).collect();
        let metrics = unique(of_part.iter().map(|score| score.metric.as_str()));
        let rankings = unique(of_part.iter().map(|score| score.ranking.as_str()));
        let mut rows = vec![std::iter::once(part.to_owned()).chain(metrics.iter().map(|m| (*m).to_owned())).collect()];
        for ranking in rankings {
            let cell = |metric: &&str| {
                let score = of_part.iter().find(|score| score.ranking == ranking && score.metric == **metric);
                score.map(|score| interval(score.value, score.low, score.high)).unwrap_or_default()
            };
            rows.push(std::iter::once(ranking.to_owned()).chain(metrics.iter().map(cell)).collect());
        }
        let _ = write!(out, "\n{}", aligned(&rows));
    }
    if !history.is_empty() {
        let _ = write!(out, "\n{}", aligned(&by_history(history)));
    }
    if let Some(sets) = sets {
        let _ = writeln!(
            out,
            "\nsets of {:.1} on average, None in {:.1} % of them (true in {:.1} %), expected F1 {:.4}",
            sets.mean_size,
            sets.none * 100.0,
            sets.none_true * 100.0,
            sets.expected
        );
    }
    if let Some(calibration) = calibration {
        let _ = writeln!(out, "\nprobabilities are off by {:.4} on average", calibration.error);
    }
    if !importance.is_empty() {
        let best = importance.iter().take(5).map(|one| format!("{} {:.0} %", one.feature, one.share * 100.0));
        let _ = writeln!(out, "most gain: {}", best.collect::<Vec<_>>().join(", "));
    }
    out.push('\n');
    for Against { baseline, metric, value, low, high } in against {
        let _ = writeln!(out, "{metric} above {baseline} by {}", interval(*value, *low, *high));
    }
    for leak in leaks {
        let _ = writeln!(out, "leak: {leak}");
    }
    out
}

fn count(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", thousands(number), if number == 1 { "" } else { "s" })
}

fn parts(scores: &[Score]) -> Vec<&str> {
    unique(scores.iter().map(|score| score.part.as_str()))
}

/// Each once, in the order of the first.
pub(super) fn unique<'a>(items: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut out: Vec<&str> = Vec::new();
    for item in items {
        if !out.contains(&item) {
            out.push(item);
        }
    }
    out
}

/// `0.4120 (0.4010–0.4230)`
pub(super) fn interval(value: Option<f64>, low: Option<f64>, high: Option<f64>) -> String {
    match (value, low, high) {
        (Some(value), Some(low), Some(high)) => format!("{value:.4} ({low:.4}–{high:.4})"),
        (Some(value), _, _) => format!("{value:.4}"),
        _ => "–".to_owned(),
    }
}

/// `4–7`, or `4` alone.
pub(super) fn span(bucket: &Bucket) -> String {
    let number = |value: f64| if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") };
    if bucket.from < bucket.to {
        format!("{}–{}", number(bucket.from), number(bucket.to))
    } else {
        number(bucket.from)
    }
}

fn by_history(history: &[Bucket]) -> Vec<Vec<String>> {
    let metric = history.first().map_or("", |bucket| bucket.metric.as_str());
    let mut rows = vec![std::iter::once(format!("{metric} by history")).chain(history.iter().map(span)).collect()];
    let groups = history.iter().map(|bucket| count(bucket.groups, "group"));
    rows.push(std::iter::once(String::new()).chain(groups).collect());
    let rankings = unique(history.iter().flat_map(|bucket| &bucket.scores).map(|score| score.ranking.as_str()));
    for ranking in rankings {
        let cell = |bucket: &Bucket| {
            let score = bucket.scores.iter().find(|score| score.ranking == ranking);
            score.map_or_else(String::new, |score| {
                if ranking == MODEL {
                    interval(score.value, score.low, score.high)
                } else {
                    interval(score.value, None, None)
                }
            })
        };
        rows.push(std::iter::once(ranking.to_owned()).chain(history.iter().map(cell)).collect());
    }
    rows
}

/// Columns two spaces apart.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
