//! A recipe: DataBrew steps from one table to another.
//!
//! [`SHAPES`] holds one entry for each readable step: the DataBrew operation that it stands for, its keys, and what it does
//! to the columns. Source of operations and parameters: the recipe action reference of the DataBrew developer guide.

use std::collections::BTreeMap;

use crate::check::Check;
use crate::decode::{Attempt, Decode, Decoder, Fields, Scalar, section};
use crate::diagnostic::{Diagnostic, did_you_mean, listed};
use crate::kind::table::column_type;
use crate::lake::{ColumnType, Id, Table};
use crate::source::{Node, Spanned, Value};

section! {
    /// A DataBrew recipe.
    "a recipe"
    pub struct RecipeSpec {
        /// The table that it reads.
        reads: Spanned<String>,
        /// The table that it writes.
        writes: Spanned<String>,
        /// What happens to the rows, in order.
        steps: Vec<Attempt<StepSpec>>,
    }
}

/// A step as written: `rename: { column: a, to: b }`. Its keys depend on its name, so they are read when it is checked.
#[derive(Debug, Clone, PartialEq)]
pub struct StepSpec {
    shape: &'static Shape,
    fields: Node,
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
        let names = || SHAPES.iter().map(|shape| shape.name);
        let Some(shape) = SHAPES.iter().find(|shape| shape.name == name.value) else {
            let help = did_you_mean(name, names())
                .unwrap_or_else(|| format!("the steps are {}", listed(&names().collect::<Vec<_>>())));
            decoder.push(Diagnostic::error(name.span, format!("no recipe step named `{}`", name.value)).help(help));
            return None;
        };
        let keys: Vec<&'static str> = shape.keys.iter().map(|key| key.name).collect();
        let before = decoder.diagnostics.len();
        let opened = Fields::open_named(name.span, &fields, shape.name, &keys, decoder)?;
        for key in shape.keys.iter().filter(|key| key.required) {
            opened.require(key.name, decoder);
        }
        (decoder.diagnostics.len() == before).then_some(Self { shape, fields })
    }
}

/// A DataBrew recipe.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// The name.
    pub name: String,
    /// What it reads.
    pub reads: Id<Table>,
    /// What it writes.
    pub writes: Id<Table>,
    /// What happens to the rows, in order.
    pub steps: Vec<RecipeAction>,
}

/// One step in DataBrew's own form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipeAction {
    /// Like `RENAME`.
    pub operation: String,
    /// Every value is text; lists and maps are JSON.
    pub parameters: BTreeMap<String, String>,
    /// All must hold for a row to be touched.
    pub conditions: Vec<Condition>,
}

/// Which rows a step touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Like `LESS_THAN`.
    pub condition: String,
    /// The column that is looked at.
    pub column: String,
    /// What it is compared with.
    pub value: Option<String>,
}

/// One readable step.
#[derive(Debug, PartialEq)]
struct Shape {
    name: &'static str,
    operation: &'static str,
    keys: &'static [Key],
    fixed: &'static [(&'static str, &'static str)],
    effect: Effect,
}

/// One key of a readable step.
#[derive(Debug, PartialEq)]
struct Key {
    name: &'static str,
    parameter: &'static str,
    holds: Holds,
    required: bool,
}

/// What a key holds.
#[derive(Debug, PartialEq, Clone, Copy)]
enum Holds {
    /// A column that exists.
    Column,
    /// Columns that exist, as a JSON list.
    Columns,
    /// A column that is made.
    NewColumn,
    /// Text or a number.
    Text,
    /// A column type by Glue's name.
    Type,
    /// Conditions on `column`.
    Where,
    /// `[{ column, function, to, type }]`.
    Aggregates,
    /// `[{ column, order }]`.
    Order,
}

/// What a step does to the columns.
#[derive(Debug, PartialEq, Clone, Copy)]
enum Effect {
    /// Nothing: only values or rows change.
    None,
    /// `column` is now called `to`.
    Rename,
    /// `column` is gone.
    Delete,
    /// `to` is a copy of `column`.
    Duplicate,
    /// `column` has the type of `to`.
    Retype,
    /// `to` is new, of this type when it is known.
    Make(Option<ColumnType>),
    /// Only the `by` columns and the aggregates remain.
    Group,
}

