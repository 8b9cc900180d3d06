"""Statements at work: who sees them, who may end them, and what a busy server answers."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import flight

from flightserver.protocol.actions import (
    CancelFlightInfo,
    CancelQuery,
    GetSessionOptions,
    RenewFlightEndpoint,
)
from flightserver.protocol.commands import StatementIngest, StatementQuery
from flightserver.protocol.flight import FLIGHT_ENDPOINT, FLIGHT_INFO, FlightEndpoint, Ticket
from flightserver.protocol.generated import flight_pb2
from tests.e2e.client import Client
from tests.e2e.endless import COUNTING, ENDLESS, Endless, drain, running, working
from tests.e2e.wire import Wire
from tests.server_process import ServerProcess

Make = Callable[..., str]

MULTIPLYING = "SELECT sum(a.k * b.k) FROM t a JOIN t b ON a.k = b.k"
"""Keeps as many of the engine's workers as a query has threads, until the server ends."""


def refused(wire: Wire) -> str:
    """What a statement of no admin is told when the server has no place for it, as soon as that is so."""
    while True:
        try:
            wire.query("SELECT now()")
        except flight.FlightUnavailableError as error:
            return str(error)


def session_of(client: Client) -> str:
    """A client's own session id: that of the statement that asks."""
    return str(
        client.one(
            "SELECT session_id FROM system.queries WHERE text LIKE 'SELECT session_id%' ORDER BY query_id DESC LIMIT 1"
        )
    )


def options_of(wire: Wire) -> dict[str, Any]:
    """GetSessionOptions."""
    (body,) = wire.act(GetSessionOptions())
    answer = flight_pb2.GetSessionOptionsResult.FromString(body)
    return {name: getattr(value, value.WhichOneof("option_value")) for name, value in answer.session_options.items()}


def test_queries_tells_what_ran(mine: Client, make: Make) -> None:
    """Text, user, state, rows, bytes, pruned batches, start, and the error of what failed."""
    t = make("id BIGINT PRIMARY KEY, v BIGINT")
    for start in (0, 1000):
        mine.ingest(t, pa.table({"id": range(start, start + 1000), "v": range(1000)}))
        mine.run(f"FLUSH TABLE {t}")
    mine.run(f"SELECT id, v FROM {t} WHERE id < 10")
    mine.error(f"INSERT INTO {t} (id) VALUES (1)")
    mine.run(f"UPDATE {t} SET v = 0 WHERE id < 5")
    columns = "text, user, state, rows, bytes, batches_total, batches_pruned, error"
    found = mine.rows(f"SELECT {columns} FROM system.queries WHERE text LIKE '%{t}%' AND text NOT LIKE '%system%'")
    by_text = {row[0]: row[1:] for row in found}
    assert by_text[f"SELECT id, v FROM {t} WHERE id < 10"] == ("root", "finished", 10, 160, 2, 1, None)
    assert by_text[f"UPDATE {t} SET v = 0 WHERE id < 5"][:3] == ("root", "finished", 5)
    state, error = (by_text[f"INSERT INTO {t} (id) VALUES (1)"][index] for index in (1, 6))
    assert state == "failed"
    assert "exists already" in str(error)
    assert by_text[f"ingest into {t}"][:3] == ("root", "finished", 1000)
    assert mine.one("SELECT count(*) FROM system.queries WHERE started > now() OR seconds < 0") == 0


def test_sessions_tells_what_is_open(mine: Client, t: str) -> None:
    """Namespace, transactions, temporary tables and options of the session that asks."""
    mine.run(f"CREATE NAMESPACE {t}")
    mine.run(f"USE {t}")
    mine.run("SET query_timeout_s = 30")
    mine.ingest("x", pa.table({"id": [1]}), mode="create", temporary=True)
    mine.run("BEGIN")
    found = mine.rows(
        "SELECT user, namespace, open_transactions, temporary_tables, query_timeout_s, created_at <= idle_since "
        f"FROM system.sessions WHERE session_id = '{session_of(mine)}'"
    )
    assert found == [("root", t, 1, 1, 30.0, True)]


def test_users_see_their_own_in_system_tables(alice: Client, bob: Client, db: Client) -> None:
    """Others' texts and sessions are nobody's business but an admin's."""
    alice.run("SELECT 'a secret of alice'")
    for client, users in ((alice, {"alice"}), (bob, {"bob"})):
        for table in ("sessions", "queries"):
            assert set(client.column(f"SELECT DISTINCT user FROM system.{table}")) == users
    assert bob.one("SELECT count(*) FROM system.queries WHERE text LIKE '%secret%' AND user <> 'bob'") == 0
    assert {"alice", "bob", "root"} <= set(db.column("SELECT DISTINCT user FROM system.sessions"))


