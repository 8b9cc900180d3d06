"""Rows of a snapshot by their keys, without the engine: from the hot view, and from batches by position.

Whoever asks gets the same rows that a scan of the merged relation has (`engine/relations.py`): at most one for each
key, those of older batches with the defaults of columns that came since. None means that the engine should look: it
reads pages of files, where this would decode more than is worth it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.definition import Column
from manifest.batch_entry import BatchFileEntry
from manifest.layout import is_segment
from manifest.predicate import AllOf, Comparison, Operator
from providers.cold.files import ColdFiles
from providers.cold.locate import candidates, find_in
from providers.cold.pruning import Pruned, prune
from providers.rows.defaults import missing_values
from providers.rows.keys import Keys, Mask, Positions
from providers.snapshot import Snapshot
from providers.stopping import Stop, check, never

HOT_ROWS_MAX = 131_072
SEGMENT_ROWS_MAX = 1_048_576
BATCHES_MAX = 256
"""What is looked through for a part of a key, at most: rows that have no order, and files."""

ROWS_MAX = 10_000
"""More rows are not few."""

NO_KEYS: Positions = np.empty(0, dtype=np.int64)
"""For rows of which nobody asks whose key they have."""


@dataclass(frozen=True, eq=False)
class FoundRows:
    """Rows, in no order: the columns that were asked for, and what was looked at.

    `keys` has for each row which of the keys it has, where whole keys were looked up.
    """

    columns: list[pa.Array]
    keys: Positions
    pruned: Pruned


@dataclass(frozen=True)
class Edge:
    """Enough is the first `rows` of a key's part by ascending key, or the last."""

    rows: int
    is_last: bool


class StoredRows:
    """Looks rows of one snapshot up, and reads `columns` of them."""

    def __init__(self, snapshot: Snapshot, columns: Sequence[Column], files: ColdFiles, stop: Stop = never) -> None:
        self._snapshot = snapshot
        self._columns = columns
        self._files = files
        self._stop = stop

    def by_key(self, keys: Keys) -> FoundRows | None:
        """The rows that have one of some keys."""
        snapshot = self._snapshot
        hot_keys, seqs = snapshot.hot.find(keys) if snapshot.hot.chunks else (NO_KEYS, NO_KEYS)
        among = candidates(snapshot.cold, keys, self._files)
        cold = find_in(snapshot, among, keys, self._files)
        entries = snapshot.manifest.batches
        parts: list[_Part] = []
        for here in _runs(cold.batches):
            check(self._stop)
            number = int(cold.batches[here.start])
            found = self._at(snapshot.manifest.by_number[number], cold.positions[here])
            if found is None:
                return None
            parts.append((found, cold.rows[here]))
        if len(seqs):
            rows = snapshot.hot.take(seqs)
            parts.append(([_piece(rows.column(column.physical)) for column in self._columns], hot_keys))
        kept = tuple(entries[index] for index in among.batches.tolist())
        by_range, by_bloom = len(entries) - among.in_range, among.in_range - len(kept)
        return self._together(parts, Pruned(len(entries), kept, by_range, by_bloom, snapshot.hot.live_count))

    def by_part(self, values: Sequence[pa.Scalar], edge: Edge | None) -> FoundRows | None:
        """The rows whose first key columns have some values, or as many of them as matter. None when they are many."""
        snapshot, part = self._snapshot, self._snapshot.table.key_columns[: len(values)]
        wanted = [Comparison(c.id, Operator.EQUAL, value) for c, value in zip(part, values, strict=True)]
        pruned = prune(snapshot, AllOf(tuple(wanted)), self._files)
        segment_rows = sum(entry.rows for entry in pruned.kept if is_segment(entry.path))
        if snapshot.hot.live_count > HOT_ROWS_MAX or segment_rows > SEGMENT_ROWS_MAX or len(pruned.kept) > BATCHES_MAX:
            return None
        names = [column.physical for column in part]
        parts: list[_Part] = []
        count = 0
        for entry in pruned.kept:
            check(self._stop)
            positions = self._positions(entry, names, values)
            if positions is None:
                return None
            positions = _at_edge(self._live(entry, positions), None if is_segment(entry.path) else edge)
            count += len(positions)
            found = self._at(entry, positions) if len(positions) and count <= ROWS_MAX else None
            if found is not None:
                parts.append((found, NO_KEYS))
            elif len(positions):
                return None
        for batch in snapshot.hot.batches:
            rows = np.flatnonzero(_equal(batch, names, values))
            count += len(rows)
            if len(rows):
                index = pa.array(rows)
                parts.append(([batch.column(column.physical).take(index) for column in self._columns], NO_KEYS))
        return None if count > ROWS_MAX else self._together(parts, pruned)

    def _positions(self, entry: BatchFileEntry, names: list[str], values: Sequence[pa.Scalar]) -> Positions | None:
        """Where in a batch the rows of a key's part are, dead ones included."""
        cold, points = self._snapshot.cold, self._files.points
        self._files.check(cold, entry)
        if is_segment(entry.path):
            return np.flatnonzero(_equal(self._files.rows(cold, entry, names), names, values))
        wanted = tuple(map(_comparable, values))
        parts: list[Positions] = []
        for group, start in enumerate(points.starts(cold, entry)):
            columns = points.group(cold, entry, group, names)
            if columns is None:
                return None
            rows, value = range(len(columns[0])), _at_of(columns)
            first = bisect_left(rows, wanted, key=value)
            parts.append(np.arange(first, bisect_right(rows, wanted, lo=first, key=value), dtype=np.int64) + start)
        return np.concatenate(parts)

    def _live(self, entry: BatchFileEntry, positions: Positions) -> Positions:
        dead = self._snapshot.dead.get(entry.batch)
        return positions if dead is None or not len(positions) else positions[dead.are_live(positions)]

    def _at(self, entry: BatchFileEntry, positions: Positions) -> list[pa.Array] | None:
        """The columns of a batch at some positions; None where the engine is to read them."""
        present = dict.fromkeys(column.physical for column in self._columns if entry.schema_version >= column.added)
        read = self._files.points.rows(self._snapshot.cold, entry, positions, list(present)) if present else []
        if read is None:
            return None
        found = dict(zip(present, read, strict=True))
        is_complete = all(column.physical in found for column in self._columns)
        missing = {} if is_complete else missing_values(self._snapshot.table)
        return [
            found[column.physical] if column.physical in found else _absent(column, missing, len(positions))
            for column in self._columns
        ]

    def _together(self, parts: "Sequence[_Part]", pruned: Pruned) -> FoundRows:
        if len(parts) == 1:
            return FoundRows(*parts[0], pruned)
        if not parts:
            return FoundRows([pa.array([], column.storage) for column in self._columns], NO_KEYS, pruned)
        columns = [pa.concat_arrays(pieces) for pieces in zip(*(columns for columns, _ in parts), strict=True)]
        return FoundRows(columns, np.concatenate([keys for _, keys in parts]), pruned)


