"""Reclamation: only files that nobody can reach, and all of those."""

import gc
import threading
from pathlib import Path

import numpy as np
import pytest

from flush import hot_flush
from flush.change import ColdChange, next_manifest
from flush.reclaim import unreachable
from manifest.dead_rows import DeadRows
from manifest.layout import deletion_name, table_folder
from tests.storage_fixtures import Database, TableAccess, kv


def names(table: TableAccess) -> set[str]:
    """Files of the scope but the manifest."""
    return {path.name for path in table.folder.iterdir()} - {"manifest.json"}


def test_files_of_the_manifest_stay(table: TableAccess) -> None:
    """Batches, blooms and the newest deletion files of the manifest are never removed."""
    table.write(kv(1), kv(2))
    table.flush()
    table.delete(kv(1))
    table.flush()
    assert table.reclaim() == 0
    assert names(table) == {"batch-1.parquet", "batch-1.bloom", "batch-1.2.dv"}


def test_replaced_files_go(table: TableAccess) -> None:
    """What compaction replaced is removed once nobody reads it."""
    for key in (1, 2):
        table.write(kv(key))
        table.flush()
    table.compact()
    gc.collect()
    assert table.reclaim() == 6, "rows, bloom and mark of both"
    assert names(table) == {"batch-3.parquet", "batch-3.bloom"}
    assert sorted(table.values()) == [1, 2]


def test_files_of_a_pinned_snapshot_stay_until_it_is_let_go(table: TableAccess) -> None:
    """A reader's files stay for as long as its snapshot is referred to, deletion files included."""
    table.write(kv(1), kv(2))
    table.flush()
    table.delete(kv(1))
    table.flush()
    pinned = table.snapshot
    table.write(kv(3))
    table.flush()
    table.compact()
    table.reclaim()
    assert names(table) >= {"batch-1.parquet", "batch-1.bloom", "batch-1.2.dv"}
    assert sorted(table.values(pinned)) == [2]
    del pinned
    gc.collect()
    table.reclaim()
    assert names(table) == {"batch-3.parquet", "batch-3.bloom"}


def test_snapshot_pinned_between_two_manifests_keeps_its_files(table: TableAccess) -> None:
    """Not only the oldest and the newest reader count."""
    pinned = []
    for key in range(4):
        table.write(kv(key))
        table.flush()
        table.compact()
        pinned.append(table.snapshot)
    middle = pinned[1]
    del pinned
    gc.collect()
    table.reclaim()
    assert sorted(table.values(middle)) == [0, 1]


def test_orphans_of_a_crash_go(table: TableAccess) -> None:
    """Files that no manifest ever named are removed after a restart, however young they are."""
    table.write(kv(1))
    table.flush()
    orphans = ["batch-7.parquet", "batch-7.bloom", "batch-1.9.dv", "batch-8.parquet.tmp"]
    for name in orphans:
        (table.folder / name).write_bytes(b"half")
    table.db.reopen()
    assert table.reclaim() == len(orphans)
    assert table.values() == {1: 0}


def test_new_batches_avoid_the_numbers_of_orphans(table: TableAccess) -> None:
    """A file that a crash left behind is never written over."""
    table.write(kv(1))
    table.flush()
    (table.folder / "batch-12.bloom").write_bytes(b"half")
    table.db.reopen()
    table.write(kv(2))
    table.flush()
    assert [entry.batch for entry in table.snapshot.manifest.batches] == [1, 13]


def test_files_that_are_not_of_the_database_stay(table: TableAccess) -> None:
    """Only names of batch files are ever removed."""
    table.write(kv(1))
    table.flush()
    for name in ("README", "batch-x.parquet", "notes-batch-9.parquet", "batch-9.parquet.bak"):
        (table.folder / name).write_bytes(b"")
    assert table.reclaim() == 0


def test_files_of_a_running_flush_stay(table: TableAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reclamation in the middle of a flush leaves its files alone, though no manifest names them."""
    table.write(kv(1))
    write = hot_flush.write_batch

    def race(*args: object) -> object:
        entry = write(*args)
        assert table.reclaim() == 0
        return entry

    monkeypatch.setattr(hot_flush, "write_batch", race)
    table.flush()
    table.db.reopen()
    assert table.values() == {1: 0}


def test_files_of_a_running_bulk_load_stay(table: TableAccess) -> None:
    """Staged parts survive reclamation until they are committed."""
    load = table.bulk()
    load.add(table.part(kv(1)))
    table.write(kv(2))
    table.flush()
    table.reclaim()
    load.add(table.part(kv(3)))
    load.commit()
    table.reclaim()
    table.db.reopen()
    assert sorted(table.values()) == [1, 2, 3]


def test_deletion_files_of_a_running_publication_stay(table: TableAccess) -> None:
    """Between the writing of a deletion file and its manifest, reclamation waits."""
    table.write(kv(1), kv(2))
    table.flush()
    store, state = table.db.store, table.state
    with store.exclusive(state):
        head = state.head
        dead = {1: DeadRows.none(2).with_positions(np.array([0]))}
        version = store.names.next_version(state)
        manifest = next_manifest(head.cold.folder, head.manifest, ColdChange(dead=dead), version)
        reclaimer = threading.Thread(target=table.reclaim)
        reclaimer.start()
        reclaimer.join(0.3)
        store.replace_manifest(state, manifest, dead, head.hot)
    reclaimer.join()
    assert (table.folder / deletion_name(1, manifest.version)).exists()
    table.db.reopen()
    assert sorted(table.values()) == [2]


def test_scope_without_a_folder_has_nothing_to_reclaim(table: TableAccess) -> None:
    """A scope that was never flushed has no folder."""
    table.write(kv(1))
    assert table.reclaim() == 0


def test_unreachable_is_decided_by_names_alone() -> None:
    """Without manifests and jobs every batch file may go, and nothing else."""
    listed = ["manifest.json", "batch-2.parquet", "batch-10.bloom", "batch-3.4.dv", "x"]
    assert unreachable(listed, [], frozenset()) == ["batch-2.parquet", "batch-10.bloom", "batch-3.4.dv"]
    assert unreachable(listed, [], frozenset({2, 3})) == ["batch-10.bloom"]


def test_folders_of_dropped_tables_go(db: Database) -> None:
    """A folder goes when its table's id is doomed, and a table of the same name keeps its own."""
    old = db.create()
    old.write(kv(1))
    old.flush()
    old_folder: Path = old.folder
    doomed = old.definition.id
    db.store.drop_table(old.definition)
    new = db.create()
    new.write(kv(2))
    new.flush()
    assert db.folders.remove({doomed}) == 1
    assert not old_folder.exists()
    assert table_folder(db.folder.tables, new.definition).exists()
    assert sorted(new.values()) == [2]
