//! Tables: of files, as the catalog knows them, and of items in DynamoDB.

use std::borrow::Cow;
use std::collections::HashMap;

use base64::Engine as _;

use super::names::Kind;
use super::{Context, query};
use crate::assembly::StackTemplate;
use crate::cfn::glue::{self, Database, DatabaseInput, Parameters, SerdeInfo, StorageDescriptor, TableInput};
use crate::cfn::kms::Key;
use crate::cfn::{Arn, Declaration, Name, Ref, S3Uri, Value, dynamodb, pseudo};
use crate::lake::{
    Buckets, By, Column, ColumnType, Compression, Csv, Format, Home, Id, Interval, Projection, Table, Transform,
};

/// Adds the DynamoDB table of a key-value table.
pub(super) fn lower_items(cx: &Context, stack: &mut StackTemplate, key: &Value<Arn<Key>>, table: &Table) {
    let Home::DynamoDb { key: column } = table.home else { return };
    let Some(column) = table.columns.get(column) else { return };
    let item_table = dynamodb::Table {
        name: cx.names.items(table),
        billing: "PAY_PER_REQUEST",
        attributes: vec![dynamodb::AttributeDefinition { name: column.name.clone(), kind: attribute_type(column.ty) }],
        keys: vec![dynamodb::KeySchema { name: column.name.clone(), kind: "HASH" }],
        encryption: dynamodb::SseSpecification { enabled: true, kind: "KMS", key: key.clone() },
        recovery: dynamodb::PointInTimeRecoverySpecification { enabled: true },
        expiry: None,
        deletion_protection: cx.environment.protected,
        tags: cx.tag_list(),
    };
    let declaration = Declaration::from(item_table).retention(cx.retention());
    stack.template.add(Kind::ItemTable.of(&table.in_aws), declaration);
}

fn attribute_type(ty: ColumnType) -> dynamodb::AttributeType {
    match ty {
        _ if ty.is_number() => dynamodb::AttributeType::Number,
        ColumnType::Binary => dynamodb::AttributeType::Binary,
        _ => dynamodb::AttributeType::Text,
    }
}

/// The catalog's database and tables, as one stack knows them.
pub(super) struct Catalog {
    pub(super) database: Value<Name<Database>>,
    /// The tables of this stack.
    tables: HashMap<Id<Table>, Ref<glue::Table>>,
}

impl Catalog {
    /// Adds the database to the `first` stack; the others know it by name.
    pub(super) fn new(cx: &Context, stack: &mut StackTemplate, first: bool) -> Self {
        let name = Value::literal(cx.names.database());
        let database = if first {
            let description = format!("Tables of the lake {} in {}", cx.lake.name, cx.environment.name);
            // Without these defaults, whoever IAM allows may use a new table, whatever Lake Formation says.
            let defaults = cx.lake.lake_formation.as_ref().map(|_| Vec::new());
            let input = DatabaseInput { name, description, defaults };
            let database = Database { catalog: pseudo::account(), input };
            stack.template.add(Kind::CatalogDatabase.fixed(), database).name()
        } else {
            name
        };
        Self { database, tables: HashMap::new() }
    }

    /// The name of a table, wherever it is.
    pub(super) fn name(&self, cx: &Context, id: Id<Table>) -> Value<Name<glue::Table>> {
        match self.tables.get(&id) {
            Some(here) => here.name(),
            None => Value::literal(cx.lake.tables[id].name.clone()),
        }
    }

    /// The names of tables, wherever they are.
    pub(super) fn names(&self, cx: &Context, ids: &[Id<Table>]) -> Vec<Value<Name<glue::Table>>> {
        ids.iter().map(|id| self.name(cx, *id)).collect()
    }

    /// Adds a table of files or a view.
    pub(super) fn lower(&mut self, cx: &Context, stack: &mut StackTemplate, id: Id<Table>) {
        let table = &cx.lake.tables[id];
        let (name, input, open) = match &table.home {
            Home::DynamoDb { key: _ } => return,
            Home::View { sql, reads: _ } => (None, Some(view(cx, table, sql)), None),
            Home::Zone { zone: _, format } => {
                let Some(place) = cx.place(id) else { return };
                match format {
                    Format::Iceberg(format) => {
                        (Some(table.name.clone()), None, Some(iceberg(table, place.uri(), &format.partition)))
                    }
                    format => (None, Some(files(table, format, place.uri())), None),
                }
            }
        };
        let declared = glue::Table { catalog: pseudo::account(), database: self.database.clone(), name, input, open };
        let added = stack.template.add(Kind::CatalogTable.of(&table.name), declared);
        self.tables.insert(id, added);
    }
}

