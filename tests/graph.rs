//! Pictures of lakes: what they show, and that nothing written in a blueprint can break them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fmt::Write;
use std::path::Path;

use lakegen::check::check;
use lakegen::files::{FileKind, Files};
use lakegen::graph::{Flow, Graph, Kind, lineage, relations};
use lakegen::lake::Lake;
use lakegen::source::Source;

/// Scripts are files, sources are folders.
struct Project;

impl Files for Project {
    fn kind(&self, path: &Path) -> Option<FileKind> {
        Some(if path.extension().is_some() { FileKind::File } else { FileKind::Directory })
    }

    fn read(&self, _: &Path) -> Result<String, String> {
        Err("there is none".into())
    }

    fn list(&self, _: &Path) -> Vec<String> {
        Vec::new()
    }
}

fn lake(text: &str) -> Lake {
    let (lake, diagnostics) = check(Source { name: "lake.yaml".into(), text: text.into() }, Path::new("."), &Project);
    lake.unwrap_or_else(|| panic!("{}", diagnostics.render(false)))
}

const SHOP: &str = r#"
name: shop
description: What a shop sells, and to whom
zones: { raw: { keep: forever }, curated: { keep: 30 days } }
tables:
  sales: { zone: raw, format: csv, columns: { id: { type: int, primary_key: true }, item: { type: int, references: items.id }, customer: int } }
  items: { zone: raw, format: csv, columns: { id: { type: int, primary_key: true }, parent: { type: int, references: items.id }, name: string } }
  prices: { zone: raw, format: json, columns: { item: { type: int, references: items.id }, price: "decimal(10,2)" } }
  sales_clean: { zone: curated, format: parquet, columns: { id: { type: int, primary_key: true }, item: { type: int, references: items.id }, customer: int } }
  history: { zone: curated, format: parquet, columns: { customer: int, item: int } }
  answers: { dynamodb: { key: customer }, columns: { customer: int, text: string } }
crawlers: { arrivals: { reads: [sales, items] } }
recipes: { clean: { reads: sales, writes: sales_clean, steps: [ { remove_missing: { column: item } } ] } }
queries: { join: { writes: history, sql: "select s.customer, s.item from sales_clean s join items i on i.id = s.item" } }
jobs: { fill: { script: fill.py, reads: [history, prices], writes: [answers] } }
models: { next: { source: next, reads: { train: history }, endpoint: { serverless: { memory: 2 GB, concurrency: 5 } } } }
functions: { answer: { source: answer, handler: handler.handler, reads: [answers], calls: [next] } }
api: { access: api_key, routes: { "GET /customers/{customer}/next": { function: answer } } }
pipelines:
  nightly: { start: { schedule: "cron(0 3 * * ? *)" }, steps: all }
  arrival: { start: { upload: sales }, steps: all }
"#;

fn snapshot(name: &str, picture: &str) {
    insta::with_settings!({snapshot_path => "../snapshots/graph", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(name, picture);
    });
}

#[test]
fn the_lineage_of_a_small_lake() {
    let graph = lineage(&lake(SHOP));
    snapshot("lineage.svg", &graph.svg());
    snapshot("lineage.mermaid", &graph.mermaid());
    snapshot("lineage.dot", &graph.dot());
}

#[test]
fn the_relational_model_of_a_small_lake() {
    let relations = relations(&lake(SHOP));
    snapshot("model.svg", &relations.svg());
    snapshot("model.mermaid", &relations.mermaid());
    snapshot("model.dot", &relations.dot());
}

/// Every node that data from `name` reaches.
fn reached(graph: &Graph, kind: Kind, name: &str) -> Vec<String> {
    let start = graph.nodes.iter().position(|node| node.kind == kind && node.name == name).unwrap();
    let mut found = vec![start];
    let mut next = 0;
    while let Some(at) = found.get(next).copied() {
        next += 1;
        let edges = graph.edges.iter().filter(|edge| edge.from == at && edge.flow == Flow::Data);
        for edge in edges {
            if !found.contains(&edge.to) {
                found.push(edge.to);
            }
        }
    }
    found.into_iter().skip(1).map(|at| graph.nodes[at].name.clone()).collect()
}

