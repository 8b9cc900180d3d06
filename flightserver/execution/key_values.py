"""Constants and parameters of look-ups as values of the columns that they are compared with.

A value is taken only when the engine compares the column with exactly that value: a whole number that the column can
hold, a text beside a text, a day as the standard writes it. Whatever it would convert, round, cut or refuse has no
value here, and the engine says what it means.
"""

import datetime as dt
import math
import re
from collections.abc import Mapping
from decimal import Context as DecimalContext
from decimal import Decimal

import pyarrow as pa

from catalog.definition import Column
from catalog.types import DECIMAL_PRECISION_MAX
from flightserver.sql.meaning.lookups import Constant, Value
from flightserver.sql.meaning.uuids import canonical_text
from flightserver.sql.text.query_text import QueryText
from flightserver.sql.text.tokens import string_value

Parameters = Mapping[str, pa.Scalar]

Native = int | str | bytes | bool | float | Decimal
"""What Arrow makes a value of without a loss; days and moments are numbers of their units."""

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?", re.ASCII)
_EPOCH, _EPOCH_DAY = dt.datetime(1970, 1, 1), dt.date(1970, 1, 1)
_YEARS = range(1700, 2200)
"""Years that every moment can have, whatever its digits are."""

_DIGITS = {"ms": 3, "us": 6, "ns": 9}
_EXACT_IN_DOUBLE = 1 << 53
_BIGINT_MAX = (1 << 63) - 1
_EXACT = DecimalContext(prec=2 * DECIMAL_PRECISION_MAX)


def native_of(column: Column, value: Value, text: QueryText, parameters: Parameters) -> Native | None:
    """The value of a column's stored type that is meant; None where only the engine knows."""
    if isinstance(value, Constant):
        return _said(column, value, text)
    scalar = parameters.get(str(value.number))
    return None if scalar is None or not scalar.is_valid else _bound(column, scalar)


def _said(column: Column, value: Constant, text: QueryText) -> Native | None:
    token = text.tokens[value.token]
    sign = "-" if value.is_negative else ""
    match value.kind:
        case "integer" if token.text.isdigit():
            return _of_whole(column, int(sign + token.text))
        case "decimal":
            number = Decimal(sign + token.text)
            is_double = pa.types.is_float64(column.storage)
            return _of_float(float(number)) if is_double else _of_decimal(column, number)
        case "float" if pa.types.is_float64(column.storage):
            return _of_float(float(sign + token.text))
        case "boolean" if pa.types.is_boolean(column.storage) and not sign:
            return token.key == "TRUE"
        case "string" if token.text[0] in "'$" and not sign:
            return _of_text(column, string_value(token))
        case "DATE" | "TIMESTAMP" as kind if token.text[0] == "'" and text.tokens[value.token - 1].key == kind:
            is_kind = pa.types.is_date(column.storage) if kind == "DATE" else _is_plain_moment(column.storage)
            return _of_text(column, string_value(token)) if is_kind else None
    return None


def _bound(column: Column, scalar: pa.Scalar) -> Native | None:
    bound, storage, types = scalar.type, column.storage, pa.types
    if types.is_boolean(bound):
        return bool(scalar.as_py()) if types.is_boolean(storage) else None
    if types.is_integer(bound):
        return _of_whole(column, scalar.as_py())
    if types.is_decimal128(bound):
        return _of_decimal(column, scalar.as_py())
    if types.is_float64(bound):
        return _of_float(scalar.as_py()) if types.is_float64(storage) else None
    if types.is_string(bound) or types.is_large_string(bound) or types.is_string_view(bound):
        return _of_text(column, scalar.as_py()) if types.is_string(storage) else None
    if types.is_binary(bound) or types.is_large_binary(bound) or types.is_binary_view(bound):
        return bytes(scalar.as_py()) if types.is_binary(storage) else None
    return int(scalar.value) if types.is_temporal(bound) and bound == storage else None


def _of_whole(column: Column, number: int) -> Native | None:
    storage = column.storage
    if pa.types.is_integer(storage):
        bits = storage.bit_width
        low, high = (-(1 << bits - 1), 1 << bits - 1) if pa.types.is_signed_integer(storage) else (0, 1 << bits)
        return number if low <= number < high else None
    if abs(number) > _BIGINT_MAX:  # the engine reads it as a double
        return None
    if pa.types.is_float64(storage):
        return float(number) if abs(number) <= _EXACT_IN_DOUBLE else None
    return _of_decimal(column, Decimal(number))


def _of_decimal(column: Column, number: Decimal) -> Native | None:
    storage = column.storage
    if not pa.types.is_decimal128(storage) or len(number.as_tuple().digits) > DECIMAL_PRECISION_MAX:
        return None
    units = number.scaleb(storage.scale, _EXACT)
    is_stored = units == units.to_integral_value(context=_EXACT) and abs(units) < 10**storage.precision
    return units.to_integral_value(context=_EXACT).scaleb(-storage.scale, _EXACT) if is_stored else None


def _of_float(number: float) -> Native | None:
    """A double. Engines differ in what a negative zero and NaN are equal to."""
    return None if math.isnan(number) or (number == 0 and math.copysign(1, number) < 0) else number


def _of_text(column: Column, text: str) -> Native | None:
    storage = column.storage
    if column.type == pa.uuid():
        return canonical_text(text)
    if pa.types.is_string(storage):
        return text
    try:
        if pa.types.is_date(storage) and _DAY.fullmatch(text):
            return (dt.date.fromisoformat(text) - _EPOCH_DAY).days
        moment = _MOMENT.fullmatch(text) if _is_plain_moment(storage) or storage == _ZONED else None
        return None if moment is None else _units(dt.datetime.fromisoformat(moment[1]), moment[2] or "", storage.unit)
    except ValueError:  # there is no such day
        return None


def _units(moment: dt.datetime, fraction: str, unit: str) -> int | None:
    digits: int = _DIGITS[unit]
    if moment.year not in _YEARS or len(fraction) > digits:
        return None
    since = moment - _EPOCH
    units: int = (since.days * 86_400 + since.seconds) * 10**digits
    return units + int(fraction.ljust(digits, "0"))


def _is_plain_moment(data_type: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(data_type)) and data_type.tz is None


_ZONED = pa.timestamp("us", "UTC")
"""A text without a zone is in the session's, which is UTC."""
