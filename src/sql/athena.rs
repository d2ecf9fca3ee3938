//! Athena's dialect of SQL, which is Trino's.

use std::ops::ControlFlow;

use sqlparser::ast::{CastKind, Expr, Query, Select, Spanned, Visit, Visitor};
use sqlparser::dialect::Dialect;
use sqlparser::parser::ParserError;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::Places;
use crate::check::Check;

/// Cuts SQL into tokens.
pub(super) fn lex(sql: &str) -> Result<Vec<TokenWithSpan>, ParserError> {
    Ok(Tokenizer::new(&Athena, sql).tokenize_with_location()?)
}

/// The tokens as the parser can take them.
///
/// It does not know Trino's nested types, like `array(row(a integer))`. Such a type is read as `json`, of which nothing more is known.
pub(super) fn flat(all: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    let mut tokens: Vec<TokenWithSpan> = Vec::with_capacity(all.len());
    // For each open parenthesis: whether it is that of a cast. In a cast, `as` begins the type.
    let mut open: Vec<bool> = Vec::new();
    let mut previous: Option<String> = None;
    let mut all = all.iter().cloned();
    while let Some(mut token) = all.next() {
        let word = match &token.token {
            Token::Word(word) => Some(word.value.to_lowercase()),
            Token::Whitespace(_) => {
                tokens.push(token);
                continue;
            }
            _ => None,
        };
        match &token.token {
            Token::LParen => open.push(matches!(previous.as_deref(), Some("cast" | "try_cast"))),
            Token::RParen => {
                open.pop();
            }
            _ => {}
        }
        let nested = matches!(word.as_deref(), Some("array" | "map" | "row"));
        if nested && previous.as_deref() == Some("as") && open.last() == Some(&true) {
            token.token = Token::make_word("json", None);
            tokens.push(token);
            let mut depth = 0_usize;
            for skipped in all.by_ref() {
                match &skipped.token {
                    Token::LParen => depth += 1,
                    Token::RParen if depth == 0 => {
                        open.pop();
                        tokens.push(skipped);
                        break;
                    }
                    Token::RParen => depth -= 1,
                    _ => {}
                }
            }
            previous = None;
            continue;
        }
        previous = word;
        tokens.push(token);
    }
    tokens
}

/// The dialect. Source: "SELECT" of the Trino documentation, and Athena's list of differences.
#[derive(Debug)]
pub(super) struct Athena;

impl Dialect for Athena {
    fn is_identifier_start(&self, c: char) -> bool {
        c.is_ascii_alphabetic() || c == '_'
    }

    fn is_identifier_part(&self, c: char) -> bool {
        c.is_ascii_alphanumeric() || c == '_'
    }

    fn is_delimited_identifier_start(&self, c: char) -> bool {
        c == '"'
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_within_after_array_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_lambda_functions(&self) -> bool {
        true
    }

    fn supports_window_function_null_treatment_arg(&self) -> bool {
        true
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }

    fn supports_match_recognize(&self) -> bool {
        true
    }

    fn supports_unicode_string_literal(&self) -> bool {
        true
    }

    fn supports_subquery_as_function_arg(&self) -> bool {
        true
    }

    fn supports_values_as_table_factor(&self) -> bool {
        true
    }

    fn supports_parens_around_table_factor(&self) -> bool {
        true
    }

    fn require_interval_qualifier(&self) -> bool {
        true
    }

    fn supports_boolean_literals(&self) -> bool {
        true
    }
}

/// Where the first semicolon stands.
pub(super) fn end(tokens: &[TokenWithSpan]) -> Option<Location> {
    tokens.iter().find(|token| token.token == Token::SemiColon).map(|token| token.span.start)
}

/// Notes what the parser reads, but Athena does not.
pub(super) fn check(query: &Query, tokens: &[TokenWithSpan], places: &Places, cx: &mut Check<'_>) {
    let mut strict = Strict { found: Vec::new() };
    let _ = query.visit(&mut strict);
    strict.limits(tokens);
    for Foreign { at, message, help } in strict.found {
        let span = at.map_or(places.whole, |at| places.word_at(at));
        cx.error(span, message).help(help);
    }
}

/// Something of another dialect.
struct Foreign {
    at: Option<Location>,
    message: String,
    help: String,
}

struct Strict {
    found: Vec<Foreign>,
}

impl Strict {
    fn note(&mut self, at: Option<Location>, message: impl Into<String>, help: impl Into<String>) {
        self.found.push(Foreign { at, message: message.into(), help: help.into() });
    }

