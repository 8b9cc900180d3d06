"""One scope in memory: its lock, its newest state, what readers see and saw, and the batch numbers that jobs use."""

import threading
from collections.abc import Collection, Container

from manifest.published import Published
from providers.commit.noticed import Noticed
from providers.commit.used_names import UsedNames
from providers.manifests.cached import CachedManifest
from providers.snapshot import Snapshot


class ScopeState:
    """One scope in memory. `head` is what the next writer builds on, `published` what readers see.

    What readers see changes through `visibility` only.

    `lock` is the writer lock; `manifest` says how the manifest of `head` stands to its
    file. `maintenance` keeps flush and compaction of a scope apart and is taken before `lock`; `publishing` is held by
    whoever changes what other engines read.
    `unsure` says that a publication failed half-way, so that nobody knows which manifest the disk has: the scope takes
    no more changes and deletes no more files until it is loaded again. `rests_at` is the version of a snapshot whose
    hot rows are so few that they stay. `has_leftovers` says that there are staged files
    that no job writes any more, which may go when nobody reads them. `left_out` are names of files that newer manifests
    do not need, as far as they are known: all are once the folder `is_swept`. `full_batches` are numbers of batches
    that compaction has found too large to be merged with another. `used` are the names that files have or had,
    `recorded` what is on record of them, since `recorded_ticket`; all three change with `naming` held. What happens
    that maintenance may have to do with is `noticed`. `publication` is what other engines read of it, as far as
    somebody has looked, and `in_files` what they may read: the newest state of which files alone hold every row.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        manifest: CachedManifest,
        used: UsedNames,
        recorded: UsedNames,
        noticed: Noticed,
        *,
        has_files: bool = True,
    ) -> None:
        self.lock = threading.RLock()
        self.maintenance = threading.Lock()
        self.publishing = threading.Lock()
        self.naming = threading.Lock()
        self.used = used
        self.recorded = recorded
        self.recorded_ticket = 0
        self.head = snapshot
        self.manifest = manifest
        self.ticket = 0
        self.dropped = False
        self.unsure = False
        self.rests_at: int | None = None
        self._has_leftovers = False
        self.left_out: set[str] = set()
        self.is_swept = not has_files
        self._noticed = noticed
        self.full_batches: set[int] = set()
        self.publication: Published | None = None
        self.in_files: Snapshot | None = None
        self._published = snapshot
        self._published_at = 0
        self._past: list[tuple[int, Snapshot]] = []
        snapshot.cold.pins.add(snapshot)
        self._publication = threading.Lock()
        self._in_flight: set[int] = set()
        if has_files or snapshot.last_seq:
            noticed.note(snapshot.scope)

    @property
    def published(self) -> Snapshot:
        """What a reader that starts now sees."""
        return self._published

    @property
    def has_leftovers(self) -> bool:
        """Tell whether there are staged files that nobody writes."""
        return self._has_leftovers

    @has_leftovers.setter
    def has_leftovers(self, present: bool) -> None:
        self._has_leftovers = present
        if present:
            self._noticed.note(self.head.scope)

    @property
    def may_have_unneeded(self) -> bool:
        """Tell whether there may be files that the newest manifest does not need."""
        return not self.is_swept or bool(self.left_out)

    @property
    def waits_for_maintenance(self) -> bool:
        """Tell whether there is something to flush, to let go, to settle, or to clean up."""
        head = self.head
        to_flush = head.has_unflushed and self.rests_at != head.version
        return to_flush or head.ages or bool(head.manifest.segments) or self.has_leftovers or self.unsure

    def begin_batch(self, batch: int) -> None:
        """Say that a job writes a batch: its files are safe from reclamation until it is published or released."""
        with self._publication:
            self._in_flight.add(batch)

    def release_batches(self, batches: Container[int]) -> None:
        """Say that no job writes these batches any more."""
        with self._publication:
            self._in_flight -= {batch for batch in self._in_flight if batch in batches}

    def batches_in_flight(self) -> frozenset[int]:
        """Numbers of batches that are being written."""
        with self._publication:
            return frozenset(self._in_flight)

    def living_snapshots(self) -> list[Snapshot]:
        """Every snapshot of the scope that somebody still refers to, the newest included."""
        return [*self.head.cold.pins.living(), self.head, self._published]

    def outdated_snapshots(self) -> set[Snapshot]:
        """Snapshots that somebody refers to, and that nobody sees who begins now."""
        return {*self.living_snapshots()}.difference({self.head, self._published, self.in_files})

    def publish(self, snapshot: Snapshot, moment: int) -> None:
        """Show `snapshot` to readers from `moment` on, unless they see a later one already."""
        self.pin(snapshot)
        if snapshot.version > self._published.version:
            self._past.append((self._published_at, self._published))
            self._published, self._published_at = snapshot, moment
            self._noticed.note(snapshot.scope)

    def pin(self, snapshot: Snapshot) -> None:
        """Keep the files of a snapshot for as long as somebody refers to it."""
        snapshot.cold.pins.add(snapshot)

    def has_in_files(self, snapshot: Snapshot) -> None:
        """Say that files alone hold every row of a state, and keep them, unless that of a newer one is known."""
        self.pin(snapshot)
        with self._publication:
            if self.in_files is None or self.in_files.version < snapshot.version:
                self.in_files = snapshot

    def as_of(self, moment: int) -> Snapshot:
        """What readers saw at a moment that is still kept."""
        seen = [snapshot for since, snapshot in self._past if since <= moment]
        return self._published if self._published_at <= moment or not seen else seen[-1]

    def keep_for(self, moments: Collection[int]) -> bool:
        """Forget past snapshots but those seen at some of the `moments`; tell whether any is left."""
        ends = [since for since, _ in self._past[1:]] + [self._published_at]
        self._past = [
            (since, snapshot)
            for (since, snapshot), end in zip(self._past, ends, strict=False)
            if any(since <= moment < end for moment in moments)
        ]
        return bool(self._past)
