"""Batches to fewer, cleaner ones, while readers and writers go on.

Four reasons to rewrite: a batch with many dead rows (its scans pay for each of them), few dead rows in each of many
batches of a scope that nobody changes any more (*scattered* ones: every dirty batch costs a mask, and rewriting it
while changes come would have to be done again), many small batches of similar size (planning pays for every file), and
segments, which a large stream left as they came and which are yet to be sorted, encoded and given blooms: they are
*settled*. Which batches is a pure choice. The rows keep their `_seq`. Rows that died while the job ran are found by
their source position and marked dead in the outputs before these are published, so a delete that races a compaction is
never lost. Rows whose newer versions are still in memory are left out, too: then only the inputs hold what other
engines may read. A job holds the order of its rows and a few pieces of them, however large its inputs are
(`ordered_rows`). A batch of large rows is full before it has many: it is not merged. Should the inputs themselves have
gone meanwhile, as by a truncation, the job is given up.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from catalog.full_disk import full_disk_told
from flush.batch_writer import NewBatch, write_batch
from flush.change import ColdChange, publish_change
from flush.hot_flush import BATCH_ROWS_MAX
from flush.ordered_rows import BatchLimits, OrderedRows
from flush.row_sources import ChunkSource, Evolve, FileSource, RowSource
from flush.staging import Staging
from flush.work import Work
from manifest.batch_entry import BatchFileEntry
from manifest.dead_rows import DeadRows
from manifest.entries import ManifestFile
from manifest.footer import Lineage
from manifest.layout import is_segment
from manifest.parts import Part
from providers.commit.scope_state import ScopeState
from providers.commit.scope_store import ScopeStore
from providers.hot.record import evolved
from providers.rows.defaults import missing_values
from providers.rows.keys import Mask, Positions, are_among
from providers.rows.pieces import together
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

JOB_ROWS_MAX = 2 * BATCH_ROWS_MAX
"""The order of a job's rows takes some 24 bytes of each."""

JOB_BATCHES_MAX = 64
"""So many files are open at once, and each has a part of what may be read ahead."""

WINDOWS_BYTES_MAX = 16 << 20
"""What a job has read ahead, of all its files together."""

JOB_SEGMENT_BYTES_MAX = 512 << 20
"""Segments are mapped into memory."""


@dataclass(frozen=True, eq=False)
class _Input:
    """A batch that is rewritten: its live rows as sources; they are numbered through all inputs, here from `start`."""

    entry: BatchFileEntry
    live: Mask
    sources: Sequence[RowSource]
    start: int

    def numbers(self, positions: Positions) -> Positions:
        """The numbers of the live rows at some positions of the batch."""
        return np.searchsorted(np.flatnonzero(self.live), positions) + self.start


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


def count_small(manifest: ManifestFile) -> int:
    """How many batches wait to be merged."""
    return sum(len(part.derived("short", _short_of)) for part in manifest.parts)


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
    return entries[: min(count, JOB_BATCHES_MAX)]


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
        inputs = _inputs(store, state, snapshot, chosen(snapshot))
        if not _is_worth_it(snapshot, inputs):
            return Compacted(0, 0)
        with Staging(store, state) as staging:
            work.expect(sum(_live(snapshot, read.entry) for read in inputs))
            outputs, order = _write_outputs(store, staging, snapshot, inputs, work)
            with store.exclusive(state):
                head = state.head
                if any(read.entry.batch not in head.manifest.by_number for read in inputs):
                    return Compacted(0, 0)
                dead = _dead_in_outputs(outputs, order, _died_since(snapshot, head, inputs))
                change = ColdChange(
                    added=outputs,
                    removed=[read.entry.batch for read in inputs],
                    dead=dead,
                    in_files=_in_outputs(state, snapshot, inputs, outputs, order),
                )
                publish_change(store, state, change)
        return Compacted(len(inputs), len(outputs))


