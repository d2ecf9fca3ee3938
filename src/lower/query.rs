//! Queries: Athena's workgroups, and one statement per query.
//!
//! A query that replaces a table writes with `UNLOAD`: it writes files of the declared columns and types straight to the
//! table's place, and unlike `CREATE TABLE AS` it may do so in a workgroup whose result location is enforced. `UNLOAD` refuses a
//! place that holds data, so whoever runs the statement clears the place first; a second run then replaces and never doubles the
//! table. `INSERT INTO` and `MERGE INTO` change the table that is there, whose place stays as it is.

use std::fmt::Write;

use super::crawler::{catalog_arns, names};
use super::grant::{self, Grant, Items};
use super::lake_formation::{self, Uses};
use super::names::{Kind, arn, role_arn};
use super::table::Catalog;
use super::{Context, Place, Shared};
use crate::assembly::{Origin, StackTemplate};
use crate::cfn::athena::{
    EngineVersion, NamedQuery, PreparedStatement, ResultConfiguration, ResultEncryption, WorkGroup,
    WorkGroupConfiguration,
};
use crate::cfn::iam::{Action, Statement};
use crate::cfn::{Arn, Name, Text, Value, sub};
use crate::lake::{self, Bytes, Column, Compression, Format, Home, Mode, Output, Query, Table, Workgroup};

const GIB: u64 = 1 << 30;

/// Where in the work bucket results of a workgroup's queries go.
pub(super) fn results(work_group: &Workgroup) -> String {
    if work_group.is_lakes() { "athena/".into() } else { format!("athena-{}/", work_group.name) }
}

/// The name of a workgroup: the lake's own has exactly the lake's name.
pub(super) fn work_group_name(cx: &Context, work_group: &Workgroup) -> String {
    if work_group.is_lakes() { cx.names.plain(&[], 128) } else { cx.names.plain(&[&work_group.name], 128) }
}

/// The workgroups in which queries of the lake run, those of `lakegen query` too; the `first` stack has them.
pub(super) fn work_groups(
    cx: &Context,
    stack: &mut StackTemplate,
    shared: &Shared,
    first: bool,
) -> Vec<Value<Name<WorkGroup>>> {
    let asked = cx.lake.tables.values().any(|table| !matches!(table.home, Home::DynamoDb { .. }));
    let each = cx.lake.workgroups.values().map(|work_group| {
        if first && asked {
            lower_work_group(cx, stack, shared, work_group)
        } else {
            Value::literal(work_group_name(cx, work_group))
        }
    });
    each.collect()
}

fn lower_work_group(
    cx: &Context,
    stack: &mut StackTemplate,
    shared: &Shared,
    work_group: &Workgroup,
) -> Value<Name<WorkGroup>> {
    let Workgroup { name, scan_limit, keep_results: _, enforced, engine, metrics, requester_pays, description } =
        work_group;
    let id = if work_group.is_lakes() { Kind::AthenaWorkGroup.fixed() } else { Kind::AthenaWorkGroup.of(name) };
    let (what, whose) = match work_group.is_lakes() {
        true => ("Queries".to_owned(), "Workgroup of the lake's queries".to_owned()),
        false => (format!("Queries of {name}"), format!("Workgroup of {name}")),
    };
    let limit = if cx.environment.protected { 1024 * GIB } else { 100 * GIB };
    let resource = WorkGroup {
        name: Value::literal(work_group_name(cx, work_group)),
        description: description
            .clone()
            .unwrap_or_else(|| format!("{what} of the lake {} in {}", cx.lake.name, cx.environment.name)),
        state: "ENABLED",
        recursive_delete: !cx.environment.protected,
        configuration: WorkGroupConfiguration {
            enforced: *enforced,
            metrics: *metrics,
            bytes_scanned_cutoff: scan_limit.map_or(limit, |Bytes(limit)| limit),
            requester_pays: requester_pays.then_some(true),
            engine: EngineVersion { selected: engine.in_aws() },
            results: ResultConfiguration {
                location: sub!["s3://", &shared.work_bucket, "/", results(work_group)],
                encryption: ResultEncryption { option: "SSE_KMS", key: shared.key.clone() },
            },
        },
        tags: cx.tag_list(),
    };
    stack.comes_from(Some(Origin { section: "workgroups", name: Some(name.clone()) }));
    let added = stack.template.add(id.clone(), resource);
    stack.comes_from(None);
    stack.export(id, whose, added.name());
    added.name()
}

