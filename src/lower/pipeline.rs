//! Pipelines: the ledger, the function that advances runs, and the events that it hears.
//!
//! `docs/ledger.md` says what the function does. What it must know of the lake is the *plan*, a JSON text among the assets, whose
//! values are in the notation of `Fn::Sub` where only the account knows them.

use std::collections::HashMap;

use serde_json::{Value as Json, json};

use super::events::{self, HOUR, Hearer, When};
use super::function::{self, Own};
use super::model::Trained;
use super::names::{Kind, arn, bucket_arn, role_arn};
use super::storage::Kept;
use super::{Context, KEY, asset_bucket, checks, query};
use crate::assembly::{AssetPath, Assets, Origin, RenderedStack, StackTemplate, Training};
use crate::cfn::dynamodb::{self, AttributeDefinition, AttributeType, KeySchema, TimeToLiveSpecification};
use crate::cfn::events::Rule;
use crate::cfn::iam::{Action, Role, Statement};
use crate::cfn::kms::Key;
use crate::cfn::lambda::{Code, DestinationConfig, EventInvokeConfig, Function, OnFailure, Permission};
use crate::cfn::sns::{Subscription, Topic};
use crate::cfn::sqs::Queue;
use crate::cfn::{Arn, ArnPattern, Declaration, IntoNode, Name, Node, Ref, Text, Value, sub};
use crate::lake::{Format, Home, Id, Mode, Model, Output, Pipeline, Query, Ruleset, Start, StepId, Table};
use crate::placement::Part;

/// The lease of a claim in `runs.py` is longer.
const TIMEOUT_SECONDS: u32 = 300;
const MEMORY_MB: u32 = 512;
/// How often a failed step is tried again where no pipeline says so.
const RETRIES: u32 = 1;
/// Glue's own default.
const CHECK_WORKERS: u32 = 5;
/// Glue's own default is two days; as long as its jobs have here where nothing is said.
const CHECK_MINUTES: u32 = 120;

/// The events that end steps: the rule's name, the source, the detail-type, and where the detail says of what.
const ENDS: [(&str, &str, &str, &str); 5] = [
    ("crawler-ended", "aws.glue", "Glue Crawler State Change", "crawlerName"),
    ("job-ended", "aws.glue", "Glue Job State Change", "jobName"),
    ("recipe-ended", "aws.databrew", "DataBrew Job State Change", "jobName"),
    ("query-ended", "aws.athena", "Athena Query State Change", "workgroupName"),
    ("training-ended", "aws.sagemaker", "SageMaker Training Job State Change", "TrainingJobName"),
];

/// Adds the ledger to what must not be lost.
pub(super) fn lower_ledger(cx: &Context, stack: &mut StackTemplate, kept: &Kept) {
    let text = |name: &str| AttributeDefinition { name: name.into(), kind: AttributeType::Text };
    let ledger = dynamodb::Table {
        name: Value::literal(cx.names.ledger()),
        billing: "PAY_PER_REQUEST",
        attributes: vec![text("pk"), text("sk")],
        keys: vec![KeySchema { name: "pk".into(), kind: "HASH" }, KeySchema { name: "sk".into(), kind: "RANGE" }],
        encryption: dynamodb::SseSpecification { enabled: true, kind: "KMS", key: kept.key_here.clone() },
        recovery: dynamodb::PointInTimeRecoverySpecification { enabled: true },
        expiry: Some(TimeToLiveSpecification { attribute: "expires", enabled: true }),
        deletion_protection: cx.environment.protected,
        tags: cx.tag_list(),
    };
    let declaration = Declaration::from(ledger).retention(cx.retention());
    stack.comes_from(None);
    let ledger = stack.template.add(Kind::RunLedger.fixed(), declaration);
    stack.export(Kind::RunLedger.fixed(), "Table of runs and their steps", ledger.name());
}

