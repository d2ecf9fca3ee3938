//! A recipe: DataBrew steps from one table to another.
//!
//! `recipe/actions.rs` holds the table of readable steps: adding one is a row there and its examples in `tests/recipes`.

mod action;
mod actions;
mod arg;
pub(crate) mod condition;
mod other;
mod raw;
mod reader;
mod reference;
mod shape;
mod sql;
mod step;

use crate::check::Check;
use crate::cron;
use crate::decode::{Attempt, alternatives, section};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::kind::format::OrcCompression;
use crate::kind::job::Minutes;
use crate::kind::overrides::OverridesSpec;
use crate::lake::{Compression, Format, Home, Id, Table};
use crate::source::Spanned;

use arg::Columns;
pub use condition::Condition;
pub use reference::reference;
pub use step::{ActionParameter, RecipeAction, StepSpec};

section! {
    /// A DataBrew recipe.
    "a recipe"
    pub struct RecipeSpec by NAME {
        /// The table that it reads.
        /// Example: `orders`.
        reads: Spanned<String>,
        /// Where DataBrew learns of that table: from its `files`, or from the `catalog`, which knows partitions before they are looked for.
        /// Default: `files`.
        /// Example: `catalog`.
        dataset: Option<Spanned<DatasetSpec>>,
        /// The table that it writes.
        /// Example: `orders_clean`.
        writes: Spanned<String>,
        /// What happens to the rows, in order.
        /// Example: `[{ remove_missing: { column: id } }, { trim: { column: name } }]`.
        steps: Vec<Attempt<StepSpec>>,
        /// The nodes of its job.
        /// Default: `5`.
        /// Example: `10`.
        nodes: Option<Spanned<u32>>,
        /// How often a failed run is tried again.
        /// Default: `0`.
        /// Example: `1`.
        retries: Option<Spanned<u32>>,
        /// After how long a run is stopped.
        /// Default: `48 hours`.
        /// Example: `2 hours`.
        timeout: Option<Spanned<Minutes>>,
        /// In how many files it writes its table at most.
        /// Default: however many.
        /// Example: `1`.
        files: Option<Spanned<u32>>,
        /// When its job also runs by itself, in UTC; six fields, as AWS writes them.
        /// Default: when a step of a pipeline starts it.
        /// Example: `"cron(0 3 * * ? *)"`.
        schedule: Option<Spanned<String>>,
        /// A project, in which people work on the recipe with a sample of its rows.
        /// Default: none.
        /// Example: `{ sample: { first: 500 } }`.
        project: Option<ProjectSpec>,
        /// Changes to the resources that are made of it; which there are, "The escape hatch" says.
        /// Example: `{ Job: { Properties: { LogSubscription: DISABLE } } }`.
        overrides as "override": OverridesSpec,
    }
}

alternatives! {
    /// Where DataBrew learns of a table.
    "a dataset"
    pub enum DatasetSpec {
        /// From its files in S3.
        Files = "files",
        /// From the table in the Glue Data Catalog.
        Catalog = "catalog",
    }
}

section! {
    /// A project of DataBrew.
    "a project"
    pub struct ProjectSpec {
        /// The rows that it shows.
        /// Default: `{ first: 500 }`.
        /// Example: `{ random: 1000 }`.
        sample: Option<Spanned<SampleSpec>>,
    }
}

alternatives! {
    /// Some rows of a table, at most 5000.
    "a sample"
    pub enum SampleSpec {
        /// The first.
        /// Example: `500`.
        First(u32) = "first",
        /// The last.
        /// Example: `500`.
        Last(u32) = "last",
        /// Any.
        /// Example: `1000`.
        Random(u32) = "random",
    }
}

/// A DataBrew recipe.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// The name.
    pub name: String,
    /// What it reads.
    pub reads: Id<Table>,
    /// Where DataBrew learns of it.
    pub dataset: DatasetSpec,
    /// What its steps read beside that, each once.
    pub others: Vec<Id<Table>>,
    /// What it writes.
    pub writes: Id<Table>,
    /// What happens to the rows, in order.
    pub steps: Vec<RecipeAction>,
    /// The nodes of its job.
    pub nodes: u32,
    /// How often a failed run is tried again.
    pub retries: u32,
    /// After how many minutes a run is stopped.
    pub timeout_minutes: u32,
    /// In how many files it writes its table at most.
    pub files: Option<u32>,
    /// When its job also runs by itself.
    pub schedule: Option<String>,
    /// The rows that its project shows, if it has one.
    pub project: Option<SampleSpec>,
}

/// DataBrew's own defaults.
const NODES: u32 = 5;
const TIMEOUT: Minutes = Minutes(2_880);
/// Source: `Sample` of the DataBrew API reference.
const LARGEST_SAMPLE: u32 = 5_000;

