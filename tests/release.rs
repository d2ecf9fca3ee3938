//! Trained models go live, or do not, in an emulated AWS: rule, queue, function, ledger and stack, as they are deployed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use support::emulator::{ACCOUNT, Emulator};
use support::{assemble, root};

const LAKE: &str = "
name: shop
environments: { dev: { region: eu-west-1 } }
zones: { curated: { keep: forever } }
tables: { training: { zone: curated, format: parquet, columns: { customer: int, label: int } } }
models:
  taste:
    source: models/taste
    reads: { train: training }
    accept: { \"validation:auc\": { at_least: 0.7 } }
    endpoint: { serverless: { memory: 2 GB } }
  price:
    source: models/taste
    reads: { train: training }
    endpoint:
      instances:
        type: ml.m5.large
        scale: { min: 1, max: 3, requests: 600 }
        rollback: { errors: 1%, watch: 20 minutes }
";

const FILES: [&str; 2] = ["models/taste/train.py", "models/taste/inference.py"];

/// How each release ended, what is then live by the ledger and by the stack, whether alarms were watched, and how the stack is.
const TOLD: [&str; 16] = [
    "deployed:  - - unwatched CREATE_COMPLETE",
    "good: RELEASED shop-dev-taste-good shop-dev-taste-good watched UPDATE_COMPLETE",
    "bad: REFUSED shop-dev-taste-good shop-dev-taste-good unwatched UPDATE_COMPLETE",
    "`validation:auc` is 0.6000, not at least 0.7",
    "deployed again:  shop-dev-taste-good shop-dev-taste-good unwatched UPDATE_COMPLETE",
    "lost: FAILED shop-dev-taste-good shop-dev-taste-good watched UPDATE_ROLLBACK_COMPLETE",
    "EndpointModel: Could not find model data at s3://shop-dev-111122223333-eu-west-1-models/taste/shop-dev-taste-lost/output/model.tar.gz.",
    "better: RELEASED shop-dev-taste-better shop-dev-taste-better watched UPDATE_COMPLETE",
    "told again:  shop-dev-taste-better shop-dev-taste-better unwatched UPDATE_COMPLETE",
    "back: RELEASED shop-dev-taste-good shop-dev-taste-good unwatched UPDATE_COMPLETE",
    "given up: 0",
    "first on instances: RELEASED shop-dev-price-first shop-dev-price-first watched UPDATE_COMPLETE",
    "shaky: FAILED shop-dev-price-first shop-dev-price-first watched UPDATE_ROLLBACK_COMPLETE",
    "EndpointHost: shop-dev-price-errors rings",
    "shaky: FAILED shop-dev-taste-good shop-dev-taste-good watched UPDATE_ROLLBACK_COMPLETE",
    "EndpointHost: shop-dev-taste-errors rings",
];

#[test]
fn a_trained_model_goes_live_through_its_gate_and_stays_until_a_better_one_comes() {
    let emulator = Emulator::start(&[("AUTH", "true")]);
    let [project, first, second] = ["project", "first", "second"].map(|name| emulator.folder().join(name));
    assemble(&project, LAKE, &FILES, &first);
    // The model is renamed as well, and goes on as it was.
    let changed = LAKE.replace("memory: 2 GB", "memory: 4 GB").replace("  taste:", "  flavour:\n    was: taste");
    assemble(&project, &changed, &FILES, &second);
    let output = emulator
        .python("eu-west-1")
        .env("ACCOUNT", ACCOUNT)
        .arg(root().join("tests/release/scenario.py"))
        .arg(root().join("tests/support/deploy.py"))
        .args([first, second])
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}\n{}", emulator.log());
    assert_eq!(out.lines().collect::<Vec<_>>(), TOLD, "{err}\n{}", emulator.log());
}
