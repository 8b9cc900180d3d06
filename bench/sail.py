"""A cluster on this machine: Sail with two workers, on a free port."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

READY = re.compile(r"Spark Connect server on [\d.]+:(\d+)")
START_SECONDS = 60.0
POLL_SECONDS = 0.05
STOP_SECONDS = 5.0
COMMAND = Path(sys.executable).with_name("sail")
WITHIN = MappingProxyType({"SAIL_MODE": "local-cluster"})
"""Workers that are threads of the server."""


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Sail:
    """A server of Spark Connect in a process of its own, with two workers."""

    def __init__(self, folder: Path, port: int, mode: Mapping[str, str] = WITHIN) -> None:
        self.url = f"sc://127.0.0.1:{port}"
        self._log = folder / "sail.log"
        environment = {
            **os.environ,
            **mode,
            "SAIL_CLUSTER__WORKER_INITIAL_COUNT": "2",
            "SAIL_CLUSTER__WORKER_MAX_COUNT": "2",
        }
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    str(COMMAND),
                    "spark",
                    "server",
                    "--ip",
                    "127.0.0.1",
                    "--port",
                    str(port),
                ],
                cwd=folder,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        ends = time.monotonic() + START_SECONDS
        while not READY.search(self._log.read_text()):
            assert self.process.poll() is None, self._log.read_text()
            assert time.monotonic() < ends, "Sail does not start"
            time.sleep(POLL_SECONDS)

    @property
    def processor_seconds(self) -> float:
        """What it has worked."""
        return processor_seconds(self.process)

    def kill(self) -> None:
        """End it, with its workers, at once."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(STOP_SECONDS)


def processor_seconds(process: "subprocess.Popen[bytes]") -> float:
    """What a process has worked."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
