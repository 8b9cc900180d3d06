"""Parts of moments that the engine does not know: centuries, Julian days, how far the session's zone is from UTC.

The engine takes no part of a bare NULL, either; it is one of a moment.
"""

import pyarrow as pa

from flightserver.sql.meaning.moment_parts import parts_of_moments
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_WRITTEN = {
    "decade": "(date_part('year', {0}) / 10)",
    "century": "((date_part('year', {0}) + 99) / 100)",
    "millennium": "((date_part('year', {0}) + 999) / 1000)",
    "julian": "(date_part('epoch', {0}) / 86400.0 + 2440588.0)",
    **dict.fromkeys(("timezone", "timezone_hour", "timezone_minute"), "(CASE WHEN {0} IS NULL THEN NULL ELSE 0 END)"),
}
"""Of years from 1 to 9999. The session's zone is UTC."""


def write(writing: Writing) -> None:
    """Write what they are of years and seconds."""
    for unit, moment, found in parts_of_moments(writing):
        known = writing.type_of(moment, found)
        if known is not None and pa.types.is_null(known):
            _write(writing, found.node, moment, "CAST({0} AS DOUBLE)")
            writing.keep_name(found, writing.written(found.node))
            continue
        written = _WRITTEN.get(unit.lower())
        if written is None:
            continue
        has_zone = known is not None and pa.types.is_timestamp(known) and known.tz is not None
        if unit.lower().startswith("timezone") and not has_zone:
            raise writing.unsupported(found.node, f"{unit} is of a TIMESTAMP WITH TIME ZONE")
        if known is not None and not (pa.types.is_timestamp(known) or pa.types.is_date(known)):
            raise writing.unsupported(found.node, f"{unit} is of a TIMESTAMP or a DATE")
        _write(writing, found.node, moment, written)
        writing.keep_name(found, writing.written(found.node))


def _write(writing: Writing, node: tree.Node, moment: tree.Expression, written: str) -> None:
    writing.edits.write(node, lambda: written.format(writing.edits.text_of(moment)))
