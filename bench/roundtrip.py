"""`SELECT 1` (GetFlightInfo and DoGet) against ROAPI, which serves Flight SQL over DataFusion without any Python.

The same client asks both servers in turns, call by call; once with plain pyarrow and once through ADBC.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from types import TracebackType

from adbc_driver_flightsql import dbapi

from bench.client import PlainClient
from bench.report import Figure, at_most, compare
from bench.scale import Scale
from bench.server import Server
from bench.timing import each

CALLS, TINY_CALLS = 1_000, 20
WARM_CALLS = 20
ADDRESS = "127.0.0.1:0"
LISTENING = re.compile(r"Listening on (\S+) for FlightSQL")
QUIET = "off,roapi::startup=info"
"""Says where it listens, and nothing for each request, which would cost time and fill the pipe."""

Query = Callable[[], object]


class Roapi(AbstractContextManager["Roapi"]):
    """ROAPI as a process, with the one small table that it needs to start."""

    def __enter__(self) -> "Roapi":
        self._folder = tempfile.TemporaryDirectory(prefix="roapi-")
        table = Path(self._folder.name, "t.csv")
        table.write_text("a\n1\n")
        addresses = [f"--addr-{door}={ADDRESS}" for door in ("http", "postgres", "flight-sql")]
        command = [str(Path(sys.executable).with_name("roapi")), "--table", f"t={table}", *addresses]
        self._process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env=os.environ | {"RUST_LOG": QUIET}
        )
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if found := LISTENING.search(line):
                self.uri = f"grpc://{found[1]}"
                return self
        raise AssertionError("ROAPI did not start")

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.__exit__(kind, value, traceback)
        self._folder.cleanup()


def run(scale: Scale) -> list[Figure]:
    """Both clients, each on both servers."""
    with ExitStack() as stack:
        uris = {"ours": stack.enter_context(Server()).uri, "ROAPI": stack.enter_context(Roapi()).uri}
        plain = {name: stack.enter_context(closing(PlainClient(uri))) for name, uri in uris.items()}
        return [
            latency("pyarrow", {name: by_pyarrow(client) for name, client in plain.items()}, scale),
            latency("ADBC", {name: by_adbc(stack, uri) for name, uri in uris.items()}, scale),
        ]


def by_pyarrow(client: PlainClient) -> Query:
    """One call of each method of Flight that a query needs."""

    def query() -> None:
        assert client.query("SELECT 1").column(0).to_pylist() == [1]

    return query


def by_adbc(stack: ExitStack, uri: str) -> Query:
    """A statement of a driver."""
    connection = stack.enter_context(closing(dbapi.connect(uri, autocommit=True)))
    cursor = stack.enter_context(connection.cursor())

    def query() -> None:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)

    return query


def latency(client: str, queries: dict[str, Query], scale: Scale) -> Figure:
    """The median of many calls, in turns."""
    times: dict[str, list[float]] = {name: [] for name in queries}
    for turn in range(-WARM_CALLS, scale.of(CALLS, TINY_CALLS)):
        for name in list(queries) if turn % 2 == 0 else reversed(queries):
            taken = each(lambda _, query=queries[name]: query(), 1)
            if turn >= 0:
                times[name] += taken
    p50 = {name: statistics.median(taken) for name, taken in times.items()}
    return compare(f"SELECT 1 through {client}, p50", p50["ours"], p50["ROAPI"], "ROAPI", at_most(1.2))
