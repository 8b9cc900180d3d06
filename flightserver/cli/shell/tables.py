"""Results for people: tables with a line for every row or, expanded, with a line for every column.

On a terminal a table fits its width: long texts are cut, but numbers and moments are not, and no text is cut to less
than can be read. A result that does not fit even so is expanded, unless that is switched off.
NULL is written without quotes; a text that looks like it has some.
"""

import itertools
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
from rich.cells import cell_len, set_cell_size
from rich.console import Console

from flightserver.cli.printable import printable
from flightserver.cli.shell.formats import Expanded, Written
from flightserver.cli.values.written import is_bare, is_number, texts

WINDOW_ROWS = 1_000
"""Column widths of a table are those of this many rows from the top."""
TEXT_WIDTH_MIN = 16
"""No text is cut to less than this to make room for other columns."""
PLAN_COLUMNS = ["plan_type", "plan"]
_LIKE_NULL = re.compile(r"'*NULL'*")
_NULL = "NULL"


class TableWriter:
    """Tables. `rows_max` limits the rows of each."""

    def __init__(self, console: Console, rows_max: int | None) -> None:
        self._console = console
        self._rows_max = rows_max
        self._null = f"\x1b[2m{_NULL}\x1b[0m" if console.color_system else _NULL
        self.expanded = Expanded.AUTO if console.is_terminal else Expanded.OFF

    def write(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Written:
        """Write a result."""
        if schema.names == PLAN_COLUMNS:
            return self._plans(batches)
        first, rest = _window(batches)
        layout = _layout(schema, first, self._console.width if self._console.is_terminal else None)
        is_expanded = self.expanded is Expanded.ON or (self.expanded is Expanded.AUTO and not layout.is_whole)
        if not is_expanded:
            self._header(schema, layout)
        shown = 0
        for batch in itertools.chain(first, rest):
            room = batch.num_rows if self._rows_max is None else min(batch.num_rows, self._rows_max - shown)
            part = batch.slice(0, room)
            if is_expanded:
                self._records(part, shown)
            else:
                self._rows(part, layout)
            shown += room
            if room < batch.num_rows:
                return Written(shown, is_cut=True, note="" if is_expanded else layout.note)
        return Written(shown, note="" if is_expanded else layout.note)

    def _plans(self, batches: Iterable[pa.RecordBatch]) -> Written:
        """EXPLAIN: plans are trees of long lines, which a table would spoil."""
        rows = 0
        for batch in batches:
            for kind, plan in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                lines = [printable(line) for line in (plan or "").rstrip("\n").split("\n")]
                self._console.print(kind, style="bold", highlight=False)
                sys.stdout.writelines(f"  {line}\n" for line in lines)
            rows += batch.num_rows
        return Written(rows)

    def _header(self, schema: pa.Schema, layout: "_Layout") -> None:
        names = [printable(name) for name in schema.names[: len(layout.widths)]]
        cells = [_fit(name, width, right=False, cut=True) for name, width in zip(names, layout.widths, strict=True)]
        line = " │ ".join(cells).rstrip()
        self._console.print(f" {line}", style="bold", markup=False, highlight=False, soft_wrap=True)
        sys.stdout.write("─┼─".join("─" * width for width in layout.widths).join(("─", "─\n")))

    def _rows(self, batch: pa.RecordBatch, layout: "_Layout") -> None:
        columns = [self._cells(batch.column(i), layout, i) for i in range(len(layout.widths))]
        sys.stdout.writelines(f" {' │ '.join(cells).rstrip()}\n" for cells in zip(*columns, strict=True))

    def _cells(self, column: pa.Array, layout: "_Layout", position: int) -> list[str]:
        width, right = layout.widths[position], layout.rights[position]
        null = " " * (width - len(_NULL)) + self._null if right else self._null + " " * (width - len(_NULL))
        return [null if text is None else _fit(text, width, right=right, cut=layout.is_cut) for text in _shown(column)]

    def _records(self, batch: pa.RecordBatch, before: int) -> None:
        """Each row as a block of lines."""
        names = [printable(name) for name in batch.schema.names]
        width = max(map(cell_len, names), default=0)
        heads = [_fit(name, width, right=False, cut=False) for name in names]
        columns = [_shown(column) for column in batch.columns]
        for number, values in enumerate(zip(*columns, strict=True), start=before + 1):
            self._console.print(f"─[ row {number} ]─", style="bold", markup=False, highlight=False)
            lines = zip(heads, values, strict=True)
            sys.stdout.writelines(f" {head} │ {self._null if text is None else text}\n" for head, text in lines)


@dataclass(frozen=True)
class _Layout:
    """Widths of the columns that fit, which of them are aligned right, and whether longer values are cut."""

    widths: list[int]
    rights: list[bool]
    is_cut: bool

    @property
    def is_whole(self) -> bool:
        """Tell whether every column fits."""
        return len(self.widths) == len(self.rights)

    @property
    def note(self) -> str:
        """What is to be said of columns that do not fit."""
        return "" if self.is_whole else rf"{len(self.widths)} of {len(self.rights)} columns; \x shows all"


def _shown(column: pa.Array) -> list[str | None]:
    """Values as they are printed."""
    values: list[str | None] = texts(column).to_pylist()
    return [None if text is None else _unlike_null(printable(text)) for text in values]


def _unlike_null(text: str) -> str:
    return f"'{text}'" if _LIKE_NULL.fullmatch(text) else text


def _window(batches: Iterator[pa.RecordBatch]) -> tuple[list[pa.RecordBatch], Iterator[pa.RecordBatch]]:
    first: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        first.append(batch)
        rows += batch.num_rows
        if rows >= WINDOW_ROWS:
            break
    return first, batches


def _layout(schema: pa.Schema, window: list[pa.RecordBatch], room: int | None) -> _Layout:
    names = [max(cell_len(printable(name)), 1) for name in schema.names]
    values = _value_widths(window, len(names))
    widths = [max(pair) for pair in zip(names, values, strict=True)]
    rights = [is_number(field.type) for field in schema]
    if room is None:
        return _Layout(widths, rights, is_cut=False)
    needed = [value if is_bare(field.type) else 0 for value, field in zip(values, schema, strict=True)]
    least = [max(value, min(width, TEXT_WIDTH_MIN)) for value, width in zip(needed, widths, strict=True)]
    return _Layout(_squeeze(widths, least, room), rights, is_cut=True)


def _value_widths(window: list[pa.RecordBatch], count: int) -> list[int]:
    widths = [0] * count
    left = WINDOW_ROWS
    for batch in window:
        for position, column in enumerate(batch.slice(0, left).columns):
            cells = (len(_NULL) if text is None else cell_len(text) for text in _shown(column))
            widths[position] = max(widths[position], max(cells, default=0))
        left -= min(left, batch.num_rows)
    return widths


def _squeeze(widths: list[int], least: list[int], room: int) -> list[int]:
    """Take space from the widest columns first, down to the least; leave out columns at the end if that is too much."""
    totals = itertools.accumulate(width + 3 for width in least)
    count = max(sum(total <= room for total in totals), 1)
    spare = room - 3 * count
    for limit in range(room, 0, -1):
        squeezed = [max(few, min(many, limit)) for few, many in zip(least[:count], widths, strict=False)]
        if sum(squeezed) <= spare:
            return squeezed
    return least[:count]


def _fit(text: str, width: int, *, right: bool, cut: bool) -> str:
    length = len(text) if text.isascii() else cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…" if cut else text
    return " " * (width - length) + text if right else text + " " * (width - length)
