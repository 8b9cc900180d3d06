"""Delimited text cut into fields, by Arrow; and on which line a record begins, which is only asked about a wrong one.

A record is what one row was written as: the header is one, and may have several lines. A blank line is a record only
where records have a single field.
"""

import csv as python_csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from pyarrow import csv

from flightserver.cli.errors import CommandError
from flightserver.cli.files.form import Rows
from flightserver.cli.files.text import PIECE_BYTES, Text

BLOCK_BYTES = (PIECE_BYTES, 16 * PIECE_BYTES, 128 * PIECE_BYTES)
"""A record must lie within two neighbouring blocks; for one that does not, larger blocks are taken."""

python_csv.field_size_limit(BLOCK_BYTES[-1])


class Record(NamedTuple):
    """A record as Python's reader cuts it, and the line on which it begins."""

    line: int
    fields: list[str]


@dataclass(frozen=True)
class Fields:
    """The fields of a file. `nulls` are the words without quotes that are NULL."""

    path: Path
    delimiter: str
    encoding: str | None
    nulls: tuple[str, ...]

    def header(self) -> Record:
        """The first record that is not blank."""
        record = next((record for record in self._records() if record.fields), None)
        if record is None:
            raise CommandError(f"{self.path} has no header line")
        return record

    def batches(self) -> Iterator[Rows]:
        """All rows behind the header, as columns of bytes or NULL that are called by their positions."""
        header = self.header()
        width = len(header.fields)
        passed = header.line if width == 1 else 1  # records: before a single-column header, blank lines are some
        for size in BLOCK_BYTES:
            ragged: list[csv.InvalidRow] = []
            seen = 0
            try:
                with Text(self.path, self.encoding) as text:
                    for batch in self._reader(text, width, size, ragged):
                        fresh = batch.slice(max(passed - seen, 0))
                        seen += batch.num_rows
                        passed = max(passed, seen)
                        if fresh.num_rows:
                            yield Rows(fresh, text.bytes_done)
            except pa.ArrowInvalid:
                if ragged:
                    raise self._ragged(width) from None
                if size == BLOCK_BYTES[-1]:
                    raise
            else:
                return

    def line(self, row: int) -> int:
        """The line on which a row begins; rows count from 0, behind the header."""
        header = self.header()
        is_single = len(header.fields) == 1
        rows = (each for each in self._records() if each.line > header.line and (each.fields or is_single))
        return next(islice(rows, row, None)).line

    def _reader(self, text: Text, width: int, block_bytes: int, ragged: list[csv.InvalidRow]) -> csv.CSVStreamingReader:
        def refuse(row: csv.InvalidRow) -> str:
            ragged.append(row)
            return "error"

        names = [str(position) for position in range(width)]
        return csv.open_csv(
            pa.PythonFile(text, mode="r"),
            read_options=csv.ReadOptions(block_size=block_bytes, column_names=names),
            parse_options=csv.ParseOptions(
                delimiter=self.delimiter,
                newlines_in_values=True,
                ignore_empty_lines=width > 1,
                invalid_row_handler=refuse,
            ),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.binary()),
                null_values=list(self.nulls),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )

    def _ragged(self, width: int) -> CommandError:
        """The first record that has more or fewer fields than the header."""
        for line, fields in self._records():
            if fields and len(fields) != width:
                have = f"{len(fields)} field{'' if len(fields) == 1 else 's'}"
                return CommandError(f"{self.path}, line {line}: {have}, but the header has {width}")
        return CommandError(f"{self.path}: not all lines have {width} fields")

    def _records(self) -> Iterator[Record]:
        """One line or several that are a record; blank lines are some without fields."""
        raw = io.BufferedReader(Text(self.path, self.encoding))
        with io.TextIOWrapper(raw, "utf-8", "surrogateescape", newline="") as lines:
            reader = python_csv.reader(lines, delimiter=self.delimiter)
            line = 1
            for fields in reader:
                yield Record(line, fields)
                line = reader.line_num + 1
