"""Hot rows to batches, while readers and writers go on.

snapshot -> live rows sorted by key -> batches and blooms -> lock -> rows that died meanwhile -> manifest -> unlock ->
hot records deleted. Of more rows than may be joined, so many at a time are sorted as may be. Tombstones need no row in
a batch: the dead mark on the older cold row is the record.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from catalog.definition import SEQ_COLUMN
from catalog.full_disk import full_disk_told
from flush.batch_writer import sort_by_key, write_batch
from flush.change import ColdChange, publish_change
from flush.staging import Staging
from flush.work import Work
from manifest.batch_entry import BatchFileEntry
from manifest.dead_rows import DeadRows
from manifest.footer import Lineage
from providers.commit.scope_state import ScopeState
from providers.commit.scope_store import ScopeStore
from providers.hot.view import HotView, Seqs
from providers.rows.change import key_of
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
        fresh = {part.entry.batch: _died_since(part, head.hot) for part in written}
        change = ColdChange(
            added=entries,
            dead={**head.dead, **fresh},
            flushed_seq=snapshot.last_seq,
            schema_version=snapshot.table.version,
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
    written: list[_Written] = []
    for some in together(snapshot.hot.batches, store.joined_bytes_max):
        rows = pa.Table.from_batches(some).combine_chunks()
        content, _ = sort_by_key(rows, key_of(snapshot.table, rows))
        for part in content.parts(BATCH_ROWS_MAX, store.joined_bytes_max):
            entry = write_batch(staging.folder, staging.next_batch(), snapshot.table, snapshot.scope, part, lineage)
            store.files.trust(snapshot.scope, entry)
            watched.did(entry.rows, entry.bytes)
            watched.check()
            written.append(_Written(entry, part.rows.column(SEQ_COLUMN).to_numpy()))
    return written


def _died_since(part: _Written, hot: HotView) -> DeadRows:
    """The rows of a new batch that are not live any more."""
    live = [chunk.seqs if chunk.live is None else chunk.seqs[chunk.live] for chunk in hot.chunks]
    alive = np.isin(part.seqs, np.concatenate(live) if live else np.empty(0, dtype=np.int64))
    return DeadRows.none(part.entry.rows).with_positions(np.flatnonzero(~alive))
