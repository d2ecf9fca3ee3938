//! A query: Athena SQL that writes a table.

use crate::check::Check;
use crate::decode::section;
use crate::lake::{Format, Home, Id, Table};
use crate::source::{Source, Span, Spanned};
use crate::sql;

section! {
    /// An Athena query that writes a table.
    "a query"
    pub struct QuerySpec {
        /// The table that it writes.
        writes: Spanned<String>,
        /// One `select`; what it reads follows from it.
        sql: Option<Spanned<String>>,
        /// Instead of `sql`: a file that holds it.
        file: Option<Spanned<String>>,
    }
}

/// An Athena query that writes a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The name.
    pub name: String,
    /// One `select`, in Athena's dialect.
    pub sql: String,
    /// The tables that it reads, in the order of the blueprint.
    pub reads: Vec<Id<Table>>,
    /// The table that it writes.
    pub writes: Id<Table>,
}

impl QuerySpec {
    pub(crate) fn check(&self, name: &Spanned<String>, cx: &mut Check<'_>) -> Option<Query> {
        let writes = cx.table(&self.writes);
        if let Some(id) = writes {
            cx.refuse_dynamodb(&self.writes, id, "a query");
            let table = cx.tables.get(id.index()).and_then(Option::as_ref);
            if matches!(table, Some(Table { home: Home::Zone { format: Format::Csv(_), .. }, .. })) {
                // Source: "UNLOAD" of the Athena user guide: text files come without a header line.
                cx.error(self.writes.span, "Athena writes CSV without the header line that tables of a lake have")
                    .help("let the table be `format: parquet` or `format: json`");
            }
        }
        let text = match (&self.sql, &self.file) {
            (Some(sql), None) => Some(sql.clone()),
            (None, Some(file)) => {
                let path = cx.file(file);
                path.and_then(|path| match cx.files.read(&path) {
                    Ok(text) => {
                        let source = u32::try_from(cx.sources.len()).unwrap_or(u32::MAX);
                        let end = u32::try_from(text.len()).unwrap_or(u32::MAX);
                        cx.sources.push(Source { name: path.display().to_string(), text: text.as_str().into() });
                        Some(Spanned::new(text, Span { source, start: 0, end }))
                    }
                    Err(error) => {
                        cx.error(file.span, format!("`{}` cannot be read: {error}", file.value));
                        None
                    }
                })
            }
            (Some(_), Some(file)) => {
                cx.error(file.span, "a query has `sql` or `file`, not both").help("remove one");
                None
            }
            (None, None) => {
                cx.error(name.span, format!("the query `{}` has no SQL", name.value)).help("add `sql:` or `file:`");
                None
            }
        };
        let text = text?;
        let sql::Checked { reads, sql } = sql::check(&text, self, writes, cx)?;
        Some(Query { name: name.value.clone(), sql, reads, writes: writes? })
    }
}
