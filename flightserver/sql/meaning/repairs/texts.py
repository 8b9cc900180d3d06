"""Moments and doubles as texts: DataFusion writes them in its own way, `2024-01-31T05:00:07.250` and `1.0`.

They are written as they are where they are stored in a column of texts, and as in PostgreSQL: `2024-01-31 05:00:07.25`
and `1`. So they are in casts, beside `||` and in concat.
"""

from collections.abc import Sequence

import pyarrow as pa

from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.types import cast_type
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_UNITS = {"s": "Second", "ms": "Millisecond", "us": "Microsecond", "ns": "Nanosecond"}


def repair(writing: Writing) -> None:
    """Write texts of moments and doubles."""
    for cast, found in writing.of_kind(tree.Cast):
        if cast_type(cast.type_text) == pa.string() and _write(writing, cast.operand, found):
            writing.keep_name(found, writing.written(cast.operand))
    for binary, found in writing.of_kind(tree.Binary):
        if binary.operator == "||":
            _write_all(writing, found, (binary.left, binary.right))
    for call, found in writing.of_kind(tree.Call):
        if call.name == "concat":
            _write_all(writing, found, call.arguments)


def _write_all(writing: Writing, found: Visit, values: Sequence[tree.Expression]) -> None:
    written = [_write(writing, value, found) for value in values]
    if any(written):
        writing.keep_name(found, writing.written(found.node))


def _write(writing: Writing, value: tree.Expression, found: Visit) -> bool:
    """Write a value as a text, if it is a moment or a double; tell whether it is."""
    known = writing.type_of(value, found)
    if known is None or not (pa.types.is_timestamp(known) or pa.types.is_floating(known)):
        return False
    if pa.types.is_floating(known):
        name = "single_text" if pa.types.is_float32(known) else "double_text"
        writing.edits.wrap(value, f"{name}(", ")")
    elif known.tz is None:
        writing.edits.wrap(value, f"moment_text_{known.unit}(", ")")
    else:
        unit = _UNITS[known.unit]
        before, after = f"(moment_text_{known.unit}(arrow_cast(arrow_cast(", f", 'Timestamp({unit}, Some(\"UTC\"))')"
        writing.edits.wrap(value, before, f"{after}, 'Timestamp({unit}, None)')) || '+00')")
    return True
