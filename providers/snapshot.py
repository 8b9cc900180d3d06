"""What a reader pins: hot rows, manifest, dead rows and definition of one scope, published as one immutable object.

A snapshot pins its files simply by being referenced: garbage collection asks which snapshots are alive and removes no
file that one of them names. Flush, compaction and writers never change a snapshot; they publish the next.
"""

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from weakref import WeakSet

import numpy as np
import numpy.typing as npt

from catalog.definition import Scope, TableDef
from manifest.batch_entry import BatchFileEntry
from manifest.dead_rows import DeadRows
from manifest.entries import ManifestFile
from manifest.parts import Part
from manifest.ranges import RangeTable
from providers.cold.scope_folder import ScopeFolder
from providers.hot.view import HotView

FILTERS_TOGETHER = 64
"""Bloom filters of this many neighbouring batches are asked as one."""


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
    """Some batches that all have a bloom filter of one id: their places in the manifest, and their entries.

    `identities` are those of the batches, as one text: it knows its hash.
    """

    places: npt.NDArray[np.int64]
    entries: tuple[BatchFileEntry, ...]
    identities: str

    def behind(self, batches: int) -> "FilteredBatches":
        """The same with so many other batches before them."""
        return replace(self, places=self.places + batches)


def _filtered_of(part: Part) -> Mapping[int, Sequence[FilteredBatches]]:
    """By filter id, those batches of a part that have that filter, `FILTERS_TOGETHER` at a time."""
    found: dict[int, list[FilteredBatches]] = defaultdict(list)
    for start in range(0, len(part.entries), FILTERS_TOGETHER):
        here: dict[int, list[int]] = defaultdict(list)
        for place, entry in enumerate(part.entries[start : start + FILTERS_TOGETHER], start):
            for filter_id in entry.bloom.columns if entry.bloom is not None else ():
                here[filter_id].append(place)
        for filter_id, places in here.items():
            entries = tuple(part.entries[place] for place in places)
            identities = " ".join(f"{batch}:{checksum}" for batch, checksum in (entry.identity for entry in entries))
            found[filter_id].append(FilteredBatches(np.array(places), entries, identities))
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
        return RangeTable(self.table, self.manifest.parts)

    @cached_property
    def filtered(self) -> Mapping[int, Sequence[FilteredBatches]]:
        """By filter id, the batches that have that filter; those of a part that has not changed are the same again."""
        found: dict[int, list[FilteredBatches]] = defaultdict(list)
        before = 0
        for part in self.manifest.parts:
            for filter_id, groups in part.derived("filtered", _filtered_of).items():
                found[filter_id] += [group.behind(before) for group in groups]
            before += len(part.entries)
        return found

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
