"""Rows in pieces of a bounded size.

What is joined is bounded in bytes, not only in rows: Arrow holds 2 GiB of text in one array, refuses some operations on
more and goes wrong in others, and whatever is joined takes its memory twice.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

import pyarrow as pa

JOINED_BYTES_MAX = 1 << 30
"""Rows that are brought into one piece, to be sorted or searched, take at most this; one row may be larger."""


class HasBytes(Protocol):
    """What takes memory."""

    @property
    def nbytes(self) -> int:
        """How much."""


Sized = TypeVar("Sized", bound=HasBytes)


def cuts(rows: pa.Table, rows_max: int, bytes_max: int) -> Iterator[tuple[int, int]]:
    """Start and number of rows of consecutive pieces, each within the limits or a single row."""
    if rows.num_rows <= rows_max and rows.nbytes <= bytes_max:
        if rows.num_rows:
            yield 0, rows.num_rows
        return
    for start in range(0, rows.num_rows, rows_max):
        yield from _cut(rows, start, min(rows_max, rows.num_rows - start), bytes_max)


def pieces(rows: pa.Table, rows_max: int, bytes_max: int) -> Iterator[pa.Table]:
    """The rows in such pieces."""
    for start, count in cuts(rows, rows_max, bytes_max):
        yield rows if count == rows.num_rows else rows.slice(start, count)


def together(batches: Iterable[Sized], bytes_max: int) -> Iterator[list[Sized]]:
    """Neighbouring batches as long as all of them may be joined; one that is larger stands alone."""
    found: list[Sized] = []
    size = 0
    for batch in batches:
        if found and size + batch.nbytes > bytes_max:
            yield found
            found, size = [], 0
        found.append(batch)
        size += batch.nbytes
    if found:
        yield found


def _cut(rows: pa.Table, start: int, count: int, bytes_max: int) -> Iterator[tuple[int, int]]:
    if count <= 1 or rows.slice(start, count).nbytes <= bytes_max:
        yield start, count
        return
    half = count // 2
    yield from _cut(rows, start, half, bytes_max)
    yield from _cut(rows, start + half, count - half, bytes_max)
