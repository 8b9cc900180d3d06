"""How many rows a table has is known: nobody looks at its batches one by one for each count."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from manifest.batch_entry import BatchFileEntry
from providers.snapshot import Snapshot
from tests.storage_fixtures import Database, TableAccess, kv


class Walked(tuple[BatchFileEntry, ...]):
    """Batches that count how often they are walked over."""

    walks = 0

    def __iter__(self) -> Iterator[BatchFileEntry]:
        Walked.walks += 1
        return super().__iter__()


def watched(snapshot: Snapshot) -> Snapshot:
    """The snapshot with batches that are watched."""
    parts = tuple(replace(part, entries=Walked(part.entries)) for part in snapshot.manifest.parts)
    manifest = replace(snapshot.manifest, parts=parts)
    return replace(snapshot, cold=replace(snapshot.cold, manifest=manifest))


def test_commits_leave_the_batches_of_a_count_alone(tmp_path: Path) -> None:
    """The rows of a manifest are summed once, whatever is inserted, replaced and deleted afterwards."""
    with closing(Database(tmp_path)) as db:
        check(db.create())


def check(table: TableAccess) -> None:
    """Write to a table, and count."""
    for start in range(0, 50, 10):
        table.write(*(kv(key) for key in range(start, start + 10)))
        table.flush()
    table.delete(kv(0), kv(10))
    table.write(kv(11, 1), kv(50))
    snapshot = watched(table.snapshot)
    before, Walked.walks = snapshot.live_count, 0
    assert (before, replace(snapshot).live_count, table.snapshot.live_count) == (49, 49, 49)
    assert Walked.walks == 0
