//! Which stack each thing of a lake is in.
//!
//! CloudFormation takes [`MAX_RESOURCES`] resources and [`MAX_BYTES`] bytes in a template, so a large lake needs several stacks of each
//! part. Names in AWS are fixed, and a resource that moves between stacks is deleted and made again; so what has a place keeps it.
//! The places are remembered in a lock file beside the blueprint, as Cargo remembers versions; what is new goes into the first stack
//! with room. Room is reckoned with before anything is lowered, generously: a stack stays well under its limits when things in it grow.

mod lock;
mod room;

use std::collections::{BTreeMap, HashMap};

use crate::lake::{Grant, Home, Id, Lake, Profile, Ruleset, Statement, StepId, Table, Zone};
use crate::text::{counted, thousands};
#[cfg(test)]
pub(crate) use lock::KINDS;
pub use lock::{Lock, LockError};
use room::{CAPACITY, Room, SHARED, SMALLEST};

/// CloudFormation's limit for the resources of one template. Source: "CloudFormation quotas".
pub const MAX_RESOURCES: usize = 500;
/// CloudFormation's limit for the bytes of one template in S3. Its quotas say 1 MB, its error "Template may not exceed 1000000 bytes in
/// size".
pub const MAX_BYTES: usize = 1_000_000;
/// CloudFormation's limits for parameters and for outputs. Source: "CloudFormation quotas".
pub const MAX_VALUES: usize = 200;

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

impl Part {
    /// Its word in names and messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::Processing => "processing",
            Self::Serving => "serving",
            Self::Pipelines => "pipelines",
        }
    }
}

/// Something that is whole in one stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Thing {
    /// The bucket of a zone.
    Zone(Id<Zone>),
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
    /// What Lake Formation grants others than steps.
    Grant(Id<Grant>),
    /// A function.
    Function(Id<crate::lake::Function>),
}

impl Thing {
    fn part(self) -> Part {
        match self {
            Self::Zone(_) | Self::Items(_) => Part::Storage,
            Self::Table(_)
            | Self::Checks(_)
            | Self::Profile(_)
            | Self::Statement(_)
            | Self::Step(_)
            | Self::Grant(_) => Part::Processing,
            Self::Function(_) => Part::Serving,
        }
    }

    /// The section of the blueprint that it is written in, and its name there.
    #[must_use]
    pub fn section(self, lake: &Lake) -> (&'static str, &str) {
        let section = match self {
            Self::Zone(_) => "zones",
            Self::Items(_) | Self::Table(_) => "tables",
            Self::Checks(_) => "checks",
            Self::Profile(_) => "profiles",
            Self::Statement(_) => "statements",
            Self::Step(StepId::Crawler(_)) => "crawlers",
            Self::Step(StepId::Query(_)) => "queries",
            Self::Step(StepId::Recipe(_)) => "recipes",
            Self::Step(StepId::Job(_)) => "jobs",
            Self::Step(StepId::Model(_)) => "models",
            Self::Grant(_) => "lake_formation",
            Self::Function(_) => "functions",
        };
        let name = match self {
            Self::Zone(id) => &lake.zones[id].name,
            Self::Items(id) | Self::Table(id) => &lake.tables[id].name,
            Self::Step(id) => lake.step_name(id),
            Self::Checks(_) | Self::Profile(_) | Self::Statement(_) | Self::Grant(_) | Self::Function(_) => {
                self.key(lake).1
            }
        };
        (section, name)
    }

    /// The first two words of its line in the lock file.
    fn key(self, lake: &Lake) -> (&'static str, &str) {
        match self {
            Self::Zone(id) => ("zone", &lake.zones[id].in_aws),
            Self::Items(id) => ("items", &lake.tables[id].in_aws),
            Self::Table(id) => ("table", &lake.tables[id].in_aws),
            Self::Checks(id) => ("checks", &lake.tables[lake.checks[id].table].name),
            Self::Profile(id) => ("profile", &lake.profiles[id].name),
            Self::Statement(id) => ("statement", &lake.statements[id].name),
            Self::Step(id) => (id.kind(), lake.step_in_aws(id)),
            Self::Grant(id) => ("grant", lake.grant(id).map_or("", |grant| &grant.name)),
            Self::Function(id) => ("function", &lake.functions[id].name),
        }
    }
}

/// What a stack has no room for, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Homeless {
    /// A thing that is larger than a stack.
    Thing(Thing, String),
    /// A resource of the escape hatch, by its position, that does not go into its stack beside those before it.
    Resource(usize, String),
}

