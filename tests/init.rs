//! New projects: they pass the check, and nothing that is there is ever overwritten.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lakegen::cli::Starter;
use lakegen::project::Project;
use lakegen::starter::{Error, files, lake_name, write};
use proptest::prelude::*;

const STARTERS: [Starter; 3] = [Starter::Minimal, Starter::Bikes, Starter::Instacart];

/// Every file and folder with its bytes; a link counts as what it names.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            if metadata.is_dir() {
                open.push(path.clone());
                found.insert(path, None);
            } else if metadata.is_symlink() {
                let target = fs::read_link(&path).unwrap();
                found.insert(path, Some(target.to_string_lossy().into_owned().into_bytes()));
            } else {
                let bytes = fs::read(&path).unwrap();
                found.insert(path, Some(bytes));
            }
        }
    }
    found
}

fn init(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lakegen")).current_dir(folder).arg("init").args(args).output().unwrap()
}

#[test]
fn every_starter_passes_the_check_without_a_warning() {
    for starter in STARTERS {
        for name in ["coffee", "my-lake_2", "true", "null", "y"] {
            let folder = tempfile::tempdir().unwrap();
            let project = folder.path().join("project");
            write(&files(starter, name).unwrap(), &project).unwrap();
            let blueprint = project.join("blueprints/lake.yaml");
            let (lake, diagnostics) = Project::open(Some(&blueprint), folder.path()).unwrap().check();
            assert!(diagnostics.list.is_empty(), "{starter:?}: {}", diagnostics.render(false));
            assert_eq!(lake.unwrap().name, name);
        }
    }
}

#[test]
fn a_starter_holds_what_people_write_and_nothing_else() {
    for starter in STARTERS {
        let files = files(starter, "coffee").unwrap();
        for file in &files {
            let path = file.path.to_str().unwrap();
            assert!(!path.contains("__pycache__") && !path.ends_with(".pyc") && !path.ends_with(".hbs"), "{path}");
            let Ok(text) = String::from_utf8(file.bytes.clone()) else {
                assert!(path.ends_with(".parquet"), "{path}");
                continue;
            };
            assert!(!text.contains("{{name") && !text.contains("{{scalar"), "{path}");
        }
        let ignored = files.iter().find(|file| file.path == Path::new(".gitignore")).unwrap();
        let ignored = String::from_utf8(ignored.bytes.clone()).unwrap();
        assert!(ignored.contains("/.lakegen/\n") && ignored.contains("/lakegen-out/\n"));
    }
}

#[test]
fn the_command_writes_names_and_lists() {
    let folder = tempfile::tempdir().unwrap();
    let output = init(folder.path(), &["Coffee Shop"]);
    assert!(output.status.success());
    let project = folder.path().join("Coffee Shop");
    let listed: Vec<PathBuf> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| folder.path().join(line)).collect();
    let written: Vec<PathBuf> =
        tree(&project).into_iter().filter(|(_, bytes)| bytes.is_some()).map(|(path, _)| path).collect();
    assert_eq!(listed, written);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("`coffee-shop`") && said.contains("cd 'Coffee Shop'\n  lakegen check\n  lakegen run --env local"),
        "{said}"
    );
    let blueprint = fs::read_to_string(project.join("blueprints/lake.yaml")).unwrap();
    assert!(blueprint.contains("\nname: coffee-shop\n"));
}

/// The reference lake is deployed from a repository that is nobody else's: a copy is deployed from a laptop first.
#[test]
fn no_starter_is_deployed_from_a_repository_of_ours() {
    for starter in STARTERS {
        let folder = tempfile::tempdir().unwrap();
        write(&files(starter, "shop").unwrap(), folder.path()).unwrap();
        let (lake, _) = Project::open(None, folder.path()).unwrap().check();
        assert_eq!(lake.unwrap().github, None, "{starter:?}");
    }
}

#[test]
fn a_second_init_refuses_and_leaves_every_byte() {
    let folder = tempfile::tempdir().unwrap();
    assert!(init(folder.path(), &["--name", "first"]).status.success());
    fs::write(folder.path().join("README.md"), "mine").unwrap();
    let before = tree(folder.path());
    for args in [vec!["--name", "second"], vec!["--name", "second", "--from", "instacart"]] {
        let output = init(folder.path(), &args);
        assert_eq!(output.status.code(), Some(3));
        assert!(output.stdout.is_empty());
        let said = String::from_utf8(output.stderr).unwrap();
        for path in [".gitignore", "README.md", "blueprints/lake.yaml"] {
            assert!(said.contains(&format!("`{path}`")), "{said}");
        }
        assert_eq!(tree(folder.path()), before);
    }
}

#[test]
fn what_is_in_the_way_is_listed_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(root.join("glue-jobs"), "a file where a folder belongs").unwrap();
    fs::create_dir(root.join("README.md")).unwrap();
    fs::create_dir(root.join("blueprints")).unwrap();
    fs::write(root.join("blueprints/other.yml"), "name: other").unwrap();
    std::os::unix::fs::symlink("/nowhere/at/all", root.join(".gitignore")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), root.join("sample-data")).unwrap();
    let before = tree(root);
    let Err(Error::InTheWay { paths, .. }) = write(&files(Starter::Minimal, "x").unwrap(), root) else { panic!() };
    assert_eq!(paths, [".gitignore", "README.md", "blueprints/other.yml", "glue-jobs", "sample-data"]);
    assert_eq!(tree(root), before);
    assert!(tree(elsewhere.path()).is_empty());
}

#[test]
fn other_files_may_stay() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("glue-jobs")).unwrap();
    fs::write(folder.path().join("glue-jobs/mine.py"), "print()").unwrap();
    let before = tree(folder.path());
    let files = files(Starter::Minimal, "x").unwrap();
    write(&files, folder.path()).unwrap();
    let after = tree(folder.path());
    assert!(before.iter().all(|(path, bytes)| after.get(path) == Some(bytes)));
    assert_eq!(after.values().flatten().count(), files.len() + 1);
}

#[test]
fn a_place_that_is_no_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let before = tree(folder.path());
    for place in ["file", "file/inside"] {
        let output = init(folder.path(), &[place]);
        assert_eq!(output.status.code(), Some(3), "{place}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("is not a folder") && said.contains("help:"), "{said}");
    }
    assert_eq!(tree(folder.path()), before);
}

#[test]
fn names_that_are_none_are_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    for args in [
        &["--name", "My Lake"][..],
        &["--name", ""],
        &["--name", "a-name-longer-than-20-letters"],
        &["2017"],
        &["--name", "é"],
    ] {
        let output = init(folder.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("at most 20 lower-case letters"), "{args:?}");
    }
    assert!(tree(folder.path()).is_empty());
}

proptest! {
    #[test]
    fn whatever_becomes_a_name_is_a_name(text in ".{0,40}") {
        if let Some(name) = lake_name(&text) {
            prop_assert_eq!(lake_name(&name), Some(name.clone()));
            prop_assert!(name.len() <= 20);
        }
    }
}
