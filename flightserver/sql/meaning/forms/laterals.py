"""LATERAL and functions in FROM that use columns beside them in a way that the engine cannot plan are refused.

It plans a LATERAL sub-query that selects rows of its own under conditions, and nothing else; each refusal says what to
write instead.
"""

from flightserver.sql.meaning.aggregates import aggregates_all
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_WITH_LIMIT = (
    "LATERAL with ORDER BY or LIMIT may not use columns of the tables before it; number the rows by"
    " row_number() OVER (PARTITION BY … ORDER BY …) in a sub-query in FROM, and join that"
)
_AGGREGATE = (
    "LATERAL with aggregates may not use columns of the tables before it;"
    " select each value as a sub-query of its own: SELECT (SELECT max(…) FROM … WHERE …)"
)
_ROWLESS = "LATERAL without FROM may not use columns of the tables before it; select the values in a sub-query in FROM"
_UNNEST = "unnest in FROM may not use columns of the tables before it; select it: SELECT …, unnest(column) FROM …"


def write(writing: Writing) -> None:
    """Refuse them."""
    if writing.has("LATERAL"):
        for source, _ in writing.of_kind(tree.QuerySource):
            refusal = _refusal(source.query) if source.is_lateral else None
            if refusal is not None and writing.may_use_outer_columns(source.query):
                raise writing.unsupported(source, refusal)
    if not writing.has("UNNEST"):
        return
    for call_source, found in writing.of_kind(tree.CallSource):
        names = [node for node in tree.walk(call_source.call) if isinstance(node, tree.Name)]
        if call_source.call.name == "unnest" and any(found.scope.is_certain(name.parts) for name in names):
            raise writing.unsupported(call_source, _UNNEST)


def _refusal(query: tree.Query) -> str | None:
    query = tree.unbracketed(query)
    select = query.body
    if query.order_by or query.limit_start is not None:
        return _WITH_LIMIT
    if not isinstance(select, tree.Select):
        return None
    if select.has_groups or aggregates_all(select):
        return _AGGREGATE
    return _ROWLESS if select.from_start is None else None
