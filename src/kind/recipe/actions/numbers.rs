//! Numbers.

use super::super::action::{Action, COLUMN, Does, Fits, Holds, Key, Makes, NUMBER, TEXT, TO, choice, key};
use super::super::sql::{Outcome, Step, ident, literal};
use crate::lake::ColumnType;

const INT: Makes = Makes::Is(ColumnType::Int);
const DOUBLE: Makes = Makes::Is(ColumnType::Double);

const OPERANDS: &[Key] =
    &[key("left", "1", Holds::Operand(Fits::Number)), key("right", "2", Holds::Operand(Fits::Number)), TO];
const NUMBERS: &[Key] = &[key("columns", "sourceColumns", Holds::Columns(Fits::Number)), TO];

const SCALES: Holds = Holds::Choice(&[
    choice(
        "min_max",
        "MIN_MAX",
        "({column} - (SELECT min({column}) FROM rows)) / \
        (SELECT nullif(max({column}) - min({column}), 0)::DOUBLE FROM rows)",
    ),
    choice(
        "mean",
        "MEAN_NORMALIZATION",
        "({column} - (SELECT avg({column}) FROM rows)) / \
        (SELECT nullif(max({column}) - min({column}), 0)::DOUBLE FROM rows)",
    ),
    choice(
        "z_score",
        "Z_SCORE",
        "({column} - (SELECT avg({column}) FROM rows)) / \
        (SELECT nullif(stddev_samp({column}), 0) FROM rows)",
    ),
]);

pub(super) static ACTIONS: [Action; 21] = [
    Action::new(
        "add",
        "ADD",
        "Adds two numbers into a new column.",
        OPERANDS,
        Does::Make("{left} + {right}", Makes::Wider),
    ),
    Action::new(
        "subtract",
        "SUBTRACT",
        "Subtracts one number from another into a new column.",
        OPERANDS,
        Does::Make("{left} - {right}", Makes::Wider),
    ),
    Action::new(
        "multiply",
        "MULTIPLY",
        "Multiplies two numbers into a new column.",
        OPERANDS,
        Does::Make("{left} * {right}", Makes::Wider),
    ),
    Action::new(
        "divide",
        "DIVIDE",
        "Divides one number by another into a new column; by 0 it gives null.",
        OPERANDS,
        Does::Make("{left}::DOUBLE / nullif({right}, 0)", DOUBLE),
    ),
    Action::new(
        "round",
        "ROUND",
        "Rounds to the nearest whole number, halves up, into a new column.",
        &[NUMBER, TO],
        Does::Make("floor({column}::DOUBLE + 0.5)", DOUBLE),
    ),
    Action::new(
        "ceiling",
        "CEILING",
        "Takes the least whole number that is not smaller into a new column.",
        &[NUMBER, TO],
        Does::Make("ceil({column})", DOUBLE),
    ),
    // The reference of FLOOR alone calls its column `sourceColumn1`.
    Action::new(
        "floor",
        "FLOOR",
        "Takes the greatest whole number that is not greater into a new column.",
        &[key("column", "sourceColumn1", Holds::Column(Fits::Number)), TO],
        Does::Make("floor({column})", DOUBLE),
    ),
    Action::new(
        "absolute",
        "ABSOLUTE",
        "Takes a number without its sign into a new column.",
        &[NUMBER, TO],
        Does::Make("abs({column})", Makes::Same),
    ),
    Action::new(
        "negate",
        "NEGATE",
        "Takes a number with the other sign into a new column.",
        &[NUMBER, TO],
        Does::Make("-{column}", Makes::Same),
    ),
    Action::new(
        "square_root",
        "SQUARE_ROOT",
        "Takes the square root into a new column.",
        &[NUMBER, TO],
        Does::Make("CASE WHEN {column} >= 0 THEN sqrt({column}) END", DOUBLE),
    ),
    Action::new(
        "power",
        "POWER",
        "Raises a number to a power into a new column.",
        &[NUMBER, key("exponent", "exponent", Holds::Number), TO],
        Does::Make("pow({column}, {exponent})", DOUBLE),
    ),
    Action::new(
        "logarithm",
        "LN",
        "Takes the natural logarithm into a new column; null where there is none.",
        &[NUMBER, TO],
        Does::Make("CASE WHEN {column} > 0 THEN ln({column}) END", DOUBLE),
    ),
    Action::new(
        "sum_columns",
        "SUM",
        "Adds up columns of a row into a new one; null counts as 0.",
        NUMBERS,
        Does::Make("{columns:+:coalesce(_, 0)}", Makes::Wider),
    ),
    Action::new(
        "average_columns",
        "AVERAGE",
        "Takes the average of columns of a row into a new one.",
        NUMBERS,
        Does::Make("list_avg([{columns}])", DOUBLE),
    ),
    Action::new(
        "minimum_columns",
        "MIN",
        "Takes the least number of columns of a row into a new one.",
        NUMBERS,
        Does::Make("least({columns})", Makes::Wider),
    ),
    Action::new(
        "maximum_columns",
        "MAX",
        "Takes the greatest number of columns of a row into a new one.",
        NUMBERS,
        Does::Make("greatest({columns})", Makes::Wider),
    ),
    Action::new(
        "scale",
        "NORMALIZATION",
        "Scales numbers into a new column: `min_max` to between 0 and 1, `mean` around their mean, `z_score` to standard deviations.",
        &[NUMBER, key("by", "strategy", SCALES), TO],
        Does::Make("{by}", DOUBLE),
    ),
    Action::new(
        "binarize",
        "BINARIZATION",
        "Makes a new column that is 1 above a threshold, and 0 elsewhere.",
        &[NUMBER, key("threshold", "threshold", Holds::Number), TO],
        Does::Make("CASE WHEN {column} > {threshold} THEN 1 WHEN {column} IS NOT NULL THEN 0 END", INT),
    )
    .with(&[("flip", "false")]),
    Action::new(
        "bin",
        "BUCKETIZATION",
        "Names in a new column the bin that a number falls into: there is one more name than edges, and an edge belongs to the bin above.",
        &[NUMBER, key("edges", "splits", Holds::Edges), key("names", "bucketNames", Holds::Texts), TO],
        Does::Columns(bin),
    ),
    Action::new(
        "encode",
        "CATEGORICAL_MAPPING",
        "Makes a new column of numbers that stand for texts.",
        &[TEXT, key("values", "categoryMap", Holds::Mapping), key("other", "other", Holds::Number), TO],
        Does::Columns(encode),
    )
    .with(&[("deleteOtherRows", "false"), ("keepOthers", "false"), ("mapType", "NUMERIC")]),
    Action::new(
        "one_hot",
        "ONE_HOT_ENCODING",
        "Makes a column for each value, `<column>_<value>`, that is 1 where the column has it and 0 elsewhere. DataBrew takes the values \
     from the data; a local run stops at one that is not listed.",
        &[COLUMN, key("values", "", Holds::Values)],
        Does::Columns(one_hot),
    ),
];

