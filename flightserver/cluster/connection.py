"""The connection to a cluster, by Spark Connect: a text goes there, record batches come back.

Each query has a session of its own, which ends with it, and a thread that waits for what the cluster says. Nobody else
waits for longer than until the next question whether to stop: a cluster that says nothing keeps nobody. The library
is an extra that need not be installed, so it is loaded when the first query runs.
"""

import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from queue import Empty, Full, Queue
from typing import Any

import pyarrow as pa

from catalog.errors import DatabaseError, ErrorKind
from providers.stopping import POLL_SECONDS, Stop, check

LAST_WORDS_SECONDS = 5.0
"""How long a cluster has to answer that a query is over; the library's own calls have no end."""

BATCHES_AHEAD = 4
"""How many batches of a result wait for the client."""

_LOADING = threading.Lock()

_ARITHMETIC = frozenset({"ArithmeticException", "NumberFormatException", "IllegalArgumentException"})
_GONE = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "ABORTED", "UNKNOWN", "INTERNAL"})
_PATH = re.compile(r"\S*/\S*")
_MESSAGE_LETTERS = 200


@dataclass(frozen=True)
class Cluster:
    """Where a cluster is, and how long it may say nothing."""

    url: str
    silence_s: float

    def stream(self, text: str, stop: Stop) -> Iterator[pa.RecordBatch]:
        """Run a query; end it, here and there, soon after `stop` says so or nobody takes its batches any more."""
        running = _Running(self.url, text)
        running.start()
        heard = time.monotonic()
        try:
            while True:
                check(stop)
                try:
                    found = running.ready.get(timeout=POLL_SECONDS)
                except Empty:
                    if time.monotonic() - heard > self.silence_s:
                        raise DatabaseError(
                            ErrorKind.TIMEOUT, f"the cluster has said nothing for {self.silence_s:g} s"
                        ) from None
                    continue
                if found is None:
                    return
                if isinstance(found, DatabaseError):
                    raise found
                yield found
                heard = time.monotonic()
        finally:
            running.end()


@dataclass
class _Running:
    """A query on its way, on a thread of its own."""

    url: str
    text: str
    ready: "Queue[pa.RecordBatch | DatabaseError | None]" = field(default_factory=lambda: Queue(BATCHES_AHEAD))
    gone: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)
    session: Any = None

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="cluster", daemon=True).start()

    def end(self) -> None:
        """Nobody waits for it any more."""
        self.gone.set()
        if not self.done.is_set():
            threading.Thread(target=self._stop_there, name="cluster-end", daemon=True).start()

    def _run(self) -> None:
        try:
            for batch in self._batches():
                if not self._put(batch):
                    return
            self._put(None)
        except DatabaseError as error:
            self._put(error)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the library does is the cluster's failure
            self._put(_told(error))
        finally:
            self.done.set()
            self._let_go()

    def _batches(self) -> Iterator[pa.RecordBatch]:
        self.session = _connected(self.url)
        if self.gone.is_set():  # whoever ended this found no session to end
            return
        client = self.session.client
        plan = self.session.sql(self.text)._plan  # noqa: SLF001 - the public way gives all rows at once
        for part in client.to_table_as_iterator(plan.to_proto(client), {}):
            if isinstance(part, pa.Table):
                yield from part.to_batches()

    def _put(self, found: pa.RecordBatch | DatabaseError | None) -> bool:
        """Hand over; tell whether anybody is there to take it."""
        while not self.gone.is_set():
            with suppress(Full):
                self.ready.put(found, timeout=POLL_SECONDS)
                return True
        return False

    def _stop_there(self) -> None:
        """Tell the cluster, on a thread that nobody waits for."""
        session = self.session
        if session is not None:
            with self._hanging_up():
                session.interruptAll()
        self._let_go()

    def _let_go(self) -> None:
        if self.session is not None:
            with self._hanging_up():
                self.session.client.release_session()
            self._hang_up()

    @contextmanager
    def _hanging_up(self) -> Iterator[None]:
        """Say something to the cluster; if it does not answer in a while, end every call to it, this one too."""
        hanging_up = threading.Timer(LAST_WORDS_SECONDS, self._hang_up)
        hanging_up.daemon = True
        hanging_up.start()
        with suppress(Exception):
            yield
        hanging_up.cancel()

    def _hang_up(self) -> None:
        with suppress(Exception):
            self.session.client.close()


def _connected(url: str) -> Any:
    try:
        with _LOADING, _as_if_interactive():
            sessions = import_module("pyspark.sql.connect.session")
    except ImportError:
        raise DatabaseError(
            ErrorKind.UNAVAILABLE, "this server cannot reach a cluster: pip install 'flightserver[cluster]'"
        ) from None
    session = sessions.SparkSession(connection=url)
    session.client.disable_reattachable_execute()
    session.client.set_retry_policies([])
    return session


@contextmanager
def _as_if_interactive() -> Iterator[None]:
    """The library takes a process that was started by `python -c` for a test of itself, unless somebody types there."""
    if hasattr(sys, "ps1"):
        yield
        return
    sys.ps1 = ""
    try:
        yield
    finally:
        del sys.ps1


def _told(error: BaseException) -> DatabaseError:
    """What a client is told of a failure of the cluster: no path of it."""
    name = type(error).__name__
    code = getattr(getattr(error, "getGrpcStatusCode", lambda: None)(), "name", "")
    first = str(error).strip().partition("\n")[0][:_MESSAGE_LETTERS]
    message = _PATH.sub("…", first)
    if name in _ARITHMETIC:
        return DatabaseError(ErrorKind.INVALID, f"the cluster could not compute the query: {message}")
    if name in ("RetriesExceeded", "SparkConnectGrpcException") and (not code or code in _GONE):
        return DatabaseError(
            ErrorKind.UNAVAILABLE, f"the cluster cannot be reached, or is gone; SET engine = 'local' ({message})"
        )
    return DatabaseError(ErrorKind.UNAVAILABLE, f"the cluster failed: {name}: {message}")
