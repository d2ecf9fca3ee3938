//! `lakegen github comment`

use std::io::Read;
use std::path::Path;

use super::local::runtime;
use super::{Context, github};
use crate::cli::GithubComment;
use crate::failure::Failure;
use crate::github::client::API;
use crate::github::comment::{Action, Comment, pull_of_event, summarize};

pub fn run(args: &GithubComment, context: &Context<'_>) -> Result<(), Failure> {
    let markdown = read(args)?;
    if markdown.trim().is_empty() {
        return Err(Failure::usage("there is nothing to post: the text is empty", None));
    }
    // First, because it works for pull requests from forks too, whose token may not comment.
    if let Some(file) = variable("GITHUB_STEP_SUMMARY") {
        summarize(Path::new(&file), &markdown).map_err(|error| unreadable(&file, &error))?;
    }
    let pull = pull(args)?;
    let repository = github::find(&args.access, API, Path::new("."))?;
    let job = job();
    let comment = Comment { repository: &repository, pull, name: &args.name, markdown: &markdown, job: job.as_deref() };
    let posted = runtime()?.block_on(async {
        let client = github::sign_in(&args.access, API, &repository).await?;
        comment.post(&client).await.map_err(github::failure)
    })?;
    if context.console.json {
        return Ok(context.console.json(&posted)?);
    }
    let what = match posted.action {
        Action::Created => "posted",
        Action::Updated => "brought up to date",
        Action::Unchanged => "is up to date",
    };
    context.console.note(&format!("the comment on {repository}#{pull}: {what}"));
    Ok(context.console.result(&posted.url)?)
}

fn read(args: &GithubComment) -> Result<String, Failure> {
    if args.files.is_empty() {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(|error| unreadable("standard input", &error))?;
        return Ok(text);
    }
    let read = |path: &std::path::PathBuf| {
        std::fs::read_to_string(path).map_err(|error| unreadable(&path.display().to_string(), &error))
    };
    Ok(args.files.iter().map(read).collect::<Result<Vec<_>, _>>()?.join("\n\n"))
}

fn pull(args: &GithubComment) -> Result<u64, Failure> {
    if let Some(pull) = args.pull {
        return Ok(pull);
    }
    let help = || Some("name it with `--pull N`".to_owned());
    let Some(path) = variable("GITHUB_EVENT_PATH") else {
        return Err(Failure::usage("nothing says which pull request", help()));
    };
    let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
    let event = serde_json::from_str(&text).map_err(|error| Failure::edge(format!("`{path}`: {error}"), help()))?;
    pull_of_event(&event).ok_or_else(|| Failure::usage("the event is not about a pull request", help()))
}

/// The page of the job's run in GitHub Actions.
fn job() -> Option<String> {
    let [server, repository, run] = ["GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID"].map(variable);
    Some(format!("{}/{}/actions/runs/{}", server?, repository?, run?))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn unreadable(what: &str, error: &std::io::Error) -> Failure {
    Failure::edge(format!("`{what}`: {error}"), None)
}
