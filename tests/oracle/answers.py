"""What a database says to a statement, and when two say the same."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import takewhile
from typing import Any

Value = Any
ResultRow = tuple[Value, ...]

CLOSE = 1e-9
"""Relative difference of numbers that are the same: databases add up in different orders."""


@dataclass(frozen=True)
class Rows:
    """The rows of a query."""

    rows: tuple[ResultRow, ...]


@dataclass(frozen=True)
class Changed:
    """How many rows a change says that it changed, what the table holds then, and the rows that it gave back."""

    count: int
    rows: tuple[ResultRow, ...]
    returned: tuple[ResultRow, ...] = ()


@dataclass(frozen=True)
class Done:
    """Something without rows."""


@dataclass(frozen=True)
class Failed:
    """An error; `head` are the words that tell its kind."""

    message: str

    @property
    def head(self) -> str:
        """The words in front of the first name or value."""
        words = self.message.replace("[FlightSQL]", "").split()[:6]
        return " ".join(takewhile(lambda word: word.removesuffix(":").replace("_", "").isalpha(), words))


Answer = Rows | Changed | Done | Failed


def same(ours: Answer, theirs: Answer, *, ordered: bool) -> bool:
    """Tell whether two answers are the same; of errors it is enough that there are two."""
    match ours, theirs:
        case Rows(), Rows():
            return same_rows(ours.rows, theirs.rows, ordered=ordered)
        case Changed(), Changed():
            is_same = same_rows(ours.returned, theirs.returned, ordered=False)
            return is_same and ours.count == theirs.count and same_rows(ours.rows, theirs.rows, ordered=False)
        case _:
            return type(ours) is type(theirs)


def same_rows(ours: Sequence[ResultRow], theirs: Sequence[ResultRow], *, ordered: bool) -> bool:
    """Tell whether two results have the same rows, in the same order or in any."""
    if len(ours) != len(theirs):
        return False
    if not ordered:
        ours, theirs = sorted(ours, key=rank), sorted(theirs, key=rank)
    return all(map(_same_row, ours, theirs))


def plain(rows: Iterable[Sequence[Value]]) -> tuple[ResultRow, ...]:
    """Rows with the plainest Python value for each: no pandas, no negative zero, no trailing zeros."""
    return tuple(tuple(map(_plain, row)) for row in rows)


def _plain(value: Value) -> Value:
    match value:
        case bool() | None:
            return value
        case datetime():
            return datetime(*value.timetuple()[:6], value.microsecond)
        case Decimal():
            return int(value) if value == value.to_integral_value() else value
        case float() if value.is_integer() and abs(value) < 2**53:
            return int(value)
        case list():
            return tuple(map(_plain, value))
        case _:
            return value


def rank(row: ResultRow) -> tuple[Any, ...]:
    """A place in an order of rows of any values, in which numbers that are close are beside each other."""
    return tuple(_rank(value) for value in row)


def _rank(value: Value) -> tuple[int, Any]:
    match value:
        case None:
            return 0, 0
        case bool():
            return 1, value
        case float() if math.isnan(value):
            return 3, 0
        case int() | float() | Decimal():
            return 2, float(f"{float(value):.8g}")
        case datetime():
            return 4, value.isoformat()
        case date():
            return 5, value.isoformat()
        case tuple():
            return 6, rank(value)
        case _:
            return 7, str(value)


def _same_row(ours: ResultRow, theirs: ResultRow) -> bool:
    return len(ours) == len(theirs) and all(map(_same_value, ours, theirs))


def _same_value(ours: Value, theirs: Value) -> bool:
    if _rank(ours)[0] != _rank(theirs)[0]:
        return False
    if isinstance(ours, float) or isinstance(theirs, float):
        return ours == theirs or (ours != ours and theirs != theirs) or math.isclose(ours, theirs, rel_tol=CLOSE)  # noqa: PLR0124
    return bool(ours == theirs)
