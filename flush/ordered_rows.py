"""The rows of many sources in the order of their keys, so many at a time as a job may hold.

First the order, from the keys alone; then the rows, piece by piece, each from those sources that have some of it. What
a job holds is so an order of all rows, and the bytes of a few pieces, however large the sources are.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from catalog.definition import TableDef
from flush.batch_writer import BatchRows
from flush.parquet_file import ROW_GROUP_BYTES_MAX, ROW_GROUP_ROWS
from flush.row_sources import RowSource
from providers.rows.keys import Keys, Positions


@dataclass(frozen=True)
class BatchLimits:
    """The most that one batch may have, unless a single row has more."""

    rows: int
    bytes: int


class OrderedRows:
    """The live rows of some sources, which have no key twice, by ascending key. To be read once."""

    def __init__(self, table: TableDef, sources: Sequence[RowSource]) -> None:
        self._table = table
        self._sources = sources
        self._starts = np.cumsum([0, *(source.rows for source in sources)])[:-1]
        self.rows = sum(source.rows for source in sources)
        self._at = 0

    @cached_property
    def order(self) -> Positions:
        """Which row stands where: rows are numbered from 0 through all sources, one after another."""
        columns = [
            pa.chunked_array([chunk for column in same for chunk in column.chunks])
            for same in zip(*(source.keys() for source in self._sources), strict=True)
        ]
        is_merge = all(source.is_sorted for source in self._sources)
        return key_order(Keys.of(columns), is_merge=is_merge)

    def batches(self, limits: BatchLimits, check: Callable[[], None]) -> Iterator[BatchRows]:
        """The rows for one batch after another; each is to be read before the next. `check` is asked before a piece."""
        floating = [column for column in self._table.columns if pa.types.is_floating(column.storage)]
        with_nan = {c.physical for c in floating if any(source.may_have_nan(c) for source in self._sources)}
        while self._at < self.rows:
            yield BatchRows(self._one_batch(limits, check), with_nan)

    def _one_batch(self, limits: BatchLimits, check: Callable[[], None]) -> Iterator[pa.Table]:
        rows, size = 0, 0
        piece_bytes = min(ROW_GROUP_BYTES_MAX, limits.bytes)
        while self._at < self.rows and rows < limits.rows and (not rows or size + piece_bytes <= limits.bytes):
            check()
            piece = self._next(min(ROW_GROUP_ROWS, limits.rows - rows), piece_bytes)
            rows += piece.num_rows
            size += piece.nbytes
            yield piece
            del piece  # before the next is made

    def _next(self, rows_max: int, bytes_max: int) -> pa.Table:
        """The next rows, not more than that, and one at least."""
        wanted = self.order[self._at : self._at + rows_max]
        numbers = np.searchsorted(self._starts, wanted, side="right") - 1
        count = max(int(np.searchsorted(np.cumsum(self._row_bytes[numbers]), bytes_max, side="right")), 1)
        piece = self._gather(wanted[:count], numbers[:count])
        self._at += count
        return piece

    @cached_property
    def _row_bytes(self) -> npt.NDArray[np.float64]:
        return np.array([source.row_bytes for source in self._sources])

    def _gather(self, wanted: Positions, numbers: Positions) -> pa.Table:
        """Some rows, each from the source of that number."""
        by_source = np.argsort(numbers, kind="stable")
        sorted_numbers = numbers[by_source]
        bounds = np.flatnonzero(np.diff(sorted_numbers, prepend=-1))
        parts: list[pa.RecordBatch] = []
        for here in np.split(by_source, bounds[1:]):
            number = int(numbers[here[0]])
            parts += self._sources[number].take(wanted[here] - self._starts[number])
        rows = pa.Table.from_batches(parts)
        if bool((by_source[1:] > by_source[:-1]).all()):
            return rows
        places = np.empty(len(by_source), dtype=np.int64)
        places[by_source] = np.arange(len(by_source))
        return rows.take(pa.array(places))


def key_order(keys: Keys, *, is_merge: bool = False) -> Positions:
    """Rows by ascending key. `is_merge` says that they are a few ascending runs, which a stable sort finds."""
    if keys.are_sorted:
        return np.arange(len(keys), dtype=np.int64)
    if keys.numbers is not None:
        return np.argsort(np.concatenate(keys.numbers), kind="stable" if is_merge else None)
    named = pa.table(list(keys.stored), names=[f"k{i}" for i in range(len(keys.stored))])
    order = pc.sort_indices(named, sort_keys=[(name, "ascending") for name in named.column_names])
    return np.asarray(order.to_numpy()).astype(np.int64)
