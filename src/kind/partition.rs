//! Partitions: columns that are folders (`day=2026-05-01/`), and how Athena finds the folders.

use crate::check::Check;
use crate::decode::{Attempt, Decode, Decoder, Named, Scalar, alternatives, quantity, section};
use crate::diagnostic::Diagnostic;
use crate::kind::table::{ColumnSpec, ColumnType};
use crate::schema::{Language, Shape};
use crate::source::{Node, Spanned, Value};

/// A partition: its bare type, or a map.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionSpec {
    /// Its name's column.
    pub(super) column: ColumnSpec,
    project: Option<Spanned<Attempt<ProjectSpec>>>,
}

section! {
    /// A partition in full.
    "a partition"
    struct PartitionMap {
        /// The type of its values, by Glue's name.
        /// Example: `date`.
        ty as "type": Spanned<String>,
        /// One sentence.
        /// Default: none.
        /// Example: `The day of the order`.
        comment: Option<Spanned<String>>,
        /// From what Athena reckons which folders there are, without asking the catalog. Either every partition of a table has
        /// it or none; a table that has it needs no crawler.
        /// Default: none; Athena asks the catalog.
        /// Example: `{ date: { from: 2026-01-01 } }`.
        project: Option<Spanned<Attempt<ProjectSpec>>>,
    }
}

impl Decode for PartitionSpec {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        if let Value::String(_) = node.value {
            return Some(Self { column: ColumnSpec::decode(node, decoder)?, project: None });
        }
        let PartitionMap { ty, comment, project } = PartitionMap::decode(node, decoder)?;
        Some(Self { column: ColumnSpec::plain(ty, comment), project })
    }

    fn shape(language: &mut Language) -> Shape {
        Shape::Either(vec![Shape::Text, PartitionMap::shape(language)])
    }
}

alternatives! {
    /// How the values of a partition are reckoned.
    ///
    /// Source: "Supported types for partition projection" of the Athena user guide.
    "a projection"
    pub enum ProjectSpec {
        /// Every whole number of a range.
        /// Example: `{ from: 0, to: 23 }`.
        Integer(IntegerSpec) = "integer",
        /// Every date of a range.
        /// Example: `{ from: 2026-01-01 }`.
        Date(DateSpec) = "date",
        /// These and no others.
        /// Example: `[north, south]`.
        Enum(Vec<Spanned<Scalar>>) = "enum",
        /// Whatever text a query asks for: each must say `where partition = 'value'`.
        Injected = "injected",
    }
}

section! {
    /// Whole numbers.
    "an integer projection"
    pub struct IntegerSpec {
        /// The first.
        /// Example: `0`.
        from: Spanned<i64>,
        /// The last.
        /// Example: `23`.
        to: Spanned<i64>,
        /// How far one is from the next.
        /// Default: `1`.
        /// Example: `5`.
        interval: Option<Spanned<u32>>,
        /// With how many digits a folder's name writes it, by leading zeros; only for folders that come from outside.
        /// Default: no leading zeros.
        /// Example: `2`.
        digits: Option<Spanned<u32>>,
    }
}

section! {
    /// Dates.
    "a date projection"
    pub struct DateSpec {
        /// The first, written in `format`; or relative, like `NOW-3YEARS`.
        /// Example: `2026-01-01`.
        from: Spanned<String>,
        /// The last.
        /// Default: `NOW`.
        /// Example: `2026-12-31`.
        to: Option<Spanned<String>>,
        /// How a folder's name writes it, in the letters of Java's `DateTimeFormatter`.
        /// Default: `yyyy-MM-dd`.
        /// Example: `yyyy-MM-dd-HH`.
        format: Option<Spanned<String>>,
        /// How far one is from the next; a format with hours or minutes, or with nothing but the year, needs it.
        /// Default: `1 day`, or `1 month` where the format ends with the month.
        /// Example: `1 hour`.
        interval: Option<Spanned<Interval>>,
    }
}

/// A distance between dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// How many.
    pub count: u32,
    /// Of what, as Athena writes it: `DAYS`.
    pub unit: &'static str,
}

