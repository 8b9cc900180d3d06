"""What a plan of the engine says, read from its objects: scans, joins, columns. Never from how it prints itself.

The library has no class for some nodes and expressions, and raises for those: what cannot be read counts as unknown,
which keeps every batch and takes the careful path.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from datafusion import DataFrame, Expr
from datafusion import expr as nodes
from datafusion.plan import LogicalPlan

from providers.engine.errors import engine_errors

_MULTIPLYING = (nodes.Join, nodes.RecursiveQuery, nodes.Unnest, nodes.Subquery)
"""Parts of a plan that may make many more rows than they read."""

_PASSING = (nodes.Projection, nodes.SubqueryAlias)
"""Parts that pass the rows of their input on, one by one."""

_KEPT_SIDES = {"Left": (0,), "Right": (1,), "Full": (0, 1)}
"""Outer joins, and the sides of which they keep every row: the engine pushes conditions into those."""

_ASKED_SIDES = _KEPT_SIDES | {
    **dict.fromkeys(("LeftSemi", "LeftAnti", "LeftMark"), (0,)),
    **dict.fromkeys(("RightSemi", "RightAnti", "RightMark"), (1,)),
}
"""The same of all joins that hand conditions on, and check none of them themselves."""

Plan = LogicalPlan
"""What the engine is going to do."""

_LEAVES = (nodes.Column, nodes.Literal, nodes.Placeholder)


@dataclass(frozen=True)
class Scan:
    """One scan of a table in a plan, by the name that the plan's storage gave it, with its filters."""

    table: str
    filters: tuple[Expr, ...]


class MadeKey(NamedTuple):
    """What a join compares of the rows of one of its sides."""

    key: Expr
    side: LogicalPlan


SERIES_SCAN = "generate_series()"
"""How the engine calls the scan of the rows that a function makes of nothing."""


@dataclass(frozen=True)
class JoinSide:
    """A side of a join: the tables that are scanned in it, and the columns by whose values it is joined."""

    scanned: tuple[str, ...]
    columns: frozenset[str]


@dataclass(frozen=True)
class PlanFacts:
    """What an optimized plan does.

    `multiplies` says that it may make many more rows than it reads. `mixes_names` says that it checks conditions above
    an outer join by columns whose names both of its sides have, and nothing keeps those from the sides; `joins_by_more`
    that a join has conditions beside its keys, `joins_by_constants` that a key of one is a constant. `shares_windows`
    says that windows have turned out to be equal, and that the engine has put the one that is left where it cannot run
    it. `made_keys` are those that are no columns as they are stored. `joins` has both sides of each join.
    """

    scans: tuple[Scan, ...]
    multiplies: bool
    mixes_names: bool
    joins_by_more: bool
    joins_by_constants: bool
    shares_windows: bool
    made_keys: tuple[MadeKey, ...]
    joins: tuple[tuple[JoinSide, JoinSide], ...]


def optimized(frame: DataFrame) -> LogicalPlan:
    """The plan of a frame as it would run."""
    with engine_errors():
        return frame.optimized_logical_plan()


def variant(node: Expr | LogicalPlan) -> Any:
    """The class of a node, or None where the library has none."""
    try:
        return node.to_variant()
    except Exception:  # noqa: BLE001 - bindings raise what they like
        return None


def facts(plan: LogicalPlan, hidden: Sequence[LogicalPlan] = ()) -> PlanFacts:
    """Read an optimized plan. Sub-queries have become joins, but for those that are values: nothing shows those.

    Some are `hidden` in it: of these it is told what the engine would get wrong, and not what they scan.
    """
    scans: list[Scan] = []
    joins: list[tuple[JoinSide, JoinSide]] = []
    multiplies = mixes_names = joins_by_more = joins_by_constants = shares_windows = False
    made_keys: list[MadeKey] = []
    for inner in map(facts, hidden):
        mixes_names |= inner.mixes_names
        joins_by_more |= inner.joins_by_more
        joins_by_constants |= inner.joins_by_constants
        shares_windows |= inner.shares_windows
        made_keys += inner.made_keys
    for part in walk(plan):
        node = variant(part)
        if isinstance(node, nodes.TableScan):
            scans.append(Scan(node.fqn()[2], tuple(node.filters())))
        multiplies |= node is None or isinstance(node, _MULTIPLYING)
        mixes_names |= isinstance(node, nodes.Filter) and _mixes_names(part)
        shares_windows |= isinstance(node, nodes.Projection) and any(map(is_window, node.projections()))
        if isinstance(node, nodes.Join):
            joins_by_more |= bool(node.on()) and node.filter() is not None
            joins_by_constants |= any(map(_is_constant, _keys(node, part)))
            made_keys += [made for made in _keys(node, part) if not _is_stored(made.key, made.side)]
            joins.append(_sides(part, node.on()))
    is_many = multiplies or len(scans) > 1
    return PlanFacts(
        tuple(scans),
        is_many,
        mixes_names,
        joins_by_more,
        joins_by_constants,
        shares_windows,
        tuple(made_keys),
        tuple(joins),
    )


def is_window(item: Expr) -> bool:
    """Tell whether an item is a window itself, which only a node for windows can run."""
    node = variant(item)
    named = node.expr() if isinstance(node, nodes.Alias) else item
    return bool(named.variant_name() == "WindowFunction")


def _keys(join: nodes.Join, plan: LogicalPlan) -> Iterator[MadeKey]:
    for pair in join.on():
        yield from (MadeKey(Expr(key), side) for key, side in zip(pair, plan.inputs(), strict=True))


