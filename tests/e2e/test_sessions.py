"""Sessions: what belongs to one, how long it lives, what it may see and end, and what a busy server answers."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from adbc_driver_flightsql import DatabaseOptions, dbapi
from pyarrow import flight

from flightserver.protocol.actions import (
    BeginTransaction,
    CancelFlightInfo,
    CancelQuery,
    CloseSession,
    GetSessionOptions,
    RenewFlightEndpoint,
    SetSessionOptions,
)
from flightserver.protocol.commands import StatementQuery
from flightserver.protocol.flight import FLIGHT_ENDPOINT, FLIGHT_INFO, FlightEndpoint, SessionValue, Ticket
from flightserver.protocol.generated import flight_pb2
from tests.e2e.client import Client
from tests.e2e.wire import Wire
from tests.server_process import ServerProcess

Make = Callable[..., str]

ENDLESS = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def mine(server: ServerProcess) -> Iterator[Client]:
    """A session of the test's own."""
    with server.connect() as connection:
        yield Client(connection)


@pytest.fixture
def wire(server: ServerProcess) -> Iterator[Wire]:
    """A plain Flight client without credentials."""
    with Wire(server) as client:
        yield client


def drain(wire: Wire, info: flight.FlightInfo) -> None:
    """Read a result chunk by chunk: `read_all` takes CANCELLED from a server for a Ctrl-C of its own."""
    reader = wire.reader(info.endpoints[0].ticket)
    with suppress(StopIteration):
        while True:
            reader.read_chunk()


class Endless:
    """A query that runs until somebody stops it, in a thread of its own."""

    def __init__(self, wire: Wire, sql: str = ENDLESS) -> None:
        self.info = wire.info(StatementQuery(sql))
        self.error: Exception | None = None
        self._wire = wire
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            drain(self._wire, self.info)
        except (flight.FlightError, pa.ArrowException, KeyError) as error:
            self.error = error

    def ended(self) -> Exception | None:
        """Wait for its end; return what it failed with."""
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.error


def running(observer: Client, user: str) -> int:
    """The number of a user's endless query, as soon as it runs."""
    sql = f"SELECT query_id FROM system.queries WHERE state = 'streaming' AND user = '{user}' AND text LIKE 'WITH R%'"
    while not (found := observer.column(sql)):
        time.sleep(0.02)
    return int(found[0])


def refused(wire: Wire) -> str:
    """What a statement is told when the server has no place for it, as soon as that is so."""
    while True:
        try:
            wire.query("SELECT 2 FROM system.views")
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


def set_options(wire: Wire, options: Mapping[str, SessionValue]) -> dict[str, int]:
    """SetSessionOptions; return the errors by name."""
    (body,) = wire.act(SetSessionOptions(options))
    answer = flight_pb2.SetSessionOptionsResult.FromString(body)
    return {name: error.value for name, error in answer.errors.items()}


# -- options


def test_the_schema_of_a_connection_can_be_set(mine: Client, db: Client, t: str) -> None:
    """By the driver's property and by USE: names without a namespace are looked for there, for this session alone."""
    for namespace in (f"{t}_a", f"{t}_b"):
        mine.run(f"CREATE NAMESPACE {namespace}")
        mine.run(f"CREATE TABLE {namespace}.{t} (id BIGINT PRIMARY KEY, s TEXT DEFAULT '{namespace}')")
        mine.run(f"INSERT INTO {namespace}.{t} (id) VALUES (1)")
    assert mine.connection.adbc_current_db_schema == "public"
    mine.connection.adbc_current_db_schema = f"{t}_a"
    assert mine.connection.adbc_current_db_schema == f"{t}_a"
    assert mine.column(f"SELECT s FROM {t}") == [f"{t}_a"]
    mine.run(f"USE {t}_b")
    assert mine.column(f"SELECT s FROM {t}") == [f"{t}_b"]
    assert mine.ingest(t, pa.table({"id": [2], "s": ["streamed"]})) == 1
    assert mine.count(f"{t}_b.{t}") == 2
    assert "not found" in db.error(f"SELECT * FROM {t}")


def test_an_unknown_schema_is_not_found(mine: Client, wire: Wire) -> None:
    """By the driver, by SQL and by the action; the session stays where it was."""
    with pytest.raises(dbapi.Error, match="nowhere"):
        mine.connection.adbc_current_db_schema = "nowhere"
    assert "nowhere" in mine.error("USE nowhere")
    for options in ({"schema": "nowhere"}, {"catalog": "nowhere"}):
        with pytest.raises(KeyError, match="nowhere"):
            set_options(wire, options)
    assert mine.connection.adbc_current_db_schema == options_of(wire)["schema"] == "public"


