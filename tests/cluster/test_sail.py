"""The same rows as here, from Sail with two workers: TPC-H and random statements; and what becomes of what breaks off.

`FLIGHTSERVER_CLUSTER_STATEMENTS` sets how many random statements must have been translated and compared.
"""

import os
import random
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from adbc_driver_flightsql import dbapi

from bench.sail import COMMAND, Sail, free_port
from bench.tpch import KEYS, QUERIES, SQL_TYPES, generate
from catalog.roles import Role
from flightserver.settings import ClusterSettings
from tests.cluster.pods import Pods
from tests.oracle.answers import plain, same_rows
from tests.oracle.duel import is_ordered
from tests.oracle.generator import Generator
from tests.oracle.tree import ByAnother, CreateTable
from tests.oracle.worlds import world
from tests.oracle.writing import Dialect, Writer
from tests.rights.house import Answer, House, Person
from tests.server_process import ServerProcess

pytestmark = pytest.mark.proof

STATEMENTS = int(os.environ.get("FLIGHTSERVER_CLUSTER_STATEMENTS", "30"))
EACH = min(STATEMENTS, 60)
TRIED_MAX = 60
"""For each statement that is translated, how many may be refused."""

NOT_TRANSLATED = "UNSUPPORTED: this query cannot run on the cluster"
LONG = "SELECT sum(a.x * b.x * c.x) AS s FROM long AS a, long AS b, long AS c WHERE a.x + b.x + c.x > 0.5"
END_SECONDS = 60.0


