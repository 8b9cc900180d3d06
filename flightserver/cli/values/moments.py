"""Dates, times, timestamps and spans of time as text and back.

Arrow converts what lies in the years 1 to 9999. Beyond them its text is wrong or cannot be read again, and so is that
of moments whose zone was off by seconds, as most were before clocks were set by wire: those are written a value at a
time, with the year as it counts (`10000-01-01`, `-0001-12-31`) and in UTC.
"""

import re
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
_DAY_SECONDS = 86_400
_NEAR_DAYS = (-719_162, 2_932_896)
"""0001-01-01 and 9999-12-31, as days since 1970."""
_LEAST_COUNT, _MOST_COUNT = -(2**63), 2**63 - 1

_NO_FRACTION = r"\.0+(Z|[+-]\d{4})?$"
_CLOCK = r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?"
_TIME = re.compile(_CLOCK)
_MOMENT = re.compile(rf"([+-]?\d{{4,9}})-(\d\d)-(\d\d)(?:[T ]{_CLOCK}\s?(Z|[+-]\d\d(?::?\d\d)?)?)?")


def moment_texts(column: pa.Array) -> pa.Array:
    """Dates, times and timestamps as text; a fraction of nothing but zeros is left out."""
    if pa.types.is_time(column.type):
        return _without_zeros(column.cast(pa.string()))
    near = _is_near(column)
    if pc.all(near, min_count=0).as_py():
        return _without_zeros(column.cast(pa.string()))
    shown = _without_zeros(_where(near, column).cast(pa.string()))
    far = [_far_text(count, column.type) if is_near is False else None for count, is_near in _pairs(column, near)]
    return pc.coalesce(shown, pa.array(far, pa.string()))


def read_moments(texts: pa.Array, target: pa.DataType) -> pa.Array:
    """Text as dates, times or timestamps; ValueError (an ArrowInvalid is one) where a value is none of the type.

    Nothing is cut off or made up: more digits than the type has, a zone that the type has no place for, and a missing
    zone are all refused.
    """
    try:
        if pa.types.is_time(target):
            unit = "ms" if pa.types.is_time32(target) else target.unit
            return pc.binary_join_element_wise("1970-01-01", texts, " ").cast(pa.timestamp(unit)).cast(target)
        return texts.cast(target)
    except pa.ArrowInvalid:
        integers = pa.int32() if target.bit_width == 32 else pa.int64()
        read = _reader(target)
        values = [None if text is None else read(text.strip()) for text in texts.to_pylist()]
        return pa.array(values, integers).view(target)


def interval_text(months: int, days: int, nanoseconds: int) -> str:
    """A span of time as PostgreSQL writes it: `1 year 2 mons -3 days +04:05:06.7`."""
    years, months = _parts(months, 12)
    words: list[str] = []
    is_before = False
    for count, unit in ((years, "year"), (months, "mon"), (days, "day")):
        if count:
            words.append(f"{'+' if is_before and count > 0 else ''}{count} {unit}{'' if count == 1 else 's'}")
            is_before = count < 0
    if nanoseconds or not words:
        sign = "-" if nanoseconds < 0 else "+" if is_before else ""
        words.append(sign + _clock(abs(nanoseconds), "ns"))
    return " ".join(words)


def interval_texts(column: pa.Array) -> pa.Array:
    """Intervals and durations as text; a day of a duration has 24 hours."""
    if pa.types.is_duration(column.type):
        scale = 10**9 // _PER_SECOND[column.type.unit]
        counts = column.cast(pa.int64()).to_pylist()
        spans = [None if count is None else (0, *_parts(count * scale, _DAY_SECONDS * 10**9)) for count in counts]
    else:
        spans = column.to_pylist()
    return pa.array([None if span is None else interval_text(*span) for span in spans], pa.string())


