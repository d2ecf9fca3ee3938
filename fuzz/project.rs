//! What every target does with a text: read it as a blueprint, and hold `check` and `lower` to their promises.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use lakegen::assembly::Assets;
use lakegen::cfn::Format;
use lakegen::check::check;
use lakegen::files::{FileKind, Files};
use lakegen::lower::lower;
use lakegen::placement::{Lock, Placement};
use lakegen::source::Source;
use nix::time::{ClockId, clock_gettime};

/// The files that the seeds name, so that what they say is a whole lake.
const FILES: [&str; 15] = [
    "again.py",
    "directory/handler.py",
    "functions/recommend/handler.py",
    "glue-jobs/histories.py",
    "glue-jobs/products.py",
    "glue-jobs/serving_items.py",
    "glue-jobs/shop/__init__.py",
    "glue-jobs/training_set.py",
    "job.py",
    "jobs/features.py",
    "jobs/helper.py",
    "jobs/lib/shared.py",
    "lambdas/recommend/candidates.py",
    "lambdas/recommend/handler.py",
    "query.sql",
];
/// The folders whose content a model needs.
const MODELS: [&str; 3] = ["directory", "models/taste", "sagemaker/rank"];
/// How long one text may keep a processor busy.
const LIMIT: Duration = Duration::from_secs(1);

struct Project {
    root: tempfile::TempDir,
    files: Vec<PathBuf>,
}

impl Project {
    /// One project for the whole run: assets are read from its folder.
    fn get() -> &'static Self {
        static PROJECT: OnceLock<Project> = OnceLock::new();
        PROJECT.get_or_init(|| {
            let root = tempfile::tempdir().expect("a folder for the project");
            let models =
                MODELS.iter().flat_map(|folder| ["train.py", "inference.py"].map(|file| format!("{folder}/{file}")));
            let files: Vec<PathBuf> = FILES.iter().map(PathBuf::from).chain(models.map(PathBuf::from)).collect();
            for file in &files {
                let path = root.path().join(file);
                std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder of the project");
                std::fs::write(path, "select 1 as id").expect("a file of the project");
            }
            Project { root, files }
        })
    }
}

impl Files for Project {
    fn kind(&self, path: &Path) -> Option<FileKind> {
        let file = self.files.iter().any(|file| file == path).then_some(FileKind::File);
        file.or_else(|| self.files.iter().any(|file| file.starts_with(path)).then_some(FileKind::Directory))
    }

    fn read(&self, _: &Path) -> Result<String, String> {
        Ok("select 1 as id".into())
    }

    fn list(&self, _: &Path) -> Vec<String> {
        self.files.iter().map(|file| file.display().to_string()).collect()
    }
}

/// A text ends in a lake or in errors, within a second; a lake can be lowered for each of its environments and written in
/// both formats.
pub fn hold(text: &str) {
    let project = Project::get();
    let before = busy();
    let source = Source { name: "lake.yaml".into(), text: text.into() };
    let (lake, diagnostics) = check(source, project.root.path(), project);
    assert_eq!(lake.is_some(), diagnostics.errors() == 0, "a lake, or errors");
    assert_eq!(diagnostics.render(false).is_empty(), diagnostics.list.is_empty());
    assert_eq!(diagnostics.records().len(), diagnostics.list.len());
    let checked = busy() - before;
    assert!(checked < LIMIT, "check was busy for {checked:?}");
    let Some(lake) = lake else { return };
    // A path such as `.` may stand for more than an asset may hold, which is an error of its own.
    for (lake, environment) in lake.copies() {
        let Ok(assets) = Assets::collect(lake) else { return };
        let placement = Placement::of(lake, &Lock::default());
        for format in [Format::Yaml, Format::Json] {
            let assembly = lower(lake, environment, &assets, &placement, format);
            assert!(assembly.stacks.iter().all(|stack| !stack.template.text.is_empty()));
        }
    }
    let lowered = busy() - before;
    assert!(lowered < LIMIT * 2, "check and lower were busy for {lowered:?}");
}

/// How long this thread has used a processor: other programs' work does not count.
fn busy() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock").into()
}
