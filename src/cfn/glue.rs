//! Glue: the catalog, crawlers and jobs.

use std::borrow::Cow;

use super::iam::Role;
use super::kms::Key;
use super::lakeformation::DataLakePrincipal;
use super::node::TagMap;
use super::shape::{resource, shape};
use super::template::Ref;
use super::value::{Arn, Name, S3Uri, Text, Value};

/// A map of texts chosen by name.
pub type Parameters = Vec<(Cow<'static, str>, Value<Text>)>;

resource! {
    /// A database of the catalog. `Ref` is its name.
    "AWS::Glue::Database" Database {
        catalog: Value<Text> = "CatalogId",
        input: DatabaseInput = "DatabaseInput",
    }
}

impl Ref<Database> {
    /// Its name.
    pub fn name(&self) -> Value<Name<Database>> {
        self.reference()
    }
}

shape! {
    /// What a database is.
    DatabaseInput {
        name: Value<Name<Database>> = "Name",
        description: String = "Description",
        defaults: Option<Vec<DataLakePrincipal>> = "CreateTableDefaultPermissions",
    }
}

resource! {
    /// A table of the catalog. `Ref` is its name.
    "AWS::Glue::Table" Table {
        catalog: Value<Text> = "CatalogId",
        database: Value<Name<Database>> = "DatabaseName",
        name: Option<String> = "Name",
        input: Option<TableInput> = "TableInput",
        open: Option<OpenTableFormatInput> = "OpenTableFormatInput",
    }
}

impl Ref<Table> {
    /// Its name.
    pub fn name(&self) -> Value<Name<Table>> {
        self.reference()
    }
}

shape! {
    /// What a table is.
    TableInput {
        name: String = "Name",
        description: Option<String> = "Description",
        kind: &'static str = "TableType",
        parameters: Parameters = "Parameters",
        partition_keys: Option<Vec<Column>> = "PartitionKeys",
        original: Option<String> = "ViewOriginalText",
        expanded: Option<&'static str> = "ViewExpandedText",
        storage: StorageDescriptor = "StorageDescriptor",
    }
}

shape! {
    /// A table whose metadata lies beside its files.
    OpenTableFormatInput { iceberg: IcebergInput = "IcebergInput" }
}

shape! {
    /// An Iceberg table that the catalog makes.
    IcebergInput {
        operation: &'static str = "MetadataOperation",
        version: &'static str = "Version",
        table: IcebergTableInput = "IcebergTableInput",
    }
}

shape! {
    /// What the metadata of an Iceberg table begins with.
    IcebergTableInput {
        location: Value<S3Uri> = "Location",
        schema: IcebergSchema = "Schema",
        partitions: Option<IcebergPartitionSpec> = "PartitionSpec",
        properties: Parameters = "Properties",
    }
}

shape! {
    /// The columns, by ids that stay when names change.
    IcebergSchema {
        kind: &'static str = "Type",
        fields: Vec<IcebergField> = "Fields",
    }
}

shape! {
    /// A column, its type in Iceberg's words.
    IcebergField {
        id: u32 = "Id",
        name: String = "Name",
        kind: String = "Type",
        required: bool = "Required",
        doc: Option<String> = "Doc",
    }
}

shape! {
    /// How files are grouped.
    IcebergPartitionSpec { fields: Vec<IcebergPartitionField> = "Fields" }
}

shape! {
    /// One field of a partition.
    IcebergPartitionField {
        name: String = "Name",
        source: u32 = "SourceId",
        transform: String = "Transform",
    }
}

shape! {
    /// Where a table's files are and how they are read.
    StorageDescriptor {
        columns: Vec<Column> = "Columns",
        location: Option<Value<S3Uri>> = "Location",
        input_format: Option<&'static str> = "InputFormat",
        output_format: Option<&'static str> = "OutputFormat",
        serde: Option<SerdeInfo> = "SerdeInfo",
        bucket_columns: Option<Vec<String>> = "BucketColumns",
        buckets: Option<u32> = "NumberOfBuckets",
    }
}

shape! {
    /// A column, its type in Hive's words.
    Column {
        name: String = "Name",
        kind: String = "Type",
        comment: Option<String> = "Comment",
    }
}

shape! {
    /// The library that reads rows, and its settings.
    SerdeInfo {
        library: &'static str = "SerializationLibrary",
        parameters: Parameters = "Parameters",
    }
}

resource! {
    /// How crawlers and jobs encrypt what they write. `Ref` is its name.
    "AWS::Glue::SecurityConfiguration" SecurityConfiguration {
        name: Value<Name<SecurityConfiguration>> = "Name",
        encryption: EncryptionConfiguration = "EncryptionConfiguration",
    }
}

impl Ref<SecurityConfiguration> {
    /// Its name.
    pub fn name(&self) -> Value<Name<SecurityConfiguration>> {
        self.reference()
    }
}

shape! {
    /// Encryption of logs, bookmarks and files.
    EncryptionConfiguration {
        logs: CloudWatchEncryption = "CloudWatchEncryption",
        bookmarks: JobBookmarksEncryption = "JobBookmarksEncryption",
        files: Vec<S3Encryption> = "S3Encryptions",
    }
}

shape! {
    /// Encryption of logs.
    CloudWatchEncryption {
        mode: &'static str = "CloudWatchEncryptionMode",
        key: Option<Value<Arn<Key>>> = "KmsKeyArn",
    }
}

shape! {
    /// Encryption of bookmarks.
    JobBookmarksEncryption {
        mode: &'static str = "JobBookmarksEncryptionMode",
        key: Value<Arn<Key>> = "KmsKeyArn",
    }
}

shape! {
    /// Encryption of files.
    S3Encryption {
        mode: &'static str = "S3EncryptionMode",
        key: Value<Arn<Key>> = "KmsKeyArn",
    }
}

impl EncryptionConfiguration {
    /// Everything with `key`, but for logs where Glue cannot encrypt them.
    pub fn all(key: &Value<Arn<Key>>, logs: bool) -> Self {
        Self {
            logs: CloudWatchEncryption {
                mode: if logs { "SSE-KMS" } else { "DISABLED" },
                key: logs.then(|| key.clone()),
            },
            bookmarks: JobBookmarksEncryption { mode: "CSE-KMS", key: key.clone() },
            files: vec![S3Encryption { mode: "SSE-KMS", key: key.clone() }],
        }
    }
}

resource! {
    /// Recognises files; one of its parts is set. `Ref` is its name.
    "AWS::Glue::Classifier" Classifier {
        csv: Option<CsvClassifier> = "CsvClassifier",
        json: Option<JsonClassifier> = "JsonClassifier",
        grok: Option<GrokClassifier> = "GrokClassifier",
        xml: Option<XmlClassifier> = "XMLClassifier",
    }
}

impl Ref<Classifier> {
    /// Its name.
    pub fn name(&self) -> Value<Name<Classifier>> {
        self.reference()
    }
}

shape! {
    /// Recognises lines of fields.
    CsvClassifier {
        name: String = "Name",
        delimiter: Option<String> = "Delimiter",
        quote: Option<String> = "QuoteSymbol",
        has_header: &'static str = "ContainsHeader",
        header: Option<Vec<String>> = "Header",
        custom_types: Option<bool> = "CustomDatatypeConfigured",
        types: Option<Vec<String>> = "ContainsCustomDatatype",
        single_column: bool = "AllowSingleColumn",
        keep_white_space: bool = "DisableValueTrimming",
    }
}

shape! {
    /// Recognises JSON documents.
    JsonClassifier {
        name: String = "Name",
        path: String = "JsonPath",
    }
}

shape! {
    /// Recognises lines that match a pattern.
    GrokClassifier {
        name: String = "Name",
        classification: String = "Classification",
        pattern: String = "GrokPattern",
        patterns: Option<String> = "CustomPatterns",
    }
}

shape! {
    /// Recognises XML documents.
    XmlClassifier {
        name: String = "Name",
        classification: String = "Classification",
        row: String = "RowTag",
    }
}

resource! {
    /// Looks at files and keeps the catalog's partitions. `Ref` is its name.
    "AWS::Glue::Crawler" Crawler {
        name: Value<Name<Crawler>> = "Name",
        description: String = "Description",
        role: Value<Arn<Role>> = "Role",
        database: Option<Value<Name<Database>>> = "DatabaseName",
        prefix: Option<String> = "TablePrefix",
        targets: CrawlerTargets = "Targets",
        classifiers: Option<Vec<Value<Name<Classifier>>>> = "Classifiers",
        schedule: Option<Schedule> = "Schedule",
        schema_changes: SchemaChangePolicy = "SchemaChangePolicy",
        recrawl: RecrawlPolicy = "RecrawlPolicy",
        configuration: String = "Configuration",
        security: Value<Name<SecurityConfiguration>> = "CrawlerSecurityConfiguration",
        tags: TagMap = "Tags",
    }
}

shape! {
    /// What a crawler looks at.
    CrawlerTargets {
        catalog: Option<Vec<CatalogTarget>> = "CatalogTargets",
        s3: Option<Vec<S3Target>> = "S3Targets",
    }
}

shape! {
    /// Files that may become tables.
    S3Target {
        path: Value<S3Uri> = "Path",
        exclusions: Option<Vec<String>> = "Exclusions",
        sample_size: Option<u32> = "SampleSize",
    }
}

shape! {
    /// When a crawler runs by itself.
    Schedule { expression: String = "ScheduleExpression" }
}

shape! {
    /// Tables that are already in the catalog.
    CatalogTarget {
        database: Value<Name<Database>> = "DatabaseName",
        tables: Vec<Value<Name<Table>>> = "Tables",
    }
}

shape! {
    /// What a crawler does about a schema that is not as the catalog says.
    SchemaChangePolicy {
        update: &'static str = "UpdateBehavior",
        delete: &'static str = "DeleteBehavior",
    }
}

shape! {
    /// What a second crawl looks at.
    RecrawlPolicy { behavior: &'static str = "RecrawlBehavior" }
}

resource! {
    /// A Spark job. `Ref` is its name.
    "AWS::Glue::Job" Job {
        name: Value<Name<Job>> = "Name",
        mode: &'static str = "JobMode",
        description: String = "Description",
        role: Value<Arn<Role>> = "Role",
        command: JobCommand = "Command",
        arguments: Parameters = "DefaultArguments",
        glue_version: String = "GlueVersion",
        worker_type: String = "WorkerType",
        workers: u32 = "NumberOfWorkers",
        timeout_minutes: u32 = "Timeout",
        retries: u32 = "MaxRetries",
        notification: Option<NotificationProperty> = "NotificationProperty",
        execution: ExecutionProperty = "ExecutionProperty",
        execution_class: &'static str = "ExecutionClass",
        queuing: bool = "JobRunQueuingEnabled",
        security: Value<Name<SecurityConfiguration>> = "SecurityConfiguration",
        tags: TagMap = "Tags",
    }
}

impl Ref<Job> {
    /// Its name.
    pub fn name(&self) -> Value<Name<Job>> {
        self.reference()
    }
}

shape! {
    /// The script of a job.
    JobCommand {
        name: &'static str = "Name",
        python_version: &'static str = "PythonVersion",
        script: Value<S3Uri> = "ScriptLocation",
    }
}

shape! {
    /// When a run that goes on is reported.
    NotificationProperty { delay_minutes: u32 = "NotifyDelayAfter" }
}

shape! {
    /// How many runs of a job there may be at once.
    ExecutionProperty { concurrent_runs: u32 = "MaxConcurrentRuns" }
}

resource! {
    /// Rules that the rows of a table must meet. `Ref` is its name.
    "AWS::Glue::DataQualityRuleset" DataQualityRuleset {
        name: String = "Name",
        description: String = "Description",
        ruleset: String = "Ruleset",
        target: Option<DataQualityTargetTable> = "TargetTable",
        tags: TagMap = "Tags",
    }
}

shape! {
    /// The table whose rows they are.
    DataQualityTargetTable {
        database: Value<Name<Database>> = "DatabaseName",
        table: Value<Name<Table>> = "TableName",
    }
}

resource! {
    /// How Glue keeps an Iceberg table in order, of one kind.
    "AWS::Glue::TableOptimizer" TableOptimizer {
        catalog: Value<Text> = "CatalogId",
        database: Value<Name<Database>> = "DatabaseName",
        table: Value<Name<Table>> = "TableName",
        kind: &'static str = "Type",
        configuration: TableOptimizerConfiguration = "TableOptimizerConfiguration",
    }
}

shape! {
    /// Who does it, and how; one of its parts is set at most.
    TableOptimizerConfiguration {
        role: Value<Arn<Role>> = "RoleArn",
        enabled: bool = "Enabled",
        compaction: Option<CompactionConfiguration> = "CompactionConfiguration",
        retention: Option<RetentionConfiguration> = "RetentionConfiguration",
        orphans: Option<OrphanFileDeletionConfiguration> = "OrphanFileDeletionConfiguration",
    }
}

shape! {
    /// When files are put together.
    CompactionConfiguration { iceberg: IcebergCompaction = "IcebergConfiguration" }
}

shape! {
    /// The same, of Iceberg tables.
    IcebergCompaction {
        strategy: &'static str = "Strategy",
        min_files: Option<u32> = "MinInputFiles",
        min_deletes: Option<u32> = "DeleteFileThreshold",
    }
}

shape! {
    /// Which snapshots are kept.
    RetentionConfiguration { iceberg: IcebergRetention = "IcebergConfiguration" }
}

shape! {
    /// The same, of Iceberg tables.
    IcebergRetention {
        days: Option<u32> = "SnapshotRetentionPeriodInDays",
        number: Option<u32> = "NumberOfSnapshotsToRetain",
        files: bool = "CleanExpiredFiles",
    }
}

shape! {
    /// Which files are forgotten.
    OrphanFileDeletionConfiguration { iceberg: IcebergOrphans = "IcebergConfiguration" }
}

shape! {
    /// The same, of Iceberg tables.
    IcebergOrphans { days: Option<u32> = "OrphanFileRetentionPeriodInDays" }
}
