//! What can go wrong on the way to AWS, with the real binary: each cause is named, with what to do about it, and the same command
//! again ends right.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use support::emulator::Emulator;
use support::fake::Fake;
use support::lake::{Lake, REGION, said};
use support::proxy::Proxy;
use support::root;

const DEPLOY: [&str; 4] = ["deploy", "--env", "dev", "--yes"];

/// An emulator for S3, and a CloudFormation that takes eight steps a look.
fn start() -> (Emulator, Fake) {
    let emulator = Emulator::start(&[]);
    let fake = Fake::start(&emulator);
    fake.tell("settings", &json!({ "stride": 8, "repeat": true }));
    (emulator, fake)
}

/// A process that was told to end, by its own signal.
fn interrupt(child: &Child) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
}

#[test]
fn the_fake_keeps_to_its_description() {
    let emulator = Emulator::start(&[]);
    let tests = ["-m", "unittest", "discover", "-s", "fake_cloudformation", "-t", "."];
    let mut command = emulator.python(REGION);
    command.args(tests).current_dir(root().join("tests/emulators")).env("PYTHONDONTWRITEBYTECODE", "1");
    support::must_succeed(&mut command);
}

#[test]
fn each_cause_of_a_failed_creation_is_named_with_what_to_do() {
    let (emulator, fake) = start();
    let lake = Lake::small(&emulator, "cause").on(&fake);
    // Types, reasons as AWS words them, and what of the hint must be said.
    let causes = [
        (
            "AWS::S3::Bucket",
            "cause-dev-raw-111122223333-eu-central-1 already exists (Service: S3, Status Code: 0)",
            "names of buckets are global and this one is taken",
        ),
        (
            "AWS::Glue::Job",
            "Resource handler returned message: \"The role arn:aws:iam::111122223333:role/x cannot be assumed by Glue\" \
             (HandlerErrorCode: InvalidRequest)",
            "IAM takes seconds until a new role can be used: deploy again",
        ),
        (
            "AWS::Glue::Job",
            "Resource handler returned message: \"Number of jobs exceeds the account limit of 1000\" (HandlerErrorCode: \
             ServiceLimitExceeded)",
            "ask for more in the Service Quotas console",
        ),
        (
            "AWS::Glue::Job",
            "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: glue:CreateJob on resource: \
             arn:aws:glue:eu-central-1:111122223333:job/cause-dev-count because no identity-based policy allows it",
            "allow arn:aws:iam::111122223333:user/alice: {\"Effect\": \"Allow\", \"Action\": \"glue:CreateJob\", \"Resource\": \
             \"arn:aws:glue:eu-central-1:111122223333:job/cause-dev-count\"}",
        ),
        (
            "AWS::Glue::Table",
            "Rate exceeded (Service: Glue, Status Code: 400)",
            "AWS was asked too often: deploy again",
        ),
        (
            "AWS::Lambda::Function",
            "Resource handler returned message: \"Error occurred while GetObject. S3 Error Code: NoSuchKey.\"",
            "it is uploaded anew",
        ),
    ];
    for (what, reason, hint) in causes {
        fake.fail(what, "create", reason);
        let failed = lake.run(3, &DEPLOY);
        assert!(failed.contains(&format!("ended in ROLLBACK_COMPLETE, because {what} ")), "{failed}");
        assert!(failed.contains(&reason.replace("             ", "")), "{failed}");
        assert!(failed.contains(hint), "{hint} is not in {failed}");
        let error = failed.lines().find(|line| line.starts_with("error: ")).unwrap();
        assert!(!error.contains("cancelled"), "{error}");
        if what == "AWS::Glue::Job" {
            assert!(error.contains("(blueprints/lake.yaml:20)"), "{error}");
        }
    }
    let mended = lake.run(0, &DEPLOY);
    assert!(mended.contains("cleared away cause-dev-pipelines"), "what was left is cleared away: {mended}");
    assert!(lake.run(0, &DEPLOY).contains("nothing to do"));
}

