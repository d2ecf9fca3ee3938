//! Whole blueprints, made up: every kind, format and option, put together at random so that `check` accepts them.
//!
//! A blueprint is made of parts that know nothing of each other: a source with its crawler, a query with its tables, a model with
//! its function. `@` in a part becomes the part's own suffix, so that any number of parts go together. They are written as JSON,
//! which is YAML.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A strategy for a piece of a blueprint; null is a key that is left out.
type Piece = BoxedStrategy<Value>;

/// The files that blueprints name, as paths in the project.
pub const FILES: [&str; 7] = [
    "jobs/job.py",
    "jobs/lib/shared.py",
    "jobs/helper.py",
    "models/model/train.py",
    "models/model/inference.py",
    "functions/answer/handler.py",
    "queries/query.sql",
];

/// A blueprint of one to `parts` parts.
pub fn blueprint(parts: usize) -> impl Strategy<Value = String> {
    let part = prop_oneof![
        source(),
        discovery(),
        query(),
        merge(),
        view(),
        recipe(),
        script_job(),
        visual_job(),
        model(),
        key_value(),
    ];
    let parts = vec(("[a-z0-9_]{0,24}", part), 1..=parts);
    (parts, whole(), api()).prop_map(|(parts, whole, api)| {
        let mut lake = Map::from_iter([("name".to_owned(), json!("random-lake"))]);
        merge_sections(&mut lake, whole);
        for (at, (stem, part)) in parts.into_iter().enumerate() {
            let text = part.to_string().replace('@', &format!("{at}_{stem}"));
            merge_sections(&mut lake, serde_json::from_str(&text).unwrap());
        }
        let [routes, grants, set] = ["routes", "grants", "set"].map(|of| lake.remove(of).unwrap_or_default());
        complete(&mut lake["environments"], set);
        without_optimizers(&mut lake);
        if routes.is_object() {
            lake.insert("api".into(), reachable(api, routes, &lake["environments"]));
        }
        if let Some(permissions) = lake.get_mut("lake_formation").filter(|_| grants.is_object()) {
            permissions["grants"] = grants;
        }
        serde_json::to_string_pretty(&lake).unwrap()
    })
}

/// The environments with what parts set in the last of them.
fn complete(environments: &mut Value, set: Value) {
    let Some((_, last)) = environments.as_object_mut().and_then(|all| all.iter_mut().next_back()) else { return };
    if let Value::Object(set) = set {
        let known = last.as_object_mut().unwrap().entry("set").or_insert_with(|| json!({}));
        known.as_object_mut().unwrap().extend(set);
    }
}

/// What GovCloud does not have is left out where an environment is there.
fn without_optimizers(lake: &mut Map<String, Value>) {
    let govern =
        |environment: &Value| environment["region"].as_str().is_some_and(|region| region.starts_with("us-gov"));
    if !lake["environments"].as_object().unwrap().values().any(govern) {
        return;
    }
    for table in lake.get_mut("tables").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        if let Some(layout) = table.pointer_mut("/format/iceberg").and_then(Value::as_object_mut) {
            layout.retain(|key, _| key == "partition");
        }
    }
}

/// The API with its routes. A certificate is of one region, so that only a lake of one environment has a domain.
fn reachable(mut api: Value, routes: Value, environments: &Value) -> Value {
    api["routes"] = routes;
    let region = environments["dev"]["region"].as_str().filter(|_| environments["prod"].is_null());
    match (region, api.as_object_mut().unwrap()) {
        (Some(region), api) if api.contains_key("domain") => {
            let partition = if region.starts_with("us-gov") { "aws-us-gov" } else { "aws" };
            let certificate = "certificate/0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f";
            api["domain"]["certificate"] = json!(format!("arn:{partition}:acm:{region}:111122223333:{certificate}"));
        }
        (_, api) => {
            api.remove("domain");
        }
    }
    api
}

fn merge_sections(lake: &mut Map<String, Value>, part: Value) {
    for (section, things) in part.as_object().cloned().unwrap_or_default() {
        match (lake.get_mut(&section), things) {
            (Some(Value::Object(known)), Value::Object(things)) => known.extend(things),
            (_, things) => {
                lake.insert(section, things);
            }
        }
    }
}

// ── how pieces are put together ──

