//! Assets: the project's files that AWS runs, packed so that the same files make the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};

use crate::lake::{Function, Id, Job, Lake, Model, Script};
use crate::visual;

/// The most that one asset may hold, unpacked: what Lambda takes (262,144,000 bytes).
const MAX_BYTES: usize = 262_144_000;
/// The most files that one asset may hold.
const MAX_FILES: usize = 10_000;
/// How deep folders may lie in each other.
const MAX_DEPTH: usize = 32;

/// An asset's path in the assembly, which is also its key in the asset bucket: `assets/<sha256>.<ending>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AssetPath(String);

impl AssetPath {
    /// The path as a text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AssetPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A script or an archive.
#[derive(Clone, Debug)]
pub struct Asset {
    /// Where it goes
    pub path: AssetPath,
    /// The hash of its content, 64 hexadecimal digits
    pub sha256: String,
    /// Its content
    pub content: Arc<[u8]>,
    /// What of the project it was made of
    pub sources: BTreeSet<String>,
}

/// The assets of a Glue job.
#[derive(Clone, Debug)]
pub struct JobAssets {
    /// The script
    pub script: AssetPath,
    /// One archive per helper module or package, for `--extra-py-files`
    pub modules: Vec<AssetPath>,
}

/// All assets of a lake, each content once, and which thing uses which.
#[derive(Clone, Debug, Default)]
pub struct Assets {
    assets: BTreeMap<AssetPath, Asset>,
    jobs: Vec<JobAssets>,
    functions: Vec<AssetPath>,
    models: Vec<AssetPath>,
    advance: Option<AssetPath>,
    release: Option<AssetPath>,
}

/// The function that advances runs.
static ADVANCE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/lambdas/advance");

/// The function that releases models.
static RELEASE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/lambdas/release");

/// Why a file of the project cannot become an asset.
#[derive(Debug, thiserror::Error)]
pub enum AssetError {
    /// The file system said no.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file or folder
        path: PathBuf,
        /// What the system said
        source: io::Error,
    },
    /// A symbolic link, or a path, leads out of the project.
    #[error("`{}` leads out of the project", .0.display())]
    Outside(PathBuf),
    /// Neither a file nor a folder: a pipe, a socket, a device.
    #[error("`{}` is neither a file nor a folder", .0.display())]
    Special(PathBuf),
    /// Symbolic links in a circle, or very deep folders.
    #[error("`{}` lies more than {MAX_DEPTH} folders deep", .0.display())]
    TooDeep(PathBuf),
    /// More than an asset may hold.
    #[error("`{}` holds more than {MAX_BYTES} bytes or {MAX_FILES} files", .0.display())]
    TooLarge(PathBuf),
    /// A name that is not UTF-8.
    #[error("the name of `{}` is not UTF-8", .0.display())]
    Name(PathBuf),
    /// An archive could not be put together.
    #[error("cannot pack `{}`", path.display())]
    Pack {
        /// The folder
        path: PathBuf,
        /// What went wrong
        source: io::Error,
    },
}

impl Assets {
    /// Reads and packs everything that the lake's jobs, functions and models name.
    pub fn collect(lake: &Lake) -> Result<Self, AssetError> {
        let root = std::fs::canonicalize(&lake.root).map_err(read_error(&lake.root))?;
        let mut collector = Collector { root, assets: BTreeMap::new(), known: BTreeMap::new() };
        let mut jobs = Vec::with_capacity(lake.jobs.len());
        for job in lake.jobs.values() {
            let script = match &job.script {
                Script::File(path) => collector.asset(path, Form::Script)?,
                Script::Visual(graph) => {
                    collector.generated(&job.name, visual::script(lake, &job.name, graph).into_bytes())
                }
            };
            let modules =
                job.modules.iter().map(|module| collector.asset(module, Form::Module)).collect::<Result<_, _>>()?;
            jobs.push(JobAssets { script, modules });
        }
        let functions = lake.functions.values().map(|function| collector.asset(&function.source, Form::Zip));
        let functions = functions.collect::<Result<_, _>>()?;
        let models = lake.models.values().map(|model| collector.asset(&model.source, Form::TarGz));
        let models = models.collect::<Result<_, _>>()?;
        let advance = (!lake.steps.is_empty()).then(|| collector.own("lambdas/advance", &ADVANCE)).transpose()?;
        let releases = lake.models.values().any(|model| model.endpoint.is_some());
        let release = releases.then(|| collector.own("lambdas/release", &RELEASE)).transpose()?;
        Ok(Self { assets: collector.assets, jobs, functions, models, advance, release })
    }

