"""Intervals and differences of moments: DataFusion compares them by their parts, months before days before hours.

They are compared by their length, a month of 30 days, as in PostgreSQL. What is extracted of a difference of moments
is extracted of whole days and the rest; its seconds keep their fraction.
"""

import pyarrow as pa

from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree


def repair(writing: Writing) -> None:
    """Compare by length, and extract of what is justified."""
    for values, found in writing.comparisons:
        types = [writing.type_of(value, found) for value in values]
        if any(map(_is_length, types)) and all(known is None or _is_length(known) for known in types):
            for value in values:
                writing.edits.wrap(value, "interval_length(arrow_cast(", ", 'Interval(MonthDayNano)'))")
    for node, found in writing.of_kind(tree.Compound):
        if node.what == "EXTRACT" and _is_length(writing.type_of(node.parts[0], found)):
            _extract(writing, found, node.parts[0])


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
