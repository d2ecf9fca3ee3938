//! What lakegen says and sets up on GitHub, against one that remembers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/github.rs"]
mod fake;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use axum::http::Method;
use fake::{GitHub, TOKEN, assert_golden};
use serde_json::json;

/// A project in a folder of its own, and nothing of the machine's own settings.
struct Project<'a> {
    github: &'a GitHub,
    folder: tempfile::TempDir,
}

impl<'a> Project<'a> {
    fn new(github: &'a GitHub) -> Self {
        Self { github, folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lakegen"));
        command
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.path())
            .env("NO_COLOR", "1")
            .env("GITHUB_TOKEN", TOKEN)
            .env("GITHUB_API_URL", &self.github.url)
            .env("GITHUB_REPOSITORY", "acme/lake");
        command
    }

    /// Exit code, standard output and standard error, with this on standard input.
    fn run(&self, command: &mut Command, input: &str) -> (Option<i32>, String, String) {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that fails early reads nothing.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap().replace(&self.github.url, "http://GITHUB");
        (status.code(), text(stdout), text(stderr))
    }

    fn comment(&self, args: &[&str], input: &str) -> (Option<i32>, String, String) {
        self.run(&mut self.command(&[&["github", "comment"], args].concat()), input)
    }

    /// Standard error of a comment that is not posted.
    fn refused(&self, command: &mut Command) -> String {
        let (code, _, said) = self.run(command, "### plan");
        assert_eq!(code, Some(3), "{said}");
        said
    }
}

#[test]
fn a_plan_is_one_comment_that_is_kept_up_to_date() {
    let github = GitHub::start();
    let project = Project::new(&github);
    github.state().page = 2;
    for number in 0..5 {
        let comment = json!({ "id": number, "user": { "login": "zoe", "type": "User" }, "body": "<!-- lakegen: plan -->\nforged" });
        github.state().comments.push(comment);
    }

    let (code, url, said) = project.comment(&["--pull", "7"], "### shop in dev\r\n\r\n3 to add\n");
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said, "the comment on acme/lake#7: posted\n");
    assert!(url.starts_with("https://github.com/acme/lake/pull/7#issuecomment-"), "{url}");
    assert_eq!(github.writes(), ["POST /repos/acme/lake/issues/7/comments"]);
    assert_eq!(github.state().comments[5]["body"], "<!-- lakegen: plan -->\n### shop in dev\n\n3 to add");

    let (_, again, said) = project.comment(&["--pull", "7"], "### shop in dev\n\n3 to add\n");
    assert_eq!((again, said.as_str()), (url.clone(), "the comment on acme/lake#7: is up to date\n"));
    assert!(github.writes().is_empty());

    std::fs::write(project.path().join("dev.md"), "### dev").unwrap();
    std::fs::write(project.path().join("prod.md"), "### prod").unwrap();
    let (_, changed, said) = project.comment(&["--pull", "7", "dev.md", "prod.md", "--output", "json"], "");
    let changed: serde_json::Value = serde_json::from_str(&changed).unwrap_or_else(|_| panic!("{said}"));
    assert_eq!(changed, json!({ "action": "updated", "url": url.trim() }));
    assert_eq!(github.state().comments[5]["body"], "<!-- lakegen: plan -->\n### dev\n\n### prod");

    let (_, other, _) = project.comment(&["--pull", "7", "--name", "drift"], "### drift");
    assert_ne!(other, url);
    assert_eq!(github.state().comments.len(), 7);
    assert!(github.state().asked.iter().all(|asked| asked.token == format!("Bearer {TOKEN}")));
}

