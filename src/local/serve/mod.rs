//! The lake's API on this machine: what API Gateway, Lambda, DynamoDB, S3 and SageMaker's endpoints do for it in the cloud, each
//! on a port of its own on loopback, with the user's own handlers in between.

mod api;
pub mod attribute;
pub mod dynamodb;
mod event;
mod http;
pub mod runtime;
pub mod s3;
pub mod sagemaker;
mod site;
mod state;
pub mod store;
mod target;
mod token;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, Method, Uri};
use axum::response::{IntoResponse, Response};

use self::api::{Api, MAX_BODY, Parts};
pub use self::api::{INTEGRATION_TIMEOUT, Problem};
use self::dynamodb::DynamoDb;
pub use self::event::{Reply, Request};
use self::http::{Ids, Listening};
use self::runtime::Lambda;
use self::s3::S3;
use self::sagemaker::SageMaker;
pub use self::site::{Site, key_of, key_value_table};
pub use self::state::Running;
pub use self::target::{Target, TargetError};
use crate::local::process::Groups;
use crate::local::python::Environment;

/// Something that happened while serving.
#[derive(Clone, Debug)]
pub enum Event {
    /// A request was answered.
    Request {
        /// `GET`, `POST`, …
        method: String,
        /// As the client wrote it, without the query string.
        path: String,
        /// The status of the answer.
        status: u16,
        /// How long it took.
        took: Duration,
        /// Why it has no answer of the function.
        problem: Option<Problem>,
    },
    /// A function, or Lambda about it, said something.
    Log {
        /// The function's name.
        function: String,
        /// What; a traceback has several lines.
        line: String,
    },
    /// A model was loaded.
    ModelLoaded {
        /// The endpoint's name.
        endpoint: String,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request { method, path, status, took, problem } => {
                write!(f, "{method} {path} {status} {:.1} ms", took.as_secs_f64() * 1e3)?;
                problem.as_ref().map_or(Ok(()), |problem| write!(f, "\n  {problem}"))
            }
            Self::Log { function, line } => write!(f, "{function}: {line}"),
            Self::ModelLoaded { endpoint } => write!(f, "loaded the model of {endpoint}"),
        }
    }
}

/// Is told of every [`Event`].
pub type Observer = Arc<dyn Fn(Event) + Send + Sync>;

/// How to serve.
#[derive(Clone)]
pub struct Options {
    /// The address of the API; the other servers are always on loopback.
    pub host: IpAddr,
    /// The port of the API; 0 for any free one.
    pub port: u16,
    /// How many requests a function handles at once, each in a process of its own.
    pub concurrency: usize,
    /// How long the gateway waits for a function.
    pub timeout: Duration,
    /// Whether [`Running`] finds this server.
    pub announce: bool,
    /// Is told what happens.
    pub observer: Observer,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            concurrency: 10,
            timeout: INTEGRATION_TIMEOUT,
            announce: false,
            observer: Arc::new(|_| {}),
        }
    }
}

/// Serving could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The lake has no API.
    #[error("the blueprint has no `api`")]
    NoApi,
    /// The port is taken, or the address is not this machine's.
    #[error("could not listen on {host}:{port}: {source}")]
    Listen {
        /// The address asked for.
        host: IpAddr,
        /// The port asked for.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// A file or a server on loopback could not be made.
    #[error("could not {doing}: {source}")]
    Io {
        /// `write …`
        doing: String,
        /// Why.
        source: io::Error,
    },
}

impl ServeError {
    fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        |source| Self::Io { doing, source }
    }

    /// What the user can do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Listen { source, port, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                Some(format!("something else listens on port {port}; choose another one with `--port`"))
            }
            Self::NoApi => Some("add an `api` with at least one route".to_owned()),
            Self::Listen { .. } | Self::Io { .. } => None,
        }
    }
}

/// The running servers of a lake.
pub struct Server {
    address: SocketAddr,
    api: Arc<Api>,
    gateway: Listening,
    dynamodb: DynamoDb,
    s3: S3,
    sagemaker: SageMaker,
    announced: Option<state::Announcement>,
}

