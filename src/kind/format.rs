//! The format of a table's files.

use crate::check::Check;
use crate::decode::{Attempt, alternatives, section};
use crate::kind::iceberg::{Iceberg, IcebergSpec};
use crate::kind::table::Column;
use crate::source::Spanned;

alternatives! {
    /// The format of a table's files.
    "a format"
    pub enum FormatSpec {
        /// Text with a header line.
        /// Example: `{ delimiter: ";", quote: "'" }`.
        Csv(Option<CsvSpec>) = "csv",
        /// One JSON object a line.
        /// Example: `{ ignore_malformed: true }`.
        Json(Option<JsonSpec>) = "json",
        /// Apache Parquet.
        /// Example: `{ compression: zstd }`.
        Parquet(Option<ParquetSpec>) = "parquet",
        /// Apache ORC, whose columns are read by their names.
        /// Example: `{ compression: zstd }`.
        Orc(Option<OrcSpec>) = "orc",
        /// Apache Avro, which crawlers, queries and checks work on: Spark and DataBrew do not read it by themselves.
        Avro = "avro",
        /// Apache Iceberg, which queries append to or merge into.
        /// Example: `{ partition: [day(started_at)] }`.
        Iceberg(Option<IcebergSpec>) = "iceberg",
    }
}

section! {
    /// How JSON is read, by the OpenX SerDe.
    "the json format"
    pub struct JsonSpec {
        /// Whether a line that is no JSON object becomes a row without values; a query fails at it otherwise.
        /// Default: `false`.
        /// Example: `true`.
        ignore_malformed: Option<bool>,
    }
}

section! {
    /// How Parquet is written.
    "the parquet format"
    pub struct ParquetSpec {
        /// How its pages are compressed.
        /// Default: `snappy`.
        /// Example: `zstd`.
        compression: Option<Compression>,
    }
}

alternatives! {
    /// How Parquet's pages are compressed. What Athena, Glue and DuckDB can all write.
    #[derive(Copy, Eq)]
    "a compression"
    pub enum Compression {
        /// Fast; what every reader knows.
        Snappy = "snappy",
        /// Smaller, and nearly as fast; recipes do not write it.
        Zstd = "zstd",
        /// Smaller, and slow.
        Gzip = "gzip",
        /// Not at all.
        None = "none",
    }
}

section! {
    /// How ORC is written.
    "the orc format"
    pub struct OrcSpec {
        /// How its stripes are compressed.
        /// Default: `zlib`.
        /// Example: `zstd`.
        compression: Option<OrcCompression>,
    }
}

alternatives! {
    /// How ORC's stripes are compressed. What Athena, Spark and Arrow can all write.
    #[derive(Copy, Eq)]
    "a compression of ORC"
    pub enum OrcCompression {
        /// Small; what Athena and Hive write when they are not told.
        Zlib = "zlib",
        /// Fast; what Spark writes when it is not told.
        Snappy = "snappy",
        /// Smaller than Snappy, and nearly as fast; recipes do not write it.
        Zstd = "zstd",
        /// The fastest to read; recipes do not write it.
        Lz4 = "lz4",
    }
}

section! {
    /// How a CSV file is written.
    "the csv format"
    pub struct CsvSpec {
        /// One character between fields.
        /// Default: `","`.
        /// Example: `";"`.
        delimiter: Option<Spanned<String>>,
        /// The character around fields that hold a delimiter.
        /// Default: none.
        /// Example: `"'"`.
        quote: Option<Spanned<String>>,
    }
}

/// The format of a table's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// Text with a header line.
    Csv(Csv),
    /// One JSON object a line.
    Json {
        /// Whether a line that is none becomes a row without values.
        ignore_malformed: bool,
    },
    /// Apache Parquet.
    Parquet(Compression),
    /// Apache ORC.
    Orc(OrcCompression),
    /// Apache Avro, compressed with DEFLATE.
    Avro,
    /// Apache Iceberg, of Parquet files.
    Iceberg(Iceberg),
}

/// How a CSV file is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Csv {
    /// Between fields.
    pub delimiter: char,
    /// Around fields; doubled inside them. A backslash is an ordinary character.
    pub quote: Option<char>,
}

impl Compression {
    /// As the formats of Hive, Athena and DuckDB write it; the last calls `none` by its own name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Snappy => "SNAPPY",
            Self::Zstd => "ZSTD",
            Self::Gzip => "GZIP",
            Self::None => "UNCOMPRESSED",
        }
    }
}

impl ParquetSpec {
    /// The compression that is written.
    pub(super) fn compression(&self) -> Option<Compression> {
        self.compression
    }
}

impl OrcSpec {
    /// The compression that is written.
    pub(super) fn compression(&self) -> Option<OrcCompression> {
        self.compression
    }
}

impl OrcCompression {
    /// As the property `orc.compress` and Athena write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Zlib => "ZLIB",
            Self::Snappy => "SNAPPY",
            Self::Zstd => "ZSTD",
            Self::Lz4 => "LZ4",
        }
    }
}

impl Spanned<Attempt<FormatSpec>> {
    /// The format that is meant, of the table of that name with those columns.
    pub(super) fn check(&self, table: &Spanned<String>, columns: &[Column], cx: &mut Check<'_>) -> Option<Format> {
        match self.value.0.as_ref()? {
            FormatSpec::Json(json) => {
                let ignore_malformed = json.as_ref().and_then(|json| json.ignore_malformed).unwrap_or(false);
                Some(Format::Json { ignore_malformed })
            }
            FormatSpec::Parquet(parquet) => {
                let compression = parquet.as_ref().and_then(|parquet| parquet.compression);
                Some(Format::Parquet(compression.unwrap_or(Compression::Snappy)))
            }
            FormatSpec::Orc(orc) => {
                let compression = orc.as_ref().and_then(|orc| orc.compression);
                Some(Format::Orc(compression.unwrap_or(OrcCompression::Zlib)))
            }
            FormatSpec::Avro => Some(Format::Avro),
            FormatSpec::Iceberg(iceberg) => match iceberg {
                Some(iceberg) => iceberg.check(table, columns, cx).map(Format::Iceberg),
                None => Some(Format::Iceberg(Iceberg::default())),
            },
            FormatSpec::Csv(None) => Some(Format::Csv(Csv { delimiter: ',', quote: None })),
            FormatSpec::Csv(Some(CsvSpec { delimiter, quote })) => {
                let delimiter = delimiter.as_ref().map_or(Some(','), |written| separator(written, cx));
                let quote = quote.as_ref().map_or(Some(None), |written| separator(written, cx).map(Some));
                let csv = Csv { delimiter: delimiter?, quote: quote? };
                if csv.quote == Some(csv.delimiter) {
                    cx.error(self.span, "the quote and the delimiter are the same character");
                }
                Some(Format::Csv(csv))
            }
        }
    }
}

/// One ASCII character that stands between or around fields; what is none is noted.
pub(super) fn separator(written: &Spanned<String>, cx: &mut Check<'_>) -> Option<char> {
    let mut characters = written.chars();
    match (characters.next(), characters.next()) {
        (Some(only), None) if only.is_ascii() && !matches!(only, '\n' | '\r' | '\\') => Some(only),
        _ => {
            cx.error(written.span, "expected one ASCII character").help("a tab is written \"\\t\"");
            None
        }
    }
}
