"""The DataBrew operations that run locally: name to a function from the step to the query after it."""

from __future__ import annotations

import re
from collections.abc import Callable

from lakegen_local.databrew_step import Step, is_number
from lakegen_local.sources import name, text

DATA_TYPES = {
    "byte": "TINYINT",
    "short": "SMALLINT",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "number": "DOUBLE",
    "string": "VARCHAR",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP",
    "date": "DATE",
}
"""DataBrew's data types, and `decimal(p,s)` besides."""

GROUP_FUNCTIONS = {
    "COUNT": "count({})",
    "COUNT_DISTINCT": "count(DISTINCT {})",
    "SUM": "sum({})",
    "AVERAGE": "avg({})",
    "MEAN": "avg({})",
    "MEDIAN": "median({})",
    "MODE": "mode({})",
    "MINIMUM": "min({})",
    "MIN": "min({})",
    "MAXIMUM": "max({})",
    "MAX": "max({})",
    "STANDARD_DEVIATION": "stddev_samp({})",
    "STDDEV": "stddev_samp({})",
    "VARIANCE": "var_samp({})",
    "FIRST": "first({})",
    "LAST": "last({})",
    "ANY": "any_value({})",
}


def data_type(step: Step, written: str) -> str:
    if written in DATA_TYPES:
        return DATA_TYPES[written]
    if re.fullmatch(r"decimal\(\d+, ?\d+\)", written):
        return written.upper()
    raise step.error(f"`{written}` is not a data type; there are {', '.join(DATA_TYPES)}, decimal(p,s)")


def rename(step: Step) -> str:
    return f"SELECT * RENAME ({step.column()} AS {step.new()}) FROM ({step.rows})"


def delete(step: Step) -> str:
    if len(step.columns) == 1:
        raise step.error("this is the last column")
    return f"SELECT * EXCLUDE ({step.column()}) FROM ({step.rows})"


def duplicate(step: Step) -> str:
    return step.add(step.new(), step.column())


def change_data_type(step: Step) -> str:
    """A value that cannot be converted becomes NULL; `yes` and `no` are booleans too."""
    column, kind = step.column(), data_type(step, step.parameter("columnDataType"))
    origin = step.kind()
    value = f"TRY_CAST({column} AS {kind})"
    if origin == "VARCHAR":
        trimmed = f"trim({column})"
        if kind == "BOOLEAN":
            value = (
                f"CASE lower({trimmed}) WHEN 'true' THEN true WHEN 'yes' THEN true"
                f" WHEN 'false' THEN false WHEN 'no' THEN false END"
            )
        elif kind in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT"):
            value = f"TRY_CAST(trunc(TRY_CAST({trimmed} AS DECIMAL(38, 9))) AS {kind})"
        elif kind != "VARCHAR":
            value = f"TRY_CAST({trimmed} AS {kind})"
    elif origin in ("FLOAT", "DOUBLE") and kind in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT"):
        value = f"TRY_CAST(trunc({column}) AS {kind})"
    return f"SELECT * REPLACE ({value} AS {column}) FROM ({step.rows})"


def in_place(expression: str) -> Callable[[Step], str]:
    """An operation on the text of one column; `{}` stands for it."""

    def operation(step: Step) -> str:
        column = text_column(step)
        return step.replace(column, expression.format(column))

    return operation


def text_column(step: Step) -> str:
    column = step.column()
    if step.kind() != "VARCHAR":
        raise step.error(f"column {column} is {step.kind()}, not text; change its type to string first")
    return column


CAPITAL = "array_to_string(list_transform(string_split({0}, ' '), lambda w: upper(w[1]) || lower(w[2:])), ' ')"
SENTENCE = "upper({0}[1]) || lower({0}[2:])"


def remove_combined(step: Step) -> str:
    """What to remove is said by switches; they work in the order of the documentation's list."""
    column = value = text_column(step)

    def regex(flag: str, pattern: str, replacement: str = "") -> None:
        nonlocal value
        if step.flag(flag):
            value = f"regexp_replace({value}, {text(pattern)}, {text(replacement)}, 'g')"

    regex("collapseConsecutiveWhitespace", r"\s{2,}", " ")
    regex("removeAllPunctuation", "[.!,?]")
    regex("removeAllQuotes", "['\"]")
    regex("removeAllWhitespace", r"\s")
    custom, custom_value = step.optional("customCharacters"), step.optional("customValue")
    if step.flag("removeCustomCharacters"):
        if not custom:
            raise step.error("`removeCustomCharacters` needs `customCharacters`")
        value = f"regexp_replace({value}, {text('[' + re.escape(custom) + ']')}, '', 'g')"
    if step.flag("removeCustomValue"):
        if not custom_value:
            raise step.error("`removeCustomValue` needs `customValue`")
        value = f"replace({value}, {text(custom_value)}, '')"
    regex("removeLeadingAndTrailingPunctuation", "^[.!,?]+|[.!,?]+$")
    regex("removeLeadingAndTrailingQuotes", "^['\"]+|['\"]+$")
    regex("removeLeadingAndTrailingWhitespace", r"^\s+|\s+$")
    regex("removeLetters", "[A-Za-z]")
    regex("removeNumbers", "[0-9]")
    regex("removeSpecialCharacters", r"[!-/:-@\[-`{-~]")
    return step.replace(column, value)


