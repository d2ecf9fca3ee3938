"""What an event of EventBridge says. Pure.

Sources: the EventBridge pages of each service's guide (Amazon S3 "Event message structure", AWS Glue "Automating with
CloudWatch Events", DataBrew "Monitoring with CloudWatch Events", Athena "Query state transitions", SageMaker
"Automating with EventBridge"), AWS Glue "Setting up alerts, deployments, and scheduling" for data quality.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from decide import FAILED, STOPPED, SUCCEEDED

#: detail-type: the step's kind, then where the detail says which execution, which state, and why.
_ENDS = {
    "Glue Job State Change": ("job", "jobRunId", "state", "message"),
    "DataBrew Job State Change": ("recipe", "jobRunId", "state", "message"),
    "Athena Query State Change": ("query", "queryExecutionId", "currentState", "athenaError"),
    "SageMaker Training Job State Change": ("model", "TrainingJobName", "TrainingJobStatus", "FailureReason"),
}
#: How the services call the ends of their work, in upper case.
_STATES = {
    "SUCCEEDED": SUCCEEDED,
    "COMPLETED": SUCCEEDED,
    "FAILED": FAILED,
    "ERROR": FAILED,
    "TIMEOUT": FAILED,
    "EXPIRED": FAILED,
    "STOPPED": STOPPED,
    "CANCELLED": STOPPED,
}


#: Instead of a state: there are results, and the service is to be asked for them.
RESULTS = "RESULTS"


@dataclass(frozen=True)
class Start:
    """A pipeline is to start; the same token is the same start."""

    pipeline: str
    cause: str
    token: str


@dataclass(frozen=True)
class Ended:
    """An execution has ended."""

    kind: str
    execution: str
    state: str
    message: str | None
    #: Of the job, where the service has more than its executions.
    name: str | None


@dataclass(frozen=True)
class Crawled:
    """A crawler has ended a crawl; which one, the event does not say."""

    crawler: str


@dataclass(frozen=True)
class Tick:
    """Time to look after what is under way."""


def outcome(state: str) -> str | None:
    """How a service's word for a state ends a step; `None` when it does not."""
    return _STATES.get(state.upper())


def read(
    event: Mapping[str, Any], pipelines: Mapping[str, Any], tick: str
) -> list[Start] | Ended | Crawled | Tick | None:
    """What an event means for a lake with these pipelines, whose periodic rule is called `tick`."""
    detail = event.get("detail") or {}
    match event.get("detail-type"):
        case "Scheduled Event":
            rules = {arn.rpartition("/")[2] for arn in event.get("resources", ())}
            if tick in rules:
                return Tick()
            return [
                Start(name, "schedule", f"{rule}@{event['time']}")
                for name, pipeline in pipelines.items()
                for rule in sorted(rules & set(pipeline["rules"]))
            ]
        case "Object Created":
            bucket, key = detail["bucket"]["name"], unquote_plus(detail["object"]["key"])
            version = detail["object"].get("sequencer") or event["id"]
            return [
                Start(name, "upload", f"{name}@{bucket}/{key}@{version}")
                for name, pipeline in pipelines.items()
                if not key.endswith("/")
                and any(bucket == place["bucket"] and key.startswith(place["prefix"]) for place in pipeline["uploads"])
            ]
        case "Glue Crawler State Change":
            return Crawled(detail["crawlerName"]) if outcome(detail["state"]) else None
        case "Data Quality Evaluation Results Available":
            # A job may evaluate rules, too, and then has no run of this sort.
            evaluation = detail["context"].get("runId")
            return Ended("check", evaluation, RESULTS, None, None) if evaluation else None
        case kind if kind in _ENDS:
            kind, execution, state, message = _ENDS[kind]
            ended = outcome(detail[state])
            why = detail.get(message)
            if isinstance(why, dict):
                why = why.get("errorMessage")
            why = why if ended == FAILED else None
            return Ended(kind, detail[execution], ended, why, detail.get("jobName")) if ended else None
    return None
