"""Dates, times and timestamps out of text and out of each other, as counts: exact over the whole range of every type.

The session's zone is UTC. Text and timestamps without a zone are moments in UTC where a zone is asked for, whatever
zone the column shows; a timestamp with a zone has the date and the time that it has in UTC.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

DAY_SECONDS = 86_400
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_FRACTION_DIGITS = 9
_HOUR_MAX = 23
_SHOWN_MAX = 60

_DAY = r"(?P<year>[1-9]\d{3}|0[1-9]\d\d|00[1-9]\d|000[1-9])-(?P<month>\d{1,2})-(?P<day>\d{1,2})"
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d)(?:[.,](?P<fraction>\d+))?)?"
_ZONE = r"\s*(?:[zZ]|UTC|(?P<sign>[+-])(?P<zone_hour>\d{1,2}):?(?P<zone_minute>[0-5]\d)?)?"
_TIMESTAMP = rf"^\s*{_DAY}(?:(?:\s+|[tT]){_CLOCK}{_ZONE})?\s*$"
_TIME = rf"^\s*{_CLOCK}\s*$"


def is_moment(data_type: pa.DataType) -> bool:
    """Tell whether a type is a date, a time or a timestamp."""
    return bool(pa.types.is_date(data_type) or pa.types.is_time(data_type) or pa.types.is_timestamp(data_type))


def moments_from_text(texts: pa.Array, target: pa.DataType) -> pa.Array:
    """Moments that are written as SQL or ISO 8601 write them. Digits that the type has no room for are cut off.

    A date may be written with a time, which is left out. ValueError for a text that is none, lies outside of the type's
    range, or has an offset where the type has no zone.
    """
    is_time = bool(pa.types.is_time(target))
    parts = pc.extract_regex(texts, _TIME if is_time else _TIMESTAMP)
    refuse_where(texts, parts.is_null(), f"is no {'time' if is_time else 'date'}")
    if pa.types.is_date(target):
        return _days(parts)
    seconds = _clock_seconds(texts, parts)
    if not is_time:
        offset = _offset_seconds(parts)
        if target.tz is None:
            refuse_where(texts, pc.not_equal(offset, 0), "has an offset, which a type without a zone would lose")
        midnight = pc.multiply(_counts(_days(parts)), DAY_SECONDS)
        seconds = pc.subtract(pc.add(midnight, seconds), offset)
    units = _PER_SECOND[target.unit]
    digits = pc.utf8_slice_codeunits(pc.utf8_rpad(_part(parts, "fraction"), _FRACTION_DIGITS, "0"), 0, _FRACTION_DIGITS)
    fraction = pc.divide(digits.cast(pa.int64()), _PER_SECOND["ns"] // units)
    return _moments(_scaled(seconds, units, target, fraction), target)


def moments_from_moments(values: pa.Array, target: pa.DataType, *, exact: bool) -> pa.Array:
    """The same moments in another type. Finer digits and times of day are cut off, or refused when it must be `exact`.

    ValueError for moments outside of the type's range.
    """
    counts, per_day, wanted = _counts(values), _per_day(values.type), _per_day(target)
    if pa.types.is_time(target):
        counts = _floor_divided(counts, per_day)[1]
    if wanted >= per_day:
        return _moments(_scaled(counts, wanted // per_day, target), target)
    whole, rest = _floor_divided(counts, per_day // wanted)
    if exact and pc.any(pc.not_equal(rest, 0)).as_py():
        raise ValueError(f"a moment has more digits than {target}")
    return _moments(whole, target)


def text_of_moments(values: pa.Array) -> pa.Array:
    """Moments as SQL writes them, those with a zone in UTC; a fraction has no zeros at its end."""
    if pa.types.is_timestamp(values.type) and values.type.tz is not None:
        local = text_of_moments(values.cast(pa.timestamp(values.type.unit)))
        return pc.binary_join_element_wise(local, "+00", "")
    return pc.replace_substring_regex(values.cast(pa.string()), r"(?:(\.\d*[1-9])|\.)0+$", r"\1")


def refuse_where(texts: pa.Array, wrong: pa.Array, reason: str) -> None:
    """Raise ValueError with the first text that is `wrong`, if one is; NULL never is."""
    culprits = texts.filter(pc.and_(texts.is_valid(), wrong))
    if len(culprits):
        raise ValueError(f"{culprits[0].as_py()[:_SHOWN_MAX]!r} {reason}")


def _per_day(data_type: pa.DataType) -> int:
    if data_type == pa.date32():
        return 1
    return DAY_SECONDS * _PER_SECOND["ms" if data_type == pa.date64() else data_type.unit]


def _counts(values: pa.Array) -> pa.Array:
    """Days or units since 1970 or midnight."""
    return values.view(pa.int32() if values.type.bit_width == 32 else pa.int64()).cast(pa.int64())


def _moments(counts: pa.Array, target: pa.DataType) -> pa.Array:
    try:
        return counts.cast(pa.int32() if target.bit_width == 32 else pa.int64()).view(target)
    except pa.ArrowInvalid:
        raise _out_of_range(target) from None


def _scaled(counts: pa.Array, factor: int, target: pa.DataType, more: pa.Array | None = None) -> pa.Array:
    """`counts` times `factor`, and some `more` of the finer units, fewer than `factor`."""
    try:
        if more is None:
            return pc.multiply_checked(counts, factor)
        early = pc.less(counts, 0).cast(pa.int64())  # counted towards 0, or the first moments of a type would not fit
        return pc.add_checked(
            pc.multiply_checked(pc.add(counts, early), factor), pc.subtract(more, pc.multiply(early, factor))
        )
    except pa.ArrowInvalid:
        raise _out_of_range(target) from None


def _out_of_range(target: pa.DataType) -> ValueError:
    return ValueError(f"a moment is outside of the range of {target}")


def _floor_divided(counts: pa.Array, divisor: int) -> tuple[pa.Array, pa.Array]:
    """Whole parts and rests; a rest is never negative."""
    missing = counts.is_null().to_numpy(zero_copy_only=False)
    whole, rest = np.divmod(pc.fill_null(counts, 0).to_numpy(), divisor)
    return pa.array(whole, mask=missing), pa.array(rest, mask=missing)


def _part(parts: pa.StructArray, name: str) -> pa.Array:
    return pc.struct_field(parts, name)


def _number(parts: pa.StructArray, name: str) -> pa.Array:
    """A part as a number; 0 where it was left out."""
    return pc.replace_substring_regex(_part(parts, name), "^$", "0").cast(pa.int64())


def _days(parts: pa.StructArray) -> pa.Array:
    month, day = (pc.utf8_lpad(_part(parts, name), 2, "0") for name in ("month", "day"))
    return pc.binary_join_element_wise(_part(parts, "year"), month, day, "-").cast(pa.date32())


def _clock_seconds(texts: pa.Array, parts: pa.StructArray) -> pa.Array:
    hours = _number(parts, "hour")
    refuse_where(texts, pc.greater(hours, _HOUR_MAX), "is no time of a day")
    return _seconds(hours, _number(parts, "minute"), _number(parts, "second"))


def _offset_seconds(parts: pa.StructArray) -> pa.Array:
    """How far a zone is east of UTC."""
    east = _seconds(_number(parts, "zone_hour"), _number(parts, "zone_minute"), pa.scalar(0))
    return pc.if_else(pc.equal(_part(parts, "sign"), "-"), pc.negate(east), east)


def _seconds(hours: pa.Array, minutes: pa.Array, seconds: pa.Array | pa.Scalar) -> pa.Array:
    return pc.add(pc.add(pc.multiply(hours, 3600), pc.multiply(minutes, 60)), seconds)
