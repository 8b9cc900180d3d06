"""Deleting files that nobody can reach.

A file of a scope may go when no living snapshot's manifest names it and no running job has its batch number. Age plays
no part: a slow writer's files are known by number, not guessed by time. Deletion files are written with the writer lock
held until a manifest names them, and may take the name of one that a crash left behind, so reclamation holds it too.
Folders of dropped tables go when no snapshot of the table is alive.
"""

import shutil
from collections.abc import Collection, Iterable
from pathlib import Path

from manifest.entries import ManifestFile
from manifest.layout import MANIFEST_NAME, batch_of_file, holds_rows, retired_name, staged_name, table_id_of_folder
from providers.commit.scope_state import ScopeState


def unreachable(names: Iterable[str], manifests: Iterable[ManifestFile], in_flight: frozenset[int]) -> list[str]:
    """Choose the files to delete from a scope folder's file names, in this order. Pure.

    The mark of a retired batch stays as long as the batch, which goes first: a batch never looks as if it were current.
    """
    needed: set[str] = set()
    newest: ManifestFile | None = None
    pinned: set[int] = set()
    for manifest in manifests:
        newest = manifest if newest is None or manifest.version > newest.version else newest
        for entry in manifest.batches:
            pinned.add(entry.batch)
            needed.add(entry.path)
            needed |= {part.path for part in (entry.bloom, entry.dv) if part is not None}
    needed |= {retired_name(batch) for batch in pinned if newest is not None and batch not in newest.by_number}
    batches = {name: batch_of_file(name) for name in names}
    doomed = [
        name for name, batch in batches.items() if batch is not None and name not in needed and batch not in in_flight
    ]
    return sorted(doomed, key=lambda name: (not holds_rows(name), name))


def reclaim(state: ScopeState) -> int:
    """Delete a scope's unreachable files; return how many."""
    folder = state.head.cold.folder
    if not folder.exists():
        return 0
    with state.lock:
        if state.unsure:
            return 0
        names = [path.name for path in folder.iterdir() if path.is_file()]
        in_flight = state.batches_in_flight()
        doomed = unreachable(names, (snapshot.manifest for snapshot in state.living_snapshots()), in_flight)
        for name in doomed:
            (folder / name).unlink(missing_ok=True)
    return len(doomed)


def reclaim_leftovers(state: ScopeState) -> bool:
    """Delete what transactions left behind and nobody reads; tell whether some of it is still read."""
    reclaim(state)
    folder = state.head.cold.folder
    return folder.exists() and any(path.name != staged_name(MANIFEST_NAME) for path in folder.glob(staged_name("*")))


def table_ids(tables: Path) -> set[int]:
    """Ids of all tables that have a folder."""
    found = (table_id_of_folder(folder.name) for folder in tables.glob("*/*"))
    return {table_id for table_id in found if table_id is not None}


def reclaim_tables(tables: Path, doomed: Collection[int]) -> int:
    """Delete the folders of the tables with these ids; return how many."""
    folders = [folder for folder in tables.glob("*/*") if table_id_of_folder(folder.name) in doomed]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return len(folders)