const fn key(name: &'static str, parameter: &'static str, holds: Holds) -> Key {
    Key { name, parameter, holds, required: true }
}

const fn optional(name: &'static str, parameter: &'static str, holds: Holds) -> Key {
    Key { name, parameter, holds, required: false }
}

const COLUMN: Key = key("column", "sourceColumn", Holds::Column);
const TO: Key = key("to", "targetColumn", Holds::NewColumn);

const fn in_place(name: &'static str, operation: &'static str) -> Shape {
    Shape { name, operation, keys: &[COLUMN], fixed: &[], effect: Effect::None }
}

const fn arithmetic(name: &'static str, operation: &'static str) -> Shape {
    const KEYS: &[Key] =
        &[key("left", "sourceColumn1", Holds::Column), key("right", "sourceColumn2", Holds::Column), TO];
    Shape { name, operation, keys: KEYS, fixed: &[], effect: Effect::Make(None) }
}

static SHAPES: [Shape; 28] = [
    Shape { name: "rename", operation: "RENAME", keys: &[COLUMN, TO], fixed: &[], effect: Effect::Rename },
    Shape { name: "delete", operation: "DELETE", keys: &[COLUMN], fixed: &[], effect: Effect::Delete },
    Shape { name: "duplicate", operation: "DUPLICATE", keys: &[COLUMN, TO], fixed: &[], effect: Effect::Duplicate },
    Shape {
        name: "change_type",
        operation: "CHANGE_DATA_TYPE",
        keys: &[COLUMN, key("to", "columnDataType", Holds::Type)],
        fixed: &[],
        effect: Effect::Retype,
    },
    in_place("upper_case", "UPPER_CASE"),
    in_place("lower_case", "LOWER_CASE"),
    in_place("capital_case", "CAPITAL_CASE"),
    in_place("sentence_case", "SENTENCE_CASE"),
    Shape {
        name: "trim",
        operation: "REMOVE_COMBINED",
        keys: &[COLUMN],
        fixed: &[("collapseConsecutiveWhitespace", "true"), ("removeLeadingAndTrailingWhitespace", "true")],
        effect: Effect::None,
    },
    Shape {
        name: "replace_text",
        operation: "REPLACE_TEXT",
        keys: &[COLUMN, key("pattern", "pattern", Holds::Text), key("with", "value", Holds::Text)],
        fixed: &[],
        effect: Effect::None,
    },
    Shape {
        name: "fill_missing",
        operation: "FILL_WITH_CUSTOM",
        keys: &[COLUMN, key("with", "value", Holds::Text)],
        fixed: &[],
        effect: Effect::None,
    },
    in_place("fill_with_average", "FILL_WITH_AVERAGE"),
    in_place("fill_with_median", "FILL_WITH_MEDIAN"),
    Shape {
        name: "fill_with_mode",
        operation: "FILL_WITH_MODE",
        keys: &[COLUMN],
        fixed: &[("modeType", "MINIMUM")],
        effect: Effect::None,
    },
    in_place("remove_missing", "REMOVE_MISSING"),
    Shape {
        name: "remove_values",
        operation: "REMOVE_VALUES",
        keys: &[COLUMN, key("where", "", Holds::Where)],
        fixed: &[],
        effect: Effect::None,
    },
    in_place("remove_duplicates", "REMOVE_DUPLICATES"),
    Shape {
        name: "delete_duplicate_rows",
        operation: "DELETE_DUPLICATE_ROWS",
        keys: &[],
        fixed: &[],
        effect: Effect::None,
    },
    Shape { name: "round", operation: "ROUND", keys: &[COLUMN, TO], fixed: &[], effect: Effect::Make(None) },
    arithmetic("add", "ADD"),
    arithmetic("subtract", "SUBTRACT"),
    arithmetic("multiply", "MULTIPLY"),
    arithmetic("divide", "DIVIDE"),
    Shape {
        name: "merge",
        operation: "MERGE",
        keys: &[key("columns", "sourceColumns", Holds::Columns), optional("delimiter", "delimiter", Holds::Text), TO],
        fixed: &[],
        effect: Effect::Make(Some(ColumnType::String)),
    },
    Shape {
        name: "group_by",
        operation: "GROUP_BY",
        keys: &[
            key("by", "sourceColumns", Holds::Columns),
            key("aggregate", "groupByAggFunctionOptions", Holds::Aggregates),
        ],
        fixed: &[("useNewDataFrame", "true")],
        effect: Effect::Group,
    },
    Shape {
        name: "sort",
        operation: "SORT",
        keys: &[key("by", "expressions", Holds::Order)],
        fixed: &[],
        effect: Effect::None,
    },
    in_place("flag_duplicates", "FLAG_DUPLICATES_IN_COLUMN"),
    in_place("remove_invalid", "REMOVE_INVALID"),
];

