//! The PySpark script of a visual job: plain Spark, one statement a node, as a person would write it.

use std::fmt::Write;

use super::{Graph, Node, NodeColumn, Operation, identifier};
use crate::kind::format::Compression;
use crate::lake::{Column, Csv, Format, Home, Id, Lake, Table};

/// The longest line; what is longer is broken.
const WIDTH: usize = 120;

/// The script of the job `name`.
#[must_use]
pub fn script(lake: &Lake, name: &str, graph: &Graph) -> String {
    let mut body = String::new();
    for node in &graph.nodes {
        let _ = write!(body, "\n    # {}: {}\n{}", node.name, node.operation.key(), statement(lake, graph, node));
    }
    let tables: Vec<String> =
        graph.reads().iter().chain(&graph.writes()).map(|id| text(&lake.tables[*id].name)).collect();
    let functions =
        if body.contains(" F.") || body.contains("(F.") { "from pyspark.sql import functions as F\n" } else { "" };
    let for_tables = broken("    for table in ", &format!("({})", tables.join(", ")), &tables, ":", ("(", ")"));
    let long = [&body, &for_tables].into_iter().any(|text| text.lines().any(|line| line.chars().count() > WIDTH));
    let lint = if long { "# ruff: noqa: E501\n" } else { "" };
    format!(
        "{lint}\"\"\"Glue job `{name}`, written by lakegen from the nodes in the blueprint: change those.\"\"\"\n\n\
         import argparse\n\n\
         from pyspark.sql import SparkSession\n{functions}\n\n\
         def main() -> None:\n    \
         parser = argparse.ArgumentParser(allow_abbrev=False)\n\
         {for_tables}\n        \
         parser.add_argument(f\"--{{table}}\", required=True)\n    \
         args = vars(parser.parse_known_args()[0])\n    \
         spark = SparkSession.builder.appName({}).getOrCreate()\n\
         {body}\n\n\
         if __name__ == \"__main__\":\n    main()\n",
        text(name),
    )
}

/// A call with a list of arguments, on one line or, where that is too long, on a line for each.
fn broken(before: &str, one_line: &str, items: &[String], after: &str, (open, close): (&str, &str)) -> String {
    let line = format!("{before}{one_line}{after}");
    if line.len() <= WIDTH {
        return line;
    }
    let indent = " ".repeat(before.len() - before.trim_start().len());
    let items: String = items.iter().map(|item| format!("{indent}    {item},\n")).collect();
    format!("{before}{open}\n{items}{indent}{close}{after}")
}

/// `x = y.method(items)`.
fn call(target: &str, method: &str, items: &[String], after: &str) -> String {
    let before = format!("    {target}.{method}");
    broken(&before, &format!("({})", items.join(", ")), items, after, ("(", ")")) + "\n"
}

fn statement(lake: &Lake, graph: &Graph, node: &Node) -> String {
    let name = |index: usize| graph.nodes[index].name.as_str();
    let set = |from: &str| format!("{} = {from}", node.name);
    let texts = |names: &[String]| names.iter().map(|name| text(name)).collect::<Vec<_>>();
    match &node.operation {
        Operation::Source(table) => source(lake, node, *table),
        Operation::Filter { from, condition } => call(&set(name(*from)), "where", &[text(condition)], ""),
        Operation::Join { left, right, on, how } => {
            let on = format!("on=[{}]", texts(on).join(", "));
            call(&set(name(*left)), "join", &[name(*right).to_owned(), on, format!("how={}", text(how.spark().0))], "")
        }
        Operation::Aggregate { from, by, columns } => {
            let group = format!("groupBy({}).agg", texts(by).join(", "));
            let value = |(name, value): &(String, String)| format!("F.expr({}).alias({})", text(value), text(name));
            call(&set(name(*from)), &group, &columns.iter().map(value).collect::<Vec<_>>(), "")
        }
        Operation::Mapping { from, columns } => {
            let column = |(to, from, ty): &(String, String, Option<crate::lake::ColumnType>)| {
                let cast = ty.map(|ty| format!(".cast({})", text(&ty.to_string()))).unwrap_or_default();
                let alias = if from == to && ty.is_none() { String::new() } else { format!(".alias({})", text(to)) };
                format!("F.col({}){cast}{alias}", text(&identifier(from)))
            };
            call(&set(name(*from)), "select", &columns.iter().map(column).collect::<Vec<_>>(), "")
        }
        Operation::Select { from } => {
            let names: Vec<String> = node.columns.iter().map(|column| text(&identifier(&column.name))).collect();
            call(&set(name(*from)), "select", &names, "")
        }
        Operation::Drop { from, columns } => call(&set(name(*from)), "drop", &texts(columns), ""),
        Operation::DropDuplicates { from, by } if by.is_empty() => call(&set(name(*from)), "distinct", &[], ""),
        Operation::DropDuplicates { from, by } => {
            call(&set(name(*from)), "dropDuplicates", &[format!("[{}]", texts(by).join(", "))], "")
        }
        Operation::Set { from, columns } => {
            let value = |(name, value): &(String, String)| format!("{}: F.expr({})", text(name), text(value));
            let items: Vec<String> = columns.iter().map(value).collect();
            let before = format!("    {}.withColumns(", set(name(*from)));
            broken(&before, &format!("{{{}}}", items.join(", ")), &items, ")", ("{", "}")) + "\n"
        }
        Operation::Union { of, distinct } => {
            let (first, rest) = of.split_first().map_or((0, &[][..]), |(first, rest)| (*first, rest));
            let more: String = rest.iter().map(|index| format!(".unionByName({})", name(*index))).collect();
            format!("    {}{more}{}\n", set(name(first)), if *distinct { ".distinct()" } else { "" })
        }
        Operation::Sql { from, query } => {
            let mut lines = String::new();
            for index in from {
                let _ = writeln!(lines, "    {0}.createOrReplaceTempView({1})", name(*index), text(name(*index)));
            }
            let query = query.trim().trim_end_matches(';').trim_end();
            let select = format!("sql({}).select", long_text(query));
            lines + &call(&set("spark"), &select, &casts(&node.columns), "")
        }
        Operation::Target { from, table } => target(lake, name(*from), *table),
    }
}

