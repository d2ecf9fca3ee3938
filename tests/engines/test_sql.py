"""Athena SQL: what Trino answers, what Athena refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from conftest import Failed, Lake, Worker


@pytest.fixture
def orders(lake: Lake) -> dict[str, Any]:
    return lake.csv(
        "orders",
        "a,b,d,s,t,f,dt\n7,2,10.00,15,2020-01-01 23:00:00,2.5,2020-01-31\n-7,2,3.33,x.5,2020-01-02 01:00:00,3.5,\n",
        a="int",
        b="bigint",
        d="decimal(10,2)",
        s="string",
        t="timestamp",
        f="double",
        dt="date",
    )


@pytest.mark.parametrize(
    ("expression", "kind", "values"),
    [
        ("a / 2", "int", [3, -3]),
        ("a / b", "bigint", [3, -3]),
        ("a / 2.0", "decimal(12,1)", ["3.5", "-3.5"]),
        ("a * 1.0 / 3", "decimal(12,1)", ["2.3", "-2.3"]),
        ("1.0 / 3", "decimal(2,1)", ["0.3", "0.3"]),
        ("d / 3", "decimal(10,2)", ["3.33", "1.11"]),
        ("f / 2", "double", [1.25, 1.75]),
        ("a / 2e0", "double", [3.5, -3.5]),
        ("(a + b) / (b + 1)", "bigint", [3, -1]),
        ("year(t) / 100", "bigint", [20, 20]),
        ("round(d, 1) / 2", "decimal(11,2)", ["5.00", "1.65"]),
        ("try(a / 0)", "int", [None, None]),
        ("f / 0", "double", ["inf", "inf"]),
        ("cast(f as integer)", "int", [3, 4]),
        ("try_cast(s as integer)", "int", [15, None]),
        ("cast(t as varchar)", "string", ["2020-01-01 23:00:00.000", "2020-01-02 01:00:00.000"]),
        ("dt + interval '1' month", "date", ["2020-02-29", None]),
        ("date_add('day', 1, dt)", "date", ["2020-02-01", None]),
        ("date_trunc('month', dt)", "date", ["2020-01-01", None]),
        ("date_diff('day', t, timestamp '2020-01-03 00:00:00')", "bigint", [1, 0]),
        ("regexp_extract(s, '[a-z]')", "string", [None, "x"]),
        ("split_part(s, '.', 2)", "string", [None, "5"]),
        ("concat(s, cast(null as varchar))", "string", [None, None]),
        ("mod(a, 4)", "int", [3, -3]),
        ("sum(a) over ()", "bigint", [0, 0]),
        ("date_format(t, '%Y-%m-%d %H:%i')", "string", ["2020-01-01 23:00", "2020-01-02 01:00"]),
        ("substr(s, 0)", "string", ["", ""]),
        ("substr(s, -9)", "string", ["", ""]),
        ("substr(s, -a)", "string", ["", ""]),
        ("regexp_replace(s, '(.)(.)', '$2$1')", "string", ["51", ".x5"]),
        ("regexp_replace(regexp_replace(s, '(x)', '$1$1'), '5', '\\$')", "string", ["1$", "xx.$"]),
        ("cast(s as varchar(1))", "string", ["1", "x"]),
        ("extract(dow from date '2024-01-07')", "bigint", [7, 7]),
        ("format('%s-%03d%%', s, b)", "string", ["15-002%", "x.5-002%"]),
        ("format('%s', dt)", "string", ["2020-01-31", None]),
        ("array[a, 5][b]", "int", [5, 5]),
        ("array[a, 5][b - 1]", "int", [7, -7]),
        ("map(array[b], array[a])[2]", "int", [7, -7]),
        ("element_at(array[a], 2)", "int", [None, None]),
        ("reduce(array[a, 3], 0, (s, x) -> s + x / 2, s -> s / 3)", "int", [1, 0]),
        ("array_join(slice(array[1, 2, 3], 2, 2), ',')", "string", ["2,3", "2,3"]),
        ("array_max(array[a, null])", "int", [None, None]),
        ("array_position(array[a], 7)", "bigint", [1, 0]),
        ("contains(array[1, null], a)", "boolean", [None, None]),
        ("cardinality(array_distinct(array[a, null, 7]))", "bigint", [2, 3]),
        ("json_extract_scalar('{\"a\": [1]}', '$.a')", "string", [None, None]),
        ("json_extract_scalar('{\"a\": 1}', '$.a')", "string", ["1", "1"]),
    ],
)
def test_row_by_row(worker: Worker, orders: dict[str, Any], expression: str, kind: str, values: list[Any]) -> None:
    answer = worker.ask("select", sql=f"select {expression} as x from orders", tables=[orders], limit=9)
    assert answer["columns"] == [{"name": "x", "type": kind}]
    assert [row[0] for row in answer["rows"]] == values


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("sum(a) / count(*)", 0),
        ("sum(a) * 1.0 / count(*)", "0.0"),
        ("avg(d)", "6.67"),
        ("avg(a)", 0.0),
        ("sum(d) / sum(b)", "3.33"),
        ("count_if(a > 1) / count(*)", 0),
        ("max_by(dt, f)", None),
        ("every(a > 1)", False),
        ("sum(a) filter (where a > 0)", 7),
        ("date_diff('day', min(t), max(t))", 0),
        ("array_join(array_agg(s order by a), ',')", "x.5,15"),
        ("element_at(array_agg(a order by a), -1)", 7),
    ],
)
def test_aggregates(worker: Worker, orders: dict[str, Any], expression: str, value: Any) -> None:
    answer = worker.ask("select", sql=f"select {expression} from orders", tables=[orders], limit=1)
    assert answer["rows"] == [[value]]
    assert answer["columns"][0]["name"] == "_col0"


@pytest.mark.parametrize(
    ("sql", "kind", "message"),
    [
        (
            "select * from read_csv('/etc/passwd')",
            "SqlError",
            "`READ_CSV('/etc/passwd')` is not a table, and Athena reads no such thing",
        ),
        ("select a from ordrs", "SqlError", "no table named `ordrs`; did you mean `orders`?"),
        ("select aa from orders", "SqlError", "line 1, column 8: column `aa` cannot be resolved; did you mean `a`?"),
        ("select o.dd from orders o", "SqlError", "column `dd` cannot be resolved; did you mean `d`?"),
        ("select a\nfrom orders where (a", "SqlSyntaxError", "line 2, column 20: expecting ) near `a`"),
        ("sel 1", "SqlSyntaxError", "line 1, column 5: invalid expression / unexpected token near `1`"),
        ("", "NotAQuery", "there is no SQL; write one SELECT"),
        ("select 1; select 2", "NotAQuery", "these are 2 statements; write one SELECT without `;` inside"),
        (
            "create table x as select 1",
            "NotAQuery",
            "CREATE cannot be run here; write a SELECT, whose rows go to the table it `writes`",
        ),
        (
            "unload (select 1) to 's3://b/p'",
            "NotAQuery",
            "UNLOAD cannot be run here; write a SELECT, whose rows go to the table it `writes`",
        ),
        ("select 1 / 0", "SqlInvalidInput", "Division by zero in expression (1 // 0)"),
        ("select cast(s as integer) from orders", "SqlConversion", "Could not convert string '`x.5`' to INT32"),
        (
            "select * from orders where s = 15",
            "SqlTypeError",
            '`"orders"."s" = 15` compares varchar with integer, which Athena refuses; cast one',
        ),
        (
            "select cast(f as varchar) from orders",
            "SqlTypeError",
            '`CAST("orders"."f" AS VARCHAR)` writes numbers as 1.5E0 in Athena; cast to a decimal first to write 1.5',
        ),
        (
            "select format_datetime(t, 'yyyy') from orders",
            "SqlError",
            "the local engine has no `format_datetime`; use `date_format`",
        ),
        ("select array[a][2] from orders", "SqlConversion", "Could not convert string 'no element 2' to INT32"),
        (
            "select map(array['k'], array[a])['x'] from orders",
            "SqlConversion",
            "Could not convert string 'no element x' to INT32",
        ),
        (
            "select cast(s as char(5)) from orders",
            "SqlTypeError",
            "the local engine has no `char` that is filled up with blanks; cast to varchar",
        ),
        (
            "select split(s, '.', 2) from orders",
            "SqlError",
            "the local engine has no `split(…, …, limit)`; use `split_part`",
        ),
        (
            "select strpos(s, '5', 2) from orders",
            "SqlError",
            "the local engine has no `strpos(…, …, instance)`; use `split`",
        ),
        (
            "select repeat(a, 2) from orders",
            "SqlError",
            "the local engine has no `repeat`; use `transform(sequence(1, n), x -> …)`",
        ),
        (
            "select format('%,d', a) from orders",
            "SqlError",
            "the local engine's `format` knows forms of `%s`, `%d`, `%f` and `%x` only",
        ),
        ("select format('%d %d', a) from orders", "SqlError", "`%d %d` takes 2 values, and gets 1"),
        ("select frobnicate(a) from orders", "SqlCatalog", "the local engine has no function `frobnicate`"),
        (
            "select a as k, count(*) from orders group by k",
            "SqlError",
            "line 1, column 46: column `k` cannot be resolved; there are `a`, `b`, `d`, `dt`, `f`, `s`, `t`",
        ),
        ("select * from other.orders", "SqlError", "`other.orders` is in another database than `lake`"),
    ],
)
def test_refused(worker: Worker, orders: dict[str, Any], sql: str, kind: str, message: str) -> None:
    with pytest.raises(Failed) as failed:
        worker.ask("select", sql=sql, tables=[orders], limit=5, database="lake")
    assert (failed.value.error["type"], failed.value.error["message"]) == (kind, message)


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ('select a from "lake"."orders" order by a', [[-7], [7]]),
        ("with w as (select avg(d) ad from orders) select ad / 3 x from w", [["2.22"]]),
        ("select a from orders union all select b from orders order by 1", [[-7], [2], [2], [7]]),
        ("select x from orders cross join unnest(sequence(1, 2)) as u(x) where a = 7", [[1], [2]]),
        ("select a, row_number() over (order by a) n from orders order by a limit 1", [[-7, 1]]),
        ("select a from orders order by dt", [[7], [-7]]),
        ("select count(*) from orders where a = null", [[0]]),
    ],
)
def test_shapes(worker: Worker, orders: dict[str, Any], sql: str, rows: list[Any]) -> None:
    assert worker.ask("select", sql=sql, tables=[orders], limit=9, database="lake")["rows"] == rows


def test_select_says_that_there_is_more(worker: Worker, orders: dict[str, Any]) -> None:
    answer = worker.ask("select", sql="select a from orders order by a", tables=[orders], limit=1)
    assert (answer["rows"], answer["truncated"]) == ([[-7]], True)
    answer = worker.ask("select", sql="select a from orders order by a limit 1", tables=[orders], limit=1)
    assert answer["truncated"] is False


def test_query_writes_the_declared_table(worker: Worker, lake: Lake, orders: dict[str, Any]) -> None:
    output = lake.table("sums", "parquet", n="bigint", b="double")
    sql = "select count(*) n, b from orders group by b"
    assert worker.ask("query", sql=sql, tables=[orders], output=output) == {"rows": 1}
    [file] = Path(output["dir"]).glob("*.parquet")
    assert pyarrow.parquet.read_table(file).to_pylist() == [{"n": 2, "b": 2.0}]
    assert worker.ask("select", sql="select n from sums", tables=[output], limit=9)["rows"] == [[2]]


def test_a_query_writes_no_more_partitions_than_athena(worker: Worker, lake: Lake) -> None:
    output = lake.table("by_n", "parquet", s="string") | {"partitions": [{"name": "n", "type": "int"}]}
    sql = "select 'x' as s, cast(n as integer) as n from unnest(sequence(1, {most})) as t (n)"
    assert worker.ask("query", sql=sql.format(most=100), tables=[], output=output) == {"rows": 100}
    more = lake.table("by_m", "parquet", s="string") | {"partitions": [{"name": "n", "type": "int"}]}
    with pytest.raises(Failed, match="writes 101 partitions of `by_m` at once, and Athena writes at most 100"):
        worker.ask("query", sql=sql.format(most=101), tables=[], output=more)


def test_query_partitions(worker: Worker, lake: Lake, orders: dict[str, Any]) -> None:
    output = lake.table("by_a", "parquet", s="string") | {"partitions": [{"name": "a", "type": "int"}]}
    assert worker.ask("query", sql="select s, a from orders", tables=[orders], output=output) == {"rows": 2}
    assert sorted(entry.name for entry in Path(output["dir"]).iterdir()) == ["_SUCCESS", "a=-7", "a=7"]
    sql = "select a, s from by_a order by a"
    assert worker.ask("select", sql=sql, tables=[output], limit=9)["rows"] == [[-7, "x.5"], [7, "15"]]


@pytest.mark.parametrize("format", ["csv", "json"])
def test_query_writes_text_formats_that_read_back(
    worker: Worker, lake: Lake, orders: dict[str, Any], format: str
) -> None:
    types = {"a": "int", "d": "decimal(10,2)", "s": "string", "dt": "date", "t": "timestamp"}
    output = lake.table("copy", format, **types)
    sql = "select a, d, s || ',\"\\' as s, dt, t from orders"
    worker.ask("query", sql=sql, tables=[orders], output=output)
    assert worker.ask("select", sql="select * from copy order by a", tables=[output], limit=9)["rows"] == [
        [-7, "3.33", 'x.5,"\\', None, "2020-01-02 01:00:00.000"],
        [7, "10.00", '15,"\\', "2020-01-31", "2020-01-01 23:00:00.000"],
    ]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select a from orders", "table `out` declares column `n`, but was given `a`"),
        ("select a, b as n, f from orders", "column `f` is not declared by table `out`, which has `a`, `n`"),
        (
            "select b as a, b as n from orders",
            "column `a` of table `out` is declared int, but was given bigint; cast it, or declare bigint",
        ),
        (
            "select s as a, b as n from orders",
            "column `a` of table `out` is declared int, but was given string; cast it, or declare string",
        ),
        ("select a, b as n, a from orders", "the result has two columns named `a`; give one an alias"),
    ],
)
def test_query_that_does_not_fit_its_table(
    worker: Worker, lake: Lake, orders: dict[str, Any], sql: str, message: str
) -> None:
    output = lake.table("out", "parquet", a="int", n="bigint")
    with pytest.raises(Failed) as failed:
        worker.ask("query", sql=sql, tables=[orders], output=output)
    assert failed.value.error["message"] == message
    assert list(Path(output["dir"]).iterdir()) == []


def test_limits_of_duckdb(worker: Worker, orders: dict[str, Any]) -> None:
    sql = "select count(distinct x * 9999 + y) from unnest(sequence(1, 3000)) u(x) cross join "
    sql += "unnest(sequence(1, 3000)) v(y)"
    with pytest.raises(Failed) as failed:
        limits = {"memory": "4MB", "threads": 1, "temp_dir": ""}
        worker.ask("select", sql=sql, tables=[orders], limit=1, duckdb=limits)
    assert failed.value.error["type"] == "SqlOutOfMemory"


def _table(folder: Path, name: str, form: str, **more: Any) -> dict[str, Any]:
    columns = [{"name": column, "type": kind} for column, kind in more.pop("columns").items()]
    return {"name": name, "dir": str(folder), "format": form, "columns": columns, **more}


def _change(worker: Worker, folder: Path, mode: list[str] | None, sql: str, run: int) -> list[list[Any]]:
    """Runs a query that writes `log`, puts its result in place, and gives the rows that the table then has."""
    columns = {"id": "int", "word": "string"}
    place, staged = folder / "log", folder / f"run-{run}"
    staged.mkdir()
    old, output = _table(place, "log", "parquet", columns=columns), _table(staged, "log", "parquet", columns=columns)
    written = worker.ask("query", sql=sql, tables=[], mode=mode, old=old, output=output)
    if place.exists():
        place.rename(folder / f"old-{run}")
    staged.rename(place)
    rows = worker.ask("select", sql="select id, word from log order by id, word", tables=[old])["rows"]
    assert written["rows"] == len(rows)
    return rows


def test_a_table_is_appended_to_merged_into_and_replaced(worker: Worker, tmp_path: Path) -> None:
    def change(mode: list[str] | None, sql: str, run: int) -> list[list[Any]]:
        return _change(worker, tmp_path, mode, sql, run)

    assert change(["id"], "select 1 as id, 'a' as word", 1) == [[1, "a"]]
    both = "select * from (values (1, 'b'), (2, 'c')) as t (id, word)"
    assert change(["id"], both, 2) == [[1, "b"], [2, "c"]]
    assert change([], "select 2 as id, 'd' as word", 3) == [[1, "b"], [2, "c"], [2, "d"]]
    with pytest.raises(Failed, match="two rows of the result would take the place of one: id = 7"):
        change(["id"], "select * from (values (7, 'x'), (7, 'y')) as t (id, word)", 4)
    assert change(None, "select 9 as id, 'z' as word", 5) == [[9, "z"]]


def test_views_statements_and_projections(worker: Worker, tmp_path: Path) -> None:
    folder = tmp_path / "log"
    for day in (1, 2, 3):
        (folder / f"day={day}").mkdir(parents=True)
        (folder / f"day={day}" / "a.json").write_text(f'{{"id": {day}}}\n{{"id": \n')
    days, projection = [{"name": "day", "type": "int"}], [{"from": 2, "to": 9}]
    log = _table(
        folder, "log", "json", columns={"id": "int"}, partitions=days, projections=projection, ignore_malformed=True
    )
    big = _table(folder, "big", "view", columns={"id": "bigint"}, sql="select id from log where id is not null")
    statements = {"above": "select id from big where id > ? and id < ? order by id"}

    def ask(sql: str) -> list[list[Any]]:
        return worker.ask("select", sql=sql, tables=[log, big], statements=statements)["rows"]

    assert ask("select id from big order by id") == [[2], [3]]
    assert ask("EXECUTE above USING 2, 9;") == [[3]]
    with pytest.raises(Failed, match="`above` takes 2 values, and here are 1"):
        ask("execute above using 2")
    with pytest.raises(Failed, match="no prepared statement named `below`; there are `above`"):
        ask("execute below")
