"""kill -9 at every step of writing, flushing, loading, compacting and reclaiming.

A process works through a fixed workload and kills itself before or after a chosen call of a chosen function. What it
left is opened again: every acknowledged step is there; the one in flight is there wholly or not at all; every key has
one version; every file that is named exists and is whole; the scope can be used and cleaned up.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from catalog.identifiers import TableName
from manifest.files import read_checked
from tests.flush.crash_driver import PROJECT
from tests.flush.crash_workload import STEPS, Contents, contents_after
from tests.storage_fixtures import Database, TableAccess, kv

OCCURRENCES = int(os.environ.get("FLIGHTSERVER_CRASH_OCCURRENCES", "3"))

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
    "_write_parquet",
    "_write_bloom",
    "next_manifest",
    "with_dead_rows",
    "replace_manifest",
    "release_batches",
    "restore_bulk_commit",
    "clean_hot",
    "unreachable",
    "_stage",
    "_overwritten",
    "_read_live",
    "touch",
    "note",
    "_record",
    "publish_change",
    "discard_batches",
]


@pytest.mark.parametrize("event", ["call", "return"])
@pytest.mark.parametrize("function", POINTS)
def test_killed_process_loses_nothing_and_leaves_nothing_half_done(tmp_path: Path, function: str, event: str) -> None:
    """Killed at any point, the database holds what was acknowledged, and at most the one request in flight besides."""
    for survivor in crash("tests.flush.crash_workload", tmp_path, function, event):
        check_survivor(survivor)


def crash(workload: str, folder: Path, function: str, event: str) -> list[Path]:
    """Run a workload that is killed at some occurrences of a point; return the folders that are left."""
    command = [sys.executable, "-m", "tests.flush.crash_driver", workload, str(folder), function, event]
    done = subprocess.run(
        [*command, str(OCCURRENCES)], cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    occurrences = done.stdout.split()
    assert occurrences, f"the workload never calls {function}"
    return [folder / number for number in occurrences]


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
    if exactly and table.folder.exists():
        assert {path.name for path in table.folder.iterdir()} <= named
