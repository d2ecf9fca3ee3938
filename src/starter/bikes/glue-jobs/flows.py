"""Glue job: how many bicycles leave each station and come to it, by weekday and hour. One folder a weekday."""

import sys

from awsglue.utils import getResolvedOptions
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F


def counted(rides: DataFrame, station: str, name: str) -> DataFrame:
    """Rides for each weekday (1 is Monday), hour of the start and station."""
    started = F.to_timestamp("started_at")
    weekday = (F.weekday(started) + 1).alias("weekday")
    hour = F.hour(started).alias("hour")
    return rides.groupBy(weekday, hour, F.col(station).alias("station_id")).agg(F.count("*").alias(name))


def main() -> None:
    args = getResolvedOptions(sys.argv, ["rides_clean", "flows"])
    spark = SparkSession.builder.appName("flows").getOrCreate()
    rides = spark.read.parquet(args["rides_clean"])
    keys = ["weekday", "hour", "station_id"]
    both = counted(rides, "from_station", "left").join(counted(rides, "to_station", "came"), keys, "full")
    flows = both.fillna(0, ["left", "came"]).select("station_id", "hour", "left", "came", "weekday")
    flows.write.mode("overwrite").partitionBy("weekday").parquet(args["flows"])


if __name__ == "__main__":
    main()
