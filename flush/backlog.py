"""How far the upkeep of a scope is behind its writers, and how long these wait for it.

Flushes and merges are done beside the writers, and faster than most write. Where they are not, unflushed rows and small
batches would become more and more, and every reader would pay for them. So a writer whose scope is behind gets its
answer later: the rows are committed by then, and nothing is refused.
"""

import threading
import time
from collections.abc import Iterable
from weakref import WeakKeyDictionary

from flush.compaction import count_small
from manifest.entries import ManifestFile
from providers.commit.scope_state import ScopeState
from providers.snapshot import Snapshot

HOT_POLICIES_MAX = 10
HOT_VERSIONS_MIN = 1_000_000
"""A scope is behind with more hot versions than this, and than so many times what its policy has flushed."""

SMALL_BATCHES_MAX = 256
"""With more batches that wait to be merged, too: eight of each size wait at most when merging keeps up."""

WAIT_SECONDS_MAX = 1.0
LOOK_SECONDS = 0.02


def backlog(snapshot: Snapshot, small_batches: int) -> float:
    """How much of what may wait does so: above 1, the scope is behind. Rows that stay hot do not wait. Pure."""
    rows = snapshot.table.options.flush_policy.rows
    batches = small_batches / SMALL_BATCHES_MAX
    if rows is None or not snapshot.has_unflushed:
        return batches
    return max(snapshot.hot.version_count / max(HOT_POLICIES_MAX * rows, HOT_VERSIONS_MIN), batches)


def wait_seconds(behind: float) -> float:
    """How long a writer waits for a scope that is so far behind. Pure."""
    return min(max(behind - 1.0, 0.0), 1.0) * WAIT_SECONDS_MAX


class Backlog:
    """Lets writers wait. With `merges` off, nobody waits for batches that are never merged."""

    def __init__(self, *, merges: bool) -> None:
        self._merges = merges
        self._counted: WeakKeyDictionary[ScopeState, tuple[int, int]] = WeakKeyDictionary()
        self._lock = threading.Lock()
        self.waiting = 0
        """Writers that wait now."""
        self.waited_seconds = 0.0
        """How long all have waited since the server began."""

    def wait(self, states: Iterable[ScopeState]) -> None:
        """Return when none of some scopes is behind any more, or after a while for each."""
        for state in states:
            self._wait(state)

    def _wait(self, state: ScopeState) -> None:
        seconds = wait_seconds(self._of(state))
        if not seconds:
            return
        begun = time.monotonic()
        with self._lock:
            self.waiting += 1
        try:
            while time.monotonic() - begun < min(seconds, wait_seconds(self._of(state))):
                time.sleep(LOOK_SECONDS)
        finally:
            with self._lock:
                self.waiting -= 1
                self.waited_seconds += time.monotonic() - begun

    def _of(self, state: ScopeState) -> float:
        snapshot = state.published
        return backlog(snapshot, self._small_batches(state, snapshot.manifest) if self._merges else 0)

    def _small_batches(self, state: ScopeState, manifest: ManifestFile) -> int:
        """How many batches wait to be merged; counted once for each manifest."""
        version, count = self._counted.get(state, (-1, 0))
        if version != manifest.version:
            version, count = manifest.version, count_small(manifest)
            self._counted[state] = version, count
        return count
