"""Every block of the files in `sql/` yields what it says, on a real server."""

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


@pytest.mark.parametrize("block", FACTS)
def test_statements_yield_what_they_must(server: ServerProcess, client: Client, block: Block) -> None:
    """Each statement succeeds or fails as it must, and each query yields its rows."""
    wrong = replay(client, block)
    assert not wrong, "\n".join([block.title, *map(str, wrong)])
    assert server.is_running
