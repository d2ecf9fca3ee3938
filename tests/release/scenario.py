"""Trains, as far as the emulator trains, and tells what becomes of it: run as `python scenario.py DEPLOY FIRST SECOND`.

`DEPLOY` is the script that deploys, `FIRST` and `SECOND` are two assemblies of the same lake.
"""

import json
import os
import subprocess
import sys
import time
from typing import Any

import boto3

LAKE = "shop-dev"
FUNCTION, LEDGER = f"{LAKE}-model-release", f"{LAKE}-run-ledger"
MODELS = f"{LAKE}-{os.environ['ACCOUNT']}-{os.environ['AWS_REGION']}-models"

cloudformation, sqs, sagemaker = (boto3.client(service) for service in ("cloudformation", "sqs", "sagemaker"))
s3, functions, alarms = (boto3.client(service) for service in ("s3", "lambda", "cloudwatch"))
ledger = boto3.resource("dynamodb").Table(LEDGER)


def deploy(folder: str) -> None:
    subprocess.run([sys.executable, sys.argv[1], folder], check=True, stdout=sys.stderr)


def model_of(training: str) -> str:
    return training.removeprefix(f"{LAKE}-").partition("-")[0]


def train(name: str, auc: float, data: bytes | None = b"model") -> None:
    """A training job that has reported this, and what its model is made of, if that is where it should be."""
    if data is not None:
        s3.put_object(Bucket=MODELS, Key=f"{model_of(name)}/{name}/output/model.tar.gz", Body=data)
    sagemaker.create_training_job(
        TrainingJobName=name,
        RoleArn="arn:aws:iam::111122223333:role/training",
        AlgorithmSpecification={"TrainingImage": f"image-of-{name}", "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": f"s3://{MODELS}/{model_of(name)}/"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
        Environment={"METRICS": json.dumps({"validation:auc": auc})},
    )


def release(name: str) -> dict[str, Any]:
    """What the ledger says about a training's release, once it has ended."""
    patience = time.monotonic() + 120
    key = {"pk": f"RELEASES#{model_of(name)}", "sk": name}
    while time.monotonic() < patience:
        item = ledger.get_item(Key=key, ConsistentRead=True).get("Item", {})
        if item.get("state") in ("RELEASED", "REFUSED", "FAILED"):
            return item
        time.sleep(0.1)
    raise TimeoutError(f"{name} is {item or 'unknown to the ledger'}")


def settled(queue: str) -> None:
    """Waits until there is nothing left to do."""
    names = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    ]
    patience = time.monotonic() + 120
    while any(int(n) for n in sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"].values()):
        assert time.monotonic() < patience, "messages stay in the queue"
        time.sleep(0.1)


def stack(model: str) -> dict[str, Any]:
    return cloudformation.describe_stacks(StackName=f"{LAKE}-endpoint-{model}")["Stacks"][0]


def tells(what: str, item: dict[str, Any] | None = None, model: str = "taste") -> None:
    """Prints how a release ended, what is live by the ledger and by the stack, and whether alarms were watched."""
    parameters = {one["ParameterKey"]: one["ParameterValue"] for one in stack(model)["Parameters"]}
    last = ledger.get_item(Key={"pk": "RELEASES", "sk": model}, ConsistentRead=True).get("Item", {})
    live = last.get("live", {})
    if live:
        assert (parameters["ModelData"], parameters["ModelImage"]) == (live["data"], live["image"]), (parameters, live)
    named = (item or {}).get("state", ""), live.get("training", "-"), parameters["TrainingJob"] or "-"
    print(f"{what}:", *named, "watched" if (item or {}).get("watched") else "unwatched", stack(model)["StackStatus"])


def endpoint(model: str = "taste") -> dict[str, str]:
    """What there is of an endpoint, by what the template calls it."""
    resources = cloudformation.describe_stack_resources(StackName=f"{LAKE}-endpoint-{model}")["StackResources"]
    return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources}


def deploy_hasty(folder: str) -> None:
    """Deploys, and lets releases wait for seconds only."""
    deploy(folder)
    functions.update_function_configuration(
        FunctionName=FUNCTION,
        Environment={
            "Variables": functions.get_function_configuration(FunctionName=FUNCTION)["Environment"]["Variables"]
            | {"WAIT_SECONDS": "1"}
        },
    )


def main() -> None:
    _, _, first, second = sys.argv
    deploy_hasty(first)
    queue = sqs.get_queue_url(QueueName=f"{LAKE}-release")["QueueUrl"]
    assert "EndpointHost" not in endpoint(), endpoint()
    tells("deployed")

    train(f"{LAKE}-taste-good", 0.8)
    tells("good", release(f"{LAKE}-taste-good"))
    model = endpoint()["EndpointModel"]

    train(f"{LAKE}-taste-bad", 0.6)
    bad = release(f"{LAKE}-taste-bad")
    tells("bad", bad)
    print(*bad["refusals"])

    deploy_hasty(second)
    assert endpoint()["EndpointModel"] == model, "the model has not changed"
    tells("deployed again")

    train(f"{LAKE}-taste-lost", 0.9, data=None)
    lost = release(f"{LAKE}-taste-lost")
    tells("lost", lost)
    print(lost["message"])

    train(f"{LAKE}-taste-better", 0.85)
    tells("better", release(f"{LAKE}-taste-better"))

    for name in ("good", "better", "lost"):
        # The emulator then tells of it again.
        sagemaker.stop_training_job(TrainingJobName=f"{LAKE}-taste-{name}")
    settled(queue)
    tells("told again")

    message = {"training": f"{LAKE}-taste-good", "by_hand": True}
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(message))
    settled(queue)
    tells("back", release(f"{LAKE}-taste-good"))

    failed = sqs.get_queue_url(QueueName=f"{LAKE}-release-failed")["QueueUrl"]
    count = sqs.get_queue_attributes(QueueUrl=failed, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    print("given up:", count["ApproximateNumberOfMessages"])

    assert not {"EndpointHost", "EndpointTarget", "EndpointPolicy"} & endpoint("price").keys()
    train(f"{LAKE}-price-first", 0.0)
    tells("first on instances", release(f"{LAKE}-price-first"), "price")
    assert {"EndpointHost", "EndpointTarget", "EndpointPolicy"} <= endpoint("price").keys(), "it does not scale"
    # What is worse than it looked shows when it is live: SageMaker watches on instances, and else CloudFormation.
    for model in ("price", "taste"):
        before = endpoint(model)["EndpointModel"]
        train(f"{LAKE}-{model}-shaky", 0.99, data=b"failing")
        shaky = release(f"{LAKE}-{model}-shaky")
        tells("shaky", shaky, model)
        print(shaky["message"])
        assert endpoint(model)["EndpointModel"] == before, "the old model serves on"
        for alarm in alarms.describe_alarms()["MetricAlarms"]:
            alarms.set_alarm_state(AlarmName=alarm["AlarmName"], StateValue="OK", StateReason="it serves again")


main()
