//! From what is written to what is meant: every name resolved, every mistake found, and only then a [`Lake`].

mod cause;
mod columns;
mod pipelines;
mod room;

use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::blueprint::{self, Blueprint};
use crate::decode::{Attempt, Decode, Decoder, Named};
use crate::diagnostic::{Diagnostic, Diagnostics, Noted, Severity, did_you_mean, nearest};
use crate::files::{FileKind, Files};
use crate::kind::api::ApiSpec;
use crate::kind::lake_formation::LakeFormationSpec;
use crate::kind::model::ModelSpec;
use crate::kind::raw::Referent;
use crate::kind::table::TableSpec;
use crate::kind::{learning, overrides, renamed, resource, tags};
use crate::lake::{
    Arena, Classifier, Crawler, Function, Home, Id, Job, Lake, Model, Query, Recipe, Ruleset, Step, StepId, Table,
    Workgroup, Zone,
};
use crate::region::Service;
use crate::set;
use crate::source::{Node, Source, Span, Spanned};
use crate::sql;
use crate::text::printable;

/// Reads and checks a blueprint, as it is written and as each environment that sets something has it.
///
/// The diagnostics hold everything that is wrong; there is a lake exactly when none of them is an error.
pub fn check(source: Source, root: &Path, files: &dyn Files) -> (Option<Lake>, Diagnostics) {
    let text = source.text.clone();
    let mut run = Run { root, files, sources: vec![source], list: Vec::new() };
    let mut lake = None;
    match blueprint::parse(&text) {
        Ok(node) => lake = run.all(&node, &text),
        Err(diagnostic) => run.list.push(diagnostic),
    }
    let Run { sources, mut list, .. } = run;
    list.sort_by_key(|diagnostic| diagnostic.span);
    list.dedup();
    let diagnostics = Diagnostics { sources, list };
    if diagnostics.errors() > 0 {
        lake = None;
    }
    (lake, diagnostics)
}

/// The check of one blueprint for all its environments.
struct Run<'a> {
    root: &'a Path,
    files: &'a dyn Files,
    sources: Vec<Source>,
    list: Vec<Diagnostic>,
}

impl Run<'_> {
    fn all(&mut self, node: &Node, text: &Arc<str>) -> Option<Lake> {
        let (blueprint, noted) = blueprint::read(node, text);
        let Some(blueprint) = blueprint else {
            self.list = noted;
            return None;
        };
        let (mut lake, noted) = self.one(node, &blueprint, noted, None);
        self.list = noted;
        let known = self.list.len();
        for (name, spec) in &blueprint.environments.0 {
            let Some(settings) = spec.as_ref().and_then(|spec| spec.set.as_ref()) else { continue };
            let mut lost = Vec::new();
            let node = set::apply(node, settings, text, &mut lost);
            self.list.append(&mut lost);
            let (here, noted) = match blueprint::read(&node, text) {
                (Some(blueprint), noted) => self.one(&node, &blueprint, noted, Some(name)),
                (None, noted) => (None, noted),
            };
            // What is wrong everywhere has been said; what is wrong only here is said with where.
            // Warnings come last of all: as long as something is wrong, they are no news of this environment.
            let news = |noted: &Diagnostic| {
                let base = &self.list[..known];
                !base.contains(noted)
                    && (noted.severity == Severity::Error || base.iter().all(|n| n.severity != Severity::Error))
            };
            let own: Vec<_> = noted.into_iter().filter(news).collect();
            self.list.extend(own.into_iter().map(|noted| noted.related(name.span, "in this environment")));
            if let (Some(lake), Some(here)) = (&mut lake, here) {
                lake.elsewhere.push((name.value.clone(), here));
            }
        }
        lake
    }

    /// Checks the blueprint as it is written, or as it is in one environment, behind what reading it has noted.
    fn one(
        &mut self,
        node: &Node,
        blueprint: &Blueprint,
        noted: Vec<Diagnostic>,
        environment: Option<&Spanned<String>>,
    ) -> (Option<Lake>, Vec<Diagnostic>) {
        let read = noted.len();
        let unread = cause::unread(node, &noted);
        let mut cx = Check::new(blueprint, self.files, std::mem::take(&mut self.sources), noted);
        let lake = cx.lake(self.root, environment.map(|name| name.as_str()));
        self.sources = cx.sources;
        let mut noted = cx.decoder.diagnostics;
        if !unread.is_empty() {
            let rest = noted.split_off(read);
            noted.extend(rest.into_iter().filter(|noted| !cause::follows(noted, &unread)));
        }
        (lake, noted)
    }
}

/// The names of every section, for resolving references.
#[derive(Default)]
struct Names<'a> {
    sections: Vec<(&'static str, HashMap<&'a str, usize>)>,
}

/// A section's place in [`Names`].
#[derive(Clone, Copy)]
enum Section {
    Zones,
    Tables,
    Crawlers,
    Queries,
    Recipes,
    Jobs,
    Models,
    Functions,
    Classifiers,
    Workgroups,
}

/// What checking knows so far.
pub(crate) struct Check<'a> {
    pub(crate) blueprint: &'a Blueprint,
    pub(crate) files: &'a dyn Files,
    pub(crate) sources: Vec<Source>,
    /// The tables by position; `None` for one that could not be understood.
    pub(crate) tables: Vec<Option<Table>>,
    /// Who writes a table, and where that is said.
    pub(crate) writers: HashMap<Id<Table>, (StepId, Span)>,
    /// Where a crawler names a table.
    pub(crate) crawled: HashMap<Id<Table>, Span>,
    /// What resources and overrides speak of.
    pub(crate) mentioned: HashSet<Referent>,
    /// What was found at the paths that were looked at: thousands of jobs may share a script.
    found: HashMap<PathBuf, Option<FileKind>>,
    decoder: Decoder,
    names: Names<'a>,
}

