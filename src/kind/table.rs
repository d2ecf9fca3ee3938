//! A table: columns, and where its rows lie.

use std::fmt;
use std::str::FromStr;

use crate::check::Check;
use crate::decode::{Attempt, Decode, Decoder, NAME, Named, Scalar, section};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::kind::buckets::{Buckets, BucketsSpec};
use crate::kind::format::{Csv, Format, FormatSpec};
use crate::kind::nested::{self, Nested};
use crate::kind::overrides::OverridesSpec;
use crate::kind::partition::{self, PartitionSpec, Projection};
use crate::lake::{Crawler, Id, StepId, Zone};
use crate::schema::{Language, Shape};
use crate::source::{Node, Span, Spanned, Value};

section! {
    /// A table of the lake.
    "a table"
    pub struct TableSpec by NAME {
        /// The zone that its files lie in.
        /// Default: none; then there is `dynamodb` or `view`.
        /// Example: `raw`.
        zone: Option<Spanned<String>>,
        /// The format of its files.
        /// Default: none; then there is `dynamodb` or `view`.
        /// Example: `{ csv: { delimiter: ";" } }`.
        format: Option<Spanned<Attempt<FormatSpec>>>,
        /// Instead of `zone` and `format`: a key-value table that functions look things up in.
        /// Default: none.
        /// Example: `{ key: user_id }`.
        dynamodb: Option<Spanned<DynamoDbSpec>>,
        /// Instead of `zone` and `format`: one `select` that gives its rows whenever SQL reads it, from tables and from views
        /// that are declared before it. `columns` are those of its result.
        /// Default: none.
        /// Example: `select station, count(*) as trips from trips group by station`.
        view: Option<Spanned<String>>,
        /// The name of its file where data arrives.
        /// Default: the table's name and format.
        /// Example: `orders.csv`.
        file: Option<Spanned<String>>,
        /// What a row holds.
        /// Example: `{ order_id: { type: int, primary_key: true }, user_id: int }`.
        columns: Named<ColumnSpec>,
        /// Columns that are folders instead: `year=2017/`.
        /// Example: `{ day: { type: date, project: { date: { from: 2026-01-01 } } } }`.
        partitions: Named<PartitionSpec>,
        /// How whoever brings its files has split their rows by a hash, so that Athena reads only those in which a value can be.
        /// Default: none.
        /// Example: `{ by: [customer], count: 16 }`.
        buckets: Option<Spanned<BucketsSpec>>,
        /// One sentence, for whoever looks into the catalog.
        /// Default: none.
        /// Example: `Every order of the shop`.
        description: Option<Spanned<String>>,
        /// Further properties of the table in the catalog.
        /// Example: `{ owner: sales }`.
        properties: Named<Spanned<Scalar>>,
        /// The name that it had before it was renamed, the first one if it was renamed often: its files stay in the folder of that
        /// name, its items in the DynamoDB table of that name.
        /// Default: none.
        /// Example: `purchases`.
        was: Option<Spanned<String>>,
        /// Changes to the resources that are made of it; which there are, "The escape hatch" says.
        /// Example: `{ Table: { Properties: { TableInput: { Retention: 0 } } } }`.
        overrides as "override": OverridesSpec,
    }
}

section! {
    /// A key-value table.
    "a dynamodb table"
    pub struct DynamoDbSpec {
        /// The column that items are looked up by.
        /// Example: `user_id`.
        key: Spanned<String>,
    }
}

/// A column: its bare type, or a map.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnSpec {
    pub(super) ty: Spanned<String>,
    primary_key: bool,
    references: Option<Spanned<String>>,
    comment: Option<Spanned<String>>,
}

section! {
    /// A column in full.
    "a column"
    struct ColumnMap {
        /// The type of its values, by Glue's name; in JSON, Parquet and ORC also lists, maps and structs of such types.
        /// Example: `bigint`.
        ty as "type": Spanned<String>,
        /// Whether it belongs to what tells rows apart.
        /// Default: `false`.
        /// Example: `true`.
        primary_key: Option<bool>,
        /// The `table.column` that its values come from.
        /// Default: none.
        /// Example: `products.product_id`.
        references: Option<Spanned<String>>,
        /// One sentence on one line, at most 255 characters.
        /// Default: none.
        /// Example: `Days since the order before`.
        comment: Option<Spanned<String>>,
    }
}

