//! `manifest.json`: how the files of an assembly fit together, for whoever deploys them.

use indexmap::IndexMap;
use serde::Serialize;

use super::{Adopted, Assembly, RenderedStack, Source};

/// The version of the manifest's form; it grows when a reader of the old form would go wrong.
pub const MANIFEST_VERSION: u32 = 1;

/// The content of `manifest.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Manifest {
    /// The version of this form, [`MANIFEST_VERSION`]
    pub version: u32,
    /// The version of the lakegen that wrote it
    pub lakegen: &'static str,
    /// The lake's name
    pub lake: String,
    /// The environment's name
    pub environment: String,
    /// The region to deploy to
    pub region: String,
    /// The account to deploy to, twelve digits; whichever the credentials are of, if `null`
    pub account: Option<String>,
    /// Whether stacks get termination protection
    pub protected: bool,
    /// The stacks in order of deployment
    pub stacks: Vec<StackEntry>,
    /// How the asset bucket's name begins when `lakegen deploy` makes it; `-<account>-<region>-assets` follows
    pub bucket_prefix: String,
    /// The files to be uploaded before, to the asset bucket under the key that is their path
    pub assets: Vec<AssetEntry>,
    /// What starting a training job needs, by model
    pub training: IndexMap<String, Training>,
}

/// A stack.
#[derive(Clone, Debug, Serialize)]
pub struct StackEntry {
    /// Its name
    pub name: String,
    /// Its template's path in the assembly
    pub template: String,
    /// Stacks that must be there before
    pub depends_on: Vec<String>,
    /// The ARN of the role with which CloudFormation works on it (`RoleARN` of `CreateStack` and `UpdateStack`); the rights of whoever
    /// deploys, if `null`
    pub role: Option<OutputRef>,
    /// Buckets that were there before the lake: they are imported before the stack is created or changed
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub adopted: Vec<Adopted>,
    /// Where each parameter's value comes from: `{"output": {stack, output}}`, `"asset_bucket"`, or `"kept"`: none is given when the
    /// stack is created, so that it takes the template's default, and `UsePreviousValue` at every update
    pub parameters: IndexMap<String, Source>,
    /// Names of its outputs
    pub outputs: Vec<String>,
}

/// A file to upload.
#[derive(Clone, Debug, Serialize)]
pub struct AssetEntry {
    /// Its path in the assembly and its key in the asset bucket
    pub path: String,
    /// The hash of its content, 64 hexadecimal digits
    pub sha256: String,
    /// Its size
    pub bytes: usize,
    /// What it is: paths in the project
    pub sources: Vec<String>,
}

/// An output of a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OutputRef {
    /// The stack's name
    pub stack: String,
    /// The output's name
    pub output: String,
}

/// A prefix in a bucket whose name is an output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct S3Place {
    /// The bucket's name
    pub bucket: OutputRef,
    /// The prefix, ending in `/`
    pub prefix: String,
}

/// What `CreateTrainingJob` needs for a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Training {
    /// The container's image; `null` where AWS offers none in the region
    pub image: Option<String>,
    /// The ARN of the execution role
    pub role: OutputRef,
    /// The ARN of the key for the disk and the output
    pub key: OutputRef,
    /// Whether the disk takes a key: instance types with a disk of their own refuse one
    pub encrypt_volume: bool,
    /// How the names of its jobs begin; the role may log only for those
    pub name_prefix: String,
    /// The instance type
    pub instance: String,
    /// How many instances
    pub instance_count: u32,
    /// Disk per instance
    pub volume_gb: u32,
    /// When the job is stopped
    pub timeout_seconds: u32,
    /// The training script inside the source archive (hyperparameter `sagemaker_program`)
    pub program: &'static str,
    /// The archive of the source folder, a path among the assets (hyperparameter `sagemaker_submit_directory`)
    pub source: String,
    /// The model's own hyperparameters, as texts
    pub hyperparameters: IndexMap<String, String>,
    /// What it reads
    pub channels: Vec<Channel>,
    /// Where `model.tar.gz` and `output.tar.gz` go
    pub output: S3Place,
    /// How numbers are found in the log
    pub metrics: Vec<MetricDefinition>,
    /// What must hold of those numbers for a release
    pub accept: Vec<Gate>,
}

/// A channel of a training job.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Channel {
    /// Its name: the script finds the folder in `SM_CHANNEL_<NAME>`
    pub name: String,
    /// The table whose files it has
    pub table: String,
    /// Where they are
    pub place: S3Place,
}

/// How SageMaker finds a number in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MetricDefinition {
    /// The metric's name
    pub name: String,
    /// An expression whose first group is the number
    pub regex: String,
}

/// What must hold of a metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gate {
    /// The metric's name
    pub metric: String,
    /// The least it may be
    pub at_least: Option<f64>,
    /// The most it may be
    pub at_most: Option<f64>,
    /// Metrics it must exceed
    pub above: Vec<String>,
    /// Metrics it must stay under
    pub below: Vec<String>,
}

impl Manifest {
    /// The manifest of an assembly.
    pub fn of<T>(assembly: &Assembly<T>) -> Self {
        let Assembly {
            lake,
            environment,
            access: _,
            service_role: _,
            region,
            account,
            protected,
            stacks,
            bucket_prefix,
            assets,
            training,
            openapi: _,
        } = assembly;
        Self {
            version: MANIFEST_VERSION,
            lakegen: env!("CARGO_PKG_VERSION"),
            lake: lake.clone(),
            environment: environment.clone(),
            region: region.clone(),
            account: account.clone(),
            protected: *protected,
            stacks: stacks.iter().map(stack_entry).collect(),
            bucket_prefix: bucket_prefix.clone(),
            assets: assets
                .iter()
                .map(|asset| AssetEntry {
                    path: asset.path.to_string(),
                    sha256: asset.sha256.clone(),
                    bytes: asset.content.len(),
                    sources: asset.sources.iter().cloned().collect(),
                })
                .collect(),
            training: training.iter().cloned().collect(),
        }
    }

    /// The manifest as JSON text.
    pub fn to_json(&self) -> String {
        // Nothing in it can fail to be JSON: keys are texts and a number that is not finite becomes `null`.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

fn stack_entry<T>(stack: &RenderedStack<T>) -> StackEntry {
    let parameters = stack.parameters.iter().map(|parameter| (parameter.name.clone(), parameter.source.clone()));
    StackEntry {
        name: stack.name.clone(),
        template: stack.file(),
        depends_on: stack.depends_on.clone(),
        role: stack.role.clone(),
        adopted: stack.adopted.clone(),
        parameters: parameters.collect(),
        outputs: stack.template.outputs().map(str::to_owned).collect(),
    }
}
