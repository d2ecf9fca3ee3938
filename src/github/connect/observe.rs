//! What there is.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{BRANCH, ConnectError, Ids, RULESET, Reviewer, Wanted};
use crate::github::client::{Call, Client, segment};
use crate::github::error::Error;
use crate::github::repository::Repository;

/// The scopes without which nothing of this works, for tokens that have scopes.
const SCOPES: [&str; 2] = ["repo", "workflow"];

/// What there is of what is wanted.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The numbers of owner and repository.
    pub ids: Ids,
    /// Whether the owner is an organization.
    pub organization: bool,
    /// The environments that are wanted and there.
    pub environments: HashMap<String, SeenEnvironment>,
    /// The repository's own variables and secrets.
    pub settings: Settings,
    /// The numbers of people and teams.
    pub reviewers: HashMap<Reviewer, u64>,
    /// lakegen's rules, with their number.
    pub ruleset: Option<(u64, Value)>,
    /// The branch that is deployed.
    pub base: Tip,
    /// lakegen's branch, when it is there.
    pub head: Option<Tip>,
    /// The open pull request from lakegen's branch.
    pub pull: Option<SeenPull>,
}

/// An environment as it is.
#[derive(Debug, Clone, Default)]
pub struct SeenEnvironment {
    /// Who must agree: `User` or `Team`, and the number.
    pub reviewers: Vec<(String, u64)>,
    /// Whether whoever started a deploy may agree.
    pub self_review: bool,
    /// How many minutes to wait.
    pub wait: u64,
    /// Whether only some branches may be deployed, by patterns of its own.
    pub restricted: bool,
    /// Those branches: numbers and patterns.
    pub branches: Vec<(u64, String)>,
    /// The tags that may be deployed, likewise.
    pub tags: Vec<(u64, String)>,
    /// Its variables and secrets.
    pub settings: Settings,
}

/// Variables, and the names of secrets.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Names and values.
    pub variables: HashMap<String, String>,
    /// Names.
    pub secrets: Vec<String>,
}

/// Where a branch is, and what it holds of the files that are wanted, in their order.
#[derive(Debug, Clone)]
pub struct Tip {
    /// Its commit.
    pub commit: String,
    /// The tree of that commit.
    pub tree: String,
    /// The texts of the files.
    pub files: Vec<Option<String>>,
}

/// A pull request as it is.
#[derive(Debug, Clone)]
pub struct SeenPull {
    /// Its number.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// What it says.
    pub body: String,
    /// The branch that it is for.
    pub base: String,
    /// Its page.
    pub url: String,
}

/// Looks at a repository.
///
/// # Errors
/// It cannot be connected, or GitHub says no.
pub async fn observe(client: &Client, wanted: &Wanted) -> Result<Seen, ConnectError> {
    let looking = Looking { client, wanted, root: root(&wanted.repository) };
    let repository = looking.repository().await?;
    let numbers = (repository["owner"]["id"].as_u64(), repository["id"].as_u64());
    let (Some(owner), Some(id)) = numbers else { return Err(looking.malformed("read the repository")) };
    let base = looking.base(&repository).await?;
    let head = looking.tip(BRANCH, "read lakegen's branch").await?;
    let pull = match head {
        Some(_) => looking.pull().await?,
        None => None,
    };
    Ok(Seen {
        ids: Ids { owner, repository: id },
        organization: repository["owner"]["type"] == "Organization",
        environments: looking.environments().await?,
        settings: looking.settings(&format!("{}/actions", looking.root), "the repository").await?,
        reviewers: looking.reviewers().await?,
        ruleset: looking.ruleset().await?,
        base,
        head,
        pull,
    })
}

/// Where everything of a repository is.
pub(super) fn root(repository: &Repository) -> String {
    format!("/repos/{}/{}", segment(&repository.owner), segment(&repository.name))
}

struct Looking<'a> {
    client: &'a Client,
    wanted: &'a Wanted,
    root: String,
}

