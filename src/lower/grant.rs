//! Permissions: what reading, writing and logging take, and nothing else.

use std::borrow::Cow;

use super::crawler::catalog_arns;
use super::names::{Kind, arn, bucket_arn};
use super::{Context, Place};
use crate::assembly::{AssetPath, StackTemplate};
use crate::cfn::iam::{Action, ManagedPolicy, Policy, Role, Statement};
use crate::cfn::kms::Key;
use crate::cfn::logs::{LogGroup, group_arn};
use crate::cfn::s3::Bucket;
use crate::cfn::{Arn, ArnPattern, LogicalId, Name, Ref, Value, dynamodb, pseudo, sub};
use crate::lake::{Home, Id, Table};

/// How a step comes by items of DynamoDB tables.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Items {
    /// All of them
    Scan,
    /// By key
    Lookup,
}

/// What a role may do, gathered before it becomes a policy.
#[derive(Default)]
pub(super) struct Grant {
    read: Vec<Value<ArnPattern>>,
    write: Vec<Value<ArnPattern>>,
    list: Vec<Listing>,
    read_items: Vec<Value<ArnPattern>>,
    write_items: Vec<Value<ArnPattern>>,
    scan: bool,
    decrypts: bool,
    s3a: bool,
    statements: Vec<Statement>,
}

struct Listing {
    sid: LogicalId,
    bucket: Value<Name<Bucket>>,
    prefixes: Vec<String>,
}

impl Grant {
    /// Reading tables.
    pub(super) fn read(mut self, cx: &Context, tables: &[Id<Table>], items: Items) -> Self {
        for &table in tables {
            match cx.place(table) {
                Some(place) => self = self.read_place(&place),
                None if matches!(cx.lake.tables[table].home, Home::View { .. }) => {}
                None => {
                    self.read_items.push(items_arn(cx, table).pattern());
                    self.scan |= items == Items::Scan;
                }
            }
        }
        self
    }

    /// Reading whatever lies in a place.
    pub(super) fn read_place(mut self, place: &Place) -> Self {
        self.read.extend(self.objects(&place.bucket, &place.prefix));
        self.list_place(place);
        self
    }

    /// Writing to a place, and reading what was written.
    pub(super) fn write_place(mut self, place: &Place) -> Self {
        self.write.extend(self.objects(&place.bucket, &place.prefix));
        self.list_place(place);
        self
    }

    /// Writing tables, and reading what was written.
    pub(super) fn write(mut self, cx: &Context, tables: &[Id<Table>]) -> Self {
        for &table in tables {
            match cx.place(table) {
                Some(place) => self = self.write_place(&place),
                None => self.write_items.push(items_arn(cx, table).pattern()),
            }
        }
        self
    }

    /// Reading and writing under `prefix` of the work bucket.
    pub(super) fn work(self, bucket: &Value<Name<Bucket>>, prefix: &str) -> Self {
        self.bucket(LogicalId::fixed("ListWorkBucket"), bucket, prefix)
    }

    /// Reading and writing under `prefix` of the bucket of models.
    pub(super) fn models(self, bucket: &Value<Name<Bucket>>, prefix: &str) -> Self {
        self.bucket(LogicalId::fixed("ListModelBucket"), bucket, prefix)
    }

    fn bucket(mut self, sid: LogicalId, bucket: &Value<Name<Bucket>>, prefix: &str) -> Self {
        self.write.extend(self.objects(bucket, prefix));
        self.list(sid, bucket, prefix);
        self
    }

