//! From nodes to the types of the language: every mistake is noted, and reading goes on.

use std::path::PathBuf;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Noted, did_you_mean, listed, nearest};
use crate::schema::{Language, Shape};
use crate::source::{Node, Span, Spanned, Value};

/// Gathers what is wrong while a blueprint is read.
#[derive(Debug)]
pub struct Decoder {
    /// What was found so far.
    pub diagnostics: Vec<Diagnostic>,
    /// The name of the thing that is read next: where a key is missing, there is nothing else to point at.
    owner: Option<Span>,
    /// The blueprint, for values that are taken as they are written.
    text: Arc<str>,
}

impl Decoder {
    /// Goes on behind what was found before.
    #[must_use]
    pub fn new(text: Arc<str>, diagnostics: Vec<Diagnostic>) -> Self {
        Self { diagnostics, owner: None, text }
    }

    /// What stands in the blueprint.
    fn written(&self, span: Span) -> &str {
        &self.text[span.range(&self.text)]
    }

    /// Notes an error.
    pub fn error(&mut self, span: Span, message: impl Into<String>) -> Noted<'_> {
        self.push(Diagnostic::error(span, message))
    }

    /// Notes a diagnostic, and hands it back for a help line.
    pub fn push(&mut self, diagnostic: Diagnostic) -> Noted<'_> {
        Noted::new(&mut self.diagnostics, diagnostic)
    }

    /// Notes that another sort of value was expected.
    pub fn expected<T>(&mut self, what: &str, node: &Node) -> Option<T> {
        let diagnostic = Diagnostic::error(node.span, format!("expected {what}, found {}", node.value.noun()));
        let help = match (&node.value, what) {
            (Value::Int(_) | Value::Float(_) | Value::Bool(_), "text") => Some("put it in quotes to make it text"),
            (Value::String(text), "a whole number") if text.parse::<i64>().is_ok() => Some("leave the quotes out"),
            _ => None,
        };
        self.push(diagnostic.maybe_help(help.map(Into::into)));
        None
    }
}

/// Something that can be read from a node.
pub trait Decode: Sized {
    /// Reads it; what is wrong is noted in `decoder`, and `None` returned when there is no value to go on with.
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self>;

    /// A regular expression of the names that such things can have; `None` when there is none.
    const NAMES: Option<&'static str> = None;

    /// Its value when the key is missing; `None` when the key is required.
    fn absent() -> Option<Self> {
        None
    }

    /// What it can be read from: [`Self::decode`] in words for editors and people.
    fn shape(language: &mut Language) -> Shape;
}

/// The entries of a map whose keys the language fixes.
pub struct Fields<'a> {
    entries: &'a [(Spanned<String>, Node)],
    /// Keys that an unknown one was probably meant to be: that they are missing has been said.
    misspelt: Vec<&'static str>,
    span: Span,
    noun: &'static str,
}

impl<'a> Fields<'a> {
    /// Opens a map; unknown and repeated keys are noted.
    pub fn open(node: &'a Node, noun: &'static str, keys: &[&'static str], decoder: &mut Decoder) -> Option<Self> {
        let span = decoder.owner.take().unwrap_or(node.span);
        let entries: &[_] = match &node.value {
            Value::Map(entries) => entries,
            Value::Null => &[],
            _ => return decoder.expected(&format!("a map describing {noun}"), node),
        };
        repeated(entries, decoder);
        let mut misspelt = Vec::new();
        for (key, _) in entries.iter().filter(|(key, _)| !keys.contains(&key.as_str())) {
            let unused = keys.iter().copied().filter(|known| !entries.iter().any(|(key, _)| key.value == *known));
            let meant = nearest(key, unused);
            misspelt.extend(meant);
            let help = match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if keys.is_empty() => format!("{noun} has no keys"),
                None => format!("the keys of {noun} are {}", listed(keys)),
            };
            decoder.push(Diagnostic::error(key.span, format!("unknown key `{}` in {noun}", key.value)).help(help));
        }
        Some(Self { entries, misspelt, span, noun })
    }

