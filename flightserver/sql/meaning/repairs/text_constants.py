"""Casts to text among VALUES: DataFusion 55 makes them texts of another layout than literals, and takes no two layouts.

There they get the layout of literals.
"""

import pyarrow as pa

from flightserver.sql.meaning.types import cast_type
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree


def repair(writing: Writing) -> None:
    """Cast to the layout of literals."""
    if not writing.has("VALUES"):
        return
    for cast, found in writing.of_kind(tree.Cast):
        is_listed = any(isinstance(above.node, tree.Values) for above in found.ancestors())
        if is_listed and cast_type(cast.type_text) == pa.string():
            writing.edits.wrap(cast, "arrow_cast(", ", 'Utf8')")
