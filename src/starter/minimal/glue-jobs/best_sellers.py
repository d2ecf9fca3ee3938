"""Glue job: the products that sold best on each day."""

import sys

from awsglue.utils import getResolvedOptions
from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F


def main() -> None:
    args = getResolvedOptions(sys.argv, ["revenue", "best_sellers", "top"])
    spark = SparkSession.builder.appName("best_sellers").getOrCreate()
    # Products that sold equally often are told apart by their number, so that every run gives the same rows.
    by_sold = Window.partitionBy("day").orderBy(F.desc("sold"), "product_id")
    ranked = spark.read.parquet(args["revenue"]).withColumn("rank", F.row_number().over(by_sold))
    best = ranked.where(F.col("rank") <= int(args["top"])).select("day", "rank", "product", "sold")
    best.write.mode("overwrite").parquet(args["best_sellers"])


if __name__ == "__main__":
    main()
