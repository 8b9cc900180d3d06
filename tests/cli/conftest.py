"""A server for all tests of the command line, and a way to run commands against it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from flightserver.__main__ import main
from tests.server_process import ServerProcess

Run = Callable[..., subprocess.CompletedProcess[str]]
"""Runs `flightserver` to its end, with its arguments."""


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server on a folder of its own, without passwords."""
    with ServerProcess(tmp_path_factory.mktemp("cli") / "data") as process:
        yield process


@pytest.fixture(scope="package")
def environment(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What commands find in their environment: the server, this installation, nobody's history."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    state = tmp_path_factory.mktemp("state")
    ours = {"FLIGHTSERVER_URI": server.uri, "PATH": path, "XDG_STATE_HOME": str(state), "TERM": "xterm"}
    return {name: value for name, value in os.environ.items() if not name.startswith("FLIGHTSERVER_")} | ours


@pytest.fixture(scope="package")
def run(environment: dict[str, str]) -> Run:
    """Run `flightserver` to its end."""

    def run_command(*arguments: str | Path, stdin: str = "", **extra: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "flightserver", *map(str, arguments)]
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, env=environment | extra, check=False
        )

    return run_command


@pytest.fixture(scope="package")
def call(environment: dict[str, str]) -> Run:
    """Run `flightserver` to its end inside this process, which is faster."""

    def call_command(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
        done = CliRunner().invoke(main, [*map(str, arguments)], input=stdin, env=environment)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
        return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout_bytes.decode(), done.stderr)

    return call_command
