//! The reference lake, whole, as a new user has it: the starter's project, six CSV files of 200 customers, one run of the real engines; then what
//! it answers, and how the report of its evaluation looks in a browser.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/node.rs"]
mod node;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;

use node::{Node, Packages};
use serde_json::{Value, json};

/// Nobody's.
const UNKNOWN_USER: u32 = 199_999;
/// Has one order, with products in it.
const ONE_ORDER: u32 = 201;
/// Has one order, of which nothing is known.
const ONE_EMPTY_ORDER: u32 = 202;
/// What most people buy.
const BANANAS: u64 = 27_113;
const SPINACH: u64 = 49_371;
/// `"Big Batch" Trimmed Turnips`, written with the quotes of the real files.
const QUOTED: u32 = 1_031;
/// The most products of a cart that are looked at.
const LARGEST_CART: usize = 200;

const BROWSER: Packages = Packages {
    name: "browser",
    package: include_str!("browser/package.json"),
    lock: include_str!("browser/package-lock.json"),
};

/// A project whose pipeline has run.
struct Lake {
    folder: PathBuf,
    run: Value,
}

/// All tests look at the same run: it takes a minute.
static LAKE: LazyLock<Lake> = LazyLock::new(Lake::run);

impl Lake {
    fn run() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("reference");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let lake = Self { folder, run: Value::Null };
        lake.must(&["init", ".", "--from", "instacart", "--name", "instacart"]);
        lake.must(&["sample", "--users", "200", "--out", "data"]);
        lake.add_customers_of_one_order();
        lake.open_the_gates();
        let output = lake.lakegen(&["run", "--env", "local", "--data", "data", "--output", "json"]);
        let said = String::from_utf8_lossy(&output.stderr);
        let run: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
        assert!(output.status.success(), "{said}\n{run:#}");
        Self { run, ..lake }
    }

    /// The real data has none with less than four.
    fn add_customers_of_one_order(&self) {
        let add = |file: &str, lines: String| {
            File::options().append(true).open(self.folder.join("data").join(file)).unwrap().write_all(lines.as_bytes())
        };
        let orders = format!("9000001,{ONE_ORDER},prior,1,3,10,\n9000002,{ONE_EMPTY_ORDER},test,1,3,10,\n");
        add("orders.csv", orders).unwrap();
        add("order_products__prior.csv", format!("9000001,{QUOTED},1,0\n9000001,24852,2,0\n")).unwrap();
    }

    /// 30 customers cannot tell a model from its baselines; what they learned is served all the same.
    fn open_the_gates(&self) {
        let path = self.folder.join("blueprints/lake.yaml");
        let text = fs::read_to_string(&path).unwrap();
        let gate = |line: &str| line == "    accept:" || line.starts_with("      \"validation:");
        let lines: Vec<&str> = text.lines().filter(|line| !gate(line)).collect();
        fs::write(&path, lines.join("\n")).unwrap();
    }

    fn lakegen(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_lakegen")).args(arguments).current_dir(&self.folder).output().unwrap()
    }

    fn must(&self, arguments: &[&str]) {
        let output = self.lakegen(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// `lakegen serve`. Gone when dropped.
struct Api {
    server: Child,
    address: String,
    key: String,
}

impl Api {
    fn serve(lake: &Lake) -> Self {
        let mut server = Command::new(env!("CARGO_BIN_EXE_lakegen"))
            .args(["serve", "--port", "0", "--output", "json"])
            .current_dir(&lake.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut welcome = String::new();
        let mut reader = BufReader::new(server.stdout.take().unwrap());
        // One object, over several lines.
        let said = loop {
            assert!(reader.read_line(&mut welcome).unwrap() > 0, "no server: {welcome}");
            if let Ok(said) = serde_json::from_str::<Value>(&welcome) {
                break said;
            }
        };
        let text = |key: &str| said[key].as_str().unwrap().to_owned();
        Self { server, address: text("address"), key: text("api_key") }
    }

    /// Status and body of the answer; `body` goes out as it is.
    async fn ask(&self, method: &str, path: &str, body: Option<String>) -> (u16, Value) {
        let url = format!("{}{path}", self.address);
        let request = reqwest::Client::new().request(method.parse().unwrap(), url).header("x-api-key", &self.key);
        let request = match body {
            Some(body) => request.header("content-type", "application/json").body(body),
            None => request,
        };
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.ask("GET", path, None).await
    }

    async fn cart(&self, user: u32, cart: &Value) -> (u16, Value) {
        let body = json!({ "cart": cart }).to_string();
        self.ask("POST", &format!("/users/{user}/cart/next?limit=100"), Some(body)).await
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.server.id().try_into().unwrap());
        // It ends the functions' processes first.
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT);
        let _ = self.server.wait();
    }
}

/// The ids of the products of an answer, which are complete, each there once, the best first.
fn products(answer: &Value) -> Vec<u64> {
    let products = answer["products"].as_array().unwrap_or_else(|| panic!("{answer}"));
    for product in products {
        for key in ["name", "aisle", "department"] {
            assert!(product[key].as_str().is_some_and(|text| !text.is_empty()), "{product}");
        }
    }
    let scores: Vec<f64> = products.iter().map(|product| product["score"].as_f64().unwrap()).collect();
    assert!(scores.is_sorted_by(|one, next| one >= next) && scores.iter().all(|score| (0.0..=1.0).contains(score)));
    let ids: Vec<u64> = products.iter().map(|product| product["product_id"].as_u64().unwrap()).collect();
    assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), ids.len(), "{answer}");
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn customers_of_every_sort_get_sensible_answers() {
    let api = Api::serve(&LAKE);

    let (status, again) = api.get("/users/42/buy-again?limit=100").await;
    assert_eq!((status, &again["user_id"], &again["source"]), (200, &json!(42), &json!("model")));
    let bought = products(&again);
    let basket = &again["basket"];
    assert!(basket["products"].as_array().unwrap().iter().all(|id| bought.contains(&id.as_u64().unwrap())));
    assert!(basket["none"].is_boolean() && basket["expected_f1"].as_f64().is_some_and(|f1| f1 > 0.0 && f1 < 1.0));
    let (_, new) = api.get("/users/42/try-next?limit=100").await;
    assert_eq!((&new["source"], products(&new).len()), (&json!("model"), 100));
    assert!(!products(&new).iter().any(|product| bought.contains(product)), "bought before, and to be tried");
    // Ten unless somebody asks for more, and the same ones.
    let (_, few) = api.get("/users/42/buy-again").await;
    assert_eq!(products(&few), bought[..10]);

    let (status, nobody) = api.get(&format!("/users/{UNKNOWN_USER}/buy-again")).await;
    assert_eq!((status, &nobody["source"], &nobody["basket"]), (200, &json!("popularity"), &Value::Null));
    assert_eq!(products(&nobody).len(), 10);
    let (_, other) = api.get(&format!("/users/{UNKNOWN_USER}/try-next")).await;
    assert_eq!(other["products"], nobody["products"]);
    let (status, cart) = api.cart(UNKNOWN_USER, &json!([BANANAS])).await;
    assert_eq!((status, &cart["source"]), (200, &json!("cart")));
    assert!(!products(&cart).is_empty() && !products(&cart).contains(&BANANAS));

    let (status, one) = api.get(&format!("/users/{ONE_ORDER}/buy-again")).await;
    assert_eq!((status, &one["source"]), (200, &json!("model")));
    let mut ids = products(&one);
    ids.sort_unstable();
    assert_eq!(ids, [u64::from(QUOTED), 24_852]);
    let quoted = one["products"].as_array().unwrap().iter().find(|product| product["product_id"] == QUOTED).unwrap();
    assert_eq!(
        (&quoted["name"], &quoted["aisle"], &quoted["department"]),
        (&json!("\"Big Batch\" Trimmed Turnips"), &json!(aisle_of(12)), &json!(department_of(6)))
    );
    for path in [ONE_ORDER, ONE_EMPTY_ORDER].map(|user| format!("/users/{user}/try-next")) {
        let (status, answer) = api.get(&path).await;
        assert_eq!((status, products(&answer).len()), (200, 10), "{path}: {answer}");
    }
    let (status, empty) = api.get(&format!("/users/{ONE_EMPTY_ORDER}/buy-again")).await;
    assert_eq!((status, &empty["source"]), (200, &json!("popularity")), "of what is not known nothing is learned");
    for user in [ONE_ORDER, ONE_EMPTY_ORDER] {
        let (status, answer) = api.cart(user, &json!([])).await;
        assert_eq!((status, products(&answer).is_empty()), (200, false), "{answer}");
    }
}

