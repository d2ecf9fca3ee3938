"""What could be next for a customer, the most probable first.

- `GET /users/{user_id}/buy-again`: of what was bought before; and the basket that can be expected to be met best.
- `GET /users/{user_id}/try-next`: of what was never bought.
- `POST /users/{user_id}/cart/next` with `{"cart": [13176, …]}`, what is in the cart, in order: for its next place.

What is known of the customer lies ready in the serving table; what is known of products, their names among it, was read
when the function started; the model's endpoint scores the candidates. A customer who is not in the table gets what
everybody buys, or for a cart what goes with it, and the answer says so.
"""

import base64
import binascii
import gzip
import hashlib
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

from candidates import CART, TRY, Candidates, Shop, cart_next, try_next
from candidates import Customer as Known
from expected_f1 import best_set

UNKNOWN_USER = 0
LARGEST_ID = 2**31 - 1
DEFAULT_LIMIT, LARGEST_LIMIT = 10, 100
LARGEST_CART = 200

# Numbers per row of the item's `user` and `pairs` and of a product, and which of a pair's says how much it is liked.
USER_COLUMNS, PAIR_COLUMNS, PRODUCT_COLUMNS, DECAYED_ORDERS = 9, 15, 8, 10
NO_NUMBER = struct.pack("<f", float("nan"))

# Shorter than the function's own timeout, so that a hanging service is answered with its name.
PATIENCE = Config(connect_timeout=2, read_timeout=4, retries={"total_max_attempts": 2, "mode": "standard"})


class Refused(Exception):
    """A request that is answered with `status` and a reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Customer(NamedTuple):
    """What the serving table knows of a customer."""

    user: bytes
    # The columns of `PAIR` by product.
    pairs: dict[int, bytes]
    fingerprints: dict[str, str]
    # As in `candidates.Customer`.
    taste: list[int]
    similar: list[int]
    # What everybody buys, with scores; only of the customer who stands for those who are not known.
    popular: dict[int, float]

    @property
    def known(self) -> bool:
        return not self.popular

    def behind(self) -> Known:
        """What candidates are chosen by."""
        place = 4 * DECAYED_ORDERS
        history = {product_id: struct.unpack_from("<f", row, place)[0] for product_id, row in self.pairs.items()}
        return Known(history, self.taste, self.similar)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answers a request of API Gateway's Lambda proxy integration."""
    try:
        user_id = _whole_number("user_id", (event.get("pathParameters") or {}).get("user_id"), 1, LARGEST_ID)
        text = (event.get("queryStringParameters") or {}).get("limit")
        limit = DEFAULT_LIMIT if text is None else _whole_number("limit", text, 1, LARGEST_LIMIT)
        route = (event.get("resource") or "").rpartition("/")[2]
        if route == "buy-again":
            answer = buy_again(customer(user_id), limit)
        elif route == "try-next":
            answer = try_new(customer(user_id), limit)
        elif route == "next":
            cart = _cart(event)
            answer = fill_cart(customer(user_id), cart, limit)
        else:
            raise Refused(404, f"there is no route `{route[:40]}`")
        return _response(200, {"user_id": user_id, **answer})
    except Refused as refused:
        return _response(refused.status, {"error": str(refused)})
    except Exception as error:  # the caller learns that it failed, the log learns why
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return _response(500, {"error": "the function failed; its log has the reason"})


def buy_again(person: Customer, limit: int) -> dict[str, Any]:
    """Products bought before; `source` is `model`, or `popularity` for a customer who is not known."""
    if not person.known:
        return {"source": "popularity", "products": _named(person.popular, limit), "basket": None}
    products = list(person.pairs)
    rows = [person.user + row + _about(product_id) for product_id, row in person.pairs.items()]
    scores = score("buy_again", person, rows)
    best = best_set(scores)
    basket = {
        "products": [products[index] for index in best.chosen],
        "none": best.none,
        "expected_f1": round(best.expected_f1, 6),
    }
    return {"source": "model", "products": _named(dict(zip(products, scores, strict=True)), limit), "basket": basket}


def try_new(person: Customer, limit: int) -> dict[str, Any]:
    """Products never bought before; `source` as for `buy_again`."""
    if not person.known:
        return {"source": "popularity", "products": _named(person.popular, limit)}
    found = try_next(person.behind(), shop())
    own = struct.Struct(f"<{len(TRY)}f")
    rows = [
        person.user + own.pack(*row) + _about(product_id)
        for product_id, row in zip(found.products, found.rows, strict=True)
    ]
    return {"source": "model", "products": _ranked("try_next", person, found, rows, limit)}


def fill_cart(person: Customer, cart: list[int], limit: int) -> dict[str, Any]:
    """Products for the next place in the cart; `source` is `cart` when nothing but the cart is known."""
    found = cart_next(cart, person.behind(), shop())
    own = struct.Struct(f"<{len(CART)}f")
    never = NO_NUMBER * PAIR_COLUMNS
    user = person.user if person.known else NO_NUMBER * USER_COLUMNS
    rows = [
        user + person.pairs.get(product_id, never) + own.pack(*row) + _about(product_id)
        for product_id, row in zip(found.products, found.rows, strict=True)
    ]
    unknown = [product_id for product_id in cart if product_id not in shop().products]
    return {
        "source": "model" if person.known else "cart",
        "products": _ranked("cart_next", person, found, rows, limit),
        "unknown_products": unknown,
    }


