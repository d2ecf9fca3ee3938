//! `lakegen github connect`, from the command line.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/github.rs"]
mod fake;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use fake::{GitHub, TOKEN, assert_golden};
use lakegen::github::connect::BRANCH;
use serde_json::{Value, json};

const BLUEPRINT: &str = r#"
name: shop
environments:
  dev: { region: eu-west-1 }
  prod: { region: eu-west-1, account: "111122223333", protected: true }
zones: { raw: { keep: forever } }
tables:
  orders: { zone: raw, format: csv, columns: { id: int } }
github:
  repository: acme/lake
  lakegen:
    release:
      version: 0.1.0
      sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
      url: https://github.com/acme/lakegen/releases/download/v0.1.0/lakegen-x86_64-unknown-linux-gnu.tar.gz
  environments:
    prod: { reviewers: [bob, acme/data], wait: 10 minutes }
"#;

/// A project that is committed, and whose remote is the fake.
struct Project<'a> {
    github: &'a GitHub,
    folder: tempfile::TempDir,
}

impl<'a> Project<'a> {
    fn new(github: &'a GitHub) -> Self {
        let project = Self { github, folder: tempfile::tempdir().unwrap() };
        project.write(BLUEPRINT);
        project.git(&["init", "--quiet", "--initial-branch", "main"]);
        project.git(&["remote", "add", "origin", "git@127.0.0.1:acme/lake.git"]);
        project.commit();
        project
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, blueprint: &str) {
        fs::create_dir_all(self.path().join("blueprints")).unwrap();
        fs::write(self.path().join("blueprints/shop.yaml"), blueprint).unwrap();
    }

    fn git(&self, args: &[&str]) {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=ann", "-c", "user.email=ann@example.com", "-c", "commit.gpgsign=false"]).args(args);
        let output = git.current_dir(self.path()).env("HOME", self.path()).output().unwrap();
        assert!(output.status.success(), "{args:?} {output:?}");
    }

    fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "a lake"]);
    }

    /// Exit code, standard output and standard error.
    fn run(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_lakegen"))
            .arg("github")
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.path())
            .env("NO_COLOR", "1")
            .env("GITHUB_TOKEN", TOKEN)
            .env("GITHUB_API_URL", &self.github.url)
            .env("SLACK", "hook")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// Standard error of a run that changes nothing and ends like this.
    fn refused(&self, args: &[&str], code: i32) -> String {
        let (ended, _, said) = self.run(args);
        assert_eq!(ended, Some(code), "{said}");
        assert_eq!(self.github.writes(), [""; 0], "{said}");
        // Without what is said about the blueprint.
        said[said.find("error:").unwrap()..].to_owned()
    }
}

#[test]
fn a_plan_is_shown_then_followed_and_there_is_nothing_to_do_after_it() {
    let github = GitHub::start();
    let project = Project::new(&github);
    let connect = |more: &[&str]| {
        project.run(&[&["connect", "--account", "dev=444455556666", "--secret", "prod/SLACK"], more].concat())
    };
    let (code, plan, said) = connect(&["--dry-run"]);
    assert_eq!((code, github.writes()), (Some(0), Vec::new()), "{said}");
    assert_golden("connect_plan", &format!("{plan}\n{said}"));

    let (code, again, said) = connect(&[]);
    assert_eq!((code, github.writes(), again == plan), (Some(5), Vec::new(), true), "nobody is there to agree");
    assert!(
        said.ends_with("error: this was not allowed\n  = help: `--yes` asks nothing, `--dry-run` only shows\n"),
        "{said}"
    );

    let (code, out, said) = connect(&["--yes"]);
    assert_eq!(code, Some(0), "{said}");
    let page = github.state().pulls[0]["html_url"].as_str().unwrap().to_owned();
    assert_eq!(out, format!("{plan}{page}\n"));
    github.writes();

    let (code, report, said) = connect(&["--yes", "--output", "json"]);
    let report: Value = serde_json::from_str(&report).unwrap_or_else(|_| panic!("{code:?} {said}"));
    let ids = json!({ "owner": 583_231, "repository": 1_296_269 });
    assert_eq!(
        report,
        json!({ "repository": "acme/lake", "ids": ids, "done": true, "steps": [], "pull_request": null })
    );
    // The account is remembered by its variable.
    let (code, _, said) = project.run(&["connect", "--yes"]);
    assert_eq!((code, github.writes()), (Some(0), Vec::new()), "{said}");

    let (code, _, said) = project.run(&["generate"]);
    assert_eq!(code, Some(0), "{said}");
    let state = github.state();
    for path in [".github/workflows/lakegen.yml", ".github/lakegen/requirements.txt"] {
        assert_eq!(state.files(BRANCH).unwrap()[path], fs::read_to_string(project.path().join(path)).unwrap());
    }
    assert_eq!(state.places[""].variables["LAKEGEN_DEV_ACCOUNT"], "444455556666");
    let role = &state.places["prod"].variables["LAKEGEN_DEPLOY_ROLE"];
    assert!(role.starts_with("arn:aws:iam::111122223333:role/shop-prod-"), "{role}");
    let workflow = &state.files(BRANCH).unwrap()[".github/workflows/lakegen.yml"];
    assert!(workflow.contains(role.as_str()), "the workflow takes on the role that is said: {role}");
}

#[test]
fn what_is_wrong_here_is_said_before_github_is_asked_for_anything() {
    let github = GitHub::start();
    let project = Project::new(&github);
    let mut said = String::new();
    let mut note = |title: &str, text: String| said.push_str(&format!("{title}\n{text}\n"));
    let connect = ["connect", "--yes", "--account", "dev=444455556666"];

    note("an account that nobody knows", project.refused(&["connect", "--yes"], 2));
    note("half an account", project.refused(&["connect", "--account", "dev=42"], 2));
    note("an account of no environment", project.refused(&["connect", "--account", "test=444455556666"], 2));
    note("a secret that is not there", project.refused(&[&connect[..], &["--secret", "PAGER"]].concat(), 2));
    note("another repository", project.refused(&[&connect[..], &["--repository", "acme/other"]].concat(), 2));
    fs::write(project.path().join("notes.txt"), "").unwrap();
    note("a dirty tree", project.refused(&connect, 3));
    fs::remove_file(project.path().join("notes.txt")).unwrap();
    project.git(&["checkout", "--quiet", "--detach"]);
    note("a detached head", project.refused(&connect, 3));
    let (code, _, _) = project.run(&[&connect[..], &["--dry-run", "--allow-dirty"]].concat());
    assert_eq!(code, Some(0));
    github.writes();
    project.git(&["switch", "--quiet", "main"]);
    project.git(&["remote", "set-url", "origin", "git@gitlab.com:acme/lake.git"]);
    note("a remote that is not GitHub", project.refused(&connect, 3));
    project.git(&["remote", "remove", "origin"]);
    note("no remote", project.refused(&connect, 3));
    project.git(&["remote", "add", "origin", "git@127.0.0.1:acme/lake.git"]);
    project.write(
        &BLUEPRINT.replace("repository: acme/lake", "repository: acme/lake\n  ids: { owner: 1, repository: 2 }"),
    );
    project.commit();
    note("other numbers", project.refused(&connect, 2));
    project.write(BLUEPRINT.split("github:").next().unwrap());
    project.commit();
    note("no section", project.refused(&connect, 2));
    assert_golden("connect_here", &said);
}
