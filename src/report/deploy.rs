//! What a deploy tells: a live line for each stack on a terminal, plain lines with the time that has passed elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Paint, spinner};
use crate::console::Console;
use crate::deploy::execute::{Done, Outcome};
use crate::deploy::progress::{Event, Observer, Work};
use crate::deploy::stack::Status;
use crate::text::{counted, printable, size, thousands};

/// Tells a deploy to a console.
#[derive(Debug)]
pub struct DeployReport {
    console: Console,
    /// Standard error is a terminal on which lines can be drawn anew.
    live: bool,
    bars: MultiProgress,
    started: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    stacks: BTreeMap<String, Stack>,
    upload: Option<ProgressBar>,
    /// A line for each bucket that is being emptied.
    emptying: BTreeMap<String, ProgressBar>,
}

/// A stack that is worked on.
#[derive(Debug)]
struct Stack {
    bar: ProgressBar,
    began: Instant,
    total: Option<usize>,
    done: BTreeSet<String>,
    current: BTreeSet<String>,
}

impl DeployReport {
    /// Nothing is printed yet.
    #[must_use]
    pub fn new(console: Console) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let live = io::stderr().is_terminal() && !dumb && !console.quiet;
        Self { console, live, bars: MultiProgress::new(), started: Instant::now(), state: Mutex::default() }
    }

    /// Takes the live lines away.
    pub fn clear(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.stacks.clear();
        state.upload = None;
        state.emptying.clear();
        // A terminal that cannot be cleared shows a line too many.
        let _ = self.bars.clear();
    }

    /// The result of a deploy.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn outcome(&self, outcome: &Outcome) -> io::Result<()> {
        self.clear();
        if self.console.json {
            return self.console.json(outcome);
        }
        let paint = Paint(self.console.color && io::stdout().is_terminal());
        self.console.result(&summary(outcome, self.started.elapsed(), paint))
    }

    /// Takes the live lines away while something else speaks, such as a question.
    pub fn hide(&self) {
        // A terminal that cannot be cleared shows a line too many.
        let _ = self.bars.clear();
        self.bars.set_draw_target(ProgressDrawTarget::hidden());
    }

    /// Brings them back.
    pub fn show(&self) {
        self.bars.set_draw_target(ProgressDrawTarget::stderr());
    }

    fn line(&self, text: &str) {
        match self.live {
            true => self.bars.suspend(|| self.console.note(text)),
            false => {
                let seconds = self.started.elapsed().as_secs();
                self.console.note(&format!("{:02}:{:02} {text}", seconds / 60, seconds % 60));
            }
        }
    }

    fn resource(&self, stack: &str, id: &str, kind: &str, status: &str, reason: Option<&str>) {
        let failed = status.ends_with("_FAILED");
        let cancelled = reason.is_some_and(|reason| reason.contains("cancelled"));
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(stack) = state.stacks.get_mut(stack) {
                stack.current.remove(id);
                if status.ends_with("_IN_PROGRESS") {
                    stack.current.insert(id.to_owned());
                } else if status.ends_with("_COMPLETE") {
                    stack.done.insert(id.to_owned());
                }
                stack.draw();
            }
        }
        let paint = Paint(self.console.color);
        if failed && !cancelled {
            let reason = printable(reason.unwrap_or("no reason given"), &[]);
            self.line(&format!("{} {stack}: {kind} {id}: {reason}", paint.red("✗")));
        } else if !self.live && status.ends_with("_COMPLETE") {
            self.line(&format!("{stack}: {kind} {id}: {status}"));
        }
    }
}

impl Stack {
    fn draw(&self) {
        let mut current: Vec<&str> = self.current.iter().map(String::as_str).collect();
        let more = current.len().saturating_sub(4);
        current.truncate(4);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let count = match self.total {
            Some(total) => format!("{}/{}", self.done.len().min(total), total),
            None => self.done.len().to_string(),
        };
        self.bar.set_message(format!("{count}  {}{more}", current.join(", ")));
    }
}

