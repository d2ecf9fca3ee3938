//! `lakegen gc`

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::Context;
use super::cloud::Cloud;
use super::deployed::failure;
use super::local::runtime;
use crate::cli::Gc;
use crate::deploy::bucket;
use crate::failure::Failure;
use crate::operate::gc::{self, Unused};
use crate::report::deploy::DeployReport;
use crate::text::{counted, moment, size};

const DAY: Duration = Duration::from_secs(86_400);

/// What was found, and whether it is gone.
#[derive(Debug, Serialize)]
struct Collected {
    bucket: String,
    unused: Vec<Unused>,
    removed: bool,
}

pub fn run(args: &Gc, context: &Context<'_>) -> Result<(), Failure> {
    let cloud = Cloud::open(&args.env, context)?;
    let report = DeployReport::new(context.console);
    let collected = runtime()?.block_on(async {
        let session = cloud.session(&report).await?;
        let bucket = bucket::name(&cloud.assembly, &session);
        let unused = gc::unused(&session, &bucket, before(args.older_than)).await.map_err(failure)?;
        if args.remove {
            gc::remove(&session, &bucket, &unused).await.map_err(failure)?;
        }
        Ok::<_, Failure>(Collected { bucket, unused, removed: args.remove })
    })?;
    if context.console.json {
        return Ok(context.console.json(&collected)?);
    }
    Ok(context.console.result(&describe(&collected))?)
}

/// Seconds since 1970, so many days ago.
#[expect(clippy::disallowed_methods, reason = "an asset's age is reckoned from now")]
fn before(days: u32) -> i64 {
    let moment = SystemTime::now().checked_sub(DAY * days).and_then(|then| then.duration_since(UNIX_EPOCH).ok());
    i64::try_from(moment.unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}

fn describe(collected: &Collected) -> String {
    let Collected { bucket, unused, removed } = collected;
    let mut lines: Vec<String> = unused
        .iter()
        .map(|Unused { key, bytes, uploaded }| format!("{}  {:>9}  {key}", moment(*uploaded), size(*bytes)))
        .collect();
    let bytes = size(unused.iter().map(|object| object.bytes).sum());
    let objects = counted(unused.len(), "object");
    lines.push(match (unused.is_empty(), removed) {
        (true, _) => format!("every asset in {bucket} is used, or too young to tell"),
        (false, true) => format!("removed {objects} from {bucket}, {bytes}"),
        (false, false) => format!("{objects} in {bucket} that no stack uses, {bytes}: `--remove` deletes them"),
    });
    lines.join("\n")
}
