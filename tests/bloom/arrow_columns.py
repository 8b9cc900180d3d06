"""Arrow columns of every hashable type, as hypothesis strategies."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st


def _integers(bits: int, *, signed: bool) -> st.SearchStrategy[int]:
    return st.integers(-(1 << bits - 1), (1 << bits - 1) - 1) if signed else st.integers(0, (1 << bits) - 1)


_MICROSECOND_TIMES = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1))
_WHOLE_SECONDS = _MICROSECOND_TIMES.map(lambda moment: moment.replace(microsecond=0))
_TEXTS = st.text(max_size=40)
_BINARIES = st.binary(max_size=200)

VALUES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.int8(): _integers(8, signed=True),
    pa.int16(): _integers(16, signed=True),
    pa.int32(): _integers(32, signed=True),
    pa.int64(): _integers(64, signed=True),
    pa.uint8(): _integers(8, signed=False),
    pa.uint16(): _integers(16, signed=False),
    pa.uint32(): _integers(32, signed=False),
    pa.uint64(): _integers(64, signed=False),
    pa.bool_(): st.booleans(),
    pa.float16(): st.floats(width=16),
    pa.float32(): st.floats(width=32),
    pa.float64(): st.floats(),
    pa.decimal128(38, 4): st.integers(-(10**38) + 1, 10**38 - 1).map(lambda n: Decimal(f"{n}e-4")),
    pa.string(): _TEXTS,
    pa.large_string(): _TEXTS,
    pa.string_view(): _TEXTS,
    pa.binary(): _BINARIES,
    pa.large_binary(): _BINARIES,
    pa.binary_view(): _BINARIES,
    pa.binary(11): st.binary(min_size=11, max_size=11),
    pa.date32(): st.dates(),
    pa.date64(): st.dates(),
    pa.time32("ms"): _WHOLE_SECONDS.map(dt.datetime.time),
    pa.time64("us"): _MICROSECOND_TIMES.map(dt.datetime.time),
    pa.timestamp("s"): _WHOLE_SECONDS,
    pa.timestamp("us"): _MICROSECOND_TIMES,
    pa.timestamp("ns", tz="UTC"): _MICROSECOND_TIMES.map(lambda moment: moment.replace(tzinfo=dt.UTC)),
}

INTEGER_LIKE = [
    kind for kind in VALUES if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_temporal(kind)
]


def values(kind: pa.DataType, max_size: int = 60) -> st.SearchStrategy[list[Any]]:
    """Draw lists of values of a type, NULLs among them."""
    return st.lists(st.none() | VALUES[kind], max_size=max_size)


def columns(kind: pa.DataType, max_size: int = 60) -> st.SearchStrategy[Any]:
    """Draw columns of a type, NULLs among their values."""
    return values(kind, max_size).map(lambda drawn: pa.array(drawn, type=kind))
