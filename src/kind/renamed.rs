//! Things that were renamed: each goes on in AWS under its old name, which no other may have.

use std::collections::HashMap;

use crate::blueprint::Blueprint;
use crate::check::Check;
use crate::decode::Named;
use crate::diagnostic::Diagnostic;
use crate::source::{Span, Spanned};

/// A thing's name, and the one that it had before.
type Renamed<'a> = (&'a Spanned<String>, Option<&'a Spanned<String>>);

/// Holds the old names of every section against the others of it, and the adopted buckets against each other.
pub(crate) fn check(blueprint: &Blueprint, cx: &mut Check<'_>) {
    section("zone", &blueprint.zones, |zone| zone.was.as_ref(), cx);
    section("table", &blueprint.tables, |table| table.was.as_ref(), cx);
    section("job", &blueprint.jobs, |job| job.was.as_ref(), cx);
    section("model", &blueprint.models, |model| model.was.as_ref(), cx);
    adopted(blueprint, cx);
}

fn section<'a, T>(noun: &str, things: &'a Named<T>, was: fn(&'a T) -> Option<&'a Spanned<String>>, cx: &mut Check<'_>) {
    let things = things.0.iter().map(|(name, thing)| -> Renamed<'a> { (name, thing.as_ref().and_then(was)) });
    let mut in_aws: HashMap<&str, Renamed<'a>> = HashMap::new();
    // Those that keep their name come first: it is theirs.
    let (kept, renamed): (Vec<_>, Vec<_>) = things.partition(|(_, was)| was.is_none());
    in_aws.extend(kept.iter().map(|(name, was)| (name.as_str(), (*name, *was))));
    for (name, was) in renamed {
        let Some(old) = was else { continue };
        if cx.name(old, &format!("a {noun}")).is_none() {
            continue;
        }
        if old.value == name.value {
            cx.error(old.span, format!("the {noun} `{}` is its own old name", name.value)).help("leave `was` out");
        } else if let Some((other, others)) = in_aws.insert(old, (name, was)) {
            let (message, place) = match others {
                Some(before) => (format!("two {noun}s cannot both go on as `{}`", old.value), before.span),
                None => (format!("`{}` is another {noun}, and has that name in AWS", old.value), other.span),
            };
            cx.push(
                Diagnostic::error(old.span, message)
                    .related(place, "the other one")
                    .help("`was` names what is no longer there: give the other one another name, or say what it was"),
            );
        }
    }
}

/// A bucket belongs to one zone in one environment.
fn adopted(blueprint: &Blueprint, cx: &mut Check<'_>) {
    let mut seen: HashMap<&str, Span> = HashMap::new();
    for (_, zone) in &blueprint.zones.0 {
        for (bucket, span) in zone.iter().flat_map(|zone| zone.adopted_names()) {
            if let Some(first) = seen.insert(bucket, span) {
                cx.push(
                    Diagnostic::error(span, format!("the bucket `{bucket}` is adopted twice"))
                        .related(first, "the first time"),
                );
            }
        }
    }
}
