"""Placeholders: `?` and `$n`, and how many values a statement needs.

Values are bound by position, so a statement uses one style. A `?` or `$` inside a string, a quoted name or a comment is
no placeholder, because the tokenizer has already said what it is.
"""

from catalog.errors import ErrorKind
from flightserver.sql.tokens import Kind, Token, error_at, tokenize

PARAMETERS_MAX = 10_000


def number_placeholders(text: str) -> tuple[str, int]:
    """Return the text with every `?` written as `$1`, `$2`, … from the left, and the count of values to bind."""
    parameters = _parameters(text)
    count = _count(text, parameters)
    if not parameters or parameters[0].text != "?":
        return text, count
    pieces, end = [], 0
    for number, token in enumerate(parameters, start=1):
        pieces += [text[end : token.start], f"${number}"]
        end = token.end
    return "".join([*pieces, text[end:]]), count


def count_parameters(text: str) -> int:
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


def _parameters(text: str) -> list[Token]:
    if "?" not in text and "$" not in text:
        return []
    return [token for token in tokenize(text) if token.kind is Kind.PARAMETER]


def _count(text: str, parameters: list[Token]) -> int:
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