pub(super) fn lower(
    cx: &Context,
    stack: &mut StackTemplate,
    shared: &Shared,
    catalog: &Catalog,
    work_groups: &[Value<Name<WorkGroup>>],
    query: &Query,
) {
    let Query { name, sql: _, reads, output, workgroup } = query;
    let Some(place) = place(cx, output) else { return };

    let named = NamedQuery {
        name: Value::literal(name.clone()),
        description: match output {
            Output::Table { table, mode } => {
                let target = &cx.lake.tables[*table].name;
                match mode {
                    Mode::Replace => format!("Writes {target}; its place must be empty"),
                    Mode::Append => format!("Appends to {target}"),
                    Mode::Merge(_) => format!("Merges into {target}"),
                }
            }
            Output::Files(export) => format!("Exports to {}; its place must be empty", export.folder),
        },
        database: catalog.database.clone(),
        work_group: work_groups[workgroup.index()].clone(),
        statement: statement(cx, query, &place),
    };
    let named = stack.template.add(Kind::AthenaQuery.of(name), named);
    stack.export(Kind::AthenaQuery.of(name), format!("Id of the query {name}"), named.query_id());

    // `UNLOAD` writes files of which the catalog knows nothing; the other statements change the table itself.
    let (changed, changes) = match output {
        Output::Table { table: _, mode: Mode::Replace } | Output::Files(_) => (Vec::new(), lake_formation::READ),
        Output::Table { table, mode: Mode::Append } => (vec![*table], lake_formation::APPEND),
        Output::Table { table, mode: Mode::Merge(_) } => (vec![*table], lake_formation::MERGE),
    };
    let own = changed.iter().filter(|table| !reads.contains(table));
    let read_or_written: Vec<_> = reads.iter().chain(own).copied().collect();
    let group = &cx.lake.workgroups[*workgroup];
    let work_group: Value<Arn<WorkGroup>> = arn("athena", sub!["workgroup/", work_group_name(cx, group)]);
    let statements = Grant::default()
        .read(cx, reads, Items::Scan)
        .write_place(&place)
        .work(&shared.work_bucket, &results(group))
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
        .and(grant::read_catalog(cx, &read_or_written))
        .and(grant::allow(
            "WriteCatalog",
            &[
                Action::GLUE_BATCH_CREATE_PARTITION,
                Action::GLUE_CREATE_PARTITION,
                Action::GLUE_UPDATE_PARTITION,
                Action::GLUE_UPDATE_TABLE,
            ],
            if changed.is_empty() { Vec::new() } else { catalog_arns(cx, &changed) },
        ))
        .and(lake_formation::access(cx))
        .statements(&shared.key);
    // Athena has no roles of its own: it does what the caller may do. The caller is the pipeline.
    let trust = Statement::assumed_by(role_arn(&cx.names.pipeline_role()));
    let description = format!("What the query {name} may do: read {}", names(cx, reads));
    let id = Kind::QueryRole.of(name);
    let role = grant::add_role(cx, stack, id, &cx.names.role("query", name), &description, trust, statements);
    let locations = lake_formation::zones(cx, &changed);
    let tables = vec![(&reads[..], lake_formation::READ), (&changed[..], changes)];
    lake_formation::permit(cx, stack, catalog, &role, Uses { tables, locations, creates: false });
}

/// Adds a prepared statement.
pub(super) fn lower_statement(
    stack: &mut StackTemplate,
    work_groups: &[Value<Name<WorkGroup>>],
    statement: &lake::Statement,
) {
    let lake::Statement { name, sql, parameters, description, reads: _, workgroup } = statement;
    let description = description.clone().unwrap_or_else(|| match parameters.as_slice() {
        [] => "No parameters".into(),
        names => format!("Parameters: {}", names.join(", ")),
    });
    let prepared = PreparedStatement {
        name: Value::literal(name.clone()),
        description: description.chars().take(1024).collect(),
        work_group: work_groups[workgroup.index()].clone(),
        statement: Value::literal(sql.clone()),
    };
    stack.template.add(Kind::AthenaStatement.of(name), prepared);
}

/// The statement that a query runs to write into `place`.
pub(super) fn statement(cx: &Context, query: &Query, place: &Place) -> Value<Text> {
    let Query { name: _, sql, reads: _, output, workgroup: _ } = query;
    let (table, mode) = match output {
        Output::Table { table, mode } => (&cx.lake.tables[*table], mode),
        Output::Files(export) => {
            let partitions = export.partitions.iter().map(String::as_str);
            return unload(&bare(sql), Some(&export.format), partitions, place.uri().text());
        }
    };
    match mode {
        Mode::Replace => {
            let format = match &table.home {
                Home::Zone { zone: _, format } => Some(format),
                Home::DynamoDb { .. } | Home::View { .. } => None,
            };
            let partitions = table.partitions.iter().map(|column| column.name.as_str());
            unload(&select(sql, table), format, partitions, place.uri().text())
        }
        Mode::Append => Value::literal(insert(sql, table, &cx.names.database())),
        Mode::Merge(key) => Value::literal(merge(sql, table, &cx.names.database(), key)),
    }
}

