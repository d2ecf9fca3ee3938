//! From the lake to its lineage.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{Edge, Flow, Graph, Kind, Node};
use crate::lake::{Format, Home, Host, Id, Lake, Model, Pipeline, Script, Start, StepId, Table};
use crate::text::counted;

/// What every thing of the lake is made from, and what starts it.
#[must_use]
pub fn lineage(lake: &Lake) -> Graph {
    let mut builder = Builder { lake, nodes: Vec::new(), edges: BTreeSet::new(), steps: HashMap::new() };
    builder.steps();
    let tables = builder.tables();
    for step in &lake.steps {
        builder.step(step.id, &tables);
    }
    let endpoints = builder.endpoints();
    builder.functions(&tables, &endpoints);
    for pipeline in lake.pipelines.values() {
        builder.pipeline(pipeline, &tables);
    }
    Graph {
        title: lake.name.clone(),
        description: lake.description.clone(),
        zones: lake.zones.values().map(|zone| zone.name.clone()).collect(),
        nodes: builder.nodes,
        edges: builder.edges.into_iter().collect(),
    }
}

/// The nodes of a table.
#[derive(Clone, Copy)]
struct Place {
    /// The file from outside that it stands for.
    file: Option<usize>,
    table: usize,
}

struct Builder<'a> {
    lake: &'a Lake,
    nodes: Vec<Node>,
    edges: BTreeSet<Edge>,
    steps: HashMap<StepId, usize>,
}