def replace_text(step: Step) -> str:
    """The pattern is a regular expression; the replacement is taken literally."""
    column, pattern = text_column(step), step.parameter("pattern")
    literal = step.parameter("value").replace("\\", "\\\\")
    return step.replace(column, f"regexp_replace({column}, {text(pattern)}, {text(literal)}, 'g')")


def fill(step: Step, value: str) -> str:
    column = step.parameter("sourceColumn")
    quoted, kind = name(column), step.columns[column]
    filled = f"CASE WHEN {step.missing(column)} THEN {value} ELSE {quoted} END"
    if is_number(kind) and kind not in ("FLOAT", "DOUBLE"):
        filled = f"CASE WHEN {step.missing(column)} THEN {value} ELSE {quoted}::DOUBLE END"
    return step.replace(quoted, filled)


def fill_with_custom(step: Step) -> str:
    column = step.column()
    allowed = ("date", "number", "boolean", "unsupported", "string", "timestamp")
    step.parameter("columnDataType", allowed)
    value, kind = step.parameter("value"), step.kind()
    filled = f"CASE WHEN {step.missing(step.parameter('sourceColumn'))} THEN {text(value)}::{kind} ELSE {column} END"
    return step.replace(column, filled)


def fill_with_average(step: Step) -> str:
    return fill(step, f"avg({step.numeric()}) OVER ()")


def fill_with_median(step: Step) -> str:
    return fill(step, f"median({step.numeric()}) OVER ()")


def fill_with_mode(step: Step) -> str:
    """The most frequent value; of several, `modeType` says which: NONE leaves the column as it is."""
    column, written = step.column(), step.parameter("sourceColumn")
    choice = step.parameter("modeType", ("MINIMUM", "MAXIMUM", "AVERAGE", "NONE"))
    counts = (
        f"SELECT {column} AS v, count(*) AS n FROM ({step.rows}) WHERE NOT {step.missing(written)} GROUP BY {column}"
    )
    modes = f"SELECT v FROM ({counts}) QUALIFY n = max(n) OVER ()"
    picked = {
        "MINIMUM": "min(v)",
        "MAXIMUM": "max(v)",
        "AVERAGE": "avg(v)",
        "NONE": "CASE WHEN count(*) = 1 THEN min(v) END",
    }[choice]
    if choice == "AVERAGE":
        step.numeric()
        return fill(step, f"(SELECT {picked} FROM ({modes}))")
    filled = f"CASE WHEN {step.missing(written)} THEN (SELECT {picked} FROM ({modes})) ELSE {column} END"
    return step.replace(column, filled)


def remove_missing(step: Step) -> str:
    step.column()
    gone = step.missing(step.parameter("sourceColumn"))
    if condition := step.condition():
        gone = f"({gone} AND {condition})"
    return step.keep(f"NOT {gone}")


def remove_values(step: Step) -> str:
    step.column()
    condition = step.condition()
    if condition is None:
        raise step.error("conditions must say which rows to remove")
    return step.keep(f"NOT ({condition})")


def remove_duplicates(step: Step) -> str:
    """Keeps the first row of each value of the column."""
    numbered = f'SELECT *, row_number() OVER () AS "row number" FROM ({step.rows})'
    first = (
        f'SELECT * FROM ({numbered}) QUALIFY row_number() OVER (PARTITION BY {step.column()} ORDER BY "row number") = 1'
    )
    return f'SELECT * EXCLUDE ("row number") FROM ({first} ORDER BY "row number")'


def delete_duplicate_rows(step: Step) -> str:
    """Keeps the first of equal rows."""
    columns = ", ".join(name(column) for column in step.columns)
    numbered = f'SELECT *, row_number() OVER () AS "row number" FROM ({step.rows})'
    first = f'SELECT * FROM ({numbered}) QUALIFY row_number() OVER (PARTITION BY {columns} ORDER BY "row number") = 1'
    return f'SELECT * EXCLUDE ("row number") FROM ({first} ORDER BY "row number")'


