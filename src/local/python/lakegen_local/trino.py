"""Athena SQL to DuckDB SQL, with Trino's meaning kept where DuckDB would answer differently without a word."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable

import sqlglot
from sqlglot import exp
from sqlglot.errors import OptimizeError, ParseError, TokenError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify

from lakegen_local.errors import StepError
from lakegen_local.sources import Table, duckdb_type
from lakegen_local.trino_types import METADATA, is_decimal, is_integer, is_real, is_text, is_unknown, numeric_kind

Rewrite = Callable[[exp.Expression, exp.Expression], exp.Expression | None]
"""From a node, and the clauses around it when it is an aggregate, to what replaces both; None leaves them."""


def to_duckdb(sql: str, tables: list[Table], database: str | None = None, limit: int | None = None) -> str:
    """The DuckDB query that means what one Athena SELECT means; at most `limit` rows of it if that is given.

    Raises StepError for anything but one SELECT, for names that no table or column has, and for what Athena refuses.
    """
    tree = parse(sql)
    _resolve_tables(tree, tables, database)
    _name_columns(tree)
    schema = {table.name: {c.name: duckdb_type(c.type) for c in table.all_columns} for table in tables}
    try:
        tree = qualify(tree, schema=schema, dialect="athena", expand_alias_refs=False)
        tree = annotate_types(tree, schema=schema, dialect="athena", expression_metadata=METADATA)
    except OptimizeError as error:
        raise StepError("SqlError", _unresolved(str(error), tables)) from error
    _refuse_mixed_types(tree)
    if limit is not None and not _limited_below(tree, limit):
        tree = tree.limit(limit, copy=False)
    return _rewrite(tree).sql(dialect="duckdb")


def parse(sql: str) -> exp.Query:
    """One SELECT, as a tree. Places in messages are lines and columns of the SQL, from 1."""
    try:
        statements = [statement for statement in sqlglot.parse(sql, read="athena") if statement is not None]
    except ParseError as error:
        first = error.errors[0]
        word = str(first.get("highlight") or "")
        near = f" near `{word}`" if word else ""
        place = _place(first["line"], first["col"], word)
        raise StepError("SqlSyntaxError", f"{place}: {str(first['description']).lower()}{near}") from error
    except TokenError as error:
        raise StepError("SqlSyntaxError", str(error).splitlines()[0]) from error
    if not statements:
        raise StepError("NotAQuery", "there is no SQL; write one SELECT")
    if len(statements) > 1:
        raise StepError("NotAQuery", f"these are {len(statements)} statements; write one SELECT without `;` inside")
    statement = statements[0]
    if not isinstance(statement, exp.Query):
        verb = sql.split(maxsplit=1)[0].upper()
        raise StepError(
            "NotAQuery", f"{verb} cannot be run here; write a SELECT, whose rows go to the table it `writes`"
        )
    return statement


def _resolve_tables(tree: exp.Query, tables: list[Table], database: str | None) -> None:
    known = {table.name for table in tables}
    names = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            # DuckDB has functions that read files and other databases; Athena has none of them.
            found = table.this.sql(dialect="athena")
            raise StepError("SqlError", f"`{found}` is not a table, and Athena reads no such thing")
        found = table.name.lower()
        if table.db:
            if database is not None and table.db.lower() != database.lower():
                raise StepError("SqlError", f"`{table.db}.{table.name}` is in another database than `{database}`")
            table.set("db", None)
            table.set("catalog", None)
        elif found in names:
            continue
        if found not in known:
            raise StepError("SqlError", f"no table named `{table.name}`{_did_you_mean(found, sorted(known | names))}")


def _name_columns(tree: exp.Query) -> None:
    """Expressions without an alias are `_col0`, `_col1`, … by their position."""
    for query in [tree.left, tree.right] if isinstance(tree, exp.SetOperation) else [tree]:
        if isinstance(query, exp.SetOperation):
            _name_columns(query)
        elif isinstance(query, exp.Select):
            for index, column in enumerate(query.expressions):
                if not isinstance(column, exp.Alias | exp.Column | exp.Star):
                    column.replace(exp.alias_(column.copy(), f"_col{index}"))


def _place(line: int | str, last_column: int | str, word: str) -> str:
    return f"line {line}, column {max(int(last_column) - len(word) + 1, 1)}"


def _did_you_mean(word: str, known: list[str]) -> str:
    if close := difflib.get_close_matches(word, known, n=1):
        return f"; did you mean `{close[0]}`?"
    return f"; there are {', '.join(f'`{name}`' for name in known)}" if known else ""


def _unresolved(message: str, tables: list[Table]) -> str:
    if found := re.search(r"Column '(.*?)' could not be resolved\.?(?: Line: (\d+), Col: (\d+))?", message):
        name = found.group(1).replace('"', "").rsplit(".", 1)[-1]
        place = _place(found.group(2), found.group(3), name) + ": " if found.group(2) else ""
        known = sorted({column.name for table in tables for column in table.all_columns} - {name})
        return f"{place}column `{name}` cannot be resolved{_did_you_mean(name, known)}"
    if found := re.search(r"Unknown column: (\w+)", message):
        known = sorted({column.name for table in tables for column in table.all_columns})
        return f"column `{found.group(1)}` cannot be resolved{_did_you_mean(found.group(1), known)}"
    return message.splitlines()[0]


def _limited_below(tree: exp.Query, limit: int) -> bool:
    written = tree.args.get("limit")
    count = written.args.get("expression") if isinstance(written, exp.Limit) else None
    return isinstance(count, exp.Literal) and count.is_int and int(count.name) < limit


def _refuse_mixed_types(tree: exp.Query) -> None:
    """Athena compares text with text and numbers with numbers; DuckDB would convert in silence."""
    for node in tree.find_all(exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.In, exp.Between):
        first = node.this
        for other in _compared_with(node):
            kinds = sorted((_family(first), _family(other)))
            if kinds in (["number", "text"], ["text", "time"], ["number", "time"]):
                raise StepError(
                    "SqlTypeError",
                    f"`{node.sql('athena')}` compares {_shown(first)} with {_shown(other)}, "
                    "which Athena refuses; cast one",
                )


def _compared_with(node: exp.Expression) -> list[exp.Expression]:
    if isinstance(node, exp.In):
        return list(node.expressions)
    if isinstance(node, exp.Between):
        return [node.args["low"], node.args["high"]]
    return [node.expression]


def _family(node: exp.Expression) -> str:
    if is_text(node.type):
        return "text"
    if numeric_kind(node.type):
        return "number"
    return "time" if node.type is not None and node.type.this in exp.DataType.TEMPORAL_TYPES else "other"


def _shown(node: exp.Expression) -> str:
    return node.type.sql("athena").lower() if node.type is not None else "unknown"


def _rewrite(tree: exp.Query) -> exp.Query:
    for node in list(tree.find_all(*REWRITES)):
        target = _outermost(node) if isinstance(node, exp.AggFunc) else node
        new = REWRITES[type(node)](node, target)
        if new is not None:
            new.type = node.type
            target.replace(new) if target.parent else None
    return tree


def _outermost(node: exp.Expression) -> exp.Expression:
    """An aggregate together with its FILTER and OVER clauses."""
    while isinstance(node.parent, exp.Filter | exp.Window | exp.IgnoreNulls) and node.parent.this is node:
        node = node.parent
    return node


def _cast(value: exp.Expression, kind: exp.DataType | str) -> exp.Expression:
    return exp.Cast(this=value, to=exp.DataType.build(kind, dialect="duckdb") if isinstance(kind, str) else kind.copy())


def _call(name: str, *arguments: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])


def _divide(node: exp.Expression, _: exp.Expression) -> exp.Expression | None:
    """Whole numbers divide to a whole number, decimals to a decimal of Trino's scale; a zero divisor is an error."""
    left, right = node.this.type, node.expression.type
    node.set("typed", False)
    if is_real(left) or is_real(right):
        return None
    if is_decimal(left) or is_decimal(right):
        if is_unknown(node.type):
            raise StepError(
                "SqlTypeError",
                f"the scale of `{node.sql('athena')}` is not known here; cast both sides to what you mean",
            )
        return _cast(exp.Div(this=node.this.copy(), expression=node.expression.copy()), node.type)
    quotient = exp.IntDiv(this=_grouped(node.this), expression=_grouped(node.expression))
    return _cast(quotient, node.type) if is_integer(node.type) else exp.Paren(this=quotient)


