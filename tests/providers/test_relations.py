"""What a query sees: the live rows of both tiers, whatever of them it asks for."""

import math
import threading

import numpy as np
import pyarrow as pa
import pytest

from catalog.definition import ColumnSpec, Default
from catalog.errors import DatabaseError, ErrorKind
from catalog.evolution import add_column
from flush import parquet_file
from providers.commit.resolve import OnExisting
from providers.engine.relations import Columns, engine_type
from providers.rows.change import Change
from tests.storage_fixtures import Database, TableAccess, kv

ROWS = 300_000


def load_numbers(table: TableAccess, count: int) -> None:
    """`v = 2 * k` for k below count, in one batch."""
    keys = np.arange(count, dtype=np.int64)
    load = table.bulk()
    load.add(Change(pa.table({"v": keys * 2, "k": keys})))
    load.commit()


@pytest.fixture
def mixed(table: TableAccess) -> TableAccess:
    """Clean batch, dirty batch, hot rows and dead hot rows: keys 0…11, `v = 10 * k`."""
    table.write(*[kv(k, 10 * k) for k in range(4)])
    table.flush()
    table.write(*[kv(k, -1) for k in range(4, 8)], kv(20, -1))
    table.flush()
    table.write(*[kv(k, 10 * k) for k in range(4, 8)])
    table.delete(kv(20))
    table.flush()
    table.write(*[kv(k, -2) for k in range(8, 12)])
    table.write(*[kv(k, 10 * k) for k in range(8, 12)])
    return table


def test_merged_relation_has_one_live_version_of_each_key(mixed: TableAccess) -> None:
    """Clean batches, dirty batches and hot rows together are the table."""
    assert mixed.values() == {k: 10 * k for k in range(12)}
    assert len(mixed.all()) == 12


def test_filter_below_the_merge_brings_no_old_value_back(mixed: TableAccess) -> None:
    """A value that only dead versions hold is not found."""
    assert mixed.select("SELECT k FROM t WHERE v < 0") == []
    assert mixed.select("SELECT k FROM t WHERE v IN (-1, -2)") == []


def test_projection_reads_columns_by_name(mixed: TableAccess) -> None:
    """Any choice and order of columns."""
    assert mixed.select("SELECT v, k FROM t WHERE k = 5") == [{"v": 50, "k": 5}]
    assert mixed.select("SELECT v FROM t WHERE k = 9") == [90]
    assert mixed.select("SELECT 1 FROM t") == [1] * 12


def test_count_forgets_no_dead_row(mixed: TableAccess) -> None:
    """`count(*)`, with and without a filter, counts live rows only."""
    assert mixed.select("SELECT count(*) FROM t") == [12]
    assert mixed.select("SELECT count(*) FROM t WHERE k >= 4") == [8]
    assert mixed.select("SELECT count(v) FROM t") == [12]
    assert mixed.select("SELECT max(v) FROM t") == [110]
    assert mixed.select("SELECT min(v) FROM t") == [0]


@pytest.mark.parametrize("limit", [0, 1, 4, 5, 11, 12, 13])
def test_limit_yields_live_rows(mixed: TableAccess, limit: int) -> None:
    """LIMIT yields as many live rows as there are, never a dead one."""
    found = mixed.query(f"SELECT k, v FROM t LIMIT {limit}").to_pylist()
    assert len(found) == min(limit, 12)
    assert all(row["v"] == 10 * row["k"] for row in found)


def test_limit_and_offset_after_order(mixed: TableAccess) -> None:
    """Top-k over both tiers."""
    assert mixed.select("SELECT k FROM t ORDER BY v DESC LIMIT 3 OFFSET 2") == [9, 8, 7]


def test_self_join_and_sub_query(mixed: TableAccess) -> None:
    """A relation may be used several times in a statement."""
    assert mixed.select("SELECT count(*) FROM t a JOIN t b ON a.k = b.k WHERE a.v = b.v") == [12]
    assert mixed.select("SELECT count(*) FROM t WHERE k IN (SELECT v / 10 FROM t WHERE v > 50)") == [6]


