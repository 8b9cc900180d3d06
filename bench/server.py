"""A real server process with a data folder of its own, for as long as a `with` block lasts."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

from adbc_driver_flightsql import dbapi

from bench.client import PlainClient

START = "from flightserver.__main__ import main; main()"
KEEP_BATCHES = {"compaction": False}
"""Settings under which the many small batches stay that some questions are about."""


class Server(AbstractContextManager["Server"]):
    """`flightserver serve --dev`, ready for clients. `settings` go into its configuration file.

    A data folder that is given stays; otherwise the server has one of its own, which is removed.
    """

    def __init__(
        self,
        settings: Mapping[str, bool | int | str] | None = None,
        *,
        data: Path | None = None,
    ) -> None:
        self._settings = settings or {}
        self._data = data

    def __enter__(self) -> "Server":
        self._folder = tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)
        config = Path(self._folder.name, "settings.toml")
        config.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in self._settings.items()))
        self.data = self._data or Path(self._folder.name, "data")
        options = ["--dev", "--config", str(config), "--data-dir", str(self.data), "--port", "0"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", START, "serve", *options], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("listening on "), f"the server did not start: {line!r}"
        self.uri = line.removeprefix("listening on ").strip()
        self.client = PlainClient(self.uri)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.client.close()
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._folder.cleanup()

    def connect(self) -> dbapi.Connection:
        """An ADBC connection."""
        return dbapi.connect(self.uri, autocommit=True)

    def cpu_seconds(self) -> float:
        """Processor time of the server so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def written_bytes(self) -> int:
        """What the server has sent to the disk so far."""
        counted = Path(f"/proc/{self._process.pid}/io").read_text()
        return int(counted.partition("\nwrite_bytes:")[2].split()[0])

    def memory_mb(self, field: str) -> float:
        """`VmRSS` (now) or `VmHWM` (the peak) of the server."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith(f"{field}:"))
        return int(line.split()[1]) / 1024

    def forget_memory_peak(self) -> None:
        """Let `VmHWM` begin anew."""
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")
