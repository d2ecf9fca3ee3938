//! The SQL of queries: parsed in Athena's dialect, its tables and columns resolved.

mod athena;
mod filter;
mod resolve;
mod types;

use std::sync::Arc;

use sqlparser::ast::{Query, Statement};
use sqlparser::dialect::DatabricksDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use crate::check::Check;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::kind::export::Returned;
use crate::lake::{Home, Id, Table};
use crate::source::{Span, Spanned};

/// Athena's limit for a query string, in bytes.
const MAX_BYTES: usize = 262_144;

/// A query that was understood.
pub(crate) struct Checked {
    /// The tables that it reads, those behind views included, in the order of the blueprint.
    pub(crate) reads: Vec<Id<Table>>,
    /// Its SQL, up to the semicolon that ends it.
    pub(crate) sql: String,
    /// What it returns, when that is known.
    pub(crate) columns: Option<Vec<Returned>>,
    /// How many `?` it has.
    pub(crate) parameters: usize,
}

/// Checks one query, against the columns of the table that its result is written to or is, if there is one.
pub(crate) fn check(
    text: &Spanned<String>,
    target: Option<(&Spanned<String>, Id<Table>)>,
    cx: &mut Check<'_>,
) -> Option<Checked> {
    if text.len() > MAX_BYTES {
        cx.error(text.span, format!("the SQL has {} bytes, more than the {MAX_BYTES} that Athena takes", text.len()));
        return None;
    }
    let places = Places::new(text, cx);
    let tokens = athena::lex(text).map_err(|error| unreadable(&error, &places, cx)).ok()?;
    let query = parse(&tokens, &places, cx)?;
    athena::check(&query, &tokens, &places, cx);
    let (reads, output) = resolve::query(&query, &places, cx);
    if let (Some(output), Some((name, table))) = (&output, target) {
        compare(output, name, table, &places, cx);
    }
    let columns = output.map(|output| output.into_iter().map(|column| (column.name, column.ty, column.span)).collect());
    let mut reads = reads;
    for id in reads.clone() {
        if let Some(Some(Table { home: Home::View { reads: behind, .. }, .. })) = cx.tables.get(id.index()) {
            reads.extend(behind);
        }
    }
    reads.sort_unstable();
    reads.dedup();
    let end = athena::end(&tokens).and_then(|end| offset(text, end));
    let sql = end.and_then(|end| text.get(..end)).unwrap_or(text).to_owned();
    let parameters = tokens.iter().filter(|token| matches!(token.token, Token::Placeholder(_))).count();
    Some(Checked { reads, sql, columns, parameters })
}

pub(crate) use filter::check_filter;
pub(crate) use resolve::Relation;

/// Checks a `select` of Spark SQL over `relations`, whose columns are known or not, and that returns the `declared` columns.
pub(crate) fn check_node(
    text: &Spanned<String>,
    relations: &[Relation],
    declared: &[&Spanned<String>],
    cx: &mut Check<'_>,
) {
    let places = Places::new(text, cx);
    let Some(query) = parse_spark(text, &places, "an sql node", cx) else { return };
    let (reads, output) = resolve::over(&query, relations, &places, cx);
    if let Some((table, _)) = reads.first().and_then(|id| cx.blueprint.tables.0.get(id.index())) {
        cx.error(places.whole, format!("this node does not read `{}`", table.value))
            .help("it sees the nodes in its `from`: read the table with a source");
    }
    let Some(output) = output else { return };
    for column in output.iter().filter_map(|column| Some((column.name.as_ref()?, column.span))) {
        let (name, span) = column;
        if !declared.iter().any(|declared| declared.value == *name) {
            let help = did_you_mean(name, declared.iter().map(|declared| declared.as_str()))
                .unwrap_or_else(|| "add it to `columns`, or leave it out here".into());
            cx.error(span.unwrap_or(places.whole), format!("the node declares no column `{name}`")).help(help);
        }
    }
    for declared in declared {
        if output.iter().all(|column| column.name.as_ref().is_some_and(|name| *name != declared.value)) {
            cx.error(declared.span, format!("the query returns no column `{}`", declared.value))
                .help("select it, or remove it here");
        }
    }
}

/// Checks the `select` of a rule, in Spark's SQL, over `relations`; returns the tables that it reads beside them.
pub(crate) fn check_rule(text: &Spanned<String>, relations: &[Relation], cx: &mut Check<'_>) -> Vec<Id<Table>> {
    let places = Places::new(text, cx);
    let query = parse_spark(text, &places, "the SQL of a rule", cx);
    query.map(|query| resolve::over(&query, relations, &places, cx).0).unwrap_or_default()
}