impl Recipe {
    /// All tables that it reads, each once.
    #[must_use]
    pub fn inputs(&self) -> Vec<Id<Table>> {
        let others = self.others.iter().copied().filter(|other| *other != self.reads);
        std::iter::once(self.reads).chain(others).collect()
    }
}

impl SampleSpec {
    /// How many rows.
    #[must_use]
    pub fn rows(&self) -> u32 {
        let (Self::First(rows) | Self::Last(rows) | Self::Random(rows)) = self;
        *rows
    }
}

/// Notes what is wrong with a schedule of DataBrew, which knows only `cron(…)`.
pub(crate) fn check_schedule(schedule: &Spanned<String>, cx: &mut Check<'_>) {
    if let Err(mistake) = cron::check(schedule) {
        cx.error(schedule.span, mistake.message).help(mistake.help);
    } else if schedule.starts_with("rate(") {
        cx.error(schedule.span, "a schedule of DataBrew is a `cron(…)`").help("write it like `cron(0 3 * * ? *)`");
    }
}

/// Notes a dataset of the catalog that would be without its rows.
pub(crate) fn refuse_dataset(
    dataset: Option<&Spanned<DatasetSpec>>,
    written: &Spanned<String>,
    table: Option<Id<Table>>,
    cx: &mut Check<'_>,
) {
    if let (Some(DatasetSpec::Catalog), Some(table)) = (dataset.map(|dataset| &dataset.value), table) {
        cx.refuse_unlisted(written, table, "DataBrew", ", or leave `dataset` out");
    }
}

impl Check<'_> {
    /// Notes an error when the fields of a table are separated or quoted in a way that DataBrew does not know.
    ///
    /// Source: "Connecting to data in a text file with DataBrew" of the developer guide.
    pub(crate) fn refuse_separators(&mut self, name: &Spanned<String>, id: Id<Table>) {
        let table = self.tables.get(id.index()).and_then(Option::as_ref);
        let Some(Table { home: Home::Zone { format: Format::Csv(csv), .. }, .. }) = table else { return };
        let (delimiter, quote) = (csv.delimiter, csv.quote);
        if !",:;|\t^ ".contains(delimiter) {
            let delimiter = delimiter.escape_debug();
            self.error(
                name.span,
                format!("DataBrew knows no fields with `{delimiter}` between them, as in `{}`", name.value),
            )
            .help("it knows `,`, `:`, `;`, `|`, `^`, a space and a tab; let a job turn the table into Parquet");
        }
        if let Some(quote) = quote.filter(|quote| *quote != '"') {
            self.error(
                name.span,
                format!("DataBrew knows no fields with `{quote}` around them, as in `{}`", name.value),
            )
            .help("it knows `\"`; let a job turn the table into Parquet");
        }
    }

    /// Notes an error when DataBrew does not write files that are compressed as the table says.
    ///
    /// Source: the table of formats in "Creating and working with AWS Glue DataBrew recipe jobs".
    fn refuse_compression(&mut self, name: &Spanned<String>, id: Id<Table>) {
        let table = self.tables.get(id.index()).and_then(Option::as_ref);
        let (what, help) = match table.map(|table| &table.home) {
            Some(Home::Zone { format: Format::Parquet(Compression::Zstd), .. }) => {
                ("Parquet with `zstd`", "choose `snappy`, `gzip` or `none`")
            }
            Some(Home::Zone { format: Format::Orc(OrcCompression::Zstd), .. }) => {
                ("ORC with `zstd`", "choose `zlib` or `snappy`")
            }
            Some(Home::Zone { format: Format::Orc(OrcCompression::Lz4), .. }) => {
                ("ORC with `lz4`", "choose `zlib` or `snappy`")
            }
            _ => return,
        };
        self.error(name.span, format!("DataBrew writes no {what}, as `{}` is declared", name.value)).help(help);
    }
}

