//! Visual jobs in Glue Studio: the nodes of a job as `CodeGenConfigurationNodes`, which CloudFormation does not carry and a function
//! of ours registers.
//!
//! Source: "AWS Glue Visual Job API" and the model of `UpdateJob`. Registering nodes makes Glue write a script of its own; it goes to
//! the work bucket, and the job keeps the one that lakegen wrote, because that is the one that was tried.

use serde_json::{Value as Json, json};

use super::function::{self, Own};
use super::grant::Grant;
use super::job::WORK;
use super::names::{Kind, arn, function_arn, role_arn, sha256};
use super::{Context, Shared};
use crate::assembly::StackTemplate;
use crate::cfn::custom::VisualJob;
use crate::cfn::iam::{Action, Statement};
use crate::cfn::lambda::{Code, Function};
use crate::cfn::{Arn, Piece, Ref, Text, Value, glue, sub};
use crate::lake::{Arena, Column, Format, Home, Job, Script};
use crate::visual::{Graph, Node, Operation, select};

/// Within which time the function answers.
const SECONDS: u32 = 120;

/// Where in the work bucket Glue puts the script that it makes of a job's nodes.
fn studio_script(job: &str) -> String {
    format!("{WORK}{job}/studio.py")
}

/// The function that registers nodes, when there are visual jobs; the `first` stack has it.
pub(super) fn registrar(
    cx: &Context,
    stack: &mut StackTemplate,
    shared: &Shared,
    jobs: &Arena<Job>,
    first: bool,
) -> Option<Value<Arn<Function>>> {
    if !jobs.values().any(|job| matches!(job.script, Script::Visual(_))) {
        return None;
    }
    let name = cx.names.plain(&["visual-jobs"], 64);
    if !first {
        return Some(function_arn(&name));
    }
    // All jobs of the lake: one more does not change the role, and hundreds do not outgrow it.
    let jobs: Value<Arn<glue::Job>> = arn("glue", sub!["job/", cx.names.plain(&["*"], usize::MAX)]);
    let roles = role_arn(&cx.names.plain(&["job", "*"], usize::MAX));
    let statements = Grant::default()
        .work(&shared.work_bucket, &studio_script("*"))
        .and([
            Statement::allow("RegisterNodes", [Action::GLUE_GET_JOB, Action::GLUE_UPDATE_JOB], [jobs.pattern()]),
            Statement::allow("PassRoles", [Action::IAM_PASS_ROLE], [roles.pattern()]).only_if(
                "StringEquals",
                "iam:PassedToService",
                "glue.amazonaws.com".into(),
            ),
        ])
        .statements(&shared.key);
    let registrar = Own {
        kinds: (Kind::StudioLogs, Kind::StudioRole, Kind::StudioFunction),
        role: name.clone(),
        name,
        description: "Registers the nodes of visual jobs in Glue Studio, which CloudFormation does not".into(),
        takes: "What registering the nodes of visual jobs takes",
        statements,
        handler: "index.handler",
        code: Code::inline(include_str!("visual.py")),
        memory_mb: 128,
        timeout_seconds: SECONDS / 2,
        variables: Vec::new(),
        key: &shared.key,
        calls_itself: false,
    };
    Some(function::own(cx, stack, registrar).arn())
}

/// Adds what registers the nodes of one job. `settings` is all that CloudFormation knows of the job: when it changes, CloudFormation
/// writes the job anew, and the nodes are registered again.
pub(super) fn lower(
    cx: &Context,
    stack: &mut StackTemplate,
    shared: &Shared,
    registrar: &Value<Arn<Function>>,
    (name, graph): (&str, &Graph),
    (job, settings): (&Ref<glue::Job>, &str),
) {
    let nodes = nodes(cx, graph);
    let registered = VisualJob {
        registrar: registrar.clone(),
        timeout_seconds: SECONDS,
        job: job.name(),
        script: sub!["s3://", &shared.work_bucket, "/", studio_script(name)],
        digest: sha256(&format!("{settings} {}", nodes.notation())),
        nodes,
    };
    stack.template.add(Kind::StudioNodes.of(name), registered);
}

/// A piece of JSON text in which the places of tables are not known yet.
type Places<'a> = Vec<(String, &'a super::Place)>;

/// The nodes as JSON text, as the function hands it to `UpdateJob`.
fn nodes(cx: &Context, graph: &Graph) -> Value<Text> {
    let places: Vec<_> = graph
        .nodes
        .iter()
        .map(|node| match node.operation {
            Operation::Target { table, .. } => cx.place(table),
            _ => None,
        })
        .collect();
    let mut all = serde_json::Map::new();
    let mut marks: Places = Vec::new();
    for (at, node) in graph.nodes.iter().enumerate() {
        match (&node.operation, &places[at]) {
            (Operation::Target { from, table }, Some(place)) => {
                // JSON writes control characters by their numbers, and no name or text of a blueprint holds this one.
                marks.push((format!("\\u0001{at}\\u0001"), place));
                target(cx, graph, (at, *from, *table), &format!("\u{1}{at}\u{1}"), &mut all);
            }
            _ => {
                all.insert(id(at), studio_node(cx, graph, node));
            }
        }
    }
    let text = Json::Object(all).to_string();
    let mut pieces: Vec<Piece> = Vec::new();
    let mut rest = text.as_str();
    while let Some((start, mark, place)) = marks
        .iter()
        .filter_map(|(mark, place)| Some((rest.find(mark.as_str())?, mark, place)))
        .min_by_key(|found| found.0)
    {
        pieces.push(rest[..start].into());
        pieces.push(place.uri().into());
        rest = &rest[start + mark.len()..];
    }
    pieces.push(rest.into());
    Value::concat(pieces)
}

