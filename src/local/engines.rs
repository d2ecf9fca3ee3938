//! The processes that do the work of the steps: DuckDB workers, the one Spark session, a process for each training, and the
//! DynamoDB endpoint that jobs write to.
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::layout::Layout;
use super::memory::Meter;
use super::plan::{self, Request};
use super::process::Groups;
use super::python::Environment;
use super::schedule::{Capacity, Lane};
use super::serve::dynamodb::{DynamoDb, KeyValueTable};
use super::serve::key_value_table;
use super::worker::{Settings, Worker, WorkerError};
use crate::lake::{Lake, Table};

/// Why a step has no result.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The worker says so.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// It took longer than the blueprint allows.
    #[error("it was stopped after {}", crate::text::counted(*.0 as usize, "minute"))]
    Timeout(u32),
}

/// What this machine can do at a time, for raw data of `bytes`.
pub fn capacity(bytes: u64) -> Capacity {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let free_mb = free_memory_mb().unwrap_or(4096);
    let data_mb = bytes >> 20;
    // Measured at 20 MB of raw data: 250 for a DuckDB worker, 1,200 for Spark with a heap of 1 GB, 350 for a training.
    Capacity {
        memory_mb: (free_mb / 4 * 3).max(2000),
        cores,
        sql_mb: 300 + data_mb.min(free_mb / 4),
        spark_mb: spark_heap_mb(data_mb, free_mb) + 300,
        training_mb: 400 + data_mb.min(free_mb / 4),
    }
}

fn spark_heap_mb(data_mb: u64, free_mb: u64) -> u64 {
    (data_mb * 2).min(free_mb / 2).max(1024)
}

fn free_memory_mb() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kb| kb >> 10)
}

/// The most memory that a step's processes took, in bytes; 0 where nothing is known.
#[derive(Debug, Default)]
pub struct Peak(AtomicU64);

impl Peak {
    /// What it was.
    pub fn bytes(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0)
    }

    fn raise(&self, bytes: Option<u64>) {
        self.0.fetch_max(bytes.unwrap_or(0), Ordering::Relaxed);
    }
}

/// What a step prints, tells and takes while it is executed.
pub struct Traces<'a> {
    /// Where its output goes.
    pub log: &'a Path,
    /// Takes what it says of how far it is.
    pub progress: &'a (dyn Fn(&str) + Sync),
    /// Keeps the most memory that it took.
    pub peak: &'a Peak,
}

/// The engines of one run.
pub struct Engines {
    groups: Groups,
    meter: Meter,
    settings: Settings,
    logs: PathBuf,
    idle: Mutex<Vec<Worker>>,
    spark: tokio::sync::Mutex<Option<Worker>>,
    _dynamodb: Option<DynamoDb>,
}

