//! Athena: SQL over files.

use super::glue::Database;
use super::kms::Key;
use super::node::Tags;
use super::shape::{resource, shape};
use super::template::Ref;
use super::value::{Arn, Attribute, Name, S3Uri, Text, Value};

resource! {
    /// Where queries run and under which limits. `Ref` is its name.
    "AWS::Athena::WorkGroup" WorkGroup {
        name: Value<Name<WorkGroup>> = "Name",
        description: String = "Description",
        state: &'static str = "State",
        recursive_delete: bool = "RecursiveDeleteOption",
        configuration: WorkGroupConfiguration = "WorkGroupConfiguration",
        tags: Tags = "Tags",
    }
}

impl Ref<WorkGroup> {
    /// Its name.
    pub fn name(&self) -> Value<Name<WorkGroup>> {
        self.reference()
    }
}

shape! {
    /// Limits and places.
    WorkGroupConfiguration {
        enforced: bool = "EnforceWorkGroupConfiguration",
        metrics: bool = "PublishCloudWatchMetricsEnabled",
        bytes_scanned_cutoff: u64 = "BytesScannedCutoffPerQuery",
        requester_pays: Option<bool> = "RequesterPaysEnabled",
        engine: EngineVersion = "EngineVersion",
        results: ResultConfiguration = "ResultConfiguration",
    }
}

shape! {
    /// Which engine runs queries.
    EngineVersion { selected: &'static str = "SelectedEngineVersion" }
}

shape! {
    /// Where results go.
    ResultConfiguration {
        location: Value<S3Uri> = "OutputLocation",
        encryption: ResultEncryption = "EncryptionConfiguration",
    }
}

shape! {
    /// How results are encrypted.
    ResultEncryption {
        option: &'static str = "EncryptionOption",
        key: Value<Arn<Key>> = "KmsKey",
    }
}

resource! {
    /// A statement with parameters, run by its name.
    "AWS::Athena::PreparedStatement" PreparedStatement {
        name: Value<Text> = "StatementName",
        description: String = "Description",
        work_group: Value<Name<WorkGroup>> = "WorkGroup",
        statement: Value<Text> = "QueryStatement",
    }
}

resource! {
    /// A statement kept under a name. `Ref` is its id.
    "AWS::Athena::NamedQuery" NamedQuery {
        name: Value<Text> = "Name",
        description: String = "Description",
        database: Value<Name<Database>> = "Database",
        work_group: Value<Name<WorkGroup>> = "WorkGroup",
        statement: Value<Text> = "QueryString",
    }
}

impl Ref<NamedQuery> {
    /// Its id.
    pub fn query_id(&self) -> Value<Attribute<NamedQuery>> {
        self.reference()
    }
}
