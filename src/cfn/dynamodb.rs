//! DynamoDB: key-value tables that answer requests.

use super::kms::Key;
use super::node::Tags;
use super::shape::{choice, resource, shape};
use super::template::Ref;
use super::value::{Arn, Name, Value};

resource! {
    /// A table paid per request. `Ref` is its name.
    "AWS::DynamoDB::Table" Table {
        name: Value<Name<Table>> = "TableName",
        billing: &'static str = "BillingMode",
        attributes: Vec<AttributeDefinition> = "AttributeDefinitions",
        keys: Vec<KeySchema> = "KeySchema",
        encryption: SseSpecification = "SSESpecification",
        recovery: PointInTimeRecoverySpecification = "PointInTimeRecoverySpecification",
        expiry: Option<TimeToLiveSpecification> = "TimeToLiveSpecification",
        deletion_protection: bool = "DeletionProtectionEnabled",
        tags: Tags = "Tags",
    }
}

impl Ref<Table> {
    /// Its name.
    pub fn name(&self) -> Value<Name<Table>> {
        self.reference()
    }

    /// Its ARN.
    pub fn arn(&self) -> Value<Arn<Table>> {
        self.attribute("Arn")
    }
}

shape! {
    /// The type of a key attribute.
    AttributeDefinition {
        name: String = "AttributeName",
        kind: AttributeType = "AttributeType",
    }
}

choice! {
    /// What a key can be: text, a number, bytes.
    AttributeType { Text = "S", Number = "N", Binary = "B" }
}

shape! {
    /// The part an attribute has in the key.
    KeySchema {
        name: String = "AttributeName",
        kind: &'static str = "KeyType",
    }
}

shape! {
    /// Encryption at rest with a key of ours.
    SseSpecification {
        enabled: bool = "SSEEnabled",
        kind: &'static str = "SSEType",
        key: Value<Arn<Key>> = "KMSMasterKeyId",
    }
}

shape! {
    /// Whether the table can be brought back as it was.
    PointInTimeRecoverySpecification { enabled: bool = "PointInTimeRecoveryEnabled" }
}

shape! {
    /// The attribute that says when an item may go, in seconds since 1970.
    TimeToLiveSpecification {
        attribute: &'static str = "AttributeName",
        enabled: bool = "Enabled",
    }
}