fn make(step: &Step<'_>, ty: ColumnType, value: &str) -> Outcome {
    let to = step.name("to");
    let mut columns = step.columns.to_vec();
    columns.push((to.to_owned(), Some(ty)));
    Outcome { columns, sql: format!("SELECT *, CAST({value} AS {ty}) AS {} FROM rows", ident(to)) }
}

fn bin(step: &Step<'_>) -> Outcome {
    let column = ident(step.column());
    let (edges, names) = (step.texts("edges"), step.texts("names"));
    let below: String =
        edges.iter().zip(names).map(|(edge, name)| format!(" WHEN {column} < {edge} THEN {}", literal(name))).collect();
    let above = names.last().map_or_else(String::new, |name| literal(name));
    make(step, ColumnType::String, &format!("CASE{below} WHEN {column} IS NOT NULL THEN {above} END"))
}

fn encode(step: &Step<'_>) -> Outcome {
    let cases: String =
        step.pairs("values").iter().map(|(from, to)| format!(" WHEN {} THEN {to}", literal(from))).collect();
    let value = format!("CASE {}{cases} ELSE {} END", ident(step.column()), step.sql("other"));
    make(step, ColumnType::Double, &value)
}

fn one_hot(step: &Step<'_>) -> Outcome {
    let column = ident(step.column());
    let values = step.texts("values");
    let listed: Vec<String> = values.iter().map(|value| literal(value)).collect();
    let complaint = literal(&format!("a value of `{}` is not listed in `one_hot`: ", step.column()));
    let unknown = format!("error({complaint} || {column}::VARCHAR)");
    let mut columns = step.columns.to_vec();
    let mut made = String::new();
    for (value, quoted) in values.iter().zip(&listed) {
        let to = format!("{}_{value}", step.column());
        made += &format!(
            ", CASE WHEN {column}::VARCHAR = {quoted} THEN 1 WHEN {column} IS NULL OR {column}::VARCHAR IN ({}) THEN 0 ELSE {unknown} END AS {}",
            listed.join(", "),
            ident(&to)
        );
        columns.push((to, Some(ColumnType::Int)));
    }
    Outcome { columns, sql: format!("SELECT *{made} FROM rows") }
}