def test_version_columns_are_there_when_asked_for(mixed: TableAccess) -> None:
    """`_seq` is each row's own, and no live row is `_deleted`."""
    found = mixed.query("SELECT _seq, _deleted FROM t")
    assert len(set(found["_seq"].to_pylist())) == 12
    assert set(found["_deleted"].to_pylist()) == {False}


def test_version_columns_are_absent_from_the_visible_relation(mixed: TableAccess) -> None:
    """The relation of `SELECT *` has the user's columns only, with and without rows."""
    db = mixed.db
    for relation in (
        db.relations.merged(mixed.snapshot, None, Columns.VISIBLE),
        db.relations.shape(mixed.definition, Columns.VISIBLE),
    ):
        plan = db.engine.plan("SELECT * FROM t", {mixed.name: relation}, "public")
        assert plan.schema().names == ["v", "k"]


def test_hidden_key_is_hidden(db: Database) -> None:
    """A table without a key shows its columns only, and keeps equal rows apart."""
    table = db.create([("a", pa.int64())], [])
    ids = db.store.allocator.reserve(2)
    rows = pa.table({"_row": pa.array(ids), "a": pa.array([1, 1])})
    db.store.write(table.state, lambda _: Change(rows), OnExisting.REPLACE)
    table.flush()
    relation = db.relations.merged(table.snapshot, None, Columns.VISIBLE)
    found = db.engine.plan("SELECT * FROM t", {table.name: relation}, "public").to_arrow_table()
    assert found.to_pydict() == {"a": [1, 1]}
    everything = db.relations.merged(table.snapshot, None, Columns.ALL)
    found = db.engine.plan('SELECT "_row" FROM t', {table.name: everything}, "public").to_arrow_table()
    assert sorted(found["_row"].to_pylist()) == ids.tolist()


def test_schema_is_the_same_hot_cold_and_empty(db: Database) -> None:
    """A statement's result schema does not depend on where rows are."""
    types = [pa.int64(), pa.string(), pa.binary(), pa.decimal128(9, 2), pa.timestamp("us", "UTC"), pa.list_(pa.int32())]
    columns = [(f"c{i}", type_) for i, type_ in enumerate(types)]
    table = db.create([*columns, ("k", pa.int64())])
    empty = table.query("SELECT * FROM t").schema
    table.write({"k": 1})
    hot = table.query("SELECT * FROM t").schema
    table.flush()
    cold = table.query("SELECT * FROM t").schema
    table.write({"k": 2})
    both = table.query("SELECT * FROM t").schema
    assert [field.type for field in empty] == [field.type for field in hot] == [field.type for field in cold]
    assert both.equals(hot)
    assert hot.names == empty.names == cold.names


def test_text_and_bytes_are_views_in_the_engine() -> None:
    """The engine's own types for text and bytes; every other type is the stored one."""
    assert engine_type(pa.string()) == pa.string_view()
    assert engine_type(pa.binary()) == pa.binary_view()
    assert engine_type(pa.int8()) == pa.int8()


@pytest.mark.parametrize(
    "dead",
    [
        [0],
        [8191, 8192, 8193],
        [131_071, 131_072],
        [ROWS - 1],
        list(range(100_000, 200_000)),
        list(range(0, ROWS, 3)),
    ],
    ids=["first", "around 8192", "around a row group", "last", "a block", "every third"],
)
def test_dead_rows_are_those_of_the_file_not_of_a_record_batch(table: TableAccess, dead: list[int]) -> None:
    """Row ordinals are absolute: marks beyond 8,192 and beyond a row group of 131,072 rows hit the right rows."""
    load_numbers(table, ROWS)
    assert parquet_file.ROW_GROUP_ROWS < ROWS
    keys = np.array(dead, dtype=np.int64)
    change = Change(pa.table({"v": keys, "k": keys}), np.ones(len(keys), dtype=np.bool_))
    table.db.store.write(table.state, lambda _: change, OnExisting.REPLACE)
    expected = np.setdiff1d(np.arange(ROWS), keys)
    assert table.select("SELECT count(*) FROM t") == [len(expected)]
    assert table.select("SELECT sum(v) FROM t") == [int(expected.sum()) * 2]
    for key in (dead[0], dead[-1]):
        assert table.select(f"SELECT k FROM t WHERE k = {key}") == []
        around = [k for k in (key - 1, key, key + 1) if 0 <= k < ROWS and k not in set(dead)]
        assert table.select(f"SELECT k FROM t WHERE k BETWEEN {key - 1} AND {key + 1} ORDER BY k") == around
    found = np.sort(table.query("SELECT k FROM t WHERE k % 7 = 3")["k"].to_numpy())
    assert np.array_equal(found, expected[expected % 7 == 3])


