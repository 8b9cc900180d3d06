"""`flightserver rebuild` on the folder of a stopped server."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.server_process import ServerProcess


@pytest.fixture
def stopped(tmp_path: Path) -> ServerProcess:
    """A server that has stopped after an update and a delete of flushed rows; its manifest is lost."""
    server = ServerProcess(tmp_path / "data")
    with server, server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (id BIGINT PRIMARY KEY, v TEXT)")
        cursor.execute("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')")
        cursor.execute("FLUSH TABLE t")
        cursor.execute("UPDATE t SET v = 'B' WHERE id = 2")
        cursor.execute("DELETE FROM t WHERE id = 3")
        cursor.execute("FLUSH TABLE t")
    next((tmp_path / "data" / "tables").rglob("manifest.json")).unlink()
    return server


def test_a_lost_manifest_is_made_again(stopped: ServerProcess, tmp_path: Path, run: Run) -> None:
    """The server then serves what it served before: the update stays, the deleted row stays deleted."""
    done = run("rebuild", "t", "--data-dir", tmp_path / "data")
    assert "t: 2 live rows in 2 batches" in done.stdout
    with stopped, stopped.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id, v FROM t ORDER BY id")
        assert cursor.fetchall() == [(1, "a"), (2, "B")]


def test_a_folder_in_use_is_refused(stopped: ServerProcess, tmp_path: Path, run: Run) -> None:
    """A running server's manifest is its own."""
    with stopped:
        done = run("rebuild", "t", "--data-dir", tmp_path / "data")
    assert done.returncode == 1
    assert "in use by another process" in done.stderr


def test_an_unknown_table_is_one_line(stopped: ServerProcess, tmp_path: Path, run: Run) -> None:
    """The table is looked up in the catalog, not in the folder."""
    done = run("rebuild", "nowhere.t", "--data-dir", tmp_path / "data")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
