//! The types that Trino gives to expressions, as far as they are known.
//!
//! An expression whose type is not known is never called wrong. Source: "Functions and operators" and "Decimal functions and
//! operators" of the Trino documentation; the local engine follows the same rules.

use sqlparser::ast::{
    AccessExpr, BinaryOperator, DataType, ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, Ident, Subscript, TimezoneInfo, UnaryOperator, Value,
};

use crate::kind::nested::Form;
use crate::lake::ColumnType;

use ColumnType::{
    BigInt, Binary, Boolean, Date, Decimal, Double, Float, Int, Nested, SmallInt, String, Timestamp, TinyInt,
};

/// The most digits of a decimal.
const MAX_PRECISION: u8 = 38;

/// What values can be compared with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Number,
    Text,
    Time,
    Truth,
    Bytes,
    /// Lists, maps and rows, which are compared only with their own kind.
    Nested,
}

impl Family {
    pub(super) fn of(ty: ColumnType) -> Self {
        match ty {
            TinyInt | SmallInt | Int | BigInt | Float | Double | Decimal(..) => Self::Number,
            String => Self::Text,
            Date | Timestamp => Self::Time,
            Boolean => Self::Truth,
            Binary => Self::Bytes,
            Nested(_) => Self::Nested,
        }
    }
}

/// The names of the fields of a row; none when it is no row.
pub(super) fn fields(ty: ColumnType) -> Option<Vec<&'static str>> {
    let Nested(nested) = ty else { return None };
    let Form::Struct(fields) = nested.form() else { return None };
    Some(fields.iter().map(|(name, _)| name.as_str()).collect())
}

/// The type of a field of a row.
pub(super) fn field(ty: ColumnType, name: &str) -> Option<ColumnType> {
    let Nested(nested) = ty else { return None };
    let Form::Struct(fields) = nested.form() else { return None };
    fields.iter().find(|(known, _)| known == name).map(|(_, ty)| *ty)
}

/// The types of the columns that `unnest` makes of a value: a row's fields become columns.
pub(super) fn unnested(ty: ColumnType) -> Option<Vec<ColumnType>> {
    let Nested(nested) = ty else { return None };
    match nested.form() {
        Form::Array(Nested(of)) => match of.form() {
            Form::Struct(fields) => Some(fields.iter().map(|(_, ty)| *ty).collect()),
            Form::Array(_) | Form::Map(..) => Some(vec![Nested(*of)]),
        },
        Form::Array(of) => Some(vec![*of]),
        Form::Map(key, value) => Some(vec![*key, *value]),
        Form::Struct(_) => None,
    }
}

/// The names that an access begins with, `t.tags` in `t.tags[1].name`, and what comes behind them.
pub(super) fn beginning<'e>(root: &Expr, chain: &'e [AccessExpr]) -> (Vec<Ident>, &'e [AccessExpr]) {
    let Expr::Identifier(first) = root else { return (Vec::new(), chain) };
    let names = chain.iter().map_while(|access| match access {
        AccessExpr::Dot(Expr::Identifier(name)) => Some(name.clone()),
        _ => None,
    });
    let parts: Vec<Ident> = std::iter::once(first.clone()).chain(names).collect();
    let rest = &chain[parts.len() - 1..];
    (parts, rest)
}

/// What `[…]` takes out of a list or a map.
fn element(ty: ColumnType) -> Option<ColumnType> {
    let Nested(nested) = ty else { return None };
    match nested.form() {
        Form::Array(of) | Form::Map(_, of) => Some(*of),
        Form::Struct(_) => None,
    }
}

