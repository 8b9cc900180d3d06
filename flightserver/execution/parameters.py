"""Types of parameters, as far as a statement tells them, and values bound to them.

A parameter has the type of the column that it is compared or combined with, of the column that it is assigned to, or
BIGINT as a limit; elsewhere clients are offered text, which can carry any value.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa
from datafusion import Expr
from datafusion import expr as nodes
from datafusion.plan import LogicalPlan

from catalog.errors import DatabaseError, ErrorKind
from providers.rows.offered import decode

UNKNOWN_TYPE = pa.string()

_LIMITS = re.compile(r"(?:skip|fetch)=\$(\d+)")
"""Parameters of LIMIT and OFFSET, which the library's plan nodes do not show."""

ColumnTypes = Mapping[str, pa.DataType]


def plan_parameter_types(plan: LogicalPlan, columns: ColumnTypes) -> dict[int, pa.DataType]:
    """Types of the parameters in an unoptimized plan. `columns` are the types of the columns that it may name."""
    types: dict[int, pa.DataType] = {}
    for expression in _expressions(plan):
        for number, found in _hints(expression, columns):
            types.setdefault(number, found)
    for number in _LIMITS.findall(plan.display_indent()):
        types.setdefault(int(number), pa.int64())
    return types


def parameter_schema(count: int, types: Mapping[int, pa.DataType]) -> pa.Schema:
    """The schema of one row of parameters."""
    return pa.schema([pa.field(f"${number}", types.get(number, UNKNOWN_TYPE)) for number in range(1, count + 1)])


def bound_rows(bound: pa.Table, count: int) -> Iterator[dict[str, pa.Scalar]]:
    """Each row of bound parameters, by number."""
    check_bound(bound, count)
    bound = comparable(bound)
    for row in range(bound.num_rows):
        yield {str(number + 1): bound.column(number)[row] for number in range(count)}


def comparable(bound: pa.Table) -> pa.Table:
    """The parameters as the engine takes them: UUIDs are text, dictionaries their values, missing fields are typed."""
    for number, field in enumerate(bound.schema):
        values = bound.column(number)
        if field.type == pa.uuid():
            texts = [None if value is None else str(value) for value in values.to_pylist()]
            bound = bound.set_column(number, field.name, pa.array(texts, pa.string()))
        elif pa.types.is_dictionary(field.type):
            bound = bound.set_column(number, field.name, decode(values))
        elif pa.types.is_struct(field.type) or pa.types.is_list(field.type):
            bound = bound.set_column(number, field.name, values.cast(_typed(field.type)))
    return bound


def _typed(data_type: pa.DataType) -> pa.DataType:
    """The type with text inside where Python gave nothing but None."""
    if pa.types.is_struct(data_type):
        return pa.struct([(field.name, _typed(field.type)) for field in data_type])
    if pa.types.is_list(data_type):
        return pa.list_(_typed(data_type.value_type))
    return UNKNOWN_TYPE if pa.types.is_null(data_type) else data_type


def check_bound(bound: pa.Table, count: int) -> None:
    """Raise INVALID unless `bound` has a column for every parameter."""
    if bound.num_columns != count:
        raise DatabaseError(
            ErrorKind.INVALID, f"the statement has {count} parameters, but {bound.num_columns} were bound"
        )


def _hints(expression: Expr, columns: ColumnTypes) -> Iterator[tuple[int, pa.DataType]]:
    """Parameters with their types, from an expression and everything in it."""
    operands = _operands(expression)
    known = next((columns[name] for name in map(_column_name, operands) if name and name in columns), None)
    for operand in operands:
        number = _parameter_number(operand)
        if number is not None and known is not None:
            yield number, known
        yield from _hints(operand, columns)


def _variant(node: Expr | LogicalPlan) -> Any:
    """The node's class, or None: the library has no class for some nodes, and raises for those."""
    try:
        return node.to_variant()
    except Exception:  # noqa: BLE001
        return None


def _operands(expression: Expr) -> list[Expr]:
    if isinstance(_variant(expression), nodes.Column | nodes.Literal | nodes.Placeholder):
        return []
    try:
        return list(expression.rex_call_operands())
    except Exception:  # noqa: BLE001 - some nodes have no operands to show
        return []


def _column_name(expression: Expr) -> str | None:
    node = _variant(expression)
    return node.name() if isinstance(node, nodes.Column) else None


def _parameter_number(expression: Expr) -> int | None:
    node = _variant(expression)
    return int(node.id().lstrip("$")) if isinstance(node, nodes.Placeholder) else None


_EXPRESSIONS_OF: dict[type, Callable[[Any], list[Expr]]] = {
    nodes.Filter: lambda node: [node.predicate()],
    nodes.Projection: lambda node: list(node.projections()),
    nodes.TableScan: lambda node: list(node.filters()),
    nodes.Aggregate: lambda node: [*node.group_by_exprs(), *node.aggregate_exprs()],
}


def _expressions(plan: LogicalPlan) -> Iterator[Expr]:
    node = _variant(plan)
    listed = _EXPRESSIONS_OF.get(type(node))
    if listed is not None:
        yield from listed(node)
    for child in plan.inputs():
        yield from _expressions(child)
