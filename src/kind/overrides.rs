//! What a blueprint changes about resources that lakegen makes of its things: properties, merged into the generated ones.

use std::fmt::Write as _;

use crate::blueprint::Blueprint;
use crate::check::Check;
use crate::decode::{Named, section};
use crate::diagnostic::{did_you_mean, listed};
use crate::kind::raw::{Raw, RawSpec, Scope};
use crate::kind::resource::schema;
use crate::kind::table::TableSpec;
use crate::source::{Node, Spanned, Value, entry};

section! {
    /// Changes to a generated resource. Maps are merged, key by key; anything else takes the place of what was generated, and nothing
    /// (`~`) takes it away. Names, roles, and what else other resources rely on cannot be changed.
    "an override"
    pub struct OverrideSpec {
        /// Its properties, in CloudFormation's words; `${zones.raw.arn}` in any text speaks of things of the lake.
        /// Example: `{ Description: "Kept by the data team" }`.
        properties as "Properties": RawSpec,
    }
}

/// The overrides of a thing, by what the resources are to it.
pub type OverridesSpec = Named<OverrideSpec>;

/// A change to a generated resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// Which of the resources of a thing.
    pub of: Generated,
    /// The name by which AWS knows the thing.
    pub name: String,
    /// What is merged into its properties: a map.
    pub properties: Raw,
}

/// A type of resources, and what of them can be changed.
struct Type {
    name: &'static str,
    /// Properties that other resources, permissions or lakegen itself rely on, as words; a dot leads into a map.
    kept: &'static str,
}

const BUCKET: Type = Type {
    name: "AWS::S3::Bucket",
    kept: "BucketName BucketNamePrefix BucketNamespace BucketEncryption ObjectLockEnabled \
        NotificationConfiguration.EventBridgeConfiguration Tags",
};
const BUCKET_POLICY: Type = Type { name: "AWS::S3::BucketPolicy", kept: "Bucket" };
const CATALOG_TABLE: Type = Type {
    name: "AWS::Glue::Table",
    kept: "CatalogId DatabaseName Name OpenTableFormatInput TableInput.Name TableInput.TableType \
        TableInput.StorageDescriptor.Columns TableInput.StorageDescriptor.Location TableInput.PartitionKeys",
};
const ITEM_TABLE: Type =
    Type { name: "AWS::DynamoDB::Table", kept: "TableName KeySchema AttributeDefinitions SSESpecification Tags" };
const CRAWLER: Type = Type {
    name: "AWS::Glue::Crawler",
    kept: "Name DatabaseName Role Targets TablePrefix CrawlerSecurityConfiguration Tags",
};
const ROLE: Type = Type { name: "AWS::IAM::Role", kept: "RoleName AssumeRolePolicyDocument Path Policies Tags" };
const LOG_GROUP: Type = Type { name: "AWS::Logs::LogGroup", kept: "LogGroupName Tags" };
const NAMED_QUERY: Type = Type { name: "AWS::Athena::NamedQuery", kept: "Name Database WorkGroup QueryString" };
const DATASET: Type = Type { name: "AWS::DataBrew::Dataset", kept: "Name Input Tags" };
const RECIPE_JOB: Type = Type {
    name: "AWS::DataBrew::Job",
    kept: "Name Type RoleArn DatasetName Recipe Outputs EncryptionMode EncryptionKeyArn Tags",
};
const JOB: Type = Type {
    name: "AWS::Glue::Job",
    kept: "Name Role Command JobMode MaxCapacity AllocatedCapacity SecurityConfiguration DefaultArguments.--extra-py-files Tags",
};
const FUNCTION: Type = Type {
    name: "AWS::Lambda::Function",
    kept: "FunctionName Role Code Runtime Architectures PackageType LoggingConfig.LogGroup Tags",
};

macro_rules! generated {
    ($($name:ident = $section:literal $role:literal $ty:ident);* $(;)?) => {
        /// A resource that lakegen makes of a thing, and that a blueprint may change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the table below says what each is")]
        pub enum Generated { $($name),* }

        impl Generated {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The section of the things that have it.
            #[must_use]
            pub fn section(self) -> &'static str {
                match self { $(Self::$name => $section),* }
            }

            /// What it is to its thing: the key in `override`.
            #[must_use]
            pub fn role(self) -> &'static str {
                match self { $(Self::$name => $role),* }
            }

            fn of(self) -> Type {
                match self { $(Self::$name => $ty),* }
            }
        }
    };
}

generated! {
    ZoneBucket = "zones" "Bucket" BUCKET;
    ZonePolicy = "zones" "BucketPolicy" BUCKET_POLICY;
    CatalogTable = "tables" "Table" CATALOG_TABLE;
    ItemTable = "tables" "Table" ITEM_TABLE;
    Crawler = "crawlers" "Crawler" CRAWLER;
    CrawlerRole = "crawlers" "Role" ROLE;
    CrawlerLogs = "crawlers" "LogGroup" LOG_GROUP;
    NamedQuery = "queries" "NamedQuery" NAMED_QUERY;
    QueryRole = "queries" "Role" ROLE;
    RecipeDataset = "recipes" "Dataset" DATASET;
    RecipeJob = "recipes" "Job" RECIPE_JOB;
    RecipeRole = "recipes" "Role" ROLE;
    Job = "jobs" "Job" JOB;
    JobRole = "jobs" "Role" ROLE;
    ModelRole = "models" "Role" ROLE;
    Function = "functions" "Function" FUNCTION;
    FunctionRole = "functions" "Role" ROLE;
    FunctionLogs = "functions" "LogGroup" LOG_GROUP;
}

