//! The API: a tree of resources, a method per route, and who may call how often.

mod access;
mod cors;
mod edge;

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::names::Kind;
use super::storage::Kept;
use super::{Context, KEY, logs};
use crate::assembly::{Exported, StackTemplate};
use crate::cfn::apigateway::{
    AccessLogSetting, Account, ApiKey, ApiStage, Deployment, EndpointConfiguration, GatewayResponse, Integration,
    Method, MethodSetting, Model, QuotaSettings, RequestValidator, Resource, RestApi, Stage, ThrottleSettings,
    UsagePlan, UsagePlanKey, log_destination,
};
use crate::cfn::cognito::UserPool;
use crate::cfn::iam::{Policy, Principal, ServiceRole, Statement};
use crate::cfn::lambda::{Function, Permission};
use crate::cfn::{Arn, Attribute, Declaration, LogicalId, Name, Ref, Retention, Value, pseudo, sub};
use crate::lake::{Access, Api, Route, Segment, object_schema};

use crate::openapi::{self, Place};

pub(super) use access::lower_pool;

/// The part of the address behind the host.
const STAGE: &str = "v1";
const ACCESS_LOG: &str = r#"{"request":"$context.requestId","time":"$context.requestTime","ip":"$context.identity.sourceIp","key":"$context.identity.apiKeyId","caller":"$context.identity.caller","method":"$context.httpMethod","path":"$context.path","status":"$context.status","bytes":"$context.responseLength","milliseconds":"$context.responseLatency","error":"$context.error.message"}"#;

/// What a caller reads whose body is refused: API Gateway's own message, and what its validator finds.
const INVALID_BODY: &str =
    r#"{"message":$context.error.messageString,"detail":"$context.error.validationErrorString"}"#;

