//! `lakegen run --env local`: lands the raw data, then brings every step up to date.
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::Deserialize;
use serde_json::Value;

use super::crawl::{self, Crawled};
use super::engines::{self, EngineError, Engines, Peak, Traces};
use super::examples;
use super::files::{self, Doing, FileError, Fingerprint, Swap};
use super::gate;
use super::interrupt::Interrupt;
use super::items;
use super::land::{self, LandError};
use super::layout::{Layout, LockError};
use super::ledger::{DataOnRecord, ExamplesOnRecord, Ledger, Loaded, Release, StepRecord, TableRecord, Training};
use super::memory::Meter;
use super::outcome::{Event, ExampleAnswer, ModelReport, Outcome, Reporter, StepFailure, StepReport, StepState};
use super::plan::{self, Step};
use super::process::Groups;
use super::python::{self, PythonError};
use super::schedule::{self, Lane, State, Task};
use super::serve::key_value_table;
use super::worker::WorkerError;
use crate::lake::{Id, Lake, Sample, StepId, Table};
use crate::sample;
use crate::text::counted;

/// How long the processes of an interrupted run have to end by themselves.
const GRACE: Duration = Duration::from_secs(3);

/// What a run is asked to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// The folder that the files of the raw tables lie in.
    pub data: Option<PathBuf>,
    /// Generate so many customers instead.
    pub users: Option<u32>,
    /// The steps to bring up to date, with all that comes after them; every step when empty.
    pub steps: Vec<StepId>,
    /// Run steps that are up to date as well.
    pub force: bool,
}