    /// Opens a map that belongs to a name.
    pub fn open_named(
        name: Span,
        node: &'a Node,
        noun: &'static str,
        keys: &[&'static str],
        decoder: &mut Decoder,
    ) -> Option<Self> {
        decoder.owner = Some(name);
        Self::open(node, noun, keys, decoder)
    }

    /// Notes that a required key is missing, unless it is there or was misspelt.
    pub fn require(&self, key: &'static str, decoder: &mut Decoder) {
        let there = self.entries.iter().any(|(name, _)| name.value == key);
        if !there && !self.misspelt.contains(&key) {
            decoder.error(self.span, format!("{} needs the key `{key}`", self.noun));
        }
    }

    /// The value of a key; a required one that is missing is noted. An optional one that cannot be read counts as missing,
    /// so that the rest of the section is looked at.
    pub fn field<T: Decode>(&self, key: &'static str, decoder: &mut Decoder) -> Option<T> {
        match self.entries.iter().find(|(name, _)| name.value == key) {
            Some((_, node)) => T::decode(node, decoder).or_else(T::absent),
            None => T::absent().or_else(|| {
                self.require(key, decoder);
                None
            }),
        }
    }
}

/// Notes keys that are written twice.
pub(crate) fn repeated(entries: &[(Spanned<String>, Node)], decoder: &mut Decoder) {
    // Most maps are small, and there are tens of thousands of them: only large ones are worth a hash map.
    let mut seen = (entries.len() > 16).then(|| std::collections::HashMap::with_capacity(entries.len()));
    for (at, (key, _)) in entries.iter().enumerate() {
        let before = match &mut seen {
            Some(seen) => seen.insert(key.as_str(), key.span),
            None => entries[..at].iter().rev().find(|(known, _)| known.value == key.value).map(|(known, _)| known.span),
        };
        if let Some(first) = before {
            decoder.push(
                Diagnostic::error(key.span, format!("the key `{}` is written twice", key.value))
                    .label("again")
                    .related(first, "first here")
                    .help("keep one of them"),
            );
        }
    }
}

/// Things by name, in the order of the file. A thing that could not be read keeps its name, so that what refers to it is
/// not reported as well.
#[derive(Debug, Clone, PartialEq)]
pub struct Named<T>(pub Vec<(Spanned<String>, Option<T>)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Decode> Decode for Named<T> {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let entries: &[_] = match &node.value {
            Value::Map(entries) => entries,
            Value::Null => &[],
            _ => return decoder.expected("a map from names to things", node),
        };
        repeated(entries, decoder);
        Some(Self(
            entries
                .iter()
                .map(|(name, node)| {
                    decoder.owner = Some(name.span);
                    let value = T::decode(node, decoder);
                    decoder.owner = None;
                    (name.clone(), value)
                })
                .collect(),
        ))
    }

    fn absent() -> Option<Self> {
        Some(Self::default())
    }

    fn shape(language: &mut Language) -> Shape {
        Shape::Map { names: T::NAMES.map(Into::into), values: Box::new(T::shape(language)) }.or_nothing()
    }
}

impl<T: Decode> Decode for Option<T> {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        if node.value == Value::Null { Some(None) } else { T::decode(node, decoder).map(Some) }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn shape(language: &mut Language) -> Shape {
        T::shape(language).or_nothing()
    }
}

/// Something that is there, but perhaps could not be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt<T>(pub Option<T>);

impl<T: Decode> Decode for Attempt<T> {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        Some(Self(T::decode(node, decoder)))
    }

    fn shape(language: &mut Language) -> Shape {
        T::shape(language)
    }
}

/// A list; where the language takes a list of one, the one may stand alone.
impl<T: Decode> Decode for Vec<T> {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match &node.value {
            Value::List(items) => {
                // Bad items are noted and left out, so that the others are looked at.
                Some(items.iter().filter_map(|item| T::decode(item, decoder)).collect())
            }
            Value::Null => Some(Vec::new()),
            Value::Map(_) => decoder.expected("a list", node),
            _ => T::decode(node, decoder).map(|only| vec![only]),
        }
    }

    fn absent() -> Option<Self> {
        Some(Vec::new())
    }

    fn shape(language: &mut Language) -> Shape {
        Shape::Items(Box::new(T::shape(language)))
    }
}

impl<T: Decode> Decode for Spanned<T> {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        T::decode(node, decoder).map(|value| Self::new(value, node.span))
    }

    fn shape(language: &mut Language) -> Shape {
        T::shape(language)
    }
}

impl Decode for String {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match &node.value {
            Value::String(text) => Some(text.clone()),
            _ => decoder.expected("text", node),
        }
    }

    fn shape(_: &mut Language) -> Shape {
        Shape::Text
    }
}

impl Decode for PathBuf {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        String::decode(node, decoder).map(Self::from)
    }

    fn shape(_: &mut Language) -> Shape {
        Shape::Text
    }
}

impl Decode for bool {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match node.value {
            Value::Bool(value) => Some(value),
            _ => decoder.expected("true or false", node),
        }
    }

    fn shape(_: &mut Language) -> Shape {
        Shape::Truth
    }
}

