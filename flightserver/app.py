"""The composition root: everything is wired here, and here a server starts, drains and stops."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType

import pyarrow as pa

from catalog.errors import DatabaseError, ErrorKind
from flightserver.activity.gate import Gate, GateLimits
from flightserver.activity.ledger import Ledger
from flightserver.activity.limits import ledger_limits
from flightserver.activity.statements import Statements
from flightserver.allocator import keep_freed_memory
from flightserver.database import Database
from flightserver.execution.executor import Executor
from flightserver.service.service import Service
from flightserver.sessions.directory import Sessions
from flightserver.sessions.system_tables import Watched, system_tables
from flightserver.settings import LOOPBACK, Settings
from flightserver.transport.auth import Authenticator, AuthMiddlewareFactory
from flightserver.transport.connections import gone
from flightserver.transport.server import FlightSqlServer, choose_poller

SIGNAL_POLL_SECONDS = 0.5


def serve(settings: Settings, *, accept_loss: bool = False) -> None:
    """Run a server until SIGTERM or SIGINT. With `accept_loss`, go on without acknowledged commits that are lost."""
    _check_exposure(settings)
    keep_freed_memory()
    choose_poller()
    database = Database(settings, accept_loss=accept_loss)
    try:
        gate = Gate(
            GateLimits(settings.statements_max, settings.statements_user_max, settings.queue_max, settings.queue_wait_s)
        )
        ledger = Ledger(ledger_limits(settings))
        sessions, statements = Sessions(database, ledger), Statements()
        executor = Executor(database, system_tables(Watched(database, sessions, statements, ledger, gate)))
        service = Service(database, executor, sessions, statements, gate)
        authentication = AuthMiddlewareFactory(Authenticator(settings, sessions))
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        with _listening(f"{host}:{settings.port}"):
            server = FlightSqlServer(f"grpc://{host}:{settings.port}", service, authentication, sessions, gate)
        database.start()
        sessions.start(partial(gone, server.port))
        ledger.start()
        stopping = _signalled()
        print(f"listening on grpc://{host}:{server.port}", flush=True)
        _wait(stopping)
        gate.drain(settings.drain_s)
        ledger.stop()
        server.shutdown()
        sessions.stop()
    finally:
        database.close()


def _check_exposure(settings: Settings) -> None:
    if settings.dev and settings.host not in {LOOPBACK, "localhost", "::1"}:
        raise DatabaseError(ErrorKind.INVALID, f"--dev lets anybody in, so it binds to {LOOPBACK} only")
    if not settings.dev and not settings.users:
        raise DatabaseError(
            ErrorKind.INVALID, "nobody could log in: add users to the settings file, or use --dev on your own machine"
        )


@contextmanager
def _listening(address: str) -> Iterator[None]:
    """Say what is wrong with an address; the library only says that it did not start."""
    try:
        yield
    except pa.ArrowException as error:
        raise DatabaseError(
            ErrorKind.UNAVAILABLE,
            f"cannot listen on {address}: its port is in use, or its host is no address of this machine",
        ) from error


def _signalled() -> threading.Event:
    """Set by the first SIGTERM or SIGINT; later ones do nothing.

    The server runs from its construction on. Its own `serve` would take the signals for itself, and shut down at once.
    """
    stopping = threading.Event()

    def handle(_: int, __: FrameType | None) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
    return stopping


def _wait(stopping: threading.Event) -> None:
    """Wait in turns: a signal that the kernel gives to another thread does not wake this one, which handles it."""
    while not stopping.wait(SIGNAL_POLL_SECONDS):
        pass
