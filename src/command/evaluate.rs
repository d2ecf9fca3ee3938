//! `lakegen evaluate`

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::Context;
use super::deployed::{self, Place};
use super::local::{failed, prepare, runtime};
use crate::cli::Evaluate;
use crate::diagnostic::did_you_mean;
use crate::evaluation::{self, Evaluated};
use crate::failure::{Exit, Failure};
use crate::lake::{Environment, Evaluation, Home, Id, Lake, Learning, Model, Table};
use crate::local::evaluate::{request, tables};
use crate::local::files;
use crate::local::interrupt::Interrupt;
use crate::local::layout::Layout;
use crate::local::ledger::Ledger;
use crate::local::outcome::{Event, Reporter};
use crate::local::plan;
use crate::local::process::Groups;
use crate::local::worker::{Settings, Worker, WorkerError};
use crate::lower::Names;
use crate::operate::download;
use crate::report::Report;
use crate::text::counted;

pub fn run(args: &Evaluate, context: &Context<'_>) -> Result<(), Failure> {
    let lake = context.lake()?;
    let report = Report::new(context.console);
    let (evaluated, folder) = match Place::of(&args.env, &lake)? {
        Place::Local => {
            let layout = Layout::new(&lake.root);
            let here = locally(&lake, chosen(&args.models, &lake)?, &layout)?;
            (runtime()?.block_on(scored(&lake, here, &report))?, layout.base().join("evaluations"))
        }
        Place::Cloud(lake, environment) => {
            let copies = tempfile::tempdir()?;
            let chosen = chosen(&args.models, lake)?;
            let evaluated = runtime()?.block_on(async {
                let there = fetched(lake, environment, chosen, copies.path(), &report).await?;
                scored(lake, there, &report).await
            })?;
            (evaluated, lake.root.join(".lakegen").join(&environment.name).join("evaluations"))
        }
    };
    for one in &evaluated {
        keep(&folder, one)?;
    }
    if let Some(path) = &args.report {
        let page = evaluation::report(&lake.name, &args.env, &evaluated).map_err(|error| Failure::edge(error, None))?;
        fs::write(path, page).map_err(|error| {
            let message = format!("could not write `{}`: {error}", path.display());
            Failure::edge(message, "check the folder and its permissions".to_owned())
        })?;
        context.console.note(&format!("the report is in {}", path.display()));
    }
    if context.console.json {
        let objections: BTreeMap<&str, Vec<String>> =
            evaluated.iter().map(|one| (one.model.as_str(), one.objections())).collect();
        context.console.json(&json!({
            "lake": lake.name,
            "environment": args.env,
            "models": evaluated,
            "objections": objections,
        }))?;
    } else {
        let tables: Vec<String> = evaluated.iter().map(evaluation::text).collect();
        context.console.result(&tables.join("\n"))?;
    }
    verdict(&evaluated)
}

/// A model to be scored, with what the blueprint says of it.
#[derive(Clone, Copy)]
struct Chosen<'a> {
    model: &'a Model,
    learning: &'a Learning,
    evaluation: &'a Evaluation,
}

/// A model and its tables, on this machine.
struct Ready<'a> {
    chosen: Chosen<'a>,
    artifact: PathBuf,
    released: bool,
    /// The folder of each table.
    tables: BTreeMap<Id<Table>, PathBuf>,
}

fn chosen<'a>(names: &[String], lake: &'a Lake) -> Result<Vec<Chosen<'a>>, Failure> {
    let asked = |model: &'a Model| {
        let learning = model.learning.as_ref()?;
        Some(Chosen { model, learning, evaluation: learning.evaluation.as_ref()? })
    };
    if names.is_empty() {
        let all: Vec<Chosen<'a>> = lake.models.values().filter_map(asked).collect();
        if all.is_empty() {
            let help = "say how in the blueprint: `evaluate: { test: …, group: […], item: …, targets: { table: … }, metrics: […] }`";
            return Err(Failure::usage("no model says how it is evaluated", Some(help.to_owned())));
        }
        return Ok(all);
    }
    let known = || lake.models.values().map(|model| model.name.as_str());
    let find = |name: &String| {
        let Some(model) = lake.models.values().find(|model| model.name == *name) else {
            return Err(Failure::usage(format!("no model named `{name}`"), did_you_mean(name, known())));
        };
        asked(model).ok_or_else(|| {
            let help = "add the key `evaluate` to it".to_owned();
            Failure::usage(format!("the model `{name}` does not say how it is evaluated"), Some(help))
        })
    };
    names.iter().map(find).collect()
}

