"""The traps of the design, one test each: real defects of other systems that must not come back here."""

import os
import threading
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.errors import DatabaseError
from catalog.keyvalue import AtomicWrite, Family
from flush import compaction, hot_flush
from manifest import codec
from manifest.layout import MANIFEST_NAME, batch_of_file
from manifest.parts import parts_of
from manifest.predicate import Unknown
from manifest.ranges import BOUND_BYTES_MAX
from providers.cold.pruning import prune
from providers.cold.scope_folder import ScopeFolder
from providers.commit.resolve import OnExisting
from providers.engine.relations import Columns
from providers.rows.change import Change
from tests.processes import HANGS_SECONDS
from tests.storage_fixtures import Database, TableAccess, kv


def test_value_filter_below_the_version_merge_brings_nothing_back(table: TableAccess) -> None:
    """A filter that an old version passes and its newer version does not, finds neither old values nor deleted rows."""
    table.write(kv(1, 100), kv(2, 100), kv(3, 100))
    table.flush()
    table.write(kv(1, 5))
    table.flush()
    table.write(kv(2, 5))
    table.delete(kv(3))
    for _ in range(2):
        assert table.select("SELECT k FROM t WHERE v = 100") == []
        assert table.select("SELECT k FROM t WHERE v > 50 OR v IS NULL") == []
        assert table.select("SELECT count(*) FROM t WHERE v >= 100") == [0]
        assert table.select("SELECT k FROM t WHERE v < 50 ORDER BY k") == [1, 2]
        table.flush()


def test_predicate_write_never_meets_superseded_versions(table: TableAccess) -> None:
    """An UPDATE or DELETE by a value that only old versions hold touches nothing."""
    table.write(kv(1, 100))
    table.flush()
    table.write(kv(1, 5))
    found = table.query("SELECT k FROM t WHERE v = 100").to_pylist()
    assert found == []
    assert table.values() == {1: 5}


def test_flush_of_a_tombstone_does_not_drop_it_while_an_older_version_is_cold(table: TableAccess) -> None:
    """The row stays dead through flush, partial compaction and restart."""
    for key in range(3):
        table.write(kv(key, key))
        table.flush()
    table.delete(kv(1))
    table.flush()
    assert sorted(table.values()) == [0, 2]
    table.write(kv(50))
    table.flush()
    table.compact(everything=False)
    table.db.reopen()
    assert sorted(table.values()) == [0, 2, 50]


def test_deleted_and_inserted_again_key_lives_once(table: TableAccess) -> None:
    """A tombstone hides no newer row, and an index forgets none."""
    for version in range(5):
        table.insert(kv(1, version))
        table.flush()
        table.delete(kv(1))
        table.flush()
    table.insert(kv(1, 99))
    table.flush()
    table.compact()
    table.db.reopen()
    assert table.all() == [kv(1, 99)]


def test_versions_are_merged_by_the_declared_key_not_by_the_first_column(db: Database) -> None:
    """Equal first columns are different rows, and equal keys are one row, in both tiers."""
    table = db.create([("v", pa.int64()), ("b", pa.string()), ("a", pa.int64())], ["a", "b"])
    table.write({"v": 7, "a": 1, "b": "x"}, {"v": 7, "a": 1, "b": "y"}, {"v": 7, "a": 2, "b": "x"})
    table.flush()
    table.write({"v": 8, "a": 1, "b": "y"}, {"v": 7, "a": 3, "b": "x"})
    for _ in range(2):
        assert [(row["a"], row["b"], row["v"]) for row in table.all()] == [
            (1, "x", 7),
            (1, "y", 8),
            (2, "x", 7),
            (3, "x", 7),
        ]
        table.flush()


