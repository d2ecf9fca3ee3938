//! A run in AWS: started, followed, stopped. `docs/ledger.md` says how the function is called.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat as Format};
use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::ledger::{Ledger, Release, ReleaseState, RunState, StepRun, StepState};
use super::{Deployed, Error};
use crate::deploy::Session;
use crate::deploy::error::{AwsError, told};
use crate::lake::{Lake, Model, StepId};
use crate::local::gate;
use crate::local::outcome::{self, Event, ModelReport, Outcome, Reporter, StepFailure, StepReport};
use crate::lower::Names;

/// How long to wait between two looks at the ledger.
const PAUSE: Duration = Duration::from_secs(2);
/// How long a trained model may take until its release begins.
const RELEASE_BEGINS: Duration = Duration::from_secs(120);

/// What to start.
#[derive(Debug, Clone, Copy)]
pub enum Start<'a> {
    /// The steps of a pipeline.
    Pipeline(&'a str),
    /// These steps and what depends on them; none of them is every step.
    Steps(&'a [String]),
}

/// What the function answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The run.
    pub run: String,
    /// How it stands.
    pub state: RunState,
}

/// Starts a run.
///
/// # Errors
/// The function refuses, or AWS does not answer.
#[expect(clippy::disallowed_methods, reason = "two starts by the same person differ in their time alone")]
pub async fn start(session: &Session, deployed: &Deployed, start: Start<'_>) -> Result<Answer, Error> {
    let start = match start {
        Start::Pipeline(name) => json!({ "pipeline": name }),
        Start::Steps(names) => json!({ "steps": names }),
    };
    // The call may be sent twice, when its first answer is lost; by this id it starts one run.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let id = format!("lakegen-{}-{}", now.as_nanos(), std::process::id());
    invoke(session, deployed, &json!({ "start": start, "id": id })).await
}

/// Stops a run.
///
/// # Errors
/// The function knows no such run, or AWS does not answer.
pub async fn cancel(session: &Session, deployed: &Deployed, run: &str) -> Result<Answer, Error> {
    invoke(session, deployed, &json!({ "cancel": run })).await
}

async fn invoke(session: &Session, deployed: &Deployed, payload: &Value) -> Result<Answer, Error> {
    const OPERATION: &str = "lambda:InvokeFunction";
    let function = deployed.require("AdvanceFunction", "pipelines")?;
    let client = Client::new(&session.config);
    let call = client.invoke().function_name(function).payload(Blob::new(payload.to_string()));
    let answer = call.send().await.map_err(|error| told(OPERATION, error))?;
    let body = answer.payload.map(Blob::into_inner).unwrap_or_default();
    if answer.function_error.is_none() {
        return Ok(serde_json::from_slice(&body).map_err(|_| AwsError::malformed(OPERATION))?);
    }
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |key: &str| said.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (kind, message) = (text("errorType"), text("errorMessage"));
    Err(if kind == "Refused" {
        Error::Refused { reason: message }
    } else {
        let reason = if message.is_empty() { kind } else { format!("{kind}: {message}") };
        Error::Function { function: function.to_owned(), reason }
    })
}

