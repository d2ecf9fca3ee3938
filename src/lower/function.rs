//! Lambda functions.

use std::borrow::Cow;

use super::grant::{self, Grant, Items};
use super::names::{Kind, endpoint_arn};
use super::storage::Kept;
use super::{Context, KEY, asset_bucket, logs};
use crate::assembly::StackTemplate;
use crate::cfn::iam::{Action, Principal, Statement, Unscoped};
use crate::cfn::kms::Key;
use crate::cfn::lambda::{self, Code, Environment, LoggingConfig, TracingConfig};
use crate::cfn::logs::LogGroup;
use crate::cfn::{Arn, Ref, Text, Value};
use crate::lake::{Function, Id, Model};
use crate::region::LambdaFeature;

/// The newest Python that has been out for years. 3.11, which runs functions locally, is deprecated by Lambda in June 2027;
/// what runs on it with nothing but the standard library and boto3 runs on 3.13.
const RUNTIME: &str = "python3.13";
/// A fifth cheaper than `x86_64`, and functions bring no compiled code.
const ARCHITECTURE: &str = "arm64";

/// A function of lakegen's own.
pub(super) struct Own<'a> {
    /// The ids of its log group, its role and itself.
    pub kinds: (Kind, Kind, Kind),
    pub name: String,
    /// What it does, as the console shows it.
    pub description: String,
    pub role: String,
    /// What its role is for.
    pub takes: &'static str,
    /// What it may do besides writing its log.
    pub statements: Vec<Statement>,
    pub handler: &'static str,
    pub code: Code,
    pub memory_mb: u32,
    pub timeout_seconds: u32,
    pub variables: Vec<(Cow<'static, str>, Value<Text>)>,
    /// What encrypts its log, and its variables if it has any.
    pub key: &'a Value<Arn<Key>>,
    /// It puts messages back into the queue that calls it. Lambda takes that for a mistake and stops after about 16 times, unless it
    /// is told. Source: "Use Lambda recursive loop detection to prevent infinite loops".
    pub calls_itself: bool,
}

/// Adds a function of lakegen's own with its log group and its role.
pub(super) fn own(cx: &Context, stack: &mut StackTemplate, own: Own) -> Ref<lambda::Function> {
    let Own {
        kinds: (logs, role, function),
        name,
        description,
        role: role_name,
        takes,
        mut statements,
        handler,
        code,
        memory_mb,
        timeout_seconds,
        variables,
        key,
        calls_itself,
    } = own;
    let group = logs::name(format!("/aws/lambda/{name}"));
    let log_group = logs::add(cx, stack, logs.fixed(), &group, key);
    statements.extend([grant::write_logs([&group]), grant::use_key_for_logs(key)]);
    let trust = Statement::assume(Principal::Service("lambda.amazonaws.com"));
    let role = grant::add_role(cx, stack, role.fixed(), &role_name, takes, trust, statements);
    let has_variables = !variables.is_empty();
    let resource = lambda::Function {
        name: Value::literal(name),
        description,
        runtime: RUNTIME,
        architectures: vec![ARCHITECTURE],
        handler: handler.into(),
        code,
        role: role.arn(),
        memory_mb,
        timeout_seconds,
        environment: has_variables.then_some(Environment { variables }),
        key: has_variables.then(|| key.clone()),
        logging: logging(cx, &log_group),
        tracing: None,
        recursive_loop: (calls_itself && has(cx, LambdaFeature::LoopDetection)).then_some("Allow"),
        tags: cx.tag_list(),
    };
    stack.template.add(function.fixed(), resource)
}

fn logging(cx: &Context, group: &Ref<LogGroup>) -> LoggingConfig {
    let format = if has(cx, LambdaFeature::JsonLogs) { "JSON" } else { "Text" };
    LoggingConfig { format, group: group.name() }
}

