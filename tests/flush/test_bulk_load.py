"""Bulk load: a stream straight to batches, as one commit."""

import os

import pyarrow as pa
import pytest

from catalog.audit import AuditRecord, Verdict
from catalog.audit_log import AuditLog
from catalog.definition import ColumnSpec, Default, TableKind
from catalog.errors import DatabaseError, ErrorKind
from catalog.evolution import add_column
from catalog.keyvalue import AtomicWrite, Family
from flush import bulk, hot_flush, parquet_file
from flush.bulk import BulkLoad
from manifest.batch_entry import BatchFileEntry
from providers.commit.idempotency import Idempotency
from providers.commit.request import Request
from providers.manifests.mark import manifest_mark
from tests.storage_fixtures import Database, TableAccess, kv

REQUEST = Idempotency("load-1", "hash")


def files(table: TableAccess) -> set[str]:
    """Batch files of the scope."""
    return {path.name for path in table.folder.glob("batch-*")}


def named(entry: BatchFileEntry) -> set[str]:
    """Files that an entry of a manifest names."""
    return {entry.path} | {part.path for part in (entry.bloom, entry.dv) if part is not None}


def test_load_is_one_commit(table: TableAccess) -> None:
    """All parts become visible together, and none before."""
    load = table.bulk()
    load.add(table.part(kv(1, 1), kv(2, 2)))
    load.add(table.part(kv(3, 3)))
    assert table.all() == []
    outcome = load.commit()
    assert outcome.affected == 3
    assert table.values() == {1: 1, 2: 2, 3: 3}
    assert outcome.seq == table.snapshot.last_seq
    table.db.reopen()
    assert table.values() == {1: 1, 2: 2, 3: 3}


def test_last_of_repeated_keys_wins_within_a_part(table: TableAccess) -> None:
    """A key that occurs twice in a part has its last row's value, once."""
    table.load([kv(1, 1), kv(2, 2), kv(1, 3)])
    assert table.all() == [kv(1, 3), kv(2, 2)]


def test_last_of_repeated_keys_wins_across_parts(table: TableAccess) -> None:
    """A later part replaces rows of earlier parts."""
    table.load([kv(1, 1), kv(2, 2)], [kv(2, 3), kv(3, 3)], [kv(1, 4)])
    assert table.all() == [kv(1, 4), kv(2, 3), kv(3, 3)]
    table.db.reopen()
    assert table.all() == [kv(1, 4), kv(2, 3), kv(3, 3)]


def test_load_replaces_hot_and_cold_rows(table: TableAccess) -> None:
    """Keys that exist in either tier get a new version."""
    table.write(kv(1, 1), kv(2, 2))
    table.flush()
    table.write(kv(3, 3), kv(4, 4))
    table.load([kv(1, 10), kv(3, 30)])
    assert table.values() == {1: 10, 2: 2, 3: 30, 4: 4}
    table.db.reopen()
    assert table.values() == {1: 10, 2: 2, 3: 30, 4: 4}
    assert len(table.all()) == 4


def test_load_flushes_hot_rows_along(table: TableAccess) -> None:
    """After a load nothing is hot: the manifest alone is the commit point."""
    table.write(kv(1, 1), kv(2, 2))
    table.load([kv(2, 20)])
    assert table.snapshot.hot.version_count == 0
    assert not table.snapshot.has_unflushed
    assert table.values() == {1: 1, 2: 20}


def test_tombstones_in_a_stream_delete(table: TableAccess) -> None:
    """A row marked deleted removes its key, hot or cold or from an earlier part."""
    table.write(kv(1))
    table.flush()
    table.write(kv(2))
    load = table.bulk()
    load.add(table.part(kv(3), kv(4)))
    load.add(table.part(kv(1), kv(2), kv(3), kv(9), deleted=[True] * 4))
    load.commit()
    assert table.values() == {4: 0}
    table.db.reopen()
    assert table.values() == {4: 0}


def test_key_deleted_and_sent_again_in_a_stream_lives(table: TableAccess) -> None:
    """In stream order the last word on a key counts, within a part and across parts."""
    table.write(kv(1, 1), kv(2, 2), kv(3, 3))
    load = table.bulk()
    load.add(table.part(kv(1), kv(1, 10), kv(2, 20), kv(2), deleted=[True, False, False, True]))
    load.add(table.part(kv(3), deleted=[True]))
    load.add(table.part(kv(3, 30)))
    load.commit()
    assert table.values() == {1: 10, 3: 30}


def test_stream_of_tombstones_alone(table: TableAccess) -> None:
    """A stream may delete everything and bring nothing."""
    table.write(kv(1), kv(2))
    table.flush()
    load = table.bulk()
    load.add(table.part(kv(1), kv(2), deleted=[True, True]))
    load.commit()
    assert table.all() == []
    table.db.reopen()
    assert table.all() == []


