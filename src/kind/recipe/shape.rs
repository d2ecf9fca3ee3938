//! The readable steps as a part of the language: what editors and the JSON Schema know of them.

use super::action::{Action, Fits, Holds, Key, Need};
use super::condition;
use super::reader::{AggregateSpec, SortKeySpec};
use crate::decode::Decode;
use crate::schema::{self, Doc, Form, Language, Shape};

impl Action {
    /// The step as one of the alternatives that a step is.
    pub(super) fn alternative(&'static self, language: &mut Language) -> schema::Key {
        let name = format!("step_{}", self.name);
        let shape = language.define_as(self.name, name, self.name, &[self.about], Form::Section, |language| {
            self.keys.iter().map(|key| key.described(self.name, language)).collect()
        });
        let required = || self.keys.iter().filter(|key| matches!(key.need, Need::Required));
        let pairs: Vec<String> = required().map(|key| format!("{}: {}", key.name, key.holds.example())).collect();
        let example = format!("Example: `{{ {} }}`.", pairs.join(", "));
        let doc = Doc::new(&[self.about, &format!("DataBrew: `{}`.", self.operation), &example]);
        schema::Key { name: self.name, doc, shape: Some(shape), optional: pairs.is_empty(), reads: None }
    }
}

impl Key {
    fn described(&self, step: &str, language: &mut Language) -> schema::Key {
        let default = match self.need {
            Need::Required => None,
            Need::Optional(_) => Some("none".to_owned()),
            Need::Default(written) => Some(format!("`{written}`")),
        };
        let example = Some(format!("`{}`", self.holds.example()));
        let doc = Doc {
            about: format!("{}: {}.", meaning(step, self.name).unwrap_or(self.name), self.holds.words()),
            default,
            example,
        };
        let optional = !matches!(self.need, Need::Required);
        schema::Key { name: self.name, doc, shape: Some(self.holds.shape(language)), optional, reads: None }
    }
}

/// What a key of a step is for; none for a key that nobody has found words for, which a test refuses.
fn meaning(step: &str, key: &str) -> Option<&'static str> {
    Some(match (step, key) {
        ("change_type", "to") => "The type that it gets",
        ("encode", "other") => "The number for every other text",
        ("encode", "values") => "The number for each text",
        ("one_hot", "values") => "What the column holds",
        ("unpivot", "values") => "The column that it makes of the values",
        ("unpivot", "names") => "The column that it makes of the columns' names",
        ("pivot" | "transpose", "values") => "The values that become columns",
        ("bin", "names") => "The name of each bin, one more than there are edges",
        ("binarize", "threshold") => "The number above which it is 1",
        ("transpose", "rows") => "The columns that become rows",
        ("transpose", "to") => "The column that it makes of the columns' names",
        ("previous" | "next", "rows") => "How many rows away",
        ("split_between", "from") => "What stands before the middle part",
        ("split_between", "to") => "What stands behind the middle part",
        ("split_at_positions", "start") => "Behind how many characters the middle part begins",
        ("split_at_positions", "end") => "Behind how many characters the middle part ends",
        ("split_from_start", "position") => "How many characters the first part has",
        ("split_from_end", "position") => "How many characters the last part has",
        ("mask", "start") => "The first character that is hidden, counted from 0",
        ("mask", "stop") => "The first one behind it that is not",
        ("extract_between", "start") => "What stands before it",
        ("extract_between", "end") => "What stands behind it",
        ("substring", "from") => "The first character, counted from 1",
        ("date_diff", "from") => "The earlier date",
        ("date_add", "format") => "How the new date is written",
        ("fill_missing", "with") => "What stands there instead",
        ("replace_outliers", "with") => "The statistic that stands there instead",
        ("flag" | "remove_values", "where") => "What must hold",
        ("scale", "by") => "How it is scaled",
        ("sort", "by") => "What the rows are sorted by",
        ("group_by" | "row_number", "by") => "The columns whose values make a group",
        ("join", "type") => "Which rows are kept that have no partner",
        ("join", "columns") => "The columns that are taken from the other table",
        ("remove_invalid", "type") => "The type whose values are valid",
        ("remove_text", "text") => "The text that goes",
        ("add_prefix", "text") => "The text that comes before it",
        ("add_suffix", "text") => "The text that comes behind it",
        ("move_after" | "move_before", "other") => "The column that it is put beside",
        (_, "by") => "What makes a number an outlier",
        (_, "threshold") => "How far away outliers are, by that measure",
        (_, "column") => "The column that it is about",
        (_, "columns") => "The columns that it is about",
        (_, "to") => "The column that it makes",
        (_, "yes") => "What it says where that is so",
        (_, "no") => "What it says elsewhere",
        (_, "after") => "How many rows behind each count",
        (_, "before") => "How many rows before each count",
        (_, "aggregate") => "What each group becomes",
        (_, "algorithm") => "How the hash is made",
        (_, "amount") => "How many are added",
        (_, "at") => "Where it is split",
        (_, "characters") => "The characters that go",
        (_, "delimiter") => "What stands between them",
        (_, "edges") => "Where one bin ends and the next begins",
        (_, "exponent") => "The power that it is raised to",
        (_, "format") => "How the date is written",
        (_, "function") => "What becomes of several values for one place",
        (_, "index") => "The place, counted from 0",
        (_, "key") => "The column that it makes of the keys",
        (_, "value") => "The column that it makes of the values",
        (_, "kinds") => "Which characters go",
        (_, "left") => "The first number",
        (_, "right") => "The second number",
        (_, "length") => "How many characters",
        (_, "levels") => "How many levels down",
        (_, "of") => "What stands in the new columns",
        (_, "on") => "The columns that must be equal",
        (_, "order") => "What the rows of a group are sorted by",
        (_, "pattern") => "What is looked for",
        (_, "with") => "What stands in its place",
        (_, "prefix") => "What the names of the new columns begin with",
        (_, "sources") => "What becomes of the columns that it is made from",
        (_, "symbol") => "The sign that hides a character",
        (_, "table") => "The table whose rows come beside",
        (_, "tables") => "The tables whose rows come below",
        (_, "through") => "The last character, counted from 1",
        (_, "ties") => "Which of several it takes",
        (_, "times") => "How often at most",
        (_, "units") => "The unit that is counted in",
        (_, "until") => "The later date",
        _ => return None,
    })
}

