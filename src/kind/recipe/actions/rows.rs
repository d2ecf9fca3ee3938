//! Rows: which stay, in which order, and what groups of them make.

use super::super::action::{Action, COLUMN, Does, Fits, Holds, Makes, TO, key};
use super::super::sql::{Outcome, Step, ident};
use crate::lake::ColumnType;

pub(super) static ACTIONS: [Action; 7] = [
    Action::new(
        "remove_values",
        "REMOVE_VALUES",
        "Removes the rows for which all conditions hold.",
        &[COLUMN, key("where", "", Holds::Where)],
        Does::Keep("NOT ({where})"),
    ),
    Action::new(
        "remove_duplicates",
        "REMOVE_DUPLICATES",
        "Of rows with the same value in a column, keeps the first.",
        &[COLUMN],
        Does::Rows(
            "SELECT * EXCLUDE (\"row number\") FROM (SELECT * FROM (SELECT *, row_number() OVER () AS \"row number\" FROM rows) \
            QUALIFY row_number() OVER (PARTITION BY {column} ORDER BY \"row number\") = 1 ORDER BY \"row number\")",
        ),
    ),
    Action::new(
        "delete_duplicate_rows",
        "DELETE_DUPLICATE_ROWS",
        "Of equal rows, keeps the first.",
        &[],
        Does::Rows(
            "SELECT * EXCLUDE (\"row number\") FROM (SELECT * FROM (SELECT *, row_number() OVER () AS \"row number\" FROM rows) \
            QUALIFY row_number() OVER (PARTITION BY {all} ORDER BY \"row number\") = 1 ORDER BY \"row number\")",
        ),
    ),
    Action::new(
        "sort",
        "SORT",
        "Sorts the rows.",
        &[key("by", "expressions", Holds::Order)],
        Does::Rows("SELECT * FROM rows ORDER BY {by}"),
    ),
    Action::new(
        "merge",
        "MERGE",
        "Joins the text of columns into a new one; a missing value leaves nothing, not even its delimiter.",
        &[
            key("columns", "sourceColumns", Holds::Columns(Fits::Plain)),
            key("delimiter", "delimiter", Holds::Text).or_sql("''"),
            TO,
        ],
        Does::Make("concat_ws({delimiter}, {columns:,:nullif(_::VARCHAR, '')})", Makes::Is(ColumnType::String)),
    ),
    Action::new(
        "group_by",
        "GROUP_BY",
        "Makes one row of each group.",
        &[
            key("by", "sourceColumns", Holds::Columns(Fits::Plain)),
            key("aggregate", "groupByAggFunctionOptions", Holds::Aggregates),
        ],
        Does::Columns(group_by),
    )
    .with(&[("useNewDataFrame", "true")]),
    Action::new(
        "unpivot",
        "UNPIVOT",
        "Makes one row of each of some columns: its name and its value.",
        &[
            key("columns", "sourceColumns", Holds::Columns(Fits::Plain)),
            key("names", "unpivotColumn", Holds::NewColumn),
            key("values", "valueColumn", Holds::NewColumn),
        ],
        Does::Columns(unpivot),
    ),
];

fn group_by(step: &Step<'_>) -> Outcome {
    let by = step.listed("by");
    let mut columns = by.to_vec();
    columns.extend(step.aggregates("aggregate").iter().map(|aggregate| (aggregate.to.clone(), aggregate.ty)));
    let keys: Vec<String> = by.iter().map(|(name, _)| ident(name)).collect();
    let keys = keys.join(", ");
    let aggregates: String =
        step.aggregates("aggregate").iter().map(|aggregate| format!(", {}", aggregate.sql())).collect();
    Outcome { columns, sql: format!("SELECT {keys}{aggregates} FROM rows GROUP BY {keys} ORDER BY {keys}") }
}

fn unpivot(step: &Step<'_>) -> Outcome {
    let gone = step.listed("columns");
    let mut types = gone.iter().map(|(_, ty)| *ty);
    let first = types.next().flatten();
    let ty = if types.all(|ty| ty == first) { first } else { None };
    let mut columns: Vec<_> = step.columns.iter().filter(|column| !gone.contains(column)).cloned().collect();
    columns.push((step.name("names").to_owned(), Some(ColumnType::String)));
    columns.push((step.name("values").to_owned(), ty));
    let names: Vec<String> = gone.iter().map(|(name, _)| ident(name)).collect();
    let sql = format!(
        "SELECT * FROM rows UNPIVOT INCLUDE NULLS ({} FOR {} IN ({}))",
        ident(step.name("values")),
        ident(step.name("names")),
        names.join(", ")
    );
    Outcome { columns, sql }
}
