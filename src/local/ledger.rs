//! What the local environment knows to be up to date.
//!
//! A step is up to date when its fingerprint (code, settings, contents of what it reads, engine) is the one on record and the
//! tables that it wrote still hold what they held then. A step is put on record after its tables are in place, so a crash between
//! the two is found out: the tables no longer match.
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::files::{self, Doing, FileError, Fingerprint};
use super::outcome::ExampleAnswer;

const FORMAT: u32 = 1;

/// The record of one environment, kept in `ledger.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    format: u32,
    /// Where the raw tables were taken from, so that a later run without `--data` goes on with the same.
    pub data: Option<DataOnRecord>,
    /// By table name.
    pub tables: BTreeMap<String, TableRecord>,
    /// By `<kind>/<name>`.
    pub steps: BTreeMap<String, StepRecord>,
    /// The released model of each name: the one that passed its gate last.
    pub releases: BTreeMap<String, Release>,
    /// What the API answered.
    pub examples: Option<ExamplesOnRecord>,
}

/// Answers of the API, and what they depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExamplesOnRecord {
    /// Of the functions, the tables and the models behind them.
    pub fingerprint: Fingerprint,
    /// What they answered.
    pub answers: Vec<ExampleAnswer>,
}

/// The source of the raw tables, as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum DataOnRecord {
    /// `--data DIR`.
    Folder(PathBuf),
    /// Generated, with this many users.
    Sample(u32),
}

/// What a table held when a step, or the landing of raw files, was done with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableRecord {
    /// Names, sizes, times of the files.
    pub stamp: Fingerprint,
    /// What is in them.
    pub contents: Fingerprint,
    /// Bytes on disk.
    pub bytes: u64,
    /// Rows, where they were counted.
    pub rows: Option<u64>,
    /// For a raw table: the stamp of the files it was copied from.
    pub source: Option<Fingerprint>,
}

/// A step that succeeded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepRecord {
    /// Of everything that the result depends on.
    pub fingerprint: Fingerprint,
    /// Contents of each table that it wrote.
    pub outputs: BTreeMap<String, Fingerprint>,
    /// Rows of each table that it wrote, or looked at.
    pub rows: BTreeMap<String, u64>,
    /// How long it took.
    pub seconds: f64,
    /// The most memory that it took, in bytes, where that is known.
    #[serde(default)]
    pub peak_memory: Option<u64>,
    /// What it had to remark.
    pub notes: Vec<String>,
    /// For a model: what the training left.
    pub training: Option<Training>,
}

/// What a training left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// `model.tar.gz`, relative to the environment's folder.
    pub artifact: PathBuf,
    /// What is in it.
    pub contents: Fingerprint,
    /// As the training script reported them.
    pub metrics: BTreeMap<String, f64>,
    /// The script's `evaluation.json`, if it wrote one.
    pub evaluation: Option<Value>,
}

/// A model that passed its gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Of the training step.
    pub fingerprint: Fingerprint,
    /// What it left.
    pub training: Training,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            format: FORMAT,
            data: None,
            tables: BTreeMap::new(),
            steps: BTreeMap::new(),
            releases: BTreeMap::new(),
            examples: None,
        }
    }
}

/// A ledger, and where the unreadable one before it has gone.
#[derive(Debug)]
pub struct Loaded {
    /// What is on record.
    pub ledger: Ledger,
    /// The damaged file, renamed, with what is wrong with it. The ledger is empty then, and every step runs again.
    pub set_aside: Option<(PathBuf, String)>,
}

impl Ledger {
    /// Reads the ledger at `path`; one that is not there is empty, and one that cannot be understood is renamed to `….damaged`.
    pub fn load(path: &Path) -> Result<Loaded, FileError> {
        match Self::read(path)? {
            Ok(ledger) => Ok(Loaded { ledger, set_aside: None }),
            Err(problem) => {
                let aside = path.with_extension("json.damaged");
                fs::rename(path, &aside).doing("set aside", path)?;
                Ok(Loaded { ledger: Self::default(), set_aside: Some((aside, problem)) })
            }
        }
    }

