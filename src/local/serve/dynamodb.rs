//! DynamoDB's JSON protocol over [`DynamoStore`]s: what serving code and jobs that write items use, and no more. A parameter
//! that is not understood here is an error, never ignored.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::attribute::{Attribute, Item, normalise_item};
use super::http::{Ids, Listening};
use super::store::{Change, DynamoStore, Key, items_file};
use crate::local::platform::{Identity, identity};

const MAX_REQUEST: usize = 16 << 20;
const MAX_ANSWER: usize = 16 << 20;
const MAX_GETS: usize = 100;
const MAX_WRITES: usize = 25;

/// A table to be served: where it lies and how it is called.
#[derive(Clone, Debug)]
pub struct KeyValueTable {
    /// The name that clients use.
    pub name: String,
    /// Its partition key.
    pub key: Key,
    /// The folder of its [`DynamoStore`]; it may not exist yet.
    pub dir: PathBuf,
}

/// A DynamoDB endpoint on loopback.
pub struct DynamoDb {
    listening: Listening,
}

impl DynamoDb {
    /// Serves `tables` on a free port. A table whose folder is replaced by another one is read from there from then on.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(tables: Vec<KeyValueTable>) -> io::Result<Self> {
        let tables = tables.into_iter().map(|table| (table.name.clone(), Table { table, open: Mutex::new(None) }));
        let tables = Arc::new(Tables { tables: tables.collect(), ids: Ids::new()? });
        let router = Router::new().fallback(answer).layer(DefaultBodyLimit::max(MAX_REQUEST)).with_state(tables);
        let listening = Listening::start(router).await?;
        Ok(Self { listening })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listening.address
    }

    /// The value of `AWS_ENDPOINT_URL_DYNAMODB`.
    pub fn url(&self) -> String {
        self.listening.url()
    }

    /// Stops. What was written is on disk already.
    pub async fn stop(self) {
        self.listening.stop().await;
    }
}

struct Tables {
    tables: HashMap<String, Table>,
    ids: Ids,
}

struct Table {
    table: KeyValueTable,
    /// Which file is open, to notice when a table is replaced.
    open: Mutex<Option<(Identity, Arc<DynamoStore>)>>,
}

impl Table {
    /// The table for reading; `None` when there is none yet. Makes nothing: a run may be about to put a new one into place, and
    /// until it has, the old one answers.
    fn reader(&self) -> Result<Option<Arc<DynamoStore>>, Failure> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        match (self.identity(), open.as_ref()) {
            (Ok(found), Some((known, store))) if *known == found => Ok(Some(store.clone())),
            (Ok(_), _) => self.open(&mut open).map(Some),
            (Err(_), known) => Ok(known.map(|(_, store)| store.clone())),
        }
    }

    /// The table for writing, made if need be.
    fn writer(&self) -> Result<Arc<DynamoStore>, Failure> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        match (self.identity(), open.as_ref()) {
            (Ok(found), Some((known, store))) if *known == found => Ok(store.clone()),
            _ => self.open(&mut open),
        }
    }

    fn identity(&self) -> io::Result<Identity> {
        std::fs::metadata(items_file(&self.table.dir)).map(|file| identity(&file))
    }

    fn open(&self, open: &mut Option<(Identity, Arc<DynamoStore>)>) -> Result<Arc<DynamoStore>, Failure> {
        let store = Arc::new(DynamoStore::open(&self.table.dir, self.table.key.clone())?);
        *open = Some((self.identity()?, store.clone()));
        Ok(store)
    }

    /// The item with this key, as JSON.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        Ok(self.reader()?.map(|store| store.get(key)).transpose()?.flatten())
    }

    /// Checks an item that is to be written and brings its numbers to their one spelling.
    fn check_item(&self, mut item: Item) -> Result<Item, Failure> {
        let Key { name, kind } = &self.table.key;
        const INVALID: &str = "One or more parameter values were invalid";
        let Some(value) = item.get(name) else {
            return Err(validation(format!("{INVALID}: Missing the key {name} in the item")));
        };
        if value.descriptor() != kind.descriptor() {
            let (expected, actual) = (kind.descriptor(), value.descriptor());
            return Err(validation(format!(
                "{INVALID}: Type mismatch for key {name} expected: {expected} actual: {actual}"
            )));
        }
        if matches!(value, Attribute::S(text) | Attribute::B(text) if text.is_empty()) {
            return Err(validation(format!(
                "{INVALID}: The AttributeValue for a key attribute cannot contain an empty string value. Key: {name}"
            )));
        }
        normalise_item(&mut item).map_err(validation)?;
        match item.get(name).and_then(|value| self.table.key.bytes(value)) {
            Some(_) => Ok(item),
            None => {
                Err(validation(format!("{INVALID}: Size of hashkey has exceeded the maximum size limit of2048 bytes")))
            }
        }
    }

    /// The bytes of a key that a client gave as a map.
    fn key_bytes(&self, key: &Item) -> Result<Vec<u8>, Failure> {
        let mismatch = || validation("The provided key element does not match the schema");
        if key.len() != 1 {
            return Err(validation("The number of conditions on the keys is invalid"));
        }
        let value = key.get(&self.table.key.name).ok_or_else(mismatch)?;
        self.table.key.bytes(value).ok_or_else(mismatch)
    }
}

