"""What a column's DEFAULT may say: a literal, or one of four functions.

A literal is kept as the client's own text. Everything else is refused, because a default is evaluated outside of any
query.
"""

import pyarrow as pa

from catalog.definition import Default, DefaultFunction
from catalog.errors import DatabaseError, ErrorKind
from catalog.types import format_type
from flightserver.sql.text.tokens import tokenize

DEFAULT_LENGTH_MAX = 4096

_FUNCTIONS = {
    "NOW()": DefaultFunction.NOW,
    "CURRENT_TIMESTAMP": DefaultFunction.NOW,
    "CURRENT_TIMESTAMP()": DefaultFunction.NOW,
    "UUID_V7()": DefaultFunction.UUID_V7,
    "SNOWFLAKE_ID()": DefaultFunction.SNOWFLAKE_ID,
    "CURRENT_USER": DefaultFunction.CURRENT_USER,
    "CURRENT_USER()": DefaultFunction.CURRENT_USER,
}


def parse_default(text: str, declared: pa.DataType, column: str) -> Default:
    """Return the DEFAULT that `text` asks for; raise UNSUPPORTED or INVALID naming the column."""
    if len(text) > DEFAULT_LENGTH_MAX:
        raise DatabaseError(
            ErrorKind.INVALID, f"DEFAULT of column {column} is longer than {DEFAULT_LENGTH_MAX} letters"
        )
    function = _FUNCTIONS.get("".join(token.text.upper() for token in tokenize(text)))
    if function is not None:
        return Default(function=_fitting(function, declared, column))
    from flightserver.sql.literal_trees import is_literal  # noqa: PLC0415 - 8 MB that few servers ever need

    if not is_literal(text, column):
        raise DatabaseError(
            ErrorKind.UNSUPPORTED,
            f"DEFAULT of column {column} must be a literal, NOW(), UUID_V7(), SNOWFLAKE_ID() or CURRENT_USER, "
            f"not {text[:80]!r}",
        )
    return Default(literal=text)


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
