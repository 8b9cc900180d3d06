"""Columns as text, for people and for CSV, and as values of JSON. Encodings of Arrow are undone first."""

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from catalog.plain import plain
from flightserver.cli.values.moments import interval_texts, moment_texts

_WHOLE = r"^-?[0-9]+$"


def is_number(data_type: pa.DataType) -> bool:
    """Tell whether values belong on the right side of their column."""
    types = pa.types
    return bool(types.is_integer(data_type) or types.is_floating(data_type) or types.is_decimal(data_type))


def is_bare(data_type: pa.DataType) -> bool:
    """Tell whether the text of values is short, never empty, and without commas, quotes and line ends."""
    types = pa.types
    return is_number(data_type) or bool(types.is_boolean(data_type) or types.is_temporal(data_type))


def texts(column: pa.Array) -> pa.Array:
    """Values as text, with NULL for NULL."""
    column = plain(column)
    data_type = column.type
    types = pa.types
    if types.is_string(data_type):
        return column
    if types.is_null(data_type):
        return pa.nulls(len(column), pa.string())
    if types.is_interval(data_type) or types.is_duration(data_type):
        return interval_texts(column)
    if types.is_temporal(data_type):
        return moment_texts(column)
    if types.is_floating(data_type):
        return pc.replace_substring_regex(column.cast(pa.string()), pattern=_WHOLE, replacement=r"\0.0")
    if is_number(data_type) or types.is_boolean(data_type):
        return column.cast(pa.string())
    if types.is_binary(data_type) or types.is_fixed_size_binary(data_type):
        return pa.array([None if value is None else "\\x" + value.hex() for value in column.to_pylist()], pa.string())
    if types.is_list(data_type) or types.is_struct(data_type) or types.is_map(data_type):
        shown = [None if value is None else json.dumps(value, ensure_ascii=False) for value in json_values(column)]
        return pa.array(shown, pa.string())
    return pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.string())


def json_values(column: pa.Array) -> list[Any]:
    """Values as JSON has them. What JSON has no form for, decimals among them, becomes text."""
    column = plain(column)
    data_type = column.type
    types = pa.types
    if types.is_boolean(data_type) or types.is_integer(data_type):
        return list(column.to_pylist())
    if types.is_floating(data_type):
        finite = pc.is_finite(column.cast(pa.float64())).to_pylist()
        return [float(text) if is_finite else text for text, is_finite in _zipped(texts(column).to_pylist(), finite)]
    if types.is_list(data_type):
        return _lists(column)
    if types.is_map(data_type):
        return _maps(column)
    if types.is_struct(data_type):
        return _structs(column)
    return list(texts(column).to_pylist())


def _zipped(*columns: list[Any]) -> list[tuple[Any, ...]]:
    return list(zip(*columns, strict=True))


def _lists(column: pa.Array) -> list[Any]:
    elements = iter(json_values(column.flatten()))
    lengths = pc.list_value_length(column).to_pylist()
    return [None if length is None else [next(elements) for _ in range(length)] for length in lengths]


def _maps(column: pa.Array) -> list[Any]:
    """Objects, or lists of pairs where keys are no text."""
    pairs = pa.StructArray.from_arrays([column.keys, column.items], ["key", "value"])
    is_object = pa.types.is_string(plain(column.keys).type)
    maps: list[Any] = []
    for entries in _lists(pa.ListArray.from_arrays(column.offsets, pairs, mask=column.is_null())):
        found = None if entries is None else [(entry["key"], entry["value"]) for entry in entries]
        maps.append(dict(found) if is_object and found is not None else found)
    return maps


def _structs(column: pa.Array) -> list[Any]:
    names = [field.name for field in column.type]
    children = [json_values(child) for child in column.flatten()]
    rows = zip(*children, strict=True) if children else iter([()] * len(column))
    valid = column.is_valid().to_pylist()
    return [dict(zip(names, row, strict=True)) if is_valid else None for row, is_valid in zip(rows, valid, strict=True)]
