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
            self.keys.iter().map(|key| key.described(language)).collect()
        });
        let required = || self.keys.iter().filter(|key| matches!(key.need, Need::Required));
        let pairs: Vec<String> = required().map(|key| format!("{}: {}", key.name, key.holds.example())).collect();
        let example = format!("Example: `{{ {} }}`.", pairs.join(", "));
        let doc = Doc::new(&[self.about, &format!("DataBrew: `{}`.", self.operation), &example]);
        schema::Key { name: self.name, doc, shape: Some(shape), optional: pairs.is_empty(), reads: None }
    }
}

impl Key {
    fn described(&self, language: &mut Language) -> schema::Key {
        let default = match self.need {
            Need::Required => None,
            Need::Optional(_) => Some("none".to_owned()),
            Need::Default(written) => Some(format!("`{written}`")),
        };
        let example = Some(format!("`{}`", self.holds.example()));
        let doc = Doc { about: format!("{}.", self.holds.words()), default, example };
        let optional = !matches!(self.need, Need::Required);
        schema::Key { name: self.name, doc, shape: Some(self.holds.shape(language)), optional, reads: None }
    }
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
            Self::Text | Self::Value => "unknown".into(),
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
