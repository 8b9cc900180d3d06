"""A result keeps what it needs until it was read, and nothing afterwards."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import flight

from flightserver.protocol.commands import StatementIngest, StatementQuery
from tests.e2e.client import Client
from tests.e2e.wire import Wire
from tests.server_process import PATIENCE_SECONDS, ServerProcess

HOT_ROWS = 40_000
COPIES = 40


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that keeps little for a user, with the hot table `hot` of some megabytes."""
    settings = {"kept_user_mb": 16, "kept_mb": 64}
    with ServerProcess(tmp_path_factory.mktemp("kept") / "data", settings=settings) as process:
        with process.connect() as connection:
            client = Client(connection)
            client.run("CREATE TABLE hot (id BIGINT PRIMARY KEY, v BIGINT, s TEXT) WITH (flush_policy = 'none')")
            rows = {"id": range(HOT_ROWS), "v": [0] * HOT_ROWS, "s": ["x" * 50] * HOT_ROWS}
            client.ingest("hot", pa.table(rows))
        yield process


@pytest.fixture
def wire(server: ServerProcess) -> Iterator[Wire]:
    """A plain client, whose session ends with it."""
    with Wire(server) as client:
        yield client


@pytest.fixture
def db(server: ServerProcess) -> Iterator[Client]:
    """Another client."""
    with server.connect() as connection:
        yield Client(connection)


def kept(wire: Wire, kind: str) -> list[dict[str, Any]]:
    """What the ledger has of a kind, of all sessions."""
    return wire.query(f"SELECT bytes, idle_s FROM system.kept WHERE kind = '{kind}'").to_pylist()


