//! Lambda.

use std::borrow::Cow;

use super::iam::Role;
use super::kms::Key;
use super::logs::LogGroup;
use super::node::Tags;
use super::s3::Bucket;
use super::shape::{resource, shape};
use super::template::Ref;
use super::value::{Arn, ArnPattern, Name, Text, Value};

resource! {
    /// A function. `Ref` is its name.
    "AWS::Lambda::Function" Function {
        name: Value<Name<Function>> = "FunctionName",
        description: String = "Description",
        runtime: &'static str = "Runtime",
        architectures: Vec<&'static str> = "Architectures",
        handler: String = "Handler",
        code: Code = "Code",
        role: Value<Arn<Role>> = "Role",
        memory_mb: u32 = "MemorySize",
        timeout_seconds: u32 = "Timeout",
        environment: Option<Environment> = "Environment",
        key: Option<Value<Arn<Key>>> = "KmsKeyArn",
        logging: LoggingConfig = "LoggingConfig",
        tracing: Option<TracingConfig> = "TracingConfig",
        recursive_loop: Option<&'static str> = "RecursiveLoop",
        tags: Tags = "Tags",
    }
}

impl Ref<Function> {
    /// Its ARN.
    pub fn arn(&self) -> Value<Arn<Function>> {
        self.attribute("Arn")
    }

    /// Its name.
    pub fn name(&self) -> Value<Name<Function>> {
        self.reference()
    }
}

shape! {
    /// Where the code is: an archive in S3, or a file of up to 4 MB written into the template.
    Code {
        bucket: Option<Value<Name<Bucket>>> = "S3Bucket",
        key: Option<String> = "S3Key",
        inline: Option<&'static str> = "ZipFile",
    }
}

impl Code {
    /// An archive in S3.
    pub fn archive(bucket: Value<Name<Bucket>>, key: String) -> Self {
        Self { bucket: Some(bucket), key: Some(key), inline: None }
    }

    /// A Python file called `index.py`.
    pub fn inline(source: &'static str) -> Self {
        Self { bucket: None, key: None, inline: Some(source) }
    }
}

shape! {
    /// The environment of the process.
    Environment { variables: Vec<(Cow<'static, str>, Value<Text>)> = "Variables" }
}

shape! {
    /// Where output goes.
    LoggingConfig {
        format: &'static str = "LogFormat",
        group: Value<Name<LogGroup>> = "LogGroup",
    }
}

shape! {
    /// Whether requests are traced.
    TracingConfig { mode: &'static str = "Mode" }
}

resource! {
    /// Leave for a service to call a function.
    "AWS::Lambda::Permission" Permission {
        function: Value<Arn<Function>> = "FunctionName",
        action: &'static str = "Action",
        principal: &'static str = "Principal",
        source: Value<ArnPattern> = "SourceArn",
    }
}

resource! {
    /// What becomes of asynchronous calls that fail.
    "AWS::Lambda::EventInvokeConfig" EventInvokeConfig {
        function: Value<Name<Function>> = "FunctionName",
        qualifier: &'static str = "Qualifier",
        retries: u32 = "MaximumRetryAttempts",
        seconds: u32 = "MaximumEventAgeInSeconds",
        destinations: DestinationConfig = "DestinationConfig",
    }
}

shape! {
    /// Where what failed for good goes.
    DestinationConfig { on_failure: OnFailure = "OnFailure" }
}

shape! {
    /// A queue for what failed for good.
    OnFailure { queue: Value<Arn<super::sqs::Queue>> = "Destination" }
}

resource! {
    /// A queue that calls a function. `Ref` is its id.
    "AWS::Lambda::EventSourceMapping" EventSourceMapping {
        function: Value<Name<Function>> = "FunctionName",
        source: Value<Arn<super::sqs::Queue>> = "EventSourceArn",
        batch: u32 = "BatchSize",
        scale: MappingScale = "ScalingConfig",
        tags: Option<Tags> = "Tags",
    }
}

shape! {
    /// How many calls there may be at once.
    MappingScale { concurrency: u32 = "MaximumConcurrency" }
}