impl ColumnSpec {
    /// A column that is no key and refers to nothing.
    pub(super) fn plain(ty: Spanned<String>, comment: Option<Spanned<String>>) -> Self {
        Self { ty, primary_key: false, references: None, comment }
    }
}

impl Decode for ColumnSpec {
    const NAMES: Option<&'static str> = Some(NAME);

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        if let Value::String(ty) = &node.value {
            let ty = Spanned::new(ty.clone(), node.span);
            return Some(Self { ty, primary_key: false, references: None, comment: None });
        }
        if matches!(node.value, Value::List(_)) {
            decoder.error(node.span, "expected a type, found a list").help("a column of lists is `array<string>`");
            return None;
        }
        let ColumnMap { ty, primary_key, references, comment } = ColumnMap::decode(node, decoder)?;
        Some(Self { ty, primary_key: primary_key.unwrap_or(false), references, comment })
    }

    fn shape(language: &mut Language) -> Shape {
        Shape::Either(vec![Shape::Text, ColumnMap::shape(language)])
    }
}

/// A table of the lake.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The name, also in the Glue catalog.
    pub name: String,
    /// Where its rows lie.
    pub home: Home,
    /// The name of its file in a folder of arriving data.
    pub file: String,
    /// What a row holds, partitions excluded.
    pub columns: Vec<Column>,
    /// What its folders hold.
    pub partitions: Vec<Column>,
    /// For each partition, how Athena reckons its values; empty when it asks the catalog.
    pub projections: Vec<Projection>,
    /// How its rows are split by a hash; none when they are not.
    pub buckets: Option<Buckets>,
    /// One sentence, or none.
    pub description: Option<String>,
    /// Further properties in the catalog.
    pub properties: Vec<(String, String)>,
    /// The step that writes it; none when data arrives from outside.
    pub writer: Option<StepId>,
    /// The crawler that catalogues it.
    pub crawler: Option<Id<Crawler>>,
    /// The name of its folder or its DynamoDB table in AWS; the catalog and SQL know it by `name`.
    pub in_aws: String,
}

/// Where the rows of a table lie.
#[derive(Debug, Clone, PartialEq)]
pub enum Home {
    /// In files of an S3 zone, under the table's name.
    Zone {
        /// The bucket.
        zone: Id<Zone>,
        /// The files' format.
        format: Format,
    },
    /// In DynamoDB.
    DynamoDb {
        /// The position of the partition key among the columns.
        key: usize,
    },
    /// Nowhere: SQL gives them.
    View {
        /// One `select`, in Athena's dialect.
        sql: String,
        /// The tables that it reads, those behind other views included.
        reads: Vec<Id<Table>>,
    },
}

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// The name.
    pub name: String,
    /// The type of its values.
    pub ty: ColumnType,
    /// Whether it belongs to what tells rows apart.
    pub primary_key: bool,
    /// The table and column that its values come from.
    pub references: Option<(Id<Table>, usize)>,
    /// One sentence, or none.
    pub comment: Option<String>,
}

/// The type of a column's values. `Display` and `FromStr` use the names of Glue, Athena and Hive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// Text.
    String,
    /// True or false.
    Boolean,
    /// 8 bits, signed.
    TinyInt,
    /// 16 bits, signed.
    SmallInt,
    /// 32 bits, signed.
    Int,
    /// 64 bits, signed.
    BigInt,
    /// IEEE 754, 32 bits.
    Float,
    /// IEEE 754, 64 bits.
    Double,
    /// Precision (1 to 38) and scale (0 to the precision).
    Decimal(u8, u8),
    /// A day.
    Date,
    /// A moment, without a zone.
    Timestamp,
    /// Bytes.
    Binary,
    /// Made of others.
    Nested(Nested),
}

impl ColumnType {
    /// Whether every value of this type can be written to a column of the other, as Athena and Spark do without a cast that
    /// might fail.
    #[must_use]
    pub fn fits(self, column: Self) -> bool {
        use ColumnType::{BigInt, Date, Decimal, Double, Float, Int, SmallInt, Timestamp, TinyInt};
        const ORDER: [ColumnType; 6] = [TinyInt, SmallInt, Int, BigInt, Float, Double];
        let rank = |ty: ColumnType| ORDER.iter().position(|one| *one == ty);
        match (self, column) {
            _ if self == column => true,
            (Decimal(p, s), Decimal(q, t)) => t >= s && q - t >= p - s,
            (Decimal(..), Float | Double) | (Date, Timestamp) => true,
            (_, Decimal(q, t)) => self.digits().is_some_and(|digits| q - t >= digits),
            _ => matches!((rank(self), rank(column)), (Some(narrow), Some(wide)) if narrow < wide),
        }
    }