def test_empty_stream_and_empty_parts(table: TableAccess) -> None:
    """A stream without rows is a commit that changes nothing."""
    table.write(kv(1, 1))
    assert table.load([], []).affected == 0
    load = table.bulk()
    load.add(table.part())
    load.add(table.part(kv(2, 2)))
    assert load.commit().affected == 1
    assert table.values() == {1: 1, 2: 2}


def test_abort_leaves_no_files_and_no_rows(table: TableAccess) -> None:
    """An aborted stream leaves nothing behind, and its numbers do not stop reclamation."""
    table.write(kv(1, 1))
    load = table.bulk()
    load.add(table.part(kv(1, 2), kv(2, 2)))
    load.add(table.part(kv(3, 3)))
    load.finish()
    assert len(files(table)) == 2
    load.abort()
    assert files(table) == set()
    assert table.values() == {1: 1}
    assert table.state.batches_in_flight() == frozenset()


def test_stream_that_dies_without_a_word_leaves_garbage_only(table: TableAccess) -> None:
    """A process that ends in the middle of a stream leaves files that the next one removes."""
    load = table.bulk()
    load.add(table.part(kv(1)))
    load.finish()
    table.db.reopen()
    assert table.all() == []
    assert table.reclaim() == 1
    assert files(table) == set()


def test_commit_in_between_has_smaller_seqs(table: TableAccess) -> None:
    """A statement that commits during a stream comes before it, in `_seq` and in effect."""
    load = table.bulk()
    load.add(table.part(kv(1, 10), kv(2, 20)))
    load.add(table.part(kv(2, 21), kv(3, 30)))
    between = table.write(kv(2, 2), kv(4, 4))
    outcome = load.commit()
    assert table.values() == {1: 10, 2: 21, 3: 30, 4: 4}
    seqs = {row["k"]: row["_seq"] for row in table.query("SELECT k, _seq FROM t").to_pylist()}
    assert seqs[4] == between.seq
    assert min(seqs[1], seqs[2], seqs[3]) > between.seq
    assert outcome.seq == max(seqs.values())
    table.db.reopen()
    assert table.values() == {1: 10, 2: 21, 3: 30, 4: 4}
    assert table.write(kv(9)).seq > outcome.seq


def test_restamped_stream_still_deletes(table: TableAccess) -> None:
    """Parts that were written again take nothing from what others delete."""
    table.write(kv(1))
    load = table.bulk()
    load.add(table.part(kv(2)))
    load.add(table.part(kv(1), deleted=[True]))
    load.finish()
    table.write(kv(3))
    load.commit()
    assert sorted(table.values()) == [2, 3]


def test_restamped_stream_leaves_no_old_files(table: TableAccess) -> None:
    """Parts that were written again with newer ids are there once."""
    load = table.bulk()
    load.add(table.part(kv(1)))
    table.write(kv(2))
    load.commit()
    table.reclaim()
    assert files(table) == {name for entry in table.snapshot.manifest.batches for name in named(entry)}
    assert table.state.batches_in_flight() == frozenset()


def test_flush_in_between(table: TableAccess) -> None:
    """A flush that happens during a stream neither loses the stream nor is undone by it."""
    load = table.bulk()
    load.add(table.part(kv(1, 10)))
    table.write(kv(1, 1), kv(2, 2))
    table.flush()
    table.compact()
    load.commit()
    assert table.values() == {1: 10, 2: 2}
    assert table.flush().rows == 0
    table.db.reopen()
    assert table.values() == {1: 10, 2: 2}


