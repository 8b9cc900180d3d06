"""Streams whose client falls silent keep nobody out, and end: after a while, when they are killed, with the server."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import flight

from flightserver.activity.gate import RESERVED_PLACES
from flightserver.protocol.commands import StatementIngest, StatementQuery
from tests.e2e.client import Client
from tests.e2e.endless import Endless
from tests.e2e.wire import Wire, descriptor
from tests.processes import HANGS_SECONDS
from tests.server_process import ServerProcess

IDS = pa.schema([("id", pa.int64())])

PAIRS = "SELECT a.id, b.id AS other FROM pairs a CROSS JOIN pairs b"
"""A result of many megabytes."""

TEXTS = {"incoming": "ingest into t", "outgoing": PAIRS}
"""What `system.queries` calls the statements of streams."""


class Silent:
    """A stream into `t` that sends one row and then nothing."""

    def __init__(self, wire: Wire, number: int = 1) -> None:
        self._writer, self._answers = wire.client.do_put(descriptor(StatementIngest("t")), IDS, wire.options)
        self._writer.write_batch(pa.record_batch([[number]], schema=IDS))

    def finish(self) -> None:
        """Send the end after all, and read the answer."""
        self._writer.done_writing()
        self._answers.read()
        self._writer.close()


def stalled(wire: Wire) -> flight.FlightStreamReader:
    """A large result of which one chunk was read."""
    reader = wire.reader(wire.info(StatementQuery(PAIRS)).endpoints[0].ticket)
    reader.read_chunk()
    return reader


def until(found: Any, client: Client, sql: str) -> None:
    """Wait until a query has this one value."""
    deadline = time.monotonic() + HANGS_SECONDS
    while (value := client.one(sql)) != found:
        assert time.monotonic() < deadline, value
        time.sleep(0.05)


STREAMS = "SELECT count(*) FROM system.kept WHERE kind = '{} stream' AND NOT in_use"


def make_tables(client: Client) -> None:
    """The table `t`, which is empty, and `pairs`."""
    client.run("CREATE TABLE t (id BIGINT PRIMARY KEY)")
    client.ingest("pairs", pa.table({"id": range(4_000)}), mode="create")


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with two places."""
    settings = {"statements_max": 2, "queue_max": 64, "queue_wait_s": HANGS_SECONDS, "drain_s": 1.0}
    with ServerProcess(tmp_path_factory.mktemp("silent") / "data", settings=settings) as started:
        with started.connect() as connection:
            make_tables(Client(connection))
        yield started


@pytest.fixture
def db(server: ServerProcess) -> Iterator[Client]:
    """A client that looks on."""
    with server.connect() as connection:
        yield Client(connection)


def test_silent_streams_keep_nobody_out(server: ServerProcess, db: Client) -> None:
    """Many more than there are places: statements run meanwhile, and each stream can go on."""
    with Wire(server) as wire:
        streams = [Silent(wire, number) for number in range(20)]
        until(20, db, STREAMS.format("incoming"))
        assert db.count("t") == 0
        for stream in streams:
            stream.finish()
    assert db.count("t") == 20
    db.run("DELETE FROM t")
    until(0, db, STREAMS.format("incoming"))


def test_stalled_results_keep_nobody_out(server: ServerProcess, db: Client) -> None:
    """Those who read slowly hold no places either."""
    with Wire(server) as wire:
        readers = [stalled(wire) for _ in range(6)]
        until(6, db, STREAMS.format("outgoing"))
        assert db.count("t") == 0
        readers[0].read_chunk()
        for reader in readers:
            reader.cancel()
    until(0, db, STREAMS.format("outgoing"))


@pytest.mark.parametrize("kind", TEXTS)
def test_kill_ends_a_stream_that_waits_for_its_client(server: ServerProcess, db: Client, kind: str) -> None:
    """Its statement says by whom, and nothing of it was written."""
    with Wire(server) as wire:
        stream = Silent(wire) if kind == "incoming" else stalled(wire)
        until(1, db, STREAMS.format(kind))
        number = db.one(f"SELECT max(query_id) FROM system.queries WHERE text = '{TEXTS[kind]}'")
        db.run(f"KILL QUERY {number}")
        until(0, db, STREAMS.format(kind))
        until("cancelled", db, f"SELECT state FROM system.queries WHERE query_id = {number}")
        assert "killed by root" in db.one(f"SELECT error FROM system.queries WHERE query_id = {number}")
        with suppress(flight.FlightError):
            del stream
        assert wire.query("SELECT count(*) AS n FROM t").to_pylist() == [{"n": 0}]


def test_a_stream_waits_for_its_client_for_so_long(tmp_path: Path) -> None:
    """After stream_idle_timeout_s it ends, whichever way it goes; its client is told that the connection is gone."""
    with (
        ServerProcess(tmp_path / "data", settings={"stream_idle_timeout_s": 0.5}) as server,
        server.connect() as connection,
    ):
        db = Client(connection)
        make_tables(db)
        for kind, text in TEXTS.items():
            with Wire(server) as wire:
                stream = Silent(wire) if kind == "incoming" else stalled(wire)
                until("cancelled", db, f"SELECT state FROM system.queries WHERE text = '{text}'")
                assert "stream_idle_timeout_s" in db.one(f"SELECT error FROM system.queries WHERE text = '{text}'")
                with pytest.raises(flight.FlightUnavailableError):
                    stream.finish() if isinstance(stream, Silent) else list(stream)
        assert db.count("t") == 0


def test_a_session_that_was_killed_ends_its_silent_streams(server: ServerProcess, db: Client) -> None:
    """Those too that have not become a statement yet: parameters that never end."""
    with Wire(server) as wire:
        update = flight.FlightDescriptor.for_command(b"INSERT INTO t VALUES ($1)")
        writer, _ = wire.client.do_put(update, IDS, wire.options)
        writer.write_batch(pa.record_batch([[1]], schema=IDS))
        until(1, db, STREAMS.format("incoming"))
        session = db.one("SELECT session_id FROM system.kept WHERE kind = 'incoming stream'")
        db.run(f"KILL SESSION '{session}'")
        until(0, db, STREAMS.format("incoming"))
        with pytest.raises(flight.FlightError):
            writer.close()


def test_a_full_server_still_tells_what_it_does(server: ServerProcess) -> None:
    """Its users see their own statements, and admins everybody's, although all places are taken."""
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(server)) for _ in range(4)]
        queries = [Endless(wire) for wire in wires[:2]]
        ask = "SELECT query_id FROM system.queries WHERE state = 'streaming' AND text LIKE 'WITH R%'"
        while len(found := wires[2].query(ask).to_pylist()) < 2:
            time.sleep(0.02)
        for row in found:
            wires[2].update(f"KILL QUERY {row['query_id']}")
        assert all(query.ended() for query in queries)
        assert RESERVED_PLACES > 1


def test_a_server_stops_although_streams_are_silent(server: ServerProcess, db: Client) -> None:
    """It waits for drain_s, and ends in good order."""
    with Wire(server) as wire:
        streams = [Silent(wire), stalled(wire)]
        until(2, db, "SELECT count(*) FROM system.kept WHERE kind LIKE '%stream' AND NOT in_use")
        assert server.stop() == 0, server.log
        assert len(streams) == 2
