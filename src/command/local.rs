//! What the commands on the local environment share.

use crate::diagnostic::did_you_mean;
use crate::failure::{Exit, Failure};
use crate::lake::Lake;
use crate::local::outcome::{Event, Reporter};
use crate::local::process::Groups;
use crate::local::python::{self, Environment, Setup};
use crate::report::Report;

/// No such environment in the blueprint.
pub fn unknown_environment(environment: &str, lake: &Lake) -> Failure {
    let names = || std::iter::once("local").chain(lake.environments.iter().map(|known| known.name.as_str()));
    let help = did_you_mean(environment, names())
        .unwrap_or_else(|| format!("the environments are {}", names().collect::<Vec<_>>().join(", ")));
    Failure::usage(format!("no environment named `{environment}`"), Some(help))
}

/// The threads on which the local environment is watched.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// The world said no.
pub fn failed(error: impl std::error::Error + Send + Sync + 'static, help: Option<String>) -> Failure {
    Failure { exit: Exit::Edge, error: Some(Box::new(error)), help }
}

/// The Python environment, created with progress if need be.
pub async fn prepare(report: &Report, groups: &Groups) -> Result<Environment, Failure> {
    let fail = |error: python::PythonError| {
        let help = error.help();
        failed(error, help)
    };
    let cache = python::cache_dir().map_err(fail)?;
    let tell = |setup: Setup| report.event(Event::Setup(setup));
    let environment = python::prepare(&cache, groups, &tell).await.map_err(fail)?;
    report.clear();
    Ok(environment)
}
