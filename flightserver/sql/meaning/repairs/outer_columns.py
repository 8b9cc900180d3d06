"""Columns of an outer query where DataFusion does not find them: two levels out, or in more than an equality.

It ties a sub-query that is a value to the query around it by equalities of its own columns alone, and finds columns one
level out. So a sub-query gets the values of an outer column as a source of its own, and asks for the one of the outer
row. NULL is a value among them, so they are compared as texts in which NULL has a word. The texts are a column of that
source, so that it is an equality that ties. Of an outer query that reads one table, only the values of rows that it
asks for are handed in, as far as its condition has no calls and no sub-queries.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from catalog.identifiers import quote_identifier
from flightserver.sql.meaning.aggregates import aggregates_all, is_aggregate
from flightserver.sql.meaning.places import Place, place_of
from flightserver.sql.meaning.scopes import Origin, Scope, Visit
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

LEVELS = 2
"""How far out a column may lie."""

_TOO_FAR = "a sub-query may not use columns of a query three levels out; write a join"

_OF_GROUPS = (
    "a sub-query may not use a column of the query around it beside its own groups or aggregates;"
    " use it in the condition, or in the query around"
)


@dataclass
class _Handed:
    """What a SELECT gets of one origin: columns by their place."""

    select: tree.Select
    origin: Origin
    around: Scope
    called: str
    columns: dict[str, int] = field(default_factory=dict)

    def value(self, column: str) -> str:
        """What is written in the place of a column."""
        number = self.columns.setdefault(column, len(self.columns) + 1)
        return f"{self.called}.{quote_identifier(f'$value {number}')}"


def repair(writing: Writing) -> None:
    """Hand columns in, one level at a time."""
    handed: dict[tuple[int, int], _Handed] = {}
    loose = _Loose(writing)
    for name, found in writing.of_kind(tree.Name):
        path = _path(name, found, loose)
        if path is None:
            continue
        between, origin, around, levels = path
        if levels > LEVELS:
            raise writing.unsupported(name, _TOO_FAR)
        if _is_of_groups(found, between):
            raise writing.unsupported(name, _OF_GROUPS)
        if between.select is None or between.select.from_start is None or not _can_be_read_again(origin):
            raise writing.unsupported(name, _refusal(found, between))
        key = id(between), id(origin)
        if key not in handed:
            called = quote_identifier(f"$outer {len(handed) + 1}")
            handed[key] = _Handed(between.select, origin, around, called)
        writing.edits.span(name.start, name.end, handed[key].value(name.parts[-1]))
    conditions: dict[int, tuple[tree.Select, list[str]]] = {}
    for one in handed.values():
        _hand_in(writing, one)
        conditions.setdefault(id(one.select), (one.select, []))[1].extend(_ties(one))
    for select, written in conditions.values():
        _ask(writing, select, " AND ".join(written))


def _is_of_groups(found: Visit, between: Scope) -> bool:
    """Tell whether a SELECT says something at a place of each of its groups, and not of its rows."""
    select, below = between.select, found.node
    if select is None or not (select.has_groups or aggregates_all(select)):
        return False
    for above in found.ancestors():
        if above.node is select:
            return isinstance(below, tree.Item) or below is select.having
        if is_aggregate(above.node) and above.scope is between:
            return False
        below = above.node
    return False


def _refusal(found: Visit, between: Scope) -> str:
    if found.scope is between:
        return "a sub-query may compare with columns of a sub-query or a function in FROM by = alone; write a join"
    return "a sub-query at this place may not use columns of a query two levels out"


class _Loose:
    """Which columns of the query around are used by a sub-query that is a value in more than equalities."""

    def __init__(self, writing: Writing) -> None:
        self._tied: dict[int, frozenset[int]] = {}
        for query in _values(writing):
            select = tree.unbracketed(query).body
            if isinstance(select, tree.Select) and select.from_start is not None:
                scope = next(visit.scope for node, visit in writing.of_kind(tree.Select) if node is select)
                self._tied[id(scope)] = frozenset(_tied(select.where, scope))

    def __call__(self, name: tree.Name, scope: Scope) -> bool:
        """Tell whether a name in a scope is one, if it is a column of the query around."""
        tied = self._tied.get(id(scope))
        return tied is not None and name.start not in tied


def _values(writing: Writing) -> Iterator[tree.Query]:
    """The sub-queries that the engine makes a join by equalities of."""
    for node, _ in writing.of_kind(tree.ScalarQuery):
        yield node.query
    asked: list[tuple[tree.Exists | tree.InQuery | tree.Quantified, Visit]] = [
        *writing.of_kind(tree.Exists),
        *writing.of_kind(tree.InQuery),
        *writing.of_kind(tree.Quantified),
    ]
    yield from (one.query for one, found in asked if place_of(found) is not Place.CONDITION)


def _tied(condition: tree.Expression | None, scope: Scope) -> Iterator[int]:
    """Where names stand that a condition sets equal to a column of the scope."""
    match condition:
        case tree.Binary(operator="AND", left=left, right=right):
            yield from _tied(left, scope)
            yield from _tied(right, scope)
        case tree.Brackets(items=(inner,)):
            yield from _tied(inner, scope)
        case tree.Binary(operator="=" | "==", left=left, right=right):
            for mine, other in ((left, right), (right, left)):
                names = [node for node in tree.walk(other) if isinstance(node, tree.Name)]
                is_outer = all(scope.own(name.parts) is None for name in names)
                is_query = any(isinstance(node, tree.Query) for node in tree.walk(other))
                if isinstance(mine, tree.Name) and scope.own(mine.parts) is not None and is_outer and not is_query:
                    yield from (name.start for name in names)


def _path(name: tree.Name, found: Visit, loose: _Loose) -> tuple[Scope, Origin, Scope, int] | None:
    """The scope right below that of a column to hand in, the column's origin and its scope, and how far out it lies."""
    below: Scope | None = None
    scope: Scope | None = found.scope
    depth = 0
    while scope is not None:
        own = scope.own(name.parts)
        if own is not None:
            certain = len(own) == 1 and own[0].column(name.parts[-1]) is not None
            is_handed = depth >= LEVELS or (depth == 1 and loose(name, found.scope))
            return (below, own[0], scope, depth) if is_handed and certain and below is not None else None
        below, scope, depth = scope, scope.outer, depth + 1
    return None