impl Decode for Interval {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        const UNITS: [(&str, &str); 5] =
            [("minute", "MINUTES"), ("hour", "HOURS"), ("day", "DAYS"), ("month", "MONTHS"), ("year", "YEARS")];
        let count = quantity(node, &INTERVALS, "1 hour", decoder)?;
        let Value::String(text) = &node.value else { return None };
        let word = text.trim_start_matches(|c: char| c.is_ascii_digit()).trim();
        let unit = UNITS.iter().find(|(name, _)| word.trim_end_matches('s') == *name)?.1;
        if !(1..=100_000).contains(&count) {
            decoder.error(node.span, "an interval is between 1 and 100000");
        }
        Some(Self { count: u32::try_from(count).unwrap_or(u32::MAX), unit })
    }

    fn shape(_: &mut Language) -> Shape {
        Shape::quantity(&INTERVALS)
    }
}

const INTERVALS: [(&str, u64); 10] = [
    ("minute", 1),
    ("minutes", 1),
    ("hour", 1),
    ("hours", 1),
    ("day", 1),
    ("days", 1),
    ("month", 1),
    ("months", 1),
    ("year", 1),
    ("years", 1),
];

/// How the values of a partition are reckoned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Projection {
    /// Whole numbers.
    Integer {
        /// The first.
        from: i64,
        /// The last.
        to: i64,
        /// How far one is from the next.
        interval: u32,
        /// The width of a folder's number.
        digits: Option<u32>,
    },
    /// Dates.
    Date {
        /// The first, in `format` or relative to now.
        from: String,
        /// The last.
        to: String,
        /// In the letters of Java's `DateTimeFormatter`.
        format: String,
        /// How far one is from the next; none: what Athena takes for the format.
        interval: Option<Interval>,
    },
    /// These values.
    Enum(Vec<String>),
    /// What a query asks for.
    Injected,
}

/// How a day is written when nothing else is said.
const ISO_DAY: &str = "yyyy-MM-dd";

/// The projections of a table's partitions: one for each, or none at all.
pub(super) fn projections(written: &Named<PartitionSpec>, cx: &mut Check<'_>) -> Option<Vec<Projection>> {
    let specs = || written.0.iter().filter_map(|(name, spec)| Some((name, spec.as_ref()?)));
    let Some((first, _)) = specs().find(|(_, spec)| spec.project.is_some()) else { return Some(Vec::new()) };
    let found: Vec<Option<Projection>> = specs()
        .map(|(name, spec)| match &spec.project {
            Some(project) => projection(name, &spec.column, project, cx),
            None => {
                cx.push(
                    Diagnostic::error(name.span, format!("Athena cannot reckon the partition `{}`", name.value))
                        .related(first.span, "this one is projected")
                        .help("give `project` to every partition of the table, or to none"),
                );
                None
            }
        })
        .collect();
    found.into_iter().collect()
}

fn projection(
    name: &Spanned<String>,
    column: &ColumnSpec,
    project: &Spanned<Attempt<ProjectSpec>>,
    cx: &mut Check<'_>,
) -> Option<Projection> {
    let ty: Option<ColumnType> = column.ty.parse().ok();
    let mut wants = |fits: bool, what: &str, types: &str| {
        if ty.is_some() && !fits {
            cx.error(column.ty.span, format!("{what} cannot be `{}`", column.ty.value))
                .help(format!("declare `{}` as {types}", name.value));
        }
    };
    match project.value.0.as_ref()? {
        ProjectSpec::Integer(spec) => {
            let integer = matches!(ty, Some(ColumnType::Int | ColumnType::BigInt | ColumnType::SmallInt));
            wants(integer || ty == Some(ColumnType::String), "a projected number", "`int`, `bigint` or `string`");
            let IntegerSpec { from, to, interval, digits } = spec;
            if from.value > to.value {
                cx.push(
                    Diagnostic::error(to.span, format!("the range ends before it begins, at {}", from.value))
                        .related(from.span, "the beginning"),
                );
            }
            for (number, most) in [(interval, u32::MAX), (digits, 18)] {
                if let Some(number) = number
                    && !(1..=most).contains(&number.value)
                {
                    cx.error(number.span, format!("expected a number from 1 to {most}"));
                }
            }
            let number = |number: &Option<Spanned<u32>>| number.as_ref().map(|number| number.value);
            let interval = number(interval).unwrap_or(1);
            Some(Projection::Integer { from: from.value, to: to.value, interval, digits: number(digits) })
        }
        ProjectSpec::Date(spec) => {
            wants(matches!(ty, Some(ColumnType::Date | ColumnType::String)), "a projected date", "`date` or `string`");
            date(spec, ty, cx)
        }
        ProjectSpec::Enum(values) => {
            wants(ty != Some(ColumnType::Binary), "a listed value", "`string`");
            if values.is_empty() {
                cx.error(project.span, "there are no values").help("list them: `{ enum: [north, south] }`");
            }
            for value in values {
                if value.0.is_empty() || value.0.contains([',', '/']) || value.0.trim() != value.0 {
                    cx.error(value.span, format!("`{}` cannot be a listed value", value.0))
                        .help("a value is not empty and has no comma, slash, or space at its ends");
                }
            }
            Some(Projection::Enum(values.iter().map(|value| value.0.clone()).collect()))
        }
        ProjectSpec::Injected => {
            wants(ty == Some(ColumnType::String), "a value that a query asks for", "`string`");
            Some(Projection::Injected)
        }
    }
}

