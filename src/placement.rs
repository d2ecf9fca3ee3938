//! Which stack each thing of a lake is in.
//!
//! CloudFormation takes [`MAX_RESOURCES`] resources and [`MAX_BYTES`] bytes in a template, so a large lake needs several stacks of each
//! part. Names in AWS are fixed, and a resource that moves between stacks is deleted and made again; so what has a place keeps it.
//! The places are remembered in a lock file beside the blueprint, as Cargo remembers versions; what is new goes into the first stack
//! with room. Room is reckoned with before anything is lowered, generously: a stack stays well under its limits when things in it grow.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use crate::lake::{Home, Id, Job, Lake, Profile, Recipe, Ruleset, Script, Statement, StepId, Table};

/// CloudFormation's limit for the resources of one template. Source: "CloudFormation quotas".
pub const MAX_RESOURCES: usize = 500;
/// CloudFormation's limit for the bytes of one template in S3. Source: "CloudFormation quotas".
pub const MAX_BYTES: usize = 1 << 20;
/// CloudFormation's limits for parameters and for outputs. Source: "CloudFormation quotas".
pub const MAX_VALUES: usize = 200;

/// How much of a stack is given away: about two thirds of what CloudFormation takes, of what things may need at most.
const CAPACITY: Room = Room { resources: 330, bytes: 700_000, outputs: 120 };
/// What a part's first stack holds for all of them.
const SHARED: Room = Room { resources: 60, bytes: 100_000, outputs: 20 };

/// A part of a lake, by what it may lose. Its first stack holds what all of them share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// What must not be lost.
    Storage,
    /// The catalog and the steps.
    Processing,
    /// What answers.
    Serving,
    /// What starts the steps: always one stack, because EventBridge takes fewer rules than a stack has resources.
    Pipelines,
}

/// Something that is whole in one stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Thing {
    /// A key-value table.
    Items(Id<Table>),
    /// A table of files in the catalog.
    Table(Id<Table>),
    /// The rules of a table.
    Checks(Id<Ruleset>),
    /// A profile of a table.
    Profile(Id<Profile>),
    /// A prepared statement.
    Statement(Id<Statement>),
    /// A step.
    Step(StepId),
    /// A function.
    Function(Id<crate::lake::Function>),
}

impl Thing {
    fn part(self) -> Part {
        match self {
            Self::Items(_) => Part::Storage,
            Self::Table(_) | Self::Checks(_) | Self::Profile(_) | Self::Statement(_) | Self::Step(_) => {
                Part::Processing
            }
            Self::Function(_) => Part::Serving,
        }
    }

    /// The section of the blueprint that it is written in, and its name there.
    #[must_use]
    pub fn section(self, lake: &Lake) -> (&'static str, &str) {
        let section = match self {
            Self::Items(_) | Self::Table(_) => "tables",
            Self::Checks(_) => "checks",
            Self::Profile(_) => "profiles",
            Self::Statement(_) => "statements",
            Self::Step(StepId::Crawler(_)) => "crawlers",
            Self::Step(StepId::Query(_)) => "queries",
            Self::Step(StepId::Recipe(_)) => "recipes",
            Self::Step(StepId::Job(_)) => "jobs",
            Self::Step(StepId::Model(_)) => "models",
            Self::Function(_) => "functions",
        };
        (section, self.key(lake).1)
    }

    /// The first two words of its line in the lock file.
    fn key(self, lake: &Lake) -> (&'static str, &str) {
        match self {
            Self::Items(id) => ("items", &lake.tables[id].name),
            Self::Table(id) => ("table", &lake.tables[id].name),
            Self::Checks(id) => ("checks", &lake.tables[lake.checks[id].table].name),
            Self::Profile(id) => ("profile", &lake.profiles[id].name),
            Self::Statement(id) => ("statement", &lake.statements[id].name),
            Self::Step(id) => (id.kind(), lake.step_name(id)),
            Self::Function(id) => ("function", &lake.functions[id].name),
        }
    }
}

