"""What the server does by itself for tables: jobs that it decides on, done one after the other."""

import logging
import time
from dataclasses import replace

import pytest

from catalog.definition import FlushPolicy, Scope, TableKind
from catalog.evolution import set_options
from flush import compaction
from flush.jobs import kinds
from flush.jobs.scheduler import Scheduler
from flush.jobs.states import JobState
from flush.jobs.upkeep import Remembered, ScopeFacts
from flush.work import Work
from manifest.layout import MANIFEST_NAME
from providers.commit.scope_state import ScopeState
from tests.processes import HANGS_SECONDS
from tests.storage_fixtures import Database, TableAccess, kv

NEVER = FlushPolicy(rows=None, interval_seconds=None)


def wait_for(condition: object) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + HANGS_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def with_policy(table: TableAccess, policy: FlushPolicy) -> None:
    """Give a table a flush policy."""
    table.alter(lambda definition: set_options(definition, replace(definition.options, flush_policy=policy)))


def test_tick_flushes_what_is_due(table: TableAccess) -> None:
    """One look at every scope flushes those whose policy says so."""
    with_policy(table, FlushPolicy(rows=2, interval_seconds=None))
    maintenance = table.db.jobs()
    table.write(kv(1))
    maintenance.tick()
    assert table.snapshot.has_unflushed
    table.write(kv(2))
    maintenance.tick()
    assert not table.snapshot.has_unflushed
    assert sorted(table.values()) == [1, 2]


def test_tick_compacts_and_reclaims_after_a_flush(table: TableAccess) -> None:
    """Eight small batches become one, and the old files go."""
    with_policy(table, FlushPolicy(rows=1, interval_seconds=None))
    maintenance = table.db.jobs()
    for key in range(8):
        table.write(kv(key))
        maintenance.tick()
    for _ in range(3):
        maintenance.tick()
    assert len(table.snapshot.manifest.batches) == 1
    assert len(list(table.folder.glob("*.parquet"))) == 1
    assert sorted(table.values()) == list(range(8))


