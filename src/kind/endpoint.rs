//! An endpoint: where the released model answers, how a release reaches it, and what takes a release back.

use crate::check::Check;
use crate::decode::{Decode, Decoder, alternatives, quantity, section};
use crate::kind::instance::{self, Work};
use crate::kind::job::Minutes;
use crate::lake::{Id, Zone};
use crate::schema::{Language, Shape};
use crate::source::{Node, Spanned};

alternatives! {
    /// How an endpoint runs.
    "an endpoint"
    pub enum EndpointSpec {
        /// By the request.
        /// Example: `{ memory: 4 GB, concurrency: 20 }`.
        Serverless(ServerlessSpec) = "serverless",
        /// On machines of its own.
        /// Example: `{ type: ml.m5.large, count: 2 }`.
        Instances(InstancesSpec) = "instances",
    }
}

/// The folder of a zone in which captured requests and answers lie.
pub(crate) const CAPTURES: &str = "endpoint-capture";

section! {
    /// An endpoint that runs while it is asked. It shifts no traffic and captures no data: SageMaker offers neither here.
    "a serverless endpoint"
    pub struct ServerlessSpec {
        /// Its memory: 1 to 6 GB, in whole gigabytes.
        /// Default: `2 GB`.
        /// Example: `4 GB`.
        memory: Option<Spanned<Megabytes>>,
        /// How many requests it answers at a time, 1 to 200.
        /// Default: `5`.
        /// Example: `20`.
        concurrency: Option<Spanned<u32>>,
        /// For how many requests at a time it is kept warm; paid for by the hour.
        /// Default: none, so that the first request after a while waits.
        /// Example: `2`.
        provisioned: Option<Spanned<u32>>,
        /// What takes a release back.
        /// Default: `{ errors: 5%, watch: 10 minutes }`.
        /// Example: `{ errors: 1%, latency: 2 seconds, watch: 30 minutes }`.
        rollback: Option<RollbackSpec>,
    }
}

section! {
    /// An endpoint on machines. A release gets new ones beside the old ones.
    "an endpoint on instances"
    pub struct InstancesSpec {
        /// Their type.
        /// Example: `ml.m5.large`.
        ty as "type": Spanned<String>,
        /// How many, always.
        /// Default: `1`, without `scale`.
        /// Example: `2`.
        count: Option<Spanned<u32>>,
        /// Instead of `count`: as many as the requests take.
        /// Default: none; as many as `count` says.
        /// Example: `{ min: 1, max: 4, requests: 600 }`.
        scale: Option<Spanned<ScaleSpec>>,
        /// How traffic goes over to a released model.
        /// Default: `all_at_once`.
        /// Example: `{ canary: { first: 10%, wait: 5 minutes } }`.
        shift: Option<Spanned<ShiftSpec>>,
        /// Keeps requests and answers.
        /// Default: none.
        /// Example: `{ zone: raw, share: 20% }`.
        capture: Option<CaptureSpec>,
        /// What takes a release back.
        /// Default: `{ errors: 5%, watch: 10 minutes }`.
        /// Example: `{ errors: 1%, latency: 200 ms, watch: 30 minutes }`.
        rollback: Option<RollbackSpec>,
    }
}

section! {
    /// Between how many instances an endpoint scales.
    "a scale"
    pub struct ScaleSpec {
        /// At least so many.
        /// Default: `1`.
        /// Example: `2`.
        min: Option<Spanned<u32>>,
        /// At most so many.
        /// Example: `4`.
        max: Spanned<u32>,
        /// How many requests a minute one instance should have.
        /// Example: `600`.
        requests: Spanned<u32>,
        /// For how long after a change no instance is taken away.
        /// Default: `5 minutes`.
        /// Example: `10 minutes`.
        settle: Option<Spanned<Minutes>>,
    }
}

alternatives! {
    /// How traffic goes over to a released model.
    "a shift of traffic"
    pub enum ShiftSpec {
        /// In one step.
        AllAtOnce = "all_at_once",
        /// A part first, then the rest.
        /// Example: `{ first: 10%, wait: 5 minutes }`.
        Canary(CanarySpec) = "canary",
        /// In equal steps.
        /// Example: `{ step: 25%, wait: 5 minutes }`.
        Linear(LinearSpec) = "linear",
    }
}

