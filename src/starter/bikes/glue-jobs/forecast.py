"""Glue job: the hours of a week in which each station loses the most bicycles, as one item a station."""

import json
import sys

import boto3
from awsglue.utils import getResolvedOptions
from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F

HOURS = 5


def main() -> None:
    args = getResolvedOptions(sys.argv, ["flows", "stations", "shortages"])
    spark = SparkSession.builder.appName("forecast").getOrCreate()
    flows = spark.read.parquet(args["flows"])
    stations = spark.read.parquet(args["stations"])
    lost = F.col("left") - F.col("came")
    worst = Window.partitionBy("station_id").orderBy(F.desc("lost"), "weekday", "hour")
    ranked = flows.withColumn("lost", lost).where("lost > 0").withColumn("place", F.row_number().over(worst))
    hours = F.struct("place", "weekday", "hour", "lost")
    by_station = (
        ranked.where(F.col("place") <= HOURS)
        .groupBy("station_id")
        .agg(F.sort_array(F.collect_list(hours)).alias("hours"))
    )
    rows = stations.join(by_station, "station_id", "left").orderBy("station_id").collect()
    table = boto3.resource("dynamodb").Table(args["shortages"].removeprefix("dynamodb://"))
    with table.batch_writer() as batch:
        for row in rows:
            short = [{"weekday": h["weekday"], "hour": h["hour"], "lost": h["lost"]} for h in row["hours"] or []]
            forecast = {"station": row["name"], "docks": row["docks"], "short_of_bicycles": short}
            batch.put_item(Item={"station_id": int(row["station_id"]), "forecast": json.dumps(forecast)})


if __name__ == "__main__":
    main()
