//! Glue jobs.

use std::borrow::Cow;

use super::grant::{self, Grant, Items};
use super::lake_formation::{self, Uses};
use super::names::Kind;
use super::table::Catalog;
use super::{Context, Shared, asset_bucket, crawler, logs, visual};
use crate::assembly::StackTemplate;
use crate::cfn::glue::{self, ExecutionProperty, JobCommand, NotificationProperty, Parameters};
use crate::cfn::iam::{Principal, Statement, Unscoped};
use crate::cfn::lambda::Function;
use crate::cfn::{Arn, IntoNode, TagMap, Text, Value, sub};
use crate::lake::{Id, Job, Script};

/// Where files of jobs are in the work bucket.
pub(super) const WORK: &str = "jobs/";

/// Adds the log groups of all jobs: Glue puts a job's streams into `<prefix>/error` and `<prefix>/output`.
///
/// Source: "Logging for AWS Glue jobs", `--custom-logGroup-prefix`, where no security configuration encrypts them; Glue 5.0 and newer.
pub(super) fn lower_logs(cx: &Context, stack: &mut StackTemplate, shared: &Shared) {
    for (kind, name) in [(Kind::JobErrors, "error"), (Kind::JobOutput, "output")] {
        let group = logs::name(format!("{}/{name}", shared.job_logs));
        logs::add(cx, stack, kind.fixed(), &group, &shared.key);
    }
}

pub(super) fn lower(
    cx: &Context,
    stack: &mut StackTemplate,
    shared: &Shared,
    catalog: &Catalog,
    registrar: Option<&Value<Arn<Function>>>,
    id: Id<Job>,
    job: &Job,
) {
    let Job {
        name,
        script,
        modules: _,
        reads,
        writes,
        arguments: _,
        worker_type,
        workers,
        auto_scaling,
        timeout_minutes,
        glue_version,
        packages: _,
        spark: _,
        parameters: _,
        retries,
        flexible,
        bookmarks: _,
        concurrency,
        notify_after_minutes,
        in_aws,
    } = job;
    let assets = cx.assets.job(id);
    let asset_bucket = asset_bucket(stack);
    let role_name = cx.names.role("job", in_aws);
    let work = format!("{WORK}{in_aws}/");
    let statements = Grant::default()
        .through_s3a()
        .read(cx, reads, Items::Scan)
        .write(cx, writes)
        .work(&shared.work_bucket, &work)
        .assets(&asset_bucket, std::iter::once(&assets.script).chain(&assets.modules))
        .and([Statement::unscoped("PutMetrics", [Unscoped::CLOUDWATCH_PUT_METRIC_DATA]).only_if(
            "StringEquals",
            "cloudwatch:namespace",
            "Glue".into(),
        )])
        .and([Statement::unscoped("ReadSecurity", [Unscoped::GLUE_GET_SECURITY_CONFIGURATION])])
        .and([grant::make_and_write_logs(&shared.job_logs), grant::use_key_for_logs(&shared.key)])
        .and(match script {
            Script::File(_) => Vec::new(),
            // The script that Glue Studio makes of the nodes finds tables through the catalog.
            Script::Visual(_) => grant::read_catalog(cx, reads).into_iter().chain(lake_formation::access(cx)).collect(),
        })
        .statements(&shared.key);
    let trust = Statement::assume(Principal::Service("glue.amazonaws.com"));
    let description = format!("What the job {name} may do");
    let role = grant::add_role(cx, stack, Kind::JobRole.of(in_aws), &role_name, &description, trust, statements);
    if let Script::Visual(_) = script {
        let tables = vec![(&reads[..], lake_formation::READ)];
        lake_formation::permit(cx, stack, catalog, &role, Uses { tables, ..Uses::default() });
    }

    let asset =
        |path: &crate::assembly::AssetPath| -> Value<Text> { sub!["s3://", &asset_bucket, "/", path.to_string()] };
    let place = |folder: &str| -> Value<Text> { sub!["s3://", &shared.work_bucket, "/", &work, folder] };
    let mut all: Parameters = Vec::new();
    let mut set = |name: &str, value: Value<Text>| all.push((Cow::Owned(format!("--{name}")), value));
    set("job-language", "python".into());
    if *auto_scaling {
        set("enable-auto-scaling", "true".into());
    }
    set("enable-metrics", "true".into());
    set("enable-observability-metrics", "true".into());
    set("custom-logGroup-prefix", Value::literal(shared.job_logs.clone()));
    set("enable-spark-ui", "true".into());
    set("spark-event-logs-path", place("events/"));
    set("TempDir", place("temporary/"));
    if !assets.modules.is_empty() {
        let modules = assets.modules.iter().map(asset).enumerate();
        let pieces = modules.flat_map(|(index, path)| [if index == 0 { "" } else { "," }.into(), path.into()]);
        set("extra-py-files", Value::concat(pieces));
    }
    for &table in reads.iter().chain(writes.iter().filter(|table| !reads.contains(table))) {
        set(&cx.lake.tables[table].name, cx.location(table));
    }
    for (name, value) in job.settings() {
        set(&name, Value::literal(value));
    }

    let job = glue::Job {
        mode: match script {
            Script::File(_) => "SCRIPT",
            Script::Visual(_) => "VISUAL",
        },
        name: Value::literal(cx.names.plain(&[in_aws], 255)),
        description: format!("Writes {}", crawler::names(cx, writes)),
        role: role.arn(),
        command: JobCommand {
            name: "glueetl",
            python_version: "3",
            script: sub!["s3://", &asset_bucket, "/", assets.script.to_string()],
        },
        arguments: all,
        glue_version: glue_version.clone(),
        worker_type: worker_type.clone(),
        workers: *workers,
        timeout_minutes: *timeout_minutes,
        retries: *retries,
        notification: notify_after_minutes.map(|delay_minutes| NotificationProperty { delay_minutes }),
        execution: ExecutionProperty { concurrent_runs: *concurrency },
        execution_class: if *flexible { "FLEX" } else { "STANDARD" },
        // Glue queues no runs that it tries again by itself, and none that wait for spare machines. Source: "Introducing job queuing to
        // scale your AWS Glue workloads" of the AWS Big Data Blog.
        queuing: *retries == 0 && !*flexible,
        security: shared.job_security.clone(),
        tags: TagMap(cx.tag_list()),
    };
    match (script, registrar) {
        (Script::Visual(graph), Some(registrar)) => {
            let settings = job.told();
            let job = stack.template.add(Kind::GlueJob.of(in_aws), job);
            visual::lower(cx, stack, shared, registrar, (in_aws, graph), (&job, &settings));
        }
        _ => {
            stack.template.add(Kind::GlueJob.of(in_aws), job);
        }
    }
}