def test_dead_rows_under_value_filters_that_skip_row_groups(table: TableAccess) -> None:
    """When the engine skips row groups and pages, positions in the rest are still absolute."""
    load_numbers(table, ROWS)
    table.delete(kv(250_000), kv(250_002))
    assert table.select("SELECT k FROM t WHERE v BETWEEN 499998 AND 500006 ORDER BY k") == [249_999, 250_001, 250_003]
    assert table.select("SELECT count(*) FROM t WHERE v >= 500000") == [ROWS - 250_000 - 2]
    assert table.select("SELECT k FROM t ORDER BY v DESC LIMIT 1") == [ROWS - 1]


def test_several_dirty_batches_are_told_apart(table: TableAccess) -> None:
    """The same position may be dead in one batch and live in another."""
    for start in (0, 20_000, 40_000):
        keys = np.arange(start, start + 20_000)
        load = table.bulk()
        load.add(Change(pa.table({"v": keys, "k": keys})))
        load.commit()
    table.delete(kv(5), kv(20_006), kv(40_007), kv(19_999), kv(39_998))
    assert table.select("SELECT count(*) FROM t") == [60_000 - 5]
    expected = [k for k in range(20_000, 20_010) if k != 20_006]
    assert table.select("SELECT k FROM t WHERE k BETWEEN 20000 AND 20009 ORDER BY k") == expected
    assert table.select("SELECT k FROM t WHERE k IN (5, 6, 7, 20005, 20006, 40007, 40006) ORDER BY k") == [
        6,
        7,
        20_005,
        40_006,
    ]


def test_nulls_follow_sql(table: TableAccess) -> None:
    """Comparisons with NULL are neither true nor false, hot and cold."""
    table.write(kv(1, None), kv(2, 5))
    for _ in range(2):
        assert table.select("SELECT k FROM t WHERE v = 5") == [2]
        assert table.select("SELECT k FROM t WHERE v <> 5") == []
        assert table.select("SELECT k FROM t WHERE NOT (v = 5)") == []
        assert table.select("SELECT k FROM t WHERE v IS DISTINCT FROM 5") == [1]
        assert table.select("SELECT k FROM t WHERE coalesce(v, 0) = 0") == [1]
        assert table.select("SELECT count(v) FROM t") == [1]
        table.flush()


def test_nan_is_a_value(db: Database) -> None:
    """NaN rows are stored, found and counted, hot and cold."""
    table = db.create([("v", pa.float64()), ("k", pa.int64())])
    table.write(kv(1, math.nan), kv(2, 1.0))
    for _ in range(2):
        assert table.select("SELECT k FROM t WHERE isnan(v)") == [1]
        assert table.select("SELECT k FROM t WHERE v = 1") == [2]
        assert table.select("SELECT count(*) FROM t") == [2]
        table.flush()


def test_nested_values_are_stored_and_queried(db: Database) -> None:
    """Lists and structs survive both tiers and compaction."""
    struct = pa.struct([("a", pa.int64()), ("b", pa.string())])
    table = db.create([("l", pa.list_(pa.string())), ("s", struct), ("k", pa.int64())])
    rows = [
        {"k": 1, "l": ["x", None], "s": {"a": 1, "b": "y"}},
        {"k": 2, "l": [], "s": None},
        {"k": 3, "l": None, "s": None},
    ]
    table.write(*rows)
    for step in (table.flush, table.compact, table.db.reopen):
        assert [{name: row[name] for name in ("k", "l", "s")} for row in table.all()] == rows
        step()
    assert table.select("SELECT s['b'] FROM t WHERE s['a'] = 1") == ["y"]