/// What a thing needs of a stack, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Room {
    resources: usize,
    bytes: usize,
    outputs: usize,
}

impl Room {
    fn add(&mut self, other: Self) {
        self.resources += other.resources;
        self.bytes += other.bytes;
        self.outputs += other.outputs;
    }

    fn remove(&mut self, other: Self) {
        self.resources -= other.resources;
        self.bytes -= other.bytes;
        self.outputs -= other.outputs;
    }

    fn fits(self, other: Self) -> bool {
        self.resources + other.resources <= CAPACITY.resources
            && self.bytes + other.bytes <= CAPACITY.bytes
            && self.outputs + other.outputs <= CAPACITY.outputs
    }

    fn of(thing: Thing, lake: &Lake) -> Self {
        // A step's role takes further policies when it touches many tables.
        let step = |resources: usize, text: usize| match thing {
            Thing::Step(id) => {
                let tables = lake.step_reads(id).len() + lake.step_writes(id).len();
                Self { resources: resources + tables / 12, bytes: 7_000 + 600 * tables + 2 * text, outputs: 1 }
            }
            _ => Self::default(),
        };
        match thing {
            Thing::Items(_) => Self { resources: 2, bytes: 2_000, outputs: 1 },
            Thing::Table(id) => {
                let columns = &lake.tables[id].columns;
                let comments: usize =
                    columns.iter().filter_map(|column| column.comment.as_ref()).map(String::len).sum();
                Self { resources: 1, bytes: 1_500 + 100 * columns.len() + comments, outputs: 0 }
            }
            Thing::Checks(id) => {
                let Ruleset { rules, others, .. } = &lake.checks[id];
                let text: usize = rules.iter().map(|rule| rule.to_string().len() + 8).sum();
                Self { resources: 3 + others.len() / 12, bytes: 7_000 + 600 * others.len() + text, outputs: 0 }
            }
            Thing::Profile(_) => Self { resources: 7, bytes: 20_000, outputs: 1 },
            Thing::Statement(id) => Self { resources: 1, bytes: 2_000 + 2 * lake.statements[id].sql.len(), outputs: 0 },
            Thing::Step(StepId::Crawler(_)) => step(4, 0),
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
                step(5, arguments + nodes)
            }
            // Three roles: of training, of the endpoint, of releases.
            Thing::Step(StepId::Model(_)) => step(8, 12_000),
            Thing::Function(id) => {
                let function = &lake.functions[id];
                let tables = function.reads.len() + function.calls.len();
                Self { resources: 5 + tables / 12, bytes: 8_000 + 600 * tables, outputs: 2 }
            }
        }
    }
}

/// The content of a lock file: places given before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock(BTreeMap<(String, String), usize>);

/// A line of a lock file that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is no place: `{text}`")]
pub struct LockError {
    /// Its number, from 1.
    pub line: usize,
    /// What stands there.
    pub text: String,
}

const HEADER: &str = "# Which stack each thing is in. Written by lakegen; commit it: what has a place keeps it.\n";
/// More stacks than an account may have.
const MAX_STACKS: usize = 2_000;

impl Lock {
    /// Reads a lock file.
    ///
    /// # Errors
    /// The first line that is not `<kind> <name> <number>`.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let mut places = BTreeMap::new();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let error = || LockError { line: at + 1, text: line.chars().take(60).collect() };
            let words: Vec<&str> = line.split(' ').collect();
            let [kind, name, number] = words.as_slice() else { return Err(error()) };
            let number = number.parse::<usize>().ok().filter(|number| (1..=MAX_STACKS).contains(number));
            places.insert(((*kind).to_owned(), (*name).to_owned()), number.ok_or_else(error)?);
        }
        Ok(Self(places))
    }

    /// The file: a line for each thing, sorted, so that two branches merge.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = HEADER.to_owned();
        for ((kind, name), number) in &self.0 {
            let _ = writeln!(text, "{kind} {name} {number}");
        }
        text
    }

    fn place(&self, (kind, name): (&str, &str)) -> Option<usize> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&(kind.to_owned(), name.to_owned())).copied()
    }
}

