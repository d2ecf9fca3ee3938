//! `lakegen query`

use serde_json::{Map, Value, json};

use super::Context;
use super::deployed::{self, Place};
use super::local::{failed, prepare, runtime};
use crate::cli::{Query, RowFormat};
use crate::diagnostic::did_you_mean;
use crate::failure::{Exit, Failure};
use crate::lake::{Environment, Home, Lake};
use crate::local::interrupt::Interrupt;
use crate::local::layout::Layout;
use crate::local::plan;
use crate::local::process::Groups;
use crate::local::worker::{Settings, Worker, WorkerError};
use crate::lower::Names;
use crate::operate::athena::{self, Answer, Question};
use crate::report::Report;
use crate::rows::Rows;
use crate::text::{counted, size};

pub fn run(args: &Query, context: &Context<'_>) -> Result<(), Failure> {
    let lake = context.lake()?;
    let known = || lake.workgroups.values().map(|group| group.name.as_str());
    if known().all(|name| name != args.workgroup) {
        let help = did_you_mean(&args.workgroup, known()).unwrap_or_else(|| "`workgroups` declares them".into());
        return Err(Failure::edge(format!("no workgroup named `{}`", args.workgroup), Some(help)));
    }
    let answer = match Place::of(&args.env, &lake)? {
        Place::Local => runtime()?.block_on(ask(args, &lake, &Report::new(context.console)))?,
        Place::Cloud(lake, environment) => {
            let answer = runtime()?.block_on(ask_athena(args, lake, environment))?;
            let Answer { rows, scanned, took } = answer;
            context.console.note(&format!("scanned {} in {:.1} s", size(scanned), took.as_secs_f64()));
            rows
        }
    };
    let format = if context.console.json { RowFormat::Json } else { args.format };
    context.console.result(&answer.render(format))?;
    if answer.truncated {
        context.console.note(&format!("the first {}; `--limit` shows more", counted(answer.rows.len(), "row")));
    }
    Ok(())
}

async fn ask_athena(args: &Query, lake: &Lake, environment: &Environment) -> Result<Answer, Failure> {
    let mut interrupt = Interrupt::listen()?;
    let (session, deployed) = deployed::find(lake, environment).await?;
    let output = Names::work_group_output(&args.workgroup);
    let work_group = deployed.require(&output, "workgroup for queries").map_err(deployed::failure)?;
    let database = Names::new(&lake.name, &environment.name).database();
    let question = Question { sql: &args.sql, work_group, database: &database, limit: args.limit as usize };
    athena::ask(&session, question, &mut interrupt).await.map_err(deployed::failure)
}

async fn ask(args: &Query, lake: &Lake, report: &Report) -> Result<Rows, Failure> {
    let layout = Layout::new(&lake.root);
    let groups = Groups::default();
    let tables: Vec<Value> = lake
        .tables
        .iter()
        .filter_map(|(id, table)| {
            let dir = plan::place(lake, &layout, id);
            let there = match &table.home {
                Home::View { reads, .. } => reads.iter().all(|id| {
                    matches!(lake.tables[*id].home, Home::View { .. }) || plan::place(lake, &layout, *id).is_dir()
                }),
                Home::Zone { .. } | Home::DynamoDb { .. } => dir.is_dir(),
            };
            if there { plan::table_source(table, &dir) } else { None }
        })
        .collect();
    if tables.is_empty() {
        let help = "`lakegen run --env local` fills it".to_owned();
        return Err(Failure::edge("the local lake holds no tables yet", Some(help)));
    }
    let environment = prepare(report, &groups).await?;
    let scratch = tempfile::tempdir()?;
    let log = scratch.path().join("query.log");
    let settings =
        Settings { environment, scratch: scratch.path().to_owned(), log: log.clone(), variables: Vec::new() };
    let explain = |error: WorkerError| {
        let help = error.help();
        match error {
            WorkerError::Failed(failure) => {
                let missing = lake.tables.iter().filter(|(id, _)| !plan::place(lake, &layout, *id).is_dir());
                let names: Vec<&str> = missing.map(|(_, table)| table.name.as_str()).collect();
                let named = names.iter().any(|name| failure.message.contains(name));
                let help = named.then(|| "the table is empty as yet: `lakegen run --env local` fills it".to_owned());
                Failure { exit: Exit::Edge, error: Some(failure.message.clone().into()), help }
            }
            other => failed(other, help),
        }
    };
    let mut worker = Worker::start(&groups, &settings).map_err(explain)?;
    let mut request = Map::new();
    request.insert("sql".into(), json!(args.sql));
    request.insert("tables".into(), json!(tables));
    request.insert("limit".into(), json!(args.limit));
    let statements = lake.statements.values().map(|statement| (statement.name.clone(), json!(statement.sql)));
    request.insert("statements".into(), Value::Object(statements.collect()));
    let result = worker.call("select", &log, request, &|_| {}).await.map_err(explain)?;
    worker.stop().await;
    serde_json::from_value(result).map_err(|error| Failure::edge(error, None))
}
