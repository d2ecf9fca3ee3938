"""Glue job: what every customer did with every product, as of training and as of serving.

Written once and read by every later job, because it is the one expensive aggregation of the lake: Spark would
otherwise compute it again for each feature that is derived from it.
"""

import sys

from awsglue.utils import getResolvedOptions
from buy_again.features import user_products
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

COLUMNS = {
    "as_of": "string",
    "user_id": "int",
    "product_id": "int",
    "up_orders": "int",
    "up_first_order": "int",
    "up_last_order": "int",
    "up_first_day": "int",
    "up_last_day": "int",
    "up_cart_positions": "bigint",
    "up_orders_last_60_days": "int",
    "up_decayed_orders": "double",
    "up_recent_orders": "bigint",
}


def main() -> None:
    names = ["order_timeline", "order_products_prior", "order_products_train", "user_products", "half_life"]
    args = getResolvedOptions(sys.argv, names)
    spark = SparkSession.builder.appName("user_products").getOrCreate()
    orders = spark.read.parquet(args["order_timeline"])
    baskets = [
        spark.read.parquet(args[f"order_products_{eval_set}"])
        .select("user_id", "product_id", "order_number", "order_day", "add_to_cart_order")
        .withColumn("eval_set", F.lit(eval_set))
        for eval_set in ("prior", "train")
    ]
    rows = user_products(orders, baskets[0].unionByName(baskets[1]), float(args["half_life"]))
    rows.select(*(F.col(name).cast(kind) for name, kind in COLUMNS.items())).write.mode("overwrite").parquet(
        args["user_products"]
    )


if __name__ == "__main__":
    main()
