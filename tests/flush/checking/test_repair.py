"""What is lost and can be derived is put back byte for byte, by a job by itself; what cannot fails by its name."""

from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.errors import DatabaseError
from catalog.keyvalue import AtomicWrite, Family, KeyValueStore
from flush.jobs.scheduler import Plan
from flush.jobs.states import JobState
from manifest.layout import MANIFEST_NAME
from tests.storage_fixtures import Database, TableAccess, kv


def flushed(table: TableAccess, *keys: int, v: int = 0) -> None:
    """Write keys with a value, and flush them to a batch of their own."""
    table.write(*(kv(key, v) for key in keys))
    table.flush()


def files(table: TableAccess) -> dict[str, bytes]:
    """The files of a scope that manifests name."""
    return {path.name: path.read_bytes() for path in folder_of(table).iterdir() if ".damaged-" not in path.name}


def only(table: TableAccess, pattern: str) -> Path:
    """The one file of such a name that the manifest names; the scope is not used by that."""
    (found,) = sorted(folder_of(table).glob(pattern))[-1:]
    return found


def folder_of(table: TableAccess) -> Path:
    """Where the files of a scope lie."""
    return table.db.store.folder_of(table.definition, table.user).root


def forget_copies(keyvalue: KeyValueStore) -> None:
    """Let RocksDB have no copy of any manifest."""
    gone = AtomicWrite()
    gone.delete_range(Family.MANIFEST_CACHE, b"", b"\xff")
    keyvalue.commit(gone)


def not_in_memory(table: TableAccess) -> None:
    """Forget all, but for what is on the disk."""
    table.reclaim()
    table.db.reopen()


def spoil(path: Path) -> None:
    """Flip a bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def repaired(table: TableAccess) -> list[tuple[JobState, str | None]]:
    """Let the jobs of a server run; how repairs ended."""
    jobs = table.db.jobs(Plan(compacts=False))
    jobs.tick()
    return [(job.state, job.message) for job in jobs.listed() if job.task.kind == "repair"]


@pytest.fixture
def updated(table: TableAccess) -> TableAccess:
    """A table of two batches, of which the first has dead rows with newer versions in the second."""
    flushed(table, *range(40))
    flushed(table, *range(30, 50), v=1)
    table.reclaim()
    return table


@pytest.mark.parametrize("damage", [spoil, Path.unlink])
def test_a_lost_bloom_filter_is_written_anew(updated: TableAccess, damage: Callable[[Path], None]) -> None:
    """Queries find every row meanwhile, and afterwards the filter rules batches out again."""
    before, table = files(updated), updated
    not_in_memory(table)
    damage(only(table, "batch-1.bloom"))
    assert table.select("SELECT v FROM t WHERE k = 7") == [0]
    assert len(table.pruned("k = 7").kept) == 1
    assert table.db.store.files.damages.of_scope(table.state.head.scope)
    assert repaired(table) == [(JobState.COMPLETED, "1 files")]
    assert files(table) == before
    assert not table.db.store.files.damages.of_scope(table.state.head.scope)
    assert len(list(folder_of(table).glob("*.damaged-1"))) == (damage is spoil)


def test_a_lost_deletion_file_is_written_anew_from_newer_versions(updated: TableAccess) -> None:
    """They tell of every row that it had."""
    before, values, table = files(updated), updated.values(), updated
    not_in_memory(table)
    only(table, "batch-1.*.dv").unlink()
    with pytest.raises(DatabaseError, match=r"the deletion file of batch 1 .* is damaged"):
        table.values()
    assert repaired(table) == [(JobState.COMPLETED, "1 files")]
    assert table.values() == values
    assert files(table) == before


def test_marks_that_are_not_flushed_are_told_apart(updated: TableAccess) -> None:
    """What died since the file was written is not in it, and is dead all the same."""
    table = updated
    table.write(kv(1, 9), kv(41, 9))
    table.delete(kv(2))
    before, values = files(table), table.values()
    not_in_memory(table)
    only(table, "batch-1.*.dv").unlink()
    assert not table.db.store.files.damages.of_table(1)
    with pytest.raises(DatabaseError):
        table.values()
    repaired(table)
    assert files(table) == before
    assert table.values() == values


def test_a_deletion_file_that_nothing_tells_is_not_guessed(updated: TableAccess) -> None:
    """Of a row that was deleted nothing else is left: the table fails by name, and no dead row comes back."""
    table = updated
    table.delete(kv(3))
    table.flush()
    not_in_memory(table)
    lost = only(table, "batch-1.*.dv")
    kept = lost.read_bytes()
    lost.unlink()
    for _ in range(2):
        with pytest.raises(DatabaseError, match=r"the deletion file of batch 1 .* is damaged"):
            table.values()
        ((state, message),) = repaired(table) or [(JobState.FAILED, "nothing else tells all 11 rows of it")]
        assert state is JobState.FAILED
        assert "nothing else tells all 11 rows of it" in str(message)
    lost.write_bytes(kept)
    assert 3 not in table.values()


def test_what_is_in_memory_is_put_back_from_there(updated: TableAccess) -> None:
    """The manifest, and dead rows, of which there may be more by now."""
    table = updated
    table.delete(kv(3))
    table.flush()
    table.reclaim()
    before, values = files(table), table.values()
    spoil(table.folder / MANIFEST_NAME)
    only(table, "batch-1.*.dv").unlink()
    table.db.store.files.damages.wish_repair(table.state.head.scope)
    assert repaired(table) == [(JobState.COMPLETED, "2 files")]
    assert files(table) == before
    table.delete(kv(4))
    values.pop(4)
    only(table, "batch-1.*.dv").unlink()
    table.db.store.files.damages.wish_repair(table.state.head.scope)
    repaired(table)
    table.reclaim()
    table.db.reopen()
    assert table.values() == values


def test_parts_of_a_manifest_are_put_back(table: TableAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they had is known in memory."""
    monkeypatch.setattr("manifest.parts.PENDING_MAX", 1)
    for key in range(6):
        flushed(table, key)
    table.reclaim()
    before, values = files(table), table.values()
    spoil(only(table, "part-0.*.json"))
    assert files(table) != before
    table.db.store.files.damages.wish_repair(table.state.head.scope)
    repaired(table)
    assert files(table) == before
    table.db.reopen()
    assert table.values() == values


