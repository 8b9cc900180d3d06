"""Where the rows of a job come from: chunks that are in memory or mapped, and files that are read from end to end.

A source numbers its live rows from 0. It gives their keys all at once, and the rows themselves a few at a time.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.definition import Column
from catalog.errors import DatabaseError, ErrorKind
from manifest.batch_entry import BatchFileEntry
from providers.cold.files import ColdFiles
from providers.cold.rows import StreamedFile
from providers.rows.keys import Mask, Positions
from providers.snapshot import Snapshot

WINDOW_ROWS_MIN, WINDOW_ROWS_MAX = 16, 65_536


Evolve = Callable[[pa.RecordBatch], pa.RecordBatch]
"""Brings rows into the columns of today."""


def unchanged(rows: pa.RecordBatch) -> pa.RecordBatch:
    """For rows that have them."""
    return rows


class RowSource(Protocol):
    """Some rows of a scope. `row_bytes` is about what one takes in memory."""

    @property
    def rows(self) -> int:
        """How many are live."""

    @property
    def row_bytes(self) -> float:
        """Of one of them."""

    @property
    def is_sorted(self) -> bool:
        """Tell whether they are in the order of their keys, so that they are taken from first to last."""

    @property
    def nbytes(self) -> int:
        """What its keys may take, at most."""

    def keys(self) -> Sequence[pa.ChunkedArray]:
        """The key's columns."""

    def take(self, positions: Positions) -> Sequence[pa.RecordBatch]:
        """Some rows, one after another."""

    def may_have_nan(self, column: Column) -> bool:
        """Tell whether a floating column may hold a NaN."""


@dataclass(frozen=True, eq=False)
class ChunkSource:
    """A record batch; `live` is None when all of its rows are."""

    chunk: pa.RecordBatch
    live: Mask | None
    key: Sequence[str]
    evolved: Evolve = unchanged

    @cached_property
    def _live_positions(self) -> Positions | None:
        return None if self.live is None else np.flatnonzero(self.live)

    @property
    def rows(self) -> int:
        """How many are live."""
        return self.chunk.num_rows if self._live_positions is None else len(self._live_positions)

    @property
    def row_bytes(self) -> float:
        """Of one of them."""
        row_bytes: float = self.chunk.nbytes / max(self.chunk.num_rows, 1)
        return row_bytes

    @property
    def nbytes(self) -> int:
        """What its keys may take, at most."""
        return int(self.chunk.nbytes)

    @property
    def is_sorted(self) -> bool:
        """Rows are in the order in which they came."""
        return False

    def keys(self) -> Sequence[pa.ChunkedArray]:
        """The key's columns."""
        columns = [self.chunk.column(name) for name in self.key]
        kept = columns if self.live is None else [column.filter(pa.array(self.live)) for column in columns]
        return [pa.chunked_array([column]) for column in kept]

    def take(self, positions: Positions) -> Sequence[pa.RecordBatch]:
        """Some rows, in any order."""
        here = positions if self._live_positions is None else self._live_positions[positions]
        return [self.evolved(self.chunk.take(pa.array(here)))]

    def may_have_nan(self, column: Column) -> bool:
        """Look at the values."""
        found = self.chunk.schema.get_field_index(column.physical)
        return found < 0 or bool(pc.any(pc.is_nan(self.chunk.column(found))).as_py())


@dataclass(eq=False)
class FileSource:
    """The live rows of a sorted batch file, as `live` tells. Each is taken once, in the order of the file.

    `columns` are those that are read, if the file has them; about `window_bytes` are read at a time.
    """

    files: ColdFiles
    snapshot: Snapshot
    entry: BatchFileEntry
    live: Mask
    columns: Collection[str]
    evolved: Evolve
    window_bytes: int
    _window: list[pa.RecordBatch] = field(default_factory=list)
    _taken: int = 0
    _reader: Iterator[pa.RecordBatch] | None = None

    @cached_property
    def _file(self) -> StreamedFile:
        return self.files.streamed(self.snapshot.cold, self.entry, self.columns)

    @property
    def rows(self) -> int:
        """How many are live."""
        return self.entry.rows - self.snapshot.dead_in(self.entry).count

    @property
    def row_bytes(self) -> float:
        """Of one of them."""
        return self._file.row_bytes

    @property
    def nbytes(self) -> int:
        """What its keys may take, at most."""
        return int(self.row_bytes * self.rows)

    @property
    def is_sorted(self) -> bool:
        """A batch is."""
        return True

    def keys(self) -> Sequence[pa.ChunkedArray]:
        """The key's columns."""
        names = [column.physical for column in self.snapshot.table.key_columns]
        rows = self.files.rows(self.snapshot.cold, self.entry, names)
        return [(rows if self.live.all() else rows.filter(pa.array(self.live))).column(name) for name in names]

    def take(self, positions: Positions) -> Sequence[pa.RecordBatch]:
        """The next rows."""
        if int(positions[0]) != self._taken or int(positions[-1]) - self._taken + 1 != len(positions):
            raise DatabaseError(ErrorKind.CORRUPT, f"the rows of batch {self.entry.batch} are not in their order")
        self._taken += len(positions)
        found, wanted = [], len(positions)
        while wanted:
            window = self._window.pop() if self._window else self._read()
            part = window.slice(0, wanted)
            if part.num_rows < window.num_rows:
                self._window.append(window.slice(part.num_rows))
            found.append(part)
            wanted -= part.num_rows
        return found

    def _read(self) -> pa.RecordBatch:
        """The live ones of the next rows of the file."""
        if self._reader is None:
            rows = int(np.clip(self.window_bytes / max(self.row_bytes, 1), WINDOW_ROWS_MIN, WINDOW_ROWS_MAX))
            stream = self.files.stream(self.snapshot.cold, self.entry, self._file, rows)
            self._reader = _live_rows(stream, self.live)
        return self.evolved(next(self._reader))

    def may_have_nan(self, column: Column) -> bool:
        """The manifest has no bounds of a column with a NaN."""
        known = self.entry.columns.get(column.id)
        return known is None or (known.min is None and known.null_count < self.entry.rows)


def _live_rows(stream: Iterator[pa.RecordBatch], live: Mask) -> Iterator[pa.RecordBatch]:
    """What is live of consecutive rows; nothing is kept of where they come from, so that their source can go."""
    start = 0
    for batch in stream:
        here = live[start : start + batch.num_rows]
        start += batch.num_rows
        kept = batch if here.all() else batch.filter(pa.array(here))
        if kept.num_rows:
            yield kept
