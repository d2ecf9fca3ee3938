"""The function behind the API, with clients that answer as AWS does."""

from __future__ import annotations

import base64
import gzip
import io
import json
import struct
import zlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from conftest import load

from candidates import CART, FACTORS, TRY
from shop.features import PAIR, PRODUCT, TASKS, USER, fingerprint

NAN = float("nan")
BOUGHT = [10, 20, 30]
CATALOG = [(10, 'Pizza 5" Crème', "frozen pizza", "frozen"), (20, "Bananas", "fresh fruits", "produce")]
CATALOG += [(product, f"Product {product}", "fresh fruits", "produce") for product in range(40, 160)]


def floats(*numbers: float) -> bytes:
    return np.array(numbers, "<f4").tobytes()


def line(product_id: int, name: str, aisle: str, department: str) -> bytes:
    """A product of `product_serving`: bought the oftener, the smaller its number; 10 goes with 40 and 41."""
    near = [40, 41] if product_id == 10 else []
    numbers = {
        "features": floats(1000 - product_id, *range(len(PRODUCT) - 1)),
        "neighbours": np.array(near, "<i4").tobytes(),
        "strengths": floats(*[0.5, 0.25][: len(near)]),
        "taste": bytes([3, 254, *[0] * (FACTORS - 2)]) if product_id == 60 else b"",
    }
    row = {"product_id": product_id, "product_name": name, "aisle": aisle, "department": department}
    row |= {key: base64.b64encode(value).decode() for key, value in numbers.items()}
    return json.dumps(row, ensure_ascii=False).encode()


class Cloud:
    """DynamoDB, S3 and SageMaker's runtime in one: `error` is raised by the operation in `failing`."""

    def __init__(self) -> None:
        names = {task: fingerprint(features) for task, features in TASKS.items()}
        names["candidates"] = fingerprint(dict.fromkeys([*TRY, *CART], "double"))
        fingerprints = {"fingerprints": {"M": {name: {"S": value} for name, value in names.items()}}}
        pairs = np.arange(len(BOUGHT) * len(PAIR), dtype="<f4").reshape(len(BOUGHT), -1)
        self.items = {
            "42": {
                "user_id": {"N": "42"},
                "user": {"B": floats(*range(len(USER)))},
                "products": {"B": np.array(BOUGHT, "<i4").tobytes()},
                "pairs": {"B": zlib.compress(pairs.tobytes())},
                # Product 60 suits it, product 99999 is not in the catalogue any more.
                "taste": {"B": np.array([16, 2, *[0] * (FACTORS - 2)], "<i2").tobytes()},
                "similar": {"B": np.array([99_999, 159, 60], "<i4").tobytes()},
                **fingerprints,
            },
            # One order, with nothing in it.
            "43": {
                "user_id": {"N": "43"},
                "user": {"B": floats(1, *[NAN] * (len(USER) - 1))},
                "products": {"B": b""},
                "pairs": {"B": zlib.compress(b"")},
                "taste": {"B": bytes(2 * FACTORS)},
                "similar": {"B": b""},
                **fingerprints,
            },
            "0": {
                "user_id": {"N": "0"},
                "products": {"B": np.array([20, 10], "<i4").tobytes()},
                "scores": {"B": floats(0.25, 0.125)},
                **fingerprints,
            },
        }
        self.failing, self.error = "", Exception()
        # By default the last feature of `PAIR` decides, whose values ascend: product 30 is the best.
        self.scores = lambda matrix: matrix[:, len(USER)] / 100
        self.asked: dict[str, np.ndarray] = {}
        self.reads: list[str] = []

    def _called(self, operation: str) -> None:
        self.reads.append(operation)
        if operation == self.failing:
            raise self.error

    def get_item(self, TableName: str, Key: dict[str, Any]) -> dict[str, Any]:
        self._called("get_item")
        assert TableName == "shop-dev-customers"
        item = self.items.get(Key["user_id"]["N"])
        return {"Item": item} if item else {}

    def get_paginator(self, name: str) -> Any:
        assert name == "list_objects_v2"
        return self

    def paginate(self, Bucket: str, Prefix: str) -> list[dict[str, Any]]:
        self._called("list_objects_v2")
        assert (Bucket, Prefix) == ("shop-dev-serving", "products/")
        keys = ["a", "b.gz", "_SUCCESS", ".a.crc"]
        return [{"Contents": [{"Key": f"products/{key}"}]} for key in keys] + [{}]

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        self._called("get_object")
        lines = [line(*product) for product in CATALOG]
        content = {"a": lines[0], "b.gz": gzip.compress(b"\n".join(lines[1:]) + b"\n")}
        return {"Body": io.BytesIO(content[Key.removeprefix("products/")])}

    def invoke_endpoint(self, EndpointName: str, ContentType: str, Accept: str, Body: bytes) -> dict[str, Any]:
        self._called("invoke_endpoint")
        task = EndpointName.removeprefix("shop-dev-").replace("-", "_")
        assert ContentType == f"application/x-npy; features={fingerprint(TASKS[task])}"
        matrix = np.load(io.BytesIO(Body), allow_pickle=False)
        assert matrix.shape[1] == len(TASKS[task])
        self.asked[task] = matrix
        return {"Body": io.BytesIO(json.dumps({"scores": self.scores(matrix).tolist()}).encode())}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    module, cloud = function(), Cloud()
    monkeypatch.setenv("TABLE_CUSTOMERS", "shop-dev-customers")
    monkeypatch.setenv("TABLE_PRODUCT_SERVING", "s3://shop-dev-serving/products/")
    for task in TASKS:
        monkeypatch.setenv(f"ENDPOINT_{task.upper()}", f"shop-dev-{task.replace('_', '-')}")
    monkeypatch.setattr(module, "client", lambda _: cloud)
    module.shop.cache_clear()
    yield cloud
    module.shop.cache_clear()


