//! Lakes that are deployed by the real binary.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::emulator::Emulator;
use super::fake::Fake;
use super::proxy::Proxy;

/// Where the environment `dev` is.
pub const REGION: &str = "eu-central-1";

/// A zone, a table and a job: three stacks and three assets, two of them lakegen's own.
const SMALL: &str = "\
name: NAME
environments:
  dev: { region: eu-central-1 }
  prod: { region: eu-central-1, account: \"444455556666\" }
zones:
  raw: { keep: 400 days }
  spare: { keep: 30 days }
tables:
  orders:
    zone: raw
    format: csv
    columns:
      order_id: { type: int, primary_key: true }
  counts:
    zone: raw
    format: parquet
    columns:
      orders: { type: int }
jobs:
  count: { script: job.py, reads: [orders], writes: [counts] }
";

/// A lake of its own, in a folder of its own.
pub struct Lake<'a> {
    emulator: &'a Emulator,
    folder: tempfile::TempDir,
    /// Where AWS, or one of its services, is, if not the emulator itself.
    urls: Vec<(&'static str, String)>,
}

impl<'a> Lake<'a> {
    /// A starter with everything but a model.
    pub fn bikes(emulator: &'a Emulator) -> Self {
        let lake = Self { emulator, folder: tempfile::tempdir().unwrap(), urls: Vec::new() };
        let init = lake.lakegen(&["init", ".", "--from", "bikes", "--name", "bikes"]);
        assert!(init.status.success(), "{init:?}");
        lake
    }

    /// Three stacks and three assets.
    pub fn small(emulator: &'a Emulator, name: &str) -> Self {
        let lake = Self { emulator, folder: tempfile::tempdir().unwrap(), urls: Vec::new() };
        std::fs::create_dir(lake.folder.path().join("blueprints")).unwrap();
        std::fs::write(lake.blueprint(), SMALL.replace("NAME", name)).unwrap();
        std::fs::write(lake.folder.path().join("job.py"), "print('counting')\n").unwrap();
        lake
    }

    pub fn through(mut self, proxy: &Proxy) -> Self {
        self.urls.push(("AWS_ENDPOINT_URL", proxy.url.clone()));
        self
    }

    /// With this CloudFormation instead of the emulator's.
    pub fn on(mut self, fake: &Fake) -> Self {
        self.urls.push(("AWS_ENDPOINT_URL_CLOUDFORMATION", fake.url.clone()));
        self
    }

    pub fn blueprint(&self) -> std::path::PathBuf {
        self.folder.path().join("blueprints/lake.yaml")
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lakegen"));
        command.args(args).current_dir(self.folder.path()).envs(self.emulator.environment(REGION));
        command.envs(self.urls.iter().map(|(name, url)| (name, url))).stdin(Stdio::null());
        command
    }

    pub fn lakegen(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs it; what it says on both channels. Anything but that exit code is a failure.
    pub fn run(&self, code: i32, args: &[&str]) -> String {
        let output = self.lakegen(args);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(code), "{args:?}\n{text}\n{}", self.emulator.log());
        text
    }

    /// Runs Python with boto3 against its emulator; what it prints.
    pub fn boto3(&self, script: &str) -> String {
        self.emulator.boto3(REGION, script)
    }

    pub fn edit(&self, from: &str, to: &str) {
        edit(&self.blueprint(), from, to);
    }
}

/// What it said on both channels.
pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout))
}

pub fn edit(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from} is not in {}", file.display());
    std::fs::write(file, text.replacen(from, to, 1)).unwrap();
}
