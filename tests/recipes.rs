//! Every recipe step against its examples: what DataBrew is told, what a local run makes of the rows, and what the page says.

#![allow(clippy::unwrap_used, clippy::panic, reason = "an example that cannot be read has failed")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use lakegen::files::{FileKind, Files};
use lakegen::kind::recipe::{ActionParameter, RecipeAction, reference};
use lakegen::source::{Node, Source, Value};
use serde_json::{Value as Json, json};
use support::{python, root};

struct NoFiles;

impl Files for NoFiles {
    fn kind(&self, _: &Path) -> Option<FileKind> {
        None
    }
    fn read(&self, _: &Path) -> Result<String, String> {
        Ok(String::new())
    }
    fn list(&self, _: &Path) -> Vec<String> {
        Vec::new()
    }
}

/// One example: a step as it is written, on one line, the rows before and after it, the other tables that it reads, and the DataBrew
/// action.
struct Example {
    place: String,
    step: String,
    before: Json,
    with: Vec<(String, Json)>,
    after: Json,
    action: Json,
}

impl Example {
    fn name(&self) -> &str {
        self.step.trim_start_matches(['{', ' ']).split([':', ' ', '}']).next().unwrap_or_default()
    }

    /// The step as lakegen understands it in a recipe between tables of these columns, which it must find no fault with.
    fn checked(&self) -> RecipeAction {
        let columns = |table: &Json| {
            let columns = table["columns"].as_array().unwrap().iter();
            columns.map(|c| format!("{}: {}", c["name"], c["type"])).collect::<Vec<_>>().join(", ")
        };
        let ours = [("before", &self.before), ("after", &self.after)];
        let tables = ours.into_iter().chain(self.with.iter().map(|(name, table)| (name.as_str(), table)));
        let tables: String = tables
            .map(|(name, table)| {
                format!("  {name}: {{ zone: z, format: parquet, columns: {{ {} }} }}\n", columns(table))
            })
            .collect();
        let text = format!(
            "name: examples\nzones: {{ z: }}\ntables:\n{tables}recipes:\n  r: {{ reads: before, writes: after, steps: [ {} ] }}\n",
            self.step
        );
        let source = Source { name: self.place.clone(), text: text.into() };
        let (lake, diagnostics) = lakegen::check::check(source, Path::new(""), &NoFiles);
        let lake = lake.filter(|_| diagnostics.list.is_empty());
        let lake = lake.unwrap_or_else(|| panic!("{}\n{}", self.place, diagnostics.render(false)));
        lake.recipes.values().next().unwrap().steps[0].clone()
    }