#[test]
fn an_update_that_fails_is_led_back_and_one_that_is_stuck_is_continued() {
    let (emulator, fake) = start();
    let lake = Lake::small(&emulator, "stuck").on(&fake);
    lake.run(0, &DEPLOY);
    lake.edit("reads: [orders]", "workers: { type: G.2X, max: 4 }, reads: [orders]");

    fake.fail("AWS::Glue::Job", "update", "Number of workers exceeds the quota");
    let failed = lake.run(3, &DEPLOY);
    assert!(failed.contains("updating the stack `stuck-dev-processing` ended in UPDATE_ROLLBACK_COMPLETE"), "{failed}");
    assert!(failed.contains("Service Quotas"), "{failed}");

    fake.fail("AWS::Glue::Job", "update", "the service is unwell");
    fake.fail("AWS::Glue::Job", "rollback", "the old job cannot be had back");
    let stuck = lake.run(3, &DEPLOY);
    assert!(stuck.contains("ended in UPDATE_ROLLBACK_FAILED, because AWS::Glue::Job"), "{stuck}");
    assert!(stuck.contains("the service is unwell"), "the first cause, not what came of it: {stuck}");
    assert!(stuck.contains("lakegen continues the rollback first, then updates"), "{stuck}");

    let plan = lake.run(0, &["plan", "--env", "dev"]);
    assert!(plan.contains("the update that failed is rolled back; then it is updated"), "{plan}");

    fake.fail("AWS::Glue::Job", "rollback", "the old job cannot be had back");
    let again = lake.run(3, &DEPLOY);
    assert!(again.contains("rolling back the stack `stuck-dev-processing` ended in UPDATE_ROLLBACK_FAILED"), "{again}");
    assert!(again.contains("the old job cannot be had back"), "{again}");
    assert!(again.contains("--resources-to-skip GlueJobCount"), "{again}");

    let mended = lake.run(0, &DEPLOY);
    assert!(mended.contains("rolled back stuck-dev-processing"), "{mended}");
    assert!(mended.contains("updated stuck-dev-processing"), "{mended}");
    assert!(lake.run(0, &DEPLOY).contains("nothing to do"));
}

/// Whatever a stack has come to, one deploy leads it to where it should be, or says who can.
#[test]
fn every_status_that_lasts_is_led_on_or_refused() {
    let (emulator, fake) = start();
    let lake = Lake::small(&emulator, "status").on(&fake);
    lake.run(0, &DEPLOY);
    let stack = "status-dev-processing";
    for (number, (status, code, expected)) in [
        ("CREATE_FAILED", 0, "cleared away status-dev-processing"),
        ("ROLLBACK_COMPLETE", 0, "cleared away status-dev-processing"),
        ("ROLLBACK_FAILED", 0, "cleared away status-dev-processing"),
        ("REVIEW_IN_PROGRESS", 0, "cleared away status-dev-processing"),
        ("UPDATE_FAILED", 0, "rolled back status-dev-processing"),
        ("UPDATE_ROLLBACK_FAILED", 0, "rolled back status-dev-processing"),
        ("UPDATE_ROLLBACK_COMPLETE", 0, "updated status-dev-processing"),
        ("IMPORT_COMPLETE", 0, "updated status-dev-processing"),
        ("IMPORT_ROLLBACK_COMPLETE", 0, "updated status-dev-processing"),
        ("IMPORT_ROLLBACK_FAILED", 3, "an import into it has failed and could not be undone"),
        ("DELETE_FAILED", 3, "CloudFormation only lets it be deleted again"),
    ]
    .into_iter()
    .enumerate()
    {
        lake.edit("script: job.py", &format!("timeout: {} minutes, script: job.py", 10 + number));
        fake.tell("status", &json!({ "stack": stack, "status": status }));
        let text = lake.run(code, &DEPLOY);
        assert!(text.contains(expected), "{status}: {text}");
        if code == 0 {
            assert!(lake.run(0, &DEPLOY).contains("nothing to do"), "{status}");
        }
        lake.edit(&format!("timeout: {} minutes, ", 10 + number), "");
    }
}

