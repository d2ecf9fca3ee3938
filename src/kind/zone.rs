//! A zone: one S3 bucket, encrypted, private and versioned.

use crate::check::Check;
use crate::decode::{Decode, Decoder, alternatives, quantity, section};
use crate::diagnostic::Diagnostic;
use crate::source::{Node, Spanned, Value};

section! {
    /// A part of the lake with a life time of its own.
    "a zone"
    pub struct ZoneSpec {
        /// How long objects live.
        /// Default: `forever`.
        /// Example: `400 days`.
        keep: Option<Spanned<Keep>>,
        /// For how long an object that was overwritten or deleted can be brought back.
        /// Default: `30 days`.
        /// Example: `90 days`.
        recover: Option<Spanned<Days>>,
        /// To which cheaper classes of storage objects go as they age, the earliest first.
        /// Example: `[{ after: 90 days, to: glacier_instant }]`.
        archive: Vec<ArchiveSpec>,
        /// For how long nobody can delete or overwrite a version of an object. A zone gets it when it is made, or never.
        /// Example: `{ governance: 30 days }`.
        lock: Option<Spanned<LockSpec>>,
    }
}

section! {
    /// A cheaper class of storage.
    "an archive rule"
    pub struct ArchiveSpec {
        /// How old objects then are.
        /// Example: `90 days`.
        after: Spanned<Days>,
        /// The class.
        /// Example: `infrequent`.
        to: Spanned<StorageClass>,
    }
}

alternatives! {
    /// A class of storage that queries can still read. Source: "Amazon S3 storage classes" of the S3 user guide; what Athena
    /// cannot read without a restore first is left out.
    #[derive(Copy, Eq)]
    "a storage class"
    pub enum StorageClass {
        /// Moves each object by how often it is read.
        Intelligent = "intelligent",
        /// Cheaper to keep, dearer to read.
        Infrequent = "infrequent",
        /// The same in one availability zone.
        InfrequentOneZone = "infrequent_one_zone",
        /// For what is read once a quarter.
        GlacierInstant = "glacier_instant",
    }
}

alternatives! {
    /// How strictly versions are held.
    #[derive(Copy, Eq)]
    "a lock"
    pub enum LockSpec {
        /// Whoever may bypass it can still delete.
        Governance(Days) = "governance",
        /// Nobody can delete before its time, the account's owner included.
        Compliance(Days) = "compliance",
    }
}

/// A number of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Days(pub u32);

impl Decode for Days {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let days = quantity(node, &DAYS, "30 days", decoder)?;
        if !(1..=36_500).contains(&days) {
            decoder.error(node.span, "expected 1 day to 100 years");
            return None;
        }
        Some(Self(u32::try_from(days).unwrap_or(u32::MAX)))
    }
}

const DAYS: [(&str, u64); 6] = [("days", 1), ("day", 1), ("weeks", 7), ("week", 7), ("years", 365), ("year", 365)];

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
        quantity(node, &DAYS, "400 days", decoder).map(|days| Self::Days(u32::try_from(days).unwrap_or(u32::MAX)))
    }
}

/// One S3 bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// The name.
    pub name: String,
    /// How long its objects live.
    pub keep: Keep,
    /// For how many days overwritten objects can be brought back.
    pub recover: Days,
    /// When objects go to which cheaper class, by age.
    pub archive: Vec<(Days, StorageClass)>,
    /// How versions are held.
    pub lock: Option<LockSpec>,
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
        self.check_archive(keep, cx);
        Some(Zone {
            name: name.value.clone(),
            keep,
            recover: self.recover.as_ref().map_or(Days(30), |recover| recover.value),
            archive: self.archive.iter().map(|rule| (rule.after.value, rule.to.value)).collect(),
            lock: self.lock.as_ref().map(|lock| lock.value),
        })
    }

    /// Source: "Transitioning objects using Amazon S3 Lifecycle" of the S3 user guide.
    fn check_archive(&self, keep: Keep, cx: &mut Check<'_>) {
        let mut previous: Option<&ArchiveSpec> = None;
        for rule in &self.archive {
            let ArchiveSpec { after, to } = rule;
            let infrequent = matches!(to.value, StorageClass::Infrequent | StorageClass::InfrequentOneZone);
            if infrequent && after.value < Days(30) {
                cx.error(after.span, "S3 takes objects to infrequent access after 30 days at the earliest");
            }
            if let Keep::Days(days) = keep
                && after.value.0 >= days
            {
                cx.error(after.span, format!("objects are gone by then: they are kept for {days} days"));
            }
            if let Some(before) = previous.replace(rule)
                && after.value <= before.after.value
            {
                cx.push(
                    Diagnostic::error(after.span, "this class comes before the one above it")
                        .related(before.after.span, "the one above")
                        .help("write the earliest first"),
                );
            }
        }
    }
}