section! {
    /// A part of the traffic first.
    "a canary"
    pub struct CanarySpec {
        /// The part, at most half.
        /// Example: `10%`.
        first: Spanned<Percent>,
        /// After how long the rest follows, at most an hour.
        /// Example: `5 minutes`.
        wait: Spanned<Minutes>,
    }
}

section! {
    /// Equal steps.
    "a linear shift"
    pub struct LinearSpec {
        /// Each step's part: 10% to 50%.
        /// Example: `25%`.
        step: Spanned<Percent>,
        /// The time between two steps, at most an hour.
        /// Example: `5 minutes`.
        wait: Spanned<Minutes>,
    }
}

section! {
    /// Where requests and answers are kept.
    "a capture"
    pub struct CaptureSpec {
        /// The zone; there they lie under `endpoint-capture/<model>/`.
        /// Example: `raw`.
        zone: Spanned<String>,
        /// How many of them.
        /// Default: `100%`.
        /// Example: `20%`.
        share: Option<Spanned<Percent>>,
    }
}

section! {
    /// What takes a release back.
    "a rollback"
    pub struct RollbackSpec {
        /// More than this share of a minute's requests ends in a server's error.
        /// Default: `5%`.
        /// Example: `1%`.
        errors: Option<Spanned<Percent>>,
        /// The slowest twentieth of a minute's requests takes the model longer than this.
        /// Default: however long.
        /// Example: `500 ms`.
        latency: Option<Spanned<Milliseconds>>,
        /// For how long after a release: up to 3 hours, on instances up to one, because the old ones wait as long.
        /// Default: `10 minutes`.
        /// Example: `30 minutes`.
        watch: Option<Spanned<Minutes>>,
    }
}

/// An amount of memory in whole megabytes (MiB).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Megabytes(pub u32);

impl Decode for Megabytes {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        quantity(node, &MEGABYTES, "2 GB", decoder).map(|megabytes| Self(u32::try_from(megabytes).unwrap_or(u32::MAX)))
    }

    fn shape(_: &mut Language) -> Shape {
        Shape::quantity(&MEGABYTES)
    }
}

const MEGABYTES: [(&str, u64); 2] = [("MB", 1), ("GB", 1_024)];

/// A share in whole hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percent(pub u32);

impl Decode for Percent {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        quantity(node, &PERCENT, "10%", decoder).map(|percent| Self(u32::try_from(percent).unwrap_or(u32::MAX)))
    }

    fn shape(_: &mut Language) -> Shape {
        Shape::quantity(&PERCENT)
    }
}

const PERCENT: [(&str, u64); 1] = [("%", 1)];

/// A short time in whole thousandths of a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Milliseconds(pub u32);

impl Decode for Milliseconds {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        quantity(node, &MILLISECONDS, "500 ms", decoder).map(|time| Self(u32::try_from(time).unwrap_or(u32::MAX)))
    }

    fn shape(_: &mut Language) -> Shape {
        Shape::quantity(&MILLISECONDS)
    }
}

const MILLISECONDS: [(&str, u64); 3] = [("ms", 1), ("second", 1_000), ("seconds", 1_000)];

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// How it runs.
    pub host: Host,
    /// What takes a release back.
    pub rollback: Rollback,
}

/// How an endpoint runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// By the request.
    Serverless {
        /// In MiB: 1,024 to 6,144 in steps of 1,024.
        memory_mb: u32,
        /// Requests at a time.
        concurrency: u32,
        /// Requests at a time for which it is kept warm.
        provisioned: Option<u32>,
    },
    /// On machines of its own.
    Instances {
        /// Their type.
        instance: String,
        /// How many, to begin with.
        count: u32,
        /// How many later.
        scale: Option<Scale>,
        /// How traffic goes over to a released model.
        shift: Shift,
        /// Where requests and answers are kept.
        capture: Option<Capture>,
    },
}

/// Between how many instances an endpoint scales, and by what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    /// At least so many.
    pub min: u32,
    /// At most so many.
    pub max: u32,
    /// Requests a minute for one instance.
    pub requests: u32,
    /// For so many minutes after a change none is taken away.
    pub settle_minutes: u32,
}

/// How traffic goes over to a released model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shift {
    /// In one step.
    AllAtOnce,
    /// A part first.
    Canary {
        /// The part.
        percent: u32,
        /// Minutes before the rest.
        wait_minutes: u32,
    },
    /// In equal steps.
    Linear {
        /// Each step's part.
        percent: u32,
        /// Minutes between two steps.
        wait_minutes: u32,
    },
}

