"""Every row of a scope goes, in one manifest: no batch, and everything hot counted as flushed."""

from flush.publication import next_manifest, retire
from providers.commit.scope_state import ScopeState
from providers.commit.scope_store import ScopeStore
from providers.hot.view import HotView


def truncate(store: ScopeStore, state: ScopeState) -> int:
    """Remove all rows; return how many were live."""
    with store.exclusive(state):
        head = state.head
        count = head.live_count
        if not count:
            return 0
        seq = int(store.allocator.reserve(1)[0])
        folder = store.folder(state)
        removed = [entry.batch for entry in head.manifest.batches]
        manifest = next_manifest(
            folder,
            head.manifest,
            head.scope,
            {},
            removed=removed,
            flushed_seq=seq,
        )
        store.replace_manifest(state, manifest, {}, HotView(head.hot.key), last_seq=seq)
        retire(folder, removed)
    store.clean_hot(state)
    return count
