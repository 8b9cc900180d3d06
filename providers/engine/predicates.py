"""From the filters that DataFusion pushed down to a table scan, to predicates that can rule out batches.

The filters come from an optimized plan: constants are folded, literals have the column's type, and every filter of a
scan holds for every row that the query can use. What has no counterpart becomes `Unknown`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

import pyarrow as pa
from datafusion import Expr
from datafusion import expr as nodes

from catalog.definition import SEQ, Column, TableDef
from manifest.order import after_prefix, keeps_order
from manifest.predicate import (
    AllOf,
    AnyOf,
    CastComparison,
    Comparison,
    InSet,
    IsNotNull,
    IsNull,
    NotIn,
    Operator,
    Predicate,
    Unknown,
    one_value,
)
from manifest.ranges import has_order

_OPERATORS = {operator.value: operator for operator in Operator}
_DIFFERS = "!="
_EQUALS = frozenset({"=", "IS NOT DISTINCT FROM"})
_WILDCARDS = frozenset("%_\\")
_MIRRORED = {
    Operator.EQUAL: Operator.EQUAL,
    Operator.LESS: Operator.GREATER,
    Operator.LESS_EQUAL: Operator.GREATER_EQUAL,
    Operator.GREATER: Operator.LESS,
    Operator.GREATER_EQUAL: Operator.LESS_EQUAL,
}


_OPPOSITE = {
    Operator.LESS: Operator.GREATER_EQUAL,
    Operator.LESS_EQUAL: Operator.GREATER,
    Operator.GREATER: Operator.LESS_EQUAL,
    Operator.GREATER_EQUAL: Operator.LESS,
}

EXCLUDED_MAX = 64
"""Of longer NOT IN lists nothing is asked: few batches have one value only, and each item costs a look at all."""


Parameters = Mapping[str, pa.Scalar]
"""Values by number."""

NO_PARAMETERS: Parameters = {}


def translate(filters: Sequence[Expr], table: TableDef, parameters: Parameters = NO_PARAMETERS) -> Predicate:
    """What the rows of `table` that pass all of `filters` satisfy, with values for the placeholders in them."""
    columns = _Columns({column.name: column for column in (*table.columns, SEQ)}, parameters)
    return AllOf(tuple(_predicate(part, columns) for part in filters))


@dataclass(frozen=True)
class _Columns:
    """A table's columns by name, and the values of placeholders."""

    by_name: Mapping[str, Column]
    parameters: Parameters


def _predicate(expression: Expr, columns: _Columns) -> Predicate:
    try:
        node = expression.to_variant()
    except Exception:  # noqa: BLE001 - the library refuses nodes it has no class for, and nothing is known of those
        return Unknown()
    match node:
        case nodes.BinaryExpr():
            return _binary(node, columns)
        case nodes.InList():
            return _in_list(node, columns)
        case nodes.IsNull() | nodes.IsNotNull():
            column = _column(node.expr(), columns)
            if column is None:
                return Unknown()
            return IsNull(column.id) if isinstance(node, nodes.IsNull) else IsNotNull(column.id)
        case nodes.Column():
            return _truth(expression, columns, wanted=True)
        case nodes.IsTrue():
            return _predicate(node.expr(), columns)
        case nodes.Not() | nodes.IsFalse():
            return _untrue(node.expr(), columns)
        case nodes.Like() if expression.rex_call_operator() == "like":
            return _like(node, columns)
        case _:
            return Unknown()


def _binary(node: nodes.BinaryExpr, columns: _Columns) -> Predicate:
    match node.op():
        case "AND":
            return AllOf((_predicate(node.left(), columns), _predicate(node.right(), columns)))
        case "OR":
            return _any_of(_predicate(node.left(), columns), _predicate(node.right(), columns))
    name = "=" if node.op() in _EQUALS else node.op()
    operator = _OPERATORS.get(name, Operator.EQUAL)
    if name not in _OPERATORS and name != _DIFFERS:
        return Unknown()
    expression, literal = node.left(), node.right()
    if _cast_or_column(expression, columns) is None:
        expression, literal, operator = node.right(), node.left(), _MIRRORED[operator]
    found = _compared(expression, literal, operator, columns)
    if name != _DIFFERS:
        return found
    return NotIn(found.column_id, one_value(found.value)) if isinstance(found, Comparison) else Unknown()


def _compared(expression: Expr, literal: Expr, operator: Operator, columns: "_Columns") -> Predicate:
    """A column, or what is cast of one, and a literal."""
    column = _column(expression, columns)
    if column is not None:
        value = _value(literal, column, columns.parameters)
        return Unknown() if value is None else Comparison(column.id, operator, value)
    column = _cast_or_column(expression, columns)
    if column is None:
        return Unknown()
    value = _scalar(literal, column, NO_PARAMETERS)
    if value is None or not value.is_valid or not keeps_order(column.storage, value.type) or _is_nan(value):
        return Unknown()
    return CastComparison(column.id, operator, value)


def _untrue(expression: Expr, columns: "_Columns") -> Predicate:
    """What rows satisfy of which a condition is false, as far as it is a column or joins others."""
    try:
        node = expression.to_variant()
    except Exception:  # noqa: BLE001 - see _predicate
        return Unknown()
    match node:
        case nodes.BinaryExpr() if node.op() == "AND":
            return AnyOf((_untrue(node.left(), columns), _untrue(node.right(), columns)))
        case nodes.BinaryExpr() if node.op() == "OR":
            return AllOf((_untrue(node.left(), columns), _untrue(node.right(), columns)))
        case nodes.BinaryExpr():
            return _opposite(_binary(node, columns), node.op())
        case nodes.Not():
            return _predicate(node.expr(), columns)
        case _:
            return _truth(expression, columns, wanted=False)


