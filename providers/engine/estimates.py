"""Where the engine must not estimate how many rows pass a filter.

DataFusion 55 takes the range of a column, from the statistics of its files, through the casts of a filter and back.
Back through a cast that lost digits, the range may come out wider than it went in; the share of rows is then above 1,
and the query fails, as with `ts >= CAST(ts AS DATE)` and `CAST(x AS INT) = x`. Without statistics it does not try. The
rows are the same; a join may choose the worse of its two orders.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
from datafusion import Expr
from datafusion import expr as nodes
from datafusion.common import SqlType
from datafusion.plan import LogicalPlan

from catalog.definition import TableDef
from providers.engine.plans import operands, variant, walk

_Types = Mapping[str, Collection[pa.DataType]]
"""The types of the columns of each name."""


def casts_lose(plan: LogicalPlan, tables: Iterable[TableDef]) -> bool:
    """Tell whether a filter of an optimized plan over `tables` casts to a type that may not hold all values."""
    types: dict[str, set[pa.DataType]] = defaultdict(set)
    for table in tables:
        for column in table.columns:
            types[column.name].add(column.storage)
    return any(_loses(condition, types) for condition in _conditions(plan))


def _conditions(plan: LogicalPlan) -> Iterator[Expr]:
    for part in walk(plan):
        node = variant(part)
        yield from _CONDITIONS_OF.get(type(node), lambda _: [])(node)


_CONDITIONS_OF: dict[type, Callable[[Any], Iterable[Expr]]] = {
    nodes.TableScan: lambda node: node.filters(),
    nodes.Filter: lambda node: [node.predicate()],
    nodes.Join: lambda node: [node.filter()] if node.filter() is not None else [],
}


def _loses(expression: Expr, types: _Types) -> bool:
    node = variant(expression)
    if isinstance(node, nodes.Cast) and not _keeps(node.expr(), expression, types):
        return True
    return any(_loses(operand, types) for operand in operands(expression))


def _keeps(operand: Any, cast: Expr, types: _Types) -> bool:
    """Tell whether a cast of a plain column holds all its values."""
    column = variant(operand)
    if not isinstance(column, nodes.Column):
        return False
    try:
        target = cast.types().sql_type
    except Exception:  # noqa: BLE001 - the library has no name for some types
        return False
    found = types.get(column.name(), ())
    return bool(found) and any(target == kind and all(map(holds, found)) for kind, holds in _HOLDS)


def _is_in_float32(data_type: pa.DataType) -> bool:
    is_number = pa.types.is_integer(data_type) and data_type.bit_width <= 16
    return bool(is_number or pa.types.is_float16(data_type) or pa.types.is_float32(data_type))


_HOLDS: tuple[tuple[SqlType, Callable[[pa.DataType], bool]], ...] = (
    (SqlType.BIGINT, pa.types.is_integer),
    (SqlType.DECIMAL, pa.types.is_integer),
    (SqlType.FLOAT, _is_in_float32),
    (SqlType.DATE, pa.types.is_date),
)
"""The library calls DOUBLE a FLOAT and TIMESTAMP a DATE."""
