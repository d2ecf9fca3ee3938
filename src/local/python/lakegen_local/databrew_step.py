"""One step of a DataBrew recipe: its parameters, its conditions, and the columns it works on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from lakegen_local.errors import StepError
from lakegen_local.sources import name, text

NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE")


def is_number(kind: str) -> bool:
    return kind in NUMBERS or kind.startswith("DECIMAL")


@dataclass
class Step:
    """`rows` is the query before this step, `columns` its columns and DuckDB types."""

    rows: str
    columns: dict[str, str]
    number: int
    operation: str
    parameters: dict[str, str]
    conditions: list[dict[str, Any]]
    _used: set[str] = field(default_factory=set)
    _conditions_used: bool = False

    def error(self, problem: str) -> StepError:
        return StepError("RecipeError", f"step {self.number}, {self.operation}: {problem}")

    def optional(self, parameter: str, default: str | None = None) -> str | None:
        self._used.add(parameter)
        return self.parameters.get(parameter, default)

    def parameter(self, parameter: str, choices: tuple[str, ...] = ()) -> str:
        """A parameter that must be given; one of `choices` if there are any."""
        value = self.optional(parameter)
        if value is None:
            raise self.error(f"the parameter `{parameter}` is missing")
        if choices and value not in choices:
            raise self.error(f"`{parameter}` is `{value}`, but must be one of {', '.join(choices)}")
        return value

    def flag(self, parameter: str) -> bool:
        value = self.optional(parameter, "false")
        if value not in ("true", "false"):
            raise self.error(f"`{parameter}` is `{value}`, but must be true or false")
        return value == "true"

    def json(self, parameter: str) -> Any:
        """A parameter that is JSON inside a string."""
        written = self.parameter(parameter)
        try:
            return json.loads(written)
        except ValueError as error:
            raise self.error(f"`{parameter}` is not JSON: {error}") from error

    def column(self, parameter: str = "sourceColumn") -> str:
        """The existing column that a parameter names, quoted."""
        return name(self.known(self.parameter(parameter)))

    def column_list(self, parameter: str = "sourceColumns") -> list[str]:
        """The existing columns that a JSON list names, not quoted."""
        listed = self.json(parameter)
        if not isinstance(listed, list) or not listed:
            raise self.error(f"`{parameter}` is not a list of columns")
        return [self.known(str(column)) for column in listed]

    def known(self, column: str) -> str:
        if column not in self.columns:
            there = ", ".join(f"`{other}`" for other in self.columns)
            raise self.error(f"there is no column `{column}`; there are {there}")
        return column

    def new(self, parameter: str = "targetColumn") -> str:
        """The name of a column to be made, quoted; it must not exist yet."""
        target = self.parameter(parameter)
        if target in self.columns:
            raise self.error(f"the column `{target}` exists already")
        return name(target)

    def kind(self, parameter: str = "sourceColumn") -> str:
        return self.columns[self.known(self.parameter(parameter))]

    def numeric(self, parameter: str = "sourceColumn") -> str:
        """The quoted column that a parameter names, which must hold numbers."""
        column = self.column(parameter)
        if not is_number(self.kind(parameter)):
            raise self.error(f"column {column} is {self.kind(parameter)}; change its type to a number first")
        return column

    def missing(self, column: str) -> str:
        """Whether a column has no value: NULL, or empty text."""
        quoted = name(column)
        return f"({quoted} IS NULL OR {quoted} = '')" if self.columns[column] == "VARCHAR" else f"{quoted} IS NULL"

    def replace(self, column: str, value: str) -> str:
        """All rows, with another value in one column of those that meet the conditions."""
        if condition := self.condition():
            value = f"CASE WHEN {condition} THEN {value} ELSE {column} END"
        return f"SELECT * REPLACE ({value} AS {column}) FROM ({self.rows})"

    def add(self, target: str, value: str) -> str:
        """All rows, with one more column: NULL in those that do not meet the conditions."""
        if condition := self.condition():
            value = f"CASE WHEN {condition} THEN {value} END"
        return f"SELECT *, {value} AS {target} FROM ({self.rows})"

    def keep(self, condition: str) -> str:
        """The rows that meet a condition."""
        return f"SELECT * FROM ({self.rows}) WHERE {condition}"

    def condition(self) -> str | None:
        """The step's conditions as SQL that is true or false, never NULL; None if there are none."""
        self._conditions_used = True
        if not self.conditions:
            return None
        return " AND ".join(f"coalesce({self._one(condition)}, false)" for condition in self.conditions)

    def _one(self, condition: dict[str, Any]) -> str:
        column = self.known(condition["column"])
        kind, value, quoted = self.columns[column], condition.get("value"), name(column)
        operator = condition["condition"]
        if operator == "IS_MISSING":
            return self.missing(column)
        if operator == "IS_INVALID":
            raise self.error("the condition IS_INVALID has no meaning here: every value fits its column's type")
        if value is None:
            raise self.error(f"the condition {operator} needs a value")
        values = _as_list(value)
        if operator in ("IS", "IS_NOT"):
            inside = f"{quoted} IN ({', '.join(self._literal(item, kind) for item in values)})"
            return inside if operator == "IS" else f"NOT coalesce({inside}, false)"
        if operator == "IS_BETWEEN":
            if len(values) != 2:
                raise self.error("the condition IS_BETWEEN needs a list of two values")
            return f"{quoted} BETWEEN {self._literal(values[0], kind)} AND {self._literal(values[1], kind)}"
        if operator in COMPARISONS:
            return f"{quoted} {COMPARISONS[operator]} {self._literal(values[0], kind)}"
        negated = operator.startswith("NOT_")
        if (function := TEXT_TESTS.get(operator.removeprefix("NOT_"))) is None:
            known = ", ".join(["IS", "IS_NOT", "IS_BETWEEN", "IS_MISSING", *COMPARISONS, *TEXT_TESTS])
            raise self.error(f"unknown condition `{operator}`; known are {known}, and NOT_ before the last three")
        tests = " OR ".join(f"{function}({quoted}::VARCHAR, {text(item)})" for item in values)
        return f"NOT coalesce({tests}, false)" if negated else f"({tests})"

    def _literal(self, value: str, kind: str) -> str:
        if is_number(kind):
            try:
                float(value)
            except ValueError as error:
                raise self.error(f"`{value}` is not a number, but is compared with a {kind} column") from error
            return value
        return f"{text(value)}::{kind}"

    def check_all_used(self) -> None:
        """Parameters and conditions that nothing looked at are mistakes, not decoration."""
        if unknown := sorted(set(self.parameters) - self._used):
            raise self.error(f"unknown parameter `{unknown[0]}`; known are {', '.join(sorted(self._used))}")
        if self.conditions and not self._conditions_used:
            raise self.error("conditions have no meaning for this operation")


COMPARISONS = {"LESS_THAN": "<", "LESS_THAN_EQUAL": "<=", "GREATER_THAN": ">", "GREATER_THAN_EQUAL": ">="}
TEXT_TESTS = {"CONTAINS": "contains", "STARTS_WITH": "starts_with", "ENDS_WITH": "ends_with"}


def _as_list(value: str) -> list[str]:
    """A condition's value is one text, or a JSON list of several."""
    if value.startswith("["):
        try:
            return [item if isinstance(item, str) else json.dumps(item) for item in json.loads(value)]
        except ValueError:
            return [value]
    return [value]