#[test]
fn a_bucket_that_is_not_empty_keeps_its_stack_until_it_is() {
    let (emulator, fake) = start();
    let lake = Lake::small(&emulator, "full").on(&fake);
    lake.run(0, &DEPLOY);
    let reason = "The bucket you tried to delete is not empty. You must delete all versions in the bucket.";
    fake.tell("fail", &json!({ "what": "ZoneBucketRaw", "when": "delete", "reason": reason, "times": 3 }));
    let destroy = ["destroy", "--env", "dev", "--yes", "full-dev"];
    let failed = lake.run(3, &destroy);
    assert!(failed.contains("deleting the stack `full-dev-storage` ended in DELETE_FAILED"), "{failed}");
    assert!(failed.contains("empty the bucket, all versions too"), "{failed}");
    fake.fail("ZoneBucketRaw", "delete", "Object lock holds it");
    let held = lake.run(3, &destroy);
    assert!(
        held.contains("because AWS::S3::Bucket ZoneBucketRaw failed") && held.contains("Object lock holds it"),
        "{held}"
    );
    assert!(held.contains("--retain-resources ZoneBucketRaw"), "{held}");
    let refused = lake.run(3, &DEPLOY);
    assert!(refused.contains("finish it with `lakegen destroy`"), "{refused}");
    lake.run(0, &destroy);
    lake.run(0, &DEPLOY);
}

#[test]
fn whoever_is_at_a_stack_is_named_and_waited_for() {
    let (emulator, fake) = start();
    let lake = Lake::small(&emulator, "busy").on(&fake);
    lake.run(0, &DEPLOY);
    lake.edit("reads: [orders]", "workers: { type: G.2X, max: 4 }, reads: [orders]");
    let stack = "busy-dev-processing";
    fake.tell("begin", &json!({ "stack": stack, "operation": "update", "token": "console-of-bob", "hold": 4 }));
    let waited = lake.run(0, &DEPLOY);
    assert!(waited.contains("is in UPDATE_IN_PROGRESS (console-of-bob): somebody is at it"), "{waited}");
    assert!(waited.contains("updated busy-dev-processing"), "{waited}");
    fake.tell("begin", &json!({ "stack": stack, "operation": "delete", "token": "console-of-ann", "hold": 4 }));
    // AWS shows what was begun a moment later.
    lake.run(0, &["plan", "--env", "dev"]);
    let made = lake.run(0, &DEPLOY);
    assert!(made.contains("created busy-dev-processing"), "{made}");
}

#[test]
fn stacks_that_do_not_need_each_other_are_made_at_the_same_time() {
    let (emulator, fake) = start();
    fake.tell("settings", &json!({ "stride": 1 }));
    let lake = Lake::bikes(&emulator).on(&fake);
    let text = lake.run(0, &DEPLOY);
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what} is not in {text}"));
    let (one, other) = ("bikes-dev-processing", "bikes-dev-serving");
    assert!(at("created bikes-dev-storage") < at(&format!("creating {one}")), "{text}");
    assert!(at(&format!("creating {other}")) < at(&format!("created {one}")), "{text}");
    assert!(at(&format!("creating {one}")) < at(&format!("created {other}")), "{text}");
}

#[test]
fn ctrl_c_says_what_goes_on_and_the_same_command_goes_on_there() {
    let (emulator, fake) = start();
    fake.tell("settings", &json!({ "stride": 1 }));
    let lake = Lake::small(&emulator, "stop").on(&fake);
    let mut child = lake.command(&DEPLOY).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    lines.by_ref().find(|line| line.contains("creating stop-dev-storage")).unwrap();
    interrupt(&child);
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    let last = &rest[rest.len() - 2..];
    assert_eq!(
        last,
        [
            "error: interrupted: AWS goes on with stop-dev-storage",
            "  = help: run the same command again: it goes on where this one ended"
        ]
    );
    fake.tell("settings", &json!({ "stride": 8 }));
    let again = lake.run(0, &DEPLOY);
    assert!(again.contains("stop-dev-storage is in CREATE_IN_PROGRESS"), "{again}");
    assert!(lake.run(0, &DEPLOY).contains("nothing to do"));
}