def test_the_catalog_is_what_there_is(mine: Client, wire: Wire) -> None:
    """It can be set to itself."""
    catalog = mine.connection.adbc_current_catalog
    mine.connection.adbc_current_catalog = catalog
    assert set_options(wire, {"catalog": catalog}) == {}
    assert options_of(wire)["catalog"] == catalog


def test_options_by_action(wire: Wire) -> None:
    """Known ones are set and returned to their default, unknown ones are named in the answer."""
    assert set_options(wire, {"query_timeout_s": 5, "nonsense": "x"}) == {"nonsense": 1}
    assert options_of(wire)["query_timeout_s"] == 5.0
    assert set_options(wire, {"query_timeout_s": None}) == {}
    assert options_of(wire)["query_timeout_s"] == 0.0


def test_options_in_sql(mine: Client, db: Client) -> None:
    """SET, SHOW, RESET, for this session alone."""
    mine.run("SET query_timeout_s = 7.5")
    assert mine.rows("SHOW query_timeout_s") == [("query_timeout_s", "7.5")]
    assert db.rows("SHOW query_timeout_s") == [("query_timeout_s", "0.0")]
    assert [row[0] for row in mine.rows("SHOW ALL")] == ["catalog", "query_timeout_s", "schema"]
    mine.run("RESET ALL")
    assert mine.rows("SHOW query_timeout_s") == [("query_timeout_s", "0.0")]
    assert "nonsense" in mine.error("SET nonsense = 1")
    for value in ("-1", "'x'", "'nan'", "'inf'", "TRUE"):
        assert "query_timeout_s" in mine.error(f"SET query_timeout_s = {value}")


# -- whose a session is


class _Jar(flight.ClientMiddlewareFactory):
    """Keeps the cookies that a server sends."""

    def __init__(self) -> None:
        self.received: list[str] = []

    def start_call(self, _: object) -> flight.ClientMiddleware:
        """Look at a call."""
        return _JarMiddleware(self)


class _JarMiddleware(flight.ClientMiddleware):
    def __init__(self, jar: _Jar) -> None:
        self._jar = jar

    def sending_headers(self) -> dict[str, str]:
        """Send nothing."""
        return {}

    def received_headers(self, headers: Mapping[str, list[str]]) -> None:
        """Keep cookies."""
        self._jar.received += headers.get("set-cookie", [])


def test_a_cookie_is_a_session(server: ServerProcess, make: Make) -> None:
    """The first answer sets one; whoever sends it, over any connection, is in the session; later answers set none."""
    t, jar = make(), _Jar()
    client = flight.FlightClient(server.uri, middleware=[jar])
    command = flight.FlightDescriptor.for_command("BEGIN")
    client.get_flight_info(command)
    client.get_flight_info(flight.FlightDescriptor.for_command("SELECT 1"))
    (cookie,) = {received.partition(";")[0] for received in jar.received}
    assert len(jar.received) == 1
    with Wire(server, cookie=cookie) as other, Wire(server, "bob", cookie=cookie) as bob:
        other.update(f"INSERT INTO {t} (id) VALUES (1)")
        assert bob.query(f"SELECT count(*) FROM {t}").column(0).to_pylist() == [0]
        other.update("COMMIT")
        assert bob.query(f"SELECT count(*) FROM {t}").column(0).to_pylist() == [1]
    client.close()


def test_the_drivers_cookies_keep_its_session(server: ServerProcess, make: Make) -> None:
    """With its cookie jar the driver is one session, which BEGIN and the next statements share."""
    t = make()
    options = {DatabaseOptions.WITH_COOKIE_MIDDLEWARE.value: "true"}
    with dbapi.connect(server.uri, db_kwargs=options, autocommit=True) as connection:
        client = Client(connection)
        client.run("BEGIN")
        client.run(f"INSERT INTO {t} (id) VALUES (1)")
        client.run("ROLLBACK")
        assert client.count(t) == 0


def test_a_token_is_a_session(server: ServerProcess, make: Make) -> None:
    """Two connections with one token share options and transactions; a second login of the user does not."""
    t = make()
    client, options = server.flight("alice")
    token = dict(options.headers)[b"authorization"].decode()
    client.close()
    with Wire(server, None, authorization=token) as one, Wire(server, None, authorization=token) as two:
        one.update("BEGIN")
        one.update(f"INSERT INTO {t} (id) VALUES (1)")
        assert two.query(f"SELECT count(*) FROM {t}").column(0).to_pylist() == [1]
        with Wire(server, "alice") as other:
            assert other.query(f"SELECT count(*) FROM {t}").column(0).to_pylist() == [0]
        two.update("COMMIT")
        assert one.query(f"SELECT count(*) FROM {t}").column(0).to_pylist() == [1]


