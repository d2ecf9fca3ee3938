//! GitHub's own description of its API (`@octokit/openapi`), served by Prism on loopback: every request is held against it.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::node::Node;

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
        let node = Node::install();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let server = node
            .script("@stoplight/prism-cli/dist/index.js")
            .args(["mock", "-h", "127.0.0.1", "-p", &port.to_string(), "--errors", "--ignoreExamples", "-v", "error"])
            .arg(node.file("@octokit/openapi/generated/api.github.com.json"))
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
