"""Rows of nothing but constants: `VALUES (1, 'a', NULL), …` as columns, without the engine.

The engine would give each column one type before anybody knows what it is for; here a constant keeps what was written
until its column says what it means, so that `1234567890123456.78` is that number in a DECIMAL column. It is also some
ten times faster.
"""

import re
from dataclasses import dataclass

from flightserver.sql.text.query_text import QueryText

_STRING = r"'(?:[^']|'')*+'"
_NUMBER = r"-?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?"
_WORD = r"(?i:null|true|false)(?!\w)"
_ANY = rf"\s*+(?:{_STRING}|{_NUMBER}|{_WORD})\s*+"
_ROW = rf"\({_ANY}(?:,{_ANY})*+\)\s*+"
_ROWS = re.compile(rf"\s*+{_ROW}(?:,\s*+{_ROW})*+")
_VALUE = re.compile(rf"({_STRING})|({_NUMBER})|({_WORD})|(\))")


@dataclass(frozen=True)
class Constants:
    """A column of constants as written, None for NULL; whether all others are numbers, or words."""

    texts: list[str | None]
    are_numbers: bool
    are_words: bool


def literal_rows(source: QueryText) -> list[Constants] | None:
    """The columns of VALUES; None where it has anything but constants, or rows of different lengths."""
    first = source.tokens[0]
    if first.key != "VALUES" or not _ROWS.fullmatch(source, first.end):
        return None
    found = _VALUE.findall(source, first.end)
    width = next(place for place, value in enumerate(found) if value[3])
    ends = [place for place, value in enumerate(found) if value[3]]
    if ends != list(range(width, len(found), width + 1)):
        return None
    return [_constants(found[column :: width + 1]) for column in range(width)]


def _constants(found: list[tuple[str, str, str, str]]) -> Constants:
    texts = [_text(string, number, word) for string, number, word, _ in found]
    given = [value for value, text in zip(found, texts, strict=True) if text is not None]
    return Constants(texts, all(value[1] for value in given), bool(given) and all(value[2] for value in given))


def _text(string: str, number: str, word: str) -> str | None:
    if string:
        return string[1:-1].replace("''", "'")
    if number:
        return number
    return None if word.lower() == "null" else word.lower()
