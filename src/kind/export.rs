//! An export: files for others than the lake, of which its catalog knows nothing.

use crate::check::Check;
use crate::decode::{Attempt, alternatives, section};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::kind::endpoint::CAPTURES;
use crate::kind::format::{Csv, Format, OrcCompression, OrcSpec, ParquetSpec, separator};
use crate::lake::{ColumnType, Compression, Id, Zone};
use crate::source::{Span, Spanned};

section! {
    /// Files for others than the lake, which no table holds. Athena writes them with `UNLOAD`, several at once; each run puts them in
    /// the place of those of the last one.
    "an export"
    pub struct ExportSpec {
        /// The zone that they are put in.
        /// Example: `partners`.
        zone: Spanned<String>,
        /// Their folder in it, in which nothing else may lie.
        /// Default: the query's name.
        /// Example: `sales/daily`.
        folder: Option<Spanned<String>>,
        /// What the files are.
        /// Example: `{ text: { delimiter: "|" } }`.
        format: Spanned<Attempt<ExportFormatSpec>>,
        /// Columns that are folders instead, at most 100 of them: `year=2017/`. They are the last ones that the query returns, in this order.
        /// Example: `[year]`.
        partitions: Vec<Spanned<String>>,
    }
}

alternatives! {
    /// What the files of an export are.
    "a format of exports"
    pub enum ExportFormatSpec {
        /// Text without a header line and without quotes, compressed with gzip.
        /// Example: `{ delimiter: "|" }`.
        Text(Option<TextSpec>) = "text",
        /// One JSON object a line, compressed with gzip.
        Json = "json",
        /// Apache Parquet.
        /// Example: `{ compression: zstd }`.
        Parquet(Option<ParquetSpec>) = "parquet",
        /// Apache ORC.
        /// Example: `{ compression: zstd }`.
        Orc(Option<OrcSpec>) = "orc",
        /// Apache Avro.
        Avro = "avro",
    }
}

section! {
    /// How text is written.
    "the text format"
    pub struct TextSpec {
        /// One character between fields. No value may hold it: Athena writes no quotes.
        /// Default: `","`.
        /// Example: `"|"`.
        delimiter: Option<Spanned<String>>,
    }
}

/// Files for others than the lake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// The zone that they are put in.
    pub zone: Id<Zone>,
    /// Their folder in it, without a slash at either end.
    pub folder: String,
    /// What they are; CSV is text without a header line here, and nothing is Iceberg.
    pub format: Format,
    /// Columns that are folders instead: the last of the result.
    pub partitions: Vec<String>,
}

/// A column of a result: its name, if it has one, its type, when it is known, and its place, if that is one.
pub(crate) type Returned = (Option<String>, Option<ColumnType>, Option<Span>);

impl ExportSpec {
    pub(crate) fn check(&self, name: &Spanned<String>, cx: &mut Check<'_>) -> Option<Export> {
        let zone = cx.zone(&self.zone);
        let folder = match &self.folder {
            Some(written) => folder(written, cx),
            None => Some(name.value.clone()),
        };
        crate::check::unique(&self.partitions, cx);
        let format = self.format.value.0.as_ref().and_then(|format| match format {
            ExportFormatSpec::Text(text) => {
                let delimiter = text.as_ref().and_then(|text| text.delimiter.as_ref());
                let delimiter = delimiter.map_or(Some(','), |written| separator(written, cx))?;
                Some(Format::Csv(Csv { delimiter, quote: None }))
            }
            ExportFormatSpec::Json => Some(Format::Json { ignore_malformed: false }),
            ExportFormatSpec::Parquet(parquet) => {
                let compression = parquet.as_ref().and_then(ParquetSpec::compression);
                Some(Format::Parquet(compression.unwrap_or(Compression::Snappy)))
            }
            ExportFormatSpec::Orc(orc) => {
                let compression = orc.as_ref().and_then(OrcSpec::compression);
                Some(Format::Orc(compression.unwrap_or(OrcCompression::Zlib)))
            }
            ExportFormatSpec::Avro => Some(Format::Avro),
        });
        let partitions = self.partitions.iter().map(|column| column.value.clone()).collect();
        Some(Export { zone: zone?, folder: folder?, format: format?, partitions })
    }

