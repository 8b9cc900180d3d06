"""Sub-queries that use columns of a query within its aggregates, windows, ON and ORDER BY.

The engine plans such sub-queries where rows are selected alone. One that is tied to a single source of its SELECT is
asked there, and becomes a column of it:

    SELECT sum((SELECT max(y) FROM b WHERE b.k = a.k)) FROM a
    SELECT sum(a."$asked 1") FROM (SELECT a.*, (SELECT max(y) …) AS "$asked 1" FROM a) AS a

In ON and elsewhere a source counts whose rows are as they are: not one that an outer join below may put NULL in place
of. What cannot be asked so is refused with what to write instead.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from catalog.identifiers import quote_identifier
from flightserver.sql.meaning.aggregates import aggregates_all, is_aggregate
from flightserver.sql.meaning.places import Place, find_place
from flightserver.sql.meaning.scopes import Origin, Scope, Visit
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_Asked = tree.ScalarQuery | tree.Exists | tree.InQuery | tree.Quantified
_OPTIONAL = {"LEFT": "right", "RIGHT": "left", "FULL": "left right"}
_IN_ON = "a sub-query in ON may use columns of one table alone; put it into WHERE, or into a sub-query in FROM"
_ELSEWHERE = (
    "a sub-query in an aggregate, a window, GROUP BY or ORDER BY may use columns of one table alone;"
    " select its value in a sub-query in FROM, and use it by a name"
)


@dataclass
class _Column:
    """A sub-query that becomes a column of a source, and whether that is just what is being written."""

    node: _Asked
    name: str
    is_asked: bool = False


def write(writing: Writing) -> None:
    """Ask sub-queries where they are tied to."""
    if not writing.has("(") or len(list(writing.of_kind(tree.Query))) < 2:
        return
    columns: dict[int, tuple[Origin, Visit, list[_Column]]] = {}
    for node, found in _inside(writing):
        used = list(_used(writing, node, found))
        if not used:
            continue
        origin = _only_origin(used)
        if origin is None or not _is_reached(origin, found):
            _refuse(writing, node, found)
            continue
        known = columns.setdefault(id(origin), (origin, found, []))[2]
        said = writing.keys_of(node)
        same = next((column for column in known if writing.keys_of(column.node) == said), None)
        known.append(_Column(node, quote_identifier(f"$asked {node.start}") if same is None else same.name))
    for origin, found, some in columns.values():
        _hoist(writing, origin, found, some)


def _inside(writing: Writing) -> Iterator[tuple[_Asked, Visit]]:
    """The sub-queries at such places, each that stands in no other there."""
    found: list[tuple[_Asked, Visit]] = [
        *writing.of_kind(tree.ScalarQuery),
        *writing.of_kind(tree.Exists),
        *writing.of_kind(tree.InQuery),
        *writing.of_kind(tree.Quantified),
    ]
    for node, visit in found:
        if not _is_hidden(writing, visit):
            continue
        is_within = any(isinstance(above.node, _Asked) and above.scope is visit.scope for above in visit.ancestors())
        if not is_within and not _is_plain_join(node, visit):
            yield node, visit


def _is_hidden(writing: Writing, found: Visit) -> bool:
    """Tell whether the engine would take no sub-query there that is tied to the query around."""
    place, within = find_place(found)
    if place is Place.ITEM and isinstance(within, tree.Item) and found.scope.select is not None:
        return _is_grouped(writing, within, found.scope.select, found.scope)
    return place is Place.INSIDE


def _is_grouped(writing: Writing, item: tree.Item, select: tree.Select, scope: Scope) -> bool:
    """Tell whether a SELECT groups by an item: by its place, what it says, or its name, if no column has that."""
    number = next((place for place, one in enumerate(select.items, start=1) if one is item), 0)
    said = {writing.keys_of(item.value), str(number)}
    return any(
        writing.keys_of(group) in said
        or (isinstance(group, tree.Name) and group.parts == (item.alias,) and scope.own(group.parts) is None)
        for group in select.group_by
    )


def _is_plain_join(node: _Asked, found: Visit) -> bool:
    """Tell whether the engine makes a join of a membership: beside AND in ON of an inner join."""
    join = find_place(found).within
    if not isinstance(node, tree.InQuery) or node.is_negated or not isinstance(join, tree.Join):
        return False
    between = [above.node for above in found.ancestors()]
    parts = between[: between.index(join)]
    return join.kind == "INNER" and all(
        isinstance(part, tree.Brackets) or (isinstance(part, tree.Binary) and part.operator == "AND") for part in parts
    )


def _used(writing: Writing, node: _Asked, found: Visit) -> Iterator[Origin | None]:
    """The sources of the SELECT around whose columns a sub-query uses; None where that is not known."""
    for name, visit in writing.of_kind(tree.Name):
        if not node.start <= name.start < node.end:
            continue
        meant = visit.scope.find(name.parts)
        if meant is None or meant[0] is not found.scope:
            continue
        certain = len(meant[1]) == 1 and meant[1][0].column(name.parts[-1]) is not None
        yield meant[1][0] if certain else None


def _only_origin(used: list[Origin | None]) -> Origin | None:
    origin = used[0]
    if origin is None or origin.called is None or any(other is not origin for other in used):
        return None
    source = origin.source
    return origin if isinstance(source, tree.TableSource | tree.QuerySource) else None


def _is_reached(origin: Origin, found: Visit) -> bool:
    """Tell whether a source's rows stand at a place as they are, and nothing there is made of groups of them."""
    select, within = found.scope.select, find_place(found).within
    if select is None:
        return False
    if isinstance(within, tree.Join):
        return _path(within, origin.source, is_outermost=True)
    is_of_rows = within is not None and (is_aggregate(within) or isinstance(within, tree.Item | tree.Select))
    if (select.has_groups or aggregates_all(select)) and not is_of_rows:
        return False
    return any(_path(source, origin.source, is_outermost=False) for source in select.sources)


