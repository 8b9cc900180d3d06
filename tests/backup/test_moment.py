"""What goes on between the copy of RocksDB and the links of the files does not get into a backup, nor out of it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from catalog.keyvalue import KeyValueStore
from flightserver.backup.moment import Source
from flightserver.backup.restoring import findings, restore
from flightserver.backup.shelf import Shelf
from flush.leftovers import reclaim_dropped
from tests.faults.tables import Tables

SOON_SECONDS = 0.3
"""Long enough for what is not kept waiting; what is shows afterwards that it was."""


@contextmanager
def opened(folder: Path) -> Iterator[Tables]:
    """Tables in a folder."""
    tables = Tables(folder)
    try:
        yield tables
    finally:
        tables.database.close()


def source_of(tables: Tables) -> Source:
    """What a backup of them is made of."""
    database = tables.database
    return Source(database._folder, database._keyvalue, lambda: database.store.stillness.alone(5.0))


def backed_up(tables: Tables, folder: Path, meanwhile: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a backup and restore it; other threads do things as soon as RocksDB is copied."""
    copy_to = KeyValueStore.copy_to
    thread = threading.Thread(target=meanwhile)

    def then_others(keyvalue: KeyValueStore, path: Path) -> None:
        copy_to(keyvalue, path)
        thread.start()
        thread.join(SOON_SECONDS)

    monkeypatch.setattr(KeyValueStore, "copy_to", then_others)
    Shelf(folder / "shelf").take("x", source_of(tables))
    thread.join()
    restore(folder / "shelf" / "x", folder / "restored" / "data")


def test_a_flush_does_not_bring_later_rows_into_a_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commits go on; a manifest that has them is published when the files have their links."""
    with opened(tmp_path) as tables:
        tables.run("CREATE TABLE a (id BIGINT PRIMARY KEY)")
        tables.run("INSERT INTO a VALUES (1)")

        def insert_and_flush() -> None:
            tables.run("INSERT INTO a VALUES (2)")
            tables.run("FLUSH TABLE a")

        backed_up(tables, tmp_path, insert_and_flush, monkeypatch)
        assert tables.ids("SELECT id FROM a ORDER BY id") == [1, 2]
    with opened(tmp_path / "restored") as tables:
        assert tables.ids("SELECT id FROM a") == [1]


def test_files_do_not_go_before_they_have_their_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that a compaction leaves behind, and those of a table that is dropped."""
    with opened(tmp_path) as tables:
        for name in ("a", "b"):
            tables.run(f"CREATE TABLE {name} (id BIGINT PRIMARY KEY)")
            for key in range(3):
                tables.run(f"INSERT INTO {name} VALUES ({key})")
                tables.run(f"FLUSH TABLE {name}")

        def compact_and_drop() -> None:
            tables.run("DROP TABLE b")
            database = tables.database
            reclaim_dropped(database.catalog, database.store, database._tables)
            tables.run("COMPACT TABLE a")

        backed_up(tables, tmp_path, compact_and_drop, monkeypatch)
        assert not list((tmp_path / "data").rglob("b.*"))
    with opened(tmp_path / "restored") as tables:
        for name in ("a", "b"):
            assert tables.ids(f"SELECT id FROM {name} ORDER BY id") == [0, 1, 2]


def test_rows_on_another_file_system_are_copied_once(tmp_path: Path) -> None:
    """There the backup before has what is not new, and its files are linked."""
    shm = Path("/dev/shm")  # noqa: S108 - another file system
    if not shm.is_dir() or shm.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other file system")
    shelf = Shelf(shm / f"flightserver-{tmp_path.name}-{id(tmp_path)}")
    try:
        with opened(tmp_path) as tables:
            tables.run("CREATE TABLE a (id BIGINT PRIMARY KEY)")
            tables.run("INSERT INTO a VALUES (1)")
            tables.run("FLUSH TABLE a")
            shelf.take("x", source_of(tables))
            shelf.take("y", source_of(tables))
            (batch,) = shelf.folder("y").rglob("batch-*.parquet")
            assert batch.stat().st_nlink == 2
            assert not (tmp_path / "data" / "backup.tmp").exists()
        restore(shelf.folder("y"), tmp_path / "restored" / "data")
    finally:
        for path in sorted(shelf._root.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        shelf._root.rmdir()
    with opened(tmp_path / "restored") as tables:
        assert tables.ids("SELECT id FROM a") == [1]


def test_the_parts_of_a_manifest_are_in_a_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What names batches may stand in files beside the manifest."""
    monkeypatch.setattr("manifest.parts.PENDING_MAX", 1)
    with opened(tmp_path) as tables:
        tables.run("CREATE TABLE a (id BIGINT PRIMARY KEY)")
        for key in range(4):
            tables.run(f"INSERT INTO a VALUES ({key})")
            tables.run("FLUSH TABLE a")
        shelf = Shelf(tmp_path / "shelf")
        listing = shelf.take("x", source_of(tables))
        assert [file for file in listing.files if "/part-" in file.path]
        assert not list(findings(shelf.folder("x")))
        restore(shelf.folder("x"), tmp_path / "restored" / "data")
    with opened(tmp_path / "restored") as tables:
        assert tables.ids("SELECT id FROM a ORDER BY id") == [0, 1, 2, 3]
