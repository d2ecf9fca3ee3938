//! `lakegen run --env local`, from outside: the real binary, the real engines, a small lake.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail like tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const BLUEPRINT: &str = r#"
name: tiny
zones:
  raw: { keep: forever }
  curated: { keep: 30 days }
tables:
  orders:
    zone: raw
    format: { csv: { quote: '"' } }
    columns: { order_id: { type: int, primary_key: true }, user_id: int, amount: double }
  big_orders:
    zone: curated
    format: parquet
    columns: { order_id: int, user_id: int, amount: double }
  order_count:
    zone: curated
    format: parquet
    columns: { orders: bigint }
  totals:
    zone: curated
    format: parquet
    columns: { user_id: int, orders: bigint, amount: double }
  top:
    zone: curated
    format: parquet
    columns: { user_id: int }
crawlers: { raw: { reads: [orders] } }
queries:
  big: { writes: big_orders, sql: "select order_id, user_id, amount from orders where amount > 10" }
  count: { writes: order_count, sql: "select count(*) as orders from orders" }
  top: { writes: top, sql: "select user_id from totals where amount > 30" }
jobs:
  totals: { script: glue-jobs/totals.py, reads: [big_orders], writes: [totals] }
"#;

const JOB: &str = r#"import sys

from awsglue.utils import getResolvedOptions
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

args = getResolvedOptions(sys.argv, ["JOB_NAME", "big_orders", "totals"])
spark = SparkSession.builder.getOrCreate()
orders = spark.read.parquet(args["big_orders"])
totals = orders.groupBy("user_id").agg(F.count("*").alias("orders"), F.sum("amount").alias("amount"))
totals.coalesce(1).write.mode("overwrite").parquet(args["totals"])
"#;

const ORDERS: &str = "order_id,user_id,amount\n1,1,5.0\n2,1,20.0\n3,2,30.5\n4,2,11.0\n";

/// A project in a folder of its own.
struct Project {
    dir: tempfile::TempDir,
}

impl Project {
    fn new() -> Self {
        let project = Self { dir: tempfile::tempdir().unwrap() };
        project.write("blueprints/tiny.yaml", BLUEPRINT);
        project.write("glue-jobs/totals.py", JOB);
        project.write("data/orders.csv", ORDERS);
        project
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lakegen"));
        command.args(["run", "--env", "local", "--data", "data", "--output", "json"]).args(arguments);
        // Everything that a run starts inherits this, so that whatever is left of it can be found.
        command.current_dir(self.dir.path()).env("LAKEGEN_TEST_RUN", self.dir.path());
        command
    }

    fn run(&self) -> Run {
        Run::of(self.command(&[]).output().unwrap())
    }

    fn table(&self, name: &str) -> PathBuf {
        self.at(".lakegen/local/buckets/tiny-local-curated").join(name)
    }

    /// Processes of this project's runs that are alive.
    fn processes(&self) -> Vec<String> {
        let mark = format!("LAKEGEN_TEST_RUN={}", self.dir.path().display());
        let alive = |pid: &Path| {
            let environment = fs::read(pid.join("environ")).ok()?;
            let ours = environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes());
            let command = fs::read(pid.join("cmdline")).ok()?;
            ours.then(|| String::from_utf8_lossy(&command).replace('\0', " "))
        };
        fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| alive(&entry.path())).collect()
    }

    /// Starts a run whose job waits in its middle, and comes back when it does.
    fn start_and_wait_for_the_job(&self) -> Child {
        let waiting = format!("{JOB}\nopen({:?}, 'w').close()\nimport time\ntime.sleep(600)\n", self.at("waiting"));
        self.write("glue-jobs/totals.py", &waiting);
        let mut child = self.command(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begun = || self.at("waiting").exists().then_some(());
        if until(Duration::from_secs(300), begun).is_none() {
            child.kill().unwrap();
            panic!("the job was not started");
        }
        assert!(self.processes().iter().any(|command| command.contains("java")), "{:?}", self.processes());
        child
    }
}

