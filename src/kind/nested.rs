//! Types that are made of others: lists, maps and rows in rows.

use std::collections::HashSet;
use std::fmt;
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::kind::table::ColumnType;

/// A type that is made of others. Each is kept once, for as long as lakegen runs, so that types are as cheap to copy and to
/// compare as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nested(&'static Form);

/// How a type is made of others.
#[derive(Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// A list.
    Array(ColumnType),
    /// From keys to values.
    Map(ColumnType, ColumnType),
    /// Fields by name, in order.
    Struct(Vec<(String, ColumnType)>),
}

/// More than any reader of tables follows, and few enough to go down without running out of stack.
const DEEPEST: usize = 16;

impl Nested {
    /// The type of that form.
    #[must_use]
    pub fn of(form: Form) -> Self {
        static KEPT: LazyLock<Mutex<HashSet<&'static Form>>> = LazyLock::new(Mutex::default);
        // A set of types is whole after every change, also after a panic elsewhere.
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.get(&form) {
            return Self(known);
        }
        let form = Box::leak(Box::new(form));
        kept.insert(form);
        Self(form)
    }

    /// How it is made of others.
    #[must_use]
    pub fn form(self) -> &'static Form {
        self.0
    }

    /// Whether it is a map, or holds one at any depth.
    #[must_use]
    pub fn holds_map(self) -> bool {
        let inside = |ty: &ColumnType| matches!(ty, ColumnType::Nested(nested) if nested.holds_map());
        match self.0 {
            Form::Array(of) => inside(of),
            Form::Map(..) => true,
            Form::Struct(fields) => fields.iter().any(|(_, ty)| inside(ty)),
        }
    }

    /// The type, written with these names of the plain types, and these signs around its parts.
    pub(crate) fn written(self, plain: &dyn Fn(ColumnType) -> String, style: &Style) -> String {
        let inside = |ty: &ColumnType| match ty {
            ColumnType::Nested(nested) => nested.written(plain, style),
            ty => plain(*ty),
        };
        let Style { array: (before, behind), map, row, between, open, close } = style;
        match self.0 {
            Form::Array(of) => format!("{before}{}{behind}", inside(of)),
            Form::Map(key, value) => format!("{map}{open}{},{}{close}", inside(key), inside(value)),
            Form::Struct(fields) => {
                let quoted = |name: &str| if *between == ' ' { format!("\"{name}\"") } else { name.to_owned() };
                let fields: Vec<String> =
                    fields.iter().map(|(name, ty)| format!("{}{between}{}", quoted(name), inside(ty))).collect();
                format!("{row}{open}{}{close}", fields.join(","))
            }
        }
    }
}

/// How a language writes types that are made of others.
pub(crate) struct Style {
    /// Around what a list holds.
    pub(crate) array: (&'static str, &'static str),
    /// The word for a map.
    pub(crate) map: &'static str,
    /// The word for a struct.
    pub(crate) row: &'static str,
    /// Between a field's name and its type.
    pub(crate) between: char,
    /// Before the parts.
    pub(crate) open: char,
    /// Behind the parts.
    pub(crate) close: char,
}

/// Glue's, Hive's and Spark's.
const GLUE: Style = Style { array: ("array<", ">"), map: "map", row: "struct", between: ':', open: '<', close: '>' };
/// Athena's, in SQL.
pub(crate) const ATHENA: Style =
    Style { array: ("array(", ")"), map: "map", row: "row", between: ' ', open: '(', close: ')' };
/// DuckDB's.
pub(crate) const DUCKDB: Style =
    Style { array: ("", "[]"), map: "MAP", row: "STRUCT", between: ' ', open: '(', close: ')' };

impl fmt::Display for Nested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written(&|ty| ty.to_string(), &GLUE))
    }
}

/// What to do about a type of which only the beginning was read.
pub(super) const CUT: &str = "quote the whole of it: between `{` and `}` a comma ends a text of YAML";

/// The type that is written, when it is to be one that is made of others.
///
/// # Errors
/// What to write instead, if that can be said.
pub(super) fn parse(text: &str) -> Option<Result<ColumnType, Option<String>>> {
    let (word, inside) = text.split_once('<')?;
    let Some(inside) = inside.strip_suffix('>') else {
        let begins = matches!(word, "array" | "map" | "struct");
        return begins.then(|| Err(Some(CUT.into())));
    };
    Some(if deepest(text) > DEEPEST {
        Err(Some(format!("at most {DEEPEST} types may be in each other")))
    } else {
        form(word.trim(), inside).map(|form| ColumnType::Nested(Nested::of(form)))
    })
}

