"""EXISTS over an aggregate without groups: it is one row even of nothing, so EXISTS is true, unless HAVING says no.

DataFusion 55 asks for rows below the aggregate.
"""

from flightserver.sql.meaning.aggregates import aggregates_all, is_one_row
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree


def repair(writing: Writing) -> None:
    """Write what EXISTS over such a query says."""
    if not writing.has("EXISTS"):
        return
    for node, _ in writing.of_kind(tree.Exists):
        body = node.query.body
        if is_one_row(node.query):
            writing.edits.span(node.start, node.end, "true")
        elif isinstance(body, tree.Select) and aggregates_all(body):
            raise writing.unsupported(node, "EXISTS over an aggregate with HAVING is not supported; compare its value")
