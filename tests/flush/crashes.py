"""Crashes of a workload: the process that works and kills itself, as tests ask it for them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.flush.crash_driver import PROJECT

USUAL_OCCURRENCES = 3
"""At how many of its occurrences a point is fatal, unless the environment says otherwise."""


class Crashes:
    """Runs a workload again and again until a point of it."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self._folder = folder

    def at(self, function: str, event: str) -> Iterator[Path]:
        """The folders that are left by a process killed at some occurrences of a point; they go when they were seen."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{function} {event}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line.endswith("\n"), "the driver ended; see its errors"
        assert line.strip(), f"the workload never comes to the {event} of {function}"
        for name in line.split():
            yield self._folder / name
            shutil.rmtree(self._folder / name)


@contextmanager
def crashes(workload: str, folder: Path, usually: int = USUAL_OCCURRENCES) -> Iterator[Crashes]:
    """A driver that is ready to crash a workload, a module's name."""
    occurrences = os.environ.get("FLIGHTSERVER_CRASH_OCCURRENCES", str(usually))
    command = [sys.executable, "-m", "tests.flush.crash_driver", workload, str(folder), occurrences]
    process = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        yield Crashes(process, folder)
