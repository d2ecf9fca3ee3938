//! A lake as it is deployed, in an emulated AWS that enforces IAM: a file arrives, and rule, function, ledger and services carry on.
//!
//! What is looked at is in `tests/chain`. Services that the emulator lacks end their work when the test says so.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use support::emulator::{ACCOUNT, Emulator};
use support::{assemble, must_succeed, packages, root, tools};

const FILES: [&str; 3] = ["jobs/label.py", "models/taste/train.py", "models/taste/inference.py"];
const REGION: &str = "eu-west-1";

#[test]
fn what_arrives_is_carried_through_the_lake_and_no_role_may_more_than_that_takes() {
    // Lambda tries a failed event again after a minute; here at once.
    let emulator = Emulator::start(&[("AUTH", "true"), ("LAMBDA_ASYNC_RETRY_BASE_SECONDS", "0.05")]);
    let [project, out] = ["project", "assembly"].map(|name| emulator.folder().join(name));
    assemble(&project, include_str!("chain/lake.yaml"), &FILES, &out);
    must_succeed(emulator.python(REGION).arg(root().join("tests/support/deploy.py")).arg(&out));
    let mut chain = emulator.python(REGION);
    chain
        .env("PYTHONPATH", packages(&tools()))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("ACCOUNT", ACCOUNT)
        .env("TRAIL", emulator.folder().join("trail"))
        .args(["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"])
        .arg(root().join("tests/chain"));
    must_succeed(&mut chain);
}
