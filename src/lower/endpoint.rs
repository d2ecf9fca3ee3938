//! Endpoints: a stack for each, which a release updates by itself.
//!
//! What is live stands in the stack's parameters and nowhere else: a release writes them, a deploy keeps them. CloudFormation works on the stack with a
//! role that may touch nothing but this endpoint. Until a model is released there are only the log group and the alarms: a
//! release that names an alarm which is not there fails.

use super::grant::{self, Grant};
use super::model::Trained;
use super::names::{Kind, arn, bucket_arn, endpoint_arn, role_arn, sha256};
use super::storage::Kept;
use super::{Context, KEY, Place, Shared, logs, model};
use crate::assembly::{Exported, Origin, StackTemplate};
use crate::cfn::autoscaling::{PredefinedMetric, ScalableTarget, ScalingPolicy, TargetTracking};
use crate::cfn::cloudwatch::{Alarm, Dimension};
use crate::cfn::iam::{Action, Principal, Role, Statement, Unscoped};
use crate::cfn::kms::Key;
use crate::cfn::logs::{LogGroup, group_arn};
use crate::cfn::sagemaker::{
    self, AutoRollbackConfig, BlueGreenUpdatePolicy, CapacitySize, CaptureContentTypeHeader, CaptureOption,
    ContainerDefinition, DataCaptureConfig, DeploymentConfig, EndpointConfig, ProductionVariant, RollbackAlarm,
    ServerlessConfig, TrafficRoutingConfig,
};
use crate::cfn::{Arn, ArnPattern, Condition, Declaration, IntoNode, LogicalId, Name, Ref, S3Uri, Text, Value, sub};
use crate::kind::endpoint::{CAPTURES, START_MINUTES};
use crate::lake::{Capture, Endpoint, Host, Model, Rollback, Scale, Shift};

/// The one variant of every endpoint. It keeps its name: SageMaker shifts traffic only between variants of the same name.
const VARIANT: &str = "live";

/// The roles of an endpoint.
pub(super) struct Roles {
    /// What its container may do.
    container: Exported<Arn<Role>>,
    /// With which CloudFormation works on its stack.
    deployment: Exported<Arn<Role>>,
}

/// Adds the roles of the endpoint of `model`, if it has one.
pub(super) fn lower_roles(cx: &Context, stack: &mut StackTemplate, shared: &Shared, model: &Model) -> Option<Roles> {
    let Endpoint { host, rollback: _ } = model.endpoint.as_ref()?;
    let Model { name, in_aws, .. } = model;
    let models = Place { zone: "models".into(), bucket: cx.names.model_bucket(), prefix: format!("{in_aws}/") };
    let mut grant = Grant::default().read_place(&models).and(model::container(cx));
    let group = log_group(cx, in_aws);
    let streams = sub![group_arn(&group), ":*"];
    let actions = [Action::LOGS_CREATE_LOG_STREAM, Action::LOGS_DESCRIBE_LOG_STREAMS, Action::LOGS_PUT_LOG_EVENTS];
    grant = grant.and([Statement::allow("WriteLogs", actions, [streams]), grant::use_key_for_logs(&shared.key)]);
    if let Host::Instances { .. } = host {
        // SageMaker watches the alarms of a release with the role of the container. Source: "CreateModel API: Execution Role
        // Permissions".
        let alarms = arn::<Alarm>("cloudwatch", sub!["alarm:", cx.names.endpoint(in_aws), "-*"]).pattern();
        grant = grant.and([Statement::allow("WatchAlarms", [Action::CLOUDWATCH_DESCRIBE_ALARMS], [alarms])]);
    }
    if let Host::Instances { capture: Some(capture), .. } = host {
        let Place { bucket, prefix, .. } = captured(cx, in_aws, capture);
        let objects = sub![bucket_arn(&bucket), "/", prefix, "*"];
        grant = grant.and([
            Statement::allow("Capture", [Action::S3_PUT_OBJECT], [objects]),
            Statement::allow("EncryptCapture", [Action::KMS_GENERATE_DATA_KEY], [shared.key.pattern()]),
        ]);
    }
    let statements = grant.statements(&shared.key);
    let trust = Statement::assume(Principal::Service("sagemaker.amazonaws.com"));
    let (id, role) = (Kind::EndpointRole.of(in_aws), cx.names.role("endpoint", in_aws));
    let description = format!("What the endpoint of the model {name} may do");
    let container = grant::add_role(cx, stack, id.clone(), &role, &description, trust, statements);
    let container = stack.export(id, format!("ARN of the role of the endpoint {name}"), container.arn());

    let statements = deployment(cx, shared, in_aws, host);
    let trust = Statement::assume(Principal::Service("cloudformation.amazonaws.com"));
    let (id, role) = (Kind::ReleaseRole.of(in_aws), cx.names.role("release", in_aws));
    let description = format!("What releasing the model {name} takes");
    let deployment = grant::add_role(cx, stack, id.clone(), &role, &description, trust, statements);
    let deployment = stack.export(id, format!("ARN of the role that releases the model {name}"), deployment.arn());
    Some(Roles { container, deployment })
}

