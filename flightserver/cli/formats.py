"""Results on stdout: readable tables, CSV, JSON lines. Batches are written as they arrive."""

import itertools
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

import pyarrow as pa
from pyarrow import csv
from rich.cells import cell_len, set_cell_size
from rich.console import Console

from flightserver.cli.values import is_number, is_plain, json_values, printable, texts

WINDOW_ROWS = 1_000
"""Column widths of a table are those of this many rows from the top."""
COLUMN_WIDTH_MIN = 8
"""No column is squeezed below this to make room for others."""
PLAN_COLUMNS = ["plan_type", "plan"]


class Format(Enum):
    """How results are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


@dataclass(frozen=True)
class Written:
    """What came out: how many rows, and whether there are more that were not shown."""

    rows: int
    is_cut: bool = False


class TableWriter:
    """Tables for people. On a terminal they fit its width; elsewhere nothing is cut off."""

    def __init__(self, console: Console, rows_max: int | None) -> None:
        self._console = console
        self._rows_max = rows_max
        self._null = "\x1b[2mNULL\x1b[0m" if console.color_system else "NULL"

    def write(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Written:
        """Write a result."""
        if schema.names == PLAN_COLUMNS:
            return self._plans(batches)
        first, rest = _window(batches)
        layout = _layout(schema, first, self._console.width if self._console.is_terminal else None)
        self._header(schema, layout)
        shown = 0
        for batch in itertools.chain(first, rest):
            room = batch.num_rows if self._rows_max is None else min(batch.num_rows, self._rows_max - shown)
            self._rows(batch.slice(0, room), layout)
            shown += room
            if room < batch.num_rows:
                return Written(shown, is_cut=True)
        return Written(shown)

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
        if len(layout.widths) < len(schema.names):
            self._console.print(
                f" {len(layout.widths)} of {len(schema.names)} columns fit; name the others, or use --format json",
                style="dim",
                highlight=False,
            )

    def _rows(self, batch: pa.RecordBatch, layout: "_Layout") -> None:
        columns = [self._cells(batch.column(i), layout, i) for i in range(len(layout.widths))]
        sys.stdout.writelines(f" {' │ '.join(cells).rstrip()}\n" for cells in zip(*columns, strict=True))

    def _cells(self, column: pa.Array, layout: "_Layout", position: int) -> list[str]:
        width, right = layout.widths[position], layout.rights[position]
        null = " " * (width - 4) + self._null if right else self._null + " " * (width - 4)
        return [
            null if text is None else _fit(printable(text), width, right=right, cut=layout.is_cut)
            for text in texts(column)
        ]


class CsvWriter:
    """CSV with a header. NULL is nothing at all; text is quoted, so that an empty text is not NULL."""

    def write(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Written:
        """Write a result."""
        sys.stdout.flush()
        fields = [field if is_plain(field.type) else pa.field(field.name, pa.string()) for field in schema]
        rows = 0
        with csv.CSVWriter(sys.stdout.buffer, pa.schema(fields)) as writer:
            for batch in batches:
                columns = [c if is_plain(c.type) else pa.array(texts(c), pa.string()) for c in batch.columns]
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields)))
                rows += batch.num_rows
        sys.stdout.buffer.flush()
        return Written(rows)


class JsonWriter:
    """One JSON object per row and line."""

    def write(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Written:
        """Write a result."""
        names = _distinct(schema.names)
        rows = 0
        for batch in batches:
            columns = [json_values(column) for column in batch.columns]
            for values in zip(*columns, strict=True):
                sys.stdout.write(json.dumps(dict(zip(names, values, strict=True)), ensure_ascii=False) + "\n")
            rows += batch.num_rows
        return Written(rows)


Writer = TableWriter | CsvWriter | JsonWriter


@dataclass(frozen=True)
class _Layout:
    """Widths of the columns that are shown, which of them are aligned right, and whether longer values are cut."""

    widths: list[int]
    rights: list[bool]
    is_cut: bool


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
    widths = [max(cell_len(printable(name)), 1) for name in schema.names]
    left = WINDOW_ROWS
    for batch in window:
        for position, column in enumerate(batch.slice(0, left).columns):
            cells = (4 if text is None else cell_len(printable(text)) for text in texts(column))
            widths[position] = max(widths[position], max(cells, default=0))
        left -= min(left, batch.num_rows)
    rights = [is_number(field.type) for field in schema]
    return _Layout(widths if room is None else _squeeze(widths, room), rights, room is not None)


def _squeeze(widths: list[int], room: int) -> list[int]:
    """Take space from the widest columns first; drop columns at the end when even that is not enough."""
    least = list(itertools.accumulate(min(width, COLUMN_WIDTH_MIN) + 3 for width in widths))
    count = max(sum(total <= room for total in least), 1)
    kept = widths[:count]
    spare = room - 3 * count
    if sum(kept) <= spare:
        return kept
    limit = max(_at_most(kept, spare), COLUMN_WIDTH_MIN)
    return [min(width, limit) for width in kept]


def _at_most(widths: list[int], room: int) -> int:
    """The largest limit such that all widths, cut to it, fit into the room."""
    left = room
    for index, width in enumerate(sorted(widths)):
        share = left // (len(widths) - index)
        if width > share:
            return share
        left -= width
    return max(widths)


def _fit(text: str, width: int, *, right: bool, cut: bool) -> str:
    length = len(text) if text.isascii() else cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…" if cut else text
    return " " * (width - length) + text if right else text + " " * (width - length)


def _distinct(names: list[str]) -> list[str]:
    """Names as keys of one object: a repeated one gets a number."""
    keys: list[str] = []
    for name in names:
        candidates = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(2)))
        keys.append(next(key for key in candidates if key not in keys))
    return keys


def writer_for(chosen: Format, console: Console, rows_max: int | None) -> Writer:
    """The writer of a format. `rows_max` limits tables only."""
    make: dict[Format, Callable[[], Writer]] = {
        Format.TABLE: lambda: TableWriter(console, rows_max),
        Format.CSV: CsvWriter,
        Format.JSON: JsonWriter,
    }
    return make[chosen]()
