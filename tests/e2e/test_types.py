"""Every type, with its extremes, through every way in: SQL text, bound parameters, ingest; hot and flushed."""

import math
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from tests.e2e.client import Client

Make = Callable[..., str]

INT64_MAX = 2**63 - 1

TYPES: list[tuple[str, pa.DataType, list[Any]]] = [
    ("TINYINT", pa.int8(), [-128, 127, 0]),
    ("SMALLINT", pa.int16(), [-(2**15), 2**15 - 1]),
    ("INT", pa.int32(), [-(2**31), 2**31 - 1]),
    ("BIGINT", pa.int64(), [-(2**63), INT64_MAX]),
    ("TINYINT UNSIGNED", pa.uint8(), [0, 255]),
    ("SMALLINT UNSIGNED", pa.uint16(), [0, 2**16 - 1]),
    ("INT UNSIGNED", pa.uint32(), [0, 2**32 - 1]),
    ("BIGINT UNSIGNED", pa.uint64(), [0, 2**64 - 1]),
    ("FLOAT16", pa.float16(), [1.5, -65504.0, math.inf]),
    ("FLOAT", pa.float32(), [1.5, -3.4028234663852886e38, -math.inf]),
    ("DOUBLE", pa.float64(), [5e-324, 1.7976931348623157e308, -0.0]),
    ("DECIMAL(5,2)", pa.decimal128(5, 2), ["-999.99", "0.01"]),
    ("DECIMAL(38,0)", pa.decimal128(38, 0), ["9" * 38, "-" + "9" * 38]),
    ("DECIMAL(38,38)", pa.decimal128(38, 38), ["0." + "9" * 38]),
    ("BOOLEAN", pa.bool_(), [True, False]),
    ("TEXT", pa.string(), ["", "ünï\n'\"\\\0", "x" * 100_000]),
    ("BYTEA", pa.binary(), [b"", bytes(range(256))]),
    ("DATE", pa.date32(), ["0001-01-01", "1969-12-31", "9999-12-31"]),
    ("TIME(3)", pa.time32("ms"), [0, 86_399_999]),
    ("TIME(6)", pa.time64("us"), [0, 86_399_999_999]),
    ("TIME(9)", pa.time64("ns"), [0, 86_399_999_999_999]),
    ("TIMESTAMP(3)", pa.timestamp("ms"), [-1, 253402300799999]),
    ("TIMESTAMP(6)", pa.timestamp("us"), [-62135596800000000, 253402300799999999]),
    ("TIMESTAMP(9)", pa.timestamp("ns"), [-(2**63) + 1, INT64_MAX]),
    ("TIMESTAMP(6) WITH TIME ZONE", pa.timestamp("us", "UTC"), [-1, 1700000000000001]),
    ("TIMESTAMP(6) WITH TIME ZONE 'Europe/Berlin'", pa.timestamp("us", "Europe/Berlin"), [0, 1700000000000001]),
    ("TIMESTAMP(6) WITH TIME ZONE '+05:30'", pa.timestamp("us", "+05:30"), [0, 1700000000000001]),
    ("UUID", pa.string(), ["00000000-0000-0000-0000-000000000000", "0190a6b4-5bd9-7c3c-8d5e-1f2a3b4c5d6e"]),
    ("LIST<INT>", pa.list_(pa.int32()), [[], [1, None, -(2**31)]]),
    ("LIST<LIST<TEXT>>", pa.list_(pa.list_(pa.string())), [[["a"], None, []]]),
    ("LIST<DECIMAL(10,2)>", pa.list_(pa.decimal128(10, 2)), [[]]),
    ("STRUCT<a INT, b TEXT>", pa.struct([("a", pa.int32()), ("b", pa.string())]), [{"a": 1, "b": None}]),
    (
        "LIST<STRUCT<a TIMESTAMP(9), b LIST<DOUBLE>>>",
        pa.list_(pa.struct([("a", pa.timestamp("ns")), ("b", pa.list_(pa.float64()))])),
        [[{"a": None, "b": [1.5, None]}, None]],
    ),
]
IDS = [name for name, _, _ in TYPES]
SCALARS = [case for case in TYPES if not pa.types.is_nested(case[1])]
KEYS = [case for case in SCALARS if case[0] != "FLOAT16"]


