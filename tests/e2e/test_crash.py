"""Restarts: SIGTERM under load, kill -9 at random moments. What was acknowledged is there, and nothing else.

Each client thread owns its keys and keeps an oracle of them from acknowledgements. A write whose answer never came is
in doubt: afterwards all of it is there or none of it. `FLIGHTSERVER_CRASH_CYCLES` sets how often the server is killed.
"""

import gc
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pytest
from adbc_driver_flightsql import dbapi

from flightserver.protocol.commands import StatementQuery
from tests.e2e.client import Client
from tests.e2e.wire import Wire
from tests.server_process import ServerProcess

pytestmark = [
    pytest.mark.proof,
    pytest.mark.filterwarnings("ignore:Failed to close cursor:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
"""The driver complains when a server goes away under its statements."""


@pytest.fixture(autouse=True)
def settled() -> Iterator[None]:
    """Let the driver complain here, not in whichever test comes next."""
    yield
    gc.collect()


CYCLES = int(os.environ.get("FLIGHTSERVER_CRASH_CYCLES", "6"))
THREADS = 4
KEYS = 200

State = dict[int, int]


@dataclass
class Writer:
    """One client and what it knows about its own keys."""

    number: int
    state: State = field(default_factory=dict)
    in_doubt: State | None = None
    version: int = 0

    def work(self, server: ServerProcess, stopped: threading.Event) -> None:
        """Write at random until the server is gone."""
        rnd = random.Random(f"{self.number}/{self.version}")
        with suppress(dbapi.Error), server.connect() as connection:
            client = Client(connection)
            while not stopped.is_set():
                self._step(client, rnd)

    def check(self, found: State) -> None:
        """Compare the table's rows of this writer with the oracle, and settle what was in doubt."""
        allowed = [self.state] if self.in_doubt is None else [self.state, self.in_doubt]
        assert found in allowed, _difference(found, self.state)
        self.state, self.in_doubt = found, None

    def _step(self, client: Client, rnd: random.Random) -> None:
        self.version += 1
        keys = rnd.sample(range(self.number, KEYS * THREADS, THREADS), rnd.choice([1, 3, 40]))
        present = [key for key in keys if key in self.state]
        absent = [key for key in keys if key not in self.state]
        listed = ", ".join(map(str, keys))
        match rnd.choice(["insert", "update", "delete", "ingest", "ingest", "bound", "large", "flush", "compact"]):
            case "insert" if absent:
                rows = ", ".join(f"({key}, {self.version}, {self.number})" for key in absent)
                self._commit(dict.fromkeys(absent, self.version), [])
                client.run(f"INSERT INTO t (id, v, w) VALUES {rows}")
            case "update" if present:
                self._commit(dict.fromkeys(present, self.version), [])
                client.run(f"UPDATE t SET v = {self.version} WHERE id IN ({listed})")
            case "delete" if present:
                self._commit({}, present)
                client.run(f"DELETE FROM t WHERE id IN ({listed})")
            case "bound" if present:
                self._commit(dict.fromkeys(present, self.version), [])
                client.many("UPDATE t SET v = ? WHERE id = ?", [(self.version, key) for key in present])
            case "ingest":
                self._commit(dict.fromkeys(keys, self.version), [])
                client.ingest("t", self._rows(keys))
            case "large" if rnd.random() < 0.2:
                every = list(range(self.number, KEYS * THREADS, THREADS))
                self._commit(dict.fromkeys(every, self.version), [])
                client.ingest("t", self._rows(every * (60_000 // KEYS)))
            case "flush":
                client.run("FLUSH TABLE t")
                return
            case "compact":
                client.run("COMPACT TABLE t")
                return
            case _:
                return
        assert self.in_doubt is not None
        self.state, self.in_doubt = self.in_doubt, None

    def _commit(self, written: State, deleted: list[int]) -> None:
        after = self.state | written
        for key in deleted:
            del after[key]
        self.in_doubt = after

    def _rows(self, keys: list[int]) -> pa.Table:
        return pa.table({"id": keys, "v": [self.version] * len(keys), "w": [self.number] * len(keys)})


def _difference(found: State, expected: State) -> str:
    missing = {key: value for key, value in expected.items() if found.get(key) != value}
    extra = {key: value for key, value in found.items() if expected.get(key) != value}
    return f"expected {missing}, found {extra}"


def _create(server: ServerProcess) -> None:
    with server.connect() as connection:
        Client(connection).run(
            "CREATE TABLE t (v BIGINT, id BIGINT PRIMARY KEY, w BIGINT) WITH (flush_policy = 'rows:500')"
        )


def _verify(server: ServerProcess, writers: list[Writer]) -> None:
    """The whole table is what the clients know, by scan, by count, and by key."""
    with server.connect() as connection:
        client = Client(connection)
        rows = client.rows("SELECT id, v, w FROM t")
        assert len({row[0] for row in rows}) == len(rows) == client.count("t")
        assert all(row[0] % THREADS == row[2] for row in rows)
        for writer in writers:
            writer.check({key: value for key, value, owner in rows if owner == writer.number})
        for key, value, _ in rows[:10]:
            assert client.column("SELECT v FROM t WHERE id = ?", (key,)) == [value]


def _run_until(server: ServerProcess, writers: list[Writer], seconds: float, end: str) -> None:
    stopped = threading.Event()
    threads = [threading.Thread(target=writer.work, args=(server, stopped)) for writer in writers]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    if end == "kill":
        server.kill()
    else:
        assert server.stop() == 0
    stopped.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def test_kill_at_random_moments_loses_and_invents_nothing(tmp_path: Path) -> None:
    """Kill -9 under load, again and again: after each start the table is exactly what was acknowledged."""
    rnd = random.Random(7)
    writers = [Writer(number) for number in range(THREADS)]
    server = ServerProcess(tmp_path / "data")
    with server:
        _create(server)
        for cycle in range(CYCLES):
            _run_until(server, writers, rnd.uniform(0.05, 1.2), "kill")
            server.configure({"durability": "async" if cycle % 2 else "sync"})
            server.start()
            _verify(server, writers)
        assert sum(writer.version for writer in writers) > CYCLES
    assert "Traceback" not in server.log


def test_sigterm_under_load_keeps_everything(tmp_path: Path) -> None:
    """SIGTERM drains and exits 0; every acknowledged write is there after the next start."""
    writers = [Writer(number) for number in range(THREADS)]
    with ServerProcess(tmp_path / "data") as server:
        _create(server)
        for seconds in (0.3, 0.8):
            _run_until(server, writers, seconds, "stop")
            server.start()
            _verify(server, writers)


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_definitions_survive(tmp_path: Path, end: str) -> None:
    """Tables, columns, views, namespaces and idempotency keys are there after a restart."""
    rows = pa.table({"id": [1, 2], "v": [1, 2]})
    with ServerProcess(tmp_path / "data") as server:
        with server.connect(**{"x-idempotency-key": "once"}) as connection:
            client = Client(connection)
            client.run("CREATE NAMESPACE app")
            client.run("CREATE TABLE app.t (id BIGINT PRIMARY KEY, v BIGINT, x INT)")
            client.run("ALTER TABLE app.t DROP COLUMN x")
            client.run("CREATE VIEW app.w AS SELECT v AS u FROM app.t")
            client.ingest("t", rows, db_schema_name="app")
        if end == "kill":
            server.kill()
        else:
            assert server.stop() == 0
        server.start()
        with server.connect(**{"x-idempotency-key": "once"}) as connection:
            client = Client(connection)
            client.run("DELETE FROM app.t WHERE id = 1")
            assert client.ingest("t", rows, db_schema_name="app") == 2
            assert client.column("SELECT u FROM app.w") == [2]


def test_seq_never_goes_back_over_a_restart(tmp_path: Path) -> None:
    """Versions written after a kill are newer than those before, although a bulk commit runs the clock ahead."""
    with ServerProcess(tmp_path / "data") as server:
        _create(server)
        newest = 0
        for round_number in range(3):
            if round_number:
                server.kill()
                server.start()
            with server.connect() as connection:
                client = Client(connection)
                client.ingest("t", pa.table({"id": range(100_000), "v": range(100_000)}))
                client.run(f"INSERT INTO t (id) VALUES ({200_000 + round_number})")
                assert client.one(f"SELECT _seq FROM t WHERE id = {200_000 + round_number}") > newest
                assert client.one("SELECT min(_seq) FROM t WHERE id < 100000") > newest
                newest = client.one("SELECT max(_seq) FROM t")


def test_a_data_folder_in_use_is_refused(tmp_path: Path) -> None:
    """A second server on the same folder ends with a clear message, and the first goes on."""
    with ServerProcess(tmp_path / "data") as server:
        second = ServerProcess(tmp_path / "data")
        with pytest.raises(AssertionError, match="use"):
            second.start()
        with server.connect() as connection:
            assert Client(connection).one("SELECT 1") == 1


def test_a_stopping_server_lets_a_running_query_finish(tmp_path: Path) -> None:
    """SIGTERM waits for the statement that is running."""
    with ServerProcess(tmp_path / "data") as server:
        _create(server)
        with server.connect() as connection:
            Client(connection).ingest("t", pa.table({"id": range(300_000), "v": range(300_000)}))
        with Wire(server) as wire:
            reader = wire.reader(wire.info(StatementQuery("SELECT id, v FROM t")).endpoints[0].ticket)
            first = reader.read_chunk().data
            stopping = threading.Thread(target=server.stop)
            stopping.start()
            assert first.num_rows + reader.read_all().num_rows == 300_000
            stopping.join(30)
            assert not stopping.is_alive()
