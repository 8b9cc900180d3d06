"""Which table each column of a query's result is a plain column of, for drivers that show or edit it.

The engine's unoptimized plan over shapes tells: there every scan stands for a table, names are qualified, and nothing
is folded or moved yet, so that a query that is only described has the same origins as one that runs. What is computed,
or comes from several tables as a UNION does, has none. Writable is what stands for one row of a table that the query
names itself: neither columns of a view, nor those that many rows share, nor those that the system keeps.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from datafusion import Expr
from datafusion import expr as nodes
from datafusion.plan import LogicalPlan

from catalog.definition import DELETED_COLUMN, SEQ_COLUMN, TableDef
from catalog.identifiers import TableName


@dataclass(frozen=True)
class Origin:
    """The table that a column of a result is a plain column of, and whether that can be changed through it."""

    table: TableName
    is_writable: bool


Origins = Sequence[Origin | None]
"""The origin of each column of a result, in order; None where there is none."""

Scanned = Mapping[str, Mapping[str, Origin]]
"""The columns of tables, by the name of their scans."""

_Output = tuple[str | None, str]
"""How a node's column is called: by its relation, where it has one, and by its name."""

_PLAIN_DISTINCT = "Distinct:"
"""How DISTINCT without ON shows itself, which selects nothing by itself."""

_Outputs = dict[_Output, Origin | None]


def columns_of(table: TableDef, *, is_writable: bool) -> dict[str, Origin]:
    """A table's columns, which may be writable, and the system's, which never are."""
    own = {column.name: Origin(table.name, is_writable) for column in table.columns}
    return own | dict.fromkeys((SEQ_COLUMN, DELETED_COLUMN), Origin(table.name, is_writable=False))


def origins(plan: LogicalPlan, names: Sequence[str], scanned: Scanned) -> Origins:
    """The origins of the columns `names` that a plan returns; `scanned` are the tables that it may scan."""
    outputs = _outputs(plan, scanned)
    known = [name for _, name in outputs] == list(names)
    return list(outputs.values()) if known else [None] * len(names)


def _outputs(plan: LogicalPlan, scanned: Scanned) -> _Outputs:
    """The columns of a node, in order, as far as it is known to have any."""
    try:
        node = plan.to_variant()
    except Exception:  # noqa: BLE001 - the library has no class for some nodes
        return {}
    if isinstance(node, nodes.Distinct) and plan.display() != _PLAIN_DISTINCT:
        return {}
    find = _OUTPUTS_OF.get(type(node))
    return find(node, [_outputs(part, scanned) for part in plan.inputs()], scanned) if find else {}


def _of_scan(node: Any, _: list[_Outputs], scanned: Scanned) -> _Outputs:
    _, schema, name = node.fqn()
    columns = scanned.get(name, {}) if schema is not None else {}  # a recursive query scans itself by a name alone
    return {(None, name): origin for name, origin in columns.items()}


def _of_alias(node: Any, inputs: list[_Outputs], _: Scanned) -> _Outputs:
    alias = node.alias()
    return {(alias, name): origin for (_, name), origin in inputs[0].items()}


def _of_projection(node: Any, inputs: list[_Outputs], _: Scanned) -> _Outputs:
    return dict(_selected(node.projections(), inputs[0]))


def _of_aggregate(node: Any, inputs: list[_Outputs], _: Scanned) -> _Outputs:
    """Groups are columns; the names of aggregates are no columns' names."""
    return _shared(dict(_selected(node.group_by_exprs(), inputs[0])))


def _of_distinct(_: Any, inputs: list[_Outputs], __: Scanned) -> _Outputs:
    return _shared(inputs[0])


def _shared(outputs: _Outputs) -> _Outputs:
    """The columns of rows that stand for many."""
    return {called: origin and replace(origin, is_writable=False) for called, origin in outputs.items()}


def _of_join(node: Any, inputs: list[_Outputs], _: Scanned) -> _Outputs:
    kind = str(node.join_type())
    left, right = inputs
    if kind.startswith("Left") and kind != "Left":
        return left
    return right if kind.startswith("Right") and kind != "Right" else {**left, **right}


def _same(_: Any, inputs: list[_Outputs], __: Scanned) -> _Outputs:
    return inputs[0]


_OUTPUTS_OF: dict[type, Callable[[Any, list[_Outputs], Scanned], _Outputs]] = {
    nodes.TableScan: _of_scan,
    nodes.SubqueryAlias: _of_alias,
    nodes.Projection: _of_projection,
    nodes.Aggregate: _of_aggregate,
    nodes.Join: _of_join,
    nodes.Distinct: _of_distinct,
    nodes.Filter: _same,
    nodes.Sort: _same,
    nodes.Limit: _same,
    nodes.WindowExpr: _same,
    nodes.Subquery: _same,
}


def _selected(items: Sequence[Expr], below: _Outputs) -> Iterator[tuple[_Output, Origin | None]]:
    """What each item is called, and where it comes from."""
    for item in items:
        # Only these two are asked for: bindings do not convert every expression.
        alias = item.to_variant().alias() if item.variant_name() == "Alias" else None
        named = item.to_variant().expr() if alias is not None else item
        column = named.to_variant() if named.variant_name() == "Column" else None
        called = (column.relation(), column.name()) if column is not None else (None, named.schema_name())
        yield (called if alias is None else (None, alias)), below.get(called) if column is not None else None