def values_of(arrow_type: pa.DataType, values: list[Any]) -> pa.Array:
    """An array of the values and a NULL."""
    if pa.types.is_decimal(arrow_type) or pa.types.is_date(arrow_type):
        return pa.array([*values, None], pa.string()).cast(arrow_type)
    if pa.types.is_temporal(arrow_type):
        integers = pa.int32() if arrow_type.bit_width == 32 else pa.int64()
        return pa.array([*values, None], integers).cast(arrow_type)
    return pa.array([*values, None], arrow_type)


def numbered(values: pa.Array) -> pa.Table:
    """The values with a key."""
    return pa.table({"id": pa.array(range(len(values)), pa.int32()), "c": values})


def stored(db: Client, t: str) -> pa.Array:
    """What the table holds, in the order of the key."""
    return db.arrow(f"SELECT c FROM {t} ORDER BY id").column("c").combine_chunks()


@pytest.mark.parametrize(("sql_type", "arrow_type", "values"), TYPES, ids=IDS)
def test_ingested_values_come_back_hot_and_cold(
    db: Client, make: Make, sql_type: str, arrow_type: pa.DataType, values: list[Any]
) -> None:
    """What a stream brings is what a query returns, in the declared type, before and after a flush."""
    t = make(f"id INT PRIMARY KEY, c {sql_type}")
    offered = values_of(arrow_type, values)
    assert db.ingest(t, numbered(offered)) == len(offered)
    assert stored(db, t).equals(offered)
    db.run(f"FLUSH TABLE {t}")
    assert stored(db, t).equals(offered)
    assert stored(db, t).type == arrow_type


@pytest.mark.parametrize(("sql_type", "arrow_type", "values"), TYPES, ids=IDS)
def test_bound_values_come_back(
    db: Client, make: Make, sql_type: str, arrow_type: pa.DataType, values: list[Any]
) -> None:
    """A prepared INSERT stores what is bound, without a detour through text."""
    t = make(f"c {sql_type}, id INT PRIMARY KEY")
    offered = values_of(arrow_type, values)
    rows = numbered(offered).select(["c", "id"])
    assert db.many(f"INSERT INTO {t} VALUES (?, ?)", rows.combine_chunks().to_batches()[0]) == len(offered)
    assert stored(db, t).equals(offered)


@pytest.mark.parametrize(("sql_type", "arrow_type", "values"), SCALARS, ids=[case[0] for case in SCALARS])
def test_a_value_finds_its_row_when_it_is_bound(
    db: Client, make: Make, sql_type: str, arrow_type: pa.DataType, values: list[Any]
) -> None:
    """`WHERE c = ?` over flushed rows finds each value: neither ranges nor blooms lose one."""
    t = make(f"id INT PRIMARY KEY, c {sql_type}", options="WITH (bloom_columns = 'c')")
    offered = values_of(arrow_type, values)
    db.ingest(t, numbered(offered))
    db.run(f"FLUSH TABLE {t}")
    for number, value in enumerate(offered):
        if value.is_valid:
            bound = pa.RecordBatch.from_arrays([pa.repeat(value, 1)], ["1"])
            assert db.column(f"SELECT id FROM {t} WHERE c = ?", bound) == [number]


@pytest.mark.parametrize(("sql_type", "arrow_type", "values"), KEYS, ids=[case[0] for case in KEYS])
def test_every_plain_type_but_half_floats_can_be_the_key(
    db: Client, make: Make, sql_type: str, arrow_type: pa.DataType, values: list[Any]
) -> None:
    """Keys of every type: a repeated stream replaces rows, hot over cold."""
    t = make(f"n INT, c {sql_type} PRIMARY KEY")
    offered = values_of(arrow_type, values).drop_null()
    rows = numbered(offered).rename_columns(["n", "c"])
    for _ in range(2):
        db.ingest(t, rows)
        db.run(f"FLUSH TABLE {t}")
        db.ingest(t, rows)
    assert db.count(t) == len(offered)
    assert db.update(f"DELETE FROM {t}") == len(offered)
    assert db.count(t) == 0


