//! What the lake must not lose: the key, the buckets.

use std::collections::HashMap;

use super::names::{Kind, arn};
use super::{Context, job, lake_formation, profile, query};
use crate::assembly::{Adopted, Exported, StackTemplate};
use crate::cfn::cloudwatch::Alarm;
use crate::cfn::iam::{Action, Policy, Principal, Role, Statement};
use crate::cfn::kms::{Alias, Key};
use crate::cfn::s3::{
    AbortIncompleteMultipartUpload, Bucket, BucketEncryption, BucketPolicy, DefaultRetention, EventBridgeConfiguration,
    LifecycleConfiguration, LifecycleRule, LoggingConfiguration, NoncurrentVersionExpiration,
    NotificationConfiguration, ObjectLockConfiguration, ObjectLockRule, OwnershipControls,
    PublicAccessBlockConfiguration, Transition, VersioningConfiguration,
};
use crate::cfn::{Arn, Declaration, LogicalId, Name, Ref, Retention, Value, pseudo, sub};
use crate::kind::workgroup::KEPT;
use crate::lake::{Days, Id, Keep, LockSpec, StorageClass, Zone};

/// For how many days an overwritten or deleted object of lakegen's own buckets can be brought back.
const NONCURRENT_DAYS: u32 = 30;
/// After how many days the rest of an unfinished upload goes.
const ABORT_DAYS: u32 = 7;
/// For how many days access logs are kept.
const ACCESS_LOG_DAYS: u32 = 365;

/// What other stacks need of this one.
pub(super) struct Kept {
    pub(super) key: Exported<Arn<Key>>,
    /// The same key inside the storage stack itself.
    pub(super) key_here: Value<Arn<Key>>,
    /// The bucket for access logs inside the storage stack itself.
    pub(super) logs_here: Value<Name<Bucket>>,
    pub(super) zones: HashMap<Id<Zone>, Exported<Name<Bucket>>>,
    pub(super) models: Option<Exported<Name<Bucket>>>,
}

/// Adds what the stacks of the part share; the zones come to it from the stacks that hold them.
pub(super) fn lower(cx: &Context, stack: &mut StackTemplate) -> Kept {
    let key = lower_key(cx, stack);
    let logs = lower_log_bucket(cx, stack);

    let mut work = data_bucket(cx, cx.names.work_bucket(), &key, None, Some(&logs), "work");
    work.lifecycle = ageing_of_work(cx);
    // Nothing in it is worth keeping, protected or not.
    let work = add_bucket(stack, Kind::WorkBucket.fixed(), Kind::WorkPolicy.fixed(), work, Retention::Delete);
    stack.export(Kind::WorkBucket.fixed(), "Bucket for query results and temporary files", work.name());

    let models = (!cx.lake.models.is_empty()).then(|| {
        let models = data_bucket(cx, cx.names.model_bucket(), &key, None, Some(&logs), "models");
        let (bucket, policy) = (Kind::ModelBucket.fixed(), Kind::ModelPolicy.fixed());
        let models = add_bucket(stack, bucket.clone(), policy, models, cx.retention());
        stack.export(bucket, "Bucket of trained models", models.name())
    });

    let exported = stack.export(LogicalId::fixed("KeyArn"), "ARN of the key that encrypts the lake", key.clone());
    Kept { key: exported, key_here: key, logs_here: logs, zones: HashMap::new(), models }
}

/// Adds the bucket of a zone; where Lake Formation gives permissions, its place for `location_role`.
pub(super) fn lower_zone(
    cx: &Context,
    stack: &mut StackTemplate,
    key: &Value<Arn<Key>>,
    logs: &Value<Name<Bucket>>,
    location_role: Option<Value<Arn<Role>>>,
    zone: &Zone,
) -> Exported<Name<Bucket>> {
    let Zone { name, keep, recover, archive, lock, in_aws, adopted: _ } = zone;
    let expiration = match keep {
        Keep::Forever => None,
        Keep::Days(days) => Some(*days),
    };
    let mut bucket = data_bucket(cx, cx.names.zone_bucket(zone), key, expiration, Some(logs), in_aws);
    bucket.lifecycle = lifecycle(expiration, recover.0, archive);
    bucket.locked = lock.map(|_| true);
    bucket.lock = lock.map(object_lock);
    let (id, policy) = (Kind::ZoneBucket.of(in_aws), Kind::ZonePolicy.of(in_aws));
    // A bucket that was there before the lake is there after it.
    let retention = match zone.adopts(&cx.environment.name) {
        Some(bucket) => {
            stack.adopted.push(Adopted { id: id.to_string(), bucket: bucket.to_owned() });
            Retention::Retain
        }
        None => cx.retention(),
    };
    let bucket = add_bucket(stack, id.clone(), policy, bucket, retention);
    if let Some(role) = location_role {
        lake_formation::register(stack, &bucket, in_aws, role);
    }
    stack.export(id, format!("Bucket of the zone {name}"), bucket.name())
}

