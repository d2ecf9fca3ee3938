//! Lambda on this machine: real `awslambdaric` processes, each talking to a Lambda Runtime API of its own.
//!
//! A [`Sandbox`] is Lambda's execution environment: one process that handles one request at a time, is kept warm, and is
//! thrown away when it times out or dies. A [`Lambda`] has as many of them as requests were under way at once, up to a limit.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path as UrlPath, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex as AsyncMutex, Semaphore, mpsc};

use super::http::{Ids, Listening, Stop, now_ms};
use super::{Event, Observer};
use crate::local::process::{Group, Groups, next_line};
use crate::local::python::Environment;

/// The longest that a function may take to start, as in Lambda, unless its own timeout is longer.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer of a function, in bytes.
const MAX_ANSWER: usize = 6 * 1024 * 1024 + 100;
/// The largest event, in bytes.
const MAX_EVENT: usize = 6 * 1024 * 1024;
/// A sandbox that was idle for longer looks whether the function's code changed.
const FRESH: Duration = Duration::from_millis(500);

/// A function as Lambda is told about it.
#[derive(Clone, Debug)]
pub struct FunctionSettings {
    /// `AWS_LAMBDA_FUNCTION_NAME`.
    pub name: String,
    /// The folder of its code.
    pub source: PathBuf,
    /// `module.function`.
    pub handler: String,
    /// In MB; told to the function, not enforced.
    pub memory_mb: u32,
    /// After which a request is given up and its process killed.
    pub timeout: Duration,
    /// Variables beside those that Lambda sets.
    pub environment: Vec<(String, String)>,
    /// The file that takes what the function prints.
    pub log: PathBuf,
}

/// Why a function gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Its code raised an exception, while starting or while handling the request.
    #[error("{kind}: {message}{}", place.as_ref().map_or_else(String::new, |place| format!(" ({place})")))]
    Raised {
        /// The exception's type, such as `KeyError`, or one of Lambda's such as `Runtime.ImportModuleError`.
        kind: String,
        /// Its message.
        message: String,
        /// The innermost line of its traceback: `File "handler.py", line 12, in handler`.
        place: Option<String>,
    },
    /// It took longer than its timeout.
    #[error("Task timed out after {:.2} seconds", .0.as_secs_f64())]
    TimedOut(Duration),
    /// Its process ended.
    #[error("Runtime exited without providing a reason: {0}")]
    Exited(String),
    /// The request or the answer is larger than Lambda lets through.
    #[error("{0} size exceeded maximum allowed payload size ({1} bytes)")]
    TooLarge(&'static str, usize),
    /// It could not be started.
    #[error("could not start the function: {0}")]
    Start(String),
}

/// What one invocation came to.
#[derive(Debug)]
pub struct Invocation {
    /// The JSON that the handler returned, or why there is none.
    pub answer: Result<Bytes, Fault>,
    /// How long the process took to start, when it had to be.
    pub init: Option<Duration>,
    /// How long the handler took.
    pub duration: Duration,
}

fn failed(fault: Fault) -> Invocation {
    Invocation { answer: Err(fault), init: None, duration: Duration::ZERO }
}

/// A function and its warm processes.
pub struct Lambda {
    settings: FunctionSettings,
    python: Environment,
    groups: Groups,
    ids: Ids,
    log: Arc<Log>,
    permits: Semaphore,
    idle: Mutex<Vec<Sandbox>>,
    stop: Stop,
}

