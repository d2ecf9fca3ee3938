//! Recipes: DataBrew datasets, recipes, their published versions, and jobs.

use std::borrow::Cow;

use super::function::{self, Own};
use super::grant::{self, Grant, Items};
use super::lake_formation::{self, Uses};
use super::names::{Kind, arn, function_arn, sha256};
use super::table::Catalog;
use super::{Context, Shared, logs};
use crate::assembly::StackTemplate;
use crate::cfn::custom::PublishedRecipe;
use crate::cfn::databrew::{
    Action as RecipeActionNode, CatalogTable, ConditionExpression, CsvOptions, CsvOutputOptions, Dataset,
    DatasetParameter, FileFormat, FormatOptions, Input, Job, JsonOptions, Output, OutputFormatOptions, ParameterType,
    PathOptions, PathParameter, Project, ProjectSample, PublishedVersion, Recipe as RecipeResource, RecipeStep,
    S3Location, Schedule,
};
use crate::cfn::iam::{Action, Principal, Role, Statement};
use crate::cfn::lambda::{Code, Function};
use crate::cfn::logs::LogGroup;
use crate::cfn::{Arn, IntoNode, LogicalId, Name, Piece, Ref, Text, Value, pseudo, sub};
use crate::kind::recipe::{DatasetSpec, SampleSpec};
use crate::lake::{ActionParameter, Column, Compression, Condition, Format, Home, Id, Recipe, RecipeAction, Table};

/// The nodes of a profile's job: DataBrew's own default.
pub(super) const NODES: u32 = 5;
/// After how long a profile's job is stopped: DataBrew's own default.
pub(super) const TIMEOUT_MINUTES: u32 = 2880;
/// Within which time the publisher answers.
const PUBLISH_SECONDS: u32 = 120;

/// The function that publishes recipes; the `first` stack has it.
pub(super) fn publisher(cx: &Context, stack: &mut StackTemplate, shared: &Shared, first: bool) -> Value<Arn<Function>> {
    if !first || cx.lake.recipes.is_empty() {
        return function_arn(&cx.names.publisher());
    }
    // All recipes of the lake: one more does not change the role, and thousands do not outgrow it.
    let recipes: Value<Arn<RecipeResource>> = arn("databrew", sub!["recipe/", cx.names.recipes()]);
    let actions = [
        Action::DATABREW_DELETE_RECIPE_VERSION,
        Action::DATABREW_DESCRIBE_RECIPE,
        Action::DATABREW_LIST_RECIPE_VERSIONS,
        Action::DATABREW_PUBLISH_RECIPE,
    ];
    let publisher = Own {
        kinds: (Kind::PublisherLogs, Kind::PublisherRole, Kind::PublisherFunction),
        name: cx.names.publisher(),
        description: "Publishes DataBrew recipes, which CloudFormation does not".into(),
        role: cx.names.plain(&["recipe-publisher"], 64),
        takes: "What publishing recipes takes",
        statements: grant::allow("PublishRecipes", &actions, vec![recipes.pattern()]),
        handler: "index.handler",
        code: Code::inline(include_str!("publisher.py")),
        memory_mb: 128,
        timeout_seconds: PUBLISH_SECONDS / 2,
        variables: Vec::new(),
        key: &shared.key,
        calls_itself: false,
    };
    function::own(cx, stack, publisher).arn()
}

pub(super) fn lower(
    cx: &Context,
    stack: &mut StackTemplate,
    shared: &Shared,
    catalog: &Catalog,
    publisher: &Value<Arn<Function>>,
    recipe: &Recipe,
) {
    let Recipe {
        name,
        reads,
        dataset: from,
        others,
        writes,
        steps,
        nodes,
        retries,
        timeout_minutes,
        files,
        schedule: cron,
        project,
    } = recipe;
    let physical = cx.names.recipe(name);
    let (Some(dataset), Some(output)) = (dataset(cx, *reads, from, &physical), location(cx, *writes)) else { return };
    for other in others {
        let table = &cx.lake.tables[*other].name;
        let Some(dataset) = self::dataset(cx, *other, &DatasetSpec::Files, &cx.names.recipe_input(name, table)) else {
            return;
        };
        stack.template.add(Kind::RecipeInput.digested(&format!("{name} {table}")), dataset);
    }
    let steps: Vec<_> = steps.iter().map(|action| step(cx, name, action)).collect();
    let digest = sha256(&steps.told());

    let dataset = stack.template.add(Kind::RecipeDataset.of(name), dataset);
    let written = RecipeResource { name: Value::literal(physical.clone()), steps, tags: cx.tag_list() };
    let written = stack.template.add(Kind::RecipeSteps.of(name), written);
    let published = PublishedRecipe {
        publisher: publisher.clone(),
        timeout_seconds: PUBLISH_SECONDS,
        recipe: written.name(),
        digest,
    };
    let published = stack.template.add(Kind::RecipePublished.of(name), published);

    let statements = Grant::default()
        .read(cx, &recipe.inputs(), Items::Scan)
        .write(cx, &[*writes])
        .and(find_dataset(cx, *reads, from))
        .and([write_logs(&physical)])
        .statements(&shared.key);
    let trust = Statement::assume(Principal::Service("databrew.amazonaws.com"));
    let description = format!("What the recipe {name} may do");
    let role_name = cx.names.role("recipe", name);
    let role = grant::add_role(cx, stack, Kind::RecipeRole.of(name), &role_name, &description, trust, statements);
    permit_dataset(cx, stack, catalog, &role, *reads, from);

    if let Some(sample) = project {
        let kind = match sample {
            SampleSpec::First(_) => "FIRST_N",
            SampleSpec::Last(_) => "LAST_N",
            SampleSpec::Random(_) => "RANDOM",
        };
        let project = Project {
            name: Value::literal(physical.clone()),
            dataset: dataset.name(),
            recipe: written.name(),
            role: role.arn(),
            sample: ProjectSample { kind, size: sample.rows() },
            tags: cx.tag_list(),
        };
        stack.template.add(Kind::RecipeProject.of(name), project);
    }
    let job = Job {
        name: Value::literal(physical.clone()),
        kind: "RECIPE",
        role: role.arn(),
        dataset: dataset.name(),
        recipe: Some(PublishedVersion { name: written.name(), version: published.version() }),
        outputs: Some(vec![job_output(cx, *writes, output, *files)]),
        report: None,
        sample: None,
        validations: None,
        encryption: "SSE-KMS",
        key: shared.key.clone(),
        logs: "ENABLE",
        capacity: *nodes,
        retries: *retries,
        timeout_minutes: *timeout_minutes,
        tags: cx.tag_list(),
    };
    let job = stack.template.add(Kind::RecipeJob.of(name), job);
    if let Some(cron) = cron {
        schedule(cx, stack, Kind::RecipeSchedule.of(name), physical, cron, &job);
    }
}

