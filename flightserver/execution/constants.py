"""Constants of VALUES as columns of Arrow, each in the type that loses nothing on the way to its column."""

from decimal import Decimal, InvalidOperation

import pyarrow as pa

from catalog.definition import Column
from catalog.errors import DatabaseError, ErrorKind
from catalog.types import DECIMAL_PRECISION_MAX, format_type
from flightserver.sql.literal_rows import Constants


def column_of_constants(constants: Constants, column: Column) -> pa.Array:
    """The constants that are meant for a column. INVALID for a number that no type holds."""
    texts = constants.texts
    if all(text is None for text in texts):
        return pa.nulls(len(texts))
    if constants.are_words:
        return pa.array([None if text is None else text == "true" for text in texts], pa.bool_())
    if not constants.are_numbers or pa.types.is_string(column.storage):
        return pa.array(texts, pa.string())
    try:
        found = _numbers(texts, column.storage)
    except (pa.ArrowException, ValueError, InvalidOperation) as error:
        message = f"column {column.name}: a number does not fit type {format_type(column.type)}"
        raise DatabaseError(ErrorKind.INVALID, message) from error
    _check_range(texts, found, column)
    return found


def _check_range(texts: list[str | None], numbers: pa.Array, column: Column) -> None:
    """Raise INVALID for the first number that a column of whole numbers does not hold, by name."""
    if not pa.types.is_integer(column.storage) or not pa.types.is_decimal128(numbers.type) or numbers.type.scale:
        return
    width = column.storage.bit_width
    is_signed = pa.types.is_signed_integer(column.storage)
    low, high = (-(2 ** (width - 1)), 2 ** (width - 1) - 1) if is_signed else (0, 2**width - 1)
    for text in texts:
        if text is not None and not low <= int(text) <= high:
            raise DatabaseError(
                ErrorKind.INVALID,
                f"column {column.name} has type {format_type(column.type)}, which {text} does not fit",
            )


def _numbers(texts: list[str | None], target: pa.DataType) -> pa.Array:
    if pa.types.is_floating(target):
        return pa.array(texts, pa.string()).cast(pa.float64())
    if not any(text is not None and not text.lstrip("-").isdigit() for text in texts):
        whole = [None if text is None else int(text) for text in texts]
        fits = all(value is None or -(2**63) <= value < 2**63 for value in whole)
        return pa.array(whole, pa.int64()) if fits else pa.array(list(map(_decimal, texts)), pa.decimal128(38, 0))
    if not (pa.types.is_decimal(target) or pa.types.is_integer(target)):
        return pa.array(texts, pa.string()).cast(pa.float64())
    values = [_decimal(text) for text in texts]
    scale = max(-int(value.as_tuple().exponent) for value in values if value is not None)
    return pa.array(values, pa.decimal128(DECIMAL_PRECISION_MAX, max(scale, 0)))


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
