//! A query: Athena SQL that writes a table.

use crate::check::Check;
use crate::decode::{alternatives, section};
use crate::kind::overrides::OverridesSpec;
use crate::lake::{Format, Home, Id, Table, Workgroup};
use crate::source::{Span, Spanned};
use crate::sql;

section! {
    /// An Athena query that writes a table.
    "a query"
    pub struct QuerySpec {
        /// The table that it writes. Athena writes at most 100 partitions of a table at once.
        /// Example: `baskets`.
        writes: Spanned<String>,
        /// What becomes of the rows that the table has.
        /// Default: `replace`.
        /// Example: `append`.
        mode: Option<Spanned<ModeSpec>>,
        /// One `select`; what it reads follows from it.
        /// Default: none; then there is a `file`.
        /// Example: `"select order_id, count(*) as products from order_products group by order_id"`.
        sql: Option<Spanned<String>>,
        /// Instead of `sql`: a file that holds it.
        /// Default: none; then there is `sql`.
        /// Example: `sql/baskets.sql`.
        file: Option<Spanned<String>>,
        /// The workgroup that it runs in.
        /// Default: `lake`.
        /// Example: `heavy`.
        workgroup: Option<Spanned<String>>,
        /// Changes to the resources that are made of it; which there are, "The escape hatch" says.
        /// Example: `{ NamedQuery: { Properties: { Description: "How large baskets are" } } }`.
        overrides as "override": OverridesSpec,
    }
}

alternatives! {
    /// How a query writes its table.
    "a mode"
    pub enum ModeSpec {
        /// The new rows stand in the place of the old ones.
        Replace = "replace",
        /// The new rows come to the old ones: whatever the query returns again is there twice.
        Append = "append",
        /// A new row takes the place of the old one with the same values in these columns (the primary key, when none are
        /// given), or comes to the others. Only Iceberg tables can.
        /// Example: `[order_id]`.
        Merge(Vec<Spanned<String>>) = "merge",
    }
}

/// How a query writes its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// With `UNLOAD` into an empty place.
    Replace,
    /// With `INSERT INTO`.
    Append,
    /// With `MERGE INTO`, by these columns.
    Merge(Vec<String>),
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
    /// What becomes of the rows that the table has.
    pub mode: Mode,
    /// The workgroup that it runs in.
    pub workgroup: Id<Workgroup>,
}

impl QuerySpec {
    pub(crate) fn check(&self, name: &Spanned<String>, cx: &mut Check<'_>) -> Option<Query> {
        let writes = cx.table(&self.writes);
        if let Some(id) = writes {
            cx.refuse_dynamodb(&self.writes, id, "a query");
            if matches!(cx.tables.get(id.index()), Some(Some(Table { home: Home::View { .. }, .. }))) {
                cx.error(self.writes.span, format!("`{}` is a view, and holds no rows", self.writes.value))
                    .help("a view's own SQL gives its rows");
            }
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
                        let end = u32::try_from(text.len()).unwrap_or(u32::MAX);
                        let source = cx.source(&path, &text);
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
        let workgroup = cx.workgroup(self.workgroup.as_ref());
        let text = text?;
        let mode = writes.map(|writes| self.mode(writes, cx));
        let sql::Checked { reads, sql, parameters } = sql::check(&text, writes.map(|id| (&self.writes, id)), cx)?;
        if parameters > 0 {
            cx.error(text.span, "nobody is there to give a value for a `?`").help("`statements` have parameters");
        }
        Some(Query { name: name.value.clone(), sql, reads, writes: writes?, mode: mode??, workgroup: workgroup? })
    }

    fn mode(&self, writes: Id<Table>, cx: &mut Check<'_>) -> Option<Mode> {
        let table = cx.tables.get(writes.index())?.clone()?;
        let iceberg = matches!(table.home, Home::Zone { format: Format::Iceberg(_), .. });
        let span = self.mode.as_ref().map_or(self.writes.span, |mode| mode.span);
        match self.mode.as_ref().map_or(&ModeSpec::Replace, |mode| &mode.value) {
            ModeSpec::Replace if iceberg => {
                cx.error(span, format!("Athena cannot replace the Iceberg table `{}` in one statement", table.name))
                    .help("add `mode: append`, or `mode: merge` to change rows by their key");
                None
            }
            ModeSpec::Replace => Some(Mode::Replace),
            ModeSpec::Append => Some(Mode::Append),
            ModeSpec::Merge(_) if !iceberg => {
                cx.error(span, format!("only an Iceberg table can be merged into, and `{}` is none", table.name))
                    .help("declare it with `format: iceberg`");
                None
            }
            ModeSpec::Merge(columns) if columns.is_empty() => {
                let key: Vec<String> = table.primary_key().map(|column| column.name.clone()).collect();
                if key.is_empty() {
                    cx.error(span, format!("`{}` has no primary key to merge by", table.name))
                        .help("name the columns that tell rows apart: `mode: { merge: [id] }`");
                    return None;
                }
                Some(Mode::Merge(key))
            }
            ModeSpec::Merge(columns) => {
                for column in columns {
                    if table.column(column).is_none() {
                        cx.no_column(column.span, column, writes);
                    }
                }
                Some(Mode::Merge(columns.iter().map(|column| column.value.clone()).collect()))
            }
        }
    }
}
