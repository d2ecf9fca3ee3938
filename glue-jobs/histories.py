"""Glue job: a row per customer with everything bought, and which orders of whom are there to be foreseen.

The one shuffle of all purchases in the lake: whatever is computed of customers afterwards needs no other.
"""

import sys
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa
from awsglue.utils import getResolvedOptions
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from shop.histories import COLUMNS, offsets
from shop.split import roles

SCHEMA = pa.schema(
    [
        ("user_id", pa.int32()),
        ("role", pa.string()),
        ("targets", pa.int32()),
        *((name, pa.binary()) for name in ("days", "products", "orders", "positions")),
    ]
)
# A row of the stream that is sorted by customer, order and place: first the order itself with its day, at place 0, then
# its products from place 1 on.
ROW = ("user_id", "order_number", "place", "value")


def stream(orders: DataFrame, baskets: list[DataFrame]) -> DataFrame:
    """Orders and purchases as rows of `ROW`. Of a `test` order nobody knows the products: it is not there."""
    visits = orders.where(F.col("eval_set") != "test").select(
        "user_id", "order_number", F.lit(0).alias("place"), F.col("order_day").alias("value")
    )
    for basket in baskets:
        visits = visits.union(basket.select("user_id", "order_number", "add_to_cart_order", "product_id"))
    return visits


def histories(part: float) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Makes rows of `COLUMNS` of rows of `ROW`; `part` of all customers get a role."""

    def make(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rest = np.empty((len(ROW), 0), np.int64)
        for batch in batches:
            rows = np.stack([batch.column(name).to_numpy(zero_copy_only=False) for name in ROW])
            rows = np.concatenate([rest, rows], axis=1)
            # The last customer of a batch may go on in the next one.
            last = np.searchsorted(rows[0], rows[0, -1]) if rows.shape[1] else 0
            if last:
                yield customers(rows[:, :last], part)
            rest = rows[:, last:]
        if rest.shape[1]:
            yield customers(rest, part)

    return make


def customers(rows: np.ndarray, part: float) -> pa.RecordBatch:
    """A row of `COLUMNS` for each customer; orders are numbered anew, as some of them may be missing."""
    user, _, place, value = rows
    starts = np.flatnonzero(np.diff(user, prepend=user[0] - 1))
    visit = place == 0
    visits, purchases = np.add.reduceat(visit, starts), np.add.reduceat(~visit, starts)
    numbers = np.cumsum(visit) - np.repeat(offsets(visits)[:-1], visits + purchases)
    users = user[starts].astype(np.int32)
    found, targets = roles(users, visits, part)
    columns = [
        pa.array(users),
        pa.array(found, pa.string()),
        pa.array(targets),
        packed(value[visit].astype("<i4"), visits),
        packed(value[~visit].astype("<i4"), purchases),
        packed(numbers[~visit].astype("<i2"), purchases),
        packed(place[~visit].astype("<i2"), purchases),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def packed(numbers: np.ndarray, lengths: np.ndarray) -> pa.Array:
    """A binary column: consecutive pieces of `numbers`, so many of them in each row."""
    places = (offsets(lengths) * numbers.itemsize).astype(np.int32)
    return pa.Array.from_buffers(
        pa.binary(), len(lengths), [None, pa.py_buffer(places), pa.py_buffer(np.ascontiguousarray(numbers))]
    )


def main() -> None:
    tables = ["order_timeline", "order_products_prior", "order_products_train", "histories"]
    args = getResolvedOptions(sys.argv, [*tables, "customers"])
    spark = SparkSession.builder.appName("histories").getOrCreate()
    orders, *baskets = (spark.read.parquet(args[name]) for name in tables[:-1])
    everyone = orders.where("order_number = 1").count()
    part = min(1.0, int(args["customers"]) / max(everyone, 1))
    rows = stream(orders, baskets).repartition("user_id").sortWithinPartitions("user_id", "order_number", "place")
    rows.mapInArrow(histories(part), COLUMNS).write.mode("overwrite").parquet(args["histories"])


if __name__ == "__main__":
    main()
