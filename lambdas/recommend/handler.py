"""GET /users/{user_id}/buy-again: what the customer will probably buy again, the most probable first.

A customer's candidates and their features lie ready in the serving table; the model's endpoint scores them, and the
catalog gives them names. A customer who is not in the table gets what everybody buys, and the answer says so.
"""

import gzip
import json
import os
import re
import struct
import sys
import zlib
from functools import cache
from typing import Any, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

UNKNOWN_USER = 0
LARGEST_ID = 2**31 - 1
DEFAULT_LIMIT, LARGEST_LIMIT = 10, 100

# Shorter than the function's own timeout, so that a hanging service is answered with its name.
PATIENCE = Config(connect_timeout=2, read_timeout=4, retries={"total_max_attempts": 2, "mode": "standard"})


class Refused(Exception):
    """A request that is answered with `status` and a reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Product(NamedTuple):
    name: str | None
    aisle: str | None
    department: str | None


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answers a request of API Gateway's Lambda proxy integration."""
    try:
        user_id = _whole_number("user_id", (event.get("pathParameters") or {}).get("user_id"), 1, LARGEST_ID)
        text = (event.get("queryStringParameters") or {}).get("limit")
        limit = DEFAULT_LIMIT if text is None else _whole_number("limit", text, 1, LARGEST_LIMIT)
        return _response(200, recommend(user_id, limit))
    except Refused as refused:
        return _response(refused.status, {"error": str(refused)})
    except Exception as error:  # the caller learns that it failed, the log learns why
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return _response(500, {"error": "the function failed; its log has the reason"})


def recommend(user_id: int, limit: int) -> dict[str, Any]:
    """The answer for a customer: `source` is `model`, or `popularity` for a customer who is not known."""
    item = read_item(user_id)
    source = "popularity" if item is None else "model"
    item = item or read_item(UNKNOWN_USER)
    if item is None:
        raise Refused(503, "there is nothing to serve yet: the pipeline has not filled the serving table")
    products = _numbers("i", item["products"]["B"])
    scores = _numbers("f", item["scores"]["B"]) if source == "popularity" else score(item, len(products))
    best = sorted(zip(products, scores, strict=True), key=lambda pair: (-pair[1], pair[0]))[:limit]
    names = catalog()
    answers = []
    for product_id, value in best:
        product = names.get(product_id, Product(None, None, None))
        answers.append({"product_id": product_id, **product._asdict(), "score": round(value, 6)})
    return {"user_id": user_id, "source": source, "products": answers}


def read_item(user_id: int) -> dict[str, Any] | None:
    """The customer's item in the serving table."""
    try:
        table = os.environ["TABLE_BUY_AGAIN_SERVING"]
        return client("dynamodb").get_item(TableName=table, Key={"user_id": {"N": str(user_id)}}).get("Item")
    except (BotoCoreError, ClientError) as error:
        raise _unavailable("the serving table", error) from error


def score(item: dict[str, Any], rows: int) -> list[float]:
    """The model's probability for each of the item's candidates."""
    matrix = zlib.decompress(item["features"]["B"])
    try:
        answer = client("sagemaker-runtime").invoke_endpoint(
            EndpointName=os.environ["ENDPOINT_BUY_AGAIN"],
            ContentType=f"application/x-npy; features={item['feature_names']['S']}",
            Accept="application/json",
            Body=npy(matrix, rows),
        )
        scores = json.loads(answer["Body"].read())["scores"]
    except (BotoCoreError, ClientError, ValueError, KeyError) as error:
        raise _unavailable("the model's endpoint", error) from error
    if len(scores) != rows:
        raise Refused(502, f"the model's endpoint gave {len(scores)} scores for {rows} products")
    return scores


def npy(matrix: bytes, rows: int) -> bytes:
    """A row-major float32 matrix in NumPy's file format, version 1.0."""
    columns = len(matrix) // 4 // rows
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}"
    padded = header.ljust(-(-(len(header) + 11) // 64) * 64 - 11) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded.encode() + matrix


@cache
def catalog() -> dict[int, Product]:
    """Names of all products. Read once, when the first request of a new instance needs it."""
    bucket, _, prefix = os.environ["TABLE_PRODUCT_CATALOG"].removeprefix("s3://").partition("/")
    products = {}
    try:
        pages = client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for key in [entry["Key"] for page in pages for entry in page.get("Contents", [])]:
            content = client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
            # Athena compresses the JSON that it writes.
            content = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
            for line in content.splitlines():
                row = json.loads(line)
                products[row["product_id"]] = Product(row.get("product_name"), row.get("aisle"), row.get("department"))
    except (BotoCoreError, ClientError) as error:
        raise _unavailable("the product catalog", error) from error
    return products


@cache
def client(service: str) -> Any:
    return boto3.client(service, config=PATIENCE)


def _whole_number(name: str, text: str | None, least: int, most: int) -> int:
    number = int(text) if text is not None and re.fullmatch(r"[0-9]{1,10}", text) else least - 1
    if not least <= number <= most:
        shown = "nothing" if text is None else f"`{text[:40]}`"
        raise Refused(400, f"`{name}` must be a whole number from {least} to {most}, not {shown}")
    return number


def _numbers(code: str, content: bytes) -> list[Any]:
    """Little-endian int32 (code i) or float32 (code f) numbers."""
    return list(struct.unpack(f"<{len(content) // 4}{code}", content))


def _unavailable(what: str, error: Exception) -> Refused:
    """A 502 that names the service and the sort of failure; the whole message, which can hold ARNs, goes to the log."""
    print(f"{what}: {type(error).__name__}: {error}", file=sys.stderr)
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    return Refused(502, f"{what} cannot be reached or failed: {code}")


def _response(status: int, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(body, ensure_ascii=False),
    }
