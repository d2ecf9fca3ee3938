"""What boto3 gets from the local services, as one JSON object. Arguments: the service and its endpoint."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import boto3
from boto3.dynamodb.conditions import Key
from botocore.config import Config
from botocore.exceptions import ClientError

TABLE = "shop-local-serving"


def client(service: str, endpoint: str) -> dict[str, Any]:
    return {
        "service_name": service,
        "endpoint_url": endpoint,
        "region_name": "us-east-1",
        "aws_access_key_id": "x",
        "aws_secret_access_key": "x",
        "config": Config(retries={"max_attempts": 0}),
    }


def refused(call: Callable[[], Any]) -> list[Any]:
    try:
        call()
    except ClientError as error:
        return [error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"], str(error)]
    return ["not refused"]


def dynamodb(endpoint: str) -> dict[str, Any]:
    db = boto3.client(**client("dynamodb", endpoint))
    table = boto3.resource(**client("dynamodb", endpoint)).Table(TABLE)
    out: dict[str, Any] = {}
    table.put_item(Item={"user_id": 1, "text": "ä\n", "score": Decimal("1.50"), "raw": b"\x00\xff", "tags": {"a", "b"}})
    item = table.get_item(Key={"user_id": Decimal("1.0")})["Item"]
    out["item"] = {
        "text": item["text"],
        "score": str(item["score"]),
        "raw": item["raw"].value.hex(),
        "tags": sorted(item["tags"]),
    }
    out["missing"] = "Item" in table.get_item(Key={"user_id": 999})
    with table.batch_writer() as batch:
        for user in range(2, 202):
            batch.put_item(Item={"user_id": user, "text": f"user {user}"})
        batch.delete_item(Key={"user_id": 201})
    out["count"] = db.describe_table(TableName=TABLE)["Table"]["ItemCount"]
    out["schema"] = db.describe_table(TableName=TABLE)["Table"]["KeySchema"]
    keys = [{"user_id": {"N": str(user)}} for user in (5, 6, 7777)]
    got = db.batch_get_item(
        RequestItems={TABLE: {"Keys": keys, "ProjectionExpression": "#t", "ExpressionAttributeNames": {"#t": "text"}}}
    )
    out["batch"] = sorted(item["text"]["S"] for item in got["Responses"][TABLE])
    out["unprocessed"] = got["UnprocessedKeys"]
    found = table.query(KeyConditionExpression=Key("user_id").eq(7))
    out["query"] = [found["Count"], found["Items"][0]["text"]]

    def put(item: dict[str, Any], **more: Any) -> Callable[[], Any]:
        return lambda: db.put_item(TableName=TABLE, Item=item, **more)

    key = {"user_id": {"N": "1"}}
    out["refused"] = {
        "no table": refused(lambda: db.get_item(TableName="nowhere", Key=key)),
        "key type": refused(lambda: db.get_item(TableName=TABLE, Key={"user_id": {"S": "1"}})),
        "put key type": refused(put({"user_id": {"S": "1"}})),
        "put no key": refused(put({"text": {"S": "1"}})),
        "too large": refused(put({**key, "text": {"S": "x" * 409_600}})),
        "26 writes": refused(
            lambda: db.batch_write_item(
                RequestItems={TABLE: [{"PutRequest": {"Item": {"user_id": {"N": str(n)}}}} for n in range(26)]}
            )
        ),
        "101 gets": refused(
            lambda: db.batch_get_item(RequestItems={TABLE: {"Keys": [{"user_id": {"N": str(n)}} for n in range(101)]}})
        ),
        "twice": refused(lambda: db.batch_get_item(RequestItems={TABLE: {"Keys": [key, {"user_id": {"N": "1.0"}}]}})),
        "condition": refused(put(key, ConditionExpression="attribute_not_exists(user_id)")),
        "scan": refused(lambda: db.scan(TableName=TABLE)),
    }
    return out


def s3(endpoint: str) -> dict[str, Any]:
    s3 = boto3.client(**client("s3", endpoint))
    bucket = "shop-local-raw"

    def body(**more: Any) -> dict[str, Any]:
        return s3.get_object(Bucket=bucket, Key="orders/a & b/ü+1 <x>.csv", **more)

    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix="many/", PaginationConfig={"PageSize": 7}
    )
    folders = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    large = s3.get_object(Bucket=bucket, Key="large.bin")
    content = large["Body"].read()
    return {
        "whole": body()["Body"].read().decode(),
        "range": body(Range="bytes=2-3")["Body"].read().decode(),
        "content range": body(Range="bytes=-3")["ContentRange"],
        "head": s3.head_object(Bucket=bucket, Key="large.bin")["ContentLength"],
        "large": [len(content), content.count(b"\x07")],
        "many": [[entry["Key"] for entry in page["Contents"]] for page in pages],
        "folders": [entry["Prefix"] for entry in folders["CommonPrefixes"]],
        "files": [entry["Key"] for entry in folders["Contents"]],
        "odd": [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket, Prefix="orders/a & b/")["Contents"]],
        "none": s3.list_objects_v2(Bucket=bucket, Prefix="nothing/")["KeyCount"],
        "refused": {
            "no key": refused(lambda: s3.get_object(Bucket=bucket, Key="nothing")),
            "no bucket": refused(lambda: s3.list_objects_v2(Bucket="nowhere")),
            "head": refused(lambda: s3.head_object(Bucket=bucket, Key="nothing")),
            "folder": refused(lambda: s3.get_object(Bucket=bucket, Key="many")),
            "escape": refused(lambda: s3.get_object(Bucket=bucket, Key="../../secret.txt")),
            "range": refused(lambda: body(Range="bytes=100-")),
            "write": refused(lambda: s3.put_object(Bucket=bucket, Key="new", Body=b"x")),
        },
    }


def sagemaker(endpoint: str) -> dict[str, Any]:
    runtime = boto3.client(**client("sagemaker-runtime", endpoint))

    def invoke(body: bytes, kind: str = "text/csv", name: str = "shop-local-ranker") -> dict[str, Any]:
        return runtime.invoke_endpoint(EndpointName=name, ContentType=kind, Accept="application/json", Body=body)

    first = invoke(b"1,2")
    one = json.loads(first["Body"].read())
    two = json.loads(invoke(b"4")["Body"].read())
    failed: dict[str, Any] = {}
    try:
        invoke(b"a,b")
    except runtime.exceptions.ModelError as error:
        failed = {key: error.response[key] for key in ("OriginalStatusCode", "OriginalMessage")}
    died = refused(lambda: invoke(b"die"))
    after = json.loads(invoke(b"5")["Body"].read())
    return {
        "sums": [one["sum"], two["sum"], after["sum"]],
        "kept": one["process"] == two["process"],
        "started anew": after["process"] != one["process"],
        "type": first["ContentType"],
        "variant": first["InvokedProductionVariant"],
        "failed": failed,
        "refused": {
            "died": died,
            "type": refused(lambda: invoke(b"1", "image/png")),
            "no endpoint": refused(lambda: invoke(b"1", name="nowhere")),
        },
    }


SERVICES: dict[str, Callable[[str], dict[str, Any]]] = {"dynamodb": dynamodb, "s3": s3, "sagemaker": sagemaker}
print(json.dumps(SERVICES[sys.argv[1]](sys.argv[2])))