impl RecipeSpec {
    pub(crate) fn check(&self, name: &Spanned<String>, cx: &mut Check<'_>) -> Option<Recipe> {
        let (reads, writes) = (cx.table(&self.reads), cx.table(&self.writes));
        for (written, id) in [(&self.reads, reads), (&self.writes, writes)] {
            if let Some(id) = id {
                cx.refuse_without_files(written, id, "a recipe");
                cx.refuse_avro(written, id, "a recipe");
                cx.refuse_separators(written, id);
            }
        }
        refuse_dataset(self.dataset.as_ref(), &self.reads, reads, cx);
        if let Some(id) = writes {
            cx.refuse_compression(&self.writes, id);
        }
        if self.steps.len() > 100 {
            cx.error(name.span, "a DataBrew recipe has at most 100 steps").help("split it into two recipes");
        }
        let columns_of = |cx: &Check<'_>, id: Option<Id<Table>>| -> Option<Columns> {
            let table = cx.tables.get(id?.index())?.as_ref()?;
            Some(table.columns.iter().chain(&table.partitions).map(|c| (c.name.clone(), Some(c.ty))).collect())
        };
        let mut columns = columns_of(cx, reads);
        let mut actions = Vec::new();
        for Attempt(step) in &self.steps {
            match step {
                Some(step) => actions.push(step.check(&mut columns, reads, cx)),
                // What it does to the columns cannot be known.
                None => columns = None,
            }
        }
        if let (Some(columns), Some(declared)) = (columns, columns_of(cx, writes)) {
            self.compare(&columns, &declared, (reads, writes), cx);
        }
        self.check_job(cx);
        let sample = |project: &ProjectSpec| {
            project.sample.as_ref().map_or(SampleSpec::First(500), |sample| sample.value.clone())
        };
        let mut others: Vec<Id<Table>> = actions.iter().flat_map(|action| action.others.iter().copied()).collect();
        others.sort_unstable();
        others.dedup();
        Some(Recipe {
            name: name.value.clone(),
            reads: reads?,
            dataset: self.dataset.as_ref().map_or(DatasetSpec::Files, |dataset| dataset.value.clone()),
            others,
            writes: writes?,
            steps: actions,
            nodes: self.nodes.as_ref().map_or(NODES, |nodes| nodes.value),
            retries: self.retries.as_ref().map_or(0, |retries| retries.value),
            timeout_minutes: self.timeout.as_ref().map_or(TIMEOUT, |timeout| timeout.value).0,
            files: self.files.as_ref().map(|files| files.value),
            schedule: self.schedule.as_ref().map(|schedule| schedule.value.clone()),
            project: self.project.as_ref().map(sample),
        })
    }

    fn check_job(&self, cx: &mut Check<'_>) {
        if let Some(nodes) = self.nodes.as_ref().filter(|nodes| nodes.value < 2) {
            cx.error(nodes.span, "a DataBrew job has at least 2 nodes");
        }
        if let Some(timeout) = self.timeout.as_ref().filter(|timeout| timeout.value.0 == 0) {
            cx.error(timeout.span, "a run needs some time");
        }
        if let Some(files) = self.files.as_ref().filter(|files| !(1..=999).contains(&files.value)) {
            cx.error(files.span, "a job writes between 1 and 999 files");
        }
        if let Some(schedule) = &self.schedule {
            check_schedule(schedule, cx);
        }
        let sample = self.project.as_ref().and_then(|project| project.sample.as_ref());
        if let Some(sample) = sample.filter(|sample| !(1..=LARGEST_SAMPLE).contains(&sample.value.rows())) {
            cx.error(sample.span, format!("a sample has between 1 and {LARGEST_SAMPLE} rows"));
        }
    }

    /// The columns after the last step against those that the written table declares.
    fn compare(
        &self,
        columns: &Columns,
        declared: &Columns,
        (reads, writes): (Option<Id<Table>>, Option<Id<Table>>),
        cx: &mut Check<'_>,
    ) {
        let (source, target) = (&self.reads.value, &self.writes.value);
        let declaration = |cx: &Check<'_>, name: &str| {
            let span = cx.declaration(writes?, name)?;
            Some((span, format!("`{target}` declares it")))
        };
        for (name, ty) in declared {
            let place = declaration(cx, name);
            match columns.iter().find(|(column, _)| column == name) {
                None => {
                    let help = did_you_mean(name, columns.iter().map(|(column, _)| column.as_str()));
                    let message = format!("the recipe makes no column `{name}`, which `{target}` declares");
                    let given = cx.declarations(reads.as_slice(), name);
                    cx.push(Diagnostic::error(self.writes.span, message).maybe_help(help)).places(place).places(given);
                }
                Some((_, Some(made))) if Some(*made) != *ty => {
                    let (wanted, to) = ty.map(|ty| (ty.to_string(), ty.in_braces())).unwrap_or_default();
                    cx.error(
                        self.writes.span,
                        format!("`{name}` is `{made}` here, but `{target}` declares `{wanted}`"),
                    )
                    .help(format!("add `change_type: {{ column: {name}, to: {to} }}`, or declare `{made}`"))
                    .places(place);
                }
                Some(_) => {}
            }
        }
        for (name, _) in columns {
            if !declared.iter().any(|(column, _)| column == name) {
                let mut places = cx.declarations(writes.as_slice(), name);
                let given = reads.and_then(|reads| cx.declaration(reads, name));
                places.extend(given.map(|span| (span, format!("`{source}` declares it"))));
                cx.error(
                    self.writes.span,
                    format!("the recipe leaves a column `{name}`, which `{target}` does not declare"),
                )
                .help(format!("declare it, or add `delete: {{ column: {name} }}`"))
                .places(places);
            }
        }
    }
}
