"""A server process for the length of a `with` block."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

READY = "listening on "


@contextmanager
def running_server(data_dir: Path) -> Iterator[str]:
    """Start `flightserver serve --dev` on a free port; yield its address; stop it with SIGTERM."""
    command = [sys.executable, "-m", "flightserver", "serve", "--dev", "--data-dir", str(data_dir), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own command
    try:
        assert process.stdout is not None  # noqa: S101 - there is a pipe
        line = process.stdout.readline().strip()
        if not line.startswith(READY):
            raise SystemExit("the server did not start")
        yield line.removeprefix(READY)
        process.send_signal(signal.SIGTERM)
        if process.wait(timeout=60) != 0:
            raise SystemExit(f"the server stopped with exit code {process.returncode}")
    finally:
        process.kill()
        process.communicate()
