//! One column that becomes several: text that is split, and values that become columns.
//!
//! DataBrew's reference does not name the columns that these operations make. A split numbers them, `<column>_1` and so on, as its
//! console does; a pivot's are the author's to say, since they follow from the data.

use super::super::action::{Action, Choice, Does, Fits, Holds, Key, TEXT, choice, key};
use super::super::arg::{Aggregate, Columns, json};
use super::super::reader::result;
use super::super::sql::{Outcome, Step, cast, common, ident, literal};
use super::super::step::ActionParameter;
use crate::lake::ColumnType;

const TIMES: Key = key("times", "limit", Holds::Whole(1, 20)).or("1");

pub(super) static ACTIONS: [Action; 8] = [
    Action::new(
        "split",
        "SPLIT_COLUMN_SINGLE_DELIMITER",
        "Splits text at a delimiter, so many times, into the columns `<column>_1`, `<column>_2`…; the last holds the rest.",
        &[TEXT, key("at", "pattern", Holds::Pattern), TIMES],
        Does::Columns(|step| split(step, &[step.text("at").to_owned()])),
    )
    .with(&[("includeInSplit", "false")]),
    Action::new(
        "split_at_any",
        "SPLIT_COLUMN_MULTIPLE_DELIMITER",
        "Splits text at whichever of some delimiters comes next, so many times, into the columns `<column>_1`, `<column>_2`…; the last \
        holds the rest.",
        &[TEXT, key("at", "", Holds::Texts), TIMES],
        Does::Combine(|step| split(step, step.texts("at")), |step| {
            let options = step.texts("at").iter().map(|delimiter| option(delimiter)).collect::<Vec<_>>();
            vec![("patternOptions", json(&options).into())]
        }),
    ),
    Action::new(
        "split_between",
        "SPLIT_COLUMN_BETWEEN_DELIMITER",
        "Splits text into what is before a delimiter, what is between it and another, and what is behind that: the columns `<column>_1`, \
        `<column>_2` and `<column>_3`.",
        &[TEXT, key("from", "", Holds::Pattern), key("to", "", Holds::Pattern)],
        Does::Combine(split_between, |step| {
            let option = |key| ActionParameter::from(json(&option(step.text(key))));
            vec![("patternOption1", option("from")), ("patternOption2", option("to"))]
        }),
    ),
    Action::new(
        "split_from_start",
        "SPLIT_COLUMN_FROM_START",
        "Splits text behind so many characters into the columns `<column>_1` and `<column>_2`.",
        &[TEXT, key("position", "position", Holds::Whole(1, 10_000))],
        Does::Columns(|step| cut(step, "{position}")),
    ),
    Action::new(
        "split_from_end",
        "SPLIT_COLUMN_FROM_END",
        "Splits text before its last so many characters into the columns `<column>_1` and `<column>_2`.",
        &[TEXT, key("position", "position", Holds::Whole(1, 10_000))],
        Does::Columns(|step| cut(step, "greatest(length({column}) - {position}, 0)")),
    ),
    Action::new(
        "split_at_positions",
        "SPLIT_COLUMN_BETWEEN_POSITIONS",
        "Splits text behind so many characters, and once more behind so many: the columns `<column>_1`, `<column>_2` and `<column>_3`.",
        &[
            TEXT,
            key("start", "startPosition", Holds::Whole(1, 10_000)),
            key("end", "endPosition", Holds::Whole(1, 10_000)),
        ],
        Does::Columns(|step| {
            let parts = ["left({column}, {start})", "substr({column}, {start} + 1, {end} - {start})", "substr({column}, {end} + 1)"];
            numbered(step, &parts.map(|part| step.fill(part)))
        }),
    ),
    Action::new(
        "pivot",
        "PIVOT",
        "Makes a column of each value of a column, and one row of those that are equal in all other columns. DataBrew takes the values \
        from the data; a local run stops at one that is not listed. Where DataBrew's console shows another name than the value itself, \
        write the columns as a map from the values to their names.",
        &[
            key("column", "sourceColumn", Holds::Column(Fits::Plain)),
            key("values", "", Holds::Pivoted),
            key("of", "valueColumn", Holds::Aggregated),
        ],
        Does::Columns(pivot),
    ),
    Action::new(
        "transpose",
        "TRANSPOSE",
        "Makes rows of columns and columns of rows: a row of each of `rows`, named in the new column, and a column of each value of the \
        column. A local run stops at a value that is not listed.",
        &[
            key("column", "", Holds::Column(Fits::Plain)),
            key("values", "", Holds::Pivoted),
            key("rows", "valueColumns", Holds::Columns(Fits::Plain)),
            key("function", "aggregateFunction", Holds::Choice(&AGGREGATES)).or("max"),
            key("to", "newColumn", Holds::NewColumn),
        ],
        Does::Combine(transpose, |step| vec![("pivotColumns", json(&[step.column()]).into())]),
    ),
];

static AGGREGATES: [Choice; 6] = [
    choice("max", "MAX", "max"),
    choice("min", "MIN", "min"),
    choice("sum", "SUM", "sum"),
    choice("average", "AVERAGE", "avg"),
    choice("median", "MEDIAN", "median"),
    choice("count", "COUNT", "count"),
];

fn option(delimiter: &str) -> serde_json::Value {
    serde_json::json!({ "pattern": delimiter, "includeInSplit": false })
}

