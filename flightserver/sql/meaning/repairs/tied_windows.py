"""A window in a sub-query that is tied to the outer query: DataFusion 55 ties the rows behind it, not before.

So the window sees the rows of all outer rows together. Such a sub-query is refused; EXISTS asks for no window's values.
"""

from collections.abc import Iterator

from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_REFUSAL = "a window in a sub-query may not use columns of the outer query; write a join"


def repair(writing: Writing) -> None:
    """Refuse windows over what is tied."""
    if not writing.has("OVER"):
        return
    for call, found in writing.of_kind(tree.Call):
        if call.is_window and any(writing.may_use_outer_columns(query) for query in _asked(found)):
            raise writing.unsupported(call, _REFUSAL)


def _asked(found: Visit) -> Iterator[tree.Query]:
    """The sub-queries that something stands in and that may be tied to what is around them."""
    for above in found.ancestors():
        match above.node:
            case tree.InQuery(query=query) | tree.Quantified(query=query) | tree.ScalarQuery(query=query):
                if query.start <= found.node.start < query.end:
                    yield query
