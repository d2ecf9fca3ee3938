"""The function behind `GET /users/{user_id}/buy-again`, with clients that answer as AWS does."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from conftest import load

CATALOG = [
    {"product_id": 10, "product_name": 'Pizza 5" Crème', "aisle": "frozen pizza", "department": "frozen"},
    {"product_id": 20, "product_name": "Bananas", "aisle": "fresh fruits", "department": "produce"},
]
CANDIDATES = [10, 20, 30]
MATRIX = np.array([[1, np.nan], [3, 0.5], [2, 7]], "<f4")


class Cloud:
    """DynamoDB, S3 and SageMaker's runtime in one: `error` is raised by the operation in `failing`."""

    def __init__(self) -> None:
        self.items = {
            "42": {
                "user_id": {"N": "42"},
                "products": {"B": np.array(CANDIDATES, "<i4").tobytes()},
                "features": {"B": zlib.compress(MATRIX.tobytes())},
                "feature_names": {"S": "0123456789abcdef"},
            },
            "0": {
                "user_id": {"N": "0"},
                "products": {"B": np.array([20, 10], "<i4").tobytes()},
                "scores": {"B": np.array([0.25, 0.125], "<f4").tobytes()},
            },
        }
        self.failing, self.error = "", Exception()
        self.scores = lambda matrix: matrix[:, 0] / 10
        self.reads: list[str] = []

    def _called(self, operation: str) -> None:
        self.reads.append(operation)
        if operation == self.failing:
            raise self.error

    def get_item(self, TableName: str, Key: dict[str, Any]) -> dict[str, Any]:
        self._called("get_item")
        assert TableName == "shop-dev-serving"
        item = self.items.get(Key["user_id"]["N"])
        return {"Item": item} if item else {}

    def get_paginator(self, name: str) -> Any:
        assert name == "list_objects_v2"
        return self

    def paginate(self, Bucket: str, Prefix: str) -> list[dict[str, Any]]:
        self._called("list_objects_v2")
        assert (Bucket, Prefix) == ("shop-dev-serving", "product_catalog/")
        return [{"Contents": [{"Key": "product_catalog/a"}]}, {"Contents": [{"Key": "product_catalog/b.gz"}]}, {}]

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        self._called("get_object")
        lines = [json.dumps(row, ensure_ascii=False).encode() for row in CATALOG]
        return {"Body": io.BytesIO(lines[0] if Key.endswith("a") else gzip.compress(lines[1] + b"\n"))}

    def invoke_endpoint(self, EndpointName: str, ContentType: str, Accept: str, Body: bytes) -> dict[str, Any]:
        self._called("invoke_endpoint")
        assert (EndpointName, ContentType) == ("shop-dev-model", "application/x-npy; features=0123456789abcdef")
        matrix = np.load(io.BytesIO(Body), allow_pickle=False)
        np.testing.assert_array_equal(matrix, MATRIX)
        return {"Body": io.BytesIO(json.dumps({"scores": self.scores(matrix).tolist()}).encode())}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    module, cloud = function(), Cloud()
    monkeypatch.setenv("TABLE_BUY_AGAIN_SERVING", "shop-dev-serving")
    monkeypatch.setenv("TABLE_PRODUCT_CATALOG", "s3://shop-dev-serving/product_catalog/")
    monkeypatch.setenv("ENDPOINT_BUY_AGAIN", "shop-dev-model")
    monkeypatch.setattr(module, "client", lambda _: cloud)
    module.catalog.cache_clear()
    yield cloud
    module.catalog.cache_clear()


def function() -> ModuleType:
    return load("lambdas/recommend/handler.py")


def get(user_id: str | None, query: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    path = None if user_id is None else {"user_id": user_id}
    answer = function().handler({"httpMethod": "GET", "pathParameters": path, "queryStringParameters": query}, None)
    assert answer["headers"]["content-type"] == "application/json"
    return answer["statusCode"], json.loads(answer["body"])


def test_a_customer_gets_the_models_ranking_with_names(cloud: Cloud) -> None:
    assert get("42") == (
        200,
        {
            "user_id": 42,
            "source": "model",
            "products": [
                {"product_id": 20, "name": "Bananas", "aisle": "fresh fruits", "department": "produce", "score": 0.3},
                {"product_id": 30, "name": None, "aisle": None, "department": None, "score": 0.2},
                {
                    "product_id": 10,
                    "name": 'Pizza 5" Crème',
                    "aisle": "frozen pizza",
                    "department": "frozen",
                    "score": 0.1,
                },
            ],
        },
    )


def test_limit_cuts_the_answer(cloud: Cloud) -> None:
    status, body = get("42", {"limit": "1"})
    assert status == 200
    assert [product["product_id"] for product in body["products"]] == [20]


def test_an_unknown_customer_gets_what_everybody_buys(cloud: Cloud) -> None:
    status, body = get("77")
    assert (status, body["user_id"], body["source"]) == (200, 77, "popularity")
    assert [(product["product_id"], product["score"]) for product in body["products"]] == [(20, 0.25), (10, 0.125)]
    assert "invoke_endpoint" not in cloud.reads


def test_the_catalog_is_read_once(cloud: Cloud) -> None:
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


@pytest.mark.parametrize("limit", ["", "0", "101", "-5", "ten", "1.5", "99999999999999999999"])
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
        ("list_objects_v2", "the product catalog"),
        ("get_object", "the product catalog"),
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


def test_a_failed_catalog_is_read_again(cloud: Cloud) -> None:
    cloud.failing, cloud.error = "get_object", DENIED
    assert get("42")[0] == 502
    cloud.failing = ""
    assert get("42")[0] == 200


def test_too_few_scores_are_an_error(cloud: Cloud) -> None:
    cloud.scores = lambda matrix: matrix[:2, 0]
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
