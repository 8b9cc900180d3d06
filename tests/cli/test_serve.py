"""The server as a process: how it starts, what it refuses, how it ends, who may log in."""

import ctypes
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.server_process import ServerProcess

SELDOM = ("sqlglot", "jwt", "cryptography", "pyspark")
HEAVY = ("adbc_driver_manager", "adbc_driver_flightsql", "prompt_toolkit", "rich")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that wants passwords."""
    with ServerProcess(tmp_path_factory.mktemp("guarded") / "data", users={"alice": "wonder"}, dev=False) as process:
        yield process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ready_line_free_port_and_clean_end(tmp_path: Path, number: signal.Signals):
    """One line names the address, port 0 picks a port that answers, and a signal ends the process with 0."""
    process = ServerProcess(tmp_path / "data")
    process.start()
    try:
        assert process.uri.startswith("grpc://127.0.0.1:")
        assert int(process.uri.rpartition(":")[2]) > 0
        with process.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        assert process.stop(number) == 0
    finally:
        process.kill()


def test_a_signal_that_another_thread_gets_ends_the_server(tmp_path: Path) -> None:
    """The kernel may hand SIGTERM to any thread of the process; it ends all the same."""
    with ServerProcess(tmp_path / "data") as process:
        threads = {int(entry.name) for entry in Path(f"/proc/{process.pid}/task").iterdir()}
        other = max(threads - {process.pid})
        assert ctypes.CDLL(None).tgkill(process.pid, other, signal.SIGTERM) == 0
        assert process.ended() == 0


def test_dev_refuses_other_hosts(call: Run, tmp_path: Path):
    """--dev lets anybody in, so it binds to loopback only."""
    done = call("serve", "--dev", "--host", "0.0.0.0", "--data-dir", tmp_path / "data")  # noqa: S104 - it is refused
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "flightserver: --dev lets anybody in, so it binds to 127.0.0.1 only\n"


def test_nobody_could_log_in(call: Run, tmp_path: Path):
    """Without users and without --dev there is no point in starting."""
    done = call("serve", "--data-dir", tmp_path / "data")
    assert done.returncode == 1
    assert done.stderr.startswith("flightserver: nobody could log in: ")


def test_folder_in_use_is_refused(call: Run, server: ServerProcess):
    """Two servers cannot share a folder."""
    done = call("serve", "--dev", "--port", "0", "--data-dir", server.data_dir)
    assert done.returncode == 1
    assert "is in use by another process; stop it or choose another folder" in done.stderr


def test_port_in_use_is_refused(run: Run, server: ServerProcess, tmp_path: Path):
    """One line, and not what the library says."""
    port = server.uri.rpartition(":")[2]
    done = run("serve", "--dev", "--port", port, "--data-dir", tmp_path / "data")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"flightserver: cannot listen on 127.0.0.1:{port}: its port is in use, or its host is" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="no IPv6 on this machine")
def test_an_address_of_ipv6_is_printed_as_one(tmp_path: Path):
    """In brackets, as clients want it."""
    with ServerProcess(tmp_path / "data", settings={"host": "::1"}) as process:
        assert process.uri.startswith("grpc://[::1]:")
        with process.connect() as connection, connection.cursor() as cursor:
            assert cursor.execute("SELECT 1").fetchall() == [(1,)]


def test_newer_format_is_refused(call: Run, tmp_path: Path):
    """A folder of a later version is left alone."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "FORMAT").write_text(json.dumps({"format": 999}))
    done = call("serve", "--dev", "--port", "0", "--data-dir", folder)
    assert done.returncode == 1
    assert "has format 999" in done.stderr
    assert {path.name for path in folder.iterdir()} <= {"FORMAT", "LOCK"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour = 'blue'\n", "settings: there is no colour (file "),
        ("port = 'many'\n", "must be a whole number from 0 to 65535"),
        ("port = \n", "is not TOML: "),
    ],
)
def test_settings_file_with_a_fault_is_refused(call: Run, tmp_path: Path, text: str, message: str):
    """An unknown key, a wrong value and broken TOML are named."""
    (tmp_path / "server.toml").write_text(text)
    done = call("serve", "--dev", "--config", tmp_path / "server.toml", "--data-dir", tmp_path / "data")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert message in done.stderr