impl Server {
    /// Starts the servers. Functions and models start with the first request that needs them.
    ///
    /// # Errors
    /// When the port is taken or the environment's folder cannot be written.
    pub async fn start(
        site: Site,
        python: &Environment,
        groups: &Groups,
        options: Options,
    ) -> Result<Self, ServeError> {
        let Options { host, port, concurrency, timeout, announce, observer } = options;
        let Site { lake, region, base, tables, buckets, endpoints, functions, api } = site;
        let api = api.ok_or(ServeError::NoApi)?;
        let key = state::api_key(&base)?;
        let ids = Ids::new().map_err(ServeError::io("read random numbers"))?;
        let dynamodb = DynamoDb::start(tables).await.map_err(ServeError::io("start the local DynamoDB"))?;
        let s3 = S3::start(buckets).await.map_err(ServeError::io("start the local S3"))?;
        let sagemaker = SageMaker::start(endpoints, python.clone(), groups.clone(), observer.clone()).await;
        let sagemaker = sagemaker.map_err(ServeError::io("start the local SageMaker"))?;
        let cloud = [
            ("LAKE", lake.clone()),
            ("LAKE_ENV", event::STAGE.to_owned()),
            ("AWS_REGION", region.clone()),
            ("AWS_DEFAULT_REGION", region),
            ("AWS_ACCESS_KEY_ID", "local".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
            // Nothing of the user's own AWS set-up may reach a function.
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.url()),
            ("AWS_ENDPOINT_URL_S3", s3.url()),
            ("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", sagemaker.url()),
        ];
        let mut lambdas = Vec::with_capacity(functions.len());
        for mut settings in functions {
            let own = std::mem::take(&mut settings.environment);
            settings.environment =
                cloud.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).chain(own).collect();
            let name = settings.name.clone();
            let doing = format!("open the log of function `{name}`");
            let lambda = Lambda::new(
                settings,
                python.clone(),
                groups.clone(),
                ids.clone(),
                observer.clone(),
                concurrency.max(1),
            );
            lambdas.push(Arc::new(lambda.map_err(ServeError::io(doing))?));
        }
        let listener = http::bind(host, port).await.map_err(|source| ServeError::Listen { host, port, source })?;
        let address = listener.local_addr().map_err(|source| ServeError::Listen { host, port, source })?;
        let parts = Parts { functions: lambdas, key, ids, timeout, observer, port: address.port() };
        let api = Arc::new(Api::new(api, parts));
        let router = Router::new().fallback(answer).layer(DefaultBodyLimit::max(MAX_BODY)).with_state(api.clone());
        let gateway = Listening::on(listener, router).map_err(|source| ServeError::Listen { host, port, source })?;
        let announced = if announce { Some(state::announce(&base, address)?) } else { None };
        Ok(Self { address, api, gateway, dynamodb, s3, sagemaker, announced })
    }

    /// Where the API listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The key that clients send as `x-api-key`, if the API asks for one.
    pub fn api_key(&self) -> Option<&str> {
        self.api.key()
    }

    /// Where the local DynamoDB listens, as a URL.
    pub fn dynamodb_url(&self) -> String {
        self.dynamodb.url()
    }

    /// Where the local S3 listens, as a URL.
    pub fn s3_url(&self) -> String {
        self.s3.url()
    }

    /// Where the local SageMaker listens, as a URL.
    pub fn sagemaker_url(&self) -> String {
        self.sagemaker.url()
    }

    /// Asks the API, with its key, as a client would. Says also what went wrong when the gateway's answer keeps it to itself.
    pub async fn call(&self, target: Target, body: Bytes) -> (Reply, Option<Problem>) {
        let Target { method, path, query } = target;
        let mut headers = HeaderMap::new();
        let host = self.address.to_string();
        let key = self.api.key().unwrap_or_default().to_owned();
        let content = if body.is_empty() { "" } else { "application/json" };
        let authorization = self.api.authorization().unwrap_or_default();
        for (name, value) in [
            ("host", host.as_str()),
            ("user-agent", "lakegen"),
            ("accept", "*/*"),
            ("x-api-key", &key),
            ("content-type", content),
            ("authorization", &authorization),
        ] {
            if let (false, Ok(value)) = (value.is_empty(), HeaderValue::from_str(value)) {
                headers.insert(name, value);
            }
        }
        let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let request = Request { method, path, query, headers, body, source };
        self.api.handle(&request).await
    }

    /// Stops the servers and ends all processes.
    pub async fn stop(self) {
        drop(self.announced);
        self.api.functions().for_each(|lambda| lambda.stop());
        self.gateway.stop().await;
        self.sagemaker.stop().await;
        self.s3.stop().await;
        self.dynamodb.stop().await;
    }
}

async fn answer(
    State(api): State<Arc<Api>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let reply = match body {
        Ok(body) => {
            let (path, query) = (uri.path().to_owned(), uri.query().unwrap_or_default().to_owned());
            let request = Request { method, path, query, headers, body, source: client.ip() };
            api.handle(&request).await.0
        }
        Err(_) => api.too_large(),
    };
    let Reply { status, headers, body } = reply;
    (status, headers, body).into_response()
}
