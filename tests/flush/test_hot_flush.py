"""Flush: hot rows become batches while everything else goes on."""

import threading
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.errors import DatabaseError, ErrorKind
from catalog.keyvalue import Family
from flush import hot_flush
from flush.batch_writer import BatchRows, NewBatch
from manifest.layout import MANIFEST_NAME
from providers.cold.scope_folder import ScopeFolder
from tests.storage_fixtures import Database, TableAccess, kv, run_together


def test_flush_of_nothing_writes_nothing(table: TableAccess) -> None:
    """A scope without commits has nothing to flush and gets no manifest."""
    assert table.flush() == hot_flush.Flushed(0, 0)
    assert not (table.folder / MANIFEST_NAME).exists()


def test_flush_moves_every_live_row_to_one_sorted_batch(table: TableAccess) -> None:
    """After a flush the rows stand in key order in one Parquet file, and no row is hot."""
    table.write(kv(3, 30), kv(1, 10), kv(2, 20))
    assert table.flush() == hot_flush.Flushed(3, 1)
    file = pq.read_table(table.folder / "batch-1.parquet")
    assert file["k"].to_pylist() == [1, 2, 3]
    assert table.snapshot.hot.version_count == 0
    assert table.values() == {1: 10, 2: 20, 3: 30}


def test_second_flush_without_commits_changes_nothing(table: TableAccess) -> None:
    """Flushing twice yields one batch and one manifest version."""
    table.write(kv(1))
    table.flush()
    version = table.snapshot.manifest.version
    assert table.flush().batches == 0
    assert table.snapshot.manifest.version == version


def test_flush_of_rows_that_all_died_leaves_no_batch(table: TableAccess) -> None:
    """A row that was written and deleted while hot never reaches a file, even when it is the scope's first."""
    table.write(kv(1))
    table.delete(kv(1))
    assert table.flush() == hot_flush.Flushed(0, 0)
    assert not table.snapshot.has_unflushed
    assert table.all() == []


def test_flush_keeps_seq_of_every_row(table: TableAccess) -> None:
    """`_seq` is given at commit and survives the move to a file."""
    table.write(kv(1), kv(2))
    table.write(kv(1, 5))
    before = table.query("SELECT k, _seq FROM t ORDER BY k").to_pydict()
    table.flush()
    assert table.query("SELECT k, _seq FROM t ORDER BY k").to_pydict() == before


def test_tombstone_flush_does_not_resurrect(table: TableAccess) -> None:
    """A delete of a cold row needs no row in a file: the deletion vector is its record, also after a restart."""
    table.write(kv(1), kv(2))
    table.flush()
    table.delete(kv(1))
    assert table.flush().batches == 0
    assert table.values() == {2: 0}
    assert table.snapshot.manifest.by_number[1].dead == 1
    table.db.reopen()
    assert table.values() == {2: 0}


def test_flush_of_an_update_marks_the_older_cold_row(table: TableAccess) -> None:
    """An updated cold row is dead in its batch and live in the new one."""
    table.write(kv(1, 10), kv(2, 20))
    table.flush()
    table.write(kv(1, 11))
    table.flush()
    manifest = table.snapshot.manifest
    assert [(entry.rows, entry.dead) for entry in manifest.batches] == [(2, 1), (1, 0)]
    assert table.values() == {1: 11, 2: 20}


def test_deletion_vector_grows_and_is_never_replaced_by_less(table: TableAccess) -> None:
    """Dead rows of two flushes add up."""
    table.write(*[kv(i) for i in range(10)])
    table.flush()
    for key in (3, 7):
        table.delete(kv(key))
        table.flush()
    assert table.snapshot.manifest.by_number[1].dead == 2
    table.db.reopen()
    assert sorted(table.values()) == [0, 1, 2, 4, 5, 6, 8, 9]


def test_flush_deletes_the_hot_records_it_made_invisible(table: TableAccess) -> None:
    """No record of a flushed commit stays in the log."""
    table.write(kv(1))
    table.write(kv(2))
    assert len(list(table.db.keyvalue.scan(Family.HOT, b"", b"\xff"))) == 2
    table.flush()
    assert list(table.db.keyvalue.scan(Family.HOT, b"", b"\xff")) == []