/// Follows a run until it is over, and the releases of the models that it trained.
///
/// # Errors
/// There is no such run, or AWS does not answer.
pub async fn follow(
    ledger: &Ledger,
    lake: &Lake,
    deployed: &Deployed,
    run: &str,
    reporter: &dyn Reporter,
) -> Result<Outcome, Error> {
    let began = Instant::now();
    let mut telling = Telling { lake, reporter, told: BTreeMap::new() };
    let mut waits = false;
    let (run, steps) = loop {
        let found = ledger.run(run).await?;
        let found = found.ok_or_else(|| Error::Refused { reason: format!("there is no run `{run}`") })?;
        // The steps are read after the run: of a run that is over, they are all over.
        let steps = ledger.steps(run).await?;
        if found.state == RunState::Waiting && !waits {
            waits = true;
            reporter.event(Event::Note(format!("run {run} waits for another one to end")));
        }
        telling.tell(&steps, found.state);
        if found.state.is_over() {
            break (found, steps);
        }
        tokio::time::sleep(PAUSE).await;
    };
    let mut models = Vec::new();
    for step in steps.iter().filter(|step| step.kind == "model" && step.state == StepState::Succeeded) {
        let Some(model) = lake.models.values().find(|model| model.name == step.step && model.endpoint.is_some()) else {
            continue;
        };
        let endpoint = Names::new(&lake.name, &deployed.environment).endpoint(&model.in_aws);
        let earlier_release = deployed.endpoints().any(|name| name == endpoint);
        models.extend(
            release(ledger, model, step, reporter).await?.map(|release| report_model(model, release, earlier_release)),
        );
    }
    let seconds = match (run.started.as_deref().and_then(moment), run.ended.as_deref().and_then(moment)) {
        (Some(started), Some(ended)) => ended - started,
        _ => began.elapsed().as_secs_f64(),
    };
    let steps = steps.iter().map(|step| report_step(lake, step, &steps)).collect();
    Ok(Outcome { steps, models, examples: Vec::new(), seconds, peak_memory: None })
}

