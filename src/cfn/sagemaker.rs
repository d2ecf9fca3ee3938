//! SageMaker: models that answer.

use std::borrow::Cow;

use super::iam::Role;
use super::kms::Key;
use super::node::Tags;
use super::shape::{resource, shape};
use super::template::Ref;
use super::value::{Arn, Name, S3Uri, Text, Value};

resource! {
    /// A container and the model in it.
    "AWS::SageMaker::Model" Model {
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
        variants: Vec<ProductionVariant> = "ProductionVariants",
        key: Option<Value<Arn<Key>>> = "KmsKeyId",
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
    }
}

resource! {
    /// What answers.
    "AWS::SageMaker::Endpoint" Endpoint {
        name: Value<Name<Endpoint>> = "EndpointName",
        configuration: Value<Name<EndpointConfig>> = "EndpointConfigName",
        tags: Tags = "Tags",
    }
}

impl Ref<Endpoint> {
    /// Its name.
    pub fn name(&self) -> Value<Name<Endpoint>> {
        self.attribute("EndpointName")
    }
}
