"""Batch files read without the engine: for exports, one row group after another, in little memory; small ones whole.

Segments are Arrow files already, and mapped. Of Parquet files, decoding takes longer than sending, so what was read is
kept decoded, within a budget, for the next who wants the same columns of the same batch. A reader of more than the
budget keeps the beginning: the end would push it out each time.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from catalog.definition import Scope
from manifest.batch_entry import BatchFileEntry
from manifest.layout import is_segment
from providers.cold.rows import dictionary_texts, read_rows
from providers.lru import ByteBoundedCache
from providers.snapshot import ColdState

ROWS_AT_A_TIME = 65_536
BYTES_AT_A_TIME = 2 << 20
"""Of encoded rows; what does not divide a row group is put together from two, which takes several times the memory."""

BUFFER_BYTES = 1 << 19
"""Of a column chunk, read at a time."""

Kept = ByteBoundedCache[Hashable, Any]
"""What was decoded of batches: by a batch's identity and what it is of it, in whatever form its reader keeps it."""


WHOLE_PART = 8
"""A batch that is kept whole takes at most this part of the budget, as its file is large; so do those before it."""

UNPACKED = 4
"""A decoded batch is taken to be at most so many times as large as its file."""

ASKED_MAX = 4_096
"""So many batches that were scanned once are remembered."""


Made = TypeVar("Made")


class DecodedFiles:
    """What was decoded of whole files, among what else is `kept`."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._asked: OrderedDict[Hashable, None] = OrderedDict()
        self._lock = threading.Lock()

    def whole(
        self, scope: Scope, entry: BatchFileEntry, names: Sequence[str], read: Callable[[], pa.Table]
    ) -> list[pa.RecordBatch] | None:
        """All rows of a batch as `read` reads them; None the first time, and when they are too large to keep."""
        if entry.bytes * UNPACKED * WHOLE_PART > self._kept.bytes_max:
            return None
        key = (scope, entry.identity, "whole", tuple(names))
        known: list[pa.RecordBatch] | None = self._kept.find(key)
        if known is None and self._was_asked(key):
            known = read().combine_chunks().to_batches()
            self._kept.put(key, known, sum(int(batch.get_total_buffer_size()) for batch in known))
        return known

    def made(
        self, scope: Scope, key: Hashable, sources: Sequence[object], make: Callable[[], tuple[Made, int] | None]
    ) -> Made | None:
        """What `make` makes of batches that are kept whole, and how many of their bytes it holds; None when it cannot.

        It is kept for as long as there is room for it, too, and its `sources` are the very same.
        """
        known = self._kept.find((scope, "made", key))
        if known is not None and all(one is other for one, other in zip(known[0], sources, strict=True)):
            return known[1]  # type: ignore[no-any-return]
        found = make()
        if found is None:
            return None
        self._kept.put((scope, "made", key), (sources, found[0]), found[1])
        return found[0]

    def _was_asked(self, key: Hashable) -> bool:
        """Tell whether something was asked for before, and remember that it was."""
        with self._lock:
            if self._asked.pop(key, self) is None:
                return True
            self._asked[key] = None
            if len(self._asked) > ASKED_MAX:
                self._asked.popitem(last=False)
        return False

    def reader(self) -> "FileReader":
        """A reader for one pass over some files."""
        return FileReader(self._kept, self._kept.bytes_max)


class FileReader:
    """Reads files, several at a time if need be. Of all it reads, it uses and keeps at most `allowed_bytes`."""

    def __init__(self, kept: Kept, allowed_bytes: int) -> None:
        self._kept = kept
        self._allowed_bytes = allowed_bytes
        self._lock = threading.Lock()

    def rows(self, cold: ColdState, entry: BatchFileEntry, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """All rows of a batch in their order, some columns by their physical names; text may come as dictionaries."""
        if is_segment(entry.path):
            yield from read_rows(cold.folder, entry.path, names).to_batches(ROWS_AT_A_TIME)
            return
        key = (cold.scope, entry.identity, tuple(names))
        known: list[pa.RecordBatch] | None = self._kept.find(key)
        if known is not None:
            self._allows(sum(batch.nbytes for batch in known))
            yield from known
            return
        batches: list[pa.RecordBatch] | None = []
        for batch in _decoded(cold.path(entry), names):
            if batches is not None and self._allows(batch.nbytes):
                batches.append(batch)
            else:
                batches = None
            yield batch
        if batches is not None:
            self._kept.put(key, batches, sum(batch.nbytes for batch in batches))

    def _allows(self, size: int) -> bool:
        with self._lock:
            self._allowed_bytes -= size
            return self._allowed_bytes >= 0


def _decoded(path: str, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    metadata = pq.read_metadata(path)
    size = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    rows = min(_power_of_two(BYTES_AT_A_TIME * metadata.num_rows // max(size, 1)), ROWS_AT_A_TIME)
    repeating = dictionary_texts(metadata)
    with pq.ParquetFile(
        path, metadata=metadata, read_dictionary=repeating, pre_buffer=False, buffer_size=BUFFER_BYTES
    ) as file:
        yield from file.iter_batches(rows, columns=names, use_threads=False)


def _power_of_two(most: int) -> int:
    return 1 << max(most.bit_length() - 1, 0)
