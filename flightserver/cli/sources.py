"""Files as streams of record batches: Parquet, CSV and Arrow, told apart by their names. No file is read as a whole."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from pyarrow import csv, ipc
from pyarrow import parquet as pq

from flightserver.cli.errors import CommandError

MESSAGE_BYTES = 4 << 20
"""Batches are cut to this size, far below what one message may hold."""
CSV_BLOCK_BYTES = 4 << 20
"""The types of CSV columns are guessed from the first block of the first file."""
ARROW_FILE_MAGIC = b"ARROW1"

Progress = Callable[[int], None]


@dataclass(frozen=True)
class CsvForm:
    """How CSV text becomes values."""

    nulls: Sequence[str] = ("",)
    types: pa.Schema | None = None


@dataclass
class Source:
    """Files with one schema. Reading reports how many of their `bytes` are done."""

    paths: Sequence[Path]
    batch_rows: int
    form: CsvForm
    schema: pa.Schema = field(init=False)
    bytes: int = field(init=False)

    def __post_init__(self) -> None:
        for path in self.paths:
            if not path.is_file():
                raise CommandError(f"{path} is not a file")
        self.bytes = sum(path.stat().st_size for path in self.paths)
        first = self.paths[0]
        with file_errors(first), _opened(first, self.batch_rows, self.form) as (schema, _):
            self.schema = schema
        self.form = CsvForm(self.form.nulls, schema)
        for path in self.paths[1:]:
            with file_errors(path), _opened(path, self.batch_rows, self.form) as (other, _):
                _require_same(schema, first, other, path)

    def batches(self, report: Progress) -> Iterator[pa.RecordBatch]:
        """All rows of all files, in order."""
        before = 0
        for path in self.paths:
            with file_errors(path), _opened(path, self.batch_rows, self.form) as (_, parts):
                for batch, done in parts:
                    yield from _cut(batch.cast(self.schema), self.batch_rows)
                    report(before + done)
            before += path.stat().st_size
            report(before)


_Parts = Iterator[tuple[pa.RecordBatch, int]]


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Name the file in everything that goes wrong with it."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CommandError(f"{path}: {' '.join(reason.split())}") from error


@contextmanager
def _opened(path: Path, batch_rows: int, form: CsvForm) -> Iterator[tuple[pa.Schema, _Parts]]:
    """A file's schema, and its batches with how many bytes of the file are done."""
    name = path.name.lower()
    if name.endswith((".parquet", ".pq")):
        with pq.ParquetFile(path) as file:
            yield file.schema_arrow, _parquet(file, path, batch_rows)
    elif name.endswith((".csv", ".csv.gz")):
        with path.open("rb") as raw, _csv(pa.PythonFile(raw), form, is_zipped=name.endswith(".gz")) as reader:
            yield reader.schema, ((batch, raw.tell()) for batch in reader)
    elif name.endswith((".arrow", ".arrows", ".ipc", ".feather")):
        with path.open("rb") as raw:
            is_file = raw.read(len(ARROW_FILE_MAGIC)) == ARROW_FILE_MAGIC
        with pa.OSFile(str(path)) as source:
            yield _arrow_file(source) if is_file else _arrow_stream(source)
    else:
        raise CommandError(
            f"{path} is of no known kind: use .parquet, .csv, .csv.gz, .arrow, .arrows, .ipc or .feather"
        )


def _parquet(file: pq.ParquetFile, path: Path, batch_rows: int) -> _Parts:
    size, rows, done = path.stat().st_size, max(file.metadata.num_rows, 1), 0
    for batch in file.iter_batches(batch_size=batch_rows):
        done += batch.num_rows
        yield batch, size * done // rows


def _csv(raw: pa.NativeFile, form: CsvForm, *, is_zipped: bool) -> csv.CSVStreamingReader:
    types = {} if form.types is None else {f.name: f.type for f in form.types if not pa.types.is_nested(f.type)}
    return csv.open_csv(
        pa.CompressedInputStream(raw, "gzip") if is_zipped else raw,
        read_options=csv.ReadOptions(block_size=CSV_BLOCK_BYTES),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=types,
            null_values=list(form.nulls),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


def _arrow_file(source: pa.NativeFile) -> tuple[pa.Schema, _Parts]:
    reader = ipc.open_file(source)
    return reader.schema, ((reader.get_batch(i), source.tell()) for i in range(reader.num_record_batches))


def _arrow_stream(source: pa.NativeFile) -> tuple[pa.Schema, _Parts]:
    reader = ipc.open_stream(source)
    return reader.schema, ((batch, source.tell()) for batch in reader)


def _require_same(schema: pa.Schema, first: Path, other: pa.Schema, path: Path) -> None:
    if other.names != schema.names:
        missing = [name for name in schema.names if name not in other.names]
        extra = [name for name in other.names if name not in schema.names]
        difference = f"lacks {missing[0]}" if missing else f"has {extra[0]} too" if extra else "has another order"
        raise CommandError(f"all files must have the same columns: {path} {difference}, unlike {first}")
    for one, two in zip(schema, other, strict=True):
        if one.type != two.type:
            raise CommandError(f"column {one.name} is {one.type} in {first}, but {two.type} in {path}")


def _cut(batch: pa.RecordBatch, rows_max: int) -> Iterator[pa.RecordBatch]:
    """Slices that have neither too many rows nor too many bytes for one message."""
    rows = min(rows_max, max(batch.num_rows * MESSAGE_BYTES // max(batch.nbytes, 1), 1))
    for start in range(0, batch.num_rows, rows):
        piece = batch.slice(start, rows)
        if piece.nbytes > MESSAGE_BYTES and 1 < piece.num_rows < batch.num_rows:
            yield from _cut(piece, rows_max)
        else:
            yield piece
