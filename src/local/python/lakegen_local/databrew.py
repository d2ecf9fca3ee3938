"""DataBrew: the operations of a recipe, one after another, each as a small piece of SQL over the rows before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb

from lakegen_local import sources
from lakegen_local.databrew_operations import OPERATIONS
from lakegen_local.databrew_step import Step
from lakegen_local.errors import StepError
from lakegen_local.sources import Table


def recipe(request: dict[str, Any], progress: Callable[[str], None]) -> dict[str, Any]:
    """Operation `recipe`: runs the steps over the input table and writes the output table."""
    table, output = Table.of(request["input"]), Table.of(request["output"])
    database = sources.connect(request)
    try:
        rows = sources.read(database, table)
        for number, step in enumerate(request["steps"], start=1):
            rows = apply(database, rows, number, step)
        progress(f"writing {output.name}")
        found = sources.describe_query(database, rows)
        return {"rows": sources.write(database, rows, output, found)}
    except duckdb.Error as error:
        explained = sources.reading_error(error, [table])
        if explained is error:
            explained = StepError("RecipeError", str(error).splitlines()[0].split(": ", 1)[-1])
        raise explained from error


def apply(database: duckdb.DuckDBPyConnection, rows: str, number: int, written: dict[str, Any]) -> str:
    """The query whose rows are those after one step."""
    operation = written["operation"]
    columns = {row[0]: row[1] for row in database.execute(f"DESCRIBE {rows}").fetchall()}
    step = Step(rows, columns, number, operation, written.get("parameters") or {}, written.get("conditions") or [])
    if operation not in OPERATIONS:
        known = ", ".join(sorted(OPERATIONS))
        raise step.error(f"this operation cannot run locally; those that can are {known}")
    after = OPERATIONS[operation](step)
    step.check_all_used()
    try:
        database.execute(f"DESCRIBE {after}")
    except duckdb.Error as error:
        raise step.error(str(error).splitlines()[0].split(": ", 1)[-1]) from error
    if operation == "SORT":  # a query over an ordered query need not keep its order; a table does
        name = sources.name(f"sorted {number}")
        database.execute(f"CREATE TEMP TABLE {name} AS {after}")
        return f"SELECT * FROM {name}"
    return after
