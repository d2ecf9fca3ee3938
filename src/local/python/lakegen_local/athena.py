"""Athena: one SELECT in Trino's dialect, run by DuckDB, with Trino's meaning where the two differ."""

from __future__ import annotations

import base64
import datetime
import decimal
import math
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from lakegen_local import sources
from lakegen_local.errors import StepError
from lakegen_local.sources import Table
from lakegen_local.trino import parse, to_duckdb

MOST_PARTITIONS = 100


def query(request: dict[str, Any], progress: Callable[[str], None]) -> dict[str, Any]:
    """Operation `query`: writes the result of one SELECT as the files of the output table.

    With `export` instead of an output, its files are no table: they hold whatever columns the SELECT gives.

    `mode` says what becomes of the rows of `old`: null when they go, else the columns by which a new row takes the
    place of an old one, none of them when all new rows come to the old ones.
    """
    tables = [Table.of(source) for source in request["tables"]]
    export = request.get("export")
    database = sources.connect(request)
    translated = to_duckdb(request["sql"], tables, request.get("database"))
    try:
        create_views(database, tables)
        found = sources.describe_query(database, translated)
        output = _exported(export, found) if export else Table.of(request["output"])
        progress(f"writing {output.name}")
        if request.get("mode") is None:
            rows = write(database, translated, output, found)
            if export:  # Athena leaves no mark beside the files, and others may read whatever lies there
                Path(output.dir, "_SUCCESS").unlink()
            return {"rows": rows}
        return {"rows": change(database, translated, request["mode"], Table.of(request["old"]), output, found)}
    except duckdb.Error as error:
        raise _explained(error, tables) from error


def _exported(export: dict[str, Any], found: dict[str, str]) -> Table:
    """The files of an export, as a table of the columns that were found."""
    if export["format"] == "avro":  # which has one type for small numbers
        found = {name: "int" if kind in ("tinyint", "smallint") else kind for name, kind in found.items()}
    columns = [{"name": name, "type": kind} for name, kind in found.items() if name not in export["partitions"]]
    partitions = [{"name": name, "type": found[name]} for name in export["partitions"]]
    return Table.of(export | {"columns": columns, "partitions": partitions})


def select(request: dict[str, Any], _progress: Callable[[str], None]) -> dict[str, Any]:
    """Operation `select`: the first `limit` rows of one SELECT, as JSON values."""
    tables = [Table.of(source) for source in request["tables"]]
    limit = int(request.get("limit") or 100)
    database = sources.connect(request)
    sql = prepared(request["sql"], request.get("statements") or {})
    translated = to_duckdb(sql, tables, request.get("database"), limit + 1)
    try:
        create_views(database, tables)
        found = sources.describe_query(database, translated)
        rows = database.execute(translated).fetchall()
    except duckdb.Error as error:
        raise _explained(error, tables) from error
    return {
        "columns": [{"name": name, "type": kind} for name, kind in found.items()],
        "rows": [[to_json(value) for value in row] for row in rows[:limit]],
        "truncated": len(rows) > limit,
    }


def create_views(database: duckdb.DuckDBPyConnection, tables: list[Table]) -> None:
    """The tables and the lake's views; a view comes after those that it reads."""
    sources.create_views(database, [table for table in tables if table.sql is None])
    for view in tables:
        if view.sql is not None:
            columns = ", ".join(
                f"CAST({sources.name(c.name)} AS {sources.duckdb_type(c.type)}) AS {sources.name(c.name)}"
                for c in view.columns
            )
            translated = to_duckdb(view.sql, tables)
            database.execute(f"CREATE VIEW {sources.name(view.name)} AS SELECT {columns} FROM ({translated})")


def write(
    database: duckdb.DuckDBPyConnection, sql: str, table: Table, found: dict[str, str], part: str = "part-00000"
) -> int:
    """Writes like `sources.write`, and as many partitions at once as Athena does.

    Source: "Use CTAS and INSERT INTO to work around the 100 partition limit" and "UNLOAD" of the Athena user guide.
    """
    rows = sources.write(database, sql, table, found, part)
    if table.partitions:
        partitions = {file.parent for file in Path(table.dir).rglob(f"{part}-*")}
        if len(partitions) > MOST_PARTITIONS:
            raise StepError(
                "TooManyPartitions",
                f"the query writes {len(partitions)} partitions of `{table.name}` at once, and Athena writes at most "
                f"{MOST_PARTITIONS}: let it select fewer, partition the table more coarsely, or write it with a job",
            )
    return rows


def change(
    database: duckdb.DuckDBPyConnection,
    sql: str,
    key: list[str],
    old: Table,
    output: Table,
    found: dict[str, str],
) -> int:
    """Appends to the rows of `old`, or merges into them by `key`, and gives how many rows `output` then has."""
    if not old.files():
        return write(database, sql, output, found)
    kept = sources.read(database, old)
    if not key:
        files = old.files()
        for file in files:
            target = Path(output.dir, os.path.relpath(file, old.dir))
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(file, target)
            except OSError:  # not every disk knows links
                shutil.copyfile(file, target)
        before = database.execute(f"SELECT count(*) FROM ({kept})").fetchall()[0][0]
        return int(before) + write(database, sql, output, found, f"part-{len(files):05d}")
    names = [sources.name(column) for column in key]
    database.execute(f"CREATE TEMP TABLE lakegen_new AS {sql}")
    twice = f"SELECT {', '.join(names)} FROM lakegen_new GROUP BY ALL HAVING count(*) > 1 LIMIT 1"
    if again := database.execute(twice).fetchall():
        shown = ", ".join(f"{column} = {value}" for column, value in zip(key, again[0], strict=True))
        raise StepError("MergeError", f"two rows of the result would take the place of one: {shown}")
    same = " AND ".join(f"old.{column} = new.{column}" for column in names)
    columns = ", ".join(sources.name(column.name) for column in output.all_columns)
    left = f"SELECT {columns} FROM ({kept}) AS old WHERE NOT EXISTS (SELECT 1 FROM lakegen_new AS new WHERE {same})"
    return sources.write(database, f"SELECT {columns} FROM lakegen_new UNION ALL {left}", output, found)


def prepared(sql: str, statements: dict[str, str]) -> str:
    """The SQL; of `execute name using 'a', 2`, that of the prepared statement with the values in their places."""
    called = re.fullmatch(r"\s*execute\s+(\w+)(?:\s+using\s+(.*?))?\s*;?\s*", sql, re.IGNORECASE | re.DOTALL)
    if called is None:
        return sql
    if (statement := statements.get(called.group(1).lower())) is None:
        known = ", ".join(f"`{name}`" for name in sorted(statements)) or "none"
        raise StepError("SqlError", f"no prepared statement named `{called.group(1)}`; there are {known}")
    tree = parse(statement)
    values = parse(f"select {called.group(2)}").expressions if called.group(2) else []
    places = list(tree.find_all(exp.Placeholder, bfs=False))
    if len(values) != len(places):
        raise StepError("SqlError", f"`{called.group(1)}` takes {len(places)} values, and here are {len(values)}")
    for place, value in zip(places, values, strict=True):
        place.replace(value)
    return tree.sql(dialect="athena")


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
