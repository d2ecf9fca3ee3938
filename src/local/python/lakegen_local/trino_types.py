"""The types that Trino gives to expressions, where sqlglot's own rules are coarser: decimals, integers, averages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp
from sqlglot.dialects.athena import Athena

Type = exp.DataType | None

INTEGER_DIGITS = {exp.DType.TINYINT: 3, exp.DType.SMALLINT: 5, exp.DType.INT: 10, exp.DType.BIGINT: 19}
MAX_PRECISION = 38


def is_integer(kind: Type) -> bool:
    return kind is not None and kind.this in INTEGER_DIGITS


def is_real(kind: Type) -> bool:
    return kind is not None and kind.this in (exp.DType.FLOAT, exp.DType.DOUBLE)


def is_decimal(kind: Type) -> bool:
    return kind is not None and kind.this == exp.DType.DECIMAL


def is_text(kind: Type) -> bool:
    return kind is not None and kind.this in exp.DataType.TEXT_TYPES


def is_unknown(kind: Type) -> bool:
    return kind is None or kind.this in (exp.DType.UNKNOWN, exp.DType.NULL)


def numeric_kind(kind: Type) -> bool:
    return is_integer(kind) or is_real(kind) or is_decimal(kind)


def decimal(precision: int, scale: int) -> exp.DataType:
    return exp.DataType.build(f"DECIMAL({min(precision, MAX_PRECISION)}, {scale})")


def digits(kind: exp.DataType) -> tuple[int, int]:
    """Precision and scale of a decimal, or of the decimal that holds an integer type."""
    if is_integer(kind):
        return INTEGER_DIGITS[kind.this], 0
    sizes = [int(parameter.name) for parameter in kind.expressions]
    return (sizes[0] if sizes else MAX_PRECISION), (sizes[1] if len(sizes) > 1 else 0)


def common(kinds: list[Type]) -> Type:
    """The type that all of these convert to on their own; None when that is not known."""
    known = [kind for kind in kinds if kind is not None and kind.this != exp.DType.NULL]
    if not known or any(is_unknown(kind) for kind in known):
        return None
    first = known[0]
    if not all(numeric_kind(kind) for kind in known):
        return first if all(kind.this == first.this for kind in known) else None
    if any(kind.this == exp.DType.DOUBLE for kind in known):
        return exp.DataType.build("DOUBLE")
    if any(is_real(kind) for kind in known):
        return exp.DataType.build("FLOAT")
    if any(is_decimal(kind) for kind in known):
        sizes = [digits(kind) for kind in known]
        scale = max(size[1] for size in sizes)
        return decimal(max(size[0] - size[1] for size in sizes) + scale, scale)
    return max(known, key=lambda kind: INTEGER_DIGITS[kind.this])


def arithmetic(node: exp.Expression) -> Type:
    """Trino's type of `+ - * / %` on two numbers."""
    left, right = node.this.type, node.expression.type
    if is_unknown(left) or is_unknown(right):
        return None
    if not (numeric_kind(left) and numeric_kind(right)):
        return left if left.this in exp.DataType.TEMPORAL_TYPES else None
    if not (is_decimal(left) or is_decimal(right)) or is_real(left) or is_real(right):
        return common([left, right])
    (p1, s1), (p2, s2) = digits(left), digits(right)
    if isinstance(node, exp.Mul):
        return decimal(p1 + p2, s1 + s2)
    if isinstance(node, exp.Div):
        return decimal(p1 + s2 + max(s2 - s1, 0), max(s1, s2))
    if isinstance(node, exp.Mod):
        return decimal(min(p1 - s1, p2 - s2) + max(s1, s2), max(s1, s2))
    return decimal(max(p1 - s1, p2 - s2) + max(s1, s2) + 1, max(s1, s2))


def literal(node: exp.Expression) -> Type:
    """`1` is an integer, `1.0` a decimal, `1e0` a double."""
    written = node.name
    if node.args.get("is_string"):
        return exp.DataType.build("VARCHAR")
    if "e" in written.lower():
        return exp.DataType.build("DOUBLE")
    if "." not in written:
        return exp.DataType.build("INT" if int(written) < 1 << 31 else "BIGINT")
    whole, _, fraction = written.partition(".")
    whole = whole.lstrip("0")
    return decimal(max(len(whole) + len(fraction), 1), len(fraction))


def total(node: exp.Expression) -> Type:
    kind = node.this.type
    if is_integer(kind):
        return exp.DataType.build("BIGINT")
    if is_decimal(kind):
        return decimal(MAX_PRECISION, digits(kind)[1])
    return kind


def average(node: exp.Expression) -> Type:
    kind = node.this.type
    return kind if is_decimal(kind) or (is_real(kind) and not is_unknown(kind)) else exp.DataType.build("DOUBLE")


def same(node: exp.Expression) -> Type:
    return node.this.type


def rounded(node: exp.Expression) -> Type:
    kind = node.this.type
    if not is_decimal(kind):
        return kind
    precision, scale = digits(kind)
    if isinstance(node, exp.Round):
        return decimal(precision + 1, scale) if node.args.get("decimals") else decimal(precision - scale + 1, 0)
    if isinstance(node, exp.Ceil | exp.Floor):
        return decimal(precision - scale + min(scale, 1), 0)
    return decimal(max(precision - scale, 1), 0)


def branches(node: exp.Expression) -> Type:
    ifs = [branch.args["true"].type for branch in node.args["ifs"]]
    default = node.args.get("default")
    return common([*ifs, default.type] if default is not None else ifs)


def either(node: exp.Expression) -> Type:
    false = node.args.get("false")
    return common([node.args["true"].type, *([false.type] if false is not None else [])])


def widest(node: exp.Expression) -> Type:
    return common([node.this.type, *(argument.type for argument in node.expressions)])


def bigint(_: exp.Expression) -> Type:
    return exp.DataType.build("BIGINT")


RULES: dict[type[exp.Expression], Callable[[Any], Type]] = {
    exp.Literal: literal,
    **dict.fromkeys((exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod), arithmetic),
    exp.Sum: total,
    exp.Avg: average,
    exp.Case: branches,
    exp.If: either,
    **dict.fromkeys((exp.Coalesce, exp.Greatest, exp.Least), widest),
    **dict.fromkeys(
        (exp.Nullif, exp.Abs, exp.Neg, exp.Sign, exp.Paren, exp.Try, exp.ArgMax, exp.ArgMin, exp.AnyValue), same
    ),
    exp.TimestampTrunc: same,
    **dict.fromkeys((exp.Round, exp.Ceil, exp.Floor, exp.Trunc), rounded),
    **dict.fromkeys((exp.Year, exp.Quarter, exp.Month, exp.Week, exp.Day, exp.Hour, exp.Minute, exp.Second), bigint),
    **dict.fromkeys((exp.DayOfWeekIso, exp.DayOfYear, exp.DayOfMonth, exp.Extract, exp.DateDiff), bigint),
}


def annotator(rule: Callable[[Any], Type]) -> dict[str, Any]:
    return {"annotator": lambda self, node: self._set_type(node, rule(node))}


METADATA = {**Athena().EXPRESSION_METADATA, **{kind: annotator(rule) for kind, rule in RULES.items()}}
"""sqlglot's rules with Trino's in their place."""
