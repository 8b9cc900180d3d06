"""`TRIM(BOTH FROM x)`, without the letters that are to go, and `SUBSTRING(x FROM 'pattern')`, the part that matches."""

import pyarrow as pa

from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_TRIMS = {"LEADING": "ltrim", "TRAILING": "rtrim"}


def write(writing: Writing) -> None:
    """Write the functions that the engine has for them."""
    for call, found in writing.of_kind(tree.Call):
        match call:
            case tree.Call(name="trim", arguments=(tree.Compound(what="FROM") as inner,)):
                _trim(writing, call, inner.parts[0])
            case tree.Call(name="substring" | "substr", arguments=(text, part)) if (
                writing.type_of(part, found) == pa.string()
            ):
                _match(writing, call, text, part)
            case tree.Call(name="substring" | "substr", arguments=(_, part, _)) if (
                writing.type_of(part, found) == pa.string()
            ):
                raise writing.unsupported(call, "substring takes POSIX patterns: substring(text FROM 'pattern')")
            case _:
                continue
        writing.keep_name(found, writing.written(call))


def _trim(writing: Writing, call: tree.Call, text: tree.Expression) -> None:
    side = writing.text.tokens[call.start + 2].key
    writing.edits.write(call, lambda: f"{_TRIMS.get(side, 'btrim')}({writing.edits.text_of(text)})")


def _match(writing: Writing, call: tree.Call, text: tree.Expression, pattern: tree.Expression) -> None:
    """What the first group matches, or the whole pattern if it has none."""
    text_of = writing.edits.text_of
    writing.edits.write(call, lambda: f"array_element(regexp_match({text_of(text)}, {text_of(pattern)}), 1)")
