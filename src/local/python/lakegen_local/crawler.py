"""The Glue crawler: what its classifiers would put into the catalog, and a full strict reading of every file."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import Any

import duckdb

from lakegen_local import formats, sources
from lakegen_local.errors import StepError, relative
from lakegen_local.sources import Column, Table

SAMPLE_RECORDS = 1000
SAMPLE_BYTES = 1 << 20
DELIMITERS = (",", "|", "\t", ";", "\x01")
GLUE_COLUMN = re.compile(r"[A-Za-z_][\w .-]*")
HEADER_LENGTH = 150


def crawl(request: dict[str, Any], progress: Callable[[str], None]) -> dict[str, Any]:
    """Operation `crawl`: the inferred schema, rows, bytes and files of each table."""
    database = sources.connect(request)
    found = []
    for source in request["tables"]:
        table = Table.of(source)
        progress(f"reading {table.name}")
        found.append(crawl_table(database, table, request.get("classifiers") or []))
    return {"tables": found}


def crawl_table(database: duckdb.DuckDBPyConnection, table: Table, classifiers: list[dict[str, Any]]) -> dict[str, Any]:
    files = table.files()
    if not files:
        raise StepError("MissingData", f"table `{table.name}` has no files in {table.dir}")
    custom = next((each[table.format] for each in classifiers if table.format in each), {})
    kind, columns = {"csv": _csv, "json": _json}.get(table.format, _own)(table, files, custom)
    return {
        "name": table.name,
        "format": kind,
        "columns": [{"name": column.name, "type": column.type} for column in columns],
        "partitions": [{"name": key, "type": "string"} for key in _partition_keys(table, files)],
        "rows": _count(database, table, files, columns),
        "bytes": sum(os.path.getsize(file) for file in files),
        "files": len(files),
    }


def _partition_keys(table: Table, files: list[str]) -> list[str]:
    """Folders below the table become partition keys: `key=value` by name, others `partition_0`, `partition_1`, …"""
    folders = os.path.dirname(relative(files[0], table.dir))
    parts = folders.split(os.sep) if folders else []
    return [part.split("=", 1)[0] if "=" in part else f"partition_{index}" for index, part in enumerate(parts)]


def _count(database: duckdb.DuckDBPyConnection, table: Table, files: list[str], columns: list[Column]) -> int:
    """Rows, by reading every value; against the declared types where the file has the declared columns."""
    names = [column.name for column in table.columns]
    try:
        if table.format == "csv" and [column.name for column in columns] != names:
            width = len(_sample(table, files[0])[0])
            generic = [(f"c{index}", "VARCHAR") for index in range(width)]
            query = f"SELECT count(*) FROM {sources.scan_csv(table, files, generic)}"
        elif table.format in formats.NAMES:
            return sum(formats.rows(table, file) for file in files)
        else:
            counts = ", ".join(["count(*)", *(f"count({sources.name(column)})" for column in names)])
            query = f"SELECT {counts} FROM ({sources.read(database, table)})"
        return int(database.execute(query).fetchall()[0][0])
    except duckdb.Error as error:
        raise sources.reading_error(error, [table]) from error


def _csv(table: Table, files: list[str], custom: dict[str, Any]) -> tuple[str, list[Column]]:
    """What the first file looks like; `custom` is a classifier of the user's, asked before Glue's own rules."""
    declared = table
    table = replace(
        table, delimiter=custom.get("delimiter") or table.delimiter, quote=custom.get("quote") or table.quote
    )
    sample = _sample(table, files[0])
    if not custom.get("keep_white_space"):
        sample = [[cell.strip() for cell in row] for row in sample]
    if not sample:
        shown = relative(files[0], table.dir)
        raise StepError("EmptyFile", f"`{shown}` of table `{table.name}` is empty; a header line is expected")
    for file in files[1:]:
        first = next(sources.records(file, table.quote), None)
        if first is None or sources.split_fields(first[1].removeprefix("\ufeff"), table) != sample[0]:
            sources.check_header(declared, file)
    header, rows = sample[0], [row for row in sample[1:] if len(row) == len(sample[0])]
    if len(header) < 2 and not custom.get("single_column"):
        return "unknown", []
    has_header = custom.get("header")
    allowed = custom.get("types") or []
    types = [_allowed(_infer([row[index] for row in rows]), allowed) for index in range(len(header))]
    if has_header is None:
        has_header = not rows or _is_header(header, types)
    elif not has_header:
        types = [_allowed(_infer([row[i] for row in [header, *rows]]), allowed) for i in range(len(header))]
    names = [column.lower() for column in header] if has_header else [f"col{i + 1}" for i in range(len(header))]
    fixed = custom.get("columns") or []
    names = [column.lower() for column in fixed] if len(fixed) == len(names) else names
    return "csv", [Column(column, kind) for column, kind in zip(names, types, strict=True)]


def _allowed(kind: str, types: list[str]) -> str:
    """The type that is found when only some may be: text, when none of them fits."""
    names = {"bigint": ("LONG", "INT", "SHORT", "DOUBLE", "FLOAT", "DECIMAL"), "double": ("DOUBLE", "FLOAT", "DECIMAL")}
    if not types or any(name in types for name in names.get(kind, ())):
        return kind
    return "string"


def _sample(table: Table, file: str) -> list[list[str]]:
    """The fields of the first 1,000 records or 1 MiB, whichever ends first."""
    rows, size = [], 0
    for _, record in islice(sources.records(file, table.quote), SAMPLE_RECORDS + 1):
        size += len(record)
        rows.append(sources.split_fields(record.removeprefix("\ufeff") if not rows else record, table))
        if size > SAMPLE_BYTES:
            break
    return rows


def _is_header(header: list[str], types: list[str]) -> bool:
    """Names that are text, not too long and valid for Glue, above at least one column that is not text."""
    named = all(_infer([cell]) == "string" and len(cell) < HEADER_LENGTH for cell in header if cell)
    valid = all(GLUE_COLUMN.fullmatch(cell) for cell in header)
    return named and valid and any(kind != "string" for kind in types)


INTEGER = re.compile(r"[+-]?\d{1,19}")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def _infer(values: list[str]) -> str:
    filled = [value for value in values if value]
    if not filled:
        return "string"
    if all(INTEGER.fullmatch(value) for value in filled):
        return "bigint"
    if all(NUMBER.fullmatch(value) for value in filled):
        return "double"
    return "string"


def _json(table: Table, files: list[str], custom: dict[str, Any]) -> tuple[str, list[Column]]:
    merged: dict[str, str] = {}
    size = 0
    with sources.open_data(files[0]) as stream:
        for number, line in enumerate(stream, start=1):
            size += len(line)
            if size > SAMPLE_BYTES and merged:
                break
            if not line.strip():
                continue
            shown = relative(files[0], table.dir)
            try:
                record = json.loads(line)
            except ValueError as error:
                raise StepError("BadRow", f"{shown}:{number}: not JSON: {error}", file=files[0], line=number) from error
            for each in _at(record, custom.get("path", "$")):
                if not isinstance(each, dict):
                    raise StepError("BadRow", f"{shown}:{number}: not a JSON object", file=files[0], line=number)
                for key, value in each.items():
                    merged[key.lower()] = _wider(merged.get(key.lower()), _json_type(value))
    return "json", [Column(key, _settled(kind)) for key, kind in merged.items()]


def _at(record: Any, path: str) -> list[Any]:
    """The values at a JSON path of names and `[*]`, which are what classifiers understand."""
    found = [record]
    for part in re.findall(r"\.([^.\[\]]+)|\[(\*)\]", path):
        name, every = part
        if every:
            found = [item for each in found if isinstance(each, list) for item in each]
        else:
            found = [each[name] for each in found if isinstance(each, dict) and name in each]
    return found


def _json_type(value: Any) -> str:
    """The type of a JSON value; nothing in the place of a type that no value has shown yet."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "int" if -(1 << 31) <= value < 1 << 31 else "bigint"
    if isinstance(value, float):
        return "double"
    if isinstance(value, list):
        element = ""
        for item in value:
            element = _wider(element, _json_type(item))
        return f"array<{element}>"
    if isinstance(value, dict):
        return f"struct<{','.join(f'{key.lower()}:{_json_type(item)}' for key, item in value.items())}>"
    return "string"


