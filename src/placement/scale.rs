//! A lake of some five thousand things of every kind: it stays under the limits of CloudFormation and IAM, and adding one thing of
//! every kind moves nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use super::*;
use crate::assembly::{Assembly, Assets};
use crate::cfn::Format;
use crate::check::check;
use crate::files::Disk;
use crate::lower::lower;
use crate::source::Source;

/// IAM's limits for the characters of all inline policies of a role and of one managed policy, and for the managed policies of a role.
/// Source: "IAM and STS quotas".
const INLINE: usize = 10_240;
const MANAGED: usize = 6_144;
const ATTACHED: usize = 10;
/// Lambda's limit for the statements of who may call a function, in bytes. Source: "Lambda quotas".
const CALLERS: usize = 20 * 1024;

/// How many things there are of every kind; tables follow from these.
const COUNTS: [(&str, usize); 12] = [
    ("zones", 50),
    ("items", 200),
    ("crawlers", 100),
    ("queries", 500),
    ("recipes", 800),
    ("jobs", 200),
    ("visual jobs", 500),
    ("models", 10),
    ("functions", 100),
    ("profiles", 150),
    ("checks", 150),
    ("statements", 100),
];

/// What stands behind the name of a step that makes the table `to`.
type Line = fn(to: &str) -> String;

/// The number at the end of a name; 0 for what was added.
fn number(name: &str) -> usize {
    name.rsplit('_').next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// The blueprint; with `more`, one thing of every kind stands before all others of its kind.
fn blueprint(more: bool) -> String {
    let named = |kind: &str| -> Vec<String> {
        let count = COUNTS.iter().find(|(known, _)| *known == kind).map_or(0, |(_, count)| *count);
        let letter = kind.replace(' ', "_");
        more.then(|| format!("{letter}_added")).into_iter().chain((0..count).map(|n| format!("{letter}_{n}"))).collect()
    };
    let mut sections: BTreeMap<&str, String> = BTreeMap::new();
    let mut add = |section: &'static str, line: String| {
        let _ = writeln!(sections.entry(section).or_default(), "  {line}");
    };
    let columns = "columns: { id: int, name: string, value: double }";
    let table =
        |name: &str, zone: &str, format: &str| format!("{name}: {{ zone: {zone}, format: {format}, {columns} }}");
    add("tables", table("source", "zones_0", "csv"));
    for zone in named("zones") {
        add("zones", format!("{zone}:"));
    }
    for name in named("items") {
        add("tables", format!("{name}: {{ dynamodb: {{ key: id }}, columns: {{ id: int, name: string }} }}"));
    }
    let made: [(&str, &str, Line); 5] = [
        ("crawlers", "crawlers", |to| format!("{{ reads: [{to}] }}")),
        ("queries", "queries", |to| {
            format!(
                "{{ writes: {to}, sql: \"select id, name, value from source where value > 0 and name <> 'nobody'\" }}"
            )
        }),
        ("recipes", "recipes", |to| {
            format!(
                "{{ reads: source, writes: {to}, steps: [{{ remove_missing: {{ column: id }} }}, {{ trim: {{ column: name }} }}] }}"
            )
        }),
        ("jobs", "jobs", |to| format!("{{ script: job.py, reads: [source], writes: [{to}] }}")),
        ("visual jobs", "jobs", |to| {
            format!(
                "{{ nodes: {{ all: {{ source: source }}, some: {{ filter: {{ from: all, where: {{ value: {{ greater_than: 0 }} }} }} }}, \
                to: {{ target: {{ from: some, table: {to} }} }} }} }}"
            )
        }),
    ];
    for (kind, section, line) in made {
        for name in named(kind) {
            let to = format!("t_{name}");
            add("tables", table(&to, &format!("zones_{}", number(&name) % 50), "parquet"));
            add(section, format!("{name}: {}", line(&to)));
        }
    }
    for name in named("models") {
        add(
            "models",
            format!(
                "{name}: {{ source: model, reads: {{ train: source }}, endpoint: {{ serverless: {{ memory: 2 GB, concurrency: 5 }} }} }}"
            ),
        );
    }
    for name in named("functions") {
        add("functions", format!("{name}: {{ source: function, reads: [items_{}], calls: [] }}", number(&name)));
    }
    for name in named("profiles") {
        add(
            "profiles",
            format!("{name}: {{ reads: source, rules: [{{ missing_values: {{ of: id, at_most: 0 }} }}] }}"),
        );
    }
    for name in named("checks") {
        let of = name.replace("checks", "t_queries");
        add("checks", format!("{of}: [\"IsComplete id\", \"RowCount > 0\"]"));
    }
    for name in named("statements") {
        add("statements", format!("{name}: {{ sql: \"select value from source where id = ?\", parameters: [id] }}"));
    }
    let sections: String = sections.iter().map(|(section, lines)| format!("{section}:\n{lines}")).collect();
    format!(
        "name: many\nenvironments: {{ dev: {{ region: eu-west-1 }} }}\n{sections}\
        pipelines: {{ nightly: {{ start: {{ schedule: \"cron(0 3 * * ? *)\" }}, steps: all }} }}\n"
    )
}

