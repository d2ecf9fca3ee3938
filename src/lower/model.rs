//! Models: what training needs, and the endpoint of a released model.

use super::grant::{self, Grant, Items};
use super::names::Kind;
use super::storage::Kept;
use super::{Context, Shared, logs};
use crate::assembly::{Channel, Exported, Gate, MetricDefinition, OutputRef, S3Place, Source, StackTemplate, Training};
use crate::cfn::iam::{Action, Principal, Role, Statement, Unscoped};
use crate::cfn::kms::Key;
use crate::cfn::logs::LogGroup;
use crate::cfn::sagemaker::{self, ContainerDefinition, EndpointConfig, ProductionVariant, ServerlessConfig};
use crate::cfn::{Arn, ArnPattern, Declaration, Name, S3Uri, Text, Value, pseudo, sub};
use crate::lake::{self, Endpoint, Home, Id, Model};
use crate::region;

/// The version of the container: the newest, and the one whose XGBoost is 3.2.0.
const XGBOOST: &str = "3.2-0";
/// Room on a training machine for data, twice what the largest instance type of the reference needs.
const VOLUME_GB: u32 = 30;

/// A model whose training is settled.
pub(super) struct Trained<'a> {
    pub(super) id: Id<Model>,
    pub(super) name: String,
    pub(super) training: Training,
    model: &'a Model,
    role: Exported<Arn<Role>>,
}

/// Adds the role of a model, and says what starting its training takes.
pub(super) fn lower_training<'a>(
    cx: &Context,
    stack: &mut StackTemplate,
    shared: &Shared,
    kept: &Kept,
    id: Id<Model>,
    model: &'a Model,
) -> Trained<'a> {
    let Model { name, source: _, reads, instance, hyperparameters, accept, endpoint: _, timeout_minutes } = model;
    let source = cx.assets.model(id);
    let tables: Vec<_> = reads.iter().map(|(_, table)| *table).collect();
    let prefix = format!("{name}/");
    let training_logs = logs::name("/aws/sagemaker/TrainingJobs".into());
    let training_streams = crate::cfn::logs::group_arn(&training_logs);
    let endpoint_logs = endpoint_logs(cx, name);
    let repository: Value<ArnPattern> = sub![
        "arn:",
        pseudo::partition(),
        ":ecr:",
        pseudo::region(),
        ":",
        region::xgboost_account(&cx.environment.region).unwrap_or_default(),
        ":repository/sagemaker-xgboost"
    ];
    let statements = Grant::default()
        .read(cx, &tables, Items::Scan)
        .models(&cx.names.model_bucket(), &prefix)
        .assets(shared, [source])
        // SageMaker hands the key to the machine's disk. Only a request for a grant says whom the grant is for: with that
        // condition, looking at the key would be refused.
        .and([
            Statement::allow("EncryptDisks", [Action::KMS_CREATE_GRANT], [shared.key.pattern()]).only_if(
                "Bool",
                "kms:GrantIsForAWSResource",
                "true".into(),
            ),
            Statement::allow("FindKey", [Action::KMS_DESCRIBE_KEY], [shared.key.pattern()]),
        ])
        .and([Statement::allow(
            "PullImage",
            [
                Action::ECR_BATCH_CHECK_LAYER_AVAILABILITY,
                Action::ECR_BATCH_GET_IMAGE,
                Action::ECR_GET_DOWNLOAD_URL_FOR_LAYER,
            ],
            [repository],
        )])
        .and([Statement::unscoped("PullImages", [Unscoped::ECR_GET_AUTHORIZATION_TOKEN])])
        .and([Statement::unscoped("PutMetrics", [Unscoped::CLOUDWATCH_PUT_METRIC_DATA]).only_if(
            "StringLike",
            "cloudwatch:namespace",
            "/aws/sagemaker/*".into(),
        )])
        // All training jobs of an account share one log group; their streams begin with their names.
        .and([Statement::allow(
            "WriteLogs",
            [
                Action::LOGS_CREATE_LOG_GROUP,
                Action::LOGS_CREATE_LOG_STREAM,
                Action::LOGS_DESCRIBE_LOG_STREAMS,
                Action::LOGS_PUT_LOG_EVENTS,
            ],
            [
                training_streams.pattern(),
                sub![&training_streams, ":log-stream:", cx.names.training(name), "*"],
                sub![crate::cfn::logs::group_arn(&endpoint_logs), ":*"],
            ],
        )])
        .statements(&shared.key);
    let trust = Statement::assume(Principal::Service("sagemaker.amazonaws.com"));
    let role_name = cx.names.role("model", name);
    let description = format!("What the model {name} may do");
    let role = grant::add_role(cx, stack, Kind::ModelRole.of(name), &role_name, &description, trust, statements);
    let role = stack.export(Kind::ModelRole.of(name), format!("ARN of the role of the model {name}"), role.arn());

    let training = Training {
        image: image(cx),
        role: role.reference(),
        key: kept.key.reference(),
        encrypt_volume: has_only_network_disks(instance),
        name_prefix: cx.names.training(name),
        instance: instance.clone(),
        instance_count: 1,
        volume_gb: VOLUME_GB,
        timeout_seconds: timeout_minutes.saturating_mul(60),
        program: "train.py",
        source: source.to_string(),
        hyperparameters: hyperparameters.iter().cloned().collect(),
        channels: reads.iter().filter_map(|(channel, table)| self::channel(cx, kept, channel, *table)).collect(),
        output: S3Place { bucket: models(kept), prefix },
        metrics: metrics(accept),
        accept: accept.iter().map(gate).collect(),
    };
    Trained { id, name: name.clone(), training, model, role }
}