def _settled(kind: str) -> str:
    """What no value has shown is text."""
    kind = re.sub("struct<>", "string", kind)
    return re.sub("(?<=[<:])(?=[,>])", "string", kind) or "string"


def _wider(left: str | None, right: str) -> str:
    order = ["int", "bigint", "double"]
    if not left or left == right:
        return right or left or ""
    if not right:
        return left
    if left in order and right in order:
        return max(left, right, key=order.index)
    if left.startswith("array<") and right.startswith("array<"):
        return f"array<{_wider(left[6:-1], right[6:-1])}>"
    if left.startswith("struct<") and right.startswith("struct<"):
        fields: dict[str, str] = {}
        for part in sources.parts(left[7:-1]) + sources.parts(right[7:-1]):
            key, _, kind = part.partition(":")
            if key:
                fields[key] = _wider(fields.get(key), kind)
        return f"struct<{','.join(f'{key}:{kind}' for key, kind in fields.items())}>"
    return "string"


def _own(table: Table, files: list[str], _custom: dict[str, Any]) -> tuple[str, list[Column]]:
    """What files that carry their own schema say."""
    columns: dict[str, str] = {}
    for file in files:
        columns |= {name.lower(): kind for name, kind in formats.columns(table, file).items()}
    return table.format, [Column(column, kind) for column, kind in columns.items()]