/// The name in a file of names.
fn named(file: &str, id: u32) -> String {
    let text = fs::read_to_string(LAKE.folder.join("data").join(file)).unwrap();
    text.lines().find_map(|line| line.strip_prefix(&format!("{id},")).map(str::to_owned)).unwrap()
}

fn aisle_of(id: u32) -> String {
    named("aisles.csv", id)
}

fn department_of(id: u32) -> String {
    named("departments.csv", id)
}

#[tokio::test(flavor = "multi_thread")]
async fn carts_of_every_sort_get_sensible_answers() {
    let api = Api::serve(&LAKE);
    let (status, empty) = api.cart(42, &json!([])).await;
    assert_eq!((status, &empty["source"]), (200, &json!("model")));
    assert!(products(&empty).len() >= 10, "{empty}");
    let (_, cart) = api.cart(42, &json!([BANANAS, SPINACH])).await;
    assert_eq!(cart["unknown_products"], json!([]));
    let next = products(&cart);
    assert!(!next.contains(&BANANAS) && !next.contains(&SPINACH), "what is in the cart is offered again");
    assert_ne!(next, products(&empty), "the cart says something");
    // The second time says nothing new.
    let (_, twice) = api.cart(42, &json!([BANANAS, SPINACH, BANANAS, BANANAS, SPINACH])).await;
    assert_eq!(twice, cart);

    let (status, unknown) = api.cart(42, &json!([BANANAS, 2_000_000_000])).await;
    assert_eq!((status, &unknown["unknown_products"]), (200, &json!([2_000_000_000])));
    assert!(!products(&unknown).is_empty());
    let (status, nothing) = api.cart(UNKNOWN_USER, &json!([2_000_000_000])).await;
    assert_eq!((status, &nothing["unknown_products"]), (200, &json!([2_000_000_000])));
    assert!(!products(&nothing).is_empty());

    let full: Vec<usize> = (1..=LARGEST_CART).collect();
    let (status, answer) = api.cart(42, &json!(full)).await;
    assert_eq!(status, 200, "{answer}");
    let overfull: Vec<usize> = (1..=10_000).collect();
    let (status, answer) = api.cart(42, &json!(overfull)).await;
    assert_eq!((status, reason(&answer)), (400, "`cart` holds 10000 products; at most 200 are looked at"));
}

