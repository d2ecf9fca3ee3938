//! DataBrew: recipes, the datasets they read and the jobs that run them.

use std::borrow::Cow;

use super::glue;
use super::iam::Role;
use super::kms::Key;
use super::node::Tags;
use super::s3::Bucket;
use super::shape::{choice, resource, shape};
use super::template::Ref;
use super::value::{Arn, Attribute, Name, Text, Value};

resource! {
    /// Files as a recipe sees them. `Ref` is its name.
    "AWS::DataBrew::Dataset" Dataset {
        name: Value<Name<Dataset>> = "Name",
        format: Option<FileFormat> = "Format",
        options: Option<FormatOptions> = "FormatOptions",
        input: Input = "Input",
        path: Option<PathOptions> = "PathOptions",
        tags: Tags = "Tags",
    }
}

impl Ref<Dataset> {
    /// Its name.
    pub fn name(&self) -> Value<Name<Dataset>> {
        self.reference()
    }
}

choice! {
    /// Formats that both datasets and outputs know.
    FileFormat { Csv = "CSV", Json = "JSON", Parquet = "PARQUET", Orc = "ORC" }
}

shape! {
    /// How files of a format are read.
    FormatOptions {
        csv: Option<CsvOptions> = "Csv",
        json: Option<JsonOptions> = "Json",
    }
}

shape! {
    /// How CSV is read.
    CsvOptions {
        delimiter: String = "Delimiter",
        header: bool = "HeaderRow",
    }
}

shape! {
    /// How JSON is read: `MultiLine` is one document over several lines.
    JsonOptions { multi_line: bool = "MultiLine" }
}

shape! {
    /// Where a dataset's rows are: in files, or in a table of the catalog.
    Input {
        s3: Option<S3Location> = "S3InputDefinition",
        catalog: Option<CatalogTable> = "DataCatalogInputDefinition",
    }
}

shape! {
    /// A table of the Glue Data Catalog.
    CatalogTable {
        catalog: Value<Text> = "CatalogId",
        database: Value<Name<glue::Database>> = "DatabaseName",
        table: String = "TableName",
    }
}

shape! {
    /// A prefix in a bucket.
    S3Location {
        bucket: Value<Name<Bucket>> = "Bucket",
        key: String = "Key",
    }
}

shape! {
    /// What the names of folders say.
    PathOptions { parameters: Vec<PathParameter> = "Parameters" }
}

shape! {
    /// A part of the path, written `{name}` in its key.
    PathParameter {
        name: String = "PathParameterName",
        parameter: DatasetParameter = "DatasetParameter",
    }
}

shape! {
    /// What becomes of a part of the path.
    DatasetParameter {
        name: String = "Name",
        kind: ParameterType = "Type",
        column: bool = "CreateColumn",
    }
}

choice! {
    /// What a part of the path holds.
    ParameterType { Text = "String", Number = "Number" }
}

resource! {
    /// Steps of cleaning. `Ref` is its name.
    "AWS::DataBrew::Recipe" Recipe {
        name: Value<Name<Recipe>> = "Name",
        steps: Vec<RecipeStep> = "Steps",
        tags: Tags = "Tags",
    }
}

impl Ref<Recipe> {
    /// Its name.
    pub fn name(&self) -> Value<Name<Recipe>> {
        self.reference()
    }
}

shape! {
    /// One step: what is done, and to which rows.
    RecipeStep {
        action: Action = "Action",
        conditions: Option<Vec<ConditionExpression>> = "ConditionExpressions",
    }
}

