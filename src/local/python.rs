//! The Python environment of local runs: found, created once, and from then on only looked at.
//!
//! `<cache>/python-<hash of the locked requirements>/` is a virtual environment with every package of `requirements.txt`, each
//! checked against its hash. Packages are installed one by one and ticked off, so an interrupted installation goes on where it
//! stopped; a stamp file says that all are there. `<cache>/runtime-<hash>/` is the Python side of lakegen itself.
use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use include_dir::{Dir, include_dir};
use tokio::process::Command;

use super::files::{self, Doing, FileError, Fingerprint};
use super::interpreter::{self, NoPython};
use super::platform::RUNS_LAKES;
use super::process::{self, Groups};
use super::worker::{Settings, Worker};

const REQUIREMENTS: &str = include_str!("python/requirements.txt");
const BUILD_REQUIREMENTS: &str = include_str!("python/build-requirements.txt");
static PACKAGES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/local/python");

/// A Python environment that is ready for use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The interpreter.
    pub python: PathBuf,
    /// The folder of lakegen's own Python packages, for `PYTHONPATH`.
    pub runtime: PathBuf,
    /// The virtual environment's folder.
    pub home: PathBuf,
}

impl Environment {
    /// The archive of Spark's classes.
    pub fn archive(&self) -> PathBuf {
        self.home.join("spark.jsa")
    }
}

/// Something worth telling while the environment is created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setup {
    /// Another lakegen is creating it; this one waits.
    Waiting,
    /// A package is being installed.
    Installing {
        /// Its name and version.
        package: String,
        /// Packages that are there already.
        done: usize,
        /// Packages there will be.
        total: usize,
    },
    /// All are there; Spark is started once, so that it starts faster from then on.
    Archiving,
    /// The environment can be used.
    Ready,
}

/// The environment could not be created.
#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    /// Lakes do not run on this system.
    #[error("this system has no process groups, by which what a lake starts is ended with it")]
    Platform,
    /// No interpreter of the right version.
    #[error(transparent)]
    None(#[from] NoPython),
    /// There is no place to keep it.
    #[error("there is no folder for caches: neither `LAKEGEN_CACHE` nor `HOME` is set")]
    NoCache,
    /// `python -m venv` failed.
    #[error("could not create a virtual environment with `{}`: {cause}", python.display())]
    Venv {
        /// The interpreter.
        python: PathBuf,
        /// The first thing that it complained about.
        cause: String,
    },
    /// pip could not reach the package index.
    #[error("could not download {package}: {cause}")]
    Network {
        /// Name and version.
        package: String,
        /// pip's own first complaint.
        cause: String,
    },
    /// pip failed for another reason.
    #[error("could not install {package}: {cause}")]
    Install {
        /// Name and version.
        package: String,
        /// pip's own first complaint.
        cause: String,
        /// All that pip said.
        log: PathBuf,
    },
    /// A process could not be started.
    #[error("could not start `{}`", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The disk said no.
    #[error(transparent)]
    File(#[from] FileError),
}

impl PythonError {
    /// What the user can do about it.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Platform => "a lake runs on Linux and macOS, and on Windows in WSL; what is deployed from here runs in AWS".to_owned(),
            Self::None(none) => none.help(),
            Self::NoCache => "set `LAKEGEN_CACHE` to a folder that may grow to 2 GB".to_owned(),
            Self::Venv { .. } => "on Debian and Ubuntu: `apt install python3.11-venv`".to_owned(),
            Self::Network { .. } => {
                "the first run downloads some 500 MB from the package index: check the connection, or name a mirror as pip \
                 knows it (`PIP_INDEX_URL`, `pip.conf`), and run again; packages that are installed stay installed"
                    .to_owned()
            }
            Self::Install { log, .. } => format!("all that pip said is in `{}`; run again to go on from here", log.display()),
            Self::Start { .. } => return None,
            Self::File(error) => return error.help(),
        })
    }
}