    /// Holds what a query returns against what files can have. Source: "UNLOAD" of the Athena user guide.
    pub(crate) fn check_columns(&self, columns: &[Returned], whole: Span, cx: &mut Check<'_>) {
        let mut names: Vec<&str> = Vec::new();
        let flat = match self.format.value.0.as_ref() {
            Some(ExportFormatSpec::Text(_)) => Some("text"),
            Some(ExportFormatSpec::Avro) => Some("Avro"),
            Some(ExportFormatSpec::Json | ExportFormatSpec::Parquet(_) | ExportFormatSpec::Orc(_)) | None => None,
        };
        for (at, (name, ty, span)) in columns.iter().enumerate() {
            let span = span.unwrap_or(whole);
            if let (Some(flat), Some(ty @ ColumnType::Nested(_))) = (flat, ty) {
                cx.error(span, format!("lakegen exports no `{ty}` as {flat}"))
                    .help("choose `json`, `orc` or `parquet`, or take its values out");
            }
            match name {
                None => {
                    cx.error(span, format!("column {} of the result has no name", at + 1))
                        .help("give it one: `… as name`");
                    return;
                }
                Some(name) if names.contains(&name.as_str()) => {
                    cx.error(span, format!("the result has two columns named `{name}`"))
                        .help("rename one: `… as other`");
                }
                Some(_) => {}
            }
            names.extend(name.as_deref());
        }
        let Some(first) = self.partitions.first() else { return };
        let unknown: Vec<_> = self.partitions.iter().filter(|column| !names.contains(&column.as_str())).collect();
        for column in &unknown {
            let help =
                did_you_mean(column, names.iter().copied()).unwrap_or_else(|| "select it, as the last one".into());
            cx.error(column.span, format!("the query returns no column `{}`", column.value)).help(help);
        }
        if !unknown.is_empty() {
            return;
        }
        let written: Vec<&str> = self.partitions.iter().map(|column| column.as_str()).collect();
        if written.len() == names.len() {
            cx.error(first.span, "every column would be a folder, and the files would hold nothing")
                .help("leave one out");
        } else if !names.ends_with(&written) {
            cx.error(first.span, "Athena makes folders only of the last columns that a query returns, in their order")
                .help(format!("let the `select` end with `{}`", written.join(", ")));
        }
    }
}

/// A folder's path, if S3 and Hive take it as it is.
fn folder(written: &Spanned<String>, cx: &mut Check<'_>) -> Option<String> {
    let path = written.strip_suffix('/').unwrap_or(written);
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '_'])
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
    };
    if written.trim().is_empty() {
        cx.error(written.span, "an export has a folder of its own, which each run empties")
            .help("name it, or leave `folder` out: it is then called like the query");
        return None;
    }
    if !path.split('/').all(plain) || path.len() > 500 {
        cx.error(written.span, format!("`{}` is no folder of an export", written.value))
            .help("write letters, digits, `-`, `_` and `.`, and `/` between folders; none begins with `.` or `_`");
        return None;
    }
    if path.split('/').next() == Some(CAPTURES) {
        cx.error(written.span, format!("`{CAPTURES}` is the folder in which endpoints keep requests and answers"))
            .help("each run empties the folder of an export: choose another");
        return None;
    }
    Some(path.to_owned())
}

impl Check<'_> {
    /// Notes exports whose folder is, holds, or lies in that of a table or of another export: a run empties it.
    pub(crate) fn apart(&mut self, exports: &[(Span, &Export)]) {
        let within = |one: &str, other: &str| format!("{one}/").starts_with(&format!("{other}/"));
        for (at, (span, export)) in exports.iter().enumerate() {
            let overlaps = |zone: Id<Zone>, folder: &str| {
                zone == export.zone && (within(folder, &export.folder) || within(&export.folder, folder))
            };
            let table = self.tables.iter().zip(&self.blueprint.tables.0).find(|(table, _)| {
                let Some(table) = table else { return false };
                matches!(table.home, crate::lake::Home::Zone { zone, .. } if overlaps(zone, &table.in_aws))
            });
            let other = exports[..at].iter().find(|(_, other)| overlaps(other.zone, &other.folder));
            let taken = table.map(|(_, (name, _))| (name.span, format!("the files of the table `{}`", name.value)));
            let taken = taken.or_else(|| other.map(|(span, _)| (*span, "those of another export".to_owned())));
            if let Some((place, what)) = taken {
                self.push(
                    Diagnostic::error(*span, format!("the folder `{}` would hold {what}, too", export.folder))
                        .related(place, "these")
                        .help("each run empties the folder first: choose another with `folder`"),
                );
            }
        }
    }
}
