"""Conditions above an aggregate without groups, or with a total of its groups, that name none of its columns.

DataFusion 55 (rule push_down_filter) takes such a condition for one that may be checked before aggregating, where it
leaves no rows to aggregate instead of no result: `HAVING (SELECT …) = 0`, a condition over an outer join whose other
side is known to be empty, ON false. A LIMIT that changes nothing keeps conditions above; HAVING is made to name an
aggregate, in a form that is not taken apart at its ANDs, and stays when the engine knows the condition to be false.
"""

from typing import TypeGuard

from flightserver.sql.meaning.aggregates import aggregates_all, has_total
from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_READ_AS_ROWS = tree.QuerySource | tree.CommonTable | tree.BracketBody


def repair(writing: Writing) -> None:
    """Fence aggregates without groups."""
    for select, found in writing.of_kind(tree.Select):
        if aggregates_all(select):
            limit = " LIMIT 1"
        elif has_total(select):
            limit = f" LIMIT {2**62}"
        else:
            continue
        if select.having is not None:
            writing.edits.wrap(select.having, "(nullif((", "), count(*) < 0) IS TRUE)")
        above = found.above
        if above is not None and isinstance(above.node, tree.SetOperation):
            writing.edits.wrap(select, "(", f"{limit})")
        elif above is not None and _is_read_as_rows(above, writing):
            writing.edits.wrap(above.node, "", limit)


def _is_read_as_rows(query: Visit, writing: Writing) -> bool:
    """Tell whether a query is a source of another one, and has no limit yet."""
    if not isinstance(query.node, tree.Query) or query.node.limit_start is not None:
        return False
    above = query.above
    while above is not None and isinstance(above.node, tree.BracketBody):
        around = above.above
        if not _is_bare(around):
            break
        above = around.above
    return writing.is_view if above is None else isinstance(above.node, _READ_AS_ROWS)


def _is_bare(found: Visit | None) -> TypeGuard[Visit]:
    """Tell whether a query is another one in brackets, and nothing else."""
    query = None if found is None else found.node
    return isinstance(query, tree.Query) and not (query.common or query.order_by or query.limit_start is not None)
