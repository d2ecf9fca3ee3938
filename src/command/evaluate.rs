//! `lakegen evaluate`

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::Context;
use super::deployed::Place;
use super::local::{failed, prepare, runtime};
use crate::cli::Evaluate;
use crate::diagnostic::did_you_mean;
use crate::evaluation::{self, Evaluated};
use crate::failure::{Exit, Failure};
use crate::lake::{Evaluation, Lake, Learning, Model};
use crate::local::evaluate::{request, tables};
use crate::local::files;
use crate::local::interrupt::Interrupt;
use crate::local::layout::Layout;
use crate::local::ledger::Ledger;
use crate::local::outcome::{Event, Reporter};
use crate::local::plan;
use crate::local::process::Groups;
use crate::local::worker::{Settings, Worker, WorkerError};
use crate::report::Report;
use crate::text::counted;

pub fn run(args: &Evaluate, context: &Context<'_>) -> Result<(), Failure> {
    let lake = context.lake()?;
    let chosen = chosen(&args.models, &lake)?;
    let (evaluated, folder) = match Place::of(&args.env, &lake)? {
        Place::Local => {
            let evaluated = runtime()?.block_on(locally(&lake, &chosen, &Report::new(context.console)))?;
            (evaluated, Layout::new(&lake.root).base().join("evaluations"))
        }
        Place::Cloud(environment) => {
            let message = format!("models of `{}` cannot be evaluated from here yet", environment.name);
            let help = "`lakegen evaluate --env local` scores the same model on the same tables, made here".to_owned();
            return Err(Failure::usage(message, Some(help)));
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
        context.console.json(&json!({ "lake": lake.name, "environment": args.env, "models": evaluated }))?;
    } else {
        let tables: Vec<String> = evaluated.iter().map(evaluation::text).collect();
        context.console.result(&tables.join("\n"))?;
    }
    verdict(&evaluated)
}

/// Models to be scored, with what the blueprint says of it.
type Chosen<'a> = Vec<(&'a Model, &'a Learning, &'a Evaluation)>;

fn chosen<'a>(names: &[String], lake: &'a Lake) -> Result<Chosen<'a>, Failure> {
    let asked = |model: &'a Model| {
        let learning = model.learning.as_ref()?;
        Some((model, learning, learning.evaluation.as_ref()?))
    };
    if names.is_empty() {
        let all: Chosen<'a> = lake.models.values().filter_map(asked).collect();
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

async fn locally(lake: &Lake, chosen: &Chosen<'_>, report: &Report) -> Result<Vec<Evaluated>, Failure> {
    let layout = Layout::new(&lake.root);
    let ledger = Ledger::read(&layout.ledger()).map_err(|error| Failure::edge(error, None))?.unwrap_or_default();
    let mut ready = Vec::new();
    for (model, learning, evaluation) in chosen {
        let (artifact, released) = artifact(&layout, &ledger, model)?;
        let empty = tables(model, evaluation).into_iter().find(|id| !plan::place(lake, &layout, *id).is_dir());
        if let Some(id) = empty {
            let message = format!("there is no table `{}` yet", lake.tables[id].name);
            return Err(Failure::edge(message, "`lakegen run --env local` makes it".to_owned()));
        }
        let source = |table: &_, id| plan::table_source(table, &plan::place(lake, &layout, id));
        let request = request(lake, model, learning, evaluation, &artifact, &source);
        ready.push((model.name.clone(), released, lake.tables[evaluation.test].name.clone(), request));
    }
    let mut interrupt = Interrupt::listen()?;
    let groups = Groups::default();
    let work = async {
        let environment = prepare(report, &groups).await?;
        let scratch = tempfile::tempdir()?;
        let mut out = Vec::new();
        for (model, released, test, request) in ready {
            let log = scratch.path().join(format!("{model}.log"));
            let settings = Settings {
                environment: environment.clone(),
                scratch: scratch.path().to_owned(),
                log: log.clone(),
                variables: Vec::new(),
            };
            // A worker for each model: two `inference.py` would get in each other's way.
            let mut worker = Worker::start(&groups, &settings).map_err(|error| explained(error, &model))?;
            let step = format!("evaluate {model}");
            report.event(Event::Started { step: step.clone() });
            let progress =
                |message: &str| report.event(Event::Progress { step: step.clone(), message: message.to_owned() });
            let found = worker.call("evaluate", &log, request, &progress).await;
            let found = found.map_err(|error| explained(error, &model))?;
            worker.stop().await;
            let found = serde_json::from_value(found).map_err(|error| Failure::edge(error, None))?;
            out.push(Evaluated { model, released, test, found });
        }
        report.clear();
        Ok(out)
    };
    tokio::select! {
        done = work => done,
        () = interrupt.received() => Err(Failure {
            exit: Exit::Interrupted,
            error: Some("interrupted; nothing was written".into()),
            help: None,
        }),
    }
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
