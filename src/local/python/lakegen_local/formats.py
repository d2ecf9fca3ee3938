"""Files that carry their own schema, Parquet, ORC and Avro; and those of them that DuckDB does not know.

DuckDB reads ORC and Avro through Arrow. It writes neither: it writes Parquet, which is turned into them file by file.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakegen_local.errors import StepError, relative

if TYPE_CHECKING:
    import duckdb

    from lakegen_local.sources import Column, Table

NAMES = {"parquet": "Parquet", "orc": "ORC", "avro": "Avro"}
FOREIGN = ("orc", "avro")
BATCH_ROWS = 50_000

_numbers = itertools.count()


def columns(table: Table, file: str) -> dict[str, str]:
    """The columns that a file has, with their Glue types."""
    import pyarrow
    import pyarrow.parquet

    try:
        if table.format == "avro":
            return {field["name"]: _avro_type(field, table, file) for field in _avro_fields(table, file)}
        schema = _orc(file).schema if table.format == "orc" else pyarrow.parquet.read_schema(file)
    except (pyarrow.ArrowException, OSError) as error:
        raise _unreadable(table, file, error) from error
    return {field.name: arrow_type(field.type) for field in schema}


def rows(table: Table, file: str) -> int:
    """The rows of a file, by what it says of itself."""
    import pyarrow.parquet

    if table.format == "avro":
        return sum(block.num_records for block in _avro_blocks(table, file))
    return int(_orc(file).nrows if table.format == "orc" else pyarrow.parquet.read_metadata(file).num_rows)


def _unreadable(table: Table, file: str, error: Exception) -> StepError:
    name = NAMES[table.format]
    return StepError(f"Bad{name}", f"`{relative(file, table.dir)}` is not readable as {name}: {error}", file=file)


def arrow_type(kind: Any) -> str:
    """The Glue type of an Arrow column."""
    import pyarrow.types as is_type

    if is_type.is_list(kind) or is_type.is_large_list(kind):
        return f"array<{arrow_type(kind.value_type)}>"
    if is_type.is_map(kind):
        return f"map<{arrow_type(kind.key_type)},{arrow_type(kind.item_type)}>"
    if is_type.is_struct(kind):
        return f"struct<{','.join(f'{field.name.lower()}:{arrow_type(field.type)}' for field in kind)}>"
    if is_type.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if is_type.is_timestamp(kind):
        return "timestamp"
    names = {
        "bool": "boolean", "int8": "tinyint", "int16": "smallint", "int32": "int", "int64": "bigint", "float": "float",
        "double": "double", "date32[day]": "date", "string": "string", "large_string": "string", "binary": "binary",
        "large_binary": "binary",
    }  # fmt: skip
    return names.get(str(kind), str(kind))


def scan(database: duckdb.DuckDBPyConnection, table: Table, files: list[str]) -> str:
    """The name by which DuckDB sees ORC or Avro files, their partitions as text."""
    import pyarrow
    import pyarrow.dataset as dataset

    relation = f"lakegen_{table.format}_{next(_numbers)}"
    folders = dataset.partitioning(
        pyarrow.schema([(c.name, pyarrow.string()) for c in table.partitions]), flavor="hive"
    )
    if table.format == "orc":
        partitioned = {"partitioning": folders, "partition_base_dir": table.dir} if table.partitions else {}
        database.register(relation, dataset.dataset(files, format="orc", **partitioned))
    else:
        batches = itertools.chain.from_iterable(_avro_batches(table, file, folders) for file in files)
        database.register(relation, pyarrow.Table.from_batches(batches, _avro_arrow_schema(table)))
    return relation


def convert(written: Path, table: Table) -> None:
    """Turns a Parquet file into one of the table's format, beside it."""
    import pyarrow
    import pyarrow.parquet

    target = written.with_suffix(f".{table.format}")
    with pyarrow.parquet.ParquetFile(written) as parquet:
        batches = parquet.iter_batches(BATCH_ROWS)
        if table.format == "orc":
            from pyarrow import orc

            with orc.ORCWriter(str(target), compression=table.compression.lower()) as writer:
                writer.write(parquet.schema_arrow.empty_table())
                for batch in batches:
                    writer.write(pyarrow.Table.from_batches([batch]))
        else:
            _write_avro(target, table, batches)
    written.unlink()


def _orc(file: str) -> Any:
    from pyarrow import orc

    return orc.ORCFile(file)