    /// A parameter as the example writes it, other tables by their names.
    fn said(&self, parameter: &ActionParameter) -> String {
        // `before` and `after` are declared first.
        let name = |id: &lakegen::lake::Id<lakegen::lake::Table>| self.with[id.index() - 2].0.as_str();
        match parameter {
            ActionParameter::Text(text) => text.clone(),
            ActionParameter::Dataset(id) => format!("dataset of {}", name(id)),
            ActionParameter::Datasets(ids) => {
                format!("datasets of {}", ids.iter().map(name).collect::<Vec<_>>().join(", "))
            }
            ActionParameter::Location(id) => format!("location of {}", name(id)),
            ActionParameter::Inputs(ids) => {
                format!("inputs of {}", ids.iter().map(name).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

fn json_of(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::String(text) => text.clone().into(),
        Value::List(items) => items.iter().map(json_of).collect(),
        Value::Map(entries) => {
            Json::Object(entries.iter().map(|(name, node)| (name.value.clone(), json_of(node))).collect())
        }
    }
}

/// A table written column by column, the type before the values: `{ a: [int, 1, null] }`.
fn table(node: &Node) -> Json {
    let Json::Object(columns) = json_of(node) else { panic!("a table is a map") };
    let column = |(name, values): (&String, &Json)| {
        let (ty, values) = values.as_array().unwrap().split_first().unwrap();
        json!({ "name": name, "type": ty, "values": values })
    };
    json!({ "columns": columns.iter().map(column).collect::<Vec<_>>() })
}

fn examples() -> Vec<Example> {
    let mut files: Vec<_> =
        std::fs::read_dir(root().join("tests/recipes")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let mut examples = Vec::new();
    for file in files {
        let text: Arc<str> = std::fs::read_to_string(&file).unwrap().into();
        let Value::List(items) = lakegen::source::parse(&text).unwrap().value else {
            panic!("{} is no list", file.display())
        };
        for item in items {
            let line = text[..item.span.start as usize].matches('\n').count() + 1;
            let Value::Map(entries) = item.value else { panic!("{}:{line} is no map", file.display()) };
            let get =
                |key: &str| &entries.iter().find(|(name, _)| name.value == key).unwrap_or_else(|| panic!("{key}")).1;
            examples.push(Example {
                place: format!("{}:{line}", file.file_name().unwrap().display()),
                step: text[get("step").span.start as usize..].lines().next().unwrap().trim_end().to_owned(),
                before: table(get("before")),
                with: match entries.iter().find(|(name, _)| name.value == "with").map(|(_, node)| &node.value) {
                    Some(Value::Map(tables)) => {
                        tables.iter().map(|(name, node)| (name.value.clone(), table(node))).collect()
                    }
                    _ => Vec::new(),
                },
                after: table(get("after")),
                action: json_of(get("action")),
            });
        }
    }
    examples
}

#[test]
fn databrew_is_told_exactly_what_its_reference_asks_for() {
    for example in examples() {
        let RecipeAction { operation, parameters, others: _, conditions, local: _ } = example.checked();
        let parameters: BTreeMap<_, _> =
            parameters.iter().map(|(name, value)| (name.clone(), example.said(value))).collect();
        let condition = |c: &lakegen::lake::Condition| match &c.value {
            Some(value) => json!({ "condition": c.condition, "column": c.column, "value": value }),
            None => json!({ "condition": c.condition, "column": c.column }),
        };
        let mut said = json!({ "operation": operation, "parameters": parameters });
        if !conditions.is_empty() {
            said["conditions"] = conditions.iter().map(condition).collect();
        }
        assert_eq!(said, example.action, "{} {}", example.place, example.step);
    }
}

#[test]
fn a_local_run_makes_of_the_rows_what_the_examples_say() {
    let cases: Vec<Json> = examples()
        .iter()
        .map(|example| {
            let action = example.checked();
            let steps = json!([{ "operation": action.operation, "sql": action.local }]);
            let with: serde_json::Map<_, _> = example.with.iter().cloned().collect();
            json!({ "name": format!("{} {}", example.place, example.step), "action": example.action, "before": example.before, "with": with, "after": example.after, "steps": steps })
        })
        .collect();
    let mut child = Command::new(python().environment.python)
        .arg("tests/recipes/run.py")
        .current_dir(root())
        .env("PYTHONPATH", root().join("src/local/python"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(Json::from(cases).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn every_step_has_an_example_and_the_page_is_current() {
    let mut first: BTreeMap<String, String> = BTreeMap::new();
    for example in examples() {
        let step = example.step.strip_prefix("{ ").and_then(|step| step.strip_suffix(" }")).unwrap_or(&example.step);
        first.entry(example.name().to_owned()).or_insert_with(|| step.to_owned());
    }
    let missing = std::cell::RefCell::new(BTreeSet::new());
    let page = reference(&|name| {
        let Some(step) = first.get(name) else {
            missing.borrow_mut().insert(name.to_owned());
            return String::new();
        };
        format!("\n```yaml\n- {step}\n```\n")
    });
    assert_eq!(missing.into_inner(), BTreeSet::new(), "steps without an example in tests/recipes");
    let path = root().join("docs/recipe-steps.md");
    if std::env::var_os("INSTA_UPDATE").is_some_and(|update| update == "always") {
        std::fs::write(&path, &page).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap() == page,
        "run this test with INSTA_UPDATE=always and read the diff of {}",
        path.display()
    );
}
