"""DataBrew: the steps of a recipe, one after another, each a query over the rows before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb

from lakegen_local import sources
from lakegen_local.errors import StepError
from lakegen_local.sources import Table


def recipe(request: dict[str, Any], progress: Callable[[str], None]) -> dict[str, Any]:
    """Operation `recipe`: runs the steps over the input table and writes the output table.

    `others` are the tables that steps read beside it.
    """
    table, output = Table.of(request["input"]), Table.of(request["output"])
    others = [Table.of(source) for source in request["others"]]
    refuse_unknown(request["steps"])
    database = sources.connect(request)
    try:
        sources.create_views(database, others)
        rows = apply(database, sources.read(database, table), request["steps"])
        progress(f"writing {output.name}")
        found = sources.describe_query(database, rows)
        return {"rows": sources.write(database, rows, output, found)}
    except duckdb.Error as error:
        explained = sources.reading_error(error, [table, *others])
        if explained is error:
            explained = StepError("RecipeError", said(error))
        raise explained from error


def refuse_unknown(steps: list[dict[str, Any]]) -> None:
    """Says before any work that a step runs only in the cloud."""
    for number, step in enumerate(steps, start=1):
        if step["sql"] is None:
            raise StepError(
                "RecipeError",
                f"step {number}, {step['operation']}, runs only in the cloud; "
                "say what it does as `local: select … from rows`",
            )


def apply(database: duckdb.DuckDBPyConnection, rows: str, steps: list[dict[str, Any]]) -> str:
    """The query whose rows are those after all steps, each `{operation, sql}`: SQL over the table `rows`."""
    for number, step in enumerate(steps, start=1):
        rows = f"WITH rows AS ({rows}) {step['sql']}"
        try:
            database.execute(f"DESCRIBE {rows}")
            if step["operation"] == "SORT":  # a query over an ordered query need not keep its order; a table does
                name = sources.name(f"sorted {number}")
                database.execute(f"CREATE TEMP TABLE {name} AS {rows}")
                rows = f"SELECT * FROM {name}"
        except (duckdb.BinderException, duckdb.ParserException) as error:
            raise StepError("RecipeError", f"step {number}, {step['operation']}: {said(error)}") from error
    return rows


def said(error: duckdb.Error) -> str:
    """The first line of what DuckDB says, without its kind."""
    return str(error).splitlines()[0].split(": ", 1)[-1]
