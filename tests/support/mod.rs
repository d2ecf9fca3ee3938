//! The Python that tests run: lakegen's own environment, and the locked tools of `tests/requirements.txt` beside it, both
//! installed by the code that installs for users.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test whose tools are missing has failed")]
#![allow(clippy::print_stderr, reason = "the first run installs for minutes")]

pub mod blueprint;
pub mod emulator;
pub mod fake;
pub mod lake;
pub mod proxy;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use lakegen::assembly::{self, Assets};
use lakegen::cfn::Format;
use lakegen::local::process::Groups;
use lakegen::local::python::{self, Environment, Lock, Setup};
use lakegen::lower::lower;
use lakegen::placement::{self, Placement};
use lakegen::project::Project;

const TOOLS: Lock<'static> = Lock { name: "test-tools", files: &[include_str!("../requirements.txt")] };

/// Apart from the tools, because only one test needs them and they are many.
const JUDGES: Lock<'static> = Lock { name: "test-judges", files: &[include_str!("../requirements-judges.txt")] };

const WORKFLOW_JUDGES: Lock<'static> =
    Lock { name: "test-workflow", files: &[include_str!("../requirements-workflow.txt")] };

/// A judge of workflows.
pub fn workflow_judge(program: &str) -> Command {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let told = |setup: Setup| eprintln!("{setup:?}");
    let cache = python::cache_dir().unwrap();
    let folder = runtime.block_on(python::install_lock(WORKFLOW_JUDGES, &cache, &Groups::default(), &told)).unwrap();
    Command::new(folder.join("bin").join(program))
}

/// The interpreter that has the judges of the templates.
pub fn judges() -> PathBuf {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let told = |setup: Setup| eprintln!("{setup:?}");
    let cache = python::cache_dir().unwrap();
    let folder = runtime.block_on(python::install_lock(JUDGES, &cache, &Groups::default(), &told)).unwrap();
    folder.join("bin").join("python")
}

/// The engines' environment and the folder of the tools.
pub struct Python {
    pub environment: Environment,
    pub tools: PathBuf,
}

pub fn python() -> Python {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cache = python::cache_dir().unwrap();
    let told = |setup: Setup| eprintln!("{setup:?}");
    let environment = runtime.block_on(python::prepare(&cache, &Groups::default(), &told)).unwrap();
    Python { environment, tools: tools() }
}

/// The folder of the tools.
pub fn tools() -> PathBuf {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cache = python::cache_dir().unwrap();
    let told = |setup: Setup| eprintln!("{setup:?}");
    runtime.block_on(python::install_lock(TOOLS, &cache, &Groups::default(), &told)).unwrap()
}

/// Where the packages of an environment are.
pub fn packages(environment: &Path) -> PathBuf {
    environment.join("lib").join("python3.11").join("site-packages")
}

impl Python {
    /// A program of the tools.
    pub fn tool(&self, program: &str) -> Command {
        let mut command = Command::new(self.tools.join("bin").join(program));
        command.current_dir(root()).env_remove("PYTHONPATH");
        command
    }

    /// A module of the tools, run with the engines' interpreter, which finds both sets of packages.
    pub fn with_engines(&self, module: &str) -> Command {
        let mut command = Command::new(&self.environment.python);
        command.args(["-m", module]).current_dir(root()).env("PYTHONPATH", packages(&self.tools));
        command
    }
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Writes the assembly of a blueprint's first environment to `out`; `files` of the project are made, empty.
pub fn assemble(project: &Path, blueprint: &str, files: &[&str], out: &Path) {
    for (file, text) in files.iter().map(|file| (*file, "")).chain([("blueprints/lake.yaml", blueprint)]) {
        let path = project.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let (lake, diagnostics) = Project::open(None, project).unwrap().check();
    let lake = lake.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
    let assets = Assets::collect(&lake).unwrap();
    let placement = Placement::of(&lake, &placement::Lock::default());
    assembly::write(&lower(&lake, &lake.environments[0], &assets, &placement, Format::Yaml), out).unwrap();
}

/// A blueprint that has one script, as a project.
pub fn small(project: &Path, name: &str) {
    std::fs::create_dir_all(project.join("blueprints")).unwrap();
    std::fs::write(project.join("job.py"), "print()\n").unwrap();
    let file = format!("{name}.yaml");
    std::fs::copy(root().join("src/lower/tests").join(&file), project.join("blueprints").join(file)).unwrap();
}

/// The lake with at least one thing of every kind, as a project.
pub fn shop(project: &Path) {
    let files = ["functions/recommend/handler.py", "jobs/features.py", "jobs/helper.py", "jobs/lib/shared.py"];
    for file in files.into_iter().chain(["models/taste/inference.py", "models/taste/train.py"]) {
        std::fs::create_dir_all(project.join(file).parent().unwrap()).unwrap();
        std::fs::write(project.join(file), "print()\n").unwrap();
    }
    std::fs::create_dir_all(project.join("blueprints")).unwrap();
    std::fs::copy(root().join("src/lower/tests/shop.yaml"), project.join("blueprints/shop.yaml")).unwrap();
}

/// Runs a command; what it printed is the message of the failure.
pub fn must_succeed(command: &mut Command) {
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{out}\n{err}");
}

/// A port for a server that a test starts. It lies below those that the system gives to connections: one of these could take it
/// before the server does, and two tests that were given the same port would talk to one server.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = std::process::id() % 1_000 * 20 + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(10_000 + number % 20_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