/// Whether Lambda can do it in the region of the environment.
pub(super) fn has(cx: &Context, feature: LambdaFeature) -> bool {
    feature.is_in(&cx.environment.region)
}

pub(super) fn lower(
    cx: &Context,
    stack: &mut StackTemplate,
    kept: &Kept,
    id: Id<Function>,
    function: &Function,
) -> Ref<lambda::Function> {
    let key = stack.import(&kept.key, KEY);
    let assets = asset_bucket(stack);
    let Function { name, source: _, handler, reads, calls, memory_mb, timeout_seconds, environment } = function;
    let physical = cx.names.function(name);
    let group = logs::name(format!("/aws/lambda/{physical}"));
    let log_group = logs::add(cx, stack, Kind::FunctionLogs.of(name), &group, &key);

    let mut grant = Grant::default().read(cx, reads, Items::Lookup);
    if !calls.is_empty() {
        let endpoints =
            calls.iter().map(|model| endpoint_arn(&cx.names.endpoint(&cx.lake.models[*model].in_aws)).pattern());
        grant = grant.and([Statement::allow("AskModels", [Action::SAGEMAKER_INVOKE_ENDPOINT], endpoints)]);
    }
    let trace = [Unscoped::XRAY_PUT_TELEMETRY_RECORDS, Unscoped::XRAY_PUT_TRACE_SEGMENTS];
    let statements = grant
        .decrypts()
        .and([grant::write_logs([&group]), grant::use_key_for_logs(&key)])
        .and([Statement::unscoped("Trace", trace)])
        .statements(&key);
    let trust = Statement::assume(Principal::Service("lambda.amazonaws.com"));
    let description = format!("What the function {name} may do");
    let role_name = cx.names.role("function", name);
    let role = grant::add_role(cx, stack, Kind::FunctionRole.of(name), &role_name, &description, trust, statements);

    let mut variables: Vec<(Cow<'static, str>, Value<Text>)> = vec![
        ("LAKE".into(), Value::literal(cx.lake.name.clone())),
        ("LAKE_ENV".into(), Value::literal(cx.environment.name.clone())),
    ];
    for &table in reads {
        let name = &cx.lake.tables[table].name;
        // A function asks DynamoDB by the table's name, and S3 by address.
        let value = match cx.place(table) {
            Some(place) => place.uri().text(),
            None => cx.names.items(&cx.lake.tables[table]).text(),
        };
        variables.push((format!("TABLE_{}", name.to_uppercase()).into(), value));
    }
    for &model in calls {
        let Model { name, in_aws, .. } = &cx.lake.models[model];
        let endpoint = Value::literal(cx.names.endpoint(in_aws));
        variables.push((format!("ENDPOINT_{}", name.to_uppercase()).into(), endpoint));
    }
    if let Some(cors) = cx.lake.api.as_ref().and_then(|api| api.cors.as_ref()) {
        variables.push(("CORS_ORIGIN".into(), Value::literal(cors.origin.clone())));
    }
    variables.extend(environment.iter().map(|(name, value)| (name.clone().into(), Value::literal(value.clone()))));

    let function = lambda::Function {
        name: Value::literal(physical),
        description: format!("The function {name} of the lake {}", cx.lake.name),
        runtime: RUNTIME,
        architectures: vec![ARCHITECTURE],
        handler: handler.clone(),
        code: Code::archive(assets, cx.assets.function(id).to_string()),
        role: role.arn(),
        memory_mb: *memory_mb,
        timeout_seconds: *timeout_seconds,
        environment: Some(Environment { variables }),
        key: Some(key),
        logging: logging(cx, &log_group),
        tracing: has(cx, LambdaFeature::Tracing).then_some(TracingConfig { mode: "Active" }),
        recursive_loop: None,
        tags: cx.tag_list(),
    };
    let function = stack.template.add(Kind::FunctionCode.of(name), function);
    stack.template.output(Kind::FunctionCode.of(name), format!("Name of the function {name}"), function.name(), None);
    function
}