/// The stack of the function and what it hears; the plan becomes an asset. It comes after `processing`, whose steps it starts.
pub(super) fn lower<T>(
    cx: &Context,
    kept: &Kept,
    code: &AssetPath,
    assets: &mut Assets,
    trained: &[Trained],
    processing: &[RenderedStack<T>],
) -> StackTemplate {
    let mut pipelines = cx.stack(Part::Pipelines, 1);
    processing.iter().for_each(|other| pipelines.comes_after(other.name.clone()));
    let stack = &mut pipelines;
    stack.comes_from(Some(Origin { section: "pipelines", name: None }));
    let key = stack.import(&kept.key, KEY);
    let bucket = asset_bucket(stack);
    // `to_string` of the value itself is several times slower.
    let plan = serde_json::to_string(&plan(cx, &key, trained)).unwrap_or_default();
    let plan = assets.text("the plan of steps and pipelines", plan, "json").to_string();
    let topic = lower_topic(cx, stack, &key);
    let kinds = (Kind::FailedEventsQueue, Kind::FailedEventsAlarm);
    let told = topic.as_ref().map(|topic| topic.arn());
    let failed = events::failures(cx, stack, kinds, (cx.names.rule("run-failed"), "Events"), told);
    events::open(stack, (Kind::FailedEventsPolicy, "KeepFailed"), &failed, ("ArnLike", rules(cx)));

    let mut statements = grants(cx, &failed);
    statements
        .extend(topic.iter().map(|topic| Statement::allow("Tell", [Action::SNS_PUBLISH], [topic.arn().pattern()])));
    statements.push(Statement::allow("ReadPlan", [Action::S3_GET_OBJECT], [sub![bucket_arn(&bucket), "/", &plan]]));
    let ledger: Value<Arn<dynamodb::Table>> = arn("dynamodb", sub!["table/", cx.names.ledger()]);
    let actions = [Action::DYNAMODB_GET_ITEM, Action::DYNAMODB_PUT_ITEM, Action::DYNAMODB_QUERY];
    statements.push(Statement::allow("KeepLedger", actions, [ledger.pattern()]));
    let use_key = [Action::KMS_DECRYPT, Action::KMS_GENERATE_DATA_KEY];
    statements.push(Statement::allow("UseKey", use_key, [key.pattern()]));

    let mut variables: Vec<(std::borrow::Cow<'static, str>, Value<Text>)> = vec![
        ("LAKE".into(), Value::literal(cx.lake.name.clone())),
        ("LAKE_ENV".into(), Value::literal(cx.environment.name.clone())),
        ("LEDGER".into(), Value::literal(cx.names.ledger())),
        ("ASSET_BUCKET".into(), bucket.text()),
        ("PLAN".into(), Value::literal(plan)),
        ("KEY_ARN".into(), key.text()),
        ("TICK_RULE".into(), Value::literal(cx.names.rule("run-tick"))),
    ];
    variables.extend(topic.iter().map(|topic| ("TOPIC_ARN".into(), topic.arn().text())));
    let advance = Own {
        kinds: (Kind::AdvanceLogs, Kind::AdvanceRole, Kind::AdvanceFunction),
        name: cx.names.advance(),
        description: format!("Starts the steps of {} whose inputs are fresh", cx.lake.name),
        role: cx.names.pipeline_role(),
        takes: "What advancing runs takes",
        statements,
        handler: "handler.handler",
        code: Code::archive(bucket, code.to_string()),
        memory_mb: MEMORY_MB,
        timeout_seconds: TIMEOUT_SECONDS,
        variables,
        key: &key,
        calls_itself: false,
    };
    let function = function::own(cx, stack, advance);
    stack.export(Kind::AdvanceFunction.fixed(), "Function that starts and advances runs", function.name());
    let asynchronous = EventInvokeConfig {
        function: function.name(),
        qualifier: "$LATEST",
        retries: 2,
        seconds: HOUR,
        destinations: DestinationConfig { on_failure: OnFailure { queue: failed.arn() } },
    };
    stack.template.add(Kind::AdvanceCalls.fixed(), asynchronous);
    lower_rules(cx, stack, &function, &failed);
    pipelines
}