fn form(word: &str, inside: &str) -> Result<Form, Option<String>> {
    let parts = parts(inside);
    match (word, parts.as_slice()) {
        ("array", [of]) => Ok(Form::Array(part(of)?)),
        ("array", _) => Err(Some("a list holds one type: `array<string>`".into())),
        ("map", [key, value]) => {
            let key = part(key)?;
            if matches!(key, ColumnType::Nested(_)) {
                return Err(Some("a map's keys are plain: `map<string,int>`".into()));
            }
            Ok(Form::Map(key, part(value)?))
        }
        ("map", _) => Err(Some("a map holds a type of keys and one of values: `map<string,int>`".into())),
        ("struct", parts) => {
            let mut fields: Vec<(String, ColumnType)> = Vec::new();
            for written in parts {
                let Some((name, ty)) = written.split_once(':') else {
                    return Err(Some("a struct has named fields: `struct<street:string,zip:int>`".into()));
                };
                let name = name.trim();
                let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
                if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(plain) {
                    return Err(Some(format!(
                        "a field's name has small letters, digits and `_`, and begins with a letter; `{name}` does not"
                    )));
                }
                if fields.iter().any(|(known, _)| known == name) {
                    return Err(Some(format!("there are two fields `{name}`")));
                }
                fields.push((name.to_owned(), part(ty)?));
            }
            Ok(Form::Struct(fields))
        }
        ("list", _) => Err(Some("Glue calls a list `array<…>`".into())),
        ("row" | "object" | "record", _) => Err(Some("Glue calls rows in rows `struct<name:type,…>`".into())),
        ("dict", _) => Err(Some("Glue calls it `map<…,…>`".into())),
        _ => Err(None),
    }
}

fn part(text: &str) -> Result<ColumnType, Option<String>> {
    let text = text.trim();
    text.parse().map_err(|help: Option<String>| {
        Some(help.unwrap_or_else(|| format!("`{text}` in it is no type that lakegen knows")))
    })
}

/// What stands between the commas that are in no brackets.
fn parts(text: &str) -> Vec<&str> {
    let (mut depth, mut from, mut found) = (0_i32, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '<' | '(' => depth += 1,
            '>' | ')' => depth -= 1,
            ',' if depth == 0 => {
                found.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    found.push(&text[from..]);
    found
}

fn deepest(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for c in text.chars() {
        match c {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_comes_back_and_means_the_same_in_other_languages() {
        let table = [
            ("array<string>", "array(varchar)", "VARCHAR[]"),
            ("map<string,int>", "map(varchar,integer)", "MAP(VARCHAR,INTEGER)"),
            (
                "struct<street:string,at:struct<lat:double,tags:array<decimal(10,2)>>>",
                r#"row("street" varchar,"at" row("lat" double,"tags" array(decimal(10,2))))"#,
                r#"STRUCT("street" VARCHAR,"at" STRUCT("lat" DOUBLE,"tags" DECIMAL(10,2)[]))"#,
            ),
            ("array<array<map<date,binary>>>", "array(array(map(date,varbinary)))", "MAP(DATE,BLOB)[][]"),
        ];
        for (glue, athena, duckdb) in table {
            let ty: ColumnType = glue.parse().unwrap();
            assert_eq!(ty.to_string(), glue);
            assert_eq!(ty.athena(), athena);
            assert_eq!(ty.duckdb(), duckdb);
        }
        assert_eq!("map< string , int >".parse(), "map<string,int>".parse::<ColumnType>());
    }

    #[test]
    fn what_is_no_type_says_what_to_write() {
        let table = [
            ("array<text>", "Glue calls it `string`"),
            ("list<string>", "Glue calls a list `array<…>`"),
            ("array<int,int>", "a list holds one type: `array<string>`"),
            ("map<string>", "a map holds a type of keys and one of values: `map<string,int>`"),
            ("map<array<int>,int>", "a map's keys are plain: `map<string,int>`"),
            ("struct<string>", "a struct has named fields: `struct<street:string,zip:int>`"),
            ("struct<>", "a struct has named fields: `struct<street:string,zip:int>`"),
            ("struct<a:int,a:int>", "there are two fields `a`"),
            (
                "struct<Zip:int>",
                "a field's name has small letters, digits and `_`, and begins with a letter; `Zip` does not",
            ),
            ("map<string", CUT),
            ("struct<a:zzz>", "`zzz` in it is no type that lakegen knows"),
        ];
        for (text, help) in table {
            assert_eq!(text.parse::<ColumnType>(), Err(Some(help.to_owned())), "{text}");
        }
        let deep = format!("{}int{}", "array<".repeat(100_000), ">".repeat(100_000));
        assert_eq!(deep.parse::<ColumnType>(), Err(Some("at most 16 types may be in each other".to_owned())));
        for text in ["array<", "<>", ">", "array<int>>", "array<>", "struct<a:array<>"] {
            assert!(text.parse::<ColumnType>().is_err(), "{text}");
        }
    }
}
