//! The local API and the services behind it, asked by real clients: boto3, HTTP, and functions in real `awslambdaric` processes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use lakegen::lake::{Access, Lake};
use lakegen::local::files::Fingerprint;
use lakegen::local::layout::Layout;
use lakegen::local::ledger::{Ledger, Release, Training};
use lakegen::local::process::Groups;
use lakegen::local::python::{self, Environment};
use lakegen::local::serve::runtime::Fault;
use lakegen::local::serve::store::{Change, DynamoStore, Key, KeyKind};
use lakegen::local::serve::{Event, Options, Problem, Running, Server, Site};
use lakegen::project::Project;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

const BLUEPRINT: &str = r#"
name: shop
environments: { dev: { region: eu-west-1 } }
zones: { raw: { keep: forever } }
tables:
  orders: { zone: raw, format: csv, columns: { order_id: int, user_id: int } }
  serving: { dynamodb: { key: user_id }, columns: { user_id: int, text: string } }
jobs:
  fill: { script: fill.py, reads: [orders], writes: [serving] }
models:
  ranker:
    source: model
    reads: { train: orders }
    instance: ml.m5.large
    endpoint: { serverless: { memory: 2 GB, concurrency: 5 } }
functions:
  main: { source: main, reads: [serving, orders], calls: [ranker], memory: 512 MB, timeout: 29 seconds, environment: { MODE: test, MEETING: "@MEETING@" } }
  short: { source: main, timeout: 1 second, environment: { MEETING: "@MEETING@" } }
  broken: { source: broken }
api:
  @ACCESS@
  cors: { origin: "https://shop.example", headers: [X-Trace], remember: 5 minutes }
  throttle: { rate: 1, burst: @BURST@ }
  routes:
    GET /do/{what}:
      function: main
      query: { count: { type: int, minimum: 1, maximum: 100 }, user: { type: int } }
    POST /do/{what}: { function: main }
    PUT /do/{what}:
      function: main
      body: { text: { type: string, required: true, maximum_length: 5 }, stars: { type: int, minimum: 1, list: true } }
    GET /open/{what}: { function: main, public: true }
    GET /do/now: { function: broken }
    GET /short/{what}: { function: short }
    GET /users/{user_id}/cart: { function: main, path: { user_id: int }, query: { size: { type: string, required: true, maximum_length: 3 }, all: boolean } }
"#;

/// A project in a folder of its own, with the environment that its runs would have left.
struct Shop {
    folder: tempfile::TempDir,
    lake: Lake,
    layout: Layout,
}