/// An error as AWS's SDKs read it.
struct Failure {
    status: StatusCode,
    kind: &'static str,
    message: String,
}

fn validation(message: impl Into<String>) -> Failure {
    let kind = "com.amazon.coral.validate#ValidationException";
    Failure { status: StatusCode::BAD_REQUEST, kind, message: message.into() }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let kind = "com.amazonaws.dynamodb.v20120810#InternalServerError";
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, kind, message: error.to_string() }
    }
}

async fn answer(State(tables): State<Arc<Tables>>, headers: HeaderMap, body: Bytes) -> Response {
    let id = tables.ids.uuid();
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let work = tokio::task::spawn_blocking(move || tables.perform(&target, &body));
    let answer = work.await.unwrap_or_else(|error| Err(io::Error::other(error).into()));
    let (status, body) = match answer {
        Ok(body) => (StatusCode::OK, body),
        Err(Failure { status, kind, message }) => {
            (status, json!({ "__type": kind, "message": message }).to_string().into_bytes())
        }
    };
    let content = (header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"));
    (status, [content], [("x-amzn-RequestId", id)], body).into_response()
}

impl Tables {
    fn perform(&self, target: &str, body: &[u8]) -> Result<Vec<u8>, Failure> {
        match target.strip_prefix("DynamoDB_20120810.").unwrap_or_default() {
            "GetItem" => self.get_item(read(body)?),
            "BatchGetItem" => self.batch_get_item(read(body)?),
            "PutItem" => self.put_item(read(body)?),
            "BatchWriteItem" => self.batch_write_item(read(body)?),
            "Query" => self.query(&read(body)?),
            "DescribeTable" => self.describe_table(&read(body)?),
            other => Err(Failure {
                status: StatusCode::BAD_REQUEST,
                kind: "com.amazon.coral.service#UnknownOperationException",
                message: format!("the local DynamoDB has no operation `{other}`"),
            }),
        }
    }

    fn table(&self, name: &str) -> Result<&Table, Failure> {
        // An ARN may stand for the name.
        let name = name.rsplit_once(":table/").map_or(name, |(_, name)| name);
        self.tables.get(name).ok_or_else(|| Failure {
            status: StatusCode::BAD_REQUEST,
            kind: "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",
            message: format!("Requested resource not found: Table: {name} not found"),
        })
    }

    fn get_item(&self, input: GetItem) -> Result<Vec<u8>, Failure> {
        let table = self.table(&input.table_name)?;
        let key = table.key_bytes(&input.key)?;
        let projection = Projection::new(input.projection_expression, &input.expression_attribute_names)?;
        let Some(item) = table.get(&key)? else {
            return Ok(b"{}".to_vec());
        };
        let item = projection.apply(item)?;
        Ok([b"{\"Item\":", item.as_slice(), b"}"].concat())
    }

    fn batch_get_item(&self, input: BatchGetItem) -> Result<Vec<u8>, Failure> {
        let count: usize = input.request_items.values().map(|request| request.keys.len()).sum();
        if count > MAX_GETS {
            return Err(validation("Too many items requested for the BatchGetItem call"));
        }
        let mut responses = Vec::new();
        let mut left = IndexMap::new();
        for (name, request) in input.request_items {
            let table = self.table(&name)?;
            let keys = request.keys.iter().map(|key| table.key_bytes(key)).collect::<Result<Vec<_>, _>>()?;
            refuse_duplicates(&keys)?;
            let projection = Projection::new(request.projection_expression, &request.expression_attribute_names)?;
            let mut items = Vec::new();
            let mut unprocessed = Vec::new();
            let mut size: usize = responses.iter().map(|(_, items): &(String, Vec<u8>)| items.len()).sum();
            for (bytes, key) in keys.iter().zip(request.keys) {
                let Some(item) = table.get(bytes)? else {
                    continue;
                };
                let item = projection.apply(item)?;
                size += item.len();
                if size > MAX_ANSWER {
                    unprocessed.push(key);
                    continue;
                }
                if !items.is_empty() {
                    items.push(b',');
                }
                items.extend_from_slice(&item);
            }
            if !unprocessed.is_empty() {
                left.insert(name.clone(), json!({ "Keys": unprocessed }));
            }
            responses.push((name, items));
        }
        let mut body = b"{\"Responses\":{".to_vec();
        for (position, (name, items)) in responses.iter().enumerate() {
            let comma = if position > 0 { "," } else { "" };
            body.extend_from_slice(format!("{comma}{}:[", Value::from(name.as_str())).as_bytes());
            body.extend_from_slice(items);
            body.push(b']');
        }
        body.extend_from_slice(format!("}},\"UnprocessedKeys\":{}}}", json!(left)).as_bytes());
        Ok(body)
    }

    fn put_item(&self, input: PutItem) -> Result<Vec<u8>, Failure> {
        let table = self.table(&input.table_name)?;
        let item = table.check_item(input.item)?;
        table.writer()?.put(&[Change::Put(item)])?;
        Ok(b"{}".to_vec())
    }

    fn batch_write_item(&self, input: BatchWriteItem) -> Result<Vec<u8>, Failure> {
        let count: usize = input.request_items.values().map(Vec::len).sum();
        if count > MAX_WRITES || input.request_items.values().any(Vec::is_empty) {
            return Err(validation(
                "1 validation error detected: Value at 'requestItems' failed to satisfy constraint: Map value must satisfy \
                 constraint: [Member must have length less than or equal to 25, Member must have length greater than or \
                 equal to 1]",
            ));
        }
        let mut batches = Vec::new();
        for (name, requests) in input.request_items {
            let table = self.table(&name)?;
            let changes = requests.into_iter().map(|request| {
                Ok(match request {
                    WriteRequest::PutRequest { item } => Change::Put(table.check_item(item)?),
                    WriteRequest::DeleteRequest { key } => {
                        table.key_bytes(&key)?;
                        Change::Delete(key)
                    }
                })
            });
            let changes = changes.collect::<Result<Vec<_>, Failure>>()?;
            let key_name = &table.table.key.name;
            let keys = changes.iter().filter_map(|(Change::Put(item) | Change::Delete(item))| {
                item.get(key_name).and_then(|value| table.table.key.bytes(value))
            });
            refuse_duplicates(&keys.collect::<Vec<_>>())?;
            batches.push((table.writer()?, changes));
        }
        for (store, changes) in batches {
            store.put(&changes)?;
        }
        Ok(b"{\"UnprocessedItems\":{}}".to_vec())
    }

    fn query(&self, input: &Query) -> Result<Vec<u8>, Failure> {
        let table = self.table(&input.table_name)?;
        let key = &table.table.key;
        let only = || {
            validation(format!(
                "the local DynamoDB answers queries for one key only: `{} = :value`, not `{}`",
                key.name, input.key_condition_expression
            ))
        };
        let (name, value) = input.key_condition_expression.split_once('=').ok_or_else(only)?;
        let name = resolve_name(name.trim(), &input.expression_attribute_names)?;
        if name != key.name {
            return Err(validation("Query condition missed key schema element: ".to_owned() + &key.name));
        }
        let value = value.trim();
        if !value.starts_with(':') || !value[1..].bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(only());
        }
        let value = input.expression_attribute_values.get(value).ok_or_else(|| {
            validation(format!(
                "Invalid KeyConditionExpression: An expression attribute value used in expression is not defined; \
                 attribute value: {value}"
            ))
        })?;
        let bytes = key.bytes(value).ok_or_else(|| {
            validation("One or more parameter values were invalid: Condition parameter type does not match schema type")
        })?;
        let projection = Projection::new(input.projection_expression.clone(), &input.expression_attribute_names)?;
        Ok(match table.get(&bytes)? {
            Some(item) => {
                let item = projection.apply(item)?;
                [b"{\"Items\":[", item.as_slice(), b"],\"Count\":1,\"ScannedCount\":1}"].concat()
            }
            None => b"{\"Items\":[],\"Count\":0,\"ScannedCount\":0}".to_vec(),
        })
    }

    fn describe_table(&self, input: &DescribeTable) -> Result<Vec<u8>, Failure> {
        let table = self.table(&input.table_name)?;
        let (count, size) = table.reader()?.map_or((0, 0), |store| (store.len(), store.bytes()));
        let KeyValueTable { name, key, .. } = &table.table;
        let description = json!({ "Table": {
            "TableName": name,
            "TableArn": format!("arn:aws:dynamodb:local:000000000000:table/{name}"),
            "TableStatus": "ACTIVE",
            "CreationDateTime": 0,
            "AttributeDefinitions": [{ "AttributeName": key.name, "AttributeType": key.kind.descriptor() }],
            "KeySchema": [{ "AttributeName": key.name, "KeyType": "HASH" }],
            "BillingModeSummary": { "BillingMode": "PAY_PER_REQUEST" },
            "ProvisionedThroughput": { "NumberOfDecreasesToday": 0, "ReadCapacityUnits": 0, "WriteCapacityUnits": 0 },
            "ItemCount": count,
            "TableSizeBytes": size,
        }});
        Ok(description.to_string().into_bytes())
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => {
            validation(format!("the local DynamoDB cannot take this request: {error}"))
        }
        _ => Failure {
            status: StatusCode::BAD_REQUEST,
            kind: "com.amazon.coral.service#SerializationException",
            message: error.to_string(),
        },
    })
}

