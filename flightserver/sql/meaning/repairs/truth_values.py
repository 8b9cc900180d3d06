"""`x IS TRUE` and its kin: DataFusion 55 plans them as never NULL, and makes of them what may be NULL.

Where rows are then made distinct, united or grouped, its two schemas differ, and the query ends. The comparisons that
say the same have one schema.
"""

from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_COMPARISONS = {
    "TRUE": "IS NOT DISTINCT FROM true",
    "FALSE": "IS NOT DISTINCT FROM false",
    "UNKNOWN": "IS NULL",
    "NOT TRUE": "IS DISTINCT FROM true",
    "NOT FALSE": "IS DISTINCT FROM false",
    "NOT UNKNOWN": "IS NOT NULL",
}


def repair(writing: Writing) -> None:
    """Write them as comparisons."""
    if not writing.has("IS"):
        return
    for node, found in writing.of_kind(tree.Test):
        comparison = _COMPARISONS.get(node.what)
        if comparison is not None:
            writing.edits.wrap(node.operand, "(", f") {comparison}")
            writing.edits.span(node.operand.end, node.end, "")
            writing.edits.wrap(node, "(", ")")
            writing.keep_name(found, writing.written(node))
