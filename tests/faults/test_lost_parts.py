"""A data folder that has lost a part is refused by name: nothing is served without it, deleted or made anew."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.client import Client
from tests.server_process import ServerProcess


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a server left that had a flushed table and a hot one, and was killed after its last answer."""
    with ServerProcess(tmp_path_factory.mktemp("left") / "data") as process:
        with process.connect() as connection:
            client = Client(connection)
            for table in ("cold", "hot"):
                client.run(f"CREATE TABLE {table} (id INT PRIMARY KEY)")
                client.run(f"INSERT INTO {table} VALUES (1), (2), (3)")
            client.run("FLUSH cold")
            client.run("DELETE FROM hot WHERE id = 2")
        process.kill()
        return process.data_dir


@pytest.fixture
def process(left: Path, tmp_path: Path) -> Iterator[ServerProcess]:
    """A server on a copy of that, which does not run."""
    process = ServerProcess(tmp_path / "data")
    shutil.copytree(left, process.data_dir)
    yield process
    process.kill()


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def ids(process: ServerProcess, table: str) -> list[int]:
    """The rows of a table."""
    with process.connect() as connection:
        return Client(connection).column(f"SELECT id FROM {table} ORDER BY id")


def test_a_server_without_its_rocksdb_folder_deletes_no_table(process: ServerProcess, tmp_path: Path) -> None:
    """A partial restore, or a volume that is not mounted, is refused; put back, everything is there."""
    aside = tmp_path / "aside"
    (process.data_dir / "rocksdb").rename(aside)
    before = tree(process.data_dir / "tables")
    assert f"flightserver: {process.data_dir / 'rocksdb'} is missing or empty" in process.refusal()
    assert tree(process.data_dir / "tables") == before
    aside.rename(process.data_dir / "rocksdb")
    process.start()
    assert ids(process, "cold") == [1, 2, 3]
    assert ids(process, "hot") == [1, 3]


def test_a_server_without_its_format_takes_nothing_for_new(process: ServerProcess) -> None:
    """A folder with content and without FORMAT is no folder of the newest format."""
    (process.data_dir / "FORMAT").unlink()
    before = tree(process.data_dir)
    assert "has content and no FORMAT" in process.refusal()
    assert tree(process.data_dir) == before


@pytest.mark.parametrize("damage", ["cut", "zeros", "gone"])
def test_acknowledged_commits_are_not_lost_in_silence(process: ServerProcess, damage: str) -> None:
    """A log that has lost some is refused, with their number and a way out; with that, the rest is served."""
    log = max((process.data_dir / "rocksdb").glob("*.log"), key=lambda path: path.stat().st_size)
    data = log.read_bytes()
    log.unlink() if damage == "gone" else log.write_bytes(data[:-40] + bytes(40 if damage == "zeros" else 0))
    kept = tree(process.data_dir / "rocksdb")
    message = process.refusal()
    assert "--accept-loss" in message
    assert "changes that were acknowledged" in message or "checksum mismatch" in message
    assert "Traceback" not in message
    assert tree(process.data_dir / "rocksdb") == kept
    process.start("--accept-loss")
    if damage == "gone":
        assert list((process.data_dir / "tables").rglob("batch-1.parquet"))
    else:
        assert ids(process, "hot") == [1, 2, 3]
    process.restart()


def test_a_lost_definition_does_not_take_its_files_along(process: ServerProcess) -> None:
    """A table that a restored catalog does not know is kept, and is no part of the next table of its name."""
    before = tree(process.data_dir / "rocksdb")
    process.start()
    with process.connect() as connection:
        client = Client(connection)
        client.run("CREATE TABLE late (id INT PRIMARY KEY)")
        client.run("INSERT INTO late VALUES (7)")
        client.run("FLUSH late")
    process.stop()
    shutil.rmtree(process.data_dir / "rocksdb")
    for name, data in before.items():
        (process.data_dir / "rocksdb" / name).parent.mkdir(exist_ok=True)
        (process.data_dir / "rocksdb" / name).write_bytes(data)
    assert "changes that were acknowledged" in process.refusal()
    process.start("--accept-loss")
    assert "late" in process.log
    assert list((process.data_dir / "tables").rglob("late.*/batch-1.parquet"))
    with process.connect() as connection:
        client = Client(connection)
        client.run("CREATE TABLE late (id INT PRIMARY KEY)")
        assert client.count("late") == 0
