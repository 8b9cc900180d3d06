"""A few rows of batches by their positions, for look-ups that need no scan.

Of a Parquet file, the row group that has a row is decoded once, column by column, and kept within the memory that is
there for decoded rows; a row of it is then a slice. Segments are mapped. What would cost more to decode than it takes
the engine to find the row's page is left to the engine, and so is, once that memory is full, whatever is asked for the
first time: rows all over a large table would push each other out.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from catalog.definition import Scope
from manifest.batch_entry import BatchFileEntry
from manifest.layout import is_segment
from providers.cold.decoded import Kept
from providers.cold.rows import group_starts, read_group, read_rows
from providers.lru import ByteBoundedCache
from providers.snapshot import ColdState

DECODED_BYTES_MAX = 16 << 20
"""What is decoded of a row group for a look-up, as encoded in the file."""

ASKED_MAX = 4_096
"""So many row groups that were asked for and not decoded are remembered."""

STARTS_BYTES = 4 << 20
NUMBER_BYTES = 64

Positions = npt.NDArray[np.int64]
Identity = tuple[Scope, tuple[int, str]]


class PointReader:
    """Reads rows of batches that were checked; what it decodes is among what else is `kept`."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._starts: ByteBoundedCache[Identity, tuple[int, ...]] = ByteBoundedCache(STARTS_BYTES)
        self._lock = threading.Lock()
        self._asked: OrderedDict[tuple[Identity, int], None] = OrderedDict()

    def rows(
        self, cold: ColdState, entry: BatchFileEntry, positions: Positions, names: Sequence[str]
    ) -> list[pa.Array] | None:
        """Columns of a batch by physical names, at some positions; None where the engine is to read them."""
        if is_segment(entry.path):
            return _mapped(cold, entry, positions, names)
        if len(positions) == 1:
            return self._row(cold, entry, int(positions[0]), names)
        firsts = self.starts(cold, entry)
        if len(firsts) == 1:
            return self._taken(cold, entry, 0, positions, names)
        starts = np.array(firsts)
        groups = np.searchsorted(starts, positions, side="right") - 1
        parts: list[list[pa.Array]] = []
        order: list[Positions] = []
        for group in np.unique(groups).tolist():
            here = np.flatnonzero(groups == group)
            columns = self._taken(cold, entry, group, positions[here] - starts[group], names)
            if columns is None:
                return None
            parts.append(columns)
            order.append(here)
        if len(parts) == 1:
            return parts[0]
        back = pa.array(np.argsort(np.concatenate(order)))
        return [pa.concat_arrays(pieces).take(back) for pieces in zip(*parts, strict=True)]

    def starts(self, cold: ColdState, entry: BatchFileEntry) -> tuple[int, ...]:
        """The position of the first row of each row group of a Parquet file."""
        return self._starts.get(
            (cold.scope, entry.identity),
            lambda: group_starts(cold.folder, entry.path),
            lambda starts: NUMBER_BYTES * (1 + len(starts)),
        )

    def group(self, cold: ColdState, entry: BatchFileEntry, group: int, names: Sequence[str]) -> list[pa.Array] | None:
        """Whole columns of a row group, texts maybe as dictionaries; None where the engine is to read."""
        identity = (cold.scope, entry.identity)
        found = [self._kept.find((identity, group, name)) for name in names]
        absent = [name for name, column in zip(names, found, strict=True) if column is None]
        if not absent:
            return [column for column in found if column is not None]
        read = self._decoded(cold, entry, group, absent)
        if read is None:
            return None
        return [read[name] if column is None else column for name, column in zip(names, found, strict=True)]

    def _taken(
        self, cold: ColdState, entry: BatchFileEntry, group: int, rows: Positions, names: Sequence[str]
    ) -> list[pa.Array] | None:
        """Some rows of a row group."""
        columns = self.group(cold, entry, group, names)
        if columns is None:
            return None
        index = pa.array(rows)
        return [_plain(column.take(index)) for column in columns]

    def _row(
        self, cold: ColdState, entry: BatchFileEntry, position: int, names: Sequence[str]
    ) -> list[pa.Array] | None:
        """One row, in memory of its own: a slice would keep the whole column."""
        starts = self.starts(cold, entry)
        group = next(number for number in range(len(starts) - 1, -1, -1) if starts[number] <= position)
        columns = self.group(cold, entry, group, names)
        if columns is None:
            return None
        return [_alone(column.slice(position - starts[group], 1)) for column in columns]

    def _decoded(
        self, cold: ColdState, entry: BatchFileEntry, group: int, names: Sequence[str]
    ) -> dict[str, pa.Array] | None:
        identity = (cold.scope, entry.identity)
        rows = read_group(cold.folder, entry.path, group, names, lambda size: self._is_worth(identity, group, size))
        if rows is None:
            return None
        found = {name: _in_one_piece(rows.column(name)) for name in names}
        for name, column in found.items():
            self._kept.put((identity, group, name), column, int(column.get_total_buffer_size()))
        return found

    def _is_worth(self, identity: Identity, group: int, size: int) -> bool:
        """Tell whether to decode so much: there is room, or the row group was asked for before."""
        if size > min(DECODED_BYTES_MAX, self._kept.bytes_max):
            return False
        if self._kept.has_room(2 * size):
            return True
        with self._lock:
            if self._asked.pop((identity, group), self) is None:
                return True
            self._asked[identity, group] = None
            if len(self._asked) > ASKED_MAX:
                self._asked.popitem(last=False)
        return False


def _plain(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _alone(column: pa.Array) -> pa.Array:
    """A part of a column in memory of its own."""
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else pa.concat_arrays([column])


def _in_one_piece(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _mapped(cold: ColdState, entry: BatchFileEntry, positions: Positions, names: Sequence[str]) -> list[pa.Array]:
    rows = read_rows(cold.folder, entry.path, names).take(pa.array(positions))
    return [_in_one_piece(column) for column in rows.columns]
