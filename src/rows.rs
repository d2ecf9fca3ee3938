//! Rows of a query, in the forms that people and machines read.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::cli::RowFormat;
use crate::text::printable;

/// The answer to a query.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Rows {
    /// The columns, in order.
    pub columns: Vec<Column>,
    /// A value for each column.
    pub rows: Vec<Vec<Value>>,
    /// Whether there are more.
    pub truncated: bool,
}

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
}

impl Rows {
    /// Rows of texts.
    pub fn of(names: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Self {
        let columns = names.iter().map(|name| Column { name: (*name).to_owned() }).collect();
        let rows = rows.map(|row| row.into_iter().map(Value::String).collect()).collect();
        Self { columns, rows, truncated: false }
    }

    /// As text of that form.
    #[must_use]
    pub fn render(&self, format: RowFormat) -> String {
        match format {
            RowFormat::Table => self.table(),
            RowFormat::Csv => self.csv(),
            RowFormat::Json => self.json(),
        }
    }

    fn table(&self) -> String {
        let cell = |value: &Value| if value.is_null() { "NULL".into() } else { one_line(&text(value)) };
        let cells: Vec<Vec<String>> = self.rows.iter().map(|row| row.iter().map(cell).collect()).collect();
        let widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| {
                let rows = cells.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
                rows.chain([column.name.chars().count()]).max().unwrap_or(0)
            })
            .collect();
        // Numbers stand at the right, under each other's digits.
        let right = |at: usize| {
            let mut values = self.rows.iter().filter_map(|row| row.get(at)).filter(|value| !value.is_null()).peekable();
            values.peek().is_some() && values.all(Value::is_number)
        };
        let right: Vec<bool> = (0..widths.len()).map(right).collect();
        let line = |cells: &[String]| {
            let mut line = String::new();
            for ((cell, width), right) in cells.iter().zip(&widths).zip(&right) {
                let gap = if line.is_empty() { "" } else { "  " };
                let _ = if *right { write!(line, "{gap}{cell:>width$}") } else { write!(line, "{gap}{cell:<width$}") };
            }
            line.trim_end().to_owned()
        };
        let names: Vec<String> = self.columns.iter().map(|column| one_line(&column.name)).collect();
        let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
        let mut lines = vec![line(&names), line(&rule)];
        lines.extend(cells.iter().map(|row| line(row)));
        lines.join("\n")
    }

    fn csv(&self) -> String {
        let field = |text: String| {
            let quoted = text.contains([',', '"', '\n', '\r']);
            if quoted { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
        };
        let header = self.columns.iter().map(|column| field(column.name.clone())).collect::<Vec<_>>().join(",");
        let line = |row: &Vec<Value>| row.iter().map(|value| field(text(value))).collect::<Vec<_>>().join(",");
        std::iter::once(header).chain(self.rows.iter().map(line)).collect::<Vec<_>>().join("\n")
    }

    fn json(&self) -> String {
        let object = |row: &Vec<Value>| -> Map<String, Value> {
            self.columns.iter().map(|column| column.name.clone()).zip(row.iter().cloned()).collect()
        };
        serde_json::to_string_pretty(&self.rows.iter().map(object).collect::<Vec<_>>()).unwrap_or_default()
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Data must neither break a line nor steer the terminal.
fn one_line(text: &str) -> String {
    printable(&text.replace(['\n', '\r', '\t'], " "), &[])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows() -> Rows {
        Rows {
            columns: ["name", "n"].map(|name| Column { name: name.to_owned() }).into(),
            rows: vec![vec![json!("a, \"b\""), json!(7)], vec![json!("c\u{1b}[2J\nd"), json!(null)]],
            truncated: false,
        }
    }

    #[test]
    fn a_table_lines_numbers_up_and_lets_nothing_steer_the_terminal() {
        assert_eq!(
            rows().render(RowFormat::Table),
            "name        n\n───────  ────\na, \"b\"      7\nc\u{fffd}[2J d  NULL"
        );
    }

    #[test]
    fn csv_quotes_what_needs_it_and_json_keeps_types() {
        assert_eq!(rows().render(RowFormat::Csv), "name,n\n\"a, \"\"b\"\"\",7\n\"c\u{1b}[2J\nd\",");
        let back: Value = serde_json::from_str(&rows().render(RowFormat::Json)).unwrap();
        assert_eq!(back, json!([{ "name": "a, \"b\"", "n": 7 }, { "name": "c\u{1b}[2J\nd", "n": null }]));
    }
}