fn date(spec: &DateSpec, ty: Option<ColumnType>, cx: &mut Check<'_>) -> Option<Projection> {
    let DateSpec { from, to, format, interval } = spec;
    let pattern = format.as_ref().map_or(ISO_DAY, |format| format.value.as_str());
    if let Some(format) = format {
        let letters = |c: char| "yMdHm".contains(c) || matches!(c, '-' | '_' | '.');
        if !format.contains("yyyy") || !format.chars().all(letters) {
            cx.error(format.span, format!("`{}` is not a format of dates in folders' names", format.value))
                .help("write it with `yyyy`, `MM`, `dd`, `HH`, `mm` and `-`, `_` or `.` between them");
            return None;
        }
        if ty == Some(ColumnType::Date) && pattern != ISO_DAY {
            cx.error(format.span, format!("a `date` is written `{ISO_DAY}`"))
                .help("leave `format` out, or declare the partition as `string`");
        }
        let hours = format.contains(['H', 'm']);
        if interval.is_none() && (hours || !format.contains("MM")) {
            cx.error(format.span, "Athena cannot tell how far one folder is from the next").help(if hours {
                "add `interval: 1 hour`"
            } else {
                "add `interval: 1 year`"
            });
        }
    }
    for end in [Some(from), to.as_ref()].into_iter().flatten() {
        if !is_moment(end, pattern) {
            cx.error(end.span, format!("`{}` is not written as `{pattern}`", end.value))
                .help("or relative to today: `NOW`, `NOW-3YEARS`, `NOW+1DAYS`");
        }
    }
    if let Some(to) = to
        && !from.starts_with("NOW")
        && !to.starts_with("NOW")
        && pattern.starts_with("yyyy")
        && from.value > to.value
    {
        cx.push(Diagnostic::error(to.span, "the range ends before it begins").related(from.span, "the beginning"));
    }
    Some(Projection::Date {
        from: from.value.clone(),
        to: to.as_ref().map_or_else(|| "NOW".into(), |to| to.value.clone()),
        format: pattern.into(),
        interval: interval.as_ref().map(|interval| interval.value),
    })
}

/// Whether the text is `NOW`, `NOW-3YEARS`, or has a digit where the pattern has a letter and its other characters elsewhere.
fn is_moment(text: &str, pattern: &str) -> bool {
    const UNITS: [&str; 7] = ["YEARS", "MONTHS", "WEEKS", "DAYS", "HOURS", "MINUTES", "SECONDS"];
    if let Some(offset) = text.strip_prefix("NOW") {
        let amount = offset.strip_prefix(['+', '-']).unwrap_or_default();
        let unit = amount.trim_start_matches(|c: char| c.is_ascii_digit());
        return offset.is_empty() || (unit.len() < amount.len() && UNITS.contains(&unit));
    }
    let fits = |(c, p): (char, char)| if p.is_ascii_alphabetic() { c.is_ascii_digit() } else { c == p };
    text.len() == pattern.len() && text.chars().zip(pattern.chars()).all(fits)
}
