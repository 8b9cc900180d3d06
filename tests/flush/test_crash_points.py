"""kill -9 at every step of writing, flushing, loading, compacting and reclaiming.

A process works through a fixed workload and kills itself before or after a chosen call of a chosen function. What it
left is opened again: every acknowledged step is there; the one in flight is there wholly or not at all; every key has
one version; every file that is named exists and is whole; the scope can be used and cleaned up.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.identifiers import TableName
from manifest.files import read_checked
from tests.flush.crash_workload import STEPS, Contents, contents_after
from tests.flush.crashes import Crashes, crashes
from tests.storage_fixtures import Database, TableAccess, kv

pytestmark = pytest.mark.proof

POINTS = [
    "_persist_ceiling",
    "append",
    "wait_durable",
    "publish",
    "write_synced",
    "sync_file",
    "sync_folder",
    "make_folder",
    "write_batch",
    "write_hot_rows",
    "write_segment",
    "_gather",
    "_write_bloom",
    "next_manifest",
    "with_dead_rows",
    "_with_files",
    "encode_part",
    "replace_manifest",
    "put_head",
    "put_mark",
    "hold",
    "release_batches",
    "restore_bulk_commit",
    "clean_hot",
    "unreachable",
    "_stage",
    "_overwritten",
    "_inputs",
    "touch",
    "note",
    "_record",
    "publish_change",
    "discard_batches",
]


@pytest.fixture(scope="module")
def crashing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashes]:
    """The workload, to be killed."""
    with crashes("tests.flush.crash_workload", tmp_path_factory.mktemp("crashes")) as process:
        yield process


@pytest.mark.parametrize("event", ["call", "return"])
@pytest.mark.parametrize("function", POINTS)
def test_killed_process_loses_nothing_and_leaves_nothing_half_done(
    crashing: Crashes, function: str, event: str
) -> None:
    """Killed at any point, the database holds what was acknowledged, and at most the one request in flight besides."""
    for survivor in crashing.at(function, event):
        check_survivor(survivor)


def check_survivor(root: Path) -> None:
    """Open what a killed process left and hold it against the workload."""
    acknowledged = (root / "acknowledged").stat().st_size
    states = contents_after()
    database = Database(root)
    table = TableAccess(database, TableName("public", "t"))
    try:
        survived = table.values()
        assert survived in (states[acknowledged], states[min(acknowledged + 1, len(STEPS))])
        check_consistent(table, survived)
        table.reclaim()
        check_files(table, exactly=True)
        retried = finish(table, acknowledged, survived)
        database.reopen()
        check_consistent(table, retried)
        table.write(kv(12345, 1))
        table.flush()
        table.compact()
        check_consistent(table, {**retried, 12345: 1})
    finally:
        database.close()


def finish(table: TableAccess, acknowledged: int, survived: Contents) -> Contents:
    """Send the request in flight again, as its client would, and return what must be there then."""
    if acknowledged == len(STEPS):
        return survived
    step, expected = STEPS[acknowledged], contents_after()[acknowledged + 1]
    replayed = step.run(table)
    if step.idempotency is not None:
        assert replayed == (survived == expected)
    assert table.values() == expected
    return expected


def check_consistent(table: TableAccess, expected: Contents) -> None:
    """Contents, one version for each key, counts, and the files that the manifest names."""
    assert table.select("SELECT k FROM t ORDER BY k") == sorted(expected)
    assert table.values() == expected
    assert table.select("SELECT count(*) FROM t") == [len(expected)]
    assert table.snapshot.live_count == len(expected)
    check_files(table, exactly=False)


def check_files(table: TableAccess, *, exactly: bool) -> None:
    """Every file that is named is there and whole; with `exactly`, no other is."""
    snapshot = table.snapshot
    named = {"manifest.json", "manifest.json.tmp"}
    for entry in snapshot.manifest.batches:
        table.db.store.files.check(snapshot.cold, entry)
        table.db.store.files.filters(snapshot.cold, entry)
        named.add(entry.path)
        if entry.bloom is not None:
            named.add(entry.bloom.path)
        if entry.dv is not None:
            read_checked(table.folder / entry.dv.path, entry.dv.checksum)
            named.add(entry.dv.path)
    for part in snapshot.manifest.parts:
        if part.file is not None:
            read_checked(table.folder / part.file.path, part.file.checksum)
            named.add(part.file.path)
    if exactly and table.folder.exists():
        assert {path.name for path in table.folder.iterdir() if ".damaged-" not in path.name} <= named
