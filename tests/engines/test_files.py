"""Reading tables strictly, and what the crawler finds in them."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from conftest import Failed, Lake, Worker, columns

PRODUCTS = (
    "product_id,product_name,aisle_id,department_id\n"
    "1,Chocolate Sandwich Cookies,61,19\n"
    '2,"Rice, ""Wild\\"" and Brown",5,3\n'
    '3,"Crunchy \\""Extra\\"" Bar",78,19\n'
    '4,"ends in backslash\\",1,1\n'
)
NAMES = ["Chocolate Sandwich Cookies", 'Rice, "Wild\\" and Brown', 'Crunchy \\"Extra\\" Bar', "ends in backslash\\"]


def rows(worker: Worker, table: dict[str, Any]) -> list[list[Any]]:
    return worker.ask("select", sql=f"select * from {table['name']}", tables=[table], limit=1000)["rows"]


def refused(worker: Worker, table: dict[str, Any]) -> dict[str, Any]:
    """The one error that a crawler and a query have for a table."""
    with pytest.raises(Failed) as queried:
        rows(worker, table)
    with pytest.raises(Failed) as crawled:
        worker.ask("crawl", tables=[table])
    assert crawled.value.error["message"] == queried.value.error["message"]
    return queried.value.error


def test_doubled_quotes_and_backslashes(worker: Worker, lake: Lake) -> None:
    types = {"product_id": "int", "product_name": "string", "aisle_id": "int", "department_id": "int"}
    products = lake.csv("products", PRODUCTS, **types)
    assert [row[1] for row in rows(worker, products)] == NAMES
    assert [len(row) for row in rows(worker, products)] == [4, 4, 4, 4]
    assert worker.ask("crawl", tables=[products])["tables"] == [
        {
            "name": "products",
            "format": "csv",
            "columns": columns(product_id="bigint", product_name="string", aisle_id="bigint", department_id="bigint"),
            "partitions": [],
            "rows": 4,
            "bytes": len(PRODUCTS),
            "files": 1,
        }
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("id,name,score\n1,a,2.5\n", [[1, "a", 2.5]]),
        ("id,name,score\n,,\n", [[None, "", None]]),
        ("id,name,score\r\n1,a,2.5\r\n", [[1, "a", 2.5]]),
        ("\ufeffid,name,score\n1,a,2.5\n", [[1, "a", 2.5]]),
        ("id,name,score\n08,a,2.5", [[8, "a", 2.5]]),
        ('id,name,score\n1,"a\nb",2.5\n2,c,3\n', [[1, "a\nb", 2.5], [2, "c", 3.0]]),
        ('"id","name","score"\n"1","","2.5"\n', [[1, "", 2.5]]),
        ("id,name,score\n1, a ,2.5\n", [[1, " a ", 2.5]]),
        ("id,name,score\n1,naïve ½,2.5\n", [[1, "naïve ½", 2.5]]),
        ("id,name,score\n", []),
        ("id,name,score", []),
    ],
)
def test_csv_values(worker: Worker, lake: Lake, content: str, expected: list[Any]) -> None:
    table = lake.csv("t", content, id="int", name="string", score="double")
    assert rows(worker, table) == expected
    assert worker.ask("crawl", tables=[table])["tables"][0]["rows"] == len(expected)


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("id,name,score\n1,a,2\nx,b,3\n", 3, "t.csv:3: column `id` is int, not `x`: `x,b,3`"),
        ("id,name,score\n1,a,2\n15.5,b,3\n", 3, "t.csv:3: column `id` is int, not `15.5`: `15.5,b,3`"),
        ("id,name,score\n1,a,2\n15.0,b,3\n", 3, "t.csv:3: column `id` is int, not `15.0`: `15.0,b,3`"),
        ("id,name,score\n3000000000,b,3\n", 2, "t.csv:2: column `id` is int, not `3000000000`: `3000000000,b,3`"),
        ("id,name,score\n1,a,much\n", 2, "t.csv:2: column `score` is double, not `much`: `1,a,much`"),
        ("id,name,score\n1,a,2\n1,a,2,3\n", 3, "t.csv:3: 4 fields instead of 3: `1,a,2,3`"),
        ("id,name,score\n1,a,2\n1,a\n", 3, "t.csv:3: 2 fields instead of 3: `1,a`"),
        ("id,name,score\n1,b, c,3\n", 2, "t.csv:2: 4 fields instead of 3: `1,b, c,3`"),
        (
            'id,name,score\n1,a,2\n1,"b,3\n2,c,4\n',
            3,
            't.csv:3: a quote is opened and not closed (a quote inside a quoted field is written twice): `1,"b,3`',
        ),
    ],
)
def test_bad_rows_have_a_place(worker: Worker, lake: Lake, content: str, line: int, message: str) -> None:
    error = refused(worker, lake.csv("t", content, id="int", name="string", score="double"))
    assert error["message"] == message
    assert error["line"] == line
    assert error["file"].endswith("/t/t.csv")
    assert error["code"] == content.splitlines()[line - 1]


def test_text_that_is_not_utf8(worker: Worker, lake: Lake) -> None:
    error = refused(worker, lake.csv("t", b"id,name\n1,a\n2,\xff\xfe\n", id="int", name="string"))
    assert error["line"] == 3
    assert "utf-8" in error["message"]


def test_a_header_that_is_not_the_declared_columns(worker: Worker, lake: Lake) -> None:
    table = lake.csv("t", "id,score,name\n1,2,a\n", id="int", name="string", score="double")
    with pytest.raises(Failed) as failed:
        rows(worker, table)
    assert failed.value.error["message"] == (
        "`t.csv` has the header `id,score,name`, but table `t` declares `id,name,score`"
    )
    found = worker.ask("crawl", tables=[table])["tables"][0]
    assert (found["columns"], found["rows"]) == (columns(id="bigint", score="bigint", name="string"), 1)


def test_files_of_one_table_with_different_headers(worker: Worker, lake: Lake) -> None:
    table = lake.csv("t", "id,name\n1,a\n", id="int", name="string")
    Path(table["dir"], "u.csv").write_text("name,id\nb,2\n")
    assert refused(worker, table)["message"].startswith("`u.csv` has the header `name,id`")


def test_empty_file_and_no_file(worker: Worker, lake: Lake) -> None:
    empty = lake.csv("empty", "", id="int", name="string")
    assert refused(worker, empty)["message"] == "`empty.csv` of table `empty` is empty; a header line is expected"
    missing = lake.table("missing", "csv", id="int")
    assert refused(worker, missing)["message"].startswith("table `missing` has no files in ")


def test_without_quotes_a_quote_is_a_character(worker: Worker, lake: Lake) -> None:
    csv = {"delimiter": "\t", "quote": None}
    table = lake.csv("t", 'id\tname\n1\t5" pipe\n2\t"x\n3\t\\N\n', csv=csv, id="int", name="string")
    assert rows(worker, table) == [[1, '5" pipe'], [2, '"x'], [3, None]]


def test_compressed_files_and_hidden_files(worker: Worker, lake: Lake) -> None:
    table = lake.table("t", "csv", id="int", name="string")
    Path(table["dir"], "a.csv.gz").write_bytes(gzip.compress(b"id,name\n1,a\n"))
    Path(table["dir"], "_SUCCESS").touch()
    Path(table["dir"], ".a.csv.crc").write_text("x")
    assert rows(worker, table) == [[1, "a"]]
    assert worker.ask("crawl", tables=[table])["tables"][0]["files"] == 1


def test_partitions_come_from_folders(worker: Worker, lake: Lake) -> None:
    table = lake.table("t", "csv", id="int", name="string") | {"partitions": columns(year="int")}
    for year in (2016, 2017):
        Path(table["dir"], f"year={year}").mkdir()
        Path(table["dir"], f"year={year}", "part.csv").write_text(f"id,name\n{year},x\n")
    assert rows(worker, table) == [[2016, "x", 2016], [2017, "x", 2017]]
    found = worker.ask("crawl", tables=[table])["tables"][0]
    assert (found["partitions"], found["rows"]) == (columns(year="string"), 2)


def test_the_crawler_sees_no_header_over_text_alone(worker: Worker, lake: Lake) -> None:
    table = lake.csv("t", "code,name\na,b\nc,d\n", code="string", name="string")
    assert worker.ask("crawl", tables=[table])["tables"][0]["columns"] == columns(col1="string", col2="string")


def test_one_column_is_no_csv_to_the_crawler(worker: Worker, lake: Lake) -> None:
    table = lake.csv("t", "id\n1\n2\n", id="int")
    found = worker.ask("crawl", tables=[table])["tables"][0]
    assert (found["format"], found["columns"]) == ("unknown", [])


def test_json(worker: Worker, lake: Lake) -> None:
    table = lake.table("t", "json", id="bigint", name="string", ok="boolean")
    Path(table["dir"], "t.json").write_text('{"id": 1, "name": "a", "ok": true}\n{"id": 3000000000, "name": null}\n')
    assert rows(worker, table) == [[1, "a", True], [3000000000, None, None]]
    found = worker.ask("crawl", tables=[table])["tables"][0]
    assert found["columns"] == columns(id="bigint", name="string", ok="boolean")
    Path(table["dir"], "t.json").write_text('{"id": 1}\n{"id": \n')
    with pytest.raises(Failed) as failed:
        worker.ask("crawl", tables=[table])
    assert failed.value.error["line"] == 2


def test_parquet_types_are_checked(worker: Worker, lake: Lake) -> None:
    table = lake.table("t", "parquet", id="int", name="string")
    file = Path(table["dir"], "t.parquet")
    pyarrow.parquet.write_table(pyarrow.table({"id": pyarrow.array([1], "int64"), "name": ["a"]}), file)
    with pytest.raises(Failed) as failed:
        rows(worker, table)
    assert failed.value.error["message"] == (
        "column `id` of table `t` is declared int, but was given bigint; cast it, or declare bigint"
    )
    assert worker.ask("crawl", tables=[table])["tables"][0]["columns"] == columns(id="bigint", name="string")
    file.write_text("nonsense")
    assert refused(worker, table)["type"] == "BadParquet"
