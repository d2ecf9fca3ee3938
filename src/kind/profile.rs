//! A profile: what DataBrew finds out about the values of a table, and rules that they should keep.

use crate::check::Check;
use crate::decode::{Attempt, Decode, Decoder, section};
use crate::diagnostic::{did_you_mean, listed};
use crate::kind::recipe::{DatasetSpec, check_schedule, condition, refuse_dataset};
use crate::lake::{ColumnType, Condition, Id, Table};
use crate::schema::{Form, Key, Language, Shape};
use crate::source::{Node, Span, Spanned, Value};

section! {
    /// A DataBrew profile of a table.
    "a profile"
    pub struct ProfileSpec by NAME {
        /// The table.
        /// Example: `orders`.
        reads: Spanned<String>,
        /// Where DataBrew learns of it: from its `files`, or from the `catalog`.
        /// Default: `files`.
        /// Example: `catalog`.
        dataset: Option<Spanned<DatasetSpec>>,
        /// It looks at so many rows.
        /// Default: all of them.
        /// Example: `20000`.
        rows: Option<Spanned<u32>>,
        /// When it is made, in UTC; six fields, as AWS writes them.
        /// Default: when somebody starts its job.
        /// Example: `"cron(0 5 * * ? *)"`.
        schedule: Option<Spanned<String>>,
        /// What should be true of the table; the profile says what is not.
        /// Example: `[{ missing_values: { of: order_id, at_most: 0 } }]`.
        rules: Vec<Attempt<RuleSpec>>,
    }
}

/// A rule as written: `missing_values: { of: id, at_most: 5% }`.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleSpec {
    about: Spanned<String>,
    fields: RuleFields,
}

section! {
    /// What a rule asks for.
    "a rule"
    struct RuleFields {
        /// The columns that it is about.
        /// Example: `[id, price]`.
        of: Vec<Spanned<String>>,
        /// For `values`: the conditions that each value should meet.
        /// Default: none.
        /// Example: `{ greater_than_equal: 0 }`.
        conditions as "where": Option<RawNode>,
        /// It is this or more.
        /// Default: none.
        /// Example: `100`.
        at_least: Option<Spanned<Limit>>,
        /// It is this or less.
        /// Default: none.
        /// Example: `5%`.
        at_most: Option<Spanned<Limit>>,
        /// It is more than this.
        /// Default: none.
        /// Example: `0`.
        more_than: Option<Spanned<Limit>>,
        /// It is less than this.
        /// Default: none.
        /// Example: `1000`.
        less_than: Option<Spanned<Limit>>,
        /// It is exactly this.
        /// Default: none.
        /// Example: `7`.
        equals: Option<Spanned<Limit>>,
    }
}

/// Conditions, read when the column's type is known.
#[derive(Debug, Clone, PartialEq)]
struct RawNode(Node);

impl Decode for RawNode {
    fn decode(node: &Node, _: &mut Decoder) -> Option<Self> {
        Some(Self(node.clone()))
    }

    fn shape(language: &mut Language) -> Shape {
        condition::shape(language)
    }
}

/// A number, or a share like `5%`.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    text: String,
    percent: bool,
}

impl Decode for Limit {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let written = crate::decode::Scalar::decode(node, decoder)?.0;
        let (text, percent) = match written.strip_suffix('%') {
            Some(number) => (number.trim().to_owned(), true),
            None => (written.clone(), false),
        };
        let fits = text.parse::<f64>().is_ok_and(|n| n.is_finite() && (!percent || (0.0..=100.0).contains(&n)));
        if !fits {
            // It is there all the same, so that nobody is told to write it.
            decoder
                .error(node.span, format!("`{written}` is neither a number nor a share"))
                .help("write a number, or a share between `0%` and `100%`");
        }
        Some(Self { text, percent })
    }

    fn shape(_: &mut Language) -> Shape {
        Shape::Either(vec![
            Shape::Number,
            Shape::Form {
                words: "a share like `5%`".into(),
                pattern: r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*%?$".into(),
            },
        ])
    }
}