def sort(step: Step) -> str:
    terms = []
    for expression in step.json("expressions"):
        column = step.known(str(expression.get("sourceColumn")))
        direction = {"ASCENDING": "ASC", "DESCENDING": "DESC"}.get(expression.get("ordering", "ASCENDING"))
        nulls = {"NULLS_TOP": "FIRST", "NULLS_BOTTOM": "LAST"}.get(expression.get("nullsOrdering", "NULLS_TOP"))
        if direction is None or nulls is None:
            raise step.error("`ordering` is ASCENDING or DESCENDING, `nullsOrdering` is NULLS_TOP or NULLS_BOTTOM")
        value = name(column)
        if order := expression.get("customOrder"):
            sensitive = expression.get("isCustomOrderCaseSensitive") in (True, "true")
            items = [str(item) if sensitive else str(item).lower() for item in order]
            place = f"list_position([{', '.join(text(item) for item in items)}], "
            place += f"{value}::VARCHAR)" if sensitive else f"lower({value}::VARCHAR))"
            terms.append(f"{place} {direction} NULLS LAST")
        terms.append(f"{value} {direction} NULLS {nulls}")
    if not terms:
        raise step.error("`expressions` is empty")
    return f"SELECT * FROM ({step.rows}) ORDER BY {', '.join(terms)}"


def merge(step: Step) -> str:
    """Joins the text of several columns; a missing value leaves nothing, not even its delimiter."""
    columns = ", ".join(f"nullif({name(column)}::VARCHAR, '')" for column in step.column_list())
    return step.add(step.new(), f"concat_ws({text(step.optional('delimiter', '') or '')}, {columns})")


def round_half_up(step: Step) -> str:
    return step.add(step.new(), f"floor({step.numeric()}::DOUBLE + 0.5)")


def arithmetic(operator: str) -> Callable[[Step], str]:
    """An operation on two numbers, each from a column or given as a value. Dividing by zero gives NULL."""

    def operation(step: Step) -> str:
        left, right = operand(step, "1"), operand(step, "2")
        if operator == "/":
            return step.add(step.new(), f"{left}::DOUBLE / nullif({right}, 0)")
        return step.add(step.new(), f"({left} {operator} {right})")

    return operation


def operand(step: Step, which: str) -> str:
    value = step.optional(f"value{which}")
    column = step.optional(f"sourceColumn{which}")
    if (value is None) == (column is None):
        raise step.error(f"give either `sourceColumn{which}` or `value{which}`")
    if value is None:
        return step.numeric(f"sourceColumn{which}")
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", value):
        raise step.error(f"`value{which}` is `{value}`, which is not a number")
    return value


def group_by(step: Step) -> str:
    columns = step.column_list()
    if not step.flag("useNewDataFrame"):
        raise step.error("`useNewDataFrame` must be true: the groups replace the rows")
    parameter = "groupByAggFunctions" if step.optional("groupByAggFunctions") else "groupByAggFunctionOptions"
    selected = [name(column) for column in columns]
    for option in step.json(parameter):
        function = option.get("functionName")
        if function not in GROUP_FUNCTIONS:
            raise step.error(f"unknown function `{function}`; known are {', '.join(GROUP_FUNCTIONS)}")
        value = GROUP_FUNCTIONS[function].format(name(step.known(str(option.get("sourceColumnName")))))
        kind = option.get("targetColumnDataType")
        if kind == "number":
            kind = "long" if function.startswith("COUNT") else "double"
        if kind:
            value = f"CAST({value} AS {data_type(step, kind)})"
        selected.append(f"{value} AS {name(str(option.get('targetColumnName')))}")
    keys = ", ".join(name(column) for column in columns)
    return f"SELECT {', '.join(selected)} FROM ({step.rows}) GROUP BY {keys} ORDER BY {keys}"


OPERATIONS: dict[str, Callable[[Step], str]] = {
    "RENAME": rename,
    "DELETE": delete,
    "DUPLICATE": duplicate,
    "CHANGE_DATA_TYPE": change_data_type,
    "UPPER_CASE": in_place("upper({})"),
    "LOWER_CASE": in_place("lower({})"),
    "CAPITAL_CASE": in_place(CAPITAL),
    "SENTENCE_CASE": in_place(SENTENCE),
    "REMOVE_COMBINED": remove_combined,
    "REPLACE_TEXT": replace_text,
    "FILL_WITH_CUSTOM": fill_with_custom,
    "FILL_WITH_AVERAGE": fill_with_average,
    "FILL_WITH_MEDIAN": fill_with_median,
    "FILL_WITH_MODE": fill_with_mode,
    "REMOVE_MISSING": remove_missing,
    "REMOVE_VALUES": remove_values,
    "REMOVE_DUPLICATES": remove_duplicates,
    "DELETE_DUPLICATE_ROWS": delete_duplicate_rows,
    "SORT": sort,
    "MERGE": merge,
    "ROUND": round_half_up,
    "ADD": arithmetic("+"),
    "SUBTRACT": arithmetic("-"),
    "MULTIPLY": arithmetic("*"),
    "DIVIDE": arithmetic("/"),
    "GROUP_BY": group_by,
}