def _grouped(node: exp.Expression) -> exp.Expression:
    return exp.Paren(this=node.copy()) if isinstance(node, exp.Binary) else node.copy()


def _sum(node: exp.Expression, whole: exp.Expression) -> exp.Expression | None:
    """Trino sums whole numbers as bigint; DuckDB as 128 bits, which no Parquet column has."""
    return _cast(whole.copy(), node.type) if is_integer(node.type) or is_decimal(node.type) else None


def _average(node: exp.Expression, whole: exp.Expression) -> exp.Expression | None:
    """The average of decimals is a decimal of their scale."""
    return _cast(whole.copy(), node.type) if is_decimal(node.type) else None


def _convert(node: exp.Expression, _: exp.Expression) -> exp.Expression | None:
    value, target = node.this, node.args["to"]
    tried = isinstance(node, exp.TryCast)
    if is_integer(target) and is_text(value.type):  # '15.5' is no whole number to Trino, and 16 to DuckDB
        whole = _call("regexp_full_match", value, exp.Literal.string("[+-]?[0-9]+"))
        if tried:
            return exp.Case(ifs=[exp.If(this=whole, true=node.copy())])
        marked = exp.Concat(expressions=[exp.Literal.string("`"), value.copy(), exp.Literal.string("`")])
        checked = exp.Case(ifs=[exp.If(this=whole, true=value.copy())], default=marked)
        return _cast(checked, target)
    if is_integer(target) and is_real(value.type):  # DuckDB rounds half to even
        return type(node)(this=_call("round", value), to=target.copy())
    if is_text(target) and is_real(value.type):
        raise StepError(
            "SqlTypeError",
            f"`{node.sql('athena')}` writes numbers as 1.5E0 in Athena; cast to a decimal first to write 1.5",
        )
    if is_text(target) and value.type is not None and value.type.is_type(exp.DType.TIMESTAMP):
        return _call("strftime", value, exp.Literal.string("%Y-%m-%d %H:%M:%S.%g"))
    return None


