"""Keys of a batch file, one row group at a time. Pure.

A batch is sorted by its key, each key once. So when the key is one column that compares like the file's own bounds, a
row group holds a range of keys, and its column alone, in a small form, is searched: no index is built, only row groups
that may hold a wanted key are looked at, and each is kept or forgotten by itself, or with all others of its batch. Such
keys are *ordered*: integers and what is stored like them, text and bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from providers.cold.rows import GroupBounds
from providers.rows.keys import Keys, Numbers, OrderedKeys, Positions, flatten, is_text, is_whole_number

BLOCK_ROWS = 32
"""Of so many rows the first key is kept whole, and the others by how far they are from it."""

NEEDLES_AT_A_TIME = 65_536
SUFFIX_BYTES_MAX = 8

NO_ROWS: Positions = np.empty(0, dtype=np.int64)

_WIDTHS = (np.uint8, np.uint16, np.uint32)
_SIGN = np.uint64(1 << 63)


@dataclass(frozen=True, eq=False)
class NumberPart:
    """Ascending distinct numbers in blocks: the first of each, and a row of differences from it, as narrow as they fit.

    The last block is filled up with its last number.
    """

    firsts: npt.NDArray[np.int64]
    differences: npt.NDArray[np.unsignedinteger]

    @classmethod
    def of(cls, pieces: Sequence[Numbers]) -> "NumberPart":
        """Numbers in pieces, at least one in all."""
        numbers = np.concatenate([piece.astype(np.int64, copy=False) for piece in pieces])
        filled = np.concatenate([numbers, np.repeat(numbers[-1:], -len(numbers) % BLOCK_ROWS)])
        blocks = filled.reshape(-1, BLOCK_ROWS)
        firsts = blocks[:, 0].copy()
        differences = _differences(blocks, firsts[:, np.newaxis])
        span = int(differences[:, -1].max())
        width = next((width for width in _WIDTHS if span <= np.iinfo(width).max), np.uint64)
        return cls(firsts, differences.astype(width))

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        return self.firsts.nbytes + self.differences.nbytes

    def find(self, wanted: Numbers) -> tuple[Positions, Positions]:
        """Return the pairs (place in `wanted`, row of the part) of equal keys; `wanted` ascends."""
        if len(wanted) == 1:
            return self._find_one(int(wanted[0]))
        bounds = int(self.firsts[0]), int(self.firsts[-1]) + int(self.differences[-1, -1])
        first, last = int(np.searchsorted(wanted, bounds[0])), int(np.searchsorted(wanted, bounds[1], "right"))
        starts = range(first, last, NEEDLES_AT_A_TIME)
        found = [self._find(wanted[start : min(start + NEEDLES_AT_A_TIME, last)]) for start in starts]
        hits = [here + start for start, (here, _) in zip(starts, found, strict=True)]
        return np.concatenate([NO_ROWS, *hits]), np.concatenate([NO_ROWS, *(rows for _, rows in found)])

    def _find_one(self, number: int) -> tuple[Positions, Positions]:
        """The same, of one number, in a third of the time."""
        block = int(self.firsts.searchsorted(number, side="right")) - 1
        needle = number - int(self.firsts[block])
        if block < 0 or needle > np.iinfo(self.differences.dtype).max:
            return NO_ROWS, NO_ROWS
        rows = (self.differences[block] == needle).nonzero()[0][:1]
        return np.zeros(len(rows), dtype=np.int64), rows + block * BLOCK_ROWS

    def _find(self, numbers: Numbers) -> tuple[Positions, Positions]:
        """The same, of numbers that lie within the part's bounds."""
        wanted = numbers.astype(np.int64, copy=False)
        blocks = np.searchsorted(self.firsts, wanted, side="right") - 1
        needles = _differences(wanted, self.firsts[blocks])
        fits = needles <= np.iinfo(self.differences.dtype).max
        equal = self.differences[blocks] == needles.astype(self.differences.dtype)[:, np.newaxis]
        places = equal.argmax(axis=1)
        hits = np.flatnonzero(equal[np.arange(len(wanted)), places] & fits)
        return hits, (blocks * BLOCK_ROWS + places)[hits]


@dataclass(frozen=True, eq=False)
class SuffixPart:
    """Ascending distinct texts or bytes with one beginning and few bytes after it, which are kept as numbers.

    Each number has `suffix_bytes`, the first byte highest, and zeros for those that are not there: no text may have a
    zero byte itself.
    """

    prefix: bytes
    suffix_bytes: int
    suffixes: NumberPart

    @classmethod
    def of(cls, values: pa.Array) -> "SuffixPart | None":
        """Some values, at least one; None when they cannot be kept so."""
        binary = values.cast(pa.binary())
        prefix = _beginning(binary[0].as_py(), binary[-1].as_py())
        suffix_bytes = pc.max(pc.binary_length(binary)).as_py() - len(prefix)
        if suffix_bytes > SUFFIX_BYTES_MAX or pc.any(pc.match_substring(binary, b"\x00")).as_py():
            return None
        return cls(prefix, suffix_bytes, NumberPart.of([_suffixes(binary, len(prefix), suffix_bytes)]))

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        return len(self.prefix) + self.suffixes.nbytes

    def find(self, wanted: pa.Array) -> tuple[Positions, Positions]:
        """Return the pairs (place in `wanted`, row of the part) of equal keys."""
        binary = wanted.cast(pa.binary())
        fits = pc.and_(
            pc.starts_with(binary, self.prefix),
            pc.and_not(
                pc.less_equal(pc.binary_length(binary), len(self.prefix) + self.suffix_bytes),
                pc.match_substring(binary, b"\x00"),
            ),
        )
        places = np.flatnonzero(fits.to_numpy(zero_copy_only=False))
        hits, rows = self.suffixes.find(_suffixes(binary.filter(fits), len(self.prefix), self.suffix_bytes))
        return places[hits], rows


@dataclass(frozen=True, eq=False)
class TextPart:
    """Ascending distinct texts or bytes as they are."""

    values: pa.Array

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


Part = NumberPart | SuffixPart | TextPart


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
    """An ordered key's column of some row groups."""
    if not is_text(column.type):
        return NumberPart.of(Keys.of([column]).numbers or [])
    values = flatten(column)
    return SuffixPart.of(values) or TextPart(values)


def _differences(numbers: Numbers, first: Numbers) -> npt.NDArray[np.uint64]:
    """How far each number lies above the first of its block. Wrapping is what makes it fit."""
    return numbers.view(np.uint64) - first.view(np.uint64)


def _beginning(first: bytes, last: bytes) -> bytes:
    """What both begin with, and so does all that is between them."""
    differs = (place for place, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    return first[: next(differs, min(len(first), len(last)))]


def _suffixes(values: pa.Array, start: int, count: int) -> Numbers:
    """The bytes from a place on, at most so many, as numbers of the same order."""
    rest = pc.binary_slice(values, start, start + SUFFIX_BYTES_MAX)
    _, offsets, data = rest.buffers()
    starts = np.frombuffer(offsets, np.int32)[rest.offset : rest.offset + len(rest) + 1]
    lengths = np.diff(starts)
    letters = np.empty(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    numbers = np.zeros(len(rest), np.uint64)
    for place in range(count):
        there = np.flatnonzero(lengths > place)
        numbers[there] |= letters[starts[there] + place].astype(np.uint64) << np.uint64(8 * (count - 1 - place))
    return (numbers ^ _SIGN).view(np.int64)
