//! What a run tells, as text: live lines on a terminal, plain ones elsewhere, and the tables at its end.

pub mod connect;
pub mod deploy;
pub mod plan;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::local::outcome::{Event, ExampleAnswer, ModelReport, Outcome, Reporter, StepFailure, StepReport, StepState};
use crate::local::python::Setup;
use crate::text::{self, size, thousands};

/// Tells a run to a console.
#[derive(Debug)]
pub struct Report {
    console: Console,
    /// Standard error is a terminal on which lines can be drawn anew.
    live: bool,
    bars: MultiProgress,
    lines: Mutex<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    /// A line for each step that runs.
    steps: BTreeMap<String, ProgressBar>,
    /// The line of what comes before the steps.
    setup: Option<ProgressBar>,
}

impl Report {
    /// Nothing is printed yet.
    #[must_use]
    pub fn new(console: Console) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let live = io::stderr().is_terminal() && !dumb && !console.quiet;
        Self { console, live, bars: MultiProgress::new(), lines: Mutex::default() }
    }

    /// The result of a run.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn outcome(&self, outcome: &Outcome) -> io::Result<()> {
        self.clear();
        if self.console.json {
            return self.console.json(outcome);
        }
        self.console.result(&summary(outcome, Paint(self.console.color && io::stdout().is_terminal())))
    }

    /// Takes the live lines away.
    pub fn clear(&self) {
        let mut lines = self.lines();
        lines.setup = None;
        lines.steps.clear();
        // A terminal that cannot be cleared shows a line too many.
        let _ = self.bars.clear();
    }

    fn line(&self, text: &str) {
        match self.live {
            true => self.bars.suspend(|| self.console.note(text)),
            false => self.console.note(text),
        }
    }

    fn failed(&self, label: &str, failure: &StepFailure) {
        let text = describe_failure(label, failure);
        let failure = Failure { exit: Exit::Step, error: Some(text.into()), help: failure.help.clone() };
        self.bars.suspend(|| self.console.failure(&failure));
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line for progress that comes before the steps; nothing where lines cannot be drawn anew.
    fn setup(&self, message: String, done: u64, total: u64) {
        if !self.live {
            return;
        }
        let bar = self.lines().setup.get_or_insert_with(|| self.bars.add(bar())).clone();
        bar.set_length(total);
        bar.set_position(done);
        bar.set_message(message);
    }

    fn setup_is_over(&self) {
        if let Some(bar) = self.lines().setup.take() {
            bar.finish_and_clear();
        }
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("  {bar:24} {pos}/{len}  {wide_msg}");
    let bar = ProgressBar::hidden();
    if let Ok(style) = style {
        bar.set_style(style.progress_chars("━╸ "));
    }
    bar
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}  {elapsed}  {wide_msg}") {
        bar.set_style(style);
    }
    bar
}

impl Reporter for Report {
    fn event(&self, event: Event) {
        let paint = Paint(self.console.color);
        match event {
            Event::Setup(Setup::Waiting) => {
                self.line("another lakegen is creating the Python environment; waiting for it");
            }
            Event::Setup(Setup::Installing { package, done, total }) => {
                if self.live {
                    self.setup(format!("Python environment: {package}"), done as u64, total as u64);
                } else {
                    self.line(&format!("Python environment: {package} ({} of {total})", done + 1));
                }
            }
            Event::Setup(Setup::Archiving) => self.setup("Python environment: preparing Spark".to_owned(), 1, 1),
            Event::Setup(Setup::Ready) => {
                self.setup_is_over();
                self.line("Python environment: ready");
            }
            Event::Data(from) => self.line(&format!("data: {from}")),
            Event::Sampling { users, part } => {
                let percent = (part * 100.0) as u64;
                self.setup(format!("generating {users} customers"), percent, 100);
                if percent >= 100 {
                    self.setup_is_over();
                }
            }
            Event::Landed { unchanged: true, .. } => {}
            Event::Landed { table, rows, bytes, unchanged: false } => {
                let rows = rows.map(|rows| format!("{}, ", row_count(rows))).unwrap_or_default();
                self.line(&format!("landed {table}: {rows}{}", size(bytes)));
            }
            Event::Note(text) => self.line(&format!("{}: {}", paint.yellow("note"), printable(&text))),
            Event::Started { step } if self.live => {
                let bar = self.bars.add(spinner());
                bar.set_prefix(step.clone());
                bar.enable_steady_tick(Duration::from_millis(120));
                self.lines().steps.insert(step, bar);
            }
            Event::Started { .. } => {}
            Event::Progress { step, message } => {
                if let Some(bar) = self.lines().steps.get(&step) {
                    bar.set_message(printable(&message));
                }
            }
            Event::Finished(report) => {
                let bar = self.lines().steps.remove(&report.label());
                bar.iter().for_each(ProgressBar::finish_and_clear);
                match &report.state {
                    StepState::Failed(failure) => self.failed(&report.label(), failure),
                    StepState::Done | StepState::Unchanged | StepState::Refused | StepState::NotRun(_) => {
                        self.line(&describe_step(&report, paint));
                    }
                }
                for note in &report.notes {
                    self.line(&format!("  {}: {}", paint.yellow("note"), printable(note)));
                }
            }
        }
    }
}

