//! What a step does locally: DuckDB's SQL over the table `rows`, written from the templates of the table of steps.

use super::action::{Action, Does, Fits, Key, Makes, Need};
use super::arg::{Aggregate, Arg, Columns, Other};
use super::condition;
use crate::kind::nested::Form;
use crate::lake::ColumnType;

/// A step with its keys read, and the columns before it.
pub(crate) struct Step<'a> {
    /// The row of the table.
    pub action: &'static Action,
    /// What was written for each key that has a value.
    pub args: &'a [(&'static Key, Arg)],
    /// The columns before the step.
    pub columns: &'a [(String, Option<ColumnType>)],
}

/// The columns after a step, and the SQL that makes its rows.
pub(crate) struct Outcome {
    /// The columns after it.
    pub columns: Columns,
    /// A query over `rows`.
    pub sql: String,
}

/// Rows numbered as they come; what looks at the order of rows is computed over these.
const NUMBERED: &str = "(SELECT *, row_number() OVER () AS \"row number\" FROM rows)";

/// A name in SQL.
pub(crate) fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in SQL.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Step<'_> {
    fn arg(&self, key: &str) -> Option<&Arg> {
        self.args.iter().find(|(known, _)| known.name == key).map(|(_, arg)| arg)
    }

    /// The name in a key that names a column.
    pub(super) fn name(&self, key: &str) -> &str {
        match self.arg(key) {
            Some(Arg::Column(name, _) | Arg::New(name)) => name,
            _ => "",
        }
    }

    /// The step's column.
    pub(super) fn column(&self) -> &str {
        self.name("column")
    }

    /// Its type.
    pub(super) fn column_type(&self) -> Option<ColumnType> {
        match self.arg("column") {
            Some(Arg::Column(_, ty)) => *ty,
            _ => None,
        }
    }

    /// The columns of a list.
    pub(super) fn listed(&self, key: &str) -> &[(String, Option<ColumnType>)] {
        match self.arg(key) {
            Some(Arg::Columns(columns)) => columns,
            _ => &[],
        }
    }

    /// A text.
    pub(super) fn text(&self, key: &str) -> &str {
        match self.arg(key) {
            Some(Arg::Text(text)) => text,
            _ => "",
        }
    }

    /// A list of texts or numbers.
    pub(super) fn texts(&self, key: &str) -> &[String] {
        match self.arg(key) {
            Some(Arg::List(texts)) => texts,
            _ => &[],
        }
    }

    /// A map.
    pub(super) fn pairs(&self, key: &str) -> &[(String, String)] {
        match self.arg(key) {
            Some(Arg::Pairs(pairs)) => pairs,
            _ => &[],
        }
    }

    /// The word that was chosen.
    pub(super) fn chosen(&self, key: &str) -> &str {
        match self.arg(key) {
            Some(Arg::Choice(choice)) => choice.word,
            _ => "",
        }
    }

    /// The aggregates.
    pub(super) fn aggregates(&self, key: &str) -> &[Aggregate] {
        match self.arg(key) {
            Some(Arg::Aggregates(aggregates)) => aggregates,
            _ => &[],
        }
    }

    /// The other tables.
    pub(super) fn others(&self, key: &str) -> &[Other] {
        match self.arg(key) {
            Some(Arg::Table(other)) => std::slice::from_ref(other),
            Some(Arg::Tables(others)) => others,
            _ => &[],
        }
    }

    /// A key's value in SQL.
    pub(super) fn sql(&self, key: &str) -> String {
        self.placeholder(key, self.column(), self.column_type())
    }

    /// What the step does.
    pub(super) fn outcome(&self) -> Outcome {
        let kept = |sql: String| Outcome { columns: self.columns.to_vec(), sql };
        match &self.action.does {
            Does::Keep(condition) => kept(format!("SELECT * FROM rows WHERE {}", self.fill(condition))),
            Does::Rows(query) => kept(self.fill(query)),
            Does::Columns(outcome) | Does::Combine(outcome, _) => outcome(self),
            Does::Make(template, makes) => {
                let ty = self.makes(*makes, self.column_type());
                let to = self.name("to");
                let value = format!("{} AS {}", cast(&self.fill(template), ty), ident(to));
                let mut columns = self.columns.to_vec();
                columns.push((to.to_owned(), ty));
                Outcome { columns, sql: over_rows(&format!("*, {value}"), template) }
            }
            Does::Change(template, makes) => {
                let mut columns = self.columns.to_vec();
                let mut values = Vec::new();
                let targets = match self.arg("column") {
                    Some(Arg::Column(name, ty)) => &[(name.clone(), *ty)],
                    _ => self.listed("columns"),
                };
                for (name, from) in targets {
                    let ty = self.makes(*makes, *from);
                    let value = self.fill_for(template, name, *from);
                    let value = if ty == *from && matches!(makes, Makes::Same) { value } else { cast(&value, ty) };
                    values.push(format!("{value} AS {}", ident(name)));
                    columns.iter_mut().filter(|(column, _)| column == name).for_each(|column| column.1 = ty);
                }
                Outcome { columns, sql: over_rows(&format!("* REPLACE ({})", values.join(", ")), template) }
            }
        }
    }

    fn makes(&self, makes: Makes, column: Option<ColumnType>) -> Option<ColumnType> {
        match makes {
            Makes::Same => column,
            Makes::Is(ty) => Some(ty),
            Makes::Wider => {
                let mut types = Vec::new();
                for (_, arg) in self.args {
                    match arg {
                        Arg::Columns(columns) => types.extend(columns.iter().map(|(_, ty)| *ty)),
                        Arg::OperandColumn(_, ty) | Arg::OperandValue(_, ty) => types.push(*ty),
                        _ => {}
                    }
                }
                let first = types.first().copied().flatten();
                types.into_iter().try_fold(first?, |widest, ty| wider(widest, ty?))
            }
        }
    }

    /// The template with the step's keys in it.
    pub(super) fn fill(&self, template: &str) -> String {
        self.fill_for(template, self.column(), self.column_type())
    }

    /// The template with every `{key}` replaced; `{columns:, :f(_)}` puts each column of a list in the place of `_`.
    fn fill_for(&self, template: &str, column: &str, ty: Option<ColumnType>) -> String {
        let mut out = String::with_capacity(template.len() * 2);
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((inside, behind)) = after.split_once('}') else { break };
            out.push_str(before);
            let mut parts = inside.splitn(3, ':');
            let key = parts.next().unwrap_or_default();
            match (parts.next(), parts.next()) {
                (Some(between), Some(each)) => {
                    let all = self.listed(key).iter().map(|(name, _)| each.replace('_', &ident(name)));
                    out.push_str(&all.collect::<Vec<_>>().join(between));
                }
                _ => out.push_str(&self.placeholder(key, column, ty)),
            }
            rest = behind;
        }
        out.push_str(rest);
        out
    }

    fn placeholder(&self, key: &str, column: &str, ty: Option<ColumnType>) -> String {
        let known = self.action.keys.iter().find(|known| known.name == key);
        match (key, self.arg(key), known.map(|known| known.need)) {
            // One of `columns` at a time, or the one column.
            ("column", ..) => ident(column),
            ("missing", None, _) => condition::missing(column, ty),
            ("moment", None, _) => format!("TRY_CAST({} AS TIMESTAMP)", ident(column)),
            ("all", None, _) => self.columns.iter().map(|(name, _)| ident(name)).collect::<Vec<_>>().join(", "),
            (_, Some(Arg::Choice(choice)), _) => self.fill_for(choice.sql, column, ty),
            (_, Some(arg), _) => arg.sql(),
            (_, None, Some(Need::Optional(sql))) => self.fill_for(sql, column, ty),
            (_, None, _) => String::new(),
        }
    }
}

