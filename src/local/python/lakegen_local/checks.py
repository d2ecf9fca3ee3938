"""Glue Data Quality: DQDL rules, evaluated by DuckDB with the verdicts of AWS's reference.

What is missing decides as the reference says: NULL breaks `ColumnValues` unless the rule is `!=` or `not in`, counts as
text of length 0 for `ColumnLength`, and is left out of means, sums and unique values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

from lakegen_local import sources
from lakegen_local.errors import StepError
from lakegen_local.sources import Table

Rule = dict[str, Any]

SPARK_TYPES = {
    "boolean": "BOOLEAN", "date": "DATE", "timestamp": "TIMESTAMP", "integer": "INTEGER", "double": "DOUBLE",
    "float": "FLOAT", "long": "BIGINT",
}  # fmt: skip


def check(request: dict[str, Any], progress: Callable[[str], None]) -> dict[str, Any]:
    """Operation `check`: the verdict on each rule of a table, and the number that it was made on."""
    database = sources.connect(request)
    table = Table.of(request["table"])
    others = [Table.of(other) for other in request.get("others") or []]
    progress(f"checking {table.name}")
    try:
        database.execute(f'CREATE TABLE "primary" AS {sources.read(database, table)}')
        sources.create_views(database, [other for other in others if other.name != table.name])
        database.execute(f'CREATE VIEW {sources.name(table.name)} AS SELECT * FROM "primary"')
        verdicts = []
        for rule in request["rules"]:
            try:
                passed, observed = evaluate(database, table, rule)
            except duckdb.Error as error:
                raise StepError("BadRule", f"`{rule['text']}` cannot be evaluated: {error}") from error
            verdicts.append({"rule": rule["text"], "passed": passed, "observed": observed})
        return {"verdicts": verdicts}
    except duckdb.Error as error:
        raise sources.reading_error(error, [table, *others]) from error


def evaluate(database: duckdb.DuckDBPyConnection, table: Table, rule: Rule) -> tuple[bool, str]:
    """Whether a rule holds, and what was seen."""
    for word, connect in (("all", all), ("any", any)):
        if word in rule:
            parts = [evaluate(database, table, part) for part in rule[word]]
            return connect(passed for passed, _ in parts), "; ".join(seen for _, seen in parts)
    return Evaluation(database, table, rule).verdict()


class Evaluation:
    """One rule over the rows of `primary`."""

    def __init__(self, database: duckdb.DuckDBPyConnection, table: Table, rule: Rule) -> None:
        self.database, self.table, self.rule = database, table, rule
        self.columns = [sources.name(column) for column in rule["columns"]]
        self.rows = '"primary"'
        if rule["where"]:
            self.rows = f'(SELECT * FROM "primary" WHERE {spark(rule["where"])})'

    def number(self, sql: str) -> float | None:
        found = self.database.execute(sql).fetchone()
        return None if found is None or found[0] is None else float(found[0])

    def verdict(self) -> tuple[bool, str]:
        kind = self.rule["rule"]
        if kind in ("IsComplete", "IsUnique", "IsPrimaryKey"):
            return getattr(self, f"_{kind.lower()}")()
        if kind == "ColumnExists":
            there = self.rule["columns"][0] in [column.name for column in self.table.all_columns]
            return there, "it exists" if there else "it does not exist"
        if kind in ("ColumnValues", "ColumnDataType", "ColumnLength"):
            return self._values(kind)
        if kind == "CustomSql":
            return self._custom_sql()
        metric = self._metric(kind)
        return self._holds(metric, self.rule["expression"]), shown(metric)

    def _share(self, condition: str) -> float | None:
        return self.number(f"SELECT count(*) FILTER ({condition})::DOUBLE / nullif(count(*), 0) FROM {self.rows}")

    def _uniqueness(self, numerator: str = "count(*) FILTER (n = 1)", denominator: str = "sum(n)") -> float | None:
        """Groups over the rows that have a value in one of the columns at least."""
        keys = ", ".join(self.columns)
        some = " OR ".join(f"{column} IS NOT NULL" for column in self.columns)
        groups = f"SELECT count(*) AS n FROM {self.rows} WHERE {some} GROUP BY {keys}"
        return self.number(f"SELECT {numerator}::DOUBLE / nullif({denominator}, 0) FROM ({groups})")

    def _iscomplete(self) -> tuple[bool, str]:
        share = self._share(f"{self.columns[0]} IS NOT NULL")
        return share == 1.0, f"completeness {shown(share)}"

    def _isunique(self) -> tuple[bool, str]:
        share = self._uniqueness()
        return share == 1.0, f"uniqueness {shown(share)}"

    def _isprimarykey(self) -> tuple[bool, str]:
        complete = self._share(" AND ".join(f"{column} IS NOT NULL" for column in self.columns))
        unique = self._uniqueness()
        return complete == 1.0 and unique == 1.0, f"completeness {shown(complete)}, uniqueness {shown(unique)}"

    def _metric(self, kind: str) -> float | None:
        column = self.columns[0] if self.columns else ""
        match kind:
            case "RowCount":
                return self.number(f"SELECT count(*) FROM {self.rows}")
            case "ColumnCount":
                return float(len(self.table.all_columns))
            case "Completeness":
                return self._share(f"{column} IS NOT NULL")
            case "Uniqueness":
                return self._uniqueness()
            case "UniqueValueRatio":
                return self._uniqueness(denominator="count(*)")
            case "DistinctValuesCount":
                return self.number(f"SELECT count(DISTINCT {column}) FROM {self.rows}")
            case "ReferentialIntegrity":
                return self._referential_integrity()
        function = {"Mean": "avg", "Sum": "sum", "StandardDeviation": "stddev_pop"}[kind]
        return self.number(f"SELECT {function}({column}) FROM {self.rows}")

    def _referential_integrity(self) -> float | None:
        reference = self.rule["reference"]
        pairs = zip(self.columns, reference["columns"], strict=True)
        same = " AND ".join(f"p.{own} IS NOT DISTINCT FROM r.{sources.name(other)}" for own, other in pairs)
        found = f"EXISTS (SELECT 1 FROM {sources.name(reference['table'])} r WHERE {same})"
        return self.number(f"SELECT count(*) FILTER ({found})::DOUBLE / nullif(count(*), 0) FROM {self.rows} p")

    def _values(self, kind: str) -> tuple[bool, str]:
        """Rules about each row: without a threshold all rows must meet them."""
        column = self.columns[0]
        if kind == "ColumnDataType":
            target = SPARK_TYPES[self.rule["expression"]["values"][0]["text"].lower()]
            condition = f"{column} IS NULL OR TRY_CAST({column} AS {target}) IS NOT NULL"
        elif kind == "ColumnLength":
            condition = self._condition(f"coalesce(length({column}), 0)", self.rule["expression"])
        else:
            condition = self._condition(column, self.rule["expression"])
        share = self._share(condition)
        threshold = self.rule["threshold"]
        passed = self._holds(share, threshold) if threshold else share == 1.0
        seen = f"{shown(share)} of the rows meet it"
        if not passed and share is not None and share < 1.0:
            sql = f"SELECT {column} FROM {self.rows} WHERE NOT coalesce({condition}, false) LIMIT 1"
            example = self.database.execute(sql).fetchone()
            seen += f", `{'NULL' if example[0] is None else example[0]}` does not" if example else ""
        return passed, seen

    def _custom_sql(self) -> tuple[bool, str]:
        sql = spark(self.rule["sql"])
        if self.rule["expression"]:
            value = self.number(sql)
            return self._holds(value, self.rule["expression"]), shown(value)
        share = self.number(
            f'SELECT (SELECT count(*) FROM ({sql}))::DOUBLE / nullif((SELECT count(*) FROM "primary"), 0)'
        )
        passed = self._holds(share, self.rule["threshold"]) if self.rule["threshold"] else share == 1.0
        return passed, f"{shown(share)} of the rows are returned"

    def _holds(self, value: float | None, expression: dict[str, Any]) -> bool:
        if value is None or math.isnan(value):
            return False
        condition = self._condition(f"{value!r}::DOUBLE", expression, numbers=True)
        found = self.database.execute(f"SELECT {condition}").fetchone()
        return bool(found and found[0])

    def _condition(self, value: str, expression: dict[str, Any], *, numbers: bool = False) -> str:
        """An expression as SQL that is never NULL."""
        test, negated = expression["test"], expression["negated"]
        operands = [operand(each, numbers) for each in expression["values"]]
        missing = negated and test == "in"
        if test in ("=", "!=", "in"):
            words = {"NULL": "{0} IS NULL", "EMPTY": "{0} = ''", "WHITESPACES_ONLY": "({0} <> '' AND trim({0}) = '')"}
            given = [each["word"] for each in expression["values"] if "word" in each]
            plain = [text for text, each in zip(operands, expression["values"], strict=True) if "word" not in each]
            parts = [words[word].format(value) for word in given]
            parts += [f"{value} IN ({', '.join(plain)})"] if plain else []
            one = " OR ".join(f"coalesce({part}, false)" for part in parts)
            return f"NOT ({one})" if missing or test == "!=" else f"({one})"
        if test == "between":
            inside = f"{value} > {operands[0]} AND {value} < {operands[1]}"
            return f"coalesce({f'NOT ({inside})' if negated else inside}, false)"
        if test == "matches":
            found = f"regexp_matches({value}::VARCHAR, {operands[0]})"
            return f"coalesce({f'NOT {found}' if negated else found}, false)"
        return f"coalesce({value} {test} {operands[0]}, false)"


def operand(value: dict[str, Any], numbers: bool) -> str:
    if "number" in value:
        return value["number"]
    if "text" in value:
        return value["text"] if numbers else sources.text(value["text"])
    return "NULL"


def spark(sql: str) -> str:
    """Spark's SQL as DuckDB reads it, to which `primary` is a keyword."""
    tree = sqlglot.parse_one(sql, read="spark")
    for table in tree.find_all(exp.Table):
        if table.name.lower() == "primary":
            table.this.set("quoted", True)
    return tree.sql(dialect="duckdb")


def shown(value: float | None) -> str:
    if value is None:
        return "nothing"
    return f"{value:,.0f}" if value == int(value) and abs(value) >= 2 else f"{value:.6g}"
