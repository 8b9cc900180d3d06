"""Parts of texts that are JSON, as the operators `->` and `->>` of PostgreSQL have them.

A number is given back as it was written, a text is one value, and a part that is not there is NULL. What is no JSON is
an error. Texts are read one by one, each of them once where it comes again in a row.
"""

import json
import re
from collections.abc import Callable
from functools import lru_cache

import pyarrow as pa
from datafusion import SessionContext, udf

_KEPT_TEXTS = 4
"""Of one text, several parts are asked for one after another."""


DEPTH_MAX = 100
"""The decoder calls itself for each level; a thread of the engine's has a small stack."""

_MARKS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)


class _TooDeepError(ValueError):
    """A text whose brackets nest too deeply."""


class _Number(str):
    """A number, as it is written."""


def add_json_functions(session: SessionContext) -> None:
    """Let a session's texts call them."""
    text, number = pa.string(), pa.int64()
    for function, takes, gives in (
        (json_part, [text, text], text),
        (json_part_text, [text, text], text),
        (json_item, [text, number], text),
        (json_item_text, [text, number], text),
        (json_length, [text], number),
        (json_kind, [text], text),
        (json_is_valid, [text], pa.bool_()),
    ):
        session.register_udf(udf(function, takes, gives, "immutable", name=function.__name__))


def json_part(texts: pa.Array, keys: pa.Array) -> pa.Array:
    """The value of a key of an object, as JSON."""
    return _parts(texts, keys, _of_key, _json)


def json_part_text(texts: pa.Array, keys: pa.Array) -> pa.Array:
    """The value of a key of an object: a text without its quotes, anything else as JSON, null as NULL."""
    return _parts(texts, keys, _of_key, _plain)


def json_item(texts: pa.Array, places: pa.Array) -> pa.Array:
    """The item of an array at a place, from 0, or from -1 at its end; as JSON."""
    return _parts(texts, places, _of_place, _json)


def json_item_text(texts: pa.Array, places: pa.Array) -> pa.Array:
    """The item of an array: a text without its quotes, anything else as JSON, null as NULL."""
    return _parts(texts, places, _of_place, _plain)


def json_length(texts: pa.Array) -> pa.Array:
    """How many items an array has; NULL for anything else."""
    return pa.array([len(v) if isinstance(v, list) else None for v in map(_read, texts.to_pylist())], pa.int64())


def json_kind(texts: pa.Array) -> pa.Array:
    """`object`, `array`, `string`, `number`, `boolean` or `null`."""
    return pa.array([None if text is None else _kind(_read(text)) for text in texts.to_pylist()], pa.string())


def json_is_valid(texts: pa.Array) -> pa.Array:
    """Whether texts are JSON."""
    return pa.array([None if text is None else _is_valid(text) for text in texts.to_pylist()], pa.bool_())


def _parts(
    texts: pa.Array,
    keys: pa.Array,
    find: Callable[[object, object], object],
    write: Callable[[object], str | None],
) -> pa.Array:
    found: list[str | None] = []
    for text, key in zip(texts.to_pylist(), keys.to_pylist(), strict=True):
        part = _MISSING if text is None or key is None else find(_read(text), key)
        found.append(None if part is _MISSING else write(part))
    return pa.array(found, pa.string())


_MISSING = object()


def _of_key(value: object, key: object) -> object:
    return value.get(key, _MISSING) if isinstance(value, dict) else _MISSING


def _of_place(value: object, place: object) -> object:
    is_there = isinstance(value, list) and isinstance(place, int) and -len(value) <= place < len(value)
    return value[place] if is_there else _MISSING  # type: ignore[index]  # which is what was asked


@lru_cache(_KEPT_TEXTS)
def _decoded(text: str) -> object:
    if _depth(text) > DEPTH_MAX:
        raise _TooDeepError
    return json.loads(text, parse_float=_Number, parse_int=_Number, parse_constant=_refuse)


def _read(text: str | None) -> object:
    """The value of a text; an error for one that is none."""
    if text is None:
        return None
    try:
        return _decoded(text)
    except _TooDeepError:
        raise ValueError(f"JSON nests at most {DEPTH_MAX} levels") from None
    except ValueError:
        raise ValueError(f"invalid input for JSON: {text[:40]!r}") from None


def _is_valid(text: str) -> bool:
    try:
        _decoded(text)
    except ValueError:
        return False
    return True


def _depth(text: str) -> int:
    """How deep brackets nest, outside of what is quoted."""
    if text.count("[") + text.count("{") <= DEPTH_MAX:
        return 0
    depth = deepest = 0
    for found in _MARKS.finditer(text):
        mark = found[0]
        depth += (mark in "[{") - (mark in "]}") if len(mark) == 1 else 0
        deepest = max(deepest, depth)
    return deepest


def _refuse(_: str) -> object:
    raise ValueError("NaN and Infinity are no JSON")


def _plain(value: object) -> str | None:
    if value is None:
        return None
    return str(value) if isinstance(value, str) else _json(value)


def _json(value: object) -> str:
    match value:
        case _Number():
            return str(value)
        case str():
            return json.dumps(value, ensure_ascii=False)
        case dict():
            return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{_json(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ",".join(map(_json, value)) + "]"
    return "null" if value is None else str(value).lower()


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case _Number():
            return "number"
        case str():
            return "string"
        case dict():
            return "object"
    return "array"
