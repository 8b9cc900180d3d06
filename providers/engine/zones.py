"""Moments in zones and of zones, as PostgreSQL has them: the clock of a place at a moment, and the moment of a clock.

A clock that shows a time twice, when it is set back, means the second one; a time that it never shows, when it is set
forward, is reckoned as before it was set. Offsets are no zones here: PostgreSQL counts them westwards, ISO eastwards.
"""

import re
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

_OFFSET = re.compile(r"[+-]?\d|[A-Za-z]+[+-]?\d+\Z")
_TWOFOLD = {"CET": "Europe/Berlin", "EET": "Europe/Helsinki", "MET": "Europe/Berlin", "WET": "Europe/Lisbon"}
"""Names of an offset to PostgreSQL, and of clocks that change to the time zone database; and clocks of that kind."""


def fault_of_zone(zone: str) -> str | None:
    """Why a text names no zone that everybody takes for the same; None if it does."""
    if zone.upper() in _TWOFOLD:
        clock = _TWOFOLD[zone.upper()]
        return f"{zone!r} is an offset to some and a clock that changes to others; write {clock!r}, or 'Etc/GMT-1'"
    if _OFFSET.match(zone):
        return f"{zone!r} is west of Greenwich to some and east to others; name a place, or add an interval"
    return None


def moment_in_zone(moments: pa.Array, zones: pa.Array) -> pa.Array:
    """What the clocks of zones show at moments in UTC."""
    return _by_zone(_shown, moments, zones)


def moment_of_zone(clocks: pa.Array, zones: pa.Array) -> pa.Array:
    """The moments in UTC at which the clocks of zones show times."""
    return _by_zone(_meant, clocks, zones)


def _by_zone(ask: Callable[[pa.Array, str], pa.Array], moments: pa.Array, zones: pa.Array) -> pa.Array:
    names = pc.unique(zones).to_pylist()
    if len(names) == 1 and names[0] is not None:
        return _asked(ask, moments, names[0])
    found = pa.nulls(len(moments), moments.type)
    for name in names:
        if name is not None:
            is_here = pc.fill_null(pc.equal(zones, name), False)
            found = pc.if_else(is_here, _asked(ask, moments, name), found)
    return found


def _asked(ask: Callable[[pa.Array, str], pa.Array], moments: pa.Array, zone: str) -> pa.Array:
    fault = fault_of_zone(zone)
    if fault is not None:
        raise ValueError(fault)
    try:
        return ask(moments, zone)
    except pa.ArrowInvalid as error:
        if "Cannot locate" in str(error) or "not found" in str(error):
            raise ValueError(f"there is no time zone {zone!r}") from None
        raise


def _shown(moments: pa.Array, zone: str) -> pa.Array:
    return pc.local_timestamp(moments.view(pa.timestamp(moments.type.unit, zone)))


def _meant(clocks: pa.Array, zone: str) -> pa.Array:
    after = pc.assume_timezone(clocks, zone, ambiguous="latest", nonexistent="latest")
    before = pc.assume_timezone(clocks, zone, ambiguous="latest", nonexistent="earliest")
    offset = pc.subtract(pc.local_timestamp(before), before.view(clocks.type))
    return pc.if_else(pc.equal(before, after), after.view(clocks.type), pc.subtract(clocks, offset))
