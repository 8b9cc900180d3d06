"""The batches of a part as the file of the part has them: text, compressed, which becomes entries when somebody asks.

An entry takes some kilobytes as Python's objects, and a scope may have a hundred thousand. Most of them lie still, in
parts whose files are written; of those is known here what is asked of all (numbers, rows, totals), and the rest is
unpacked part by part, and kept for the parts asked last.
"""

import json
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, overload

import numpy as np
import numpy.typing as npt
from zlib_ng import zlib_ng

from catalog.errors import DatabaseError, ErrorKind
from manifest.batch_entry import BatchFileEntry, entry_from_json
from manifest.layout import is_segment

UNPACKED_PARTS = 32
"""Of so many parts the entries are kept: some megabytes."""

_LEVEL = 1


class _Text:
    """A part's text. What is unpacked of it is kept by who it is."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = zlib_ng.compress(data, _LEVEL)

    @property
    def nbytes(self) -> int:
        return len(self._data)

    def raw(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(zlib_ng.decompress(self._data))
        return found


class PackedEntries(Sequence[BatchFileEntry]):
    """Batches by ascending number. ValueError, KeyError or TypeError for text that does not say what it should."""

    def __init__(self, data: bytes) -> None:
        raw = json.loads(data)
        self._text = _Text(data)
        self.numbers = array("q", (int(entry["batch"]) for entry in raw))
        self.row_counts = np.array([int(entry["rows"]) for entry in raw], dtype=np.int64)
        self.dead_counts = np.array([int(entry["dead"]) for entry in raw], dtype=np.int64)
        self.has_deletions = np.array([entry["dv"] is not None for entry in raw], dtype=np.bool_)
        self.bytes = sum(int(entry["bytes"]) for entry in raw)
        self.max_seq = max((int(entry["max_seq"]) for entry in raw), default=0)
        self.has_segments = any(is_segment(entry["path"]) for entry in raw)
        self.columns = max((len(entry["columns"]) for entry in raw), default=0)

    @property
    def nbytes(self) -> int:
        """The memory of the text."""
        return self._text.nbytes

    def raw(self) -> list[dict[str, Any]]:
        """What the text says, in JSON's types."""
        return self._text.raw()

    def find(self, batch: int) -> BatchFileEntry | None:
        """The batch of a number, if it is here."""
        place = bisect_left(self.numbers, batch)
        return self[place] if place < len(self.numbers) and self.numbers[place] == batch else None

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, place: int) -> BatchFileEntry: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[BatchFileEntry]: ...
    def __getitem__(self, place: int | slice) -> BatchFileEntry | Sequence[BatchFileEntry]:
        return _unpacked(self._text)[place]

    def __iter__(self) -> Iterator[BatchFileEntry]:
        return iter(_unpacked(self._text))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PackedEntries | tuple):
            return NotImplemented
        return self is other or tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]


class PackedByNumber(Mapping[int, BatchFileEntry]):
    """The batches by their numbers."""

    def __init__(self, entries: PackedEntries) -> None:
        self._entries = entries

    def __getitem__(self, batch: int) -> BatchFileEntry:
        found = self._entries.find(batch)
        if found is None:
            raise KeyError(batch)
        return found

    def __contains__(self, batch: object) -> bool:
        numbers = self._entries.numbers
        if not isinstance(batch, int):
            return False
        place = bisect_left(numbers, batch)
        return place < len(numbers) and numbers[place] == batch

    def __iter__(self) -> Iterator[int]:
        return iter(self._entries.numbers)

    def __len__(self) -> int:
        return len(self._entries)


@lru_cache(UNPACKED_PARTS)
def _unpacked(text: _Text) -> tuple[BatchFileEntry, ...]:
    try:
        return tuple(map(entry_from_json, text.raw()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatabaseError(ErrorKind.CORRUPT, "the file of a part of a manifest is not readable") from error


def rows_of(entries: Sequence[BatchFileEntry]) -> npt.NDArray[np.int64]:
    """Rows of each batch."""
    if isinstance(entries, PackedEntries):
        return entries.row_counts
    return np.array([entry.rows for entry in entries], dtype=np.int64)
