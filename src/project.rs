//! A project on disk: its folder and its blueprint.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::check;
use crate::diagnostic::Diagnostics;
use crate::files::Disk;
use crate::lake::Lake;
use crate::placement::{Lock, LockError, Placement};
use crate::source::{self, MAX_BYTES, Source};

/// Why there is no blueprint to read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No file was named and none is where it is looked for.
    #[error("there is no blueprint here: `{}` holds no `.yaml` file", .0.display())]
    None(PathBuf),
    /// No file was named and there are several.
    #[error("there are several blueprints: {}", crate::diagnostic::listed(.0))]
    Several(Vec<String>),
    /// The file cannot be read.
    #[error("`{}` cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder, a pipe or a device.
    #[error("`{}` is not a file", .0.display())]
    NotAFile(PathBuf),
    /// The file is not UTF-8.
    #[error("`{}` is not UTF-8: byte {offset} (line {line}) is part of no character", path.display())]
    Encoding {
        /// The file.
        path: PathBuf,
        /// The first bad byte.
        offset: usize,
        /// Its line, from 1.
        line: usize,
    },
    /// The lock file of places cannot be followed.
    #[error("`{}` cannot be followed: {source}", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// Why.
        source: LockError,
    },
    /// The lock file of places cannot be written.
    #[error("`{}` cannot be written", path.display())]
    WriteLock {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is larger than any blueprint.
    #[error("`{}` has {size} bytes, more than the {MAX_BYTES} that are read", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
    },
}

impl Error {
    /// One line: what to do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::None(_) => "`lakegen init` writes a project; `--blueprint FILE` names a file elsewhere",
            Self::Several(_) => "choose one with `--blueprint FILE`",
            Self::Read { .. } => "check the path and its permissions",
            Self::NotAFile(_) => "name the blueprint itself",
            Self::Encoding { .. } => "save the file as UTF-8",
            Self::Lock { source, .. } => source.help(),
            Self::WriteLock { .. } => "check the folder, its permissions and the free space",
            Self::TooLarge { .. } => "split the lake",
        }
    }
}

/// A project on disk.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder that the blueprint's paths start from.
    pub root: PathBuf,
    /// The blueprint's path.
    pub path: PathBuf,
    /// The blueprint's text.
    pub source: Source,
}

impl Project {
    /// Finds and reads the blueprint: the named file, or the only one in `blueprints/` under `directory`.
    ///
    /// # Errors
    /// There is no such file, or it is not text.
    pub fn open(blueprint: Option<&Path>, directory: &Path) -> Result<Self, Error> {
        let path = match blueprint {
            Some(path) => path.to_owned(),
            None => only_blueprint(&directory.join("blueprints"))?,
        };
        let read = |source| Error::Read { path: path.clone(), source };
        let metadata = std::fs::metadata(&path).map_err(read)?;
        if !metadata.is_file() {
            return Err(Error::NotAFile(path));
        }
        if metadata.len() > MAX_BYTES as u64 {
            return Err(Error::TooLarge { path, size: metadata.len() });
        }
        let bytes = std::fs::read(&path).map_err(read)?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let offset = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count() + 1;
            Error::Encoding { path: path.clone(), offset, line }
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text).into();
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let inside = std::fs::canonicalize(&folder).is_ok_and(|folder| folder.ends_with("blueprints"));
        let root = if inside { folder.join("..") } else { folder };
        let root = std::fs::canonicalize(&root).unwrap_or(root);
        let shown = path.strip_prefix(directory).unwrap_or(&path).display().to_string();
        Ok(Self { root, path, source: Source { name: shown, text } })
    }

    /// Checks the blueprint against the files of the project.
    #[must_use]
    pub fn check(&self) -> (Option<Lake>, Diagnostics) {
        check::check(self.source.clone(), &self.root, &Disk::new(&self.root))
    }

    /// Where something is written: `blueprints/lake.yaml:42`.
    #[must_use]
    pub fn place(&self, section: &str, name: Option<&str>) -> Option<String> {
        let node = source::parse(&self.source.text).ok()?;
        let (key, inside) = source::entry(&node, section)?;
        let key = match name {
            Some(name) => source::entry(inside, name)?.0,
            None => key,
        };
        let line = self.source.text.get(..key.span.range(&self.source.text).start)?.matches('\n').count() + 1;
        Some(format!("{}:{line}", self.source.name))
    }

    /// Which stack each thing of a lake is in: where the lock file beside the blueprint (`<blueprint>.lock`) remembers it to be, or the
    /// first with room.
    ///
    /// # Errors
    /// The lock file cannot be read or followed.
    pub fn places<'a>(&self, lake: &'a Lake) -> Result<Places<'a>, Error> {
        let path = self.path.with_extension("lock");
        let known = match std::fs::read_to_string(&path) {
            Ok(text) => Lock::parse(&text, &lake.name),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Lock::default()),
            Err(source) => return Err(Error::Read { path, source }),
        };
        match known {
            Ok(known) => Ok(Places { placement: Placement::of(lake, &known), lake, path, known }),
            Err(source) => Err(Error::Lock { path, source }),
        }
    }
}

/// Which stack each thing of a lake and of its copies is in.
#[derive(Debug)]
pub struct Places<'a> {
    lake: &'a Lake,
    placement: Placement,
    path: PathBuf,
    known: Lock,
}

impl Places<'_> {
    /// The places in a copy of the lake: the lake's own, or for what only the copy has the remembered one or the first with room.
    ///
    /// # Errors
    /// The lock file puts more into a stack than CloudFormation takes.
    pub fn of(&self, copy: &Lake) -> Result<Cow<'_, Placement>, Error> {
        let placement = if std::ptr::eq(self.lake, copy) {
            Cow::Borrowed(&self.placement)
        } else {
            Cow::Owned(Placement::of(copy, &self.placement.lock(self.lake).or(self.known.clone())))
        };
        if let Some((part, number)) = placement.overfull() {
            return Err(Error::Lock { path: self.path.clone(), source: LockError::Full { part, number } });
        }
        Ok(placement)
    }

    /// Remembers the places of the lake and of its copies, when they are many enough to matter and others than before. True if the
    /// file was written.
    ///
    /// # Errors
    /// The lock file cannot be written.
    pub fn remember(&self) -> Result<bool, Error> {
        if !self.placement.needs_lock() && self.known == Lock::default() {
            return Ok(false);
        }
        let mut lock = self.placement.lock(self.lake);
        for (copy, _) in self.lake.copies().filter(|(copy, _)| !std::ptr::eq(*copy, self.lake)) {
            let both = lock.clone().or(self.known.clone());
            lock = lock.or(Placement::of(copy, &both).lock(copy));
        }
        if self.known == lock {
            return Ok(false);
        }
        let failed = |source| Error::WriteLock { path: self.path.clone(), source };
        std::fs::write(&self.path, lock.render()).map_err(failed)?;
        Ok(true)
    }
}

fn only_blueprint(folder: &Path) -> Result<PathBuf, Error> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let yaml = |path: &PathBuf| path.extension().is_some_and(|e| e == "yaml" || e == "yml") && path.is_file();
    let mut found: Vec<PathBuf> = entries.filter(yaml).collect();
    found.sort();
    match found.len() {
        0 => Err(Error::None(folder.to_owned())),
        1 => Ok(found.remove(0)),
        _ => {
            let names = found.iter().filter_map(|path| path.file_name()?.to_str().map(str::to_owned));
            Err(Error::Several(names.collect()))
        }
    }
}
