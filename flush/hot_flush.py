"""Hot rows to batches, while readers and writers go on.

snapshot -> live rows sorted by key -> batches and blooms -> lock -> rows that died meanwhile -> manifest -> unlock ->
hot records deleted. Rows are put into order by their keys, and then copied piece by piece. Of more rows than may be
joined, so many at a time are ordered as may be. Tombstones need no row in a batch: the dead mark on the older cold row
is the record.
"""

from dataclasses import dataclass

import numpy as np

from catalog.full_disk import full_disk_told
from flush.batch_writer import NewBatch, write_batch
from flush.change import ColdChange, publish_change
from flush.ordered_rows import BatchLimits, OrderedRows
from flush.row_sources import ChunkSource
from flush.staging import Staging
from flush.work import Work
from manifest.batch_entry import BatchFileEntry
from manifest.dead_rows import DeadRows
from manifest.footer import Lineage
from providers.commit.scope_state import ScopeState
from providers.commit.scope_store import ScopeStore
from providers.hot.view import Seqs
from providers.rows.keys import are_among
from providers.rows.pieces import together
from providers.snapshot import Snapshot

BATCH_ROWS_MAX = 1_048_576


@dataclass(frozen=True)
class Flushed:
    """What a flush did: rows written, and how many batches they went to."""

    rows: int
    batches: int


@dataclass(frozen=True, eq=False)
class _Written:
    entry: BatchFileEntry
    seqs: Seqs


@full_disk_told()
def flush(store: ScopeStore, state: ScopeState, work: Work | None = None) -> Flushed:
    """Move everything committed so far into batches."""
    watched = work or Work()
    with state.maintenance:
        snapshot = state.published
        if not snapshot.has_unflushed:
            return Flushed(0, 0)
        with Staging(store, state) as staging:
            written = write_hot_rows(store, staging, snapshot, watched)
            return _publish(store, state, snapshot, written)


def _publish(store: ScopeStore, state: ScopeState, snapshot: Snapshot, written: list[_Written]) -> Flushed:
    """Put written batches in the place of a snapshot's hot rows, unless a bulk load has flushed those meanwhile."""
    entries = [part.entry for part in written]
    with store.exclusive(state):
        head = state.head
        if head.manifest.flushed_seq >= snapshot.last_seq:
            return Flushed(0, 0)
        before = snapshot.hot.live_seqs
        died = before[~are_among(before, head.hot.live_seqs)]
        fresh = {part.entry.batch: _dead_in(part, died) for part in written}
        change = ColdChange(
            added=entries,
            dead={**head.dead, **fresh},
            flushed_seq=snapshot.last_seq,
            schema_version=snapshot.table.version,
            in_files=snapshot,
        )
        publish_change(store, state, change)
    return Flushed(sum(entry.rows for entry in entries), len(entries))


def write_hot_rows(store: ScopeStore, staging: Staging, snapshot: Snapshot, work: Work | None = None) -> list[_Written]:
    """Write the live hot rows of a snapshot as batches that no manifest names yet."""
    watched = work or Work()
    watched.expect(snapshot.hot.live_count)
    if not snapshot.hot.live_count:
        return []
    lineage = Lineage(flushed_seq=snapshot.last_seq)
    limits = BatchLimits(BATCH_ROWS_MAX, store.joined_bytes_max)
    written: list[_Written] = []
    for some in together((chunk for chunk in snapshot.hot.chunks if chunk.live_count), store.joined_bytes_max):
        sources = [ChunkSource(chunk.rows, chunk.live, snapshot.hot.key) for chunk in some]
        ordered = OrderedRows(snapshot.table, sources)
        seqs = np.concatenate([chunk.live_seqs for chunk in some])[ordered.order]
        start = 0
        for content in ordered.batches(limits, watched.check):
            new = NewBatch(staging.next_batch(), snapshot.table, snapshot.scope, lineage)
            entry = write_batch(staging.folder, new, content)
            store.files.trust(snapshot.scope, entry)
            watched.did(entry.rows, entry.bytes)
            written.append(_Written(entry, seqs[start : start + entry.rows]))
            start += entry.rows
    return written


def _dead_in(part: _Written, died: Seqs) -> DeadRows:
    """The rows of a new batch that are among those that died while it was written."""
    return DeadRows.none(part.entry.rows).with_positions(np.flatnonzero(are_among(part.seqs, died)))