    /// `limit` before `offset`, which the parser takes in any order.
    fn limits(&mut self, tokens: &[TokenWithSpan]) {
        let mut words = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
        let is = |token: &TokenWithSpan, word: &str| matches!(&token.token, Token::Word(w) if w.value.eq_ignore_ascii_case(word));
        while let Some(token) = words.next() {
            if is(token, "limit")
                && words.next().is_some()
                && let Some(next) = words.clone().next()
                && is(next, "offset")
            {
                self.note(Some(next.span.start), "Athena wants `offset` before `limit`", "write `offset 5 limit 10`");
            }
        }
    }
}

impl Visitor for Strict {
    type Break = ();

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let at = Some(select.select_token.0.span.start);
        if select.top.is_some() {
            self.note(at, "Athena knows no `top`", "write `limit` at the end");
        }
        if select.into.is_some() {
            self.note(at, "Athena knows no `select … into`", "`writes` names the table");
        }
        if select.qualify.is_some() {
            self.note(at, "Athena knows no `qualify`", "filter in an outer `select`");
        }
        if !select.lateral_views.is_empty() {
            self.note(at, "Athena knows no `lateral view`", "write `cross join unnest(…) as t (x)`");
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        match expression {
            Expr::Cast { kind: CastKind::DoubleColon, data_type, expr, .. } => {
                let at = Some(expr.span().start);
                self.note(
                    at,
                    "Athena knows no `::`",
                    format!("write `cast({expr} as {})`", data_type.to_string().to_lowercase()),
                );
            }
            Expr::Cast { data_type, expr, .. } => {
                let name = data_type.to_string().to_lowercase();
                let known = name.split(['(', ' ', '<']).next().unwrap_or_default();
                let ours = match known {
                    "string" | "text" | "nvarchar" => Some("varchar"),
                    "float" | "float4" => Some("real"),
                    "float8" => Some("double"),
                    "datetime" => Some("timestamp"),
                    "bool" => Some("boolean"),
                    "bytes" | "binary" | "blob" => Some("varbinary"),
                    known if TYPES.contains(&known) => return ControlFlow::Continue(()),
                    _ => None,
                };
                let help = ours.map_or_else(
                    || format!("the types are {}", TYPES.join(", ")),
                    |ours| format!("in SQL it is `{ours}`"),
                );
                self.note(Some(expr.span().start), format!("Athena casts to no type `{known}`"), help);
            }
            Expr::ILike { expr, .. } => {
                self.note(Some(expr.span().start), "Athena knows no `ilike`", "write `lower(…) like …`");
            }
            Expr::RLike { expr, .. } => {
                self.note(Some(expr.span().start), "Athena knows no `rlike`", "write `regexp_like(…, '…')`");
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// What Athena casts to. Source: "Data types" of the Trino documentation; nested types are read as `varchar` before.
const TYPES: [&str; 18] = [
    "boolean",
    "tinyint",
    "smallint",
    "integer",
    "int",
    "bigint",
    "real",
    "double",
    "decimal",
    "varchar",
    "char",
    "varbinary",
    "json",
    "date",
    "time",
    "timestamp",
    "interval",
    "uuid",
];

#[cfg(test)]
mod tests {
    use super::*;
    use sqlparser::parser::Parser;

    #[test]
    fn what_athena_documents_is_read() {
        for sql in [
            "select 1",
            "with a as (select 1 as x), b (y) as (select x from a) select * from b order by y desc nulls last limit 10",
            "select count(*) filter (where x > 1) from t",
            "select sum(x) over (partition by a order by b rows between 1 preceding and current row) from t",
            "select transform(a, x -> x + 1), reduce(a, 0, (s, x) -> s + x, s -> s) from t",
            "select x, n from t cross join unnest(a) with ordinality as u (x, n)",
            "select cast(row(1, 'a') as row(i integer, s varchar)).i",
            "select array[1, 2][1], map(array['a'], array[1])['a']",
            "select try_cast(a as bigint), try(1 / 0) from t",
            "select date '2020-01-01' + interval '1' day, timestamp '2020-01-01 00:00:00'",
            "select extract(year from d), date_trunc('month', d), date_diff('day', a, b) from t",
            "select approx_percentile(x, 0.5), array_agg(x order by y desc), max_by(a, b) from t",
            "select listagg(x, ',') within group (order by x) from t",
            "select a, b, count(*) from t group by grouping sets ((a), (a, b), ())",
            "select a, count(*) from t group by rollup (a)",
            "select a from t union all select b from u except select c from v",
            "select * from (values (1, 'a'), (2, 'b')) as t (n, s)",
            "select a from t where exists (select 1 from u where u.id = t.id) and b in (select c from v)",
            "select case when a is distinct from b then 'x' else 'y' end from t",
            "select a from t tablesample bernoulli (10)",
            "select lag(x) ignore nulls over (order by y) from t",
            "select first_value(x) over w from t window w as (partition by a order by b)",
            "select \"order\", json_extract_scalar(j, '$.a') from t",
            "select a from t offset 5 limit 5",
            "select a from t fetch first 5 rows only",
            "select a like 'x%' escape '\\', regexp_like(a, '\\d+') from t",
            "select at_timezone(a, 'UTC'), a at time zone 'UTC' from t",
            "select cast(a as decimal(10, 2)), cast(b as varchar(5)), cast(c as array(map(varchar, array(row(x integer))))) from t",
            "select substr(a, 1, 2) || trim(b), position('a' in b), ceiling(1.5) from t",
            "select a from t join u using (id) left join v on v.id = u.id full outer join w on true",
        ] {
            let parsed =
                lex(sql).and_then(|all| Parser::new(&Athena).with_tokens_with_locations(flat(&all)).parse_statements());
            assert!(parsed.is_ok(), "{sql}: {parsed:?}");
        }
    }
}
