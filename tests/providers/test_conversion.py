"""The one set of conversions: what a value becomes in a column of another type, or why it cannot."""

import math
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from catalog.types import parse_type
from providers.rows.conversion import Strictness, converted

STREAM, STATEMENT = Strictness.STREAM, Strictness.STATEMENT


def stored(offered: pa.Array, sql: str, strictness: Strictness = STATEMENT) -> pa.Array:
    """What a column of an SQL type stores of offered values."""
    return converted(pa.chunked_array([offered]), parse_type(sql), strictness).combine_chunks()


def one(value: Any, kind: pa.DataType | None = None) -> pa.Array:
    """A value and a NULL."""
    return pa.array([value, None], kind)


def decimals(text: str, digits: int = 38, scale: int = 10) -> pa.Array:
    """A decimal that is written."""
    return pa.array([text]).cast(pa.decimal128(digits, scale))


END_OF_1969 = datetime(1969, 12, 31, 23, 59, 59, 999_000)
ASSIGNED: dict[str, tuple[pa.Array, str, Any]] = {
    "decimal rounds half away from zero": (decimals("123.005"), "DECIMAL(10,2)", Decimal("123.01")),
    "negative decimal, too": (decimals("-123.005"), "DECIMAL(10,2)", Decimal("-123.01")),
    "decimal of the most digits": (decimals("9.95", 3, 2), "DECIMAL(3,1)", Decimal("10.0")),
    "double as it was written": (one(123.005), "DECIMAL(10,2)", Decimal("123.01")),
    "double too small to count": (one(5e-324), "DECIMAL(38,38)", Decimal("0E-38")),
    "large double": (one(1e20), "DECIMAL(38,2)", Decimal("100000000000000000000.00")),
    "half float": (one(np.float16(0.5), pa.float16()), "DECIMAL(4,1)", Decimal("0.5")),
    "text into decimal": (one(" 1e2 "), "DECIMAL(10,2)", Decimal("100.00")),
    "text of many digits": (one("0.12345678901234567890123456789"), "DECIMAL(5,2)", Decimal("0.12")),
    "int into decimal": (one(2**64 - 1, pa.uint64()), "DECIMAL(38,18)", Decimal(2**64 - 1)),
    "decimal into int": (decimals("-2.5"), "INT", -3),
    "short decimal into int": (decimals("0.4", 1, 1), "INT", 0),
    "double into int": (one(2.5), "BIGINT", 3),
    "half float into int": (one(np.float16(2.5), pa.float16()), "TINYINT", 3),
    "text into int": (one(" -7 "), "TINYINT", -7),
    "int into float": (one(16_777_217), "FLOAT", 16_777_216.0),
    "decimal into double": (decimals("0.1"), "DOUBLE", 0.1),
    "decimal into half float": (decimals("0.5"), "FLOAT16", 0.5),
    "text into double": (one(" -Infinity "), "DOUBLE", -math.inf),
    "negative zero": (one(-0.0), "DOUBLE", 0.0),
    "word into boolean": (one(" On "), "BOOLEAN", True),
    "letter into boolean": (one("f"), "BOOLEAN", False),
    "number into boolean": (one(1), "BOOLEAN", True),
    "number into text": (one(7), "TEXT", "7"),
    "decimal into text": (decimals("1.50", 5, 2), "TEXT", "1.50"),
    "timestamp into text": (one(1_500_000, pa.timestamp("us")), "TEXT", "1970-01-01 00:00:01.5"),
    "timestamp with a zone into text": (one(0, pa.timestamp("ns", "Asia/Tokyo")), "TEXT", "1970-01-01 00:00:00+00"),
    "time into text": (one(0, pa.time64("us")), "TEXT", "00:00:00"),
    "text into date": (one("2024-2-9"), "DATE", date(2024, 2, 9)),
    "moment in text into date": (one("2024-02-29 23:59:59Z"), "DATE", date(2024, 2, 29)),
    "Z into a plain timestamp": (one("2024-01-01T00:00:00Z"), "TIMESTAMP", datetime(2024, 1, 1)),
    "nine digits": (one("2024-01-01 00:00:00.123456789"), "TIMESTAMP", datetime(2024, 1, 1, 0, 0, 0, 123456)),
    "digits before 1970": (one("1969-12-31 23:59:59.9999999"), "TIMESTAMP(3)", END_OF_1969),
    "no zone": (one("2024-06-01 00:00"), "TIMESTAMPTZ", datetime(2024, 6, 1, tzinfo=UTC)),
    "no zone, of a column elsewhere": (
        one("2024-06-01"), "TIMESTAMP WITH TIME ZONE 'Europe/Berlin'", datetime(2024, 6, 1, tzinfo=UTC)
    ),
    "offset": (one("2024-06-01 00:00:00 +0530"), "TIMESTAMPTZ", datetime(2024, 5, 31, 18, 30, tzinfo=UTC)),
    "first year": (one("0001-01-01"), "TIMESTAMP", datetime(1, 1, 1)),
    "last moment": (one("9999-12-31 23:59:59.999999"), "TIMESTAMP", datetime(9999, 12, 31, 23, 59, 59, 999999)),
    "last date": (one(date(9999, 12, 31)), "TIMESTAMP", datetime(9999, 12, 31)),
    "timestamp into date": (one(-1, pa.timestamp("us")), "DATE", date(1969, 12, 31)),
    "timestamp with a zone into date": (one(-1, pa.timestamp("us", "Asia/Tokyo")), "DATE", date(1969, 12, 31)),
    "timestamp into time": (one(-1, pa.timestamp("ns")), "TIME(3)", time(23, 59, 59, 999000)),
    "text into time": (one("1:02"), "TIME", time(1, 2)),
    "time of more digits": (one(999_999_999, pa.time64("ns")), "TIME(3)", time(0, 0, 0, 999000)),
    "list": (pa.array([["1", None], None]), "INT[]", [1, None]),
    "list of decimals": (pa.array([[1.005], None]), "LIST<DECIMAL(5,2)>", [Decimal("1.01")]),
    "struct in another order": (pa.array([{"b": "x", "a": 1}, None]), "STRUCT<a BIGINT, b TEXT>", {"a": 1, "b": "x"}),
    "struct without a field": (pa.array([{"a": 1}, None]), "STRUCT<a BIGINT, b TEXT>", {"a": 1, "b": None}),
    "UUIDs in a list": (pa.array([["{" + "A" * 32 + "}"]]), "UUID[]", ["a" * 8 + "-aaaa-aaaa-aaaa-" + "a" * 12]),
    "nothing": (pa.nulls(2), "STRUCT<a INT[]>", None),
}  # fmt: skip
"""What is offered, the column's type, and what a statement stores of the first value."""


