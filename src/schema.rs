//! The language described by the types that read it: what may stand where, with what documentation. The JSON Schema for editors and
//! the page for people are two views of this.

mod json;
mod page;

use crate::decode::{Decode, Decoder};
use crate::source::{Node, parse};

pub use json::{json_schema, schema_text};
pub use page::page;

/// What may stand somewhere in a blueprint.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Whatever YAML can say, nothing included.
    Any,
    /// Whatever YAML can say, but not nothing.
    Something,
    /// Nothing, `~` or `null`.
    Nothing,
    /// Text.
    Text,
    /// Text in a form of its own.
    Form {
        /// What it is, for people.
        words: String,
        /// A regular expression that all of it matches.
        pattern: String,
    },
    /// One of these words.
    Word(Vec<&'static str>),
    /// `true` or `false`.
    Truth,
    /// A number.
    Number,
    /// A whole number between two.
    Whole {
        /// The smallest.
        least: i64,
        /// The largest, where there is one below 2^63.
        most: Option<u32>,
    },
    /// Text, a number or a truth.
    Scalar,
    /// A list of these.
    List(Box<Shape>),
    /// A list of these; one that is no map may stand alone, and nothing is an empty list.
    Items(Box<Shape>),
    /// A map from names to these.
    Map {
        /// A regular expression that every name matches; any name when there is none.
        names: Option<String>,
        /// The values.
        values: Box<Shape>,
    },
    /// Any of these.
    Either(Vec<Shape>),
    /// What a definition says, by its name.
    Defined(String),
}

impl Shape {
    /// A number with one of some units.
    #[must_use]
    pub fn quantity(units: &[(&str, u64)]) -> Self {
        let names: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
        Self::Form {
            words: format!("a number with a unit of {}", crate::diagnostic::listed(&names)),
            pattern: format!(r"^[0-9]+\s*(?:{})\s*$", names.join("|")),
        }
    }

    /// This, or nothing.
    #[must_use]
    pub fn or_nothing(self) -> Self {
        match self {
            Self::Any | Self::Nothing | Self::Items(_) => self,
            Self::Either(mut shapes) => {
                if !shapes.contains(&Self::Nothing) {
                    shapes.push(Self::Nothing);
                }
                Self::Either(shapes)
            }
            shape => Self::Either(vec![shape, Self::Nothing]),
        }
    }
}

/// What the comments of a section, a key or an alternative say.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Doc {
    /// What it is.
    pub about: String,
    /// What holds when the key is left out: behind `Default:`.
    pub default: Option<String>,
    /// A value: in backticks behind `Example:`.
    pub example: Option<String>,
}

impl Doc {
    /// Reads the lines of a comment.
    #[must_use]
    pub fn new(lines: &[&str]) -> Self {
        let mut doc = Self::default();
        let mut into = &mut doc.about;
        for line in lines.iter().map(|line| line.trim()) {
            let mut line = line;
            if let Some(rest) = line.strip_prefix("Default:") {
                (into, line) = (doc.default.insert(String::new()), rest.trim());
            } else if let Some(rest) = line.strip_prefix("Example:") {
                (into, line) = (doc.example.insert(String::new()), rest.trim());
            }
            if !into.is_empty() {
                into.push_str(if line.is_empty() {
                    "\n\n"
                } else if into.ends_with('\n') {
                    ""
                } else {
                    " "
                });
            }
            into.push_str(line);
        }
        doc
    }

    /// The example as it would be written in a blueprint.
    #[must_use]
    pub fn example_text(&self) -> Option<&str> {
        self.example.as_deref().and_then(code)
    }

    /// The example as a value.
    #[must_use]
    pub fn example_node(&self) -> Option<Node> {
        parse(self.example_text()?).ok()
    }

    /// The default as a value, where it is one and not a sentence.
    #[must_use]
    pub fn default_node(&self) -> Option<Node> {
        parse(self.default.as_deref().and_then(code)?).ok()
    }
}

/// What stands between the backticks of a text that has nothing beside them.
fn code(text: &str) -> Option<&str> {
    let inside = text.strip_suffix('.').unwrap_or(text).strip_prefix('`')?.strip_suffix('`')?;
    (!inside.contains('`')).then_some(inside)
}

