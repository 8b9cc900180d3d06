"""Keys of many rows at once: hashed, sorted, compared. Pure and vectorised.

Rows are matched by the 64-bit hash of their key, and every match is confirmed on the key's values, unless the hash is
a bijection of the key (`exact`), in which case equal hashes are equal keys. So a collision costs time, never a row.
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
        order = np.argsort(self.hashes)
        ordered = self.hashes[order]
        if bool(np.any(ordered[1:] == ordered[:-1])):
            return np.argsort(self.hashes, kind="stable")
        return order

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
        ordered = self.sorted_hashes
        same_as_next = ordered[1:] == ordered[:-1]
        if not same_as_next.any():
            return np.ones(len(self), dtype=np.bool_)
        pairs = np.flatnonzero(same_as_next)
        if not self.confirm(self.order[pairs], self, self.order[pairs + 1]).all():
            return self._representatives_by_value(last=last)
        chosen = np.ones(len(self), dtype=np.bool_)
        chosen[self.order[pairs if last else pairs + 1]] = False
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
