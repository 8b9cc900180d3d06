"""What is computed of numbers and days, so that it comes out as with our engine, or is an error.

Whole numbers are computed as decimals and cast back: the cluster would let them wrap.
"""

import calendar
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from operator import add, mul, sub

import pyarrow as pa

from flightserver.cluster.translation.kinds import (
    DAY,
    DIGITS_MAX,
    DOUBLE,
    LONG,
    LONG_DIGITS,
    QUOTIENT_DIGITS,
    Value,
    as_decimal,
    cast,
    day,
    decimal_of,
    known,
    met,
    refused,
)

_EXACT = {"+": add, "-": sub, "*": mul}
_LONG_DECIMAL = pa.decimal128(LONG_DIGITS, 0)
_YEARS_MAX = 9999


def computed(operator: str, left: Value, right: Value) -> Value:
    """`left operator right` for one of + - * / %."""
    left, right = known(left, "arithmetic"), known(right, "arithmetic")
    if left.is_whole and right.is_whole:
        return _whole(operator, left, right)
    if left.has_point and right.has_point and operator in _EXACT:
        exact = _EXACT[operator](Decimal(left.literal or ""), Decimal(right.literal or ""))
        return replace(_doubles(operator, left, right), literal=f"{exact:f}")
    if operator == "/" and (left.has_point or right.has_point):
        return _doubles(operator, left, right)
    left, right = met(left, right)
    if (left.is_decimal or right.is_decimal) and not _is_really_double(left) and not _is_really_double(right):
        return _decimals(operator, as_decimal(left), as_decimal(right))
    return _doubles(operator, left, right)


def _is_really_double(value: Value) -> bool:
    return value.is_double and not value.has_point


def _whole(operator: str, left: Value, right: Value) -> Value:
    kind = left.kind if left.kind == right.kind and left.literal is None else LONG
    if operator == "/":
        return cast(Value(f"({cast(left, LONG).text} div {cast(right, LONG).text})", None), kind)
    if operator == "%":
        return cast(Value(f"({cast(left, LONG).text} % {cast(right, LONG).text})", None), kind)
    exact = f"({cast(left, _LONG_DECIMAL).text} {operator} {cast(right, _LONG_DECIMAL).text})"
    return cast(Value(exact, None), kind)


def _decimals(operator: str, left: Value, right: Value) -> Value:
    first, second = left, right
    match operator:
        case "+" | "-":
            scale = max(first.scale, second.scale)
            whole = max(first.precision - first.scale, second.precision - second.scale)
            kind = decimal_of(whole + scale + 1, scale)
        case "*":
            if first.scale + second.scale > DIGITS_MAX:
                raise refused("a product with more than 38 digits after the point")
            kind = decimal_of(first.precision + second.precision + 1, first.scale + second.scale)
        case "/":
            kind = decimal_of(first.precision + QUOTIENT_DIGITS + second.scale, first.scale + QUOTIENT_DIGITS)
        case _:
            raise refused("the remainder of decimals")
    return Value(f"({left.text} {operator} {right.text})", kind)


def _doubles(operator: str, left: Value, right: Value) -> Value:
    if operator == "%":
        raise refused("the remainder of doubles")
    for value in (left, right):
        if not (value.is_double or value.is_decimal or value.is_whole):
            raise refused(f"arithmetic with {value.kind}")
    return Value(f"({cast(left, DOUBLE).text} {operator} {cast(right, DOUBLE).text})", DOUBLE)


def negative(value: Value) -> Value:
    """`-value`."""
    known(value, "a sign")
    if value.is_whole:
        return _whole("-", Value("CAST(0 AS BIGINT)", value.kind), value)
    if not (value.is_decimal or value.is_double):
        raise refused(f"a sign before {value.kind}")
    return Value(f"(- {value.text})", value.kind)


def moved(value: Value, amount: int, unit: str) -> Value:
    """A constant day so many days, months or years later."""
    if value.kind != DAY or value.literal is None:
        raise refused("an interval beside anything but a constant date")
    found = date.fromisoformat(value.literal)
    try:
        match unit.lower().removesuffix("s"):
            case "day":
                return day((found + timedelta(days=amount)).isoformat())
            case "week":
                return day((found + timedelta(weeks=amount)).isoformat())
            case "month":
                return day(_months_later(found, amount).isoformat())
            case "year":
                return day(_months_later(found, 12 * amount).isoformat())
    except (OverflowError, ValueError):
        raise refused("a date beyond the years 1 to 9999") from None
    raise refused(f"an interval of {unit}")


def _months_later(found: date, months: int) -> date:
    year, month = divmod(found.year * 12 + found.month - 1 + months, 12)
    if not 1 <= year <= _YEARS_MAX:
        raise OverflowError
    return date(year, month + 1, min(found.day, calendar.monthrange(year, month + 1)[1]))