/// Waits until the model that a step has trained is released, or is not going to be.
async fn release(
    ledger: &Ledger,
    model: &Model,
    step: &StepRun,
    reporter: &dyn Reporter,
) -> Result<Option<Release>, AwsError> {
    let began = Instant::now();
    let mut noted = false;
    loop {
        let releases = ledger.releases().await?;
        let of_this = |release: &Release| release.model == model.in_aws && release.training == step.execution;
        match releases.into_iter().find(of_this) {
            Some(release) if release.state != ReleaseState::Updating => return Ok(Some(release)),
            Some(_) if noted => {}
            Some(_) => {
                noted = true;
                reporter.event(Event::Note(format!("model {} is being released", step.step)));
            }
            None if began.elapsed() > RELEASE_BEGINS => {
                let text = format!("model {} is trained, and its release has not begun yet", step.step);
                reporter.event(Event::Note(text));
                return Ok(None);
            }
            None => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Tells of each change once.
struct Telling<'a> {
    lake: &'a Lake,
    reporter: &'a dyn Reporter,
    /// What was told of each step: its state and its attempt.
    told: BTreeMap<String, (StepState, u32)>,
}

impl Telling<'_> {
    fn tell(&mut self, steps: &[StepRun], run: RunState) {
        for step in steps {
            let now = (step.state, step.attempt.unwrap_or(1));
            let before = self.told.insert(step.step.clone(), now);
            if before == Some(now) && !(run.is_over() && ends(step, RunState::Running) != ends(step, run)) {
                continue;
            }
            let label = format!("{} {}", step.kind, step.step);
            match (step.state, before) {
                (StepState::Starting | StepState::Running, Some((StepState::Starting | StepState::Running, _))) => {}
                (StepState::Starting | StepState::Running, Some(_)) => {
                    let message = format!("failed, and is tried again (attempt {})", now.1);
                    self.reporter.event(Event::Progress { step: label, message });
                }
                (StepState::Starting | StepState::Running, None) => {
                    self.reporter.event(Event::Started { step: label });
                }
                _ if ends(step, run) => self.reporter.event(Event::Finished(report_step(self.lake, step, steps))),
                _ => {
                    let message = format!("failed: {}", step.message.as_deref().unwrap_or("no reason is given"));
                    self.reporter.event(Event::Progress { step: label, message });
                }
            }
        }
    }
}

/// Whether a step's state is its last in this run: what has failed may be tried again.
fn ends(step: &StepRun, run: RunState) -> bool {
    match step.state {
        StepState::Starting | StepState::Running => false,
        StepState::Failed => run.is_over() || step.broken,
        StepState::Succeeded | StepState::Stopped | StepState::Skipped => true,
    }
}

fn report_step(lake: &Lake, step: &StepRun, steps: &[StepRun]) -> StepReport {
    let failure = |message: String| {
        let help = step.execution.as_ref().map(|execution| format!("AWS calls this attempt `{execution}`"));
        outcome::StepState::Failed(Box::new(StepFailure {
            message,
            file: None,
            line: None,
            code: None,
            help,
            log: None,
        }))
    };
    let state = match step.state {
        StepState::Succeeded => outcome::StepState::Done,
        StepState::Failed => failure(step.message.clone().unwrap_or_else(|| "AWS gives no reason".into())),
        StepState::Stopped => failure("it was stopped".into()),
        StepState::Skipped => outcome::StepState::NotRun(blamed(lake, step, steps)),
        StepState::Starting | StepState::Running => failure("the run ended while it was under way".into()),
    };
    let seconds = match (step.started.as_deref().and_then(moment), step.ended.as_deref().and_then(moment)) {
        (Some(started), Some(ended)) => ended - started,
        _ => 0.0,
    };
    StepReport {
        kind: kind(&step.kind),
        name: step.step.clone(),
        state,
        rows: BTreeMap::new(),
        seconds,
        peak_memory: None,
        notes: step.message.clone().into_iter().filter(|_| step.state == StepState::Succeeded).collect(),
    }
}

/// The step for whose failure another one was not run.
fn blamed(lake: &Lake, skipped: &StepRun, steps: &[StepRun]) -> String {
    let find = |name: &str| lake.steps.iter().find(|step| lake.step_name(step.id) == name);
    let mut before: Vec<StepId> = find(&skipped.step).map(|step| step.after.clone()).unwrap_or_default();
    let mut at = 0;
    while let Some(id) = before.get(at).copied() {
        let name = lake.step_name(id);
        let ran = steps.iter().find(|step| step.step == name);
        if ran.is_some_and(|step| matches!(step.state, StepState::Failed | StepState::Stopped)) {
            return format!("{} {name}", id.kind());
        }
        let further: Vec<StepId> = find(name).map(|step| step.after.clone()).unwrap_or_default();
        before.extend(further.into_iter().filter(|id| !before.contains(id)).collect::<Vec<_>>());
        at += 1;
    }
    "an earlier step".into()
}

/// What the ledger says of a release, against what the blueprint asks for.
fn report_model(model: &Model, release: Release, earlier_release: bool) -> ModelReport {
    let Release { state, metrics, .. } = release;
    let mut verdict = gate::judge(&model.accept, &metrics);
    if state == ReleaseState::Released {
        // It was let through by the gate that was deployed, whatever the blueprint asks for now.
        verdict.findings.retain(|finding| finding.met);
    }
    ModelReport { name: model.name.clone(), metrics, evaluation: None, verdict, earlier_release }
}

fn kind(text: &str) -> &'static str {
    ["crawler", "recipe", "query", "job", "model"].into_iter().find(|kind| *kind == text).unwrap_or("step")
}

