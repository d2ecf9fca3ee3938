//! What the steps of a lake are on this machine: what each depends on, and what a worker is asked to do.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::lake::{
    Classifier, Column, Crawler, Csv, CsvClassifier, Export, Format, Home, Id, Job, Lake, Mode, Model, Output, Profile,
    Projection, Query, Recipe, RecipeAction, Recognises, Rule, Ruleset, Script, StepId, Table,
};

use super::csv::Shape;
use super::files::{self, FileError, Fingerprint};
use super::land::{Content, RawTable};
use super::layout::Layout;
use super::schedule::Lane;
use crate::kind::profile::Threshold;
use crate::visual;

/// Changes when the same step of the same lake has to be done again by a newer lakegen.
const REVISION: u32 = 1;

/// A step of the lake.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Which.
    pub id: StepId,
    /// `job`, `query`, ….
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Positions of its direct predecessors.
    pub after: Vec<usize>,
    /// Where it runs.
    pub lane: Lane,
    /// The tables that it reads.
    pub reads: Vec<Id<Table>>,
    /// The tables that it writes.
    pub writes: Vec<Id<Table>>,
}

impl Step {
    /// Its key in the ledger.
    pub fn key(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }

    /// The name of its log and of its place in the staging folder.
    pub fn slug(&self) -> String {
        format!("{}-{}", self.kind, self.name)
    }
}

/// Every step of the lake, each behind those that it needs.
pub fn steps(lake: &Lake) -> Vec<Step> {
    let position = |id: &StepId| lake.steps.iter().position(|step| step.id == *id);
    let step = |crate::lake::Step { id, after }: &crate::lake::Step| Step {
        id: *id,
        kind: id.kind(),
        name: lake.step_name(*id).to_owned(),
        after: after.iter().filter_map(position).collect(),
        lane: match id {
            StepId::Crawler(_) | StepId::Query(_) | StepId::Recipe(_) => Lane::Sql,
            StepId::Job(_) => Lane::Spark,
            StepId::Model(_) => Lane::Training,
        },
        reads: lake.step_reads(*id),
        writes: lake.step_writes(*id),
    };
    lake.steps.iter().map(step).collect()
}

/// Which steps a run is about: those asked for and all that come after them, and of those before them the ones that were never
/// done. All, when none is asked for.
pub fn scope(steps: &[Step], asked: &[StepId], done: &dyn Fn(&Step) -> bool) -> Vec<bool> {
    let mut wanted: Vec<bool> = steps.iter().map(|step| asked.is_empty() || asked.contains(&step.id)).collect();
    let is = |wanted: &[bool], i: usize| wanted.get(i).copied().unwrap_or(false);
    for (i, step) in steps.iter().enumerate() {
        if step.after.iter().any(|before| is(&wanted, *before))
            && let Some(one) = wanted.get_mut(i)
        {
            *one = true;
        }
    }
    for (i, step) in steps.iter().enumerate().rev() {
        if !is(&wanted, i) {
            continue;
        }
        for before in &step.after {
            if steps.get(*before).is_some_and(|before| !done(before))
                && let Some(one) = wanted.get_mut(*before)
            {
                *one = true;
            }
        }
    }
    wanted
}

/// The folder of a table.
pub fn place(lake: &Lake, layout: &Layout, table: Id<Table>) -> PathBuf {
    let table = &lake.tables[table];
    match &table.home {
        Home::Zone { zone, format: _ } => layout.table(&lake.name, &lake.zones[*zone].name, &table.name),
        Home::DynamoDb { key: _ } => layout.dynamodb().join(&table.name),
        // Nothing is ever put there.
        Home::View { sql: _, reads: _ } => layout.base().join("views").join(&table.name),
    }
}

/// The folder of the files that a step exports.
pub fn export_place(lake: &Lake, layout: &Layout, export: &Export) -> PathBuf {
    layout.table(&lake.name, &lake.zones[export.zone].name, &export.folder)
}

/// Below the staging folder of a step: the files that it exports.
pub fn staged_export(staging: &Path) -> PathBuf {
    staging.join("export")
}

/// Files of an export, as the engine is told about them.
fn export_target(export: &Export, dir: &Path) -> Value {
    let Export { zone: _, folder: name, format, partitions } = export;
    let mut target = json!({ "name": name, "dir": folder(dir), "partitions": partitions });
    describe(format, &mut target);
    match format {
        Format::Csv(_) => (target["format"], target["compression"]) = (json!("text"), json!("GZIP")),
        Format::Json { .. } => target["compression"] = json!("GZIP"),
        Format::Parquet(_) | Format::Orc(_) | Format::Avro | Format::Iceberg(_) => {}
    }
    target
}

