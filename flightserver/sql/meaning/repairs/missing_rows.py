"""A sub-query that is a value and finds no row is NULL, also where the column that it selects is NOT NULL.

DataFusion 55 takes the column's word for it, and leaves out a coalesce or an IS NULL around the sub-query.
"""

import pyarrow as pa

from flightserver.sql.meaning.aggregates import is_one_row
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree


def repair(writing: Writing) -> None:
    """Let the engine see that NULL may come of it."""
    for node, found in writing.of_kind(tree.ScalarQuery):
        is_null = writing.type_of(node, found) == pa.null()
        if not is_null and not is_one_row(node.query) and writing.text.tokens[node.start].key == "(":
            writing.edits.wrap(node, "nullif(", ", NULL)")
            writing.keep_name(found, writing.written(node))
