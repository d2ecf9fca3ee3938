//! Reads the keys of a step, checked against the columns before it.

use super::action::{Action, Fits, Holds, Key};
use super::arg::{Aggregate, Arg, Columns, FUNCTIONS, Function, Other, SortKey, strftime};
use super::condition;
use super::sql;
use crate::check::Check;
use crate::decode::{Decode, Decoder, Scalar, section};
use crate::diagnostic::{Diagnostic, did_you_mean, listed};
use crate::kind::nested::Form;
use crate::kind::table::plain_type;
use crate::lake::{ColumnType, Id, Table};
use crate::schema::{Language, Shape};
use crate::source::{Node, Span, Spanned, Value};

section! {
    /// One aggregate of `group_by`.
    "an aggregate of a group"
    pub(super) struct AggregateSpec {
        /// The column.
        /// Example: `price`.
        column: Spanned<String>,
        /// What is computed of it: `count`, `count_distinct`, `sum`, `average`, `min`, `max`, `median` or `mode`.
        /// Example: `sum`.
        function: Spanned<String>,
        /// The new column.
        /// Example: `total`.
        to: Spanned<String>,
        /// Its type.
        /// Default: `bigint` for counts, `double` for `average` and `median`, the column's type for `min`, `max` and `mode`, and the largest of its
        /// sort for `sum`.
        /// Example: `double`.
        ty as "type": Option<Spanned<String>>,
    }
}

section! {
    /// One key of `sort`.
    "a sort key"
    pub(super) struct OrderSpec {
        /// The column.
        /// Example: `price`.
        column: Spanned<String>,
        /// `ascending` or `descending`.
        /// Default: `ascending`.
        /// Example: `descending`.
        order: Option<Spanned<String>>,
        /// Where nulls go: `first` or `last`.
        /// Default: `first`.
        /// Example: `last`.
        nulls: Option<Spanned<String>>,
    }
}

/// A key of `sort`: a column, or a map.
pub(super) struct SortKeySpec(OrderSpec);

impl Decode for SortKeySpec {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        if matches!(node.value, Value::String(_)) {
            return Some(Self(OrderSpec { column: Decode::decode(node, decoder)?, order: None, nulls: None }));
        }
        OrderSpec::decode(node, decoder).map(Self)
    }

    fn shape(language: &mut Language) -> Shape {
        Shape::Either(vec![Shape::Text, OrderSpec::shape(language)])
    }
}

/// Source: `PIVOT` and `ONE_HOT_ENCODING` in DataBrew's recipe action reference.
const LARGEST_PIVOT: usize = 10;

/// Reads the keys of one step.
pub(super) struct Reader<'a> {
    /// The columns before the step; none when an earlier mistake makes them unknown.
    pub(super) columns: Option<&'a Columns>,
    /// The table that the recipe reads.
    pub(super) table: Option<Id<Table>>,
    pub(super) action: &'static Action,
    /// Where the step is named.
    pub(super) span: Span,
    /// The step's column, once it has been read.
    pub(super) column: Option<(String, Option<ColumnType>)>,
    /// The columns that the step makes.
    pub(super) made: Vec<String>,
    /// The other table of the step, once it has been read.
    pub(super) other: Option<Other>,
}

