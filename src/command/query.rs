//! `lakegen query`

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Context;
use super::local::{cloud_is_not_here, failed, prepare, runtime};
use crate::cli::{Query, RowFormat};
use crate::failure::{Exit, Failure};
use crate::lake::{Home, Lake};
use crate::local::layout::Layout;
use crate::local::plan;
use crate::local::process::Groups;
use crate::local::worker::{Settings, Worker, WorkerError};
use crate::report::Report;

#[derive(Debug, Deserialize)]
struct Answer {
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
    truncated: bool,
}

#[derive(Debug, Deserialize)]
struct Column {
    name: String,
}

pub fn run(args: &Query, context: &Context<'_>) -> Result<(), Failure> {
    let lake = context.lake()?;
    cloud_is_not_here(&args.env, &lake)?;
    let report = Report::new(context.console);
    let answer = runtime()?.block_on(ask(args, &lake, &report))?;
    let format = if context.console.json { RowFormat::Json } else { args.format };
    context.console.result(&match format {
        RowFormat::Table => table(&answer),
        RowFormat::Csv => csv(&answer),
        RowFormat::Json => json(&answer),
    })?;
    if answer.truncated {
        context.console.note(&format!("the first {} rows; `--limit` shows more", answer.rows.len()));
    }
    Ok(())
}

async fn ask(args: &Query, lake: &Lake, report: &Report) -> Result<Answer, Failure> {
    let layout = Layout::new(&lake.root);
    let groups = Groups::default();
    let tables: Vec<Value> = lake
        .tables
        .iter()
        .filter_map(|(id, table)| {
            let dir = plan::place(lake, &layout, id);
            let there = match &table.home {
                Home::View { reads, .. } => reads.iter().all(|id| {
                    matches!(lake.tables[*id].home, Home::View { .. }) || plan::place(lake, &layout, *id).is_dir()
                }),
                Home::Zone { .. } | Home::DynamoDb { .. } => dir.is_dir(),
            };
            if there { plan::table_source(table, &dir) } else { None }
        })
        .collect();
    if tables.is_empty() {
        let help = "`lakegen run --env local` fills it".to_owned();
        return Err(Failure::edge("the local lake holds no tables yet", Some(help)));
    }
    let environment = prepare(report, &groups).await?;
    let scratch = tempfile::tempdir()?;
    let log = scratch.path().join("query.log");
    let settings =
        Settings { environment, scratch: scratch.path().to_owned(), log: log.clone(), variables: Vec::new() };
    let explain = |error: WorkerError| {
        let help = error.help();
        match error {
            WorkerError::Failed(failure) => {
                let missing = lake.tables.iter().filter(|(id, _)| !plan::place(lake, &layout, *id).is_dir());
                let names: Vec<&str> = missing.map(|(_, table)| table.name.as_str()).collect();
                let named = names.iter().any(|name| failure.message.contains(name));
                let help = named.then(|| "the table is empty as yet: `lakegen run --env local` fills it".to_owned());
                Failure { exit: Exit::Edge, error: Some(failure.message.clone().into()), help }
            }
            other => failed(other, help),
        }
    };
    let mut worker = Worker::start(&groups, &settings).map_err(explain)?;
    let mut request = Map::new();
    request.insert("sql".into(), json!(args.sql));
    request.insert("tables".into(), json!(tables));
    request.insert("limit".into(), json!(args.limit));
    let statements = lake.statements.values().map(|statement| (statement.name.clone(), json!(statement.sql)));
    request.insert("statements".into(), Value::Object(statements.collect()));
    let result = worker.call("select", &log, request, &|_| {}).await.map_err(explain)?;
    worker.stop().await;
    serde_json::from_value(result).map_err(|error| Failure::edge(error, None))
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn table(answer: &Answer) -> String {
    let printable = |text: String| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    let cells: Vec<Vec<String>> = answer
        .rows
        .iter()
        .map(|row| {
            row.iter().map(|value| if value.is_null() { "NULL".into() } else { printable(text(value)) }).collect()
        })
        .collect();
    let widths: Vec<usize> = answer
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
        let mut values = answer.rows.iter().filter_map(|row| row.get(at)).filter(|value| !value.is_null()).peekable();
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
    let names: Vec<String> = answer.columns.iter().map(|column| column.name.clone()).collect();
    let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
    let mut lines = vec![line(&names), line(&rule)];
    lines.extend(cells.iter().map(|row| line(row)));
    lines.join("\n")
}

fn csv(answer: &Answer) -> String {
    let field = |text: String| {
        let quoted = text.contains([',', '"', '\n', '\r']);
        if quoted { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
    };
    let mut lines = vec![answer.columns.iter().map(|column| field(column.name.clone())).collect::<Vec<_>>().join(",")];
    lines
        .extend(answer.rows.iter().map(|row| row.iter().map(|value| field(text(value))).collect::<Vec<_>>().join(",")));
    lines.join("\n")
}

fn json(answer: &Answer) -> String {
    let rows: Vec<Map<String, Value>> = answer
        .rows
        .iter()
        .map(|row| answer.columns.iter().map(|column| column.name.clone()).zip(row.iter().cloned()).collect())
        .collect();
    serde_json::to_string_pretty(&rows).unwrap_or_default()
}
