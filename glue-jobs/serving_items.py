"""Glue job: one item per customer in the serving table, with what requests need to know of the customer.

Attributes of an item:

- `user_id`: the key; 0 stands for customers who are not known.
- `user`: the columns of `USER`, float32, little endian, NaN where there is no value.
- `products`: what the customer bought, int32, little endian, ascending.
- `taste`: the customer's taste, int16, little endian.
- `similar`: products never bought that suit it, int32, little endian, the best first.
- `pairs`: a row of float32 per product in the order of `PAIR`, zlib.
- `fingerprints`: by model, that of the features' names that it is asked with; a model refuses another than its own.
  Under `candidates`, that of the names that the function itself computes.
- `scores`: of item 0 only, which has neither `user` nor `pairs` nor a taste: float32 per product, best first.
"""

import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import boto3
import numpy as np
import pyarrow as pa
from awsglue.utils import getResolvedOptions
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from candidates import CART, TRY, Shop
from shop.features import PAIR, TASKS, fingerprint, pair_features, user_features
from shop.histories import Histories
from shop.tastes import Tastes

UNKNOWN_USER = 0
POPULAR_PRODUCTS = 100
BATCH = 25  # the most items that one BatchWriteItem takes
ATTEMPTS = 10


def items(history: Histories, tastes: Tastes) -> Iterator[dict[str, Any]]:
    """Customers' items in the form of DynamoDB's API. Everything in `history` counts as known."""
    history = history.where(history.order_counts > 0)
    pairs = pair_features(history)
    users = np.column_stack([*user_features(history, pairs).values()]).astype("<f4")
    matrix = np.column_stack([pairs.features[name] for name in PAIR]).astype("<f4")
    products = pairs.products.astype("<i4")
    starts = np.searchsorted(pairs.owners, np.arange(len(history.users) + 1))
    taste = tastes.of(pairs.owners, pairs.products, len(history.users)).astype("<i2")
    similar = tastes.similar(taste, pairs.owners, pairs.products).astype("<i4")
    names = fingerprints()
    for index, user_id in enumerate(history.users.tolist()):
        own = slice(starts[index], starts[index + 1])
        yield {
            "user_id": {"N": str(user_id)},
            "user": {"B": users[index].tobytes()},
            "products": {"B": products[own].tobytes()},
            "taste": {"B": taste[index].tobytes()},
            "similar": {"B": similar[index][similar[index] >= 0].tobytes()},
            "pairs": {"B": zlib.compress(matrix[own].tobytes(), 1)},
            "fingerprints": names,
        }


def fingerprints() -> dict[str, Any]:
    """The attribute `fingerprints`."""
    names = {task: fingerprint(features) for task, features in TASKS.items()}
    names["candidates"] = fingerprint(dict.fromkeys([*TRY, *CART], "double"))
    return {"M": {name: {"S": value} for name, value in names.items()}}


def popularity_item(products: list[int], scores: list[float]) -> dict[str, Any]:
    """The answer for customers who are not known."""
    return {
        "user_id": {"N": str(UNKNOWN_USER)},
        "products": {"B": np.array(products, "<i4").tobytes()},
        "scores": {"B": np.array(scores, "<f4").tobytes()},
        "fingerprints": fingerprints(),
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


def write_customers(histories: DataFrame, tastes: Any, table: str, region: str | None) -> int:
    """Writes an item for each customer and returns how many there were; `tastes` is a broadcast of Tastes."""

    def write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        client = boto3.client("dynamodb", region_name=region)
        each = (item for batch in batches for item in items(Histories.read(batch), tastes.value))
        yield pa.RecordBatch.from_pydict({"items": [put_items(client, table, each, time.sleep)]})

    return histories.mapInArrow(write, "items bigint").agg(F.sum("items")).first()[0] or 0


def main() -> None:
    args = getResolvedOptions(sys.argv, ["histories", "product_serving", "product_popularity", "customers"])
    table = args["customers"].removeprefix("dynamodb://")
    region = boto3.session.Session().region_name
    spark = SparkSession.builder.appName("serving_items").getOrCreate()
    shop = Shop.read(row.value for row in spark.read.text(args["product_serving"]).collect())
    tastes = spark.sparkContext.broadcast(Tastes.of_shop(shop))
    written = write_customers(spark.read.parquet(args["histories"]), tastes, table, region)

    popularity = spark.read.parquet(args["product_popularity"]).where(F.col("popularity_rank") <= POPULAR_PRODUCTS)
    popular = popularity.orderBy("popularity_rank").select("product_id", "order_share").collect()
    best = popularity_item([row.product_id for row in popular], [row.order_share for row in popular])
    written += put_items(boto3.client("dynamodb", region_name=region), table, [best], time.sleep)
    print(f"{written} items written to {table}")


if __name__ == "__main__":
    main()
