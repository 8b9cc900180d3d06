"""How text is cut into statements and backslash commands, and when Enter sends it."""

import pytest

from flightserver.cli.shell.script import Cut, Item, cut, is_sendable, items


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("SELECT 1;\nSELECT 2", [("SELECT 1", 1), ("SELECT 2", 2)]),
        ("SELECT 1;;\n\n SELECT ';' ; -- end;", [("SELECT 1", 1), ("SELECT ';'", 3)]),
        ("\\d t\nSELECT 1;", [("\\d t", 1), ("SELECT 1", 2)]),
        ("SELECT 1;\\timing\nSELECT 2", [("SELECT 1", 1), ("\\timing", 1), ("SELECT 2", 2)]),
        ("  \\d it's\nSELECT 1", [("\\d it's", 1), ("SELECT 1", 2)]),
        ("SELECT 1\n\\timing\n;", [("\\timing", 2), ("SELECT 1", 1)]),
        ("SELECT '\n\\d\n'", [("SELECT '\n\\d\n'", 1)]),
        ("/*\n\\d\n*/SELECT 1", [("SELECT 1", 3)]),
        ("SELECT E'\\n'", [("SELECT E'\\n'", 1)]),
        ("SELECT 1 \\g", [("SELECT 1 \\g", 1)]),
        ("exit", [("\\q", 1)]),
        ("SELECT 1;\nQUIT;\nhelp", [("SELECT 1", 1), ("\\q", 2), ("\\?", 3)]),
        ("", []),
    ],
)
def test_a_script_is_cut(text: str, found: list[tuple[str, int]]):
    """Commands begin where nothing but a statement is begun, and statements know their lines."""
    assert [(item.text, item.line) for item in items(text)] == found


def test_what_is_unfinished_goes_on():
    """A command within a statement leaves the statement to be ended."""
    assert cut("SELECT 1;\nSELECT 2\n\\timing") == Cut([Item("SELECT 1", 1), Item("\\timing", 3)], "\nSELECT 2\n\n")


@pytest.mark.parametrize(
    "text",
    ["", "SELECT 1;", "\\d", "exit", " Quit; ", "help", "SELECT 1\n\\timing", "SELECT 1; \\q", "SELECT 'x\n\n"],
)
def test_enter_sends(text: str):
    """What is complete, a command on its last line, a word that leaves, and an open string before an empty line."""
    assert is_sendable(text)


@pytest.mark.parametrize("text", ["SELECT 1", "SELECT 'x;", "SELECT '\n\\q", "SELECT 1; SELECT", "exit now"])
def test_enter_begins_another_line(text: str):
    """As long as a statement is not ended."""
    assert not is_sendable(text)
