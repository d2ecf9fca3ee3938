//! The lake as a picture: lineage from raw files to routes, and the relational model.
//!
//! [`lineage`] and [`relations`] say what there is to see; each can be written as SVG, Mermaid or Graphviz.
//! The same lake gives the same bytes.

mod cards;
mod dot;
mod layout;
mod lineage;
mod mermaid;
mod relations;
mod svg;
mod text;

pub use lineage::lineage;
pub use relations::relations;

/// Lineage: what every thing of the lake is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// The lake's name.
    pub title: String,
    /// One sentence, or none.
    pub description: Option<String>,
    /// The names of the zones.
    pub zones: Vec<String>,
    /// What there is; an edge holds positions in this list.
    pub nodes: Vec<Node>,
    /// What leads to what; without cycles.
    pub edges: Vec<Edge>,
}

/// A thing of the lake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Its name; unique among the nodes of its kind.
    pub name: String,
    /// A few words about it, or nothing.
    pub detail: String,
    /// The zone that it lies in.
    pub zone: Option<usize>,
    /// The node that it belongs to: the table that a file becomes, the step that makes a table, the model behind an endpoint,
    /// the function behind a route.
    pub owner: Option<usize>,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A file that comes from outside.
    File,
    /// What starts a pipeline.
    Pipeline,
    /// A Glue crawler.
    Crawler,
    /// A DataBrew recipe.
    Recipe,
    /// An Athena query.
    Query,
    /// A Glue job.
    Job,
    /// A table in a zone.
    Table,
    /// A DynamoDB table.
    KeyValue,
    /// A SageMaker model.
    Model,
    /// Where a model answers.
    Endpoint,
    /// A Lambda function.
    Function,
    /// A route of the API.
    Route,
}

impl Kind {
    const ALL: [Self; 12] = [
        Self::Pipeline,
        Self::File,
        Self::Crawler,
        Self::Recipe,
        Self::Query,
        Self::Job,
        Self::Table,
        Self::KeyValue,
        Self::Model,
        Self::Endpoint,
        Self::Function,
        Self::Route,
    ];

    /// A word that tells kinds apart in identifiers.
    fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Pipeline => "pipeline",
            Self::Crawler => "crawler",
            Self::Recipe => "recipe",
            Self::Query => "query",
            Self::Job => "job",
            Self::Table => "table",
            Self::KeyValue => "keyvalue",
            Self::Model => "model",
            Self::Endpoint => "endpoint",
            Self::Function => "function",
            Self::Route => "route",
        }
    }

    /// The service and what it calls such a thing.
    fn label(self) -> &'static str {
        match self {
            Self::File => "S3 file",
            Self::Pipeline => "EventBridge",
            Self::Crawler => "Glue crawler",
            Self::Recipe => "DataBrew recipe",
            Self::Query => "Athena query",
            Self::Job => "Glue job",
            Self::Table => "Table",
            Self::KeyValue => "DynamoDB table",
            Self::Model => "SageMaker model",
            Self::Endpoint => "SageMaker endpoint",
            Self::Function => "Lambda function",
            Self::Route => "API Gateway",
        }
    }

    /// Its colour on a light and on a dark ground, as `#rrggbb`.
    fn color(self) -> (&'static str, &'static str) {
        match self {
            Self::File | Self::Table => ("#3f7d20", "#7ac25a"),
            Self::Pipeline => ("#a16207", "#e3b341"),
            Self::Crawler => ("#9333ea", "#c084fc"),
            Self::Recipe => ("#c0266d", "#f778ba"),
            Self::Query => ("#2563eb", "#6ea8fe"),
            Self::Job => ("#5b33b8", "#a48bf5"),
            Self::KeyValue => ("#3345c4", "#8b9bff"),
            Self::Model | Self::Endpoint => ("#0f766e", "#2dd4bf"),
            Self::Function => ("#c2500a", "#fb923c"),
            Self::Route => ("#be123c", "#fb7185"),
        }
    }
}

impl Graph {
    fn zone_of(&self, node: &Node) -> &str {
        node.zone.and_then(|zone| self.zones.get(zone)).map_or("", String::as_str)
    }
}

/// The zone of a file from outside. Boxes around all tables of a zone would pull the flow out of its direction.
fn outside(node: &Node) -> Option<usize> {
    node.zone.filter(|_| node.kind == Kind::File)
}

/// Something leads to something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// The position of the node where it begins.
    pub from: usize,
    /// The position of the node where it ends.
    pub to: usize,
    /// What flows.
    pub flow: Flow,
}

/// What flows along an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flow {
    /// Data.
    Data,
    /// A start.
    Start,
}

/// The relational model: tables, their keys, and which columns take their values from which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relations {
    /// The lake's name.
    pub title: String,
    /// One sentence, or none.
    pub description: Option<String>,
    /// The names of the zones.
    pub zones: Vec<String>,
    /// The tables; a reference holds positions in this list.
    pub tables: Vec<Entity>,
}

/// A table of the relational model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    /// The name.
    pub name: String,
    /// The zone; none for a DynamoDB table.
    pub zone: Option<usize>,
    /// `csv`, `json`, `parquet` or `DynamoDB`.
    pub format: &'static str,
    /// Keys, references, and columns that others refer to.
    pub columns: Vec<Attribute>,
    /// How many other columns the table has.
    pub more: usize,
}

/// A column that relates tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// The name.
    pub name: String,
    /// The type by Glue's name.
    pub ty: String,
    /// Whether it belongs to the key.
    pub key: bool,
    /// The table, and the position among its [`Entity::columns`], that its values come from.
    pub references: Option<(usize, usize)>,
}
