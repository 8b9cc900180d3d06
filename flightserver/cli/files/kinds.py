"""What kind of file a name stands for."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from flightserver.cli.errors import CommandError
from flightserver.cli.files.arrow import ArrowFile
from flightserver.cli.files.delimited import COMMA, TAB, Delimited
from flightserver.cli.files.form import Rows, TextForm
from flightserver.cli.files.json_lines import JsonLines
from flightserver.cli.files.parquet import ParquetFile

ZIPPED = ".gz"


class FileRows(Protocol):
    """A file of rows, whose schema is known when it has been opened."""

    schema: pa.Schema

    def rows(self) -> Iterator[Rows]:
        """All rows, in parts; each call reads the file from its start."""


Opener = Callable[[Path, TextForm, int], FileRows]

_TEXT: dict[str, Opener] = {
    ".csv": lambda path, form, _: Delimited(path, form, COMMA),
    ".tsv": lambda path, form, _: Delimited(path, form, TAB),
    ".json": lambda path, form, _: JsonLines(path, form),
    ".jsonl": lambda path, form, _: JsonLines(path, form),
    ".ndjson": lambda path, form, _: JsonLines(path, form),
}
_TYPED: dict[str, Opener] = {
    ".parquet": lambda path, _, batch_rows: ParquetFile(path, batch_rows),
    ".pq": lambda path, _, batch_rows: ParquetFile(path, batch_rows),
    ".arrow": lambda path, *_: ArrowFile(path),
    ".arrows": lambda path, *_: ArrowFile(path),
    ".ipc": lambda path, *_: ArrowFile(path),
    ".feather": lambda path, *_: ArrowFile(path),
}
_KINDS = _TYPED | _TEXT | {f"{suffix}{ZIPPED}": opener for suffix, opener in _TEXT.items()}


def open_rows(path: Path, form: TextForm, batch_rows: int) -> FileRows:
    """Open a file as what its name says it is."""
    name = path.name.lower()
    opener = next((opener for suffix, opener in _KINDS.items() if name.endswith(suffix)), None)
    if opener is None:
        raise CommandError(
            f"{path} is of no known kind: use {', '.join(_TYPED)}, or {', '.join(_TEXT)}, these also with {ZIPPED}"
        )
    return opener(path, form, batch_rows)