/// Notes texts with a quote that is written twice. Source: "Literals" of the Spark SQL reference: Spark 3, which Glue 5 runs, takes
/// `'it''s'` for two texts in a row and makes `its` of them; Spark 4 makes `it's`.
fn doubled_quotes(text: &str, places: &Places, cx: &mut Check<'_>) {
    let tokens = Tokenizer::new(&DatabricksDialect {}, text).with_unescape(false).tokenize_with_location();
    for TokenWithSpan { token, span } in tokens.unwrap_or_default() {
        if let Token::SingleQuotedString(inside) = token
            && inside.replace("\\'", "").contains("''")
        {
            let place = places.word(span.start, inside.chars().count() + 2);
            let plain = inside.replace("''", "");
            cx.push(
                Diagnostic::warning(place, format!("Spark 3 reads this as `{plain}`, without the quote"))
                    .help("write a quote in a text as `\\'`"),
            );
        }
    }
}

fn parse_spark(text: &str, places: &Places, noun: &str, cx: &mut Check<'_>) -> Option<Box<Query>> {
    doubled_quotes(text, places, cx);
    let statements = Parser::new(&DatabricksDialect {}).with_recursion_limit(64).try_with_sql(text);
    match statements.and_then(|mut parser| parser.parse_statements()) {
        Ok(statements) => match <[Statement; 1]>::try_from(statements) {
            Ok([Statement::Query(query)]) => Some(query),
            _ => {
                cx.error(places.whole, format!("{noun} is one `select`")).help("write what it shall give");
                None
            }
        },
        Err(error) => {
            let (message, location) = explain(&error);
            let span = location.map_or(places.whole, |location| places.word_at(location));
            cx.error(span, format!("this SQL cannot be read: {message}")).help("it is read as Spark reads it");
            None
        }
    }
}

/// Checks an expression of Spark SQL over the columns of `relation`, when they are known.
pub(crate) fn check_expression(text: &Spanned<String>, relation: Relation, cx: &mut Check<'_>) {
    let places = Places::new(text, cx);
    doubled_quotes(text, &places, cx);
    let parser = Parser::new(&DatabricksDialect {}).with_recursion_limit(64).try_with_sql(text);
    let expression = parser.and_then(|mut parser| {
        let expression = parser.parse_expr()?;
        parser.expect_token(&Token::EOF).map(|_| expression)
    });
    match expression {
        Ok(expression) => resolve::expression(&expression, relation, &places, cx),
        Err(error) => {
            let (message, location) = explain(&error);
            let span = location.map_or(places.whole, |location| places.word_at(location));
            cx.error(span, format!("this expression cannot be read: {message}")).help("it is read as Spark reads it");
        }
    }
}

fn unreadable(error: &ParserError, places: &Places, cx: &mut Check<'_>) {
    let (message, location) = explain(error);
    let span = location.map_or(places.whole, |location| places.word_at(location));
    cx.error(span, format!("this SQL cannot be read: {message}")).help("it is read as Athena reads it (Trino)");
}

fn parse(tokens: &[TokenWithSpan], places: &Places, cx: &mut Check<'_>) -> Option<Query> {
    let parser = Parser::new(&athena::Athena).with_recursion_limit(64);
    let statements = parser.with_tokens_with_locations(athena::flat(tokens)).parse_statements();
    let mut statements = statements.map_err(|error| unreadable(&error, places, cx)).ok()?;
    let help = "write what the table shall hold; creating and filling it is lakegen's part";
    match (statements.pop(), statements.is_empty()) {
        (Some(Statement::Query(query)), true) => Some(*query),
        (None, _) => {
            cx.error(places.whole, "there is no SQL here").help("write one `select`");
            None
        }
        (Some(_), false) => {
            cx.error(places.whole, "a query is one `select`, and here are several statements").help(help);
            None
        }
        (Some(other), true) => {
            let word = other.to_string().split_whitespace().next().unwrap_or_default().to_lowercase();
            cx.error(places.whole, format!("a query is one `select`, not `{word}`")).help(help);
            None
        }
    }
}

/// The parser's sentence without its position, and the position.
fn explain(error: &ParserError) -> (String, Option<Location>) {
    let text = match error {
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => text.clone(),
        ParserError::RecursionLimitExceeded => return ("it is nested too deeply".into(), None),
    };
    let Some((message, place)) = text.rsplit_once(" at Line: ") else { return (text, None) };
    let mut numbers = place.split(", Column: ").map(|number| number.trim().parse::<u64>().ok());
    let location = match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(line), Some(column)) => Some(Location { line, column }),
        _ => None,
    };
    let mut message = message.to_owned();
    if let Some(first) = message.get(..1) {
        message.replace_range(..1, &first.to_lowercase());
    }
    (message, location)
}

