//! The scripts of the generated workflow, run as GitHub runs them: by the real binary, in the order of the jobs, against an emulated
//! AWS that holds every call against the rights of the role that the job signs in with.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/github.rs"]
mod fake;
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fake::{GitHub, TOKEN};
use lakegen::project::Project;
use lakegen::workflow::model::{Does, Job, Workflow};
use lakegen::workflow::yaml::Node;
use lakegen::workflow::{self, Layout};
use serde_json::json;
use sha2::{Digest, Sha256};
use support::emulator::Emulator;
use support::root;

const REGION: &str = "eu-west-1";

/// A machine of GitHub's: a repository, checked out, and the workflow that runs in it.
struct Machine<'a> {
    emulator: &'a Emulator,
    workflow: Workflow,
    folder: PathBuf,
    /// What GitHub tells every job.
    told: Vec<(&'static str, String)>,
}

impl<'a> Machine<'a> {
    fn new(emulator: &'a Emulator) -> Self {
        let folder = emulator.folder().join("repository");
        fs::create_dir_all(folder.join("blueprints")).unwrap();
        fs::create_dir_all(emulator.folder().join("temp")).unwrap();
        let path = folder.join("blueprints/one.yaml");
        fs::copy(root().join("tests/workflow/one.yaml"), &path).unwrap();
        let lake = Project::open(Some(&path), &folder).unwrap().check().0.unwrap();
        let workflow = workflow::workflow(&lake, lake.github.as_ref().unwrap(), &Layout::default());
        Self { emulator, workflow, folder, told: Vec::new() }
    }

    fn temp(&self) -> PathBuf {
        self.emulator.folder().join("temp")
    }

    fn command(&self, program: &str) -> Command {
        let python = self.emulator.python(REGION).get_program().to_owned();
        let programs = [Path::new(env!("CARGO_BIN_EXE_lakegen")), Path::new(&python)].map(|one| one.parent().unwrap());
        // What a test puts into this folder comes before everything else.
        let first = [self.temp().join("bin")].into_iter().chain(programs.map(Path::to_owned));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(first.chain(std::env::split_paths(&path))).unwrap();
        let mut command = Command::new(program);
        command.current_dir(&self.folder).envs(self.emulator.environment(REGION)).env("PATH", path);
        command.env("NO_COLOR", "1").env_remove("LAKEGEN_BLUEPRINT").env_remove("GITHUB_ACTIONS");
        command
    }

