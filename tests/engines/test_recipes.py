"""DataBrew operations: one table of what each does to a few rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Failed, Lake, Worker

ROWS = (
    "id,name,city,price,grade\n3, the QUICK fox,Perth,2.5,b\n1,O'Neil 7.,,,a\n2,The  end!,Oslo,4,b\n1,O'Neil 7.,,,a\n"
)
INPUT = {"id": "int", "name": "string", "city": "string", "price": "double", "grade": "string"}
N1, N2, N3 = " the QUICK fox", "O'Neil 7.", "The  end!"


def step(operation: str, *conditions: tuple[str, str, str | None], **parameters: Any) -> dict[str, Any]:
    written = {key: value if isinstance(value, str) else json.dumps(value) for key, value in parameters.items()}
    listed = [{"condition": name, "column": column, "value": value} for name, column, value in conditions]
    return {"operation": operation, "parameters": written, "conditions": listed}


def run(worker: Worker, lake: Lake, *steps: dict[str, Any], **output: str) -> list[list[Any]]:
    source = lake.csv("source", ROWS, **INPUT)
    target = lake.table("target", "parquet", **output)
    count = worker.ask("recipe", steps=list(steps), input=source, output=target)["rows"]
    answer = worker.ask("select", sql="select * from target", tables=[target], limit=100)["rows"]
    assert count == len(answer)
    return answer


def column(worker: Worker, lake: Lake, name: str, kind: str, *steps: dict[str, Any]) -> list[Any]:
    """The values of one column after the steps."""
    others = {other: INPUT[other] for other in INPUT if other != name}
    deletes = [step("DELETE", sourceColumn=other) for other in others]
    return [row[0] for row in run(worker, lake, *steps, *deletes, **{name: kind})]


UPPER = [" THE QUICK FOX", "O'NEIL 7.", "THE  END!", "O'NEIL 7."]

IN_PLACE = [
    ("name", "string", step("UPPER_CASE", sourceColumn="name"), UPPER),
    ("name", "string", step("LOWER_CASE", sourceColumn="name"), [text.lower() for text in UPPER]),
    (
        "name",
        "string",
        step("CAPITAL_CASE", sourceColumn="name"),
        [" The Quick Fox", "O'neil 7.", "The  End!", "O'neil 7."],
    ),
    (
        "name",
        "string",
        step("SENTENCE_CASE", sourceColumn="name"),
        [" the quick fox", "O'neil 7.", "The  end!", "O'neil 7."],
    ),
    (
        "name",
        "string",
        step("REMOVE_COMBINED", sourceColumn="name", removeLeadingAndTrailingWhitespace="true"),
        ["the QUICK fox", N2, N3, N2],
    ),
    (
        "name",
        "string",
        step("REMOVE_COMBINED", sourceColumn="name", collapseConsecutiveWhitespace="true"),
        [N1, N2, "The end!", N2],
    ),
    (
        "name",
        "string",
        step("REMOVE_COMBINED", sourceColumn="name", removeAllPunctuation="true"),
        [N1, "O'Neil 7", "The  end", "O'Neil 7"],
    ),
    (
        "name",
        "string",
        step("REMOVE_COMBINED", sourceColumn="name", removeAllQuotes="true"),
        [N1, "ONeil 7.", N3, "ONeil 7."],
    ),
    (
        "name",
        "string",
        step("REMOVE_COMBINED", sourceColumn="name", removeLetters="true", removeAllWhitespace="true"),
        ["", "'7.", "!", "'7."],
    ),
    (
        "name",
        "string",
        step("REMOVE_COMBINED", sourceColumn="name", removeNumbers="true"),
        [N1, "O'Neil .", N3, "O'Neil ."],
    ),
    (
        "name",
        "string",
        step("REMOVE_COMBINED", sourceColumn="name", removeSpecialCharacters="true"),
        [N1, "ONeil 7", "The  end", "ONeil 7"],
    ),
    (
        "name",
        "string",
        step("REMOVE_COMBINED", sourceColumn="name", removeCustomCharacters="true", customCharacters="e."),
        [" th QUICK fox", "O'Nil 7", "Th  nd!", "O'Nil 7"],
    ),
    (
        "name",
        "string",
        step("REMOVE_COMBINED", sourceColumn="name", removeCustomValue="true", customValue="end"),
        [N1, N2, "The  !", N2],
    ),
    (
        "name",
        "string",
        step("REPLACE_TEXT", sourceColumn="name", pattern="[0-9]", value="\\1"),
        [N1, "O'Neil \\1.", N3, "O'Neil \\1."],
    ),
    (
        "name",
        "string",
        step("REPLACE_TEXT", ("IS", "grade", "b"), sourceColumn="name", pattern="e", value=""),
        [" th QUICK fox", N2, "Th  nd!", N2],
    ),
    (
        "city",
        "string",
        step("FILL_WITH_CUSTOM", sourceColumn="city", columnDataType="string", value="?"),
        ["Perth", "?", "Oslo", "?"],
    ),
    (
        "price",
        "double",
        step("FILL_WITH_CUSTOM", sourceColumn="price", columnDataType="number", value="9"),
        [2.5, 9, 4, 9],
    ),
    ("price", "double", step("FILL_WITH_AVERAGE", sourceColumn="price"), [2.5, 3.25, 4, 3.25]),
    ("price", "double", step("FILL_WITH_MEDIAN", sourceColumn="price"), [2.5, 3.25, 4, 3.25]),
    ("price", "double", step("FILL_WITH_MODE", sourceColumn="price", modeType="MINIMUM"), [2.5, 2.5, 4, 2.5]),
    ("price", "double", step("FILL_WITH_MODE", sourceColumn="price", modeType="MAXIMUM"), [2.5, 4, 4, 4]),
    ("price", "double", step("FILL_WITH_MODE", sourceColumn="price", modeType="AVERAGE"), [2.5, 3.25, 4, 3.25]),
    ("price", "double", step("FILL_WITH_MODE", sourceColumn="price", modeType="NONE"), [2.5, None, 4, None]),
    (
        "city",
        "string",
        step("FILL_WITH_MODE", sourceColumn="city", modeType="MAXIMUM"),
        ["Perth", "Perth", "Oslo", "Perth"],
    ),
    ("price", "int", step("CHANGE_DATA_TYPE", sourceColumn="price", columnDataType="int"), [2, None, 4, None]),
    ("name", "double", step("CHANGE_DATA_TYPE", sourceColumn="name", columnDataType="double"), [None] * 4),
    ("id", "string", step("CHANGE_DATA_TYPE", sourceColumn="id", columnDataType="string"), ["3", "1", "2", "1"]),
    ("id", "boolean", step("CHANGE_DATA_TYPE", sourceColumn="id", columnDataType="boolean"), [True] * 4),
    ("id", "int", step("REMOVE_MISSING", sourceColumn="price"), [3, 2]),
    ("id", "int", step("REMOVE_MISSING", sourceColumn="city"), [3, 2]),
    ("id", "int", step("REMOVE_VALUES", ("GREATER_THAN", "id", "1"), sourceColumn="id"), [1, 1]),
    ("id", "int", step("REMOVE_VALUES", ("IS", "id", '["3", "2"]'), sourceColumn="id"), [1, 1]),
    ("id", "int", step("REMOVE_VALUES", ("IS_NOT", "id", '["3"]'), sourceColumn="id"), [3]),
    ("id", "int", step("REMOVE_VALUES", ("IS_BETWEEN", "price", '["2", "3"]'), sourceColumn="id"), [1, 2, 1]),
    ("id", "int", step("REMOVE_VALUES", ("IS_MISSING", "price", None), sourceColumn="id"), [3, 2]),
    (
        "id",
        "int",
        step("REMOVE_VALUES", ("CONTAINS", "name", "e"), ("STARTS_WITH", "city", "P"), sourceColumn="id"),
        [1, 2, 1],
    ),
    ("id", "int", step("REMOVE_VALUES", ("NOT_ENDS_WITH", "name", "."), sourceColumn="id"), [1, 1]),
    ("id", "int", step("REMOVE_VALUES", ("LESS_THAN_EQUAL", "price", "2.5"), sourceColumn="id"), [1, 2, 1]),
    ("id", "int", step("REMOVE_DUPLICATES", sourceColumn="grade"), [3, 1]),
    ("id", "int", step("DELETE_DUPLICATE_ROWS"), [3, 1, 2]),
    ("id", "int", step("SORT", expressions=[{"sourceColumn": "id", "ordering": "DESCENDING"}]), [3, 2, 1, 1]),
    (
        "price",
        "double",
        step("SORT", expressions=[{"sourceColumn": "price", "ordering": "ASCENDING", "nullsOrdering": "NULLS_TOP"}]),
        [None, None, 2.5, 4],
    ),
    (
        "price",
        "double",
        step(
            "SORT", expressions=[{"sourceColumn": "price", "ordering": "DESCENDING", "nullsOrdering": "NULLS_BOTTOM"}]
        ),
        [4, 2.5, None, None],
    ),
    (
        "city",
        "string",
        step("SORT", expressions=[{"sourceColumn": "city", "ordering": "ASCENDING", "customOrder": ["PERTH", "oslo"]}]),
        ["Perth", "Oslo", "", ""],
    ),
]


@pytest.mark.parametrize(("name", "kind", "operation", "expected"), IN_PLACE)
def test_what_happens_to_a_column(
    worker: Worker, lake: Lake, name: str, kind: str, operation: dict[str, Any], expected: list[Any]
) -> None:
    assert column(worker, lake, name, kind, operation) == expected


NEW_COLUMN = [
    ("string", step("DUPLICATE", sourceColumn="grade", targetColumn="new"), ["b", "a", "b", "a"]),
    (
        "string",
        step("MERGE", sourceColumns=["city", "id"], delimiter="-", targetColumn="new"),
        ["Perth-3", "1", "Oslo-2", "1"],
    ),
    ("double", step("ROUND", sourceColumn="price", targetColumn="new"), [3, None, 4, None]),
    ("double", step("ADD", sourceColumn1="id", sourceColumn2="price", targetColumn="new"), [5.5, None, 6, None]),
    ("int", step("SUBTRACT", sourceColumn1="id", value2="1", targetColumn="new"), [2, 0, 1, 0]),
    ("int", step("MULTIPLY", value1="2", sourceColumn2="id", targetColumn="new"), [6, 2, 4, 2]),
    ("double", step("DIVIDE", sourceColumn1="id", value2="2", targetColumn="new"), [1.5, 0.5, 1, 0.5]),
    ("double", step("DIVIDE", sourceColumn1="id", value2="0", targetColumn="new"), [None] * 4),
    (
        "double",
        step("DIVIDE", ("GREATER_THAN", "id", "1"), sourceColumn1="id", value2="2", targetColumn="new"),
        [1.5, None, 1, None],
    ),
]


@pytest.mark.parametrize(("kind", "operation", "expected"), NEW_COLUMN)
def test_new_columns(worker: Worker, lake: Lake, kind: str, operation: dict[str, Any], expected: list[Any]) -> None:
    assert [row[-1] for row in run(worker, lake, operation, **INPUT, new=kind)] == expected


def test_rename_and_delete(worker: Worker, lake: Lake) -> None:
    steps = [step("RENAME", sourceColumn="id", targetColumn="key"), step("DELETE", sourceColumn="name")]
    output = {"key": "int", "city": "string", "price": "double", "grade": "string"}
    assert run(worker, lake, *steps, **output)[0] == [3, "Perth", 2.5, "b"]


def test_group_by(worker: Worker, lake: Lake) -> None:
    functions = [
        {"sourceColumnName": "id", "targetColumnName": "n", "targetColumnDataType": "number", "functionName": "COUNT"},
        {
            "sourceColumnName": "price",
            "targetColumnName": "sum",
            "targetColumnDataType": "double",
            "functionName": "SUM",
        },
        {
            "sourceColumnName": "id",
            "targetColumnName": "least",
            "targetColumnDataType": "int",
            "functionName": "MINIMUM",
        },
    ]
    grouped = step("GROUP_BY", sourceColumns=["grade"], groupByAggFunctionOptions=functions, useNewDataFrame="true")
    assert run(worker, lake, grouped, grade="string", n="bigint", sum="double", least="int") == [
        ["a", 2, None, 1],
        ["b", 2, 6.5, 2],
    ]


def test_order_survives_later_steps(worker: Worker, lake: Lake) -> None:
    steps = [
        step("SORT", expressions=[{"sourceColumn": "name", "ordering": "DESCENDING"}]),
        step("REMOVE_DUPLICATES", sourceColumn="id"),
        step("UPPER_CASE", sourceColumn="grade"),
    ]
    assert column(worker, lake, "id", "int", *steps) == [2, 1, 3]


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (step("FLY"), "step 1, FLY: this operation cannot run locally; those that can are ADD, CAPITAL_CASE"),
        (
            step("RENAME", sourceColumn="i", targetColumn="k"),
            "step 1, RENAME: there is no column `i`; there are `id`, ",
        ),
        (step("RENAME", sourceColumn="id", targetColumn="name"), "step 1, RENAME: the column `name` exists already"),
        (step("RENAME", sourceColumn="id"), "step 1, RENAME: the parameter `targetColumn` is missing"),
        (
            step("RENAME", sourceColumn="id", targetColumn="k", extra="x"),
            "step 1, RENAME: unknown parameter `extra`; known are sourceColumn, targetColumn",
        ),
        (
            step("DELETE", ("IS", "id", "1"), sourceColumn="id"),
            "step 1, DELETE: conditions have no meaning for this operation",
        ),
        (
            step("UPPER_CASE", sourceColumn="id"),
            'step 1, UPPER_CASE: column "id" is INTEGER, not text; change its type to string first',
        ),
        (step("SORT", expressions="[{"), "step 1, SORT: `expressions` is not JSON: "),
        (
            step("ADD", sourceColumn1="name", value2="1", targetColumn="x"),
            'step 1, ADD: column "name" is VARCHAR; change its type to a number first',
        ),
        (
            step("ADD", sourceColumn1="id", value2="one", targetColumn="x"),
            "step 1, ADD: `value2` is `one`, which is not a number",
        ),
        (
            step("REMOVE_VALUES", ("NEAR", "id", "1"), sourceColumn="id"),
            "step 1, REMOVE_VALUES: unknown condition `NEAR`; known are IS, IS_NOT",
        ),
        (
            step("REMOVE_VALUES", ("IS", "id", "x"), sourceColumn="id"),
            "step 1, REMOVE_VALUES: `x` is not a number, but is compared with a INTEGER column",
        ),
        (step("REPLACE_TEXT", sourceColumn="name", pattern="(", value=""), "missing ): ("),
    ],
)
def test_refused(worker: Worker, lake: Lake, operation: dict[str, Any], message: str) -> None:
    with pytest.raises(Failed) as failed:
        run(worker, lake, operation, **INPUT)
    assert failed.value.error["message"].startswith(message)
    assert failed.value.error["type"] == "RecipeError"


def test_result_that_does_not_fit_the_table(worker: Worker, lake: Lake) -> None:
    with pytest.raises(Failed) as failed:
        run(worker, lake, step("FILL_WITH_AVERAGE", sourceColumn="id"), **INPUT)
    assert failed.value.error["message"] == (
        "column `id` of table `target` is declared int, but was given double; cast it, or declare double"
    )
    assert list(Path(lake.folder, "target").iterdir()) == []
