"""Parameters of every Python and Arrow type, bound through the DB-API."""

import datetime as dt
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from adbc_driver_flightsql import dbapi

from tests.e2e.client import Client, failure

Make = Callable[..., str]

UUID = uuid.UUID("0190a6b4-5bd9-7c3c-8d5e-1f2a3b4c5d6e")
EAST = dt.timezone(dt.timedelta(hours=2))
NOON = dt.datetime(2024, 2, 29, 12, 0, 0, 1, tzinfo=dt.UTC)

PYTHON: list[tuple[str, Any]] = [
    ("Int64", 2**63 - 1),
    ("Int64", -(2**63)),
    ("Float64", 1.5),
    ("Float64", float("-inf")),
    ("Decimal128(3, 2)", Decimal("1.25")),
    ("Decimal128(38, 0)", Decimal("9" * 38)),
    ("Boolean", True),
    ("Utf8", ""),
    ("Utf8", "it's ? $1 \\ ü \N{GRINNING FACE}"),
    ("Binary", b""),
    ("Binary", bytes(range(256))),
    ("Date32", dt.date(2024, 2, 29)),
    ("Time64(µs)", dt.time(23, 59, 59, 999999)),
    ("Timestamp(µs)", dt.datetime(1969, 12, 31, 23, 59, 59, 999999)),
    ('Timestamp(µs, "UTC")', NOON),
    ('Timestamp(µs, "+02:00")', NOON.astimezone(EAST)),
    ("Null", None),
    ("List(Int64)", [1, None, 3]),
    ("List(Utf8)", ["a", None]),
    ("List(List(Int64))", [[1], []]),
    ('Struct("a": Int64, "b": Utf8)', {"a": 1, "b": None}),
    ('List(Struct("a": Utf8))', [{"a": None}]),
]


@pytest.mark.parametrize(("engine_type", "value"), PYTHON, ids=[f"{kind}-{n}" for n, (kind, _) in enumerate(PYTHON)])
def test_a_python_value_goes_there_and_back(cursor: dbapi.Cursor, engine_type: str, value: Any) -> None:
    """A bound value is a value of its type, not text."""
    assert cursor.execute("SELECT ? AS v, arrow_typeof(?) AS t", (value, value)).fetchall() == [(value, engine_type)]


NESTED = [
    pa.list_(pa.int32()),
    pa.large_list(pa.string()),
    pa.list_(pa.int32(), 2),
    pa.list_view(pa.int32()),
    pa.list_(pa.list_(pa.timestamp("ns"))),
    pa.list_(pa.struct([("a", pa.int32())])),
    pa.struct([("a", pa.list_(pa.int32())), ("b", pa.string())]),
    pa.map_(pa.string(), pa.int32()),
]


def one(value: Any, data_type: pa.DataType) -> pa.RecordBatch:
    """One parameter of an Arrow type."""
    return pa.record_batch([pa.array([value], data_type)], names=["1"])


@pytest.mark.parametrize("data_type", NESTED, ids=str)
def test_a_nested_null_is_null(cursor: dbapi.Cursor, data_type: pa.DataType) -> None:
    """A list, a struct or a map that is not there has its type and no length."""
    assert cursor.execute("SELECT ? IS NULL AS v", one(None, data_type)).fetchall() == [(True,)]
    assert cursor.execute("SELECT ? AS v", one(None, data_type)).fetchall() == [(None,)]


def test_a_null_within_a_list_is_null(cursor: dbapi.Cursor) -> None:
    """A list of lists lacks one of them."""
    lists = pa.list_(pa.list_(pa.int32()))
    assert cursor.execute("SELECT ? AS v", one([None, [1, None]], lists)).fetchall() == [([None, [1, None]],)]


@pytest.mark.parametrize("data_type", NESTED[:3], ids=str)
def test_a_list_is_set_to_null(cursor: dbapi.Cursor, make: Make, data_type: pa.DataType) -> None:
    """By UPDATE, in which the parameter stands for itself, and in a condition, in which it finds nothing."""
    t = make("id INT PRIMARY KEY, c LIST<TEXT>")
    cursor.execute(f"INSERT INTO {t} VALUES (1, ['a'])")
    assert cursor.execute(f"SELECT id FROM {t} WHERE c = ?", one(None, data_type)).fetchall() == []
    cursor.execute(f"UPDATE {t} SET c = ?", one(None, data_type))
    assert cursor.execute(f"SELECT c FROM {t}").fetchall() == [(None,)]


def test_a_uuid_is_its_text(cursor: dbapi.Cursor) -> None:
    """As it is stored."""
    assert cursor.execute("SELECT ? AS v", (UUID,)).fetchall() == [(str(UUID),)]


def test_parameters_by_number(cursor: dbapi.Cursor) -> None:
    """$n may be used twice and in any order."""
    assert cursor.execute("SELECT $2 - $1 AS a, $1 AS b", (1, 10)).fetchall() == [(9, 1)]


