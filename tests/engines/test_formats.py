"""ORC and Avro: written by queries, read by SQL, crawlers and Spark."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from conftest import Failed, Lake, Worker, columns

TYPES = {
    "i": "int", "b": "bigint", "f": "float", "d": "double", "m": "decimal(10,2)", "t": "timestamp", "day": "date",
    "s": "string", "ok": "boolean", "raw": "binary",
}  # fmt: skip
VALUES = {
    "i": "1", "b": "9000000000", "f": "cast(1.5 as real)", "d": "2.5e0", "m": "cast(3.25 as decimal(10,2))",
    "t": "timestamp '2026-01-02 03:04:05.678'", "day": "date '2026-01-02'", "s": "'é, \"x\"'", "ok": "true",
    "raw": "cast('x' as varbinary)",
}  # fmt: skip
ROW = [1, 9000000000, 1.5, 2.5, "3.25", "2026-01-02 03:04:05.678", "2026-01-02", 'é, "x"', True, "eA=="]


def select(**changed: str) -> str:
    return "select " + ", ".join(f"{value} as {name}" for name, value in (VALUES | changed).items())


def nothing() -> str:
    return ", ".join(f"null as {name}" for name in TYPES)


@pytest.mark.parametrize("format", ["orc", "avro"])
def test_every_type_comes_back_as_it_was_written(worker: Worker, lake: Lake, format: str) -> None:
    table = lake.table("all", format, **TYPES)
    written = worker.ask("query", sql=f"{select()} union all select {nothing()}", tables=[], output=table)
    assert written == {"rows": 2}
    read = worker.ask("select", sql='select * from "all" order by i', tables=[table])
    assert [row[:9] for row in read["rows"]] == [ROW[:9], [None] * 9]
    assert read["rows"][0][9] == ROW[9]
    assert {column["name"]: column["type"] for column in read["columns"]} == TYPES


def test_lists_maps_and_structs_come_back_from_orc(worker: Worker, lake: Lake) -> None:
    table = lake.table("nested", "orc", l="array<int>", m="map<string,int>", s="struct<a:int,b:string>")
    sql = "select array[1, 2] as l, map(array['k'], array[3]) as m, cast(row(4, 'x') as row(a integer, b varchar)) as s"
    worker.ask("query", sql=sql, tables=[], output=table)
    read = worker.ask("select", sql="select l[2] l, m['k'] m, s.a, s.b from nested", tables=[table])
    assert read["rows"] == [[2, 3, 4, "x"]]
    assert worker.ask("crawl", tables=[table])["tables"][0]["columns"] == table["columns"]


@pytest.mark.parametrize("format", ["orc", "avro"])
def test_partitions_and_appended_rows(worker: Worker, lake: Lake, format: str) -> None:
    old = lake.table("trips", format, id="int", at="timestamp") | {"partitions": columns(day="date")}
    row = "select {} as id, timestamp '2026-01-0{} 10:00:00' as at, date '2026-01-0{}' as day"
    first = " union all ".join(row.format(n, n, n) for n in (1, 2))
    assert worker.ask("query", sql=first, tables=[], output=old) == {"rows": 2}
    assert sorted(str(file.relative_to(old["dir"])) for file in Path(old["dir"]).rglob("*." + format)) == [
        f"day=2026-01-01/part-00000-0.{format}",
        f"day=2026-01-02/part-00000-0.{format}",
    ]
    assert not list(Path(old["dir"]).rglob("*.parquet"))
    new = lake.table("new", format, id="int", at="timestamp") | {"name": "trips", "partitions": columns(day="date")}
    again = worker.ask("query", sql=row.format(3, 2, 2), tables=[], output=new, old=old, mode=[])
    assert again == {"rows": 3}
    asked = "select day, count(*) n, max(id) m from trips where day > date '2026-01-01' group by day"
    assert worker.ask("select", sql=asked, tables=[new])["rows"] == [["2026-01-02", 2, 3]]


@pytest.mark.parametrize("format", ["orc", "avro"])
def test_a_query_that_gives_no_rows_writes_a_table_that_has_none(worker: Worker, lake: Lake, format: str) -> None:
    table = lake.table("none", format, **TYPES)
    sql = f"select * from ({select()}) where i > 1"
    assert worker.ask("query", sql=sql, tables=[], output=table) == {"rows": 0}
    assert worker.ask("select", sql="select count(*) from none", tables=[table])["rows"] == [[0]]


@pytest.mark.parametrize("format", ["orc", "avro"])
def test_the_crawler_finds_what_files_say_of_themselves(worker: Worker, lake: Lake, format: str) -> None:
    table = lake.table("all", format, **TYPES)
    worker.ask("query", sql=select(), tables=[], output=table)
    found = worker.ask("crawl", tables=[table])["tables"][0]
    assert {column["name"]: column["type"] for column in found["columns"]} == TYPES
    assert (found["format"], found["rows"], found["files"]) == (format, 1, 1)


@pytest.mark.parametrize("format", ["orc", "avro"])
def test_files_that_are_not_as_declared_are_refused(worker: Worker, lake: Lake, format: str) -> None:
    table = lake.table("all", format, i="int", s="string")
    worker.ask("query", sql="select 1 as i, 'x' as s", tables=[], output=table)
    with pytest.raises(Failed) as wrong:
        worker.ask("select", sql="select 1", tables=[table | {"columns": columns(i="bigint", s="string")}])
    assert wrong.value.error["message"].startswith("column `i` of table `all` is declared bigint, but was given int")
    Path(table["dir"], f"part-00000.{format}").write_bytes(b"no such thing, but long enough to be looked at")
    with pytest.raises(Failed) as broken:
        worker.ask("select", sql="select 1", tables=[table])
    name = {"orc": "ORC", "avro": "Avro"}[format]
    assert broken.value.error["type"] == f"Bad{name}"
    assert f"`part-00000.{format}` is not readable as {name}" in broken.value.error["message"]


def test_avro_that_ends_too_early_is_refused_wherever_it_ends(worker: Worker, lake: Lake) -> None:
    table = lake.table("all", "avro", **TYPES)
    worker.ask("query", sql=select(), tables=[], output=table)
    file = Path(table["dir"], "part-00000.avro")
    whole = file.read_bytes()
    for size in range(0, len(whole), 7):
        file.write_bytes(whole[:size])
        with pytest.raises(Failed, match="is not readable as Avro"):
            worker.ask("select", sql='select * from "all"', tables=[table])


def test_moments_before_1970_go_into_avro_and_come_back(worker: Worker, lake: Lake) -> None:
    table = lake.table("old", "avro", t="timestamp", d="date")
    sql = "select timestamp '1969-12-31 23:59:59.9996' as t, date '0001-01-01' as d"
    worker.ask("query", sql=sql, tables=[], output=table)
    assert worker.ask("select", sql="select * from old", tables=[table])["rows"] == [
        ["1969-12-31 23:59:59.999", "0001-01-01"]
    ]


def long(number: int) -> bytes:
    """A number as Avro writes it."""
    number, written = (number << 1) ^ (number >> 63), b""
    while number > 0x7F:
        written, number = written + bytes([number & 0x7F | 0x80]), number >> 7
    return written + bytes([number])


def container(codec: str, field: Any, block: bytes) -> bytes:
    """An Avro file of one row, as others than the library under test write it."""
    schema = json.dumps({"type": "record", "name": "r", "fields": [{"name": "x", "type": field}]}).encode()
    meta = {b"avro.schema": schema, b"avro.codec": codec.encode()}
    entries = b"".join(long(len(key)) + key + long(len(value)) + value for key, value in meta.items())
    sync = bytes(range(16))
    return b"Obj\x01" + long(len(meta)) + entries + long(0) + sync + long(1) + long(len(block)) + block + sync


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy", "zstandard"])
def test_avro_of_other_writers_is_read_whatever_compresses_it(worker: Worker, lake: Lake, codec: str) -> None:
    row = long(6) + b"abc" * 2
    match codec:
        case "deflate":
            compressor = zlib.compressobj(wbits=-15)
            block = compressor.compress(row) + compressor.flush()
        case "snappy":
            block = pyarrow.compress(row, codec="snappy", asbytes=True) + struct.pack(">I", zlib.crc32(row))
        case "zstandard":
            block = pyarrow.compress(row, codec="zstd", asbytes=True)
        case _:
            block = row
    table = lake.table("words", "avro", x="string")
    Path(table["dir"], "words.avro").write_bytes(container(codec, "string", block))
    assert worker.ask("select", sql="select x from words", tables=[table])["rows"] == [["abcabc"]]


def test_moments_of_avro_in_microseconds_are_refused_as_athena_would_misread_them(worker: Worker, lake: Lake) -> None:
    table = lake.table("moments", "avro", x="timestamp")
    field = {"type": "long", "logicalType": "timestamp-micros"}
    Path(table["dir"], "moments.avro").write_bytes(container("null", field, long(1)))
    with pytest.raises(Failed, match="counts the microseconds of `x`"):
        worker.ask("select", sql="select x from moments", tables=[table])


def test_spark_reads_and_writes_orc(worker: Worker, lake: Lake, tmp_path: Path) -> None:
    source, target = lake.table("all", "orc", **TYPES), lake.table("copy", "orc", **TYPES)
    worker.ask("query", sql=f"{select()} union all select {nothing()}", tables=[], output=source)
    script = tmp_path / "copy.py"
    script.write_text(
        "from pyspark.sql import SparkSession\n"
        f"SparkSession.builder.getOrCreate().read.orc({source['dir']!r})"
        f".write.mode('overwrite').orc({target['dir']!r})\n"
    )
    done = worker.ask("glue_job", name="copy", script=str(script), arguments={}, outputs=[target])
    assert done == {"rows": {"copy": 2}}
    read = worker.ask("select", sql="select * from copy where i = 1", tables=[target])
    assert read["rows"] == [ROW]


def export(lake: Lake, format: str, **more: Any) -> dict[str, Any]:
    """Files for others, as `plan` describes them."""
    folder = lake.folder / "export"
    folder.mkdir()
    return {"name": "export", "dir": f"{folder}/", "format": format, "partitions": [], **more}


def contents(target: dict[str, Any]) -> dict[str, str]:
    files = sorted(Path(target["dir"]).rglob("*.gz"))
    return {str(file.relative_to(target["dir"])): gzip.decompress(file.read_bytes()).decode() for file in files}


def test_text_is_exported_without_header_and_quotes(worker: Worker, lake: Lake) -> None:
    target = export(lake, "text", compression="GZIP", csv={"delimiter": "|", "quote": None})
    sql = "select 1 as a, 'x, \"y\"' as b, cast(null as varchar) as c union all select 2, 'z', ''"
    assert worker.ask("query", sql=sql, tables=[], export=target) == {"rows": 2}
    assert sorted(contents(target)["part-00000.txt.gz"].splitlines()) == ['1|x, "y"|\\N', "2|z|"]
    assert [entry.name for entry in Path(target["dir"]).iterdir()] == ["part-00000.txt.gz"]


def test_json_is_exported_into_folders_of_its_last_columns(worker: Worker, lake: Lake) -> None:
    target = export(lake, "json", compression="GZIP", partitions=["year", "month"])
    sql = "select 1 as a, 2026 as year, 'may' as month union all select 2, 2027, 'june'"
    assert worker.ask("query", sql=sql, tables=[], export=target) == {"rows": 2}
    assert contents(target) == {
        "year=2026/month=may/part-00000-0.json.gz": '{"a":1}\n',
        "year=2027/month=june/part-00000-0.json.gz": '{"a":2}\n',
    }


def test_the_folders_of_partitions_are_named_as_athena_does(worker: Worker, lake: Lake) -> None:
    target = export(lake, "json", compression="GZIP", partitions=["p", "q"])
    names = {
        "New York, ü+&;<|>~": "New York, ü+&;<|>~",
        "50% [a/b] {x}": "50%25 %5Ba%2Fb%5D %7Bx}",
        "k=v:^?": "k%3Dv%3A%5E%3F",
    }
    values = ", ".join(f"('{value}', 'it''s #1')" for value in names)
    sql = f"select 1 as a, p, q from (values {values}) as t (p, q)"
    assert worker.ask("query", sql=sql, tables=[], export=target) == {"rows": 3}
    assert {entry.name for entry in Path(target["dir"]).iterdir()} == {f"p={name}" for name in names.values()}
    assert {entry.name for entry in Path(target["dir"]).glob("*/*")} == {"q=it%27s %231"}
    table = target | {"columns": columns(a="int"), "partitions": columns(p="string", q="string")}
    rows = worker.ask("select", sql="select p, q from export", tables=[table])["rows"]
    assert sorted(rows) == sorted([value, "it's #1"] for value in names)


@pytest.mark.parametrize("format", ["parquet", "orc", "avro"])
def test_an_export_holds_whatever_columns_the_select_gives(worker: Worker, lake: Lake, format: str) -> None:
    target = export(lake, format, compression={"orc": "ZSTD"}.get(format, "GZIP"), partitions=["p"])
    sql = "select cast(7 as smallint) as a, date '2026-01-01' as d, 'x' as p"
    assert worker.ask("query", sql=sql, tables=[], export=target) == {"rows": 1}
    small = "int" if format == "avro" else "smallint"
    table = target | {"columns": columns(a=small, d="date"), "partitions": columns(p="string")}
    assert worker.ask("select", sql="select a, d, p from export", tables=[table])["rows"] == [[7, "2026-01-01", "x"]]