#[test]
fn what_is_wrong_with_whoever_asks_is_said() {
    let emulator = Emulator::start(&[]);
    let proxy = Proxy::start(&emulator);
    let lake = Lake::small(&emulator, "asks").through(&proxy);
    for (at, kind, expected, help) in [
        (1, "expired", "is expired", "sign in again"),
        (1, "skewed", "Signature expired", "set this machine's clock"),
        (3, "skewed", "", "set this machine's clock"),
        (
            2,
            "foreign",
            "the bucket `asks-dev-111122223333-eu-central-1-assets` belongs to another account",
            "choose another `name`",
        ),
        (
            2,
            "taken",
            "the bucket `asks-dev-111122223333-eu-central-1-assets` belongs to another account",
            "choose another `name`",
        ),
    ] {
        proxy.breaks(at, kind);
        let text = lake.run(3, &DEPLOY);
        assert!(text.contains(expected) && text.contains(help), "{kind} from call {at}: {text}");
    }
    proxy.breaks(0, "none");
    lake.run(0, &DEPLOY);
}

#[test]
fn no_region_is_an_error_of_the_blueprint() {
    let emulator = Emulator::start(&[]);
    let lake = Lake::small(&emulator, "nowhere");
    lake.edit("dev: { region: eu-central-1 }", "dev: {}");
    let text = lake.run(1, &DEPLOY);
    assert!(text.contains("lake.yaml:3") && text.contains("region"), "{text}");
}

#[test]
fn a_lake_that_changes_its_name_is_another_one_and_that_is_said() {
    let emulator = Emulator::start(&[]);
    let lake = Lake::small(&emulator, "before");
    lake.run(0, &DEPLOY);
    lake.edit("name: before", "name: after");
    for args in [["plan", "--env", "dev"].as_slice(), &DEPLOY] {
        let text = lake.run(0, args);
        assert!(text.contains("nothing of `after` is here yet, and `before` is"), "{text}");
    }
    let stacks = "print(sorted(s['StackName'] for s in boto3.client('cloudformation').describe_stacks()['Stacks']))";
    let stacks = emulator.boto3(REGION, stacks);
    assert!(stacks.contains("before-dev-storage") && stacks.contains("after-dev-storage"), "{stacks}");
    let again = lake.run(0, &DEPLOY);
    assert!(!again.contains("nothing of `after` is here yet"), "{again}");
}

/// A script of so many MiB that say nothing.
fn noise(mebibytes: usize) -> String {
    let mut random = 2_017_u32;
    let letters = std::iter::repeat_with(|| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + u8::try_from(random >> 24).unwrap() % 26)
    });
    std::iter::once('#').chain(letters.take(mebibytes << 20)).collect()
}

/// Each call of an upload in parts may break: it is begun, has its parts sent, and is completed.
#[test]
fn any_call_of_an_upload_in_parts_may_break() {
    let emulator = Emulator::start(&[]);
    let proxy = Proxy::start(&emulator);
    let deploy = |name: &str, at: usize, kind: &str| {
        let lake = Lake::small(&emulator, name).through(&proxy);
        std::fs::write(lake.blueprint().with_file_name("../job.py"), noise(16)).unwrap();
        proxy.breaks(at, kind);
        let output = lake.lakegen(&DEPLOY);
        assert!(output.status.success(), "{kind} of call {at}: {}", said(&output));
        proxy.calls()
    };
    let calls = deploy("whole", 0, "none");
    let of_parts = |call: &(usize, &String)| call.1.contains("uploads") || call.1.contains("uploadId=");
    let positions: Vec<usize> = (1..).zip(&calls).filter(of_parts).map(|(at, _)| at).collect();
    assert!(positions.len() >= 5, "{calls:#?}");
    for (at, kind) in positions.iter().zip(["lost", "reset", "twice", "truncated", "throttle"].into_iter().cycle()) {
        deploy(&format!("p{at}"), *at, kind);
    }
    deploy("completed", *positions.last().unwrap(), "lost");
    deploy("again", *positions.last().unwrap(), "twice");
}

