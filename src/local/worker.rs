//! A worker: a Python process that executes steps with the real engines, one JSON line per request.
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::files::{Doing, FileError};
use super::platform::signal;
use super::process::{self, Group, Groups};
use super::python::Environment;

/// What the worker said about a request that failed: the first cause, and where in the user's own code it came up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The exception's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its message.
    pub message: String,
    /// The user's file.
    #[serde(default)]
    pub file: Option<String>,
    /// The line in it, from 1.
    #[serde(default)]
    pub line: Option<u32>,
    /// What that line says.
    #[serde(default)]
    pub code: Option<String>,
    /// The whole traceback.
    #[serde(default)]
    pub detail: Option<String>,
}

/// A request was not answered with a result.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The engine, or the user's code in it, failed.
    #[error("{}: {}", .0.kind, .0.message)]
    Failed(Box<Failure>),
    /// The process could not be started.
    #[error("could not start `{}`", python.display())]
    Start {
        /// The interpreter.
        python: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The process ended in the middle.
    #[error("the engine's process {how}{}", last_words(said))]
    Died {
        /// `was killed by signal 9`, `ended with exit code 1`.
        how: String,
        /// It was killed by the system, which happens when memory runs out.
        killed: bool,
        /// The last lines that it wrote.
        said: Vec<String>,
    },
    /// The process answered something that is not an answer.
    #[error("the engine's process answered something else than it should: {0}")]
    Garbled(String),
    /// The disk said no.
    #[error(transparent)]
    File(#[from] FileError),
}

fn last_words(said: &[String]) -> String {
    said.last().map(|line| format!(": {line}")).unwrap_or_default()
}

impl WorkerError {
    /// What the user can do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Died { killed: true, .. } => Some(
                "the machine ran out of memory, most likely: close other programs or take fewer users (`--users`)"
                    .to_owned(),
            ),
            Self::File(error) => error.help(),
            _ => None,
        }
    }
}

/// How a worker is started.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its interpreter and packages.
    pub environment: Environment,
    /// Its current directory and place for temporary files.
    pub scratch: PathBuf,
    /// What it prints outside of requests goes here.
    pub log: PathBuf,
    /// Further environment variables.
    pub variables: Vec<(String, OsString)>,
}

/// A worker process. Its whole process group dies when this is dropped.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    group: Group,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    log: PathBuf,
    last_id: u64,
}

#[derive(Deserialize)]
struct Answer {
    id: u64,
    event: Option<String>,
    message: Option<String>,
    result: Option<Value>,
    error: Option<Failure>,
}

impl Worker {
    /// Starts the process; it is not waited for.
    pub fn start(groups: &Groups, settings: &Settings) -> Result<Self, WorkerError> {
        let Settings { environment, scratch, log, variables } = settings;
        std::fs::create_dir_all(scratch).doing("create", scratch)?;
        let stderr = File::options().append(true).create(true).open(log).doing("open", log)?;
        let mut command = Command::new(&environment.python);
        command
            .args(["-m", "lakegen_local.worker"])
            .current_dir(scratch)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr);
        python_variables(&mut command, environment, scratch);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        let refused = |source| WorkerError::Start { python: environment.python.clone(), source };
        let (mut child, group) = groups.spawn(&mut command).map_err(refused)?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(refused(std::io::Error::other("it has no standard input and output")));
        };
        Ok(Self { child, group, stdin, stdout: BufReader::new(stdout), log: log.clone(), last_id: 0 })
    }

    /// Sends a request and waits for its result. What the step prints is appended to `log`.
    pub async fn call(
        &mut self,
        op: &str,
        log: &Path,
        parameters: Map<String, Value>,
        progress: &(dyn Fn(&str) + Sync),
    ) -> Result<Value, WorkerError> {
        self.last_id += 1;
        let mut request = json!({ "id": self.last_id, "op": op, "log": log });
        if let Some(request) = request.as_object_mut() {
            request.extend(parameters);
        }
        let line = format!("{request}\n");
        if self.stdin.write_all(line.as_bytes()).await.is_err() {
            return Err(self.died(log).await);
        }
        loop {
            let Ok(Some(line)) = process::next_line(&mut self.stdout).await else {
                return Err(self.died(log).await);
            };
            let answer: Answer = serde_json::from_str(&line).map_err(|_| WorkerError::Garbled(line.clone()))?;
            match answer {
                Answer { id, .. } if id != self.last_id => return Err(WorkerError::Garbled(line)),
                Answer { event: Some(_), message, .. } => progress(message.as_deref().unwrap_or_default()),
                Answer { error: Some(failure), .. } => return Err(WorkerError::Failed(Box::new(failure))),
                Answer { result: Some(result), .. } => return Ok(result),
                Answer { .. } => return Err(WorkerError::Garbled(line)),
            }
        }
    }

    /// The process, as long as it has not ended.
    pub fn process(&self) -> Option<u32> {
        self.child.id()
    }

    /// Ends the process: it leaves when its input ends, and is killed if it has not left within five seconds.
    pub async fn stop(self) {
        let Self { mut child, group, stdin, .. } = self;
        drop(stdin);
        let _ = tokio::time::timeout(Duration::from_secs(5), child.wait()).await;
        drop(group);
    }

    async fn died(&mut self, log: &Path) -> WorkerError {
        let ended = tokio::time::timeout(Duration::from_secs(5), self.child.wait()).await;
        let status = ended.ok().and_then(Result::ok);
        let mut said = tail(log);
        if said.is_empty() {
            said = tail(&self.log);
        }
        WorkerError::Died { how: describe(status), killed: status.and_then(signal) == Some(9), said }
    }
}

