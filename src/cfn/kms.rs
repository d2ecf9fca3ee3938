//! Key Management Service.

use super::iam::Policy;
use super::node::Tags;
use super::shape::resource;
use super::template::Ref;
use super::value::{Arn, Name, Value};

resource! {
    /// A symmetric key.
    "AWS::KMS::Key" Key {
        description: String = "Description",
        rotation: bool = "EnableKeyRotation",
        pending_days: u32 = "PendingWindowInDays",
        policy: Policy = "KeyPolicy",
        tags: Tags = "Tags",
    }
}

impl Ref<Key> {
    /// Its ARN.
    pub fn arn(&self) -> Value<Arn<Key>> {
        self.attribute("Arn")
    }
}

resource! {
    /// A name for a key that people can read.
    "AWS::KMS::Alias" Alias {
        name: Value<Name<Alias>> = "AliasName",
        key: Value<Arn<Key>> = "TargetKeyId",
    }
}