    /// What Athena's SQL calls it.
    #[must_use]
    pub fn athena(self) -> String {
        match self {
            Self::String => "varchar".into(),
            Self::Int => "integer".into(),
            Self::Float => "real".into(),
            Self::Binary => "varbinary".into(),
            Self::Boolean
            | Self::TinyInt
            | Self::SmallInt
            | Self::BigInt
            | Self::Double
            | Self::Decimal(..)
            | Self::Date
            | Self::Timestamp => self.to_string(),
            Self::Nested(nested) => nested.written(&Self::athena, &nested::ATHENA),
        }
    }

    /// What DuckDB calls it.
    #[must_use]
    pub fn duckdb(self) -> String {
        match self {
            Self::String => "VARCHAR".into(),
            Self::Int => "INTEGER".into(),
            Self::Binary => "BLOB".into(),
            Self::Nested(nested) => nested.written(&Self::duckdb, &nested::DUCKDB),
            plain => plain.to_string().to_uppercase(),
        }
    }

    /// How many digits the largest value of a whole type has.
    #[must_use]
    pub fn digits(self) -> Option<u8> {
        match self {
            Self::TinyInt => Some(3),
            Self::SmallInt => Some(5),
            Self::Int => Some(10),
            Self::BigInt => Some(19),
            _ => None,
        }
    }

    /// Whether its values are whole numbers.
    #[must_use]
    pub fn is_integer(self) -> bool {
        matches!(self, Self::TinyInt | Self::SmallInt | Self::Int | Self::BigInt)
    }

    /// Whether its values are numbers.
    #[must_use]
    pub fn is_number(self) -> bool {
        match self {
            Self::TinyInt
            | Self::SmallInt
            | Self::Int
            | Self::BigInt
            | Self::Float
            | Self::Double
            | Self::Decimal(..) => true,
            Self::String | Self::Boolean | Self::Date | Self::Timestamp | Self::Binary | Self::Nested(_) => false,
        }
    }

    const SIMPLE: [(&'static str, Self); 11] = [
        ("string", Self::String),
        ("boolean", Self::Boolean),
        ("tinyint", Self::TinyInt),
        ("smallint", Self::SmallInt),
        ("int", Self::Int),
        ("bigint", Self::BigInt),
        ("float", Self::Float),
        ("double", Self::Double),
        ("date", Self::Date),
        ("timestamp", Self::Timestamp),
        ("binary", Self::Binary),
    ];

    /// What people coming from other systems call the types.
    const FOREIGN: [(&'static str, &'static str); 14] = [
        ("text", "string"),
        ("varchar", "string"),
        ("str", "string"),
        ("bool", "boolean"),
        ("integer", "int"),
        ("int32", "int"),
        ("int64", "bigint"),
        ("long", "bigint"),
        ("short", "smallint"),
        ("byte", "tinyint"),
        ("real", "float"),
        ("number", "double"),
        ("datetime", "timestamp"),
        ("bytes", "binary"),
    ];
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Decimal(precision, scale) = self {
            return write!(f, "decimal({precision},{scale})");
        }
        if let Self::Nested(nested) = self {
            return nested.fmt(f);
        }
        let name = Self::SIMPLE.iter().find(|(_, ty)| ty == self).map_or("string", |(name, _)| name);
        f.write_str(name)
    }
}

impl ColumnType {
    /// As it is written between braces, where a comma ends a value that stands in no quotes.
    pub(crate) fn in_braces(self) -> String {
        let written = self.to_string();
        if written.contains(',') { format!("\"{written}\"") } else { written }
    }
}

impl FromStr for ColumnType {
    type Err = Option<String>;