def _avro_type(field: dict[str, Any], table: Table, file: str) -> str:
    kind = field["type"]
    if isinstance(kind, list):
        kinds = [one for one in kind if one != "null"]
        kind = kinds[0] if len(kinds) == 1 else "union"
    if isinstance(kind, dict):
        match kind.get("logicalType"):
            case "decimal":
                return f"decimal({kind['precision']},{kind.get('scale', 0)})"
            case "date":
                return "date"
            case "timestamp-millis":
                return "timestamp"
            case "timestamp-micros":
                raise StepError(
                    "BadAvro",
                    f"`{relative(file, table.dir)}` counts the microseconds of `{field['name']}`; "
                    "Athena takes the moments of Avro for milliseconds",
                    file=file,
                )
        kind = kind["type"]
    names = {"long": "bigint", "bytes": "binary", "enum": "string"}
    return names.get(kind, str(kind))


def _avro_field(column: Column) -> dict[str, Any]:
    """A column in a schema of Avro, as `lower` writes it into the catalog."""
    kinds: dict[str, Any] = {
        "bigint": "long",
        "binary": "bytes",
        "date": {"type": "int", "logicalType": "date"},
        "timestamp": {"type": "long", "logicalType": "timestamp-millis"},
    }
    kind = kinds.get(column.type, column.type)
    if column.type.startswith("decimal("):
        precision, scale = column.type[8:-1].split(",")
        kind = {"type": "bytes", "logicalType": "decimal", "precision": int(precision), "scale": int(scale)}
    return {"name": column.name, "type": ["null", kind], "default": None}


def _avro_arrow_schema(table: Table) -> Any:
    import pyarrow

    kinds = {
        "string": pyarrow.string(), "boolean": pyarrow.bool_(), "int": pyarrow.int32(), "bigint": pyarrow.int64(),
        "float": pyarrow.float32(), "double": pyarrow.float64(), "date": pyarrow.date32(),
        "timestamp": pyarrow.timestamp("us"), "binary": pyarrow.binary(),
    }  # fmt: skip
    fields = []
    for column in table.columns:
        kind = kinds.get(column.type)
        if kind is None:
            kind = pyarrow.decimal128(*map(int, column.type[8:-1].split(",")))
        fields.append((column.name, kind))
    return pyarrow.schema(fields + [(column.name, pyarrow.string()) for column in table.partitions])


@contextlib.contextmanager
def _reading(table: Table, file: str) -> Iterator[None]:
    """Whatever is wrong with an Avro file: each codec has errors of its own, and heads are wrong in as many ways."""
    try:
        yield
    except Exception as error:
        raise _unreadable(table, file, error) from error


def _avro_blocks(table: Table, file: str) -> Iterator[Any]:
    import fastavro

    with _reading(table, file), open(file, "rb") as stream:
        yield from fastavro.block_reader(stream)


def _avro_fields(table: Table, file: str) -> list[dict[str, Any]]:
    import fastavro

    with _reading(table, file), open(file, "rb") as stream:
        schema: Any = fastavro.block_reader(stream).writer_schema
        return list(schema["fields"])


def _avro_batches(table: Table, file: str, folders: Any) -> Iterator[Any]:
    import pyarrow
    import pyarrow.dataset as dataset

    schema = _avro_arrow_schema(table)
    place = dataset.get_partition_keys(folders.parse(relative(file, table.dir))) if table.partitions else {}
    for block in _avro_blocks(table, file):
        with _reading(table, file):
            batch = pyarrow.RecordBatch.from_pylist([place | row for row in block], schema=schema)
        yield batch


def _write_avro(target: Path, table: Table, batches: Iterator[Any]) -> None:
    import fastavro
    import pyarrow
    import pyarrow.compute as compute

    numbers = {
        "date": lambda values: values.cast(pyarrow.int32()),
        # `floor` as Athena does: a moment before 1970 is no later than it was.
        "timestamp": lambda values: (
            compute.floor_temporal(values, unit="millisecond").cast(pyarrow.timestamp("ms")).cast(pyarrow.int64())
        ),
    }
    names = [column.name for column in table.columns]

    def rows(batch: Any) -> list[dict[str, Any]]:
        arrays = [numbers.get(c.type, lambda values: values)(batch.column(c.name)) for c in table.columns]
        return pyarrow.RecordBatch.from_arrays(arrays, names).to_pylist()

    schema = {"type": "record", "name": table.name, "fields": [_avro_field(column) for column in table.columns]}
    marker = hashlib.md5(table.name.encode(), usedforsecurity=False).digest()  # any will do, and no run differs by it
    with target.open("wb") as stream:
        records = itertools.chain.from_iterable(map(rows, batches))
        fastavro.writer(stream, schema, records, codec="deflate", sync_marker=marker)