fn lower_topic(cx: &Context, stack: &mut StackTemplate, key: &Value<Arn<Key>>) -> Option<Ref<Topic>> {
    let endpoint = cx.environment.alert.clone()?;
    let topic = Topic { name: Value::literal(cx.names.rule("alert")), key: key.clone(), tags: cx.tag_list() };
    let topic = stack.template.add(Kind::AlertTopic.fixed(), topic);
    let subscription = Subscription { topic: topic.arn(), protocol: "email", endpoint };
    stack.template.add(Kind::AlertMail.fixed(), subscription);
    Some(topic)
}

/// What starting, finding, watching and stopping the steps of this lake takes.
fn grants(cx: &Context, failed: &Ref<Queue>) -> Vec<Statement> {
    // Thousands of names would not fit into policies; every name of this lake in this environment begins alike.
    let of = |service: &str, resource: &str, name: String| -> Value<ArnPattern> {
        arn::<Function>(service, sub![resource, name]).pattern()
    };
    let lake = &cx.lake;
    let all = |kind: &str| cx.names.plain(&[kind], usize::MAX);
    let all_of = |kind: &str| cx.names.plain(&[kind, "*"], usize::MAX);
    let pass = |sid: &'static str, roles: Value<Arn<Role>>, service: &'static str| {
        let statement = Statement::allow(sid, [Action::IAM_PASS_ROLE], [roles.pattern()]);
        statement.only_if("StringEquals", "iam:PassedToService", service.into())
    };
    let mut statements = vec![Statement::allow("KeepFailed", [Action::SQS_SEND_MESSAGE], [failed.arn().pattern()])];
    if !lake.crawlers.is_empty() {
        let actions = [Action::GLUE_GET_CRAWLER, Action::GLUE_START_CRAWLER, Action::GLUE_STOP_CRAWLER];
        statements.push(Statement::allow("RunCrawlers", actions, [of("glue", "crawler/", all("*"))]));
    }
    if !lake.jobs.is_empty() {
        let actions = [
            Action::GLUE_BATCH_STOP_JOB_RUN,
            Action::GLUE_GET_JOB_RUN,
            Action::GLUE_GET_JOB_RUNS,
            Action::GLUE_START_JOB_RUN,
        ];
        statements.push(Statement::allow("RunJobs", actions, [of("glue", "job/", all("*"))]));
    }
    if !lake.recipes.is_empty() {
        let actions = [
            Action::DATABREW_DESCRIBE_JOB_RUN,
            Action::DATABREW_LIST_JOB_RUNS,
            Action::DATABREW_START_JOB_RUN,
            Action::DATABREW_STOP_JOB_RUN,
        ];
        let jobs = of("databrew", "job/", all("*").replace('_', "-"));
        statements.push(Statement::allow("RunRecipes", actions, [jobs]));
    }
    if !lake.queries.is_empty() {
        let actions = [Action::ATHENA_GET_QUERY_EXECUTION, Action::ATHENA_STOP_QUERY_EXECUTION];
        let work_groups = work_groups(cx).into_iter().map(|name| of("athena", "workgroup/", name));
        statements.push(Statement::allow("WatchQueries", actions, work_groups));
        let roles = role_arn(&all_of("query"));
        statements.push(Statement::allow("BeQueries", [Action::STS_ASSUME_ROLE], [roles.pattern()]));
    }
    if !lake.checks.is_empty() {
        let rulesets = of("glue", "dataQualityRuleset/", all("*"));
        let actions = [Action::GLUE_GET_DATA_QUALITY_RESULT, Action::GLUE_START_DATA_QUALITY_RULESET_EVALUATION_RUN];
        statements.push(Statement::allow("RunChecks", actions, [rulesets]));
        // A run has no name of its own: these actions know rulesets as a whole.
        let actions = [
            Action::GLUE_CANCEL_DATA_QUALITY_RULESET_EVALUATION_RUN,
            Action::GLUE_GET_DATA_QUALITY_RULESET_EVALUATION_RUN,
        ];
        let any = of("glue", "dataQualityRuleset/", "*".to_owned());
        statements.push(Statement::allow("WatchChecks", actions, [any]));
        statements.push(pass("PassCheckRoles", role_arn(&all_of("check")), "glue.amazonaws.com"));
    }
    if !lake.models.is_empty() {
        let actions = [
            Action::SAGEMAKER_ADD_TAGS,
            Action::SAGEMAKER_CREATE_TRAINING_JOB,
            Action::SAGEMAKER_DESCRIBE_TRAINING_JOB,
            Action::SAGEMAKER_STOP_TRAINING_JOB,
        ];
        let jobs = of("sagemaker", "training-job/", all("*").replace('_', "-"));
        statements.push(Statement::allow("RunTrainings", actions, [jobs]));
        statements.push(pass("PassModelRoles", role_arn(&all_of("model")), "sagemaker.amazonaws.com"));
    }
    statements
}

