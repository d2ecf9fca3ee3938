//! What there is to serve of a lake.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::dynamodb::KeyValueTable;
use super::runtime::FunctionSettings;
use super::sagemaker::{Artifact, ModelEndpoint};
use super::store::{Key, KeyKind};
use crate::lake::{Api, Column, ColumnType, Function, Home, Id, Lake, Model, Table};
use crate::local::layout::Layout;
use crate::local::ledger::Ledger;
use crate::local::platform::{Version, version};

/// Where functions believe to be when the blueprint names no region.
const REGION: &str = "us-east-1";

/// Everything that is to be served, with the names that it has here.
#[derive(Clone)]
pub struct Site {
    /// The name of the lake.
    pub lake: String,
    /// The region that functions see.
    pub region: String,
    /// The environment's folder, `.lakegen/local`: the key and the address are kept there.
    pub base: PathBuf,
    /// The key-value tables.
    pub tables: Vec<KeyValueTable>,
    /// The folder of the buckets.
    pub buckets: PathBuf,
    /// The models that have an endpoint.
    pub endpoints: Vec<ModelEndpoint>,
    /// The functions, in the order of the blueprint.
    pub functions: Vec<FunctionSettings>,
    /// The API in front of them.
    pub api: Option<Api>,
}

impl Site {
    /// The lake as its local environment has it.
    #[must_use]
    pub fn of(lake: &Lake, layout: &Layout) -> Self {
        let logs = layout.base().join("serve");
        let functions = lake.functions.values().map(|function| settings(lake, function, &logs)).collect();
        let endpoints = lake.models.values().filter(|model| model.endpoint.is_some()).map(|model| ModelEndpoint {
            name: endpoint_name(lake, model),
            artifact: artifact(layout, &model.name),
            log: logs.join(format!("model-{}.log", model.name)),
        });
        Self {
            lake: lake.name.clone(),
            region: lake.environments.first().map_or_else(|| REGION.to_owned(), |found| found.region.to_string()),
            base: layout.base().to_owned(),
            tables: lake.tables.values().filter_map(|table| key_value_table(lake, layout, table)).collect(),
            buckets: layout.buckets(),
            endpoints: endpoints.collect(),
            functions,
            api: lake.api.clone(),
        }
    }
}

fn settings(lake: &Lake, function: &Function, logs: &Path) -> FunctionSettings {
    let Function { name, source, handler, reads, calls, memory_mb, timeout_seconds, environment } = function;
    let tables = reads.iter().map(|id| (variable("TABLE", &lake.tables[*id].name), location(lake, *id)));
    let endpoints = calls.iter().map(|id| {
        let model = &lake.models[*id];
        (variable("ENDPOINT", &model.name), endpoint_name(lake, model))
    });
    let cors = lake.api.as_ref().and_then(|api| api.cors.as_ref());
    let origin = cors.map(|cors| ("CORS_ORIGIN".to_owned(), cors.origin.clone()));
    FunctionSettings {
        name: format!("{}-local-{name}", lake.name),
        source: lake.root.join(source),
        handler: handler.clone(),
        memory_mb: *memory_mb,
        timeout: Duration::from_secs(u64::from(*timeout_seconds)),
        environment: tables.chain(endpoints).chain(origin).chain(environment.iter().cloned()).collect(),
        log: logs.join(format!("function-{name}.log")),
    }
}

/// `TABLE_ORDERS`
fn variable(kind: &str, name: &str) -> String {
    format!("{kind}_{}", name.to_uppercase())
}

/// What a function is told of a table: the name of a key-value table, the prefix of one in a zone.
fn location(lake: &Lake, table: Id<Table>) -> String {
    let table = &lake.tables[table];
    match &table.home {
        Home::Zone { zone, format: _ } => {
            format!("s3://{}/{}/", Layout::bucket(&lake.name, &lake.zones[*zone].name), table.name)
        }
        // A function cannot be given a view.
        Home::View { .. } => String::new(),
        Home::DynamoDb { key: _ } => Layout::dynamodb_name(&lake.name, &table.name),
    }
}

/// Names of endpoints have hyphens and no underscores.
fn endpoint_name(lake: &Lake, model: &Model) -> String {
    format!("{}-local-{}", lake.name, model.name).replace('_', "-")
}

/// A table as the local DynamoDB serves it; `None` for a table in a zone.
#[must_use]
pub fn key_value_table(lake: &Lake, layout: &Layout, table: &Table) -> Option<KeyValueTable> {
    let Home::DynamoDb { key } = &table.home else { return None };
    Some(KeyValueTable {
        name: Layout::dynamodb_name(&lake.name, &table.name),
        key: key_of(table.columns.get(*key)?),
        dir: layout.dynamodb().join(&table.name),
    })
}

/// The key that a column makes: numbers are `N`, `binary` is `B`, all else is `S`.
#[must_use]
pub fn key_of(column: &Column) -> Key {
    let kind = match column.ty {
        ty if ty.is_number() => KeyKind::Number,
        ColumnType::Binary => KeyKind::Binary,
        _ => KeyKind::String,
    };
    Key { name: column.name.clone(), kind }
}

/// The artifact of the release on record, which is read again when the record changes.
fn artifact(layout: &Layout, model: &str) -> Artifact {
    let (base, record, model) = (layout.base().to_owned(), layout.ledger(), model.to_owned());
    let known: Mutex<Option<(Version, Option<PathBuf>)>> = Mutex::new(None);
    Arc::new(move || {
        let file = std::fs::metadata(&record).ok()?;
        let version = version(&file);
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((seen, found)) = known.as_ref()
            && *seen == version
        {
            return found.clone();
        }
        let ledger = Ledger::load(&record).ok()?.ledger;
        let found = ledger.releases.get(&model).map(|release| base.join(&release.training.artifact));
        *known = Some((version, found.clone()));
        found
    })
}
