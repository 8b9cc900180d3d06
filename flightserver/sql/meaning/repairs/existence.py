"""EXISTS over an aggregate without groups: it is one row even of nothing, so EXISTS is true, unless HAVING says no.

DataFusion 55 asks for rows below the aggregate. What HAVING says of the one row is asked for as a value. Of a query
that is tied to the outer one the engine reads no OFFSET; that is refused.
"""

from flightserver.sql.meaning.aggregates import aggregates_all, is_one_row
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree


def repair(writing: Writing) -> None:
    """Write what EXISTS over such a query says."""
    if not writing.has("EXISTS"):
        return
    for node, _ in writing.of_kind(tree.Exists):
        query = tree.unbracketed(node.query)
        body = query.body
        if query.offset is not None and writing.may_use_outer_columns(query):
            raise writing.unsupported(
                node, "EXISTS with OFFSET may not use columns of the outer query; compare a count"
            )
        if is_one_row(node.query):
            writing.edits.span(node.start, node.end, "true")
        elif isinstance(body, tree.Select) and aggregates_all(body):
            _ask_having(writing, node, query, body)


def _ask_having(writing: Writing, node: tree.Exists, query: tree.Query, select: tree.Select) -> None:
    having = select.having
    if having is None or query.common or query.limit_start is not None or select.from_start is None:
        raise writing.unsupported(node, "EXISTS over an aggregate with HAVING is not supported here; compare its value")
    writing.values.append(node)
    edits, start = writing.edits, select.from_start
    end = select.from_end if select.where is None else select.where.end
    edits.write(node, lambda: f"coalesce((SELECT ({edits.text_of(having)}) {edits.text_between(start, end)}), false)")
