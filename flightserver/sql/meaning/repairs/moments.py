"""Moments beside moments of other types: DataFusion brings both to nanoseconds, which reach from 1677 to 2262.

Dates become midnights in microseconds; texts from years that nanoseconds do not have are read as microseconds. Where a
zone other than UTC is compared with, moments without one are in UTC, the session's zone, and not in that zone. Times of
different digits, which DataFusion does not compare, become those of the column or nanoseconds.
"""

import re
from collections.abc import Sequence

import pyarrow as pa

from flightserver.sql.meaning.repairs.dates import are_days
from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree

_UTC = frozenset({"UTC", "+00:00", "Etc/UTC", "Z"})
_YEARS_OF_NANOSECONDS = range(1678, 2262)
_YEAR = re.compile(r"\s*(\d{4})-\d")
_HAS_ZONE = re.compile(r".*:\d\d\S*\s*(?:[zZ]|[+-]\d\d:?(?:\d\d)?|[A-Za-z]+/\w+|UTC)\s*\Z")
_FRACTION = re.compile(r".*\.(\d*?)0*\s*\Z")

_PLAIN = "Timestamp(Microsecond, None)"
_IN_UTC = 'Timestamp(Microsecond, Some("UTC"))'
_TIMES = {
    pa.time32("ms"): ("Time32(Millisecond)", 3),
    pa.time64("us"): ("Time64(Microsecond)", 6),
    pa.time64("ns"): ("Time64(Nanosecond)", 9),
}
"""What the engine calls types of times, and how many digits their seconds have."""

_FINEST = pa.time64("ns")


def repair(writing: Writing) -> None:
    """Bring what is compared to a type that holds it."""
    for values, found in writing.comparisons:
        _compare(writing, found, values)
    for case, found in writing.of_kind(tree.Case):
        if case.operand is not None:
            _compare(writing, found, [case.operand, *(value for value, _ in case.branches)])


def _compare(writing: Writing, found: Visit, values: Sequence[tree.Expression]) -> None:
    if are_days(writing, values, found):
        return
    types = [_FINEST if _is_time(value) else writing.type_of(value, found) for value in values]
    known = [data_type for data_type in types if data_type is not None]
    if any(map(pa.types.is_timestamp, known)):
        zones = {data_type.tz for data_type in known if pa.types.is_timestamp(data_type)} - {None}
        for value, data_type in zip(values, types, strict=True):
            if data_type is not None:
                _as_timestamp(writing, value, data_type, zones)
    elif any(map(pa.types.is_time, known)):
        _as_times(writing, values, types)


def _as_timestamp(writing: Writing, value: tree.Expression, data_type: pa.DataType, zones: set[str]) -> None:
    edits, is_elsewhere = writing.edits, not zones <= _UTC
    if isinstance(value, tree.Literal) and value.kind == "string":
        lacks_zone = is_elsewhere and not _HAS_ZONE.match(_text(writing, value))
        if lacks_zone or _is_far(writing, value):
            edits.wrap(value, "arrow_cast(", f", '{_IN_UTC if zones else _PLAIN}')")
    elif pa.types.is_date(data_type) and is_elsewhere:
        edits.wrap(value, "arrow_cast(CAST(", f" AS TIMESTAMP(6)), '{_IN_UTC}')")
    elif pa.types.is_date(data_type):
        edits.wrap(value, "CAST(", " AS TIMESTAMP(6))")
    elif is_elsewhere and pa.types.is_timestamp(data_type) and data_type.tz is None:
        edits.wrap(value, "arrow_cast(", f", '{_IN_UTC}')")


def _as_times(writing: Writing, values: Sequence[tree.Expression], types: Sequence[pa.DataType | None]) -> None:
    columns = {
        data_type for value, data_type in zip(values, types, strict=True) if data_type in _TIMES and not _is_time(value)
    }
    (target,) = columns if len(columns) == 1 else (_FINEST,)
    if any(_digits(writing, value) > _TIMES[target][1] for value in values if _is_time(value)):
        target = _FINEST
    for value, data_type in zip(values, types, strict=True):
        if data_type in _TIMES and data_type != target:
            writing.edits.wrap(value, "arrow_cast(", f", '{_TIMES[target][0]}')")


def _is_time(value: tree.Expression) -> bool:
    return isinstance(value, tree.Literal) and value.kind == "TIME"


def _is_far(writing: Writing, literal: tree.Literal) -> bool:
    """Tell whether a constant's year has no nanoseconds."""
    year = _YEAR.match(_text(writing, literal))
    return year is not None and int(year[1]) not in _YEARS_OF_NANOSECONDS


def _digits(writing: Writing, constant: tree.Expression) -> int:
    fraction = _FRACTION.match(_text(writing, constant))
    return len(fraction[1]) if fraction else 0


def _text(writing: Writing, constant: tree.Expression) -> str:
    """What stands between the quotes of a constant."""
    return writing.text.tokens[constant.end - 1].text.strip("'")
