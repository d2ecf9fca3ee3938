//! What a visual job writes against the same figures counted by another engine.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use lakegen::lake::Script;
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
