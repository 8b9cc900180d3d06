"""The live hot rows of a scope: immutable chunks of Arrow rows, and an index from keys to `_seq`.

Invariants:
- chunks are in `_seq` order, and rows inside a chunk too; `_seq` identifies a row;
- at most one live row per key over all chunks;
- index runs may hold entries of dead rows, which probing filters out and merging drops.

A change yields a new view that shares what did not change, so a pinned reader keeps its own for free. Small chunks and
runs are merged with their neighbours of similar size, so that many single-row commits leave few of either.

A view without an index is for rows whose key is the hidden one: that is a number, nearly in the order of the rows, so a
chunk rules itself out. Nothing is kept for each row then, and rows below a *floor* leave whole chunks at a time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from catalog.definition import HIDDEN_KEY_COLUMN, SEQ_COLUMN
from providers.hot.run import Run
from providers.rows.hash_index import HashIndex
from providers.rows.keys import Ascending, Keys, Positions
from providers.rows.unique_values import UniqueValues

CHUNK_ROWS_MAX = 65_536
CHUNK_BYTES_MAX = 64 << 20
"""How much of a commit is one record, and what chunks are merged to at most."""

Seqs = npt.NDArray[np.int64]
NO_ROWS: Seqs = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class HotChunk:
    """Some rows in physical form with `_seq`; `live` is None when all are live.

    `indexes` are of values in some columns, made when they are first asked for, and about all rows.
    """

    rows: pa.RecordBatch
    seqs: Seqs
    live: npt.NDArray[np.bool_] | None = None
    indexes: dict[tuple[str, ...], HashIndex] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: pa.RecordBatch) -> "HotChunk":
        """A chunk of live rows."""
        return cls(rows, rows.column(SEQ_COLUMN).to_numpy())

    @cached_property
    def live_rows(self) -> pa.RecordBatch:
        """The live rows."""
        return self.rows if self.live is None else self.rows.filter(pa.array(self.live))

    @property
    def live_seqs(self) -> Seqs:
        """The `_seq`s of the live rows."""
        return self.seqs if self.live is None else self.seqs[self.live]

    @cached_property
    def live_count(self) -> int:
        """How many rows are live."""
        return len(self.seqs) if self.live is None else int(np.count_nonzero(self.live))

    @cached_property
    def nbytes(self) -> int:
        """What the rows take in memory, dead ones too."""
        return int(self.rows.nbytes)

    @cached_property
    def hidden_keys(self) -> Ascending | None:
        """The rows by their hidden key."""
        return Keys.of([self.rows.column(HIDDEN_KEY_COLUMN)]).ascending

    def first_of_newest(self, count: int) -> int:
        """Where the newest `count` live rows begin; 0 where there are no more than those."""
        if self.live_count <= count:
            return 0
        if count <= 0:
            return len(self.seqs)
        return len(self.seqs) - count if self.live is None else int(np.flatnonzero(self.live)[-count])

    def since(self, start: int) -> "HotChunk":
        """The rows from a position on, without a copy."""
        return HotChunk(self.rows.slice(start), self.seqs[start:], None if self.live is None else self.live[start:])

    def is_live(self, positions: Positions) -> npt.NDArray[np.bool_]:
        """Tell which of some row positions are live."""
        return np.ones(len(positions), dtype=np.bool_) if self.live is None else self.live[positions]

    def without(self, positions: Positions) -> "HotChunk":
        """The chunk with more rows dead."""
        live = np.ones(len(self.seqs), dtype=np.bool_) if self.live is None else self.live.copy()
        live[positions] = False
        return HotChunk(self.rows, self.seqs, live, self.indexes)

    def have_values(self, names: tuple[str, ...], wanted: UniqueValues, gone: Seqs) -> Positions:
        """The places of those of `wanted` that a live row has in some columns, but one with a `_seq` of `gone`."""
        if names not in self.indexes:
            self.indexes[names] = UniqueValues.of([self.rows.column(name) for name in names]).index
        places, positions = self.indexes[names].probe(wanted.keys)
        keep = self.is_live(positions) & ~np.isin(self.seqs[positions], gone)
        places, index = places[keep], pa.array(positions[keep])
        return places[wanted.confirm(places, [self.rows.column(name).take(index) for name in names])]


@dataclass(frozen=True, eq=False)
class HotView:
    """All live hot rows of a scope. `key` holds the physical names of the key columns.

    No row has a `_seq` below the `floor`. One that is not `is_indexed` has no runs.
    """

    key: tuple[str, ...]
    chunks: tuple[HotChunk, ...] = ()
    runs: tuple[Run, ...] = ()
    floor: int = 0
    is_indexed: bool = True

    @cached_property
    def live_count(self) -> int:
        """Live rows of the view."""
        return sum(chunk.live_count for chunk in self.chunks)

    @property
    def live_seqs(self) -> Seqs:
        """The `_seq`s of the live rows, ascending."""
        return _concat([chunk.live_seqs for chunk in self.chunks])

    @property
    def version_count(self) -> int:
        """Rows of the view, dead ones included: what memory and the log hold."""
        return sum(len(chunk.seqs) for chunk in self.chunks)

    @cached_property
    def nbytes(self) -> int:
        """What the rows of the view take in memory, dead ones included."""
        return sum(chunk.nbytes for chunk in self.chunks)

    @cached_property
    def batches(self) -> list[pa.RecordBatch]:
        """The live rows, one record batch for each chunk that has any."""
        return [chunk.live_rows for chunk in self.chunks if chunk.live_count]

    @cached_property
    def _first_seqs(self) -> Seqs:
        return np.array([chunk.seqs[0] for chunk in self.chunks], dtype=np.int64)

    def parts(self) -> dict[int, int]:
        """What the view's rows take in memory: bytes by the identity of each part, which views share."""
        found: dict[int, int] = {}
        for chunk in self.chunks:
            found[id(chunk.rows)] = int(chunk.rows.nbytes)
            if chunk.live is not None:
                copied = int(chunk.live_rows.nbytes) if "live_rows" in chunk.__dict__ else 0
                found[id(chunk)] = int(chunk.live.nbytes) + copied
        return found

    def find(self, keys: Keys) -> tuple[Positions, Seqs]:
        """Return (row of `keys`, `_seq` of the live hot row with that key) for every key that has one, by `_seq`."""
        if not self.is_indexed:
            return self._find_hidden(keys)
        if not self.runs:
            return NO_ROWS, NO_ROWS
        found = [run.index.probe(keys) for run in self.runs]
        rows = _concat([pair[0] for pair in found])
        seqs = _concat([pair[1] for pair in found])
        if not len(rows):
            return rows, seqs
        order = np.argsort(seqs)
        rows, seqs = rows[order], seqs[order]
        keep = np.zeros(len(rows), dtype=np.bool_)
        for number, here, positions in self._by_chunk(seqs):
            chunk = self.chunks[number]
            live = np.flatnonzero(chunk.is_live(positions))
            if len(live):
                keep[here.start + live] = self._confirm(chunk, positions[live], keys, rows[here][live])
        return rows[keep], seqs[keep]

    def _find_hidden(self, keys: Keys) -> tuple[Positions, Seqs]:
        """The same by the hidden key, of which no two rows have one."""
        wanted = keys.ascending
        rows, seqs = [], []
        for chunk in self.chunks:
            if wanted is None or chunk.hidden_keys is None:
                continue
            theirs, positions = chunk.hidden_keys.find(wanted)
            live = chunk.is_live(positions)
            rows.append(theirs[live])
            seqs.append(chunk.seqs[positions[live]])
        found = _concat(seqs)
        order = np.argsort(found)
        return _concat(rows)[order], found[order]

    def _confirm(self, chunk: HotChunk, positions: Positions, keys: Keys, rows: Positions) -> npt.NDArray[np.bool_]:
        if keys.exact:
            return np.ones(len(rows), dtype=np.bool_)
        index = pa.array(positions)
        columns = tuple(chunk.rows.column(name).take(index) for name in self.key)
        mine = Keys(columns, keys.hashes[rows], exact=False)
        return mine.confirm(np.arange(len(rows), dtype=np.int64), keys, rows)

    def have_values(self, names: tuple[str, ...], wanted: UniqueValues, gone: Seqs) -> Positions:
        """The places of those of `wanted` that a live row has in some columns, but one with a `_seq` of `gone`."""
        return np.unique(_concat([chunk.have_values(names, wanted, gone) for chunk in self.chunks]))

    def take(self, seqs: Seqs) -> pa.Table:
        """The rows with these `_seq`s, in the order asked for."""
        order = np.argsort(seqs)
        found = self._by_chunk(seqs[order])
        parts = [self.chunks[number].rows.take(pa.array(positions)) for number, _, positions in found]
        return pa.Table.from_batches(parts).take(pa.array(np.argsort(order)))

    def without(self, seqs: Seqs) -> "HotView":
        """The view with the rows of these `_seq`s dead."""
        if not len(seqs):
            return self
        chunks = list(self.chunks)
        for number, _, positions in self._by_chunk(np.sort(seqs)):
            chunks[number] = chunks[number].without(positions)
        return replace(self, chunks=tuple(chunks))

    def with_rows(self, rows: pa.RecordBatch, keys: Keys) -> "HotView":
        """The view with new rows, all later than those it has and of keys that have no live row in it."""
        if not rows.num_rows:
            return self
        chunk = HotChunk.of(rows)
        chunks = tuple(_merge_chunks([*self.chunks, chunk]))
        if not self.is_indexed:
            return replace(self, chunks=chunks)
        runs = tuple(_merge_runs([*self.runs, Run.of(keys, chunk.seqs)]))
        return replace(self, chunks=chunks, runs=runs)

    def above(self, floor: int) -> "HotView":
        """The view with a higher floor; itself where it has that already. No row is looked at or copied."""
        if floor <= self.floor or not (self.chunks and floor > self.chunks[0].seqs[0]):
            return self
        first = int(np.searchsorted(self._first_seqs, floor, side="right")) - 1
        start = int(np.searchsorted(self.chunks[first].seqs, floor))
        rest = self.chunks[first + 1 :]
        if start < len(self.chunks[first].seqs):
            rest = (self.chunks[first].since(start) if start else self.chunks[first], *rest)
        return replace(self, chunks=rest, floor=floor)

    def released(self) -> "HotView":
        """The same rows, without the memory of those that stood before them, where that is most of what is kept."""
        if not self.chunks or self.chunks[0].rows.get_total_buffer_size() <= 2 * self.chunks[0].nbytes:
            return self
        first = self.chunks[0]
        copied = HotChunk.of(first.rows.take(pa.array(np.arange(len(first.seqs)))))
        return replace(self, chunks=(HotChunk(copied.rows, copied.seqs, first.live), *self.chunks[1:]))

    def after(self, seq: int) -> "HotView":
        """The rows with a larger `_seq`."""
        chunks = []
        for chunk in self.chunks:
            start = int(np.searchsorted(chunk.seqs, seq, side="right"))
            if start < len(chunk.seqs):
                chunks.append(chunk.since(start))
        runs = [run.after(seq) for run in self.runs] if chunks else []
        return replace(self, chunks=tuple(chunks), runs=tuple(run for run in runs if len(run)))

    def _by_chunk(self, seqs: Seqs) -> Iterator[tuple[int, slice, Positions]]:
        """For ascending `_seq`s: the number of each chunk that has some, which of them, and their row positions."""
        bounds = [0, *np.searchsorted(seqs, self._first_seqs[1:]).tolist(), len(seqs)]
        for number, (start, end) in enumerate(pairwise(bounds)):
            if start < end:
                yield number, slice(start, end), np.searchsorted(self.chunks[number].seqs, seqs[start:end])


