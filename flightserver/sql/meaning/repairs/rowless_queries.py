"""A sub-query that is a value and reads nothing but columns of the outer query: `(SELECT a.x + 1 WHERE a.y)`.

DataFusion 55 plans it as a join with no rows of its own, and fails. What it selects is written in its place; one row
is in every order.
"""

from flightserver.sql.meaning.aggregates import aggregates_all
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree


def repair(writing: Writing) -> None:
    """Write what is selected, under its condition."""
    for node, _ in writing.of_kind(tree.ScalarQuery):
        query = tree.unbracketed(node.query)
        select = query.body
        if isinstance(select, tree.Select) and _is_rowless(query, select) and writing.may_use_outer_columns(query):
            writing.nameless.add(id(select))
            _write(writing, node, query, select)


def _is_rowless(query: tree.Query, select: tree.Select) -> bool:
    is_ordered_by_more = any(isinstance(node, tree.Call) for by in query.order_by for node in tree.walk(by))
    is_cut = query.common or is_ordered_by_more
    has_more = select.from_start is not None or select.has_groups or aggregates_all(select) or select.qualify
    items = [node for item in select.items for node in tree.walk_here(item)]
    is_one = len(select.items) == 1 and not any(
        isinstance(node, tree.Star) or (isinstance(node, tree.Call) and node.is_window) for node in items
    )
    return is_one and not is_cut and not has_more


def _write(writing: Writing, node: tree.ScalarQuery, query: tree.Query, select: tree.Select) -> None:
    edits, value = writing.edits, select.items[0].value

    def written() -> str:
        conditions = [f"({edits.text_of(select.where)})"] if select.where is not None else []
        conditions += [f"coalesce({edits.text_of(query.limit)}, 1) > 0"] if query.limit is not None else []
        conditions += [f"coalesce({edits.text_of(query.offset)}, 0) = 0"] if query.offset is not None else []
        if not conditions:
            return f"({edits.text_of(value)})"
        return f"(CASE true WHEN {' AND '.join(conditions)} THEN {edits.text_of(value)} END)"

    edits.write(node, written)