/// A run could not go on. What was finished is kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another run is at it.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The raw data cannot be taken.
    #[error(transparent)]
    Land(#[from] LandError),
    /// There is no Python environment.
    #[error(transparent)]
    Python(#[from] PythonError),
    /// The sample could not be generated.
    #[error(transparent)]
    Sample(#[from] sample::Error),
    /// The disk said no.
    #[error(transparent)]
    File(#[from] FileError),
    /// Nobody said where the data is.
    #[error("there is no data for the raw tables")]
    NoData,
    /// `--users` without a generator.
    #[error("`--users` makes customers of the Instacart shop, and this blueprint does not ask for them")]
    NotInstacart,
    /// The operating system refused something else.
    #[error("could not {0}")]
    System(&'static str, #[source] std::io::Error),
    /// The user wanted no more.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// What the user can do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Lock(LockError::Busy { .. }) => Some("wait until it is done, or end it".to_owned()),
            Self::Lock(LockError::File(error)) | Self::File(error) => error.help(),
            Self::Land(error) => error.help(),
            Self::Python(error) => error.help(),
            Self::NoData => Some("pass `--data DIR`, or declare `sample: { files: DIR }` in the blueprint".to_owned()),
            Self::NotInstacart => {
                Some("declare `sample: { instacart: { users: 2000 } }`, or pass `--data DIR`".to_owned())
            }
            Self::Interrupted => Some("finished steps are kept: run again to go on from here".to_owned()),
            Self::Sample(_) | Self::System(..) => None,
        }
    }
}

/// Brings the local environment of `lake` up to date. A step that fails, or a model that is refused, is part of the outcome; the
/// steps that do not need it are run all the same. On Ctrl-C every process is ended and no half-written table is left.
///
/// # Errors
/// When the run cannot begin or go on: no data, no Python, no disk space, another run, an interruption.
pub async fn run(lake: &Lake, options: &RunOptions, reporter: &dyn Reporter) -> Result<Outcome, Error> {
    let started = Instant::now();
    let layout = Layout::new(&lake.root);
    let _lock = layout.lock()?;
    let mut interrupt = Interrupt::listen().map_err(|error| Error::System("catch Ctrl-C", error))?;
    files::empty_dir(&layout.staging())?;
    let Loaded { ledger, set_aside } = Ledger::load(&layout.ledger())?;
    if let Some((aside, problem)) = set_aside {
        let aside = aside.display();
        reporter.event(Event::Note(format!(
            "the ledger could not be read and is now `{aside}`, every step runs again: {problem}"
        )));
    }

    let steps = plan::steps(lake);
    let (groups, stop) = (Groups::default(), Arc::new(AtomicBool::new(false)));
    let mut run = Run::new(lake, options, reporter, &layout, &steps, groups.clone(), stop.clone(), ledger);
    let meter = run.meter.clone();
    let result = {
        let mut work = pin!(run.work());
        tokio::select! {
            result = &mut work => result,
            never = meter.run() => match never {},
            () = interrupt.received() => {
                stop.store(true, Ordering::Relaxed);
                tokio::select! {
                    _ = &mut work => {}
                    () = groups.terminate(GRACE) => {}
                }
                Err(Error::Interrupted)
            }
        }
    };
    clear(&layout.staging()).await;
    result?;
    Ok(run.outcome(started.elapsed().as_secs_f64()))
}

/// Empties the staging folder. Processes that were just killed may still be putting files into it.
async fn clear(staging: &Path) {
    for _ in 0..20 {
        if files::remove(staging).is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

struct Run<'a> {
    lake: &'a Lake,
    options: &'a RunOptions,
    reporter: &'a dyn Reporter,
    layout: &'a Layout,
    steps: &'a [Step],
    groups: Groups,
    meter: Meter,
    stop: Arc<AtomicBool>,
    engine: Fingerprint,
    ledger: Ledger,
    states: Vec<State>,
    /// What tables hold now, as far as somebody has looked.
    tables: HashMap<Id<Table>, Option<TableRecord>>,
    fingerprints: HashMap<usize, Fingerprint>,
    reports: BTreeMap<usize, StepReport>,
    models: BTreeMap<usize, ModelReport>,
    examples: Vec<ExampleAnswer>,
}

/// What one of the futures of a run has come to.
enum Ended {
    Step { i: usize, spent: Spent, result: Result<Value, StepError> },
    Other,
}

/// What a step took.
#[derive(Debug, Clone, Copy, Default)]
struct Spent {
    seconds: f64,
    peak_memory: Option<u64>,
}

#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Items(#[from] items::ItemsError),
    #[error("it did not write table `{0}`")]
    NotWritten(String),
    #[error("table `{table}` breaks {}: {}", counted(broken.len(), "rule"), broken.join("; "))]
    Checks { table: String, broken: Vec<String> },
    #[error("its engine answered with something else than a result: {0}")]
    Garbled(#[from] serde_json::Error),
}

#[derive(Deserialize)]
struct Trained {
    metrics: BTreeMap<String, Option<f64>>,
    artifact: PathBuf,
    evaluation: Option<Value>,
}

impl<'a> Run<'a> {
    #[expect(clippy::too_many_arguments, reason = "called once, and each is a different thing")]
    fn new(
        lake: &'a Lake,
        options: &'a RunOptions,
        reporter: &'a dyn Reporter,
        layout: &'a Layout,
        steps: &'a [Step],
        groups: Groups,
        stop: Arc<AtomicBool>,
        ledger: Ledger,
    ) -> Self {
        let done = |step: &Step| {
            let written = |id: &Id<Table>| plan::place(lake, layout, *id).exists();
            ledger.steps.contains_key(&step.key()) && step.writes.iter().all(written)
        };
        let wanted = plan::scope(steps, &options.steps, &done);
        let states = wanted.iter().map(|wanted| if *wanted { State::Waiting } else { State::Succeeded }).collect();
        Self {
            lake,
            options,
            reporter,
            layout,
            steps,
            groups,
            meter: Meter::default(),
            stop,
            engine: python::engine(),
            ledger,
            states,
            tables: HashMap::new(),
            fingerprints: HashMap::new(),
            reports: BTreeMap::new(),
            models: BTreeMap::new(),
            examples: Vec::new(),
        }
    }

    async fn work(&mut self) -> Result<(), Error> {
        self.land().await?;
        self.bring_up_to_date().await?;
        if self.states.iter().all(|state| *state == State::Succeeded) {
            self.ask().await?;
        }
        Ok(())
    }

    async fn bring_up_to_date(&mut self) -> Result<(), Error> {
        let bytes = self.ledger.tables.values().filter(|table| table.source.is_some()).map(|table| table.bytes).sum();
        let capacity = engines::capacity(bytes);
        let tasks = self.tasks();
        // Nothing is started, and Python not even looked for, while all steps turn out to be up to date.
        if self.decide(&tasks, &capacity)?.is_empty() {
            return Ok(());
        }
        let environment = self.python().await?;
        let logs = self.layout.new_run()?;
        let engines = Engines::start(self.lake, self.layout, &environment, (&self.groups, &self.meter), &logs, bytes)
            .await
            .map_err(|error| Error::System("serve key-value tables", error))?;

        let (lake, layout, reporter) = (self.lake, self.layout, self.reporter);
        let (engines, logs) = (&engines, logs.as_path());
        let mut running: FuturesUnordered<futures_util::future::LocalBoxFuture<'_, Ended>> = FuturesUnordered::new();
        let mut spark_is_up = self.awaits(Lane::Spark);
        if spark_is_up {
            running.push(Box::pin(async move {
                engines.warm().await;
                Ended::Other
            }));
        }
        loop {
            for i in self.decide(&tasks, &capacity)? {
                let Some(step) = self.steps.get(i) else { continue };
                self.set(i, State::Running);
                reporter.event(Event::Started { step: format!("{} {}", step.kind, step.name) });
                running.push(Box::pin(async move {
                    let (started, peak) = (Instant::now(), Peak::default());
                    let result = execute(engines, lake, layout, step, logs, reporter, &peak).await;
                    let spent = Spent { seconds: started.elapsed().as_secs_f64(), peak_memory: peak.bytes() };
                    Ended::Step { i, spent, result }
                }));
            }
            if spark_is_up && !self.awaits(Lane::Spark) {
                spark_is_up = false;
                running.push(Box::pin(async move {
                    engines.stop_spark().await;
                    Ended::Other
                }));
            }
            let Some(ended) = running.next().await else { return Ok(()) };
            if self.stop.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            if let Ended::Step { i, spent, result } = ended {
                self.settle(i, spent, result, logs)?;
            }
        }
    }

    async fn python(&self) -> Result<python::Environment, Error> {
        let tell = |setup| self.reporter.event(Event::Setup(setup));
        Ok(python::prepare(&python::cache_dir()?, &self.groups, &tell).await?)
    }

    /// Lets the lake's API answer a few requests, unless the answers on record would be the same.
    async fn ask(&mut self) -> Result<(), Error> {
        let requests = examples::requests(self.lake, self.layout)?;
        let fingerprint = examples::fingerprint(self.lake, self.layout, &self.ledger, &self.engine, &requests)?;
        match &self.ledger.examples {
            Some(known) if known.fingerprint == fingerprint => self.examples = known.answers.clone(),
            _ if requests.is_empty() => {}
            _ => {
                let environment = self.python().await?;
                match examples::ask(self.lake, self.layout, &environment, &self.groups, requests).await {
                    Ok(answers) => {
                        self.examples = answers.clone();
                        // An answer that says "not now" is not worth keeping.
                        if answers.iter().all(|answer| answer.status < 500) {
                            self.ledger.examples = Some(ExamplesOnRecord { fingerprint, answers });
                            self.ledger.save(&self.layout.ledger())?;
                        }
                    }
                    Err(error) => self.reporter.event(Event::Note(format!("the API could not be asked: {error}"))),
                }
            }
        }
        Ok(())
    }

    fn set(&mut self, i: usize, state: State) {
        if let Some(slot) = self.states.get_mut(i) {
            *slot = state;
        }
    }

    fn awaits(&self, lane: Lane) -> bool {
        let open = |state: &State| matches!(state, State::Waiting | State::Ready | State::Running);
        self.steps.iter().zip(&self.states).any(|(step, state)| step.lane == lane && open(state))
    }

    fn tasks(&self) -> Vec<Task> {
        let seconds = |step: &Step| {
            let usual = match step.lane {
                Lane::Sql => 1.0,
                Lane::Spark => 5.0,
                Lane::Training => 10.0,
            };
            self.ledger.steps.get(&step.key()).map_or(usual, |record| record.seconds)
        };
        self.steps
            .iter()
            .map(|step| Task { after: step.after.clone(), lane: step.lane, seconds: seconds(step) })
            .collect()
    }

    /// Settles every step that needs no work, and gives the ones to start now.
    fn decide(&mut self, tasks: &[Task], capacity: &schedule::Capacity) -> Result<Vec<usize>, Error> {
        loop {
            let decision = schedule::decide(tasks, &self.states, capacity);
            if decision.examine.is_empty() && decision.give_up.is_empty() {
                return Ok(decision.start);
            }
            for i in decision.examine {
                let state = if self.is_up_to_date(i)? { State::Succeeded } else { State::Ready };
                self.set(i, state);
            }
            for (i, culprit) in decision.give_up {
                self.set(i, State::NotRun);
                let because = self.steps.get(culprit).map(|step| format!("{} {}", step.kind, step.name));
                self.report(
                    i,
                    StepState::NotRun(because.unwrap_or_default()),
                    BTreeMap::new(),
                    Spent::default(),
                    Vec::new(),
                );
            }
        }
    }

    /// Tells so too, if it is.
    fn is_up_to_date(&mut self, i: usize) -> Result<bool, Error> {
        let Some(step) = self.steps.get(i) else { return Ok(true) };
        for id in step.reads.iter().chain(&step.writes) {
            self.look(*id)?;
        }
        let contents = |id: Id<Table>| Some(self.tables.get(&id)?.as_ref()?.contents.clone());
        let fingerprint = plan::fingerprint(self.lake, step, &self.engine, &contents)?;
        let record = self.ledger.steps.get(&step.key()).filter(|record| record.fingerprint == fingerprint);
        self.fingerprints.insert(i, fingerprint);
        let Some(record) = record.filter(|_| !self.options.force).cloned() else { return Ok(false) };
        let intact = step.writes.iter().all(|id| {
            let now = contents(*id);
            now.is_some() && now.as_ref() == record.outputs.get(&self.lake.tables[*id].name)
        });
        let exported = self.lake.step_export(step.id).is_none_or(|export| {
            let place = plan::export_place(self.lake, self.layout, export);
            exported(&place).is_ok_and(|now| record.outputs.get(&export.folder) == Some(&now))
        });
        let trained = |training: &Training| {
            let artifact = self.layout.base().join(&training.artifact);
            artifact.is_file() && files::code_contents(&artifact).is_ok_and(|contents| contents == training.contents)
        };
        if !intact || !exported || !record.training.as_ref().is_none_or(trained) {
            return Ok(false);
        }
        let StepRecord { rows, seconds, peak_memory, notes, training, .. } = record;
        let state = match training {
            Some(training) => self.judge(i, training)?,
            None => StepState::Done,
        };
        let state = if state == StepState::Done { StepState::Unchanged } else { state };
        self.report(i, state, rows, Spent { seconds, peak_memory }, notes);
        Ok(true)
    }

    /// Finds out what a table holds, once.
    fn look(&mut self, id: Id<Table>) -> Result<(), Error> {
        if !self.tables.contains_key(&id) {
            let name = &self.lake.tables[id].name;
            let found = self.ledger.contents(name, &plan::place(self.lake, self.layout, id))?;
            if let Some(found) = &found {
                self.ledger.tables.insert(name.clone(), found.clone());
            }
            self.tables.insert(id, found);
        }
        Ok(())
    }

    fn report(&mut self, i: usize, state: StepState, rows: BTreeMap<String, u64>, spent: Spent, notes: Vec<String>) {
        let Some(step) = self.steps.get(i) else { return };
        let Spent { seconds, peak_memory } = spent;
        let (kind, name) = (step.kind, step.name.clone());
        let report = StepReport { kind, name, state, rows, seconds, peak_memory, notes };
        self.reporter.event(Event::Finished(report.clone()));
        self.reports.insert(i, report);
    }

    /// Puts what a step has made into place and on record, or tells why there is nothing.
    fn settle(&mut self, i: usize, spent: Spent, result: Result<Value, StepError>, logs: &Path) -> Result<(), Error> {
        let Some(step) = self.steps.get(i) else { return Ok(()) };
        match result.and_then(|value| self.accept(i, step, spent, value)) {
            Ok(record) => {
                self.set(i, State::Succeeded);
                let StepRecord { rows, notes, training, .. } = record;
                let state = match training {
                    Some(training) => self.judge(i, training)?,
                    None => StepState::Done,
                };
                self.report(i, state, rows, spent, notes);
            }
            Err(error) => {
                self.set(i, State::Failed);
                let log = logs.join(format!("{}.log", step.slug()));
                let failure = failure(&error, &self.lake.root, Some(log).filter(|log| log.exists()));
                self.report(i, StepState::Failed(Box::new(failure)), BTreeMap::new(), spent, Vec::new());
            }
        }
        files::remove(&self.layout.staging().join(step.slug()))?;
        Ok(())
    }

    fn accept(&mut self, i: usize, step: &Step, spent: Spent, value: Value) -> Result<StepRecord, StepError> {
        let (lake, staging) = (self.lake, self.layout.staging().join(step.slug()));
        let fingerprint = self.fingerprints.get(&i).cloned().unwrap_or_else(|| Fingerprint::of(b""));
        let mut record = StepRecord {
            outputs: BTreeMap::new(),
            rows: BTreeMap::new(),
            seconds: spent.seconds,
            peak_memory: spent.peak_memory,
            notes: Vec::new(),
            training: None,
            fingerprint,
        };
        let (mut written, mut swaps) = (Vec::new(), Vec::new());
        for id in &step.writes {
            let (table, staged) = (&lake.tables[*id], staging.join(&lake.tables[*id].name));
            let key = key_value_table(lake, self.layout, table).map(|table| table.key);
            let is_key_value = key.is_some();
            let rows = match key {
                Some(key) => Some(items::check(&staged, key, table)?),
                None => value.get("rows").and_then(|rows| rows.as_u64().or_else(|| rows.get(&table.name)?.as_u64())),
            };
            let found = Ledger::default().contents(&table.name, &staged)?;
            let found = found.filter(|_| rows != Some(0) || !is_key_value);
            let found = found.ok_or_else(|| StepError::NotWritten(table.name.clone()))?;
            record.rows.extend(rows.map(|rows| (table.name.clone(), rows)));
            record.outputs.insert(table.name.clone(), found.contents.clone());
            swaps.push(Swap { staged, place: plan::place(lake, self.layout, *id) });
            written.push((*id, TableRecord { rows, ..found }));
        }
        if let Some(export) = lake.step_export(step.id) {
            let staged = plan::staged_export(&staging);
            let found = exported(&staged)?;
            record.rows.extend(value.get("rows").and_then(Value::as_u64).map(|rows| (export.folder.clone(), rows)));
            record.outputs.insert(export.folder.clone(), found);
            swaps.push(Swap { staged, place: plan::export_place(lake, self.layout, export) });
        }
        let warnings = value.get("warnings").and_then(Value::as_array).into_iter().flatten();
        record.notes.extend(warnings.filter_map(Value::as_str).map(str::to_owned));
        match step.id {
            StepId::Crawler(_) => {
                let crawled: Crawled = serde_json::from_value(value)?;
                for (found, id) in crawled.tables.iter().zip(&step.reads) {
                    record.rows.insert(found.name.clone(), found.rows);
                    record.notes.extend(crawl::differences(&lake.tables[*id], found));
                }
            }
            StepId::Model(id) => {
                let trained: Trained = serde_json::from_value(value)?;
                let (staged, place) =
                    stage_training(&trained, &staging, &self.layout.model(&lake.models[id].name), &record)?;
                let contents = files::code_contents(&staged.join("model.tar.gz"))?;
                let below = place.strip_prefix(self.layout.base()).unwrap_or(&place).join("model.tar.gz");
                swaps.push(Swap { staged, place });
                let number = |(name, value): (String, Option<f64>)| Some((name, value?));
                record.training = Some(Training {
                    artifact: below,
                    contents,
                    metrics: trained.metrics.into_iter().filter_map(number).collect(),
                    evaluation: trained.evaluation,
                });
            }
            StepId::Query(_) | StepId::Recipe(_) | StepId::Job(_) => {}
        }
        files::swap(&swaps, &staging.join("attic"))?;
        for (id, found) in written {
            self.ledger.tables.insert(lake.tables[id].name.clone(), found.clone());
            self.tables.insert(id, Some(found));
        }
        self.ledger.steps.insert(step.key(), record.clone());
        self.ledger.save(&self.layout.ledger())?;
        Ok(record)
    }

    /// Holds a training against its model's gate, and releases the model if it passes.
    fn judge(&mut self, i: usize, training: Training) -> Result<StepState, Error> {
        let Some(StepId::Model(id)) = self.steps.get(i).map(|step| step.id) else { return Ok(StepState::Done) };
        let model = &self.lake.models[id];
        let verdict = gate::judge(&model.accept, &training.metrics);
        let passed = verdict.passed();
        let report = ModelReport {
            name: model.name.clone(),
            metrics: training.metrics.clone(),
            evaluation: training.evaluation.clone(),
            verdict,
            earlier_release: self.ledger.releases.contains_key(&model.name),
        };
        self.models.insert(i, report);
        let released = self.ledger.releases.get(&model.name).is_some_and(|release| release.training == training);
        if passed && !released {
            let fingerprint = self.fingerprints.get(&i).cloned().unwrap_or_else(|| Fingerprint::of(b""));
            self.ledger.releases.insert(model.name.clone(), Release { fingerprint, training });
            self.ledger.save(&self.layout.ledger())?;
        }
        Ok(if passed { StepState::Done } else { StepState::Refused })
    }

    fn outcome(self, seconds: f64) -> Outcome {
        Outcome {
            steps: self.reports.into_values().collect(),
            models: self.models.into_values().collect(),
            examples: self.examples,
            seconds,
            peak_memory: self.meter.peak(),
        }
    }
}

/// The files of a training that are kept, in a folder of their own, and where that folder belongs.
fn stage_training(
    trained: &Trained,
    staging: &Path,
    model: &Path,
    record: &StepRecord,
) -> Result<(PathBuf, PathBuf), StepError> {
    let staged = staging.join("release");
    files::empty_dir(&staged)?;
    let artifact = staged.join("model.tar.gz");
    fs::rename(&trained.artifact, &artifact).doing("put into place", &artifact)?;
    if let Some(evaluation) = &trained.evaluation {
        let text = serde_json::to_vec_pretty(evaluation)?;
        let path = staged.join("evaluation.json");
        fs::write(&path, text).doing("write", &path)?;
    }
    Ok((staged, model.join(record.fingerprint.short())))
}

/// The contents of an export: other than beside a table's files, there is no mark when it has no rows.
fn exported(dir: &Path) -> Result<Fingerprint, FileError> {
    files::table_contents(dir, &files::data_files(dir)?)
}

async fn execute(
    engines: &Engines,
    lake: &Lake,
    layout: &Layout,
    step: &Step,
    logs: &Path,
    reporter: &dyn Reporter,
    peak: &Peak,
) -> Result<Value, StepError> {
    let staging = layout.staging().join(step.slug());
    files::empty_dir(&staging)?;
    for id in &step.writes {
        let folder = staging.join(&lake.tables[*id].name);
        fs::create_dir_all(&folder).doing("create", &folder)?;
    }
    if lake.step_export(step.id).is_some() {
        let folder = plan::staged_export(&staging);
        fs::create_dir_all(&folder).doing("create", &folder)?;
    }
    let log = logs.join(format!("{}.log", step.slug()));
    let label = format!("{} {}", step.kind, step.name);
    let progress = |message: &str| reporter.event(Event::Progress { step: label.clone(), message: message.to_owned() });
    let request = plan::request(lake, layout, step, &staging);
    let traces = Traces { log: &log, progress: &progress, peak };
    let mut value = engines.execute(step.lane, request, &traces).await?;
    let mut warnings = Vec::new();
    for ruleset in lake.step_checks(step.id) {
        let request = plan::check_request(lake, layout, step, ruleset, &staging);
        let answer = engines.execute(Lane::Sql, request, &traces).await?;
        let Checked { verdicts } = serde_json::from_value(answer)?;
        let table = &lake.tables[ruleset.table].name;
        let broken: Vec<String> = verdicts.iter().filter(|verdict| !verdict.passed).map(Verdict::to_string).collect();
        if ruleset.fails && !broken.is_empty() {
            return Err(StepError::Checks { table: table.clone(), broken });
        }
        warnings.extend(broken.into_iter().map(|broken| format!("table `{table}` breaks a rule: {broken}")));
    }
    if let Some(value) = value.as_object_mut().filter(|_| !warnings.is_empty()) {
        value.insert("warnings".to_owned(), warnings.into());
    }
    Ok(value)
}

/// What the rows of a table were found to be.
#[derive(Deserialize)]
struct Checked {
    verdicts: Vec<Verdict>,
}

#[derive(Deserialize)]
struct Verdict {
    rule: String,
    passed: bool,
    observed: String,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`: {}", self.rule, self.observed)
    }
}

fn failure(error: &StepError, root: &Path, log: Option<PathBuf>) -> StepFailure {
    let mut message = error.to_string();
    if let Some(cause) = std::error::Error::source(error) {
        message = format!("{message}: {cause}");
    }
    let mut failure = StepFailure { message, file: None, line: None, code: None, help: None, log };
    match error {
        StepError::Engine(EngineError::Worker(WorkerError::Failed(cause))) => {
            let file = cause.file.as_ref().map(|file| {
                let file = Path::new(file);
                file.strip_prefix(root).unwrap_or(file).display().to_string()
            });
            (failure.file, failure.line, failure.code) = (file, cause.line, cause.code.clone());
        }
        StepError::Engine(EngineError::Worker(cause)) => failure.help = cause.help(),
        StepError::Engine(EngineError::Timeout(_)) => {
            failure.help = Some("give it more time with `timeout`".to_owned());
        }
        StepError::File(cause) => failure.help = cause.help(),
        StepError::Items(items::ItemsError::File(cause)) => failure.help = cause.help(),
        StepError::Items(_) => {
            failure.help = Some("write what the table declares, or declare what is written".into());
        }
        StepError::NotWritten(_) => {
            failure.help = Some("a step must write every table in its `writes`, each time".to_owned());
        }
        StepError::Checks { .. } => {
            failure.help = Some(
                "the table keeps what it held; mend the data or the rule in `checks`, or let it `warn`".to_owned(),
            );
        }
        StepError::Garbled(_) => {}
    }
    failure
}

impl Run<'_> {
    /// Brings the raw tables up to date.
    async fn land(&mut self) -> Result<(), Error> {
        let tables = plan::raw_tables(self.lake, self.layout);
        if tables.is_empty() {
            return Ok(());
        }
        let (data, on_record) = self.data()?;
        let (known, stop) = (self.ledger.tables.clone(), self.stop.clone());
        let staging = self.layout.staging().join("raw");
        let (dir, origin) = match &data {
            Sample::Files(dir) => {
                self.reporter.event(Event::Data(format!("`{}`", dir.display())));
                (dir.clone(), None)
            }
            Sample::Instacart { users, seed } => {
                self.reporter.event(Event::Data(format!("{users} generated customers, seed {seed}")));
                let key = format!("instacart {users} {seed} {}", sample::GENERATOR_VERSION);
                let origin = Fingerprint::of(key.as_bytes());
                if let Some(landed) = land::all_unchanged(&tables, &known, &origin)? {
                    return self.landed(landed, on_record);
                }
                let dir = self.layout.staging().join("sample");
                generate(sample::Spec { users: *users, seed: *seed }, dir.clone(), self.reporter).await?;
                (dir, Some(origin))
            }
        };
        let copied = tokio::task::spawn_blocking(move || {
            let arrivals = land::find(tables, &dir)?;
            land::land(&arrivals, &dir, &known, origin.as_ref(), &staging, &stop)
        });
        let landed = copied.await.map_err(|error| Error::System("copy files", error.into()))??;
        files::remove(&self.layout.staging().join("sample"))?;
        self.landed(landed, on_record)
    }

    fn landed(&mut self, landed: Vec<land::Landed>, on_record: Option<DataOnRecord>) -> Result<(), Error> {
        let mut changed = self.ledger.data != on_record;
        self.ledger.data = on_record;
        for land::Landed { table, record, unchanged, notes } in landed {
            changed |= !unchanged;
            let event = Event::Landed { table: table.clone(), rows: record.rows, bytes: record.bytes, unchanged };
            self.reporter.event(event);
            notes.into_iter().for_each(|note| self.reporter.event(Event::Note(note)));
            self.ledger.tables.insert(table, record);
        }
        if changed {
            self.ledger.save(&self.layout.ledger())?;
        }
        Ok(())
    }

    /// Where the raw data comes from: what this run says, or else what an earlier run said, or else the blueprint. And what is to
    /// be remembered of it.
    fn data(&self) -> Result<(Sample, Option<DataOnRecord>), Error> {
        let RunOptions { data, users, steps: _, force: _ } = self.options;
        let asked = match (data, users) {
            (Some(dir), _) => {
                let dir = std::path::absolute(dir).doing("find", dir)?;
                Some(DataOnRecord::Folder(dir))
            }
            (None, Some(users)) => Some(DataOnRecord::Sample(*users)),
            (None, None) => self.ledger.data.clone(),
        };
        let sample = match (&asked, &self.lake.sample) {
            (Some(DataOnRecord::Folder(dir)), _) => Sample::Files(dir.clone()),
            (Some(DataOnRecord::Sample(users)), Some(Sample::Instacart { users: _, seed })) => {
                Sample::Instacart { users: *users, seed: *seed }
            }
            (Some(DataOnRecord::Sample(_)), Some(Sample::Files(_)) | None) => return Err(Error::NotInstacart),
            (None, Some(Sample::Files(dir))) => Sample::Files(self.lake.root.join(dir)),
            (None, Some(Sample::Instacart { users, seed })) => Sample::Instacart { users: *users, seed: *seed },
            (None, None) => return Err(Error::NoData),
        };
        Ok((sample, asked))
    }
}

async fn generate(spec: sample::Spec, dir: PathBuf, reporter: &dyn Reporter) -> Result<(), Error> {
    let (sender, mut receiver) = tokio::sync::watch::channel(0.0);
    let work = tokio::task::spawn_blocking(move || {
        let mut tell = |progress: sample::Progress| {
            let part = progress.done as f64 / progress.total.max(1) as f64;
            let half = match progress.stage {
                sample::Stage::Customers => part / 2.0,
                sample::Stage::Baskets | sample::Stage::Oracle => 0.5 + part / 2.0,
            };
            sender.send_replace(half);
        };
        sample::generate(&spec, &dir, &mut tell)
    });
    while receiver.changed().await.is_ok() {
        let part = *receiver.borrow_and_update();
        reporter.event(Event::Sampling { users: spec.users, part });
    }
    work.await.map_err(|error| Error::System("generate a sample", error.into()))??;
    Ok(())
}