def _merge_runs(runs: list[Run]) -> list[Run]:
    while len(runs) > 1 and len(runs[-2]) <= 2 * len(runs[-1]):
        newest = runs.pop()
        runs[-1] = runs[-1].and_of(newest)
    return runs


def _merge_chunks(chunks: list[HotChunk]) -> list[HotChunk]:
    """Merge the newest chunk backwards while its neighbour is not much larger; dead rows stay where they are.

    Rows are never dropped here: `_seq`s of dead rows may still stand in index runs, which locate them by chunk.
    """
    while len(chunks) > 1:
        older, newer = chunks[-2], chunks[-1]
        if len(older.seqs) > 2 * len(newer.seqs) or len(older.seqs) + len(newer.seqs) > CHUNK_ROWS_MAX:
            break
        if older.rows.nbytes + newer.rows.nbytes > CHUNK_BYTES_MAX:
            break
        chunks[-2:] = [_join(older, newer)]
    return chunks


def _join(older: HotChunk, newer: HotChunk) -> HotChunk:
    live = None
    if older.live is not None or newer.live is not None:
        live = np.concatenate(
            [np.ones(len(c.seqs), dtype=np.bool_) if c.live is None else c.live for c in (older, newer)]
        )
    rows = pa.concat_batches([older.rows, newer.rows])
    return HotChunk(rows, np.concatenate([older.seqs, newer.seqs]), live)


def _concat(parts: Sequence[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    return np.concatenate(parts) if parts else NO_ROWS
