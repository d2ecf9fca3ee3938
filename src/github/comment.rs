//! One comment of a pull request that lakegen keeps up to date, and the summary of a job.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use http::Method;
use serde::Serialize;
use serde_json::{Value, json};

use super::client::{Call, Client, segment};
use super::error::Error;
use super::fold::fold;
use super::repository::Repository;

/// The most characters that a comment may have.
const COMMENT_LIMIT: usize = 65_536;
/// The most bytes that the summary of a step may have.
const SUMMARY_LIMIT: usize = 1_048_576;

/// What happened to the comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is new.
    Created,
    /// It says something else now.
    Updated,
    /// It said that already.
    Unchanged,
}

/// The comment that says it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Posted {
    /// What happened.
    pub action: Action,
    /// Its page.
    pub url: String,
}

/// What to say, and where.
#[derive(Debug, Clone, Copy)]
pub struct Comment<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// The number of the pull request.
    pub pull: u64,
    /// Tells it from other comments that lakegen keeps on the same pull request.
    pub name: &'a str,
    /// Markdown.
    pub markdown: &'a str,
    /// The page of the job that has all of it, when it is too long for a comment.
    pub job: Option<&'a str>,
}

impl Comment<'_> {
    /// Posts the comment, or brings the one up to date that was posted under this name before.
    ///
    /// # Errors
    /// GitHub says no.
    pub async fn post(&self, client: &Client) -> Result<Posted, Error> {
        let Self { repository, pull, .. } = self;
        let (owner, name) = (segment(&repository.owner), segment(&repository.name));
        let comments = format!("/repos/{owner}/{name}/issues/{pull}/comments");
        let list = Call::get(format!("read the comments of {repository}#{pull}"), comments.as_str());
        let found = client.list(&list, None).await?;
        let own = self.own(&found, login(client).await?.as_deref());
        let body = self.body();
        if own.is_some_and(|comment| comment["body"] == body.as_str()) {
            return Ok(Posted { action: Action::Unchanged, url: page(own) });
        }
        let (action, method, path) = match own.and_then(|comment| comment["id"].as_u64()) {
            Some(id) => (Action::Updated, Method::PATCH, format!("/repos/{owner}/{name}/issues/comments/{id}")),
            None => (Action::Created, Method::POST, comments),
        };
        let text = json!({ "body": body });
        let answer = client.json(&Call::send(method, format!("comment on {repository}#{pull}"), path, &text)).await?;
        Ok(Posted { action, url: page(Some(&answer)) })
    }

    /// The comment that was posted before. One by somebody else is not taken for it whatever it says: he could change it afterwards.
    fn own<'a>(&self, comments: &'a [Value], login: Option<&str>) -> Option<&'a Value> {
        let marker = self.marker();
        comments.iter().find(|comment| {
            let author = &comment["user"];
            let by_us = match login {
                Some(login) => author["login"] == login,
                None => author["type"] == "Bot",
            };
            by_us && comment["body"].as_str().is_some_and(|body| body.starts_with(&marker))
        })
    }

    fn marker(&self) -> String {
        format!("<!-- lakegen: {} -->", self.name)
    }

    fn body(&self) -> String {
        let marker = self.marker();
        let more = match self.job {
            Some(job) => format!("[All of it]({job}) is in the summary of the job."),
            None => "All of it is too long for a comment.".to_owned(),
        };
        let limit = COMMENT_LIMIT - marker.chars().count() - 1;
        // GitHub keeps neither carriage returns nor what is blank at the end, and both would look like a change.
        let text = self.markdown.replace('\r', "");
        format!("{marker}\n{}", fold(text.trim_end(), limit, |text| text.chars().count(), &more).trim_end())
    }
}

