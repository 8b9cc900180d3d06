"""Processes that tests start: they end with the test process, however that ends, and have all the time they need.

Whatever a test process starts, and what that starts, has a mark in its environment. A watcher, which waits for the end
of a pipe that the test process holds, then kills what has the mark. So a server ends with its test even if that is
killed, and the server knows nothing of it.
"""

import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

HANGS_SECONDS = 500.0
"""Longer than anything takes on a slow machine: what takes longer hangs."""

MARK = "STARTED_BY_TESTS"


def end_with_this_process() -> None:
    """Let everything that this process starts from now on end with it. To be called once."""
    environment = {name: value for name, value in os.environ.items() if name != MARK}
    mark = os.environ[MARK] = secrets.token_hex(8)
    watcher = subprocess.Popen(
        [sys.executable, "-S", __file__, mark], stdin=subprocess.PIPE, env=environment, start_new_session=True
    )
    _watchers.append(watcher)


_watchers: list[subprocess.Popen[bytes]] = []
"""Referred to, so that their pipes stay open as long as this process lives."""


def marked(mark: str) -> list[int]:
    """The processes that have a mark."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            is_marked = process.name.isdigit() and f"{MARK}={mark}".encode() in (process / "environ").read_bytes()
        except OSError:  # it has ended, or is not ours
            continue
        if is_marked:
            found.append(int(process.name))
    return found


def kill_marked(mark: str) -> None:
    """Kill what has a mark, and what that has started meanwhile.

    A process that is just being executed shows no environment for a moment: nothing must be seen twice.
    """
    nothing_seen = 0
    while nothing_seen < 2:
        processes = marked(mark)
        nothing_seen = 0 if processes else nothing_seen + 1
        for process in processes:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.1)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    kill_marked(sys.argv[1])
