"""CSV and its kin: a header, and rows of fields that get a type by column."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from flightserver.cli.errors import CommandError
from flightserver.cli.files.ahead import ahead
from flightserver.cli.files.fields import Fields
from flightserver.cli.files.form import Rows, TextForm
from flightserver.cli.names import named
from flightserver.cli.values.guessed import guess
from flightserver.cli.values.parsed import Unreadable, decode, is_unicode, read

COMMA, TAB = ",", "\t"
_OTHERS = {"\t": "tab", ";": "';'", "|": "'|'"}
"""What stands between fields where it is no comma, and how --delimiter names it."""


class _WrongField(Exception):  # noqa: N818 - becomes a CommandError
    """A field that is none of its column's type; rows count from 0."""

    def __init__(self, row: int, column: str, reason: str) -> None:
        super().__init__(reason)
        self.row = row
        self.column = column
        self.reason = reason


class Delimited:
    """A file of delimited text. Columns that the form says nothing of get the type that the first rows seem to have."""

    def __init__(self, path: Path, form: TextForm, delimiter: str) -> None:
        self._path = path
        self._fields = Fields(path, form.delimiter or delimiter, form.encoding, form.nulls)
        names = self._names(is_sure=form.delimiter is not None)
        self._guessed = frozenset(name for name in names if form.type_of(name) is None)
        self.schema = pa.schema([(name, form.type_of(name) or pa.string()) for name in names])
        if self._guessed:
            self.schema = self._with_guesses()

    def rows(self) -> Iterator[Rows]:
        """All rows, in their types."""
        try:
            yield from ahead(self._numbered(), self._typed)
        except _WrongField as wrong:
            raise self._error(wrong) from None

    def _names(self, *, is_sure: bool) -> list[str]:
        line, fields = self._fields.header()
        if not all(map(is_unicode, fields)):
            raise CommandError(
                f"{self._path}, line {line}: the header is not UTF-8; name the encoding, like --encoding latin-1"
            )
        other = next((each for each in _OTHERS if each in fields[0]), None)
        if other is not None and len(fields) == 1 and not is_sure and other != self._fields.delimiter:
            raise CommandError(
                f"{self._path}, line {line}: the header has no {self._fields.delimiter!r} but {other!r}; say"
                f" --delimiter {_OTHERS[other]}, or --delimiter {self._fields.delimiter!r} if this is one column"
            )
        return named(fields)

    def _with_guesses(self) -> pa.Schema:
        """The schema with the types that the first rows have."""
        first = next(self._fields.batches(), None)
        if first is None:
            return self.schema
        try:
            return pa.schema(
                [
                    field.with_type(guess(self._text(first.batch, position, 0)))
                    if field.name in self._guessed
                    else field
                    for position, field in enumerate(self.schema)
                ]
            )
        except _WrongField as wrong:
            raise self._error(wrong) from None

    def _numbered(self) -> Iterator[tuple[int, Rows]]:
        row = 0
        for part in self._fields.batches():
            yield row, part
            row += part.batch.num_rows

    def _typed(self, numbered: tuple[int, Rows]) -> Rows:
        start, (batch, done) = numbered
        columns = []
        for position, field in enumerate(self.schema):
            texts = self._text(batch, position, start)
            try:
                columns.append(read(texts, field.type))
            except Unreadable as error:
                raise _WrongField(start + error.position, field.name, error.reason) from None
        return Rows(pa.RecordBatch.from_arrays(columns, schema=self.schema), done)

    def _text(self, batch: pa.RecordBatch, position: int, start: int) -> pa.Array:
        try:
            return decode(batch.column(position))
        except Unreadable as error:
            raise _WrongField(start + error.position, self.schema.names[position], error.reason) from None

    def _error(self, wrong: _WrongField) -> CommandError:
        is_guess = wrong.column in self._guessed and not pa.types.is_string(self.schema.field(wrong.column).type)
        hint = f" (guessed from the first rows; --type {wrong.column}=TEXT takes any)" if is_guess else ""
        line = self._fields.line(wrong.row)
        return CommandError(f"{self._path}, line {line}: column {wrong.column}: {wrong.reason}{hint}")