    fn git(&self, args: &[&str]) {
        let who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.com", "-c", "commit.gpgsign=false"];
        let output = self.command("git").args(who).args(args).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn lakegen(&self, args: &[&str]) {
        let output = self.command("lakegen").args(args).output().unwrap();
        assert!(output.status.success(), "lakegen {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn job(&self, id: &str) -> &Job {
        self.workflow.jobs.iter().find(|job| job.id == id).unwrap_or_else(|| panic!("no job {id}"))
    }

    /// What a value of the workflow is while a job runs.
    fn filled_in(value: &str, inputs: &[(&str, &str)]) -> String {
        // An account that the blueprint does not name is a variable of the repository.
        let value = value.replace("${{ vars.LAKEGEN_DEV_ACCOUNT }}", support::emulator::ACCOUNT);
        let value = value.replace("${{ github.token }}", TOKEN);
        inputs.iter().fold(value, |value, (input, given)| value.replace(&format!("${{{{ inputs.{input} }}}}"), given))
    }

    /// The role that a job signs in with.
    fn role(&self, job: &str) -> Option<String> {
        let with = self.job(job).steps.iter().filter_map(|step| match &step.does {
            Does::Uses(_, with) => Some(with),
            Does::Runs(..) => None,
        });
        let role = with.flatten().find(|(key, _)| *key == "role-to-assume");
        role.map(|(_, role)| match role {
            Node::Text(role) => Self::filled_in(role, &[]),
            other => panic!("{other:?} is no role"),
        })
    }

    /// What GitHub vouches for in the token of a job.
    fn subject(&self, job: &str) -> String {
        let Job { environment, condition, .. } = self.job(job);
        let condition = condition.as_deref().unwrap_or_default();
        let end = match environment {
            Some(environment) => format!("environment:{environment}"),
            None if condition.contains("'pull_request'") => "pull_request".to_owned(),
            None => "ref:refs/heads/main".to_owned(),
        };
        format!("repo:our-company/shop:{end}")
    }

    /// Exchanges a token for credentials of a role, if its trust policy lets it.
    fn sign_in(&self, role: &str, subject: &str) -> Option<Vec<(&'static str, String)>> {
        let claims =
            json!({ "iss": "https://token.actions.githubusercontent.com", "aud": "sts.amazonaws.com", "sub": subject });
        let token = URL_SAFE_NO_PAD.encode(claims.to_string());
        let script = format!(
            "try:\n    keys = boto3.client('sts').assume_role_with_web_identity(RoleArn={role:?}, RoleSessionName='lakegen', \
             WebIdentityToken='e30.{token}.e30')['Credentials']\n\
             except Exception as error:\n    keys = print(error)\n\
             if keys: print(keys['AccessKeyId'], keys['SecretAccessKey'], keys['SessionToken'])"
        );
        let answer = self.emulator.boto3(REGION, &script);
        if answer.contains("Not authorized to perform sts:AssumeRoleWithWebIdentity") {
            return None;
        }
        let names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
        let keys: Vec<_> = names.into_iter().zip(answer.split(' ').map(str::to_owned)).collect();
        assert_eq!(keys.len(), 3, "{answer}");
        Some(keys)
    }

    /// The credentials that a job has after it has signed in to AWS; none if it does not.
    fn credentials(&self, job: &str) -> Vec<(&'static str, String)> {
        let Some(role) = self.role(job) else { return Vec::new() };
        let subject = self.subject(job);
        self.sign_in(&role, &subject).unwrap_or_else(|| panic!("{subject} may not take on {role}"))
    }

    /// Runs the script of a step of a job; its exit code, and what it has written.
    fn step(&self, job: &str, step: &str, inputs: &[(&str, &str)]) -> (Option<i32>, String) {
        let found = self.job(job).steps.iter().find(|one| one.name == step);
        let found = found.unwrap_or_else(|| panic!("no step {step} in {job}"));
        let Does::Runs(script, env) = &found.does else { panic!("{step} runs no script") };
        let file = self.temp().join("script.sh");
        fs::write(&file, script).unwrap();
        let mut command = self.command("bash");
        command.args(["--noprofile", "--norc", "-eo", "pipefail"]).arg(&file);
        command.envs(env.iter().map(|(name, value)| (*name, Self::filled_in(value, inputs))));
        command.envs(self.credentials(job));
        command.env("RUNNER_TEMP", self.temp()).env("GITHUB_STEP_SUMMARY", self.temp().join("summary.md"));
        command.env("GITHUB_WORKSPACE", &self.folder).env("GITHUB_PATH", self.temp().join("path"));
        command.envs(self.told.iter().map(|(name, value)| (*name, value)));
        let output = command.output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), format!("{out}{err}"))
    }

    /// What roles have asked AWS for, or have been refused.
    fn trail(&self, allowed: bool) -> Vec<String> {
        let trail = fs::read_to_string(self.emulator.folder().join("trail")).unwrap_or_default();
        let lines = trail.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let lines = lines.filter(|line| line["allowed"] == allowed);
        lines.map(|line| format!("{} {} {}", line["role"], line["action"], line["resource"]).replace('"', "")).collect()
    }

    fn done(&self, job: &str, step: &str) -> String {
        let (code, said) = self.step(job, step, &[]);
        assert_eq!(code, Some(0), "{job}, {step}: {said}\n{}", self.emulator.log());
        said
    }

    fn report(&self, name: &str) -> String {
        fs::read_to_string(self.temp().join("plans").join(name)).unwrap()
    }
}

