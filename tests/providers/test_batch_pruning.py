"""Which batches a query reads: only those that ranges and blooms cannot rule out, and always enough."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from catalog.evolution import set_options
from flush.batch_writer import BatchRows, NewBatch, write_batch
from flush.change import ColdChange, publish_change
from tests.storage_fixtures import Database, TableAccess, kv

BATCHES = 1_000
ROWS = 20
FPP = 0.0005
"""The rate that suits a thousand batches: half a needless batch for a look-up."""


def many_batches(table: TableAccess, *, interleaved: bool) -> None:
    """A thousand batches of twenty rows, with disjoint or with interleaved key ranges, in one manifest."""
    state, definition = table.state, table.definition
    folder = state.head.cold.folder
    folder.make()
    entries = []
    for number in range(BATCHES):
        keys = range(number, BATCHES * ROWS, BATCHES) if interleaved else range(number * ROWS, (number + 1) * ROWS)
        seqs = table.db.store.allocator.reserve(ROWS)
        rows = pa.table({"v": list(keys), "k": list(keys), "_seq": seqs})
        new = NewBatch(table.db.store.names.next_batch(state), definition, state.head.scope)
        entries.append(write_batch(folder, new, BatchRows.of(rows)))
    with table.db.store.exclusive(state):
        publish_change(table.db.store, state, ColdChange(added=entries, flushed_seq=int(seqs[-1])))


@pytest.fixture(scope="module")
def disjoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TableAccess]:
    """A table of a thousand batches that follow each other in key order."""
    yield from _shared(tmp_path_factory.mktemp("disjoint"), interleaved=False)


@pytest.fixture(scope="module")
def interleaved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TableAccess]:
    """A table of a thousand batches that all span the whole key range."""
    yield from _shared(tmp_path_factory.mktemp("interleaved"), interleaved=True)


def _shared(folder: Path, *, interleaved: bool) -> Iterator[TableAccess]:
    database = Database(folder)
    table = database.create()
    table.alter(lambda definition: set_options(definition, replace(definition.options, bloom_fpp=FPP)))
    many_batches(table, interleaved=interleaved)
    yield table
    database.close()


def test_key_look_up_opens_at_most_two_of_a_thousand_by_ranges(disjoint: TableAccess) -> None:
    """With disjoint ranges a key is in one batch, and only that one is read."""
    assert [len(disjoint.pruned(f"k = {key}").kept) for key in (0, 777, 19_999)] == [1, 1, 1]
    assert disjoint.select("SELECT v FROM t WHERE k = 777") == [777]


def test_key_look_up_opens_at_most_two_of_a_thousand_by_blooms(interleaved: TableAccess) -> None:
    """With ranges that rule out nothing, blooms do: the right batch is read, and hardly ever another."""
    asked = random.Random(1).sample(range(BATCHES * ROWS // 10, BATCHES * ROWS * 9 // 10), 20)
    found = [interleaved.pruned(f"k = {key}") for key in asked]
    for key, pruned in zip(asked, found, strict=True):
        assert key % BATCHES + 1 in {entry.batch for entry in pruned.kept}
        assert pruned.by_bloom > BATCHES * 0.8
    assert sum(len(pruned.kept) for pruned in found) / len(found) <= 2
    assert interleaved.select(f"SELECT v FROM t WHERE k = {asked[0]}") == [asked[0]]


def test_range_of_one_percent_opens_at_most_two_percent(disjoint: TableAccess) -> None:
    """A hundredth of the keys touches about a hundredth of the batches."""
    pruned = disjoint.pruned("k >= 5005 AND k < 5205")
    assert (len(pruned.kept), pruned.by_range, pruned.total) == (11, 989, 1000)
    assert disjoint.select("SELECT count(*) FROM t WHERE k >= 5005 AND k < 5205") == [200]


def test_value_columns_prune_too(disjoint: TableAccess) -> None:
    """Every column has ranges, because no batch holds an old version of a key that lives."""
    assert len(disjoint.pruned("v = 4444").kept) == 1


def test_absent_key_opens_nothing_by_range(disjoint: TableAccess) -> None:
    """A key outside all ranges is known to be absent without reading a file."""
    assert disjoint.pruned("k = 999999").kept == ()
    assert disjoint.select("SELECT v FROM t WHERE k = 999999") == []


def test_in_list_opens_the_batches_of_its_keys(disjoint: TableAccess) -> None:
    """IN with three keys of three batches reads three."""
    assert len(disjoint.pruned("k IN (5, 5005, 15005)").kept) == 3
    assert len(disjoint.pruned("k IN (1, 2, 3, 4, 5, 6, 7)").kept) == 1
    assert disjoint.select("SELECT k FROM t WHERE k IN (5, 5005, 15005) ORDER BY k") == [5, 5005, 15005]


def test_or_of_ranges_keeps_the_batches_of_both(disjoint: TableAccess) -> None:
    """OR keeps what either side may hold."""
    assert len(disjoint.pruned("k < 20 OR k >= 19980").kept) == 2
    assert len(disjoint.pruned("k < 20 OR abs(v) = 3").kept) == 1000


def test_unknown_predicate_prunes_nothing(disjoint: TableAccess) -> None:
    """What cannot be translated keeps every batch."""
    assert disjoint.pruned("k % 1000 = 7").keeps_all


def test_counts_add_up(interleaved: TableAccess) -> None:
    """Total is kept plus pruned by range plus pruned by bloom."""
    pruned = interleaved.pruned("k = 123")
    assert len(pruned.kept) + pruned.by_range + pruned.by_bloom == pruned.total == 1000
    assert pruned.hot_rows == 0


def test_update_of_one_key_reads_one_batch(disjoint: TableAccess) -> None:
    """A write finds the older version through ranges and blooms, not by reading every batch."""
    disjoint.db.reopen()
    disjoint.write(kv(10_000, -1))
    loaded = [
        entry
        for entry in disjoint.snapshot.manifest.batches
        if disjoint.db.store.files.knows_keys(disjoint.snapshot.cold, entry)
    ]
    assert len(loaded) == 1
    assert disjoint.select("SELECT v FROM t WHERE k = 10000") == [-1]


def test_bloom_column_prunes_equality(db: Database) -> None:
    """A column in `bloom_columns` rules out batches for `=` and IN although their ranges overlap."""
    table = db.create([("tag", pa.string()), ("k", pa.int64())])
    column = table.definition.column("tag")
    table.alter(lambda definition: set_options(definition, replace(definition.options, bloom_columns=(column.id,))))
    for number in range(6):
        table.write(*[{"k": number * 10 + i, "tag": tag} for i, tag in enumerate(("a", f"m{number}", "z"))])
        table.flush()
    pruned = table.pruned("tag = 'm3'")
    assert (len(pruned.kept), pruned.by_bloom) == (1, 5)
    assert len(table.pruned("tag IN ('m1', 'm4')").kept) == 2
    assert len(table.pruned("tag = 'a'").kept) == 6
    assert table.select("SELECT k FROM t WHERE tag IN ('m1', 'm4') ORDER BY k") == [11, 41]


def test_bloom_column_added_later_keeps_older_batches(db: Database) -> None:
    """A batch without a bloom for the column is never ruled out by it."""
    table = db.create([("tag", pa.string()), ("k", pa.int64())])
    rows = [[{"k": n * 10 + i, "tag": tag} for i, tag in enumerate(("a", f"m{n}", "z"))] for n in range(2)]
    table.write(*rows[0])
    table.flush()
    column = table.definition.column("tag")
    table.alter(lambda definition: set_options(definition, replace(definition.options, bloom_columns=(column.id,))))
    table.write(*rows[1])
    table.flush()
    assert [entry.batch for entry in table.pruned("tag = 'm5'").kept] == [1]
    assert table.select("SELECT k FROM t WHERE tag = 'm0'") == [1]


def test_null_in_a_bloom_column_is_never_looked_up(db: Database) -> None:
    """NULLs of a bloom column are left out of its filter and found by IS NULL."""
    table = db.create([("tag", pa.string()), ("k", pa.int64())])
    column = table.definition.column("tag")
    table.alter(lambda definition: set_options(definition, replace(definition.options, bloom_columns=(column.id,))))
    table.write({"k": 1, "tag": None}, {"k": 2, "tag": "x"})
    table.flush()
    table.write({"k": 3, "tag": None})
    table.flush()
    assert table.select("SELECT k FROM t WHERE tag IS NULL ORDER BY k") == [1, 3]
    assert table.select("SELECT k FROM t WHERE tag = 'x'") == [2]


def test_composite_key_is_looked_up_whole(db: Database) -> None:
    """Equality on all key columns asks the key's bloom; on a part of it, only ranges."""
    table = db.create([("b", pa.string()), ("a", pa.int64())], ["a", "b"])
    for number in range(8):
        table.write(*[{"a": a, "b": f"{number}-{a}"} for a in range(50)], {"a": 0, "b": ""}, {"a": 50, "b": "~"})
        table.flush()
    whole, part = table.pruned("a = 7 AND b = '3-7'"), table.pruned("a = 7")
    assert len(part.kept) == 8
    assert len(whole.kept) <= 2
    assert table.select("SELECT b FROM t WHERE a = 7 AND b = '3-7'") == ["3-7"]
    assert table.select("SELECT count(*) FROM t WHERE a IN (7, 8) AND b IN ('3-7', '4-8')") == [2]


def test_is_null_prunes_batches_without_nulls(table: TableAccess) -> None:
    """Null counts rule out batches for IS NULL and IS NOT NULL."""
    table.write(kv(1, 1), kv(2, 2))
    table.flush()
    table.write(kv(3, None), kv(4, None))
    table.flush()
    assert [entry.batch for entry in table.pruned("v IS NULL").kept] == [2]
    assert [entry.batch for entry in table.pruned("v IS NOT NULL").kept] == [1]
    assert [entry.batch for entry in table.pruned("v > 0").kept] == [1]


def test_hot_rows_are_always_read(table: TableAccess) -> None:
    """Pruning chooses batches; hot rows are part of every answer."""
    table.write(kv(1, 1))
    table.flush()
    table.write(kv(100, 100))
    pruned = table.pruned("v = 100")
    assert (pruned.kept, pruned.hot_rows) == ((), 1)
    assert table.select("SELECT k FROM t WHERE v = 100") == [100]


def test_table_without_batches(table: TableAccess) -> None:
    """Nothing cold means nothing to choose from."""
    assert table.pruned("k = 1").total == 0
    assert table.select("SELECT k FROM t WHERE k = 1") == []
