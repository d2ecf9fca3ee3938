//! Columns: their names, places and types.

use super::super::action::{ANY, Action, COLUMN, Does, Fits, Holds, Makes, TO, key};
use super::super::sql::{Outcome, Step, ident};
use crate::lake::ColumnType;

pub(super) static ACTIONS: [Action; 9] = [
    Action::new("rename", "RENAME", "Gives a column another name.", &[ANY, TO], Does::Columns(rename)),
    Action::new("delete", "DELETE", "Removes a column.", &[ANY], Does::Columns(delete)),
    Action::new("duplicate", "DUPLICATE", "Copies a column.", &[ANY, TO], Does::Make("{column}", Makes::Same)),
    Action::new(
        "change_type",
        "CHANGE_DATA_TYPE",
        "Changes the type of a column. What cannot be converted becomes null.",
        &[COLUMN, key("to", "columnDataType", Holds::Type)],
        Does::Columns(change_type),
    ),
    Action::new(
        "move_to_start",
        "MOVE_TO_START",
        "Makes a column the first.",
        &[ANY],
        Does::Columns(|step| moved(step, |_| 0)),
    ),
    Action::new(
        "move_to_end",
        "MOVE_TO_END",
        "Makes a column the last.",
        &[ANY],
        Does::Columns(|step| moved(step, |others| others.len())),
    ),
    Action::new(
        "move_after",
        "MOVE_AFTER",
        "Puts a column right behind another.",
        &[ANY, key("other", "targetColumn", Holds::Column(Fits::Any))],
        Does::Columns(|step| moved(step, |others| position(others, step) + 1)),
    ),
    Action::new(
        "move_before",
        "MOVE_BEFORE",
        "Puts a column right before another.",
        &[ANY, key("other", "targetColumn", Holds::Column(Fits::Any))],
        Does::Columns(|step| moved(step, |others| position(others, step))),
    ),
    Action::new(
        "move_to_index",
        "MOVE_TO_INDEX",
        "Puts a column at a place, counted from 0.",
        &[ANY, key("index", "targetIndex", Holds::Whole(0, 10_000))],
        Does::Columns(|step| {
            moved(step, |others| step.sql("index").parse::<usize>().unwrap_or(usize::MAX).min(others.len()))
        }),
    ),
];

fn rename(step: &Step<'_>) -> Outcome {
    let (column, to) = (step.column(), step.name("to"));
    let columns = step.columns.iter().map(|(name, ty)| (if name == column { to } else { name }.to_owned(), *ty));
    let sql = format!("SELECT * RENAME ({} AS {}) FROM rows", ident(column), ident(to));
    Outcome { columns: columns.collect(), sql }
}

fn delete(step: &Step<'_>) -> Outcome {
    let columns = step.columns.iter().filter(|(name, _)| name != step.column()).cloned();
    Outcome { columns: columns.collect(), sql: format!("SELECT * EXCLUDE ({}) FROM rows", ident(step.column())) }
}

/// Text is trimmed first; numbers lose what is behind the point when they become whole, as in Spark.
fn change_type(step: &Step<'_>) -> Outcome {
    let column = ident(step.column());
    let (from, to) = (step.column_type(), step.sql("to"));
    let ty = to.parse::<ColumnType>().ok();
    let whole = ty.is_some_and(ColumnType::is_integer);
    let value = match (from, ty) {
        (Some(ColumnType::String), Some(ColumnType::String)) => column.clone(),
        (Some(ColumnType::String), Some(ColumnType::Boolean)) => format!(
            "CASE WHEN lower(trim({column})) IN ('true', 'yes') THEN true WHEN lower(trim({column})) IN ('false', 'no') THEN false END"
        ),
        (Some(ColumnType::String), _) if whole => {
            format!("TRY_CAST(trunc(TRY_CAST(trim({column}) AS decimal(38,9))) AS {to})")
        }
        (Some(ColumnType::String), _) => format!("TRY_CAST(trim({column}) AS {to})"),
        (Some(ColumnType::Float | ColumnType::Double | ColumnType::Decimal(..)), _) if whole => {
            format!("TRY_CAST(trunc({column}) AS {to})")
        }
        _ => format!("TRY_CAST({column} AS {to})"),
    };
    let columns = step.columns.iter().map(|(name, old)| (name.clone(), if name == step.column() { ty } else { *old }));
    Outcome { columns: columns.collect(), sql: format!("SELECT * REPLACE ({value} AS {column}) FROM rows") }
}

type Others<'a> = [&'a (String, Option<ColumnType>)];

/// Where `other` is among the columns without the one that moves.
fn position(others: &Others<'_>, step: &Step<'_>) -> usize {
    others.iter().position(|(name, _)| name == step.name("other")).unwrap_or(others.len())
}

fn moved(step: &Step<'_>, place: impl Fn(&Others<'_>) -> usize) -> Outcome {
    let mut columns: Vec<_> = step.columns.iter().filter(|(name, _)| name != step.column()).collect();
    let place = place(&columns);
    columns.extend(step.columns.iter().find(|(name, _)| name == step.column()));
    if place < columns.len() {
        columns[place..].rotate_right(1);
    }
    let names: Vec<String> = columns.iter().map(|(name, _)| ident(name)).collect();
    Outcome { columns: columns.into_iter().cloned().collect(), sql: format!("SELECT {} FROM rows", names.join(", ")) }
}
