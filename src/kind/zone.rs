//! A zone: one S3 bucket, encrypted, private and versioned.

use crate::check::Check;
use crate::decode::{Decode, Decoder, quantity, section};
use crate::source::{Node, Spanned, Value};

section! {
    /// A part of the lake with a life time of its own.
    "a zone"
    pub struct ZoneSpec {
        /// How long objects live: `forever`, or `400 days`.
        keep: Option<Spanned<Keep>>,
    }
}

/// How long the objects of a zone live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Until somebody deletes them.
    Forever,
    /// For so many days after they were written.
    Days(u32),
}

impl Decode for Keep {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        if node.value == Value::String("forever".into()) {
            return Some(Self::Forever);
        }
        let units = [("days", 1), ("day", 1), ("weeks", 7), ("week", 7), ("years", 365), ("year", 365)];
        quantity(node, &units, "400 days", decoder).map(|days| Self::Days(u32::try_from(days).unwrap_or(u32::MAX)))
    }
}

/// One S3 bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// The name.
    pub name: String,
    /// How long its objects live.
    pub keep: Keep,
}

impl ZoneSpec {
    pub(crate) fn check(&self, name: &Spanned<String>, cx: &mut Check<'_>) -> Option<Zone> {
        if name.chars().count() > 12 {
            cx.error(name.span, "a zone's name has at most 12 characters")
                .help("it is part of a bucket's name, which AWS limits to 63");
        }
        let keep = self.keep.as_ref().map_or(Keep::Forever, |keep| keep.value);
        if let (Keep::Days(days), Some(written)) = (keep, &self.keep)
            && !(1..=36_500).contains(&days)
        {
            cx.error(written.span, "objects are kept for 1 day to 100 years, or `forever`");
        }
        Some(Zone { name: name.value.clone(), keep })
    }
}
