//! A repository that is connected: made as a lake needs it, once, and never touched where it is so already.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/github.rs"]
mod fake;
#[path = "support/node.rs"]
mod node;
#[path = "support/prism.rs"]
mod prism;

use std::collections::BTreeMap;
use std::process::Command;

use axum::http::Method;
use base64::Engine as _;
use fake::{Contract, GitHub, Remembered, TOKEN, assert_golden};
use lakegen::github::comment::Comment;
use lakegen::github::connect::{
    BRANCH, ConnectError, Environment, File, Reviewer, Secret, Step, Wanted, decide, execute, observe,
};
use lakegen::github::token::Credentials;
use lakegen::github::{Client, Repository};
use lakegen::report::connect as report;
use prism::Prism;
use serde_json::json;

fn wanted() -> Wanted {
    let environment = |name: &str| Environment {
        name: name.to_owned(),
        reviewers: Vec::new(),
        self_review: true,
        wait: 0,
        branches: vec!["main".to_owned()],
        variables: vec![("LAKEGEN_REGION".to_owned(), "eu-west-1".to_owned())],
    };
    let file = |path: &str, block: &str| File { path: path.to_owned(), block: block.to_owned() };
    let secret = |environment: Option<&str>, name: &str, value: &str| Secret {
        environment: environment.map(str::to_owned),
        name: name.to_owned(),
        value: value.to_owned(),
    };
    Wanted {
        repository: Repository { owner: "acme".to_owned(), name: "lake".to_owned() },
        branch: "main".to_owned(),
        environments: vec![
            environment("dev"),
            Environment {
                reviewers: vec![Reviewer::User("bob".to_owned()), Reviewer::Team("data".to_owned())],
                self_review: false,
                wait: 10,
                branches: vec!["main".to_owned(), "release/*".to_owned()],
                ..environment("eu west")
            },
        ],
        variables: vec![
            ("LAKEGEN_DEV_ACCOUNT".to_owned(), "111122223333".to_owned()),
            ("LAKEGEN_CONNECTED".to_owned(), "true".to_owned()),
        ],
        secrets: vec![secret(None, "SLACK", "hook"), secret(Some("eu west"), "PAGER", "pässword")],
        renew_secrets: false,
        checks: vec!["check".to_owned()],
        approvals: None,
        files: vec![
            file(".github/workflows/lakegen.yml", "name: lakegen\n"),
            file(".github/lakegen/requirements.txt", "cfn-lint==1.58.0\n"),
        ],
        merge,
    }
}

/// What is behind a line of dashes is its owner's.
fn merge(before: Option<&str>, block: &str) -> Result<String, &'static str> {
    match before {
        Some(text) if text.starts_with("by hand") => Err("it was changed by hand"),
        Some(text) => Ok(format!("{block}{}", text.find("---").map_or("", |at| &text[at..]))),
        None => Ok(block.to_owned()),
    }
}

/// A client, and what it runs on. Opening one reads the certificates of the machine.
struct Session {
    runtime: tokio::runtime::Runtime,
    client: Client,
}

impl Session {
    fn new(github: &GitHub) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let credentials = Credentials::Token { token: TOKEN.to_owned(), from: "GITHUB_TOKEN" };
        let client = runtime.block_on(Client::open(&github.url, &credentials, &wanted().repository)).unwrap();
        Self { runtime, client }
    }

    /// What is decided, and what is done about it.
    fn connect(&self, wanted: &Wanted) -> Result<(Vec<Step>, Option<String>), ConnectError> {
        self.runtime.block_on(async {
            let seen = observe(&self.client, wanted).await?;
            let steps = decide(wanted, &seen)?;
            let page = execute(&self.client, wanted, &steps, &|_| {}).await?;
            Ok((steps, page))
        })
    }
}

fn connect(github: &GitHub, wanted: &Wanted) -> Result<(Vec<Step>, Option<String>), ConnectError> {
    Session::new(github).connect(wanted)
}

fn connected() -> GitHub {
    let github = GitHub::start();
    connect(&github, &wanted()).unwrap();
    github.writes();
    github
}

