"""The composition root: everything is wired here, and here a server starts, drains and stops."""

import os
import signal
import threading
from collections.abc import Collection
from functools import partial
from types import FrameType

from catalog.data_folder import FOR_OWNER_ALONE
from catalog.user_store import UserStore
from flightserver.access.first_user import provide_first_user
from flightserver.access.login_queue import LoginQueue
from flightserver.access.logins import Logins, OutsideTokens
from flightserver.access.passwords import Passwords
from flightserver.access.user_limits import UserLimit
from flightserver.activity.gate import Gate
from flightserver.activity.ledger import Ledger
from flightserver.activity.limits import gate_limits, ledger_limits
from flightserver.activity.memory_guard import MemoryGuard, memory_ticker
from flightserver.activity.statement import RunningStatement
from flightserver.activity.statements import Statements
from flightserver.allocator import begin_collections, give_back_freed_memory, keep_freed_memory, resting_ticker
from flightserver.configuration.sources import Configured
from flightserver.database import Database
from flightserver.execution.executor import Executor
from flightserver.service.service import Service
from flightserver.sessions.accounts import Accounts
from flightserver.sessions.directory import Sessions
from flightserver.sessions.system_tables import Watched, system_tables
from flightserver.settings import Settings
from flightserver.transport.auth import Authenticator, AuthMiddlewareFactory
from flightserver.transport.connections import gone
from flightserver.transport.listener import Listener
from flightserver.transport.server import FlightSqlServer, choose_poller
from flightserver.transport.tls import check_exposure
from providers.ticker import WokenTicker

SIGNAL_POLL_SECONDS = 0.5


def serve(configured: Configured, *, accept_loss: bool = False) -> None:
    """Run a server until SIGTERM or SIGINT. With `accept_loss`, go on without acknowledged commits that are lost."""
    settings = configured.settings
    os.umask(FOR_OWNER_ALONE)
    check_exposure(settings)
    keep_freed_memory()
    choose_poller()
    database = Database(configured, accept_loss=accept_loss)
    try:
        passwords = Passwords(settings)
        provide_first_user(database.users, passwords, settings)
        logins = Logins(
            database.users,
            passwords,
            LoginQueue(settings.logins_at_once),
            database.audit_log,
            _issuer(settings, database.users),
        )
        gate = Gate(
            gate_limits(settings),
            lambda user: database.limits.of(user, UserLimit.STATEMENTS),
        )
        ledger = Ledger(ledger_limits(settings))
        database.live.tell(lambda now: gate.change(gate_limits(now)))
        database.live.tell(lambda now: ledger.set_limits(ledger_limits(now)))
        sessions, statements = Sessions(database, ledger, logins), Statements()
        executor = Executor(database, system_tables(Watched(database, sessions, statements, ledger, gate)))
        accounts = Accounts(database, passwords, sessions, statements)
        service = Service(database, executor, sessions, statements, gate, accounts)
        authentication = AuthMiddlewareFactory(Authenticator(settings, logins, sessions))
        listener = Listener(
            settings, lambda location, tls: FlightSqlServer(location, service, authentication, sessions, gate, tls)
        )
        database.jobs.gives_way = lambda: bool(gate.working) and not database.backlog.waiting
        database.start()
        sessions.start(partial(gone, listener.port))
        ledger.start()
        at_work = partial(_at_work, gate, statements)
        memory = memory_ticker(
            MemoryGuard(
                at_work,
                settings.memory_limit_mb << 20,
                lambda user: database.limits.bytes_of(user, UserLimit.MEMORY_MB),
            ),
            lambda: bool(gate.working),
        )
        memory.start()
        allocator = resting_ticker(lambda: bool(gate.working))
        allocator.start()
        gate.on_work = partial(_wake, memory, allocator)
        stopping = _signalled()
        begin_collections()
        give_back_freed_memory()
        print(f"listening on {listener.address}", flush=True)
        _wait(stopping)
        gate.drain(database.settings.drain_s)
        memory.stop()
        allocator.stop()
        ledger.stop()
        listener.shutdown()
        sessions.stop()
    finally:
        database.close()


def _issuer(settings: Settings, users: UserStore) -> OutsideTokens | None:
    """Who reads tokens of an outside issuer, where there is one; nobody else pays for the library."""
    if settings.jwt is None:
        return None
    from flightserver.access.issuer import Issuer  # noqa: PLC0415 - 10 MB

    return Issuer(settings.jwt, users)


def _at_work(gate: Gate, statements: Statements) -> Collection[RunningStatement]:
    """What runs. Most of the time nothing does, and then nobody is looked for."""
    return statements.at_work() if gate.begun else ()


def _wake(*tickers: WokenTicker) -> None:
    for ticker in tickers:
        ticker.wake()


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
