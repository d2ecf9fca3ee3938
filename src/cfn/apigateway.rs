//! API Gateway, the REST sort.

use std::borrow::Cow;

use super::cognito::UserPool;
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
        name: String = "Name",
        content_type: &'static str = "ContentType",
        schema: serde_json::Value = "Schema",
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
    Authorization { None = "NONE", Iam = "AWS_IAM", Cognito = "COGNITO_USER_POOLS" }
}

resource! {
    /// Looks at the tokens of callers. `Ref` is its id.
    "AWS::ApiGateway::Authorizer" Authorizer {
        api: Value<Attribute<RestApi>> = "RestApiId",
        name: &'static str = "Name",
        kind: Authorization = "Type",
        pools: Vec<Value<Arn<UserPool>>> = "ProviderARNs",
        source: &'static str = "IdentitySource",
    }
}

impl Ref<Authorizer> {
    /// Its id.
    pub fn authorizer_id(&self) -> Value<Attribute<Authorizer>> {
        self.reference()
    }
}

resource! {
    /// A verb on a path.
    "AWS::ApiGateway::Method" Method {
        api: Value<Attribute<RestApi>> = "RestApiId",
        resource: Value<Attribute<Resource>> = "ResourceId",
        verb: &'static str = "HttpMethod",
        authorization: Authorization = "AuthorizationType",
        authorizer: Option<Value<Attribute<Authorizer>>> = "AuthorizerId",
        scopes: Option<Vec<String>> = "AuthorizationScopes",
        key_required: bool = "ApiKeyRequired",
        validator: Option<Value<Attribute<RequestValidator>>> = "RequestValidatorId",
        parameters: Option<Vec<(Cow<'static, str>, bool)>> = "RequestParameters",
        models: Option<Vec<(Cow<'static, str>, Value<Name<Model>>)>> = "RequestModels",
        integration: Integration = "Integration",
        responses: Option<Vec<MethodResponse>> = "MethodResponses",
    }
}

shape! {
    /// What answers a method.
    Integration {
        kind: &'static str = "Type",
        verb: Option<&'static str> = "IntegrationHttpMethod",
        uri: Option<Value<Text>> = "Uri",
        templates: Option<Vec<(Cow<'static, str>, &'static str)>> = "RequestTemplates",
        responses: Option<Vec<IntegrationResponse>> = "IntegrationResponses",
    }
}

impl Integration {
    /// A function that gets the request as it is and answers it.
    pub fn lambda(uri: Value<Text>) -> Self {
        Self { kind: "AWS_PROXY", verb: Some("POST"), uri: Some(uri), templates: None, responses: None }
    }

    /// The gateway itself, which answers always the same.
    pub fn mock(response: IntegrationResponse) -> Self {
        let templates = Some(vec![("application/json".into(), r#"{"statusCode": 200}"#)]);
        Self { kind: "MOCK", verb: None, uri: None, templates, responses: Some(vec![response]) }
    }
}

shape! {
    /// What becomes of an integration's answer: headers `method.response.header.<name>` and their values in quotes.
    IntegrationResponse {
        status: &'static str = "StatusCode",
        parameters: Vec<(Cow<'static, str>, String)> = "ResponseParameters",
    }
}

shape! {
    /// An answer that a method may give, and the headers that it may have.
    MethodResponse {
        status: &'static str = "StatusCode",
        parameters: Vec<(Cow<'static, str>, bool)> = "ResponseParameters",
    }
}

resource! {
    /// An answer of the gateway itself.
    "AWS::ApiGateway::GatewayResponse" GatewayResponse {
        api: Value<Attribute<RestApi>> = "RestApiId",
        kind: &'static str = "ResponseType",
        parameters: Option<Vec<(Cow<'static, str>, String)>> = "ResponseParameters",
        templates: Option<Vec<(Cow<'static, str>, &'static str)>> = "ResponseTemplates",
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
        quota: Option<QuotaSettings> = "Quota",
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

shape! {
    /// Calls in a period.
    QuotaSettings {
        limit: u32 = "Limit",
        period: &'static str = "Period",
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

resource! {
    /// A domain of the account's own. `Ref` is its name.
    "AWS::ApiGateway::DomainName" DomainName {
        name: String = "DomainName",
        certificate: String = "RegionalCertificateArn",
        endpoint: EndpointConfiguration = "EndpointConfiguration",
        security: &'static str = "SecurityPolicy",
        tags: Tags = "Tags",
    }
}

impl Ref<DomainName> {
    /// Its name.
    pub fn name(&self) -> Value<Name<DomainName>> {
        self.reference()
    }

    /// What its DNS record must point to.
    pub fn target(&self) -> Value<Text> {
        self.attribute("RegionalDomainName")
    }

    /// The hosted zone of what an alias record of Route 53 points to.
    pub fn target_zone(&self) -> Value<Text> {
        self.attribute("RegionalHostedZoneId")
    }
}

resource! {
    /// A stage under a domain.
    "AWS::ApiGateway::BasePathMapping" BasePathMapping {
        domain: Value<Name<DomainName>> = "DomainName",
        base_path: Option<String> = "BasePath",
        api: Value<Attribute<RestApi>> = "RestApiId",
        stage: Value<Name<Stage>> = "Stage",
    }
}

/// Where a stage's calls are logged, as API Gateway takes it: the group's ARN without `:*`.
pub fn log_destination(group: &Value<Name<LogGroup>>) -> Value<ArnPattern> {
    super::logs::group_arn(group).pattern()
}