/// An asset of 40 MiB goes in nine parts; those that have arrived before a kill are not sent again.
#[test]
fn an_upload_that_was_killed_is_resumed() {
    let emulator = Emulator::start(&[]);
    let proxy = Proxy::start(&emulator);
    let lake = Lake::small(&emulator, "large").through(&proxy);
    std::fs::write(lake.blueprint().with_file_name("../job.py"), noise(40)).unwrap();
    proxy.breaks(0, "none");
    let parts = || proxy.calls().iter().filter(|call| call.starts_with("PUT") && call.contains("partNumber=")).count();
    let mut child = lake.command(&DEPLOY).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while parts() < 4 {
        assert!(child.try_wait().unwrap().is_none(), "it has ended before it was killed");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    proxy.breaks(0, "none");
    lake.run(0, &DEPLOY);
    let sent = parts();
    assert!((1..=8).contains(&sent), "{sent} of 9 parts were sent again");
    assert!(lake.run(0, &DEPLOY).contains("nothing to do"));
}

/// A lake with so many jobs that their template fits no request.
fn wide(emulator: &Emulator) -> Lake<'_> {
    let lake = Lake::small(emulator, "wide");
    let jobs: String =
        (0..40).map(|n| format!("  more{n}: {{ script: job.py, reads: [orders], writes: [t{n}] }}\n")).collect();
    let tables: String =
        (0..40).map(|n| format!("  t{n}: {{ zone: raw, format: parquet, columns: {{ n: int }} }}\n")).collect();
    lake.edit("jobs:\n", &format!("{tables}jobs:\n{jobs}"));
    lake
}

/// One of its jobs, before and after.
const CHANGED: (&str, &str) = (
    "script: job.py, reads: [orders], writes: [t0]",
    "timeout: 10 minutes, script: job.py, reads: [orders], writes: [t0]",
);

/// A large template goes through the bucket; a plan's through a folder of its own.
#[test]
fn a_template_that_fits_no_request_is_read_from_the_bucket() {
    let emulator = Emulator::start(&[]);
    let lake = wide(&emulator);
    lake.run(0, &DEPLOY);
    let keys = r#"
pages = boto3.client("s3").list_objects_v2(Bucket="wide-dev-111122223333-eu-central-1-assets")["Contents"]
print(sorted({page["Key"].split("/")[0] for page in pages}))
"#;
    assert_eq!(emulator.boto3(REGION, keys), "['assets', 'templates']");
    lake.edit(CHANGED.0, CHANGED.1);
    let plan = lake.run(2, &["plan", "--env", "dev", "--detailed-exitcode"]);
    assert!(plan.contains("Timeout: ") && !plan.contains("(from its template"), "{plan}");
    assert_eq!(emulator.boto3(REGION, keys), "['assets', 'plan', 'templates']");
    lake.run(0, &DEPLOY);
    assert!(lake.run(0, &DEPLOY).contains("nothing to do"));
}

/// Whatever is reckoned with, an override may be larger.
#[test]
fn a_template_that_cloudformation_would_not_take_is_not_sent() {
    let emulator = Emulator::start(&[]);
    let proxy = Proxy::start(&emulator);
    let lake = Lake::small(&emulator, "huge").through(&proxy);
    let text = "x".repeat(1_000_000);
    let changed = format!("writes: [counts], override: {{ Job: {{ Properties: {{ LogUri: {text} }} }} }} }}");
    lake.edit("writes: [counts] }", &changed);
    for command in ["plan", "deploy"] {
        proxy.breaks(0, "none");
        let refused = lake.run(3, &[command, "--env", "dev"]);
        assert!(refused.contains("the template of `huge-dev-processing` has 1,0"), "{refused}");
        assert!(refused.contains("bytes, and CloudFormation takes 1,000,000"), "{refused}");
        assert!(refused.contains("= help: nothing was touched; `jobs.count` takes most of it"), "{refused}");
        assert_eq!(proxy.calls(), ["GetCallerIdentity"]);
    }
}