/// The type of an expression; `column` knows those of the columns in it.
pub(super) fn of(expression: &Expr, column: &dyn Fn(&Expr) -> Option<ColumnType>) -> Option<ColumnType> {
    let of = |expression: &Expr| of(expression, column);
    match expression {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => column(expression),
        Expr::Nested(inner) => of(inner),
        Expr::CompoundFieldAccess { root, access_chain } => {
            let (parts, rest) = beginning(root, access_chain);
            let ty = if parts.len() > 1 { column(&Expr::CompoundIdentifier(parts))? } else { of(root)? };
            rest.iter().try_fold(ty, |ty, access| match access {
                AccessExpr::Dot(Expr::Identifier(name)) => field(ty, &name.value.to_lowercase()),
                AccessExpr::Subscript(Subscript::Index { .. }) => element(ty),
                _ => None,
            })
        }
        Expr::Value(value) => literal(&value.value),
        Expr::TypedString(typed) => cast(&typed.data_type),
        Expr::Cast { data_type, .. } => cast(data_type),
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr } => of(expr),
        Expr::UnaryOp { op: UnaryOperator::Not, .. }
        | Expr::IsFalse(_)
        | Expr::IsNotFalse(_)
        | Expr::IsTrue(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::IsDistinctFrom(..)
        | Expr::IsNotDistinctFrom(..)
        | Expr::InList { .. }
        | Expr::InSubquery { .. }
        | Expr::Between { .. }
        | Expr::Like { .. }
        | Expr::Exists { .. } => Some(Boolean),
        Expr::BinaryOp { left, op, right } => binary(left, op, right, &of),
        Expr::Case { conditions, else_result, .. } => {
            let results = conditions.iter().map(|when| &when.result).chain(else_result.as_deref());
            common(results, &of)
        }
        Expr::Extract { .. } | Expr::Position { .. } => Some(BigInt),
        Expr::Trim { .. } => Some(String),
        Expr::Substring { expr, .. } => of(expr).filter(|ty| *ty == String),
        Expr::Ceil { expr, .. } | Expr::Floor { expr, .. } => of(expr).map(whole),
        Expr::Function(function) => call(function, &of),
        _ => None,
    }
}

fn literal(value: &Value) -> Option<ColumnType> {
    match value {
        Value::Number(written, _) => number(written),
        Value::SingleQuotedString(_) | Value::UnicodeStringLiteral(_) => Some(String),
        Value::Boolean(_) => Some(Boolean),
        Value::HexStringLiteral(_) => Some(Binary),
        _ => None,
    }
}

/// `1` is an integer, `1.0` a decimal, `1e0` a double.
fn number(written: &str) -> Option<ColumnType> {
    if written.contains(['e', 'E']) {
        return Some(Double);
    }
    match written.split_once('.') {
        None if written.parse::<i32>().is_ok() => Some(Int),
        None => written.parse::<i64>().ok().map(|_| BigInt),
        Some((whole, fraction)) => {
            let scale = u8::try_from(fraction.len()).ok()?;
            let precision = u8::try_from(whole.trim_start_matches('0').len()).ok()?.checked_add(scale)?;
            (precision <= MAX_PRECISION).then(|| Decimal(precision.max(1), scale))
        }
    }
}

