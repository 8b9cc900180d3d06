"""Deleting files that nobody can reach.

A file of a scope may go when no living snapshot's manifest names it and no running job has its batch number. Age plays
no part: a slow writer's files are known by number, not guessed by time. Deletion files are written with the writer lock
held until a manifest names them, so reclamation holds it too. No name of what is deleted comes back.
"""

from collections.abc import Iterable

from manifest.entries import ManifestFile
from manifest.layout import MANIFEST_NAME, batch_of_file, holds_rows, is_part, published_name, retired_name, staged_name
from providers.commit.scope_state import ScopeState
from providers.commit.scope_store import ScopeStore


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
        needed |= {part.file.path for part in manifest.parts if part.file is not None}
    needed |= {retired_name(batch) for batch in pinned if newest is not None and batch not in newest.by_number}
    batches = {name: batch_of_file(name) for name in names}
    doomed = [
        name
        for name, batch in batches.items()
        if name not in needed and (is_part(name) if batch is None else batch not in in_flight)
    ]
    return sorted(doomed, key=lambda name: (not holds_rows(name), name))


def reclaim(store: ScopeStore, state: ScopeState) -> int:
    """Delete a scope's unreachable files; return how many."""
    folder = state.head.cold.folder

    with state.lock:
        if state.unsure:
            return 0
        names = folder.names()
        in_flight = state.batches_in_flight()
        doomed = unreachable(names, (snapshot.manifest for snapshot in state.living_snapshots()), in_flight)
        if doomed:
            store.names.keep_used(state)
        for name in doomed:
            folder.unlink(name)
    return len(doomed)


def reclaim_leftovers(store: ScopeStore, state: ScopeState) -> bool:
    """Delete what transactions left behind and nobody reads; tell whether some of it is still read."""
    reclaim(store, state)
    names = state.head.cold.folder.names()
    return any(name != published_name(name) and name != staged_name(MANIFEST_NAME) for name in names)
