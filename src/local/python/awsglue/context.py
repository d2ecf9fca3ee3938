"""The Glue context around a Spark context."""

from __future__ import annotations

import logging
from typing import Any

from pyspark.context import SparkContext
from pyspark.sql import SparkSession


class GlueContext:
    """Gives scripts their Spark session; readers and writers of the Data Catalog are not here: use locations."""

    def __init__(self, sparkContext: SparkContext, **_options: Any) -> None:
        self.sparkContext = sparkContext
        self.spark_session = SparkSession.builder.getOrCreate()

    def getSparkSession(self) -> SparkSession:
        """The session of this job."""
        return self.spark_session

    def get_logger(self) -> logging.Logger:
        """A logger that writes to the job's log."""
        return logging.getLogger("glue")