/// What no lock file and no other order would find a place for.
pub(crate) fn homeless(lake: &Lake) -> Vec<Homeless> {
    let room = |room: &Room| {
        format!(
            "{} and {} bytes of a template, and CloudFormation takes {MAX_RESOURCES} and {}",
            counted(room.resources, "resource"),
            thousands(room.bytes as u64),
            thousands(MAX_BYTES as u64)
        )
    };
    let large = things(lake).map(|thing| (thing, Room::of(thing, lake))).filter(|(_, room)| room.is_too_much());
    let large = large.map(|(thing, takes)| Homeless::Thing(thing, format!("takes about {}", room(&takes))));
    let mut used = BTreeMap::from([Part::Storage, Part::Processing, Part::Serving].map(|part| (part, SHARED)));
    if let (Some(api), Some(serving)) = (&lake.api, used.get_mut(&Part::Serving)) {
        serving.add(Room::of_api(api));
    }
    if let (Some(permissions), Some(processing)) = (&lake.lake_formation, used.get_mut(&Part::Processing)) {
        processing.add(Room::of_grantees(permissions.grantees().len()));
    }
    let mut crowded = Vec::new();
    for (at, resource) in lake.resources.iter().enumerate() {
        let part = resource.stack.part();
        let Some(stack) = used.get_mut(&part) else { continue };
        let had = stack.is_too_much();
        stack.add(Room::of_resource(resource));
        if stack.is_too_much() && !had {
            let what = format!("with it the {} stack takes about {}", part.word(), room(stack));
            crowded.push(Homeless::Resource(at, what));
        }
    }
    large.chain(crowded).collect()
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
            room.add(Room::of_api(api));
        }
        for resource in &lake.resources {
            let first = placement.stacks.get_mut(&resource.stack.part()).and_then(|stacks| stacks.first_mut());
            if let Some((room, _)) = first {
                room.add(Room::of_resource(resource));
            }
        }
        if let (Some(permissions), Some([(room, _), ..])) =
            (&lake.lake_formation, placement.stacks.get_mut(&Part::Processing).map(Vec::as_mut_slice))
        {
            room.add(Room::of_grantees(permissions.grantees().len()));
        }
        let (known, new): (Vec<_>, Vec<_>) =
            things(lake).map(|thing| (thing, lock.place(thing.key(lake)))).partition(|(_, place)| place.is_some());
        for (thing, place) in known {
            placement.put(lake, thing, place.unwrap_or(1));
        }
        // Tables come first among what is new. What has been given one of a later stack follows it there.
        let is_table = |(thing, _): &(Thing, Option<usize>)| matches!(thing, Thing::Table(_));
        let (tables, others): (Vec<_>, Vec<_>) = new.into_iter().partition(is_table);
        placement.put_new(lake, tables.into_iter().map(|(thing, _)| thing));
        let early = |(thing, at): (&Thing, &usize)| (*at < placement.least(lake, *thing)).then_some(*thing);
        let mut early: Vec<_> = placement.places.iter().filter_map(early).collect();
        early.sort_unstable();
        for thing in &early {
            placement.take(lake, *thing);
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

    /// The first stack that a thing can be in: none before those of its tables.
    fn least(&self, lake: &Lake, thing: Thing) -> usize {
        self.table_stacks(lake, thing).into_iter().max().unwrap_or(1)
    }

    /// The stacks of the tables after which a thing is made: those of crawlers and of rules, and where Lake Formation gives permissions,
    /// which are about tables that are there, those of everything that is given some.
    pub(crate) fn table_stacks(&self, lake: &Lake, thing: Thing) -> Vec<usize> {
        let governed = lake.lake_formation.is_some();
        let tables = match thing {
            Thing::Step(StepId::Crawler(id)) => lake.crawlers[id].reads.clone(),
            Thing::Step(step) if governed => lake.step_reads(step).into_iter().chain(lake.step_writes(step)).collect(),
            Thing::Checks(id) => {
                let Ruleset { table, others, .. } = &lake.checks[id];
                let others = others.iter().filter(|_| governed);
                std::iter::once(table).chain(others).copied().collect()
            }
            Thing::Profile(id) if governed => vec![lake.profiles[id].reads],
            Thing::Grant(id) => {
                lake.grant(id).map(|grant| grant.tables.iter().map(|of| of.table).collect()).unwrap_or_default()
            }
            Thing::Zone(_)
            | Thing::Items(_)
            | Thing::Table(_)
            | Thing::Profile(_)
            | Thing::Statement(_)
            | Thing::Step(_)
            | Thing::Function(_) => Vec::new(),
        };
        tables.into_iter().map(|table| self.number(Thing::Table(table))).collect()
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

    /// What was reckoned with for a thing: resources, bytes and outputs.
    #[cfg(test)]
    pub(crate) fn reckoned(thing: Thing, lake: &Lake) -> [usize; 3] {
        let Room { resources, bytes, outputs } = Room::of(thing, lake);
        [resources, bytes, outputs]
    }

    /// The first line of a thing in a lock file, without its number.
    #[cfg(test)]
    pub(crate) fn line(thing: Thing, lake: &Lake) -> String {
        let (kind, name) = thing.key(lake);
        format!("{kind} {name}")
    }

    /// A stack into which a lock put more than CloudFormation takes.
    #[must_use]
    pub fn overfull(&self) -> Option<(Part, usize)> {
        let too_much = |(part, stacks): (&Part, &Vec<(Room, Vec<Thing>)>)| {
            let at = stacks.iter().position(|(room, _)| room.is_too_much())?;
            Some((*part, at + 1))
        };
        self.stacks.iter().find_map(too_much)
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
        Lock::new(&lake.name, self.places.iter().map(place).collect())
    }
}

/// Everything that has a place, in the order of the blueprint.
fn things(lake: &Lake) -> impl Iterator<Item = Thing> {
    let zones = lake.zones.iter().map(|(id, _)| Thing::Zone(id));
    let tables = lake.tables.iter().map(|(id, table)| match table.home {
        Home::Zone { .. } | Home::View { .. } => Thing::Table(id),
        Home::DynamoDb { .. } => Thing::Items(id),
    });
    let functions = lake.functions.iter().map(|(id, _)| Thing::Function(id));
    let checks = lake.checks.iter().map(|(id, _)| Thing::Checks(id));
    let profiles = lake.profiles.iter().map(|(id, _)| Thing::Profile(id));
    let statements = lake.statements.iter().map(|(id, _)| Thing::Statement(id));
    let grants = lake.lake_formation.iter().flat_map(|permissions| permissions.grants.iter());
    let grants = grants.map(|(id, _)| Thing::Grant(id));
    let others = checks.chain(profiles).chain(statements).chain(grants);
    zones.chain(tables).chain(others).chain(steps(lake).map(Thing::Step)).chain(functions)
}

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
mod scale;
#[cfg(test)]
mod tests;
