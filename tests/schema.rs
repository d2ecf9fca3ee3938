//! The JSON Schema takes what the reader takes and refuses what it refuses.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail like tests")]

mod support;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use lakegen::blueprint;
use lakegen::check::check;
use lakegen::cli::Starter;
use lakegen::files::{FileKind, Files};
use lakegen::schema::{Language, json_schema};
use lakegen::source::Source;
use lakegen::starter;
use serde_json::{Value as Json, json};
use support::{python, root};

/// What is wrong with each value, by the JSON Schema.
fn judged(values: &[Json]) -> Vec<Option<String>> {
    let request = json!({ "schema": json_schema(&Language::of_blueprints()), "values": values });
    let mut command = python().tool("python");
    command.arg("tests/schema/validate.py").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(request.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Good blueprints by their names: those of the repository and of every starter.
fn good() -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for folder in ["blueprints", "src/lower/tests"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                texts.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    for from in [Starter::Minimal, Starter::Bikes, Starter::Instacart] {
        let files = starter::files(from, "coffee").unwrap();
        let blueprint = files.iter().find(|file| file.path == Path::new("blueprints/lake.yaml")).unwrap();
        texts.push((format!("{from:?}"), String::from_utf8(blueprint.bytes.clone()).unwrap()));
    }
    texts
}

#[test]
fn every_good_blueprint_is_valid() {
    let (names, texts): (Vec<String>, Vec<String>) = good().into_iter().unzip();
    let values: Vec<Json> = texts.iter().map(|text| blueprint::parse(text).unwrap().json()).collect();
    for (name, verdict) in names.iter().zip(judged(&values)) {
        assert_eq!(verdict, None, "{name}");
    }
}

#[test]
fn starters_name_the_schema_that_they_bring() {
    for from in [Starter::Minimal, Starter::Bikes, Starter::Instacart] {
        let files = starter::files(from, "coffee").unwrap();
        let text = |path: &str| {
            let file = files.iter().find(|file| file.path == Path::new(path)).unwrap();
            String::from_utf8(file.bytes.clone()).unwrap()
        };
        assert!(text("blueprints/lake.yaml").starts_with("# yaml-language-server: $schema=schema.json\n"), "{from:?}");
        let schema: Json = serde_json::from_str(&text("blueprints/schema.json")).unwrap();
        assert_eq!(schema, json!(json_schema(&Language::of_blueprints())));
    }
}

/// Blueprints with mistakes that no JSON Schema can see: in names, in the contents of texts, in what belongs together. Each was read.
const ONLY_CHECK: &[&str] = &[
    "api_columns.yaml",
    "appended_twice.yaml",
    "cycle.yaml",
    "cycle_of_one.yaml",
    "duplicate_keys.yaml",
    "engines.yaml",
    "escape_names.yaml",
    "escape_properties.yaml",
    "github_continued.yaml",
    "grok.yaml",
    "leaks.yaml",
    "limits.yaml",
    "literals.yaml",
    "nested.yaml",
    "no_name.yaml",
    "overtaking.yaml",
    "paths.yaml",
    "placed.yaml",
    "recipe_columns.yaml",
    "references.yaml",
    "regions_and_accounts.yaml",
    "renamed.yaml",
    "same_step_name.yaml",
    "services.yaml",
    "sql.yaml",
    "sql_dialect.yaml",
    "sql_joins.yaml",
    "sql_types.yaml",
    "training.yaml",
    "two_writers.yaml",
    "unlisted.yaml",
    "unused.yaml",
    "views.yaml",
    "visual_maps.yaml",
];

#[test]
fn a_bad_blueprint_is_refused_unless_only_check_can_see_why() {
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(root().join("tests/bad")).unwrap() {
        let path = entry.unwrap().path();
        // What is not YAML is nothing that a schema could judge.
        if let Ok(node) = blueprint::parse(&std::fs::read_to_string(&path).unwrap()) {
            cases.push((path.file_name().unwrap().to_string_lossy().into_owned(), node.json()));
        }
    }
    let values: Vec<Json> = cases.iter().map(|(_, value)| value.clone()).collect();
    let verdicts = judged(&values);
    let names = cases.iter().map(|(name, _)| name.as_str());
    let accepted: BTreeSet<&str> =
        names.zip(&verdicts).filter(|(_, verdict)| verdict.is_none()).map(|(name, _)| name).collect();
    assert_eq!(accepted, ONLY_CHECK.iter().copied().collect());
}

/// Every path is there.
struct Project;

impl Files for Project {
    fn kind(&self, path: &Path) -> Option<FileKind> {
        Some(if path.extension().is_some() { FileKind::File } else { FileKind::Directory })
    }

    fn read(&self, _: &Path) -> Result<String, String> {
        Ok("select id from users".into())
    }

    fn list(&self, _: &Path) -> Vec<String> {
        Vec::new()
    }
}

/// Numbers that are always the same: a failure can be run again.
struct Dice(u64);

impl Dice {
    /// Below `sides`.
    fn roll(&mut self, sides: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).unwrap()
    }
}

/// The places of all values.
fn pointers(value: &Json, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    match value {
        Json::Object(entries) => {
            for (key, value) in entries {
                pointers(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), out);
            }
        }
        Json::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                pointers(value, &format!("{at}/{index}"), out);
            }
        }
        _ => {}
    }
}

