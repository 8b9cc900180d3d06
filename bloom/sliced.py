"""Many filters, one question: which of them may contain this hash.

Filters of one size are transposed (bit-sliced, as in signature files: Faloutsos and Christodoulakis, 1984):
row `p` of a matrix holds bit `p` of every filter, eight filters to a byte. One hash then costs as many row
reads as a filter has probes, whatever the number of filters, and the AND of those rows is the answer.

Invariants: answers equal those of the filters one by one, in the order in which they were given. The
matrices are copies, of the filters' own size (`nbytes`), made once; later they are only read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bloom.filter import Bits, BloomFilter, Hashes, Positions, bit_positions, bit_positions_of, check_hashes

Answers = npt.NDArray[np.bool_]

_BLOCK_BYTES = 1 << 20
_NOWHERE: Positions = np.empty(0, dtype=np.int64)
_SWAPS = ((7, 0x00AA00AA00AA00AA), (14, 0x0000CCCC0000CCCC), (28, 0x00000000F0F0F0F0))


@dataclass(frozen=True, slots=True)
class _Group:
    """The transposed bits of all filters of one size: `rows` has the shape (bit_count, filters / 8)."""

    members: Positions
    bit_count: int
    probes: int
    rows: Bits

    def candidates(self, hashes: Hashes) -> Bits:
        """Give one row of packed answers per hash: shape (hashes, filters / 8)."""
        answers: Bits = np.bitwise_and.reduce(self.rows[bit_positions(hashes, self.bit_count, self.probes)], axis=1)
        return answers

    def candidates_of(self, key_hash: int) -> Bits:
        """Give the packed answers of one hash."""
        positions = bit_positions_of(key_hash, self.bit_count, self.probes)
        answers: Bits = np.bitwise_and.reduce(self.rows[positions], axis=0)
        return answers

    def unpacked(self, answers: Bits) -> Answers:
        """Turn one packed row into one bool per member."""
        return np.unpackbits(answers, count=len(self.members), bitorder="little").view(np.bool_)


class SlicedFilters:
    """An immutable, transposed copy of many filters of any sizes; each distinct size is a group of its own.

    The cost of a question grows with the number of groups and of probes, and hardly with that of filters.
    """

    def __init__(self, filters: Sequence[BloomFilter]) -> None:
        by_size: dict[tuple[int, int], list[int]] = {}
        for index, one in enumerate(filters):
            by_size.setdefault((one.bit_count, one.probes), []).append(index)
        self._count = len(filters)
        self._groups = [
            _Group(np.array(members), bit_count, probes, _transposed([filters[i].bits for i in members]))
            for (bit_count, probes), members in by_size.items()
        ]

    def __len__(self) -> int:
        return self._count

    @property
    def nbytes(self) -> int:
        """The memory of the transposed bits, in bytes."""
        return sum(group.rows.nbytes for group in self._groups)

    def may_contain(self, key_hash: int) -> Answers:
        """Answer for each filter, in input order, whether it may contain the hash (0 <= hash < 2**64).

        Raises OverflowError for a number that is not a 64-bit hash.
        """
        answers = np.zeros(self._count, dtype=np.bool_)
        for group in self._groups:
            found = group.candidates_of(key_hash)
            if found.any():
                answers[group.members] = group.unpacked(found)
        return answers

    def any_of(self, hashes: Hashes) -> Answers:
        """Answer for each filter, in input order, whether it may contain at least one hash (1-D, uint64).

        Raises TypeError for hashes of another dtype.
        """
        check_hashes(hashes)
        answers = np.zeros(self._count, dtype=np.bool_)
        for group in self._groups:
            found = np.zeros(group.rows.shape[1], dtype=np.uint8)
            step = max(1, _BLOCK_BYTES // (group.probes * len(found)))
            for start in range(0, len(hashes), step):
                found |= np.bitwise_or.reduce(group.candidates(hashes[start : start + step]), axis=0)
            answers[group.members] = group.unpacked(found)
        return answers

    def pairs(self, hashes: Hashes) -> tuple[Positions, Positions]:
        """Give all pairs (filter in input order, hash) in which the filter may contain the hash.

        Raises TypeError for hashes of another dtype.
        """
        check_hashes(hashes)
        filters, rows = [_NOWHERE], [_NOWHERE]
        for group in self._groups:
            answers = np.unpackbits(group.candidates(hashes), axis=1, count=len(group.members), bitorder="little")
            found, members = np.nonzero(answers)
            filters.append(group.members[members])
            rows.append(found)
        return np.concatenate(filters), np.concatenate(rows)


def _transposed(filters: Sequence[Bits]) -> Bits:
    """Transpose equally long bit arrays, a range of bytes at a time: shape (bits, filters / 8)."""
    size, octets = len(filters[0]), (len(filters) + 7) // 8
    rows = np.empty((size, 8, octets), dtype=np.uint8)
    width = max(64, _BLOCK_BYTES // len(filters))
    for start in range(0, size, width):
        stop = min(start + width, size)
        block = np.zeros((8 * octets, stop - start), dtype=np.uint8)
        for index, bits in enumerate(filters):
            block[index] = bits[start:stop]
        rows[start:stop] = _transposed_block(block)
    return rows.reshape(size * 8, octets)


def _transposed_block(block: Bits) -> Bits:
    """Turn (8 * octets, bytes) into (bytes, 8, octets): 8 by 8 bit squares, three swaps each (Warren, 2012)."""
    octets, width = len(block) // 8, block.shape[1]
    squares = np.ascontiguousarray(block.reshape(octets, 8, width).transpose(2, 0, 1)).view("<u8")
    for shift, mask in _SWAPS:
        moved = (squares ^ (squares >> np.uint64(shift))) & np.uint64(mask)
        squares ^= moved
        squares ^= moved << np.uint64(shift)
    return squares.view(np.uint8).reshape(width, octets, 8).transpose(0, 2, 1)
