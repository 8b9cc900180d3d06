"""A change of a scope's cold data: one value, and the one function that publishes it.

Flush, bulk load, compaction and truncation differ in what they write, and end alike: deletion files, the next manifest,
the snapshot that shows it, marks for batches that it leaves out, and no hot records that it made invisible.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from flush.publication import keep_staged_names, next_manifest, retire
from manifest.dead_rows import DeadRows
from manifest.entries import BatchFileEntry, BulkCommit
from providers.commit.scope_state import ScopeState
from providers.commit.scope_store import ScopeStore


@dataclass(frozen=True, eq=False)
class ColdChange:
    """What a job does to the newest state of a scope.

    `added` are staged batches, `removed` numbers of batches. `dead` are rows to record as dead, by batch number, old
    and added batches alike: all those of a batch that it names. Hot versions up to `flushed_seq` are in batches now,
    or gone. Some of the added batches may be `shown` to readers already, by the names that they were staged under.
    """

    added: Sequence[BatchFileEntry] = ()
    removed: Collection[int] = ()
    dead: Mapping[int, DeadRows] = field(default_factory=dict)
    flushed_seq: int = 0
    schema_version: int | None = None
    bulk_commit: BulkCommit | None = None
    shown: Sequence[BatchFileEntry] = ()


def publish_change(store: ScopeStore, state: ScopeState, change: ColdChange) -> None:
    """Carry out a change, durably, with the scope's writer lock held."""
    head, folder = state.head, store.folder(state)
    keep_staged_names(folder, change.shown)
    manifest = next_manifest(
        folder,
        head.manifest,
        head.scope,
        change.dead,
        added=change.added,
        removed=change.removed,
        flushed_seq=change.flushed_seq,
        schema_version=change.schema_version,
        last_bulk_commit=change.bulk_commit,
    )
    flushes = change.flushed_seq > head.manifest.flushed_seq
    hot = head.hot.after(change.flushed_seq) if flushes else head.hot
    store.replace_manifest(state, manifest, {**head.dead, **change.dead}, hot, last_seq=change.flushed_seq)
    retire(folder, change.removed)
    if flushes:
        store.clean_hot(state)
