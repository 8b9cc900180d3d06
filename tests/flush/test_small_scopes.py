"""Few rows of a user's partition stay in RocksDB, until there are more of them or somebody asks for files."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.definition import FlushPolicy
from catalog.identifiers import TableName
from flush.jobs.tasks import Flush
from flush.jobs.upkeep import Remembered, ScopeFacts, decide
from flush.small_scopes import BYTES_MAX, RECORDS_MAX
from providers.snapshot import Snapshot
from tests.execution.planner import Planner, opened

LONG = 3600.0


@pytest.fixture
def planner(tmp_path: Path) -> Iterator[Planner]:
    """A USER and a SHARED table."""
    with opened(tmp_path) as planner:
        planner.run("CREATE USER TABLE u (k INT PRIMARY KEY, v TEXT)")
        planner.run("CREATE TABLE s (k INT PRIMARY KEY, v TEXT)")
        yield planner


def snapshot(planner: Planner, name: str) -> Snapshot:
    """The newest state of a table's scope, that of `root` if it is a USER table."""
    table = planner.database.catalog.registry.table(TableName("public", name))
    return planner.database.store.state(table, "root" if name == "u" else None).published


def insert(planner: Planner, name: str, commits: int, value: str = "x") -> None:
    """One row for each of some commits."""
    for key in range(commits):
        planner.run(f"INSERT INTO {name} VALUES ({key}, '{value}')")


def test_flush_all_leaves_a_few_rows_of_a_user_and_moves_those_of_shared_tables(planner: Planner) -> None:
    """The rows are there all the same."""
    insert(planner, "u", 3)
    insert(planner, "s", 3)
    planner.run("FLUSH ALL")
    assert (snapshot(planner, "u").has_unflushed, snapshot(planner, "s").has_unflushed) == (True, False)
    assert planner.plan("SELECT count(*) AS n FROM u").rows().to_table().to_pylist() == [{"n": 3}]


def test_flush_table_moves_what_it_is_told_to(planner: Planner) -> None:
    """However few rows there are."""
    insert(planner, "u", 1)
    planner.run("FLUSH TABLE u")
    assert not snapshot(planner, "u").has_unflushed


@pytest.mark.parametrize(("commits", "value"), [(RECORDS_MAX + 1, "x"), (2, "x" * BYTES_MAX)])
def test_more_than_a_few_rows_are_moved_by_flush_all(planner: Planner, commits: int, value: str) -> None:
    """More commits, or more bytes."""
    insert(planner, "u", commits, value)
    planner.run("FLUSH ALL")
    assert not snapshot(planner, "u").has_unflushed


def test_an_interval_moves_no_rows_that_stay_and_is_not_waited_for_again() -> None:
    """Until something happens in the scope."""
    facts = ScopeFacts(policy=FlushPolicy(interval_seconds=60.0), has_unflushed=True, stays_hot=True)
    decision = decide(facts, Remembered(unflushed_since=0.0, reclaimed=frozenset({0})), LONG)
    assert (Flush in decision.due, decision.look_at) == (False, None)


def test_a_number_of_rows_moves_also_what_would_stay() -> None:
    """Who asks for it in rows gets it."""
    facts = ScopeFacts(policy=FlushPolicy(rows=3), hot_versions=3, has_unflushed=True, stays_hot=True)
    assert Flush in decide(facts, Remembered(), 0.0).due