    /// Adds a text that lakegen writes itself; `source` says what it is.
    pub(crate) fn text(&mut self, source: &str, content: String, ending: &str) -> AssetPath {
        keep(&mut self.assets, source.into(), content.into_bytes(), ending)
    }

    /// Every asset, sorted by path.
    pub fn iter(&self) -> impl Iterator<Item = &Asset> {
        self.assets.values()
    }

    /// The assets of a job of the lake that these were collected for.
    pub fn job(&self, id: Id<Job>) -> &JobAssets {
        &self.jobs[id.index()]
    }

    /// The code of a function of the lake that these were collected for.
    pub fn function(&self, id: Id<Function>) -> &AssetPath {
        &self.functions[id.index()]
    }

    /// The code of the function that advances runs, if the lake has steps.
    pub fn advance(&self) -> Option<&AssetPath> {
        self.advance.as_ref()
    }

    /// The code of the function that releases models; none where no model has an endpoint.
    pub fn release(&self) -> Option<&AssetPath> {
        self.release.as_ref()
    }

    /// The source archive of a model of the lake that these were collected for.
    pub fn model(&self, id: Id<Model>) -> &AssetPath {
        &self.models[id.index()]
    }
}

/// What becomes of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    /// The file as it is
    Script,
    /// A zip on Python's path: a module or a package under its own name, a plain folder's content at the top
    Module,
    /// A zip of the folder's content
    Zip,
    /// A tar.gz of the folder's content
    TarGz,
}

/// A file to pack: its name inside the archive, and its content.
type Entry = (String, Vec<u8>);

struct Collector {
    root: PathBuf,
    assets: BTreeMap<AssetPath, Asset>,
    known: BTreeMap<(PathBuf, Form), AssetPath>,
}

impl Collector {
    fn asset(&mut self, path: &Path, form: Form) -> Result<AssetPath, AssetError> {
        let key = (path.to_owned(), form);
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let full = self.root.join(path);
        let packing = |source| AssetError::Pack { path: path.to_owned(), source };
        let (content, ending) = match form {
            Form::Script => (self.file(&full)?, "py"),
            Form::Module => (zip(&self.module(&full)?).map_err(packing)?, "zip"),
            Form::Zip => (zip(&self.folder(&full, "")?).map_err(packing)?, "zip"),
            Form::TarGz => (tar_gz(&self.folder(&full, "")?).map_err(packing)?, "tar.gz"),
        };
        let asset_path = self.keep(path.display().to_string(), content, ending);
        self.known.insert(key, asset_path.clone());
        Ok(asset_path)
    }

    /// A script that lakegen writes itself, for the job `name`.
    fn generated(&mut self, name: &str, content: Vec<u8>) -> AssetPath {
        self.keep(format!("nodes of {name}"), content, "py")
    }

    /// A function of lakegen's own; its modules lie side by side.
    fn own(&mut self, name: &str, dir: &Dir) -> Result<AssetPath, AssetError> {
        let modules = dir.files().filter(|file| file.path().extension().is_some_and(|ending| ending == "py"));
        let mut entries: Vec<Entry> =
            modules.map(|file| (file.path().display().to_string(), file.contents().to_vec())).collect();
        entries.sort();
        let content = zip(&entries).map_err(|source| AssetError::Pack { path: name.into(), source })?;
        Ok(self.keep(name.to_owned(), content, "zip"))
    }

    fn keep(&mut self, source: String, content: Vec<u8>, ending: &str) -> AssetPath {
        keep(&mut self.assets, source, content, ending)
    }

    /// The entries of a helper module: what `import` then finds.
    fn module(&self, path: &Path) -> Result<Vec<Entry>, AssetError> {
        let name = || utf8(path.file_name().unwrap_or_default(), path);
        if !self.inside(path)?.is_dir() {
            return Ok(vec![(name()?, self.file(path)?)]);
        }
        let prefix = if path.join("__init__.py").exists() { format!("{}/", name()?) } else { String::new() };
        self.folder(path, &prefix)
    }

