//! Buckets: the files of a table, each of which holds the rows whose values have one hash.
//!
//! Whoever brings such files can have Athena read only those in which a value can be. Steps of a lake write none: Athena's `INSERT INTO`
//! refuses bucketed tables, its `UNLOAD` knows no buckets, its `CREATE TABLE AS` takes no place in a workgroup that is enforced and would
//! make a table of its own beside the one in the stack; and Spark makes buckets only of tables that it keeps in a catalog. Iceberg
//! tables are split with `partition: ["bucket(16, id)"]`, by every query.
//!
//! Sources: "What is bucketing?", "INSERT INTO", "UNLOAD" and "CREATE TABLE AS" of the Athena user guide; `bucketBy` of Spark's
//! `DataFrameWriter`.

use crate::check::{Check, unique};
use crate::decode::{Attempt, Named, Within, alternatives, section};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::kind::format::Format;
use crate::kind::table::{ColumnSpec, ColumnType, Home};
use crate::source::Spanned;

section! {
    /// How whoever brings a table's files has split their rows: each file holds those whose values have one hash. Steps of the lake
    /// write no such files: neither Athena's `INSERT INTO` nor its `UNLOAD` can, and `CREATE TABLE AS` not into a table that is there.
    "buckets"
    pub struct BucketsSpec {
        /// The columns whose values are hashed.
        /// Example: `[customer]`.
        by: Vec<Spanned<String>>,
        /// How many buckets there are; in each folder of a partition, if there are any.
        /// Example: `16`.
        count: Attempt<Within<1, MOST>>,
        /// Whose hash it is.
        /// Default: `hive`.
        /// Example: `spark`.
        hash: Option<HashSpec>,
    }
}

alternatives! {
    /// Whose hash says into which bucket a row belongs.
    #[derive(Copy, Eq)]
    "a hash"
    pub enum HashSpec {
        /// Hive's, Presto's and Trino's.
        Hive = "hive",
        /// Spark's.
        Spark = "spark",
    }
}

/// How the rows of a table are split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buckets {
    /// The columns whose values are hashed.
    pub by: Vec<String>,
    /// How many there are.
    pub count: u32,
    /// Whether the hash is Spark's, not Hive's.
    pub spark: bool,
}

impl Spanned<BucketsSpec> {
    pub(super) fn check(
        &self,
        columns: &Named<ColumnSpec>,
        home: Option<&Home>,
        cx: &mut Check<'_>,
    ) -> Option<Buckets> {
        let BucketsSpec { by, count, hash } = &self.value;
        match home {
            Some(Home::Zone { format: Format::Iceberg(_), .. }) => {
                cx.error(self.span, "an Iceberg table has buckets of its own")
                    .help("write `format: { iceberg: { partition: [\"bucket(16, id)\"] } }`");
            }
            Some(Home::DynamoDb { .. } | Home::View { .. }) => {
                cx.error(self.span, "only files have buckets").help("remove `buckets`");
            }
            Some(Home::Zone { .. }) | None => {}
        }
        if by.is_empty() {
            cx.error(self.span, "buckets are made by columns").help("name them: `by: [customer]`");
        }
        unique(by, cx);
        for name in by {
            let Some((_, column)) = columns.0.iter().find(|(column, _)| column.value == name.value) else {
                let help = did_you_mean(name, columns.0.iter().map(|(column, _)| column.as_str()));
                cx.push(
                    Diagnostic::error(name.span, format!("the table's files have no column `{}`", name.value))
                        .maybe_help(help),
                );
                continue;
            };
            let ty = column.as_ref().and_then(|column| column.ty.parse::<ColumnType>().ok());
            if let Some(
                ty @ (ColumnType::Decimal(..) | ColumnType::Timestamp | ColumnType::Binary | ColumnType::Nested(_)),
            ) = ty
            {
                cx.error(name.span, format!("Athena finds no bucket by a value of `{ty}`"))
                    .help("choose a column of text, whole numbers, dates or truths");
            }
        }
        let by = by.iter().map(|name| name.value.clone()).collect();
        Some(Buckets { by, count: count.0?.0, spark: *hash == Some(HashSpec::Spark) })
    }
}

/// More than anyone has files in a folder that Athena reads well.
const MOST: u32 = 10_000;