def test_names_that_need_quotes(db: Database) -> None:
    """Columns may be called anything."""
    names = ['Upper "x"', "ünï code", "select", "a.b", "it's"]
    table = db.create([*[(name, pa.int64()) for name in names], ("K k", pa.int64())], ["K k"])
    table.write({"K k": 1, **{name: i for i, name in enumerate(names)}})
    table.flush()
    table.write({"K k": 2, **{name: i + 10 for i, name in enumerate(names)}})
    assert [list(row.values()) for row in table.all()] == [[0, 1, 2, 3, 4, 1], [10, 11, 12, 13, 14, 2]]
    assert table.select('SELECT "K k" FROM t WHERE "it\'s" = 14') == [2]


def test_default_literals_of_every_kind_fill_older_batches(db: Database) -> None:
    """A default is cast to its column's type once, and read alike from hot and cold rows."""
    defaults = {
        "i": (pa.int8(), "-5", -5),
        "f": (pa.float32(), "0.5", 0.5),
        "b": (pa.bool_(), "true", True),
        "s": (pa.string(), "'x'", "x"),
        "y": (pa.binary(), "'ab'", b"ab"),
    }
    table = db.create([("k", pa.int64())])
    table.write({"k": 1})
    table.flush()
    table.write({"k": 2})
    for name, (type_, literal, _) in defaults.items():
        spec = ColumnSpec(name, type_, default=Default(literal=literal))
        table.alter(lambda definition, spec=spec: add_column(definition, spec))
    expected = {name: value for name, (_, _, value) in defaults.items()}
    assert table.all() == [{"k": 1, **expected}, {"k": 2, **expected}]


def test_damaged_batch_is_an_error_not_wrong_data(table: TableAccess) -> None:
    """A flipped bit in a batch file is found before the file is read, and the message names no path."""
    table.write(*[kv(k, k) for k in range(1000)])
    table.flush()
    path = table.folder / "batch-1.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 4
    path.write_bytes(data)
    table.db.reopen()
    with pytest.raises(DatabaseError) as caught:
        table.all()
    assert caught.value.kind is ErrorKind.CORRUPT
    assert "/" not in caught.value.message


def test_missing_batch_is_an_error(table: TableAccess) -> None:
    """A file that the manifest names must be there."""
    table.write(kv(1))
    table.flush()
    (table.folder / "batch-1.parquet").unlink()
    table.db.reopen()
    with pytest.raises(DatabaseError) as caught:
        table.all()
    assert caught.value.kind is ErrorKind.CORRUPT


def test_stream_outlives_flush_and_compaction(table: TableAccess) -> None:
    """A result that is being read goes on while its batches are replaced, as long as its snapshot is held."""
    load_numbers(table, ROWS)
    table.delete(kv(1))
    snapshot = table.snapshot
    relation = table.db.relations.merged(snapshot, None, Columns.VISIBLE)
    stream = pa.RecordBatchReader.from_stream(table.db.engine.plan("SELECT k FROM t", {table.name: relation}, "public"))
    seen = stream.read_next_batch().num_rows
    table.write(kv(2, -5))
    table.flush()
    table.compact()
    table.reclaim()
    seen += sum(batch.num_rows for batch in stream)
    assert seen == ROWS - 1
    assert snapshot.live_count == ROWS - 1


def test_many_threads_query_one_table(mixed: TableAccess) -> None:
    """Relations and shapes may be built by many threads at once."""
    failures: list[object] = []

    def ask() -> None:
        for _ in range(5):
            found = mixed.values()
            if found != {k: 10 * k for k in range(12)}:
                failures.append(found)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