/// The conditions of `where`, and whether they take a value. Source: "Recipe structure" of the DataBrew developer guide.
const CONDITIONS: [(&str, &str, bool); 14] = [
    ("is", "IS", true),
    ("is_not", "IS_NOT", true),
    ("contains", "CONTAINS", true),
    ("not_contains", "NOT_CONTAINS", true),
    ("starts_with", "STARTS_WITH", true),
    ("not_starts_with", "NOT_STARTS_WITH", true),
    ("ends_with", "ENDS_WITH", true),
    ("not_ends_with", "NOT_ENDS_WITH", true),
    ("less_than", "LESS_THAN", true),
    ("less_than_equal", "LESS_THAN_EQUAL", true),
    ("greater_than", "GREATER_THAN", true),
    ("greater_than_equal", "GREATER_THAN_EQUAL", true),
    ("is_missing", "IS_MISSING", false),
    ("is_invalid", "IS_INVALID", false),
];

const FUNCTIONS: [&str; 8] = ["count", "count_distinct", "sum", "average", "min", "max", "median", "mode"];

section! {
    /// One aggregate of `group_by`.
    "an aggregate"
    struct AggregateSpec {
        /// The column.
        column: Spanned<String>,
        /// What is computed of it.
        function: Spanned<String>,
        /// The new column.
        to: Spanned<String>,
        /// Its type.
        ty as "type": Option<Spanned<String>>,
    }
}

section! {
    /// One key of `sort`.
    "a sort key"
    struct OrderSpec {
        /// The column.
        column: Spanned<String>,
        /// `ascending` or `descending`.
        order: Option<Spanned<String>>,
    }
}

/// The columns between two steps; a type is `None` when it cannot be known before the data is seen.
type Columns = Vec<(String, Option<ColumnType>)>;

