//! Commands on a lake that is deployed: queries, calls, status, runs, and its end.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::process::{Command, Output};

use serde_json::{Value, json};
use support::emulator::Emulator;

const REGION: &str = "eu-west-1";

const BLUEPRINT: &str = r#"
name: shop
environments:
  dev: { region: eu-west-1 }
  prod: { region: eu-west-1, account: "999988887777", protected: true }
zones:
  raw: { keep: forever }
  curated: { keep: 30 days }
tables:
  orders:
    zone: raw
    format: csv
    columns: { order_id: int, customer: string, amount: double }
  spending:
    zone: curated
    format: parquet
    columns: { customer: string, spent: double }
crawlers: { raw: { reads: [orders] } }
queries:
  spending: { writes: spending, sql: "select customer, sum(amount) as spent from orders group by customer" }
functions:
  hello: { source: lambdas/hello }
api:
  access: ACCESS
  routes:
    GET /hello/{name}: { function: hello }
    POST /hello: { function: hello, body: { text: { type: string } } }
"#;

const HANDLER: &str = r#"import json


def handler(event, context):
    answer = {
        "path": event.get("pathParameters"),
        "body": event.get("body"),
        "signed": "AWS4-HMAC-SHA256" in event["headers"].get("authorization", event["headers"].get("Authorization", "")),
    }
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(answer)}
"#;

/// A project with the lake in a folder of the emulator's.
struct Lake<'a> {
    emulator: &'a Emulator,
    folder: std::path::PathBuf,
}

impl<'a> Lake<'a> {
    fn new(emulator: &'a Emulator, access: &str) -> Self {
        let folder = emulator.folder().join("project");
        fs::create_dir_all(folder.join("lambdas/hello")).unwrap();
        fs::create_dir_all(folder.join("blueprints")).unwrap();
        fs::write(folder.join("lambdas/hello/handler.py"), HANDLER).unwrap();
        let lake = Self { emulator, folder };
        lake.write(&BLUEPRINT.replace("ACCESS", access));
        lake
    }

    fn write(&self, blueprint: &str) {
        fs::write(self.folder.join("blueprints/shop.yaml"), blueprint).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lakegen"));
        command.args(args).current_dir(&self.folder).envs(self.emulator.environment(REGION)).env("NO_COLOR", "1");
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// What a command that must succeed writes to standard output.
    fn text(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {}\n{err}\n{}", output.status, self.emulator.log());
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.text(args)).unwrap()
    }

