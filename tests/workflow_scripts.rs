//! The scripts of the generated workflow, run as GitHub runs them, by the real binary against an emulated AWS.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lakegen::project::Project;
use lakegen::workflow::model::{Does, Workflow};
use lakegen::workflow::{self, Layout};
use support::emulator::Emulator;
use support::root;

const REGION: &str = "eu-west-1";

/// A machine of GitHub's: a repository, checked out, and the workflow that runs in it.
struct Machine<'a> {
    emulator: &'a Emulator,
    workflow: Workflow,
    folder: PathBuf,
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
        Self { emulator, workflow, folder }
    }

    fn temp(&self) -> PathBuf {
        self.emulator.folder().join("temp")
    }

    fn command(&self, program: &str) -> Command {
        let binary = Path::new(env!("CARGO_BIN_EXE_lakegen")).parent().unwrap().to_owned();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(binary).chain(std::env::split_paths(&path))).unwrap();
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

    /// Runs the script of a step of a job; its exit code, and what it has written.
    fn step(&self, job: &str, step: &str, inputs: &[(&str, &str)]) -> (Option<i32>, String) {
        let jobs = &self.workflow.jobs;
        let found = jobs.iter().find(|one| one.id == job).unwrap_or_else(|| panic!("no job {job}"));
        let found =
            found.steps.iter().find(|one| one.name == step).unwrap_or_else(|| panic!("no step {step} in {job}"));
        let Does::Runs(script, env) = &found.does else { panic!("{step} runs no script") };
        let file = self.temp().join("script.sh");
        fs::write(&file, script).unwrap();
        let mut command = self.command("bash");
        command.args(["--noprofile", "--norc", "-eo", "pipefail"]).arg(&file);
        for (name, value) in env {
            let value = inputs
                .iter()
                .find(|(input, _)| *value == format!("${{{{ inputs.{input} }}}}"))
                .map_or(value.as_str(), |(_, given)| given);
            // An account that the blueprint does not name is a variable of the repository.
            command.env(name, value.replace("${{ vars.LAKEGEN_DEV_ACCOUNT }}", support::emulator::ACCOUNT));
        }
        command.env("RUNNER_TEMP", self.temp()).env("GITHUB_STEP_SUMMARY", self.temp().join("summary.md"));
        command.env("GITHUB_WORKSPACE", &self.folder);
        let output = command.output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), format!("{out}{err}"))
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
    let emulator = Emulator::start(&[]);
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
    machine.done("check", "Compare the templates");
    let differences = machine.report("0-templates.md");
    assert!(
        differences.starts_with("<details><summary>Templates:") && differences.contains("ZoneBucketMore"),
        "{differences}"
    );

    let plan = machine.done("plan-dev", "Plan");
    assert!(machine.report("1-dev.md").contains("shop-dev-storage"), "{plan}");
    machine.lakegen(&["deploy", "--env", "dev", "--stack", "access", "--yes"]);
    machine.done("deploy-dev", "Deploy");
    let roles = "print([s.get('RoleARN') for s in boto3.client('cloudformation').describe_stacks()['Stacks'] if s['StackName'] == 'shop-dev-storage'])";
    assert!(
        emulator.boto3(REGION, roles).contains("shop-dev-access-cloudformation"),
        "{}",
        emulator.boto3(REGION, roles)
    );
    machine.done("plan-dev", "Plan");
    assert!(!machine.report("1-dev.md").contains("shop-dev-access"), "the access is no part of the lake");
    machine.done("drift-dev", "Look for what was changed by hand");

    let (code, said) = machine.step("destroy-dev", "Destroy", &[("confirmation", "$(touch /tmp/x); shop-prod")]);
    assert_eq!(code, Some(5), "{said}");
    let (code, said) = machine.step("destroy-dev", "Destroy", &[("confirmation", "shop-dev")]);
    assert_eq!(code, Some(0), "{said}\n{}", emulator.log());
    let left = "print([s['StackName'] for s in boto3.client('cloudformation').describe_stacks()['Stacks']])";
    assert_eq!(emulator.boto3(REGION, left), "['shop-dev-access']");
}

#[test]
fn a_plan_that_cannot_be_made_says_why_in_its_place() {
    let emulator = Emulator::start(&[]);
    let machine = Machine::new(&emulator);
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
