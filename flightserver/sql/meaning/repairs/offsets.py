"""OFFSET without LIMIT.

A sort above it is moved below it (DataFusion 55, rule EnsureRequirements), so that other rows are left out. With a
limit that no table reaches, the sort stays where it is.
"""

from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_NO_LIMIT = f"LIMIT {2**62}"


def repair(writing: Writing) -> None:
    """Give each OFFSET a LIMIT."""
    if not writing.has("OFFSET"):
        return
    for node, _ in writing.of_kind(tree.Query):
        if node.offset is not None and node.limit is None and node.limit_start is not None:
            writing.edits.wrap(tree.Node(node.limit_start, node.end), f"{_NO_LIMIT} ", "")