fn refuse_duplicates(keys: &[Vec<u8>]) -> Result<(), Failure> {
    let distinct: std::collections::HashSet<_> = keys.iter().collect();
    if distinct.len() == keys.len() {
        return Ok(());
    }
    Err(validation("Provided list of item keys contains duplicates"))
}

fn resolve_name<'a>(name: &'a str, names: &'a IndexMap<String, String>) -> Result<&'a str, Failure> {
    if !name.starts_with('#') {
        return Ok(name);
    }
    names.get(name).map(String::as_str).ok_or_else(|| {
        validation(format!(
            "An expression attribute name used in the document path is not defined; attribute name: {name}"
        ))
    })
}

/// Which attributes an answer has: all, or the named ones.
struct Projection(Option<Vec<String>>);

impl Projection {
    fn new(expression: Option<String>, names: &IndexMap<String, String>) -> Result<Self, Failure> {
        let Some(expression) = expression else {
            return Ok(Self(None));
        };
        let attributes = expression.split(',').map(|path| {
            let path = path.trim();
            if path.is_empty() || path.contains(['.', '[', ' ']) {
                return Err(validation(format!("the local DynamoDB projects whole attributes only, not `{path}`")));
            }
            resolve_name(path, names).map(str::to_owned)
        });
        Ok(Self(Some(attributes.collect::<Result<_, _>>()?)))
    }