#[test]
fn the_first_run_does_everything_and_the_second_nothing() {
    let github = GitHub::start();
    github.state().page = 1;
    let (steps, page) = connect(&github, &wanted()).unwrap();
    let writes = github.writes();
    assert_golden("connect", &format!("{}\n{}\n", report::text(&steps), writes.join("\n")));
    assert_eq!(page.unwrap(), github.state().pulls[0]["html_url"]);
    let position = |what: &str| writes.iter().position(|write| write.contains(what)).unwrap();
    assert!(
        position("actions/variables") > position("rulesets"),
        "the variable that starts it all is last but the files"
    );
    {
        let state = github.state();
        let place = &state.places["eu west"];
        assert_eq!(place.branches.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>(), ["main", "release/*"]);
        let expected =
            json!([{ "type": "Team", "reviewer": { "id": 21 } }, { "type": "User", "reviewer": { "id": 12 } }]);
        assert_eq!(place.rules[1]["reviewers"], expected);
        assert_eq!(state.places[""].variables["LAKEGEN_CONNECTED"], "true");
        let files = state.files(BRANCH).unwrap();
        assert_eq!(files[".github/workflows/lakegen.yml"], "name: lakegen\n");
        assert_eq!(files["README.md"], "# lake\n", "what else is there stays");
    }
    let (steps, page) = connect(&github, &wanted()).unwrap();
    assert_eq!((steps, page), (Vec::new(), None));
    assert_eq!(github.writes(), [""; 0]);
}

#[test]
fn secrets_are_opened_by_githubs_key_and_written_once() {
    let github = connected();
    let open = |place: &str, name: &str| {
        let state = github.state();
        let sealed = base64::engine::general_purpose::STANDARD.decode(&state.places[place].secrets[name]).unwrap();
        String::from_utf8(state.key.as_ref().unwrap().unseal(&sealed).unwrap()).unwrap()
    };
    assert_eq!((open("", "SLACK"), open("eu west", "PAGER")), ("hook".to_owned(), "pässword".to_owned()));
    let mut other = wanted();
    other.secrets[0].value = "another hook".to_owned();
    assert!(connect(&github, &other).unwrap().0.is_empty(), "GitHub does not say what a secret holds");
    other.renew_secrets = true;
    connect(&github, &other).unwrap();
    assert_eq!(open("", "SLACK"), "another hook");
    assert!(!format!("{other:?}").contains("hook"));
}

#[test]
fn what_somebody_has_changed_is_set_right_and_nothing_else() {
    let github = connected();
    {
        let mut state = github.state();
        let place = state.places.get_mut("eu west").unwrap();
        place.rules[0]["wait_timer"] = json!(1);
        place.rules[1]["reviewers"] = json!([{ "type": "User", "reviewer": { "id": 99 } }]);
        place.branches[1].1 = "*".to_owned();
        place.tags.push((4_000, "main".to_owned()));
        place.variables.insert("LAKEGEN_REGION".to_owned(), "us-east-1".to_owned());
        place.variables.insert("THEIRS".to_owned(), "stays".to_owned());
        state.rulesets[0]["enforcement"] = json!("disabled");
        state.rulesets[0]["rules"].as_array_mut().unwrap().retain(|rule| rule["type"] != "deletion");
    }
    let (steps, _) = connect(&github, &wanted()).unwrap();
    let writes = github.writes();
    assert_golden("connect_again", &format!("{}\n{}\n", report::text(&steps), writes.join("\n")));
    assert_eq!(connect(&github, &wanted()).unwrap().0, []);
    assert_eq!(github.state().places["eu west"].variables["THEIRS"], "stays");
}

#[test]
fn rules_that_somebody_made_stricter_stay() {
    let github = connected();
    {
        let mut state = github.state();
        let rules = state.rulesets[0]["rules"].as_array_mut().unwrap();
        for rule in rules.iter_mut() {
            match rule["type"].as_str().unwrap() {
                "pull_request" => rule["parameters"]["required_approving_review_count"] = json!(2),
                "required_status_checks" => {
                    rule["parameters"]["required_status_checks"] =
                        json!([{ "context": "check" }, { "context": "theirs" }]);
                }
                _ => {}
            }
        }
        rules.push(json!({ "type": "required_linear_history" }));
    }
    assert_eq!(connect(&github, &wanted()).unwrap().0, []);
    let mut more = wanted();
    more.checks.push("plan".to_owned());
    connect(&github, &more).unwrap();
    let state = github.state();
    let rules = &state.rulesets[0]["rules"];
    assert_eq!(rules[2]["parameters"]["required_approving_review_count"], 2);
    let checks = json!([{ "context": "check" }, { "context": "theirs" }, { "context": "plan" }]);
    assert_eq!(rules[3]["parameters"]["required_status_checks"], checks);
    assert_eq!(rules[4]["type"], "required_linear_history");
}

#[test]
fn nobody_has_to_agree_where_only_the_owner_is() {
    let github = GitHub::start();
    github.state().repository["owner"]["type"] = json!("User");
    connect(&github, &wanted()).unwrap();
    assert_eq!(github.state().rulesets[0]["rules"][2]["parameters"]["required_approving_review_count"], 0);
    let two = Wanted { approvals: Some(2), ..wanted() };
    connect(&github, &two).unwrap();
    assert_eq!(github.state().rulesets[0]["rules"][2]["parameters"]["required_approving_review_count"], 2);
}

