"""Makes a trained model live, if its metrics allow it; `docs/release.md` of lakegen says how.

Every message of the queue names a training job. As long as there is something to wait for, the message is put back with
a delay; so what fails here, and only that, is tried a few times and ends in the queue of failures.
"""

import json
import math
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3
import gate
from gate import FAILED, REFUSED, RELEASED, UPDATING, Training
from releases import Item, Lost, Releases, moment, now, under_way, written
from stack import Model, Refused, Same, Stack, alarms, parameter, training

#: For so long a release waits for other updates and for alarms that ring.
_PATIENCE = timedelta(hours=6)


class Later(Exception):
    """There is something to wait for; the text says what."""


def handler(event: Mapping[str, Any], context: Any) -> None:
    for record in event["Records"]:
        message = json.loads(record["body"])
        message.setdefault("id", record["messageId"])
        message.setdefault("since", int(record["attributes"]["SentTimestamp"]))
        try:
            release(message, context.invoked_function_arn)
        except (Later, Lost) as error:
            say(message["training"], f"waits: {error}")
            delay = int(os.environ["WAIT_SECONDS"])
            client("sqs").send_message(
                QueueUrl=os.environ["QUEUE_URL"], MessageBody=json.dumps(message), DelaySeconds=delay
            )


def release(message: Mapping[str, Any], arn: str) -> None:
    """Takes a training as far as it comes now.

    Raises:
        Later: it can come further.
        Lost: somebody else was at it.
    """
    name = message["training"]
    found = model_of(name, models())
    if found is None:
        return say(name, "is no training of a model with an endpoint")
    model, described = found
    releases = Releases(client("dynamodb"), os.environ["LEDGER"], model, described["step"])
    stack = Stack(client("cloudformation"), described, arn)
    last = releases.last()
    if under_way(last):
        last = settle(releases, last, stack)
    earlier = releases.of(name) or {}
    if earlier.get("request") == message["id"]:
        return None
    trained = training(client("sagemaker"), name)
    if isinstance(trained, str):
        if trained in ("InProgress", "Stopping"):
            raise Later(f"the training is {trained}")
        return say(name, f"is {trained}")
    begin(releases, last, earlier.get("state"), stack, trained, message)
    return None


def begin(
    releases: Releases,
    last: Item,
    earlier: str | None,
    stack: Stack,
    trained: Training,
    message: Mapping[str, Any],
) -> None:
    """Judges a training, and begins its release."""
    described = stack.describe()
    live = last.get("live") if parameter(described, "TrainingJob") else None
    ringing, missing = alarms(client("cloudwatch"), stack.model)
    around = gate.Surroundings(
        stack=described["StackStatus"] if described else None,
        live=moment(live["created"]) if live else None,
        ended=earlier,
        ringing=ringing,
        missing=missing,
    )
    item: Item = {
        "training": trained.name,
        "created": written(trained.created),
        "run": releases.run(trained.name),
        "data": trained.data,
        "image": trained.image,
        "metrics": {metric: value for metric, value in trained.metrics.items() if math.isfinite(value)},
        "started": now(),
        "request": message["id"],
    }
    age = datetime.now(UTC) - datetime.fromtimestamp(message["since"] / 1000, UTC)
    match gate.decide(stack.model["gates"], trained, around, message.get("by_hand") is True):
        case gate.Drop(why):
            say(trained.name, f"is left alone: {why}")
        case gate.Wait(why) if age < _PATIENCE:
            raise Later(why)
        case gate.Wait(why) | gate.Fail(why):
            end(releases, last, item, FAILED, why)
        case gate.Refuse(refusals):
            end(releases, last, item | {"refusals": list(refusals)}, REFUSED, refusals[0])
        case gate.Release(watched):
            # Claimed before CloudFormation is asked: whoever finds the claim asks again with the same token.
            digits = "".join(filter(str.isalnum, item["started"]))
            item |= {"state": UPDATING, "watched": watched, "token": f"{trained.name}-{digits}"}
            ask(releases, releases.write(last, item), stack)
            raise Later("CloudFormation is at work")


def ask(releases: Releases, release: Item, stack: Stack) -> Item:
    """Asks CloudFormation for a release that is claimed."""
    trained = Training(release["training"], moment(release["created"]), {}, release["data"], release["image"])
    try:
        stack.update(trained, release["watched"], release["token"])
    except Same:
        return end(releases, release, release, RELEASED, None)
    except Refused as error:
        described = stack.describe()
        if described and described["StackStatus"].endswith("_IN_PROGRESS"):
            raise Later(f"the endpoint's stack is in {described['StackStatus']}") from error
        return end(releases, release, release, FAILED, str(error))
    return release


def settle(releases: Releases, release: Item, stack: Stack) -> Item:
    """Writes down how the release that is under way has ended.

    Raises:
        Later: it has not.
    """
    states, failure = stack.states(release["token"], moment(release["started"]))
    if not states:
        release = ask(releases, release, stack)
        if under_way(release):
            raise Later(f"CloudFormation was asked to release {release['training']}")
        return release
    ended = gate.outcome(states)
    if ended is None:
        raise Later(f"{release['training']} is being released: {states[0][0]}")
    state, reason = ended
    return end(releases, release, release, state, failure or reason if state == FAILED else None)


def end(releases: Releases, before: Item, release: Item, state: str, message: str | None) -> Item:
    """Writes an end, and tells people of one that they would not expect."""
    ended = {key: value for key, value in release.items() if key not in ("pk", "sk", "version", "live", "expires")}
    ended |= {"state": state, "ended": now(), "message": message}
    if state == RELEASED:
        live = {key: ended[key] for key in ("training", "created", "data", "image")}
        ended["live"] = live | {"since": ended["ended"]}
    ended = releases.write(before, ended)
    say(release["training"], f"{state}: {message}" if message else state)
    topic = os.environ.get("TOPIC_ARN")
    if topic and state != RELEASED:
        lake = f"{os.environ['LAKE']} in {os.environ['LAKE_ENV']}"
        what = "was refused by its gate" if state == REFUSED else "could not be released"
        live = (ended.get("live") or {}).get("training", "none")
        details = "\n".join(ended.get("refusals") or [message or ""])
        about = f"training {ended['training']}\nlive {live}\n"
        text = f"The model {releases.step} of {lake} {what}.\n\n{details}\n\n{about}"
        client("sns").publish(TopicArn=topic, Subject=f"{lake}: {releases.step} {what}"[:99], Message=text)
    return ended


def model_of(training: str, known: Mapping[str, Model]) -> tuple[str, Model] | None:
    """The model whose training jobs are called like this: what follows the model's part holds no hyphen."""
    stem = training.rpartition("-")[0]
    return next(((name, model) for name, model in known.items() if model["trainings"] == stem), None)


@cache
def models() -> Mapping[str, Model]:
    place = {"Bucket": os.environ["ASSET_BUCKET"], "Key": os.environ["MODELS"]}
    return json.loads(client("s3").get_object(**place)["Body"].read())


@cache
def client(service: str) -> Any:
    return boto3.client(service)


def say(training: str, what: str) -> None:
    print(json.dumps({"training": training, "says": what}))
