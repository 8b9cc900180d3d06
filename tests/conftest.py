"""Settings of all tests: no test is timed, because machines differ; the JVM's tests run in a process of their own.

The longest files come first, so that none is left at the end for one worker while the others have nothing to do.
Processes that tests start keep the modules that they have compiled.
What tests start ends with the process that runs them.

After each test, its server is asked whether a stream is open whose client is gone.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.processes import end_with_this_process

TESTS = Path(__file__).parent

LONGEST = (
    "bench/test_benches.py",
    "test_jdbc.py",
    "sqlalchemy/test_suite.py",
    "sqllogictest/test_sqlite.py",
    "flush/test_crash_points.py",
    "model/test_model.py",
    "model/test_transactions_model.py",
    "oracle/test_instrument.py",
    "fuzz/test_fuzz.py",
    "cli/test_serve.py",
    "transactions/test_crash.py",
    "test_demo.py",
)
"""Files that take more than some seconds, in about the order of what they take; all others follow by name."""

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

JDBC_HERE = "JDBC_HERE"
"""Set, this process collects `tests/jdbc`; else `test_jdbc.py` starts one that does."""

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""
    places = {TESTS / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(LONGEST)))


end_with_this_process()

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