/// A key of a section, or one of several alternatives.
#[derive(Debug, Clone)]
pub struct Key {
    /// How it is written.
    pub name: &'static str,
    /// What is said of it.
    pub doc: Doc,
    /// What it holds; none when it is an alternative that is always bare.
    pub shape: Option<Shape>,
    /// Of a section: whether it may be left out. Of alternatives: whether it may stand bare.
    pub optional: bool,
    /// Reads a value as the key's own would be read, where that can be said of a value alone.
    pub reads: Option<fn(&Node, &mut Decoder)>,
}

impl Key {
    /// A key whose value is read as `T`.
    pub fn of<T: Decode>(name: &'static str, doc: &[&str], language: &mut Language) -> Self {
        Self {
            name,
            doc: Doc::new(doc),
            shape: Some(T::shape(language)),
            optional: T::absent().is_some(),
            reads: Some(|node, decoder| {
                T::decode(node, decoder);
            }),
        }
    }

    /// An alternative that is a word and no more.
    #[must_use]
    pub fn bare(name: &'static str, doc: &[&str]) -> Self {
        Self { name, doc: Doc::new(doc), shape: None, optional: true, reads: None }
    }
}

/// How the keys of a definition belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A map with these keys.
    Section,
    /// A map with one or more of these keys.
    Some,
    /// A map with one of these keys, or one of them bare.
    Alternatives,
}

/// One type of the language.
#[derive(Debug, Clone)]
pub struct Definition {
    /// The noun without its article, as an identifier.
    pub name: String,
    /// What diagnostics call it.
    pub noun: &'static str,
    /// What is said of it.
    pub about: String,
    /// How its keys belong together.
    pub form: Form,
    /// Its keys, in order.
    pub keys: Vec<Key>,
    /// The page that has its keys, when it is another one.
    pub page: Option<&'static str>,
    /// The type that reads it, by which two of one noun are told apart.
    reader: &'static str,
}

/// All types of the language, each behind those that it is part of.
#[derive(Debug, Default)]
pub struct Language {
    /// The types.
    pub definitions: Vec<Definition>,
}

impl Language {
    /// The language of blueprints.
    #[must_use]
    pub fn of_blueprints() -> Self {
        let mut language = Self::default();
        crate::blueprint::Blueprint::shape(&mut language);
        language
    }

    /// Defines the type that `T` reads, once; its keys may themselves define types.
    pub fn define<T>(
        &mut self,
        noun: &'static str,
        about: &[&str],
        form: Form,
        keys: impl FnOnce(&mut Self) -> Vec<Key>,
    ) -> Shape {
        let plain = ["a ", "an ", "the "].iter().find_map(|article| noun.strip_prefix(article)).unwrap_or(noun);
        let name = plain.to_lowercase().replace([' ', '-', '\''], "_");
        self.define_as(std::any::type_name::<T>(), name, noun, about, form, keys)
    }

    /// Defines a type that is not read by a type of its own.
    pub(crate) fn define_as(
        &mut self,
        reader: &'static str,
        name: String,
        noun: &'static str,
        about: &[&str],
        form: Form,
        keys: impl FnOnce(&mut Self) -> Vec<Key>,
    ) -> Shape {
        if !self.definitions.iter().any(|known| known.reader == reader) {
            let at = self.definitions.len();
            let about = Doc::new(about).about;
            self.definitions.push(Definition {
                name: name.clone(),
                noun,
                about,
                form,
                keys: Vec::new(),
                page: None,
                reader,
            });
            let keys = keys(self);
            self.definitions[at].keys = keys;
        }
        Shape::Defined(name)
    }

    /// Says that the keys of a definition, and of those behind it, stand on another page.
    pub(crate) fn documented_on(&mut self, page: &'static str, from: usize) {
        for definition in self.definitions.iter_mut().skip(from) {
            definition.page = Some(page);
        }
    }

    /// The definition of a name.
    #[must_use]
    pub fn definition(&self, name: &str) -> Option<&Definition> {
        self.definitions.iter().find(|definition| definition.name == name)
    }
}

#[cfg(test)]
mod tests;