/// The columns of the step's own column with numbers behind its name, which get these values.
fn numbered(step: &Step<'_>, values: &[String]) -> Outcome {
    let mut columns = step.columns.to_vec();
    let mut made = String::new();
    for (at, value) in values.iter().enumerate() {
        let to = format!("{}_{}", step.column(), at + 1);
        made += &format!(", {value} AS {}", ident(&to));
        columns.push((to, Some(ColumnType::String)));
    }
    Outcome { columns, sql: format!("SELECT *{made} FROM rows") }
}

fn split(step: &Step<'_>, delimiters: &[String]) -> Outcome {
    let column = ident(step.column());
    let times: usize = step.sql("times").parse().unwrap_or(1);
    let any = delimiters.iter().map(|delimiter| escaped(delimiter)).collect::<Vec<_>>().join("|");
    let parts = format!("string_split_regex({column}, {})", literal(&any));
    let mut values: Vec<String> = (1..=times).map(|part| format!("{parts}[{part}]")).collect();
    // What is behind the last split keeps the delimiters that are in it.
    let before = literal(&format!("^(?:.*?(?:{any})){{{times}}}"));
    values.push(format!("CASE WHEN len({parts}) > {times} THEN regexp_replace({column}, {before}, '', 's') END"));
    numbered(step, &values)
}

fn split_between(step: &Step<'_>) -> Outcome {
    let column = ident(step.column());
    let (from, to) = (literal(step.text("from")), literal(step.text("to")));
    let rest = format!("substr({column}, strpos({column}, {from}) + length({from}))");
    let (first, second) = (format!("strpos({column}, {from})"), format!("strpos({rest}, {to})"));
    numbered(
        step,
        &[
            format!("CASE WHEN {first} > 0 THEN left({column}, {first} - 1) ELSE {column} END"),
            format!(
                "CASE WHEN {first} > 0 AND {second} > 0 THEN left({rest}, {second} - 1) WHEN {first} > 0 THEN {rest} END"
            ),
            format!("CASE WHEN {first} > 0 AND {second} > 0 THEN substr({rest}, {second} + length({to})) END"),
        ],
    )
}

/// In two, `position` being how many characters are in the first.
fn cut(step: &Step<'_>, position: &str) -> Outcome {
    let position = step.fill(position);
    let column = ident(step.column());
    numbered(step, &[format!("left({column}, {position})"), format!("substr({column}, {position} + 1)")])
}

/// A text as a regular expression that finds only it.
fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| (!c.is_alphanumeric() && c.is_ascii()).then_some('\\').into_iter().chain([c])).collect()
}

fn pivot(step: &Step<'_>) -> Outcome {
    let column = step.column();
    let of = step.aggregates("of").first();
    let gone = |name: &str| name == column || of.is_some_and(|of| of.column == name);
    let kept = step.columns.iter().filter(|(name, _)| !gone(name)).cloned().collect();
    let call = of.map_or_else(String::new, Aggregate::call);
    turned(step, kept, "rows", &call, of.and_then(|of| of.ty))
}

/// As Spark does it: `stack`, then `pivot`.
fn transpose(step: &Step<'_>) -> Outcome {
    const VALUE: &str = "\"value here\"";
    let (column, to, rows) = (step.column(), step.name("to"), step.listed("rows"));
    let gone = |name: &str| name == column || rows.iter().any(|(row, _)| row == name);
    let mut kept: Columns = step.columns.iter().filter(|(name, _)| !gone(name)).cloned().collect();
    let ty = common(rows);
    let names = rows.iter().map(|(name, _)| literal(name)).collect::<Vec<_>>().join(", ");
    let values = rows.iter().map(|(name, _)| cast(&ident(name), ty)).collect::<Vec<_>>().join(", ");
    let others: String = kept.iter().map(|(name, _)| format!("{}, ", ident(name))).collect();
    let stacked = format!(
        "(SELECT {others}{}, unnest([{names}]) AS {}, unnest([{values}]) AS {VALUE} FROM rows)",
        ident(column),
        ident(to)
    );
    kept.push((to.to_owned(), Some(ColumnType::String)));
    turned(step, kept, &stacked, &format!("{}({VALUE})", step.sql("function")), result(step.chosen("function"), ty))
}

/// A row of those that are equal in the columns that are kept, and a column of each value of the step's own column.
fn turned(step: &Step<'_>, kept: Columns, rows: &str, call: &str, ty: Option<ColumnType>) -> Outcome {
    let column = step.column();
    let groups = kept.iter().map(|(name, _)| ident(name)).collect::<Vec<_>>().join(", ");
    let values = step.pairs("values");
    let listed = values.iter().map(|(value, _)| literal(value)).collect::<Vec<_>>().join(", ");
    let text = format!("{}::VARCHAR", ident(column));
    let complaint = literal(&format!("a value of `{column}` is not listed in `{}`: ", step.action.name));
    let unknown = format!("error({complaint} || coalesce({text}, 'null'))");
    let known = format!("SELECT * FROM {rows} WHERE CASE WHEN {text} IN ({listed}) THEN true ELSE {unknown} END");
    let mut selected: Vec<String> = kept.iter().map(|(name, _)| ident(name)).collect();
    let mut columns = kept;
    for (value, to) in values {
        // Spark's pivot leaves null where a group has no such row, also where it counts.
        let these = format!("FILTER ({text} = {})", literal(value));
        let value = format!("CASE WHEN count(*) {these} > 0 THEN {call} {these} END");
        selected.push(format!("{} AS {}", cast(&value, ty), ident(to)));
        columns.push((to.clone(), ty));
    }
    let selected = selected.join(", ");
    let groups = if groups.is_empty() { String::new() } else { format!(" GROUP BY {groups} ORDER BY {groups}") };
    Outcome { columns, sql: format!("SELECT {selected} FROM ({known}){groups}") }
}