def _keep_date(node: exp.Expression, _: exp.Expression) -> exp.Expression | None:
    """A date and an interval give a date; DuckDB makes a timestamp of them."""
    if node.type is not None and node.type.is_type(exp.DType.DATE):
        return _cast(exp.Paren(this=node.copy()), node.type)
    return None


def _date_diff(node: exp.Expression, _: exp.Expression) -> exp.Expression | None:
    """Trino counts whole units between two times; DuckDB's function of that name counts borders crossed."""
    unit = exp.Literal.string(node.args["unit"].name.lower() if node.args.get("unit") else "day")
    return _call("date_sub", unit, node.expression, node.this)


def _regexp_extract(node: exp.Expression, _: exp.Expression) -> exp.Expression:
    """No match is NULL, not an empty text."""
    matches = _call("regexp_matches", node.this, node.expression)
    return exp.Case(ifs=[exp.If(this=matches, true=node.copy())])


def _split_part(node: exp.Expression, _: exp.Expression) -> exp.Expression:
    """A part that is not there is NULL, not an empty text."""
    parts = _call("string_split", node.this, node.args["delimiter"])
    return _call("list_extract", parts, node.args["part_index"])


def _unnest(node: exp.Expression, _: exp.Expression) -> exp.Expression | None:
    """The fields of rows, and the keys and values of maps, are columns of their own; DuckDB gives the row as one."""
    kinds = [argument.type for argument in node.expressions]
    if not any(_of_rows(kind) or _is_map(kind) for kind in kinds):
        return None
    deep = exp.PropertyEQ(this=exp.to_identifier("max_depth"), expression=exp.Literal.number(2))
    columns = []
    for argument, kind in zip(node.expressions, kinds, strict=True):
        list_of = _call("map_entries", argument) if _is_map(kind) else argument
        columns.append(_call("unnest", list_of, *([deep] if _is_map(kind) or _of_rows(kind) else [])))
    alias = node.args.get("alias")
    alias = alias.copy() if alias else None
    if offset := node.args.get("offset"):
        lengths = [_call("len", column.expressions[0]) for column in columns]
        columns.append(_call("unnest", _call("generate_series", exp.Literal.number(1), _call("greatest", *lengths))))
        if alias and isinstance(offset, exp.Identifier):
            alias.append("columns", offset.copy())
    return exp.Lateral(this=exp.Subquery(this=exp.Select(expressions=columns)), alias=alias)


