"""Which changes make a new resource: MiniStack knows it of some types only and calls all others' changes doubtful.

Source: `createOnlyProperties` of the resource provider schemas of the CloudFormation registry.
"""

from ministack.services.cloudformation import provisioners

CREATE_ONLY: dict[str, tuple[str, ...]] = {
    "AWS::ApiGateway::Account": (),
    "AWS::ApiGateway::ApiKey": ("GenerateDistinctId", "Name", "Value"),
    "AWS::ApiGateway::Authorizer": ("RestApiId",),
    "AWS::ApiGateway::BasePathMapping": ("BasePath", "DomainName"),
    "AWS::ApiGateway::Deployment": ("DeploymentCanarySettings", "RestApiId"),
    "AWS::ApiGateway::DomainName": ("DomainName",),
    "AWS::ApiGateway::GatewayResponse": ("ResponseType", "RestApiId"),
    "AWS::ApiGateway::Method": ("HttpMethod", "ResourceId", "RestApiId"),
    "AWS::ApiGateway::Model": ("ContentType", "Name", "RestApiId"),
    "AWS::ApiGateway::RequestValidator": ("Name", "RestApiId"),
    "AWS::ApiGateway::Resource": ("ParentId", "PathPart", "RestApiId"),
    "AWS::ApiGateway::RestApi": (),
    "AWS::ApiGateway::Stage": ("RestApiId", "StageName"),
    "AWS::ApiGateway::UsagePlan": (),
    "AWS::ApiGateway::UsagePlanKey": ("KeyId", "KeyType", "UsagePlanId"),
    "AWS::Cognito::UserPoolClient": ("GenerateSecret", "UserPoolId"),
    "AWS::Glue::Table": ("CatalogId", "DatabaseName", "Name"),
    "AWS::KMS::Alias": ("AliasName",),
    "AWS::KMS::Key": (),
    "AWS::Lambda::Permission": ("Action", "FunctionName", "Principal", "SourceAccount", "SourceArn"),
    "AWS::Logs::LogGroup": ("LogGroupName",),
    "AWS::S3::Bucket": ("BucketName", "BucketNamePrefix", "BucketNamespace"),
    "AWS::S3::BucketPolicy": ("Bucket",),
    "AWS::WAFv2::LoggingConfiguration": ("ResourceArn",),
    "AWS::WAFv2::WebACLAssociation": ("ResourceArn", "WebACLArn"),
}


def register() -> None:
    for resource_type, properties in CREATE_ONLY.items():
        provisioners._REPLACING_PROPERTIES.setdefault(resource_type, properties)