def test_a_query_can_be_killed_by_its_user_and_by_admins(server: ServerProcess, db: Client, bob: Client) -> None:
    """To others it does not exist; its client is told who did it, and the server comes to rest."""
    for killer in ("alice", "root"):
        with Wire(server, "alice") as wire, server.connect("alice") as connection:
            query = Endless(wire)
            number = running(db, "alice")
            assert f"query {number} does not exist" in bob.error(f"KILL QUERY {number}")
            (Client(connection) if killer == "alice" else db).run(f"KILL QUERY {number}")
            error = query.ended()
            assert isinstance(error, flight.FlightCancelledError)
            assert f"killed by {killer}" in str(error)
            assert db.column(f"SELECT state FROM system.queries WHERE query_id = {number}") == ["cancelled"]
    assert server.is_idle_within(15)
    assert "does not exist" in db.error("KILL QUERY 999999999")


def test_a_result_that_nobody_fetched_can_be_killed(wire: Wire, db: Client, t: str) -> None:
    """Fetching it afterwards is an error, not a result."""
    info = wire.info(StatementQuery(f"SELECT '{t}' AS x"))
    number = db.one(f"SELECT query_id FROM system.queries WHERE text = 'SELECT ''{t}'' AS x'")
    assert db.one(f"SELECT state FROM system.queries WHERE query_id = {number}") == "ready"
    db.run(f"KILL QUERY {number}")
    with pytest.raises(flight.FlightCancelledError, match="killed"):
        drain(wire, info)


def test_a_session_can_be_killed_by_its_user_and_by_admins(
    server: ServerProcess, alice: Client, bob: Client, db: Client, make: Make
) -> None:
    """Its query stops, its transaction is rolled back, its token is worth nothing."""
    t = make()
    db.run(f"GRANT INSERT ON {t} TO alice")
    for killer in (alice, db):
        with Wire(server, "alice") as wire:
            wire.update("BEGIN")
            wire.update(f"INSERT INTO {t} (id) VALUES (1)")
            query = Endless(wire)
            number = running(db, "alice")
            session = db.one(f"SELECT session_id FROM system.queries WHERE query_id = {number}")
            assert "does not exist" in bob.error(f"KILL SESSION '{session}'")
            killer.run(f"KILL SESSION '{session}'")
            assert isinstance(query.ended(), flight.FlightCancelledError)
            with pytest.raises(flight.FlightUnauthenticatedError):
                wire.query("SELECT 1")
        assert db.one(f"SELECT count(*) FROM system.sessions WHERE session_id = '{session}'") == 0
        db.run(f"INSERT INTO {t} (id) VALUES (1)")
        db.run(f"DELETE FROM {t}")


@pytest.mark.parametrize("action", [CancelFlightInfo, CancelQuery])
def test_a_client_can_cancel_its_query(server: ServerProcess, wire: Wire, db: Client, action: type) -> None:
    """The stream ends with CANCELLED, the processor is free, and the result is forgotten."""
    query = Endless(wire)
    running(db, "root")
    info = FLIGHT_INFO.decode(query.info.serialize())
    with Wire(server, "bob") as stranger, pytest.raises(KeyError, match="does not exist"):
        stranger.act(action(info))
    assert wire.act(action(info))
    assert isinstance(query.ended(), flight.FlightCancelledError)
    assert server.is_idle_within(15)
    with pytest.raises(KeyError, match="does not exist"):
        wire.fetch(query.info)
    with pytest.raises(KeyError, match="does not exist"):
        wire.act(action(info))


def test_an_endpoint_can_be_renewed(wire: Wire) -> None:
    """Its new expiry is later, and it is still the same result."""
    info = wire.info(StatementQuery("SELECT 1 AS x"))
    (endpoint,) = info.endpoints
    before = endpoint.expiration_time.as_py()
    (body,) = wire.act(RenewFlightEndpoint(FlightEndpoint(Ticket(endpoint.ticket.ticket))))
    renewed = flight_pb2.FlightEndpoint.FromString(body)
    assert renewed.expiration_time.ToNanoseconds() > pa.scalar(before, pa.timestamp("ns", "UTC")).value
    assert wire.reader(flight.Ticket(renewed.ticket.ticket)).read_all().to_pylist() == [{"x": 1}]
    assert FLIGHT_ENDPOINT.decode(body).ticket.ticket == endpoint.ticket.ticket


