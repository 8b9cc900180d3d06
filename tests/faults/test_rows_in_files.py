"""Questions that rows in memory answered, and rows in files did not: names with dots, lists, casts that lose digits."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pytest

from tests.faults.tables import Tables


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    """Opened once."""
    made = Tables(tmp_path_factory.mktemp("files"))
    yield made
    made.database.close()


DOTTED: dict[str, tuple[str, Mapping[str, pa.Array]]] = {
    "a number beside a field of text": (
        'a STRUCT<b TEXT>, "a.b" BIGINT',
        {"a": pa.array([{"b": "x"}, None]), "a.b": pa.array([7, None])},
    ),
    "text beside a field of numbers": (
        'a STRUCT<b BIGINT>, "a.b" TEXT',
        {"a": pa.array([{"b": 7}, None]), "a.b": pa.array(["x", None])},
    ),
    "NaN beside a field": (
        'a STRUCT<b DOUBLE>, "a.b" DOUBLE',
        {"a": pa.array([{"b": 0.5}, None]), "a.b": pa.array([math.nan, None])},
    ),
    "a moment beside a list": (
        'l TEXT[], "l.list.item" TIMESTAMP, "l.list.element" TIMESTAMP',
        {
            "l": pa.array([["x"], None]),
            "l.list.item": pa.array([7, None], pa.timestamp("us")),
            "l.list.element": pa.array([8, None], pa.timestamp("us")),
        },
    ),
    "a decimal beside a struct in a list": (
        'l LIST<STRUCT<a TEXT>>, "l.list.item.a" DECIMAL(5,2)',
        {"l": pa.array([[{"a": "x"}], None]), "l.list.item.a": pa.array(["1.25", None]).cast(pa.decimal128(5, 2))},
    ),
}


@pytest.mark.parametrize("case", DOTTED)
def test_a_column_may_be_called_like_a_field_of_another(tables: Tables, case: str) -> None:
    """It is written, found and compacted as any other."""
    columns, values = DOTTED[case]
    t = f"d{list(DOTTED).index(case)}"
    tables.run(f"CREATE TABLE {t} (id INT PRIMARY KEY, {columns}) WITH (flush_policy = 'none')")
    rows = pa.table({"id": pa.array([1, 2], pa.int32()), **values})
    tables.cold(t, rows.slice(0, 1), rows.slice(1))
    for _ in range(2):
        assert str(tables.run(f"SELECT * FROM {t} ORDER BY id").to_pylist()) == str(rows.to_pylist())
        for name in values:
            assert tables.ids(f'SELECT id FROM {t} WHERE "{name}" IS NOT NULL') == [1]
        tables.run(f"COMPACT {t}")


LISTS = {
    "l = [3]": [2],
    "l <> [3]": [1],
    "l IN ([3], [4])": [2],
    "l < [2]": [1],
    "s = {'a': 1}": [1],
    "s IN ({'a': 1}, {'a': 3})": [1],
    "l IS NULL": [3],
    "l = [3] OR id = 1": [1, 2],
    "h = 0.5": [1],
    "h IN (0.5, 1, 2, 3, 4)": [1],
    "h > 0": [1],
}


@pytest.fixture(scope="module")
def lists(tables: Tables) -> Tables:
    """A row in each of three batches."""
    tables.run("CREATE TABLE lists (id INT PRIMARY KEY, l BIGINT[], s STRUCT<a BIGINT>, h FLOAT16)")
    for row in ("(1, [1, 2], {'a': 1}, 0.5)", "(2, [3], {'a': 2}, -1)", "(3, NULL, NULL, NULL)"):
        tables.run(f"INSERT INTO lists VALUES {row}")
        tables.run("FLUSH lists")
    return tables


@pytest.mark.parametrize("condition", LISTS)
def test_what_arrow_cannot_compare_rules_out_no_batch(lists: Tables, condition: str) -> None:
    """Lists, structs and half floats are compared by the engine alone."""
    assert lists.ids(f"SELECT id FROM lists WHERE {condition} ORDER BY id") == LISTS[condition]


LOSING = {
    "ts >= CAST(ts AS DATE)": [1, 2],
    "ts = CAST(ts AS DATE)": [],
    "CAST(x AS INT) = x": [2],
    "CAST(x AS BIGINT) < f": [1],
    "CAST(x AS FLOAT) = x": [1, 2],
    "CAST(d AS DECIMAL(10,0)) > d": [1, 2],
    "CAST(ts AS TIMESTAMP(0)) <> ts": [1, 2],
    "NOT (CAST(x AS INT) = x)": [1],
    "x IN (SELECT x FROM losing WHERE CAST(x AS INT) = x)": [2],
    "CAST(x AS INT) BETWEEN x AND 5": [2],
}
"""Conditions with casts that lose digits, and the rows that satisfy them."""


@pytest.fixture(scope="module")
def losing(tables: Tables) -> Tables:
    """Values that no cast to a smaller type keeps."""
    tables.run("CREATE TABLE losing (id INT PRIMARY KEY, ts TIMESTAMP, x DOUBLE, f FLOAT, d DECIMAL(10,2))")
    tables.run(
        "INSERT INTO losing VALUES (1, '1969-12-31 23:59:59.999999', -1.5, 0.5, -1.25), "
        "(2, '2024-03-31 02:30:00.5', 3, 2.5, 3.75)"
    )
    tables.run("FLUSH losing")
    return tables


@pytest.mark.parametrize("condition", LOSING)
def test_a_cast_that_loses_digits_may_stand_in_a_condition(losing: Tables, condition: str) -> None:
    """What the engine estimates of it must not end the query."""
    expected: Any = LOSING[condition]
    assert losing.ids(f"SELECT id FROM losing WHERE {condition} ORDER BY id") == expected