/// A table of files that its SerDe reads.
fn files(table: &Table, format: &Format, location: Value<S3Uri>) -> TableInput {
    let mut reading = Reading::of(format, &table.name, &table.columns);
    reading.table_parameters.extend(projected(table));
    if let Some(Buckets { spark: true, .. }) = table.buckets {
        reading.table_parameters.extend(parameters([("bucketing_format", "spark")]));
    }
    let further = table.properties.iter();
    reading
        .table_parameters
        .extend(further.map(|(name, value)| (Cow::Owned(name.clone()), Value::literal(value.clone()))));
    TableInput {
        name: table.name.clone(),
        description: table.description.clone(),
        kind: "EXTERNAL_TABLE",
        parameters: reading.table_parameters,
        partition_keys: (!table.partitions.is_empty()).then(|| table.partitions.iter().map(column).collect()),
        original: None,
        expanded: None,
        storage: StorageDescriptor {
            columns: table.columns.iter().map(column).collect(),
            location: Some(location),
            input_format: Some(reading.input_format),
            output_format: Some(reading.output_format),
            serde: Some(SerdeInfo { library: reading.serde, parameters: reading.serde_parameters }),
            bucket_columns: table.buckets.as_ref().map(|buckets| buckets.by.clone()),
            buckets: table.buckets.as_ref().map(|buckets| buckets.count),
        },
    }
}

/// A view as Athena itself keeps one: its SQL and its columns as JSON, in Base64, in a comment.
///
/// Source: the definition of a view that `GetTable` returns for one made by `CREATE VIEW`; Trino's `ViewReaderUtil` reads it.
fn view(cx: &Context, table: &Table, sql: &str) -> TableInput {
    let columns = table.columns.iter();
    let columns: Vec<_> =
        columns.map(|column| serde_json::json!({ "name": column.name, "type": column.ty.athena() })).collect();
    let definition = serde_json::json!({
        "originalSql": query::select(sql, table),
        "catalog": "awsdatacatalog",
        "schema": cx.names.database(),
        "columns": columns,
    });
    let encoded = base64::engine::general_purpose::STANDARD.encode(definition.to_string());
    let mut properties = parameters([("presto_view", "true"), ("comment", "Presto View")]);
    let further = table.properties.iter();
    properties.extend(further.map(|(name, value)| (Cow::Owned(name.clone()), Value::literal(value.clone()))));
    TableInput {
        name: table.name.clone(),
        description: table.description.clone(),
        kind: "VIRTUAL_VIEW",
        parameters: properties,
        partition_keys: None,
        original: Some(format!("/* Presto View: {encoded} */")),
        expanded: Some("/* Presto View */"),
        storage: StorageDescriptor {
            columns: table.columns.iter().map(column).collect(),
            location: None,
            input_format: None,
            output_format: None,
            serde: None,
            bucket_columns: None,
            buckets: None,
        },
    }
}