impl Generated {
    /// Its type.
    #[must_use]
    pub fn ty(self) -> &'static str {
        self.of().name
    }

    /// Properties that other resources, permissions or lakegen itself rely on; a dot leads into a map.
    pub fn kept(self) -> impl Iterator<Item = &'static str> {
        self.of().kept.split(' ')
    }
}

/// The overrides of every thing of a blueprint.
pub(crate) fn check(b: &Blueprint, cx: &mut Check<'_>) -> Option<Vec<Override>> {
    fn things<'a, T>(
        section: &'static str,
        named: &'a Named<T>,
        of: impl Fn(&'a T) -> (&'a OverridesSpec, Option<&'a Spanned<String>>, &'static [&'static str]) + 'a,
    ) -> impl Iterator<Item = Thing<'a>> {
        named.0.iter().filter_map(move |(name, spec)| {
            let (overrides, was, without) = of(spec.as_ref()?);
            Some(Thing { section, name: was.unwrap_or(name), overrides, without })
        })
    }
    let all = things("zones", &b.zones, |spec| (&spec.overrides, spec.was.as_ref(), &[]))
        .chain(things("tables", &b.tables, |spec| {
            (&spec.overrides, spec.was.as_ref().filter(|_| spec.dynamodb.is_some()), no(spec))
        }))
        .chain(things("crawlers", &b.crawlers, |spec| (&spec.overrides, None, &[])))
        .chain(things("queries", &b.queries, |spec| (&spec.overrides, None, &[])))
        .chain(things("recipes", &b.recipes, |spec| (&spec.overrides, None, &[])))
        .chain(things("jobs", &b.jobs, |spec| (&spec.overrides, spec.was.as_ref(), &[])))
        .chain(things("models", &b.models, |spec| (&spec.overrides, spec.was.as_ref(), &[])))
        .chain(things("functions", &b.functions, |spec| (&spec.overrides, None, &[])));
    let mut found = Vec::new();
    let mut whole = true;
    for thing in all {
        for (role, spec) in &thing.overrides.0 {
            let checked = thing.check(role, spec.as_ref(), cx);
            whole &= checked.is_some();
            found.extend(checked);
        }
    }
    whole.then_some(found)
}

/// Of a table's two sorts of resource, the one that it is not.
fn no(spec: &TableSpec) -> &'static [&'static str] {
    if spec.dynamodb.is_some() { &["AWS::Glue::Table"] } else { &["AWS::DynamoDB::Table"] }
}

struct Thing<'a> {
    section: &'static str,
    name: &'a Spanned<String>,
    overrides: &'a OverridesSpec,
    /// Types that things of the section have, but not this one.
    without: &'static [&'static str],
}

impl Thing<'_> {
    fn check(&self, role: &Spanned<String>, spec: Option<&OverrideSpec>, cx: &mut Check<'_>) -> Option<Override> {
        let here = |of: &&Generated| of.section() == self.section && !self.without.contains(&of.ty());
        let Some(of) = Generated::ALL.iter().filter(here).find(|of| of.role() == role.value) else {
            let roles: Vec<&str> = Generated::ALL.iter().filter(here).map(|of| of.role()).collect();
            let help =
                did_you_mean(role, roles.iter().copied()).unwrap_or_else(|| format!("there is {}", listed(&roles)));
            cx.error(role.span, format!("`{}.{}` has no resource `{}`", self.section, self.name.value, role.value))
                .help(help);
            return None;
        };
        let RawSpec(node) = &spec?.properties;
        let before = cx.mistakes();
        if let Some(known) = schema::find(of.ty()) {
            known.check(node, role.span, false, cx);
        }
        let mut refused = Vec::new();
        for kept in of.kept() {
            if let Some(place) = at(node, kept)
                && !refused.contains(&place.span)
            {
                refused.push(place.span);
                cx.error(place.span, format!("`{kept}` cannot be changed: other parts of the lake rely on it"))
                    .help("leave it out; what the blueprint says of the thing itself decides it");
            }
        }
        let scope = Scope { here: Default::default(), elsewhere: Default::default() };
        let properties = Raw::read(node, &scope, cx)?;
        (cx.mistakes() == before).then(|| Override { of: *of, name: self.name.value.clone(), properties })
    }
}

/// The key at a path, or the one on the way to it behind which nothing could be merged.
fn at<'a>(node: &'a Node, path: &str) -> Option<&'a Spanned<String>> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let (key, value) = entry(node, first)?;
    let plain = |key: &str| key != "Ref" && !key.starts_with("Fn::");
    match (rest, &value.value) {
        (Some(rest), Value::Map(entries)) if entries.iter().all(|(key, _)| plain(key)) => at(value, rest),
        _ => Some(key),
    }
}

/// The table of what can be changed, as Markdown.
pub(crate) fn reference() -> String {
    let mut table = String::from("| of | in `override` | type | not these properties |\n|---|---|---|---|\n");
    for of in Generated::ALL {
        let kept: Vec<String> = of.kept().map(|kept| format!("`{kept}`")).collect();
        let _ = writeln!(table, "| `{}` | `{}` | `{}` | {} |", of.section(), of.role(), of.ty(), kept.join(", "));
    }
    table
}