/// What a local run has left.
fn locally<'a>(lake: &Lake, chosen: Vec<Chosen<'a>>, layout: &Layout) -> Result<Vec<Ready<'a>>, Failure> {
    let ledger = Ledger::read(&layout.ledger()).map_err(|error| Failure::edge(error, None))?.unwrap_or_default();
    let ready = |chosen: Chosen<'a>| {
        let (artifact, released) = artifact(layout, &ledger, chosen.model)?;
        let ids = tables(chosen.model, chosen.evaluation);
        let tables: BTreeMap<_, _> = ids.into_iter().map(|id| (id, plan::place(lake, layout, id))).collect();
        if let Some((id, _)) = tables.iter().find(|(_, folder)| !folder.is_dir()) {
            let message = format!("there is no table `{}` yet", lake.tables[*id].name);
            return Err(Failure::edge(message, "`lakegen run --env local` makes it".to_owned()));
        }
        Ok(Ready { chosen, artifact, released, tables })
    };
    chosen.into_iter().map(ready).collect()
}

/// Copies of the live models and of the tables in AWS, below `copies`.
async fn fetched<'a>(
    lake: &Lake,
    environment: &Environment,
    chosen: Vec<Chosen<'a>>,
    copies: &Path,
    report: &Report,
) -> Result<Vec<Ready<'a>>, Failure> {
    let mut interrupt = Interrupt::listen()?;
    let work = async {
        let (session, deployed) = deployed::find(lake, environment).await?;
        let names = Names::new(&lake.name, &environment.name);
        let mut ready = Vec::new();
        for one in chosen {
            let name = &one.model.name;
            let data = deployed.live_model(&names.endpoint(&one.model.in_aws)).and_then(download::parts);
            let Some((bucket, key)) = data else {
                let message = format!("no model `{name}` is live in `{}`", environment.name);
                let help = format!("`lakegen status --env {}` says what became of the last training", environment.name);
                return Err(Failure::edge(message, help));
            };
            report.event(Event::Note(format!("downloading `{name}` and its test tables")));
            let artifact = copies.join(name).join("model.tar.gz");
            download::object(&session, bucket, key, &artifact).await.map_err(deployed::failure)?;
            let mut folders = BTreeMap::new();
            for id in tables(one.model, one.evaluation) {
                let table = &lake.tables[id];
                let Home::Zone { zone, .. } = &table.home else { continue };
                let output = Names::zone_output(&lake.zones[*zone]);
                let bucket = deployed.require(&output, "bucket of a zone that an evaluation reads");
                let bucket = bucket.map_err(deployed::failure)?;
                let folder = copies.join("tables").join(&table.name);
                if !folder.exists() {
                    let prefix = format!("{}/", table.in_aws);
                    let bytes = download::table(&session, bucket, &prefix, &folder).await;
                    if bytes.map_err(deployed::failure)? == 0 {
                        let message = format!("the table `{}` is empty in `{}`", table.name, environment.name);
                        let help = format!("`lakegen run --env {}` fills it", environment.name);
                        return Err(Failure::edge(message, help));
                    }
                }
                folders.insert(id, folder);
            }
            ready.push(Ready { chosen: one, artifact, released: true, tables: folders });
        }
        Ok(ready)
    };
    tokio::select! {
        done = work => done,
        () = interrupt.received() => Err(interrupted()),
    }
}