/// An Iceberg table, of the second version of the format: what Athena writes.
///
/// Source: `AWS::Glue::Table` in CloudFormation's schemas, and the Iceberg specification for the names of types and transforms.
fn iceberg(table: &Table, location: Value<S3Uri>, partition: &[Transform]) -> glue::OpenTableFormatInput {
    let id = |at: usize| u32::try_from(at + 1).unwrap_or(u32::MAX);
    let fields = table.columns.iter().enumerate().map(|(at, column)| glue::IcebergField {
        id: id(at),
        name: column.name.clone(),
        kind: match column.ty {
            ColumnType::TinyInt | ColumnType::SmallInt | ColumnType::Int => "int".into(),
            ColumnType::BigInt => "long".into(),
            other => other.to_string(),
        },
        // As Athena makes them: a primary key is a promise here, and no constraint.
        required: false,
        doc: column.comment.clone(),
    });
    let grouped = partition.iter().filter_map(|Transform { column, by }| {
        let source = &table.columns.get(*column)?.name;
        let (name, transform) = match by {
            By::Identity => (source.clone(), "identity".to_owned()),
            By::Year => (format!("{source}_year"), "year".into()),
            By::Month => (format!("{source}_month"), "month".into()),
            By::Day => (format!("{source}_day"), "day".into()),
            By::Hour => (format!("{source}_hour"), "hour".into()),
            By::Bucket(number) => (format!("{source}_bucket"), format!("bucket[{number}]")),
            By::Truncate(width) => (format!("{source}_trunc"), format!("truncate[{width}]")),
        };
        Some(glue::IcebergPartitionField { name, source: id(*column), transform })
    });
    let mut properties = parameters([("write.format.default", "parquet"), ("write.parquet.compression-codec", "zstd")]);
    let further = table.properties.iter();
    properties.extend(further.map(|(name, value)| (Cow::Owned(name.clone()), Value::literal(value.clone()))));
    let comment = table.description.clone();
    properties.extend(comment.map(|comment| (Cow::Borrowed("comment"), Value::literal(comment))));
    glue::OpenTableFormatInput {
        iceberg: glue::IcebergInput {
            operation: "CREATE",
            version: "2",
            table: glue::IcebergTableInput {
                location,
                schema: glue::IcebergSchema { kind: "struct", fields: fields.collect() },
                partitions: (!partition.is_empty()).then(|| glue::IcebergPartitionSpec { fields: grouped.collect() }),
                properties,
            },
        },
    }
}

fn column(column: &Column) -> glue::Column {
    let comment = column.comment.clone().map(|comment| comment.chars().take(255).collect());
    glue::Column { name: column.name.clone(), kind: column.ty.to_string(), comment }
}

/// How the catalog says that files of a format are read.
struct Reading {
    input_format: &'static str,
    output_format: &'static str,
    serde: &'static str,
    serde_parameters: Parameters,
    table_parameters: Parameters,
}

const TEXT_INPUT: &str = "org.apache.hadoop.mapred.TextInputFormat";
const TEXT_OUTPUT: &str = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat";

impl Reading {
    fn of(format: &Format, name: &str, columns: &[Column]) -> Self {
        match format {
            Format::Csv(csv) => Self::csv(csv, columns),
            Format::Json { ignore_malformed } => Self {
                input_format: TEXT_INPUT,
                output_format: TEXT_OUTPUT,
                serde: "org.openx.data.jsonserde.JsonSerDe",
                serde_parameters: if *ignore_malformed {
                    parameters([("ignore.malformed.json", "true")])
                } else {
                    Vec::new()
                },
                table_parameters: parameters([("EXTERNAL", "TRUE"), ("classification", "json")]),
            },
            // Never asked for: its metadata say how an Iceberg table is read.
            Format::Iceberg(_) => Self::of(&Format::Parquet(Compression::Zstd), name, columns),
            Format::Parquet(compression) => Self {
                input_format: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
                output_format: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
                serde: "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
                serde_parameters: parameters([("serialization.format", "1")]),
                table_parameters: parameters([
                    ("EXTERNAL", "TRUE"),
                    ("classification", "parquet"),
                    ("parquet.compression", compression.name()),
                ]),
            },
            Format::Orc(compression) => Self {
                input_format: "org.apache.hadoop.hive.ql.io.orc.OrcInputFormat",
                output_format: "org.apache.hadoop.hive.ql.io.orc.OrcOutputFormat",
                serde: "org.apache.hadoop.hive.ql.io.orc.OrcSerde",
                // Athena takes the columns of ORC by their position otherwise. Source: "Understand index access for Apache ORC and
                // Apache Parquet" of the Athena user guide.
                serde_parameters: parameters([("serialization.format", "1"), ("orc.column.index.access", "false")]),
                table_parameters: parameters([
                    ("EXTERNAL", "TRUE"),
                    ("classification", "orc"),
                    ("orc.compress", compression.name()),
                ]),
            },
            Format::Avro => Self {
                input_format: "org.apache.hadoop.hive.ql.io.avro.AvroContainerInputFormat",
                output_format: "org.apache.hadoop.hive.ql.io.avro.AvroContainerOutputFormat",
                serde: "org.apache.hadoop.hive.serde2.avro.AvroSerDe",
                serde_parameters: vec![
                    (Cow::Borrowed("serialization.format"), Value::literal("1")),
                    (Cow::Borrowed("avro.schema.literal"), Value::literal(avro_schema(name, columns).to_string())),
                ],
                table_parameters: parameters([("EXTERNAL", "TRUE"), ("classification", "avro")]),
            },
        }
    }

