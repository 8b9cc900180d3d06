"""Writers whose scope is behind get their answers later, and heavy jobs let statements go first."""

import threading
import time
from dataclasses import replace

import pytest

from catalog.definition import FlushPolicy
from catalog.evolution import set_options
from flush import backlog, compaction
from flush.backlog import Backlog, wait_seconds
from flush.work import Work
from tests.storage_fixtures import TableAccess, kv

HANGS_SECONDS = 60.0


def test_a_scope_that_keeps_up_makes_nobody_wait() -> None:
    """Up to what may wait, nothing is slowed down."""
    assert wait_seconds(0.0) == wait_seconds(1.0) == 0.0


def test_a_wait_grows_and_is_bounded() -> None:
    """However far a scope is behind, its writers go on."""
    assert 0 < wait_seconds(1.2) < wait_seconds(1.7) < wait_seconds(9.0) == wait_seconds(99.0) == 1.0


def test_too_many_hot_rows_are_behind(table: TableAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """When flushes come after the writers."""
    monkeypatch.setattr(backlog, "HOT_VERSIONS_MIN", 10)
    monkeypatch.setattr(backlog, "HOT_POLICIES_MAX", 0)
    table.write(*[kv(key) for key in range(10)])
    assert backlog.backlog(table.snapshot, 0) == 1.0
    table.write(kv(10))
    assert backlog.backlog(table.snapshot, 0) > 1.0


def test_small_batches_that_nobody_merges_are_behind(table: TableAccess) -> None:
    """Full ones and those that a merge has made of them are not counted."""
    for key in range(3):
        table.write(kv(key))
        table.flush()
    assert compaction.count_small(table.snapshot.manifest) == 3
    assert backlog.backlog(table.snapshot, 257) > 1.0


def test_a_writer_waits_until_its_scope_is_not_behind(table: TableAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """The row is there while it waits; a flush lets it go on."""
    monkeypatch.setattr(backlog, "HOT_VERSIONS_MIN", 1)
    monkeypatch.setattr(backlog, "HOT_POLICIES_MAX", 0)
    monkeypatch.setattr(backlog, "WAIT_SECONDS_MAX", HANGS_SECONDS)
    waits = Backlog(merges=True)
    table.db.store.after_writing = waits.wait
    table.write(kv(1))
    writer = threading.Thread(target=table.write, args=(kv(2), kv(3)))
    writer.start()
    while not waits.waiting:
        time.sleep(0.001)
    assert sorted(table.values()) == [1, 2, 3]
    table.flush()
    writer.join(HANGS_SECONDS)
    assert not writer.is_alive()
    assert waits.waiting == 0
    assert waits.waited_seconds > 0


def test_work_gives_way_for_as_long_as_its_last_step_took() -> None:
    """Then it goes on, whoever is there."""
    work = Work()
    work.gives_way = lambda: True
    time.sleep(0.05)
    begun = time.monotonic()
    work.check()
    assert time.monotonic() - begun >= 0.05


def test_work_that_gives_way_can_be_cancelled() -> None:
    """Nobody waits for it to go on first."""
    work = Work()
    asked = iter([True, True])

    def ask() -> bool:
        work.cancel("it is not wanted")
        return next(asked)

    work.gives_way = ask
    time.sleep(0.02)
    with pytest.raises(Exception, match="not wanted"):
        work.check()


def test_rows_that_are_never_flushed_are_not_behind(table: TableAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a table whose owner flushes it."""
    monkeypatch.setattr(backlog, "HOT_VERSIONS_MIN", 1)
    monkeypatch.setattr(backlog, "HOT_POLICIES_MAX", 0)
    table.write(*[kv(key) for key in range(10)])
    policy = FlushPolicy(rows=None, interval_seconds=60.0)
    table.alter(lambda definition: set_options(definition, replace(definition.options, flush_policy=policy)))
    assert backlog.backlog(table.snapshot, 0) == 0.0
