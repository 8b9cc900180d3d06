"""Functions that the engine lacks, or gets wrong, done by Arrow: whole columns at a time.

They are written by the repairs and forms of a text, not by users, whom they would not harm. Faults are one line of an
error, which reaches the client as it is.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from datafusion import SessionContext, udf

from catalog.errors import DatabaseError
from providers.engine.intervals import (
    INTERVAL,
    MICROSECONDS_OF_DAY,
    interval_justified,
    interval_length,
    interval_over,
    interval_times,
    parts_of,
)
from providers.engine.json_values import add_json_functions
from providers.engine.text_patterns import like_pattern, similar_pattern
from providers.engine.zones import moment_in_zone, moment_of_zone
from providers.rows.moments import text_of_moments

Numbers = npt.NDArray[np.int64]

FIRST_SECOND, END_SECOND = -62_135_596_800, 253_402_300_800
"""Of the years 1 to 9999."""

_UNITS = frozenset(
    {"year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond"}
)
_SPANS_OF_YEARS = {"decade": 10, "century": 100, "millennium": 1000}


SHORT_LETTERS_MAX = 255
"""As in PostgreSQL."""


def add_functions(session: SessionContext) -> None:
    """Let a session's texts call them."""
    for name, function in (
        ("checked_add", pc.add_checked),
        ("checked_subtract", pc.subtract_checked),
        ("checked_multiply", pc.multiply_checked),
    ):
        checked = partial(_checked, function)
        session.register_udf(udf(checked, [pa.int64(), pa.int64()], pa.int64(), "immutable", name=name))
    moments = pa.timestamp("us")
    truncate = udf(moment_trunc, [pa.string(), moments], moments, "immutable", name="moment_trunc")
    session.register_udf(truncate)
    session.register_udf(udf(moment_bin, [INTERVAL, moments, moments], moments, "immutable", name="moment_bin"))
    of_seconds = udf(moment_of_seconds, [pa.float64()], moments, "immutable", name="moment_of_seconds")
    session.register_udf(of_seconds)
    session.register_udf(udf(interval_length, [INTERVAL], pa.int64(), "immutable", name="interval_length"))
    for unit in ("s", "ms", "us", "ns"):
        moment = pa.timestamp(unit)
        session.register_udf(udf(text_of_moments, [moment], pa.string(), "immutable", name=f"moment_text_{unit}"))
        for moved in (moment_in_zone, moment_of_zone):
            name = f"{moved.__name__}_{unit}"
            session.register_udf(udf(moved, [moment, pa.string()], moment, "immutable", name=name))
    for name, numbers in (("double_text", pa.float64()), ("single_text", pa.float32())):
        session.register_udf(udf(_number_text, [numbers], pa.string(), "immutable", name=name))
    session.register_udf(udf(short_text, [pa.string()], pa.string(), "immutable", name="short_text"))
    session.register_udf(udf(at_most_one, [pa.int64()], pa.bool_(), "immutable", name="at_most_one"))
    session.register_udf(udf(double_place, [pa.float64()], pa.int64(), "immutable", name="double_place"))
    session.register_udf(udf(double_at, [pa.int64()], pa.float64(), "immutable", name="double_at"))
    add_json_functions(session)
    for read in (like_pattern, similar_pattern):
        texts = [pa.string(), pa.string()]
        session.register_udf(udf(partial(_read_patterns, read), texts, pa.string(), "immutable", name=read.__name__))
    session.register_udf(udf(interval_justified, [INTERVAL], INTERVAL, "immutable", name="interval_justified"))
    for scaled in (interval_times, interval_over):
        session.register_udf(udf(scaled, [INTERVAL, pa.float64()], INTERVAL, "immutable", name=scaled.__name__))


def _checked(function: Callable[[pa.Array, pa.Array], pa.Array], left: pa.Array, right: pa.Array) -> pa.Array:
    """A result of whole numbers, or an error where it is none of BIGINT."""
    try:
        return function(left, right)
    except pa.ArrowInvalid:
        raise ValueError("bigint out of range") from None


def at_most_one(counts: pa.Array) -> pa.Array:
    """True for each, or an error where a sub-query that is a value has more rows."""
    if (pc.max(counts).as_py() or 0) > 1:
        raise ValueError("more than one row returned by a subquery used as an expression")
    return pa.repeat(pa.scalar(value=True), len(counts))


def _read_patterns(read: Callable[[str, str], str], patterns: pa.Array, escapes: pa.Array) -> pa.Array:
    """Patterns in the engine's words, each of them read once."""
    known: dict[tuple[str, str], str] = {}
    written: list[str | None] = []
    for pattern, escape in zip(patterns.to_pylist(), escapes.to_pylist(), strict=True):
        if pattern is None or escape is None:
            written.append(None)
            continue
        if (pattern, escape) not in known:
            try:
                known[pattern, escape] = read(pattern, escape)
            except DatabaseError as error:
                raise ValueError(error.message) from None
        written.append(known[pattern, escape])
    return pa.array(written, pa.string())