def _can_be_read_again(origin: Origin) -> bool:
    return isinstance(origin.source, tree.TableSource) and not origin.source.columns and origin.called is not None


def _read(writing: Writing, origin: Origin) -> str:
    source = origin.source
    end = source.name_end if isinstance(source, tree.TableSource) else source.end
    return str(writing.text.part(source.start, end))


def _hand_in(writing: Writing, handed: _Handed) -> None:
    names: list[str] = []
    values: list[str] = []
    for column, number in handed.columns.items():
        quoted = quote_identifier(column)
        values += [quoted, _as_text(quoted, _type(handed, column))]
        names += [quote_identifier(f"$value {number}"), quote_identifier(f"$text {number}")]
    written = f"SELECT DISTINCT {', '.join(values)} FROM {_read(writing, handed.origin)}{_asked(writing, handed)}"
    whole = tree.Node(handed.select.from_start or 0, handed.select.from_end)
    writing.edits.wrap(whole, "", f" CROSS JOIN ({written}) AS {handed.called}({', '.join(names)})")


def _asked(writing: Writing, handed: _Handed) -> str:
    """The condition of the outer query, where it says the same of its only table."""
    select = handed.around.select
    if (
        select is None
        or select.where is None
        or len(select.sources) != 1
        or select.sources[0] is not handed.origin.source
    ):
        return ""
    nodes = list(tree.walk(select.where))
    if any(isinstance(node, tree.Query | tree.Call | tree.Compound | tree.Parameter) for node in nodes):
        return ""
    if not all(handed.around.is_certain(node.parts) for node in nodes if isinstance(node, tree.Name)):
        return ""
    return f" AS {quote_identifier(handed.origin.called or '')} WHERE {writing.edits.text_of(select.where)}"


def _ties(handed: _Handed) -> Iterator[str]:
    for column, number in handed.columns.items():
        outer = f"{quote_identifier(handed.origin.called or '')}.{quote_identifier(column)}"
        yield f"{handed.called}.{quote_identifier(f'$text {number}')} = {_as_text(outer, _type(handed, column))}"


def _type(handed: _Handed, column: str) -> pa.DataType | None:
    found = handed.origin.column(column)
    return None if found is None else found.type


def _ask(writing: Writing, select: tree.Select, condition: str) -> None:
    if select.where is None:
        writing.tied.add(id(select))
        writing.edits.wrap(tree.Node(select.from_start or 0, select.from_end), "", f" WHERE {condition}")
    else:
        writing.edits.wrap(select.where, "(", f") AND {condition}")


def _as_text(value: str, known: pa.DataType | None) -> str:
    """A text that is another one for each value, and one for NULL; 0 and -0 are one value."""
    is_double = known is not None and pa.types.is_floating(known)
    return f"coalesce('=' || CAST({f'{value} + 0' if is_double else value} AS TEXT), '-')"
