//! The workflows that `lakegen github generate` writes, and the access that they have to AWS.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/node.rs"]
mod node;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lakegen::assembly::{self, Assets};
use lakegen::cfn::Format;
use lakegen::lower::{access, lower};
use lakegen::placement::{Lock, Placement};
use lakegen::project::Project;
use lakegen::workflow::model::{Does, Workflow};
use lakegen::workflow::{self, Layout, WORKFLOW};
use node::Node;
use support::{judges, must_succeed, root, workflow_judge};

const LAKES: [&str; 2] = ["one", "three"];

fn lake(path: &Path) -> lakegen::lake::Lake {
    let (lake, diagnostics) = Project::open(Some(path), root()).unwrap().check();
    lake.unwrap_or_else(|| panic!("{}", diagnostics.render(false)))
}

fn blueprint(name: &str) -> PathBuf {
    root().join("tests/workflow").join(format!("{name}.yaml"))
}

/// The workflows of the lakes of this test, and of the reference lake.
fn workflows() -> Vec<(String, Workflow)> {
    let lakes = LAKES.iter().map(|name| ((*name).to_owned(), blueprint(name)));
    let all = lakes.chain([("instacart".to_owned(), root().join("blueprints/instacart.yaml"))]);
    all.map(|(name, path)| {
        let lake = lake(&path);
        let layout = match &*name {
            "three" => Layout { folder: Some("lakes/three".into()), blueprint: Some("blueprints/three.yaml".into()) },
            _ => Layout::default(),
        };
        (name, workflow::workflow(&lake, lake.github.as_ref().unwrap(), &layout))
    })
    .collect()
}

#[test]
fn workflows_are_as_they_were() {
    insta::with_settings!({snapshot_path => "../snapshots/workflow", prepend_module_to_snapshot => false, omit_expression => true}, {
        for (name, workflow) in workflows() {
            insta::assert_snapshot!(format!("{name}.yml"), workflow.render());
        }
    });
}

#[test]
fn no_judge_of_workflows_finds_anything() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join(".github/workflows");
    fs::create_dir_all(&directory).unwrap();
    for (name, workflow) in workflows() {
        fs::write(directory.join(format!("{name}.yml")), workflow.render()).unwrap();
    }
    for own in fs::read_dir(root().join(".github/workflows")).unwrap() {
        let own = own.unwrap();
        fs::copy(own.path(), directory.join(format!("own-{}", own.file_name().display()))).unwrap();
    }
    let files: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 3);
    let known = folder.path().join("known.yml");
    for file in &files {
        // It knows no permission to write attestations, which the release has; the schema below does.
        let text = fs::read_to_string(file).unwrap();
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("attestations: write"));
        fs::write(&known, lines.collect::<Vec<_>>().join("\n")).unwrap();
        must_succeed(Node::install().script("@action-validator/cli/cli.mjs").arg(&known));
    }
    must_succeed(actionlint(folder.path()).args(&files));
    must_succeed(
        workflow_judge("zizmor").args(["--offline", "--no-progress", "--persona", "auditor"]).arg(folder.path()),
    );
    let schema = ["--builtin-schema", "vendor.github-workflows"];
    must_succeed(workflow_judge("check-jsonschema").args(schema).args(&files));
}

/// `folder` is for the labels of runners that the lakes have of their own.
fn actionlint(folder: &Path) -> Command {
    let labels = folder.join("actionlint.yaml");
    fs::write(&labels, "self-hosted-runner: { labels: [our-runners] }\n").unwrap();
    let shellcheck = workflow_judge("shellcheck").get_program().to_owned();
    let mut command = workflow_judge("actionlint");
    command.args(["-no-color", "-pyflakes=", "-shellcheck"]).arg(shellcheck).arg("-config-file").arg(labels);
    command
}

