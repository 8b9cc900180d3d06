"""Several files as one stream of record batches with the columns of one table.

Every column's name and type is checked before a row is read: what cannot be stored is refused by its name, and what
Arrow encodes in many ways is sent in one. A stream has at least one batch, because the driver sends none without.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from catalog.errors import DatabaseError
from catalog.identifiers import check_name
from catalog.plain import plain
from catalog.types import storable
from flightserver.cli.errors import CommandError
from flightserver.cli.files.form import TextForm
from flightserver.cli.files.kinds import FileRows, open_rows
from flightserver.cli.values.parsed import read

MESSAGE_BYTES = 4 << 20
"""Batches are cut to this size, far below what one message may hold."""

Progress = Callable[[int], None]


class Source:
    """Files with the same columns. Reading reports how many of their `bytes` are done."""

    def __init__(self, texts: Sequence[str], batch_rows: int, form: TextForm) -> None:
        self._batch_rows = batch_rows
        self._files: list[tuple[Path, FileRows]] = []
        schema = pa.schema([])
        for path in map(_local, texts):
            with file_errors(path):
                file = open_rows(path, replace(form, first=schema if self._files else None), batch_rows)
                columns = pa.schema([_offered(field, form) for field in file.schema])
            schema = _united(schema, self._files[0][0], columns, path) if self._files else columns
            self._files.append((path, file))
        _require_columns(schema, form)
        self.schema = pa.schema([_settled(field, form) for field in schema])
        self.bytes = sum(path.stat().st_size for path, _ in self._files)

    def batches(self, report: Progress) -> Iterator[pa.RecordBatch]:
        """All rows of all files, in order."""
        is_empty = True
        before = 0
        for path, file in self._files:
            with file_errors(path):
                for batch, done in file.rows():
                    for piece in _cut(self._sent(batch), self._batch_rows):
                        yield piece
                        is_empty = False
                    report(before + done)
            before += path.stat().st_size
            report(before)
        if is_empty:
            yield pa.RecordBatch.from_pylist([], self.schema)

    def _sent(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """A batch in the types that are sent."""
        columns = [_cast(values, field) for values, field in zip(batch.columns, self.schema, strict=True)]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Name the file in everything that goes wrong with it."""
    try:
        yield
    except DatabaseError as error:
        raise CommandError(f"{path}: {error.message}") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CommandError(f"{path}: {' '.join(reason.split())}") from error


def _local(text: str) -> Path:
    if "://" in text:
        raise CommandError(f"{text} is a URL; load takes files of this machine, so fetch it first")
    path = Path(text)
    if not path.is_file():
        raise CommandError(f"{text} is not a file")
    return path


def _offered(field: pa.Field, form: TextForm) -> pa.Field:
    """A column as it can be sent; one without any value keeps the type null for now."""
    check_name("column", field.name)
    if field.name in form.asked:
        return field.with_type(form.asked[field.name])
    return field if pa.types.is_null(field.type) else field.with_type(storable(field.type, field.name))


def _settled(field: pa.Field, form: TextForm) -> pa.Field:
    """A column that no file has a value for takes its type from the table, or is TEXT."""
    return field.with_type(form.table.get(field.name, pa.string())) if pa.types.is_null(field.type) else field


def _united(schema: pa.Schema, first: Path, other: pa.Schema, path: Path) -> pa.Schema:
    """The columns of all files up to this one, which must have the same; null is every type."""
    if other.names != schema.names:
        missing = [name for name in schema.names if name not in other.names]
        extra = [name for name in other.names if name not in schema.names]
        difference = f"lacks {missing[0]}" if missing else f"has {extra[0]} too" if extra else "has another order"
        raise CommandError(f"all files must have the same columns: {path} {difference}, unlike {first}")
    fields = []
    for one, two in zip(schema, other, strict=True):
        if one.type != two.type and not pa.types.is_null(one.type) and not pa.types.is_null(two.type):
            raise CommandError(f"column {one.name} is {one.type} in {first}, but {two.type} in {path}")
        known = two.type if pa.types.is_null(one.type) else one.type
        fields.append(pa.field(one.name, known, one.nullable or two.nullable))
    return pa.schema(fields)


def _require_columns(schema: pa.Schema, form: TextForm) -> None:
    for name in form.asked:
        if name not in schema.names:
            raise CommandError(f"--type {name}: there is no such column; there are {', '.join(schema.names)[:200]}")


def _cast(values: pa.Array, field: pa.Field) -> pa.Array:
    if values.type == field.type:
        return values
    values = plain(values)
    try:
        return read(values, field.type) if pa.types.is_string(values.type) else values.cast(field.type)
    except (pa.ArrowException, ValueError) as error:
        raise ValueError(f"column {field.name}: {str(error).splitlines()[0]}") from error


def _cut(batch: pa.RecordBatch, rows_max: int) -> Iterator[pa.RecordBatch]:
    """Slices that have neither too many rows nor too many bytes for one message."""
    rows = min(rows_max, max(batch.num_rows * MESSAGE_BYTES // max(batch.nbytes, 1), 1))
    for start in range(0, batch.num_rows, rows):
        piece = batch.slice(start, rows)
        if piece.nbytes > MESSAGE_BYTES and 1 < piece.num_rows < batch.num_rows:
            yield from _cut(piece, rows_max)
        else:
            yield piece