impl Builder<'_> {
    fn node(&mut self, kind: Kind, name: &str, detail: String, zone: Option<usize>, owner: Option<usize>) -> usize {
        self.nodes.push(Node { kind, name: name.to_owned(), detail, zone, owner });
        self.nodes.len() - 1
    }

    fn edge(&mut self, from: usize, to: usize, flow: Flow) {
        self.edges.insert(Edge { from, to, flow });
    }

    fn steps(&mut self) {
        let lake = self.lake;
        for step in &lake.steps {
            let (kind, detail) = match step.id {
                StepId::Crawler(_) => (Kind::Crawler, String::new()),
                StepId::Query(_) => (Kind::Query, String::new()),
                StepId::Recipe(id) => (Kind::Recipe, counted(lake.recipes[id].steps.len(), "step")),
                StepId::Job(id) => (Kind::Job, script(&lake.jobs[id].script)),
                StepId::Model(id) => (Kind::Model, lake.models[id].source.display().to_string()),
            };
            let node = self.node(kind, lake.step_name(step.id), detail, None, None);
            self.steps.insert(step.id, node);
        }
    }

    fn tables(&mut self) -> Vec<Place> {
        let lake = self.lake;
        let mut places = Vec::with_capacity(lake.tables.len());
        for table in lake.tables.values() {
            let columns = counted(table.columns.len() + table.partitions.len(), "column");
            let crawler = table.crawler.map(StepId::Crawler);
            let owner = table.writer.or(crawler).and_then(|step| self.steps.get(&step).copied());
            let Home::Zone { zone, format } = &table.home else {
                let table = self.node(Kind::KeyValue, &table.name, columns, None, owner);
                places.push(Place { file: None, table });
                continue;
            };
            let zone = Some(zone.index());
            let detail = format!("{}, {columns}", format_name(format));
            let node = self.node(Kind::Table, &table.name, detail, zone, owner);
            let outside = table.writer.is_none();
            let file = outside.then(|| self.node(Kind::File, &table.file, String::new(), zone, Some(node)));
            if let (Some(file), None) = (file, owner) {
                self.edge(file, node, Flow::Data);
            }
            places.push(Place { file, table: node });
        }
        places
    }

    fn step(&mut self, step: StepId, tables: &[Place]) {
        let Some(node) = self.steps.get(&step).copied() else { return };
        for table in self.lake.step_reads(step) {
            let place = tables[table.index()];
            match (step, place.file) {
                (StepId::Crawler(_), Some(file)) => {
                    self.edge(file, node, Flow::Data);
                    self.edge(node, place.table, Flow::Data);
                }
                _ => self.edge(place.table, node, Flow::Data),
            }
        }
        for table in self.lake.step_writes(step) {
            self.edge(node, tables[table.index()].table, Flow::Data);
        }
        if let Some(export) = self.lake.step_export(step) {
            let detail = match &export.format {
                Format::Csv(_) => "text",
                format => format_name(format),
            };
            let files = format!("{}/", export.folder);
            let files = self.node(Kind::File, &files, detail.to_owned(), Some(export.zone.index()), Some(node));
            self.edge(node, files, Flow::Data);
        }
    }

    fn endpoints(&mut self) -> HashMap<Id<Model>, usize> {
        let lake = self.lake;
        let mut endpoints = HashMap::new();
        for (id, model) in lake.models.iter() {
            let Some(endpoint) = &model.endpoint else { continue };
            let detail = match &endpoint.host {
                Host::Serverless { .. } => "serverless".to_owned(),
                Host::Instances { instance, scale: Some(scale), .. } => {
                    format!("{} to {} × {instance}", scale.min, scale.max)
                }
                Host::Instances { instance, count, .. } => format!("{count} × {instance}"),
            };
            let trained = self.steps.get(&StepId::Model(id)).copied();
            let node = self.node(Kind::Endpoint, &model.name, detail, None, trained);
            if let Some(trained) = trained {
                self.edge(trained, node, Flow::Data);
            }
            endpoints.insert(id, node);
        }
        endpoints
    }

    fn functions(&mut self, tables: &[Place], endpoints: &HashMap<Id<Model>, usize>) {
        let lake = self.lake;
        let mut nodes = Vec::with_capacity(lake.functions.len());
        for function in lake.functions.values() {
            let node = self.node(Kind::Function, &function.name, function.source.display().to_string(), None, None);
            for table in &function.reads {
                self.edge(tables[table.index()].table, node, Flow::Data);
            }
            for endpoint in function.calls.iter().filter_map(|model| endpoints.get(model)) {
                self.edge(*endpoint, node, Flow::Data);
            }
            nodes.push(node);
        }
        for route in lake.api.iter().flat_map(|api| &api.routes) {
            let function = nodes[route.function.index()];
            let name = format!("{} {}", route.method.as_str(), route.path);
            let node = self.node(Kind::Route, &name, String::new(), None, Some(function));
            self.edge(function, node, Flow::Data);
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline, tables: &[Place]) {
        let lake = self.lake;
        let detail = match &pipeline.start {
            Start::Schedule(expression) => expression.clone(),
            Start::Upload(table) => format!("upload of {}", lake.tables[*table].file),
            Start::Manual => "by hand".to_owned(),
        };
        let node = self.node(Kind::Pipeline, &pipeline.name, detail, None, None);
        if let Start::Upload(table) = pipeline.start
            && let Some(file) = tables[table.index()].file
        {
            self.edge(file, node, Flow::Start);
        }
        let started: HashSet<StepId> = pipeline.steps.iter().copied().collect();
        let first = lake.steps.iter().filter(|step| started.contains(&step.id));
        for step in first.filter(|step| !step.after.iter().any(|before| started.contains(before))) {
            if let Some(to) = self.steps.get(&step.id).copied() {
                self.edge(node, to, Flow::Start);
            }
        }
    }
}

pub(super) fn format_name(format: &Format) -> &'static str {
    match format {
        Format::Csv(_) => "csv",
        Format::Json { .. } => "json",
        Format::Parquet(_) => "parquet",
        Format::Orc(_) => "orc",
        Format::Avro => "avro",
        Format::Iceberg(_) => "iceberg",
    }
}

pub(super) fn home_name(table: &Table) -> &'static str {
    match &table.home {
        Home::Zone { format, .. } => format_name(format),
        Home::DynamoDb { .. } => "DynamoDB",
        Home::View { .. } => "view",
    }
}

/// Where a job's script comes from.
fn script(script: &Script) -> String {
    match script {
        Script::File(path) => path.display().to_string(),
        Script::Visual(graph) => counted(graph.nodes.len(), "node"),
    }
}
