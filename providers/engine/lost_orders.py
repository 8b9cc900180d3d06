"""Orders that the engine takes for given although they are not.

DataFusion 55 knows which columns have one value in what it reads, as `x` where `x = 5` is asked for, and leaves them
out of what is to be sorted. It goes on to know that above an outer join, where such a column of the optional side is
NULL besides: rows come unsorted, windows are cut at the wrong rows. What would be sorted by such *half constant*
columns is told here, by the plan's objects.

Not told: columns that have one value by the bounds of what is read alone.
"""

from collections.abc import Iterator
from typing import NamedTuple

from datafusion import Expr
from datafusion import expr as nodes
from datafusion.plan import LogicalPlan

from providers.engine.plans import is_window, operands, variant, walk

_OPTIONAL_SIDES = {"Left": (1,), "Right": (0,), "Full": (0, 1)}
_LEFT_ALONE = ("LeftSemi", "LeftAnti", "LeftMark")
_RIGHT_ALONE = ("RightSemi", "RightAnti", "RightMark")
_ORDERED_AGGREGATES = frozenset({"array_agg", "string_agg", "first_value", "last_value", "nth_value"})
_CONSTANTS = (nodes.Literal, nodes.Placeholder)


class _Name(NamedTuple):
    """A column by its qualifier; of one that is not `whole`, an expression with it has one value."""

    relation: str
    name: str
    whole: bool = True


class _Known(NamedTuple):
    """What has one value, and what has one or is NULL."""

    constant: frozenset[_Name] = frozenset()
    half: frozenset[_Name] = frozenset()


def lost_order(plan: LogicalPlan) -> str | None:
    """The first thing that an optimized plan sorts by, and that the engine would leave out; None when all is well."""
    is_outer = (isinstance(node, nodes.Join) and str(node.join_type()) in _OPTIONAL_SIDES for node in _nodes(plan))
    if not any(is_outer):
        return None
    found: list[str] = []
    _know(plan, found)
    return found[0] if found else None


def _nodes(plan: LogicalPlan) -> Iterator[object]:
    return (variant(part) for part in walk(plan))


def _know(plan: LogicalPlan, found: list[str]) -> _Known:
    below = [_know(part, found) for part in plan.inputs()]
    known = _Known(
        frozenset().union(*(part.constant for part in below)), frozenset().union(*(part.half for part in below))
    )
    node = variant(plan)
    match node:
        case nodes.TableScan():
            return _Known(frozenset().union(*map(_fixed, node.filters())))
        case nodes.Filter():
            fixed = _fixed(node.predicate())
            return _Known(known.constant | fixed, known.half - fixed)
        case nodes.SubqueryAlias():
            return _Known(*(frozenset(name._replace(relation=node.alias()) for name in some) for some in known))
        case nodes.Projection():
            return _projected(node.projections(), known)
        case nodes.Join():
            return _joined(str(node.join_type()), below)
        case nodes.Sort():
            _check((key.expr() for key in node.sort_exprs()), known, found)
        case nodes.WindowExpr():
            for window in filter(is_window, node.get_window_expr()):  # of equal ones, one is what another is called
                _check((key.expr() for key in node.get_sort_exprs(window)), known, found)
                _check(node.get_partition_exprs(window), known, found)
        case nodes.Aggregate():
            is_ordered = [item for item in node.aggregate_exprs() if _is_ordered(item, node)]
            if known.half and is_ordered:
                found.append(str(is_ordered[0].schema_name()))
        case nodes.Union():
            return _united(below)
    return known


def _joined(kind: str, below: list[_Known]) -> _Known:
    left, right = below
    both = left.half | right.half
    if kind in _LEFT_ALONE:
        return left
    if kind in _RIGHT_ALONE:
        return right
    optional = [below[place].constant for place in _OPTIONAL_SIDES.get(kind, ())]
    kept = [below[place].constant for place in (0, 1) if place not in _OPTIONAL_SIDES.get(kind, ())]
    return _Known(frozenset().union(*kept), both.union(*optional))


def _united(below: list[_Known]) -> _Known:
    """By bare names, as all of the parts have them."""
    parts = [{name.name for name in part.constant | part.half if name.whole} for part in below]
    half = {name.name for part in below for name in part.half if name.whole}
    known = set.intersection(*parts) if parts else set()
    return _Known(*(frozenset(_Name("", name) for name in some) for some in (known - half, known & half)))


def _projected(items: list[Expr], known: _Known) -> _Known:
    constant, half = set(), set()
    for item in items:
        node = variant(item)
        inner = node.expr() if isinstance(node, nodes.Alias) else item
        made = _name_of(item)
        if _has_one_value(inner, known.constant):
            constant.add(made)
        elif _is_half(inner, known):
            half.add(made)
        if isinstance(variant(inner), nodes.Column):
            partly = _name_of(inner)._replace(whole=False)
            for some, below in ((constant, known.constant), (half, known.half)):
                if partly in below:
                    some.add(made._replace(whole=False))
    return _Known(frozenset(constant), frozenset(half))


def _has_one_value(value: Expr, constant: frozenset[_Name]) -> bool:
    columns = list(_columns(value))
    if not columns:
        return isinstance(variant(value), _CONSTANTS)
    return _are_known(value, columns, constant)


def _is_half(value: Expr, known: _Known) -> bool:
    columns = list(_columns(value))
    is_touched = any(column in known.half or column._replace(whole=False) in known.half for column in columns)
    return is_touched and _are_known(value, columns, known.constant | known.half)


def _are_known(value: Expr, columns: list[_Name], known: frozenset[_Name]) -> bool:
    if isinstance(variant(value), nodes.Column):
        return columns[0] in known
    return all(column in known or column._replace(whole=False) in known for column in columns)


def _columns(value: Expr) -> Iterator[_Name]:
    if isinstance(variant(value), nodes.Column):
        yield _name_of(value)
    for inner in operands(value):
        yield from _columns(inner)


def _name_of(item: Expr) -> _Name:
    node = variant(item)
    if isinstance(node, nodes.Column):
        return _Name(str(node.relation() or ""), str(node.name()))
    return _Name("", str(item.schema_name()))


def _fixed(condition: Expr) -> frozenset[_Name]:
    """What a condition leaves one value of."""
    node = variant(condition)
    if not isinstance(node, nodes.BinaryExpr):
        return frozenset()
    sides = node.left(), node.right()
    if str(node.op()).upper() == "AND":
        return _fixed(sides[0]) | _fixed(sides[1])
    if str(node.op()) != "=":
        return frozenset()
    found: set[_Name] = set()
    for side, other in (sides, sides[::-1]):
        if not list(_columns(other)):
            is_column = isinstance(variant(side), nodes.Column)
            found |= {name._replace(whole=is_column) for name in _columns(side)}
    return frozenset(found)


def _check(keys: Iterator[Expr], known: _Known, found: list[str]) -> None:
    found += [str(key.schema_name()) for key in keys if _is_half(key, known)]


def _is_ordered(item: Expr, node: nodes.Aggregate) -> bool:
    """Tell whether an aggregate may have an order of its own; the library shows no more of it than its name."""
    aggregate = variant(item)
    inner = aggregate.expr() if isinstance(aggregate, nodes.Alias) else item
    try:
        name = str(node.agg_func_name(inner))
    except Exception:  # noqa: BLE001 - bindings raise what they like
        return True
    return name in _ORDERED_AGGREGATES and "ORDER BY" in str(item.schema_name())