/// A map with these keys.
fn map<const N: usize>(entries: [(&'static str, Piece); N]) -> Piece {
    let (keys, values): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
    let map = move |values: Vec<Value>| {
        let entries = keys.iter().zip(values).filter(|(_, value)| !value.is_null());
        Value::Object(entries.map(|(key, value)| ((*key).to_owned(), value)).collect())
    };
    values.prop_map(map).boxed()
}

/// Two maps in one.
fn both(one: Piece, other: Piece) -> Piece {
    (one, other)
        .prop_map(|(mut one, other)| {
            if let (Value::Object(one), Value::Object(other)) = (&mut one, other) {
                one.extend(other);
            }
            one
        })
        .boxed()
}

/// Perhaps other properties of the resource that is `role` to its thing.
fn changed(role: &str, properties: Value) -> Piece {
    let mut changes = Map::new();
    changes.insert(role.to_owned(), json!({ "Properties": properties }));
    maybe(just(Value::Object(changes)))
}

/// One of these values.
fn one<const N: usize>(values: [Value; N]) -> Piece {
    prop::sample::select(values.to_vec()).boxed()
}

/// One of these words.
fn word<const N: usize>(words: [&'static str; N]) -> Piece {
    one(words.map(Value::from))
}

fn just(value: Value) -> Piece {
    Just(value).boxed()
}

/// The piece, or a key that is left out.
fn maybe(piece: Piece) -> Piece {
    prop_oneof![Just(Value::Null), piece].boxed()
}

/// One of these pieces.
fn any_of<const N: usize>(pieces: [Piece; N]) -> Piece {
    prop::strategy::Union::new(pieces).boxed()
}

fn number(range: std::ops::RangeInclusive<u32>) -> Piece {
    range.prop_map(Value::from).boxed()
}

/// A number with its unit.
fn quantity(range: std::ops::RangeInclusive<u32>, unit: &'static str) -> Piece {
    range.prop_map(move |number| json!(format!("{number}{unit}"))).boxed()
}

fn flag() -> Piece {
    any::<bool>().prop_map(Value::from).boxed()
}

/// A sentence, with the characters that a template must not stumble over.
fn sentence() -> Piece {
    word([
        "A sentence",
        "50 % of \"quotes\" & <angles>",
        "it's $5, {not} a name: text",
        "ümlaute, 漢字 and \\",
        "a: b # c",
        "what ${!AWS::AccountId} and ${other} look like, and ${",
    ])
}

/// `columns` of all types that fit everywhere.
fn typed() -> Value {
    json!({ "id": "int", "label": "string", "amount": "double", "many": "bigint", "good": "boolean" })
}

// ── what all parts share ──

fn whole() -> Piece {
    let gate = map([
        ("reviewers", maybe(just(json!(["octocat", "our-company/data"])))),
        ("self_review", maybe(flag())),
        ("wait", maybe(quantity(1..=90, " minutes"))),
        ("branches", maybe(just(json!(["main", "release/*"])))),
        ("deploy", maybe(flag())),
        ("oidc_provider", maybe(word(["create", "adopt"]))),
    ]);
    let release = json!({
        "version": "0.1.0",
        "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "url": "https://example.com/lakegen.tar.gz",
    });
    let github = map([
        ("repository", word(["our-company/data-lake"])),
        ("ids", maybe(just(json!({ "owner": 583_231, "repository": 1_296_269 })))),
        ("branch", maybe(word(["production"]))),
        ("api_url", maybe(word(["https://github.example.com/api/v3"]))),
        ("runner", maybe(word(["our-runners"]))),
        ("lakegen", one([json!("source"), json!({ "release": release })])),
        ("drift", maybe(word(["daily", "weekly", "never"]))),
        ("environments", maybe(map([("dev", gate)]))),
    ]);
    let parameter = |value: &str| json!({ "Type": "String", "Value": value });
    let resources = one([
        json!({ "AuditTopic": { "Type": "AWS::SNS::Topic", "Properties": { "KmsMasterKeyId": "${lake.key.arn}" } } }),
        json!({
            "Noted": {
                "stack": "storage",
                "Type": "AWS::SSM::Parameter",
                "Properties": parameter("${zones.raw.arn} in ${AWS::Region}"),
                "DeletionPolicy": "Retain",
                "UpdateReplacePolicy": "Retain",
            },
            "AlsoNoted": {
                "stack": "storage",
                "Type": "AWS::SSM::Parameter",
                "Properties": parameter("what ${!AWS::Region} looks like"),
                "DependsOn": ["Noted"],
            },
        }),
        json!({ "Answers": { "stack": "serving", "Type": "AWS::SSM::Parameter", "Properties": parameter("yes: # 1") } }),
    ]);
    let permissions = map([("administrators", maybe(just(json!(["role/deployer", "user/admin"]))))]);
    map([
        ("description", maybe(sentence())),
        ("environments", environments()),
        ("github", maybe(github)),
        ("tags", maybe(just(json!({ "team": "data", "cost_centre": "4711" })))),
        (
            "sample",
            maybe(map([("instacart", map([("users", maybe(number(1..=206_209))), ("seed", maybe(number(0..=9)))]))])),
        ),
        ("zones", zones()),
        ("lake_formation", maybe(permissions)),
        ("pipelines", pipelines()),
        ("resources", maybe(resources)),
    ])
}

fn environments() -> Piece {
    let region = || word(["eu-west-1", "us-east-1", "ap-southeast-2", "us-gov-west-1"]);
    let set = maybe(just(json!({ "zones.raw.recover": "10 days" })));
    let environment = || {
        let tags = maybe(just(json!({ "team": "ops", "cost centre": "1/2" })));
        map([
            ("region", region()),
            ("account", maybe(word(["111122223333"]))),
            ("protected", maybe(flag())),
            ("alert", maybe(word(["ops@example.com"]))),
            ("tags", tags),
        ])
    };
    (environment(), environment(), set, any::<bool>())
        .prop_map(|(dev, mut prod, set, two)| {
            if !set.is_null() {
                prod["set"] = set;
            }
            if two { json!({ "dev": dev, "prod": prod }) } else { json!({ "dev": dev }) }
        })
        .boxed()
}

fn zones() -> Piece {
    let keep = maybe(word(["forever", "3 years", "400 days"]));
    let archive = maybe(one([
        json!([{ "after": "30 days", "to": "infrequent" }, { "after": "90 days", "to": "glacier_instant" }]),
        json!([{ "after": "30 days", "to": "infrequent_one_zone" }]),
        json!([{ "after": "1 day", "to": "intelligent" }]),
    ]));
    let lock = maybe(one([json!({ "governance": "30 days" }), json!({ "compliance": "7 days" })]));
    let history = any_of([
        just(json!({})),
        just(json!({ "was": "landing" })),
        just(json!({ "adopt": { "dev": "our-data-of-2019" } })),
    ]);
    let zone = || {
        map([
            ("keep", keep.clone()),
            ("recover", maybe(quantity(1..=90, " days"))),
            ("archive", archive.clone()),
            ("override", changed("Bucket", json!({ "AccelerateConfiguration": { "AccelerationStatus": "Enabled" } }))),
        ])
    };
    map([("raw", both(zone(), map([("lock", lock)]))), ("curated", both(zone(), history))])
}

fn pipelines() -> Piece {
    let schedule = word(["cron(0 3 * * ? *)", "rate(1 hour)", "rate(3 days)"]);
    let start = any_of([map([("schedule", schedule)]), word(["manual"])]);
    let steps = maybe(word(["all"]));
    map([("all", map([("start", start), ("steps", steps), ("max_concurrent", maybe(number(1..=50)))]))])
}

fn cron() -> Piece {
    maybe(word(["cron(0 2 * * ? *)", "cron(15 4 ? * MON-FRI *)"]))
}

fn api() -> Piece {
    let throttle =
        |daily: Piece| maybe(map([("rate", number(1..=1_000)), ("burst", number(1..=1_000)), ("daily", maybe(daily))]));
    let with_keys = map([("access", maybe(word(["api_key"]))), ("throttle", throttle(number(1..=100_000)))]);
    let others = any_of([word(["iam", "cognito"]), just(json!({ "cognito": { "scopes": ["lake/read"] } }))]);
    let without = map([("access", others), ("throttle", throttle(just(Value::Null)))]);
    let domain = maybe(map([("name", word(["api.example.com"])), ("base_path", maybe(word(["v1"])))]));
    let cors = maybe(map([
        ("origin", word(["*", "https://shop.example.com"])),
        ("headers", maybe(just(json!(["x-trace"])))),
        ("remember", maybe(quantity(1..=60, " minutes"))),
    ]));
    both(any_of([with_keys, without]), map([("cors", cors), ("waf", maybe(flag())), ("domain", domain)]))
}

// ── parts: what arrives ──

fn csv() -> Piece {
    let plain = map([("delimiter", maybe(word([",", ";", "|", "\t"])))]);
    let quoted = map([("delimiter", maybe(word([",", ";"]))), ("quote", word(["\"", "'"]))]);
    any_of([word(["csv"]), map([("csv", plain)]), map([("csv", quoted)])])
}

/// What Athena and Spark write.
fn written_format() -> Piece {
    let parquet = map([("compression", maybe(word(["snappy", "zstd", "gzip", "none"])))]);
    any_of([word(["parquet", "json"]), map([("parquet", parquet)])])
}

/// What DataBrew reads.
fn readable_format() -> Piece {
    let csv = map([("delimiter", maybe(word([",", ":", ";", "|", "^", " ", "\t"]))), ("quote", maybe(word(["\""])))]);
    any_of([written_format(), map([("csv", csv)])])
}

fn format() -> Piece {
    let json = map([("ignore_malformed", maybe(flag()))]);
    any_of([csv(), written_format(), map([("json", json)])])
}

/// Projected partitions, or partitions that a crawler finds.
fn partitions() -> Piece {
    let integer = map([
        ("from", number(0..=5)),
        ("to", number(6..=2_000)),
        ("interval", maybe(number(1..=5))),
        ("digits", maybe(number(2..=4))),
    ]);
    let date = map([("from", word(["2026-01-01", "NOW-3YEARS"])), ("to", maybe(word(["NOW", "NOW+1DAYS"])))]);
    let projected = map([
        ("hour", map([("type", word(["int", "bigint", "string"])), ("project", map([("integer", integer)]))])),
        ("day", map([("type", word(["date", "string"])), ("project", map([("date", date)]))])),
        ("door", just(json!({ "type": "string", "project": { "enum": ["north", "south"] } }))),
        ("badge", maybe(just(json!({ "type": "string", "comment": "as printed", "project": "injected" })))),
    ]);
    any_of([projected, just(json!({ "year": "int", "month": "string" }))])
}

/// A table whose files arrive, and who looks at it: a crawler, checks, a profile.
fn source() -> Piece {
    any_of([source_in(format(), false), source_in(readable_format(), true)])
}

fn source_in(format: Piece, profiled: bool) -> Piece {
    let table = map([
        ("zone", word(["raw"])),
        ("format", format),
        ("file", maybe(word(["orders of the day.txt"]))),
        ("columns", just(typed())),
        ("partitions", maybe(partitions())),
        ("description", maybe(sentence())),
        ("properties", maybe(just(json!({ "owner": "sales", "rows": 12 })))),
        ("was", maybe(word(["before_t@"]))),
        ("override", changed("Table", json!({ "TableInput": { "Retention": 0 } }))),
    ]);
    let crawler = map([
        ("reads", just(json!(["t@"]))),
        ("schedule", cron()),
        ("changes", maybe(word(["log", "add_columns", "update"]))),
        ("override", changed("LogGroup", json!({ "RetentionInDays": 7 }))),
    ]);
    let rule = || {
        word([
            "IsComplete id",
            "IsPrimaryKey id",
            "IsUnique \"id\"",
            "RowCount between 1 and 1000000",
            "Completeness label > 0.9",
            "ColumnValues amount >= 0 with threshold > 0.5",
            "ColumnDataType label = \"Integer\"",
            "(IsComplete label) or (RowCount = 0)",
        ])
    };
    let rules = vec(rule(), 1..4).prop_map(Value::from).boxed();
    let checks = any_of([rules.clone(), map([("rules", rules), ("on_failure", maybe(word(["fail", "warn"])))])]);
    let profile_rules = one([
        json!([{ "rows": { "at_least": 1 } }]),
        json!([{ "missing_values": { "of": ["id", "many"], "at_most": "5%" } }, { "mean": { "of": "amount", "less_than": 7.5 } }]),
        json!([{ "values": { "of": "amount", "where": { "between": [0, 10] }, "at_least": "99%" } }]),
        json!([{ "duplicate_rows": { "equals": 0 } }, { "median": { "of": "amount", "more_than": 1 } }]),
        json!([{ "unique_values": { "of": "id", "equals": "100%" } }, { "distinct_values": { "of": "label", "at_least": 2 } }]),
        json!([{ "duplicate_values": { "of": "label", "at_most": 7 } }, { "valid_values": { "of": "many", "at_least": "90%" } },
               { "standard_deviation": { "of": "amount", "less_than": 3 } }]),
    ]);
    let profile = map([
        ("reads", word(["t@"])),
        ("dataset", maybe(word(["files", "catalog"]))),
        ("rows", maybe(number(1..=20_000))),
        ("schedule", cron()),
        ("rules", maybe(profile_rules)),
    ]);
    let upload = just(json!({ "u@": { "start": { "upload": "t@" }, "steps": ["c@"] } }));
    map([
        ("tables", map([("t@", table)])),
        ("crawlers", map([("c@", crawler)])),
        ("checks", maybe(map([("t@", checks)]))),
        ("profiles", if profiled { map([("p@", profile)]) } else { just(Value::Null) }),
        ("pipelines", maybe(upload)),
        ("grants", maybe(map([("g@", grant())]))),
        ("set", maybe(just(json!({ "tables.t@.description": "otherwise", "crawlers.c@.changes": "log" })))),
    ])
}

/// What others may do with the table of a source, if Lake Formation has a say.
fn grant() -> Piece {
    let may = word(["select", "describe", "insert", "delete", "alter", "drop"]);
    let some = json!({ "columns": ["id", "label"] });
    let rows = json!({ "columns": ["id"], "rows": "label = 'it''s' and (amount > 5 or not many in (1, 2))" });
    let table = any_of([map([("may", vec(may, 1..4).prop_map(Value::from).boxed())]), one([Value::Null, some, rows])]);
    let table = table.prop_map(|table| json!({ "t@": table })).boxed();
    let whole = map([("tables", table), ("grantable", maybe(flag()))]);
    let parts = map([("tables", just(json!({ "t@": { "except": ["amount", "good"] } })))]);
    let to = one([json!("role/analyst"), json!(["444455556666", "user/dana", "role/teams/data"])]);
    both(map([("to", to)]), any_of([whole, parts]))
}

/// A crawler that finds tables by itself, with classifiers.
fn discovery() -> Piece {
    let csv = map([
        ("delimiter", maybe(word([";", "\t"]))),
        ("header", maybe(word(["present", "absent", "unknown"]))),
        ("columns", maybe(just(json!(["id", "name"])))),
        ("types", maybe(just(json!(["INT", "STRING"])))),
        ("single_column", maybe(flag())),
        ("keep_white_space", maybe(flag())),
    ]);
    let grok = map([
        ("classification", word(["web_log"])),
        ("pattern", word(["%{IPORHOST:client} %{WORD:verb}", "%{CART:cart}"])),
        ("patterns", just(json!("CART [a-z]{3}"))),
    ]);
    let classifier = any_of([
        map([("csv", csv)]),
        map([("grok", grok)]),
        just(json!({ "json": { "path": "$.records[*]" } })),
        just(json!({ "xml": { "classification": "invoices", "row": "invoice" } })),
    ]);
    let place = map([
        ("zone", word(["raw", "curated"])),
        ("path", maybe(word(["logs/", "a/b c/"]))),
        ("exclude", maybe(just(json!(["**.tmp", "old/**"])))),
        ("sample", maybe(number(1..=249))),
    ]);
    let whole = map([
        ("removals", maybe(word(["log", "deprecate", "delete"]))),
        ("changes", maybe(word(["log", "add_columns", "update"]))),
        ("recrawl", maybe(word(["everything"]))),
    ]);
    let rest = any_of([whole, just(json!({ "recrawl": "new_folders" }))]);
    let grouping = map([
        ("discovers", vec(place, 1..3).prop_map(Value::from).boxed()),
        ("classifiers", just(json!(["k@"]))),
        ("schedule", cron()),
        ("grouping", maybe(word(["similar", "compatible"]))),
        ("table_level", maybe(number(1..=5))),
        ("max_tables", maybe(number(1..=50))),
    ]);
    let crawler = both(grouping, rest);
    map([("classifiers", map([("k@", classifier)])), ("crawlers", map([("c@", crawler)]))])
}

// ── parts: SQL ──

fn crawled(format: Piece) -> Piece {
    map([("zone", word(["raw"])), ("format", format), ("columns", just(typed()))])
}

fn crawler_of_source() -> Piece {
    just(json!({ "c@": { "reads": ["s@"] } }))
}

/// A query that replaces or appends.
fn query() -> Piece {
    let target = |format: Piece, partitioned: bool| {
        let partitions = json!({ "year": { "type": "int", "project": { "integer": { "from": 2020, "to": 2040 } } } });
        map([
            ("zone", word(["curated"])),
            ("format", format),
            ("columns", just(json!({ "id": "int", "total": "double" }))),
            ("partitions", just(if partitioned { partitions } else { Value::Null })),
        ])
    };
    let select =
        |rest: &str| json!(format!("select id, sum(amount) as total{rest} from s@ where label <> 'it''s' group by id"));
    let query = |sql: Value, mode: Piece| {
        let changed = changed("NamedQuery", json!({ "Description": "How much" }));
        map([("writes", word(["t@"])), ("mode", mode), ("sql", just(sql)), ("override", changed)])
    };
    let written = |partitioned: bool| {
        let sql = select(if partitioned { ", 2026 as year" } else { "" });
        let replaced =
            map([("t", target(written_format(), partitioned)), ("q", query(sql.clone(), maybe(word(["replace"]))))]);
        let appended =
            map([("t", target(word(["parquet", "orc", "avro"]), partitioned)), ("q", query(sql, word(["append"])))]);
        any_of([replaced, appended])
    };
    let parts = (crawled(format()), crawler_of_source(), any_of([written(false), written(true)]));
    parts
        .prop_map(|(source, crawlers, both)| {
            json!({ "tables": { "s@": source, "t@": both["t"] }, "crawlers": crawlers, "queries": { "q@": both["q"] } })
        })
        .boxed()
}

/// A query that changes an Iceberg table.
fn merge() -> Piece {
    let partition =
        vec(word(["label", "day(at)", "bucket(8, id)", "truncate(4, label)"]), 1..3).prop_map(Value::from).boxed();
    let files = map([("min_files", maybe(number(1..=500))), ("min_deletes", maybe(number(1..=500)))]);
    let snapshots = map([("keep", maybe(quantity(1..=90, " days"))), ("at_least", maybe(number(1..=9)))]);
    let layout = map([
        ("partition", maybe(partition)),
        ("compaction", maybe(files)),
        ("retention", maybe(snapshots)),
        ("orphan_file_deletion", maybe(map([("keep", maybe(quantity(3..=90, " days")))]))),
    ]);
    let target = map([
        ("zone", word(["curated"])),
        ("format", any_of([word(["iceberg"]), map([("iceberg", layout)])])),
        ("description", maybe(sentence())),
        (
            "columns",
            just(json!({ "id": { "type": "int", "primary_key": true }, "label": "string", "at": "timestamp" })),
        ),
    ]);
    let query = map([
        ("writes", word(["t@"])),
        ("mode", any_of([word(["append", "merge"]), just(json!({ "merge": ["id", "label"] }))])),
        ("sql", word(["select id, label, timestamp '2026-01-01 00:00:00' as at from s@;"])),
    ]);
    map([
        ("tables", map([("s@", crawled(format())), ("t@", target)])),
        ("crawlers", crawler_of_source()),
        ("queries", map([("q@", query)])),
    ])
}

/// A view, and statements over it.
fn view() -> Piece {
    let view =
        json!({ "view": "select id, count(*) as n from s@ group by id", "columns": { "id": "int", "n": "bigint" } });
    let statements = one([
        json!({ "all@": { "sql": "select * from v@", "workgroup": "w@" } }),
        json!({ "of@": { "sql": "select n from v@ where id = ?", "parameters": ["id"], "description": "How many" } }),
    ]);
    map([
        ("tables", map([("s@", crawled(format())), ("v@", just(view))])),
        ("crawlers", crawler_of_source()),
        ("workgroups", map([("w@", workgroup()), ("lake", maybe(workgroup()))])),
        ("statements", statements),
    ])
}

fn workgroup() -> Piece {
    map([
        ("scan_limit", maybe(quantity(10..=900, " GB"))),
        ("keep_results", maybe(quantity(1..=90, " days"))),
        ("enforced", maybe(flag())),
        ("engine", maybe(word(["v3", "auto"]))),
        ("metrics", maybe(flag())),
        ("requester_pays", maybe(flag())),
        ("description", maybe(sentence())),
    ])
}

// ── parts: other steps ──

fn recipe() -> Piece {
    let step = one([
        json!({ "remove_missing": { "column": "id" } }),
        json!({ "remove_duplicates": { "column": "id" } }),
        json!({ "trim": { "column": "label" } }),
        json!({ "lower_case": { "column": "label" } }),
        json!({ "remove_values": { "column": "amount", "where": { "less_than": 0 } } }),
        json!({ "raw": { "operation": "REMOVE_COMBINED", "parameters": { "sourceColumn": "label" }, "local": "select * from rows" } }),
    ]);
    let sample =
        map([("sample", maybe(one([json!({ "first": 500 }), json!({ "random": 5_000 }), json!({ "last": 1 })])))]);
    let recipe = map([
        ("reads", word(["s@"])),
        ("dataset", maybe(word(["files", "catalog"]))),
        ("writes", word(["t@"])),
        ("steps", vec(step, 1..6).prop_map(Value::from).boxed()),
        ("nodes", maybe(number(2..=20))),
        ("retries", maybe(number(0..=10))),
        ("timeout", maybe(quantity(1..=48, " hours"))),
        ("files", maybe(number(1..=999))),
        ("schedule", cron()),
        ("project", maybe(sample)),
        ("override", changed("Job", json!({ "LogSubscription": "DISABLE" }))),
    ]);
    let parquet = map([("compression", maybe(word(["snappy", "gzip", "none"])))]);
    let target = map([
        ("zone", word(["curated"])),
        ("format", any_of([word(["parquet", "json", "csv"]), map([("parquet", parquet)])])),
        ("columns", just(typed())),
    ]);
    map([("tables", map([("s@", crawled(readable_format())), ("t@", target)])), ("recipes", map([("r@", recipe)]))])
}

/// What every job may have.
fn machines() -> Piece {
    let kind = maybe(word(["G.1X", "G.2X"]));
    let workers = any_of([
        map([("type", kind.clone()), ("max", maybe(number(2..=299)))]),
        map([("type", kind), ("count", number(2..=299))]),
    ]);
    map([
        ("workers", maybe(workers)),
        ("timeout", maybe(quantity(61..=900, " minutes"))),
        ("retries", maybe(number(0..=10))),
        ("flexible", maybe(flag())),
        ("bookmarks", maybe(word(["enabled", "paused", "disabled"]))),
        ("concurrency", maybe(number(1..=1_000))),
        ("notify_after", maybe(quantity(1..=60, " minutes"))),
        ("glue", maybe(word(["5.0", "5.1"]))),
        ("spark", maybe(just(json!({ "spark.sql.shuffle.partitions": 64, "spark.sql.adaptive.enabled": true })))),
        ("parameters", maybe(just(json!({ "enable-job-insights": false })))),
        ("was", maybe(word(["before_j@"]))),
        ("override", changed("Job", json!({ "MaintenanceWindow": "Sun:3" }))),
    ])
}

/// `rest` with the machines of a job.
fn job(rest: Piece) -> Piece {
    both(rest, machines())
}

fn script_job() -> Piece {
    let script = map([
        ("script", word(["jobs/job.py"])),
        ("modules", maybe(just(json!(["jobs/lib", "jobs/helper.py"])))),
        ("reads", just(json!(["s@"]))),
        ("writes", one([json!(["t@"]), json!(["t@", "d@"])])),
        ("arguments", maybe(just(json!({ "half_life": "5", "text": "a ${b} \"c\"" })))),
        ("packages", maybe(just(json!(["holidays==0.57"])))),
    ]);
    let target = map([
        ("zone", word(["curated"])),
        ("format", format()),
        ("columns", just(typed())),
        ("partitions", maybe(partitions())),
    ]);
    let items = json!({ "dynamodb": { "key": "label" }, "columns": { "label": "string", "n": "int" } });
    map([
        ("tables", map([("s@", crawled(format())), ("t@", target), ("d@", just(items))])),
        ("jobs", map([("j@", job(script))])),
        (
            "set",
            maybe(just(json!({ "jobs.j@.timeout": "5 hours", "jobs.j@.spark.\"spark.sql.shuffle.partitions\"": 400 }))),
        ),
    ])
}

fn visual_job() -> Piece {
    let node = |node: Value| just(node);
    let filter = one([
        json!({ "filter": { "from": "rows", "where": { "amount": { "greater_than": 0 }, "label": "present" } } }),
        json!({ "filter": { "from": "rows", "where": { "label": { "matches": "^a.*\"b" } }, "any": true } }),
        json!({ "drop_duplicates": { "from": "rows", "by": ["id"] } }),
        json!({ "fill": { "from": "rows", "values": { "label": "it's" } } }),
        json!({ "derive": { "from": "rows", "columns": { "amount": { "sql": "amount * 2", "type": "double" } } } }),
    ]);
    let total = one([
        json!({ "aggregate": { "from": "some", "by": ["id"], "columns": { "n": "count", "total": { "sum": "amount" } } } }),
        json!({ "aggregate": { "from": "some", "by": ["id"], "columns": { "n": { "count_distinct": "label" }, "total": { "average": "amount" } } } }),
        json!({ "aggregate": { "from": "some", "by": ["id"], "columns": { "n": "count", "total": { "standard_deviation": "amount" } } } }),
        json!({ "sql": { "from": ["some"], "query": "select id, count(*) as n, sum(amount) as total from some group by id",
                         "columns": { "id": "int", "n": "bigint", "total": "double" } } }),
    ]);
    let join = word(["inner", "left", "right", "outer", "semi", "anti"])
        .prop_map(|how| json!({ "join": { "left": "rows", "right": "other", "on": ["id"], "how": how } }))
        .boxed();
    let other = json!({ "mapping": { "from": "rows", "columns": { "id": {}, "tag": { "from": "label" }, "n": { "from": "many", "type": "string" } } } });
    let joined = map([("other", just(other)), ("some", join)]);
    let union = json!({
        "less": { "select": { "from": "rows", "columns": ["id", "label", "amount"] } },
        "also": { "drop": { "from": "rows", "columns": ["many", "good"] } },
        "some": { "union": { "of": ["less", "also"], "distinct": true } },
    });
    let some = any_of([map([("some", filter)]), joined, just(union)]);
    let nodes = map([
        ("rows", node(json!({ "source": "s@" }))),
        ("totals", total),
        ("result", node(json!({ "target": { "from": "totals", "table": "t@" } }))),
    ]);
    let target = map([
        ("zone", word(["curated"])),
        ("format", written_format()),
        ("columns", just(json!({ "id": "int", "n": "bigint", "total": "double" }))),
    ]);
    map([
        ("tables", map([("s@", crawled(format())), ("t@", target)])),
        ("jobs", map([("j@", job(map([("nodes", both(nodes, some))])))])),
    ])
}

/// A model with or without an endpoint, the function that asks it, and a route.
fn model() -> Piece {
    let gate = one([
        json!({ "validation:auc": { "at_least": 0.7 } }),
        json!({ "validation:rmse": { "at_most": 3, "below": ["naive:rmse"] } }),
    ]);
    let rollback = |most| {
        maybe(map([
            ("errors", maybe(quantity(0..=99, "%"))),
            ("latency", maybe(quantity(1..=900, " ms"))),
            ("watch", maybe(quantity(1..=most, " minutes"))),
        ]))
    };
    let serverless = map([
        ("memory", maybe(quantity(1..=6, " GB"))),
        ("concurrency", maybe(number(5..=200))),
        ("provisioned", maybe(number(1..=5))),
        ("rollback", rollback(180)),
    ]);
    let scale = map([
        ("min", number(2..=3)),
        ("max", number(4..=9)),
        ("requests", number(1..=10_000)),
        ("settle", maybe(quantity(1..=60, " minutes"))),
    ]);
    let shift = any_of([
        word(["all_at_once"]),
        map([("canary", map([("first", quantity(1..=50, "%")), ("wait", quantity(1..=60, " minutes"))]))]),
        map([("linear", map([("step", quantity(25..=50, "%")), ("wait", quantity(1..=60, " minutes"))]))]),
    ]);
    let capture = maybe(map([("zone", word(["raw", "curated"])), ("share", maybe(quantity(1..=100, "%")))]));
    let machine = || word(["ml.m5.large", "ml.m5.2xlarge", "ml.c5.xlarge"]);
    let instances = |numbers: (&'static str, Piece)| {
        map([
            ("type", machine()),
            numbers,
            ("shift", maybe(shift.clone())),
            ("capture", capture.clone()),
            ("rollback", rollback(60)),
        ])
    };
    let endpoint = any_of([
        map([("serverless", serverless)]),
        map([("instances", instances(("count", number(2..=9))))]),
        map([("instances", instances(("scale", scale)))]),
    ]);
    let learned = |endpoint: Piece| {
        map([
            ("source", word(["models/model"])),
            ("reads", just(json!({ "train": "t@", "validation": "t@" }))),
            ("instance", maybe(machine())),
            ("hyperparameters", maybe(just(json!({ "objective": "binary:logistic", "max_depth": 8 })))),
            ("accept", maybe(gate.clone())),
            ("timeout", maybe(quantity(1..=48, " hours"))),
            ("endpoint", endpoint),
            ("was", maybe(word(["before_m@"]))),
            ("override", changed("Role", json!({ "MaxSessionDuration": 7_200 }))),
        ])
    };
    let tables = || {
        just(json!({ "t@": { "zone": "curated", "format": "parquet", "columns": { "id": "int", "label": "int" } } }))
    };
    let asked = map([
        ("tables", tables()),
        ("models", map([("m@", learned(endpoint))])),
        ("functions", map([("f@", function(json!([]), json!(["m@"])))])),
        ("routes", map([("GET /m@", map([("function", word(["f@"])), ("public", maybe(flag()))]))])),
    ]);
    let alone = map([("tables", tables()), ("models", map([("m@", learned(just(Value::Null)))]))]);
    any_of([asked, alone])
}

fn function(reads: Value, calls: Value) -> Piece {
    map([
        ("source", word(["functions/answer"])),
        ("handler", maybe(word(["handler.handler"]))),
        ("reads", just(reads)),
        ("calls", just(calls)),
        ("memory", maybe(quantity(128..=10_240, " MB"))),
        ("timeout", maybe(quantity(1..=29, " seconds"))),
        ("environment", maybe(just(json!({ "LEVEL": "3", "SAYING": "a ${b} 'c'" })))),
        ("override", changed("Function", json!({ "ReservedConcurrentExecutions": 5 }))),
    ])
}

/// A key-value table that a job fills and a function looks things up in.
fn key_value() -> Piece {
    let parameter = |default: Value| {
        let number = map([
            ("type", word(["int"])),
            ("default", just(default)),
            ("minimum", maybe(number(1..=5))),
            ("maximum", maybe(number(10..=100))),
        ]);
        any_of([
            word(["string", "int", "number", "boolean"]),
            number,
            just(json!({ "type": "string", "required": true, "maximum_length": 20, "description": "a word" })),
        ])
    };
    let answer = maybe(just(json!({ "products": { "type": "int", "list": true, "description": "the best first" } })));
    let get = map([
        ("function", word(["f@"])),
        ("description", maybe(sentence())),
        ("path", maybe(just(json!({ "id": "int" })))),
        ("query", maybe(map([("limit", parameter(json!(10)))]))),
        ("answer", answer),
    ]);
    let post = map([
        ("function", word(["f@"])),
        ("public", maybe(flag())),
        ("body", maybe(map([("text", parameter(Value::Null)), ("more", parameter(Value::Null))]))),
    ]);
    let key = word(["string", "int", "bigint"]);
    let items = map([
        ("dynamodb", just(json!({ "key": "id" }))),
        ("columns", map([("id", key), ("payload", word(["string", "binary", "double"]))])),
    ]);
    let filler = job(just(json!({ "script": "jobs/job.py", "reads": ["s@"], "writes": ["d@"] })));
    map([
        ("tables", map([("s@", crawled(format())), ("d@", items)])),
        ("jobs", map([("j@", filler)])),
        ("functions", map([("f@", function(json!(["d@", "s@"]), json!([])))])),
        ("routes", map([("GET /d@/{id}", get), ("POST /d@", post)])),
    ])
}