    fn file(&self, path: &Path) -> Result<Vec<u8>, AssetError> {
        let real = self.inside(path)?;
        let metadata = std::fs::metadata(&real).map_err(read_error(path))?;
        if !metadata.is_file() {
            return Err(AssetError::Special(path.to_owned()));
        }
        if usize::try_from(metadata.len()).is_ok_and(|bytes| bytes > MAX_BYTES) {
            return Err(AssetError::TooLarge(path.to_owned()));
        }
        std::fs::read(&real).map_err(read_error(path))
    }

    /// Every file below `folder` except caches and hidden ones, sorted by name.
    fn folder(&self, folder: &Path, prefix: &str) -> Result<Vec<Entry>, AssetError> {
        let mut entries = Vec::new();
        let mut bytes = 0;
        self.walk(folder, prefix, 0, &mut |path, name| {
            let content = self.file(path)?;
            bytes += content.len();
            entries.push((name, content));
            if bytes > MAX_BYTES || entries.len() > MAX_FILES {
                Err(AssetError::TooLarge(folder.to_owned()))
            } else {
                Ok(())
            }
        })?;
        entries.sort();
        Ok(entries)
    }

    fn walk(
        &self,
        folder: &Path,
        prefix: &str,
        depth: usize,
        found: &mut impl FnMut(&Path, String) -> Result<(), AssetError>,
    ) -> Result<(), AssetError> {
        if depth > MAX_DEPTH {
            return Err(AssetError::TooDeep(folder.to_owned()));
        }
        let real = self.inside(folder)?;
        for entry in std::fs::read_dir(&real).map_err(read_error(folder))? {
            let path = folder.join(entry.map_err(read_error(folder))?.file_name());
            let name = utf8(path.file_name().unwrap_or_default(), &path)?;
            if name.starts_with('.') || name == "__pycache__" || name.ends_with(".pyc") {
                continue;
            }
            let real = self.inside(&path)?;
            if real.is_dir() {
                self.walk(&path, &format!("{prefix}{name}/"), depth + 1, found)?;
            } else {
                found(&path, format!("{prefix}{name}"))?;
            }
        }
        Ok(())
    }

    /// Where `path` really is, which must be inside the project.
    fn inside(&self, path: &Path) -> Result<PathBuf, AssetError> {
        let real = std::fs::canonicalize(path).map_err(read_error(path))?;
        if real.starts_with(&self.root) { Ok(real) } else { Err(AssetError::Outside(path.to_owned())) }
    }
}

/// Keeps a content under the name that its hash gives it.
fn keep(assets: &mut BTreeMap<AssetPath, Asset>, source: String, content: Vec<u8>, ending: &str) -> AssetPath {
    let sha256 = hex(&Sha256::digest(&content));
    let path = AssetPath(format!("assets/{sha256}.{ending}"));
    let asset = Asset { path: path.clone(), sha256, content: content.into(), sources: BTreeSet::new() };
    assets.entry(path.clone()).or_insert(asset).sources.insert(source);
    path
}

fn read_error(path: &Path) -> impl FnOnce(io::Error) -> AssetError {
    let path = path.to_owned();
    move |source| AssetError::Read { path, source }
}

