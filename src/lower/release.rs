//! Releases: the function that makes trained models live, and the queue of trainings that it works through.
//!
//! `docs/release.md` says what it does. The end of a training comes from EventBridge into a queue, because a release waits: for
//! another update, for alarms, for the update that it has asked for. A message that cannot be worked off ends in a queue of
//! failures, on which an alarm stands.

use serde_json::{Value as Json, json};

use super::endpoint::alarm_names;
use super::events::{self, FORTNIGHT, Hearer, When};
use super::function::{self, Own};
use super::model::Trained;
use super::names::{Kind, arn, bucket_arn, role_arn};
use super::storage::Kept;
use super::{Context, KEY, asset_bucket};
use crate::assembly::{AssetPath, Assets, Origin, StackTemplate};
use crate::cfn::dynamodb;
use crate::cfn::events::InputTransformer;
use crate::cfn::iam::{Action, Role, Statement};
use crate::cfn::kms::Key;
use crate::cfn::lambda::{Code, EventSourceMapping, Function, MappingScale};
use crate::cfn::s3::Bucket;
use crate::cfn::sns::Topic;
use crate::cfn::sqs::{Queue, RedrivePolicy};
use crate::cfn::{Arn, ArnPattern, Declaration, Name, Node, Ref, Retention, Text, Value, sub};
use crate::lake::{Endpoint, Gate, Host, Model};
use crate::region::LambdaFeature;

const TIMEOUT_SECONDS: u32 = 60;
/// Six times the function's timeout, as Lambda's documentation recommends for queues.
const VISIBILITY_SECONDS: u32 = 6 * TIMEOUT_SECONDS;
/// How long a message that is put back stays away.
const WAIT_SECONDS: u32 = 60;
const MEMORY_MB: u32 = 256;
const TRIES: u32 = 5;

/// The stack of the function. It comes after those `before`: the endpoints that it updates, and the pipelines, with whose topic it
/// tells people. Its settings become an asset.
pub(super) fn lower(
    cx: &Context,
    kept: &Kept,
    code: &AssetPath,
    assets: &mut Assets,
    trained: &[Trained],
    before: &[&StackTemplate],
) -> StackTemplate {
    let description =
        format!("{} in {}: what releases its models (written by lakegen)", cx.lake.name, cx.environment.name);
    let mut release = StackTemplate::new(cx.names.stack(&["release"]), description);
    before.iter().for_each(|other| release.comes_after(other.name.clone()));
    let stack = &mut release;
    stack.comes_from(Some(Origin { section: "models", name: None }));
    let key: Value<Arn<Key>> = stack.import(&kept.key, KEY);
    let bucket = asset_bucket(stack);
    let models = assets.text("what releasing the models takes", models(cx, trained).to_string(), "json").to_string();
    let topic = cx.alert();
    let kinds = (Kind::FailedReleasesQueue, Kind::FailedReleasesAlarm);
    let failed = events::failures(cx, stack, kinds, (cx.names.rule("release-failed"), "Releases"), topic.clone());
    let queue = lower_queue(cx, stack, &failed);
    let function = lower_function(cx, stack, &queue, code, (&key, &bucket, &models, topic.as_ref()));
    let mapping = EventSourceMapping {
        function: function.name(),
        source: queue.arn(),
        batch: 1,
        // As few as there can be.
        scale: MappingScale { concurrency: 2 },
        tags: function::has(cx, LambdaFeature::MappingTags).then(|| cx.tag_list()),
    };
    stack.template.add(Kind::ReleaseMapping.fixed(), mapping);
    stack.export(
        Kind::ReleaseQueue.fixed(),
        "Queue of trainings to release; docs/release.md says how to ask for one",
        queue.url(),
    );
    release
}

