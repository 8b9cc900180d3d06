"""Plain conditions of constraints: Arrow says of each row what the engine says, or leaves it to the engine."""

import datetime as dt
import math
from collections.abc import Iterator
from decimal import Decimal

import pyarrow as pa
import pytest

from catalog.definition import TableDef
from catalog.identifiers import TableName
from flightserver.execution.row_tests import is_broken
from tests.rights.house import House, Person

COLUMNS = (
    "id BIGINT PRIMARY KEY, a INT, b INT, s VARCHAR, d DOUBLE, m DECIMAL(10, 2), day DATE, at TIMESTAMP, ok BOOLEAN,"
    " wide BIGINT, r REAL"
)
ROWS = [
    (1, 5, 9, "x", 1.5, Decimal("1.50"), dt.date(2024, 1, 2), dt.datetime(2024, 1, 2, 3), True, 7, 1.5),
    (2, 0, 0, "", 0.0, Decimal("0.00"), dt.date(1969, 12, 31), dt.datetime(1969, 12, 31), False, 0, 0.0),
    (3, -1, None, "É", -2.25, Decimal("-0.01"), None, None, None, -1, -1.0),
    (4, None, 3, None, None, None, dt.date(2024, 1, 3), dt.datetime(2030, 1, 1), True, None, None),
    (5, 9, 5, "it's", 1e300, Decimal("99.99"), dt.date(2024, 1, 1), dt.datetime(2024, 1, 2), False, 1 << 40, 2.0),
]
ODD_DOUBLES = {6: math.nan, 7: math.inf}

PLAIN = [
    *("a > 0", "0 < a", "a >= -1", "a <> 5", "a != 5", "a = 5", "NOT a = 5", "a < b", "a <= b OR b IS NULL"),
    *("a BETWEEN 0 AND 5", "a NOT BETWEEN 0 AND 5", "a IN (5, 9)", "a NOT IN (5, 9)", "NOT (a IN (5) OR b > 3)"),
    *("a IS NULL", "a IS NOT NULL AND b IS NOT NULL", "(a > 0 AND b > 0) OR (a < 0 AND b IS NULL)", "ok", "NOT ok"),
    *("s = 'x'", "s > ''", "s IN ('x', 'É')", "s <> 'it''s'", "s < 'z' AND a > 0", "t.a > 0", "ok OR a > 0"),
    *(
        "m >= 0",
        "m > 0.5",
        "m BETWEEN 0 AND 2",
        "day > '2024-01-01'",
        "day = DATE '2024-01-02'",
        "at < '2025-01-01 00:00:00'",
    ),
    *(
        "ok = TRUE",
        "d > 1",
        "d >= 0",
        "d < 0.5",
        "d IN (1.5)",
        "a = 1 OR (a = 2 OR (a = 3 OR a IS NULL))",
        "b > a OR d > 0",
    ),
]
"""Conditions of which all but odd doubles are Arrow's."""

FOR_THE_ENGINE = [
    *("a + 1 > 0", "length(s) > 0", "s LIKE 'x%'", "a > 0.5", "wide > a", "a IN (1, NULL)", "a = NULL", "s = 1"),
    *("a BETWEEN SYMMETRIC 5 AND 0", "ok IS TRUE", "r > 1", "day > '2024-1-1'", "a > 3000000000", "a = CURRENT_USER"),
    *("CASE WHEN ok THEN a > 0 END", "(a, b) = (1, 2)", "a IS DISTINCT FROM 1", "CAST(a AS BIGINT) > 0", "TRUE"),
]


@pytest.fixture(scope="module")
def root(house: House) -> Iterator[Person]:
    """Who has a table with all of the rows."""
    person = house.person("root")
    person.ok(f"CREATE TABLE t ({COLUMNS})")
    written = person.prepared(f"INSERT INTO t VALUES ({', '.join('?' * 11)})", _rows(_stored(person)))
    assert written.error is None, written
    yield person
    person.ok("DROP TABLE t")


def _stored(person: Person, where: str = "TRUE") -> pa.Table:
    found = person.query(f"SELECT * FROM t WHERE {where} ORDER BY id").rows
    assert found is not None
    return found


def _rows(empty: pa.Table) -> pa.Table:
    schema = empty.schema
    odd = [(number, None, None, None, value, *[None] * 6) for number, value in ODD_DOUBLES.items()]
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in [*ROWS, *odd]], schema=schema)


def _table(house: House) -> TableDef:
    return house.database.catalog.registry.tables[TableName("public", "t")]


def _verdicts(house: House, condition: str, stored: pa.Table) -> dict[int, bool | None]:
    """What Arrow says of each row by itself."""
    table = _table(house)
    typed = stored.cast(pa.schema([(column.name, column.storage) for column in table.visible_columns]))
    return {
        typed.column("id")[row].as_py(): is_broken(condition, table, typed.slice(row, 1)) for row in range(len(typed))
    }


@pytest.mark.parametrize("condition", PLAIN)
def test_arrow_says_what_the_engine_says(house: House, root: Person, condition: str) -> None:
    """Of each row; NaN is the engine's wherever doubles are compared."""
    stored = _stored(root)
    engine = dict(root.tuples(f"SELECT id, coalesce(NOT ({condition}), FALSE) FROM t ORDER BY id"))
    own = _verdicts(house, condition, stored)
    left = {row for row, verdict in own.items() if verdict is None}
    assert left == ({6} if "d " in condition else set())
    assert {row: verdict for row, verdict in own.items() if verdict is not None} == {
        row: broken for row, broken in engine.items() if row not in left
    }


@pytest.mark.parametrize("condition", FOR_THE_ENGINE)
def test_what_arrow_may_see_in_another_way_is_left_to_the_engine(house: House, root: Person, condition: str) -> None:
    """Values that are converted, functions, and all that is no comparison."""
    stored = _stored(root, "id = 1")
    assert set(_verdicts(house, condition, stored).values()) == {None}


def test_a_negative_zero_is_left_to_the_engine(house: House, root: Person) -> None:
    """Which goes by its bits in some places."""
    zero = pa.table({"d": [-0.0]})
    assert [is_broken(condition, _table(house), zero) for condition in ("d >= 0", "d < 0", "d IS NULL")] == [
        *(None, None),
        True,
    ]


def test_the_first_of_several_broken_constraints_is_named(house: House) -> None:
    """Whoever has looked at it."""
    person = house.person("root")
    person.ok("CREATE TABLE two (k BIGINT PRIMARY KEY, a INT, CONSTRAINT one CHECK (a + 0 > 0), CHECK (a > 0))")
    assert "constraint one" in person.refused("INSERT INTO two VALUES (1, 0)")
    person.ok("DROP TABLE two")
