"""Endpoints that answer, as far as releases and scaling are concerned.

What is wrong with a model shows when it goes live: one whose data is `failing` answers with errors, of which CloudWatch
is told. Alarms that watch the change then take it back: those of the endpoint's own deployment, or those of the update
of its stack. What scales is a variant on instances of an endpoint that is there.

Sources: `AutoRollbackConfiguration` of SageMaker's API reference, "Roll back your CloudFormation stack on alarm
breach", and `RegisterScalableTarget` of Application Auto Scaling's.
"""

from typing import Any

from ministack.services import cloudwatch, s3
from ministack.services.cloudformation import handlers, provisioners

from aws_emulator.resource_types import TYPES

Properties = dict[str, Any]
Created = tuple[str, dict[str, str]]

triggers: dict[str, list[str]] = {}
"""Names of the alarms that watch the last update of a stack."""


def register() -> None:
    endpoint = provisioners._RESOURCE_HANDLERS["AWS::SageMaker::Endpoint"]
    target = provisioners._RESOURCE_HANDLERS["AWS::ApplicationAutoScaling::ScalableTarget"]
    update_stack, update, create_target = handlers._update_stack, endpoint["update"], target["create"]

    def updated_stack(params: Properties) -> Any:
        place = "RollbackConfiguration.RollbackTriggers.member."
        arns = [handlers._p(params, key) for key in params if key.startswith(place) and key.endswith(".Arn")]
        triggers[handlers._p(params, "StackName")] = [arn.rpartition(":alarm:")[2] for arn in arns]
        return update_stack(params)

    def updated(physical: str, old: Properties, new: Properties, stack: str) -> Created:
        serve(new, stack)
        return update(physical, old, new, stack)

    def scaled(logical: str, properties: Properties, stack: str) -> Created:
        _, name, _, variant = properties["ResourceId"].split("/")
        found = [one for one in variants(settings_of(name)) if one["VariantName"] == variant]
        if not found or "InstanceType" not in found[0]:
            raise ValueError(f"{properties['ResourceId']} does not exist or does not scale")
        return create_target(logical, properties, stack)

    handlers._ACTION_HANDLERS["UpdateStack"] = updated_stack
    endpoint["update"], target["create"] = updated, scaled


def of(kind: str, name: str) -> Properties:
    """What there is of this name."""
    known = TYPES[f"AWS::SageMaker::{kind}"].known
    return next((properties for arn, properties in known.items() if arn.endswith(f"/{name}")), {})


def settings_of(endpoint: str) -> str:
    return of("Endpoint", endpoint).get("EndpointConfigName", "")


def variants(settings: str) -> list[Properties]:
    return of("EndpointConfig", settings).get("ProductionVariants", [])


def fails(variant: Properties) -> bool:
    place = of("Model", variant["ModelName"]).get("PrimaryContainer", {}).get("ModelDataUrl", "")
    bucket, _, key = place.removeprefix("s3://").partition("/")
    return s3._buckets.get(bucket, {}).get("objects", {}).get(key, {}).get("body") == b"failing"


def serve(properties: Properties, stack: str) -> None:
    """Lets the models of an endpoint's settings go live."""
    if not any(map(fails, variants(properties["EndpointConfigName"]))):
        return
    errors = {"MetricName": "Invocation5XXErrors", "Value": 1.0}
    cloudwatch._put_metric_data({}, {"Namespace": "AWS/SageMaker", "MetricData": [errors]}, False, True)
    cloudwatch._evaluate_all_alarms()
    own = properties.get("DeploymentConfig", {}).get("AutoRollbackConfiguration", {}).get("Alarms", [])
    for alarm in [one["AlarmName"] for one in own] + triggers.get(stack, []):
        if cloudwatch._alarms[alarm]["StateValue"] == "ALARM":
            raise ValueError(f"{alarm} rings")