fn id(at: usize) -> String {
    format!("node-{at}")
}

fn studio_node(cx: &Context, graph: &Graph, node: &Node) -> Json {
    let input = |from: usize| json!([id(from)]);
    let paths = |names: &[String]| names.iter().map(|name| vec![name.clone()]).collect::<Vec<_>>();
    let own: Vec<String> = node.columns.iter().map(|column| column.name.clone()).collect();
    let name = &node.name;
    match &node.operation {
        Operation::Source(table) => json!({ "S3CatalogSource": {
            "Name": name, "Database": cx.names.database(), "Table": cx.lake.tables[*table].name,
        }}),
        Operation::Mapping { from, columns } => {
            let given = &graph.nodes[*from].columns;
            let mapping = columns.iter().zip(&node.columns).map(|((to, old, _), column)| {
                let was = given.iter().find(|one| one.name == *old).map_or(column.ty, |one| one.ty);
                json!({ "ToKey": to, "FromPath": [old], "FromType": was.to_string(), "ToType": column.ty.to_string() })
            });
            let mapping: Vec<Json> = mapping.collect();
            json!({ "ApplyMapping": { "Name": name, "Inputs": input(*from), "Mapping": mapping } })
        }
        Operation::Select { from } => {
            json!({ "SelectFields": { "Name": name, "Inputs": input(*from), "Paths": paths(&own) } })
        }
        Operation::Drop { from, columns } => {
            json!({ "DropFields": { "Name": name, "Inputs": input(*from), "Paths": paths(columns) } })
        }
        Operation::DropDuplicates { from, by } if by.is_empty() => {
            json!({ "DropDuplicates": { "Name": name, "Inputs": input(*from) } })
        }
        Operation::DropDuplicates { from, by } => {
            json!({ "DropDuplicates": { "Name": name, "Inputs": input(*from), "Columns": paths(by) } })
        }
        Operation::Filter { .. }
        | Operation::Join { .. }
        | Operation::Aggregate { .. }
        | Operation::Set { .. }
        | Operation::Union { .. }
        | Operation::Sql { .. }
        | Operation::Target { .. } => {
            let mut inputs = node.operation.inputs();
            inputs.dedup();
            let aliases: Vec<Json> =
                inputs.iter().map(|at| json!({ "From": id(*at), "Alias": graph.nodes[*at].name })).collect();
            let columns: Vec<Json> = node
                .columns
                .iter()
                .map(|column| json!({ "Name": column.name, "Type": column.ty.to_string() }))
                .collect();
            json!({ "SparkSQL": {
                "Name": name,
                "Inputs": inputs.iter().map(|at| id(*at)).collect::<Vec<_>>(),
                "SqlQuery": select(graph, node).unwrap_or_default(),
                "SqlAliases": aliases,
                "OutputSchemas": [{ "Columns": columns }],
            }})
        }
    }
}

/// A target is four nodes: the declared types, clearing the place (Studio's own targets add files to what is there), its only
/// result, and writing.
fn target(
    cx: &Context,
    graph: &Graph,
    (at, from, table): (usize, usize, crate::lake::Id<crate::lake::Table>),
    place: &str,
    all: &mut serde_json::Map<String, Json>,
) {
    let table = &cx.lake.tables[table];
    let declared = table.columns.iter().chain(&table.partitions);
    let mapping: Vec<Json> = declared
        .map(|Column { name, ty, .. }| {
            let was = graph.nodes[from].columns.iter().find(|one| one.name == *name).map_or(*ty, |one| one.ty);
            json!({ "ToKey": name, "FromPath": [name], "FromType": was.to_string(), "ToType": ty.to_string() })
        })
        .collect();
    let part = |what: &str| format!("node-{at}-{what}");
    let name = |what: &str| format!("{what} {}", table.name);
    all.insert(
        part("types"),
        json!({ "ApplyMapping": { "Name": name("columns of"), "Inputs": [id(from)], "Mapping": mapping } }),
    );
    let code = format!("glueContext.purge_s3_path(\"{place}\", {{\"retentionPeriod\": 0}})\nreturn dfc");
    all.insert(
        part("clear"),
        json!({ "CustomCode": { "Name": name("clear"), "Inputs": [part("types")], "Code": code, "ClassName": format!("Clear{at}") } }),
    );
    all.insert(
        part("rows"),
        json!({ "SelectFromCollection": { "Name": name("rows of"), "Inputs": [part("clear")], "Index": 0 } }),
    );
    let partitions: Vec<Vec<&str>> = table.partitions.iter().map(|column| vec![column.name.as_str()]).collect();
    let mut write = json!({ "Name": table.name, "Inputs": [part("rows")], "Path": place });
    if !partitions.is_empty() {
        write["PartitionKeys"] = json!(partitions);
    }
    let format = match &table.home {
        Home::Zone { format: Format::Csv(_), .. } => Some("csv"),
        Home::Zone { format: Format::Json { .. }, .. } => Some("json"),
        Home::Zone { format: Format::Orc(_), .. } => Some("orc"),
        Home::Zone { format: Format::Parquet(_) | Format::Avro | Format::Iceberg(_), .. }
        | Home::DynamoDb { .. }
        | Home::View { .. } => None,
    };
    let node = match format {
        Some(format) => {
            write["Format"] = json!(format);
            json!({ "S3DirectTarget": write })
        }
        None => {
            write["Compression"] = json!("snappy");
            json!({ "S3GlueParquetTarget": write })
        }
    };
    all.insert(id(at), node);
}
