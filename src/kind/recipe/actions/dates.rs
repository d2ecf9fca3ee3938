//! Days and moments.

use super::super::action::{Action, Does, Fits, Holds, Makes, TIME, TO, choice, key};
use crate::lake::ColumnType;

const INT: Makes = Makes::Is(ColumnType::Int);
const STRING: Makes = Makes::Is(ColumnType::String);

const UNITS: Holds = Holds::Choice(&[
    choice("years", "YEARS", "year"),
    choice("quarters", "QUARTERS", "quarter"),
    choice("months", "MONTHS", "month"),
    choice("weeks", "WEEKS", "week"),
    choice("days", "DAYS", "day"),
    choice("hours", "HOURS", "hour"),
    choice("minutes", "MINUTES", "minute"),
    choice("seconds", "SECONDS", "second"),
]);

/// The format that the reference gives as the default.
const FORMAT: super::super::action::Key = key("format", "dateTimeFormat", Holds::DateFormat).or("yyyy-mm-dd HH:MM:SS");

const fn part(name: &'static str, operation: &'static str, about: &'static str, sql: &'static str) -> Action {
    Action::new(name, operation, about, &[TIME, TO], Does::Make(sql, INT))
}

pub(super) static ACTIONS: [Action; 12] = [
    part("year", "YEAR", "Takes the year into a new column.", "year({moment})"),
    part("quarter", "QUARTER", "Takes the quarter, 1 to 4, into a new column.", "quarter({moment})"),
    part("month", "MONTH", "Takes the month, 1 to 12, into a new column.", "month({moment})"),
    part("day", "DAY", "Takes the day of the month into a new column.", "day({moment})"),
    part("hour", "HOUR", "Takes the hour into a new column.", "hour({moment})"),
    part("minute", "MINUTE", "Takes the minute into a new column.", "minute({moment})"),
    part("second", "SECOND", "Takes the second into a new column.", "second({moment})"),
    Action::new(
        "month_name",
        "MONTH_NAME",
        "Takes the English name of the month into a new column.",
        &[TIME, TO],
        Does::Make("monthname({moment})", STRING),
    ),
    Action::new(
        "unix_time",
        "UNIX_TIME",
        "Counts the seconds since 1970 (UTC) into a new column.",
        &[TIME, TO],
        Does::Make("epoch({moment})", Makes::Is(ColumnType::BigInt)),
    ),
    Action::new(
        "format_date",
        "DATE_FORMAT",
        "Writes a date as text into a new column.",
        &[TIME, FORMAT, TO],
        Does::Make("strftime({moment}, {format})", STRING),
    ),
    Action::new(
        "date_add",
        "DATE_ADD",
        "Adds to a date and writes it as text into a new column.",
        &[TIME, key("amount", "dateAddValue", Holds::Whole(0, 1_000_000)), key("units", "units", UNITS), FORMAT, TO],
        Does::Make("strftime(date_add({moment}, ({amount} || ' {units}')::INTERVAL), {format})", STRING),
    ),
    Action::new(
        "date_diff",
        "DATE_DIFF",
        "Counts the whole units from one date to another into a new column.",
        &[
            key("from", "1", Holds::Operand(Fits::Time)),
            key("until", "2", Holds::Operand(Fits::Time)),
            key("units", "units", UNITS),
            TO,
        ],
        Does::Make("date_sub('{units}', {from}, {until})", Makes::Is(ColumnType::BigInt)),
    ),
];