    /// # Errors
    /// A suggestion, when there is one.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some((_, ty)) = Self::SIMPLE.iter().find(|(name, _)| *name == text) {
            return Ok(*ty);
        }
        if let Some(inner) = text.strip_prefix("decimal") {
            let numbers = inner.trim().strip_prefix('(').and_then(|inner| inner.strip_suffix(')'));
            let parsed = numbers.and_then(|numbers| {
                let (precision, scale) = numbers.split_once(',')?;
                Some((precision.trim().parse::<u8>().ok()?, scale.trim().parse::<u8>().ok()?))
            });
            return match parsed {
                Some((precision @ 1..=38, scale)) if scale <= precision => Ok(Self::Decimal(precision, scale)),
                // YAML has taken the comma for the end of the value.
                _ if text.contains('(') && !text.contains(')') => Err(Some(nested::CUT.into())),
                _ => Err(Some("write it like `decimal(10,2)`; the precision is at most 38".into())),
            };
        }
        if let Some(nested) = nested::parse(text) {
            return nested;
        }
        let foreign = Self::FOREIGN.iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
        let lower = text.to_ascii_lowercase();
        Err(match foreign {
            Some((_, ours)) => Some(format!("Glue calls it `{ours}`")),
            None => did_you_mean(&lower, Self::SIMPLE.iter().map(|(name, _)| *name)),
        })
    }
}

impl Table {
    /// The column of that name, partitions included.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().chain(&self.partitions).find(|column| column.name == name)
    }

    /// The columns that tell rows apart.
    pub fn primary_key(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.primary_key)
    }
}

impl TableSpec {
    /// Where it says that its files are buckets.
    pub(crate) fn bucketed(&self) -> Option<Span> {
        self.buckets.as_ref().map(|buckets| buckets.span)
    }

    /// Whether Glue is asked to keep it in order.
    pub(crate) fn optimized(&self) -> bool {
        let format = self.format.as_ref().and_then(|format| format.value.0.as_ref());
        matches!(format, Some(FormatSpec::Iceberg(Some(iceberg))) if iceberg.optimized())
    }

    /// The names of its columns and of its partitions, with their types where these could be read.
    pub(crate) fn written_columns(&self) -> impl Iterator<Item = (&Spanned<String>, Option<&str>)> {
        let columns = self.columns.0.iter().map(|(name, column)| (name, column.as_ref()));
        let partitions = self.partitions.0.iter().map(|(name, spec)| (name, spec.as_ref().map(|spec| &spec.column)));
        columns.chain(partitions).map(|(name, column)| (name, column.map(|column| column.ty.as_str())))
    }

    /// The table without its references and writers, which need every other table first.
    pub(crate) fn check(&self, name: &Spanned<String>, cx: &mut Check<'_>) -> Option<Table> {
        let columns_of = self.columns.0.iter().map(|(name, column)| (name, column.as_ref()));
        let written = columns(columns_of, "a column", cx);
        let partitions = self.partitions.0.iter().map(|(name, spec)| (name, spec.as_ref().map(|spec| &spec.column)));
        let partitions = columns(partitions, "a partition", cx);
        let projections = partition::projections(&self.partitions, cx);
        // Source: `DescriptionString` of the Glue API reference.
        if let Some(text) = &self.description {
            cx.description(text, "the catalog", 2_048);
        }
        let properties = self.properties(cx);
        for (partition, _) in &self.partitions.0 {
            if let Some((column, _)) = self.columns.0.iter().find(|(column, _)| column.value == partition.value) {
                cx.push(
                    Diagnostic::error(partition.span, format!("`{}` is a column already", partition.value))
                        .related(column.span, "the column")
                        .help("a partition is a folder, not a column of the files: name it in one place"),
                );
            }
        }
        if self.columns.0.is_empty() {
            cx.error(name.span, format!("the table `{}` has no columns", name.value))
                .help("declare them: `columns: { id: int }`");
        }
        let home = self.home(name, written.as_deref().unwrap_or_default(), cx);
        if let Some(home) = &home {
            self.refuse_nested(home, cx);
        }
        if let Some(Home::Zone { format: Format::Csv(Csv { quote: Some(_), .. }), .. }) = &home {
            self.check_quoted(cx);
        }
        let buckets = self.buckets.as_ref().map(|buckets| buckets.check(&self.columns, home.as_ref(), cx));
        if let Some(was) = &self.was {
            match &home {
                Some(Home::View { .. }) => {
                    cx.error(was.span, "a view has nothing in AWS that could keep its old name")
                        .help("leave `was` out");
                }
                Some(Home::Zone { format: Format::Iceberg(_), .. }) => {
                    cx.error(was.span, "an Iceberg table's rows are known by its name in the catalog, so it keeps it")
                        .help("keep the old name, and give it the new one as a view");
                }
                Some(Home::Zone { .. } | Home::DynamoDb { .. }) | None => {}
            }
        }
        let file = self.file.as_ref().map(|file| cx.file_name(file));
        let extension = match &home {
            Some(Home::Zone { format: Format::Csv(_), .. }) => "csv",
            Some(Home::Zone { format: Format::Parquet(_) | Format::Iceberg(_), .. }) => "parquet",
            Some(Home::Zone { format: Format::Orc(_), .. }) => "orc",
            Some(Home::Zone { format: Format::Avro, .. }) => "avro",
            Some(Home::Zone { format: Format::Json { .. }, .. } | Home::DynamoDb { .. } | Home::View { .. }) | None => {
                "json"
            }
        };
        Some(Table {
            name: name.value.clone(),
            home: home?,
            file: file.unwrap_or_else(|| Some(format!("{}.{extension}", name.value)))?,
            columns: written?,
            partitions: partitions?,
            projections: projections?,
            buckets: match buckets {
                Some(buckets) => Some(buckets?),
                None => None,
            },
            description: self.description.as_ref().map(|text| text.value.clone()),
            properties,
            writer: None,
            crawler: None,
            in_aws: self.was.as_ref().unwrap_or(name).value.clone(),
        })
    }

