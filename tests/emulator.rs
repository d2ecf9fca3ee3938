//! The emulator that deploys are tested against takes every template that lakegen writes, unmodified.

mod support;

use lakegen::assembly::{self, Assets};
use lakegen::cfn::Format;
use lakegen::lower::lower;
use lakegen::placement::{Lock, Placement};
use lakegen::project::Project;
use support::emulator::Emulator;
use support::root;

#[test]
fn the_reference_lake_deploys_as_it_is_written() {
    let emulator = Emulator::start(&[]);
    let (lake, diagnostics) = Project::open(None, root()).unwrap().check();
    let lake = lake.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
    let (_, environment) = lake.copy("dev").unwrap();
    let assets = Assets::collect(&lake).unwrap();
    let folder = emulator.folder().join("assembly");
    std::fs::create_dir(&folder).unwrap();
    let written = lower(&lake, environment, &assets, &Placement::of(&lake, &Lock::default()), Format::Yaml);
    assembly::write(&written, &folder).unwrap();
    let output =
        emulator.python(&environment.region).arg(root().join("tests/support/deploy.py")).arg(&folder).output().unwrap();
    let output = String::from_utf8_lossy(&output.stdout);
    let expected: Vec<_> = written.stacks.iter().map(|stack| format!("{} CREATE_COMPLETE", stack.name)).collect();
    assert_eq!(output.lines().collect::<Vec<_>>(), expected, "{}", emulator.log());
}
