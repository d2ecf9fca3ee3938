"""Glue job: one item per customer in the serving table, with everything the model needs to rank the candidates.

Attributes of an item:

- `user_id`: the key; 0 holds the answer for customers who are not known.
- `products`: the candidates' ids, int32, little endian.
- `features`: a row of float32 per candidate in the order of `FEATURES`, NaN where there is no value, zlib.
- `feature_names`: the first 16 hexadecimal digits of the SHA-256 of the names joined by newlines. The model knows the
  fingerprint of the names that it learned from, and refuses another.
- `scores`: of item 0 only, which has no features: float32 per product, best first.
"""

import hashlib
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice, pairwise
from typing import Any

import boto3
import numpy as np
import pyarrow as pa
from awsglue.utils import getResolvedOptions
from buy_again.features import FEATURES
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

UNKNOWN_USER = 0
POPULAR_PRODUCTS = 100
BATCH = 25  # the most items that one BatchWriteItem takes
ATTEMPTS = 10


def customers(batches: Iterable[pa.RecordBatch], names: list[str]) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Customer, product ids and feature matrix, for rows that arrive sorted by customer."""
    rest: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    for batch in batches:
        columns = {name: batch.column(name).to_numpy(zero_copy_only=False) for name in batch.schema.names}
        users, products = columns["user_id"], columns["product_id"].astype("<i4")
        matrix = np.column_stack([columns[name].astype("<f4") for name in names])
        if rest is not None:
            users, products, matrix = (
                np.concatenate(pair) for pair in zip(rest, (users, products, matrix), strict=True)
            )
        starts = [0, *(np.flatnonzero(np.diff(users)) + 1)]
        for start, end in pairwise(starts):
            yield int(users[start]), products[start:end], matrix[start:end]
        # The last customer of a batch may go on in the next one.
        rest = (users[starts[-1] :], products[starts[-1] :], matrix[starts[-1] :]) if len(users) else None
    if rest is not None:
        yield int(rest[0][0]), rest[1], rest[2]


def item(user_id: int, products: np.ndarray, matrix: np.ndarray, fingerprint: str) -> dict[str, Any]:
    """A customer's item in the form of DynamoDB's API."""
    return {
        "user_id": {"N": str(user_id)},
        "products": {"B": products.astype("<i4").tobytes()},
        "features": {"B": zlib.compress(np.ascontiguousarray(matrix, "<f4").tobytes())},
        "feature_names": {"S": fingerprint},
    }


def popularity_item(products: list[int], scores: list[float]) -> dict[str, Any]:
    """The answer for customers who are not known."""
    return {
        "user_id": {"N": str(UNKNOWN_USER)},
        "products": {"B": np.array(products, "<i4").tobytes()},
        "scores": {"B": np.array(scores, "<f4").tobytes()},
    }


def put_items(client: Any, table: str, items: Iterable[dict[str, Any]], wait: Callable[[float], None]) -> int:
    """Writes the items and returns how many; what DynamoDB leaves unprocessed is sent again after a growing pause."""
    items, written = iter(items), 0
    while chunk := list(islice(items, BATCH)):
        requests = [{"PutRequest": {"Item": each}} for each in chunk]
        for attempt in range(ATTEMPTS):
            answer = client.batch_write_item(RequestItems={table: requests})
            requests = answer.get("UnprocessedItems", {}).get(table, [])
            if not requests:
                break
            wait(min(0.05 * 2**attempt, 5.0))
        if requests:
            raise RuntimeError(f"DynamoDB did not take {len(requests)} items of `{table}` in {ATTEMPTS} attempts")
        written += len(chunk)
    return written


def write_customers(rows: DataFrame, table: str, region: str | None) -> int:
    """Writes an item for each customer in `rows` and returns how many there were."""
    names = list(FEATURES)
    fingerprint = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]

    def write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        client = boto3.client("dynamodb", region_name=region)
        items = (item(*customer, fingerprint) for customer in customers(batches, names))
        yield pa.RecordBatch.from_pydict({"items": [put_items(client, table, items, time.sleep)]})

    by_customer = (
        rows.select("user_id", "product_id", *names)
        .repartition("user_id")
        .sortWithinPartitions("user_id", "product_id")
    )
    return by_customer.mapInArrow(write, "items bigint").agg(F.sum("items")).first()[0] or 0


def main() -> None:
    args = getResolvedOptions(sys.argv, ["buy_again_features", "product_popularity", "buy_again_serving"])
    table = args["buy_again_serving"].removeprefix("dynamodb://")
    region = boto3.session.Session().region_name
    spark = SparkSession.builder.appName("serving_items").getOrCreate()

    rows = spark.read.parquet(args["buy_again_features"]).where(F.col("as_of") == "serving")
    written = write_customers(rows, table, region)

    popularity = spark.read.parquet(args["product_popularity"]).where(F.col("popularity_rank") <= POPULAR_PRODUCTS)
    popular = popularity.orderBy("popularity_rank").select("product_id", "order_share").collect()
    best = popularity_item([row.product_id for row in popular], [row.order_share for row in popular])
    written += put_items(boto3.client("dynamodb", region_name=region), table, [best], time.sleep)
    print(f"{written} items written to {table}")


if __name__ == "__main__":
    main()