fn lake(more: bool, root: &Path) -> Lake {
    let source = Source { name: "many.yaml".into(), text: blueprint(more).into() };
    let (lake, diagnostics) = check(source, root, &Disk::new(root));
    lake.unwrap_or_else(|| panic!("{}", diagnostics.render(false).chars().take(2_000).collect::<String>()))
}

fn project() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (file, text) in
        [("job.py", "print()\n"), ("model/train.py", ""), ("model/inference.py", ""), ("function/handler.py", "")]
    {
        let path = root.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    root
}

type Resources = BTreeMap<(String, String), Value>;

fn resources(assembly: &Assembly) -> Resources {
    let of = |stack: &crate::assembly::RenderedStack| {
        let template: Value = serde_json::from_str(&stack.template.text).unwrap();
        let resources = template["Resources"].as_object().unwrap().clone();
        let name = stack.name.clone();
        resources.into_iter().map(move |(id, resource)| ((name.clone(), id), resource))
    };
    assembly.stacks.iter().flat_map(of).collect()
}

/// How long a policy is at most, white space not counted: a reference stands for the longest ARN that there is.
fn characters(policy: &Value) -> usize {
    let text = policy.to_string();
    text.len() + 80 * text.matches("${").count()
}

#[test]
fn five_thousand_things_of_every_kind_fit_and_one_more_of_each_moves_nothing() {
    let root = project();
    let before = lake(false, root.path());
    let assets = Assets::collect(&before).unwrap();
    let placement = Placement::of(&before, &Lock::default());
    let lock = Lock::parse(&placement.lock(&before).render(), "many").unwrap();
    let old = lock.places().clone();
    assert!(old.len() >= 4_900, "{} things", old.len());
    let assembly = lower(&before, &before.environments[0], &assets, &placement, Format::Json);

    let mut seen: Vec<&str> = Vec::new();
    for stack in &assembly.stacks {
        let (name, resources) = (&stack.name, stack.template.len());
        assert!(resources <= MAX_RESOURCES * 9 / 10, "{name} has {resources} resources");
        let bytes = stack.template.text.len();
        assert!(bytes <= MAX_BYTES * 9 / 10, "{name} has {bytes} bytes");
        let (outputs, parameters) = (stack.template.outputs().count(), stack.parameters.len());
        assert!(
            outputs.max(parameters) <= MAX_VALUES * 9 / 10,
            "{name} has {outputs} outputs, {parameters} parameters"
        );
        assert!(stack.depends_on.iter().all(|needed| seen.contains(&needed.as_str())), "{name} comes too early");
        seen.push(name);
    }
    let all = resources(&assembly);
    let mut attached: BTreeMap<String, usize> = BTreeMap::new();
    let mut callers: BTreeMap<String, usize> = BTreeMap::new();
    for ((stack, id), resource) in &all {
        let properties = &resource["Properties"];
        match resource["Type"].as_str().unwrap() {
            "AWS::IAM::Role" => {
                let inline: usize = properties["Policies"].as_array().into_iter().flatten().map(characters).sum();
                assert!(inline <= INLINE, "{id} of {stack} has {inline} characters of policies");
            }
            "AWS::IAM::ManagedPolicy" => {
                let length = characters(&properties["PolicyDocument"]);
                assert!(length <= MANAGED, "{id} of {stack} has {length} characters");
                for role in properties["Roles"].as_array().unwrap() {
                    *attached.entry(format!("{stack} {role}")).or_default() += 1;
                }
            }
            "AWS::Lambda::Permission" => {
                *callers.entry(properties["FunctionName"].to_string()).or_default() += characters(properties);
            }
            _ => {}
        }
    }
    assert_eq!(attached.iter().find(|(_, policies)| **policies > ATTACHED), None);
    assert_eq!(callers.iter().find(|(_, bytes)| **bytes > CALLERS), None);

    let after = lake(true, root.path());
    let assets = Assets::collect(&after).unwrap();
    let placement = Placement::of(&after, &lock);
    let new = placement.lock(&after);
    for (thing, place) in &old {
        assert_eq!(new.places().get(thing), Some(place), "{thing:?} moved");
    }
    assert!(new.places().len() >= old.len() + COUNTS.len());
    let after = resources(&lower(&after, &after.environments[0], &assets, &placement, Format::Json));
    // What starts the steps and what releases models knows all of them.
    let knows_all = |id: &str| id.starts_with("Advance") || id.starts_with("Release");
    for (place, resource) in &all {
        let now = after.get(place).unwrap_or_else(|| panic!("{place:?} is gone"));
        assert!(now == resource || knows_all(&place.1), "{place:?} changed\nfrom {resource}\nto {now}");
    }
}
