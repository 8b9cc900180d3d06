"""Intervals as SQL and PostgreSQL write them, and intervals times numbers.

The engine reads numbers with units and nothing else: no `'1-2' YEAR TO MONTH`, no `'04:05'`, no `'P1DT2H'`. An interval
times or over a number is none to it.
"""

import re

import pyarrow as pa

from flightserver.sql.meaning.forms.depth import refuse_deep
from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.types import is_length
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree
from flightserver.sql.text.interval_texts import read_interval
from flightserver.sql.text.tokens import Kind, string_value

_PLAIN = re.compile(r"\s*(?:[-+]?\d+(?:\.\d+)?\s*[a-z]*(?:\s+|\Z))+", re.IGNORECASE)
"""What the engine reads by itself."""

_INTERVAL = pa.month_day_nano_interval()


def write(writing: Writing) -> None:
    """Write intervals in numbers with units, and what is made of them by a function of ours."""
    if writing.has("INTERVAL"):
        for literal, found in writing.of_kind(tree.Literal):
            if literal.kind == "INTERVAL":
                _write_literal(writing, literal, found)
        for cast, found in writing.of_kind(tree.Cast):
            _write_cast(writing, cast, found)
    if writing.has("*", "/"):
        for node, found in writing.of_kind(tree.Binary):
            if node.operator in {"*", "/"}:
                _write_product(writing, node, found)


def _write_literal(writing: Writing, literal: tree.Literal, found: Visit) -> None:
    tokens = writing.text.tokens[literal.start + 1 : literal.end]
    if not tokens or tokens[0].kind is not Kind.STRING:
        return
    text, units = (
        string_value(tokens[0]),
        [token.key.lower().rstrip("s") for token in tokens if token.kind is Kind.WORD],
    )
    first, last = units[0] if units else "", units[-1] if len(units) > 1 else ""
    if last == "" and _PLAIN.fullmatch(text):
        return
    parts = read_interval(text, first, last)
    if parts is None:
        raise writing.unsupported(literal, "this interval cannot be read; write numbers with units, as '1 day 2 hours'")
    writing.edits.span(literal.start, literal.end, parts.sql)
    writing.keep_name(found, writing.written(literal))


def _write_cast(writing: Writing, cast: tree.Cast, found: Visit) -> None:
    operand = cast.operand
    if cast.type_text.upper() == "INTERVAL" and isinstance(operand, tree.Literal) and operand.kind == "string":
        text = string_value(writing.text.tokens[operand.start])
        parts = None if _PLAIN.fullmatch(text) else read_interval(text)
        if parts is not None:
            writing.edits.write(cast, lambda: parts.sql)
            writing.keep_name(found, writing.written(operand))


def _write_product(writing: Writing, node: tree.Binary, found: Visit) -> None:
    left, right = writing.type_of(node.left, found), writing.type_of(node.right, found)
    if is_length(left) and not is_length(right):
        interval, number, known = node.left, node.right, left
    elif is_length(right) and node.operator == "*" and not is_length(left):
        interval, number, known = node.right, node.left, right
    else:
        return
    refuse_deep(writing, found)
    text_of = writing.edits.text_of
    function = "interval_times" if node.operator == "*" else "interval_over"
    as_interval = "{}" if known == _INTERVAL else "interval_justified(arrow_cast({}, 'Interval(MonthDayNano)'))"
    writing.edits.write(
        node, lambda: f"{function}({as_interval.format(text_of(interval))}, CAST({text_of(number)} AS DOUBLE))"
    )
    writing.keep_name(found, writing.written(node))