    /// Sources: "Schemas and Data Types" of the Iceberg specification, "Primitive Types" of the Avro specification.
    fn check_small_integers(&self, format: &str, cx: &mut Check<'_>) {
        for (_, column) in &self.columns.0 {
            if let Some(column) = column
                && let Ok(ty @ (ColumnType::TinyInt | ColumnType::SmallInt)) = column.ty.parse()
            {
                cx.error(column.ty.span, format!("{format} has no `{ty}`")).help("declare `int`");
            }
        }
    }

    fn check_iceberg(&self, cx: &mut Check<'_>) {
        self.check_small_integers("Iceberg", cx);
        if let Some((partition, _)) = self.partitions.0.first() {
            cx.error(partition.span, "the partitions of an Iceberg table are no columns of their own")
                .help("group its files: `format: { iceberg: { partition: [day(at)] } }`");
        }
    }

    /// Notes columns that are made of others, which not every table can hold.
    fn refuse_nested(&self, home: &Home, cx: &mut Check<'_>) {
        let (table, help) = match home {
            Home::Zone { format: Format::Json { .. } | Format::Parquet(_) | Format::Orc(_), .. }
            | Home::View { .. } => return,
            Home::Zone { format: Format::Avro, .. } => {
                ("lakegen makes no Avro tables with", "choose `json`, `orc` or `parquet`, or take its values out")
            }
            Home::Zone { format: Format::Csv(_), .. } => {
                ("a CSV file holds no", "choose `json`, `parquet` or `orc`, or declare `string`")
            }
            Home::Zone { format: Format::Iceberg(_), .. } => {
                ("lakegen makes no Iceberg tables with", "choose `json`, `orc` or `parquet`, or take its values out")
            }
            Home::DynamoDb { .. } => {
                ("a key-value table declares no", "declare `string`: an item may hold a list or a map there")
            }
        };
        for (_, column) in &self.columns.0 {
            let Some(column) = column else { continue };
            if let Ok(ty @ ColumnType::Nested(_)) = column.ty.parse() {
                cx.error(column.ty.span, format!("{table} `{ty}`")).help(help);
            }
        }
    }

    /// The further properties; those that follow from other keys are refused.
    fn properties(&self, cx: &mut Check<'_>) -> Vec<(String, String)> {
        const DERIVED: [&str; 8] = [
            "bucketing_format",
            "EXTERNAL",
            "classification",
            "table_type",
            "metadata_location",
            "parquet.compression",
            "orc.compress",
            "skip.header.line.count",
        ];
        let mut properties = Vec::new();
        for (name, value) in &self.properties.0 {
            if DERIVED.contains(&name.as_str()) || name.starts_with("projection.") {
                cx.error(name.span, format!("the property `{}` follows from the other keys of the table", name.value))
                    .help("`format`, `partitions` and `buckets` set such; remove it here");
            }
            // Source: `KeyString` of the Glue API reference.
            if name.is_empty() || name.chars().count() > 255 {
                cx.error(name.span, "the name of a property has 1 to 255 characters");
            }
            if name.contains(|c: char| c.is_control() && c != '\t') {
                cx.error(name.span, "the name of a property holds no control characters");
            }
            // Source: `ParametersMapValue` of the Glue API reference.
            if value.as_ref().is_some_and(|value| value.value.0.len() > 512_000) {
                cx.error(name.span, "the value of a property has at most 512,000 bytes");
            }
            properties.extend(value.as_ref().map(|value| (name.value.clone(), value.value.0.clone())));
        }
        properties
    }

