//! Iceberg tables: rows that statements can change, kept by table format and not by folder.
//!
//! In AWS the catalog makes the table from its schema; Athena writes it. On this machine its rows are kept as Parquet files: what
//! a query appends or merges is the same, but there are no snapshots to go back to.

use crate::check::Check;
use crate::decode::section;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::kind::table::{Column, ColumnType};
use crate::kind::zone::Days;
use crate::source::Spanned;

section! {
    /// How an Iceberg table is laid out.
    "the iceberg format"
    pub struct IcebergSpec {
        /// By what its files are grouped: a column, or `year`, `month`, `day` or `hour` of one, `bucket(16, column)` or
        /// `truncate(4, column)`. Queries need not know.
        /// Example: `[day(started_at), "bucket(8, station)"]`.
        partition: Vec<Spanned<String>>,
        /// In AWS: small files become large ones, by Glue, when there are enough of them.
        /// Default: none; `{}` is Glue's own way.
        /// Example: `{ min_files: 20 }`.
        compaction: Option<CompactionSpec>,
        /// In AWS: Glue drops snapshots that are old, and files that no other snapshot needs.
        /// Default: none; `{}` is Glue's own way.
        /// Example: `{ keep: 14 days, at_least: 3 }`.
        retention: Option<SnapshotRetentionSpec>,
        /// In AWS: Glue deletes files below the table's folder that no snapshot knows.
        /// Default: none; `{}` is Glue's own way.
        /// Example: `{ keep: 7 days }`.
        orphan_file_deletion: Option<OrphanFileDeletionSpec>,
    }
}

section! {
    /// When Glue makes large files of small ones.
    "compaction"
    pub struct CompactionSpec {
        /// From how many files of a partition on.
        /// Default: `100`.
        /// Example: `20`.
        min_files: Option<Spanned<u32>>,
        /// From how many deleted rows of a file on.
        /// Default: `1`.
        /// Example: `50`.
        min_deletes: Option<Spanned<u32>>,
    }
}

section! {
    /// Which snapshots Glue keeps.
    "snapshot retention"
    pub struct SnapshotRetentionSpec {
        /// For how long: what the table was then can be asked for.
        /// Default: `5 days`.
        /// Example: `14 days`.
        keep: Option<Days>,
        /// How many, however old they are.
        /// Default: `1`.
        /// Example: `3`.
        at_least: Option<Spanned<u32>>,
    }
}

section! {
    /// Which files Glue takes for forgotten.
    "orphan file deletion"
    pub struct OrphanFileDeletionSpec {
        /// How old they are: younger ones may belong to a query that still writes.
        /// Default: `3 days`.
        /// Example: `7 days`.
        keep: Option<Spanned<Days>>,
    }
}

/// How an Iceberg table is laid out and kept in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Iceberg {
    /// By what its files are grouped.
    pub partition: Vec<Transform>,
    /// From how many files of a partition, and deleted rows of a file, they are put together.
    pub compaction: Option<(Option<u32>, Option<u32>)>,
    /// For how many days, and how many at least, snapshots are kept.
    pub retention: Option<(Option<u32>, Option<u32>)>,
    /// How many days old files must be that no snapshot knows.
    pub orphan_file_deletion: Option<Option<u32>>,
}

impl Iceberg {
    /// Whether Glue keeps it in order.
    #[must_use]
    pub fn optimized(&self) -> bool {
        self.compaction.is_some() || self.retention.is_some() || self.orphan_file_deletion.is_some()
    }
}

/// One field of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transform {
    /// The position of the column.
    pub column: usize,
    /// What is taken of it.
    pub by: By,
}

/// What a partition takes of a column. Source: "Partition Transforms" of the Iceberg specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Its value.
    Identity,
    /// The year.
    Year,
    /// The year and month.
    Month,
    /// The day.
    Day,
    /// The day and hour.
    Hour,
    /// One of so many groups, by a hash.
    Bucket(u32),
    /// So many first characters, or the number rounded down to a multiple.
    Truncate(u32),
}