/// The tables whose files come from outside.
pub fn raw_tables(lake: &Lake, layout: &Layout) -> Vec<RawTable> {
    let arrives = |(id, table): (Id<Table>, &Table)| {
        let Home::Zone { zone: _, format } = &table.home else { return None };
        let content = match format {
            Format::Csv(Csv { delimiter, quote }) => Content::Csv(Shape {
                columns: table.columns.iter().map(|column| column.name.clone()).collect(),
                delimiter: u8::try_from(*delimiter).ok()?,
                quote: quote.and_then(|quote| u8::try_from(quote).ok()),
            }),
            Format::Json { ignore_malformed: _ } => Content::Json,
            Format::Parquet(_) | Format::Iceberg(_) => Content::Parquet,
            Format::Orc(_) => Content::Orc,
            Format::Avro => Content::Avro,
        };
        let raw =
            RawTable { name: table.name.clone(), file: table.file.clone(), content, place: place(lake, layout, id) };
        table.writer.is_none().then_some(raw)
    };
    lake.tables.iter().filter_map(arrives).collect()
}

/// A table in a zone, or a view, as the engines are told about it; `None` for a key-value table, of which they know nothing.
pub fn table_source(table: &Table, dir: &Path) -> Option<Value> {
    let columns = |columns: &[Column]| -> Vec<Value> {
        columns.iter().map(|column| json!({ "name": column.name, "type": column.ty.to_string() })).collect()
    };
    let mut source = json!({
        "name": table.name,
        "dir": folder(dir),
        "columns": columns(&table.columns),
        "partitions": columns(&table.partitions),
        "projections": table.projections.iter().map(projection).collect::<Vec<_>>(),
    });
    let format = match &table.home {
        Home::Zone { zone: _, format } => format,
        Home::DynamoDb { key: _ } => return None,
        Home::View { sql, reads: _ } => {
            source["format"] = json!("view");
            source["sql"] = json!(sql);
            return Some(source);
        }
    };
    describe(format, &mut source);
    Some(source)
}

/// Says what files are.
fn describe(format: &Format, source: &mut Value) {
    match format {
        Format::Csv(Csv { delimiter, quote }) => {
            source["format"] = json!("csv");
            source["csv"] = json!({ "delimiter": delimiter, "quote": quote });
        }
        Format::Json { ignore_malformed } => {
            source["format"] = json!("json");
            source["ignore_malformed"] = json!(ignore_malformed);
        }
        Format::Parquet(compression) => {
            source["format"] = json!("parquet");
            source["compression"] = json!(compression.name());
        }
        Format::Orc(compression) => {
            source["format"] = json!("orc");
            source["compression"] = json!(compression.name());
        }
        Format::Avro => source["format"] = json!("avro"),
        Format::Iceberg(_) => source["format"] = json!("parquet"),
    }
}

/// The folders that Athena reckons with; a date that is relative to now bounds nothing here.
fn projection(projection: &Projection) -> Value {
    match projection {
        Projection::Integer { from, to, interval: _, digits: _ } => json!({ "from": from, "to": to }),
        Projection::Date { from, to, format: _, interval: _ } => {
            let fixed = |end: &String| (!end.starts_with("NOW")).then(|| end.clone());
            json!({ "from": fixed(from), "to": fixed(to) })
        }
        Projection::Enum(values) => json!({ "values": values }),
        Projection::Injected => json!({}),
    }
}

/// A folder as scripts get it: with a slash at its end, as a prefix in S3 has.
fn folder(dir: &Path) -> String {
    format!("{}/", dir.display())
}

/// The name under which a job writes a key-value table; its readers keep the table that is in place until the job has succeeded.
pub fn new_dynamodb_name(lake: &Lake, table: &Table) -> String {
    format!("{}.new", Layout::dynamodb_name(&lake.name, &table.name))
}