fn models(kept: &Kept) -> OutputRef {
    kept.models.as_ref().map(Exported::reference).unwrap_or_default()
}

fn image(cx: &Context) -> Option<String> {
    let region = &cx.environment.region;
    let account = region::xgboost_account(region)?;
    let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
    Some(format!("{account}.dkr.ecr.{region}.amazonaws.com{suffix}/sagemaker-xgboost:{XGBOOST}"))
}

fn channel(cx: &Context, kept: &Kept, name: &str, table: Id<lake::Table>) -> Option<Channel> {
    let table = &cx.lake.tables[table];
    let Home::Zone { zone, .. } = table.home else { return None };
    let bucket = kept.zones.get(zone.index())?.reference();
    let place = S3Place { bucket, prefix: format!("{}/", table.name) };
    Some(Channel { name: name.to_owned(), table: table.name.clone(), place })
}

fn gate(gate: &lake::Gate) -> Gate {
    let lake::Gate { metric, at_least, at_most, above, below } = gate;
    Gate { metric: metric.clone(), at_least: *at_least, at_most: *at_most, above: above.clone(), below: below.clone() }
}

/// Every metric that the gates speak of, and the line by which the script reports it.
fn metrics(gates: &[lake::Gate]) -> Vec<MetricDefinition> {
    let mut metrics: Vec<MetricDefinition> = Vec::new();
    for lake::Gate { metric, above, below, .. } in gates {
        for name in std::iter::once(metric).chain(above).chain(below) {
            if metrics.iter().all(|known| known.name != *name) {
                // Of the characters that a metric's name may have, only the dot means something in an expression.
                let regex = format!("metric {}=([0-9eE.+-]+)", name.replace('.', r"\."));
                metrics.push(MetricDefinition { name: name.clone(), regex });
            }
        }
    }
    metrics
}

/// Whether machines of this type have no disk of their own. SageMaker refuses a key for those that have one: families with a
/// `d` behind the generation, and the accelerated ones.
fn has_only_network_disks(instance: &str) -> bool {
    let family = instance.split('.').nth(1).unwrap_or_default();
    let (class, rest) = family.split_at(family.find(|c: char| c.is_ascii_digit()).unwrap_or(family.len()));
    ["c", "m", "r", "t"].contains(&class) && !rest.contains('d')
}

fn endpoint_logs(cx: &Context, model: &str) -> Value<Name<LogGroup>> {
    logs::name(format!("/aws/sagemaker/Endpoints/{}", cx.names.endpoint(model)))
}

/// Adds the endpoint of a model, which is there once a model is released.
pub(super) fn lower_endpoint(cx: &Context, stack: &mut StackTemplate, kept: &Kept, trained: &Trained) {
    let Trained { id: _, name, training, model, role } = trained;
    let (Some(endpoint), Some(image)) = (&model.endpoint, &training.image) else { return };
    let key: Value<Arn<Key>> = stack.import(&kept.key, super::KEY);
    let role = stack.import(role, "ARN of the role with which a model's container runs");
    let data: Value<S3Uri> = stack.parameter(
        Kind::ModelData.of(name),
        "model.tar.gz of the released model; empty while there is none",
        Source::ReleasedModel(name.clone()),
    );
    let released = stack.template.when_given(Kind::EndpointGiven.of(name), data.clone());

    let log_group = logs::add(cx, stack, Kind::EndpointLogs.of(name), &endpoint_logs(cx, name), &key);
    let environment = [
        ("SAGEMAKER_PROGRAM", "inference.py"),
        ("SAGEMAKER_SUBMIT_DIRECTORY", "/opt/ml/model/code"),
        ("SAGEMAKER_CONTAINER_LOG_LEVEL", "20"),
    ];
    let environment = environment.map(|(name, value)| (name.into(), Value::<Text>::literal(value)));
    let host = sagemaker::Model {
        role,
        container: ContainerDefinition {
            image: Value::literal(image.as_str()),
            model_data: data,
            environment: environment.to_vec(),
        },
        // Serverless endpoints do not have it.
        isolated: matches!(endpoint, Endpoint::Instances { .. }).then_some(true),
        tags: cx.tag_list(),
    };
    let host = stack.template.add(Kind::EndpointModel.of(name), Declaration::from(host).when(&released));
    let mut variant = ProductionVariant {
        name: "live",
        model: host.name(),
        weight: 1,
        instance_type: None,
        instances: None,
        serverless: None,
    };
    let key = match endpoint {
        Endpoint::Serverless { memory_mb, concurrency } => {
            variant.serverless = Some(ServerlessConfig { memory_mb: *memory_mb, concurrency: *concurrency });
            None
        }
        Endpoint::Instances { instance, count } => {
            variant.instance_type = Some(instance.clone());
            variant.instances = Some(*count);
            has_only_network_disks(instance).then_some(key)
        }
    };
    let settings = EndpointConfig { variants: vec![variant], key, tags: cx.tag_list() };
    let settings = stack.template.add(Kind::EndpointSettings.of(name), Declaration::from(settings).when(&released));
    let endpoint = sagemaker::Endpoint {
        name: Value::literal(cx.names.endpoint(name)),
        configuration: settings.name(),
        tags: cx.tag_list(),
    };
    let declaration = Declaration::from(endpoint).when(&released).after(&log_group);
    let endpoint = stack.template.add(Kind::EndpointHost.of(name), declaration);
    let description = format!("Endpoint of the model {name}");
    stack.template.output(Kind::EndpointHost.of(name), description, endpoint.name(), Some(&released));
}