    /// Quoted CSV is read by OpenCSVSerDe, which knows few types. Source: "Open CSV SerDe" of the Athena user guide.
    fn check_quoted(&self, cx: &mut Check<'_>) {
        use ColumnType::{BigInt, Boolean, Double, Int, String};
        for (_, column) in &self.columns.0 {
            let Some(column) = column else { continue };
            if let Ok(ty) = column.ty.parse::<ColumnType>()
                && !matches!(ty, String | Boolean | Int | BigInt | Double | ColumnType::Nested(_))
            {
                cx.error(column.ty.span, format!("Athena cannot read `{ty}` from CSV with quotes"))
                    .help("declare `string`, and let a query or a recipe turn it into what it is");
            }
        }
    }

    fn home(&self, name: &Spanned<String>, columns: &[Column], cx: &mut Check<'_>) -> Option<Home> {
        if let Some(view) = &self.view {
            let written = [
                self.zone.as_ref().map(|zone| zone.span),
                self.format.as_ref().map(|format| format.span),
                self.dynamodb.as_ref().map(|dynamodb| dynamodb.span),
                self.file.as_ref().map(|file| file.span),
                self.partitions.0.first().map(|(partition, _)| partition.span),
            ];
            if let Some(span) = written.into_iter().flatten().next() {
                cx.push(
                    Diagnostic::error(span, "a view has no files of its own, so no zone, format or partitions")
                        .related(view.span, "the view"),
                );
            }
            return Some(Home::View { sql: String::new(), reads: Vec::new() });
        }
        match (&self.zone, &self.dynamodb) {
            (Some(zone), None) => {
                let zone = cx.zone(zone);
                let format = match &self.format {
                    Some(format) => format.check(name, columns, cx),
                    None => {
                        cx.error(name.span, format!("the table `{}` needs a format", name.value))
                            .help("add `format: csv`, `json`, `parquet`, `orc`, `avro` or `iceberg`");
                        None
                    }
                };
                match format {
                    Some(Format::Iceberg(_)) => self.check_iceberg(cx),
                    Some(Format::Avro) => self.check_small_integers("Avro", cx),
                    Some(Format::Csv(_) | Format::Json { .. } | Format::Parquet(_) | Format::Orc(_)) | None => {}
                }
                Some(Home::Zone { zone: zone?, format: format? })
            }
            (None, Some(dynamodb)) => {
                if let Some(format) = &self.format {
                    cx.error(format.span, "a key-value table has no files, so no format").help("remove `format`");
                }
                let key = &dynamodb.key;
                match self.columns.0.iter().position(|(column, _)| column.value == key.value) {
                    Some(position) => {
                        if let Some((_, Some(column))) = self.columns.0.get(position)
                            && !matches!(
                                column.ty.parse(),
                                Ok(ColumnType::String | ColumnType::Int | ColumnType::BigInt)
                            )
                        {
                            cx.error(column.ty.span, "a key is `string`, `int` or `bigint`");
                        }
                        Some(Home::DynamoDb { key: position })
                    }
                    None => {
                        let table = cx.find_table(name)?;
                        cx.no_column(key.span, key, table);
                        None
                    }
                }
            }
            (Some(zone), Some(dynamodb)) => {
                cx.push(
                    Diagnostic::error(dynamodb.span, "a table lies in a zone or in DynamoDB, not in both")
                        .related(zone.span, "the zone"),
                );
                None
            }
            (None, None) => {
                cx.error(name.span, format!("the table `{}` lies nowhere", name.value))
                    .help("add `zone:` and `format:`, `dynamodb: { key: … }` or `view: select …`");
                None
            }
        }
    }

