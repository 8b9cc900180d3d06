"""UUIDs beside text: they are stored as canonical text, and to the engine another way to write one is another value.

Constants and parameters that a UUID is compared with are brought into the form in which they would be stored.
"""

import re

import pyarrow as pa

from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_PARTS = "-?".join(f"([0-9a-f]{{{digits}}})" for digits in (8, 4, 4, 4, 12))
_WRITTEN = rf"^[{{ ]*{_PARTS}[}} ]*$"
_QUOTED = re.compile(rf"'{_WRITTEN[1:-1]}'\Z")
_PLAIN = re.compile(rf"{_WRITTEN[1:-1]}\Z")
_CANONICAL = r"\1-\2-\3-\4-\5"


def write_uuids(writing: Writing) -> None:
    """Write canonical text beside UUIDs."""
    for values, found in writing.comparisons:
        if pa.uuid() in [writing.type_of(value, found) for value in values]:
            for value in values:
                _write(writing, value)


def canonical_text(text: str) -> str | None:
    """A UUID as it is stored; None for a text that is none."""
    written = _PLAIN.match(text.lower())
    return None if written is None else written.expand(_CANONICAL)


def _write(writing: Writing, value: tree.Expression) -> None:
    if isinstance(value, tree.Literal) and value.kind == "string":
        written = _QUOTED.match(writing.written(value).lower())
        if written is not None:
            writing.edits.span(value.start, value.end, f"'{written.expand(_CANONICAL)}'")
    elif isinstance(value, tree.Parameter):
        writing.edits.wrap(value, "regexp_replace(lower(", f"), '{_WRITTEN}', '{_CANONICAL}')")
