//! The command line. The comments here are the help texts.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::github::Repository;

/// One YAML blueprint becomes a data lake with machine learning on AWS, and runs on this machine.
#[derive(Debug, Parser)]
#[command(name = "lakegen", version, arg_required_else_help = true, propagate_version = true, after_help = EXIT_CODES)]
pub struct Cli {
    /// What every command understands.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    the blueprint has errors
  2    the command line is wrong; of `plan` and `status --drift` with `--detailed-exitcode`: there are changes;
       of `github generate --check`: a file is out of date
  3    the world said no: a file, Python, the network, AWS
  4    a step of the pipeline failed, or a model was refused
  5    something dangerous was not allowed
  130  interrupted";

/// What every command understands.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The blueprint; by default the only file in `blueprints/`
    #[arg(long, short, global = true, value_name = "FILE", env = "LAKEGEN_BLUEPRINT")]
    pub blueprint: Option<PathBuf>,
    /// Results for people or for machines
    #[arg(long, global = true, value_name = "FORM", default_value = "text")]
    pub output: Output,
    /// No progress, only results and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// The form of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a new project from a built-in starter
    Init(Init),
    /// Show every error and warning in the blueprint
    Check,
    /// Write templates, assets and a manifest
    Synth(Synth),
    /// Show what a deploy would change, resource by resource
    Plan(Plan),
    /// Make AWS as the blueprint says
    Deploy(Deploy),
    /// Write made-up customers of the Instacart shop as six CSV files
    Sample(Sample),
    /// Run the pipeline: all of it, or some steps and what depends on them
    Run(Run),
    /// Ask the lake in SQL
    Query(Query),
    /// Make profiles of tables on this machine: statistics, and the verdicts on their rules
    Profile(Profile),
    /// Score models on what they never saw, beside their baselines
    Evaluate(Evaluate),
    /// Serve the API on this machine
    Serve(Serve),
    /// Call the API once
    Call(Call),
    /// Show how a lake is: stacks, last runs, models, the API
    Status(Status),
    /// Take a lake down; data that is retained stays and is listed
    Destroy(Destroy),
    /// List, or remove, uploaded assets that nothing uses any more
    Gc(Gc),
    /// Draw the lake: from raw files to routes
    Graph(Graph),
    /// Let GitHub review and deploy the lake
    Github(Github),
    /// Write the language of blueprints as JSON Schema, for editors
    Schema,
    /// Write shell completions
    Completions(Completions),
}

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct Init {
    /// The folder to write into; it must not hold a project yet
    #[arg(default_value = ".")]
    pub directory: PathBuf,
    /// Which starter
    #[arg(long, default_value = "minimal")]
    pub from: Starter,
    /// The lake's name; by default the folder's
    #[arg(long)]
    pub name: Option<String>,
}

/// A built-in starter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Starter {
    /// Two tables, a query and a job.
    Minimal,
    /// A city's shared bicycles: JSON by day, Iceberg, views, an API and no model.
    Bikes,
    /// The whole Instacart lake.
    Instacart,
}

/// Arguments of `synth`.
#[derive(Debug, Args)]
pub struct Synth {
    /// The environment; by default every declared one
    #[arg(long, short)]
    pub env: Option<String>,
    /// Not the lake: another stack of the environments, in folders `ENV-STACK`
    #[arg(long, value_name = "STACK")]
    pub stack: Option<OwnStack>,
    /// The folder to write into; each environment gets a folder in it
    #[arg(long, short, default_value = "lakegen-out", value_name = "DIR")]
    pub out: PathBuf,
    /// The form of the templates
    #[arg(long, default_value = "yaml")]
    pub format: TemplateFormat,
    /// Ask AWS's own validator of templates, which needs no network and no account
    #[arg(long)]
    pub validate: bool,
    /// Rules in the language of CloudFormation Guard, for the validator; may be repeated
    #[arg(long, value_name = "FILE", requires = "validate")]
    pub guard: Vec<PathBuf>,
}