/// Where a query writes, if that is a place for files.
pub(super) fn place(cx: &Context, output: &Output) -> Option<Place> {
    match output {
        Output::Table { table, mode: _ } => cx.place(*table),
        Output::Files(export) => Some(cx.export_place(export)),
    }
}

/// The SQL without what may end it.
fn bare(sql: &str) -> String {
    sql.trim().trim_end_matches(';').trim_end().to_owned()
}

/// What `sql` selects, with the types that `table` declares.
pub(super) fn select(sql: &str, table: &Table) -> String {
    let sql = bare(sql);
    let mut text = String::from("SELECT\n");
    let columns: Vec<_> = table.columns.iter().chain(&table.partitions).collect();
    for (index, Column { name, ty, .. }) in columns.iter().enumerate() {
        let comma = if index + 1 == columns.len() { "" } else { "," };
        let _ = writeln!(text, "  CAST(\"{name}\" AS {}) AS \"{name}\"{comma}", ty.athena());
    }
    let _ = write!(text, "FROM (\n{sql}\n)");
    text
}

fn quoted<'a>(names: impl Iterator<Item = &'a String>, prefix: &str) -> String {
    names.map(|name| format!("{prefix}\"{name}\"")).collect::<Vec<_>>().join(", ")
}

/// The statement that appends what `sql` selects.
fn insert(sql: &str, table: &Table, database: &str) -> String {
    let columns = quoted(table.columns.iter().chain(&table.partitions).map(|column| &column.name), "");
    format!("INSERT INTO \"{database}\".\"{}\" ({columns})\n{}", table.name, select(sql, table))
}

/// The statement that puts what `sql` selects in the place of rows with the same key. Source: "MERGE INTO" of the Athena user
/// guide.
fn merge(sql: &str, table: &Table, database: &str, key: &[String]) -> String {
    let names = || table.columns.iter().map(|column| &column.name);
    let same = key.iter().map(|name| format!("old.\"{name}\" = new.\"{name}\"")).collect::<Vec<_>>().join(" AND ");
    let set = names().filter(|name| !key.contains(name)).map(|name| format!("\"{name}\" = new.\"{name}\""));
    let set = set.collect::<Vec<_>>().join(", ");
    let update = if set.is_empty() { String::new() } else { format!("WHEN MATCHED THEN UPDATE SET {set}\n") };
    format!(
        "MERGE INTO \"{database}\".\"{}\" AS old\nUSING (\n{}\n) AS new\nON {same}\n{update}WHEN NOT MATCHED THEN INSERT ({}) VALUES ({})",
        table.name,
        select(sql, table),
        quoted(names(), ""),
        quoted(names(), "new."),
    )
}

/// The statement that writes what `select` gives as files to `location`.
fn unload<'a>(
    select: &str,
    format: Option<&Format>,
    partitions: impl Iterator<Item = &'a str>,
    location: Value<Text>,
) -> Value<Text> {
    let text = format!("UNLOAD (\n{select}\n)\nTO '");
    let mut properties = match format {
        Some(Format::Parquet(compression)) => {
            let compression = match compression {
                Compression::None => "NONE",
                other => other.name(),
            };
            format!("format = 'PARQUET', compression = '{compression}'")
        }
        Some(Format::Csv(csv)) => {
            let delimiter = csv.delimiter.to_string().replace('\'', "''");
            format!("format = 'TEXTFILE', field_delimiter = '{delimiter}'")
        }
        Some(Format::Orc(compression)) => {
            format!("format = 'ORC', compression = '{}'", compression.name())
        }
        Some(Format::Avro) => "format = 'AVRO'".to_owned(),
        Some(Format::Iceberg(_)) => "format = 'PARQUET'".to_owned(),
        Some(Format::Json { .. }) | None => "format = 'JSON'".to_owned(),
    };
    let partitions: Vec<_> = partitions.map(|column| format!("'{column}'")).collect();
    if !partitions.is_empty() {
        let _ = write!(properties, ", partitioned_by = ARRAY[{}]", partitions.join(", "));
    }
    sub![text, location, format!("'\nWITH ({properties})\n")]
}