/// Making, changing and deleting everything of one endpoint's stack, and nothing else.
fn deployment(cx: &Context, shared: &Shared, name: &str, host: &Host) -> Vec<Statement> {
    let physical = cx.names.endpoint(name);
    let endpoint = endpoint_arn(&physical).pattern();
    let named = |kind: &str| -> Value<ArnPattern> {
        arn::<sagemaker::Model>("sagemaker", sub![kind.to_owned(), "/", cx.names.release(name), "-*"]).pattern()
    };
    let (models, settings) = (named("model"), named("endpoint-config"));
    let group = group_arn(&log_group(cx, name));
    let alarms = arn::<Alarm>("cloudwatch", sub!["alarm:", &physical, "-*"]).pattern();
    let role = role_arn(&cx.names.role("endpoint", name)).pattern();
    let mut statements = vec![
        Statement::allow(
            "ChangeModels",
            [Action::SAGEMAKER_CREATE_MODEL, Action::SAGEMAKER_DELETE_MODEL, Action::SAGEMAKER_DESCRIBE_MODEL],
            [models.clone()],
        ),
        Statement::allow(
            "ChangeSettings",
            [
                Action::SAGEMAKER_CREATE_ENDPOINT_CONFIG,
                Action::SAGEMAKER_DELETE_ENDPOINT_CONFIG,
                Action::SAGEMAKER_DESCRIBE_ENDPOINT_CONFIG,
            ],
            [settings.clone()],
        ),
        Statement::allow(
            "ChangeEndpoint",
            [Action::SAGEMAKER_CREATE_ENDPOINT, Action::SAGEMAKER_UPDATE_ENDPOINT],
            [endpoint.clone(), settings.clone()],
        ),
        Statement::allow(
            "SeeEndpoint",
            [Action::SAGEMAKER_DELETE_ENDPOINT, Action::SAGEMAKER_DESCRIBE_ENDPOINT],
            [endpoint.clone()],
        ),
        Statement::allow(
            "Tag",
            [Action::SAGEMAKER_ADD_TAGS, Action::SAGEMAKER_DELETE_TAGS, Action::SAGEMAKER_LIST_TAGS],
            [models, settings, endpoint.clone()],
        ),
        Statement::allow("PassRole", [Action::IAM_PASS_ROLE], [role]).only_if(
            "StringEquals",
            "iam:PassedToService",
            "sagemaker.amazonaws.com".into(),
        ),
        Statement::allow(
            "ChangeLogs",
            [
                Action::LOGS_ASSOCIATE_KMS_KEY,
                Action::LOGS_CREATE_LOG_GROUP,
                Action::LOGS_DELETE_LOG_GROUP,
                Action::LOGS_DELETE_RETENTION_POLICY,
                Action::LOGS_LIST_TAGS_FOR_RESOURCE,
                Action::LOGS_PUT_RETENTION_POLICY,
                Action::LOGS_TAG_RESOURCE,
                Action::LOGS_UNTAG_RESOURCE,
            ],
            [group.pattern(), sub![&group, ":*"]],
        ),
        grant::use_key_for_logs(&shared.key),
        Statement::unscoped("FindLogs", [Unscoped::LOGS_DESCRIBE_LOG_GROUPS]),
        Statement::allow(
            "ChangeAlarms",
            [
                Action::CLOUDWATCH_DELETE_ALARMS,
                Action::CLOUDWATCH_DESCRIBE_ALARMS,
                Action::CLOUDWATCH_LIST_TAGS_FOR_RESOURCE,
                Action::CLOUDWATCH_PUT_METRIC_ALARM,
                Action::CLOUDWATCH_TAG_RESOURCE,
                Action::CLOUDWATCH_UNTAG_RESOURCE,
            ],
            [alarms],
        ),
        // SageMaker hands the key to the endpoint's disks.
        Statement::allow("EncryptDisks", [Action::KMS_CREATE_GRANT], [shared.key.pattern()]).only_if(
            "Bool",
            "kms:GrantIsForAWSResource",
            "true".into(),
        ),
        Statement::allow("FindKey", [Action::KMS_DESCRIBE_KEY], [shared.key.pattern()]),
    ];
    if let Host::Instances { scale: Some(_), .. } = host {
        statements.extend(scaling(&physical, endpoint));
    }
    statements
}

