//! Permissions: what reading, writing and logging take, and nothing else.

use super::names::{arn, bucket_arn};
use super::{Context, Place, Shared};
use crate::assembly::AssetPath;
use crate::cfn::iam::{Action, Role, Statement};
use crate::cfn::kms::Key;
use crate::cfn::logs::{LogGroup, group_arn};
use crate::cfn::s3::Bucket;
use crate::cfn::{Arn, ArnPattern, LogicalId, Name, Value, dynamodb, sub};
use crate::lake::{Id, Table};

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
                Some(place) => {
                    self.read.push(objects(&place.bucket, &place.prefix));
                    self.list_place(&place);
                }
                None => {
                    self.read_items.push(items_arn(cx, table).pattern());
                    self.scan |= items == Items::Scan;
                }
            }
        }
        self
    }

    /// Writing tables, and reading what was written.
    pub(super) fn write(mut self, cx: &Context, tables: &[Id<Table>]) -> Self {
        for &table in tables {
            match cx.place(table) {
                Some(place) => {
                    self.write.push(objects(&place.bucket, &place.prefix));
                    self.list_place(&place);
                }
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
        self.write.push(objects(bucket, prefix));
        self.list(sid, bucket, prefix);
        self
    }

    /// Reading assets.
    pub(super) fn assets<'a>(mut self, shared: &Shared, assets: impl IntoIterator<Item = &'a AssetPath>) -> Self {
        let bucket = bucket_arn(&shared.asset_bucket);
        self.read.extend(assets.into_iter().map(|path| sub![&bucket, "/", path.to_string()]));
        self
    }

    /// Reading what the key protects, whatever that is.
    pub(super) fn decrypts(mut self) -> Self {
        self.decrypts = true;
        self
    }

    /// Whatever else.
    pub(super) fn and(mut self, statement: Statement) -> Self {
        self.statements.push(statement);
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
        let Self { read, write, list, read_items, write_items, scan, decrypts, statements } = self;
        let mut all = Vec::new();
        let writes = !write.is_empty() || !write_items.is_empty();
        if decrypts || writes || !read.is_empty() || !read_items.is_empty() {
            let mut actions = vec![Action::KMS_DECRYPT];
            if writes {
                actions.push(Action::KMS_GENERATE_DATA_KEY);
            }
            all.push(Statement::allow("UseKey", actions, [key.pattern()]));
        }
        if !read.is_empty() || !write.is_empty() {
            let mut readable = read;
            readable.extend(write.iter().filter(|written| !readable.contains(written)).cloned().collect::<Vec<_>>());
            all.push(Statement::allow("ReadObjects", [Action::S3_GET_OBJECT], readable));
        }
        if !write.is_empty() {
            let actions = [
                Action::S3_PUT_OBJECT,
                Action::S3_DELETE_OBJECT,
                Action::S3_ABORT_MULTIPART_UPLOAD,
                Action::S3_LIST_MULTIPART_UPLOAD_PARTS,
            ];
            all.push(Statement::allow("WriteObjects", actions, write));
        }
        if !list.is_empty() {
            let buckets = list.iter().map(|listing| bucket_arn(&listing.bucket).pattern());
            all.push(Statement::allow("LocateBuckets", [Action::S3_GET_BUCKET_LOCATION], buckets));
        }
        all.extend(list.into_iter().map(|Listing { sid, bucket, prefixes }| {
            Statement::allow(sid.to_string(), [Action::S3_LIST_BUCKET], [bucket_arn(&bucket).pattern()]).only_if_any(
                "StringLike",
                "s3:prefix",
                prefixes.into_iter().map(Value::from),
            )
        }));
        if !read_items.is_empty() {
            let mut actions = vec![Action::DYNAMODB_GET_ITEM, Action::DYNAMODB_BATCH_GET_ITEM, Action::DYNAMODB_QUERY];
            if scan {
                actions.extend([Action::DYNAMODB_SCAN, Action::DYNAMODB_DESCRIBE_TABLE]);
            }
            all.push(Statement::allow("ReadItems", actions, read_items));
        }
        if !write_items.is_empty() {
            let actions = [
                Action::DYNAMODB_BATCH_WRITE_ITEM,
                Action::DYNAMODB_DELETE_ITEM,
                Action::DYNAMODB_DESCRIBE_TABLE,
                Action::DYNAMODB_PUT_ITEM,
                Action::DYNAMODB_UPDATE_ITEM,
            ];
            all.push(Statement::allow("WriteItems", actions, write_items));
        }
        all.extend(statements);
        all
    }
}

/// Everything under a prefix.
fn objects(bucket: &Value<Name<Bucket>>, prefix: &str) -> Value<ArnPattern> {
    sub![bucket_arn(bucket), "/", prefix, "*"]
}

fn items_arn(cx: &Context, table: Id<Table>) -> Value<Arn<dynamodb::Table>> {
    arn("dynamodb", sub!["table/", cx.names.items(&cx.lake.tables[table].name)])
}

/// Writing to log groups that are there already.
pub(super) fn write_logs<'a>(groups: impl IntoIterator<Item = &'a Value<Name<LogGroup>>>) -> Statement {
    let streams = groups.into_iter().map(|group| sub![group_arn(group), ":*"]);
    Statement::allow("WriteLogs", [Action::LOGS_CREATE_LOG_STREAM, Action::LOGS_PUT_LOG_EVENTS], streams)
}

/// Encrypting log groups with the key of Glue's security configuration, without which Glue does not log.
pub(super) fn encrypt_logs<'a>(groups: impl IntoIterator<Item = &'a Value<Name<LogGroup>>>) -> Statement {
    let groups = groups.into_iter().map(|group| sub![group_arn(group), ":*"]);
    Statement::allow("EncryptLogs", [Action::LOGS_ASSOCIATE_KMS_KEY], groups)
}

/// A role that `service` takes on.
pub(super) fn role(
    cx: &Context,
    name: &str,
    description: String,
    trust: Statement,
    statements: Vec<Statement>,
) -> Role {
    Role::new(Value::literal(name), description, trust, statements, cx.tags())
}
