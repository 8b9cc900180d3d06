"""Transactions that ended otherwise than their client wanted: nothing that it believes to be in one is carried out."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import flight

from catalog.roles import Role
from flightserver.protocol.actions import BeginTransaction, EndTransaction, TransactionEnd
from flightserver.protocol.commands import PreparedStatementUpdate, StatementIngest, StatementUpdate
from flightserver.protocol.generated import flight_sql_pb2 as pb
from flightserver.protocol.wire import unwrap
from tests.e2e.client import Client, failure
from tests.e2e.wire import Wire
from tests.server_process import ServerProcess

ROWS = pa.table({"id": [7]})
SECONDS_OF_TWO_TICKS = 2.2


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that soon ends what is idle, with a user who gets a token."""
    settings = {"transaction_idle_timeout_s": 0.1}
    folder = tmp_path_factory.mktemp("hasty")
    with ServerProcess(folder / "data", users={"ann": "pw"}, settings=settings) as process, process.connect() as made:
        Client(made).run("CREATE TABLE t (id BIGINT PRIMARY KEY)")
        yield process


@pytest.fixture
def watcher(hasty: ServerProcess) -> Iterator[Client]:
    """Somebody else, for whom the table is empty."""
    with hasty.connect() as connection:
        client = Client(connection)
        client.run("TRUNCATE t")
        yield client


@pytest.fixture
def driver(hasty: ServerProcess) -> Iterator[Client]:
    """A client as the driver makes it by default: every statement is in a transaction, and streams do not say so."""
    with hasty.connect(autocommit=False) as connection:
        yield Client(connection)


def wait_until_lost(watcher: Client) -> None:
    """Wait until no transaction is open any more."""
    while watcher.one("SELECT sum(open_transactions) FROM system.sessions"):
        time.sleep(0.1)


def begin(wire: Wire) -> bytes:
    """Begin a transaction by the protocol."""
    (body,) = wire.act(BeginTransaction())
    opened = unwrap(body)
    assert opened is not None
    return pb.ActionBeginTransactionResult.FromString(opened[1]).transaction_id


def test_a_stream_after_a_timeout_shares_the_fate_of_the_statement_before(driver: Client, watcher: Client) -> None:
    """Until the client has rolled back, everything is refused; then it begins anew."""
    driver.run("INSERT INTO t VALUES (1)")
    wait_until_lost(watcher)
    for _ in range(2):
        assert "idle for too long" in failure(lambda: driver.ingest("t", ROWS))
        assert "idle for too long" in driver.error("INSERT INTO t VALUES (2)")
    assert watcher.count("t") == 0
    driver.connection.rollback()
    driver.ingest("t", ROWS)
    driver.connection.commit()
    assert watcher.column("SELECT id FROM t") == [7]


def test_a_transaction_of_sql_stays_lost_until_it_is_ended(hasty: ServerProcess, watcher: Client) -> None:
    """Statements, streams, prepared statements, constants and metadata are refused, each time; ROLLBACK ends it."""
    with Wire(hasty) as wire:
        handle = wire.prepare("INSERT INTO t VALUES (5)").prepared_statement_handle
        attempts: list[Callable[[], object]] = [
            lambda: wire.update("INSERT INTO t VALUES (2)"),
            lambda: wire.update("INSERT INTO t VALUES (2); INSERT INTO t VALUES (3)"),
            lambda: wire.query("SELECT 1"),
            lambda: wire.put(StatementIngest("t"), ROWS.schema, ROWS.to_batches()),
            lambda: wire.put(PreparedStatementUpdate(handle), pa.schema([]), []),
            lambda: wire.prepare("SELECT * FROM t"),
            lambda: list(wire.client.list_flights(options=wire.options)),
            lambda: wire.update("BEGIN"),
            lambda: wire.update("SAVEPOINT s"),
        ]
        for end in ("ROLLBACK", "COMMIT"):
            wire.update("BEGIN")
            wire.update("INSERT INTO t VALUES (1)")
            wait_until_lost(watcher)
            for attempt in (*attempts, *attempts):
                with pytest.raises(KeyError, match="idle for too long"):
                    attempt()
            if end == "COMMIT":
                with pytest.raises(KeyError, match="idle for too long"):
                    wire.update(end)
            else:
                wire.update(end)
        assert watcher.count("t") == 0
        for attempt in attempts[3:5]:
            attempt()
    assert watcher.count("t") == 2