/// The form of templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TemplateFormat {
    /// YAML, as CloudFormation reads it.
    Yaml,
    /// JSON.
    Json,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// The environment
    #[arg(long, short)]
    pub env: String,
    /// Not the lake: another stack of the environment
    #[arg(long, value_name = "STACK")]
    pub stack: Option<OwnStack>,
    /// Exit with 2 if there are changes
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// The form of the plan; `--output json` goes before it
    #[arg(long, default_value = "text")]
    pub format: PlanFormat,
}

/// A stack that is no part of the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OwnStack {
    /// Who deploys the lake from GitHub, and what they may do.
    Access,
}

/// The form of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For a terminal.
    Text,
    /// For a pull request.
    Markdown,
}

/// Arguments of `deploy`.
#[derive(Debug, Args)]
pub struct Deploy {
    /// The environment
    #[arg(long, short)]
    pub env: String,
    /// Not the lake: another stack of the environment
    #[arg(long, value_name = "STACK")]
    pub stack: Option<OwnStack>,
    /// Ask nothing: everything is allowed but the loss of data
    #[arg(long, short)]
    pub yes: bool,
    /// The role with which CloudFormation works on the stacks, by its ARN; without one it has the rights of whoever deploys
    #[arg(long, value_name = "ARN", env = "LAKEGEN_SERVICE_ROLE")]
    pub service_role: Option<String>,
    /// What may be lost with its data, as the plan calls it, like `zones.raw`; may be given again
    #[arg(long, value_name = "THING")]
    pub allow_data_loss: Vec<String>,
}

/// Arguments of `sample`.
#[derive(Debug, Args)]
pub struct Sample {
    /// How many customers, 1 to 206209
    #[arg(long, default_value_t = 2_000)]
    pub users: u32,
    /// The same seed makes the same customers
    #[arg(long, default_value_t = 2_017)]
    pub seed: u64,
    /// The folder to write into
    #[arg(long, short, value_name = "DIR")]
    pub out: PathBuf,
    /// Write `oracle.csv` too: the true chances of products in each customer's last known order
    #[arg(long)]
    pub oracle: bool,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Where to run: `local`, or an environment of the blueprint
    #[arg(long, short)]
    pub env: String,
    /// Steps to begin with; what depends on them follows
    pub steps: Vec<String>,
    /// The steps of this pipeline
    #[arg(long, value_name = "NAME", conflicts_with = "steps")]
    pub pipeline: Option<String>,
    /// A folder with the raw tables' files
    #[arg(long, value_name = "DIR", conflicts_with = "users", help_heading = LOCAL)]
    pub data: Option<PathBuf>,
    /// How many customers the sample has
    #[arg(long, value_name = "N", help_heading = LOCAL)]
    pub users: Option<u32>,
    /// Run steps again that nothing has changed for
    #[arg(long, help_heading = LOCAL)]
    pub force: bool,
    /// Start the run and leave it to itself
    #[arg(long, help_heading = IN_AWS)]
    pub detach: bool,
    /// Start nothing: follow this run
    #[arg(long, value_name = "RUN", conflicts_with_all = ["steps", "pipeline", "detach"], help_heading = IN_AWS)]
    pub follow: Option<String>,
    /// Start nothing: stop this run, and follow it until it has ended
    #[arg(long, value_name = "RUN", conflicts_with_all = ["steps", "pipeline", "follow"], help_heading = IN_AWS)]
    pub cancel: Option<String>,
}

const LOCAL: &str = "Options of `--env local`";
const IN_AWS: &str = "Options of environments in AWS";