/// Everything that the result of a step depends on, as one fingerprint. `contents` gives what a table holds.
pub fn fingerprint(
    lake: &Lake,
    step: &Step,
    engine: &Fingerprint,
    contents: &dyn Fn(Id<Table>) -> Option<Fingerprint>,
) -> Result<Fingerprint, FileError> {
    let described = |id: Id<Table>| {
        let table = &lake.tables[id];
        let key = match &table.home {
            Home::Zone { zone: _, format: _ } | Home::View { sql: _, reads: _ } => None,
            Home::DynamoDb { key } => Some(key),
        };
        json!({
            "name": table.name,
            "key": key,
            "files": table_source(table, Path::new("")),
            "columns": table.columns.iter().map(|column| column.ty.to_string()).collect::<Vec<_>>(),
        })
    };
    let inputs: Vec<Value> =
        step.reads.iter().map(|id| json!({ "table": described(*id), "contents": contents(*id) })).collect();
    let code = |path: &Path| -> Result<Value, FileError> {
        Ok(json!({ "path": path, "contents": files::code_contents(&lake.root.join(path))? }))
    };
    let own = match step.id {
        StepId::Crawler(id) => {
            json!({ "classifiers": classifiers(lake, &lake.crawlers[id]) })
        }
        StepId::Query(id) => {
            let Query { name: _, sql, reads: _, output, workgroup: _ } = &lake.queries[id];
            match output {
                Output::Table { table: _, mode } => json!({ "sql": sql, "mode": query_mode(mode) }),
                Output::Files(export) => json!({ "sql": sql, "export": export_target(export, Path::new("")) }),
            }
        }
        StepId::Recipe(id) => {
            let Recipe {
                name: _,
                reads: _,
                dataset: _,
                others: _,
                writes: _,
                steps,
                nodes: _,
                retries: _,
                timeout_minutes: _,
                files: _,
                schedule: _,
                project: _,
            } = &lake.recipes[id];
            json!({ "steps": actions(steps) })
        }
        StepId::Job(id) => {
            let Job {
                name,
                script,
                modules,
                reads: _,
                writes: _,
                arguments: _,
                worker_type: _,
                workers: _,
                auto_scaling: _,
                timeout_minutes: _,
                glue_version,
                packages: _,
                spark: _,
                parameters: _,
                retries: _,
                flexible: _,
                bookmarks: _,
                concurrency: _,
                notify_after_minutes: _,
                in_aws: _,
            } = &lake.jobs[id];
            let modules = modules.iter().map(|path| code(path)).collect::<Result<Vec<_>, _>>()?;
            let settings = lake.jobs[id].settings();
            let script = match script {
                Script::File(path) => code(path)?,
                Script::Visual(graph) => json!({ "contents": visual::script(lake, name, graph) }),
            };
            json!({ "name": name, "script": script, "modules": modules, "arguments": settings, "glue": glue_version })
        }
        StepId::Model(id) => {
            let Model {
                name: _,
                source,
                reads,
                learning: _,
                instance: _,
                hyperparameters,
                accept: _,
                endpoint: _,
                timeout_minutes: _,
                in_aws: _,
            } = &lake.models[id];
            let channels: Vec<&String> = reads.iter().map(|(channel, _)| channel).collect();
            json!({ "source": code(source)?, "channels": channels, "hyperparameters": hyperparameters })
        }
    };
    let checks: Vec<Value> = lake
        .step_checks(step.id)
        .map(|ruleset| {
            let others: Vec<_> =
                ruleset.others.iter().map(|id| json!({ "table": described(*id), "contents": contents(*id) })).collect();
            json!({ "rules": rules(ruleset), "fails": ruleset.fails, "others": others })
        })
        .collect();
    let all = json!({
        "checks": checks,
        "revision": REVISION,
        "engine": engine,
        "kind": step.kind,
        "reads": inputs,
        "writes": step.writes.iter().map(|id| described(*id)).collect::<Vec<_>>(),
        "own": own,
    });
    Ok(Fingerprint::of(all.to_string().as_bytes()))
}

/// `null` where the rows take the place of the old ones; else by which columns a row is the same, none when all are new.
fn query_mode(mode: &Mode) -> Value {
    match mode {
        Mode::Replace => Value::Null,
        Mode::Append => json!([]),
        Mode::Merge(columns) => json!(columns),
    }
}

fn actions(steps: &[RecipeAction]) -> Value {
    let action = |RecipeAction { operation, parameters: _, others: _, conditions: _, local }: &RecipeAction| json!({ "operation": operation, "sql": local });
    steps.iter().map(action).collect()
}

/// The classifiers that a crawler asks before Glue's own, as far as they concern files of tables: a table is CSV, JSON or Parquet.
fn classifiers(lake: &Lake, crawler: &Crawler) -> Vec<Value> {
    let described = |id: &Id<Classifier>| match &lake.classifiers[*id].recognises {
        Recognises::Csv(csv) => {
            let CsvClassifier { delimiter, quote, header, columns, types, single_column, keep_white_space } = csv;
            Some(json!({ "csv": {
                "delimiter": delimiter, "quote": quote, "header": header, "columns": columns, "types": types,
                "single_column": single_column, "keep_white_space": keep_white_space,
            }}))
        }
        Recognises::Json { path } => Some(json!({ "json": { "path": path } })),
        Recognises::Grok { .. } | Recognises::Xml { .. } => None,
    };
    crawler.classifiers.iter().filter_map(described).collect()
}

