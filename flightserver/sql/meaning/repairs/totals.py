"""GROUP BY ROLLUP, CUBE or GROUPING SETS with a total in a sub-query that is tied to the outer one.

The total is a row even of nothing, but DataFusion 55 joins the groups to the outer rows, and those without a group go.
EXISTS over such a query is true; other questions are refused.
"""

from flightserver.sql.meaning.aggregates import has_total
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree


def repair(writing: Writing) -> None:
    """Write what EXISTS says; refuse the rest."""
    if not writing.has("ROLLUP", "CUBE", "SETS"):
        return
    asked: list[tree.Exists | tree.InQuery | tree.Quantified | tree.ScalarQuery] = [
        *(node for node, _ in writing.of_kind(tree.Exists)),
        *(node for node, _ in writing.of_kind(tree.InQuery)),
        *(node for node, _ in writing.of_kind(tree.Quantified)),
        *(node for node, _ in writing.of_kind(tree.ScalarQuery)),
    ]
    for node in asked:
        query = tree.unbracketed(node.query)
        select = query.body
        if not isinstance(select, tree.Select) or not has_total(select) or not writing.may_use_outer_columns(query):
            continue
        if not isinstance(node, tree.Exists) or select.having is not None or query.limit_start is not None:
            raise writing.unsupported(
                node, "a sub-query with a total of its groups may not use columns of the outer query; write a join"
            )
        writing.edits.span(node.start, node.end, "true")