/// Source: "Auto scaling prerequisites" of the SageMaker Developer Guide.
fn scaling(endpoint: &str, arn_of_endpoint: Value<ArnPattern>) -> [Statement; 5] {
    let targets = arn::<ScalableTarget>("application-autoscaling", sub!["scalable-target/*"]).pattern();
    let actions = [
        Action::APPLICATION_AUTOSCALING_DELETE_SCALING_POLICY,
        Action::APPLICATION_AUTOSCALING_DEREGISTER_SCALABLE_TARGET,
        Action::APPLICATION_AUTOSCALING_PUT_SCALING_POLICY,
        Action::APPLICATION_AUTOSCALING_REGISTER_SCALABLE_TARGET,
    ];
    // The alarms that Application Auto Scaling makes for a policy bear the names of what it scales.
    let alarms = sub!["alarm:TargetTracking-", resource_id(endpoint), "-*"];
    let alarms = arn::<Alarm>("cloudwatch", alarms).pattern();
    let service = "sagemaker.application-autoscaling.amazonaws.com";
    let role =
        role_arn(&format!("aws-service-role/{service}/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"));
    [
        Statement::allow("Scale", actions, [targets]).only_if(
            "StringEquals",
            "application-autoscaling:service-namespace",
            "sagemaker".into(),
        ),
        Statement::unscoped(
            "FindScaling",
            [
                Unscoped::APPLICATION_AUTOSCALING_DESCRIBE_SCALABLE_TARGETS,
                Unscoped::APPLICATION_AUTOSCALING_DESCRIBE_SCALING_POLICIES,
            ],
        ),
        Statement::allow(
            "ScaleByAlarms",
            [Action::CLOUDWATCH_DELETE_ALARMS, Action::CLOUDWATCH_DESCRIBE_ALARMS, Action::CLOUDWATCH_PUT_METRIC_ALARM],
            [alarms],
        ),
        Statement::allow(
            "ScaleEndpoint",
            [Action::SAGEMAKER_UPDATE_ENDPOINT_WEIGHTS_AND_CAPACITIES],
            [arn_of_endpoint],
        ),
        Statement::allow("LetItScale", [Action::IAM_CREATE_SERVICE_LINKED_ROLE], [role.pattern()]).only_if(
            "StringEquals",
            "iam:AWSServiceName",
            service.into(),
        ),
    ]
}

/// What Application Auto Scaling calls the variant.
fn resource_id(endpoint: &str) -> String {
    format!("endpoint/{endpoint}/variant/{VARIANT}")
}

fn log_group(cx: &Context, model: &str) -> Value<Name<LogGroup>> {
    logs::name(format!("/aws/sagemaker/Endpoints/{}", cx.names.endpoint(model)))
}

/// Where requests and answers are kept. The hyphen sets the folder apart from those of tables.
fn captured(cx: &Context, model: &str, Capture { zone, percent: _ }: &Capture) -> Place {
    let zone = &cx.lake.zones[*zone];
    Place { zone: zone.name.clone(), bucket: cx.names.zone_bucket(zone), prefix: format!("{CAPTURES}/{model}/") }
}