fn cast(ty: &DataType) -> Option<ColumnType> {
    Some(match ty {
        DataType::Boolean => Boolean,
        DataType::TinyInt(_) => TinyInt,
        DataType::SmallInt(_) => SmallInt,
        DataType::Int(_) | DataType::Integer(_) => Int,
        DataType::BigInt(_) => BigInt,
        DataType::Real => Float,
        DataType::Double(_) | DataType::DoublePrecision => Double,
        DataType::Varchar(_) => String,
        DataType::Varbinary(_) => Binary,
        DataType::Date => Date,
        DataType::Timestamp(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => Timestamp,
        DataType::Decimal(ExactNumberInfo::PrecisionAndScale(precision, scale)) => {
            Decimal(u8::try_from(*precision).ok()?, u8::try_from(*scale).ok()?)
        }
        DataType::Decimal(ExactNumberInfo::Precision(precision)) => Decimal(u8::try_from(*precision).ok()?, 0),
        _ => return None,
    })
}

fn binary(
    left: &Expr,
    op: &BinaryOperator,
    right: &Expr,
    of: &dyn Fn(&Expr) -> Option<ColumnType>,
) -> Option<ColumnType> {
    match op {
        BinaryOperator::Plus
        | BinaryOperator::Minus
        | BinaryOperator::Multiply
        | BinaryOperator::Divide
        | BinaryOperator::Modulo => {
            if matches!(right, Expr::Interval(_)) {
                return of(left).filter(|ty| Family::of(*ty) == Family::Time);
            }
            arithmetic(of(left)?, op, of(right)?)
        }
        BinaryOperator::StringConcat => (of(left)? == String && of(right)? == String).then_some(String),
        BinaryOperator::Eq
        | BinaryOperator::NotEq
        | BinaryOperator::Lt
        | BinaryOperator::LtEq
        | BinaryOperator::Gt
        | BinaryOperator::GtEq
        | BinaryOperator::And
        | BinaryOperator::Or => Some(Boolean),
        _ => None,
    }
}

/// Precision and scale of a decimal, or of the decimal that holds a whole type.
fn digits(ty: ColumnType) -> Option<(u8, u8)> {
    match ty {
        Decimal(precision, scale) => Some((precision, scale)),
        _ => ty.digits().map(|digits| (digits, 0)),
    }
}

fn decimal(precision: u8, scale: u8) -> ColumnType {
    Decimal(precision.min(MAX_PRECISION), scale.min(MAX_PRECISION))
}

fn arithmetic(left: ColumnType, op: &BinaryOperator, right: ColumnType) -> Option<ColumnType> {
    if !left.is_number() || !right.is_number() {
        return None;
    }
    let decimals = matches!(left, Decimal(..)) || matches!(right, Decimal(..));
    let real = |ty| matches!(ty, Float | Double);
    if !decimals || real(left) || real(right) {
        return widest(left, right);
    }
    let ((p1, s1), (p2, s2)) = (digits(left)?, digits(right)?);
    let scale = s1.max(s2);
    Some(match op {
        BinaryOperator::Multiply => decimal(p1 + p2, s1 + s2),
        BinaryOperator::Divide => decimal(p1 + s2 + s2.saturating_sub(s1), scale),
        BinaryOperator::Modulo => decimal((p1 - s1).min(p2 - s2) + scale, scale),
        _ => decimal((p1 - s1).max(p2 - s2) + scale + 1, scale),
    })
}

/// The type that both convert to by themselves.
fn widest(one: ColumnType, other: ColumnType) -> Option<ColumnType> {
    if one == other {
        return Some(one);
    }
    match (one, other) {
        _ if !one.is_number() || !other.is_number() => None,
        (Double, _) | (_, Double) => Some(Double),
        (Float, _) | (_, Float) => Some(Float),
        (Decimal(..), _) | (_, Decimal(..)) => {
            let ((p1, s1), (p2, s2)) = (digits(one)?, digits(other)?);
            let scale = s1.max(s2);
            Some(decimal((p1 - s1).max(p2 - s2) + scale, scale))
        }
        _ => Some(if one.fits(other) { other } else { one }),
    }
}

/// The type that all of these convert to by themselves; what is `null` converts to any.
fn common<'e>(
    expressions: impl Iterator<Item = &'e Expr>,
    of: &dyn Fn(&Expr) -> Option<ColumnType>,
) -> Option<ColumnType> {
    let null = |expression: &Expr| matches!(expression, Expr::Value(value) if value.value == Value::Null);
    let mut types = expressions.filter(|expression| !null(expression)).map(of);
    let first = types.next()??;
    types.try_fold(first, |widest_so_far, ty| widest(widest_so_far, ty?))
}

/// What `ceil` and `floor` make of a type.
fn whole(ty: ColumnType) -> ColumnType {
    match ty {
        Decimal(precision, scale) => decimal(precision - scale + scale.min(1), 0),
        other => other,
    }
}