    /// Exit code and standard error of a command.
    fn failure(&self, args: &[&str]) -> (Option<i32>, String) {
        let output = self.run(args);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    fn boto3(&self, script: &str) -> String {
        self.emulator.boto3(REGION, script)
    }

    fn deploy(&self) {
        self.text(&["deploy", "--env", "dev", "--yes"]);
    }
}

#[test]
fn a_query_is_asked_in_athena_and_paged() {
    let emulator = Emulator::start(&[]);
    let lake = Lake::new(&emulator, "api_key");
    let (code, said) = lake.failure(&["query", "--env", "dev", "select 1"]);
    assert_eq!(code, Some(3));
    insta::assert_snapshot!(said, @r"
    error: nothing of the lake `shop` is deployed to `dev` (account 111122223333, eu-west-1)
      = help: `lakegen deploy --env dev` makes it
    ");
    lake.deploy();
    let rows: String = (0..2_500).map(|n| format!("{n},c{},{}.5\n", n % 3, n)).collect();
    fs::write(emulator.folder().join("orders.csv"), format!("order_id,customer,amount\n{rows}")).unwrap();
    lake.boto3(&format!(
        "boto3.client('s3').upload_file({:?}, 'shop-dev-raw-111122223333-eu-west-1', 'orders/a.csv')",
        emulator.folder().join("orders.csv")
    ));

    let output = lake.run(&[
        "query",
        "--env",
        "dev",
        "select order_id, customer, amount from orders order by 1",
        "--limit",
        "3",
    ]);
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    insta::assert_snapshot!(out, @r"
    order_id  customer  amount
    ────────  ────────  ──────
           0  c0           0.5
           1  c1           1.5
           2  c2           2.5
    ");
    assert!(err.contains("scanned ") && err.contains("the first 3 rows; `--limit` shows more"), "{err}");

    let all = lake.json(&[
        "query",
        "--env",
        "dev",
        "select order_id, amount from orders order by 1",
        "--limit",
        "5000",
        "--output",
        "json",
    ]);
    let expected: Vec<Value> = (0..2_500).map(|n| json!({ "order_id": n, "amount": f64::from(n) + 0.5 })).collect();
    assert_eq!(all, Value::Array(expected));
    let csv = lake.text(&[
        "query",
        "--env",
        "dev",
        "select customer, count(*) as n from orders group by 1 order by 1",
        "--format",
        "csv",
    ]);
    assert_eq!(csv, "customer,n\nc0,834\nc1,833\nc2,833\n");

    let (code, said) = lake.failure(&["query", "--env", "dev", "select nothing from orders"]);
    assert_eq!(code, Some(3));
    assert!(said.starts_with("error: the query failed: ") && said.contains("nothing"), "{said}");
}

#[test]
fn a_lake_without_queries_can_be_asked_too() {
    let emulator = Emulator::start(&[]);
    let lake = Lake::new(&emulator, "iam");
    let (before, rest) = BLUEPRINT.split_once("  spending:\n").unwrap();
    let (_, after) = rest.split_once("functions:").unwrap();
    let after = after.replace("ACCESS", "iam");
    lake.write(
        &format!("{before}crawlers: {{ raw: {{ reads: [orders] }} }}\nfunctions:{after}")
            .replace("  curated: { keep: 30 days }\n", ""),
    );
    lake.deploy();
    assert_eq!(lake.text(&["query", "--env", "dev", "select 1 as one", "--format", "csv"]), "one\n1\n");
}

#[test]
fn what_an_environment_sets_holds_for_calls() {
    let emulator = Emulator::start(&[("MINISTACK_HOST", "eu-west-1.amazonaws.com")]);
    let lake = Lake::new(&emulator, "api_key");
    let set = BLUEPRINT.replace("ACCESS", "api_key");
    lake.write(&set.replace("dev: { region: eu-west-1 }", "dev: { region: eu-west-1, set: { api.access: iam } }"));
    lake.deploy();
    let answer = lake.json(&["call", "--env", "dev", "GET /hello/ann"]);
    assert_eq!(answer["signed"], json!(true));
}

#[test]
fn drift_is_found_and_is_an_exit_code() {
    let emulator = Emulator::start(&[]);
    let lake = Lake::new(&emulator, "iam");
    lake.deploy();
    let drift = ["status", "--env", "dev", "--drift", "--detailed-exitcode"];
    let text = lake.text(&drift);
    assert!(text.contains("shop-dev-serving: nothing was changed by hand"), "{text}");
    lake.boto3(
        "boto3.client('lambda').update_function_configuration(FunctionName='shop-dev-hello', Timeout=77, MemorySize=512)",
    );
    let output = lake.run(&drift);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("shop-dev-serving: 1 resource changed by hand"), "{text}");
    assert!(text.contains("→ 77"), "{text}");
    lake.text(&["status", "--env", "dev", "--drift"]);
    let (code, said) = lake.failure(&["status", "--env", "dev", "--detailed-exitcode"]);
    assert_eq!((code, said.contains("--drift")), (Some(2), true), "{said}");
}

#[test]
fn a_call_is_made_as_one_who_may() {
    // The emulator knows an API by its host when it is told of which domain it is the host.
    let emulator = Emulator::start(&[("MINISTACK_HOST", "eu-west-1.amazonaws.com")]);
    for (access, signed) in [("api_key", false), ("iam", true)] {
        let lake = Lake::new(&emulator, access);
        lake.deploy();
        let answer = lake.json(&["call", "--env", "dev", "GET /hello/ann?x=1"]);
        assert_eq!(answer["path"], json!({ "name": "ann" }));
        assert_eq!(answer["signed"], json!(signed), "{access}");
        let whole =
            lake.json(&["call", "--env", "dev", "POST /hello", "--data", r#"{"text": "hi"}"#, "--output", "json"]);
        assert_eq!(whole["status"], 200);
        assert_eq!(whole["body"]["body"], r#"{"text": "hi"}"#);
        lake.text(&["destroy", "--env", "dev", "--yes", "shop-dev", "--assets"]);
    }
}

#[test]
fn whoever_may_not_is_told_what_to_do() {
    let emulator = Emulator::start(&[]);
    let lake = Lake::new(&emulator, "iam");
    let (code, said) = lake.failure(&["status", "--env", "dve"]);
    assert_eq!(code, Some(2));
    insta::assert_snapshot!(said, @r"
    error: no environment named `dve`
      = help: did you mean `dev`?
    ");
    let (code, said) = lake.failure(&["status", "--env", "prod"]);
    assert_eq!(code, Some(3));
    insta::assert_snapshot!(said, @r"
    error: this is account 111122223333 (arn:aws:iam::111122223333:root), and environment `prod` wants 999988887777
      = help: use credentials of that account (AWS_PROFILE, `aws sso login`), or another `--env`
    ");
    let mut nobody = lake.command(&["status", "--env", "dev"]);
    nobody.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    let output = nobody.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("there are no AWS credentials that work") && said.contains("aws sso login"), "{said}");
}

/// A stack with a ledger and a function that keeps it as `docs/ledger.md` says, but in which steps take no time: the first call of
/// a step's name fails if it is called `big`.
const LEDGER: &str = r#"
code = '''
import boto3, os
from datetime import datetime, timezone
def now(): return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")
class Refused(Exception): pass
def handler(event, context):
    table = boto3.resource("dynamodb").Table(os.environ["LEDGER"])
    if "cancel" in event:
        key = {"pk": "RUNS", "sk": event["cancel"]}
        run = table.get_item(Key=key).get("Item")
        if not run: raise Refused("no run " + event["cancel"])
        table.put_item(Item=run | {"state": "CANCELLED", "ended": now()})
        return {"run": event["cancel"], "state": "CANCELLED"}
    start, run = event["start"], "20261125T030000Z-" + event["id"][-4:]
    steps = start.get("steps")
    if start.get("pipeline") == "closed": raise Refused("the pipeline `closed` is closed")
    ok = steps != ["spending"]
    for kind, step, state in [("crawler", "raw", "SUCCEEDED"), ("query", "spending", "SUCCEEDED" if ok else "FAILED")]:
        item = {"run": run, "step": step, "kind": kind, "state": state, "attempt": 2, "execution": "x-" + step,
                "started": "2026-11-25T03:00:00.000Z", "ended": "2026-11-25T03:00:02.500Z"}
        if state == "FAILED": item["message"] = "COLUMN_NOT_FOUND: line 1:8"
        table.put_item(Item=item | {"pk": "RUN#" + run, "sk": step})
        table.put_item(Item=item | {"pk": "LAST", "sk": step})
    state = "RUNNING" if start.get("pipeline") == "slow" else "SUCCEEDED" if ok else "FAILED"
    table.put_item(Item={"pk": "RUNS", "sk": run, "run": run, "cause": "call", "state": state, "asked": now(),
                         "started": "2026-11-25T03:00:00.000Z", "ended": "2026-11-25T03:00:03.000Z"})
    return {"run": run, "state": state}
'''
template = {"Resources": {
    "RunLedger": {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": "shop-dev-run-ledger",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk")],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]}},
    "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}}},
    "Advance": {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": "shop-dev-run-advance", "Runtime": "python3.13",
        "Handler": "index.handler", "Timeout": 60, "Role": {"Fn::GetAtt": ["Role", "Arn"]}, "Code": {"ZipFile": code},
        "Environment": {"Variables": {"LEDGER": {"Ref": "RunLedger"}}}}}},
  "Outputs": {"RunLedger": {"Value": {"Ref": "RunLedger"}}, "AdvanceFunction": {"Value": {"Ref": "Advance"}},
              "ApiUrl": {"Value": "https://a.execute-api.eu-west-1.amazonaws.com/v1"}}}
cloudformation = boto3.client("cloudformation")
cloudformation.create_stack(StackName="shop-dev-pipelines", TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"],
    Tags=[{"Key": "lakegen:lake", "Value": "shop"}, {"Key": "lakegen:environment", "Value": "dev"}])
cloudformation.get_waiter("stack_create_complete").wait(StackName="shop-dev-pipelines", WaiterConfig={"Delay": 1})
"#;

#[test]
fn a_run_is_started_and_followed_and_its_steps_are_remembered() {
    let emulator = Emulator::start(&[]);
    let lake = Lake::new(&emulator, "iam");
    lake.boto3(LEDGER);

    let output = lake.run(&["run", "--env", "dev"]);
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(0), "{out}{err}{}", emulator.log());
    assert_eq!(
        out,
        "  step            state  rows  seconds\n  crawler raw     done             2.5\n  query spending  done             2.5\n\ndone (3.0 s)\n"
    );
    assert!(err.contains("✓ crawler raw") && err.contains("✓ query spending"), "{err}");

