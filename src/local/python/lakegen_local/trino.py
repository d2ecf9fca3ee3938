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
    _count_from_one(statement)
    return statement


def _count_from_one(tree: exp.Query) -> None:
    """Subscripts as they are written.

    The parser makes those whose type it sees count from 0, and the generator, which sees more types, would take others
    for such: `x[n]` would be the element behind the one that is meant.
    """
    for node in tree.find_all(exp.Bracket):
        if node.args.get("offset") is None:
            node.set("expressions", exp.apply_index_offset(node.this, node.expressions, 1, dialect="athena"))
            node.set("offset", 1)


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
    for node in reversed(list(tree.find_all(*REWRITES))):
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
    if target.is_type(exp.DType.CHAR, exp.DType.NCHAR):
        raise StepError("SqlTypeError", "the local engine has no `char` that is filled up with blanks; cast to varchar")
    if is_text(target) and target.expressions and is_text(value.type):  # DuckDB takes no notice of the length
        return _call("left", value, target.expressions[0].this)
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


def _regexp_replace(node: exp.Expression, _: exp.Expression) -> exp.Expression | None:
    """Trino names groups by a dollar, and a backslash takes meaning away; DuckDB names groups by a backslash."""
    written = node.args.get("replacement")
    if not isinstance(written, exp.Literal) or not re.search(r"[$\\]", written.name):
        return None
    pieces = []
    for escaped, group, text in re.findall(r"\\(.)|\$(\d)|([^\\$]+|.)", written.name, re.DOTALL):
        if text == "$":
            raise StepError("SqlError", f"the local engine has no groups but `$1` to `$9`, unlike `{written.name}`")
        pieces.append(rf"\{group}" if group else (escaped + text).replace("\\", r"\\"))
    new = node.copy()
    new.set("replacement", exp.Literal.string("".join(pieces)))
    return new


def _substring(node: exp.Expression, _: exp.Expression) -> exp.Expression | None:
    """What begins at 0, or before the first letter, is empty; DuckDB begins with the first letter then."""
    start = node.args["start"]
    if isinstance(start, exp.Literal) and int(start.name) > 0:
        return None
    text = node.this
    at = exp.Paren(this=start.copy())
    before = exp.LT(this=at.copy(), expression=exp.Neg(this=_call("length", text)))
    nowhere = exp.Or(this=exp.EQ(this=at.copy(), expression=exp.Literal.number(0)), expression=before)
    missing = exp.If(this=exp.Is(this=text.copy(), expression=exp.Null()), true=exp.Null())
    return exp.Case(ifs=[missing, exp.If(this=nowhere, true=exp.Literal.string(""))], default=node.copy())


def _slice(node: exp.Expression, _: exp.Expression) -> exp.Expression:
    """Trino counts the elements from the start, which may be counted from the end; DuckDB names the last one."""
    rest = _call("list_slice", node.this, node.args["start"], _call("len", node.this))
    return _call("list_slice", rest, exp.Literal.number(1), node.args["end"])


def _format(node: exp.Expression, _: exp.Expression) -> exp.Expression:
    """Of Java's forms those that C has too."""
    form = node.this
    parts = re.findall(r"%(?:[-0]*\d*(?:\.\d+)?[sdfx%])", form.name) if isinstance(form, exp.Literal) else []
    wanted = [part for part in parts if not part.endswith("%")]
    if not isinstance(form, exp.Literal) or "".join(parts).count("%") != form.name.count("%"):
        raise StepError("SqlError", "the local engine's `format` knows forms of `%s`, `%d`, `%f` and `%x` only")
    if len(wanted) != len(node.expressions):
        raise StepError("SqlError", f"`{form.name}` takes {len(wanted)} values, and gets {len(node.expressions)}")
    kinds = {"s": "varchar", "f": "double"}
    values = [
        _cast(value, kinds[part[-1]]) if part[-1] in kinds else value
        for part, value in zip(wanted, node.expressions, strict=True)
    ]
    missing = [exp.Is(this=value.copy(), expression=exp.Null()) for value in node.expressions]
    return _call("printf", form, *values) if not missing else _unless(exp.or_(*missing), _call("printf", form, *values))


def _unless(missing: exp.Expression, value: exp.Expression) -> exp.Expression:
    return exp.Case(ifs=[exp.If(this=missing, true=exp.Null())], default=value)


def _extract(node: exp.Expression, _: exp.Expression) -> exp.Expression | None:
    """Sunday is the seventh day of a week, and the year of a week is that of most of its days."""
    name = ISO.get(node.name.upper())
    return _call("date_part", exp.Literal.string(name), node.expression) if name else None


ISO = {"DOW": "isodow", "DAY_OF_WEEK": "isodow", "DAYOFWEEK": "isodow", "YOW": "isoyear", "YEAR_OF_WEEK": "isoyear"}


