//! The gate of a model: what its metrics must be before it is released.
use std::collections::BTreeMap;
use std::fmt;

use crate::lake::Gate;

/// What was asked of one metric.
#[derive(Debug, Clone, PartialEq)]
pub enum Demand {
    /// `at_least`.
    AtLeast(f64),
    /// `at_most`.
    AtMost(f64),
    /// `above` another metric.
    Above(String),
    /// `below` another metric.
    Below(String),
}

/// How a demand turned out.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The metric.
    pub metric: String,
    /// What was asked of it.
    pub demand: Demand,
    /// The metric's value; `None` when the training did not report it.
    pub value: Option<f64>,
    /// What it was held against; `None` when that is a metric that was not reported.
    pub bar: Option<f64>,
    /// Whether the demand is met.
    pub met: bool,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { metric, demand, value, bar, met } = self;
        let Some(value) = value else { return write!(f, "`{metric}` was not reported") };
        let not = if *met { "" } else { "not " };
        write!(f, "`{metric}` is {value:.4}, {not}")?;
        match (demand, bar) {
            (Demand::AtLeast(bar), _) => write!(f, "at least {bar}"),
            (Demand::AtMost(bar), _) => write!(f, "at most {bar}"),
            (Demand::Above(other), Some(bar)) => write!(f, "above `{other}`, {bar:.4}"),
            (Demand::Below(other), Some(bar)) => write!(f, "below `{other}`, {bar:.4}"),
            (Demand::Above(other), None) => write!(f, "above `{other}`, which was not reported"),
            (Demand::Below(other), None) => write!(f, "below `{other}`, which was not reported"),
        }
    }
}

/// What became of a model at its gate.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// One for each demand, in the order of the blueprint.
    pub findings: Vec<Finding>,
    /// The metrics that the training reported; worth telling when one is missing.
    pub reported: Vec<String>,
}

impl Verdict {
    /// Whether every demand is met.
    pub fn passed(&self) -> bool {
        self.findings.iter().all(|finding| finding.met)
    }

    /// Whether a demand is about a metric that the training did not report.
    pub fn lacks_metrics(&self) -> bool {
        self.findings.iter().any(|finding| finding.value.is_none() || finding.bar.is_none())
    }
}

/// Holds metrics against the gates. A metric that was not reported, or is not a number, meets no demand.
pub fn judge(gates: &[Gate], metrics: &BTreeMap<String, f64>) -> Verdict {
    let mut findings = Vec::new();
    let reported = |name: &str| metrics.get(name).copied().filter(|value| !value.is_nan());
    for Gate { metric, at_least, at_most, above, below } in gates {
        let value = reported(metric);
        let mut find = |demand: Demand, bar: Option<f64>, holds: fn(f64, f64) -> bool| {
            let met = value.zip(bar).is_some_and(|(value, bar)| holds(value, bar));
            findings.push(Finding { metric: metric.clone(), demand, value, bar, met });
        };
        if let Some(bar) = at_least {
            find(Demand::AtLeast(*bar), Some(*bar), |value, bar| value >= bar);
        }
        if let Some(bar) = at_most {
            find(Demand::AtMost(*bar), Some(*bar), |value, bar| value <= bar);
        }
        for other in above {
            find(Demand::Above(other.clone()), reported(other), |value, bar| value > bar);
        }
        for other in below {
            find(Demand::Below(other.clone()), reported(other), |value, bar| value < bar);
        }
    }
    Verdict { findings, reported: metrics.keys().cloned().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(at_least: Option<f64>, at_most: Option<f64>, above: &[&str], below: &[&str]) -> Gate {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Gate { metric: "ndcg".to_owned(), at_least, at_most, above: names(above), below: names(below) }
    }

    fn judge_one(gate: Gate, metrics: &[(&str, f64)]) -> Verdict {
        judge(&[gate], &metrics.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect())
    }

    #[test]
    fn demands_are_held_against_values() {
        let table = [
            (gate(None, None, &[], &[]), true, ""),
            (gate(Some(0.4), None, &[], &[]), true, "`ndcg` is 0.4000, at least 0.4"),
            (gate(Some(0.41), None, &[], &[]), false, "`ndcg` is 0.4000, not at least 0.41"),
            (gate(None, Some(0.3), &[], &[]), false, "`ndcg` is 0.4000, not at most 0.3"),
            (gate(None, None, &["popularity"], &[]), true, "`ndcg` is 0.4000, above `popularity`, 0.1000"),
            (gate(None, None, &["same"], &[]), false, "`ndcg` is 0.4000, not above `same`, 0.4000"),
            (gate(None, None, &[], &["popularity"]), false, "`ndcg` is 0.4000, not below `popularity`, 0.1000"),
            (gate(None, None, &["loss"], &[]), false, "`ndcg` is 0.4000, not above `loss`, which was not reported"),
            (gate(Some(0.1), None, &["popularity", "same"], &[]), false, "`ndcg` is 0.4000, not above `same`, 0.4000"),
        ];
        for (gate, passed, message) in table {
            let verdict = judge_one(gate, &[("ndcg", 0.4), ("popularity", 0.1), ("same", 0.4)]);
            assert_eq!(verdict.passed(), passed, "{message}");
            let said = verdict.findings.iter().find(|finding| finding.met == passed).map(ToString::to_string);
            assert_eq!(said.unwrap_or_default(), message);
        }
    }

    #[test]
    fn a_metric_that_is_missing_or_no_number_is_refused() {
        for metrics in [&[("recall", 0.3)][..], &[("ndcg", f64::NAN), ("recall", 0.3)]] {
            let verdict = judge_one(gate(Some(0.0), None, &[], &[]), metrics);
            assert!(!verdict.passed() && verdict.lacks_metrics());
            assert_eq!(verdict.findings[0].to_string(), "`ndcg` was not reported");
            assert!(verdict.reported.contains(&"recall".to_owned()));
        }
    }
}