impl Decode for f64 {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match node.value {
            #[allow(clippy::cast_precision_loss, reason = "a threshold beyond 2^53 is not meant")]
            Value::Int(value) => Some(value as f64),
            Value::Float(value) if value.is_finite() => Some(value),
            _ => decoder.expected("a number", node),
        }
    }

    fn shape(_: &mut Language) -> Shape {
        Shape::Number
    }
}

macro_rules! whole_number {
    ($($ty:ty),*) => {$(
        impl Decode for $ty {
            fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
                match node.value {
                    Value::Int(value) if value < i64::try_from(<$ty>::MIN).unwrap_or(0) => {
                        decoder.error(node.span, format!("{value} is less than {}", <$ty>::MIN));
                        None
                    }
                    Value::Int(value) => <$ty>::try_from(value).ok().or_else(|| {
                        decoder.error(node.span, format!("{value} is more than this key can take"));
                        None
                    }),
                    _ => decoder.expected("a whole number", node),
                }
            }

            fn shape(_: &mut Language) -> Shape {
                Shape::Whole { least: i64::try_from(<$ty>::MIN).unwrap_or(0), most: u32::try_from(<$ty>::MAX).ok() }
            }
        }
    )*};
}
whole_number!(i64, u64, u32);

/// A whole number from `LEAST` to `MOST`, where that is all there is to say about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Within<const LEAST: u32, const MOST: u32>(pub u32);

impl<const LEAST: u32, const MOST: u32> Decode for Within<LEAST, MOST> {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let Value::Int(value) = node.value else { return decoder.expected("a whole number", node) };
        let fits = u32::try_from(value).ok().filter(|value| (LEAST..=MOST).contains(value));
        if fits.is_none() {
            decoder.error(node.span, format!("{value} is not between {LEAST} and {MOST}"));
        }
        fits.map(Self)
    }

    fn shape(_: &mut Language) -> Shape {
        Shape::Whole { least: i64::from(LEAST), most: Some(MOST) }
    }
}

/// Text, a number or a truth, kept as it is written (`1.0` and `012` stay that): an argument, a hyperparameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar(pub String);

impl Decode for Scalar {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match &node.value {
            Value::String(text) => Some(Self(text.clone())),
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => Some(Self(decoder.written(node.span).to_owned())),
            _ => decoder.expected("text or a number", node),
        }
    }

    fn shape(_: &mut Language) -> Shape {
        Shape::Scalar
    }
}

/// The names of things: what `Check::name` takes.
pub(crate) const NAME: &str = "^[a-z][a-z0-9_]{0,39}$";

