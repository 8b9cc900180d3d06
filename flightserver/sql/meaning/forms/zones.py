"""`x AT TIME ZONE zone`: of a moment the clock there, without a zone, and of a clock's time the moment, in UTC.

The engine makes both a moment with that zone, which is another type and prints in another way, and cannot do it before
1677 and after 2262.
"""

import pyarrow as pa

from flightserver.sql.meaning.forms.depth import refuse_deep
from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_UNITS = {"s": "Second", "ms": "Millisecond", "us": "Microsecond", "ns": "Nanosecond"}


def write(writing: Writing) -> None:
    """Write what the engine's functions of ours make of it."""
    if not writing.has("ZONE"):
        return
    for node, found in writing.of_kind(tree.Compound):
        if node.what == "AT TIME ZONE":
            refuse_deep(writing, found)
            moment, zone = node.parts
            if writing.type_of(zone, found) == pa.month_day_nano_interval():
                raise writing.unsupported(zone, "a zone is a name here; add an interval to the moment instead")
            _write(writing, node, moment, zone, found)
            writing.keep_name(found, writing.written(node))


def _write(writing: Writing, node: tree.Compound, moment: tree.Expression, zone: tree.Expression, found: Visit) -> None:
    known, text_of = writing.type_of(moment, found), writing.edits.text_of
    if known == pa.null():
        known = pa.timestamp("us", "UTC")
    if known is not None and pa.types.is_timestamp(known):
        plain, utc = _types(known.unit)
        if known.tz is None:
            writing.edits.write(
                node, lambda: f"arrow_cast(moment_of_zone_{known.unit}({text_of(moment)}, {text_of(zone)}), {utc})"
            )
        else:
            in_utc = f"arrow_cast(arrow_cast({{}}, {utc}), {plain})"
            _write_clock(writing, node, known.unit, in_utc, moment, zone)
        return
    plain, utc = _types("us")
    if known == pa.date32():
        _write_clock(writing, node, "us", "CAST({} AS TIMESTAMP(6))", moment, zone)
    elif isinstance(moment, tree.Literal) and moment.kind in {"string", "null"}:
        _write_clock(writing, node, "us", f"arrow_cast(arrow_cast({{}}, {utc}), {plain})", moment, zone)
    else:
        raise writing.unsupported(
            node, "AT TIME ZONE is of a TIMESTAMP, with a zone or without, which cannot be told here; write a CAST"
        )


def _write_clock(
    writing: Writing, node: tree.Compound, unit: str, in_utc: str, moment: tree.Expression, zone: tree.Expression
) -> None:
    text_of = writing.edits.text_of
    writing.edits.write(node, lambda: f"moment_in_zone_{unit}({in_utc.format(text_of(moment))}, {text_of(zone)})")


def _types(unit: str) -> tuple[str, str]:
    """The engine's names of moments without a zone, and in UTC."""
    return f"'Timestamp({_UNITS[unit]}, None)'", f"'Timestamp({_UNITS[unit]}, Some(\"UTC\"))'"
