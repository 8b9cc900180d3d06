"""The composition root: everything is wired here, and here a server starts, drains and stops."""

import signal
import threading
from types import FrameType

from catalog.errors import DatabaseError, ErrorKind
from flightserver.database import Database
from flightserver.execution.executor import Executor
from flightserver.settings import LOOPBACK, Settings
from flightserver.transport.auth import Authenticator, AuthMiddlewareFactory
from flightserver.transport.gate import Gate
from flightserver.transport.server import FlightSqlServer
from flightserver.transport.service import Service


def serve(settings: Settings) -> None:
    """Run a server until SIGTERM or SIGINT."""
    _check_exposure(settings)
    database = Database(settings)
    try:
        gate = Gate(settings.statements_max)
        service = Service(database, Executor(database))
        authentication = AuthMiddlewareFactory(Authenticator(settings))
        server = FlightSqlServer(f"grpc://{settings.host}:{settings.port}", service, authentication, gate)
        database.start()
        _stop_on_signals(server, gate, settings.drain_s)
        print(f"listening on grpc://{settings.host}:{server.port}", flush=True)
        server.serve()
    finally:
        database.close()


def _check_exposure(settings: Settings) -> None:
    if settings.dev and settings.host not in {LOOPBACK, "localhost", "::1"}:
        raise DatabaseError(ErrorKind.INVALID, f"--dev lets anybody in, so it binds to {LOOPBACK} only")
    if not settings.dev and not settings.users:
        raise DatabaseError(
            ErrorKind.INVALID, "nobody could log in: add users to the settings file, or use --dev on your own machine"
        )


def _stop_on_signals(server: FlightSqlServer, gate: Gate, drain_seconds: float) -> None:
    """Drain and stop on the first signal. Shutting down waits for calls, so it may not run in the handler itself."""

    def stop() -> None:
        gate.drain(drain_seconds)
        server.shutdown()

    def handle(_: int, __: FrameType | None) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        threading.Thread(target=stop, name="stop").start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