def _path(source: tree.Source, wanted: tree.Source, *, is_outermost: bool) -> bool:
    """Tell whether a source is found in another without going through the optional side of an outer join."""
    if source is wanted:
        return True
    if isinstance(source, tree.BracketSource) and source.alias is None:
        return _path(source.inner, wanted, is_outermost=is_outermost)
    if not isinstance(source, tree.Join):
        return False
    optional = "" if is_outermost else _OPTIONAL.get(source.kind, "")
    sides = {"left": source.left, "right": source.right}
    return any(name not in optional and _path(side, wanted, is_outermost=False) for name, side in sides.items())


def _refuse(writing: Writing, node: _Asked, found: Visit) -> None:
    """Refuse what the engine would surely not take."""
    within = find_place(found).within
    if isinstance(within, tree.Join):
        if isinstance(node, tree.Exists | tree.ScalarQuery):
            raise writing.unsupported(node, _IN_ON)
    elif within is not None:
        raise writing.unsupported(node, _ELSEWHERE)


def _hoist(writing: Writing, origin: Origin, found: Visit, columns: list[_Column]) -> None:
    edits, called = writing.edits, quote_identifier(origin.called or "")
    _hide(writing, origin, found, columns)
    for column in columns:
        writing.hoisted.add(id(column.node))
        edits.write(column.node, partial(_text_of, writing, called, column))

    def written() -> str:
        values = []
        for column in {column.name: column for column in columns}.values():
            column.is_asked = True
            values.append(f"{edits.text_of(column.node)} AS {column.name}")
            column.is_asked = False
        return f"(SELECT {called}.*, {', '.join(values)} FROM {edits.text_of(origin.source)}) AS {called}"

    edits.write(origin.source, written)


def _text_of(writing: Writing, called: str, column: _Column) -> str:
    return writing.edits.text_of(column.node) if column.is_asked else f"{called}.{column.name}"


def _hide(writing: Writing, origin: Origin, found: Visit, columns: list[_Column]) -> None:
    """Leave the columns out of the stars that would have them."""
    select = found.scope.select
    for item in select.items if select is not None else ():
        star = item.value
        if not isinstance(star, tree.Star) or (star.qualifier and star.qualifier[-1] != origin.called):
            continue
        if star.end != star.star:
            raise writing.unsupported(star, "name the columns instead of * beside a sub-query in ON or ORDER BY")
        writing.edits.wrap(star, "", f" EXCEPT ({', '.join(dict.fromkeys(column.name for column in columns))})")
