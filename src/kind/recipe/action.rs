//! What a row of the table of steps says: a readable step, the DataBrew operation that it stands for, its keys, and what it does
//! to rows and columns.

use super::sql::{Outcome, Step};
use super::step::ActionParameter;
use crate::lake::ColumnType;

/// One readable step.
pub(crate) struct Action {
    /// How it is written.
    pub name: &'static str,
    /// The DataBrew operation.
    pub operation: &'static str,
    /// What it does, for people.
    pub about: &'static str,
    /// Its keys, in the order in which they are explained.
    pub keys: &'static [Key],
    /// Parameters that are always the same; [`SORT_OF_COLUMN`] stands for what the column holds.
    pub fixed: &'static [(&'static str, &'static str)],
    /// What it does.
    pub does: Does,
}

/// In [`Action::fixed`]: DataBrew's word for what the step's column holds, such as `number`.
pub(super) const SORT_OF_COLUMN: &str = "{sort}";

/// One key of a readable step.
pub(crate) struct Key {
    /// How it is written.
    pub name: &'static str,
    /// The DataBrew parameter that it becomes.
    pub parameter: &'static str,
    /// What it holds.
    pub holds: Holds,
    /// Whether it may be left out.
    pub need: Need,
}

/// Whether a key may be left out.
#[derive(Clone, Copy)]
pub(crate) enum Need {
    /// It must be written.
    Required,
    /// Left out, DataBrew gets no parameter, and the local SQL this.
    Optional(&'static str),
    /// Left out, it is as if this were written.
    Default(&'static str),
}

/// What a key holds.
#[derive(Clone, Copy)]
pub(crate) enum Holds {
    /// A column that exists.
    Column(Fits),
    /// Columns that exist, as a JSON list.
    Columns(Fits),
    /// A column that is made.
    NewColumn,
    /// A column that exists, or a number (a date, where the step is about time): the parameter's last character chooses between
    /// `sourceColumn1` and `value1`.
    Operand(Fits),
    /// Text.
    Text,
    /// A regular expression.
    Pattern,
    /// A number.
    Number,
    /// A whole number within bounds.
    Whole(u32, u32),
    /// A value of the type of `column`.
    Value,
    /// A format of dates in DataBrew's letters.
    DateFormat,
    /// A column type, by its exact name.
    Type,
    /// A column type; DataBrew is told only whether it is a number, a date….
    Sort,
    /// One of these.
    Choice(&'static [Choice]),
    /// Some of these, each a parameter of its own that becomes `true`.
    Switches(&'static [Switch]),
    /// Conditions on `column`, which become the step's own.
    Where,
    /// Conditions on `column`, which become an expression.
    Expression,
    /// Numbers in ascending order: the edges between bins.
    Edges,
    /// A list of texts, as a JSON list.
    Texts,
    /// The values that are expected in `column`: DataBrew finds them itself, so there is no parameter.
    Values,
    /// From text to number, as a JSON object.
    Mapping,
    /// `[{ column, function, to, type }]`.
    Aggregates,
    /// One aggregate of a column: `{ sum: price }`.
    Aggregated,
    /// The values of `column` that become columns: `[small, large]`, or `{ small: small_price }`.
    Pivoted,
    /// `[{ column, order, nulls }]`.
    Order,
    /// Another table of the lake.
    Table,
    /// Other tables of the lake.
    Tables,
    /// Columns of the rows with the columns of the other table that they are compared with: `[id]`, or `{ id: product_id }`.
    Keys,
    /// Columns of the other table; all but those that are compared, when it is left out.
    Taken,
}

/// Which columns a key takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fits {
    /// All.
    Any,
    /// All whose values are not made of others.
    Plain,
    /// Lists.
    Array,
    /// Maps.
    Map,
    /// Structs.
    Struct,
    /// Text.
    Text,
    /// Numbers.
    Number,
    /// Days and moments, or text that says one.
    Time,
}

/// One word of a [`Holds::Choice`].
#[derive(Debug)]
pub(crate) struct Choice {
    /// How it is written.
    pub word: &'static str,
    /// DataBrew's word.
    pub databrew: &'static str,
    /// What it is in the local SQL, a template.
    pub sql: &'static str,
}

/// One word of a [`Holds::Switches`].
#[derive(Debug)]
pub(crate) struct Switch {
    /// How it is written.
    pub word: &'static str,
    /// The parameter that becomes `true`.
    pub parameter: &'static str,
    /// The regular expression of what it is about.
    pub pattern: &'static str,
}

/// What a step does to rows and columns. The texts are DuckDB's SQL with the step's keys in braces; a local run executes it over
/// the table `rows`. A text that speaks of `"row number"` sees the rows numbered as they come.
pub(crate) enum Does {
    /// The step's column, or each of its columns, gets this value.
    Change(&'static str, Makes),
    /// The column `to` is made with this value.
    Make(&'static str, Makes),
    /// Only the rows stay for which this holds.
    Keep(&'static str),
    /// The rows become those of this query, with the same columns.
    Rows(&'static str),
    /// Whatever else happens to the columns.
    Columns(fn(&Step<'_>) -> Outcome),
    /// The same, where DataBrew is also told what follows from the columns before the step.
    Combine(fn(&Step<'_>) -> Outcome, fn(&Step<'_>) -> Vec<(&'static str, ActionParameter)>),
}

/// The type of a column that a step makes or changes.
#[derive(Clone, Copy)]
pub(crate) enum Makes {
    /// That of the step's column.
    Same,
    /// The widest of all numbers that go in.
    Wider,
    /// This one.
    Is(ColumnType),
}

impl Action {
    /// A step without fixed parameters.
    pub(super) const fn new(
        name: &'static str,
        operation: &'static str,
        about: &'static str,
        keys: &'static [Key],
        does: Does,
    ) -> Self {
        Self { name, operation, about, keys, fixed: &[], does }
    }

    /// The same with parameters that never change.
    pub(super) const fn with(self, fixed: &'static [(&'static str, &'static str)]) -> Self {
        let Self { name, operation, about, keys, fixed: _, does } = self;
        Self { name, operation, about, keys, fixed, does }
    }
}

impl std::fmt::Debug for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// No two rows of the table have one name.
impl PartialEq for Action {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

pub(super) const fn key(name: &'static str, parameter: &'static str, holds: Holds) -> Key {
    Key { name, parameter, holds, need: Need::Required }
}

impl Key {
    /// The key may be left out; the local SQL then has this in its place.
    pub(super) const fn or_sql(self, sql: &'static str) -> Self {
        let Self { name, parameter, holds, need: _ } = self;
        Self { name, parameter, holds, need: Need::Optional(sql) }
    }

    /// The key may be left out, which means this.
    pub(super) const fn or(self, written: &'static str) -> Self {
        let Self { name, parameter, holds, need: _ } = self;
        Self { name, parameter, holds, need: Need::Default(written) }
    }
}

pub(super) const fn choice(word: &'static str, databrew: &'static str, sql: &'static str) -> Choice {
    Choice { word, databrew, sql }
}

/// The column that a step is about, whatever it holds.
pub(super) const ANY: Key = key("column", "sourceColumn", Holds::Column(Fits::Any));
/// The same, of plain values.
pub(super) const COLUMN: Key = key("column", "sourceColumn", Holds::Column(Fits::Plain));
/// The same, of text.
pub(super) const TEXT: Key = key("column", "sourceColumn", Holds::Column(Fits::Text));
/// The same, of numbers.
pub(super) const NUMBER: Key = key("column", "sourceColumn", Holds::Column(Fits::Number));
/// The same, of days or moments.
pub(super) const TIME: Key = key("column", "sourceColumn", Holds::Column(Fits::Time));
/// The column that a step makes.
pub(super) const TO: Key = key("to", "targetColumn", Holds::NewColumn);
/// What a flag says where it is set.
pub(super) const YES: Key = key("yes", "trueString", Holds::Text).or("True");
/// What a flag says elsewhere.
pub(super) const NO: Key = key("no", "falseString", Holds::Text).or("False");

impl Holds {
    /// What to write, for people.
    pub(crate) fn words(self) -> String {
        let fitting = |noun: &str, fits: Fits| match fits {
            Fits::Any | Fits::Plain => noun.to_owned(),
            Fits::Array => format!("{noun} of lists"),
            Fits::Map => format!("{noun} of maps"),
            Fits::Struct => format!("{noun} of structs"),
            Fits::Text => format!("{noun} of text"),
            Fits::Number => format!("{noun} of numbers"),
            Fits::Time => format!("{noun} of dates, moments or text that says one"),
        };
        match self {
            Self::Column(fits) => fitting("a column", fits),
            Self::Columns(fits) => fitting("a list of columns", fits),
            Self::NewColumn => "the name of a new column".into(),
            Self::Operand(Fits::Time) => "a column of dates or moments, or a date".into(),
            Self::Operand(_) => "a column of numbers, or a number".into(),
            Self::Text => "text".into(),
            Self::Pattern => "a regular expression".into(),
            Self::Number => "a number".into(),
            Self::Whole(least, u32::MAX) => format!("a whole number from {least} on"),
            Self::Whole(least, most) => format!("a whole number from {least} to {most}"),
            Self::Value => "a value of the column's type".into(),
            Self::DateFormat => {
                "a format of `yyyy`, `yy`, `mm`, `month`, `dd`, `HH`, `MM`, `SS` and signs between them".into()
            }
            Self::Type | Self::Sort => "a column type".into(),
            Self::Choice(choices) => {
                let words: Vec<String> = choices.iter().map(|choice| format!("`{}`", choice.word)).collect();
                format!("one of {}", words.join(", "))
            }
            Self::Switches(switches) => {
                let words: Vec<String> = switches.iter().map(|switch| format!("`{}`", switch.word)).collect();
                format!("some of {}", words.join(", "))
            }
            Self::Where | Self::Expression => "conditions on the column".into(),
            Self::Edges => "numbers in ascending order".into(),
            Self::Texts => "a list of texts".into(),
            Self::Values => "the values that are expected in the column, at most 10".into(),
            Self::Mapping => "a map from text to number".into(),
            Self::Aggregates => "a list of `{ column, function, to, type }`".into(),
            Self::Aggregated => "a function and its column, like `{ sum: price }`".into(),
            Self::Pivoted => {
                "a list of the values, at most 10, or a map from them to the names of their columns".into()
            }
            Self::Order => "a list of columns, or of `{ column, order, nulls }`".into(),
            Self::Table => "another table".into(),
            Self::Tables => "a list of other tables".into(),
            Self::Keys => "a list of columns that both have, or a map from columns to columns of the table".into(),
            Self::Taken => "a list of columns of the table".into(),
        }
    }
}
