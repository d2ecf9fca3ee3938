//! Models: what training needs.

use super::grant::{self, Grant, Items};
use super::names::Kind;
use super::storage::Kept;
use super::{Context, Shared, asset_bucket, endpoint, logs};
use crate::assembly::{Channel, Exported, Gate, MetricDefinition, OutputRef, S3Place, StackTemplate, Training};
use crate::cfn::iam::{Action, Principal, Statement, Unscoped};
use crate::cfn::{ArnPattern, Value, pseudo, sub};
use crate::lake::{self, Home, Id, Model};
use crate::region;

/// The version of the container: the newest, and the one whose XGBoost is 3.2.0.
const XGBOOST: &str = "3.2-0";
/// Room on a training machine for data, twice what the largest instance type of the reference needs.
const VOLUME_GB: u32 = 30;

/// A model whose training is settled.
pub(super) struct Trained<'a> {
    pub(super) name: String,
    pub(super) training: Training,
    pub(super) model: &'a Model,
    /// The roles of its endpoint, if it has one
    pub(super) endpoint: Option<endpoint::Roles>,
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
    let Model {
        name,
        source: _,
        reads,
        learning: _,
        instance,
        hyperparameters,
        accept,
        endpoint: _,
        timeout_minutes,
        in_aws,
    } = model;
    let source = cx.assets.model(id);
    let tables: Vec<_> = reads.iter().map(|(_, table)| *table).collect();
    let prefix = format!("{in_aws}/");
    let training_logs = logs::name("/aws/sagemaker/TrainingJobs".into());
    let training_streams = crate::cfn::logs::group_arn(&training_logs);
    let statements = Grant::default()
        .read(cx, &tables, Items::Scan)
        .models(&cx.names.model_bucket(), &prefix)
        .assets(&asset_bucket(stack), [source])
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
        .and(container(cx))
        // All training jobs of an account share one log group; their streams begin with their names.
        .and([Statement::allow(
            "WriteLogs",
            [
                Action::LOGS_CREATE_LOG_GROUP,
                Action::LOGS_CREATE_LOG_STREAM,
                Action::LOGS_DESCRIBE_LOG_STREAMS,
                Action::LOGS_PUT_LOG_EVENTS,
            ],
            [training_streams.pattern(), sub![&training_streams, ":log-stream:", cx.names.training(in_aws), "*"]],
        )])
        .statements(&shared.key);
    let trust = Statement::assume(Principal::Service("sagemaker.amazonaws.com"));
    let role_name = cx.names.role("model", in_aws);
    let description = format!("What the model {name} may do");
    let role = grant::add_role(cx, stack, Kind::ModelRole.of(in_aws), &role_name, &description, trust, statements);
    let role = stack.export(Kind::ModelRole.of(in_aws), format!("ARN of the role of the model {name}"), role.arn());

    let training = Training {
        image: image(cx),
        role: role.reference(),
        key: kept.key.reference(),
        encrypt_volume: has_only_network_disks(instance),
        name_prefix: cx.names.training(in_aws),
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
    let endpoint = training.image.as_ref().and_then(|_| endpoint::lower_roles(cx, stack, shared, model));
    Trained { name: name.clone(), training, model, endpoint }
}

/// Running the container, in training and behind an endpoint.
pub(super) fn container(cx: &Context) -> [Statement; 3] {
    let repository: Value<ArnPattern> = sub![
        "arn:",
        pseudo::partition(),
        ":ecr:",
        pseudo::region(),
        ":",
        region::xgboost_account(&cx.environment.region).unwrap_or_default(),
        ":repository/sagemaker-xgboost"
    ];
    let actions = [
        Action::ECR_BATCH_CHECK_LAYER_AVAILABILITY,
        Action::ECR_BATCH_GET_IMAGE,
        Action::ECR_GET_DOWNLOAD_URL_FOR_LAYER,
    ];
    [
        Statement::allow("PullImage", actions, [repository]),
        Statement::unscoped("PullImages", [Unscoped::ECR_GET_AUTHORIZATION_TOKEN]),
        Statement::unscoped("PutMetrics", [Unscoped::CLOUDWATCH_PUT_METRIC_DATA]).only_if(
            "StringLike",
            "cloudwatch:namespace",
            "/aws/sagemaker/*".into(),
        ),
    ]
}

fn models(kept: &Kept) -> OutputRef {
    kept.models.as_ref().map(Exported::reference).unwrap_or_default()
}

fn image(cx: &Context) -> Option<String> {
    let region = &cx.environment.region;
    let account = region::xgboost_account(region)?;
    let suffix = region::Partition::of(region).suffix();
    Some(format!("{account}.dkr.ecr.{region}.{suffix}/sagemaker-xgboost:{XGBOOST}"))
}

fn channel(cx: &Context, kept: &Kept, name: &str, table: Id<lake::Table>) -> Option<Channel> {
    let table = &cx.lake.tables[table];
    let Home::Zone { zone, .. } = table.home else { return None };
    let bucket = kept.zones.get(&zone)?.reference();
    let place = S3Place { bucket, prefix: format!("{}/", table.in_aws) };
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
pub(super) fn has_only_network_disks(instance: &str) -> bool {
    let family = instance.split('.').nth(1).unwrap_or_default();
    let (class, rest) = family.split_at(family.find(|c: char| c.is_ascii_digit()).unwrap_or(family.len()));
    ["c", "m", "r", "t"].contains(&class) && !rest.contains('d')
}