/// Who the token belongs to; nobody when it is that of an app, as in Actions.
async fn login(client: &Client) -> Result<Option<String>, Error> {
    match client.json(&Call { needed: &[], ..Call::get("ask whose token it is", "/user") }).await {
        Ok(user) => Ok(user["login"].as_str().map(str::to_owned)),
        Err(Error::Forbidden { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn page(comment: Option<&Value>) -> String {
    comment.and_then(|comment| comment["html_url"].as_str()).unwrap_or_default().to_owned()
}

/// Adds to the summary of a job, as far as GitHub takes it.
///
/// # Errors
/// The file cannot be written.
pub fn summarize(file: &Path, markdown: &str) -> io::Result<()> {
    let mut out = OpenOptions::new().create(true).append(true).open(file)?;
    let there = usize::try_from(out.metadata()?.len()).unwrap_or(usize::MAX);
    let limit = SUMMARY_LIMIT.saturating_sub(there + 1);
    let text = fold(markdown, limit, str::len, "All of it is too long for a summary.");
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")
}

/// The number of the pull request that an event of GitHub Actions is about.
#[must_use]
pub fn pull_of_event(event: &Value) -> Option<u64> {
    let of_issue = &event["issue"];
    let number = match &event["pull_request"] {
        Value::Object(pull) => pull.get("number")?,
        _ if of_issue["pull_request"].is_object() => &of_issue["number"],
        _ => return None,
    };
    number.as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comment<'a>(repository: &'a Repository, markdown: &'a str) -> Comment<'a> {
        Comment { repository, pull: 7, name: "plan", markdown, job: None }
    }

    #[test]
    fn a_comment_is_never_too_long() {
        let repository = "acme/lake".parse().unwrap();
        for size in [65_000, 65_515, 65_516, 65_536, 300_000] {
            let text = "ä\n".repeat(size / 2);
            let body = comment(&repository, &text).body();
            assert!(body.chars().count() <= COMMENT_LIMIT, "{size}");
            assert_eq!(body.contains("All of it is too long"), size > 65_515, "{size}");
            assert!(body.starts_with("<!-- lakegen: plan -->\nä\n"));
        }
    }

    #[test]
    fn only_ones_own_comment_is_ones_own() {
        let repository = "acme/lake".parse().unwrap();
        let by =
            |login: &str, kind: &str, body: &str| json!({ "user": { "login": login, "type": kind }, "body": body });
        let comments = [
            by("mallory", "User", "<!-- lakegen: plan -->\nnothing to do"),
            by("ci[bot]", "Bot", "I quote: <!-- lakegen: plan -->"),
            by("ci[bot]", "Bot", "<!-- lakegen: drift -->"),
            by("ann", "User", "<!-- lakegen: plan -->\nby ann"),
            by("ci[bot]", "Bot", "<!-- lakegen: plan -->\nby a bot"),
        ];
        let of =
            |login| comment(&repository, "").own(&comments, login).map(|comment| comment["body"].as_str().unwrap());
        assert_eq!(of(Some("ann")), Some("<!-- lakegen: plan -->\nby ann"));
        assert_eq!(of(None), Some("<!-- lakegen: plan -->\nby a bot"));
        assert_eq!(of(Some("zoe")), None);
    }

    #[test]
    fn events_say_which_pull_request() {
        assert_eq!(pull_of_event(&json!({ "number": 7, "pull_request": { "number": 7 } })), Some(7));
        assert_eq!(pull_of_event(&json!({ "issue": { "number": 8, "pull_request": {} } })), Some(8));
        assert_eq!(pull_of_event(&json!({ "issue": { "number": 8 } })), None);
        assert_eq!(pull_of_event(&json!({ "ref": "refs/heads/main" })), None);
    }

    #[test]
    fn a_summary_stops_at_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("summary");
        for _ in 0..3 {
            summarize(&file, &"a line of forty characters, no more, no\n".repeat(12_000)).unwrap();
        }
        let written = std::fs::read_to_string(&file).unwrap();
        assert!((960_000..=SUMMARY_LIMIT).contains(&written.len()), "{}", written.len());
    }
}