impl<'a> Check<'a> {
    fn new(blueprint: &'a Blueprint, files: &'a dyn Files, sources: Vec<Source>, noted: Vec<Diagnostic>) -> Self {
        fn index<T>(named: &Named<T>) -> HashMap<&str, usize> {
            named.0.iter().enumerate().map(|(at, (name, _))| (name.as_str(), at)).collect()
        }
        let sections = vec![
            ("zone", index(&blueprint.zones)),
            ("table", index(&blueprint.tables)),
            ("crawler", index(&blueprint.crawlers)),
            ("query", index(&blueprint.queries)),
            ("recipe", index(&blueprint.recipes)),
            ("job", index(&blueprint.jobs)),
            ("model", index(&blueprint.models)),
            ("function", index(&blueprint.functions)),
            ("classifier", index(&blueprint.classifiers)),
            ("workgroup", index(&blueprint.workgroups)),
        ];
        let text = sources.first().map_or_else(|| Arc::from(""), |source| source.text.clone());
        Self {
            blueprint,
            files,
            sources,
            tables: Vec::new(),
            writers: HashMap::new(),
            crawled: HashMap::new(),
            mentioned: HashSet::new(),
            found: HashMap::new(),
            decoder: Decoder::new(text, noted),
            names: Names { sections },
        }
    }

    /// The whole check, in the order in which kinds depend on each other.
    fn lake(&mut self, root: &Path, environment: Option<&str>) -> Option<Lake> {
        let b = self.blueprint;
        let name = self.lake_name();
        self.step_names();
        renamed::check(b, self);
        let mut environments = self.all(&b.environments, "an environment", |spec, name, cx| spec.check(name, cx));
        let tags = tags::check(&b.tags, self).unwrap_or_default();
        environments.iter_mut().flatten().for_each(|environment| tags::merge(&tags, &mut environment.tags));
        let github = b.github.as_ref().map(|github| github.check(&environments, self));
        let sample = b.sample.as_ref().map(|sample| sample.check(self));
        let zones = self.all(&b.zones, "a zone", |spec, name, cx| spec.check(name, cx));
        self.tables = self.all(&b.tables, "a table", |spec, name, cx| spec.check(name, cx));
        self.find_writers();
        self.views();
        self.only_queries();
        let classifiers = self.all(&b.classifiers, "a classifier", |spec, name, cx| spec.check(name, cx));
        let crawlers = self.all(&b.crawlers, "a crawler", |spec, name, cx| spec.check(name, cx));
        let recipes = self.all(&b.recipes, "a recipe", |spec, name, cx| spec.check(name, cx));
        let profiles = self.all(&b.profiles, "a profile", |spec, name, cx| spec.check(name, cx));
        let workgroups = self.workgroups();
        let queries = self.all(&b.queries, "a query", |spec, name, cx| spec.check(name, cx));
        let exports = queries.iter().zip(&b.queries.0);
        let exports: Vec<_> =
            exports.filter_map(|(query, (name, _))| Some((name.span, query.as_ref()?.export()?))).collect();
        self.apart(&exports);
        let statements = self.all(&b.statements, "a statement", |spec, name, cx| spec.check(name, cx));
        let jobs = self.all(&b.jobs, "a job", |spec, name, cx| spec.check(name, cx));
        let models = self.all(&b.models, "a model", |spec, name, cx| spec.check(name, cx));
        let functions = self.all(&b.functions, "a function", |spec, name, cx| spec.check(name, cx));
        let lake_formation = b.lake_formation.as_ref().map(|spec| spec.check(environment, self));
        let api = b.api.as_ref().map(|api| api.check(self));
        let checks = self.all(&b.checks, "a table", |spec, name, cx| spec.check(name, cx));
        self.references();
        self.services(environment);
        let mut reads = reads(&crawlers, &queries, &recipes, &jobs, &models);
        learning::leaks(&models, &reads, self);
        self.await_others(&checks, &mut reads);
        let steps = self.order(&reads);
        let order: Vec<StepId> = steps.iter().map(|step| step.id).collect();
        let pipelines = self.all(&b.pipelines, "a pipeline", |spec, name, cx| spec.check(name, &order, cx));
        self.overtaking(&steps, &pipelines);
        self.appended_twice(&steps, &pipelines, &queries);
        let resources = resource::check(&b.resources, self);
        let overrides = overrides::check(b, self);
        if self.decoder.diagnostics.is_empty() {
            self.unused(&reads, api.as_ref().and_then(Option::as_ref));
        }
        for (at, table) in self.tables.iter_mut().enumerate() {
            let Some(table) = table else { continue };
            let id = Id::new(at);
            table.writer = self.writers.get(&id).map(|(writer, _)| *writer);
            let by = |crawler: &Option<Crawler>| crawler.as_ref().is_some_and(|crawler| crawler.reads.contains(&id));
            table.crawler =
                if self.crawled.contains_key(&id) { crawlers.iter().position(by).map(Id::new) } else { None };
        }
        let lake = Lake {
            name: name?,
            description: b.description.clone(),
            root: root.to_owned(),
            environments: environments.into_iter().collect::<Option<_>>()?,
            github: match github {
                Some(github) => Some(github?),
                None => None,
            },
            sample: match sample {
                Some(sample) => Some(sample?),
                None => None,
            },
            zones: arena(zones)?,
            tables: arena(std::mem::take(&mut self.tables))?,
            classifiers: arena(classifiers)?,
            crawlers: arena(crawlers)?,
            workgroups: arena(workgroups)?,
            queries: arena(queries)?,
            statements: arena(statements)?,
            recipes: arena(recipes)?,
            profiles: arena(profiles)?,
            jobs: arena(jobs)?,
            models: arena(models)?,
            functions: arena(functions)?,
            lake_formation: match lake_formation {
                Some(lake_formation) => Some(lake_formation?),
                None => None,
            },
            api: match api {
                Some(api) => Some(api?),
                None => None,
            },
            checks: arena(checks)?,
            pipelines: arena(pipelines)?,
            resources: resources?,
            overrides: overrides?,
            steps,
            elsewhere: Vec::new(),
        };
        self.homeless(&lake);
        Some(lake)
    }