def _opposite(found: Predicate, name: str) -> Predicate:
    """Of a comparison of a column, the one that holds where it is false, which it is not for NULL."""
    match found:
        case Comparison(column_id, Operator.EQUAL, value) if name == "=":
            return NotIn(column_id, one_value(value))
        case Comparison(column_id, operator, value) if operator in _OPPOSITE:
            return Comparison(column_id, _OPPOSITE[operator], value)
        case NotIn(column_id, values) if name == _DIFFERS:
            return InSet(column_id, values)
        case _:
            return Unknown()


def _like(node: nodes.Like, columns: "_Columns") -> Predicate:
    """Text that begins with what is before the first wildcard."""
    column = _column(node.expr(), columns)
    if column is None or node.negated() or not pa.types.is_string(column.storage):
        return Unknown()
    pattern = _value(node.pattern(), column, columns.parameters)
    if pattern is None:
        return Unknown()
    wild = _WILDCARDS | {node.escape_char()}
    prefix = "".join(takewhile(lambda letter: letter not in wild, pattern.as_py()))
    if not prefix:
        return IsNotNull(column.id)
    parts = [Comparison(column.id, Operator.GREATER_EQUAL, pa.scalar(prefix))]
    end = after_prefix(prefix)
    if end is not None:
        parts.append(Comparison(column.id, Operator.LESS, pa.scalar(end)))
    return AllOf(tuple(parts))


def _any_of(left: Predicate, right: Predicate) -> Predicate:
    """`a = 1 OR a = 2` is `a IN (1, 2)`, which blooms can answer."""
    match left, right:
        case (Comparison(one, Operator.EQUAL, low), Comparison(two, Operator.EQUAL, high)) if one == two:
            return InSet(one, pa.concat_arrays([one_value(low), one_value(high)]))
        case (Comparison(one, Operator.EQUAL, low), InSet(two, values)) if one == two:
            return InSet(one, pa.concat_arrays([one_value(low), values]))
        case (InSet(one, values), Comparison(two, Operator.EQUAL, high)) if one == two:
            return InSet(one, pa.concat_arrays([values, one_value(high)]))
        case _:
            return AnyOf((left, right))


def _in_list(node: nodes.InList, columns: _Columns) -> Predicate:
    column = _column(node.expr(), columns)
    if column is None:
        return Unknown()
    values = []
    for item in node.list():
        literal = _scalar(item, column, columns.parameters)
        if literal is None or (literal.is_valid and not _is_value(literal, column)):
            return Unknown()
        if literal.is_valid:
            values.append(one_value(literal))
    listed = pa.concat_arrays(values).cast(column.storage) if values else pa.array([], column.storage)
    if node.negated():
        return NotIn(column.id, listed) if len(listed) <= EXCLUDED_MAX else IsNotNull(column.id)
    return InSet(column.id, listed)


def _truth(expression: Expr, columns: _Columns, *, wanted: bool) -> Predicate:
    column = _column(expression, columns)
    if column is None or not pa.types.is_boolean(column.storage):
        return Unknown()
    return Comparison(column.id, Operator.EQUAL, pa.scalar(wanted))


def _column(expression: Expr, columns: _Columns) -> Column | None:
    try:
        node = expression.to_variant()
    except Exception:  # noqa: BLE001 - see _predicate
        return None
    return columns.by_name.get(node.name()) if isinstance(node, nodes.Column) else None


def _cast_or_column(expression: Expr, columns: _Columns) -> Column | None:
    """The column that an expression is, or is a cast of."""
    try:
        node = expression.to_variant()
    except Exception:  # noqa: BLE001 - see _predicate
        return None
    return _column(node.expr() if isinstance(node, nodes.Cast) else expression, columns)


def _is_nan(value: pa.Scalar) -> bool:
    return pa.types.is_floating(value.type) and math.isnan(value.as_py())


def _scalar(expression: Expr, column: Column, parameters: Parameters) -> pa.Scalar | None:
    """A literal, or the value of a placeholder that is compared with a column."""
    try:
        node = expression.to_variant()
        if isinstance(node, nodes.Placeholder):
            return _bound(parameters.get(node.id().removeprefix("$")), column)
        if not isinstance(node, nodes.Literal):
            return None
        found = expression.python_value()
    except Exception:  # noqa: BLE001 - see _predicate
        return None
    return found if isinstance(found, pa.Scalar) else pa.scalar(found)


def _bound(value: pa.Scalar | None, column: Column) -> pa.Scalar | None:
    """A parameter as a value of the column, where comparing it with the column says the same as the engine would."""
    if value is None or value.type == column.storage or not pa.types.is_integer(value.type):
        return value
    stored = column.storage
    if not (pa.types.is_integer(stored) or pa.types.is_decimal(stored) or pa.types.is_floating(stored)):
        return value
    return value.cast(stored)  # which raises where digits would be lost


def _value(expression: Expr, column: Column, parameters: Parameters) -> pa.Scalar | None:
    """A literal that the column is compared with, as the column stores it; None for NULL, and where none is known."""
    found = _scalar(expression, column, parameters)
    if found is None or not found.is_valid or not _is_value(found, column):
        return None
    return found.cast(column.storage)


def _is_value(literal: pa.Scalar, column: Column) -> bool:
    """Tell whether a literal is one of the column's own values: the plan has brought both to one type, with an order.

    NaN is not: engines differ in where it stands.
    """
    if _STORED.get(literal.type, literal.type) != column.storage or not has_order(column.storage):
        return False
    return not (literal.is_valid and _is_nan(literal))


_STORED = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
"""The types of literals whose columns have another one in storage."""
