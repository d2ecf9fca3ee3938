//! What a row gets from the rows around it, in the order in which they come.

use super::super::action::{Action, COLUMN, Does, Fits, Holds, Key, Makes, NUMBER, TO, key};
use crate::lake::ColumnType;

const BEFORE: Key = key("before", "numRowsBefore", Holds::Whole(0, 1_000_000));
const AFTER: Key = key("after", "numRowsAfter", Holds::Whole(0, 1_000_000)).or("0");
const ROWS: Key = key("rows", "numRows", Holds::Whole(1, 1_000_000)).or("1");

macro_rules! rolling {
    ($name:literal, $operation:literal, $what:literal, $function:literal, $makes:expr) => {
        Action::new(
            $name,
            $operation,
            concat!("Takes the ", $what, " of the rows from some before to some after into a new column."),
            &[NUMBER, BEFORE, AFTER, TO],
            Does::Make(
                concat!(
                    $function,
                    "({column}) OVER (ORDER BY \"row number\" ROWS BETWEEN {before} PRECEDING AND {after} FOLLOWING)"
                ),
                $makes,
            ),
        )
    };
}

pub(super) static ACTIONS: [Action; 8] = [
    rolling!("rolling_sum", "ROLLING_SUM", "sum", "sum", Makes::Is(ColumnType::Double)),
    rolling!("rolling_average", "ROLLING_AVERAGE", "average", "avg", Makes::Is(ColumnType::Double)),
    rolling!("rolling_minimum", "ROLLING_MIN", "least number", "min", Makes::Same),
    rolling!("rolling_maximum", "ROLLING_MAX", "greatest number", "max", Makes::Same),
    rolling!(
        "rolling_count",
        "ROLLING_COUNT_A",
        "count of values that are not null",
        "count",
        Makes::Is(ColumnType::BigInt)
    ),
    Action::new(
        "previous",
        "PREV",
        "Takes the value of an earlier row into a new column.",
        &[COLUMN, ROWS, TO],
        Does::Make("lag({column}, {rows}) OVER (ORDER BY \"row number\")", Makes::Same),
    ),
    Action::new(
        "next",
        "NEXT",
        "Takes the value of a later row into a new column.",
        &[COLUMN, ROWS, TO],
        Does::Make("lead({column}, {rows}) OVER (ORDER BY \"row number\")", Makes::Same),
    ),
    Action::new(
        "row_number",
        "ROW_NUMBER",
        "Numbers the rows of each group, from 1, into a new column.",
        &[
            key("by", "groupByColumns", Holds::Columns(Fits::Plain)),
            key("order", "orderByColumns", Holds::Columns(Fits::Plain)),
            TO,
        ],
        Does::Make(
            "row_number() OVER (PARTITION BY {by} ORDER BY {order:,:_ NULLS FIRST}, \"row number\")",
            Makes::Is(ColumnType::Int),
        ),
    ),
];