fn over_rows(selected: &str, template: &str) -> String {
    if template.contains("\"row number\"") {
        format!("SELECT * EXCLUDE (\"row number\") FROM (SELECT {selected} FROM {NUMBERED} ORDER BY \"row number\")")
    } else {
        format!("SELECT {selected} FROM rows")
    }
}

/// A value made into a type, if there is one to make it into.
pub(super) fn cast(value: &str, ty: Option<ColumnType>) -> String {
    ty.map_or_else(|| value.to_owned(), |ty| format!("CAST({value} AS {})", ty.duckdb()))
}

/// The type that holds both; none when that depends on more than the types.
fn wider(a: ColumnType, b: ColumnType) -> Option<ColumnType> {
    use ColumnType::{BigInt, Double, Float, Int, SmallInt, TinyInt};
    const INTEGERS: [ColumnType; 4] = [TinyInt, SmallInt, Int, BigInt];
    match (a, b) {
        _ if a == b => Some(a),
        (Double | Float, b) | (b, Double | Float) => b.is_number().then_some(Double),
        _ => {
            let size = |ty| INTEGERS.iter().position(|known| *known == ty);
            Some(INTEGERS[size(a)?.max(size(b)?)])
        }
    }
}

/// The type that holds the values of all columns, as Spark finds it; none when that is not known.
pub(super) fn common(columns: &[(String, Option<ColumnType>)]) -> Option<ColumnType> {
    let mut types = columns.iter().map(|(_, ty)| *ty);
    let first = types.next()??;
    types.try_fold(first, |widest, ty| {
        let ty = ty?;
        if widest.is_number() && ty.is_number() || widest == ty {
            return wider(widest, ty);
        }
        let day = |ty| matches!(ty, ColumnType::Date | ColumnType::Timestamp);
        Some(if day(widest) && day(ty) { ColumnType::Timestamp } else { ColumnType::String })
    })
}

/// How a type is made of others, if it is.
pub(super) fn form(ty: ColumnType) -> Option<&'static Form> {
    match ty {
        ColumnType::Nested(nested) => Some(nested.form()),
        _ => None,
    }
}

impl Fits {
    /// Whether a column of this type may stand here; one of unknown type may.
    pub(super) fn takes(self, ty: Option<ColumnType>) -> bool {
        let Some(ty) = ty else { return true };
        match self {
            Self::Any => true,
            Self::Plain => !matches!(ty, ColumnType::Nested(_)),
            Self::Array => matches!(form(ty), Some(Form::Array(_))),
            Self::Map => matches!(form(ty), Some(Form::Map(..))),
            Self::Struct => matches!(form(ty), Some(Form::Struct(_))),
            Self::Text => ty == ColumnType::String,
            Self::Number => ty.is_number(),
            Self::Time => matches!(ty, ColumnType::String | ColumnType::Date | ColumnType::Timestamp),
        }
    }
}