def test_a_closed_session_is_over(server: ServerProcess, db: Client, make: Make) -> None:
    """CloseSession rolls back and makes the token worthless."""
    t = make()
    with Wire(server, "alice") as wire:
        wire.update("BEGIN")
        wire.update(f"INSERT INTO {t} (id) VALUES (1)")
        wire.act(CloseSession())
        with pytest.raises(flight.FlightUnauthenticatedError, match="log in again"):
            wire.query("SELECT 1")
    assert db.count(t) == 0


# -- system tables, KILL


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


# -- cancel, renew, list


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


# -- temporary tables


def test_a_temporary_table_is_the_sessions_own(mine: Client, db: Client, server: ServerProcess, t: str) -> None:
    """Loaded by a stream, seen, changed and altered by its session, unknown to others, gone with it."""
    with server.connect() as connection:
        client = Client(connection)
        assert client.ingest(t, pa.table({"id": [1, 2]}), mode="create", temporary=True) == 2
        client.run(f"INSERT INTO {t} VALUES (3)")
        client.run(f"ALTER TABLE {t} ADD COLUMN v BIGINT DEFAULT 7")
        assert client.rows(f"SELECT * FROM {t} ORDER BY id") == [(1, 7), (2, 7), (3, 7)]
        for other in (mine, db):
            assert "not found" in other.error(f"SELECT * FROM {t}")
        client.ingest(t, pa.table({"id": [9]}), mode="replace", temporary=True)
        assert client.rows(f"SELECT * FROM {t}") == [(9,)]
        other.ingest(t, pa.table({"id": [5]}), mode="create", temporary=True)
        assert (other.column(f"SELECT id FROM {t}"), client.column(f"SELECT id FROM {t}")) == ([5], [9])
    other.run(f"DROP TABLE {t}")
    assert "not found" in other.error(f"SELECT * FROM {t}")


def test_a_temporary_table_hides_a_table_of_its_name(mine: Client, db: Client, make: Make) -> None:
    """Until it is dropped; the other one is untouched."""
    t = make("id BIGINT PRIMARY KEY")
    db.run(f"INSERT INTO {t} VALUES (1)")
    mine.ingest(t, pa.table({"id": [7]}), mode="create", temporary=True)
    mine.run(f"INSERT INTO {t} VALUES (8)")
    assert mine.column(f"SELECT id FROM {t} ORDER BY id") == [7, 8]
    assert db.column(f"SELECT id FROM {t}") == [1]
    mine.run(f"DROP TABLE {t}")
    assert mine.column(f"SELECT id FROM {t}") == [1]


def test_rows_of_a_temporary_table_are_part_of_transactions(server: ServerProcess, t: str) -> None:
    """Made inside one, it is read there; what is written later is committed or rolled back; dropping ends nothing."""
    with server.connect(autocommit=False) as connection:
        client = Client(connection)
        client.run("SELECT count(*) FROM system.queries")
        client.ingest(t, pa.table({"id": [1]}), mode="create", temporary=True)
        assert client.column(f"SELECT id FROM {t}") == [1]
        client.run(f"INSERT INTO {t} VALUES (2)")
        assert client.count(t) == 2
        connection.commit()
        assert client.count(t) == 2
        client.ingest(t, pa.table({"id": [3]}))
        connection.rollback()
        assert client.count(t) == 2
        client.run(f"INSERT INTO {t} VALUES (4)")
        client.run(f"DROP TABLE {t}")
        client.run(f"CREATE TABLE {t}_kept (id BIGINT PRIMARY KEY)")
        connection.commit()
        client.run(f"DROP TABLE {t}_kept")
        connection.commit()


# -- limits, each with a server of its own


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
    with ServerProcess(tmp_path / "data", settings=settings) as server, Wire(server) as wire, Wire(server) as other:
        query = Endless(wire)
        assert "which is the limit; retry" in refused(other)
        other.update("KILL QUERY 1")
        assert isinstance(query.ended(), flight.FlightCancelledError)
        assert other.query("SELECT 2 AS x").to_pylist() == [{"x": 2}]


