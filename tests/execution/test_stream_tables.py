"""STREAM tables: rows are appended, seen for a while, and leave by age and size, oldest first."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pytest

from catalog.definition import Scope, TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import TableName
from catalog.keyvalue import Family
from catalog.roles import Role
from flightserver.access.principal import Principal
from flightserver.database import Database
from flightserver.execution.ingest import Load, ingest
from flightserver.sql.rendering import create_table_text
from flush.jobs.tasks import StreamEviction
from flush.stream_eviction import evict
from flush.work import Work
from providers.commit.scope_state import ScopeState
from providers.hot import record
from tests.execution.planner import Planner, opened

START_MS = 1_800_000_000_000

Restart = Callable[[], Planner]


@dataclass
class Clock:
    """The wall clock of a database, which stands still unless it is moved."""

    now_ms: int = START_MS

    def pass_seconds(self, seconds: float) -> None:
        """Let time pass."""
        self.now_ms += round(seconds * 1000)

    def drive(self, database: Database) -> None:
        """Let ids be made by this clock."""
        database.store.allocator._clock_ms = lambda: self.now_ms


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


@pytest.fixture
def restart(tmp_path: Path, clock: Clock) -> Iterator[Restart]:
    """Opens the folder, again if it is open."""
    with ExitStack() as stack:

        def opened_anew() -> Planner:
            stack.close()
            planner = stack.enter_context(opened(tmp_path))
            clock.drive(planner.database)
            return planner

        yield opened_anew


@pytest.fixture
def planner(restart: Restart) -> Planner:
    """A STREAM table in which rows live for a minute, and a SHARED one in which three rows do."""
    planner = restart()
    planner.run("CREATE STREAM TABLE s (n INT, v TEXT) WITH (ttl_seconds = 60)")
    planner.run("CREATE SHARED STREAM TABLE few (n INT) WITH (ttl_seconds = 3600, max_rows = 3)")
    return planner


def seen(planner: Planner, name: str = "s") -> list[int]:
    """The numbers that a reader sees, in order."""
    return sorted(planner.plan(f"SELECT n FROM {name}").rows().to_table().column("n").to_pylist())


def counted(planner: Planner, name: str = "s") -> int:
    """What a count says."""
    return planner.plan(f"SELECT count(*) AS n FROM {name}").rows().to_table().to_pylist()[0]["n"]


def put(planner: Planner, *numbers: int, name: str = "s") -> None:
    """Commit some rows."""
    planner.run(f"INSERT INTO {name} (n) VALUES {', '.join(f'({number})' for number in numbers)}")


def table_of(planner: Planner, name: str = "s") -> TableDef:
    """A table's definition."""
    return planner.database.catalog.registry.table(TableName("public", name))


def state_of(planner: Planner, name: str = "s") -> ScopeState:
    """The scope of root, or of everybody."""
    return planner.database.store.state(*planner.context.scope(table_of(planner, name)))


def records(planner: Planner, name: str = "s") -> int:
    """How many records of a table are in the log."""
    prefix = record.table_prefix(table_of(planner, name).id)
    return sum(1 for _ in planner.database._keyvalue.scan(Family.HOT, prefix, record.prefix_end(prefix)))


def as_user(planner: Planner, name: str) -> Planner:
    """The same database for somebody else."""
    return replace(planner, context=replace(planner.context, principal=Principal.of(name, Role.USER)))


def refused(planner: Planner, sql: str) -> str:
    """What a statement is refused with."""
    with pytest.raises(DatabaseError) as caught:
        planner.run(sql)
    assert caught.value.kind in {ErrorKind.INVALID, ErrorKind.UNSUPPORTED, ErrorKind.SYNTAX}
    return caught.value.message


def test_expired_rows_are_invisible_at_once(planner: Planner, clock: Clock) -> None:
    """No job has run."""
    put(planner, 1)
    clock.pass_seconds(30)
    put(planner, 2)
    clock.pass_seconds(30)
    assert (seen(planner), counted(planner)) == ([1, 2], 2)
    clock.pass_seconds(0.001)
    assert (seen(planner), counted(planner)) == ([2], 1)
    clock.pass_seconds(60)
    assert (seen(planner), counted(planner)) == ([], 0)
    put(planner, 3)
    assert seen(planner) == [3]


