//! The AWS regions: their partitions, what they lack of what lakes use, and the accounts that publish SageMaker's XGBoost image.
//!
//! Sources: regions and partitions, botocore's `endpoints.json`; what is missing, the resource types that CloudFormation offers in
//! each region (cfn-lint's copy of the registry, `schemas/providers`), which agrees with `endpoints.json`; accounts,
//! `sagemaker/core/image_uri_config/xgboost.json` of the PyPI package `sagemaker-core`, the same for every image since 0.90-1.
//! The isolated partitions and the European sovereign cloud are left out: nothing of lakegen has been held against them.

use Service::{Cognito, DataBrew, Endpoints, LargeWorkers, LaterGlue, Optimizers, Serverless, Unsigned};

/// A service that not every region has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Recipes and profiles.
    DataBrew,
    /// SageMaker's models and endpoints, as CloudFormation makes them.
    Endpoints,
    /// SageMaker's endpoints without machines of their own.
    Serverless,
    /// SageMaker's own XGBoost image.
    XgBoost,
    /// User pools.
    Cognito,
    /// What keeps Iceberg tables in order.
    Optimizers,
    /// Workers of Glue larger than `G.2X`, or with more memory.
    LargeWorkers,
    /// Glue 5.1 and later.
    LaterGlue,
    /// An API that answers those who do not sign their requests.
    Unsigned,
}

impl Service {
    /// What AWS calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DataBrew => "Glue DataBrew",
            Endpoints => "SageMaker models and endpoints in CloudFormation",
            Serverless => "serverless endpoints, as far as AWS's pages say",
            Self::XgBoost => "XGBoost image of SageMaker",
            Cognito => "Amazon Cognito user pools",
            Optimizers => "Glue table optimizers in CloudFormation",
            LargeWorkers => "large or memory-optimized Glue workers, as far as AWS's pages say",
            LaterGlue => "Glue 5.1 or later, as far as AWS's pages say",
            Unsigned => "API for callers who do not sign, and no domain for one, until its owner has an ICP licence",
        }
    }

    /// How a lake does without.
    #[must_use]
    pub fn without(self) -> &'static str {
        match self {
            DataBrew => "choose another region, or write recipes as queries or jobs",
            Endpoints => "choose another region, or leave `endpoint` out and let a job ask the model",
            Serverless => "let the environment `set` the model's `endpoint`: `{ instances: { type: ml.m5.large } }`",
            Self::XgBoost => "choose another region for lakes with models",
            Cognito => "choose another region, or `access: iam` or `access: api_key`",
            Optimizers => {
                "choose another region, or leave `compaction`, `retention` and `orphan_file_deletion` out here"
            }
            LargeWorkers => "choose another region, or take more workers of the type `G.2X`",
            LaterGlue => "let the environment `set` the job's `glue: 5.0`",
            Unsigned => {
                "let the environment `set` `api.access: iam` and no `domain`, or leave it so if the account has a licence"
            }
        }
    }

    /// Whether a region may have it that is not known to: because regions get it one after another, or some accounts do.
    #[must_use]
    pub fn spreads(self) -> bool {
        matches!(self, LargeWorkers | LaterGlue | Serverless | Unsigned)
    }
}

/// A group of regions with accounts, names and ARNs of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partition {
    /// `aws`
    Aws,
    /// `aws-cn`
    China,
    /// `aws-us-gov`
    GovCloud,
}

impl Partition {
    /// That of a region.
    #[must_use]
    pub fn of(region: &str) -> Self {
        match region {
            _ if region.starts_with("cn-") => Self::China,
            _ if region.starts_with("us-gov-") => Self::GovCloud,
            _ => Self::Aws,
        }
    }

    /// As ARNs name it.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::China => "aws-cn",
            Self::GovCloud => "aws-us-gov",
        }
    }

    /// How the names of its endpoints end.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Aws | Self::GovCloud => "amazonaws.com",
            Self::China => "amazonaws.com.cn",
        }
    }
}

