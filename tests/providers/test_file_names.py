"""A name that a file of a scope once had never comes back; what is cached of a file is never taken for another's."""

import gc
from collections.abc import Callable
from pathlib import Path

import pytest

from flush.rebuild import rebuild_scope
from flush.truncate import truncate
from manifest.layout import MANIFEST_NAME
from providers.cold.files import ColdFiles
from providers.rows.change import key_of
from tests.storage_fixtures import Database, TableAccess, kv


def evict(table: TableAccess) -> None:
    """Let the scope leave memory, so that it is loaded again."""
    table.db.store.residents.bytes_max = 0
    table.db.create(name="another").all()
    gc.collect()
    assert "t" not in [state.head.table.name.table for state in table.db.store.loaded()]


def reopen(table: TableAccess) -> None:
    """Close everything and read it back from disk."""
    table.db.reopen()


forgetting = pytest.mark.parametrize("forget", [evict, reopen])


def numbers(table: TableAccess) -> list[int]:
    """The batches that the manifest lists."""
    return [entry.batch for entry in table.snapshot.manifest.batches]


@forgetting
def test_the_number_of_a_stream_that_was_given_up_does_not_come_back(
    table: TableAccess, forget: Callable[[TableAccess], None]
) -> None:
    """Its file is gone at once, and the next file has another name."""
    table.write(kv(1))
    table.flush()
    load = table.bulk()
    load.add(table.part(kv(100), kv(101)))
    load.abort()
    del load
    assert {path.name for path in table.folder.iterdir()} == {"manifest.json", "batch-1.parquet", "batch-1.bloom"}
    forget(table)
    table.write(kv(2))
    table.flush()
    assert numbers(table) == [1, 3]


def test_the_names_of_a_change_that_failed_do_not_come_back(table: TableAccess) -> None:
    """Neither its batch's nor its deletion file's; and it leaves no file behind, nor a scope that is unsure."""
    table.write(kv(1), kv(2))
    table.flush()
    before = {path.name for path in table.folder.iterdir()}
    table.write(kv(1, 5))
    with table.unwritable(), pytest.raises(OSError, match="directory"):
        table.flush()
    assert {path.name for path in table.folder.iterdir()} == before
    assert table.values() == {1: 5, 2: 0}
    table.db.reopen()
    table.flush()
    assert numbers(table) == [1, 3]
    assert table.snapshot.manifest.by_number[1].dv.path == "batch-1.3.dv"
    table.db.reopen()
    assert table.values() == {1: 5, 2: 0}


def test_the_numbers_of_reclaimed_orphans_do_not_come_back(table: TableAccess) -> None:
    """What a crash left behind had a name, though nobody put it on record."""
    table.write(kv(1))
    table.flush()
    (table.folder / "batch-7.parquet.tmp").write_bytes(b"half")
    table.db.reopen()
    assert table.reclaim() == 1
    table.db.reopen()
    table.write(kv(2))
    table.flush()
    assert numbers(table) == [1, 8]


def test_a_rebuilt_manifest_goes_on_with_numbers_that_no_file_shows(table: TableAccess) -> None:
    """A truncated table has no file that tells which numbers it had; they are on record."""
    for key in range(3):
        table.write(kv(key))
        table.flush()
    truncate(table.db.store, table.state)
    gc.collect()
    table.reclaim()
    assert [path.name for path in table.folder.iterdir()] == [MANIFEST_NAME]
    (table.folder / MANIFEST_NAME).unlink()
    rebuild_scope(table.db.keyvalue, table.state.head.cold.folder, table.definition, table.state.head.scope)
    table.db.reopen()
    table.write(kv(9))
    table.flush()
    assert numbers(table) == [4]
    assert table.snapshot.manifest.version == 6


def test_what_is_cached_of_a_batch_is_of_its_file(tmp_path: Path) -> None:
    """Two files with one number, of one table as far as names tell, have two indexes, two checks and two filters."""
    files = ColdFiles()
    found = []
    for name, key in (("one", 1), ("two", 2)):
        db = Database(tmp_path / name)
        table = db.create()
        table.write(kv(key), kv(key + 10))
        table.flush()
        snapshot = table.snapshot
        (entry,) = snapshot.manifest.batches
        files.check(snapshot.cold, entry)
        asked = key_of(table.definition, table.rows([kv(2)]))
        rows, _ = files.key_index(snapshot.cold, entry).probe(asked)
        found.append(
            (entry.batch, len(rows), bool(files.filters(snapshot.cold, entry)[0].may_contain(asked.hashes)[0]))
        )
        (table.folder / entry.path).write_bytes(b"damaged")
        db.close()
    assert found == [(1, 0, False), (1, 1, True)]