/// Which stack each thing of a lake is in: stacks of a part are counted from 1.
#[derive(Debug, Clone)]
pub struct Placement {
    places: HashMap<Thing, usize>,
    stacks: BTreeMap<Part, Vec<(Room, Vec<Thing>)>>,
}

impl Placement {
    /// Gives everything of the lake a place: the one it had, or the first with room.
    #[must_use]
    pub fn of(lake: &Lake, lock: &Lock) -> Self {
        let mut placement = Self { places: HashMap::new(), stacks: BTreeMap::new() };
        for part in [Part::Storage, Part::Processing, Part::Serving] {
            placement.stacks.insert(part, vec![(SHARED, Vec::new())]);
        }
        if let (Some(api), Some([(room, _), ..])) =
            (&lake.api, placement.stacks.get_mut(&Part::Serving).map(Vec::as_mut_slice))
        {
            let routes = api.routes.len();
            room.add(Room { resources: 3 * routes, bytes: 3_000 * routes, outputs: 0 });
        }
        let tables = lake.tables.iter().map(|(id, table)| match table.home {
            Home::Zone { .. } | Home::View { .. } => Thing::Table(id),
            Home::DynamoDb { .. } => Thing::Items(id),
        });
        let functions = lake.functions.iter().map(|(id, _)| Thing::Function(id));
        let checks = lake.checks.iter().map(|(id, _)| Thing::Checks(id));
        let profiles = lake.profiles.iter().map(|(id, _)| Thing::Profile(id));
        let statements = lake.statements.iter().map(|(id, _)| Thing::Statement(id));
        let others = checks.chain(profiles).chain(statements);
        let things = tables.chain(others).chain(steps(lake).map(Thing::Step)).chain(functions);
        let (known, new): (Vec<_>, Vec<_>) =
            things.map(|thing| (thing, lock.place(thing.key(lake)))).partition(|(_, place)| place.is_some());
        for (thing, place) in known {
            placement.put(lake, thing, place.unwrap_or(1));
        }
        // Tables come first among what is new. A crawler that has been given one of a later stack follows it there.
        let is_table = |(thing, _): &(Thing, Option<usize>)| matches!(thing, Thing::Table(_));
        let (tables, others): (Vec<_>, Vec<_>) = new.into_iter().partition(is_table);
        placement.put_new(lake, tables.into_iter().map(|(thing, _)| thing));
        let crawlers = lake.crawlers.iter().map(|(id, _)| Thing::Step(StepId::Crawler(id)));
        let early = |thing: &Thing| placement.places.get(thing).is_some_and(|at| *at < placement.least(lake, *thing));
        let early: Vec<_> = crawlers.filter(early).collect();
        for crawler in &early {
            placement.take(lake, *crawler);
        }
        placement.put_new(lake, early.into_iter().chain(others.into_iter().map(|(thing, _)| thing)));
        for things in placement.stacks.values_mut().flatten() {
            things.1.sort_unstable();
        }
        placement
    }

    /// Puts each thing into the first stack with room for it.
    fn put_new(&mut self, lake: &Lake, things: impl Iterator<Item = Thing>) {
        // Where to begin to look, so that thousands of things do not look at every stack.
        let mut open = HashMap::new();
        for thing in things {
            let from = open.entry(thing.part()).or_insert(1);
            let room = Room::of(thing, lake);
            let least = self.least(lake, thing).max(*from);
            let stacks = &self.stacks[&thing.part()];
            let free = (least..=stacks.len()).find(|number| stacks[number - 1].0.fits(room));
            self.put(lake, thing, free.unwrap_or(stacks.len() + 1).max(least));
            while self.stacks[&thing.part()].get(*from - 1).is_some_and(|(used, _)| !used.fits(SMALLEST)) {
                *from += 1;
            }
        }
    }

