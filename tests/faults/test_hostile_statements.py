"""Statements that want all memory: the server stays within its limit, and answers others meanwhile.

Peaks are the kernel's own, reset before each statement. A statement ends with an answer, at its timeout of a second, or
with a refusal; refusals are immediate. Joins are small enough to end by themselves: the engine cannot interrupt some,
and two of those leave no worker to others.
"""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import flight

from flightserver.protocol.commands import StatementIngest, StatementQuery
from tests.e2e.wire import Wire
from tests.fuzz.hostile_sql import DOUBLED_PLANS, GREEDY, VAST_VALUES
from tests.server_process import ServerProcess

pytestmark = pytest.mark.proof

LIMIT_MB = 192
OVER_LIMIT_MB_MAX = 256
STATEMENT_SECONDS = 1.0
HANGS_SECONDS = 300.0
READ_BYTES = 64 << 20
ROWS, TEXTS, DISTINCT_TEXTS = 100_000, 90, 30
SET_UP = (
    "CREATE TABLE numbers (n BIGINT PRIMARY KEY, s TEXT, v DOUBLE, g INT)",
    "CREATE TABLE copied (n BIGINT PRIMARY KEY, s TEXT, v DOUBLE, g INT)",
    "CREATE TABLE texts (k BIGINT PRIMARY KEY, t TEXT, g INT)",
    f"CREATE TABLE wide ({', '.join(f'c{n} BIGINT' for n in range(100))}, PRIMARY KEY (c0))",
    "CREATE VIEW doubled AS SELECT n FROM (" + " UNION ALL ".join(["SELECT n FROM numbers"] * 150) + ")",
)
REFUSED = {**DOUBLED_PLANS, **VAST_VALUES}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with little memory."""
    settings = {"memory_limit_mb": LIMIT_MB}
    with ServerProcess(tmp_path_factory.mktemp("hostile") / "data", settings=settings) as process:
        with Wire(process) as wire:
            for statement in SET_UP:
                wire.query(statement)
            for name, rows in (("numbers", numbers()), ("texts", texts())):
                wire.put(StatementIngest(name), rows.schema, rows.to_batches(10_000))
            wire.query("CREATE TABLE few AS SELECT * FROM numbers LIMIT 300")
            wire.query("FLUSH ALL")
        process.restart()
        yield process


def numbers() -> pa.Table:
    """Many narrow rows."""
    n = np.arange(ROWS)
    texts = pa.array([f"a text of the number {number % 5_000:06}" for number in range(ROWS)])
    return pa.table({"n": n, "s": texts, "v": np.random.default_rng(1).random(ROWS), "g": (n % 100).astype("int32")})


def texts() -> pa.Table:
    """A few rows of a megabyte each, a third of them distinct."""
    random = np.random.default_rng(2)
    distinct = [random.integers(97, 107, 1 << 20).astype("uint8").tobytes().decode() for _ in range(DISTINCT_TEXTS)]
    k = np.arange(TEXTS)
    return pa.table({"k": k, "t": distinct * (TEXTS // DISTINCT_TEXTS), "g": (k % DISTINCT_TEXTS).astype("int32")})


def peak_mb(pid: int) -> int:
    """The most that a process had in memory since the last reset."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) >> 10


def reset_peak(pid: int) -> int:
    """Begin anew; return what it has now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return peak_mb(pid)


def outcome(server: ServerProcess, sql: str) -> str:
    """Run a statement and read at most some of its result; return how it ended."""
    with Wire(server) as wire:
        wire.query(f"SET query_timeout_s = {STATEMENT_SECONDS}")
        try:
            left = READ_BYTES
            for chunk in wire.reader(wire.info(StatementQuery(sql)).endpoints[0].ticket):
                left -= chunk.data.nbytes
                if left < 0:
                    return "cut"
        except (flight.FlightError, pa.ArrowException, KeyError) as error:
            return str(error)
    return "done"


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_only_grow_is_refused(server: ServerProcess, name: str) -> None:
    """Before it takes anything, with words that say what is too large."""
    before = reset_peak(server.pid)
    said = outcome(server, REFUSED[name])
    assert any(word in said for word in ("and may", "may double", "too", "at most", "Invalid function", "exist")), said
    assert peak_mb(server.pid) - before < OVER_LIMIT_MB_MAX


@pytest.mark.parametrize("name", GREEDY)
def test_what_takes_memory_stays_within_the_limit(server: ServerProcess, name: str) -> None:
    """Others are served meanwhile; it ends with an answer, or with a limit of memory, of time or of work."""
    before = reset_peak(server.pid)
    said: list[str] = []
    hostile = threading.Thread(target=lambda: said.append(outcome(server, GREEDY[name])), daemon=True)
    hostile.start()
    with Wire(server) as wire:
        assert wire.query("SELECT 1 AS one").to_pydict() == {"one": [1]}
        hostile.join(HANGS_SECONDS)
        assert wire.query("SELECT 2 AS two").to_pydict() == {"two": [2]}
    assert said, "the statement hangs"
    limits = ("done", "cut", "memory", "query_timeout_s", "twice", "exists", "overflow", "at most")
    assert any(word in said[0] for word in limits), said
    assert peak_mb(server.pid) - before - LIMIT_MB <= OVER_LIMIT_MB_MAX


def test_the_list_is_long_enough() -> None:
    """Sixty ways to ask for too much."""
    assert len(REFUSED) + len(GREEDY) >= 60
