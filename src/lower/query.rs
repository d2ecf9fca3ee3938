//! Queries: an Athena workgroup, and one statement per query.
//!
//! A query writes with `UNLOAD`: it writes files of the declared columns and types straight to the table's place, and unlike
//! `CREATE TABLE AS` it may do so in a workgroup whose result location is enforced. `UNLOAD` refuses a place that holds
//! data, so whoever runs the statement clears the place first; a second run then replaces and never doubles the table.

use std::fmt::Write;

use super::crawler::names;
use super::grant::{self, Grant, Items};
use super::names::{Kind, arn, role_arn};
use super::table::Catalog;
use super::{Context, Shared};
use crate::assembly::StackTemplate;
use crate::cfn::athena::{
    EngineVersion, NamedQuery, ResultConfiguration, ResultEncryption, WorkGroup, WorkGroupConfiguration,
};
use crate::cfn::iam::{Action, Statement};
use crate::cfn::{Arn, Name, Text, Value, sub};
use crate::lake::{Column, ColumnType, Compression, Format, Home, Query, Table};

/// Where in the work bucket results of queries go.
const RESULTS: &str = "athena/";
const GIB: u64 = 1 << 30;

/// The workgroup in which all queries of the lake run; the `first` stack has it.
pub(super) fn work_group(
    cx: &Context,
    stack: &mut StackTemplate,
    shared: &Shared,
    first: bool,
) -> Value<Name<WorkGroup>> {
    if !first || cx.lake.queries.is_empty() {
        return Value::literal(cx.names.plain(&[], 128));
    }
    let work_group = WorkGroup {
        name: Value::literal(cx.names.plain(&[], 128)),
        description: format!("Queries of the lake {} in {}", cx.lake.name, cx.environment.name),
        state: "ENABLED",
        recursive_delete: !cx.environment.protected,
        configuration: WorkGroupConfiguration {
            enforced: true,
            metrics: true,
            bytes_scanned_cutoff: if cx.environment.protected { 1024 * GIB } else { 100 * GIB },
            engine: EngineVersion { selected: "Athena engine version 3" },
            results: ResultConfiguration {
                location: sub!["s3://", &shared.work_bucket, "/", RESULTS],
                encryption: ResultEncryption { option: "SSE_KMS", key: shared.key.clone() },
            },
        },
        tags: cx.tag_list(),
    };
    let work_group = stack.template.add(Kind::AthenaWorkGroup.fixed(), work_group);
    stack.export(Kind::AthenaWorkGroup.fixed(), "Workgroup of the lake's queries", work_group.name());
    work_group.name()
}

pub(super) fn lower(
    cx: &Context,
    stack: &mut StackTemplate,
    shared: &Shared,
    catalog: &Catalog,
    work_group: &Value<Name<WorkGroup>>,
    query: &Query,
) {
    let Query { name, sql, reads, writes } = query;
    let Some(place) = cx.place(*writes) else { return };
    let target = &cx.lake.tables[*writes];

    let named = NamedQuery {
        name: Value::literal(name.as_str()),
        description: format!("Writes {}; its place must be empty", target.name),
        database: catalog.database.clone(),
        work_group: work_group.clone(),
        statement: unload(sql, target, place.uri().text()),
    };
    let named = stack.template.add(Kind::AthenaQuery.of(name), named);
    stack.export(Kind::AthenaQuery.of(name), format!("Id of the query {name}"), named.query_id());

    let work_group: Value<Arn<WorkGroup>> = arn("athena", sub!["workgroup/", cx.names.plain(&[], 128)]);
    let statements = Grant::default()
        .read(cx, reads, Items::Scan)
        .write(cx, &[*writes])
        .work(&shared.work_bucket, RESULTS)
        .and([Statement::allow(
            "RunQueries",
            [
                Action::ATHENA_GET_NAMED_QUERY,
                Action::ATHENA_GET_QUERY_EXECUTION,
                Action::ATHENA_START_QUERY_EXECUTION,
                Action::ATHENA_STOP_QUERY_EXECUTION,
            ],
            [work_group.pattern()],
        )])
        .and(grant::read_catalog(cx, reads))
        .statements(&shared.key);
    // Athena has no roles of its own: it does what the caller may do. The caller is the pipeline.
    let trust = Statement::assumed_by(role_arn(&cx.names.pipeline_role()));
    let description = format!("What the query {name} may do: read {}", names(cx, reads));
    let id = Kind::QueryRole.of(name);
    grant::add_role(cx, stack, id, &cx.names.role("query", name), &description, trust, statements);
}

/// The statement that writes what `sql` selects, as `table` declares it, to `location`.
fn unload(sql: &str, table: &Table, location: Value<Text>) -> Value<Text> {
    let sql = sql.trim().trim_end_matches(';').trim_end();
    let mut text = String::from("UNLOAD (\nSELECT\n");
    let columns: Vec<_> = table.columns.iter().chain(&table.partitions).collect();
    for (index, Column { name, ty, .. }) in columns.iter().enumerate() {
        let comma = if index + 1 == columns.len() { "" } else { "," };
        let _ = writeln!(text, "  CAST(\"{name}\" AS {}) AS \"{name}\"{comma}", athena_type(*ty));
    }
    let _ = write!(text, "FROM (\n{sql}\n)\n)\nTO '");

    let mut properties = match &table.home {
        Home::Zone { format: Format::Parquet(compression), .. } => {
            let compression = match compression {
                Compression::None => "NONE",
                other => other.name(),
            };
            format!("format = 'PARQUET', compression = '{compression}'")
        }
        Home::Zone { format: Format::Csv(csv), .. } => {
            let delimiter = csv.delimiter.to_string().replace('\'', "''");
            format!("format = 'TEXTFILE', field_delimiter = '{delimiter}'")
        }
        Home::Zone { format: Format::Json { .. }, .. } | Home::DynamoDb { .. } => "format = 'JSON'".to_owned(),
    };
    if !table.partitions.is_empty() {
        let partitions: Vec<_> = table.partitions.iter().map(|column| format!("'{}'", column.name)).collect();
        let _ = write!(properties, ", partitioned_by = ARRAY[{}]", partitions.join(", "));
    }
    sub![text, location, format!("'\nWITH ({properties})\n")]
}

/// What Athena's queries call a type of the catalog.
fn athena_type(ty: ColumnType) -> String {
    match ty {
        ColumnType::String => "varchar".into(),
        ColumnType::Int => "integer".into(),
        ColumnType::Float => "real".into(),
        ColumnType::Binary => "varbinary".into(),
        ColumnType::Boolean
        | ColumnType::TinyInt
        | ColumnType::SmallInt
        | ColumnType::BigInt
        | ColumnType::Double
        | ColumnType::Decimal(..)
        | ColumnType::Date
        | ColumnType::Timestamp => ty.to_string(),
    }
}
