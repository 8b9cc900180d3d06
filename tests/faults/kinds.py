"""Every type that a column can have, with three values of it in ascending order, two of them extremes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
YEAR_1, YEAR_9999_END = -62135596800, 253402300799
DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Kind:
    """A type: its SQL name, how Arrow stores it, its values from low to high, and the second one as SQL writes it."""

    sql: str
    arrow: pa.DataType
    values: tuple[Any, ...]
    written: str

    @property
    def is_nested(self) -> bool:
        """Tell whether it is a list or a struct: such columns are no keys, and have no filters and no constants."""
        return bool(pa.types.is_nested(self.arrow))

    @property
    def can_be_key(self) -> bool:
        """Tell whether its values may be keys."""
        return not self.is_nested and not pa.types.is_float16(self.arrow)

    def rank(self, wanted: int) -> int:
        """The rank itself, or the highest that the type has: a boolean has but two values."""
        return min(wanted, len(self.values) - 1)

    def array(self, ranks: Sequence[int | None]) -> pa.Array:
        """Values by their ranks; None is NULL."""
        values = [None if rank is None else self.values[rank] for rank in ranks]
        if pa.types.is_temporal(self.arrow):
            width = pa.int32() if self.arrow.bit_width == 32 else pa.int64()
            return pa.array(values, width).cast(self.arrow)
        if pa.types.is_decimal(self.arrow):
            return pa.array(values, pa.string()).cast(self.arrow)
        return pa.array(values, self.arrow)


def _whole(sql: str, arrow: pa.DataType) -> Kind:
    size = 2**arrow.bit_width
    low = -size // 2 if pa.types.is_signed_integer(arrow) else 0
    return Kind(sql, arrow, (low, 7, low + size - 1), "7")


def _timestamp(sql: str, unit: str, zone: str | None, written: str) -> Kind:
    """From the first to the last moment of the years 1 to 9999, or of those that nanoseconds have."""
    per_second = {"ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    low, high = YEAR_1 * per_second, YEAR_9999_END * per_second + per_second - 1
    ends = (INT64_MIN + 1, INT64_MAX) if unit == "ns" else (low, high)
    middle = 1_718_454_896 * per_second + per_second // 8
    return Kind(sql, pa.timestamp(unit, zone), (ends[0], middle, ends[1]), written)


MOMENT = "2024-06-15 12:34:56.125"
KINDS = (
    _whole("TINYINT", pa.int8()),
    _whole("SMALLINT", pa.int16()),
    _whole("INT", pa.int32()),
    _whole("BIGINT", pa.int64()),
    _whole("TINYINT UNSIGNED", pa.uint8()),
    _whole("SMALLINT UNSIGNED", pa.uint16()),
    _whole("INT UNSIGNED", pa.uint32()),
    _whole("BIGINT UNSIGNED", pa.uint64()),
    Kind("FLOAT16", pa.float16(), (-65504.0, 0.5, math.inf), "0.5"),
    Kind("FLOAT", pa.float32(), (-math.inf, 0.5, 3.4028234663852886e38), "0.5"),
    Kind("DOUBLE", pa.float64(), (-1.7976931348623157e308, 0.0, math.nan), "0.0"),
    Kind("DECIMAL(5,2)", pa.decimal128(5, 2), ("-999.99", "1.25", "999.99"), "1.25"),
    Kind("DECIMAL(38,0)", pa.decimal128(38, 0), ("-" + "9" * 38, "7", "9" * 38), "7"),
    Kind("DECIMAL(38,38)", pa.decimal128(38, 38), ("-0." + "9" * 38, "0.0", "0." + "9" * 38), "0.0"),
    Kind("BOOLEAN", pa.bool_(), (False, True), "TRUE"),
    Kind("TEXT", pa.string(), ("", "m", "\U0010ffff" * 50), "'m'"),
    Kind("BYTEA", pa.binary(), (b"", b"m", b"\xff" * 200), "X'6d'"),
    Kind("DATE", pa.date32(), (YEAR_1 // DAY_SECONDS, 19_889, YEAR_9999_END // DAY_SECONDS), "'2024-06-15'"),
    Kind("TIME(3)", pa.time32("ms"), (0, 45_296_125, 86_399_999), "'12:34:56.125'"),
    Kind("TIME(6)", pa.time64("us"), (0, 45_296_125_000, 86_399_999_999), "TIME '12:34:56.125'"),
    Kind("TIME(9)", pa.time64("ns"), (0, 45_296_125_000_000, 86_399_999_999_999), "'12:34:56.125'"),
    _timestamp("TIMESTAMP(3)", "ms", None, f"'{MOMENT}'"),
    _timestamp("TIMESTAMP(6)", "us", None, f"TIMESTAMP '{MOMENT}'"),
    _timestamp("TIMESTAMP(9)", "ns", None, f"'{MOMENT}Z'"),
    _timestamp("TIMESTAMP(6) WITH TIME ZONE", "us", "UTC", f"'{MOMENT}'"),
    _timestamp("TIMESTAMP(3) WITH TIME ZONE 'Europe/Berlin'", "ms", "Europe/Berlin", f"'{MOMENT}'"),
    _timestamp("TIMESTAMP(9) WITH TIME ZONE '+05:30'", "ns", "+05:30", f"'{MOMENT}'"),
    Kind("UUID", pa.string(), ("0" * 8 + "-0000-0000-0000-" + "0" * 12, "7" * 8 + "-7777-7777-7777-" + "7" * 12,
                               "f" * 8 + "-ffff-ffff-ffff-" + "f" * 12), "'" + "7" * 32 + "'"),
    Kind("LIST<INT>", pa.list_(pa.int32()), ([], [7, None], [2**31 - 1]), "[7, NULL]"),
    Kind("LIST<LIST<TEXT>>", pa.list_(pa.list_(pa.string())), ([], [["m"], None], [["z"]]), "[['m'], NULL]"),
    Kind("STRUCT<a INT, b TEXT>", pa.struct([("a", pa.int32()), ("b", pa.string())]),
         ({"a": -(2**31), "b": ""}, {"a": 7, "b": None}, {"a": 2**31 - 1, "b": "z"}), "{'a': 7, 'b': NULL}"),
    Kind("STRUCT<l LIST<DOUBLE>, s STRUCT<d DATE>>",
         pa.struct([("l", pa.list_(pa.float64())), ("s", pa.struct([("d", pa.date32())]))]),
         ({"l": [], "s": None}, {"l": [0.5, None], "s": {"d": None}}, {"l": [math.inf], "s": None}),
         "{'l': [0.5, NULL], 's': {'d': CAST(NULL AS DATE)}}"),
    Kind("LIST<STRUCT<a TIMESTAMP(9), b LIST<DECIMAL(5,2)>>>",
         pa.list_(pa.struct([("a", pa.timestamp("ns")), ("b", pa.list_(pa.decimal128(5, 2)))])),
         ([], [{"a": 7, "b": []}, None], [{"a": 8, "b": [None]}]),
         "[{'a': TIMESTAMP '1970-01-01 00:00:00.000000007', 'b': arrow_cast([], 'List(Decimal128(5, 2))')}, NULL]"),
)  # fmt: skip