impl Reader<'_> {
    /// The value of a key; what is wrong with it is noted.
    pub(super) fn read(&mut self, key: &Key, node: &Node, cx: &mut Check<'_>) -> Option<Arg> {
        match key.holds {
            Holds::Column(fits) => {
                let name = cx.decode::<Spanned<String>>(node)?;
                let ty = self.existing(&name, fits, cx);
                if key.name == "column" {
                    self.column = Some((name.value.clone(), ty));
                }
                Some(Arg::Column(name.value, ty))
            }
            Holds::Columns(fits) => {
                let names = cx.decode::<Vec<Spanned<String>>>(node)?;
                if names.is_empty() {
                    cx.error(node.span, format!("`{}` names no column", key.name));
                }
                crate::check::unique(&names, cx);
                Some(Arg::Columns(
                    names.into_iter().map(|name| (name.value.clone(), self.existing(&name, fits, cx))).collect(),
                ))
            }
            Holds::NewColumn => {
                let name = cx.decode::<Spanned<String>>(node)?;
                self.fresh(&name, cx);
                Some(Arg::New(name.value))
            }
            Holds::Operand(fits) => self.operand(node, fits, cx),
            Holds::Text => cx.decode::<Scalar>(node).map(|text| Arg::Text(text.0)),
            Holds::Pattern => {
                let pattern = cx.decode::<Scalar>(node)?.0;
                if pattern.is_empty() {
                    cx.error(node.span, "an empty pattern finds nothing");
                }
                Some(Arg::Text(pattern))
            }
            Holds::Number => self.number(node, cx).map(Arg::Number),
            Holds::Whole(least, most) => {
                let number = cx.decode::<u32>(node)?;
                if !(least..=most).contains(&number) {
                    cx.error(node.span, format!("`{}` must be from {least} to {most}", key.name));
                }
                Some(Arg::Number(number.to_string()))
            }
            Holds::Value => {
                let value = cx.decode::<Scalar>(node)?.0;
                let (column, ty) = self.column.clone().unwrap_or_default();
                condition::fits(&value, ty, &column, node.span, cx);
                Some(Arg::Value(value, ty))
            }
            Holds::DateFormat => {
                let format = cx.decode::<Spanned<String>>(node)?;
                if let Err(unknown) = strftime(&format) {
                    cx.error(node.span, format!("`{unknown}` means nothing in a date's format"))
                        .help("use `yyyy`, `yy`, `mm`, `month`, `dd`, `HH`, `MM`, `SS` and signs between them");
                }
                Some(Arg::DateFormat(format.value))
            }
            Holds::Type | Holds::Sort => {
                let written = cx.decode::<Spanned<String>>(node)?;
                plain_type(&written, cx).map(|ty| Arg::Type(ty, matches!(key.holds, Holds::Type)))
            }
            Holds::Choice(choices) => {
                let word = cx.decode::<Spanned<String>>(node)?;
                self.word(key, &word, choices, |choice| choice.word, cx).map(Arg::Choice)
            }
            Holds::Switches(switches) => {
                let words = cx.decode::<Vec<Spanned<String>>>(node)?;
                if words.is_empty() {
                    cx.error(node.span, format!("`{}` is empty", key.name));
                }
                let chosen = words.iter().map(|word| self.word(key, word, switches, |switch| switch.word, cx));
                chosen.collect::<Option<Vec<_>>>().map(Arg::Switches)
            }
            Holds::Where | Holds::Expression => {
                let (column, ty) = self.column.clone().unwrap_or_default();
                let expression = matches!(key.holds, Holds::Expression);
                Some(Arg::Tests(condition::read(node, &column, ty, expression, cx), expression))
            }
            Holds::Edges => {
                let Value::List(items) = &node.value else {
                    cx.error(node.span, "expected a list of numbers");
                    return None;
                };
                let edges: Vec<String> = items.iter().filter_map(|item| self.number(item, cx)).collect();
                let numbers: Vec<f64> = edges.iter().filter_map(|edge| edge.parse().ok()).collect();
                if edges.is_empty() || numbers.windows(2).any(|pair| pair[0] >= pair[1]) {
                    cx.error(node.span, "edges are numbers in ascending order");
                }
                Some(Arg::List(edges))
            }
            Holds::Texts | Holds::Values => self.texts(key, node, cx),
            Holds::Mapping => {
                let Value::Map(entries) = &node.value else {
                    cx.error(node.span, "expected a map like `{ small: 1, large: 2 }`");
                    return None;
                };
                let pairs = entries.iter().filter_map(|(from, to)| Some((from.value.clone(), self.number(to, cx)?)));
                Some(Arg::Pairs(pairs.collect()))
            }
            Holds::Aggregates => {
                let aggregates = cx.decode::<Vec<AggregateSpec>>(node)?;
                Some(Arg::Aggregates(aggregates.iter().filter_map(|spec| self.aggregate(spec, cx)).collect()))
            }
            Holds::Aggregated => {
                let (function, column) = self.one_entry(node, cx)?;
                let (function, ty) = self.calculated(&function, &column, cx);
                Some(Arg::Aggregates(vec![Aggregate {
                    column: column.value,
                    function: function?,
                    to: String::new(),
                    ty,
                }]))
            }
            Holds::Pivoted => self.pivoted(node, cx),
            Holds::Order => {
                let keys = cx.decode::<Vec<SortKeySpec>>(node)?;
                Some(Arg::Order(keys.iter().filter_map(|SortKeySpec(spec)| self.order(spec, cx)).collect()))
            }
            Holds::Table => {
                let name = cx.decode::<Spanned<String>>(node)?;
                self.other = self.other_table(&name, cx);
                self.other.clone().map(Arg::Table)
            }
            Holds::Tables => {
                let names = cx.decode::<Vec<Spanned<String>>>(node)?;
                if names.is_empty() {
                    cx.error(node.span, format!("`{}` names no table", key.name));
                }
                crate::check::unique(&names, cx);
                let others: Vec<Other> = names.iter().filter_map(|name| self.other_table(name, cx)).collect();
                (others.len() == names.len()).then_some(Arg::Tables(others))
            }
            Holds::Keys => self.keys(node, cx),
            Holds::Taken => self.taken(node, cx),
        }
    }

    /// What a key means that is left out.
    pub(super) fn default(key: &Key, written: &'static str) -> Arg {
        match key.holds {
            Holds::Choice(choices) => choices
                .iter()
                .find(|choice| choice.word == written)
                .map_or_else(|| Arg::Text(written.to_owned()), Arg::Choice),
            Holds::Number | Holds::Whole(..) => Arg::Number(written.to_owned()),
            Holds::DateFormat => Arg::DateFormat(written.to_owned()),
            _ => Arg::Text(written.to_owned()),
        }
    }

    fn number(&self, node: &Node, cx: &mut Check<'_>) -> Option<String> {
        let number = cx.decode::<Scalar>(node)?.0;
        let plain = number.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E'));
        if !plain || !number.parse::<f64>().is_ok_and(f64::is_finite) {
            cx.error(node.span, format!("`{number}` is not a number"));
            return None;
        }
        Some(number)
    }

    fn operand(&self, node: &Node, fits: Fits, cx: &mut Check<'_>) -> Option<Arg> {
        if let Value::Int(_) | Value::Float(_) = node.value {
            let number = self.number(node, cx)?;
            let ty = if matches!(node.value, Value::Int(_)) { ColumnType::Int } else { ColumnType::Double };
            if fits == Fits::Time {
                cx.error(node.span, format!("`{number}` is not a date")).help("write one as `\"2026-01-31\"`");
            }
            return Some(Arg::OperandValue(number, Some(ty)));
        }
        let name = cx.decode::<Spanned<String>>(node)?;
        if fits == Fits::Time && name.starts_with(|c: char| c.is_ascii_digit()) {
            condition::fits(&name, Some(ColumnType::Timestamp), "a moment", name.span, cx);
            return Some(Arg::OperandValue(name.value, Some(ColumnType::Timestamp)));
        }
        let ty = self.existing(&name, fits, cx);
        Some(Arg::OperandColumn(name.value, ty))
    }

    fn texts(&self, key: &Key, node: &Node, cx: &mut Check<'_>) -> Option<Arg> {
        let texts: Vec<String> = cx.decode::<Vec<Scalar>>(node)?.into_iter().map(|text| text.0).collect();
        if texts.is_empty() {
            cx.error(node.span, format!("`{}` is empty", key.name));
        }
        if matches!(key.holds, Holds::Values) {
            if texts.len() > LARGEST_PIVOT {
                cx.error(node.span, format!("DataBrew takes at most {LARGEST_PIVOT} values here"));
            }
            let column = self.column.as_ref().map_or("", |(name, _)| name);
            for text in &texts {
                let made = format!("{column}_{text}");
                if self.columns.is_some_and(|columns| columns.iter().any(|(name, _)| *name == made)) {
                    cx.error(node.span, format!("there is a column `{made}` already"));
                }
            }
        }
        Some(Arg::List(texts))
    }

    fn word<T>(
        &self,
        key: &Key,
        word: &Spanned<String>,
        known: &'static [T],
        name: fn(&T) -> &'static str,
        cx: &mut Check<'_>,
    ) -> Option<&'static T> {
        let found = known.iter().find(|item| name(item) == word.value);
        if found.is_none() {
            let names: Vec<&str> = known.iter().map(name).collect();
            let help = did_you_mean(word, names.iter().copied())
                .unwrap_or_else(|| format!("choose one of {}", listed(&names)));
            cx.error(word.span, format!("`{}` is no value of `{}` in `{}`", word.value, key.name, self.action.name))
                .help(help);
        }
        found
    }

    /// The type of a column that must exist and fit.
    fn existing(&self, name: &Spanned<String>, fits: Fits, cx: &mut Check<'_>) -> Option<ColumnType> {
        let ty = existing(self.columns, self.table, name, cx)?;
        if !fits.takes(ty) {
            let found = ty.map_or_else(String::new, |ty| ty.to_string());
            let (wanted, to) = match fits {
                Fits::Number => ("numbers", "double"),
                Fits::Time => ("dates and moments", "timestamp"),
                Fits::Text => ("text", "string"),
                Fits::Array => ("lists", ""),
                Fits::Map => ("maps", ""),
                Fits::Struct => ("structs", ""),
                Fits::Plain | Fits::Any => ("plain values", ""),
            };
            let help = match ty.and_then(sql::form) {
                Some(Form::Array(_)) => Some("`unnest_array` makes a row of each of its elements".to_owned()),
                Some(Form::Map(..)) => Some("`unnest_map` makes a row of each of its entries".to_owned()),
                Some(Form::Struct(_)) => Some("`unnest_struct` makes columns of its fields".to_owned()),
                None if to.is_empty() => None,
                None => Some(format!("add `change_type: {{ column: {}, to: {to} }}` before it", name.value)),
            };
            let message = format!("`{}` works on {wanted}, but `{}` is `{found}` here", self.action.name, name.value);
            cx.push(Diagnostic::error(name.span, message).maybe_help(help));
        }
        ty
    }

    fn fresh(&mut self, name: &Spanned<String>, cx: &mut Check<'_>) {
        if cx.name(name, "a column").is_some() {
            self.refuse_taken_name(name, cx);
        }
    }

    fn refuse_taken_name(&mut self, name: &Spanned<String>, cx: &mut Check<'_>) {
        // The columns that `group_by` and `unpivot` do away with may come again under their old names.
        let gone = |column: &str| match self.action.name {
            "group_by" => true,
            "rename" | "pivot" | "transpose" | "unnest_array" => {
                self.column.as_ref().is_some_and(|(own, _)| own == column)
            }
            _ => false,
        };
        let there = self
            .columns
            .is_some_and(|columns| columns.iter().any(|(column, _)| *column == name.value && !gone(column)));
        if there || self.made.contains(&name.value) {
            cx.error(name.span, format!("there is a column `{}` already", name.value))
                .help("choose another name, or delete that column first");
        }
        self.made.push(name.value.clone());
    }

    fn aggregate(&mut self, spec: &AggregateSpec, cx: &mut Check<'_>) -> Option<Aggregate> {
        let (function, ty) = self.calculated(&spec.function, &spec.column, cx);
        let ty = spec.ty.as_ref().map_or(ty, |written| plain_type(written, cx));
        self.fresh(&spec.to, cx);
        Some(Aggregate { column: spec.column.value.clone(), function: function?, to: spec.to.value.clone(), ty })
    }

    /// A function of a column, and the type of what it computes.
    fn calculated(
        &self,
        function: &Spanned<String>,
        column: &Spanned<String>,
        cx: &mut Check<'_>,
    ) -> (Option<&'static Function>, Option<ColumnType>) {
        let source = self.existing(column, Fits::Plain, cx);
        let known = FUNCTIONS.iter().find(|known| known.word == function.value);
        if known.is_none() {
            let words: Vec<&str> = FUNCTIONS.iter().map(|function| function.word).collect();
            let help = did_you_mean(function, words.iter().copied())
                .unwrap_or_else(|| format!("choose one of {}", listed(&words)));
            cx.error(function.span, format!("no aggregate named `{}`", function.value)).help(help);
        }
        let calculates = matches!(function.as_str(), "sum" | "average" | "median");
        if calculates && !Fits::Number.takes(source) {
            let message = format!("`{}` works on numbers, but `{}` is text or no number", function.value, column.value);
            cx.error(column.span, message)
                .help(format!("add `change_type: {{ column: {}, to: double }}` before it", column.value));
        }
        (known, result(function, source))
    }

    /// The function and the column of `{ sum: price }`.
    fn one_entry(&self, node: &Node, cx: &mut Check<'_>) -> Option<(Spanned<String>, Spanned<String>)> {
        match &node.value {
            Value::Map(entries) if entries.len() == 1 => {
                let (function, column) = &entries[0];
                Some((function.clone(), cx.decode(column)?))
            }
            _ => {
                cx.error(node.span, "expected one function with its column").help("write it like `{ sum: price }`");
                None
            }
        }
    }

    /// The values that become columns, with the names of these.
    fn pivoted(&mut self, node: &Node, cx: &mut Check<'_>) -> Option<Arg> {
        let named: Vec<(String, Spanned<String>)> = match &node.value {
            Value::Map(entries) => {
                let pair = |(value, name): &(Spanned<String>, Node)| Some((value.value.clone(), cx.decode(name)?));
                entries.iter().map(pair).collect::<Option<_>>()?
            }
            Value::List(items) => {
                let pair = |item: &Node| {
                    let value = cx.decode::<Scalar>(item)?.0;
                    Some((value.clone(), Spanned::new(value, item.span)))
                };
                items.iter().map(pair).collect::<Option<_>>()?
            }
            _ => {
                cx.error(node.span, "expected a list of values, or a map from values to columns");
                return None;
            }
        };
        if named.is_empty() {
            cx.error(node.span, "the values that become columns are missing");
        }
        if named.len() > LARGEST_PIVOT {
            cx.error(node.span, format!("DataBrew takes at most {LARGEST_PIVOT} values here"));
        }
        // They follow from the data, so they need not be names that a table could have.
        for (_, name) in &named {
            self.refuse_taken_name(name, cx);
        }
        Some(Arg::Pairs(named.into_iter().map(|(value, name)| (value, name.value)).collect()))
    }

    fn order(&self, spec: &OrderSpec, cx: &mut Check<'_>) -> Option<SortKey> {
        self.existing(&spec.column, Fits::Plain, cx);
        let mut second = |written: &Option<Spanned<String>>, first: &str, second: &str, noun: &str| match written {
            None => Some(false),
            Some(word) if word.value == first => Some(false),
            Some(word) if word.value == second => Some(true),
            Some(word) => {
                cx.error(word.span, format!("`{}` is not {noun}", word.value))
                    .help(format!("write `{first}` or `{second}`"));
                None
            }
        };
        let descending = second(&spec.order, "ascending", "descending", "an order");
        let nulls_last = second(&spec.nulls, "first", "last", "a place for nulls");
        Some(SortKey { column: spec.column.value.clone(), descending: descending?, nulls_last: nulls_last? })
    }

    /// Notes what several keys say together and cannot.
    pub(super) fn together(&self, args: &[(&'static Key, Arg)], cx: &mut Check<'_>) {
        let keys = args.iter().find_map(|(key, arg)| match (key.holds, arg) {
            (Holds::Keys, Arg::Pairs(keys)) => Some(keys),
            _ => None,
        });
        let takes = args.iter().any(|(key, _)| matches!(key.holds, Holds::Taken));
        if let (Some(keys), false) = (keys, takes) {
            self.takes_others(keys, cx);
        }
        let number = |names: [&str; 3]| {
            args.iter().find(|(key, _)| names.contains(&key.name)).and_then(|(key, arg)| match arg {
                Arg::Number(number) => Some((key.name, number.parse::<u32>().ok()?)),
                _ => None,
            })
        };
        if let (Some((first, from)), Some((last, until))) =
            (number(["start", "from", ""]), number(["stop", "end", "through"]))
            && (from > until || from == until && last != "through")
        {
            cx.error(self.span, format!("there is nothing from `{first}: {from}` to `{last}: {until}`"));
        }
        let list = |name: &str| {
            args.iter().find(|(key, _)| key.name == name).and_then(|(_, arg)| match arg {
                Arg::List(texts) => Some(texts.len()),
                _ => None,
            })
        };
        if let (Some(edges), Some(names)) = (list("edges"), list("names"))
            && names != edges + 1
        {
            cx.push(
                Diagnostic::error(
                    self.span,
                    format!("{edges} edges make {} bins, but there are {names} names", edges + 1),
                )
                .help("write one name more than edges"),
            );
        }
    }
}

/// The type of what a function computes of values of a type.
pub(super) fn result(function: &str, source: Option<ColumnType>) -> Option<ColumnType> {
    match function {
        "count" | "count_distinct" => Some(ColumnType::BigInt),
        "average" | "median" => Some(ColumnType::Double),
        "sum" => match source {
            Some(ColumnType::Float) => Some(ColumnType::Double),
            Some(ColumnType::Decimal(_, scale)) => Some(ColumnType::Decimal(38, scale)),
            Some(ty) if ty.is_integer() => Some(ColumnType::BigInt),
            other => other,
        },
        _ => source,
    }
}

/// The type of a column that must exist: `Some(None)` when it exists and its type is unknown, `None` when there is nothing to say.
#[allow(
    clippy::option_option,
    reason = "whether there is such a column, and whether its type is known, are two questions"
)]
pub(super) fn existing(
    columns: Option<&Columns>,
    table: Option<Id<Table>>,
    name: &Spanned<String>,
    cx: &mut Check<'_>,
) -> Option<Option<ColumnType>> {
    let columns = columns?;
    let found = columns.iter().find(|(column, _)| *column == name.value).map(|(_, ty)| *ty);
    if found.is_none() {
        let there = || listed(&columns.iter().map(|(column, _)| column.as_str()).collect::<Vec<_>>());
        let help = did_you_mean(name, columns.iter().map(|(column, _)| column.as_str()))
            .unwrap_or_else(|| format!("at this step there are {}", there()));
        let places = cx.declarations(table.as_slice(), name);
        cx.error(name.span, format!("no column named `{}` at this step", name.value)).help(help).places(places);
    }
    found
}
