"""Names of the columns that a SELECT makes.

The engine refuses a SELECT with two items of one name, and calls `CAST(x AS INT)` x. Clients may have as many as they
like: the second and further ones get a number behind a mark that no name has, and lose it on the way out.
"""

from collections.abc import Callable
from typing import TypeGuard

from catalog.identifiers import quote_identifier
from flightserver.sql.meaning.scopes import Merged, Scope, output_name, star_columns
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_MARK = "\u2063"


def plain_name(name: str) -> str:
    """A column's name as clients get it."""
    return name.partition(_MARK)[0]


def write_output_names(writing: Writing) -> None:
    """Give items the names that changes took from them, and number those that come again."""
    for select, found in writing.of_kind(tree.Select):
        if id(select) in writing.nameless:
            continue
        seen: dict[str, int] = {}
        starred = _starred(select, found.scope)
        qualified = [item.value.parts[-1] for item in select.items if item.alias is None and _is_qualified(item.value)]
        for item in select.items:
            if isinstance(item.value, tree.Star):
                continue
            known = _engine_name(writing, item)
            kept = writing.kept_names.get(id(item))
            if kept is None and item.alias is None and any(isinstance(n, tree.Query) for n in tree.walk(item.value)):
                kept = writing.written(item.value)  # the engine calls all sub-queries the same
            name = item.alias or kept or known
            count = seen[known if kept is None else name] = seen.get(known if kept is None else name, 0) + 1
            is_bare = item.alias is not None or kept is not None or not _is_qualified(item.value)
            hides = item.alias is None and isinstance(item.value, tree.Name) and starred(item.value.parts[-1])
            needs_number = count > 1 or hides or (is_bare and name in qualified)
            if needs_number or (kept is not None and item.alias is None):
                shown = item.alias or kept or output_name(item.value) or writing.written(item.value)
                written = quote_identifier(f"{shown}{_MARK}{count}" if needs_number else shown)
                if item.alias is None:
                    writing.edits.wrap(item, "", f" AS {written}")
                else:
                    writing.edits.span(item.end - 1, item.end, written)


def _engine_name(writing: Writing, item: tree.Item) -> str:
    """How the engine tells an item from others: by its alias, its column as qualified, or what it says."""
    if item.alias is not None:
        return item.alias
    if isinstance(item.value, tree.Name):
        return ".".join(item.value.parts)
    return output_name(item.value) or writing.engine_name_of(item.value)


def _is_qualified(value: tree.Expression) -> TypeGuard[tree.Name]:
    return isinstance(value, tree.Name) and len(value.parts) > 1


def _starred(select: tree.Select, scope: Scope) -> Callable[[str], bool]:
    """Tells whether a star of a SELECT may select a column of a name."""
    known: set[str] = set()
    for item in select.items:
        if isinstance(item.value, tree.Star):
            columns = star_columns(item.value, scope)
            if columns is None:
                return lambda _: True
            known |= {column.name if isinstance(column, Merged) else column[1] for column in columns}
    return known.__contains__