fn lower_key(cx: &Context, stack: &mut StackTemplate) -> Value<Arn<Key>> {
    let root = sub!["arn:", pseudo::partition(), ":iam::", pseudo::account(), ":root"];
    // CloudWatch Logs uses the key by itself and not for a role, so the key names it; only for log groups of this account.
    let groups = sub!["arn:", pseudo::partition(), ":logs:", pseudo::region(), ":", pseudo::account(), ":log-group:*"];
    let logs = Principal::RegionalService(sub!["logs.", pseudo::region(), ".", pseudo::url_suffix()]);
    let actions = [
        Action::KMS_ENCRYPT,
        Action::KMS_DECRYPT,
        Action::KMS_RE_ENCRYPT_FROM,
        Action::KMS_RE_ENCRYPT_TO,
        Action::KMS_GENERATE_DATA_KEY,
        Action::KMS_DESCRIBE_KEY,
    ];
    // An alarm writes to the encrypted topic as CloudWatch. Source: "Enable compatibility between event sources from AWS services and
    // encrypted topics" of the Amazon SNS developer guide.
    let alarms = cx.environment.alert.as_ref().map(|_| {
        let actions = [Action::KMS_DECRYPT, Action::KMS_GENERATE_DATA_KEY];
        // Alarms of endpoints bear their names, which have no underscores.
        let plain = cx.names.plain(&["*"], usize::MAX);
        let hyphenated = plain.replace('_', "-");
        let names = std::iter::once(&plain).chain((hyphenated != plain).then_some(&hyphenated));
        let ours = names.map(|name| arn::<Alarm>("cloudwatch", sub!["alarm:", name]).text());
        Statement::key_for("SendAlarms", Principal::Service("cloudwatch.amazonaws.com"), actions)
            .only_if("StringEquals", "aws:SourceAccount", pseudo::account())
            .only_if_any("ArnLike", "aws:SourceArn", ours)
    });
    let account = Statement::key_of(Principal::Account(root));
    let log = Statement::key_for("EncryptLogs", logs, actions).only_if(
        "ArnLike",
        "kms:EncryptionContext:aws:logs:arn",
        groups,
    );
    let key = Key {
        description: format!("Data of the lake {} in {}", cx.lake.name, cx.environment.name),
        rotation: true,
        pending_days: if cx.environment.protected { 30 } else { 7 },
        policy: Policy([account, log].into_iter().chain(alarms).collect()),
        tags: cx.tag_list(),
    };
    let key = stack.template.add(Kind::LakeKey.fixed(), Declaration::from(key).retention(cx.retention()));
    stack.template.add(Kind::KeyAlias.fixed(), Alias { name: cx.names.key_alias(), key: key.arn() });
    key.arn()
}

fn lower_log_bucket(cx: &Context, stack: &mut StackTemplate) -> Value<Name<Bucket>> {
    let bucket = Bucket {
        encryption: BucketEncryption::s3(),
        lifecycle: lifecycle(Some(ACCESS_LOG_DAYS), NONCURRENT_DAYS, &[]),
        notifications: None,
        ..data_bucket(cx, cx.names.log_bucket(), &Value::literal(""), None, None, "")
    };
    let bucket = stack.template.add(Kind::AccessLogBucket.fixed(), Declaration::from(bucket).retention(cx.retention()));
    let deliver = Statement::allow("DeliverAccessLogs", [Action::S3_PUT_OBJECT], [sub![bucket.arn(), "/*"]])
        .to(Principal::Service("logging.s3.amazonaws.com"))
        .only_if("StringEquals", "aws:SourceAccount", pseudo::account());
    let policy = BucketPolicy { bucket: bucket.name(), policy: Policy(vec![Statement::tls_only(&bucket), deliver]) };
    stack.template.add(Kind::AccessLogPolicy.fixed(), policy);
    bucket.name()
}

