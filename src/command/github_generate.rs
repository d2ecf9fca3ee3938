//! `lakegen github generate`

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Context;
use crate::cli::GithubGenerate;
use crate::failure::{Exit, Failure};
use crate::github::repository::remote;
use crate::lake::{Github, Lake};
use crate::project::Project;
use crate::text::printable;
use crate::workflow::block::{self, Refusal};
use crate::workflow::{self, File, Layout};

/// What a run came to.
#[derive(Debug, Serialize)]
struct Generated {
    path: &'static str,
    changed: bool,
}

pub fn run(args: &GithubGenerate, context: &Context<'_>) -> Result<(), Failure> {
    let project = context.project()?;
    let lake = context.check(&project)?;
    let github = section(&lake, &project)?;
    let root = repository(&project.root);
    let files = workflow::files(&lake, github, &layout(&project, &root)?);
    let mut outcome = Vec::new();
    let mut differences = String::new();
    let mut merged = Vec::new();
    for File { path, block } in &files {
        let before = read(&root.join(path))?;
        let forced = block::merge(before.as_deref(), block, true).unwrap_or_default();
        let after = match block::merge(before.as_deref(), block, args.force) {
            Ok(after) => after,
            Err(Refusal::OtherLake) => return Err(other_lake(path, before.as_deref().unwrap_or_default(), &lake)),
            // What is wrong is that the file is not as it should be: `--check` says how.
            Err(Refusal::Foreign | Refusal::Edited) if args.check => forced,
            Err(Refusal::Foreign) => {
                let message = format!("`{path}` is there, and lakegen has not written it");
                let help = "rename it, or let `--force` replace it; what lakegen would write is shown above";
                return Err(refused(message, help, path, before.as_deref().unwrap_or_default(), &forced, context));
            }
            Err(Refusal::Edited) => {
                let message = format!("`{path}` was changed by hand, inside the block that lakegen writes");
                let help = "move the change behind `# lakegen:end` or into the blueprint, or let `--force` undo it as shown above";
                return Err(refused(message, help, path, before.as_deref().unwrap_or_default(), &forced, context));
            }
        };
        let difference = block::diff(path, before.as_deref().unwrap_or_default(), &after);
        outcome.push(Generated { path, changed: !difference.is_empty() });
        differences.push_str(&difference);
        merged.push((root.join(path), after));
    }
    if args.check {
        if differences.is_empty() {
            return Ok(());
        }
        context.console.result(&differences)?;
        let help = Some("`lakegen github generate` brings it up to date; commit what it writes".to_owned());
        let stale: Vec<_> = outcome.iter().filter(|file| file.changed).map(|file| file.path).collect();
        let message = format!("{} not as the blueprint says", crate::diagnostic::listed(&stale));
        return Err(Failure { exit: Exit::Changes, ..Failure::edge(message, help) });
    }
    for ((path, text), Generated { changed, .. }) in merged.iter().zip(&outcome) {
        if *changed {
            write(path, text)
                .map_err(|error| Failure::edge(error, format!("`{}` cannot be written", path.display())))?;
        }
    }
    if context.console.json {
        return Ok(context.console.json(&outcome)?);
    }
    for Generated { path, changed } in outcome {
        context.console.result(&format!("{} {path}", if changed { "wrote" } else { "kept" }))?;
    }
    Ok(())
}

/// What the blueprint says about its repository.
pub fn section<'a>(lake: &'a Lake, project: &Project) -> Result<&'a Github, Failure> {
    lake.github.as_ref().ok_or_else(|| {
        // It is for the author to write: whoever clones a fork would else let the fork deploy.
        let remote =
            remote(&project.root).map_or_else(|_| "owner/name".to_owned(), |remote| remote.repository.to_string());
        let help =
            format!("add `github: {{ repository: {remote}, lakegen: {{ release: … }} }}`; docs/github.md shows one");
        Failure::usage("the blueprint does not say from which repository it is deployed", help)
    })
}

/// Somebody's work would be lost: shows what would become of it.
fn refused(
    message: String,
    help: &'static str,
    path: &str,
    before: &str,
    after: &str,
    context: &Context<'_>,
) -> Failure {
    context.console.note(&block::diff(path, before, after));
    Failure { exit: Exit::NotAllowed, ..Failure::edge(message, help.to_owned()) }
}

/// Whoever may deploy to an environment of GitHub's may take on the role of the environment of that name, whatever lake it is of: two
/// lakes in one repository would not be kept apart.
fn other_lake(path: &str, before: &str, lake: &Lake) -> Failure {
    let other = block::lake(before).unwrap_or_default();
    let message = format!(
        "`{path}` deploys the lake `{}`, and this is `{}`: a repository has one lake that is deployed from it",
        printable(other, &[]),
        lake.name
    );
    let help = "give this lake a repository of its own; if it is the same lake under a new name, `--force` writes the workflow anew";
    Failure { exit: Exit::NotAllowed, ..Failure::edge(message, help.to_owned()) }
}

/// The folder of the repository that the project is in: the nearest one with `.git`, or the project's own.
pub fn repository(project: &Path) -> PathBuf {
    project.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(project).to_owned()
}

/// Where the blueprint is, as the workflow must say it.
///
/// # Errors
/// A name that GitHub would take for an expression.
pub fn layout(project: &Project, repository: &Path) -> Result<Layout, Failure> {
    let slashed = |path: &Path| {
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        parts.join("/")
    };
    let folder = project.root.strip_prefix(repository).map(slashed).unwrap_or_default();
    let blueprint = std::fs::canonicalize(&project.path).unwrap_or_else(|_| project.path.clone());
    // The only blueprint is found without being named.
    let found = Project::open(None, &project.root).is_ok();
    let layout = Layout {
        folder: (!folder.is_empty()).then_some(folder),
        blueprint: (!found)
            .then(|| blueprint.strip_prefix(&project.root).map_or_else(|_| slashed(&blueprint), slashed)),
    };
    if let Some(name) = [&layout.folder, &layout.blueprint].into_iter().flatten().find(|name| name.contains("${{")) {
        let message = format!("GitHub would take a part of `{}` for an expression", printable(name, &[]));
        return Err(Failure::usage(message, "give it a name without `${{`".to_owned()));
    }
    Ok(layout)
}

fn read(path: &Path) -> Result<Option<String>, Failure> {
    if path.is_symlink() {
        let message = format!("`{}` is a link, and what it points to may be somebody else's", path.display());
        return Err(Failure::edge(message, "take it away; GitHub reads no workflow through a link".to_owned()));
    }
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::edge(error, format!("`{}` cannot be read", path.display()))),
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text)
}
