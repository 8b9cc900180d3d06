"""Results as SQLite's corpus writes them: one value a line, by the type of its column, or the hash of all lines."""

import hashlib
from collections.abc import Sequence
from typing import Any

from tests.faults.records import Query


def agrees(record: Query, rows: Sequence[Sequence[Any]]) -> bool:
    """Tell whether rows are what a record expects."""
    got = values(record, rows)
    want = list(record.expected)
    if len(want) == 1 and " values hashing to " in want[0]:
        return summary(got) == want[0]
    return got == want


def summary(lines: Sequence[str]) -> str:
    """How the corpus writes a long result."""
    digest = hashlib.md5("".join(f"{line}\n" for line in lines).encode(), usedforsecurity=False).hexdigest()
    return f"{len(lines)} values hashing to {digest}"


def values(record: Query, rows: Sequence[Sequence[Any]]) -> list[str]:
    """The values of rows as lines, in the order that the record asks for."""
    written = [[_written(kind, value) for kind, value in zip(record.types, row, strict=True)] for row in rows]
    if record.order == "rowsort":
        written.sort()
    lines = [line for row in written for line in row]
    return sorted(lines) if record.order == "valuesort" else lines


def _written(kind: str, value: Any) -> str:
    if value is None:
        return "NULL"
    match kind:
        case "I":
            return str(int(value))
        case "R":
            return f"{float(value):.3f}"
        case _:
            text = str(value)
            return "".join(letter if " " <= letter <= "~" else "@" for letter in text) if text else "(empty)"