def test_a_join_that_multiplies_its_rows_stops_nobody_else(tmp_path: Path) -> None:
    """The engine cannot interrupt it; other statements run meanwhile, and KILL gives its client an answer."""
    rows = pa.table({"id": range(1_000_000), "k": [1] * 1_000_000})
    settings = {"query_timeout_s": 20.0}
    with (
        ServerProcess(tmp_path / "data", settings=settings) as server,
        Wire(server) as wire,
        server.connect() as connection,
    ):
        other = Client(connection)
        other.run("CREATE TABLE t (id BIGINT PRIMARY KEY, k BIGINT)")
        other.ingest("t", rows)
        query = Endless(wire, "SELECT sum(a.k * b.k) FROM t a JOIN t b ON a.k = b.k")
        before = server.cpu_seconds()
        while server.cpu_seconds() < before + 4:
            assert other.column("SELECT count(*) FROM t a JOIN t b ON a.id = b.id") == [1_000_000]
        (number,) = other.column("SELECT query_id FROM system.queries WHERE state = 'streaming' AND text LIKE '% t b%'")
        other.run(f"KILL QUERY {number}")
        assert isinstance(query.ended(), flight.FlightCancelledError)


def test_waiting_has_an_end(tmp_path: Path) -> None:
    """A statement that finds no place within queue_wait_s is told to retry."""
    settings = {"statements_max": 1, "queue_max": 4, "queue_wait_s": 0.3}
    with ServerProcess(tmp_path / "data", settings=settings) as server, Wire(server) as wire, Wire(server) as other:
        query = Endless(wire)
        assert "0.3 s; retry" in refused(other)
        other.update("KILL QUERY 1")
        query.ended()


def test_the_number_of_sessions_is_bounded(tmp_path: Path) -> None:
    """Sessions that hold something stay and refuse others; those that hold nothing make room."""
    with ServerProcess(tmp_path / "data", settings={"sessions_max": 3}) as server:
        wires = [Wire(server) for _ in range(3)]
        for wire in wires:
            wire.act(BeginTransaction())
        with Wire(server) as fourth:
            with pytest.raises(flight.FlightUnavailableError, match="3 sessions"):
                fourth.query("SELECT 1")
            wires[0].act(CloseSession())
            for _ in range(2):
                fourth.query("SELECT 1")
        for _ in range(5):
            with Wire(server) as another:
                another.query("SELECT 1")
        for wire in wires:
            wire.client.close()


def test_an_idle_session_ends(tmp_path: Path) -> None:
    """Its token is refused, its transaction rolled back and its temporary table gone."""
    settings = {"session_idle_timeout_s": 1.0}
    with ServerProcess(tmp_path / "data", users={"ann": "x"}, settings=settings) as server, server.connect() as root:
        observer = Client(root)
        observer.run("CREATE TABLE t (id BIGINT PRIMARY KEY)")
        with server.connect("ann") as connection, Wire(server, "ann") as wire:
            wire.update("BEGIN")
            wire.update("INSERT INTO t VALUES (1)")
            Client(connection).ingest("x", pa.table({"id": [1]}), mode="create", temporary=True)
            while observer.one("SELECT count(*) FROM system.sessions WHERE user = 'ann'"):
                time.sleep(0.1)
            with pytest.raises(flight.FlightUnauthenticatedError, match="log in again"):
                wire.query("SELECT 1")
            assert "log in again" in Client(connection).error("SELECT 1")
        assert observer.count("t") == 0
        observer.run("INSERT INTO t VALUES (1)")


def test_a_running_query_keeps_its_session(tmp_path: Path) -> None:
    """However long it runs, it is not idle."""
    settings = {"session_idle_timeout_s": 0.5, "transaction_idle_timeout_s": 0.5}
    with ServerProcess(tmp_path / "data", settings=settings) as server, Wire(server) as wire:
        wire.update("BEGIN")
        wire.update("SET query_timeout_s = 3")
        assert isinstance(Endless(wire).ended(), flight.FlightTimedOutError)
        wire.update("COMMIT")


def test_a_stopping_server_rolls_back_and_refuses(tmp_path: Path) -> None:
    """SIGTERM with an open transaction and a query that never ends: exit 0 after the drain, nothing committed."""
    with ServerProcess(tmp_path / "data", settings={"drain_s": 1.0}) as server:
        with Wire(server) as wire:
            wire.update("CREATE TABLE t (id BIGINT PRIMARY KEY)")
            wire.update("BEGIN")
            wire.update("INSERT INTO t VALUES (1)")
            query = Endless(wire)
            with server.connect() as connection:
                running(Client(connection), "root")
            assert server.stop() == 0
            assert isinstance(query.ended(), flight.FlightUnavailableError)
        server.start()
        with server.connect() as connection:
            assert Client(connection).count("t") == 0
        assert "Traceback" not in server.log
