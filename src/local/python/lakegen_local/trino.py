"""Athena SQL to DuckDB SQL."""

from __future__ import annotations

from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import OptimizeError, ParseError, TokenError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify

from lakegen_local.errors import StepError
from lakegen_local.sources import Table, duckdb_type


@dataclass(frozen=True)
class Translated:
    """DuckDB's wording of a query."""

    sql: str

    def types(self, described: dict[str, str]) -> dict[str, str]:
        return described


def to_duckdb(sql: str, tables: list[Table], database: str | None = None) -> Translated:
    tree = parse(sql)
    schema = {table.name: {c.name: duckdb_type(c.type) for c in table.all_columns} for table in tables}
    for table in tree.find_all(exp.Table):
        if table.db and table.db == database:
            table.set("db", None)
            table.set("catalog", None)
    try:
        tree = qualify(tree, schema=schema, dialect="athena", expand_alias_refs=False)
        tree = annotate_types(tree, schema=schema, dialect="athena")
    except OptimizeError as error:
        raise StepError("SqlError", str(error)) from error
    return Translated(tree.sql(dialect="duckdb"))


def parse(sql: str) -> exp.Query:
    try:
        statements = [statement for statement in sqlglot.parse(sql, read="athena") if statement is not None]
    except ParseError as error:
        first = error.errors[0]
        raise StepError(
            "SqlSyntaxError",
            f"line {first['line']}, column {first['col']}: {first['description']} near `{first['highlight']}`",
        ) from error
    except TokenError as error:
        raise StepError("SqlSyntaxError", str(error)) from error
    if len(statements) != 1:
        raise StepError("NotAQuery", f"one SELECT is expected, not {len(statements)} statements")
    statement = statements[0]
    if not isinstance(statement, exp.Query):
        raise StepError(
            "NotAQuery",
            f"only SELECT can be run here, not {statement.key.upper()}; where the result goes is said by `writes`",
        )
    return statement
