"""Tables as files: reading them strictly into DuckDB, and writing them with exactly the declared columns."""

from __future__ import annotations

import gzip
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote

import duckdb

from lakegen_local import formats
from lakegen_local.errors import StepError, relative

DUCKDB_TYPES = {
    "string": "VARCHAR",
    "boolean": "BOOLEAN",
    "tinyint": "TINYINT",
    "smallint": "SMALLINT",
    "int": "INTEGER",
    "bigint": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "binary": "BLOB",
}
GLUE_TYPES = {duck: glue for glue, duck in DUCKDB_TYPES.items()} | {
    "HUGEINT": "bigint",
    "UTINYINT": "smallint",
    "USMALLINT": "int",
    "UINTEGER": "bigint",
    "UBIGINT": "bigint",
    "TIMESTAMP_NS": "timestamp",
    "TIMESTAMP_MS": "timestamp",
    "TIMESTAMP_S": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
}
INTEGERS = ("tinyint", "smallint", "int", "bigint")
INTEGER_DIGITS = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 19}

LONGEST_SHOWN = 300  # characters of a bad row in a message


@dataclass(frozen=True)
class Column:
    """A column and its Glue type."""

    name: str
    type: str


@dataclass(frozen=True)
class Table:
    """A table's files: a folder, their format, and the declared columns and partition columns."""

    name: str
    dir: str
    format: str
    columns: tuple[Column, ...]
    partitions: tuple[Column, ...]
    delimiter: str
    quote: str | None
    compression: str = "SNAPPY"
    ignore_malformed: bool = False
    projections: tuple[dict[str, Any], ...] = ()
    sql: str | None = None  # of a view, which has no files

    @classmethod
    def of(cls, source: dict[str, Any]) -> Table:
        """Reads a `TableSource` of the protocol."""
        csv = source.get("csv") or {}
        return cls(
            name=source["name"],
            dir=source["dir"],
            format=source["format"],
            columns=tuple(Column(column["name"], column["type"]) for column in source["columns"]),
            partitions=tuple(Column(column["name"], column["type"]) for column in source.get("partitions") or []),
            delimiter=csv.get("delimiter", ","),
            quote=csv.get("quote", '"'),
            compression=source.get("compression", "SNAPPY"),
            ignore_malformed=bool(source.get("ignore_malformed")),
            projections=tuple(source.get("projections") or ()),
            sql=source.get("sql"),
        )

    @property
    def all_columns(self) -> tuple[Column, ...]:
        return self.columns + self.partitions

    def files(self) -> list[str]:
        """Data files below the folder, sorted; names starting with `_` or `.` do not count, as in Athena."""
        found = []
        for folder, folders, names in os.walk(self.dir):
            folders[:] = sorted(name for name in folders if not name.startswith(("_", ".")))
            found += [os.path.join(folder, name) for name in names if not name.startswith(("_", "."))]
        return sorted(found)


