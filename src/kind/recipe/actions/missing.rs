//! Values that are missing, or no values of their type.

use super::super::action::{Action, COLUMN, Does, Fits, Holds, Makes, NUMBER, SORT_OF_COLUMN, TEXT, TO, choice, key};
use crate::lake::ColumnType;

const DOUBLE: Makes = Makes::Is(ColumnType::Double);

const TIES: Holds = Holds::Choice(&[choice("minimum", "MINIMUM", "min"), choice("maximum", "MAXIMUM", "max")]);

pub(super) static ACTIONS: [Action; 10] = [
    Action::new(
        "fill_missing",
        "FILL_WITH_CUSTOM",
        "Fills missing values with this one.",
        &[COLUMN, key("with", "value", Holds::Value)],
        Does::Change("CASE WHEN {missing} THEN {with} ELSE {column} END", Makes::Same),
    )
    .with(&[("columnDataType", SORT_OF_COLUMN)]),
    Action::new(
        "fill_with_average",
        "FILL_WITH_AVERAGE",
        "Fills missing numbers with the average.",
        &[NUMBER],
        Does::Change("coalesce({column}, (SELECT avg({column}) FROM rows))", DOUBLE),
    ),
    Action::new(
        "fill_with_median",
        "FILL_WITH_MEDIAN",
        "Fills missing numbers with the median.",
        &[NUMBER],
        Does::Change("coalesce({column}, (SELECT median({column}) FROM rows))", DOUBLE),
    ),
    Action::new(
        "fill_with_sum",
        "FILL_WITH_SUM",
        "Fills missing numbers with the sum.",
        &[NUMBER],
        Does::Change("coalesce({column}, (SELECT sum({column}) FROM rows))", DOUBLE),
    ),
    Action::new(
        "fill_with_mode",
        "FILL_WITH_MODE",
        "Fills missing values with the most frequent one; of several, with the least or the greatest.",
        &[COLUMN, key("ties", "modeType", TIES).or("minimum")],
        Does::Change(
            "CASE WHEN {missing} THEN (SELECT {ties}(v) FROM (SELECT {column} AS v, count(*) AS n FROM rows \
            WHERE NOT {missing} GROUP BY {column} QUALIFY n = max(n) OVER ())) ELSE {column} END",
            Makes::Same,
        ),
    ),
    Action::new(
        "fill_with_last_valid",
        "FILL_WITH_LAST_VALID",
        "Fills missing values with the last one before them.",
        &[COLUMN],
        Does::Change(
            "last_value(CASE WHEN NOT {missing} THEN {column} END IGNORE NULLS) OVER (ORDER BY \"row number\" \
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)",
            Makes::Same,
        ),
    )
    .with(&[("columnDataType", SORT_OF_COLUMN)]),
    Action::new(
        "fill_with_empty",
        "FILL_WITH_EMPTY",
        "Fills missing text with the empty text.",
        &[TEXT],
        Does::Change("coalesce({column}, '')", Makes::Same),
    ),
    Action::new(
        "coalesce",
        "COALESCE",
        "Takes the first value that is not null into a new column.",
        &[key("columns", "sourceColumns", Holds::Columns(Fits::Plain)), TO],
        Does::Make("coalesce({columns})", Makes::Wider),
    ),
    Action::new(
        "remove_missing",
        "REMOVE_MISSING",
        "Removes the rows in which a column has no value.",
        &[COLUMN],
        Does::Keep("NOT {missing}"),
    ),
    Action::new(
        "remove_invalid",
        "REMOVE_INVALID",
        "Removes the rows in which a column holds something that is no value of a type. A missing value is not invalid.",
        &[COLUMN, key("type", "columnDataType", Holds::Sort)],
        Does::Keep("({missing} OR TRY_CAST({column} AS {type}) IS NOT NULL)"),
    ),
];
