"""DEFAULT values, the bounded cache, and cold files opened once."""

import re
import threading
import time

import pyarrow as pa
import pytest

from catalog.definition import Column, ColumnSpec, Default, DefaultFunction
from catalog.errors import DatabaseError, ErrorKind
from catalog.evolution import add_column
from providers.cold.files import KEY_FILTER, ColdFiles
from providers.lru import ByteBoundedCache
from providers.rows.defaults import default_column, literal_value, missing_values
from providers.rows.keys import Keys
from providers.rows.uuids import uuid_v7
from tests.storage_fixtures import Database, TableAccess, kv

UUID_7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")


def column(type_: pa.DataType, default: Default | None) -> Column:
    """A column with a default."""
    return Column(id=1, name="c", physical="c", type=type_, nullable=True, default=default, added=1)


def values(db: Database, type_: pa.DataType, default: Default | None, rows: int = 3) -> pa.Array:
    """What rows without the column get."""
    return default_column(column(type_, default), rows, "ann", db.store.allocator)


def test_no_default_is_null(db: Database) -> None:
    """A column without DEFAULT holds NULL."""
    assert values(db, pa.int64(), None).to_pylist() == [None] * 3


def test_literal_is_the_same_in_every_row(db: Database) -> None:
    """A literal is cast to the column's type."""
    found = values(db, pa.decimal128(6, 2), Default(literal="1.5"))
    assert (found.type, [str(value) for value in found.to_pylist()]) == (pa.decimal128(6, 2), ["1.50"] * 3)


def test_now_is_one_moment_for_all_rows(db: Database) -> None:
    """NOW() is evaluated once for a statement."""
    before = time.time_ns() // 1000
    found = values(db, pa.timestamp("us", "UTC"), Default(DefaultFunction.NOW)).cast(pa.int64()).to_pylist()
    assert len(set(found)) == 1
    assert before <= found[0] <= time.time_ns() // 1000


def test_current_user_is_the_name_given(db: Database) -> None:
    """CURRENT_USER is the user of the statement."""
    assert values(db, pa.string(), Default(DefaultFunction.CURRENT_USER)).to_pylist() == ["ann"] * 3


def test_snowflakes_differ_and_ascend(db: Database) -> None:
    """SNOWFLAKE_ID() comes from the sequence."""
    found = values(db, pa.int64(), Default(DefaultFunction.SNOWFLAKE_ID), 5000).to_pylist()
    assert found == sorted(set(found))
    assert len(found) == 5000


def test_uuids_are_of_version_7_and_differ() -> None:
    """UUID_V7() has version, variant and time in their places."""
    before = time.time_ns() // 1_000_000
    found = uuid_v7(1000).to_pylist()
    assert all(UUID_7.match(text) for text in found)
    assert len(set(found)) == 1000
    assert before <= int(found[0].replace("-", "")[:12], 16) <= time.time_ns() // 1_000_000


def test_no_uuids_for_no_rows() -> None:
    """A statement without rows needs none."""
    assert uuid_v7(0).to_pylist() == []


@pytest.mark.parametrize("literal", ["'x'", "300", "'1.5'"])
def test_literal_that_does_not_fit_is_refused(literal: str) -> None:
    """A DEFAULT must be a value of the column's type."""
    with pytest.raises(DatabaseError, match="column c") as caught:
        literal_value(Default(literal=literal), column(pa.int8(), None))
    assert caught.value.kind is ErrorKind.INVALID


@pytest.mark.parametrize("literal", ["1; DROP TABLE t", "k", "(SELECT 1", "nothing()"])
def test_default_that_is_no_literal_is_refused(literal: str) -> None:
    """Text that is no literal never runs."""
    with pytest.raises(DatabaseError) as caught:
        literal_value(Default(literal=literal), column(pa.int64(), None))
    assert caught.value.kind is ErrorKind.INVALID


def test_missing_values_are_those_of_literal_defaults(table: TableAccess) -> None:
    """Rows older than a column read its literal default, by physical name."""
    table.alter(lambda d: add_column(d, ColumnSpec("x", pa.int64(), default=Default(literal="4"))))
    table.alter(lambda d: add_column(d, ColumnSpec("y", pa.int64())))
    found = {name: value.as_py() for name, value in missing_values(table.definition).items()}
    assert found == {"x": 4}


def test_cache_forgets_what_was_used_longest_ago() -> None:
    """Beyond its size the cache drops the oldest use first, for what is asked for again."""
    cache: ByteBoundedCache[str, int] = ByteBoundedCache(30)
    for name in "abc":
        cache.put(name, ord(name), 10)
    for name in "dacd":
        assert cache.get(name, lambda name=name: ord(name), lambda _: 10) == ord(name)
    assert [name in cache for name in "abcd"] == [True, False, True, True]