@pytest.fixture(scope="module")
def house(sail: Sail, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """With everything of TPC-H, and a table for a query that is long."""
    folder = tmp_path_factory.mktemp("house")
    people = {"root": Role.SYSTEM, "ann": Role.USER, "bob": Role.USER}
    opened = House(folder / "data", people, settings={"cluster": ClusterSettings(url=sail.url, silence_s=120)})
    root = opened.person("root")
    generate(folder / "tpch", "0.01")
    for name, key in KEYS.items():
        rows = pq.read_table(folder / "tpch" / f"{name}.parquet")
        types = [pa.string() if pa.types.is_string_view(part.type) else part.type for part in rows.schema]
        columns = [f"{part.name} {SQL_TYPES[part.type]} NOT NULL" for part in rows.schema]
        root.ok(f"CREATE TABLE {name} ({', '.join(columns)}, PRIMARY KEY ({key})) WITH (publish = 'delta')")
        root.ingest(name, rows.cast(pa.schema(list(zip(rows.schema.names, types, strict=True)))))
    root.ok("CREATE TABLE long (k BIGINT PRIMARY KEY, x DOUBLE NOT NULL) WITH (publish = 'delta')")
    root.ingest("long", pa.table({"k": range(4_000), "x": [key / 7 for key in range(4_000)]}))
    yield opened
    opened.close()


def asking(house: House, engine: str, name: str = "root") -> Person:
    """A session whose queries run here or there."""
    person = house.person(name)
    person.ok(f"SET engine = '{engine}'")
    return person


def rows_of(answer: Answer) -> tuple[tuple[object, ...], ...]:
    """The rows of an answer, as plain values."""
    assert answer.rows is not None, answer.error
    return plain(zip(*(column.to_pylist() for column in answer.rows.columns), strict=True))


def test_tpch_has_the_same_rows_there(house: House) -> None:
    """All 22 queries are translated; types are those that we give."""
    here, there = asking(house, "local"), asking(house, "cluster")
    for name, text in QUERIES.items():
        ours, theirs = here.query(text), there.query(text)
        assert theirs.error is None, f"{name}: {theirs.error}"
        assert ours.rows is not None
        assert theirs.rows is not None
        assert theirs.rows.schema == ours.rows.schema, name
        assert same_rows(rows_of(ours), rows_of(theirs), ordered="ORDER BY" in text), name
    listed = there.ok("SELECT engine, count(*) AS n FROM system.queries WHERE text LIKE '%lineitem%' GROUP BY engine")
    assert {row["engine"] for row in listed} == {"local", "cluster"}


@pytest.mark.parametrize("seed", range(-(-STATEMENTS // EACH)))
def test_random_statements_have_the_same_rows_there(house: House, seed: int) -> None:
    """Over tables that are hot, in files, partly dead and altered; what is refused is counted, and bounded."""
    chance = random.Random(seed)
    made = world(chance)
    writer = Writer(Dialect.SERVER)
    here, there, other = asking(house, "local"), asking(house, "cluster"), house.person("ann")
    here.ok(f"CREATE NAMESPACE w{seed}")
    here.ok(f"GRANT SELECT, INSERT ON NAMESPACE w{seed} TO PUBLIC")
    for person in (here, there, other):
        person.ok(f"USE w{seed}")
    for step in made.steps:
        (other if isinstance(step, ByAnother) else here).query(writer.text(step))
        if isinstance(step, CreateTable):
            here.ok(f"ALTER TABLE {step.table} SET (publish = 'delta')")
    generator = Generator(chance, [table for table in made.tables if table.changeable])
    compared = tried = 0
    while compared < EACH:
        question = generator.question()
        text = writer.text(question)
        tried += 1
        assert tried < TRIED_MAX * EACH, f"of {tried} statements only {compared} were translated"
        theirs = there.query(text)
        if theirs.error is not None and theirs.error.startswith(NOT_TRANSLATED):
            continue
        ours = here.query(text)
        if theirs.error is not None:
            assert ours.error is not None or "could not compute" in theirs.error, f"{text}: {theirs.error}"
            continue
        assert ours.error is None, f"{text}: {ours.error}"
        compared += 1
        assert same_rows(rows_of(ours), rows_of(theirs), ordered=is_ordered(question)), text


def test_a_process_that_serves_reaches_it(sail: Sail, tmp_path: Path) -> None:
    """Although it does without libraries that the cluster's client needs."""
    with (
        ServerProcess(tmp_path / "data", settings={"cluster.url": sail.url}) as server,
        dbapi.connect(server.uri, autocommit=True) as client,
        client.cursor() as cursor,
    ):
        cursor.executescript("CREATE TABLE t (k BIGINT PRIMARY KEY) WITH (publish = 'delta')")
        cursor.executescript("INSERT INTO t VALUES (3), (4)")
        cursor.executescript("SET engine = 'cluster'")
        cursor.execute("SELECT sum(k) AS s FROM t")
        assert cursor.fetchall() == [(7,)]
        cursor.execute("SELECT text FROM system.queries WHERE engine = 'cluster'")
        assert cursor.fetchall() == [("SELECT sum(k) AS s FROM t",)]


def test_everybody_has_their_own_rows_there(house: House) -> None:
    """Of a USER table each asker's published rows are read, and nobody else's."""
    house.person("root").ok("CREATE USER TABLE own (k BIGINT PRIMARY KEY) WITH (publish = 'delta')")
    for name, key in (("ann", 1), ("bob", 2)):
        person = asking(house, "cluster", name)
        person.ok(f"INSERT INTO own VALUES ({key})")
        assert person.ok("SELECT sum(k) AS s FROM own") == [{"s": key}]


def test_what_was_committed_before_is_there(house: House) -> None:
    """Every query sees each change that was acknowledged before it began."""
    there = asking(house, "cluster")
    there.ok("CREATE TABLE seen (k BIGINT PRIMARY KEY, v BIGINT) WITH (publish = 'delta')")
    for turn in range(1, 6):
        there.ok(f"INSERT INTO seen VALUES ({turn}, {turn}) ON CONFLICT (k) DO UPDATE SET v = excluded.v")
        there.ok("UPDATE seen SET v = v + 1")
        expected = sum(turn - key + 1 + key for key in range(1, turn + 1))
        assert there.ok("SELECT sum(v) AS s FROM seen") == [{"s": expected}]


def test_a_limit_of_results_holds_there(house: House) -> None:
    """A result that is larger than its user may have is an error."""
    root = house.person("root")
    root.ok("ALTER SYSTEM SET result_rows_max = 10")
    try:
        assert "result_rows" in asking(house, "cluster").refused("SELECT l_comment FROM lineitem WHERE l_tax >= 0")
    finally:
        root.ok("ALTER SYSTEM RESET result_rows_max")


def test_a_time_that_is_over_ends_it_there(house: House, sail: Sail) -> None:
    """The client has its error at once, and the cluster stops working soon after."""
    there = asking(house, "cluster")
    there.ok("SET query_timeout_s = 2")
    assert there.refused(LONG).startswith("TIMEOUT")
    assert_idle(sail)


def test_a_query_that_is_killed_ends_there(house: House, sail: Sail) -> None:
    """KILL QUERY reaches the cluster."""
    there, root = asking(house, "cluster"), house.person("root")
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(there.query(LONG)))
    thread.start()
    running = "SELECT query_id FROM system.queries WHERE state = 'streaming' AND engine = 'cluster'"
    while not (found := root.ok(running)):
        time.sleep(0.05)
    root.update(f"KILL QUERY {found[0]['query_id']}")
    thread.join(END_SECONDS)
    assert not thread.is_alive()
    assert str(answers[0].error).startswith("CANCELLED")
    assert_idle(sail)


def test_a_cluster_that_is_killed_in_the_middle_is_a_clear_error(tmp_path: Path) -> None:
    """Nothing hangs, nothing stays here, and the next query says so at once."""
    doomed = Sail(tmp_path, free_port())
    with long_query(tmp_path, doomed) as there:
        assert error_of_long_query(there, doomed, doomed.kill).startswith("UNAVAILABLE: the cluster")
        assert there.refused("SELECT sum(x) FROM long").startswith("UNAVAILABLE: the cluster")
        assert_nobody_waits()
        there.ok("SET engine = 'local'")
        assert len(there.ok("SELECT sum(x) FROM long")) == 1


def test_a_worker_that_is_killed_in_the_middle_is_a_clear_error(tmp_path: Path) -> None:
    """What broke off is told, nothing stays here, and the next query is answered by workers that were started anew."""
    pods = Pods(tmp_path, COMMAND)
    hurt = Sail(tmp_path, free_port(), pods.environment)
    try:
        with long_query(tmp_path, hurt) as there:
            there.ok("SELECT sum(x) FROM long")
            error = error_of_long_query(there, pods, lambda: [worker.kill() for worker in pods.workers])
            assert error.startswith("UNAVAILABLE: the cluster")
            assert_nobody_waits()
            assert len(there.ok("SELECT sum(x) FROM long")) == 1
    finally:
        pods.end()


@contextmanager
def long_query(folder: Path, sail: Sail) -> Iterator[Person]:
    """Somebody whose queries run there, one of which is long."""
    house = House(folder / "data", {"root": Role.SYSTEM}, settings={"cluster": ClusterSettings(url=sail.url)})
    try:
        root = house.person("root")
        root.ok("CREATE TABLE long (k BIGINT PRIMARY KEY, x DOUBLE NOT NULL) WITH (publish = 'delta')")
        root.ingest("long", pa.table({"k": range(4_000), "x": [key / 7 for key in range(4_000)]}))
        yield asking(house, "cluster")
    finally:
        sail.kill()
        house.close()


def error_of_long_query(there: Person, workers: Sail | Pods, harm: Callable[[], object]) -> str:
    """What a long query ends with when a cluster is harmed while it is at work."""
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(there.query(LONG)))
    idle = workers.processor_seconds
    thread.start()
    while workers.processor_seconds < idle + 1:
        assert thread.is_alive(), answers
        time.sleep(0.05)
    harm()
    thread.join(END_SECONDS)
    assert not thread.is_alive()
    return str(answers[0].error)


def assert_nobody_waits() -> None:
    """No thread is left that waits for a cluster."""
    ends = time.monotonic() + END_SECONDS
    while any(one.name.startswith("cluster") for one in threading.enumerate()):
        assert time.monotonic() < ends, threads_of_clusters()
        time.sleep(0.05)


def threads_of_clusters() -> str:
    """Where each thread is that waits for a cluster."""
    frames = sys._current_frames()
    waiting = [one for one in threading.enumerate() if one.name.startswith("cluster")]
    return "\n".join("".join([one.name, "\n", *traceback.format_stack(frames[one.ident or 0])]) for one in waiting)


def assert_idle(sail: Sail) -> None:
    """The cluster stops working."""
    ends = time.monotonic() + END_SECONDS
    while time.monotonic() < ends:
        before = sail.processor_seconds
        time.sleep(1)
        if sail.processor_seconds - before < 0.3:
            return
    pytest.fail("the cluster goes on working")
