//! Columns that are made of others: lists, maps and structs, put together and taken apart.
//!
//! `UNNEST_STRUCT` has no row: its reference leaves the names of its columns open, and `UNNEST_STRUCT_N`, which says them, does the
//! same.

use super::super::action::{Action, Choice, Does, Fits, Holds, Key, TO, choice, key};
use super::super::arg::Columns;
use super::super::sql::{Outcome, Step, cast, common, form, ident, literal};
use crate::kind::nested::{Form, Nested};
use crate::lake::ColumnType;

static SOURCES: [Choice; 2] = [choice("remove", "true", ""), choice("keep", "false", "")];

const fn sources(parameter: &'static str) -> Key {
    key("sources", parameter, Holds::Choice(&SOURCES)).or("remove")
}

pub(super) static ACTIONS: [Action; 6] = [
    Action::new(
        "nest_to_array",
        "NEST_TO_ARRAY",
        "Makes a list of the values of columns, in their order and of a type that holds them all.",
        &[key("columns", "sourceColumns", Holds::Columns(Fits::Plain)), TO, sources("removeSourceColumns")],
        Does::Columns(|step| {
            let ty = common(step.listed("columns"));
            let values = step.listed("columns").iter().map(|(name, _)| cast(&ident(name), ty));
            nested(step, &format!("[{}]", values.collect::<Vec<_>>().join(", ")), ty.map(Form::Array))
        }),
    ),
    Action::new(
        "nest_to_map",
        "NEST_TO_MAP",
        "Makes a map from the names of columns to their values, of a type that holds them all.",
        &[key("columns", "sourceColumns", Holds::Columns(Fits::Plain)), TO, sources("removeSourceColumns")],
        Does::Columns(|step| {
            let ty = common(step.listed("columns"));
            let (names, values): (Vec<String>, Vec<String>) =
                step.listed("columns").iter().map(|(name, _)| (literal(name), cast(&ident(name), ty))).unzip();
            let value = format!("MAP([{}], [{}])", names.join(", "), values.join(", "));
            nested(step, &value, ty.map(|ty| Form::Map(ColumnType::String, ty)))
        }),
    ),
    Action::new(
        "nest_to_struct",
        "NEST_TO_STRUCT",
        "Makes a struct of columns, each a field of its own name and type.",
        &[key("columns", "sourceColumns", Holds::Columns(Fits::Any)), TO, sources("removeSourceColumns")],
        Does::Columns(|step| {
            let columns = step.listed("columns");
            let fields = columns.iter().map(|(name, _)| format!("{}: {}", literal(name), ident(name)));
            let value = format!("{{{}}}", fields.collect::<Vec<_>>().join(", "));
            let fields = columns.iter().map(|(name, ty)| Some((name.clone(), (*ty)?)));
            nested(step, &value, fields.collect::<Option<_>>().map(Form::Struct))
        }),
    ),
    Action::new(
        "unnest_array",
        "UNNEST_ARRAY",
        "Makes a row of each element of a list, in a new column or in the list's own place. DataBrew's reference leaves open what \
        becomes of rows without elements: a local run leaves them out, as Spark's `explode` does.",
        &[key("column", "sourceColumn", Holds::Column(Fits::Array)), TO],
        Does::Columns(unnest_array),
    ),
    Action::new(
        "unnest_map",
        "UNNEST_MAP",
        "Makes a row of each entry of a map, its key and its value in new columns. DataBrew's reference does not name these: write the \
        names that its console shows. Rows without entries are left out, as in `unnest_array`.",
        &[
            key("column", "sourceColumn", Holds::Column(Fits::Map)),
            key("key", "", Holds::NewColumn),
            key("value", "", Holds::NewColumn),
            key("prefix", "targetColumn", Holds::Text).or_sql(""),
            sources("removeSourceColumn"),
        ],
        Does::Columns(unnest_map),
    ),
    Action::new(
        "unnest_struct",
        "UNNEST_STRUCT_N",
        "Makes a column of each field of structs, and of the fields of structs in them as many levels down as are said. A column is \
        named after the way to its field, as in `address_zip`.",
        &[
            key("columns", "sourceColumns", Holds::Columns(Fits::Struct)),
            key("levels", "unnestLevel", Holds::Whole(1, 16)).or("1"),
            key("delimiter", "delimiter", Holds::Text).or("_"),
            sources("removeSourceColumn"),
        ],
        Does::Columns(unnest_struct),
    ),
];

