//! A query: Athena SQL that writes a table, or files for others.

use crate::check::Check;
use crate::decode::{Attempt, alternatives, section};
use crate::diagnostic::Diagnostic;
use crate::kind::export::{Export, ExportSpec};
use crate::kind::overrides::OverridesSpec;
use crate::lake::{Format, Home, Id, Table, Workgroup};
use crate::source::{Span, Spanned};
use crate::sql;

section! {
    /// An Athena query that writes a table, or files for others than the lake. It runs as `UNLOAD`, `INSERT INTO` or `MERGE INTO`, and
    /// never as `CREATE TABLE AS`, which in an enforced workgroup puts its table among the results of queries.
    "a query"
    pub struct QuerySpec by NAME {
        /// The table that it writes. Athena writes at most 100 partitions of a table at once.
        /// Default: none; then there is `exports`.
        /// Example: `baskets`.
        writes: Option<Spanned<String>>,
        /// Instead of `writes`: where its rows are put as files that are no table.
        /// Default: none; then there is `writes`.
        /// Example: `{ zone: partners, format: { text: { delimiter: "|" } } }`.
        exports: Option<Spanned<Attempt<ExportSpec>>>,
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
        /// The new rows come to the old ones: whatever the query returns again is there twice. Tables of
        /// JSON cannot, since Athena inserts into none that the OpenX SerDe reads.
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

/// What becomes of the rows of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// They go into a table.
    Table {
        /// Which.
        table: Id<Table>,
        /// What becomes of the rows that it has.
        mode: Mode,
    },
    /// They are put into files, with `UNLOAD`.
    Files(Export),
}

/// An Athena query that writes a table, or files for others than the lake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The name.
    pub name: String,
    /// One `select`, in Athena's dialect.
    pub sql: String,
    /// The tables that it reads, in the order of the blueprint.
    pub reads: Vec<Id<Table>>,
    /// What becomes of its rows.
    pub output: Output,
    /// The workgroup that it runs in.
    pub workgroup: Id<Workgroup>,
}

impl Query {
    /// The table that it writes.
    #[must_use]
    pub fn table(&self) -> Option<Id<Table>> {
        match &self.output {
            Output::Table { table, mode: _ } => Some(*table),
            Output::Files(_) => None,
        }
    }

    /// The files that it puts somewhere.
    #[must_use]
    pub fn export(&self) -> Option<&Export> {
        match &self.output {
            Output::Table { .. } => None,
            Output::Files(export) => Some(export),
        }
    }
}

impl QuerySpec {
    pub(crate) fn check(&self, name: &Spanned<String>, cx: &mut Check<'_>) -> Option<Query> {
        // Beside an export there is no saying what the table would have to be.
        let written = self.writes.as_ref().and_then(|written| Some((written, cx.table(written)?)));
        let written = written.filter(|_| self.exports.is_none());
        if let Some((written, id)) = written {
            cx.refuse_dynamodb(written, id, "a query");
            if matches!(cx.tables.get(id.index()), Some(Some(Table { home: Home::View { .. }, .. }))) {
                cx.error(written.span, format!("`{}` is a view, and holds no rows", written.value))
                    .help("a view's own SQL gives its rows");
            }
            let table = cx.tables.get(id.index()).and_then(Option::as_ref);
            if matches!(table, Some(Table { home: Home::Zone { format: Format::Csv(_), .. }, .. })) {
                // Source: "UNLOAD" of the Athena user guide: text files come without a header line.
                cx.error(written.span, "Athena writes CSV without the header line that tables of a lake have")
                    .help("let the table be `format: parquet` or `format: json`; `exports` writes text for others");
            }
        }
        let export = self.exports.as_ref().map(|exports| exports.value.0.as_ref()?.check(name, cx));
        match (&self.writes, &self.exports) {
            (Some(writes), Some(exports)) => {
                let message = "a query writes a table or exports files, not both";
                cx.push(
                    Diagnostic::error(exports.span, message)
                        .related(writes.span, "the table")
                        .help("let a second query export what the table holds"),
                );
            }
            (None, None) => {
                cx.error(name.span, format!("the query `{}` writes nothing", name.value)).help(
                    "name the table: `writes: baskets`; or put its rows somewhere: `exports: { zone: …, format: … }`",
                );
            }
            (Some(_), None) | (None, Some(_)) => {}
        }
        if let (Some(exports), Some(mode), None) = (&self.exports, &self.mode, &self.writes) {
            cx.push(
                Diagnostic::error(mode.span, "files of an export are always replaced")
                    .related(exports.span, "the export")
                    .help("remove `mode`"),
            );
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
        let mode = written.map(|(written, table)| self.mode(written, table, cx));
        let sql::Checked { reads, sql, columns, parameters } = sql::check(&text, written, cx)?;
        let exports = self.exports.as_ref().and_then(|exports| exports.value.0.as_ref());
        if let (Some(exports), Some(columns)) = (exports, &columns) {
            exports.check_columns(columns, text.span, cx);
        }
        if parameters > 0 {
            cx.error(text.span, "nobody is there to give a value for a `?`").help("`statements` have parameters");
        }
        let output = match export {
            Some(export) => Output::Files(export?),
            None => Output::Table { table: written?.1, mode: mode?? },
        };
        Some(Query { name: name.value.clone(), sql, reads, output, workgroup: workgroup? })
    }

    fn mode(&self, written: &Spanned<String>, writes: Id<Table>, cx: &mut Check<'_>) -> Option<Mode> {
        let table = cx.tables.get(writes.index())?.clone()?;
        let iceberg = matches!(table.home, Home::Zone { format: Format::Iceberg(_), .. });
        let span = self.mode.as_ref().map_or(written.span, |mode| mode.span);
        match self.mode.as_ref().map_or(&ModeSpec::Replace, |mode| &mode.value) {
            ModeSpec::Replace if iceberg => {
                cx.error(span, format!("Athena cannot replace the Iceberg table `{}` in one statement", table.name))
                    .help("add `mode: append`, or `mode: merge` to change rows by their key");
                None
            }
            ModeSpec::Replace => Some(Mode::Replace),
            ModeSpec::Append => {
                if let Home::Zone { format: Format::Json { .. }, .. } = table.home {
                    // Source: "INSERT INTO" of the Athena user guide: of the two SerDes for JSON, it writes by Hive's only.
                    cx.error(
                        span,
                        format!("Athena inserts no rows into JSON that the OpenX SerDe reads, as in `{}`", table.name),
                    )
                    .help(
                        "let the table be `format: parquet`, `orc`, `avro` or `iceberg`, or let the query replace it",
                    );
                }
                Some(Mode::Append)
            }
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