/// Where requests and answers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capture {
    /// The zone.
    pub zone: Id<Zone>,
    /// How many of them.
    pub percent: u32,
}

/// What takes a release back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rollback {
    /// A larger share of requests that end in a server's error.
    pub errors_percent: u32,
    /// A slower twentieth of the requests.
    pub latency_ms: Option<u32>,
    /// For so many minutes after a release.
    pub watch_minutes: u32,
}

/// How long SageMaker lets a deployment take. Source: `MaximumExecutionTimeoutInSeconds` of `BlueGreenUpdatePolicy`.
const LONGEST_DEPLOYMENT_MINUTES: u32 = 480;
/// What machines take to start, generously.
pub const START_MINUTES: u32 = 60;
/// What SageMaker waits at most between two steps, and before old machines go.
const LONGEST_WAIT_MINUTES: u32 = 60;
/// What CloudFormation watches alarms at most after an update. Source: `RollbackConfiguration`.
const LONGEST_WATCH_MINUTES: u32 = 180;

impl Shift {
    /// How many minutes pass between its first step and its last.
    #[must_use]
    pub fn minutes(self) -> u32 {
        match self {
            Self::AllAtOnce => 0,
            Self::Canary { percent: _, wait_minutes } => wait_minutes,
            Self::Linear { percent, wait_minutes } => wait_minutes * (100_u32.div_ceil(percent.max(1)) - 1),
        }
    }
}

impl Spanned<EndpointSpec> {
    pub(crate) fn check(&self, cx: &mut Check<'_>) -> Endpoint {
        match &self.value {
            EndpointSpec::Serverless(spec) => spec.check(cx),
            EndpointSpec::Instances(spec) => spec.check(cx),
        }
    }
}

impl ServerlessSpec {
    fn check(&self, cx: &mut Check<'_>) -> Endpoint {
        let Self { memory, concurrency, provisioned, rollback } = self;
        if let Some(memory) = memory
            && !(memory.value.0 % 1_024 == 0 && (1_024..=6_144).contains(&memory.value.0))
        {
            cx.error(memory.span, "a serverless endpoint has 1 to 6 GB, in whole gigabytes");
        }
        if let Some(concurrency) = concurrency
            && !(1..=200).contains(&concurrency.value)
        {
            cx.error(concurrency.span, "a serverless endpoint takes 1 to 200 requests at a time");
        }
        let at_once = concurrency.as_ref().map_or(5, |concurrency| concurrency.value);
        if let Some(provisioned) = provisioned
            && !(1..=at_once).contains(&provisioned.value)
        {
            cx.error(
                provisioned.span,
                format!("of {at_once} requests at a time, 1 to {at_once} can be provisioned for"),
            )
            .help("raise `concurrency`, or leave `provisioned` out to pay by the request only");
        }
        Endpoint {
            host: Host::Serverless {
                memory_mb: memory.as_ref().map_or(2_048, |memory| memory.value.0),
                concurrency: at_once,
                provisioned: provisioned.as_ref().map(|provisioned| provisioned.value),
            },
            rollback: RollbackSpec::check(rollback.as_ref(), LONGEST_WATCH_MINUTES, cx),
        }
    }
}

impl InstancesSpec {
    fn check(&self, cx: &mut Check<'_>) -> Endpoint {
        let Self { ty, count, scale, shift, capture, rollback } = self;
        let instance = instance::check(ty, Work::Hosting, cx);
        if let Some(count) = count
            && count.value == 0
        {
            cx.error(count.span, "an endpoint has at least one instance");
        }
        if let (Some(count), Some(scale)) = (count, scale) {
            cx.error(count.span, "an endpoint has `count` instances or scales, not both")
                .related(scale.span, "the scale")
                .help("leave `count` out; it begins with `min`");
        }
        let rollback = RollbackSpec::check(rollback.as_ref(), LONGEST_WAIT_MINUTES, cx);
        let scale = scale.as_ref().map(|scale| scale.check(cx));
        let count = scale.map_or_else(|| count.as_ref().map_or(1, |count| count.value), |scale| scale.min);
        let traffic = shift.as_ref().map_or(Shift::AllAtOnce, |shift| shift.value.check(cx));
        if let Some(shift) = shift
            && traffic != Shift::AllAtOnce
            && count == 1
        {
            cx.error(shift.span, "the traffic of one instance cannot be parted")
                .help("begin with two instances at least, or shift `all_at_once`");
        }
        let needs = START_MINUTES + traffic.minutes() + rollback.watch_minutes;
        if let Some(shift) = shift
            && needs > LONGEST_DEPLOYMENT_MINUTES
        {
            cx.error(shift.span, "with its waits, this shift takes longer than the 8 hours that SageMaker gives it")
                .help("take larger steps or wait less between them");
        }
        let capture = capture.as_ref().and_then(|capture| capture.check(cx));
        let host = Host::Instances { instance: instance.unwrap_or_default(), count, scale, shift: traffic, capture };
        Endpoint { host, rollback }
    }
}

