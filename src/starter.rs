//! Starters: whole projects that are built in, and how one comes to disk.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use handlebars::Handlebars;
use include_dir::{Dir, include_dir};

use crate::cli::Starter;
use crate::diagnostic::listed;
use crate::schema::schema_text;

static COMMON: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/starter/common");
static MINIMAL: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/starter/minimal");
static BIKES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/starter/bikes");
static INSTACART: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/starter/instacart");
static GLUE_JOBS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/glue-jobs");
static SAGEMAKER: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/sagemaker");
static LAMBDAS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/lambdas/recommend");
const INSTACART_BLUEPRINT: &str = include_str!("../blueprints/instacart.yaml");

/// Where a project keeps its blueprint.
const BLUEPRINT: &str = "blueprints/lake.yaml";
/// Where editors find the language of blueprints; the first line of each starter names it.
const SCHEMA: &str = "blueprints/schema.json";

/// A file of a new project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where it goes, relative to the project's folder.
    pub path: PathBuf,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// Why a project was not written; nothing of it is left behind.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Things that would have to be overwritten, relative to the folder.
    #[error("{} in the way in `{}`: {}", if paths.len() == 1 { "a file is" } else { "files are" }, directory.display(), listed(paths))]
    InTheWay {
        /// The folder.
        directory: PathBuf,
        /// What is there, sorted.
        paths: Vec<String>,
    },
    /// The place of the project is not a folder.
    #[error("`{}` is not a folder", .0.display())]
    NotADirectory(PathBuf),
    /// The folder cannot be used.
    #[error("cannot write into `{}`", directory.display())]
    Write {
        /// The folder.
        directory: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A built-in text has a mistake.
    #[error("a built-in starter is broken")]
    Template(#[from] Box<handlebars::RenderError>),
}

impl Error {
    /// One line: what to do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::InTheWay { .. } => "nothing was written; choose another folder, or move these away",
            Self::NotADirectory(_) => "choose another folder",
            Self::Write { .. } => "check the folder's permissions and the free space; nothing was written",
            Self::Template(_) => "this is a bug of lakegen: please report it",
        }
    }
}

/// The text as the name of a lake: lower-case letters, digits, `-` and `_`, at most 20, beginning with a letter.
/// `None` when nothing is left of it. A name that is valid stays as it is.
#[must_use]
pub fn lake_name(text: &str) -> Option<String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    let lower = text.chars().map(|c| c.to_ascii_lowercase()).map(|c| if fits(c) { c } else { '-' });
    let name: String = lower.skip_while(|c| !c.is_ascii_lowercase()).take(20).collect();
    let name = name.trim_end_matches(['-', '_']);
    (!name.is_empty()).then(|| name.to_owned())
}

/// The reference lake without the repository that it is deployed from, which is nobody else's.
fn without_github(blueprint: &str) -> String {
    let section = blueprint.find("\ngithub:\n");
    // Its comment is above it, and an empty line after it.
    let begin = section.and_then(|at| blueprint[..at].rfind("\n\n")).map(|at| at + 1);
    let end = section.and_then(|at| Some(at + 1 + blueprint[at + 1..].find("\n\n")? + 1));
    match (begin, end) {
        (Some(begin), Some(end)) => format!("{}{}", &blueprint[..begin], &blueprint[end..]),
        _ => blueprint.to_owned(),
    }
}