fn describe(status: Option<ExitStatus>) -> String {
    match status.map(|status| (status.code(), signal(status))) {
        Some((Some(code), _)) => format!("ended with exit code {code}"),
        Some((None, Some(signal))) => format!("was killed by signal {signal}"),
        Some((None, None)) | None => "stopped answering".to_owned(),
    }
}

fn tail(log: &Path) -> Vec<String> {
    let text = std::fs::read(log).unwrap_or_default();
    let mut last = VecDeque::new();
    for line in String::from_utf8_lossy(&text).lines().filter(|line| !line.trim().is_empty()) {
        if last.len() == 5 {
            last.pop_front();
        }
        last.push_back(line.to_owned());
    }
    last.into()
}

/// What every Python process of the local environment is started with: its packages, a place for temporary files, and an AWS that
/// leads nowhere, so that no code reaches a real account by accident.
pub fn python_variables(command: &mut Command, environment: &Environment, scratch: &Path) {
    for name in [
        "PYTHONHOME",
        "PYTHONSTARTUP",
        "PYTHONUSERBASE",
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
        "AWS_ENDPOINT_URL",
        "SPARK_HOME",
    ] {
        command.env_remove(name);
    }
    command
        .env("PATH", process::search_path(&environment.home.join("bin")))
        .env("VIRTUAL_ENV", &environment.home)
        .env("PYTHONPATH", &environment.runtime)
        .env("PYTHONNOUSERSITE", "1")
        .env("PYTHONUTF8", "1")
        .env("TMPDIR", scratch)
        .env("AWS_ACCESS_KEY_ID", "local")
        .env("AWS_SECRET_ACCESS_KEY", "local")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Mutex;

    /// A worker whose interpreter is a shell script that reads the request into `$line` first.
    fn scripted(dir: &Path, script: &str) -> Settings {
        let python = dir.join("python");
        std::fs::write(&python, format!("#!/bin/sh\nread -r line\n{script}\n")).unwrap();
        std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).unwrap();
        let environment = Environment { python, runtime: dir.to_owned(), home: dir.to_owned() };
        Settings { environment, scratch: dir.join("scratch"), log: dir.join("worker.log"), variables: Vec::new() }
    }

    async fn answer(script: &str) -> (Result<Value, WorkerError>, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        let mut worker = Worker::start(&Groups::default(), &scripted(dir.path(), script)).unwrap();
        let told = Mutex::new(Vec::new());
        let progress = |message: &str| told.lock().unwrap().push(message.to_owned());
        let parameters = [("sql".to_owned(), json!("select 1"))].into_iter().collect();
        let result = worker.call("query", &dir.path().join("step.log"), parameters, &progress).await;
        worker.stop().await;
        (result, told.into_inner().unwrap())
    }

    #[tokio::test]
    async fn a_request_gets_its_progress_and_its_result() {
        let script = r#"
            case "$line" in *'"op":"query"'*'"sql":"select 1"'*) rows=3 ;; esac
            echo '{"id":1,"event":"progress","message":"reading"}'
            echo '{"id":1,"result":{"rows":'$rows'}}'"#;
        let (result, told) = answer(script).await;
        assert_eq!(result.unwrap(), json!({ "rows": 3 }));
        assert_eq!(told, ["reading"]);
    }

    #[tokio::test]
    async fn a_failure_keeps_its_place() {
        let script = r#"echo '{"id":1,"error":{"type":"KeyError","message":"x","file":"a.py","line":4,"code":"d[k]","detail":"..."}}'"#;
        let WorkerError::Failed(failure) = answer(script).await.0.unwrap_err() else { panic!() };
        assert_eq!(
            (failure.file.as_deref(), failure.line, failure.code.as_deref()),
            (Some("a.py"), Some(4), Some("d[k]"))
        );
    }

    #[tokio::test]
    async fn a_death_is_told_with_the_last_words() {
        let error = answer("echo 'ModuleNotFoundError: duckdb' >&2; exit 3").await.0.unwrap_err();
        assert_eq!(error.to_string(), "the engine's process ended with exit code 3: ModuleNotFoundError: duckdb");
        assert!(error.help().is_none());
        let error = answer("kill -9 $$").await.0.unwrap_err();
        assert_eq!(error.to_string(), "the engine's process was killed by signal 9");
        assert!(error.help().unwrap().contains("memory"));
    }

    #[tokio::test]
    async fn what_is_no_answer_is_an_error() {
        for line in ["hello", "{}", r#"{"id":2,"result":{}}"#, r#"{"id":1}"#] {
            let error = answer(&format!("echo '{line}'")).await.0.unwrap_err();
            assert!(matches!(error, WorkerError::Garbled(_)), "{line}: {error}");
        }
    }
}
