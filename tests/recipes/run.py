"""Runs each example's step on its rows, as a local run does, and compares rows, their order, and the columns' types.

DataBrew's service model judges the action that the step becomes.
"""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import boto3
import duckdb
from botocore.validate import ParamValidator
from lakegen_local import databrew, sources

CREATE_RECIPE = boto3.client("databrew", region_name="eu-west-1").meta.service_model.operation_model(
    "CreateRecipe"
).input_shape


def rows_of(table: dict[str, Any]) -> str:
    """The rows of a table that is written column by column, as a query."""
    lines = zip(*(column["values"] for column in table["columns"]), strict=True)
    typed = [(sources.name(column["name"]), sources.duckdb_type(column["type"])) for column in table["columns"]]
    names = ", ".join(name for name, _ in typed)
    casts = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in typed)
    values = ", ".join("(" + ", ".join(map(literal, line)) + ")" for line in lines)
    return f"SELECT {casts} FROM (VALUES {values}) AS t({names})"


def literal(value: Any) -> str:
    """A value as SQL reads it into any type: lists and objects as JSON."""
    if value is None:
        return "NULL"
    if isinstance(value, list | dict):
        return f"{sources.text(json.dumps(value))}::JSON"
    return sources.text(str(value))


def same(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, int | float) and not isinstance(wanted, bool) and found is not None:
        return not isinstance(found, str) and math.isclose(float(found), wanted, abs_tol=1e-9)
    return (str(found) if isinstance(wanted, str) and not isinstance(found, bool) else found) == wanted


def action_problem(action: dict[str, Any]) -> str | None:
    """What DataBrew's service model says against the action as the only step of a recipe."""
    names = {"condition": "Condition", "column": "TargetColumn", "value": "Value"}
    conditions = [{names[key]: value for key, value in one.items()} for one in action.get("conditions", [])]
    step = {"Action": {"Operation": action["operation"], "Parameters": action["parameters"]}}
    recipe = {"Name": "example", "Steps": [step | ({"ConditionExpressions": conditions} if conditions else {})]}
    report = ParamValidator().validate(recipe, CREATE_RECIPE)
    return report.generate_report() if report.has_errors() else None


def problem(case: dict[str, Any]) -> str | None:
    if said := action_problem(case["action"]):
        return said
    database = duckdb.connect()
    for name, table in case["with"].items():
        database.execute(f"CREATE VIEW {sources.name(name)} AS {rows_of(table)}")
    rows = databrew.apply(database, rows_of(case["before"]), case["steps"])
    wanted = case["after"]["columns"]
    types = [(row[0], sources.glue_type(row[1])) for row in database.execute(f"DESCRIBE {rows}").fetchall()]
    if types != [(column["name"], column["type"]) for column in wanted]:
        return f"columns are {types}"
    found = database.execute(rows).fetchall()
    lines = list(zip(*(column["values"] for column in wanted), strict=True))
    equal = len(found) == len(lines) and all(
        same(*pair) for row, line in zip(found, lines, strict=True) for pair in zip(row, line, strict=True)
    )
    return None if equal else f"rows are {found}"


def main() -> None:
    failed = 0
    for case in json.load(sys.stdin):
        try:
            said = problem(case)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
        if said:
            failed += 1
            print(f"{case['name']}: {said}")
    sys.exit(1 if failed else 0)


main()