/// The folder of everything that lakegen keeps for a user: `LAKEGEN_CACHE`, or `lakegen` in the platform's folder for caches.
pub fn cache_dir() -> Result<PathBuf, PythonError> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || variable("HOME");
    let platform = if cfg!(target_os = "macos") {
        home().map(|home| home.join("Library/Caches"))
    } else if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else {
        variable("XDG_CACHE_HOME").or_else(|| home().map(|home| home.join(".cache")))
    };
    variable("LAKEGEN_CACHE").or_else(|| Some(platform?.join("lakegen"))).ok_or(PythonError::NoCache)
}

/// Identifies the engines of local runs: the locked packages and lakegen's own Python side.
pub fn engine() -> Fingerprint {
    let mut text = format!("{REQUIREMENTS}\0{BUILD_REQUIREMENTS}\0");
    for (path, contents) in runtime_files() {
        text.push_str(&format!("{}\0{}\0", path.display(), Fingerprint::of(contents)));
    }
    Fingerprint::of(text.as_bytes())
}

/// The environment, if it is ready. Starts nothing and reaches for nothing: a few looks at the disk.
pub fn ready(cache: &Path) -> Result<Option<Environment>, PythonError> {
    let home = ENGINES.home(cache);
    let python = home.join("bin").join("python");
    // The stamp survives the interpreter that the environment was made with; the link to it does not.
    if !home.join("ready").is_file() || !python.exists() {
        return Ok(None);
    }
    Ok(Some(Environment { python, runtime: unpack_runtime(cache)?, home }))
}

/// Locked packages that are installed into a virtual environment of their own.
#[derive(Debug, Clone, Copy)]
pub struct Lock<'a> {
    /// The first part of the environment's folder.
    pub name: &'a str,
    /// Requirements files with hashes; the packages of an earlier one can build those of a later one.
    pub files: &'a [&'a str],
}

/// What local runs need.
const ENGINES: Lock<'_> = Lock { name: "python", files: &[BUILD_REQUIREMENTS, REQUIREMENTS] };

impl Lock<'_> {
    fn home(&self, cache: &Path) -> PathBuf {
        cache.join(format!("{}-{}", self.name, Fingerprint::of(self.files.join("\0").as_bytes()).short()))
    }
}

/// A virtual environment with these packages, created if need be; its folder. Only one process creates it at a time.
pub async fn install_lock(
    packages: Lock<'_>,
    cache: &Path,
    groups: &Groups,
    tell: &(dyn Fn(Setup) + Sync),
) -> Result<PathBuf, PythonError> {
    let home = packages.home(cache);
    if home.join("ready").is_file() && home.join("bin").join("python").exists() {
        return Ok(home);
    }
    fs::create_dir_all(cache).doing("create", cache)?;
    let _lock = lock(&home.with_extension("lock"), tell).await?;
    if !home.join("ready").is_file() {
        fill(packages, &home, groups, tell).await?;
        files::write_atomically(&home.join("ready"), b"")?;
    }
    Ok(home)
}

async fn fill(
    packages: Lock<'_>,
    home: &Path,
    groups: &Groups,
    tell: &(dyn Fn(Setup) + Sync),
) -> Result<PathBuf, PythonError> {
    let python = home.join("bin").join("python");
    if !python.exists() {
        let base = interpreter::find(groups).await?;
        files::remove(home)?;
        create(groups, &base, home).await?;
    }
    install(groups, home, &python, packages, tell).await?;
    Ok(python)
}