/// What a worker is asked to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The operation.
    pub op: &'static str,
    /// Its parameters.
    pub parameters: Map<String, Value>,
    /// After how many minutes it is stopped.
    pub timeout_minutes: Option<u32>,
}

fn rules(ruleset: &Ruleset) -> Vec<Value> {
    ruleset.rules.iter().map(crate::dqdl::Rule::request).collect()
}

/// The request for the verdicts on a table that `step` wrote below `staging`, or looked at.
pub fn check_request(lake: &Lake, layout: &Layout, step: &Step, ruleset: &Ruleset, staging: &Path) -> Request {
    let Ruleset { table, rules: _, fails: _, others } = ruleset;
    let here = |id: Id<Table>| {
        let table = &lake.tables[id];
        let staged = step.writes.contains(&id);
        let dir = if staged { staging.join(&table.name) } else { place(lake, layout, id) };
        table_source(table, &dir)
    };
    let parameters = [
        ("table", json!(here(*table))),
        ("others", json!(others.iter().filter_map(|id| here(*id)).collect::<Vec<_>>())),
        ("rules", json!(rules(ruleset))),
    ];
    let parameters = parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Request { op: "check", parameters, timeout_minutes: None }
}

/// The request for a profile: its rules are the expressions that DataBrew is given. None when its table has no files as yet.
pub fn profile_request(lake: &Lake, layout: &Layout, profile: &Profile) -> Option<Request> {
    let Profile { name: _, reads, dataset: _, rows, schedule: _, rules } = profile;
    let dir = place(lake, layout, *reads);
    let table = table_source(&lake.tables[*reads], &dir).filter(|_| dir.is_dir())?;
    let rule = |Rule { name, check, values, columns, threshold }: &Rule| {
        let threshold = threshold.as_ref().map(
            |Threshold { comparison, unit, value }| json!({ "comparison": comparison, "unit": unit, "value": value }),
        );
        let values: BTreeMap<&String, &String> = values.iter().map(|(name, value)| (name, value)).collect();
        json!({ "name": name, "check": check, "values": values, "columns": columns, "threshold": threshold })
    };
    let rules: Vec<Value> = rules.iter().map(rule).collect();
    let parameters = [("table", table), ("rows", json!(rows)), ("rules", json!(rules))];
    let parameters = parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Some(Request { op: "profile", parameters, timeout_minutes: None })
}