#[test]
fn the_pull_request_goes_on_while_it_is_open_and_begins_anew_when_it_is_not() {
    let github = connected();
    let mut wanted = wanted();
    let first = github.state().branches[BRANCH].clone();
    wanted.files[0].block = "name: newer\n".to_owned();
    let (_, page) = connect(&github, &wanted).unwrap();
    assert_eq!(page.unwrap(), github.state().pulls[0]["html_url"]);
    let writes = github.writes();
    assert_eq!(
        writes,
        [
            "POST /repos/acme/lake/git/trees",
            "POST /repos/acme/lake/git/commits",
            "PATCH /repos/acme/lake/git/refs/heads%2Flakegen%2Fgithub",
        ]
    );
    {
        let mut state = github.state();
        let second = state.branches[BRANCH].clone();
        assert_eq!(state.commits[&second].1, [first], "what reviewers have seen stays");
        // It is merged, and somebody adds a job of his own.
        let mut files = state.files(BRANCH).unwrap().clone();
        files.insert(".github/workflows/lakegen.yml".to_owned(), "name: newer\n--- mine\n".to_owned());
        let tree = state.keep_tree(files);
        let merged = state.keep_commit(tree, vec![second]);
        state.branches.insert("main".to_owned(), merged);
        state.pulls[0]["state"] = json!("closed");
    }
    assert_eq!(connect(&github, &wanted).unwrap().0, []);
    wanted.files[0].block = "name: newest\n".to_owned();
    let (_, page) = connect(&github, &wanted).unwrap();
    assert_eq!(page.unwrap(), github.state().pulls[1]["html_url"]);
    let state = github.state();
    assert_eq!(state.files(BRANCH).unwrap()[".github/workflows/lakegen.yml"], "name: newest\n--- mine\n");
    assert_eq!(state.commits[&state.branches[BRANCH]].1, [state.branches["main"].clone()]);
}

#[test]
fn a_run_that_dies_anywhere_is_finished_by_the_next() {
    let whole = GitHub::start();
    connect(&whole, &wanted()).unwrap();
    let writes = whole.writes();
    let github = GitHub::start();
    let session = Session::new(&github);
    for (at, heard) in (0..writes.len()).flat_map(|at| [(at, false), (at, true)]) {
        *github.state() = Remembered { dies_at: Some((at, heard)), ..Remembered::new() };
        session.connect(&wanted()).unwrap_err();
        github.state().dies_at = None;
        session.connect(&wanted()).unwrap();
        assert_eq!(session.connect(&wanted()).unwrap().0, [], "after {}", writes[at]);
        let (one, other) = (github.state(), whole.state());
        assert_eq!(one.files(BRANCH), other.files(BRANCH), "{}", writes[at]);
        assert_eq!(one.places.keys().collect::<Vec<_>>(), other.places.keys().collect::<Vec<_>>());
        assert_eq!((one.pulls.len(), one.rulesets.len()), (1, 1), "{}", writes[at]);
    }
}

/// The sentence and the help of a run that is refused.
fn refused(github: &GitHub, wanted: &Wanted) -> String {
    let error = connect(github, wanted).unwrap_err();
    assert_eq!(github.writes(), [""; 0], "{error}");
    format!("{error}\n  = help: {}\n", error.help().unwrap_or_default())
}

