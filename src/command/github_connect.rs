//! `lakegen github connect`

use std::io::IsTerminal;

use serde::Serialize;

use super::local::runtime;
use super::{Context, github, github_generate};
use crate::cli::GithubConnect;
use crate::failure::{Exit, Failure};
use crate::github::connect::{self, ConnectError, Environment, File, Ids, Secret, Seen, Step, Wanted};
use crate::github::{Repository, repository};
use crate::lake::{Github, GithubGate, Lake};
use crate::lower::access_role_arn;
use crate::project::Project;
use crate::report::connect as report;
use crate::workflow::block::{self, Refusal};
use crate::workflow::{CONNECTED, account_variable, files};

/// The job of the workflow that must have succeeded before a pull request is merged.
const CHECK: &str = "check";

#[derive(Serialize)]
struct Report<'a> {
    repository: String,
    ids: Ids,
    done: bool,
    steps: &'a [Step],
    pull_request: Option<String>,
}

pub fn run(args: &GithubConnect, context: &Context<'_>) -> Result<(), Failure> {
    let project = context.project()?;
    let lake = context.check(&project)?;
    let github = github_generate::section(&lake, &project)?;
    let repository = github::find(&args.access, &github.api_url, &project.root)?;
    if !repository.to_string().eq_ignore_ascii_case(&github.full_name()) {
        let message = format!("the blueprint is for the repository {}, and this is {repository}", github.full_name());
        let help = format!(
            "write `repository: {repository}` into its section `github`, or give `--repository {}`",
            github.full_name()
        );
        return Err(Failure::usage(message, help));
    }
    if !args.allow_dirty {
        repository::committed(&project.root).map_err(github::not_found)?;
    }
    let wanted = wanted(args, &project, &lake, github, repository)?;
    let runtime = runtime()?;
    runtime.block_on(async {
        let client = github::sign_in(&args.access, &github.api_url, &wanted.repository).await?;
        let seen = connect::observe(&client, &wanted).await.map_err(failure)?;
        fits(args, &lake, github, &seen)?;
        let steps = connect::decide(&wanted, &seen).map_err(failure)?;
        let mut done = Report {
            repository: wanted.repository.to_string(),
            ids: seen.ids,
            done: steps.is_empty(),
            steps: &steps,
            pull_request: None,
        };
        if steps.is_empty() {
            context.console.note(&format!("{} is as the blueprint says: nothing to do", wanted.repository));
        } else {
            if !context.console.json {
                context.console.result(&report::text(&steps))?;
            }
            if !args.dry_run {
                allowed(args, context).await?;
                let tell = |step: &Step| context.console.note(&report::line(step));
                done.pull_request = connect::execute(&client, &wanted, &steps, &tell).await.map_err(failure)?;
                done.done = true;
            }
        }
        if context.console.json {
            return Ok(context.console.json(&done)?);
        }
        advise(context, github, &seen);
        if let Some(page) = &done.pull_request {
            context.console.result(page)?;
        }
        Ok(())
    })
}

async fn allowed(args: &GithubConnect, context: &Context<'_>) -> Result<(), Failure> {
    let asks = !args.yes && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let answer = if asks { context.console.ask("go on? [y/N]").await } else { None };
    if args.yes || answer.is_some_and(|answer| matches!(answer.as_str(), "y" | "yes")) {
        return Ok(());
    }
    let help = "`--yes` asks nothing, `--dry-run` only shows".to_owned();
    Err(Failure { exit: Exit::NotAllowed, ..Failure::edge("this was not allowed", help) })
}

