//! The whole life of a deployed lake, against an AWS emulator; what is there afterwards is looked at with boto3.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::process::{Command, Output};

use support::emulator::Emulator;

const REGION: &str = "eu-central-1";

/// A lake of its own, in a folder of its own.
struct Lake<'a> {
    emulator: &'a Emulator,
    folder: tempfile::TempDir,
}

impl<'a> Lake<'a> {
    fn new(emulator: &'a Emulator) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lake = Self { emulator, folder };
        let init = lake.lakegen(&["init", ".", "--from", "bikes", "--name", "bikes"]);
        assert!(init.status.success(), "{init:?}");
        lake
    }

    fn lakegen(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lakegen"));
        command.args(args).current_dir(self.folder.path()).envs(self.emulator.environment(REGION));
        command.output().unwrap()
    }

    /// Runs it; what it says on both channels. Anything but that exit code is a failure.
    fn run(&self, code: i32, args: &[&str]) -> String {
        let output = self.lakegen(args);
        let text = format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
        assert_eq!(output.status.code(), Some(code), "{args:?}\n{text}\n{}", self.emulator.log());
        text
    }

    fn edit(&self, from: &str, to: &str) {
        edit(&self.folder.path().join("blueprints/lake.yaml"), from, to);
    }
}

fn edit(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from} is not in {}", file.display());
    std::fs::write(file, text.replacen(from, to, 1)).unwrap();
}

fn statuses(emulator: &Emulator) -> String {
    emulator.boto3(
        REGION,
        r#"
stacks = boto3.client("cloudformation").describe_stacks()["Stacks"]
for stack in sorted(stacks, key=lambda stack: stack["StackName"]):
    print(stack["StackName"], stack["StackStatus"], stack["EnableTerminationProtection"])
"#,
    )
}

#[test]
fn a_lake_is_planned_deployed_left_alone_and_changed() {
    let emulator = Emulator::start(&[]);
    let lake = Lake::new(&emulator);

    let plan = lake.run(2, &["plan", "--env", "dev", "--detailed-exitcode"]);
    assert!(plan.contains("+ AWS::S3::Bucket ZoneBucketRaw  (zones.raw)"), "{plan}");
    assert_eq!(statuses(&emulator), "", "a plan creates nothing");

    let first = lake.run(0, &["deploy", "--env", "dev"]);
    assert!(first.contains("done: 3 stacks changed"), "{first}");
    let there = "bikes-dev-processing CREATE_COMPLETE False\nbikes-dev-serving CREATE_COMPLETE False\n\
                 bikes-dev-storage CREATE_COMPLETE False";
    assert_eq!(statuses(&emulator), there);

    let again = lake.run(0, &["deploy", "--env", "dev"]);
    assert!(again.contains("nothing to do: all stacks are as the blueprint says"), "{again}");
    lake.run(0, &["plan", "--env", "dev", "--detailed-exitcode"]);

    lake.edit("keep: 400 days", "keep: 300 days");
    lake.edit("workers: { type: G.1X, max: 2 }", "workers: { type: G.2X, max: 2 }");
    let plan = lake.run(2, &["plan", "--env", "dev", "--detailed-exitcode"]);
    assert!(plan.contains("Rules[1].ExpirationInDays: 400 → 300"), "{plan}");
    assert!(plan.contains("WorkerType: G.1X → G.2X"), "{plan}");
    assert!(plan.contains("bikes-dev-serving: nothing to do"), "{plan}");
    let sets = r#"print(boto3.client("cloudformation").list_change_sets(StackName="bikes-dev-storage")["Summaries"])"#;
    assert_eq!(emulator.boto3(REGION, sets), "[]", "a plan takes its change sets away");

    let changed = lake.run(0, &["deploy", "--env", "dev"]);
    assert!(changed.contains("done: 2 stacks changed"), "{changed}");
    let job = r#"print(boto3.client("glue").get_job(JobName="bikes-dev-count_flows")["Job"]["WorkerType"])"#;
    assert_eq!(emulator.boto3(REGION, job), "G.2X");
    let again = lake.run(0, &["deploy", "--env", "dev"]);
    assert!(again.contains("nothing to do"), "{again}");
}