pub(super) fn lower(
    cx: &Context,
    stack: &mut StackTemplate,
    kept: &Kept,
    functions: &[Value<Arn<Function>>],
    pool: Option<&Exported<Arn<UserPool>>>,
    api: &Api,
) {
    let Api { access, throttle, cors, waf, domain, routes } = api;
    let rest = RestApi {
        name: cx.names.api(),
        description: format!("Answers of the lake {} in {}", cx.lake.name, cx.environment.name),
        endpoint: regional(),
        key_source: "HEADER",
        tags: cx.tag_list(),
    };
    let rest = stack.template.add(Kind::RestApi.fixed(), rest);
    let validator = RequestValidator { api: rest.api_id(), name: "everything", body: true, parameters: true };
    let validator = stack.template.add(Kind::ApiValidator.fixed(), validator);
    let door = access::Door::lower(stack, &rest, access, pool);

    let mut tree = Tree { rest: rest.clone(), resources: BTreeMap::new() };
    let mut bodies = Bodies { rest: rest.clone(), any: None };
    let mut deployment = Declaration::from(Deployment {
        api: rest.api_id(),
        description: format!("Routes of the lake {}", cx.lake.name),
    });
    let mut content = format!("{access:?} {cors:?}");
    for route in routes {
        let Some(function) = functions.get(route.function.index()) else { continue };
        let resource = tree.resource(stack, &route.segments);
        let verb = route.method.as_str();
        let text = format!("{verb} {}", route.path);
        let access::Asked { authorization, authorizer, scopes, key } = door.of(api, route);
        let method = Method {
            api: rest.api_id(),
            resource,
            verb,
            authorization,
            authorizer,
            scopes,
            key_required: key,
            validator: Some(validator.validator_id()),
            parameters: parameters(route),
            models: bodies.of(stack, &text, route).map(|model| vec![(Cow::Borrowed("application/json"), model)]),
            integration: Integration::lambda(invocation(function)),
            responses: None,
        };
        let Route { public, body, .. } = route;
        let name = Kind::FunctionCode.of(&cx.lake.functions[route.function].name);
        content.push_str(&format!("\n{text} {name} {:?} {public} {body:?}", method.parameters));
        let method = stack.template.add(Kind::ApiMethod.digested(&text), method);
        deployment = deployment.after(&method);
        stack.template.add(Kind::ApiPermission.digested(&text), permission(&rest, function, route));
    }
    if routes.iter().any(|route| route.method.has_body()) {
        let answer = GatewayResponse {
            api: rest.api_id(),
            kind: "BAD_REQUEST_BODY",
            parameters: cors.as_ref().map(cors::header),
            templates: Some(vec![("application/json".into(), INVALID_BODY)]),
        };
        content.push_str(INVALID_BODY);
        let answer = stack.template.add(Kind::ApiGatewayResponse.digested(answer.kind), answer);
        deployment = deployment.after(&answer);
    }
    if let Some(cors) = cors {
        deployment = cors::lower(stack, &mut tree, api, cors, deployment);
    }
    // A deployment is a picture that never changes, so other routes make another one.
    let deployment = stack.template.add(Kind::ApiDeployment.versioned(&content), deployment);

    let key = stack.import(&kept.key, KEY);
    let group = logs::name(format!("/aws/apigateway/{}", cx.names.plain(&["access"], 400)));
    let log_group = logs::add(cx, stack, Kind::ApiAccessLogs.fixed(), &group, &key);
    let account = lower_account(cx, stack);
    let stage = Stage {
        api: rest.api_id(),
        deployment: deployment.deployment_id(),
        name: STAGE,
        access_log: AccessLogSetting { destination: log_destination(&group), format: ACCESS_LOG },
        methods: vec![MethodSetting {
            verb: "*",
            path: "/*",
            metrics: true,
            rate: throttle.rate,
            burst: throttle.burst,
        }],
        tracing: true,
        tags: cx.tag_list(),
    };
    let stage = Declaration::from(stage).after(&account).after(&log_group);
    let stage = stack.template.add(Kind::RestStage.fixed(), stage);

    if *access == Access::ApiKey {
        let plan = UsagePlan {
            name: cx.names.usage_plan(),
            stages: vec![ApiStage { api: rest.api_id(), stage: stage.name() }],
            throttle: ThrottleSettings { rate: throttle.rate, burst: throttle.burst },
            quota: throttle.daily.map(|limit| QuotaSettings { limit, period: "DAY" }),
            tags: cx.tag_list(),
        };
        let plan = stack.template.add(Kind::ApiUsagePlan.fixed(), plan);
        let key = ApiKey {
            name: cx.names.api_key(),
            description: format!("Calls the API of the lake {} in {}", cx.lake.name, cx.environment.name),
            enabled: true,
            tags: cx.tag_list(),
        };
        let key = stack.template.add(Kind::ApiKey.fixed(), key);
        let member = UsagePlanKey { key: key.key_id(), kind: "API_KEY", plan: plan.plan_id() };
        stack.template.add(Kind::ApiUsageKey.fixed(), member);
        let description = "Id of the key that callers send in x-api-key; GetApiKey tells its value";
        stack.template.output(LogicalId::fixed("ApiKeyId"), description, key.key_id(), None);
    }
    if let Some(waf) = waf {
        edge::lower_waf(cx, stack, &rest, &stage, &key, waf);
    }
    if let Some(domain) = domain {
        edge::lower_domain(cx, stack, &rest, &stage, domain);
    }
    let url: Value<crate::cfn::Text> = sub![
        "https://",
        rest.api_id(),
        ".execute-api.",
        pseudo::region(),
        ".",
        pseudo::url_suffix(),
        "/",
        stage.name()
    ];
    stack.template.output(LogicalId::fixed("ApiUrl"), "Where the API answers", url, None);
}

/// The document for those who call the API.
pub(super) fn document(cx: &Context, api: &Api) -> String {
    let Context { lake, environment, .. } = cx;
    let place = Place { lake: &lake.name, environment: &environment.name, region: &environment.region, stage: STAGE };
    openapi::document(api, lake.description.as_deref(), &place)
}

/// API Gateway logs with a role that is set once per account and region. It stays when the stack goes, because other APIs of
/// the account log with it too.
fn lower_account(cx: &Context, stack: &mut StackTemplate) -> Ref<Account> {
    let role = ServiceRole {
        description: "API Gateway writes to CloudWatch Logs",
        trust: Policy(vec![Statement::assume(Principal::Service("apigateway.amazonaws.com"))]),
        managed: vec![sub![
            "arn:",
            pseudo::partition(),
            ":iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
        ]],
        tags: cx.tag_list(),
    };
    let role = Declaration::from(role).retention(Retention::Retain);
    let role = stack.template.add(Kind::ApiCloudWatchRole.fixed(), role);
    let account = Declaration::from(Account { role: role.arn() }).retention(Retention::Retain);
    stack.template.add(Kind::ApiLogging.fixed(), account)
}

