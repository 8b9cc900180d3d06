"""Formats of moments: PostgreSQL's `YYYY-MM-DD HH24:MI:SS`, where the engine has `%Y-%m-%d %H:%M:%S`.

To the engine a format without `%` is text: `to_char(ts, 'YYYY')` would be 'YYYY'. What has a `%` in it is the engine's.
"""

import re

import pyarrow as pa

from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree
from flightserver.sql.text.tokens import string_value

_BOTH = {
    "YYYY": "%Y",
    "YY": "%y",
    "MM": "%m",
    "DDD": "%j",
    "DD": "%d",
    "HH24": "%H",
    "HH12": "%I",
    "HH": "%I",
    "MI": "%M",
    "SS": "%S",
    "AM": "%p",
    "PM": "%p",
    "Mon": "%b",
    "Dy": "%a",
    "US": "%6f",
    "MS": "%3f",
    "IYYY": "%G",
    "IW": "%V",
    "ID": "%u",
}
"""PostgreSQL's words that mean the same where it reads and where it writes, and the engine's."""

_READ = {
    **_BOTH,
    **dict.fromkeys(("am", "pm"), "%p"),
    **dict.fromkeys(("MON", "mon"), "%b"),
    **dict.fromkeys(("MONTH", "Month", "month"), "%B"),
    **dict.fromkeys(("DY", "dy"), "%a"),
}
"""What it reads."""

_WRITTEN = {
    **_BOTH,
    **dict.fromkeys(("am", "pm"), "%P"),
    "FMMonth": "%B",
    "FMDay": "%A",
    "FMDD": "%-d",
    "FMMM": "%-m",
    "FMHH24": "%-H",
    "FMHH12": "%-I",
}
"""What it writes. `Month` and `Day` by themselves are padded with blanks there, and have no word here."""

_WORDS = sorted({*_READ, *_WRITTEN}, key=lambda word: (-len(word), word))
_PIECES = re.compile(rf"""\"([^"]*)"|({"|".join(_WORDS)})|([A-Za-z]+)|([^A-Za-z\"]+)""")
"""A part in quotes, a word, the longest that there is, letters that are none, and what is between."""


def write(writing: Writing) -> None:
    """Write formats in the engine's words, and moments that are read with six digits."""
    for call, found in writing.of_kind(tree.Call):
        if call.name in {"to_char", "date_format"} and len(call.arguments) == 2:
            _write_format(writing, call.arguments[1], _WRITTEN, call)
            writing.keep_name(found, writing.written(call))
        elif call.name in {"to_timestamp", "to_date"} and len(call.arguments) > 1:
            for argument in call.arguments[1:]:
                _write_format(writing, argument, _READ, call)
            _write_read(writing, call, found)


def _write_read(writing: Writing, call: tree.Call, found: Visit) -> None:
    if call.name == "to_timestamp" and writing.type_of(call.arguments[0], found) == pa.string():
        writing.edits.span(call.start, call.start + 1, "to_timestamp_micros")
        writing.edits.wrap(call, "arrow_cast(", """, 'Timestamp(Microsecond, Some("UTC"))')""")
    writing.keep_name(found, writing.written(call))


def _write_format(writing: Writing, value: tree.Expression, words: dict[str, str], call: tree.Call) -> None:
    if not isinstance(value, tree.Literal) or value.kind != "string":
        return
    text = string_value(writing.text.tokens[value.start])
    if "%" in text or not re.search(r"[A-Za-z]", text):
        return
    written = []
    for quoted, word, letters, rest in _PIECES.findall(text):
        if letters or (word and word not in words):
            raise writing.unsupported(
                value, f"{call.name} knows no {(letters or word)!r}; write %-formats, as '%Y-%m-%d %H:%M:%S'"
            )
        written.append(words.get(word, "") + quoted + rest)
    writing.edits.span(value.start, value.end, "'" + "".join(written).replace("'", "''") + "'")
