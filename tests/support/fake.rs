//! A CloudFormation in which things go wrong: see `tests/emulators/fake_cloudformation/README.md`.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::emulator::Emulator;
use super::root;

pub struct Fake {
    server: Child,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
}

impl Fake {
    /// Starts one; the emulator lends it its Python.
    pub fn start(emulator: &Emulator) -> Self {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let server = emulator
            .python("eu-central-1")
            .args(["-m", "fake_cloudformation", &port.to_string()])
            .current_dir(root().join("tests/emulators"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(60), "no fake");
            sleep(Duration::from_millis(20));
        }
        Self { server, url: format!("http://127.0.0.1:{port}") }
    }

    /// The next resource of that type or id that is created, changed, deleted or led back fails.
    pub fn fail(&self, what: &str, when: &str, reason: &str) {
        self.tell("fail", &json!({ "what": what, "when": when, "reason": reason }));
    }

    /// Tells it what to do: `fail`, `begin`, `status` or `settings`.
    pub fn tell(&self, what: &str, told: &Value) {
        use std::io::{Read, Write};
        let body = told.to_string();
        let mut stream = TcpStream::connect(self.url.trim_start_matches("http://")).unwrap();
        let length = body.len();
        let head =
            format!("POST /_{what} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{what} {told}: {answer}");
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