def test_interval_counts_from_the_oldest_unflushed_commit(table: TableAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Later commits do not put a flush off."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with_policy(table, FlushPolicy(rows=None, interval_seconds=10))
    maintenance = table.db.jobs()
    for key in range(3):
        table.write(kv(key))
        maintenance.tick()
        assert table.snapshot.has_unflushed
        now[0] += 4
    maintenance.tick()
    assert not table.snapshot.has_unflushed


def test_hot_rows_of_before_are_flushed_in_their_time_and_loaded_no_sooner(
    table: TableAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interval begins with the start. What is never to be flushed by time is not loaded at all."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with_policy(table, FlushPolicy(rows=None, interval_seconds=10))
    table.write(kv(1))
    resting = table.db.create(name="resting")
    with_policy(resting, NEVER)
    resting.write(kv(1))
    table.db.reopen()
    store, registry = table.db.store, table.db.catalog.registry
    scopes = [Scope(definition.id, None) for definition in registry.tables.values()]
    maintenance = table.db.jobs(unloaded=iter(scopes))
    maintenance.tick()
    now[0] += 9
    maintenance.tick()
    assert store.loaded() == []
    now[0] += 1
    maintenance.tick()
    assert [state.head.table.name.table for state in store.loaded()] == ["t"]
    assert not table.snapshot.has_unflushed


def test_a_scope_that_cannot_be_loaded_is_left_to_those_who_ask_for_it(
    table: TableAccess, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told once, by the table's name."""
    with_policy(table, FlushPolicy(rows=None, interval_seconds=0))
    table.write(kv(1))
    table.flush()
    table.write(kv(2))
    (table.folder / MANIFEST_NAME).unlink()
    scope = table.state.head.scope
    table.db.reopen()
    maintenance = table.db.jobs(unloaded=[scope])
    for _ in range(3):
        maintenance.tick()
    assert caplog.text.count("the manifest of table public.t is damaged") == 1


def test_scattered_dead_rows_are_cleaned_when_nobody_changes_the_scope_any_more(
    table: TableAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few of each batch are left alone while changes come."""
    monkeypatch.setattr(compaction, "SCATTERED_DEAD_MIN", 2)
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with_policy(table, NEVER)
    maintenance = table.db.jobs()
    for first in range(0, 90, 30):
        table.write(*[kv(key) for key in range(first, first + 30)])
        table.flush()
    for key in range(0, 90, 30):
        now[0] += 59
        table.delete(kv(key))
        maintenance.tick()
    assert sum(found.count for found in table.snapshot.dead.values()) == 3
    for _ in range(5):
        now[0] += 61
        maintenance.tick()
    assert sum(found.count for found in table.snapshot.dead.values()) <= 2
    assert sorted(table.values()) == [key for key in range(90) if key % 30]


def test_scopes_at_rest_are_not_looked_at(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tick after the last thing that happened does nothing, however many scopes there are."""
    table = db.create(kind=TableKind.USER)
    with_policy(table, FlushPolicy(rows=2, interval_seconds=3600))
    maintenance = db.jobs()
    for user in "abc":
        table.of_user(user).write(kv(1))
    maintenance.tick()
    maintenance.tick()
    looked_at: list[str | None] = []
    real = Scheduler._facts

    def noting(self: Scheduler, state: ScopeState, known: Remembered, now: float) -> ScopeFacts:
        looked_at.append(state.head.scope.user)
        return real(self, state, known, now)

    monkeypatch.setattr(Scheduler, "_facts", noting)
    maintenance.tick()
    assert looked_at == []
    table.of_user("b").write(kv(2))
    for _ in range(5):
        maintenance.tick()
    assert set(looked_at) == {"b"}
    assert len(looked_at) <= 2


def test_failure_in_one_scope_does_not_stop_the_others(
    db: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A scope that cannot be flushed is logged and tried again after a while; the rest goes on."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    table = db.create(kind=TableKind.USER)
    with_policy(table, FlushPolicy(rows=1, interval_seconds=None))
    for user in ("a", "b"):
        table.of_user(user).write(kv(1))
    real = kinds.flush

    def fail_for_a(store: object, state: ScopeState, work: Work) -> object:
        if state.head.scope.user == "a":
            raise OSError(28, "No space left on device")
        return real(store, state, work)

    monkeypatch.setattr(kinds, "flush", fail_for_a)
    maintenance = db.jobs()
    with caplog.at_level(logging.ERROR):
        maintenance.tick()
    assert "tried again" in caplog.text
    assert [table.of_user(user).snapshot.has_unflushed for user in ("a", "b")] == [True, False]
    monkeypatch.setattr(kinds, "flush", real)
    maintenance.tick()
    assert table.of_user("a").snapshot.has_unflushed
    now[0] += 1
    maintenance.tick()
    assert not table.of_user("a").snapshot.has_unflushed


def test_work_that_fails_again_and_again_has_failed_and_rests(
    table: TableAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried five times, twice as long apart each time; a minute later it is decided anew."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with_policy(table, FlushPolicy(rows=1, interval_seconds=None))
    table.write(kv(1))
    began: list[float] = []

    def failing(*_: object) -> object:
        began.append(now[0] - 1000)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(kinds, "flush", failing)
    maintenance = table.db.jobs()
    for _ in range(120):
        maintenance.tick()
        now[0] += 1
    assert began == [0, 1, 3, 7, 15, 75, 76, 78, 82, 90]
    (failed,) = [job for job in maintenance.listed() if job.state is JobState.FAILED]
    assert (failed.task.kind, failed.attempt, failed.failures, failed.message) == ("flush", 5, 2, "OSError")


def test_dropped_scope_is_left_alone(table: TableAccess, caplog: pytest.LogCaptureFixture) -> None:
    """A table that was dropped is no failure of maintenance."""
    with_policy(table, FlushPolicy(rows=1, interval_seconds=None))
    table.write(kv(1))
    maintenance = table.db.jobs()
    table.db.store.drop_table(table.definition)
    maintenance.tick()
    assert caplog.text == ""


def test_worker_runs_until_stopped(table: TableAccess) -> None:
    """Started, the thread flushes by itself; stopped, it is gone."""
    with_policy(table, FlushPolicy(rows=1, interval_seconds=None))
    maintenance = table.db.jobs(tick_seconds=0.01)
    maintenance.start()
    try:
        table.write(kv(1))
        wait_for(lambda: not table.snapshot.has_unflushed)
    finally:
        maintenance.stop()
    assert not maintenance.is_running
    table.write(kv(2))
    time.sleep(0.05)
    assert table.snapshot.has_unflushed


def test_readers_and_writers_under_a_busy_worker(table: TableAccess) -> None:
    """With a worker that flushes and compacts all the time, every read is a consistent table."""
    with_policy(table, FlushPolicy(rows=1, interval_seconds=None))
    maintenance = table.db.jobs(tick_seconds=0.001)
    maintenance.start()
    try:
        for turn in range(60):
            table.write(*[kv(key, turn) for key in range(5)])
            table.delete(kv(turn % 5))
            found = table.values()
            assert found == {key: turn for key in range(5) if key != turn % 5}
    finally:
        maintenance.stop()
