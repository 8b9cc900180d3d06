"""A manifest's batches in parts, so that a change costs what it changes, however many batches there are.

A part has the batches of `PART_NUMBERS` consecutive numbers. It is a value: whatever is worked out of it is worked out
once, and kept for all manifests that share it. What a part had at some time may stand in a *file*; then a manifest says
itself only what is different now: the part's *pending* batches, and the numbers of those that the file has and it has
not. When much is pending, `parts_to_write` tells whose files are to be written anew (docs/formats/manifest.md).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import TypeVar, cast, overload

import numpy as np

from manifest.batch_entry import BatchFileEntry
from manifest.layout import is_segment
from manifest.packed import PackedByNumber, PackedEntries, rows_of

PART_NUMBERS = 128
PENDING_MAX = 128
"""A manifest says so much itself, of all its parts together."""

ENTRY_BYTES, RANGE_BYTES, PACKED_BYTES = 800, 250, 400
"""What a batch takes in memory, each column of it, and one that is packed, beside its text; measured."""

Derived = TypeVar("Derived")


@dataclass(frozen=True, eq=False)
class PartFile:
    """A file with the batches of a part as they once were. `size` is that of the file in bytes."""

    path: str
    checksum: str
    size: int
    entries: PackedEntries

    @classmethod
    def of(cls, path: str, checksum: str, data: bytes) -> "PartFile":
        """A file of these bytes."""
        return cls(path, checksum, len(data), PackedEntries(data))

    @property
    def part(self) -> "Part":
        """What it has, as a part."""
        return Part(self.entries, self)


@dataclass(frozen=True)
class Part:
    """The batches of some consecutive numbers, by ascending number; never none. Those of a file are packed."""

    entries: Sequence[BatchFileEntry]
    file: PartFile | None = field(default=None, compare=False)
    _derived: dict[object, object] = field(default_factory=dict, init=False, compare=False, repr=False)

    @property
    def packed(self) -> PackedEntries | None:
        """The batches, where all of them are as a file has them."""
        return self.entries if isinstance(self.entries, PackedEntries) else None

    @cached_property
    def number(self) -> int:
        """Which part of a manifest it is."""
        return part_number(self.first)

    @cached_property
    def first(self) -> int:
        """The smallest number of a batch."""
        return self.packed.numbers[0] if self.packed is not None else self.entries[0].batch

    @cached_property
    def last(self) -> int:
        """The largest number of a batch."""
        return self.packed.numbers[-1] if self.packed is not None else self.entries[-1].batch

    @cached_property
    def by_number(self) -> Mapping[int, BatchFileEntry]:
        """The batches by their numbers."""
        if self.packed is not None:
            return PackedByNumber(self.packed)
        return {entry.batch: entry for entry in self.entries}

    @cached_property
    def rows(self) -> int:
        """Rows of all batches, dead ones included."""
        return int(rows_of(self.entries).sum())

    @cached_property
    def dead(self) -> int:
        """Dead rows that deletion files record."""
        if self.packed is not None:
            return int(self.packed.dead_counts.sum())
        return sum(entry.dead for entry in self.entries)

    @cached_property
    def bytes(self) -> int:
        """Size of all batch files in bytes."""
        return self.packed.bytes if self.packed is not None else sum(entry.bytes for entry in self.entries)

    @cached_property
    def memory_bytes(self) -> int:
        """What it takes in memory, estimated."""
        if self.packed is not None:
            return self.packed.nbytes + PACKED_BYTES * len(self.entries)
        return sum(ENTRY_BYTES + RANGE_BYTES * len(entry.columns) for entry in self.entries)

    @cached_property
    def max_seq(self) -> int:
        """The largest `_seq` of the batches."""
        return self.packed.max_seq if self.packed is not None else max(entry.max_seq for entry in self.entries)

    @cached_property
    def segments(self) -> tuple[BatchFileEntry, ...]:
        """The batches that are still as they came."""
        if self.packed is not None and not self.packed.has_segments:
            return ()
        return tuple(entry for entry in self.entries if is_segment(entry.path))

    @property
    def with_deletions(self) -> Iterator[BatchFileEntry]:
        """The batches that have a deletion file."""
        if self.packed is not None and not self.packed.has_deletions.any():
            return iter(())
        return (entry for entry in self.entries if entry.dv is not None)

    @cached_property
    def pending(self) -> tuple[BatchFileEntry, ...]:
        """The batches that its file has not, or not as they are."""
        if self.file is None:
            return tuple(self.entries)
        if self.entries is self.file.entries:
            return ()
        return tuple(entry for entry in self.entries if self.file.entries.find(entry.batch) != entry)

    @cached_property
    def left_out(self) -> tuple[int, ...]:
        """The numbers of batches that its file has and that are not there any more."""
        if self.file is None or self.entries is self.file.entries:
            return ()
        return tuple(sorted(set(self.file.entries.numbers) - self.by_number.keys()))

    @cached_property
    def faults(self) -> Sequence[str]:
        """The invariants of its entries that it breaks; none, if all is well."""
        packed = self.packed
        if packed is not None:
            numbers, rows, dead = list(packed.numbers), packed.row_counts, packed.dead_counts
            has_deletions = packed.has_deletions
        else:
            numbers, rows = [entry.batch for entry in self.entries], rows_of(self.entries)
            dead = np.array([entry.dead for entry in self.entries], dtype=np.int64)
            has_deletions = np.array([entry.dv is not None for entry in self.entries], dtype=np.bool_)
        found = {
            "batch numbers are not ascending": numbers != sorted(set(numbers)),
            "a batch has more dead rows than rows": bool(((dead < 0) | (dead > rows)).any()),
            "dead rows and deletion files disagree": bool(((dead > 0) != has_deletions).any()),
            "a batch has no rows": bool((rows < 1).any()),
        }
        return [fault for fault, present in found.items() if present]

    def derived(self, key: object, make: Callable[["Part"], Derived]) -> Derived:
        """What somebody works out of the entries, kept by a key of theirs."""
        found = self._derived.get(key)
        if found is None:
            found = self._derived[key] = make(self)
        return cast("Derived", found)

    def derived_with(
        self, run: tuple["Part", ...], key: object, make: Callable[[tuple["Part", ...]], Derived]
    ) -> Derived:
        """The same of a run of parts that begins here: kept as long as the others are the same."""
        kept = self._derived.get(key)
        if kept is None or not _are_same(cast("tuple[tuple[Part, ...], object]", kept)[0], run):
            kept = self._derived[key] = (run, make(run))
        return cast("tuple[object, Derived]", kept)[1]


def _are_same(parts: tuple[Part, ...], others: tuple[Part, ...]) -> bool:
    return len(parts) == len(others) and all(one is other for one, other in zip(parts, others, strict=True))


class AllBatches(Sequence[BatchFileEntry]):
    """The batches of all parts, by ascending number; what of them is packed is unpacked as it is asked for."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._ends = np.cumsum([len(part.entries) for part in parts], dtype=np.int64)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    @overload
    def __getitem__(self, place: int) -> BatchFileEntry: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[BatchFileEntry]: ...
    def __getitem__(self, place: int | slice) -> BatchFileEntry | Sequence[BatchFileEntry]:
        if isinstance(place, slice):
            return [self[index] for index in range(*place.indices(len(self)))]
        index = place + len(self) if place < 0 else place
        if not 0 <= index < len(self):
            raise IndexError(place)
        number = int(np.searchsorted(self._ends, index, side="right"))
        part = self._parts[number].entries
        return part[index - int(self._ends[number]) + len(part)]

    def __iter__(self) -> Iterator[BatchFileEntry]:
        return chain.from_iterable(part.entries for part in self._parts)


