"""Runs the visual job of nodes.yaml on Spark: its script, and what Glue Studio's boxes say, against plain SQL."""

from __future__ import annotations

import json
import runpy
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from sales import spark

ORDERS = """CREATE TABLE orders AS SELECT * FROM (VALUES
(1, 10, date '2026-01-01', 'open', 2.5::DOUBLE, 1.25::DECIMAL(10,2), true),
(2, 10, date '2026-02-01', 'o ''n', 4.0, 9.75, true),
(3, 11, NULL, 'it''s', NULL, 3.00, false),
(4, 12, date '2026-03-01', 'open', 10.5, NULL, NULL),
(5, NULL, date '2026-01-01', NULL, 1.0, 0.10, true),
(6, 10, date '2026-01-01', 'o''n', 7.0, 2.00, true),
(7, 10, date '2026-01-02', 'open', 2.5, 1.25, true)
) AS t(id, customer, day, status, price, cost, gift)"""
CUSTOMERS = """CREATE TABLE customers AS SELECT * FROM (VALUES
(10, 'Ann', 'Rome'), (11, 'it''s', 'Rome'), (12, 'Bo', 'Oslo'), (13, NULL, NULL)) AS t(customer, name, city)"""

PAIRS = "SELECT {customer} AS customer, id, price, name FROM orders o {how} JOIN customers c ON o.customer = c.customer"
# For each table that the job writes, the same in SQL that knows nothing of nodes.
EXPECTED = {
    "filtered": "SELECT * FROM orders WHERE price >= 2.5 AND status LIKE 'o%''n' AND day < '2026-03-01' AND gift "
    "AND cost >= 0",
    "either": "SELECT * FROM orders WHERE price IS NULL OR status = 'it''s' OR cost > 9.5 OR id <= 1",
    "unlike": "SELECT * FROM orders WHERE status <> 'open' AND id <> 2",
    "inner": PAIRS.format(customer="o.customer", how="INNER"),
    "left": PAIRS.format(customer="o.customer", how="LEFT"),
    "right": PAIRS.format(customer="c.customer", how="RIGHT"),
    "outer": PAIRS.format(customer="coalesce(o.customer, c.customer)", how="FULL"),
    "semi": "SELECT customer, id, price FROM orders WHERE customer IN (SELECT customer FROM customers)",
    "anti": "SELECT customer, id, price FROM orders WHERE customer IS NULL",
    "totals": "SELECT status, count(*), count(price), count(DISTINCT customer), sum(price), sum(cost), avg(price), "
    "CAST(sum(cost) / count(cost) AS DECIMAL(14,6)), min(day), max(status), stddev_samp(price) FROM orders "
    "GROUP BY status",
    "everything": "SELECT count(*) FROM orders",
    "mapped": "SELECT id, CAST(price AS VARCHAR), CAST(day AS TIMESTAMP), CAST(cost AS DOUBLE) FROM orders",
    "chosen": "SELECT status, id FROM orders",
    "people": "SELECT DISTINCT customer, gift FROM orders",
    "states": "SELECT DISTINCT status FROM orders",
    "filled": "SELECT id, customer, coalesce(day, date '2026-01-01'), coalesce(status, 'it''s `new`'), "
    "coalesce(price, 0), coalesce(cost, 1.5), coalesce(gift, false) FROM orders",
    "derived": "SELECT id, price, cost, price - cost, year(day), status || ' ' || id FROM orders",
    "united": "SELECT customer FROM orders UNION SELECT customer FROM customers",
    "all_of_them": "SELECT customer FROM orders UNION ALL SELECT customer FROM customers",
    "asked": "SELECT city, count(*), sum(price) FROM orders JOIN customers USING (customer) WHERE name <> 'it''s' "
    "GROUP BY city HAVING count(*) > 1",
    "by_day": "SELECT id, price, day FROM orders WHERE day IS NOT NULL",
}

Box = dict[str, Any]