@pytest.mark.parametrize("damage", [spoil, Path.unlink])
def test_a_lost_manifest_is_written_anew_from_its_copy(
    table: TableAccess, damage: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That RocksDB has; files of its parts, too."""
    monkeypatch.setattr("manifest.parts.PENDING_MAX", 1)
    for key in range(6):
        flushed(table, key)
    values = table.values()
    not_in_memory(table)
    before = files(table)
    for lost in (MANIFEST_NAME, "part-0.*.json"):
        damage(only(table, lost))
    with pytest.raises(DatabaseError, match="the manifest of"):
        table.values()
    assert repaired(table) == [(JobState.COMPLETED, "2 files")]
    assert files(table) == before
    assert table.values() == values


def test_a_copy_that_may_be_older_is_not_taken(table: TableAccess) -> None:
    """Files that it does not know tell that there was a newer manifest."""
    flushed(table, 1, 2)
    not_in_memory(table)
    folder = folder_of(table)
    (folder / "batch-2.parquet").write_bytes((folder / "batch-1.parquet").read_bytes())
    (folder / MANIFEST_NAME).unlink()
    with pytest.raises(DatabaseError, match="its file is missing"):
        table.values()
    assert [state for state, _ in repaired(table)] == [JobState.FAILED]


def test_a_lost_manifest_without_a_copy_is_left_alone(db: Database) -> None:
    """Files do not tell whether others are missing: somebody has to ask for it."""
    table = db.create()
    flushed(table, 1, 2)
    not_in_memory(table)
    forget_copies(table.db.keyvalue)
    folder = folder_of(table)
    (folder / MANIFEST_NAME).unlink()
    with pytest.raises(DatabaseError, match="REBUILD MANIFEST FOR"):
        table.values()
    assert [state for state, _ in repaired(table)] == [JobState.FAILED]
    assert not (folder / MANIFEST_NAME).exists()