    /// Whether regions have what the lake needs: that of one environment, or those of all that have the lake as it is written.
    fn services(&mut self, environment: Option<&str>) {
        let b = self.blueprint;
        let recipes = b.recipes.0.iter().map(|(name, _)| name);
        let profiles = b.profiles.0.iter().map(|(name, _)| name);
        let models = b.models.0.iter();
        let hosted = models.clone().filter(|(_, spec)| spec.as_ref().is_some_and(|spec| spec.endpoint.is_some()));
        let serverless = models.clone().find(|(_, spec)| spec.as_ref().is_some_and(ModelSpec::serverless));
        let optimized = |(_, spec): &&(_, Option<TableSpec>)| spec.as_ref().is_some_and(TableSpec::optimized);
        let optimized = b.tables.0.iter().find(optimized);
        let users = b.api.as_ref().and_then(|api| api.users());
        let needed = [
            (Service::DataBrew, recipes.chain(profiles).next().map(|name| name.span)),
            (Service::XgBoost, models.clone().next().map(|(name, _)| name.span)),
            (Service::Endpoints, hosted.clone().next().map(|(name, _)| name.span)),
            (Service::Serverless, serverless.map(|(name, _)| name.span)),
            (Service::Cognito, users),
            (Service::Optimizers, optimized.map(|(name, _)| name.span)),
            (Service::LargeWorkers, b.jobs.0.iter().find_map(|(_, spec)| spec.as_ref()?.large_workers())),
            (Service::LaterGlue, b.jobs.0.iter().find_map(|(name, spec)| spec.as_ref()?.later_glue(name))),
            (Service::Unsigned, b.api.as_ref().and_then(ApiSpec::unsigned)),
        ];
        let needed: Vec<_> = needed.into_iter().filter_map(|(service, at)| Some((service, at?))).collect();
        let placed = b.api.as_ref().map(ApiSpec::placed).unwrap_or_default();
        for (name, spec) in &b.environments.0 {
            let Some(spec) = spec else { continue };
            if environment.map_or(spec.set.is_none(), |only| only == name.value) {
                spec.check_services(name, &needed, self);
                spec.check_placed(name, &placed, self);
            }
        }
    }

