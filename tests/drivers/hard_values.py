"""Values that libraries lose on their way, by the type of their column; NULL is one of each."""

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import pyarrow as pa

LARGE = 15 << 20
"""Bytes of a value that still fits into a message of the ADBC driver."""

_MOMENTS = [
    dt.datetime(1, 1, 1),
    dt.datetime(1899, 12, 31, 23, 59, 59, 999999),
    dt.datetime(2262, 4, 12),
    dt.datetime(9999, 12, 31, 23, 59, 59, 999999),
]
"""The first that there is, one before 1900, the first that nanoseconds do not reach, the last."""

HARD: list[tuple[str, pa.DataType, list[Any]]] = [
    ("DOUBLE", pa.float64(), [-math.inf, math.inf, math.nan, 5e-324]),
    ("FLOAT", pa.float32(), [-math.inf, math.inf, math.nan]),
    ("BIGINT", pa.int64(), [-(2**63), 2**63 - 1]),
    ("DECIMAL(38,0)", pa.decimal128(38, 0), [Decimal("9" * 38), Decimal("-" + "9" * 38)]),
    ("BOOLEAN", pa.bool_(), [False]),
    ("DATE", pa.date32(), [moment.date() for moment in _MOMENTS]),
    ("TIME", pa.time64("us"), [dt.time(0), dt.time(23, 59, 59, 999999)]),
    ("TIMESTAMP", pa.timestamp("us"), _MOMENTS),
    ("TIMESTAMPTZ", pa.timestamp("us", "UTC"), [moment.replace(tzinfo=dt.UTC) for moment in _MOMENTS]),
    ("TEXT", pa.string(), ["", "\0", "\N{GRINNING FACE}", "x" * LARGE]),
    ("BYTEA", pa.binary(), [b"", b"\0\xff", b"x" * LARGE]),
]


def same(found: Any, expected: Any) -> bool:
    """Tell whether a value came back: NaN is itself."""
    both_nan = isinstance(expected, float) and isinstance(found, float) and math.isnan(found) and math.isnan(expected)
    return both_nan or bool(found == expected)
