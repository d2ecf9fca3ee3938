//! How much of a stack things take, reckoned before they are lowered.

use super::{MAX_BYTES, MAX_RESOURCES, MAX_VALUES, Thing};
use crate::lake::{
    Api, Format, Grant, GrantedColumns, Home, Job, Lake, Raw, Recipe, Resource, Ruleset, Script, StepId,
};

/// How much of a stack is given away: about two thirds of what CloudFormation takes, of what things may need at most.
pub(super) const CAPACITY: Room = Room { resources: 330, bytes: 700_000, outputs: 120 };
/// What a part's first stack holds for all of them.
pub(super) const SHARED: Room = Room { resources: 60, bytes: 100_000, outputs: 20 };

/// What hardly anything is smaller than.
pub(super) const SMALLEST: Room = Room { resources: 1, bytes: 1_600, outputs: 0 };

/// What a thing needs of a stack, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Room {
    pub(super) resources: usize,
    pub(super) bytes: usize,
    pub(super) outputs: usize,
}

impl Room {
    pub(super) fn add(&mut self, other: Self) {
        self.resources += other.resources;
        self.bytes += other.bytes;
        self.outputs += other.outputs;
    }

    pub(super) fn remove(&mut self, other: Self) {
        self.resources -= other.resources;
        self.bytes -= other.bytes;
        self.outputs -= other.outputs;
    }

    pub(super) fn fits(self, other: Self) -> bool {
        self.resources + other.resources <= CAPACITY.resources
            && self.bytes + other.bytes <= CAPACITY.bytes
            && self.outputs + other.outputs <= CAPACITY.outputs
    }

    /// Whether it is more than CloudFormation takes.
    pub(super) fn is_too_much(self) -> bool {
        self.resources > MAX_RESOURCES || self.bytes > MAX_BYTES || self.outputs > MAX_VALUES
    }

    /// What the routes of an API take.
    pub(super) fn of_api(api: &Api) -> Self {
        let resources = api.resources();
        Self { resources, bytes: 1_500 * resources, outputs: 0 }
    }

    /// What lets so many grantees of Lake Formation see the database.
    pub(super) fn of_grantees(number: usize) -> Self {
        Self { resources: number, bytes: 700 * number, outputs: 0 }
    }

    /// What a resource in CloudFormation's own words takes.
    pub(super) fn of_resource(resource: &Resource) -> Self {
        let properties = resource.properties.as_ref().map_or(0, Raw::weight);
        Self { resources: 1, bytes: 600 + properties, outputs: 0 }
    }

    pub(super) fn of(thing: Thing, lake: &Lake) -> Self {
        // A step's role takes further policies when it touches many tables.
        let step = |resources: usize, text: usize| match thing {
            Thing::Step(id) => {
                let tables = lake.step_reads(id).len() + lake.step_writes(id).len();
                // A permission by Lake Formation for each table and each of their zones, and one for the database.
                let granted = if lake.lake_formation.is_some() { 1 + 2 * tables } else { 0 };
                Self {
                    resources: resources + tables / 12 + granted,
                    bytes: 7_000 + 600 * tables + 700 * granted + 2 * text,
                    outputs: 1,
                }
            }
            _ => Self::default(),
        };
        match thing {
            Thing::Zone(_) => Self { resources: 3, bytes: 5_000, outputs: 1 },
            Thing::Items(_) => Self { resources: 2, bytes: 2_000, outputs: 1 },
            Thing::Table(id) => {
                let columns = &lake.tables[id].columns;
                let comments: usize =
                    columns.iter().filter_map(|column| column.comment.as_ref()).map(String::len).sum();
                // Three optimizers with their role, and its permissions by Lake Formation.
                let optimized =
                    matches!(&lake.tables[id].home, Home::Zone { format: Format::Iceberg(of), .. } if of.optimized());
                let (more, text) = if optimized { (7, 8_000) } else { (0, 0) };
                Self { resources: 1 + more, bytes: 1_500 + 100 * columns.len() + comments + text, outputs: 0 }
            }
            Thing::Checks(id) => {
                let Ruleset { rules, others, .. } = &lake.checks[id];
                let text: usize = rules.iter().map(|rule| rule.to_string().len() + 8).sum();
                let granted = if lake.lake_formation.is_some() { 2 + others.len() } else { 0 };
                Self {
                    resources: 3 + others.len() / 12 + granted,
                    bytes: 7_000 + 600 * others.len() + 700 * granted + text,
                    outputs: 0,
                }
            }
            Thing::Grant(id) => {
                let of = |grant: &Grant| {
                    let columns: usize = grant
                        .tables
                        .iter()
                        .map(|of| match &of.columns {
                            GrantedColumns::All => 0,
                            GrantedColumns::Only(columns) | GrantedColumns::Except(columns) => 60 * columns.len(),
                        })
                        .sum();
                    let rows: usize = grant.tables.iter().map(|of| of.rows.as_ref().map_or(0, String::len)).sum();
                    let permissions = grant.tables.len() * grant.to.len();
                    let bytes = (grant.to.len() + 1) * columns + 2 * rows + 1_000 * (permissions + grant.tables.len());
                    Self { resources: permissions + grant.tables.len(), bytes, outputs: 0 }
                };
                lake.grant(id).map(of).unwrap_or_default()
            }
            Thing::Profile(_) => Self { resources: 9, bytes: 21_500, outputs: 1 },
            Thing::Statement(id) => Self { resources: 1, bytes: 2_000 + 2 * lake.statements[id].sql.len(), outputs: 0 },
            Thing::Step(StepId::Crawler(_)) => step(4, 500),
            Thing::Step(StepId::Query(id)) => step(3, lake.queries[id].sql.len()),
            Thing::Step(StepId::Recipe(id)) => {
                let Recipe { others, steps, .. } = &lake.recipes[id];
                step(8 + others.len(), 600 * steps.len() + 1_000 * others.len())
            }
            Thing::Step(StepId::Job(id)) => {
                let Job { arguments, script, .. } = &lake.jobs[id];
                let arguments: usize = arguments.iter().map(|(name, value)| name.len() + value.len()).sum();
                // The nodes of a visual job stand in the template, each with the columns that pass through it.
                let nodes = if let Script::Visual(graph) = script { 3_000 * graph.nodes.len() } else { 0 };
                step(5, 2_000 + arguments + nodes)
            }
            // Three roles: of training, of the endpoint, of releases.
            Thing::Step(StepId::Model(_)) => Self { outputs: 3, ..step(8, 13_500) },
            Thing::Function(id) => {
                let function = &lake.functions[id];
                let tables = function.reads.len() + function.calls.len();
                Self { resources: 5 + tables / 12, bytes: 8_500 + 600 * tables, outputs: 2 }
            }
        }
    }
}