def function() -> ModuleType:
    return load("lambdas/recommend/handler.py")


def ask(route: str, user_id: str | None, query: dict[str, str] | None = None, body: Any = None) -> Any:
    path = None if user_id is None else {"user_id": user_id}
    event = {"resource": f"/users/{{user_id}}/{route}", "pathParameters": path, "queryStringParameters": query}
    text = body if body is None or isinstance(body, str) else json.dumps(body)
    answer = function().handler({**event, "body": text, "isBase64Encoded": False}, None)
    assert answer["headers"]["content-type"] == "application/json"
    return answer["statusCode"], json.loads(answer["body"])


def get(user_id: str | None, query: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    return ask("buy-again", user_id, query)


def put(cart: Any, user_id: str = "42", **query: str) -> tuple[int, dict[str, Any]]:
    return ask("cart/next", user_id, query or None, {"cart": cart})


def ids(body: dict[str, Any]) -> list[int]:
    return [product["product_id"] for product in body["products"]]


def test_a_customer_gets_the_models_ranking_with_names_and_a_basket(cloud: Cloud) -> None:
    assert get("42") == (
        200,
        {
            "user_id": 42,
            "source": "model",
            "products": [
                {"product_id": 30, "name": None, "aisle": None, "department": None, "score": 0.3},
                {"product_id": 20, "name": "Bananas", "aisle": "fresh fruits", "department": "produce", "score": 0.15},
                {
                    "product_id": 10,
                    "name": 'Pizza 5" Crème',
                    "aisle": "frozen pizza",
                    "department": "frozen",
                    "score": 0.0,
                },
            ],
            "basket": {"products": [], "none": True, "expected_f1": 0.595},
        },
    )
    own = cloud.asked["buy_again"]
    assert own[1, : len(USER)].tolist() == list(range(len(USER)))
    assert own[1, len(USER) : -len(PRODUCT)].tolist() == list(range(len(PAIR), 2 * len(PAIR)))
    assert own[1, -len(PRODUCT) :].tolist() == [980, *range(len(PRODUCT) - 1)]
    # Nothing is known of product 30.
    assert np.isnan(own[2, -len(PRODUCT) :]).all()


def test_likely_products_make_a_basket(cloud: Cloud) -> None:
    cloud.scores = lambda matrix: np.array([0.9, 0.8, 0.01])
    assert get("42")[1]["basket"]["products"] == [10, 20]
    assert get("42")[1]["basket"]["none"] is False


def test_nothing_bought_before_is_offered_to_try(cloud: Cloud) -> None:
    cloud.scores = lambda matrix: matrix[:, len(USER)] + matrix[:, -len(PRODUCT)] / 1e6
    status, body = ask("try-next", "42", {"limit": "3"})
    assert (status, body["source"]) == (200, "model")
    # Products 40 and 41 lie in baskets with product 10; what follows is popular.
    assert ids(body) == [40, 41, 42]
    asked = dict(zip(TRY, cloud.asked["try_next"][:, len(USER) :].T, strict=False))
    assert asked["try_supporters"].tolist()[:3] == [1, 1, 0]
    # Products 159 and 60 suit the customer, the one too rare to be popular, the other embedded as (3, -2, 0, …).
    assert len(cloud.asked["try_next"]) == 101
    likeness = asked["try_likeness"]
    assert sorted(likeness[~np.isnan(likeness)].tolist()) == [16 * 3 - 2 * 2]
    assert asked["try_taste"][likeness == 44].tolist() == [44 * (940 + 10)]
    # Of what was bought, products 10 and 20 are known, with decayed orders 10 and 25.
    assert asked["try_aisle_share"][0] == pytest.approx(25 / 35)


def test_a_cart_draws_what_goes_with_it_and_is_not_offered_again(cloud: Cloud) -> None:
    cloud.scores = lambda matrix: matrix[:, len(USER) + len(PAIR) + CART.index("cart_together")]
    status, body = put([20, 10, 40], limit="100")
    assert (status, body["source"], body["unknown_products"]) == (200, "model", [])
    assert ids(body)[0] == 41
    assert not {10, 20, 40} & set(ids(body)) and len(ids(body)) == 41
    cart = cloud.asked["cart_next"][:, len(USER) + len(PAIR) :]
    assert set(cart[:, CART.index("cart_items")]) == {3}
    assert cart[0, CART.index("cart_known_share")] == pytest.approx(2 / 3)


def test_an_empty_cart_begins_with_what_the_customer_likes(cloud: Cloud) -> None:
    status, body = put([])
    assert status == 200
    assert ids(body)[0] == 20 and body["products"][0]["score"] == 0.15


def test_products_that_nobody_knows_are_named_and_left_aside(cloud: Cloud) -> None:
    status, body = put([77_777, 10, 77_777])
    assert (status, body["unknown_products"]) == (200, [77_777])
    assert set(cloud.asked["cart_next"][:, len(USER) + len(PAIR)]) == {2}


def test_a_cart_of_a_customer_who_is_not_known_is_asked_alone(cloud: Cloud) -> None:
    cloud.scores = lambda matrix: matrix[:, len(USER) + len(PAIR) + CART.index("cart_together")]
    status, body = put([10], "77")
    assert (status, body["source"], ids(body)[:2]) == (200, "cart", [40, 41])
    assert np.isnan(cloud.asked["cart_next"][:, : len(USER) + len(PAIR)]).all()


def test_a_customer_with_one_order_and_nothing_in_it_is_answered(cloud: Cloud) -> None:
    cloud.scores = lambda matrix: matrix[:, -len(PRODUCT)] / 1000
    status, body = get("43")
    assert (status, body["products"], body["basket"]["none"]) == (200, [], True)
    assert ids(ask("try-next", "43", {"limit": "2"})[1]) == [10, 20]
    assert ids(put([], "43", limit="2")[1]) == [10, 20]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (None, "the body must be JSON"),
        ("", "the body must be JSON"),
        ("{", "the body must be JSON"),
        ("[" * 100_000, "the body must be JSON"),
        ([1, 2], "`cart` must be a list"),
        ({}, "`cart` must be a list"),
        ({"cart": None}, "`cart` must be a list"),
        ({"cart": "10"}, "`cart` must be a list"),
        ({"cart": [10, "20"]}, '`cart[1]` must be a whole number from 1 to 2147483647, not "20"'),
        ({"cart": [1.5]}, "`cart[0]` must be a whole number"),
        ({"cart": [True]}, "`cart[0]` must be a whole number"),
        ({"cart": [0]}, "`cart[0]` must be a whole number"),
        ({"cart": [2**31]}, "`cart[0]` must be a whole number"),
        ({"cart": [["a" * 1000]]}, "`cart[0]` must be a whole number"),
        ({"cart": [*range(1, 10_001)]}, "`cart` holds 10000 products; at most 200 are looked at"),
    ],
)
def test_malformed_carts_are_refused_with_the_reason(cloud: Cloud, body: Any, reason: str) -> None:
    status, answer = ask("cart/next", "42", None, body)
    assert status == 400
    assert answer["error"].startswith(reason) and len(answer["error"]) < 200
    assert cloud.reads == []