/// The files of a starter, sorted by path; `name` is a valid name of a lake.
///
/// # Errors
/// [`Error::Template`] only.
pub fn files(starter: Starter, name: &str) -> Result<Vec<File>, Error> {
    let mut files = rendered(&COMMON, name)?;
    files.push(File { path: SCHEMA.into(), bytes: (schema_text() + "\n").into_bytes() });
    match starter {
        Starter::Minimal => files.extend(rendered(&MINIMAL, name)?),
        Starter::Bikes => files.extend(rendered(&BIKES, name)?),
        Starter::Instacart => {
            files.extend(rendered(&INSTACART, name)?);
            let named = format!("\nname: {}\n", scalar(name));
            let blueprint = without_github(INSTACART_BLUEPRINT).replacen("\nname: instacart\n", &named, 1);
            files.push(File { path: BLUEPRINT.into(), bytes: blueprint.into_bytes() });
            for (folder, dir) in [("glue-jobs", &GLUE_JOBS), ("sagemaker", &SAGEMAKER), ("lambdas/recommend", &LAMBDAS)]
            {
                let inside = sources(dir).into_iter();
                files.extend(
                    inside.map(|(path, bytes)| File { path: Path::new(folder).join(path), bytes: bytes.into() }),
                );
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// The name as text in YAML, where some words would be something else.
fn scalar(name: &str) -> String {
    match name {
        "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n" => format!("\"{name}\""),
        _ => name.to_owned(),
    }
}

/// The files of a folder with `*.hbs` filled in; `gitignore` gets its dot, which would be obeyed in this repository.
fn rendered(dir: &'static Dir<'static>, name: &str) -> Result<Vec<File>, Error> {
    let mut templates = Handlebars::new();
    templates.set_strict_mode(true);
    templates.register_escape_fn(handlebars::no_escape);
    let values = serde_json::json!({ "name": name, "scalar": scalar(name) });
    let mut files = Vec::new();
    for (path, bytes) in sources(dir) {
        if path.extension() != Some(OsStr::new("hbs")) {
            files.push(File { path: path.into(), bytes: bytes.into() });
            continue;
        }
        let text = templates.render_template(&String::from_utf8_lossy(bytes), &values).map_err(Box::new)?;
        let path = path.with_extension("");
        let path = if path == Path::new("gitignore") { ".gitignore".into() } else { path };
        files.push(File { path, bytes: text.into_bytes() });
    }
    Ok(files)
}

/// Every file under a folder, but for what Python and editors leave there.
fn sources(dir: &'static Dir<'static>) -> Vec<(&'static Path, &'static [u8])> {
    let mut found = Vec::new();
    let mut open = vec![dir];
    while let Some(dir) = open.pop() {
        open.extend(dir.dirs());
        found.extend(dir.files().map(|file| (file.path(), file.contents())));
    }
    let left_over = |part: Component<'_>| {
        let part = part.as_os_str().to_string_lossy();
        part.starts_with('.') || part == "__pycache__" || part.ends_with(".pyc")
    };
    found.retain(|(path, _)| !path.components().any(left_over));
    found
}

/// Writes a project: all of it or nothing, and over nothing that is there.
///
/// # Errors
/// Why nothing was written.
pub fn write(files: &[File], directory: &Path) -> Result<(), Error> {
    match fs::metadata(directory) {
        Ok(metadata) if !metadata.is_dir() => return Err(Error::NotADirectory(directory.into())),
        Ok(_) => {
            in_the_way(files, directory)?;
            write_into(files, directory)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => write_new(files, directory),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(Error::NotADirectory(directory.into()));
        }
        Err(error) => Err(error),
    }
    .map_err(|source| Error::Write { directory: directory.into(), source })
}

/// Lists what would be overwritten; another blueprint counts, because a project has only one.
fn in_the_way(files: &[File], directory: &Path) -> Result<(), Error> {
    let mut paths = BTreeSet::new();
    for File { path, .. } in files {
        let mut at = PathBuf::new();
        for part in path.components() {
            at.push(part);
            let Ok(found) = fs::symlink_metadata(directory.join(&at)) else { break };
            if at == *path || !found.is_dir() {
                paths.insert(at.display().to_string());
                break;
            }
        }
    }
    for entry in fs::read_dir(directory.join("blueprints")).into_iter().flatten().flatten() {
        let path = Path::new("blueprints").join(entry.file_name());
        if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            paths.insert(path.display().to_string());
        }
    }
    if paths.is_empty() {
        return Ok(());
    }
    Err(Error::InTheWay { directory: directory.into(), paths: paths.into_iter().collect() })
}

/// Writes everything beside the folder's place, and then gives it its name.
fn write_new(files: &[File], directory: &Path) -> io::Result<()> {
    let parent = match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent)?;
    let stage = tempfile::Builder::new().prefix(".lakegen-init-").tempdir_in(parent)?;
    let project = stage.path().join("project");
    fs::create_dir(&project)?;
    stage_files(files, &project)?;
    fs::rename(project, directory)
}

/// Writes everything into a folder of its own first, so that a full disk is noticed before anything is in its place.
fn write_into(files: &[File], directory: &Path) -> io::Result<()> {
    let stage = tempfile::Builder::new().prefix(".lakegen-init-").tempdir_in(directory)?;
    stage_files(files, stage.path())?;
    let mut made = Made::default();
    let moved = made.move_files(files, stage.path(), directory);
    if moved.is_err() {
        made.undo();
    }
    moved
}

fn stage_files(files: &[File], stage: &Path) -> io::Result<()> {
    for File { path, bytes } in files {
        let target = stage.join(path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(target, bytes)?;
    }
    Ok(())
}

/// What has been made so far.
#[derive(Default)]
struct Made {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

impl Made {
    fn move_files(&mut self, files: &[File], stage: &Path, directory: &Path) -> io::Result<()> {
        for File { path, .. } in files {
            let mut folder = directory.to_owned();
            for part in path.parent().into_iter().flat_map(Path::components) {
                folder.push(part);
                match fs::create_dir(&folder) {
                    Ok(()) => self.folders.push(folder.clone()),
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    Err(error) => return Err(error),
                }
            }
            let target = directory.join(path);
            // A link is refused where something is by now, a rename would replace it; but not every disk knows links.
            match fs::hard_link(stage.join(path), &target) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => fs::rename(stage.join(path), &target)?,
                linked => linked?,
            }
            self.files.push(target);
        }
        Ok(())
    }

    /// Errors are no news here: the first one is being reported.
    fn undo(&self) {
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
        for folder in self.folders.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}
