"""Opening batch and bloom files: checked once, then cached within a memory budget.

A file's checksum is verified when this process first opens it; batches are immutable, so once is enough. What is cached
is kept under the scope and the batch's identity, its number and its checksum: never under a number alone. A batch that
is damaged is an error; a damaged bloom filter is taken for one that rules nothing out. Both are noted.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

import bloom
from bloom import BloomCorrupt, BloomFilter, SlicedFilters
from catalog.definition import SEQ_COLUMN, Column, Scope
from catalog.errors import DatabaseError, ErrorKind
from manifest.batch_entry import BatchFileEntry
from manifest.layout import is_segment
from providers.cold.decoded import DecodedFiles, Kept
from providers.cold.key_parts import KeyGroups, NumberPart, Part, has_ordered_key, key_groups, part_of
from providers.cold.points import PointReader
from providers.cold.rows import StreamedFile, group_bounds, read_groups, read_rows
from providers.damage import DamagedError, DamagedPart, Damages, named
from providers.lru import ByteBoundedCache
from providers.rows.hash_index import HashIndex
from providers.rows.keys import Hashes, Keys, Mask, OrderedKeys, Positions
from providers.snapshot import ColdState, FilteredBatches

KEY_FILTER = 0
"""Id of the whole key's filter in a bloom file; other filters have their column's id."""

NOWHERE: tuple[Positions, Positions] = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
"""No row of the keys, no row of the batch."""

WHOLE = -1
"""In the place of a row group's number: all rows of a batch."""

MOST_GROUPS_SHARE = 2
"""When keys of more than half of a batch's row groups are read, those of all are: they are then searched at once."""

WHOLE_ROWS_MAX = 1 << 22
"""What is read at once is large before it is small."""

MANY_KEYS_SHARE = 8
"""One key for this many rows of a batch is many: text is not sorted for them, and blooms are not asked.

Matching by hash is then cheaper, and nearly every bloom says maybe.
"""


@dataclass(frozen=True, eq=False)
class KeyIndex:
    """Where all of a batch's keys are, when they have no cheap order, or the rows are not in it.

    Keys of one integer-like column are searched by number, mostly as they stand in the file; for others an index of
    hashes is built when it is first probed. Exact keys are kept without values that nothing needs.
    """

    keys: Keys

    @classmethod
    def of(cls, keys: Keys) -> "KeyIndex":
        """Index the rows of `keys`, in file order."""
        return cls(Keys((), keys.hashes, exact=True) if keys.exact and keys.numbers is None else keys)

    def probe(self, keys: Keys) -> tuple[Positions, Positions]:
        """Return all pairs (row of `keys`, row of the batch) of equal keys."""
        if self.keys.ascending is not None and keys.ascending is not None:
            return self.keys.ascending.find(keys.ascending)
        rows, positions = self._index.probe(keys)
        equal = keys.confirm(rows, self.keys, positions)
        return rows[equal], positions[equal]

    @property
    def nbytes(self) -> int:
        """Memory in bytes, once probed and looked for elsewhere."""
        return self._derived_bytes * len(self.keys) + sum(int(column.nbytes) for column in self.keys.stored)

    @property
    def _derived_bytes(self) -> int:
        """Of a row: numbers in order, where they are not, and their rows; or hashes, the same in order, and rows."""
        if self.keys.numbers is None:
            return 8 + 8 + 4
        in_one_piece = len(self.keys.numbers) == 1
        return (0 if in_one_piece else 8) + (0 if self.keys.are_sorted else 16)

    @cached_property
    def _index(self) -> HashIndex:
        """From hashes to row positions."""
        return HashIndex.of_rows(self.keys.hashes)


Identity = tuple[int, str]
CachedBatch = tuple[Scope, Identity]
ValuesOf = tuple[tuple[int, pa.DataType], ...]
"""Of which columns, and as what type they are read."""