    fn csv(csv: &Csv, columns: &[Column]) -> Self {
        let Csv { delimiter, quote } = csv;
        let mut table_parameters =
            parameters([("EXTERNAL", "TRUE"), ("classification", "csv"), ("skip.header.line.count", "1")]);
        let delimiter = Value::literal(delimiter.to_string());
        let (serde, serde_parameters) = match quote {
            None => {
                let delimiters = ["field.delim", "serialization.format"];
                let delimiters = delimiters.map(|name| (Cow::Borrowed(name), delimiter.clone()));
                ("org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe", delimiters.to_vec())
            }
            Some(quote) => {
                // OpenCSVSerDe reads an empty field of a number column as an error unless it may be a missing value.
                if columns.iter().any(|column| column.ty != ColumnType::String) {
                    table_parameters.push((Cow::Borrowed("use.null.for.invalid.data"), Value::literal("TRUE")));
                }
                let parameters = vec![
                    (Cow::Borrowed("separatorChar"), delimiter),
                    (Cow::Borrowed("quoteChar"), Value::literal(quote.to_string())),
                    // Its default is the backslash, which is an ordinary character here; a doubled quote needs none. So the
                    // escape is a character that text does not hold.
                    (Cow::Borrowed("escapeChar"), Value::literal("\u{1}")),
                ];
                ("org.apache.hadoop.hive.serde2.OpenCSVSerde", parameters)
            }
        };
        Self { input_format: TEXT_INPUT, output_format: TEXT_OUTPUT, serde, serde_parameters, table_parameters }
    }
}

/// The schema that Athena's Avro SerDe reads files by: each column may be missing.
///
/// Sources: "Avro SerDe" of the Athena user guide; "Logical Types" of the Avro specification, of which Hive knows these.
fn avro_schema(name: &str, columns: &[Column]) -> serde_json::Value {
    use serde_json::json;
    let fields: Vec<_> = columns
        .iter()
        .map(|column| {
            let ty = match column.ty {
                // Nothing nested comes here: `check` refuses it.
                ColumnType::String | ColumnType::Nested(_) => json!("string"),
                ColumnType::Boolean => json!("boolean"),
                ColumnType::TinyInt | ColumnType::SmallInt | ColumnType::Int => json!("int"),
                ColumnType::BigInt => json!("long"),
                ColumnType::Float => json!("float"),
                ColumnType::Double => json!("double"),
                ColumnType::Binary => json!("bytes"),
                ColumnType::Decimal(precision, scale) => {
                    json!({ "type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale })
                }
                ColumnType::Date => json!({ "type": "int", "logicalType": "date" }),
                ColumnType::Timestamp => json!({ "type": "long", "logicalType": "timestamp-millis" }),
            };
            json!({ "name": column.name, "type": ["null", ty], "default": null })
        })
        .collect();
    json!({ "type": "record", "name": name, "fields": fields })
}

/// The properties from which Athena reckons partitions. Source: "Supported types for partition projection" of the Athena user
/// guide.
fn projected(table: &Table) -> Parameters {
    if table.projections.is_empty() {
        return Vec::new();
    }
    let mut parameters = parameters([("projection.enabled", "true")]);
    for (Column { name, .. }, projection) in table.partitions.iter().zip(&table.projections) {
        let mut set = |key: &str, value: String| {
            parameters.push((Cow::Owned(format!("projection.{name}.{key}")), Value::literal(value)));
        };
        match projection {
            Projection::Integer { from, to, interval, digits } => {
                set("type", "integer".into());
                set("range", format!("{from},{to}"));
                set("interval", interval.to_string());
                if let Some(digits) = digits {
                    set("digits", digits.to_string());
                }
            }
            Projection::Date { from, to, format, interval } => {
                set("type", "date".into());
                set("range", format!("{from},{to}"));
                set("format", format.clone());
                if let Some(Interval { count, unit }) = interval {
                    set("interval", count.to_string());
                    set("interval.unit", (*unit).into());
                }
            }
            Projection::Enum(values) => {
                set("type", "enum".into());
                set("values", values.join(","));
            }
            Projection::Injected => set("type", "injected".into()),
        }
    }
    parameters
}

fn parameters<const N: usize>(entries: [(&'static str, &'static str); N]) -> Parameters {
    entries.into_iter().map(|(name, value)| (Cow::Borrowed(name), Value::literal(value))).collect()
}