def test_flights_are_the_tables(wire: Wire, db: Client, alice: Client, make: Make) -> None:
    """Each with its name, its schema and a ticket; criteria are a part of the name; rows are the reader's own."""
    t = make("id BIGINT PRIMARY KEY, v BIGINT", kind="USER")
    db.run(f"INSERT INTO {t} VALUES (1, 2)")
    alice.run(f"INSERT INTO {t} VALUES (3, 4)")
    (found,) = list(wire.client.list_flights(f"public.{t}".encode(), wire.options))
    assert found.descriptor.path == [b"public", t.encode()]
    assert found.schema.names == ["id", "v"]
    assert wire.fetch(found).to_pylist() == [{"id": 1, "v": 2}]


def test_a_timeout_stops_a_query(server: ServerProcess, mine: Client, wire: Wire) -> None:
    """DEADLINE_EXCEEDED with the setting's name; the server comes to rest and the session goes on."""
    wire.update("SET query_timeout_s = 0.5")
    error = Endless(wire).ended()
    assert isinstance(error, flight.FlightTimedOutError)
    assert "query_timeout_s = 0.5" in str(error)
    assert server.is_idle_within(15)
    assert wire.query("SELECT 1 AS x").to_pylist() == [{"x": 1}]
    mine.run("SET query_timeout_s = 0.5")
    assert "query_timeout_s = 0.5" in mine.error(ENDLESS)


ENDLESS_CHANGES = [
    f"INSERT INTO {{t}} {COUNTING}",
    f"INSERT INTO {{t}} {COUNTING} ON CONFLICT (id) DO UPDATE SET v = excluded.v",
    f"UPDATE {{t}} SET v = (SELECT count(*) FROM ({COUNTING}) x)",
    f"DELETE FROM {{t}} WHERE v < (SELECT count(*) FROM ({COUNTING}) x)",
    f"CREATE TABLE {{t}}_copy AS {COUNTING}",
]


@pytest.fixture
def one(db: Client, make: Make) -> str:
    """A table with the row 0, 7."""
    t = make("id BIGINT PRIMARY KEY, v BIGINT")
    db.run(f"INSERT INTO {t} VALUES (0, 7)")
    return t


@pytest.mark.parametrize("sql", ENDLESS_CHANGES)
def test_a_change_that_is_killed_leaves_nothing(server: ServerProcess, db: Client, one: str, sql: str) -> None:
    """Its client is told, the server comes to rest, and the table is as it was."""
    with Wire(server) as wire, ThreadPoolExecutor() as pool:
        change = pool.submit(wire.update, sql.format(t=one))
        db.run(f"KILL QUERY {working(db, one)}")
        assert isinstance(change.exception(30), flight.FlightCancelledError)
    assert server.is_idle_within(15)
    assert db.rows(f"SELECT * FROM {one}") == [(0, 7)]
    assert f"{one}_copy" not in [row[1] for row in db.rows("SHOW TABLES")]


@pytest.mark.parametrize("sql", ENDLESS_CHANGES)
def test_a_change_that_takes_too_long_leaves_nothing(mine: Client, one: str, sql: str) -> None:
    """A timeout is for changes, too."""
    mine.run("SET query_timeout_s = 0.3")
    assert "query_timeout_s = 0.3" in mine.error(sql.format(t=one))
    assert mine.rows(f"SELECT * FROM {one}") == [(0, 7)]


def test_a_stream_that_takes_too_long_leaves_nothing(wire: Wire, db: Client, one: str) -> None:
    """A client that sends its rows too slowly is told so."""

    def slowly() -> Iterator[pa.RecordBatch]:
        for number in range(1000):
            time.sleep(0.05)
            yield pa.record_batch({"id": [number]})

    wire.update("SET query_timeout_s = 0.3")
    with pytest.raises(flight.FlightTimedOutError, match=r"query_timeout_s = 0\.3"):
        wire.put(StatementIngest(one), pa.schema([("id", pa.int64())]), slowly())
    assert db.rows(f"SELECT * FROM {one}") == [(0, 7)]


def test_the_servers_timeout_is_the_most_that_a_session_may_set(tmp_path: Path) -> None:
    """It holds without SET, can be lowered, and neither raised nor switched off."""
    with ServerProcess(tmp_path / "data", settings={"query_timeout_s": 1.0}) as server, Wire(server) as wire:
        assert isinstance(Endless(wire).ended(), flight.FlightTimedOutError)
        for value in ("2", "0"):
            with pytest.raises(pa.ArrowInvalid, match="at most 1"):
                wire.update(f"SET query_timeout_s = {value}")
        wire.update("SET query_timeout_s = 0.2")
        with pytest.raises(flight.FlightTimedOutError, match=r"0\.2"):
            wire.query(ENDLESS)
        wire.update("RESET query_timeout_s")
        assert options_of(wire)["query_timeout_s"] == 1.0