    /// Reading assets.
    pub(super) fn assets<'a>(
        mut self,
        bucket: &Value<Name<Bucket>>,
        assets: impl IntoIterator<Item = &'a AssetPath>,
    ) -> Self {
        let bucket = bucket_arn(bucket);
        self.read.extend(assets.into_iter().map(|path| sub![&bucket, "/", path.to_string()]));
        self
    }

    /// Reading what the key protects, whatever that is.
    pub(super) fn decrypts(mut self) -> Self {
        self.decrypts = true;
        self
    }

    /// Everything under a prefix.
    fn objects(&self, bucket: &Value<Name<Bucket>>, prefix: &str) -> Vec<Value<ArnPattern>> {
        let folder = prefix.strip_suffix('/').filter(|_| self.s3a);
        let folder = folder.map(|folder| sub![bucket_arn(bucket), "/", folder.to_owned()]);
        folder.into_iter().chain([sub![bucket_arn(bucket), "/", prefix, "*"]]).collect()
    }

    /// What follows is read and written through Hadoop's S3A, as Glue's Spark does. It first looks whether a folder is an object,
    /// and takes a refusal for a failure, so it may look at the key that is the prefix without its slash.
    ///
    /// Source: "Working with IAM Assumed Roles" of the hadoop-aws documentation.
    pub(super) fn through_s3a(mut self) -> Self {
        self.s3a = true;
        self
    }

    /// Whatever else.
    pub(super) fn and(mut self, statements: impl IntoIterator<Item = Statement>) -> Self {
        self.statements.extend(statements);
        self
    }

    fn list_place(&mut self, place: &Place) {
        self.list(LogicalId::of("ListZone", &place.zone), &place.bucket, &place.prefix);
    }

    fn list(&mut self, sid: LogicalId, bucket: &Value<Name<Bucket>>, prefix: &str) {
        // A folder is looked for with and without its slash.
        let patterns = [prefix.trim_end_matches('/').to_owned(), format!("{prefix}*")];
        match self.list.iter_mut().find(|listing| listing.sid == sid) {
            Some(listing) if listing.prefixes.contains(&patterns[1]) => {}
            Some(listing) => listing.prefixes.extend(patterns),
            None => self.list.push(Listing { sid, bucket: bucket.clone(), prefixes: patterns.into() }),
        }
    }

    /// The statements, with what `key` takes.
    pub(super) fn statements(self, key: &Value<Arn<Key>>) -> Vec<Statement> {
        let Self { read, write, list, read_items, write_items, scan, decrypts, s3a: _, statements } = self;
        let mut all = Vec::new();
        let writes = !write.is_empty() || !write_items.is_empty();
        if decrypts || writes || !read.is_empty() || !read_items.is_empty() {
            let mut actions = vec![Action::KMS_DECRYPT];
            if writes {
                // S3 makes do with data keys; SageMaker's output and Glue's bookmarks ask to encrypt. Sources: "CreateTrainingJob API:
                // Execution Role Permissions", "Setting up encryption in AWS Glue".
                actions.extend([Action::KMS_ENCRYPT, Action::KMS_GENERATE_DATA_KEY]);
            }
            all.push(Statement::allow("UseKey", actions, [key.pattern()]));
        }
        if !read.is_empty() || !write.is_empty() {
            let mut readable = read;
            readable.extend(write.iter().filter(|written| !readable.contains(written)).cloned().collect::<Vec<_>>());
            all.extend(allow("ReadObjects", &[Action::S3_GET_OBJECT], readable));
        }
        if !write.is_empty() {
            let actions = [
                Action::S3_PUT_OBJECT,
                Action::S3_DELETE_OBJECT,
                Action::S3_ABORT_MULTIPART_UPLOAD,
                Action::S3_LIST_MULTIPART_UPLOAD_PARTS,
            ];
            all.extend(allow("WriteObjects", &actions, write));
        }
        if !list.is_empty() {
            let buckets = list.iter().map(|listing| bucket_arn(&listing.bucket).pattern());
            all.push(Statement::allow("LocateBuckets", [Action::S3_GET_BUCKET_LOCATION], buckets));
        }
        for Listing { sid, bucket, prefixes } in list {
            let chunks = 0..prefixes.len().div_ceil(4 * CHUNK);
            let mut prefixes = prefixes.into_iter().map(Value::literal);
            all.extend(chunks.map(|index| {
                let bucket = bucket_arn(&bucket).pattern();
                let prefixes = prefixes.by_ref().take(4 * CHUNK);
                // A look at a key that is not there carries no prefix; without `IfExists` it is refused, not answered with "no".
                Statement::allow(part(sid.to_string(), index), [Action::S3_LIST_BUCKET], [bucket]).only_if_any(
                    "StringLikeIfExists",
                    "s3:prefix",
                    prefixes,
                )
            }));
        }
        if !read_items.is_empty() {
            let mut actions = vec![Action::DYNAMODB_GET_ITEM, Action::DYNAMODB_BATCH_GET_ITEM, Action::DYNAMODB_QUERY];
            if scan {
                actions.extend([Action::DYNAMODB_SCAN, Action::DYNAMODB_DESCRIBE_TABLE]);
            }
            all.extend(allow("ReadItems", &actions, read_items));
        }
        if !write_items.is_empty() {
            let actions = [
                Action::DYNAMODB_BATCH_WRITE_ITEM,
                Action::DYNAMODB_DELETE_ITEM,
                Action::DYNAMODB_DESCRIBE_TABLE,
                Action::DYNAMODB_PUT_ITEM,
                Action::DYNAMODB_UPDATE_ITEM,
            ];
            all.extend(allow("WriteItems", &actions, write_items));
        }
        all.extend(statements);
        all
    }
}

/// How many resources one statement names, so that statements fill policies well.
const CHUNK: usize = 12;

