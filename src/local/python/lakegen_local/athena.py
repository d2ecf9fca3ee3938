"""Athena: one SELECT in Trino's dialect, run by DuckDB, with Trino's meaning where the two differ."""

from __future__ import annotations

import base64
import datetime
import decimal
import math
import re
from collections.abc import Callable
from typing import Any

import duckdb

from lakegen_local import sources
from lakegen_local.errors import StepError
from lakegen_local.sources import Table
from lakegen_local.trino import to_duckdb


def query(request: dict[str, Any], progress: Callable[[str], None]) -> dict[str, Any]:
    """Operation `query`: writes the result of one SELECT as the files of the output table."""
    tables = [Table.of(source) for source in request["tables"]]
    output = Table.of(request["output"])
    database = sources.connect(request)
    translated = to_duckdb(request["sql"], tables, request.get("database"))
    try:
        sources.create_views(database, tables)
        found = sources.describe_query(database, translated)
        progress(f"writing {output.name}")
        return {"rows": sources.write(database, translated, output, found)}
    except duckdb.Error as error:
        raise _explained(error, tables) from error


def select(request: dict[str, Any], _progress: Callable[[str], None]) -> dict[str, Any]:
    """Operation `select`: the first `limit` rows of one SELECT, as JSON values."""
    tables = [Table.of(source) for source in request["tables"]]
    limit = int(request.get("limit") or 100)
    database = sources.connect(request)
    translated = to_duckdb(request["sql"], tables, request.get("database"), limit + 1)
    try:
        sources.create_views(database, tables)
        found = sources.describe_query(database, translated)
        rows = database.execute(translated).fetchall()
    except duckdb.Error as error:
        raise _explained(error, tables) from error
    return {
        "columns": [{"name": name, "type": kind} for name, kind in found.items()],
        "rows": [[to_json(value) for value in row] for row in rows[:limit]],
        "truncated": len(rows) > limit,
    }


def to_json(value: Any) -> Any:
    """A value as JSON: decimals, dates and times as text, binary as base64."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ", timespec="milliseconds")
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value) if isinstance(value, decimal.Decimal | datetime.date | datetime.time) else repr(value)


def _explained(error: duckdb.Error, tables: list[Table]) -> Exception:
    explained = sources.reading_error(error, tables)
    if explained is not error:
        return explained
    kind = type(error).__name__.removesuffix("Exception")
    sentence = str(error).splitlines()[0].split(": ", 1)[-1] if str(error) else kind
    sentence = sentence.split(". Use TRY(...)")[0]
    if function := re.match(r"(?:Scalar|Aggregate|Table) Function with name (\w+) does not exist", sentence):
        sentence = f"the local engine has no function `{function.group(1)}`"
    if isinstance(error, duckdb.OutOfMemoryException):
        sentence += "; raise the memory limit of the local environment"
    return StepError(f"Sql{kind}", sentence)
