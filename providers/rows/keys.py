"""Keys of many rows at once: hashed, sorted, compared. Pure and vectorised.

Rows are matched by the 64-bit hash of their key, and every match is confirmed on the key's values, unless the hash is
a bijection of the key (`exact`), in which case equal hashes are equal keys. So a collision costs time, never a row.
Keys of one integer-like column are compared as numbers (`ascending`): batches are sorted by them, so that neither an
index nor a sort by hash is needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bloom import hash_rows, is_exact

DENSE_SPAN_MAX, SPARSE_SPAN_MAX = 16, 128
FLAGS_BYTES_MAX = 32 << 20
"""Up to how many numbers of their range, for each that is there, a flag for all of them is cheaper than a sort.

A flag is a byte, so sparse ones must be few.
"""

FLAGS_AT_A_TIME = 65_536
"""What is computed for so many numbers stays in the processor's cache."""

Hashes = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]
Positions = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Ascending:
    """Keys of one column as ascending numbers, and the row of each; None when the rows are in that order already."""

    numbers: Numbers
    rows: Positions | None

    def find(self, wanted: "Ascending") -> tuple[Positions, Positions]:
        """Return the pairs (row of `wanted`, row of these) with equal keys. These must be distinct."""
        if not len(self.numbers):
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        first = int(np.searchsorted(wanted.numbers, self.numbers[0], side="left"))
        last = int(np.searchsorted(wanted.numbers, self.numbers[-1], side="right"))
        needles = wanted.numbers[first:last]
        places = np.searchsorted(self.numbers, needles)
        hits = np.flatnonzero(self.numbers[places] == needles)
        return wanted.row(hits + first), self.row(places[hits])

    def row(self, places: Positions) -> Positions:
        """The rows at some places of the order."""
        return places if self.rows is None else self.rows[places]


@dataclass(frozen=True, eq=False)
class OrderedKeys:
    """Keys of one column in ascending order, numbers or else text and bytes, and the row of each; None: as they are."""

    values: Numbers | pa.Array
    rows: Positions | None

    def row(self, places: Positions) -> Positions:
        """The rows at some places of the order."""
        return places if self.rows is None else self.rows[places]


