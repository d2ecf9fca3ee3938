//! Checks: rules that the rows of a table must meet, in Glue's DQDL.

use crate::check::Check;
use crate::decode::{Decode, Decoder, alternatives, section};
use crate::diagnostic::Diagnostic;
use crate::dqdl::{self, Rule};
use crate::lake::{ColumnType, Id, Table};
use crate::schema::{Language, Shape};
use crate::source::{Node, Span, Spanned, Value};
use crate::sql;

/// The rules of a table: a list, or a map that also says what follows when one is broken.
#[derive(Debug, Clone, PartialEq)]
pub struct ChecksSpec {
    rules: Vec<Spanned<String>>,
    on_failure: Option<OnFailureSpec>,
}

section! {
    /// The rules of a table.
    "checks"
    struct ChecksMap {
        /// The rules, in DQDL.
        /// Example: `["IsComplete order_id", "RowCount > 0"]`.
        rules: Vec<Spanned<String>>,
        /// What follows when one is broken: `fail` or `warn`.
        /// Default: `fail`.
        /// Example: `warn`.
        on_failure: Option<OnFailureSpec>,
    }
}

alternatives! {
    /// What follows when a rule is broken.
    "a way to meet failures"
    pub enum OnFailureSpec {
        /// The step that wrote the table fails.
        Fail = "fail",
        /// It is said, and things go on.
        Warn = "warn",
    }
}

impl Decode for ChecksSpec {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        if matches!(node.value, Value::Map(_)) {
            let ChecksMap { rules, on_failure } = ChecksMap::decode(node, decoder)?;
            return Some(Self { rules, on_failure });
        }
        Vec::decode(node, decoder).map(|rules| Self { rules, on_failure: None })
    }

    fn shape(language: &mut Language) -> Shape {
        Shape::Either(vec![Vec::<String>::shape(language), ChecksMap::shape(language)])
    }
}

/// The rules of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Ruleset {
    /// The table.
    pub table: Id<Table>,
    /// The rules, in order; at least one.
    pub rules: Vec<Rule>,
    /// Whether a broken rule fails the step that wrote the table.
    pub fails: bool,
    /// The other tables that rules compare with.
    pub others: Vec<Id<Table>>,
}

/// What `ColumnDataType` knows. Source: its page in the DQDL reference.
const TYPES: [&str; 7] = ["Boolean", "Date", "Timestamp", "Integer", "Double", "Float", "Long"];

impl ChecksSpec {
    /// `name` is that of the table.
    pub(crate) fn check(&self, name: &Spanned<String>, cx: &mut Check<'_>) -> Option<Ruleset> {
        let table = cx.table(name);
        if let Some(id) = table {
            cx.refuse_without_files(name, id, "a check");
            if cx.writers.contains_key(&id) {
                cx.refuse_unlisted(name, id, "Glue Data Quality", "");
            }
            if !cx.writers.contains_key(&id) && !cx.crawled.contains_key(&id) {
                cx.error(name.span, format!("nothing looks at `{}`, so nothing would check it", name.value))
                    .help(format!("let a crawler read it: `crawlers: {{ raw: {{ reads: [{}] }} }}`", name.value));
            }
        }
        if self.rules.is_empty() {
            cx.error(name.span, format!("there are no rules for `{}`", name.value)).help("write `[\"RowCount > 0\"]`");
        }
        let mut others = Vec::new();
        let mut rules = Vec::new();
        for written in &self.rules {
            match dqdl::parse(written) {
                Ok(rule) => {
                    for check in rule.checks() {
                        one(check, written, table, &mut others, cx);
                    }
                    rules.push(rule);
                }
                Err(dqdl::Mistake { place: (from, to), message, help }) => {
                    cx.push(Diagnostic::error(within(written, from, to - from, cx), message).maybe_help(help));
                }
            }
        }
        others.retain(|other| Some(*other) != table);
        let fails = self.on_failure != Some(OnFailureSpec::Warn);
        Some(Ruleset { table: table?, rules, fails, others })
    }
}

