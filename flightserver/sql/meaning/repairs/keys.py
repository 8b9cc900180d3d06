"""What follows from a key, of which DataFusion is not told.

`GROUP BY id` of a table with the key id makes one value of each of its columns: those that are used are put beside it.
A sub-query that is a value and asks for one key has one row at most: it is written as an aggregate, which the engine
takes.
"""

from collections.abc import Iterator

from catalog.identifiers import quote_identifier
from flightserver.sql.meaning.aggregates import aggregates_all
from flightserver.sql.meaning.scopes import Origin, Scope
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree


def repair(writing: Writing) -> None:
    """Write what follows from keys."""
    if writing.has("GROUP"):
        for select, found in writing.of_kind(tree.Select):
            if select.group_by and all(isinstance(group, tree.Name) for group in select.group_by):
                _group_by_all(writing, select, found.scope)
    for node, _ in writing.of_kind(tree.ScalarQuery):
        query = tree.unbracketed(node.query)
        body = query.body
        if query.common or query.limit_start is not None or not isinstance(body, tree.Select):
            continue
        if asks_for_one(writing, body):
            writing.edits.wrap(body.items[0].value, "first_value(", ")")


def _group_by_all(writing: Writing, select: tree.Select, scope: Scope) -> None:
    grouped = [_column(name, scope) for name in select.group_by if isinstance(name, tree.Name)]
    for origin in scope.origins:
        own = {name for found, name in filter(None, grouped) if found is origin}
        key = origin.relation.key if origin.relation is not None else ()
        if not key or not own.issuperset(key) or origin.called is None:
            continue
        used = dict.fromkeys(name for name in _names_used(writing, select, scope, origin) if name not in own)
        if used:
            columns = "".join(f", {quote_identifier(origin.called)}.{quote_identifier(name)}" for name in used)
            writing.edits.wrap(select.group_by[-1], "", columns)


def _names_used(writing: Writing, select: tree.Select, scope: Scope, origin: Origin) -> Iterator[str]:
    """The columns of an origin that stand outside of WHERE and FROM, and in no sub-query."""
    skipped = [select.where] if select.where is not None else []
    for name, found in writing.of_kind(tree.Name):
        is_elsewhere = (
            name.start < select.from_end and select.from_start is not None and name.start >= select.from_start
        )
        is_skipped = is_elsewhere or any(part.start <= name.start < part.end for part in skipped)
        if found.scope is scope and not is_skipped:
            column = _column(name, scope)
            if column is not None and column[0] is origin:
                yield column[1]


def _column(name: tree.Name, scope: Scope) -> tuple[Origin, str] | None:
    """The origin and the name of a column of a scope, where it is certain."""
    found = scope.own(name.parts)
    if found is None or len(found) != 1 or found[0].column(name.parts[-1]) is None:
        return None
    return found[0], name.parts[-1]


def asks_for_one(writing: Writing, select: tree.Select) -> bool:
    """Tell whether a sub-query that is a value selects from one table, and asks it for one key."""
    scope = next(found.scope for node, found in writing.of_kind(tree.Select) if node is select)
    is_plain = not select.has_groups and not aggregates_all(select) and len(select.items) == 1 == len(select.sources)
    if not is_plain or select.where is None or not scope.origins or isinstance(select.items[0].value, tree.Star):
        return False
    if any(isinstance(node, tree.Call) and node.is_window for node in tree.walk_here(select.items[0])):
        return False
    (origin,) = scope.origins[:1]
    key = set(origin.relation.key) if origin.relation is not None else set()
    return bool(key) and key <= set(_asked(select.where, scope, origin))


def _asked(condition: tree.Expression, scope: Scope, origin: Origin) -> Iterator[str]:
    """The columns of an origin that a condition sets equal to something from outside of it."""
    match condition:
        case tree.Binary(operator="AND", left=left, right=right):
            yield from _asked(left, scope, origin)
            yield from _asked(right, scope, origin)
        case tree.Brackets(items=(inner,)):
            yield from _asked(inner, scope, origin)
        case tree.Binary(operator="=" | "==", left=left, right=right):
            for mine, other in ((left, right), (right, left)):
                column = _column(mine, scope) if isinstance(mine, tree.Name) else None
                if column is not None and column[0] is origin and not _reads(other, scope):
                    yield column[1]


def _reads(value: tree.Expression, scope: Scope) -> bool:
    """Tell whether a value may read a column of the scope itself."""
    return any(
        isinstance(node, tree.Query) or (isinstance(node, tree.Name) and scope.own(node.parts) is not None)
        for node in tree.walk(value)
    )
