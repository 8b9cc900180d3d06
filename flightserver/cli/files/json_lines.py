"""JSON lines: an object a line, whose keys are columns. Blank lines are skipped, and a key that is missing is NULL."""

import io
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from flightserver.cli.errors import CommandError
from flightserver.cli.files.ahead import ahead
from flightserver.cli.files.form import Rows, TextForm
from flightserver.cli.files.text import PIECE_BYTES, Text
from flightserver.cli.values.guessed import guess_json
from flightserver.cli.values.parsed import Unreadable, load_json, read_json


class _Lines(NamedTuple):
    """Lines that are not blank, their numbers, and how many bytes of the file are done with them."""

    texts: list[bytes]
    numbers: list[int]
    bytes_done: int


class JsonLines:
    """A file of JSON lines. Its columns are the keys of the first objects, and those that --type names."""

    def __init__(self, path: Path, form: TextForm) -> None:
        self._path = path
        self._encoding = form.encoding
        objects = self._objects(next(self._lines(), _Lines([], [], 0)))
        names = form.first.names if form.first is not None else _keys(objects, form)
        types = [form.type_of(name) or guess_json([each.get(name) for each in objects]) for name in names]
        self.schema = pa.schema(list(zip(names, types, strict=True)))

    def rows(self) -> Iterator[Rows]:
        """All rows, in their types."""
        yield from ahead(self._lines(), self._typed)

    def _lines(self) -> Iterator[_Lines]:
        texts: list[bytes] = []
        numbers: list[int] = []
        size = 0
        with Text(self._path, self._encoding) as text, io.BufferedReader(text, PIECE_BYTES) as raw_lines:
            for number, line in enumerate(raw_lines, start=1):
                if line.strip():
                    texts.append(line)
                    numbers.append(number)
                    size += len(line)
                if size >= PIECE_BYTES:
                    yield _Lines(texts, numbers, text.bytes_done)
                    texts, numbers, size = [], [], 0
            if texts:
                yield _Lines(texts, numbers, text.bytes_done)

    def _typed(self, lines: _Lines) -> Rows:
        objects = self._objects(lines)
        columns = [self._column(objects, lines.numbers, field) for field in self.schema]
        known = set(self.schema.names)
        for number, each in zip(lines.numbers, objects, strict=True):
            if not each.keys() <= known:
                name = next(name for name in each if name not in known)
                raise self._error(number, f"key {name} is in none of the first lines; name it, like --type {name}=TEXT")
        return Rows(pa.RecordBatch.from_arrays(columns, schema=self.schema), lines.bytes_done)

    def _objects(self, lines: _Lines) -> list[dict[str, Any]]:
        return [self._object(number, text) for number, text in zip(lines.numbers, lines.texts, strict=True)]

    def _object(self, number: int, text: bytes) -> dict[str, Any]:
        try:
            value = load_json(text.decode())
        except UnicodeDecodeError:
            raise self._error(number, "this is not UTF-8; name the encoding, like --encoding latin-1") from None
        except ValueError as error:
            raise self._error(number, f"this is no JSON: {error}") from None
        if not isinstance(value, dict):
            raise self._error(number, "a line holds one JSON object")
        return value

    def _column(self, objects: Sequence[dict[str, Any]], numbers: Sequence[int], field: pa.Field) -> pa.Array:
        try:
            return read_json([each.get(field.name) for each in objects], field.type)
        except Unreadable as error:
            raise self._error(numbers[error.position], f"key {field.name}: {error.reason}") from None

    def _error(self, line: int, reason: str) -> CommandError:
        return CommandError(f"{self._path}, line {line}: {reason}")


def _keys(objects: Sequence[dict[str, Any]], form: TextForm) -> list[str]:
    return list(dict.fromkeys(chain(chain.from_iterable(objects), form.asked)))
