"""Placeholders: `?` and `$n`, and how many values a statement needs.

Values are bound by position, so a statement uses one style. A `?` or `$` inside a string, a quoted name or a comment is
no placeholder, because the tokenizer has already said what it is.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from catalog.errors import ErrorKind
from flightserver.sql.text.query_text import QueryText
from flightserver.sql.text.tokens import Kind, Token, depth_change, error_at

PARAMETERS_MAX = 10_000

_TYPE = re.compile(r"\s*[A-Za-z]\w*(?:\s*\(\s*\d+(?:\s*,\s*\d+)?\s*\))?")


def number_placeholders(text: QueryText) -> tuple[QueryText, int]:
    """Return the text with every `?` written as `$1`, `$2`, … from the left, and the count of values to bind."""
    parameters = _parameters(text)
    count = _count(text, parameters)
    if not parameters or parameters[0].text != "?":
        return text, count
    pieces: list[str] = []
    tokens: list[Token] = []
    end = shift = number = 0
    for token in text.tokens:
        written = token.text
        if token.kind is Kind.PARAMETER:
            number += 1
            written = f"${number}"
            pieces += [text[end : token.start], written]
            end = token.end
        moved = token._replace(text=written, start=token.start + shift, end=token.start + shift + len(written))
        tokens.append(moved)
        if token.kind is Kind.PARAMETER:
            shift += len(written) - 1
            if text[token.end : token.end + 1].isalnum() or text[token.end : token.end + 1] == "_":
                pieces.append(" ")  # a name behind the number would be taken for a part of it
                shift += 1
    return QueryText.with_tokens("".join([*pieces, text[end:]]), tokens), count


def count_parameters(text: QueryText) -> int:
    """Return how many values the placeholders of a text need: the highest number, or how many `?` there are."""
    return _count(text, _parameters(text))


def parameter_number(token: Token, place: int) -> int | None:
    """Return the number of a token that is the `place`-th placeholder; None where it is not a numbered placeholder."""
    if token.kind is not Kind.PARAMETER:
        return None
    if token.text == "?":
        return place
    digits = token.text[1:]
    numbered = digits.isascii() and digits.isdigit() and 1 <= int(digits[:9]) <= PARAMETERS_MAX
    return int(digits) if numbered else None


def _parameters(text: QueryText) -> list[Token]:
    if "?" not in text and "$" not in text:
        return []
    return [token for token in text.tokens if token.kind is Kind.PARAMETER]


def _count(text: QueryText, parameters: list[Token]) -> int:
    question_marks = sum(token.text == "?" for token in parameters)
    if 0 < question_marks < len(parameters):
        raise error_at(text, parameters[0].start, "use either ? or $1, $2, … in a statement, not both")
    highest = 0
    for place, token in enumerate(parameters, start=1):
        number = parameter_number(token, place)
        if number is None or number > PARAMETERS_MAX:
            message = f"parameters are numbered from $1 to ${PARAMETERS_MAX}; {token.text[:40]} is not"
            raise error_at(text, token.start, message, ErrorKind.INVALID)
        highest = max(highest, number)
    return highest


@dataclass(frozen=True)
class ValuePlace:
    """A parameter in a row of VALUES: for which column, counted from 0, and the type that it is cast to, if it is."""

    number: int
    column: int
    cast_to: str | None


def places_in_values(source: QueryText) -> Iterator[ValuePlace]:
    """Where the parameters of `VALUES (…), (…)` stand. Arguments of functions are left out: their type is unknown."""
    tokens = source.tokens
    if not tokens or tokens[0].key != "VALUES":
        return
    column = 0
    calls: list[str | None] = []
    for before, token, after in zip(tokens, tokens[1:], [*tokens[2:], tokens[-1]], strict=False):
        if depth_change(token) > 0:
            calls.append(before.key if before.kind is Kind.WORD and calls else None)
            column = 0 if len(calls) == 1 else column
        elif depth_change(token) < 0:
            calls.pop()
        elif token.key == "," and len(calls) == 1:
            column += 1
        number = parameter_number(token, 0)
        if number and all(call in {None, "CAST"} for call in calls):
            yield ValuePlace(number, column, _cast_type(source, after, calls))


def _cast_type(source: str, after: Token, calls: list[str | None]) -> str | None:
    """The type behind `::` or, inside CAST, behind AS."""
    if after.key == "::" or (after.key == "AS" and calls[-1] == "CAST"):
        found = _TYPE.match(source, after.end)
        return found[0].strip() if found else None
    return None
