//! A proxy before the emulator that counts calls and breaks one of them: see `tests/emulators/fault_proxy.py`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::emulator::Emulator;
use super::{free_port, root};

pub struct Proxy {
    server: Child,
    log: std::path::PathBuf,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    port: u16,
}

impl Proxy {
    pub fn start(emulator: &Emulator) -> Self {
        let port = free_port();
        let upstream = emulator.url.rsplit(':').next().unwrap();
        let log = emulator.folder().join(format!("calls-{port}"));
        let file = std::fs::File::create(&log).unwrap();
        let server = emulator
            .python("eu-central-1")
            .arg(root().join("tests/emulators/fault_proxy.py"))
            .args([&port.to_string(), upstream])
            .stdout(file)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(60), "no proxy");
            sleep(Duration::from_millis(20));
        }
        Self { server, log, url: format!("http://127.0.0.1:{port}"), port }
    }

    /// Counts anew and breaks the `at`th call, or none for 0.
    pub fn breaks(&self, at: usize, kind: &str) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let request = format!(
            "POST /_fault?at={at}&kind={kind} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
    }

    /// What has been asked for since calls were last counted anew.
    pub fn calls(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.log).unwrap();
        let lines: Vec<_> = text.lines().filter_map(|line| line.split_once(' ')).collect();
        let from = lines.iter().rposition(|(number, _)| *number == "1").unwrap_or(lines.len());
        lines[from..].iter().map(|(_, what)| (*what).to_owned()).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
