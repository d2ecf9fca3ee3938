"""What serving gets is what the features say, however DynamoDB stutters; a model is asked what it was taught."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from conftest import KeyValueTable, load, locations
from test_features import ROLES, assert_same, database, ends, oracle, role

from candidates import FACTORS
from shop.features import PAIR, PRODUCT, TASKS, USER, fingerprint


@pytest.fixture(scope="module")
def served(lake: Path, run_job: Callable[..., None], dynamodb: KeyValueTable) -> dict[int, dict[str, Any]]:
    """The items of the shop's customers."""
    write_popularity(lake)
    tables = locations(lake, "histories", "product_serving", "product_popularity")
    run_job("serving_items.py", **tables, customers="dynamodb://shop-serving")
    return dict(dynamodb.items)


def write_popularity(lake: Path) -> None:
    (lake / "product_popularity").mkdir(exist_ok=True)
    duckdb.sql(
        "copy (select n as product_id, 1.0 / n as order_share, n as popularity_rank from range(120, 0, -1) t(n)) "
        f"to '{lake}/product_popularity/part.parquet' (format parquet)"
    )


def binary(item: dict[str, Any], name: str) -> bytes:
    return base64.b64decode(item[name]["B"])


def test_every_customer_gets_the_features_of_an_independent_query(served: dict[int, dict[str, Any]], shop: Any) -> None:
    expected: dict[int, list[dict[str, Any]]] = {}
    for row in oracle(shop, None):
        expected.setdefault(row["user_id"], []).append(row)
    everyone = {row["user_id"] for row in shop.rows("order_timeline")}
    assert set(served) == everyone | {0}
    for user_id in everyone:
        item, rows = served[user_id], expected[user_id]
        assert np.frombuffer(binary(item, "products"), "<i4").tolist() == [row["product_id"] for row in rows]
        user = np.frombuffer(binary(item, "user"), "<f4")
        pairs = np.frombuffer(zlib.decompress(binary(item, "pairs")), "<f4").reshape(len(rows), -1)
        found = [
            {"user_id": user_id, "product_id": row["product_id"]}
            | dict(zip([*USER, *PAIR], [*user.tolist(), *pair], strict=True))
            for row, pair in zip(rows, pairs.tolist(), strict=True)
        ]
        assert_same(found, rows, USER | PAIR, tolerance=1e-6)
        names = {name: value["S"] for name, value in item["fingerprints"]["M"].items()}
        assert {task: names[task] for task in TASKS} == {task: fingerprint(TASKS[task]) for task in TASKS}


def test_tastes_and_what_suits_them_equal_an_independent_query(
    served: dict[int, dict[str, Any]], lake: Path, shop: Any
) -> None:
    query = f"select product_id, taste, features from read_json('{lake}/product_serving/*.json')"
    embeddings = {
        product: (np.frombuffer(base64.b64decode(taste), np.int8), np.frombuffer(base64.b64decode(numbers), "<f4")[0])
        for product, taste, numbers in duckdb.sql(query).fetchall()
        if taste
    }
    bought: dict[int, set[int]] = {}
    for row in oracle(shop, None):
        bought.setdefault(row["user_id"], set()).add(row["product_id"])
    assert len(embeddings) > 30
    for user_id, own in bought.items():
        taste = [
            round(16 * sum(int(embeddings[product][0][factor]) for product in own) / (len(own) + 5))
            for factor in range(FACTORS)
        ]
        assert np.frombuffer(binary(served[user_id], "taste"), "<i2").tolist() == taste
        suits = {
            product: sum(a * int(b) for a, b in zip(taste, embedding, strict=True)) * (orders + 10)
            for product, (embedding, orders) in embeddings.items()
            if product not in own
        }
        expected = sorted(suits, key=lambda product: (-suits[product], product))
        assert np.frombuffer(binary(served[user_id], "similar"), "<i4").tolist() == expected


def test_the_most_popular_products_stand_in_for_unknown_customers(served: dict[int, dict[str, Any]]) -> None:
    popular = served[0]
    assert np.frombuffer(binary(popular, "products"), "<i4").tolist() == list(range(1, 101))
    np.testing.assert_allclose(np.frombuffer(binary(popular, "scores"), "<f4"), 1 / np.arange(1, 101), rtol=1e-6)


