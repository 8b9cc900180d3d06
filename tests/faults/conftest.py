"""One server for the facts of a file; it is started again if one of them ends it."""

from collections.abc import Iterator

import pytest

from tests.e2e.client import Client
from tests.server_process import ServerProcess


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all facts of a file."""
    with ServerProcess(tmp_path_factory.mktemp("faults") / "data") as started:
        yield started


@pytest.fixture
def server(process: ServerProcess) -> ServerProcess:
    """The server, which runs."""
    if not process.is_running:
        process.start()
    return process


@pytest.fixture
def client(server: ServerProcess) -> Iterator[Client]:
    """A session of the test's own."""
    with server.connect() as connection:
        yield Client(connection)


@pytest.fixture
def other(server: ServerProcess) -> Iterator[Client]:
    """Another session."""
    with server.connect() as connection:
        yield Client(connection)