impl Observer for DeployReport {
    fn event(&self, event: Event<'_>) {
        let paint = Paint(self.console.color);
        match event {
            Event::Signed { account, region, caller } => {
                self.line(&format!("account {account}, region {region}, as {}", printable(caller, &[])));
            }
            Event::Another { lake, other } => {
                self.line(&format!(
                    "nothing of `{lake}` is here yet, and `{other}` is: if that is its old name, its data stays with the old one, and \
                     `name: {other}` goes on with it",
                    other = printable(other, &[]),
                ));
            }
            Event::Uploading { objects, bytes } => {
                if self.live {
                    let bar = self.bars.add(ProgressBar::new(bytes));
                    let form = "  {bar:24} {bytes}/{total_bytes}  {bytes_per_sec}  uploading assets";
                    if let Ok(style) = ProgressStyle::with_template(form) {
                        bar.set_style(style.progress_chars("━╸ "));
                    }
                    self.state.lock().unwrap_or_else(PoisonError::into_inner).upload = Some(bar);
                } else {
                    self.line(&format!("uploading {}, {}", counted(objects, "object"), size(bytes)));
                }
            }
            Event::Sent { bytes } => {
                if let Some(bar) = &self.state.lock().unwrap_or_else(PoisonError::into_inner).upload {
                    bar.inc(bytes);
                }
            }
            Event::Uploaded => {
                let bar = self.state.lock().unwrap_or_else(PoisonError::into_inner).upload.take();
                if let Some(bar) = bar {
                    bar.finish_and_clear();
                }
            }
            Event::Comparing { .. } => {}
            Event::Started { stack, work, resources } => {
                if self.live {
                    let bar = self.bars.add(spinner());
                    bar.set_prefix(format!("{} {stack}", work.doing()));
                    bar.enable_steady_tick(Duration::from_millis(120));
                    let state = Stack {
                        bar,
                        began: Instant::now(),
                        total: resources,
                        done: BTreeSet::new(),
                        current: BTreeSet::new(),
                    };
                    state.draw();
                    self.state.lock().unwrap_or_else(PoisonError::into_inner).stacks.insert(stack.to_owned(), state);
                } else {
                    let many = resources.map(|many| format!(", {}", counted(many, "resource"))).unwrap_or_default();
                    self.line(&format!("{} {stack}{many}", work.doing()));
                }
            }
            Event::Waiting { stack, status, whose } => {
                let whose = whose.map(|token| format!(" ({})", printable(token, &[]))).unwrap_or_default();
                let text = "somebody is at it: waiting until that is done";
                self.line(&format!("{stack} is in {}{whose}: {text}", status.name()));
            }
            Event::Resource { stack, id, kind, status, reason } => self.resource(stack, id, kind, status, reason),
            Event::Emptying { bucket, versions } if self.live => self.emptying(bucket, versions),
            Event::Emptying { .. } => {}
            Event::Emptied { bucket, versions } => {
                let bar = self.state.lock().unwrap_or_else(PoisonError::into_inner).emptying.remove(bucket);
                bar.iter().for_each(ProgressBar::finish_and_clear);
                let versions = thousands(versions);
                self.line(&format!("{} emptied {bucket}: {versions} versions of objects", paint.green("✓")));
            }
            Event::Finished { stack, work } => {
                let time = self.end(stack);
                if work != Work::Wait {
                    self.line(&format!("{} {} {stack}{time}", paint.green("✓"), work.done()));
                }
            }
            Event::Failed { stack, status } => {
                let time = self.end(stack);
                self.line(&format!("{} {stack} ended in {}{time}", paint.red("✗"), status.name()));
            }
        }
    }
}

impl DeployReport {
    /// A line for a bucket that is being emptied.
    fn emptying(&self, bucket: &str, versions: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = state.emptying.entry(bucket.to_owned()).or_insert_with(|| {
            let bar = self.bars.add(spinner());
            bar.set_prefix(format!("emptying {bucket}"));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        bar.inc(versions);
        bar.set_message(format!("{} versions of objects", thousands(bar.position())));
    }

    /// The stack's line goes; how long it was there.
    fn end(&self, stack: &str) -> String {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner).stacks.remove(stack);
        state.map_or_else(String::new, |state| {
            state.bar.finish_and_clear();
            format!("  {:.1} s", state.began.elapsed().as_secs_f64())
        })
    }
}

fn summary(outcome: &Outcome, took: Duration, paint: Paint) -> String {
    let Outcome { stacks, uploaded } = outcome;
    let mut text = String::new();
    for Done { name, work, outputs } in stacks {
        if let Some(work) = work {
            text.push_str(&format!("{} {}\n", paint.green(work.done()), name));
            for (output, value) in outputs {
                text.push_str(&format!("  {output} = {}\n", printable(value, &[])));
            }
        }
    }
    let changed = stacks.iter().filter(|stack| stack.work.is_some()).count();
    let uploaded = if *uploaded > 0 { format!(", {} uploaded", counted(*uploaded, "object")) } else { String::new() };
    let end = match changed {
        0 => format!(
            "nothing to do: {} as the blueprint says",
            if stacks.len() == 1 { "the stack is" } else { "all stacks are" }
        ),
        changed => format!("done: {} changed", counted(changed, "stack")),
    };
    text.push_str(&format!("{end}{uploaded} ({:.1} s)\n", took.as_secs_f64()));
    text
}

/// How a stack's status is shown: what went wrong in red.
#[must_use]
pub fn colored(status: Status, paint: Paint) -> String {
    if status.succeeded() { paint.green(status.name()) } else { paint.red(status.name()) }
}