class Past:
    """DynamoDB behind the function, holding what serving knew before everybody's last order."""

    def __init__(self, items: dict[int, dict[str, Any]]) -> None:
        self.items = items

    def get_item(self, TableName: str, Key: dict[str, Any]) -> dict[str, Any]:
        item = self.items[int(Key["user_id"]["N"])]
        return {"Item": {n: {"B": base64.b64decode(v["B"])} if "B" in v else v for n, v in item.items()}}


@pytest.fixture
def past(
    lake: Path,
    shop: Any,
    build_lake: Callable[[dict[str, pa.Table]], Path],
    run_job: Callable[..., None],
    dynamodb: KeyValueTable,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[ModuleType, dict[str, list[bytes]]]:
    """The function, with items made of what there was before the last order; its models keep what they are asked."""
    last = dict(ends(database(shop)))
    tables = {}
    for name, table in shop.tables.items():
        limits = pa.array([last[user_id] for user_id in table["user_id"].to_pylist()])
        tables[name] = table.filter(pc.less(table["order_number"], limits))
    earlier = build_lake(tables)
    write_popularity(earlier)
    tables = locations(earlier, "histories", "product_popularity") | locations(lake, "product_serving")
    run_job("serving_items.py", **tables, customers="dynamodb://past")
    function = load("lambdas/recommend/handler.py")
    asked: dict[str, list[bytes]] = {}

    def score(model: str, _: Any, rows: list[bytes]) -> list[float]:
        asked[model] = rows
        return [0.5] * len(rows)

    lines = [line for part in lake.glob("product_serving/part-*") for line in part.read_bytes().splitlines()]
    services = Past(dict(dynamodb.items))
    monkeypatch.setenv("TABLE_CUSTOMERS", "past")
    monkeypatch.setattr(function, "client", lambda _: services)
    products = function.Shop.read(lines)
    monkeypatch.setattr(function, "shop", lambda: products)
    monkeypatch.setattr(function, "score", score)
    return function, asked


def test_a_model_is_asked_exactly_what_it_was_taught(
    past: tuple[ModuleType, dict[str, list[bytes]]], lake: Path, shop: Any
) -> None:
    """For all who measure: the function's rows just before the target, byte by byte those of the training set."""
    function, asked = past
    baskets: dict[tuple[int, int], list[int]] = {}
    for row in shop.rows("order_products_prior") + shop.rows("order_products_train"):
        baskets.setdefault((row["user_id"], row["order_number"]), []).append(row["product_id"])
    compared = 0
    for task, names in TASKS.items():
        keys = "user_id, target_order, position" if task == "cart_next" else "user_id, target_order, 1 as position"
        columns = f"{keys}, product_id, {', '.join(names)}"
        tables = " union all ".join(f"select {columns} from '{lake}/{task}_{part}/*.parquet'" for part in ROLES[1:])
        groups: dict[tuple[int, int, int], set[bytes]] = {}
        for user_id, order, position, _, *values in duckdb.sql(tables).fetchall():
            row = np.array([np.nan if value is None else value for value in values], np.float64).astype("<f4")
            groups.setdefault((user_id, order, position), set()).add(row.tobytes())
        assert len(groups) > 10
        for (user_id, order, position), taught in groups.items():
            assert role(user_id) != "train"
            person = function.customer(user_id)
            if task == "cart_next":
                function.fill_cart(person, baskets[user_id, order][: position - 1], 10)
            else:
                {"buy_again": function.buy_again, "try_next": function.try_new}[task](person, 10)
            assert set(asked[task]) == taught, (task, user_id, order, position)
            compared += len(taught)
    assert compared > 1000
    assert len(PRODUCT) == function.PRODUCT_COLUMNS and len(PAIR) == function.PAIR_COLUMNS
    assert len(USER) == function.USER_COLUMNS and list(PAIR)[function.DECAYED_ORDERS] == "up_decayed_orders"


def test_unprocessed_items_are_sent_again() -> None:
    table, pauses = KeyValueTable(), []
    items = [{"user_id": {"N": str(number)}} for number in range(60)]
    assert load("glue-jobs/serving_items.py").put_items(table, "t", items, pauses.append) == 60
    assert set(table.items) == set(range(60))
    assert len(pauses) == 3


def test_items_that_are_never_taken_are_an_error() -> None:
    class Full:
        def batch_write_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
            return {"UnprocessedItems": RequestItems}

    pauses: list[float] = []
    with pytest.raises(RuntimeError, match="did not take 1 items of `t`"):
        load("glue-jobs/serving_items.py").put_items(Full(), "t", [{"user_id": {"N": "1"}}], pauses.append)
    assert pauses == sorted(pauses) and pauses[-1] > pauses[0]
