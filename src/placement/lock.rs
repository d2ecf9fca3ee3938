//! The lock file: places given before.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Part;

/// The content of a lock file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// Whose places they are; nobody's when there is no file.
    lake: Option<String>,
    places: BTreeMap<(String, String), usize>,
}

/// Why a lock file cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// A line that makes no sense.
    #[error("line {line} is no place: `{text}`")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// Two lines say different places.
    #[error("line {line} gives `{thing}` another place than a line before it")]
    Twice {
        /// The number of the second, from 1.
        line: usize,
        /// Its kind and its name.
        thing: String,
    },
    /// It was written in a way that this version does not know.
    #[error("it is a lock file of version {0}, and this lakegen knows version {VERSION}")]
    Version(String),
    /// It does not say whose places it holds.
    #[error("it does not begin with `lake …` and `version …`")]
    Headless,
    /// It is about another lake.
    #[error("it holds the places of the lake `{found}`, and this is `{lake}`")]
    Foreign {
        /// The lake in the file.
        found: String,
        /// The lake of the blueprint.
        lake: String,
    },
    /// More things are in one stack than CloudFormation takes.
    #[error("it puts more into the {part} stack {number} than CloudFormation takes", part = .part.word())]
    Full {
        /// The part of the stack.
        part: Part,
        /// Its number, from 1.
        number: usize,
    },
}

impl LockError {
    /// One line: what to do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Line { .. } | Self::Twice { .. } => {
                "of a merge conflict take both sides, and of two lines for one thing the one that is deployed"
            }
            Self::Version(_) => "update lakegen: a newer one wrote it",
            Self::Headless => "restore it from version control; without it deployed things could move",
            Self::Foreign { .. } => {
                "every name in AWS begins with the lake's: to make a new lake of a copy, delete the lock file"
            }
            Self::Full { .. } => "take out the lines of things that are not deployed yet: they get places with room",
        }
    }
}

const HEADER: &str = "# Which stack each thing is in. Written by lakegen; commit it: what has a place keeps it.\n";
const VERSION: &str = "1";
/// More stacks than an account may have.
const MAX_STACKS: usize = 2_000;
/// The first words of lines.
pub(crate) const KINDS: [&str; 13] = [
    "checks",
    "crawler",
    "function",
    "grant",
    "items",
    "job",
    "model",
    "profile",
    "query",
    "recipe",
    "statement",
    "table",
    "zone",
];

impl Lock {
    pub(super) fn new(lake: &str, places: BTreeMap<(String, String), usize>) -> Self {
        Self { lake: Some(lake.to_owned()), places }
    }

    /// These places, and those of another file for what has none here.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        for (thing, number) in other.places {
            self.places.entry(thing).or_insert(number);
        }
        self
    }

    /// Reads the lock file of a lake.
    ///
    /// # Errors
    /// It is another lake's or another version's, or a line is not `<kind> <name> <number>`.
    pub fn parse(text: &str, lake: &str) -> Result<Self, LockError> {
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let mut head = |word: &str| {
            let (_, line) = lines.next()?;
            line.strip_prefix(word)?.strip_prefix(' ')
        };
        let found = head("lake").ok_or(LockError::Headless)?.to_owned();
        let version = head("version").ok_or(LockError::Headless)?;
        if version != VERSION {
            return Err(LockError::Version(version.chars().take(20).collect()));
        }
        if found != lake {
            return Err(LockError::Foreign { found: found.chars().take(40).collect(), lake: lake.to_owned() });
        }
        let mut places = BTreeMap::new();
        for (at, line) in lines {
            let error = || LockError::Line { line: at + 1, text: line.chars().take(60).collect() };
            let words: Vec<&str> = line.split(' ').collect();
            let [kind, name, number] = words.as_slice() else { return Err(error()) };
            let number = number.parse::<usize>().ok().filter(|number| (1..=MAX_STACKS).contains(number));
            let number = number.filter(|_| KINDS.contains(kind)).ok_or_else(error)?;
            if places.insert(((*kind).to_owned(), (*name).to_owned()), number).is_some_and(|other| other != number) {
                return Err(LockError::Twice { line: at + 1, thing: format!("{kind} {name}") });
            }
        }
        Ok(Self { lake: Some(found), places })
    }

    /// The file: a line for each thing, sorted, so that two branches merge.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = HEADER.to_owned();
        if let Some(lake) = &self.lake {
            let _ = writeln!(text, "lake {lake}\nversion {VERSION}");
        }
        for ((kind, name), number) in &self.places {
            let _ = writeln!(text, "{kind} {name} {number}");
        }
        text
    }

    pub(super) fn place(&self, (kind, name): (&str, &str)) -> Option<usize> {
        if self.places.is_empty() {
            return None;
        }
        self.places.get(&(kind.to_owned(), name.to_owned())).copied()
    }

    #[cfg(test)]
    pub(super) fn places(&self) -> &BTreeMap<(String, String), usize> {
        &self.places
    }
}
