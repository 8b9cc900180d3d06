"""Cuts what a person or a file says into statements and backslash commands.

A backslash command goes from the first letter of a line, or from behind a `;`, to the end of its line. It may stand in
the middle of a statement, which goes on behind it, but not in a string, a quoted name or a comment.
"""

import io
from dataclasses import dataclass
from typing import NamedTuple

from catalog.errors import DatabaseError
from flightserver.sql.text.tokens import tokenize

WORDS = {"exit": "\\q", "quit": "\\q", "help": "\\?"}
"""What people type who do not know the commands, alone, as a statement would stand."""


@dataclass(frozen=True)
class Item:
    """A statement without its `;`, or a backslash command, and the line on which it starts."""

    text: str
    line: int

    @property
    def is_meta(self) -> bool:
        """Tell whether this is for the shell and not for the server."""
        return self.text.startswith("\\")


class Cut(NamedTuple):
    """What can be run, in order, and the text of a statement that is begun and not ended."""

    items: list[Item]
    rest: str


def items(script: str) -> list[Item]:
    """The items of a whole script, whose last statement may lack its `;`."""
    return cut(script + "\n;").items


def cut(text: str) -> Cut:
    """Cut text that may go on."""
    found: list[Item] = []
    begun, first_line = "", 1
    for number, line in enumerate(io.StringIO(text), start=1):
        before, backslash, behind = line.partition("\\")
        if backslash and _may_command(begun, before):
            statements, begun, first_line = _statements(begun + before, first_line)
            found += [*statements, Item(f"\\{behind.strip()}", number)]
            begun += "\n"
        else:
            begun += line
    statements, begun, first_line = _statements(begun, first_line)
    found += statements
    if begun.strip().lower() in WORDS:
        return Cut([*found, Item(WORDS[begun.strip().lower()], first_line)], "")
    return Cut(found, begun if begun.strip() else "")


def is_sendable(text: str) -> bool:
    """Tell whether Enter sends the text instead of beginning another line.

    Nothing may be begun that goes on, unless the last line is a backslash command. An open string or comment is sent by
    an empty line.
    """
    if text.strip().rstrip("; ").lower() in WORDS:
        return True
    begun, _, last = text.rpartition("\n")
    before, backslash, _ = last.partition("\\")
    if backslash and _may_command(f"{begun}\n", before):
        return True
    try:
        return _is_complete(text)
    except DatabaseError:
        return text.endswith("\n\n")


def _may_command(begun: str, before: str) -> bool:
    """Tell whether a backslash begins a command, with `before` on its line and `begun` on the lines above."""
    if before.strip() and not before.rstrip().endswith(";"):
        return False
    try:
        tokens = tokenize(begun + before)
    except DatabaseError:  # within a string or a comment
        return False
    return not before.strip() or tokens[-1].key == ";"


def _is_complete(text: str) -> bool:
    tokens = tokenize(text)
    return not tokens or tokens[-1].key == ";"


def _statements(text: str, first_line: int) -> tuple[list[Item], str, int]:
    """The statements that are ended, the text behind them, and the line on which that begins."""
    ended: list[Item] = []
    first: int | None = None
    last = rest = counted = 0
    line = first_line
    for token in tokenize(text):
        if token.key != ";":
            first = token.start if first is None else first
            last = token.end
            continue
        if first is not None:
            line, counted = line + text.count("\n", counted, first), first
            statement = text[first:last]
            ended.append(Item(WORDS.get(statement.lower(), statement), line))
        first, rest = None, token.end
    return ended, text[rest:], line + text.count("\n", counted, rest)
