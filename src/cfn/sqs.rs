//! Simple Queue Service.

use super::iam::Policy;
use super::node::Tags;
use super::shape::{resource, shape};
use super::template::Ref;
use super::value::{Arn, Attribute, Name, Value};

resource! {
    /// A queue encrypted with SQS's own keys. `Ref` is its URL.
    "AWS::SQS::Queue" Queue {
        name: Value<Name<Queue>> = "QueueName",
        retention_seconds: u32 = "MessageRetentionPeriod",
        visibility_seconds: Option<u32> = "VisibilityTimeout",
        redrive: Option<RedrivePolicy> = "RedrivePolicy",
        encrypted: bool = "SqsManagedSseEnabled",
        tags: Tags = "Tags",
    }
}

shape! {
    /// Where messages go that were taken in vain so often.
    RedrivePolicy {
        failed: Value<Arn<Queue>> = "deadLetterTargetArn",
        tries: u32 = "maxReceiveCount",
    }
}

impl Ref<Queue> {
    /// Its ARN.
    pub fn arn(&self) -> Value<Arn<Queue>> {
        self.attribute("Arn")
    }

    /// Its name.
    pub fn name(&self) -> Value<Name<Queue>> {
        self.attribute("QueueName")
    }

    /// Its URL.
    pub fn url(&self) -> Value<Attribute<Queue>> {
        self.reference()
    }
}

resource! {
    /// Who may use queues.
    "AWS::SQS::QueuePolicy" QueuePolicy {
        queues: Vec<Value<Attribute<Queue>>> = "Queues",
        policy: Policy = "PolicyDocument",
    }
}
