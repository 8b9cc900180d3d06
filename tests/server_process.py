"""A real server process on a data folder, for tests: start, stop, kill -9, restart, connect as a user.

After each test that uses it, and at its own end, a server is asked what it keeps for clients that are gone: nothing may
be left.
"""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from adbc_driver_flightsql import DatabaseOptions, dbapi
from pyarrow import flight

from catalog.roles import Role
from flightserver.access.first_user import add_user
from flightserver.configuration.described import all_fields
from flightserver.configuration.sources import PREFIX, configure
from tests.processes import HANGS_SECONDS

PATIENCE_SECONDS = HANGS_SECONDS

Setting = str | int | float | Mapping[str, str]
CHEAP_PASSWORDS: Mapping[str, int] = {"password_memory_kib": 8, "password_passes": 1, "password_length_min": 1}

_STREAMS = "SELECT count(*) AS n FROM system.kept WHERE kind LIKE '%stream'"
_OTHERS = "SELECT session_id FROM system.sessions WHERE session_id <> '{}'"
_KEPT = "SELECT count(*) AS n FROM system.kept WHERE session_id <> '{}'"
_OUTDATED = "SELECT used AS n FROM system.limits WHERE name = 'outdated snapshots'"
_TICKS = os.sysconf("SC_CLK_TCK")


class ServerProcess:
    """`flightserver serve` on a free port. A context manager: entering starts it, leaving kills what still runs."""

    def __init__(
        self,
        data_dir: Path,
        *,
        users: Mapping[str, str] | None = None,
        roles: Mapping[str, Role] | None = None,
        dev: bool = True,
        settings: Mapping[str, Setting] | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.uri = ""
        self._passwords = dict(users or {})
        self._dev = dev
        self._process: subprocess.Popen[str] | None = None
        self._observer: _Observer | None = None
        self._config = data_dir.parent / f"{data_dir.name}.toml"
        self._errors = data_dir.parent / f"{data_dir.name}.stderr"
        self._roles = dict(roles or {})
        self._has_users = False
        self.configure(settings or {})

    def configure(self, settings: Mapping[str, Setting]) -> None:
        """Write the settings file that the next start reads. Passwords cost little, and may be short."""
        lines = [f"{key} = {_toml(value)}" for key, value in {**CHEAP_PASSWORDS, **settings}.items()]
        self._config.write_text("\n".join(lines) + "\n")

    def __enter__(self) -> "ServerProcess":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self.is_running:
                self.check_nothing_is_left()
        finally:
            self.kill()

    def check_no_stream_is_left(self) -> None:
        """Fail when a stream stays open although its client is gone."""
        if self._dev:
            self._observed().wait_for_none(_STREAMS)

    def check_nothing_is_left(self) -> None:
        """End all sessions; fail when anything that was kept for them stays."""
        if self._dev:
            observer = self._observed()
            for row in observer.rows(_OTHERS.format(observer.session)):
                with suppress(KeyError):  # it may have ended by itself meanwhile
                    observer.rows(f"KILL SESSION '{row['session_id']}'")
            observer.wait_for_none(_KEPT.format(observer.session))
            observer.wait_for_none(_OUTDATED)

    def _observed(self) -> "_Observer":
        if self._observer is None:
            self._observer = _Observer(self.uri)
        return self._observer

    def start(self, *options: str) -> None:
        """Start the process and wait until it listens. Its users are made before the first start."""
        if not self._has_users:
            settings = configure(self._config, flags={"data_dir": self.data_dir}).settings
            for name, word in self._passwords.items():
                add_user(settings, name, word, self._roles.get(name, Role.USER))
            self._has_users = True
        command = [sys.executable, "-m", "flightserver", "serve", "--config", str(self._config)]
        command += ["--data-dir", str(self.data_dir), "--port", "0", *(["--dev"] if self._dev else []), *options]
        with self._errors.open("a") as errors:
            self._process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True, env=server_environment()
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith("listening on "):
            self.kill()
            raise AssertionError(f"the server did not start: {self.log[-4000:]}")
        self.uri = line.removeprefix("listening on ").strip()

    def refusal(self) -> str:
        """Start the process, which refuses; return what it says."""
        before = len(self.log) if self._errors.exists() else 0
        try:
            self.start()
        except AssertionError:
            return self.log[before:]
        self.kill()
        raise AssertionError("the server started")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask the process to end; return its exit status."""
        self._running().send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """Wait for the process to end; return its exit status."""
        return self._ended(self._running(), HANGS_SECONDS)

    def kill(self) -> None:
        """End the process at once, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._ended(self._process, HANGS_SECONDS)

    def restart(self) -> None:
        """Stop in good order and start again."""
        assert self.stop() == 0, self.log
        self.start()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._running().pid

    @property
    def is_running(self) -> bool:
        """Tell whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """Everything that the process has written to stderr, over all starts."""
        return self._errors.read_text()

    def cpu_seconds(self) -> float:
        """Processor time that the process has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def is_idle_within(self, seconds: float) -> bool:
        """Tell whether the process comes to rest: uses under a tenth of a core for half a second."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            before = self.cpu_seconds()
            time.sleep(0.5)
            if self.cpu_seconds() - before < 0.05:
                return True
        return False

    def connect(self, user: str | None = None, *, autocommit: bool = True, **headers: str) -> dbapi.Connection:
        """An ADBC connection, as a user or (None) without credentials."""
        options = {f"{DatabaseOptions.RPC_CALL_HEADER_PREFIX.value}{name}": value for name, value in headers.items()}
        if user is not None:
            options |= {"username": user, "password": self._passwords[user]}
        return dbapi.connect(self.uri, db_kwargs=options, autocommit=autocommit)

    def flight(self, user: str | None = None) -> tuple[flight.FlightClient, flight.FlightCallOptions]:
        """A plain Flight client and the options that every call of the user needs."""
        client = flight.FlightClient(self.uri)
        if user is None:
            return client, flight.FlightCallOptions()
        return client, flight.FlightCallOptions(headers=[client.authenticate_basic_token(user, self._passwords[user])])

    def _running(self) -> subprocess.Popen[str]:
        assert self._process is not None
        return self._process

    def _ended(self, process: subprocess.Popen[str], seconds: float) -> int:
        status = process.wait(seconds)
        if self._observer is not None:
            self._observer.close()
            self._observer = None
        if process.stdout is not None:
            process.stdout.close()
        return status


class _Observer:
    """An admin who looks on over a connection of its own."""

    def __init__(self, uri: str) -> None:
        self._client = flight.FlightClient(uri)
        token = secrets.token_hex(8)
        (found,) = self.rows(f"SELECT session_id FROM system.queries WHERE text LIKE '%{token}%'")
        self.session = found["session_id"]

    def rows(self, sql: str) -> list[dict[str, str]]:
        """The result of a statement."""
        info = self._client.get_flight_info(flight.FlightDescriptor.for_command(sql.encode()))
        return self._client.do_get(info.endpoints[0].ticket).read_all().to_pylist()

    def wait_for_none(self, count: str) -> None:
        """Wait until a query counts nothing; fail when that does not come."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.rows(count) != [{"n": 0}]:
            assert time.monotonic() < deadline, self.rows("SELECT * FROM system.kept")
            time.sleep(0.05)

    def close(self) -> None:
        """Hang up."""
        self._client.close()


def server_environment() -> dict[str, str]:
    """What servers find in their environment: variables of tests are no settings, and so left out."""
    settings = {f"{PREFIX}{key.upper()}" for key in all_fields()}
    return {name: text for name, text in os.environ.items() if not name.startswith(PREFIX) or name in settings}


def _toml(value: Setting) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