def test_bodies_in_base64_are_read(cloud: Cloud) -> None:
    event = {"resource": "/users/{user_id}/cart/next", "pathParameters": {"user_id": "42"}}
    event |= {"body": base64.b64encode(b'{"cart": [10]}').decode(), "isBase64Encoded": True}
    assert function().handler(event, None)["statusCode"] == 200


def test_a_serving_table_of_another_version_is_refused(cloud: Cloud) -> None:
    cloud.items["42"]["fingerprints"]["M"]["candidates"]["S"] = "0123456789abcdef"
    for route in ("buy-again", "try-next"):
        status, body = ask(route, "42")
        assert status == 503 and "another version" in body["error"]


def test_the_features_of_a_row_have_the_places_that_the_function_takes() -> None:
    module = function()
    assert (len(USER), len(PAIR), len(PRODUCT)) == (module.USER_COLUMNS, module.PAIR_COLUMNS, module.PRODUCT_COLUMNS)
    assert list(PAIR)[module.DECAYED_ORDERS] == "up_decayed_orders"
    assert struct.unpack("<f", module.NO_NUMBER)[0] != struct.unpack("<f", module.NO_NUMBER)[0]


def test_limit_cuts_the_answer(cloud: Cloud) -> None:
    status, body = get("42", {"limit": "1"})
    assert status == 200
    assert ids(body) == [30]