def _without_zeros(shown: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(shown, pattern=_NO_FRACTION, replacement=r"\1")


def _is_near(column: pa.Array) -> pa.Array:
    """Which values Arrow writes so that they can be read again; NULL for NULL."""
    least, most = _NEAR_DAYS
    if pa.types.is_date32(column.type):
        return _between(column.cast(pa.int32()), least, most)
    if pa.types.is_date64(column.type):
        return _between(column.cast(pa.int64()), least * _DAY_SECONDS * 1000, most * _DAY_SECONDS * 1000)
    day = _DAY_SECONDS * _PER_SECOND[column.type.unit]
    near = _between(
        column.cast(pa.int64()), max((least + 1) * day, _LEAST_COUNT + day), min(most * day, _MOST_COUNT - day)
    )
    if column.type.tz is None:
        return near
    return pc.and_kleene(near, _has_plain_zone(_where(near, column)))


def _where(wanted: pa.Array, column: pa.Array) -> pa.Array:
    return pc.if_else(wanted, column, pa.scalar(None, column.type))


def _between(counts: pa.Array, least: int, most: int) -> pa.Array:
    return pc.and_(pc.greater_equal(counts, least), pc.less_equal(counts, most))


def _has_plain_zone(column: pa.Array) -> pa.Array:
    """Where the zone is known here and off by whole minutes; Arrow writes no seconds of it."""
    try:
        local = pc.local_timestamp(column).cast(pa.int64())
    except pa.ArrowException:  # a zone that this machine does not know
        return _where(column.is_valid(), pa.repeat(False, len(column)))
    minute = 60 * _PER_SECOND[column.type.unit]
    off = pc.subtract(local, column.cast(pa.int64()))
    return pc.equal(pc.multiply(pc.divide(off, minute), minute), off)


def _pairs(column: pa.Array, near: pa.Array) -> list[tuple[int, bool | None]]:
    integers = pa.int32() if column.type.bit_width == 32 else pa.int64()
    return list(zip(column.view(integers).to_pylist(), near.to_pylist(), strict=True))


def _far_text(count: int, data_type: pa.DataType) -> str:
    if pa.types.is_date(data_type):
        return _date_text(count if pa.types.is_date32(data_type) else count // (_DAY_SECONDS * 1000))
    days, rest = divmod(count, _DAY_SECONDS * _PER_SECOND[data_type.unit])
    return f"{_date_text(days)} {_clock(rest, data_type.unit)}{'' if data_type.tz is None else 'Z'}"


def _date_text(days: int) -> str:
    year, month, day = str(np.datetime64(days, "D")).rsplit("-", 2)
    return f"{int(year):0{5 if year.startswith('-') else 4}d}-{month}-{day}"


def _clock(count: int, unit: str) -> str:
    """A count of units since midnight as a time of day; hours may be more than 24."""
    seconds, fraction = divmod(count, _PER_SECOND[unit])
    digits = f".{fraction:0{_DIGITS[unit]}d}".rstrip("0") if fraction else ""
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{digits}"


def _parts(count: int, size: int) -> tuple[int, int]:
    """Whole sizes and the rest, both with the sign of the count."""
    whole, rest = divmod(abs(count), size)
    return (-whole, -rest) if count < 0 else (whole, rest)


def _reader(target: pa.DataType) -> Callable[[str], int]:
    """How the text of one value becomes its integer."""
    if pa.types.is_time(target):
        return lambda text: _read_clock(_match(_TIME, text).groups(), target.unit)
    if pa.types.is_date(target):
        return _read_date
    return lambda text: _read_timestamp(text, target)


def _match(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    match = pattern.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no moment")
    return match


def _read_date(text: str) -> int:
    match = _match(_MOMENT, text)
    if match[4] is not None:
        raise ValueError(f"{text!r} has a time of day")
    return _days(match)


def _read_timestamp(text: str, target: pa.DataType) -> int:
    match = _match(_MOMENT, text)
    if (match[8] is None) != (target.tz is None):
        raise ValueError(f"{text!r} has {'no' if match[8] is None else 'a'} zone")
    day = _DAY_SECONDS * _PER_SECOND[target.unit]
    offset = _offset_seconds(match[8] or "Z") * _PER_SECOND[target.unit]
    count = _days(match) * day + _read_clock(match.groups()[3:7], target.unit) - offset
    if not _LEAST_COUNT <= count <= _MOST_COUNT:
        raise ValueError(f"{text!r} is out of range")
    return count


def _days(match: re.Match[str]) -> int:
    return int(np.datetime64(f"{match[1]}-{match[2]}-{match[3]}", "D").astype(np.int64))


def _read_clock(groups: tuple[str | None, ...], unit: str) -> int:
    hours, minutes, seconds = (int(group or 0) for group in groups[:3])
    if hours > 23 or minutes > 59 or seconds > 59:
        raise ValueError("no time of day")
    digits = (groups[3] or "").ljust(_DIGITS["ns"], "0")
    kept, lost = digits[: _DIGITS[unit]], digits[_DIGITS[unit] :]
    if lost.strip("0"):
        raise ValueError("more digits than the type has")
    return ((hours * 60 + minutes) * 60 + seconds) * _PER_SECOND[unit] + int(kept or 0)


def _offset_seconds(zone: str) -> int:
    if zone == "Z":
        return 0
    digits = zone[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600 + int(digits[2:] or 0) * 60
    return -seconds if zone[0] == "-" else seconds