    fn apply(&self, item: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let Some(attributes) = &self.0 else {
            return Ok(item);
        };
        let mut item: Item = serde_json::from_slice(&item).map_err(io::Error::from)?;
        item.retain(|name, _| attributes.contains(name));
        Ok(serde_json::to_vec(&item).map_err(io::Error::from)?)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GetItem {
    table_name: String,
    key: Item,
    #[serde(default)]
    projection_expression: Option<String>,
    #[serde(default)]
    expression_attribute_names: IndexMap<String, String>,
    #[serde(default, rename = "ConsistentRead")]
    _consistent_read: bool,
    #[serde(default, rename = "ReturnConsumedCapacity")]
    _return_consumed_capacity: NoneOnly,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct BatchGetItem {
    request_items: IndexMap<String, KeysAndAttributes>,
    #[serde(default, rename = "ReturnConsumedCapacity")]
    _return_consumed_capacity: NoneOnly,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct KeysAndAttributes {
    keys: Vec<Item>,
    #[serde(default)]
    projection_expression: Option<String>,
    #[serde(default)]
    expression_attribute_names: IndexMap<String, String>,
    #[serde(default, rename = "ConsistentRead")]
    _consistent_read: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PutItem {
    table_name: String,
    item: Item,
    #[serde(default, rename = "ReturnConsumedCapacity")]
    _return_consumed_capacity: NoneOnly,
    #[serde(default, rename = "ReturnItemCollectionMetrics")]
    _return_item_collection_metrics: NoneOnly,
    #[serde(default, rename = "ReturnValues")]
    _return_values: NoneOnly,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct BatchWriteItem {
    request_items: IndexMap<String, Vec<WriteRequest>>,
    #[serde(default, rename = "ReturnConsumedCapacity")]
    _return_consumed_capacity: NoneOnly,
    #[serde(default, rename = "ReturnItemCollectionMetrics")]
    _return_item_collection_metrics: NoneOnly,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
enum WriteRequest {
    PutRequest {
        #[serde(rename = "Item")]
        item: Item,
    },
    DeleteRequest {
        #[serde(rename = "Key")]
        key: Item,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Query {
    table_name: String,
    key_condition_expression: String,
    #[serde(default)]
    expression_attribute_names: IndexMap<String, String>,
    #[serde(default)]
    expression_attribute_values: IndexMap<String, Attribute>,
    #[serde(default)]
    projection_expression: Option<String>,
    #[serde(default, rename = "ConsistentRead")]
    _consistent_read: bool,
    #[serde(default, rename = "ScanIndexForward")]
    _scan_index_forward: bool,
    #[serde(default, rename = "Limit")]
    _limit: Option<std::num::NonZeroU32>,
    #[serde(default, rename = "ReturnConsumedCapacity")]
    _return_consumed_capacity: NoneOnly,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DescribeTable {
    table_name: String,
}

/// An option of which only `NONE` is understood.
#[derive(Default, Deserialize)]
enum NoneOnly {
    #[default]
    #[serde(rename = "NONE")]
    None,
}
