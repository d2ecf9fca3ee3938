"""Stand-ins for the CloudFormation types that MiniStack refuses, so that templates deploy as they are.

A stand-in takes the resource's word for everything: it has the physical id and the attributes that AWS documents,
changes in place unless a property that AWS calls create-only changes, and refuses a second resource of the same name.
Where MiniStack has the service itself, the resource is created there. A type that is not listed stays refused, as AWS
refuses what it does not know.

Source of ids, attributes and create-only properties: the resource provider schemas of the CloudFormation registry.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region
from ministack.services import athena, glue
from ministack.services.cloudformation import provisioners

from aws_emulator.sagemaker import find_model_data

Properties = dict[str, Any]
Created = tuple[str, dict[str, str]]


@dataclass(frozen=True)
class Type:
    """How resources of a type are named."""

    name: str | None = None
    """The property with the name; without it, every resource is another."""
    arn: str | None = None
    """`service:kind` of the ARN that is the physical id; without it, the name is."""
    attributes: Callable[[str, str], dict[str, str]] = lambda _name, _id: {}
    """What `Fn::GetAtt` finds, from name and physical id."""
    replacing: tuple[str, ...] = ()
    """Create-only properties."""
    create: Callable[[Properties], Any] | None = None
    """Creates it in a service of MiniStack's; an answer with an id names it."""
    delete: Callable[[str, Properties], Any] | None = None
    """Deletes it there."""
    known: AccountRegionScopedDict = field(default_factory=AccountRegionScopedDict)
    """What there is, by physical id."""


def sagemaker(
    kind: str,
    name: str,
    arn: str,
    replacing: tuple[str, ...] = (),
    create: Callable[[Properties], Any] | None = None,
) -> Type:
    return Type(name, f"sagemaker:{kind}", lambda n, i: {name: n, arn: i}, replacing, create)


TYPES: dict[str, Type] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": Type(
        replacing=("ResourceId", "ScalableDimension", "ServiceNamespace")
    ),
    "AWS::ApplicationAutoScaling::ScalingPolicy": Type("PolicyName", replacing=("PolicyName", "ScalingTargetId")),
    "AWS::Athena::NamedQuery": Type(
        attributes=lambda _name, physical: {"NamedQueryId": physical},
        replacing=("Name", "Database", "Description", "QueryString", "WorkGroup"),
        create=lambda properties: call(athena._create_named_query, properties)["NamedQueryId"],
        delete=lambda physical, _properties: call(athena._delete_named_query, {"NamedQueryId": physical}),
    ),
    "AWS::Athena::PreparedStatement": Type(
        "StatementName",
        replacing=("StatementName", "WorkGroup"),
        create=lambda properties: call(athena._create_prepared_statement, properties),
        delete=lambda physical, properties: call(
            athena._delete_prepared_statement, {"StatementName": physical, "WorkGroup": properties["WorkGroup"]}
        ),
    ),
    "AWS::DataBrew::Dataset": Type("Name", replacing=("Name",)),
    "AWS::DataBrew::Job": Type("Name", replacing=("Name", "Type")),
    "AWS::DataBrew::Project": Type("Name", replacing=("Name",)),
    "AWS::DataBrew::Recipe": Type("Name", replacing=("Name",)),
    "AWS::DataBrew::Ruleset": Type("Name", replacing=("Name", "TargetArn")),
    "AWS::DataBrew::Schedule": Type("Name", replacing=("Name",)),
    "AWS::Glue::Classifier": Type(
        create=lambda properties: call(glue._create_classifier, properties)
        or next(value["Name"] for key, value in properties.items() if key.endswith("Classifier")),
        delete=lambda physical, _properties: call(glue._delete_classifier, {"Name": physical}),
    ),
    "AWS::Glue::DataQualityRuleset": Type("Name", replacing=("Name",)),
    "AWS::Glue::SecurityConfiguration": Type(
        "Name",
        replacing=("Name",),
        create=lambda properties: call(glue._create_security_configuration, properties),
        delete=lambda physical, _properties: call(glue._delete_security_configuration, {"Name": physical}),
    ),
    "AWS::Glue::Workflow": Type("Name", replacing=("Name",)),
    "AWS::IAM::OIDCProvider": Type(
        "Url",
        attributes=lambda _name, physical: {"Arn": physical},
        replacing=("Url",),
        create=lambda properties: provider_arn(properties["Url"]),
    ),
    "AWS::LakeFormation::DataCellsFilter": Type("Name", replacing=("Name", "TableName", "DatabaseName")),
    "AWS::LakeFormation::DataLakeSettings": Type(),
    "AWS::LakeFormation::Permissions": Type(replacing=("DataLakePrincipal", "Resource")),
    "AWS::LakeFormation::PrincipalPermissions": Type(replacing=("Principal", "Resource", "Permissions")),
    "AWS::LakeFormation::Resource": Type("ResourceArn", replacing=("ResourceArn",)),
    "AWS::LakeFormation::Tag": Type("TagKey", replacing=("TagKey",)),
    "AWS::LakeFormation::TagAssociation": Type(replacing=("Resource", "LFTags")),
    "AWS::SageMaker::Endpoint": sagemaker("endpoint", "EndpointName", "EndpointArn", ("EndpointName",)),
    "AWS::SageMaker::EndpointConfig": sagemaker(
        "endpoint-config",
        "EndpointConfigName",
        "EndpointConfigArn",
        ("EndpointConfigName", "ProductionVariants", "KmsKeyId"),
    ),
    "AWS::SageMaker::Model": sagemaker(
        "model",
        "ModelName",
        "ModelArn",
        ("ModelName", "PrimaryContainer", "Containers", "ExecutionRoleArn", "VpcConfig"),
        find_model_data,
    ),
    "AWS::SageMaker::ModelPackageGroup": sagemaker(
        "model-package-group", "ModelPackageGroupName", "ModelPackageGroupArn", ("ModelPackageGroupName",)
    ),
    "AWS::SageMaker::Pipeline": Type("PipelineName", replacing=("PipelineName",)),
    "AWS::Budgets::Budget": Type(replacing=("NotificationsWithSubscribers",)),
}


