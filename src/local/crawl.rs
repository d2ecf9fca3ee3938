//! What a crawler found, held against what the blueprint declares.
use serde::Deserialize;

use crate::kind::nested::Form;
use crate::lake::{Column, ColumnType, Table};

/// The result of a crawl.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Crawled {
    /// One for each table that was looked at.
    pub tables: Vec<CrawledTable>,
}

/// A table as the crawler's rules see it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct CrawledTable {
    /// Its name.
    pub name: String,
    /// Its columns in their order, with types as Glue names them.
    pub columns: Vec<CrawledColumn>,
    /// Rows in all files.
    pub rows: u64,
}

/// A column as the crawler's rules see it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CrawledColumn {
    /// Its name.
    pub name: String,
    /// Its type as Glue names it.
    #[serde(rename = "type")]
    pub ty: String,
}

/// Where the files and the declaration disagree, a sentence for each.
pub fn differences(declared: &Table, found: &CrawledTable) -> Vec<String> {
    let mut notes = Vec::new();
    for Column { name, ty, primary_key: _, references: _, comment: _ } in &declared.columns {
        match found.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name)) {
            None => notes.push(format!("table `{}`: the files have no column `{name}`", declared.name)),
            // Without rows there are no values to look at.
            Some(column) if found.rows > 0 && !holds(*ty, &column.ty) => notes.push(format!(
                "table `{}`: column `{name}` is declared as {ty}, its values look like {}",
                declared.name, column.ty
            )),
            Some(_) => {}
        }
    }
    for column in &found.columns {
        if !declared.columns.iter().any(|one| one.name.eq_ignore_ascii_case(&column.name)) {
            notes.push(format!(
                "table `{}`: the files have a column `{}`, which is not declared",
                declared.name, column.name
            ));
        }
    }
    notes
}

/// Whether a column of type `declared` can hold values that look like `found`.
fn holds(declared: ColumnType, found: &str) -> bool {
    let is = |names: &[&str]| names.contains(&found);
    let integer = is(&["tinyint", "smallint", "int", "bigint"]);
    let number = integer || is(&["float", "double"]) || found.starts_with("decimal");
    match declared {
        ColumnType::String => true,
        ColumnType::Boolean => is(&["boolean"]),
        ColumnType::TinyInt | ColumnType::SmallInt | ColumnType::Int | ColumnType::BigInt => integer,
        ColumnType::Float | ColumnType::Double | ColumnType::Decimal(_, _) => number,
        // The crawler's CSV rules know no dates: they stay text, and are read by what is declared.
        ColumnType::Date => is(&["date", "string", "timestamp"]),
        ColumnType::Timestamp => is(&["timestamp", "date", "string"]),
        ColumnType::Binary => is(&["binary", "string"]),
        ColumnType::Nested(nested) => {
            // A crawler takes every JSON object for a struct.
            let Ok(ColumnType::Nested(found)) = found.parse::<ColumnType>() else { return false };
            match (nested.form(), found.form()) {
                (Form::Array(ours), Form::Array(theirs)) => holds(*ours, &theirs.to_string()),
                (Form::Map(_, ours), Form::Struct(fields)) => {
                    fields.iter().all(|(_, theirs)| holds(*ours, &theirs.to_string()))
                }
                (Form::Struct(ours), Form::Struct(theirs)) => theirs.iter().all(|(name, found)| {
                    ours.iter().any(|(known, ty)| known == name && holds(*ty, &found.to_string()))
                }),
                _ => nested == found,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_hold_what_fits_into_them() {
        let table = [
            (ColumnType::Int, "bigint", true),
            (ColumnType::Int, "double", false),
            (ColumnType::Int, "string", false),
            (ColumnType::Double, "bigint", true),
            (ColumnType::Decimal(10, 2), "double", true),
            (ColumnType::String, "bigint", true),
            (ColumnType::Date, "string", true),
            (ColumnType::Date, "bigint", false),
            (ColumnType::Boolean, "string", false),
        ];
        for (declared, found, expected) in table {
            assert_eq!(holds(declared, found), expected, "{declared} {found}");
        }
        let table = [
            ("array<double>", "array<bigint>", true),
            ("array<int>", "array<string>", false),
            ("array<int>", "string", false),
            ("map<string,int>", "struct<a:bigint,b:int>", true),
            ("map<string,int>", "struct<a:bigint,b:string>", false),
            ("struct<a:int,b:array<string>>", "struct<b:array<string>>", true),
            ("struct<a:int>", "struct<a:int,b:int>", false),
        ];
        for (declared, found, expected) in table {
            assert_eq!(holds(declared.parse().unwrap(), found), expected, "{declared} {found}");
        }
    }

    #[test]
    fn a_table_without_rows_has_no_values_that_could_be_of_another_type() {
        let id = Column { name: "id".into(), ty: ColumnType::Int, primary_key: false, references: None, comment: None };
        let declared = Table {
            name: "orders".into(),
            home: crate::lake::Home::DynamoDb { key: 0 },
            file: "orders.csv".into(),
            columns: vec![id],
            partitions: Vec::new(),
            projections: Vec::new(),
            buckets: None,
            description: None,
            properties: Vec::new(),
            writer: None,
            crawler: None,
            in_aws: "orders".into(),
        };
        let text = CrawledColumn { name: "id".into(), ty: "string".into() };
        let found = |rows| CrawledTable { name: "orders".into(), columns: vec![text.clone()], rows };
        assert!(differences(&declared, &found(0)).is_empty());
        assert_eq!(differences(&declared, &found(1)).len(), 1);
    }
}