impl Looking<'_> {
    fn malformed(&self, what: &str) -> ConnectError {
        Error::Malformed { what: format!("{what} {}", self.wanted.repository) }.into()
    }

    async fn repository(&self) -> Result<Value, ConnectError> {
        let wanted = &self.wanted.repository;
        let call = Call::get(format!("read the repository {wanted}"), self.root.as_str());
        let (repository, mut grant) = self.client.with_grant(&call).await?;
        let Some(found) = repository["full_name"].as_str() else { return Err(self.malformed("read the repository")) };
        if !found.eq_ignore_ascii_case(&wanted.to_string()) {
            return Err(ConnectError::Renamed { asked: wanted.clone(), found: found.to_owned() });
        }
        if repository["archived"] == true {
            return Err(ConnectError::Archived(wanted.clone()));
        }
        grant.needed = SCOPES.to_vec();
        let missing = grant.missing();
        if !missing.is_empty() {
            return Err(ConnectError::Scopes(missing.into_iter().map(str::to_owned).collect()));
        }
        // Only of people: what an app or a fine-grained token may do is not said there.
        let may = &repository["permissions"];
        if grant.scopes.is_some() && may["admin"] == false {
            let can = if may["push"] == true { "can only push" } else { "can only read" };
            return Err(ConnectError::NotAdmin { repository: wanted.clone(), can });
        }
        Ok(repository)
    }

    async fn base(&self, repository: &Value) -> Result<Tip, ConnectError> {
        let Wanted { repository: name, branch, .. } = self.wanted;
        let found = match self.tip(branch, &format!("read the branch {branch}")).await {
            // 409: GitHub's answer for a repository without a commit.
            Err(ConnectError::GitHub(Error::Refused { reason, .. })) if reason.contains("is empty") => {
                return Err(ConnectError::Empty(name.clone()));
            }
            other => other?,
        };
        found.ok_or_else(|| ConnectError::NoBranch {
            repository: name.clone(),
            branch: branch.clone(),
            default: repository["default_branch"].as_str().unwrap_or_default().to_owned(),
        })
    }

    async fn tip(&self, branch: &str, what: &str) -> Result<Option<Tip>, ConnectError> {
        let root = &self.root;
        let path = format!("{root}/git/ref/{}", segment(&format!("heads/{branch}")));
        let Some(reference) = self.client.find(&Call::get(what, path)).await? else { return Ok(None) };
        let Some(commit) = reference["object"]["sha"].as_str() else { return Err(self.malformed(what)) };
        let found = self.client.json(&Call::get(what, format!("{root}/git/commits/{}", segment(commit)))).await?;
        let Some(tree) = found["tree"]["sha"].as_str() else { return Err(self.malformed(what)) };
        let mut files = Vec::new();
        for file in &self.wanted.files {
            let path = format!("{root}/contents/{}?ref={}", segment(&file.path), segment(commit));
            let found = self.client.find(&Call::get(format!("read `{}`", file.path), path)).await?;
            files.push(found.as_ref().and_then(content));
        }
        Ok(Some(Tip { commit: commit.to_owned(), tree: tree.to_owned(), files }))
    }

    async fn pull(&self) -> Result<Option<SeenPull>, ConnectError> {
        let head = segment(&format!("{}:{BRANCH}", self.wanted.repository.owner));
        let path = format!("{}/pulls?state=open&head={head}", self.root);
        let pulls = self.client.list(&Call::get("read the pull requests", path), None).await?;
        Ok(pulls.iter().find_map(|pull| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            Some(SeenPull {
                number: pull["number"].as_u64()?,
                title: text(&pull["title"]),
                body: text(&pull["body"]).replace('\r', ""),
                base: text(&pull["base"]["ref"]),
                url: text(&pull["html_url"]),
            })
        }))
    }

    async fn environments(&self) -> Result<HashMap<String, SeenEnvironment>, ConnectError> {
        let root = &self.root;
        let call = Call::get("read the environments", format!("{root}/environments"));
        let mut found = HashMap::new();
        for environment in self.client.list(&call, Some("environments")).await? {
            let name = environment["name"].as_str().unwrap_or_default();
            // GitHub's names of environments differ in more than their case.
            let Some(wanted) = self.wanted.environments.iter().find(|one| one.name.eq_ignore_ascii_case(name)) else {
                continue;
            };
            let path = format!("{root}/environments/{}", segment(name));
            let mut seen = rules(&environment);
            if seen.restricted {
                let what = format!("read what may be deployed to `{name}`");
                let call = Call::get(what, format!("{path}/deployment-branch-policies"));
                let list = self.client.list(&call, Some("branch_policies")).await?;
                let (tags, branches): (Vec<_>, Vec<_>) = list.iter().partition(|one| one["type"] == "tag");
                let policies = |list: Vec<&Value>| {
                    let both = |one: &Value| Some((one["id"].as_u64()?, one["name"].as_str()?.to_owned()));
                    list.into_iter().filter_map(both).collect()
                };
                (seen.branches, seen.tags) = (policies(branches), policies(tags));
            }
            seen.settings = self.settings(&path, &format!("the environment `{name}`")).await?;
            found.insert(wanted.name.clone(), seen);
        }
        Ok(found)
    }

    async fn settings(&self, path: &str, of: &str) -> Result<Settings, ConnectError> {
        let call = Call::get(format!("read the variables of {of}"), format!("{path}/variables"));
        let list = self.client.list(&call, Some("variables")).await?;
        let pairs =
            list.iter().filter_map(|one| Some((one["name"].as_str()?.to_owned(), one["value"].as_str()?.to_owned())));
        let variables = pairs.collect();
        if self.wanted.secrets.is_empty() {
            return Ok(Settings { variables, secrets: Vec::new() });
        }
        let call = Call::get(format!("read the names of the secrets of {of}"), format!("{path}/secrets"));
        let list = self.client.list(&call, Some("secrets")).await?;
        let secrets = list.iter().filter_map(|one| Some(one["name"].as_str()?.to_owned())).collect();
        Ok(Settings { variables, secrets })
    }

    async fn reviewers(&self) -> Result<HashMap<Reviewer, u64>, ConnectError> {
        let mut numbers = HashMap::new();
        for reviewer in self.wanted.environments.iter().flat_map(|environment| &environment.reviewers) {
            if numbers.contains_key(reviewer) {
                continue;
            }
            let (what, name, path) = match reviewer {
                Reviewer::User(login) => ("user", login, format!("/users/{}", segment(login))),
                Reviewer::Team(slug) => {
                    let owner = segment(&self.wanted.repository.owner);
                    ("team", slug, format!("/orgs/{owner}/teams/{}", segment(slug)))
                }
            };
            let found = self.client.find(&Call::get(format!("find the {what} `{name}`"), path)).await?;
            let number = found.and_then(|found| found["id"].as_u64());
            let number = number.ok_or_else(|| ConnectError::NoReviewer { what, name: name.clone() })?;
            numbers.insert(reviewer.clone(), number);
        }
        Ok(numbers)
    }

    async fn ruleset(&self) -> Result<Option<(u64, Value)>, ConnectError> {
        let path = format!("{}/rulesets?includes_parents=false", self.root);
        let list = self.client.list(&Call::get("read the rules of the repository", path), None).await?;
        let Some(id) = list.iter().find(|one| one["name"] == RULESET).and_then(|one| one["id"].as_u64()) else {
            return Ok(None);
        };
        let path = format!("{}/rulesets/{id}", self.root);
        Ok(Some((id, self.client.json(&Call::get("read lakegen's rules", path)).await?)))
    }
}

/// What stands before an environment.
fn rules(environment: &Value) -> SeenEnvironment {
    let mut seen = SeenEnvironment { self_review: true, ..SeenEnvironment::default() };
    seen.restricted = environment["deployment_branch_policy"]["custom_branch_policies"] == true;
    for rule in environment["protection_rules"].as_array().into_iter().flatten() {
        match rule["type"].as_str() {
            Some("wait_timer") => seen.wait = rule["wait_timer"].as_u64().unwrap_or_default(),
            Some("required_reviewers") => {
                seen.self_review = rule["prevent_self_review"] != true;
                let reviewers = rule["reviewers"].as_array().into_iter().flatten();
                seen.reviewers = reviewers
                    .filter_map(|one| Some((one["type"].as_str()?.to_owned(), one["reviewer"]["id"].as_u64()?)))
                    .collect();
            }
            _ => {}
        }
    }
    seen
}

/// The text of a file, as the API gives it: Base64 in lines.
fn content(file: &Value) -> Option<String> {
    let text: String = file["content"].as_str()?.split_ascii_whitespace().collect();
    String::from_utf8(STANDARD.decode(text).ok()?).ok()
}
