"""Every storable type with its extremes, NULL and something in between, by itself and within lists and structs."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.plain import plain
from catalog.types import parse_type, storage_type

SCALARS = (
    *("TINYINT", "SMALLINT", "INT", "BIGINT"),
    *("TINYINT UNSIGNED", "SMALLINT UNSIGNED", "INT UNSIGNED", "BIGINT UNSIGNED"),
    *("FLOAT16", "FLOAT", "DOUBLE"),
    *("DECIMAL(1,0)", "DECIMAL(10,2)", "DECIMAL(38,0)", "DECIMAL(38,38)"),
    *("BOOLEAN", "TEXT", "BYTEA", "UUID", "DATE", "TIME(3)", "TIME(6)", "TIME(9)"),
    *("TIMESTAMP(3)", "TIMESTAMP(6)", "TIMESTAMP(9)"),
    *(f"TIMESTAMP({digits}) WITH TIME ZONE" for digits in (3, 6, 9)),
    *(f"TIMESTAMP({digits}) WITH TIME ZONE 'Europe/Berlin'" for digits in (3, 6, 9)),
    *("TIMESTAMP(6) WITH TIME ZONE 'Africa/Monrovia'", "TIMESTAMP(9) WITH TIME ZONE '-11:00'"),
)
TYPES = (*SCALARS, *(f"{scalar}[]" for scalar in SCALARS), *(f"STRUCT<a {scalar}, b INT>" for scalar in SCALARS))
TEXTS = ("", "NULL", " ", "\\x01", "a,b", 'say "ü"\r\n', "\r", "\0", "[1]")
UUIDS = ("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff")
SECONDS_FROM_YEAR_1_TO_9999 = (-62_135_596_800, 253_402_300_799)
ROWS = 12
"""As many values as the type with the most has, and a NULL."""


def values(sql_type: str) -> pa.Array:
    """Values of a type as it is stored: extremes, some between, and NULL up to `ROWS`."""
    target = storage_type(parse_type(sql_type))
    if pa.types.is_list(target):
        return _lists(values(sql_type.removesuffix("[]")))
    if pa.types.is_struct(target):
        inner = values(sql_type.removeprefix("STRUCT<a ").removesuffix(", b INT>"))
        numbers = pa.array([*range(ROWS - 1), None], pa.int32())
        mask = pa.array([row == 1 for row in range(ROWS)])
        return pa.StructArray.from_arrays([inner, numbers], type=target, mask=mask)
    present = _texts(sql_type) if pa.types.is_string(target) else _present(target)
    return pa.concat_arrays([present, pa.nulls(ROWS - len(present), target)])


def leaves(column: pa.Array) -> list[pa.Array]:
    """What a column consists of, so that two columns are equal when their leaves are; one zero is like the other."""
    if pa.types.is_list(column.type):
        return [pc.list_value_length(column), *leaves(column.flatten())]
    if pa.types.is_struct(column.type):
        return [column.is_valid(), *(leaf for child in column.flatten() for leaf in leaves(child))]
    if pa.types.is_floating(column.type):
        return [plain(column).view(pa.from_numpy_dtype(f"uint{column.type.bit_width}"))]
    return [column]


def _lists(elements: pa.Array) -> pa.Array:
    """A list of everything, an empty one, NULL, and lists of one each."""
    offsets = [0, ROWS, ROWS, ROWS, *range(ROWS + 1, 2 * ROWS - 2)]
    every = pa.concat_arrays([elements, elements])
    mask = pa.array([row == 2 for row in range(ROWS)])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), every, mask=mask)


def _texts(sql_type: str) -> pa.Array:
    return pa.array(UUIDS if sql_type == "UUID" else TEXTS, pa.string())


def _present(target: pa.DataType) -> pa.Array:
    types = pa.types
    if types.is_boolean(target):
        return pa.array([True, False])
    if types.is_binary(target):
        return pa.array([b"", bytes(range(256)), b"\\x01", b"NULL"], target)
    if types.is_decimal(target):
        most = "9" * (target.precision - target.scale) + "." + "9" * target.scale
        least = f"{0:.{target.scale}f}"[:-1] + "1"
        return pa.array([most, f"-{most}", least, "0"], pa.string()).cast(target)
    if types.is_floating(target):
        limits = np.finfo(target.to_pandas_dtype())
        numbers = [limits.max, limits.min, limits.smallest_subnormal, -0.0, 0.1, np.nan, np.inf, -np.inf]
        return pa.array(np.array(numbers, target.to_pandas_dtype()))
    integers = pa.from_numpy_dtype(f"int{target.bit_width}") if types.is_temporal(target) else target
    return pa.array(_counts(target), integers).view(target)


def _counts(target: pa.DataType) -> list[int]:
    """Integers, also those that moments are."""
    if pa.types.is_time(target):
        most = {"ms": 86_399_999, "us": 86_399_999_999, "ns": 86_399_999_999_999}[target.unit]
        return [0, 1, most // 2, most]
    limits = np.iinfo(f"int{target.bit_width}" if pa.types.is_temporal(target) else target.to_pandas_dtype())
    found = [int(limits.min), int(limits.max), 0, 1]
    if pa.types.is_date(target):
        found += [-719_163, -719_162, 2_932_896, 2_932_897]
    if pa.types.is_timestamp(target):
        per_second = {"ms": 10**3, "us": 10**6, "ns": 10**9}[target.unit]
        edges = [each * per_second for each in SECONDS_FROM_YEAR_1_TO_9999]
        found += [each for each in (*edges, edges[0] - 1, edges[1] + per_second) if limits.min <= each <= limits.max]
        found += [-2_500_000_000 * per_second, 1_700_000_000 * per_second]  # before clocks were set by wire, and now
    return found
