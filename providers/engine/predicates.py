"""From the filters that DataFusion pushed down to a table scan, to predicates that can rule out batches.

The filters come from an optimized plan: constants are folded, literals have the column's type, and every filter of a
scan holds for every row that the query can use. What has no counterpart becomes `Unknown`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from datafusion import Expr
from datafusion import expr as nodes

from catalog.definition import SEQ, Column, TableDef
from manifest.predicate import (
    AllOf,
    AnyOf,
    Comparison,
    InSet,
    IsNotNull,
    IsNull,
    Operator,
    Predicate,
    Unknown,
    one_value,
)
from manifest.ranges import has_order

_OPERATORS = {operator.value: operator for operator in Operator}
_MIRRORED = {
    Operator.EQUAL: Operator.EQUAL,
    Operator.LESS: Operator.GREATER,
    Operator.LESS_EQUAL: Operator.GREATER_EQUAL,
    Operator.GREATER: Operator.LESS,
    Operator.GREATER_EQUAL: Operator.LESS_EQUAL,
}


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
        case nodes.Not():
            return _truth(node.expr(), columns, wanted=False)
        case _:
            return Unknown()


def _binary(node: nodes.BinaryExpr, columns: _Columns) -> Predicate:
    match node.op():
        case "AND":
            return AllOf((_predicate(node.left(), columns), _predicate(node.right(), columns)))
        case "OR":
            return _any_of(_predicate(node.left(), columns), _predicate(node.right(), columns))
    operator = _OPERATORS.get(node.op())
    if operator is None:
        return Unknown()
    column, literal = _column(node.left(), columns), node.right()
    if column is None:
        column, literal, operator = _column(node.right(), columns), node.left(), _MIRRORED[operator]
    value = None if column is None else _value(literal, column, columns.parameters)
    return Unknown() if column is None or value is None else Comparison(column.id, operator, value)


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
    if column is None or node.negated():
        return Unknown()
    values = []
    for item in node.list():
        literal = _scalar(item, column, columns.parameters)
        if literal is None or (literal.is_valid and not _is_value(literal, column)):
            return Unknown()
        if literal.is_valid:
            values.append(one_value(literal))
    if not values:
        return InSet(column.id, pa.array([], column.storage))
    return InSet(column.id, pa.concat_arrays(values).cast(column.storage))


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
    return not (pa.types.is_floating(literal.type) and literal.is_valid and math.isnan(literal.as_py()))


_STORED = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
"""The types of literals whose columns have another one in storage."""
