//! `lakegen profile`

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Context;
use super::local::{failed, prepare, runtime};
use crate::cli::Profile as Args;
use crate::diagnostic::did_you_mean;
use crate::failure::Failure;
use crate::lake::{Lake, Profile};
use crate::local::layout::Layout;
use crate::local::plan;
use crate::local::process::Groups;
use crate::local::worker::{Settings, Worker, WorkerError};
use crate::report::Report;
use crate::text::{counted, printable};

/// What was found out about a table, in the order in which the engine says it.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    table: String,
    rows_count: usize,
    columns_count: usize,
    duplicate_rows_count: usize,
    columns: Value,
    rules: Vec<Verdict>,
}

#[derive(Deserialize, Serialize)]
struct Verdict {
    name: String,
    check: String,
    passed: bool,
    observed: Value,
}

pub fn run(args: &Args, context: &Context<'_>) -> Result<(), Failure> {
    let lake = context.lake()?;
    let named: Vec<&Profile> = match args.profiles.as_slice() {
        [] => lake.profiles.values().collect(),
        names => names.iter().map(|name| profile(&lake, name)).collect::<Result<_, _>>()?,
    };
    if named.is_empty() {
        return Err(Failure::usage("the blueprint has no profiles", Some("`profiles` declares them".to_owned())));
    }
    let layout = Layout::new(&lake.root);
    let report = Report::new(context.console);
    let made = runtime()?.block_on(make(&lake, &layout, &named, &report))?;
    for (profile, found) in named.iter().zip(&made) {
        let file = layout.profile(&profile.name);
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let text = serde_json::to_string_pretty(found).map_err(|error| Failure::edge(error, None))?;
        std::fs::write(&file, text + "\n")?;
        if !context.console.json {
            context.console.result(&summary(&profile.name, found))?;
            context.console.note(&format!("the whole profile: {}", file.display()));
        }
    }
    if context.console.json { Ok(context.console.json(&made)?) } else { Ok(()) }
}

fn profile<'a>(lake: &'a Lake, name: &str) -> Result<&'a Profile, Failure> {
    let names = || lake.profiles.values().map(|profile| profile.name.as_str());
    lake.profiles.values().find(|profile| profile.name == name).ok_or_else(|| {
        let help = did_you_mean(name, names())
            .unwrap_or_else(|| format!("the profiles are {}", names().collect::<Vec<_>>().join(", ")));
        Failure::usage(format!("no profile named `{name}`"), Some(help))
    })
}

/// The profiles, made one after another by one worker.
async fn make(lake: &Lake, layout: &Layout, profiles: &[&Profile], report: &Report) -> Result<Vec<Found>, Failure> {
    let request = |profile: &&Profile| {
        plan::profile_request(lake, layout, profile).ok_or_else(|| {
            let table = &lake.tables[profile.reads].name;
            let help = "`lakegen run --env local` fills it".to_owned();
            Failure::edge(format!("the table `{table}` is empty as yet"), Some(help))
        })
    };
    let requests = profiles.iter().map(request).collect::<Result<Vec<_>, _>>()?;
    let groups = Groups::default();
    let environment = prepare(report, &groups).await?;
    let scratch = tempfile::tempdir()?;
    let log = scratch.path().join("profile.log");
    let settings =
        Settings { environment, scratch: scratch.path().to_owned(), log: log.clone(), variables: Vec::new() };
    let explain = |error: WorkerError| {
        let help = error.help();
        failed(error, help)
    };
    let mut worker = Worker::start(&groups, &settings).map_err(explain)?;
    let mut made = Vec::new();
    for request in requests {
        let found = worker.call(request.op, &log, request.parameters, &|_| {}).await.map_err(explain)?;
        made.push(serde_json::from_value(found).map_err(|error| Failure::edge(error, None))?);
    }
    worker.stop().await;
    Ok(made)
}

/// The table in a line, and each rule in another.
fn summary(name: &str, found: &Found) -> String {
    let Found { table, rows_count, columns_count, duplicate_rows_count, columns: _, rules } = found;
    let (rows, columns) = (counted(*rows_count, "row"), counted(*columns_count, "column"));
    let mut text =
        format!("{name}: {table} has {rows}, {columns}, {}\n", counted(*duplicate_rows_count, "duplicate row"));
    for Verdict { name, check: _, passed, observed } in rules {
        let word = if *passed { "kept  " } else { "broken" };
        text += &format!("  {word} {}: {}\n", printable(name, &[]), printable(&observed.to_string(), &[]));
    }
    text
}