def _sides(join: LogicalPlan, keys: Sequence[tuple[Expr, Expr]]) -> tuple[JoinSide, JoinSide]:
    left, right = join.inputs()
    return _side(left, [mine for mine, _ in keys]), _side(right, [mine for _, mine in keys])


def _side(plan: LogicalPlan, keys: Sequence[Expr]) -> JoinSide:
    found = [node for node in map(variant, walk(plan)) if isinstance(node, nodes.TableScan)]
    columns = [node for node in map(variant, keys) if isinstance(node, nodes.Column)]
    return JoinSide(tuple(node.fqn()[2] for node in found), frozenset(node.name() for node in columns))


def walk(plan: LogicalPlan) -> Iterator[LogicalPlan]:
    """A plan and everything below it."""
    yield plan
    for part in plan.inputs():
        yield from walk(part)


def _mixes_names(condition: LogicalPlan) -> bool:
    """Tell whether a condition stands on an outer join, and asks for a column whose name both of its sides have."""
    below = condition.inputs()[0]
    asked = _asked(variant(condition).predicate())
    while isinstance(variant(below), _PASSING):
        asked = asked if _passes_names(below) else None
        below = below.inputs()[0]
    join = variant(below)
    if not isinstance(join, nodes.Join) or str(join.join_type()) not in _KEPT_SIDES or _are_fenced(below):
        return False
    left, right = map(column_names, below.inputs())
    if left is None or right is None:
        return True
    both = left & right
    return not both.isdisjoint(both if asked is None else asked)


def _asked(condition: Expr) -> set[str] | None:
    """The bare names of the columns that a condition asks for; None where it does not tell."""
    found: set[str] = set()
    waiting = [condition]
    while waiting:
        part = waiting.pop()
        node = variant(part)
        if isinstance(node, nodes.Column):
            found.add(node.name())
            continue
        inner = operands(part)
        if not inner and not isinstance(node, nodes.Literal):
            return None
        waiting += inner
    return found


def _passes_names(part: LogicalPlan) -> bool:
    """Tell whether a part of a plan calls columns as what is below it does."""
    node = variant(part)
    return not isinstance(node, nodes.Projection) or all(
        isinstance(variant(item), nodes.Column) for item in node.projections()
    )


def _are_fenced(join: LogicalPlan) -> bool:
    """Tell whether no condition gets through the sides of a join to which it hands them on."""
    sides = join.inputs()
    return all(_is_fenced(sides[place]) for place in _ASKED_SIDES[str(variant(join).join_type())])


def _is_fenced(side: LogicalPlan) -> bool:
    """Tell whether a side of a join is a cross join with something that has no columns, or joins of such sides."""
    while isinstance(variant(side), _PASSING):
        side = side.inputs()[0]
    join = variant(side)
    if not isinstance(join, nodes.Join):
        return False
    if str(join.join_type()) in _ASKED_SIDES:
        return _are_fenced(side)
    is_cross = not join.on() and join.filter() is None
    return is_cross and column_names(side.inputs()[0]) == set()


def _is_stored(value: Expr, plan: LogicalPlan) -> bool:
    """Tell whether a value of a plan's rows is surely a column of a table, or a cast of one."""
    return set(_made_as(value, plan)) == {nodes.TableScan}


def _is_constant(key: MadeKey) -> bool:
    """Tell whether a key is a constant, at least of some rows."""
    return nodes.Literal in _made_as(key.key, key.side)


def _made_as(value: Expr, plan: LogicalPlan) -> Iterator[type]:
    """What a value of a plan's rows is where it is made: a TableScan for what is stored; several after a union."""
    found = variant(value)
    if isinstance(found, nodes.Alias | nodes.Cast):
        yield from _made_as(found.expr(), plan)
    elif isinstance(found, nodes.Column):
        yield from _column_made_as(found.name(), plan)
    else:
        yield type(found)


def _column_made_as(name: str, plan: LogicalPlan) -> Iterator[type]:
    node, inputs = variant(plan), plan.inputs()
    match node:
        case nodes.TableScan():
            yield nodes.TableScan
        case nodes.Projection() | nodes.Aggregate():
            items = node.projections() if isinstance(node, nodes.Projection) else node.group_by_exprs()
            for item in (item for item in items if _name(item) == name):
                yield from _made_as(item, inputs[0])
        case nodes.Union() | nodes.Join() | nodes.SubqueryAlias() | nodes.Filter() | nodes.Sort() | nodes.Limit():
            is_union = isinstance(node, nodes.Union)
            for side in (side for side in inputs if is_union or name in (column_names(side) or {name})):
                yield from _column_made_as(name, side)
        case _:
            yield type(node)


def column_names(plan: LogicalPlan) -> set[str] | None:
    """The bare names of a plan's columns; None where they cannot be read."""
    node = variant(plan)
    match node:
        case nodes.TableScan():
            return {name for _, name in node.projection()}
        case nodes.Projection():
            return {_name(item) for item in node.projections()}
        case nodes.Aggregate():
            return {_name(item) for item in (*node.group_by_exprs(), *node.aggregate_exprs())}
        case nodes.Join() | nodes.SubqueryAlias() | nodes.Filter() | nodes.Sort() | nodes.Limit():
            sides = [column_names(side) for side in plan.inputs()]
            return None if None in sides else set().union(*(side for side in sides if side is not None))
    return None


def _name(item: Expr) -> str:
    return str(item.schema_name()).rpartition(".")[2]


def operands(expression: Expr) -> list[Expr]:
    """The expressions right within another."""
    if isinstance(variant(expression), _LEAVES):
        return []
    try:
        return list(expression.rex_call_operands())
    except Exception:  # noqa: BLE001 - some have none to show
        return []
