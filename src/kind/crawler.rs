//! A crawler: catalogues tables whose files arrive from outside, or finds tables that nobody declared.

use crate::check::{Check, unique};
use crate::cron;
use crate::decode::{alternatives, section};
use crate::diagnostic::Diagnostic;
use crate::kind::classifier;
use crate::kind::overrides::OverridesSpec;
use crate::lake::{Classifier, Format, Home, Id, Table, Zone};
use crate::source::Spanned;

section! {
    /// A Glue crawler.
    "a crawler"
    pub struct CrawlerSpec by NAME {
        /// The tables that it looks at.
        /// Example: `[orders, products]`.
        reads: Vec<Spanned<String>>,
        /// Instead of `reads`: places whose files become tables of the catalog by themselves, named `<crawler>_<folder>`.
        /// Example: `[{ zone: raw, path: logs/ }]`.
        discovers: Vec<PlaceSpec>,
        /// Classifiers that are asked before Glue's own, in this order.
        /// Example: `[web_log]`.
        classifiers: Vec<Spanned<String>>,
        /// When it also runs by itself, in UTC; six fields, as AWS writes them.
        /// Default: when a step of a pipeline starts it.
        /// Example: `"cron(0 3 * * ? *)"`.
        schedule: Option<Spanned<String>>,
        /// What happens when a table no longer looks as the catalog says: `log`, `add_columns` or `update`.
        /// Default: `log` for declared tables, `update` for discovered ones.
        /// Example: `add_columns`.
        changes: Option<Spanned<ChangesSpec>>,
        /// What happens when files are gone: `log`, `deprecate` or `delete`; declared tables are never removed.
        /// Default: `log`.
        /// Example: `deprecate`.
        removals: Option<Spanned<RemovalsSpec>>,
        /// What a second crawl looks at: `everything`, or `new_folders` only.
        /// Default: `everything`.
        /// Example: `new_folders`.
        recrawl: Option<Spanned<RecrawlSpec>>,
        /// Which discovered files are one table: `similar` ones, or all that are `compatible`.
        /// Default: `similar`.
        /// Example: `compatible`.
        grouping: Option<Spanned<GroupingSpec>>,
        /// The folder level that discovered tables lie on; the bucket is level 1.
        /// Default: what Glue finds.
        /// Example: `2`.
        table_level: Option<Spanned<u32>>,
        /// A crawl that finds more tables than these fails, and changes nothing in the catalog.
        /// Default: however many.
        /// Example: `50`.
        max_tables: Option<Spanned<u32>>,
        /// Changes to the resources that are made of it; which there are, "The escape hatch" says.
        /// Example: `{ LogGroup: { Properties: { RetentionInDays: 7 } } }`.
        overrides as "override": OverridesSpec,
    }
}

section! {
    /// Where a crawler looks for tables.
    "a place"
    pub struct PlaceSpec {
        /// The zone.
        /// Example: `raw`.
        zone: Spanned<String>,
        /// The folder in it, with a slash at its end.
        /// Default: the whole zone.
        /// Example: `logs/`.
        path: Option<Spanned<String>>,
        /// Patterns of what is left out, relative to the path.
        /// Example: `["**.tmp"]`.
        exclude: Vec<Spanned<String>>,
        /// It looks at so many files of each folder.
        /// Default: all of them.
        /// Example: `10`.
        sample: Option<Spanned<u32>>,
    }
}

alternatives! {
    /// What happens when a table no longer looks as the catalog says.
    "a way to meet changes"
    pub enum ChangesSpec {
        /// The change is logged.
        Log = "log",
        /// New columns are added, the others stay.
        AddColumns = "add_columns",
        /// The catalog follows the files.
        Update = "update",
    }
}

alternatives! {
    /// What happens when files are gone.
    "a way to meet removals"
    pub enum RemovalsSpec {
        /// It is logged.
        Log = "log",
        /// The table is marked.
        Deprecate = "deprecate",
        /// The table goes too.
        Delete = "delete",
    }
}

alternatives! {
    /// What a second crawl looks at.
    "a way to crawl again"
    pub enum RecrawlSpec {
        /// All files.
        Everything = "everything",
        /// Folders that were not there before.
        NewFolders = "new_folders",
    }
}

alternatives! {
    /// Which files are one table.
    "a way to group files"
    pub enum GroupingSpec {
        /// Those with similar columns.
        Similar = "similar",
        /// All of one format.
        Compatible = "compatible",
    }
}