#[test]
fn a_lake_is_checked_planned_deployed_looked_after_and_destroyed() {
    let emulator = Emulator::start(&[("AUTH", "true")]);
    let machine = Machine::new(&emulator);
    let blueprint = machine.folder.join("blueprints/one.yaml");
    machine.git(&["init", "--quiet", "--initial-branch", "main"]);
    machine.lakegen(&["github", "generate"]);
    machine.git(&["add", "--all"]);
    machine.git(&["commit", "--quiet", "--message", "first"]);
    machine.git(&["checkout", "--quiet", "-b", "change"]);
    let more = fs::read_to_string(&blueprint).unwrap().replace("zones: { raw: }", "zones: { raw: , more: }");
    fs::write(&blueprint, more).unwrap();
    machine.git(&["commit", "--quiet", "--all", "--message", "second"]);
    // What GitHub checks out for a pull request.
    machine.git(&["checkout", "--quiet", "main"]);
    machine.git(&["merge", "--quiet", "--no-ff", "--message", "both", "change"]);

    machine.done("check", "Check the blueprint and these workflows");
    machine.done("check", "Write the templates");
    machine.done("check", "Lint the templates");
    machine.done("check", "Compare the templates");
    let differences = machine.report("0-templates.md");
    assert!(
        differences.starts_with("<details><summary>Templates:") && differences.contains("ZoneBucketMore"),
        "{differences}"
    );

    // Nothing is begun that could not be ended.
    let deploy = machine.command("lakegen").args(["deploy", "--env", "dev", "--yes"]).output().unwrap();
    let said = String::from_utf8_lossy(&deploy.stderr);
    assert_eq!(deploy.status.code(), Some(3), "{said}");
    assert!(said.contains("`lakegen deploy --env dev --stack access`"), "{said}");
    assert_eq!(emulator.boto3(REGION, "print(boto3.client('cloudformation').describe_stacks()['Stacks'])"), "[]");
    machine.lakegen(&["plan", "--env", "dev"]);

    // The one step that a person does.
    machine.lakegen(&["deploy", "--env", "dev", "--stack", "access", "--yes"]);
    let plan = machine.done("plan-dev", "Plan");
    assert!(machine.report("1-dev.md").contains("shop-dev-storage"), "{plan}");
    // Until the first deploy there is nothing to be amiss.
    let said = machine.done("drift-dev", "Look for what was changed by hand");
    assert!(said.contains("shop in dev") && said.contains("nothing is deployed"), "{said}");
    assert!(fs::read_to_string(machine.temp().join("summary.md")).unwrap().contains("    nothing is deployed"));
    machine.done("deploy-dev", "Deploy");
    let passed = "shop-dev-access-deploy iam:PassRole arn:aws:iam::111122223333:role/shop-dev-access-cloudformation";
    assert!(machine.trail(true).iter().any(|line| line == passed), "{:#?}", machine.trail(true));
    machine.done("plan-dev", "Plan");
    assert!(!machine.report("1-dev.md").contains("shop-dev-access"), "the access is no part of the lake");
    machine.done("drift-dev", "Look for what was changed by hand");

    let (code, said) = machine.step("destroy-dev", "Destroy", &[("confirmation", "$(touch /tmp/x); shop-prod")]);
    assert_eq!(code, Some(5), "{said}");
    let (code, said) = machine.step("destroy-dev", "Destroy", &[("confirmation", "shop-dev")]);
    assert_eq!(code, Some(0), "{said}\n{}", emulator.log());
    let left = "print([s['StackName'] for s in boto3.client('cloudformation').describe_stacks()['Stacks']])";
    assert_eq!(emulator.boto3(REGION, left), "['shop-dev-access']");
    assert_eq!(machine.trail(false), [""; 0], "no job was refused anything");
}

/// `curl` that brings this file, whatever it is asked for, into the one behind `--output`.
fn brings(machine: &Machine, file: &Path) {
    let bin = machine.temp().join("bin");
    fs::create_dir_all(&bin).unwrap();
    let script = format!(
        "#!/bin/sh\nwhile [ $# -gt 1 ]; do [ \"$1\" = --output ] && to=$2; shift; done\ncp '{}' \"$to\"\n",
        file.display()
    );
    fs::write(bin.join("curl"), script).unwrap();
    fs::set_permissions(bin.join("curl"), PermissionsExt::from_mode(0o755)).unwrap();
}

/// The archive is laid out as `.github/workflows/release.yml` does it.
#[test]
fn a_release_is_installed_only_if_its_checksum_is_as_it_is_written() {
    let emulator = Emulator::start(&[]);
    let mut machine = Machine::new(&emulator);
    let (folder, archive) = (machine.temp().join("lakegen-x"), machine.temp().join("release.tar.gz"));
    fs::create_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_lakegen"), folder.join("lakegen")).unwrap();
    let packed = machine.command("tar").current_dir(machine.temp()).arg("-czf").arg(&archive).arg("lakegen-x").status();
    assert!(packed.unwrap().success());
    brings(&machine, &archive);
    let (code, said) = machine.step("check", "Install lakegen", &[]);
    assert!(code != Some(0) && said.contains("FAILED"), "{said}");
    assert!(!machine.temp().join("lakegen/lakegen").exists() && !machine.temp().join("path").exists(), "{said}");

    let sha256 = Sha256::digest(fs::read(&archive).unwrap());
    machine.told.push(("ARCHIVE_SHA256", sha256.iter().map(|byte| format!("{byte:02x}")).collect()));
    machine.told.push(("ARCHIVE_VERSION", "9.9.9".to_owned()));
    let (code, said) = machine.step("check", "Install lakegen", &[]);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(code, Some(1));
    assert_eq!(said, format!("the archive holds lakegen {version}, the blueprint says 9.9.9\n"));
    assert!(!machine.temp().join("path").exists());

    machine.told.push(("ARCHIVE_VERSION", version.to_owned()));
    machine.done("check", "Install lakegen");
    let path = fs::read_to_string(machine.temp().join("path")).unwrap();
    assert_eq!(path, format!("{}\n", machine.temp().join("lakegen").display()));
}

