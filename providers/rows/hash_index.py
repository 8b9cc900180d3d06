"""A sorted index from key hashes to row addresses. Pure.

An address is whatever the owner says: a row position of a batch, or the `_seq` of a hot row. It is kept as narrow as
the owner gives it. Building sorts once; probing is a merge of two sorted arrays, searched from the smaller side.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from providers.rows.keys import Hashes, Keys, Positions


@dataclass(frozen=True, eq=False)
class HashIndex:
    """`hashes` ascending, and the address of each."""

    hashes: Hashes
    addresses: npt.NDArray[np.int64] | npt.NDArray[np.uint32]

    @classmethod
    def build(cls, keys: Keys, addresses: npt.NDArray[np.int64]) -> "HashIndex":
        """Index the rows of `keys`, which have `addresses`."""
        return cls(keys.sorted_hashes, addresses[keys.order])

    @classmethod
    def of_rows(cls, hashes: Hashes) -> "HashIndex":
        """Index the rows of a batch, which has fewer than 2^32, by their positions."""
        order = np.argsort(hashes)
        return cls(hashes[order], order.astype(np.uint32))

    @classmethod
    def merge(cls, parts: "list[HashIndex]") -> "HashIndex":
        """One index over all entries of several."""
        hashes = np.concatenate([part.hashes for part in parts])
        addresses = np.concatenate([part.addresses for part in parts])
        order = np.argsort(hashes, kind="stable")
        return cls(hashes[order], addresses[order])

    def __len__(self) -> int:
        return len(self.hashes)

    @property
    def nbytes(self) -> int:
        """Memory of the index in bytes."""
        return self.hashes.nbytes + self.addresses.nbytes

    def probe(self, keys: Keys) -> tuple[Positions, npt.NDArray[np.int64]]:
        """Return all pairs (row of `keys`, address) with equal hashes; the caller confirms them."""
        if len(self) <= len(keys):
            entries, rows = _matches(self.hashes, keys.sorted_hashes)
        else:
            rows, entries = _matches(keys.sorted_hashes, self.hashes)
        return keys.order[rows], self.addresses[entries].astype(np.int64, copy=False)

    def kept(self, keep: npt.NDArray[np.bool_]) -> "HashIndex":
        """The entries of `keep`."""
        return HashIndex(self.hashes[keep], self.addresses[keep])


def _matches(needles: Hashes, haystack: Hashes) -> tuple[Positions, Positions]:
    """All index pairs (i, j) with needles[i] == haystack[j]; `haystack` is sorted."""
    left = np.searchsorted(haystack, needles, side="left")
    inside = left < len(haystack)
    hit = np.flatnonzero(inside)
    hit = hit[haystack[left[hit]] == needles[hit]]
    if not len(hit):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    first = left[hit]
    counts = np.searchsorted(haystack, needles[hit], side="right") - first
    if counts.max() == 1:
        return hit, first
    starts = np.cumsum(counts) - counts
    offsets = np.arange(int(counts.sum()), dtype=np.int64) - np.repeat(starts, counts)
    return np.repeat(hit, counts), np.repeat(first, counts) + offsets