/// The permissions that `docs/deploy.md` says a plan needs.
fn documented() -> Vec<String> {
    let page = std::fs::read_to_string(root().join("docs/deploy.md")).unwrap();
    let services = [("| CloudFormation |", "cloudformation"), ("| S3, the asset bucket |", "s3")];
    let actions = services.iter().flat_map(|(row, service)| {
        let row = page.lines().find(|line| line.starts_with(row)).unwrap();
        let plan = row.split('|').nth(2).unwrap();
        plan.split('`')
            .skip(1)
            .step_by(2)
            .filter(|word| !word.contains('/'))
            .map(move |word| format!("{service}:{word}"))
    });
    actions.collect()
}

#[test]
fn whoever_plans_needs_what_the_documentation_says_and_can_change_nothing() {
    let emulator = Emulator::start(&[("AUTH", "true")]);
    let lake = wide(&emulator);
    lake.run(0, &DEPLOY);
    let bucket = "arn:aws:s3:::wide-dev-111122223333-eu-central-1-assets";
    let allow = |without: &str| {
        let actions = documented();
        let (objects, others): (Vec<_>, Vec<_>) =
            actions.iter().filter(|action| *action != without).partition(|action| action.ends_with("Object"));
        let statements = json!([
            { "Effect": "Allow", "Action": others, "Resource": "*" },
            { "Effect": "Allow", "Action": objects, "Resource": format!("{bucket}/plan/*") },
        ]);
        let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        emulator.boto3(
            REGION,
            &format!(
                "iam = boto3.client('iam')\n\
                 if not iam.list_users()['Users']: iam.create_user(UserName='planner')\n\
                 iam.put_user_policy(UserName='planner', PolicyName='plan', PolicyDocument={policy:?})\n\
                 key = iam.create_access_key(UserName='planner')['AccessKey']\n\
                 print(key['AccessKeyId'], key['SecretAccessKey'])"
            ),
        )
    };
    let planner = |keys: &str, args: &[&str]| {
        let (id, secret) = keys.split_once(' ').unwrap();
        let mut command = lake.command(args);
        command.env("AWS_ACCESS_KEY_ID", id).env("AWS_SECRET_ACCESS_KEY", secret).output().unwrap()
    };
    lake.edit(CHANGED.0, CHANGED.1);
    let keys = allow("");
    let plan = planner(&keys, &["plan", "--env", "dev"]);
    assert!(plan.status.success() && said(&plan).contains("Timeout: "), "{}", said(&plan));
    assert!(!said(&plan).contains("(from its template"), "{}", said(&plan));
    let deploy = planner(&keys, &DEPLOY);
    assert_eq!(deploy.status.code(), Some(3), "{}", said(&deploy));
    assert!(said(&deploy).contains("is not authorized to perform: s3:PutObject"), "{}", said(&deploy));

    // The first plan has left its template there.
    emulator.boto3(
        REGION,
        &format!("boto3.resource('s3').Bucket({:?}).objects.filter(Prefix='plan/').delete()", &bucket[13..]),
    );
    let plan = planner(&allow("s3:PutObject"), &["plan", "--env", "dev"]);
    assert!(plan.status.success() && said(&plan).contains("(from its template"), "{}", said(&plan));
    for action in documented().iter().filter(|action| !action.ends_with("Object")) {
        // Only for a template that AWS refuses.
        if action == "cloudformation:DescribeEvents" {
            continue;
        }
        let plan = planner(&allow(action), &["plan", "--env", "dev"]);
        assert!(!plan.status.success(), "{action} is not needed: {}", said(&plan));
        assert!(said(&plan).contains(action.as_str()), "{action}: {}", said(&plan));
    }
}

