//! Conditions: which rows a step is about.

use std::fmt::Write as _;

use super::sql::{ident, literal};
use crate::check::Check;
use crate::decode::Scalar;
use crate::diagnostic::{Diagnostic, did_you_mean, listed};
use crate::lake::ColumnType;
use crate::schema::{self, Doc, Form, Key, Language};
use crate::source::{Node, Span, Value};

/// Which rows a step touches, in DataBrew's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Like `LESS_THAN`.
    pub condition: String,
    /// The column that is looked at.
    pub column: String,
    /// What it is compared with.
    pub value: Option<String>,
}

/// One condition of the language.
#[derive(Debug, PartialEq)]
pub(crate) struct Shape {
    /// How it is written.
    pub name: &'static str,
    /// When it holds, for people.
    pub about: &'static str,
    /// DataBrew's conditions; a second one takes the second value.
    databrew: &'static [&'static str],
    takes: Takes,
    /// In SQL, `C` being the column, `T` the same as text, `V` the value and `W` the second one.
    sql: &'static str,
    /// Whether it is the opposite of its SQL.
    not: bool,
    /// In the language of `valueExpression`, with `C`, `V` and `W`; none where that cannot say it.
    expression: Option<&'static str>,
}

#[derive(Debug, PartialEq, Clone, Copy)]
enum Takes {
    Nothing,
    One,
    Some,
    Two,
}

const fn condition(
    name: &'static str,
    about: &'static str,
    databrew: &'static [&'static str],
    takes: Takes,
    sql: &'static str,
    expression: Option<&'static str>,
) -> Shape {
    Shape { name, about, databrew, takes, sql, not: false, expression }
}

impl Shape {
    const fn not(self) -> Self {
        let Self { name, about, databrew, takes, sql, not: _, expression } = self;
        Self { name, about, databrew, takes, sql, not: true, expression }
    }
}

/// Conditions on one column, as [`read`] takes them.
pub(crate) fn shape(language: &mut Language) -> schema::Shape {
    let about = "Conditions on a column; all must hold.";
    language.define::<Shape>("conditions", &[about], Form::Some, |_| {
        let key = |condition: &'static Shape| {
            let (shape, example) = match condition.takes {
                Takes::Nothing => (schema::Shape::Any, "Example: `true`."),
                Takes::One if condition.name.contains("than") => (schema::Shape::Scalar, "Example: `100`."),
                Takes::One => (schema::Shape::Scalar, "Example: `north`."),
                Takes::Some => (schema::Shape::Items(Box::new(schema::Shape::Scalar)), "Example: `[north, south]`."),
                Takes::Two => (schema::Shape::Items(Box::new(schema::Shape::Scalar)), "Example: `[1, 5]`."),
            };
            let doc = Doc::new(&[condition.about, example]);
            Key { name: condition.name, doc, shape: Some(shape), optional: true, reads: None }
        };
        SHAPES.iter().map(key).collect()
    })
}

/// Source: "Using conditions" and "BOOLEAN_OPERATION" of the DataBrew developer guide. `IS_BETWEEN` is said with the two conditions
/// by which the guide explains it, because it leaves open how the two values are written.
pub(crate) static SHAPES: [Shape; 15] = [
    condition("is", "equals the value, or one of several", &["IS"], Takes::Some, "C IN (V)", Some("C = V")),
    condition("is_not", "equals none of the values", &["IS_NOT"], Takes::Some, "C IN (V)", Some("C != V")).not(),
    condition("contains", "contains the text", &["CONTAINS"], Takes::One, "contains(T, V)", Some("contains(C, V)")),
    condition(
        "not_contains",
        "does not contain the text",
        &["NOT_CONTAINS"],
        Takes::One,
        "contains(T, V)",
        Some("!contains(C, V)"),
    )
    .not(),
    condition(
        "starts_with",
        "starts with the text",
        &["STARTS_WITH"],
        Takes::One,
        "starts_with(T, V)",
        Some("startsWith(C, V)"),
    ),
    condition(
        "not_starts_with",
        "does not start with the text",
        &["NOT_STARTS_WITH"],
        Takes::One,
        "starts_with(T, V)",
        Some("!startsWith(C, V)"),
    )
    .not(),
    condition("ends_with", "ends with the text", &["ENDS_WITH"], Takes::One, "ends_with(T, V)", Some("endsWith(C, V)")),
    condition(
        "not_ends_with",
        "does not end with the text",
        &["NOT_ENDS_WITH"],
        Takes::One,
        "ends_with(T, V)",
        Some("!endsWith(C, V)"),
    )
    .not(),
    condition("less_than", "is less than the value", &["LESS_THAN"], Takes::One, "C < V", Some("C < V")),
    condition("less_than_equal", "is at most the value", &["LESS_THAN_EQUAL"], Takes::One, "C <= V", Some("C <= V")),
    condition("greater_than", "is greater than the value", &["GREATER_THAN"], Takes::One, "C > V", Some("C > V")),
    condition(
        "greater_than_equal",
        "is at least the value",
        &["GREATER_THAN_EQUAL"],
        Takes::One,
        "C >= V",
        Some("C >= V"),
    ),
    condition(
        "between",
        "is at least the first and at most the second of two values",
        &["GREATER_THAN_EQUAL", "LESS_THAN_EQUAL"],
        Takes::Two,
        "C BETWEEN V AND W",
        Some("C >= V and C <= W"),
    ),
    condition("is_missing", "is null or empty text", &["IS_MISSING"], Takes::Nothing, "M", Some("isMissing(C)")),
    condition(
        "is_invalid",
        "is no value of the column's type; no value of a declared table is",
        &["IS_INVALID"],
        Takes::Nothing,
        "false",
        None,
    ),
];

