//! One step of a recipe: a readable one by its row of the table, or a raw one.

use std::collections::BTreeMap;

use super::action::{Action, Does, Need, SORT_OF_COLUMN};
use super::actions;
use super::arg::{Arg, Columns, sort_of};
use super::condition::{self, Condition};
use super::raw::RawSpec;
use super::reader::Reader;
use super::sql;
use crate::check::Check;
use crate::decode::{Decode, Decoder, Fields};
use crate::diagnostic::{Diagnostic, did_you_mean, listed};
use crate::lake::{Id, Table};
use crate::schema::{Form, Key, Language, Shape};
use crate::source::{Node, Span, Spanned, Value};

/// One step in DataBrew's own form, and in SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipeAction {
    /// Like `RENAME`.
    pub operation: String,
    /// What it is told.
    pub parameters: BTreeMap<String, ActionParameter>,
    /// The tables beside the recipe's own that it reads.
    pub others: Vec<Id<Table>>,
    /// All must hold for a row to be touched.
    pub conditions: Vec<Condition>,
    /// What a local run executes over the table `rows`; none when only DataBrew can run the step.
    pub local: Option<String>,
}

/// The value of a parameter. To DataBrew every value is text; what depends on the environment becomes one when it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionParameter {
    /// Text; lists and maps are JSON.
    Text(String),
    /// The dataset of a table.
    Dataset(Id<Table>),
    /// The datasets of tables, as a JSON list.
    Datasets(Vec<Id<Table>>),
    /// Where the files of a table are: `s3://…`.
    Location(Id<Table>),
    /// Where the files of tables are, as a JSON list of `{ S3InputDefinition: { Bucket, Key } }`.
    Inputs(Vec<Id<Table>>),
}

impl From<String> for ActionParameter {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// A step as written. The keys of a readable one depend on its name, so they are read when it is checked.
#[derive(Debug, Clone, PartialEq)]
pub enum StepSpec {
    /// `rename: { column: a, to: b }`.
    Readable(ReadableSpec),
    /// `raw: { operation: … }`.
    Raw(Box<RawSpec>),
}

/// A readable step: its row of the table, and its keys.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadableSpec {
    action: &'static Action,
    span: Span,
    fields: Node,
}

/// The steps that become an operation of DataBrew, when that was written.
fn of_operation(name: &str) -> Option<String> {
    let steps: Vec<&str> = actions::all().filter(|action| action.operation == name).map(|action| action.name).collect();
    (!steps.is_empty()).then(|| format!("here it is written {}, as docs/recipe-steps.md explains", listed(&steps)))
}

impl Decode for StepSpec {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let (name, fields) = match &node.value {
            Value::Map(entries) if entries.len() == 1 => (&entries[0].0, entries[0].1.clone()),
            Value::String(name) => {
                let empty = Node { value: Value::Map(Vec::new()), span: node.span };
                (&Spanned::new(name.clone(), node.span), empty)
            }
            Value::Map(entries) => {
                let message = format!("a step of a recipe is a map with exactly one key, found {}", entries.len());
                decoder
                    .push(Diagnostic::error(node.span, message).help("write it like `rename: { column: a, to: b }`"));
                return None;
            }
            _ => return decoder.expected("a step like `rename: { column: a, to: b }`", node),
        };
        if name.value == "raw" {
            return RawSpec::decode(&fields, decoder).map(|raw| Self::Raw(Box::new(raw)));
        }
        let Some(action) = actions::all().find(|action| action.name == name.value) else {
            let help = of_operation(name)
                .or_else(|| did_you_mean(&name.to_lowercase(), actions::all().map(|action| action.name)))
                .unwrap_or_else(|| {
                    "docs/recipe-steps.md lists the steps; `raw: { operation: …, parameters: { … } }` takes any other"
                        .into()
                });
            decoder.push(Diagnostic::error(name.span, format!("no recipe step named `{}`", name.value)).help(help));
            return None;
        };
        let keys: Vec<&'static str> = action.keys.iter().map(|key| key.name).collect();
        let before = decoder.diagnostics.len();
        let opened = Fields::open_named(name.span, &fields, action.name, &keys, decoder)?;
        for key in action.keys.iter().filter(|key| matches!(key.need, Need::Required)) {
            opened.require(key.name, decoder);
        }
        let whole = decoder.diagnostics.len() == before;
        whole.then_some(Self::Readable(ReadableSpec { action, span: name.span, fields }))
    }

    fn shape(language: &mut Language) -> Shape {
        let from = language.definitions.len();
        let shape = language.define::<Self>("a step", &["One step of a recipe."], Form::Alternatives, |language| {
            let example = "Example: `{ operation: REMOVE_COMBINED, parameters: { sourceColumn: name, collapseConsecutiveWhitespace: true } }`.";
            let raw = Key::of::<RawSpec>("raw", &["Any operation of DataBrew.", example], language);
            actions::all().map(|action| action.alternative(language)).chain([raw]).collect()
        });
        language.documented_on("recipe-steps.md", from);
        shape
    }
}

