"""Moments: the engine reads them with nine digits, in which the years before 1678 and after 2261 cannot be said.

Columns have six digits unless they are declared otherwise, as in PostgreSQL. So a literal has six, too, as have `now()`
and a cast to TIMESTAMP that says nothing else. Text without a zone is in the session's zone, which is UTC. A number is
no moment: whether it counts seconds or smaller parts, nobody could tell.
"""

import re

import pyarrow as pa

from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.types import cast_type, is_number, is_pointed
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree
from flightserver.sql.text.tokens import string_value

_PLAIN = "'Timestamp(Microsecond, None)'"
_ZONED = """'Timestamp(Microsecond, Some("UTC"))'"""
_NOW = frozenset({"now", "current_timestamp"})
_FINER = re.compile(r"\.\d{7}")
_UTC = frozenset({"UTC", "+00:00", "Etc/UTC", "Z"})
_OURS = {
    ("date_trunc", 2): "moment_trunc",
    ("datetrunc", 2): "moment_trunc",
    ("date_bin", 2): "moment_bin",
    ("date_bin", 3): "moment_bin",
}
"""Functions of moments by name and number of arguments, and ours that know all years."""


def write_moments(writing: Writing) -> None:
    """Write moments with six digits."""
    for literal, found in writing.of_kind(tree.Literal):
        if literal.kind in {"TIMESTAMP", "TIMESTAMPTZ"}:
            _write_literal(writing, literal, found)
    for cast, found in writing.of_kind(tree.Cast):
        made = cast_type(cast.type_text)
        of_number = is_pointed(cast.operand) or is_number(writing.type_of(cast.operand, found))
        if made is not None and pa.types.is_timestamp(made) and of_number:
            raise writing.unsupported(cast, "a number is no moment; write to_timestamp(seconds)")
        if cast.type_text.upper() in {"TIMESTAMP", "DATETIME"}:
            writing.edits.span(cast.type_start, cast.type_end, "TIMESTAMP(6)")
            writing.keep_name(found, writing.written(cast.operand))
    for call, found in writing.of_kind(tree.Call):
        _write_call(writing, call, found)
    for name, found in writing.of_kind(tree.Name):
        if name.is_plain and name.parts == ("current_timestamp",):
            _write_now(writing, found)


def _write_call(writing: Writing, call: tree.Call, found: Visit) -> None:
    ours = _OURS.get((call.name, len(call.arguments)))
    if call.name in _NOW and not call.arguments:
        _write_now(writing, found)
    elif ours is not None:
        _write_by_ours(writing, call, ours, call.arguments[1], found)
    elif call.name == "to_timestamp" and len(call.arguments) == 1:
        _write_read(writing, call, call.arguments[0], found)


def _write_literal(writing: Writing, node: tree.Literal, found: Visit) -> None:
    text = string_value(writing.text.tokens[node.end - 1])
    is_zoned = node.kind == "TIMESTAMPTZ" or any(
        token.key == "ZONE" for token in writing.text.tokens[node.start : node.end]
    )
    if not _FINER.search(text):
        written = "'" + text.replace("'", "''") + "'"
        writing.edits.span(node.start, node.end, f"arrow_cast({written}, {_ZONED if is_zoned else _PLAIN})")
        writing.keep_name(found, writing.written(node))


def _write_now(writing: Writing, found: Visit) -> None:
    writing.edits.wrap(found.node, "arrow_cast(", f", {_ZONED})")
    writing.keep_name(found, "now()" if isinstance(found.node, tree.Call) else "current_timestamp")


def _write_by_ours(writing: Writing, call: tree.Call, name: str, moment: tree.Expression, found: Visit) -> None:
    """Call a function of ours, which knows all years; a date is its midnight, and UTC is where zones are left out."""
    known = writing.type_of(moment, found)
    if known == pa.date32():
        writing.edits.wrap(moment, "CAST(", " AS TIMESTAMP(6))")
    elif known is not None and pa.types.is_timestamp(known) and known.unit == "us" and known.tz in _UTC:
        writing.edits.wrap(moment, "arrow_cast(", f", {_PLAIN})")
        writing.edits.wrap(call, "arrow_cast(", f", {_ZONED})")
    elif known != pa.timestamp("us"):
        return
    if name == "moment_bin":
        _write_stride(writing, call)
    writing.edits.span(call.start, call.start + 1, name)
    writing.keep_name(found, writing.written(call))


def _write_stride(writing: Writing, call: tree.Call) -> None:
    """Bins start at a moment without a zone, 1970 unless it is given."""
    stride, moment, *origins = call.arguments
    writing.edits.wrap(stride, "arrow_cast(", ", 'Interval(MonthDayNano)')")
    if not origins:
        writing.edits.wrap(moment, "", f", arrow_cast('1970-01-01 00:00:00', {_PLAIN})")
    for origin in origins:
        writing.edits.wrap(origin, "arrow_cast(", f", {_PLAIN})")


def _write_read(writing: Writing, call: tree.Call, moment: tree.Expression, found: Visit) -> None:
    """Read a text as a moment with six digits; so many seconds are a moment with six, too, to the nearest of them."""
    known = writing.type_of(moment, found)
    if known == pa.string():
        writing.edits.span(call.start, call.start + 1, "arrow_cast")
        writing.edits.wrap(moment, "", f", {_ZONED}")
    elif known is not None and pa.types.is_integer(known):
        writing.edits.span(call.start, call.start + 1, "to_timestamp_seconds")
        writing.edits.wrap(call, "arrow_cast(", f", {_ZONED})")
    elif is_pointed(moment) or is_number(known):
        writing.edits.span(call.start, call.start + 1, "moment_of_seconds")
        writing.edits.wrap(moment, "CAST(", " AS DOUBLE)")
        writing.edits.wrap(call, "arrow_cast(", f", {_ZONED})")
    else:
        return
    writing.keep_name(found, writing.written(call))
