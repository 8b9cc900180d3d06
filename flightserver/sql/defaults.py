"""What a column's DEFAULT may say: a literal, or one of four functions.

The expression is parsed by sqlglot, in a dialect that lexes as DataFusion does, and its tree must be a literal all the
way down; the literal is then kept as the client's own text. Everything else is refused, because a default is evaluated
outside of any query.
"""

import pyarrow as pa
from sqlglot import exp, parse_one, tokens
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError

from catalog.definition import Default, DefaultFunction
from catalog.errors import DatabaseError, ErrorKind
from catalog.types import format_type
from flightserver.sql.text.tokens import tokenize

DEFAULT_LENGTH_MAX = 4096
_NESTED_CASTS_MAX = 8

_FUNCTIONS = {
    "NOW()": DefaultFunction.NOW,
    "CURRENT_TIMESTAMP": DefaultFunction.NOW,
    "CURRENT_TIMESTAMP()": DefaultFunction.NOW,
    "UUID_V7()": DefaultFunction.UUID_V7,
    "SNOWFLAKE_ID()": DefaultFunction.SNOWFLAKE_ID,
    "CURRENT_USER": DefaultFunction.CURRENT_USER,
    "CURRENT_USER()": DefaultFunction.CURRENT_USER,
}


class LiteralDialect(Dialect):
    """SQL expressions with DataFusion's rules for quotes."""

    class Tokenizer(tokens.Tokenizer):
        """Double quotes and backticks are names; X'…' is binary; a backslash is a letter."""

        IDENTIFIERS = ['"', "`"]  # noqa: RUF012 - sqlglot reads plain class attributes
        HEX_STRINGS = [("x'", "'"), ("X'", "'")]  # noqa: RUF012
        STRING_ESCAPES = ["'"]  # noqa: RUF012


def parse_default(text: str, declared: pa.DataType, column: str) -> Default:
    """Return the DEFAULT that `text` asks for; raise UNSUPPORTED or INVALID naming the column."""
    if len(text) > DEFAULT_LENGTH_MAX:
        raise DatabaseError(
            ErrorKind.INVALID, f"DEFAULT of column {column} is longer than {DEFAULT_LENGTH_MAX} letters"
        )
    function = _FUNCTIONS.get("".join(token.text.upper() for token in tokenize(text)))
    if function is not None:
        return Default(function=_fitting(function, declared, column))
    if not _is_literal(_expression(text, column), _NESTED_CASTS_MAX):
        raise DatabaseError(
            ErrorKind.UNSUPPORTED,
            f"DEFAULT of column {column} must be a literal, NOW(), UUID_V7(), SNOWFLAKE_ID() or CURRENT_USER, "
            f"not {text[:80]!r}",
        )
    return Default(literal=text)


def _expression(text: str, column: str) -> exp.Expr:
    try:
        return parse_one(text, into=exp.Condition, dialect=LiteralDialect)
    except (SqlglotError, RecursionError):
        raise DatabaseError(ErrorKind.SYNTAX, f"cannot read the DEFAULT of column {column}: {text[:80]!r}") from None


def _is_literal(node: object, casts_left: int) -> bool:
    if isinstance(node, (exp.Literal, exp.Boolean, exp.Null, exp.HexString)):
        return True
    if isinstance(node, exp.Neg):
        return isinstance(node.this, exp.Literal) and not node.this.is_string
    return isinstance(node, exp.Cast) and casts_left > 0 and _is_literal(node.this, casts_left - 1)


def _fitting(function: DefaultFunction, declared: pa.DataType, column: str) -> DefaultFunction:
    fits = {
        DefaultFunction.NOW: pa.types.is_timestamp(declared) or pa.types.is_date(declared),
        DefaultFunction.UUID_V7: declared in (pa.uuid(), pa.string()),
        DefaultFunction.SNOWFLAKE_ID: declared == pa.int64(),
        DefaultFunction.CURRENT_USER: declared == pa.string(),
    }
    if not fits[function]:
        raise DatabaseError(
            ErrorKind.INVALID, f"DEFAULT {function.value} does not fit column {column} of type {format_type(declared)}"
        )
    return function
