//! Where the local environment keeps what it has: everything lies below `.lakegen/local/` in the project.
//!
//! ```text
//! buckets/<bucket>/<table>/           a zone's tables, as in S3
//! dynamodb/<table>/                   key-value tables
//! models/<model>/<fingerprint>/       what each training left: model.tar.gz, evaluation.json
//! runs/<n>/<step>.log                 what the steps of a run printed
//! staging/                            work in progress; emptied at the start and at the end of a run
//! ledger.json                         what is up to date, and why
//! lock                                held by the run that is at it
//! ```
use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::files::{Doing, FileError};

/// The folders of one project's local environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    base: PathBuf,
}

impl Layout {
    /// For the project whose root is `root`.
    pub fn new(root: &Path) -> Self {
        Self { base: root.join(".lakegen").join("local") }
    }

    /// `.lakegen/local` itself.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// The name of a zone's bucket.
    pub fn bucket(lake: &str, zone: &str) -> String {
        format!("{lake}-local-{zone}")
    }

    /// The name that a key-value table has for its clients.
    pub fn dynamodb_name(lake: &str, table: &str) -> String {
        format!("{lake}-local-{table}")
    }

    /// The folder that plays S3: one folder per bucket.
    pub fn buckets(&self) -> PathBuf {
        self.base.join("buckets")
    }

    /// The folder of a table in a zone.
    pub fn table(&self, lake: &str, zone: &str, table: &str) -> PathBuf {
        self.buckets().join(Self::bucket(lake, zone)).join(table)
    }

    /// The folder of the key-value tables.
    pub fn dynamodb(&self) -> PathBuf {
        self.base.join("dynamodb")
    }

    /// The folder of a model's trainings.
    pub fn model(&self, model: &str) -> PathBuf {
        self.base.join("models").join(model)
    }

    /// The report of a profile.
    pub fn profile(&self, profile: &str) -> PathBuf {
        self.base.join("profiles").join(format!("{profile}.json"))
    }

    /// Work in progress.
    pub fn staging(&self) -> PathBuf {
        self.base.join("staging")
    }

    /// What is up to date, and why.
    pub fn ledger(&self) -> PathBuf {
        self.base.join("ledger.json")
    }

    /// The logs of one run.
    pub fn run(&self, number: u32) -> PathBuf {
        self.runs().join(number.to_string())
    }

    fn runs(&self) -> PathBuf {
        self.base.join("runs")
    }

    /// Creates the folder of a new run, numbered one above the last, and removes the logs of all but the last 20 runs.
    pub fn new_run(&self) -> Result<PathBuf, FileError> {
        let mut numbers = self.run_numbers()?;
        numbers.sort_unstable();
        let dir = self.run(numbers.last().map_or(1, |last| last + 1));
        fs::create_dir_all(&dir).doing("create", &dir)?;
        for old in numbers.iter().rev().skip(19) {
            super::files::remove(&self.run(*old))?;
        }
        Ok(dir)
    }

    fn run_numbers(&self) -> Result<Vec<u32>, FileError> {
        let runs = self.runs();
        fs::create_dir_all(&runs).doing("create", &runs)?;
        let entries = fs::read_dir(&runs).doing("list", &runs)?;
        Ok(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
    }

    /// Takes the lock of this environment. It is released when the value is dropped, or when the process dies, however it dies.
    pub fn lock(&self) -> Result<Lock, LockError> {
        fs::create_dir_all(&self.base).doing("create", &self.base)?;
        let path = self.base.join("lock");
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(&path).doing("open", &path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).doing("read", &path)?;
                return Err(LockError::Busy { holder: holder.trim().to_owned(), base: self.base.clone() });
            }
            Err(TryLockError::Error(error)) => return Err(FileError::new("lock", &path, error).into()),
        }
        let mut sign = || -> std::io::Result<()> {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "process {}", std::process::id())
        };
        sign().doing("write", &path)?;
        Ok(Lock { _file: file })
    }
}

/// Holds the local environment for one process.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// The local environment could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process is at it.
    #[error("another run is using `{}`{}{holder}", base.display(), if holder.is_empty() { "" } else { ": " })]
    Busy {
        /// How that process signs: `process 4711`.
        holder: String,
        /// The environment's folder.
        base: PathBuf,
    },
    /// The disk said no.
    #[error(transparent)]
    File(#[from] FileError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_says_who_is_at_it() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let lock = layout.lock().unwrap();
        let error = layout.lock().unwrap_err();
        assert!(error.to_string().ends_with(&format!(": process {}", std::process::id())), "{error}");
        drop(lock);
        layout.lock().unwrap();
    }

    #[test]
    fn runs_are_numbered_and_the_oldest_logs_go() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        fs::create_dir_all(layout.run(1).with_file_name("notes")).unwrap();
        let runs: Vec<_> = (0..25).map(|_| layout.new_run().unwrap()).collect();
        assert_eq!(runs.last(), Some(&layout.run(25)));
        let mut left = layout.run_numbers().unwrap();
        left.sort_unstable();
        assert_eq!(left, (6..=25).collect::<Vec<_>>());
    }
}
