"""Opening batch and bloom files: checked once, then cached within a memory budget.

A file's checksum is verified when this process first opens it; batches are immutable, so once is enough. What is cached
is kept under the scope and the batch's identity, its number and its checksum: never under a number alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

import bloom
from bloom import BloomCorrupt, BloomFilter, SlicedFilters
from catalog.definition import SEQ_COLUMN, Scope
from catalog.errors import DatabaseError, ErrorKind
from manifest.entries import BatchFileEntry
from providers.cold.decoded import DecodedFiles
from providers.cold.rows import read_rows
from providers.lru import ByteBoundedCache
from providers.rows.hash_index import HashIndex
from providers.rows.keys import Keys, Positions
from providers.snapshot import ColdState, FilteredBatches

KEY_FILTER = 0
"""Id of the whole key's filter in a bloom file; other filters have their column's id."""


_NUMBER_BYTES = 8


@dataclass(frozen=True, eq=False)
class KeyIndex:
    """Where a batch's keys are.

    Keys of one integer-like column are searched by number, mostly as they stand in the file; for others an index of
    hashes is built when it is first probed. Exact keys are kept without values that nothing needs.
    """

    keys: Keys

    @classmethod
    def of(cls, keys: Keys) -> "KeyIndex":
        """Index the rows of `keys`, in file order."""
        return cls(Keys((), keys.hashes, exact=True) if keys.exact and keys.numbers is None else keys)

    def probe(self, keys: Keys) -> tuple[Positions, Positions]:
        """Return all pairs (row of `keys`, row of the batch) that match; inexact ones are to be confirmed."""
        if self.keys.ascending is not None and keys.ascending is not None:
            return self.keys.ascending.find(keys.ascending)
        return self._index.probe(keys)

    @property
    def nbytes(self) -> int:
        """Memory in bytes, once probed."""
        indexed = 4 if self.keys.numbers is None else 2
        return indexed * _NUMBER_BYTES * len(self.keys) + sum(int(column.nbytes) for column in self.keys.stored)

    @cached_property
    def _index(self) -> HashIndex:
        """From hashes to row positions."""
        return HashIndex.build(self.keys, np.arange(len(self.keys), dtype=np.int64))


Identity = tuple[int, str]
Identities = tuple[Identity, ...]
CachedBatch = tuple[Scope, Identity]


class ColdFiles:
    """All access to cold files that is not the engine's.

    `cache_bytes` bounds each of key indexes and blooms, `decoded_bytes` what is kept of exported files.
    """

    def __init__(self, cache_bytes: int = 512 << 20, decoded_bytes: int = 512 << 20) -> None:
        self.decoded = DecodedFiles(decoded_bytes)
        self._verified: set[CachedBatch] = set()
        self._indexes: ByteBoundedCache[CachedBatch, KeyIndex] = ByteBoundedCache(cache_bytes)
        self._filters: ByteBoundedCache[CachedBatch, dict[int, BloomFilter]] = ByteBoundedCache(cache_bytes)
        self._slices: ByteBoundedCache[tuple[Scope, int, Identities], SlicedFilters] = ByteBoundedCache(cache_bytes)

    def trust(self, scope: Scope, entry: BatchFileEntry) -> None:
        """Take a batch file as checked: this process has just written it."""
        self._verified.add((scope, entry.identity))

    def check(self, cold: ColdState, entry: BatchFileEntry) -> None:
        """Verify a batch file's checksum, the first time it is asked for."""
        name = (cold.scope, entry.identity)
        if name not in self._verified:
            cold.folder.verify(entry.path, entry.checksum, entry.bytes)
            self._verified.add(name)

    def key_index(self, cold: ColdState, entry: BatchFileEntry) -> KeyIndex:
        """The index from keys to row positions of a batch."""
        return self._indexes.get(
            (cold.scope, entry.identity), lambda: self._load_index(cold, entry), lambda loaded: loaded.nbytes
        )

    def has_key_index(self, cold: ColdState, entry: BatchFileEntry) -> bool:
        """Tell whether `key_index` costs no reading."""
        return (cold.scope, entry.identity) in self._indexes

    def put_key_index(self, scope: Scope, entry: BatchFileEntry, keys: Keys) -> None:
        """Cache the index of a batch that was just written, whose rows have `keys` in file order."""
        index = KeyIndex.of(keys)
        self._indexes.put((scope, entry.identity), index, index.nbytes)

    def seqs(self, cold: ColdState, entry: BatchFileEntry) -> npt.NDArray[np.int64]:
        """The `_seq` of every row of a batch."""
        seqs: npt.NDArray[np.int64] = self.rows(cold, entry, [SEQ_COLUMN]).column(0).to_numpy()
        return seqs

    def rows(self, cold: ColdState, entry: BatchFileEntry, columns: Sequence[str] | None = None) -> pa.Table:
        """Some columns of a whole batch by their physical names, or all."""
        self.check(cold, entry)
        return read_rows(cold.folder, entry.path, columns)

    def filters(self, cold: ColdState, entry: BatchFileEntry) -> dict[int, BloomFilter]:
        """The bloom filters of a batch by filter id; none when it has no bloom file."""
        return self._filters.get(
            (cold.scope, entry.identity),
            lambda: _load_filters(cold, entry),
            lambda loaded: sum(found.bits.nbytes for found in loaded.values()),
        )

    def sliced(self, cold: ColdState, filter_id: int, batches: FilteredBatches) -> SlicedFilters:
        """The filters `filter_id` of some batches, bit-sliced."""
        return self._slices.get(
            (cold.scope, filter_id, batches.identities),
            lambda: SlicedFilters([self.filters(cold, entry)[filter_id] for entry in batches.entries]),
            lambda loaded: loaded.nbytes,
        )

    def _load_index(self, cold: ColdState, entry: BatchFileEntry) -> KeyIndex:
        names = [column.physical for column in cold.table.key_columns]
        table = self.rows(cold, entry, names)
        return KeyIndex.of(Keys.of([table.column(name) for name in names]))


def _load_filters(cold: ColdState, entry: BatchFileEntry) -> dict[int, BloomFilter]:
    if entry.bloom is None:
        return {}
    try:
        return bloom.decode(cold.folder.read_checked(entry.bloom.path, entry.bloom.checksum))
    except BloomCorrupt as error:
        raise DatabaseError(
            ErrorKind.CORRUPT, f"bloom file of batch {entry.batch} of {cold.table.name}: {error}"
        ) from error
