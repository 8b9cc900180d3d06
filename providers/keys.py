"""Keys of many rows at once: hashed, sorted, compared. Pure and vectorised.

Rows are matched by the 64-bit hash of their key, and every match is confirmed on the key's values, unless the hash is
a bijection of the key (`exact`), in which case equal hashes are equal keys. So a collision costs time, never a row.
Keys of one integer-like column are compared as numbers (`ascending`): batches are sorted by them, so that neither an
index nor a sort by hash is needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bloom import hash_rows, is_exact

Hashes = npt.NDArray[np.uint64]
Positions = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Ascending:
    """Keys of one column as ascending numbers, and the row of each; None when the rows are in that order already."""

    numbers: npt.NDArray[np.int64]
    rows: Positions | None

    def find(self, wanted: "Ascending") -> tuple[Positions, Positions]:
        """Return the pairs (row of `wanted`, row of these) with equal keys. These must be distinct and in row order."""
        if not len(self.numbers):
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        first = int(np.searchsorted(wanted.numbers, self.numbers[0], side="left"))
        last = int(np.searchsorted(wanted.numbers, self.numbers[-1], side="right"))
        needles = wanted.numbers[first:last]
        places = np.searchsorted(self.numbers, needles)
        hits = np.flatnonzero(self.numbers[places] == needles)
        found = hits + first
        return found if wanted.rows is None else wanted.rows[found], places[hits]


@dataclass(frozen=True, eq=False)
class Keys:
    """The keys of a sequence of rows. `columns` are the key's columns in key order, without NULL."""

    columns: tuple[pa.Array, ...]
    hashes: Hashes
    exact: bool

    @classmethod
    def of(cls, columns: Sequence[pa.Array | pa.ChunkedArray]) -> "Keys":
        """Hash the rows of `columns`."""
        flat = tuple(flatten(column) for column in columns)
        return cls(flat, hash_rows(flat), is_exact([column.type for column in flat]))

    def __len__(self) -> int:
        return len(self.hashes)

    @cached_property
    def order(self) -> Positions:
        """Row positions by ascending hash; rows of equal hash stay in row order."""
        return _stable_order(self.hashes)

    @cached_property
    def ascending(self) -> Ascending | None:
        """The rows by ascending key, those of equal keys in row order; None for any but one integer-like column."""
        numbers = as_integers(self.columns[0]) if len(self.columns) == 1 else None
        if numbers is None:
            return None
        if bool((numbers[1:] >= numbers[:-1]).all()):
            return Ascending(numbers, None)
        order = _stable_order(numbers)
        return Ascending(numbers[order], order)

    @cached_property
    def sorted_hashes(self) -> Hashes:
        """`hashes` in `order`."""
        return self.hashes[self.order]

    def take(self, positions: Positions) -> "Keys":
        """The keys of some rows."""
        index = pa.array(positions)
        return Keys(tuple(column.take(index) for column in self.columns), self.hashes[positions], self.exact)

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
        if is_strictly_ascending(self.columns[:1]):
            return np.ones(len(self), dtype=np.bool_)
        found = self.ascending
        ordered, rows = (self.sorted_hashes, self.order) if found is None else (found.numbers, found.rows)
        pairs = np.flatnonzero(ordered[1:] == ordered[:-1])
        if not len(pairs):
            return np.ones(len(self), dtype=np.bool_)
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


def _stable_order(values: npt.NDArray[np.uint64] | npt.NDArray[np.int64]) -> Positions:
    """The order of `values`, equal ones as they stand. Sorting again when there are any beats sorting stably always."""
    order = np.argsort(values)
    ordered = values[order]
    return np.argsort(values, kind="stable") if bool(np.any(ordered[1:] == ordered[:-1])) else order


def may_share(parts: Sequence[Keys]) -> bool:
    """Tell whether two parts may have a key in common; the keys of each are distinct.

    Sorting everything is cheaper than asking part by part. Numbers are merged: a stable sort finds the ascending runs.
    """
    ascending = [found for found in (part.ascending for part in parts) if found is not None]
    if len(ascending) == len(parts):
        together = np.sort(np.concatenate([found.numbers for found in ascending]), kind="stable")
    else:
        together = np.sort(np.concatenate([part.hashes for part in parts]))
    return bool((together[1:] == together[:-1]).any())


def as_integers(values: pa.Array) -> npt.NDArray[np.int64] | None:
    """A column without NULL as 64-bit integers in the same order, or None when its type has no such image."""
    if values.null_count or not (pa.types.is_signed_integer(values.type) or pa.types.is_temporal(values.type)):
        return None
    width = pa.int32() if values.type.bit_width == 32 else pa.int64()
    plain = values.view(width) if pa.types.is_temporal(values.type) else values
    return np.asarray(plain.to_numpy(zero_copy_only=False))


def is_strictly_ascending(columns: Sequence[pa.Array]) -> bool:
    """Tell, cheaply, whether the first column of a key alone shows that rows are sorted and distinct.

    False also means "not known": only integer-like columns are looked at.
    """
    numbers = as_integers(columns[0]) if columns else None
    return numbers is not None and bool((numbers[1:] > numbers[:-1]).all())


def _show(value: object) -> str:
    text = repr(value) if isinstance(value, str | bytes) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."


def flatten(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column as one array, copied only when it has several chunks."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