/// What each judge is there for, broken; a judge that says nothing to it judges nothing.
#[test]
fn judges_of_workflows_find_what_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(".github/workflows/broken.yml");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let (_, workflow) = workflows().remove(0);
    let broken = |from: &str, to: &str| {
        let text = workflow.render();
        assert!(text.contains(from), "{from}");
        fs::write(&file, text.replace(from, to)).unwrap();
    };
    let finds = |command: &mut Command, what: &str| {
        let output = command.output().unwrap();
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(!output.status.success() && said.contains(what), "{said}");
    };
    broken("needs:\n      - check", "needs:\n      - chekc");
    finds(actionlint(folder.path()).arg(&file), "chekc");
    broken("$RUNNER_TEMP/plans/$PLACE", "$RUNNER_TEMP/plans/\"$PLACE");
    finds(actionlint(folder.path()).arg(&file), "shellcheck");
    broken("runs-on:", "run-on:");
    finds(Node::install().script("@action-validator/cli/cli.mjs").arg(&file), "run-on");
    finds(
        workflow_judge("check-jsonschema").args(["--builtin-schema", "vendor.github-workflows"]).arg(&file),
        "run-on",
    );
    broken("persist-credentials: false", "persist-credentials: true");
    finds(workflow_judge("zizmor").args(["--offline", "--persona", "auditor"]).arg(folder.path()), "artipacked");
}

#[test]
fn scripts_are_clean_and_hold_no_expression() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = std::collections::BTreeSet::new();
    for (_, workflow) in workflows() {
        for (job, step, script) in workflow.scripts() {
            assert!(!script.contains("${{"), "{}, {}: an expression could become part of a command", job.id, step.name);
            let file = folder.path().join(format!("{}.sh", step.name.replace(' ', "-")));
            // As GitHub runs them.
            fs::write(&file, format!("set -eo pipefail\n{script}")).unwrap();
            files.insert(file);
        }
    }
    must_succeed(workflow_judge("shellcheck").args(["--shell", "bash"]).args(files));
}

#[test]
fn only_jobs_of_the_repository_itself_get_credentials_and_none_has_more_than_it_needs() {
    for (name, workflow) in workflows() {
        for job in &workflow.jobs {
            let signs_in = job.steps.iter().any(
                |step| matches!(&step.does, Does::Uses(action, _) if action.repository.starts_with("aws-actions/")),
            );
            let may = |scope: &str| {
                job.permissions.iter().any(|permission| permission.scope == scope && permission.access == "write")
            };
            assert_eq!(signs_in, may("id-token"), "{name}: {}", job.id);
            let condition = job.condition.as_deref().unwrap_or_default();
            let own = "github.event.pull_request.head.repo.full_name == github.repository";
            if condition.contains("'pull_request'") && (may("id-token") || may("pull-requests")) {
                assert!(condition.contains(own), "{name}: {}: a fork could have it", job.id);
            }
            if job.id.starts_with("deploy-") || job.id.starts_with("destroy-") {
                assert!(job.environment.is_some() && job.concurrency.is_some(), "{name}: {}", job.id);
            }
            assert!(
                job.permissions.iter().all(|permission| permission.access == "read"
                    || ["id-token", "pull-requests"].contains(&permission.scope))
            );
        }
    }
}

#[test]
fn what_is_protected_is_never_destroyed_and_what_is_not_deployed_is_planned() {
    let (_, workflow) = workflows().into_iter().find(|(name, _)| name == "three").unwrap();
    let ids: Vec<_> = workflow.jobs.iter().map(|job| job.id.as_str()).collect();
    assert!(ids.contains(&"destroy-dev") && !ids.contains(&"destroy-prod"), "{ids:?}");
    assert!(ids.contains(&"plan-test") && !ids.contains(&"deploy-test"), "{ids:?}");
    let prod = workflow.jobs.iter().find(|job| job.id == "deploy-prod").unwrap();
    assert_eq!(prod.needs, ["deploy-dev"]);
    assert_eq!(prod.environment.as_deref(), Some("prod"));
}

// ── the command ──

/// A project with the lake of one environment, in a repository of its own.
fn project(folder: &Path) {
    fs::create_dir_all(folder.join(".git")).unwrap();
    fs::create_dir_all(folder.join("blueprints")).unwrap();
    fs::copy(blueprint("one"), folder.join("blueprints/one.yaml")).unwrap();
}

