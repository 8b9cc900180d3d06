"""The facts of `tests/jdbc`, in a process of their own: a JVM and the runtime of ADBC want the same signals."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import JDBC_HERE
from tests.jdbc.driver import missing

RUN = """
import os, sys, pytest
code = pytest.main(["tests/jdbc", "-q", "-p", "no:cacheprovider", "-p", "no:faulthandler"])
sys.stdout.flush()
os._exit(code)
"""
"""Ends with the last report: threads of the JVM that are left over may crash an interpreter that takes itself down.

A JVM handles SIGSEGV for itself; pytest's faulthandler takes the handler away when it ends, before the process does.
"""


@pytest.mark.timeout(3600)  # for a whole folder of tests, each of which has its own
@pytest.mark.skipif(missing() is not None, reason=f"{missing()}")
def test_the_jdbc_driver_is_served() -> None:
    """Every test of the folder passes; `JDBC_HERE=1 pytest tests/jdbc` runs them by themselves."""
    command = [sys.executable, "-c", RUN]
    run = subprocess.run(
        command,
        cwd=Path(__file__).parents[1],
        env={**os.environ, JDBC_HERE: "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