impl RecipeSpec {
    pub(crate) fn check(&self, name: &Spanned<String>, cx: &mut Check<'_>) -> Option<Recipe> {
        let (reads, writes) = (cx.table(&self.reads), cx.table(&self.writes));
        for (written, id) in [(&self.reads, reads), (&self.writes, writes)] {
            if let Some(id) = id {
                cx.refuse_dynamodb(written, id, "a recipe");
            }
        }
        if self.steps.len() > 100 {
            cx.error(name.span, "a DataBrew recipe has at most 100 steps").help("split it into two recipes");
        }
        let columns_of = |cx: &Check<'_>, id: Option<Id<Table>>| -> Option<Columns> {
            let table = cx.tables.get(id?.index())?.as_ref()?;
            Some(table.columns.iter().chain(&table.partitions).map(|c| (c.name.clone(), Some(c.ty))).collect())
        };
        let mut columns = columns_of(cx, reads);
        let mut actions = Vec::new();
        for Attempt(step) in &self.steps {
            match step {
                Some(step) => actions.push(step.check(&mut columns, cx)),
                // What it does to the columns cannot be known.
                None => columns = None,
            }
        }
        if let (Some(columns), Some(declared)) = (columns, columns_of(cx, writes)) {
            self.compare(&columns, &declared, cx);
        }
        Some(Recipe { name: name.value.clone(), reads: reads?, writes: writes?, steps: actions })
    }

    /// The columns after the last step against those that the written table declares.
    fn compare(&self, columns: &Columns, declared: &Columns, cx: &mut Check<'_>) {
        let target = &self.writes.value;
        for (name, ty) in declared {
            match columns.iter().find(|(column, _)| column == name) {
                None => {
                    let help = did_you_mean(name, columns.iter().map(|(column, _)| column.as_str()));
                    let message = format!("the recipe makes no column `{name}`, which `{target}` declares");
                    cx.push(Diagnostic::error(self.writes.span, message).maybe_help(help));
                }
                Some((_, Some(made))) if Some(*made) != *ty => {
                    let wanted = ty.map_or_else(String::new, |ty| ty.to_string());
                    cx.error(
                        self.writes.span,
                        format!("`{name}` is `{made}` here, but `{target}` declares `{wanted}`"),
                    )
                    .help(format!("add `change_type: {{ column: {name}, to: {wanted} }}`, or declare `{made}`"));
                }
                Some(_) => {}
            }
        }
        for (name, _) in columns {
            if !declared.iter().any(|(column, _)| column == name) {
                cx.error(
                    self.writes.span,
                    format!("the recipe leaves a column `{name}`, which `{target}` does not declare"),
                )
                .help(format!("declare it, or add `delete: {{ column: {name} }}`"));
            }
        }
    }
}

impl StepSpec {
    fn get(&self, key: &str) -> Option<&Node> {
        match &self.fields.value {
            Value::Map(entries) => entries.iter().find(|(name, _)| name.value == key).map(|(_, node)| node),
            _ => None,
        }
    }

    /// Lowers the step to DataBrew's form and applies its effect to the columns, when they are known.
    fn check(&self, columns: &mut Option<Columns>, cx: &mut Check<'_>) -> RecipeAction {
        let before = cx.errors();
        let mut action = RecipeAction {
            operation: self.shape.operation.to_owned(),
            parameters: self.shape.fixed.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            conditions: Vec::new(),
        };
        let known = columns.clone();
        let mut reader =
            Reader { columns: known.as_ref(), step: self, action: &mut action, made: Vec::new(), ty: None };
        for key in self.shape.keys {
            if let Some(node) = self.get(key.name) {
                reader.read(key, node, cx);
            }
        }
        let (made, ty) = (std::mem::take(&mut reader.made), reader.ty);
        if self.shape.operation == "FILL_WITH_CUSTOM" {
            self.fill_type(known.as_ref(), &mut action, cx);
        }
        if cx.errors() > before && self.shape.effect != Effect::None {
            // What a wrong step would leave cannot be known.
            *columns = None;
        }
        if let Some(columns) = columns {
            self.apply(columns, made, ty);
        }
        action
    }