LITERALS = [
    ("TINYINT", "-128", "-128"),
    ("BIGINT", "9223372036854775807", "9223372036854775807"),
    ("BIGINT", "-9223372036854775808", "-9223372036854775808"),
    ("BIGINT UNSIGNED", "18446744073709551615", "18446744073709551615"),
    ("DOUBLE", "1e300", "1e+300"),
    ("DECIMAL(38,10)", "1234567890123456789012345678.0123456789", "1234567890123456789012345678.0123456789"),
    ("DECIMAL(20,2)", "0.1", "0.10"),
    ("DECIMAL(10,2)", "7", "7.00"),
    ("DECIMAL(10,2)", "'12.34'", "12.34"),
    ("DECIMAL(5,2)", "1.235", "1.24"),
    ("INT", "2.5", "3"),
    ("BOOLEAN", "TRUE", "True"),
    ("TEXT", "'it''s \\n'", "it's \\n"),
    ("BYTEA", "X'00FF'", "b'\\x00\\xff'"),
    ("DATE", "DATE '2024-02-29'", "2024-02-29"),
    ("DATE", "'2024-02-29'", "2024-02-29"),
    ("TIME(3)", "TIME '23:59:59.123'", "23:59:59.123000"),
    ("TIME(6)", "'00:00:00.000001'", "00:00:00.000001"),
    ("TIMESTAMP", "TIMESTAMP '1969-12-31 23:59:59.999999'", "1969-12-31 23:59:59.999999"),
    ("TIMESTAMP(3)", "'2024-01-01T00:00:00.5'", "2024-01-01 00:00:00.500000"),
    ("TIMESTAMPTZ", "'2024-01-01T01:00:00+01:00'", "2024-01-01 00:00:00+00:00"),
    ("TIMESTAMP WITH TIME ZONE 'Europe/Berlin'", "'2024-07-01T00:00:00Z'", "2024-07-01 02:00:00+02:00"),
    ("UUID", "'0190A6B4-5BD9-7C3C-8D5E-1F2A3B4C5D6E'", "0190a6b4-5bd9-7c3c-8d5e-1f2a3b4c5d6e"),
    ("LIST<INT>", "[1, NULL, 3]", "[1, None, 3]"),
    ("STRUCT<a INT, b TEXT>", "{'a': 1, 'b': 'x'}", "{'a': 1, 'b': 'x'}"),
    ("DOUBLE", "'NaN'", "nan"),
    ("INT", "NULL", "None"),
]


@pytest.mark.parametrize(("sql_type", "literal", "shown"), LITERALS)
def test_a_literal_is_stored_exactly(db: Client, make: Make, sql_type: str, literal: str, shown: str) -> None:
    """INSERT … VALUES stores what is written, and the key look-up finds it after a flush."""
    t = make(f"id INT PRIMARY KEY, c {sql_type}")
    db.run(f"INSERT INTO {t} VALUES (1, {literal})")
    assert str(db.one(f"SELECT c FROM {t}")) == shown
    db.run(f"FLUSH TABLE {t}")
    assert str(db.one(f"SELECT c FROM {t} WHERE id = 1")) == shown


