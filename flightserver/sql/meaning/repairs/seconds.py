"""Seconds and milliseconds of a moment: DataFusion drops what is below them, in PostgreSQL they have a fraction.

They are computed of the microseconds. Of intervals, `intervals` takes care.
"""

from collections.abc import Iterator

import pyarrow as pa

from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree
from flightserver.sql.text.tokens import string_value

_MICROSECONDS_OF = {
    **dict.fromkeys(("second", "seconds", "sec", "secs"), "1000000.0"),
    **dict.fromkeys(("millisecond", "milliseconds", "msec", "msecs", "ms"), "1000.0"),
}
_NAMED = frozenset({"date_part", "datepart"})


def repair(writing: Writing) -> None:
    """Divide the microseconds."""
    for unit, moment, found in _parts_of_moments(writing):
        known = writing.type_of(moment, found)
        per_unit = _MICROSECONDS_OF.get(unit.lower())
        if per_unit is not None and known is not None and (pa.types.is_timestamp(known) or pa.types.is_time(known)):
            _divide(writing, found.node, moment, per_unit)
            writing.keep_name(found, writing.written(found.node))


def _parts_of_moments(writing: Writing) -> Iterator[tuple[str, tree.Expression, Visit]]:
    """What is extracted, of which moment, and where."""
    tokens = writing.text.tokens
    for node, found in writing.of_kind(tree.Compound):
        if node.what == "EXTRACT":
            yield tokens[node.start + 2].text.strip("'"), node.parts[0], found
    for call, found in writing.of_kind(tree.Call):
        if call.name in _NAMED and len(call.arguments) == 2:
            unit = call.arguments[0]
            if isinstance(unit, tree.Literal) and unit.kind == "string":
                yield string_value(tokens[unit.start]), call.arguments[1], found


def _divide(writing: Writing, node: tree.Node, moment: tree.Expression, per_unit: str) -> None:
    writing.edits.write(
        node, lambda: f"(date_part('microsecond', {writing.edits.text_of(moment)}) / CAST({per_unit} AS DOUBLE))"
    )