#[test]
fn what_cannot_be_connected_is_said_before_anything_is_changed() {
    let mut said = String::new();
    let mut note = |title: &str, github: &GitHub, wanted: &Wanted| {
        said.push_str(&format!("{title}\n{}\n", refused(github, wanted)))
    };
    let github = GitHub::start();
    github.state().repository["archived"] = json!(true);
    note("an archived repository", &github, &wanted());
    let github = GitHub::start();
    github.state().repository["full_name"] = json!("acme/data-lake");
    note("a renamed repository", &github, &wanted());
    github.state().moved = true;
    note("a renamed repository, whose old name leads to it", &github, &wanted());
    let github = GitHub::start();
    github.state().repository["permissions"]["admin"] = json!(false);
    note("a repository of others", &github, &wanted());
    let github = GitHub::start();
    github.state().headers = vec![("x-oauth-scopes", "repo, gist".to_owned())];
    note("a token without the scope for workflows", &github, &wanted());
    github.state().headers = vec![("x-oauth-scopes", String::new())];
    note("a token without scopes", &github, &wanted());
    let github = GitHub::start();
    github.state().branches.clear();
    note("an empty repository", &github, &wanted());
    let github = GitHub::start();
    note("no such branch", &github, &Wanted { branch: "trunk".to_owned(), ..wanted() });
    let mut other = wanted();
    other.environments[0].reviewers = vec![Reviewer::User("nobody".to_owned())];
    note("no such person", &github, &other);
    other.environments[0].reviewers = vec![Reviewer::Team("none".to_owned())];
    note("no such team", &github, &other);
    {
        let mut state = github.state();
        let tree =
            state.keep_tree(BTreeMap::from([(".github/workflows/lakegen.yml".to_owned(), "by hand\n".to_owned())]));
        let commit = state.keep_commit(tree, Vec::new());
        state.branches.insert("main".to_owned(), commit);
    }
    note("a workflow that was changed by hand", &github, &wanted());
    let github = GitHub::start();
    github.fails(
        Method::GET,
        "/environments",
        403,
        &[("x-accepted-github-permissions", "actions=read")],
        "Resource not accessible by personal access token",
    );
    note("a fine-grained token", &github, &wanted());
    assert_golden("connect_refused", &said);
}

#[test]
fn what_githubs_plan_does_not_have_is_said() {
    let github = GitHub::start();
    let plan = "Upgrade to GitHub Pro or make this repository public to enable this feature.";
    github.fails(Method::POST, "/rulesets", 403, &[], plan);
    let error = connect(&github, &wanted()).unwrap_err();
    assert_eq!(error.to_string(), format!("the token from GITHUB_TOKEN may not set the rules for `main`: {plan}"));
    assert_eq!(
        error.help().unwrap(),
        "GitHub has this for public repositories, and for private ones of plans that are paid"
    );
    let billing = "Failed to create the environment protection rule. Please ensure the billing plan supports the required reviewers protection rule.";
    let github = GitHub::start();
    github.fails(Method::PUT, "/environments/dev", 422, &[], billing);
    let error = connect(&github, &wanted()).unwrap_err();
    assert_eq!(
        error.help().unwrap(),
        "GitHub has this for public repositories, and for private ones of plans that are paid"
    );
}

#[test]
fn every_request_is_as_github_describes_its_api() {
    let prism = Prism::start();
    let contract = || {
        let github = GitHub::start();
        github.state().contract = Some(Contract(prism.url.clone()));
        github
    };
    let kept = |github: &GitHub| {
        let state = github.state();
        assert!(state.broken.is_empty(), "{}", state.broken.join("\n\n"));
        state.asked.len()
    };
    let github = contract();
    connect(&github, &wanted()).unwrap();
    {
        let mut state = github.state();
        state.places.get_mut("eu west").unwrap().branches[1].1 = "*".to_owned();
        state.places.get_mut("").unwrap().variables.insert("LAKEGEN_CONNECTED".to_owned(), "false".to_owned());
        state.rulesets[0]["enforcement"] = json!("disabled");
        state.pulls[0]["base"]["ref"] = json!("develop");
    }
    let mut other = wanted();
    other.files[0].block = "name: newer\n".to_owned();
    connect(&github, &other).unwrap();
    github.state().pulls.clear();
    github.state().places.get_mut("dev").unwrap().tags.push((4_000, "v*".to_owned()));
    connect(&github, &wanted()).unwrap();
    assert!(kept(&github) > 80);

    // Comments, by a GitHub App.
    let github = contract();
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("app.pem");
    let made = Command::new("openssl").args(["genrsa", "-traditional", "-out"]).arg(&key).arg("2048").output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let credentials = Credentials::find("github.com", Some((99, &key))).unwrap();
        let repository = wanted().repository;
        let client = Client::open(&github.url, &credentials, &repository).await.unwrap();
        for markdown in ["### plan", "### another plan"] {
            let comment = Comment { repository: &repository, pull: 7, name: "plan", markdown, job: None };
            comment.post(&client).await.unwrap();
        }
    });
    assert!(kept(&github) > 6);

    // The judge is awake.
    let github = contract();
    let status = runtime.block_on(async {
        let url = format!("{}/repos/acme/lake/actions/variables", github.url);
        reqwest::Client::new().post(url).json(&json!({ "name": "A", "value": "b", "extra": 1 })).send().await.unwrap();
        let url = format!("{}/repos/acme/lake/git/ref/heads/main", github.url);
        reqwest::Client::new().put(url).json(&json!({})).send().await.unwrap().status()
    });
    assert_eq!((status.as_u16(), github.state().broken.len()), (404, 1), "{:?}", github.state().broken);
}
