"""The lake from outside: what is put into it, what its ledger says, and what its services were asked for."""

from __future__ import annotations

import io
import json
import os
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import boto3

NAME = "shop-dev"
ACCOUNT, REGION = os.environ["ACCOUNT"], os.environ["AWS_REGION"]
RAW, CURATED = (f"{NAME}-{zone}-{ACCOUNT}-{REGION}" for zone in ("raw", "curated"))
MODELS = f"{NAME}-{ACCOUNT}-{REGION}-models"
ADVANCE, RELEASE = f"{NAME}-run-advance", f"{NAME}-model-release"
TRAIL = Path(os.environ["TRAIL"])
#: How long a machine that is busy with other things may take for what takes a second.
PATIENCE_SECONDS = 180

ENDS = {"SUCCEEDED", "FAILED", "CANCELLED"}

Item = dict[str, Any]

s3, events, functions, sqs = (boto3.client(service) for service in ("s3", "events", "lambda", "sqs"))
glue, databrew, athena, sagemaker = (boto3.client(service) for service in ("glue", "databrew", "athena", "sagemaker"))
iam, sns, cloudwatch, kms = (boto3.client(service) for service in ("iam", "sns", "cloudwatch", "kms"))
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


def impatient() -> None:
    """Lets releases look every second at what becomes of them."""
    variables = functions.get_function_configuration(FunctionName=RELEASE)["Environment"]["Variables"]
    functions.update_function_configuration(
        FunctionName=RELEASE, Environment={"Variables": variables | {"WAIT_SECONDS": "1"}}
    )


def training(run: str) -> str:
    """The name of the training job of a run's first attempt."""
    return f"{NAME}-taste-{sha256(f'{run}/taste/1'.encode()).hexdigest()[:15]}"


def trained(run: str) -> None:
    """Puts what the training of a run will have made where it will be."""
    s3.put_object(Bucket=MODELS, Key=f"taste/{training(run)}/output/model.tar.gz", Body=b"model")


def released(run: str) -> Item:
    """What became of the model of a run."""
    key = {"pk": "RELEASES#taste", "sk": training(run)}
    ends = ("RELEASED", "REFUSED", "FAILED")

    def look() -> Item | None:
        item = ledger.get_item(Key=key, ConsistentRead=True).get("Item", {})
        return item if item.get("state") in ends else None

    return until(look, f"the release of {training(run)}")


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
            said = {"SUCCEEDED": "Succeeded", "STOPPED": "Failed"}[state]
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
    of = ("glue:Start", "databrew:Start", "athena:Start", "sagemaker:Create")
    return Counter(line["action"] for line in trail() if line["action"].startswith(of))


def verdict(table: str, said: str) -> None:
    """What evaluations of a table's rules come to from now on."""
    ruleset = f"arn:aws:glue:{REGION}:{ACCOUNT}:dataQualityRuleset/{NAME}-{table}"
    glue.tag_resource(ResourceArn=ruleset, TagsToAdd={"verdict": said})


def age(item: Item) -> None:
    """Lets a step have begun so long ago that whoever began it is gone."""
    long_ago = "2026-01-01T00:00:00.000Z"
    ledger.update_item(
        Key={"pk": item["pk"], "sk": item["sk"]},
        UpdateExpression="SET claimed = :long_ago",
        ExpressionAttributeValues={":long_ago": long_ago},
    )


def finish(name: str) -> Item:
    """Cancels a run, of whose ends nobody tells."""
    call({"cancel": name})

    def look() -> Item | None:
        for item in steps(name).values():
            if item["state"] in ("STARTING", "RUNNING"):
                age(item)
        call({"reconcile": True})
        item = run(name)
        return item if item["state"] in ENDS else None

    return until(look, f"the end of {name}")


@contextmanager
def refusing(action: str) -> Iterator[None]:
    """Takes an action away from the function for a while."""
    role, policy = f"{NAME}-pipeline", "refusal"
    document = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": action, "Resource": "*"}}
    iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName=policy)


def given_up() -> Item | None:
    """What is kept in the queue of events that could not be acted on."""
    queue = sqs.get_queue_url(QueueName=f"{NAME}-run-failed")["QueueUrl"]
    messages = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0).get("Messages", [])
    return json.loads(messages[0]["Body"]) if messages else None


def count_given_up(count: int) -> None:
    """Says for SQS, which does not here, how many messages that queue holds."""
    dimensions = [{"Name": "QueueName", "Value": f"{NAME}-run-failed"}]
    metric = {"MetricName": "ApproximateNumberOfMessagesVisible", "Dimensions": dimensions, "Value": count}
    cloudwatch.put_metric_data(Namespace="AWS/SQS", MetricData=[metric])


def listen() -> None:
    """Hears what people are told by mail."""
    queue = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topics = {"Service": "sns.amazonaws.com"}
    allow = {"Effect": "Allow", "Principal": topics, "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=f"arn:aws:sns:{REGION}:{ACCOUNT}:{NAME}-alert", Protocol="sqs", Endpoint=arn)


def told(about: str) -> str:
    """The message to people that speaks of this."""
    queue = sqs.get_queue_url(QueueName="told")["QueueUrl"]

    def look() -> str | None:
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            mail = json.loads(message["Body"])
            if about in mail["Message"]:
                return f"{mail.get('Subject', '')}\n{mail['Message']}"
        return None

    return until(look, f"a message about {about}")


def granted(role: str) -> set[str]:
    """The actions that the policies of a role allow."""
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    documents = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]
    return {action for document in documents for statement in document["Statement"] for action in statement["Action"]}


PROBE = """
import boto3
from botocore.exceptions import ClientError

def handler(event, context):
    try:
        getattr(boto3.client(event["service"]), event["call"])(**event["parameters"])
    except ClientError as error:
        return error.response["Error"]["Code"]
    return ""
"""


@contextmanager
def probe(role: str) -> Iterator[Callable[[str, str, Item], bool]]:
    """Makes calls as a role, in a function that has it; they answer whether the role may."""
    archive, name = io.BytesIO(), f"probe-{role}"
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("index.py", PROBE)
    arn = iam.get_role(RoleName=role)["Role"]["Arn"]
    code = {"ZipFile": archive.getvalue()}
    functions.create_function(
        FunctionName=name, Role=arn, Runtime="python3.13", Handler="index.handler", Code=code, Timeout=60
    )

    def may(service: str, call: str, parameters: Item) -> bool:
        payload = json.dumps({"service": service, "call": call, "parameters": parameters})
        answer = functions.invoke(FunctionName=name, Payload=payload)
        said = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, said
        return "AccessDenied" not in said and said != "AuthorizationError"

    try:
        yield may
    finally:
        functions.delete_function(FunctionName=name)


def everything() -> str:
    """What the ledger holds, for the message of a failure."""
    return "\n".join(str(item) for item in ledger.scan()["Items"])