/// The environment, created if need be. Only one process creates it at a time; the others wait.
pub async fn prepare(cache: &Path, groups: &Groups, tell: &(dyn Fn(Setup) + Sync)) -> Result<Environment, PythonError> {
    if !RUNS_LAKES {
        return Err(PythonError::Platform);
    }
    if let Some(environment) = ready(cache)? {
        return Ok(environment);
    }
    fs::create_dir_all(cache).doing("create", cache)?;
    let _lock = lock(&ENGINES.home(cache).with_extension("lock"), tell).await?;
    if let Some(environment) = ready(cache)? {
        return Ok(environment);
    }
    let home = ENGINES.home(cache);
    let python = fill(ENGINES, &home, groups, tell).await?;
    let environment = Environment { python, runtime: unpack_runtime(cache)?, home };
    archive(&environment, groups, tell).await;
    files::write_atomically(&environment.home.join("ready"), b"")?;
    tell(Setup::Ready);
    Ok(environment)
}

/// Lets Spark leave the archive of its classes, from which it starts in half the time. Without it all works the same, so a failure
/// is no matter.
async fn archive(environment: &Environment, groups: &Groups, tell: &(dyn Fn(Setup) + Sync)) {
    tell(Setup::Archiving);
    let scratch = environment.home.join("scratch");
    let spark = serde_json::json!({ "archive": environment.archive(), "local_dir": scratch, "c1": true });
    let settings = Settings {
        environment: environment.clone(),
        scratch: scratch.clone(),
        log: environment.home.join("archive.log"),
        variables: vec![("LAKEGEN_SPARK".to_owned(), spark.to_string().into())],
    };
    if let Ok(mut worker) = Worker::start(groups, &settings) {
        let _ = worker.call("archive", &settings.log, serde_json::Map::new(), &|_| ()).await;
        worker.stop().await;
    }
    let _ = files::remove(&scratch);
}