fn describe_step(report: &StepReport, paint: Paint) -> String {
    let label = report.label();
    let rows: u64 = report.rows.values().sum();
    let rows = if report.rows.is_empty() { String::new() } else { format!("  {}", row_count(rows)) };
    match &report.state {
        StepState::Done => format!("{} {label}{rows}  {:.1} s", paint.green("✓"), report.seconds),
        StepState::Unchanged => format!("{} {label}  unchanged", paint.green("=")),
        StepState::Refused => format!("{} {label}  did not pass its gate  {:.1} s", paint.red("✗"), report.seconds),
        StepState::Failed(_) => format!("{} {label}  failed  {:.1} s", paint.red("✗"), report.seconds),
        StepState::NotRun(because) => format!("{} {label}  not run, because {because} failed", paint.yellow("-")),
    }
}

fn describe_failure(label: &str, failure: &StepFailure) -> String {
    let StepFailure { message, file, line, code, help: _, log } = failure;
    let mut text = format!("{label} failed: {message}");
    if let Some(file) = file {
        let line = line.map(|line| line.to_string());
        let margin = " ".repeat(line.as_ref().map_or(1, String::len));
        let _ = write!(text, "\n{margin}--> {file}");
        if let Some(line) = line {
            let _ = write!(text, ":{line}");
            if let Some(code) = code {
                let _ = write!(text, "\n{margin} |\n{line} | {}\n{margin} |", code.trim_end());
            }
        }
    }
    if let Some(log) = log {
        let _ = write!(text, "\n  = log: {}", log.display());
    }
    text
}

/// The tables at the end of a run.
fn summary(outcome: &Outcome, paint: Paint) -> String {
    let Outcome { steps, models, examples, seconds, peak_memory } = outcome;
    let mut rows = vec![["step", "state", "rows", "seconds", "memory"].map(str::to_owned).to_vec()];
    rows.extend(steps.iter().map(|step| {
        let state = match &step.state {
            StepState::Done => "done",
            StepState::Unchanged => "unchanged",
            StepState::Refused => "refused",
            StepState::Failed(_) => "failed",
            StepState::NotRun(_) => "not run",
        };
        let count = if step.rows.is_empty() { String::new() } else { thousands(step.rows.values().sum()) };
        let ran = !matches!(step.state, StepState::NotRun(_) | StepState::Unchanged);
        let time = if ran { format!("{:.1}", step.seconds) } else { String::new() };
        let memory = step.peak_memory.filter(|_| ran).map(size).unwrap_or_default();
        vec![step.label(), state.to_owned(), count, time, memory]
    }));
    // Of a run in AWS nobody knows the memory.
    if steps.iter().all(|step| step.peak_memory.is_none()) {
        rows.iter_mut().for_each(|row| row.truncate(4));
    }
    let mut text = table(&rows, 2, paint);
    models.iter().for_each(|model| text.push_str(&describe_model(model, paint)));
    examples.iter().for_each(|example| text.push_str(&describe_example(example)));
    let unchanged = steps.iter().all(|step| step.state == StepState::Unchanged);
    let end = match (outcome.succeeded(), unchanged) {
        (true, true) => "everything is up to date",
        (true, false) => "done",
        (false, _) if outcome.steps_succeeded() => {
            "the steps are up to date, but the API does not answer: `.lakegen/local/serve/` has the logs"
        }
        (false, _) => {
            "not everything is up to date: mend what failed and run again from there, finished steps are kept"
        }
    };
    let memory = peak_memory.map(|bytes| format!(", at most {} of memory", size(bytes))).unwrap_or_default();
    let _ = writeln!(text, "\n{end} ({seconds:.1} s{memory})");
    text
}