/// An address that SageMaker would take, where there is no model yet.
const NO_MODEL: &str = "s3://none";

/// What a release writes into the stack, and what a deploy leaves as it is.
struct Released {
    data: Value<S3Uri>,
    image: Value<Text>,
    training: Value<Text>,
    /// Eight letters and digits that make the names of this release.
    id: Value<Text>,
    /// There is a released model.
    some: Condition,
    /// The alarms may take this release back; for SageMaker, which watches instances. What CloudFormation watches it is told with the
    /// update.
    watched: Option<Condition>,
}

impl Released {
    fn new(stack: &mut StackTemplate, image: &str, host: &Host) -> Self {
        let id = LogicalId::fixed;
        let training =
            stack.kept(id("TrainingJob"), "", "The training job of the released model; empty while there is none");
        let some = stack.template.when_given(id("IsReleased"), Value::clone(&training));
        let watched = matches!(host, Host::Instances { .. }).then(|| {
            let watched: Value<Text> =
                stack.kept(id("Watched"), "", "Whether alarms take the release back; empty for no");
            stack.template.when_given(id("IsWatched"), watched)
        });
        Self {
            data: stack.kept(id("ModelData"), NO_MODEL, "model.tar.gz of the released model"),
            image: stack.kept(id("ModelImage"), image, "The container that trained it"),
            id: stack.kept(id("ReleaseId"), "", "What tells the names of this release from others"),
            training,
            some,
            watched,
        }
    }
}

/// The stack of the endpoint of a trained model, if it has one.
pub(super) fn lower(cx: &Context, kept: &Kept, trained: &Trained) -> Option<StackTemplate> {
    let Trained { model: Model { name, in_aws, endpoint, .. }, endpoint: roles, training, .. } = trained;
    let (Endpoint { host, rollback }, Roles { container, deployment }) = (endpoint.as_ref()?, roles.as_ref()?);
    let description =
        format!("{} in {}: the endpoint of {name} (written by lakegen)", cx.lake.name, cx.environment.name);
    let mut stack = StackTemplate::new(cx.names.stack(&["endpoint", in_aws]), description);
    stack.comes_from(Some(Origin { section: "models", name: Some(name.clone()) }));
    stack.operated_by(deployment);
    let key: Value<Arn<Key>> = stack.import(&kept.key, KEY);
    let role = stack.import(container, "ARN of the role with which the container runs");
    let image = training.image.as_deref().unwrap_or_default();
    let released = Released::new(&mut stack, image, host);
    let physical = cx.names.endpoint(in_aws);
    let log_group = logs::add(cx, &mut stack, Kind::EndpointLogs.fixed(), &log_group(cx, in_aws), &key);
    let alarms = lower_alarms(cx, &mut stack, &physical, rollback);
    let (model, content) = lower_model(cx, &mut stack, &released, role, in_aws, host);
    let settings = lower_settings(cx, &mut stack, &released, key, in_aws, host, (&model, &content));
    let endpoint = sagemaker::Endpoint {
        name: Value::literal(physical.clone()),
        configuration: settings.name(),
        deployment: deployment_config(host, rollback.watch_minutes, &released, &alarms),
        retain_properties: matches!(host, Host::Instances { scale: Some(_), .. }).then_some(true),
        tags: cx.tag_list(),
    };
    let declaration = Declaration::from(endpoint).when(&released.some).after(&log_group);
    let endpoint = stack.template.add(Kind::EndpointHost.fixed(), declaration);
    if let Host::Instances { scale: Some(scale), .. } = host {
        lower_scale(&mut stack, &released, &physical, scale, &endpoint);
    }
    let some = Some(&released.some);
    let template = &mut stack.template;
    template.output(LogicalId::fixed("EndpointName"), format!("Endpoint of the model {name}"), endpoint.name(), some);
    template.output(
        LogicalId::fixed("LiveTraining"),
        "Training job of the model that is live",
        released.training,
        some,
    );
    Some(stack)
}

/// The names of the alarms that take a release of this endpoint back.
pub(super) fn alarm_names(endpoint: &str, rollback: &Rollback) -> Vec<String> {
    let latency = rollback.latency_ms.map(|_| latency_alarm(endpoint));
    std::iter::once(errors_alarm(endpoint)).chain(latency).collect()
}