def call(action: Callable[[Properties], tuple[int, Any, bytes]], request: Properties) -> Properties:
    """Asks a service of MiniStack's in this process."""
    return provisioners._glue_call(action, request, "the resource", "request")


def provider_arn(url: str) -> str:
    return f"arn:aws:iam::{get_account_id()}:oidc-provider/{url.removeprefix('https://')}"


def register() -> None:
    """Lets MiniStack's engine know the types; those that it has itself stay its own."""
    for resource_type, described in TYPES.items():
        if resource_type not in provisioners._RESOURCE_HANDLERS:
            provisioners._RESOURCE_HANDLERS[resource_type] = handlers(resource_type, described)
            provisioners._REPLACING_PROPERTIES[resource_type] = described.replacing


def handlers(resource_type: str, described: Type) -> Properties:
    def create(logical_id: str, properties: Properties, stack_name: str) -> Created:
        given = properties.get(described.name) if described.name else None
        name = given or f"{stack_name}-{logical_id}-{uuid4().hex[:12]}"
        physical = name
        if described.arn:
            service, kind = described.arn.split(":")
            physical = f"arn:aws:{service}:{get_region()}:{get_account_id()}:{kind}/{name}"
        if physical in described.known:
            raise ValueError(f"{resource_type} {name} already exists")
        if described.create:
            answer = described.create(properties)
            physical = answer if isinstance(answer, str) else physical
        described.known[physical] = properties
        return physical, described.attributes(name, physical)

    def update(physical: str, _old: Properties, new: Properties, _stack_name: str) -> Created:
        described.known[physical] = new
        return physical, described.attributes(physical.rpartition("/")[2], physical)

    def delete(physical: str, properties: Properties) -> None:
        if described.known.pop(physical, None) is not None and described.delete:
            described.delete(physical, properties)

    return {"create": create, "update": update, "delete": delete}
