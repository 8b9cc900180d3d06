"""Looks at what may need work, and decides what is to be done; what is decided is pure (`upkeep`, `schedule`).

A scope is looked at when something happened in it, and when the look before said so: those at rest cost nothing,
however many there are. Hot rows that were there at the start become due in their time; their scopes are loaded only
then, or when they are used. For one thread, but for `note_undone`.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from weakref import WeakKeyDictionary

from catalog.definition import Scope, TableKind
from catalog.errors import DatabaseError
from catalog.registry import Registry
from flush.agenda import Agenda
from flush.compaction import gains, has_scattered_dead
from flush.jobs.job import Origin
from flush.jobs.kinds import Tools
from flush.jobs.schedule import Schedule, due
from flush.jobs.tasks import Flush, Publish, ReclaimDropped, Repair, ScopeTask, StreamEviction, Task
from flush.jobs.upkeep import (
    EVICT_EVERY_SECONDS,
    LOOK_AGAIN_SECONDS,
    PUBLISH_EVERY_SECONDS,
    SETTLE_AFTER_SECONDS,
    Decision,
    Remembered,
    ScopeFacts,
    decide,
    decide_eviction,
    interval_has_passed,
)
from flush.partitions import users_of
from flush.publish.publish import expires_in, is_published_whole, waits_for_flush
from flush.small_scopes import stays_hot
from providers.commit.lifetime import seconds_to_live
from providers.commit.scope_state import ScopeState

log = logging.getLogger(__name__)

Put = Callable[[Task, Origin], float | None]
"""Takes a task, unless the same work is waiting or running; tells until when it rests, where it does."""


@dataclass(frozen=True)
class Plan:
    """What recurs, how long segments stay as they are, whether batches are merged, how often streams are evicted.

    Other engines are shown something new of a scope every `publish_every_seconds` at most.
    """

    schedules: Callable[[], Sequence[Schedule]] = tuple
    settle_after_seconds: float = SETTLE_AFTER_SECONDS
    publish_every_seconds: float = PUBLISH_EVERY_SECONDS
    compacts: bool = True
    evict_every_seconds: Callable[[], float] = lambda: EVICT_EVERY_SECONDS


DEFAULT_PLAN = Plan()


class Scheduler:
    """Decides. `unloaded` are scopes that have hot rows and may not be in memory; they are asked for once."""

    def __init__(self, tools: Tools, put: Put, plan: Plan, unloaded: Iterable[Scope]) -> None:
        self._tools = tools
        self._store = tools.store
        self._put = put
        self._plan = plan
        self._unloaded: Iterator[Scope] | None = iter(unloaded)
        self._agenda = Agenda()
        self._remembered: WeakKeyDictionary[ScopeState, Remembered] = WeakKeyDictionary()
        self._expected: set[Scope] = set()
        """Scopes with hot rows of before the start that nobody has used since."""
        self._undone: deque[ScopeTask] = deque()
        self._registry: Registry | None = None
        self._published: dict[int, int] = {}
        """Tables that other engines read, and by which versions of their definitions."""

    def note_undone(self, task: Task) -> None:
        """A job came to nothing, so that what it was for is still to be done. Any thread may say so."""
        if isinstance(task, ScopeTask) and not isinstance(task, Repair):
            self._undone.append(task)

    def look(self, now: float, moment: datetime, ended: dict[str, datetime]) -> None:
        """Look at all that is due: at `now` of the clock of intervals, at `moment` by the calendar.

        `ended` says when the last job of each scheduled kind had ended.
        """
        if self._unloaded is not None:
            self._begin(self._unloaded, now)
            self._unloaded = None
        while self._undone:
            self._again(self._undone.popleft(), now)
        self._publish_redefined()
        for scope in self._store.files.damages.take_repairs():
            self._put(Repair(table_id=scope.table_id, user=scope.user), Origin.DECIDED)
        for scope in self._store.noticed.take():
            state = self._store.in_memory(scope)
            if state is not None and state in self._remembered:
                self._remembered[state] = self._remembered[state].changed(now)
            self._agenda.put(scope, now)
        later: list[tuple[Scope, float]] = []
        while (next_one := self._agenda.take(now)) is not None:
            when = self._guarded_look_at(next_one, now)
            if when is not None:
                later.append((next_one, when))
        for scope, when in later:
            self._agenda.put(scope, when)
        if self._store.dropped_tables and self._store.dropped_tables - self._store.tables_in_use():
            self._put(ReclaimDropped(), Origin.DECIDED)
        for task in due(self._plan.schedules(), ended, moment):
            self._put(task, Origin.SCHEDULED)

    def _begin(self, unloaded: Iterator[Scope], now: float) -> None:
        """Learn of scopes in which things happened before."""
        for state in self._store.loaded():
            self._agenda.put(state.head.scope, now)
        for scope in unloaded:
            self._expect(scope, now)

    def _expect(self, scope: Scope, now: float) -> None:
        """Look at a scope with hot rows, which need not be loaded before, when these are to be flushed.

        What of its files is damaged is told at once.
        """
        table = self._tools.find_table(scope.table_id)
        if table is None:
            return
        try:
            if self._store.manifests.has_published(scope):
                self._store.cold_state(table, scope.user)
        except DatabaseError as error:
            log.debug("%s was examined: %s", table.name, error.message)
        stream = table.options.stream
        interval = table.options.flush_policy.interval_seconds if stream is None else stream.ttl_seconds
        if interval is not None:
            self._expected.add(scope)
            self._agenda.put(scope, now + interval)

    def _publish_redefined(self) -> None:
        """Have those tables published of which nobody knows whether they are, or whose definition is another now."""
        newest = self._tools.registry()
        if newest is self._registry:
            return
        self._registry = newest
        before = self._published
        self._published = {table.id: table.version for table in newest.tables.values() if table.is_published}
        for table_id in self._published.keys() | before.keys():
            table = self._tools.find_table(table_id)
            if table is not None and self._published.get(table_id) != before.get(table_id):
                for user in users_of(self._store, table) if table.kind is TableKind.USER else [None]:
                    self._put(Publish(table_id=table_id, user=user), Origin.DECIDED)

    def _again(self, task: ScopeTask, now: float) -> None:
        state = self._store.in_memory(task.scope)
        if state is None:
            self._expected.add(task.scope)
        elif state in self._remembered:
            self._remembered[state] = self._remembered[state].undone(task.kind, now)
        self._agenda.put(task.scope, now)

    def _guarded_look_at(self, scope: Scope, now: float) -> float | None:
        """What goes wrong with one scope is no matter of the others."""
        try:
            return self._look_at(scope, now)
        except Exception:
            log.exception("a scope could not be looked at, and will be again")
            return now + LOOK_AGAIN_SECONDS

    def _look_at(self, scope: Scope, now: float) -> float | None:
        """Have done what a scope needs; return when to look again if nothing happens."""
        state = self._store.in_memory(scope)
        if state is None:
            return self._look_at_expected(scope, now)
        self._expected.discard(scope)
        if state.dropped:
            return None
        known = self._remembered.get(state, Remembered())
        facts = self._facts(state, known, now)
        if facts.stays_hot:
            state.rests_at = state.published.version
        decision = self._decided(facts, known, now, is_stream=state.head.table.is_stream)
        remembered, look_at = decision.remembered, decision.look_at
        for kind in decision.due:
            task = kind(table_id=scope.table_id, user=scope.user)
            rests_until = self._put(task, Origin.DECIDED)
            if rests_until is not None:
                remembered = remembered.undone(task.kind, now)
                look_at = min(look_at or rests_until, rests_until)
        self._remembered[state] = remembered
        return look_at

    def _decided(self, facts: ScopeFacts, known: Remembered, now: float, *, is_stream: bool) -> Decision:
        plan = self._plan
        if is_stream:
            return decide_eviction(facts, known, now, evict_every=plan.evict_every_seconds())
        return decide(
            facts,
            known,
            now,
            settle_after=plan.settle_after_seconds,
            publish_every=plan.publish_every_seconds,
            compacts=plan.compacts,
        )

    def _look_at_expected(self, scope: Scope, now: float) -> float | None:
        if scope not in self._expected:
            return None
        table = self._tools.find_table(scope.table_id)
        if table is not None and table.options.stream is not None and self._store.hot_records.are_there(scope):
            rests_until = self._put(StreamEviction(table_id=scope.table_id, user=scope.user), Origin.DECIDED)
            return max(
                rests_until or 0.0, now + max(table.options.stream.ttl_seconds, self._plan.evict_every_seconds())
            )
        if table is None or stays_hot(self._store, table, scope.user):
            self._expected.discard(scope)
            return None
        return self._put(Flush(table_id=scope.table_id, user=scope.user), Origin.DECIDED)

    def _facts(self, state: ScopeState, known: Remembered, now: float) -> ScopeFacts:
        """What is known of a scope. What costs more is asked only where it has to be."""
        snapshot = state.published
        manifest, known_files = snapshot.manifest, state.publication
        waited = 0.0 if known.unflushed_since is None else now - known.unflushed_since
        has_waited = snapshot.has_unflushed and interval_has_passed(snapshot.table.options.flush_policy, waited)
        looks = self._plan.compacts and manifest.version != known.compacted and bool(manifest.parts)
        return ScopeFacts(
            policy=snapshot.table.options.flush_policy,
            hot_versions=snapshot.hot.version_count,
            has_unflushed=snapshot.has_unflushed,
            stays_hot=has_waited and stays_hot(self._store, snapshot.table, snapshot.scope.user),
            has_segments=bool(manifest.segments),
            manifest=manifest.version,
            manifests=_manifests_read(state) if manifest.version else frozenset({0}),
            has_leftovers=state.has_leftovers,
            may_have_unneeded=state.may_have_unneeded,
            gains=gains(self._store, state) if looks else None,
            has_scattered_dead=self._plan.compacts and has_scattered_dead(snapshot),
            is_published_late=not is_published_whole(state),
            publishes_by_flush=waits_for_flush(state),
            expires_seconds=None if known_files is None else expires_in(known_files, snapshot.table, time.time()),
            lives_seconds=seconds_to_live(snapshot, self._store.allocator.now_ms()),
            floor=snapshot.hot.floor,
        )


def _manifests_read(state: ScopeState) -> frozenset[int]:
    """The versions of all manifests by which somebody may read."""
    return frozenset(living.manifest.version for living in state.living_snapshots())