def customer(user_id: int) -> Customer:
    """What the serving table knows of a customer, or of one who is not known."""
    item = read_item(user_id) or read_item(UNKNOWN_USER)
    if item is None:
        raise Refused(503, "there is nothing to serve yet: the pipeline has not filled the serving table")
    fingerprints = {name: value["S"] for name, value in item["fingerprints"]["M"].items()}
    if fingerprints["candidates"] != _fingerprint([*TRY, *CART]):
        raise Refused(503, "the serving table was filled by another version of the function: the pipeline has to run")
    products = _numbers("i", item["products"]["B"])
    if "scores" in item:
        popular = dict(zip(products, _numbers("f", item["scores"]["B"]), strict=True))
        return Customer(b"", {}, fingerprints, [], [], popular)
    content, width = zlib.decompress(item["pairs"]["B"]), 4 * PAIR_COLUMNS
    rows = [content[start : start + width] for start in range(0, len(content), width)]
    taste, similar = _numbers("h", item["taste"]["B"]), _numbers("i", item["similar"]["B"])
    return Customer(item["user"]["B"], dict(zip(products, rows, strict=True)), fingerprints, taste, similar, {})


def read_item(user_id: int) -> dict[str, Any] | None:
    """The customer's item in the serving table."""
    try:
        table = os.environ["TABLE_CUSTOMERS"]
        return client("dynamodb").get_item(TableName=table, Key={"user_id": {"N": str(user_id)}}).get("Item")
    except (BotoCoreError, ClientError) as error:
        raise _unavailable("the serving table", error) from error


def score(model: str, person: Customer, rows: list[bytes]) -> list[float]:
    """The model's score for each row of float32 features."""
    if not rows:
        return []
    try:
        answer = client("sagemaker-runtime").invoke_endpoint(
            EndpointName=os.environ[f"ENDPOINT_{model.upper()}"],
            ContentType=f"application/x-npy; features={person.fingerprints[model]}",
            Accept="application/json",
            Body=npy(b"".join(rows), len(rows)),
        )
        scores = json.loads(answer["Body"].read())["scores"]
    except (BotoCoreError, ClientError, ValueError, KeyError) as error:
        raise _unavailable("the model's endpoint", error) from error
    if len(scores) != len(rows):
        raise Refused(502, f"the model's endpoint gave {len(scores)} scores for {len(rows)} products")
    return scores


def npy(matrix: bytes, rows: int) -> bytes:
    """A row-major float32 matrix in NumPy's file format, version 1.0."""
    columns = len(matrix) // 4 // rows
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}"
    padded = header.ljust(-(-(len(header) + 11) // 64) * 64 - 11) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded.encode() + matrix


@cache
def shop() -> Shop:
    """What is known of all products. Read once, when the first request of a new instance needs it."""
    bucket, _, prefix = os.environ["TABLE_PRODUCT_SERVING"].removeprefix("s3://").partition("/")
    lines: list[bytes] = []
    try:
        pages = client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for key in [entry["Key"] for page in pages for entry in page.get("Contents", [])]:
            if key.rpartition("/")[2].startswith(("_", ".")):  # Spark's marks, no data
                continue
            content = client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
            content = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
            lines += content.splitlines()
    except (BotoCoreError, ClientError) as error:
        raise _unavailable("the table of products", error) from error
    return Shop.read(lines)


@cache
def client(service: str) -> Any:
    return boto3.client(service, config=PATIENCE)


def _ranked(model: str, person: Customer, found: Candidates, rows: list[bytes], limit: int) -> list[dict[str, Any]]:
    return _named(dict(zip(found.products, score(model, person, rows), strict=True)), limit)


def _named(scores: dict[int, float], limit: int) -> list[dict[str, Any]]:
    """The best products with their names."""
    answers = []
    for product_id, value in sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]:
        product = shop().products.get(product_id)
        name, aisle, department = (product.name, product.aisle, product.department) if product else (None, None, None)
        answers.append(
            {
                "product_id": product_id,
                "name": name,
                "aisle": aisle,
                "department": department,
                "score": round(value, 6),
            }
        )
    return answers


def _about(product_id: int) -> bytes:
    """The columns of `PRODUCT`; no values for a product that appeared after this instance of the function."""
    product = shop().products.get(product_id)
    return product.features if product else NO_NUMBER * PRODUCT_COLUMNS


def _cart(event: dict[str, Any]) -> list[int]:
    """What is in the cart, each product once, in order."""
    text = event.get("body") or ""
    try:
        body = json.loads(base64.b64decode(text) if event.get("isBase64Encoded") else text)
    except (ValueError, binascii.Error, RecursionError):
        raise Refused(400, 'the body must be JSON like {"cart": [13176, 21137]}') from None
    cart = body.get("cart") if isinstance(body, dict) else None
    if not isinstance(cart, list):
        raise Refused(400, '`cart` must be a list of product ids, like {"cart": [13176, 21137]}')
    if len(cart) > LARGEST_CART:
        raise Refused(400, f"`cart` holds {len(cart)} products; at most {LARGEST_CART} are looked at")
    for place, product_id in enumerate(cart):
        if isinstance(product_id, bool) or not isinstance(product_id, int) or not 1 <= product_id <= LARGEST_ID:
            shown = json.dumps(product_id)[:40]
            raise Refused(400, f"`cart[{place}]` must be a whole number from 1 to {LARGEST_ID}, not {shown}")
    return list(dict.fromkeys(cart))


def _whole_number(name: str, text: str | None, least: int, most: int) -> int:
    number = int(text) if text is not None and re.fullmatch(r"[0-9]{1,10}", text) else least - 1
    if not least <= number <= most:
        shown = "nothing" if text is None else f"`{text[:40]}`"
        raise Refused(400, f"`{name}` must be a whole number from {least} to {most}, not {shown}")
    return number


def _fingerprint(names: list[str]) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


def _numbers(code: str, content: bytes) -> list[Any]:
    """Little-endian int16 (code h), int32 (code i) or float32 (code f) numbers."""
    return list(struct.unpack(f"<{len(content) // struct.calcsize(code)}{code}", content))


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
