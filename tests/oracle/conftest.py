"""One server for all worlds; it is started again if a statement ends it."""

from collections.abc import Iterator

import pytest

from tests.oracle.run import ANOTHER
from tests.server_process import ServerProcess


@pytest.fixture(scope="package")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with another user than the one who asks."""
    with ServerProcess(tmp_path_factory.mktemp("oracle") / "data", users={ANOTHER: "another"}) as started:
        yield started


@pytest.fixture
def server(process: ServerProcess) -> ServerProcess:
    """The server, which runs."""
    if not process.is_running:
        process.start()
    return process