def test_an_unknown_customer_gets_what_everybody_buys(cloud: Cloud) -> None:
    status, body = get("77")
    assert (status, body["user_id"], body["source"]) == (200, 77, "popularity")
    assert [(product["product_id"], product["score"]) for product in body["products"]] == [(20, 0.25), (10, 0.125)]
    assert body["basket"] is None
    assert ask("try-next", "77") == (200, {key: value for key, value in body.items() if key != "basket"})
    assert "invoke_endpoint" not in cloud.reads


def test_products_are_read_once(cloud: Cloud) -> None:
    assert [get("42")[0], get("77")[0]] == [200, 200]
    assert cloud.reads.count("get_object") == 2
    assert cloud.reads.count("list_objects_v2") == 1


@pytest.mark.parametrize(
    "user_id", [None, "", "0", "-1", "abc", "4.2", "1e3", "٤٢", "2147483648", "9" * 5000, "42 ", "0x2a"]
)
def test_malformed_customers_are_refused(cloud: Cloud, user_id: str | None) -> None:
    status, body = get(user_id)
    assert status == 400
    assert body["error"].startswith("`user_id` must be a whole number from 1 to 2147483647")
    assert len(body["error"]) < 200
    assert cloud.reads == []


@pytest.mark.parametrize("limit", ["", "0", "101", "-5", "ten", "1.5", "1000", "99999999999999999999"])
def test_malformed_limits_are_refused(cloud: Cloud, limit: str) -> None:
    status, body = get("42", {"limit": limit})
    assert (status, cloud.reads) == (400, [])
    assert body["error"].startswith("`limit` must be a whole number from 1 to 100")


DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "arn:aws:iam::1:role/secret"}}, "Operation")
SILENT = ReadTimeoutError(endpoint_url="https://secret")


@pytest.mark.parametrize("error", [DENIED, SILENT])
@pytest.mark.parametrize(
    ("operation", "what"),
    [
        ("get_item", "the serving table"),
        ("invoke_endpoint", "the model's endpoint"),
        ("list_objects_v2", "the table of products"),
        ("get_object", "the table of products"),
    ],
)
def test_a_failing_service_is_named_and_nothing_leaks(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], operation: str, what: str, error: Exception
) -> None:
    cloud.failing, cloud.error = operation, error
    status, body = get("42")
    reason = "AccessDeniedException" if error is DENIED else "ReadTimeoutError"
    assert (status, body) == (502, {"error": f"{what} cannot be reached or failed: {reason}"})
    assert "secret" in capsys.readouterr().err


def test_a_failed_table_of_products_is_read_again(cloud: Cloud) -> None:
    cloud.failing, cloud.error = "get_object", DENIED
    assert get("42")[0] == 502
    cloud.failing = ""
    assert get("42")[0] == 200


def test_too_few_scores_are_an_error(cloud: Cloud) -> None:
    cloud.scores = lambda matrix: matrix[:2, 0] / 100
    assert get("42") == (502, {"error": "the model's endpoint gave 2 scores for 3 products"})


def test_an_empty_serving_table_says_what_is_missing(cloud: Cloud) -> None:
    cloud.items.clear()
    status, body = get("42")
    assert status == 503
    assert "pipeline" in body["error"]


def test_a_bug_shows_no_traceback(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.failing, cloud.error = "get_item", ZeroDivisionError("secret")
    assert get("42") == (500, {"error": "the function failed; its log has the reason"})
    assert "ZeroDivisionError: secret" in capsys.readouterr().err


@pytest.mark.parametrize("rows", [1, 9, 10, 99_999])
@pytest.mark.parametrize("columns", [1, 32, 100])
def test_npy_is_what_numpy_reads(rows: int, columns: int) -> None:
    matrix = np.arange(rows * columns, dtype="<f4").reshape(rows, columns)
    content = function().npy(matrix.tobytes(), rows)
    np.testing.assert_array_equal(np.load(io.BytesIO(content), allow_pickle=False), matrix)
    assert (len(content) - matrix.nbytes) % 64 == 0
