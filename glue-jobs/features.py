"""Glue job: the features of every candidate, for training (customers with a known last order) and for serving (all)."""

import sys

from awsglue.utils import getResolvedOptions
from buy_again.features import features
from pyspark.sql import SparkSession


def main() -> None:
    args = getResolvedOptions(sys.argv, ["order_timeline", "user_products", "buy_again_features"])
    spark = SparkSession.builder.appName("features").getOrCreate()
    orders = spark.read.parquet(args["order_timeline"])
    pairs = spark.read.parquet(args["user_products"])
    features(orders, pairs).write.mode("overwrite").parquet(args["buy_again_features"])


if __name__ == "__main__":
    main()
