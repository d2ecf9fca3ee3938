"""Hears what happens in the lake, keeps the ledger, and starts the steps whose inputs are fresh."""

import os
from functools import cache
from typing import Any

import boto3

import events
from ledger import Item, Ledger
from plan import Plan
from runs import Runs, Unknown
from services import Service, services

_MOST_ID = 256


class Refused(Exception):
    """A call that cannot be meant; the text is for people."""


def handler(event: dict[str, Any], context: Any) -> Any:
    runs = Runs(_ledger(), _plan(context.invoked_function_arn), _services(), _teller(), lambda: _left(context))
    match event:
        case {"detail-type": _}:
            return hear(runs, event)
        case {"start": {"pipeline": str() as pipeline}}:
            return call(lambda: started(runs.start(pipeline, None, "call", token(event))))
        case {"start": {"steps": list() as steps}} if all(isinstance(step, str) for step in steps):
            return call(lambda: started(runs.start(None, steps, "call", token(event))))
        case {"cancel": str() as run}:
            return call(lambda: started(runs.cancel(run)))
        case {"reconcile": True}:
            return {"runs": runs.reconcile()}
    raise Refused("say `start`, `cancel` or `reconcile`, or send an event")


def hear(runs: Runs, event: dict[str, Any]) -> None:
    """Acts on an event of EventBridge."""
    match events.read(event, runs.plan.pipelines, os.environ["TICK_RULE"]):
        case list() as starts:
            for start in starts:
                runs.start(start.pipeline, None, start.cause, start.token)
        case events.Ended() as end:
            runs.ended(end)
        case events.Crawled() as crawl:
            runs.crawled(crawl)
        case events.Tick():
            runs.reconcile()
        case None:
            return


def token(event: dict[str, Any]) -> str | None:
    """The caller's own name for a start."""
    written = event.get("id")
    if written is not None and not (isinstance(written, str) and 0 < len(written) <= _MOST_ID):
        raise Refused(f"`id` is a text of at most {_MOST_ID} characters")
    return written


def started(run: Item) -> dict[str, str]:
    return {"run": run["run"], "state": run["state"]}


def call(act: Any) -> Any:
    try:
        return act()
    except Unknown as error:
        raise Refused(str(error)) from error


@cache
def _ledger() -> Ledger:
    return Ledger(boto3.client("dynamodb"), os.environ["LEDGER"])


@cache
def _services() -> dict[str, Service]:
    return services()


@cache
def _plan(function: str) -> Plan:
    _, partition, _, region, account, *_ = function.split(":")
    place = {"Bucket": os.environ["ASSET_BUCKET"], "Key": os.environ["PLAN"]}
    text = boto3.client("s3").get_object(**place)["Body"].read().decode()
    values = {
        "AWS::Partition": partition,
        "AWS::Region": region,
        "AWS::AccountId": account,
        "AssetBucket": place["Bucket"],
        "KeyArn": os.environ["KEY_ARN"],
    }
    return Plan(text, values)


@cache
def _teller() -> Any:
    topic = os.environ.get("TOPIC_ARN")
    if not topic:
        return None
    sns, lake = boto3.client("sns"), f"{os.environ['LAKE']} in {os.environ['LAKE_ENV']}"

    def tell(run: Item) -> None:
        what = f"pipeline {run['pipeline']}" if "pipeline" in run else f"steps {', '.join(run['steps']) or 'all'}"
        when = f"run {run['run']}, begun {run.get('started')}"
        text = f"{what} of {lake} has failed\n\n{run.get('message', '')}\n\n{when}\n"
        sns.publish(TopicArn=topic, Subject=f"{lake}: {what} failed"[:99], Message=text)

    return tell


def _left(context: Any) -> float:
    return context.get_remaining_time_in_millis() / 1000