/// The columns that the query returns against those that the written table declares.
fn compare(
    output: &[resolve::Output],
    written: &Spanned<String>,
    table: Id<Table>,
    places: &Places,
    cx: &mut Check<'_>,
) {
    let Some(declared) = cx.columns(table) else { return };
    let target = &written.value;
    let mut seen: Vec<&str> = Vec::new();
    for (position, column) in output.iter().enumerate() {
        let span = column.span.unwrap_or(places.whole);
        let Some(name) = &column.name else {
            cx.error(span, format!("column {} of the result has no name", position + 1))
                .help("give it one: `… as name`");
            continue;
        };
        if seen.contains(&name.as_str()) {
            cx.error(span, format!("the result has two columns named `{name}`")).help("rename one: `… as other`");
        } else if let Some((_, declared)) = declared.iter().find(|(column, _)| column == name) {
            if let (Some(ty), Some(declared)) = (column.ty, declared)
                && !ty.fits(*declared)
            {
                let place = cx.declaration(table, name).map(|span| (span, format!("declared `{declared}`")));
                cx.error(span, format!("`{name}` is `{ty}`, and `{target}` declares it `{declared}`"))
                    .help(format!("cast it: `cast(… as {})`, or declare `{ty}`", declared.athena()))
                    .places(place);
            }
        } else {
            let missing = declared.iter().filter(|(column, _)| !output.iter().any(|o| o.name.as_ref() == Some(column)));
            let help = did_you_mean(name, missing.map(|(column, _)| column.as_str()))
                .unwrap_or_else(|| format!("declare it in `tables.{target}.columns`, or leave it out here"));
            let places = cx.declarations(&[table], name);
            cx.error(span, format!("`{target}` declares no column `{name}`")).help(help).places(places);
        }
        seen.push(name);
    }
    for (name, _) in declared.iter().filter(|(name, _)| !seen.contains(&name.as_str())) {
        let near = did_you_mean(name, seen.iter().copied().filter(|seen| !declared.iter().any(|(d, _)| d == seen)));
        if near.is_none() && output.iter().all(|column| column.name.is_some()) {
            let place = cx.declaration(table, name).map(|span| (span, "declared here".to_owned()));
            cx.error(written.span, format!("the query returns no column `{name}`, which `{target}` declares"))
                .help("select it, or remove it from the table")
                .places(place);
        }
    }
}

/// Finds places of the SQL in the text that it was written in.
pub(crate) struct Places {
    /// All of the SQL.
    pub(crate) whole: Span,
    sql: String,
    source: Arc<str>,
}

impl Places {
    fn new(text: &Spanned<String>, cx: &Check<'_>) -> Self {
        let source =
            cx.sources.get(text.span.source as usize).map_or_else(|| Arc::from(""), |source| source.text.clone());
        Self { whole: text.span, sql: text.value.clone(), source }
    }

    /// The place of a word of the SQL, by its line and column (from 1, in characters).
    pub(crate) fn word(&self, location: Location, length: usize) -> Span {
        let Some(in_sql) = offset(&self.sql, location) else { return self.whole };
        let word: String = self.sql[in_sql..].chars().take(length.max(1)).collect();
        let start = self.whole.start as usize;
        let indent = start - self.source.get(..start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        // A block keeps its lines, each behind the same indent; a quoted text begins one character later.
        let line = usize::try_from(location.line).unwrap_or(1).max(1) - 1;
        let block = self.source.get(start..).and_then(|rest| {
            let line_start = rest.split_inclusive('\n').take(line).map(str::len).sum::<usize>();
            let line_start = if line == 0 { start } else { start + line_start + indent };
            let column = usize::try_from(location.column).unwrap_or(1).max(1) - 1;
            let rest = self.source.get(line_start..)?;
            Some(line_start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at))
        });
        for candidate in block.into_iter().chain([start + in_sql, start + in_sql + 1]) {
            if self.source.get(candidate..).is_some_and(|rest| rest.starts_with(&word)) {
                let end = u32::try_from(candidate + word.len()).unwrap_or(u32::MAX);
                return Span { source: self.whole.source, start: u32::try_from(candidate).unwrap_or(u32::MAX), end };
            }
        }
        self.whole
    }

    fn word_at(&self, location: Location) -> Span {
        let rest = offset(&self.sql, location).and_then(|at| self.sql.get(at..)).unwrap_or_default();
        let length = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').count();
        self.word(location, length)
    }
}

fn offset(text: &str, location: Location) -> Option<usize> {
    let line = usize::try_from(location.line).ok()?.checked_sub(1)?;
    let column = usize::try_from(location.column).ok()?.checked_sub(1)?;
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = text.get(start..)?;
    Some(start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at))
}