type Region = (&'static str, Option<&'static str>, &'static [Service]);

const REGIONS: [Region; 38] = [
    ("af-south-1", Some("510948584623"), &[Optimizers]),
    ("ap-east-1", Some("651117190479"), &[Optimizers]),
    ("ap-east-2", None, &[DataBrew, Endpoints, Optimizers]),
    ("ap-northeast-1", Some("354813040037"), &[]),
    ("ap-northeast-2", Some("366743142698"), &[]),
    ("ap-northeast-3", Some("867004704886"), &[DataBrew, Optimizers]),
    ("ap-south-1", Some("720646828776"), &[]),
    ("ap-south-2", Some("628508329040"), &[DataBrew, Endpoints, Optimizers]),
    ("ap-southeast-1", Some("121021644041"), &[]),
    ("ap-southeast-2", Some("783357654285"), &[]),
    ("ap-southeast-3", Some("951798379941"), &[DataBrew]),
    ("ap-southeast-4", Some("106583098589"), &[DataBrew, Endpoints, Optimizers]),
    ("ap-southeast-5", None, &[DataBrew, Endpoints, Optimizers]),
    ("ap-southeast-6", None, &[DataBrew, Endpoints, Optimizers]),
    ("ap-southeast-7", None, &[DataBrew, Endpoints, Optimizers]),
    ("ca-central-1", Some("341280168497"), &[]),
    ("ca-west-1", Some("190319476487"), &[DataBrew, Endpoints, Optimizers]),
    ("cn-north-1", Some("450853457545"), &[Cognito, Optimizers]),
    ("cn-northwest-1", Some("451049120500"), &[Cognito, Optimizers]),
    ("eu-central-1", Some("492215442770"), &[]),
    ("eu-central-2", Some("680994064768"), &[DataBrew, Endpoints, Optimizers]),
    ("eu-north-1", Some("662702820516"), &[]),
    ("eu-south-1", Some("978288397137"), &[Optimizers]),
    ("eu-south-2", Some("104374241257"), &[DataBrew, Endpoints, Optimizers]),
    ("eu-west-1", Some("141502667606"), &[]),
    ("eu-west-2", Some("764974769150"), &[]),
    ("eu-west-3", Some("659782779980"), &[Optimizers]),
    ("il-central-1", Some("898809789911"), &[DataBrew, Endpoints, Optimizers]),
    ("me-central-1", Some("272398656194"), &[DataBrew, Endpoints, Optimizers]),
    ("me-south-1", Some("801668240914"), &[DataBrew]),
    ("mx-central-1", None, &[DataBrew, Endpoints, Optimizers]),
    ("sa-east-1", Some("737474898029"), &[]),
    ("us-east-1", Some("683313688378"), &[]),
    ("us-east-2", Some("257758044811"), &[]),
    ("us-gov-east-1", Some("237065988967"), &[DataBrew, Endpoints, Optimizers]),
    ("us-gov-west-1", Some("414596584902"), &[Optimizers]),
    ("us-west-1", Some("746614075791"), &[Optimizers]),
    ("us-west-2", Some("246618743249"), &[]),
];

/// The regions with workers of the types `G.4X` and `G.8X`. Source: `WorkerType` of Glue's `CreateJob` in its API reference. Of the
/// larger types, and of those with more memory, no reference lists the regions; they came to some of these first.
const LARGE_WORKERS: [&str; 16] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// The regions with serverless endpoints. Source: "Deploy models with Amazon SageMaker Serverless Inference".
const SERVERLESS: [&str; 21] = [
    "af-south-1",
    "ap-east-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-south-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "me-south-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// What of Lambda templates speak of where there is it, and nobody misses elsewhere.
///
/// Sources: "AWS Lambda in AWS GovCloud (US)" of its user guide, "Amazon Lambda" of "Getting Started with Amazon Web Services in China".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LambdaFeature {
    /// Log lines as JSON.
    JsonLogs,
    /// Tags of event source mappings.
    MappingTags,
    /// Detection of functions that call themselves.
    LoopDetection,
    /// Traces by X-Ray.
    Tracing,
}

impl LambdaFeature {
    /// Whether a region has it.
    #[must_use]
    pub fn is_in(self, region: &str) -> bool {
        match (self, Partition::of(region)) {
            (_, Partition::Aws) | (Self::JsonLogs, Partition::China) => true,
            (Self::LoopDetection | Self::Tracing, Partition::GovCloud) => true,
            (Self::JsonLogs, Partition::GovCloud) => false,
            (Self::MappingTags, Partition::China | Partition::GovCloud) => false,
            (Self::LoopDetection | Self::Tracing, Partition::China) => false,
        }
    }
}

/// Every region that lakegen knows.
pub fn names() -> impl Iterator<Item = &'static str> {
    REGIONS.iter().map(|(region, ..)| *region)
}

fn find(region: &str) -> Option<&'static Region> {
    let at = REGIONS.binary_search_by_key(&region, |(region, ..)| region).ok()?;
    REGIONS.get(at)
}

/// Whether it is one of them.
#[must_use]
pub fn is_known(region: &str) -> bool {
    find(region).is_some()
}

/// Whether a region has a service.
#[must_use]
pub fn has(region: &str, service: Service) -> bool {
    find(region).is_some_and(|(_, xgboost, lacks)| match service {
        Service::XgBoost => xgboost.is_some(),
        LargeWorkers => LARGE_WORKERS.contains(&region),
        // Where there are no endpoints at all, that is what is said.
        Serverless => SERVERLESS.contains(&region) || lacks.contains(&Endpoints),
        // Source: "AWS Glue in AWS GovCloud (US)" of its user guide, whose last version is 5.0.
        LaterGlue => Partition::of(region) != Partition::GovCloud,
        // Source: "Amazon API Gateway" of "Getting Started with Amazon Web Services in China".
        Unsigned => Partition::of(region) != Partition::China,
        DataBrew | Endpoints | Cognito | Optimizers => !lacks.contains(&service),
    })
}

/// The account whose registry holds the XGBoost image of that region.
#[must_use]
pub fn xgboost_account(region: &str) -> Option<&'static str> {
    find(region)?.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_every_region_is_found() {
        assert!(names().all(is_known));
        assert!(!is_known("eu-west-9"));
        assert!(LARGE_WORKERS.into_iter().chain(SERVERLESS).all(is_known));
    }

    #[test]
    fn a_region_says_its_partition() {
        let of = |region| (Partition::of(region).id(), Partition::of(region).suffix());
        assert_eq!(of("cn-north-1"), ("aws-cn", "amazonaws.com.cn"));
        assert_eq!(of("us-gov-west-1"), ("aws-us-gov", "amazonaws.com"));
        assert_eq!(of("us-west-1"), ("aws", "amazonaws.com"));
    }
}
