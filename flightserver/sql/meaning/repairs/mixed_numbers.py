"""DECIMAL compared with DOUBLE: DataFusion makes a decimal of the double, so that one NaN or 1e30 ends the query.

The decimal is made a double instead.
"""

import pyarrow as pa

from flightserver.sql.meaning.writing import Writing


def repair(writing: Writing) -> None:
    """Compare as doubles."""
    for values, found in writing.comparisons:
        types = [writing.type_of(value, found) for value in values]
        if any(known is not None and pa.types.is_floating(known) for known in types):
            for value, known in zip(values, types, strict=True):
                if known is not None and pa.types.is_decimal(known):
                    writing.edits.wrap(value, "CAST(", " AS DOUBLE)")
