"""Glue job: the honest training set.

A row is a product that the customer bought before the last order, every one of them; its label says whether it is in
the last order. Customers are split, not rows: a customer's habits never sit on both sides.
"""

import sys

from awsglue.utils import getResolvedOptions
from buy_again.features import FEATURES
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F


def held_out(percent: int) -> Column:
    """Whether a customer belongs to validation. Depends on `user_id` alone, so that it stays so as data grows."""
    return F.crc32(F.col("user_id").cast("string").cast("binary")) % 100 < percent


def main() -> None:
    names = ["buy_again_features", "order_products_train"]
    outputs = ["buy_again_train", "buy_again_validation", "buy_again_targets"]
    args = getResolvedOptions(sys.argv, [*names, *outputs, "validation_percent"])
    spark = SparkSession.builder.appName("training_set").getOrCreate()
    validation = held_out(int(args["validation_percent"]))
    targets = spark.read.parquet(args["order_products_train"]).select("user_id", "product_id").distinct()
    candidates = spark.read.parquet(args["buy_again_features"]).where(F.col("as_of") == "training")

    labels = targets.withColumn("label", F.lit(1))
    rows = candidates.join(labels, ["user_id", "product_id"], "left").select(
        "user_id", "product_id", F.coalesce("label", F.lit(0)).alias("label"), *FEATURES
    )
    rows.where(~validation).write.mode("overwrite").parquet(args["buy_again_train"])
    rows.where(validation).write.mode("overwrite").parquet(args["buy_again_validation"])
    targets.where(validation).write.mode("overwrite").parquet(args["buy_again_targets"])


if __name__ == "__main__":
    main()
