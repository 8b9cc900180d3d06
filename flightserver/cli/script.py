"""Cuts what a person or a file says into statements and backslash commands."""

from collections.abc import Iterator
from dataclasses import dataclass

from catalog.errors import DatabaseError
from flightserver.sql.parser import split_script
from flightserver.sql.text.tokens import tokenize


@dataclass(frozen=True)
class Item:
    """A statement without its `;`, or a backslash command, and the line on which it starts."""

    text: str
    line: int

    @property
    def is_meta(self) -> bool:
        """Tell whether this is for the shell and not for the server."""
        return self.text.startswith("\\")


def items(script: str) -> Iterator[Item]:
    """The items of a script. A backslash command is a line of its own between statements."""
    pending: list[str] = []
    first_line = 1
    for number, line in enumerate(script.splitlines(keepends=True), start=1):
        if line.startswith("\\") and is_complete("".join(pending)):
            yield from _statements("".join(pending), first_line)
            yield Item(line.strip(), number)
            pending, first_line = [], number + 1
        else:
            pending.append(line)
    yield from _statements("".join(pending), first_line)


def is_complete(text: str) -> bool:
    """Tell whether nothing is begun and not ended: the text is empty, or its last token is a `;`."""
    try:
        tokens = tokenize(text)
    except DatabaseError:  # an open string or comment; an empty line at the end sends the text as it is
        return text.endswith("\n\n")
    return not tokens or tokens[-1].key == ";"


def _statements(text: str, first_line: int) -> Iterator[Item]:
    position = 0
    for statement in split_script(text):
        position = text.index(statement, position)
        yield Item(statement, first_line + text.count("\n", 0, position))
        position += len(statement)
