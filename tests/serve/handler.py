"""A function that does what its path asks for."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

CALLS = 0


def handler(event: dict[str, Any], context: Any) -> Any:
    global CALLS
    CALLS += 1
    return globals()[event["pathParameters"]["what"]](event, context)


def answer(body: Any, status: int = 200) -> dict[str, Any]:
    return {"statusCode": status, "headers": {"X-Own": "yes"}, "body": json.dumps(body)}


def hello(event: dict[str, Any], context: Any) -> Any:
    return answer("hello")


def echo(event: dict[str, Any], context: Any) -> Any:
    return answer(event, 201)


def process(event: dict[str, Any], context: Any) -> Any:
    print("counted", CALLS)
    return answer({"pid": os.getpid(), "calls": CALLS})


def around(event: dict[str, Any], context: Any) -> Any:
    names = [
        "LAKE",
        "LAKE_ENV",
        "CORS_ORIGIN",
        "AWS_REGION",
        "TABLE_SERVING",
        "TABLE_ORDERS",
        "ENDPOINT_RANKER",
        "MODE",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    ]
    return answer(
        {
            "environment": {name: os.environ.get(name) for name in names},
            "leaked": sorted(name for name in os.environ if name in ("HOME", "SECRET_OF_THE_SHELL")),
            "name": context.function_name,
            "arn": context.invoked_function_arn,
            "memory": context.memory_limit_in_mb,
            "in_time": 0 < context.get_remaining_time_in_millis() <= 900_000,
            "folder": os.path.basename(os.getcwd()),
        }
    )


def wrong(event: dict[str, Any], context: Any) -> Any:
    raise KeyError("no such user")


def malformed(event: dict[str, Any], context: Any) -> Any:
    return {"status": 200}


def large(event: dict[str, Any], context: Any) -> Any:
    return answer("x" * 7_000_000)


def die(event: dict[str, Any], context: Any) -> Any:
    os._exit(3)


def dawdle(event: dict[str, Any], context: Any) -> Any:
    Path(os.environ["MEETING"], f"pid-{os.getpid()}").touch()
    time.sleep(300)


def meet(event: dict[str, Any], context: Any) -> Any:
    """Waits until as many requests are under way as are asked for."""
    place = Path(os.environ["MEETING"])
    place.joinpath(context.aws_request_id).touch()
    while sum(1 for _ in place.iterdir()) < int(event["queryStringParameters"]["count"]):
        time.sleep(0.01)
    return answer({"pid": os.getpid()})


def recommend(event: dict[str, Any], context: Any) -> Any:
    """What a real handler does: an item, a file, a model."""
    import boto3  # here, because it takes long and only this needs it

    user = event["queryStringParameters"]["user"]
    found = boto3.client("dynamodb").get_item(TableName=os.environ["TABLE_SERVING"], Key={"user_id": {"N": user}})
    if "Item" not in found:
        return answer({"message": "unknown user"}, 404)
    bucket, _, prefix = os.environ["TABLE_ORDERS"].removeprefix("s3://").partition("/")
    orders = boto3.client("s3").get_object(Bucket=bucket, Key=prefix + "orders.csv")["Body"].read().decode()
    scores = boto3.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=os.environ["ENDPOINT_RANKER"], ContentType="text/csv", Body=found["Item"]["features"]["S"]
    )
    return answer({"scores": json.loads(scores["Body"].read()), "orders": len(orders.splitlines()) - 1})
