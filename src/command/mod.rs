//! One thin file for each command.

mod call;
mod check;
mod cloud;
mod completions;
mod deploy;
mod deployed;
mod destroy;
mod evaluate;
mod gc;
mod github;
mod github_comment;
mod github_connect;
mod github_generate;
mod graph;
mod init;
mod local;
mod plan;
mod profile;
mod query;
mod run;
mod sample;
mod schema;
mod serve;
mod status;
mod synth;

use std::path::Path;

use crate::cli::{Cli, Command, Global, Output};
use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::lake::Lake;
use crate::project::Project;

/// Runs a command; what it has to say goes to its console.
pub fn run(cli: &Cli) -> Exit {
    let console = Console::new(cli.global.quiet, cli.global.output == Output::Json);
    let context = Context { global: &cli.global, console };
    let result = match &cli.command {
        Command::Init(args) => init::run(args, &context),
        Command::Check => check::run(&context),
        Command::Sample(args) => sample::run(args, &context),
        Command::Graph(args) => graph::run(args, &context),
        Command::Schema => schema::run(&context),
        Command::Completions(args) => completions::run(args, &context),
        Command::Plan(args) => plan::run(args, &context),
        Command::Deploy(args) => deploy::run(args, &context),
        Command::Synth(args) => synth::run(args, &context),
        Command::Run(args) => run::run(args, &context),
        Command::Query(args) => query::run(args, &context),
        Command::Profile(args) => profile::run(args, &context),
        Command::Evaluate(args) => evaluate::run(args, &context),
        Command::Serve(args) => serve::run(args, &context),
        Command::Call(args) => call::run(args, &context),
        Command::Status(args) => status::run(args, &context),
        Command::Destroy(args) => destroy::run(args, &context),
        Command::Gc(args) => gc::run(args, &context),
        Command::Github(args) => github::run(args, &context),
    };
    match result {
        Ok(()) => Exit::Done,
        Err(failure) => {
            console.failure(&failure);
            failure.exit
        }
    }
}

/// What every command works with.
struct Context<'a> {
    global: &'a Global,
    console: Console,
}

impl Context<'_> {
    fn project(&self) -> Result<Project, Failure> {
        Ok(Project::open(self.global.blueprint.as_deref(), Path::new("."))?)
    }

    /// The checked lake; what is wrong with it is shown.
    fn lake(&self) -> Result<Lake, Failure> {
        self.check(&self.project()?)
    }

    fn check(&self, project: &Project) -> Result<Lake, Failure> {
        let (lake, diagnostics) = project.check();
        self.console.diagnostics(&diagnostics);
        lake.ok_or_else(|| Failure::shown(Exit::Blueprint))
    }
}
