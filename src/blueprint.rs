//! A blueprint as it is written: one field a section, nothing resolved yet.

use std::sync::Arc;

use crate::decode::{Attempt, Decode, Decoder, Named, section};
use crate::diagnostic::Diagnostic;
use crate::kind::api::ApiSpec;
use crate::kind::checks::ChecksSpec;
use crate::kind::classifier::ClassifierSpec;
use crate::kind::crawler::CrawlerSpec;
use crate::kind::environment::EnvironmentSpec;
use crate::kind::function::FunctionSpec;
use crate::kind::github::GithubSpec;
use crate::kind::job::JobSpec;
use crate::kind::lake_formation::LakeFormationSpec;
use crate::kind::model::ModelSpec;
use crate::kind::pipeline::PipelineSpec;
use crate::kind::profile::ProfileSpec;
use crate::kind::query::QuerySpec;
use crate::kind::recipe::RecipeSpec;
use crate::kind::resource::ResourceSpec;
use crate::kind::sample::SampleSpec;
use crate::kind::statement::StatementSpec;
use crate::kind::table::TableSpec;
use crate::kind::tags::TagSpec;
use crate::kind::workgroup::WorkgroupSpec;
use crate::kind::zone::ZoneSpec;
use crate::literal;
use crate::source::{self, Node, Span, Spanned, Value};

section! {
    /// The whole file.
    "the blueprint"
    pub struct Blueprint {
        /// The lake's name, first part of every physical name.
        /// Default: none; every lake has one.
        /// Example: `instacart`.
        name: Option<Attempt<Spanned<String>>>,
        /// One sentence about it.
        /// Default: none.
        /// Example: `What customers of the shop buy again`.
        description: Option<String>,
        /// Where copies of the lake live; `local` is always there.
        /// Example: `{ dev: { region: eu-west-1 } }`.
        environments: Named<EnvironmentSpec>,
        /// The GitHub repository in which the lake is reviewed, and from which it is deployed.
        /// Default: none.
        /// Example: `{ repository: our-company/data-lake, lakegen: source, environments: { prod: { reviewers: [octocat] } } }`.
        github: Option<GithubSpec>,
        /// Tags of everything that AWS lets carry tags, beside lakegen's own two: which lake, which environment.
        /// Example: `{ team: data, cost_centre: "4711" }`.
        tags: Named<TagSpec>,
        /// Where a local run takes its raw data from when nobody names a folder.
        /// Default: none.
        /// Example: `{ instacart: { users: 2000 } }`.
        sample: Option<SampleSpec>,
        /// S3 buckets.
        /// Example: `{ raw: { keep: 400 days } }`.
        zones: Named<ZoneSpec>,
        /// The relational model.
        /// Example: `{ orders: { zone: raw, format: csv, columns: { order_id: int } } }`.
        tables: Named<TableSpec>,
        /// How crawlers recognise files that Glue does not know.
        /// Example: `{ semicolons: { csv: { delimiter: ";" } } }`.
        classifiers: Named<ClassifierSpec>,
        /// Glue crawlers.
        /// Example: `{ raw: { reads: [orders, products] } }`.
        crawlers: Named<CrawlerSpec>,
        /// Athena's workgroups: where SQL runs, and under which limits. There is always one, `lake`.
        /// Example: `{ lake: { scan_limit: 50 GB }, analysts: { scan_limit: 10 GB, keep_results: 2 days } }`.
        workgroups: Named<WorkgroupSpec>,
        /// Athena queries.
        /// Example: `{ baskets: { writes: baskets, file: sql/baskets.sql } }`.
        queries: Named<QuerySpec>,
        /// Athena's prepared statements: SQL that people run by its name.
        /// Example: `{ trips_of: { sql: "select * from trips where station = ?", parameters: [station] } }`.
        statements: Named<StatementSpec>,
        /// DataBrew recipes.
        /// Example: `{ clean: { reads: orders, writes: orders_clean, steps: [{ remove_missing: { column: order_id } }] } }`.
        recipes: Named<RecipeSpec>,
        /// DataBrew profiles: what is found out about tables, and rules for them.
        /// Example: `{ orders: { reads: orders, rules: [{ missing_values: { of: order_id, at_most: 0 } }] } }`.
        profiles: Named<ProfileSpec>,
        /// Glue jobs.
        /// Example: `{ features: { script: glue-jobs/features.py, reads: [orders], writes: [features] } }`.
        jobs: Named<JobSpec>,
        /// SageMaker models.
        /// Example: `{ taste: { source: sagemaker/rank, reads: { train: training_set } } }`.
        models: Named<ModelSpec>,
        /// Lambda functions.
        /// Example: `{ recommend: { source: lambdas/recommend, reads: [products] } }`.
        functions: Named<FunctionSpec>,
        /// Who may do what with the tables, by AWS Lake Formation; without it, IAM alone says so.
        /// Default: none.
        /// Example: `{ grants: { analysts: { to: role/analyst, tables: { orders: { except: [user_id] } } } } }`.
        lake_formation: Option<LakeFormationSpec>,
        /// The API that people and programs call.
        /// Default: none.
        /// Example: `{ routes: { "GET /users/{user_id}": { function: recommend } } }`.
        api: Option<ApiSpec>,
        /// Rules that the rows of tables must meet, by the tables' names.
        /// Example: `{ orders: ["IsComplete order_id"] }`.
        checks: Named<ChecksSpec>,
        /// What starts what.
        /// Example: `{ nightly: { start: { schedule: "cron(0 3 * * ? *)" }, steps: all } }`.
        pipelines: Named<PipelineSpec>,
        /// The escape hatch: resources in CloudFormation's own words, by their logical ids.
        /// Example: `{ AuditTopic: { Type: "AWS::SNS::Topic", Properties: { KmsMasterKeyId: "${lake.key.arn}" } } }`.
        resources: Named<ResourceSpec>,
    }
}

/// Reads a text as the tree of a blueprint.
///
/// # Errors
/// Why there is none.
pub fn parse(text: &str) -> Result<Node, Diagnostic> {
    let node =
        source::parse(text).map_err(|error| Diagnostic::error(error.span, error.message).maybe_help(error.help))?;
    if node.value == Value::Null {
        return Err(Diagnostic::error(Span::default(), "the blueprint is empty")
            .help("begin with `name: my_lake`; `lakegen init` writes a whole one"));
    }
    // What is missing at the top is missing from the first line on.
    let first_line = text.find('\n').unwrap_or(text.len());
    let span = if matches!(node.value, Value::Map(_)) { Span::new(0, first_line) } else { node.span };
    Ok(Node { span, ..node })
}

/// Reads a tree as a blueprint. The diagnostics are complete: every mistake of spelling and of type is among them.
#[must_use]
pub fn read(node: &Node, text: &Arc<str>) -> (Option<Blueprint>, Vec<Diagnostic>) {
    let mut noted = Vec::new();
    let literal = text.contains("${").then(|| literal::read(node, text, &mut noted));
    let mut decoder = Decoder::new(text.clone(), noted);
    let blueprint = Blueprint::decode(literal.as_ref().unwrap_or(node), &mut decoder);
    (blueprint, decoder.diagnostics)
}