fn wanted(
    args: &GithubConnect,
    project: &Project,
    lake: &Lake,
    github: &Github,
    repository: Repository,
) -> Result<Wanted, Failure> {
    for (name, _) in &args.account {
        lake.environment(name).ok_or_else(|| super::local::unknown_environment(name, lake))?;
    }
    let given =
        |name: &str| args.account.iter().find(|(environment, _)| environment == name).map(|(_, account)| account);
    let mut variables = Vec::new();
    for environment in lake.environments.iter().filter(|environment| environment.account.is_none()) {
        if let Some(account) = given(&environment.name) {
            variables.push((account_variable(&environment.name), account.clone()));
        }
    }
    variables.push((CONNECTED.to_owned(), "true".to_owned()));
    let gates = lake.environments.iter().filter_map(|environment| Some((environment, github.gate(&environment.name)?)));
    let environments = gates.map(|(environment, gate)| {
        let GithubGate { environment: name, reviewers, self_review, wait, branches, deploy: _, provider: _ } = gate;
        let mut variables = vec![("LAKEGEN_REGION".to_owned(), environment.region.clone())];
        if let Some(account) = environment.account.as_ref().or(given(name)) {
            let role = access_role_arn(lake, environment, account, "deploy");
            variables.push(("LAKEGEN_DEPLOY_ROLE".to_owned(), role));
        }
        Environment {
            name: name.clone(),
            reviewers: reviewers.clone(),
            self_review: *self_review,
            wait: *wait,
            branches: branches.clone(),
            variables,
        }
    });
    let layout = github_generate::layout(project, &github_generate::repository(&project.root))?;
    let files =
        files(lake, github, &layout).into_iter().map(|file| File { path: file.path.to_owned(), block: file.block });
    Ok(Wanted {
        repository,
        branch: github.branch.clone(),
        environments: environments.collect(),
        variables,
        secrets: args.secret.iter().map(|name| secret(name, lake)).collect::<Result<_, _>>()?,
        renew_secrets: args.renew_secrets,
        checks: vec![CHECK.to_owned()],
        approvals: args.approvals,
        files: files.collect(),
        merge,
    })
}

fn merge(before: Option<&str>, block: &str) -> Result<String, &'static str> {
    block::merge(before, block, false).map_err(|refusal| match refusal {
        Refusal::Foreign => "lakegen has not written it",
        Refusal::OtherLake => "another lake is deployed from this repository",
        Refusal::Edited => "its block was changed by hand",
    })
}

/// `NAME`, or `ENVIRONMENT/NAME`: what the environment variable `NAME` holds.
fn secret(written: &str, lake: &Lake) -> Result<Secret, Failure> {
    let (environment, name) = match written.split_once('/') {
        Some((environment, name)) => (Some(environment), name),
        None => (None, written),
    };
    if let Some(environment) = environment {
        lake.environment(environment).ok_or_else(|| super::local::unknown_environment(environment, lake))?;
    }
    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
    let value = value.ok_or_else(|| {
        let help = format!("export {name}, whose value nobody should read on the command line");
        Failure::usage(format!("the environment variable {name} holds no secret"), help)
    })?;
    Ok(Secret { environment: environment.map(str::to_owned), name: name.to_owned(), value })
}

/// What only the numbers and variables that are there can tell.
fn fits(args: &GithubConnect, lake: &Lake, github: &Github, seen: &Seen) -> Result<(), Failure> {
    let Ids { owner, repository } = seen.ids;
    if let Some(ids) = github.ids
        && ids != (owner, repository)
    {
        let message = format!("the blueprint says that the numbers of {} are others than they are", github.full_name());
        let help =
            format!("write `ids: {{ owner: {owner}, repository: {repository} }}`, and deploy the stack `access` again");
        return Err(Failure::usage(message, help));
    }
    let unknown = lake.environments.iter().find(|environment| {
        let given = args.account.iter().any(|(name, _)| *name == environment.name);
        environment.account.is_none()
            && !given
            && !seen.settings.variables.contains_key(&account_variable(&environment.name))
    });
    match unknown {
        None => Ok(()),
        Some(environment) => {
            let name = &environment.name;
            let help = format!("give `--account {name}=111122223333`, or write `account:` into the blueprint");
            Err(Failure::usage(format!("nothing says in which account `{name}` is"), help))
        }
    }
}

fn advise(context: &Context<'_>, github: &Github, seen: &Seen) {
    let Ids { owner, repository } = seen.ids;
    if github.ids.is_none() {
        context.console.note(&format!(
            "if the repository was made since 15 July 2026, write `ids: {{ owner: {owner}, repository: {repository} }}` into the section \
             `github`: AWS is told these numbers"
        ));
    }
    for gate in &github.gates {
        context.console.note(&format!("once: lakegen deploy --env {} --stack access", gate.environment));
    }
}

fn failure(error: ConnectError) -> Failure {
    let help = error.help();
    Failure::edge(error, help)
}
