"""The port: a server that listens, and that another one takes the place of when its certificate is renewed.

The library reads a certificate once, when a server begins to listen, and lets two servers not listen at one port. So
the old server is told to end, which closes its port at once, and the new one takes the port a few milliseconds later.
What runs on connections of the old one goes on to its end there; sessions are not the server's and stay.
"""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from catalog.errors import DatabaseError, ErrorKind
from flightserver.settings import Settings
from flightserver.transport.server import FlightSqlServer
from flightserver.transport.tls import Tls, TlsFiles, read_tls, tls_files
from providers.ticker import Ticker

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
TAKE_SECONDS = 30.0
RETRY_SECONDS = 0.002

MakeServer = Callable[[str, Tls | None], FlightSqlServer]
"""Makes a server that listens at a location."""

_Stamp = tuple[tuple[int, int, int], ...]


class Listener:
    """Listens at the address of the settings from its construction on; UNAVAILABLE when that cannot be."""

    def __init__(self, settings: Settings, make: MakeServer) -> None:
        self._make = make
        self._files = tls_files(settings)
        self._host = f"[{settings.host}]" if ":" in settings.host else settings.host
        self._scheme = "grpc" if self._files is None else "grpc+tls"
        self._stamp = _stamp(self._files)
        self._ending: list[threading.Thread] = []
        self._server = self._first(settings.port)
        self._ticker = Ticker("certificates", self._look, LOOK_SECONDS)
        if self._files is not None:
            self._ticker.start()

    @property
    def port(self) -> int:
        """The port that it listens at."""
        port: int = self._server.port
        return port

    @property
    def address(self) -> str:
        """Where clients connect."""
        return f"{self._scheme}://{self._host}:{self.port}"

    def shutdown(self) -> None:
        """Take no more calls, and wait for those that run."""
        self._ticker.stop()
        self._server.shutdown()
        for thread in self._ending:
            thread.join()

    def _first(self, port: int) -> FlightSqlServer:
        tls = None if self._files is None else read_tls(self._files)
        try:
            return self._make(f"{self._scheme}://{self._host}:{port}", tls)
        except pa.ArrowException as error:
            raise DatabaseError(
                ErrorKind.UNAVAILABLE,
                f"cannot listen on {self._host}:{port}: its port is in use, or its host is no address of this machine",
            ) from error

    def _look(self) -> None:
        """Listen anew when the files have changed and can be used; until then the old certificate is good enough."""
        stamp = _stamp(self._files)
        if self._files is None or stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            tls = read_tls(self._files)
        except DatabaseError as error:
            log.warning("the certificate stays as it was: %s", error.message)
            return
        self._listen_anew(tls)

    def _listen_anew(self, tls: Tls) -> None:
        location, old = self.address, self._server
        self._ending = [thread for thread in self._ending if thread.is_alive()]
        self._ending.append(threading.Thread(target=old.shutdown, name="old certificate", daemon=True))
        self._ending[-1].start()
        deadline = time.monotonic() + TAKE_SECONDS
        while self._server is old:
            try:
                self._server = self._make(location, tls)
            except pa.ArrowException:
                if time.monotonic() > deadline:
                    self._stamp = ()  # tried again with the next look
                    raise
                time.sleep(RETRY_SECONDS)


def _stamp(files: TlsFiles | None) -> _Stamp:
    """What changes when a file is replaced or written anew."""
    found = [] if files is None else [path for path in (files.certificate, files.key, files.client_ca) if path]
    return tuple(_stamp_of(path) for path in found)


def _stamp_of(path: Path) -> tuple[int, int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0, 0)
    return (status.st_ino, status.st_mtime_ns, status.st_size)