def test_no_cap_on_hot_rows_in_a_scan(table: TableAccess) -> None:
    """However many rows are hot, all of them are read."""
    keys = np.arange(250_000, dtype=np.int64)
    for part in np.array_split(keys, 5):
        rows = pa.table({"v": part, "k": part})
        table.db.store.write(table.state, lambda _, rows=rows: Change(rows), OnExisting.REFUSE)
    assert table.snapshot.hot.live_count == len(keys)
    assert table.select("SELECT count(*) FROM t") == [len(keys)]
    assert table.select("SELECT sum(v) FROM t") == [int(keys.sum())]
    assert table.select("SELECT count(DISTINCT k) FROM t WHERE v >= 0") == [len(keys)]


def test_delete_that_races_a_compaction_is_not_lost(table: TableAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """A delete that commits between a compaction's read and its publication holds, now and after a restart."""
    for key in range(4):
        table.write(kv(key))
        table.flush()
    read, publish = threading.Event(), threading.Event()
    write = compaction.write_batch

    def slow(*args: object) -> object:
        entry = write(*args)
        read.set()
        assert publish.wait(HANGS_SECONDS)
        return entry

    monkeypatch.setattr(compaction, "write_batch", slow)
    job = threading.Thread(target=table.compact)
    job.start()
    assert read.wait(HANGS_SECONDS)
    table.delete(kv(2))
    table.write(kv(3, 33))
    publish.set()
    job.join()
    assert table.values() == {0: 0, 1: 0, 3: 33}
    table.db.reopen()
    assert table.values() == {0: 0, 1: 0, 3: 33}


def test_deletion_vector_is_merged_not_replaced(table: TableAccess) -> None:
    """Each new deletion file holds the dead rows of the one before."""
    table.write(*[kv(key) for key in range(6)])
    table.flush()
    for round_, key in enumerate((0, 3, 5), start=1):
        table.delete(kv(key))
        table.flush()
        assert table.snapshot.manifest.by_number[1].dead == round_
    table.db.reopen()
    assert sorted(table.values()) == [1, 2, 4]


def test_reader_pins_manifest_and_hot_rows_as_one(table: TableAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that began before a flush sees each row once, whatever the flush publishes and cleans meanwhile."""
    table.write(*[kv(key, key) for key in range(100)])
    seen: list[dict[int, int]] = []
    pinned = [table.snapshot]
    clean = type(table.db.store).clean_hot

    def between(store: object, state: object) -> None:
        pinned.append(table.snapshot)
        clean(store, state)
        pinned.append(table.snapshot)

    monkeypatch.setattr(type(table.db.store), "clean_hot", between)
    table.flush()
    for snapshot in pinned:
        rows = table.all(snapshot)
        assert len(rows) == 100
        seen.append({row["k"]: row["v"] for row in rows})
    assert len(pinned) == 3
    assert all(contents == {key: key for key in range(100)} for contents in seen)


def test_readers_during_flushes_miss_and_double_nothing(table: TableAccess) -> None:
    """Whole-table reads that run while another thread writes and flushes see a prefix of the commits."""
    stop = threading.Event()

    def work() -> None:
        for key in range(150):
            table.write(kv(key, key))
            if key % 3 == 0:
                table.flush()
        stop.set()

    worker = threading.Thread(target=work)
    worker.start()
    while not stop.is_set():
        keys = [row["k"] for row in table.all()]
        assert keys == list(range(len(keys)))
    worker.join()
    assert len(table.all()) == 150


def test_missing_column_ranges_prune_nothing(table: TableAccess) -> None:
    """A manifest without ranges, as a careless rebuild would write it, keeps every batch."""
    table.write(kv(1, 10))
    table.flush()
    path = table.folder / MANIFEST_NAME
    manifest = codec.decode(path.read_bytes(), ScopeFolder(table.folder).read_checked)
    parts = parts_of(replace(entry, columns={}) for entry in manifest.batches)
    bare = replace(manifest, version=manifest.version + 1, parts=parts)
    path.write_bytes(codec.encode(bare))
    table.db.reopen()
    for where in ("v = 10", "k = 1", "v >= 10", "v IN (9, 10, 11)", "v IS NOT NULL"):
        assert table.select(f"SELECT k FROM t WHERE {where}") == [1]
    assert len(table.pruned("v = 999").kept) == 1


def test_batch_10_comes_after_batch_2(table: TableAccess) -> None:
    """Batch numbers are numbers: in the manifest, in file names and in what the next one is."""
    for key in range(12):
        table.write(kv(key, key))
        table.flush()
    table.db.reopen()
    assert [entry.batch for entry in table.snapshot.manifest.batches] == list(range(1, 13))
    assert batch_of_file("batch-10.parquet") == 10
    table.write(kv(2, 222))
    table.flush()
    assert table.snapshot.manifest.max_batch == 13
    assert table.values()[2] == 222


def test_limit_short_cut_forgets_no_dead_row(table: TableAccess) -> None:
    """LIMIT n yields n live rows though the first rows of the file are dead."""
    table.write(*[kv(key, key) for key in range(20_000)])
    table.flush()
    table.delete(*[kv(key) for key in range(10_000)])
    for limit in (1, 10, 9_999, 10_000, 15_000):
        found = table.query(f"SELECT k FROM t LIMIT {limit}")["k"].to_pylist()
        assert len(found) == min(limit, 10_000)
        assert min(found) >= 10_000
    assert table.select("SELECT k FROM t ORDER BY k LIMIT 1") == [10_000]


def test_count_short_cut_forgets_no_dead_row(table: TableAccess) -> None:
    """count(*), min and max are not taken from file metadata that counts dead rows."""
    table.write(*[kv(key, key) for key in range(1000)])
    table.flush()
    table.delete(kv(0), kv(999))
    table.flush()
    assert table.select("SELECT count(*) FROM t") == [998]
    assert table.select("SELECT min(v) FROM t") == [1]
    assert table.select("SELECT max(v) FROM t") == [998]
    assert table.snapshot.live_count == 998


def test_nan_is_not_lost_by_pruning(db: Database) -> None:
    """A batch, row group or page with a NaN is not ruled out by the bounds of its numbers."""
    table = db.create([("v", pa.float64()), ("k", pa.int64())])
    table.write(kv(1, 1.0), kv(2, float("nan")), kv(3, 2.0))
    table.write(kv(4, float("nan")))
    asked = ("v > 100", "v >= 'NaN'", "v = 'NaN'", "v > 1.5", "NOT (v < 100)", "isnan(v)")
    hot = [table.select(f"SELECT k FROM t WHERE {where} ORDER BY k") for where in asked]
    table.flush()
    assert [table.select(f"SELECT k FROM t WHERE {where} ORDER BY k") for where in asked] == hot
    assert hot[0] == [2, 4]


def test_truncated_string_maximum_rules_out_nothing(db: Database) -> None:
    """Text longer than a bound may be has no bound, in the manifest as in the file."""
    table = db.create([("v", pa.string()), ("k", pa.int64())])
    long = "m" * (BOUND_BYTES_MAX * 10)
    table.write(kv(1, long + "z"), kv(2, long + "a"), kv(3, "ä" * BOUND_BYTES_MAX))
    table.flush()
    assert table.select(f"SELECT k FROM t WHERE v > '{long}b'") == [1, 3]
    assert table.select(f"SELECT k FROM t WHERE v = '{long}z'") == [1]
    assert table.select(f"SELECT k FROM t WHERE v >= '{'m' * BOUND_BYTES_MAX}' ORDER BY k") == [1, 2, 3]
    assert table.select(f"SELECT k FROM t WHERE v = '{'ä' * BOUND_BYTES_MAX}'") == [3]


def test_orphan_clean_up_spares_a_file_that_is_being_written(
    table: TableAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However old a writer's files look, they are known by their number."""
    table.write(kv(1))
    write = hot_flush.write_batch

    def age(*args: object) -> object:
        entry = write(*args)
        for path in table.folder.iterdir():
            os.utime(path, (0, 0))
        table.reclaim()
        return entry

    monkeypatch.setattr(hot_flush, "write_batch", age)
    load = table.bulk()
    load.add(table.part(kv(2)))
    table.flush()
    load.commit()
    table.db.reopen()
    assert sorted(table.values()) == [1, 2]


def test_row_ordinals_count_from_the_start_of_the_file(table: TableAccess) -> None:
    """Dead marks beyond 8,192 rows, and beyond a row group, hit the rows that were deleted."""
    keys = np.arange(200_000, dtype=np.int64)
    load = table.bulk()
    load.add(Change(pa.table({"v": keys, "k": keys})))
    load.commit()
    table.settle()
    assert pq.ParquetFile(table.folder / "batch-2.parquet").num_row_groups > 1
    gone = [0, 8_191, 8_192, 40_000, 131_071, 131_072, 199_999]
    table.delete(*[kv(key) for key in gone])
    table.flush()
    left = np.sort(table.query("SELECT k FROM t")["k"].to_numpy())
    assert np.array_equal(left, np.setdiff1d(keys, gone))


def test_plans_are_not_keyed_by_literals(table: TableAccess) -> None:
    """What planning remembers is found again whatever literals a statement has."""
    table.write(kv(1))
    table.flush()
    relations, snapshot = table.db.relations, table.snapshot
    first = relations.merged(snapshot, None, Columns.VISIBLE)
    assert relations.merged(snapshot, None, Columns.ALL) is not first
    shape = relations.shape(table.definition, Columns.VISIBLE)
    for literal in range(3):
        table.select(f"SELECT v FROM t WHERE k = {literal}")
    assert relations.shape(table.definition, Columns.VISIBLE) is shape


def test_relations_of_files_are_remembered_with_their_snapshot(table: TableAccess) -> None:
    """They cost more than a plan. Those of rows that are kept decoded are made anew, and keep nothing."""
    table.db.relations._files.decoded._kept.bytes_max = 0
    table.write(kv(1))
    table.flush()
    relations, snapshot = table.db.relations, table.snapshot
    first = relations.merged(snapshot, None, Columns.VISIBLE)
    assert all(relations.merged(snapshot, None, Columns.VISIBLE) is first for _ in range(3))


def test_key_value_store_holds_raw_bytes_not_pickles(table: TableAccess) -> None:
    """Values come back byte for byte, and bytes that are a pickle are never unpickled."""
    payload = b"\x80\x04cos\nsystem\n(S'exit 1'\ntR."
    batch = AtomicWrite()
    batch.put(Family.META, b"payload", payload)
    table.db.keyvalue.commit(batch)
    table.db.reopen()
    assert table.db.keyvalue.get(Family.META, b"payload") == payload
    assert dict(table.db.keyvalue.scan(Family.META, b"payload", b"payloae")) == {b"payload": payload}


def test_error_means_that_nothing_was_applied(table: TableAccess) -> None:
    """A change that fails at its last row leaves no row, no `_seq`, no record."""
    table.write(kv(9))
    seq = table.snapshot.last_seq
    with pytest.raises(DatabaseError):
        table.insert(*[kv(key) for key in range(10)])
    assert table.values() == {9: 0}
    assert table.snapshot.last_seq == seq
    assert len(list(table.db.keyvalue.scan(Family.HOT, b"", b"\xff"))) == 1


def test_pruning_is_only_ever_a_choice_of_batches(table: TableAccess) -> None:
    """A stale choice of batches cannot be combined with another snapshot: it is made from the snapshot that is read."""
    table.write(kv(1, 1))
    table.flush()
    snapshot = table.snapshot
    table.write(kv(2, 1))
    table.flush()
    table.compact()
    pruned = prune(snapshot, Unknown(), table.db.store.files)
    assert [entry.batch for entry in pruned.kept] == [1]
    assert table.select("SELECT k FROM t WHERE v = 1", snapshot) == [1]
