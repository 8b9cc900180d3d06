r"""Text and JSON as columns of a type: the inverse of `written`, and what people's files say instead.

Every storable type has a form here. Text follows PostgreSQL where Arrow has no form of its own: `\x0106` and escapes
for bytes, `t`, `yes` and `on` for booleans. Lists and structs are JSON. A value that is none of the type, or that the
type could only hold changed, is `Unreadable`; nothing becomes NULL, rounded, cut or infinite by being read.
"""

import json
import re
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.types import type_name
from flightserver.cli.printable import printable
from flightserver.cli.values.moments import read_moments

_TRUE = ("true", "t", "yes", "y", "on", "1")
_FALSE = ("false", "f", "no", "n", "off", "0")
_INFINITE = r"^\s*[+-]?(?i:inf|infinity)\s*$"
_NONZERO = r"^[^eE]*[1-9]"
_ESCAPE = re.compile(rb"\\(?:(\\)|([0-3][0-7]{2}))")
_STRAY_BACKSLASH = re.compile(r"(?:[^\\]|\\\\|\\[0-3][0-7]{2})*", re.DOTALL)
SHOWN_LETTERS = 60
"""Of a value in a message."""


class Unreadable(ValueError):  # noqa: N818 - a ValueError
    """A value that is none of the type: its position in the column, and what to say."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(reason)
        self.position = position
        self.reason = reason


class Number(str):
    """A number of JSON as it was written, so that no digit is lost before its type is known."""


_DECODER = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=Number)


def load_json(text: str) -> Any:
    """JSON with its numbers as they were written; ValueError when it is none."""
    return _DECODER.decode(text)


def decode(raw: pa.Array) -> pa.Array:
    """Bytes of a file as text."""
    try:
        return raw.cast(pa.string())
    except pa.ArrowInvalid:
        position = _first_failure(raw, lambda part: part.cast(pa.string()))
        shown = repr(raw[position].as_py()[:SHOWN_LETTERS])[2:-1]
        raise Unreadable(position, f"'{shown}' is not UTF-8; name the encoding, like --encoding latin-1") from None


def read(texts: pa.Array, target: pa.DataType) -> pa.Array:
    """A column of text as a column of a type."""
    if pa.types.is_string(target):
        return texts
    if pa.types.is_nested(target):
        return read_json(_each(load_json, texts, target), target)
    convert = _converter(target)
    try:
        return convert(texts, target)
    except (pa.ArrowInvalid, ValueError):
        position = _first_failure(texts, lambda part: convert(part, target))
        raise _unreadable(position, texts[position].as_py(), target) from None


def read_json(values: Sequence[Any], target: pa.DataType) -> pa.Array:
    """Values of `load_json` as a column of a type."""
    if pa.types.is_list(target):
        return _read_lists(values, target)
    if pa.types.is_struct(target):
        return _read_structs(values, target)
    texts = [None if value is None else json_text(value) for value in values]
    try:
        column = pa.array(texts, pa.string())
    except UnicodeEncodeError:
        position = next(i for i, text in enumerate(texts) if text is not None and not is_unicode(text))
        raise _unreadable(position, texts[position], target) from None
    return read(column, target)


def json_text(value: Any) -> str:
    """A value of `load_json` as text: a text is itself, all else its JSON."""
    return value if isinstance(value, str) else _dump(value)


def _dump(value: Any) -> str:
    match value:
        case Number():
            return value
        case list():
            return f"[{', '.join(map(_dump, value))}]"
        case dict():
            members = (f"{json.dumps(key, ensure_ascii=False)}: {_dump(item)}" for key, item in value.items())
            return f"{{{', '.join(members)}}}"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _read_lists(values: Sequence[Any], target: pa.DataType) -> pa.Array:
    for position, value in enumerate(values):
        if value is not None and not isinstance(value, list):
            raise _unreadable(position, json_text(value), target)
    offsets = np.cumsum([0, *(len(value or ()) for value in values)])
    elements = [element for value in values for element in value or ()]
    try:
        column = read_json(elements, target.value_type)
    except Unreadable as error:
        row = int(np.searchsorted(offsets, error.position, side="right")) - 1
        raise Unreadable(row, error.reason) from None
    mask = pa.array([value is None for value in values], pa.bool_())
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), column, type=target, mask=mask)


def _read_structs(values: Sequence[Any], target: pa.DataType) -> pa.Array:
    names = {field.name for field in target}
    for position, value in enumerate(values):
        if value is not None and not (isinstance(value, dict) and value.keys() <= names):
            raise _unreadable(position, json_text(value), target)
    children = [read_json([(value or {}).get(field.name) for value in values], field.type) for field in target]
    mask = pa.array([value is None for value in values], pa.bool_())
    return pa.StructArray.from_arrays(children, type=target, mask=mask)


def _converter(target: pa.DataType) -> Callable[[pa.Array, pa.DataType], pa.Array]:
    types = pa.types
    if types.is_floating(target):
        return _read_floats
    if types.is_boolean(target):
        return _read_booleans
    if types.is_binary(target):
        return _read_bytes
    if types.is_temporal(target):
        return read_moments
    if target == pa.uuid():
        return _read_uuids
    return _read_exact_numbers


def _read_exact_numbers(texts: pa.Array, target: pa.DataType) -> pa.Array:
    try:
        return texts.cast(target)
    except pa.ArrowInvalid:
        return pc.utf8_trim_whitespace(texts).cast(target)


def _read_floats(texts: pa.Array, target: pa.DataType) -> pa.Array:
    """Floating-point numbers; one too large or too small for the type is no infinity and no zero."""
    numbers = _read_exact_numbers(texts, target)
    wide = numbers.cast(pa.float64())
    if pc.any(pc.is_inf(wide), min_count=0).as_py() or pc.any(pc.equal(wide, 0.0), min_count=0).as_py():
        too_large = pc.and_(pc.is_inf(wide), pc.invert(pc.match_substring_regex(texts, _INFINITE)))
        too_small = pc.and_(pc.equal(wide, 0.0), pc.match_substring_regex(texts, _NONZERO))
        if pc.any(pc.or_(too_large, too_small), min_count=0).as_py():
            raise ValueError("out of range")
    return numbers


def _read_booleans(texts: pa.Array, _: pa.DataType) -> pa.Array:
    words = pc.utf8_lower(pc.utf8_trim_whitespace(texts))
    truths = pc.is_in(words, pa.array(_TRUE))
    if not pc.all(pc.or_(truths, pc.is_in(words, pa.array([*_FALSE, None]))), min_count=0).as_py():
        raise ValueError("no boolean")
    return pc.if_else(texts.is_valid(), truths, pa.scalar(None, pa.bool_()))


def _read_bytes(texts: pa.Array, target: pa.DataType) -> pa.Array:
    return pa.array([None if text is None else _bytes(text) for text in texts.to_pylist()], target)


def _bytes(text: str) -> bytes:
    r"""PostgreSQL's two forms: `\x` and hexadecimal digits, or letters with `\\` and `\ooo`."""
    if text.startswith("\\x"):
        return bytes.fromhex(text[2:])
    if "\\" in text and not _STRAY_BACKSLASH.fullmatch(text):
        raise ValueError("a backslash is written twice")
    return _ESCAPE.sub(lambda match: match[1] or bytes([int(match[2], 8)]), text.encode())


def _read_uuids(texts: pa.Array, target: pa.DataType) -> pa.Array:
    raw = [None if text is None else uuid.UUID(text).bytes for text in texts.to_pylist()]
    return pa.ExtensionArray.from_storage(target, pa.array(raw, target.storage_type))


def _each(load: Callable[[str], Any], texts: pa.Array, target: pa.DataType) -> list[Any]:
    values: list[Any] = []
    for position, text in enumerate(texts.to_pylist()):
        try:
            values.append(None if text is None else load(text))
        except ValueError:
            raise _unreadable(position, text, target) from None
    return values


def _first_failure(column: pa.Array, convert: Callable[[pa.Array], object]) -> int:
    """The first value that cannot be converted, of a column that cannot."""
    good, bad = 0, len(column)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            convert(column.slice(good, middle - good))
            good = middle
        except (pa.ArrowInvalid, ValueError):
            bad = middle
    return good


def is_unicode(text: str) -> bool:
    """Tell whether all letters are some: half of one, as JSON may write it, is none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unreadable(position: int, text: str | None, target: pa.DataType) -> Unreadable:
    return Unreadable(position, f"'{printable((text or '')[:SHOWN_LETTERS])}' is no {type_name(target)}")
