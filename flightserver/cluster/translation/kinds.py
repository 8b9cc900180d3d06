"""Values of a translated text: how each is written, which type it has here, and how two of them meet.

The types are those that our engine gives. Where the cluster's would be another, as with whole numbers that wrap
there, the text has a cast. A kind that is not plain is passed on as a column, and nothing is done with it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import pyarrow as pa

from catalog.errors import DatabaseError, ErrorKind

DOUBLE = pa.float64()
LONG = pa.int64()
TEXT = pa.string()
TRUTH = pa.bool_()
DAY = pa.date32()

DIGITS_MAX = 38
LONG_DIGITS = 19
AVERAGE_DIGITS = 4
QUOTIENT_DIGITS = 4
"""Digits after the point that our engine adds to a quotient or an average of decimals."""

_DIGITS_OF_WHOLE = {pa.int8(): 3, pa.int16(): 5, pa.int32(): 10, pa.int64(): 20}
_NAMES = {
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INT",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.string(): "STRING",
    pa.bool_(): "BOOLEAN",
    pa.date32(): "DATE",
}
_DAY_TEXT = re.compile(r"\d{4}-\d\d-\d\d")


def refused(why: str) -> DatabaseError:
    """What a statement is refused with that cannot be translated faithfully."""
    return DatabaseError(ErrorKind.UNSUPPORTED, f"this query cannot run on the cluster: {why}; SET engine = 'local'")


@dataclass(frozen=True)
class Value:
    """Something that has a value, as the cluster's text in brackets; `kind` is None for NULL.

    A `literal` is what a constant says. A number with a point is taken for a double until it meets a decimal.
    """

    text: str
    kind: pa.DataType | None
    nullable: bool = True
    literal: str | None = None

    @property
    def is_whole(self) -> bool:
        """Tell whether it is a whole number."""
        return self.kind in _DIGITS_OF_WHOLE

    @property
    def is_decimal(self) -> bool:
        """Tell whether it is a decimal."""
        return self.kind is not None and bool(pa.types.is_decimal128(self.kind))

    @property
    def is_double(self) -> bool:
        """Tell whether it is a double."""
        return bool(self.kind == DOUBLE)

    @property
    def precision(self) -> int:
        """The digits of a decimal."""
        return self.kind.precision if self.kind is not None and self.is_decimal else 0

    @property
    def scale(self) -> int:
        """Of those, the ones after the point."""
        return self.kind.scale if self.kind is not None and self.is_decimal else 0

    @property
    def has_point(self) -> bool:
        """Tell whether it is a constant with a point and without an exponent."""
        return self.is_double and self.literal is not None and "e" not in self.literal.lower()

    @property
    def is_plain(self) -> bool:
        """Tell whether something can be done with it."""
        is_moment = bool(self.kind is not None and pa.types.is_timestamp(self.kind) and self.kind.tz is None)
        return bool(self.kind in _NAMES or self.is_decimal or is_moment)


def known(value: Value, what: str) -> Value:
    """The value, of which more is asked than to be there."""
    if value.kind is None:
        raise refused(f"NULL in {what}")
    if not value.is_plain:
        raise refused(f"{what} of the type {value.kind}")
    return value


def name_of(kind: pa.DataType) -> str:
    """What the cluster calls a type."""
    if pa.types.is_decimal128(kind):
        return f"DECIMAL({kind.precision},{kind.scale})"
    found = _NAMES.get(kind)
    if found is None:
        raise refused(f"a cast to {kind}")
    return found


def cast(value: Value, kind: pa.DataType) -> Value:
    """The value in another type that holds it."""
    if value.kind == kind:
        return value
    return Value(f"CAST({value.text} AS {name_of(kind)})", kind, value.nullable)


def decimal_of(digits: int, scale: int) -> pa.DataType:
    """A decimal type within what there is."""
    return pa.decimal128(min(DIGITS_MAX, digits), min(DIGITS_MAX, scale))


def number(text: str) -> Value:
    """A constant number."""
    if re.fullmatch(r"-?\d+", text):
        if not -(1 << 63) <= int(text) < 1 << 63:
            raise refused("a whole number beyond BIGINT")
        return Value(f"CAST('{text}' AS BIGINT)", LONG, nullable=False, literal=text)
    return Value(f"CAST('{text}' AS DOUBLE)", DOUBLE, nullable=False, literal=text)


def text(letters: str) -> Value:
    """A constant text. A letter that the cluster could take for the beginning of something else is refused."""
    if not letters.isprintable():
        raise refused("a text with control characters")
    escaped = letters.replace("\\", "\\\\").replace("'", "\\'")
    return Value(f"'{escaped}'", TEXT, nullable=False, literal=letters)


def day(letters: str) -> Value:
    """A constant date."""
    if not _DAY_TEXT.fullmatch(letters):
        raise refused("a date that is not written as YYYY-MM-DD")
    try:
        date.fromisoformat(letters)
    except ValueError:
        raise refused("a date that is none") from None
    return Value(f"CAST('{letters}' AS DATE)", DAY, nullable=False, literal=letters)


def as_decimal(value: Value) -> Value:
    """A whole number, or a constant with a point, as the decimal that our engine makes of it beside decimals."""
    if value.is_decimal:
        return value
    if value.has_point and value.literal is not None:
        whole, _, fraction = value.literal.lstrip("-").partition(".")
        digits = max(len(whole.lstrip("0") + fraction), len(fraction), 1)
        if digits > DIGITS_MAX:
            raise refused("a decimal with more than 38 digits")
        kind = pa.decimal128(digits, len(fraction))
        return Value(f"CAST('{value.literal}' AS {name_of(kind)})", kind, nullable=False)
    if value.is_whole:
        return cast(value, pa.decimal128(_DIGITS_OF_WHOLE[value.kind], 0))
    raise refused("numbers of two kinds that are combined")


def met(left: Value, right: Value) -> tuple[Value, Value]:
    """Two values, as a constant with a point among them is read beside the other one."""
    if left.has_point and right.is_decimal:
        second, first = met(right, left)
        return first, second
    if not (left.is_decimal and right.has_point):
        return left, right
    return left, as_decimal(right)


def comparable(left: Value, right: Value) -> tuple[Value, Value]:
    """Two values as they can be compared, exactly."""
    left, right = known(left, "a comparison"), known(right, "a comparison")
    if left.kind == DAY and right.kind == TEXT and right.literal is not None:
        return left, day(right.literal)
    if right.kind == DAY and left.kind == TEXT and left.literal is not None:
        return day(left.literal), right
    if left.is_whole and right.is_whole:
        return cast(left, LONG), cast(right, LONG)
    left, right = met(left, right)
    if left.is_decimal or right.is_decimal:
        return as_decimal(left), as_decimal(right)
    if left.is_double and right.literal is not None and right.is_whole:
        return ordered(left), ordered(cast(right, DOUBLE))
    if right.is_double and left.literal is not None and left.is_whole:
        return ordered(cast(left, DOUBLE)), ordered(right)
    if left.kind != right.kind:
        raise refused(f"a comparison of {left.kind} with {right.kind}")
    return ordered(left), ordered(right)


def ordered(value: Value) -> Value:
    """The value with one zero and one NaN, by which it is compared, sorted and counted."""
    if not value.is_double:
        return value
    inner, zero = value.text, "CAST(0 AS DOUBLE)"
    is_zero = f"{inner} = {zero} OR {inner} = CAST('-0.0' AS DOUBLE)"
    one = f"(CASE WHEN isnan({inner}) THEN CAST('NaN' AS DOUBLE) WHEN {is_zero} THEN {zero} ELSE {inner} END)"
    return replace(value, text=one)


def united(values: Sequence[Value], what: str) -> list[Value]:
    """Values of which one is chosen, each in the type that our engine gives to the choice."""
    some = [known(value, what) for value in values if value.kind is not None]
    kinds = {value.kind for value in some}
    if not some:
        raise refused(f"{what} of NULLs alone")
    if len(kinds) == 1:
        common = some[0].kind
    elif all(value.is_whole for value in some):
        common = LONG
    elif any(value.is_decimal for value in some):
        decimals = [as_decimal(value) for value in some]
        scale = max(one.scale for one in decimals)
        whole = max(one.precision - one.scale for one in decimals)
        if whole + scale > DIGITS_MAX:
            raise refused(f"{what} of decimals with more than 38 digits")
        common = pa.decimal128(whole + scale, scale)
        values = [as_decimal(value) if value.kind is not None else value for value in values]
    elif all(value.is_double or (value.literal is not None and value.is_whole) for value in some):
        common = DOUBLE
    elif kinds == {DAY, TEXT} and all(value.literal is not None for value in some if value.kind == TEXT):
        common = DAY
        values = [day(value.literal or "") if value.kind == TEXT else value for value in values]
    else:
        raise refused(f"{what} of several types")
    return [Value("NULL", common) if one.kind is None else cast(one, common) for one in values]