    /// The references of each column, for when all tables are known.
    pub(crate) fn check_references(&self, cx: &mut Check<'_>) -> Vec<Option<(Id<Table>, usize)>> {
        let columns = self.columns.0.iter().filter_map(|(_, column)| column.as_ref());
        columns.map(|column| reference(column, cx)).collect()
    }
}

fn reference(column: &ColumnSpec, cx: &mut Check<'_>) -> Option<(Id<Table>, usize)> {
    let written = column.references.as_ref()?;
    let Some((table, name)) = written.split_once('.') else {
        cx.error(written.span, format!("`{}` does not name a column", written.value))
            .help("write `references: table.column`");
        return None;
    };
    let id = cx.table(&Spanned::new(table.to_owned(), written.span))?;
    let target = cx.tables.get(id.index())?.as_ref()?;
    if let Some(partition) = target.partitions.iter().find(|partition| partition.name == name) {
        cx.error(written.span, format!("`{}` is a partition, not a column of the files", partition.name))
            .help("refer to a column that tells rows apart");
        return None;
    }
    let Some(position) = target.columns.iter().position(|column| column.name == name) else {
        cx.no_column(written.span, name, id);
        return None;
    };
    let theirs = target.columns[position].ty;
    if let Ok(ours) = column.ty.parse::<ColumnType>()
        && ours != theirs
    {
        let place = cx.declaration(id, name).map(|span| (span, format!("declared `{theirs}`")));
        cx.error(written.span, format!("this column is `{ours}`, but `{}` is `{theirs}`", written.value))
            .places(place)
            .help("give both the same type");
    }
    Some((id, position))
}

fn columns<'a>(
    written: impl Iterator<Item = (&'a Spanned<String>, Option<&'a ColumnSpec>)>,
    noun: &str,
    cx: &mut Check<'_>,
) -> Option<Vec<Column>> {
    let columns: Vec<Option<Column>> = written
        .map(|(name, column)| {
            let named = cx.name(name, noun);
            let column = column?;
            let ty = column_type(&column.ty, cx);
            if let Some(ty @ ColumnType::Nested(_)) = ty
                && (column.primary_key || column.references.is_some() || noun == "a partition")
            {
                let what = if noun == "a partition" { noun } else { "a key" };
                cx.error(column.ty.span, format!("{what} cannot be `{ty}`")).help("a plain type tells rows apart");
            }
            if let Some(comment) = &column.comment {
                check_comment(comment, cx);
            }
            named?;
            Some(Column {
                name: name.value.clone(),
                ty: ty?,
                primary_key: column.primary_key,
                references: None,
                comment: column.comment.as_ref().map(|comment| comment.value.clone()),
            })
        })
        .collect();
    columns.into_iter().collect()
}

/// Notes a comment that the catalog does not take. Source: `CommentString` of the Glue API reference.
fn check_comment(comment: &Spanned<String>, cx: &mut Check<'_>) {
    const MOST: usize = 255;
    let length = comment.chars().count();
    if length > MOST {
        cx.error(comment.span, format!("the catalog takes comments of {MOST} characters, and this one has {length}"));
    }
    if comment.trim_end().contains(|c: char| c.is_control() && c != '\t') {
        cx.error(comment.span, "the catalog takes comments of one line")
            .help("write a longer text in the table's `description`");
    }
}

/// The type that is written; an unknown one is noted.
pub(crate) fn column_type(written: &Spanned<String>, cx: &mut Check<'_>) -> Option<ColumnType> {
    written
        .parse()
        .map_err(|help: Option<String>| {
            let help = help.unwrap_or_else(|| {
                let names: Vec<&str> = ColumnType::SIMPLE.iter().map(|(name, _)| *name).collect();
                format!(
                    "the types are {}, `decimal(p,s)`, and `array<…>`, `map<…,…>` and `struct<name:…,…>` of them",
                    names.join(", ")
                )
            });
            cx.error(written.span, format!("no column type named `{}`", written.value)).help(help);
        })
        .ok()
}

/// The same for values that must not be made of others.
pub(crate) fn plain_type(written: &Spanned<String>, cx: &mut Check<'_>) -> Option<ColumnType> {
    let ty = column_type(written, cx)?;
    if matches!(ty, ColumnType::Nested(_)) {
        cx.error(written.span, format!("`{ty}` cannot be made of a plain value"));
        return None;
    }
    Some(ty)
}
