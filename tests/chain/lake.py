"""The lake from outside: what is put into it, what its ledger says, and what its services were asked for."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3

NAME = "shop-dev"
ACCOUNT, REGION = os.environ["ACCOUNT"], os.environ["AWS_REGION"]
RAW = f"{NAME}-raw-{ACCOUNT}-{REGION}"
ADVANCE = f"{NAME}-run-advance"
TRAIL = Path(os.environ["TRAIL"])
#: How long a machine that is busy with other things may take for what takes a second.
PATIENCE_SECONDS = 60

ENDS = {"SUCCEEDED", "FAILED", "CANCELLED"}

Item = dict[str, Any]

s3, events, functions, sqs = (boto3.client(service) for service in ("s3", "events", "lambda", "sqs"))
glue, databrew, athena, sagemaker = (boto3.client(service) for service in ("glue", "databrew", "athena", "sagemaker"))
ledger = boto3.resource("dynamodb").Table(f"{NAME}-run-ledger")


def until(look: Callable[[], Any], what: str) -> Any:
    """The first true answer."""
    patience = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < patience:
        answer = look()
        if answer:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"in vain: {what}\n{everything()}")


def put(name: str) -> None:
    """A file arrives."""
    s3.put_object(Bucket=RAW, Key=f"orders/{name}.csv", Body=b"id,customer,amount\n1,7,2.5\n")


def query(partition: str) -> list[Item]:
    values = {":pk": partition}
    answer = ledger.query(KeyConditionExpression="pk = :pk", ExpressionAttributeValues=values, ConsistentRead=True)
    return answer["Items"]


def runs() -> list[Item]:
    """All runs, the oldest first."""
    return query("RUNS")


def run(name: str) -> Item:
    return next(item for item in runs() if item["run"] == name)


def steps(name: str) -> dict[str, Item]:
    """What the ledger knows of the steps of a run."""
    return {item["step"]: item for item in query(f"RUN#{name}")}


def new_run(known: set[str]) -> str:
    """The run that there is besides those."""
    (name,) = until(lambda: {item["run"] for item in runs()} - known, "a new run")
    return name


def step(name: str, step: str, state: str, attempt: int = 1) -> Item:
    """Waits until a step of a run is in a state."""

    def look() -> Item | None:
        ended = run(name)["state"] in ENDS
        item = steps(name).get(step, {})
        found = (item.get("state"), item.get("attempt")) == (state, attempt)
        assert found or not ended, f"the run has ended without {step} {state}, attempt {attempt}\n{everything()}"
        return item if found else None

    return until(look, f"{step} {state}, attempt {attempt}")


def ended(name: str) -> Item:
    return until(lambda: (item := run(name))["state"] in ENDS and item, f"the end of {name}")


def tell(source: str, kind: str, detail: dict[str, Any]) -> None:
    """Speaks to EventBridge for a service."""
    answer = events.put_events(Entries=[{"Source": source, "DetailType": kind, "Detail": json.dumps(detail)}])
    assert answer["FailedEntryCount"] == 0, answer


def tell_end(item: Item, state: str = "SUCCEEDED") -> None:
    """Tells EventBridge that the execution of a step has ended, as its service does."""
    name = f"{NAME}-{item['step']}"
    match item["kind"]:
        case "crawler":
            until(lambda: glue.get_crawler(Name=name)["Crawler"]["State"] == "READY", "the crawl's end")
            said = {"SUCCEEDED": "Succeeded"}[state]
            tell("aws.glue", "Glue Crawler State Change", {"crawlerName": name, "state": said})
        case "recipe":
            detail = {"jobName": name, "jobRunId": item["execution"], "state": state, "message": "as told"}
            tell("aws.databrew", "DataBrew Job State Change", detail)
        case "query":
            detail = {"queryExecutionId": item["execution"], "currentState": state, "workgroupName": NAME}
            tell("aws.athena", "Athena Query State Change", detail)
        case "job":
            detail = {"jobName": name, "jobRunId": item["execution"], "state": state, "message": "as told"}
            tell("aws.glue", "Glue Job State Change", detail)
        case kind:
            raise ValueError(f"{kind} tells by itself")


def call(payload: dict[str, Any]) -> Any:
    """Calls the function as a person does."""
    answer = functions.invoke(FunctionName=ADVANCE, Payload=json.dumps(payload))
    return json.loads(answer["Payload"].read())


def trail(role: str | None = None) -> list[Item]:
    """What roles asked for, and whether they might."""
    lines = TRAIL.read_text().splitlines() if TRAIL.exists() else []
    return [line for line in map(json.loads, lines) if role in (None, line["role"])]


def starts() -> Counter[str]:
    """How often the services were asked to start something, as they were asked and not as the ledger has it."""
    of = {"glue:StartCrawler", "databrew:StartJobRun", "athena:StartQueryExecution", "glue:StartJobRun"}
    return Counter(line["action"] for line in trail() if line["action"] in of | {"sagemaker:CreateTrainingJob"})


def everything() -> str:
    """What the ledger holds, for the message of a failure."""
    return "\n".join(str(item) for item in ledger.scan()["Items"])