/// Lets each model rank its test.
async fn scored(lake: &Lake, ready: Vec<Ready<'_>>, report: &Report) -> Result<Vec<Evaluated>, Failure> {
    let mut interrupt = Interrupt::listen()?;
    let groups = Groups::default();
    let work = async {
        let environment = prepare(report, &groups).await?;
        let scratch = tempfile::tempdir()?;
        let mut out = Vec::new();
        for Ready { chosen: Chosen { model, learning, evaluation }, artifact, released, tables } in ready {
            let name = &model.name;
            let source = |table: &_, id| plan::table_source(table, tables.get(&id)?);
            let request = request(lake, model, learning, evaluation, &artifact, &source);
            let log = scratch.path().join(format!("{name}.log"));
            let settings = Settings {
                environment: environment.clone(),
                scratch: scratch.path().to_owned(),
                log: log.clone(),
                variables: Vec::new(),
            };
            // A worker for each model: two `inference.py` would get in each other's way.
            let mut worker = Worker::start(&groups, &settings).map_err(|error| explained(error, name))?;
            let step = format!("evaluate {name}");
            report.event(Event::Started { step: step.clone() });
            let progress =
                |message: &str| report.event(Event::Progress { step: step.clone(), message: message.to_owned() });
            let found = worker.call("evaluate", &log, request, &progress).await;
            let found = found.map_err(|error| explained(error, name))?;
            worker.stop().await;
            let found = serde_json::from_value(found).map_err(|error| Failure::edge(error, None))?;
            let test = lake.tables[evaluation.test].name.clone();
            out.push(Evaluated { model: name.clone(), released, test, found });
        }
        report.clear();
        Ok(out)
    };
    tokio::select! {
        done = work => done,
        () = interrupt.received() => Err(interrupted()),
    }
}

fn interrupted() -> Failure {
    Failure { exit: Exit::Interrupted, error: Some("interrupted; nothing was written".into()), help: None }
}

/// The model that answers, or else the one that was trained last.
fn artifact(layout: &Layout, ledger: &Ledger, model: &Model) -> Result<(PathBuf, bool), Failure> {
    let trained = ledger.steps.get(&format!("model/{}", model.name)).and_then(|record| record.training.as_ref());
    let released = ledger.releases.get(&model.name).map(|release| &release.training);
    let Some(training) = released.or(trained) else {
        let message = format!("the model `{}` has never been trained", model.name);
        return Err(Failure::edge(message, "`lakegen run --env local` trains it".to_owned()));
    };
    Ok((layout.base().join(&training.artifact), released.is_some()))
}

fn explained(error: WorkerError, model: &str) -> Failure {
    let help = error.help();
    match error {
        WorkerError::Failed(failure) => {
            let place = failure.file.zip(failure.line).map(|(file, line)| format!(" ({file}:{line})"));
            let message = format!("`{model}` cannot be evaluated: {}{}", failure.message, place.unwrap_or_default());
            Failure { exit: Exit::Edge, error: Some(message.into()), help }
        }
        other => failed(other, help),
    }
}

/// Keeps an evaluation as JSON.
fn keep(folder: &Path, evaluated: &Evaluated) -> Result<(), Failure> {
    let mut text = serde_json::to_vec_pretty(evaluated).map_err(|error| Failure::edge(error, None))?;
    text.push(b'\n');
    let path = folder.join(format!("{}.json", evaluated.model));
    files::write_atomically(&path, &text).map_err(|error| Failure::edge(error, None))
}

/// A model that something speaks against is refused.
fn verdict(evaluated: &[Evaluated]) -> Result<(), Failure> {
    let refused: Vec<(&str, Vec<String>)> =
        evaluated.iter().map(|one| (one.model.as_str(), one.objections())).filter(|(_, why)| !why.is_empty()).collect();
    if refused.is_empty() {
        return Ok(());
    }
    let lines = refused.iter().map(|(model, why)| format!("`{model}`: {}", why.join("; ")));
    let message = format!("{} refused: {}", counted(refused.len(), "model"), lines.collect::<Vec<_>>().join(". "));
    Err(Failure { exit: Exit::Step, error: Some(message.into()), help: None })
}
