//! Where a local run takes its raw data from when nobody names a folder.

use std::path::PathBuf;

use crate::check::Check;
use crate::decode::{alternatives, section};
use crate::source::Spanned;

alternatives! {
    /// A source of sample data.
    "a source of sample data"
    pub enum SampleSpec {
        /// Customers of the Instacart shop, made up by lakegen.
        /// Example: `{ users: 2000 }`.
        Instacart(InstacartSpec) = "instacart",
        /// A folder of files that the project keeps.
        /// Example: `sample/`.
        Files(Spanned<String>) = "files",
    }
}

section! {
    /// How many made-up customers, and which.
    "the Instacart sample"
    pub struct InstacartSpec {
        /// How many customers, from 1 to 206,209.
        /// Default: `2000`.
        /// Example: `20000`.
        users: Option<Spanned<u32>>,
        /// The same seed makes the same customers.
        /// Default: `2017`.
        /// Example: `7`.
        seed: Option<u64>,
    }
}

/// A source of sample data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sample {
    /// Generated customers of the Instacart shop.
    Instacart {
        /// How many.
        users: u32,
        /// Which.
        seed: u64,
    },
    /// A folder, relative to the project.
    Files(PathBuf),
}

/// The customers of the real data set.
const MAX_USERS: u32 = 206_209;

impl SampleSpec {
    pub(crate) fn check(&self, cx: &mut Check<'_>) -> Option<Sample> {
        match self {
            Self::Instacart(spec) => {
                if let Some(users) = &spec.users
                    && !(1..=MAX_USERS).contains(&users.value)
                {
                    cx.error(users.span, format!("the Instacart shop has 1 to {MAX_USERS} customers"));
                }
                Some(Sample::Instacart {
                    users: spec.users.as_ref().map_or(2_000, |users| users.value),
                    seed: spec.seed.unwrap_or(2017),
                })
            }
            Self::Files(path) => cx.directory(path).map(Sample::Files),
        }
    }
}
