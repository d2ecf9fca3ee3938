//! The values of the keys of a step: what DataBrew is told of them, and what they are in SQL.

use super::action::{Choice, Holds, Key, Switch};
use super::condition::{self, Test};
use super::sql::{cast, ident, literal};
use super::step::ActionParameter;
use crate::lake::{ColumnType, Id, Table};

/// The columns between two steps; a type is `None` when it depends on more than the types before it.
pub(crate) type Columns = Vec<(String, Option<ColumnType>)>;

/// The value of one key.
#[derive(Debug)]
pub(crate) enum Arg {
    /// A column that exists.
    Column(String, Option<ColumnType>),
    /// Columns that exist.
    Columns(Columns),
    /// A column that is made.
    New(String),
    /// A column that is calculated with.
    OperandColumn(String, Option<ColumnType>),
    /// A value that is calculated with.
    OperandValue(String, Option<ColumnType>),
    /// Text.
    Text(String),
    /// A number, as it is written.
    Number(String),
    /// A value of a column's type.
    Value(String, Option<ColumnType>),
    /// A format of dates.
    DateFormat(String),
    /// A type, and whether DataBrew hears its exact name.
    Type(ColumnType, bool),
    /// A word with its meaning.
    Choice(&'static Choice),
    /// Words with their meaning.
    Switches(Vec<&'static Switch>),
    /// Conditions, and whether they become an expression.
    Tests(Vec<Test>, bool),
    /// Texts or numbers.
    List(Vec<String>),
    /// From text to number.
    Pairs(Vec<(String, String)>),
    /// Aggregates of groups.
    Aggregates(Vec<Aggregate>),
    /// Keys of sorting.
    Order(Vec<SortKey>),
    /// Another table.
    Table(Other),
    /// Other tables.
    Tables(Vec<Other>),
}

/// Another table of the lake that a step reads.
#[derive(Debug, Clone)]
pub(crate) struct Other {
    /// Which.
    pub(super) id: Id<Table>,
    /// Its name.
    pub(super) name: String,
    /// Its columns.
    pub(super) columns: Columns,
}

/// An aggregate of a group.
#[derive(Debug)]
pub(crate) struct Aggregate {
    /// The column that it is computed of.
    pub(super) column: String,
    /// How.
    pub(super) function: &'static Function,
    /// The column that it makes.
    pub(super) to: String,
    /// Its type.
    pub(super) ty: Option<ColumnType>,
}

/// What can be computed of a group.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) word: &'static str,
    sql: &'static str,
}

pub(super) static FUNCTIONS: [Function; 8] = [
    Function { word: "count", sql: "count" },
    Function { word: "count_distinct", sql: "count(DISTINCT " },
    Function { word: "sum", sql: "sum" },
    Function { word: "average", sql: "avg" },
    Function { word: "min", sql: "min" },
    Function { word: "max", sql: "max" },
    Function { word: "median", sql: "median" },
    Function { word: "mode", sql: "mode" },
];

impl Aggregate {
    /// The call of the function.
    pub(super) fn call(&self) -> String {
        let opening = if self.function.sql.contains('(') { "" } else { "(" };
        format!("{}{opening}{})", self.function.sql, ident(&self.column))
    }

    /// The aggregate as a column of a query.
    pub(super) fn sql(&self) -> String {
        format!("{} AS {}", cast(&self.call(), self.ty), ident(&self.to))
    }
}

/// A column to sort by.
#[derive(Debug)]
pub(crate) struct SortKey {
    /// Which.
    pub(super) column: String,
    /// Whether the greatest comes first.
    pub(super) descending: bool,
    /// Whether nulls come last.
    pub(super) nulls_last: bool,
}

impl Arg {
    /// What DataBrew is told: parameters with their values.
    pub(super) fn parameters(&self, key: &Key) -> Vec<(String, ActionParameter)> {
        let value = match self {
            Self::Column(text, _) | Self::New(text) | Self::Text(text) | Self::Number(text) | Self::Value(text, _) => {
                text.clone()
            }
            Self::DateFormat(text) => text.clone(),
            Self::Columns(columns) => json(&columns.iter().map(|(name, _)| name).collect::<Vec<_>>()),
            Self::OperandColumn(name, _) => {
                return vec![(format!("sourceColumn{}", key.parameter), name.clone().into())];
            }
            Self::OperandValue(value, _) => return vec![(format!("value{}", key.parameter), value.clone().into())],
            Self::Type(ty, true) => databrew_type(*ty),
            Self::Type(ty, false) => sort_of(Some(*ty)).to_owned(),
            Self::Choice(choice) => choice.databrew.to_owned(),
            Self::Switches(switches) => {
                return switches.iter().map(|switch| (switch.parameter.to_owned(), "true".to_owned().into())).collect();
            }
            Self::Tests(tests, true) => condition::expression(tests),
            Self::Tests(_, false) => return Vec::new(),
            Self::List(edges) if matches!(key.holds, Holds::Edges) => {
                let ends = [vec!["-Infinity".to_owned()], edges.clone(), vec!["Infinity".to_owned()]];
                json(&ends.concat())
            }
            Self::List(texts) => json(texts),
            Self::Pairs(pairs) if matches!(key.holds, Holds::Keys) => json(
                &pairs.iter().map(|(key, value)| serde_json::json!({ "key": key, "value": value })).collect::<Vec<_>>(),
            ),
            Self::Pairs(pairs) => {
                let map = pairs.iter().map(|(from, to)| (from.clone(), to.clone().into()));
                json(&map.collect::<serde_json::Map<_, _>>())
            }
            Self::Aggregates(aggregates) if matches!(key.holds, Holds::Aggregated) => {
                let told = |Aggregate { column, function, .. }: &Aggregate| {
                    [(key.parameter, column.clone()), ("aggregateFunction", function.word.to_uppercase())]
                };
                let all = aggregates.iter().flat_map(told);
                return all.map(|(name, value)| (name.to_owned(), value.into())).collect();
            }
            Self::Aggregates(aggregates) => json(&aggregates.iter().map(aggregate_json).collect::<Vec<_>>()),
            Self::Order(keys) => json(&keys.iter().map(order_json).collect::<Vec<_>>()),
            Self::Table(other) => return vec![(key.parameter.to_owned(), ActionParameter::Dataset(other.id))],
            Self::Tables(others) => {
                let ids = others.iter().map(|other| other.id).collect();
                return vec![(key.parameter.to_owned(), ActionParameter::Datasets(ids))];
            }
        };
        // What has no parameter is only looked at: DataBrew finds it elsewhere, or by itself.
        if key.parameter.is_empty() { Vec::new() } else { vec![(key.parameter.to_owned(), value.into())] }
    }

