"""Rows of a STREAM table that have left go from memory and from the log: one range of keys, and no look at a row.

What left by age is invisible already, and what left by size has left with the commit that took its place. So this gives
back memory and disk, and nobody sees a difference.
"""

from dataclasses import dataclass, replace

from catalog.definition import Scope, TableDef
from catalog.full_disk import full_disk_told
from catalog.keyvalue import AtomicWrite, KeyValueStore
from providers.commit.lifetime import delete_below, kept, living_since, put_floor, without_rows
from providers.commit.scope_state import ScopeState
from providers.commit.scope_store import ScopeStore
from providers.snapshot import Snapshot


@dataclass(frozen=True)
class Evicted:
    """What an eviction did: rows that are in memory no more, and the bytes that they took."""

    rows: int
    bytes: int


@full_disk_told()
def evict(store: ScopeStore, state: ScopeState) -> Evicted:
    """Let go what a loaded scope does not keep; durable when this returns."""
    found = Evicted(0, 0)

    def stage(head: Snapshot, batch: AtomicWrite) -> Snapshot:
        nonlocal found
        after = kept(head, store.allocator.now_ms())
        if not after.hot.live_count:
            after = without_rows(after)
        found = Evicted(head.hot.version_count - after.hot.version_count, head.hot.nbytes - after.hot.nbytes)
        _put_left(batch, after)
        return replace(after, version=head.version + 1)

    store.write_together([(state, stage)], AtomicWrite())
    return found


@full_disk_told()
def evict_everything(store: ScopeStore, state: ScopeState) -> int:
    """Let every row of a scope go; return how many there were to be seen."""
    count = 0

    def stage(head: Snapshot, batch: AtomicWrite) -> Snapshot:
        nonlocal count
        count = kept(head, store.allocator.now_ms()).hot.live_count
        after = without_rows(head)
        _put_left(batch, after)
        return replace(after, version=head.version + 1)

    store.write_together([(state, stage)], AtomicWrite())
    return count


def evict_unloaded(keyvalue: KeyValueStore, table: TableDef, scope: Scope, now_ms: int) -> None:
    """Delete what is expired of a scope that is not in memory, and whom nobody loads meanwhile."""
    batch = AtomicWrite()
    delete_below(batch, scope, living_since(table, now_ms))
    keyvalue.commit(batch)


def _put_left(batch: AtomicWrite, after: Snapshot) -> None:
    """Put into a batch that what is below the floor of a scope is gone."""
    put_floor(batch, after)
    delete_below(batch, after.scope, after.hot.floor, after.last_seq)