/// Arguments of `query`.
#[derive(Debug, Args)]
pub struct Query {
    /// Where to ask: `local`, or an environment of the blueprint
    #[arg(long, short)]
    pub env: String,
    /// One statement, in Athena's dialect
    pub sql: String,
    /// The workgroup of the blueprint under whose limits Athena runs it; on this machine there are none
    #[arg(long, default_value = "lake")]
    pub workgroup: String,
    /// At most so many rows
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// The form of the rows
    #[arg(long, default_value = "table")]
    pub format: RowFormat,
}

/// The form of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RowFormat {
    /// A table for people.
    Table,
    /// Comma-separated values with a header.
    Csv,
    /// A JSON array of objects.
    Json,
}

/// Arguments of `profile`.
#[derive(Debug, Args)]
pub struct Profile {
    /// The profiles; by default every one of the blueprint
    #[arg(value_name = "PROFILE")]
    pub profiles: Vec<String>,
}

/// Arguments of `evaluate`.
#[derive(Debug, Args)]
pub struct Evaluate {
    /// Where the model is: `local`, or an environment of the blueprint
    #[arg(long, short)]
    pub env: String,
    /// The models; by default every one that says how it is evaluated
    #[arg(value_name = "MODEL")]
    pub models: Vec<String>,
    /// A page with tables and plots, to be written to this file
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// The port; 0 takes a free one
    #[arg(long, default_value_t = 8_787)]
    pub port: u16,
    /// Show what the functions write to their logs
    #[arg(long, short)]
    pub verbose: bool,
}

/// Arguments of `call`.
#[derive(Debug, Args)]
pub struct Call {
    /// Where to call: `local`, or an environment of the blueprint
    #[arg(long, short)]
    pub env: String,
    /// Method and path, like `GET /users/42/buy-again?limit=5`
    pub request: String,
    /// The body, for methods that have one
    #[arg(long, short)]
    pub data: Option<String>,
    /// The token of a signed-in user, where the API's access is `cognito`
    #[arg(long, env = "LAKEGEN_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// Which copy of the lake: `local`, or an environment of the blueprint
    #[arg(long, short)]
    pub env: String,
    /// Look for what was changed by hand; CloudFormation takes its time
    #[arg(long)]
    pub drift: bool,
    /// Exit with 2 if something was changed by hand
    #[arg(long, requires = "drift")]
    pub detailed_exitcode: bool,
}

/// Arguments of `destroy`.
#[derive(Debug, Args)]
pub struct Destroy {
    /// The environment
    #[arg(long, short)]
    pub env: String,
    /// Ask nothing: the name of what goes, `<lake>-<environment>`
    #[arg(long, value_name = "NAME")]
    pub yes: Option<String>,
    /// The bucket of the assets too
    #[arg(long)]
    pub assets: bool,
}

/// Arguments of `gc`.
#[derive(Debug, Args)]
pub struct Gc {
    /// The environment
    #[arg(long, short)]
    pub env: String,
    /// Delete them, not only list them
    #[arg(long)]
    pub remove: bool,
    /// Only what was uploaded more than so many days ago; a deploy that has just begun may need what is younger
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    pub older_than: u32,
}

/// Arguments of `graph`.
#[derive(Debug, Args)]
pub struct Graph {
    /// The form of the picture
    #[arg(long, default_value = "mermaid")]
    pub format: GraphFormat,
    /// What to draw
    #[arg(long, default_value = "lineage")]
    pub view: GraphView,
    /// The file to write; standard output by default
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// What a picture shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphView {
    /// What everything is made from, from raw files to routes.
    Lineage,
    /// Tables, keys and references.
    Model,
}

/// The form of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// Scalable Vector Graphics.
    Svg,
    /// Mermaid, which GitHub draws.
    Mermaid,
    /// Graphviz.
    Dot,
}

/// Arguments of `github`.
#[derive(Debug, Args)]
pub struct Github {
    /// What to do
    #[command(subcommand)]
    pub command: GithubCommand,
}