    /// What stands in SQL.
    pub(super) fn sql(&self) -> String {
        match self {
            Self::Column(name, _) | Self::New(name) => ident(name),
            Self::OperandColumn(name, Some(ColumnType::String)) => format!("TRY_CAST({} AS TIMESTAMP)", ident(name)),
            Self::OperandColumn(name, _) => ident(name),
            Self::OperandValue(value, ty) | Self::Value(value, ty) => condition::typed(value, *ty),
            Self::Columns(columns) => columns.iter().map(|(name, _)| ident(name)).collect::<Vec<_>>().join(", "),
            Self::Text(text) => literal(text),
            Self::Number(number) => number.clone(),
            Self::DateFormat(format) => literal(&strftime(format).unwrap_or_default()),
            Self::Type(ty, _) => ty.to_string(),
            Self::Choice(choice) => choice.sql.to_owned(),
            Self::Switches(switches) => {
                literal(&switches.iter().map(|switch| switch.pattern).collect::<Vec<_>>().join("|"))
            }
            Self::Tests(tests, expression) => condition::sql(tests, *expression),
            Self::List(_) | Self::Pairs(_) | Self::Aggregates(_) | Self::Table(_) | Self::Tables(_) => String::new(),
            Self::Order(keys) => keys.iter().map(order_sql).collect::<Vec<_>>().join(", "),
        }
    }
}

fn aggregate_json(aggregate: &Aggregate) -> serde_json::Value {
    let Aggregate { column, function, to, ty } = aggregate;
    serde_json::json!({
        "sourceColumnName": column,
        "targetColumnName": to,
        "targetColumnDataType": ty.map_or_else(|| "string".to_owned(), databrew_type),
        "functionName": function.word.to_uppercase(),
    })
}

fn order_json(key: &SortKey) -> serde_json::Value {
    let SortKey { column, descending, nulls_last } = key;
    serde_json::json!({
        "sourceColumn": column,
        "ordering": if *descending { "DESCENDING" } else { "ASCENDING" },
        "nullsOrdering": if *nulls_last { "NULLS_BOTTOM" } else { "NULLS_TOP" },
    })
}

fn order_sql(key: &SortKey) -> String {
    let SortKey { column, descending, nulls_last } = key;
    let direction = if *descending { "DESC" } else { "ASC" };
    format!("{} {direction} NULLS {}", ident(column), if *nulls_last { "LAST" } else { "FIRST" })
}

/// DuckDB's format for one in DataBrew's letters.
///
/// # Errors
/// The letters that mean nothing.
pub(super) fn strftime(format: &str) -> Result<String, String> {
    const LETTERS: [(&str, &str); 8] = [
        ("month", "%B"),
        ("yyyy", "%Y"),
        ("yy", "%y"),
        ("mm", "%m"),
        ("dd", "%d"),
        ("HH", "%H"),
        ("MM", "%M"),
        ("SS", "%S"),
    ];
    let mut out = String::new();
    let mut rest = format;
    while let Some(c) = rest.chars().next() {
        if let Some((letters, to)) = LETTERS.iter().find(|(letters, _)| rest.starts_with(letters)) {
            out.push_str(to);
            rest = &rest[letters.len()..];
        } else if c.is_alphanumeric() {
            return Err(rest.chars().take_while(|other| *other == c).collect());
        } else {
            out.push(c);
            if c == '%' {
                out.push('%');
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    Ok(out)
}

/// DataBrew's word for what a column holds.
pub(super) fn sort_of(ty: Option<ColumnType>) -> &'static str {
    match ty {
        Some(ColumnType::Boolean) => "boolean",
        Some(ColumnType::Date) => "date",
        Some(ColumnType::Timestamp) => "timestamp",
        Some(ty) if ty.is_number() => "number",
        _ => "string",
    }
}

/// DataBrew has Glue's names for types, but for three of them.
fn databrew_type(ty: ColumnType) -> String {
    match ty {
        ColumnType::BigInt => "long".to_owned(),
        ColumnType::SmallInt => "short".to_owned(),
        ColumnType::TinyInt => "byte".to_owned(),
        other => other.to_string(),
    }
}

pub(super) fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