@pytest.mark.parametrize(
    ("sql_type", "literal"),
    [
        ("TINYINT", "128"),
        ("INT UNSIGNED", "-1"),
        ("BIGINT", "9223372036854775808"),
        ("INT", "'abc'"),
        ("DECIMAL(5,2)", "1000"),
        ("DATE", "'2024-02-30'"),
        ("TIMESTAMP", "'yesterday'"),
        ("UUID", "'not-a-uuid'"),
        ("BOOLEAN", "'perhaps'"),
        ("FLOAT", "1e39"),
        ("LIST<TINYINT>", "[1000]"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(db: Client, make: Make, sql_type: str, literal: str) -> None:
    """INSERT names the column whose value does not fit, and stores nothing."""
    t = make(f"id INT PRIMARY KEY, culprit {sql_type}")
    message = db.error(f"INSERT INTO {t} VALUES (1, NULL), (2, {literal})")
    assert "culprit" in message
    assert db.count(t) == 0


def test_nan_is_a_value_and_not_null(db: Client, make: Make) -> None:
    """NaN survives the flush, is found by comparison as DataFusion orders it, and is never pruned away."""
    t = make("id INT PRIMARY KEY, f DOUBLE")
    db.ingest(t, pa.table({"id": pa.array([1, 2, 3], pa.int32()), "f": [1.0, math.nan, None]}))
    hot = db.rows(f"SELECT id FROM {t} WHERE f > 1e300")
    db.run(f"FLUSH TABLE {t}")
    assert db.rows(f"SELECT id FROM {t} WHERE f > 1e300") == hot == [(2,)]
    assert db.column(f"SELECT id FROM {t} WHERE f IS NULL") == [3]
    assert db.column(f"SELECT id FROM {t} WHERE isnan(f)") == [2]


STREAMED = [
    ("TEXT", pa.array(["a", "b", "a"]).dictionary_encode()),
    ("TEXT", pa.array(["a", "b", None], pa.large_string())),
    ("TEXT", pa.array(["a", "b" * 50, None], pa.string_view())),
    ("BYTEA", pa.array([b"ab", b"cd"], pa.binary(2))),
    ("BYTEA", pa.array([b"ab", b"cd" * 20], pa.binary_view())),
    ("DATE", pa.array([0, 86_400_000], pa.date64())),
    ("TIMESTAMP(3)", pa.array([1, 2], pa.timestamp("s"))),
    ("DECIMAL(10,2)", pa.array(["1.25"], pa.string()).cast(pa.decimal256(10, 2))),
    ("LIST<INT>", pa.array([[1], [2, 3]], pa.large_list(pa.int32()))),
    ("LIST<INT>", pa.array([[1, 2], [3, 4]], pa.list_(pa.int32(), 2))),
    ("BIGINT", pa.array([1, None, 3], pa.int8())),
    ("TEXT", pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["a", "b"]))),
    ("TEXT", pa.RunEndEncodedArray.from_arrays(pa.array([2], pa.int32()), pa.array(["a"]).dictionary_encode())),
    ("LIST<INT>", pa.array([[1], None, [2, 3]], pa.list_view(pa.int32()))),
    ("LIST<TEXT>", pa.ListArray.from_arrays([0, 1, 2], pa.array(["a", "b"]).dictionary_encode())),
    ("TEXT", pa.nulls(2)),
]


@pytest.mark.parametrize(("sql_type", "offered"), STREAMED, ids=[str(array.type) for _, array in STREAMED])
def test_a_streamed_encoding_is_stored_as_its_plain_type(db: Client, t: str, sql_type: str, offered: pa.Array) -> None:
    """Dictionaries, views, large, fixed-size and run-end encoded types become the plain type."""
    rows = pa.table({"id": pa.array(range(len(offered)), pa.int32()), "c": offered})
    db.ingest(t, rows, mode="create")
    assert stored(db, t).to_pylist() == offered.to_pylist()
    assert sql_type.startswith(db.rows(f"DESCRIBE {t}")[1][1][:4]) or sql_type == "BIGINT"


@pytest.mark.parametrize(
    "offered",
    [
        pa.array([[(1, 2)]], pa.map_(pa.int32(), pa.int32())),
        pa.array([1], pa.duration("s")),
        pa.array(["1"], pa.string()).cast(pa.decimal256(60, 0)),
        pa.UnionArray.from_dense(pa.array([0], pa.int8()), pa.array([0], pa.int32()), [pa.array([1])]),
    ],
    ids=lambda array: str(array.type),
)
def test_a_streamed_type_that_cannot_be_stored_is_refused_by_name(db: Client, t: str, offered: pa.Array) -> None:
    """Ingest names the column and creates nothing."""
    rows = pa.table({"id": pa.array([1]), "culprit": offered})
    with pytest.raises(Exception, match="culprit"):
        db.ingest(t, rows, mode="create")
    assert t in db.error(f"SELECT * FROM {t}")


@pytest.mark.parametrize("sql_type", ["FLOAT16", "LIST<INT>", "STRUCT<a INT>"])
def test_a_type_that_cannot_be_a_key_is_refused(db: Client, t: str, sql_type: str) -> None:
    """Half floats, lists and structs have no order to sort batches by."""
    assert "culprit" in db.error(f"CREATE TABLE {t} (culprit {sql_type} PRIMARY KEY)")
