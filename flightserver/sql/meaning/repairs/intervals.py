"""Intervals and differences of moments: DataFusion compares them by their parts, months before days before hours.

They are compared by their length, a month of 30 days, as in PostgreSQL. What is extracted of a difference of moments
is extracted of whole days and the rest; its seconds keep their fraction.
"""

import pyarrow as pa

from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_COMPARISONS = frozenset({"=", "==", "<>", "!=", "<", ">", "<=", ">="})


def repair(writing: Writing) -> None:
    """Compare by length, and extract of what is justified."""
    for found in writing.visits:
        match found.node:
            case tree.Binary(operator=operator, left=left, right=right) if operator in _COMPARISONS:
                _compare(writing, found, left, right)
            case tree.Between(operand=operand, low=low, high=high):
                _compare(writing, found, operand, low, high)
            case tree.InList(operand=operand, items=items):
                _compare(writing, found, operand, *items)
            case tree.Compound(what="EXTRACT", parts=(operand,)) if _is_length(writing.type_of(operand, found)):
                _extract(writing, found, operand)


def _compare(writing: Writing, found: Visit, *values: tree.Expression) -> None:
    types = [writing.type_of(value, found) for value in values]
    if any(map(_is_length, types)) and all(known is None or _is_length(known) for known in types):
        for value in values:
            writing.edits.wrap(value, "interval_length(arrow_cast(", ", 'Interval(MonthDayNano)'))")


def _extract(writing: Writing, found: Visit, operand: tree.Expression) -> None:
    field = writing.text.tokens[found.node.start + 2].text.strip("'").lower()
    if field == "epoch":
        writing.edits.write(
            found.node,
            lambda: (
                f"(interval_length(arrow_cast({writing.edits.text_of(operand)}, 'Interval(MonthDayNano)')) / 1000000.0)"
            ),
        )
    else:
        writing.edits.wrap(operand, "interval_justified(arrow_cast(", ", 'Interval(MonthDayNano)'))")
    writing.keep_name(found, writing.written(found.node))


def _is_length(data_type: pa.DataType | None) -> bool:
    return data_type is not None and bool(pa.types.is_interval(data_type) or pa.types.is_duration(data_type))
