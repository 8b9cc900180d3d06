"""A manifest's batches in parts, so that a change costs what it changes, however many batches there are.

A part has the batches of `PART_NUMBERS` consecutive numbers. It is a value: whatever is worked out of it is worked out
once, and kept for all manifests that share it. What a part had at some time may stand in a *file*; then a manifest says
itself only what is different now: the part's *pending* batches, and the numbers of those that the file has and it has
not. When much is pending, `parts_to_write` tells whose files are to be written anew (docs/formats/manifest.md).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import TypeVar, cast

from manifest.batch_entry import BatchFileEntry
from manifest.layout import is_segment

PART_NUMBERS = 128
PENDING_MAX = 128
"""A manifest says so much itself, of all its parts together."""

ENTRY_BYTES, RANGE_BYTES = 2_000, 300
"""What a batch takes in memory, and each column of it, with its text: measured with five columns 3.5 KB."""

Derived = TypeVar("Derived")


@dataclass(frozen=True, eq=False)
class PartFile:
    """A file with the batches of a part as they once were. `size` is that of the file in bytes."""

    path: str
    checksum: str
    size: int
    by_number: Mapping[int, BatchFileEntry]


@dataclass(frozen=True)
class Part:
    """The batches of some consecutive numbers, by ascending number; never none."""

    entries: tuple[BatchFileEntry, ...]
    file: PartFile | None = field(default=None, compare=False)
    _derived: dict[object, object] = field(default_factory=dict, init=False, compare=False, repr=False)

    @cached_property
    def number(self) -> int:
        """Which part of a manifest it is."""
        return part_number(self.entries[0].batch)

    @cached_property
    def by_number(self) -> Mapping[int, BatchFileEntry]:
        """The batches by their numbers."""
        return {entry.batch: entry for entry in self.entries}

    @cached_property
    def rows(self) -> int:
        """Rows of all batches, dead ones included."""
        return sum(entry.rows for entry in self.entries)

    @cached_property
    def dead(self) -> int:
        """Dead rows that deletion files record."""
        return sum(entry.dead for entry in self.entries)

    @cached_property
    def bytes(self) -> int:
        """Size of all batch files in bytes."""
        return sum(entry.bytes for entry in self.entries)

    @cached_property
    def memory_bytes(self) -> int:
        """What it takes in memory, estimated."""
        return sum(ENTRY_BYTES + RANGE_BYTES * len(entry.columns) for entry in self.entries)

    @cached_property
    def max_seq(self) -> int:
        """The largest `_seq` of the batches."""
        return max(entry.max_seq for entry in self.entries)

    @cached_property
    def segments(self) -> tuple[BatchFileEntry, ...]:
        """The batches that are still as they came."""
        return tuple(entry for entry in self.entries if is_segment(entry.path))

    @cached_property
    def pending(self) -> tuple[BatchFileEntry, ...]:
        """The batches that its file has not, or not as they are."""
        if self.file is None:
            return self.entries
        written = self.file.by_number
        return tuple(entry for entry in self.entries if written.get(entry.batch) is not entry)

    @cached_property
    def left_out(self) -> tuple[int, ...]:
        """The numbers of batches that its file has and that are not there any more."""
        return () if self.file is None else tuple(sorted(self.file.by_number.keys() - self.by_number.keys()))

    @cached_property
    def faults(self) -> Sequence[str]:
        """The invariants of its entries that it breaks; none, if all is well."""
        numbers = [entry.batch for entry in self.entries]
        found = {
            "batch numbers are not ascending": numbers != sorted(set(numbers)),
            "a batch has more dead rows than rows": any(not 0 <= e.dead <= e.rows for e in self.entries),
            "dead rows and deletion files disagree": any((e.dead > 0) != (e.dv is not None) for e in self.entries),
            "a batch has no rows": any(e.rows < 1 for e in self.entries),
        }
        return [fault for fault, present in found.items() if present]

    def derived(self, key: object, make: Callable[["Part"], Derived]) -> Derived:
        """What somebody works out of the entries, kept by a key of theirs."""
        found = self._derived.get(key)
        if found is None:
            found = self._derived[key] = make(self)
        return cast("Derived", found)

    def written_to(self, path: str, checksum: str, size: int) -> "Part":
        """The same, when a file of `size` bytes has all of it."""
        return replace(self, file=PartFile(path, checksum, size, self.by_number))


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
        merged = {**(before.by_number if before is not None else {}), **changed}
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