def until(holds: Callable[[], bool]) -> None:
    """Wait for something."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_small_result_that_was_read_keeps_its_bytes_alone(wire: Wire, db: Client) -> None:
    """It can be fetched once more, as it was, although others have changed the rows."""
    info = wire.info(StatementQuery("SELECT v FROM hot WHERE id = 5"))
    first = wire.fetch(info)
    db.run("UPDATE hot SET v = v + 1 WHERE id = 5")
    assert wire.fetch(info) == first
    assert max(entry["bytes"] for entry in kept(wire, "fetched result")) < 1_000


def test_a_large_result_that_was_read_is_gone(wire: Wire) -> None:
    """A second fetch says so."""
    info = wire.info(StatementQuery("SELECT id, s FROM hot"))
    assert wire.fetch(info).num_rows == HOT_ROWS
    with pytest.raises(KeyError, match="sent to its end, and is too large to be kept"):
        wire.fetch(info)


def test_a_fetch_that_broke_off_can_be_repeated(wire: Wire) -> None:
    """The result is as it was. It is larger than what is on its way between two processes, so it has not been sent."""
    times = ", ".join(f"({n})" for n in range(COPIES))
    info = wire.info(StatementQuery(f"SELECT id, n, s FROM hot CROSS JOIN (VALUES {times}) AS copies(n)"))
    reader = wire.reader(info.endpoints[0].ticket)
    reader.read_chunk()
    reader.cancel()
    assert wire.fetch(info).num_rows == COPIES * HOT_ROWS


def test_results_that_wait_are_charged_for_what_others_have_left_behind(wire: Wire, db: Client) -> None:
    """As long as they read what everybody reads they cost next to nothing; fetched, they are free again."""
    info = wire.info(StatementQuery("SELECT sum(v) AS v FROM hot"))
    wire.fetch(wire.info(StatementQuery("SELECT sum(v) AS v FROM hot")))
    (entry,) = kept(wire, "result")
    assert entry["bytes"] < 100_000
    db.run("UPDATE hot SET v = v + 1 WHERE id = 5")
    until(lambda: kept(wire, "result")[0]["bytes"] > 1_000_000)
    wire.fetch(info)
    assert kept(wire, "result") == []
    assert sum(entry["bytes"] for entry in kept(wire, "fetched result")) < 10_000


def test_a_killed_result_lets_go_of_its_snapshot(wire: Wire, db: Client) -> None:
    """Nobody can fetch it, so it keeps nothing."""
    wire.info(StatementQuery("SELECT count(*) AS killed FROM hot"))
    number = db.one("SELECT query_id FROM system.queries WHERE text LIKE '%AS killed FROM hot'")
    before = len(kept(wire, "result"))
    db.run(f"KILL QUERY {number}")
    assert len(kept(wire, "result")) == before - 1


def test_a_session_ends_with_what_is_kept_for_it(server: ServerProcess, db: Client) -> None:
    """Its results, statements, transactions and tables."""
    with Wire(server) as wire:
        wire.prepare("SELECT v FROM hot WHERE id = ?")
        wire.info(StatementQuery("SELECT count(*) FROM hot"))
        wire.update("BEGIN")
        wire.query("SELECT count(*) FROM hot")
        session = db.one("SELECT session_id FROM system.sessions WHERE open_transactions = 1")
        columns = "results, prepared_statements, open_transactions, kept_bytes > 0"
        assert db.rows(f"SELECT {columns} FROM system.sessions WHERE session_id = '{session}'") == [(2, 1, 1, True)]
        db.run(f"KILL SESSION '{session}'")
        assert db.one(f"SELECT count(*) FROM system.kept WHERE session_id = '{session}'") == 0


def test_bound_parameters_are_bounded(wire: Wire, db: Client) -> None:
    """More than a user may keep is refused while it arrives; the client can go on with less."""
    wire.update("CREATE TABLE IF NOT EXISTS wide (id BIGINT PRIMARY KEY, s TEXT)")
    rows = pa.record_batch({"id": range(64), "s": ["x" * (1 << 16)] * 64})

    def endless() -> Iterator[pa.RecordBatch]:
        for _ in range(100):
            yield rows

    with pytest.raises(flight.FlightError, match="user root may keep 16,777,216 bytes for clients"):
        wire.put_into(flight.FlightDescriptor.for_command(b"INSERT INTO wide VALUES ($1, $2)"), rows.schema, endless())
    assert db.count("wide") == 0


def test_a_load_that_finds_no_room_is_written_early(wire: Wire, db: Client) -> None:
    """Wide rows, many times what a user may keep, are loaded all the same."""
    wire.update("CREATE TABLE IF NOT EXISTS loaded (id BIGINT PRIMARY KEY, s TEXT)")
    batches = [pa.record_batch({"id": [number], "s": ["x" * (4 << 20)]}) for number in range(12)]
    assert wire.put(StatementIngest("loaded"), batches[0].schema, batches) == 12
    assert db.one("SELECT sum(length(s)) FROM loaded") == 48 << 20


def test_a_transaction_that_only_began_holds_nothing(server: ServerProcess) -> None:
    """However long it waits for its first statement, it is as good as new."""
    settings = {"transaction_idle_timeout_s": 1.0}
    with (
        ServerProcess(server.data_dir.parent / "idle", settings=settings) as short,
        short.connect(autocommit=False) as connection,
    ):
        time.sleep(2.5)
        assert Client(connection).one("SELECT count(*) FROM system.kept WHERE kind = 'transaction'") == 1


def test_a_transaction_that_keeps_too_much_is_rolled_back(server: ServerProcess, db: Client) -> None:
    """It says why, and nothing of it was written."""
    with Wire(server) as wire:
        wire.update("CREATE TABLE IF NOT EXISTS large (id BIGINT PRIMARY KEY, s TEXT)")
        wire.update("BEGIN")

        def fill() -> None:
            for number in range(20):
                wire.update(f"INSERT INTO large VALUES ({number}, '{'x' * (1 << 20)}')")

        with pytest.raises(flight.FlightError, match="kept more memory than may be kept"):
            fill()
        assert db.count("large") == 0
