//! Row filters of Lake Formation: comparisons of columns with constants.
//!
//! Source: "PartiQL support in row filter expressions" of the Lake Formation developer guide.

use sqlparser::ast::{BinaryOperator, Expr, Spanned as _, UnaryOperator, Value};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::{Places, explain};
use crate::check::Check;
use crate::lake::{ColumnType, Id, Table};
use crate::source::{Span, Spanned};

/// How many characters a filter may have at most.
const MOST: usize = 2_047;

/// Checks the filter of a table's rows.
pub(crate) fn check_filter(text: &Spanned<String>, table: Id<Table>, cx: &mut Check<'_>) {
    let places = Places::new(text, cx);
    if text.chars().count() > MOST {
        cx.error(text.span, format!("a row filter has at most {MOST} characters"));
        return;
    }
    let parser = Parser::new(&GenericDialect {}).with_recursion_limit(64).try_with_sql(text);
    let expression = parser.and_then(|mut parser| {
        let expression = parser.parse_expr()?;
        parser.expect_token(&Token::EOF).map(|_| expression)
    });
    match expression {
        Ok(expression) => Filter { table, places, cx }.check(&expression),
        Err(error) => {
            let (message, location) = explain(&error);
            let span = location.map_or(places.whole, |location| places.word_at(location));
            cx.error(span, format!("this filter cannot be read: {message}")).help(HELP);
        }
    }
}

const HELP: &str = "compare columns with constants (=, <>, <, <=, >, >=, between, in, like, is null), and join that with `and`, `or`, `not`";

struct Filter<'a, 'b> {
    table: Id<Table>,
    places: Places,
    cx: &'a mut Check<'b>,
}

impl Filter<'_, '_> {
    fn check(&mut self, expression: &Expr) {
        use BinaryOperator::{And, Eq, Gt, GtEq, Lt, LtEq, NotEq, Or};
        match expression {
            Expr::Nested(inner) | Expr::UnaryOp { op: UnaryOperator::Not, expr: inner } => self.check(inner),
            Expr::BinaryOp { left, op: And | Or, right } => {
                self.check(left);
                self.check(right);
            }
            Expr::BinaryOp { left, op: Eq | NotEq | Lt | LtEq | Gt | GtEq, right } => {
                self.compared(left, &[right.as_ref()]);
            }
            Expr::Between { expr, low, high, negated: _ } => self.compared(expr, &[low.as_ref(), high.as_ref()]),
            Expr::InList { expr, list, negated: _ } => self.compared(expr, &list.iter().collect::<Vec<_>>()),
            Expr::Like { expr, pattern, any: false, escape_char: None, negated: _ } => {
                self.compared(expr, &[pattern.as_ref()]);
            }
            Expr::IsNull(column) | Expr::IsNotNull(column) => {
                let partition = |name: &str| {
                    let table = self.cx.tables.get(self.table.index()).and_then(Option::as_ref);
                    table.is_some_and(|table| table.partitions.iter().any(|partition| partition.name == name))
                };
                if let Expr::Identifier(name) = column.as_ref()
                    && partition(&name.value)
                {
                    let span = self.place(column);
                    let message =
                        format!("`{}` is a partition, of which a filter cannot ask whether it is null", name.value);
                    self.cx.error(span, message);
                }
                self.column(column);
            }
            other => self.refuse(other),
        }
    }

    fn compared(&mut self, column: &Expr, constants: &[&Expr]) {
        let Some(ty) = self.column(column) else { return };
        for constant in constants {
            let inner = match constant {
                Expr::UnaryOp { op: UnaryOperator::Minus, expr } => expr.as_ref(),
                other => other,
            };
            let fits = match inner {
                Expr::Value(value) => match &value.value {
                    Value::SingleQuotedString(_) => ty == ColumnType::String,
                    Value::Number(..) => ty.is_number(),
                    Value::Boolean(_) => ty == ColumnType::Boolean,
                    _ => false,
                },
                _ => {
                    self.refuse(constant);
                    continue;
                }
            };
            if !fits {
                let span = self.place(constant);
                self.cx
                    .error(span, format!("`{constant}` is compared with a column that is `{ty}`"))
                    .help("constants are of the column's type: `'text'`, `12.5`, `true`");
            }
        }
    }

    /// The type of a column by which can be filtered.
    fn column(&mut self, expression: &Expr) -> Option<ColumnType> {
        let Expr::Identifier(name) = expression else {
            self.refuse(expression);
            return None;
        };
        let span = self.place(expression);
        let table = self.cx.tables.get(self.table.index()).and_then(Option::as_ref)?;
        let Some(column) = table.column(&name.value) else {
            self.cx.no_column(span, &name.value, self.table);
            return None;
        };
        use ColumnType::{BigInt, Boolean, Decimal, Double, Float, Int, String};
        let ty = column.ty;
        if !matches!(ty, String | Int | BigInt | Float | Double | Decimal(..) | Boolean) {
            let place = self.cx.declaration(self.table, &name.value).map(|span| (span, format!("declared `{ty}`")));
            self.cx
                .error(span, format!("Lake Formation cannot filter rows by `{}`, which is `{ty}`", name.value))
                .help("it filters by string, int, bigint, float, double, decimal and boolean")
                .places(place);
            return None;
        }
        Some(ty)
    }

    fn refuse(&mut self, expression: &Expr) {
        let span = self.place(expression);
        self.cx.error(span, format!("a row filter cannot hold `{expression}`")).help(HELP);
    }

    fn place(&self, expression: &Expr) -> Span {
        let start = expression.span().start;
        if start.line == 0 { self.places.whole } else { self.places.word_at(start) }
    }
}
