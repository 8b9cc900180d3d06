"""Sessions: what belongs to one, how long it lives, and how many there may be."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from adbc_driver_flightsql import DatabaseOptions, dbapi
from pyarrow import flight

from flightserver.protocol.actions import (
    BeginTransaction,
    CloseSession,
    GetSessionOptions,
    SetSessionOptions,
)
from flightserver.protocol.flight import SessionValue
from flightserver.protocol.generated import flight_pb2
from tests.e2e.client import Client
from tests.e2e.endless import Endless, running
from tests.e2e.wire import Wire
from tests.server_process import ServerProcess

Make = Callable[..., str]

SECONDS_OF_TWO_TICKS = 2.2


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
    assert mine.rows("SHOW query_timeout_s") == [("7.5",)]
    assert db.rows("SHOW query_timeout_s") == [("0.0",)]
    assert ("schema", "public") in [row[:2] for row in mine.rows("SHOW ALL")]
    mine.run("RESET ALL")
    assert mine.rows("SHOW query_timeout_s") == [("0.0",)]
    assert "nonsense" in mine.error("SET nonsense = 1")
    for value in ("-1", "'x'", "'nan'", "'inf'", "TRUE"):
        assert "query_timeout_s" in mine.error(f"SET query_timeout_s = {value}")


def test_a_cookie_is_a_session(server: ServerProcess, db: Client, make: Make) -> None:
    """The first answer sets one; whoever sends it, over any connection, is in the session; later answers set none."""
    t, jar = make(), _Jar()
    db.run(f"GRANT SELECT ON {t} TO bob")
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


def test_a_token_is_a_session(server: ServerProcess, db: Client, make: Make) -> None:
    """Two connections with one token share options and transactions; a second login of the user does not."""
    t = make()
    db.run(f"GRANT SELECT, INSERT ON {t} TO alice")
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
    db.run(f"GRANT INSERT ON {t} TO alice")
    with Wire(server, "alice") as wire:
        wire.update("BEGIN")
        wire.update(f"INSERT INTO {t} (id) VALUES (1)")
        wire.act(CloseSession())
        with pytest.raises(flight.FlightUnauthenticatedError, match="log in again"):
            wire.query("SELECT 1")
    assert db.count(t) == 0


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
        assert client.rows(f"SELECT * FROM {t}") == [(9, 7)]
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


def test_the_number_of_sessions_is_bounded(tmp_path: Path) -> None:
    """Those that hold something stay and refuse others, but not admins; those that hold nothing make room."""
    settings = {"sessions_max": 3}
    with ServerProcess(tmp_path / "data", users={"ann": "x"}, settings=settings) as server, Wire(server) as root:
        wires = [Wire(server, "ann") for _ in range(3)]
        for wire in wires:
            wire.act(BeginTransaction())
        with pytest.raises(flight.FlightUnavailableError, match="3 sessions"):
            Wire(server, "ann")
        root.query("SELECT 1")
        wires[0].act(CloseSession())
        for _ in range(5):
            with Wire(server, "ann") as another:
                another.query("SELECT 1")
        for wire in wires:
            wire.client.close()


def test_a_session_that_only_its_connection_names_ends_with_it(server: ServerProcess, db: Client, make: Make) -> None:
    """What it had open is rolled back: another client may get the same port, and must find nothing there."""
    t = make()
    with Wire(server) as nameless:
        nameless.update("BEGIN")
        nameless.update(f"INSERT INTO {t} (id) VALUES (1)")
        alone = db.one(f"SELECT session_id FROM system.queries WHERE text LIKE 'INSERT INTO {t} %'")
    while db.one(f"SELECT count(*) FROM system.sessions WHERE session_id = '{alone}'"):
        time.sleep(0.1)
    assert db.count(t) == 0


def test_a_session_with_a_cookie_outlives_its_connection(server: ServerProcess, make: Make) -> None:
    """Whoever has the cookie comes back to the transaction, seconds later and over another connection."""
    t, jar = make(), _Jar()
    client = flight.FlightClient(server.uri, middleware=[jar])
    client.get_flight_info(flight.FlightDescriptor.for_command("BEGIN"))
    client.close()
    cookie = jar.received[0].partition(";")[0]
    for key in range(2):
        with Wire(server, cookie=cookie) as wire:
            wire.update(f"INSERT INTO {t} (id) VALUES ({key})")
        time.sleep(SECONDS_OF_TWO_TICKS)
    with Wire(server, cookie=cookie) as wire:
        wire.update("COMMIT")
        assert wire.query(f"SELECT count(*) FROM {t}").column(0).to_pylist() == [2]


def test_an_idle_session_ends(tmp_path: Path) -> None:
    """Its token is refused, its transaction rolled back and its temporary table gone."""
    settings = {"session_idle_timeout_s": 1.0}
    with ServerProcess(tmp_path / "data", users={"ann": "x"}, settings=settings) as server, server.connect() as root:
        observer = Client(root)
        observer.run("CREATE TABLE t (id BIGINT PRIMARY KEY)")
        observer.run("GRANT INSERT ON t TO ann")
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