    let (code, said) = lake.failure(&["run", "--env", "dev", "spending"]);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("error: query spending failed: COLUMN_NOT_FOUND"), "{said}");

    let status = lake.json(&["status", "--env", "dev", "--output", "json"]);
    assert_eq!(status["stacks"][0]["status"], "CREATE_COMPLETE");
    assert_eq!(status["steps"][1]["step"], "spending");
    assert_eq!(status["steps"][1]["state"], "FAILED");
    assert_eq!(status["runs"].as_array().map(Vec::len), Some(2));
    let text = lake.text(&["status", "--env", "dev"]);
    assert!(text.contains("query spending  failed     2026-11-25 03:00:00"), "{text}");

    lake.boto3(
        "boto3.resource('dynamodb').Table('shop-dev-run-ledger').put_item(Item={'pk': 'RELEASES', 'sk': 'rank', 'model': 'rank', \
         'state': 'REFUSED', 'training': 'rank-2', 'refusals': ['auc is 0.5'], 'live': {'training': 'rank-1', 'since': \
         '2026-11-24T03:00:00.000Z'}})",
    );
    let text = lake.text(&["status", "--env", "dev"]);
    assert!(text.contains("rank   rank-1  2026-11-24 03:00:00  refused"), "{text}");

    let (code, said) = lake.failure(&["run", "--env", "dev", "--follow", "20200101T000000Z-0"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("there is no run `20200101T000000Z-0`"), "{said}");
    let (code, said) = lake.failure(&["run", "--env", "dev", "--force"]);
    assert_eq!(code, Some(2), "{said}");
    let (code, said) = lake.failure(&["run", "--env", "dev", "spendng"]);
    assert_eq!((code, said.contains("did you mean `spending`?")), (Some(2), true), "{said}");
}

