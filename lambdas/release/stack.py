"""The stack of an endpoint, its alarms, and the training jobs that end in it."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from botocore.exceptions import ClientError
from gate import Training

Model = Mapping[str, Any]

#: Clocks differ a little.
_SLACK = timedelta(seconds=5)


class Refused(Exception):
    """CloudFormation will not update the stack; the text says why."""


class Same(Exception):
    """The stack is already as the update would make it."""


def training(sagemaker: Any, name: str) -> Training | str:
    """A completed training job, or the state that it is in instead."""
    job = sagemaker.describe_training_job(TrainingJobName=name)
    if job["TrainingJobStatus"] != "Completed":
        return job["TrainingJobStatus"]
    metrics = sorted(job.get("FinalMetricDataList", ()), key=lambda metric: metric["Timestamp"])
    return Training(
        name=name,
        created=job["CreationTime"],
        metrics={metric["MetricName"]: metric["Value"] for metric in metrics},
        data=job["ModelArtifacts"]["S3ModelArtifacts"],
        image=job["AlgorithmSpecification"]["TrainingImage"],
    )


def alarms(cloudwatch: Any, model: Model) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The alarms that ring, and those that are not there."""
    found = cloudwatch.describe_alarms(AlarmNames=model["alarms"], AlarmTypes=["MetricAlarm"])["MetricAlarms"]
    states = {alarm["AlarmName"]: alarm["StateValue"] for alarm in found}
    ringing = tuple(name for name in model["alarms"] if states.get(name) == "ALARM")
    return ringing, tuple(name for name in model["alarms"] if name not in states)


def parameter(described: Mapping[str, Any] | None, key: str) -> str:
    """The value of a parameter of a stack; empty when there is none."""
    entries = (described or {}).get("Parameters", ())
    return next((entry["ParameterValue"] for entry in entries if entry["ParameterKey"] == key), "")


class Stack:
    """The stack of the endpoint of `model`, in the place that `arn` (of anything there) says."""

    def __init__(self, cloudformation: Any, model: Model, arn: str):
        self.cloudformation, self.model = cloudformation, model
        _, self.partition, _, self.region, self.account, *_ = arn.split(":")

    def describe(self) -> Mapping[str, Any] | None:
        """What CloudFormation says about it; `None` when it is not there."""
        try:
            return self.cloudformation.describe_stacks(StackName=self.model["stack"])["Stacks"][0]
        except ClientError as error:
            if "does not exist" in error.response["Error"]["Message"]:
                return None
            raise

    def update(self, training: Training, watched: bool, token: str) -> None:
        """Asks CloudFormation to make the model live; asked again with the same token, it does nothing more.

        Raises:
            Same: it is live already.
            Refused: CloudFormation says no.
        """
        released = {
            "ModelData": training.data,
            "ModelImage": training.image,
            "TrainingJob": training.name,
            "ReleaseId": sha256(training.name.encode()).hexdigest()[:8],
            "Watched": "yes" if watched else "",
        }
        described = self.describe() or {}
        parameters = [
            {"ParameterKey": key, "ParameterValue": released[key]}
            if key in released
            else {"ParameterKey": key, "UsePreviousValue": True}
            for key in (entry["ParameterKey"] for entry in described.get("Parameters", ()))
        ]
        try:
            self.cloudformation.update_stack(
                StackName=self.model["stack"],
                UsePreviousTemplate=True,
                Parameters=parameters,
                RoleARN=f"arn:{self.partition}:iam::{self.account}:role/{self.model['role']}",
                RollbackConfiguration=self._rollback(watched),
                ClientRequestToken=token,
            )
        except self.cloudformation.exceptions.TokenAlreadyExistsException:
            return
        except ClientError as error:
            message = error.response["Error"].get("Message", "")
            if error.response["Error"]["Code"] in ("ValidationError", "AccessDenied"):
                if "No updates are to be performed" in message:
                    raise Same from error
                raise Refused(message[:500]) from error
            raise

    def _rollback(self, watched: bool) -> Mapping[str, Any]:
        # On instances, SageMaker watches the alarms itself while the old machines wait; the template says for how long.
        minutes = self.model["watch_minutes"] if watched else 0
        if not minutes:
            return {"RollbackTriggers": [], "MonitoringTimeInMinutes": 0}
        place = f"arn:{self.partition}:cloudwatch:{self.region}:{self.account}:alarm:"
        triggers = [{"Arn": place + name, "Type": "AWS::CloudWatch::Alarm"} for name in self.model["alarms"]]
        return {"RollbackTriggers": triggers, "MonitoringTimeInMinutes": minutes}

    def states(self, token: str, since: datetime) -> tuple[list[tuple[str, str | None]], str | None]:
        """The states that an update brought to the stack, the newest first, and why the first resource failed."""
        states, failure = [], None
        for event in self._events(since):
            if event.get("ClientRequestToken") != token:
                continue
            status, reason = event["ResourceStatus"], event.get("ResourceStatusReason")
            if event["PhysicalResourceId"] == event["StackId"]:
                states.append((status, reason))
            elif status.endswith("_FAILED") and "cancelled" not in (reason or ""):
                failure = f"{event['LogicalResourceId']}: {reason}"
        return states, failure

    def _events(self, since: datetime) -> Iterator[Mapping[str, Any]]:
        pages = self.cloudformation.get_paginator("describe_stack_events").paginate(StackName=self.model["stack"])
        for page in pages:
            for event in page["StackEvents"]:
                if event["Timestamp"] < since - _SLACK:
                    return
                yield event
