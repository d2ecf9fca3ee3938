//! `lakegen evaluate --env local`, from outside: a small lake whose model is trained, scored and judged.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail like tests")]

mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use support::emulator::Emulator;

const REGION: &str = "eu-west-1";

const BLUEPRINT: &str = r#"
name: tiny
environments: { dev: { region: eu-west-1 } }
zones: { raw: { keep: forever } }
tables:
  train:
    zone: raw
    format: csv
    columns: { user_id: int, item_id: int, bought: int, signal: double, noise: double }
  test:
    zone: raw
    format: csv
    columns: { user_id: int, item_id: int, bought: int, signal: double, noise: double, known: int }
  targets:
    zone: raw
    format: csv
    columns: { user_id: int, item_id: int, repeat: int }
  popular:
    zone: raw
    format: csv
    columns: { item_id: int, sales: int }
crawlers: { raw: { reads: [train, test, targets, popular] } }
models:
  guess:
    source: sagemaker/guess
    reads: { train: train }
    label: bought
    endpoint: { serverless: { memory: 1 GB } }
    entities: [user_id, item_id]
    evaluate:
      test: test
      group: [user_id]
      item: item_id
      targets: { table: targets, repeat: repeat }
      metrics: ["ndcg@3", "recall@3", f1, logloss, auc, candidate_recall]
      baselines: { noise: { score: noise }, popular: { score: sales, table: popular } }
      history: known
"#;

const TRAIN: &str = r#"import json, os
from pathlib import Path

Path(os.environ["SM_MODEL_DIR"], "weight.json").write_text(json.dumps(float(os.environ["SM_HP_WEIGHT"])))
"#;

const INFERENCE: &str = r#"import hashlib, io, json
from pathlib import Path

import numpy as np

FEATURES = hashlib.sha256(b"signal\nnoise").hexdigest()[:16]


def model_fn(folder):
    return json.loads(Path(folder, "weight.json").read_text())


def input_fn(body, content_type):
    assert content_type == f"application/x-npy; features={FEATURES}", content_type
    return np.load(io.BytesIO(body))


def predict_fn(rows, weight):
    return 1 / (1 + np.exp(-weight * (rows[:, 0] - 0.5)))


def output_fn(scores, accept):
    out = io.BytesIO()
    np.save(out, scores)
    return out.getvalue(), accept
"#;

/// A project in a folder of its own, with 80 users to learn from and 200 to be measured on. Each has ten of twelve items; one in four comes
/// true, with a higher signal on average.
struct Project {
    dir: tempfile::TempDir,
}

