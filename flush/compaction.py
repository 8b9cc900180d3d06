"""Batches to fewer, cleaner ones, while readers and writers go on.

Four reasons to rewrite: a batch with many dead rows (its scans pay for each of them), few dead rows in each of many
batches of a scope that nobody changes any more (*scattered* ones: every dirty batch costs a mask, and rewriting it
while changes come would have to be done again), many small batches of similar size (planning pays for every file), and
segments, which a large stream left as they came and which are yet to be
sorted, encoded and given blooms: they are *settled*. Which batches is a pure choice. The rows keep their `_seq`. Rows
that died while the job ran are found by their source position and marked dead in the outputs before these are
published, so a delete that races a compaction is never lost. A job joins no more bytes than the store allows: what does
not fit waits for the next, and a batch that is larger by itself is written anew in parts. Should the inputs themselves
have gone meanwhile, as by a truncation, the job is given up.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from catalog.full_disk import full_disk_told
from flush.batch_writer import SortedRows, sort_by_key, write_batch
from flush.change import ColdChange, publish_change
from flush.hot_flush import BATCH_ROWS_MAX
from flush.staging import Staging
from flush.work import Work
from manifest.batch_entry import BatchFileEntry
from manifest.dead_rows import DeadRows
from manifest.footer import Lineage
from manifest.layout import is_segment
from manifest.parts import Part
from providers.commit.scope_state import ScopeState
from providers.commit.scope_store import ScopeStore
from providers.hot.record import evolved
from providers.rows.change import key_of
from providers.rows.defaults import missing_values
from providers.rows.keys import Positions
from providers.rows.pieces import pieces, together
from providers.snapshot import Snapshot

DEAD_SHARE_MAX = 0.2
"""A batch with a larger share of dead rows is rewritten."""

SCATTERED_DEAD_SHARE_MAX = 0.02
SCATTERED_DEAD_MIN = 10_000
"""A scope at rest is cleaned when more of its rows are dead than this share, and than this number, over all batches."""

TIER_FILES_MAX = 8
"""This many batches of one size tier are merged."""

TIER_FACTOR = 4
SMALL_ROWS = BATCH_ROWS_MAX // 2
"""A batch with fewer live rows is worth merging with others."""

JOB_ROWS_MAX = 4 * BATCH_ROWS_MAX
JOB_SEGMENT_BYTES_MAX = 512 << 20
"""Segments are not compressed, so this is about the memory that a job takes twice."""


@dataclass(frozen=True, eq=False)
class _LiveRows:
    """Some live rows of an input, and the source (`_source`) of each."""

    rows: pa.RecordBatch
    sources: Positions

    @property
    def nbytes(self) -> int:
        """Memory of the rows."""
        return int(self.rows.nbytes)


@dataclass(frozen=True)
class Compacted:
    """What a compaction did: batches it replaced, and batches it wrote."""

    inputs: int
    outputs: int


def choose(
    snapshot: Snapshot, *, everything: bool = False, avoided: Collection[int] = (), full: Collection[int] = ()
) -> list[BatchFileEntry]:
    """Choose the batches of the next job, none when there is nothing to gain; segments are settled by another. Pure.

    `everything` asks for all batches that are dirty or smaller than full, as COMPACT TABLE does; `avoided` are numbers
    of batches to leave alone, `full` of those that are too large to be merged, however few rows they have.
    """
    share = 0.0 if everything else DEAD_SHARE_MAX
    with_dead = _with_dead(snapshot, avoided)
    dirty = [entry for entry in with_dead if entry.rows - _live(snapshot, entry) > share * entry.rows]
    if dirty and not everything:
        return _within_job(snapshot, dirty)
    small = [entry for entry in _small(snapshot, with_dead, avoided) if entry.batch not in full]
    if everything:
        chosen = {entry.batch: entry for entry in (*dirty, *(small if len(small) > 1 else []))}
        return _within_job(snapshot, list(chosen.values()))
    tiers: dict[int, list[BatchFileEntry]] = defaultdict(list)
    for entry in small:
        tiers[int(math.log(max(_live(snapshot, entry), 1), TIER_FACTOR))].append(entry)
    filled = [tier for tier in tiers.values() if len(tier) >= TIER_FILES_MAX]
    return _within_job(snapshot, filled[0]) if filled else []


def _with_dead(snapshot: Snapshot, avoided: Collection[int]) -> list[BatchFileEntry]:
    """The batches with dead rows, but for segments and some numbers; those that have none are not looked at."""
    listed = snapshot.manifest.by_number
    found = [listed[batch] for batch, dead in sorted(snapshot.dead.items()) if dead.count and batch not in avoided]
    return [entry for entry in found if not is_segment(entry.path)]


def _small(
    snapshot: Snapshot, with_dead: Sequence[BatchFileEntry], avoided: Collection[int]
) -> Iterator[BatchFileEntry]:
    """The batches with few live rows: short ones, told once for each part, and larger ones whose rows died."""
    short = (entry for part in snapshot.manifest.parts for entry in part.derived("short", _short_of))
    for entry in (*short, *(entry for entry in with_dead if entry.rows >= SMALL_ROWS)):
        if _live(snapshot, entry) < SMALL_ROWS and entry.batch not in avoided:
            yield entry


def _short_of(part: Part) -> list[BatchFileEntry]:
    return [entry for entry in part.entries if entry.rows < SMALL_ROWS and not is_segment(entry.path)]


def _live(snapshot: Snapshot, entry: BatchFileEntry) -> int:
    return entry.rows - snapshot.dead_in(entry).count


def has_scattered_dead(snapshot: Snapshot) -> bool:
    """Tell whether a scope at rest is worth cleaning. Pure."""
    return sum(found.count for found in snapshot.dead.values()) > _tolerated_dead(snapshot)


def choose_scattered(snapshot: Snapshot, avoided: Collection[int] = ()) -> list[BatchFileEntry]:
    """Choose the dirtiest batches, so many that the dead rows of the others do not matter. Pure."""
    entries = _with_dead(snapshot, avoided)
    dead = {entry.batch: snapshot.dead_in(entry).count for entry in entries}
    dirty = sorted(entries, key=lambda entry: dead[entry.batch] / entry.rows, reverse=True)
    kept, left, chosen = _tolerated_dead(snapshot), sum(dead.values()), []
    for entry in dirty:
        if left <= kept:
            break
        chosen.append(entry)
        left -= dead[entry.batch]
    return _within_job(snapshot, chosen)


def _tolerated_dead(snapshot: Snapshot) -> int:
    return max(int(snapshot.manifest.rows * SCATTERED_DEAD_SHARE_MAX), SCATTERED_DEAD_MIN)


def _choose_segments(snapshot: Snapshot, avoided: Collection[int] = ()) -> list[BatchFileEntry]:
    """The oldest segments, as many as a job may take. Pure."""
    entries = [entry for entry in snapshot.manifest.segments if entry.batch not in avoided]
    sizes = np.cumsum([entry.bytes for entry in entries])
    count = max(int(np.searchsorted(sizes, JOB_SEGMENT_BYTES_MAX, side="right")), 1)
    return _within_job(snapshot, entries[:count])


def _within_job(snapshot: Snapshot, entries: list[BatchFileEntry]) -> list[BatchFileEntry]:
    total = np.cumsum([_live(snapshot, entry) for entry in entries])
    count = max(int(np.searchsorted(total, JOB_ROWS_MAX, side="right")), 1)
    return entries[:count]


def compact(store: ScopeStore, state: ScopeState, work: Work | None = None, *, everything: bool = False) -> Compacted:
    """Run one job, if there is one to run; batches that are known to be damaged are left alone."""
    damaged = store.files.damages.batches(state.head.scope)
    full = frozenset(state.full_batches)
    return _rewrite(
        store,
        state,
        work or Work(),
        lambda snapshot: choose(snapshot, everything=everything, avoided=damaged, full=full),
    )


def gains(store: ScopeStore, state: ScopeState) -> bool:
    """Tell whether there is a job to run."""
    damaged = store.files.damages.batches(state.head.scope)
    return bool(choose(state.published, avoided=damaged, full=frozenset(state.full_batches)))


def clean(store: ScopeStore, state: ScopeState, work: Work | None = None) -> Compacted:
    """Run one job over batches with scattered dead rows, if it is worth it."""
    damaged = store.files.damages.batches(state.head.scope)
    return _rewrite(store, state, work or Work(), lambda snapshot: choose_scattered(snapshot, damaged))


def settle(store: ScopeStore, state: ScopeState, work: Work | None = None) -> Compacted:
    """Run one job over segments, if there are any; those that are known to be damaged are left alone."""
    damaged = store.files.damages.batches(state.head.scope)
    return _rewrite(store, state, work or Work(), lambda snapshot: _choose_segments(snapshot, damaged))


@full_disk_told()
def _rewrite(
    store: ScopeStore, state: ScopeState, work: Work, chosen: Callable[[Snapshot], list[BatchFileEntry]]
) -> Compacted:
    with state.maintenance:
        snapshot = state.published
        wanted = chosen(snapshot)
        if not wanted:
            return Compacted(0, 0)
        inputs, rows = _read_live(store, snapshot, wanted, work)
        if len(inputs) < len(wanted) and not _is_worth_it(snapshot, inputs):
            state.full_batches.update(entry.batch for entry in wanted)
            return Compacted(0, 0)
        with Staging(store, state) as staging:
            work.expect(sum(part.rows.num_rows for part in rows))
            outputs, sources = _write_outputs(store, staging, snapshot, rows, inputs, work)
            with store.exclusive(state):
                head = state.head
                if any(entry.batch not in head.manifest.by_number for entry in inputs):
                    return Compacted(0, 0)
                dead = _dead_in_outputs(outputs, sources, _died_since(snapshot, head, inputs))
                change = ColdChange(added=outputs, removed=[entry.batch for entry in inputs], dead=dead)
                publish_change(store, state, change)
        return Compacted(len(inputs), len(outputs))


def _read_live(
    store: ScopeStore, snapshot: Snapshot, wanted: list[BatchFileEntry], work: Work
) -> tuple[list[BatchFileEntry], list[_LiveRows]]:
    """The inputs that may be joined, dirty ones first and then the smallest, and their live rows."""
    table, missing = snapshot.table, missing_values(snapshot.table)
    inputs: list[BatchFileEntry] = []
    found: list[_LiveRows] = []
    size = 0
    for entry in sorted(wanted, key=lambda entry: (not _is_dirty(snapshot, entry), entry.bytes)):
        work.check()
        mask = snapshot.dead_in(entry).live_mask
        rows = store.files.rows(snapshot.cold, entry)
        rows = rows if mask.all() else rows.filter(pa.array(mask))
        size += rows.nbytes
        if inputs and size > store.joined_bytes_max:
            break
        inputs.append(entry)
        sources, start = _source(entry.batch, np.flatnonzero(mask)), 0
        for piece in pieces(rows, BATCH_ROWS_MAX, store.joined_bytes_max):
            for batch in piece.combine_chunks().to_batches():
                found.append(_LiveRows(evolved(batch, table, missing), sources[start : start + len(batch)]))
                start += len(batch)
    return inputs, found


def _is_dirty(snapshot: Snapshot, entry: BatchFileEntry) -> bool:
    return snapshot.dead_in(entry).count > 0


def _is_worth_it(snapshot: Snapshot, inputs: list[BatchFileEntry]) -> bool:
    """Tell whether anything is gained: one clean batch by itself would come out as it went in."""
    return len(inputs) > 1 or any(_is_dirty(snapshot, entry) or is_segment(entry.path) for entry in inputs)


def _source(batch: int, positions: Positions) -> Positions:
    """One number for a row of a batch."""
    return (np.int64(batch) << 32) | positions


def _write_outputs(
    store: ScopeStore,
    staging: Staging,
    snapshot: Snapshot,
    rows: list[_LiveRows],
    inputs: list[BatchFileEntry],
    work: Work,
) -> tuple[list[BatchFileEntry], Positions]:
    """Write rows by key, all at once if they may be joined; also return the sources, in the order of the outputs."""
    lineage = Lineage(tuple(sorted(entry.batch for entry in inputs)))
    outputs: list[BatchFileEntry] = []
    sources = [np.empty(0, dtype=np.int64)]
    limit = store.joined_bytes_max
    for some in together(rows, limit):
        content, source = _sorted(snapshot, some)
        sources.append(source)
        for part in content.parts(BATCH_ROWS_MAX, limit):
            entry = write_batch(staging.folder, staging.next_batch(), snapshot.table, snapshot.scope, part, lineage)
            store.files.trust(snapshot.scope, entry)
            work.did(entry.rows, entry.bytes)
            work.check()
            outputs.append(entry)
    return outputs, np.concatenate(sources)


def _sorted(snapshot: Snapshot, rows: list[_LiveRows]) -> tuple[SortedRows, Positions]:
    """Rows in the order of their keys, and the source of each."""
    joined = pa.Table.from_batches([part.rows for part in rows]).combine_chunks()
    source = np.concatenate([part.sources for part in rows])
    content, order = sort_by_key(joined, key_of(snapshot.table, joined))
    return content, source if order is None else source[order]


def _died_since(before: Snapshot, now: Snapshot, inputs: list[BatchFileEntry]) -> Positions:
    """Sources of the rows that died after the job had read them."""
    died = [_source(e.batch, now.dead_in(e).minus(before.dead_in(e))) for e in inputs]
    return np.concatenate(died)


def _dead_in_outputs(outputs: list[BatchFileEntry], sources: Positions, died: Positions) -> dict[int, DeadRows]:
    dead, start = {}, 0
    for entry in outputs:
        here = np.flatnonzero(np.isin(sources[start : start + entry.rows], died))
        dead[entry.batch] = DeadRows.none(entry.rows).with_positions(here)
        start += entry.rows
    return dead
