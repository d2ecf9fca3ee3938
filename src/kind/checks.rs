//! Checks: rules that the rows of a table must meet, in Glue's DQDL.

use crate::check::Check;
use crate::decode::{Decode, Decoder, alternatives, section};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::dqdl::{self, Rule};
use crate::lake::{ColumnType, Id, Table};
use crate::source::{Node, Span, Spanned, Value};

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
fn within(written: &Spanned<String>, from: usize, length: usize, cx: &Check<'_>) -> Span {
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
        if check.kind.text && ty != ColumnType::String {
            cx.error(span, format!("`{column}` is {ty}, and `{}` is about text", check.kind.name));
        }
    }
    if let Some((name, columns, place)) = &check.reference {
        let span = within(written, *place, name.len(), cx);
        if let Some(id) = cx.table(&Spanned::new(name.clone(), span)) {
            cx.refuse_without_files(&Spanned::new(name.clone(), span), id, "a check");
            for column in columns {
                column_of(column, span, Some(id), false, cx);
            }
            if !others.contains(&id) {
                others.push(id);
            }
        }
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
    let table = cx.tables.get(table?.index()).and_then(Option::as_ref)?;
    if let Some(found) = table.column(column) {
        return Some(found.ty);
    }
    let names: Vec<&str> = table.columns.iter().chain(&table.partitions).map(|column| column.name.as_str()).collect();
    let message = format!("`{}` has no column `{column}`", table.name);
    let help = did_you_mean(column, names.iter().copied());
    if !may_lack {
        cx.push(Diagnostic::error(span, message).maybe_help(help));
    }
    None
}