def moment_trunc(units: pa.Array, moments: pa.Array) -> pa.Array:
    """Moments without what is finer than a unit, in all years."""
    names = pc.unique(units).to_pylist()
    if len(names) != 1:
        parts = [moment_trunc(units.slice(row, 1), moments.slice(row, 1)) for row in range(len(moments))]
        return pa.concat_arrays(parts) if parts else moments
    unit = str(names[0]).lower()
    if unit in _SPANS_OF_YEARS:
        span = _SPANS_OF_YEARS[unit]
        first = 0 if unit == "decade" else 1
        years = pc.year(moments)
        years = pc.subtract(
            years, pc.subtract(pc.subtract(years, first), pc.multiply(pc.divide(pc.subtract(years, first), span), span))
        )
        texts = pc.binary_join_element_wise(pc.utf8_lpad(years.cast(pa.string()), 4, "0"), "-01-01", "")
        return texts.cast(pa.timestamp("us"))
    if unit not in _UNITS:
        raise ValueError(f"moments have no part that is called {unit!r}")
    return pc.floor_temporal(moments, unit=unit)


def moment_bin(strides: pa.Array, moments: pa.Array, origins: pa.Array) -> pa.Array:
    """The starts of the spans of months, or of less, that moments are in, counted from origins; in all years."""
    parts = parts_of(strides)
    months = np.abs(parts["months"].astype(np.int64))
    lengths = np.abs(parts["days"] * np.int64(MICROSECONDS_OF_DAY) + parts["nanoseconds"] // 1000)
    missing = ~np.asarray(pc.and_(pc.and_(strides.is_valid(), moments.is_valid()), origins.is_valid()))
    if np.any(~missing & ((months == 0) == (lengths == 0))):
        raise ValueError("date_bin takes a stride of months, or of days and less, of a microsecond at least")
    given, first = (_microseconds(values) for values in (moments, origins))
    starts = first + (given - first) // np.where(lengths, lengths, 1) * lengths
    if months.any():
        starts = np.where(months > 0, _starts_of_months(np.where(months, months, 1), given, first), starts)
    seconds = starts // 1_000_000
    if np.any(~missing & ((seconds < FIRST_SECOND) | (seconds >= END_SECOND))):
        raise ValueError("timestamp out of range")
    return pa.array(starts, mask=missing).cast(moments.type)


def moment_of_seconds(seconds: pa.Array) -> pa.Array:
    """The moments so many seconds after 1970, to the microsecond, in all years."""
    missing = np.asarray(seconds.is_null())
    given = np.where(missing, 0.0, seconds.fill_null(0.0).to_numpy(zero_copy_only=False))
    if not np.all((given >= FIRST_SECOND) & (given < END_SECOND)):
        raise ValueError("timestamp out of range")
    return pa.array(np.rint(given * 1e6).astype(np.int64), mask=missing).cast(pa.timestamp("us"))


def _starts_of_months(months: Numbers, moments: Numbers, origins: Numbers) -> Numbers:
    """The latest times so many months apart, from origins on, that are not after moments; all in microseconds."""
    place = (_month(moments) - _month(origins)) // months * months
    late = _months_later(origins, place) > moments
    return _months_later(origins, place - late * months)


def _month(moments: Numbers) -> Numbers:
    return np.asarray(moments.view("datetime64[us]").astype("datetime64[M]"), dtype=np.int64)


def _months_later(moments: Numbers, months: Numbers) -> Numbers:
    """The same day and time in another month, or the last day that it has."""
    before, after = _month(moments), _month(moments) + months
    into = moments - _first_of_month(before)
    day, time = into // MICROSECONDS_OF_DAY, into % MICROSECONDS_OF_DAY
    last = (_first_of_month(after + 1) - _first_of_month(after)) // MICROSECONDS_OF_DAY - 1
    there: Numbers = _first_of_month(after) + np.minimum(day, last) * MICROSECONDS_OF_DAY + time
    return there


def _first_of_month(months: Numbers) -> Numbers:
    return np.asarray(months.view("datetime64[M]").astype("datetime64[us]"), dtype=np.int64)


def _microseconds(moments: pa.Array) -> Numbers:
    return np.asarray(moments.cast(pa.int64()).fill_null(0), dtype=np.int64)


def _number_text(numbers: pa.Array) -> pa.Array:
    """Numbers as they are stored in a column of texts."""
    return numbers.cast(pa.string())


def short_text(texts: pa.Array) -> pa.Array:
    """The same texts, or an error where one is too long for work that grows with the square of its length."""
    longest = pc.max(pc.utf8_length(texts)).as_py()
    if longest is not None and longest > SHORT_LETTERS_MAX:
        raise ValueError(f"levenshtein takes texts of at most {SHORT_LETTERS_MAX} letters")
    return texts


def double_place(doubles: pa.Array) -> pa.Array:
    """The places of doubles in their order, as in PostgreSQL: -0 is 0, and NaN, of which there is one, is last."""
    missing = _missing(doubles)
    given = doubles.fill_null(0.0).to_numpy(zero_copy_only=False) + 0.0
    bits = np.where(np.isnan(given), np.nan, given).view(np.int64)
    return pa.array(_mirrored(bits), mask=missing)


def double_at(places: pa.Array) -> pa.Array:
    """The doubles at places in their order."""
    bits = _mirrored(places.fill_null(0).to_numpy(zero_copy_only=False))
    return pa.array(bits.view(np.float64), mask=_missing(places))


def _mirrored(bits: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Bits of doubles as numbers in the same order, and back: those below zero count the other way."""
    return bits ^ ((bits >> 63) & np.int64(0x7FFF_FFFF_FFFF_FFFF))


def _missing(values: pa.Array) -> "np.ndarray | None":
    return np.asarray(values.is_null().to_numpy(zero_copy_only=False)) if values.null_count else None