/// The request for a step that writes below `staging`: each table into the folder of its name, a training into `training`.
pub fn request(lake: &Lake, layout: &Layout, step: &Step, staging: &Path) -> Request {
    let input = |id: Id<Table>| table_source(&lake.tables[id], &place(lake, layout, id));
    let output = |id: Id<Table>| table_source(&lake.tables[id], &staging.join(&lake.tables[id].name));
    let inputs: Vec<Value> = step.reads.iter().filter_map(|id| input(*id)).collect();
    let (op, parameters, timeout_minutes) = match step.id {
        StepId::Crawler(id) => {
            ("crawl", json!({ "tables": inputs, "classifiers": classifiers(lake, &lake.crawlers[id]) }), None)
        }
        StepId::Query(id) => {
            let Query { name: _, sql, reads: _, output: what, workgroup: _ } = &lake.queries[id];
            let mut parameters = json!({ "sql": sql, "tables": inputs });
            match what {
                Output::Table { table, mode } => {
                    parameters["mode"] = query_mode(mode);
                    parameters["old"] = json!(input(*table));
                    parameters["output"] = json!(output(*table));
                }
                Output::Files(export) => parameters["export"] = export_target(export, &staged_export(staging)),
            }
            ("query", parameters, None)
        }
        StepId::Recipe(id) => {
            let Recipe {
                name: _,
                reads,
                dataset: _,
                others,
                writes,
                steps,
                nodes: _,
                retries: _,
                timeout_minutes: _,
                files: _,
                schedule: _,
                project: _,
            } = &lake.recipes[id];
            let others: Option<Vec<Value>> = others.iter().map(|table| input(*table)).collect();
            let parameters =
                json!({ "steps": actions(steps), "input": input(*reads), "others": others, "output": output(*writes) });
            ("recipe", parameters, None)
        }
        StepId::Job(id) => {
            let Job {
                name,
                script,
                modules,
                reads,
                writes,
                arguments: _,
                worker_type: _,
                workers: _,
                auto_scaling: _,
                timeout_minutes,
                glue_version: _,
                packages,
                spark,
                parameters: _,
                retries: _,
                flexible: _,
                bookmarks: _,
                concurrency: _,
                notify_after_minutes: _,
                in_aws: _,
            } = &lake.jobs[id];
            let mut all = Map::new();
            for id in reads {
                let table = &lake.tables[*id];
                let location = match &table.home {
                    Home::Zone { .. } | Home::View { .. } => folder(&place(lake, layout, *id)),
                    Home::DynamoDb { key: _ } => {
                        format!("dynamodb://{}", Layout::dynamodb_name(&lake.name, &table.name))
                    }
                };
                all.insert(table.name.clone(), location.into());
            }
            for id in writes {
                let table = &lake.tables[*id];
                let location = match &table.home {
                    Home::Zone { .. } | Home::View { .. } => folder(&staging.join(&table.name)),
                    Home::DynamoDb { key: _ } => format!("dynamodb://{}", new_dynamodb_name(lake, table)),
                };
                all.insert(table.name.clone(), location.into());
            }
            all.extend(lake.jobs[id].settings().into_iter().map(|(name, value)| (name, value.into())));
            all.insert("TempDir".to_owned(), folder(&staging.join("temporary")).into());
            let modules: Vec<PathBuf> = modules.iter().map(|path| lake.root.join(path)).collect();
            let (script, source) = match script {
                Script::File(path) => (lake.root.join(path), None),
                // Beside the tables that it writes, and gone with them when it is done.
                Script::Visual(graph) => (staging.join(format!("{name}.py")), Some(visual::script(lake, name, graph))),
            };
            let parameters = json!({
                "name": name,
                "script": script,
                "source": source,
                "modules": modules,
                "arguments": all,
                "packages": packages,
                "spark": spark.iter().cloned().collect::<BTreeMap<String, String>>(),
                "outputs": writes.iter().filter_map(|id| output(*id)).collect::<Vec<_>>(),
            });
            ("glue_job", parameters, Some(*timeout_minutes))
        }
        StepId::Model(id) => {
            let Model {
                name,
                source,
                reads,
                learning: _,
                instance: _,
                hyperparameters,
                accept: _,
                endpoint: _,
                timeout_minutes,
                in_aws: _,
            } = &lake.models[id];
            let channels: BTreeMap<&String, String> =
                reads.iter().map(|(channel, table)| (channel, folder(&place(lake, layout, *table)))).collect();
            let hyperparameters: Map<String, Value> =
                hyperparameters.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
            let parameters = json!({
                "model": name,
                "source": lake.root.join(source),
                "hyperparameters": hyperparameters,
                "channels": channels,
                "output": staging.join("training"),
            });
            ("train", parameters, Some(*timeout_minutes))
        }
    };
    let parameters = match parameters {
        Value::Object(parameters) => parameters,
        _ => Map::new(),
    };
    Request { op, parameters, timeout_minutes }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 0 → 1 → 2 → 3, 4 alone.
    fn chain() -> Vec<Step> {
        let step = |i: usize, after: Vec<usize>| Step {
            id: StepId::Query(Id::new(i)),
            kind: "query",
            name: format!("q{i}"),
            after,
            lane: Lane::Sql,
            reads: Vec::new(),
            writes: Vec::new(),
        };
        vec![step(0, vec![]), step(1, vec![0]), step(2, vec![1]), step(3, vec![2]), step(4, vec![])]
    }

    #[test]
    fn a_run_is_about_what_was_asked_for_what_follows_and_what_is_missing() {
        let steps = chain();
        let scoped = |asked: &[usize], done: &[usize]| -> Vec<usize> {
            let asked: Vec<StepId> = asked.iter().map(|i| steps[*i].id).collect();
            let is_done = |step: &Step| done.iter().any(|i| steps[*i] == *step);
            let wanted = scope(&steps, &asked, &is_done);
            (0..steps.len()).filter(|i| wanted[*i]).collect()
        };
        assert_eq!(scoped(&[], &[]), [0, 1, 2, 3, 4]);
        assert_eq!(scoped(&[2], &[0, 1]), [2, 3]);
        assert_eq!(scoped(&[2], &[0]), [1, 2, 3]);
        assert_eq!(scoped(&[2], &[]), [0, 1, 2, 3]);
        assert_eq!(scoped(&[2], &[1]), [2, 3], "what a step that was done came from is no matter");
        assert_eq!(scoped(&[4], &[]), [4]);
    }
}
