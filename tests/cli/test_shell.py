"""The shell as a person has it, on a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cli.conftest import Run
from tests.cli.terminal import Terminal


@contextmanager
def shell(environment: dict[str, str]) -> Iterator[Terminal]:
    """A shell that waits for the first statement."""
    with Terminal(environment, "sql") as terminal:
        terminal.expect("flightserver>")
        yield terminal


@pytest.mark.parametrize("word", ["exit", "quit", "exit;"])
def test_words_leave(environment: dict[str, str], word: str):
    """They need neither a backslash nor a semicolon."""
    with shell(environment) as terminal:
        terminal.type(f"{word}\r")
        assert terminal.end() == 0


def test_help_helps(environment: dict[str, str]):
    """The word alone is enough."""
    with shell(environment) as terminal:
        terminal.type("help\r")
        terminal.expect("columns of a table, or all tables")


def test_a_command_stands_within_a_statement(environment: dict[str, str]):
    """It is carried out at once, and the statement goes on behind it."""
    with shell(environment) as terminal:
        terminal.type("SELECT 40 +\r")
        terminal.expect("...>")
        terminal.type("\\timing\r")
        terminal.expect("timing is off")
        terminal.expect("flightserver>")
        terminal.type("2 AS answer;\r")
        terminal.expect("     42")
        terminal.expect("(1 row)")


def test_leaving_within_a_statement(environment: dict[str, str]):
    r"""\q on a later line is no SQL."""
    with shell(environment) as terminal:
        terminal.type("SELECT 1\r")
        terminal.expect("...>")
        terminal.type("\\q\r")
        assert terminal.end() == 0


@pytest.mark.parametrize("keys", [["\x12sel", "\x03\x03"], ["\x12sel", None], ["\x03\x03"], [None, None]])
def test_giving_up_twice(environment: dict[str, str], keys: list[str | None]):
    """Ctrl-C, by key or by signal, in the search or out of it, leads to an empty line and to nothing else."""
    with shell(environment) as terminal:
        terminal.type("SELECT 1 AS one;\r")
        terminal.expect("(1 row, ")
        terminal.expect("flightserver>")
        for key in keys:
            if key is None:
                terminal.interrupt()
            else:
                terminal.type(key)
        shown = terminal.expect("flightserver>")
        terminal.type("\x03SELECT 40 + 2 AS answer;\r")
        shown += terminal.expect("     42")
        assert "Exception" not in shown
        assert "Press ENTER" not in shown


def test_tab_completes(environment: dict[str, str], run: Run):
    """Keywords, tables and columns, by what the server has."""
    assert run("sql", "-c", "CREATE TABLE completed_here (id BIGINT PRIMARY KEY, remarkable INT)").returncode == 0
    with shell(environment) as terminal:
        terminal.type("SELECT count(rem\x1b[D\x1b[C")
        terminal.type(") AS n FROM completed_h\t")
        terminal.expect("ere")
        terminal.type(";\r")
        terminal.expect("rem")