/// A bucket as all of the lake's are: encrypted, private, versioned, logged, heard by EventBridge.
fn data_bucket(
    cx: &Context,
    name: Value<Name<Bucket>>,
    key: &Value<Arn<Key>>,
    expiration: Option<u32>,
    logs: Option<&Value<Name<Bucket>>>,
    log_prefix: &str,
) -> Bucket {
    Bucket {
        name,
        encryption: BucketEncryption::kms(key.clone()),
        versioning: VersioningConfiguration::enabled(),
        public_access: PublicAccessBlockConfiguration::all(),
        ownership: OwnershipControls::bucket_owner(),
        lifecycle: lifecycle(expiration, NONCURRENT_DAYS, &[]),
        logging: logs.map(|logs| LoggingConfiguration { destination: logs.clone(), prefix: format!("{log_prefix}/") }),
        notifications: Some(NotificationConfiguration { event_bridge: EventBridgeConfiguration { enabled: true } }),
        locked: None,
        lock: None,
        tags: cx.tag_list(),
    }
}

fn object_lock(lock: LockSpec) -> ObjectLockConfiguration {
    let (mode, Days(days)) = match lock {
        LockSpec::Governance(days) => ("GOVERNANCE", days),
        LockSpec::Compliance(days) => ("COMPLIANCE", days),
    };
    ObjectLockConfiguration { enabled: "Enabled", rule: ObjectLockRule { retention: DefaultRetention { mode, days } } }
}

fn storage_class(class: StorageClass) -> &'static str {
    match class {
        StorageClass::Intelligent => "INTELLIGENT_TIERING",
        StorageClass::Infrequent => "STANDARD_IA",
        StorageClass::InfrequentOneZone => "ONEZONE_IA",
        StorageClass::GlacierInstant => "GLACIER_IR",
    }
}

fn lifecycle(expiration: Option<u32>, recover: u32, archive: &[(Days, StorageClass)]) -> LifecycleConfiguration {
    let mut rules = vec![LifecycleRule {
        // A rule with an expiration in days clears delete markers by itself and may not say so.
        expired_delete_marker: expiration.is_none().then_some(true),
        noncurrent: Some(NoncurrentVersionExpiration { days: recover }),
        abort_multipart: Some(AbortIncompleteMultipartUpload { days: ABORT_DAYS }),
        ..rule("tidy")
    }];
    rules.extend(expiration.map(|days| LifecycleRule { expiration_days: Some(days), ..rule("keep") }));
    if !archive.is_empty() {
        let transition =
            |(Days(days), class): &(Days, StorageClass)| Transition { class: storage_class(*class), days: *days };
        rules.push(LifecycleRule { transitions: Some(archive.iter().map(transition).collect()), ..rule("archive") });
    }
    LifecycleConfiguration { rules }
}

/// When what lies in the work bucket goes: S3 takes the earliest of the days that rules for an object name, so where results are
/// kept for longer than the rest, each folder has a rule of its own.
fn ageing_of_work(cx: &Context) -> LifecycleConfiguration {
    let Days(usual) = KEPT;
    let keep = |id: String, folder: String, days| LifecycleRule {
        prefix: Some(folder),
        expiration_days: Some(days),
        ..rule(id)
    };
    let groups = || cx.lake.workgroups.values().map(|group| (group, group.keep_results.0));
    let longer = groups().any(|(_, days)| days > usual);
    let mut work = lifecycle((!longer).then_some(usual), NONCURRENT_DAYS, &[]);
    if longer {
        let others = [("jobs", job::WORK), ("profiles", profile::REPORTS)];
        work.rules.extend(others.map(|(id, folder)| keep(format!("keep-{id}"), folder.to_owned(), usual)));
    }
    let results = groups().filter(|(_, days)| longer || *days < usual);
    work.rules
        .extend(results.map(|(group, days)| keep(format!("keep-results-{}", group.name), query::results(group), days)));
    work
}

/// A rule that does nothing yet.
fn rule(id: impl Into<String>) -> LifecycleRule {
    LifecycleRule {
        id: id.into(),
        status: "Enabled",
        prefix: None,
        expiration_days: None,
        transitions: None,
        expired_delete_marker: None,
        noncurrent: None,
        abort_multipart: None,
    }
}

fn add_bucket(
    stack: &mut StackTemplate,
    id: LogicalId,
    policy: LogicalId,
    bucket: Bucket,
    retention: Retention,
) -> Ref<Bucket> {
    let bucket = stack.template.add(id, Declaration::from(bucket).retention(retention));
    stack
        .template
        .add(policy, BucketPolicy { bucket: bucket.name(), policy: Policy(vec![Statement::tls_only(&bucket)]) });
    bucket
}