/// A table as DataBrew sees it.
pub(super) fn dataset(cx: &Context, table: Id<Table>, from: &DatasetSpec, name: &str) -> Option<Dataset> {
    let mut files = location(cx, table)?;
    let (name, tags) = (Value::literal(name.to_owned()), cx.tag_list());
    Some(match from {
        DatasetSpec::Files => {
            let path = partitions(&cx.lake.tables[table], &mut files);
            let (format, options) = input_format(cx, table);
            Dataset { name, format: Some(format), options, input: Input { s3: Some(files), catalog: None }, path, tags }
        }
        // The catalog knows format and partitions.
        DatasetSpec::Catalog => {
            let database = Value::literal(cx.names.database());
            let table = cx.lake.tables[table].name.clone();
            let catalog = CatalogTable { catalog: pseudo::account(), database, table };
            Dataset {
                name,
                format: None,
                options: None,
                input: Input { s3: None, catalog: Some(catalog) },
                path: None,
                tags,
            }
        }
    })
}

/// What it takes to find the table of a dataset.
pub(super) fn find_dataset(cx: &Context, table: Id<Table>, from: &DatasetSpec) -> Vec<Statement> {
    match from {
        DatasetSpec::Files => Vec::new(),
        DatasetSpec::Catalog => {
            grant::read_catalog(cx, &[table]).into_iter().chain(lake_formation::access(cx)).collect()
        }
    }
}

/// Permits a role what it takes to find the table of a dataset, where Lake Formation has a say.
pub(super) fn permit_dataset(
    cx: &Context,
    stack: &mut StackTemplate,
    catalog: &Catalog,
    role: &Ref<Role>,
    table: Id<Table>,
    from: &DatasetSpec,
) {
    if let DatasetSpec::Catalog = from {
        let table = [table];
        let tables = vec![(&table[..], lake_formation::READ)];
        lake_formation::permit(cx, stack, catalog, role, Uses { tables, ..Uses::default() });
    }
}

/// Starts a job by the clock.
pub(super) fn schedule(
    cx: &Context,
    stack: &mut StackTemplate,
    id: LogicalId,
    name: String,
    cron: &str,
    job: &Ref<Job>,
) {
    let schedule =
        Schedule { name: Value::literal(name), cron: cron.to_owned(), jobs: vec![job.name()], tags: cx.tag_list() };
    stack.template.add(id, schedule);
}

/// DataBrew names its log group after the job, with a word before it that its documentation does not fix.
pub(super) fn write_logs(job: &str) -> Statement {
    create_and_write_logs(&logs::name(format!("/aws-glue-databrew/*{job}")))
}

fn create_and_write_logs(group: &Value<Name<LogGroup>>) -> Statement {
    let actions = [Action::LOGS_CREATE_LOG_GROUP, Action::LOGS_CREATE_LOG_STREAM, Action::LOGS_PUT_LOG_EVENTS];
    let arn = crate::cfn::logs::group_arn(group);
    Statement::allow("WriteLogs", actions, [arn.pattern(), sub![&arn, ":*"]])
}

