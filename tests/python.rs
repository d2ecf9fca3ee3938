//! The Python side: its own tests, on the locked packages, and its lints.

mod support;

use support::{must_succeed, python};

fn keeps_its_tests(folder: &str) {
    must_succeed(python().with_engines("pytest").args(["-q", "-x", "-p", "no:cacheprovider", folder]));
}

#[test]
fn the_engines_keep_their_tests() {
    keeps_its_tests("tests/engines");
}

#[test]
fn the_reference_lake_keeps_its_tests() {
    keeps_its_tests("tests/content");
}

#[test]
fn all_python_is_clean() {
    let python = python();
    must_succeed(python.tool("ruff").args(["check", "--no-cache", "."]));
}