def test_a_placeholder_in_a_string_is_text(cursor: dbapi.Cursor) -> None:
    """Neither ? nor $1 inside quotes and comments takes a value."""
    sql = """SELECT '?' || ? AS "what?" /* ? $1 */ -- ?"""
    assert cursor.execute(sql, ("!",)).fetchall() == [("?!",)]


COLUMNS: list[tuple[str, Any, Any]] = [
    ("TINYINT", -128, -128),
    ("TINYINT", "5", 5),
    ("INT", 5.0, 5),
    ("BIGINT UNSIGNED", 2**63 - 1, 2**63 - 1),
    ("FLOAT", 1.5, 1.5),
    ("DOUBLE", 2, 2.0),
    ("DECIMAL(10,2)", Decimal("1.5"), Decimal("1.50")),
    ("DECIMAL(10,2)", 3, Decimal("3.00")),
    ("DECIMAL(10,2)", 1.5, Decimal("1.50")),
    ("BOOLEAN", False, False),
    ("TEXT", "x", "x"),
    ("TEXT", 1, "1"),
    ("TEXT", UUID, None),
    ("BYTEA", b"\x00", b"\x00"),
    ("DATE", dt.date(2024, 2, 29), dt.date(2024, 2, 29)),
    ("DATE", "2024-02-29", dt.date(2024, 2, 29)),
    ("TIME", dt.time(1, 2, 3, 4), dt.time(1, 2, 3, 4)),
    ("TIME(3)", dt.time(1, 2, 3, 4000), dt.time(1, 2, 3, 4000)),
    ("TIMESTAMP", NOON.replace(tzinfo=None), NOON.replace(tzinfo=None)),
    ("TIMESTAMP", "2024-02-29 12:00:00.000001", NOON.replace(tzinfo=None)),
    ("TIMESTAMPTZ", NOON, NOON),
    ("TIMESTAMPTZ", NOON.astimezone(EAST), NOON),
    ("UUID", UUID, str(UUID)),
    ("UUID", str(UUID).upper(), str(UUID)),
    ("LIST<INT>", [1, None], [1, None]),
    ("LIST<INT>", [], []),
    ("STRUCT<a INT, b TEXT>", {"b": "x", "a": 1}, {"a": 1, "b": "x"}),
    ("STRUCT<a INT, b TEXT>", {"a": 1}, {"a": 1, "b": None}),
    ("INT", None, None),
]
STORABLE = [case for case in COLUMNS if case[0] != "TEXT" or case[1] is not UUID]
IDS = [f"{kind}-{type(value).__name__}" for kind, value, _ in STORABLE]


@pytest.mark.parametrize(("sql_type", "value", "stored"), STORABLE, ids=IDS)
def test_execute_inserts_updates_and_finds(
    cursor: dbapi.Cursor, make: Make, sql_type: str, value: Any, stored: Any
) -> None:
    """A value takes the type of its column when it is inserted and when it is assigned."""
    t = make(f"id INT PRIMARY KEY, c {sql_type}")
    cursor.execute(f"INSERT INTO {t} VALUES (?, ?)", (1, value))
    cursor.execute(f"INSERT INTO {t} (id) VALUES (2)")
    cursor.execute(f"UPDATE {t} SET c = $2 WHERE id = $1", (2, value))
    assert cursor.execute(f"SELECT c FROM {t}").fetchall() == [(stored,)] * 2


@pytest.mark.parametrize(("sql_type", "value", "stored"), STORABLE, ids=IDS)
def test_executemany_inserts_updates_and_deletes(
    cursor: dbapi.Cursor, make: Make, sql_type: str, value: Any, stored: Any
) -> None:
    """Many rows of parameters, with NULL among them."""
    t = make(f"id INT PRIMARY KEY, c {sql_type}")
    cursor.executemany(f"INSERT INTO {t} VALUES (?, ?)", [(1, value), (2, None), (3, value)])
    cursor.executemany(f"UPDATE {t} SET c = ? WHERE id = ?", [(None, 1), (value, 2)])
    assert cursor.rowcount == 2
    found = cursor.execute(f"SELECT c FROM {t} ORDER BY id").fetchall()
    assert found == [(None,), (stored,), (stored,)]
    cursor.executemany(f"DELETE FROM {t} WHERE id = ?", [(1,), (3,), (9,)])
    assert cursor.rowcount == 2


