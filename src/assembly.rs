//! The assembly: what a lake comes to for one environment, as plain files.
//!
//! ```text
//! DIR/manifest.json                     what there is and how it fits together: see `Manifest`
//! DIR/<lake>-<environment>-<stack>.yaml one template per stack, in order of deployment
//! DIR/openapi.json                      the document of the API, when the lake has one
//! DIR/assets/<sha256>.<ending>          scripts and archives, named by their content
//! ```

mod assets;
mod manifest;

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rayon::prelude::*;
use tempfile::TempDir;

pub use self::assets::{Asset, AssetError, AssetPath, Assets, JobAssets};
pub use self::manifest::{
    AssetEntry, Channel, Gate, MANIFEST_VERSION, Manifest, MetricDefinition, OutputRef, S3Place, StackEntry, Training,
};
use crate::cfn::iam::Role;
use crate::cfn::{Arn, Format, LogicalId, Output, Rendered, Template, Value};

/// Everything lakegen writes for one environment: the texts of its templates, or what is left of them once they are written.
#[derive(Clone, Debug)]
pub struct Assembly<T = String> {
    /// The lake's name
    pub lake: String,
    /// The environment's name
    pub environment: String,
    /// What it has to do with the stack by which it is deployed from GitHub
    pub access: Access,
    /// The ARN of the role with which CloudFormation works on stacks that have none of their own, if whoever deploys names one
    pub service_role: Option<String>,
    /// The environment's region
    pub region: String,
    /// The account it must be deployed to, if the blueprint says so
    pub account: Option<String>,
    /// Whether its data must outlive its stacks
    pub protected: bool,
    /// The stacks, each after those it depends on
    pub stacks: Vec<RenderedStack<T>>,
    /// How the name of the bucket for assets begins; `-<account>-<region>-assets` follows
    pub bucket_prefix: String,
    /// The scripts and archives that the stacks speak of
    pub assets: Assets,
    /// What training needs to know, by model
    pub training: Vec<(String, Training)>,
    /// The document of the API, if there is one
    pub openapi: Option<String>,
}

/// What an assembly has to do with the `access` stack of its environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing: the lake is not deployed from GitHub
    None,
    /// Its roles carry the boundary that the stack of this name holds
    Within(String),
    /// It is that stack, and not the lake
    Itself,
}

/// A template, and what whoever deploys it must know.
#[derive(Clone, Debug)]
pub struct StackTemplate<T = Template> {
    /// The stack's name: `<lake>-<environment>-<stack>`
    pub name: String,
    /// What is created
    pub template: T,
    /// Where the values of the template's parameters come from
    pub parameters: Vec<StackParameter>,
    /// Names of the stacks that must be there before
    pub depends_on: Vec<String>,
    /// Buckets among its resources that were there before the lake
    pub adopted: Vec<Adopted>,
    /// The ARN of the role with which CloudFormation works on it; whoever deploys lends their own rights if there is none
    pub role: Option<OutputRef>,
    /// What of the blueprint the resources come from: from which resource on, counted from 0
    origins: Vec<(usize, Option<Origin>)>,
}

/// A stack whose template is text: nothing can be added to it any more.
pub type RenderedStack<T = String> = StackTemplate<Rendered<T>>;

/// What of the blueprint a resource comes from: a section, and a name in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The section, such as `jobs`
    pub section: &'static str,
    /// The name in it; none for a section that is one thing
    pub name: Option<String>,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(formatter, "{}.{name}", self.section),
            None => formatter.write_str(self.section),
        }
    }
}

/// A bucket that was there before the lake.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Adopted {
    /// Its id in the template
    pub id: String,
    /// Its name
    pub bucket: String,
}

/// A parameter of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackParameter {
    /// Its name in the template
    pub name: String,
    /// Where its value comes from
    pub source: Source,
}

/// Where the value of a parameter comes from.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// An output of another stack
    Output(OutputRef),
    /// The name of the bucket to which whoever deploys uploaded the assets
    AssetBucket,
    /// Nobody who deploys: a new stack takes the template's default, and every later deploy keeps the value that is there
    Kept,
}

/// An output together with the stack that has it.
#[derive(Clone, Debug)]
pub struct Exported<T> {
    stack: String,
    output: Output<T>,
}

impl<T> Exported<T> {
    /// The output as the manifest speaks of it.
    pub fn reference(&self) -> OutputRef {
        OutputRef { stack: self.stack.clone(), output: self.output.id().to_string() }
    }
}

impl StackTemplate {
    /// An empty stack.
    pub fn new(name: String, description: String) -> Self {
        Self {
            name,
            template: Template::new(description),
            parameters: Vec::new(),
            depends_on: Vec::new(),
            adopted: Vec::new(),
            role: None,
            origins: Vec::new(),
        }
    }