_Part = tuple[list[pa.Array], Positions]


def _runs(batches: Positions) -> list[slice]:
    """The rows of each batch: they stand together."""
    if not len(batches):
        return []
    edges = (np.flatnonzero(batches[1:] != batches[:-1]) + 1).tolist() if len(batches) > 1 else []
    return [slice(first, last) for first, last in pairwise([0, *edges, len(batches)])]


def _at_edge(positions: Positions, edge: Edge | None) -> Positions:
    if edge is None:
        return positions
    return positions[max(len(positions) - edge.rows, 0) :] if edge.is_last else positions[: edge.rows]


def _equal(rows: pa.Table | pa.RecordBatch, names: Sequence[str], values: Sequence[pa.Scalar]) -> Mask:
    """Which rows have the values, which are not NULL."""
    masks = [pc.equal(rows.column(name), value) for name, value in zip(names, values, strict=True)]
    mask = masks[0]
    for other in masks[1:]:
        mask = pc.and_(mask, other)
    return np.asarray(mask.to_numpy() if isinstance(mask, pa.ChunkedArray) else mask.to_numpy(zero_copy_only=False))


def _at_of(columns: Sequence[pa.Array]) -> Callable[[int], tuple[object, ...]]:
    return lambda row: tuple(_comparable(column[row]) for column in columns)


def _comparable(value: pa.Scalar) -> object:
    """A value that Python orders as Arrow does. Its own moments could not hold every one."""
    return value.value if pa.types.is_temporal(value.type) else value.as_py()


def _absent(column: Column, missing: dict[str, pa.Scalar], rows: int) -> pa.Array:
    return pa.repeat(missing.get(column.physical, pa.scalar(None, column.storage)), rows)


def _piece(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