    fn all<S, K>(
        &mut self,
        section: &'a Named<S>,
        noun: &str,
        check: impl Fn(&'a S, &'a Spanned<String>, &mut Self) -> Option<K>,
    ) -> Vec<Option<K>> {
        let one = |(name, spec): &'a (Spanned<String>, Option<S>)| {
            let named = self.name(name, noun);
            let kind = spec.as_ref().and_then(|spec| check(spec, name, self));
            named.and(kind)
        };
        section.0.iter().map(one).collect()
    }

    fn lake_name(&mut self) -> Option<String> {
        let Some(Attempt(name)) = &self.blueprint.name else {
            self.error(Span::new(0, 0), "the lake has no name").help("begin the file with `name: my_lake`");
            return None;
        };
        let name = name.as_ref()?;
        let fits = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_')
            && name.chars().next().is_some_and(|c| c.is_ascii_lowercase())
            && name.chars().last().is_some_and(|c| c.is_ascii_alphanumeric())
            && name.len() <= 20;
        if !fits {
            self.error(name.span, format!("`{}` cannot be the name of a lake", name.value))
                .help("at most 20 lower-case letters, digits, `-` and `_`, beginning with a letter");
        }
        // Source: "General purpose bucket naming rules" of the S3 user guide: buckets begin with the lake's name.
        const RESERVED: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
        let buckets = format!("{}-", name.value.replace('_', "-"));
        if let Some(reserved) = RESERVED.into_iter().find(|reserved| buckets.starts_with(reserved)) {
            self.error(name.span, format!("names of buckets cannot begin with `{reserved}`"))
                .help("the lake's buckets begin with its name: choose another one");
        }
        Some(name.value.clone())
    }

    /// The workgroups, the lake's own last where the blueprint does not declare it.
    fn workgroups(&mut self) -> Vec<Option<Workgroup>> {
        let b = self.blueprint;
        let mut all = self.all(&b.workgroups, "a workgroup", |spec, name, cx| spec.check(name, cx));
        if b.workgroups.0.iter().all(|(name, _)| name.as_str() != Workgroup::LAKE) {
            all.push(Some(Workgroup::lake()));
        }
        if let Some((name, _)) = b.workgroups.0.get(Workgroup::MOST) {
            self.error(name.span, format!("a lake has at most {} workgroups", Workgroup::MOST))
                .help("they share a stack with the lake's database");
        }
        all
    }

    /// Steps share one namespace: `lakegen run STEP` must say which.
    fn step_names(&mut self) {
        let b = self.blueprint;
        let mut seen: HashMap<&str, (Span, &'static str)> = HashMap::new();
        let names = |(name, _): &'a (Spanned<String>, Option<_>)| name;
        let crawlers = b.crawlers.0.iter().map(|(name, _)| (name, "crawler"));
        let queries = b.queries.0.iter().map(|(name, _)| (name, "query"));
        let recipes = b.recipes.0.iter().map(|(name, _)| (name, "recipe"));
        let jobs = b.jobs.0.iter().map(names).map(|name| (name, "job"));
        let models = b.models.0.iter().map(|(name, _)| (name, "model"));
        for (name, kind) in crawlers.chain(queries).chain(recipes).chain(jobs).chain(models) {
            if let Some((first, other)) = seen.insert(name, (name.span, kind))
                && other != kind
            {
                self.push(
                    Diagnostic::error(
                        name.span,
                        format!("two steps are named `{}`: a {other} and a {kind}", name.value),
                    )
                    .related(first, format!("the {other}"))
                    .help("rename one; `lakegen run` names steps"),
                );
            }
        }
    }

    fn find_writers(&mut self) {
        let b = self.blueprint;
        let mut claims: Vec<(&'a Spanned<String>, StepId)> = Vec::new();
        for (at, (_, spec)) in b.queries.0.iter().enumerate() {
            // One that exports, too, is told to do one of both: it may not be the table's writer.
            let spec = spec.iter().filter(|spec| spec.exports.is_none());
            claims
                .extend(spec.filter_map(|spec| spec.writes.as_ref()).map(|table| (table, StepId::Query(Id::new(at)))));
        }
        for (at, (_, spec)) in b.recipes.0.iter().enumerate() {
            claims.extend(spec.iter().map(|spec| (&spec.writes, StepId::Recipe(Id::new(at)))));
        }
        for (at, (_, spec)) in b.jobs.0.iter().enumerate() {
            let writes = spec.iter().flat_map(|spec| spec.written());
            claims.extend(writes.map(|table| (table, StepId::Job(Id::new(at)))));
        }
        for (table, step) in claims {
            let Some(at) = self.names.sections[Section::Tables as usize].1.get(table.as_str()).copied() else {
                continue;
            };
            let bucketed = b.tables.0.get(at).and_then(|(_, spec)| spec.as_ref()?.bucketed());
            if let Some(buckets) = bucketed {
                let message = format!("no step can write `{}`, whose files are buckets", table.value);
                let help = "Athena and Spark write no buckets into a table that is there; Iceberg has its own: \
                            `format: { iceberg: { partition: [\"bucket(16, id)\"] } }`";
                self.push(Diagnostic::error(table.span, message).related(buckets, "the buckets").help(help));
            }
            match self.writers.get(&Id::new(at)) {
                Some((other, first)) if *other != step => {
                    let (first, other) = (*first, format!("{} `{}`", other.kind(), self.step_name(*other)));
                    self.push(
                        Diagnostic::error(table.span, format!("two steps write `{}`", table.value))
                            .related(first, format!("the {other} writes it too"))
                            .help("let each write a table of its own, and a third join them"),
                    );
                }
                Some(_) => {}
                None => {
                    self.writers.insert(Id::new(at), (step, table.span));
                }
            }
        }
    }

    /// The SQL of views, each after those before it.
    fn views(&mut self) {
        for (at, (name, spec)) in self.blueprint.tables.0.iter().enumerate() {
            let Some(view) = spec.as_ref().and_then(|spec| spec.view.as_ref()) else { continue };
            let Some(checked) = sql::check(view, Some((name, Id::new(at))), self) else { continue };
            let later = checked.reads.iter().find(|id| {
                let view = matches!(self.tables.get(id.index()), Some(Some(Table { home: Home::View { .. }, .. })));
                view && id.index() >= at
            });
            if let Some(later) = later {
                let other = &self.blueprint.tables.0[later.index()].0;
                self.push(
                    Diagnostic::error(
                        view.span,
                        format!("the view `{}` reads `{}`, which is not yet there", name.value, other.value),
                    )
                    .related(other.span, "this view")
                    .help("declare a view before those that read it"),
                );
            }
            if checked.parameters > 0 {
                self.error(view.span, "a view has no parameters").help("`statements` have");
            }
            if let Some(Some(Table { home: Home::View { sql, reads }, .. })) = self.tables.get_mut(at) {
                (*sql, *reads) = (checked.sql, checked.reads);
            }
        }
    }

    /// Only SQL reads views and Iceberg tables, and only queries write these: to jobs and functions a table is a folder of files
    /// or a key-value table.
    fn only_queries(&mut self) {
        let b = self.blueprint;
        let jobs = b.jobs.0.iter().filter_map(|(_, spec)| spec.as_ref());
        let jobs = jobs.flat_map(|spec| spec.reads.iter().chain(&spec.writes)).map(|name| (name, "a job"));
        let functions = b.functions.0.iter().filter_map(|(_, spec)| spec.as_ref());
        let functions = functions.flat_map(|spec| &spec.reads).map(|name| (name, "a function"));
        for (name, reader) in jobs.chain(functions) {
            let known = self.find_table(name);
            let key_value = known.is_some_and(|id| {
                matches!(self.tables.get(id.index()), Some(Some(Table { home: Home::DynamoDb { .. }, .. })))
            });
            if let (Some(id), false) = (known, key_value) {
                self.refuse_without_files(name, id, reader);
                if reader == "a job" {
                    self.refuse_avro(name, id, reader);
                }
            }
        }
    }

    fn references(&mut self) {
        for (at, (_, spec)) in self.blueprint.tables.0.iter().enumerate() {
            let Some(spec) = spec else { continue };
            let references = spec.check_references(self);
            let Some(Some(table)) = self.tables.get_mut(at) else { continue };
            for (column, reference) in table.columns.iter_mut().zip(references) {
                column.references = reference;
            }
        }
    }

    /// A step whose table is compared with others when it has been written runs behind the writers of those.
    fn await_others(&self, checks: &[Option<Ruleset>], reads: &mut [(StepId, Vec<Id<Table>>)]) {
        for Ruleset { table, rules: _, fails: _, others } in checks.iter().flatten() {
            for (step, tables) in reads.iter_mut() {
                let looks = match (self.writers.get(table), &step) {
                    (Some((writer, _)), step) => writer == *step,
                    (None, StepId::Crawler(_)) => tables.contains(table),
                    (None, _) => false,
                };
                if looks {
                    tables.extend(others.iter().filter(|other| self.writers.contains_key(other)));
                }
            }
        }
    }

    /// Every step in an order in which they can run; a cycle is an error, shown as a path.
    fn order(&mut self, reads: &[(StepId, Vec<Id<Table>>)]) -> Vec<Step> {
        let mut crawler_of: HashMap<Id<Table>, StepId> = HashMap::new();
        for (step, tables) in reads {
            if matches!(step, StepId::Crawler(_)) {
                crawler_of.extend(tables.iter().map(|table| (*table, *step)));
            }
        }
        let mut after: HashMap<StepId, BTreeSet<StepId>> = HashMap::new();
        let mut before: HashMap<StepId, Vec<StepId>> = HashMap::new();
        for (step, tables) in reads {
            let mut predecessors = BTreeSet::new();
            for table in tables {
                predecessors.extend(self.writers.get(table).map(|(writer, _)| *writer));
                predecessors.extend(crawler_of.get(table).filter(|crawler| *crawler != step));
            }
            for predecessor in &predecessors {
                before.entry(*predecessor).or_default().push(*step);
            }
            after.insert(*step, predecessors);
        }
        let known: BTreeSet<StepId> = after.keys().copied().collect();
        let mut open: HashMap<StepId, usize> =
            after.iter().map(|(step, after)| (*step, after.iter().filter(|s| known.contains(s)).count())).collect();
        let mut ready: BinaryHeap<std::cmp::Reverse<StepId>> =
            open.iter().filter(|(_, count)| **count == 0).map(|(step, _)| std::cmp::Reverse(*step)).collect();
        let mut steps = Vec::with_capacity(after.len());
        while let Some(std::cmp::Reverse(id)) = ready.pop() {
            open.remove(&id);
            for next in before.get(&id).into_iter().flatten() {
                if let Some(count) = open.get_mut(next) {
                    *count -= 1;
                    if *count == 0 {
                        ready.push(std::cmp::Reverse(*next));
                    }
                }
            }
            let after = after.get(&id).map(|after| after.iter().copied().collect()).unwrap_or_default();
            steps.push(Step { id, after });
        }
        if let Some(start) = open.keys().min().copied() {
            self.cycle(start, &after, &open, reads);
        }
        steps
    }

    /// Follows unfinished predecessors from `start` until one comes again.
    fn cycle(
        &mut self,
        start: StepId,
        after: &HashMap<StepId, BTreeSet<StepId>>,
        open: &HashMap<StepId, usize>,
        reads: &[(StepId, Vec<Id<Table>>)],
    ) {
        let mut path = vec![start];
        let mut at = start;
        let first = loop {
            let next = after.get(&at).into_iter().flatten().find(|step| open.contains_key(step));
            let Some(next) = next.copied() else { return };
            if let Some(first) = path.iter().position(|step| *step == next) {
                break first;
            }
            path.push(next);
            at = next;
        };
        // Predecessors were followed, so data flows the other way round.
        let mut round: Vec<StepId> = path.split_off(first);
        round.reverse();
        let smallest = round.iter().enumerate().min_by_key(|(_, step)| **step).map_or(0, |(at, _)| at);
        round.rotate_left(smallest);
        let mut words = Vec::new();
        let mut places = Vec::new();
        for (at, step) in round.iter().enumerate() {
            let next = round[(at + 1) % round.len()];
            words.push(format!("{} `{}`", step.kind(), self.step_name(*step)));
            let tables =
                reads.iter().find(|(id, _)| *id == next).map(|(_, tables)| tables.as_slice()).unwrap_or_default();
            let written = tables.iter().find(|table| self.writers.get(table).is_some_and(|(writer, _)| writer == step));
            if let Some(table) = written {
                let name = &self.blueprint.tables.0[table.index()].0.value;
                words.push(format!("table `{name}`"));
                if let Some((_, span)) = self.writers.get(table) {
                    places.push((*span, format!("`{}` writes `{name}`", self.step_name(*step))));
                }
            }
        }
        words.push(format!("{} `{}`", round[0].kind(), self.step_name(round[0])));
        let mut places = places.into_iter();
        let Some((span, label)) = places.next() else { return };
        let mut diagnostic = Diagnostic::error(span, format!("these steps wait for each other: {}", words.join(" → ")))
            .label(label)
            .help("a step runs when everything it reads is fresh: break the circle, perhaps with a table of its own");
        diagnostic.related = places.collect();
        self.push(diagnostic);
    }

    /// Warns of what nothing uses.
    fn unused(&mut self, reads: &[(StepId, Vec<Id<Table>>)], api: Option<&crate::lake::Api>) {
        let b = self.blueprint;
        // Only called when nothing else was found, so every table and step has been understood.
        let mut used: BTreeSet<usize> =
            reads.iter().flat_map(|(_, tables)| tables).map(|table| table.index()).collect();
        used.extend(self.writers.keys().map(|table| table.index()));
        let tables = &self.names.sections[Section::Tables as usize].1;
        let named = b.functions.0.iter().filter_map(|(_, spec)| spec.as_ref()).flat_map(|spec| &spec.reads);
        let profiled = b.profiles.0.iter().filter_map(|(_, spec)| spec.as_ref()).map(|spec| &spec.reads);
        let granted = b.lake_formation.iter().flat_map(LakeFormationSpec::granted);
        used.extend(named.chain(profiled).chain(granted).filter_map(|name| tables.get(name.as_str())));
        for (at, table) in self.tables.iter().enumerate() {
            if let Some(Table { home: Home::View { reads, .. }, .. }) = table {
                used.insert(at);
                used.extend(reads.iter().map(|table| table.index()));
            }
        }
        for (at, (name, _)) in b.tables.0.iter().enumerate() {
            if !used.contains(&at) && !self.mentioned.contains(&Referent::Table(Id::new(at))) {
                let message = format!("nothing reads or writes the table `{}`", name.value);
                self.push(
                    Diagnostic::warning(name.span, message).help("let a crawler or a step read it, or remove it"),
                );
            }
        }
        let called: BTreeSet<usize> =
            api.iter().flat_map(|api| &api.routes).map(|route| route.function.index()).collect();
        for (at, (name, spec)) in b.tables.0.iter().enumerate() {
            let id = Id::new(at);
            if let (Some(spec), Some((writer, _))) = (spec, self.writers.get(&id))
                && !spec.partitions.0.is_empty()
                && self.tables.get(at).and_then(Option::as_ref).is_some_and(|table| table.projections.is_empty())
                && !self.crawled.contains_key(&id)
            {
                let writer = self.step_name(*writer);
                let message =
                    format!("nothing tells Athena of the partitions that `{writer}` writes to `{}`", name.value);
                self.push(
                    Diagnostic::warning(name.span, message)
                        .help(format!(
                            "let a crawler read it (`crawlers: {{ {0}: {{ reads: [{0}] }} }}`), or let Athena reckon them: `project`",
                            name.value
                        )),
                );
            }
        }
        for (at, (name, _)) in b.functions.0.iter().enumerate() {
            if !called.contains(&at) && !self.mentioned.contains(&Referent::Function(Id::new(at))) {
                let message = format!("nothing calls the function `{}`", name.value);
                self.push(Diagnostic::warning(name.span, message).help("give it a route in `api`, or remove it"));
            }
        }
    }

    // ── what the kinds use ──

    /// Notes an error.
    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>) -> Noted<'_> {
        self.decoder.error(span, message)
    }

    /// Notes a diagnostic.
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) -> Noted<'_> {
        self.decoder.push(diagnostic)
    }

    /// Whether looking for what was meant is still worth the time: nobody reads the thousandth suggestion, and each costs a look
    /// at every name.
    pub(crate) fn suggests(&self) -> bool {
        self.errors() < 200
    }

    /// How many errors have been noted.
    pub(crate) fn mistakes(&self) -> usize {
        self.decoder.diagnostics.iter().filter(|noted| noted.severity == Severity::Error).count()
    }

    /// How much has been noted.
    pub(crate) fn errors(&self) -> usize {
        self.decoder.diagnostics.len()
    }

    /// Reads a node whose type depends on something that only checking knows.
    pub(crate) fn decode<T: Decode>(&mut self, node: &Node) -> Option<T> {
        T::decode(node, &mut self.decoder)
    }

    /// The number of a file's text among those that diagnostics point into.
    pub(crate) fn source(&mut self, path: &Path, text: &str) -> u32 {
        let name = path.display().to_string();
        // Each environment that sets something reads the same files again.
        let known = self.sources.iter().skip(1).position(|source| source.name == name).map(|at| at + 1);
        let at = known.unwrap_or(self.sources.len());
        if known.is_none() {
            self.sources.push(Source { name, text: text.into() });
        }
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    /// Checks the spelling of a name that becomes part of AWS names, SQL and variables.
    pub(crate) fn name(&mut self, name: &Spanned<String>, noun: &str) -> Option<()> {
        let fits = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            && name.chars().next().is_some_and(|c| c.is_ascii_lowercase())
            && name.len() <= 40;
        if fits {
            return Some(());
        }
        let lower: String = name
            .chars()
            .take(40)
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
            .collect();
        let lower = lower.trim_matches('_');
        let help = if lower.chars().next().is_some_and(|c| c.is_ascii_lowercase()) {
            format!("lower-case letters, digits and `_`, at most 40: `{lower}`?")
        } else {
            "lower-case letters, digits and `_`, at most 40, beginning with a letter".into()
        };
        self.error(name.span, format!("`{}` cannot be the name of {noun}", name.value)).help(help);
        None
    }

    fn resolve(&mut self, section: Section, name: &Spanned<String>) -> Option<usize> {
        let suggest = self.suggests();
        let (kind, names) = &self.names.sections[section as usize];
        if let Some(at) = names.get(name.as_str()) {
            return Some(*at);
        }
        let elsewhere = self.names.sections.iter().find(|(_, names)| names.contains_key(name.as_str()));
        let diagnostic = match elsewhere {
            Some((other, _)) => {
                let mut diagnostic = Diagnostic::error(
                    name.span,
                    format!("`{}` is {}, not {}", name.value, article(other), article(kind)),
                );
                diagnostic.help = nearest(name, names.keys().copied()).map(|found| format!("did you mean `{found}`?"));
                diagnostic
            }
            None => {
                let mut candidates: Vec<&str> = if suggest { names.keys().copied().collect() } else { Vec::new() };
                candidates.sort_unstable();
                let help = did_you_mean(name, candidates.iter().copied())
                    .or_else(|| names.is_empty().then(|| format!("the blueprint has no {}", plural(kind))));
                Diagnostic::error(name.span, format!("no {kind} named `{}`", name.value))
                    .label(format!("not {}", article(kind)))
                    .maybe_help(help)
            }
        };
        self.push(diagnostic);
        None
    }

    /// The zone of that name.
    pub(crate) fn zone(&mut self, name: &Spanned<String>) -> Option<Id<Zone>> {
        self.resolve(Section::Zones, name).map(Id::new)
    }

    /// The table of that name.
    pub(crate) fn table(&mut self, name: &Spanned<String>) -> Option<Id<Table>> {
        self.resolve(Section::Tables, name).map(Id::new)
    }

    /// The tables of those names; every unknown one is noted.
    pub(crate) fn tables(&mut self, names: &[Spanned<String>]) -> Option<Vec<Id<Table>>> {
        let ids: Vec<Option<Id<Table>>> = names.iter().map(|name| self.table(name)).collect();
        ids.into_iter().collect()
    }

    /// The position of a table, without a word when there is none.
    pub(crate) fn find_table(&self, name: &str) -> Option<Id<Table>> {
        self.names.sections[Section::Tables as usize].1.get(name).map(|at| Id::new(*at))
    }

    /// The names of all tables.
    pub(crate) fn table_names(&self) -> Vec<&'a str> {
        self.blueprint.tables.0.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// The classifier of that name.
    pub(crate) fn classifier(&mut self, name: &Spanned<String>) -> Option<Id<Classifier>> {
        self.resolve(Section::Classifiers, name).map(Id::new)
    }

    /// The workgroup of that name; the lake's own when there is no name.
    pub(crate) fn workgroup(&mut self, name: Option<&Spanned<String>>) -> Option<Id<Workgroup>> {
        let names = &self.names.sections[Section::Workgroups as usize].1;
        match name.filter(|name| name.as_str() != Workgroup::LAKE) {
            Some(name) => self.resolve(Section::Workgroups, name).map(Id::new),
            None => Some(Id::new(names.get(Workgroup::LAKE).copied().unwrap_or(self.blueprint.workgroups.0.len()))),
        }
    }

    /// The model of that name.
    pub(crate) fn model(&mut self, name: &Spanned<String>) -> Option<Id<Model>> {
        self.resolve(Section::Models, name).map(Id::new)
    }

    /// The function of that name.
    pub(crate) fn function(&mut self, name: &Spanned<String>) -> Option<Id<Function>> {
        self.resolve(Section::Functions, name).map(Id::new)
    }

    /// The step of that name in one section.
    pub(crate) fn step_of(&mut self, section: &str, name: &Spanned<String>) -> Option<StepId> {
        Some(match section {
            "crawlers" => StepId::Crawler(self.resolve(Section::Crawlers, name).map(Id::new)?),
            "queries" => StepId::Query(self.resolve(Section::Queries, name).map(Id::new)?),
            "recipes" => StepId::Recipe(self.resolve(Section::Recipes, name).map(Id::new)?),
            "jobs" => StepId::Job(self.resolve(Section::Jobs, name).map(Id::new)?),
            _ => StepId::Model(self.resolve(Section::Models, name).map(Id::new)?),
        })
    }

    /// Whether the model of that name has an endpoint.
    pub(crate) fn has_endpoint(&self, name: &str) -> bool {
        let mut models = self.blueprint.models.0.iter();
        models.any(|(known, spec)| known.value == name && spec.as_ref().is_some_and(|spec| spec.endpoint.is_some()))
    }

    /// The step of that name, whatever its kind.
    pub(crate) fn step(&mut self, name: &Spanned<String>) -> Option<StepId> {
        let at = |section: Section| self.names.sections[section as usize].1.get(name.as_str()).copied();
        let found = (at(Section::Crawlers).map(|at| StepId::Crawler(Id::new(at))))
            .or_else(|| at(Section::Queries).map(|at| StepId::Query(Id::new(at))))
            .or_else(|| at(Section::Recipes).map(|at| StepId::Recipe(Id::new(at))))
            .or_else(|| at(Section::Jobs).map(|at| StepId::Job(Id::new(at))))
            .or_else(|| at(Section::Models).map(|at| StepId::Model(Id::new(at))));
        if found.is_none() {
            let steps = [Section::Crawlers, Section::Queries, Section::Recipes, Section::Jobs, Section::Models];
            let mut names: Vec<&str> =
                steps.iter().flat_map(|section| self.names.sections[*section as usize].1.keys().copied()).collect();
            names.sort_unstable();
            let help = did_you_mean(name, names);
            self.push(Diagnostic::error(name.span, format!("no step named `{}`", name.value)).maybe_help(help));
        }
        found
    }

    /// The name of a step, from the blueprint.
    pub(crate) fn step_name(&self, step: StepId) -> &'a str {
        self.step_key(step)
    }

    fn step_key(&self, step: StepId) -> &'a Spanned<String> {
        let b = self.blueprint;
        match step {
            StepId::Crawler(id) => &b.crawlers.0[id.index()].0,
            StepId::Query(id) => &b.queries.0[id.index()].0,
            StepId::Recipe(id) => &b.recipes.0[id.index()].0,
            StepId::Job(id) => &b.jobs.0[id.index()].0,
            StepId::Model(id) => &b.models.0[id.index()].0,
        }
    }

    /// Notes a table of whose partitions the catalog does not learn, where a service takes them from there.
    ///
    /// Sources: "Partition projection with Amazon Athena" (other services take the partitions of the catalog) and "INSERT INTO"
    /// (Athena puts those that it writes there) of the Athena user guide.
    pub(crate) fn refuse_unlisted(&mut self, written: &Spanned<String>, id: Id<Table>, service: &str, other: &str) {
        let Some(Some(table)) = self.tables.get(id.index()) else { return };
        let inserted = matches!(self.writers.get(&id), Some((StepId::Query(_), _)));
        if table.partitions.is_empty() || self.crawled.contains_key(&id) || (inserted && table.projections.is_empty()) {
            return;
        }
        let why = if table.projections.is_empty() { "nothing puts them there" } else { "only Athena reckons them" };
        let name = &written.value;
        self.error(written.span, format!("{service} takes the partitions of `{name}` from the catalog, and {why}"))
            .help(format!("let a crawler read it, `crawlers: {{ {name}: {{ reads: [{name}] }} }}`{other}"));
    }

    /// Notes a description that a service, which takes so many characters, does not take.
    pub(crate) fn description(&mut self, written: &Spanned<String>, service: &str, most: usize) {
        let length = written.chars().count();
        if length > most {
            self.error(
                written.span,
                format!("{service} takes descriptions of {most} characters, and this one has {length}"),
            );
        }
        if written.is_empty() || written.contains(|c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) {
            self.error(written.span, format!("{service} takes no such description"))
                .help("write text without control characters, or leave it out");
        }
    }

    fn relative(&mut self, written: &Spanned<String>) -> Option<PathBuf> {
        let path = Path::new(&written.value);
        let inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        let plain = !written.chars().any(|c| c.is_control() || c == '\\');
        if written.is_empty() || !inside || !plain {
            self.error(written.span, format!("`{}` does not stay inside the project", printable(written, &[])))
                .help("write a path relative to the project's folder, with `/` and without `..`");
            return None;
        }
        Some(path.components().filter(|part| !matches!(part, Component::CurDir)).collect())
    }

    fn existing(&mut self, written: &Spanned<String>, wanted: &[FileKind]) -> Option<PathBuf> {
        let path = self.relative(written)?;
        let noun = if wanted == [FileKind::Directory] { "folder" } else { "file" };
        let found = match self.found.get(&path) {
            Some(found) => *found,
            None => *self.found.entry(path.clone()).or_insert(self.files.kind(&path)),
        };
        match found {
            Some(kind) if wanted.contains(&kind) => Some(path),
            Some(FileKind::Outside) => {
                self.error(written.span, format!("`{}` is a link that leaves the project", written.value));
                None
            }
            Some(kind) => {
                let found = match kind {
                    FileKind::Directory => "a folder",
                    FileKind::File | FileKind::Outside => "a file",
                    FileKind::Special => "neither a file nor a folder",
                };
                self.error(written.span, format!("`{}` is {found}, not a {noun}", written.value));
                None
            }
            None => {
                let parent = path.parent().unwrap_or(Path::new(""));
                let names = self.files.list(parent);
                let last = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                let help = nearest(last, names.iter().map(String::as_str))
                    .map(|found| format!("did you mean `{}`?", parent.join(found).display()))
                    .unwrap_or_else(|| "paths start from the project's folder".into());
                self.error(written.span, format!("there is no {noun} `{}`", written.value)).help(help);
                None
            }
        }
    }

    /// A file of the project.
    pub(crate) fn file(&mut self, written: &Spanned<String>) -> Option<PathBuf> {
        self.existing(written, &[FileKind::File])
    }

    /// A folder of the project.
    pub(crate) fn directory(&mut self, written: &Spanned<String>) -> Option<PathBuf> {
        self.existing(written, &[FileKind::Directory])
    }

    /// A Python module or package of the project.
    pub(crate) fn module(&mut self, written: &Spanned<String>) -> Option<PathBuf> {
        self.existing(written, &[FileKind::File, FileKind::Directory])
    }

    /// A file that must lie in a folder named in the blueprint.
    pub(crate) fn file_in(&mut self, directory: &Spanned<String>, file: &str) {
        let path = Path::new(&directory.value).join(file);
        if self.files.kind(&path) != Some(FileKind::File) {
            self.error(directory.span, format!("there is no file `{}`", path.display()));
        }
    }

    /// The bare name of a file.
    pub(crate) fn file_name(&mut self, written: &Spanned<String>) -> Option<String> {
        let plain = !written.is_empty()
            && !written.starts_with('.')
            && !written.chars().any(|c| c.is_control() || matches!(c, '/' | '\\' | ':'));
        if !plain {
            self.error(written.span, format!("`{}` is not the bare name of a file", printable(written, &[])));
        }
        plain.then(|| written.value.clone())
    }
}

