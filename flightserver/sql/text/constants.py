"""Queries that are the same for everybody for ever: what asks whether a server is alive."""

from flightserver.sql.text.query_text import QueryText
from flightserver.sql.text.tokens import Kind, is_identifier

_LITERALS = frozenset({Kind.NUMBER, Kind.STRING})
_LITERAL_WORDS = frozenset({"NULL", "TRUE", "FALSE"})


def is_constant(text: QueryText) -> bool:
    """Tell whether a query is SELECT with nothing but literals and their names."""
    first, *items = text.tokens
    if not items or first.key != "SELECT":
        return False
    names = False
    for token in items:
        if names and is_identifier(token):
            names = False
        elif token.key in {",", "AS"}:
            names = token.key == "AS"
        elif names or not (token.kind in _LITERALS or token.key in _LITERAL_WORDS):
            return False
    return True
