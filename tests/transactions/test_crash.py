"""kill -9 at every step of commits over several scopes and definitions: all of a transaction is there, or nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.keyvalue import Family
from providers.commit.idempotency import Idempotency
from providers.hot import record
from tests.flush.crashes import Crashes, crashes
from tests.storage_fixtures import Database, TableAccess, kv
from tests.transactions.crash_workload import KEYS, created, scopes, transaction
from tests.transactions.inside import inside

pytestmark = pytest.mark.proof

POINTS = [
    "append",
    "wait_durable",
    "write_together",
    "_stage",
    "_put_difference",
    "show",
    "_end",
    "drop_table",
    "replace_manifest",
]


@pytest.fixture(scope="module")
def crashing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashes]:
    """The workload, to be killed."""
    with crashes("tests.transactions.crash_workload", tmp_path_factory.mktemp("crashes")) as process:
        yield process


@pytest.mark.parametrize("event", ["call", "return"])
@pytest.mark.parametrize("function", POINTS)
def test_a_killed_process_leaves_whole_transactions(crashing: Crashes, function: str, event: str) -> None:
    """Every scope, the definitions and the idempotency records tell the same number of committed transactions."""
    for survivor in crashing.at(function, event):
        check_survivor(survivor)


def check_survivor(root: Path) -> None:
    """Open what a killed process left, hold it against the workload, and go on."""
    acknowledged = (root / "acknowledged").stat().st_size
    database = Database(root)
    try:
        number = committed(database)
        assert number >= sum(1 for step in steps_done(acknowledged) if step)
        check(database, number)
        database.clear_leftovers()
        known = {table.id for table in database.catalog.registry.tables.values()}
        assert {record.table_of(key) for key, _ in database.keyvalue.scan(Family.HOT, b"", b"\xff" * 9)} <= known
        transaction(database, number + 1)
        check(database, number + 1)
        database.reopen()
        check(database, number + 1)
    finally:
        database.close()


def steps_done(acknowledged: int) -> list[bool]:
    """For each acknowledged step, whether it was a transaction."""
    steps: list[bool] = []
    number = 0
    while len(steps) < acknowledged:
        number += 1
        steps += [True] + [False] * (number % 3 == 0) + [False] * (number == 6)
    return steps[:acknowledged]


def committed(database: Database) -> int:
    """How many transactions there were, by what one scope holds."""
    return max((row["v"] for row in scopes(database)[0].all()), default=0)


def check(database: Database, number: int) -> None:
    """Everything that `number` transactions have written is there, and nothing else."""
    expected = {key: number for key in range(KEYS) if key != number % KEYS} if number else {}
    for table in scopes(database):
        assert {row["k"]: row["v"] for row in table.all()} == expected
        assert table.snapshot.live_count == len(expected)
        check_requests(table, number)
    newest = number - number % 2
    made = [name.table for name in database.catalog.registry.tables if name.table.startswith("made")]
    assert made == ([created(newest).table] if newest else [])
    if newest:
        assert TableAccess(database, created(newest)).values() == {1: newest}
    columns = {column.name for column in scopes(database)[0].definition.columns}
    assert columns == {"v", "k"} | {f"c{n}" for n in range(2, number + 1, 2)}


def check_requests(table: TableAccess, number: int) -> None:
    """The requests of committed transactions are known, the next one's is not."""
    for request in range(1, number + 2):
        probe, mine = inside(table)
        assert mine.write(kv(999), idempotency=Idempotency(f"n{request}", "hash")).replayed == (request <= number)
        probe.rollback()
