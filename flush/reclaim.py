"""Deleting files that nobody can reach.

A file of a scope may go when no living snapshot's manifest names it, no running job has its batch number, and it was
not promised to other engines. Age plays
no part: a slow writer's files are known by number, not guessed by time. Deletion files are written with the writer lock
held until a manifest names them, so reclamation holds it too. No name of what is deleted comes back.

Which files newer manifests have left out is known. The folder is looked through only once after a scope was loaded, and
when something was left behind.
"""

import time
from collections.abc import Collection, Iterable

from flush.publish.publish import held
from manifest.entries import ManifestFile
from manifest.layout import MANIFEST_NAME, batch_of_file, holds_rows, is_part, published_name, staged_name
from manifest.named_files import may_name, names
from providers.commit.scope_state import ScopeState
from providers.commit.scope_store import ScopeStore


def unreachable(
    found: Iterable[str],
    manifests: Collection[ManifestFile],
    in_flight: frozenset[int],
    promised: frozenset[str] = frozenset(),
) -> list[str]:
    """Choose the files to delete from names of files of a scope's folder, in this order. Pure.

    The mark of a retired batch stays as long as the batch, which goes first: a batch never looks as if it were current.
    """
    doomed = [
        name
        for name in found
        if (is_part(name) if (batch := batch_of_file(name)) is None else batch not in in_flight)
        and name not in promised
        and not any(names(manifest, name) for manifest in manifests)
    ]
    return sorted(doomed, key=lambda name: (not holds_rows(name), name))


def reclaim(store: ScopeStore, state: ScopeState) -> int:
    """Delete a scope's unreachable files; return how many."""
    folder = state.head.cold.folder

    with state.lock:
        if state.unsure:
            return 0
        living = {id(manifest): manifest for manifest in (living.manifest for living in state.living_snapshots())}
        found = state.left_out
        if not state.is_swept or state.has_leftovers:
            found = {name for name in folder.names() if may_name(name)}
        promised = held(state, time.time()) if found else frozenset[str]()
        doomed = unreachable(found, living.values(), state.batches_in_flight(), promised)
        if doomed:
            store.names.keep_used(state)
        with store.stillness.together():
            for name in doomed:
                folder.unlink(name)
        state.left_out = {name for name in found.difference(doomed) if not names(state.head.manifest, name)}
        state.is_swept = True
    return len(doomed)


def reclaim_leftovers(store: ScopeStore, state: ScopeState) -> bool:
    """Delete what transactions left behind and nobody reads; tell whether some of it is still read."""
    reclaim(store, state)
    found = state.head.cold.folder.names()
    return any(name != published_name(name) and name != staged_name(MANIFEST_NAME) for name in found)