/// Seconds since 1970 of a time as the ledger writes it.
fn moment(text: &str) -> Option<f64> {
    DateTime::from_str(text, Format::DateTime).ok().map(|time| time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Lines(Mutex<Vec<String>>);

    impl Reporter for Lines {
        fn event(&self, event: Event) {
            self.0.lock().unwrap().push(match event {
                Event::Started { step } => format!("started {step}"),
                Event::Progress { step, message } => format!("{step}: {message}"),
                Event::Finished(report) => format!("{} {:?}", report.label(), report.state),
                other => format!("{other:?}"),
            });
        }
    }

    fn lake() -> Lake {
        let text = "name: shop\nzones: { raw: }\ntables:\n  a: { zone: raw, format: csv, columns: { x: int } }\n  b: { zone: raw, format: \
                    parquet, columns: { x: int } }\n  c: { zone: raw, format: parquet, columns: { x: int } }\ncrawlers: { look: { reads: [a] } }\nqueries:\n  \
                    one: { writes: b, sql: select x from a }\n  two: { writes: c, sql: select x from b }\n";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.yaml");
        std::fs::write(&path, text).unwrap();
        let (lake, diagnostics) = crate::project::Project::open(Some(&path), folder.path()).unwrap().check();
        lake.unwrap_or_else(|| panic!("{}", diagnostics.render(false)))
    }

    fn step(kind: &str, name: &str, state: StepState, attempt: u32) -> StepRun {
        StepRun {
            step: name.into(),
            kind: kind.into(),
            state,
            run: "r".into(),
            attempt: Some(attempt),
            execution: None,
            started: Some("2026-11-25T03:00:00.000Z".into()),
            ended: Some("2026-11-25T03:01:30.500Z".into()),
            message: (state == StepState::Failed).then(|| "no such column".into()),
            broken: false,
        }
    }

    #[test]
    fn each_change_is_told_once_and_a_second_attempt_is_no_end() {
        use StepState::{Failed, Running, Skipped, Starting, Succeeded};
        let (lake, lines) = (lake(), Lines::default());
        let mut telling = Telling { lake: &lake, reporter: &lines, told: BTreeMap::new() };
        let looks = [
            vec![step("crawler", "look", Starting, 1)],
            vec![step("crawler", "look", Running, 1)],
            vec![step("crawler", "look", Succeeded, 1), step("query", "one", Running, 1)],
            vec![step("crawler", "look", Succeeded, 1), step("query", "one", Failed, 1)],
            vec![step("crawler", "look", Succeeded, 1), step("query", "one", Failed, 1)],
            vec![step("crawler", "look", Succeeded, 1), step("query", "one", Running, 2)],
        ];
        for look in looks {
            telling.tell(&look, RunState::Running);
        }
        let last =
            [step("crawler", "look", Succeeded, 1), step("query", "one", Failed, 2), step("query", "two", Skipped, 1)];
        telling.tell(&last, RunState::Failed);
        let lines = lines.0.into_inner().unwrap().join("\n");
        insta::assert_snapshot!(lines, @r#"
        started crawler look
        crawler look Done
        started query one
        query one: failed: no such column
        query one: failed, and is tried again (attempt 2)
        query one Failed(StepFailure { message: "no such column", file: None, line: None, code: None, help: None, log: None })
        query two NotRun("query one")
        "#);
        assert_eq!(report_step(&lake, &last[0], &last).seconds, 90.5);
    }

    #[test]
    fn a_broken_rule_is_an_end_at_once_and_one_that_warns_is_a_remark() {
        let (lake, lines) = (lake(), Lines::default());
        let mut telling = Telling { lake: &lake, reporter: &lines, told: BTreeMap::new() };
        let broken = StepRun { broken: true, ..step("query", "one", StepState::Failed, 1) };
        telling.tell(&[broken], RunState::Running);
        let lines = lines.0.into_inner().unwrap();
        assert!(lines[0].starts_with("query one Failed"), "{lines:?}");
        let warned = StepRun { message: Some("breaks".into()), ..step("query", "one", StepState::Succeeded, 1) };
        assert_eq!(report_step(&lake, &warned, &[]).notes, ["breaks"]);
    }

    #[test]
    fn a_failure_that_is_not_tried_again_is_told_when_the_run_ends() {
        let (lake, lines) = (lake(), Lines::default());
        let mut telling = Telling { lake: &lake, reporter: &lines, told: BTreeMap::new() };
        let failed = [step("query", "one", StepState::Failed, 1)];
        telling.tell(&failed, RunState::Running);
        telling.tell(&failed, RunState::Cancelled);
        let lines = lines.0.into_inner().unwrap();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[1].starts_with("query one Failed"), "{lines:?}");
    }
}