impl Decode for RuleSpec {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            return decoder.expected("a rule like `missing_values: { of: id, at_most: 0 }`", node);
        };
        let [(about, fields)] = entries.as_slice() else {
            decoder
                .error(node.span, format!("a rule is a map with exactly one key, found {}", entries.len()))
                .help("write it like `missing_values: { of: id, at_most: 0 }`");
            return None;
        };
        let known = || MEASURES.iter().map(|measure| measure.word);
        if !known().any(|word| word == about.value) {
            let help = did_you_mean(about, known())
                .unwrap_or_else(|| format!("a rule is about {}", listed(&known().collect::<Vec<_>>())));
            decoder.error(about.span, format!("no rule is about `{}`", about.value)).help(help);
            return None;
        }
        RuleFields::decode(fields, decoder).map(|fields| Self { about: about.clone(), fields })
    }

    fn shape(language: &mut Language) -> Shape {
        language.define::<Self>(
            "a rule of a profile",
            &["What should be true of a table."],
            Form::Alternatives,
            |language| {
                let key = |measure: &Measure| {
                    let example = match measure.of {
                        Of::Table => "Example: `{ at_least: 1 }`.",
                        Of::Columns | Of::Counted | Of::Measured | Of::Numbers => {
                            "Example: `{ of: [price], at_most: 100 }`."
                        }
                        Of::Each => "Example: `{ of: price, where: { greater_than: 0 }, at_least: 99% }`.",
                    };
                    let key = Key::of::<RuleFields>(measure.word, &[measure.about, example], language);
                    Key { optional: false, ..key }
                };
                MEASURES.iter().map(key).collect()
            },
        )
    }
}

/// What a rule can be about.
struct Measure {
    word: &'static str,
    /// DataBrew's name in `AGG(…)`, without `_COUNT` where there is a share too.
    name: &'static str,
    of: Of,
    share: bool,
    /// What it is, for people.
    about: &'static str,
}

#[derive(PartialEq, Clone, Copy)]
enum Of {
    /// The table.
    Table,
    /// Columns, whatever they hold.
    Columns,
    /// Columns of numbers, text or truths.
    Counted,
    /// Columns of numbers or text, of which the length is measured.
    Measured,
    /// Columns of numbers.
    Numbers,
    /// Single values of a column.
    Each,
}

impl Of {
    /// What a column must hold; none when it may hold anything, or what it holds.
    fn lacks(self, ty: ColumnType) -> Option<&'static str> {
        let text = ty == ColumnType::String;
        match self {
            Self::Counted if !(ty.is_number() || text || ty == ColumnType::Boolean) => Some("numbers, text and truths"),
            Self::Measured if !(ty.is_number() || text) => Some("numbers and lengths of text"),
            Self::Numbers if !ty.is_number() => Some("numbers"),
            _ => None,
        }
    }
}

const fn measure(word: &'static str, name: &'static str, of: Of, share: bool, about: &'static str) -> Measure {
    Measure { word, name, of, share, about }
}

