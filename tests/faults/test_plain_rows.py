"""What stands under a NULL is NULL, and there is one zero: before a flush as after it, and in what changes store."""

import math
from collections.abc import Iterator

import pyarrow as pa
import pytest

from tests.faults.tables import Tables

INNER = pa.struct([("c", pa.int64())])
STRUCT = pa.struct([("a", pa.int64()), ("b", pa.string()), ("l", pa.list_(pa.int64())), ("s", INNER)])
WHOLE = {"a": 1, "b": "x", "l": [2], "s": {"c": 3}}
PUTS = {"hot": Tables.hot, "cold": Tables.cold, "segments": Tables.segments}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    """A table in each tier: NULL structs with something under them, and both zeros."""
    made = Tables(tmp_path_factory.mktemp("plain"))
    fields = [pa.array([7, 1]), pa.array(["", "x"]), pa.array([[9], [2]]), pa.array([{"c": 5}, {"c": 3}], INNER)]
    hidden = pa.StructArray.from_arrays(fields, fields=list(STRUCT), mask=pa.array([True, False]))
    rows = pa.table(
        {
            "id": pa.array([1, 2], pa.int32()),
            "s": hidden,
            "many": pa.ListArray.from_arrays([0, 1, 2], hidden),
            "d": pa.array([-0.0, 0.0]),
            "f": pa.array([-0.0, 0.0], pa.float32()),
            "ds": pa.array([[-0.0], [0.0]]),
        }
    )
    columns = "s STRUCT<a BIGINT, b TEXT, l BIGINT[], s STRUCT<c BIGINT>>"
    columns += ", many LIST<STRUCT<a BIGINT, b TEXT, l BIGINT[], s STRUCT<c BIGINT>>>, d DOUBLE, f FLOAT, ds DOUBLE[]"
    for name, put in PUTS.items():
        made.run(f"CREATE TABLE {name} (id INT PRIMARY KEY, {columns}) WITH (flush_policy = 'none')")
        put(made, name, rows)
        made.run(f"CREATE TABLE copy_of_{name} AS SELECT id, s['a'] AS a, s['b'] AS b, d FROM {name}")
    yield made
    made.database.close()


@pytest.mark.parametrize("tier", PUTS)
@pytest.mark.parametrize("field", ["s['a']", "s['b']", "s['l']", "s['s']", "s['s']['c']", "many[1]['a']"])
def test_a_field_of_a_null_struct_is_null(tables: Tables, tier: str, field: str) -> None:
    """It is no 0, no empty text and no list, however deep it lies."""
    assert tables.ids(f"SELECT id FROM {tier} WHERE {field} IS NULL") == [1]
    assert tables.ids(f"SELECT count({field}) FROM {tier}") == [1]


@pytest.mark.parametrize("tier", PUTS)
def test_a_table_that_is_made_of_fields_has_null_in_it(tables: Tables, tier: str) -> None:
    """What a query shows is what it stores."""
    assert tables.run(f"SELECT a, b FROM copy_of_{tier} ORDER BY id").to_pylist() == [
        {"a": None, "b": None},
        {"a": 1, "b": "x"},
    ]


@pytest.mark.parametrize("tier", PUTS)
def test_a_struct_comes_back_as_it_was_offered(tables: Tables, tier: str) -> None:
    """The NULL and the other."""
    found = tables.run(f"SELECT s, many FROM {tier} ORDER BY id").to_pylist()
    assert found == [{"s": None, "many": [None]}, {"s": WHOLE, "many": [WHOLE]}]


ZERO = {
    "d IN (0.0, 5, 6, 7)": [1, 2],
    "f IN (0, 5, 6, 7)": [1, 2],
    "d NOT IN (0.0, 5, 6, 7)": [],
    "CASE d WHEN 0.0 THEN true ELSE false END": [1, 2],
    "d IN (SELECT 0.0)": [1, 2],
    "d NOT IN (SELECT 0.0)": [],
    "d IS DISTINCT FROM 0.0": [],
    "nullif(d, 0.0) IS NULL": [1, 2],
    "array_has(ds, 0.0)": [1, 2],
    "EXISTS (SELECT 1 FROM (VALUES (0.0)) v(x) WHERE x = d)": [1, 2],
    "d = f": [1, 2],
}


@pytest.mark.parametrize("tier", PUTS)
@pytest.mark.parametrize("condition", ZERO)
def test_a_negative_zero_is_zero(tables: Tables, tier: str, condition: str) -> None:
    """Also where an engine hashes it, or looks it up."""
    assert tables.ids(f"SELECT id FROM {tier} WHERE {condition} ORDER BY id") == ZERO[condition]


@pytest.mark.parametrize("tier", PUTS)
def test_zeros_are_one_group(tables: Tables, tier: str) -> None:
    """And one key of a join, and one value of a count."""
    assert tables.ids(f"SELECT count(*) FROM {tier} GROUP BY d") == [2]
    assert tables.ids(f"SELECT count(DISTINCT d) FROM {tier}") == [1]
    assert tables.ids(f"SELECT count(*) FROM {tier} a JOIN copy_of_{tier} b ON a.d = b.d") == [4]
    assert all(math.copysign(1, value) == 1 for value in tables.run(f"SELECT d FROM {tier}").column(0).to_pylist())
