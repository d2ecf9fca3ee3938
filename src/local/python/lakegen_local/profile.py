"""DataBrew profiles: what the values of a table are like, and whether they keep the rules of its ruleset.

The rules are the expressions that DataBrew is given. A value is missing when it is null or empty text. AWS's guide
leaves two things open: here copies of a row or value beyond its first are duplicates, and deviations those of a sample.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import duckdb

from lakegen_local import sources
from lakegen_local.errors import StepError
from lakegen_local.sources import Column, Table

NUMBERS = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")
# A whole number is compared with fractions as well.
WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")
MOST_COMMON = 10

AGGREGATE = re.compile(r"AGG\((\w+)(?:, :zscore_dev)?\) (>=|<=|>|<|==) :val")
COMPARISON = re.compile(r":col (>=|<=|>|<|NOT IN|IN|CONTAINS|STARTS_WITH|ENDS_WITH) (:\w+)")
TEXT_TESTS = {"CONTAINS": "contains", "STARTS_WITH": "starts_with", "ENDS_WITH": "ends_with"}
THRESHOLDS = {
    "GREATER_THAN_OR_EQUAL": ">=",
    "LESS_THAN_OR_EQUAL": "<=",
    "GREATER_THAN": ">",
    "LESS_THAN": "<",
}


def profile(request: dict[str, Any], progress: Callable[[str], None]) -> dict[str, Any]:
    """Operation `profile`: statistics of a table and of each column, and the verdict on each rule.

    The statistics have DataBrew's names, in JSON's way of writing them. `rows` is how many rows it looks at; all when
    it is null.
    """
    database = sources.connect(request)
    table = Table.of(request["table"])
    progress(f"profiling {table.name}")
    try:
        limit = "" if request["rows"] is None else f" LIMIT {int(request['rows'])}"
        database.execute(f"CREATE TEMP TABLE rows AS SELECT * FROM ({sources.read(database, table)}){limit}")
        report = statistics(database, table)
        report["rules"] = [verdict(database, report, rule) for rule in request["rules"]]
        return report
    except duckdb.Error as error:
        raise sources.reading_error(error, [table]) from error


def one(database: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    found = database.execute(sql).fetchone()
    if found is None:
        raise StepError("ProfileError", "a statistic has no row")
    return found


def plain(value: Any) -> Any:
    """A value as JSON has it: exact numbers and moments as text would lose what they are."""
    if value is None or isinstance(value, bool | int | str):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    return number if number == number and abs(number) != float("inf") else None


def statistics(database: duckdb.DuckDBPyConnection, table: Table) -> dict[str, Any]:
    rows, distinct = one(database, "SELECT count(*), (SELECT count(*) FROM (SELECT DISTINCT * FROM rows)) FROM rows")
    return {
        "table": table.name,
        "rowsCount": rows,
        "columnsCount": len(table.all_columns),
        "duplicateRowsCount": rows - distinct,
        "columns": [column_statistics(database, column) for column in table.all_columns],
    }


# By the names of the attributes of a profile; of text, the lengths are measured.
MEASURED = {
    "min": "min(v)", "max": "max(v)", "mean": "avg(v)", "median": "median(v)", "mode": "mode(v)",
    "standardDeviation": "stddev_samp(v)",
}  # fmt: skip
# Skewness and kurtosis as Spark, on which DataBrew runs, has them: of all values, and 0 for normal ones.
NUMERIC = {
    "sum": "sum(v)", "variance": "var_samp(v)", "range": "max(v) - min(v)", "zerosCount": "count(*) FILTER (v = 0)",
    "percentile5": "quantile_cont(v, 0.05)", "percentile25": "quantile_cont(v, 0.25)",
    "percentile75": "quantile_cont(v, 0.75)", "percentile95": "quantile_cont(v, 0.95)",
    "interquartileRange": "quantile_cont(v, 0.75) - quantile_cont(v, 0.25)", "medianAbsoluteDeviation": "mad(v)",
    "skewness": "skewness(v) * (count(v) - 2) / sqrt(count(v) * (count(v) - 1))", "kurtosis": "kurtosis_pop(v)",
}  # fmt: skip
OUTLIERS = (
    "SELECT count(*) FILTER (abs(v - m) > 3 * s) FROM {values}, (SELECT avg(v) AS m, stddev_samp(v) AS s FROM {values})"
)


def column_statistics(database: duckdb.DuckDBPyConnection, column: Column) -> dict[str, Any]:
    name = sources.name(column.name)
    there = f"{name} IS NOT NULL" + (f" AND {name} <> ''" if column.type == "string" else "")
    values = f"(SELECT {name} AS v FROM rows WHERE {there})"
    counts = f"(SELECT v, count(*) AS n FROM {values} GROUP BY v)"
    rows, valid = one(database, f"SELECT count(*), count(*) FILTER ({there}) FROM rows")
    distinct, unique = one(database, f"SELECT count(*), count(*) FILTER (n = 1) FROM {counts}")
    found = {
        "name": column.name,
        "type": column.type,
        "missingValuesCount": rows - valid,
        "validValuesCount": valid,
        "distinctValuesCount": distinct,
        "uniqueValuesCount": unique,
        "duplicateValuesCount": valid - distinct,
    }
    (found["entropy"],) = one(database, f"SELECT entropy(v) FROM {values}")
    if column.type != "binary":
        common = database.execute(f"SELECT v, n FROM {counts} ORDER BY n DESC, v LIMIT {MOST_COMMON}").fetchall()
        found["mostCommonValues"] = [{"value": plain(value), "count": count} for value, count in common]
    if column.type.split("(")[0] in NUMBERS:
        found |= measured(database, values, MEASURED | NUMERIC)
    elif column.type == "string":
        found |= measured(database, f"(SELECT length(v) AS v FROM {values})", MEASURED)
    elif column.type in ("date", "timestamp"):
        first, last = one(database, f"SELECT min(v), max(v) FROM {values}")
        found |= {"min": plain(first), "max": plain(last)}
    return found


def measured(database: duckdb.DuckDBPyConnection, values: str, functions: dict[str, str]) -> dict[str, Any]:
    numbers = one(database, f"SELECT {', '.join(functions.values())} FROM {values}")
    return {key: plain(value) for key, value in zip(functions, numbers, strict=True)} | dict(
        zip(("zScoreOutliersCount",), one(database, OUTLIERS.format(values=values)), strict=True)
    )


def verdict(database: duckdb.DuckDBPyConnection, report: dict[str, Any], rule: dict[str, Any]) -> dict[str, Any]:
    """Whether a rule holds: for all of its columns, if it names some."""
    said = {"name": rule["name"], "check": rule["check"]}
    if aggregate := AGGREGATE.fullmatch(rule["check"]):
        measure, sign = aggregate.groups()
        limit = float(rule["values"][":val"])
        of = [column for column in report["columns"] if column["name"] in rule["columns"]] or [report]
        seen = [observed(report, each, measure) for each in of]
        passed = all(value is not None and compare(value, sign, limit) for value in seen)
        return said | {"passed": passed, "observed": seen if len(seen) > 1 else seen[0]}
    types = {column["name"]: column["type"] for column in report["columns"]}
    kept, rows = one(database, f"SELECT count(*) FILTER ({condition(rule, types)}), count(*) FROM rows")
    threshold = rule["threshold"]
    share = threshold["unit"] == "PERCENTAGE"
    seen = 100.0 * kept / rows if share and rows else float(kept)
    passed = compare(seen, THRESHOLDS[threshold["comparison"]], float(threshold["value"])) or (share and not rows)
    return said | {"passed": passed, "observed": seen}


def observed(report: dict[str, Any], of: dict[str, Any], measure: str) -> float | None:
    """The number that DataBrew knows by this name."""
    if measure.endswith("_PERCENTAGE"):
        count = observed(report, of, measure.replace("_PERCENTAGE", "_COUNT"))
        return None if count is None else 100.0 * count / report["rowsCount"] if report["rowsCount"] else 0.0
    first, *rest = measure.lower().split("_")
    value = of.get(first + "".join(word.title() for word in rest))
    return None if value is None or isinstance(value, str) else float(value)


def compare(value: float, sign: str, limit: float) -> bool:
    return {
        ">=": value >= limit, "<=": value <= limit, ">": value > limit, "<": value < limit, "==": value == limit,
    }[sign]  # fmt: skip


def condition(rule: dict[str, Any], types: dict[str, str]) -> str:
    """The rule about single values as SQL that is never NULL: a missing value meets no condition."""
    name = rule["values"][":col"].strip("`")
    column, kind = sources.name(name), sources.duckdb_type(types[name])

    def literal(value: Any) -> str:
        return f"CAST({sources.text(str(value))} AS {'DOUBLE' if kind in WHOLE else kind})"

    parts = []
    for part in rule["check"].split(" and "):
        found = COMPARISON.fullmatch(part)
        if found is None:
            raise StepError("ProfileError", f"`{rule['check']}` is not evaluated here")
        test, value = found.group(1), rule["values"][found.group(2)]
        if test in ("IN", "NOT IN"):
            parts.append(f"{column} {test} ({', '.join(literal(item) for item in json.loads(value))})")
        elif test in TEXT_TESTS:
            parts.append(f"{TEXT_TESTS[test]}({column}::VARCHAR, {sources.text(value)})")
        else:
            parts.append(f"{column} {test} {literal(value)}")
    return f"coalesce({' AND '.join(parts)}, false)"