def test_rows_that_die_during_a_flush_stay_dead(table: TableAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """A delete and an update that commit while the batch is being written are carried into its dead rows."""
    table.write(kv(1, 10), kv(2, 20), kv(3, 30))
    write = hot_flush.write_batch

    def race(*args: object) -> object:
        entry = write(*args)
        table.delete(kv(1))
        table.write(kv(2, 21))
        return entry

    monkeypatch.setattr(hot_flush, "write_batch", race)
    table.flush()
    monkeypatch.undo()
    assert table.values() == {2: 21, 3: 30}
    assert table.snapshot.manifest.by_number[1].dead == 2
    table.db.reopen()
    assert table.values() == {2: 21, 3: 30}
    table.flush()
    assert table.values() == {2: 21, 3: 30}


def test_commit_during_a_flush_stays_hot(table: TableAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that commits while the batch is being written is in the next flush, not lost by the clean-up."""
    table.write(kv(1))
    write = hot_flush.write_batch

    def race(*args: object) -> object:
        entry = write(*args)
        if not table.snapshot.manifest.batches and table.snapshot.hot.live_count == 1:
            table.write(kv(2))
        return entry

    monkeypatch.setattr(hot_flush, "write_batch", race)
    table.flush()
    assert table.snapshot.hot.live_count == 1
    table.db.reopen()
    assert table.values() == {1: 0, 2: 0}


def test_deleted_and_inserted_again_during_a_flush(table: TableAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that goes and comes back while its row is being flushed has its newest value."""
    table.write(kv(1, 1))
    write = hot_flush.write_batch

    def race(*args: object) -> object:
        entry = write(*args)
        table.delete(kv(1))
        table.insert(kv(1, 2))
        return entry

    monkeypatch.setattr(hot_flush, "write_batch", race)
    table.flush()
    monkeypatch.undo()
    assert table.values() == {1: 2}
    table.db.reopen()
    assert table.values() == {1: 2}


def test_flush_while_writers_write(table: TableAccess) -> None:
    """Four writers and a flushing thread: every acknowledged row is there once, with its last value."""
    writers, rounds = 4, 25
    left = threading.Semaphore(0)

    def write(number: int) -> None:
        try:
            for turn in range(rounds):
                table.write(kv(number, turn), kv(1000 + number * rounds + turn, turn))
        finally:
            left.release()

    def keep_flushing() -> None:
        finished = 0
        while finished < writers:
            table.flush()
            finished += left.acquire(blocking=False)

    run_together(keep_flushing, *(partial(write, number) for number in range(writers)))
    expected = dict.fromkeys(range(writers), rounds - 1)
    expected |= {1000 + n * rounds + turn: turn for n in range(writers) for turn in range(rounds)}
    rows = table.all()
    assert len(rows) == len(expected) == table.snapshot.live_count
    assert table.values() == expected
    table.db.reopen()
    assert table.values() == expected


def test_flush_writes_several_batches_when_rows_are_many(table: TableAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches are bounded in rows, and their key ranges do not overlap."""
    monkeypatch.setattr(hot_flush, "BATCH_ROWS_MAX", 4)
    table.write(*[kv(i) for i in (9, 1, 8, 2, 7, 3, 6, 4, 5, 0)])
    assert table.flush() == hot_flush.Flushed(10, 3)
    assert [entry.rows for entry in table.snapshot.manifest.batches] == [4, 4, 2]
    assert sorted(table.values()) == list(range(10))


def test_rows_that_die_during_a_flush_of_several_batches(table: TableAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each new batch gets exactly its own dead rows."""
    monkeypatch.setattr(hot_flush, "BATCH_ROWS_MAX", 4)
    table.write(*[kv(i) for i in range(8)])
    write = hot_flush.write_batch

    def race(*args: object) -> object:
        entry = write(*args)
        table.delete(kv(1), kv(6), kv(7))
        return entry

    monkeypatch.setattr(hot_flush, "write_batch", race)
    table.flush()
    assert [entry.dead for entry in table.snapshot.manifest.batches] == [1, 2]
    assert sorted(table.values()) == [0, 2, 3, 4, 5]


def test_flush_keeps_nan_rows_visible(db: Database) -> None:
    """NaN counts as larger than every number, in a file as in memory: no statistics of a file may hide it."""
    table = db.create([("v", pa.float64()), ("k", pa.int64())])
    table.write(*[kv(i, float(i)) for i in range(50)], kv(100, float("nan")))
    questions = ("v > 60", "v = 'NaN'", "v >= 'NaN'", "v IN ('NaN', 1.0)", "v <> 1e300 AND k = 100")
    hot = [table.select(f"SELECT k FROM t WHERE {where} ORDER BY k") for where in questions]
    assert hot == [[100], [100], [100], [1, 100], [100]]
    table.flush()
    assert [table.select(f"SELECT k FROM t WHERE {where} ORDER BY k") for where in questions] == hot


def test_float_columns_without_nan_keep_their_file_statistics(db: Database) -> None:
    """Only the columns that hold a NaN lose what lets the engine skip row groups and pages."""
    table = db.create([("a", pa.float64()), ("b", pa.float64()), ("k", pa.int64())])
    table.write({"k": 1, "a": 1.0, "b": float("nan")}, {"k": 2, "a": 2.0, "b": 1.0})
    table.flush()
    group = pq.ParquetFile(table.folder / "batch-1.parquet").metadata.row_group(0)
    assert group.column(0).statistics.max == 2.0
    assert group.column(1).statistics is None
    assert group.column(2).statistics.max == 2


def test_flush_of_a_dropped_table_is_refused(table: TableAccess) -> None:
    """A flush that was waiting while its table was dropped publishes nothing."""
    table.write(kv(1))
    state = table.state
    table.db.store.drop_table(table.definition)
    with pytest.raises(DatabaseError) as caught:
        hot_flush.flush(table.db.store, state)
    assert caught.value.kind is ErrorKind.NOT_FOUND
    assert MANIFEST_NAME not in state.head.cold.folder.names()


def test_failed_flush_leaves_no_file_that_reclamation_cannot_remove(
    table: TableAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a flush that failed (a full disk), its files are garbage at once and the next flush works."""
    monkeypatch.setattr(hot_flush, "BATCH_ROWS_MAX", 4)
    table.write(*[kv(i) for i in range(8)])
    write = hot_flush.write_batch

    def full_disk(folder: ScopeFolder, new: NewBatch, content: BatchRows) -> object:
        if new.number == 2:
            raise OSError(28, "No space left on device")
        return write(folder, new, content)

    monkeypatch.setattr(hot_flush, "write_batch", full_disk)
    with pytest.raises(DatabaseError, match="disk of the server is full"):
        table.flush()
    monkeypatch.setattr(hot_flush, "write_batch", write)
    assert len(table.values()) == 8
    table.reclaim()
    assert list(table.folder.glob("batch-*")) == []
    table.flush()
    assert len(table.values()) == 8
