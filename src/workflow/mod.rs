//! The workflows by which GitHub reviews and deploys a lake: a typed model, and its text. Nothing here looks at a disk or at GitHub.

mod actions;
pub mod block;
mod lake;
pub mod model;
pub mod yaml;

use crate::lake::{Github, Lake};
pub use lake::{CONNECTED, Layout, account_variable, workflow};

/// A file that lakegen writes into the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path from the repository's folder, with `/`.
    pub path: &'static str,
    /// What the block in it holds.
    pub block: String,
}

/// Where the workflow is.
pub const WORKFLOW: &str = ".github/workflows/lakegen.yml";
/// Where the packages that it installs are, each with its hashes.
pub const REQUIREMENTS: &str = ".github/lakegen/requirements.txt";

/// The files of a lake.
#[must_use]
pub fn files(lake: &Lake, github: &Github, layout: &Layout) -> Vec<File> {
    let hint = "# Written by `lakegen github generate` from the blueprint. What is outside this block is yours and stays; jobs may follow it.\n";
    vec![
        File {
            path: WORKFLOW,
            block: format!("{hint}{}\n{}", block::of_lake(&lake.name), workflow(lake, github, layout).render()),
        },
        File { path: REQUIREMENTS, block: include_str!("requirements.txt").to_owned() },
    ]
}
