"""Settings of all tests: no test is timed, because machines differ; the JVM's tests run in a process of their own.

After each test, its server is asked whether a stream is open whose client is gone.
"""

import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

JDBC_HERE = "JDBC_HERE"
"""Set, this process collects `tests/jdbc`; else `test_jdbc.py` starts one that does."""

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

collect_ignore = [] if os.environ.get(JDBC_HERE) else ["jdbc"]


@pytest.fixture(autouse=True)
def no_stream_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Clients are gone when a test has ended, and so are their streams."""
    yield
    servers = sys.modules.get("tests.server_process")
    if servers is not None:
        used = [found for found in request.node.funcargs.values() if isinstance(found, servers.ServerProcess)]
        for process in used:
            if process.is_running:
                process.check_no_stream_is_left()
