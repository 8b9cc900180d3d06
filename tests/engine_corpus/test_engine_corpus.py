"""Nothing that the bare engine answers is answered otherwise by the server, and what is refused has a reason.

`FLIGHTSERVER_SQLLOGICTEST=all` asks all files, else a few are asked. Without the files there is nothing to ask.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine_corpus.corpus import HOW_TO, files
from tests.engine_corpus.explained import is_explained
from tests.engine_corpus.replay import replayed
from tests.server_process import ServerProcess

pytestmark = [
    pytest.mark.proof,
    pytest.mark.skipif(not files(), reason=f"DataFusion's test files are not here: {HOW_TO}"),
]

ALL = os.environ.get("FLIGHTSERVER_SQLLOGICTEST") == "all"
SAMPLE = {"coalesce.slt", "subquery.slt", "union.slt"}
SHOWN = 5


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all files."""
    with ServerProcess(tmp_path_factory.mktemp("engine_corpus") / "data") as process:
        yield process


@pytest.mark.parametrize("file", [file for file in files() if ALL or file.name in SAMPLE], ids=lambda file: file.stem)
def test_records_come_out_as_from_the_engine(
    server: ServerProcess, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the rows are hot, in files, or half of them in files. Files that the engine writes go to a folder."""
    monkeypatch.chdir(tmp_path)
    wrong = [outcome for outcome in replayed(server, file) if not is_explained(outcome)]
    assert not wrong, "\n".join([f"{len(wrong)} records", *map(str, wrong[:SHOWN])])
    assert server.is_running
