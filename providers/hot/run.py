"""Which `_seq` the rows of some keys have: an index that is made when somebody asks it.

Rows that come to many scopes at once are mostly flushed before anybody asks for one of them.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from providers.rows.hash_index import HashIndex
from providers.rows.keys import Keys


class Run:
    """An index of as many entries as it has rows. Several threads may ask first."""

    def __init__(self, size: int, build: Callable[[], HashIndex]) -> None:
        self._size = size
        self._build = build
        self._index: HashIndex | None = None

    @classmethod
    def of(cls, keys: Keys, seqs: npt.NDArray[np.int64]) -> "Run":
        """The rows of some keys."""
        return cls(len(seqs), lambda: HashIndex.build(keys, seqs))

    def and_of(self, other: "Run") -> "Run":
        """The rows of both."""
        return Run(len(self) + len(other), lambda: HashIndex.merge([self.index, other.index]))

    def after(self, seq: int) -> "Run":
        """The rows with a larger `_seq`."""
        kept = self.index.kept(self.index.addresses > seq)
        return Run(len(kept), lambda: kept)

    def __len__(self) -> int:
        return self._size

    @property
    def index(self) -> HashIndex:
        """The index; what it is made of is let go then."""
        build, index = self._build, self._index
        if index is None:
            index = self._index = build()
            self._build = lambda: index
        return index
