//! SageMaker: models that answer.

use std::borrow::Cow;

use super::cloudwatch::Alarm;
use super::iam::Role;
use super::kms::Key;
use super::node::Tags;
use super::shape::{resource, shape};
use super::template::{Only, Ref};
use super::value::{Arn, Name, S3Uri, Text, Value};

resource! {
    /// A container and the model in it.
    "AWS::SageMaker::Model" Model {
        name: Value<Name<Model>> = "ModelName",
        role: Value<Arn<Role>> = "ExecutionRoleArn",
        container: ContainerDefinition = "PrimaryContainer",
        isolated: Option<bool> = "EnableNetworkIsolation",
        tags: Tags = "Tags",
    }
}

impl Ref<Model> {
    /// Its name.
    pub fn name(&self) -> Value<Name<Model>> {
        self.attribute("ModelName")
    }
}

shape! {
    /// The container of a model.
    ContainerDefinition {
        image: Value<Text> = "Image",
        model_data: Value<S3Uri> = "ModelDataUrl",
        environment: Vec<(Cow<'static, str>, Value<Text>)> = "Environment",
    }
}

resource! {
    /// On what an endpoint runs; nothing of it can change, so each change makes a new one.
    "AWS::SageMaker::EndpointConfig" EndpointConfig {
        name: Value<Name<EndpointConfig>> = "EndpointConfigName",
        variants: Vec<ProductionVariant> = "ProductionVariants",
        key: Option<Value<Arn<Key>>> = "KmsKeyId",
        capture: Option<DataCaptureConfig> = "DataCaptureConfig",
        tags: Tags = "Tags",
    }
}

impl Ref<EndpointConfig> {
    /// Its name.
    pub fn name(&self) -> Value<Name<EndpointConfig>> {
        self.attribute("EndpointConfigName")
    }
}

shape! {
    /// A model and what it runs on: instances, or nothing until it is asked.
    ProductionVariant {
        name: &'static str = "VariantName",
        model: Value<Name<Model>> = "ModelName",
        weight: u32 = "InitialVariantWeight",
        instance_type: Option<String> = "InstanceType",
        instances: Option<u32> = "InitialInstanceCount",
        serverless: Option<ServerlessConfig> = "ServerlessConfig",
    }
}

shape! {
    /// How large and how wide an endpoint without instances is.
    ServerlessConfig {
        memory_mb: u32 = "MemorySizeInMB",
        concurrency: u32 = "MaxConcurrency",
        provisioned: Option<u32> = "ProvisionedConcurrency",
    }
}

shape! {
    /// Which requests and answers are kept, and where.
    DataCaptureConfig {
        enabled: bool = "EnableCapture",
        percent: u32 = "InitialSamplingPercentage",
        destination: Value<S3Uri> = "DestinationS3Uri",
        key: Value<Arn<Key>> = "KmsKeyId",
        options: Vec<CaptureOption> = "CaptureOptions",
        types: CaptureContentTypeHeader = "CaptureContentTypeHeader",
    }
}

shape! {
    /// Requests or answers.
    CaptureOption { mode: &'static str = "CaptureMode" }
}

shape! {
    /// What is kept as text; everything else is kept in base64.
    CaptureContentTypeHeader {
        csv: Vec<&'static str> = "CsvContentTypes",
        json: Vec<&'static str> = "JsonContentTypes",
    }
}

resource! {
    /// What answers.
    "AWS::SageMaker::Endpoint" Endpoint {
        name: Value<Name<Endpoint>> = "EndpointName",
        configuration: Value<Name<EndpointConfig>> = "EndpointConfigName",
        deployment: Option<DeploymentConfig> = "DeploymentConfig",
        retain_properties: Option<bool> = "RetainAllVariantProperties",
        tags: Tags = "Tags",
    }
}

shape! {
    /// How an endpoint on instances comes to another configuration.
    DeploymentConfig {
        policy: BlueGreenUpdatePolicy = "BlueGreenUpdatePolicy",
        rollback: Option<Only<AutoRollbackConfig>> = "AutoRollbackConfiguration",
    }
}

shape! {
    /// New machines beside the old ones.
    BlueGreenUpdatePolicy {
        traffic: TrafficRoutingConfig = "TrafficRoutingConfiguration",
        termination_wait_seconds: u32 = "TerminationWaitInSeconds",
        timeout_seconds: u32 = "MaximumExecutionTimeoutInSeconds",
    }
}

shape! {
    /// How traffic goes over.
    TrafficRoutingConfig {
        kind: &'static str = "Type",
        wait_seconds: u32 = "WaitIntervalInSeconds",
        canary: Option<CapacitySize> = "CanarySize",
        step: Option<CapacitySize> = "LinearStepSize",
    }
}

shape! {
    /// A part of the machines.
    CapacitySize {
        kind: &'static str = "Type",
        value: u32 = "Value",
    }
}

shape! {
    /// The alarms that take a deployment back.
    AutoRollbackConfig { alarms: Vec<RollbackAlarm> = "Alarms" }
}

shape! {
    /// One of them.
    RollbackAlarm { name: Value<Name<Alarm>> = "AlarmName" }
}

impl Ref<Endpoint> {
    /// Its name.
    pub fn name(&self) -> Value<Name<Endpoint>> {
        self.attribute("EndpointName")
    }
}
