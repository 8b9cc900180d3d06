"""DECIMAL compared with DOUBLE: DataFusion makes a decimal of the double, so that one NaN or 1e30 ends the query.

The decimal is made a double instead.
"""

import pyarrow as pa

from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_COMPARISONS = frozenset({"=", "==", "<>", "!=", "<", ">", "<=", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"})


def repair(writing: Writing) -> None:
    """Compare as doubles."""
    for found in writing.visits:
        match found.node:
            case tree.Binary(operator=operator, left=left, right=right) if operator in _COMPARISONS:
                _compare(writing, found, left, right)
            case tree.Between(operand=operand, low=low, high=high):
                _compare(writing, found, operand, low, high)
            case tree.InList(operand=operand, items=items):
                _compare(writing, found, operand, *items)


def _compare(writing: Writing, found: Visit, *values: tree.Expression) -> None:
    types = [writing.type_of(value, found) for value in values]
    if any(known is not None and pa.types.is_floating(known) for known in types):
        for value, known in zip(values, types, strict=True):
            if known is not None and pa.types.is_decimal(known):
                writing.edits.wrap(value, "CAST(", " AS DOUBLE)")