/// Notes every name that stands twice in a list.
pub(crate) fn unique(names: &[Spanned<String>], cx: &mut Check<'_>) {
    let mut seen: HashMap<&str, Span> = HashMap::new();
    for name in names {
        if let Some(first) = seen.insert(name, name.span) {
            cx.push(
                Diagnostic::error(name.span, format!("`{}` stands twice in the list", name.value))
                    .related(first, "first here"),
            );
        }
    }
}

fn article(kind: &str) -> String {
    format!("a {kind}")
}

fn plural(kind: &str) -> String {
    match kind {
        "query" => "queries".into(),
        other => format!("{other}s"),
    }
}

fn arena<K>(items: Vec<Option<K>>) -> Option<Arena<K>> {
    items.into_iter().collect::<Option<Vec<K>>>().map(Arena::new)
}

/// What each understood step reads.
fn reads(
    crawlers: &[Option<Crawler>],
    queries: &[Option<Query>],
    recipes: &[Option<Recipe>],
    jobs: &[Option<Job>],
    models: &[Option<Model>],
) -> Vec<(StepId, Vec<Id<Table>>)> {
    fn each<'k, K: 'k>(
        items: &'k [Option<K>],
        step: impl Fn(Id<K>) -> StepId + 'k,
        reads: impl Fn(&'k K) -> Vec<Id<Table>> + 'k,
    ) -> impl Iterator<Item = (StepId, Vec<Id<Table>>)> + 'k {
        let some = items.iter().enumerate().filter_map(|(at, item)| item.as_ref().map(|item| (at, item)));
        some.map(move |(at, item)| (step(Id::new(at)), reads(item)))
    }
    each(crawlers, StepId::Crawler, |crawler| crawler.reads.clone())
        .chain(each(queries, StepId::Query, |query| query.reads.clone()))
        .chain(each(recipes, StepId::Recipe, Recipe::inputs))
        .chain(each(jobs, StepId::Job, |job| job.reads.clone()))
        .chain(each(models, StepId::Model, |model| model.reads.iter().map(|(_, table)| *table).collect()))
        .collect()
}