/// The names of the workgroups in which steps run.
fn work_groups(cx: &Context) -> Vec<String> {
    let used = |id| cx.lake.queries.values().any(|query| query.workgroup == id);
    let groups = cx.lake.workgroups.iter().filter(|(id, _)| used(*id));
    groups.map(|(_, group)| query::work_group_name(cx, group)).collect()
}

fn lower_rules(cx: &Context, stack: &mut StackTemplate, function: &Ref<Function>, failed: &Ref<Queue>) {
    let mut add = |name: String, description: String, when: When| {
        let hearer = Hearer { id: "advance", arn: function.arn().pattern(), input: None, failed };
        events::rule(cx, stack, (Kind::EventRule.digested(&name), name), description, when, hearer);
    };
    for Pipeline { name, start, .. } in cx.lake.pipelines.values() {
        match start {
            Start::Schedule(expression) => {
                add(cx.names.rule(name), format!("Starts {name}"), When::Clock(expression.clone()));
            }
            Start::Upload(table) => {
                let Some(place) = cx.place(*table) else { continue };
                let bucket = Node::map([("name", Node::List(place.bucket.into_node().into_iter().collect()))]);
                let key = Node::List(vec![Node::map([("prefix", Node::text(place.prefix))])]);
                let detail = Node::map([("bucket", bucket), ("object", Node::map([("key", key)]))]);
                let pattern = events::pattern("aws.s3", "Object Created", detail);
                add(cx.names.rule(name), format!("Starts {name} when a file arrives"), When::Event(pattern));
            }
            Start::Manual => {}
        }
    }
    let lake = cx.lake;
    let there = [&lake.crawlers.len(), &lake.jobs.len(), &lake.recipes.len(), &lake.queries.len(), &lake.models.len()];
    for ((rule, source, kind, field), _) in ENDS.into_iter().zip(there).filter(|(_, count)| **count > 0) {
        let name = cx.names.plain(&[], 128);
        let beginning = |name: String| vec![Node::map([("prefix", Node::text(format!("{name}-")))])];
        // Workgroups are named whole; other names begin with the lake's.
        let named = match field {
            "workgroupName" => work_groups(cx).into_iter().map(Node::text).collect(),
            "crawlerName" => beginning(name),
            _ if source == "aws.glue" => beginning(name),
            _ => beginning(name.replace('_', "-")),
        };
        let detail = Node::map([(field, Node::List(named))]);
        let description = "Hears how steps end".to_owned();
        add(cx.names.rule(rule), description, When::Event(events::pattern(source, kind, detail)));
    }
    if !lake.checks.is_empty() {
        let database = Node::List(vec![Node::text(cx.names.database())]);
        let detail = Node::map([("context", Node::map([("databaseName", database)]))]);
        let pattern = events::pattern("aws.glue-dataquality", "Data Quality Evaluation Results Available", detail);
        add(cx.names.rule("check-ended"), "Hears how checks end".to_owned(), When::Event(pattern));
    }
    let description = "Looks after what is under way".to_owned();
    add(cx.names.rule("run-tick"), description, When::Clock("rate(5 minutes)".into()));
    // One for all rules: a function's policy has 20 KB, and a rule's own statement would take 300 bytes of it.
    let permission = Permission {
        function: function.arn(),
        action: "lambda:InvokeFunction",
        principal: "events.amazonaws.com",
        source: rules(cx).pattern(),
    };
    stack.template.add(Kind::RulePermission.fixed(), permission);
}

