//! Simple Notification Service.

use super::kms::Key;
use super::node::Tags;
use super::shape::resource;
use super::template::Ref;
use super::value::{Arn, Name, Value};

resource! {
    /// A topic. `Ref` is its ARN.
    "AWS::SNS::Topic" Topic {
        name: Value<Name<Topic>> = "TopicName",
        key: Value<Arn<Key>> = "KmsMasterKeyId",
        tags: Tags = "Tags",
    }
}

impl Ref<Topic> {
    /// Its ARN.
    pub fn arn(&self) -> Value<Arn<Topic>> {
        self.reference()
    }
}

resource! {
    /// Somebody who hears of what is published.
    "AWS::SNS::Subscription" Subscription {
        topic: Value<Arn<Topic>> = "TopicArn",
        protocol: &'static str = "Protocol",
        endpoint: String = "Endpoint",
    }
}
