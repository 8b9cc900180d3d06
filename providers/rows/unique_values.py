"""What rows have in the columns of a UNIQUE: compared as keys are, without the rows that have a NULL in one. Pure.

Every NaN is one value here, and -0.0 is 0.0, as everywhere. So numbers with a point are compared by their bits, and
their hashes are those that bloom filters have of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from providers.rows.hash_index import HashIndex
from providers.rows.keys import Keys, Mask, Positions, flatten

_CANONICAL_NAN = np.int64(0x7FF8_0000_0000_0000)


@dataclass(frozen=True, eq=False)
class UniqueValues:
    """`stored` are the columns as they are stored, without rows that have a NULL; `rows` says which rows these are."""

    stored: tuple[pa.Array, ...]
    rows: Positions

    @classmethod
    def of(cls, columns: Sequence[pa.Array | pa.ChunkedArray], rows: Positions | None = None) -> "UniqueValues":
        """The values of columns of equal length; `rows` are what rows are called, which is else their position."""
        arrays = tuple(map(flatten, columns))
        known = np.arange(len(arrays[0]), dtype=np.int64) if rows is None else rows
        if not any(array.null_count for array in arrays):
            return cls(arrays, known)
        valid = reduce(pc.and_, [array.is_valid() for array in arrays])
        return cls(tuple(array.filter(valid) for array in arrays), known[valid.to_numpy(zero_copy_only=False)])

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def keys(self) -> Keys:
        """The values as keys, which are equal where the values are."""
        return Keys.of([_comparable(column) for column in self.stored])

    @cached_property
    def repeated(self) -> Positions:
        """Places of values that have stood before."""
        return np.flatnonzero(~self.keys.first_of_each)

    @cached_property
    def index(self) -> HashIndex:
        """From hashes of values to rows. Probing may find others, too: `confirm` tells."""
        return HashIndex.build(self.keys, self.rows.astype(np.uint32))

    def take(self, places: Positions) -> "UniqueValues":
        """Some of the values."""
        index = pa.array(places)
        return UniqueValues(tuple(column.take(index) for column in self.stored), self.rows[places])

    def confirm(self, places: Positions, others: Sequence[pa.Array | pa.ChunkedArray]) -> Mask:
        """Tell for each pair of a place and a row of others, none with a NULL, whether the values are equal."""
        theirs = Keys.of([_comparable(flatten(column)) for column in others])
        return self.keys.confirm(places, theirs, np.arange(len(places), dtype=np.int64))

    def describe(self, place: int) -> str:
        """One row's values as an error message shows them."""
        return Keys.of(self.stored).describe(place)


def _comparable(column: pa.Array) -> pa.Array:
    """A column without NULL as one whose equal values are the same bits."""
    if not pa.types.is_floating(column.type):
        return column
    numbers: npt.NDArray[np.float64] = column.to_numpy(zero_copy_only=False).astype(np.float64) + 0.0
    bits = numbers.view(np.int64)
    bits[np.isnan(numbers)] = _CANONICAL_NAN
    return pa.array(bits)
