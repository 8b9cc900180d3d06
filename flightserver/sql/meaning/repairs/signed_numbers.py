"""Ranks, row numbers and lengths are unsigned in DataFusion, so that a difference below 0 wraps around.

They are made BIGINT, which they are in other databases.
"""

from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

UNSIGNED = frozenset(
    {
        *("row_number", "rank", "dense_rank", "ntile", "array_length", "list_length", "cardinality", "array_ndims"),
        *("list_ndims", "array_position", "list_position", "array_position", "regexp_count", "approx_distinct"),
        *("find_in_set", "bit_length", "octet_length", "array_indexof", "list_indexof"),
    }
)
"""The functions that yield unsigned numbers; a test asks the engine for its own list."""


def repair(writing: Writing) -> None:
    """Cast what would be unsigned."""
    for node, visit in writing.of_kind(tree.Call):
        if node.name in UNSIGNED:
            writing.edits.wrap(node, "CAST(", " AS BIGINT)")
            writing.keep_name(visit, node.name)