shape! {
    /// An operation with its parameters, all of them text.
    Action {
        operation: String = "Operation",
        parameters: Option<Vec<(Cow<'static, str>, Value<Text>)>> = "Parameters",
    }
}

shape! {
    /// A test of one column.
    ConditionExpression {
        condition: String = "Condition",
        column: String = "TargetColumn",
        value: Option<String> = "Value",
    }
}

resource! {
    /// Runs a published recipe over a dataset, or reckons a profile of it. `Ref` is its name.
    "AWS::DataBrew::Job" Job {
        name: Value<Name<Job>> = "Name",
        kind: &'static str = "Type",
        role: Value<Arn<Role>> = "RoleArn",
        dataset: Value<Name<Dataset>> = "DatasetName",
        recipe: Option<PublishedVersion> = "Recipe",
        outputs: Option<Vec<Output>> = "Outputs",
        report: Option<S3Location> = "OutputLocation",
        sample: Option<JobSample> = "JobSample",
        validations: Option<Vec<Validation>> = "ValidationConfigurations",
        encryption: &'static str = "EncryptionMode",
        key: Value<Arn<Key>> = "EncryptionKeyArn",
        logs: &'static str = "LogSubscription",
        capacity: u32 = "MaxCapacity",
        retries: u32 = "MaxRetries",
        timeout_minutes: u32 = "Timeout",
        tags: Tags = "Tags",
    }
}

shape! {
    /// One version of a recipe.
    PublishedVersion {
        name: Value<Name<Recipe>> = "Name",
        version: Value<Attribute<Recipe>> = "Version",
    }
}

shape! {
    /// Where a job writes, and how.
    Output {
        location: S3Location = "Location",
        format: FileFormat = "Format",
        compression: Option<&'static str> = "CompressionFormat",
        partition_columns: Option<Vec<String>> = "PartitionColumns",
        max_files: Option<u32> = "MaxOutputFiles",
        overwrite: bool = "Overwrite",
        options: Option<OutputFormatOptions> = "FormatOptions",
    }
}

shape! {
    /// How files of a format are written.
    OutputFormatOptions { csv: CsvOutputOptions = "Csv" }
}

shape! {
    /// How CSV is written.
    CsvOutputOptions { delimiter: String = "Delimiter" }
}

impl Ref<Job> {
    /// Its name.
    pub fn name(&self) -> Value<Name<Job>> {
        self.reference()
    }
}

shape! {
    /// How many rows a profile looks at.
    JobSample {
        mode: &'static str = "Mode",
        size: Option<u32> = "Size",
    }
}

shape! {
    /// A ruleset that a profile evaluates.
    Validation {
        ruleset: Value<Arn<Ruleset>> = "RulesetArn",
        mode: &'static str = "ValidationMode",
    }
}

resource! {
    /// Rules that a dataset should keep. `Ref` is its name.
    "AWS::DataBrew::Ruleset" Ruleset {
        name: Value<Name<Ruleset>> = "Name",
        target: Value<Arn<Dataset>> = "TargetArn",
        rules: Vec<Rule> = "Rules",
        tags: Tags = "Tags",
    }
}

impl Ref<Ruleset> {
    /// Its name.
    pub fn name(&self) -> Value<Name<Ruleset>> {
        self.reference()
    }
}

shape! {
    /// One rule.
    Rule {
        name: String = "Name",
        check: String = "CheckExpression",
        values: Option<Vec<Substitution>> = "SubstitutionMap",
        columns: Option<Vec<ColumnSelector>> = "ColumnSelectors",
        threshold: Option<Threshold> = "Threshold",
    }
}

shape! {
    /// What stands for a `:name` of a check.
    Substitution {
        reference: String = "ValueReference",
        value: String = "Value",
    }
}

shape! {
    /// A column that a rule is about.
    ColumnSelector { name: String = "Name" }
}

shape! {
    /// How many rows must keep a rule.
    Threshold {
        kind: &'static str = "Type",
        unit: &'static str = "Unit",
        value: String = "Value",
    }
}

resource! {
    /// Starts jobs by the clock. `Ref` is its name.
    "AWS::DataBrew::Schedule" Schedule {
        name: Value<Name<Schedule>> = "Name",
        cron: String = "CronExpression",
        jobs: Vec<Value<Name<Job>>> = "JobNames",
        tags: Tags = "Tags",
    }
}

resource! {
    /// Where people work on a recipe. `Ref` is its name.
    "AWS::DataBrew::Project" Project {
        name: Value<Name<Project>> = "Name",
        dataset: Value<Name<Dataset>> = "DatasetName",
        recipe: Value<Name<Recipe>> = "RecipeName",
        role: Value<Arn<Role>> = "RoleArn",
        sample: ProjectSample = "Sample",
        tags: Tags = "Tags",
    }
}

shape! {
    /// The rows that a project shows.
    ProjectSample {
        kind: &'static str = "Type",
        size: u32 = "Size",
    }
}