/// Source: "Available checks" of the DataBrew developer guide, and the types of columns in "Configurable statistics at the column
/// level" there.
static MEASURES: [Measure; 22] = [
    measure("rows", "ROWS_COUNT", Of::Table, false, "How many rows there are."),
    measure("columns", "COLUMNS_COUNT", Of::Table, false, "How many columns there are."),
    measure("duplicate_rows", "DUPLICATE_ROWS", Of::Table, true, "Rows that are there more than once."),
    measure("missing_values", "MISSING_VALUES", Of::Columns, true, "Rows without a value in the columns."),
    measure(
        "duplicate_values",
        "DUPLICATE_VALUES",
        Of::Counted,
        true,
        "Values of the columns that are there more than once.",
    ),
    measure("valid_values", "VALID_VALUES", Of::Columns, true, "Values that are of their column's type."),
    measure("distinct_values", "DISTINCT_VALUES", Of::Counted, true, "Different values of the columns."),
    measure("unique_values", "UNIQUE_VALUES", Of::Counted, true, "Values of the columns that are there once."),
    measure("minimum", "MIN", Of::Measured, false, "The smallest value; of text, the length."),
    measure("maximum", "MAX", Of::Measured, false, "The greatest value; of text, the length."),
    measure("mean", "MEAN", Of::Measured, false, "The mean of the values; of text, of the lengths."),
    measure("median", "MEDIAN", Of::Measured, false, "The median of the values; of text, of the lengths."),
    measure("mode", "MODE", Of::Measured, false, "The value that is there most often; of text, the length."),
    measure("sum", "SUM", Of::Numbers, false, "The sum of the values."),
    measure(
        "standard_deviation",
        "STANDARD_DEVIATION",
        Of::Measured,
        false,
        "How far the values lie from their mean; of text, the lengths.",
    ),
    measure("variance", "VARIANCE", Of::Numbers, false, "The square of the standard deviation."),
    measure(
        "median_absolute_deviation",
        "MEDIAN_ABSOLUTE_DEVIATION",
        Of::Numbers,
        false,
        "The median of how far the values lie from their median.",
    ),
    measure("skewness", "SKEWNESS", Of::Numbers, false, "How lopsided the values lie about their mean."),
    measure("kurtosis", "KURTOSIS", Of::Numbers, false, "How far out the values lie."),
    measure("entropy", "ENTROPY", Of::Counted, false, "How much there is to learn from a value."),
    measure(
        "outliers",
        "Z_SCORE_OUTLIERS",
        Of::Measured,
        true,
        "Values that lie more than three standard deviations from the mean; of text, the lengths.",
    ),
    measure("values", "", Of::Each, true, "Every single value, by conditions."),
];

/// A profile of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// The name.
    pub name: String,
    /// The table.
    pub reads: Id<Table>,
    /// Where DataBrew learns of it.
    pub dataset: DatasetSpec,
    /// How many rows it looks at; all when there is no number.
    pub rows: Option<u32>,
    /// When it is made.
    pub schedule: Option<String>,
    /// What should be true of the table.
    pub rules: Vec<Rule>,
}

/// A rule in DataBrew's form.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The rule in words; no two of a profile have one name.
    pub name: String,
    /// The expression, with `:names` for values.
    pub check: String,
    /// What the names stand for.
    pub values: Vec<(String, String)>,
    /// The columns that the expression is applied to.
    pub columns: Vec<String>,
    /// How many rows must keep it, where it is about single values.
    pub threshold: Option<Threshold>,
}

/// How many rows must keep a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// Like `GREATER_THAN_OR_EQUAL`.
    pub comparison: &'static str,
    /// `PERCENTAGE` or `COUNT`.
    pub unit: &'static str,
    /// The number.
    pub value: String,
}

