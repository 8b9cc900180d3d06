"""DEFAULT where a value may stand in VALUES: which cells say so, and the rows without them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from catalog.errors import DatabaseError, ErrorKind
from flightserver.sql.text.query_text import QueryText
from flightserver.sql.text.tokens import Token, depth_change


@dataclass(frozen=True)
class _Cell:
    """A value of a row of VALUES: its tokens from `start` to before `end`."""

    start: int
    end: int
    is_default: bool


def has_default_cell(source: QueryText) -> bool:
    """Tell whether a source of rows is VALUES with a DEFAULT for a value. Most texts tell without their tokens."""
    tokens = source.tokens
    if tokens[0].key != "VALUES" or "default" not in source.lower():
        return False
    neighbours = zip(tokens, tokens[1:], tokens[2:], strict=False)
    return any(
        token.key == "DEFAULT" and before.key in {"(", ","} and after.key in {")", ","}
        for before, token, after in neighbours
    )


def without_defaults(source: QueryText, width: int, default_of: Callable[[int], str]) -> tuple[list[int], QueryText]:
    """VALUES of rows of `width` without DEFAULT: which of its columns are left, and the rows with these.

    A column that says DEFAULT in every row is left out, unless there would be none left. Elsewhere it is written out
    as `default_of` a column has it, which may raise. INVALID for rows of another width.
    """
    rows, end = _rows(source.tokens)
    other = next((len(row) for row in rows if len(row) != width), width)
    if other != width:
        raise DatabaseError(ErrorKind.INVALID, f"INSERT names {width} columns, VALUES has {other}")
    left = [column for column in range(width) if not all(row[column].is_default for row in rows)]
    if not left:
        left = [0]
    parts: list[str] = ["VALUES "]
    for number, row in enumerate(rows):
        parts.append(", (" if number else "(")
        for place, column in enumerate(left):
            cell = row[column]
            parts.append(", " if place else "")
            parts.append(default_of(column) if cell.is_default else source.part(cell.start, cell.end))
        parts.append(")")
    parts += [" ", source.part(end, len(source.tokens))] if end < len(source.tokens) else []
    return left, QueryText.joined(filter(None, parts))


def _rows(tokens: Sequence[Token]) -> tuple[list[list[_Cell]], int]:
    """The rows behind VALUES, and the place behind the last."""
    rows: list[list[_Cell]] = []
    place = 1
    while place < len(tokens) and tokens[place].key == "(":
        row, place = _row(tokens, place)
        rows.append(row)
        if place >= len(tokens) or tokens[place].key != ",":
            break
        place += 1
    return rows, place


def _row(tokens: Sequence[Token], place: int) -> tuple[list[_Cell], int]:
    """The cells of a row that opens here, and the place behind it."""
    cells: list[_Cell] = []
    start, depth = place + 1, 0
    for here in range(place, len(tokens)):
        depth += depth_change(tokens[here])
        if (tokens[here].key == "," and depth == 1) or depth == 0:
            cells.append(_Cell(start, here, here == start + 1 and tokens[start].key == "DEFAULT"))
            start = here + 1
        if depth == 0:
            return cells, here + 1
    return cells, len(tokens)