#[test]
fn data_flows_from_files_to_routes() {
    let graph = lineage(&lake(SHOP));
    let route = "GET /customers/{customer}/next".to_owned();
    for file in ["sales.csv", "items.csv", "prices.json"] {
        assert!(reached(&graph, Kind::File, file).contains(&route), "{file}");
    }
    assert!(!reached(&graph, Kind::File, "prices.json").contains(&"history".to_owned()));
    assert!(reached(&graph, Kind::Route, &route).is_empty());
}

#[test]
fn a_pipeline_starts_what_waits_for_nothing() {
    let graph = lineage(&lake(SHOP));
    let started = |name: &str| -> Vec<&str> {
        let pipeline = graph.nodes.iter().position(|node| node.kind == Kind::Pipeline && node.name == name).unwrap();
        let edges = graph.edges.iter().filter(|edge| edge.from == pipeline);
        edges.map(|edge| graph.nodes[edge.to].name.as_str()).collect()
    };
    assert_eq!(started("nightly"), ["arrivals"]);
    let uploads =
        graph.edges.iter().filter(|edge| graph.nodes[edge.from].kind == Kind::File && edge.flow == Flow::Start);
    let uploads: Vec<&str> = uploads.map(|edge| graph.nodes[edge.to].name.as_str()).collect();
    assert_eq!(uploads, ["arrival"]);
}

const HOSTILE: [&str; 6] = [
    "</title><script>alert(1)</script>",
    "a & b &amp; \u{1}\u{7f} ]]> <!--",
    "\" onload=\"x\" '",
    "end\"] click n0 \"x\" %% --> {{a}} #quot;",
    "\u{202e}txt.exe \u{feff}\u{fffe}",
    "`**bold**` \u{1f600} \n---\nflowchart TD",
];

/// The hostile text wherever a picture shows text; names are checked already, so they are put in behind the check.
fn hostile(text: &str) -> (Graph, lakegen::graph::Relations) {
    let lake = lake(SHOP);
    let (mut graph, mut relations) = (lineage(&lake), relations(&lake));
    graph.title = text.into();
    graph.description = Some(text.into());
    graph.zones.fill(text.into());
    for node in &mut graph.nodes {
        node.name = text.into();
        node.detail = text.into();
    }
    relations.title = text.into();
    relations.description = Some(text.into());
    relations.zones.fill(text.into());
    for table in &mut relations.tables {
        table.name = text.into();
        for column in &mut table.columns {
            column.name = text.into();
        }
    }
    (graph, relations)
}

#[test]
fn no_text_breaks_the_svg() {
    for text in HOSTILE {
        let (graph, relations) = hostile(text);
        for svg in [graph.svg(), relations.svg()] {
            well_formed(&svg).unwrap_or_else(|error| panic!("{text:?}: {error}"));
            assert!(!svg.contains("<script"), "{text:?}");
        }
    }
    assert!(well_formed("<a><b></a></b>").is_err());
    assert!(well_formed("<a x=\"<\"/>").is_err());
    assert!(well_formed("<a>&nbsp;</a>").is_err());
}

#[test]
fn no_text_breaks_out_of_a_label() {
    let (plain, plain_relations) = hostile("x");
    let lines = |text: &str| text.lines().count();
    let quotes = |text: &str| text.matches('"').count();
    let bare = |text: &str| text.replace("\\\\", "").replace("\\\"", "");
    for text in HOSTILE {
        let (graph, relations) = hostile(text);
        let mermaid = graph.mermaid();
        assert_eq!(quotes(&mermaid), quotes(&plain.mermaid()), "{text:?}");
        assert_eq!(lines(&mermaid), lines(&plain.mermaid()), "{text:?}");
        assert_eq!(lines(&relations.mermaid()), lines(&plain_relations.mermaid()), "{text:?}");
        assert_eq!(quotes(&relations.mermaid()), quotes(&plain_relations.mermaid()), "{text:?}");
        assert_eq!(quotes(&bare(&graph.dot())), quotes(&bare(&plain.dot())), "{text:?}");
        assert_eq!(lines(&graph.dot()), lines(&plain.dot()), "{text:?}");
        assert_eq!(quotes(&bare(&relations.dot())), quotes(&bare(&plain_relations.dot())), "{text:?}");
    }
}

