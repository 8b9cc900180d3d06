"""What tests start ends with them."""

import subprocess
import sys
import time
from pathlib import Path

from tests.processes import HANGS_SECONDS, marked

KILLED = """
import os, signal, subprocess, sys, time
from tests.processes import MARK, end_with_this_process, marked
end_with_this_process()
child = "import subprocess; print(subprocess.Popen(['sleep', '1000']).pid, flush=True); input()"
started = subprocess.Popen([sys.executable, "-c", child], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
grandchild = int(started.stdout.readline())
while not {started.pid, grandchild} <= set(marked(os.environ[MARK])):  # a process shows its environment late in exec
    time.sleep(0.05)
print(os.environ[MARK], flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_processes_end_with_the_test_that_is_killed() -> None:
    """Those that it started, and those that they started."""
    folder = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", KILLED],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=HANGS_SECONDS,
    )
    assert done.returncode == -9
    deadline = time.monotonic() + HANGS_SECONDS
    while marked(done.stdout.strip()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
