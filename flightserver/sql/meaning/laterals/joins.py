"""The first LATERAL of a query, and how its rows are joined with the sources before it."""

from typing import NamedTuple

from catalog.identifiers import quote_identifier
from flightserver.sql.meaning.laterals.outer_rows import VOLATILE, OuterRows
from flightserver.sql.meaning.laterals.tied_rows import TiedRows
from flightserver.sql.meaning.scopes import Scope, Visit
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_KINDS = frozenset({"INNER", "CROSS", "LEFT"})

_KIND = "LATERAL stands behind a comma, JOIN, CROSS JOIN or LEFT JOIN"
_MERGED = "LATERAL stands without USING and NATURAL; write ON"
_FIRST = "LATERAL behind a comma may not be what RIGHT JOIN or FULL JOIN may leave out; write it last"
_STAR = "name the columns instead of * EXCEPT, EXCLUDE or REPLACE beside LATERAL"
_RANDOM = "LATERAL may not have random values; create a table of those rows"
_ORDINALITY = "unnest WITH ORDINALITY is not supported; number what unnest yields by row_number() in SELECT"


def without_first(writing: Writing, number: int) -> str | None:
    """The text without its first LATERAL that uses columns beside it; None where there is none."""
    for call, _ in writing.of_kind(tree.CallSource):
        if call.call.name == "unnest" and any(isinstance(node, tree.Name) for node in tree.walk(call.call)):
            return _with_select(writing, call)
    for source, found in writing.of_kind(tree.QuerySource):
        if not source.is_lateral:
            continue
        uses = _uses(writing, source, found.scope)
        if not uses:
            writing.edits.span(source.start, source.start + 1, "")
        else:
            _join(writing, source, found, number, uses)
        return writing.edits.done()
    return None


def _with_select(writing: Writing, source: tree.CallSource) -> str:
    """`unnest(x) AS q(y)` as `LATERAL (SELECT unnest(x) AS y) AS q`."""
    call = source.call
    if call.end < source.end and writing.text.tokens[call.end].key == "WITH":
        raise writing.unsupported(source, _ORDINALITY)
    called = quote_identifier(source.alias or call.name)
    column = quote_identifier(source.columns[0] if source.columns else source.alias or call.name)
    written = f"LATERAL (SELECT {writing.written(call)} AS {column}) AS {called}"
    writing.edits.span(source.start, source.end, written)
    return writing.edits.done()


class _Use(NamedTuple):
    """A name in a sub-query that is a column of the query around it."""

    name: tree.Name
    found: Visit


def _uses(writing: Writing, source: tree.QuerySource, around: Scope) -> list[_Use]:
    uses = []
    for name, found in writing.of_kind(tree.Name):
        if source.start <= name.start < source.end:
            meant = found.scope.find(name.parts)
            if meant is not None and meant[0] is around and not _is_output(name, found):
                uses.append(_Use(name, found))
    return uses


def _is_output(name: tree.Name, found: Visit) -> bool:
    """Tell whether a name in ORDER BY or GROUP BY is what an item is called."""
    above, select = found.above, found.scope.select
    if above is None or len(name.parts) > 1:
        return False
    if select is None:  # behind a set operation, of which nothing but its columns is known
        return isinstance(above.node, tree.Query)
    is_key = isinstance(above.node, tree.Query) or (above.node is select and name in select.group_by)
    return is_key and any(item.alias == name.parts[0] for item in select.items)


def _join(writing: Writing, source: tree.QuerySource, found: Visit, number: int, uses: list[_Use]) -> None:
    if any(isinstance(node, tree.Call) and node.name in VOLATILE for node in tree.walk(source)):
        raise writing.unsupported(source, _RANDOM)
    outer = OuterRows(writing, found.scope, source, number)
    for use in uses:
        written = outer.value(use.name, found.scope.own(use.name.parts) or [])
        writing.edits.span(use.name.start, use.name.end, written)
    outer.settle()
    rows = TiedRows(writing, outer)
    rows.tie(source.query)
    called = quote_identifier(source.alias or f"$rows {number}")
    names = rows.names(source)

    def written_source() -> str:
        columns = f"({', '.join((*names, *outer.hidden))})" if names else ""
        return f"({writing.edits.text_of(source.query)}) AS {called}{columns}"

    writing.edits.write(source, written_source)
    _put_condition(writing, source, found, outer.ties(called))
    _hide(writing, source, found.scope, ", ".join(outer.hidden))


def _put_condition(writing: Writing, source: tree.QuerySource, found: Visit, condition: str) -> None:
    """Let the rows of the sub-query meet the outer rows that they are for: in ON, or behind a comma in WHERE."""
    above = [visit.node for visit in found.ancestors()]
    below: tree.Node = source
    for node in above:
        if isinstance(node, tree.BracketSource):
            below = node
            continue
        if not isinstance(node, tree.Join):
            break
        if node.right is below:
            _put_on(writing, node, condition)
            return
        if node.kind not in _KINDS:
            raise writing.unsupported(source, _FIRST)
        below = node
    select = found.scope.select
    if select is None or below is select.sources[0]:
        raise writing.unsupported(source, "LATERAL stands behind the tables whose columns it uses")
    if select.where is not None:
        writing.edits.wrap(select.where, "(", f") AND {condition}")
    else:
        writing.edits.wrap(tree.Node(select.from_start or 0, select.from_end), "", f" WHERE {condition}")


def _put_on(writing: Writing, join: tree.Join, condition: str) -> None:
    if join.kind not in _KINDS:
        raise writing.unsupported(join, _KIND)
    if join.using or join.is_natural:
        raise writing.unsupported(join, _MERGED)
    if join.on is not None:
        writing.edits.wrap(join.on, f"{condition} AND (", ")")
        return
    writing.edits.span(join.join_start, join.right.start, "JOIN")
    writing.edits.wrap(join.right, "", f" ON {condition}")


def _hide(writing: Writing, source: tree.QuerySource, scope: Scope, hidden: str) -> None:
    """Leave the columns that meet the outer rows out of stars."""
    for item in scope.select.items if scope.select is not None else ():
        star = item.value
        if isinstance(star, tree.Star) and star.qualifier[-1:] in ((), (source.alias,)):
            if star.end != star.star:
                raise writing.unsupported(star, _STAR)
            writing.edits.wrap(star, "", f" EXCEPT ({hidden})")
