"""What PostgreSQL calls the types of columns: numbers and names of types, and what its catalogs say of them.

A type that PostgreSQL does not have is called by the narrowest one of its that has room for every value, and where
there is none `record`. The exact type is what SHOW COLUMNS says.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

import pyarrow as pa

from catalog.types import is_nested

TYPES_KEPT = 1_024

_ARRAY = "ARRAY"
_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
_MODIFIER_OFFSET = 4
_TEXT_BYTES = 1 << 30


@dataclass(frozen=True)
class PgType:
    """A type as PostgreSQL has it. `words` are those of `information_schema`, `size` is -1 where it varies.

    `modifier` is what `pg_attribute` says of one column's type beside its number.
    """

    oid: int
    name: str
    words: str
    size: int
    category: str
    array_oid: int
    precision: int | None = None
    radix: int | None = None
    scale: int | None = None
    fraction_digits: int | None = None
    octets: int | None = None
    modifier: int = -1
    element_oid: int = 0

    @property
    def dimensions(self) -> int:
        """How deep its arrays are, as far as PostgreSQL keeps it."""
        return int(self.words == _ARRAY)

    @property
    def array(self) -> "PgType":
        """The type of its arrays."""
        return PgType(self.array_oid, f"_{self.name}", _ARRAY, -1, "A", 0, element_oid=self.oid)


_BOOL = PgType(16, "bool", "boolean", 1, "B", 1000)
_BYTEA = PgType(17, "bytea", "bytea", -1, "U", 1001)
_INT8 = PgType(20, "int8", "bigint", 8, "N", 1016, 64, 2, 0)
_INT2 = PgType(21, "int2", "smallint", 2, "N", 1005, 16, 2, 0)
_INT4 = PgType(23, "int4", "integer", 4, "N", 1007, 32, 2, 0)
_TEXT = PgType(25, "text", "text", -1, "S", 1009, octets=_TEXT_BYTES)
_FLOAT4 = PgType(700, "float4", "real", 4, "N", 1021, 24, 2)
_FLOAT8 = PgType(701, "float8", "double precision", 8, "N", 1022, 53, 2)
_DATE = PgType(1082, "date", "date", 4, "D", 1182, fraction_digits=0)
_TIME = PgType(1083, "time", "time without time zone", 8, "D", 1183, fraction_digits=6)
_TIMESTAMP = PgType(1114, "timestamp", "timestamp without time zone", 8, "D", 1115, fraction_digits=6)
_TIMESTAMPTZ = PgType(1184, "timestamptz", "timestamp with time zone", 8, "D", 1185, fraction_digits=6)
_INTERVAL = PgType(1186, "interval", "interval", 16, "T", 1187, fraction_digits=6)
_NUMERIC = PgType(1700, "numeric", "numeric", -1, "N", 1231, radix=10)
_UUID = PgType(2950, "uuid", "uuid", 16, "U", 2951)
_RECORD = PgType(2249, "record", "USER-DEFINED", -1, "P", 2287)

PLAIN_TYPES = (
    *(_BOOL, _BYTEA, _INT8, _INT2, _INT4, _TEXT, _FLOAT4, _FLOAT8),
    *(_DATE, _TIME, _TIMESTAMP, _TIMESTAMPTZ, _INTERVAL, _NUMERIC, _UUID, _RECORD),
)
"""Every type that a column can have and that is no array."""

_BY_TYPE = {
    pa.bool_(): _BOOL,
    **dict.fromkeys((pa.int8(), pa.int16(), pa.uint8()), _INT2),
    **dict.fromkeys((pa.int32(), pa.uint16()), _INT4),
    **dict.fromkeys((pa.int64(), pa.uint32()), _INT8),
    pa.uint64(): replace(_NUMERIC, precision=20, scale=0, modifier=(20 << 16) + _MODIFIER_OFFSET),
    **dict.fromkeys((pa.float16(), pa.float32()), _FLOAT4),
    pa.float64(): _FLOAT8,
    **dict.fromkeys((pa.string(), pa.large_string(), pa.string_view(), pa.null()), _TEXT),
    **dict.fromkeys((pa.binary(), pa.large_binary(), pa.binary_view()), _BYTEA),
    pa.date32(): _DATE,
    pa.month_day_nano_interval(): _INTERVAL,
    pa.uuid(): _UUID,
}


@lru_cache(TYPES_KEPT)
def pg_type(data_type: pa.DataType) -> PgType:
    """What PostgreSQL calls a column's type."""
    known = _BY_TYPE.get(data_type)
    if known is not None:
        return known
    if pa.types.is_decimal(data_type):
        precision, scale = data_type.precision, data_type.scale
        return replace(
            _NUMERIC, precision=precision, scale=scale, modifier=(precision << 16) + scale + _MODIFIER_OFFSET
        )
    if pa.types.is_timestamp(data_type):
        return _with_digits(_TIMESTAMP if data_type.tz is None else _TIMESTAMPTZ, _DIGITS[data_type.unit])
    if pa.types.is_time(data_type):
        return _with_digits(_TIME, _DIGITS[data_type.unit])
    if pa.types.is_list(data_type) or pa.types.is_large_list(data_type):
        inner = pg_type(data_type.value_type)
        return inner if inner.words == _ARRAY else inner.array
    return _of_results(data_type)


def _of_results(data_type: pa.DataType) -> PgType:
    """The type of a view's column that no table can have."""
    if pa.types.is_dictionary(data_type):
        return pg_type(data_type.value_type)
    if pa.types.is_fixed_size_binary(data_type):
        return _BYTEA
    if pa.types.is_date(data_type):
        return _TIMESTAMP
    if is_nested(data_type):
        return _RECORD
    return _INTERVAL if pa.types.is_duration(data_type) or pa.types.is_interval(data_type) else _TEXT


def _with_digits(found: PgType, digits: int) -> PgType:
    """A moment with so many digits behind the second; six are what PostgreSQL means where it says nothing."""
    return replace(found, fraction_digits=digits, modifier=-1 if digits == found.fraction_digits else digits)


class TypeNumbers:
    """Gives the types that columns have numbers, so that columns are told by taking from few."""

    def __init__(self) -> None:
        self.types: list[PgType] = []
        self._known: dict[pa.DataType, int] = {}

    def number(self, data_type: pa.DataType) -> int:
        """The place of a type in `types`."""
        known = self._known.get(data_type)
        if known is None:
            known = self._known[data_type] = len(self.types)
            self.types.append(pg_type(data_type))
        return known

    def column(self, name: str, numbers: pa.Array, kind: pa.DataType) -> pa.Array:
        """What an attribute of `PgType` is for each of these numbers."""
        return column_of(self.types, name, kind).take(numbers)


def column_of(values: Iterable[object], name: str, kind: pa.DataType) -> pa.Array:
    """An attribute of some values as a column."""
    return pa.array([getattr(value, name) for value in values], kind)
