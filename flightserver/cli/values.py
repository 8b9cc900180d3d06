"""Values as text, for people and for JSON. Arrow does the conversion, a column at a time."""

import json
import math
import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SECONDS_ZEROS = r"\.0+(Z|[+-]\d{4})?$"


def is_number(data_type: pa.DataType) -> bool:
    """Tell whether values belong on the right side of their column."""
    types = pa.types
    return bool(types.is_integer(data_type) or types.is_floating(data_type) or types.is_decimal(data_type))


def is_plain(data_type: pa.DataType) -> bool:
    """Tell whether CSV has a form for the type."""
    types = pa.types
    return not any(
        is_kind(data_type) for is_kind in (types.is_nested, types.is_binary, types.is_interval, types.is_duration)
    )


def texts(column: pa.Array) -> list[str | None]:
    """Values as people read them, with None for NULL."""
    data_type = column.type
    if pa.types.is_temporal(data_type) and not pa.types.is_interval(data_type):
        return _moments(column)
    if pa.types.is_boolean(data_type):
        return [None if value is None else str(value).lower() for value in column.to_pylist()]
    if pa.types.is_binary(data_type):
        return [None if value is None else "\\x" + value.hex() for value in column.to_pylist()]
    if pa.types.is_nested(data_type):
        return [None if value is None else json.dumps(_jsonable(value), ensure_ascii=False) for value in _list(column)]
    return [None if value is None else str(value) for value in _list(column)]


def json_values(column: pa.Array) -> list[Any]:
    """Values as JSON has them. What JSON has no form for, decimals among them, becomes text."""
    data_type = column.type
    types = pa.types
    if types.is_floating(data_type):
        return [_jsonable(value) for value in column.to_pylist()]
    if types.is_nested(data_type):
        return [_jsonable(value) for value in _list(column)]
    if types.is_boolean(data_type) or types.is_integer(data_type) or types.is_null(data_type):
        return list(column.to_pylist())
    return texts(column)


def printable(text: str) -> str:
    """Text that cannot steer a terminal: control characters are shown as escapes."""
    return text if text.isprintable() else _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def _moments(column: pa.Array) -> list[str | None]:
    """Dates and times; a time zone that this machine does not know is shown in UTC."""
    try:
        shown = column.cast(pa.string())
    except pa.ArrowException:
        shown = pc.binary_join_element_wise(column.cast(pa.timestamp(column.type.unit)).cast(pa.string()), "Z", "")
    return list(pc.replace_substring_regex(shown, pattern=_SECONDS_ZEROS, replacement=r"\1").to_pylist())


def _list(column: pa.Array) -> list[Any]:
    try:
        return list(column.to_pylist())
    except ValueError:  # nanoseconds in a list or struct, which Python has no type for
        return [str(value) if value.is_valid else None for value in column]


def _jsonable(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_jsonable(item) for item in value]
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