    /// What is added from here on comes from `origin`, or from the lake as a whole.
    pub fn comes_from(&mut self, origin: Option<Origin>) {
        self.origins.push((self.template.len(), origin));
    }

    /// Must be deployed after another stack.
    pub fn comes_after(&mut self, other: String) {
        if !self.depends_on.contains(&other) {
            self.depends_on.push(other);
        }
    }

    /// Gives `value` to stacks that come later.
    pub fn export<T>(&mut self, id: LogicalId, description: impl Into<String>, value: Value<T>) -> Exported<T> {
        Exported { stack: self.name.clone(), output: self.template.output(id, description, value, None) }
    }

    /// Takes what another stack gives, as a parameter of the same name.
    pub fn import<T>(&mut self, exported: &Exported<T>, description: &'static str) -> Value<T> {
        self.comes_after(exported.stack.clone());
        self.parameter(exported.output.id().clone(), description, Source::Output(exported.reference()))
    }

    /// CloudFormation works on the stack with this role of another stack.
    pub fn operated_by(&mut self, role: &Exported<Arn<Role>>) {
        self.comes_after(role.stack.clone());
        self.role = Some(role.reference());
    }

    /// A parameter that is `default` when the stack is created and that no deploy changes.
    pub fn kept<T>(&mut self, id: LogicalId, default: &str, description: &'static str) -> Value<T> {
        self.parameters.push(StackParameter { name: id.to_string(), source: Source::Kept });
        self.template.parameter_or(id, default, description)
    }

    /// The parameter that whoever deploys fills from `source`, added when it is first asked for.
    pub fn parameter<T>(&mut self, id: LogicalId, description: &'static str, source: Source) -> Value<T> {
        if self.parameters.iter().all(|known| known.name != id.as_str()) {
            self.parameters.push(StackParameter { name: id.to_string(), source });
        }
        self.template.parameter(id, description)
    }

    /// The stack when all is in it, with what `keep` makes of its template's file and text.
    pub fn render<T>(self, format: Format, keep: impl FnOnce(&str, String) -> T) -> RenderedStack<T> {
        let Self { name, mut template, mut parameters, depends_on, adopted, role, origins } = self;
        // What all stacks of a part are given, not all need: one of tables alone encrypts nothing.
        parameters.retain(|parameter| {
            template.mentions(&parameter.name) || {
                template.forget(&parameter.name);
                false
            }
        });
        let template = template.render(format, |text| keep(&file(&name, format), text));
        StackTemplate { name, template, parameters, depends_on, adopted, role, origins }
    }
}

fn file(stack: &str, format: Format) -> String {
    format!("{stack}.{}", format.extension())
}

impl<T> RenderedStack<T> {
    /// The name of its template file.
    pub fn file(&self) -> String {
        file(&self.name, self.template.format)
    }

    /// What of the blueprint a resource comes from, if it is not the lake as a whole.
    pub fn origin(&self, id: &str) -> Option<&Origin> {
        let at = self.template.position(id)?;
        let (_, origin) = self.origins.iter().rev().find(|(from, _)| *from <= at)?;
        origin.as_ref()
    }

    /// Whether a resource was there before the lake.
    pub fn adopts(&self, id: &str) -> bool {
        self.adopted.iter().any(|adopted| adopted.id == id)
    }
}

/// Why an assembly could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The folder holds something that is not an assembly.
    #[error("`{}` is not empty and holds no assembly, so it is left alone", .0.display())]
    Occupied(PathBuf),
    /// The file system said no.
    #[error("cannot write `{}`", path.display())]
    Io {
        /// What was to be written
        path: PathBuf,
        /// What the system said
        source: io::Error,
    },
}

/// Writes the assembly as the folder `dir`, whole or not at all, as [`Staging`] does.
pub fn write(assembly: &Assembly, dir: &Path) -> Result<(), WriteError> {
    let staging = Staging::new(dir)?;
    assembly.templates().for_each(|(name, content)| staging.add(&name, content));
    staging.finish(assembly)
}

/// A folder that is put together beside its place and takes it in one step, whole or not at all. An assembly that was there before is
/// replaced; a folder with anything else in it is refused.
pub struct Staging {
    dir: PathBuf,
    folder: TempDir,
    next: PathBuf,
    failed: OnceLock<WriteError>,
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> WriteError {
    let path = path.to_owned();
    move |source| WriteError::Io { path, source }
}

impl Staging {
    /// An empty folder that is to become `dir`.
    pub fn new(dir: &Path) -> Result<Self, WriteError> {
        let dir = std::path::absolute(dir).map_err(failed(dir))?;
        let parent = dir.parent().unwrap_or(&dir);
        std::fs::create_dir_all(parent).map_err(failed(parent))?;
        let replaces = occupied(&dir).map_err(failed(&dir))?;
        if replaces && !dir.join("manifest.json").is_file() {
            return Err(WriteError::Occupied(dir));
        }
        let folder = tempfile::Builder::new().prefix(".lakegen-").tempdir_in(parent).map_err(failed(parent))?;
        let next = folder.path().join("assembly");
        std::fs::create_dir(&next).map_err(failed(&next))?;
        Ok(Self { dir, folder, next, failed: OnceLock::new() })
    }

