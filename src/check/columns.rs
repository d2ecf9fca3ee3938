//! Columns of tables: what is declared, and the places to show when somebody names a column that is not.

use super::Check;
use crate::diagnostic::{Diagnostic, Noted, did_you_mean, nearest};
use crate::lake::{ColumnType, Id, Table};
use crate::source::{Span, Spanned};

/// More places than this are no help.
const MAX_PLACES: usize = 3;

impl<'a> Check<'a> {
    pub(crate) fn written_columns(
        &self,
        table: Id<Table>,
    ) -> Option<impl Iterator<Item = (&'a Spanned<String>, Option<&'a str>)>> {
        let spec = self.blueprint.tables.0.get(table.index())?.1.as_ref()?;
        Some(spec.written_columns())
    }

    /// The names of a table's columns and partitions as written, even when a type among them is wrong; a type is known when it
    /// is right.
    pub(crate) fn columns(&self, table: Id<Table>) -> Option<Vec<(String, Option<ColumnType>)>> {
        let columns = self.written_columns(table)?;
        Some(columns.map(|(name, ty)| (name.value.clone(), ty.and_then(|ty| ty.parse().ok()))).collect())
    }

    /// The place where a table declares a column.
    pub(crate) fn declaration(&self, table: Id<Table>, column: &str) -> Option<Span> {
        self.written_columns(table)?.find(|(name, _)| name.value == column).map(|(name, _)| name.span)
    }

    /// Where tables declare their columns, to be shown with a mistake about one that they do not have: the column that was
    /// probably meant, or else the names of the tables.
    pub(crate) fn declarations(&self, tables: &[Id<Table>], column: &str) -> Vec<(Span, String)> {
        let mut places = Vec::new();
        for table in tables {
            let Some((name, _)) = self.blueprint.tables.0.get(table.index()) else { continue };
            let Some(columns) = self.written_columns(*table) else { continue };
            let columns: Vec<&Spanned<String>> = columns.map(|(name, _)| name).collect();
            if columns.iter().any(|known| known.value == column) {
                continue;
            }
            if let Some(near) = nearest(column, columns.iter().map(|known| known.as_str()))
                && let Some(found) = columns.iter().find(|known| known.value == near)
            {
                return vec![(found.span, format!("`{}` declares `{near}`", name.value))];
            }
            places.push((name.span, format!("`{}` declares its columns here", name.value)));
        }
        places.truncate(MAX_PLACES);
        places
    }

    /// Notes that a table has no column of that name, and where it says which it has.
    pub(crate) fn no_column(&mut self, span: Span, column: &str, table: Id<Table>) -> Noted<'_> {
        let name = self.blueprint.tables.0.get(table.index()).map_or("", |(name, _)| name.as_str());
        let message = format!("no column named `{column}` in `{name}`");
        let known = self.written_columns(table).into_iter().flatten();
        let help = did_you_mean(column, known.map(|(name, _)| name.as_str()));
        let places = self.declarations(&[table], column);
        self.push(Diagnostic::error(span, message).maybe_help(help)).places(places)
    }
}
