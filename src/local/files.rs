//! What the local environment does to files: fingerprints of folders, atomic writes, swaps of whole tables.
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A SHA-256 in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::finish(Sha256::new_with_prefix(bytes))
    }

    /// The first 16 digits: enough for a folder's name.
    pub fn short(&self) -> &str {
        self.0.get(..16).unwrap_or(&self.0)
    }

    fn finish(hash: Sha256) -> Self {
        Self(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An operation on a file that the operating system refused.
#[derive(Debug, thiserror::Error)]
#[error("could not {verb} `{}`", path.display())]
pub struct FileError {
    verb: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl FileError {
    /// `verb` as in "could not *verb* `path`".
    pub fn new(verb: &'static str, path: &Path, source: io::Error) -> Self {
        Self { verb, path: path.to_owned(), source }
    }

    /// What the user can do about it.
    pub fn help(&self) -> Option<String> {
        match self.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Some("free some disk space and run again: finished steps are kept".to_owned())
            }
            io::ErrorKind::PermissionDenied => Some(format!("check who owns `{}`", self.path.display())),
            io::ErrorKind::ReadOnlyFilesystem => {
                Some("the project must lie on a disk that can be written to".to_owned())
            }
            _ => None,
        }
    }
}

/// Attaches what was being done to an I/O error.
pub trait Doing<T> {
    /// `verb` as in "could not *verb* `path`".
    fn doing(self, verb: &'static str, path: &Path) -> Result<T, FileError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, verb: &'static str, path: &Path) -> Result<T, FileError> {
        self.map_err(|source| FileError::new(verb, path, source))
    }
}

/// A file below a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Path relative to the folder that was listed.
    pub relative: PathBuf,
    /// Size in bytes.
    pub bytes: u64,
    /// Modification time, nanoseconds since 1970.
    pub modified: u128,
}

/// Every data file below `dir`, sorted by path. Names that start with `_` or `.` are markers and checksums of the engines, not
/// data (`_SUCCESS`, `.part-0.crc`), and what ends in `.index` repeats what the file beside it holds. A `dir` that does not
/// exist has none.
pub fn data_files(dir: &Path) -> Result<Vec<Entry>, FileError> {
    let mut entries = Vec::new();
    walk(dir, Path::new(""), &|name| !name.starts_with(['_', '.']) && !name.ends_with(".index"), &mut entries)?;
    entries.sort();
    Ok(entries)
}

/// Every file of a program's folder, sorted by path, without what Python leaves behind.
pub fn code_files(dir: &Path) -> Result<Vec<Entry>, FileError> {
    let mut entries = Vec::new();
    walk(
        dir,
        Path::new(""),
        &|name| name != "__pycache__" && !name.starts_with('.') && !name.ends_with(".pyc"),
        &mut entries,
    )?;
    entries.sort();
    Ok(entries)
}

fn walk(root: &Path, below: &Path, wanted: &dyn Fn(&str) -> bool, entries: &mut Vec<Entry>) -> Result<(), FileError> {
    let dir = root.join(below);
    let listing = match fs::read_dir(&dir) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(FileError::new("list", &dir, error)),
    };
    for entry in listing {
        let entry = entry.doing("list", &dir)?;
        let relative = below.join(entry.file_name());
        if !wanted(&entry.file_name().to_string_lossy()) {
            continue;
        }
        let meta = fs::metadata(entry.path()).doing("read", &entry.path())?;
        if meta.is_dir() {
            walk(root, &relative, wanted, entries)?;
        } else {
            entries.push(Entry { relative, bytes: meta.len(), modified: modified(&meta) });
        }
    }
    Ok(())
}

fn modified(meta: &fs::Metadata) -> u128 {
    meta.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map_or(0, |since| since.as_nanos())
}

/// A cheap stand-in for the contents: names, sizes and modification times. Equal stamps mean equal contents; different stamps
/// mean that the contents must be looked at.
pub fn stamp(entries: &[Entry]) -> Fingerprint {
    let mut hash = Sha256::new();
    for entry in entries {
        hash.update(format!("{}\0{}\0{}\0", entry.relative.display(), entry.bytes, entry.modified));
    }
    Fingerprint::finish(hash)
}

/// The stamp of one file.
pub fn file_stamp(path: &Path) -> Result<Fingerprint, FileError> {
    let meta = fs::metadata(path).doing("read", path)?;
    Ok(stamp(&[Entry { relative: path.to_owned(), bytes: meta.len(), modified: modified(&meta) }]))
}

/// The contents of a table's folder. File names do not count, for Spark draws them at random; the folders they lie in
/// (partitions) do.
pub fn table_contents(dir: &Path, entries: &[Entry]) -> Result<Fingerprint, FileError> {
    let mut parts = Vec::with_capacity(entries.len());
    for entry in entries {
        let folder = entry.relative.parent().unwrap_or(Path::new(""));
        parts.push(format!("{}\0{}\0", folder.display(), file_contents(&dir.join(&entry.relative))?));
    }
    parts.sort();
    Ok(Fingerprint::of(parts.concat().as_bytes()))
}