fn casts(columns: &[NodeColumn]) -> Vec<String> {
    let cast = |NodeColumn { name, ty }: &NodeColumn| {
        format!("F.col({}).cast({}).alias({})", text(&identifier(name)), text(&ty.to_string()), text(name))
    };
    columns.iter().map(cast).collect()
}

fn source(lake: &Lake, node: &Node, table: Id<Table>) -> String {
    let table = &lake.tables[table];
    let schema = table.columns.iter().chain(&table.partitions);
    let schema: Vec<String> = schema.map(|Column { name, ty, .. }| format!("{} {ty}", identifier(name))).collect();
    let schema = text(&schema.join(", "));
    let place = format!("args[{}]", text(&table.name));
    let target = format!("{} = spark.read", node.name);
    match &table.home {
        Home::Zone { format: Format::Csv(Csv { delimiter, quote }), .. } => {
            let quote = quote.map_or_else(
                || "quote=\"\"".to_owned(),
                |quote| format!("quote={0}, escape={0}", text(&quote.to_string())),
            );
            let items = [
                place,
                format!("schema={schema}"),
                "header=True".to_owned(),
                format!("sep={}", text(&delimiter.to_string())),
                quote,
                "mode=\"FAILFAST\"".to_owned(),
            ];
            call(&target, "csv", &items, "")
        }
        Home::Zone { format: Format::Json { ignore_malformed }, .. } if !ignore_malformed => {
            let mode = "mode=\"FAILFAST\"".to_owned();
            call(&target, "json", &[place, format!("schema={schema}"), mode], "")
        }
        Home::Zone { format: Format::Json { .. }, .. } => {
            call(&target, "json", &[place, format!("schema={schema}")], "")
        }
        Home::Zone { format: Format::Orc(_), .. } => {
            let target = if table.partitions.is_empty() { target } else { format!("{target}.schema({schema})") };
            call(&target, "orc", &[place], "")
        }
        Home::Zone { format: Format::Parquet(_) | Format::Avro | Format::Iceberg(_), .. }
        | Home::DynamoDb { .. }
        | Home::View { .. } => {
            let target = if table.partitions.is_empty() { target } else { format!("{target}.schema({schema})") };
            call(&target, "parquet", &[place], "")
        }
    }
}

fn target(lake: &Lake, from: &str, table: Id<Table>) -> String {
    let table = &lake.tables[table];
    let columns: Vec<NodeColumn> = table
        .columns
        .iter()
        .chain(&table.partitions)
        .map(|Column { name, ty, .. }| NodeColumn { name: name.clone(), ty: *ty })
        .collect();
    let partitions: Vec<String> = table.partitions.iter().map(|column| text(&column.name)).collect();
    let partitions =
        if partitions.is_empty() { String::new() } else { format!(".partitionBy({})", partitions.join(", ")) };
    let place = format!("args[{}]", text(&table.name));
    let write = match &table.home {
        Home::Zone { format: Format::Csv(Csv { delimiter, quote }), .. } => {
            let quote =
                quote.map_or_else(String::new, |quote| format!(", quote={0}, escape={0}", text(&quote.to_string())));
            format!("csv({place}, header=True, sep={}{quote})", text(&delimiter.to_string()))
        }
        Home::Zone { format: Format::Json { .. }, .. } => format!("json({place})"),
        Home::Zone { format: Format::Parquet(compression), .. } if *compression != Compression::Snappy => {
            format!("parquet({place}, compression=\"{}\")", compression.name())
        }
        Home::Zone { format: Format::Orc(compression), .. } => {
            format!("orc({place}, compression=\"{}\")", compression.name())
        }
        Home::Zone { format: Format::Parquet(_) | Format::Avro | Format::Iceberg(_), .. }
        | Home::DynamoDb { .. }
        | Home::View { .. } => format!("parquet({place})"),
    };
    call(from, "select", &casts(&columns), &format!(".write.mode(\"overwrite\"){partitions}.{write}"))
}

/// A text as Python writes it.
fn text(value: &str) -> String {
    let mut quoted = String::from("\"");
    for c in value.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\x{:02x}", c as u32);
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A text of several lines, which stay lines.
fn long_text(value: &str) -> String {
    if !value.contains('\n') {
        return text(value);
    }
    let escaped = value.replace('\\', "\\\\").replace("\"\"\"", "\\\"\\\"\\\"");
    let end = if escaped.ends_with('"') { " " } else { "" };
    format!("\"\"\"{escaped}{end}\"\"\"")
}
