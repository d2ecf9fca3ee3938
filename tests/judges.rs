//! Judges from outside on what `synth` writes.

mod support;

use lakegen::assembly::{self, Assets};
use lakegen::cfn::Format;
use lakegen::lower::lower;
use lakegen::project::Project;
use support::{must_succeed, python, root};

#[test]
fn cfn_lint_finds_nothing_in_any_environment_or_format() {
    let python = python();
    let folder = tempfile::tempdir().unwrap();
    let (lake, diagnostics) = Project::open(None, root()).unwrap().check();
    let lake = lake.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
    let assets = Assets::collect(&lake).unwrap();
    let mut judged = 0;
    for environment in &lake.environments {
        let assembly = lower(&lake, environment, &assets);
        for format in [Format::Yaml, Format::Json] {
            let directory = folder.path().join(&environment.name).join(format.extension());
            std::fs::create_dir_all(&directory).unwrap();
            assembly::write(&assembly, &directory, format).unwrap();
            let files: Vec<_> = assembly.stacks.iter().map(|stack| directory.join(stack.file(format))).collect();
            judged += files.len();
            let regions = [environment.region.as_str(), "us-east-1"];
            must_succeed(python.tool("cfn-lint").args(["-c", "I", "-r"]).args(regions).arg("--").args(&files));
        }
    }
    assert_eq!(judged, lake.environments.len() * 2 * 3, "three stacks in two formats for each environment");
}
