"""What statements have in common that differ in their literals alone.

Equal shapes have equal trees, node for node and token for token: what a number or a string says moves nothing. What a
literal *is*, a whole number or one with a point, is a part of the shape, because it decides about types.
"""

from flightserver.sql.text.query_text import QueryText
from flightserver.sql.text.tokens import Kind, Token

Shape = tuple[str, ...]

INTEGER, DECIMAL, FLOAT = "0", "0.0", "0e0"
"""How numbers stand in a shape. No token is written so where a number is not meant."""

_KEPT = "shape"


def shape_of(text: QueryText) -> Shape:
    """The tokens of a text with its literals taken out, which stays with the text."""
    known: Shape | None = text.__dict__.get(_KEPT)
    if known is None:
        known = text.__dict__[_KEPT] = tuple(map(_without_value, text.tokens))
    return known


def _without_value(token: Token) -> str:
    if token.kind is Kind.NUMBER:
        return number_form(token.text)
    return token.text[0] if token.kind is Kind.STRING else token.text


def number_form(written: str) -> str:
    """What a number is, by how it is written. A hexadecimal one stands for itself."""
    if written[:2] in {"0x", "0X"}:
        return written
    if "e" in written or "E" in written:
        return FLOAT
    return DECIMAL if "." in written else INTEGER
