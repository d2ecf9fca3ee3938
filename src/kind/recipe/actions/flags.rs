//! Columns that say something about a row, and outliers.

use super::super::action::{Action, COLUMN, Does, Fits, Holds, Key, Makes, NO, NUMBER, TEXT, TO, YES, choice, key};
use crate::lake::ColumnType;

const STRING: Makes = Makes::Is(ColumnType::String);

/// The modified score with its usual factor of 0.6745, as in Iglewicz and Hoaglin, "How to Detect and Handle Outliers".
const STRATEGY: Key = key(
    "by",
    "outlierStrategy",
    Holds::Choice(&[
        choice(
            "z_score",
            "Z_SCORE",
            "abs({column} - (SELECT avg({column}) FROM rows)) > {threshold} * (SELECT stddev_samp({column}) FROM rows)",
        ),
        choice(
            "modified_z_score",
            "MODIFIED_Z_SCORE",
            "0.6745 * abs({column} - (SELECT median({column}) FROM rows)) > {threshold} * (SELECT mad({column}) FROM rows)",
        ),
        choice(
            "iqr",
            "IQR",
            "greatest({column} - (SELECT quantile_cont({column}, 0.75) FROM rows), (SELECT quantile_cont({column}, 0.25) FROM rows) \
            - {column}) > {threshold} * (SELECT quantile_cont({column}, 0.75) - quantile_cont({column}, 0.25) FROM rows)",
        ),
    ]),
);
const THRESHOLD: Key = key("threshold", "threshold", Holds::Number).or("3");

const REPLACEMENT: Key = key(
    "with",
    "replaceType",
    Holds::Choice(&[
        choice("average", "REPLACE_WITH_AVERAGE", "(SELECT avg({column}) FROM rows)"),
        choice("median", "REPLACE_WITH_MEDIAN", "(SELECT median({column}) FROM rows)"),
        choice("maximum", "REPLACE_WITH_MAX", "(SELECT max({column}) FROM rows)"),
    ]),
);

const FLAG: &str = "CASE WHEN coalesce({by}, false) THEN {yes} ELSE {no} END";

pub(super) static ACTIONS: [Action; 9] = [
    Action::new(
        "flag",
        "BOOLEAN_OPERATION",
        "Says in a new column whether conditions hold.",
        &[
            key("column", "", Holds::Column(Fits::Plain)),
            key("where", "valueExpression", Holds::Expression),
            TO,
            key("yes", "trueValueExpression", Holds::Text).or("True"),
            key("no", "falseValueExpression", Holds::Text).or("False"),
        ],
        Does::Make("CASE WHEN {where} THEN {yes} ELSE {no} END", STRING),
    ),
    Action::new(
        "flag_missing",
        "FLAG_COLUMN_FROM_NULL",
        "Says in a new column where another is null.",
        &[COLUMN, TO, YES, NO],
        Does::Make("CASE WHEN {column} IS NULL THEN {yes} ELSE {no} END", STRING),
    )
    .with(&[("flagType", "Null values")]),
    Action::new(
        "flag_pattern",
        "FLAG_COLUMN_FROM_PATTERN",
        "Says in a new column where a regular expression finds something.",
        &[TEXT, key("pattern", "pattern", Holds::Pattern), TO, YES, NO],
        Does::Make("CASE WHEN regexp_matches({column}, {pattern}) THEN {yes} ELSE {no} END", STRING),
    )
    .with(&[("flagType", "Pattern")]),
    Action::new(
        "flag_duplicates",
        "FLAG_DUPLICATES_IN_COLUMN",
        "Says in a new column which values have occurred in an earlier row.",
        &[COLUMN, TO, YES, NO],
        Does::Make(
            "CASE WHEN row_number() OVER (PARTITION BY {column} ORDER BY \"row number\") > 1 THEN {yes} ELSE {no} END",
            STRING,
        ),
    ),
    Action::new(
        "flag_duplicate_rows",
        "FLAG_DUPLICATE_ROWS",
        "Says in a new column which rows equal an earlier one.",
        &[TO, YES, NO],
        Does::Make(
            "CASE WHEN row_number() OVER (PARTITION BY {all} ORDER BY \"row number\") > 1 THEN {yes} ELSE {no} END",
            STRING,
        ),
    ),
    Action::new(
        "flag_outliers",
        "FLAG_OUTLIERS",
        "Says in a new column which numbers are outliers.",
        &[NUMBER, STRATEGY, THRESHOLD, TO, YES, NO],
        Does::Make(FLAG, STRING),
    ),
    Action::new(
        "remove_outliers",
        "REMOVE_OUTLIERS",
        "Removes the rows in which a number is an outlier.",
        &[NUMBER, STRATEGY, THRESHOLD],
        Does::Keep("NOT coalesce({by}, false)"),
    )
    .with(&[("removeType", "DELETE_ROWS")]),
    Action::new(
        "clear_outliers",
        "REMOVE_OUTLIERS",
        "Makes outliers null.",
        &[NUMBER, STRATEGY, THRESHOLD],
        Does::Change("CASE WHEN NOT coalesce({by}, false) THEN {column} END", Makes::Same),
    )
    .with(&[("removeType", "CLEAR")]),
    Action::new(
        "replace_outliers",
        "REPLACE_OUTLIERS",
        "Replaces outliers by a statistic of the column.",
        &[NUMBER, STRATEGY, THRESHOLD, REPLACEMENT],
        Does::Change("CASE WHEN coalesce({by}, false) THEN {with} ELSE {column} END", Makes::Is(ColumnType::Double)),
    ),
];