@pytest.mark.parametrize("case", ASSIGNED)
def test_a_statement_assigns(case: str) -> None:
    """The value in the column's type, NULL as NULL."""
    offered, sql, expected = ASSIGNED[case]
    found = stored(offered, sql)
    assert found.to_pylist()[0] == expected
    assert found.is_valid().to_pylist()[1:] == offered.is_valid().to_pylist()[1:]


REFUSED: dict[str, tuple[pa.Array, str, str]] = {
    "too many digits": (decimals("1000"), "DECIMAL(5,2)", "does not fit"),
    "rounded out of the type": (decimals("9.96", 3, 2), "DECIMAL(2,1)", "does not fit"),
    "NaN into decimal": (one(math.nan), "DECIMAL(5,2)", "nan"),
    "too large an integer": (one(128), "TINYINT", "128"),
    "a point in text": (one("1.0"), "INT", "1.0"),
    "infinity into int": (one(math.inf), "INT", "inf"),
    "too large a float": (one(1e39), "FLOAT", "too large"),
    "too large a text": (one("1e400"), "DOUBLE", "too large"),
    "no truth value": (one("perhaps"), "BOOLEAN", "'perhaps' is no truth value"),
    "no date": (one("yesterday"), "TIMESTAMP", "'yesterday' is no date"),
    "no such day": (one("2024-02-30"), "DATE", "2024-02-30"),
    "no such hour": (one("2024-01-01 24:00"), "TIMESTAMP", "no time of a day"),
    "the year before the first": (one("0000-01-01"), "DATE", "is no date"),
    "an offset that would be lost": (one("2024-01-01 00:00:00+02"), "TIMESTAMP", "has an offset"),
    "beyond nanoseconds": (one("9999-12-31"), "TIMESTAMP(9)", "outside of the range"),
    "a date beyond nanoseconds": (one(date(9999, 12, 31)), "TIMESTAMP(9)", "outside of the range"),
    "a number as a moment": (one(5), "TIMESTAMP", "int64 is not converted"),
    "a moment as a number": (one(5, pa.timestamp("us")), "BIGINT", "is not converted"),
    "a time as a moment": (one(5, pa.time64("us")), "TIMESTAMP", "is not converted"),
    "no UUID": (one("x"), "UUID", "is not a UUID"),
    "fifteen bytes": (one(b"0" * 15, pa.binary(15)), "UUID", "16"),
    "another field": (pa.array([{"a": 1, "z": 2}]), "STRUCT<a INT>", "no field z"),
    "a list for a number": (pa.array([[1]]), "INT", "list"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_value_that_does_not_fit_is_refused(case: str) -> None:
    """In one line that says why."""
    offered, sql, reason = REFUSED[case]
    with pytest.raises(ValueError, match=reason) as caught:
        stored(offered, sql)
    assert "\n" not in str(caught.value)


EXACT: dict[str, tuple[pa.Array, str]] = {
    "text into a number": (one("1"), "INT"),
    "a number into text": (one(1), "TEXT"),
    "a fraction into an integer": (one(1.5), "INT"),
    "digits of a decimal": (decimals("1.005"), "DECIMAL(10,2)"),
    "digits of a moment": (one(1, pa.timestamp("ns")), "TIMESTAMP"),
    "the time of a day": (one(1, pa.timestamp("us")), "DATE"),
    "digits of an integer": (one(16_777_217), "FLOAT"),
    "a field that is missing": (pa.array([{"a": 1}]), "STRUCT<a INT, b TEXT>"),
    "a list for a struct": (pa.array([[1]]), "STRUCT<a INT>"),
    "text for bytes": (one("a"), "BYTEA"),
}


@pytest.mark.parametrize("case", EXACT)
def test_a_stream_loses_nothing(case: str) -> None:
    """What a statement would round, cut or parse is refused where the types are the client's own."""
    offered, sql = EXACT[case]
    with pytest.raises(ValueError, match=r".+"):
        stored(offered, sql, STREAM)


STREAMED: dict[str, tuple[pa.Array, str, Any]] = {
    "integers of another width": (one(7, pa.int8()), "BIGINT", 7),
    "seconds": (one(7, pa.timestamp("s")), "TIMESTAMP(3)", datetime(1970, 1, 1, 0, 0, 7)),
    "milliseconds of days": (one(86_400_000, pa.date64()), "DATE", date(1970, 1, 2)),
    "a float into a decimal": (one(0.1 + 0.2), "DECIMAL(5,2)", Decimal("0.30")),
    "another zone": (one(2**63 - 1, pa.timestamp("ns", "Asia/Tokyo")), "TIMESTAMP(9) WITH TIME ZONE", 2**63 - 1),
    "bytes of a UUID": (one(b"\xaa" * 16, pa.binary(16)), "UUID", "a" * 8 + "-aaaa-aaaa-aaaa-" + "a" * 12),
    "NULLs of no type": (pa.nulls(2), "TIMESTAMP", None),
}


@pytest.mark.parametrize("case", STREAMED)
def test_a_stream_may_have_another_type_of_the_family(case: str) -> None:
    """As long as each value is the same."""
    offered, sql, expected = STREAMED[case]
    found = stored(offered, sql, STREAM)
    assert (found.cast(pa.int64()) if isinstance(expected, int) else found).to_pylist()[0] == expected
