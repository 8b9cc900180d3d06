"""`_seq`, `_deleted` and the hidden key: columns of a single table, visible where a reference to that table names them.

A table whose system columns are named is read through a relation that has them; everything else is read without. So no
star, NATURAL or USING join, set operation or view ever shows one. Where the relation with them is read, stars are
written out without them.
"""

from catalog.definition import SYSTEM_COLUMNS
from catalog.identifiers import TableName, quote_identifier
from flightserver.sql.meaning.scopes import Merged, Origin, Scope, StarColumn, common_names
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_ALL_COLUMNS = "$all of "
"""Before the namespace of a relation that has them. No namespace can be called so."""


def with_all_columns(name: TableName) -> TableName:
    """The relation of a table that has its system columns."""
    return TableName(f"{_ALL_COLUMNS}{name.namespace}", name.table)


def of_all_columns(name: TableName) -> TableName | None:
    """The table whose system columns a relation of this name has; None when it is the plain one."""
    namespace = name.namespace.removeprefix(_ALL_COLUMNS)
    return None if namespace == name.namespace else TableName(namespace, name.table)


def show_system_columns(writing: Writing) -> set[TableName]:
    """Read the tables whose system columns are named through the relations that have them; return those."""
    if not any(token.text.strip('"`').lower() in SYSTEM_COLUMNS for token in writing.text.tokens):
        return set()
    shown: dict[int, tuple[Scope, Origin]] = {}
    for name, visit in writing.of_kind(tree.Name):
        if name.parts[-1] in SYSTEM_COLUMNS:
            for scope, origin in _owners(name, visit.scope):
                shown[id(origin)] = (scope, origin)
    scopes: dict[int, Scope] = {}
    for scope, origin in shown.values():
        _read_all_columns(writing, origin)
        scopes[id(scope)] = scope
    for star, visit in writing.of_kind(tree.Star):
        is_item = visit.above is not None and isinstance(visit.above.node, tree.Item)
        if is_item and id(visit.scope) in scopes:
            _write_star(writing, star, visit.scope, {id(origin) for _, origin in shown.values()})
    for join, visit in writing.of_kind(tree.Join):
        if id(visit.scope) in scopes and join.is_natural:
            _name_columns(writing, join, visit.scope)
    relations = (origin.relation for _, origin in shown.values())
    return {with_all_columns(relation.name) for relation in relations if relation is not None}


def _owners(name: tree.Name, scope: Scope) -> list[tuple[Scope, Origin]]:
    """The tables whose system column a name may mean: of the innermost SELECT that has any."""
    around: Scope | None = scope
    while around is not None:
        own = around.own(name.parts)
        if own is not None and any(o.column(name.parts[-1]) is not None for o in own):
            return []
        called = [o for o in around.origins if len(name.parts) == 1 or o.called == name.parts[-2]]
        found = [o for o in called if o.relation is not None and name.parts[-1] in o.relation.system_columns]
        if found:
            return [(around, origin) for origin in found]
        around = around.outer
    return []


def _read_all_columns(writing: Writing, origin: Origin) -> None:
    source, relation = origin.source, origin.relation
    if isinstance(source, tree.TableSource) and relation is not None:
        name = with_all_columns(relation.name)
        alias = "" if source.alias is not None else f" AS {quote_identifier(source.called)}"
        written = f"{quote_identifier(name.namespace)}.{quote_identifier(name.table)}{alias}"
        writing.edits.span(source.start, source.name_end, written)


def _write_star(writing: Writing, star: tree.Star, scope: Scope, shown: set[int]) -> None:
    """Write a star of SELECT without the system columns of the relations that have them."""
    origins = [o for o in scope.origins if not star.qualifier or o.called == star.qualifier[-1]]
    if not any(id(origin) in shown for origin in origins):
        return
    if len(origins) == 1 and not star.parts:
        hidden = origins[0].relation.system_columns if origins[0].relation is not None else ()
        left_out = dict.fromkeys([*star.left_out, *hidden])
        written = f"{writing.text.part(star.start, star.star)} EXCEPT ({', '.join(map(quote_identifier, left_out))})"
        writing.edits.span(star.start, star.end, written)
        return
    columns = scope.star
    if columns is None or star.parts or star.qualifier:
        raise writing.unsupported(star, "name the columns instead of * where _seq or _deleted is used")
    written = ", ".join(written_column(column) for column in columns if _called(column) not in star.left_out)
    writing.edits.span(star.start, star.end, written)


def _name_columns(writing: Writing, join: tree.Join, scope: Scope) -> None:
    """Write a NATURAL join by the visible columns that both sides have."""
    left, right = scope.columns_of(join.left), scope.columns_of(join.right)
    if left is None or right is None:
        raise writing.unsupported(join, "write USING (…) instead of NATURAL where _seq or _deleted is used")
    names = common_names(left, right)
    writing.edits.span(join.join_start, join.join_start + 1, "")
    on = f" USING ({', '.join(map(quote_identifier, names))})" if names else " ON true"
    writing.edits.wrap(join.right, "", on)


def _called(column: StarColumn) -> str:
    return column.name if isinstance(column, Merged) else column[1]


def written_column(column: StarColumn) -> str:
    """An item of SELECT for a column of a star."""
    if isinstance(column, Merged):
        return f"{merged_value(column)} AS {quote_identifier(column.name)}"
    return f"{quote_identifier(column[0])}.{quote_identifier(column[1])}"


def merged_value(column: Merged | str, name: str = "") -> str:
    """The value of a column that a join merged: that of the side which always has rows, or of either."""
    if isinstance(column, str):
        return f"{quote_identifier(column)}.{quote_identifier(name)}"
    left, right = merged_value(column.left, column.name), merged_value(column.right, column.name)
    if column.kind == "FULL":
        return f"coalesce({left}, {right})"
    return right if column.kind == "RIGHT" else left
