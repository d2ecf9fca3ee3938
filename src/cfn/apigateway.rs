//! API Gateway, the REST sort.

use std::borrow::Cow;

use super::iam::ServiceRole;
use super::logs::LogGroup;
use super::node::Tags;
use super::shape::{choice, resource, shape};
use super::template::Ref;
use super::value::{Arn, ArnPattern, Attribute, Name, Text, Value};

resource! {
    /// An API. `Ref` is its id.
    "AWS::ApiGateway::RestApi" RestApi {
        name: Value<Name<RestApi>> = "Name",
        description: String = "Description",
        endpoint: EndpointConfiguration = "EndpointConfiguration",
        key_source: &'static str = "ApiKeySourceType",
        tags: Tags = "Tags",
    }
}

impl Ref<RestApi> {
    /// Its id.
    pub fn api_id(&self) -> Value<Attribute<RestApi>> {
        self.reference()
    }

    /// The id of its root, `/`.
    pub fn root(&self) -> Value<Attribute<Resource>> {
        self.attribute("RootResourceId")
    }
}

shape! {
    /// Where an API is reached.
    EndpointConfiguration { types: Vec<&'static str> = "Types" }
}

resource! {
    /// One segment of a path below another. `Ref` is its id.
    "AWS::ApiGateway::Resource" Resource {
        api: Value<Attribute<RestApi>> = "RestApiId",
        parent: Value<Attribute<Resource>> = "ParentId",
        segment: String = "PathPart",
    }
}

impl Ref<Resource> {
    /// Its id.
    pub fn resource_id(&self) -> Value<Attribute<Resource>> {
        self.reference()
    }
}

resource! {
    /// Refuses requests that lack what they must carry. `Ref` is its id.
    "AWS::ApiGateway::RequestValidator" RequestValidator {
        api: Value<Attribute<RestApi>> = "RestApiId",
        name: &'static str = "Name",
        body: bool = "ValidateRequestBody",
        parameters: bool = "ValidateRequestParameters",
    }
}

impl Ref<RequestValidator> {
    /// Its id.
    pub fn validator_id(&self) -> Value<Attribute<RequestValidator>> {
        self.reference()
    }
}

resource! {
    /// The shape of a body. `Ref` is its name.
    "AWS::ApiGateway::Model" Model {
        api: Value<Attribute<RestApi>> = "RestApiId",
        name: &'static str = "Name",
        content_type: &'static str = "ContentType",
        schema: super::Node = "Schema",
    }
}

impl Ref<Model> {
    /// Its name.
    pub fn name(&self) -> Value<Name<Model>> {
        self.reference()
    }
}

choice! {
    /// Who may call a method.
    Authorization { None = "NONE", Iam = "AWS_IAM" }
}

resource! {
    /// A verb on a path.
    "AWS::ApiGateway::Method" Method {
        api: Value<Attribute<RestApi>> = "RestApiId",
        resource: Value<Attribute<Resource>> = "ResourceId",
        verb: &'static str = "HttpMethod",
        authorization: Authorization = "AuthorizationType",
        key_required: bool = "ApiKeyRequired",
        validator: Value<Attribute<RequestValidator>> = "RequestValidatorId",
        parameters: Option<Vec<(Cow<'static, str>, bool)>> = "RequestParameters",
        models: Option<Vec<(Cow<'static, str>, Value<Name<Model>>)>> = "RequestModels",
        integration: Integration = "Integration",
    }
}

shape! {
    /// What answers a method.
    Integration {
        kind: &'static str = "Type",
        verb: &'static str = "IntegrationHttpMethod",
        uri: Value<Text> = "Uri",
    }
}

resource! {
    /// A picture of the API as it was when the deployment was made. `Ref` is its id.
    "AWS::ApiGateway::Deployment" Deployment {
        api: Value<Attribute<RestApi>> = "RestApiId",
        description: String = "Description",
    }
}

impl Ref<Deployment> {
    /// Its id.
    pub fn deployment_id(&self) -> Value<Attribute<Deployment>> {
        self.reference()
    }
}

resource! {
    /// A deployment that can be called. `Ref` is its name.
    "AWS::ApiGateway::Stage" Stage {
        api: Value<Attribute<RestApi>> = "RestApiId",
        deployment: Value<Attribute<Deployment>> = "DeploymentId",
        name: &'static str = "StageName",
        access_log: AccessLogSetting = "AccessLogSetting",
        methods: Vec<MethodSetting> = "MethodSettings",
        tracing: bool = "TracingEnabled",
        tags: Tags = "Tags",
    }
}

impl Ref<Stage> {
    /// Its name.
    pub fn name(&self) -> Value<Name<Stage>> {
        self.reference()
    }
}

shape! {
    /// Where calls are written down.
    AccessLogSetting {
        destination: Value<ArnPattern> = "DestinationArn",
        format: &'static str = "Format",
    }
}

shape! {
    /// Limits and logging of methods.
    MethodSetting {
        verb: &'static str = "HttpMethod",
        path: &'static str = "ResourcePath",
        metrics: bool = "MetricsEnabled",
        rate: u32 = "ThrottlingRateLimit",
        burst: u32 = "ThrottlingBurstLimit",
    }
}

resource! {
    /// How much the holders of keys may call. `Ref` is its id.
    "AWS::ApiGateway::UsagePlan" UsagePlan {
        name: Value<Name<UsagePlan>> = "UsagePlanName",
        stages: Vec<ApiStage> = "ApiStages",
        throttle: ThrottleSettings = "Throttle",
        tags: Tags = "Tags",
    }
}

impl Ref<UsagePlan> {
    /// Its id.
    pub fn plan_id(&self) -> Value<Attribute<UsagePlan>> {
        self.attribute("Id")
    }
}

shape! {
    /// A stage under a plan.
    ApiStage {
        api: Value<Attribute<RestApi>> = "ApiId",
        stage: Value<Name<Stage>> = "Stage",
    }
}

shape! {
    /// Calls per second, and how many at once.
    ThrottleSettings {
        rate: u32 = "RateLimit",
        burst: u32 = "BurstLimit",
    }
}

resource! {
    /// A key for callers; AWS makes its value. `Ref` is its id.
    "AWS::ApiGateway::ApiKey" ApiKey {
        name: Value<Name<ApiKey>> = "Name",
        description: String = "Description",
        enabled: bool = "Enabled",
        tags: Tags = "Tags",
    }
}

impl Ref<ApiKey> {
    /// Its id; its value is asked for with `GetApiKey`.
    pub fn key_id(&self) -> Value<Attribute<ApiKey>> {
        self.attribute("APIKeyId")
    }
}

resource! {
    /// Puts a key under a plan.
    "AWS::ApiGateway::UsagePlanKey" UsagePlanKey {
        key: Value<Attribute<ApiKey>> = "KeyId",
        kind: &'static str = "KeyType",
        plan: Value<Attribute<UsagePlan>> = "UsagePlanId",
    }
}

resource! {
    /// What API Gateway knows of the whole account in one region.
    "AWS::ApiGateway::Account" Account {
        role: Value<Arn<ServiceRole>> = "CloudWatchRoleArn",
    }
}

/// Where a stage's calls are logged, as API Gateway takes it: the group's ARN without `:*`.
pub fn log_destination(group: &Value<Name<LogGroup>>) -> Value<ArnPattern> {
    super::logs::group_arn(group).pattern()
}
