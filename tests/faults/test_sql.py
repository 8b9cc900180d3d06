"""Every block of the files in `sql/` yields what it says, on a real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.client import Client
from tests.faults.records import Block, blocks
from tests.faults.replay import replay
from tests.server_process import ServerProcess

FACTS = [
    pytest.param(block, id=f"{file.stem}-{block.name}")
    for file in sorted((Path(__file__).parent / "sql").glob("*.slt"))
    for block in blocks(file.read_text())
]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all blocks."""
    with ServerProcess(tmp_path_factory.mktemp("faults") / "data") as started:
        yield started


@pytest.fixture
def client(process: ServerProcess) -> Iterator[Client]:
    """A session of the block's own; a server that another block ended is started again."""
    if not process.is_running:
        process.start()
    with process.connect() as connection:
        yield Client(connection)


@pytest.mark.parametrize("block", FACTS)
def test_statements_yield_what_they_must(process: ServerProcess, client: Client, block: Block) -> None:
    """Each statement succeeds or fails as it must, and each query yields its rows."""
    wrong = replay(client, block)
    assert not wrong, "\n".join([block.title, *map(str, wrong)])
    assert process.is_running
