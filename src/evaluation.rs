//! How well models foretell: what an evaluation found, whether that is good enough, and how it looks.

mod html;
mod plot;
mod table;

pub use html::report;
pub use table::text;

use serde::{Deserialize, Serialize};

/// A model, scored beside its baselines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluated {
    /// The model.
    pub model: String,
    /// Whether it is the one that answers, or only the last that was trained.
    pub released: bool,
    /// The table of the candidates.
    pub test: String,
    /// What was found.
    pub found: Found,
}

/// What an evaluation found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Rankings that were judged.
    pub groups: u64,
    /// Whose they are.
    pub users: u64,
    /// Rows that the model scored.
    pub candidates: u64,
    /// What should have been at the top of the rankings.
    pub targets: u64,
    /// Rows of groups without targets.
    pub outside: u64,
    /// Every measure of every ranking.
    pub scores: Vec<Score>,
    /// How much the model is above each baseline.
    pub against: Vec<Against>,
    /// The deciding measure by how much is known of a group.
    pub history: Vec<Bucket>,
    /// What was foretold and what came true; none when scores are no probabilities.
    pub calibration: Option<Calibration>,
    /// The part of the gain that each feature carries; empty when the model is none of XGBoost's.
    pub importance: Vec<Importance>,
    /// The sets behind the metric `f1`.
    pub sets: Option<Sets>,
    /// What shows that the model knew what it foretells.
    pub leaks: Vec<String>,
}

/// A value and where 95 % of the draws of a bootstrap lie; nothing where there was nothing to measure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// As measured.
    pub value: Option<f64>,
    /// 2.5 % of the draws are below.
    pub low: Option<f64>,
    /// 2.5 % of the draws are above.
    pub high: Option<f64>,
}

/// A measure of a ranking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// `model`, or a baseline.
    pub ranking: String,
    /// `all`, `repeat` or `explore`: the targets that count.
    pub part: String,
    /// As the blueprint names it.
    pub metric: String,
    /// As measured.
    pub value: Option<f64>,
    /// 2.5 % of the draws are below.
    pub low: Option<f64>,
    /// 2.5 % of the draws are above.
    pub high: Option<f64>,
}

/// How much the model is above a baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Against {
    /// The baseline.
    pub baseline: String,
    /// The deciding metric.
    pub metric: String,
    /// As measured.
    pub value: Option<f64>,
    /// 2.5 % of the draws are below.
    pub low: Option<f64>,
    /// 2.5 % of the draws are above.
    pub high: Option<f64>,
}

/// Groups of which about the same is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// The shortest history.
    pub from: f64,
    /// The longest.
    pub to: f64,
    /// How many.
    pub groups: u64,
    /// The deciding metric.
    pub metric: String,
    /// Of every ranking.
    pub scores: Vec<BucketScore>,
}

/// A ranking's measure in a bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BucketScore {
    /// `model`, or a baseline.
    pub ranking: String,
    /// As measured.
    pub value: Option<f64>,
    /// 2.5 % of the draws are below.
    pub low: Option<f64>,
    /// 2.5 % of the draws are above.
    pub high: Option<f64>,
}

/// What was foretold and what came true.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Rows of about the same score, the lowest first.
    pub bins: Vec<Bin>,
    /// The mean distance between the two, by rows.
    pub error: f64,
}

/// Rows of about the same score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// How many.
    pub rows: u64,
    /// The mean probability that was foretold.
    pub foretold: f64,
    /// The part that came true.
    #[serde(rename = "true")]
    pub came_true: f64,
}

/// What a feature is worth to the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Importance {
    /// The feature.
    pub feature: String,
    /// Its part of the gain of all splits.
    pub share: f64,
}

/// The sets with the highest expected F1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sets {
    /// Items in one, on average.
    pub mean_size: f64,
    /// The part that foretells None.
    pub none: f64,
    /// The part where None was true.
    pub none_true: f64,
    /// The mean F1 that was expected.
    pub expected: f64,
}

/// The name of the model's own ranking.
pub const MODEL: &str = "model";

impl Evaluated {
    /// Why the model should not answer; nothing when it should.
    #[must_use]
    pub fn objections(&self) -> Vec<String> {
        let leaks = self.found.leaks.iter().map(|leak| format!("it knows what it foretells: {leak}"));
        let beaten = self.found.against.iter().filter_map(Against::objection);
        leaks.chain(beaten).collect()
    }
}

impl Against {
    /// The difference.
    #[must_use]
    pub fn interval(&self) -> Interval {
        Interval { value: self.value, low: self.low, high: self.high }
    }

    /// What is wrong with the difference: the model must be above the baseline, and surely so.
    fn objection(&self) -> Option<String> {
        let Self { baseline, metric, value, low, high } = self;
        let (Some(value), Some(low), Some(high)) = (value, low, high) else {
            return Some(format!("`{metric}` cannot be held against `{baseline}`: there was nothing to measure"));
        };
        if *low > 0.0 {
            return None;
        }
        let between = format!("95 % interval {low:+.4} to {high:+.4}");
        Some(if *value > 0.0 {
            format!(
                "`{metric}` is {value:.4} above `{baseline}`, which may be chance ({between}): more test users would tell"
            )
        } else {
            format!("`{metric}` is not above `{baseline}`: {value:+.4} ({between})")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn against(value: f64, low: f64, high: f64) -> Option<String> {
        let [value, low, high] = [value, low, high].map(Some);
        Against { baseline: "popularity".into(), metric: "ndcg@10".into(), value, low, high }.objection()
    }

    #[test]
    fn a_model_must_be_surely_above_its_baselines() {
        assert_eq!(against(0.03, 0.01, 0.05), None);
        assert_eq!(
            against(0.03, -0.01, 0.07).unwrap(),
            "`ndcg@10` is 0.0300 above `popularity`, which may be chance (95 % interval -0.0100 to +0.0700): more test users would tell"
        );
        assert_eq!(
            against(-0.02, -0.03, -0.01).unwrap(),
            "`ndcg@10` is not above `popularity`: -0.0200 (95 % interval -0.0300 to -0.0100)"
        );
        assert!(against(0.0, 0.0, 0.0).is_some());
        let nothing = Against { baseline: "b".into(), metric: "m".into(), value: None, low: None, high: None };
        assert!(nothing.objection().unwrap().contains("nothing to measure"));
    }
}
