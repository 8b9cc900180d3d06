"""The background thread: flush by policy, settle, compact, reclaim.

One thread for all scopes, so maintenance never takes more than one core. A failure is logged and tried again at the
next tick; it never stops the thread. A scope is looked at when something happened in it, and when the look before said
so: those at rest cost nothing, however many there are. Hot rows that were there at the start become due in their time;
their scopes are loaded only then, or when they are used.
"""

import logging
import time
from collections.abc import Callable, Iterable
from functools import partial

from catalog.definition import FlushPolicy, Scope, TableDef
from catalog.errors import DatabaseError
from flush.agenda import Agenda
from flush.compaction import clean, compact, has_scattered_dead, settle
from flush.hot_flush import flush
from flush.reclaim import reclaim, reclaim_leftovers
from providers.commit.scope_state import ScopeState
from providers.commit.scope_store import ScopeStore
from providers.damage import DamagedError
from providers.snapshot import Snapshot
from providers.ticker import Ticker

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0

SETTLE_AFTER_SECONDS = 5.0
"""How long a stream's rows stay as they came: settling takes the cores that the next stream would like to have."""


AT_REST_SECONDS = 60.0
"""A scope that nobody has changed for so long is cleaned more thoroughly."""


def is_due(policy: FlushPolicy, snapshot: Snapshot, waited_seconds: float) -> bool:
    """Tell whether a scope whose oldest unflushed commit is `waited_seconds` old must be flushed now. Pure."""
    if not snapshot.has_unflushed:
        return False
    if policy.rows is not None and snapshot.hot.version_count >= policy.rows:
        return True
    return policy.interval_seconds is not None and waited_seconds >= policy.interval_seconds


