"""Glue job: the features of every candidate, for training (customers with a known last order) and for serving (all)."""

import sys

from awsglue.utils import getResolvedOptions
from buy_again.features import AS_OF, FEATURES, features, known_orders
from pyspark.sql import SparkSession
from pyspark.sql import functions as F


def main() -> None:
    args = getResolvedOptions(sys.argv, ["order_timeline", "user_products", "buy_again_features"])
    spark = SparkSession.builder.appName("features").getOrCreate()
    orders = spark.read.parquet(args["order_timeline"])
    pairs = spark.read.parquet(args["user_products"])
    users = {"training": orders.where(F.col("eval_set") == "train"), "serving": orders}
    views = [
        features(
            known_orders(orders, as_of),
            pairs.where(F.col("as_of") == as_of).drop("as_of"),
            users[as_of].select("user_id").distinct(),
        ).withColumn("as_of", F.lit(as_of))
        for as_of in AS_OF
    ]
    views[0].unionByName(views[1]).select("as_of", "user_id", "product_id", *FEATURES).write.mode("overwrite").parquet(
        args["buy_again_features"]
    )


if __name__ == "__main__":
    main()