impl IcebergSpec {
    pub(super) fn check(&self, table: &Spanned<String>, columns: &[Column], cx: &mut Check<'_>) -> Option<Iceberg> {
        let Self { partition, compaction, retention, orphan_file_deletion } = self;
        let partition: Vec<_> = partition.iter().map(|written| transform(written, table, columns, cx)).collect();
        let mut number = |written: &Option<Spanned<u32>>| {
            if let Some(written) = written.as_ref().filter(|written| written.value == 0) {
                cx.error(written.span, "this is 1 or more");
            }
            written.as_ref().map(|written| written.value)
        };
        let days = |Days(days): Days| days;
        let compaction = compaction.as_ref().map(|of| (number(&of.min_files), number(&of.min_deletes)));
        let retention = retention.as_ref().map(|of| (of.keep.map(days), number(&of.at_least)));
        if let Some(keep) = orphan_file_deletion.as_ref().and_then(|of| of.keep.as_ref())
            && keep.value < Days(3)
        {
            cx.push(
                Diagnostic::warning(keep.span, "files that a query still writes may be taken for forgotten")
                    .help("3 days is Glue's own choice, and what Iceberg advises as the least"),
            );
        }
        let orphan_file_deletion =
            orphan_file_deletion.as_ref().map(|of| of.keep.as_ref().map(|keep| days(keep.value)));
        let partition = partition.into_iter().collect::<Option<_>>()?;
        Some(Iceberg { partition, compaction, retention, orphan_file_deletion })
    }

    /// Where Glue is asked to keep the table in order.
    pub(crate) fn optimized(&self) -> bool {
        self.compaction.is_some() || self.retention.is_some() || self.orphan_file_deletion.is_some()
    }
}

fn transform(
    written: &Spanned<String>,
    table: &Spanned<String>,
    columns: &[Column],
    cx: &mut Check<'_>,
) -> Option<Transform> {
    let (function, inside) = match written.strip_suffix(')').and_then(|text| text.split_once('(')) {
        Some((function, inside)) => (Some(function.trim()), inside),
        None => (None, written.as_str()),
    };
    let (number, name) = match inside.split_once(',') {
        Some((number, name)) => (number.trim().parse::<u32>().ok().filter(|n| *n > 0), name.trim()),
        None => (None, inside.trim()),
    };
    let by = match (function, number) {
        (None, None) => Some(By::Identity),
        (Some("year"), None) => Some(By::Year),
        (Some("month"), None) => Some(By::Month),
        (Some("day"), None) => Some(By::Day),
        (Some("hour"), None) => Some(By::Hour),
        (Some("bucket"), Some(number)) => Some(By::Bucket(number)),
        (Some("truncate"), Some(number)) => Some(By::Truncate(number)),
        _ => None,
    };
    let Some(by) = by else {
        cx.error(written.span, format!("`{}` is not a way to partition an Iceberg table", written.value))
            .help("write a column, `day(column)` (year, month, hour), `bucket(16, column)` or `truncate(4, column)`");
        return None;
    };
    let Some(column) = columns.iter().position(|column| column.name == name) else {
        let help = did_you_mean(name, columns.iter().map(|column| column.name.as_str()));
        cx.error(written.span, format!("no column named `{name}` in `{}`", table.value))
            .related(table.span, format!("`{}` declares its columns here", table.value))
            .help(help.unwrap_or_else(|| "a partition is made of a column".into()));
        return None;
    };
    use ColumnType::{BigInt, Binary, Date, Decimal, Int, String, Timestamp};
    let ty = columns[column].ty;
    let fits = match by {
        By::Identity => true,
        By::Year | By::Month | By::Day => matches!(ty, Date | Timestamp),
        By::Hour => ty == Timestamp,
        By::Bucket(_) => matches!(ty, Int | BigInt | Decimal(..) | Date | Timestamp | String | Binary),
        By::Truncate(_) => matches!(ty, Int | BigInt | Decimal(..) | String | Binary),
    };
    if !fits {
        cx.error(written.span, format!("`{name}` is `{ty}`, which cannot be partitioned so"))
            .help("`day` and the like take dates and timestamps; `bucket` and `truncate` no `double`");
    }
    Some(Transform { column, by })
}