def boxes(nodes: dict[str, Box], session: SparkSession, tables: dict[str, DataFrame]) -> dict[str, DataFrame]:
    """What each target is given, by the boxes that Glue Studio shows and what AWS's guide says that they do."""
    made: dict[str, DataFrame] = {}

    def rows(node: str) -> DataFrame:
        if node not in made:
            ((kind, box),) = nodes[node].items()
            made[node] = KINDS[kind](box)
        return made[node]

    def sql(box: Box) -> DataFrame:
        for alias in box["SqlAliases"]:
            rows(alias["From"]).createOrReplaceTempView(alias["Alias"])
        found = session.sql(box["SqlQuery"])
        said = [(column["Name"], column["Type"]) for column in box["OutputSchemas"][0]["Columns"]]
        assert found.dtypes == said, f"{box['Name']} has {found.dtypes}, and says {said}"
        return found

    def mapping(box: Box) -> DataFrame:
        given = rows(box["Inputs"][0])
        for one in box["Mapping"]:
            assert dict(given.dtypes)[one["FromPath"][0]] == one["FromType"], one
        chosen = [F.col(one["FromPath"][0]).cast(one["ToType"]).alias(one["ToKey"]) for one in box["Mapping"]]
        return given.select(*chosen)

    def same(box: Box) -> DataFrame:
        return rows(box["Inputs"][0])

    KINDS: dict[str, Callable[[Box], DataFrame]] = {
        "S3CatalogSource": lambda box: tables[box["Table"]],
        "SparkSQL": sql,
        "ApplyMapping": mapping,
        "SelectFields": lambda box: same(box).select(*(path[0] for path in box["Paths"])),
        "DropFields": lambda box: same(box).drop(*(path[0] for path in box["Paths"])),
        "DropDuplicates": lambda box: (
            same(box).dropDuplicates([path[0] for path in box["Columns"]]) if "Columns" in box else same(box).distinct()
        ),
        "CustomCode": same,
        "SelectFromCollection": same,
    }
    targets = [box for node in nodes.values() for kind, box in node.items() if kind.endswith("Target")]
    return {box["Name"]: rows(box["Inputs"][0]) for box in targets}


def ordered(lines: list[tuple[Any, ...]]) -> list[str]:
    """Rows in an order of their own; sums of doubles may differ in their last digits."""
    return sorted(str([round(value, 9) if isinstance(value, float) else value for value in line]) for line in lines)


def registered(assembly: Path) -> dict[str, Box]:
    """The boxes that the template registers."""
    for file in assembly.glob("*.json"):
        for resource in json.loads(file.read_text()).get("Resources", {}).values():
            if resource["Type"] == "Custom::VisualJob":
                nodes = resource["Properties"]["Nodes"]
                return json.loads(nodes["Fn::Sub"].replace("${!", "${") if isinstance(nodes, dict) else nodes)
    raise AssertionError("no visual job is registered")


def main(script: str, assembly: str) -> None:
    session = spark()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = duckdb.connect()
        for table, rows in (("orders", ORDERS), ("customers", CUSTOMERS)):
            database.execute(rows)
            (folder / table).mkdir()
        database.execute(f"COPY orders TO '{folder}/orders/part.parquet' (FORMAT parquet)")
        database.execute(f"COPY customers TO '{folder}/customers/part.json' (FORMAT json)")
        names = ["orders", "customers", *EXPECTED]
        sys.argv = [script, *(word for table in names for word in (f"--{table}", str(folder / table)))]
        runpy.run_path(script, run_name="__main__")
        tables = {
            "orders": session.read.parquet(str(folder / "orders")),
            "customers": session.read.schema("customer int, name string, city string").json(str(folder / "customers")),
        }
        shown = boxes(registered(Path(assembly)), session, tables)
        assert shown.keys() == EXPECTED.keys()
        for table, query in EXPECTED.items():
            wanted = ordered(database.execute(query).fetchall())
            schema = ", ".join(f"{column} {kind}" for column, kind in shown[table].dtypes)
            reader = session.read.schema(schema)
            found = {
                "chosen": lambda path, reader=reader: reader.csv(path, header=True),
                "people": lambda path, reader=reader: reader.json(path),
            }.get(table, session.read.parquet)(str(folder / table))
            assert wanted, table
            assert ordered([tuple(row) for row in found.collect()]) == wanted, (
                f"the script's {table}: {found.collect()}"
            )
            rows = [tuple(row) for row in shown[table].collect()]
            assert ordered(rows) == wanted, f"the boxes' {table}: {rows}"


if __name__ == "__main__":
    main(*sys.argv[1:])