#[test]
fn ctrl_c_leaves_a_run_to_itself_and_it_can_be_followed_and_stopped() {
    use std::io::{BufRead, BufReader};
    let emulator = Emulator::start(&[]);
    let lake = Lake::new(&emulator, "iam");
    lake.write(&format!(
        "{}pipelines: {{ slow: {{ start: manual }}, closed: {{ start: manual }} }}\n",
        BLUEPRINT.replace("ACCESS", "iam")
    ));
    lake.boto3(LEDGER);

    let (code, said) = lake.failure(&["run", "--env", "dev", "--pipeline", "closed"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("the pipeline `closed` is closed"), "{said}");

    let mut child = lake
        .command(&["run", "--env", "dev", "--pipeline", "slow"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let first = lines.by_ref().find(|line| line.starts_with("run ")).unwrap();
    let run = first.split(' ').nth(1).unwrap().to_owned();
    lines.by_ref().find(|line| line.contains("query spending")).unwrap();
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(
        rest,
        [
            format!("error: interrupted: run {run} goes on"),
            format!("  = help: `lakegen run --env dev --follow {run}` follows it, `--cancel {run}` stops it"),
        ]
    );
    let (code, said) = lake.failure(&["run", "--env", "dev", "--cancel", &run]);
    assert_eq!(code, Some(0), "{said}");
    let status = lake.json(&["status", "--env", "dev", "--output", "json"]);
    assert_eq!(status["runs"][0]["state"], "CANCELLED");
}

/// Puts objects into a bucket: of some keys three versions and a delete marker.
const FILL: &str = r#"
s3 = boto3.client("s3")
for n in range(1200):
    s3.put_object(Bucket=BUCKET, Key=f"orders/{n}", Body=b"x")
for n in range(3):
    s3.put_object(Bucket=BUCKET, Key="orders/again", Body=b"%d" % n)
s3.delete_object(Bucket=BUCKET, Key="orders/again")
s3.put_object(Bucket=BUCKET.replace("-raw-", "-") + "-logs", Key="raw/2026", Body=b"somebody looked")
"#;

#[test]
fn what_is_destroyed_is_emptied_first_and_nothing_is_left() {
    let emulator = Emulator::start(&[]);
    let lake = Lake::new(&emulator, "api_key");
    let (code, said) = lake.failure(&["destroy", "--env", "prod", "--yes", "shop-prod"]);
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("`prod` is protected"), "{said}");
    assert_eq!(lake.text(&["destroy", "--env", "dev", "--yes", "shop-dev"]), "there was nothing to destroy\n");

    lake.deploy();
    lake.boto3(&format!("BUCKET = 'shop-dev-raw-111122223333-eu-west-1'\n{FILL}"));
    let (code, said) = lake.failure(&["destroy", "--env", "dev"]);
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("`--yes shop-dev` says that it is meant"), "{said}");
    assert!(said.contains("AWS::S3::Bucket shop-dev-raw-111122223333-eu-west-1"), "{said}");
    let (code, said) = lake.failure(&["destroy", "--env", "dev", "--yes", "shop-prod"]);
    assert_eq!(code, Some(5), "{said}");
    let stacks = "print(sorted(s['StackName'] for s in boto3.client('cloudformation').describe_stacks()['Stacks']))";
    assert!(lake.boto3(stacks).contains("shop-dev-storage"), "nothing goes unless it is confirmed");

    let output = lake.run(&["destroy", "--env", "dev", "--yes", "shop-dev", "--output", "json"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}{}", emulator.log());
    assert!(said.contains("emptied shop-dev-raw-111122223333-eu-west-1: 1,204 versions of objects"), "{said}");
    let destroyed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let stacks_in_order: Vec<&str> = destroyed["stacks"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(stacks_in_order.last(), Some(&"shop-dev-storage"));
    assert_eq!(destroyed["assets"], Value::Null);
    assert_eq!(lake.boto3(stacks), "[]");
    let buckets = "print(sorted(b['Name'] for b in boto3.client('s3').list_buckets()['Buckets']))";
    assert_eq!(lake.boto3(buckets), "['shop-dev-111122223333-eu-west-1-assets']");

    let again = lake.text(&["destroy", "--env", "dev", "--yes", "shop-dev", "--assets"]);
    assert_eq!(again, "deleted shop-dev-111122223333-eu-west-1-assets and the assets in it\n");
    assert_eq!(lake.boto3(buckets), "[]");
}

#[test]
fn assets_that_no_stack_speaks_of_are_collected() {
    let emulator = Emulator::start(&[]);
    let lake = Lake::new(&emulator, "api_key");
    lake.deploy();
    let bucket = "shop-dev-111122223333-eu-west-1-assets";
    let keys = format!("print(len(boto3.client('s3').list_objects_v2(Bucket='{bucket}').get('Contents', [])))");
    let used: usize = lake.boto3(&keys).parse().unwrap();
    lake.boto3(&format!("boto3.client('s3').put_object(Bucket='{bucket}', Key='assets/0000.zip', Body=b'old')"));
    let young = lake.json(&["gc", "--env", "dev", "--output", "json"]);
    assert_eq!(young["unused"], json!([]), "what has just been uploaded may be needed in a moment");
    let args = ["gc", "--env", "dev", "--older-than", "0", "--output", "json"];
    // The clock of S3 counts whole seconds: what was uploaded in this one is not older than now.
    let unused = |args: &[&str]| loop {
        let found = lake.json(args);
        if found["unused"].as_array().is_some_and(|unused| !unused.is_empty()) {
            return found;
        }
    };
    let found = unused(&args);
    let removed: Vec<&str> = found["unused"].as_array().unwrap().iter().filter_map(|o| o["key"].as_str()).collect();
    assert!(removed.contains(&"assets/0000.zip"), "{removed:?}");
    assert!(removed.iter().all(|key| *key == "assets/0000.zip" || key.starts_with("templates/")), "{removed:?}");
    lake.text(&["gc", "--env", "dev", "--older-than", "0", "--remove"]);
    assert_eq!(lake.boto3(&keys).parse::<usize>().unwrap(), used + 1 - removed.len());
    let answer = lake.text(&["deploy", "--env", "dev", "--yes"]);
    assert!(answer.contains("nothing to do"), "{answer}");
}

#[test]
fn a_bucket_that_was_there_is_adopted_with_what_is_in_it_and_stays() {
    let emulator = Emulator::start(&[]);
    let lake = Lake::new(&emulator, "iam");
    let blueprint = BLUEPRINT.replace("ACCESS", "iam");
    lake.write(&blueprint.replace("raw: { keep: forever }", "raw: { adopt: { dev: our-data } }"));
    let (code, said) = lake.failure(&["deploy", "--env", "dev", "--yes"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("the bucket `our-data` cannot be adopted: there is no such bucket"), "{said}");

    lake.boto3(
        "s3 = boto3.client('s3')\n\
         s3.create_bucket(Bucket='our-data', CreateBucketConfiguration={'LocationConstraint': 'eu-west-1'})\n\
         s3.put_object(Bucket='our-data', Key='orders/2019.csv', Body=b'order_id,customer,amount\\n1,ann,2.5\\n')",
    );
    lake.deploy();
    let rows = lake.text(&["query", "--env", "dev", "select customer, amount from orders", "--format", "csv"]);
    assert_eq!(rows, "customer,amount\nann,2.5\n");
    let owner = "print(boto3.client('cloudformation').describe_stack_resource(StackName='shop-dev-storage', LogicalResourceId='ZoneBucketRaw')['StackResourceDetail']['PhysicalResourceId'])";
    assert_eq!(lake.boto3(owner), "our-data");
    let versions = "print(boto3.client('s3').get_bucket_versioning(Bucket='our-data').get('Status'))";
    assert_eq!(lake.boto3(versions), "Enabled", "it has the settings of the lake's buckets");
    let again = lake.text(&["deploy", "--env", "dev", "--yes"]);
    assert!(again.contains("nothing to do"), "{again}");

    let destroyed = lake.text(&["destroy", "--env", "dev", "--yes", "shop-dev"]);
    assert!(
        destroyed.contains("what stays in the account:") && destroyed.contains("AWS::S3::Bucket our-data"),
        "{destroyed}"
    );
    let left = "print([o['Key'] for o in boto3.client('s3').list_objects_v2(Bucket='our-data')['Contents']])";
    assert_eq!(lake.boto3(left), "['orders/2019.csv']");
}

#[test]
fn a_renamed_zone_keeps_its_bucket() {
    let emulator = Emulator::start(&[]);
    let lake = Lake::new(&emulator, "iam");
    lake.deploy();
    lake.boto3(
        "boto3.client('s3').put_object(Bucket='shop-dev-raw-111122223333-eu-west-1', Key='orders/a.csv', \
         Body=b'order_id,customer,amount\\n1,ann,2.5\\n')",
    );
    let renamed = BLUEPRINT
        .replace("ACCESS", "iam")
        .replace("raw: { keep: forever }", "landing: { was: raw }")
        .replace("zone: raw", "zone: landing")
        .replace("  orders:\n", "  purchases:\n    was: orders\n")
        .replace("reads: [orders]", "reads: [purchases]")
        .replace("from orders", "from purchases");
    lake.write(&renamed);
    lake.deploy();
    let rows = lake.text(&["query", "--env", "dev", "select customer, amount from purchases", "--format", "csv"]);
    assert_eq!(rows, "customer,amount\nann,2.5\n");
}