fn step(cx: &Context, recipe: &str, action: &RecipeAction) -> RecipeStep {
    let RecipeAction { operation, parameters, others: _, conditions, local: _ } = action;
    let parameters: Vec<_> =
        parameters.iter().map(|(name, value)| (Cow::Owned(name.clone()), parameter(cx, recipe, value))).collect();
    let conditions: Vec<_> = conditions
        .iter()
        .map(|Condition { condition, column, value }| ConditionExpression {
            condition: condition.clone(),
            column: column.clone(),
            value: value.clone(),
        })
        .collect();
    RecipeStep {
        action: RecipeActionNode {
            operation: operation.clone(),
            parameters: (!parameters.is_empty()).then_some(parameters),
        },
        conditions: (!conditions.is_empty()).then_some(conditions),
    }
}

/// What DataBrew is told of a parameter, which is always text.
fn parameter(cx: &Context, recipe: &str, parameter: &ActionParameter) -> Value<Text> {
    let dataset = |table: Id<Table>| cx.names.recipe_input(recipe, &cx.lake.tables[table].name);
    match parameter {
        ActionParameter::Text(text) => Value::literal(text.clone()),
        ActionParameter::Dataset(table) => Value::literal(dataset(*table)),
        ActionParameter::Datasets(tables) => {
            let names: Vec<String> = tables.iter().map(|table| format!("\"{}\"", dataset(*table))).collect();
            Value::literal(format!("[{}]", names.join(",")))
        }
        ActionParameter::Location(table) => cx.location(*table),
        ActionParameter::Inputs(tables) => {
            let places = tables.iter().filter_map(|table| location(cx, *table)).enumerate().map(|(at, place)| {
                let comma = if at == 0 { "" } else { "," };
                let S3Location { bucket, key } = place;
                sub![comma, "{\"S3InputDefinition\":{\"Bucket\":\"", bucket, "\",\"Key\":\"", key, "\"}}"]
            });
            let places: Vec<Value<Text>> = places.collect();
            let inside = Value::<Text>::concat(places.into_iter().map(Piece::from));
            sub!["[", inside, "]"]
        }
    }
}

fn location(cx: &Context, table: Id<Table>) -> Option<S3Location> {
    let place = cx.place(table)?;
    Some(S3Location { bucket: place.bucket, key: place.prefix })
}

/// Makes the folders of a partitioned table into columns: the key then says how the path of each file is built.
fn partitions(table: &Table, input: &mut S3Location) -> Option<PathOptions> {
    let parameters: Vec<_> = table
        .partitions
        .iter()
        .map(|Column { name, ty, .. }| {
            input.key.push_str(&format!("{name}={{{name}}}/"));
            let kind = if ty.is_number() { ParameterType::Number } else { ParameterType::Text };
            PathParameter { name: name.clone(), parameter: DatasetParameter { name: name.clone(), kind, column: true } }
        })
        .collect();
    if parameters.is_empty() {
        return None;
    }
    input.key.push_str("<[^/]+>");
    Some(PathOptions { parameters })
}

fn input_format(cx: &Context, table: Id<Table>) -> (FileFormat, Option<FormatOptions>) {
    match &cx.lake.tables[table].home {
        Home::Zone { format: Format::Csv(csv), .. } => {
            let csv = CsvOptions { delimiter: csv.delimiter.into(), header: true };
            (FileFormat::Csv, Some(FormatOptions { csv: Some(csv), json: None }))
        }
        Home::Zone { format: Format::Json { .. }, .. } => {
            let json = JsonOptions { multi_line: false };
            (FileFormat::Json, Some(FormatOptions { csv: None, json: Some(json) }))
        }
        Home::Zone { format: Format::Orc(_), .. } => (FileFormat::Orc, None),
        Home::Zone { format: Format::Parquet(_) | Format::Avro | Format::Iceberg(_), .. }
        | Home::DynamoDb { .. }
        | Home::View { .. } => (FileFormat::Parquet, None),
    }
}

fn job_output(cx: &Context, table: Id<Table>, location: S3Location, max_files: Option<u32>) -> Output {
    let table = &cx.lake.tables[table];
    let (format, compression, options) = match &table.home {
        Home::Zone { format: Format::Csv(csv), .. } => {
            let csv = CsvOutputOptions { delimiter: csv.delimiter.into() };
            (FileFormat::Csv, None, Some(OutputFormatOptions { csv }))
        }
        Home::Zone { format: Format::Json { .. }, .. } => (FileFormat::Json, None, None),
        Home::Zone { format: Format::Orc(compression), .. } => (FileFormat::Orc, Some(compression.name()), None),
        Home::Zone { format: Format::Parquet(Compression::None), .. } => (FileFormat::Parquet, None, None),
        Home::Zone { format: Format::Parquet(compression), .. } => {
            (FileFormat::Parquet, Some(compression.name()), None)
        }
        Home::Zone { format: Format::Avro | Format::Iceberg(_), .. } | Home::DynamoDb { .. } | Home::View { .. } => {
            (FileFormat::Parquet, Some("SNAPPY"), None)
        }
    };
    let partitions: Vec<_> = table.partitions.iter().map(|column| column.name.clone()).collect();
    Output {
        location,
        format,
        compression,
        partition_columns: (!partitions.is_empty()).then_some(partitions),
        max_files,
        // A run replaces what the last one wrote.
        overwrite: true,
        options,
    }
}