/// A comparison: how it is written, in expressions, and for thresholds.
type Comparison = (&'static str, &'static str, Option<&'static str>);

impl ProfileSpec {
    pub(crate) fn check(&self, name: &Spanned<String>, cx: &mut Check<'_>) -> Option<Profile> {
        let reads = cx.table(&self.reads);
        if let Some(id) = reads {
            cx.refuse_without_files(&self.reads, id, "a profile");
            cx.refuse_avro(&self.reads, id, "a profile");
            cx.refuse_separators(&self.reads, id);
        }
        refuse_dataset(self.dataset.as_ref(), &self.reads, reads, cx);
        if let Some(rows) = self.rows.as_ref().filter(|rows| rows.value == 0) {
            cx.error(rows.span, "a profile looks at 1 row or more");
        }
        if let Some(schedule) = &self.schedule {
            check_schedule(schedule, cx);
        }
        let mut rules: Vec<Rule> = Vec::new();
        for Attempt(spec) in &self.rules {
            let Some(spec) = spec else { continue };
            for rule in spec.check(reads, cx) {
                if rules.iter().any(|other| other.name == rule.name) {
                    cx.error(spec.about.span, format!("the rule `{}` stands here twice", rule.name));
                }
                rules.push(rule);
            }
        }
        Some(Profile {
            name: name.value.clone(),
            reads: reads?,
            dataset: self.dataset.as_ref().map_or(DatasetSpec::Files, |dataset| dataset.value.clone()),
            rows: self.rows.as_ref().map(|rows| rows.value),
            schedule: self.schedule.as_ref().map(|schedule| schedule.value.clone()),
            rules,
        })
    }
}

impl RuleSpec {
    fn check(&self, table: Option<Id<Table>>, cx: &mut Check<'_>) -> Vec<Rule> {
        let Self { about, fields } = self;
        let Some(measure) = MEASURES.iter().find(|measure| measure.word == about.value) else { return Vec::new() };
        let limit = self.limit(measure, cx);
        match (measure.of, &fields.conditions) {
            (Of::Each, None) => {
                cx.error(about.span, "`values` needs the key `where`")
                    .help("write the conditions, like `where: { greater_than: 0 }`");
            }
            (Of::Each, Some(_)) | (_, None) => {}
            (_, Some(RawNode(node))) => {
                cx.error(node.span, format!("`{}` takes no conditions", about.value)).help("only `values` does");
            }
        }
        match (measure.of, fields.of.first()) {
            (Of::Table, Some(column)) => {
                cx.error(column.span, format!("`{}` is about the table, not about a column", about.value));
            }
            (Of::Table, None) | (_, Some(_)) => {}
            (_, None) => {
                cx.error(about.span, format!("`{}` needs the key `of`", about.value))
                    .help("name the columns that it is about");
            }
        }
        let columns: Vec<_> = fields.of.iter().map(|column| (column, column_type(table, column, cx))).collect();
        for (column, ty) in &columns {
            if let Some((ty, wanted)) =
                ty.filter(|ty| !matches!(ty, ColumnType::Nested(_))).and_then(|ty| Some((ty, measure.of.lacks(ty)?)))
            {
                cx.error(column.span, format!("`{}` is {ty}, and `{}` is about {wanted}", column.value, about.value))
                    .help("DataBrew leaves such a column out; `values` and `missing_values` take it");
            }
        }
        match (measure.of, limit) {
            (Of::Each, limit) => {
                let Some(RawNode(node)) = &fields.conditions else { return Vec::new() };
                let threshold = threshold(limit);
                columns
                    .iter()
                    .filter_map(|(column, ty)| values_rule(column, *ty, node, threshold.clone(), cx))
                    .collect()
            }
            (_, None) => Vec::new(),
            (_, Some((limit, (word, sign, _)))) => {
                let suffix = match (measure.share, limit.percent) {
                    (true, true) => "_PERCENTAGE",
                    (true, false) => "_COUNT",
                    (false, _) => "",
                };
                let names: Vec<String> = columns.iter().map(|(column, _)| column.value.clone()).collect();
                let of = if names.is_empty() { String::new() } else { format!(" of {}", names.join(" and ")) };
                let share = if limit.percent { "%" } else { "" };
                let mut values = vec![(":val".to_owned(), limit.text.clone())];
                // The guide's example of their count names how many deviations, its example of their share does not.
                let parameter = if measure.word == "outliers" && !limit.percent {
                    values.push((":zscore_dev".to_owned(), "3".to_owned()));
                    ", :zscore_dev"
                } else {
                    ""
                };
                vec![Rule {
                    name: shortened(&format!("{}{of} {} {}{share}", about.value, word.replace('_', " "), limit.text)),
                    check: format!("AGG({}{suffix}{parameter}) {sign} :val", measure.name),
                    values,
                    columns: names,
                    threshold: None,
                }]
            }
        }
    }

    /// The one comparison of the rule.
    fn limit(&self, measure: &Measure, cx: &mut Check<'_>) -> Option<(&Limit, Comparison)> {
        let RuleFields { of: _, conditions: _, at_least, at_most, more_than, less_than, equals } = &self.fields;
        let all: [(&Option<Spanned<Limit>>, Comparison); 5] = [
            (at_least, ("at_least", ">=", Some("GREATER_THAN_OR_EQUAL"))),
            (at_most, ("at_most", "<=", Some("LESS_THAN_OR_EQUAL"))),
            (more_than, ("more_than", ">", Some("GREATER_THAN"))),
            (less_than, ("less_than", "<", Some("LESS_THAN"))),
            (equals, ("equals", "==", None)),
        ];
        let mut written = all.into_iter().filter_map(|(limit, comparison)| Some((limit.as_ref()?, comparison)));
        let first = written.next();
        if let Some((second, _)) = written.next() {
            cx.error(second.span, "a rule compares once").help("make two rules of it");
        }
        let Some((limit, comparison)) = first else {
            if measure.of != Of::Each {
                cx.error(self.about.span, format!("`{}` is compared with nothing", self.about.value))
                    .help("add `at_least`, `at_most`, `more_than`, `less_than` or `equals`");
            }
            return None;
        };
        if limit.value.percent && !measure.share {
            cx.error(limit.span, format!("`{}` has no share of anything", self.about.value))
                .help("write a number without `%`");
        }
        if measure.of == Of::Each && comparison.2.is_none() {
            cx.error(limit.span, "`values` are counted with `at_least`, `at_most`, `more_than` or `less_than`");
        }
        Some((&limit.value, comparison))
    }
}

fn column_type(table: Option<Id<Table>>, column: &Spanned<String>, cx: &mut Check<'_>) -> Option<ColumnType> {
    let id = table?;
    let found = cx.tables.get(id.index())?.as_ref()?.column(column).map(|column| column.ty);
    match found {
        None => {
            cx.no_column(column.span, column, id);
        }
        // Source: "ProfileColumns section" of the DataBrew developer guide.
        Some(ty @ ColumnType::Nested(_)) => {
            cx.error(column.span, format!("`{}` is `{ty}`, which DataBrew does not profile", column.value))
                .help("let a recipe take its values out, and profile what it writes");
        }
        Some(_) => {}
    }
    found
}

fn threshold(limit: Option<(&Limit, Comparison)>) -> Threshold {
    match limit {
        Some((Limit { text, percent }, (_, _, Some(comparison)))) => {
            Threshold { comparison, unit: if *percent { "PERCENTAGE" } else { "COUNT" }, value: text.clone() }
        }
        _ => Threshold { comparison: "GREATER_THAN_OR_EQUAL", unit: "PERCENTAGE", value: "100".into() },
    }
}

/// A rule about each value of a column.
fn values_rule(
    column: &Spanned<String>,
    ty: Option<ColumnType>,
    node: &Node,
    threshold: Threshold,
    cx: &mut Check<'_>,
) -> Option<Rule> {
    let conditions = condition::conditions(&condition::read(node, column, ty, false, cx));
    let mut checks = Vec::new();
    let mut values = vec![(":col".to_owned(), format!("`{}`", column.value))];
    for (at, Condition { condition, column: _, value }) in conditions.iter().enumerate() {
        let reference = format!(":val{}", at + 1);
        checks.push(format!(":col {} {reference}", operator(condition, node.span, cx)?));
        values.push((reference, value.clone()?));
    }
    let words = conditions.iter().map(|c| {
        format!("{} {}", c.condition.to_lowercase().replace('_', " "), c.value.as_deref().unwrap_or_default())
    });
    let name = shortened(&format!("{} {}", column.value, words.collect::<Vec<_>>().join(" and ")));
    Some(Rule { name, check: checks.join(" and "), values, columns: Vec::new(), threshold: Some(threshold) })
}

/// What a condition is in the expression of a rule; those that the guide does not show are refused.
fn operator(condition: &str, span: Span, cx: &mut Check<'_>) -> Option<&'static str> {
    Some(match condition {
        "IS" => "IN",
        "IS_NOT" => "NOT IN",
        "CONTAINS" => "CONTAINS",
        "STARTS_WITH" => "STARTS_WITH",
        "ENDS_WITH" => "ENDS_WITH",
        "LESS_THAN" => "<",
        "LESS_THAN_EQUAL" => "<=",
        "GREATER_THAN" => ">",
        "GREATER_THAN_EQUAL" => ">=",
        other => {
            let word = other.to_lowercase();
            cx.error(span, format!("a rule cannot ask for `{word}`"))
                .help("`missing_values` and `valid_values` count such values");
            return None;
        }
    })
}

/// DataBrew's names of rules have at most 128 characters.
fn shortened(name: &str) -> String {
    name.chars().take(128).collect()
}