/// Defines a section of the language: a map with fixed keys. A field of type `Option`, `Vec` or [`Named`] may be left out;
/// any other is required. The documentation of a field is the documentation of its key. `by` says what names such things can have.
macro_rules! section {
    ($(#[doc = $doc:literal])* $noun:literal $vis:vis struct $name:ident $(by $names:ident)? {
        $($(#[doc = $field_doc:literal])* $field:ident $(as $key:literal)? : $ty:ty),* $(,)?
    }) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq)]
        $vis struct $name { $($(#[doc = $field_doc])* pub $field: $ty),* }

        impl $crate::decode::Decode for $name {
            $(const NAMES: Option<&'static str> = Some($crate::decode::$names);)?

            fn decode(node: &$crate::source::Node, decoder: &mut $crate::decode::Decoder) -> Option<Self> {
                const KEYS: &[&str] = &[$($crate::decode::section!(@key $field $($key)?)),*];
                let fields = $crate::decode::Fields::open(node, $noun, KEYS, decoder)?;
                $(let $field = fields.field::<$ty>($crate::decode::section!(@key $field $($key)?), decoder);)*
                Some(Self { $($field: $field?),* })
            }

            fn shape(language: &mut $crate::schema::Language) -> $crate::schema::Shape {
                language.define::<Self>($noun, &[$($doc),*], $crate::schema::Form::Section, |language| {
                    vec![$($crate::schema::Key::of::<$ty>(
                        $crate::decode::section!(@key $field $($key)?),
                        &[$($field_doc),*],
                        language,
                    )),*]
                })
            }
        }
    };
    (@key $field:ident $key:literal) => { $key };
    (@key $field:ident) => { stringify!($field) };
}
pub(crate) use section;

/// Defines alternatives, written as a single-key map: `{ upload: orders }`. An alternative without a payload is written as
/// its bare name.
macro_rules! alternatives {
    ($(#[doc = $doc:literal])* $(#[derive($($derived:ident),*)])? $noun:literal $vis:vis enum $name:ident {
        $($(#[doc = $variant_doc:literal])* $variant:ident $(($ty:ty))? = $key:literal),* $(,)?
    }) => {
        $(#[doc = $doc])*
        $(#[derive($($derived),*)])?
        #[derive(Debug, Clone, PartialEq)]
        $vis enum $name { $($(#[doc = $variant_doc])* $variant $(($ty))?),* }

        impl $crate::decode::Decode for $name {
            fn decode(node: &$crate::source::Node, decoder: &mut $crate::decode::Decoder) -> Option<Self> {
                const KEYS: &[&str] = &[$($key),*];
                let (key, payload) = $crate::decode::alternative(node, $noun, KEYS, decoder)?;
                match key {
                    $($key => $crate::decode::alternatives!(@read $name $variant $(($ty))? payload decoder node $key),)*
                    _ => None,
                }
            }

            fn shape(language: &mut $crate::schema::Language) -> $crate::schema::Shape {
                language.define::<Self>($noun, &[$($doc),*], $crate::schema::Form::Alternatives, |_language| {
                    vec![$($crate::decode::alternatives!(@key _language $key [$($variant_doc),*] $($ty)?)),*]
                })
            }
        }
    };
    (@key $language:ident $key:literal [$($doc:literal),*] $ty:ty) => {
        $crate::schema::Key::of::<$ty>($key, &[$($doc),*], $language)
    };
    (@key $language:ident $key:literal [$($doc:literal),*]) => { $crate::schema::Key::bare($key, &[$($doc),*]) };
    (@read $name:ident $variant:ident ($ty:ty) $payload:ident $decoder:ident $node:ident $key:literal) => {
        match $payload {
            Some(payload) => <$ty as $crate::decode::Decode>::decode(payload, $decoder).map($name::$variant),
            None => match <$ty as $crate::decode::Decode>::absent() {
                Some(value) => Some($name::$variant(value)),
                None => {
                    $decoder.error($node.span, format!("`{}` needs a value: `{{ {}: … }}`", $key, $key));
                    None
                }
            },
        }
    };
    (@read $name:ident $variant:ident $payload:ident $decoder:ident $node:ident $key:literal) => {
        match $payload {
            None => Some($name::$variant),
            Some(_) => {
                $decoder.error($node.span, format!("`{}` takes no value; write it bare", $key));
                None
            }
        }
    };
}
pub(crate) use alternatives;

/// The key of a single-key map (or bare word) and what it holds.
pub fn alternative<'a>(
    node: &'a Node,
    noun: &str,
    keys: &[&'static str],
    decoder: &mut Decoder,
) -> Option<(&'static str, Option<&'a Node>)> {
    let (written, span, payload) = match &node.value {
        Value::String(word) => (word.as_str(), node.span, None),
        Value::Map(entries) => match entries.as_slice() {
            [(key, payload)] => (key.as_str(), key.span, Some(payload)),
            _ => {
                decoder.push(
                    Diagnostic::error(
                        node.span,
                        format!("{noun} is a map with exactly one key, found {}", entries.len()),
                    )
                    .help(format!("choose one of {}", listed(keys))),
                );
                return None;
            }
        },
        _ => return decoder.expected(&format!("{noun}: one of {}", listed(keys)), node),
    };
    if let Some(key) = keys.iter().find(|key| **key == written) {
        return Some((key, payload));
    }
    let help = did_you_mean(written, keys.iter().copied()).unwrap_or_else(|| format!("choose one of {}", listed(keys)));
    decoder.push(Diagnostic::error(span, format!("`{written}` is not {noun}")).help(help));
    None
}

/// A length of time or amount of memory written as `<number> <unit>`, as a whole number of the smallest unit.
pub fn quantity(node: &Node, units: &[(&str, u64)], example: &str, decoder: &mut Decoder) -> Option<u64> {
    let Value::String(text) = &node.value else {
        decoder
            .error(node.span, format!("expected a number with its unit, found {}", node.value.noun()))
            .help(format!("write it like `{example}`"));
        return None;
    };
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim();
    let factor = units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
    match (number.parse::<u64>().ok(), factor) {
        (Some(number), Some(factor)) => number.checked_mul(factor),
        _ => None,
    }
    .or_else(|| {
        let names: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
        decoder.push(
            Diagnostic::error(node.span, format!("`{text}` is not a number with a unit of {}", listed(&names)))
                .help(format!("write it like `{example}`")),
        );
        None
    })
}
