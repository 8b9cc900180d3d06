"""The background thread: flush by policy, settle, compact, reclaim.

One thread for all scopes, so maintenance never takes more than one core. A failure is logged and tried again at the
next tick; it never stops the thread.
"""

import logging
import time
from collections.abc import Callable
from functools import partial

from catalog.definition import FlushPolicy, Scope
from flush.compaction import compact, settle
from flush.hot_flush import flush
from flush.reclaim import reclaim, reclaim_leftovers
from providers.commit.scope_state import ScopeState
from providers.commit.scope_store import ScopeStore
from providers.snapshot import Snapshot
from providers.ticker import Ticker

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0

SETTLE_AFTER_SECONDS = 5.0
"""How long a stream's rows stay as they came: settling takes the cores that the next stream would like to have."""


def is_due(policy: FlushPolicy, snapshot: Snapshot, waited_seconds: float) -> bool:
    """Tell whether a scope whose oldest unflushed commit is `waited_seconds` old must be flushed now. Pure."""
    if not snapshot.has_unflushed:
        return False
    if policy.rows is not None and snapshot.hot.version_count >= policy.rows:
        return True
    return policy.interval_seconds is not None and waited_seconds >= policy.interval_seconds


class MaintenanceWorker:
    """Runs `tick` until stopped."""

    def __init__(
        self,
        store: ScopeStore,
        reclaim_dropped: Callable[[], object],
        tick_seconds: float = TICK_SECONDS,
        *,
        settle_after_seconds: float = SETTLE_AFTER_SECONDS,
        compacts: bool = True,
    ) -> None:
        self._settle_after_seconds = settle_after_seconds
        self._compacts = compacts
        self._store = store
        self._reclaim_dropped = reclaim_dropped
        self._unflushed_since: dict[Scope, float] = {}
        self._unsettled_since: dict[Scope, float] = {}
        self._seen_manifest: dict[Scope, int] = {}
        self._ticker = Ticker("maintenance", self.tick, tick_seconds)

    def start(self) -> None:
        """Begin to work."""
        self._ticker.start()

    def stop(self) -> None:
        """Finish the job at hand and stop."""
        self._ticker.stop()

    def tick(self) -> None:
        """Look at every loaded scope once."""
        for state in self._store.loaded():
            if self._ticker.is_stopped:
                return
            self._attempt(partial(self._maintain, state))
        self._attempt(self._reclaim_dropped)

    @staticmethod
    def _attempt(job: Callable[[], object]) -> None:
        try:
            job()
        except Exception:
            log.exception("a maintenance job failed and will be tried again")

    def _maintain(self, state: ScopeState) -> None:
        snapshot = state.published
        if state.dropped:
            return
        now = time.monotonic()
        if not snapshot.has_unflushed:
            self._unflushed_since.pop(snapshot.scope, None)
        since = self._unflushed_since.setdefault(snapshot.scope, now) if snapshot.has_unflushed else now
        if is_due(snapshot.table.options.flush_policy, snapshot, now - since):
            flush(self._store, state)
            self._unflushed_since.pop(snapshot.scope, None)
        if not snapshot.manifest.segments:
            self._unsettled_since.pop(snapshot.scope, None)
        elif now - self._unsettled_since.setdefault(snapshot.scope, now) >= self._settle_after_seconds:
            settle(self._store, state)
        del snapshot
        if state.has_leftovers:
            state.has_leftovers = reclaim_leftovers(self._store, state)
        current = state.published.manifest.version
        if current != self._seen_manifest.get(state.head.scope):
            if self._compacts:
                compact(self._store, state)
            reclaim(self._store, state)
            if all(living.manifest.version == state.published.manifest.version for living in state.living_snapshots()):
                self._seen_manifest[state.head.scope] = current