/// The ARNs of the rules of this lake.
fn rules(cx: &Context) -> Value<Arn<Rule>> {
    arn("events", sub!["rule/", cx.names.rule("*")])
}

fn plan(cx: &Context, key: &Value<Arn<Key>>, trained: &[Trained]) -> Json {
    let name = |id: &StepId| cx.lake.step_name(*id);
    let trained: HashMap<_, _> = trained.iter().map(|trained| (trained.name.as_str(), &trained.training)).collect();
    let steps = cx.lake.steps.iter().map(|step| {
        let mut entry = json!({"kind": step.id.kind(), "after": step.after.iter().map(name).collect::<Vec<_>>()});
        let start = match step.id {
            StepId::Crawler(id) => json!({"crawler": cx.names.plain(&[&cx.lake.crawlers[id].name], 255)}),
            StepId::Job(id) => json!({"job": cx.names.plain(&[&cx.lake.jobs[id].in_aws], 255)}),
            StepId::Recipe(id) => json!({"job": cx.names.recipe(&cx.lake.recipes[id].name)}),
            StepId::Query(id) => query_start(cx, &cx.lake.queries[id]),
            StepId::Model(id) => trained.get(name(&step.id)).map_or(Json::Null, |training| {
                let request = training_request(cx, key, &cx.lake.models[id], training);
                json!({"prefix": training.name_prefix, "request": request})
            }),
        };
        let checks: Vec<Json> = cx.lake.step_checks_in_aws(step.id).map(|ruleset| check(cx, ruleset)).collect();
        if !checks.is_empty() {
            entry["checks"] = checks.into();
        }
        if let (Json::Object(entry), Json::Object(start)) = (&mut entry, start) {
            entry.extend(start);
        }
        (name(&step.id).to_owned(), entry)
    });
    let pipelines = cx.lake.pipelines.values().map(|pipeline| {
        let Pipeline { name: pipeline, start, steps, retries, max_concurrent } = pipeline;
        let (mut rules, mut uploads) = (Vec::new(), Vec::new());
        match start {
            Start::Schedule(_) => rules.push(cx.names.rule(pipeline)),
            Start::Upload(table) => uploads.extend(cx.place(*table).map(place)),
            Start::Manual => {}
        }
        let steps: Vec<_> = steps.iter().map(name).collect();
        let mut entry = json!({"rules": rules, "uploads": uploads, "steps": steps});
        for (key, number) in [("retries", retries), ("max_concurrent", max_concurrent)] {
            if let Some(number) = number {
                entry[key] = json!(number);
            }
        }
        (pipeline.clone(), entry)
    });
    json!({
        "retries": RETRIES,
        "pipelines": pipelines.collect::<serde_json::Map<_, _>>(),
        "steps": steps.collect::<serde_json::Map<_, _>>(),
    })
}

fn place(place: super::Place) -> Json {
    json!({"bucket": place.bucket.notation(), "prefix": place.prefix})
}

fn query_start(cx: &Context, query: &Query) -> Json {
    let Some(place) = query::place(cx, &query.output) else { return Json::Null };
    let statements = [query::statement(cx, query, &place).notation()];
    let mut start = json!({
        "role": role_arn(&cx.names.role("query", &query.name)).notation(),
        "workgroup": query::work_group_name(cx, &cx.lake.workgroups[query.workgroup]),
        "database": cx.names.database(),
        "statements": statements,
        "clear": [],
    });
    match &query.output {
        Output::Table { table: _, mode: Mode::Replace } | Output::Files(_) => {
            start["clear"] = json!([self::place(place)])
        }
        Output::Table { table: _, mode: Mode::Merge(_) } => {}
        Output::Table { table, mode: Mode::Append } => match &cx.lake.tables[*table].home {
            Home::Zone { format: Format::Iceberg(_), .. } => {}
            // An `INSERT` that fails may leave rows behind, which a second one would double; in Iceberg it is all or nothing.
            Home::Zone { .. } | Home::DynamoDb { .. } | Home::View { .. } => start["retries"] = json!(0),
        },
    }
    start
}