    /// Crawlers and rules are made after their tables, so not in a stack before theirs.
    fn least(&self, lake: &Lake, thing: Thing) -> usize {
        match thing {
            Thing::Step(StepId::Crawler(id)) => {
                let tables = lake.crawlers[id].reads.iter();
                tables.map(|table| self.number(Thing::Table(*table))).max().unwrap_or(1)
            }
            Thing::Checks(id) => self.number(Thing::Table(lake.checks[id].table)),
            _ => 1,
        }
    }

    fn put(&mut self, lake: &Lake, thing: Thing, number: usize) {
        let stacks = self.stacks.entry(thing.part()).or_default();
        while stacks.len() < number {
            stacks.push((Room::default(), Vec::new()));
        }
        stacks[number - 1].0.add(Room::of(thing, lake));
        stacks[number - 1].1.push(thing);
        self.places.insert(thing, number);
    }

    fn take(&mut self, lake: &Lake, thing: Thing) {
        let Some(number) = self.places.remove(&thing) else { return };
        if let Some((used, things)) = self.stacks.get_mut(&thing.part()).and_then(|stacks| stacks.get_mut(number - 1)) {
            used.remove(Room::of(thing, lake));
            things.retain(|other| *other != thing);
        }
    }

    /// The number of the stack that holds a thing; the first for what this lake does not have.
    #[must_use]
    pub fn number(&self, thing: Thing) -> usize {
        self.places.get(&thing).copied().unwrap_or(1)
    }

    /// How many stacks a part has; at least one.
    #[must_use]
    pub fn stacks(&self, part: Part) -> usize {
        self.stacks.get(&part).map_or(1, Vec::len)
    }

    /// What the `number`th stack of a part holds, in the lake's order.
    #[must_use]
    pub fn things(&self, part: Part, number: usize) -> &[Thing] {
        let stack = self.stacks.get(&part).and_then(|stacks| stacks.get(number.checked_sub(1)?));
        stack.map(|(_, things)| things.as_slice()).unwrap_or_default()
    }

    /// Whether the places must be remembered: a lake that fills half a stack may grow out of it.
    #[must_use]
    pub fn needs_lock(&self) -> bool {
        let half = |room: &Room| room.resources * 2 > CAPACITY.resources || room.bytes * 2 > CAPACITY.bytes;
        self.stacks.values().any(|stacks| stacks.len() > 1 || stacks.iter().any(|(room, _)| half(room)))
    }

    /// The places, to be remembered.
    #[must_use]
    pub fn lock(&self, lake: &Lake) -> Lock {
        let place = |(thing, number): (&Thing, &usize)| {
            let (kind, name) = thing.key(lake);
            ((kind.to_owned(), name.to_owned()), *number)
        };
        Lock(self.places.iter().map(place).collect())
    }
}

/// What hardly anything is smaller than.
const SMALLEST: Room = Room { resources: 1, bytes: 1_600, outputs: 0 };

/// The steps in the order of the blueprint.
fn steps(lake: &Lake) -> impl Iterator<Item = StepId> {
    let crawlers = lake.crawlers.iter().map(|(id, _)| StepId::Crawler(id));
    let queries = lake.queries.iter().map(|(id, _)| StepId::Query(id));
    let recipes = lake.recipes.iter().map(|(id, _)| StepId::Recipe(id));
    let jobs = lake.jobs.iter().map(|(id, _)| StepId::Job(id));
    let models = lake.models.iter().map(|(id, _)| StepId::Model(id));
    crawlers.chain(queries).chain(recipes).chain(jobs).chain(models)
}

#[cfg(test)]
mod tests;