/// One condition as written: on a column, with its values.
#[derive(Debug, PartialEq)]
pub(crate) struct Test {
    shape: &'static Shape,
    column: String,
    ty: Option<ColumnType>,
    values: Vec<String>,
}

/// Reads `{ less_than: 1 }` for a column.
pub(crate) fn read(
    node: &Node,
    column: &str,
    ty: Option<ColumnType>,
    expression: bool,
    cx: &mut Check<'_>,
) -> Vec<Test> {
    let Value::Map(entries) = &node.value else {
        cx.error(node.span, "expected a condition like `{ less_than: 1 }`");
        return Vec::new();
    };
    if entries.is_empty() {
        cx.error(node.span, "there is no condition here").help("write one like `{ less_than: 1 }`");
    }
    let mut tests = Vec::new();
    for (name, value) in entries {
        let Some(shape) = SHAPES.iter().find(|shape| shape.name == name.value) else {
            let names: Vec<&str> = SHAPES.iter().map(|shape| shape.name).collect();
            let help = did_you_mean(name, names.iter().copied())
                .unwrap_or_else(|| format!("the conditions are {}", listed(&names)));
            cx.error(name.span, format!("no condition named `{}`", name.value)).help(help);
            continue;
        };
        let values = values(shape, value, ty, column, cx);
        if expression {
            if shape.expression.is_none() {
                cx.error(name.span, format!("`{}` cannot be flagged", shape.name));
            }
            if shape.takes == Takes::Some && values.len() > 1 {
                cx.error(value.span, "a flag compares with one value").help("make a flag for each");
            }
            if values.iter().any(|value| value.contains(['\'', '`'])) {
                cx.error(value.span, "a flag cannot compare with text that holds a quote or a backtick");
            }
        }
        tests.push(Test { shape, column: column.to_owned(), ty, values });
    }
    tests
}

fn values(shape: &Shape, node: &Node, ty: Option<ColumnType>, column: &str, cx: &mut Check<'_>) -> Vec<String> {
    let decoded: Vec<Scalar> = match shape.takes {
        Takes::Nothing => return Vec::new(),
        Takes::One => cx.decode::<Scalar>(node).into_iter().collect(),
        Takes::Some | Takes::Two => cx.decode::<Vec<Scalar>>(node).unwrap_or_default(),
    };
    if shape.takes == Takes::Two && decoded.len() != 2 {
        cx.error(node.span, format!("`{}` needs two values", shape.name))
            .help(format!("write `{}: [1, 5]`", shape.name));
    }
    let compares_text = matches!(shape.takes, Takes::One) && shape.sql.contains("(T, ");
    let values: Vec<String> = decoded.into_iter().map(|value| value.0).collect();
    for value in values.iter().filter(|_| !compares_text) {
        fits(value, ty, column, node.span, cx);
    }
    values
}

/// Notes a value that the type does not have.
pub(super) fn fits(value: &str, ty: Option<ColumnType>, column: &str, span: Span, cx: &mut Check<'_>) {
    let digits = |text: &str, shape: &str| {
        text.len() == shape.len()
            && text.chars().zip(shape.chars()).all(|(c, s)| if s == '0' { c.is_ascii_digit() } else { c == s })
    };
    let fits = match ty {
        Some(ColumnType::Boolean) => matches!(value, "true" | "false"),
        Some(ColumnType::Date) => digits(value, "0000-00-00"),
        Some(ColumnType::Timestamp) => {
            digits(value, "0000-00-00") || digits(value, "0000-00-00 00:00") || digits(value, "0000-00-00 00:00:00")
        }
        Some(ty) if ty.is_number() => value.parse::<f64>().is_ok_and(f64::is_finite),
        _ => true,
    };
    if !fits && let Some(ty) = ty {
        let help = matches!(ty, ColumnType::Date | ColumnType::Timestamp)
            .then(|| "write a date as `2026-01-31`, a moment as `2026-01-31 08:30:00`".to_owned());
        let message = format!("`{value}` does not fit `{column}`, which is `{ty}`");
        cx.push(Diagnostic::error(span, message).maybe_help(help));
    }
}

