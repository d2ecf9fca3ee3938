"""Glue job: what is known of products: how they are bought, and what is bought together with them.

Only orders before anybody's first target count, for training and for serving alike: so a target cannot be seen in its
product's numbers, and a model meets the numbers that it was taught.
"""

import base64
import struct
import sys
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa
from awsglue.utils import getResolvedOptions
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from shop.features import PRODUCT, pair_features
from shop.histories import Histories

CATALOG = "product_id int, product_name string, aisle string, department string"
# Two products of a basket count as together when so many places or fewer lie between them: a basket of n products gives
# n times this many pairs at most, not n squared.
WINDOW = 15
# Added to the number of baskets before dividing by it: what was seen twice proves little.
PRIOR_BASKETS = 10.0


def known(batch: pa.RecordBatch) -> Histories:
    """The orders before each customer's first target."""
    everyone = Histories.read(batch)
    return everyone.before(everyone.order_counts - batch.column("targets").to_numpy() + 1)


def count_purchases(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Sums over some customers, by product."""
    for batch in batches:
        history = known(batch)
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


def count_pairs(part: float) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """How often two products lay together in the baskets of `part` of the orders, for some customers."""

    def count(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            history = known(batch)
            owners, orders = history.owners, history.orders
            # Which orders count follows from customer and number alone.
            draw = (history.users[owners].astype(np.int64) * 7919 + orders * 104_729) % 10_007
            chosen = draw < part * 10_007
            products, baskets = history.products[chosen].astype(np.int64), (owners << 16 | orders)[chosen]
            keys = []
            for distance in range(1, WINDOW + 1):
                same = baskets[distance:] == baskets[:-distance]
                left, right = products[:-distance][same], products[distance:][same]
                keys.append(np.minimum(left, right) << 32 | np.maximum(left, right))
            pairs, counts = np.unique(np.concatenate(keys), return_counts=True)
            yield pa.RecordBatch.from_pydict(
                {
                    "product_id": (pairs >> 32).astype(np.int32),
                    "neighbour_id": (pairs & 0xFFFFFFFF).astype(np.int32),
                    "baskets": counts,
                }
            )

    return count


def product_neighbours(histories: DataFrame, features: DataFrame, part: float, most: int) -> DataFrame:
    """The `most` strongest neighbours of every product."""
    counted = (
        histories.mapInArrow(count_pairs(part), "product_id int, neighbour_id int, baskets bigint")
        .groupBy("product_id", "neighbour_id")
        .agg(F.sum("baskets").alias("baskets"))
        # Two that met once met by chance.
        .where("baskets > 1 and product_id <> neighbour_id")
    )
    both_ways = counted.union(counted.select("neighbour_id", "product_id", "baskets"))
    sizes = features.select("product_id", (F.col("prod_orders") * part).alias("size"))
    own, other = (F.broadcast(sizes.toDF(key, size)) for key, size in (("product_id", "a"), ("neighbour_id", "b")))
    # Between the chance that the neighbour comes along, which favours what everybody buys, and the cosine.
    strength = F.col("baskets") / (F.col("a") + PRIOR_BASKETS) / F.pow(F.col("b") + PRIOR_BASKETS, F.lit(0.3))
    ranked = (
        both_ways.join(own, "product_id").join(other, "neighbour_id").withColumn("strength", strength.cast("float"))
    )
    order = Window.partitionBy("product_id").orderBy(F.desc("strength"), "neighbour_id")
    return (
        ranked.withColumn("rank", F.row_number().over(order))
        .where(F.col("rank") <= most)
        .select("product_id", "neighbour_id", "rank", "baskets", "strength")
    )


def for_serving(catalog: DataFrame, features: DataFrame, neighbours: DataFrame) -> DataFrame:
    """A row per product with its names, and its numbers in base64: float32 and int32, little endian."""
    lists = neighbours.groupBy("product_id").agg(
        F.sort_array(F.collect_list(F.struct("rank", "neighbour_id", "strength"))).alias("near")
    )
    rows = catalog.join(features, "product_id", "full").join(lists, "product_id", "left")
    return rows.select(
        "product_id",
        "product_name",
        "aisle",
        "department",
        numbers("f", F.array(*(F.col(name).cast("double") for name in PRODUCT))).alias("features"),
        numbers("i", F.col("near.neighbour_id").cast("array<double>")).alias("neighbours"),
        numbers("f", F.col("near.strength").cast("array<double>")).alias("strengths"),
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
    args = getResolvedOptions(sys.argv, [*tables, "customers", "neighbours"])
    spark = SparkSession.builder.appName("products").getOrCreate()
    histories = spark.read.parquet(args["histories"])
    part = min(1.0, int(args["customers"]) / max(histories.count(), 1))
    product_features(histories).write.mode("overwrite").parquet(args["product_features"])
    features = spark.read.parquet(args["product_features"])
    near = product_neighbours(histories, features, part, int(args["neighbours"]))
    near.write.mode("overwrite").parquet(args["product_neighbours"])
    catalog = spark.read.schema(CATALOG).json(args["product_catalog"])
    rows = for_serving(catalog, features, spark.read.parquet(args["product_neighbours"]))
    rows.write.mode("overwrite").json(args["product_serving"])


if __name__ == "__main__":
    main()
