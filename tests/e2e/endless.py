"""Queries that run until somebody stops them."""

import threading
import time
from contextlib import suppress

import pyarrow as pa
from pyarrow import flight

from flightserver.protocol.commands import StatementQuery
from tests.e2e.client import Client
from tests.e2e.wire import Wire

ENDLESS = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

COUNTING = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT i AS id, i + 0 AS v FROM n"
"""As many rows as somebody takes."""


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
        while self._was_refused():
            pass

    def _was_refused(self) -> bool:
        """Fetch until it ends; tell whether the server had no place for it, because others were in it by chance."""
        try:
            drain(self._wire, self.info)
        except (flight.FlightError, pa.ArrowException, KeyError) as error:
            if isinstance(error, flight.FlightUnavailableError) and "; retry" in str(error):
                return True
            self.error = error
        return False

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


def working(observer: Client, table: str) -> int:
    """The number of the statement that changes a table, as soon as it runs."""
    sql = f"SELECT query_id FROM system.queries WHERE state = 'running' AND text LIKE '%{table}%'"
    while not (found := observer.column(f"{sql} AND text NOT LIKE '%system.queries%'")):
        time.sleep(0.02)
    return int(found[0])
