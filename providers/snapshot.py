"""What a reader pins: hot rows, manifest, dead rows and definition of one scope, published as one immutable object.

A snapshot pins its files simply by being referenced: garbage collection asks which snapshots are alive and removes no
file that one of them names. Flush, compaction and writers never change a snapshot; they publish the next.
"""

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby
from weakref import WeakSet

import numpy as np
import numpy.typing as npt

from catalog.definition import Scope, TableDef
from manifest.batch_entry import BatchFileEntry
from manifest.dead_rows import DeadRows
from manifest.entries import ManifestFile
from manifest.parts import AllBatches, Part
from manifest.ranges import RangeTable
from providers.cold.scope_folder import ScopeFolder
from providers.hot.view import HotView
from providers.rows.defaults import missing_value

FILTERS_TOGETHER = 64
"""Bloom filters of this many neighbouring batches are asked as one."""

PARTS_TOGETHER = 8
"""And those of this many neighbouring parts, once no batch comes to them any more."""

FEW_OF_LARGE = 8
"""One batch of so many that are asked as one is few."""


class Pins:
    """The snapshots of a scope that somebody refers to. Each refers to this, so it lives as long as any of them.

    A scope that was let go and loaded again has the same pins as before, so they have a lock of their own: a weak set
    changes when one of its members goes, and must not be walked while somebody else puts one in.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._snapshots: WeakSet[Snapshot] = WeakSet()

    def add(self, snapshot: "Snapshot") -> None:
        """Take a snapshot in, until nobody refers to it."""
        with self._lock:
            self._snapshots.add(snapshot)

    def living(self) -> list["Snapshot"]:
        """The snapshots that somebody refers to."""
        with self._lock:
            return list(self._snapshots)


@dataclass(frozen=True, eq=False)
class FilteredBatches:
    """Some batches that all have a bloom filter of one id, by their places in a run of parts.

    `identities` are those of the batches, as one text: it knows its hash. A large one has `smaller` ones of the same
    batches, for whoever asks for few of them.
    """

    places: npt.NDArray[np.int64]
    identities: str
    parts: tuple[Part, ...]
    smaller: tuple["FilteredBatches", ...] = ()

    @property
    def entries(self) -> list[BatchFileEntry]:
        """The batches."""
        batches = AllBatches(self.parts)
        return [batches[place] for place in self.places.tolist()]

    def asked_for(self, wanted: npt.NDArray[np.bool_]) -> Iterator["FilteredBatches"]:
        """Itself, or those of the smaller ones that have any of the batches that are flagged, where these are few."""
        count = int(np.count_nonzero(wanted[self.places]))
        if not count:
            return
        if self.smaller and count * FEW_OF_LARGE < len(self.places):
            for one in self.smaller:
                yield from one.asked_for(wanted)
        else:
            yield self


Filtered = Mapping[int, Sequence[FilteredBatches]]
"""By filter id."""


def _filtered_of(part: Part) -> Filtered:
    """Those batches of a part that have a filter, `FILTERS_TOGETHER` at a time."""
    found: dict[int, list[FilteredBatches]] = defaultdict(list)
    for start in range(0, len(part.entries), FILTERS_TOGETHER):
        here: dict[int, list[int]] = defaultdict(list)
        names: dict[int, list[str]] = defaultdict(list)
        for place, entry in enumerate(part.entries[start : start + FILTERS_TOGETHER], start):
            for filter_id in entry.bloom.columns if entry.bloom is not None else ():
                here[filter_id].append(place)
                names[filter_id].append(f"{entry.batch}:{entry.checksum}")
        for filter_id, places in here.items():
            found[filter_id].append(FilteredBatches(np.array(places), " ".join(names[filter_id]), (part,)))
    return found


def _filtered_of_run(parts: Sequence[Part]) -> Filtered:
    """The batches of some parts that are next to each other."""
    found: dict[int, list[FilteredBatches]] = defaultdict(list)
    before = 0
    for part in parts:
        for filter_id, groups in part.derived("filtered", _filtered_of).items():
            found[filter_id] += [replace(group, places=group.places + before, parts=tuple(parts)) for group in groups]
        before += len(part.entries)
    return found


def _together(filtered: Filtered) -> Filtered:
    """The same, as one for each filter."""
    return {
        filter_id: [
            FilteredBatches(
                np.concatenate([group.places for group in groups]),
                " ".join(group.identities for group in groups),
                groups[0].parts,
                tuple(groups),
            )
        ]
        for filter_id, groups in filtered.items()
    }


def _runs(parts: Sequence[Part]) -> list[tuple[int, Filtered]]:
    """All batches that have filters, run by run, with how many batches are before each.

    Parts of a run that is full are asked together. The last run gets new batches, so its parts are asked one by one.
    """
    found = []
    before = 0
    for number, group in groupby(parts, lambda part: part.number // PARTS_TOGETHER):
        run = tuple(group)
        if number < parts[-1].number // PARTS_TOGETHER:
            filtered = run[0].derived_with(run, "run", lambda run: _together(_filtered_of_run(run)))
        else:
            filtered = _filtered_of_run(run)
        found.append((before, filtered))
        before += sum(len(part.entries) for part in run)
    return found


@dataclass(frozen=True, eq=False)
class ColdState:
    """A scope's batches as one manifest version lists them. Shared by all snapshots of that version."""

    folder: ScopeFolder
    table: TableDef
    scope: Scope
    manifest: ManifestFile
    pins: Pins = field(default_factory=Pins)

    @cached_property
    def ranges(self) -> RangeTable:
        """Column ranges of all batches, in manifest order."""
        return RangeTable(self.table, self.manifest.parts, missing_value)

    @cached_property
    def _filtered(self) -> list[tuple[int, Filtered]]:
        return _runs(self.manifest.parts)

    def filtered(
        self, filter_id: int, wanted: npt.NDArray[np.bool_]
    ) -> Iterator[tuple[npt.NDArray[np.int64], FilteredBatches]]:
        """Those groups of batches with a filter that have any of the batches that are flagged, and their places."""
        for before, filtered in self._filtered:
            for batches in filtered.get(filter_id, ()):
                for asked in batches.asked_for(wanted[before:]):
                    yield asked.places + before, asked

    def path(self, entry: BatchFileEntry) -> str:
        """Where a library finds a batch's rows."""
        return self.folder.local_path(entry.path)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One state of a scope. `dead` holds every cold row with a newer version or a tombstone, flushed or not."""

    version: int
    cold: ColdState
    dead: Mapping[int, DeadRows]
    hot: HotView
    last_seq: int

    @property
    def table(self) -> TableDef:
        """The definition that rows are read by."""
        return self.cold.table

    @property
    def scope(self) -> Scope:
        """Whose rows these are."""
        return self.cold.scope

    @property
    def manifest(self) -> ManifestFile:
        """The manifest version that is pinned."""
        return self.cold.manifest

    def has_rows_of(self, other: "Snapshot") -> bool:
        """Tell, cheaply, whether nothing happened to the rows of an earlier snapshot; False is "not known"."""
        return self.manifest is other.manifest and self.last_seq == other.last_seq and self.dead is other.dead

    @property
    def has_unflushed(self) -> bool:
        """Tell whether hot records hold versions or dead-row marks that belong into the manifest, and are not in it."""
        return not self.table.is_stream and self.last_seq > self.manifest.flushed_seq

    @property
    def ages(self) -> bool:
        """Tell whether there are rows that leave by their age."""
        return self.table.is_stream and bool(self.hot.chunks)

    def dead_in(self, entry: BatchFileEntry) -> DeadRows:
        """The dead rows of a batch."""
        found = self.dead.get(entry.batch)
        return DeadRows.none(entry.rows) if found is None else found

    @cached_property
    def live_count(self) -> int:
        """Live rows over both tiers: what a count of all rows says, known without looking at any.

        Dead rows are in batches of the manifest, and of none that it leaves out.
        """
        dead = sum(found.count for found in self.dead.values())
        return self.manifest.rows - dead + self.hot.live_count