class MaintenanceWorker:
    """Runs `tick` until stopped.

    `unloaded` are scopes that have hot rows and may not be in memory, `find_table` gives their tables by id; they are
    asked for once, at the first tick.
    """

    def __init__(
        self,
        store: ScopeStore,
        reclaim_dropped: Callable[[], object],
        tick_seconds: float = TICK_SECONDS,
        *,
        find_table: Callable[[int], TableDef | None] = lambda _: None,
        unloaded: Iterable[Scope] = (),
        settle_after_seconds: float = SETTLE_AFTER_SECONDS,
        compacts: bool = True,
    ) -> None:
        self._settle_after_seconds = settle_after_seconds
        self._compacts = compacts
        self._store = store
        self._reclaim_dropped = reclaim_dropped
        self._find_table = find_table
        self._unloaded: Iterable[Scope] | None = unloaded
        self._agenda = Agenda()
        self._unflushed_since: dict[Scope, float] = {}
        self._unsettled_since: dict[Scope, float] = {}
        self._seen_manifest: dict[Scope, int] = {}
        self._changed_at: dict[Scope, float] = {}
        """Of scopes with scattered dead rows."""
        self._told: dict[tuple[str, Scope | None], str] = {}
        self._ticker = Ticker("maintenance", self.tick, tick_seconds)

    def start(self) -> None:
        """Begin to work."""
        self._ticker.start()

    def stop(self) -> None:
        """Finish the job at hand and stop."""
        self._ticker.stop()

    def tick(self) -> None:
        """Look once at every scope that is due."""
        now = time.monotonic()
        if self._unloaded is not None:
            self._begin(self._unloaded, now)
            self._unloaded = None
        for scope in self._store.noticed.take():
            self._agenda.put(scope, now)
            if scope in self._changed_at:
                self._changed_at[scope] = now
        again: dict[Scope, float] = {}
        while (due := self._agenda.take(now)) is not None:
            if self._ticker.is_stopped:
                return
            self._attempt("maintenance", due, partial(self._look_at, due, again))
        for scope, when in again.items():
            self._agenda.put(scope, when)
        self._attempt("reclamation", None, self._reclaim_dropped)

    def _attempt(self, name: str, scope: Scope | None, job: Callable[[], object]) -> None:
        """Do a job of a scope; of what fails again and again, the log is told once. Damage is told where it is met."""
        try:
            job()
        except DamagedError as error:
            log.debug("%s met damage that is known: %s", name, error.message)
        except DatabaseError as error:
            if self._told.get((name, scope)) != error.message:
                log.warning("%s failed and will be tried again: %s", name, error.message)
                self._told[name, scope] = error.message
        except Exception:
            log.exception("%s failed and will be tried again", name)
        else:
            self._told.pop((name, scope), None)

    def _begin(self, unloaded: Iterable[Scope], now: float) -> None:
        """Learn of scopes in which things happened before."""
        for state in self._store.loaded():
            self._agenda.put(state.head.scope, now)
        for scope in unloaded:
            self._expect(scope, now)
            if self._ticker.is_stopped:
                return

    def _expect(self, scope: Scope, now: float) -> None:
        """Look at a scope with hot rows, which need not be loaded before, when these are to be flushed.

        What of its files is damaged is told at once.
        """
        table = self._find_table(scope.table_id)
        if table is None:
            return
        self._attempt("examination", scope, partial(self._store.cold_state, table, scope.user))
        interval = table.options.flush_policy.interval_seconds
        if interval is not None:
            self._unflushed_since[scope] = now
            self._agenda.put(scope, now + interval)

    def _look_at(self, scope: Scope, again: dict[Scope, float]) -> None:
        """Do what is due in a scope, and note when it is to be looked at again."""
        state = self._store.in_memory(scope) or self._loaded(scope)
        if state is None or state.dropped:
            for known in (self._unflushed_since, self._unsettled_since, self._seen_manifest, self._changed_at):
                known.pop(scope, None)
            return
        again[scope] = time.monotonic()
        when = self._maintain(state)
        if when is None:
            del again[scope]
        else:
            again[scope] = when

    def _loaded(self, scope: Scope) -> ScopeState | None:
        """Load a scope whose hot rows wait to be flushed; one that cannot be loaded is left to those who ask for it."""
        table = self._find_table(scope.table_id) if scope in self._unflushed_since else None
        try:
            return None if table is None else self._store.state(table, scope.user)
        except DamagedError:
            return None
        except DatabaseError as error:
            log.warning("%s could not be loaded to be flushed: %s", table.name if table else scope, error.message)
            return None

    def _maintain(self, state: ScopeState) -> float | None:
        """Do what is due; return when there will be more to do, if nothing else happens."""
        snapshot, scope = state.published, state.head.scope
        now = time.monotonic()
        later: list[float] = []
        if not snapshot.has_unflushed:
            self._unflushed_since.pop(scope, None)
        else:
            since = self._unflushed_since.setdefault(scope, now)
            policy = snapshot.table.options.flush_policy
            if is_due(policy, snapshot, now - since):
                flush(self._store, state)
                self._unflushed_since.pop(scope, None)
            elif policy.interval_seconds is not None:
                later.append(since + policy.interval_seconds)
        if not snapshot.manifest.segments:
            self._unsettled_since.pop(scope, None)
        else:
            settles_at = self._unsettled_since.setdefault(scope, now) + self._settle_after_seconds
            if now >= settles_at:
                self._attempt("settling", scope, partial(settle, self._store, state))
            later.append(settles_at)
        del snapshot
        if state.has_leftovers:
            state.has_leftovers = reclaim_leftovers(self._store, state)
        if not self._is_reclaimed(state):
            later.append(now)
        if self._compacts and has_scattered_dead(state.published):
            later.append(self._clean_at_rest(state, now))
        else:
            self._changed_at.pop(scope, None)
        return min(later, default=None)

    def _clean_at_rest(self, state: ScopeState, now: float) -> float:
        """Clean a scope that nobody has changed for a while; return when to see to it again."""
        due = self._changed_at.setdefault(state.head.scope, now) + AT_REST_SECONDS
        if now < due:
            return due
        self._attempt("cleaning", state.head.scope, partial(clean, self._store, state))
        self._changed_at[state.head.scope] = now
        return now + AT_REST_SECONDS

    def _is_reclaimed(self, state: ScopeState) -> bool:
        """Compact and reclaim after a new manifest, until nobody reads by an older one; tell whether that is done."""
        current, scope = state.published.manifest.version, state.head.scope
        if current == self._seen_manifest.get(scope):
            return True
        if self._compacts:
            self._attempt("compaction", scope, partial(compact, self._store, state))
        reclaim(self._store, state)
        if any(living.manifest.version != state.published.manifest.version for living in state.living_snapshots()):
            return False
        self._seen_manifest[scope] = current
        return state.published.manifest.version == current