def test_load_that_overtakes_a_flush(table: TableAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush whose rows were taken along by a load drops what it wrote."""
    table.write(kv(1, 1), kv(2, 2))
    write = hot_flush.write_batch
    loads: list[BulkLoad] = []

    def race(*args: object) -> object:
        entry = write(*args)
        if not loads:
            loads.append(table.bulk())
            loads[0].add(table.part(kv(2, 20)))
            loads[0].commit()
        return entry

    monkeypatch.setattr(hot_flush, "write_batch", race)
    assert table.flush().rows == 0
    assert table.all() == [kv(1, 1), kv(2, 20)]
    assert table.state.batches_in_flight() == frozenset()
    table.db.reopen()
    assert table.all() == [kv(1, 1), kv(2, 20)]


def test_two_streams_at_once(table: TableAccess) -> None:
    """The stream that commits last wins, whichever began first."""
    first, second = table.bulk(), table.bulk()
    first.add(table.part(kv(1, 1), kv(2, 1)))
    second.add(table.part(kv(2, 2), kv(3, 2)))
    second.commit()
    first.commit()
    assert table.all() == [kv(1, 1), kv(2, 1), kv(3, 2)]
    assert table.select("SELECT k FROM t ORDER BY _seq")[0] == 3


def test_repeated_stream_is_a_no_op(table: TableAccess) -> None:
    """A stream that comes again with its key returns the first outcome and leaves no file."""
    load = table.bulk()
    load.add(table.part(kv(1, 1)))
    first = load.commit(Request(REQUEST))
    table.write(kv(1, 5))
    load = table.bulk()
    load.add(table.part(kv(1, 1)))
    again = load.commit(Request(REQUEST))
    assert (again.affected, again.seq, again.replayed) == (first.affected, first.seq, True)
    assert table.values() == {1: 5}
    assert len(files(table)) == 1


def test_repeated_stream_is_known_from_the_manifest_alone(table: TableAccess) -> None:
    """When a crash kept the record from RocksDB, the manifest brings it back."""
    load = table.bulk()
    load.add(table.part(kv(1, 1)))
    load.commit(Request(REQUEST))
    lost = AtomicWrite()
    lost.delete_range(Family.IDEMPOTENCY, b"", b"\xff" * 32)
    table.db.keyvalue.commit(lost)
    table.db.reopen()
    load = table.bulk()
    load.add(table.part(kv(1, 2)))
    assert load.commit(Request(REQUEST)).replayed
    assert table.values() == {1: 1}


def test_a_record_of_the_audit_log_is_written_once(table: TableAccess) -> None:
    """The manifest brings it back when a crash kept it from RocksDB, and only then."""
    note = AuditRecord(1, "sid", "ann", "INGEST", "t", Verdict.ALLOWED).encode()
    load = table.bulk()
    load.add(table.part(kv(1, 1)))
    load.commit(Request(note=lambda *_: note))
    table.db.reopen()
    log = AuditLog(table.db.keyvalue)
    assert len(list(log.records())) == 1
    lost = AtomicWrite()
    lost.delete(Family.META, manifest_mark(table.state.head.scope))
    table.db.keyvalue.commit(lost)
    table.db.reopen()
    assert table.values() == {1: 1}
    assert [record.action for _, record in AuditLog(table.db.keyvalue).records()] == ["INGEST", "INGEST"]


def test_stream_with_another_content_under_a_used_key_is_refused(table: TableAccess) -> None:
    """The error leaves the stream to be aborted, and nothing of it visible."""
    load = table.bulk()
    load.add(table.part(kv(1, 1)))
    load.commit(Request(REQUEST))
    load = table.bulk()
    load.add(table.part(kv(2, 2)))
    with pytest.raises(DatabaseError) as caught:
        load.commit(Request(Idempotency(REQUEST.key, "other")))
    load.abort()
    assert caught.value.kind is ErrorKind.INVALID
    assert table.values() == {1: 1}
    assert len(files(table)) == 1


def test_failed_part_leaves_nothing_after_abort(table: TableAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk in the middle of a stream: abort and reclamation leave the table as it was."""
    table.write(kv(1, 1))
    load = table.bulk()
    load.add(table.part(kv(2, 2)))
    monkeypatch.setattr(os, "fsync", _full_disk)
    load.add(table.part(kv(3, 3)))
    with pytest.raises(DatabaseError, match="disk of the server is full"):
        load.finish()
    monkeypatch.undo()
    load.abort()
    table.reclaim()
    assert files(table) == set()
    assert table.values() == {1: 1}


def _full_disk(_: object) -> None:
    raise OSError(28, "No space left on device")


def test_stream_into_a_table_that_is_altered_meanwhile(table: TableAccess) -> None:
    """Rows of a stream that began before ADD COLUMN read the column's default."""
    load = table.bulk()
    load.add(table.part(kv(1, 1)))
    table.alter(lambda d: add_column(d, ColumnSpec("x", pa.int64(), default=Default(literal="7"))))
    table.write({"k": 2, "v": 2, "x": 2})
    load.commit()
    assert table.all() == [{"v": 1, "k": 1, "x": 7}, {"v": 2, "k": 2, "x": 2}]
    table.compact()
    assert table.all() == [{"v": 1, "k": 1, "x": 7}, {"v": 2, "k": 2, "x": 2}]


def test_load_into_one_user_leaves_the_others(db: Database) -> None:
    """A stream touches one scope."""
    table = db.create(kind=TableKind.USER)
    table.of_user("a").write(kv(1, 1))
    table.of_user("b").load([kv(1, 2)])
    assert table.of_user("a").values() == {1: 1}
    assert table.of_user("b").values() == {1: 2}


def test_load_into_a_dropped_table_is_refused(table: TableAccess) -> None:
    """A stream whose table was dropped meanwhile fails with NOT_FOUND."""
    load = table.bulk()
    load.add(table.part(kv(1)))
    table.db.store.drop_table(table.definition)
    with pytest.raises(DatabaseError) as caught:
        load.commit()
    assert caught.value.kind is ErrorKind.NOT_FOUND


def test_part_size_is_what_the_writer_of_batches_takes() -> None:
    """A part is a whole number of row groups, so that no batch ends in a splinter."""
    assert bulk.PART_ROWS % parquet_file.ROW_GROUP_ROWS == 0
