//! CloudWatch alarms.

use super::node::Tags;
use super::shape::{resource, shape};
use super::template::Ref;
use super::value::{Name, Text, Value};

resource! {
    /// Watches one number. `Ref` is its name.
    "AWS::CloudWatch::Alarm" Alarm {
        name: Value<Name<Alarm>> = "AlarmName",
        description: String = "AlarmDescription",
        namespace: &'static str = "Namespace",
        metric: &'static str = "MetricName",
        dimensions: Vec<Dimension> = "Dimensions",
        statistic: Option<&'static str> = "Statistic",
        percentile: Option<&'static str> = "ExtendedStatistic",
        period_seconds: u32 = "Period",
        periods: u32 = "EvaluationPeriods",
        comparison: &'static str = "ComparisonOperator",
        threshold: f64 = "Threshold",
        missing: &'static str = "TreatMissingData",
        tags: Tags = "Tags",
    }
}

impl Ref<Alarm> {
    /// Its name.
    pub fn name(&self) -> Value<Name<Alarm>> {
        self.reference()
    }
}

shape! {
    /// Of what the number is.
    Dimension {
        name: &'static str = "Name",
        value: Value<Text> = "Value",
    }
}