def test_cache_lets_nothing_go_for_what_is_asked_for_once() -> None:
    """A full cache takes nothing new at once."""
    cache: ByteBoundedCache[int, int] = ByteBoundedCache(30)
    for number in range(100):
        assert cache.get(number, lambda number=number: number, lambda _: 10) == number
    assert [number for number in range(100) if number in cache] == [0, 1, 2]


@pytest.mark.parametrize("keys", [31, 40, 100])
def test_cache_is_of_use_to_walks_over_more_than_it_holds(keys: int) -> None:
    """Walks over all keys in one order find, from the second on, as many as there is room for."""
    cache: ByteBoundedCache[int, int] = ByteBoundedCache(30)
    loads = 0
    for _ in range(5):
        for number in range(keys):
            if cache.find(number) is None:
                loads += 1
                cache.put(number, number, 1)
    assert loads == keys + 4 * (keys - 30)


def test_cache_turns_to_what_is_walked_over_now() -> None:
    """What is not asked for any more gives way at the second walk over others."""
    cache: ByteBoundedCache[int, int] = ByteBoundedCache(30)
    for number in [*range(30)] * 9 + [*range(30, 60)] * 2:
        cache.get(number, lambda number=number: number, lambda _: 1)
    assert all(number in cache for number in range(30, 60))


def test_cache_loads_what_it_lacks_once() -> None:
    """A value is loaded when first asked for."""
    cache: ByteBoundedCache[str, int] = ByteBoundedCache(30)
    loads: list[int] = []
    for _ in range(3):
        assert cache.get("a", lambda: loads.append(1) or 7, lambda _: 10) == 7
    assert len(loads) == 1


def test_cache_keeps_one_value_that_is_too_large() -> None:
    """A value stays, however large, alone, until others are the better ones to keep."""
    cache: ByteBoundedCache[str, int] = ByteBoundedCache(30)
    cache.put("b", 2, 1000)
    cache.put("c", 3, 10)
    assert ("b" in cache, "c" in cache) == (True, False)
    cache.find("other")
    cache.put("c", 3, 10)
    cache.find("other")
    cache.put("c", 3, 10)
    assert ("b" in cache, "c" in cache) == (False, True)


def test_cache_counts_a_replaced_value_once() -> None:
    """Storing a key again does not use up the room twice."""
    cache: ByteBoundedCache[str, int] = ByteBoundedCache(30)
    for size in (10, 20, 10, 20, 10):
        cache.put("a", size, size)
    cache.put("b", 1, 20)
    assert "a" in cache
    assert "b" in cache


def test_cache_is_safe_for_threads() -> None:
    """Many threads that load and drop leave a bounded cache."""
    cache: ByteBoundedCache[int, int] = ByteBoundedCache(100)

    def use(seed: int) -> None:
        for number in range(500):
            key = (number * seed) % 40
            assert cache.get(key, lambda key=key: key, lambda _: 10) == key

    threads = [threading.Thread(target=use, args=(seed,)) for seed in (1, 3, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(key in cache for key in range(40)) <= 10


def test_file_is_checked_once(table: TableAccess) -> None:
    """A batch is verified when a process first opens it, and not with every query."""
    table.write(*[kv(key) for key in range(100)])
    table.flush()
    files, snapshot = ColdFiles(), table.snapshot
    (entry,) = snapshot.manifest.batches
    files.check(snapshot.cold, entry)
    path = table.folder / entry.path
    path.write_bytes(path.read_bytes()[:-1])
    files.check(snapshot.cold, entry)
    with pytest.raises(DatabaseError) as caught:
        ColdFiles().check(snapshot.cold, entry)
    assert caught.value.kind is ErrorKind.CORRUPT


def test_key_index_finds_every_row_of_its_batch(table: TableAccess) -> None:
    """Every key of a batch is found at its row, and no other key is."""
    table.write(*[kv(key * 3) for key in range(500)])
    table.flush()
    files, snapshot = ColdFiles(), table.snapshot
    (entry,) = snapshot.manifest.batches
    assert not files.knows_keys(snapshot.cold, entry)
    index = files.key_index(snapshot.cold, entry)
    assert files.knows_keys(snapshot.cold, entry)
    rows, positions = index.probe(Keys.of([pa.array(range(1500))]))
    assert rows.tolist() == list(range(0, 1500, 3))
    assert positions.tolist() == list(range(500))


def test_bloom_of_a_batch_has_the_keys_filter(table: TableAccess) -> None:
    """Every batch has a filter of its whole key, and says yes to each of its keys."""
    table.write(kv(1), kv(2))
    table.flush()
    files, snapshot = ColdFiles(), table.snapshot
    (entry,) = snapshot.manifest.batches
    index = files.key_index(snapshot.cold, entry)
    assert files.filters(snapshot.cold, entry)[KEY_FILTER].may_contain(index.keys.hashes).all()
