//! SageMaker's `InvokeEndpoint` in front of model servers: one process per model, started by the first request.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path as UrlPath, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use super::http::{Ids, Listening, Stop};
use super::{Event, Observer};
use crate::local::platform::{Version, version};
use crate::local::process::{Group, Groups, next_line, search_path};
use crate::local::python::Environment;

/// The largest body of a request, in bytes.
const MAX_BODY: usize = 6 * 1024 * 1024;
/// How long a model may take to answer.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a model may take to load.
const LOAD_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a server that did not answer in time may take to say that it is well.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
const ATTRIBUTES: HeaderName = HeaderName::from_static("x-amzn-sagemaker-custom-attributes");

/// Where the artifact of a model is at the moment; `None` when none was trained yet.
pub type Artifact = Arc<dyn Fn() -> Option<PathBuf> + Send + Sync>;

/// A model that has an endpoint.
#[derive(Clone)]
pub struct ModelEndpoint {
    /// The endpoint's name.
    pub name: String,
    /// Its `model.tar.gz`. Asked before each request: when a newer one appears, that is served.
    pub artifact: Artifact,
    /// The file that takes what the model server prints.
    pub log: PathBuf,
}

/// A SageMaker runtime endpoint on loopback.
pub struct SageMaker {
    state: Arc<Endpoints>,
    listening: Listening,
}

impl SageMaker {
    /// Serves `endpoints` on a free port. No model is loaded before it is asked for.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(
        endpoints: Vec<ModelEndpoint>,
        python: Environment,
        groups: Groups,
        observer: Observer,
    ) -> io::Result<Self> {
        let endpoints = endpoints
            .into_iter()
            .map(|endpoint| (endpoint.name.clone(), Model { endpoint, running: Mutex::new(None) }));
        let state = Arc::new(Endpoints {
            endpoints: endpoints.collect(),
            python,
            groups,
            observer,
            ids: Ids::new()?,
            client: reqwest::Client::builder().no_proxy().build().map_err(io::Error::other)?,
            stop: Stop::new(),
        });
        let router = Router::new()
            .route("/endpoints/{name}/invocations", post(invoke))
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .with_state(state.clone());
        Ok(Self { state, listening: Listening::start(router).await? })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listening.address
    }

    /// The value of `AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME`.
    pub fn url(&self) -> String {
        self.listening.url()
    }

    /// Stops, and ends the model servers.
    pub async fn stop(self) {
        self.state.stop.stop();
        self.listening.stop().await;
        for model in self.state.endpoints.values() {
            model.running.lock().await.take();
        }
    }
}

struct Endpoints {
    endpoints: HashMap<String, Model>,
    python: Environment,
    groups: Groups,
    observer: Observer,
    ids: Ids,
    client: reqwest::Client,
    stop: Stop,
}

struct Model {
    endpoint: ModelEndpoint,
    running: Mutex<Option<Running>>,
}

impl Model {
    /// Ends the server at `port`, if it is still this model's.
    async fn forget(&self, port: u16) {
        self.running.lock().await.take_if(|running| running.process.port == port);
    }
}

struct Running {
    artifact: Version,
    process: Process,
}

/// A model server.
struct Process {
    port: u16,
    /// Holds the other end of its standard input, whose end it would take for ours.
    child: Child,
    _group: Group,
    /// Where it unpacks the model.
    _scratch: tempfile::TempDir,
}

/// An error as AWS's SDKs read it.
#[derive(Debug)]
enum Failure {
    Validation(String),
    /// The model failed: the status and the text that it gave.
    Model(u16, String),
    Internal(String),
}

impl Failure {
    fn response(self, endpoint: &str) -> Response {
        let log = format!("arn:aws:logs:local:000000000000:log-group:/aws/sagemaker/Endpoints/{endpoint}");
        let (status, kind, body) = match self {
            Self::Validation(message) => (StatusCode::BAD_REQUEST, "ValidationError", json!({ "Message": message })),
            Self::Internal(message) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", json!({ "Message": message }))
            }
            Self::Model(original, text) => {
                let side = if (400..500).contains(&original) { "client" } else { "server" };
                let body = json!({
                    "ErrorCode": format!("{}_ERROR_FROM_MODEL", side.to_uppercase()),
                    "LogStreamArn": log,
                    "Message": format!("Received {side} error ({original}) from primary with message \"{text}\"."),
                    "OriginalMessage": text,
                    "OriginalStatusCode": original,
                });
                (StatusCode::FAILED_DEPENDENCY, "ModelError", body)
            }
        };
        let headers = [("content-type", "application/json"), ("x-amzn-errortype", kind)];
        (status, headers, body.to_string()).into_response()
    }
}