    /// Reads the ledger at `path`; one that is not there is empty, of one that cannot be understood the problem is given.
    pub fn read(path: &Path) -> Result<Result<Self, String>, FileError> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ok(Self::default())),
            Err(error) => return Err(FileError::new("read", path, error)),
        };
        Ok(match serde_json::from_slice::<Self>(&text) {
            Ok(ledger) if ledger.format == FORMAT => Ok(ledger),
            Ok(ledger) => Err(format!("it has format {}, this lakegen writes {FORMAT}", ledger.format)),
            Err(error) => Err(error.to_string()),
        })
    }

    /// Writes the ledger, atomically.
    pub fn save(&self, path: &Path) -> Result<(), FileError> {
        let mut text =
            serde_json::to_vec_pretty(self).map_err(|error| FileError::new("write", path, io::Error::other(error)))?;
        text.push(b'\n');
        files::write_atomically(path, &text)
    }

    /// What the table in `dir` holds now. The files are read only if their stamp is not the one on record. `None`: nothing was
    /// ever written there; a table without rows has an engine's mark at least.
    pub fn contents(&self, table: &str, dir: &Path) -> Result<Option<TableRecord>, FileError> {
        let entries = files::data_files(dir)?;
        if entries.is_empty() && !dir.join("_SUCCESS").exists() {
            return Ok(None);
        }
        let stamp = files::stamp(&entries);
        if let Some(known) = self.tables.get(table).filter(|known| known.stamp == stamp) {
            return Ok(Some(known.clone()));
        }
        let contents = files::table_contents(dir, &entries)?;
        let same = self.tables.get(table).filter(|known| known.contents == contents);
        Ok(Some(TableRecord {
            stamp,
            bytes: entries.iter().map(|entry| entry.bytes).sum(),
            rows: same.and_then(|known| known.rows),
            source: same.and_then(|known| known.source.clone()),
            contents,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Ledger {
        let training = Training {
            artifact: "models/rank/0a/model.tar.gz".into(),
            contents: Fingerprint::of(b"trees"),
            metrics: [("validation:ndcg@10".to_owned(), 0.43)].into(),
            evaluation: Some(serde_json::json!({ "rows": [] })),
        };
        let fingerprint = Fingerprint::of(b"code");
        let step = StepRecord {
            fingerprint: fingerprint.clone(),
            outputs: [("baskets".to_owned(), Fingerprint::of(b"rows"))].into(),
            rows: [("baskets".to_owned(), 7)].into(),
            seconds: 0.25,
            peak_memory: Some(1_000),
            notes: vec!["a note".to_owned()],
            training: Some(training.clone()),
        };
        Ledger {
            steps: [("model/rank".to_owned(), step)].into(),
            releases: [("rank".to_owned(), Release { fingerprint, training })].into(),
            data: Some(DataOnRecord::Sample(2000)),
            ..Ledger::default()
        }
    }

    #[test]
    fn what_was_saved_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.json");
        sample().save(&path).unwrap();
        let loaded = Ledger::load(&path).unwrap();
        assert_eq!(loaded.ledger, sample());
        assert!(loaded.set_aside.is_none());
    }

    #[test]
    fn no_ledger_is_an_empty_ledger() {
        let dir = tempfile::tempdir().unwrap();
        let loaded = Ledger::load(&dir.path().join("ledger.json")).unwrap();
        assert_eq!(loaded.ledger, Ledger::default());
        assert!(loaded.set_aside.is_none());
    }

    #[test]
    fn a_damaged_ledger_is_set_aside() {
        let whole = serde_json::to_string(&sample()).unwrap();
        let other_format = whole.replacen("\"format\":1", "\"format\":99", 1);
        let torn = whole.get(..whole.len() / 2).unwrap();
        for damaged in ["", "\0\0\0\0", "[]", "{}", torn, &other_format] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("ledger.json");
            fs::write(&path, damaged).unwrap();
            let loaded = Ledger::load(&path).unwrap();
            assert_eq!(loaded.ledger, Ledger::default(), "{damaged:?}");
            let (aside, problem) = loaded.set_aside.unwrap();
            assert_eq!(fs::read_to_string(aside).unwrap(), damaged);
            assert!(!problem.is_empty());
            assert!(!path.exists());
        }
    }

    #[test]
    fn a_touched_table_is_looked_into_and_a_changed_one_is_found_out() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("part-0");
        fs::write(&file, "abc").unwrap();
        let mut ledger = Ledger::default();
        let mut first = ledger.contents("t", dir.path()).unwrap().unwrap();
        first.rows = Some(3);
        ledger.tables.insert("t".to_owned(), first.clone());

        let later = fs::metadata(&file).unwrap().modified().unwrap() + std::time::Duration::from_secs(5);
        fs::File::options().write(true).open(&file).unwrap().set_modified(later).unwrap();
        let touched = ledger.contents("t", dir.path()).unwrap().unwrap();
        assert_ne!(touched.stamp, first.stamp);
        assert_eq!((touched.contents, touched.rows), (first.contents.clone(), Some(3)));

        fs::write(&file, "abd!").unwrap();
        let changed = ledger.contents("t", dir.path()).unwrap().unwrap();
        assert_ne!(changed.contents, first.contents);
        assert_eq!(changed.rows, None);

        fs::remove_file(&file).unwrap();
        assert_eq!(ledger.contents("t", dir.path()).unwrap(), None);
    }
}