/// What to do on GitHub.
#[derive(Debug, Subcommand)]
pub enum GithubCommand {
    /// Write the workflows that review and deploy the lake
    Generate(GithubGenerate),
    /// Set up the repository: environments, variables, rules for the branch, and a pull request with the workflows
    Connect(GithubConnect),
    /// Post a plan on a pull request, or bring the one posted before up to date
    Comment(GithubComment),
}

/// Arguments of `github generate`.
#[derive(Debug, Args)]
pub struct GithubGenerate {
    /// Write nothing: show what is out of date, and exit with 2 if something is
    #[arg(long, conflicts_with = "force")]
    pub check: bool,
    /// Overwrite what was changed by hand
    #[arg(long)]
    pub force: bool,
}

/// Which repository, and whose token. Without an app the token is `GH_TOKEN` or `GITHUB_TOKEN`, or what `gh auth login` has stored.
#[derive(Debug, Args)]
pub struct GithubAccess {
    /// The repository; by default the one that the git remote `origin` is
    #[arg(long, value_name = "OWNER/NAME", env = "GITHUB_REPOSITORY")]
    pub repository: Option<Repository>,
    /// The address of the API, like `https://HOST/api/v3` of a GitHub Enterprise Server
    #[arg(long, value_name = "URL", env = "GITHUB_API_URL")]
    pub api_url: Option<String>,
    /// The id of a GitHub App that is installed in the repository, instead of a token
    #[arg(long, value_name = "ID", env = "LAKEGEN_GITHUB_APP_ID", requires = "app_key")]
    pub app_id: Option<u64>,
    /// The private key of the app, a `.pem` file
    #[arg(long, value_name = "FILE", env = "LAKEGEN_GITHUB_APP_KEY", requires = "app_id")]
    pub app_key: Option<PathBuf>,
}

/// Arguments of `github connect`.
#[derive(Debug, Args)]
pub struct GithubConnect {
    /// Change nothing: show what would be changed
    #[arg(long)]
    pub dry_run: bool,
    /// Ask nothing
    #[arg(long, short)]
    pub yes: bool,
    /// Go on although something is not committed, or no branch is checked out
    #[arg(long)]
    pub allow_dirty: bool,
    /// The account of an environment whose account is not in the blueprint, like `dev=111122223333`; may be given again
    #[arg(long, value_name = "ENV=ACCOUNT", value_parser = account_of)]
    pub account: Vec<(String, String)>,
    /// A secret of the repository, or of one of its environments: what the environment variable NAME holds; may be given again
    #[arg(long, value_name = "[ENV/]NAME")]
    pub secret: Vec<String>,
    /// Write secrets again that are there already
    #[arg(long, requires = "secret")]
    pub renew_secrets: bool,
    /// How many people must agree to a pull request; by default one in an organization, and nobody where only the owner is
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(..=6))]
    pub approvals: Option<u8>,
    /// Which repository, and whose token.
    #[command(flatten)]
    pub access: GithubAccess,
}

fn account_of(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, account)) if account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()) => {
            Ok((name.to_owned(), account.to_owned()))
        }
        _ => Err("an account has twelve digits: `dev=111122223333`".to_owned()),
    }
}

/// Arguments of `github comment`.
#[derive(Debug, Args)]
pub struct GithubComment {
    /// Markdown, as `lakegen plan --format markdown` writes it; standard input by default
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The number of the pull request; in GitHub Actions by default that of the event
    #[arg(long, value_name = "N")]
    pub pull: Option<u64>,
    /// Tells the comment from others that are kept on the same pull request
    #[arg(long, default_value = "plan", value_parser = comment_name)]
    pub name: String,
    /// Which repository, and whose token.
    #[command(flatten)]
    pub access: GithubAccess,
}

fn comment_name(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/');
    if text.is_empty() || !text.chars().all(allowed) {
        return Err("a name has letters, digits, `_`, `.` and `/`".to_owned());
    }
    Ok(text.to_owned())
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}
