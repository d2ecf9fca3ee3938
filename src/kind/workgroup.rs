//! A workgroup: where Athena runs SQL, and under which limits.

use crate::check::Check;
use crate::decode::{Decode, Decoder, alternatives, quantity, section};
use crate::kind::zone::Days;
use crate::schema::{Language, Shape};
use crate::source::{Node, Spanned};

section! {
    /// A workgroup of Athena. `lake` is the one for everything that names no other; it is always there, declared or not.
    "a workgroup"
    pub struct WorkgroupSpec {
        /// How much data one query may scan before Athena stops it: 10 MB or more.
        /// Default: `100 GB`, and `1 TB` where the environment is protected.
        /// Example: `10 GB`.
        scan_limit: Option<Spanned<Bytes>>,
        /// How long results of queries are kept.
        /// Default: `14 days`.
        /// Example: `90 days`.
        keep_results: Option<Spanned<Days>>,
        /// Whether clients are held to where the workgroup puts results and how it encrypts them: with the lake's key.
        /// Default: `true`.
        /// Example: `false`.
        enforced: Option<bool>,
        /// The version of the engine.
        /// Default: `v3`.
        /// Example: `auto`.
        engine: Option<Engine>,
        /// Whether CloudWatch gets metrics of its queries.
        /// Default: `true`.
        /// Example: `false`.
        metrics: Option<bool>,
        /// Whether its queries may read buckets of others that let the reader pay.
        /// Default: `false`.
        /// Example: `true`.
        requester_pays: Option<bool>,
        /// One sentence, for whoever chooses a workgroup.
        /// Default: what it is for.
        /// Example: `For analysts, with small limits`.
        description: Option<Spanned<String>>,
    }
}

alternatives! {
    /// A version of Athena's engine.
    #[derive(Copy, Eq)]
    "an engine"
    pub enum Engine {
        /// Athena engine version 3, which is what the checks of SQL and local runs speak.
        V3 = "v3",
        /// Whatever Athena takes for the best.
        Auto = "auto",
    }
}

impl Engine {
    /// Athena's name for it. Source: "EngineVersion" of the Athena API reference.
    #[must_use]
    pub fn in_aws(self) -> &'static str {
        match self {
            Self::V3 => "Athena engine version 3",
            Self::Auto => "AUTO",
        }
    }
}

/// An amount of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

const BYTES: [(&str, u64); 4] = [("MB", 1 << 20), ("GB", 1 << 30), ("TB", 1 << 40), ("PB", 1 << 50)];

impl Decode for Bytes {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        quantity(node, &BYTES, "10 GB", decoder).map(Self)
    }

    fn shape(_: &mut Language) -> Shape {
        Shape::quantity(&BYTES)
    }
}

/// A workgroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workgroup {
    /// The name.
    pub name: String,
    /// How much one query may scan, when the environment does not decide.
    pub scan_limit: Option<Bytes>,
    /// How long results are kept.
    pub keep_results: Days,
    /// Whether clients are held to its settings.
    pub enforced: bool,
    /// The version of the engine.
    pub engine: Engine,
    /// Whether CloudWatch gets metrics.
    pub metrics: bool,
    /// Whether it reads where the reader pays.
    pub requester_pays: bool,
    /// One sentence, or none.
    pub description: Option<String>,
}

/// For how long results of queries and temporary files are kept.
pub const KEPT: Days = Days(14);

impl Workgroup {
    /// The name of the one for everything that names no other.
    pub const LAKE: &str = "lake";

    /// How many there may be: the first stack has room for them.
    pub(crate) const MOST: usize = 10;

    /// The lake's own, where the blueprint says nothing of it.
    pub(crate) fn lake() -> Self {
        Self {
            name: Self::LAKE.into(),
            scan_limit: None,
            keep_results: KEPT,
            enforced: true,
            engine: Engine::V3,
            metrics: true,
            requester_pays: false,
            description: None,
        }
    }

    /// Whether it is the lake's own.
    #[must_use]
    pub fn is_lakes(&self) -> bool {
        self.name == Self::LAKE
    }
}

impl WorkgroupSpec {
    pub(crate) fn check(&self, name: &Spanned<String>, cx: &mut Check<'_>) -> Option<Workgroup> {
        let Self { scan_limit, keep_results, enforced, engine, metrics, requester_pays, description } = self;
        // Source: "Configure per-query and per-workgroup data usage controls" of the Athena user guide.
        const LEAST: Bytes = Bytes(10 << 20);
        const MOST: Bytes = Bytes(7 << 60);
        if let Some(limit) = scan_limit
            && !(LEAST..=MOST).contains(&limit.value)
        {
            cx.error(
                limit.span,
                "Athena limits how much a query scans to 10 MB at the least, and 7,168 PB at the most",
            );
        }
        if let Some(text) = description {
            cx.description(text, "Athena", 1_024);
        }
        let own = Workgroup::lake();
        Some(Workgroup {
            name: name.value.clone(),
            scan_limit: scan_limit.as_ref().map(|limit| limit.value),
            keep_results: keep_results.as_ref().map_or(own.keep_results, |keep| keep.value),
            enforced: enforced.unwrap_or(own.enforced),
            engine: engine.unwrap_or(own.engine),
            metrics: metrics.unwrap_or(own.metrics),
            requester_pays: requester_pays.unwrap_or(own.requester_pays),
            description: description.as_ref().map(|text| text.value.clone()),
        })
    }
}
