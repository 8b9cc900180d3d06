"""Quotients of DECIMALs: the engine cuts them after four digits more than the dividend has.

In PostgreSQL they have sixteen significant digits at least. So the dividend gets so many digits that the quotient has
sixteen behind its point, or as many as there is room for in 38. They are cut there: rounded by the engine's `round` or
by a cast, a quotient in a condition would be compared as what it was before.
"""

import pyarrow as pa

from flightserver.sql.meaning.types import ANY_DECIMAL, is_whole
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

DIGITS = 16
_DIGITS_MAX = 38
_MORE = 4
"""What the engine adds by itself."""

_DIGITS_OF = {8: 3, 16: 5, 32: 10, 64: 20}
"""As the engine has whole numbers beside DECIMALs, by their bits."""


def write(writing: Writing) -> None:
    """Widen what is divided."""
    if not writing.has("/"):
        return
    for node, found in writing.of_kind(tree.Binary):
        if node.operator != "/":
            continue
        left, right = (_decimal(writing.type_of(side, found)) for side in (node.left, node.right))
        is_exact = any(_is_decimal(writing.type_of(side, found)) for side in (node.left, node.right))
        if left is not None and right is not None and is_exact:
            _write(writing, node, left, right)
            writing.keep_name(found, writing.written(node))


def _write(writing: Writing, node: tree.Binary, left: pa.Decimal128Type, right: pa.Decimal128Type) -> None:
    room = _DIGITS_MAX - (left.precision - left.scale + right.scale)
    digits = min(DIGITS, room)
    if digits > left.scale + _MORE:
        writing.edits.wrap(node.left, "CAST(", f" AS DECIMAL({_DIGITS_MAX},{digits - _MORE}))")


def _decimal(known: pa.DataType | None) -> pa.Decimal128Type | None:
    """A number's type as a DECIMAL; None where its digits are not known."""
    if known is not None and is_whole(known):
        return pa.decimal128(_DIGITS_OF[known.bit_width], 0)
    return known if _is_decimal(known) and known != ANY_DECIMAL else None


def _is_decimal(known: pa.DataType | None) -> bool:
    return known is not None and bool(pa.types.is_decimal(known))