impl Shop {
    fn new(access: &str, burst: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let meeting = root.join("meeting");
        fs::create_dir(&meeting).unwrap();
        let write = |name: &str, text: &str| {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let access = if access == "public" { "public: true".to_owned() } else { format!("access: {access}") };
        let blueprint = BLUEPRINT.replace("@ACCESS@", &access).replace("@BURST@", &burst.to_string());
        write("shop.yaml", &blueprint.replace("@MEETING@", meeting.to_str().unwrap()));
        write("fill.py", "");
        write("main/handler.py", include_str!("serve/handler.py"));
        write("broken/handler.py", "import numbers_of_nobody\n\ndef handler(event, context):\n    pass\n");
        write("model/train.py", "");
        write("model/inference.py", include_str!("serve/inference.py"));
        let (lake, diagnostics) = Project::open(Some(&root.join("shop.yaml")), root).unwrap().check();
        let lake = lake.unwrap_or_else(|| panic!("{diagnostics:?}"));
        let layout = Layout::new(root);
        Self { folder, lake, layout }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a model on record, as a run does.
    fn release(&self) {
        let artifact = PathBuf::from("models/ranker/1/model.tar.gz");
        let path = self.layout.base().join(&artifact);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let gzip = flate2::write::GzEncoder::new(fs::File::create(path).unwrap(), flate2::Compression::fast());
        let mut tar = tar::Builder::new(gzip);
        tar.append_path_with_name(self.path("model/inference.py"), "code/inference.py").unwrap();
        tar.into_inner().unwrap().finish().unwrap();
        let mut ledger = Ledger::default();
        let contents = Fingerprint::of(b"trees");
        let training = Training { artifact, contents, metrics: BTreeMap::new(), evaluation: None };
        ledger.releases.insert("ranker".into(), Release { fingerprint: Fingerprint::of(b"1"), training });
        ledger.save(&self.layout.ledger()).unwrap();
    }

    fn put_object(&self, key: &str, content: &[u8]) {
        let path = self.layout.buckets().join("shop-local-raw").join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    async fn serve(&self, options: Options) -> Server {
        let site = Site::of(&self.lake, &self.layout);
        Server::start(site, &environment().await, &Groups::default(), options).await.unwrap()
    }
}

async fn environment() -> Environment {
    python::prepare(&python::cache_dir().unwrap(), &Groups::default(), &|_| {}).await.unwrap()
}

/// Asks the API in this process and gives status and body; JSON where it is.
async fn get(server: &Server, target: &str) -> (u16, Value) {
    let (reply, _) = server.call(target.parse().unwrap(), Bytes::new()).await;
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    (reply.status.as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

async fn problem(server: &Server, path: &str) -> (u16, Problem) {
    let (reply, problem) = server.call(path.parse().unwrap(), Bytes::new()).await;
    let message = if reply.status == 504 { "Endpoint request timed out" } else { "Internal server error" };
    assert_eq!(serde_json::from_slice::<Value>(&reply.body).unwrap(), json!({ "message": message }));
    (reply.status.as_u16(), problem.unwrap())
}

async fn boto3(service: &str, url: &str) -> Value {
    let output = tokio::process::Command::new(environment().await.python)
        .args(["-c", include_str!("serve/clients.py"), service, url])
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Checks status and code of refused calls, and that the message has the words.
fn assert_refused(found: &Value, expected: &[(&str, u16, &str, &str)]) {
    for (name, status, code, words) in expected {
        let refusal = &found["refused"][name];
        assert_eq!((&refusal[0], &refusal[1]), (&json!(status), &json!(code)), "{name}: {refusal}");
        assert!(refusal[2].as_str().unwrap().contains(words), "{name}: {refusal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_reads_and_writes_key_value_tables() {
    let shop = Shop::new("public", 100);
    let server = shop.serve(Options::default()).await;
    let found = boto3("dynamodb", &server.dynamodb_url()).await;
    assert_eq!(found["item"], json!({ "text": "ä\n", "score": "1.5", "raw": "00ff", "tags": ["a", "b"] }));
    assert_eq!((&found["missing"], &found["count"]), (&json!(false), &json!(200)));
    assert_eq!(found["schema"], json!([{ "AttributeName": "user_id", "KeyType": "HASH" }]));
    assert_eq!((&found["batch"], &found["unprocessed"]), (&json!(["user 5", "user 6"]), &json!({})));
    assert_eq!(found["query"], json!([1, "user 7"]));
    let validation = "ValidationException";
    let expected = [
        ("no table", 400, "ResourceNotFoundException", "Requested resource not found"),
        ("key type", 400, validation, "The provided key element does not match the schema"),
        ("put key type", 400, validation, "Type mismatch for key user_id expected: N actual: S"),
        ("put no key", 400, validation, "Missing the key user_id in the item"),
        ("too large", 400, validation, "Item size has exceeded the maximum allowed size"),
        ("26 writes", 400, validation, "Member must have length less than or equal to 25"),
        ("101 gets", 400, validation, "Too many items requested for the BatchGetItem call"),
        ("twice", 400, validation, "contains duplicates"),
        ("condition", 400, validation, "ConditionExpression"),
        ("scan", 400, "UnknownOperationException", "Scan"),
    ];
    assert_refused(&found, &expected);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_a_run_replaces_is_served_at_once() {
    let shop = Shop::new("public", 100);
    let server = shop.serve(Options::default()).await;
    let url = server.dynamodb_url();
    let ask = |operation: &str, body: Value| {
        let target = format!("DynamoDB_20120810.{operation}");
        let request = reqwest::Client::new().post(&url).header("x-amz-target", target).body(body.to_string());
        async move { request.send().await.unwrap().json::<Value>().await.unwrap() }
    };
    let get = json!({ "TableName": "shop-local-serving", "Key": { "user_id": { "N": "1" } } });
    let table = shop.layout.dynamodb().join("serving");
    assert_eq!(ask("GetItem", get.clone()).await, json!({}));
    let described = ask("DescribeTable", json!({ "TableName": "shop-local-serving" })).await;
    assert_eq!(described["Table"]["ItemCount"], 0);
    assert!(!table.exists(), "reading makes no table: it would be in the way of the one that a run makes");
    for text in ["old", "new"] {
        let staged = shop.path(text);
        let key = Key { name: "user_id".into(), kind: KeyKind::Number };
        let item = json!({ "user_id": { "N": "1" }, "text": { "S": text } });
        let store = DynamoStore::create(&staged, key).unwrap();
        store.put(&[Change::Put(serde_json::from_value(item.clone()).unwrap())]).unwrap();
        if table.exists() {
            fs::rename(&table, shop.path("attic")).unwrap();
            assert_eq!(ask("GetItem", get.clone()).await["Item"]["text"]["S"], "old", "until the new one is there");
        }
        fs::create_dir_all(table.parent().unwrap()).unwrap();
        fs::rename(&staged, &table).unwrap();
        assert_eq!(ask("GetItem", get.clone()).await, json!({ "Item": item }));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_reads_files() {
    let shop = Shop::new("public", 100);
    shop.put_object("orders/a & b/ü+1 <x>.csv", b"0123456789");
    shop.put_object("large.bin", &vec![7; 3_000_000]);
    fs::write(shop.layout.base().join("secret.txt"), "secret").unwrap();
    let many: Vec<String> = (0..20).map(|number| format!("many/{number:02}")).collect();
    many.iter().for_each(|key| shop.put_object(key, b"x"));
    let server = shop.serve(Options::default()).await;
    let found = boto3("s3", &server.s3_url()).await;
    assert_eq!((&found["whole"], &found["range"]), (&json!("0123456789"), &json!("23")));
    assert_eq!((&found["content range"], &found["head"]), (&json!("bytes 7-9/10"), &json!(3_000_000)));
    assert_eq!(found["large"], json!([3_000_000, 3_000_000]));
    assert_eq!(found["many"], json!(many.chunks(7).collect::<Vec<_>>()));
    assert_eq!((&found["folders"], &found["files"]), (&json!(["many/", "orders/"]), &json!(["large.bin"])));
    assert_eq!((&found["odd"], &found["none"]), (&json!(["orders/a & b/ü+1 <x>.csv"]), &json!(0)));
    let expected = [
        ("no key", 404, "NoSuchKey", "The specified key does not exist"),
        ("no bucket", 404, "NoSuchBucket", "The specified bucket does not exist"),
        ("head", 404, "404", "Not Found"),
        ("folder", 404, "NoSuchKey", ""),
        ("escape", 404, "NoSuchKey", ""),
        ("range", 416, "InvalidRange", "not satisfiable"),
        ("write", 403, "AccessDenied", "read-only"),
    ];
    assert_refused(&found, &expected);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_asks_a_model() {
    let shop = Shop::new("public", 100);
    let server = shop.serve(Options::default()).await;
    let (status, _) = get(&server, "/do/recommend?user=1").await;
    assert_eq!(status, 404, "the table is empty before the first run");
    shop.release();
    let found = boto3("sagemaker", &server.sagemaker_url()).await;
    assert_eq!(found["sums"], json!([103.0, 104.0, 105.0]));
    assert_eq!((&found["kept"], &found["started anew"]), (&json!(true), &json!(true)));
    assert_eq!((&found["type"], &found["variant"]), (&json!("application/json"), &json!("AllTraffic")));
    assert_eq!(found["failed"]["OriginalStatusCode"], json!(500));
    let original: Value = serde_json::from_str(found["failed"]["OriginalMessage"].as_str().unwrap()).unwrap();
    assert_eq!(original["type"], "ValueError");
    let expected = [
        ("died", 500, "InternalFailure", "does not answer"),
        ("type", 424, "ModelError", "Received client error (415) from primary"),
        ("no endpoint", 400, "ValidationError", "Endpoint nowhere of account 000000000000 not found."),
    ];
    assert_refused(&found, &expected);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_uses_the_services_as_in_the_cloud() {
    let shop = Shop::new("public", 100);
    shop.release();
    shop.put_object("orders/orders.csv", b"order_id,user_id\n1,42\n2,42\n");
    let server = shop.serve(Options::default()).await;
    let item = json!({ "TableName": "shop-local-serving", "Item": { "user_id": { "N": "42" }, "features": { "S": "1,2,3" } } });
    let put = reqwest::Client::new()
        .post(server.dynamodb_url())
        .header("x-amz-target", "DynamoDB_20120810.PutItem")
        .body(item.to_string());
    assert_eq!(put.send().await.unwrap().status(), 200);
    let (status, body) = get(&server, "/do/recommend?user=42").await;
    assert_eq!((status, &body["scores"]["sum"], &body["orders"]), (200, &json!(106.0), &json!(2)));
    assert_eq!(get(&server, "/do/recommend?user=43").await, (404, json!({ "message": "unknown user" })));
    let (_, around) = get(&server, "/do/around").await;
    let environment = json!({
        "LAKE": "shop",
        "LAKE_ENV": "local",
        "AWS_REGION": "eu-west-1",
        "TABLE_SERVING": "shop-local-serving",
        "TABLE_ORDERS": "s3://shop-local-raw/orders/",
        "ENDPOINT_RANKER": "shop-local-ranker",
        "CORS_ORIGIN": "https://shop.example",
        "MODE": "test",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    });
    let expected = json!({
        "environment": environment,
        "leaked": [],
        "name": "shop-local-main",
        "arn": "arn:aws:lambda:local:000000000000:function:shop-local-main",
        "memory": "512",
        "in_time": true,
        "folder": "main",
    });
    assert_eq!(around, expected);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_is_kept_warm_and_follows_its_code() {
    let shop = Shop::new("public", 1000);
    let lines = Arc::new(Mutex::new(Vec::new()));
    let heard = lines.clone();
    let observer = Arc::new(move |event| {
        if let Event::Log { line, .. } = event {
            heard.lock().unwrap().push(line);
        }
    });
    let server = shop.serve(Options { observer, ..Options::default() }).await;
    let (_, one) = get(&server, "/do/process").await;
    let (_, two) = get(&server, "/do/process").await;
    assert_eq!((&one["calls"], &two["calls"], &one["pid"]), (&json!(1), &json!(2), &two["pid"]));
    let code = include_str!("serve/handler.py").replace("answer(\"hello\")", "answer(\"good day\")");
    fs::write(shop.path("main/handler.py"), code).unwrap();
    let mut answers = HashSet::new();
    while !answers.contains("good day") {
        assert!(answers.len() < 2);
        let (_, body) = get(&server, "/do/hello").await;
        answers.insert(body.as_str().unwrap().to_owned());
        // Code is looked at when a process had nothing to do for a moment.
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
    server.stop().await;
    let lines = lines.lock().unwrap();
    let reports: Vec<&String> = lines.iter().filter(|line| line.starts_with("REPORT RequestId: ")).collect();
    let cold = reports.iter().filter(|line| line.contains("\tInit Duration: ")).count();
    assert!(reports.len() > cold && cold == 2, "{reports:?}");
    assert!(lines.iter().any(|line| line == "counted 2"));
    let log = fs::read_to_string(shop.layout.base().join("serve/function-main.log")).unwrap();
    assert!(log.contains("START RequestId: ") && log.contains("counted 1\n"), "{log}");
    assert_eq!(fs::read_dir(shop.path("main")).unwrap().count(), 1, "nothing appears beside the code");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_at_once_have_processes_of_their_own() {
    let shop = Shop::new("public", 100);
    let server = shop.serve(Options::default()).await;
    let meet = || get(&server, "/do/meet?count=3");
    let answers = tokio::join!(meet(), meet(), meet());
    let pids: HashSet<u64> =
        [answers.0, answers.1, answers.2].iter().map(|answer| answer.1["pid"].as_u64().unwrap()).collect();
    assert_eq!(pids.len(), 3);
    let (_, after) = get(&server, "/do/process").await;
    assert!(pids.contains(&after["pid"].as_u64().unwrap()));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_processes_wait() {
    let shop = Shop::new("public", 100);
    let server = shop.serve(Options { concurrency: 1, ..Options::default() }).await;
    let ask = || get(&server, "/do/process");
    let answers = tokio::join!(ask(), ask(), ask());
    let mut calls = [answers.0, answers.1, answers.2].map(|answer| answer.1["calls"].as_u64().unwrap());
    calls.sort_unstable();
    assert_eq!(calls, [1, 2, 3]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_fails_is_a_bad_gateway() {
    let shop = Shop::new("public", 100);
    let server = shop.serve(Options::default()).await;
    let (status, raised) = problem(&server, "/do/wrong").await;
    assert_eq!(status, 502);
    let Problem::Function { function, fault: Fault::Raised { kind, message, place } } = raised else {
        panic!("{raised:?}")
    };
    assert_eq!((function.as_str(), kind.as_str(), message.as_str()), ("shop-local-main", "KeyError", "'no such user'"));
    let place = place.unwrap();
    assert!(place.ends_with(", in wrong") && place.contains("main/handler.py\", line "), "{place}");
    let (status, malformed) = problem(&server, "/do/malformed").await;
    assert_eq!(status, 502);
    assert!(malformed.to_string().contains("malformed proxy response: it has a member `status`"), "{malformed}");
    let (status, large) = problem(&server, "/do/large").await;
    assert_eq!(status, 502);
    assert!(large.to_string().contains("Response payload size exceeded"), "{large}");
    let (status, died) = problem(&server, "/do/die").await;
    assert_eq!(status, 502);
    assert!(died.to_string().contains("Runtime exited without providing a reason: exit status: 3"), "{died}");
    let (status, unstarted) = problem(&server, "/do/now").await;
    assert_eq!(status, 502);
    assert!(
        unstarted.to_string().contains(
            "Runtime.ImportModuleError: Unable to import module 'handler': No module named 'numbers_of_nobody'"
        ),
        "{unstarted}"
    );
    assert_eq!(get(&server, "/do/hello").await, (200, json!("hello")), "others go on");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_takes_too_long_is_ended() {
    let shop = Shop::new("public", 100);
    let server = shop.serve(Options::default()).await;
    let (status, late) = problem(&server, "/short/dawdle").await;
    assert_eq!(status, 502);
    assert_eq!(late.to_string(), "function `shop-local-short`: Task timed out after 1.00 seconds");
    let pid = the_dawdler(&shop);
    gone(pid).await;
    assert_eq!(get(&server, "/short/hello").await, (200, json!("hello")));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_does_not_wait_for_ever_and_stopping_leaves_no_process() {
    let shop = Shop::new("public", 100);
    let server = shop.serve(Options { timeout: Duration::from_secs(3), ..Options::default() }).await;
    let (_, warm) = get(&server, "/do/process").await;
    let (status, late) = problem(&server, "/do/dawdle").await;
    assert_eq!(status, 504);
    assert_eq!(late.to_string(), "function `shop-local-main` did not answer within 3 seconds");
    let dawdler = the_dawdler(&shop);
    assert_eq!(u64::from(dawdler), warm["pid"].as_u64().unwrap());
    let (_, other) = get(&server, "/do/process").await;
    let other = u32::try_from(other["pid"].as_u64().unwrap()).unwrap();
    assert_ne!(other, dawdler, "the first one is still at it");
    server.stop().await;
    gone(other).await;
    gone(dawdler).await;
}

/// The process that said that it would take its time.
fn the_dawdler(shop: &Shop) -> u32 {
    let entries = fs::read_dir(shop.path("meeting")).unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.strip_prefix("pid-")?.parse().ok());
    pids.last().unwrap()
}

/// Waits until a process is no more, for less than its function's timeout.
async fn gone(pid: u32) {
    let ended = async {
        while Path::new(&format!("/proc/{pid}")).exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ended).await.unwrap_or_else(|_| panic!("process {pid} goes on"));
}

struct Asked {
    method: &'static str,
    target: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    status: u16,
    kind: &'static str,
    answer: Value,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_answers_as_api_gateway_does() {
    let shop = Shop::new("api_key", 1000);
    let server = shop.serve(Options::default()).await;
    let key = server.api_key().unwrap().to_owned();
    let plain = |method, target, status, kind, message: &str| Asked {
        method,
        target,
        headers: &[("x-api-key", "")],
        body: "",
        status,
        kind,
        answer: json!({ "message": message }),
    };
    let missing = ("MissingAuthenticationTokenException", "Missing Authentication Token");
    let bad = "BadRequestException";
    let refused = |method, body, detail| Asked {
        body,
        answer: json!({ "message": "Invalid request body", "detail": detail }),
        ..plain(method, "/do/hello", 400, bad, "")
    };
    let requests = [
        plain("GET", "/", 403, missing.0, missing.1),
        plain("GET", "/nowhere", 403, missing.0, missing.1),
        plain("GET", "/do", 403, missing.0, missing.1),
        plain("GET", "/do/hello/more", 403, missing.0, missing.1),
        plain("GET", "/do//", 403, missing.0, missing.1),
        plain("DELETE", "/do/hello", 403, missing.0, missing.1),
        plain("OPTIONS", "/nowhere", 403, missing.0, missing.1),
        plain("PATCH", "/do/hello", 403, missing.0, missing.1),
        Asked { headers: &[], ..plain("GET", "/do/hello", 403, "ForbiddenException", "Forbidden") },
        Asked {
            headers: &[("x-api-key", "wrong")],
            ..plain("GET", "/do/hello", 403, "ForbiddenException", "Forbidden")
        },
        Asked { headers: &[], ..plain("GET", "/nowhere", 403, missing.0, missing.1) },
        plain("GET", "/users/%ff/cart?size=1", 400, bad, "Bad Request"),
        plain("GET", "/users/1/cart", 400, bad, "Missing required request parameters: [size]"),
        plain("GET", "/users/1/cart?size=+", 400, bad, "Missing required request parameters: [size]"),
        refused(
            "POST",
            "[]",
            r#"[instance type (array) does not match any allowed primitive type (allowed: ["object"])]"#,
        ),
        refused("PUT", "", "[Unknown error parsing request body]"),
        refused("PUT", "{}", r#"[object has missing required properties (["text"])]"#),
        refused(
            "PUT",
            r#"{"text": "123456", "more": 1}"#,
            concat!(
                r#"[object instance has properties which are not allowed by the schema: ["more"], "#,
                r#"string "123456" is too long (length: 6, maximum allowed: 5)]"#
            ),
        ),
        Asked {
            answer: json!("hello"),
            body: "{\"text\": \"1\", \"stars\": [5]}",
            ..plain("PUT", "/do/hello", 200, "", "")
        },
        Asked { answer: json!("hello"), headers: &[], ..plain("GET", "/open/hello", 200, "", "") },
        Asked { answer: json!("hello"), ..plain("GET", "/do/hello?count=many", 200, "", "") },
        refused("POST", "{", "[Unknown error parsing request body]"),
        Asked { answer: json!("hello"), ..plain("GET", "/do/hello", 200, "", "") },
        Asked { answer: json!("hello"), ..plain("GET", "/do/hello/", 200, "", "") },
        Asked { answer: json!("hello"), ..plain("GET", "/do/he%6Clo?count=100&other=1", 200, "", "") },
        Asked { answer: json!("hello"), body: "{\"a\": [1]}", ..plain("POST", "/do/hello", 200, "", "") },
        Asked {
            answer: json!("hello"),
            headers: &[("x-api-key", ""), ("content-type", "text/plain")],
            body: "{",
            ..plain("POST", "/do/hello", 200, "", "")
        },
    ];
    let client = reqwest::Client::new();
    for Asked { method, target, headers, body, status, kind, answer } in requests {
        let mut request =
            client.request(method.parse().unwrap(), format!("http://{}{target}", server.address())).body(body);
        for (name, value) in headers {
            request = request.header(*name, if value.is_empty() { &key } else { *value });
        }
        let response = request.send().await.unwrap();
        let at = format!("{method} {target}");
        assert_eq!(response.status(), status, "{at}");
        let header = |name: &str| response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        assert_eq!(
            (header("x-amzn-errortype").as_str(), header("content-type").as_str()),
            (kind, "application/json"),
            "{at}"
        );
        assert_eq!(header("x-amzn-requestid").len(), 36, "{at}");
        assert_eq!(header("x-own"), if status == 200 { "yes" } else { "" }, "{at}");
        // What the function answers is the function's own; what the gateway answers has the header.
        let origin = if status == 200 { "" } else { "https://shop.example" };
        assert_eq!(header("access-control-allow-origin"), origin, "{at}");
        assert_eq!(response.json::<Value>().await.unwrap(), answer, "{at}");
    }
    let url = format!("http://{}/do/hello", server.address());
    let head = client.head(&url).header("x-api-key", &key).send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.bytes().await.unwrap().len()), (403, 0));
    let large =
        client.post(&url).header("x-api-key", &key).body(vec![b' '; 10 * 1024 * 1024 + 1]).send().await.unwrap();
    assert_eq!(large.status(), 413);
    assert_eq!(large.json::<Value>().await.unwrap(), json!({ "message": "Request Too Long" }));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_sees_the_request_as_it_was() {
    let shop = Shop::new("api_key", 1000);
    let server = shop.serve(Options { announce: true, ..Options::default() }).await;
    let running = Running::find(shop.layout.base()).await.unwrap();
    assert_eq!(running.address(), server.address());
    let body = Bytes::from_static("{\"cart\": [\"ä\"]}".as_bytes());
    let reply =
        running.call("POST /do/%65cho?a=1&a=2&b=x%26y+z".parse().unwrap(), body, &Access::ApiKey).await.unwrap();
    assert_eq!(reply.status, 201);
    let event: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!((&event["resource"], &event["path"]), (&json!("/do/{what}"), &json!("/do/%65cho")));
    assert_eq!(event["pathParameters"], json!({ "what": "echo" }));
    assert_eq!(event["queryStringParameters"], json!({ "a": "2", "b": "x&y z" }));
    assert_eq!(event["multiValueQueryStringParameters"], json!({ "a": ["1", "2"], "b": ["x&y z"] }));
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("{\"cart\": [\"ä\"]}"), &json!(false)));
    assert_eq!(event["headers"]["content-type"], "application/json");
    assert_eq!(event["requestContext"]["identity"]["apiKey"], json!(server.api_key()));
    assert_eq!(event["requestContext"]["identity"]["sourceIp"], "127.0.0.1");
    assert_eq!(json!(reply.headers["x-amzn-requestid"].to_str().unwrap()), event["requestContext"]["requestId"]);
    server.stop().await;
    assert!(Running::find(shop.layout.base()).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_the_throttle_allows_is_too_many() {
    let shop = Shop::new("public", 2);
    let server = shop.serve(Options::default()).await;
    let mut answers = Vec::new();
    while answers.last().is_none_or(|(status, _)| *status != 429) {
        assert!(answers.len() < 10_000, "nothing is refused");
        answers.push(get(&server, "/do/hello?count=none").await);
    }
    assert!(answers.len() > 2, "the burst is let through");
    assert_eq!(answers.pop().unwrap().1, json!({ "message": "Too Many Requests" }));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_requests_are_let_in() {
    let shop = Shop::new("iam", 100);
    let server = shop.serve(Options::default()).await;
    let url = format!("http://{}/do/hello", server.address());
    let unsigned = reqwest::get(&url).await.unwrap();
    assert_eq!(unsigned.status(), 403);
    assert_eq!(unsigned.json::<Value>().await.unwrap(), json!({ "message": "Missing Authentication Token" }));
    assert_eq!(get(&server, "/do/hello").await, (200, json!("hello")));
    assert_eq!(server.api_key(), None);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_who_signed_in_are_let_in() {
    let shop = Shop::new("{ cognito: { scopes: [shop/read] } }", 100);
    let server = shop.serve(Options { announce: true, ..Options::default() }).await;
    let client = reqwest::Client::new();
    let encode = |value: Value| base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, value.to_string());
    let token = |claims: Value| format!("Bearer {}.{}.c2ln", encode(json!({ "alg": "RS256" })), encode(claims));
    let far = 4_000_000_000_u64;
    let table = [
        (String::new(), 401, "Unauthorized"),
        ("AWS4-HMAC-SHA256 Credential=local".to_owned(), 401, "Unauthorized"),
        (token(json!({ "token_use": "id", "exp": far })), 401, "Unauthorized"),
        (token(json!({ "token_use": "access", "scope": "shop/write", "exp": far })), 401, "Unauthorized"),
        (
            token(json!({ "token_use": "access", "scope": "shop/read", "exp": 1 })),
            401,
            "The incoming token has expired",
        ),
    ];
    let url = format!("http://{}/do/echo", server.address());
    for (header, status, message) in table {
        let response = client.get(&url).header("authorization", &header).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.headers()["x-amzn-errortype"].to_str().unwrap()),
            (status, "UnauthorizedException")
        );
        assert_eq!(response.json::<Value>().await.unwrap(), json!({ "message": message }), "{header}");
    }
    let good = token(json!({ "token_use": "access", "scope": "openid shop/read", "exp": far, "sub": "someone" }));
    let event: Value = client.get(&url).header("authorization", good).send().await.unwrap().json().await.unwrap();
    let claims = &event["requestContext"]["authorizer"]["claims"];
    assert_eq!((&claims["sub"], &claims["exp"]), (&json!("someone"), &json!("4000000000")));
    let open = format!("http://{}/open/hello", server.address());
    assert_eq!(client.get(open).send().await.unwrap().status(), 200, "a route may be open");

    let access = &shop.lake.api.as_ref().unwrap().access;
    let running = Running::find(shop.layout.base()).await.unwrap();
    let reply = running.call("/do/hello".parse().unwrap(), Bytes::new(), access).await.unwrap();
    assert_eq!(reply.status, 200, "the call command brings a token that holds on this machine");
    assert_eq!(get(&server, "/do/hello").await, (200, json!("hello")));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_are_told_which_pages_may_call() {
    let shop = Shop::new("api_key", 1);
    let server = shop.serve(Options::default()).await;
    let client = reqwest::Client::new();
    let ask = |path: &str| {
        let request = client.request("OPTIONS".parse().unwrap(), format!("http://{}{path}", server.address()));
        async move { request.header("origin", "https://elsewhere.example").send().await.unwrap() }
    };
    for (path, methods) in
        [("/do/hello", "GET,POST,PUT,OPTIONS"), ("/do/now", "GET,OPTIONS"), ("/users/1/cart/", "GET,OPTIONS")]
    {
        let response = ask(path).await;
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(
            (response.status().as_u16(), header("access-control-allow-methods").as_str()),
            (204, methods),
            "{path}"
        );
        assert_eq!(header("access-control-allow-origin"), "https://shop.example", "whoever asks");
        assert_eq!(header("access-control-allow-headers"), "content-type,x-api-key,x-trace");
        assert_eq!((header("access-control-max-age").as_str(), header("vary").as_str()), ("300", "Origin"));
    }
    assert_eq!(ask("/nowhere").await.status(), 403);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_and_a_lake_without_api_are_errors() {
    let shop = Shop::new("public", 100);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let options = Options { port: taken.local_addr().unwrap().port(), ..Options::default() };
    let site = Site::of(&shop.lake, &shop.layout);
    let environment = environment().await;
    let error = Server::start(site.clone(), &environment, &Groups::default(), options).await.err().unwrap();
    assert!(error.help().unwrap().contains("choose another one with `--port`"), "{error}");
    let site = Site { api: None, ..site };
    let error = Server::start(site, &environment, &Groups::default(), Options::default()).await.err().unwrap();
    assert_eq!(error.to_string(), "the blueprint has no `api`");
}

/// `lakegen …` in a project.
fn lakegen(shop: &Shop, arguments: &[&str]) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_lakegen"));
    command.args(arguments).arg("--blueprint").arg(shop.path("shop.yaml")).kill_on_drop(true);
    command
}

async fn call(shop: &Shop, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = lakegen(shop, &[&["call", "--env", "local"], arguments].concat()).output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_serve_and_call() {
    let shop = Shop::new("api_key", 1000);
    environment().await;
    assert_eq!(call(&shop, &["GET /do/hello"]).await, (Some(0), "\"hello\"\n".into(), String::new()));
    let (code, out, error) = call(&shop, &["/do/wrong"]).await;
    assert_eq!((code, out.as_str()), (Some(3), "{\n  \"message\": \"Internal server error\"\n}\n"));
    assert!(error.contains("function `shop-local-main`: KeyError: 'no such user' (File "), "{error}");
    let (code, _, error) = call(&shop, &["do/hello"]).await;
    assert_eq!(code, Some(2));
    assert!(error.contains("does not begin with `/`") && error.contains("help: write it like"), "{error}");
    assert!(!shop.layout.base().join("serve.json").exists());

    let mut command = lakegen(&shop, &["serve", "--port", "0", "--output", "json"]);
    let mut server = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(server.stdout.take().unwrap());
    let mut welcome = String::new();
    while !welcome.ends_with("}\n") {
        assert_ne!(stdout.read_line(&mut welcome).await.unwrap(), 0);
    }
    let welcome: Value = serde_json::from_str(&welcome).unwrap();
    assert_eq!(welcome["routes"][0], "GET /do/{what}");
    let running = Running::find(shop.layout.base()).await.unwrap();
    assert_eq!(welcome["address"], format!("http://{}", running.address()));
    let (_, one, _) = call(&shop, &["/do/process", "--output", "json"]).await;
    let (code, two, _) = call(&shop, &["POST /do/process", "--data", "{}", "--output", "json"]).await;
    let [one, two] = [one, two].map(|text| serde_json::from_str::<Value>(&text).unwrap());
    assert_eq!((code, &two["status"], &two["headers"]["x-own"]), (Some(0), &json!(200), &json!("yes")));
    assert_eq!((&one["body"]["pid"], &two["body"]["calls"]), (&two["body"]["pid"], &json!(2)), "the server's process");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(server.id().unwrap()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    assert!(server.wait().await.unwrap().success());
    gone(u32::try_from(two["body"]["pid"].as_u64().unwrap()).unwrap()).await;
    assert!(!shop.layout.base().join("serve.json").exists());
    let mut log = String::new();
    server.stderr.take().unwrap().read_to_string(&mut log).await.unwrap();
    assert!(log.lines().any(|line| line.starts_with("POST /do/process 200 ")), "{log}");
}