impl Spanned<ScaleSpec> {
    fn check(&self, cx: &mut Check<'_>) -> Scale {
        let ScaleSpec { min, max, requests, settle } = &self.value;
        let least = min.as_ref().map_or(1, |min| min.value);
        if least == 0 {
            cx.error(min.as_ref().map_or(self.span, |min| min.span), "an endpoint has at least one instance");
        } else if max.value <= least {
            cx.error(max.span, format!("an endpoint that scales from {least} has more than that at most"))
                .help("write `count` where the number is fixed");
        }
        if requests.value == 0 {
            cx.error(requests.span, "an instance has at least one request a minute");
        }
        if let Some(settle) = settle
            && !(1..=60).contains(&settle.value.0)
        {
            cx.error(settle.span, "a scale settles within 1 minute to 1 hour");
        }
        Scale {
            min: least,
            max: max.value,
            requests: requests.value,
            settle_minutes: settle.as_ref().map_or(5, |settle| settle.value.0),
        }
    }
}

impl ShiftSpec {
    fn check(&self, cx: &mut Check<'_>) -> Shift {
        let mut waits = |wait: &Spanned<Minutes>| {
            if wait.value.0 > LONGEST_WAIT_MINUTES {
                cx.error(wait.span, "between two steps there is an hour at most");
            }
            wait.value.0.min(LONGEST_WAIT_MINUTES)
        };
        match self {
            Self::AllAtOnce => Shift::AllAtOnce,
            Self::Canary(CanarySpec { first, wait }) => {
                let wait_minutes = waits(wait);
                if !(1..=50).contains(&first.value.0) {
                    cx.error(first.span, "a canary gets 1% to 50% of the traffic");
                }
                Shift::Canary { percent: first.value.0, wait_minutes }
            }
            Self::Linear(LinearSpec { step, wait }) => {
                let wait_minutes = waits(wait);
                if !(10..=50).contains(&step.value.0) {
                    cx.error(step.span, "a linear shift goes in steps of 10% to 50%");
                }
                Shift::Linear { percent: step.value.0, wait_minutes }
            }
        }
    }
}

impl CaptureSpec {
    fn check(&self, cx: &mut Check<'_>) -> Option<Capture> {
        let Self { zone, share } = self;
        if let Some(share) = share
            && !(1..=100).contains(&share.value.0)
        {
            cx.error(share.span, "a capture keeps 1% to 100% of the requests");
        }
        let percent = share.as_ref().map_or(100, |share| share.value.0);
        Some(Capture { zone: cx.zone(zone)?, percent })
    }
}

impl RollbackSpec {
    fn check(written: Option<&Self>, longest: u32, cx: &mut Check<'_>) -> Rollback {
        let (mut errors_percent, mut latency_ms, mut watch_minutes) = (5, None, 10);
        if let Some(Self { errors, latency, watch }) = written {
            if let Some(errors) = errors {
                if errors.value.0 > 99 {
                    cx.error(errors.span, "an error rate that takes a release back is 0% to 99%");
                }
                errors_percent = errors.value.0;
            }
            if let Some(latency) = latency {
                if latency.value.0 == 0 {
                    cx.error(latency.span, "no model answers in no time");
                }
                latency_ms = Some(latency.value.0);
            }
            if let Some(watch) = watch {
                if !(1..=longest).contains(&watch.value.0) {
                    cx.error(
                        watch.span,
                        format!("a release on such an endpoint is watched for 1 to {longest} minutes"),
                    );
                }
                watch_minutes = watch.value.0.min(longest);
            }
        }
        Rollback { errors_percent, latency_ms, watch_minutes }
    }
}