/// A ruleset as its evaluation is asked for; the request of `StartDataQualityRulesetEvaluationRun`, without the token.
fn check(cx: &Context, ruleset: &Ruleset) -> Json {
    let Ruleset { table, rules: _, fails, others } = ruleset;
    let name = &cx.lake.tables[*table].name;
    let source = |table: Id<Table>| json!({"GlueTable": {"DatabaseName": cx.names.database(), "TableName": cx.lake.tables[table].name}});
    let mut request = json!({
        "DataSource": source(*table),
        "Role": role_arn(&cx.names.role("check", name)).notation(),
        "NumberOfWorkers": CHECK_WORKERS,
        "Timeout": CHECK_MINUTES,
        "RulesetNames": [checks::ruleset_name(cx, name)],
        // Without metrics no event tells of the results. Source: "Setting up alerts, deployments, and scheduling" of Glue Data Quality.
        "AdditionalRunOptions": {"CloudWatchMetricsEnabled": true},
    });
    if !others.is_empty() {
        let others = others.iter().map(|other| (cx.lake.tables[*other].name.clone(), source(*other)));
        request["AdditionalDataSources"] = others.collect::<serde_json::Map<_, _>>().into();
    }
    json!({"table": name, "fails": fails, "request": request})
}

/// The request of `CreateTrainingJob`, without the name.
fn training_request(cx: &Context, key: &Value<Arn<Key>>, model: &Model, training: &Training) -> Json {
    let bucket: Value<Name<crate::cfn::s3::Bucket>> = cx.names.model_bucket();
    let mut parameters: serde_json::Map<_, _> =
        training.hyperparameters.iter().map(|(name, value)| (name.clone(), json!(escaped(value)))).collect();
    parameters.insert("sagemaker_program".into(), json!(training.program));
    let source = format!("s3://${{AssetBucket}}/{}", training.source);
    parameters.insert("sagemaker_submit_directory".into(), json!(source));
    let channels = model.reads.iter().filter_map(|(channel, table)| {
        let uri = cx.place(*table)?.uri().notation();
        let source = json!({"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"});
        Some(json!({"ChannelName": channel, "DataSource": {"S3DataSource": source}}))
    });
    let metrics = training.metrics.iter().map(|metric| json!({"Name": metric.name, "Regex": escaped(&metric.regex)}));
    let mut machine = json!({
        "InstanceType": training.instance, "InstanceCount": training.instance_count, "VolumeSizeInGB": training.volume_gb,
    });
    if training.encrypt_volume {
        machine["VolumeKmsKeyId"] = json!(key.notation());
    }
    let output: Value<Text> = sub!["s3://", &bucket, "/", &training.output.prefix];
    let tags = cx.tag_list().0.into_iter().map(|(key, value)| json!({"Key": key, "Value": value.notation()}));
    json!({
        "AlgorithmSpecification": {
            "TrainingImage": training.image, "TrainingInputMode": "File", "MetricDefinitions": metrics.collect::<Vec<_>>(),
        },
        "RoleArn": role_arn(&cx.names.role("model", &model.in_aws)).notation(),
        "InputDataConfig": channels.collect::<Vec<_>>(),
        "OutputDataConfig": {"S3OutputPath": output.notation(), "KmsKeyId": key.notation()},
        "ResourceConfig": machine,
        "StoppingCondition": {"MaxRuntimeInSeconds": training.timeout_seconds},
        "HyperParameters": parameters,
        "Tags": tags.collect::<Vec<_>>(),
    })
}

/// A text of the blueprint's in the notation of `Fn::Sub`.
fn escaped(text: &str) -> String {
    Value::<Text>::literal(text.to_owned()).notation()
}
