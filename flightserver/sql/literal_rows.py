"""Rows of nothing but constants, `VALUES (1, 'a', NULL), …`, as columns, and rows of a prepared statement.

The engine would give each column one type before anybody knows what it is for; here a constant keeps what was written
until its column says what it means, so that `1234567890123456.78` is that number in a DECIMAL column. It is also some
ten times faster.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from flightserver.sql.text.parameters import parameter_number
from flightserver.sql.text.query_text import QueryText
from flightserver.sql.text.tokens import Kind, Token

_STRING = r"'(?:[^']|'')*+'"
_NUMBER = r"-?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?"
_WORD = r"(?i:null|true|false)(?!\w)"
_ANY = rf"\s*+(?:{_STRING}|{_NUMBER}|{_WORD})\s*+"
_ROW = rf"\({_ANY}(?:,{_ANY})*+\)\s*+"
_ROWS = re.compile(rf"\s*+{_ROW}(?:,\s*+{_ROW})*+")
_CONSTANT = re.compile(rf"({_STRING})|({_NUMBER})|({_WORD})")
_ENDS = frozenset({",", ")"})
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


Row = tuple[int | Constants, ...]
"""What each column of a row gets: the parameter of a number, or the only one of some constants."""


def parameter_rows(text: QueryText) -> tuple[Row, ...] | None:
    """The rows of VALUES where they are nothing but parameters and constants, and equally long.

    None for any other source, and where there is no parameter.
    """
    source = text.tokens
    if len(source) < 4 or (source[0].key, source[1].key, source[-1].key) != ("VALUES", "(", ")"):
        return None
    if ("?" not in text and "$" not in text) or not any(token.kind is Kind.PARAMETER for token in source):
        return None
    rows: list[Row] = []
    placeholders, place = 0, 1
    while place < len(source):
        if source[place].key != "(":
            return None
        row: list[int | Constants] = []
        while source[place].key != ")":
            end = next((at for at in range(place + 1, len(source)) if source[at].key in _ENDS), len(source) - 1)
            tokens = source[place + 1 : end]
            placeholders += any(token.text == "?" for token in tokens)
            part = _part_of_row(tokens, placeholders)
            if part is None:
                return None
            row.append(part)
            place = end
        rows.append(tuple(row))
        place += 1
        if place < len(source):
            if source[place].key != ",":
                return None
            place += 1
    return tuple(rows) if len(set(map(len, rows))) == 1 else None


def _part_of_row(tokens: Sequence[Token], placeholders: int) -> int | Constants | None:
    if len(tokens) == 1 and (number := parameter_number(tokens[0], placeholders)) is not None:
        return number
    found = _CONSTANT.fullmatch("".join(token.text for token in tokens))
    is_one = len(tokens) == 1 or (len(tokens) == 2 and tokens[0].text == "-")
    if found is None or not is_one:
        return None
    string, number_text, word = found.groups(default="")
    return _constants([(string, number_text, word, "")])


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
