"""The engine's workers give way to what answers short statements. They are a process's, so another one is asked."""

import subprocess
import sys

import pytest

PROGRAM = """
import os
from pathlib import Path
from providers.engine.session import EngineLimits, WORKER_NICENESS, provide_workers

own = os.nice(0)
provide_workers(EngineLimits(threads=2))
names = {int(task.name): (task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()}
workers = [os.getpriority(os.PRIO_PROCESS, task) for task, name in names.items() if name.startswith("tokio")]
assert workers, names
assert set(workers) == {min(own + WORKER_NICENESS, 19)}, workers
assert os.getpriority(os.PRIO_PROCESS, os.getpid()) == own
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a priority is a process's, and nothing is done")
def test_workers_give_way_to_the_servers_own_threads() -> None:
    """Those have a lower priority, and all that they start; the thread that asked for them keeps its own."""
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=60)
