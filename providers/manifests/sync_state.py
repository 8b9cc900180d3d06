"""How a kept manifest stands to its file: one table, which says of each state and event what follows."""

from collections.abc import Mapping
from enum import Enum, unique


@unique
class SyncState(Enum):
    """What is known of the file of a manifest that is kept."""

    IN_SYNC = "in_sync"
    PENDING_WRITE = "pending_write"
    SYNCING = "syncing"
    STALE = "stale"
    ERROR = "error"


@unique
class SyncEvent(Enum):
    """What may happen to a kept manifest, or to its file."""

    CHANGE = "a newer manifest is to take its place"
    WRITE = "the file of the newer one is being written"
    WRITTEN = "the file is written, and what is kept says the same"
    UNRECORDED = "the file is written, and what is kept in RocksDB says less"
    UNWRITTEN = "the file could not be written, and is what it was"
    DIFFER = "the file is not what is kept"
    READ = "the file was read, and is kept as it is"
    FAIL = "the file cannot be read, or nobody knows what it is"


TRANSITIONS: Mapping[tuple[SyncState, SyncEvent], SyncState] = {
    (SyncState.IN_SYNC, SyncEvent.CHANGE): SyncState.PENDING_WRITE,
    (SyncState.IN_SYNC, SyncEvent.READ): SyncState.IN_SYNC,
    (SyncState.IN_SYNC, SyncEvent.DIFFER): SyncState.STALE,
    (SyncState.IN_SYNC, SyncEvent.FAIL): SyncState.ERROR,
    (SyncState.PENDING_WRITE, SyncEvent.WRITE): SyncState.SYNCING,
    (SyncState.PENDING_WRITE, SyncEvent.UNWRITTEN): SyncState.IN_SYNC,
    (SyncState.PENDING_WRITE, SyncEvent.DIFFER): SyncState.STALE,
    (SyncState.PENDING_WRITE, SyncEvent.FAIL): SyncState.ERROR,
    (SyncState.SYNCING, SyncEvent.WRITTEN): SyncState.IN_SYNC,
    (SyncState.SYNCING, SyncEvent.UNRECORDED): SyncState.STALE,
    (SyncState.SYNCING, SyncEvent.UNWRITTEN): SyncState.IN_SYNC,
    (SyncState.SYNCING, SyncEvent.FAIL): SyncState.ERROR,
    (SyncState.STALE, SyncEvent.CHANGE): SyncState.PENDING_WRITE,
    (SyncState.STALE, SyncEvent.READ): SyncState.IN_SYNC,
    (SyncState.STALE, SyncEvent.DIFFER): SyncState.STALE,
    (SyncState.STALE, SyncEvent.FAIL): SyncState.ERROR,
    (SyncState.ERROR, SyncEvent.CHANGE): SyncState.PENDING_WRITE,
    (SyncState.ERROR, SyncEvent.READ): SyncState.IN_SYNC,
    (SyncState.ERROR, SyncEvent.DIFFER): SyncState.ERROR,
    (SyncState.ERROR, SyncEvent.FAIL): SyncState.ERROR,
}

TRUSTED = frozenset({SyncState.IN_SYNC, SyncState.PENDING_WRITE})
"""What is on record in these states answers for a file that has not changed since. A write that is pending has not
happened when the file is the one of before."""


def after(state: SyncState, event: SyncEvent) -> SyncState:
    """The state that follows; ValueError for what cannot happen."""
    found = TRANSITIONS.get((state, event))
    if found is None:
        raise ValueError(f"a manifest that is {state.value} cannot take: {event.value}")
    return found