impl StepSpec {
    /// The step in DataBrew's form. What it does to the columns is done to `columns`, which become unknown when a step that
    /// does more to them than make one has a mistake. `table` is the one that the recipe reads.
    pub(super) fn check(
        &self,
        columns: &mut Option<Columns>,
        table: Option<Id<Table>>,
        cx: &mut Check<'_>,
    ) -> RecipeAction {
        let before = cx.errors();
        let (action, after) = match self {
            Self::Readable(step) => step.check(columns.as_ref(), table, cx),
            Self::Raw(step) => step.check(columns.as_ref(), table, cx),
        };
        let more = |does: &Does| matches!(does, Does::Columns(_) | Does::Combine(..));
        let unclear = matches!(self, Self::Readable(step) if more(&step.action.does));
        *columns = if unclear && cx.errors() > before { None } else { after };
        action
    }
}

impl ReadableSpec {
    fn get(&self, key: &str) -> Option<&Node> {
        match &self.fields.value {
            Value::Map(entries) => entries.iter().find(|(name, _)| name.value == key).map(|(_, node)| node),
            _ => None,
        }
    }

    fn check(
        &self,
        columns: Option<&Columns>,
        table: Option<Id<Table>>,
        cx: &mut Check<'_>,
    ) -> (RecipeAction, Option<Columns>) {
        let Self { action, span, fields: _ } = self;
        let errors = cx.errors();
        let mut reader = Reader { columns, table, action, span: *span, column: None, made: Vec::new(), other: None };
        let mut args: Vec<(_, Arg)> = Vec::new();
        for key in action.keys {
            match (self.get(key.name), key.need) {
                (Some(node), _) => args.extend(reader.read(key, node, cx).map(|arg| (key, arg))),
                (None, Need::Default(written)) => args.push((key, Reader::default(key, written))),
                (None, Need::Required | Need::Optional(_)) => {}
            }
        }
        reader.together(&args, cx);
        let sort = sort_of(reader.column.as_ref().and_then(|(_, ty)| *ty));
        let fixed = action
            .fixed
            .iter()
            .map(|(name, value)| (*name, if *value == SORT_OF_COLUMN { sort } else { value }.to_owned()))
            .map(|(name, value)| (name.to_owned(), value.into()));
        let mut parameters: BTreeMap<String, ActionParameter> = fixed.collect();
        let mut conditions = Vec::new();
        let mut others = Vec::new();
        for (key, arg) in &args {
            parameters.extend(arg.parameters(key));
            match arg {
                Arg::Tests(tests, false) => conditions = condition::conditions(tests),
                Arg::Table(other) => others.push(other.id),
                Arg::Tables(tables) => others.extend(tables.iter().map(|other| other.id)),
                _ => {}
            }
        }
        let step = columns.map(|columns| sql::Step { action, args: &args, columns });
        if let (Some(step), Does::Combine(_, more)) = (&step, &action.does) {
            parameters.extend(more(step).into_iter().map(|(name, value)| (name.to_owned(), value)));
        }
        let outcome = step.map(|step| step.outcome());
        if let Some(outcome) = outcome.as_ref().filter(|_| cx.errors() == errors) {
            let names = || outcome.columns.iter().map(|(name, _)| name);
            for (_, name) in names().enumerate().filter(|(at, name)| names().take(*at).any(|other| other == *name)) {
                cx.error(*span, format!("`{}` makes a column `{name}`, which is there already", action.name))
                    .help("rename or delete that column first");
            }
        }
        let (after, local) = outcome.map_or((None, None), |outcome| (Some(outcome.columns), Some(outcome.sql)));
        (RecipeAction { operation: action.operation.to_owned(), parameters, others, conditions, local }, after)
    }
}