impl Holds {
    fn shape(self, language: &mut Language) -> Shape {
        let number = || {
            let pattern = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$".into();
            Shape::Either(vec![Shape::Number, Shape::Form { words: "a number in quotes".into(), pattern }])
        };
        match self {
            Self::Column(_) | Self::NewColumn | Self::DateFormat | Self::Type | Self::Sort | Self::Table => Shape::Text,
            Self::Columns(_) | Self::Tables | Self::Taken => Shape::Items(Box::new(Shape::Text)),
            Self::Operand(Fits::Time) => Shape::Text,
            Self::Operand(_) => Shape::Either(vec![Shape::Text, Shape::Number]),
            Self::Text | Self::Pattern | Self::Value => Shape::Scalar,
            Self::Number => number(),
            Self::Whole(least, most) => Shape::Whole { least: least.into(), most: Some(most) },
            Self::Choice(choices) => Shape::Word(choices.iter().map(|choice| choice.word).collect()),
            Self::Switches(switches) => {
                Shape::Items(Box::new(Shape::Word(switches.iter().map(|switch| switch.word).collect())))
            }
            Self::Where | Self::Expression => condition::shape(language),
            Self::Edges => Shape::List(Box::new(number())),
            Self::Texts | Self::Values => Shape::Items(Box::new(Shape::Scalar)),
            Self::Mapping => Shape::Map { names: None, values: Box::new(number()) },
            Self::Aggregates => Vec::<AggregateSpec>::shape(language),
            Self::Aggregated => Shape::Map { names: None, values: Box::new(Shape::Text) },
            Self::Pivoted => {
                let map = Shape::Map { names: None, values: Box::new(Shape::Text) };
                Shape::Either(vec![map, Shape::Items(Box::new(Shape::Scalar))])
            }
            Self::Order => Vec::<SortKeySpec>::shape(language),
            Self::Keys => {
                let map = Shape::Map { names: None, values: Box::new(Shape::Text) };
                Shape::Either(vec![map, Shape::Items(Box::new(Shape::Text))])
            }
        }
    }

    /// What could stand there.
    fn example(self) -> String {
        match self {
            Self::Column(Fits::Time) => "ordered_at".into(),
            Self::Column(Fits::Array) => "tags".into(),
            Self::Column(Fits::Map | Fits::Struct) => "address".into(),
            Self::Operand(Fits::Time) => "shipped_at".into(),
            Self::Column(Fits::Number) | Self::Operand(_) => "price".into(),
            Self::Column(_) => "name".into(),
            Self::Columns(_) | Self::Taken => "[price, tax]".into(),
            Self::NewColumn => "total".into(),
            Self::Text | Self::Value => "\"-\"".into(),
            Self::Pattern => "\"[0-9]+\"".into(),
            Self::Number => "1.5".into(),
            Self::Whole(least, most) => 10.clamp(least, most).to_string(),
            Self::DateFormat => "yyyy-mm-dd".into(),
            Self::Type | Self::Sort => "double".into(),
            Self::Choice(choices) => choices.first().map_or_else(String::new, |choice| choice.word.to_owned()),
            Self::Switches(switches) => {
                format!("[{}]", switches.first().map_or("", |switch| switch.word))
            }
            Self::Where | Self::Expression => "{ less_than: 0 }".into(),
            Self::Edges => "[10, 100]".into(),
            Self::Texts | Self::Values => "[small, large]".into(),
            Self::Mapping => "{ small: 1, large: 2 }".into(),
            Self::Aggregates => "[{ column: price, function: sum, to: total }]".into(),
            Self::Aggregated => "{ sum: price }".into(),
            Self::Pivoted => "[small, large]".into(),
            Self::Order => "[{ column: price, order: descending }]".into(),
            Self::Table => "products".into(),
            Self::Tables => "[old_orders]".into(),
            Self::Keys => "[product_id]".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::recipe::actions::GROUPS;

    #[test]
    fn every_key_of_a_step_says_what_it_is_for() {
        for action in GROUPS.iter().flat_map(|(_, actions)| *actions) {
            for key in action.keys {
                assert!(meaning(action.name, key.name).is_some(), "{}.{}", action.name, key.name);
            }
        }
    }
}