/// Reached in its own region: a domain or a CDN of the user's can stand before it.
fn regional() -> EndpointConfiguration {
    EndpointConfiguration { types: vec!["REGIONAL"] }
}

/// What bodies must be.
struct Bodies {
    rest: Ref<RestApi>,
    /// The model of bodies of which nothing more is said.
    any: Option<Ref<Model>>,
}

impl Bodies {
    /// The model of the body of a route, if its requests carry one.
    fn of(&mut self, stack: &mut StackTemplate, text: &str, route: &Route) -> Option<Value<Name<Model>>> {
        if !route.method.has_body() {
            return None;
        }
        let mut add = |id: LogicalId, name: String, mut schema: serde_json::Value| {
            schema["$schema"] = "http://json-schema.org/draft-04/schema#".into();
            let model = Model { api: self.rest.api_id(), name, content_type: "application/json", schema };
            stack.template.add(id, model)
        };
        Some(match &route.body {
            // The name is the id's: a changed body keeps its model, which CloudFormation changes in place.
            Some(fields) => {
                let id = Kind::ApiBodyModel.digested(text);
                add(id.clone(), id.to_string(), object_schema(fields)).name()
            }
            None => {
                let any = || add(Kind::ApiBodyModel.fixed(), "Body".into(), serde_json::json!({ "type": "object" }));
                self.any.get_or_insert_with(any).name()
            }
        })
    }
}

/// The resources made so far, by path.
struct Tree {
    rest: Ref<RestApi>,
    resources: BTreeMap<String, Ref<Resource>>,
}

impl Tree {
    /// The resource of a path, made with those above it where they are missing.
    fn resource(&mut self, stack: &mut StackTemplate, segments: &[Segment]) -> Value<Attribute<Resource>> {
        let mut path = String::new();
        let mut parent = self.rest.root();
        for segment in segments {
            let segment = match segment {
                Segment::Literal(text) => text.clone(),
                Segment::Parameter(name) => format!("{{{name}}}"),
            };
            path.push('/');
            path.push_str(&segment);
            let resource = self.resources.entry(path.clone()).or_insert_with(|| {
                let resource = Resource { api: self.rest.api_id(), parent, segment };
                stack.template.add(Kind::ApiResource.digested(&path), resource)
            });
            parent = resource.resource_id();
        }
        parent
    }
}

/// Which parameters a route has, and whether a request without one is refused.
fn parameters(route: &Route) -> Option<Vec<(Cow<'static, str>, bool)>> {
    let path = route.path_parameters.iter().map(|parameter| (format!("method.request.path.{}", parameter.name), true));
    let query = route.query_parameters.iter();
    let query = query.map(|parameter| (format!("method.request.querystring.{}", parameter.name), parameter.required));
    let all: Vec<_> = path.chain(query).map(|(name, required)| (Cow::Owned(name), required)).collect();
    (!all.is_empty()).then_some(all)
}

fn invocation(function: &Value<Arn<Function>>) -> Value<crate::cfn::Text> {
    sub![
        "arn:",
        pseudo::partition(),
        ":apigateway:",
        pseudo::region(),
        ":lambda:path/2015-03-31/functions/",
        function,
        "/invocations"
    ]
}

/// Leave for the API to call the function for one route and nothing else.
fn permission(rest: &Ref<RestApi>, function: &Value<Arn<Function>>, route: &Route) -> Permission {
    let path = route.segments.iter().map(|segment| match segment {
        Segment::Literal(text) => format!("/{text}"),
        Segment::Parameter(_) => "/*".to_owned(),
    });
    let path: String = path.collect();
    Permission {
        function: function.clone(),
        action: "lambda:InvokeFunction",
        principal: "apigateway.amazonaws.com",
        source: sub![
            "arn:",
            pseudo::partition(),
            ":execute-api:",
            pseudo::region(),
            ":",
            pseudo::account(),
            ":",
            rest.api_id(),
            "/",
            STAGE,
            "/",
            route.method.as_str(),
            if path.is_empty() { "/".to_owned() } else { path }
        ],
    }
}
