"""One server for all worlds; it is started again if a statement ends it."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.oracle.run import ANOTHER
from tests.server_process import ServerProcess

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it


@pytest.fixture(scope="package")
def process() -> Iterator[ServerProcess]:
    """A server with another user than the one who asks, on a disk that has nothing to wait for, where there is one.

    Answers are asked for, and not what a power cut leaves: syncs are of no use here.
    """
    where = MEMORY if os.access(MEMORY, os.W_OK) else None
    with (
        tempfile.TemporaryDirectory(dir=where, prefix="oracle") as folder,
        ServerProcess(Path(folder) / "data", users={ANOTHER: "another"}) as started,
    ):
        yield started


@pytest.fixture
def server(process: ServerProcess) -> ServerProcess:
    """The server, which runs."""
    if not process.is_running:
        process.start()
    return process
