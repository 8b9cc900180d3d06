"""What a user says of the text in files: types, words for NULL, the delimiter, the encoding."""

import codecs
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa

from catalog.errors import DatabaseError
from catalog.types import parse_type
from flightserver.cli.errors import CommandError

TAB_WORDS = ("tab", "\\t", "\t")


@dataclass(frozen=True)
class TextForm:
    """How text becomes values. A column that has no type here gets a guessed one, or TEXT with `is_all_text`."""

    asked: Mapping[str, pa.DataType] = field(default_factory=dict)
    """Types by column, as --type names them."""
    table: Mapping[str, pa.DataType] = field(default_factory=dict)
    """Those of the table that rows go into."""
    first: pa.Schema | None = None
    """What the first of several files has: the others have the same columns."""
    is_all_text: bool = False
    nulls: tuple[str, ...] = ("",)
    delimiter: str | None = None
    encoding: str | None = None

    def type_of(self, name: str) -> pa.DataType | None:
        """The type of a column; None when it is to be guessed."""
        if self.first is not None and name in self.first.names and not pa.types.is_null(self.first.field(name).type):
            return self.first.field(name).type
        return self.asked.get(name) or self.table.get(name) or (pa.string() if self.is_all_text else None)


class Rows(NamedTuple):
    """A part of a file, and how many bytes of the file are done with it."""

    batch: pa.RecordBatch
    bytes_done: int


def asked_types(texts: Iterable[str]) -> dict[str, pa.DataType]:
    """`COLUMN=TYPE` as types by column."""
    types = {}
    for text in texts:
        name, sign, written = text.rpartition("=")
        if not sign or not name:
            raise CommandError(f"--type {text}: write COLUMN=TYPE, like zip=TEXT")
        try:
            types[name] = parse_type(written)
        except DatabaseError as error:
            raise CommandError(f"--type {text}: {error.message}") from error
    return types


def checked_delimiter(text: str | None) -> str | None:
    """One letter that can stand between fields."""
    if text is None:
        return None
    letter = "\t" if text in TAB_WORDS else text
    if len(letter) != 1 or not letter.isascii() or letter in '"\r\n':
        raise CommandError(f"--delimiter {text}: name one ASCII letter that is no quote, or tab")
    return letter


def checked_encoding(text: str | None) -> str | None:
    """An encoding that Python knows."""
    if text is None:
        return None
    try:
        return codecs.lookup(text).name
    except LookupError as error:
        raise CommandError(f"--encoding {text}: unknown; there are utf-8, latin-1, cp1252, …") from error