fn utf8(name: &std::ffi::OsStr, path: &Path) -> Result<String, AssetError> {
    name.to_str().map(str::to_owned).ok_or_else(|| AssetError::Name(path.to_owned()))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Readable by everybody, as Lambda asks of the files of a function.
const MODE: u32 = 0o644;

fn zip(entries: &[Entry]) -> io::Result<Vec<u8>> {
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(MODE);
    let mut archive = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    for (name, content) in entries {
        archive.start_file(name.as_str(), options)?;
        archive.write_all(content)?;
    }
    Ok(archive.finish()?.into_inner())
}

fn tar_gz(entries: &[Entry]) -> io::Result<Vec<u8>> {
    let compressed = flate2::GzBuilder::new().mtime(0).write(Vec::new(), flate2::Compression::default());
    let mut archive = tar::Builder::new(compressed);
    for (name, content) in entries {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(MODE);
        header.set_mtime(0);
        archive.append_data(&mut header, name, content.as_slice())?;
    }
    archive.into_inner()?.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Project(tempfile::TempDir);

    impl Project {
        fn new(files: &[&str]) -> Self {
            let root = tempfile::tempdir().unwrap();
            for file in files {
                let path = root.path().join(file);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, format!("# {file}\n")).unwrap();
            }
            Self(root)
        }

        fn path(&self) -> &Path {
            self.0.path()
        }

        fn collector(&self) -> Collector {
            let root = std::fs::canonicalize(self.path()).unwrap();
            Collector { root, assets: BTreeMap::new(), known: BTreeMap::new() }
        }

        fn pack(&self, path: &str, form: Form) -> Result<Asset, AssetError> {
            let mut collector = self.collector();
            let path = collector.asset(Path::new(path), form)?;
            Ok(collector.assets[&path].clone())
        }
    }

    fn names(asset: &Asset) -> Vec<String> {
        let archive = zip::ZipArchive::new(io::Cursor::new(&asset.content)).unwrap();
        archive.file_names().map(|name| name.unwrap().into_owned()).collect()
    }

    #[test]
    fn the_same_files_make_the_same_bytes_whenever_they_were_written() {
        let files = ["f/handler.py", "f/lib/b.py", "f/lib/a.py", "f/a.txt"];
        let one = Project::new(&files);
        let mut reversed = files;
        reversed.reverse();
        let two = Project::new(&reversed);
        let past = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        std::fs::File::open(two.path().join("f/a.txt")).unwrap().set_modified(past).unwrap();
        for form in [Form::Zip, Form::TarGz] {
            assert_eq!(one.pack("f", form).unwrap().content, two.pack("f", form).unwrap().content);
        }
        assert_eq!(names(&one.pack("f", Form::Zip).unwrap()), ["a.txt", "handler.py", "lib/a.py", "lib/b.py"]);
    }

    #[test]
    fn caches_and_hidden_files_are_left_out() {
        let project = Project::new(&[
            "f/h.py",
            "f/.env",
            "f/.git/config",
            "f/__pycache__/h.cpython-311.pyc",
            "f/old.pyc",
            "f/d/.x",
        ]);
        assert_eq!(names(&project.pack("f", Form::Zip).unwrap()), ["h.py"]);
    }

    #[test]
    fn a_package_keeps_its_name_and_a_folder_does_not() {
        let project = Project::new(&["lib/helper.py", "lib/deep/x.py", "pack/__init__.py", "pack/m.py", "one.py"]);
        assert_eq!(names(&project.pack("lib", Form::Module).unwrap()), ["deep/x.py", "helper.py"]);
        assert_eq!(names(&project.pack("pack", Form::Module).unwrap()), ["pack/__init__.py", "pack/m.py"]);
        assert_eq!(names(&project.pack("one.py", Form::Module).unwrap()), ["one.py"]);
    }

    #[test]
    fn one_content_is_one_asset_with_all_its_sources() {
        let project = Project::new(&["a.py"]);
        std::fs::copy(project.path().join("a.py"), project.path().join("b.py")).unwrap();
        let mut collector = project.collector();
        let a = collector.asset(Path::new("a.py"), Form::Script).unwrap();
        let b = collector.asset(Path::new("b.py"), Form::Script).unwrap();
        assert_eq!(a, b);
        assert_eq!(collector.assets.len(), 1);
        assert_eq!(collector.assets[&a].sources.iter().collect::<Vec<_>>(), ["a.py", "b.py"]);
        assert_eq!(a.to_string(), format!("assets/{}.py", collector.assets[&a].sha256));
    }

    #[cfg(unix)]
    #[test]
    fn links_inside_the_project_are_followed_and_others_refused() {
        use std::os::unix::fs::symlink;
        let secrets = Project::new(&["secret.txt"]);
        let project = Project::new(&["f/h.py", "shared/s.py"]);
        symlink(project.path().join("shared"), project.path().join("f/shared")).unwrap();
        assert_eq!(names(&project.pack("f", Form::Zip).unwrap()), ["h.py", "shared/s.py"]);

        symlink(secrets.path().join("secret.txt"), project.path().join("f/note.txt")).unwrap();
        assert!(matches!(project.pack("f", Form::Zip), Err(AssetError::Outside(path)) if path.ends_with("f/note.txt")));
        assert!(matches!(project.pack("../", Form::Zip), Err(AssetError::Outside(_))));

        let circle = Project::new(&["f/h.py"]);
        symlink(circle.path().join("f"), circle.path().join("f/again")).unwrap();
        assert!(matches!(circle.pack("f", Form::Zip), Err(AssetError::TooDeep(_))));
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = Project::new(&[]).pack("jobs/x.py", Form::Script).unwrap_err();
        assert!(error.to_string().contains("jobs/x.py"), "{error}");
    }
}