class ColdFiles:
    """All access to cold files that is not the engine's.

    `cache_bytes` bounds each of keys, blooms, and values of other columns, `decoded_bytes` what is kept of decoded
    rows.
    """

    def __init__(self, cache_bytes: int = 512 << 20, decoded_bytes: int = 512 << 20) -> None:
        decoded: Kept = ByteBoundedCache(decoded_bytes)
        self.decoded = DecodedFiles(decoded)
        self.points = PointReader(decoded)
        self.damages = Damages()
        self._verified: set[CachedBatch] = set()
        self._keys: ByteBoundedCache[tuple[CachedBatch, int], KeyIndex | Part] = ByteBoundedCache(cache_bytes)
        self._values: ByteBoundedCache[tuple[CachedBatch, ValuesOf], HashIndex] = ByteBoundedCache(cache_bytes)
        self._groups: ByteBoundedCache[CachedBatch, KeyGroups] = ByteBoundedCache(cache_bytes // 8)
        self._filters: ByteBoundedCache[CachedBatch, dict[int, BloomFilter]] = ByteBoundedCache(cache_bytes)
        self._slices: ByteBoundedCache[tuple[Scope, int, str], SlicedFilters] = ByteBoundedCache(cache_bytes)

    def trust(self, scope: Scope, entry: BatchFileEntry) -> None:
        """Take a batch file as checked: this process has just written it."""
        self._verified.add((scope, entry.identity))

    def check(self, cold: ColdState, entry: BatchFileEntry) -> None:
        """Verify a batch file's checksum, the first time it is asked for."""
        name = (cold.scope, entry.identity)
        if name not in self._verified:
            self.verify(cold, entry)
            self._verified.add(name)

    def verify(self, cold: ColdState, entry: BatchFileEntry) -> None:
        """Read a batch file whole; DamagedError when it is not what was written."""
        try:
            with self.damages.noted(), named(cold.table, cold.scope, DamagedPart.BATCH, entry.batch):
                cold.folder.verify(entry.path, entry.checksum, entry.bytes)
        except DamagedError:
            self.distrust(cold.scope, entry)
            raise

    def distrust(self, scope: Scope, entry: BatchFileEntry) -> None:
        """Take a batch file for damaged until it is verified again."""
        self._verified.discard((scope, entry.identity))

    def forget_filters(self, scope: Scope) -> None:
        """Read the bloom filters of a scope again when they are next asked for."""
        self._filters.forget(lambda key: key[0] == scope)
        self._slices.forget(lambda key: key[0] == scope)

    def verify_bloom(self, cold: ColdState, entry: BatchFileEntry) -> None:
        """Read a batch's bloom file; DamagedError when it is not what was written."""
        with self.damages.noted(), named(cold.table, cold.scope, DamagedPart.BLOOM, entry.batch):
            _read_filters(cold, entry)

    def find_keys(self, cold: ColdState, entry: BatchFileEntry, keys: Keys) -> tuple[Positions, Positions]:
        """Return all pairs (row of `keys`, row of a batch) of equal keys; rows that are dead, too."""
        are_few = len(keys) * MANY_KEYS_SHARE < entry.rows
        if (are_few or keys.numbers is not None) and keys.ordered is not None:
            whole = self._whole(cold, entry)
            if whole is not None:
                hits, positions = whole.find(keys.ordered.values)
                return keys.ordered.row(hits), positions
            groups = self._key_groups(cold, entry)
            if groups is not None:
                return self._find_ordered(cold, entry, groups, keys, keys.ordered)
        if are_few and not self._has_index(cold, entry) and not self._may_contain(cold, entry, keys.hashes).any():
            return NOWHERE
        return self.key_index(cold, entry).probe(keys)

    def key_index(self, cold: ColdState, entry: BatchFileEntry) -> KeyIndex:
        """The keys of all rows of a batch, and where they are."""
        name = ((cold.scope, entry.identity), WHOLE)
        found = self._keys.find(name)
        if isinstance(found, KeyIndex):
            return found
        index = self._load_index(cold, entry)
        self._keys.put(name, index, index.nbytes)
        return index

    def knows_keys(self, cold: ColdState, entry: BatchFileEntry) -> bool:
        """Tell whether something of a batch's keys was looked at lately."""
        return (cold.scope, entry.identity) in self._groups or self._has_index(cold, entry)

    def put_key_index(self, scope: Scope, entry: BatchFileEntry, keys: Keys) -> None:
        """Cache the index of a batch that was just written, whose rows have `keys` in file order."""
        index = KeyIndex.of(keys)
        self._keys.put(((scope, entry.identity), WHOLE), index, index.nbytes)

    def values(
        self, cold: ColdState, entry: BatchFileEntry, columns: Sequence[Column], build: Callable[[], HashIndex]
    ) -> HashIndex:
        """Where a batch has which values in some columns, as it was built when it was first asked for."""
        name = ((cold.scope, entry.identity), _values_of(columns))
        return self._values.get(name, build, lambda built: built.nbytes)

    def has_values(self, cold: ColdState, entry: BatchFileEntry, columns: Sequence[Column]) -> bool:
        """Tell whether that is known already."""
        return ((cold.scope, entry.identity), _values_of(columns)) in self._values

    def seqs(self, cold: ColdState, entry: BatchFileEntry) -> npt.NDArray[np.int64]:
        """The `_seq` of every row of a batch."""
        seqs: npt.NDArray[np.int64] = self.rows(cold, entry, [SEQ_COLUMN]).column(0).to_numpy()
        return seqs

    def rows(self, cold: ColdState, entry: BatchFileEntry, columns: Sequence[str] | None = None) -> pa.Table:
        """Some columns of a whole batch by their physical names, or all."""
        with self._reading(cold, entry):
            return read_rows(cold.folder, entry.path, columns)

    def streamed(self, cold: ColdState, entry: BatchFileEntry, columns: Collection[str]) -> StreamedFile:
        """A batch of Parquet, to be read by `stream`; of some columns those that it has."""
        with self._reading(cold, entry):
            return StreamedFile.opened(cold.folder, entry.path, columns)

    def stream(self, cold: ColdState, entry: BatchFileEntry, file: StreamedFile, rows: int) -> Iterator[pa.RecordBatch]:
        """The rows of a streamed batch, at most so many at a time."""
        with self._reading(cold, entry):
            yield from file.batches(rows)

    def filters(self, cold: ColdState, entry: BatchFileEntry) -> dict[int, BloomFilter]:
        """The bloom filters of a batch by filter id; none when it has no bloom file."""
        return self._filters.get(
            (cold.scope, entry.identity),
            lambda: self._load_filters(cold, entry),
            lambda loaded: sum(found.bits.nbytes for found in loaded.values()),
        )

    def sliced(self, cold: ColdState, filter_id: int, batches: FilteredBatches) -> SlicedFilters:
        """The filters `filter_id` of some batches, bit-sliced."""
        return self._slices.get(
            (cold.scope, filter_id, batches.identities),
            lambda: SlicedFilters([self.filters(cold, entry)[filter_id] for entry in batches.entries]),
            lambda loaded: loaded.nbytes,
        )

    def _whole(self, cold: ColdState, entry: BatchFileEntry) -> NumberPart | None:
        """All keys of a batch in their small form, if they are here in one piece."""
        name = ((cold.scope, entry.identity), WHOLE)
        found = self._keys.find(name)
        if isinstance(found, KeyIndex) and not is_segment(entry.path) and found.keys.numbers and found.keys.are_sorted:
            part = NumberPart.of(found.keys.numbers)
            self._keys.put(name, part, part.nbytes)
            return part
        return found if isinstance(found, NumberPart) else None

    def _has_index(self, cold: ColdState, entry: BatchFileEntry) -> bool:
        return ((cold.scope, entry.identity), WHOLE) in self._keys

    def _load_index(self, cold: ColdState, entry: BatchFileEntry) -> KeyIndex:
        names = [column.physical for column in cold.table.key_columns]
        table = self.rows(cold, entry, names)
        return KeyIndex.of(Keys.of([table.column(name) for name in names]))

    def _may_contain(self, cold: ColdState, entry: BatchFileEntry, hashes: Hashes) -> Mask:
        """Tell which keys a batch may hold, by their hashes."""
        found = self.filters(cold, entry).get(KEY_FILTER)
        return np.ones(len(hashes), dtype=np.bool_) if found is None else found.may_contain(hashes)

    def _key_groups(self, cold: ColdState, entry: BatchFileEntry) -> KeyGroups | None:
        """The row groups of a batch with ordered keys; None when it is to be searched as a whole."""
        key = cold.table.key_columns
        if is_segment(entry.path) or not has_ordered_key([column.storage for column in key]):
            return None
        if self._has_index(cold, entry):
            return None
        name = (cold.scope, entry.identity)
        found = self._groups.find(name)
        if found is None:
            with self._reading(cold, entry):
                bounds = group_bounds(cold.folder, entry.path, key[0].physical)
            found = key_groups(bounds, key[0].storage)
            if found is not None:
                self._groups.put(name, found, found.nbytes)
        return found

    def _find_ordered(
        self, cold: ColdState, entry: BatchFileEntry, groups: KeyGroups, keys: Keys, ordered: OrderedKeys
    ) -> tuple[Positions, Positions]:
        """Look into the row groups that may hold one of some ordered keys."""
        places = groups.places(ordered)
        known = {number: self._keys.find(((cold.scope, entry.identity), number)) for number in places}
        parts = {number: part for number, part in known.items() if part is not None and not isinstance(part, KeyIndex)}
        absent = {number: ordered.row(here) for number, here in places.items() if number not in parts}
        unread = self._worth_reading(cold, entry, keys, absent)
        is_most = len(unread) * MOST_GROUPS_SHARE > len(groups.starts)
        if is_most and keys.numbers is not None and entry.rows <= WHOLE_ROWS_MAX:
            hits, found = self._read_whole(cold, entry).find(ordered.values)
            return ordered.row(hits), found
        parts |= self._read_parts(cold, entry, unread)
        rows, positions = [NOWHERE[0]], [NOWHERE[1]]
        for number, part in parts.items():
            here = places[number]
            hits, found = part.find(ordered.values[here[0] : here[-1] + 1])
            rows.append(ordered.row(hits + here[0]))
            positions.append(found + groups.starts[number])
        return np.concatenate(rows), np.concatenate(positions)

    def _worth_reading(
        self, cold: ColdState, entry: BatchFileEntry, keys: Keys, wanted: Mapping[int, Positions]
    ) -> list[int]:
        """The numbers of row groups that may hold one of the rows of `keys` wanted of them, as far as blooms tell."""
        if not wanted or len(keys) * MANY_KEYS_SHARE >= entry.rows:
            return list(wanted)
        possible = self._may_contain(cold, entry, keys.hashes[np.concatenate(list(wanted.values()))])
        starts = np.cumsum([0, *map(len, wanted.values())])[:-1]
        counts = np.add.reduceat(possible.astype(np.int64), starts)
        return [number for number, count in zip(wanted, counts, strict=True) if count]

    def _read_parts(self, cold: ColdState, entry: BatchFileEntry, numbers: Sequence[int]) -> dict[int, Part]:
        """The keys of some row groups, from the file."""
        if not numbers:
            return {}
        (column,) = cold.table.key_columns
        with self._reading(cold, entry):
            read = dict(read_groups(cold.folder, entry.path, column.physical, numbers))
        parts = {number: part_of(values) for number, values in read.items()}
        for number, part in parts.items():
            self._keys.put(((cold.scope, entry.identity), number), part, part.nbytes)
        return parts

    def _read_whole(self, cold: ColdState, entry: BatchFileEntry) -> Part:
        """The keys of all rows of a batch, which are numbers, from the file."""
        (column,) = cold.table.key_columns
        part = part_of(self.rows(cold, entry, [column.physical]).column(0))
        self._keys.put(((cold.scope, entry.identity), WHOLE), part, part.nbytes)
        return part

    def _load_filters(self, cold: ColdState, entry: BatchFileEntry) -> dict[int, BloomFilter]:
        try:
            with self.damages.noted(), named(cold.table, cold.scope, DamagedPart.BLOOM, entry.batch):
                return _read_filters(cold, entry)
        except DamagedError:
            filter_ids = entry.bloom.columns if entry.bloom is not None else ()
            return dict.fromkeys(filter_ids, BloomFilter.of_everything())

    @contextmanager
    def _reading(self, cold: ColdState, entry: BatchFileEntry) -> Iterator[None]:
        """Read from a batch file that is what was written; if it is not any more, say so."""
        self.check(cold, entry)
        try:
            yield
        except (OSError, pa.ArrowException):
            self.verify(cold, entry)
            raise


def _values_of(columns: Sequence[Column]) -> ValuesOf:
    return tuple((column.id, column.storage) for column in columns)


def _read_filters(cold: ColdState, entry: BatchFileEntry) -> dict[int, BloomFilter]:
    if entry.bloom is None:
        return {}
    try:
        return bloom.decode(cold.folder.read_checked(entry.bloom.path, entry.bloom.checksum))
    except BloomCorrupt as error:
        raise DatabaseError(ErrorKind.CORRUPT, str(error)) from error