fn errors_alarm(endpoint: &str) -> String {
    format!("{endpoint}-errors")
}

fn latency_alarm(endpoint: &str) -> String {
    format!("{endpoint}-latency")
}

fn lower_alarms(cx: &Context, stack: &mut StackTemplate, endpoint: &str, rollback: &Rollback) -> Vec<Ref<Alarm>> {
    let Rollback { errors_percent, latency_ms, watch_minutes: _ } = rollback;
    let alarm = |name, description, metric, threshold| Alarm {
        name: Value::literal(name),
        description,
        namespace: "AWS/SageMaker",
        metric,
        dimensions: vec![
            Dimension { name: "EndpointName", value: endpoint.to_owned().into() },
            Dimension { name: "VariantName", value: VARIANT.into() },
        ],
        statistic: None,
        percentile: None,
        period_seconds: 60,
        periods: 1,
        comparison: "GreaterThanThreshold",
        threshold,
        // Nobody asks, or there is no endpoint yet.
        missing: "notBreaching",
        actions: cx.alert().map(|topic| vec![topic]),
        tags: cx.tag_list(),
    };
    // The metric is 1 for each request that failed, and 0 for each that did not.
    let description = format!("More than {errors_percent}% of the requests to {endpoint} end in a server's error");
    let share = f64::from(*errors_percent) / 100.0;
    let errors = alarm(errors_alarm(endpoint), description, "Invocation5XXErrors", share);
    let errors = Alarm { statistic: Some("Average"), ..errors };
    let mut alarms = vec![stack.template.add(Kind::EndpointErrors.fixed(), errors)];
    if let Some(latency_ms) = latency_ms {
        let description = format!("The slowest twentieth of the requests to {endpoint} takes over {latency_ms} ms");
        // The metric counts microseconds.
        let slow = alarm(latency_alarm(endpoint), description, "ModelLatency", f64::from(*latency_ms) * 1_000.0);
        let slow = Alarm { percentile: Some("p95"), ..slow };
        alarms.push(stack.template.add(Kind::EndpointLatency.fixed(), slow));
    }
    alarms
}

/// Nothing of a model or of an endpoint's settings can change, so their names follow from the release and from what they are.
fn versioned<R>(cx: &Context, released: &Released, name: &str, content: &str) -> Value<Name<R>> {
    sub![cx.names.release(name), "-", &released.id, "-", &sha256(content)[..8]]
}

fn lower_model(
    cx: &Context,
    stack: &mut StackTemplate,
    released: &Released,
    role: Value<Arn<Role>>,
    name: &str,
    host: &Host,
) -> (Ref<sagemaker::Model>, String) {
    let environment = [
        ("SAGEMAKER_PROGRAM", "inference.py"),
        ("SAGEMAKER_SUBMIT_DIRECTORY", "/opt/ml/model/code"),
        ("SAGEMAKER_CONTAINER_LOG_LEVEL", "20"),
    ];
    let environment = environment.map(|(name, value)| (name.into(), Value::<Text>::literal(value)));
    let container = ContainerDefinition {
        image: released.image.clone(),
        model_data: released.data.clone(),
        environment: environment.to_vec(),
    };
    // Serverless endpoints do not have it.
    let isolated = matches!(host, Host::Instances { .. }).then_some(true);
    let mut tags = cx.tag_list();
    tags.0.push(("lakegen:training".into(), released.training.clone()));
    let content = format!("{} {isolated:?}", container.told());
    let model = sagemaker::Model { name: versioned(cx, released, name, &content), role, container, isolated, tags };
    let model = stack.template.add(Kind::EndpointModel.fixed(), Declaration::from(model).when(&released.some));
    (model, content)
}

