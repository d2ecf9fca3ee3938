//! Data quality rules as they are written, and the verdicts that a local run comes to.

#![allow(clippy::unwrap_used, clippy::panic, reason = "an example that cannot be read has failed")]

mod support;

use std::io::Write as _;
use std::process::{Command, Stdio};

use lakegen::dqdl;
use lakegen::source::Value;
use serde_json::{Value as Json, json};
use support::{python, root};

#[test]
fn rules_are_kept_and_broken_as_written() {
    let text = std::fs::read_to_string(root().join("tests/quality/rules.yaml")).unwrap();
    let Value::Map(sections) = lakegen::source::parse(&text).unwrap().value else { panic!("two lists are expected") };
    let mut cases = Vec::new();
    for (verdict, rules) in &sections {
        let Value::List(rules) = &rules.value else { panic!("{} is no list", verdict.value) };
        for rule in rules {
            let Value::String(text) = &rule.value else { panic!("a rule is text") };
            let parsed = dqdl::parse(text).unwrap_or_else(|mistake| panic!("{text}: {mistake:?}"));
            cases.push(json!({ "text": text, "kept": verdict.value == "kept", "rule": parsed.request() }));
        }
    }
    let mut child = Command::new(python().environment.python)
        .arg("tests/quality/run.py")
        .current_dir(root())
        .env("PYTHONPATH", root().join("src/local/python"))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(Json::from(cases).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