def test_a_full_queue_is_unavailable(tmp_path: Path) -> None:
    """A statement that may not even wait is told to retry; a full server still takes KILL, and goes on."""
    settings = {"statements_max": 1, "queue_max": 0}
    with (
        ServerProcess(tmp_path / "data", settings=settings, users={"alice": "a"}) as server,
        Wire(server, "alice") as wire,
        Wire(server, "alice") as other,
        server.connect() as connection,
    ):
        query = Endless(wire)
        running(Client(connection), "alice")
        assert "which is the limit; retry" in refused(other)
        other.update("KILL QUERY 1")
        assert isinstance(query.ended(), flight.FlightCancelledError)
        assert other.query("SELECT 2 AS x").to_pylist() == [{"x": 2}]


def test_an_open_stream_takes_a_place_only_while_there_is_work(tmp_path: Path) -> None:
    """A client that sends slowly, or nothing, keeps nobody out, and goes on when it likes."""
    settings = {"statements_max": 1, "queue_max": 1}
    with ServerProcess(tmp_path / "data", settings=settings) as server, Wire(server) as wire, Wire(server) as other:
        wire.update("CREATE TABLE t (id BIGINT PRIMARY KEY)")

        def rows() -> Iterator[pa.RecordBatch]:
            for number in (1, 2):
                yield pa.record_batch({"id": [number]})
                assert other.query("SELECT count(*) AS n FROM t").to_pylist() == [{"n": 0}]

        assert wire.put(StatementIngest("t"), pa.schema([("id", pa.int64())]), rows()) == 2
        assert other.query("SELECT count(*) AS n FROM t").to_pylist() == [{"n": 2}]


@pytest.mark.proof
def test_joins_that_multiply_their_rows_stop_nobody_else(tmp_path: Path) -> None:
    """They give their workers back seldom; other statements run beside three, and KILL answers their clients."""
    rows = pa.table({"id": range(1_000_000), "k": [1] * 1_000_000})
    settings = {"query_timeout_s": 60.0}
    with (
        ServerProcess(tmp_path / "data", settings=settings) as server,
        Wire(server) as first,
        Wire(server) as second,
        Wire(server) as third,
        server.connect() as connection,
    ):
        other = Client(connection)
        other.run("CREATE TABLE t (id BIGINT PRIMARY KEY, k BIGINT)")
        other.ingest("t", rows)
        queries = [Endless(wire, MULTIPLYING) for wire in (first, second, third)]
        before = server.cpu_seconds()
        while server.cpu_seconds() < before + 4:
            assert other.column("SELECT count(*) FROM t a JOIN t b ON a.id = b.id") == [1_000_000]
        numbers = other.column("SELECT query_id FROM system.queries WHERE state = 'streaming' AND text LIKE '% t b%'")
        assert len(numbers) == len(queries)
        for number in numbers:
            other.run(f"KILL QUERY {number}")
        assert all(isinstance(query.ended(), flight.FlightCancelledError) for query in queries)
        assert other.column("SELECT count(*) FROM t a JOIN t b ON a.id = b.id") == [1_000_000]


def test_waiting_has_an_end(tmp_path: Path) -> None:
    """A statement that finds no place within queue_wait_s is told to retry."""
    settings = {"statements_max": 1, "queue_max": 4, "queue_wait_s": 0.3}
    with (
        ServerProcess(tmp_path / "data", settings=settings, users={"alice": "a"}) as server,
        Wire(server, "alice") as wire,
        Wire(server, "alice") as other,
        server.connect() as connection,
    ):
        query = Endless(wire)
        running(Client(connection), "alice")
        assert "0.3 s; retry" in refused(other)
        other.update("KILL QUERY 1")
        query.ended()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM numbers a JOIN numbers b ON a.id = b.id",
        "SELECT count(*) FROM (SELECT DISTINCT id FROM numbers)",
        "SELECT max(n) FROM (SELECT row_number() OVER (ORDER BY -id) AS n FROM numbers)",
    ],
)
def test_results_that_may_be_fetched_again_hold_no_memory(tmp_path: Path, query: str) -> None:
    """What a query has built goes with the run that needed it, however many results are kept."""
    with ServerProcess(tmp_path / "data", settings={"memory_limit_mb": 128}) as server, server.connect() as connection:
        client = Client(connection)
        client.run("CREATE TABLE numbers (id BIGINT PRIMARY KEY)")
        client.ingest("numbers", pa.table({"id": range(400_000)}))
        for _ in range(20):
            assert client.column(query) == [400_000]