fn lower_settings(
    cx: &Context,
    stack: &mut StackTemplate,
    released: &Released,
    key: Value<Arn<Key>>,
    name: &str,
    host: &Host,
    (model, of_model): (&Ref<sagemaker::Model>, &str),
) -> Ref<EndpointConfig> {
    let mut variant = ProductionVariant {
        name: VARIANT,
        model: model.name(),
        weight: 1,
        instance_type: None,
        instances: None,
        serverless: None,
    };
    let (mut disks, mut capture) = (None, None);
    match host {
        Host::Serverless { memory_mb, concurrency, provisioned } => {
            variant.serverless =
                Some(ServerlessConfig { memory_mb: *memory_mb, concurrency: *concurrency, provisioned: *provisioned });
        }
        Host::Instances { instance, count, scale: _, shift: _, capture: kept } => {
            variant.instance_type = Some(instance.clone());
            variant.instances = Some(*count);
            disks = model::has_only_network_disks(instance).then_some(key.clone());
            capture = kept.map(|kept| data_capture(cx, name, &kept, key));
        }
    }
    // Another model's name makes other settings, too.
    let content = format!("{of_model} {} {} {}", variant.told(), disks.told(), capture.told());
    let settings = EndpointConfig {
        name: versioned(cx, released, name, &content),
        variants: vec![variant],
        key: disks,
        capture,
        tags: cx.tag_list(),
    };
    stack.template.add(Kind::EndpointSettings.fixed(), Declaration::from(settings).when(&released.some))
}

fn data_capture(cx: &Context, name: &str, capture: &Capture, key: Value<Arn<Key>>) -> DataCaptureConfig {
    DataCaptureConfig {
        enabled: true,
        percent: capture.percent,
        destination: captured(cx, name, capture).uri(),
        key,
        options: ["Input", "Output"].map(|mode| CaptureOption { mode }).into(),
        types: CaptureContentTypeHeader { csv: vec!["text/csv"], json: vec!["application/json"] },
    }
}

/// How instances come to a released model: new ones beside the old ones, which wait until the alarms have been watched.
fn deployment_config(
    host: &Host,
    watch_minutes: u32,
    released: &Released,
    alarms: &[Ref<Alarm>],
) -> Option<DeploymentConfig> {
    let Host::Instances { shift, .. } = host else { return None };
    let percent = |value| Some(CapacitySize { kind: "CAPACITY_PERCENT", value });
    let (kind, wait_minutes, canary, step) = match *shift {
        Shift::AllAtOnce => ("ALL_AT_ONCE", 0, None, None),
        Shift::Canary { percent: first, wait_minutes } => ("CANARY", wait_minutes, percent(first), None),
        Shift::Linear { percent: step, wait_minutes } => ("LINEAR", wait_minutes, None, percent(step)),
    };
    let alarms = alarms.iter().map(|alarm| RollbackAlarm { name: alarm.name() }).collect();
    Some(DeploymentConfig {
        policy: BlueGreenUpdatePolicy {
            traffic: TrafficRoutingConfig { kind, wait_seconds: 60 * wait_minutes, canary, step },
            termination_wait_seconds: 60 * watch_minutes,
            timeout_seconds: 60 * (START_MINUTES + shift.minutes() + watch_minutes),
        },
        rollback: released.watched.as_ref().map(|watched| watched.only(AutoRollbackConfig { alarms })),
    })
}

fn lower_scale(
    stack: &mut StackTemplate,
    released: &Released,
    physical: &str,
    scale: &Scale,
    endpoint: &Ref<sagemaker::Endpoint>,
) {
    let Scale { min, max, requests, settle_minutes } = *scale;
    let target = ScalableTarget {
        namespace: "sagemaker",
        dimension: "sagemaker:variant:DesiredInstanceCount",
        resource: resource_id(physical).into(),
        min,
        max,
    };
    let target = Declaration::from(target).when(&released.some).after(endpoint);
    let target = stack.template.add(Kind::EndpointTarget.fixed(), target);
    let policy = ScalingPolicy {
        name: format!("{physical}-requests"),
        kind: "TargetTrackingScaling",
        target: target.target(),
        tracking: TargetTracking {
            metric: PredefinedMetric { kind: "SageMakerVariantInvocationsPerInstance" },
            value: requests,
            scale_in_cooldown_seconds: 60 * settle_minutes,
            scale_out_cooldown_seconds: 60,
        },
    };
    stack.template.add(Kind::EndpointPolicy.fixed(), Declaration::from(policy).when(&released.some));
}