def connect(request: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    """A database of its own for one request, with the limits of the request or of LAKEGEN_DUCKDB (JSON).

    Limits: `memory` ("2GB"), `threads`, `temp_dir` (where to spill).
    """
    limits = json.loads(os.environ.get("LAKEGEN_DUCKDB") or "{}") | (request.get("duckdb") or {})
    config: dict[str, str] = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    for name, setting in (("memory", "memory_limit"), ("threads", "threads"), ("temp_dir", "temp_directory")):
        if name in limits:
            config[setting] = str(limits[name])
    database = duckdb.connect(":memory:", config=config)
    database.execute("SET TimeZone = 'UTC'")
    return database


def duckdb_type(glue: str) -> str:
    """The DuckDB type of a Glue type: `array<struct<a:int>>` is `STRUCT("a" INTEGER)[]`."""
    if not glue.endswith(">"):
        return DUCKDB_TYPES.get(glue) or glue.upper()
    form, inside = glue[:-1].split("<", 1)
    if form == "array":
        return f"{duckdb_type(inside)}[]"
    if form == "map":
        return f"MAP({', '.join(duckdb_type(part) for part in parts(inside))})"
    fields = (part.split(":", 1) for part in parts(inside))
    return f"STRUCT({', '.join(f'{name(field)} {duckdb_type(kind)}' for field, kind in fields)})"


def parts(inside: str) -> list[str]:
    """What stands between the commas that are in no brackets."""
    found, depth = [""], 0
    for sign in inside:
        depth += (sign in "<(") - (sign in ">)")
        if sign == "," and depth == 0:
            found.append("")
        else:
            found[-1] += sign
    return found


def glue_type(duck: str) -> str:
    """The Glue type of a DuckDB result; types that no column can have keep their DuckDB name."""
    if duck.endswith("]") or duck.startswith(("STRUCT(", "MAP(")):
        return _nested_type(duckdb.sqltype(duck))
    return GLUE_TYPES.get(duck) or (duck.lower() if duck.startswith("DECIMAL") else duck)


def _nested_type(duck: duckdb.sqltypes.DuckDBPyType) -> str:
    if duck.id == "struct":
        return f"struct<{','.join(f'{field}:{_nested_type(kind)}' for field, kind in duck.children)}>"
    if duck.id == "map":
        return f"map<{','.join(_nested_type(kind) for _, kind in duck.children)}>"
    if duck.id in ("list", "array"):
        return f"array<{_nested_type(duck.children[0][1])}>"
    return glue_type(str(duck))


def name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def read(database: duckdb.DuckDBPyConnection, table: Table) -> str:
    """SQL that selects the table's declared columns, after checks that need no pass over the data."""
    files = table.files()
    if not files:
        if os.path.exists(os.path.join(table.dir, "_SUCCESS")):
            nothing = ", ".join(f"NULL::{duckdb_type(c.type)} AS {name(c.name)}" for c in table.all_columns)
            return f"SELECT {nothing} WHERE false"
        raise StepError("MissingData", f"table `{table.name}` has no files in {table.dir}")
    if table.format == "csv":
        return _read_csv(table, files)
    listed = "[" + ", ".join(text(file) for file in files) + "]"
    partitions = _hive(table)
    if table.format == "json":
        columns = "{" + ", ".join(f"{text(c.name)}: {text(duckdb_type(c.type))}" for c in table.columns) + "}"
        lenient = ", ignore_errors = true" if table.ignore_malformed else ""
        scan = f"read_json({listed}, format = 'newline_delimited', columns = {columns}{lenient}{partitions})"
    else:
        check_files(table)
        if table.format in formats.FOREIGN:
            scan = formats.scan(database, table, files)
        else:
            scan = f"read_parquet({listed}, union_by_name = true{partitions})"
    columns = ", ".join(f"{name(c.name)}::{duckdb_type(c.type)} AS {name(c.name)}" for c in table.all_columns)
    return f"SELECT {columns} FROM {scan}"


def create_views(database: duckdb.DuckDBPyConnection, tables: list[Table]) -> None:
    """The tables as Athena sees them: of a projected table, only what lies in folders that the projection names."""
    for table in tables:
        within = " AND ".join(_projected(table)) or "true"
        database.execute(f"CREATE VIEW {name(table.name)} AS SELECT * FROM ({read(database, table)}) WHERE {within}")


def _projected(table: Table) -> Iterator[str]:
    for column, projection in zip(table.partitions, table.projections, strict=False):
        kind, field = duckdb_type(column.type), name(column.name)
        for key, comparison in (("from", ">="), ("to", "<=")):
            if isinstance(end := projection.get(key), int):
                yield f"{field}::BIGINT {comparison} {end}"
            elif end is not None:
                yield f"{field} {comparison} {text(end)}::{kind}"
        if values := projection.get("values"):
            yield f"{field} IN ({', '.join(f'{text(value)}::{kind}' for value in values)})"


def _hive(table: Table) -> str:
    if not table.partitions:
        return ", hive_partitioning = false"
    types = ", ".join(f"{text(c.name)}: {duckdb_type(c.type)}" for c in table.partitions)
    return f", hive_partitioning = true, hive_types = {{{types}}}"


def scan_csv(table: Table, files: list[str], columns: list[tuple[str, str]]) -> str:
    """A strict `read_csv` with the given columns and DuckDB types: no guessing, no padding, no skipping.

    Every empty field is NULL here.
    """
    listed = "[" + ", ".join(text(file) for file in files) + "]"
    typed = "{" + ", ".join(f"{text(column)}: {text(duck)}" for column, duck in columns) + "}"
    quote = text(table.quote or "")
    return (
        f"read_csv({listed}, auto_detect = false, header = true, columns = {typed}, delim = {text(table.delimiter)}, "
        f"quote = {quote}, escape = {quote}, nullstr = '', strict_mode = true{_hive(table)})"
    )


def _read_csv(table: Table, files: list[str]) -> str:
    for file in files:
        check_header(table, file)
    columns = [(c.name, "VARCHAR" if c.type in INTEGERS else duckdb_type(c.type)) for c in table.columns]
    selected = [_csv_value(table, c) for c in table.columns] + [name(c.name) for c in table.partitions]
    return f"SELECT {', '.join(selected)} FROM {scan_csv(table, files, columns)}"


def _csv_value(table: Table, column: Column) -> str:
    """A column's value from its field: an empty field is an empty string, and NULL for every other type.

    So do Hive's LazySimpleSerDe and OpenCSVSerDe. DuckDB's `force_not_null` would say the same, but names the wrong
    column when not all are selected. Integers are converted here because DuckDB would round `15.5` without a word.
    """
    field = name(column.name)
    if column.type in INTEGERS:
        whole = f"CASE WHEN NOT contains({field}, '.') THEN TRY_CAST({field} AS {duckdb_type(column.type)}) END"
        complaint = f"error({text(f'{BAD_VALUE}{table.name}|{column.name}|{column.type}|')} || {field})"
        return f"CASE WHEN {field} IS NOT NULL THEN coalesce({whole}, {complaint}) END AS {field}"
    if column.type != "string":
        return field
    value = f"coalesce({field}, '')"
    return f"nullif({value}, '\\N') AS {field}" if table.quote is None else f"{value} AS {field}"


BAD_VALUE = "lakegen-bad-value|"
_CSV_LINE = re.compile(r"CSV Error on Line: (\d+)\nOriginal Line: (.*?)\n(.*)", re.DOTALL)
_CSV_FILE = re.compile(r"^  file = (.*)$", re.MULTILINE)
_CSV_VALUE = re.compile(r'converting column "(.*?)"\. Could not convert string "(.*?)" to \'(.*?)\'', re.DOTALL)
_CSV_COUNT = re.compile(r"Expected Number of Columns: (\d+) Found: (\d+)")


def open_data(file: str) -> BinaryIO:
    return gzip.open(file, "rb") if file.endswith(".gz") else open(file, "rb")  # type: ignore[return-value]


def check_header(table: Table, file: str) -> None:
    """The first line of a CSV file names exactly the declared columns, in their order."""
    shown = relative(file, table.dir)
    with open_data(file) as stream:
        first = stream.readline()
    if not first.strip():
        raise StepError(
            "EmptyFile", f"`{shown}` of table `{table.name}` is empty; a header line is expected", file=file
        )
    found = split_fields(first.decode("utf-8-sig", "replace").rstrip("\r\n"), table)
    declared = [column.name for column in table.columns]
    if found != declared:
        raise StepError(
            "WrongHeader",
            f"`{shown}` has the header `{table.delimiter.join(found)}`, "
            f"but table `{table.name}` declares `{table.delimiter.join(declared)}`",
            file=file,
            line=1,
        )


def split_fields(line: str, table: Table) -> list[str]:
    """The fields of one CSV line without line breaks inside."""
    if table.quote is None or table.quote not in line:
        return line.split(table.delimiter)
    fields, rest, q = [], line, re.escape(table.quote)
    pattern = re.compile(
        rf"(?:{q}((?:[^{q}]|{q}{q})*){q}|([^{re.escape(table.delimiter)}]*))({re.escape(table.delimiter)}|$)"
    )
    position = 0
    while found := pattern.match(rest, position):
        quoted, plain, end = found.groups()
        fields.append(plain if quoted is None else quoted.replace(table.quote * 2, table.quote))
        position = found.end()
        if not end:
            break
    return fields


def records(file: str, quote: str | None) -> Iterator[tuple[int, str]]:
    """Line number and text of every non-blank record of a CSV file; a quoted line break does not end a record."""
    mark = quote.encode() if quote else None
    with open_data(file) as stream:
        start, pending = 1, b""
        for number, line in enumerate(stream, start=1):
            pending += line
            if mark is None or pending.count(mark) % 2 == 0:
                if pending.strip():
                    yield start, pending.decode("utf-8", "replace").rstrip("\r\n")
                start, pending = number + 1, b""


def reading_error(error: duckdb.Error, tables: list[Table]) -> Exception:
    """Turns DuckDB's account of a bad file into file, line, text of the line, and what is wrong with it."""
    said = str(error)
    if BAD_VALUE in said:
        table_name, column, kind, value = said.split(BAD_VALUE, 1)[1].split("|", 3)
        return _bad_value(next(t for t in tables if t.name == table_name), column, kind, value)
    if not (found := _CSV_LINE.search(said)) or not (path := _CSV_FILE.search(said)):
        return error
    line, content, rest = int(found.group(1)), found.group(2), found.group(3)
    file = path.group(1)
    table = next((t for t in tables if file.startswith(os.path.join(t.dir, ""))), None)
    if value := _CSV_VALUE.search(rest):
        glue = glue_type(value.group(3))
        return _csv_error(table, file, line, content, f"column `{value.group(1)}` is {glue}, not `{value.group(2)}`")
    if count := _CSV_COUNT.search(rest):
        return _csv_error(table, file, line, content, f"{count.group(2)} fields instead of {count.group(1)}")
    reason = next((part.strip() for part in rest.splitlines() if part.strip()), "unreadable")
    if "unterminated quote" in rest:
        reason = "a quote is opened and not closed (a quote inside a quoted field is written twice)"
    return _csv_error(table, file, line, content.splitlines()[0] if content else "", reason)


def _bad_value(table: Table, column: str, kind: str, value: str) -> StepError:
    index = [c.name for c in table.columns].index(column)
    for file in table.files():
        for line, content in records(file, table.quote):
            if line > 1 and value in content:
                fields = split_fields(content, table)
                if index < len(fields) and fields[index] == value:
                    return _csv_error(table, file, line, content, f"column `{column}` is {kind}, not `{value}`")
    return StepError("BadValue", f"table `{table.name}`: column `{column}` is {kind}, not `{value}`")


def _csv_error(table: Table | None, file: str, line: int, content: str, reason: str) -> StepError:
    if table is not None and "\n" not in content and "quote" not in reason:
        count = len(split_fields(content, table))
        if count != len(table.columns):
            reason = f"{count} fields instead of {len(table.columns)}"
    shown = relative(file, table.dir) if table else os.path.basename(file)
    if len(content) > LONGEST_SHOWN:
        content = content[:LONGEST_SHOWN] + "…"
    return StepError("BadRow", f"{shown}:{line}: {reason}: `{content}`", file=file, line=line)


def check_files(table: Table) -> None:
    """Compares files that carry their own schema with the declaration."""
    partitions = {column.name for column in table.partitions}
    for file in table.files():
        found = formats.columns(table, file)
        compare_columns(table, {key: kind for key, kind in found.items() if key not in partitions}, exact=True)


def check_json(database: duckdb.DuckDBPyConnection, table: Table) -> int:
    """Compares every line of JSON files with the declaration; gives the number of rows.

    A line may leave a column out: Spark writes no fields for nulls. A column that no line has is missing all the same,
    unless there are no lines.
    """
    listed = "[" + ", ".join(text(file) for file in table.files()) + "]"
    lines = f"SELECT json FROM read_ndjson_objects({listed}, hive_partitioning = false)"
    rows = int(database.execute(f"SELECT count(*) FROM ({lines})").fetchall()[0][0])
    fields = database.execute(
        "SELECT field, list_sort(list_distinct(list(kind))) FROM ("
        "  SELECT field, json_type(json, '$.\"' || replace(field, '\"', '\\\"') || '\"') AS kind"
        f"  FROM (SELECT json, unnest(json_keys(json)) AS field FROM ({lines}))"
        ") GROUP BY field ORDER BY field"
    ).fetchall()
    found = {str(field).lower(): [str(kind) for kind in kinds if kind != "NULL"] for field, kinds in fields}
    declared = {column.name: column.type for column in table.columns}
    for column, kind in declared.items():
        if rows and column not in found:
            got = ", ".join(f"`{field}`" for field in found)
            raise StepError("MissingColumn", f"table `{table.name}` declares column `{column}`, but was given {got}")
        fitting = JSON_TYPES.get(re.split("[(<]", kind)[0], ("VARCHAR",))
        if wrong := [got for got in found.get(column, []) if got not in fitting]:
            raise StepError(
                "WrongType",
                f"column `{column}` of table `{table.name}` is declared {kind}, but was given "
                f"{JSON_WORDS.get(wrong[0], 'a whole number')}; cast it, or declare its type",
            )
    if extra := [field for field in found if field not in declared]:
        known = ", ".join(f"`{column}`" for column in declared)
        raise StepError(
            "ExtraColumn", f"column `{extra[0]}` is not declared by table `{table.name}`, which has {known}"
        )
    # Every value is read as what it is declared to be: dates that are none and numbers that do not fit end here.
    every = ", ".join(f"count({name(column)})" for column in declared)
    database.execute(f"SELECT {every} FROM ({read(database, table)})").fetchall()
    return rows


WHOLE = ("BIGINT", "UBIGINT", "HUGEINT")
# What DuckDB's `json_type` may say of a value of a Glue type; the others are text in JSON.
JSON_TYPES = dict.fromkeys(INTEGERS, WHOLE) | dict.fromkeys(("float", "double", "decimal"), (*WHOLE, "DOUBLE"))
JSON_TYPES |= {"boolean": ("BOOLEAN",), "array": ("ARRAY",), "map": ("OBJECT",), "struct": ("OBJECT",)}
JSON_WORDS = {
    "VARCHAR": "text",
    "DOUBLE": "a number with a fraction",
    "BOOLEAN": "a truth",
    "ARRAY": "a list",
    "OBJECT": "an object",
}


def compare_columns(table: Table, found: dict[str, str], *, exact: bool) -> None:
    """Every declared column is there with its type, and no other; `exact=False` lets types widen."""
    declared = {column.name: column.type for column in (table.columns if exact else table.all_columns)}
    if missing := [column for column in declared if column not in found]:
        got = ", ".join(f"`{column}`" for column in found)
        raise StepError("MissingColumn", f"table `{table.name}` declares column `{missing[0]}`, but was given {got}")
    if extra := [column for column in found if column not in declared]:
        known = ", ".join(f"`{column}`" for column in declared)
        raise StepError(
            "ExtraColumn", f"column `{extra[0]}` is not declared by table `{table.name}`, which has {known}"
        )
    for column, kind in declared.items():
        got = found[column]
        if got != kind and (exact or not widens(got, kind)):
            raise StepError(
                "WrongType",
                f"column `{column}` of table `{table.name}` is declared {kind}, but was given {got}; "
                f"cast it, or declare {got}",
            )


def widens(narrow: str, wide: str) -> bool:
    """Whether Athena's INSERT accepts a value of one type for a column of another without a cast."""
    if narrow == wide or narrow == '"NULL"':
        return True
    order = [*INTEGERS, "float", "double"]
    if narrow in order and wide in order:
        return order.index(narrow) < order.index(wide)
    decimals = re.compile(r"decimal\((\d+),(\d+)\)")
    target, origin = decimals.fullmatch(wide), decimals.fullmatch(narrow)
    if target:
        room = int(target.group(1)) - int(target.group(2))
        if narrow in INTEGERS:
            return room >= INTEGER_DIGITS[narrow]
        if origin:
            whole = int(origin.group(1)) - int(origin.group(2))
            return room >= whole and int(target.group(2)) >= int(origin.group(2))
        return False
    if origin:
        return wide in ("float", "double")
    return (narrow, wide) == ("date", "timestamp")


def describe_query(database: duckdb.DuckDBPyConnection, sql: str) -> dict[str, str]:
    """Column names and Glue types that a query gives; names that come twice are refused."""
    described: dict[str, str] = {}
    for row in database.execute(f"DESCRIBE {sql}").fetchall():
        if row[0] in described:
            raise StepError("DuplicateColumn", f"the result has two columns named `{row[0]}`; give one an alias")
        described[row[0]] = glue_type(row[1])
    return described


def write(
    database: duckdb.DuckDBPyConnection, sql: str, table: Table, found: dict[str, str], part: str = "part-00000"
) -> int:
    """Writes what `sql` gives as the table's files and gives the number of rows. `found`: its columns and types."""
    compare_columns(table, found, exact=False)
    columns = ", ".join(f"CAST({name(c.name)} AS {duckdb_type(c.type)}) AS {name(c.name)}" for c in table.all_columns)
    foreign = table.format in formats.FOREIGN
    through, compression = ("parquet", "snappy") if foreign else (table.format, table.compression.lower())
    packed = ", COMPRESSION gzip" if compression == "gzip" else ""
    options = {
        "parquet": f"FORMAT parquet, COMPRESSION {compression}",
        "csv": f"FORMAT csv, HEADER true, DELIMITER {text(table.delimiter)}"
        + (f", QUOTE {text(table.quote)}, ESCAPE {text(table.quote)}" if table.quote else ", QUOTE ''"),
        "json": f"FORMAT json{packed}",
        # As Hive writes text: no quotes, and two characters for a value that is missing.
        "text": f"FORMAT csv, HEADER false, DELIMITER {text(table.delimiter)}, QUOTE '', NULLSTR '\\N'{packed}",
    }[through]
    extension = {"text": "txt"}.get(through, through) + (".gz" if packed and through != "parquet" else "")
    target = os.path.join(table.dir, f"{part}.{extension}")
    if table.partitions:
        target = table.dir
        options += f", PARTITION_BY ({', '.join(name(c.name) for c in table.partitions)})"
        options += (
            f", OVERWRITE_OR_IGNORE true, FILENAME_PATTERN {text(part + '-{i}')}, FILE_EXTENSION {text(extension)}"
        )
    rows = database.execute(f"COPY (SELECT {columns} FROM ({sql})) TO {text(target)} ({options})").fetchall()[0][0]
    if foreign:
        for written in sorted(Path(table.dir).rglob(f"{part}*.parquet")):
            formats.convert(written, table)
    if table.partitions:
        for written in sorted(Path(table.dir).rglob(f"{part}-*")):
            folders = [hive_folder(folder) for folder in written.relative_to(table.dir).parent.parts]
            os.renames(written, Path(table.dir, *folders, written.name))
    Path(table.dir, "_SUCCESS").touch()
    return int(rows)


# What Hive, Athena and Spark escape in the names of partitions' folders. Source: `FileUtils` of Hive, and with it
# `ExternalCatalogUtils` of Spark.
HIVE_ESCAPED = re.compile(r"""[\x00-\x1f"#%'*/:=?\\\x7f{\[\]^]""")


def hive_folder(folder: str) -> str:
    """A partition's folder as Hive names it; DuckDB escapes whatever a web address would not take."""
    column, sign, value = folder.partition("=")
    return column + sign + HIVE_ESCAPED.sub(lambda found: f"%{ord(found[0]):02X}", unquote(value))