@pytest.mark.parametrize(
    ("sql_type", "value"),
    [
        ("TINYINT", 300),
        ("DOUBLE", "x"),
        ("DECIMAL(5,2)", Decimal(1000)),
        ("TEXT", b"\xff"),
        ("TEXT", UUID),
        ("UUID", "no-uuid"),
        ("DATE", "2024-02-30"),
        ("LIST<INT>", ["a"]),
        ("STRUCT<a INT>", {"a": 1, "lost": 2}),
        ("LIST<STRUCT<a INT>>", [{"lost": 2}]),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_column(
    cursor: dbapi.Cursor, db: Client, make: Make, sql_type: str, value: Any
) -> None:
    """Nothing is cut off, rounded or left out without a word; the other rows are not written either."""
    t = make(f"id INT PRIMARY KEY, culprit {sql_type}")
    message = failure(lambda: cursor.executemany(f"INSERT INTO {t} VALUES (?, ?)", [(1, None), (2, value)]))
    assert "column culprit" in message
    assert db.count(t) == 0


def test_a_uuid_finds_changes_and_deletes_its_row(cursor: dbapi.Cursor, make: Make) -> None:
    """Python's UUID is compared as text, in one row of parameters and in many."""
    t = make("id UUID PRIMARY KEY, v INT")
    first, second = uuid.uuid4(), uuid.uuid4()
    cursor.executemany(f"INSERT INTO {t} VALUES (?, ?)", [(first, 1), (second, 2)])
    assert cursor.execute(f"SELECT v FROM {t} WHERE id = ?", (first,)).fetchall() == [(1,)]
    cursor.executemany(f"UPDATE {t} SET v = ? WHERE id = ?", [(10, first), (20, second)])
    assert cursor.execute(f"SELECT sum(v) FROM {t}").fetchall() == [(30,)]
    cursor.executemany(f"DELETE FROM {t} WHERE id = ?", [(first,), (second,)])
    assert cursor.rowcount == 2


def sources(data: dict[str, list[Any]]) -> dict[str, Any]:
    """The same rows of parameters as every object that the driver takes."""
    table = pa.table(data)
    return {
        "table": table,
        "batch": table.combine_chunks().to_batches()[0],
        "reader": table.to_reader(),
        "pandas": pd.DataFrame(data),
        "polars": pl.DataFrame(data),
        "list": list(zip(*data.values(), strict=True)),
    }


@pytest.mark.parametrize("source", ["table", "batch", "reader", "pandas", "polars", "list"])
def test_executemany_takes_any_rows(cursor: dbapi.Cursor, db: Client, make: Make, source: str) -> None:
    """Arrow objects, frames and lists of tuples; columns are taken by position."""
    t = make()
    rows = sources({"c": [1, 2], "a": [10, 20], "b": ["x", "y"]})[source]
    cursor.executemany(f"INSERT INTO {t} VALUES (?, ?, ?)", rows)
    assert cursor.rowcount == 2
    assert db.rows(f"SELECT * FROM {t} ORDER BY id") == [(1, 10, "x"), (2, 20, "y")]


@pytest.mark.parametrize("source", ["table", "batch", "reader", "pandas", "polars"])
def test_execute_runs_a_query_for_each_row(cursor: dbapi.Cursor, source: str) -> None:
    """Arrow parameters with several rows: the results follow each other."""
    cursor.execute("SELECT ? * 2 AS x", sources({"n": [1, 2, 3]})[source])
    assert cursor.fetchall() == [(2,), (4,), (6,)]


def test_categories_are_their_values(cursor: dbapi.Cursor, make: Make) -> None:
    """Dictionary-encoded parameters of pandas and polars are inserted, compared and assigned."""
    t = make("id INT PRIMARY KEY, s TEXT")
    rows = pl.DataFrame({"id": [1, 2, 3], "s": pl.Series(["u", None, "w"], dtype=pl.Categorical)})
    cursor.executemany(f"INSERT INTO {t} VALUES (?, ?)", rows)
    assert cursor.execute(f"SELECT id FROM {t} WHERE s = ?", rows.select("s").head(1)).fetchall() == [(1,)]
    swapped = pd.DataFrame({"s": pd.Categorical(["x", "y"]), "id": [1, 2]})
    cursor.executemany(f"UPDATE {t} SET s = ? WHERE id = ?", swapped)
    assert cursor.execute(f"SELECT s FROM {t} ORDER BY id").fetchall() == [("x",), ("y",), ("w",)]


@pytest.mark.parametrize("values", [(1,), (1, 2, 3), ()])
def test_the_number_of_parameters_is_checked(cursor: dbapi.Cursor, values: tuple[int, ...]) -> None:
    """Too few, too many and none."""
    message = failure(lambda: cursor.execute("SELECT ? + ? AS x", values))
    assert "has 2 parameters, but" in message


def test_a_limit_is_a_parameter(cursor: dbapi.Cursor) -> None:
    """So are offsets."""
    sql = "SELECT * FROM (VALUES (1), (2), (3)) AS v(x) ORDER BY x LIMIT ? OFFSET ?"
    assert cursor.execute(sql, (1, 1)).fetchall() == [(2,)]
