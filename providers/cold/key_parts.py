"""Keys of a batch file, one row group at a time. Pure.

A batch is sorted by its key, each key once. So when the key is one column that compares like the file's own bounds, a
row group holds a range of keys, and its column alone, in its smallest form, is searched: no index is built, only row
groups that may hold a wanted key are looked at, and each is kept or forgotten by itself. Such keys are *ordered*:
integers and what is stored like them, text and bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from providers.cold.rows import GroupBounds
from providers.rows.keys import Keys, Numbers, OrderedKeys, Positions, flatten, is_text, is_whole_number

_WIDTHS = (np.uint8, np.uint16, np.uint32)


@dataclass(frozen=True, eq=False)
class NumberPart:
    """Ascending distinct numbers as differences from the first, as narrow as they fit."""

    first: np.int64
    differences: npt.NDArray[np.unsignedinteger]

    @classmethod
    def of(cls, column: pa.Array | pa.ChunkedArray) -> "NumberPart":
        """The numbers of a key column."""
        pieces = Keys.of([column]).numbers or []
        numbers = np.concatenate([piece.astype(np.int64, copy=False) for piece in pieces])
        span = int(numbers[-1]) - int(numbers[0])
        width = next((width for width in _WIDTHS if span <= np.iinfo(width).max), np.uint64)
        return cls(numbers[0], _differences(numbers, numbers[0]).astype(width))

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        return self.differences.nbytes

    def find(self, wanted: Numbers) -> tuple[Positions, Positions]:
        """Return the pairs (place in `wanted`, row of the part) of equal keys, all of them within its bounds."""
        needles = _differences(wanted.astype(np.int64, copy=False), self.first).astype(self.differences.dtype)
        rows = np.searchsorted(self.differences, needles)
        hits = np.flatnonzero(self.differences[rows] == needles)
        return hits, rows[hits]


@dataclass(frozen=True, eq=False)
class TextPart:
    """Ascending distinct texts or bytes."""

    values: pa.Array

    @classmethod
    def of(cls, column: pa.Array | pa.ChunkedArray) -> "TextPart":
        """The values of a key column."""
        return cls(flatten(column))

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        return int(self.values.nbytes)

    def find(self, wanted: pa.Array) -> tuple[Positions, Positions]:
        """Return the pairs (place in `wanted`, row of the part) of equal keys, which lie within its bounds."""
        rows = pc.search_sorted(self.values, wanted, side="left")
        equal = pc.equal(self.values.take(rows), wanted).to_numpy(zero_copy_only=False)
        hits = np.flatnonzero(equal)
        return hits, rows.to_numpy().astype(np.int64)[hits]


Part = NumberPart | TextPart


@dataclass(frozen=True, eq=False)
class KeyGroups:
    """The row groups of a batch file: the first row of each, and the bounds of its keys."""

    starts: Positions
    low: Numbers | pa.Array
    high: Numbers | pa.Array

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        return int(self.starts.nbytes + self.low.nbytes + self.high.nbytes)

    def places(self, wanted: OrderedKeys) -> dict[int, Positions]:
        """The row groups with bounds that hold some of the keys, and which places of the order these have."""
        if isinstance(self.low, np.ndarray):
            begins = np.searchsorted(wanted.values, self.low, "left")
            ends = np.searchsorted(wanted.values, self.high, "right")
        else:
            begins = pc.search_sorted(wanted.values, self.low, side="left").to_numpy()
            ends = pc.search_sorted(wanted.values, self.high, side="right").to_numpy()
        return {
            int(number): np.arange(begins[number], ends[number], dtype=np.int64)
            for number in np.flatnonzero(begins < ends)
        }


def has_ordered_key(key: list[pa.DataType]) -> bool:
    """Tell whether keys of these column types are ordered."""
    return len(key) == 1 and (is_whole_number(key[0]) or is_text(key[0]))


def key_groups(groups: Sequence[GroupBounds], data_type: pa.DataType) -> KeyGroups | None:
    """The row groups of a file with an ordered key of a type; None when it lacks a bound."""
    if any(group.low is None or group.high is None for group in groups):
        return None
    low, high = [group.low for group in groups], [group.high for group in groups]
    starts = np.cumsum([0, *(group.rows for group in groups)], dtype=np.int64)[:-1]
    if is_text(data_type):
        return KeyGroups(starts, *(pa.array(values, pa.binary()).cast(data_type) for values in (low, high)))
    return KeyGroups(starts, np.array(low, dtype=np.int64), np.array(high, dtype=np.int64))


def part_of(column: pa.Array | pa.ChunkedArray) -> Part:
    """An ordered key's column of one row group."""
    return TextPart.of(column) if is_text(column.type) else NumberPart.of(column)


def _differences(numbers: Numbers, first: np.int64) -> npt.NDArray[np.uint64]:
    """How far each number, none of which is smaller, lies above the first. Wrapping is what makes it fit."""
    return numbers.view(np.uint64) - first.view(np.uint64)