/// Why a request was refused.
fn reason(answer: &Value) -> &str {
    answer["error"].as_str().or(answer["message"].as_str()).unwrap_or_else(|| panic!("{answer}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_answered_is_refused_with_the_reason() {
    let api = Api::serve(&LAKE);
    let paths = [
        ("/users/42/buy-again?limit=0", "`limit` must be a whole number from 1 to 100, not `0`"),
        ("/users/42/try-next?limit=1000", "`limit` must be a whole number from 1 to 100, not `1000`"),
        ("/users/42/buy-again?limit=-1", "`limit` must be a whole number from 1 to 100, not `-1`"),
        ("/users/42/buy-again?limit=ten", "`limit` must be a whole number from 1 to 100, not `ten`"),
        ("/users/42/buy-again?limit=1.5", "`limit` must be a whole number from 1 to 100, not `1.5`"),
        ("/users/0/buy-again", "`user_id` must be a whole number from 1 to 2147483647, not `0`"),
        ("/users/-42/try-next", "`user_id` must be a whole number from 1 to 2147483647, not `-42`"),
        ("/users/2147483648/try-next", "`user_id` must be a whole number from 1 to 2147483647, not `2147483648`"),
        ("/users/me/buy-again", "`user_id` must be a whole number from 1 to 2147483647, not `me`"),
    ];
    for (path, expected) in paths {
        let (status, answer) = api.get(path).await;
        assert_eq!((status, reason(&answer)), (400, expected), "{path}");
    }

    let bodies = [
        (None, "Invalid request body"),
        (Some(""), "Invalid request body"),
        (Some("{\"cart\": [1,"), "Invalid request body"),
        (Some("cart=1"), "Invalid request body"),
        (Some("null"), "Invalid request body"),
        (Some("[24852]"), "Invalid request body"),
        (Some("{}"), "Invalid request body"),
        (Some(r#"{"cart": null}"#), "Invalid request body"),
        (Some(r#"{"cart": "24852"}"#), "Invalid request body"),
        (Some(r#"{"cart": ["24852"]}"#), "Invalid request body"),
        (Some(r#"{"cart": [24852, 1.5]}"#), "Invalid request body"),
        (Some(r#"{"cart": [true]}"#), "Invalid request body"),
        (Some(r#"{"cart": [24852, 0]}"#), "Invalid request body"),
        // The field has the type of its column, `int`.
        (Some(r#"{"cart": [2147483648]}"#), "Invalid request body"),
    ];
    for (body, expected) in bodies {
        let (status, answer) = api.ask("POST", "/users/42/cart/next", body.map(str::to_owned)).await;
        assert_eq!((status, reason(&answer)), (400, expected), "{body:?}");
    }
    let (status, answer) = api.ask("POST", "/users/42/cart/next?limit=0", Some(r#"{"cart": []}"#.to_owned())).await;
    assert_eq!((status, reason(&answer)), (400, "`limit` must be a whole number from 1 to 100, not `0`"));

    // Not a route, and nobody who may ask.
    let (status, _) = api.ask("POST", "/users/42/buy-again", None).await;
    assert_eq!(status, 403);
    let stranger = reqwest::get(format!("{}/users/42/buy-again", api.address)).await.unwrap();
    assert_eq!(stranger.status(), 403);
}

#[test]
fn every_step_of_the_run_is_done() {
    let steps = LAKE.run["steps"].as_array().unwrap();
    assert!(steps.len() > 15 && steps.iter().all(|step| step["state"] == "done"), "{:#}", LAKE.run);
    let rows = |table: &str| steps.iter().find_map(|step| step["rows"][table].as_u64());
    // Quotes inside quotes shift no column and lose no row.
    assert_eq!(rows("products_clean"), Some(49_688));

    if cfg!(target_os = "linux") {
        let bytes = |of: &Value| of["peak_memory"].as_u64().unwrap_or(0);
        let job = steps.iter().find(|step| step["kind"] == "job").unwrap();
        assert!(bytes(job) > 300 << 20, "Spark in less than 300 MiB: {job}");
        assert!(steps.iter().all(|step| (20 << 20..=bytes(&LAKE.run)).contains(&bytes(step))), "{:#}", LAKE.run);
    }
}

#[test]
fn the_run_ends_with_an_answer_of_every_route() {
    let examples = LAKE.run["examples"].as_array().unwrap();
    let asked: Vec<&str> = examples.iter().map(|example| example["request"].as_str().unwrap()).collect();
    assert_eq!(asked.len(), 3, "{asked:?}");
    let of_route = asked.iter().zip(["/buy-again", "/try-next", "/cart/next {\"cart\":[]}"]);
    assert!(of_route.into_iter().all(|(request, end)| request.ends_with(end)), "{asked:?}");
    for example in examples {
        assert_eq!((&example["status"], products(&example["body"]).is_empty()), (&json!(200), false), "{example}");
    }
}

/// What was found in one width and colour scheme, by `tests/browser/look.mjs`.
fn assert_readable(view: &Value) {
    let place = format!("{} pixels, {}", view["width"], view["scheme"]);
    assert_eq!(
        (&view["complaints"], &view["requests"]),
        (&json!([]), &json!(1)),
        "{place}: the page needs nothing else"
    );
    assert_eq!(view["sideways"], 0, "{place}: it can be pushed to the side");
    assert_eq!(view["models"], json!(["buy_again", "try_next", "cart_next"]));
    // WCAG 2 asks for 4.5 of text and 3 of graphics.
    assert!(view["contrast"][0].as_f64().unwrap() >= 4.5, "{place}: {}", view["contrast"]);
    let plots = view["plots"].as_array().unwrap();
    let titles: Vec<&str> = plots.iter().map(|plot| plot["title"].as_str().unwrap()).collect();
    for (title, number) in [("baselines", 3), ("history", 3), ("foretold", 3), ("gain", 3)] {
        assert_eq!(titles.iter().filter(|found| found.contains(title)).count(), number, "{title} in {titles:?}");
    }
    for plot in plots {
        let number = |key: &str| plot[key].as_f64().unwrap();
        assert!(number("width") >= 300.0 && number("height") >= 80.0 && number("marks") >= 3.0, "{place}: {plot}");
        assert!(number("text_pixels") >= 9.0 && number("contrast") >= 3.0, "{place}: {plot}");
        for fault in ["outside", "cut", "colliding"] {
            assert_eq!(plot[fault], json!([]), "{place}: {fault} in {plot}");
        }
    }
}

/// The tables of the page as the evaluation's JSON has them: a row of a ranking, a column of a metric, value and interval in a cell.
fn expected_tables(evaluated: &Value) -> Vec<Value> {
    let mut tables = Vec::new();
    for model in evaluated["models"].as_array().unwrap() {
        let scores = model["found"]["scores"].as_array().unwrap();
        let of = |key: &str, scores: &[&Value]| {
            let mut names: Vec<String> = Vec::new();
            for score in scores {
                let name = score[key].as_str().unwrap();
                if !names.iter().any(|known| known == name) {
                    names.push(name.to_owned());
                }
            }
            names
        };
        let all: Vec<&Value> = scores.iter().collect();
        for part in of("part", &all) {
            let scores: Vec<&Value> = scores.iter().filter(|score| score["part"] == part.as_str()).collect();
            let metrics = of("metric", &scores);
            let head = std::iter::once(json!([])).chain(metrics.iter().map(|metric| json!([metric])));
            let mut rows = vec![Value::Array(head.collect())];
            for ranking in of("ranking", &scores) {
                let cell = |metric: &String| {
                    let is =
                        |score: &&&Value| score["ranking"] == ranking.as_str() && score["metric"] == metric.as_str();
                    let Some(score) = scores.iter().find(is) else { return json!([]) };
                    let number = |key: &str| score[key].as_f64().map(|number| format!("{number:.4}"));
                    match (number("low"), number("high")) {
                        (Some(low), Some(high)) => json!([number("value"), format!("{low}–{high}")]),
                        _ => json!([number("value").unwrap_or("–".to_owned())]),
                    }
                };
                rows.push(Value::Array(std::iter::once(json!([ranking])).chain(metrics.iter().map(cell)).collect()));
            }
            tables.push(Value::Array(rows));
        }
    }
    tables
}

/// Chromium itself is a package of the lock file, so that a machine without a browser can look.
#[test]
#[cfg_attr(
    not(all(target_os = "linux", target_arch = "x86_64")),
    ignore = "the package's Chromium is built for Linux on x86-64"
)]
fn the_report_of_the_evaluation_is_readable_in_a_browser() {
    let output = LAKE.lakegen(&["evaluate", "--env", "local", "--report", "report.html", "--output", "json"]);
    // 30 customers cannot tell a model from its baselines: it is refused, and shown all the same.
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    let evaluated: Value = serde_json::from_slice(&output.stdout).unwrap();

    let node = Node::with(&BROWSER);
    let folder = LAKE.folder.join("looks");
    fs::create_dir_all(&folder).unwrap();
    let script = folder.join("look.mjs");
    fs::write(&script, include_str!("browser/look.mjs")).unwrap();
    // Node.js looks for packages beside the script.
    std::os::unix::fs::symlink(node.file(""), folder.join("node_modules")).unwrap();
    let look =
        node.script(script.to_str().unwrap()).arg(LAKE.folder.join("report.html")).arg(&folder).output().unwrap();
    assert!(look.status.success(), "no browser: {}", String::from_utf8_lossy(&look.stderr));
    let seen: Value = serde_json::from_slice(&look.stdout).unwrap();
    assert!(seen["browser"].as_str().unwrap().contains("Chrome/"), "{}", seen["browser"]);

    let views = seen["views"].as_array().unwrap();
    assert_eq!(views.len(), 4);
    let tables = expected_tables(&evaluated);
    assert!(tables.len() >= 7, "all, repeat and explore of two models, all of the third");
    for view in views {
        assert_readable(view);
        assert_eq!(view["tables"], Value::Array(tables.clone()), "{} pixels, {}", view["width"], view["scheme"]);
    }
    for picture in ["390-light", "390-dark", "1280-light", "1280-dark"] {
        let bytes = fs::read(folder.join(picture).with_extension("png")).unwrap();
        assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 50_000, "{picture}");
    }
}
