//! What a visual job writes against the same figures counted by another engine.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use lakegen::assembly::{self, Assets};
use lakegen::cfn::Format;
use lakegen::lake::Script;
use lakegen::lower::lower;
use lakegen::placement::{Lock, Placement};
use lakegen::project::Project;
use support::{must_succeed, python, root};

#[test]
fn the_sales_of_the_reference_lake_are_what_plain_sql_counts() {
    let (lake, diagnostics) = Project::open(None, root()).unwrap().check();
    let lake = lake.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
    let job = lake.jobs.values().find(|job| job.name == "sales").unwrap();
    let Script::Visual(graph) = &job.script else { panic!("`sales` is no visual job") };
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("sales.py");
    std::fs::write(&script, lakegen::visual::script(&lake, &job.name, graph)).unwrap();
    let mut command = std::process::Command::new(python().environment.python);
    must_succeed(command.arg(root().join("tests/visual/sales.py")).arg(script));
}

#[test]
fn every_node_does_on_spark_what_plain_sql_says_and_glue_studio_shows_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("project");
    std::fs::create_dir_all(project.join("blueprints")).unwrap();
    std::fs::copy(root().join("tests/visual/nodes.yaml"), project.join("blueprints/nodes.yaml")).unwrap();
    let (lake, diagnostics) = Project::open(None, &project).unwrap().check();
    let lake = lake.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
    let (assets, placement) = (Assets::collect(&lake).unwrap(), Placement::of(&lake, &Lock::default()));
    let assembly = folder.path().join("assembly");
    assembly::write(&lower(&lake, &lake.environments[0], &assets, &placement, Format::Json), &assembly).unwrap();
    let job = lake.jobs.values().next().unwrap();
    let Script::Visual(graph) = &job.script else { panic!("it is no visual job") };
    let script = folder.path().join("script.py");
    std::fs::write(&script, lakegen::visual::script(&lake, &job.name, graph)).unwrap();
    let mut command = std::process::Command::new(python().environment.python);
    must_succeed(command.arg(root().join("tests/visual/nodes.py")).args([script, assembly]));
}