/// The contents of a program: a file, or a folder with everything in it, names included.
pub fn code_contents(path: &Path) -> Result<Fingerprint, FileError> {
    if !path.is_dir() {
        return file_contents(path);
    }
    let mut hash = Sha256::new();
    for entry in code_files(path)? {
        let contents = file_contents(&path.join(&entry.relative))?;
        hash.update(format!("{}\0{contents}\0", entry.relative.display()));
    }
    Ok(Fingerprint::finish(hash))
}

fn file_contents(path: &Path) -> Result<Fingerprint, FileError> {
    let mut file = File::open(path).doing("read", path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer).doing("read", path)? {
            0 => return Ok(Fingerprint::finish(hash)),
            n => hash.update(buffer.get(..n).unwrap_or_default()),
        }
    }
}

/// Replaces the file at `path` in one step: a reader, and a machine that loses power, find the old contents or the new.
pub fn write_atomically(path: &Path, contents: &[u8]) -> Result<(), FileError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).doing("create", folder)?;
    let write = || -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(contents)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    };
    write().doing("write", path)
}

/// Removes a folder and what is in it, if it is there.
pub fn remove(dir: &Path) -> Result<(), FileError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::new("remove", dir, error)),
        _ => Ok(()),
    }
}

/// A fresh, empty folder at `dir`, whatever was there before.
pub fn empty_dir(dir: &Path) -> Result<(), FileError> {
    remove(dir)?;
    fs::create_dir_all(dir).doing("create", dir)
}

/// A finished folder and the place where it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swap {
    /// The finished folder, on the same file system as `place`.
    pub staged: PathBuf,
    /// Where it belongs; what is there now goes away.
    pub place: PathBuf,
}

/// Puts all folders into place by renaming, or none: what was moved is moved back when a later move fails. `attic` holds the
/// old folders meanwhile.
pub fn swap(swaps: &[Swap], attic: &Path) -> Result<(), FileError> {
    empty_dir(attic)?;
    let mut undo: Vec<(PathBuf, PathBuf)> = Vec::new();
    let mut moved = |from: &Path, to: &Path| -> Result<(), FileError> {
        let done = fs::rename(from, to).doing("put into place", to);
        match &done {
            Ok(()) => undo.push((to.to_owned(), from.to_owned())),
            Err(_) => {
                for (from, to) in undo.drain(..).rev() {
                    // The first error is the one to report; a table that stays missing is noticed by the next run.
                    let _ = fs::rename(from, to);
                }
            }
        }
        done
    };
    for (i, Swap { staged, place }) in swaps.iter().enumerate() {
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder).doing("create", folder)?;
        }
        if place.exists() {
            moved(place, &attic.join(i.to_string()))?;
        }
        moved(staged, place)?;
    }
    remove(attic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn contents_ignore_file_names_but_not_partitions() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| dir.path().join(name));
        write(&a.join("year=2017/part-1.parquet"), "x");
        write(&a.join("_SUCCESS"), "");
        write(&b.join("year=2017/part-9.parquet"), "x");
        write(&c.join("year=2018/part-1.parquet"), "x");
        let contents = |dir: &Path| table_contents(dir, &data_files(dir).unwrap()).unwrap();
        assert_eq!(contents(&a), contents(&b));
        assert_ne!(contents(&a), contents(&c));
    }

    #[test]
    fn code_ignores_what_python_leaves_behind_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join("train.py"), "1");
        let before = code_contents(dir.path()).unwrap();
        write(&dir.path().join("__pycache__/train.cpython-311.pyc"), "x");
        assert_eq!(before, code_contents(dir.path()).unwrap());
        write(&dir.path().join("lib/helper.py"), "2");
        assert_ne!(before, code_contents(dir.path()).unwrap());
    }

    #[test]
    fn a_swap_replaces_every_folder() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        write(&at("new-1/f"), "new");
        write(&at("new-2/f"), "new");
        write(&at("one/f"), "old");
        let swaps =
            [Swap { staged: at("new-1"), place: at("one") }, Swap { staged: at("new-2"), place: at("deep/two") }];
        swap(&swaps, &at("attic")).unwrap();
        assert_eq!(fs::read_to_string(at("one/f")).unwrap(), "new");
        assert_eq!(fs::read_to_string(at("deep/two/f")).unwrap(), "new");
        assert!(!at("attic").exists());
    }

    #[test]
    fn a_swap_that_fails_half_way_leaves_the_old_folders() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        write(&at("new-1/f"), "new");
        write(&at("one/f"), "old");
        write(&at("two/f"), "old");
        let swaps = [Swap { staged: at("new-1"), place: at("one") }, Swap { staged: at("missing"), place: at("two") }];
        let error = swap(&swaps, &at("attic")).unwrap_err();
        assert!(error.to_string().contains("two"), "{error}");
        assert_eq!(fs::read_to_string(at("one/f")).unwrap(), "old");
        assert_eq!(fs::read_to_string(at("two/f")).unwrap(), "old");
        assert_eq!(fs::read_to_string(at("new-1/f")).unwrap(), "new");
    }

    #[test]
    fn an_atomic_write_leaves_no_temporary_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/ledger.json");
        write_atomically(&path, b"1").unwrap();
        write_atomically(&path, b"2").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"2");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
