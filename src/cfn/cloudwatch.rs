//! CloudWatch alarms.

use super::node::Tags;
use super::shape::{resource, shape};
use super::sns::Topic;
use super::sqs::Queue;
use super::template::Ref;
use super::value::{Arn, Name, Text, Value};

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
        actions: Option<Vec<Value<Arn<Topic>>>> = "AlarmActions",
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

impl Dimension {
    /// The number of a queue.
    pub fn queue(name: &Value<Name<Queue>>) -> Self {
        Self { name: "QueueName", value: name.text() }
    }
}