impl Lambda {
    /// Starts nothing yet: the first request does. `limit` is how many requests it handles at once; more wait.
    ///
    /// # Errors
    /// When the log cannot be opened.
    pub(super) fn new(
        settings: FunctionSettings,
        python: Environment,
        groups: Groups,
        ids: Ids,
        observer: Observer,
        limit: usize,
    ) -> io::Result<Self> {
        let log = Arc::new(Log::open(&settings, observer)?);
        let (permits, idle, stop) = (Semaphore::new(limit), Mutex::default(), Stop::new());
        Ok(Self { settings, python, groups, ids, log, permits, idle, stop })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// How many processes are warm and have nothing to do.
    pub fn warm(&self) -> usize {
        self.idle().len()
    }

    /// Ends all processes, also those that are at a request.
    pub(super) fn stop(&self) {
        self.stop.stop();
        self.idle().clear();
    }

    /// Handles one event. Must not be dropped halfway: Lambda finishes what a client no longer waits for.
    pub async fn invoke(&self, id: &str, event: Bytes) -> Invocation {
        if event.len() > MAX_EVENT {
            return failed(Fault::TooLarge("Request payload", MAX_EVENT));
        }
        let work = async {
            let _permit = self.permits.acquire().await;
            self.run(id, event).await
        };
        self.stop.unless_stopped(work).await.unwrap_or_else(|| failed(Fault::Start("the server stops".into())))
    }

    async fn run(&self, id: &str, event: Bytes) -> Invocation {
        loop {
            let warm = self.take_warm();
            let reused = warm.is_some();
            let (mut sandbox, init) = match warm {
                Some(sandbox) => (sandbox, None),
                None => match self.start().await {
                    Ok((sandbox, init)) => (sandbox, Some(init)),
                    Err(fault) => {
                        self.log.line(&format!("{fault}"));
                        return failed(fault);
                    }
                },
            };
            self.log.line(&format!("START RequestId: {id} Version: $LATEST"));
            let began = Instant::now();
            let work = Work {
                id: id.to_owned(),
                event: event.clone(),
                deadline_ms: now_ms() + u64::try_from(self.settings.timeout.as_millis()).unwrap_or(u64::MAX),
                arn: format!("arn:aws:lambda:local:000000000000:function:{}", self.settings.name),
                trace: self.ids.trace(),
            };
            let handled = sandbox.handle(work, self.settings.timeout).await;
            let duration = began.elapsed();
            let answer = match handled {
                Handled::Answer(answer) => {
                    sandbox.idle_since = Instant::now();
                    self.idle().push(sandbox);
                    answer
                }
                Handled::Lost(fault) => Err(fault),
                // The process had died before this request came: Lambda would not have chosen it.
                Handled::NotTaken(_) if reused => continue,
                Handled::NotTaken(fault) => Err(fault),
            };
            if let Err(fault @ (Fault::TimedOut(_) | Fault::Exited(_) | Fault::TooLarge(..))) = &answer {
                self.log.line(&format!("RequestId: {id} Error: {fault}"));
            }
            self.report(id, duration, init);
            return Invocation { answer, init, duration };
        }
    }

    fn report(&self, id: &str, duration: Duration, init: Option<Duration>) {
        let ms = duration.as_secs_f64() * 1e3;
        let init = init.map_or_else(String::new, |init| format!("\tInit Duration: {:.2} ms", init.as_secs_f64() * 1e3));
        self.log.line(&format!("END RequestId: {id}"));
        self.log.line(&format!(
            "REPORT RequestId: {id}\tDuration: {ms:.2} ms\tBilled Duration: {:.0} ms\tMemory Size: {} MB{init}",
            ms.ceil(),
            self.settings.memory_mb
        ));
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Sandbox>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sandbox that was used last, if it is alive and runs the code as it is now.
    fn take_warm(&self) -> Option<Sandbox> {
        loop {
            let mut sandbox = self.idle().pop()?;
            let current = sandbox.idle_since.elapsed() < FRESH || sandbox.code == newest(&self.settings.source);
            if current && sandbox.is_alive() {
                return Some(sandbox);
            }
        }
    }

    async fn start(&self) -> Result<(Sandbox, Duration), Fault> {
        let began = Instant::now();
        let failed = |error: io::Error| Fault::Start(error.to_string());
        let code = newest(&self.settings.source);
        let (work, receiver) = mpsc::channel(1);
        let (sender, signals) = mpsc::unbounded_channel();
        let channel = Channel { work: AsyncMutex::new(receiver), signals: sender, current: Mutex::default() };
        let api = Listening::start(runtime_api(channel)).await.map_err(failed)?;
        let mut command = self.command(&api);
        let (mut child, group) = self.groups.spawn(&mut command).map_err(failed)?;
        self.log.follow(child.stdout.take());
        self.log.follow(child.stderr.take());
        let mut sandbox = Sandbox { child, _group: group, _api: api, work, signals, code, idle_since: began };
        let limit = INIT_TIMEOUT.max(self.settings.timeout);
        match tokio::time::timeout(limit, sandbox.first_signal()).await {
            Ok(Ok(())) => Ok((sandbox, began.elapsed())),
            Ok(Err(fault)) => Err(fault),
            Err(_) => Err(Fault::TimedOut(limit)),
        }
    }

    fn command(&self, api: &Listening) -> Command {
        let FunctionSettings { name, source, handler, memory_mb, environment, .. } = &self.settings;
        let search = self.python.home.join("bin");
        let mut command = Command::new(&self.python.python);
        command
            .args(["-m", "awslambdaric", handler])
            .current_dir(source)
            .env_clear()
            .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", search.display()))
            .env("LANG", "C.UTF-8")
            .env("TZ", ":UTC")
            // The function's folder is packaged and watched: nothing may appear in it.
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("LAMBDA_TASK_ROOT", source)
            .env("_HANDLER", handler)
            .env("AWS_LAMBDA_RUNTIME_API", api.address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory_mb.to_string())
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}"))
            .env("AWS_LAMBDA_LOG_STREAM_NAME", format!("local/[$LATEST]{}", api.address.port()))
            .env("AWS_EXECUTION_ENV", "AWS_Lambda_python3.11")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

/// One process of a function.
struct Sandbox {
    child: Child,
    _group: Group,
    _api: Listening,
    work: mpsc::Sender<Work>,
    signals: mpsc::UnboundedReceiver<Signal>,
    code: Option<SystemTime>,
    idle_since: Instant,
}

enum Handled {
    /// The sandbox can take another request.
    Answer(Result<Bytes, Fault>),
    /// The sandbox is of no more use.
    Lost(Fault),
    /// Neither is it now, but the handler has not seen the request.
    NotTaken(Fault),
}

impl Sandbox {
    fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    async fn first_signal(&mut self) -> Result<(), Fault> {
        tokio::select! {
            // A process that reports why it failed ends right after: the report comes first.
            biased;
            signal = self.signals.recv() => match signal {
                Some(Signal::Failed(fault)) => Err(fault),
                _ => Ok(()),
            },
            status = self.child.wait() => Err(exited(status)),
        }
    }

    async fn handle(&mut self, work: Work, timeout: Duration) -> Handled {
        let deadline = tokio::time::Instant::now() + timeout;
        let mut taken = false;
        // Signals left from before, such as that it is ready.
        while let Ok(signal) = self.signals.try_recv() {
            if let Signal::Failed(fault) = signal {
                return Handled::NotTaken(fault);
            }
        }
        if self.work.send(work).await.is_err() {
            return Handled::NotTaken(exited(self.child.wait().await));
        }
        loop {
            tokio::select! {
                biased;
                signal = self.signals.recv() => match signal {
                    Some(Signal::Ready) => {}
                    Some(Signal::Taken) => taken = true,
                    Some(Signal::Answered(answer)) => return Handled::Answer(Ok(answer)),
                    Some(Signal::Raised(fault)) => return Handled::Answer(Err(fault)),
                    Some(Signal::Failed(fault)) => return Handled::Lost(fault),
                    None => return Handled::Lost(exited(self.child.wait().await)),
                },
                status = self.child.wait() => {
                    let fault = exited(status);
                    return if taken { Handled::Lost(fault) } else { Handled::NotTaken(fault) };
                }
                () = tokio::time::sleep_until(deadline) => return Handled::Lost(Fault::TimedOut(timeout)),
            }
        }
    }
}

fn exited(status: io::Result<ExitStatus>) -> Fault {
    Fault::Exited(status.map_or_else(|error| error.to_string(), |status| status.to_string()))
}

/// When the newest file of a folder was changed; `None` when it cannot be told.
fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(folder).ok()?.flatten().filter(|entry| entry.file_name() != "__pycache__");
    let times = entries.filter_map(|entry| {
        let metadata = entry.metadata().ok()?;
        // A folder's own time tells of files that came or went.
        let below = if metadata.is_dir() { newest(&entry.path()) } else { None };
        metadata.modified().ok().max(below)
    });
    times.chain(std::fs::metadata(folder).and_then(|metadata| metadata.modified())).max()
}

struct Work {
    id: String,
    event: Bytes,
    deadline_ms: u64,
    arn: String,
    trace: String,
}

enum Signal {
    Ready,
    Taken,
    Answered(Bytes),
    /// The handler raised an exception; the process goes on.
    Raised(Fault),
    /// The process cannot go on.
    Failed(Fault),
}

/// What a sandbox and its Runtime API have in common.
struct Channel {
    work: AsyncMutex<mpsc::Receiver<Work>>,
    signals: mpsc::UnboundedSender<Signal>,
    /// The request that the process is at.
    current: Mutex<Option<String>>,
}

impl Channel {
    /// Whether `id` is the request under way; it no longer is afterwards.
    fn finish(&self, id: &str) -> bool {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.take_if(|current| current == id).is_some()
    }
}

fn runtime_api(channel: Channel) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(invocation_error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .layer(DefaultBodyLimit::max(MAX_ANSWER))
        .with_state(Arc::new(channel))
}

async fn next(State(channel): State<Arc<Channel>>) -> Response {
    let mut queue = channel.work.lock().await;
    let _ = channel.signals.send(Signal::Ready);
    let Some(work) = queue.recv().await else {
        return StatusCode::GONE.into_response();
    };
    *channel.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(work.id.clone());
    let _ = channel.signals.send(Signal::Taken);
    let headers = [
        ("Content-Type", "application/json".to_owned()),
        ("Lambda-Runtime-Aws-Request-Id", work.id),
        ("Lambda-Runtime-Deadline-Ms", work.deadline_ms.to_string()),
        ("Lambda-Runtime-Invoked-Function-Arn", work.arn),
        ("Lambda-Runtime-Trace-Id", work.trace),
    ];
    (headers, work.event).into_response()
}

async fn response(
    State(channel): State<Arc<Channel>>,
    UrlPath(id): UrlPath<String>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    if !channel.finish(&id) {
        return refused("InvalidRequestID", "Invalid request ID");
    }
    match body {
        Ok(body) => {
            let _ = channel.signals.send(Signal::Answered(body));
            accepted()
        }
        Err(_) => {
            let _ = channel.signals.send(Signal::Failed(Fault::TooLarge("Response payload", MAX_ANSWER)));
            let message = "Exceeded maximum allowed payload size";
            (StatusCode::PAYLOAD_TOO_LARGE, error("RequestEntityTooLarge", message)).into_response()
        }
    }
}

async fn invocation_error(
    State(channel): State<Arc<Channel>>,
    UrlPath(id): UrlPath<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !channel.finish(&id) {
        return refused("InvalidRequestID", "Invalid request ID");
    }
    let _ = channel.signals.send(Signal::Raised(raised(&headers, &body)));
    accepted()
}

async fn init_error(State(channel): State<Arc<Channel>>, headers: HeaderMap, body: Bytes) -> Response {
    let _ = channel.signals.send(Signal::Failed(raised(&headers, &body)));
    accepted()
}

fn accepted() -> Response {
    (StatusCode::ACCEPTED, json!({ "status": "OK" }).to_string()).into_response()
}

fn refused(kind: &str, message: &str) -> Response {
    (StatusCode::BAD_REQUEST, error(kind, message)).into_response()
}

fn error(kind: &str, message: &str) -> String {
    json!({ "errorMessage": message, "errorType": kind }).to_string()
}

/// Reads what a runtime reports of an exception. Reports of any shape are taken: they come from someone else's code.
fn raised(headers: &HeaderMap, body: &[u8]) -> Fault {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Report {
        error_type: String,
        error_message: String,
        stack_trace: Vec<String>,
    }
    let report: Report = serde_json::from_slice(body).unwrap_or_default();
    let header = || headers.get("lambda-runtime-function-error-type").and_then(|value| value.to_str().ok());
    let kind =
        if report.error_type.is_empty() { header().unwrap_or("Unhandled").to_owned() } else { report.error_type };
    let place = report.stack_trace.last().and_then(|frame| frame.lines().next()).map(|line| line.trim().to_owned());
    Fault::Raised { kind, message: report.error_message, place }
}

/// What the processes of a function print, with Lambda's own lines.
struct Log {
    function: String,
    file: Mutex<File>,
    observer: Observer,
}

impl Log {
    fn open(settings: &FunctionSettings, observer: Observer) -> io::Result<Self> {
        if let Some(folder) = settings.log.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = File::options().append(true).create(true).open(&settings.log)?;
        Ok(Self { function: settings.name.clone(), file: Mutex::new(file), observer })
    }

    /// A log that cannot be written to does not stop the function.
    fn line(&self, line: &str) {
        // The runtime joins the lines of a traceback with carriage returns and indents with no-break spaces.
        let line = line.replace('\r', "\n").replace('\u{a0}', " ");
        let _ = writeln!(self.file.lock().unwrap_or_else(PoisonError::into_inner), "{line}");
        (self.observer)(Event::Log { function: self.function.clone(), line });
    }

    fn follow(self: &Arc<Self>, stream: Option<impl AsyncRead + Unpin + Send + 'static>) {
        let Some(stream) = stream else { return };
        let log = self.clone();
        tokio::spawn(async move {
            let mut reader = BufReader::new(stream);
            while let Ok(Some(line)) = next_line(&mut reader).await {
                log.line(&line);
            }
        });
    }
}
