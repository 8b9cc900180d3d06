"""Reading of sqllogictest files: text in, records out.

Two dialects of the form are read. The facts of this folder are in blocks (`reset NAME title`), each on a namespace of
its own, with whole rows below `----`, their values apart by a blank. SQLite's corpus has no blocks, gives the type of
each column and an order (`query III rowsort`), and then one value a line, or the hash of all of them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

ENDS = {"statement", "query", "reset", "hash-threshold", "halt", "skipif", "onlyif"}
"""Words that begin a record."""


@dataclass(frozen=True)
class Statement:
    """A statement that must succeed, or fail with a message that has `message` in it."""

    line: int
    sql: str
    fails: bool = False
    message: str = ""
    skipped_by: frozenset[str] = frozenset()
    only_for: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Query:
    """A query and the lines that stand below its `----`."""

    line: int
    sql: str
    expected: tuple[str, ...]
    types: str = ""
    order: str = ""
    skipped_by: frozenset[str] = frozenset()
    only_for: frozenset[str] = frozenset()


Record = Statement | Query


@dataclass(frozen=True)
class Block:
    """Records that start on an empty namespace."""

    name: str
    title: str
    records: tuple[Record, ...] = field(default=())


def blocks(text: str) -> list[Block]:
    """The blocks of a file of facts; records before the first `reset` are an error."""
    found: list[tuple[str, str, list[Record]]] = []
    for record in _read(text):
        if isinstance(record, Block):
            found.append((record.name, record.title, []))
        else:
            found[-1][2].append(record)
    return [Block(name, title, tuple(records)) for name, title, records in found]


def records(text: str) -> list[Record]:
    """The records of a file without blocks, up to a `halt`."""
    return [record for record in _read(text) if not isinstance(record, Block)]


def _read(text: str) -> Iterator[Block | Record]:
    """Each `reset` as an empty block, and each record."""
    lines = _Lines(text)
    skipped_by: set[str] = set()
    only_for: set[str] = set()
    for number, line in lines:
        word, *rest = line.split()
        match word:
            case "reset":
                yield Block(rest[0], " ".join(rest[1:]))
            case "skipif" | "onlyif":
                (skipped_by if word == "skipif" else only_for).add(rest[0])
                continue
            case "statement":
                fails, message = rest[0] == "error", " ".join(rest[1:])
                sql = "\n".join(lines.paragraph())
                yield Statement(number, sql, fails, message, frozenset(skipped_by), frozenset(only_for))
            case "query":
                sql = "\n".join(lines.paragraph(stop="----"))
                types, order = (*rest, "", "")[:2]
                expected = tuple(lines.paragraph()) if lines.stopped else ()
                yield Query(number, sql, expected, types, order, frozenset(skipped_by), frozenset(only_for))
            case "halt" if "sqlite" not in skipped_by and not only_for:
                return
            case "halt" | "hash-threshold":
                pass
            case _:
                raise ValueError(f"line {number}: {word!r} begins no record")
        skipped_by.clear()
        only_for.clear()


class _Lines:
    """The lines of a file that are neither empty nor comments, with their numbers."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self._next = 0
        self.stopped = False

    def __iter__(self) -> Iterator[tuple[int, str]]:
        while self._next < len(self._lines):
            line = self._lines[self._next]
            self._next += 1
            if line.strip() and not line.startswith("#"):
                yield self._next, line

    def paragraph(self, stop: str = "") -> Iterable[str]:
        """The lines up to an empty one, to the `stop`, which is passed over, or to the next record."""
        start = self._next
        while self._next < len(self._lines) and self._goes_on(self._lines[self._next], stop):
            self._next += 1
        taken = self._lines[start : self._next]
        self.stopped = bool(stop) and self._next < len(self._lines) and self._lines[self._next] == stop
        self._next += self.stopped
        return taken

    def _goes_on(self, line: str, stop: str) -> bool:
        if not line.strip():
            return False
        return line != stop if stop else not line.startswith("#") and line.split(maxsplit=1)[0] not in ENDS