/// A Glue crawler.
#[derive(Debug, Clone, PartialEq)]
pub struct Crawler {
    /// The name.
    pub name: String,
    /// The tables that it looks at; all lie in zones. None when it discovers.
    pub reads: Vec<Id<Table>>,
    /// The places where it looks for tables. None when it reads.
    pub discovers: Vec<Place>,
    /// Which discovered files are one table.
    pub grouping: Grouping,
    /// Classifiers that are asked before Glue's own.
    pub classifiers: Vec<Id<Classifier>>,
    /// When it also runs by itself: `cron(…)`.
    pub schedule: Option<String>,
    /// What happens when a table no longer looks as the catalog says.
    pub changes: ChangesSpec,
    /// What happens when files are gone.
    pub removals: RemovalsSpec,
    /// What a second crawl looks at.
    pub recrawl: RecrawlSpec,
}

/// Where a crawler looks for tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The zone.
    pub zone: Id<Zone>,
    /// The folder in it: empty, or with a slash at its end.
    pub path: String,
    /// Patterns of what is left out.
    pub exclude: Vec<String>,
    /// How many files of each folder it looks at.
    pub sample: Option<u32>,
}

/// Which discovered files are one table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grouping {
    /// All files of one format, however their columns differ.
    pub compatible: bool,
    /// The folder level that tables lie on.
    pub level: Option<u32>,
    /// How many tables there are at most.
    pub max_tables: Option<u32>,
}

impl CrawlerSpec {
    pub(crate) fn check(&self, name: &Spanned<String>, cx: &mut Check<'_>) -> Option<Crawler> {
        match (self.reads.as_slice(), self.discovers.as_slice()) {
            ([], []) => {
                cx.error(name.span, format!("the crawler `{}` reads nothing", name.value))
                    .help("name its tables: `reads: [orders]`");
            }
            ([_, ..], [place, ..]) => {
                cx.error(place.zone.span, "a crawler looks at declared tables or discovers others, not both")
                    .help("make two crawlers");
            }
            _ => {}
        }
        let reads = cx.zone_tables(&self.reads, "a crawler");
        for (written, id) in self.reads.iter().zip(reads.iter().flatten()) {
            if let Some(first) = cx.crawled.insert(*id, written.span) {
                cx.push(
                    Diagnostic::error(written.span, format!("two crawlers look at `{}`", written.value))
                        .related(first, "the first")
                        .help("one table is catalogued by one crawler"),
                );
            }
        }
        let discovers: Vec<Option<Place>> = self.discovers.iter().map(|place| place.check(cx)).collect();
        unique(&self.classifiers, cx);
        let classifiers: Vec<_> = self.classifiers.iter().map(|classifier| cx.classifier(classifier)).collect();
        if let Some(schedule) = &self.schedule {
            if let Err(mistake) = cron::check(schedule) {
                cx.error(schedule.span, mistake.message).help(mistake.help);
            } else if schedule.starts_with("rate(") {
                cx.error(schedule.span, "a crawler's schedule is a `cron(…)`")
                    .help("write it like `cron(0 3 * * ? *)`");
            } else if cron::closest_minutes(schedule).is_some_and(|minutes| minutes < 5) {
                // Source: "Time-based schedules for jobs and crawlers" of the Glue developer guide.
                cx.error(schedule.span, "Glue starts a crawler every 5 minutes at the most")
                    .help("write it like `cron(0/5 * * * ? *)`");
            }
        }
        self.check_discovery_options(cx);
        let discovering = !self.discovers.is_empty();
        let usual = if discovering { ChangesSpec::Update } else { ChangesSpec::Log };
        let recrawl = self.recrawl.as_ref().map_or(RecrawlSpec::Everything, |recrawl| recrawl.value.clone());
        let changes = match &self.changes {
            Some(changes) => changes.value.clone(),
            // Source: "Scheduling incremental crawls": they force both behaviours to `LOG`.
            None if recrawl == RecrawlSpec::NewFolders => ChangesSpec::Log,
            None => usual,
        };
        Some(Crawler {
            name: name.value.clone(),
            reads: reads?,
            discovers: discovers.into_iter().collect::<Option<_>>()?,
            grouping: Grouping {
                compatible: self.grouping.as_ref().is_some_and(|way| way.value == GroupingSpec::Compatible),
                level: self.table_level.as_ref().map(|level| level.value),
                max_tables: self.max_tables.as_ref().map(|most| most.value),
            },
            classifiers: classifiers.into_iter().collect::<Option<_>>()?,
            schedule: self.schedule.as_ref().map(|schedule| schedule.value.clone()),
            changes,
            removals: self.removals.as_ref().map_or(RemovalsSpec::Log, |removals| removals.value.clone()),
            recrawl,
        })
    }