/// The queue of trainings, and the rule that fills it.
fn lower_queue(cx: &Context, stack: &mut StackTemplate, failed: &Ref<Queue>) -> Ref<Queue> {
    let queue = Queue {
        name: Value::literal(cx.names.rule("release")),
        retention_seconds: FORTNIGHT,
        visibility_seconds: Some(VISIBILITY_SECONDS),
        redrive: Some(RedrivePolicy { failed: failed.arn(), tries: TRIES }),
        encrypted: true,
        tags: cx.tag_list(),
    };
    // What is lost with it, SageMaker still knows.
    let queue = Declaration::from(queue).retention(Retention::Delete);
    let queue = stack.template.add(Kind::ReleaseQueue.fixed(), queue);
    let ours = format!("{}-", cx.names.plain(&[], 128).replace('_', "-"));
    let detail = Node::map([
        ("TrainingJobStatus", Node::List(vec![Node::text("Completed")])),
        ("TrainingJobName", Node::List(vec![Node::map([("prefix", Node::text(ours))])])),
    ]);
    let hearer = Hearer {
        id: "release",
        arn: queue.arn().pattern(),
        input: Some(InputTransformer {
            paths: vec![("training".into(), "$.detail.TrainingJobName".into())],
            template: r#"{"training": <training>}"#,
        }),
        failed,
    };
    let rule = events::rule(
        cx,
        stack,
        (Kind::ReleaseRule.fixed(), cx.names.rule("training-completed")),
        "Hears of trained models".into(),
        When::Event(events::pattern("aws.sagemaker", "SageMaker Training Job State Change", detail)),
        hearer,
    );
    events::open(stack, (Kind::ReleasePolicy, "Hear"), &queue, ("ArnEquals", rule.arn()));
    events::open(stack, (Kind::FailedReleasesPolicy, "KeepFailed"), failed, ("ArnEquals", rule.arn()));
    queue
}

/// What the function is made with besides its code: the key, the bucket of assets, its settings there, and whom it tells.
type Means<'a> = (&'a Value<Arn<Key>>, &'a Value<Name<Bucket>>, &'a str, Option<&'a Value<Arn<Topic>>>);

fn lower_function(
    cx: &Context,
    stack: &mut StackTemplate,
    queue: &Ref<Queue>,
    code: &AssetPath,
    (key, bucket, models, topic): Means,
) -> Ref<Function> {
    let mut statements = grants(cx, queue);
    statements.extend([
        Statement::allow("ReadModels", [Action::S3_GET_OBJECT], [sub![bucket_arn(bucket), "/", models]]),
        Statement::allow("UseKey", [Action::KMS_DECRYPT, Action::KMS_GENERATE_DATA_KEY], [key.pattern()]),
    ]);
    statements.extend(topic.map(|topic| Statement::allow("Tell", [Action::SNS_PUBLISH], [topic.pattern()])));
    let mut variables: Vec<(std::borrow::Cow<'static, str>, Value<Text>)> = vec![
        ("LAKE".into(), Value::literal(cx.lake.name.clone())),
        ("LAKE_ENV".into(), Value::literal(cx.environment.name.clone())),
        ("LEDGER".into(), Value::literal(cx.names.ledger())),
        ("ASSET_BUCKET".into(), bucket.text()),
        ("MODELS".into(), Value::literal(models.to_owned())),
        ("QUEUE_URL".into(), queue.url().text()),
        ("WAIT_SECONDS".into(), Value::literal(WAIT_SECONDS.to_string())),
    ];
    variables.extend(topic.map(|topic| ("TOPIC_ARN".into(), topic.text())));
    let releaser = Own {
        kinds: (Kind::ReleaseLogs, Kind::ReleaserRole, Kind::ReleaseFunction),
        name: cx.names.releaser(),
        description: format!("Makes trained models of {} live", cx.lake.name),
        role: cx.names.releaser_role(),
        takes: "What releasing models takes",
        statements,
        handler: "handler.handler",
        code: Code::archive(bucket.clone(), code.to_string()),
        memory_mb: MEMORY_MB,
        timeout_seconds: TIMEOUT_SECONDS,
        variables,
        key,
        calls_itself: true,
    };
    function::own(cx, stack, releaser)
}