    fn text(&self, key: &str) -> Option<&str> {
        match &self.get(key)?.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// `FILL_WITH_CUSTOM` wants to be told what sort of value it fills in.
    fn fill_type(&self, columns: Option<&Columns>, action: &mut RecipeAction, cx: &mut Check<'_>) {
        let column = self.text("column").unwrap_or_default();
        let ty = columns.and_then(|columns| columns.iter().find(|(name, _)| name == column)).and_then(|(_, ty)| *ty);
        let (sort, fits): (&str, fn(&str) -> bool) = match ty {
            Some(ColumnType::Boolean) => ("boolean", |text| matches!(text, "true" | "false")),
            Some(ColumnType::Date) => ("date", |_| true),
            Some(ColumnType::Timestamp) => ("timestamp", |_| true),
            Some(ColumnType::String | ColumnType::Binary) | None => ("string", |_| true),
            Some(_) => ("number", |text| text.parse::<f64>().is_ok()),
        };
        action.parameters.insert("columnDataType".into(), sort.into());
        if let (Some(value), Some(node), Some(ty)) = (action.parameters.get("value"), self.get("with"), ty)
            && !fits(value)
        {
            cx.error(node.span, format!("`{value}` does not fit `{column}`, which is `{ty}`"));
        }
    }

    fn apply(&self, columns: &mut Columns, made: Columns, ty: Option<ColumnType>) {
        let column = self.text("column").unwrap_or_default().to_owned();
        let position = columns.iter().position(|(name, _)| *name == column);
        match (self.shape.effect, position) {
            (Effect::None, _) => {}
            (Effect::Rename, Some(at)) => {
                if let Some((to, _)) = made.into_iter().next() {
                    columns[at].0 = to;
                }
            }
            (Effect::Delete, Some(at)) => {
                columns.remove(at);
            }
            (Effect::Duplicate, Some(at)) => {
                let ty = columns[at].1;
                columns.extend(made.into_iter().map(|(name, _)| (name, ty)));
            }
            (Effect::Retype, Some(at)) => columns[at].1 = ty,
            (Effect::Rename | Effect::Delete | Effect::Duplicate | Effect::Retype, None) => {}
            (Effect::Make(ty), _) => columns.extend(made.into_iter().map(|(name, _)| (name, ty))),
            (Effect::Group, _) => {
                let by = match self.get("by").map(|node| &node.value) {
                    Some(Value::List(items)) => items
                        .iter()
                        .filter_map(
                            |item| if let Value::String(name) = &item.value { Some(name.clone()) } else { None },
                        )
                        .collect(),
                    Some(Value::String(name)) => vec![name.clone()],
                    _ => Vec::new(),
                };
                columns.retain(|(name, _)| by.contains(name));
                columns.extend(made);
            }
        }
    }
}

/// Reads the keys of one step.
struct Reader<'a> {
    columns: Option<&'a Columns>,
    step: &'a StepSpec,
    action: &'a mut RecipeAction,
    made: Columns,
    ty: Option<ColumnType>,
}

