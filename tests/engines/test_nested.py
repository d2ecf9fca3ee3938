"""Columns that are made of others: lists, maps and rows in rows, in files, in SQL and in Spark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Failed, Lake, Worker

ROWS = [
    {
        "id": 1,
        "who": {"name": "Ann", "home": {"city": "Rome"}},
        "lines": [{"sku": "a", "n": 2}, {"sku": "b", "n": 1}],
        "notes": {"k": 1, "z": 2},
        "tags": ["new", "gift"],
    },
    {"id": 2, "who": {"name": "Bo", "home": None}, "lines": [], "notes": {}, "tags": None},
]


@pytest.fixture
def orders(lake: Lake) -> dict[str, Any]:
    table = lake.table(
        "orders",
        "json",
        id="int",
        who="struct<name:string,home:struct<city:string>>",
        lines="array<struct<sku:string,n:int>>",
        notes="map<string,int>",
        tags="array<string>",
    )
    Path(table["dir"], "orders.json").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return table


@pytest.mark.parametrize("format", ["json", "parquet"])
def test_what_is_written_is_read_again(worker: Worker, lake: Lake, orders: dict[str, Any], format: str) -> None:
    copy = orders | lake.table("copy", format) | {"columns": orders["columns"]}
    assert worker.ask("query", sql="select * from orders", tables=[orders], output=copy) == {"rows": 2}
    found = worker.ask("select", sql="select * from copy order by id", tables=[copy], limit=9)
    assert found["columns"] == orders["columns"]
    assert (
        found["rows"] == worker.ask("select", sql="select * from orders order by id", tables=[orders], limit=9)["rows"]
    )


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("select o.who.home.city, who.name from orders o order by id", [["Rome", "Ann"], [None, "Bo"]]),
        ("select tags[1], o.tags[2], cardinality(lines) from orders o where id = 1", [["new", "gift", 2]]),
        ("select element_at(notes, 'k'), notes['z'], element_at(notes, 'q') from orders where id = 1", [[1, 2, None]]),
        ("select l.sku, n from orders o cross join unnest(o.lines) as l(sku, n) order by 1", [["a", 2], ["b", 1]]),
        (
            "select sku, i from orders cross join unnest(lines) with ordinality as l(sku, n, i) order by i",
            [["a", 1], ["b", 2]],
        ),
        ("select k, v from orders cross join unnest(notes) as m(k, v) order by k", [["k", 1], ["z", 2]]),
        (
            "select sku, t from orders cross join unnest(lines, tags) as l(sku, n, t) order by 1",
            [["a", "new"], ["b", "gift"]],
        ),
        (
            "select id, sku from orders left join unnest(lines) as l(sku, n) on true order by 1, 2",
            [[1, "a"], [1, "b"], [2, None]],
        ),
        ("select t from orders cross join unnest(tags) as u(t) order by t", [["gift"], ["new"]]),
        ("select reduce(transform(lines, l -> l.n), 1, (s, n) -> s + n, s -> s * 10) from orders", [[40], [10]]),
    ],
)
def test_sql_reaches_inside(worker: Worker, orders: dict[str, Any], sql: str, rows: list[Any]) -> None:
    assert worker.ask("select", sql=sql, tables=[orders], limit=9)["rows"] == rows


def test_values_are_held_to_the_declared_types(worker: Worker, lake: Lake, orders: dict[str, Any]) -> None:
    Path(orders["dir"], "more.json").write_text('{"id": 3, "tags": "new"}\n')
    with pytest.raises(Failed, match="Expected ARRAY"):
        worker.ask("select", sql="select tags from orders", tables=[orders], limit=9)
    output = lake.table("out", "parquet", tags="array<string>")
    with pytest.raises(Failed, match="declared array<string>, but was given array<int>"):
        worker.ask("query", sql="select array[1] as tags", tables=[], output=output)


def test_the_crawler_puts_together_what_lines_show(worker: Worker, orders: dict[str, Any]) -> None:
    answer = worker.ask("crawl", tables=[orders])
    [found] = answer["tables"]
    types = {column["name"]: column["type"] for column in found["columns"]}
    assert types == {
        "id": "int",
        "who": "struct<name:string,home:struct<city:string>>",
        "lines": "array<struct<sku:string,n:int>>",
        "notes": "struct<k:int,z:int>",
        "tags": "array<string>",
    }