@dataclass(frozen=True, eq=False)
class Keys:
    """The keys of a sequence of rows. `stored` are the key's columns in key order, without NULL.

    What is derived of them, is when it is first asked for: numbers mostly do without hashes, and often without being
    brought into one piece.
    """

    stored: tuple[pa.Array | pa.ChunkedArray, ...]
    known_hashes: Hashes | None
    exact: bool

    @classmethod
    def of(cls, columns: Sequence[pa.Array | pa.ChunkedArray]) -> "Keys":
        """The keys of the rows of `columns`."""
        return cls(tuple(columns), None, is_exact([column.type for column in columns]))

    def __len__(self) -> int:
        return len(self.stored[0] if self.known_hashes is None else self.known_hashes)

    @cached_property
    def columns(self) -> tuple[pa.Array, ...]:
        """The key's columns in one piece each."""
        return tuple(map(flatten, self.stored))

    @cached_property
    def hashes(self) -> Hashes:
        """A 64-bit hash of each key."""
        return hash_rows(self.columns) if self.known_hashes is None else self.known_hashes

    @cached_property
    def numbers(self) -> Sequence[Numbers] | None:
        """The keys in row order, in pieces, as numbers of the same order; None for any but one integer-like column."""
        return _as_numbers(self.stored[0]) if len(self.stored) == 1 else None

    @cached_property
    def are_sorted(self) -> bool:
        """Tell, cheaply, whether the first column alone shows that rows are sorted and distinct.

        False also means "not known": only integer-like columns are looked at.
        """
        pieces = _as_numbers(self.stored[0]) if self.stored else None
        return pieces is not None and _is_strictly_ascending(pieces)

    @cached_property
    def order(self) -> Positions:
        """Row positions by ascending hash; rows of equal hash stay in row order."""
        return _stable_order(self.hashes)

    @cached_property
    def ascending(self) -> Ascending | None:
        """The rows by ascending key, those of equal keys in row order; None for any but one integer-like column."""
        if self.numbers is None:
            return None
        numbers = np.concatenate(self.numbers) if len(self.numbers) > 1 else self.numbers[0]
        if len(numbers) < 2 or bool((numbers[1:] >= numbers[:-1]).all()):
            return Ascending(numbers, None)
        order = _stable_order(numbers)
        return Ascending(numbers[order], order)

    @cached_property
    def ordered(self) -> OrderedKeys | None:
        """The keys in the order in which batches have them; None when that is not cheap to tell."""
        if self.ascending is not None:
            return OrderedKeys(self.ascending.numbers, self.ascending.rows)
        if len(self.stored) != 1 or not is_text(self.stored[0].type):
            return None
        order = pc.sort_indices(self.columns[0])
        return OrderedKeys(self.columns[0].take(order), order.to_numpy().astype(np.int64))

    @cached_property
    def sorted_hashes(self) -> Hashes:
        """`hashes` in `order`."""
        return self.hashes[self.order]

    def take(self, positions: Positions) -> "Keys":
        """The keys of some rows."""
        hashes = self.hashes[positions] if self.known_hashes is not None or "hashes" in self.__dict__ else None
        if len(positions) == 1:  # a slice takes no memory, and a twentieth of the time
            return Keys(tuple(column.slice(int(positions[0]), 1) for column in self.columns), hashes, self.exact)
        index = pa.array(positions)
        return Keys(tuple(column.take(index) for column in self.columns), hashes, self.exact)

    def confirm(self, mine: Positions, other: "Keys", theirs: Positions) -> Mask:
        """Tell for each pair (mine[i], theirs[i]) of rows with equal hashes whether the keys are equal."""
        if self.exact or not len(mine):
            return np.ones(len(mine), dtype=np.bool_)
        left, right = pa.array(mine), pa.array(theirs)
        equal = np.ones(len(mine), dtype=np.bool_)
        for column, their_column in zip(self.columns, other.columns, strict=True):
            same = pc.equal(column.take(left), their_column.take(right))
            equal &= same.to_numpy(zero_copy_only=False)
        return equal

    @cached_property
    def last_of_each(self) -> Mask:
        """One flag for each row: true for the last row of every distinct key."""
        return self._representatives(last=True)

    @cached_property
    def first_of_each(self) -> Mask:
        """One flag for each row: true for the first row of every distinct key."""
        return self._representatives(last=False)

    def _representatives(self, *, last: bool) -> Mask:
        if self.are_sorted or not may_share([self]):
            return np.ones(len(self), dtype=np.bool_)
        found = self.ascending
        ordered, rows = (self.sorted_hashes, self.order) if found is None else (found.numbers, found.rows)
        pairs = np.flatnonzero(ordered[1:] == ordered[:-1])
        earlier, later = (pairs, pairs + 1) if rows is None else (rows[pairs], rows[pairs + 1])
        if not self.confirm(earlier, self, later).all():
            return self._representatives_by_value(last=last)
        chosen = np.ones(len(self), dtype=np.bool_)
        chosen[earlier if last else later] = False
        return chosen

    def _representatives_by_value(self, *, last: bool) -> Mask:
        """The same by grouping values, for the rare input in which different keys share a hash."""
        names = [f"k{index}" for index in range(len(self.columns))]
        rows = pa.table([*self.columns, pa.array(np.arange(len(self)))], names=[*names, "row"])
        picked = rows.group_by(names).aggregate([("row", "max" if last else "min")])
        chosen = np.zeros(len(self), dtype=np.bool_)
        chosen[picked["row_max" if last else "row_min"].to_numpy()] = True
        return chosen

    def describe(self, row: int) -> str:
        """One row's key as an error message shows it."""
        values = [_show(column[row].as_py()) for column in self.columns]
        return values[0] if len(values) == 1 else f"({', '.join(values)})"