fn describe_model(model: &ModelReport, paint: Paint) -> String {
    let ModelReport { name, metrics: _, evaluation, verdict, earlier_release } = model;
    let mut text = match (verdict.passed(), earlier_release) {
        (true, _) => format!("\nmodel {name}: {}\n", paint.green("released")),
        (false, true) => format!("\nmodel {name}: {}, the earlier model stays released\n", paint.red("refused")),
        (false, false) => format!("\nmodel {name}: {}, no model is released\n", paint.red("refused")),
    };
    if let Some(evaluation) = evaluation.as_ref().and_then(evaluation_table) {
        text.push_str(&table(&evaluation, 1, paint));
    }
    for finding in &verdict.findings {
        let mark = if finding.met { paint.green("✓") } else { paint.red("✗") };
        let _ = writeln!(text, "  {mark} {finding}");
    }
    if verdict.lacks_metrics() {
        let reported: Vec<String> = verdict.reported.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(text, "  the training reported {}", reported.join(", "));
    }
    text
}

/// `rows` of an evaluation: a line for each, a column for each number that any of them has.
fn evaluation_table(evaluation: &Value) -> Option<Vec<Vec<String>>> {
    let rows: Vec<_> = evaluation.get("rows")?.as_array()?.iter().filter_map(Value::as_object).collect();
    let mut metrics: Vec<&String> = Vec::new();
    for key in rows.iter().flat_map(|row| row.keys()).filter(|key| *key != "name") {
        if !metrics.contains(&key) {
            metrics.push(key);
        }
    }
    let title = evaluation.get("target").and_then(Value::as_str).unwrap_or_default();
    let mut cells = vec![std::iter::once(printable(title)).chain(metrics.iter().map(|name| printable(name))).collect()];
    for row in rows {
        let name = printable(row.get("name").and_then(Value::as_str).unwrap_or_default());
        let value = |metric: &&String| match row.get(*metric) {
            Some(Value::Number(number)) => number.as_f64().map_or(String::new(), |number| format!("{number:.4}")),
            Some(Value::String(text)) => printable(text),
            _ => "-".to_owned(),
        };
        cells.push(std::iter::once(name).chain(metrics.iter().map(value)).collect::<Vec<_>>());
    }
    Some(cells)
}

fn describe_example(example: &ExampleAnswer) -> String {
    let ExampleAnswer { request, status, body, problem } = example;
    let mut text = format!("\n{request}  {status}\n");
    let items = body.as_object().into_iter().flat_map(|body| body.values()).find_map(Value::as_array);
    match items {
        Some(items) => items.iter().enumerate().for_each(|(i, item)| {
            let _ = writeln!(text, "  {:>2}. {}", i + 1, describe_item(item));
        }),
        None => {
            let _ = writeln!(text, "  {}", printable(&body.to_string()));
        }
    }
    for line in problem.iter().flat_map(|problem| problem.lines()) {
        let _ = writeln!(text, "  {}", printable(line));
    }
    text
}

/// The words and the fractions of an item, since ids say nothing to people; all of an item that has neither.
fn describe_item(item: &Value) -> String {
    let Some(fields) = item.as_object() else { return printable(&item.to_string()) };
    let words = fields.values().filter_map(Value::as_str).map(printable);
    let fractions = fields.values().filter_map(Value::as_f64).filter(|n| n.fract() != 0.0).map(|n| format!("{n:.3}"));
    let told: Vec<String> = words.chain(fractions).collect();
    if told.is_empty() {
        let fields =
            fields.iter().map(|(name, value)| format!("{} {}", printable(name), printable(&value.to_string())));
        return fields.collect::<Vec<_>>().join("  ");
    }
    told.join("  ")
}

/// Columns aligned, the first `left` of them to the left, the others to the right; the first row is the head.
fn table(rows: &[Vec<String>], left: usize, paint: Paint) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for (i, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = if column < left { write!(line, "  {cell:<width$}") } else { write!(line, "  {cell:>width$}") };
        }
        let line = line.trim_end();
        let _ = writeln!(text, "{}", if i == 0 { paint.bold(line) } else { line.to_owned() });
    }
    text
}

/// Colours, where they are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Paint(pub bool);