fn lakegen(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lakegen"));
    command.current_dir(folder).env_remove("LAKEGEN_BLUEPRINT").args(args).output().unwrap()
}

fn generate(folder: &Path, args: &[&str]) -> Output {
    lakegen(folder, &[&["github", "generate"], args].concat())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn files_are_written_once_checked_and_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    let missing = generate(folder.path(), &["--check"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stdout).contains("+++ b/.github/workflows/lakegen.yml"), "{}", text(&missing.stdout));
    assert!(!folder.path().join(".github").exists(), "a check writes nothing");

    let written = generate(folder.path(), &[]);
    assert!(written.status.success(), "{}", text(&written.stderr));
    assert_eq!(text(&written.stdout), "wrote .github/workflows/lakegen.yml\nwrote .github/lakegen/requirements.txt\n");
    let again = generate(folder.path(), &[]);
    assert_eq!(text(&again.stdout), "kept .github/workflows/lakegen.yml\nkept .github/lakegen/requirements.txt\n");
    assert!(generate(folder.path(), &["--check"]).status.success());

    let path = folder.path().join("blueprints/one.yaml");
    let changed = fs::read_to_string(&path).unwrap().replace("eu-west-1", "eu-west-3");
    fs::write(&path, changed).unwrap();
    let stale = generate(folder.path(), &["--check"]);
    assert_eq!(stale.status.code(), Some(2));
    assert!(text(&stale.stdout).contains("-          aws-region: eu-west-1\n+          aws-region: eu-west-3\n"));
    assert!(text(&stale.stderr).contains("`lakegen github generate` brings it up to date"), "{}", text(&stale.stderr));
    assert!(generate(folder.path(), &[]).status.success());
    assert!(generate(folder.path(), &["--check"]).status.success());
}

#[test]
fn work_of_others_is_kept_or_the_command_refuses() {
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    assert!(generate(folder.path(), &[]).status.success());
    let path = folder.path().join(WORKFLOW);
    let written = fs::read_to_string(&path).unwrap();
    let job = "  ours:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: echo ours\n";

    fs::write(&path, format!("# ours\n{written}{job}")).unwrap();
    assert!(generate(folder.path(), &["--check"]).status.success(), "what is outside of the block is its owner's");

    let edited = written.replace("timeout-minutes: 30", "timeout-minutes: 300");
    assert_ne!(edited, written);
    fs::write(&path, &edited).unwrap();
    let refused = generate(folder.path(), &[]);
    assert_eq!(refused.status.code(), Some(5));
    let said = text(&refused.stderr);
    assert!(
        said.contains("was changed by hand") && said.contains("-    timeout-minutes: 300\n+    timeout-minutes: 30\n"),
        "{said}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), edited);
    assert!(generate(folder.path(), &["--force"]).status.success());
    assert_eq!(fs::read_to_string(&path).unwrap(), written);

    fs::write(&path, "name: ours\non: push\n").unwrap();
    let refused = generate(folder.path(), &[]);
    assert_eq!(refused.status.code(), Some(5));
    assert!(text(&refused.stderr).contains("lakegen has not written it"), "{}", text(&refused.stderr));
}

#[test]
fn a_second_lake_in_a_repository_is_refused_and_a_renamed_one_has_a_way_on() {
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    assert!(generate(folder.path(), &[]).status.success());
    let written = fs::read_to_string(folder.path().join(WORKFLOW)).unwrap();
    let second = folder.path().join("lakes/bikes");
    fs::create_dir_all(second.join("blueprints")).unwrap();
    let bikes = fs::read_to_string(blueprint("one")).unwrap().replacen("name: shop", "name: bikes", 1);
    fs::write(second.join("blueprints/bikes.yaml"), bikes).unwrap();
    for args in [&[][..], &["--check"]] {
        let refused = generate(&second, args);
        assert_eq!(refused.status.code(), Some(5));
        let said = text(&refused.stderr);
        assert!(said.contains("deploys the lake `shop`, and this is `bikes`"), "{said}");
        assert!(said.contains("give this lake a repository of its own"), "{said}");
        assert_eq!(fs::read_to_string(folder.path().join(WORKFLOW)).unwrap(), written);
    }
    assert!(generate(&second, &["--force"]).status.success());
    assert!(generate(&second, &["--check"]).status.success());
    assert_eq!(generate(folder.path(), &["--check"]).status.code(), Some(5), "now the first one is the other");
}

#[test]
fn a_lake_that_says_nothing_of_github_is_told_what_to_write() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("blueprints")).unwrap();
    let text_of = "name: shop\nenvironments: { dev: { region: eu-west-1 } }\nzones: { raw: }\n";
    fs::write(folder.path().join("blueprints/lake.yaml"), text_of).unwrap();
    for args in [&["github", "generate"][..], &["synth", "--stack", "access"]] {
        let refused = lakegen(folder.path(), args);
        assert_eq!(refused.status.code(), Some(2));
        assert!(text(&refused.stderr).contains("add `github: { repository: owner/name"), "{}", text(&refused.stderr));
    }
}