def test_missing_settings_file_is_refused(call: Run, tmp_path: Path):
    """A settings file that is not there is named."""
    done = call("serve", "--dev", "--config", tmp_path / "none.toml")
    assert done.returncode == 1
    assert "none.toml cannot be read: No such file or directory" in done.stderr


def test_right_password_is_let_in(run: Run, guarded: ServerProcess):
    """A user with the right password may ask."""
    done = run("sql", "--uri", guarded.uri, "--user", "alice", "-c", "SELECT 1", FLIGHTSERVER_PASSWORD="wonder")
    assert done.returncode == 0, done.stderr


def test_wrong_password_is_refused(call: Run, guarded: ServerProcess):
    """A wrong password is said to be wrong, without saying whether the user exists."""
    done = call("sql", "--uri", guarded.uri, "--user", "alice", "--password", "x", "-c", "SELECT 1")
    assert (done.returncode, done.stderr) == (1, "flightserver: the user name or password is wrong\n")


def test_nobody_gets_in_without_credentials(call: Run, guarded: ServerProcess):
    """Without --dev a client has to log in."""
    done = call("sql", "--uri", guarded.uri, "-c", "SELECT 1")
    assert done.returncode == 1
    assert "log in with a user name and password" in done.stderr


def test_password_needs_user(call: Run):
    """A password without a user is a mistake on the command line."""
    assert call("sql", "--password", "x", "-c", "SELECT 1").returncode == 2


def test_the_first_user_is_made_on_the_command_line(call: Run, tmp_path: Path):
    """With a password of standard input, which is not shown; then the server starts and lets the user in."""
    data = tmp_path / "data"
    done = call("user", "add", "ann", "--role", "system", "--data-dir", data, "--password-stdin", stdin="long enough\n")
    assert (done.returncode, done.stdout) == (0, "ann can log in, with the role system\n")
    with ServerProcess(data, dev=False) as process:
        done = call("sql", "--uri", process.uri, "--user", "ann", "--password", "long enough", "-c", "SELECT 41 + 1")
        assert "42" in done.stdout
        done = call("user", "add", "ben", "--data-dir", data, "--password-stdin", stdin="long enough\n")
        assert "is in use by another process" in done.stderr


def test_a_user_who_is_there_is_not_added_again(call: Run, tmp_path: Path):
    """Nor is one with a short password, or with none."""
    add = ("user", "add", "ann", "--data-dir", tmp_path / "data", "--password-stdin")
    assert "a password must have 8 to 1024 characters" in call(*add, stdin="short\n").stderr
    assert "there is no password on standard input" in call(*add, stdin="").stderr
    assert call(*add, stdin="long enough\n").returncode == 0
    assert "user ann exists already" in call(*add, stdin="long enough\n").stderr


def test_an_installation_names_a_file_with_the_first_password(
    call: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The user root is made of it where there are no users yet."""
    secret = tmp_path / "secret"
    secret.write_text("of the file\n")
    monkeypatch.setenv("FLIGHTSERVER_ROOT_PASSWORD_FILE", str(secret))
    with ServerProcess(tmp_path / "data", dev=False) as process:
        command = ("sql", "--uri", process.uri, "--user", "root", "--password", "of the file", "-c")
        assert "system" in call(*command, "SELECT role FROM system.users").stdout
        call(*command, "ALTER USER root SET PASSWORD 'of the statement'")
        process.restart()
        assert call(*command, "SELECT 1").returncode == 1


def test_server_loads_nothing_of_the_client_and_nothing_that_few_need():
    """Serving imports neither the driver nor the line editor, nor what reads defaults and tokens of others."""
    program = f"""
import sys, flightserver.__main__, flightserver.app
print([name for name in {(*HEAVY, *SELDOM)!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_server_does_without_pandas(server: ServerProcess):
    """Which pyarrow would load, wherever it is."""
    assert "/pandas/" not in Path(f"/proc/{server.pid}/maps").read_text()


def test_client_loads_nothing_of_the_server():
    """The shell starts without the engine and the store."""
    program = """
import sys, flightserver.__main__, flightserver.cli.sql, flightserver.cli.load
print([name for name in ("datafusion", "rocksdict", "flightserver.app") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