impl Paint {
    fn with(self, code: u8, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
    fn red(self, text: &str) -> String {
        self.with(31, text)
    }
    fn green(self, text: &str) -> String {
        self.with(32, text)
    }
    fn yellow(self, text: &str) -> String {
        self.with(33, text)
    }
    fn bold(self, text: &str) -> String {
        self.with(1, text)
    }
}

/// What comes from scripts and data must not steer the terminal.
fn printable(text: &str) -> String {
    text::printable(&text.replace("\r\n", "\n"), &['\n', '\t'])
}

/// `1 row`, `2,000 rows`.
fn row_count(rows: u64) -> String {
    format!("{} row{}", thousands(rows), if rows == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::gate::{Demand, Finding, Verdict};

    fn step(kind: &'static str, name: &str, state: StepState, rows: Option<u64>) -> StepReport {
        let rows = rows.map(|rows| ("t".to_owned(), rows)).into_iter().collect();
        let peak_memory = Some(1_234_567_890);
        StepReport { kind, name: name.to_owned(), state, rows, seconds: 1.25, peak_memory, notes: Vec::new() }
    }

    fn failure() -> StepFailure {
        StepFailure {
            message: "KeyError: 'user'".to_owned(),
            file: Some("glue-jobs/features.py".to_owned()),
            line: Some(42),
            code: Some("    rows = table[\"user\"]".to_owned()),
            help: None,
            log: Some("/p/.lakegen/local/runs/3/job-features.log".into()),
        }
    }

    #[test]
    fn a_summary_shows_steps_models_and_answers() {
        let finding = |metric: &str, met| Finding {
            metric: metric.to_owned(),
            demand: Demand::AtLeast(0.3),
            value: Some(0.4312),
            bar: Some(0.3),
            met,
        };
        let outcome = Outcome {
            steps: vec![
                step("crawler", "raw", StepState::Unchanged, Some(1_234_567)),
                step("job", "features", StepState::Done, Some(999)),
                step("job", "serving", StepState::Failed(Box::new(failure())), None),
                step("job", "late", StepState::NotRun("job serving".to_owned()), None),
            ],
            models: vec![ModelReport {
                name: "buy_again".to_owned(),
                metrics: BTreeMap::new(),
                evaluation: Some(serde_json::json!({
                    "target": "next baskets",
                    "rows": [
                        { "name": "model", "ndcg@10": 0.43121, "logloss": 0.25 },
                        { "name": "popularity", "ndcg@10": 0.1, "logloss": null },
                    ],
                })),
                verdict: Verdict { findings: vec![finding("ndcg@10", true)], reported: Vec::new() },
                earlier_release: false,
            }],
            examples: vec![ExampleAnswer {
                request: "GET /users/42/buy-again".to_owned(),
                status: 200,
                body: serde_json::json!({ "user_id": 42, "products": [{ "product_id": 7, "name": "Banana", "score": 0.8125 }] }),
                problem: None,
            }],
            seconds: 12.34,
            peak_memory: Some(4_700_000_000),
        };
        insta::assert_snapshot!(summary(&outcome, Paint(false)), @r#"
          step          state           rows  seconds  memory
          crawler raw   unchanged  1,234,567
          job features  done             999      1.2  1.2 GB
          job serving   failed                    1.2  1.2 GB
          job late      not run

        model buy_again: released
          next baskets  ndcg@10  logloss
          model          0.4312   0.2500
          popularity     0.1000        -
          ✓ `ndcg@10` is 0.4312, at least 0.3

        GET /users/42/buy-again  200
           1. Banana  0.812

        not everything is up to date: mend what failed and run again from there, finished steps are kept (12.3 s, at most 4.7 GB of memory)
        "#);
    }

    #[test]
    fn a_failure_shows_its_first_cause_and_its_line() {
        insta::assert_snapshot!(describe_failure("job features", &failure()), @r#"
        job features failed: KeyError: 'user'
          --> glue-jobs/features.py:42
           |
        42 |     rows = table["user"]
           |
          = log: /p/.lakegen/local/runs/3/job-features.log
        "#);
    }

    #[test]
    fn a_refused_model_says_what_is_missing() {
        let finding = Finding {
            metric: "ndcg".to_owned(),
            demand: Demand::AtLeast(0.3),
            value: None,
            bar: Some(0.3),
            met: false,
        };
        let model = ModelReport {
            name: "m".to_owned(),
            metrics: BTreeMap::new(),
            evaluation: None,
            verdict: Verdict { findings: vec![finding], reported: vec!["recall".to_owned()] },
            earlier_release: true,
        };
        insta::assert_snapshot!(describe_model(&model, Paint(false)), @r"

        model m: refused, the earlier model stays released
          ✗ `ndcg` was not reported
          the training reported `recall`
        ");
    }
}