impl Reader<'_> {
    fn read(&mut self, key: &Key, node: &Node, cx: &mut Check<'_>) {
        let value = match key.holds {
            Holds::Column => cx.decode::<Spanned<String>>(node).map(|name| {
                self.existing(&name, cx);
                name.value
            }),
            Holds::Columns => cx.decode::<Vec<Spanned<String>>>(node).map(|names| {
                names.iter().for_each(|name| self.existing(name, cx));
                if names.is_empty() {
                    cx.error(node.span, format!("`{}` names no column", key.name));
                }
                json(&names.iter().map(|name| name.value.as_str()).collect::<Vec<_>>())
            }),
            Holds::NewColumn => cx.decode::<Spanned<String>>(node).map(|name| {
                self.fresh(&name, None, cx);
                name.value
            }),
            Holds::Text => cx.decode::<Scalar>(node).map(|text| text.0),
            Holds::Type => cx.decode::<Spanned<String>>(node).map(|written| {
                self.ty = column_type(&written, cx);
                self.ty.map_or(written.value, databrew_type)
            }),
            Holds::Where => {
                self.conditions(node, cx);
                None
            }
            Holds::Aggregates => {
                cx.decode::<Vec<AggregateSpec>>(node).map(|aggregates| self.aggregates(&aggregates, cx))
            }
            Holds::Order => cx.decode::<Vec<OrderSpec>>(node).map(|keys| self.order(&keys, cx)),
        };
        if let Some(value) = value {
            self.action.parameters.insert(key.parameter.to_owned(), value);
        }
    }

    fn existing(&self, name: &Spanned<String>, cx: &mut Check<'_>) {
        let Some(columns) = self.columns else { return };
        if !columns.iter().any(|(column, _)| *column == name.value) {
            let help = did_you_mean(name, columns.iter().map(|(column, _)| column.as_str())).unwrap_or_else(|| {
                format!(
                    "at this step there are {}",
                    listed(&columns.iter().map(|(c, _)| c.as_str()).collect::<Vec<_>>())
                )
            });
            cx.error(name.span, format!("no column named `{}` at this step", name.value)).help(help);
        }
    }

    fn fresh(&mut self, name: &Spanned<String>, ty: Option<ColumnType>, cx: &mut Check<'_>) {
        if cx.name(name, "a column").is_none() {
            return;
        }
        let kept = self.step.shape.effect != Effect::Group;
        if kept && self.columns.is_some_and(|columns| columns.iter().any(|(column, _)| *column == name.value)) {
            cx.error(name.span, format!("there is a column `{}` already", name.value))
                .help("choose another name, or delete that column first");
        }
        self.made.push((name.value.clone(), ty));
    }

    fn conditions(&mut self, node: &Node, cx: &mut Check<'_>) {
        let Value::Map(entries) = &node.value else {
            cx.error(node.span, "expected a condition like `{ less_than: 1 }`");
            return;
        };
        if entries.is_empty() {
            cx.error(node.span, "there is no condition here").help("write one like `{ less_than: 1 }`");
        }
        for (name, value) in entries {
            let Some((_, condition, takes_value)) = CONDITIONS.iter().find(|(known, ..)| *known == name.value) else {
                let names: Vec<&str> = CONDITIONS.iter().map(|(known, ..)| *known).collect();
                let help = did_you_mean(name, names.iter().copied())
                    .unwrap_or_else(|| format!("the conditions are {}", listed(&names)));
                cx.error(name.span, format!("no condition named `{}`", name.value)).help(help);
                continue;
            };
            let value = match (takes_value, condition) {
                (false, _) => None,
                (true, &("IS" | "IS_NOT")) => {
                    cx.decode::<Vec<Scalar>>(value).map(|values| json(&values.iter().map(|v| &v.0).collect::<Vec<_>>()))
                }
                (true, _) => cx.decode::<Scalar>(value).map(|value| value.0),
            };
            let column = self.step.text("column").unwrap_or_default().to_owned();
            self.action.conditions.push(Condition { condition: (*condition).to_owned(), column, value });
        }
    }

    fn aggregates(&mut self, aggregates: &[AggregateSpec], cx: &mut Check<'_>) -> String {
        let mut out = Vec::new();
        for aggregate in aggregates {
            self.existing(&aggregate.column, cx);
            let function = &aggregate.function;
            if !FUNCTIONS.contains(&function.as_str()) {
                let help = did_you_mean(function, FUNCTIONS)
                    .unwrap_or_else(|| format!("choose one of {}", listed(&FUNCTIONS)));
                cx.error(function.span, format!("no aggregate named `{}`", function.value)).help(help);
            }
            let ty = match &aggregate.ty {
                Some(written) => column_type(written, cx),
                None => match function.as_str() {
                    "count" | "count_distinct" => Some(ColumnType::BigInt),
                    "average" | "median" => Some(ColumnType::Double),
                    _ => None,
                },
            };
            self.fresh(&aggregate.to, ty, cx);
            out.push(serde_json::json!({
                "sourceColumnName": aggregate.column.value,
                "targetColumnName": aggregate.to.value,
                "targetColumnDataType": ty.map_or_else(|| "string".to_owned(), databrew_type),
                "functionName": function.value.to_uppercase(),
            }));
        }
        json(&out)
    }

    fn order(&self, keys: &[OrderSpec], cx: &mut Check<'_>) -> String {
        let mut out = Vec::new();
        for key in keys {
            self.existing(&key.column, cx);
            let ordering = match key.order.as_ref().map(|order| order.as_str()) {
                None | Some("ascending") => "ASCENDING",
                Some("descending") => "DESCENDING",
                Some(other) => {
                    let span = key.order.as_ref().map_or(key.column.span, |order| order.span);
                    cx.error(span, format!("`{other}` is not an order")).help("write `ascending` or `descending`");
                    continue;
                }
            };
            out.push(serde_json::json!({ "sourceColumn": key.column.value, "ordering": ordering }));
        }
        json(&out)
    }
}

/// DataBrew has Glue's names for types, but for three of them.
fn databrew_type(ty: ColumnType) -> String {
    match ty {
        ColumnType::BigInt => "long".to_owned(),
        ColumnType::SmallInt => "short".to_owned(),
        ColumnType::TinyInt => "byte".to_owned(),
        other => other.to_string(),
    }
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
