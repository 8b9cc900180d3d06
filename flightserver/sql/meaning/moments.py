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
_TRUNCATED = frozenset({"date_trunc", "datetrunc"})


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
        if call.name in _NOW and not call.arguments:
            _write_now(writing, found)
        elif call.name in _TRUNCATED and len(call.arguments) == 2:
            _write_truncated(writing, call, call.arguments[1], found)
    for name, found in writing.of_kind(tree.Name):
        if name.is_plain and name.parts == ("current_timestamp",):
            _write_now(writing, found)


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


def _write_truncated(writing: Writing, call: tree.Node, moment: tree.Expression, found: Visit) -> None:
    """Truncate by a function of ours, which knows all years; a date is its midnight."""
    known = writing.type_of(moment, found)
    if known == pa.date32():
        writing.edits.wrap(moment, "CAST(", " AS TIMESTAMP(6))")
    if known in (pa.timestamp("us"), pa.date32()):
        writing.edits.span(call.start, call.start + 1, "moment_trunc")
        writing.keep_name(found, writing.written(call))
