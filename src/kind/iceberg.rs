//! Iceberg tables: rows that statements can change, kept by table format and not by folder.
//!
//! In AWS the catalog makes the table from its schema; Athena writes it. On this machine its rows are kept as Parquet files: what
//! a query appends or merges is the same, but there are no snapshots to go back to.

use crate::check::Check;
use crate::decode::section;
use crate::diagnostic::did_you_mean;
use crate::kind::table::{Column, ColumnType};
use crate::source::Spanned;

section! {
    /// How an Iceberg table is laid out.
    "the iceberg format"
    pub struct IcebergSpec {
        /// By what its files are grouped: a column, or `year`, `month`, `day` or `hour` of one, `bucket(16, column)` or
        /// `truncate(4, column)`. Queries need not know.
        /// Example: `[day(started_at), "bucket(8, station)"]`.
        partition: Vec<Spanned<String>>,
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
    pub(super) fn check(&self, columns: &[Column], cx: &mut Check<'_>) -> Option<Vec<Transform>> {
        let transforms: Vec<_> = self.partition.iter().map(|written| transform(written, columns, cx)).collect();
        transforms.into_iter().collect()
    }
}

fn transform(written: &Spanned<String>, columns: &[Column], cx: &mut Check<'_>) -> Option<Transform> {
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
        cx.error(written.span, format!("the table has no column `{name}`"))
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