impl Project {
    fn new(weight: &str) -> Self {
        let project = Self { dir: tempfile::tempdir().unwrap() };
        let hyperparameters = format!("    hyperparameters: {{ weight: {weight} }}\n    label: bought\n");
        project.write("blueprints/tiny.yaml", &BLUEPRINT.replace("    label: bought\n", &hyperparameters));
        project.write("sagemaker/guess/train.py", TRAIN);
        project.write("sagemaker/guess/inference.py", INFERENCE);
        let mut state = 2017_u64;
        let mut random = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f64 / f64::from(1 << 24)
        };
        let columns = "user_id,item_id,bought,signal,noise";
        let (mut train, mut test) = (format!("{columns}\n"), format!("{columns},known\n"));
        let mut targets = "user_id,item_id,repeat\n".to_owned();
        for user in 0..280 {
            for item in 0..10 {
                let bought = random() < 0.25;
                let signal = f64::midpoint(random(), f64::from(u8::from(bought)) * 0.8);
                let row = format!("{user},{item},{},{signal:.6},{:.6}", u8::from(bought), random());
                if user < 80 {
                    let _ = writeln!(train, "{row}");
                } else {
                    let _ = writeln!(test, "{row},{}", user % 7 + 3);
                    let _ = if bought { writeln!(targets, "{user},{item},{}", item % 2) } else { Ok(()) };
                }
            }
            // Not a candidate of anybody.
            let _ = if user >= 80 && user % 3 == 0 { writeln!(targets, "{user},11,0") } else { Ok(()) };
        }
        let popular: String = (0..12).map(|item| format!("{item},{}\n", 100 - item)).collect();
        project.write("data/train.csv", &train);
        project.write("data/test.csv", &test);
        project.write("data/targets.csv", &targets);
        project.write("data/popular.csv", &format!("item_id,sales\n{popular}"));
        project
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), text).unwrap();
    }

    fn lakegen(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_lakegen")).args(arguments).current_dir(self.dir.path()).output().unwrap()
    }

    fn run(&self) {
        let output = self.lakegen(&["run", "--env", "local", "--data", "data"]);
        assert!(output.status.success(), "{}", said(&output));
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn value(evaluated: &Value, ranking: &str, metric: &str, part: &str) -> f64 {
    let scores = evaluated["found"]["scores"].as_array().unwrap();
    let is = |score: &&Value| score["ranking"] == ranking && score["metric"] == metric && score["part"] == part;
    scores.iter().find(is).unwrap()["value"].as_f64().unwrap()
}

#[test]
fn a_model_is_scored_beside_its_baselines_and_the_report_needs_nothing_else() {
    let project = Project::new("8");
    let output = project.lakegen(&["evaluate", "--env", "local"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("the model `guess` has never been trained"), "{}", said(&output));

    project.run();
    let output =
        project.lakegen(&["evaluate", "--env", "local", "guess", "--report", "report.html", "--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    let one = &all["models"][0];
    assert_eq!((&one["model"], &one["released"]), (&"guess".into(), &true.into()));
    // Three bought nothing.
    assert_eq!((&one["found"]["users"], &one["found"]["candidates"]), (&197.into(), &2000.into()));
    assert!(value(one, "model", "ndcg@3", "all") > value(one, "noise", "ndcg@3", "all") + 0.1);
    assert!(value(one, "model", "auc", "all") > 0.7);
    assert!(value(one, "model", "candidate_recall", "explore") < 1.0);
    assert!((value(one, "model", "candidate_recall", "repeat") - 1.0).abs() < 1e-12);
    assert_eq!((&one["found"]["leaks"], &all["objections"]["guess"]), (&Value::Array(vec![]), &Value::Array(vec![])));
    let kept: Value =
        serde_json::from_slice(&fs::read(project.at(".lakegen/local/evaluations/guess.json")).unwrap()).unwrap();
    assert_eq!(kept, *one);

    let page = fs::read_to_string(project.at("report.html")).unwrap();
    assert_eq!(page.matches("<svg").count(), 3, "rankings, history and calibration; there are no gains of trees");
    assert!(!page.contains("<script") && !page.contains("http"), "the page asks for something");

    // The same question has the same answer, and people get a table.
    let again = project.lakegen(&["evaluate", "--env", "local", "--output", "json"]);
    assert_eq!(again.stdout, output.stdout);
    let table = project.lakegen(&["evaluate", "--env", "local"]);
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.starts_with("guess on `test`: "), "{table}");
    assert!(table.contains("ndcg@3 above popular by 0."), "{table}");
}

#[test]
fn a_model_that_is_no_better_than_chance_is_refused() {
    let project = Project::new("0");
    project.run();
    let output = project.lakegen(&["evaluate", "--env", "local"]);
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(said(&output).contains("1 model refused: `guess`: `ndcg@3` is"), "{}", said(&output));
    assert!(said(&output).contains("`noise`"), "{}", said(&output));
    let output = project.lakegen(&["evaluate", "--env", "local", "--output", "json"]);
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(all["objections"]["guess"].as_array().unwrap().len(), 2, "{all}");
    // What was found is shown and kept all the same.
    let output = project.lakegen(&["evaluate", "--env", "local"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("ndcg@3"));
    assert!(project.at(".lakegen/local/evaluations/guess.json").exists());
}

#[test]
fn a_planted_leak_is_refused() {
    let project = Project::new("8");
    // The signal is the label.
    let leaky = |name: &str| {
        let text = fs::read_to_string(project.at(name)).unwrap();
        let mut lines = text.lines();
        let mut out = format!("{}\n", lines.next().unwrap());
        for line in lines {
            let mut cells: Vec<&str> = line.split(',').collect();
            cells[3] = cells[2];
            let _ = writeln!(out, "{}", cells.join(","));
        }
        project.write(name, &out);
    };
    leaky("data/train.csv");
    leaky("data/test.csv");
    project.run();
    let output = project.lakegen(&["evaluate", "--env", "local"]);
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(said(&output).contains("`signal` alone tells the label of `test`"), "{}", said(&output));
}

#[test]
fn the_model_that_is_live_in_aws_is_scored_on_what_is_there() {
    let emulator = Emulator::start(&[]);
    let project = Project::new("8");
    project.run();
    let local = project.lakegen(&["evaluate", "--env", "local", "--output", "json"]);
    let there = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lakegen"));
        command.args(arguments).current_dir(project.dir.path()).envs(emulator.environment(REGION));
        command.output().unwrap()
    };
    let deployed = there(&["deploy", "--env", "dev", "--yes"]);
    assert!(deployed.status.success(), "{}\n{}", said(&deployed), emulator.log());
    let output = there(&["evaluate", "--env", "dev"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("no model `guess` is live in `dev`"), "{}", said(&output));

    // What a run and a release would leave.
    emulator.boto3(
        REGION,
        &format!(
            r#"
import pathlib
root = pathlib.Path({:?})
s3, cloudformation = boto3.client("s3"), boto3.client("cloudformation")
for table in ["train", "test", "targets", "popular"]:
    s3.upload_file(str(root / "data" / (table + ".csv")), "tiny-dev-raw-111122223333-eu-west-1", table + "/part.csv")
    s3.put_object(Bucket="tiny-dev-raw-111122223333-eu-west-1", Key=table + "/_SUCCESS", Body=b"not a table")
(archive,) = (root / ".lakegen/local/models/guess").glob("*/model.tar.gz")
s3.upload_file(str(archive), "tiny-dev-raw-111122223333-eu-west-1", "models/model.tar.gz")
name = "tiny-dev-endpoint-guess"
known = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["Parameters"]
new = {{
    "TrainingJob": "tiny-dev-guess-1",
    "ModelData": "s3://tiny-dev-raw-111122223333-eu-west-1/models/model.tar.gz",
    "ReleaseId": "1a2b3c4d",
}}
parameters = [
    {{"ParameterKey": one["ParameterKey"], "ParameterValue": new[one["ParameterKey"]]}}
    if one["ParameterKey"] in new
    else {{"ParameterKey": one["ParameterKey"], "UsePreviousValue": True}}
    for one in known
]
cloudformation.update_stack(
    StackName=name, UsePreviousTemplate=True, Parameters=parameters, Capabilities=["CAPABILITY_NAMED_IAM"]
)
cloudformation.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig={{"Delay": 1}})
"#,
            project.dir.path()
        ),
    );
    let output = there(&["evaluate", "--env", "dev", "--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}\n{}", said(&output), emulator.log());
    let (here, cloud): (Value, Value) =
        (serde_json::from_slice(&local.stdout).unwrap(), serde_json::from_slice(&output.stdout).unwrap());
    assert_eq!(here["models"], cloud["models"], "the same model, the same rows, the same answer");
    assert_eq!(cloud["environment"], "dev");
    assert!(project.at(".lakegen/dev/evaluations/guess.json").exists());
}

#[test]
fn what_cannot_be_evaluated_is_said() {
    let project = Project::new("8");
    let output = project.lakegen(&["evaluate", "--env", "local", "gues"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("did you mean `guess`?"), "{}", said(&output));
    let at = BLUEPRINT.find("    evaluate:").unwrap();
    project.write("blueprints/tiny.yaml", &BLUEPRINT[..at]);
    let output = project.lakegen(&["evaluate", "--env", "local"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("no model says how it is evaluated"), "{}", said(&output));
}
