//! `lakegen github …`, and what its commands share.

use std::path::Path;

use super::{Context, github_comment, github_connect, github_generate};
use crate::cli::{Github, GithubAccess, GithubCommand};
use crate::failure::Failure;
use crate::github::repository::{self, GitError, host_of_api};
use crate::github::token::{Credentials, TokenError};
use crate::github::{Client, Error, Repository};

pub fn run(args: &Github, context: &Context<'_>) -> Result<(), Failure> {
    match &args.command {
        GithubCommand::Generate(args) => github_generate::run(args, context),
        GithubCommand::Connect(args) => github_connect::run(args, context),
        GithubCommand::Comment(args) => github_comment::run(args, context),
    }
}

/// The repository that is named, or that the git remote is, on the GitHub that is named or whose API this is.
pub fn find(access: &GithubAccess, api: &str, folder: &Path) -> Result<Repository, Failure> {
    match &access.repository {
        Some(named) => Ok(named.clone()),
        None => {
            let remote = repository::remote(folder).map_err(not_found)?;
            let wanted = host_of_api(access.api_url.as_deref().unwrap_or(api));
            if remote.host == wanted {
                Ok(remote.repository)
            } else {
                Err(not_found(GitError::OtherHost { host: remote.host, wanted }))
            }
        }
    }
}

/// A client with the credentials that are found, for the API that is named or this one.
pub async fn sign_in(access: &GithubAccess, api: &str, repository: &Repository) -> Result<Client, Failure> {
    let api = access.api_url.as_deref().unwrap_or(api);
    let app = access.app_id.zip(access.app_key.as_deref());
    let credentials = Credentials::find(&host_of_api(api), app).map_err(without)?;
    Client::open(api, &credentials, repository).await.map_err(failure)
}

/// GitHub said no.
pub fn failure(error: Error) -> Failure {
    let help = error.help();
    Failure::edge(error, help)
}

/// Git does not say which repository it is.
pub fn not_found(error: GitError) -> Failure {
    let help = error.help().to_owned();
    Failure::edge(error, help)
}

fn without(error: TokenError) -> Failure {
    let help = error.help();
    Failure::edge(error, help)
}