    /// Writes one file of the folder; [`Staging::finish`] tells the first that cannot be written.
    pub fn add(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.next.join(name);
        if let Err(source) = std::fs::write(&path, content) {
            let _ = self.failed.set(WriteError::Io { path, source });
        }
    }

    /// Writes what there is beside the templates of `assembly`, and takes the place.
    pub fn finish<T: Sync>(self, assembly: &Assembly<T>) -> Result<(), WriteError> {
        if assembly.assets.iter().next().is_some() {
            let assets = self.next.join("assets");
            std::fs::create_dir(&assets).map_err(failed(&assets))?;
        }
        assembly.others().for_each(|(name, content)| self.add(&name, content));
        let Self { dir, folder, next, failed: first } = self;
        if let Some(error) = first.into_inner() {
            return Err(error);
        }
        if dir.exists() {
            std::fs::rename(&dir, folder.path().join("previous")).map_err(failed(&dir))?;
        }
        std::fs::rename(&next, &dir).map_err(failed(&dir))
    }
}

fn occupied(dir: &Path) -> io::Result<bool> {
    match std::fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

impl Assembly {
    /// The files of the templates: their paths inside the assembly's folder and their contents.
    pub fn templates(&self) -> impl ParallelIterator<Item = (String, Cow<'_, [u8]>)> {
        self.stacks.par_iter().map(|stack| (stack.file(), stack.template.text.as_bytes().into()))
    }
}

impl<T: Sync> Assembly<T> {
    /// All other files.
    pub fn others(&self) -> impl ParallelIterator<Item = (String, Cow<'_, [u8]>)> {
        let manifest = move || Cow::Owned(Manifest::of(self).to_json().into_bytes());
        let manifest = rayon::iter::once(()).map(move |()| ("manifest.json".to_owned(), manifest()));
        let openapi = self.openapi.par_iter().map(|text| ("openapi.json".to_owned(), text.as_bytes().into()));
        let assets = self.assets.iter().collect::<Vec<_>>().into_par_iter();
        let assets = assets.map(|asset| (asset.path.to_string(), Cow::Borrowed(&*asset.content)));
        manifest.chain(openapi).chain(assets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assembly(description: &str, format: Format) -> Assembly {
        Assembly {
            lake: "shop".into(),
            environment: "dev".into(),
            access: Access::None,
            service_role: None,
            region: "eu-west-1".into(),
            account: None,
            protected: false,
            stacks: vec![
                StackTemplate::new("shop-dev-storage".into(), description.into()).render(format, |_, text| text),
            ],
            bucket_prefix: "shop-dev".into(),
            assets: Assets::default(),
            training: Vec::new(),
            openapi: None,
        }
    }

    #[test]
    fn an_assembly_replaces_an_assembly_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("deep/out");
        write(&assembly("first", Format::Yaml), &out).unwrap();
        write(&assembly("second", Format::Json), &out).unwrap();
        let mut names: Vec<_> = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["manifest.json", "shop-dev-storage.json"]);
        assert!(std::fs::read_to_string(out.join("shop-dev-storage.json")).unwrap().contains("second"));
        assert_eq!(
            std::fs::read_dir(root.path().join("deep")).unwrap().count(),
            1,
            "nothing stays beside the assembly"
        );

        let precious = root.path().join("precious");
        std::fs::create_dir(&precious).unwrap();
        std::fs::write(precious.join("thesis.txt"), "years of work").unwrap();
        let error = write(&assembly("third", Format::Yaml), &precious).unwrap_err();
        assert!(matches!(error, WriteError::Occupied(_)), "{error}");
        assert!(precious.join("thesis.txt").is_file());
    }

    #[test]
    fn an_import_is_a_parameter_fed_by_the_output() {
        let mut storage = StackTemplate::new("shop-dev-storage".into(), "storage".into());
        let key = storage.export(LogicalId::fixed("KeyArn"), "The key", Value::<crate::cfn::Text>::literal("k"));
        let mut processing = StackTemplate::new("shop-dev-processing".into(), "processing".into());
        processing.import(&key, "The key");
        assert_eq!(processing.depends_on, ["shop-dev-storage"]);
        let source = Source::Output(OutputRef { stack: "shop-dev-storage".into(), output: "KeyArn".into() });
        assert_eq!(processing.parameters, [StackParameter { name: "KeyArn".into(), source }]);
    }
}