    /// What only discovering crawlers may choose. Source: "Choose data sources and classifiers" of the Glue guide, on existing
    /// tables as the source.
    fn check_discovery_options(&self, cx: &mut Check<'_>) {
        if !self.reads.is_empty() {
            let only = [
                ("removals", self.removals.as_ref().map(|written| written.span)),
                ("recrawl", self.recrawl.as_ref().map(|written| written.span)),
                ("grouping", self.grouping.as_ref().map(|written| written.span)),
                ("table_level", self.table_level.as_ref().map(|written| written.span)),
                ("max_tables", self.max_tables.as_ref().map(|written| written.span)),
            ];
            for (key, span) in only {
                if let Some(span) = span {
                    cx.error(span, format!("`{key}` is for crawlers that discover tables"))
                        .help("declared tables stay as they are declared: remove it");
                }
            }
        }
        if let Some(recrawl) = &self.recrawl
            && recrawl.value == RecrawlSpec::NewFolders
        {
            let changes = self.changes.as_ref().filter(|changes| changes.value != ChangesSpec::Log);
            let removals = self.removals.as_ref().filter(|removals| removals.value != RemovalsSpec::Log);
            for span in changes.map(|one| one.span).into_iter().chain(removals.map(|one| one.span)) {
                cx.error(span, "a crawler that looks at new folders only can but log what changed")
                    .help("write `log`, or let it crawl everything")
                    .related(recrawl.span, "new folders only");
            }
        }
        for (written, what) in [(&self.table_level, "a level"), (&self.max_tables, "a number of tables")] {
            if let Some(written) = written
                && written.value == 0
            {
                cx.error(written.span, format!("{what} is at least 1"));
            }
        }
    }
}

impl PlaceSpec {
    fn check(&self, cx: &mut Check<'_>) -> Option<Place> {
        let zone = cx.zone(&self.zone);
        if let Some(path) = &self.path {
            let plain = path.ends_with('/') && !path.starts_with('/') && !path.contains("//");
            if !plain || path.chars().any(|c| c.is_control() || matches!(c, '*' | '?' | '$' | '{' | '}')) {
                cx.error(path.span, format!("`{}` is not a folder of a bucket", path.value))
                    .help("write it like `logs/`, with a slash at its end and none before it");
            }
        }
        if let Some(sample) = &self.sample
            && !(1..=249).contains(&sample.value)
        {
            cx.error(sample.span, "a crawler looks at 1 to 249 files of each folder, or at all");
        }
        self.exclude.iter().for_each(|pattern| classifier::closed(pattern, cx));
        Some(Place {
            zone: zone?,
            path: self.path.as_ref().map_or_else(String::new, |path| path.value.clone()),
            exclude: self.exclude.iter().map(|pattern| pattern.value.clone()).collect(),
            sample: self.sample.as_ref().map(|sample| sample.value),
        })
    }
}

impl Check<'_> {
    /// Resolves tables that must lie in zones, because what reads them reads files.
    pub(crate) fn zone_tables(&mut self, names: &[Spanned<String>], reader: &str) -> Option<Vec<Id<Table>>> {
        let ids = self.tables(names);
        for (name, id) in names.iter().zip(ids.iter().flatten()) {
            self.refuse_without_files(name, *id, reader);
        }
        ids
    }

    /// Notes an error when a table is no folder of files.
    pub(crate) fn refuse_without_files(&mut self, name: &Spanned<String>, id: Id<Table>, reader: &str) {
        self.refuse_dynamodb(name, id, reader);
        let what = match self.tables.get(id.index()).and_then(Option::as_ref).map(|table| &table.home) {
            Some(Home::View { .. }) => "a view",
            Some(Home::Zone { format: Format::Iceberg(_), .. }) => "an Iceberg table",
            _ => return,
        };
        self.error(name.span, format!("{reader} works on files, and `{}` is {what}", name.value))
            .help("let a query write what it gives to a table of Parquet files");
    }

    /// Notes an error when a table's files are Avro, which the engine behind `reader` does not read or write by itself.
    ///
    /// Sources: "Apache Avro Data Source Guide" of Spark, of which it is a module apart; `InputFormat` of the DataBrew API reference.
    pub(crate) fn refuse_avro(&mut self, name: &Spanned<String>, id: Id<Table>, reader: &str) {
        let table = self.tables.get(id.index()).and_then(Option::as_ref);
        if matches!(table, Some(Table { home: Home::Zone { format: Format::Avro, .. }, .. })) {
            self.error(name.span, format!("{reader} does not work on Avro, and `{}` is Avro", name.value))
                .help("let a query turn it into ORC or Parquet, or into Avro at the end");
        }
    }

    /// Notes an error when a table is a key-value table.
    pub(crate) fn refuse_dynamodb(&mut self, name: &Spanned<String>, id: Id<Table>, reader: &str) {
        let table = self.tables.get(id.index()).and_then(Option::as_ref);
        if matches!(table, Some(Table { home: Home::DynamoDb { .. }, .. })) {
            self.error(name.span, format!("{reader} works on files, but `{}` is a key-value table", name.value))
                .help("functions and jobs can use it");
        }
    }
}
