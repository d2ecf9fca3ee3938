//! Items that a job wrote, held against the key-value table that declares them.

use std::collections::BTreeSet;
use std::path::Path;

use super::files::{Doing, FileError};
use super::serve::attribute::{Attribute, Item};
use super::serve::store::{DynamoStore, Key};
use crate::lake::{Column, ColumnType, Table};

/// Why a table's items are not what it declares.
#[derive(Debug, thiserror::Error)]
pub enum ItemsError {
    /// They cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// They have something that is not declared.
    #[error("column `{column}` is not declared by table `{table}`, which has {known}")]
    Extra {
        /// The table.
        table: String,
        /// The attribute.
        column: String,
        /// The table's columns.
        known: String,
    },
    /// None of them has something that is declared.
    #[error("table `{table}` declares column `{column}`, which none of its items has")]
    Missing {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// One has a value of another type.
    #[error("column `{column}` of table `{table}` is declared {declared}, but was given DynamoDB's `{given}`")]
    Type {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The column's type.
        declared: ColumnType,
        /// DynamoDB's data type descriptor.
        given: &'static str,
    },
}

/// How many items there are in `dir`, when all are what the table declares. An item may leave columns out.
///
/// # Errors
/// What is wrong with the first item that is not.
pub fn check(dir: &Path, key: Key, table: &Table) -> Result<u64, ItemsError> {
    let store = DynamoStore::open(dir, key).doing("read", dir)?;
    let mut seen = BTreeSet::new();
    for key in store.keys() {
        let Some(bytes) = store.get(&key).doing("read", dir)? else { continue };
        let item: Item = serde_json::from_slice(&bytes).map_err(std::io::Error::from).doing("read", dir)?;
        for (name, value) in &item {
            let column = table.columns.iter().find(|column| column.name == *name).ok_or_else(|| extra(table, name))?;
            if !fits(value, column.ty) {
                let (declared, given) = (column.ty, value.descriptor());
                return Err(ItemsError::Type { table: table.name.clone(), column: name.clone(), declared, given });
            }
            seen.insert(column.name.as_str());
        }
    }
    let missing = |column: &&Column| !seen.contains(column.name.as_str());
    match table.columns.iter().find(missing) {
        Some(column) if !store.is_empty() => {
            Err(ItemsError::Missing { table: table.name.clone(), column: column.name.clone() })
        }
        _ => Ok(store.len() as u64),
    }
}

fn extra(table: &Table, name: &str) -> ItemsError {
    let known: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let known = crate::diagnostic::listed(&known);
    ItemsError::Extra { table: table.name.clone(), column: name.to_owned(), known }
}

/// Whether a column may hold a value. Columns have no type for maps, lists and sets, which are declared as text.
fn fits(value: &Attribute, ty: ColumnType) -> bool {
    match value {
        Attribute::Null(_) => true,
        Attribute::N(_) => ty.is_number(),
        Attribute::B(_) => ty == ColumnType::Binary,
        Attribute::Bool(_) => ty == ColumnType::Boolean,
        Attribute::S(_) => matches!(ty, ColumnType::String | ColumnType::Date | ColumnType::Timestamp),
        Attribute::M(_) | Attribute::L(_) | Attribute::Strings(_) | Attribute::Numbers(_) | Attribute::Binaries(_) => {
            ty == ColumnType::String
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::serve::store::{Change, KeyKind};
    use super::*;
    use crate::lake::Home;

    fn table(columns: &[(&str, ColumnType)]) -> Table {
        let column = |(name, ty): &(&str, ColumnType)| Column {
            name: (*name).to_owned(),
            ty: *ty,
            primary_key: false,
            references: None,
            comment: None,
        };
        Table {
            name: "notes".into(),
            home: Home::DynamoDb { key: 0 },
            file: "notes.json".into(),
            columns: columns.iter().map(column).collect(),
            partitions: Vec::new(),
            projections: Vec::new(),
            buckets: None,
            description: None,
            properties: Vec::new(),
            writer: None,
            crawler: None,
            in_aws: "notes".into(),
        }
    }

    #[test]
    fn items_are_held_to_the_columns() {
        use ColumnType::{BigInt, Binary, Boolean, Date, String as Text};
        type Case = (&'static str, &'static [(&'static str, ColumnType)], &'static str);
        let key = Key { name: "id".into(), kind: KeyKind::Number };
        let cases: [Case; 7] = [
            (r#"{"id":{"N":"1"},"text":{"S":"x"}}"#, &[("id", BigInt), ("text", Text)], "1"),
            (r#"{"id":{"N":"1"},"day":{"S":"2026-01-01"}}"#, &[("id", BigInt), ("day", Date)], "1"),
            (r#"{"id":{"N":"1"},"map":{"M":{"a":{"N":"1"}}}}"#, &[("id", BigInt), ("map", Text)], "1"),
            (r#"{"id":{"N":"1"},"bytes":{"NULL":true}}"#, &[("id", BigInt), ("bytes", Binary)], "1"),
            (
                r#"{"id":{"N":"1"},"txt":{"S":"x"}}"#,
                &[("id", BigInt), ("text", Text)],
                "column `txt` is not declared by table `notes`, which has `id` and `text`",
            ),
            (
                r#"{"id":{"N":"1"}}"#,
                &[("id", BigInt), ("text", Text)],
                "table `notes` declares column `text`, which none of its items has",
            ),
            (
                r#"{"id":{"N":"1"},"ok":{"N":"1"}}"#,
                &[("id", BigInt), ("ok", Boolean)],
                "column `ok` of table `notes` is declared boolean, but was given DynamoDB's `N`",
            ),
        ];
        for (item, columns, said) in cases {
            let folder = tempfile::tempdir().unwrap();
            let store = DynamoStore::create(folder.path(), key.clone()).unwrap();
            store.put(&[Change::Put(serde_json::from_str(item).unwrap())]).unwrap();
            drop(store);
            let found = check(folder.path(), key.clone(), &table(columns));
            assert_eq!(found.map_or_else(|error| error.to_string(), |rows| rows.to_string()), said, "{item}");
        }
    }
}