def test_a_clock_that_goes_back_brings_nothing_back(planner: Planner, clock: Clock) -> None:
    """As long as the server runs."""
    put(planner, 1)
    clock.pass_seconds(61)
    assert seen(planner) == []
    clock.pass_seconds(-61)
    assert seen(planner) == []


def test_rows_are_of_each_user_unless_it_says_shared(planner: Planner) -> None:
    """As with other tables."""
    ann = as_user(planner, "ann")
    put(planner, 1)
    put(ann, 2)
    put(planner, 3, name="few")
    assert (seen(planner), seen(ann)) == ([1], [2])
    assert (table_of(planner).kind_name, table_of(planner, "few").kind_name) == ("STREAM", "SHARED STREAM")


def test_the_newest_rows_stay_when_there_are_too_many(planner: Planner) -> None:
    """As of the commit that brings more."""
    put(planner, 1, 2, name="few")
    assert seen(planner, "few") == [1, 2]
    put(planner, 3, 4, name="few")
    assert seen(planner, "few") == [2, 3, 4]
    put(planner, *range(10, 20), name="few")
    assert seen(planner, "few") == [17, 18, 19]


def test_a_deleted_row_makes_room_and_brings_nothing_back(planner: Planner, clock: Clock, restart: Restart) -> None:
    """Not after a restart either, by which the log still had what had left."""
    put(planner, 1, 2, 3, 4, name="few")
    planner.run("DELETE FROM few WHERE n = 3")
    assert seen(planner, "few") == [2, 4]
    again = restart()
    assert seen(again, "few") == [2, 4]
    put(again, 5, 6, name="few")
    assert seen(again, "few") == [4, 5, 6]


def test_memory_is_bounded_by_bytes(planner: Planner) -> None:
    """Whatever comes, at once or in parts; a chunk of a commit that is nearly gone is let go."""
    planner.run("CREATE STREAM TABLE narrow (n BIGINT) WITH (ttl_seconds = 60, max_bytes = 1048576)")
    context, table = planner.context, table_of(planner, "narrow")
    for start in range(0, 400_000, 80_000):
        batch = pa.record_batch([pa.array(range(start, start + 80_000), pa.int64())], ["n"])
        ingest(planner.database, table, context, [batch], Load())
    hot = state_of(planner, "narrow").published.hot
    assert hot.nbytes <= 1 << 20
    assert hot.live_count > 30_000
    assert seen(planner, "narrow") == list(range(400_000 - hot.live_count, 400_000))


def test_what_was_expired_stays_expired_after_a_restart(planner: Planner, clock: Clock, restart: Restart) -> None:
    """And what was not, is there, under its age."""
    put(planner, 1)
    clock.pass_seconds(40)
    put(planner, 2)
    clock.pass_seconds(30)
    again = restart()
    assert seen(again) == [2]
    clock.pass_seconds(31)
    assert seen(again) == []


def test_a_longer_life_brings_nothing_back_and_a_shorter_one_counts_at_once(
    planner: Planner, clock: Clock, restart: Restart
) -> None:
    """What had expired before ALTER stays gone, in memory or not."""
    put(planner, 1)
    clock.pass_seconds(61)
    put(planner, 2)
    planner.run("ALTER TABLE s SET (ttl_seconds = 3600)")
    assert seen(planner) == [2]
    clock.pass_seconds(600)
    assert seen(planner) == [2]
    put(planner, 3)
    planner.run("ALTER TABLE s SET (ttl_seconds = 5)")
    assert seen(planner) == [3]
    again = restart()
    again.run("ALTER TABLE s SET (ttl_seconds = 36000)")
    assert seen(again) == [3]


