"""Every row of a scope goes, in one manifest: no batch, and everything hot counted as flushed.

A STREAM table has no manifest. Its rows leave as they do by age.
"""

from catalog.full_disk import full_disk_told
from flush.change import ColdChange, publish_change
from flush.stream_eviction import evict_everything
from providers.commit.scope_state import ScopeState
from providers.commit.scope_store import ScopeStore


@full_disk_told()
def truncate(store: ScopeStore, state: ScopeState) -> int:
    """Remove all rows; return how many were live."""
    if state.head.table.is_stream:
        return evict_everything(store, state)
    with store.exclusive(state):
        head = state.head
        count = head.live_count
        if count:
            seq = int(store.allocator.reserve(1)[0])
            change = ColdChange(removed=[entry.batch for entry in head.manifest.batches], flushed_seq=seq)
            publish_change(store, state, change)
    return count