async fn lock(path: &Path, tell: &(dyn Fn(Setup) + Sync)) -> Result<File, PythonError> {
    let file = File::options().write(true).create(true).truncate(false).open(path).doing("open", path)?;
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(FileError::new("lock", path, error).into()),
            Err(TryLockError::WouldBlock) => {
                if !std::mem::replace(&mut told, true) {
                    tell(Setup::Waiting);
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn create(groups: &Groups, base: &Path, home: &Path) -> Result<(), PythonError> {
    let mut command = Command::new(base);
    clean(&mut command).args(["-m", "venv"]).arg(home);
    let finished = start(groups, base, &mut command).await?;
    if finished.status.success() {
        return Ok(());
    }
    files::remove(home)?;
    let cause =
        finished.lines.iter().map(|line| line.trim()).find(|line| !line.is_empty()).unwrap_or("no reason given");
    Err(PythonError::Venv { python: base.to_owned(), cause: cause.to_owned() })
}

async fn install(
    groups: &Groups,
    home: &Path,
    python: &Path,
    packages: Lock<'_>,
    tell: &(dyn Fn(Setup) + Sync),
) -> Result<(), PythonError> {
    let requirements: Vec<Requirement> = packages.files.iter().flat_map(|file| requirements(file)).collect();
    let (total, ticks) = (requirements.len(), home.join("installed"));
    fs::create_dir_all(&ticks).doing("create", &ticks)?;
    let log = home.join("install.log");
    let mut said = Vec::new();
    for (done, Requirement { package, text }) in requirements.iter().enumerate() {
        let tick = ticks.join(package);
        if tick.exists() {
            continue;
        }
        tell(Setup::Installing { package: package.clone(), done, total });
        let list = home.join("requirement.txt");
        fs::write(&list, text).doing("write", &list)?;
        let mut command = Command::new(python);
        clean(&mut command)
            .args(["-m", "pip", "install", "--require-hashes", "--no-deps", "--no-build-isolation", "--no-input"])
            .args(["--disable-pip-version-check", "--progress-bar", "off", "-r"])
            .arg(&list);
        let finished = start(groups, python, &mut command).await?;
        said.extend(finished.lines.iter().cloned());
        fs::write(&log, said.join("\n")).doing("write", &log)?;
        if !finished.status.success() {
            return Err(complaint(package.clone(), &finished.lines, log));
        }
        fs::write(&tick, "").doing("write", &tick)?;
    }
    Ok(())
}

/// pip's environment and configuration are the user's; what would make it look at another Python's packages is not.
fn clean(command: &mut Command) -> &mut Command {
    ["PYTHONHOME", "PYTHONPATH", "PYTHONUSERBASE", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER"]
        .iter()
        .fold(command, |command, name| command.env_remove(name))
}

async fn start(groups: &Groups, program: &Path, command: &mut Command) -> Result<process::Finished, PythonError> {
    process::run(groups, command).await.map_err(|source| PythonError::Start { program: program.to_owned(), source })
}

/// The first cause in what pip printed. It complains about the network in warnings, and about what follows from that in errors.
fn complaint(package: String, lines: &[String], log: PathBuf) -> PythonError {
    let broken = lines.iter().find_map(|line| line.split_once("connection broken by ").map(|(_, cause)| cause));
    if let Some(cause) = broken {
        // `'NewConnectionError("<…>: Failed to establish a new connection: [Errno 111] Connection refused")': /simple/six/`
        let cause = cause.split_once("': /").map_or(cause, |(cause, _)| cause).trim_matches(['\'', '"', ')']);
        let cause = cause.rsplit_once(">: ").or_else(|| cause.split_once('(')).map_or(cause, |(_, cause)| cause);
        return PythonError::Network { package, cause: cause.trim_matches(['\'', '"', ')']).to_owned() };
    }
    let error = lines.iter().find_map(|line| line.trim_start().strip_prefix("ERROR: "));
    let last = || lines.iter().rev().map(|line| line.trim()).find(|line| !line.is_empty());
    let cause = error.or_else(last).unwrap_or("pip gave no reason").to_owned();
    PythonError::Install { package, cause, log }
}

struct Requirement {
    /// `name==version`.
    package: String,
    /// The lines of the file: name, version, marker, hashes.
    text: String,
}

fn requirements(file: &str) -> Vec<Requirement> {
    let mut found: Vec<Requirement> = Vec::new();
    for line in file.lines().filter(|line| !line.trim_start().starts_with('#') && !line.trim().is_empty()) {
        if !line.starts_with(char::is_whitespace) {
            let package = line.split([' ', ';', '\\']).next().unwrap_or(line).to_owned();
            found.push(Requirement { package, text: String::new() });
        }
        if let Some(last) = found.last_mut() {
            last.text.push_str(line);
            last.text.push('\n');
        }
    }
    found
}

/// The files of lakegen's own packages, without their tests and what Python leaves behind.
fn runtime_files() -> Vec<(&'static Path, &'static [u8])> {
    fn gather(dir: &'static Dir<'static>, found: &mut Vec<(&'static Path, &'static [u8])>) {
        for file in dir.files().filter(|file| file.path().extension().is_none_or(|end| end != "pyc")) {
            found.push((file.path(), file.contents()));
        }
        for below in dir.dirs().filter(|dir| !dir.path().ends_with("__pycache__")) {
            gather(below, found);
        }
    }
    let mut found = Vec::new();
    for package in PACKAGES.dirs().filter(|dir| !dir.path().starts_with("tests")) {
        gather(package, &mut found);
    }
    found.sort();
    found
}

fn unpack_runtime(cache: &Path) -> Result<PathBuf, FileError> {
    let place = cache.join(format!("runtime-{}", engine().short()));
    if place.is_dir() {
        return Ok(place);
    }
    fs::create_dir_all(cache).doing("create", cache)?;
    let staged = tempfile::tempdir_in(cache).doing("create", cache)?;
    let mut folders = BTreeSet::new();
    for (path, contents) in runtime_files() {
        let target = staged.path().join(path);
        if let Some(folder) = target.parent().filter(|folder| folders.insert(folder.to_path_buf())) {
            fs::create_dir_all(folder).doing("create", folder)?;
        }
        fs::write(&target, contents).doing("write", &target)?;
    }
    match fs::rename(staged.path(), &place) {
        // Another process was faster, with the same files.
        Err(_) if place.is_dir() => Ok(place),
        other => other.doing("put into place", &place).map(|()| place),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_locked_package_comes_with_hashes() {
        let all = requirements(REQUIREMENTS).into_iter().chain(requirements(BUILD_REQUIREMENTS)).collect::<Vec<_>>();
        assert!(all.len() > 20);
        for Requirement { package, text } in &all {
            assert!(package.contains("==") && text.contains("--hash=sha256:"), "{package}");
        }
        assert!(all.iter().any(|one| one.package.starts_with("pyspark==3.5")));
    }

    #[test]
    fn markers_stay_with_their_package() {
        let found = requirements(
            "# a comment\na==1 ; sys_platform == 'darwin' \\\n    --hash=sha256:00\n    # via b\nb==2 \\\n    --hash=sha256:11\n",
        );
        assert_eq!(found.iter().map(|one| one.package.as_str()).collect::<Vec<_>>(), ["a==1", "b==2"]);
        assert_eq!(found[0].text, "a==1 ; sys_platform == 'darwin' \\\n    --hash=sha256:00\n");
    }

    #[test]
    fn the_first_cause_is_what_pip_said_first() {
        let said = |text: &str| {
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            complaint("six==1.17.0".to_owned(), &lines, PathBuf::from("install.log")).to_string()
        };
        let refused = "WARNING: Retrying (Retry(total=4, connect=None)) after connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f>: Failed to establish a new connection: [Errno 111] Connection refused')': /simple/six/\n\
            ERROR: Could not find a version that satisfies the requirement six==1.17.0 (from versions: none)\n\
            ERROR: No matching distribution found for six==1.17.0";
        assert_eq!(
            said(refused),
            "could not download six==1.17.0: Failed to establish a new connection: [Errno 111] Connection refused"
        );
        let proxy = "WARNING: Retrying (Retry(total=4)) after connection broken by 'ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed'))': /simple/six/";
        assert!(said(proxy).starts_with("could not download six==1.17.0: Cannot connect to proxy."), "{}", said(proxy));
        assert_eq!(
            said("Collecting six\nERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n  six"),
            "could not install six==1.17.0: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE."
        );
        assert_eq!(said("killed"), "could not install six==1.17.0: killed");
    }

    #[test]
    fn the_runtime_is_unpacked_once_and_holds_the_worker() {
        let cache = tempfile::tempdir().unwrap();
        let place = unpack_runtime(cache.path()).unwrap();
        assert!(place.join("lakegen_local/worker.py").is_file());
        fs::write(place.join("mark"), "").unwrap();
        assert_eq!(unpack_runtime(cache.path()).unwrap(), place);
        assert!(place.join("mark").exists());
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn only_one_process_creates_an_environment() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("python.lock");
        let told = std::sync::Mutex::new(Vec::new());
        let tell = |setup| told.lock().unwrap().push(setup);
        let first = lock(&path, &tell).await.unwrap();
        let (second, ()) = tokio::join!(lock(&path, &tell), async {
            tokio::task::yield_now().await;
            drop(first);
        });
        second.unwrap();
        assert!(told.into_inner().unwrap().iter().all(|setup| *setup == Setup::Waiting));
    }

    #[test]
    fn an_environment_whose_interpreter_is_gone_is_not_ready() {
        let cache = tempfile::tempdir().unwrap();
        let home = ENGINES.home(cache.path());
        fs::create_dir_all(home.join("bin")).unwrap();
        fs::write(home.join("ready"), "").unwrap();
        std::os::unix::fs::symlink("/nonexistent/python3.11", home.join("bin/python")).unwrap();
        assert_eq!(ready(cache.path()).unwrap(), None);
    }
}