fn call(function: &Function, of: &dyn Fn(&Expr) -> Option<ColumnType>) -> Option<ColumnType> {
    let [name] = function.name.0.as_slice() else { return None };
    let name = name.as_ident()?.value.to_lowercase();
    let arguments = match &function.args {
        FunctionArguments::None => Vec::new(),
        FunctionArguments::Subquery(_) => return None,
        FunctionArguments::List(list) => list
            .args
            .iter()
            .map(|argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression),
                _ => None,
            })
            .collect(),
    };
    let argument = |at: usize| arguments.get(at).copied().flatten().and_then(of);
    match name.as_str() {
        "count"
        | "count_if"
        | "approx_distinct"
        | "row_number"
        | "rank"
        | "dense_rank"
        | "ntile"
        | "length"
        | "strpos"
        | "date_diff"
        | "year"
        | "quarter"
        | "month"
        | "week"
        | "day"
        | "hour"
        | "minute"
        | "second"
        | "millisecond"
        | "day_of_week"
        | "dow"
        | "day_of_month"
        | "day_of_year"
        | "doy"
        | "year_of_week"
        | "yow"
        | "week_of_year"
        | "cardinality"
        | "from_base"
        | "json_array_length"
        | "levenshtein_distance" => Some(BigInt),
        "stddev" | "stddev_pop" | "stddev_samp" | "variance" | "var_pop" | "var_samp" | "percent_rank"
        | "cume_dist" | "sqrt" | "cbrt" | "exp" | "ln" | "log" | "log2" | "log10" | "power" | "pow" | "sin" | "cos"
        | "tan" | "asin" | "acos" | "atan" | "atan2" | "radians" | "degrees" | "pi" | "e" | "nan" | "infinity"
        | "to_unixtime" => Some(Double),
        "lower"
        | "upper"
        | "replace"
        | "split_part"
        | "regexp_extract"
        | "regexp_replace"
        | "date_format"
        | "format_datetime"
        | "json_extract_scalar"
        | "json_format"
        | "to_hex"
        | "to_base64"
        | "url_encode"
        | "url_decode"
        | "url_extract_host"
        | "url_extract_path"
        | "translate"
        | "chr"
        | "format"
        | "array_join"
        | "from_utf8"
        | "typeof"
        | "ltrim"
        | "rtrim"
        | "trim" => Some(String),
        "regexp_like" | "starts_with" | "bool_and" | "bool_or" | "every" | "is_nan" | "is_finite" | "is_infinite" => {
            Some(Boolean)
        }
        "current_date" | "date" | "from_iso8601_date" | "last_day_of_month" => Some(Date),
        "localtimestamp" | "date_parse" => Some(Timestamp),
        "to_utf8" | "from_base64" | "from_hex" | "md5" | "sha1" | "sha256" | "sha512" => Some(Binary),
        "sum" => match argument(0)? {
            ty if ty.is_integer() => Some(BigInt),
            Decimal(_, scale) => Some(Decimal(MAX_PRECISION, scale)),
            ty @ (Float | Double) => Some(ty),
            _ => None,
        },
        "avg" => match argument(0)? {
            ty if ty.is_integer() => Some(Double),
            ty @ (Decimal(..) | Float | Double) => Some(ty),
            _ => None,
        },
        // With a number they give the largest so many, as an array.
        "min" | "max" if arguments.len() == 1 => argument(0),
        "max_by" | "min_by" if arguments.len() == 2 => argument(0),
        "any_value" | "arbitrary" | "lag" | "lead" | "first_value" | "last_value" | "nth_value" | "abs" | "try"
        | "nullif" => argument(0),
        "date_trunc" => argument(1),
        "date_add" => argument(2),
        "mod" => arithmetic(argument(0)?, &BinaryOperator::Modulo, argument(1)?),
        "ceil" | "ceiling" | "floor" => argument(0).map(whole),
        "round" => match (argument(0)?, arguments.len()) {
            (Decimal(precision, scale), 2) => Some(decimal(precision + 1, scale)),
            (Decimal(precision, scale), _) => Some(decimal(precision - scale + 1, 0)),
            (ty, _) => Some(ty),
        },
        "coalesce" | "greatest" | "least" => {
            common(arguments.iter().copied().collect::<Option<Vec<_>>>()?.into_iter(), of)
        }
        "if" => common(arguments.iter().copied().skip(1).collect::<Option<Vec<_>>>()?.into_iter(), of),
        "concat" => {
            let text = !arguments.is_empty() && (0..arguments.len()).all(|at| argument(at) == Some(String));
            text.then_some(String)
        }
        // Of arrays and bytes they make such.
        "substr" | "substring" | "lpad" | "rpad" | "reverse" => argument(0).filter(|ty| *ty == String),
        _ => None,
    }
}