/// The columns that stay, and how SQL leaves the others out.
fn left(step: &Step<'_>, sources: &[String]) -> (Columns, String) {
    let gone = |name: &String| step.chosen("sources") != "keep" && sources.contains(name);
    let columns = step.columns.iter().filter(|(name, _)| !gone(name)).cloned().collect();
    let names: Vec<String> = step.columns.iter().filter(|(name, _)| gone(name)).map(|(name, _)| ident(name)).collect();
    let without = if names.is_empty() { String::new() } else { format!(" EXCLUDE ({})", names.join(", ")) };
    (columns, without)
}

fn nested(step: &Step<'_>, value: &str, form: Option<Form>) -> Outcome {
    let to = step.name("to");
    let sources: Vec<String> = step.listed("columns").iter().map(|(name, _)| name.clone()).collect();
    let (mut columns, without) = left(step, &sources);
    columns.push((to.to_owned(), form.map(|form| ColumnType::Nested(Nested::of(form)))));
    Outcome { columns, sql: format!("SELECT *{without}, {value} AS {} FROM rows", ident(to)) }
}

fn unnest_array(step: &Step<'_>) -> Outcome {
    let (column, to) = (step.column(), step.name("to"));
    let of = match step.column_type().and_then(form) {
        Some(Form::Array(of)) => Some(*of),
        _ => None,
    };
    let mut columns = step.columns.to_vec();
    let element = format!("unnest({})", ident(column));
    if column == to {
        columns.iter_mut().filter(|(name, _)| name == column).for_each(|column| column.1 = of);
        return Outcome { columns, sql: format!("SELECT * REPLACE ({element} AS {}) FROM rows", ident(to)) };
    }
    columns.push((to.to_owned(), of));
    Outcome { columns, sql: format!("SELECT *, {element} AS {} FROM rows", ident(to)) }
}

fn unnest_map(step: &Step<'_>) -> Outcome {
    let column = step.column().to_owned();
    let (key, value) = match step.column_type().and_then(form) {
        Some(Form::Map(key, value)) => (Some(*key), Some(*value)),
        _ => (None, None),
    };
    let map = ident(&column);
    let (mut columns, without) = left(step, &[column]);
    let (key_to, value_to) = (step.name("key"), step.name("value"));
    columns.extend([(key_to.to_owned(), key), (value_to.to_owned(), value)]);
    let made =
        format!("unnest(map_keys({map})) AS {}, unnest(map_values({map})) AS {}", ident(key_to), ident(value_to));
    Outcome { columns, sql: format!("SELECT *{without}, {made} FROM rows") }
}

fn unnest_struct(step: &Step<'_>) -> Outcome {
    let sources: Vec<String> = step.listed("columns").iter().map(|(name, _)| name.clone()).collect();
    let levels: usize = step.sql("levels").parse().unwrap_or(1);
    let (mut columns, without) = left(step, &sources);
    let mut selected = String::new();
    for (name, ty) in step.listed("columns") {
        let mut found = Vec::new();
        leaves(name, &ident(name), *ty, step.text("delimiter"), levels, &mut found);
        for (to, value, ty) in found {
            selected += &format!(", {value} AS {}", ident(&to));
            columns.push((to, Some(ty)));
        }
    }
    Outcome { columns, sql: format!("SELECT *{without}{selected} FROM rows") }
}

/// The fields of a struct with their names, values and types, down to a level.
fn leaves(
    name: &str,
    value: &str,
    ty: Option<ColumnType>,
    delimiter: &str,
    levels: usize,
    found: &mut Vec<(String, String, ColumnType)>,
) {
    let Some(Form::Struct(fields)) = ty.and_then(form) else { return };
    for (field, ty) in fields {
        let (name, value) = (format!("{name}{delimiter}{field}"), format!("{value}.{}", ident(field)));
        if levels > 1 && matches!(form(*ty), Some(Form::Struct(_))) {
            leaves(&name, &value, Some(*ty), delimiter, levels - 1, found);
        } else {
            found.push((name, value, *ty));
        }
    }
}