#[test]
fn plans_become_one_comment() {
    let emulator = Emulator::start(&[]);
    let github = GitHub::start();
    let mut machine = Machine::new(&emulator);
    let event = machine.temp().join("event.json");
    fs::write(&event, json!({ "pull_request": { "number": 7 } }).to_string()).unwrap();
    machine.told = vec![
        ("GITHUB_API_URL", github.url.clone()),
        ("GITHUB_REPOSITORY", "acme/lake".to_owned()),
        ("GITHUB_EVENT_PATH", event.display().to_string()),
    ];
    fs::create_dir_all(machine.temp().join("plans")).unwrap();
    for (name, text) in [("1-dev.md", "### dev"), ("0-templates.md", "No template changes.")] {
        fs::write(machine.temp().join("plans").join(name), text).unwrap();
    }
    for expected in ["posted", "is up to date"] {
        let said = machine.done("comment", "Comment");
        assert!(said.contains(&format!("the comment on acme/lake#7: {expected}")), "{said}");
    }
    let state = github.state();
    let [comment] = state.comments.as_slice() else { panic!("{:?}", state.comments) };
    let body = comment["body"].as_str().unwrap();
    assert!(body.find("No template changes.").unwrap() < body.find("### dev").unwrap(), "{body}");
}

/// A pull request can change the workflow itself, and so run whatever it likes with the role for plans.
#[test]
fn whoever_plans_can_deploy_nothing() {
    let emulator = Emulator::start(&[("AUTH", "true")]);
    let machine = Machine::new(&emulator);
    machine.lakegen(&["deploy", "--env", "dev", "--stack", "access", "--yes"]);
    let mut deploy = machine.command("lakegen");
    let output =
        deploy.args(["deploy", "--env", "dev", "--yes"]).envs(machine.credentials("plan-dev")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("shop-dev-access-plan") && said.contains("is not authorized to perform"), "{said}");
    let left = "print([s['StackName'] for s in boto3.client('cloudformation').describe_stacks()['Stacks']])";
    assert_eq!(emulator.boto3(REGION, left), "['shop-dev-access']");

    // Nor leave something under a name that a deploy would take for its own.
    let keys = machine.credentials("plan-dev");
    let keys: String = keys.iter().map(|(name, value)| format!(", {}={value:?}", name.to_lowercase())).collect();
    let leave = |name: &str| {
        emulator.boto3(
            REGION,
            &format!(
                "aws = boto3.client('cloudformation'{keys})\n\
                 try:\n    print(aws.create_change_set(StackName='shop-dev-storage', ChangeSetName='{name}', \
                 ChangeSetType='CREATE', Capabilities=['CAPABILITY_NAMED_IAM'], \
                 TemplateBody='{{\"Resources\": {{\"Evil\": {{\"Type\": \"AWS::SNS::Topic\"}}}}}}')['StackId'])\n\
                 except Exception as error:\n    print(error)"
            ),
        )
    };
    let refused = leave("lakegen-0123");
    assert!(refused.contains("is not authorized to perform: cloudformation:CreateChangeSet"), "{refused}");
    let made = leave("lakegen-plan-0123");
    assert!(made.starts_with("arn:aws:cloudformation:"), "{made}");
    emulator.boto3(REGION, "boto3.client('cloudformation').delete_stack(StackName='shop-dev-storage')");

    // Nor can it become whoever deploys.
    let role = machine.role("deploy-dev").unwrap();
    for end in ["pull_request", "ref:refs/heads/main", "environment:prod", "environment:dev:x"] {
        assert!(machine.sign_in(&role, &format!("repo:our-company/shop:{end}")).is_none(), "{end}");
    }
    assert!(machine.sign_in(&role, "repo:somebody/shop:environment:dev").is_none());
    assert!(machine.sign_in(&role, "repo:our-company/shop:environment:dev").is_some());
}

#[test]
fn a_plan_that_cannot_be_made_says_why_in_its_place() {
    let emulator = Emulator::start(&[("AUTH", "true")]);
    let machine = Machine::new(&emulator);
    machine.lakegen(&["deploy", "--env", "dev", "--stack", "access", "--yes"]);
    let blueprint = machine.folder.join("blueprints/one.yaml");
    let wrong = fs::read_to_string(&blueprint).unwrap().replace("zones: { raw: }", "zones: { raw: { keep: never } }");
    fs::write(&blueprint, wrong).unwrap();
    let (code, _) = machine.step("plan-dev", "Plan", &[]);
    assert_eq!(code, Some(1));
    let report = machine.report("1-dev.md");
    assert!(report.starts_with("### dev: there is no plan\n\n    error: "), "{report}");
    let (code, _) = machine.step("check", "Check the blueprint and these workflows", &[]);
    assert_eq!(code, Some(1));
}
