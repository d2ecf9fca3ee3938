//! A raw step: any DataBrew operation, with its parameters as DataBrew wants them.

use serde_json::Value as Json;

use super::arg::Columns;
use super::condition;
use super::reader::existing;
use super::step::{ActionParameter, RecipeAction};
use crate::check::Check;
use crate::decode::{Decode, Decoder, Named, Scalar, section};
use crate::diagnostic::Diagnostic;
use crate::kind::table::column_type;
use crate::lake::{Id, Table};
use crate::schema::{Language, Shape};
use crate::source::{Node, Spanned, Value};

section! {
    /// Any DataBrew operation.
    "a raw step"
    pub struct RawSpec {
        /// The operation, as the recipe reference names it.
        /// Example: `SPLIT_COLUMN_SINGLE_DELIMITER`.
        operation: Spanned<String>,
        /// Its parameters; lists and maps become the JSON texts that DataBrew wants.
        /// Example: `{ sourceColumn: name, pattern: ",", limit: 1 }`.
        parameters: Named<Parameter>,
        /// Conditions that become the step's own, by column.
        /// Example: `{ price: { less_than: 0 } }`.
        conditions as "where": Named<Tests>,
        /// The columns that it makes or gives another type, with their types.
        /// Example: `{ name_1: string, name_2: string }`.
        makes: Named<Spanned<String>>,
        /// The columns that it removes.
        /// Example: `[name]`.
        deletes: Vec<Spanned<String>>,
        /// DuckDB's SQL over the table `rows` that does the same in a local run. Without it, only DataBrew can run the recipe.
        /// Default: none.
        /// Example: `select * exclude (name), split_part(name, ',', 1) as name_1, split_part(name, ',', 2) as name_2 from rows`.
        local: Option<Spanned<String>>,
    }
}

/// The value of a parameter, as text.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter(String);

impl Decode for Parameter {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match &node.value {
            Value::List(_) | Value::Map(_) => Some(Self(json(node, decoder)?.to_string())),
            _ => Scalar::decode(node, decoder).map(|scalar| Self(scalar.0)),
        }
    }

    fn shape(_: &mut Language) -> Shape {
        Shape::Something
    }
}

/// A node as JSON, its scalars as they were meant.
fn json(node: &Node, decoder: &mut Decoder) -> Option<Json> {
    Some(match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Float(_) => Scalar::decode(node, decoder)?.0.parse::<f64>().ok()?.into(),
        Value::String(text) => text.clone().into(),
        Value::List(items) => items.iter().map(|item| json(item, decoder)).collect::<Option<_>>()?,
        Value::Map(entries) => {
            let entries = entries.iter().map(|(name, node)| Some((name.value.clone(), json(node, decoder)?)));
            Json::Object(entries.collect::<Option<_>>()?)
        }
    })
}

/// Conditions on one column, read when its type is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Tests(Node);

impl Decode for Tests {
    fn decode(node: &Node, _: &mut Decoder) -> Option<Self> {
        Some(Self(node.clone()))
    }

    fn shape(language: &mut Language) -> Shape {
        condition::shape(language)
    }
}

impl RawSpec {
    pub(super) fn check(
        &self,
        columns: Option<&Columns>,
        table: Option<Id<Table>>,
        cx: &mut Check<'_>,
    ) -> (RecipeAction, Option<Columns>) {
        let Self { operation, parameters, conditions, makes, deletes, local } = self;
        if operation.is_empty() || !operation.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
            cx.error(operation.span, format!("`{}` is not the name of an operation", operation.value))
                .help("DataBrew's operations are written in capitals, like `SPLIT_COLUMN_SINGLE_DELIMITER`");
        }
        let mut tests = Vec::new();
        for (column, node) in &conditions.0 {
            let ty = existing(columns, table, column, cx).flatten();
            if let Some(Tests(node)) = node {
                tests.extend(condition::read(node, column, ty, false, cx));
            }
        }
        let mut after = columns.cloned();
        for column in deletes {
            existing(columns, table, column, cx);
            if let Some(after) = &mut after {
                after.retain(|(name, _)| *name != column.value);
            }
        }
        for (name, written) in &makes.0 {
            let ty = written.as_ref().and_then(|written| column_type(written, cx));
            let Some(after) = &mut after else { continue };
            match after.iter_mut().find(|(column, _)| *column == name.value) {
                Some(column) => column.1 = ty,
                None => after.push((name.value.clone(), ty)),
            }
        }
        if local.is_none() {
            let message = format!("a local run cannot execute `{}`", operation.value);
            cx.push(
                Diagnostic::warning(operation.span, message)
                    .help("say what it does as `local: select … from rows`, in DuckDB's SQL"),
            );
        }
        let parameters = parameters
            .0
            .iter()
            .filter_map(|(name, value)| Some((name.value.clone(), ActionParameter::Text(value.clone()?.0))));
        let action = RecipeAction {
            operation: operation.value.clone(),
            parameters: parameters.collect(),
            others: Vec::new(),
            conditions: condition::conditions(&tests),
            local: local.as_ref().map(|sql| sql.value.clone()),
        };
        (action, after)
    }
}
