"""Intervals as PostgreSQL has them: their length, their days, and what is made of them by numbers."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

INTERVAL = pa.month_day_nano_interval()
DAYS_OF_MONTH = 30
"""As PostgreSQL compares intervals."""

MICROSECONDS_OF_DAY = 86_400_000_000
PARTS = np.dtype([("months", np.int32), ("days", np.int32), ("nanoseconds", np.int64)])
_SECONDS_OF_DAY = 86_400
_NANOSECONDS_OF_DAY = MICROSECONDS_OF_DAY * 1000


def interval_length(intervals: pa.Array) -> pa.Array:
    """The length of intervals in microseconds: a month has 30 days, a day 24 hours."""
    parts = parts_of(intervals)
    days = parts["months"].astype(np.int64) * DAYS_OF_MONTH + parts["days"]
    lengths = days * MICROSECONDS_OF_DAY + parts["nanoseconds"] // 1000
    return pa.array(lengths, mask=missing_in(intervals))


def interval_justified(intervals: pa.Array) -> pa.Array:
    """Intervals with whole days of their hours as days, as PostgreSQL has the differences of moments."""
    parts = parts_of(intervals).copy()
    days = (np.abs(parts["nanoseconds"]) // _NANOSECONDS_OF_DAY) * np.sign(parts["nanoseconds"])
    parts["days"] += days.astype(np.int32)
    parts["nanoseconds"] -= days * _NANOSECONDS_OF_DAY
    return interval_array(parts, missing_in(intervals))


def interval_times(intervals: pa.Array, factors: pa.Array) -> pa.Array:
    """Intervals times numbers: what is less than a month becomes days, and what is less than a day hours."""
    return _scaled(intervals, _numbers(factors), np.ones(len(intervals)), missing_in(intervals, factors))


def interval_over(intervals: pa.Array, divisors: pa.Array) -> pa.Array:
    """Intervals over numbers."""
    missing, numbers = missing_in(intervals, divisors), _numbers(divisors)
    if np.any((numbers == 0) & ~missing):
        raise ValueError("division by zero")
    return _scaled(intervals, np.ones(len(intervals)), np.where(missing, 1.0, numbers), missing)


def parts_of(intervals: pa.Array) -> "np.ndarray":
    """Months, days and nanoseconds; anything where an interval is NULL."""
    values = np.frombuffer(intervals.buffers()[1], dtype=PARTS) if len(intervals) else np.empty(0, PARTS)
    return values[intervals.offset : intervals.offset + len(intervals)]


def interval_array(parts: "np.ndarray", missing: npt.NDArray[np.bool_]) -> pa.Array:
    """Intervals of such parts."""
    bitmap = pa.array(~missing).buffers()[1] if missing.any() else None
    return pa.Array.from_buffers(INTERVAL, len(parts), [bitmap, pa.py_buffer(parts.tobytes())])


def missing_in(*columns: pa.Array) -> npt.NDArray[np.bool_]:
    """Where any of some columns is NULL."""
    found: npt.NDArray[np.bool_] = np.logical_or.reduce([np.asarray(column.is_null()) for column in columns])
    return found


def _numbers(values: pa.Array) -> npt.NDArray[np.float64]:
    return np.asarray(values.fill_null(1.0).to_numpy(zero_copy_only=False), dtype=np.float64)


def _scaled(
    intervals: pa.Array,
    factors: npt.NDArray[np.float64],
    divisors: npt.NDArray[np.float64],
    missing: npt.NDArray[np.bool_],
) -> pa.Array:
    parts = parts_of(intervals)
    months, days = (parts[name].astype(np.float64) * factors / divisors for name in ("months", "days"))
    seconds = parts["nanoseconds"].astype(np.float64) * factors / divisors / 1e9
    made_months, made_days = np.trunc(months), np.trunc(days)
    more_days = _to_microseconds((months - made_months) * DAYS_OF_MONTH)
    rest = _to_microseconds((days - made_days + more_days - np.trunc(more_days)) * _SECONDS_OF_DAY)
    whole = np.trunc(rest / _SECONDS_OF_DAY)
    made_days += np.trunc(more_days) + whole
    nanoseconds = np.rint((seconds + rest - whole * _SECONDS_OF_DAY) * 1e6) * 1e3
    is_held = (np.abs(made_months) < 2**31) & (np.abs(made_days) < 2**31) & (np.abs(nanoseconds) < 2.0**63)
    if not np.all(is_held | missing):
        raise ValueError("interval out of range")
    made = np.zeros(len(parts), PARTS)
    for name, values in (("months", made_months), ("days", made_days), ("nanoseconds", nanoseconds)):
        made[name] = np.where(missing, 0, values).astype(made[name].dtype)
    return interval_array(made, missing)


def _to_microseconds(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Numbers without what is below the sixth digit, which is noise."""
    return np.rint(values * 1e6) / 1e6
