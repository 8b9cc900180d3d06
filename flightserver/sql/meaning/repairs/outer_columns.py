"""A sub-query within a sub-query that uses a column of the outermost query: DataFusion finds columns one level out.

The query between the two gets the values of that column as a source of its own, and asks for the one of the outer row.
NULL is a value among them, so they are compared as texts in which NULL has a word. The texts are a column of that
source, because a query that is a value may be tied to the outer one only by equalities of its own columns.
"""

import pyarrow as pa

from catalog.identifiers import quote_identifier
from flightserver.sql.meaning.scopes import Origin, Scope, Visit
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_VALUE, _TEXT = quote_identifier("$value"), quote_identifier("$text")


def repair(writing: Writing) -> None:
    """Hand columns in, one level at a time."""
    handed: dict[tuple[int, str, str], str] = {}
    conditions: dict[int, tuple[tree.Select, list[str]]] = {}
    for name, found in writing.of_kind(tree.Name):
        path = _path(name, found)
        if path is None:
            continue
        between, origin = path
        source = _source(writing, origin)
        if between.select is None or between.select.from_start is None or source is None or origin.called is None:
            raise writing.unsupported(name, "a sub-query at this place may not use columns of a query two levels out")
        column = quote_identifier(name.parts[-1])
        key = (id(between), origin.called, column)
        if key not in handed:
            handed[key] = quote_identifier(f"$outer {len(handed) + 1}")
            found_column = origin.column(name.parts[-1])
            known = None if found_column is None else found_column.type
            _hand_in(writing, between.select, f"{column}, {_as_text(column, known)} FROM {source}", handed[key])
            outer = _as_text(f"{quote_identifier(origin.called)}.{column}", known)
            condition = f"{handed[key]}.{_TEXT} = {outer}"
            conditions.setdefault(id(between), (between.select, []))[1].append(condition)
        writing.edits.span(name.start, name.end, f"{handed[key]}.{_VALUE}")
    for select, written in conditions.values():
        _ask(writing, select, " AND ".join(written))


def _path(name: tree.Name, found: Visit) -> tuple[Scope, Origin] | None:
    """The scope right below that of a column which is two levels out, and the column's origin."""
    below: Scope | None = None
    scope: Scope | None = found.scope
    depth = 0
    while scope is not None:
        own = scope.own(name.parts)
        if own is not None:
            certain = len(own) == 1 and own[0].column(name.parts[-1]) is not None
            return (below, own[0]) if depth == 2 and certain and below is not None else None
        below, scope, depth = scope, scope.outer, depth + 1
    return None


def _source(writing: Writing, origin: Origin) -> str | None:
    """What an origin reads, to be read again."""
    source = origin.source
    if isinstance(source, tree.TableSource) and not source.columns:
        return writing.edits.text_between(source.start, source.name_end)
    return None


def _hand_in(writing: Writing, select: tree.Select, values: str, called: str) -> None:
    written = f" CROSS JOIN (SELECT DISTINCT {values}) AS {called}({_VALUE}, {_TEXT})"
    writing.edits.wrap(tree.Node(select.from_start or 0, select.from_end), "", written)


def _ask(writing: Writing, select: tree.Select, condition: str) -> None:
    if select.where is None:
        writing.edits.wrap(tree.Node(select.from_start or 0, select.from_end), "", f" WHERE {condition}")
    else:
        writing.edits.wrap(select.where, "(", f") AND {condition}")


def _as_text(value: str, known: pa.DataType | None) -> str:
    """A text that is another one for each value, and one for NULL; 0 and -0 are one value."""
    is_double = known is not None and pa.types.is_floating(known)
    return f"coalesce('=' || CAST({f'{value} + 0' if is_double else value} AS TEXT), '-')"