#[test]
fn a_lake_of_a_thousand_steps_is_drawn_in_linear_space() {
    let size = |steps: usize| {
        let mut text = String::from("name: big\nzones: { raw: { keep: forever } }\ntables:\n");
        for at in 0..=steps {
            let _ = writeln!(text, "  t{at}: {{ zone: raw, format: parquet, columns: {{ a: int }} }}");
        }
        text.push_str("jobs:\n");
        for at in 0..steps {
            let reads = if at == 0 { "t0".to_owned() } else { format!("t0, t{at}") };
            let _ = writeln!(text, "  j{at}: {{ script: j.py, reads: [{reads}], writes: [t{}] }}", at + 1);
        }
        let svg = lineage(&lake(&text)).svg();
        well_formed(&svg).unwrap();
        svg.len()
    };
    let (small, large) = (size(250), size(1_000));
    assert!(large < 5 * small, "{small} and {large} bytes");
}

#[test]
fn empty_lakes_have_pictures() {
    let lake = lake("name: empty\n");
    well_formed(&lineage(&lake).svg()).unwrap();
    well_formed(&relations(&lake).svg()).unwrap();
}

/// Whether a text is well-formed XML, as far as pictures use it: tags that match, quoted attributes, the five entities.
fn well_formed(text: &str) -> Result<(), String> {
    if let Some(bad) = text.chars().find(|c| (c.is_control() && *c != '\n') || matches!(c, '\u{fffe}' | '\u{ffff}')) {
        return Err(format!("{bad:?} is no character of XML"));
    }
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text.trim_end();
    while let Some(start) = rest.find('<') {
        entities(&rest[..start])?;
        if open.is_empty() && !rest[..start].is_empty() {
            return Err(format!("text outside of the root: {}", &rest[..start]));
        }
        let end = start + rest[start..].find('>').ok_or("an open tag")?;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Err(format!("</{name}> closes nothing"));
            }
            continue;
        }
        let (tag, alone) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        let parts: Vec<&str> = attributes.split('"').collect();
        if parts.len().is_multiple_of(2) || parts.iter().step_by(2).any(|part| !matches!(part.trim().strip_suffix('='), Some(name) if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')) && !part.trim().is_empty()) {
            return Err(format!("attributes of <{tag}>"));
        }
        for value in parts.iter().skip(1).step_by(2) {
            entities(value)?;
            if value.contains('<') {
                return Err(format!("`<` in <{tag}>"));
            }
        }
        if !alone {
            open.push(name);
        }
    }
    if open.is_empty() && rest.is_empty() { Ok(()) } else { Err(format!("open: {open:?}, behind: {rest:?}")) }
}

fn entities(text: &str) -> Result<(), String> {
    let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
    let unknown = text.split('&').skip(1).find(|part| !known.iter().any(|entity| part.starts_with(entity)));
    unknown.map_or(Ok(()), |part| Err(format!("&{part}")))
}

#[test]
fn the_picture_of_the_readme_shows_the_lake_as_it_is() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let (lake, diagnostics) = lakegen::project::Project::open(None, root).unwrap().check();
    let lake = lake.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
    let drawn = lakegen::graph::lineage(&lake).svg();
    let kept = std::fs::read_to_string(root.join("docs/instacart.svg")).unwrap();
    assert!(drawn.trim_end() == kept.trim_end(), "draw it anew: lakegen graph --format svg --out docs/instacart.svg");
}
