"""Durations as other systems write them in settings: milliseconds, or a number with a unit."""

import re

from catalog.errors import DatabaseError, ErrorKind

_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1_000.0, "min": 60_000.0, "h": 3_600_000.0, "d": 86_400_000.0}
_WRITTEN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*\Z")


def duration_s(name: str, value: object) -> float:
    """The seconds that the value of a setting means; INVALID when it means none."""
    written = _WRITTEN.match(str(value))
    unit = written and (written[2] or "ms")
    if written is None or unit not in _MILLISECONDS:
        raise DatabaseError(
            ErrorKind.INVALID, f"{name} is a number of milliseconds, or one with a unit such as '5s', not {value}"
        )
    return float(written[1]) * _MILLISECONDS[unit] / 1_000


def duration_text(seconds: float) -> str:
    """A duration with the largest unit in which it is whole; 0 is no limit."""
    milliseconds = round(seconds * 1_000)
    if not milliseconds:
        return "0"
    unit = next(unit for unit in ("d", "h", "min", "s", "ms") if milliseconds % int(_MILLISECONDS[unit]) == 0)
    return f"{milliseconds // int(_MILLISECONDS[unit])}{unit}"