/// Asks again and again until there is an answer; the deadline is for a machine that is broken, not for one that is slow.
fn until<T>(deadline: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    loop {
        let answer = ask();
        if answer.is_some() || started.elapsed() > deadline {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

struct Run {
    exit: Option<i32>,
    outcome: Value,
    said: String,
}

impl Run {
    fn of(output: Output) -> Self {
        let outcome = serde_json::from_slice(&output.stdout).unwrap_or_default();
        Self { exit: output.status.code(), outcome, said: String::from_utf8_lossy(&output.stderr).into_owned() }
    }

    /// The steps that are in this state, sorted.
    fn steps(&self, state: &str) -> Vec<&str> {
        let is = |step: &&Value| step["state"] == state || step["state"].get(state).is_some();
        let steps = self.outcome["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut names: Vec<&str> = steps.iter().filter(is).filter_map(|step| step["name"].as_str()).collect();
        names.sort_unstable();
        names
    }

    fn rows(&self, table: &str) -> Option<u64> {
        let steps = self.outcome["steps"].as_array()?;
        steps.iter().rev().find_map(|step| step["rows"].get(table)?.as_u64())
    }
}

#[test]
fn files_for_others_are_exported_and_made_again_when_they_are_gone() {
    let project = Project::new();
    let export =
        r#"{ zone: curated, folder: partners/feed, format: { text: { delimiter: "|" } }, partitions: [user_id] }"#;
    let feed = format!(
        "queries:\n  feed: {{ exports: {export}, sql: \"select order_id, amount, user_id from big_orders\" }}\n"
    );
    project.write("blueprints/tiny.yaml", &BLUEPRINT.replace("queries:\n", &feed));
    let run = || Run::of(project.command(&["feed"]).output().unwrap());
    let files = || {
        let mut folders: Vec<_> = fs::read_dir(project.table("partners/feed")).unwrap().flatten().collect();
        folders.sort_by_key(fs::DirEntry::file_name);
        folders.iter().map(|folder| folder.file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    let first = run();
    assert_eq!(first.steps("done"), ["big", "feed", "raw"], "{}", first.said);
    assert_eq!(first.rows("partners/feed"), Some(3));
    assert_eq!(files(), ["user_id=1", "user_id=2"]);
    assert_eq!(run().steps("unchanged"), ["feed"]);

    // What an earlier run exported does not stay beside what the next one does.
    project.write(
        "blueprints/tiny.yaml",
        &BLUEPRINT.replace("queries:\n", &feed.replace("big_orders", "big_orders where user_id = 2")),
    );
    assert_eq!(run().steps("done"), ["feed"]);
    assert_eq!(files(), ["user_id=2"]);

    fs::remove_dir_all(project.table("partners")).unwrap();
    assert_eq!(run().steps("done"), ["feed"]);
    assert_eq!(files(), ["user_id=2"]);
}

#[test]
fn a_lake_is_brought_up_to_date_and_only_what_has_changed_runs_again() {
    let project = Project::new();
    let first = project.run();
    assert_eq!(first.exit, Some(0), "{}", first.said);
    assert_eq!(first.steps("done"), ["big", "count", "raw", "top", "totals"]);
    assert_eq!(
        (first.rows("orders"), first.rows("big_orders"), first.rows("totals"), first.rows("top")),
        (Some(4), Some(3), Some(2), Some(1))
    );
    assert!(!project.at(".lakegen/local/staging").exists());

    // Nothing to do: Python cannot even be found, and is not missed.
    let mut again = project.command(&[]);
    again.env("PATH", "/nonexistent").env("LAKEGEN_CACHE", project.at("no-cache"));
    let second = Run::of(again.output().unwrap());
    assert_eq!(second.exit, Some(0), "{}", second.said);
    assert_eq!(second.steps("unchanged"), ["big", "count", "raw", "top", "totals"]);
    assert!(!project.at(".lakegen/local/runs/2").exists());
    assert!(!project.at("no-cache").exists());

    // Another query, same result: what depends on the result has nothing to do.
    project.write("blueprints/tiny.yaml", &BLUEPRINT.replace("amount > 10\"", "amount > 10.0\""));
    let third = project.run();
    assert_eq!(
        (third.steps("done"), third.steps("unchanged")),
        (vec!["big"], vec!["count", "raw", "top", "totals"]),
        "{}",
        third.said
    );

    // Other data: everything that it leads to. The small order changes the count and no more.
    project.write("data/orders.csv", &format!("{ORDERS}5,3,1.0\n"));
    let fourth = project.run();
    assert_eq!(
        (fourth.steps("done"), fourth.steps("unchanged")),
        (vec!["big", "count", "raw"], vec!["top", "totals"]),
        "{}",
        fourth.said
    );

    // A table that somebody changed is made again.
    fs::remove_dir_all(project.table("order_count")).unwrap();
    assert_eq!(project.run().steps("done"), ["count"]);

    // A damaged ledger costs time and nothing else.
    project.write(".lakegen/local/ledger.json", "{\"format\":1,");
    let sixth = Run::of(project.command(&["count"]).output().unwrap());
    assert!(sixth.said.contains("ledger.json.damaged"), "{}", sixth.said);
    assert_eq!((sixth.exit, sixth.steps("done")), (Some(0), vec!["count", "raw"]), "{}", sixth.said);
}

const PROFILED: &str = r#"
name: tiny
zones: { raw: }
tables:
  orders:
    zone: raw
    format: { csv: { quote: '"' } }
    columns: { order_id: int, user_id: int, amount: double }
crawlers: { raw: { reads: [orders] } }
profiles:
  orders:
    reads: orders
    rules:
      - missing_values: { of: [order_id, amount], at_most: 0 }
      - maximum: { of: amount, at_most: 30 }
      - values: { of: user_id, where: { is: [1, 2] } }
"#;

#[test]
fn a_profile_says_what_a_table_is_like_and_which_rules_it_keeps() {
    let project = Project::new();
    project.write("blueprints/tiny.yaml", PROFILED);
    let profile = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lakegen"));
        command.args(["profile", "--output", "json"]).current_dir(project.dir.path()).output().unwrap()
    };
    let early = profile();
    assert_eq!(early.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&early.stderr).contains("the table `orders` is empty as yet"));
    let run = project.run();
    assert_eq!(run.exit, Some(0), "{}", run.said);
    let output = profile();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    let passed: Vec<_> = made[0]["rules"].as_array().unwrap().iter().map(|rule| rule["passed"].clone()).collect();
    assert_eq!(passed, [true, false, true]);
    assert_eq!((&made[0]["rowsCount"], &made[0]["columns"][2]["max"]), (&4.into(), &30.5.into()));
    let kept: Value =
        serde_json::from_str(&fs::read_to_string(project.at(".lakegen/local/profiles/orders.json")).unwrap()).unwrap();
    assert_eq!(kept, made[0]);
}

#[test]
fn a_failing_step_is_told_by_its_line_and_the_next_run_goes_on_from_there() {
    let project = Project::new();
    let broken = JOB.replace("orders.groupBy(\"user_id\")", "orders.groupBy(\"usr_id\")");
    project.write("glue-jobs/totals.py", &broken);
    let first = project.run();
    assert_eq!(first.exit, Some(4), "{}", first.said);
    assert_eq!(first.steps("done"), ["big", "count", "raw"]);
    assert_eq!((first.steps("failed"), first.steps("not_run")), (vec!["totals"], vec!["top"]));
    for part in ["job totals failed: AnalysisException", "usr_id", "--> glue-jobs/totals.py:10", "= log: "] {
        assert!(first.said.contains(part), "{part}: {}", first.said);
    }
    assert!(!first.said.contains("org.apache.spark"), "the JVM's trace belongs into the log: {}", first.said);
    assert!(!project.table("totals").exists() && !project.at(".lakegen/local/staging").exists());

    project.write("glue-jobs/totals.py", JOB);
    let second = project.run();
    assert_eq!(second.exit, Some(0), "{}", second.said);
    assert_eq!((second.steps("done"), second.steps("unchanged")), (vec!["top", "totals"], vec!["big", "count", "raw"]));

    // What was right before stays in place while the script is broken again.
    project.write("glue-jobs/totals.py", "raise SystemExit('no more')\n");
    assert_eq!(project.run().steps("failed"), ["totals"]);
    assert!(fs::read_dir(project.table("totals")).unwrap().count() > 0);
}

#[test]
fn an_interrupted_run_leaves_no_process_and_no_half_written_table() {
    let project = Project::new();
    let mut child = project.start_and_wait_for_the_job();

    let other = project.run();
    assert_eq!(other.exit, Some(3));
    assert!(other.said.contains(&format!("process {}", child.id())), "{}", other.said);

    let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    // A process that was killed is gone a moment later.
    let gone = until(Duration::from_secs(30), || project.processes().is_empty().then_some(()));
    assert!(gone.is_some(), "{:?}", project.processes());
    assert!(!project.table("totals").exists() && !project.at(".lakegen/local/staging").exists());

    project.write("glue-jobs/totals.py", JOB);
    let next = project.run();
    assert_eq!((next.exit, next.steps("done")), (Some(0), vec!["top", "totals"]), "{}", next.said);
}

#[test]
fn a_killed_run_takes_its_processes_along() {
    let project = Project::new();
    let mut child = project.start_and_wait_for_the_job();
    child.kill().unwrap();
    child.wait().unwrap();
    let gone = until(Duration::from_secs(60), || project.processes().is_empty().then_some(()));
    assert!(gone.is_some(), "{:?}", project.processes());
    assert!(!project.table("totals").exists());

    project.write("glue-jobs/totals.py", JOB);
    let next = project.run();
    assert_eq!((next.exit, next.steps("done")), (Some(0), vec!["top", "totals"]), "{}", next.said);
}

#[test]
fn a_model_that_fails_its_gate_is_not_released() {
    let project = Project::new();
    let blueprint = |score: &str, at_least: &str| {
        let model = format!(
            "models:\n  guess:\n    source: sagemaker/guess\n    reads: {{ train: order_count }}\n    instance: ml.m5.large\n    \
             hyperparameters: {{ score: {score} }}\n    accept: {{ \"score\": {{ at_least: {at_least} }} }}\n    endpoint: {{ serverless: {{ memory: 1 GB, concurrency: 1 }} }}\n"
        );
        project.write("blueprints/tiny.yaml", &format!("{BLUEPRINT}{model}"));
    };
    let train = "import argparse, os, pathlib\nparser = argparse.ArgumentParser()\nparser.add_argument('--score')\nscore = parser.parse_args().score\n\
                 pathlib.Path(os.environ['SM_MODEL_DIR'], 'model.txt').write_text(score)\nprint(f'metric score={score}')\n";
    project.write("sagemaker/guess/train.py", train);
    project.write("sagemaker/guess/inference.py", "def model_fn(model_dir):\n    return None\n");
    let run = |arguments: &[&str]| Run::of(project.command(arguments).output().unwrap());
    let released = || {
        let ledger: Value =
            serde_json::from_slice(&fs::read(project.at(".lakegen/local/ledger.json")).unwrap()).unwrap();
        let release = &ledger["releases"]["guess"]["training"];
        let artifact = project.at(".lakegen/local").join(release["artifact"].as_str().unwrap_or_default());
        assert!(release.is_null() || artifact.is_file());
        release["metrics"]["score"].as_f64()
    };

    blueprint("0.1", "0.5");
    let refused = run(&["guess"]);
    assert_eq!((refused.exit, refused.steps("refused")), (Some(4), vec!["guess"]), "{}", refused.said);
    assert_eq!(released(), None);

    blueprint("0.9", "0.5");
    assert_eq!(run(&["guess"]).exit, Some(0));
    assert_eq!(released(), Some(0.9));

    blueprint("0.2", "0.5");
    let worse = run(&["guess"]);
    assert_eq!((worse.exit, worse.steps("refused")), (Some(4), vec!["guess"]));
    assert_eq!(worse.outcome["models"][0]["earlier_release"], true);
    assert_eq!(released(), Some(0.9), "the earlier model stays");

    // Another gate needs no other training.
    blueprint("0.2", "0.15");
    assert_eq!(run(&["guess"]).steps("unchanged"), ["guess"]);
    assert_eq!(released(), Some(0.2));
}

#[test]
fn data_that_does_not_fit_is_refused_before_anything_is_started() {
    let table: [(&str, &[u8], &str); 7] = [
        ("ordres.csv", b"", "`orders.csv`, the file of table `orders`, is missing; did you mean `ordres.csv`?"),
        ("orders.csv", b"", "the file is empty: not even a header line"),
        (
            "orders.csv",
            b"order_id,amount,user_id\n",
            "the header's columns are in another order: column 2 is `amount`, declared is `user_id`",
        ),
        ("orders.csv", b"order_id,user,amount\n", "the header lacks `user_id`, has `user`, which is not declared"),
        (
            "orders.csv",
            b"order_id,user_id,amount\n1,1,5.0\n2,1,Doe, John,20.0\n",
            "line 3 has 5 fields, the header has 3",
        ),
        ("orders.csv", b"order_id,user_id,amount\n1,\"1,5.0\n", "the quote that line 2 opens is never closed"),
        ("orders.csv", b"order_id,user_id,amount\n1,1,caf\xe9\n", "line 2 is not UTF-8"),
    ];
    for (name, contents, message) in table {
        let project = Project::new();
        fs::remove_file(project.at("data/orders.csv")).unwrap();
        fs::write(project.at("data").join(name), contents).unwrap();
        let mut command = project.command(&[]);
        let run = Run::of(command.env("LAKEGEN_CACHE", project.at("no-cache")).output().unwrap());
        assert_eq!(run.exit, Some(3), "{message}: {}", run.said);
        assert!(run.said.contains(message), "{message}: {}", run.said);
        assert!(!project.at("no-cache").exists() && !project.at(".lakegen/local/staging").exists());
    }
}

#[test]
fn a_full_disk_is_told_and_loses_nothing() {
    let project = Project::new();
    let rows: String = (0..20_000).map(|i| format!("{i},1,5.0\n")).collect();
    project.write("data/orders.csv", &format!("order_id,user_id,amount\n{rows}"));
    // No file may grow beyond a limit, as on a disk that is full.
    let mut command = Command::new("sh");
    let script = "trap '' XFSZ; ulimit -f 100; exec \"$0\" run --env local --data data";
    command.args(["-c", script, env!("CARGO_BIN_EXE_lakegen")]).current_dir(project.dir.path());
    let run = Run::of(command.output().unwrap());
    assert_eq!(run.exit, Some(3), "{}", run.said);
    assert!(run.said.contains("could not write `") && run.said.contains("free some disk space"), "{}", run.said);
    assert!(!project.at(".lakegen/local/staging").exists() && !project.at(".lakegen/local/buckets").exists());
}

#[test]
fn a_machine_without_the_right_python_is_told_what_to_install() {
    let project = Project::new();
    let python = |script: &str| {
        let path = project.at("python");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    let run = |command: &mut Command| {
        let run = Run::of(command.env("LAKEGEN_CACHE", project.at("cache")).output().unwrap());
        assert_eq!(run.exit, Some(3), "{}", run.said);
        run.said
    };
    let none = run(project.command(&[]).env("PATH", "/nonexistent").env_remove("LAKEGEN_PYTHON"));
    assert!(none.contains("no Python 3.11 found\n") && none.contains("apt install python3.11"), "{none}");
    let old = run(project.command(&[]).env("LAKEGEN_PYTHON", python("echo 3.8.10; echo /usr/bin/python3")));
    assert!(old.contains("is 3.8.10, too old"), "{old}");
    let new = run(project.command(&[]).env("LAKEGEN_PYTHON", python("echo 3.13.2; echo /usr/bin/python3")));
    assert!(new.contains("is 3.13.2, too new"), "{new}");
    let hopeless = run(project.command(&[]).env("LAKEGEN_PYTHON", python("exit 1")));
    assert!(hopeless.contains("does not run"), "{hopeless}");
}

#[test]
fn a_first_run_without_network_says_so_and_the_next_one_goes_on() {
    let project = Project::new();
    let mut command = project.command(&[]);
    command.env("LAKEGEN_CACHE", project.at("cache")).env("PIP_CONFIG_FILE", "/dev/null").env("PIP_RETRIES", "1");
    // Nobody listens on the port for discarding, and pip's cache of earlier downloads is out of reach.
    command.env("PIP_INDEX_URL", "http://127.0.0.1:9/simple").env("PIP_NO_CACHE_DIR", "1").env_remove("PIP_FIND_LINKS");
    let run = Run::of(command.output().unwrap());
    assert_eq!(run.exit, Some(3), "{}", run.said);
    assert!(
        run.said.contains("could not download packaging==") && run.said.contains("Connection refused"),
        "{}",
        run.said
    );
    assert!(run.said.contains("check the connection"), "{}", run.said);
    let home = fs::read_dir(project.at("cache")).unwrap().flatten().find(|entry| entry.path().is_dir()).unwrap().path();
    assert!(home.join("bin/python").exists() && !home.join("ready").exists());
}

#[test]
fn progress_and_results_do_not_mix() {
    let project = Project::new();
    let output = project.command(&["--quiet", "count"]).process_group(0).output().unwrap();
    let run = Run::of(output);
    assert_eq!((run.exit, run.said.as_str()), (Some(0), ""));
    assert_eq!(run.steps("done"), ["count", "raw"]);
    let output = project.command(&["cuont"]).output().unwrap();
    let run = Run::of(output);
    assert_eq!(run.exit, Some(2));
    assert!(run.said.contains("did you mean `count`?"), "{}", run.said);
}
