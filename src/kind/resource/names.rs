//! Names that only one resource of an account and a region can have.

use std::collections::HashMap;

use crate::check::Check;
use crate::decode::Named;
use crate::diagnostic::Diagnostic;
use crate::kind::environment::EnvironmentSpec;
use crate::kind::raw::{Piece, Raw, RawSpec, Reference, Referent};
use crate::kind::resource::{Resource, ResourceSpec};
use crate::lake::{Home, StepId, Table};
use crate::source::{Spanned, Value, entry};

/// Types whose name tells them apart in their region at least, and the property that gives it.
///
/// Sources: "Name type" of the CloudFormation template reference; each type's page there.
const NAMED: [(&str, &str); 24] = [
    ("AWS::Athena::WorkGroup", "Name"),
    ("AWS::CloudWatch::Alarm", "AlarmName"),
    ("AWS::DataBrew::Dataset", "Name"),
    ("AWS::DataBrew::Job", "Name"),
    ("AWS::DynamoDB::Table", "TableName"),
    ("AWS::Glue::Crawler", "Name"),
    ("AWS::Glue::Job", "Name"),
    ("AWS::Glue::Trigger", "Name"),
    ("AWS::Glue::Workflow", "Name"),
    ("AWS::IAM::Group", "GroupName"),
    ("AWS::IAM::ManagedPolicy", "ManagedPolicyName"),
    ("AWS::IAM::Role", "RoleName"),
    ("AWS::IAM::User", "UserName"),
    ("AWS::KMS::Alias", "AliasName"),
    ("AWS::Kinesis::Stream", "Name"),
    ("AWS::KinesisFirehose::DeliveryStream", "DeliveryStreamName"),
    ("AWS::Lambda::Function", "FunctionName"),
    ("AWS::Logs::LogGroup", "LogGroupName"),
    ("AWS::S3::Bucket", "BucketName"),
    ("AWS::SNS::Topic", "TopicName"),
    ("AWS::SQS::Queue", "QueueName"),
    ("AWS::SageMaker::Endpoint", "EndpointName"),
    ("AWS::SecretsManager::Secret", "Name"),
    ("AWS::StepFunctions::StateMachine", "StateMachineName"),
];

/// Notes names that another resource has: of the blueprint, of a thing of the lake, or of the same blueprint in another environment.
pub(super) fn check(written: &Named<ResourceSpec>, resources: &[Option<Resource>], cx: &mut Check<'_>) {
    let mut seen = HashMap::new();
    for ((_, spec), resource) in written.0.iter().zip(resources) {
        let (Some(spec), Some(resource)) = (spec, resource) else { continue };
        let Some((ty, property)) = NAMED.into_iter().find(|(ty, _)| *ty == resource.ty) else { continue };
        let node = spec.properties.as_ref().and_then(|RawSpec(node)| Some(entry(node, property)?.1));
        let Some(Raw::Map(properties)) = &resource.properties else { continue };
        let pieces = properties.iter().find(|(name, _)| name == property).map(|(_, value)| value);
        let (Some(node), Some(Raw::Text(pieces))) = (node, pieces) else { continue };
        let Value::String(name) = &node.value else { continue };
        if let Some(first) = seen.insert((ty, name), node.span) {
            cx.push(
                Diagnostic::error(node.span, format!("two resources of the type `{ty}` have the name `{name}`"))
                    .related(first, "the other one")
                    .help("give one of them another, or leave it out: CloudFormation makes up one"),
            );
        }
        match pieces.as_slice() {
            [Piece::Reference(Reference { to, arn: false })] if made(*to, cx) == Some(ty) => {
                cx.error(node.span, format!("this is the name of the `{ty}` that lakegen makes"))
                    .help("choose another, or change that one with the thing's `override`");
            }
            // What speaks of a thing of the lake holds the environment's name, or is meant as it is.
            pieces if pieces.iter().any(|piece| matches!(piece, Piece::Reference(_))) => {}
            _ => shared(&Spanned::new(name.clone(), node.span), property, cx),
        }
    }
}

/// The type of what lakegen makes of a thing and knows by that name.
fn made(to: Referent, cx: &Check<'_>) -> Option<&'static str> {
    match to {
        Referent::Zone(_) => Some("AWS::S3::Bucket"),
        Referent::Table(id) => {
            let table = cx.tables.get(id.index()).and_then(Option::as_ref);
            matches!(table, Some(Table { home: Home::DynamoDb { .. }, .. })).then_some("AWS::DynamoDB::Table")
        }
        Referent::Step(StepId::Crawler(_)) => Some("AWS::Glue::Crawler"),
        Referent::Step(StepId::Recipe(_)) => Some("AWS::DataBrew::Job"),
        Referent::Step(StepId::Job(_)) => Some("AWS::Glue::Job"),
        Referent::Step(StepId::Model(_)) => Some("AWS::SageMaker::Endpoint"),
        Referent::StepRole(_) | Referent::FunctionRole(_) => Some("AWS::IAM::Role"),
        Referent::Function(_) => Some("AWS::Lambda::Function"),
        Referent::Lake
        | Referent::Environment
        | Referent::Key
        | Referent::Database
        | Referent::Step(StepId::Query(_)) => None,
    }
}

/// Warns of a name that is the same in two environments of one region, unless they are known to be of two accounts.
fn shared(name: &Spanned<String>, property: &str, cx: &mut Check<'_>) {
    let sets = |spec: &EnvironmentSpec| {
        let settings = spec.set.as_ref().map(|settings| settings.0.as_slice()).unwrap_or_default();
        settings.iter().any(|(path, _)| path.starts_with("resources"))
    };
    let environments = cx.blueprint.environments.0.iter();
    let plain: Vec<_> = environments.filter_map(|(name, spec)| Some((name, spec.as_ref()?))).collect();
    let plain: Vec<_> = plain.into_iter().filter(|(_, spec)| !sets(spec)).collect();
    for (at, (first, one)) in plain.iter().enumerate() {
        for (second, other) in &plain[at + 1..] {
            let account = |spec: &EnvironmentSpec| spec.account.as_ref().map(|account| account.value.clone());
            let apart = account(one).zip(account(other)).is_some_and(|(one, other)| one != other);
            if one.region.value == other.region.value && !apart {
                let message = format!(
                    "`{}` and `{}` would both make what has this name, and one account takes it once",
                    first.value, second.value
                );
                cx.push(
                    Diagnostic::warning(name.span, message)
                        .related(first.span, "here")
                        .related(second.span, "and here"),
                )
                .help(format!("write `{property}: \"${{lake.name}}-${{lake.environment}}-{}\"`", last(name)));
                return;
            }
        }
    }
}

/// The last word of a name, for whatever it is put behind.
fn last(name: &str) -> &str {
    name.rsplit(['-', '_', '/', '}']).next().filter(|word| !word.is_empty()).unwrap_or("thing")
}
