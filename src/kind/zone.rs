//! A zone: one S3 bucket, encrypted, private and versioned.

use crate::check::Check;
use crate::decode::{Decode, Decoder, Named, alternatives, quantity, section};
use crate::diagnostic::{Diagnostic, did_you_mean, listed};
use crate::kind::overrides::OverridesSpec;
use crate::schema::{Language, Shape};
use crate::source::{Node, Span, Spanned, Value};

section! {
    /// A part of the lake with a life time of its own.
    "a zone"
    pub struct ZoneSpec by NAME {
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
        /// Default: none.
        /// Example: `{ governance: 30 days }`.
        lock: Option<Spanned<LockSpec>>,
        /// The name that it had before it was renamed, the first one if it was renamed often: its bucket keeps that name, and what
        /// is in it.
        /// Default: none.
        /// Example: `landing`.
        was: Option<Spanned<String>>,
        /// A bucket that is there already and becomes the zone's, with what is in it; by environment where there are several. It
        /// stays when the lake goes.
        /// Default: none.
        /// Example: `{ prod: our-data-of-2019 }`.
        adopt: Option<Spanned<AdoptSpec>>,
        /// Changes to the resources that are made of it; which there are, "The escape hatch" says.
        /// Example: `{ Bucket: { Properties: { AccelerateConfiguration: { AccelerationStatus: Enabled } } } }`.
        overrides as "override": OverridesSpec,
    }
}

/// The name of a bucket, or a name for each environment that has one.
#[derive(Debug, Clone, PartialEq)]
pub enum AdoptSpec {
    /// In the only environment.
    Only(String),
    /// By environment.
    By(Named<Spanned<String>>),
}

impl Decode for AdoptSpec {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        if let Value::String(bucket) = &node.value {
            return Some(Self::Only(bucket.clone()));
        }
        Named::decode(node, decoder).map(Self::By)
    }

    fn shape(language: &mut Language) -> Shape {
        Shape::Either(vec![Shape::Text, Named::<String>::shape(language)])
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
        /// Example: `30 days`.
        Governance(Days) = "governance",
        /// Nobody can delete before its time, the account's owner included.
        /// Example: `30 days`.
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

    fn shape(_: &mut Language) -> Shape {
        Shape::quantity(&DAYS)
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

    fn shape(_: &mut Language) -> Shape {
        Shape::Either(vec![Shape::Word(vec!["forever"]), Shape::quantity(&DAYS)])
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
    /// The name by which AWS knows it.
    pub in_aws: String,
    /// Buckets that were there before: environment and name.
    pub adopted: Vec<(String, String)>,
}

impl Zone {
    /// The bucket that it adopts in an environment.
    #[must_use]
    pub fn adopts(&self, environment: &str) -> Option<&str> {
        self.adopted.iter().find(|(name, _)| name == environment).map(|(_, bucket)| bucket.as_str())
    }
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
            in_aws: self.was.as_ref().unwrap_or(name).value.clone(),
            adopted: self.check_adopted(keep, cx),
        })
    }

    fn check_adopted(&self, keep: Keep, cx: &mut Check<'_>) -> Vec<(String, String)> {
        let Some(adopt) = &self.adopt else { return Vec::new() };
        if let Some(lock) = &self.lock {
            cx.push(
                Diagnostic::error(adopt.span, "a bucket gets a lock when it is made, and this one is there already")
                    .related(lock.span, "the lock"),
            );
        }
        if let (Some(written), Keep::Days(days)) = (&self.keep, keep) {
            let message = format!("what the adopted bucket holds and is older than {days} days is deleted soon after");
            cx.push(
                Diagnostic::warning(written.span, message)
                    .related(adopt.span, "the bucket that is there already")
                    .help("S3 counts from when an object was written: `keep: forever` keeps what is there"),
            );
        }
        let environments = &cx.blueprint.environments.0;
        match &adopt.value {
            AdoptSpec::Only(bucket) => {
                bucket_name(bucket, adopt.span, cx);
                if environments.len() > 1 {
                    let names = environments.iter().map(|(name, _)| format!("{}: {bucket}", name.value));
                    let first = names.clone().next().unwrap_or_default();
                    cx.error(adopt.span, "a bucket can be adopted in one environment, and there are several")
                        .help(format!("say in which: `adopt: {{ {first} }}`"));
                }
                environments.first().map(|(name, _)| (name.value.clone(), bucket.clone())).into_iter().collect()
            }
            AdoptSpec::By(buckets) => {
                let mut adopted = Vec::new();
                for (environment, bucket) in &buckets.0 {
                    let Some(bucket) = bucket else { continue };
                    bucket_name(bucket, bucket.span, cx);
                    if environments.iter().all(|(name, _)| name.value != environment.value) {
                        let names = || environments.iter().map(|(name, _)| name.value.as_str());
                        let help = did_you_mean(environment, names()).unwrap_or_else(|| {
                            format!("the environments are {}", listed(&names().collect::<Vec<_>>()))
                        });
                        cx.error(environment.span, format!("no environment named `{}`", environment.value)).help(help);
                    }
                    adopted.push((environment.value.clone(), bucket.value.clone()));
                }
                adopted
            }
        }
    }

    /// The buckets that it adopts, where they are written.
    pub(crate) fn adopted_names(&self) -> Vec<(&str, Span)> {
        match self.adopt.as_ref().map(|adopt| (&adopt.value, adopt.span)) {
            None => Vec::new(),
            Some((AdoptSpec::Only(bucket), span)) => vec![(bucket, span)],
            Some((AdoptSpec::By(buckets), _)) => buckets
                .0
                .iter()
                .filter_map(|(_, bucket)| Some((bucket.as_ref()?.as_str(), bucket.as_ref()?.span)))
                .collect(),
        }
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

/// Source: "General purpose bucket naming rules" of the S3 user guide.
fn bucket_name(name: &str, span: Span, cx: &mut Check<'_>) {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ends = name.starts_with(plain) && name.ends_with(plain);
    let fits = (3..=63).contains(&name.len()) && name.chars().all(|c| plain(c) || c == '-' || c == '.');
    let address = name.split('.').count() == 4 && name.split('.').all(|part| part.parse::<u8>().is_ok());
    if !ends || !fits || name.contains("..") || address {
        cx.error(span, format!("`{name}` is not the name of a bucket"))
            .help("3 to 63 lower-case letters, digits, `-` and `.`, beginning and ending with a letter or digit");
    }
}
