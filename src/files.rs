//! The files of a project, as far as checking needs to know them.

use std::path::{Path, PathBuf};

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A file.
    File,
    /// A folder.
    Directory,
    /// Something outside of the project, by way of a link.
    Outside,
    /// A pipe, a socket or a device.
    Special,
}

/// The outside world of a check. Paths are relative to the project.
pub trait Files {
    /// What the path leads to; `None` when there is nothing.
    fn kind(&self, path: &Path) -> Option<FileKind>;

    /// The text of a file.
    ///
    /// # Errors
    /// Why it cannot be read, as a lower-case fragment.
    fn read(&self, path: &Path) -> Result<String, String>;

    /// The names in a folder, for "did you mean".
    fn list(&self, path: &Path) -> Vec<String>;
}

/// The files on disk under a project's folder.
#[derive(Debug, Clone)]
pub struct Disk {
    root: PathBuf,
}

impl Disk {
    /// The project at `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: std::fs::canonicalize(root).unwrap_or_else(|_| root.to_owned()) }
    }
}

/// The largest SQL file that is read, in bytes: Athena's own limit for a query string.
const MAX_SQL_BYTES: u64 = 262_144;

impl Files for Disk {
    fn kind(&self, path: &Path) -> Option<FileKind> {
        let real = std::fs::canonicalize(self.root.join(path)).ok()?;
        Some(match real.starts_with(&self.root) {
            false => FileKind::Outside,
            true if real.is_dir() => FileKind::Directory,
            true if real.is_file() => FileKind::File,
            true => FileKind::Special,
        })
    }

    fn read(&self, path: &Path) -> Result<String, String> {
        let path = self.root.join(path);
        let size = std::fs::metadata(&path).map_err(|error| error.to_string())?.len();
        if size > MAX_SQL_BYTES {
            return Err(format!("it has {size} bytes, more than the {MAX_SQL_BYTES} that Athena takes"));
        }
        let bytes = std::fs::read(&path).map_err(|error| error.to_string())?;
        String::from_utf8(bytes).map_err(|_| "it is not UTF-8".into())
    }

    fn list(&self, path: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(self.root.join(path)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }
}
