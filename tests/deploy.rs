//! The whole life of a deployed lake, against an AWS emulator; what is there afterwards is looked at with boto3.
//!
//! `LAKEGEN_KILLS=200` and `LAKEGEN_FAULTS=all` make some of the tests longer.

#![allow(clippy::print_stderr, reason = "the counts of a campaign are its result")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;
use support::emulator::Emulator;
use support::lake::{Lake, REGION, said};
use support::proxy::Proxy;

/// Stacks, their resources and the objects of the asset bucket of a lake, without what differs between two lakes of one content.
fn state(emulator: &Emulator, lake: &str) -> String {
    let script = r#"
cloudformation, s3 = boto3.client("cloudformation"), boto3.client("s3")
stacks = cloudformation.get_paginator("describe_stacks").paginate().build_full_result()["Stacks"]
for stack in sorted(stacks, key=lambda stack: stack["StackName"]):
    if not stack["StackName"].startswith("LAKE-"): continue
    print(stack["StackName"], stack["StackStatus"], stack["EnableTerminationProtection"])
    resources = cloudformation.describe_stack_resources(StackName=stack["StackName"])["StackResources"]
    print(sorted(" ".join([resource["ResourceType"], resource["ResourceStatus"]]) for resource in resources))
    print(" ", len(cloudformation.list_change_sets(StackName=stack["StackName"])["Summaries"]), "change sets")
for bucket in sorted(s3.list_buckets()["Buckets"], key=lambda bucket: bucket["Name"]):
    if bucket["Name"].startswith("LAKE-"): print(bucket["Name"])
    if bucket["Name"].startswith("LAKE-") and bucket["Name"].endswith("-assets"):
        objects = s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", [])
        print(sorted(object["Key"].rpartition(".")[2] for object in objects))
"#;
    emulator.boto3(REGION, &script.replace("LAKE", lake)).replace(lake, "LAKE")
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
    let lake = Lake::bikes(&emulator);

    let plan = lake.run(2, &["plan", "--env", "dev", "--detailed-exitcode"]);
    assert!(plan.contains("+ AWS::S3::Bucket ZoneBucketRaw  (zones.raw)"), "{plan}");
    assert_eq!(statuses(&emulator), "", "a plan creates nothing");

    let first = lake.run(0, &["deploy", "--env", "dev"]);
    assert!(first.contains("stacks changed"), "{first}");
    let there = "bikes-dev-pipelines CREATE_COMPLETE False\nbikes-dev-processing CREATE_COMPLETE False\nbikes-dev-serving CREATE_COMPLETE False\n\
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
    let markdown = lake.run(0, &["plan", "--env", "dev", "--format", "markdown"]);
    assert!(markdown.contains("### bikes in dev\n"), "{markdown}");
    let row = "| ~ | AWS::Glue::Job | GlueJobCountFlows | jobs.count&#95;flows | WorkerType: G.1X → G.2X |";
    assert!(markdown.contains(row), "{markdown}");
    let sets = r#"print(boto3.client("cloudformation").list_change_sets(StackName="bikes-dev-storage")["Summaries"])"#;
    assert_eq!(emulator.boto3(REGION, sets), "[]", "a plan takes its change sets away");

    let changed = lake.run(0, &["deploy", "--env", "dev"]);
    assert!(changed.contains("done: 2 stacks changed"), "{changed}");
    let job = r#"print(boto3.client("glue").get_job(JobName="bikes-dev-count_flows")["Job"]["WorkerType"])"#;
    assert_eq!(emulator.boto3(REGION, job), "G.2X");
    let again = lake.run(0, &["deploy", "--env", "dev"]);
    assert!(again.contains("nothing to do"), "{again}");

    lake.run(0, &["destroy", "--env", "dev", "--yes", "bikes-dev", "--assets"]);
    assert_eq!(statuses(&emulator), "");
    assert_eq!(emulator.boto3(REGION, r#"print(boto3.client("s3").list_buckets()["Buckets"])"#), "[]");
}

#[test]
fn what_a_protected_environment_holds_stays_and_can_be_had_back() {
    let emulator = Emulator::start(&[]);
    let lake = Lake::small(&emulator, "safe");
    lake.edit("dev: { region: eu-central-1 }", "dev: { region: eu-central-1, protected: true }");
    lake.run(0, &["deploy", "--env", "dev"]);
    let policy = || {
        let script = r#"
policy = boto3.client("cloudformation").get_stack_policy(StackName="safe-dev-storage")["StackPolicyBody"]
print([[one["Effect"], one["Action"]] for one in json.loads(policy)["Statement"]])
"#;
        emulator.boto3(REGION, script)
    };
    assert!(statuses(&emulator).contains("safe-dev-storage CREATE_COMPLETE True"), "termination protection");
    assert_eq!(policy(), "[['Allow', 'Update:*'], ['Deny', ['Update:Replace', 'Update:Delete']]]");
    let destroy = ["destroy", "--env", "dev", "--yes", "safe-dev"];
    assert!(lake.run(5, &destroy).contains("`dev` is protected"));

    let zone = "  spare: { keep: 30 days }\n";
    lake.edit(zone, "");
    let plan = lake.run(0, &["plan", "--env", "dev"]);
    let left = "safe-dev-spare-111122223333-eu-central-1 stays in the account with what it holds, no longer the lake's";
    assert!(plan.contains("data would be left behind") && plan.contains(left), "{plan}");
    let refused = lake.run(5, &["deploy", "--env", "dev", "--yes", "--allow-data-loss", "zones.spare"]);
    assert!(refused.contains("zones.spare holds data and the environment is protected"), "{refused}");

    lake.edit(", protected: true", "");
    assert!(lake.run(5, &destroy).contains("termination protection"));
    lake.run(5, &["deploy", "--env", "dev"]);
    lake.run(0, &["deploy", "--env", "dev", "--yes"]);
    assert_eq!(policy(), "[['Allow', 'Update:*']]");

    lake.edit("zones:\n", &format!("zones:\n{zone}"));
    let taken = lake.run(3, &["deploy", "--env", "dev", "--yes"]);
    assert!(taken.contains("a bucket of your own becomes the zone's with `adopt`"), "{taken}");
    let bucket = "safe-dev-spare-111122223333-eu-central-1";
    lake.edit("spare: { keep: 30 days }", &format!("spare: {{ keep: 30 days, adopt: {{ dev: {bucket} }} }}"));
    lake.run(0, &["deploy", "--env", "dev", "--yes"]);
    let destroyed = lake.run(0, &destroy);
    assert!(destroyed.contains(&format!("what stays in the account:\n  AWS::S3::Bucket {bucket}")), "{destroyed}");
}

#[test]
fn no_call_is_made_that_is_not_needed() {
    let emulator = Emulator::start(&[]);
    let proxy = Proxy::start(&emulator);
    let lake = Lake::small(&emulator, "calls").through(&proxy);
    // How many stacks are created, how many are changed, and how many objects are uploaded, as the plan says.
    let planned = || {
        let plan = lake.lakegen(&["plan", "--env", "dev", "--output", "json"]);
        let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
        let does = |what: &str| plan["stacks"].as_array().unwrap().iter().filter(|stack| stack["does"] == what).count();
        (does("create"), does("update"), usize::try_from(plan["uploads"].as_u64().unwrap()).unwrap())
    };
    let expected = |(create, update, uploads): (usize, usize, usize)| {
        let of = |times: usize, calls: &[&'static str]| calls.repeat(times);
        let bucket = ["PUT bucket", "PUT bucket", "PUT bucket", "PUT bucket"];
        let mut calls = [
            vec!["GetCallerIdentity", "DescribeStacks", "GET bucket"],
            // Made, then its policy, its life cycle and its tags.
            of(usize::from(create > 0), &bucket),
            of(uploads, &["PUT assets"]),
            // Each stack is looked at once when it has ended.
            of(create, &["CreateStack", "DescribeStacks"]),
            // The emulator's change sets lack properties, so a template is read.
            of(update, &["CreateChangeSet", "DescribeChangeSet", "GetTemplate", "ExecuteChangeSet", "DescribeStacks"]),
        ]
        .concat();
        calls.sort_unstable();
        calls
    };
    let deploy = || {
        proxy.breaks(0, "none");
        lake.run(0, &["deploy", "--env", "dev"]);
        let mut calls = proxy.calls();
        for call in &mut calls {
            let object = call.split_once("-assets/").map(|(_, rest)| rest.split(['?', '/']).next().unwrap().to_owned());
            match object {
                Some(folder) if call.starts_with("PUT") && !folder.is_empty() => *call = format!("PUT {folder}"),
                _ if call.contains("-assets") => *call = call.split_once(" /").unwrap().0.to_owned() + " bucket",
                _ => {}
            }
        }
        // Following takes as many looks as it takes.
        calls.retain(|call| call != "DescribeStackEvents");
        calls.sort();
        calls
    };
    let plan = planned();
    assert_eq!(plan, (3, 0, 3));
    assert_eq!(deploy(), expected(plan), "three stacks and the bucket are made");

    let plan = planned();
    assert_eq!(plan, (0, 0, 0));
    assert_eq!(deploy(), expected(plan), "nothing is to be done, in three calls");

    lake.edit("keep: 400 days", "keep: 300 days");
    let plan = planned();
    assert_eq!(plan, (0, 1, 0));
    assert_eq!(deploy(), expected(plan), "one stack changes");
}

#[test]
fn data_is_not_lost_unless_it_is_named() {
    let emulator = Emulator::start(&[]);
    let lake = Lake::small(&emulator, "loss");
    lake.run(0, &["deploy", "--env", "dev"]);
    lake.edit("  spare: { keep: 30 days }\n", "");
    let before = state(&emulator, "loss");
    for args in [["deploy", "--env", "dev"].as_slice(), &["deploy", "--env", "dev", "--yes"]] {
        let refused = lake.run(5, args);
        assert!(refused.contains("zones.spare would be lost; `--allow-data-loss zones.spare` allows it"), "{refused}");
        assert!(
            refused.contains("loss-dev-spare-111122223333-eu-central-1 is deleted with what it holds"),
            "{refused}"
        );
        assert_eq!(state(&emulator, "loss"), before, "nothing has changed and nothing is left lying about");
    }
    let plan = lake.run(0, &["plan", "--env", "dev"]);
    assert!(plan.contains("- AWS::S3::Bucket ZoneBucketSpare  (zones.spare)"), "{plan}");
    // A table may be called like a zone: only the whole name is meant.
    for other in ["zones.raw", "spare"] {
        let refused = lake.run(5, &["deploy", "--env", "dev", "--yes", "--allow-data-loss", other]);
        assert!(refused.contains("zones.spare would be lost"), "{refused}");
    }
    let allowed = lake.run(0, &["deploy", "--env", "dev", "--yes", "--allow-data-loss", "zones.spare"]);
    assert!(allowed.contains("updated loss-dev-storage"), "{allowed}");
    let buckets = r#"print([b["Name"] for b in boto3.client("s3").list_buckets()["Buckets"] if "spare" in b["Name"]])"#;
    assert_eq!(emulator.boto3(REGION, buckets), "[]");
}

#[test]
fn a_failure_says_its_first_cause_and_the_next_run_clears_it_away() {
    let emulator = Emulator::start(&[]);
    let lake = Lake::small(&emulator, "taken");
    let bucket = "taken-dev-raw-111122223333-eu-central-1";
    let make = r#"boto3.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})"#;
    emulator.boto3(REGION, &make.replace("BUCKET", &format!("{bucket:?}")));
    let failed = lake.run(3, &["deploy", "--env", "dev"]);
    assert!(failed.contains("already exists"), "{failed}");
    assert!(failed.contains("names of buckets are global and this one is taken"), "{failed}");
    let free = r#"boto3.client("s3").delete_bucket(Bucket=BUCKET)"#;
    emulator.boto3(REGION, &free.replace("BUCKET", &format!("{bucket:?}")));
    let mended = lake.run(0, &["deploy", "--env", "dev"]);
    assert!(mended.contains("cleared away taken-dev-storage"), "{mended}");
    assert!(state(&emulator, "taken").contains("LAKE-dev-processing CREATE_COMPLETE"));
}

#[test]
fn what_is_wrong_before_anything_is_touched_is_said() {
    let emulator = Emulator::start(&[]);
    let lake = Lake::small(&emulator, "wrong");
    let account = lake.run(3, &["deploy", "--env", "prod"]);
    assert!(account.contains("this is account 111122223333"), "{account}");
    assert!(account.contains("environment `prod` wants 444455556666"), "{account}");
    let unknown = lake.run(2, &["deploy", "--env", "pord"]);
    assert!(unknown.contains("did you mean `prod`?"), "{unknown}");
    lake.run(2, &["plan", "--env", "local"]);
    let output = lake.command(&["deploy", "--env", "dev"]).env_remove("AWS_ACCESS_KEY_ID").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(said(&output).contains("there are no AWS credentials that work"), "{}", said(&output));
    assert_eq!(state(&emulator, "wrong"), "");
}

/// Whatever the SDK takes credentials from; nothing has to be set up for lakegen.
#[test]
fn credentials_come_from_wherever_the_sdk_finds_them() {
    let emulator = Emulator::start(&[]);
    let lake = Lake::small(&emulator, "signed");
    let file = |name: &str, text: &str| {
        let path = emulator.folder().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let keys = file("keys.json", r#"{"Version": 1, "AccessKeyId": "111122223333", "SecretAccessKey": "secret"}"#);
    let token = file("token", "a token of GitHub's");
    let config = format!(
        "[profile keys]\naws_access_key_id = 111122223333\naws_secret_access_key = secret\n\
         [profile assumed]\nrole_arn = arn:aws:iam::111122223333:role/deployer\nsource_profile = keys\n\
         [profile process]\ncredential_process = cat {keys}\n\
         [profile web]\nrole_arn = arn:aws:iam::111122223333:role/ci\nweb_identity_token_file = {token}\n\
         [profile sso]\nsso_session = work\nsso_account_id = 111122223333\nsso_role_name = Deployer\n\
         [sso-session work]\nsso_region = {REGION}\nsso_start_url = https://work.example/start\n"
    );
    let config = file("config", &config);
    // Where `aws sso login` leaves the token of a session: the file is named by the SHA-1 of `work`.
    let cache = emulator.folder().join(".aws/sso/cache");
    std::fs::create_dir_all(&cache).unwrap();
    let login = r#"{"accessToken": "a login", "expiresAt": "2099-01-01T00:00:00Z"}"#;
    std::fs::write(cache.join("e274eeff768c6396088ec6eb091f4bf4d47ab1e0.json"), login).unwrap();
    let portal = portal();
    let home = emulator.folder().display().to_string();
    let role = ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/ci");
    for (variables, caller) in [
        (vec![("AWS_PROFILE", "keys")], "as root"),
        (vec![("AWS_PROFILE", "process")], "as root"),
        (vec![("AWS_PROFILE", "assumed")], "as assumed-role/deployer/"),
        (vec![("AWS_PROFILE", "web")], "as assumed-role/ci/"),
        (vec![("AWS_PROFILE", "sso"), ("HOME", &home), ("AWS_ENDPOINT_URL_SSO", &portal)], "as root"),
        (vec![role, ("AWS_WEB_IDENTITY_TOKEN_FILE", token.as_str())], "as assumed-role/ci/"),
    ] {
        let mut command = lake.command(&["plan", "--env", "dev"]);
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY").env("AWS_CONFIG_FILE", &config);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        assert!(output.status.success() && said(&output).contains(caller), "{variables:?}: {}", said(&output));
    }
}

/// The address of an IAM Identity Center, which no emulator has: it gives credentials of the account to whoever shows the login.
fn portal() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut request = String::new();
        let mut reader = BufReader::new(client.try_clone().unwrap());
        while reader.read_line(&mut request).unwrap() > "\r\n".len() {}
        let asked = request.starts_with("GET /federation/credentials?")
            && ["role_name=Deployer", "account_id=111122223333", "a login"].iter().all(|part| request.contains(part));
        let credentials = json!({ "accessKeyId": "111122223333", "secretAccessKey": "secret", "sessionToken": "session",
            "expiration": 4_070_908_800_000_i64 });
        let (status, body) = match asked {
            true => ("200 OK", json!({ "roleCredentials": credentials }).to_string()),
            false => ("401 Unauthorized", request),
        };
        let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n");
        write!(client, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
    });
    address
}

#[test]
fn an_asset_that_somebody_deleted_is_uploaded_again() {
    let emulator = Emulator::start(&[]);
    let lake = Lake::small(&emulator, "gone");
    lake.run(0, &["deploy", "--env", "dev"]);
    let before = state(&emulator, "gone");
    let delete = r#"
s3 = boto3.resource("s3").Bucket("gone-dev-111122223333-eu-central-1-assets")
s3.objects.all().delete()
"#;
    emulator.boto3(REGION, delete);
    let healed = lake.run(0, &["deploy", "--env", "dev"]);
    assert!(healed.contains("3 objects uploaded"), "{healed}");
    assert_eq!(state(&emulator, "gone"), before);
}

#[test]
fn two_at_once_end_as_one() {
    let emulator = Emulator::start(&[]);
    let alone = Lake::small(&emulator, "alone");
    alone.run(0, &["deploy", "--env", "dev"]);
    let expected = state(&emulator, "alone");
    let lake = Lake::small(&emulator, "both");
    let spawn =
        || lake.command(&["deploy", "--env", "dev"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (one, two) = (spawn(), spawn());
    for output in [one.wait_with_output().unwrap(), two.wait_with_output().unwrap()] {
        assert!(output.status.success(), "{}", said(&output));
    }
    assert_eq!(state(&emulator, "both"), expected);
}

#[test]
fn expired_credentials_in_the_middle_are_called_so_and_nothing_is_lost() {
    let emulator = Emulator::start(&[]);
    let proxy = Proxy::start(&emulator);
    let lake = Lake::small(&emulator, "late").through(&proxy);
    for at in [1, 4, 9, 12] {
        proxy.breaks(at, "expired");
        let expired = lake.run(3, &["deploy", "--env", "dev"]);
        assert!(expired.contains("is expired"), "{expired}");
        assert!(expired.contains("sign in again"), "{expired}");
    }
    proxy.breaks(0, "none");
    lake.run(0, &["deploy", "--env", "dev"]);
    assert!(state(&emulator, "late").contains("LAKE-dev-processing CREATE_COMPLETE"));
}

/// A command that is run again and again, each time with another call that breaks.
struct Campaign {
    /// What comes before it, undisturbed.
    before: fn(&Lake<'_>),
    /// The command, for a lake of that name.
    command: fn(&str) -> Vec<String>,
    /// Without `LAKEGEN_FAULTS=all` one fault is tried, and only on every so many calls.
    every: usize,
}

impl Campaign {
    /// Whatever happens to whichever call, the command ends right, or says what to do and the next one does.
    fn run(&self) {
        const KINDS: [&str; 9] =
            ["throttle", "error", "lost", "reset", "truncated", "slow", "silent", "twice", "doubled"];
        let args = |name: &str| (self.command)(name);
        let emulator = Emulator::start(&[]);
        let proxy = Proxy::start(&emulator);
        let alone = Lake::small(&emulator, "alone").through(&proxy);
        (self.before)(&alone);
        proxy.breaks(0, "none");
        let undisturbed = alone.command(&[]).args(args("alone")).output().unwrap();
        assert!(undisturbed.status.success(), "{}", said(&undisturbed));
        let (expected, calls) = (state(&emulator, "alone"), proxy.calls().len());
        let all = std::env::var("LAKEGEN_FAULTS").is_ok_and(|value| value == "all");
        let faults = (1..=calls).flat_map(|at| KINDS.iter().enumerate().map(move |(n, kind)| (at, n, *kind)));
        let chosen = |at: usize, n: usize| at.is_multiple_of(self.every) && n == at / self.every % KINDS.len();
        let faults: Vec<_> = faults.filter(|(at, n, _)| all || chosen(*at, *n)).collect();
        let mut again = Vec::new();
        // More stacks than one answer holds would be more calls.
        for faults in faults.chunks(30) {
            let emulator = Emulator::start(&[]);
            let proxy = Proxy::start(&emulator);
            for &(at, _, kind) in faults {
                let name = format!("f{at}{kind}");
                let lake = Lake::small(&emulator, &name).through(&proxy);
                proxy.breaks(0, "none");
                (self.before)(&lake);
                proxy.breaks(at, kind);
                let mut command = lake.command(&[]);
                if kind == "silent" {
                    command.env("LAKEGEN_TIMEOUT", "1.5");
                }
                let first = command.args(args(&name)).output().unwrap();
                if !first.status.success() {
                    assert_eq!(first.status.code(), Some(3), "{kind} of call {at}: {}", said(&first));
                    assert!(said(&first).contains("= help: "), "{kind} of call {at}: {}", said(&first));
                    again.push(format!("{kind} of call {at}"));
                    proxy.breaks(0, "none");
                    let second = lake.command(&[]).args(args(&name)).output().unwrap();
                    assert!(second.status.success(), "after {kind} of call {at}: {}", said(&second));
                }
                assert_eq!(state(&emulator, &name), expected, "{kind} of call {at}: {}", said(&first));
            }
        }
        let runs = faults.len();
        eprintln!("{runs} faults on {calls} calls; a second run was needed {} times: {again:?}", again.len());
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

/// A lake that is there, and of which every stack is to change: a zone goes, a script is another, a job is called otherwise.
fn to_be_changed(lake: &Lake<'_>) {
    lake.run(0, &["deploy", "--env", "dev"]);
    lake.edit("  spare: { keep: 30 days }\n", "");
    lake.edit("keep: 400 days", "keep: 300 days");
    lake.edit("  count: {", "  recount: {");
    std::fs::write(lake.blueprint().with_file_name("../job.py"), "print('counting again')\n").unwrap();
}

#[test]
fn any_call_of_a_first_deploy_may_break() {
    Campaign { before: |_| {}, command: |_| words("deploy --env dev"), every: 1 }.run();
}

#[test]
fn any_call_of_a_change_may_break() {
    let command = |_: &str| words("deploy --env dev --yes --allow-data-loss zones.spare");
    Campaign { before: to_be_changed, command, every: 2 }.run();
}

/// A bucket that was there before the lake comes into a stack of it.
#[test]
fn any_call_of_an_adoption_may_break() {
    let before = |lake: &Lake<'_>| {
        let text = std::fs::read_to_string(lake.blueprint()).unwrap();
        let name = text.lines().find_map(|line| line.strip_prefix("name: ")).unwrap();
        let make = "boto3.client('s3').create_bucket(Bucket=BUCKET, \
                    CreateBucketConfiguration={'LocationConstraint': 'eu-central-1'})";
        lake.boto3(&make.replace("BUCKET", &format!("'{name}-old'")));
        lake.run(0, &["deploy", "--env", "dev"]);
        lake.edit("zones:\n", &format!("zones:\n  old: {{ adopt: {{ dev: {name}-old }} }}\n"));
    };
    Campaign { before, command: |_| words("deploy --env dev"), every: 3 }.run();
}

#[test]
fn any_call_of_a_plan_may_break() {
    Campaign { before: to_be_changed, command: |_| words("plan --env dev"), every: 2 }.run();
}

#[test]
fn any_call_of_a_destruction_may_break() {
    let before = |lake: &Lake<'_>| {
        lake.run(0, &["deploy", "--env", "dev"]);
    };
    let command = |name: &str| words(&format!("destroy --env dev --yes {name}-dev --assets"));
    Campaign { before, command, every: 2 }.run();
}

/// Killed at any moment and run again, it ends as if undisturbed.
#[test]
fn it_may_be_killed_at_any_moment() {
    let emulator = Emulator::start(&[]);
    let undisturbed = Lake::small(&emulator, "alone");
    let started = Instant::now();
    undisturbed.run(0, &["deploy", "--env", "dev"]);
    let whole = started.elapsed();
    let expected = state(&emulator, "alone");
    let kills: u32 = std::env::var("LAKEGEN_KILLS").ok().and_then(|value| value.parse().ok()).unwrap_or(8);
    let (mut killed, mut lucky) = (0, 0);
    let mut random = 2_017_u64;
    for number in 0..kills {
        let name = format!("k{number}");
        let lake = Lake::small(&emulator, &name);
        let mut child =
            lake.command(&["deploy", "--env", "dev"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let moment = whole.mul_f64((random >> 11) as f64 / (1_u64 << 53) as f64);
        std::thread::sleep(moment.max(Duration::from_millis(1)));
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            killed += 1;
        } else {
            lucky += 1;
        }
        child.wait().unwrap();
        lake.run(0, &["deploy", "--env", "dev"]);
        assert_eq!(state(&emulator, &name), expected, "killed after {moment:?} of {whole:?}");
    }
    eprintln!("{killed} killed, {lucky} finished before; all as if undisturbed");
}