impl Engines {
    /// Starts what all steps share. `logs` takes what workers print outside of steps, `bytes` is the size of the raw data.
    pub async fn start(
        lake: &Lake,
        layout: &Layout,
        environment: &Environment,
        (groups, meter): (&Groups, &Meter),
        logs: &Path,
        bytes: u64,
    ) -> io::Result<Self> {
        let staging = layout.staging();
        let scratch = staging.join("scratch");
        let capacity = capacity(bytes);
        let heap_mb = capacity.spark_mb - 300;
        let spark = json!({
            "memory": format!("{heap_mb}m"),
            "cores": capacity.cores,
            "partitions": capacity.cores.max(usize::try_from(bytes >> 25).unwrap_or(usize::MAX).min(400)),
            "archive": environment.archive(),
            // The second compiler pays for itself only when jobs run for minutes.
            "c1": bytes < 200 << 20,
            "local_dir": scratch.join("spark"),
        });
        let duckdb = json!({ "memory": format!("{}MB", capacity.sql_mb.max(512)), "temp_dir": scratch.join("duckdb") });
        let mut variables = vec![
            ("LAKEGEN_SPARK".to_owned(), spark.to_string().into()),
            ("LAKEGEN_DUCKDB".to_owned(), duckdb.to_string().into()),
        ];
        let tables = key_value_tables(lake, layout);
        let dynamodb = if tables.is_empty() { None } else { Some(DynamoDb::start(tables).await?) };
        variables.extend(dynamodb.iter().map(|db| ("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), db.url().into())));
        let settings = Settings { environment: environment.clone(), scratch, log: logs.join("workers.log"), variables };
        Ok(Self {
            groups: groups.clone(),
            meter: meter.clone(),
            settings,
            logs: logs.to_owned(),
            idle: Mutex::default(),
            spark: tokio::sync::Mutex::default(),
            _dynamodb: dynamodb,
        })
    }

    /// Starts the Spark session ahead of the first job. A failure is told by that job, which tries again.
    pub async fn warm(&self) {
        let mut spark = self.spark.lock().await;
        if let Ok(mut worker) = Worker::start(&self.groups, &self.settings) {
            let log = self.logs.join("spark.log");
            if worker.call("warm", &log, Map::new(), &|_| ()).await.is_ok() {
                *spark = Some(worker);
            }
        }
    }

    /// Ends the Spark session; waits for it, so that the session can leave what makes the next start faster.
    pub async fn stop_spark(&self) {
        if let Some(worker) = self.spark.lock().await.take() {
            worker.stop().await;
        }
    }

    /// Does what a step asks.
    pub async fn execute(&self, lane: Lane, request: Request, traces: &Traces<'_>) -> Result<Value, EngineError> {
        let Request { op, parameters, timeout_minutes } = request;
        let work = self.call(lane, op, parameters, traces);
        match timeout_minutes {
            None => Ok(work.await?),
            Some(minutes) => tokio::time::timeout(Duration::from_secs(60 * u64::from(minutes)), work)
                .await
                .map_err(|_| EngineError::Timeout(minutes))?
                .map_err(EngineError::from),
        }
    }

    async fn call(
        &self,
        lane: Lane,
        op: &str,
        parameters: Map<String, Value>,
        traces: &Traces<'_>,
    ) -> Result<Value, WorkerError> {
        // A worker is put back only after an answer: one that was given up in the middle dies with its step.
        match lane {
            Lane::Sql => {
                let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let mut worker = idle.map_or_else(|| Worker::start(&self.groups, &self.settings), Ok)?;
                let result = self.watched(&mut worker, op, parameters, traces).await;
                if is_answer(&result) {
                    self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
                }
                result
            }
            Lane::Spark => {
                let mut spark = self.spark.lock().await;
                let mut worker = spark.take().map_or_else(|| Worker::start(&self.groups, &self.settings), Ok)?;
                let result = self.watched(&mut worker, op, parameters, traces).await;
                if is_answer(&result) {
                    *spark = Some(worker);
                }
                result
            }
            Lane::Training => {
                let mut worker = Worker::start(&self.groups, &self.settings)?;
                self.watched(&mut worker, op, parameters, traces).await
            }
        }
    }

    /// A worker's answer, while its memory is watched.
    async fn watched(
        &self,
        worker: &mut Worker,
        op: &str,
        parameters: Map<String, Value>,
        traces: &Traces<'_>,
    ) -> Result<Value, WorkerError> {
        let Traces { log, progress, peak } = traces;
        let process = worker.process();
        process.iter().for_each(|process| self.meter.watch(*process));
        let result = worker.call(op, log, parameters, *progress).await;
        peak.raise(process.and_then(|process| self.meter.unwatch(process)));
        result
    }
}

fn is_answer(result: &Result<Value, WorkerError>) -> bool {
    matches!(result, Ok(_) | Err(WorkerError::Failed(_)))
}

/// Every key-value table twice: as it is, and as the job that writes it is about to make it.
fn key_value_tables(lake: &Lake, layout: &Layout) -> Vec<KeyValueTable> {
    let both = |table: &Table| {
        let now = key_value_table(lake, layout, table)?;
        let next = table.writer.map(|writer| KeyValueTable {
            name: plan::new_dynamodb_name(lake, table),
            key: now.key.clone(),
            dir: layout.staging().join(format!("{}-{}", writer.kind(), lake.step_name(writer))).join(&table.name),
        });
        Some(std::iter::once(now).chain(next))
    };
    lake.tables.values().filter_map(both).flatten().collect()
}
