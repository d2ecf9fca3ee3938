//! The scripts of this repository's own workflows that no lake has: how a release is packed, and how jobs hand lakegen on.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::root;
use tempfile::TempDir;

/// A machine of GitHub's: a folder in which the scripts of a workflow run.
struct Machine {
    workflow: Value,
    folder: TempDir,
}

impl Machine {
    fn new(workflow: &str) -> Self {
        let text = fs::read_to_string(root().join(".github/workflows").join(workflow)).unwrap();
        let machine = Self { workflow: serde_yaml::from_str(&text).unwrap(), folder: tempfile::tempdir().unwrap() };
        // GitHub's machines call it so.
        fs::create_dir(machine.path().join("bin")).unwrap();
        let python = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
        let python = String::from_utf8(python.stdout).unwrap();
        symlink(python.trim(), machine.path().join("bin/python")).unwrap();
        for name in ["Cargo.toml", "README.md", "LICENSE"] {
            fs::copy(root().join(name), machine.path().join(name)).unwrap();
        }
        machine
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs the script of a step of a job, as GitHub does; whether it succeeded, and what it wrote.
    fn step(&self, job: &str, step: &str, env: &[(&str, &str)]) -> (bool, String) {
        let steps = self.workflow["jobs"][job]["steps"].as_array().unwrap();
        let step = steps.iter().find(|one| one["name"] == step).unwrap_or_else(|| panic!("no step {step} in {job}"));
        let script = self.path().join("script.sh");
        fs::write(&script, step["run"].as_str().unwrap()).unwrap();
        let paths = std::env::var_os("PATH").unwrap();
        let path = [self.path().join("bin")].into_iter().chain(std::env::split_paths(&paths));
        let output = Command::new("bash")
            .args(["--noprofile", "--norc", "-eo", "pipefail"])
            .arg(&script)
            .current_dir(self.path())
            .env("PATH", std::env::join_paths(path).unwrap())
            .env("RUNNER_TEMP", self.path())
            .env("GITHUB_PATH", self.path().join("path"))
            .envs(env.iter().copied())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        (output.status.success(), said)
    }

    fn done(&self, job: &str, step: &str, env: &[(&str, &str)]) -> String {
        let (succeeded, said) = self.step(job, step, env);
        assert!(succeeded, "{step}: {said}");
        said
    }

    fn shell(&self, script: &str) -> String {
        let output = Command::new("bash").args(["-euc", script]).current_dir(self.path()).output().unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn a_tag_is_released_only_if_it_is_the_version() {
    let machine = Machine::new("release.yml");
    let (step, version) = ("The tag is the version", env!("CARGO_PKG_VERSION"));
    machine.done("test", step, &[("TAG", &format!("v{version}"))]);
    for tag in [version, "v99.0.0", "v", ""] {
        let (succeeded, said) = machine.step("test", step, &[("TAG", tag)]);
        assert!(!succeeded, "{tag}");
        assert_eq!(said, format!("the tag is {tag}, the version {version}\n"));
    }
}

#[test]
fn a_tag_is_released_only_if_its_commit_is_on_main() {
    let machine = Machine::new("release.yml");
    let checkout = &machine.workflow["jobs"]["test"]["steps"][0];
    assert_eq!(checkout["with"]["fetch-depth"], 0, "without its history, nothing is known to be on main");
    let commit = "git -c user.name=ann -c user.email=ann@example.com commit --quiet --allow-empty --message";
    machine.shell(&format!(
        "git init --quiet; {commit} 1; git tag one; {commit} 2; git update-ref refs/remotes/origin/main HEAD; git tag two
        git checkout --quiet one; {commit} 3; git tag aside"
    ));
    for (tag, on_main) in [("one", true), ("two", true), ("aside", false)] {
        let sha = machine.shell(&format!("git rev-parse {tag}"));
        let (succeeded, said) = machine.step("test", "The tagged commit is on main", &[("GITHUB_SHA", sha.trim_end())]);
        assert_eq!(succeeded, on_main, "{tag}: {said}");
        assert_eq!(said.contains("is not on main"), !on_main, "{tag}: {said}");
    }
}

/// PyPI may have failed after the release was made.
#[test]
fn a_release_that_is_there_is_gone_on_with() {
    let machine = Machine::new("release.yml");
    let gh = machine.path().join("bin/gh");
    let script = "#!/bin/sh\necho \"$@\" >> called\ncase $2 in view) test -e made ;; create) test ! -e made && touch made ;; esac\n";
    fs::write(&gh, script).unwrap();
    fs::set_permissions(&gh, PermissionsExt::from_mode(0o755)).unwrap();
    machine.shell("mkdir dist; touch dist/a.zip");
    for expected in
        ["release create v1 --verify-tag --generate-notes dist/a.zip", "release upload v1 --clobber dist/a.zip"]
    {
        machine.done("publish", "Make the release", &[("TAG", "v1")]);
        assert_eq!(machine.shell("tail -n 1 called").trim_end(), expected);
    }
    let steps = machine.workflow["jobs"]["publish"]["steps"].as_array().unwrap();
    let pypi =
        steps.iter().find(|step| step["uses"].as_str().is_some_and(|uses| uses.contains("pypi-publish"))).unwrap();
    assert_eq!(pypi["with"]["skip-existing"], true);
}

/// GitHub has retired macOS 13 and 14; only `-intel` is x86-64 without being a larger machine.
#[test]
fn releases_for_macs_are_built_on_machines_that_are_there() {
    let machine = Machine::new("release.yml");
    let targets = machine.workflow["jobs"]["build"]["strategy"]["matrix"]["include"].as_array().unwrap().iter();
    let macs: Vec<_> = targets.filter(|one| one["target"].as_str().unwrap().contains("apple")).collect();
    let runners: Vec<_> =
        macs.iter().map(|one| (one["target"].as_str().unwrap(), one["runner"].as_str().unwrap())).collect();
    assert_eq!(runners, [("aarch64-apple-darwin", "macos-15"), ("x86_64-apple-darwin", "macos-15-intel")]);
}

#[test]
fn every_target_of_a_release_becomes_an_archive_with_a_checksum() {
    let machine = Machine::new("release.yml");
    let targets = machine.workflow["jobs"]["build"]["strategy"]["matrix"]["include"].as_array().unwrap().iter();
    let targets: Vec<_> = targets.map(|one| one["target"].as_str().unwrap()).collect();
    let version = format!("lakegen {}\n", env!("CARGO_PKG_VERSION"));
    fs::create_dir(machine.path().join("dist")).unwrap();
    let mut archives = Vec::new();
    for target in &targets {
        let windows = target.contains("windows");
        let (program, ending) = if windows { ("lakegen.exe", "zip") } else { ("lakegen", "tar.gz") };
        let built = machine.path().join(format!("target/{target}/release"));
        fs::create_dir_all(&built).unwrap();
        // The real one is large where it is not optimised, and takes minutes to be packed.
        let script = format!("#!/bin/sh\ntest \"$1\" = --version && printf '{}'\n", version.escape_default());
        fs::write(built.join(program), script).unwrap();
        fs::set_permissions(built.join(program), PermissionsExt::from_mode(0o755)).unwrap();
        assert_eq!(machine.done("build", "Pack the archive", &[("TARGET", target)]), version, "{target}");
        fs::write(machine.path().join(format!("dist/lakegen-{target}.whl")), target).unwrap();
        archives.push(format!("lakegen-{target}.{ending}"));
    }
    machine.done("publish", "Write the checksums", &[]);
    archives.sort();
    let listed = machine.shell("cut -c 67- dist/SHA256SUMS");
    assert_eq!(listed.lines().collect::<Vec<_>>(), archives);
    machine.shell("cd dist; sha256sum --check --strict --quiet SHA256SUMS");
    assert_eq!(machine.shell("ls wheels").lines().count(), targets.len());

    // What the workflow of a lake takes out of it.
    machine.shell("mkdir out; tar -xzf dist/lakegen-x86_64-unknown-linux-gnu.tar.gz -C out --strip-components 1");
    assert_eq!(machine.shell("ls out"), "LICENSE\nREADME.md\nlakegen\n");
    assert_eq!(machine.shell("out/lakegen --version"), version);
    let names = machine.shell("bin/python -m zipfile --list dist/lakegen-x86_64-pc-windows-msvc.zip");
    assert!(names.contains("lakegen-x86_64-pc-windows-msvc/lakegen.exe"), "{names}");
}

/// An artifact comes without the right to be executed.
#[test]
fn what_one_job_has_built_is_a_command_in_the_next() {
    let machine = Machine::new("lakegen.yml");
    let job = &machine.workflow["jobs"]["lakegen"];
    let handed_on = job["steps"].as_array().unwrap().iter().find(|step| step["name"] == "Hand lakegen on").unwrap();
    assert_eq!(handed_on["with"]["path"], "target/release/lakegen");
    let folder = machine.path().join("lakegen");
    fs::create_dir(&folder).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_lakegen"), folder.join("lakegen")).unwrap();
    machine.shell("chmod -x lakegen/lakegen");
    machine.done("check", "Make lakegen a command", &[]);
    let path = fs::read_to_string(machine.path().join("path")).unwrap();
    assert_eq!(Path::new(path.trim_end()), folder);
    assert_eq!(machine.shell("lakegen/lakegen --version"), format!("lakegen {}\n", env!("CARGO_PKG_VERSION")));
}
