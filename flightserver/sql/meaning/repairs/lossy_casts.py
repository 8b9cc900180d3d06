"""Casts of exact numbers that lose digits or refuse values, compared with something.

DataFusion 55 takes the cast from the number to what it is compared with, which only a cast that holds every value
allows: `CAST(d AS DECIMAL(4,1)) = 1.2` misses what rounds to 1.2, and what does not fit a narrower type is neither
NULL (TRY_CAST) nor an error (CAST). It does not look into `coalesce`. A condition gets into a comparison from any place
of a query, so all such casts are written so.
"""

import pyarrow as pa

from flightserver.sql.meaning.types import ANY_DECIMAL
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_DIGITS = {8: 3, 16: 5, 32: 10, 64: 20}
"""Of a whole number of so many bits."""


def repair(writing: Writing) -> None:
    """Hide casts to numbers that may not hold every value."""
    for cast, found in writing.of_kind(tree.Cast):
        target, given = writing.type_of(cast, found), writing.type_of(cast.operand, found)
        if target is None or not _is_exact(target) or _is_constant(cast.operand):
            continue
        if given is None or (_is_exact(given) and not _holds(target, given)):
            writing.edits.wrap(cast, "coalesce(", ", NULL)")
            writing.keep_name(found, writing.written(cast))


def _is_exact(data_type: pa.DataType) -> bool:
    return bool(pa.types.is_integer(data_type) or pa.types.is_decimal(data_type))


def _is_constant(value: tree.Expression) -> bool:
    return not any(isinstance(node, tree.Name | tree.Call | tree.Query) for node in tree.walk_here(value))


def _holds(target: pa.DataType, given: pa.DataType) -> bool:
    """Tell whether a type of exact numbers has every value of another."""
    if target == given:
        return bool(given != ANY_DECIMAL)
    if pa.types.is_decimal(target):
        if given == ANY_DECIMAL:
            return False
        digits, scale = (given.precision, given.scale) if pa.types.is_decimal(given) else (_DIGITS[given.bit_width], 0)
        return bool(target.scale >= scale and target.precision - target.scale >= digits - scale)
    if not pa.types.is_integer(given):
        return False
    if pa.types.is_unsigned_integer(target):
        return bool(pa.types.is_unsigned_integer(given) and target.bit_width >= given.bit_width)
    needed = given.bit_width + pa.types.is_unsigned_integer(given)
    return bool(target.bit_width >= needed)
