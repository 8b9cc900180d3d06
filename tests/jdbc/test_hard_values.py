"""Hard values through JDBC and back; the same ones go through the other libraries in `tests/drivers`."""

from collections.abc import Callable
from typing import Any

import jpype
import pytest

from tests.drivers.hard_values import LARGE
from tests.jdbc.driver import Jdbc, byte_array, java

Make = Callable[..., str]


def doubles() -> list[Any]:
    """What is no number, and the smallest one."""
    return [jpype.JDouble(value) for value in (float("-inf"), float("inf"), float("nan"), 5e-324)]


def floats() -> list[Any]:
    """The same of half the size."""
    return [jpype.JFloat(value) for value in (float("-inf"), float("inf"), float("nan"))]


def dates() -> list[Any]:
    """Before 1900, after what nanoseconds reach, the last."""
    return [java("java.sql.Date").valueOf(text) for text in ("1899-12-31", "2262-04-12", "9999-12-31")]


def timestamps() -> list[Any]:
    """To the millisecond, which is all that the driver sends."""
    texts = ("1899-12-31 23:59:59.999", "2262-04-12 00:00:00.0", "9999-12-31 23:59:59.999")
    return [java("java.sql.Timestamp").valueOf(text) for text in texts]


CASES: list[tuple[str, str, str, Callable[[], list[Any]]]] = [
    ("DOUBLE", "setDouble", "getDouble", doubles),
    ("FLOAT", "setFloat", "getFloat", floats),
    ("BIGINT", "setLong", "getLong", lambda: [jpype.JLong(n) for n in (-(2**63), 2**63 - 1)]),
    ("DATE", "setDate", "getDate", dates),
    ("TIMESTAMP", "setTimestamp", "getTimestamp", timestamps),
    ("TIMESTAMPTZ", "setTimestamp", "getTimestamp", timestamps),
    ("TEXT", "setString", "getString", lambda: ["", "\N{GRINNING FACE}", "x" * LARGE]),
    ("BYTEA", "setBytes", "getBytes", lambda: [byte_array(data) for data in (b"\0\xff", b"x" * LARGE)]),
]


def plain(value: Any) -> Any:
    """A Java value as one that Python compares; NaN is its name."""
    if isinstance(value, java("byte[]")):
        return bytes(value)
    return str(value) if isinstance(value, float) else value


@pytest.mark.parametrize(("declared", "setter", "getter", "make_values"), CASES, ids=[case[0] for case in CASES])
def test_a_hard_value_comes_back(
    db: Jdbc, make: Make, declared: str, setter: str, getter: str, make_values: Callable[[], list[Any]]
) -> None:
    """What a setter sends is what the getter returns, and NULL is one of every type."""
    t = make(f"id INT PRIMARY KEY, c {declared}")
    values = make_values()
    statement = db.prepare(f"INSERT INTO {t} VALUES (?, ?)")
    for number, value in enumerate(values):
        statement.setInt(1, number)
        getattr(statement, setter)(2, value)
        assert statement.executeUpdate() == 1
    db.run(f"INSERT INTO {t} (id) VALUES ({len(values)})")
    found = db.query(f"SELECT c FROM {t} ORDER BY id")
    for value in values:
        assert found.next()
        assert plain(getattr(found, getter)(1)) == plain(value)
    assert found.next()
    getattr(found, getter)(1)
    assert found.wasNull()
