"""Glue job: what is known of products: how they are bought, and what is bought together with them.

Only orders before anybody's first target count, for training and for serving alike: so a target cannot be seen in its
product's numbers, and a model meets the numbers that it was taught.
"""

import base64
import struct
import sys
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from awsglue.utils import getResolvedOptions
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from shop.features import PRODUCT, pair_features
from shop.histories import offsets
from shop.neighbours import Baskets, neighbours, sample_baskets
from shop.split import before_targets
from shop.tastes import embed, sample_customers

CATALOG = "product_id int, product_name string, aisle string, department string"
# What the day of one order takes in `histories`.
DAY_BYTES = 4


def count_purchases(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Sums over some customers, by product."""
    for batch in batches:
        history = before_targets(batch)
        pairs = pair_features(history)
        products, index = np.unique(history.products, return_inverse=True)
        bought = np.searchsorted(products, pairs.products)
        sums = {
            "product_id": products.astype(np.int32),
            "orders": np.bincount(index, minlength=len(products)),
            "buyers": np.bincount(bought, minlength=len(products)),
            "second": np.bincount(bought[pairs.features["up_orders"] > 1], minlength=len(products)),
            "positions": np.bincount(index, history.positions, minlength=len(products)).astype(np.int64),
        }
        yield pa.RecordBatch.from_pydict(sums)


def product_features(histories: DataFrame) -> DataFrame:
    """`product_id` and the columns of `PRODUCT`."""
    sums = "product_id int, orders bigint, buyers bigint, second bigint, positions bigint"
    names = ("orders", "buyers", "second", "positions")
    total = histories.mapInArrow(count_purchases, sums).groupBy("product_id").agg(*(F.sum(n).alias(n) for n in names))
    orders, buyers, second, positions = (F.col(name) for name in names)
    definitions = {
        "prod_orders": orders,
        "prod_reorders": orders - buyers,
        "prod_first_orders": buyers,
        "prod_second_orders": second,
        "prod_reorder_probability": second / buyers,
        "prod_reorder_times": orders / buyers,
        "prod_reorder_ratio": (orders - buyers) / orders,
        "prod_average_cart_position": positions / orders,
    }
    return total.select("product_id", *(definitions[name].cast(kind).alias(name) for name, kind in PRODUCT.items()))


def baskets(histories: DataFrame, part: float) -> Baskets:
    """The sample, which is as large as it is asked to be, however many customers there are."""
    rows = histories.mapInArrow(sample_baskets(part), "products binary, sizes binary").collect()
    products, sizes = (np.frombuffer(b"".join(row[name] for row in rows), "<i4") for name in ("products", "sizes"))
    return Baskets(products, offsets(sizes))


def tastes(histories: DataFrame, part: float) -> list[tuple[int, str]]:
    """Products with an embedding, int8 in base64, from a sample of customers that is as large as it is asked to be."""
    rows = histories.mapInArrow(sample_customers(part), "products binary, sizes binary").collect()
    products, sizes = (np.frombuffer(b"".join(row[name] for row in rows), "<i4") for name in ("products", "sizes"))
    embedded, embeddings = embed(products, sizes)
    texts = [base64.b64encode(row.tobytes()).decode() for row in embeddings]
    return list(zip(embedded.tolist(), texts, strict=True))


def for_serving(catalog: DataFrame, features: DataFrame, neighbours: DataFrame, tastes: DataFrame) -> DataFrame:
    """A row per product with its names, and its numbers in base64: float32 and int32, little endian."""
    lists = neighbours.groupBy("product_id").agg(
        F.sort_array(F.collect_list(F.struct("rank", "neighbour_id", "strength"))).alias("near")
    )
    rows = catalog.join(features, "product_id", "full").join(lists, "product_id", "left")
    rows = rows.join(F.broadcast(tastes), "product_id", "left")
    return rows.select(
        "product_id",
        "product_name",
        "aisle",
        "department",
        numbers("f", F.array(*(F.col(name).cast("double") for name in PRODUCT))).alias("features"),
        numbers("i", F.col("near.neighbour_id").cast("array<double>")).alias("neighbours"),
        numbers("f", F.col("near.strength").cast("array<double>")).alias("strengths"),
        "taste",
    )


def numbers(code: str, values: Column) -> Column:
    """An array as base64: int32 (code i) or float32 (code f) numbers, NaN where there is none."""

    def encode(content: list[float | None] | None) -> str:
        kept = [float("nan") if value is None else value for value in content or []]
        whole = [int(value) for value in kept] if code == "i" else kept
        return base64.b64encode(struct.pack(f"<{len(whole)}{code}", *whole)).decode()

    return F.udf(encode, "string")(values)


def main() -> None:
    tables = ["histories", "product_catalog", "product_features", "product_neighbours", "product_serving"]
    args = getResolvedOptions(sys.argv, [*tables, "baskets", "neighbours", "tastes"])
    spark = SparkSession.builder.appName("products").getOrCreate()
    histories = spark.read.parquet(args["histories"])
    product_features(histories).write.mode("overwrite").parquet(args["product_features"])
    features = spark.read.parquet(args["product_features"])

    everything = histories.select(F.sum(F.length("days") / DAY_BYTES)).first()[0] or 0
    sample = spark.sparkContext.broadcast(baskets(histories, min(1.0, int(args["baskets"]) / max(everything, 1))))
    tasks = 4 * spark.sparkContext.defaultParallelism
    near = (
        features.select("product_id")
        .repartition(tasks)
        .mapInArrow(
            neighbours(sample, int(args["neighbours"])),
            "product_id int, neighbour_id int, rank int, baskets bigint, strength float",
        )
    )
    near.write.mode("overwrite").parquet(args["product_neighbours"])
    catalog = spark.read.schema(CATALOG).json(args["product_catalog"])
    everyone = histories.count()
    liked = tastes(histories, min(1.0, int(args["tastes"]) / max(everyone, 1)))
    embeddings = spark.createDataFrame(liked, "product_id int, taste string")
    rows = for_serving(catalog, features, spark.read.parquet(args["product_neighbours"]), embeddings)
    rows.write.mode("overwrite").json(args["product_serving"])


if __name__ == "__main__":
    main()