def test_eviction_takes_rows_from_memory_and_from_the_log(planner: Planner, clock: Clock) -> None:
    """A record of which a row may live stays, until nothing does."""
    for number in range(4):
        put(planner, number)
        clock.pass_seconds(20)
    state = state_of(planner)
    assert (state.published.hot.version_count, records(planner)) == (4, 4)
    assert evict(planner.database.store, state).rows == 1
    assert seen(planner) == [1, 2, 3]
    assert (state.published.hot.version_count, records(planner)) == (3, 3)
    clock.pass_seconds(100)
    assert evict(planner.database.store, state).rows == 3
    assert (state.published.hot.version_count, records(planner)) == (0, 0)
    put(planner, 9)
    assert seen(planner) == [9]


def test_the_server_evicts_by_itself(
    planner: Planner, clock: Clock, restart: Restart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scope that nobody uses any more has nothing left, and is let go; one that is not in memory stays out of it."""
    start = clock.now_ms
    monkeypatch.setattr(time, "monotonic", lambda: (clock.now_ms - start) / 1000)
    put(planner, 1)
    planner.database.jobs.tick()
    assert (records(planner), state_of(planner).waits_for_maintenance) == (1, True)
    clock.pass_seconds(61)
    planner.database.jobs.tick()
    assert (records(planner), state_of(planner).waits_for_maintenance) == (0, False)
    put(planner, 2)
    again = restart()
    again.database.jobs.tick()
    clock.pass_seconds(65)
    again.database.jobs.tick()
    assert records(again) == 0
    assert again.database.store.in_memory(Scope(table_of(again).id, "root")) is None


def test_a_scope_that_is_not_in_memory_is_evicted_where_it_lies(
    planner: Planner, clock: Clock, restart: Restart
) -> None:
    """What may live stays."""
    put(planner, 1)
    clock.pass_seconds(61)
    put(planner, 2)
    again = restart()
    table = table_of(again)
    again.database.jobs.do(StreamEviction(table_id=table.id, user="root"), "root")
    assert again.database.store.in_memory(Scope(table.id, "root")) is None
    assert records(again) == 1
    assert seen(again) == [2]


def test_a_delete_is_one(planner: Planner, clock: Clock, restart: Restart) -> None:
    """By a condition, of everything, and over a restart."""
    put(planner, 1, 2, 3)
    put(planner, 4)
    planner.run("DELETE FROM s WHERE n IN (2, 4)")
    assert seen(planner) == [1, 3]
    again = restart()
    assert seen(again) == [1, 3]
    again.run("TRUNCATE TABLE s")
    assert (seen(again), records(again)) == ([], 0)
    put(again, 5)
    again.run("DELETE FROM s")
    assert seen(again) == []


def test_a_transaction_reads_as_of_its_beginning(planner: Planner, clock: Clock) -> None:
    """What expires meanwhile, or is evicted, is there for it; its own rows come when it is committed."""
    put(planner, 1)
    transaction = planner.database.begin()
    inside = replace(planner, context=replace(planner.context, work=transaction, in_transaction=True))
    put(inside, 2)
    clock.pass_seconds(61)
    evict(planner.database.store, state_of(planner))
    assert (seen(inside), seen(planner)) == ([1, 2], [])
    inside.run("DELETE FROM s WHERE n = 1")
    assert seen(inside) == [2]
    transaction.commit()
    assert seen(planner) == [2]


def test_it_is_joined_like_any_table(planner: Planner) -> None:
    """With itself and with others."""
    planner.run("CREATE TABLE names (n INT PRIMARY KEY, name TEXT)")
    planner.run("INSERT INTO names VALUES (1, 'one')")
    put(planner, 1, 2)
    rows = planner.plan("SELECT name FROM s JOIN names USING (n)").rows().to_table()
    assert rows.to_pylist() == [{"name": "one"}]


def test_it_has_no_files(planner: Planner) -> None:
    """Neither by a policy nor by FLUSH ALL, nor by a stream of many rows."""
    batch = pa.record_batch([pa.array(range(60_000), pa.int32())], ["n"])
    ingest(planner.database, table_of(planner), planner.context, [batch], Load())
    planner.run("FLUSH ALL")
    planner.run("COMPACT ALL")
    planner.database.jobs.tick()
    assert not list(planner.database._folder.tables.rglob("*.*json"))
    assert counted(planner) == 60_000


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("FLUSH TABLE s", "never in files"),
        ("COMPACT TABLE s", "never in files"),
        ("UPDATE s SET v = 'x'", "only appended"),
        ("CREATE STREAM TABLE t (n INT)", "ttl_seconds"),
        ("CREATE STREAM TABLE t (n INT PRIMARY KEY) WITH (ttl_seconds = 1)", "no PRIMARY KEY"),
        ("CREATE STREAM TABLE t (n INT) WITH (ttl_seconds = 0)", "from 0.001"),
        ("CREATE STREAM TABLE t (n INT) WITH (ttl_seconds = -5)", "from 0.001"),
        ("CREATE STREAM TABLE t (n INT) WITH (ttl_seconds = 'soon')", "'soon'"),
        ("CREATE STREAM TABLE t (n INT) WITH (ttl_seconds = 'nan')", "'nan'"),
        ("CREATE STREAM TABLE t (n INT) WITH (ttl_seconds = 1, max_bytes = 12)", "from 1048576"),
        ("CREATE STREAM TABLE t (n INT) WITH (ttl_seconds = 1, max_rows = 0)", "from 1"),
        ("CREATE STREAM TABLE t (n INT) WITH (ttl_seconds = 1, flush_policy = 'none')", "flush_policy is about files"),
        ("CREATE STREAM TABLE t (n INT) WITH (ttl_seconds = 1, bloom_columns = 'n')", "bloom_columns is about files"),
        ("CREATE STREAM TABLE t (n INT) WITH (ttl_seconds = 1, retention = '1 day')", "live for ttl_seconds"),
        ("CREATE TABLE t (n INT) WITH (ttl_seconds = 1)", "for STREAM tables"),
        ("CREATE TABLE t (n INT) WITH (max_rows = 1)", "for STREAM tables"),
        ("CREATE TEMPORARY STREAM TABLE t (n INT) WITH (ttl_seconds = 1)", "not temporary"),
        ("ALTER TABLE s SET (ttl_seconds = 'none')", "ttl_seconds"),
        ("ALTER TABLE s SET (compression = 'zstd')", "compression is about files"),
    ],
)
def test_what_makes_no_sense_is_refused(planner: Planner, sql: str, why: str) -> None:
    """With the reason."""
    assert why in refused(planner, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE STREAM TABLE public.t (\n    n INT\n) WITH (ttl_seconds = 60, max_bytes = 268435456)",
        "CREATE SHARED STREAM TABLE public.t (\n    n INT\n) WITH (ttl_seconds = 5, max_bytes = 1048576, max_rows = 7)",
    ],
)
def test_it_is_shown_as_it_is_made(planner: Planner, sql: str) -> None:
    """What was read is written."""
    planner.run(sql)
    assert create_table_text(table_of(planner, "t")) == sql


def test_a_query_makes_one(planner: Planner) -> None:
    """Of rows that are as young as the table."""
    put(planner, 1, 2)
    planner.run("CREATE STREAM TABLE t WITH (ttl_seconds = 60) AS SELECT n FROM s")
    assert seen(planner, "t") == [1, 2]
    assert table_of(planner, "t").is_stream


@pytest.mark.parametrize("drop", ["DROP TABLE s", "DROP STREAM TABLE s", "DROP USER STREAM TABLE s"])
def test_it_is_dropped_with_its_records(planner: Planner, drop: str) -> None:
    """However it is called."""
    put(planner, 1)
    prefix = record.table_prefix(table_of(planner).id)
    planner.run(drop)
    assert planner.database._keyvalue.first_key(Family.HOT, prefix, record.prefix_end(prefix)) is None


def test_nothing_of_it_is_found_wanting(planner: Planner, clock: Clock) -> None:
    """CHECK reads its records, and the mark of what has left."""
    put(planner, 1, 2, 3, 4, name="few")
    put(planner, 1)
    clock.pass_seconds(61)
    evict(planner.database.store, state_of(planner))
    database = planner.database
    found = [*database.check_records(Work()), *database.check_table(table_of(planner), None, Work())]
    assert [*found, *database.check_table(table_of(planner, "few"), None, Work())] == []