#[test]
fn a_project_in_a_folder_of_the_repository_runs_there() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join(".git")).unwrap();
    let inside = folder.path().join("lakes/shop");
    fs::create_dir_all(inside.join("blueprints")).unwrap();
    fs::copy(blueprint("one"), inside.join("blueprints/one.yaml")).unwrap();
    assert!(generate(&inside, &[]).status.success());
    let written = fs::read_to_string(folder.path().join(WORKFLOW)).unwrap();
    assert!(written.contains("    working-directory: lakes/shop\n"), "{written}");
}

#[test]
fn what_would_not_stay_what_it_is_on_github_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join(".git")).unwrap();
    let odd = folder.path().join("x ${{ github.token }}");
    fs::create_dir_all(odd.join("blueprints")).unwrap();
    fs::copy(blueprint("one"), odd.join("blueprints/one.yaml")).unwrap();
    let refused = generate(&odd, &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("for an expression"), "{}", text(&refused.stderr));
    assert!(!folder.path().join(".github").exists());
}

#[cfg(unix)]
#[test]
fn nothing_is_written_through_a_link() {
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    let file = folder.path().join(WORKFLOW);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path().join("workflow.yml"), &file).unwrap();
    let refused = generate(folder.path(), &["--force"]);
    assert_eq!(refused.status.code(), Some(3));
    assert!(text(&refused.stderr).contains("is a link"), "{}", text(&refused.stderr));
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn this_repository_has_the_workflows_of_its_own_blueprint() {
    let checked = generate(root(), &["--check"]);
    assert!(checked.status.success(), "{}{}", text(&checked.stdout), text(&checked.stderr));
}

// ── the access to AWS ──

/// The templates of the `access` stack and of the lake itself, of the reference lake's protected environment.
fn templates(folder: &Path) -> (PathBuf, PathBuf) {
    let mut lake = lake(&root().join("blueprints/instacart.yaml"));
    if let Some(github) = &mut lake.github {
        github.ids = Some((583_231, 1_296_269));
    }
    let (copy, environment) = lake.copy("prod").unwrap();
    let github = lake.github.as_ref().unwrap();
    let stack = access(copy, environment, github, github.gate("prod").unwrap(), Format::Json);
    assembly::write(&stack, &folder.join("access")).unwrap();
    let assets = Assets::collect(copy).unwrap();
    let whole = lower(copy, environment, &assets, &Placement::of(copy, &Lock::default()), Format::Json);
    assembly::write(&whole, &folder.join("lake")).unwrap();
    (folder.join("access/instacart-prod-access.json"), folder.join("lake"))
}

/// The `access` stack of an environment, as JSON.
fn access_stack(lake: &lakegen::lake::Lake, environment: &str) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    let (copy, environment) = lake.copy(environment).unwrap();
    let github = lake.github.as_ref().unwrap();
    let stack = access(copy, environment, github, github.gate(&environment.name).unwrap(), Format::Json);
    assembly::write(&stack, folder.path()).unwrap();
    let file = folder.path().join(stack.stacks[0].file());
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

