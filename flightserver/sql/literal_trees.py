"""Whether an expression is a literal, by the word of a general parser of SQL.

It is parsed by sqlglot, in a dialect that lexes as DataFusion does, and its tree must be a literal all the way down.
Imported when the first DEFAULT is read that is none of the functions.
"""

from sqlglot import exp, parse_one, tokens
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError

from catalog.errors import DatabaseError, ErrorKind

_NESTED_CASTS_MAX = 8


class LiteralDialect(Dialect):
    """SQL expressions with DataFusion's rules for quotes."""

    class Tokenizer(tokens.Tokenizer):
        """Double quotes and backticks are names; X'…' is binary; a backslash is a letter."""

        IDENTIFIERS = ['"', "`"]  # noqa: RUF012 - sqlglot reads plain class attributes
        HEX_STRINGS = [("x'", "'"), ("X'", "'")]  # noqa: RUF012
        STRING_ESCAPES = ["'"]  # noqa: RUF012


def is_literal(text: str, column: str) -> bool:
    """Tell whether `text` is a literal, perhaps with a sign or in casts; raise SYNTAX when it is no expression."""
    try:
        tree = parse_one(text, into=exp.Condition, dialect=LiteralDialect)
    except (SqlglotError, RecursionError):
        raise DatabaseError(ErrorKind.SYNTAX, f"cannot read the DEFAULT of column {column}: {text[:80]!r}") from None
    return _is_literal(tree, _NESTED_CASTS_MAX)


def _is_literal(node: object, casts_left: int) -> bool:
    if isinstance(node, (exp.Literal, exp.Boolean, exp.Null, exp.HexString)):
        return True
    if isinstance(node, exp.Neg):
        return isinstance(node.this, exp.Literal) and not node.this.is_string
    return isinstance(node, exp.Cast) and casts_left > 0 and _is_literal(node.this, casts_left - 1)