/// A value of a type in SQL.
pub(super) fn typed(value: &str, ty: Option<ColumnType>) -> String {
    match ty {
        Some(ty) if ty.is_number() => value.to_owned(),
        Some(ColumnType::String) | None => literal(value),
        Some(ty) => format!("CAST({} AS {})", literal(value), ty.duckdb()),
    }
}

/// Whether a column has no value: null, or empty text.
pub(super) fn missing(column: &str, ty: Option<ColumnType>) -> String {
    let column = ident(column);
    match ty {
        Some(ColumnType::String) | None => format!("({column} IS NULL OR {column}::VARCHAR = '')"),
        Some(_) => format!("({column} IS NULL)"),
    }
}

/// All conditions in DataBrew's form.
pub(crate) fn conditions(tests: &[Test]) -> Vec<Condition> {
    let mut out = Vec::new();
    for Test { shape, column, ty: _, values } in tests {
        for (at, condition) in shape.databrew.iter().enumerate() {
            let value = match shape.takes {
                Takes::Nothing => None,
                Takes::One | Takes::Two => values.get(at).cloned(),
                Takes::Some => Some(serde_json::to_string(values).unwrap_or_default()),
            };
            out.push(Condition { condition: (*condition).to_owned(), column: column.clone(), value });
        }
    }
    out
}

/// All conditions in SQL: true or false, never null. Where a value is null, a condition of a filter is the exact opposite of its
/// opposite, and one of an expression does not hold.
pub(super) fn sql(tests: &[Test], expression: bool) -> String {
    let one = |test: &Test| {
        let Test { shape, column, ty, values } = test;
        let compares_text = shape.sql.contains("(T, ");
        let value = |value: &String| typed(value, if compares_text { None } else { *ty });
        let rendered = match shape.takes {
            Takes::Some => values.iter().map(value).collect::<Vec<_>>().join(", "),
            _ => values.first().map_or_else(String::new, value),
        };
        let second = values.get(1).map_or_else(String::new, value);
        let mut sql = String::new();
        for c in shape.sql.split_inclusive(|c: char| !c.is_ascii_alphabetic()).flat_map(words) {
            match c {
                "C" => sql.push_str(&ident(column)),
                "T" => {
                    let _ = write!(sql, "{}::VARCHAR", ident(column));
                }
                "V" => sql.push_str(&rendered),
                "W" => sql.push_str(&second),
                "M" => sql.push_str(&missing(column, *ty)),
                other => sql.push_str(other),
            }
        }
        match (shape.not, expression) {
            (false, _) => format!("coalesce({sql}, false)"),
            (true, false) => format!("NOT coalesce({sql}, false)"),
            (true, true) => format!("coalesce(NOT ({sql}), false)"),
        }
    };
    tests.iter().map(one).collect::<Vec<_>>().join(" AND ")
}

/// A piece that ends in one sign, as its word and that sign.
fn words(piece: &str) -> [&str; 2] {
    let end = piece.trim_end_matches(|c: char| !c.is_ascii_alphabetic()).len();
    let (word, sign) = piece.split_at(end);
    [word, sign]
}

/// All conditions in the language of `valueExpression`.
pub(super) fn expression(tests: &[Test]) -> String {
    let one = |test: &Test| {
        let Test { shape, column, ty, values } = test;
        let value = |at: usize| {
            let value = values.get(at).map_or("", String::as_str);
            let bare = ty.is_some_and(|ty| ty.is_number() || ty == ColumnType::Boolean) && !shape.sql.contains("(T, ");
            if bare { value.to_uppercase() } else { format!("'{value}'") }
        };
        let mut out = String::new();
        for piece in
            shape.expression.unwrap_or_default().split_inclusive(|c: char| !c.is_ascii_alphabetic()).flat_map(words)
        {
            match piece {
                "C" => {
                    let _ = write!(out, "`{column}`");
                }
                "V" => out.push_str(&value(0)),
                "W" => out.push_str(&value(1)),
                other => out.push_str(other),
            }
        }
        out
    };
    tests.iter().map(one).collect::<Vec<_>>().join(" and ")
}
