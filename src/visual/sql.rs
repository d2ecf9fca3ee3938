//! The SQL of nodes, in Spark's dialect.

use super::{Graph, Node, Operation};
use crate::lake::ColumnType;

/// A name as SQL takes it: bare where that is possible.
#[must_use]
pub fn identifier(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && name.chars().next().is_some_and(|c| c.is_ascii_lowercase() || c == '_');
    if plain && !RESERVED.contains(&name) { name.to_owned() } else { format!("`{}`", name.replace('`', "``")) }
}

/// Words that Spark's SQL does not take for names in every place. Source: "SQL Reserved Keywords" of the Spark SQL guide, the
/// keywords that are reserved in ANSI mode and could be columns.
const RESERVED: [&str; 40] = [
    "all",
    "and",
    "anti",
    "any",
    "as",
    "case",
    "cast",
    "check",
    "column",
    "constraint",
    "create",
    "cross",
    "distinct",
    "else",
    "end",
    "false",
    "fetch",
    "for",
    "foreign",
    "from",
    "full",
    "grant",
    "group",
    "in",
    "join",
    "leading",
    "natural",
    "not",
    "null",
    "offset",
    "only",
    "or",
    "order",
    "primary",
    "references",
    "select",
    "table",
    "true",
    "user",
    "where",
];

/// A text as SQL writes it.
#[must_use]
pub(super) fn text(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A value of a type as SQL writes it; an error says what such values look like.
pub(super) fn literal(value: &str, ty: ColumnType) -> Result<String, &'static str> {
    match ty {
        ColumnType::String => Ok(text(value)),
        ColumnType::Boolean => match value {
            "true" | "false" => Ok(value.to_owned()),
            _ => Err("`true` or `false`"),
        },
        ColumnType::Date if date(value) => Ok(format!("date '{value}'")),
        ColumnType::Date => Err("a day like `2024-02-29`"),
        ColumnType::Timestamp => {
            let (day, time) = value.split_once([' ', 'T']).unwrap_or((value, "00:00:00"));
            let clock = time.len() >= 5 && time.chars().all(|c| c.is_ascii_digit() || matches!(c, ':' | '.'));
            if date(day) && clock {
                Ok(format!("timestamp '{day} {time}'"))
            } else {
                Err("a moment like `2024-02-29 12:00:00`")
            }
        }
        ColumnType::Binary => Err("no constant"),
        ColumnType::Nested(_) => Err("no constant: let a node with `sql` take out of it what you look for"),
        _ => {
            let number = value.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E'));
            if number && value.parse::<f64>().is_ok() { Ok(value.to_owned()) } else { Err("a number") }
        }
    }
}

fn date(value: &str) -> bool {
    let parts: Vec<&str> = value.split('-').collect();
    matches!(parts.as_slice(), [year, month, day] if year.len() == 4 && month.len() == 2 && day.len() == 2)
        && value.chars().all(|c| c.is_ascii_digit() || c == '-')
}

/// The `select` that does what a node does over its inputs, named as they are; `None` for sources and targets.
#[must_use]
pub fn select(graph: &Graph, node: &Node) -> Option<String> {
    let name = |index: usize| identifier(&graph.nodes[index].name);
    let list = |names: &[String]| names.iter().map(|name| identifier(name)).collect::<Vec<_>>().join(", ");
    let own = || node.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
    Some(match &node.operation {
        Operation::Source(_) | Operation::Target { .. } => return None,
        Operation::Filter { from, condition } => format!("select * from {} where {condition}", name(*from)),
        Operation::Join { left, right, on, how } => {
            format!(
                "select {} from {} {} {} using ({})",
                list(&own()),
                name(*left),
                how.spark().1,
                name(*right),
                list(on)
            )
        }
        Operation::Aggregate { from, by, columns } => {
            let groups = if by.is_empty() { String::new() } else { format!(" group by {}", list(by)) };
            let values = columns.iter().map(|(name, value)| format!("{value} as {}", identifier(name)));
            let all: Vec<String> = by.iter().map(|name| identifier(name)).chain(values).collect();
            format!("select {} from {}{groups}", all.join(", "), name(*from))
        }
        Operation::Mapping { from, columns } => {
            let column = |(to, from, ty): &(String, String, Option<ColumnType>)| {
                let (to, from) = (identifier(to), identifier(from));
                match ty {
                    Some(ty) => format!("cast({from} as {ty}) as {to}"),
                    None if from == to => from,
                    None => format!("{from} as {to}"),
                }
            };
            format!("select {} from {}", columns.iter().map(column).collect::<Vec<_>>().join(", "), name(*from))
        }
        Operation::Select { from } | Operation::Drop { from, .. } => {
            format!("select {} from {}", list(&own()), name(*from))
        }
        Operation::DropDuplicates { from, by } if by.is_empty() => format!("select distinct * from {}", name(*from)),
        Operation::DropDuplicates { from, by } => {
            let first = |column: &String| {
                let column = identifier(column);
                format!("first({column}) as {column}")
            };
            let rest: Vec<String> = own().iter().filter(|column| !by.contains(column)).map(first).collect();
            let all = [vec![list(by)], rest].concat().join(", ");
            format!("select {} from (select {all} from {} group by {})", list(&own()), name(*from), list(by))
        }
        Operation::Set { from, columns } => {
            let value = |column: &String| match columns.iter().find(|(name, _)| name == column) {
                Some((name, value)) => format!("{value} as {}", identifier(name)),
                None => identifier(column),
            };
            format!("select {} from {}", own().iter().map(value).collect::<Vec<_>>().join(", "), name(*from))
        }
        Operation::Union { of, distinct } => {
            let between = if *distinct { " union " } else { " union all " };
            let part = |index: &usize| format!("select {} from {}", list(&own()), name(*index));
            of.iter().map(part).collect::<Vec<_>>().join(between)
        }
        Operation::Sql { from: _, query } => query.trim().trim_end_matches(';').trim_end().to_owned(),
    })
}