#[test]
fn a_job_comments_on_the_pull_request_of_its_event_and_writes_its_summary() {
    let github = GitHub::start();
    github.state().login = None;
    let project = Project::new(&github);
    let (event, summary) = (project.path().join("event.json"), project.path().join("summary.md"));
    std::fs::write(&event, r#"{ "action": "synchronize", "number": 7, "pull_request": { "number": 7 } }"#).unwrap();
    let long = format!("### plan\n\n<details><summary>all</summary>\n\n{}</details>\n", "- a line\n".repeat(20_000));
    for _ in 0..2 {
        let mut command = project.command(&["github", "comment"]);
        command.env("GITHUB_EVENT_PATH", &event).env("GITHUB_STEP_SUMMARY", &summary).env("GITHUB_ACTIONS", "true");
        command.env("GITHUB_SERVER_URL", "https://github.com").env("GITHUB_RUN_ID", "42");
        let (code, _, said) = project.run(&mut command, &long);
        assert_eq!(code, Some(0), "{said}");
    }
    assert_eq!(github.writes(), ["POST /repos/acme/lake/issues/7/comments"], "of two runs");
    let body = github.state().comments[0]["body"].as_str().unwrap().to_owned();
    assert!((65_000..=65_536).contains(&body.chars().count()));
    let end = "</details>\n\n[All of it](https://github.com/acme/lake/actions/runs/42) is in the summary of the job.";
    assert!(body.ends_with(end), "{}", &body[body.len() - 200..]);
    assert_eq!(std::fs::read_to_string(&summary).unwrap(), format!("{long}\n{long}\n"));

    std::fs::write(&event, r#"{ "ref": "refs/heads/main" }"#).unwrap();
    let mut command = project.command(&["github", "comment"]);
    let (code, _, said) = project.run(command.env("GITHUB_EVENT_PATH", &event), "### plan");
    assert_eq!(code, Some(2));
    insta::assert_snapshot!(said, @r"
    error: the event is not about a pull request
      = help: name it with `--pull N`
    ");
}

#[test]
fn what_github_refuses_has_a_way_out() {
    let github = GitHub::start();
    let project = Project::new(&github);
    let comments = "/issues/7/comments";
    let args = ["github", "comment", "--pull", "7"];
    let mut said = String::new();
    let mut note = |title: &str, text: String| said.push_str(&format!("{title}\n{text}\n"));

    github.fails(Method::GET, comments, 401, &[], "Bad credentials");
    note("a wrong token", project.refused(&mut project.command(&args)));
    let sso = [("x-github-sso", "required; url=https://github.com/orgs/acme/sso?authorization_request=A1B2")];
    github.fails(Method::GET, comments, 403, &sso, "Resource protected by organization SAML enforcement.");
    note("single sign-on", project.refused(&mut project.command(&args)));
    let limit = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795575600")];
    github.fails(Method::GET, comments, 403, &limit, "API rate limit exceeded for user ID 1.");
    note("the rate limit", project.refused(&mut project.command(&args)));
    let secondary = "You have exceeded a secondary rate limit.";
    github.fails(Method::POST, comments, 403, &[("retry-after", "300")], secondary);
    note("the secondary limit", project.refused(&mut project.command(&args)));
    github.state().headers = vec![("x-oauth-scopes", "gist, read:org".to_owned())];
    github.fails(Method::GET, comments, 404, &[("x-accepted-oauth-scopes", "repo")], "Not Found");
    note("a token without scopes", project.refused(&mut project.command(&args)));
    github.state().headers.clear();
    github.fails(Method::GET, comments, 404, &[], "Not Found");
    note("nothing there, or not for this token", project.refused(&mut project.command(&args)));
    let permissions = [("x-accepted-github-permissions", "issues=write; pull_requests=write")];
    github.fails(Method::POST, comments, 403, &permissions, "Resource not accessible by personal access token");
    note("a fine-grained token without permission", project.refused(&mut project.command(&args)));
    github.fails(Method::POST, comments, 403, &permissions, "Resource not accessible by integration");
    note("a job without permission", project.refused(project.command(&args).env("GITHUB_ACTIONS", "true")));
    github.fails(Method::POST, comments, 422, &[], "Validation Failed");
    note("something invalid", project.refused(&mut project.command(&args)));
    github.fails(Method::GET, comments, 502, &[], "Server Error");
    note("an outage", project.refused(&mut project.command(&args)));
    assert_golden("refusals", &said);
    assert!(github.state().comments.is_empty());
}

#[test]
fn a_short_pause_is_waited_for() {
    let github = GitHub::start();
    let project = Project::new(&github);
    github.fails(Method::POST, "/issues/7/comments", 429, &[("retry-after", "0")], "slow down");
    let (code, _, said) = project.comment(&["--pull", "7"], "### plan");
    assert_eq!((code, said.as_str()), (Some(0), "the comment on acme/lake#7: posted\n"));
}

#[test]
fn tokens_and_repositories_are_found_or_asked_for() {
    let github = GitHub::start();
    let project = Project::new(&github);
    let comment = || {
        let mut command = project.command(&["github", "comment", "--pull", "7"]);
        command.env_remove("GITHUB_REPOSITORY").env("GIT_CEILING_DIRECTORIES", "/").env("GIT_CONFIG_NOSYSTEM", "1");
        command
    };
    let git = |args: &[&str]| {
        let output =
            Command::new("git").args(args).current_dir(project.path()).env("HOME", project.path()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let folder = project.path().display().to_string();
    let mut said = String::new();
    let mut note = |title: &str, text: String| said.push_str(&format!("{title}\n{}\n", text.replace(&folder, ".")));

    note("no git repository", project.refused(&mut comment()));
    git(&["init", "--quiet"]);
    note("no remote", project.refused(&mut comment()));
    git(&["remote", "add", "upstream", "https://ann:secret@gitlab.com/acme/data/lake.git"]);
    note("a remote that is not on GitHub at all", project.refused(&mut comment()));
    git(&["remote", "set-url", "upstream", "git@gitlab.com:acme/lake.git"]);
    note("a remote on another host", project.refused(&mut comment()));
    git(&["remote", "add", "fork", "git@127.0.0.1:ann/lake.git"]);
    note("several remotes", project.refused(&mut comment()));
    git(&["remote", "add", "origin", "ssh://git@127.0.0.1/acme/lake.git"]);
    note("no token", project.refused(comment().env_remove("GITHUB_TOKEN")));
    note("a token with a line break", project.refused(comment().env("GITHUB_TOKEN", "ghp_a\nb")));
    let help = project.run(comment().args(["--repository", "lake"]), "");
    assert_eq!(help.0, Some(2));
    note("half a name", help.2);
    note(
        "no address",
        project.refused(comment().args(["--repository", "acme/lake", "--api-url", "git.example.com/api/v3"])),
    );
    note("no server", project.refused(comment().args(["--api-url", "http://127.0.0.1:1"])));
    assert_golden("found", &said);

    let bin = project.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let gh = bin.join("gh");
    std::fs::write(&gh, "#!/bin/sh\n[ \"$*\" = 'auth token --hostname 127.0.0.1' ] && echo stored-by-gh\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&gh, mode).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let (code, _, said) = project.run(comment().env_remove("GITHUB_TOKEN").env("PATH", path), "### plan");
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(github.state().asked.last().unwrap().token, "Bearer stored-by-gh");
}

#[test]
fn a_renamed_repository_is_commented_on_under_its_old_name() {
    let github = GitHub::start();
    github.state().moved = true;
    let project = Project::new(&github);
    for expected in ["posted", "is up to date"] {
        let (code, _, said) = project.run(&mut project.command(&["github", "comment", "--pull", "7"]), "### plan");
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(said, format!("the comment on acme/lake#7: {expected}\n"));
    }
    assert_eq!(github.state().comments.len(), 1);
    assert!(github.state().asked.iter().all(|asked| asked.token == format!("Bearer {TOKEN}")));
}

#[test]
fn an_enterprise_server_has_its_api_elsewhere_and_a_token_of_its_own() {
    let github = GitHub::start();
    github.state().base = "/api/v3";
    github.state().page = 1;
    let project = Project::new(&github);
    let url = format!("{}/api/v3", github.url);
    let comment = |name: &str, text: &str| {
        let mut command = project.command(&["github", "comment", "--pull", "7", "--name", name, "--api-url", &url]);
        project.run(command.env("GH_ENTERPRISE_TOKEN", "of-the-server"), text)
    };
    // More comments than fit on a page, so that one is found behind a link.
    for (name, text, expected) in
        [("a", "1", "posted"), ("b", "1", "posted"), ("c", "1", "posted"), ("c", "2", "brought up to date")]
    {
        let (code, _, said) = comment(name, text);
        assert_eq!((code, said), (Some(0), format!("the comment on acme/lake#7: {expected}\n")));
    }
    let state = github.state();
    assert_eq!(state.comments.len(), 3);
    assert!(
        state.asked.iter().all(|asked| asked.path.starts_with("/api/v3/") && asked.token == "Bearer of-the-server")
    );
}

#[test]
fn a_github_app_comments_with_the_token_of_its_installation() {
    let github = GitHub::start();
    github.state().login = None;
    let project = Project::new(&github);
    let key = project.path().join("app.pem");
    let made = Command::new("openssl").args(["genrsa", "-traditional", "-out"]).arg(&key).arg("2048").output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let mut command = project.command(&["github", "comment", "--pull", "7", "--app-id", "99", "--app-key", "app.pem"]);
    let (code, _, said) = project.run(&mut command, "### plan");
    assert_eq!(code, Some(0), "{said}");
    let asked: Vec<_> = github.state().asked.iter().map(|asked| (asked.path.clone(), asked.token.clone())).collect();
    let paths: Vec<_> = asked.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths[..2], ["/repos/acme/lake/installation", "/app/installations/4711/access_tokens"]);
    assert!(asked[..2].iter().all(|(_, token)| token.starts_with("Bearer ey")), "{asked:?}");
    assert!(asked[2..].iter().all(|(_, token)| *token == format!("Bearer {TOKEN}")), "{asked:?}");

    std::fs::write(&key, "no key").unwrap();
    let said = project.refused(&mut project.command(&[
        "github",
        "comment",
        "--pull",
        "7",
        "--app-id",
        "99",
        "--app-key",
        "app.pem",
    ]));
    insta::assert_snapshot!(said, @r"
    error: the private key of the GitHub App cannot be used: InvalidKeyFormat
      = help: it is the RSA key in the `.pem` file that GitHub gives out for the app
    ");
}

#[test]
fn check_annotates_the_lines_of_a_pull_request() {
    let github = GitHub::start();
    let project = Project::new(&github);
    let blueprints = project.path().join("lakes/shop/blueprints");
    std::fs::create_dir_all(&blueprints).unwrap();
    let text = "name: shop\nzones: { raw: { keep: forever } }\ntables:\n  orders: { zone: rwa, format: csv, columns: { id: int } }\n";
    std::fs::write(blueprints.join("shop.yaml"), text).unwrap();
    let mut command = project.command(&["check"]);
    command.current_dir(project.path().join("lakes/shop"));
    let (_, _, plain) = project.run(&mut command, "");
    assert!(!plain.contains("::"), "{plain}");
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_WORKSPACE", project.path());
    let (code, _, said) = project.run(&mut command, "");
    assert_eq!(code, Some(1));
    let commands = said.strip_prefix(&plain).unwrap();
    insta::assert_snapshot!(commands, @"::error file=lakes/shop/blueprints/shop.yaml,line=4,endLine=4,col=19,endColumn=21::no zone named `rwa`%0Ahelp: did you mean `raw`?");
    let (_, json, said) = project.run(command.args(["--output", "json"]), "");
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
    assert_eq!(said, commands);
}