/// The name of a statement's `index`th part.
fn part(sid: impl Into<Cow<'static, str>>, index: usize) -> Cow<'static, str> {
    let sid = sid.into();
    if index == 0 { sid } else { format!("{sid}Part{}", index + 1).into() }
}

/// Allows `actions` on any number of resources.
pub(super) fn allow(sid: &'static str, actions: &[Action], resources: Vec<Value<ArnPattern>>) -> Vec<Statement> {
    let chunks = 0..resources.len().div_ceil(CHUNK);
    let mut resources = resources.into_iter();
    let chunk = |index| Statement::allow(part(sid, index), actions.iter().copied(), resources.by_ref().take(CHUNK));
    chunks.map(chunk).collect()
}

/// Finding tables in the catalog.
pub(super) fn read_catalog(cx: &Context, tables: &[Id<Table>]) -> Vec<Statement> {
    let actions = [
        Action::GLUE_GET_DATABASE,
        Action::GLUE_GET_TABLE,
        Action::GLUE_GET_TABLES,
        Action::GLUE_GET_PARTITION,
        Action::GLUE_GET_PARTITIONS,
        Action::GLUE_BATCH_GET_PARTITION,
    ];
    allow("ReadCatalog", &actions, catalog_arns(cx, tables))
}

fn items_arn(cx: &Context, table: Id<Table>) -> Value<Arn<dynamodb::Table>> {
    arn("dynamodb", sub!["table/", cx.names.items(&cx.lake.tables[table])])
}

/// Writing to log groups that are there already.
pub(super) fn write_logs<'a>(groups: impl IntoIterator<Item = &'a Value<Name<LogGroup>>>) -> Statement {
    let streams = groups.into_iter().map(|group| sub![group_arn(group), ":*"]);
    Statement::allow("WriteLogs", [Action::LOGS_CREATE_LOG_STREAM, Action::LOGS_PUT_LOG_EVENTS], streams)
}

/// Making, encrypting and writing to log groups that `key` encrypts: CloudWatch Logs uses the key on behalf of whoever calls it.
///
/// Source: "Set permissions on the calling IAM principal" of the page "Encrypt log data in CloudWatch Logs using AWS KMS".
pub(super) fn use_key_for_logs(key: &Value<Arn<Key>>) -> Statement {
    let actions = [
        Action::KMS_DECRYPT,
        Action::KMS_DESCRIBE_KEY,
        Action::KMS_ENCRYPT,
        Action::KMS_GENERATE_DATA_KEY,
        Action::KMS_RE_ENCRYPT_FROM,
        Action::KMS_RE_ENCRYPT_TO,
    ];
    let service = sub!["logs.", pseudo::region(), ".", pseudo::url_suffix()];
    Statement::allow("UseKeyForLogs", actions, [key.pattern()]).only_if("StringEquals", "kms:ViaService", service)
}

/// Writing to log groups under a prefix. They are there already, but Glue may ask for them all the same.
pub(super) fn make_and_write_logs(prefix: &str) -> Statement {
    let actions = [Action::LOGS_CREATE_LOG_GROUP, Action::LOGS_CREATE_LOG_STREAM, Action::LOGS_PUT_LOG_EVENTS];
    Statement::allow("WriteLogs", actions, [sub![group_arn(&Value::literal(format!("{prefix}/*")))]])
}

/// Encrypting log groups with the key of Glue's security configuration, without which Glue does not log.
pub(super) fn encrypt_logs<'a>(groups: impl IntoIterator<Item = &'a Value<Name<LogGroup>>>) -> Statement {
    let groups = groups.into_iter().map(|group| sub![group_arn(group), ":*"]);
    Statement::allow("EncryptLogs", [Action::LOGS_ASSOCIATE_KMS_KEY], groups)
}

/// What IAM takes in the policies inside of a role, and in a policy on its own: 10,240 and 6,144 characters, less some for
/// references, whose values are longer than they are.
const INLINE: usize = 9_600;
const MANAGED: usize = 5_600;

/// Adds a role that whoever `trust` names takes on. What does not fit into it becomes policies of their own.
pub(super) fn add_role(
    cx: &Context,
    stack: &mut StackTemplate,
    id: LogicalId,
    name: &str,
    description: &str,
    trust: Statement,
    statements: Vec<Statement>,
) -> Ref<Role> {
    let fits = statements.iter().map(Statement::weight).sum::<usize>() <= INLINE;
    let (inline, apart) = if fits { (statements, Vec::new()) } else { (Vec::new(), statements) };
    let mut role = Role::new(Value::literal(name.to_owned()), description, trust, inline, cx.tag_list());
    role.boundary = cx.lake.github.as_ref().map(|_| super::access::boundary_arn(cx));
    let role = stack.template.add(id, role);
    for (index, statements) in packed(apart).into_iter().enumerate() {
        let policy = ManagedPolicy {
            description: format!("{description}, part {}", index + 1),
            document: Policy(statements),
            roles: vec![role.name()],
        };
        stack.template.add(Kind::StepPolicy.digested(&format!("{} {index}", role.id())), policy);
    }
    role
}

/// The statements in as many policies as they need.
pub(super) fn packed(statements: Vec<Statement>) -> Vec<Vec<Statement>> {
    let mut policies: Vec<(usize, Vec<Statement>)> = Vec::new();
    for statement in statements {
        let weight = statement.weight();
        match policies.iter_mut().find(|(used, _)| used + weight <= MANAGED) {
            Some((used, policy)) => {
                *used += weight;
                policy.push(statement);
            }
            None => policies.push((weight, vec![statement])),
        }
    }
    policies.into_iter().map(|(_, statements)| statements).collect()
}
