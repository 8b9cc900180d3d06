"""The files of DataFusion's sqllogictest crate, where cargo keeps them, and the records of a file.

A record is a paragraph: a word that says what it is, the statement, and below `----` what is expected. That is not
read: what the engine of this version says is asked of the engine itself.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

VERSION = "55.2.0"
CRATE = f"datafusion-sqllogictest-{VERSION}"
HOW_TO = f"`cargo info datafusion-sqllogictest@{VERSION}` fetches them"

_INCLUDE = re.compile(r"^include +(\S+) *$", re.MULTILINE)
_PARAGRAPHS = re.compile(r"\n[ \t]*\n")
_FOR_OTHERS = ("onlyif postgres", "skipif datafusion")
_KINDS = ("statement", "query")
_DEADLY = "MAKE_MAP()"
"""A map whose only key is NULL: Arrow ends the process that reads it."""


@dataclass(frozen=True)
class Record:
    """A statement or query, and where it stands among the paragraphs of its file."""

    number: int
    sql: str
    asks: bool
    """For rows."""
    fails: bool
    """As it must."""


def folder() -> Path | None:
    """Where cargo keeps the files of the crate, if it has fetched it."""
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    return next(iter(sorted(home.glob(f"registry/src/*/{CRATE}/test_files"))), None)


def files() -> list[Path]:
    """All files, in the order of their names; none where the crate is not."""
    found = folder()
    return sorted(found.rglob("*.slt")) if found else []


def read(file: Path) -> list[Record]:
    """The records of a file and of those that it includes, but for those that are meant for other databases."""
    return list(_records(_with_included(file)))


def _records(text: str) -> Iterator[Record]:
    for number, paragraph in enumerate(_PARAGRAPHS.split(text)):
        lines = [line for line in paragraph.strip("\n").split("\n") if not line.startswith("#")]
        while lines and not lines[0].startswith(_KINDS):
            if lines.pop(0).startswith(_FOR_OTHERS):
                lines.clear()
        if lines and _DEADLY not in paragraph:
            head, *rest = lines
            sql = "\n".join(takewhile(lambda line: line != "----", rest)).strip().rstrip(";")
            fails = head.split()[1:2] == ["error"]
            yield Record(number, sql, head.startswith("query") and not fails, fails)


def _with_included(file: Path) -> str:
    return _INCLUDE.sub(lambda found: "\n\n".join(_included(file, found[1])), file.read_text())


def _included(file: Path, pattern: str) -> Iterator[str]:
    for part in sorted(file.parent.glob(pattern)):
        yield _with_included(part)
