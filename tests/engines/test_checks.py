"""Data quality rules: documented examples, their verdicts, and what missing values do to them."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import Lake, Worker

ROWS = "id,name,age,zip\n1,ann,21,10\n2,bob,,10\n3,,35,99\n3,eve,40,\n"


def rule(kind: str, *columns: str, **more: Any) -> dict[str, Any]:
    empty = {"reference": None, "sql": None, "expression": None, "where": None, "threshold": None}
    return {"rule": kind, "columns": list(columns), "text": kind} | empty | more


def is_(test: str, *values: Any, negated: bool = False) -> dict[str, Any]:
    def value(one: Any) -> dict[str, Any]:
        if one is None:
            return {"word": "NULL"}
        return {"text": one} if isinstance(one, str) else {"number": str(one)}

    return {"test": test, "negated": negated, "values": [value(one) for one in values]}


CASES = [
    (rule("RowCount", expression=is_("=", 4)), True),
    (rule("RowCount", expression=is_("between", 4, 10)), False),  # `between` leaves its ends out
    (rule("RowCount", expression=is_("between", 4, 10, negated=True)), True),
    (rule("RowCount", expression=is_("=", 2), where="zip = 10"), True),
    (rule("IsComplete", "id"), True),
    (rule("IsComplete", "age"), False),
    (rule("Completeness", "age", expression=is_(">=", 0.75)), True),
    (rule("IsUnique", "id"), False),
    (rule("IsUnique", "age"), True),  # NULL is no value
    (rule("IsPrimaryKey", "age"), False),
    (rule("IsPrimaryKey", "id", "name"), True),
    (rule("Uniqueness", "id", expression=is_("=", 0.5)), True),
    (rule("DistinctValuesCount", "zip", expression=is_("=", 2)), True),
    (rule("ColumnCount", expression=is_("=", 4)), True),
    (rule("ColumnExists", "zip"), True),
    (rule("ColumnExists", "city"), False),
    (rule("Mean", "age", expression=is_("=", 32)), True),
    (rule("Sum", "age", expression=is_("=", 96)), True),
    (rule("StandardDeviation", "age", expression=is_("between", 8, 8.1)), True),
    (rule("ColumnValues", "age", expression=is_(">", 20)), False),  # a missing value breaks it
    (rule("ColumnValues", "age", expression=is_(">", 20), threshold=is_(">", 0.7)), True),
    (rule("ColumnValues", "age", expression=is_("!=", 22)), True),  # a missing value passes
    (rule("ColumnValues", "age", expression=is_("in", 22, 23, negated=True)), True),
    (rule("ColumnValues", "age", expression=is_("in", 22, None, negated=True)), False),
    (rule("ColumnValues", "zip", expression=is_("in", 10, 99, None)), True),
    (rule("ColumnValues", "name", expression=is_("matches", "^[a-z]*$")), True),
    (rule("ColumnLength", "name", expression=is_("<", 4)), True),
    (rule("ColumnLength", "name", expression=is_("=", 3)), False),
    (rule("ColumnDataType", "name", expression=is_("=", "Integer")), False),
    (rule("CustomSql", sql="select count(*) from primary where age > 30", expression=is_("=", 2)), True),
    (rule("CustomSql", sql="select id from primary where age > 30", threshold=is_(">", 0.4)), True),
    (rule("CustomSql", sql="select id from primary where id > 0"), True),
    (rule("ReferentialIntegrity", "id", reference={"table": "ids", "columns": ["id"]}, expression=is_("=", 1)), False),
    (rule("ReferentialIntegrity", "id", reference={"table": "ids", "columns": ["id"]}, expression=is_("=", 0.5)), True),
]


@pytest.mark.parametrize(("one", "passed"), CASES)
def test_verdicts(worker: Worker, lake: Lake, one: dict[str, Any], passed: bool) -> None:
    table = lake.csv("people", ROWS, id="int", name="string", age="int", zip="int")
    ids = lake.csv("ids", "id,x\n1,a\n2,b\n", id="int", x="string")
    (verdict,) = worker.ask("check", table=table, others=[ids], rules=[one])["verdicts"]
    assert verdict["passed"] is passed, verdict["observed"]


def test_rules_are_connected(worker: Worker, lake: Lake) -> None:
    table = lake.csv("people", ROWS, id="int", name="string", age="int", zip="int")
    parts = [rule("IsComplete", "id"), rule("IsComplete", "age")]
    rules = [{"all": parts, "text": "and"}, {"any": parts, "text": "or"}]
    verdicts = worker.ask("check", table=table, others=[], rules=rules)["verdicts"]
    assert [verdict["passed"] for verdict in verdicts] == [False, True]
