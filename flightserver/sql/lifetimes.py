"""How long rows stay: the options of STREAM tables, and the retention of others. Values arrive as text."""

import math
import re
from dataclasses import replace

from catalog.definition import FlushPolicy, Retention, StreamLimits, TableOptions
from catalog.errors import DatabaseError, ErrorKind

TTL_SECONDS_MIN = 0.001
TTL_SECONDS_MAX = 3_660 * 86_400.0
"""Ten years."""

STREAM_BYTES_MIN = 1 << 20
STREAM_BYTES_MAX = 64 << 30
STREAM_ROWS_MAX = 1_000_000_000

RETENTION_SECONDS_MAX = 36_600 * 86_400.0

UNITS = {"second": 1.0, "minute": 60.0, "hour": 3_600.0, "day": 86_400.0, "week": 604_800.0}

UNSET = "none"

_RETENTION = re.compile(r"\s*([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([a-z]+)\s*", re.IGNORECASE)

_NO_STREAM = TableOptions()
_STREAM = TableOptions(flush_policy=FlushPolicy(None, None), stream=StreamLimits(ttl_seconds=math.inf))


def base_options(*, is_stream: bool) -> TableOptions:
    """What a table has that names no options. A STREAM table must say how long its rows live: `check_lifetime`."""
    return _STREAM if is_stream else _NO_STREAM


def check_lifetime(options: TableOptions) -> None:
    """Refuse a STREAM table whose rows would live for ever, and a column without a retention that it is for."""
    if options.stream is not None and math.isinf(options.stream.ttl_seconds):
        raise _invalid("a STREAM table says how long its rows live: WITH (ttl_seconds = 3600)")
    if options.retention is not None and math.isinf(options.retention.seconds):
        raise _invalid("retention_column is for a table with retention: WITH (retention = '90 days')")


def refuse_for_streams(options: TableOptions, name: str) -> None:
    """Refuse an option about files: rows of a STREAM table are never in one."""
    if options.stream is not None:
        raise _invalid(f"{name} is about files, and a STREAM table has none")


def with_ttl(options: TableOptions, value: str) -> TableOptions:
    """`ttl_seconds`."""
    seconds = _number("ttl_seconds", value, TTL_SECONDS_MIN, TTL_SECONDS_MAX)
    return replace(options, stream=replace(_stream_of(options, "ttl_seconds"), ttl_seconds=seconds))


def with_max_bytes(options: TableOptions, value: str) -> TableOptions:
    """`max_bytes`."""
    count = _whole("max_bytes", value, STREAM_BYTES_MIN, STREAM_BYTES_MAX)
    return replace(options, stream=replace(_stream_of(options, "max_bytes"), max_bytes=count))


def with_max_rows(options: TableOptions, value: str) -> TableOptions:
    """`max_rows`, or none."""
    is_unset = value.strip().lower() == UNSET
    count = None if is_unset else _whole("max_rows", value, 1, STREAM_ROWS_MAX)
    return replace(options, stream=replace(_stream_of(options, "max_rows"), max_rows=count))


def with_retention(options: TableOptions, value: str) -> TableOptions:
    """`retention`: a number and a unit, or none, which leaves nothing of it."""
    _refuse_retention(options)
    if value.strip().lower() == UNSET:
        return replace(options, retention=None)
    before = options.retention or Retention(math.inf)
    return replace(options, retention=replace(before, seconds=_seconds("retention", value)))


def with_retention_column(options: TableOptions, column: int | None) -> TableOptions:
    """`retention_column`, by its id; None: rows age since they were committed."""
    _refuse_retention(options)
    before = options.retention or Retention(math.inf)
    return replace(options, retention=replace(before, column=column))


def retention_text(seconds: float) -> str:
    """A retention as it is written: in the largest unit of which it is a whole number."""
    for unit, length in sorted(UNITS.items(), key=lambda item: -item[1]):
        if seconds % length == 0 and unit != "week":
            return f"{seconds / length:.0f} {unit}{'' if seconds == length else 's'}"
    return f"{seconds:g} seconds"


def with_publish_retention(options: TableOptions, value: str) -> TableOptions:
    """`publish_retention`: a number and a unit."""
    seconds = _seconds("publish_retention", value)
    return replace(options, publication=replace(options.publication, retention_seconds=seconds))


def _seconds(name: str, value: str) -> float:
    found = _RETENTION.fullmatch(value)
    length = UNITS.get(found[2].lower().removesuffix("s")) if found else None
    if found is None or length is None:
        raise _invalid(f"{name} is a number and a unit ({', '.join(f'{unit}s' for unit in UNITS)}), not {value[:80]!r}")
    seconds = float(found[1]) * length
    if not 1 <= seconds <= RETENTION_SECONDS_MAX:
        raise _invalid(f"{name} is from 1 second to {RETENTION_SECONDS_MAX / 86_400:.0f} days, not {value[:80]!r}")
    return seconds


def _stream_of(options: TableOptions, name: str) -> StreamLimits:
    if options.stream is None:
        raise _invalid(f"{name} is for STREAM tables; rows of others have retention")
    return options.stream


def _refuse_retention(options: TableOptions) -> None:
    if options.stream is not None:
        raise _invalid("retention is for tables with files; rows of a STREAM table live for ttl_seconds")


def _number(name: str, value: str, low: float, high: float) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not low <= number <= high:
        raise _invalid(f"{name} is a number from {low:g} to {high:.0f}, not {value[:80]!r}")
    return number


def _whole(name: str, value: str, low: int, high: int) -> int:
    text = value.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 20 and low <= int(text) <= high):
        raise _invalid(f"{name} is a whole number from {low} to {high}, not {value[:80]!r}")
    return int(text)


def _invalid(message: str) -> DatabaseError:
    return DatabaseError(ErrorKind.INVALID, message)
