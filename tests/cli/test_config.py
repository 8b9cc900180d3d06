"""`flightserver config`: what a server runs with, beside it and without it."""

from pathlib import Path

from tests.cli.conftest import Run
from tests.server_process import ServerProcess


def tell(server: ServerProcess, sql: str) -> list[tuple[object, ...]]:
    """Run a statement; return its result."""
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


def test_the_command_line_tells_what_holds(call: Run, server: ServerProcess, tmp_path: Path) -> None:
    """Beside the server that runs, what ALTER SYSTEM has set included."""
    tell(server, "ALTER SYSTEM SET queue_wait_s = 3")
    (tmp_path / "f.toml").write_text("queue_max = 5\n")
    options = ("--config", tmp_path / "f.toml", "--data-dir", server.data_dir)
    lines = call("config", *options).stdout.splitlines()
    assert f"queue_max = 5  # file {tmp_path / 'f.toml'}" in lines
    assert "queue_wait_s = 3.0  # ALTER SYSTEM" in lines
    assert "port = 31337" in lines
    explained = call("config", *options, "--explain", "queue_wait_s").stdout
    assert "source   ALTER SYSTEM" in explained
    assert "allowed  a number from 0 on" in explained
    assert "changes  while the server runs" in explained
    assert "did you mean port" in call("config", "--explain", "prot").stderr


def test_what_was_set_is_taken_back_without_a_server(call: Run, tmp_path: Path) -> None:
    """For a setting that lets nobody in."""
    with ServerProcess(tmp_path / "data") as server:
        tell(server, "ALTER SYSTEM SET sessions_max = 9")
        assert "is in use" in call("config", "--reset", "sessions_max", "--data-dir", tmp_path / "data").stderr
        server.stop()
        assert call("config", "--reset", "sessions_max", "--data-dir", tmp_path / "data").returncode == 0
        server.start()
        assert tell(server, "SELECT value FROM system.settings WHERE key = 'sessions_max'") == [("10000",)]