class ByNumber(Mapping[int, BatchFileEntry]):
    """The batches of all parts, by their numbers."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self._parts = {part.number: part for part in parts}

    def __getitem__(self, batch: int) -> BatchFileEntry:
        return self._parts[part_number(batch)].by_number[batch]

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(part.by_number for part in self._parts.values())

    def __len__(self) -> int:
        return sum(len(part.entries) for part in self._parts.values())


def part_number(batch: int) -> int:
    """The part of a manifest that a batch is in."""
    return batch // PART_NUMBERS


def parts_of(entries: Iterable[BatchFileEntry], files: Mapping[int, PartFile] | None = None) -> tuple[Part, ...]:
    """Batches, in parts by ascending number, with the files that parts have."""
    found: dict[int, list[BatchFileEntry]] = {}
    for entry in entries:
        found.setdefault(part_number(entry.batch), []).append(entry)
    return tuple(Part(tuple(found[number]), (files or {}).get(number)) for number in sorted(found))


def parts_after(parts: Sequence[Part], gone: Collection[int], placed: Iterable[BatchFileEntry]) -> tuple[Part, ...]:
    """The parts without the batches of some numbers, and with others in their places, new ones and changed ones.

    Parts that nothing happens to are the same as before.
    """
    changes: dict[int, dict[int, BatchFileEntry | None]] = {}
    for batch in gone:
        changes.setdefault(part_number(batch), {})[batch] = None
    for entry in placed:
        changes.setdefault(part_number(entry.batch), {})[entry.batch] = entry
    if not changes:
        return tuple(parts)
    after = {part.number: part for part in parts}
    for number, changed in changes.items():
        before = after.pop(number, None)
        listed = () if before is None else before.entries
        merged = {**{entry.batch: entry for entry in listed}, **changed}
        entries = tuple(entry for _, entry in sorted(merged.items()) if entry is not None)
        if entries:
            after[number] = Part(entries, None if before is None else before.file)
    return tuple(part for _, part in sorted(after.items()))


def parts_to_write(parts: Sequence[Part]) -> list[Part]:
    """The parts whose files are to be written anew: those with most to say, until enough is said. Pure."""
    weights = {part.number: len(part.pending) + len(part.left_out) for part in parts}
    left = sum(weights.values())
    chosen = []
    if left > PENDING_MAX:
        for part in sorted(parts, key=lambda part: weights[part.number], reverse=True):
            if left <= PENDING_MAX // 2:
                break
            chosen.append(part)
            left -= weights[part.number]
    return chosen