def test_a_transaction_without_a_statement_is_never_idle(hasty: ServerProcess, driver: Client, watcher: Client) -> None:
    """A connection that waited in a pool works, whether its driver began the transaction or SQL did."""
    with hasty.connect() as connection, Wire(hasty) as wire:
        Client(connection).run("BEGIN")
        named = begin(wire)
        time.sleep(SECONDS_OF_TWO_TICKS)
        assert driver.one("SELECT 1") == 1
        driver.ingest("t", ROWS)
        driver.connection.commit()
        Client(connection).run("INSERT INTO t VALUES (8)")
        Client(connection).run("COMMIT")
        wire.put(StatementUpdate("INSERT INTO t VALUES (9)", named), pa.schema([]), [])
        wire.act(EndTransaction(named, TransactionEnd.COMMIT))
    assert watcher.column("SELECT id FROM t ORDER BY id") == [7, 8, 9]


@pytest.mark.parametrize("loses", ["to another", "its time"])
def test_a_stream_after_a_commit_that_failed_is_refused(driver: Client, watcher: Client, loses: str) -> None:
    """The driver opens no other transaction on the connection, so nothing commits there by itself either."""
    driver.run("INSERT INTO t VALUES (1)")
    if loses == "its time":
        wait_until_lost(watcher)
    watcher.run("INSERT INTO t VALUES (1)")
    failure(driver.connection.commit)
    for _ in range(2):
        assert "roll back" in failure(lambda: driver.ingest("t", ROWS))
    assert watcher.column("SELECT id FROM t") == [1]


def test_a_killed_session_is_over_for_its_connection(hasty: ServerProcess, watcher: Client) -> None:
    """Nothing that comes over the connection is taken for a new session's; another connection is served."""
    with Wire(hasty) as wire:
        wire.update("BEGIN")
        wire.update("INSERT INTO t VALUES (4711)")
        session = watcher.one("SELECT session_id FROM system.queries WHERE text = 'INSERT INTO t VALUES (4711)'")
        watcher.run(f"KILL SESSION '{session}'")
        for _ in range(2):
            for attempt in (
                lambda: wire.put(StatementIngest("t"), ROWS.schema, ROWS.to_batches()),
                lambda: wire.update("INSERT INTO t VALUES (2)"),
                lambda: wire.query("SELECT 1"),
            ):
                with pytest.raises(flight.FlightUnauthenticatedError, match="connect again"):
                    attempt()
    with Wire(hasty) as another:
        another.update("INSERT INTO t VALUES (3)")
    assert watcher.column("SELECT id FROM t") == [3]


def test_a_restart_is_noticed_by_whoever_was_in_a_transaction(tmp_path: Path) -> None:
    """By the name of the transaction, by the token, by the cookie: each is of another time, and refused."""
    with ServerProcess(tmp_path / "data", users={"ann": "pw"}, roles={"ann": Role.SERVICE}) as server:
        with Wire(server, "ann") as ann:
            ann.update("CREATE TABLE t (id BIGINT PRIMARY KEY)")
            ann.update("BEGIN")
            ann.update("INSERT INTO t VALUES (1)")
            token, named = dict(ann.options.headers)[b"authorization"].decode(), begin(ann)
        server.restart()
        with Wire(server, authorization=token) as old, Wire(server, cookie="flightserver_session=old") as other:
            for wire in (old, other):
                with pytest.raises(flight.FlightUnauthenticatedError, match="again"):
                    wire.put(StatementIngest("t"), ROWS.schema, ROWS.to_batches())
        with Wire(server) as wire, pytest.raises(KeyError, match="transaction"):
            wire.put(StatementIngest("t", transaction_id=named), ROWS.schema, ROWS.to_batches())
        with server.connect() as connection:
            assert Client(connection).count("t") == 0
