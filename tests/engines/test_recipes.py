"""Whole recipes through the worker; what each step does is in tests/recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import Failed, Lake, Worker

ROWS = "id,name,price\n3,Perth,2.5\n1,,\n2,Oslo,4\n1,,\n"
INPUT = {"id": "int", "name": "string", "price": "double"}

Step = dict[str, str | None]


def step(operation: str, sql: str | None) -> Step:
    return {"operation": operation, "sql": sql}


UPPER = step("UPPER_CASE", "SELECT * REPLACE (upper(name) AS name) FROM rows")


def run(worker: Worker, lake: Lake, *steps: Step, **output: str) -> list[list[Any]]:
    source = lake.csv("source", ROWS, **INPUT)
    target = lake.table("target", "parquet", **output)
    count = worker.ask("recipe", steps=list(steps), input=source, others=[], output=target)["rows"]
    answer = worker.ask("select", sql="select * from target", tables=[target], limit=100)["rows"]
    assert count == len(answer)
    return answer


def test_each_step_sees_the_rows_of_the_one_before(worker: Worker, lake: Lake) -> None:
    filtered = step("REMOVE_MISSING", "SELECT * FROM rows WHERE name > 'N'")
    steps = [UPPER, filtered, step("DELETE", "SELECT name FROM rows")]
    assert run(worker, lake, *steps, name="string") == [["PERTH"], ["OSLO"]]


def test_order_survives_later_steps(worker: Worker, lake: Lake) -> None:
    steps = [step("SORT", "SELECT * FROM rows ORDER BY name DESC, id"), UPPER, step("DELETE", "SELECT id FROM rows")]
    assert run(worker, lake, *steps, id="int") == [[3], [2], [1], [1]]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (
            [UPPER, step("TOKENIZATION", None)],
            "step 2, TOKENIZATION, runs only in the cloud; say what it does as `local: select … from rows`",
        ),
        ([UPPER, step("PIVOT", "SELECT nobody FROM rows")], 'step 2, PIVOT: Referenced column "nobody" not found'),
        ([step("PIVOT", "SELEC 1")], 'step 1, PIVOT: syntax error at or near "SELEC"'),
        ([step("REPLACE_TEXT", "SELECT regexp_replace(name, '(', '') AS name FROM rows")], "missing ): ("),
    ],
)
def test_refused(worker: Worker, lake: Lake, steps: list[Step], message: str) -> None:
    with pytest.raises(Failed) as failed:
        run(worker, lake, *steps, name="string")
    assert failed.value.error["message"].startswith(message)
    assert failed.value.error["type"] == "RecipeError"


def test_result_that_does_not_fit_the_table(worker: Worker, lake: Lake) -> None:
    with pytest.raises(Failed) as failed:
        run(worker, lake, step("CHANGE_DATA_TYPE", "SELECT * REPLACE (id::DOUBLE AS id) FROM rows"), **INPUT)
    assert failed.value.error["message"] == (
        "column `id` of table `target` is declared int, but was given double; cast it, or declare double"
    )
    assert list(Path(lake.folder, "target").iterdir()) == []
