//! The Python side: its own tests, on the locked packages, and its lints.

mod support;

use support::{must_succeed, python};

#[test]
fn the_engines_and_the_reference_lake_keep_their_tests() {
    let python = python();
    must_succeed(python.with_engines("pytest").args([
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        "tests/engines",
        "tests/content",
    ]));
}

#[test]
fn all_python_is_clean() {
    let python = python();
    must_succeed(python.tool("ruff").args(["check", "--no-cache", "."]));
}
