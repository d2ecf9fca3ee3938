//! Blueprints that nobody wrote: whatever `check` accepts becomes templates, always the same, that outsiders accept.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail like tests")]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use lakegen::assembly::{self, Assembly, Assets};
use lakegen::cfn::Format;
use lakegen::check::check;
use lakegen::files::Disk;
use lakegen::lower::{access, lower};
use lakegen::placement::{Lock, Placement};
use lakegen::source::Source;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rayon::iter::ParallelIterator;
use support::blueprint::{FILES, blueprint};
use support::python;

/// The one project that all blueprints belong to.
fn project() -> &'static Path {
    static PROJECT: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = PROJECT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        for file in FILES {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "print()\n").unwrap();
        }
        folder
    });
    folder.path()
}

/// The assembly of each environment.
fn assemblies(text: &str, format: Format) -> Vec<Assembly> {
    let root = project();
    let (lake, diagnostics) = check(Source { name: "lake.yaml".into(), text: text.into() }, root, &Disk::new(root));
    let lake = lake.unwrap_or_else(|| panic!("{}\n{text}", diagnostics.render(false)));
    let copies = lake.copies();
    copies
        .flat_map(|(lake, environment)| {
            let assets = Assets::collect(lake).unwrap();
            let lake_itself = lower(lake, environment, &assets, &Placement::of(lake, &Lock::default()), format);
            let gate = lake.github.as_ref().and_then(|github| Some((github, github.gate(&environment.name)?)));
            let deployed_by = gate.map(|(github, gate)| access(lake, environment, github, gate, format));
            std::iter::once(lake_itself).chain(deployed_by)
        })
        .collect()
}

fn files(assembly: &Assembly) -> Vec<(String, Vec<u8>)> {
    assembly.templates().chain(assembly.others()).map(|(path, content)| (path, content.into_owned())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_check_accepts_becomes_templates_and_always_the_same(text in blueprint(8)) {
        for format in [Format::Yaml, Format::Json] {
            for (first, second) in assemblies(&text, format).iter().zip(assemblies(&text, format)) {
                prop_assert!(files(first) == files(&second));
                for stack in &first.stacks {
                    prop_assert!(stack.template.len() <= 500);
                    let read: serde_json::Value = serde_yaml::from_str(&stack.template.text).unwrap();
                    prop_assert!(read["Resources"].is_object());
                }
            }
        }
    }
}

#[test]
fn cfn_lint_finds_nothing_in_a_dozen_of_them() {
    let mut runner = TestRunner::deterministic();
    let folder = tempfile::tempdir().unwrap();
    let mut by_region: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for number in 0..12 {
        let text = blueprint(8).new_tree(&mut runner).unwrap().current();
        std::fs::write(folder.path().join(format!("{number}.yaml")), &text).unwrap();
        for (at, assembly) in assemblies(&text, Format::Json).into_iter().enumerate() {
            let directory = folder.path().join(format!("{number}-{at}"));
            assembly::write(&assembly, &directory).unwrap();
            let files = assembly.stacks.iter().map(|stack| directory.join(stack.file()));
            by_region.entry(assembly.region.clone()).or_default().extend(files);
        }
    }
    let python = python();
    for (region, files) in by_region {
        let output = python.tool("cfn-lint").args(["-c", "I", "-r", &region, "--"]).args(&files).output().unwrap();
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stdout);
            panic!("{said}\nthe blueprints are in {}", folder.keep().display());
        }
    }
}
