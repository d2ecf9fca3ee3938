//! The machines that SageMaker has. Source: `TrainingInstanceType` and `ProductionVariantInstanceType` in botocore's model of
//! SageMaker.

use crate::check::Check;
use crate::diagnostic::{Diagnostic, did_you_mean, listed};
use crate::source::Spanned;

/// What a machine is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Training.
    Training,
    /// Answering.
    Hosting,
}

/// Families, and the sizes of each.
const TRAINING: &str = "\
c4: xlarge 2xlarge 4xlarge 8xlarge
c5: xlarge 2xlarge 4xlarge 9xlarge 18xlarge
c5n: xlarge 2xlarge 4xlarge 9xlarge 18xlarge
c6i: xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge
g4dn: xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge
g5: xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge
g6: xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge
g6e: xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge
m4: xlarge 2xlarge 4xlarge 10xlarge 16xlarge
m5: large xlarge 2xlarge 4xlarge 12xlarge 24xlarge
m6i: large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge
p2: xlarge 8xlarge 16xlarge
p3: 2xlarge 8xlarge 16xlarge
p3dn: 24xlarge
p4d: 24xlarge
p4de: 24xlarge
p5: 48xlarge
p5e: 48xlarge
p5en: 48xlarge
r5: large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge
r5d: large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge
t3: medium large xlarge 2xlarge
trn1: 2xlarge 32xlarge
trn1n: 32xlarge
trn2: 48xlarge";

/// Families, and the sizes of each.
const HOSTING: &str = "\
c4: large xlarge 2xlarge 4xlarge 8xlarge
c5: large xlarge 2xlarge 4xlarge 9xlarge 18xlarge
c5d: large xlarge 2xlarge 4xlarge 9xlarge 18xlarge
c6g: large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge
c6gd: large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge
c6gn: large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge
c6i: large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge
c7g: large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge
c7i: large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge
dl1: 24xlarge
g4dn: xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge
g5: xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge
g6: xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge
g6e: xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge
inf1: xlarge 2xlarge 6xlarge 24xlarge
inf2: xlarge 8xlarge 24xlarge 48xlarge
m4: xlarge 2xlarge 4xlarge 10xlarge 16xlarge
m5: large xlarge 2xlarge 4xlarge 12xlarge 24xlarge
m5d: large xlarge 2xlarge 4xlarge 12xlarge 24xlarge
m6g: large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge
m6gd: large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge
m6i: large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge
m7i: large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge
p2: xlarge 8xlarge 16xlarge
p3: 2xlarge 8xlarge 16xlarge
p4d: 24xlarge
p4de: 24xlarge
p5: 48xlarge
p5e: 48xlarge
r5: large xlarge 2xlarge 4xlarge 12xlarge 24xlarge
r5d: large xlarge 2xlarge 4xlarge 12xlarge 24xlarge
r6g: large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge
r6gd: large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge
r6i: large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge
r7i: large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge
t2: medium large xlarge 2xlarge
trn1: 2xlarge 32xlarge
trn1n: 32xlarge
trn2: 48xlarge";

impl Work {
    /// The types for it, without `ml.`.
    fn types(self) -> impl Iterator<Item = String> {
        let table = match self {
            Self::Training => TRAINING,
            Self::Hosting => HOSTING,
        };
        let families = table.lines().filter_map(|line| line.split_once(": "));
        families.flat_map(|(family, sizes)| sizes.split(' ').map(move |size| format!("ml.{family}.{size}")))
    }

    fn word(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Hosting => "endpoints",
        }
    }
}

/// Checks an instance type.
pub(crate) fn check(written: &Spanned<String>, work: Work, cx: &mut Check<'_>) -> Option<String> {
    let word =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let parts: Vec<&str> = written.split('.').collect();
    if !matches!(parts.as_slice(), ["ml", family, size] if word(family) && word(size)) {
        cx.error(written.span, format!("`{}` is not a SageMaker instance type", written.value))
            .help("write it like `ml.m5.xlarge`");
        return None;
    }
    let types: Vec<String> = work.types().collect();
    if !types.contains(&written.value) {
        let message = format!("SageMaker has no `{}` for {}", written.value, work.word());
        let family: Vec<&str> =
            types.iter().map(String::as_str).filter(|ty| ty.split('.').nth(1) == Some(parts[1])).collect();
        if family.is_empty() {
            // New families come now and then.
            let help = did_you_mean(written, types.iter().map(String::as_str));
            let help = help.unwrap_or_else(|| "as far as this version of lakegen knows".into());
            cx.push(Diagnostic::warning(written.span, message)).help(help);
        } else {
            let help = did_you_mean(written, family.iter().copied());
            cx.error(written.span, message).help(help.unwrap_or_else(|| format!("there is {}", listed(&family))));
        }
    }
    Some(written.value.clone())
}