/// What judging, releasing and following takes. Thousands of names would not fit into a policy; every name of this lake in this
/// environment begins alike.
fn grants(cx: &Context, queue: &Ref<Queue>) -> Vec<Statement> {
    let hyphenated = |parts: &[&str]| cx.names.plain(parts, usize::MAX).replace('_', "-");
    let of = |service: &str, kind: &str, name: String| -> Value<ArnPattern> {
        arn::<Function>(service, sub![kind, name]).pattern()
    };
    let ledger: Value<Arn<dynamodb::Table>> = arn("dynamodb", sub!["table/", cx.names.ledger()]);
    let roles: Value<Arn<Role>> = role_arn(&cx.names.plain(&["release", "*"], usize::MAX));
    let stacks = of("cloudformation", "stack/", format!("{}-*/*", hyphenated(&["endpoint"])));
    vec![
        Statement::allow(
            "TakeMessages",
            [
                Action::SQS_DELETE_MESSAGE,
                Action::SQS_GET_QUEUE_ATTRIBUTES,
                Action::SQS_RECEIVE_MESSAGE,
                Action::SQS_SEND_MESSAGE,
            ],
            [queue.arn().pattern()],
        ),
        Statement::allow(
            "SeeTrainings",
            [Action::SAGEMAKER_DESCRIBE_TRAINING_JOB],
            [of("sagemaker", "training-job/", hyphenated(&["*"]))],
        ),
        Statement::allow(
            "SeeAlarms",
            [Action::CLOUDWATCH_DESCRIBE_ALARMS],
            [of("cloudwatch", "alarm:", hyphenated(&["*"]))],
        ),
        Statement::allow(
            "SeeStacks",
            [Action::CLOUDFORMATION_DESCRIBE_STACK_EVENTS, Action::CLOUDFORMATION_DESCRIBE_STACKS],
            [stacks.clone()],
        ),
        // With the role of the endpoint, which may touch nothing else, and never with rights of its own.
        Statement::allow("Release", [Action::CLOUDFORMATION_UPDATE_STACK], [stacks]).only_if(
            "ArnLike",
            "cloudformation:RoleArn",
            roles.text(),
        ),
        Statement::allow("PassRoles", [Action::IAM_PASS_ROLE], [roles.pattern()]).only_if(
            "StringEquals",
            "iam:PassedToService",
            "cloudformation.amazonaws.com".into(),
        ),
        Statement::allow("KeepLedger", [Action::DYNAMODB_GET_ITEM, Action::DYNAMODB_PUT_ITEM], [ledger.pattern()]),
    ]
}

/// What the function must know of each model with an endpoint, by the name that it had first and by which the ledger knows what is live of
/// it: its name, how its trainings are called, its gate, and its endpoint.
fn models(cx: &Context, trained: &[Trained]) -> Json {
    let model = |trained: &Trained| {
        let Model { name, in_aws, endpoint, accept, .. } = trained.model;
        trained.endpoint.as_ref()?;
        let Endpoint { host, rollback } = endpoint.as_ref()?;
        // On instances SageMaker itself watches.
        let watch = match host {
            Host::Serverless { .. } => rollback.watch_minutes,
            Host::Instances { .. } => 0,
        };
        let gates = accept.iter().map(|Gate { metric, at_least, at_most, above, below }| {
            json!({"metric": metric, "at_least": at_least, "at_most": at_most, "above": above, "below": below})
        });
        let settings = json!({
            "step": name,
            "trainings": trained.training.name_prefix,
            "gates": gates.collect::<Vec<_>>(),
            "stack": cx.names.stack(&["endpoint", in_aws]),
            "role": cx.names.role("release", in_aws),
            "alarms": alarm_names(&cx.names.endpoint(in_aws), rollback),
            "watch_minutes": watch,
        });
        Some((in_aws.clone(), settings))
    };
    trained.iter().filter_map(model).collect::<serde_json::Map<_, _>>().into()
}