def _inputs(store: ScopeStore, state: ScopeState, snapshot: Snapshot, wanted: Sequence[BatchFileEntry]) -> list[_Input]:
    """What is rewritten of what was chosen: not what is clean and has as many bytes as a batch should."""
    today = partial(evolved, table=snapshot.table, missing=missing_values(snapshot.table))
    columns = frozenset(snapshot.table.physical_schema.names)
    inputs: list[_Input] = []
    start = 0
    for entry in wanted:
        live = snapshot.dead_in(entry).live_mask
        if is_segment(entry.path):
            sources = _segment_sources(store, snapshot, entry, live, today)
        else:
            source = FileSource(store.files, snapshot, entry, live, columns, today, WINDOWS_BYTES_MAX // len(wanted))
            if live.all() and source.rows * source.row_bytes > store.joined_bytes_max // 2:
                state.full_batches.add(entry.batch)
                continue
            sources = [source]
        inputs.append(_Input(entry, live, sources, start))
        start += _live(snapshot, entry)
    return inputs


def _segment_sources(
    store: ScopeStore, snapshot: Snapshot, entry: BatchFileEntry, live: Mask, today: Evolve
) -> list[RowSource]:
    """The chunks of a segment."""
    key = [column.physical for column in snapshot.table.key_columns]
    found: list[RowSource] = []
    start = 0
    for chunk in store.files.rows(snapshot.cold, entry).to_batches():
        here = live[start : start + chunk.num_rows]
        found.append(ChunkSource(chunk, None if here.all() else here, key, today))
        start += chunk.num_rows
    return found


def _is_worth_it(snapshot: Snapshot, inputs: Sequence[_Input]) -> bool:
    """Tell whether anything is gained: one clean batch by itself would come out as it went in."""
    return len(inputs) > 1 or any(
        snapshot.dead_in(read.entry).count > 0 or is_segment(read.entry.path) for read in inputs
    )


def _write_outputs(
    store: ScopeStore, staging: Staging, snapshot: Snapshot, inputs: Sequence[_Input], work: Work
) -> tuple[list[BatchFileEntry], Positions]:
    """Write rows by key, all in one order if their keys may be joined; also return their numbers, as they stand."""
    lineage = Lineage(tuple(sorted(read.entry.batch for read in inputs)))
    limits = BatchLimits(BATCH_ROWS_MAX, store.joined_bytes_max)
    outputs: list[BatchFileEntry] = []
    order = [np.empty(0, dtype=np.int64)]
    start = 0
    sources = [source for read in inputs for source in read.sources if source.rows]
    for some in together(sources, store.joined_bytes_max):
        ordered = OrderedRows(snapshot.table, some)
        for content in ordered.batches(limits, work.check):
            new = NewBatch(staging.next_batch(), snapshot.table, snapshot.scope, lineage)
            entry = write_batch(staging.folder, new, content)
            store.files.trust(snapshot.scope, entry)
            work.did(entry.rows, entry.bytes)
            outputs.append(entry)
        order.append(ordered.order + start)
        start += ordered.rows
    return outputs, np.concatenate(order)


def _died_since(before: Snapshot, now: Snapshot, inputs: Sequence[_Input]) -> Positions:
    """The numbers of the rows that died after the job had begun, ascending."""
    return np.concatenate([read.numbers(now.dead_in(read.entry).minus(before.dead_in(read.entry))) for read in inputs])


def _in_outputs(
    state: ScopeState,
    snapshot: Snapshot,
    inputs: Sequence[_Input],
    outputs: list[BatchFileEntry],
    order: Positions,
) -> Snapshot | None:
    """The state that files alone hold, in which the outputs stand for the inputs; None where they lack some of it."""
    before = state.in_files
    if before is None or before.manifest.version != state.head.manifest.version:
        return None
    if before.table.version != snapshot.table.version:
        return None
    if any(len(snapshot.dead_in(read.entry).minus(before.dead_in(read.entry))) for read in inputs):
        return None
    dead = _dead_in_outputs(outputs, order, _died_since(snapshot, before, inputs))
    return replace(before, dead={**before.dead, **dead})


def _dead_in_outputs(outputs: list[BatchFileEntry], order: Positions, died: Positions) -> dict[int, DeadRows]:
    dead, start = {}, 0
    for entry in outputs:
        here = np.flatnonzero(are_among(order[start : start + entry.rows], died))
        dead[entry.batch] = DeadRows.none(entry.rows).with_positions(here)
        start += entry.rows
    return dead