/// The value with one thing about it changed: another value somewhere, a key left out, added or misspelt.
fn damaged(value: &Json, dice: &mut Dice) -> Json {
    let mut value = value.clone();
    let mut places = Vec::new();
    pointers(&value, "", &mut places);
    let other = value.pointer(&places[dice.roll(places.len())]).cloned().unwrap();
    let at = value.pointer_mut(&places[1 + dice.roll(places.len() - 1)]).unwrap();
    let odd = [
        json!(null),
        json!(true),
        json!(3),
        json!(-1),
        json!(1.5),
        json!("x"),
        json!("2 GB"),
        json!("all"),
        json!([]),
        json!(["x"]),
        json!({}),
        json!({ "x": 1 }),
        other,
    ];
    match (at, dice.roll(3)) {
        (Json::Object(entries), 0) if !entries.is_empty() => {
            let key = entries.keys().nth(dice.roll(entries.len())).unwrap().clone();
            entries.remove(&key);
        }
        (Json::Object(entries), 1) => {
            entries.insert("surplus".into(), odd[dice.roll(odd.len())].clone());
        }
        (at, _) => *at = odd[dice.roll(odd.len())].clone(),
    }
    value
}

#[test]
fn reader_and_schema_agree_on_damaged_blueprints() {
    let mut dice = Dice(2017);
    let mut values = Vec::new();
    for (_, text) in good().iter().filter(|(name, _)| !name.contains("nstacart")) {
        let whole = blueprint::parse(text).unwrap().json();
        values.extend((0..300).map(|_| damaged(&whole, &mut dice)));
    }
    let mut refused = 0;
    for (value, verdict) in values.iter().zip(judged(&values)) {
        let text: Arc<str> = value.to_string().into();
        let (_, noted) = blueprint::read(&blueprint::parse(&text).unwrap(), &text);
        let messages: Vec<&str> = noted.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
        if verdict.is_none() {
            assert_eq!(messages, [""; 0], "the reader refuses what the schema takes: {text}");
        } else {
            refused += 1;
            // The keys of recipe steps and conditions are read when their columns are known, by `check`.
            let (_, diagnostics) =
                check(Source { name: "x.yaml".into(), text: text.clone() }, Path::new("."), &Project);
            assert!(diagnostics.errors() > 0, "the schema refuses what check takes: {verdict:?} {text}");
        }
    }
    assert!(refused > values.len() / 4, "{refused} of {} were refused", values.len());
}
