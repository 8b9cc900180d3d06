"""Which views read a table, a view, or a column of one, and the definitions without them: what CASCADE takes along.

A view needs a column when its query names it, wherever that may stand for it, also as what joins are made by. One that
shows all columns of a table by a star shows one less, and what it lacks is a column that views over it may need. Where
the place of a column among others has a meaning (in UNION, in a list of names, in `ORDER BY 2`, in `IN (SELECT * …)`),
a star needs them all. What the text does not tell counts as needed.
"""

from collections.abc import Iterator, Mapping, Set

from catalog.definition import ViewDef
from catalog.identifiers import TableName
from catalog.registry import Registry
from flightserver.access.door import Door
from flightserver.access.rights import Use
from flightserver.execution.names import Names, names_in_view, view_text
from flightserver.execution.system import SystemTable
from flightserver.sql.meaning.scopes import Columns, Origin, Visit, Visited, visit
from flightserver.sql.text import tree
from flightserver.sql.text.queries import query_of

Lost = Mapping[TableName, Set[str]]
"""Columns that are about to go, by the tables and views that have them."""


def without_readers(name: TableName, door: Door) -> Registry:
    """Definitions without the views that read a relation, and those that read them."""
    for view in [view.name for view in door.views(Use.DEPEND) if name in names_in_view(view)]:  # before any is gone
        if door.find_view(view, Use.DEPEND) is not None:
            door = door.onto(without_readers(view, door.onto(door.registry.without_view(view))))
    return door.registry


def without_readers_of(
    column: str, table: TableName, door: Door, after: Registry, system: Mapping[TableName, SystemTable]
) -> Registry:
    """Definitions `after` a column went, without the views that need it; `door` leads to those in which it is there."""
    lost: dict[TableName, set[str]] = {table: {column}}
    before, views = Names(door, system, table.namespace), list(door.views(Use.DEPEND))
    is_settled = False
    while not is_settled:
        is_settled = True
        for view in views:
            if view.name not in after.views or names_in_view(view).isdisjoint(lost):
                continue
            if _needs(view, lost, before):
                after = without_readers(view.name, door.onto(after.without_view(view.name)))
                continue
            shown = _shown(view, before, Names(door.onto(after), system, table.namespace), lost)
            if not shown <= lost.get(view.name, set()):
                lost[view.name] = lost.get(view.name, set()) | shown
                is_settled = False
    return after


def _needs(view: ViewDef, lost: Lost, names: Names) -> bool:
    """Tell whether a view cannot be, or would be another one, without some columns."""
    nodes = _visited(view, names).nodes
    has_places = any(map(_gives_places_a_meaning, nodes))
    return any(_names_one(at, lost) or (_shows_one(at, lost) and (has_places or _is_compared(at))) for at in nodes)


def _shown(view: ViewDef, before: Names, after: Names, lost: Lost) -> set[str]:
    """The columns that a view shows and will not show; where that is not known, all that may be."""
    had, has = _outputs(view, before), _outputs(view, after)
    if had is None or has is None:
        return set().union(*lost.values())
    return {column.name for column in had} - {column.name for column in has}


def _outputs(view: ViewDef, names: Names) -> Columns | None:
    query = query_of(view_text(view.query))
    return _visited(view, names).outputs[id(query)]


def _visited(view: ViewDef, names: Names) -> Visited:
    return visit(query_of(view_text(view.query)), names.within(view))


def _names_one(at: Visit, lost: Lost) -> bool:
    """Tell whether a part of a query names a column that is about to go."""
    gone = set().union(*lost.values())
    match at.node:
        case tree.Name(parts=parts):
            found = at.scope.find(parts)
            if found is None:  # no column; or a field of one
                return not gone.isdisjoint(parts[:-1])
            return not gone.isdisjoint(parts) and any(_may_lack(origin, parts, lost) for origin in found[1])
        case tree.Star(left_out=left_out, parts=parts):
            return not gone.isdisjoint(left_out) or (bool(parts) and _shows_one(at, lost))
        case tree.Join(using=using, is_natural=is_natural):
            return not gone.isdisjoint(using) or (is_natural and not gone.isdisjoint(at.scope.merged))
    return False


def _may_lack(origin: Origin, parts: tuple[str, ...], lost: Lost) -> bool:
    return origin.relation is None or not lost.get(origin.relation.name, set()).isdisjoint(parts)


def _shows_one(at: Visit, lost: Lost) -> bool:
    """Tell whether a part of a query stands for all columns of something that is about to lack one."""
    return any(origin.relation is None or origin.relation.name in lost for origin in _starred(at))


def _starred(at: Visit) -> Iterator[Origin]:
    """What a part of a query shows all columns of."""
    match at.node:
        case tree.Star(qualifier=qualifier) if at.above is None or not isinstance(at.above.node, tree.Call):
            yield from (origin for origin in at.scope.origins if not qualifier or origin.called == qualifier[-1])
        case tree.Select(items=()):
            yield from at.scope.origins


def _gives_places_a_meaning(at: Visit) -> bool:
    """Tell whether a part of a query knows columns by their places."""
    match at.node:
        case tree.SetOperation() | tree.TableBody():
            return True
        case tree.Source(columns=columns) | tree.CommonTable(columns=columns):
            return bool(columns)
        case tree.Query(order_by=by) | tree.Select(group_by=by):
            return any(isinstance(value, tree.Literal) and value.kind == "integer" for value in by)
    return False


def _is_compared(at: Visit) -> bool:
    """Tell whether it stands in a sub-query whose columns count."""
    above = [visit.node for visit in at.ancestors()]
    return any(isinstance(node, tree.Expression) and not isinstance(node, tree.Exists) for node in above)