def are_among(values: Numbers, ascending: Numbers) -> Mask:
    """Tell which values are among some that ascend. Made for few of these, or for values that ascend, too."""
    if not len(ascending):
        return np.zeros(len(values), dtype=np.bool_)
    places = np.searchsorted(ascending, values)
    places[places == len(ascending)] = 0
    found: Mask = ascending[places] == values
    return found


def _stable_order(values: npt.NDArray[np.uint64] | npt.NDArray[np.int64]) -> Positions:
    """The order of `values`, equal ones as they stand. Sorting again when there are any beats sorting stably always."""
    order = np.argsort(values)
    ordered = values[order]
    return np.argsort(values, kind="stable") if bool(np.any(ordered[1:] == ordered[:-1])) else order


def may_share(parts: Sequence[Keys]) -> bool:
    """Tell whether any two rows of all parts may have the same key.

    Sorting everything is cheaper than asking part by part, and than an order of the rows. Parts that are sorted are
    merged: a stable sort finds the ascending runs.
    """
    if _are_distinct_and_dense(parts):
        return False
    numbers = [part.numbers for part in parts if part.numbers is not None]
    if len(numbers) < len(parts):
        together = np.sort(np.concatenate([part.hashes for part in parts]))
    else:
        is_merge = all(part.are_sorted for part in parts)
        together = np.sort(np.concatenate([*chain(*numbers)]), kind="stable" if is_merge else None)
    return bool((together[1:] == together[:-1]).any())


def _are_distinct_and_dense(parts: Sequence[Keys]) -> bool:
    """Tell, cheaply, whether all keys are numbers of a narrow range and distinct; False also means "not known".

    Each number sets a flag of its own: that takes a twentieth of a sort, a third when they are sparse.
    """
    if any(part.numbers is None for part in parts):
        return False
    pieces = [piece for part in parts for piece in part.numbers or () if len(piece)]
    total = sum(map(len, pieces))
    low = min((int(piece.min()) for piece in pieces), default=0)
    span = max((int(piece.max()) for piece in pieces), default=0) - low + 1
    if span > max(DENSE_SPAN_MAX * total, min(SPARSE_SPAN_MAX * total, FLAGS_BYTES_MAX)):
        return False
    seen = np.zeros(span, dtype=np.bool_)
    for piece in pieces:
        for start in range(0, len(piece), FLAGS_AT_A_TIME):
            seen[np.subtract(piece[start : start + FLAGS_AT_A_TIME], low, dtype=np.int64)] = True
    return int(np.count_nonzero(seen)) == total


def _as_numbers(column: pa.Array | pa.ChunkedArray) -> Sequence[Numbers] | None:
    """A column without NULL as integers in the same order, in pieces, or None when its type has no such image."""
    if column.null_count or not is_whole_number(column.type):
        return None
    width = pa.int32() if column.type.bit_width == 32 else pa.int64()
    chunks = (column.chunks or [pa.array([], column.type)]) if isinstance(column, pa.ChunkedArray) else [column]
    plain = (chunk.view(width) if pa.types.is_temporal(chunk.type) else chunk for chunk in chunks)
    return [np.asarray(chunk.to_numpy(zero_copy_only=False)) for chunk in plain]


def _is_strictly_ascending(pieces: Sequence[Numbers]) -> bool:
    """Tell whether each number is larger than the one before."""
    filled = [piece for piece in pieces if len(piece)]
    return all(before[-1] < after[0] for before, after in pairwise(filled)) and all(
        bool((piece[1:] > piece[:-1]).all()) for piece in filled
    )


def _show(value: object) -> str:
    text = repr(value) if isinstance(value, str | bytes) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."


def is_whole_number(data_type: pa.DataType) -> bool:
    """Tell whether values of a type are stored as integers that have the same order."""
    return bool(pa.types.is_signed_integer(data_type) or pa.types.is_temporal(data_type))


def is_text(data_type: pa.DataType) -> bool:
    """Tell whether a type is text or bytes, which compare byte by byte."""
    return bool(pa.types.is_string(data_type) or pa.types.is_binary(data_type))


def flatten(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column as one array, copied only when it has several chunks."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