async fn invoke(
    State(state): State<Arc<Endpoints>>,
    UrlPath(name): UrlPath<String>,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Response {
    let id = state.ids.uuid();
    let stopped = || Err(Failure::Internal("the server stops".into()));
    // A task of its own: when a client has no more patience, the model that it asked for still starts, and the next one finds it.
    let work = tokio::spawn(async move {
        let answer = state.stop.unless_stopped(state.invoke(&name, &headers, body)).await.unwrap_or_else(stopped);
        answer.unwrap_or_else(|failure| failure.response(&name))
    });
    let failed = |error: tokio::task::JoinError| Failure::Internal(error.to_string()).response("");
    let mut response = work.await.unwrap_or_else(failed);
    if let Ok(id) = id.parse() {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}

impl Endpoints {
    async fn invoke(
        &self,
        name: &str,
        headers: &HeaderMap,
        body: Result<Bytes, axum::extract::rejection::BytesRejection>,
    ) -> Result<Response, Failure> {
        let missing = || Failure::Validation(format!("Endpoint {name} of account 000000000000 not found."));
        let model = self.endpoints.get(name).ok_or_else(missing)?;
        let artifact = (model.endpoint.artifact)().ok_or_else(missing)?;
        let body = body.map_err(|_| Failure::Validation(format!("Body must be at most {MAX_BODY} bytes")))?;
        // A server that died is started anew, once per request.
        let mut last = None;
        for _ in 0..2 {
            let port = self.running(model, &artifact).await?;
            match self.send(port, headers, body.clone()).await {
                Ok(answer) => return passed(answer).await,
                Err(error) if error.is_timeout() => {
                    if !self.is_healthy(port).await {
                        model.forget(port).await;
                    }
                    let message = "Your invocation timed out while waiting for a response from container primary.";
                    return Err(Failure::Model(0, message.into()));
                }
                Err(error) => last = Some(error),
            }
            model.forget(port).await;
        }
        let cause = last.map_or_else(String::new, |error| error.to_string());
        Err(Failure::Internal(format!("the model server of {name} does not answer: {cause}")))
    }

    async fn send(&self, port: u16, headers: &HeaderMap, body: Bytes) -> reqwest::Result<reqwest::Response> {
        let mut request = self.client.post(format!("http://127.0.0.1:{port}/invocations")).timeout(TIMEOUT).body(body);
        for name in [header::CONTENT_TYPE, header::ACCEPT, ATTRIBUTES] {
            if let Some(value) = headers.get(&name) {
                request = request.header(name, value);
            }
        }
        request.send().await
    }

    async fn is_healthy(&self, port: u16) -> bool {
        let ping = self.client.get(format!("http://127.0.0.1:{port}/ping")).timeout(PING_TIMEOUT).send().await;
        ping.is_ok_and(|answer| answer.status().is_success())
    }

    /// The port of the model's server, which serves `artifact`.
    async fn running(&self, model: &Model, artifact: &Path) -> Result<u16, Failure> {
        let ModelEndpoint { name, log, .. } = &model.endpoint;
        let metadata = tokio::fs::metadata(artifact).await;
        let identity = metadata.map(|file| version(&file));
        let identity = identity.map_err(|error| Failure::Internal(format!("{}: {error}", artifact.display())))?;
        let mut running = model.running.lock().await;
        if let Some(known) = running.as_mut()
            && known.artifact == identity
            && matches!(known.process.child.try_wait(), Ok(None))
        {
            return Ok(known.process.port);
        }
        running.take();
        let process = self.launch(artifact, log).await.map_err(|error| match error {
            Launch::Failed(text) => Failure::Model(500, text),
            Launch::Io(error) => Failure::Internal(error.to_string()),
        })?;
        let port = process.port;
        (self.observer)(Event::ModelLoaded { endpoint: name.clone() });
        *running = Some(Running { artifact: identity, process });
        Ok(port)
    }

    async fn launch(&self, artifact: &Path, log: &Path) -> Result<Process, Launch> {
        let scratch = tempfile::tempdir()?;
        if let Some(folder) = log.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let log_file = std::fs::File::create(log)?;
        let mut command = Command::new(&self.python.python);
        command
            .args(["-m", "lakegen_local.model_server", "--port", "0", "--model"])
            .arg(artifact)
            .env_clear()
            .env("PATH", search_path(&self.python.home.join("bin")))
            .env("LANG", "C.UTF-8")
            .env("PYTHONPATH", &self.python.runtime)
            .env("PYTHONUNBUFFERED", "1")
            .env("TMPDIR", scratch.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log_file.try_clone()?);
        let (mut child, group) = self.groups.spawn(&mut command)?;
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("the model server has no output"))?;
        let mut reader = BufReader::new(stdout);
        let mut log_file = tokio::fs::File::from_std(log_file);
        let ready = async {
            while let Some(line) = next_line(&mut reader).await? {
                #[derive(Deserialize)]
                struct Ready {
                    port: u16,
                }
                if let Ok(Ready { port }) = serde_json::from_str(&line) {
                    return Ok(Some(port));
                }
                log_file.write_all(format!("{line}\n").as_bytes()).await?;
            }
            Ok::<_, io::Error>(None)
        };
        let port = tokio::time::timeout(LOAD_TIMEOUT, ready).await;
        match port {
            Ok(Ok(Some(port))) => {
                // What a handler prints must not fill the pipe.
                tokio::spawn(async move { tokio::io::copy(&mut reader, &mut log_file).await });
                Ok(Process { port, child, _group: group, _scratch: scratch })
            }
            Ok(Ok(None)) => {
                child.wait().await?;
                let said = tokio::fs::read_to_string(log).await.unwrap_or_default();
                let last = said.lines().rev().map(str::trim).find(|line| !line.is_empty());
                Err(Launch::Failed(last.unwrap_or("the model server ended without a word").to_owned()))
            }
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(Launch::Failed(format!("the model did not load within {} seconds", LOAD_TIMEOUT.as_secs()))),
        }
    }
}

enum Launch {
    Failed(String),
    Io(io::Error),
}

impl From<io::Error> for Launch {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

async fn passed(answer: reqwest::Response) -> Result<Response, Failure> {
    let status = answer.status();
    let headers = answer.headers().clone();
    let body = answer.bytes().await.map_err(|error| Failure::Internal(error.to_string()))?;
    if !status.is_success() {
        return Err(Failure::Model(status.as_u16(), String::from_utf8_lossy(&body).into_owned()));
    }
    let mut response = ([("x-amzn-invoked-production-variant", "AllTraffic")], body).into_response();
    for name in [header::CONTENT_TYPE, ATTRIBUTES] {
        if let Some(value) = headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    Ok(response)
}
