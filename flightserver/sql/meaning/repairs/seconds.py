"""Seconds and milliseconds of a moment: DataFusion drops what is below them, in PostgreSQL they have a fraction.

They are computed of the microseconds. Of intervals, `intervals` takes care.
"""

import pyarrow as pa

from flightserver.sql.meaning.moment_parts import parts_of_moments
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_MICROSECONDS_OF = {
    **dict.fromkeys(("second", "seconds", "sec", "secs"), "1000000.0"),
    **dict.fromkeys(("millisecond", "milliseconds", "msec", "msecs", "ms"), "1000.0"),
}


def repair(writing: Writing) -> None:
    """Divide the microseconds."""
    for unit, moment, found in parts_of_moments(writing):
        known = writing.type_of(moment, found)
        per_unit = _MICROSECONDS_OF.get(unit.lower())
        if per_unit is not None and known is not None and (pa.types.is_timestamp(known) or pa.types.is_time(known)):
            _divide(writing, found.node, moment, per_unit)
            writing.keep_name(found, writing.written(found.node))


def _divide(writing: Writing, node: tree.Node, moment: tree.Expression, per_unit: str) -> None:
    writing.edits.write(
        node, lambda: f"(date_part('microsecond', {writing.edits.text_of(moment)}) / CAST({per_unit} AS DOUBLE))"
    )