/// The place of a piece of a rule: a rule on one line is written as it is, perhaps in quotes.
pub(crate) fn within(written: &Spanned<String>, from: usize, length: usize, cx: &Check<'_>) -> Span {
    let Span { source, start, end } = written.span;
    let text = cx.sources.get(source as usize).map_or("", |source| &source.text);
    for quote in [0, 1] {
        let begin = start as usize + quote;
        if text.get(begin..begin + written.len()) == Some(written.as_str()) {
            let at = |offset: usize| u32::try_from(begin + offset).unwrap_or(u32::MAX).min(end);
            return Span { source, start: at(from), end: at(from + length) };
        }
    }
    written.span
}

fn one(
    check: &dqdl::Check,
    written: &Spanned<String>,
    table: Option<Id<Table>>,
    others: &mut Vec<Id<Table>>,
    cx: &mut Check<'_>,
) {
    for (column, place) in &check.columns {
        let span = within(written, *place, column.len(), cx);
        let Some(ty) = column_of(column, span, table, check.kind.name == "ColumnExists", cx) else { continue };
        if check.kind.numbers && !ty.is_number() {
            cx.error(span, format!("`{column}` is {ty}, and `{}` is about numbers", check.kind.name));
        }
        // Source: the types of columns that the pages of the DQDL reference list; others, like `IsUnique`, take any.
        if check.kind.name == "ColumnValues" && matches!(ty, ColumnType::Nested(_)) {
            cx.error(span, format!("`{column}` is {ty}, and `ColumnValues` is about plain values"))
                .help("`CustomSql` looks into it");
        }
        if check.kind.text && ty != ColumnType::String {
            cx.error(span, format!("`{column}` is {ty}, and `{}` is about text", check.kind.name));
        }
    }
    if let Some((name, columns, place)) = &check.reference {
        let span = within(written, *place, name.len(), cx);
        if let Some(id) = cx.table(&Spanned::new(name.clone(), span)) {
            cx.refuse_without_files(&Spanned::new(name.clone(), span), id, "a check");
            for column in columns {
                let after = place + name.len();
                let at =
                    written.get(after..).and_then(|rest| rest.find(column.as_str())).map_or(*place, |at| after + at);
                column_of(column, within(written, at, column.len(), cx), Some(id), false, cx);
            }
            if !others.contains(&id) {
                others.push(id);
            }
        }
    }
    // What a rule's SQL sees: the rows that are checked are `primary`, and the table by its own name.
    let rows = |name: &str, cx: &Check<'_>| {
        let columns = table.and_then(|table| cx.columns(table));
        sql::Relation { name: Some(name.to_owned()), columns, origins: table.into_iter().collect() }
    };
    if let Some((text, place)) = &check.sql {
        let text = Spanned::new(text.clone(), within(written, *place, text.len(), cx));
        let own = table.and_then(|table| cx.blueprint.tables.0.get(table.index())).map(|(name, _)| name.as_str());
        let relations: Vec<_> = ["primary"].into_iter().chain(own).map(|name| rows(name, cx)).collect();
        for id in sql::check_rule(&text, &relations, cx) {
            let name = Spanned::new(cx.blueprint.tables.0[id.index()].0.value.clone(), text.span);
            cx.refuse_without_files(&name, id, "a check");
            if !others.contains(&id) {
                others.push(id);
            }
        }
    }
    if let Some((filter, place)) = &check.filter {
        let filter = Spanned::new(filter.clone(), within(written, *place, filter.len(), cx));
        sql::check_expression(&filter, rows("primary", cx), cx);
    }
    if check.kind.name == "ColumnDataType"
        && let Some(expression) = &check.expression
    {
        let said = expression.to_string();
        let known = TYPES.iter().any(|ty| said.eq_ignore_ascii_case(&format!("= \"{ty}\"")));
        if !known {
            cx.error(written.span, "this is not a type that `ColumnDataType` knows")
                .help(format!("write `= \"Integer\"`; it knows {}", crate::diagnostic::listed(&TYPES)));
        }
    }
}

fn column_of(
    column: &str,
    span: Span,
    table: Option<Id<Table>>,
    may_lack: bool,
    cx: &mut Check<'_>,
) -> Option<ColumnType> {
    let id = table?;
    let found = cx.tables.get(id.index())?.as_ref()?.column(column).map(|column| column.ty);
    if found.is_none() && !may_lack {
        cx.no_column(span, column, id);
    }
    found
}