def _json_scalar(node: exp.Expression, _: exp.Expression) -> exp.Expression:
    """Lists and objects are no scalars: NULL, not their text."""
    found = exp.JSONExtract(this=node.this.copy(), expression=node.expression.copy())
    kinds = [exp.Literal.string(kind) for kind in ("ARRAY", "OBJECT")]
    return _unless(exp.In(this=_call("json_type", found), expressions=kinds), exp.Paren(this=node.copy()))


def _with_missing(values: exp.Expression) -> exp.Expression:
    """Whether a list holds a NULL."""
    return exp.GT(this=_call("len", values), expression=_call("list_count", values))


def _greatest_of(name: str) -> Rewrite:
    """The greatest or least of a list with a NULL in it is NULL."""
    return lambda node, _: _unless(_with_missing(node.this), _call(name, node.this))


def _contains(node: exp.Expression, _: exp.Expression) -> exp.Expression:
    """Nobody knows whether a NULL in the list is what is looked for."""
    found = _call("list_contains", node.this, node.expression)
    unknown = exp.And(this=exp.Not(this=found), expression=_with_missing(node.this))
    return _unless(exp.Paren(this=unknown), found)


def _distinct(node: exp.Expression, _: exp.Expression) -> exp.Expression:
    """The first of equal elements stays, a NULL too, in their order."""
    first = exp.EQ(this=_call("list_position", node.this, exp.column("e")), expression=exp.column("i"))
    return _call("list_filter", node.this, exp.Lambda(this=first, expressions=[exp.to_identifier(n) for n in "ei"]))


def _remove(node: exp.Expression, _: exp.Expression) -> exp.Expression:
    """A NULL is not what is removed, and stays."""
    other = exp.NullSafeNEQ(this=exp.column("e"), expression=node.expression.copy())
    return _call("list_filter", node.this, exp.Lambda(this=other, expressions=[exp.to_identifier("e")]))


def _position(node: exp.Expression, _: exp.Expression) -> exp.Expression:
    """What is not in the list is at 0."""
    missing = [exp.Is(this=value.copy(), expression=exp.Null()) for value in (node.this, node.expression)]
    found = exp.Coalesce(this=_call("list_position", node.this, node.expression), expressions=[exp.Literal.number(0)])
    return _unless(exp.or_(*missing), _cast(found, "bigint"))


def _element(node: exp.Expression, _: exp.Expression) -> exp.Expression | None:
    """An element that is not there is an error, unless `element_at` asks for it."""
    if node.args.get("safe") or len(node.expressions) != 1 or node.this.type is None:
        return None
    values, key = node.this, node.expressions[0]
    said = exp.Concat(expressions=[exp.Literal.string("no element "), _cast(key, "varchar")])
    if node.this.type.is_type(exp.DType.MAP):
        known = exp.Is(this=_call("map_contains", values, key), expression=exp.false())
        first = exp.Case(ifs=[exp.If(this=known, true=_cast(said, "int"))], default=exp.Literal.number(1))
        return _call("list_extract", _call("map_extract", values, key), first)
    if node.this.type.is_type(exp.DType.ARRAY):
        key = exp.Paren(this=key.copy())
        before = exp.LT(this=key.copy(), expression=exp.Literal.number(1))
        outside = exp.Or(this=before, expression=exp.GT(this=key.copy(), expression=_call("len", values)))
        place = exp.Case(ifs=[exp.If(this=outside, true=_cast(said, "int"))], default=key.copy())
        return _call("list_extract", values, place)
    return None


def _only_without(argument: str, name: str, instead: str) -> Rewrite:
    """A function of which the local engine knows the shorter form only."""

    def rewrite(node: exp.Expression, _: exp.Expression) -> None:
        if node.args.get(argument) is not None:
            raise StepError("SqlError", f"the local engine has no `{name}`; {instead}")

    return rewrite


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
    if name == "to_base":
        return exp.Lower(this=node.copy())
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
    exp.Split: _only_without("limit", "split(…, …, limit)", "use `split_part`"),
    exp.StrPosition: _only_without("occurrence", "strpos(…, …, instance)", "use `split`"),
    exp.Repeat: _only_without("times", "repeat", "use `transform(sequence(1, n), x -> …)`"),
    exp.Rand: _only_without("this", "random(n)", "use `floor(random() * n)`"),
    exp.Substring: _substring,
    exp.RegexpReplace: _regexp_replace,
    exp.ArraySlice: _slice,
    exp.Format: _format,
    exp.Extract: _extract,
    exp.JSONExtractScalar: _json_scalar,
    exp.ArrayMax: _greatest_of("list_max"),
    exp.ArrayMin: _greatest_of("list_min"),
    exp.ArrayContains: _contains,
    exp.ArrayPosition: _position,
    exp.ArrayDistinct: _distinct,
    exp.ArrayRemove: _remove,
    exp.Bracket: _element,
    exp.DateDiff: _date_diff,
    exp.RegexpExtract: _regexp_extract,
    exp.ArgMax: _extreme("arg_max_null"),
    exp.ArgMin: _extreme("arg_min_null"),
    exp.Unnest: _unnest,
    exp.Reduce: _reduce,
    exp.Anonymous: _unknown_function,
}
