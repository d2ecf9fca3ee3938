//! An AWS for one test: MiniStack with the stand-ins of `tests/emulators`, on a free port of loopback, gone when dropped.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lakegen::local::process::Groups;
use lakegen::local::python::{self, Lock, Setup};

use super::{free_port, root};

const EMULATORS: Lock<'static> = Lock { name: "emulators", files: &[include_str!("../emulators.txt")] };

/// How long the emulator may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// An emulator that runs. Every one starts empty.
pub struct Emulator {
    server: Child,
    python: std::path::PathBuf,
    folder: tempfile::TempDir,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
}

/// The account that credentials of [`Emulator::environment`] belong to: the emulator reads it from the key.
pub const ACCOUNT: &str = "111122223333";
const SECRET: &str = "secret";

impl Emulator {
    /// Starts one with these settings of MiniStack's, such as `("AUTH", "true")`.
    pub fn start(settings: &[(&str, &str)]) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let cache = python::cache_dir().unwrap();
        let told = |setup: Setup| eprintln!("{setup:?}");
        let home = runtime.block_on(python::install_lock(EMULATORS, &cache, &Groups::default(), &told)).unwrap();
        let python = home.join("bin").join("python");
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(&python);
        command
            .args(["-m", "aws_emulator"])
            .current_dir(folder.path())
            .env("PYTHONPATH", root().join("tests/emulators"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("GATEWAY_PORT", port.to_string())
            .env("TMPDIR", folder.path())
            .env("MINISTACK_ACCOUNT_ID", ACCOUNT)
            // The secret of every account's root, by which signatures are verified with `AUTH=true`.
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let server = command.spawn().unwrap();
        let mut emulator = Self { server, python, folder, url: format!("http://127.0.0.1:{port}") };
        emulator.wait_until_it_listens(port);
        emulator
    }

    fn wait_until_it_listens(&mut self, port: u16) {
        let started = Instant::now();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        while TcpStream::connect(address).is_err() {
            let ended = self.server.try_wait().unwrap();
            assert!(ended.is_none() && started.elapsed() < PATIENCE, "no emulator: {ended:?}\n{}", self.log());
            sleep(Duration::from_millis(50));
        }
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// What every client of AWS needs in its environment to reach this one and nothing else.
    pub fn environment(&self, region: &str) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.url.clone()),
            ("AWS_REGION", region.to_owned()),
            ("AWS_DEFAULT_REGION", region.to_owned()),
            ("AWS_ACCESS_KEY_ID", ACCOUNT.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_CONFIG_FILE", self.folder.path().join("none").display().to_string()),
            ("AWS_SHARED_CREDENTIALS_FILE", self.folder.path().join("none").display().to_string()),
        ]
    }

    /// Runs Python with boto3 against it; what it prints.
    pub fn boto3(&self, region: &str, script: &str) -> String {
        let output = self.python(region).args(["-c", &format!("import boto3, json\n{script}")]).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{script}\n{out}\n{err}\n{}", self.log());
        out.trim().to_owned()
    }

    /// The interpreter that has boto3, pointed at this emulator.
    pub fn python(&self, region: &str) -> Command {
        let mut command = Command::new(&self.python);
        command.env_remove("PYTHONPATH").envs(self.environment(region));
        command
    }

    /// A folder that lives as long as the emulator.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