#[test]
fn the_access_can_be_read_before_a_person_deploys_it() {
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    for stack in [&[][..], &["--stack", "access"]] {
        let written = lakegen(folder.path(), &[&["synth", "--format", "json"], stack].concat());
        assert!(written.status.success(), "{}", text(&written.stderr));
    }
    assert!(folder.path().join("lakegen-out/dev/shop-dev-storage.json").is_file(), "the lake is as it was");
    let read = fs::read_to_string(folder.path().join("lakegen-out/dev-access/shop-dev-access.json")).unwrap();
    let read: serde_json::Value = serde_json::from_str(&read).unwrap();
    assert_eq!(read, access_stack(&lake(&blueprint("one")), "dev"));
}

#[test]
fn an_account_has_one_provider_whoever_made_it() {
    let mut lake = lake(&blueprint("three"));
    let providers = |stack: &serde_json::Value| {
        let resources = stack["Resources"].as_object().unwrap().values();
        resources.filter(|resource| resource["Type"] == "AWS::IAM::OIDCProvider").cloned().collect::<Vec<_>>()
    };
    let trusted = |stack: &serde_json::Value| {
        stack["Resources"]["DeployerRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0].clone()
    };
    for (api, issuer) in [
        ("https://api.github.com", "token.actions.githubusercontent.com"),
        ("https://api.acme.ghe.com", "token.actions.acme.ghe.com"),
        ("https://github.example.com/api/v3", "github.example.com/_services/token"),
    ] {
        lake.github.as_mut().unwrap().api_url = api.to_owned();
        let made = access_stack(&lake, "dev");
        let [provider] = &providers(&made)[..] else { panic!("{made}") };
        assert_eq!(provider["DeletionPolicy"], "RetainExceptOnCreate", "other repositories' roles may trust it");
        assert_eq!(provider["Properties"]["Url"], format!("https://{issuer}"));
        assert_eq!(trusted(&made)["Principal"]["Federated"]["Fn::GetAtt"][0], "GithubProvider");

        let adopted = access_stack(&lake, "prod");
        assert!(providers(&adopted).is_empty(), "{adopted}");
        let trusted = trusted(&adopted);
        let arn = trusted["Principal"]["Federated"]["Fn::Sub"].as_str().unwrap();
        assert!(arn.ends_with(&format!(":oidc-provider/{issuer}")), "{arn}");
        let subjects = &trusted["Condition"]["StringEquals"][format!("{issuer}:sub")];
        assert_eq!(
            *subjects,
            serde_json::json!([
                "repo:our-company/data-lake:environment:prod",
                "repo:our-company@583231/data-lake@1296269:environment:prod"
            ])
        );
    }
}

fn evaluate(what: &str) -> Command {
    let mut command = Command::new(judges());
    command.arg(root().join("tests/workflow/evaluate.py")).arg(what);
    command
}

#[test]
fn roles_are_taken_on_by_whom_they_are_for_and_may_do_what_they_are_for() {
    let folder = tempfile::tempdir().unwrap();
    let (template, _) = templates(folder.path());
    must_succeed(evaluate("table").arg(template).arg(root().join("tests/workflow/questions.json")));
}

/// IAM keeps `_` in names, CloudFormation does not.
#[test]
fn roles_of_names_with_underscores_reach_their_stacks_and_not_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let blueprint = folder.path().join("lake.yaml");
    let one = fs::read_to_string(self::blueprint("one")).unwrap();
    let named = one.replacen("name: shop", "name: my_shop", 1).replacen("dev:", "eu_dev:", 1);
    fs::write(&blueprint, named).unwrap();
    let stack = access_stack(&lake(&blueprint), "eu_dev");
    let template = folder.path().join("access.json");
    fs::write(&template, stack.to_string()).unwrap();
    must_succeed(evaluate("table").arg(template).arg(root().join("tests/workflow/underscores.json")));
}

#[test]
fn the_boundary_lets_every_step_do_what_its_role_says() {
    let folder = tempfile::tempdir().unwrap();
    let (template, lake) = templates(folder.path());
    must_succeed(evaluate("within").arg(template).arg(lake));
}
