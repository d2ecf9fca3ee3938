//! CloudWatch Logs.

use super::kms::Key;
use super::node::Tags;
use super::shape::resource;
use super::template::Ref;
use super::value::{Arn, ArnPattern, Name, Value, sub};

resource! {
    /// A log group. `Ref` is its name.
    "AWS::Logs::LogGroup" LogGroup {
        name: Value<Name<LogGroup>> = "LogGroupName",
        retention_days: u32 = "RetentionInDays",
        key: Value<Arn<Key>> = "KmsKeyId",
        tags: Tags = "Tags",
    }
}

impl Ref<LogGroup> {
    /// Its name.
    pub fn name(&self) -> Value<Name<LogGroup>> {
        self.reference()
    }

    /// Its streams, as a policy's resource: the group's `Arn` attribute ends in `:*` by itself.
    pub fn streams(&self) -> Value<ArnPattern> {
        self.attribute("Arn")
    }
}

/// The ARN of the log group called `name`, wherever it is declared, without the `:*` that its attribute has.
pub fn group_arn(name: &Value<Name<LogGroup>>) -> Value<Arn<LogGroup>> {
    use super::pseudo::{account, partition, region};
    sub!["arn:", partition(), ":logs:", region(), ":", account(), ":log-group:", name]
}
