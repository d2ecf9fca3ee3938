"""What serving gets is what the features say, however rows are cut into batches and however DynamoDB stutters."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from buy_again.features import FEATURES
from conftest import KeyValueTable, load, locations


def test_every_customer_gets_the_features_of_serving(
    lake: Path, shop: Any, run_job: Callable[..., None], dynamodb: KeyValueTable
) -> None:
    (lake / "product_popularity").mkdir(exist_ok=True)
    popularity = f"{lake}/product_popularity/part.parquet"
    duckdb.sql(
        "copy (select n as product_id, 1.0 / n as order_share, n as popularity_rank from range(120, 0, -1) t(n)) "
        f"to '{popularity}' (format parquet)"
    )
    tables = locations(lake, "buy_again_features", "product_popularity")
    run_job("serving_items.py", **tables, buy_again_serving="dynamodb://shop-serving")

    everyone = {row["user_id"] for row in shop.rows("order_timeline")}
    assert set(dynamodb.items) == everyone | {0}
    names = ", ".join(FEATURES)
    for user_id in everyone:
        item = {name: next(iter(value.values())) for name, value in dynamodb.items[user_id].items()}
        rows = duckdb.sql(
            f"select product_id, {names} from '{lake}/buy_again_features/*.parquet' "
            f"where as_of = 'serving' and user_id = {user_id} order by product_id"
        ).fetchall()
        products = np.frombuffer(base64.b64decode(item["products"]), "<i4")
        assert products.tolist() == [row[0] for row in rows]
        matrix = np.frombuffer(zlib.decompress(base64.b64decode(item["features"])), "<f4").reshape(len(rows), -1)
        np.testing.assert_array_equal(matrix, np.array([row[1:] for row in rows], np.float32))
        assert item["feature_names"] == hashlib.sha256("\n".join(FEATURES).encode()).hexdigest()[:16]

    popular = dynamodb.items[0]
    assert np.frombuffer(base64.b64decode(popular["products"]["B"]), "<i4").tolist() == list(range(1, 101))
    scores = np.frombuffer(base64.b64decode(popular["scores"]["B"]), "<f4")
    np.testing.assert_allclose(scores, 1 / np.arange(1, 101), rtol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_customers_are_whole_wherever_batches_end(size: int) -> None:
    job = load("glue-jobs/serving_items.py")
    users = [1, 1, 1, 2, 3, 3, 3, 3, 3, 9]
    table = pa.table({"user_id": users, "product_id": range(10), "a": [0.5 * i for i in range(10)], "b": [None] * 10})
    table = table.set_column(3, "b", table["b"].cast(pa.float64()))
    found = list(job.customers(table.to_batches(max_chunksize=size), ["a", "b"]))
    assert [(user_id, products.tolist()) for user_id, products, _ in found] == [
        (1, [0, 1, 2]),
        (2, [3]),
        (3, [4, 5, 6, 7, 8]),
        (9, [9]),
    ]
    assert [matrix[:, 0].tolist() for _, _, matrix in found][1:] == [[1.5], [2.0, 2.5, 3.0, 3.5, 4.0], [4.5]]
    assert all(np.isnan(matrix[:, 1]).all() for _, _, matrix in found)


def test_no_rows_no_customers() -> None:
    assert list(load("glue-jobs/serving_items.py").customers([], ["a"])) == []


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