def _reduce(node: exp.Expression, _: exp.Expression) -> exp.Expression | None:
    """What Trino does with the result at the end; DuckDB's function ends before."""
    finish = node.args.get("finish")
    if finish is None:
        return None
    rest = node.copy()
    rest.set("finish", None)
    return _call("list_extract", _call("list_transform", exp.array(rest), finish), exp.Literal.number(1))


def _is_map(kind: exp.DataType | None) -> bool:
    return kind is not None and kind.is_type(exp.DType.MAP)


def _of_rows(kind: exp.DataType | None) -> bool:
    return (
        kind is not None
        and kind.is_type(exp.DType.ARRAY)
        and bool(kind.expressions)
        and kind.expressions[0].is_type(exp.DType.STRUCT)
    )


def _extreme(name: str) -> Rewrite:
    def rewrite(node: exp.Expression, whole: exp.Expression) -> exp.Expression | None:
        """`max_by` gives the value beside the greatest key even if that value is NULL."""
        if node.args.get("count"):
            return None
        new = _call(name, node.this, node.expression)
        if whole is node:
            return new
        copy = whole.copy()
        copy.find(type(node)).replace(new)
        return copy

    return rewrite


def _unknown_function(node: exp.Expression, _: exp.Expression) -> exp.Expression | None:
    name = str(node.this).lower()
    if name == "every":
        return exp.LogicalAnd(this=node.expressions[0].copy())
    if name == "map_agg":
        lists = [exp.ArrayAgg(this=argument.copy()) for argument in node.expressions]
        return exp.Anonymous(this="map", expressions=lists)
    if name in NOT_HERE:
        raise StepError("SqlError", f"the local engine has no `{name}`; {NOT_HERE[name]}")
    return None


NOT_HERE = {
    "all_match": "use `cardinality(filter(…)) = cardinality(…)`",
    "any_match": "use `cardinality(filter(…)) > 0`",
    "format_datetime": "use `date_format`",
    "none_match": "use `cardinality(filter(…)) = 0`",
    "parse_datetime": "use `date_parse`",
    "width_bucket": "write a CASE",
    "zip_with": "use `transform` over `sequence`",
}

REWRITES: dict[type[exp.Expression], Rewrite] = {
    exp.Div: _divide,
    exp.Sum: _sum,
    exp.Avg: _average,
    exp.Cast: _convert,
    exp.TryCast: _convert,
    exp.Add: _keep_date,
    exp.Sub: _keep_date,
    exp.DateAdd: _keep_date,
    exp.TimestampTrunc: _keep_date,
    exp.SplitPart: _split_part,
    exp.DateDiff: _date_diff,
    exp.RegexpExtract: _regexp_extract,
    exp.ArgMax: _extreme("arg_max_null"),
    exp.ArgMin: _extreme("arg_min_null"),
    exp.Unnest: _unnest,
    exp.Reduce: _reduce,
    exp.Anonymous: _unknown_function,
}