/// Runs it on a terminal of 150 columns; types each answer when its question is shown.
fn on_a_terminal(
    lake: &Lake<'_>,
    emulator: &Emulator,
    args: &[&str],
    answers: &[(&str, &str)],
) -> (Option<i32>, String) {
    let script = r#"
import json, os, pty, sys, termios
answers = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    termios.tcsetwinsize(0, (40, 150))
    os.execvp(sys.argv[2], sys.argv[2:])
seen, heard = b"", 0
try:
    while chunk := os.read(terminal, 65536):
        seen += chunk
        if answers and answers[0][0].encode() in seen[heard:]:
            heard = len(seen)
            os.write(terminal, answers.pop(0)[1].encode())
except OSError:
    pass
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;
    let command = lake.command(args);
    let mut terminal = emulator.python(REGION);
    terminal.args(["-c", script, &json!(answers).to_string()]).arg(command.get_program()).args(command.get_args());
    terminal.current_dir(command.get_current_dir().unwrap()).env("TERM", "xterm").env_remove("NO_COLOR");
    let output = terminal.output().unwrap();
    (output.status.code(), said(&output))
}

const ZONES: &str =
    r#"print([b["Name"] for b in boto3.client("s3").list_buckets()["Buckets"] if "spare" in b["Name"]])"#;

/// A question is asked on a terminal, and Ctrl-C is an answer: nothing has happened then.
#[test]
fn what_would_be_lost_must_be_typed() {
    const QUESTION: &str = "type `zones.spare` to lose what it holds:";
    let emulator = Emulator::start(&[]);
    let lake = Lake::small(&emulator, "asked");
    lake.run(0, &DEPLOY);
    lake.edit("  spare: { keep: 30 days }\n", "");
    for (answer, code) in [("\x03", 130), ("yes\n", 5), ("\n", 5)] {
        let (ended, text) = on_a_terminal(&lake, &emulator, &["deploy", "--env", "dev"], &[(QUESTION, answer)]);
        assert_eq!(ended, Some(code), "{answer:?}: {text}");
        assert!(text.contains("\x1b[31mdata would be lost\x1b["), "in red: {text:?}");
        assert_eq!(emulator.boto3(REGION, ZONES), "['asked-dev-spare-111122223333-eu-central-1']");
    }
    let (ended, text) = on_a_terminal(&lake, &emulator, &["deploy", "--env", "dev"], &[(QUESTION, "zones.spare\n")]);
    assert_eq!(ended, Some(0), "{text}");
    assert_eq!(emulator.boto3(REGION, ZONES), "[]");
}

/// On a terminal a plan has colours, and a deploy shows what is under way.
#[test]
fn what_happens_is_drawn_on_a_terminal() {
    let emulator = Emulator::start(&[]);
    let lake = Lake::small(&emulator, "drawn");
    std::fs::write(lake.blueprint().with_file_name("../job.py"), noise(24)).unwrap();
    let (ended, plan) = on_a_terminal(&lake, &emulator, &["plan", "--env", "dev"], &[]);
    assert_eq!(ended, Some(0), "{plan}");
    assert!(plan.contains("\x1b[32m+\x1b[") && plan.contains("AWS::S3::Bucket ZoneBucketRaw  (zones.raw)"), "{plan:?}");
    let (ended, text) = on_a_terminal(&lake, &emulator, &DEPLOY, &[]);
    assert_eq!(ended, Some(0), "{text}");
    let bar = text.lines().find(|line| line.contains("uploading assets")).unwrap_or_default();
    assert!(bar.contains("MiB/24.0") && bar.contains("/s"), "bytes and rate: {bar:?}\n{text:?}");
    assert!(text.contains("creating drawn-dev-storage"), "{text:?}");
    assert!(!text.contains("CREATE_COMPLETE"), "resources are counted, not listed: {text:?}");
    // Elsewhere nothing is drawn, and lines have the time that has passed.
    let plain = lake.run(0, &DEPLOY);
    assert!(!plain.contains('\x1b') && plain.starts_with("00:0"), "{plain:?}");
}
